/* link_tls_int: what link_tls.c (certificates), link_psk.c (a PSK) and link_tls_conn.c (one connection) share. */
#ifndef COMMON_LINK_TLS_INT_H
#define COMMON_LINK_TLS_INT_H

#include <openssl/ssl.h>

#include "common/link_over.h"
#include "common/link_tls.h"

struct link_tls {
	SSL_CTX *ctx;
	struct clock *clock;
};

struct link_tls_conn {
	SSL *ssl;
	BIO_METHOD *method;
	struct link_tls_wire wire;
	struct span in;			/* during a call: what OpenSSL may read */
	bool server, up;
	uint8_t first[6];		/* of all that came: is it TLS, and whose part does it play? */
	size_t n_first;
	enum reason why;
	char detail[160];
	/* with a PSK */
	struct secret *key;		/* NULL: certificates */
	char identity[LINK_PSK_IDENTITY_MAX + 1];
	bool other_identity;		/* server: it named one that is not ours */
	bool no_alpn;			/* server: it said no "h2" */
};

/* A connection on this context; its SSL's app data is the connection. RC_NOMEM. */
enum rc link_tls_conn_on(SSL_CTX *ctx, bool server, const struct link_tls_wire *wire, struct link_tls_conn **out) MUST_USE;
/* link_psk.c: the handshake is done: as it should be? Else c->why says what is wrong. */
bool link_psk_accept(struct link_tls_conn *c);
/* link_psk.c: what a failed handshake means. alert: the peer's, -1 = none; error: OpenSSL's reason. */
enum reason link_psk_why(const struct link_tls_conn *c, int alert, int error);

#endif
