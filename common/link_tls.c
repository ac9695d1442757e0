/* link_tls: the certificates and the trust of one end. One connection is link_tls_conn.c's. */
#include "common/link_tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/link_tls_int.h"
#include "common/log.h"

static enum rc
load_files(SSL_CTX *ctx, const char *cert_file, const char *key_file, const char *ca_file)
{
	STACK_OF(X509_NAME) *names;
	struct stat st;

	if (stat(key_file, &st) != 0) {
		log_error("tls: %s cannot be read", key_file);
		return RC_IO;
	}
	if ((st.st_mode & 077) != 0) {
		log_error("tls: %s may be read by group or world: chmod 600 it", key_file);
		return RC_DENIED;
	}
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
		log_error("tls: %s holds no certificate in PEM", cert_file);
		return RC_SYNTAX;
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
		log_error("tls: %s holds no private key in PEM that belongs to %s", key_file, cert_file);
		return RC_SYNTAX;
	}
	if (SSL_CTX_load_verify_file(ctx, ca_file) != 1 || (names = SSL_load_client_CA_file(ca_file)) == NULL) {
		log_error("tls: %s holds no CA certificate in PEM", ca_file);
		return RC_SYNTAX;
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	return RC_OK;
}

enum rc
link_tls_new(const char *cert_file, const char *key_file, const char *ca_file, struct clock *clock, struct link_tls **out)
{
	struct link_tls *t = calloc(1, sizeof *t);
	enum rc rc = RC_NOMEM;

	if (t == NULL || (t->ctx = SSL_CTX_new(TLS_method())) == NULL)
		goto out;
	t->clock = clock;
	rc = RC_CRYPTO;
	/* ua-33222.md 6: TLS 1.2 and 1.3, AEAD only, no compression, no renegotiation; no resumption, so every peer is judged */
	if (SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(t->ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!PSK") != 1 ||
	    SSL_CTX_set_num_tickets(t->ctx, 0) != 1)
		goto out;
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if ((rc = load_files(t->ctx, cert_file, key_file, ca_file)) != RC_OK)
		goto out;
	*out = t;
	t = NULL;
out:
	ERR_clear_error();
	link_tls_free(t);
	return rc;
}

enum rc
link_tls_use_crl(struct link_tls *t, const char *crl_file)
{
	X509_STORE *store = SSL_CTX_get_cert_store(t->ctx);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	bool good = lookup != NULL && X509_load_crl_file(lookup, crl_file, X509_FILETYPE_PEM) > 0 &&
	    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;

	ERR_clear_error();
	if (good)
		return RC_OK;
	log_error("tls: %s holds no CRL in PEM", crl_file);
	return RC_SYNTAX;
}

void
link_tls_demand_13(struct link_tls *t)
{
	long done = SSL_CTX_set_min_proto_version(t->ctx, TLS1_3_VERSION);

	assert(done == 1);	/* fails for a version that the library does not know */
	(void)done;
}

void
link_tls_free(struct link_tls *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}
