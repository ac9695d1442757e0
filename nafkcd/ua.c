/*
 * ua: Key Requests over HTTPS, the Key Center's end.             ts33259.md 7; ua-33222.md 2; seed 8.3.1 steps 11, 12, 16; W4
 *
 *	device                                             NAF Key Center
 *	 | TLS, certificates on both sides --------------> |  http_server: the chain is judged in the handshake and at each request
 *	 | POST /keycentre/v1/key-request, XML ----------> |  404 405 415 400: its form; then keycenter.c
 *	 | <------------------- 200 keyResponse, no-store  |  key and audit row are on disk by then
 *	 |                      or a keyError              |  403 refused | bootstrap-again, 429, 503 with Retry-After
 *	 | GET /keycentre/v1/key-state ------------------> |  state.c
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/profile.h"
#include "nafkcd/call.h"

/* --- out */

/* Step 16 of scenario 1. */
static void
trace(const struct nafkc_call *c, const char *msg, const char *kcv, const char *result)
{
	char naf_id[NAF_ID_TEXT_MAX + 1] = "";
	struct trace_event e = { .step = 16, .from = "nafkcd", .to = "extdevd", .msg = msg, .btid = c->ask.triple.btid.s, .naf_id = naf_id,
	    .device_id = c->ask.triple.device_id.s, .kcv = kcv, .result = result,
	    .dur_us = (clock_mono_ms(c->k->s.clock) - c->began_ms) * 1000 };

	if (c->ask.triple.naf_id.fqdn[0] != '\0')
		naf_id_print(&c->ask.triple.naf_id, naf_id);
	trace_emit(c->k->s.trace, &e);
}

/* text NULL: the reason's own. */
static void
refuse(struct nafkc_call *c, enum reason why, const char *text, int64_t retry_after_s)
{
	const struct reason_info *i = reason_get(why);
	char msg[48];

	snprintf(msg, sizeof(msg), "%d %s", i->http, i->ua != NULL ? i->ua : "");
	trace(c, msg, NULL, i->code);
	nafkc_call_refuse(c, why, text, retry_after_s);
}

static void
on_verdict(void *arg, const struct nafkc_verdict *v)
{
	struct nafkc_call *c = arg;
	struct uaxml_response r = { .btid = c->ask.triple.btid, .device_id = c->ask.triple.device_id, .lifetime = v->expires_s };
	char page[UAXML_MAX], expires[UTC_TEXT_LEN + 1], naf_id[NAF_ID_TEXT_MAX + 1];
	size_t n = 0;
	bool made;

	if (v->why != REASON_NONE) {
		refuse(c, v->why, NULL, v->retry_after_s);
		return;
	}
	snprintf(r.mt_pseudonym, sizeof(r.mt_pseudonym), "%s", v->mt_pseudonym);
	made = secret_dup(v->ks_local_mt, &r.ks_local_mt) == RC_OK && uaxml_print_response(&r, page, sizeof(page), &n) == RC_OK &&
	    nafkc_call_set_body(c, page, n);
	secret_free(r.ks_local_mt);
	OPENSSL_cleanse(page, made ? n : sizeof(page));
	if (!made) {
		refuse(c, REASON_INTERNAL, NULL, 1);
		return;
	}
	c->status = 200;
	clock_print_utc(v->expires_s, expires);
	naf_id_print(&c->ask.triple.naf_id, naf_id);
	log_info("ua: peer=%s subject=\"%s\" device_id=%s btid=%s naf_id=%s kcv=%s expires=%s: key given", c->ask.peer, c->ask.subject,
	    c->ask.triple.device_id.s, c->ask.triple.btid.s, naf_id, v->kcv, expires);
	trace(c, "Key Response", v->kcv, "ok");
	nafkc_call_answer(c);
}

size_t
nafkc_refusal_body(enum reason why, char *out, size_t cap)
{
	size_t n = 0;

	return uaxml_print_error(why, NULL, out, cap, &n) == RC_OK ? n : 0;
}

/* --- in */

/* The Key Request's media type; parameters, charset above all, are not looked at: XML says its own, and it is UTF-8 here. */
static bool
media_ok(const struct http_request *q)
{
	const char *type = http_header_get(q->headers, q->n_headers, "Content-Type");
	struct span in = span_str(type), head;

	if (span_upto(&in, ';', &head))
		in = head;
	return type != NULL && span_eq_nocase(span_trim(in), profile.ua.media_type);
}

/* Certificate first (N1): it was good at this request, or the server had not let it through. */
static bool
take_peer(struct nafkc_call *c)
{
	const struct http_peer *p = c->x->req->peer;

	if (!p->has_cert) {
		refuse(c, REASON_UA_NO_CERTIFICATE, NULL, 0);
		return false;
	}
	memcpy(c->ask.spki, p->spki_sha256, sizeof(c->ask.spki));
	memcpy(c->ask.issuer, p->issuer_sha256, sizeof(c->ask.issuer));
	c->ask.subject = p->subject;
	return true;
}

static bool
take_route(struct nafkc_call *c)
{
	const struct http_request *q = c->x->req;

	if (strcmp(q->path, profile.ua.path) != 0)
		refuse(c, REASON_UA_NOT_FOUND, NULL, 0);
	else if (strcmp(q->method, "POST") != 0) {
		c->allow = "POST";
		refuse(c, REASON_UA_METHOD, NULL, 0);
	} else if (!media_ok(q))
		refuse(c, REASON_UA_MEDIA_TYPE, NULL, 0);
	else
		return true;
	return false;
}

static bool
take_body(struct nafkc_call *c)
{
	const struct http_request *q = c->x->req;
	struct uaxml_request r;
	const char *bad = NULL;
	char text[128];
	size_t which;
	enum rc rc = uaxml_parse_request(q->body, &r, &bad);

	if (rc == RC_NOMEM) {
		refuse(c, REASON_INTERNAL, NULL, 1);
		return false;
	}
	if (rc != RC_OK) {
		snprintf(text, sizeof(text), "%s: %s", bad, rc == RC_RANGE ? "too long" : "does not match its form");
		refuse(c, REASON_UA_BAD_REQUEST, text, 0);
		return false;
	}
	c->ask.triple.btid = r.btid;
	c->ask.triple.device_id = r.device_id;
	if (nafkc_policy_naf(c->k->conf.naf_ids, c->k->conf.n_naf_ids, &r, http_header_get(q->headers, q->n_headers, "Host"), &which) !=
	    REASON_NONE) {
		refuse(c, REASON_UA_NAF_UNKNOWN, NULL, 0);
		return false;
	}
	c->ask.triple.naf_id = c->k->conf.naf_ids[which];
	return true;
}

void
nafkc_on_ua(struct http_xchg *x, void *nafkc)
{
	struct nafkc *k = nafkc;
	struct nafkc_call *c = nafkc_call_new(k, x);

	if (!take_peer(c))
		return;
	if (strcmp(x->req->path, profile.ua.state_path) == 0)
		nafkc_state_ask(c);
	else if (take_route(c) && take_body(c))
		nafkc_keycenter_ask(k, &c->ask, on_verdict, c);
}
