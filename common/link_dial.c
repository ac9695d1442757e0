/*
 * link_dial: connecting. A name is resolved by evdns (never by getaddrinfo: the loop must not wait), then its addresses are
 * tried in turn until one answers or the link's deadline passes. A UNIX listener that has no room is tried until it has.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/clock.h"
#include "common/link_sock.h"

#define ADDRESSES_MAX 8
#define CROWDED_MS 20		/* a UNIX listener whose queue is full: the kernel says so at once, where for TCP it would wait */

/* A question to evdns outlives a link that gives up: its callback comes all the same. */
struct link_query {
	struct link_dial *dial;		/* NULL: nobody waits any more */
	struct evdns_getaddrinfo_request *req;
};

struct link_dial {
	struct link_sock *l;
	struct link_query *query;
	struct bufferevent *raw;
	struct sockaddr_storage to[ADDRESSES_MAX];
	socklen_t to_len[ADDRESSES_MAX];
	size_t n, next;
	struct clock_timer *again;	/* the next address, outside any call */
	bool calling;
};

void
link_dial_free(struct link_dial *d)
{
	if (d == NULL)
		return;
	if (d->query != NULL) {
		d->query->dial = NULL;
		evdns_getaddrinfo_cancel(d->query->req);
	}
	if (d->raw != NULL)
		bufferevent_free(d->raw);
	clock_timer_free(d->again);
	free(d);
}

static void
add_address(struct link_dial *d, const struct sockaddr *sa, socklen_t n)
{
	if (d->n == ADDRESSES_MAX || n > sizeof d->to[0])
		return;
	memcpy(&d->to[d->n], sa, n);
	d->to_len[d->n++] = n;
}

/* --- one address after the other */

static void
on_dial_event(struct bufferevent *raw, short what, void *arg)
{
	struct link_dial *d = arg;
	struct link_sock *l = d->l;
	struct sockaddr *sa = (struct sockaddr *)&d->to[d->next - 1];

	if (d->calling)		/* said by bufferevent_socket_connect()'s result, too */
		return;
	if (what & BEV_EVENT_CONNECTED) {
		link_sock_print_address(sa, l->peer.address, sizeof l->peer.address);
		l->peer.loopback = link_sock_is_loopback(sa);
		link_sock_read_ends(bufferevent_getfd(raw), &l->peer);
		d->raw = NULL;
		l->dial = NULL;
		link_dial_free(d);
		link_sock_connected(l, raw);
		return;
	}
	snprintf(l->detail, sizeof l->detail, "%s", evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	bufferevent_free(raw);
	d->raw = NULL;
	clock_timer_set(d->again, 0);
}

static void
on_next_address(void *arg)
{
	struct link_dial *d = arg;
	char last[sizeof d->l->detail], address[128] = "";
	int failed, error;

	if (d->next == d->n) {
		memcpy(last, d->l->detail, sizeof last);
		if (d->n > 0 && d->to[0].ss_family == AF_UNIX)
			snprintf(address, sizeof address, "unix:%s", ((struct sockaddr_un *)&d->to[0])->sun_path);
		else if (d->n > 0)
			link_sock_print_address((struct sockaddr *)&d->to[d->n - 1], address, sizeof address);
		link_sock_end(d->l, REASON_LINK_UNREACHABLE, "%s: %s", address, last);
		return;
	}
	d->raw = bufferevent_socket_new(d->l->net->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (d->raw == NULL) {
		link_sock_end(d->l, REASON_INTERNAL, "out of memory");
		return;
	}
	bufferevent_setcb(d->raw, NULL, NULL, on_dial_event, d);
	d->calling = true;
	failed = bufferevent_socket_connect(d->raw, (struct sockaddr *)&d->to[d->next], (int)d->to_len[d->next]);
	error = errno;
	d->calling = false;
	d->next++;
	if (failed != 0) {
		snprintf(d->l->detail, sizeof d->l->detail, "%s", strerror(error));
		bufferevent_free(d->raw);
		d->raw = NULL;
		if (error == EAGAIN && d->to[d->next - 1].ss_family == AF_UNIX) {
			d->next--;		/* until the link's deadline */
			clock_timer_set(d->again, CROWDED_MS);
		} else {
			clock_timer_set(d->again, 0);
		}
	}
}

/* --- names */

static void
on_resolved(int result, struct evutil_addrinfo *found, void *arg)
{
	struct link_query *q = arg;
	struct link_dial *d = q->dial;

	for (struct evutil_addrinfo *a = found; a != NULL && d != NULL; a = a->ai_next)
		add_address(d, a->ai_addr, (socklen_t)a->ai_addrlen);
	if (found != NULL)
		evutil_freeaddrinfo(found);
	if (d != NULL) {
		d->query = NULL;
		if (result != 0 || d->n == 0)
			link_sock_end(d->l, REASON_LINK_NAME, "%s", evutil_gai_strerror(result));	/* frees d */
		else
			clock_timer_set(d->again, 0);
	}
	free(q);
}

static enum rc
resolver(struct link_sock_net *net)
{
	if (net->dns != NULL)
		return RC_OK;
	net->dns = evdns_base_new(net->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (net->dns == NULL)
		return RC_NOMEM;
	if (net->nameserver[0] != '\0')
		return evdns_base_nameserver_ip_add(net->dns, net->nameserver) == 0 ? RC_OK : RC_SYNTAX;
	/* a file that is missing or odd leaves evdns with a default; the question then fails and says so */
	(void)evdns_base_resolv_conf_parse(net->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	return RC_OK;
}

static enum rc
resolve(struct link_dial *d, const struct link_address *a)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
	struct evdns_getaddrinfo_request *req;
	struct link_query *q;
	char port[8];
	enum rc rc;

	if ((rc = resolver(d->l->net)) != RC_OK)
		return rc;
	if ((q = calloc(1, sizeof *q)) == NULL)
		return RC_NOMEM;
	q->dial = d;
	d->query = q;
	snprintf(port, sizeof port, "%u", a->port);
	req = evdns_getaddrinfo(d->l->net->dns, a->host, port, &hints, on_resolved, q);
	if (req != NULL)	/* NULL: answered already, from /etc/hosts */
		q->req = req;
	return RC_OK;
}

enum rc
link_dial_start(struct link_sock *l, const struct link_address *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct link_dial *d = calloc(1, sizeof *d);

	if (d == NULL)
		return RC_NOMEM;
	if (clock_timer_new(l->net->clock, on_next_address, d, &d->again) != RC_OK) {
		free(d);
		return RC_NOMEM;
	}
	d->l = l;
	l->dial = d;
	if (a->is_unix) {
		memcpy(un.sun_path, a->host, strlen(a->host));	/* link_address_parse() looked at its length */
		add_address(d, (struct sockaddr *)&un, sizeof un);
	} else if (inet_pton(AF_INET, a->host, &in.sin_addr) == 1) {
		add_address(d, (struct sockaddr *)&in, sizeof in);
	} else if (inet_pton(AF_INET6, a->host, &in6.sin6_addr) == 1) {
		add_address(d, (struct sockaddr *)&in6, sizeof in6);
	} else {
		return resolve(d, a);
	}
	clock_timer_set(d->again, 0);
	return RC_OK;
}
