/*
 * mt_store: what the MT keeps, in verbs of its domain. The only SQL of mtd.                    ARCHITECTURE 5, seed 7.5, RULES K2, K5–K8
 *
 *	meta      mt_id, icc_id: the card whose data this is
 *	ks        per UICC application: the newest B-TID and Ks                          seed 7.6
 *	tmpi      per UICC application                                                   TS 33.220 4.5.2
 *	ks_naf    Ks_(ext)_NAF per B-TID and NAF_ID, until the Ks expires                K6
 *	key       Ks_local_MT, its triple, ICC_ID, lifetime, derived or confirmed
 *	bucket    what bootstrappings devices may still cause                            K8
 *	device    what the user decided about a Device_ID                                K11
 *	tombstone keys that must not come back                                           N8
 *
 * Keys are sealed. Look-ups compare with now_s and never return what has expired (T1). Everything runs in the turn's
 * transaction; callers put a request's writes between store_begin() and store_end(). Where no rc is named below: RC_IO (the
 * log says what), RC_NOMEM, RC_CRYPTO, and RC_DENIED for a row that was not sealed here.
 */
#ifndef MTD_STORE_H
#define MTD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/device_id.h"
#include "common/imsi.h"
#include "common/proof.h"
#include "common/rc.h"
#include "common/rnd.h"
#include "common/secret.h"

#define MT_AID_TEXT_MAX 32	/* hex digits */
#define MT_ETAG_MAX 95
#define MT_LINK_MAX 95		/* characters of a link's name, and of a connection's */

struct store;

/* A UICC application: whose Ks it is. */
struct mt_app {
	struct iccid iccid;
	char aid[MT_AID_TEXT_MAX + 1];
};

/* After store_begin() and writes that came to rc: they stand or fall together. rc, or what store_end() says. */
enum rc mt_store_end(struct store *st, enum rc rc) MUST_USE;

/* MT_ID, made at first use. */
enum rc mt_store_mt_id(struct store *st, const struct rnd *rnd, struct mt_id *out) MUST_USE;

/*
 * This card is in. Another one than before: everything of every other ICC_ID is deleted, and the new one recorded, in one
 * transaction (seed 7.5); *changed tells so.
 */
enum rc mt_store_card(struct store *st, const struct iccid *iccid, bool *changed) MUST_USE;
/* The card recorded last. RC_NOTFOUND: none yet. */
enum rc mt_store_last_card(struct store *st, struct iccid *out) MUST_USE;

/*
 * No card is in: every Ks goes (C2); with_keys: each Ks_(ext)_NAF and Ks_local_MT, too. *deleted: there was something.
 */
enum rc mt_store_removed(struct store *st, bool with_keys, bool *deleted) MUST_USE;

/* --- Ks */
struct mt_ks {
	struct btid btid;
	uint8_t rand[16];
	struct impi impi;
	int64_t created, expires;
	struct secret *ks;		/* NULL: it is in the UICC (GBA_U) */
};
void mt_ks_clear(struct mt_ks *ks);
/* Replaces the application's older one (K7). */
enum rc mt_store_put_ks(struct store *st, const struct mt_app *app, const struct mt_ks *ks) MUST_USE;
/* The newest. RC_NOTFOUND; RC_EXPIRED: less than min_left_s is left. Caller mt_ks_clear()s. */
enum rc mt_store_get_ks(struct store *st, const struct mt_app *app, int64_t now_s, int64_t min_left_s, struct mt_ks *out) MUST_USE;
/* Drop it, if it is still this one: *dropped. Keys that came of it stay. */
enum rc mt_store_drop_ks(struct store *st, const struct mt_app *app, const struct btid *btid, bool *dropped) MUST_USE;

/* tmpi "" deletes. */
enum rc mt_store_put_tmpi(struct store *st, const struct mt_app *app, const struct impi *impi, const char *tmpi) MUST_USE;
/* "" when there is none for this IMPI. */
enum rc mt_store_get_tmpi(struct store *st, const struct mt_app *app, const struct impi *impi, char out[static TMPI_LEN + 1])
    MUST_USE;

