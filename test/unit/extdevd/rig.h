/*
 * rig: an extdev between a scripted MT (the in-memory network) and a scripted Key Center (a fake HTTP client), on the virtual
 * clock, with its store in memory. A test says what each of them answers, one message at a time.
 */
#ifndef TEST_UNIT_EXTDEVD_RIG_H
#define TEST_UNIT_EXTDEVD_RIG_H

#include <sqlite3.h>
#include <stdio.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/proof.h"
#include "common/rpc.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"
#include "common/uaxml.h"
#include "extdevd/core.h"
#include "test/unit/unit.h"

#define T0_MS (INT64_C(1893456000) * 1000)	/* 2030-01-01T00:00:00Z */
#define T0 INT64_C(1893456000)
#define NAF1 "nafkc.example.org/0100000002"
#define NAF2 "other.example.org/0100000002"
#define MT1 "0123456789abcdef0123456789abcdef"
#define MT2 "fedcba9876543210fedcba9876543210"
#define B1 "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.org"
#define B2 "AQEBAQEBAQEBAQEBAQEBAQ==@bsf.example.org"
#define B3 "AgICAgICAgICAgICAgICAg==@bsf.example.org"
#define DEV "urn:uuid:6f1d1c1e-0000-4000-8000-000000000001"
#define CHALLENGE "AAECAwQFBgcICQoLDA0ODw=="

/* A request that the MT got and has not answered yet. */
struct rig_request {
	TAILQ_ENTRY(rig_request) all;
	struct rpc_req *q;
	char op[32];
	json_t *body;
};
struct rig_mt {
	struct link_listener *ll;
	struct rpc *rpc;
	const char *id;			/* MT_ID that hello tells; NULL = hello is the test's to answer */
	const char *challenge;		/* that it tells (K13); NULL = none */
	int links, hellos, closed;
	json_t *hello;			/* the last one's body */
	TAILQ_HEAD(, rig_request) in;
	/* the answer to a request of its own */
	int answers;
	enum reason why;
};

/* A Key Request under way, or a question about a key's state (N7). */
TAILQ_HEAD(rig_flights, http_flight);
struct http_flight {
	TAILQ_ENTRY(http_flight) all;
	struct rig_flights *in;
	http_on_reply *fn;
	void *arg;
	char url[256], dial[64];
	struct uaxml_request asked;
	char btid[BTID_MAX + 1], device_id[DEVICE_ID_MAX + 1], etag[128];	/* a question's */
};

struct rig_done {
	int n;
	struct extdev_result r;
	char detail[512];
	int progress;
	char word[32];
};

static struct {
	struct clock *clk;
	struct link_net *net;
	struct store *store;
	struct timeguard *guard;
	struct turn *turn;
	struct trace *trace;
	struct rnd_seeded rnd;
	struct http_client http;
	struct extdev_conf conf;
	struct extdev_mt_conf mts[2];
	struct link_tls *mt_tls[2];		/* the in-memory network only looks whether there is one */
	struct extdev_center_conf centers[2];
	struct extdev *e;
	struct rig_mt mt, mt2;
	struct rig_flights flights, questions;
	int n_requests, n_questions, n_cancelled;
	char pseudonym[UAXML_PSEUDONYM_MAX + 1];	/* in each Key Response from now on (K12) */
	enum reason logged;
	char log[1 << 16];
} rig;

static inline void
rig_log(enum log_level level, const char *line, void *arg)
{
	const char *p = strstr(line, "reason=");
	char code[64];
	size_t n = strlen(rig.log);

	(void)level, (void)arg;
	if (p != NULL && sscanf(p + 7, "%63[a-z0-9-]", code) == 1)
		rig.logged = reason_by_code(code);
	if (n + strlen(line) + 2 < sizeof rig.log)
		(void)snprintf(rig.log + n, sizeof rig.log - n, "%s\n", line);
}

