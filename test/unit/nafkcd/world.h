/*
 * world: a Key Center with a scripted BSF, on a virtual clock, links in memory and a store of its own. Requests are handed to
 * nafkc_on_ua as the HTTP server would, answers kept.
 */
#ifndef TEST_UNIT_NAFKCD_WORLD_H
#define TEST_UNIT_NAFKCD_WORLD_H

#include <stdio.h>

#include "common/clock.h"
#include "common/diameter_peer.h"
#include "common/kdf.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"
#include "common/uaxml.h"
#include "common/zn_msg.h"
#include "nafkcd/nafkc.h"
#include "nafkcd/store.h"
#include "test/unit/unit.h"

#define BTID "oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"
#define BTID2 "sKGio6SlpqeoqaqrrK2urw==@bsf.example.org"
#define DEVICE "urn:uuid:6f1d1c1e-0000-4000-8000-000000000001"
#define NOW 1800000000LL

enum bsf_mood { BSF_GIVES, BSF_GIVES_UICC_TOO, BSF_MUTE, BSF_5402, BSF_5403, BSF_3004, BSF_5012, BSF_SHORT_KEY, BSF_NO_EXPIRY, BSF_HOLDS };

struct bsf {			/* the scripted one */
	struct dia_node *node;
	enum bsf_mood mood;
	unsigned birs;
	int64_t expires_s;
	uint8_t key[KS_LEN];
	const char *impi;		/* told with the key; NULL = not */
	struct dia_txn *held[8];
	unsigned n_held;
	struct zn_bir last;
};

struct world {
	struct clock *clock;
	struct link_net *net;
	struct rnd_seeded rnd;
	struct secret *store_key;
	struct store *store;
	struct turn *turn;
	struct timeguard *guard;
	struct trace *trace;
	struct nafkc *k;
	struct nafkc_conf conf;
	struct naf_id naf_ids[2];
	struct nafkc_peer_conf peers[2];
	struct bsf bsf[2];
	uint8_t issuer[32];		/* of the devices' certificates; zeros = the chain does not show it */
	char store_path[256];
	char lines[65536];
};

static bool world_is_dead;	/* between death and the end of its last turn: nothing leaves */

/* One message on Ua, and what came back. */
struct said {
	struct http_xchg x;		/* first */
	struct http_request req;
	struct http_peer peer;
	struct http_header headers[6];
	bool over, closed;
	int status;
	char body[UAXML_MAX + 1];
	char retry_after[32], allow[32], cache[32], type[64], etag[64], www[1024], info[1024];
};

static const uint8_t key_a[32] = { 0xa }, key_b[32] = { 0xb };

/* --- the BSF */

static inline void
bsf_answer(struct bsf *b, struct dia_txn *t)
{
	const struct zn_self self = { b->last.dest_host[0] != '\0' ? b->last.dest_host : "bsf.example.org", "example.org" };
	struct zn_bia bia = { .result = DIA_SUCCESS, .expires_s = b->expires_s, .created_s = NOW };
	struct dia_buf buf = { 0 };
	struct dia_fault f = { 0 };

	switch (b->mood) {
	case BSF_5402:
	case BSF_5403:
		bia = (struct zn_bia){ .result = b->mood == BSF_5402 ? 5402 : 5403, .experimental = true };
		break;
	case BSF_3004:
	case BSF_5012:
		dia_fault_set(&f, b->mood == BSF_3004 ? DIA_TOO_BUSY : DIA_UNABLE_TO_COMPLY, "scripted");
		dia_txn_fail(t, &f);
		return;
	case BSF_NO_EXPIRY:
		bia.expires_s = 0;
		/* fall through */
	default:
		if (b->impi != NULL)
			snprintf(bia.user_name, sizeof bia.user_name, "%s", b->impi);
		ck_ok(secret_from(span_of(b->key, b->mood == BSF_SHORT_KEY ? 16 : KS_LEN), &bia.me_key));
		if (b->mood == BSF_GIVES_UICC_TOO)
			ck_ok(secret_from(span_of(key_b, KS_LEN), &bia.uicc_key));
	}
	ck_ok(zn_bia_print(&bia, dia_txn_msg(t), &self, &buf));
	dia_answer(t, &buf);
	dia_buf_free(&buf);
	zn_bia_free(&bia);
}

