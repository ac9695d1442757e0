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
struct nafkc_job;
struct nafkc_rates;
struct nafkc_waiter;
struct nafkc_zn;
struct purge;

struct nafkc {
	struct nafkc_seams s;
	struct nafkc_conf conf;
	struct nafkc_zn *zn;
	struct nafkc_kscache *kscache;
	struct nafkc_rates *rates;
	struct purge *purge;
	struct nafkc_call *calls;
	struct nafkc_job *jobs;
	struct nafkc_waiter *waiters;
	uint64_t ua_requests;
	struct {
		struct metric *requests, *keys, *refusals, *birs;
	} count;
};

/* --- keycenter.c: the procedure                                                                     seed 8.3.1 steps 13–16 */

struct nafkc_ask {		/* a Key Request whose form is right */
	struct triple triple;
	uint8_t spki[32];	/* of the public key that asks */
	char subject[256];	/* of its certificate */
	char peer[64];		/* address, for the log */
};
struct nafkc_verdict {
	enum reason why;	/* REASON_NONE: the key */
	int64_t retry_after_s;	/* 0 = waiting does not help */
	const struct secret *ks_local_mt;	/* borrowed during the callback */
	int64_t expires_s;
	char kcv[KCV_LEN + 1];
};
typedef void nafkc_on_verdict(void *arg, const struct nafkc_verdict *v);
/* fn once, maybe inside this call. What it tells is durable when the turn is. */
void nafkc_keycenter_ask(struct nafkc *k, const struct nafkc_ask *a, nafkc_on_verdict *fn, void *arg);
/* Requests that still wait for Zn hear REASON_STOPPING; their answers are in the turn. */
void nafkc_keycenter_free(struct nafkc *k);

/* --- order.c: what the operator decides (ops.c). RC_NOTFOUND: a Device_ID that nobody ever saw, for rebind. *out = as it is now. */
enum nafkc_order { NAFKC_ALLOW, NAFKC_BLOCK, NAFKC_REBIND };
/* lifetime_max_s: for NAFKC_ALLOW; -1 = as it was. */
enum rc nafkc_order_device(struct nafkc *k, enum nafkc_order order, const struct device_id *id, int64_t lifetime_max_s,
    struct nafkc_device *out) MUST_USE;

/* --- ua.c: the core goes; answers that wait for the turn leave with it all the same. After nafkc_keycenter_free(). */
void nafkc_ua_free(struct nafkc *k);

/* --- rate.c: a bucket per public key, bounded */
enum rc nafkc_rates_new(struct nafkc_rates **out) MUST_USE;
void nafkc_rates_free(struct nafkc_rates *r);
bool nafkc_rates_take(struct nafkc_rates *r, const uint8_t spki[static 32], unsigned per_minute, int64_t now_ms, int64_t *retry_after_s);

/* --- zn.c: Ks_(ext)_NAF from the BSF */
typedef void nafkc_on_ks(void *arg, enum reason why, const struct secret *ks_naf, int64_t expires_s);
enum rc nafkc_zn_new(struct nafkc *k, struct nafkc_zn **out) MUST_USE;
enum rc nafkc_zn_start(struct nafkc_zn *z) MUST_USE;
void nafkc_zn_stop(struct nafkc_zn *z, void (*done)(void *arg), void *arg);
/* Who still waits never hears. */
void nafkc_zn_free(struct nafkc_zn *z);
/*
 * fn once, never inside this call; requests for one B-TID and NAF_ID share one BIR. REASON_NONE, and ks_naf, borrowed during the
 * callback; _ZN_UNREACHABLE _ZN_TIMEOUT _ZN_BUSY _ZN_REFUSED _ZN_BAD_ANSWER _ZN_NOT_AUTHORIZED _ZN_BTID_INVALID, logged.
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

#endif