/* All that can happen without time going by. */
static inline void
rig_run(void)
{
	size_t ran;

	do {
		ran = clock_advance(rig.clk, 0);
		ran += link_mem_run(rig.net);
		turn_end(rig.turn);
		ran += link_mem_run(rig.net);
	} while (ran > 0);
}

static inline void
rig_advance(int64_t ms)
{
	while (ms > 0) {
		int64_t step = ms > 500 ? 500 : ms;

		clock_advance(rig.clk, step);
		rig_run();
		ms -= step;
	}
}

/* --- the MT */

static inline void
rig_mt_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	struct rig_mt *mt = arg;
	struct rig_request *r;

	if (strcmp(op, LOCALIF_HELLO) == 0) {
		mt->hellos++;
		json_decref(mt->hello);
		mt->hello = json_deep_copy(body);
		if (mt->id != NULL) {
			rpc_ok(q, json_pack("{s:i, s:s, s:s, s:s*}", "version", 1, "role", "mt", "mt_id", mt->id, "challenge", mt->challenge));
			return;
		}
	}
	r = calloc(1, sizeof *r);
	r->q = q;
	r->body = json_deep_copy(body);
	(void)snprintf(r->op, sizeof r->op, "%s", op);
	TAILQ_INSERT_TAIL(&mt->in, r, all);
}

static inline void
rig_mt_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	struct rig_mt *mt = arg;

	(void)why, (void)detail;
	mt->closed++;
	if (mt->rpc == r)
		mt->rpc = NULL;
	rpc_free(r);
}

static inline void
rig_mt_accept(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { rig_mt_request, rig_mt_closed };
	struct rig_mt *mt = arg;

	mt->links++;
	rpc_free(mt->rpc);
	ck_ok(rpc_new(l, rig.clk, NULL, &cb, mt, &mt->rpc));
}

static inline void
rig_mt_up(struct rig_mt *mt, const char *address, const char *id)
{
	TAILQ_INIT(&mt->in);
	mt->id = id;
	ck_ok(link_listen(rig.net, address, NULL, rig_mt_accept, mt, &mt->ll));
}

static inline void
rig_drop_requests(struct rig_mt *mt)
{
	struct rig_request *r;

	while ((r = TAILQ_FIRST(&mt->in)) != NULL) {
		TAILQ_REMOVE(&mt->in, r, all);
		rpc_ok(r->q, NULL);
		json_decref(r->body);
		free(r);
	}
}

/* The MT's process dies: its link ends without an answer. */
static inline void
rig_mt_dies(struct rig_mt *mt)
{
	rpc_free(mt->rpc);
	mt->rpc = NULL;
	rig_drop_requests(mt);
	rig_run();
}

/* The next request of the device, which must be this one. */
static inline struct rig_request *
rig_got(const char *op)
{
	struct rig_request *r;

	rig_run();
	r = TAILQ_FIRST(&rig.mt.in);
	ck_assert_msg(r != NULL, "the MT got nothing instead of %s", op);
	ck_assert_str_eq(r->op, op);
	return r;
}

static inline void
rig_got_nothing(void)
{
	rig_run();
	ck_assert_msg(TAILQ_EMPTY(&rig.mt.in), "the MT got %s", TAILQ_FIRST(&rig.mt.in)->op);
}

static inline const char *
rig_member(struct rig_request *r, const char *key)
{
	const char *s = json_string_value(json_object_get(r->body, key));

	return s != NULL ? s : "";
}

static inline void
rig_answer(struct rig_request *r, json_t *body)
{
	TAILQ_REMOVE(&rig.mt.in, r, all);
	rpc_ok(r->q, body);
	json_decref(r->body);
	free(r);
	rig_run();
}

static inline void
rig_refuse(struct rig_request *r, enum reason why, int64_t retry_after_s)
{
	TAILQ_REMOVE(&rig.mt.in, r, all);
	rpc_fail(r->q, why, retry_after_s, NULL);
	json_decref(r->body);
	free(r);
	rig_run();
}

