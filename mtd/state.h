/*
 * mt_state: is a key still what the NAF Key Center gave? The answer to "may it be used?" for whoever is about to.       RULES N7, N9, N10
 */
#ifndef MTD_STATE_H
#define MTD_STATE_H

#include "common/rc.h"
#include "common/reason.h"
#include "mtd/mt.h"

struct mt_key;
struct mt_state;

/* Seams and conf are borrowed. Caller frees. RC_NOMEM. */
enum rc mt_state_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_state **out) MUST_USE;
/* What was asked is answered by nobody. NULL is fine. */
void mt_state_free(struct mt_state *st);

/* REASON_NONE: use it. Else why not. */
typedef void mt_may_fn(void *arg, enum reason why);
/*
 * May this key be used now? fn exactly once: inside this call where nothing has to be asked first, which is so by default (N10: use
 * never waits for the network). k is borrowed during the call.
 */
void mt_state_before_use(struct mt_state *st, const struct mt_key *k, mt_may_fn *fn, void *arg);
/* Whoever asked with arg is gone: fn will not run. None there is fine. */
void mt_state_cancel(struct mt_state *st, void *arg);

#endif
