/*
 * link_tls: TLS 1.2 and 1.3 over any pair of buffers, with certificates on both sides; for link_sock.c alone.
 * OpenSSL works on memory BIOs: what it wants to say lies in our hands, so that the alert of a refusal can be flushed before
 * the socket is closed, and octets that were looked at first can be given to it.
 */
#ifndef COMMON_LINK_TLS_H
#define COMMON_LINK_TLS_H

#include "common/link.h"

struct evbuffer;
struct link_tls_conn;

/* name: the dNSName that the server must carry; NULL at the server. Caller frees, before t. */
enum rc link_tls_conn_new(struct link_tls *t, bool server, const char *name, struct link_tls_conn **out) MUST_USE;
void link_tls_conn_free(struct link_tls_conn *c);

enum link_tls_state {
	LINK_TLS_HANDSHAKE,	/* wants more octets */
	LINK_TLS_OPEN,		/* wants more octets */
	LINK_TLS_FULL,		/* open, stopped because plain holds limit octets */
	LINK_TLS_ENDED,		/* the peer said close_notify */
	LINK_TLS_FAILED		/* link_tls_conn_why() */
};
/* Takes all of from, adds to plain what it says, and to to what must be said. */
enum link_tls_state link_tls_conn_run(struct link_tls_conn *c, struct evbuffer *from, struct evbuffer *plain, size_t limit,
    struct evbuffer *to);
/* After LINK_TLS_FAILED: the reason, and a text for the log. */
enum reason link_tls_conn_why(const struct link_tls_conn *c, const char **detail);
enum rc link_tls_conn_write(struct link_tls_conn *c, struct span octets, struct evbuffer *to) MUST_USE;
/* Says close_notify. */
void link_tls_conn_close(struct link_tls_conn *c, struct evbuffer *to);
/* The certificate's members of a link_peer. */
void link_tls_conn_peer(const struct link_tls_conn *c, struct link_peer *out);

#endif
