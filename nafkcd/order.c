/* order: what the operator decides about devices. */
#include "common/log.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "nafkcd/core.h"
#include "nafkcd/store.h"

static const char *
apply(enum nafkc_order order, int64_t lifetime_max_s, struct nafkc_device *d)
{
	switch (order) {
	case NAFKC_ALLOW:
		d->state = NAFKC_DEVICE_ALLOWED;
		if (lifetime_max_s >= 0)
			d->lifetime_max_s = lifetime_max_s;
		return "device-allowed";
	case NAFKC_BLOCK:
		d->state = NAFKC_DEVICE_BLOCKED;
		return "device-blocked";
	default:
		d->bound = false;
		return "device-rebound";
	}
}

enum rc
nafkc_order_device(struct nafkc *k, enum nafkc_order order, const struct device_id *id, int64_t lifetime_max_s,
    struct nafkc_device *out)
{
	struct nafkc_device d = { .id = *id };
	struct nafkc_audit row = { .at_s = timeguard_now(k->s.guard), .reason = "", .device_id = id->s, .kcv = "", .subject = "" };
	enum rc rc = nafkc_store_get_device(k->s.store, id, &d), rc2;

	if (rc == RC_NOTFOUND && order != NAFKC_REBIND)
		rc = RC_OK;
	if (rc != RC_OK)
		return rc;
	row.event = apply(order, lifetime_max_s, &d);
	if ((rc = store_begin(k->s.store)) != RC_OK)
		return rc;
	if ((rc = nafkc_store_put_device(k->s.store, &d)) == RC_OK && order == NAFKC_REBIND)
		rc = nafkc_store_unbind_keys(k->s.store, id);
	if (rc == RC_OK)
		rc = nafkc_store_put_audit(k->s.store, &row);
	rc2 = store_end(k->s.store, rc == RC_OK);
	if (rc == RC_OK)
		rc = rc2;
	if (rc != RC_OK)
		return rc;
	if (order != NAFKC_ALLOW)
		nafkc_kscache_drop(k->kscache);		/* N3 */
	log_info("keycenter: device_id=%s: %s", id->s, row.event);
	*out = d;
	return RC_OK;
}
