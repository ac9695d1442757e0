/*
 * http_server_early: handshakes that wait for their client.
 *
 * With epoll, libmicrohttpd keeps a connection whose handshake is not through on its list of ready ones: a worker asks it again and
 * again, and burns a core as long as any client thinks. So the connection is suspended when its socket is empty, and resumed when the
 * loop sees something there: an epoll set of ours, which the loop watches as one descriptor.
 *
 *   worker   nothing to read, before the handshake's end (http_server_wire.c)  → suspended, its descriptor armed for one event
 *   loop     on_ready()                                                        → resumed
 */
#include "common/http_server_int.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "common/loop.h"

#define PER_TURN 64

/* s->lock held. */
static void
resume(struct conn *c)
{
	c->early = false;
	MHD_resume_connection(c->mhd);
	if (c->s->run != NULL)
		loop_again(c->s->run);
}

/* A worker, inside libmicrohttpd's call of gnutls_handshake(). If it cannot wait it is asked again, as ever. */
void
http_early_wait(struct conn *c)
{
	struct http_server *s = c->s;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c };

	pthread_mutex_lock(&s->lock);
	if (!atomic_load(&s->stopping)) {
		MHD_suspend_connection(c->mhd);
		c->early = true;
		if (epoll_ctl(s->early_fd, EPOLL_CTL_MOD, c->fd, &ev) != 0 && epoll_ctl(s->early_fd, EPOLL_CTL_ADD, c->fd, &ev) != 0)
			resume(c);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Who is early is suspended, so its conn stands. */
static void
on_ready(void *arg)
{
	struct http_server *s = arg;
	struct epoll_event ev[PER_TURN];
	int n = epoll_wait(s->early_fd, ev, PER_TURN, 0);

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < n; i++)
		resume(ev[i].data.ptr);
	pthread_mutex_unlock(&s->lock);
}

enum rc
http_early_new(struct http_server *s)
{
	if ((s->early_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		return RC_IO;
	return loop_watch(s->loop, s->early_fd, on_ready, s, &s->early);
}

void
http_early_free(struct http_server *s)
{
	loop_unwatch(s->early);
	if (s->early_fd >= 0)
		close(s->early_fd);
}

void
http_early_end(struct http_server *s)
{
	struct conn *c;

	pthread_mutex_lock(&s->lock);
	TAILQ_FOREACH(c, &s->conns, list)
		if (c->early) {
			(void)epoll_ctl(s->early_fd, EPOLL_CTL_DEL, c->fd, NULL);
			resume(c);
		}
	pthread_mutex_unlock(&s->lock);
}
