/* standing: whether a device may have the key it asks for, before anybody else is asked (N1, N2, N8), and what is known of both. */
#ifndef NAFKCD_STANDING_H
#define NAFKCD_STANDING_H

#include "nafkcd/core.h"
#include "nafkcd/store.h"

struct nafkc_standing {
	struct nafkc_kept kept;
	struct secret *ks_local_mt;	/* once it is opened, or derived */
	bool changed;			/* the key's row is to be written again */
};

/*
 * Block list, admission, binding, room for one more Device_ID, the key of before or its tombstone, in that order; reads only.
 * s->ks_local_mt, NULL at first, is the caller's to free.
 * _CLOCK_JUMPED, _UA_BLOCKED, _UA_KEY_BLOCKED, _UA_ISSUER_BLOCKED, _UA_NOT_LISTED, _UA_OTHER_KEY, _UA_DEVICE_IDS, _UA_REVOKED, _INTERNAL.
 */
enum reason nafkc_standing_find(struct nafkc *k, const struct nafkc_ask *a, struct nafkc_standing *s) MUST_USE;

#endif
