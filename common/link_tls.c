/* link_tls: see the door plate. */
#include "common/link_tls.h"

#include <event2/buffer.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/naf_id.h"

#define PIECE 16384		/* the largest TLS record */

struct link_tls {
	SSL_CTX *ctx;
	struct clock *clock;
};

struct link_tls_conn {
	SSL *ssl;
	BIO *in, *out;		/* the SSL's */
	bool up, spoke;		/* spoke: the peer sent something that was TLS */
	enum reason why;
	char detail[160];
};

/* --- certificates and trust of one end */

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

void
link_tls_free(struct link_tls *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* --- one connection */

enum rc
link_tls_conn_new(struct link_tls *t, bool server, const char *name, struct link_tls_conn **out)
{
	struct link_tls_conn *c = calloc(1, sizeof *c);
	X509_VERIFY_PARAM *param;
	enum rc rc = RC_NOMEM;

	if (c == NULL || (c->ssl = SSL_new(t->ctx)) == NULL)
		goto out;
	if ((c->in = BIO_new(BIO_s_mem())) == NULL || (c->out = BIO_new(BIO_s_mem())) == NULL) {
		BIO_free(c->in);
		goto out;
	}
	SSL_set_bio(c->ssl, c->in, c->out);
	param = SSL_get0_param(c->ssl);
	X509_VERIFY_PARAM_set_time(param, (time_t)clock_now_s(t->clock));	/* T3 */
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
	if (server) {
		SSL_set_accept_state(c->ssl);
	} else {
		SSL_set_connect_state(c->ssl);
		rc = RC_RANGE;
		if (name != NULL && (X509_VERIFY_PARAM_set1_host(param, name, 0) != 1 || SSL_set_tlsext_host_name(c->ssl, name) != 1))
			goto out;
	}
	*out = c;
	c = NULL;
	rc = RC_OK;
out:
	ERR_clear_error();
	link_tls_conn_free(c);
	return rc;
}

void
link_tls_conn_free(struct link_tls_conn *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl);	/* with its BIOs */
	free(c);
}

static enum reason
reason_of_verify(long v)
{
	switch (v) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return REASON_LINK_TLS_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return REASON_LINK_TLS_EARLY;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return REASON_LINK_TLS_NAME;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_CERT_UNTRUSTED:
		return REASON_LINK_TLS_CA;
	default:
		return REASON_LINK_TLS_CERT;
	}
}

static void
find_why(struct link_tls_conn *c)
{
	unsigned long e = ERR_peek_error();
	int r = ERR_GET_REASON(e);
	long v = SSL_get_verify_result(c->ssl);

	snprintf(c->detail, sizeof c->detail, "%s", e != 0 && ERR_reason_error_string(e) != NULL ? ERR_reason_error_string(e) : "");
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && r > SSL_AD_REASON_OFFSET && r <= SSL_AD_REASON_OFFSET + 255) {
		c->why = reason_of_tls_alert(r - SSL_AD_REASON_OFFSET);
	} else if (ERR_GET_LIB(e) == ERR_LIB_SSL && r == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		c->why = REASON_LINK_TLS_NO_CERT;
	} else if (v != X509_V_OK) {
		c->why = reason_of_verify(v);
		snprintf(c->detail, sizeof c->detail, "%s", X509_verify_cert_error_string(v));
	} else if (!c->spoke) {		/* not even its first octets were TLS */
		c->why = REASON_LINK_PEER_PLAIN;
	} else {
		c->why = REASON_LINK_TLS_BROKEN;
	}
	ERR_clear_error();
}

enum reason
link_tls_conn_why(const struct link_tls_conn *c, const char **detail)
{
	*detail = c->detail;
	return c->why;
}

/* What OpenSSL has to say, to the wire. */
static void
flush(struct link_tls_conn *c, struct evbuffer *to)
{
	char *p;
	long n = BIO_get_mem_data(c->out, &p);

	if (n > 0)
		evbuffer_add(to, p, (size_t)n);
	(void)BIO_reset(c->out);
}

