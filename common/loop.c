#include "common/loop.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/wipe.h"

struct loop_signal {
	struct event *ev;
	void (*fn)(int signo, void *arg);
	void *arg;
	SLIST_ENTRY(loop_signal) next;
};

struct loop {
	struct event_base *base;
	bool stop;
	SLIST_HEAD(, loop_signal) signals;
	LIST_HEAD(, loop_watch) again;
};

struct loop_watch {
	struct loop *loop;
	struct event *ev;
	void (*fn)(void *arg);
	void *arg;
	bool again;
	LIST_ENTRY(loop_watch) next;	/* in loop->again */
};

enum rc
loop_new(struct loop **out)
{
	struct loop *l = calloc(1, sizeof *l);

	if (l == NULL)
		return RC_NOMEM;
	event_set_mem_functions(malloc, wipe_realloc, wipe_free);	/* keys pass through its buffers */
	SLIST_INIT(&l->signals);
	LIST_INIT(&l->again);
	if ((l->base = event_base_new()) == NULL) {
		free(l);
		return RC_IO;
	}
	/* A peer that closes while we write is an error of that write, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	*out = l;
	return RC_OK;
}

void
loop_free(struct loop *l)
{
	struct loop_signal *s;

	if (l == NULL)
		return;
	while ((s = SLIST_FIRST(&l->signals)) != NULL) {
		SLIST_REMOVE_HEAD(&l->signals, next);
		event_free(s->ev);
		free(s);
	}
	event_base_free(l->base);
	free(l);
}

/* Made active by the turn before, they would run in that one. */
static int
one_turn(struct loop *l, int flags)
{
	struct loop_watch *w;

	while ((w = LIST_FIRST(&l->again)) != NULL) {
		LIST_REMOVE(w, next);
		w->again = false;
		event_active(w->ev, EV_READ, 0);
	}
	return event_base_loop(l->base, EVLOOP_ONCE | flags);
}

enum rc
loop_run(struct loop *l, void (*turn_end)(void *arg), void *arg)
{
	l->stop = false;
	while (!l->stop) {
		/* libevent 2.1 has no end-of-turn hook, and an event of lowest priority starves under load. */
		int r = one_turn(l, 0);

		if (r < 0)
			return RC_IO;
		turn_end(arg);
		if (r > 0)
			break;		/* nothing is registered any more */
	}
	return RC_OK;
}

bool
loop_turn(struct loop *l, void (*turn_end)(void *arg), void *arg)
{
	int r = one_turn(l, EVLOOP_NONBLOCK);

	if (turn_end != NULL)
		turn_end(arg);
	return r == 0;
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
	event_base_loopbreak(l->base);
}

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)what;
	s->fn((int)signo, s->arg);
}

enum rc
loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg)
{
	struct loop_signal *s = calloc(1, sizeof *s);

	if (s == NULL)
		return RC_NOMEM;
	s->fn = fn;
	s->arg = arg;
	if ((s->ev = evsignal_new(l->base, signo, on_signal, s)) == NULL || evsignal_add(s->ev, NULL) != 0) {
		if (s->ev != NULL)
			event_free(s->ev);
		free(s);
		return RC_IO;
	}
	SLIST_INSERT_HEAD(&l->signals, s, next);
	return RC_OK;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *w = arg;

	(void)fd;
	(void)what;
	w->fn(w->arg);
}

enum rc
loop_watch(struct loop *l, int fd, void (*fn)(void *arg), void *arg, struct loop_watch **out)
{
	struct loop_watch *w = calloc(1, sizeof *w);

	if (w == NULL)
		return RC_NOMEM;
	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	if ((w->ev = event_new(l->base, fd, EV_READ | EV_PERSIST, on_readable, w)) == NULL || event_add(w->ev, NULL) != 0) {
		loop_unwatch(w);
		return RC_IO;
	}
	*out = w;
	return RC_OK;
}

void
loop_unwatch(struct loop_watch *w)
{
	if (w == NULL)
		return;
	if (w->again)
		LIST_REMOVE(w, next);
	if (w->ev != NULL)
		event_free(w->ev);
	free(w);
}

void
loop_again(struct loop_watch *w)
{
	if (!w->again)
		LIST_INSERT_HEAD(&w->loop->again, w, next);
	w->again = true;
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}
