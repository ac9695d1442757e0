/*
 * Property: whatever an MT says on the second Ua port gets exactly one answer, with a status of the table and a body that reads; 401 and
 * nothing else carries a challenge; nobody is authenticated without a key; the core goes on. Input: first octet = route and method; then
 * lines: Device_ID, B-TID, If-None-Match, Authorization (N in it stands for a nonce of ours). One key was given, for B-TID k@bsf.example.org;
 * no BSF is there, so that what passes for that one ends with 503.
 */
#include <stdio.h>
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
#include "nafkcd/auth.h"
#include "nafkcd/core.h"
#include "nafkcd/store.h"

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

	(void)close;
	s->answers++;
	s->status = status;
	if (uaxml_parse_error(body, &e) != RC_OK || (http_header_get(h, n, "WWW-Authenticate") != NULL) != (status == 401) ||
	    http_header_get(h, n, "Authentication-Info") != NULL)
		abort();
}

static void
quiet(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

/* So that one B-TID is known. */
static void
give_one(void)
{
	static const uint8_t octets[KS_LEN];
	struct nafkc_key k = { .triple = { .naf_id = w.naf_id, .btid = { "k@bsf.example.org" }, .device_id = { "d" } }, .kcv = "000000000000",
	    .issued_s = 1800000000, .expires_s = 1900000000, .ks_expires_s = 1900000000 };
	struct secret *ks;

	if (secret_from(span_of(octets, sizeof(octets)), &ks) != RC_OK || store_begin(w.store) != RC_OK ||
	    nafkc_store_put_key(w.store, &k, ks) != RC_OK || store_end(w.store, true) != RC_OK)
		abort();
	secret_free(ks);
	turn_end(w.turn);
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
	give_one();
}

static bool
status_ok(int status)
{
	static const int known[] = { 400, 401, 404, 405, 429, 503 };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (status == known[i])
			return true;
	return false;
}

/* "N" becomes a nonce that is good. */
static void
with_nonce(const char *in, char *out, size_t cap)
{
	const char *n = strstr(in, "\"N\"");
	char nonce[80];

	if (n == NULL || nafkc_nonce_make(w.k->nonces, nonce, sizeof(nonce)) != RC_OK)
		snprintf(out, cap, "%s", in);
	else
		snprintf(out, cap, "%.*s\"%s\"%s", (int)(n - in), in, nonce, n + 3);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "X-KSLocal-Device-ID", "X-KSLocal-BTID", "If-None-Match", "Authorization" };
	static const char *const paths[] = { "/keycentre/v1/key-state", "/keycentre/v1/key-state", "/keycentre/v1/key-request", "" };
	static char line[4][UAXML_MAX + 1], authorization[UAXML_MAX + 200];
	struct http_header h[5] = { { "Host", "nafkc.example.org" } };
	struct http_peer peer = { .address = "127.0.0.1:1" };
	struct http_request q = { .headers = h, .n_headers = 1, .peer = &peer };
	struct said s = { .x = { &q, on_answer } };
	struct span in = { p, n }, one;

	if (w.k == NULL)
		start();
	if (n < 1)
		return 0;
	q.path = paths[p[0] & 3];
	q.method = p[0] & 4 ? "POST" : "GET";
	(void)span_take(&in, 1, &one);
	for (size_t i = 0; i < 4 && span_upto(&in, '\n', &one); i++) {
		if (one.n == 0 || !span_to_str(one, line[i], sizeof(line[i])))
			continue;
		if (i == 3)
			with_nonce(line[i], authorization, sizeof(authorization));
		h[q.n_headers++] = (struct http_header){ names[i], i == 3 ? authorization : line[i] };
	}
	nafkc_on_ua_mt(&s.x, w.k);
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