/* --- Ks_(ext)_NAF. With naf_policy = any devices name the NAFs: so many are kept per B-TID, further ones are derived each time. */
#define MT_KS_NAFS_MAX 256
enum rc mt_store_put_ks_naf(struct store *st, const struct mt_app *app, const struct btid *btid, const struct naf_id *naf,
    int64_t expires, const struct secret *ks_naf) MUST_USE;
/* RC_NOTFOUND, RC_EXPIRED. Caller frees. (A full table took nothing: RC_NOTFOUND.) */
enum rc mt_store_get_ks_naf(struct store *st, const struct mt_app *app, const struct btid *btid, const struct naf_id *naf,
    int64_t now_s, struct secret **out) MUST_USE;

/* --- Ks_local_MT */
enum mt_key_state { MT_KEY_DERIVED, MT_KEY_CONFIRMED };
struct mt_key {
	struct iccid iccid;
	struct triple triple;
	struct secret *ks_local_mt;
	struct secret *ks_naf;		/* what it came of (K6); never read: given to put, and to ask about a key whose row is gone */
	char challenge[CHALLENGE_LEN + 1];
	int64_t created, expires;
	enum mt_key_state state;
	int64_t ask_at;			/* when to ask next, 0 = not planned yet; not given to put */
	int64_t last_ok;		/* the Key Center's last good answer, or created; not given to put */
	char etag[MT_ETAG_MAX + 1];	/* of that answer; "" = none; not given to put */
};
void mt_key_clear(struct mt_key *k);
/* Where a key was asked for: the link by its lasting name, and the connection, "" once that is gone. */
struct mt_origin {
	char link[MT_LINK_MAX + 1];
	char conn[MT_LINK_MAX + 1];
};
/* Stored as derived. Replaces what waits for the same (ICC_ID, Device_ID), never what is confirmed (K2). RC_EXISTS: the triple is there. */
enum rc mt_store_put_key(struct store *st, const struct mt_key *k, const struct mt_origin *from) MUST_USE;
/* RC_NOTFOUND, RC_EXPIRED. Caller mt_key_clear()s. */
enum rc mt_store_get_key(struct store *st, const struct iccid *iccid, const struct triple *t, int64_t now_s, struct mt_key *out)
    MUST_USE;
/*
 * The key that works with a device: the confirmed one, else the newest that waits (K2). RC_NOTFOUND: none that lives. Caller
 * mt_key_clear()s.
 */
enum rc mt_store_key_of(struct store *st, const struct iccid *iccid, const struct device_id *id, int64_t now_s, struct mt_key *out)
    MUST_USE;
/* Asked for again from here, and now the newest, if it is still waiting; a confirmed one stays as it is. */
enum rc mt_store_touch_key(struct store *st, const struct mt_key *k, const struct mt_origin *from) MUST_USE;
/* Confirmed; the pair's older ones are deleted (K2). Once more: fine. RC_NOTFOUND. */
enum rc mt_store_confirm_key(struct store *st, const struct iccid *iccid, const struct triple *t) MUST_USE;
/* RC_NOTFOUND. */
enum rc mt_store_forget_key(struct store *st, const struct iccid *iccid, const struct triple *t) MUST_USE;
/* Each live key of the card, by Device_ID and age; fn borrows. */
enum rc mt_store_each_key(struct store *st, const struct iccid *iccid, int64_t now_s,
    void (*fn)(void *arg, const struct mt_key *k), void *arg) MUST_USE;

/*
 * K5: of a connection's never-used keys keep the newest max. A connection that ended is merged into its link, where again the
 * newest max stay; at start all have ended.
 */
enum rc mt_store_trim_conn(struct store *st, const struct mt_origin *from, unsigned max) MUST_USE;
enum rc mt_store_end_conn(struct store *st, const struct mt_origin *from, unsigned max) MUST_USE;
enum rc mt_store_end_all_conns(struct store *st, unsigned max) MUST_USE;

