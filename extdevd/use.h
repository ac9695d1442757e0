/*
 * use: the key at work with one MT (seed 7.3, 8.1; RULES U1-U4). Somebody wants a tunnel: a connection to a service, an operator,
 * the MT, or use_on_connect. Then, until one is up:
 *
 *	the link is down ──> it is dialled
 *	the MT has refused the key, or there is none ──> an establishment begins by itself; its key is used then      use_pick.c
 *	else ──> may it be used? (N10) ──> a channel (channel.h) ─┬─> up: new streams go there, tunnels on older keys drain
 *	                                                          ├─> "not the same key" (U3): a waiting key goes, a confirmed one stays
 *	                                                          │   until a newer one is proven; an establishment
 *	                                                          └─> anything else: the same key again, after a while
 *
 * Pauses double from 1 s to 1 min, each shortened by up to a half at random. Establishments that begin by themselves are bounded:
 * with a key at the end and yet no tunnel, they are at most EXTDEV_USE_PER_HOUR; refused for good, the next one comes after a pause that
 * doubles from 1 min to 10 min, and whoever wants a tunnel meanwhile hears that refusal: so who is taken back is served soon.
 */
#ifndef EXTDEVD_USE_H
#define EXTDEVD_USE_H

#include "extdevd/channel.h"
#include "extdevd/core.h"

#define EXTDEV_USE_PER_HOUR 6
#define EXTDEV_USE_BACK_OFF_MS 1000	/* the first pause */
#define EXTDEV_USE_BARRED_MS 60000	/* the first one after a refusal */
#define EXTDEV_USE_BARRED_MAX_MS 600000

struct extdev_forgetting;

/* c is NULL when why is not REASON_NONE. Runs once. */
typedef void extdev_user_fn(void *arg, const struct extdev_channel *c, enum reason why, const char *detail);
struct extdev_user {
	TAILQ_ENTRY(extdev_user) all;
	extdev_user_fn *fn;
	extdev_progress_fn *progress;	/* may be NULL */
	void *arg;
};

struct extdev_use {
	LIST_HEAD(, extdev_channel) channels;
	struct extdev_channel *coming;		/* not up yet */
	struct extdev_channel *current;		/* up: new streams go there */

	/* who wants one, besides services and use_on_connect */
	TAILQ_HEAD(, extdev_user) users;
	unsigned asked;				/* by the MT: attempts left */

	bool asking;				/* N10, about the key */
	struct extdev_key key;
	bool refused, refused_fresh;		/* U3: the MT does not share the key of this triple; only a new B-TID helps */
	struct triple refused_triple;
	bool lost;				/* the key of a tunnel is over: use_on_connect asks for another */

	struct clock_timer *again;
	int64_t back_off_ms, tried_ms, pause_ends_ms;
	bool began;				/* the establishment under way is ours */
	int64_t made_ms[EXTDEV_USE_PER_HOUR];	/* when the last ones ended; 0 = never */
	unsigned next_made;
	enum reason barred_why;			/* the last one was refused so; _NONE = it was not */
	int64_t barred_ms, barred_ends_ms;	/* the pause after that */

	struct clock_timer *renew;		/* renew.c */
	struct triple renew_triple;		/* the key whose renewal is planned */
	int64_t renew_s, renew_expires_s;
	struct extdev_forgetting *forgetting;	/* forget.c */
};

/*
 * An operator's wish. fn never inside this call: a tunnel is up, or the first attempt failed. Before it progress, which may be NULL:
 * what it waits for (U10): an establishment that comes first, the state question, the MT.
 */
void extdev_use_await(struct extdev_mt *m, extdev_user_fn *fn, extdev_progress_fn *progress, void *arg);
/* Where new streams go; NULL = nowhere yet. */
struct tunnel *extdev_use_tunnel(const struct extdev_mt *m);
/* Is the tunnel alive? One that does not answer is closed. */
void extdev_use_probe(struct extdev_mt *m);
/* Look what can be done for whoever wants one; for somebody new, without the pause that a failure left, but for some seconds. */
void extdev_use_look(struct extdev_mt *m);
void extdev_use_hurry(struct extdev_mt *m);

/* channel.c tells. The last one: c is to be freed. */
void extdev_use_on_proven(struct extdev_channel *c);
void extdev_use_on_up(struct extdev_channel *c);
void extdev_use_on_closed(struct extdev_channel *c, const struct extdev_channel_end *end);

/* --- use_pick.c: which key, and where the next comes from */

/* The newest one: a waiting one that was never used goes before the one in use, so that it can be confirmed. RC_NOTFOUND. Caller clears. */
enum rc extdev_use_pick(struct extdev_mt *m, struct extdev_key *out) MUST_USE;
/* The one of this triple, if it lives. RC_NOTFOUND. Caller clears. */
enum rc extdev_use_find(struct extdev *e, const struct mt_id *mt, const struct triple *t, struct extdev_key *out) MUST_USE;
/*
 * Each key that was replaced while its tunnel drains: in no row any more, and so asked about from here (N7). k has its names, dates and no
 * secret. Stops at fn's first rc that is not RC_OK. _on_state: what was said of it; taken back, its tunnels are closed.
 */
enum rc extdev_use_each_replaced(struct extdev *e, enum rc (*fn)(void *arg, const struct extdev_key *k), void *arg) MUST_USE;
void extdev_use_on_state(struct extdev *e, const struct mt_id *mt, const struct triple *t, const struct extdev_ua_state *a);
/* No key, or none that is shared: an establishment by itself, unless there were too many. Its end is heard by use.c. */
void extdev_use_establish(struct extdev_mt *m);
/* One ended: with a key; for good without one. */
void extdev_use_count(struct extdev_use *u, int64_t now_ms);
void extdev_use_bar(struct extdev_mt *m, enum reason why);
/* The MT says, or the handshake, that c's key is not shared. */
void extdev_use_not_shared(struct extdev_channel *c, const struct extdev_channel_end *end);
/* The expiry timer of all tunnels: set, and run. */
void extdev_use_set_expiry(struct extdev *e);

/* use.c: operators hear it, and wait no longer. */
void extdev_use_tell(struct extdev_mt *m, const struct extdev_channel *c, enum reason why, const char *detail);
/* use.c: nothing can be done now; the same again in so long, or after the usual pause at 0. Operators are told. */
void extdev_use_not_now(struct extdev_mt *m, enum reason why, int64_t after_ms, const char *detail);

/* --- renew.c: another key ahead of the expiry of the one in use */

/* Something about the key or its use changed: plan. */
void extdev_renew_plan(struct extdev_mt *m);
void extdev_renew_due(void *mt);

/* --- forget.c: what the MT need not keep any more (K5) */

/* Inside store_begin: keys of this MT with another Device_ID than t's are owed to be forgotten once t's is confirmed. */
enum rc extdev_forget_owe(struct extdev_mt *m, const struct triple *t) MUST_USE;
/* Says so, if something is owed and the only tunnel is on the newer key. */
void extdev_forget_look(struct extdev_mt *m);
void extdev_forget_stop(struct extdev_mt *m);

#endif