static inline void
bsf_on_request(struct dia_txn *t, const struct dia_msg *m, void *arg)
{
	struct bsf *b = arg;
	struct dia_fault f;

	b->birs++;
	ck_ok(zn_bir_parse(m, true, &b->last, &f));
	if (b->mood == BSF_HOLDS)
		b->held[b->n_held++] = t;
	else if (b->mood != BSF_MUTE)
		bsf_answer(b, t);
}

static inline void
bsf_start(struct world *w, unsigned i)
{
	static const char *const hosts[] = { "bsf.example.org", "bsf2.example.org" };
	struct dia_peer_conf naf = { .host = "nafkc.example.org", .realm = "example.org" };
	char address[64];
	struct dia_listen_conf listen = { .address = address };
	struct dia_seams seams = { .clock = w->clock, .rnd = &w->rnd.rnd, .net = w->net };
	struct dia_conf conf = { .host = hosts[i], .realm = "example.org", .product = "scripted", .origin_state_id = 1, .peers = &naf,
	    .n_peers = 1, .listen = &listen, .n_listen = 1 };
	struct dia_node_cb cb = { .on_request = bsf_on_request };

	snprintf(address, sizeof address, "tcp:127.0.0.1:%u", 3868 + i);
	ck_ok(dia_node_new(&seams, &conf, &cb, &w->bsf[i], &w->bsf[i].node));
	ck_ok(dia_node_start(w->bsf[i].node));
}

static inline void
bsf_stop(struct world *w, unsigned i)
{
	dia_node_free(w->bsf[i].node);
	w->bsf[i].node = NULL;
}

/* --- time */

/* Until nothing moves any more, at this moment. */
static inline void
settle(struct world *w)
{
	for (int quiet = 0; quiet < 3;) {
		size_t n = link_mem_run(w->net) + clock_advance(w->clock, 0);

		turn_end(w->turn);
		quiet = n == 0 ? quiet + 1 : 0;
	}
}

static inline void
pass(struct world *w, int64_t ms)
{
	for (int64_t at = 0; at < ms; at += 100) {
		settle(w);
		clock_advance(w->clock, ms - at < 100 ? ms - at : 100);
	}
	settle(w);
}

/* --- life */

static inline void
world_on_line(enum log_level level, const char *line, void *arg)
{
	struct world *w = arg;
	size_t n = strlen(w->lines);

	(void)level;
	snprintf(w->lines + n, sizeof w->lines - n, "%s\n", line);
}

static inline void
world_open_store(struct world *w)
{
	ck_ok(store_open(w->store_path[0] == '\0' ? ":memory:" : w->store_path, &nafkc_store_schema, w->store_key, &w->store));
	ck_ok(turn_new(w->store, &w->turn));
	ck_ok(timeguard_new(w->clock, w->store, TIMEGUARD_STEP_MAX_S, &w->guard));
	ck_ok(trace_new("nafkcd", NULL, 0, w->clock, w->turn, &w->trace));
}

static inline void
world_start_core(struct world *w)
{
	struct nafkc_seams seams = { .clock = w->clock, .guard = w->guard, .rnd = &w->rnd.rnd, .store = w->store, .turn = w->turn,
	    .trace = w->trace, .net = w->net };

	ck_ok(nafkc_new(&seams, &w->conf, &w->k));
	ck_ok(nafkc_start(w->k));
}