/* info is answered: this B-TID (NULL = none), both NAF_IDs. Returns what the request said of itself. */
static inline void
rig_info(const char *btid)
{
	struct rig_request *r = rig_got("info");
	json_t *o = json_pack("{s:[s, s]}", "naf_ids", NAF1, NAF2);

	ck_assert_uint_eq(strlen(rig_member(r, "run")), 16);
	if (btid != NULL)
		json_object_set_new(o, "btid", json_string(btid));
	rig_answer(r, o);
}

/* derive is answered with this B-TID. want: the B-TID it must name, NULL = it must name none. */
static inline void
rig_derive(const char *want, const char *btid)
{
	struct rig_request *r = rig_got("derive");

	ck_assert_str_eq(rig_member(r, "btid"), want != NULL ? want : "");
	rig_answer(r, json_pack("{s:s, s:s, s:s}", "btid", btid, "naf_id", rig_member(r, "naf_id"), "challenge", CHALLENGE));
}

static inline struct secret *
rig_key(int which)
{
	struct secret *k = NULL;

	ck_ok(secret_new(KS_LEN, &k));
	memset(secret_bytes(k), which, KS_LEN);
	return k;
}

/* complete is answered with the right proof, after the device's was looked at. */
static inline void
rig_complete(const char *btid, int which)
{
	struct rig_request *r = rig_got("complete");
	struct secret *k = rig_key(which);
	char proof[PROOF_LEN + 1];

	ck_assert_str_eq(rig_member(r, "btid"), btid);
	ck_ok(proof_check(k, PROOF_DEVICE, span_str(CHALLENGE), span_str(rig_member(r, "proof"))));
	ck_ok(proof_make(k, PROOF_MT, span_str(CHALLENGE), proof));
	rig_answer(r, json_pack("{s:s}", "proof", proof));
	secret_free(k);
}

static inline void
rig_mt_answered(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct rig_mt *mt = arg;

	(void)body, (void)error;
	mt->answers++;
	mt->why = why;
}

/* The MT asks. */
static inline void
rig_mt_asks(const char *op)
{
	json_t *o = json_object();

	ck_ok(rpc_ask(rig.mt.rpc, op, o, rig_mt_answered, NULL, &rig.mt));
	json_decref(o);
	rig_run();
}

/* --- the Key Center */

static inline void
rig_read_question(struct http_flight *f, const struct http_call *c)
{
	const char *etag = http_header_get(c->headers, c->n_headers, "If-None-Match");

	ck_assert_uint_eq(c->body.n, 0);
	(void)snprintf(f->btid, sizeof f->btid, "%s", http_header_get(c->headers, c->n_headers, "X-KSLocal-BTID"));
	(void)snprintf(f->device_id, sizeof f->device_id, "%s", http_header_get(c->headers, c->n_headers, "X-KSLocal-Device-ID"));
	(void)snprintf(f->etag, sizeof f->etag, "%s", etag != NULL ? etag : "");
}

static inline enum rc
rig_http_send(void *ctx, const struct http_call *c, http_on_reply *fn, void *arg, struct http_flight **out)
{
	struct http_flight *f = calloc(1, sizeof *f);
	const char *bad;

	(void)ctx;
	if (strcmp(c->method, "GET") == 0) {
		rig_read_question(f, c);
		rig.n_questions++;
		f->in = &rig.questions;
	} else {
		ck_assert_str_eq(c->method, "POST");
		ck_assert_str_eq(http_header_get(c->headers, c->n_headers, "content-type"), "application/xml; charset=utf-8");
		ck_ok(uaxml_parse_request(c->body, &f->asked, &bad));
		rig.n_requests++;
		f->in = &rig.flights;
	}
	(void)snprintf(f->url, sizeof f->url, "%s", c->url);
	(void)snprintf(f->dial, sizeof f->dial, "%s", c->dial != NULL ? c->dial : "");
	f->fn = fn;
	f->arg = arg;
	TAILQ_INSERT_TAIL(f->in, f, all);
	*out = f;
	return RC_OK;
}

