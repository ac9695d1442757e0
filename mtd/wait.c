#include "mtd/wait.h"

#include <stdlib.h>

#include "common/clock.h"

#define PROGRESS_MS 5000	/* half of what an asker waits for a word (U10) */
#define PROGRESS_WAIT_S 20

static void
tell(struct mt_waiter *w)
{
	if (w->progress != NULL)
		w->progress(w->arg, w->word, PROGRESS_WAIT_S);
}

static void
on_timer(void *arg)
{
	struct mt_wait *q = arg;

	for (struct mt_waiter *w = q->first; w != NULL; w = w->next)
		tell(w);
	if (q->first != NULL)
		clock_timer_set(q->timer, PROGRESS_MS);
}

enum rc
mt_wait_init(struct mt_wait *q, struct clock *c)
{
	q->first = NULL;
	q->last = &q->first;
	return clock_timer_new(c, on_timer, q, &q->timer);
}

struct mt_waiter *
mt_wait_take(struct mt_wait *q)
{
	struct mt_waiter *w = q->first;

	q->first = NULL;
	q->last = &q->first;
	clock_timer_stop(q->timer);
	return w;
}

void
mt_wait_clear(struct mt_wait *q)
{
	struct mt_waiter *next;

	for (struct mt_waiter *w = q->first; w != NULL; w = next) {
		next = w->next;
		free(w);
	}
	q->first = NULL;
	clock_timer_free(q->timer);
	q->timer = NULL;
}

void
mt_wait_in(struct mt_wait *q, struct mt_waiter *w, const char *word)
{
	w->word = word;
	w->next = NULL;
	*q->last = w;
	q->last = &w->next;
	tell(w);
	if (!clock_timer_armed(q->timer))
		clock_timer_set(q->timer, PROGRESS_MS);
}
