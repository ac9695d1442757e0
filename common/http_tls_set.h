/*
 * http_tls_set: what a server's PEM files said at one time: own certificate and key, trust anchors and CRL. Internal to
 * common/http_*.c. It never changes; a reload makes another one, and each is freed with its last user.
 */
#ifndef COMMON_HTTP_TLS_SET_H
#define COMMON_HTTP_TLS_SET_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>

#include "common/http_server.h"

#define TLS_CHAIN_MAX 8

struct tls_set {
	atomic_uint refs;
	uint64_t generation;
	gnutls_pcert_st own[TLS_CHAIN_MAX];
	unsigned n_own;
	gnutls_privkey_t key;
	gnutls_x509_trust_list_t trust;		/* NULL: clients need no certificate */
	int64_t crl_end_s;			/* the CRL's next update; INT64_MAX = none */
};

/* Errors as http_server_new(). The caller holds one reference. */
enum rc tls_set_load(const struct http_server_tls *files, uint64_t generation, struct tls_set **out) MUST_USE;
/* NULL is fine. */
void tls_set_unref(struct tls_set *s);

#endif
