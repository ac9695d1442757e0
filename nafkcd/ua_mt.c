/*
 * ua_mt: the second Ua port: an MT asks for the state of a key that it shares with a device.    RULES N7; TS 33.222 5.3; TS 24.109 5.3.2
 *
 *	MT                                                 NAF Key Center
 *	 | TLS, the server's certificate alone ----------> |
 *	 | GET /keycentre/v1/key-state ------------------> |  X-KSLocal-Device-ID, If-None-Match as on the first port
 *	 | <------------------- 401, realm 3GPP-bootstrapping@FQDN
 *	 | GET, Authorization: Digest username = B-TID --> |  its nonce; a key for that B-TID in the store; rates; then only
 *	 |                                                 |  Ks_(ext)_NAF, from memory or by one BIR (zn.c), never stored
 *	 | <------- 200, 304, 404, 410; Authentication-Info|  about keys of that B-TID alone
 *
 * Whoever has no Ks_(ext)_NAF learns nothing: an unknown B-TID and a wrong response are one 401. A stranger causes no Zn message for
 * a B-TID that no key was given for, and at most rate_per_minute for one whose name he knows.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/profile.h"
#include "common/timeguard.h"
#include "nafkcd/auth.h"
#include "nafkcd/call.h"
#include "nafkcd/store.h"

#include <utlist.h>

#define ADDRESS_FACTOR 10	/* many MTs may come by one address */
#define RETRY_S 2

/* A 401 with a fresh challenge. Its body is the same whatever was wrong; the log knows. */
static void
challenge(struct nafkc_call *c, enum reason why)
{
	const char *text = reason_get(REASON_UA_MT_CHALLENGE)->next;

	if (nafkc_auth_challenge(c->auth, c->k->nonces, c->ask.triple.naf_id.fqdn, why == REASON_UA_MT_NONCE) != RC_OK) {
		nafkc_call_refuse(c, REASON_INTERNAL, NULL, 1);
	} else if (why == REASON_UA_MT_CHALLENGE) {	/* how each exchange begins */
		nafkc_call_put_error(c, why, text, 0);
		nafkc_call_answer(c);
	} else {
		nafkc_call_refuse(c, why, text, 0);
	}
}

static bool
paid(struct nafkc_call *c, struct nafkc_rates *rates, struct span who, unsigned per_minute)
{
	int64_t retry_after_s = 0;
	uint8_t name[32];

	if (EVP_Digest(who.p, who.n, name, NULL, EVP_sha256(), NULL) != 1) {
		nafkc_call_refuse(c, REASON_INTERNAL, NULL, 1);
		return false;
	}
	if (nafkc_rates_take(rates, name, per_minute, clock_mono_ms(c->k->s.clock), &retry_after_s))
		return true;
	nafkc_call_refuse(c, REASON_UA_MT_RATE, NULL, retry_after_s);
	return false;
}

/* --- in */

/* c->auth->d and the B-TID are there, or it was answered. */
static bool
take_authorization(struct nafkc_call *c)
{
	const struct http_request *q = c->x->req;
	const char *value = nafkc_call_header(c, "Authorization"), *bad = "Authorization";
	struct digest *d = &c->auth->d;
	struct btid asked = c->ask.triple.btid;
	char text[64];
	enum rc rc;

	if (value == NULL) {
		challenge(c, REASON_UA_MT_CHALLENGE);
		return false;
	}
	rc = http_header_count(q->headers, q->n_headers, "Authorization") > 1 ? RC_SYNTAX : digest_parse_authorization(span_str(value), d);
	if (rc == RC_NOTFOUND) {	/* another scheme */
		challenge(c, REASON_UA_MT_CHALLENGE);
		return false;
	}
	if (rc == RC_OK)
		rc = digest_gba_form(d, c->ask.triple.naf_id.fqdn, q->path, &c->ask.triple.btid, &bad);
	if (rc != RC_OK) {
		snprintf(text, sizeof(text), "Authorization: %s", strcmp(bad, "Authorization") == 0 ? "does not match its form" : bad);
		nafkc_call_refuse(c, REASON_UA_BAD_REQUEST, text, 0);
		return false;
	}
	c->auth->other = asked.s[0] != '\0' && strcmp(asked.s, c->ask.triple.btid.s) != 0;
	return true;
}

