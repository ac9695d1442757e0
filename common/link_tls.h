/*
 * link_tls: one TLS connection between two runs of octets, with certificates on both sides or with one external PSK; for link_sock
 * and link_over alone. OpenSSL reads what it is given and says what it must through a function: so the alert of a refusal can be
 * flushed before anything is closed, octets that were looked at first can be given to it, and nothing is copied in between.
 */
#ifndef COMMON_LINK_TLS_H
#define COMMON_LINK_TLS_H

#include "common/link.h"

#define LINK_TLS_PIECE 16384		/* the largest record's content */

struct link_psk;
struct link_tls_conn;

/* What must be said goes here, within the calls below. */
struct link_tls_wire {
	enum rc (*put)(void *arg, struct span octets);
	void *arg;
};

/* name: the dNSName that the server must carry; NULL at the server. RC_NOMEM, RC_RANGE (name). Caller frees, before t. */
enum rc link_tls_conn_new(struct link_tls *t, bool server, const char *name, const struct link_tls_wire *wire,
    struct link_tls_conn **out) MUST_USE;
/* psk is copied. RC_NOMEM, RC_CRYPTO, RC_RANGE (identity, key). Caller frees.                                      U2 */
enum rc link_tls_conn_new_psk(const struct link_psk *psk, bool server, const struct link_tls_wire *wire, struct link_tls_conn **out)
    MUST_USE;
/* NULL is fine. */
void link_tls_conn_free(struct link_tls_conn *c);

enum link_tls_state {
	LINK_TLS_HANDSHAKE,	/* wants more octets */
	LINK_TLS_OPEN,		/* *got octets, or wants more */
	LINK_TLS_ENDED,		/* the peer said close_notify, after a whole handshake */
	LINK_TLS_FAILED		/* link_tls_conn_why() */
};
/*
 * Takes octets from the front of from: all of it, unless a record is whole before. cap: at least LINK_TLS_PIECE. Call it again while
 * *got > 0: with from empty, too. The first call of a client says its hello.
 */
enum link_tls_state link_tls_conn_read(struct link_tls_conn *c, struct span *from, uint8_t *to, size_t cap, size_t *got) MUST_USE;
/* After LINK_TLS_FAILED: the reason, and a text for the log. */
enum reason link_tls_conn_why(const struct link_tls_conn *c, const char **detail);
/* RC_STATE: not open, or the wire took nothing. */
enum rc link_tls_conn_write(struct link_tls_conn *c, struct span octets) MUST_USE;
/* Says close_notify; reading goes on. */
void link_tls_conn_close(struct link_tls_conn *c);
/* The certificate's members of a link_peer. */
void link_tls_conn_peer(const struct link_tls_conn *c, struct link_peer *out);

#endif
