/*
 * keycenter: the procedure behind one Key Request.                                   seed 8.3.1 steps 13–16; RULES N1, N2, K7
 *
 *	ask ── standing.c: block list, admission, binding, quota ── rate ──┬─ Ks_(ext)_NAF in memory ─┐
 *	                                                                   └─ zn.c: BIR … BIA ────────┴─ standing once more, lifetime,
 *	                                                                                                 derive, key + audit in one turn
 * Whoever is refused causes no Zn message and learns nothing about B-TIDs. Between BIR and BIA the world may change (a block, the
 * same Device_ID from another public key), so the checks run again before anything is written.
 *
 * A repeated request gets the same key with the lifetime that it had. The BSF is asked again all the same, once Ks_(ext)_NAF is
 * no longer in memory: whether this NAF may have this B-TID's keys is the BSF's to say each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kdf.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "common/timeguard.h"
#include "nafkcd/standing.h"

#include <utlist.h>

#define RETRY_S 2		/* where waiting helps and nobody knows how long */

struct nafkc_job {		/* a Key Request that waits for Zn */
	struct nafkc_job *prev, *next;
	struct nafkc *k;
	const struct nafkc_ask *ask;
	nafkc_on_verdict *fn;
	void *arg;
};

/* --- the answer */

static enum rc
audit(struct nafkc *k, const struct nafkc_ask *a, const char *event, enum reason why, const struct nafkc_key *key)
{
	struct nafkc_audit row = { .at_s = timeguard_now(k->s.guard), .event = event, .reason = why == REASON_NONE ? "" : reason_get(why)->code,
	    .device_id = a->triple.device_id.s, .triple = &a->triple, .kcv = "", .subject = a->subject, .spki = a->spki };

	if (key != NULL) {
		row.kcv = key->kcv;
		row.expires_s = key->expires_s;
	}
	return nafkc_store_put_audit(k->s.store, &row);
}

/* An audit row for a refusal that is meant for good. It is no reason to answer otherwise when it cannot be written. */
static void
audit_refusal(struct nafkc *k, const struct nafkc_ask *a, enum reason why)
{
	bool kept;

	if (store_begin(k->s.store) != RC_OK)
		return;
	kept = audit(k, a, "refused", why, NULL) == RC_OK;
	if (store_end(k->s.store, kept) != RC_OK || !kept)
		log_warn("keycenter: device_id=%s: the refusal is not in the audit", a->triple.device_id.s);
}

/* paid: its request took a token; else one is taken for the row, so that who is refused cannot fill the disk. */
static void
refuse(struct nafkc *k, const struct nafkc_ask *a, enum reason why, int64_t retry_after_s, bool paid, nafkc_on_verdict *fn, void *arg)
{
	int http = reason_get(why)->http;
	struct nafkc_verdict v = { .why = why, .retry_after_s = retry_after_s };
	int64_t ignored;

	if (v.retry_after_s == 0 && (http == 503 || http == 429))
		v.retry_after_s = RETRY_S;
	if (http == 403 &&
	    (paid || nafkc_rates_take(k->rates, a->spki, k->conf.rate_per_minute, clock_mono_ms(k->s.clock), &ignored)))
		audit_refusal(k, a, why);
	fn(arg, &v);
}

static enum reason
reason_of(enum rc rc)
{
	return rc == RC_OK ? REASON_NONE : REASON_INTERNAL;
}

/* --- what is written, all or nothing */

static enum nafkc_device_state
state_now(const struct nafkc *k, const struct nafkc_standing *s)
{
	return nafkc_policy_state(k->conf.devices, s->kept.known ? &s->kept.device : NULL);
}

/* Its row says so already. */
static bool
is_bound(const struct nafkc *k, const struct nafkc_ask *a, const struct nafkc_standing *s)
{
	return s->kept.device.bound && state_now(k, s) == s->kept.device.state && strcmp(s->kept.device.subject, a->subject) == 0;
}

/* The Device_ID is this public key's from now on (N2). */
static enum rc
bind_device(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s)
{
	bool bound = s->kept.device.bound;
	enum rc rc;

	if (is_bound(k, a, s))
		return RC_OK;
	s->kept.device.state = state_now(k, s);
	s->kept.device.bound = true;
	memcpy(s->kept.device.spki, a->spki, sizeof(s->kept.device.spki));
	snprintf(s->kept.device.subject, sizeof(s->kept.device.subject), "%s", a->subject);
	rc = nafkc_store_put_device(k->s.store, &s->kept.device);
	return rc != RC_OK || bound ? rc : audit(k, a, "device-bound", REASON_NONE, NULL);
}