static inline void
rig_http_cancel(void *ctx, struct http_flight *f)
{
	(void)ctx;
	if (f == NULL)
		return;
	rig.n_cancelled++;
	TAILQ_REMOVE(f->in, f, all);
	free(f);
}

/* The Key Request that is under way. */
static inline struct http_flight *
rig_flight(void)
{
	rig_run();
	ck_assert_msg(!TAILQ_EMPTY(&rig.flights), "no Key Request is under way");
	return TAILQ_FIRST(&rig.flights);
}

/* The question about a key's state that is under way. */
static inline struct http_flight *
rig_question(void)
{
	rig_run();
	ck_assert_msg(!TAILQ_EMPTY(&rig.questions), "nothing is asked about a key's state");
	return TAILQ_FIRST(&rig.questions);
}

static inline void
rig_reply_to(struct http_flight *f, const struct http_reply *r)
{
	TAILQ_REMOVE(f->in, f, all);
	f->fn(f->arg, r);
	free(f);
	rig_run();
}

/* The Key Center answers a question. text NULL: no body. */
static inline void
rig_state(int status, const char *text, const char *etag)
{
	struct http_header h = { "ETag", etag };
	struct http_reply r = { .status = status, .headers = &h, .n_headers = etag != NULL, .body = span_str(text), .detail = "a detail",
	    .why = status == 0 ? REASON_HTTP_UNREACHABLE : REASON_NONE };

	rig_reply_to(rig_question(), &r);
}

/* 200: the key that was asked about lives for so long. */
static inline void
rig_state_good(int64_t lifetime_s, const char *etag)
{
	struct http_flight *f = rig_question();
	struct uaxml_state m = { .lifetime = clock_now_s(rig.clk) + lifetime_s };
	char doc[UAXML_MAX];
	size_t n;

	ck_ok(btid_parse(span_str(f->btid), &m.btid));
	ck_ok(device_id_parse(span_str(f->device_id), &m.device_id));
	ck_ok(uaxml_print_state(&m, doc, sizeof doc, &n));
	doc[n] = '\0';
	rig_state(200, doc, etag);
}

static inline void
rig_reply(const struct http_reply *r)
{
	struct http_flight *f = rig_flight();

	rig_reply_to(f, r);
}

static inline void
rig_naf_xml(int status, const char *doc, size_t n, const char *retry_after)
{
	struct http_header h = { "Retry-After", retry_after };
	struct http_reply r = { .status = status, .headers = &h, .n_headers = retry_after != NULL, .body = span_of(doc, n), .why = REASON_NONE,
	    .detail = "" };

	rig_reply(&r);
}

/* 200 with key number which, about what was asked. */
static inline void
rig_naf_key(int which, int64_t lifetime_s)
{
	struct http_flight *f = rig_flight();
	struct uaxml_response m = { .btid = f->asked.btid, .device_id = f->asked.device_id, .ks_local_mt = rig_key(which),
	    .lifetime = clock_now_s(rig.clk) + lifetime_s };
	char doc[UAXML_MAX];
	size_t n;

	(void)snprintf(m.mt_pseudonym, sizeof m.mt_pseudonym, "%s", rig.pseudonym);
	ck_ok(uaxml_print_response(&m, doc, sizeof doc, &n));
	secret_free(m.ks_local_mt);
	rig_naf_xml(200, doc, n, NULL);
}

static inline void
rig_naf_error(int status, const char *reason, const char *retry_after)
{
	char doc[512];
	int n = snprintf(doc, sizeof doc, "<keyError xmlns=\"urn:x-kslocal:ua:1\"><reason>%s</reason><text>so it is</text></keyError>", reason);

	rig_naf_xml(status, doc, (size_t)n, retry_after);
}

static inline void
rig_naf_silent(enum reason why)
{
	struct http_reply r = { .status = 0, .why = why, .detail = "a detail" };

	rig_reply(&r);
}

/* --- the device */

static inline void
rig_on_done(void *arg, const struct extdev_result *r)
{
	struct rig_done *d = arg;

	d->n++;
	d->r = *r;
	(void)snprintf(d->detail, sizeof d->detail, "%s", r->detail != NULL ? r->detail : "");
	d->r.detail = d->detail;
}

