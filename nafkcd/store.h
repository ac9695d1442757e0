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
#include "common/store.h"
#include "nafkcd/policy.h"

/* --- keys                                                                                     seed 7.4, 8.3.1 step 15 */

struct nafkc_key {
	struct triple triple;
	char kcv[KCV_LEN + 1];
	int64_t issued_s, expires_s;
	int64_t ks_expires_s;	/* until then the same request would bring the same key (N8) */
	bool bound;		/* false after a rebind: the next public key that may have the Device_ID gets it */
	uint8_t spki[32];	/* of the public key that got it (N2) */
	uint8_t issuer[32];	/* of the public key that signed the certificate it was last given to; zeros = not known */
	char mt_pseudonym[UAXML_PSEUDONYM_MAX + 1];	/* K12; "" = the BSF told no IMPI */
};
/* RC_EXISTS: the triple has a live or expired row; see nafkc_store_drop_key. */
enum rc nafkc_store_put_key(struct store *st, const struct nafkc_key *k, const struct secret *ks_local_mt) MUST_USE;
/* One that is expired and not yet purged. Nothing there is fine. */
enum rc nafkc_store_drop_key(struct store *st, const struct triple *t) MUST_USE;
/* k's spki, issuer and pseudonym into its row. */
enum rc nafkc_store_bind_key(struct store *st, const struct nafkc_key *k) MUST_USE;
/*
 * Appends {"btid","naf_id","device_id","kcv","issued","expires","state","spki"} each. state: "active" "limited"; with gone also the
 * tombstones: "invalidated" "blocked" "limited", kcv "", issued = when it ended, expires = the Ks's.
 */
enum rc nafkc_store_list_keys(struct store *st, int64_t now_s, bool gone, json_t *out) MUST_USE;

/* --- the state of a key, and its end                                                          RULES N7–N9; seed 7.2; store_end.c */

struct nafkc_state {
	bool gone;		/* a tombstone: the key was revoked, or limited and is over */
	int64_t expires_s;
	bool owned;		/* by spki: its row's, or the Device_ID's where the row has none; else by whoever comes next (rebind) */
	uint8_t spki[32];
	uint8_t issuer[32];	/* of a live one's certificate; zeros = not known */
	char reason[16];	/* of a tombstone */
};
/* One read. RC_NOTFOUND: neither a live key nor a tombstone. */
enum rc nafkc_store_state(struct store *st, const struct triple *t, int64_t now_s, struct nafkc_state *out) MUST_USE;
/*
 * The target's live keys that would end after ends_s end then; ends_s <= now_s: now, and their rows go. Each leaves an audit row with
 * both dates, and a tombstone until its Ks expires.
 *   event   for the audit: "key-invalidated", "key-limited"
 *   reason  of the tombstone: "invalidated", "blocked", "limited"
 *   *n      how many
 * Not of an issuer (RC_RANGE): see the next three.
 */
enum rc nafkc_store_end_keys(struct store *st, const struct nafkc_target *t, int64_t now_s, int64_t ends_s, const char *event,
    const char *reason, int64_t *n) MUST_USE;
/*
 * store_ending.c: all live keys that an issuer's certificates have now are to end, as "key-invalidated", "blocked". It is noted, then done
 * in slices that look at max keys each: *n = ended so far, *more = there is more to do. RC_NOTFOUND: nothing is noted.
 */
enum rc nafkc_store_put_ending(struct store *st, const uint8_t issuer[static 32]) MUST_USE;
enum rc nafkc_store_end_slice(struct store *st, const uint8_t issuer[static 32], int64_t now_s, unsigned max, int64_t *n, bool *more)
    MUST_USE;
enum rc nafkc_store_each_ending(struct store *st, void (*fn)(void *arg, const uint8_t issuer[static 32]), void *arg) MUST_USE;
enum rc nafkc_store_live_of_device(struct store *st, const struct device_id *id, int64_t now_s, int64_t *n) MUST_USE;
/* Was a key given for this B-TID, that lives or left a tombstone? */
enum rc nafkc_store_knows_btid(struct store *st, const struct naf_id *naf_id, const struct btid *btid, int64_t now_s, bool *known) MUST_USE;

/* --- devices */

/* RC_NOTFOUND. */
enum rc nafkc_store_get_device(struct store *st, const struct device_id *id, struct nafkc_device *out) MUST_USE;
/* New, or in place of the old row. */
enum rc nafkc_store_put_device(struct store *st, const struct nafkc_device *d) MUST_USE;
/* How many Device_IDs with a live key a public key holds, this one left out. */
enum rc nafkc_store_count_others(struct store *st, const uint8_t spki[static 32], const struct device_id *id, int64_t now_s, int64_t *n)
    MUST_USE;