static enum rc
write_key(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s)
{
	enum rc rc = s->kept.expired ? nafkc_store_drop_key(k->s.store, &a->triple) : RC_OK;

	if (rc == RC_OK)
		rc = nafkc_store_put_key(k->s.store, &s->kept.key, s->ks_local_mt);
	return rc;
}

/* What was last known of whom a key belongs to. */
static enum rc
rebind_key(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s)
{
	if (!s->changed)
		return RC_OK;
	s->kept.key.bound = true;
	memcpy(s->kept.key.spki, a->spki, sizeof(s->kept.key.spki));
	memcpy(s->kept.key.issuer, a->issuer, sizeof(s->kept.key.issuer));
	return nafkc_store_bind_key(k->s.store, &s->kept.key);
}

static enum rc
write_all(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s)
{
	bool audit_alone = s->kept.has_key && !s->changed && is_bound(k, a, s);
	enum rc rc = audit_alone ? store_begin_plain(k->s.store) : store_begin(k->s.store), rc2;

	if (rc != RC_OK)
		return rc;
	if (!s->kept.has_key)
		rc = write_key(k, a, s);
	else
		rc = rebind_key(k, a, s);
	if (rc == RC_OK)
		rc = bind_device(k, a, s);
	if (rc == RC_OK)
		rc = audit(k, a, s->kept.has_key ? "key-given-again" : "key-given", REASON_NONE, &s->kept.key);
	rc2 = store_end(k->s.store, rc == RC_OK);
	return rc == RC_OK ? rc2 : rc;
}

/* Step 15 of scenario 1. */
static void
trace(struct nafkc *k, const struct nafkc_ask *a, const struct nafkc_standing *s)
{
	char naf_id[NAF_ID_TEXT_MAX + 1];
	struct trace_event e = { .step = 15, .from = "nafkcd", .to = "nafkcd", .btid = a->triple.btid.s, .naf_id = naf_id,
	    .device_id = a->triple.device_id.s, .kcv = s->kept.key.kcv, .result = "ok",
	    .msg = s->kept.has_key ? "derive Ks_local_MT: the same again" : "derive and store Ks_local_MT" };

	naf_id_print(&a->triple.naf_id, naf_id);
	trace_emit(k->s.trace, &e);
}

static void
give(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s, nafkc_on_verdict *fn, void *arg)
{
	struct nafkc_verdict v = { .why = REASON_NONE, .ks_local_mt = s->ks_local_mt, .expires_s = s->kept.key.expires_s,
	    .mt_pseudonym = s->kept.key.mt_pseudonym };

	if (write_all(k, a, s) != RC_OK) {
		refuse(k, a, REASON_INTERNAL, 0, true, fn, arg);
		return;
	}
	purge_expect(k->purge, s->kept.key.expires_s);
	trace(k, a, s);
	memcpy(v.kcv, s->kept.key.kcv, sizeof(v.kcv));
	metric_add(k->count.keys, 1);
	fn(arg, &v);
}

/*
 * The triple has a key: the same again, with the lifetime that it had; never lengthened (7.2). Its pseudonym stays, too, and is made
 * anew for another public key, or when the BSF did not tell the IMPI before (K12).
 */
static enum reason
again(struct nafkc *k, const struct nafkc_ask *a, const struct nafkc_ks *ks, struct nafkc_standing *s)
{
	struct secret *derived = NULL;
	enum reason why = REASON_NONE;

	if (nafkc_store_open_key(k->s.store, &s->kept, &s->ks_local_mt) != RC_OK ||
	    kdf_ks_local_mt(ks->ks_naf, &a->triple, &derived) != RC_OK)
		return REASON_INTERNAL;
	if (!secret_eq(derived, s->ks_local_mt)) {
		log_warn("keycenter: btid=%s: the BSF gives another Ks_(ext)_NAF than before", a->triple.btid.s);
		why = REASON_ZN_BAD_ANSWER;
	} else if (s->kept.key.expires_s - timeguard_now(k->s.guard) < k->conf.ks_min_left_s)
		why = REASON_UA_KS_SHORT;
	else if (!s->kept.key.bound || s->kept.key.mt_pseudonym[0] == '\0') {
		s->changed = !s->kept.key.bound || ks->impi[0] != '\0';
		why = reason_of(nafkc_pseudonym(k->pseudonym_key, ks->impi, a->spki, s->kept.key.mt_pseudonym));
	}
	s->changed = s->changed || memcmp(s->kept.key.issuer, a->issuer, sizeof(a->issuer)) != 0;
	secret_free(derived);
	return why;
}