static inline void
rig_on_progress(void *arg, const char *word, int64_t wait_s)
{
	struct rig_done *d = arg;

	(void)wait_s;
	d->progress++;
	(void)snprintf(d->word, sizeof d->word, "%s", word);
}

static inline void
rig_ask(struct rig_done *d, bool force, bool fresh)
{
	struct extdev_want w = { .mt = rig.conf.n_mts > 1 ? "phone" : NULL, .force = force, .fresh = fresh };

	memset(d, 0, sizeof *d);
	extdev_establish(rig.e, &w, rig_on_done, rig_on_progress, d);
	ck_assert_int_eq(d->n, 0);	/* never inside the call */
	rig_run();
}

static inline void
rig_is_done(const struct rig_done *d, int scenario, const char *btid)
{
	ck_assert_int_eq(d->n, 1);
	ck_assert_msg(d->r.why == REASON_NONE, "%s: %s", reason_get(d->r.why)->code, d->detail);
	ck_assert_int_eq(d->r.scenario, scenario);
	ck_assert_str_eq(d->r.triple.btid.s, btid);
}

static inline void
rig_has_failed(const struct rig_done *d, enum reason why)
{
	ck_assert_int_eq(d->n, 1);
	ck_assert_msg(d->r.why == why, "%s: %s", reason_get(d->r.why)->code, d->detail);
}

/* A whole establishment with a new bootstrapping, and a whole one with the B-TID that is there. */
static inline void
rig_scenario1(struct rig_done *d, const char *btid, int which)
{
	rig_ask(d, false, false);
	rig_info(NULL);
	rig_derive(NULL, btid);
	rig_naf_key(which, 3600);
	rig_complete(btid, which);
	rig_is_done(d, 1, btid);
}

struct rig_count {
	int all, confirmed, owed;
	char btids[3][BTID_MAX + 1];
};

static inline enum rc
rig_count_key(void *arg, const struct extdev_key *k)
{
	struct rig_count *c = arg;

	if (c->all < 3)
		(void)snprintf(c->btids[c->all], BTID_MAX + 1, "%s", k->from.triple.btid.s);
	c->all++;
	c->confirmed += k->state == EXTDEV_CONFIRMED;
	c->owed += k->owed;
	return RC_OK;
}

static inline struct rig_count
rig_keys(void)
{
	struct rig_count c = { 0 };

	ck_ok(extdev_store_each_key(rig.store, timeguard_now(rig.guard), rig_count_key, &c));
	return c;
}

static inline bool
rig_pending(void)
{
	struct extdev_request r;
	struct mt_id id = { MT1 };

	return extdev_store_get_request(rig.store, &id, &r) == RC_OK;
}

/* How many trace events of this run have this step; scenario 0 = any. */
static inline int
rig_steps(const struct run_id *run, int step, int scenario)
{
	json_t *all = trace_since(rig.trace, 0), *v;
	size_t i;
	int n = 0;

	json_array_foreach(all, i, v) {
		const char *its = json_string_value(json_object_get(v, "run"));
		json_int_t s = json_integer_value(json_object_get(v, "scenario"));

		if (its != NULL && strcmp(its, run->s) == 0 && json_integer_value(json_object_get(v, "step")) == step)
			n += scenario == 0 || s == scenario || s == 0;
	}
	json_decref(all);
	return n;
}

static inline void
rig_start_on(struct link_net *net)
{
	struct extdev_seams s = { .clock = rig.clk, .guard = rig.guard, .rnd = &rig.rnd.rnd, .store = rig.store, .turn = rig.turn,
	    .trace = rig.trace, .net = net, .http = &rig.http, .mt_tls = rig.mt_tls };

	ck_ok(extdev_new(&s, &rig.conf, &rig.e));
	ck_ok(extdev_start(rig.e));
	rig_run();
}

static inline void
rig_start(void)
{
	rig_start_on(rig.net);
}