/* All that costs neither Zn nor a derivation. */
static bool
may_go_on(struct nafkc_call *c)
{
	struct nafkc *k = c->k;
	struct span address = span_str(c->ask.peer), host;
	struct nafkc_state s;
	bool known = false;
	enum rc rc;

	if (timeguard_jumped(k->s.guard)) {
		nafkc_call_refuse(c, REASON_CLOCK_JUMPED, NULL, RETRY_S);
		return false;
	}
	if (!nafkc_nonce_good(k->nonces, c->auth->d.nonce)) {
		challenge(c, REASON_UA_MT_NONCE);
		return false;
	}
	if (!span_upto_last(&address, ':', &host))
		host = address;
	if (!paid(c, k->address_rates, host, k->conf.rate_per_minute * ADDRESS_FACTOR))
		return false;
	rc = nafkc_state_find(c, &s);		/* which NAF_ID; what else it tells is for later */
	known = rc == RC_OK;
	if (rc == RC_NOTFOUND)
		rc = nafkc_store_knows_btid(k->s.store, &c->ask.triple.naf_id, &c->ask.triple.btid, timeguard_now(k->s.guard), &known);
	if (rc != RC_OK)
		nafkc_call_refuse(c, REASON_INTERNAL, NULL, 1);
	else if (!known)
		challenge(c, REASON_UA_MT_BTID);
	return rc == RC_OK && known;
}

/* --- with Ks_(ext)_NAF */

static void
judge(struct nafkc_call *c, const struct nafkc_ks *ks)
{
	struct nafkc *k = c->k;
	const struct http_request *q = c->x->req;
	struct digest *d = &c->auth->d;
	struct secret *password = NULL;
	struct nafkc_state s = { .gone = false };
	enum rc rc;

	if ((rc = digest_gba_password(ks->ks_naf, &password)) == RC_OK)
		rc = digest_check(d, password, q->method, q->body, d->response);
	if (rc != RC_OK) {
		secret_free(password);
		if (rc == RC_DENIED)
			challenge(c, REASON_UA_MT_RESPONSE);
		else
			nafkc_call_refuse(c, REASON_INTERNAL, NULL, 1);
		return;
	}
	c->auth->password = password;
	if (!nafkc_nonce_use(k->nonces, d->nonce, d->nc)) {
		challenge(c, REASON_UA_MT_NONCE);
		return;
	}
	rc = c->auth->other ? RC_NOTFOUND : nafkc_store_state(k->s.store, &c->ask.triple, timeguard_now(k->s.guard), &s);
	s.gone = s.gone || (rc == RC_OK && nafkc_ending_has(k, s.issuer));
	nafkc_state_tell(c, rc, &s);
}

static void
on_ks(void *arg, enum reason why, const struct nafkc_ks *ks)
{
	struct nafkc_call *c = arg;

	c->auth->waits = false;
	if (why == REASON_NONE)
		judge(c, ks);
	else if (why == REASON_ZN_BTID_INVALID)
		challenge(c, REASON_UA_MT_EXPIRED);	/* TS 24.109 5.2.5 */
	else
		nafkc_call_refuse(c, why, NULL, reason_get(why)->http == 503 ? RETRY_S : 0);
}

static void
ask_zn(struct nafkc_call *c)
{
	struct nafkc *k = c->k;
	enum rc rc;

	if (!paid(c, k->btid_rates, span_str(c->ask.triple.btid.s), k->conf.rate_per_minute))
		return;
	if ((rc = nafkc_zn_ask(k->zn, &c->ask.triple.btid, &c->ask.triple.naf_id, on_ks, c)) == RC_OK)
		c->auth->waits = true;
	else
		nafkc_call_refuse(c, rc == RC_LIMIT ? REASON_OVERLOAD : REASON_INTERNAL, NULL, RETRY_S);
}

void
nafkc_on_ua_mt(struct http_xchg *x, void *nafkc)
{
	struct nafkc *k = nafkc;
	struct nafkc_call *c = nafkc_call_new(k, x);
	const struct nafkc_ks *ks;

	if ((c->auth = calloc(1, sizeof(*c->auth))) == NULL)
		log_fatal("ua_mt: out of memory with a request waiting");
	if (strcmp(x->req->path, profile.ua.state_path) != 0) {
		nafkc_call_refuse(c, REASON_UA_NOT_FOUND, NULL, 0);
		return;
	}
	if (!nafkc_state_form(c, false) || !take_authorization(c) || !may_go_on(c))
		return;
	ks = nafkc_kscache_get(k->kscache, &c->ask.triple.btid, &c->ask.triple.naf_id, timeguard_now(k->s.guard));
	if (ks != NULL)
		judge(c, ks);
	else
		ask_zn(c);
}

void
nafkc_ua_mt_free(struct nafkc *k)
{
	struct nafkc_call *c;

	DL_FOREACH(k->calls, c)
		if (c->auth != NULL && c->auth->waits) {
			c->auth->waits = false;
			nafkc_call_refuse(c, REASON_STOPPING, NULL, RETRY_S);
		}
}
