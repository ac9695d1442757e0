/*
 * state: is a key still what the NAF Key Center gave?                                                     RULES N7, N9, N10
 *
 *	asked   when a connection with the MT comes up, beside it; every state_interval; by ksctl; before use where that is configured
 *	200     it stands by the key: the earlier of both dates holds (N9)      304   as before
 *	404     it does not know it: kept, asked again later                    410   taken back: deleted here
 *	else    it said nothing: kept, asked again after pauses that double
 *
 * What it says is believed because http_client lets no answer through that is not the Key Center's (N4). Whatever removes or
 * shortens a key calls extdev_keys_gone().
 */
#ifndef EXTDEVD_STATE_H
#define EXTDEVD_STATE_H

#include <stdbool.h>

#include "common/reason.h"

struct extdev;
struct extdev_key;
struct extdev_mt;
struct extdev_ua_state;

/* REASON_NONE: use it. Else why not: _CLOCK_JUMPED, _EXT_KEY_GONE, _EXT_KEY_LAPSED, _STOPPING. */
typedef void extdev_may_fn(void *arg, enum reason why);
/*
 * May this key of m's be used now? fn exactly once: inside this call where nothing has to be asked first, which is so by default
 * (N10: use never waits for the network). Asked and told nothing, the key may be used while its grace lasts. k is borrowed
 * during the call.
 */
void extdev_state_before_use(struct extdev_mt *m, const struct extdev_key *k, extdev_may_fn *fn, void *arg);
/* Whoever asked with arg is gone: its function will not run. None there is fine. */
void extdev_state_cancel(struct extdev_mt *m, void *arg);
/* N10: nobody has stood by it for longer than state_grace. Always false by default. */
bool extdev_state_lapsed(const struct extdev *e, const struct extdev_key *k);

/* One answer, already acted upon: a is what the Key Center said. */
typedef void extdev_state_fn(void *arg, const struct extdev_ua_state *a);
/* Ask now; who asks about a key that is being asked about hears the same answer. fn once, never inside this call, unless cancelled. */
void extdev_state_ask(struct extdev *e, const struct extdev_key *k, extdev_state_fn *fn, void *arg);

#endif
