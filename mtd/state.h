/*
 * mt_state: is a key still what the NAF Key Center gave? Each key's Key Center is asked at an interval (question.h), beside its use;
 * what it says is kept: an earlier end (N9), an end at once (then whoever uses keys is told, and a tombstone stays, N8). The answer
 * to "may it be used?" for whoever is about to.                                                     RULES N7, N8, N9, N10; seed 7.2
 *
 *	the store knows who is due ─▶ at most MT_STATE_AT_ONCE questions ─▶ good: last_ok │ gone: delete │ else: keep, ask again
 */
#ifndef MTD_STATE_H
#define MTD_STATE_H

#include <jansson.h>
#include <stdbool.h>

#include "common/rc.h"
#include "common/reason.h"
#include "mtd/mt.h"
#include "mtd/state_msg.h"

#define MT_STATE_AT_ONCE 4

struct mt_key;
struct mt_state;

/* Seams and conf are borrowed. Caller frees. RC_NOMEM. */
enum rc mt_state_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_state **out) MUST_USE;
/* What was asked is answered by nobody. NULL is fine. */
void mt_state_free(struct mt_state *st);
/* fn is told, in the turn, when a key is gone, ends sooner (at expires, else INT64_MAX), or is suspended. */
void mt_state_on_gone(struct mt_state *st, void (*fn)(void *arg, int64_t expires), void *arg);
/* Asks from now on. */
void mt_state_start(struct mt_state *st);
/* Asks no more; who waits is told REASON_STOPPING. */
void mt_state_stop(struct mt_state *st);

/* REASON_NONE: use it. Else why not. */
typedef void mt_may_fn(void *arg, enum reason why);
/*
 * May this key be used now? fn exactly once: inside this call where nothing has to be asked first, which is so by default (N10: use
 * never waits for the network). k is borrowed during the call.
 */
void mt_state_before_use(struct mt_state *st, const struct mt_key *k, mt_may_fn *fn, void *arg);
/* Whoever asked with arg is gone: fn will not run. None there is fine. */
void mt_state_cancel(struct mt_state *st, void *arg);
/* Not suspended (N10): what runs on this key may go on. Asks nobody. */
bool mt_state_usable(const struct mt_state *st, const struct mt_key *k);

/*
 * Ask now about this key, which is borrowed during the call; with k->ks_naf where its row is gone, else that is NULL. told exactly once;
 * inside the call when its NAF has no keycenter section.
 */
typedef void mt_told_fn(void *arg, const struct triple *t, const struct mt_said *said);
void mt_state_check(struct mt_state *st, const struct mt_key *k, mt_told_fn *told, void *arg);

/* A Key Center that could not be asked, or was not believed, the last time: a problem. */
void mt_state_health(const struct mt_state *st, json_t *problems);

#endif
