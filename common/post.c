#include "common/post.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"

#define PER_TURN 256

struct job {
	void (*fn)(void *arg);
	void *arg;
};

struct post {
	pthread_mutex_t lock;
	struct job *ring;
	size_t cap, first, n;
	int fd;
	struct event *ev;
};

static void
wake(struct post *q)
{
	if (eventfd_write(q->fd, 1) != 0)
		log_fatal("post: the loop cannot be woken");
}

/* How many may run in this turn; the queue may grow meanwhile, that is the next turn's. */
static size_t
waiting_now(struct post *q)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->n < PER_TURN ? q->n : PER_TURN;
	pthread_mutex_unlock(&q->lock);
	return n;
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct post *q = arg;
	eventfd_t count;
	bool more = false;

	(void)what;
	if (eventfd_read((int)fd, &count) != 0)
		return;
	for (size_t n = waiting_now(q); n > 0; n--) {
		struct job j;

		pthread_mutex_lock(&q->lock);
		j = q->ring[q->first];
		q->first = (q->first + 1) % q->cap;
		/* At empty, the next post() wakes again. */
		more = --q->n > 0;
		pthread_mutex_unlock(&q->lock);
		j.fn(j.arg);
	}
	if (more)
		wake(q);
}

enum rc
post_new(struct loop *loop, size_t cap, struct post **out)
{
	struct post *q = calloc(1, sizeof *q);
	enum rc rc = RC_NOMEM;

	if (q == NULL)
		return RC_NOMEM;
	pthread_mutex_init(&q->lock, NULL);
	q->cap = cap;
	if ((q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 || (q->ring = calloc(cap, sizeof *q->ring)) == NULL)
		goto out;
	if ((q->ev = event_new(loop_base(loop), q->fd, EV_READ | EV_PERSIST, on_wake, q)) == NULL || event_add(q->ev, NULL) != 0)
		goto out;
	*out = q;
	q = NULL;
	rc = RC_OK;
out:
	post_free(q);
	return rc;
}

void
post_free(struct post *q)
{
	if (q == NULL)
		return;
	if (q->ev != NULL)
		event_free(q->ev);
	if (q->fd >= 0)
		close(q->fd);
	pthread_mutex_destroy(&q->lock);
	free(q->ring);
	free(q);
}

enum rc
post(struct post *q, void (*fn)(void *arg), void *arg)
{
	bool first = false, full;

	pthread_mutex_lock(&q->lock);
	if (!(full = q->n == q->cap)) {
		q->ring[(q->first + q->n) % q->cap] = (struct job){ fn, arg };
		first = q->n++ == 0;
	}
	pthread_mutex_unlock(&q->lock);
	if (full)
		return RC_LIMIT;
	if (first)
		wake(q);
	return RC_OK;
}

size_t
post_waiting(struct post *q)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->n;
	pthread_mutex_unlock(&q->lock);
	return n;
}
