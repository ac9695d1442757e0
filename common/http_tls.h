/* http_tls: the client's side of TLS, for http_client.c alone: OpenSSL behind libcurl. */
#ifndef COMMON_HTTP_TLS_H
#define COMMON_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/http_client.h"

/*
 * What one connection of ours is judged by, and what was found. Counted: libcurl keeps connections longer than the call that made
 * them, and reads the server's last alert only when it closes one.
 */
struct http_tls_hand {
	unsigned refs;
	const struct http_tls *tls;	/* valid during the handshake */
	bool has_own;			/* we show a certificate */
	char host[256];			/* the URL's; an IPv6 address without brackets */
	bool server_bad;		/* their certificate did not pass; detail says why */
	char detail[256];
	int alert;			/* the fatal alert they sent; -1 = none */
};
/* NULL: out of memory. */
struct http_tls_hand *http_tls_hand_new(const struct http_tls *t, const char *host);
/* NULL is fine. */
void http_tls_hand_unref(struct http_tls_hand *h);

/* ctx is an SSL_CTX that libcurl made for the next connection; it takes a reference. false: OpenSSL failed. */
bool http_tls_prepare(struct http_tls_hand *h, void *ctx);
/* In words: "certificate expired". */
const char *http_tls_alert_text(int alert);
/* It refuses our certificate, or that we show none. */
bool http_tls_alert_is_refusal(const struct http_tls_hand *h);

/*
 * A PEM text with t's anchors that differs for each t and each lead: libcurl uses a connection again only for calls with equal
 * text. Caller frees. NULL: out of memory.
 */
char *http_tls_mark(const struct http_tls *t, unsigned lead);

#endif
