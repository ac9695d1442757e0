/* core: the inside of struct nafkc, for the files of this room. */
#ifndef NAFKCD_CORE_H
#define NAFKCD_CORE_H

#include "common/secret.h"
#include "common/trace.h"
#include "nafkcd/kscache.h"
#include "nafkcd/nafkc.h"
#include "nafkcd/policy.h"

struct metric;
struct nafkc_call;
struct nafkc_endings;
struct nafkc_job;
struct nafkc_nonces;
struct nafkc_rates;
struct nafkc_waiter;
struct nafkc_zn;
struct purge;

struct nafkc {
	struct nafkc_seams s;
	struct nafkc_conf conf;
	struct nafkc_zn *zn;
	struct nafkc_kscache *kscache;
	struct nafkc_rates *rates;	/* of Key Requests, by public key */
	struct nafkc_rates *address_rates, *btid_rates;	/* on the second port; by B-TID: of BIRs */
	struct nafkc_nonces *nonces;	/* of the second port */
	struct secret *pseudonym_key;			/* K12 */
	struct purge *purge;
	struct nafkc_endings *endings;
	struct nafkc_call *calls;
	struct nafkc_job *jobs;
	struct nafkc_waiter *waiters;
	uint64_t ua_requests;
	struct {
		struct metric *requests, *keys, *refusals, *states, *ended, *birs;
	} count;
};

/* --- keycenter.c: the procedure                                                                     seed 8.3.1 steps 13–16 */

struct nafkc_ask {		/* a Key Request whose form is right */
	struct triple triple;
	uint8_t spki[32];	/* of the public key that asks */
	uint8_t issuer[32];	/* of the one that signed its certificate; zeros = not known */
	const char *subject;	/* of its certificate; borrowed of the request, as is: */
	const char *peer;	/* address, for the log */
};
struct nafkc_verdict {
	enum reason why;	/* REASON_NONE: the key */
	int64_t retry_after_s;	/* 0 = waiting does not help */
	const struct secret *ks_local_mt;	/* borrowed during the callback */
	int64_t expires_s;
	char kcv[KCV_LEN + 1];
	const char *mt_pseudonym;	/* "" = none; borrowed */
};
typedef void nafkc_on_verdict(void *arg, const struct nafkc_verdict *v);
/* fn once, maybe inside this call; a is borrowed until then. What it tells is durable when the turn is. */
void nafkc_keycenter_ask(struct nafkc *k, const struct nafkc_ask *a, nafkc_on_verdict *fn, void *arg);
/* Requests that still wait for Zn hear REASON_STOPPING; their answers are in the turn. */
void nafkc_keycenter_free(struct nafkc *k);

/* --- pseudonym.c: K12 */

/* The key: made once, sealed in the store. */
enum rc nafkc_pseudonym_key(struct store *st, const struct rnd *rnd, struct secret **out) MUST_USE;
/* What the device behind this public key calls the subscriber; impi "" gives "". RC_RANGE: too long. RC_CRYPTO. */
enum rc nafkc_pseudonym(const struct secret *key, const char *impi, const uint8_t spki[static 32],
    char out[static UAXML_PSEUDONYM_MAX + 1]) MUST_USE;

/* --- order.c: what the operator decides (ops.c, ops_key.c); each with its audit, whole or not at all */

enum nafkc_order { NAFKC_ALLOW, NAFKC_REBIND };
/* lifetime_max_s: for NAFKC_ALLOW; -1 = as it was. *out = as it is now. RC_NOTFOUND: a Device_ID that nobody ever saw, for rebind. */
enum rc nafkc_order_device(struct nafkc *k, enum nafkc_order order, const struct device_id *id, int64_t lifetime_max_s,
    struct nafkc_device *out) MUST_USE;
/*
 * The target's live keys end at ends_s, at once if that is not to come; *n of them. Each leaves a tombstone (N8, N9).
 * RC_NOTFOUND: none lives that would end later.
 */
enum rc nafkc_order_end(struct nafkc *k, const struct nafkc_target *t, int64_t ends_s, int64_t *n) MUST_USE;
/*
 * From now on refused, and all its keys end at once, *n of them; _DEVICE, _SPKI, _ISSUER. Again: the same again. An issuer's keys end from
 * this turn on, and who wants to know how many waits: nafkc_ending_await().
 */
