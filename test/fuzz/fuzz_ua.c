/*
 * Property: whatever a device with a good certificate says on Ua gets exactly one answer, with a status of the table and a body that
 * reads; the core goes on. Input: first octet = route, method and media type; second = which public key; the rest is the body, or the
 * lines of it are the headers of the state question.
 * No BSF is there, so that what passes ends with 503.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"
#include "common/uaxml.h"
#include "nafkcd/nafkc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct {
	struct clock *clock;
	struct link_net *net;
	struct store *store;
	struct turn *turn;
	struct timeguard *guard;
	struct trace *trace;
	struct nafkc *k;
	struct naf_id naf_id;
} w;

struct said {
	struct http_xchg x;		/* first */
	int answers, status;
};

static void
on_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close)
{
	struct said *s = (struct said *)x;
	struct uaxml_error e;

	(void)h;
	(void)n;
	(void)close;
	s->answers++;
	s->status = status;
	if (status == 200 || uaxml_parse_error(body, &e) != RC_OK)
		abort();
}

static void
quiet(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

static void
start(void)
{
	static const struct nafkc_peer_conf peer = { .identity = "bsf.example.org", .realm = "example.org", .address = "127.0.0.1:3868" };
	static const uint8_t octets[KS_LEN];
	struct nafkc_conf conf;
	struct secret *key;
	struct nafkc_seams seams;

	log_capture(quiet, NULL);
	nafkc_conf_default(&conf);
	if (naf_id_parse(span_str("nafkc.example.org/0100000002"), &w.naf_id) != RC_OK || clock_new_virtual(1800000000000, &w.clock) != RC_OK ||
	    link_mem_new(w.clock, &w.net) != RC_OK || secret_from(span_of(octets, sizeof(octets)), &key) != RC_OK ||
	    store_open(":memory:", &nafkc_store_schema, key, &w.store) != RC_OK || turn_new(w.store, &w.turn) != RC_OK ||
	    timeguard_new(w.clock, NULL, TIMEGUARD_STEP_MAX_S, &w.guard) != RC_OK ||
	    trace_new("nafkcd", NULL, 16, w.clock, w.turn, &w.trace) != RC_OK)
		abort();
	secret_free(key);
	conf.naf_ids = &w.naf_id;
	conf.n_naf_ids = 1;
	conf.devices = NAFKC_ANY;
	conf.rate_per_minute = 1000000;
	conf.zn.host = "nafkc.example.org";
	conf.zn.realm = "example.org";
	conf.zn.peers = &peer;
	conf.zn.n_peers = 1;
	seams = (struct nafkc_seams){ .clock = w.clock, .guard = w.guard, .rnd = rnd_system(), .store = w.store, .turn = w.turn,
	    .trace = w.trace, .net = w.net };
	if (nafkc_new(&seams, &conf, &w.k) != RC_OK || nafkc_start(w.k) != RC_OK)
		abort();
}

static bool
status_ok(int status)
{
	static const int known[] = { 400, 403, 404, 405, 415, 429, 503 };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (status == known[i])
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const paths[] = { "/keycentre/v1/key-request", "/", "/keycentre/v1/key-state", "" };
	static const char *const types[] = { "application/xml", "application/xml; charset=utf-8", ";", "" };
	struct http_header h[] = { { "Host", "nafkc.example.org" }, { "Content-Type", NULL }, { "X-KSLocal-BTID", NULL },
	    { "X-KSLocal-Device-ID", NULL }, { "If-None-Match", NULL } };
	char line[3][UAXML_MAX + 1] = { "" };
	struct http_peer peer = { .address = "127.0.0.1:1", .has_cert = true, .subject = "CN=x" };
	struct http_request q = { .headers = h, .n_headers = 2, .peer = &peer };
	struct said s = { .x = { &q, on_answer } };

	if (w.k == NULL)
		start();
	if (n < 2)
		return 0;
	q.path = paths[p[0] & 3];
	q.method = p[0] & 4 ? "GET" : "POST";
	h[1].value = types[p[0] >> 3 & 3];
	peer.spki_sha256[0] = p[1];
	q.body = (struct span){ p + 2, n - 2 };
	for (struct span in = q.body, one; q.n_headers < 5 && span_upto(&in, '\n', &one);)
		if (span_to_str(one, line[q.n_headers - 2], sizeof(line[0]))) {
			h[q.n_headers].value = line[q.n_headers - 2];
			q.n_headers++;
		}
	nafkc_on_ua(&s.x, w.k);
	for (int i = 0; i < 50 && s.answers == 0; i++) {
		turn_end(w.turn);
		link_mem_run(w.net);
		clock_advance(w.clock, 1000);
	}
	turn_end(w.turn);
	if (s.answers != 1 || !status_ok(s.status))
		abort();
	return 0;
}