static enum link_tls_state
after_error(struct link_tls_conn *c, int ret)
{
	switch (SSL_get_error(c->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return c->up ? LINK_TLS_OPEN : LINK_TLS_HANDSHAKE;
	case SSL_ERROR_ZERO_RETURN:
		return LINK_TLS_ENDED;
	default:
		find_why(c);
		return LINK_TLS_FAILED;
	}
}

static enum link_tls_state
read_plain(struct link_tls_conn *c, struct evbuffer *plain, size_t limit)
{
	struct evbuffer_iovec v;
	int n;

	while (evbuffer_get_length(plain) < limit) {
		if (evbuffer_reserve_space(plain, PIECE, &v, 1) != 1)
			return LINK_TLS_FULL;
		ERR_clear_error();
		n = SSL_read(c->ssl, v.iov_base, PIECE);
		v.iov_len = n > 0 ? (size_t)n : 0;
		evbuffer_commit_space(plain, &v, 1);
		if (n <= 0)
			return after_error(c, n);
	}
	return LINK_TLS_FULL;
}

enum link_tls_state
link_tls_conn_run(struct link_tls_conn *c, struct evbuffer *from, struct evbuffer *plain, size_t limit, struct evbuffer *to)
{
	enum link_tls_state s = LINK_TLS_OPEN;
	size_t n = evbuffer_get_length(from);
	const uint8_t *p = n > 0 ? evbuffer_pullup(from, -1) : NULL;
	int ret;

	if (p != NULL) {
		if (p[0] >= SSL3_RT_CHANGE_CIPHER_SPEC && p[0] <= SSL3_RT_APPLICATION_DATA && (n < 2 || p[1] == 3))
			c->spoke = true;
		BIO_write(c->in, p, (int)n);
		evbuffer_drain(from, n);
	}
	if (!c->up) {
		ERR_clear_error();
		ret = SSL_do_handshake(c->ssl);
		c->up = ret == 1;
		if (!c->up)
			s = after_error(c, ret);
	}
	if (c->up)
		s = read_plain(c, plain, limit);
	flush(c, to);
	return s;
}

enum rc
link_tls_conn_write(struct link_tls_conn *c, struct span octets, struct evbuffer *to)
{
	if (octets.n == 0)
		return RC_OK;
	ERR_clear_error();
	if (octets.n > INT32_MAX || SSL_write(c->ssl, octets.p, (int)octets.n) != (int)octets.n)
		return RC_STATE;
	flush(c, to);
	return RC_OK;
}

void
link_tls_conn_close(struct link_tls_conn *c, struct evbuffer *to)
{
	if (c->up)
		(void)SSL_shutdown(c->ssl);
	flush(c, to);
	ERR_clear_error();
}

/* --- who the peer is */

/* Its dNSNames, blank separated; what is no host name (wildcards too) is left out, and what does not fit, whole. */
static void
print_names(X509 *cert, char *out, size_t cap)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t n = 0;

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		char one[FQDN_MAX + 1];
		struct span s;

		if (g->type != GEN_DNS)
			continue;
		s = span_of(ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName));
		if (!span_to_str(s, one, sizeof one) || n + strlen(one) + 2 > cap)
			continue;
		if (one[strspn(one, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] == '\0')
			n += (size_t)snprintf(out + n, cap - n, "%s%s", n > 0 ? " " : "", one);
	}
	GENERAL_NAMES_free(names);
}

void
link_tls_conn_peer(const struct link_tls_conn *c, struct link_peer *out)
{
	X509 *cert = SSL_get0_peer_certificate(c->ssl);
	unsigned char *der = NULL;
	int n;

	if (cert == NULL || !c->up)
		return;
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	if (n > 0 && EVP_Digest(der, (size_t)n, out->spki_sha256, NULL, EVP_sha256(), NULL) == 1) {
		print_names(cert, out->dns_names, sizeof out->dns_names);
		out->has_cert = true;
	}
	OPENSSL_free(der);
	ERR_clear_error();
}