/* Its keys, and what is left of revoked ones, belong to no public key any more, until the next one comes. */
enum rc nafkc_store_unbind_keys(struct store *st, const struct device_id *id) MUST_USE;
/* Appends {"device_id","state","spki","lifetime_max","subject"} each. */
enum rc nafkc_store_list_devices(struct store *st, json_t *out) MUST_USE;
/* The one object of that list; NULL: out of memory. */
json_t *nafkc_device_json(const struct nafkc_device *d);

/* --- blocks: by Device_ID, by public key, by the issuer's public key */

/* A Device_ID's block remembers the public key that has it (spki, NULL = nobody): see nafkc_store_barred(). */
enum rc nafkc_store_put_block(struct store *st, const struct nafkc_target *t, const uint8_t *spki, int64_t now_s) MUST_USE;
/* RC_NOTFOUND. */
enum rc nafkc_store_drop_block(struct store *st, const struct nafkc_target *t) MUST_USE;
/* Which block meets this one? The widest. All-zero issuer: meets none. RC_NOTFOUND. */
enum rc nafkc_store_find_block(struct store *st, const struct device_id *id, const uint8_t spki[static 32],
    const uint8_t issuer[static 32], enum nafkc_scope *scope) MUST_USE;
/* Had this public key a Device_ID when that was blocked? It then takes no other one, until the block ends. */
enum rc nafkc_store_barred(struct store *st, const uint8_t spki[static 32], bool *barred) MUST_USE;
/* Appends {"kind","value","at"} each; kind "device" "spki" "issuer"; at "" = before such times were kept. */
enum rc nafkc_store_list_blocks(struct store *st, json_t *out) MUST_USE;

/* --- all that is kept of who asks for a key, and of that key, in one read                          store_look.c */

struct nafkc_kept {
	bool blocked;			/* by the widest block that meets it: */
	enum nafkc_scope scope;
	bool known;			/* its device row; else device has the id alone */
	struct nafkc_device device;	/* without .blocked, which is of whom the Device_ID belongs to, not of who asks */
	bool has_key;			/* a live one (T1: none from the moment of its expiry) */
	bool expired;			/* its row is there, over and not yet purged */
	struct nafkc_key key;		/* if has_key */
	uint8_t sealed[SEALED_LEN(KS_LEN)];	/* of it; nafkc_store_open_key() */
	bool buried;			/* no live key, and a tombstone */
};
/* All-zero issuer: no block of an issuer meets it. */
enum rc nafkc_store_look(struct store *st, const struct triple *t, const uint8_t spki[static 32], const uint8_t issuer[static 32],
    int64_t now_s, struct nafkc_kept *out) MUST_USE;
/* has_key. Caller frees *ks_local_mt. */
enum rc nafkc_store_open_key(struct store *st, const struct nafkc_kept *kept, struct secret **ks_local_mt) MUST_USE;

/* --- secrets of our own, 32 octets, sealed. RC_NOTFOUND. Caller frees *out. */

enum rc nafkc_store_get_own(struct store *st, const char *name, struct secret **out) MUST_USE;
enum rc nafkc_store_put_own(struct store *st, const char *name, const struct secret *value) MUST_USE;

/* --- audit: who got what, and what was decided about whom; never a key (zn-zh.md 9) */

struct nafkc_audit {
	int64_t at_s;
	const char *event;		/* "key-given" "key-given-again" "refused" "device-bound" "device-allowed" "device-rebound"
					 * "device-blocked" "device-unblocked", the same with "key-" and "issuer-"; and
					 * nafkc_store_end_keys()'s */
	const char *reason;		/* code of a refusal, "" = none */
	const struct triple *triple;	/* NULL: about a device */
	const char *device_id;
	const char *kcv, *subject;	/* "" = none */
	int64_t expires_s;		/* 0 = none */
	const uint8_t *spki;		/* 32 octets, NULL = none */
};
enum rc nafkc_store_put_audit(struct store *st, const struct nafkc_audit *a) MUST_USE;
/* Newest first, at most max: {"at","event","reason","device_id","btid","naf_id","kcv","expires","was","spki","subject"}; was = the expiry before. */
enum rc nafkc_store_list_audit(struct store *st, unsigned max, json_t *out) MUST_USE;

/* --- T1 */

/*
 * How long audit rows are kept, and a Device_ID that no key and no tombstone is there for (N2). One that is blocked or has a lifetime of
 * its own stays.
 */
struct nafkc_keep {
	int64_t audit_s, devices_s;
};
#define NAFKC_KEEP_EVER (INT64_MAX / 2)
/* Keys and tombstones with expires <= now_s, then audit rows, then devices that are old enough: at most max of them. */
enum rc nafkc_store_purge(struct store *st, int64_t now_s, const struct nafkc_keep *keep, unsigned max, unsigned *n) MUST_USE;
/* When the next row is due, INT64_MAX = none. */
int64_t nafkc_store_next_expiry(struct store *st, const struct nafkc_keep *keep);
struct nafkc_counts {
	int64_t keys, devices, tombstones;
};
enum rc nafkc_store_count(struct store *st, struct nafkc_counts *out) MUST_USE;

#endif
