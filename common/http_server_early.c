/*
 * http_server_early: handshakes that wait for their client.
 *
 * With epoll, libmicrohttpd keeps a connection whose handshake is not through on its list of ready ones: a worker asks it again and
 * again, and burns a core as long as any client thinks. So the connection is suspended when its socket is empty, and resumed when the
 * loop sees something there: an epoll set of ours, which the loop watches as one descriptor.
 *
 *   worker   pull() finds nothing, before the handshake's end  → suspended, its descriptor armed for one event
 *   loop     on_ready()                                        → resumed
 */
#include "common/http_server_int.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/loop.h"

#define PER_TURN 64

/* s->lock held. */
static void
resume(struct conn *c)
{
	c->early = false;
	MHD_resume_connection(c->mhd);
}

/* A worker, inside libmicrohttpd's call of gnutls_handshake(). If it cannot wait it is asked again, as ever. */
static void
wait_for_client(struct conn *c)
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

static ssize_t
pull(gnutls_transport_ptr_t conn, void *p, size_t n)
{
	struct conn *c = conn;
	ssize_t got = recv(c->fd, p, n, 0);
	int err = errno;

	if (got >= 0)
		return got;
	if (err == EAGAIN && !c->tls.finished)
		wait_for_client(c);
	gnutls_transport_set_errno(c->tls.session, err);
	return -1;
}

void
http_early_begin(struct conn *c)
{
	gnutls_transport_ptr_t in, out;

	gnutls_transport_get_ptr2(c->tls.session, &in, &out);
	gnutls_transport_set_ptr2(c->tls.session, c, out);
	gnutls_transport_set_pull_function(c->tls.session, pull);
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
