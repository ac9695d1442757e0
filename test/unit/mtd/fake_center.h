/*
 * fake_center: a NAF Key Center's second Ua port behind the rig's HTTP seam, written from TS 24.109 5.2 and RULES N7. It does
 * everything right; a test says what it thinks of the keys, or twists an answer before it leaves.
 */
#ifndef TEST_UNIT_MTD_FAKE_CENTER_H
#define TEST_UNIT_MTD_FAKE_CENTER_H

#include "test/unit/mtd/rig.h"

#include "common/digest_gba.h"
#include "common/profile.h"
#include "common/uaxml.h"

#define CENTER_FQDN "nafkc.example.org"
#define CENTER_URI "/keycentre/v1/key-state"
#define CENTER_NONCE "bm9uY2U="

static struct {
	int status;			/* about every key, once the digest is right */
	int64_t lifetime;		/* of 200 */
	char etag[64];
	bool down, held, proves;
	unsigned stale;			/* so many right answers are called stale first */
	int requests, challenged, judged;	/* all; 401; with a right digest */
	char device_id[DEVICE_ID_MAX + 1], if_none_match[64], url[600], dial[300];	/* of the last */
	struct http_flight *waiting;	/* held */
	void (*twist)(int n, struct fake_reply *r);
	struct secret *older;		/* the Ks of older_btid, from before the newest bootstrapping; and what is said about its keys */
	char older_btid[BTID_MAX + 1];
	int older_status;
} center;

static inline void
center_challenge(struct fake_reply *r, bool stale)
{
	struct digest d = { .have = DIGEST_REALM | DIGEST_NONCE | DIGEST_ALGORITHM | DIGEST_QOP | (stale ? DIGEST_STALE : 0u),
		.alg = DIGEST_ALG_MD5, .qop = DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT, .nonce = CENTER_NONCE, .stale = stale };
	char text[1024];

	digest_gba_realm(CENTER_FQDN, d.realm);
	ck_ok(digest_print_challenge(&d, text, sizeof text));
	r->status = 401;
	fake_header(r, "WWW-Authenticate", text);
	center.challenged++;
}

/* The BSF's Ks stays known under this B-TID when a newer one comes. */
static inline void
center_remember(const char *btid)
{
	ck_ok(secret_dup(rig.bsf.ks, &center.older));
	(void)snprintf(center.older_btid, sizeof center.older_btid, "%s", btid);
	center.older_status = 200;
}

static inline void
center_close(void)
{
	secret_free(center.older);
	center.older = NULL;
}

/* Of the newest Ks of the BSF, or the one that is remembered. */
static inline struct secret *
center_password(const char *btid)
{
	bool older = center.older != NULL && strcmp(btid, center.older_btid) == 0;
	struct secret *ks_naf, *password;
	struct naf_id naf;
	struct btid b;
	uint8_t rand[16];

	ck_ok(naf_id_parse(span_str(RIG_NAF), &naf));
	ck_ok(btid_parse(span_str(btid), &b));
	ck_ok(btid_rand(&b, rand));
	ck_ok(kdf_ks_naf(older ? center.older : rig.bsf.ks, rand, span_str(RIG_IMPI), &naf, &ks_naf));
	ck_ok(digest_gba_password(ks_naf, &password));
	secret_free(ks_naf);
	return password;
}

/* Over the body as it is: a twist that changes it may call this again. */
static inline void
center_prove(const struct digest *sent, const struct secret *password, struct fake_reply *r)
{
	struct digest d = *sent;
	char text[1024];

	d.have = DIGEST_QOP | DIGEST_RSPAUTH | DIGEST_CNONCE | DIGEST_NC;
	ck_ok(digest_response(&d, password, "", span_str(r->body), d.rspauth));
	ck_ok(digest_print_info(&d, text, sizeof text));
	fake_header(r, "Authentication-Info", text);
}

static inline void
center_tell(const struct http_call *c, const char *btid, struct fake_reply *r)
{
	const char *tag = http_header_get(c->headers, c->n_headers, "If-None-Match");
	struct uaxml_state s = { .lifetime = center.lifetime };
	size_t n = 0;

	r->status = center.older != NULL && strcmp(btid, center.older_btid) == 0 ? center.older_status : center.status;
	if (r->status != 200)
		return;
	if (tag != NULL && strcmp(tag, center.etag) == 0) {
		r->status = 304;
		return;
	}
	ck_ok(btid_parse(span_str(btid), &s.btid));
	ck_ok(device_id_parse(span_str(center.device_id), &s.device_id));
	ck_ok(uaxml_print_state(&s, r->body, sizeof r->body, &n));
	r->body[n] = '\0';
	if (center.etag[0] != '\0')
		fake_header(r, "ETag", center.etag);
}

