#include "mtd/ub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest_aka.h"
#include "common/http.h"
#include "common/kdf.h"
#include "common/log.h"
#include "mtd/ub_msg.h"

#define DEADLINE_MS 60000	/* a whole run: a silent card must not keep everyone waiting */
#define BODY_MAX 65536

enum ub_state { UB_INITIAL, UB_CARD, UB_ANSWERED, UB_RESYNC };

struct mt_ub {
	struct mt_ub_env env;
	struct mt_ub_ask ask;
	mt_ub_fn *fn;
	void *arg;

	enum ub_state state;
	struct http_flight *flight;
	struct clock_timer *deadline;
	int64_t began_ms;
	char url[sizeof ((struct mt_ub_conf *)NULL)->url + FQDN_MAX];
	char uri[512];
	bool with_tmpi;			/* username is the TMPI */
	bool mac_retried, resynced, renonced;
	bool fresh;			/* the next request takes a new connection */

	struct digest d;		/* the challenge in hand, and our answer to it */
	uint8_t rand[AKA_RAND_LEN], autn[AKA_AUTN_LEN];
	struct secret *password, *ks;	/* ks NULL: in the UICC */
	struct mt_ub_result result;
};

static const char *const state_name[] = { "initial", "card", "answered", "resync" };

static enum rc ub_send(struct mt_ub *u);
static void on_reply(void *arg, const struct http_reply *r);

static void
ub_enter(struct mt_ub *u, enum ub_state s)
{
	log_debug("ub: impi=%s %s -> %s", u->ask.impi.s, state_name[u->state], state_name[s]);
	u->state = s;
}

static void
ub_free(struct mt_ub *u)
{
	http_cancel(u->env.http, u->flight);
	if (u->state == UB_CARD)
		u->env.card.cancel(u->env.card.ctx);
	clock_timer_free(u->deadline);
	secret_free(u->password);
	secret_free(u->ks);
	mt_ks_clear(&u->result.ks);
	free(u);
}

void
mt_ub_cancel(struct mt_ub *u)
{
	if (u != NULL)
		ub_free(u);
}

/* The one way out: tells how it went, and the run is gone. */
static void
ub_end(struct mt_ub *u, enum reason why, const char *detail)
{
	u->result.why = why;
	u->result.dur_us = (clock_mono_ms(u->env.clock) - u->began_ms) * 1000;
	(void)log_text(span_str(detail), u->result.detail, sizeof u->result.detail);
	if (why != REASON_NONE)
		log_reason(why, "ub: impi=%s bsf=%s state=%s: %s", u->ask.impi.s, u->ask.fqdn, state_name[u->state], u->result.detail);
	u->fn(u->arg, &u->result);
	ub_free(u);
}

static void
on_deadline(void *arg)
{
	struct mt_ub *u = arg;

	ub_end(u, u->state == UB_CARD ? REASON_UICC_FAILED : REASON_BSF_UNREACHABLE, "no answer within 60 s");
}

/* --- sending */

/* Who the request is from: the TMPI while it is believed in. */
static const char *
username(const struct mt_ub *u)
{
	return u->with_tmpi ? u->ask.tmpi : u->ask.impi.s;
}

static enum rc
ub_send(struct mt_ub *u)
{
	const struct mt_ub_conf *c = u->env.conf;
	char authorization[DIGEST_HEADER_MAX], date[MT_UB_DATE_LEN + 1];
	struct http_header h[4 + MT_UB_HEADERS_MAX] = {
		{ "User-Agent", c->user_agent }, { "Date", date }, { "Accept", "*/*" }, { "Authorization", authorization }
	};
	struct http_call call = {
		.method = "GET", .url = u->url, .dial = c->dial[0] != '\0' ? c->dial : NULL, .headers = h, .n_headers = 4,
		.body = span_str(""), .tls = c->tls, .timeout_ms = c->timeout_ms, .body_max = BODY_MAX, .fresh = u->fresh
	};
	enum rc rc;

	if ((rc = digest_print_authorization(&u->d, authorization, sizeof authorization)) != RC_OK)
		return rc;
	u->fresh = false;
	mt_ub_print_date(clock_now_s(u->env.clock), date);
	for (size_t i = 0; i < c->n_headers; i++)
		h[call.n_headers++] = (struct http_header){ c->headers[i].name, c->headers[i].value };
	return http_send(u->env.http, &call, on_reply, u, &u->flight);
}

/* From step 1: at the start, under the IMPI after the TMPI, and after a wrong MAC. */
static void
ub_again(struct mt_ub *u)
{
	ub_enter(u, UB_INITIAL);
	mt_ub_fill_initial(&u->d, username(u), u->ask.fqdn, u->uri);
	if (ub_send(u) != RC_OK)
		ub_end(u, REASON_INTERNAL, "the request could not be sent");
}