/* A world with nothing running but the clock; conf may be changed before world_start(). */
static inline void
world_new(struct world *w, const char *store_path)
{
	static const uint8_t octets[KS_LEN] = { 7 };

	memset(w, 0, sizeof *w);
	log_capture(world_on_line, w);
	if (store_path != NULL)
		snprintf(w->store_path, sizeof w->store_path, "%s", store_path);
	ck_ok(clock_new_virtual(NOW * 1000, &w->clock));
	ck_ok(link_mem_new(w->clock, &w->net));
	rnd_seeded_init(&w->rnd, 1);
	ck_ok(secret_from(span_of(octets, sizeof octets), &w->store_key));
	ck_ok(naf_id_parse(span_str("nafkc.example.org/0100000002"), &w->naf_ids[0]));
	ck_ok(naf_id_parse(span_str("second.example.org/0100000002"), &w->naf_ids[1]));
	nafkc_conf_default(&w->conf);
	w->conf.naf_ids = w->naf_ids;
	w->conf.n_naf_ids = 1;
	w->conf.devices = NAFKC_BIND_FIRST_USE;
	w->conf.zn.host = "nafkc.example.org";
	w->conf.zn.realm = "example.org";
	w->peers[0] = (struct nafkc_peer_conf){ .identity = "bsf.example.org", .realm = "example.org", .address = "127.0.0.1:3868" };
	w->peers[1] = (struct nafkc_peer_conf){ .identity = "bsf2.example.org", .realm = "example.org", .address = "127.0.0.1:3869" };
	w->conf.zn.peers = w->peers;
	w->conf.zn.n_peers = 1;
	for (int i = 0; i < 2; i++) {
		w->bsf[i].expires_s = NOW + 8 * 3600;
		memset(w->bsf[i].key, 0x5a, KS_LEN);
	}
	world_open_store(w);
}

static inline void
world_start(struct world *w)
{
	bsf_start(w, 0);
	if (w->conf.zn.n_peers > 1)
		bsf_start(w, 1);
	world_start_core(w);
	pass(w, 1000);
	ck_assert_str_eq(w->conf.zn.host, "nafkc.example.org");
}

/* As a kill -9 would: nothing is finished. */
static inline void
world_kill_core(struct world *w)
{
	world_is_dead = true;
	nafkc_free(w->k);
	if (w->turn != NULL)
		turn_end(w->turn);
	world_is_dead = false;
	trace_free(w->trace);
	timeguard_free(w->guard);
	turn_free(w->turn);
	store_close(w->store);
	w->k = NULL;
	w->trace = NULL;
	w->guard = NULL;
	w->turn = NULL;
	w->store = NULL;
}

static inline void
world_free(struct world *w)
{
	world_kill_core(w);
	for (unsigned i = 0; i < 2; i++)
		bsf_stop(w, i);
	link_mem_free(w->net);
	clock_free(w->clock);
	secret_free(w->store_key);
	log_capture(NULL, NULL);
}

/* --- Ua */

static inline void
said_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close)
{
	struct said *s = (struct said *)x;
	const char *v;

	if (world_is_dead)
		return;
	ck_assert(!s->over);
	s->over = true;
	s->closed = close;
	s->status = status;
	ck_assert(span_to_str(body, s->body, sizeof s->body));
	if ((v = http_header_get(h, n, "Retry-After")) != NULL)
		snprintf(s->retry_after, sizeof s->retry_after, "%s", v);
	if ((v = http_header_get(h, n, "Allow")) != NULL)
		snprintf(s->allow, sizeof s->allow, "%s", v);
	if ((v = http_header_get(h, n, "Cache-Control")) != NULL)
		snprintf(s->cache, sizeof s->cache, "%s", v);
	if ((v = http_header_get(h, n, "Content-Type")) != NULL)
		snprintf(s->type, sizeof s->type, "%s", v);
	if ((v = http_header_get(h, n, "ETag")) != NULL)
		snprintf(s->etag, sizeof s->etag, "%s", v);
	if ((v = http_header_get(h, n, "WWW-Authenticate")) != NULL)
		snprintf(s->www, sizeof s->www, "%s", v);
	if ((v = http_header_get(h, n, "Authentication-Info")) != NULL)
		snprintf(s->info, sizeof s->info, "%s", v);
}