/* --- the life of a key after it was made (store_life.c) */

/* Ks_(ext)_NAF that a key came of, kept in its row (K6). RC_NOTFOUND, RC_EXPIRED. Caller frees. */
enum rc mt_store_get_key_naf(struct store *st, const struct iccid *iccid, const struct triple *t, int64_t now_s, struct secret **out)
    MUST_USE;
/* N9: earlier, never later: *shorter tells whether it was. A tombstone stands for it from its end to that of the Ks. */
enum rc mt_store_limit_key(struct store *st, const struct iccid *iccid, const struct triple *t, int64_t expires, bool *shorter) MUST_USE;
/* N8: deleted, and a tombstone in its place. why is reason.h's. RC_NOTFOUND. */
enum rc mt_store_revoke_key(struct store *st, const struct iccid *iccid, const struct triple *t, const char *why) MUST_USE;
/* The same for all of a device's; *n = how many there were. */
enum rc mt_store_revoke_device(struct store *st, const struct device_id *id, const char *why, int *n) MUST_USE;
/* Deleted, as if they had been lost: those of the card that fit, NULL fits all; *n = how many. They may be made again. */
enum rc mt_store_lose_keys(struct store *st, const struct iccid *iccid, const char *device_id, const char *btid, const char *naf_id, int *n)
    MUST_USE;
/* Must this key not be made again? With naf_id NULL: any of this device's of that B-TID. RC_NOTFOUND: it may. */
enum rc mt_store_get_tombstone(struct store *st, const struct iccid *iccid, const struct device_id *id, const struct btid *btid,
    const struct naf_id *naf, int64_t now_s) MUST_USE;
/* Was it revoked? A tombstone of a key that was only limited does not count: it may have been replaced, and its tunnels drain. RC_NOTFOUND. */
enum rc mt_store_get_revoked(struct store *st, const struct iccid *iccid, const struct triple *t, int64_t now_s) MUST_USE;

/* N7: the live key that has waited longest to be asked about. RC_NOTFOUND: none is due. Caller mt_key_clear()s. */
enum rc mt_store_due_key(struct store *st, int64_t now_s, struct mt_key *out) MUST_USE;
enum rc mt_store_ask_at(struct store *st, const struct mt_key *k, int64_t at) MUST_USE;
/* A good answer came. A tag too long to keep counts as none. */
enum rc mt_store_answered(struct store *st, const struct mt_key *k, int64_t now_s, const char *etag) MUST_USE;
/* When the next question is due; when the next key will have had no good answer for grace_s (N10). INT64_MAX = none. */
int64_t mt_store_next_ask(struct store *st, int64_t now_s);
int64_t mt_store_next_grace(struct store *st, int64_t now_s, int64_t grace_s);

/* --- what the user decided about who may ask (K11) */
enum mt_decision { MT_UNDECIDED, MT_REFUSED, MT_ALLOWED };
enum rc mt_store_put_decision(struct store *st, const struct device_id *id, enum mt_decision d, int64_t now_s) MUST_USE;
/* None there: MT_UNDECIDED. */
enum rc mt_store_get_decision(struct store *st, const struct device_id *id, enum mt_decision *out) MUST_USE;
enum rc mt_store_each_decision(struct store *st, void (*fn)(void *arg, const char *device_id, enum mt_decision d, int64_t when),
    void *arg) MUST_USE;

/* --- buckets: milli-runs that are left, as of a time (policy.h fills them) */
struct mt_bucket {
	int64_t level, at_ms;
};
/* RC_NOTFOUND: a full one. */
enum rc mt_store_get_bucket(struct store *st, const char *name, struct mt_bucket *out) MUST_USE;
enum rc mt_store_put_bucket(struct store *st, const char *name, const struct mt_bucket *b) MUST_USE;

/* --- T1, as purge.h wants them; arg is the struct store */
enum rc mt_store_expire(void *st, int64_t now_s, unsigned max, unsigned *n);
int64_t mt_store_next_expiry(void *st);

#endif
