/*
 * state: is the key that I hold still good, and until when?                                                 RULES N7; seed 7.2
 *
 *	device, or MT                                      NAF Key Center
 *	 | GET /keycentre/v1/key-state ------------------> |  X-KSLocal-BTID, X-KSLocal-Device-ID: never in the URL, which is logged
 *	 |     If-None-Match: "…"                          |  Host: which NAF_ID
 *	 | <------------------- 200 keyState, ETag         |  the lifetime as it is now, never the key
 *	 | <------------------- 304                        |  nothing changed
 *	 | <------------------- 404                        |  unknown, or somebody else's, or over: keep it, ask again
 *	 | <------------------- 410 gone                   |  revoked: delete it
 *
 * Cheap, since it comes at an interval from everybody: one read by index, nothing written, nobody else asked.
 *
 * A device: certificate, block list, ownership (N1). Who is blocked is refused with 403 as everywhere, except that it hears 410
 * about a key of its own: it must learn that the key is gone, and a block takes the key.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/profile.h"
#include "common/timeguard.h"
#include "nafkcd/call.h"
#include "nafkcd/store.h"

/* --- the form */

static bool
take_names(struct nafkc_call *c, bool name_btid)
{
	const char *btid = nafkc_call_header(c, profile.ua.btid_header), *device = nafkc_call_header(c, profile.ua.device_id_header);
	char text[96];

	if (btid == NULL ? name_btid : btid_parse(span_str(btid), &c->ask.triple.btid) != RC_OK)
		snprintf(text, sizeof(text), "%s: %s", profile.ua.btid_header, btid == NULL ? "is missing" : "does not match its form");
	else if (device == NULL || device_id_parse(span_str(device), &c->ask.triple.device_id) != RC_OK)
		snprintf(text, sizeof(text), "%s: %s", profile.ua.device_id_header, device == NULL ? "is missing" : "does not match its form");
	else
		return true;
	nafkc_call_refuse(c, REASON_UA_BAD_REQUEST, text, 0);
	return false;
}

bool
nafkc_state_form(struct nafkc_call *c, bool name_btid)
{
	static const struct uaxml_request none = { .has_fqdn = false };
	const struct nafkc *k = c->k;
	size_t which;

	if (strcmp(c->x->req->method, "GET") != 0) {
		c->allow = "GET";
		nafkc_call_refuse(c, REASON_UA_METHOD, NULL, 0);
		return false;
	}
	if (!take_names(c, name_btid))
		return false;
	if (nafkc_policy_naf(k->conf.naf_ids, k->conf.n_naf_ids, &none, nafkc_call_header(c, "Host"), &which) != REASON_NONE) {
		nafkc_call_refuse(c, REASON_UA_NAF_UNKNOWN, NULL, 0);
		return false;
	}
	c->ask.triple.naf_id = k->conf.naf_ids[which];
	return true;
}

/* --- the answer */

enum rc
nafkc_state_find(struct nafkc_call *c, struct nafkc_state *out)
{
	const struct nafkc *k = c->k;
	struct triple t = c->ask.triple;
	enum rc rc = RC_NOTFOUND;

	/* Host names no protocol octets */
	for (size_t i = 0; i < k->conf.n_naf_ids && rc == RC_NOTFOUND; i++) {
		if (strcmp(k->conf.naf_ids[i].fqdn, c->ask.triple.naf_id.fqdn) != 0)
			continue;
		t.naf_id = k->conf.naf_ids[i];
		rc = nafkc_store_state(k->s.store, &t, timeguard_now(k->s.guard), out);
	}
	if (rc == RC_OK) {
		c->ask.triple = t;
		out->gone = out->gone || nafkc_ending_has(k, out->issuer);
	}
	return rc;
}

/* Opaque; another lifetime makes another one, a restart does not. RC_CRYPTO. */
static enum rc
make_etag(const struct triple *t, int64_t expires_s, char out[static NAFKC_ETAG_LEN + 1])
{
	char text[NAF_ID_TEXT_MAX + BTID_MAX + DEVICE_ID_MAX + 32], naf_id[NAF_ID_TEXT_MAX + 1], hex[17];
	uint8_t md[32];
	int n;

	naf_id_print(&t->naf_id, naf_id);
	n = snprintf(text, sizeof(text), "%s %s %s %lld", naf_id, t->btid.s, t->device_id.s, (long long)expires_s);
	if (EVP_Digest(text, (size_t)n, md, NULL, EVP_sha256(), NULL) != 1)
		return RC_CRYPTO;
	hex_print(span_of(md, 8), hex);
	snprintf(out, NAFKC_ETAG_LEN + 1, "\"%s\"", hex);
	return RC_OK;
}

static void
tell_live(struct nafkc_call *c, int64_t expires_s)
{
	const struct http_request *q = c->x->req;
	char page[UAXML_MAX];
	size_t n = 0;
	struct uaxml_state st = { .btid = c->ask.triple.btid, .device_id = c->ask.triple.device_id, .lifetime = expires_s };

	if (make_etag(&c->ask.triple, expires_s, c->etag) != RC_OK || uaxml_print_state(&st, page, sizeof(page), &n) != RC_OK ||
	    !nafkc_call_set_body(c, page, n)) {
		nafkc_call_refuse(c, REASON_INTERNAL, NULL, 1);
		return;
	}
	metric_add(c->k->count.states, 1);
	c->status = 200;
	if (http_etag_known(q->headers, q->n_headers, c->etag)) {
		c->status = 304;
		c->n = 0;
	}
	log_debug("ua: peer=%s device_id=%s btid=%s: %d key state", c->ask.peer, c->ask.triple.device_id.s, c->ask.triple.btid.s, c->status);
	nafkc_call_answer(c);
}

void
nafkc_state_tell(struct nafkc_call *c, enum rc rc, const struct nafkc_state *s)
{
	if (rc == RC_NOTFOUND)
		nafkc_call_refuse(c, REASON_UA_KEY_UNKNOWN, NULL, 0);
	else if (rc != RC_OK)
		nafkc_call_refuse(c, REASON_INTERNAL, NULL, 1);
	else if (s->gone)
		nafkc_call_refuse(c, REASON_UA_KEY_GONE, NULL, 0);
	else
		tell_live(c, s->expires_s);
}

void
nafkc_state_ask(struct nafkc_call *c)
{
	struct nafkc *k = c->k;
	enum nafkc_scope scope = NAFKC_SCOPE_DEVICE;
	struct nafkc_state s = { .gone = false };
	enum rc rc, blocked;

	if (!nafkc_state_form(c, true))
		return;
	if (timeguard_jumped(k->s.guard)) {
		nafkc_call_refuse(c, REASON_CLOCK_JUMPED, NULL, 2);
		return;
	}
	blocked = nafkc_store_find_block(k->s.store, &c->ask.triple.device_id, c->ask.spki, c->ask.issuer, &scope);
	rc = nafkc_state_find(c, &s);
	/* after a rebind the next public key that comes may have the key itself, and so its state, too */
	if (rc == RC_OK && s.owned && memcmp(s.spki, c->ask.spki, sizeof(s.spki)) != 0)
		rc = RC_NOTFOUND;
	if (blocked == RC_OK && rc == RC_NOTFOUND)
		nafkc_call_refuse(c, nafkc_policy_block(scope), NULL, 0);
	else if (blocked == RC_OK || blocked == RC_NOTFOUND) {
		s.gone = s.gone || blocked == RC_OK;
		c->close = blocked == RC_OK;
		nafkc_state_tell(c, rc, &s);
	} else
		nafkc_call_refuse(c, REASON_INTERNAL, NULL, 1);
}
