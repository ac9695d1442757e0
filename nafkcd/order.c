/* order: what the operator decides about devices and keys. Each order is one piece: all of it is written, with its audit, or nothing. */
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "nafkcd/core.h"
#include "nafkcd/store.h"

/* RC_OK: kept. */
static enum rc
end(struct nafkc *k, enum rc rc)
{
	enum rc rc2 = store_end(k->s.store, rc == RC_OK);

	return rc == RC_OK ? rc2 : rc;
}

/* --- devices */

static enum rc
write_device(struct nafkc *k, enum nafkc_order order, const struct nafkc_device *d, const struct nafkc_audit *row)
{
	struct nafkc_target t = { .scope = NAFKC_SCOPE_DEVICE, .triple.device_id = d->id };
	enum rc rc = nafkc_store_put_device(k->s.store, d);

	if (rc == RC_OK && order == NAFKC_REBIND)
		rc = nafkc_store_unbind_keys(k->s.store, &d->id);
	if (rc == RC_OK && order == NAFKC_ALLOW && (rc = nafkc_store_drop_block(k->s.store, &t)) == RC_NOTFOUND)
		rc = RC_OK;
	return rc == RC_OK ? nafkc_store_put_audit(k->s.store, row) : rc;
}

enum rc
nafkc_order_device(struct nafkc *k, enum nafkc_order order, const struct device_id *id, int64_t lifetime_max_s,
    struct nafkc_device *out)
{
	struct nafkc_device d = { .id = *id };
	struct nafkc_audit row = { .at_s = timeguard_now(k->s.guard), .reason = "", .device_id = id->s, .kcv = "", .subject = "",
	    .event = order == NAFKC_ALLOW ? "device-allowed" : "device-rebound" };
	enum rc rc = nafkc_store_get_device(k->s.store, id, &d);

	if (rc != RC_OK && (rc != RC_NOTFOUND || order == NAFKC_REBIND))
		return rc;
	if (order == NAFKC_REBIND)
		d.bound = false;
	else
		d.state = NAFKC_DEVICE_ALLOWED;
	if (order == NAFKC_ALLOW && lifetime_max_s >= 0)
		d.lifetime_max_s = lifetime_max_s;
	if ((rc = store_begin(k->s.store)) != RC_OK || (rc = end(k, write_device(k, order, &d, &row))) != RC_OK)
		return rc;
	if (order == NAFKC_REBIND)
		nafkc_kscache_drop(k->kscache);		/* N3 */
	log_info("keycenter: device_id=%s: %s", id->s, row.event);
	return nafkc_store_get_device(k->s.store, id, out);
}

/* --- keys */

/* They are gone from the store, and from its file soon; in memory there is nothing to make them again with (N3). */
static void
forget(struct nafkc *k, int64_t now_s, int64_t ends_s, int64_t n)
{
	metric_add(k->count.ended, n);
	nafkc_kscache_drop(k->kscache);
	if (ends_s > now_s)
		purge_expect(k->purge, ends_s);
	else
		purge_deleted(k->purge);
}

enum rc
nafkc_order_end(struct nafkc *k, const struct nafkc_target *t, int64_t ends_s, int64_t *n)
{
	int64_t now_s = timeguard_now(k->s.guard);
	bool limit = ends_s > now_s;
	enum rc rc;

	*n = 0;
	if ((rc = store_begin(k->s.store)) != RC_OK)
		return rc;
	rc = nafkc_store_end_keys(k->s.store, t, now_s, ends_s, limit ? "key-limited" : "key-invalidated", limit ? "limited" : "invalidated", n);
	if ((rc = end(k, rc)) != RC_OK)
		return rc;
	if (*n == 0)
		return RC_NOTFOUND;
	forget(k, now_s, ends_s, *n);
	log_info("keycenter: device_id=%s btid=%s: %lld keys %s", t->triple.device_id.s, t->triple.btid.s, (long long)*n,
	    limit ? "limited" : "invalidated");
	return RC_OK;
}

/* --- blocks */

static const char *const block_events[][2] = {
	[NAFKC_SCOPE_DEVICE] = { "device-blocked", "device-unblocked" },
	[NAFKC_SCOPE_SPKI] = { "key-blocked", "key-unblocked" },
	[NAFKC_SCOPE_ISSUER] = { "issuer-blocked", "issuer-unblocked" },
};

/* What a block is about: a device, by its row if there is one; a public key. */
static enum rc
about(struct nafkc *k, const struct nafkc_target *t, struct nafkc_device *d, struct nafkc_audit *row)
{
	enum rc rc;

	*d = (struct nafkc_device){ .id = t->triple.device_id };
	*row = (struct nafkc_audit){ .at_s = timeguard_now(k->s.guard), .reason = "", .device_id = d->id.s, .kcv = "", .subject = d->subject };
	if (t->scope != NAFKC_SCOPE_DEVICE) {
		row->spki = t->hash;
		return RC_OK;
	}
	if ((rc = nafkc_store_get_device(k->s.store, &d->id, d)) == RC_OK && d->bound)
		row->spki = d->spki;
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc
nafkc_order_block(struct nafkc *k, const struct nafkc_target *t, int64_t *n)
{
	int64_t now_s = timeguard_now(k->s.guard);
	struct nafkc_device d;
	struct nafkc_audit row;
	enum rc rc;

	*n = 0;
	if ((rc = about(k, t, &d, &row)) != RC_OK || (rc = store_begin(k->s.store)) != RC_OK)
		return rc;
	row.event = block_events[t->scope][0];
	if ((rc = nafkc_store_put_block(k->s.store, t, t->scope == NAFKC_SCOPE_DEVICE ? row.spki : NULL, now_s)) == RC_OK &&
	    (rc = nafkc_store_put_audit(k->s.store, &row)) == RC_OK)
		rc = t->scope == NAFKC_SCOPE_ISSUER ? nafkc_store_put_ending(k->s.store, t->hash)
		    : nafkc_store_end_keys(k->s.store, t, now_s, now_s, "key-invalidated", "blocked", n);
	if ((rc = end(k, rc)) != RC_OK)
		return rc;
	forget(k, now_s, now_s, *n);
	if (t->scope == NAFKC_SCOPE_ISSUER) {
		nafkc_ending_begin(k, t->hash);
		log_info("keycenter: %s", row.event);
		return RC_OK;
	}
	log_info("keycenter: %s%s: %s, %lld keys invalidated", t->scope == NAFKC_SCOPE_DEVICE ? "device_id=" : "", d.id.s, row.event, (long long)*n);
	return RC_OK;
}

enum rc
nafkc_order_unblock(struct nafkc *k, const struct nafkc_target *t)
{
	struct nafkc_device d;
	struct nafkc_audit row;
	enum rc rc;

	if (t->scope == NAFKC_SCOPE_ISSUER && nafkc_ending_has(k, t->hash))
		return RC_STATE;
	if ((rc = about(k, t, &d, &row)) != RC_OK || (rc = store_begin(k->s.store)) != RC_OK)
		return rc;
	row.event = block_events[t->scope][1];
	if ((rc = nafkc_store_drop_block(k->s.store, t)) == RC_OK)
		rc = nafkc_store_put_audit(k->s.store, &row);
	if ((rc = end(k, rc)) == RC_OK)
		log_info("keycenter: %s%s: %s", t->scope == NAFKC_SCOPE_DEVICE ? "device_id=" : "", d.id.s, row.event);
	return rc;
}
