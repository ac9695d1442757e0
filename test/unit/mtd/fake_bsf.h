/*
 * fake_bsf: a BSF behind the http_client seam, written from ub.md, for tests of the MT. It does everything right; a test's twist
 * changes an answer before it leaves. Answers wait until fake_bsf_run(). Checks what it is sent as a strict BSF would.
 */
#ifndef TEST_UNIT_MTD_FAKE_BSF_H
#define TEST_UNIT_MTD_FAKE_BSF_H

#include <stdio.h>
#include <stdlib.h>

#include "common/aka.h"
#include "common/b64.h"
#include "common/clock.h"
#include "common/digest_aka.h"
#include "common/http.h"
#include "common/kdf.h"
#include "common/rnd.h"
#include "common/sqn.h"
#include "test/unit/unit.h"

#define FAKE_BSF_FQDN "bsf.mnc001.mcc001.pub.3gppnetwork.org"

struct fake_reply {
	int status;
	struct {
		char name[32], value[1024];
	} h[8];
	size_t n;
	char body[4096];
	enum reason why;
};

struct http_flight {
	struct http_flight *next;
	struct fake_reply r;
	http_on_reply *fn;
	void *arg;
};

struct fake_bsf {
	struct http_client client;
	struct clock *clock;
	struct rnd_seeded rnd;
	struct secret *k, *opc;
	char impi[IMPI_MAX + 1], tmpi[TMPI_LEN + 1];
	char impi2[IMPI_MAX + 1];	/* another subscription of the same card; "" = none */
	bool tmpi_token, forget_tmpi;
	bool gba_u;			/* the subscriber's: AUTN* */
	enum digest_alg alg;
	uint64_t sqn;
	int64_t lifetime_s;
	/* the open challenge */
	struct aka_vector av;
	char nonce[DIGEST_NONCE_LEN + 1];
	struct secret *ks;
	struct btid btid;
	/* what happened */
	int requests, challenges, resyncs, done, fresh;
	char last_username[321], last_url[600], last_dial[300], last_authorization[DIGEST_HEADER_MAX], last_headers[4096];
	struct http_flight *first;
	bool down;
	/* n: of the request, from 1 */
	void (*twist)(struct fake_bsf *b, int n, struct fake_reply *r);
};

static inline void
fake_header(struct fake_reply *r, const char *name, const char *value)
{
	size_t i;

	for (i = 0; i < r->n && strcmp(r->h[i].name, name) != 0; i++)
		;
	ck_assert_uint_lt(i, 8);
	if (i == r->n)
		r->n++;
	(void)snprintf(r->h[i].name, sizeof r->h[i].name, "%s", name);
	(void)snprintf(r->h[i].value, sizeof r->h[i].value, "%s", value);
}

static inline void
fake_header_drop(struct fake_reply *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->h[i].name, name) == 0)
			r->h[i] = r->h[--r->n];
	}
}

static inline void
fake_challenge(struct fake_bsf *b, struct fake_reply *r)
{
	struct digest d = { .have = DIGEST_REALM | DIGEST_NONCE | DIGEST_ALGORITHM | DIGEST_QOP | DIGEST_OPAQUE, .alg = b->alg,
		.qop = DIGEST_QOP_AUTH_INT, .realm = FAKE_BSF_FQDN, .opaque = "5ccc069c403ebaf9" };
	static const uint8_t amf[2] = { 0x80, 0 };
	uint8_t rand[AKA_RAND_LEN];
	char text[1024];

	ck_ok(rnd_bytes(&b->rnd.rnd, rand, sizeof rand));
	ck_ok(sqn_next(b->sqn, 1, &b->sqn));
	aka_vector_clear(&b->av);
	ck_ok(aka_make(b->k, b->opc, rand, b->sqn, amf, &b->av));
	if (b->gba_u)
		ck_ok(aka_autn_star(b->av.ik, b->av.autn, b->av.autn));
	digest_nonce_print(b->av.rand, b->av.autn, b->nonce);
	(void)snprintf(d.nonce, sizeof d.nonce, "%s", b->nonce);
	ck_ok(digest_print_challenge(&d, text, sizeof text));
	r->status = 401;
	fake_header(r, "WWW-Authenticate", text);
	b->challenges++;
}

