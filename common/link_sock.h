/* link_sock: what the files of the real network share: link_sock.c (a link's life), link_calls.c (what its
 * user calls), link_half.c (half_open), link_dial.c (connecting), link_accept.c, link_linger.c, link_net.c (all together). */
#ifndef COMMON_LINK_SOCK_H
#define COMMON_LINK_SOCK_H

#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "common/link_impl.h"
#include "common/link_tls.h"
#include "common/tunnel_buf.h"

#define LINK_SOCK_READ 4096		/* what libevent reads at a time; who says as much may have more to say */
#define LINK_SOCK_READ_MORE (64 * 1024)	/* what follows at once, at most */

enum link_sock_state {
	LINK_SOCK_DIAL,		/* name, addresses */
	LINK_SOCK_PEEK,		/* accepted with TLS: is it TLS at all? */
	LINK_SOCK_HANDSHAKE,
	LINK_SOCK_UP,
	LINK_SOCK_CLOSING,	/* our user said close: what is queued goes out */
	LINK_SOCK_ENDED,	/* over, on_closed is due */
	LINK_SOCK_CLOSED	/* on_closed was called */
};

struct link_dial;
struct link_accept;

struct link_sock {
	struct link base;
	LIST_ENTRY(link_sock) halves;
	LIST_ENTRY(link_sock) counted;	/* at from */
	bool half;			/* accepted and not up: nobody else knows it */
	struct link_sock_net *net;
	struct link_accept *from;	/* where it counts; NULL: connected, or the listener is gone */
	struct link_dial *dial;		/* while in DIAL */
	struct bufferevent *raw;	/* the socket */
	struct event *readable;		/* without TLS: read by ourselves, libevent takes 4 KiB at a time */
	struct evbuffer *plain;		/* with TLS: what it said */
	struct tunnel_buf run;		/* without: what came */
	struct link_tls *tls;
	struct link_tls_conn *conn;
	char name[256];			/* that the server must carry; "" = any */
	enum link_sock_state state;
	size_t limit;
	bool fresh;			/* plain: the first octets were not looked at yet */
	bool bulk;			/* much comes at a time */
	bool opaque;			/* others' octets, or TLS that somebody above reads: no secrets in what comes and goes */
	bool write_failed;
	bool full;			/* the user has limit octets waiting */
	bool drained_due;		/* all left at once, its user does not know it yet */
	bool data_due;			/* octets came together with the end of the handshake, or of the peer's sending */
	bool half_open;
	bool eof_in, eof_due;		/* half_open: the peer sends no more; our user does not know it yet */
	bool shut, shut_done;		/* half_open: we send no more; the peer was told */
	enum reason why;
	char detail[200];
	struct clock_timer *deadline;	/* of DIAL .. HANDSHAKE, of CLOSING */
	struct clock_timer *soon;	/* what must not happen inside a call */
	struct link_peer peer;
};

struct link_sock_net {
	struct link_net net;
	struct event_base *base;
	struct clock *clock;
	struct evdns_base *dns;		/* made when the first name is met */
	char nameserver[64];		/* "" = /etc/resolv.conf's */
	LIST_HEAD(, link_sock) halves;
	TAILQ_HEAD(, link_linger) lingering;	/* the oldest first */
	size_t n_lingering;
	LIST_HEAD(, serial_dev) serial;
};

enum rc link_sock_new(struct link_sock_net *net, struct link_sock **out) MUST_USE;
/* Nobody looks whether its first octets are TLS, and none of them are cleansed. */
void link_sock_set_opaque(struct link_sock *l);
/* A socket is connected: start TLS (accepted: look first whether it is TLS), or be up. Takes raw over. */
void link_sock_connected(struct link_sock *l, struct bufferevent *raw);
/* It is over: on_closed in the next turn. */
void link_sock_end(struct link_sock *l, enum reason why, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Reading stands still while the user has as much as it wants. */
void link_sock_apply_limit(struct link_sock *l);
void link_sock_free(struct link_sock *l);
extern const struct link_ops link_sock_ops;	/* link_calls.c */

/* link_half.c, half_open links: the peer sends no more; the next thing that follows from that; all that was written has left, and the
 * peer is told that no more comes. */
void link_sock_peer_sent_all(struct link_sock *l);
void link_sock_after_eof(struct link_sock *l);
void link_sock_shut(struct link_sock *l);

/* link_linger.c: takes raw over. */
void link_linger(struct link_sock_net *net, struct bufferevent *raw);
void link_linger_all_free(struct link_sock_net *net);

/* link_net.c: "tcp:127.0.0.1:40112", "tcp:[::1]:80" */
void link_sock_print_address(const struct sockaddr *sa, char *out, size_t cap);
bool link_sock_is_loopback(const struct sockaddr *sa);
/* Our own end; and who is at the other end of a UNIX socket: the kernel's word. */
void link_sock_read_ends(evutil_socket_t fd, struct link_peer *out);

/* link_dial.c */
enum rc link_dial_start(struct link_sock *l, const struct link_address *a) MUST_USE;
void link_dial_free(struct link_dial *d);

/* link_accept.c */
enum rc link_accept_listen(void *net, const char *address, const struct link_options *opt,
    void (*on_accept)(struct link *l, void *arg), void *arg, struct link_listener **out);
void link_accept_free(struct link_listener *ll);
/* An accepted link is up: its user gets it. */
void link_accept_up(struct link_sock *l);
/* It counts no longer. */
void link_accept_leave(struct link_sock *l);

#endif