static inline void
center_judge(const struct http_call *c, struct fake_reply *r)
{
	const char *h = http_header_get(c->headers, c->n_headers, "Authorization");
	const char *btid = http_header_get(c->headers, c->n_headers, profile.ua.btid_header);
	const char *device = http_header_get(c->headers, c->n_headers, profile.ua.device_id_header);
	const char *tag = http_header_get(c->headers, c->n_headers, "If-None-Match");
	struct secret *password;
	const char *bad = "";
	struct btid who;
	struct digest d;

	ck_assert_str_eq(c->method, "GET");
	ck_assert_ptr_nonnull(btid);
	ck_assert_ptr_nonnull(device);
	ck_assert_ptr_null(strchr(c->url, '?'));		/* N7: names travel in headers */
	(void)snprintf(center.device_id, sizeof center.device_id, "%s", device);
	(void)snprintf(center.if_none_match, sizeof center.if_none_match, "%s", tag != NULL ? tag : "");
	if (h == NULL) {
		center_challenge(r, false);
		return;
	}
	ck_ok(digest_parse_authorization(span_str(h), &d));
	ck_ok(digest_gba_form(&d, CENTER_FQDN, CENTER_URI, &who, &bad));
	ck_assert_str_eq(who.s, btid);
	ck_assert_str_eq(d.nonce, CENTER_NONCE);
	password = center_password(btid);
	if (digest_check(&d, password, "GET", c->body, d.response) != RC_OK) {
		center_challenge(r, false);
	} else if (center.stale > 0) {
		center.stale--;
		center_challenge(r, true);
	} else {
		center.judged++;
		center_tell(c, btid, r);
		if (center.proves)
			center_prove(&d, password, r);
	}
	secret_free(password);
}

static inline enum rc
center_send(void *ctx, const struct http_call *c, http_on_reply *fn, void *arg, struct http_flight **out)
{
	struct fake_bsf *b = ctx;
	struct http_flight *f, **last = center.held ? &center.waiting : &b->first;

	if (strncmp(c->url, "https://" CENTER_FQDN, strlen("https://" CENTER_FQDN)) != 0)
		return fake_send(ctx, c, fn, arg, out);
	f = calloc(1, sizeof *f);
	ck_assert_ptr_nonnull(f);
	f->fn = fn;
	f->arg = arg;
	center.requests++;
	(void)snprintf(center.url, sizeof center.url, "%s", c->url);
	(void)snprintf(center.dial, sizeof center.dial, "%s", c->dial != NULL ? c->dial : "");
	if (center.down)
		f->r.why = REASON_HTTP_UNREACHABLE;
	else
		center_judge(c, &f->r);
	if (center.twist != NULL)
		center.twist(center.requests, &f->r);
	while (*last != NULL)
		last = &(*last)->next;
	*last = f;
	*out = f;
	return RC_OK;
}

static inline void
center_cancel(void *ctx, struct http_flight *f)
{
	for (struct http_flight **p = &center.waiting; *p != NULL; p = &(*p)->next) {
		if (*p == f) {
			*p = f->next;
			free(f);
			return;
		}
	}
	fake_cancel(ctx, f);
}

/* Answers that were held leave. */
static inline void
center_release(void)
{
	struct http_flight **last = &rig.bsf.first;

	while (*last != NULL)
		last = &(*last)->next;
	*last = center.waiting;
	center.waiting = NULL;
	center.held = false;
	rig_run();
}

/* Behind rig_open(): the MT is told to ask there. */
static inline void
center_open(void)
{
	static const struct http_client_ops ops = { center_send, center_cancel };

	memset(&center, 0, sizeof center);
	center.status = 200;
	center.lifetime = RIG_NOW + 3600;
	center.proves = true;
	(void)snprintf(center.etag, sizeof center.etag, "\"1\"");
	rig.bsf.client.ops = &ops;
	rig.conf.n_centers = 1;
	ck_ok(naf_id_parse(span_str(RIG_NAF), &rig.conf.centers[0].naf_id));
	rig.conf.state_interval_s = 300;
}

#endif