enum rc nafkc_order_block(struct nafkc *k, const struct nafkc_target *t, int64_t *n) MUST_USE;
/* RC_NOTFOUND: there is no such block. RC_STATE: its keys are still ending. What it ended stays ended. */
enum rc nafkc_order_unblock(struct nafkc *k, const struct nafkc_target *t) MUST_USE;

/* --- ending.c: a blocked issuer's keys end in slices */

/* What was left to do is taken up. RC_NOMEM, RC_IO. */
enum rc nafkc_endings_new(struct nafkc *k, struct nafkc_endings **out) MUST_USE;
/* No more slices; who waits hears REASON_STOPPING. After free, who still waits never hears. */
void nafkc_endings_stop(struct nafkc_endings *s);
void nafkc_endings_free(struct nafkc_endings *s);
/* It is noted in the store. */
void nafkc_ending_begin(struct nafkc *k, const uint8_t issuer[static 32]);
/* Are keys of this issuer's certificates still to end? They count as gone. */
bool nafkc_ending_has(const struct nafkc *k, const uint8_t issuer[static 32]);
/* Answered when all have ended: {"keys"}, how many; _NOT_DURABLE: there is no block; _STOPPING. Progress before. */
void nafkc_ending_await(struct nafkc *k, const uint8_t issuer[static 32], struct ctl *c, struct rpc_req *q);

/* --- call.c: the core goes; answers that wait for the turn leave with it all the same. After nafkc_keycenter_free(). */
void nafkc_ua_free(struct nafkc *k);
/* --- ua_mt.c: who waits for Zn hears REASON_STOPPING; before nafkc_ua_free(). */
void nafkc_ua_mt_free(struct nafkc *k);

/* --- rate.c: a bucket per name (a public key's hash, or another SHA-256), bounded */
enum rc nafkc_rates_new(struct nafkc_rates **out) MUST_USE;
void nafkc_rates_free(struct nafkc_rates *r);
bool nafkc_rates_take(struct nafkc_rates *r, const uint8_t name[static 32], unsigned per_minute, int64_t now_ms, int64_t *retry_after_s);

/* --- zn.c: Ks_(ext)_NAF from the BSF */
/* ks: borrowed during the call; NULL unless REASON_NONE */
typedef void nafkc_on_ks(void *arg, enum reason why, const struct nafkc_ks *ks);
enum rc nafkc_zn_new(struct nafkc *k, struct nafkc_zn **out) MUST_USE;
/* The CRL is read again, for connections to come. RC_SYNTAX, logged: it stays as it was. */
enum rc nafkc_zn_reload(struct nafkc_zn *z) MUST_USE;
enum rc nafkc_zn_start(struct nafkc_zn *z) MUST_USE;
void nafkc_zn_stop(struct nafkc_zn *z, void (*done)(void *arg), void *arg);
/* Who still waits never hears. */
void nafkc_zn_free(struct nafkc_zn *z);
/*
 * fn once, never inside this call; requests for one B-TID and NAF_ID share one BIR. REASON_NONE; _ZN_UNREACHABLE _ZN_TIMEOUT _ZN_BUSY _ZN_REFUSED _ZN_BAD_ANSWER _ZN_NOT_AUTHORIZED _ZN_BTID_INVALID, logged.
 * RC_NOMEM; RC_LIMIT: too many wait.
 */
enum rc nafkc_zn_ask(struct nafkc_zn *z, const struct btid *btid, const struct naf_id *naf_id, nafkc_on_ks *fn, void *arg) MUST_USE;
/* Is this peer up; identity NULL = any? */
bool nafkc_zn_peer_up(const struct nafkc_zn *z, const char *identity);
/* Members for status. */
void nafkc_zn_status(const struct nafkc_zn *z, json_t *o);

/* --- ops.c */
void nafkc_ops_on_peer(struct nafkc *k, const char *host);
/* Who waits for a peer is told that we stop; or is forgotten. */
void nafkc_ops_stop(struct nafkc *k);
void nafkc_ops_free(struct nafkc *k);
/* --- ops_key.c: what ends keys, as control operations */
void nafkc_op_key_invalidate(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void nafkc_op_key_limit(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void nafkc_op_device_limit(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void nafkc_op_block(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void nafkc_op_unblock(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void nafkc_op_block_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body);

#endif
