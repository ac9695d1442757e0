/*
 * http_server_tls: what http_server.c needs from GnuTLS: own certificate, trust list and CRL as one set that can be swapped while
 * connections live, the verdict on a client in the handshake with the right alert, and again at every request (N5). Internal
 * to common/http_server*.c. Unless it says "loop", a function is for any thread; calls about one connection never overlap.
 */
#ifndef COMMON_HTTP_SERVER_TLS_H
#define COMMON_HTTP_SERVER_TLS_H

#include <microhttpd.h>

#include "common/http_tls_set.h"

struct tls_server;

/* A connection's share; first member of what libmicrohttpd keeps as its socket context. All zero = plain HTTP. */
struct tls_conn {
	struct tls_server *server;
	struct tls_set *set;		/* whose certificate this connection shows */
	gnutls_session_t session;
	const char *address;		/* for the log; borrowed */
	bool peer_known;
	bool greeted, finished, said;	/* of the handshake: begun, done on the client's side, refusal logged */
	int alert;			/* the client's last one; close_notify = none */
	struct http_peer peer;
	uint64_t good_by;		/* the chain was found good by the set of this generation; 0 = not yet */
	int64_t good_from, good_until;	/* … at times from .. until */
};

/* Loop. Errors as http_server_new(). name is copied. */
enum rc tls_server_new(const struct http_server_tls *files, struct clock *clock, const char *name, struct tls_server **out) MUST_USE;
enum rc tls_server_reload(struct tls_server *t) MUST_USE;
/* Hand the clock's time to GnuTLS (controlled and virtual clocks). */
void tls_server_tick(struct tls_server *t);
void tls_server_free(struct tls_server *t);
uint64_t tls_server_refused(struct tls_server *t);

extern const char tls_priorities[];
/* For MHD_OPTION_HTTPS_CERT_CALLBACK2. */
int tls_own_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *n,
    gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags);

/* The session exists, its handshake has not begun. */
void tls_conn_begin(struct tls_conn *c, struct tls_server *t, gnutls_session_t session, const char *address);
/*
 * The session has gone already (libmicrohttpd frees it first): nothing here may touch it. A handshake that ended half-way is
 * logged, with the client's alert if there was one.
 */
void tls_conn_end(struct tls_conn *c);
/* REASON_NONE: certificate good now, c->peer filled. Else what is wrong with it; it was logged. */
enum reason tls_conn_judge(struct tls_conn *c);
/* Best effort, for a last word to a client that hangs; never blocks. */
void tls_conn_send(struct tls_conn *c, const char *p, size_t n);

#endif
