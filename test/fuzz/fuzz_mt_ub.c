/*
 * fuzz_mt_ub: a BSF that answers anything to the Ub client. The input is a sequence of answers, each: one octet for status and card,
 * header lines up to an empty one, a body up to 00. In header values @N stands for a nonce that fits the card, @A for the right
 * Authentication-Info, in a body @B for the right B-TID.
 *
 * Properties: a run ends exactly once, and within a bounded number of requests; it is "done" only after an answer with the right
 * rspauth; what it then gives is well-formed, and lives long enough.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest_aka.h"
#include "common/http.h"
#include "common/log.h"
#include "common/rnd.h"
#include "mtd/ub.h"

#define NOW INT64_C(1900000000)
#define FQDN "bsf.example.org"
#define REQUESTS_MAX 12

struct http_flight {
	http_on_reply *fn;
	void *arg;
};

static struct {
	struct span in;			/* what is left of it */
	struct clock *clock;
	struct rnd_seeded rnd;
	struct http_flight *flight;
	struct digest asked;		/* the last Authorization */
	struct aka_vector av;		/* all secrets known to this BSF */
	struct secret *k;
	char nonce[DIGEST_NONCE_LEN + 1];
	mt_auth_fn *card_fn;
	void *card_arg;
	uint8_t flags;
	bool proven;			/* the last answer carried the right rspauth */
	int requests, ended;
} f;

static enum rc
on_send(void *ctx, const struct http_call *c, http_on_reply *fn, void *arg, struct http_flight **out)
{
	const char *h = http_header_get(c->headers, c->n_headers, "Authorization");

	(void)ctx;
	assert(f.flight == NULL && h != NULL);
	assert(++f.requests <= REQUESTS_MAX);
	assert(digest_parse_authorization(span_str(h), &f.asked) == RC_OK);	/* we send what we would take */
	f.flight = calloc(1, sizeof *f.flight);
	assert(f.flight != NULL);
	*f.flight = (struct http_flight){ fn, arg };
	*out = f.flight;
	return RC_OK;
}

static void
on_cancel(void *ctx, struct http_flight *fl)
{
	(void)ctx;
	assert(fl == NULL || fl == f.flight);
	if (fl != NULL) {
		free(f.flight);
		f.flight = NULL;
	}
}

static enum rc
card(void *ctx, const uint8_t rand[static 16], const uint8_t autn[static 16], mt_auth_fn *fn, void *arg)
{
	(void)ctx;
	(void)rand;
	(void)autn;
	if ((f.flags & 0x80) != 0)
		return RC_STATE;
	f.card_fn = fn;
	f.card_arg = arg;
	return RC_OK;
}

static void
card_cancel(void *ctx)
{
	(void)ctx;
	f.card_fn = NULL;
}

static void
card_answers(void)
{
	static const enum mt_auth_how how[] = { MT_AUTH_OK, MT_AUTH_SYNC, MT_AUTH_MAC, MT_AUTH_FAILED };
	struct mt_auth a = { .how = how[f.flags >> 3 & 3], .res = f.av.xres, .ck = f.av.ck, .ik = f.av.ik, .mac = REASON_BSF_AUTN };
	mt_auth_fn *fn = f.card_fn;

	f.card_fn = NULL;
	fn(f.card_arg, &a);
}

static void
on_end(void *arg, struct mt_ub_result *r)
{
	struct btid again;

	(void)arg;
	f.ended++;
	assert((r->why == REASON_NONE) == (r->ks.ks != NULL));
	if (r->why != REASON_NONE)
		return;
	assert(f.proven);
	assert(btid_parse(span_str(r->ks.btid.s), &again) == RC_OK);
	assert(r->ks.expires > NOW + 60);
	assert(secret_span(r->ks.ks).n == KS_LEN);
	assert(r->tmpi[0] == '\0' || tmpi_is(span_str(r->tmpi)));
}

/* The right Authentication-Info for this body, if what was asked can be proven at all. */
static void
right_info(struct span body, char *out, size_t cap)
{
	struct digest d = f.asked;
	struct secret *password = NULL;

	out[0] = '\0';
	d.have = DIGEST_QOP | DIGEST_RSPAUTH;
	if (digest_password(d.alg, f.av.xres, f.av.ck, f.av.ik, &password) == RC_OK &&
	    digest_response(&d, password, "", body, d.rspauth) == RC_OK && digest_print_info(&d, out, cap) == RC_OK)
		f.proven = true;
	secret_free(password);
}

