/*
 * link_mem: the in-memory network, for unit tests and the simulator. An octet written waits in its writer's out buffer until
 * link_mem_run() moves it to the reader's in buffer and calls the reader: as on a socket, what was not sent when a link is
 * freed is lost. Links with something to do stand in one queue; a run takes them in turn until the queue is empty.
 */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/link_impl.h"

struct mem_listener {
	struct link_listener base;
	LIST_ENTRY(mem_listener) all;
	struct mem_net *net;
	bool tls;
	size_t n_links, max_links;
	void (*on_accept)(struct link *l, void *arg);
	void *arg;
};

enum mem_state { MEM_CONNECTING, MEM_UP, MEM_CLOSING, MEM_CLOSED };

struct mem_link {
	struct link base;
	LIST_ENTRY(mem_link) all;
	TAILQ_ENTRY(mem_link) ready;
	struct mem_net *net;
	struct mem_link *peer;		/* NULL: not connected yet, or the other end is gone */
	struct mem_listener *from;	/* accepted links: where they count */
	struct evbuffer *in, *out;
	struct clock_timer *close_timer;
	size_t limit;
	enum mem_state state;
	enum reason why;		/* what on_closed will say, once broken */
	bool is_ready, broken, peer_ended, up_due, drained_due, tls;
	unsigned id;
	char address[160];		/* connected to, or accepted at */
};

struct mem_cut {
	LIST_ENTRY(mem_cut) all;
	char address[160];
};

struct mem_net {
	struct link_net net;
	struct clock *clock;
	LIST_HEAD(, mem_listener) listeners;
	LIST_HEAD(, mem_link) links;
	LIST_HEAD(, mem_cut) cuts;
	TAILQ_HEAD(, mem_link) ready;
	size_t chunk;
	unsigned next_id, next_port;
};

static const struct link_ops mem_ops;

static void
wake(struct mem_link *m)
{
	if (m == NULL || m->is_ready || m->state == MEM_CLOSED)
		return;
	m->is_ready = true;
	TAILQ_INSERT_TAIL(&m->net->ready, m, ready);
}

static void
unready(struct mem_link *m)
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
		wake(m->peer);
	}
	unready(m);
	leave_listener(m);
	LIST_REMOVE(m, all);
	clock_timer_free(m->close_timer);
	evbuffer_free(m->in);
	evbuffer_free(m->out);
	free(m);
}

/* It is over for this end: one call, then only link_free() is left to its user. */
static void
closed(struct mem_link *m, enum reason why, const char *detail)
{
	m->state = MEM_CLOSED;
	unready(m);
	leave_listener(m);
	clock_timer_stop(m->close_timer);
	if (m->base.cb.on_closed != NULL)
		m->base.cb.on_closed(&m->base, why, detail, m->base.arg);
}

static void
on_close_timer(void *arg)
{
	struct mem_link *m = arg;

	evbuffer_drain(m->out, evbuffer_get_length(m->out));
	wake(m);
}

static enum rc
mem_link_new(struct mem_net *net, const char *address, struct mem_link **out)
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
	m->base.ops = &mem_ops;
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
	wake(m);		/* there may be room again */
}

static void
mem_set_input_limit(struct link *l, size_t n)
{
	struct mem_link *m = (struct mem_link *)l;

	m->limit = n;
	wake(m);
}