/* A key of that triple for the first time: how long, and which. */
static enum reason
derive(struct nafkc *k, const struct nafkc_ask *a, const struct nafkc_ks *ks, struct nafkc_standing *s)
{
	int64_t now_s = timeguard_now(k->s.guard);
	enum reason why;
	enum rc rc;

	s->kept.key = (struct nafkc_key){ .triple = a->triple, .issued_s = now_s, .ks_expires_s = ks->expires_s, .bound = true };
	memcpy(s->kept.key.spki, a->spki, sizeof(s->kept.key.spki));
	memcpy(s->kept.key.issuer, a->issuer, sizeof(s->kept.key.issuer));
	why = nafkc_policy_lifetime(now_s, ks->expires_s, k->conf.ks_min_left_s, k->conf.key_lifetime_max_s, s->kept.device.lifetime_max_s,
	    &s->kept.key.expires_s);
	if (why != REASON_NONE)
		return why;
	if ((rc = kdf_ks_local_mt(ks->ks_naf, &a->triple, &s->ks_local_mt)) == RC_OK &&
	    (rc = secret_kcv(s->ks_local_mt, s->kept.key.kcv)) == RC_OK)
		rc = nafkc_pseudonym(k->pseudonym_key, ks->impi, a->spki, s->kept.key.mt_pseudonym);
	return reason_of(rc);
}

static void
give_from(struct nafkc *k, const struct nafkc_ask *a, const struct nafkc_ks *ks, struct nafkc_standing *s, nafkc_on_verdict *fn, void *arg)
{
	enum reason why = s->kept.has_key ? again(k, a, ks, s) : derive(k, a, ks, s);

	if (why != REASON_NONE)
		refuse(k, a, why, 0, true, fn, arg);
	else
		give(k, a, s, fn, arg);
}

/* --- Zn */

static void
on_ks(void *arg, enum reason why, const struct nafkc_ks *ks)
{
	struct nafkc_job *j = arg;
	struct nafkc *k = j->k;
	struct nafkc_standing s = { .ks_local_mt = NULL };

	DL_DELETE(k->jobs, j);
	if (why == REASON_NONE)
		why = nafkc_standing_find(k, j->ask, &s);
	if (why != REASON_NONE)
		refuse(k, j->ask, why, 0, true, j->fn, j->arg);
	else
		give_from(k, j->ask, ks, &s, j->fn, j->arg);
	secret_free(s.ks_local_mt);
	free(j);
}

static void
ask_zn(struct nafkc *k, const struct nafkc_ask *a, nafkc_on_verdict *fn, void *arg)
{
	struct nafkc_job *j = calloc(1, sizeof(*j));
	enum rc rc = RC_NOMEM;

	if (j != NULL) {
		*j = (struct nafkc_job){ .k = k, .ask = a, .fn = fn, .arg = arg };
		DL_APPEND(k->jobs, j);
		if ((rc = nafkc_zn_ask(k->zn, &a->triple.btid, &a->triple.naf_id, on_ks, j)) == RC_OK)
			return;
		DL_DELETE(k->jobs, j);
		free(j);
	}
	refuse(k, a, rc == RC_LIMIT ? REASON_OVERLOAD : REASON_INTERNAL, 0, true, fn, arg);
}

void
nafkc_keycenter_ask(struct nafkc *k, const struct nafkc_ask *a, nafkc_on_verdict *fn, void *arg)
{
	int64_t retry_after_s = 0;
	const struct nafkc_ks *ks;
	struct nafkc_standing s;
	enum reason why = nafkc_standing_find(k, a, &s);

	if (why == REASON_NONE &&
	    !nafkc_rates_take(k->rates, a->spki, k->conf.rate_per_minute, clock_mono_ms(k->s.clock), &retry_after_s))
		why = REASON_UA_RATE;
	if (why != REASON_NONE)
		refuse(k, a, why, retry_after_s, false, fn, arg);
	else if ((ks = nafkc_kscache_get(k->kscache, &a->triple.btid, &a->triple.naf_id, timeguard_now(k->s.guard))) != NULL)
		give_from(k, a, ks, &s, fn, arg);
	else
		ask_zn(k, a, fn, arg);
	secret_free(s.ks_local_mt);
}

void
nafkc_keycenter_free(struct nafkc *k)
{
	struct nafkc_job *j, *next;

	DL_FOREACH_SAFE(k->jobs, j, next) {
		DL_DELETE(k->jobs, j);
		refuse(k, j->ask, REASON_STOPPING, 0, true, j->fn, j->arg);
		free(j);
	}
}
