#include "nafkcd/standing.h"

#include <string.h>

#include "common/timeguard.h"

/* A Device_ID that the public key does not have yet, or has no live key of: is there room for it? */
static enum reason
may_take(struct nafkc *k, const struct nafkc_ask *a, const struct nafkc_kept *kept)
{
	int64_t others = 0;
	bool barred = false;

	/* who is blocked does not come back under a name that nobody has seen, nor under one that was listed for another */
	if (!kept->device.bound && nafkc_store_barred(k->s.store, a->spki, &barred) != RC_OK)
		return REASON_INTERNAL;
	if (barred)
		return REASON_UA_BLOCKED;
	/* one that takes a new random Device_ID each time has many, but few of them live */
	if (nafkc_store_count_others(k->s.store, a->spki, &a->triple.device_id, timeguard_now(k->s.guard), &others) != RC_OK)
		return REASON_INTERNAL;
	return others >= (int64_t)k->conf.device_ids_max ? REASON_UA_DEVICE_IDS : REASON_NONE;
}

enum reason
nafkc_standing_find(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s)
{
	struct nafkc_kept *kept = &s->kept;
	enum reason why;
	bool its;

	*s = (struct nafkc_standing){ .ks_local_mt = NULL };
	if (timeguard_jumped(k->s.guard))
		return REASON_CLOCK_JUMPED;
	if (nafkc_store_look(k->s.store, &a->triple, a->spki, a->issuer, timeguard_now(k->s.guard), kept) != RC_OK)
		return REASON_INTERNAL;
	if (kept->blocked)
		return nafkc_policy_block(kept->scope);
	if ((why = nafkc_policy_device(k->conf.devices, kept->known ? &kept->device : NULL, a->spki)) != REASON_NONE)
		return why;
	its = kept->has_key && kept->key.bound && memcmp(kept->key.spki, a->spki, sizeof(a->spki)) == 0;
	if (!(its && kept->device.bound) && (why = may_take(k, a, kept)) != REASON_NONE)
		return why;
	if (kept->has_key && nafkc_ending_has(k, kept->key.issuer))
		return REASON_UA_REVOKED;	/* in this second or the next */
	if (kept->has_key && kept->key.bound && !its)
		return REASON_UA_OTHER_KEY;
	/* N8: the same request would bring the same key back */
	return kept->buried ? REASON_UA_REVOKED : REASON_NONE;
}
