/* link_accept: listening, and counting who came. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link_sock.h"
#include "common/log.h"

#define BACKLOG 128
#define PAUSE_MS 1000		/* after accept() failed: out of descriptors, and they do not come back at once */

struct link_accept {
	struct link_listener base;
	struct link_sock_net *net;
	struct evconnlistener *ev;
	struct clock_timer *resume;
	struct link_tls *tls;
	bool half_open, opaque;
	int64_t handshake_ms;
	size_t max_links;
	LIST_HEAD(, link_sock) counted;
	size_t n_links;
	char path[108];			/* UNIX: to remove in the end */
	void (*on_accept)(struct link *l, void *arg);
	void *arg;
};

void
link_accept_leave(struct link_sock *l)
{
	if (l->half)
		LIST_REMOVE(l, halves);
	l->half = false;
	if (l->from != NULL) {
		LIST_REMOVE(l, counted);
		l->from->n_links--;
	}
	l->from = NULL;
}

/* Its user gets it. */
void
link_accept_up(struct link_sock *l)
{
	struct link_accept *ll = l->from;

	LIST_REMOVE(l, halves);
	l->half = false;
	if (ll == NULL) {		/* the listener went while TLS was being spoken */
		link_sock_free(l);
		return;
	}
	ll->on_accept(&l->base, ll->arg);
}

/*
 * Room for one more, if need be by the one that has been longest about its handshake: a peer says its hello at once, so whoever
 * only takes up places does not keep it out.
 */
static bool
make_room(struct link_accept *ll)
{
	struct link_sock *l, *oldest = NULL;

	if (ll->n_links < ll->max_links)
		return true;
	LIST_FOREACH(l, &ll->counted, counted)
		if (l->half)
			oldest = l;	/* new ones stand in front */
	log_reason(REASON_LINK_LIMIT, "link: listener=%s links=%zu: %s goes", ll->base.address, ll->n_links,
	    oldest != NULL ? oldest->peer.address : "the newcomer");
	if (oldest == NULL)
		return false;
	link_sock_free(oldest);
	return true;
}

static void
on_socket(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct link_accept *ll = arg;
	struct bufferevent *raw = NULL;
	struct link_sock *l = NULL;

	(void)ev, (void)len;
	if (!make_room(ll))
		goto fail;
	if (link_sock_new(ll->net, &l) != RC_OK || (raw = bufferevent_socket_new(ll->net->base, fd, BEV_OPT_CLOSE_ON_FREE)) == NULL)
		goto fail;
	link_sock_print_address(sa, l->peer.address, sizeof l->peer.address);
	l->peer.loopback = link_sock_is_loopback(sa);
	link_sock_read_ends(fd, &l->peer);
	l->tls = ll->tls;
	l->half_open = ll->half_open;
	if (ll->opaque)
		link_sock_set_opaque(l);
	l->half = true;
	LIST_INSERT_HEAD(&ll->net->halves, l, halves);
	l->from = ll;
	LIST_INSERT_HEAD(&ll->counted, l, counted);
	ll->n_links++;
	if (l->tls != NULL)
		clock_timer_set(l->deadline, ll->handshake_ms);
	link_sock_connected(l, raw);
	return;
fail:
	if (l != NULL)
		link_sock_free(l);
	evutil_closesocket(fd);
}

static void
on_accept_failed(struct evconnlistener *ev, void *arg)
{
	struct link_accept *ll = arg;

	log_warn("link: listener=%s: %s; pausing", ll->base.address, strerror(errno));
	evconnlistener_disable(ev);
	clock_timer_set(ll->resume, PAUSE_MS);
}

static void
on_resume(void *arg)
{
	evconnlistener_enable(((struct link_accept *)arg)->ev);
}

/* --- binding; all of these log why they fail */

