/*
 * phone: a whole BSF core with scripted HTTP in front, and a phone that talks to it, made of common/'s own tested parts.
 */
#ifndef TEST_UNIT_BSFD_PHONE_H
#define TEST_UNIT_BSFD_PHONE_H

#include "common/aka.h"
#include "common/digest_aka.h"
#include "test/unit/bsfd/fixture.h"

static inline enum rc
fix_new(struct fix *f)
{
	struct bsf_seams seams = { .clock = f->clock, .guard = f->guard, .rnd = &f->rnd.rnd, .store = f->store, .turn = f->turn,
	    .trace = f->trace, .net = f->net };

	return bsf_new(&seams, &f->conf, &f->b);
}

/* The core too, started. */
static inline void
fix_start(struct fix *f)
{
	ck_ok(fix_new(f));
	ck_ok(bsf_start(f->b));
	turn_end(f->turn);
}

static inline void
fix_end(struct fix *f)
{
	turn_end(f->turn);
	bsf_free(f->b);
	f->b = NULL;
	fix_close(f);
}

/* --- what an operator does */

static inline enum reason
fix_add(struct fix *f, const char *form, char text[static BSF_TEXT_MAX])
{
	json_t *o = json_loads(form, 0, NULL), *out = NULL;
	enum reason why = bsf_subscriber_add(f->b, o, &out, text);

	json_decref(o);
	json_decref(out);
	turn_end(f->turn);
	return why;
}

static inline void
fix_subscribe(struct fix *f)
{
	char text[BSF_TEXT_MAX];

	ck_assert_int_eq(fix_add(f, SUBSCRIBER, text), REASON_NONE);
}

/* --- one HTTP exchange */

struct xchg {
	struct http_xchg x;
	struct http_request req;
	struct http_peer peer;
	struct http_header h[8];
	char authorization[DIGEST_HEADER_MAX + 1];
	int answers, status;
	bool close;
	char www[1024], info[512], type[128], retry[32], server[128], allow[16];
	char body[4096];
	size_t n_body;
};

static inline void
xchg_take(const struct http_header *h, size_t n, const char *name, char *out, size_t cap)
{
	const char *v = http_header_get(h, n, name);

	snprintf(out, cap, "%s", v == NULL ? "" : v);
}

static inline void
xchg_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close)
{
	struct xchg *e = (struct xchg *)x;

	e->answers++;
	e->status = status;
	e->close = close;
	xchg_take(h, n, "WWW-Authenticate", e->www, sizeof e->www);
	xchg_take(h, n, "Authentication-Info", e->info, sizeof e->info);
	xchg_take(h, n, "Content-Type", e->type, sizeof e->type);
	xchg_take(h, n, "Retry-After", e->retry, sizeof e->retry);
	xchg_take(h, n, "Server", e->server, sizeof e->server);
	xchg_take(h, n, "Allow", e->allow, sizeof e->allow);
	e->n_body = body.n < sizeof e->body ? body.n : sizeof e->body - 1;
	memcpy(e->body, body.p, e->n_body);
	e->body[e->n_body] = '\0';
}

/* GET / with these; NULL leaves the header out. The peer's address is 127.0.0.1 unless set before. */
static inline void
xchg_init(struct xchg *e, const char *authorization, const char *user_agent)
{
	char address[64];

	snprintf(address, sizeof address, "%s", e->peer.address[0] != '\0' ? e->peer.address : "127.0.0.1:40000");
	memset(e, 0, sizeof *e);
	snprintf(e->peer.address, sizeof e->peer.address, "%s", address);
	e->x.req = &e->req;
	e->x.answer = xchg_answer;
	e->req = (struct http_request){ .method = "GET", .path = "/", .headers = e->h, .peer = &e->peer };
	e->h[e->req.n_headers++] = (struct http_header){ "Host", BSF_NAME };
	if (authorization != NULL) {
		snprintf(e->authorization, sizeof e->authorization, "%s", authorization);
		e->h[e->req.n_headers++] = (struct http_header){ "Authorization", e->authorization };
	}
	if (user_agent != NULL)
		e->h[e->req.n_headers++] = (struct http_header){ "User-Agent", user_agent };
}

/* Handled, and answered by the end of the turn, exactly once; not before. */
static inline void
xchg_run(struct fix *f, struct xchg *e)
{
	bsf_on_ub(&e->x, f->b);
	ck_assert_msg(e->answers == 0, "answered before the turn was durable");
	turn_end(f->turn);
	ck_assert_int_eq(e->answers, 1);
	ck_assert_str_eq(e->server, BSF_SERVER_TOKEN);
	ck_assert(strlen(e->authorization) < 20 || strstr(fix_log, e->authorization) == NULL);
}

/* --- a phone */

#define UA_TMPI "Bootstrapping Client Agent; Release-6; 3gpp-gba-tmpi"

struct phone {
	char username[256];
	const char *impi, *user_agent;
	struct secret *k, *opc;
	struct sqn_array sqn;
	unsigned qop;			/* what it answers with; 0 = none */
	const char *address;
	struct digest d;		/* of the last challenge */
	struct secret *ks;		/* of the last challenge */
	uint8_t rand[16];
};

static inline void
phone_open(struct phone *p, const char *impi, const char *k, const char *opc)
{
	memset(p, 0, sizeof *p);
	p->impi = impi;
	snprintf(p->username, sizeof p->username, "%s", impi);
	p->user_agent = UA_TMPI;
	p->qop = DIGEST_QOP_AUTH_INT;
	p->address = "127.0.0.1:40000";
	ck_ok(hex_parse_secret(span_str(k), 16, &p->k));
	ck_ok(hex_parse_secret(span_str(opc), 16, &p->opc));
}