/* A refusal. Under a TMPI it may be the TMPI's alone: once more under the IMPI (ub.md 6). */
static void
ub_refuse(struct mt_ub *u, enum reason why, const char *detail)
{
	if (!u->with_tmpi) {
		ub_end(u, why, detail);
		return;
	}
	log_info("ub: impi=%s: refused under the TMPI (%s): again under the IMPI", u->ask.impi.s, reason_get(why)->code);
	u->with_tmpi = false;
	u->result.tmpi_refused = true;
	ub_again(u);
}

/* --- the card */

static enum rc
keep_keys(struct mt_ub *u, const struct mt_auth *a)
{
	enum rc rc;

	secret_free(u->password);
	secret_free(u->ks);
	u->password = u->ks = NULL;
	if ((rc = digest_password(u->d.alg, a->res, a->ck, a->ik, &u->password)) != RC_OK)
		return rc;
	if (a->ck == NULL || a->ik == NULL)
		return RC_OK;
	return secret_concat(a->ck, a->ik, &u->ks);	/* TS 33.220 4.5.2: Ks = CK || IK */
}

static void
answer(struct mt_ub *u, const struct mt_auth *a)
{
	bool sync = a->how == MT_AUTH_SYNC;
	enum rc rc = sync ? RC_OK : keep_keys(u, a);

	if (rc == RC_RANGE) {
		ub_enter(u, UB_INITIAL);
		ub_end(u, REASON_BSF_CHALLENGE, "AKAv2-MD5 needs CK and IK, which this card keeps");
		return;
	}
	if (rc == RC_OK)
		rc = mt_ub_fill_answer(&u->d, username(u), u->uri, u->env.rnd, sync ? NULL : u->password, sync ? a->auts : NULL);
	ub_enter(u, sync ? UB_RESYNC : UB_ANSWERED);
	if (rc == RC_OK)
		rc = ub_send(u);
	if (rc != RC_OK)
		ub_end(u, REASON_INTERNAL, "the answer to the challenge could not be made");
}

static void
on_card(void *arg, const struct mt_auth *a)
{
	struct mt_ub *u = arg;

	switch (a->how) {
	case MT_AUTH_OK:
		answer(u, a);
		return;
	case MT_AUTH_SYNC:
		if (u->resynced) {
			ub_enter(u, UB_RESYNC);
			ub_end(u, REASON_BSF_RESYNC, "AUTS a second time");
			return;
		}
		u->resynced = true;
		answer(u, a);
		return;
	case MT_AUTH_MAC:
		ub_enter(u, UB_INITIAL);
		u->fresh = true;	/* ub.md 6: not on the connection that brought it */
		if (u->mac_retried) {
			ub_end(u, a->mac, "MAC wrong");
			return;
		}
		u->mac_retried = true;	/* once in a run: a third open challenge would be one too many for many a BSF */
		if (u->with_tmpi) {
			ub_refuse(u, a->mac, "MAC wrong");
			return;
		}
		log_info("ub: impi=%s: the card finds AUTN's MAC wrong: once more from the start", u->ask.impi.s);
		ub_again(u);
		return;
	case MT_AUTH_FAILED:
		ub_enter(u, UB_INITIAL);
		ub_end(u, REASON_UICC_FAILED, a->detail != NULL ? a->detail : "");
		return;
	}
}

/* --- receiving */

static void
on_challenge(struct mt_ub *u, const struct http_reply *r)
{
	const char *bad;
	enum reason why = mt_ub_challenge(r, u->ask.fqdn, u->env.conf->tolerate, &u->d, u->rand, u->autn, &bad);

	if (why != REASON_NONE) {
		ub_refuse(u, why, why == REASON_BSF_REALM ? u->d.realm : bad);
		return;
	}
	u->result.challenged = true;
	ub_enter(u, UB_CARD);
	if (u->env.card.authenticate(u->env.card.ctx, u->rand, u->autn, on_card, u) != RC_OK) {
		ub_enter(u, UB_INITIAL);
		ub_end(u, REASON_UICC_FAILED, "no card to ask");
	}
}

/* A 401 to our response: only with stale=true is it a new try's (RFC 2617 3.2.1), once. */
static void
on_rejected(struct mt_ub *u, const struct http_reply *r)
{
	struct digest d;
	const char *h = http_header_get(r->headers, r->n_headers, "WWW-Authenticate");

	if (h != NULL && digest_parse_challenge(span_str(h), &d) == RC_OK && d.stale && !u->renonced) {
		u->renonced = true;
		on_challenge(u, r);
		return;
	}
	ub_refuse(u, REASON_BSF_RESPONSE, "401 to our response");
}

