/* link_mem_link: one link of the in-memory network, and what its user calls on it. */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link_mem_impl.h"

void
link_mem_wake(struct mem_link *m)
{
	if (m == NULL || m->is_ready || m->state == MEM_CLOSED)
		return;
	m->is_ready = true;
	TAILQ_INSERT_TAIL(&m->net->ready, m, ready);
}

void
link_mem_unready(struct mem_link *m)
{
	if (m->is_ready)
		TAILQ_REMOVE(&m->net->ready, m, ready);
	m->is_ready = false;
}

static void
leave_listener(struct mem_link *m)
{
	if (m->from != NULL)
		m->from->n_links--;
	m->from = NULL;
}

static void
mem_link_free(struct link *l)
{
	struct mem_link *m = (struct mem_link *)l;

	if (m->peer != NULL) {
		m->peer->peer = NULL;
		m->peer->peer_ended = true;
		link_mem_wake(m->peer);
	}
	link_mem_unready(m);
	leave_listener(m);
	LIST_REMOVE(m, all);
	clock_timer_free(m->close_timer);
	evbuffer_free(m->in);
	evbuffer_free(m->out);
	free(m);
}

void
link_mem_closed(struct mem_link *m, enum reason why, const char *detail)
{
	m->state = MEM_CLOSED;
	link_mem_unready(m);
	leave_listener(m);
	clock_timer_stop(m->close_timer);
	snprintf(m->detail, sizeof m->detail, "%s", detail);
	if (m->base.cb.on_closed != NULL)
		m->base.cb.on_closed(&m->base, why, m->detail, m->base.arg);
}

static void
on_close_timer(void *arg)
{
	struct mem_link *m = arg;

	evbuffer_drain(m->out, evbuffer_get_length(m->out));
	link_mem_wake(m);
}

enum rc
link_mem_link_new(struct mem_net *net, const char *address, struct mem_link **out)
{
	struct mem_link *m = calloc(1, sizeof *m);

	if (m == NULL)
		return RC_NOMEM;
	m->in = evbuffer_new();
	m->out = evbuffer_new();
	if (m->in == NULL || m->out == NULL || clock_timer_new(net->clock, on_close_timer, m, &m->close_timer) != RC_OK) {
		if (m->in != NULL)
			evbuffer_free(m->in);
		if (m->out != NULL)
			evbuffer_free(m->out);
		free(m);
		return RC_NOMEM;
	}
	m->base.ops = &link_mem_ops;
	m->net = net;
	m->limit = LINK_INPUT_LIMIT;
	m->id = ++net->next_id;
	snprintf(m->address, sizeof m->address, "%s", address);
	LIST_INSERT_HEAD(&net->links, m, all);
	*out = m;
	return RC_OK;
}

/* --- the calls of a link */

static struct span
mem_input(struct link *l)
{
	struct mem_link *m = (struct mem_link *)l;
	size_t n = evbuffer_get_length(m->in);

	return (struct span){ n > 0 ? evbuffer_pullup(m->in, -1) : NULL, n };
}

static void
mem_drain(struct link *l, size_t n)
{
	struct mem_link *m = (struct mem_link *)l;

	evbuffer_drain(m->in, n);
	link_mem_wake(m);		/* there may be room again */
}

static void
mem_set_input_limit(struct link *l, size_t n)
{
	struct mem_link *m = (struct mem_link *)l;

	m->limit = n;
	link_mem_wake(m);
}

static enum rc
mem_write(struct link *l, struct span octets)
{
	struct mem_link *m = (struct mem_link *)l;

	if (m->state != MEM_UP || m->shut)
		return RC_STATE;
	if (octets.n > LINK_UNSENT_MAX - evbuffer_get_length(m->out))
		return RC_LIMIT;
	if (octets.n == 0)
		return RC_OK;
	if (evbuffer_add(m->out, octets.p, octets.n) != 0)
		return RC_NOMEM;
	link_mem_wake(m->peer != NULL ? m->peer : m);		/* a peer that is gone makes it break */
	return RC_OK;
}

static size_t
mem_unsent(const struct link *l)
{
	return evbuffer_get_length(((const struct mem_link *)l)->out);
}

static void
mem_close(struct link *l)
{
	struct mem_link *m = (struct mem_link *)l;

	if (m->state >= MEM_CLOSING)
		return;
	m->state = MEM_CLOSING;
	clock_timer_set(m->close_timer, LINK_CLOSE_TIMEOUT_MS);
	link_mem_wake(m);
	link_mem_wake(m->peer);
}

static enum rc
mem_shutdown(struct link *l)
{
	struct mem_link *m = (struct mem_link *)l;

	if (!m->half_open || m->state != MEM_UP || m->shut)
		return RC_STATE;
	m->shut = true;
	link_mem_wake(m);
	link_mem_wake(m->peer);
	return RC_OK;
}

static bool
mem_at_eof(const struct link *l)
{
	return ((const struct mem_link *)l)->eof_in;
}

static void
mem_reset(struct link *l)
{
	struct mem_link *p = ((struct mem_link *)l)->peer;

	if (p != NULL) {
		p->broken = true;
		p->why = p->state == MEM_CLOSING ? REASON_NONE : REASON_LINK_BROKEN;
	}
	mem_link_free(l);
}

static void
mem_peer(const struct link *l, struct link_peer *out)
{
	const struct mem_link *m = (const struct mem_link *)l;

	snprintf(out->address, sizeof out->address, "mem:%u", m->id);
	out->loopback = true;
	if (strncmp(m->address, "unix:", 5) == 0) {
		out->has_cred = true;
		out->uid = getuid();
		out->gid = getgid();
	}
}

const struct link_ops link_mem_ops = {
	.input = mem_input,
	.drain = mem_drain,
	.set_input_limit = mem_set_input_limit,
	.write = mem_write,
	.unsent = mem_unsent,
	.close = mem_close,
	.shutdown = mem_shutdown,
	.at_eof = mem_at_eof,
	.reset = mem_reset,
	.free = mem_link_free,
	.peer = mem_peer,
};
