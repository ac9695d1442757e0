/* http_tls: the client's side of TLS, for http_client.c alone: OpenSSL behind libcurl. */
#ifndef COMMON_HTTP_TLS_H
#define COMMON_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/http_client.h"

/* What one handshake of ours is judged by, and what was found. Must outlive the handshake. */
struct http_tls_hand {
	const struct http_tls *tls;
	char host[256];		/* the URL's; an IPv6 address without brackets */
	bool server_bad;
	char detail[256];
};

/* ctx is an SSL_CTX that libcurl made for the next connection. false: OpenSSL failed. */
bool http_tls_prepare(struct http_tls_hand *h, void *ctx);
/*
 * A PEM text with t's anchors that differs for each t and each lead: libcurl uses a connection again only for calls with equal
 * text. Caller frees. NULL: out of memory.
 */
char *http_tls_mark(const struct http_tls *t, unsigned lead);
/* t shows a certificate. */
bool http_tls_has_own(const struct http_tls *t);

#endif