static inline int
rig_no_commit(void *arg)
{
	(void)arg;
	return 1;
}

/* A full disk, and back. */
static inline void
rig_commits_fail(bool fail)
{
	(void)sqlite3_commit_hook(sqlite3_db_handle(store_stmt(rig.store, 0)), fail ? rig_no_commit : NULL, NULL);
}

/* kill -9. */
static inline void
rig_stop_process(void)
{
	extdev_free(rig.e);
	rig.e = NULL;
	rig_run();
	rig_drop_requests(&rig.mt);
}

/* And the next start on the same store. */
static inline void
rig_restart(void)
{
	rig_stop_process();
	rig_start();
}

/* Rows of a table, expired ones too. */
static inline int
rig_rows(const char *table)
{
	sqlite3_stmt *q;
	char sql[64];
	int n;

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	ck_assert_int_eq(sqlite3_prepare_v2(sqlite3_db_handle(store_stmt(rig.store, 0)), sql, -1, &q, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
	n = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	return n;
}

static inline void
rig_new(void)
{
	static const struct http_client_ops http_ops = { rig_http_send, rig_http_cancel };
	struct secret *store_key = NULL;

	memset(&rig, 0, sizeof rig);
	log_capture(rig_log, NULL);
	TAILQ_INIT(&rig.flights);
	TAILQ_INIT(&rig.questions);
	TAILQ_INIT(&rig.mt.in);
	TAILQ_INIT(&rig.mt2.in);
	rig.http.ops = &http_ops;
	rnd_seeded_init(&rig.rnd, 1);
	ck_ok(secret_new(32, &store_key));
	ck_ok(clock_new_virtual(T0_MS, &rig.clk));
	ck_ok(link_mem_new(rig.clk, &rig.net));
	ck_ok(store_open(":memory:", &extdev_store_schema, store_key, &rig.store));
	ck_ok(timeguard_new(rig.clk, rig.store, TIMEGUARD_STEP_MAX_S, &rig.guard));
	ck_ok(turn_new(rig.store, &rig.turn));
	ck_ok(trace_new("extdevd", NULL, 0, rig.clk, rig.turn, &rig.trace));
	secret_free(store_key);
	extdev_conf_default(&rig.conf);
	rig.conf.id_kind = EXTDEV_ID_FIXED;
	rig.conf.device_id = DEV;
	rig.mts[0] = (struct extdev_mt_conf){ .name = "phone", .address = "unix:/mt" };
	rig.mts[1] = (struct extdev_mt_conf){ .name = "tablet", .address = "unix:/mt2" };
	ck_ok(naf_id_parse(span_str(NAF1), &rig.centers[0].naf_id));
	ck_ok(naf_id_parse(span_str(NAF2), &rig.centers[1].naf_id));
	rig.conf.mts = rig.mts;
	rig.conf.n_mts = 1;
	rig.conf.centers = rig.centers;
	rig.conf.n_centers = 2;
}

/* The MT answers hello by itself, the device is up. */
static inline void
rig_setup(void)
{
	rig_new();
	rig_mt_up(&rig.mt, "unix:/mt", MT1);
	rig_start();
	ck_assert_int_eq(rig.mt.hellos, 1);
}

static inline void
rig_teardown(void)
{
	rig_run();
	extdev_free(rig.e);
	ck_assert(TAILQ_EMPTY(&rig.flights));
	ck_assert(TAILQ_EMPTY(&rig.questions));
	rpc_free(rig.mt.rpc);
	rpc_free(rig.mt2.rpc);
	rig_drop_requests(&rig.mt);
	rig_drop_requests(&rig.mt2);
	json_decref(rig.mt.hello);
	json_decref(rig.mt2.hello);
	link_listener_free(rig.mt.ll);
	link_listener_free(rig.mt2.ll);
	link_mem_free(rig.net);
	trace_free(rig.trace);
	turn_free(rig.turn);
	timeguard_free(rig.guard);
	store_close(rig.store);
	clock_free(rig.clk);
}

#endif
