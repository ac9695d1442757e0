/*
 * link_linger: a socket whose link is gone still delivers its last words, and is closed when the peer has closed. An early
 * close would make the kernel send a reset, which can destroy them at the peer.
 */
#include <event2/buffer.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/link_sock.h"

#define LINGER_MS 2000
#define LINGER_MAX 256		/* of a network; the oldest goes. They count at no listener, so somebody could have any number of them */

struct link_linger {
	TAILQ_ENTRY(link_linger) all;
	struct link_sock_net *net;
	struct bufferevent *raw;
	struct clock_timer *timer;
};

static void
linger_free(void *arg)
{
	struct link_linger *g = arg;

	TAILQ_REMOVE(&g->net->lingering, g, all);
	g->net->n_lingering--;
	clock_timer_free(g->timer);
	bufferevent_free(g->raw);
	free(g);
}

static void
linger_read(struct bufferevent *raw, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(raw);

	(void)arg;
	evbuffer_drain(in, evbuffer_get_length(in));
}

static void
linger_write(struct bufferevent *raw, void *arg)
{
	(void)arg;
	shutdown(bufferevent_getfd(raw), SHUT_WR);
}

static void
linger_event(struct bufferevent *raw, short what, void *arg)
{
	(void)raw, (void)what;
	linger_free(arg);
}

void
link_linger(struct link_sock_net *net, struct bufferevent *raw)
{
	struct link_linger *g = calloc(1, sizeof *g);

	if (g == NULL || clock_timer_new(net->clock, linger_free, g, &g->timer) != RC_OK) {
		free(g);
		bufferevent_free(raw);
		return;
	}
	if (net->n_lingering == LINGER_MAX)
		linger_free(TAILQ_FIRST(&net->lingering));
	g->net = net;
	g->raw = raw;
	TAILQ_INSERT_TAIL(&net->lingering, g, all);
	net->n_lingering++;
	clock_timer_set(g->timer, LINGER_MS);
	bufferevent_setcb(raw, linger_read, linger_write, linger_event, g);
	bufferevent_setwatermark(raw, EV_READ, 0, 0);
	linger_read(raw, g);
	bufferevent_enable(raw, EV_READ | EV_WRITE);
	if (evbuffer_get_length(bufferevent_get_output(raw)) == 0)
		linger_write(raw, g);
}

void
link_linger_all_free(struct link_sock_net *net)
{
	while (!TAILQ_EMPTY(&net->lingering))
		linger_free(TAILQ_FIRST(&net->lingering));
}
