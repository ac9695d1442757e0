/*
 * link_psk: TLS 1.3 with one external PSK and (EC)DHE, both sides (RULES U2, U3). The key and its name are made from Ks_local_MT
 * here, too.
 */
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "common/b64.h"
#include "common/kdf.h"
#include "common/link_tls_int.h"
#include "common/profile.h"
#include "common/secret.h"

#define SUITE "TLS_AES_128_GCM_SHA256"
#define IDENTITY_PREFIX "kslocal1."
#define IDENTITY_OCTETS 16

static const unsigned char suite_id[] = { 0x13, 0x01 };
static const unsigned char alpn_h2[] = { 2, 'h', '2' };

/* --- what OpenSSL asks */

/* Each handshake has a session of its own, which OpenSSL takes. */
static SSL_SESSION *
session_new(struct link_tls_conn *c)
{
	const SSL_CIPHER *suite = SSL_CIPHER_find(c->ssl, suite_id);
	struct span k = secret_span(c->key);
	SSL_SESSION *s = SSL_SESSION_new();

	if (s == NULL || suite == NULL || SSL_SESSION_set1_master_key(s, k.p, k.n) != 1 || SSL_SESSION_set_cipher(s, suite) != 1 ||
	    SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) != 1) {
		SSL_SESSION_free(s);
		return NULL;
	}
	return s;
}

static int
on_use_session(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len, SSL_SESSION **out)
{
	struct link_tls_conn *c = SSL_get_app_data(ssl);

	(void)md;		/* its suite is the only one we offer */
	if ((*out = session_new(c)) == NULL)
		return 0;
	*id = (const unsigned char *)c->identity;
	*id_len = strlen(c->identity);
	return 1;
}

static int
on_find_session(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **out)
{
	struct link_tls_conn *c = SSL_get_app_data(ssl);

	*out = NULL;
	if (!span_eq_str(span_of(id, id_len), c->identity)) {
		c->other_identity = true;
		return 1;	/* goes on without, and ends for want of a certificate */
	}
	*out = session_new(c);
	return *out != NULL;
}

/* ALPN is demanded: without it the next callback would not even be asked. */
static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct link_tls_conn *c = SSL_get_app_data(ssl);
	const unsigned char *ext;
	size_t n;

	(void)arg;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &ext, &n) == 1)
		return SSL_CLIENT_HELLO_SUCCESS;
	c->no_alpn = true;
	*alert = SSL_AD_NO_APPLICATION_PROTOCOL;
	return SSL_CLIENT_HELLO_ERROR;
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
	struct link_tls_conn *c = SSL_get_app_data(ssl);
	unsigned char *found;

	(void)arg;
	if (SSL_select_next_proto(&found, out_len, alpn_h2, sizeof alpn_h2, in, in_len) != OPENSSL_NPN_NEGOTIATED) {
		c->no_alpn = true;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

/* --- a connection */

/* No certificate and no trust: a server that does not take the PSK is refused by SSL_VERIFY_PEER. */
static SSL_CTX *
context_new(bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 || SSL_CTX_set_ciphersuites(ctx, SUITE) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_alpn_protos(ctx, alpn_h2, sizeof alpn_h2) != 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!server)		/* a server asks nobody who has the PSK, and has no certificate for who has not */
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_psk_use_session_callback(ctx, on_use_session);
	SSL_CTX_set_psk_find_session_callback(ctx, on_find_session);
	SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return ctx;
}

static bool
identity_ok(const char *id)
{
	size_t n = strlen(id);

	if (n == 0 || n > LINK_PSK_IDENTITY_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (id[i] <= ' ' || id[i] > '~' || id[i] == ':')
			return false;
	return true;
}

enum rc
link_tls_conn_new_psk(const struct link_psk *psk, bool server, const struct link_tls_wire *wire, struct link_tls_conn **out)
{
	struct link_tls_conn *c = NULL;
	SSL_CTX *ctx = NULL;
	enum rc rc;

	if (!identity_ok(psk->identity) || secret_span(psk->key).n != KS_LEN)
		return RC_RANGE;
	rc = RC_CRYPTO;
	if ((ctx = context_new(server)) == NULL)
		goto out;
	if ((rc = link_tls_conn_on(ctx, server, wire, &c)) != RC_OK || (rc = secret_dup(psk->key, &c->key)) != RC_OK)
		goto out;
	snprintf(c->identity, sizeof c->identity, "%s", psk->identity);
	*out = c;
	c = NULL;
out:
	ERR_clear_error();
	link_tls_conn_free(c);
	SSL_CTX_free(ctx);	/* the connection holds its own reference */
	return rc;
}

/* --- what came of it */

bool
link_psk_accept(struct link_tls_conn *c)
{
	const unsigned char *alpn;
	unsigned n;

	if (SSL_session_reused(c->ssl) != 1) {		/* an external PSK counts as resumption */
		c->why = REASON_LINK_PSK_NONE;
		snprintf(c->detail, sizeof c->detail, "the handshake was done without the key");
		return false;
	}
	SSL_get0_alpn_selected(c->ssl, &alpn, &n);
	if (!span_eq(span_of(alpn, n), span_of(alpn_h2 + 1, 2))) {
		c->why = REASON_LINK_TLS_ALPN;
		snprintf(c->detail, sizeof c->detail, "no protocol was chosen");
		return false;
	}
	return true;
}

/*
 * U3: only the binder at the server, and at the client an alert that may be about the key, say that the keys differ. What TLS
 * implementations send then: illegal_parameter or decrypt_error (binder), unknown_psk_identity, handshake_failure (no such
 * identity, and nothing else to go by).
 */
enum reason
link_psk_why(const struct link_tls_conn *c, int alert, int error)
{
	if (c->up)
		return REASON_LINK_TLS_BROKEN;
	if (alert == SSL_AD_NO_APPLICATION_PROTOCOL || c->no_alpn)
		return REASON_LINK_TLS_ALPN;
	if (!c->server && (alert == SSL_AD_ILLEGAL_PARAMETER || alert == SSL_AD_DECRYPT_ERROR || alert == SSL_AD_UNKNOWN_PSK_IDENTITY ||
	    alert == SSL_AD_HANDSHAKE_FAILURE))
		return REASON_LINK_PSK_REFUSED;
	if (error == SSL_R_BINDER_DOES_NOT_VERIFY)
		return REASON_LINK_PSK_REFUSED;
	if (c->server && c->other_identity)
		return REASON_LINK_PSK_IDENTITY;
	if (error == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM || error == SSL_R_MISSING_SIGALGS_EXTENSION ||
	    error == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return REASON_LINK_PSK_NONE;
	return REASON_LINK_TLS_BROKEN;
}

enum rc
link_psk_of(const struct secret *ks_local_mt, char identity[static LINK_PSK_IDENTITY_MAX + 1], struct secret **psk)
{
	char text[IDENTITY_OCTETS * 4 / 3 + 4];
	struct secret *id = NULL, *key = NULL;
	enum rc rc;

	if ((rc = kdf_reserved(ks_local_mt, profile.reserved.tls, &key)) != RC_OK ||
	    (rc = kdf_reserved(ks_local_mt, profile.reserved.psk_id, &id)) != RC_OK)
		goto out;
	b64url_print((struct span){ secret_span(id).p, IDENTITY_OCTETS }, text);
	snprintf(identity, LINK_PSK_IDENTITY_MAX + 1, IDENTITY_PREFIX "%s", text);
	*psk = key;
	key = NULL;
out:
	secret_free(id);
	secret_free(key);
	return rc;
}