/* Both sent the token: both compute it (TS 33.220 B.4). */
static enum rc
make_tmpi(struct mt_ub *u, const struct http_reply *r)
{
	const char *host = strchr(u->result.ks.btid.s, '@') + 1;

	if (!mt_ub_has_token(u->env.conf->user_agent) || !mt_ub_has_token(http_header_get(r->headers, r->n_headers, "Server")))
		return RC_OK;
	if (u->ks == NULL) {
		u->result.tmpi_due = true;	/* GBA_U: the UICC derives it, as a NAF key */
		return RC_OK;
	}
	return kdf_tmpi(u->ks, u->rand, span_str(u->ask.impi.s), host, u->result.tmpi);
}

static void
on_done(struct mt_ub *u, const struct http_reply *r)
{
	const struct mt_ub_sent sent = { &u->d, u->password, u->rand, u->env.conf, &u->ask };
	char detail[MT_UB_DETAIL_MAX + 1];
	enum reason why = mt_ub_check_done(r, &sent, &u->result.ks, detail);

	if (why == REASON_NONE && make_tmpi(u, r) != RC_OK) {
		why = REASON_INTERNAL;
		(void)snprintf(detail, sizeof detail, "TMPI");
	}
	if (why != REASON_NONE) {
		ub_end(u, why, detail);
		return;
	}
	memcpy(u->result.ks.rand, u->rand, sizeof u->rand);
	u->result.ks.impi = u->ask.impi;
	u->result.ks.created = u->ask.now_s;
	u->result.ks.ks = u->ks;		/* ownership moves */
	u->ks = NULL;
	log_info("ub: impi=%s bootstrapped btid=%s", u->ask.impi.s, u->result.ks.btid.s);
	ub_end(u, REASON_NONE, "");
}

static void
on_reply(void *arg, const struct http_reply *r)
{
	struct mt_ub *u = arg;
	char detail[256];

	u->flight = NULL;
	if (r->status == 0) {
		(void)snprintf(detail, sizeof detail, "%s: %s", reason_get(r->why)->code, r->detail != NULL ? r->detail : "");
		ub_end(u, REASON_BSF_UNREACHABLE, detail);
		return;
	}
	(void)snprintf(detail, sizeof detail, "status %d", r->status);
	if (r->status == 503) {
		u->result.retry_after_s = mt_ub_retry_after(r);
		ub_end(u, REASON_BSF_BUSY, detail);
	} else if (r->status == 401 && u->state != UB_ANSWERED) {
		on_challenge(u, r);
	} else if (r->status == 401) {
		on_rejected(u, r);
	} else if (r->status == 200 && u->state == UB_ANSWERED) {
		on_done(u, r);
	} else if (r->status == 200) {
		ub_refuse(u, REASON_BSF_NO_CHALLENGE, "200 where a challenge is due");
	} else if (r->status >= 400 && r->status < 500) {
		ub_refuse(u, u->state == UB_INITIAL ? REASON_BSF_REFUSED : REASON_BSF_RESPONSE, detail);
	} else {
		ub_end(u, REASON_BSF_STATUS, detail);
	}
}

enum rc
mt_ub_start(const struct mt_ub_env *env, const struct mt_ub_ask *ask, mt_ub_fn *fn, void *arg, struct mt_ub **out)
{
	struct mt_ub *u = calloc(1, sizeof *u);
	enum rc rc = RC_NOMEM;

	if (u == NULL)
		return RC_NOMEM;
	u->env = *env;
	u->ask = *ask;
	u->fn = fn;
	u->arg = arg;
	u->with_tmpi = ask->tmpi[0] != '\0';
	u->began_ms = clock_mono_ms(env->clock);
	if (env->conf->url[0] != '\0')
		(void)snprintf(u->url, sizeof u->url, "%s", env->conf->url);
	else
		(void)snprintf(u->url, sizeof u->url, "http://%s/", ask->fqdn);
	if ((rc = mt_ub_uri(u->url, u->uri, sizeof u->uri)) != RC_OK)
		goto out;
	if ((rc = clock_timer_new(env->clock, on_deadline, u, &u->deadline)) != RC_OK)
		goto out;
	clock_timer_set(u->deadline, DEADLINE_MS);
	mt_ub_fill_initial(&u->d, username(u), u->ask.fqdn, u->uri);
	if ((rc = ub_send(u)) != RC_OK)
		goto out;
	*out = u;
	u = NULL;
out:
	if (u != NULL) {
		log_error("ub: no request can be made of %s: %s", u->url, rc_str(rc));
		ub_free(u);
	}
	return rc;
}
