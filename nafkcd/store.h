/*
 * store: what the Key Center keeps: keys, devices, audit (ARCHITECTURE 5), as verbs over common/store.h.
 * Writes belong between store_begin and store_end of the caller. Reads give copies.
 *
 * Everywhere: RC_IO, the database failed (logged); RC_NOMEM; RC_DENIED, a sealed value is not from this store and place.
 */
#ifndef NAFKCD_STORE_H
#define NAFKCD_STORE_H

#include <jansson.h>

#include "common/device_id.h"
#include "common/secret.h"
#include "nafkcd/policy.h"

/* --- keys                                                                                     seed 7.4, 8.3.1 step 15 */

struct nafkc_key {
	struct triple triple;
	char kcv[KCV_LEN + 1];
	int64_t issued_s, expires_s;
	bool bound;		/* false after a rebind: the next public key that may have the Device_ID gets it */
	uint8_t spki[32];	/* of the public key that got it (N2) */
};
/* RC_EXISTS: the triple has a live or expired row; see nafkc_store_drop_key. */
enum rc nafkc_store_put_key(struct store *st, const struct nafkc_key *k, const struct secret *ks_local_mt) MUST_USE;
/* RC_NOTFOUND, RC_EXPIRED (T1: from the moment of its expiry). Caller frees *ks_local_mt. */
enum rc nafkc_store_get_key(struct store *st, const struct triple *t, int64_t now_s, struct nafkc_key *out, struct secret **ks_local_mt)
    MUST_USE;
/* One that is expired and not yet purged. Nothing there is fine. */
enum rc nafkc_store_drop_key(struct store *st, const struct triple *t) MUST_USE;
enum rc nafkc_store_bind_key(struct store *st, const struct triple *t, const uint8_t spki[static 32]) MUST_USE;
/* Appends {"btid","naf_id","device_id","kcv","issued","expires","state","spki"} each. */
enum rc nafkc_store_list_keys(struct store *st, int64_t now_s, json_t *out) MUST_USE;

/* --- devices */

/* RC_NOTFOUND. */
enum rc nafkc_store_get_device(struct store *st, const struct device_id *id, struct nafkc_device *out) MUST_USE;
/* New, or in place of the old row. */
enum rc nafkc_store_put_device(struct store *st, const struct nafkc_device *d) MUST_USE;
/* How many Device_IDs a public key holds, and how many of them are blocked. */
enum rc nafkc_store_count_devices(struct store *st, const uint8_t spki[static 32], int64_t *n, int64_t *blocked) MUST_USE;
/* Its keys belong to no public key any more, until the next one comes. */
enum rc nafkc_store_unbind_keys(struct store *st, const struct device_id *id) MUST_USE;
/* Appends {"device_id","state","spki","lifetime_max","subject"} each. */
enum rc nafkc_store_list_devices(struct store *st, json_t *out) MUST_USE;
/* The one object of that list; NULL: out of memory. */
json_t *nafkc_device_json(const struct nafkc_device *d);

/* --- audit: who got what, and what was decided about whom; never a key (zn-zh.md 9) */

struct nafkc_audit {
	int64_t at_s;
	const char *event;		/* "key-given" "key-given-again" "refused" "device-bound" "device-allowed" "device-blocked" "device-rebound" */
	const char *reason;		/* code of a refusal, "" = none */
	const struct triple *triple;	/* NULL: about a device */
	const char *device_id;
	const char *kcv, *subject;	/* "" = none */
	int64_t expires_s;		/* 0 = none */
	const uint8_t *spki;		/* 32 octets, NULL = none */
};
enum rc nafkc_store_put_audit(struct store *st, const struct nafkc_audit *a) MUST_USE;
/* Newest first, at most max: {"at","event","reason","device_id","btid","naf_id","kcv","expires","spki","subject"}. */
enum rc nafkc_store_list_audit(struct store *st, unsigned max, json_t *out) MUST_USE;

/* --- T1 */

/* Keys with expires <= now_s, then audit rows older than audit_keep_s: at most max of them. */
enum rc nafkc_store_purge(struct store *st, int64_t now_s, int64_t audit_keep_s, unsigned max, unsigned *n) MUST_USE;
/* When the next row is due, INT64_MAX = none. */
int64_t nafkc_store_next_expiry(struct store *st, int64_t audit_keep_s);
enum rc nafkc_store_count(struct store *st, int64_t *keys, int64_t *devices) MUST_USE;

#endif
