/* core: the inside of struct extdev, for the files of this room. */
#ifndef EXTDEVD_CORE_H
#define EXTDEVD_CORE_H

#include <sys/queue.h>

#include "common/link.h"
#include "common/localif.h"
#include "common/rpc.h"
#include "common/trace.h"
#include "extdevd/extdev.h"
#include "extdevd/state.h"
#include "extdevd/store.h"
#include "extdevd/ua.h"

struct clock_timer;
struct extdev_check;
struct extdev_services;
struct extdev_use;
struct extdev_waiter;
struct metric;
struct purge;

/* --- local.c: the link to one MT, always there again after a while */

enum extdev_local_state { EXTDEV_LINK_DOWN, EXTDEV_LINK_DIALLING, EXTDEV_LINK_HELLO, EXTDEV_LINK_UP };

struct extdev_local {
	enum extdev_local_state state;
	struct link *link;		/* DIALLING */
	struct rpc *rpc;		/* HELLO, UP */
	struct clock_timer *again;
	int64_t back_off_ms;
	enum reason why;		/* of the last end */
	char detail[160];
	char challenge[CHALLENGE_MAX + 1];	/* of the MT's hello; "" = none */
	LIST_HEAD(, extdev_ask) asks;	/* sent, or waiting for the turn's end */
};

struct extdev_mt;
/* error: as rpc.h; NULL when there is none. */
typedef void extdev_local_answer_fn(struct extdev_mt *m, json_t *body, enum reason why, const json_t *error);

enum rc extdev_local_init(struct extdev_mt *m) MUST_USE;
void extdev_local_free(struct extdev_mt *m);
/* What we say of ourselves, and how we dial: the same on every channel to this MT. */
struct localif_hello extdev_local_hello(const struct extdev_mt *m);
struct link_options extdev_local_options(const struct extdev_mt *m);
/* Dial now, whatever the back-off; nothing if it is dialled or up already. */
void extdev_local_dial(struct extdev_mt *m);
/* Close for good. extdev_local_closed() when it is done. */
void extdev_local_stop(struct extdev_mt *m);
/*
 * Ask when the turn is durable; steals body (NULL: memory was out). fn once, never inside this call, unless the procedure has
 * moved on meanwhile (m->p.gen). Progress goes to extdev_on_mt_progress().
 */
void extdev_local_ask(struct extdev_mt *m, const char *op, json_t *body, extdev_local_answer_fn *fn);

/* --- procedure.c (who asks, how it ends), establish.c, request.c, complete.c (its steps): with one MT, one run at a time */

enum extdev_state {
	EXTDEV_IDLE,
	EXTDEV_LINKING,		/* waits for the link */
	EXTDEV_INFO,
	EXTDEV_DERIVE,
	EXTDEV_REQUEST,		/* Ua */
	EXTDEV_COMPLETE
};

struct extdev_asker {
	TAILQ_ENTRY(extdev_asker) all;
	bool force, fresh, has_naf;
	struct naf_id naf;
	extdev_done_fn *done;
	extdev_progress_fn *progress;
	void *arg;
};

struct extdev_procedure {
	enum extdev_state state;
	unsigned gen;			/* grows with each end: late answers know that they are late */
	TAILQ_HEAD(, extdev_asker) askers;

	/* what this one is for */
	bool force, fresh, has_naf;
	struct naf_id naf;
	unsigned runs;			/* so far: at most EXTDEV_RUNS_MAX */
	struct device_id device_id;	/* the same over all runs of one establishment */
	struct btid stale;		/* known to be; "" = none */
	struct btid shown;		/* by the last info; "" = none */

	/* the present run */
	struct extdev_request r;
	int64_t since_ms;		/* of what is waited for */
	int64_t began_ms;		/* the establishment */
	struct extdev_ua_call *call;
	struct extdev_key key;		/* COMPLETE */
	char kcv[KCV_LEN + 1];		/* of the run's key, once it is here */