static inline void
fake_rspauth(struct fake_bsf *b, const struct digest *sent, struct fake_reply *r)
{
	struct digest d = *sent;
	struct secret *password;
	char text[1024];

	d.have = DIGEST_QOP | DIGEST_RSPAUTH | DIGEST_CNONCE | DIGEST_NC;
	ck_ok(digest_password(b->alg, b->av.xres, b->av.ck, b->av.ik, &password));
	ck_ok(digest_response(&d, password, "", span_str(r->body), d.rspauth));
	secret_free(password);
	ck_ok(digest_print_info(&d, text, sizeof text));
	fake_header(r, "Authentication-Info", text);
}

static inline void
fake_info(struct fake_bsf *b, struct fake_reply *r, const char *btid, int64_t expires, const char *extra)
{
	char t[UTC_TEXT_LEN + 1];

	(void)b;
	clock_print_utc(expires, t);
	(void)snprintf(r->body, sizeof r->body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BootstrappingInfo xmlns=\"uri:3gpp-gba\">\n"
	    "  <btid>%s</btid>\n  <lifetime>%s</lifetime>\n%s</BootstrappingInfo>\n", btid, t, extra);
}

static inline void
fake_success(struct fake_bsf *b, const struct digest *sent, struct fake_reply *r)
{
	struct impi impi;

	ck_ok(btid_make(b->av.rand, FAKE_BSF_FQDN, &b->btid));
	secret_free(b->ks);
	ck_ok(secret_concat(b->av.ck, b->av.ik, &b->ks));
	r->status = 200;
	fake_header(r, "Content-Type", "application/vnd.3gpp.bsf+xml");
	fake_info(b, r, b->btid.s, clock_now_s(b->clock) + b->lifetime_s, "");
	fake_rspauth(b, sent, r);
	ck_ok(impi_parse(span_str(b->impi), &impi));
	if (b->tmpi_token)
		ck_ok(kdf_tmpi(b->ks, b->av.rand, span_str(impi.s), FAKE_BSF_FQDN, b->tmpi));
	b->done++;
}

/* A twist changed the body: prove that one. */
static inline void
fake_prove(struct fake_bsf *b, struct fake_reply *r)
{
	struct digest sent;

	ck_ok(digest_parse_authorization(span_str(b->last_authorization), &sent));
	fake_rspauth(b, &sent, r);
}

static inline void
fake_resync(struct fake_bsf *b, const struct digest *d, struct fake_reply *r)
{
	uint64_t sqn_ms;

	ck_ok(digest_check(d, NULL, "GET", span_str(""), d->response));		/* empty password */
	ck_ok(aka_check_auts(b->k, b->opc, b->av.rand, d->auts, &sqn_ms));
	b->sqn = sqn_ms;
	b->resyncs++;
	fake_challenge(b, r);
}

static inline void
fake_judge(struct fake_bsf *b, const struct http_call *c, struct fake_reply *r)
{
	const char *h = http_header_get(c->headers, c->n_headers, "Authorization");
	struct secret *password;
	struct digest d;

	ck_assert_ptr_nonnull(h);
	ck_assert_uint_eq(http_header_count(c->headers, c->n_headers, "Authorization"), 1);
	(void)snprintf(b->last_authorization, sizeof b->last_authorization, "%s", h);
	ck_ok(digest_parse_authorization(span_str(h), &d));
	(void)snprintf(b->last_username, sizeof b->last_username, "%s", d.username);
	fake_header(r, "Server", b->tmpi_token ? "fake 3gpp-gba-tmpi" : "fake");
	ck_assert_str_eq(d.realm, FAKE_BSF_FQDN);
	ck_assert_str_eq(c->method, "GET");
	if (strcmp(d.username, b->impi) != 0 && (b->impi2[0] == '\0' || strcmp(d.username, b->impi2) != 0) && (b->forget_tmpi || strcmp(d.username, b->tmpi) != 0)) {
		r->status = 403;
		return;
	}
	if (d.nonce[0] == '\0') {
		ck_assert_str_eq(d.response, "");
		fake_challenge(b, r);
		return;
	}
	ck_assert_str_eq(d.nonce, b->nonce);
	ck_assert_str_eq(d.opaque, "5ccc069c403ebaf9");
	ck_assert_str_eq(d.nc, "00000001");
	ck_assert_uint_eq(strlen(d.cnonce), 32);
	ck_assert_uint_eq(d.have & DIGEST_ALGORITHM, DIGEST_ALGORITHM);
	if ((d.have & DIGEST_AUTS) != 0) {
		fake_resync(b, &d, r);
		return;
	}
	ck_ok(digest_password(b->alg, b->av.xres, b->av.ck, b->av.ik, &password));
	if (digest_check(&d, password, "GET", c->body, d.response) == RC_OK)
		fake_success(b, &d, r);
	else
		r->status = 401;
	secret_free(password);
}