static inline void
phone_close(struct phone *p)
{
	secret_free(p->k);
	secret_free(p->opc);
	secret_free(p->ks);
}

static inline void
phone_send(struct fix *f, struct phone *p, const struct digest *d, struct xchg *e)
{
	char header[DIGEST_HEADER_MAX + 1];

	ck_ok(digest_print_authorization(d, header, sizeof header));
	snprintf(e->peer.address, sizeof e->peer.address, "%s", p->address);
	xchg_init(e, header, p->user_agent);
	xchg_run(f, e);
	if (e->status == 401) {
		ck_ok(digest_parse_challenge(span_str(e->www), &p->d));
		ck_assert_str_eq(p->d.realm, f->conf.fqdn);
		ck_assert_uint_eq(p->d.qop, DIGEST_QOP_AUTH_INT);
		ck_assert_int_eq(p->d.alg, DIGEST_ALG_AKAV1_MD5);
		ck_assert(p->d.have & DIGEST_ALGORITHM);
	} else
		ck_assert_str_eq(e->www, "");
}

static inline struct digest
phone_base(struct fix *f, const struct phone *p)
{
	struct digest d = { .have = DIGEST_USERNAME | DIGEST_REALM | DIGEST_NONCE | DIGEST_URI | DIGEST_RESPONSE, .uri = "/" };

	snprintf(d.username, sizeof d.username, "%s", p->username);
	snprintf(d.realm, sizeof d.realm, "%s", f->conf.fqdn);
	return d;
}

/* Step 1. */
static inline int
phone_ask(struct fix *f, struct phone *p, struct xchg *e)
{
	struct digest d = phone_base(f, p);

	phone_send(f, p, &d, e);
	return e->status;
}

/* What step 3 would hold for the last challenge, all but response; the card's verdict in *fresh. */
static inline struct digest
phone_answer(struct fix *f, struct phone *p, bool *fresh, struct secret **res)
{
	struct sqn_limits limits = { SQN_DELTA_DEFAULT, 0 };
	struct digest d = phone_base(f, p);
	struct aka_result r = { 0 };
	uint8_t autn[16];

	ck_ok(digest_nonce_parse(p->d.nonce, p->rand, autn));
	ck_assert_uint_eq(strlen(p->d.nonce), DIGEST_NONCE_LEN);
	ck_ok(aka_check(p->k, p->opc, p->rand, autn, &r));
	*fresh = sqn_accept(&p->sqn, &limits, r.sqn) == RC_OK;
	secret_free(p->ks);
	ck_ok(secret_concat(r.ck, r.ik, &p->ks));
	ck_ok(secret_dup(r.res, res));
	aka_result_clear(&r);
	d.have |= DIGEST_OPAQUE | DIGEST_ALGORITHM;
	snprintf(d.nonce, sizeof d.nonce, "%s", p->d.nonce);
	snprintf(d.opaque, sizeof d.opaque, "%s", p->d.opaque);
	if (p->qop != 0) {
		d.have |= DIGEST_QOP | DIGEST_NC | DIGEST_CNONCE;
		d.qop = p->qop;
		strcpy(d.nc, "00000001");
		strcpy(d.cnonce, "0a4f113b0a4f113b0a4f113b0a4f113b");
	}
	return d;
}

/* rspauth and body of a 200. */
static inline void
phone_judge(const struct digest *d, const struct secret *res, const struct xchg *e)
{
	struct digest info, all = *d;

	ck_ok(digest_parse_info(span_str(e->info), &info));
	ck_ok(digest_check(&all, res, "", span_of(e->body, e->n_body), info.rspauth));
	if (d->qop != 0) {
		ck_assert_str_eq(info.cnonce, d->cnonce);
		ck_assert_str_eq(info.nc, d->nc);
	}
	ck_assert_uint_eq(info.qop, d->qop);
	ck_assert_str_eq(e->type, "application/vnd.3gpp.bsf+xml");
}

/* Step 3, or the AUTS in its place if the card says so. */
static inline int
phone_reply(struct fix *f, struct phone *p, struct xchg *e)
{
	struct secret *res = NULL;
	bool fresh;
	struct digest d = phone_answer(f, p, &fresh, &res);

	if (!fresh) {
		d.have |= DIGEST_AUTS;
		ck_ok(aka_make_auts(p->k, p->opc, p->rand, sqn_highest(&p->sqn), d.auts));
	}
	ck_ok(digest_response(&d, fresh ? res : NULL, "GET", span_str(""), d.response));
	phone_send(f, p, &d, e);
	ck_assert_msg(strstr(fix_log, d.response) == NULL, "a response was logged");
	if (e->status == 200)
		phone_judge(&d, res, e);
	secret_free(res);
	return e->status;
}

/* The text between <name> and </name> of a body. */
static inline void
body_text(const struct xchg *e, const char *name, char *out, size_t cap)
{
	char open[64], close[64];
	const char *a, *z;

	snprintf(open, sizeof open, "<%s>", name);
	snprintf(close, sizeof close, "</%s>", name);
	a = strstr(e->body, open);
	ck_assert_msg(a != NULL, "no %s in %s", open, e->body);
	a += strlen(open);
	z = strstr(a, close);
	ck_assert(z != NULL && (size_t)(z - a) < cap);
	memcpy(out, a, (size_t)(z - a));
	out[z - a] = '\0';
}

/* A whole run; its B-TID. */
static inline void
phone_bootstrap(struct fix *f, struct phone *p, struct btid *out)
{
	struct xchg e = { .answers = 0 };

	ck_assert_int_eq(phone_ask(f, p, &e), 401);
	ck_assert_int_eq(phone_reply(f, p, &e), 200);
	body_text(&e, "btid", out->s, sizeof out->s);
}

#endif
