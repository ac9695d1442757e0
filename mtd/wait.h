/* mt_wait: those who wait for the same thing, told every 5 s that it lasts (U10). */
#ifndef MTD_WAIT_H
#define MTD_WAIT_H

#include <stdint.h>

#include "common/rc.h"

struct clock;
struct clock_timer;

/* word: a LOCALIF_WAIT_…; wait_s: how long it may last still. Never passed on to a wire at once: turn_later(). */
typedef void mt_progress_fn(void *arg, const char *word, int64_t wait_s);

struct mt_waiter {		/* first member of something allocated with malloc() */
	struct mt_waiter *next;
	const char *word;
	mt_progress_fn *progress;	/* may be NULL */
	void *arg;
};
struct mt_wait {
	struct mt_waiter *first, **last;
	struct clock_timer *timer;
};

enum rc mt_wait_init(struct mt_wait *q, struct clock *c) MUST_USE;
/* Frees who still waits. */
void mt_wait_clear(struct mt_wait *q);
/* Last in line; the first word at once. */
void mt_wait_in(struct mt_wait *q, struct mt_waiter *w, const char *word);
/* All of them, first come first, now the caller's: what they cause may fill the line anew. */
struct mt_waiter *mt_wait_take(struct mt_wait *q);

#endif
