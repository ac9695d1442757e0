/*
 * timeguard: what time it is, for everything that expires.                                                RULES T2
 * A mark, kept in the store, follows the wall clock only as fast as the monotonic clock, plus steps of at most clock_step_max.
 *
 *   wall clock against the mark           now is              jumped
 *   behind it (a step back)               the mark            no
 *   ahead by no more than clock_step_max  the wall clock,     no
 *     + the monotonic time gone by          and so the mark
 *   ahead by more                         the mark, moving    yes: no new keys, no uses; nothing is deleted for it
 *                                           with the
 *                                           monotonic clock
 *
 * jumped ends when the clock returns, or by timeguard_accept(). So one wrong clock neither revives a key nor destroys a lab.
 */
#ifndef COMMON_TIMEGUARD_H
#define COMMON_TIMEGUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rc.h"

struct clock;
struct store;
struct timeguard;

#define TIMEGUARD_STEP_MAX_S 86400	/* clock_step_max = 1d */

/*
 * Reads the mark; a new store's begins at the wall clock. Saves it every minute by a timer of clock, inside the turn.
 *   st   NULL = the mark lives in memory
 * RC_NOMEM, RC_IO. Caller frees, before the clock and the store.
 */
enum rc timeguard_new(struct clock *c, struct store *st, int64_t step_max_s, struct timeguard **out) MUST_USE;
void timeguard_free(struct timeguard *g);

/* now_s for cores: never goes back, not even over a restart. */
int64_t timeguard_now(struct timeguard *g);
/* REASON_CLOCK_JUMPED is what to answer then. Looks at the clock first. */
bool timeguard_jumped(struct timeguard *g);
/* The wall clock is right (ksctl DAEMON clock accept): the mark goes there. */
void timeguard_accept(struct timeguard *g);
/* Put the mark into the turn's transaction: before deleting what has expired, and when the daemon stops. */
enum rc timeguard_save(struct timeguard *g) MUST_USE;

#endif