static enum rc
mem_write(struct link *l, struct span octets)
{
	struct mem_link *m = (struct mem_link *)l;

	if (m->state != MEM_UP)
		return RC_STATE;
	if (octets.n > LINK_UNSENT_MAX - evbuffer_get_length(m->out))
		return RC_LIMIT;
	if (octets.n == 0)
		return RC_OK;
	if (evbuffer_add(m->out, octets.p, octets.n) != 0)
		return RC_NOMEM;
	wake(m->peer);
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
	wake(m);
	wake(m->peer);
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

static const struct link_ops mem_ops = {
	.input = mem_input,
	.drain = mem_drain,
	.set_input_limit = mem_set_input_limit,
	.write = mem_write,
	.unsent = mem_unsent,
	.close = mem_close,
	.free = mem_link_free,
	.peer = mem_peer,
};

/* --- how links come to be */

static struct mem_listener *
find_listener(struct mem_net *net, const char *address)
{
	struct mem_listener *ll;

	LIST_FOREACH(ll, &net->listeners, all)
		if (strcmp(ll->base.address, address) == 0)
			return ll;
	return NULL;
}

static struct mem_cut *
find_cut(struct mem_net *net, const char *address)
{
	struct mem_cut *c;

	LIST_FOREACH(c, &net->cuts, all)
		if (strcmp(c->address, address) == 0)
			return c;
	return NULL;
}

static void
mem_listener_free(struct link_listener *l)
{
	struct mem_listener *ll = (struct mem_listener *)l;
	struct mem_link *m;

	LIST_FOREACH(m, &ll->net->links, all)
		if (m->from == ll)
			m->from = NULL;
	LIST_REMOVE(ll, all);
	free(ll);
}

static enum rc
mem_listen(void *ctx, const char *address, const struct link_options *opt, void (*on_accept)(struct link *l, void *arg), void *arg,
    struct link_listener **out)
{
	struct mem_net *net = ctx;
	struct mem_listener *ll;
	size_t n = strlen(address);

	if (n == 0 || n + 8 > sizeof ll->base.address)
		return RC_SYNTAX;
	if (find_listener(net, address) != NULL)
		return RC_IO;		/* as EADDRINUSE */
	if ((ll = calloc(1, sizeof *ll)) == NULL)
		return RC_NOMEM;
	ll->base.ops = net->net.ops;
	if (n > 2 && strcmp(address + n - 2, ":0") == 0)
		snprintf(ll->base.address, sizeof ll->base.address, "%.*s:%u", (int)(n - 2), address, ++net->next_port);
	else
		snprintf(ll->base.address, sizeof ll->base.address, "%s", address);
	ll->net = net;
	ll->tls = opt->tls != NULL;
	ll->max_links = opt->max_links != 0 ? opt->max_links : LINK_MAX_LINKS;
	ll->on_accept = on_accept;
	ll->arg = arg;
	LIST_INSERT_HEAD(&net->listeners, ll, all);
	*out = &ll->base;
	return RC_OK;
}

static enum rc
mem_connect(void *ctx, const char *address, const struct link_options *opt, const struct link_cb *cb, void *arg, struct link **out)
{
	struct mem_link *m;
	enum rc rc;

	if (*address == '\0' || strlen(address) >= sizeof m->address)
		return RC_SYNTAX;
	if ((rc = mem_link_new(ctx, address, &m)) != RC_OK)
		return rc;
	m->state = MEM_CONNECTING;
	m->tls = opt->tls != NULL;
	link_set_cb(&m->base, cb, arg);
	wake(m);
	*out = &m->base;
	return RC_OK;
}

static const struct link_net_ops mem_net_ops = {
	.listen = mem_listen,
	.listener_free = mem_listener_free,
	.connect = mem_connect,
};

/* --- a run: one step of one link at a time; each returns how many callbacks ran */

static size_t
step_connect(struct mem_link *m)
{
	struct mem_listener *ll = find_listener(m->net, m->address);
	struct mem_link *s = NULL;

	if (ll == NULL || find_cut(m->net, m->address) != NULL) {
		closed(m, REASON_LINK_UNREACHABLE, "nobody listens");
		return 1;
	}
	if (m->tls != ll->tls) {
		closed(m, m->tls ? REASON_LINK_PEER_PLAIN : REASON_LINK_PEER_TLS, "");
		return 1;
	}
	if (ll->n_links >= ll->max_links) {
		closed(m, REASON_NONE, "closed by the peer");
		return 1;
	}
	if (mem_link_new(m->net, m->address, &s) != RC_OK) {
		closed(m, REASON_INTERNAL, "out of memory");
		return 1;
	}
	s->state = m->state = MEM_UP;
	s->peer = m;
	m->peer = s;
	s->from = ll;
	ll->n_links++;
	m->up_due = true;
	wake(m);
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
		wake(p);
	}
	wake(m);
	if (m->state == MEM_CLOSING || m->base.cb.on_data == NULL)
		return 0;
	m->base.cb.on_data(&m->base, m->base.arg);
	return 1;
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
			wake(p);
		}
		closed(m, REASON_NONE, "");
		return 1;
	}
	if (m->peer_ended) {
		closed(m, REASON_NONE, "closed by the peer");
		return 1;
	}
	return 0;
}

static size_t
step(struct mem_link *m)
{
	size_t n;

	if (m->broken) {
		closed(m, m->why, "cut");
		return 1;
	}
	if (m->state == MEM_CONNECTING)
		return step_connect(m);
	if (m->up_due) {
		m->up_due = false;
		wake(m);
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
		wake(m);
		if (m->state == MEM_UP && m->base.cb.on_drained != NULL) {
			m->base.cb.on_drained(&m->base, m->base.arg);
			return 1;
		}
		return 0;
	}
	return step_end(m);
}

/* --- the network */

enum rc
link_mem_new(struct clock *clock, struct link_net **out)
{
	struct mem_net *net = calloc(1, sizeof *net);

	if (net == NULL)
		return RC_NOMEM;
	net->net.ops = &mem_net_ops;
	net->net.ctx = net;
	net->clock = clock;
	net->next_port = 40000;
	LIST_INIT(&net->listeners);
	LIST_INIT(&net->links);
	LIST_INIT(&net->cuts);
	TAILQ_INIT(&net->ready);
	*out = &net->net;
	return RC_OK;
}

size_t
link_mem_run(struct link_net *n)
{
	struct mem_net *net = n->ctx;
	struct mem_link *m;
	size_t ran = 0;

	while ((m = TAILQ_FIRST(&net->ready)) != NULL) {
		unready(m);
		ran += step(m);		/* may have freed m, or any other */
	}
	return ran;
}

void
link_mem_cut(struct link_net *n, const char *address, bool cut)
{
	struct mem_net *net = n->ctx;
	struct mem_cut *c = find_cut(net, address);
	struct mem_link *m;

	if (!cut) {
		if (c != NULL)
			LIST_REMOVE(c, all);
		free(c);
		return;
	}
	if (c == NULL) {
		if ((c = calloc(1, sizeof *c)) == NULL)
			return;
		snprintf(c->address, sizeof c->address, "%s", address);
		LIST_INSERT_HEAD(&net->cuts, c, all);
	}
	LIST_FOREACH(m, &net->links, all) {
		if (strcmp(m->address, address) != 0 || m->state == MEM_CONNECTING)
			continue;
		m->broken = true;
		m->why = m->state == MEM_CLOSING ? REASON_NONE : REASON_LINK_BROKEN;
		wake(m);
	}
}

void
link_mem_set_chunk(struct link_net *n, size_t octets)
{
	((struct mem_net *)n->ctx)->chunk = octets;
}

void
link_mem_free(struct link_net *n)
{
	struct mem_net *net;
	struct mem_cut *c;

	if (n == NULL)
		return;
	net = n->ctx;
	while ((c = LIST_FIRST(&net->cuts)) != NULL) {
		LIST_REMOVE(c, all);
		free(c);
	}
	free(net);
}