	/* what we began by ourselves */
	bool wanted;			/* at start, or renew: until it is done or refused for good */
	bool wanted_fresh, wanted_force;
	int64_t back_off_s;
	/* IDLE: a pending request (N6), an owed complete (K4), or what is wanted. REQUEST: a short Retry-After goes by */
	struct clock_timer *again;
};

struct extdev_mt {
	struct extdev *e;
	const struct extdev_mt_conf *conf;
	struct mt_id id;		/* who answers there, or answered last; "" = nobody yet */
	struct extdev_local local;
	struct extdev_procedure p;
	int64_t asked_ms;		/* when its keys' state was asked because it came up; 0 = never */
	struct extdev_use *use;
	struct extdev_services *services;
};

enum rc extdev_procedure_init(struct extdev_mt *m) MUST_USE;
void extdev_procedure_free(struct extdev_mt *m);
/* From the store at start: what is owed goes on. */
void extdev_procedure_resume(struct extdev_mt *m);
void extdev_procedure_stop(struct extdev_mt *m);
void extdev_on_link_up(struct extdev_mt *m);
void extdev_on_link_down(struct extdev_mt *m, enum reason why, const char *detail);
void extdev_on_renew(struct extdev_mt *m);
/* One is wanted by ourselves: fresh, with a new bootstrapping; else whatever key is there, it is fetched again. Joins one under way. */
void extdev_want(struct extdev_mt *m, bool fresh);
void extdev_on_mt_progress(struct extdev_mt *m, const char *word, int64_t wait_s);

/* establish.c: a new establishment, for the first asker or by ourselves; the same if anything is due; another run of this one. */
void extdev_begin(struct extdev_mt *m);
void extdev_begin_if_due(struct extdev_mt *m);
void extdev_begin_run(struct extdev_mt *m);
/* K9: the establishment ends with the key in use, if there is one that will do. */
bool extdev_reuse(struct extdev_mt *m);