static void
answer(void)
{
	static const int status[] = { 401, 200, 403, 503, 0, 302, 404, 500 };
	struct http_header h[16];
	char name[16][64], value[16][1024], body[4096], btid[BTID_MAX + 1] = "", *at;
	struct http_reply r = { .headers = h, .why = REASON_HTTP_BROKEN, .detail = "x" };
	struct http_flight fl = *f.flight;
	struct span head, line, b;
	struct btid right;

	free(f.flight);
	f.flight = NULL;
	f.proven = false;
	if (f.in.n == 0) {
		fl.fn(fl.arg, &r);
		return;
	}
	f.flags = f.in.p[0];
	r.status = status[f.flags & 7];
	f.in.p++;
	f.in.n--;
	if (!span_upto(&f.in, '\0', &b)) {
		b = f.in;
		f.in.n = 0;
	}
	/* body: what follows the empty line, with @B */
	head = b;
	at = memmem(b.p, b.n, "\n\n", 2);
	body[0] = '\0';
	if (at != NULL) {
		head.n = (size_t)((const uint8_t *)at - b.p) + 1;
		b = span_of(at + 2, b.n - head.n - 1);
		at = memmem(b.p, b.n, "@B", 2);
		if (at != NULL && btid_make(f.av.rand, FQDN, &right) == RC_OK)
			(void)snprintf(btid, sizeof btid, "%s", right.s);
		if (at != NULL)
			(void)snprintf(body, sizeof body, "%.*s%s%.*s", (int)((const uint8_t *)at - b.p), (const char *)b.p, btid,
			    (int)(b.n - (size_t)((const uint8_t *)at - b.p) - 2), at + 2);
		else
			(void)snprintf(body, sizeof body, "%.*s", (int)b.n, (const char *)b.p);
	}
	r.body = span_str(body);
	while (r.n_headers < 16 && span_upto(&head, '\n', &line)) {
		struct span n;
		size_t i = r.n_headers;

		if (!span_upto(&line, ':', &n) || !span_to_str(n, name[i], sizeof name[i]))
			continue;
		line = span_trim(line);
		if (span_eq_str(line, "@A"))
			right_info(r.body, value[i], sizeof value[i]);
		else if ((at = memmem(line.p, line.n, "@N", 2)) != NULL)
			(void)snprintf(value[i], sizeof value[i], "%.*s%s%.*s", (int)((const uint8_t *)at - line.p), (const char *)line.p,
			    f.nonce, (int)(line.n - (size_t)((const uint8_t *)at - line.p) - 2), at + 2);
		else if (!span_to_str(line, value[i], sizeof value[i]))
			continue;
		h[i] = (struct http_header){ name[i], value[i] };
		r.n_headers++;
	}
	fl.fn(fl.arg, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_client_ops ops = { on_send, on_cancel };
	static const struct http_client http = { &ops, NULL };
	static const struct mt_ub_conf conf = { .user_agent = MT_USER_AGENT };
	static const uint8_t amf[2] = { 0x80, 0 }, rand[16] = { 1, 2, 3 };
	struct mt_ub_ask ask = { .impi = { "1@example.org" }, .fqdn = FQDN, .min_left_s = 60, .now_s = NOW };
	struct mt_ub_env env = { .http = &http, .conf = &conf, .card = { card, card_cancel, NULL } };
	struct mt_ub *u = NULL;

	memset(&f, 0, sizeof f);
	log_set_level(LOG_LEVEL_ERROR);
	f.in = span_of(data, size);
	if (size > 0 && (data[0] & 0x40) != 0)
		(void)snprintf(ask.tmpi, sizeof ask.tmpi, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org");
	assert(clock_new_virtual(NOW * 1000, &f.clock) == RC_OK);
	rnd_seeded_init(&f.rnd, 1);
	assert(secret_from(span_of(rand, 16), &f.k) == RC_OK);
	assert(aka_make(f.k, f.k, rand, 32, amf, &f.av) == RC_OK);
	digest_nonce_print(f.av.rand, f.av.autn, f.nonce);
	env.clock = f.clock;
	env.rnd = &f.rnd.rnd;
	assert(mt_ub_start(&env, &ask, on_end, NULL, &u) == RC_OK);
	while (f.ended == 0) {
		if (f.flight != NULL)
			answer();
		else if (f.card_fn != NULL)
			card_answers();
		else
			abort();	/* a run that waits for nothing */
	}
	assert(f.ended == 1 && f.flight == NULL && f.card_fn == NULL);
	aka_vector_clear(&f.av);
	secret_free(f.k);
	clock_free(f.clock);
	return 0;
}
