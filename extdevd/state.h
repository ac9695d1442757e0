/*
 * state: is a key still what the NAF Key Center gave? The answer to "may it be used?" for whoever is about to.      RULES N7, N9, N10
 */
#ifndef EXTDEVD_STATE_H
#define EXTDEVD_STATE_H

#include "common/reason.h"

struct extdev_key;
struct extdev_mt;

/* REASON_NONE: use it. Else why not. */
typedef void extdev_may_fn(void *arg, enum reason why);
/*
 * May this key of m's be used now? fn exactly once: inside this call where nothing has to be asked first, which is so by default
 * (N10: use never waits for the network). k is borrowed during the call.
 */
void extdev_state_before_use(struct extdev_mt *m, const struct extdev_key *k, extdev_may_fn *fn, void *arg);
/* Whoever asked with arg is gone: fn will not run. None there is fine. */
void extdev_state_cancel(struct extdev_mt *m, void *arg);

#endif