/* One run is over, the establishment not yet: begin again with info. stale: this B-TID is; NULL = none in particular. */
void extdev_fall(struct extdev_mt *m, enum reason why, const char *detail, const struct btid *stale);
/* The establishment is over, unsuccessfully. later: it is tried again by itself, after that many seconds or our own default at 0. */
void extdev_fail(struct extdev_mt *m, enum reason why, int64_t retry_after_s, bool later, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* It is over with this key. */
void extdev_succeed(struct extdev_mt *m, const struct extdev_key *k, int scenario, bool reused);
/* Step number of scenario 1 → of the present run's; its event with what the run knows. result NULL = "ok". */
void extdev_step(struct extdev_mt *m, int step1, const char *from, const char *to, const char *msg, const char *result, int64_t dur_us);
int64_t extdev_waited_us(const struct extdev_mt *m);

/* request.c: send m->p.r to its Key Center; it is in the store, at the latest since this turn. */
void extdev_request_send(struct extdev_mt *m);
/* complete.c: tell the MT about m->p.key, which it takes over. */
void extdev_complete_send(struct extdev_mt *m, struct extdev_key *k);
/* K12, once per MT and Key Center, before the key is confirmed. */
void extdev_say_if_no_pseudonym(struct extdev_mt *m, const struct extdev_key *k);

/* --- state.c, besides state.h */

enum rc extdev_state_init(struct extdev *e) MUST_USE;
void extdev_state_start(struct extdev *e);
void extdev_state_stop(struct extdev *e);
void extdev_state_free(struct extdev *e);
void extdev_state_on_link_up(struct extdev_mt *m);
/* A key came. */
void extdev_state_on_key(struct extdev *e);

/* --- use.c: the key at work: tunnels to the MTs (U1-U4). Its inside is use.h */

enum rc extdev_use_init(struct extdev_mt *m) MUST_USE;
void extdev_use_free(struct extdev_mt *m);
void extdev_use_stop(struct extdev_mt *m);
void extdev_use_on_link_up(struct extdev_mt *m);
void extdev_use_on_link_down(struct extdev_mt *m, enum reason why, const char *detail);
/* An establishment ended: with this key; without one, and with it no use of waiting any longer unless later. */
void extdev_use_on_key(struct extdev_mt *m, const struct extdev_key *k, bool reused);
void extdev_use_on_no_key(struct extdev_mt *m, enum reason why, bool later, const char *detail);
/* Something on the way to a tunnel waits: operators who wait for it are told. */
void extdev_use_progress(struct extdev_mt *m, const char *word, int64_t wait_s);
/* The MT asks for a tunnel on the key that is this triple's. */
bool extdev_use_has(struct extdev_mt *m, const struct triple *t);
/*
 * The key is proven, by a proof in `complete` or by a finished handshake: confirmed in the store (K2), what the MT may still have
 * under another Device_ID is owed to be forgotten (K5), tunnels on older keys are on their last streams. RC_NOTFOUND: it is gone.
 */
enum rc extdev_use_confirm(struct extdev_mt *m, const struct triple *t) MUST_USE;
/* Somebody wants a tunnel to this MT: with the key that is there, or the one that will be. One that stands on the key to use will do. */
void extdev_use_begin(struct extdev_mt *m);
/* Whoever is in this MT now is welcome (K12): what was tried in vain before does not count. */
void extdev_use_on_accept(struct extdev_mt *m);
/* Keys may have gone from the store, or end sooner: each tunnel whose key is no longer a usable one is closed. */
void extdev_use_recheck(struct extdev *e);

/* --- extdev.c */

struct extdev {
	struct extdev_seams s;
	struct extdev_conf conf;
	struct device_id self;		/* of EXTDEV_ID_FIXED, EXTDEV_ID_RANDOM */
	struct extdev_mt *mts;		/* conf.n_mts of them */
	struct purge *purge;
	bool stopping;
	size_t open_links;		/* while stopping, tunnels included */
	struct clock_timer *expiry;	/* the earliest of a live tunnel's key */
	void (*done)(void *arg);
	void *done_arg;
	struct clock_timer *done_timer;
	TAILQ_HEAD(, extdev_waiter) waiters;
	struct {
		LIST_HEAD(, extdev_check) checks;	/* under way */
		struct clock_timer *round, *lapse;
		int64_t back_off_s;			/* 0 = the last ones were answered */
		int64_t retry_after_s;
		bool failed;				/* one of those under way was */
		enum reason why;			/* of the last answer */
	} state;
	struct {
		struct metric *runs, *keys, *refusals, *requests, *tunnels, *streams, *unserved;
	} count;
};

/* By its section's name; NULL name = the only one; NULL = there is none. */
struct extdev_mt *extdev_find_mt(struct extdev *e, const char *name);
/* The index of this Key Center. RC_NOTFOUND. */
enum rc extdev_find_center(const struct extdev *e, const struct naf_id *id, size_t *out) MUST_USE;
/* Keys were deleted, or end sooner: whoever works with them looks again, and the WAL is due. */
void extdev_keys_gone(struct extdev *e);
/* A link that was told to stop is closed. */
void extdev_local_closed(struct extdev *e);
/* There is a key for this MT: who waits for one is answered (ops.c). */
void extdev_ops_on_key(struct extdev *e);
void extdev_ops_stop(struct extdev *e);
void extdev_ops_free(struct extdev *e);
/* What keys and tunnels show: triple, MT_ID, check value, expiry. */
json_t *extdev_key_object(const struct triple *t, const struct mt_id *mt, const char *kcv, int64_t expires_s);
/* ops_use.c */
json_t *extdev_tunnels(const struct extdev *e);
void extdev_op_use(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void extdev_op_tunnel_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
/* appkey.c (U7) */
void extdev_op_key_derive(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
/* ops_state.c */
void extdev_op_key_check(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void extdev_op_mt_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void extdev_op_mt_accept(void *core, struct ctl *c, struct rpc_req *q, json_t *body);

#endif
