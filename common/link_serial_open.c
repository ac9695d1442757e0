/* link_serial_open: how channels of a serial line come to be: listening and connecting, and TLS on them (U8). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/link_over.h"
#include "common/link_serial_int.h"
#include "common/log.h"

/* --- listening */

enum rc
link_serial_accept(struct serial_dev *d, struct serial_channel *c)
{
	const struct serial_link *other;
	struct serial_link *l;
	size_t n = 0;
	enum rc rc;

	if (d->listening == NULL)
		return RC_STATE;
	LIST_FOREACH(other, &d->links, all)
		n++;
	if (n >= (d->listening->opt.max_links != 0 ? d->listening->opt.max_links : LINK_MAX_LINKS)) {
		log_reason(REASON_LINK_LIMIT, "link: listener=%s links=%zu", d->listening->base.address, n);
		return RC_LIMIT;
	}
	if ((rc = link_serial_new(d, &l)) != RC_OK)
		return rc;
	l->state = SERIAL_LINK_UP;
	l->accept_due = true;
	link_serial_set_channel(l, c);
	serial_channel_set_user(c, &link_serial_user, l);
	link_serial_ready(l);
	return RC_OK;
}

static void
half_free(struct serial_half *h)
{
	LIST_REMOVE(h, all);
	free(h);
}

static void
on_half_up(struct link *over, void *arg)
{
	struct serial_half *h = arg;
	struct serial_listener *ll = h->from;

	half_free(h);
	link_set_cb(over, NULL, NULL);
	ll->on_accept(over, ll->arg);
}

static void
on_half_closed(struct link *over, enum reason why, const char *detail, void *arg)
{
	struct link_peer peer;

	link_get_peer(over, &peer);
	if (why != REASON_NONE)
		log_reason(why, "link: peer=%s: %s", peer.address, detail);
	half_free(arg);
	link_free(over);
}

void
link_serial_accepted(struct serial_link *l)
{
	static const struct link_cb half_cb = { .on_up = on_half_up, .on_closed = on_half_closed };
	struct serial_listener *ll = l->dev->listening;
	struct link_over_conf conf = { .server = true };
	struct serial_half *h;

	if (ll == NULL) {
		link_free(&l->base);
		return;
	}
	if (ll->opt.tls == NULL) {
		ll->on_accept(&l->base, ll->arg);
		return;
	}
	conf.tls = ll->opt.tls;
	conf.handshake_ms = ll->opt.connect_timeout_ms;
	conf.half_open = ll->opt.half_open;
	if ((h = calloc(1, sizeof *h)) == NULL) {
		link_free(&l->base);
		return;
	}
	h->from = ll;
	LIST_INSERT_HEAD(&ll->halves, h, all);
	if (link_over(&l->base, l->dev->net->clock, &conf, &half_cb, h, &h->over) != RC_OK)
		half_free(h);
}

static void
listener_free(struct link_listener *base)
{
	struct serial_listener *ll = (struct serial_listener *)base;
	struct serial_half *h;

	while ((h = LIST_FIRST(&ll->halves)) != NULL) {
		link_free(h->over);
		half_free(h);
	}
	ll->dev->listening = NULL;
	link_serial_dev_wake(ll->dev);
	free(ll);
}

static const struct link_net_ops listener_ops = { .listener_free = listener_free };

enum rc
link_serial_listen(struct link_sock_net *net, const char *path, const struct link_options *opt,
    void (*on_accept)(struct link *l, void *arg), void *arg, struct link_listener **out)
{
	struct serial_listener *ll;
	struct serial_dev *d;
	enum rc rc;

	if ((rc = link_serial_dev_get(net, path, true, &opt->serial, &d)) == RC_STATE || (rc == RC_OK && d->listening != NULL)) {
		log_error("link: serial:%s: it is in use here already", path);
		return RC_IO;
	}
	if (rc != RC_OK)
		return rc;
	if ((ll = calloc(1, sizeof *ll)) == NULL) {
		link_serial_dev_wake(d);
		return RC_NOMEM;
	}
	ll->base.ops = &listener_ops;
	snprintf(ll->base.address, sizeof ll->base.address, "serial:%s", path);
	ll->dev = d;
	ll->opt = *opt;
	ll->on_accept = on_accept;
	ll->arg = arg;
	LIST_INIT(&ll->halves);
	d->listening = ll;
	link_serial_dev_try(d);
	*out = &ll->base;
	return RC_OK;
}

/* --- connecting */

/* Over a channel that is still being opened: its first octets wait for it. */
static enum rc
with_tls(struct serial_link *l, const struct link_options *opt, const struct link_cb *cb, void *arg, struct link **out)
{
	const struct link_over_conf conf = { .tls = opt->tls, .tls_name = opt->tls_name, .handshake_ms = opt->connect_timeout_ms,
	    .half_open = opt->half_open };

	return link_over(&l->base, l->dev->net->clock, &conf, cb, arg, out);
}

enum rc
link_serial_connect(struct link_sock_net *net, const char *path, const struct link_options *opt, const struct link_cb *cb, void *arg,
    struct link **out)
{
	struct serial_channel *c;
	struct serial_link *l;
	struct serial_dev *d;
	char detail[200];
	enum rc rc;

	if ((rc = link_serial_dev_get(net, path, false, &opt->serial, &d)) != RC_OK) {
		if (rc == RC_STATE)
			log_error("link: serial:%s: it is listened on here", path);
		return rc == RC_STATE ? RC_SYNTAX : rc;
	}
	if ((rc = link_serial_new(d, &l)) != RC_OK) {
		link_serial_dev_wake(d);
		return rc;
	}
	if (!link_serial_dev_open(d, detail, sizeof detail)) {
		link_serial_end(l, REASON_LINK_SERIAL_OPEN, "%s", detail);
	} else if ((rc = serial_channel_open(d->line, &link_serial_user, l, &c)) == RC_OK) {
		link_serial_set_channel(l, c);
		clock_timer_set(l->deadline, opt->connect_timeout_ms != 0 ? opt->connect_timeout_ms : LINK_CONNECT_TIMEOUT_MS);
	} else {
		link_serial_end(l, rc == RC_LIMIT ? REASON_LINK_LIMIT : REASON_INTERNAL, "%s: no channel", path);
	}
	if (opt->tls != NULL)
		return with_tls(l, opt, cb, arg, out);
	link_set_cb(&l->base, cb, arg);
	*out = &l->base;
	return RC_OK;
}
