/*
 * store: what the device keeps (ARCHITECTURE 5; seed 7.5), as verbs over common/store.h: its Device_ID, the MT_ID last seen behind
 * each mt section, keys, and what is still owed: a key request that the Key Center has not answered (N6), a `complete` that the
 * MT has not answered (K4).
 * All writes belong between store_begin and store_end of the caller. Reads give copies, and nothing from the moment of its expiry
 * on (T1).
 *
 * Everywhere: RC_IO, the database failed (logged); RC_NOMEM; RC_DENIED, a sealed value is not from this store and place.
 */
#ifndef EXTDEVD_STORE_H
#define EXTDEVD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/device_id.h"
#include "common/proof.h"
#include "common/rc.h"
#include "common/secret.h"
#include "common/store.h"
#include "common/uaxml.h"

/* EXTDEV_ID_RANDOM's Device_ID. RC_NOTFOUND: none was made yet. */
enum rc extdev_store_get_self(struct store *st, struct device_id *out) MUST_USE;
enum rc extdev_store_put_self(struct store *st, const struct device_id *id) MUST_USE;

/*
 * Who answered last behind the mt section of that name. RC_NOTFOUND. put: the key request of an MT that is behind no section any more
 * goes, for nobody would ever repeat it; its keys stay to their ends.
 */
enum rc extdev_store_get_mt(struct store *st, const char *name, struct mt_id *out) MUST_USE;
enum rc extdev_store_put_mt(struct store *st, const char *name, const struct mt_id *id) MUST_USE;

/* What one run got from the MT: the key request that stands between derive's answer and the Key Response. One per MT (N6). */
struct extdev_request {
	struct mt_id mt_id;
	struct triple triple;
	char challenge[CHALLENGE_MAX + 1];	/* "" = an MT without proofs */
	struct run_id run;
	int scenario;
	bool fresh;				/* made with a new bootstrapping on demand */
};
/* RC_NOTFOUND. */
enum rc extdev_store_get_request(struct store *st, const struct mt_id *mt, struct extdev_request *out) MUST_USE;
/* Replaces an older one. */
enum rc extdev_store_put_request(struct store *st, const struct extdev_request *r) MUST_USE;
/* None there is fine. */
enum rc extdev_store_delete_request(struct store *st, const struct mt_id *mt) MUST_USE;

#define EXTDEV_ETAG_MAX 80

enum extdev_key_state { EXTDEV_WAITING, EXTDEV_CONFIRMED };	/* K2 */

struct extdev_key {
	struct extdev_request from;	/* its run, its triple (K5: the Device_ID it was made with) */
	struct secret *ks;		/* Ks_local_MT */
	int64_t expires_s;
	enum extdev_key_state state;
	bool owed;			/* `complete` */
	int64_t sure_s;			/* the Key Center stood by it last: its issue, or a good answer about its state (N10) */
	int64_t issued_s;		/* when it came; 0 = not known */
	char pseudonym[UAXML_PSEUDONYM_MAX + 1];	/* of the SIM, "" = none came (K12) */
	char etag[EXTDEV_ETAG_MAX + 1];	/* of the last good answer, "" = none (N7); only read */
};
/* Frees what it holds and empties it. */
void extdev_key_clear(struct extdev_key *k);

/*
 * A key that came: one in use and one waiting per MT (K2). In use is the confirmed one, else the oldest; all other older ones go.
 * The same triple with the same key is the same row: it keeps its state, lifetime and run are the new ones.
 * RC_EXISTS: the triple is confirmed with another key; nothing was changed.
 */
enum rc extdev_store_put_key(struct store *st, const struct extdev_key *k, int64_t now_s) MUST_USE;
/* The MT proved it: confirmed, nothing owed, its pseudonym is the MT's (K12), every other key of this MT goes (K2). RC_NOTFOUND. */
enum rc extdev_store_confirm(struct store *st, const struct mt_id *mt, const struct triple *t) MUST_USE;
/* The MT took `complete` without a proof: nothing owed, it stays waiting beside the one in use (K3). RC_NOTFOUND. */
enum rc extdev_store_settle(struct store *st, const struct mt_id *mt, const struct triple *t) MUST_USE;
/*
 * The MT says that it has no such key, or another one: a waiting one goes, a confirmed one stays (nothing that an unauthenticated
 * side says destroys a key that works) and nothing is owed. None there is fine.
 */
