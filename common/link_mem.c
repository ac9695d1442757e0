/*
 * link_mem: the in-memory network, for unit tests and the simulator. An octet written waits in its writer's out buffer until
 * link_mem_run() moves it to the reader's in buffer and calls the reader: as on a socket, what was not sent when a link is
 * freed is lost. Links with something to do stand in one queue; a run takes them in turn until the queue is empty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/link.h"
#include "common/link_mem_impl.h"

struct mem_listener *
link_mem_find_listener(struct mem_net *net, const char *address)
{
	struct mem_listener *ll;

	LIST_FOREACH(ll, &net->listeners, all)
		if (strcmp(ll->base.address, address) == 0)
			return ll;
	return NULL;
}

struct mem_cut *
link_mem_find_cut(struct mem_net *net, const char *address)
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
	if (link_mem_find_listener(net, address) != NULL)
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
	ll->half_open = opt->half_open;
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
	if ((rc = link_mem_link_new(ctx, address, &m)) != RC_OK)
		return rc;
	m->state = MEM_CONNECTING;
	m->tls = opt->tls != NULL;
	m->half_open = opt->half_open;
	link_set_cb(&m->base, cb, arg);
	link_mem_wake(m);
	*out = &m->base;
	return RC_OK;
}

static const struct link_net_ops mem_net_ops = {
	.listen = mem_listen,
	.listener_free = mem_listener_free,
	.connect = mem_connect,
};

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
		link_mem_unready(m);
		ran += link_mem_step(m);		/* may have freed m, or any other */
	}
	return ran;
}

void
link_mem_cut(struct link_net *n, const char *address, bool cut)
{
	struct mem_net *net = n->ctx;
	struct mem_cut *c = link_mem_find_cut(net, address);
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
		link_mem_wake(m);
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
