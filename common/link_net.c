/* link_net: the real network: sockets on the loop. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link_serial_int.h"
#include "common/link_sock.h"
#include "common/loop.h"

void
link_sock_print_address(const struct sockaddr *sa, char *out, size_t cap)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	char text[INET6_ADDRSTRLEN] = "";

	if (sa->sa_family == AF_INET && inet_ntop(AF_INET, &in->sin_addr, text, sizeof text) != NULL)
		snprintf(out, cap, "tcp:%s:%u", text, ntohs(in->sin_port));
	else if (sa->sa_family == AF_INET6 && inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text) != NULL)
		snprintf(out, cap, "tcp:[%s]:%u", text, ntohs(in6->sin6_port));
	else
		snprintf(out, cap, "unix:");
}

bool
link_sock_is_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct in6_addr *a6 = &((const struct sockaddr_in6 *)sa)->sin6_addr;

	if (sa->sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	if (sa->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(a6) || (IN6_IS_ADDR_V4MAPPED(a6) && a6->s6_addr[12] == 127);
	return true;
}

/* What "usermod -aG" gives: a group besides the primary one. More groups than fit here count as none. */
static bool
in_our_group(evutil_socket_t fd)
{
	gid_t groups[256];
	socklen_t n = sizeof groups;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) != 0)
		return false;
	for (size_t i = 0; i < n / sizeof groups[0]; i++)
		if (groups[i] == getegid())
			return true;
	return false;
}

void
link_sock_read_ends(evutil_socket_t fd, struct link_peer *out)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	struct ucred c;

	if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0)
		return;
	if (ss.ss_family != AF_UNIX) {
		link_sock_print_address((struct sockaddr *)&ss, out->local, sizeof out->local);
		return;
	}
	n = sizeof c;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) != 0)
		return;
	out->has_cred = true;
	out->uid = c.uid;
	out->gid = c.gid;
	out->in_our_group = in_our_group(fd);
	snprintf(out->address, sizeof out->address, "unix:uid=%u", c.uid);
}

static enum rc
net_connect(void *ctx, const char *address, const struct link_options *opt, const struct link_cb *cb, void *arg, struct link **out)
{
	struct link_address a;
	struct link_sock *l;
	enum rc rc;

	if (link_address_parse(address, &a) != RC_OK || (!a.is_unix && !a.is_serial && a.port == 0))
		return RC_SYNTAX;
	if (a.is_serial)
		return link_serial_connect(ctx, a.host, opt, cb, arg, out);
	if (opt->tls_name != NULL && strlen(opt->tls_name) >= sizeof l->name)
		return RC_SYNTAX;
	if ((rc = link_sock_new(ctx, &l)) != RC_OK)
		return rc;
	link_set_cb(&l->base, cb, arg);
	l->tls = opt->tls;
	l->half_open = opt->half_open;
	if (opt->opaque)
		link_sock_set_opaque(l);
	if (opt->tls_name != NULL)
		snprintf(l->name, sizeof l->name, "%s", opt->tls_name);
	snprintf(l->peer.address, sizeof l->peer.address, "%.*s", (int)sizeof l->peer.address - 1, address);
	clock_timer_set(l->deadline, opt->connect_timeout_ms != 0 ? opt->connect_timeout_ms : LINK_CONNECT_TIMEOUT_MS);
	if ((rc = link_dial_start(l, &a)) != RC_OK) {
		link_free(&l->base);
		return rc;
	}
	*out = &l->base;
	return RC_OK;
}

static enum rc
net_listen(void *ctx, const char *address, const struct link_options *opt, void (*on_accept)(struct link *l, void *arg), void *arg,
    struct link_listener **out)
{
	struct link_address a;

	if (link_address_parse(address, &a) != RC_OK)
		return RC_SYNTAX;
	if (a.is_serial)
		return link_serial_listen(ctx, a.host, opt, on_accept, arg, out);
	return link_accept_listen(ctx, address, opt, on_accept, arg, out);
}

static const struct link_net_ops net_ops = {
	.listen = net_listen,
	.listener_free = link_accept_free,
	.connect = net_connect,
};

enum rc
link_net_new(struct loop *loop, struct clock *clock, struct link_net **out)
{
	struct link_sock_net *net = calloc(1, sizeof *net);

	if (net == NULL)
		return RC_NOMEM;
	net->net.ops = &net_ops;
	net->net.ctx = net;
	net->base = loop_base(loop);
	net->clock = clock;
	LIST_INIT(&net->halves);
	LIST_INIT(&net->serial);
	TAILQ_INIT(&net->lingering);
	*out = &net->net;
	return RC_OK;
}

enum rc
link_net_set_nameserver(struct link_net *n, const char *address)
{
	struct link_sock_net *net = n->ctx;

	if (strlen(address) >= sizeof net->nameserver)
		return RC_SYNTAX;
	snprintf(net->nameserver, sizeof net->nameserver, "%s", address);
	return RC_OK;
}

void
link_net_free(struct link_net *n)
{
	struct link_sock_net *net;

	if (n == NULL)
		return;
	net = n->ctx;
	while (!LIST_EMPTY(&net->halves))
		link_sock_free(LIST_FIRST(&net->halves));
	link_linger_all_free(net);
	link_serial_all_free(net);
	if (net->dns != NULL)
		evdns_base_free(net->dns, 1);
	free(net);
}