enum rc extdev_store_drop_waiting(struct store *st, const struct mt_id *mt, const struct triple *t) MUST_USE;

/* This one, expired or not. RC_NOTFOUND. Caller clears *out. */
enum rc extdev_store_find_key(struct store *st, const struct mt_id *mt, const struct triple *t, struct extdev_key *out) MUST_USE;
/* The key to use with this MT: the confirmed one, else the newest. RC_NOTFOUND. Caller clears *out. */
enum rc extdev_store_get_key(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_key *out) MUST_USE;
/* The newest, confirmed or not: a waiting one is used first, since its use confirms it. RC_NOTFOUND. Caller clears *out. */
enum rc extdev_store_get_newest(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_key *out) MUST_USE;
/* The one whose `complete` is owed. RC_NOTFOUND. Caller clears *out. */
enum rc extdev_store_get_owed(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_key *out) MUST_USE;
/* Each live key, by MT, oldest first; k is borrowed during the call. Stops at fn's first rc that is not RC_OK. */
enum rc extdev_store_each_key(struct store *st, int64_t now_s, enum rc (*fn)(void *arg, const struct extdev_key *k), void *arg) MUST_USE;

/* Which keys: members that are NULL match all. */
struct extdev_which {
	const char *mt_id, *naf_id, *btid, *device_id;
};
/* Forgets keys and key requests; *n = how many keys. */
enum rc extdev_store_forget(struct store *st, const struct extdev_which *w, int *n) MUST_USE;

/* --- store_state.c: what the Key Center says of a key that it gave (N7, N9), and whose SIM it says is in an MT (K12) */

/* It stands by the key: lives to expires_s at most, the earlier date is kept. RC_NOTFOUND: no such key. */
enum rc extdev_store_stand_by(struct store *st, const struct mt_id *mt, const struct triple *t, int64_t now_s, int64_t expires_s,
    const char *etag) MUST_USE;
/* It took the key back. RC_NOTFOUND. */
enum rc extdev_store_delete_key(struct store *st, const struct mt_id *mt, const struct triple *t) MUST_USE;
/* The least sure_s of a live key that is from_s or later, INT64_MAX = there is none. */
int64_t extdev_store_least_sure(struct store *st, int64_t now_s, int64_t from_s);

/* The pseudonym that came with the last confirmed key. "" = none did. RC_NOTFOUND: no key is confirmed yet, or any SIM is welcome. */
enum rc extdev_store_get_pseudonym(struct store *st, const struct mt_id *mt, const struct naf_id *naf,
    char out[static UAXML_PSEUDONYM_MAX + 1]) MUST_USE;
/* Whatever SIM comes next in this MT is welcome. RC_NOTFOUND: none is known. */
enum rc extdev_store_drop_pseudonyms(struct store *st, const char *mt_id) MUST_USE;
/* Stops at fn's first rc that is not RC_OK. */
enum rc extdev_store_each_pseudonym(struct store *st, enum rc (*fn)(void *arg, const struct mt_id *mt, const struct naf_id *naf,
    const char *pseudonym), void *arg) MUST_USE;

/* --- store_forget.c: what an MT is to be asked to forget (K5) */

struct extdev_owed {
	struct mt_id mt_id;
	struct triple older;
	char proof[PROOF_LEN + 1];	/* PROOF_FORGET, for tunnels on the MT's confirmed key */
	int64_t expires_s;		/* then it is gone there by itself */
};
enum rc extdev_store_owe_forget(struct store *st, const struct extdev_owed *o) MUST_USE;
/* Nothing is owed to this MT any more. */
enum rc extdev_store_drop_forget(struct store *st, const struct mt_id *mt) MUST_USE;
/* One of them. RC_NOTFOUND. */
enum rc extdev_store_get_forget(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_owed *out) MUST_USE;
/* The MT has answered. */
enum rc extdev_store_settle_forget(struct store *st, const struct extdev_owed *o) MUST_USE;

/* As purge.h asks. */
enum rc extdev_store_purge(struct store *st, int64_t now_s, unsigned max, unsigned *n) MUST_USE;
int64_t extdev_store_next_expiry(struct store *st);

#endif
