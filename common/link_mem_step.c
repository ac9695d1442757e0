/* link_mem_step: what a run does to a link, one callback at most at a time: it may free any link. */
#include <event2/buffer.h>

#include "common/link_mem_impl.h"

static size_t
step_connect(struct mem_link *m)
{
	struct mem_listener *ll = link_mem_find_listener(m->net, m->address);
	struct mem_link *s = NULL;

	if (ll == NULL || link_mem_find_cut(m->net, m->address) != NULL) {
		link_mem_closed(m, REASON_LINK_UNREACHABLE, "nobody listens");
		return 1;
	}
	if (m->tls != ll->tls) {
		link_mem_closed(m, m->tls ? REASON_LINK_PEER_PLAIN : REASON_LINK_PEER_TLS, "");
		return 1;
	}
	if (ll->n_links >= ll->max_links) {
		link_mem_closed(m, REASON_NONE, "closed by the peer");
		return 1;
	}
	if (link_mem_link_new(m->net, m->address, &s) != RC_OK) {
		link_mem_closed(m, REASON_INTERNAL, "out of memory");
		return 1;
	}
	s->state = m->state = MEM_UP;
	s->peer = m;
	m->peer = s;
	s->from = ll;
	s->half_open = ll->half_open;
	ll->n_links++;
	m->up_due = true;
	link_mem_wake(m);
	ll->on_accept(&s->base, ll->arg);
	return 1;
}

/* Octets from the peer's out to our in. */
static size_t
step_receive(struct mem_link *m)
{
	struct mem_link *p = m->peer;
	size_t have = p != NULL ? evbuffer_get_length(p->out) : 0, in = evbuffer_get_length(m->in), n;

	if (have == 0)
		return 0;
	n = m->state == MEM_CLOSING ? have : in >= m->limit ? 0 : m->limit - in;
	if (n > have)
		n = have;
	if (m->net->chunk != 0 && n > m->net->chunk)
		n = m->net->chunk;
	if (n == 0)
		return 0;
	if (m->state == MEM_CLOSING)		/* nobody reads any more */
		evbuffer_drain(p->out, n);
	else
		evbuffer_remove_buffer(p->out, m->in, n);
	if (evbuffer_get_length(p->out) == 0) {
		p->drained_due = true;
		link_mem_wake(p);
	}
	link_mem_wake(m);
	if (m->state == MEM_CLOSING || m->base.cb.on_data == NULL)
		return 0;
	m->base.cb.on_data(&m->base, m->base.arg);
	return 1;
}

/* No more octets will come. */
static bool
peer_sent_all(const struct mem_link *m)
{
	return m->peer_ended || (m->peer != NULL && m->peer->shut && evbuffer_get_length(m->peer->out) == 0);
}

/* A half_open link whose peer sends no more: it is told so once; it ends when it sends no more itself, or cannot. */
static size_t
step_half_end(struct mem_link *m)
{
	size_t unsent = evbuffer_get_length(m->out);

	if (!m->eof_in) {
		m->eof_in = true;
		link_mem_wake(m);
		if (m->base.cb.on_eof == NULL)
			return 0;
		m->base.cb.on_eof(&m->base, m->base.arg);
		return 1;
	}
	if (m->peer == NULL && unsent > 0) {
		link_mem_closed(m, REASON_LINK_BROKEN, "closed by the peer");
		return 1;
	}
	if (m->shut && unsent == 0 && evbuffer_get_length(m->in) == 0) {
		link_mem_closed(m, REASON_NONE, "closed by the peer");
		return 1;
	}
	return 0;
}

static size_t
step_end(struct mem_link *m)
{
	struct mem_link *p = m->peer;

	if (m->state == MEM_CLOSING && evbuffer_get_length(m->out) == 0) {
		if (p != NULL) {
			p->peer = NULL;
			p->peer_ended = true;
			m->peer = NULL;
			link_mem_wake(p);
		}
		link_mem_closed(m, REASON_NONE, "");
		return 1;
	}
	if (m->state == MEM_CLOSING && p != NULL)	/* what is queued goes out, though the peer sends no more */
		return 0;
	if (m->state == MEM_UP && m->half_open)
		return peer_sent_all(m) ? step_half_end(m) : 0;
	if (peer_sent_all(m)) {
		link_mem_closed(m, REASON_NONE, "closed by the peer");
		return 1;
	}
	return 0;
}

size_t
link_mem_step(struct mem_link *m)
{
	size_t n;

	if (m->broken) {
		link_mem_closed(m, m->why, "cut");
		return 1;
	}
	if (m->state == MEM_CONNECTING)
		return step_connect(m);
	if (m->up_due) {
		m->up_due = false;
		link_mem_wake(m);
		if (m->state == MEM_UP && m->base.cb.on_up != NULL) {
			m->base.cb.on_up(&m->base, m->base.arg);
			return 1;
		}
		return 0;
	}
	if ((n = step_receive(m)) > 0)
		return n;
	if (m->drained_due) {
		m->drained_due = false;
		link_mem_wake(m);
		if (m->state == MEM_UP && m->base.cb.on_drained != NULL) {
			m->base.cb.on_drained(&m->base, m->base.arg);
			return 1;
		}
		return 0;
	}
	return step_end(m);
}
