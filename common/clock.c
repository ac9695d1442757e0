#include "common/clock.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "common/log.h"
#include "common/loop.h"

#define LOOP_WAIT_MAX_MS 3600000	/* libevent's timers stand still while the machine sleeps; look again at least so often */
#define SAME_INSTANT_MAX 1000000	/* timers run without time moving: more is one that re-arms itself for ever */

struct clock_timer {
	struct clock *clock;		/* NULL: the clock is gone */
	void (*fn)(void *arg);
	void *arg;
	size_t at;			/* place in the heap, from 1; 0 = not armed */
	int64_t deadline;		/* on the monotonic clock */
	uint64_t order;			/* of arming, decides between equal deadlines */
	LIST_ENTRY(clock_timer) all;
};

struct clock {
	enum clock_kind kind;
	/* What is added to the kernel's clocks; a virtual clock's kernel stands at 0. */
	int64_t wall_ms, mono_ms;
	struct event *wake;		/* NULL on a virtual clock */
	uint64_t armed;
	struct clock_timer **heap;	/* [1..n] */
	size_t n, cap, timers;
	LIST_HEAD(, clock_timer) all;
};

static int64_t
kernel_ms(const struct clock *c, clockid_t id)
{
	struct timespec ts;

	if (c->kind == CLOCK_VIRTUAL)
		return 0;
	if (clock_gettime(id, &ts) != 0)
		log_fatal("clock: the kernel has no clock %d", (int)id);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the heap: earliest deadline first */

static bool
before(const struct clock_timer *a, const struct clock_timer *b)
{
	return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void
heap_put(struct clock *c, size_t at, struct clock_timer *t)
{
	c->heap[at] = t;
	t->at = at;
}

static void
heap_up(struct clock *c, size_t at)
{
	struct clock_timer *t = c->heap[at];

	for (; at > 1 && before(t, c->heap[at / 2]); at /= 2)
		heap_put(c, at, c->heap[at / 2]);
	heap_put(c, at, t);
}

static void
heap_down(struct clock *c, size_t at)
{
	struct clock_timer *t = c->heap[at];

	for (size_t kid; (kid = 2 * at) <= c->n; at = kid) {
		if (kid < c->n && before(c->heap[kid + 1], c->heap[kid]))
			kid++;
		if (!before(c->heap[kid], t))
			break;
		heap_put(c, at, c->heap[kid]);
	}
	heap_put(c, at, t);
}

static void
heap_add(struct clock *c, struct clock_timer *t)
{
	heap_put(c, ++c->n, t);
	heap_up(c, c->n);
}

static void
heap_remove(struct clock *c, struct clock_timer *t)
{
	size_t at = t->at;
	struct clock_timer *last = c->heap[c->n--];

	t->at = 0;
	if (last == t)
		return;
	heap_put(c, at, last);
	heap_up(c, at);
	heap_down(c, last->at);
}

/* --- running them */

static void
set_wake(struct clock *c)
{
	int64_t ms = clock_until_next(c);
	struct timeval tv;

	if (c->wake == NULL)
		return;
	if (ms < 0) {
		evtimer_del(c->wake);
		return;
	}
	if (ms > LOOP_WAIT_MAX_MS)
		ms = LOOP_WAIT_MAX_MS;
	tv = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	if (evtimer_add(c->wake, &tv) != 0)
		log_fatal("clock: the loop takes no timer");
}

static void
run_first(struct clock *c)
{
	struct clock_timer *t = c->heap[1];

	heap_remove(c, t);
	t->fn(t->arg);		/* may free t */
}

/* Those due when the turn began; what they arm with 0 runs in the next turn, so that a turn ends. */
static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct clock *c = arg;
	int64_t now = clock_mono_ms(c);
	uint64_t until = c->armed;

	(void)fd;
	(void)what;
	while (c->n > 0 && c->heap[1]->deadline <= now && c->heap[1]->order <= until)
		run_first(c);
	set_wake(c);
}

size_t
clock_advance(struct clock *c, int64_t ms)
{
	int64_t target = clock_mono_ms(c) + ms, at = 0;
	size_t ran = 0, here = 0;

	if (c->kind == CLOCK_REAL || ms < 0)
		log_fatal("clock: a real clock, or backwards, cannot be advanced");
	if (c->kind == CLOCK_CONTROLLED) {
		c->mono_ms += ms;
		c->wall_ms += ms;
	}
	while (c->n > 0 && c->heap[1]->deadline <= target) {
		int64_t wait = c->heap[1]->deadline - clock_mono_ms(c);

		if (wait > 0) {
			c->mono_ms += wait;
			c->wall_ms += wait;
		}
		here = c->heap[1]->deadline == at ? here + 1 : 0;
		at = c->heap[1]->deadline;
		if (here > SAME_INSTANT_MAX)
			log_fatal("clock: a timer arms itself anew without end");
		run_first(c);
		ran++;
	}
	if ((ms = target - clock_mono_ms(c)) > 0) {
		c->mono_ms += ms;
		c->wall_ms += ms;
	}
	set_wake(c);
	return ran;
}

void
clock_step_wall(struct clock *c, int64_t ms)
{
	if (c->kind == CLOCK_REAL)
		log_fatal("clock: a real clock cannot be stepped");
	c->wall_ms += ms;
}

int64_t
clock_until_next(const struct clock *c)
{
	int64_t ms;

	if (c->n == 0)
		return -1;
	ms = c->heap[1]->deadline - clock_mono_ms(c);
	return ms > 0 ? ms : 0;
}

/* --- clocks */

enum rc
clock_new_virtual(int64_t wall_ms, struct clock **out)
{
	struct clock *c = calloc(1, sizeof *c);

	if (c == NULL)
		return RC_NOMEM;
	c->kind = CLOCK_VIRTUAL;
	c->wall_ms = wall_ms;
	LIST_INIT(&c->all);
	*out = c;
	return RC_OK;
}

enum rc
clock_new(struct loop *loop, enum clock_kind kind, struct clock **out)
{
	struct clock *c = NULL;
	enum rc rc;

	if ((rc = clock_new_virtual(0, &c)) != RC_OK)
		return rc;
	c->kind = kind;
	if ((c->wake = evtimer_new(loop_base(loop), on_wake, c)) == NULL) {
		clock_free(c);
		return RC_NOMEM;
	}
	*out = c;
	return RC_OK;
}

void
clock_free(struct clock *c)
{
	struct clock_timer *t;

	if (c == NULL)
		return;
	LIST_FOREACH(t, &c->all, all) {
		t->clock = NULL;
		t->at = 0;
	}
	if (c->wake != NULL)
		event_free(c->wake);
	free(c->heap);
	free(c);
}

int64_t
clock_now_ms(const struct clock *c)
{
	return kernel_ms(c, CLOCK_REALTIME) + c->wall_ms;
}

int64_t
clock_now_s(const struct clock *c)
{
	int64_t ms = clock_now_ms(c);

	return ms >= 0 ? ms / 1000 : -((999 - ms) / 1000);
}

/* BOOTTIME goes on while the machine sleeps: a lid that was closed for a night is no step of the wall clock (RULES T2). */
int64_t
clock_mono_ms(const struct clock *c)
{
	return kernel_ms(c, CLOCK_BOOTTIME) + c->mono_ms;
}

enum clock_kind
clock_kind(const struct clock *c)
{
	return c->kind;
}

/* --- timers */

enum rc
clock_timer_new(struct clock *c, void (*fn)(void *arg), void *arg, struct clock_timer **out)
{
	struct clock_timer *t = calloc(1, sizeof *t);

	if (t == NULL)
		return RC_NOMEM;
	/* Room for every timer there is, so that arming cannot fail. */
	if (c->timers + 2 > c->cap) {
		size_t cap = c->cap == 0 ? 16 : 2 * c->cap;
		struct clock_timer **heap = realloc(c->heap, cap * sizeof(struct clock_timer *));

		if (heap == NULL) {
			free(t);
			return RC_NOMEM;
		}
		c->heap = heap;
		c->cap = cap;
	}
	c->timers++;
	t->clock = c;
	t->fn = fn;
	t->arg = arg;
	LIST_INSERT_HEAD(&c->all, t, all);
	*out = t;
	return RC_OK;
}

void
clock_timer_set(struct clock_timer *t, int64_t delay_ms)
{
	struct clock *c = t->clock;
	int64_t now;

	if (c == NULL)
		return;
	if (t->at != 0)
		heap_remove(c, t);
	now = clock_mono_ms(c);
	if (delay_ms < 0)
		delay_ms = 0;
	t->deadline = delay_ms > INT64_MAX - now ? INT64_MAX : now + delay_ms;
	t->order = ++c->armed;
	heap_add(c, t);
	if (t->at == 1)
		set_wake(c);
}

void
clock_timer_stop(struct clock_timer *t)
{
	if (t->clock == NULL || t->at == 0)
		return;
	heap_remove(t->clock, t);	/* a wake-up too many is harmless */
}

bool
clock_timer_armed(const struct clock_timer *t)
{
	return t->at != 0;
}

void
clock_timer_free(struct clock_timer *t)
{
	if (t == NULL)
		return;
	clock_timer_stop(t);
	if (t->clock != NULL) {
		t->clock->timers--;
		LIST_REMOVE(t, all);
	}
	free(t);
}
