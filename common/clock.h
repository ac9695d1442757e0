/*
 * clock: the time seam: wall clock, monotonic clock and timers. One per daemon, owned by the loop thread.
 * Real (follows the kernel), controlled (the kernel's plus what an operator added; RULES T3) or virtual (stands still
 * until advanced; the simulator's). Timers of all three live in one heap here and fire in order of their deadline.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"

struct clock;
struct clock_timer;
struct loop;

enum clock_kind { CLOCK_REAL, CLOCK_CONTROLLED, CLOCK_VIRTUAL };

/* Follows the kernel; wakes loop for its timers. kind: CLOCK_REAL or CLOCK_CONTROLLED. Caller frees. */
enum rc clock_new(struct loop *loop, enum clock_kind kind, struct clock **out) MUST_USE;
/* Stands at wall_ms until clock_advance(). Caller frees. */
enum rc clock_new_virtual(int64_t wall_ms, struct clock **out) MUST_USE;
/* Timers still alive are disarmed, and freed by their owners. NULL is fine. */
void clock_free(struct clock *c);

/* UTC, since 1970: whole seconds, milliseconds. */
int64_t clock_now_s(const struct clock *c);
int64_t clock_now_ms(const struct clock *c);
/* Never steps back; no meaning but differences. */
int64_t clock_mono_ms(const struct clock *c);
enum clock_kind clock_kind(const struct clock *c);

/*
 * Move wall and monotonic clock forward by ms and run every timer that falls due. Virtual: each at its own time, and again as often
 * as it arms itself. Controlled: all at the end, as after a machine's sleep, since peers that timers wait for cannot answer on the
 * way. Returns how many ran. On a real clock it aborts: our own bug.
 */
size_t clock_advance(struct clock *c, int64_t ms);
/* Controlled and virtual: step the wall clock alone, either way (a clock set by hand; RULES T2). */
void clock_step_wall(struct clock *c, int64_t ms);
/* Milliseconds to the next timer, 0 if one is due, -1 if none is armed. */
int64_t clock_until_next(const struct clock *c);

/* A timer, not armed. fn runs on the loop thread; it may re-arm or free its own timer. */
enum rc clock_timer_new(struct clock *c, void (*fn)(void *arg), void *arg, struct clock_timer **out) MUST_USE;
/* Arm, or arm anew, to fire once in delay_ms (0 = in the next turn). */
void clock_timer_set(struct clock_timer *t, int64_t delay_ms);
void clock_timer_stop(struct clock_timer *t);
bool clock_timer_armed(const struct clock_timer *t);
/* Stops and frees; NULL is fine. */
void clock_timer_free(struct clock_timer *t);

/* UTC as xs:dateTime with Z, "2030-01-01T12:00:00Z"; t in 0 .. 253402300799, others are clamped. */
#define UTC_TEXT_LEN 20
void clock_print_utc(int64_t t, char out[static UTC_TEXT_LEN + 1]);
/*
 * xs:dateTime with Z or an offset, fractions cut off (ub.md 4); z_only = refuse offsets (ts33259.md 7).
 * RC_SYNTAX, RC_RANGE.
 */
enum rc clock_parse_utc(const char *p, size_t n, bool z_only, int64_t *out) MUST_USE;

#endif