/* A socket file that nobody listens on any more is in the way of the next start. */
static void
remove_stale(const struct sockaddr_un *un)
{
	struct stat st;
	int fd;

	if (lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode) || (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return;
	if (connect(fd, (const struct sockaddr *)un, sizeof *un) != 0 && errno == ECONNREFUSED)
		unlink(un->sun_path);
	close(fd);
}

static int
bind_unix(struct link_accept *ll, const struct link_address *a, mode_t mode)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (mode == 0)
		mode = 0600;
	memcpy(un.sun_path, a->host, strlen(a->host));	/* link_address_parse() looked at its length */
	remove_stale(&un);
	/* the socket's own mode bounds the file's, so it is never open wider than asked for, not even between bind and chmod */
	if (fd < 0 || fchmod(fd, mode) != 0 || bind(fd, (struct sockaddr *)&un, sizeof un) != 0)
		goto fail;
	memcpy(ll->path, un.sun_path, sizeof ll->path);
	if (chmod(un.sun_path, mode) != 0 || listen(fd, BACKLOG) != 0)
		goto fail;
	return fd;
fail:
	log_error("link: unix:%s: %s", a->host, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
bind_tcp(struct link_accept *ll, const struct link_address *a)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	socklen_t n = sizeof *in6;
	int fd = -1, one = 1;

	in6->sin6_port = htons(a->port);
	ss.ss_family = AF_INET6;
	if (inet_pton(AF_INET, a->host, &in->sin_addr) == 1) {
		in->sin_port = htons(a->port);
		ss.ss_family = AF_INET;
		n = sizeof *in;
	} else if (inet_pton(AF_INET6, a->host, &in6->sin6_addr) != 1) {
		log_error("link: %s: to listen takes an address, not a name", a->host);
		return -1;
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 || bind(fd, (struct sockaddr *)&ss, n) != 0 ||
	    listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&ss, &n) != 0) {
		log_error("link: %s port %u: %s", a->host, a->port, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	link_sock_print_address((struct sockaddr *)&ss, ll->base.address, sizeof ll->base.address);
	return fd;
}

enum rc
link_accept_listen(void *ctx, const char *address, const struct link_options *opt, void (*on_accept)(struct link *l, void *arg),
    void *arg, struct link_listener **out)
{
	struct link_accept *ll = NULL;
	struct link_sock_net *net = ctx;
	struct link_address a;
	enum rc rc = RC_NOMEM;
	int fd = -1;

	if (link_address_parse(address, &a) != RC_OK)
		return RC_SYNTAX;
	if ((ll = calloc(1, sizeof *ll)) == NULL || clock_timer_new(net->clock, on_resume, ll, &ll->resume) != RC_OK)
		goto out;
	ll->base.ops = net->net.ops;
	ll->net = net;
	ll->tls = opt->tls;
	ll->half_open = opt->half_open;
	ll->opaque = opt->opaque;
	ll->handshake_ms = opt->connect_timeout_ms != 0 ? opt->connect_timeout_ms : LINK_CONNECT_TIMEOUT_MS;
	ll->max_links = opt->max_links != 0 ? opt->max_links : LINK_MAX_LINKS;
	ll->on_accept = on_accept;
	ll->arg = arg;
	LIST_INIT(&ll->counted);
	snprintf(ll->base.address, sizeof ll->base.address, "%s", address);
	rc = RC_IO;
	if ((fd = a.is_unix ? bind_unix(ll, &a, opt->unix_mode) : bind_tcp(ll, &a)) < 0)
		goto out;
	rc = RC_NOMEM;
	ll->ev = evconnlistener_new(net->base, on_socket, ll, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (ll->ev == NULL)
		goto out;
	fd = -1;
	evconnlistener_set_error_cb(ll->ev, on_accept_failed);
	*out = &ll->base;
	ll = NULL;
	rc = RC_OK;
out:
	if (fd >= 0)
		close(fd);
	if (ll != NULL)
		link_accept_free(&ll->base);
	return rc;
}

void
link_accept_free(struct link_listener *base)
{
	struct link_accept *ll = (struct link_accept *)base;
	struct link_sock *l;

	while ((l = LIST_FIRST(&ll->counted)) != NULL) {
		LIST_REMOVE(l, counted);
		l->from = NULL;
	}
	if (ll->ev != NULL)
		evconnlistener_free(ll->ev);
	clock_timer_free(ll->resume);
	if (ll->path[0] != '\0')
		unlink(ll->path);
	free(ll);
}