static inline void
said_send(struct world *w, struct said *s, const uint8_t *spki)
{
	s->req.peer = &s->peer;
	strcpy(s->peer.address, "127.0.0.1:4000");
	if (spki != NULL) {
		s->peer.has_cert = true;
		memcpy(s->peer.spki_sha256, spki, 32);
		memcpy(s->peer.issuer_sha256, w->issuer, 32);
		snprintf(s->peer.subject, sizeof s->peer.subject, "CN=device %02x", spki[0]);
	}
	nafkc_on_ua(&s->x, w->k);
}

/* A request is on its way; spki NULL: without certificate. body must outlive it. */
static inline void
say(struct world *w, struct said *s, const char *body, const uint8_t *spki)
{
	*s = (struct said){ .x = { &s->req, said_answer } };
	s->headers[0] = (struct http_header){ "Host", "nafkc.example.org" };
	s->headers[1] = (struct http_header){ "Content-Type", "application/xml; charset=utf-8" };
	s->req = (struct http_request){ .method = "POST", .path = "/keycentre/v1/key-request", .headers = s->headers, .n_headers = 2,
	    .body = span_str(body) };
	said_send(w, s, spki);
}

/* The form of a Key Request; naf may be NULL. */
static inline const char *
form(const char *btid, const char *device, const char *naf)
{
	static char text[8][1024];
	static unsigned i;
	char *out = text[i++ % 8];
	int n = snprintf(out, 1024, "<keyRequest xmlns=\"urn:x-kslocal:ua:1\"><btid>%s</btid><deviceId>%s</deviceId>", btid, device);

	if (naf != NULL)
		n += snprintf(out + n, 1024 - (size_t)n, "<nafId>%s</nafId>", naf);
	snprintf(out + n, 1024 - (size_t)n, "</keyRequest>");
	return out;
}

/* Say it and wait for the answer. */
static inline void
ask(struct world *w, struct said *s, const char *body, const uint8_t *spki)
{
	say(w, s, body, spki);
	for (int i = 0; i < 200 && !s->over; i++)
		pass(w, 100);
	ck_assert_msg(s->over, "no answer");
}

/* The question for a key's state (N7), and its answer; known: If-None-Match, may be NULL. */
static inline void
ask_state(struct world *w, struct said *s, const char *btid, const char *device, const char *known, const uint8_t *spki)
{
	*s = (struct said){ .x = { &s->req, said_answer } };
	s->headers[0] = (struct http_header){ "Host", "nafkc.example.org:8443" };
	s->headers[1] = (struct http_header){ "X-KSLocal-BTID", btid };
	s->headers[2] = (struct http_header){ "X-KSLocal-Device-ID", device };
	s->headers[3] = (struct http_header){ "If-None-Match", known };
	s->req = (struct http_request){ .method = "GET", .path = "/keycentre/v1/key-state", .headers = s->headers,
	    .n_headers = known == NULL ? 3 : 4 };
	said_send(w, s, spki);
	settle(w);
	ck_assert_msg(s->over, "no answer");
}

static inline void
said_key(const struct said *s, struct uaxml_response *out)
{
	const char *bad;

	ck_assert_msg(s->status == 200, "%d %s", s->status, s->body);
	ck_ok(uaxml_parse_response(span_str(s->body), out, &bad));
}

static inline void
said_refused(const struct said *s, int status, const char *reason)
{
	struct uaxml_error e;

	ck_assert_msg(s->status == status, "%d %s, expected %d", s->status, s->body, status);
	ck_ok(uaxml_parse_error(span_str(s->body), &e));
	ck_assert_str_eq(e.reason, reason);
	ck_assert_str_eq(s->cache, "no-store");
	ck_assert_str_eq(s->type, "application/xml; charset=utf-8");
	ck_assert_int_eq(s->retry_after[0] != '\0', status == 503 || status == 429);
}

#endif