static inline enum rc
fake_send(void *ctx, const struct http_call *c, http_on_reply *fn, void *arg, struct http_flight **out)
{
	struct fake_bsf *b = ctx;
	struct http_flight *f = calloc(1, sizeof *f), **last = &b->first;

	ck_assert_ptr_nonnull(f);
	b->requests++;
	b->fresh += c->fresh;
	(void)snprintf(b->last_url, sizeof b->last_url, "%s", c->url);
	(void)snprintf(b->last_dial, sizeof b->last_dial, "%s", c->dial != NULL ? c->dial : "");
	b->last_headers[0] = '\0';
	for (size_t i = 0; i < c->n_headers; i++) {
		size_t n = strlen(b->last_headers);

		(void)snprintf(b->last_headers + n, sizeof b->last_headers - n, "%s: %s\n", c->headers[i].name, c->headers[i].value);
	}
	f->fn = fn;
	f->arg = arg;
	if (b->down)
		f->r.why = REASON_HTTP_UNREACHABLE;
	else
		fake_judge(b, c, &f->r);
	if (b->twist != NULL)
		b->twist(b, b->requests, &f->r);
	while (*last != NULL)
		last = &(*last)->next;
	*last = f;
	*out = f;
	return RC_OK;
}

static inline void
fake_cancel(void *ctx, struct http_flight *f)
{
	struct fake_bsf *b = ctx;

	for (struct http_flight **p = &b->first; *p != NULL; p = &(*p)->next) {
		if (*p == f) {
			*p = f->next;
			free(f);
			return;
		}
	}
	ck_abort_msg("a flight was cancelled that is over");
}

/* Deliver one answer; false when none waits. */
static inline bool
fake_bsf_step(struct fake_bsf *b)
{
	struct http_flight *f = b->first;
	struct http_header h[8];
	struct http_reply r = { .headers = h };

	if (f == NULL)
		return false;
	b->first = f->next;
	for (size_t i = 0; i < f->r.n; i++)
		h[i] = (struct http_header){ f->r.h[i].name, f->r.h[i].value };
	r.n_headers = f->r.n;
	r.status = f->r.status;
	r.why = f->r.why;
	r.detail = f->r.status == 0 ? "connection refused" : NULL;
	r.body = span_str(f->r.body);
	f->fn(f->arg, &r);
	free(f);
	return true;
}

static inline void
fake_bsf_init(struct fake_bsf *b, struct clock *clock, const struct secret *k, const struct secret *opc, const char *impi)
{
	static const struct http_client_ops ops = { fake_send, fake_cancel };

	memset(b, 0, sizeof *b);
	b->client = (struct http_client){ &ops, b };
	b->clock = clock;
	rnd_seeded_init(&b->rnd, 42);
	ck_ok(secret_dup(k, &b->k));
	ck_ok(secret_dup(opc, &b->opc));
	(void)snprintf(b->impi, sizeof b->impi, "%s", impi);
	b->tmpi_token = true;
	b->alg = DIGEST_ALG_AKAV1_MD5;
	b->lifetime_s = 3600;
}

static inline void
fake_bsf_clear(struct fake_bsf *b)
{
	while (b->first != NULL)
		fake_cancel(b, b->first);
	aka_vector_clear(&b->av);
	secret_free(b->k);
	secret_free(b->opc);
	secret_free(b->ks);
}

#endif
