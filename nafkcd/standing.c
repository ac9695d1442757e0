#include "nafkcd/standing.h"

#include <string.h>

#include "common/timeguard.h"

/* A Device_ID that the public key does not have yet, or has no live key of: is there room for it? */
static enum reason
may_take(struct nafkc *k, const struct nafkc_ask *a, const struct nafkc_standing *s)
{
	int64_t others = 0;
	bool barred = false;

	/* who is blocked does not come back under a name that nobody has seen, nor under one that was listed for another */
	if (!s->device.bound && nafkc_store_barred(k->s.store, a->spki, &barred) != RC_OK)
		return REASON_INTERNAL;
	if (barred)
		return REASON_UA_BLOCKED;
	/* one that takes a new random Device_ID each time has many, but few of them live */
	if (nafkc_store_count_others(k->s.store, a->spki, &a->triple.device_id, timeguard_now(k->s.guard), &others) != RC_OK)
		return REASON_INTERNAL;
	return others >= (int64_t)k->conf.device_ids_max ? REASON_UA_DEVICE_IDS : REASON_NONE;
}

/* Its key of before, if it may have that again. */
static enum reason
find_key(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s)
{
	int64_t now_s = timeguard_now(k->s.guard);
	bool gone = false;
	enum rc rc = nafkc_store_get_key(k->s.store, &a->triple, now_s, &s->key, &s->ks_local_mt);

	if (rc == RC_OK) {
		if (nafkc_ending_has(k, s->key.issuer))
			return REASON_UA_REVOKED;	/* in this second or the next */
		s->has_key = true;
		return s->key.bound && memcmp(s->key.spki, a->spki, sizeof(a->spki)) != 0 ? REASON_UA_OTHER_KEY : REASON_NONE;
	}
	if (rc != RC_NOTFOUND && rc != RC_EXPIRED)
		return REASON_INTERNAL;
	/* N8: the same request would bring the same key back */
	s->expired = rc == RC_EXPIRED;
	if (nafkc_store_buried(k->s.store, &a->triple, now_s, &gone) != RC_OK)
		return REASON_INTERNAL;
	return gone ? REASON_UA_REVOKED : REASON_NONE;
}

enum reason
nafkc_standing_find(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s)
{
	enum nafkc_scope scope = NAFKC_SCOPE_DEVICE;
	enum reason why;
	enum rc rc;

	*s = (struct nafkc_standing){ .device.id = a->triple.device_id };
	if (timeguard_jumped(k->s.guard))
		return REASON_CLOCK_JUMPED;
	if ((rc = nafkc_store_find_block(k->s.store, &a->triple.device_id, a->spki, a->issuer, &scope)) != RC_NOTFOUND)
		return rc == RC_OK ? nafkc_policy_block(scope) : REASON_INTERNAL;
	rc = nafkc_store_get_device(k->s.store, &a->triple.device_id, &s->device);
	if (rc != RC_OK && rc != RC_NOTFOUND)
		return REASON_INTERNAL;
	s->known = rc == RC_OK;
	if ((why = nafkc_policy_device(k->conf.devices, s->known ? &s->device : NULL, a->spki)) != REASON_NONE)
		return why;
	if ((why = may_take(k, a, s)) != REASON_NONE)
		return why;
	return find_key(k, a, s);
}
