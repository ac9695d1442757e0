/*
 * http_tls_chain: a client's certificate chain and the verdict on it. Internal to common/http_*.c. Pure but for GnuTLS's clock.
 */
#ifndef COMMON_HTTP_TLS_CHAIN_H
#define COMMON_HTTP_TLS_CHAIN_H

#include "common/http_tls_set.h"

struct tls_chain {
	gnutls_x509_crt_t crt[TLS_CHAIN_MAX];	/* leaf first */
	unsigned n;
};

/* false: none, too many, or not DER. tls_chain_deinit() in either case. */
bool tls_chain_import(const gnutls_datum_t *der, unsigned n, struct tls_chain *c);
void tls_chain_deinit(struct tls_chain *c);
/* REASON_NONE, or _LINK_TLS_CA _EXPIRED _EARLY _REVOKED _CRL _CERT, with a detail for the log. s has trust anchors. */
enum reason tls_chain_judge(const struct tls_set *s, const struct tls_chain *c, int64_t now_s, char *detail, size_t cap);
/* The earliest end of its certificates, or end if that is earlier. */
int64_t tls_chain_end(const struct tls_chain *c, int64_t end);
/* Certificate, keys and names of p, all but its address. */
void tls_chain_peer(const struct tls_set *s, const struct tls_chain *c, struct http_peer *p);
/* RFC 4514 text, escaped for the log. */
void tls_chain_subject(const struct tls_chain *c, char *out, size_t cap);
void tls_chain_issuer(const struct tls_chain *c, char *out, size_t cap);
/* SHA-256 over all of a chain as it came. */
bool tls_chain_hash(const gnutls_datum_t *der, unsigned n, uint8_t out[static 32]);

#endif
