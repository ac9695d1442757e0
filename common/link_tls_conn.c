/* link_tls_conn: one connection of OpenSSL between two runs of octets. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link_tls_int.h"
#include "common/naf_id.h"
#include "common/secret.h"

/* --- OpenSSL's wire: reads c->in, writes to c->wire */

static int
wire_read(BIO *b, char *to, size_t cap, size_t *got)
{
	struct link_tls_conn *c = BIO_get_data(b);
	struct span s;

	BIO_clear_retry_flags(b);
	if (c->in.n == 0 || cap == 0) {
		BIO_set_retry_read(b);
		return 0;
	}
	if (!span_take(&c->in, c->in.n < cap ? c->in.n : cap, &s))
		return 0;
	memcpy(to, s.p, s.n);
	for (size_t i = 0; i < s.n && c->n_first < sizeof c->first; i++)
		c->first[c->n_first++] = s.p[i];
	*got = s.n;
	return 1;
}

static int
wire_write(BIO *b, const char *from, size_t n, size_t *put)
{
	struct link_tls_conn *c = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (c->wire.put(c->wire.arg, span_of(from, n)) != RC_OK)
		return 0;
	*put = n;
	return 1;
}

static long
wire_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b, (void)num, (void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO *
wire_new(struct link_tls_conn *c)
{
	BIO *b;

	/* the type's number is not OpenSSL's to look at; a new one for each connection would run out */
	if ((c->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "kslocal link")) == NULL)
		return NULL;
	if (BIO_meth_set_read_ex(c->method, wire_read) != 1 || BIO_meth_set_write_ex(c->method, wire_write) != 1 ||
	    BIO_meth_set_ctrl(c->method, wire_ctrl) != 1 || (b = BIO_new(c->method)) == NULL)
		return NULL;
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	return b;
}

/* --- life */

enum rc
link_tls_conn_on(SSL_CTX *ctx, bool server, const struct link_tls_wire *wire, struct link_tls_conn **out)
{
	struct link_tls_conn *c = calloc(1, sizeof *c);
	BIO *b;

	if (c == NULL || (c->ssl = SSL_new(ctx)) == NULL || SSL_set_app_data(c->ssl, c) != 1 || (b = wire_new(c)) == NULL) {
		ERR_clear_error();
		link_tls_conn_free(c);
		return RC_NOMEM;
	}
	SSL_set_bio(c->ssl, b, b);
	c->wire = *wire;
	c->server = server;
	if (server)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	*out = c;
	return RC_OK;
}

enum rc
link_tls_conn_new(struct link_tls *t, bool server, const char *name, const struct link_tls_wire *wire, struct link_tls_conn **out)
{
	struct link_tls_conn *c;
	X509_VERIFY_PARAM *param;
	enum rc rc;

	if ((rc = link_tls_conn_on(t->ctx, server, wire, &c)) != RC_OK)
		return rc;
	param = SSL_get0_param(c->ssl);
	X509_VERIFY_PARAM_set_time(param, (time_t)clock_now_s(t->clock));	/* T3 */
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
	if (!server && name != NULL && (X509_VERIFY_PARAM_set1_host(param, name, 0) != 1 || SSL_set_tlsext_host_name(c->ssl, name) != 1)) {
		ERR_clear_error();
		link_tls_conn_free(c);
		return RC_RANGE;
	}
	*out = c;
	return RC_OK;
}

void
link_tls_conn_free(struct link_tls_conn *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl);	/* with its BIO */
	BIO_meth_free(c->method);
	secret_free(c->key);
	free(c);
}

/* --- why it failed */

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
	case X509_V_ERR_CERT_REVOKED:
		return REASON_LINK_TLS_REVOKED;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return REASON_LINK_TLS_CRL;
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

/* Were its first octets a TLS record at all? */
static bool
spoke_tls(const struct link_tls_conn *c)
{
	return c->n_first > 0 && c->first[0] >= SSL3_RT_CHANGE_CIPHER_SPEC && c->first[0] <= SSL3_RT_APPLICATION_DATA &&
	    (c->n_first < 2 || c->first[1] == 3);
}

/* RFC 9257 "Selfie": a hello that only our own side says: our octets came back, or two ends play the same part. */
static bool
plays_our_part(const struct link_tls_conn *c)
{
	return c->n_first == sizeof c->first && c->first[0] == SSL3_RT_HANDSHAKE &&
	    c->first[5] == (c->server ? SSL3_MT_SERVER_HELLO : SSL3_MT_CLIENT_HELLO);
}

static void
find_why(struct link_tls_conn *c)
{
	unsigned long e = ERR_peek_error();
	bool from_ssl = ERR_GET_LIB(e) == ERR_LIB_SSL;
	int r = from_ssl ? ERR_GET_REASON(e) : 0, alert = -1;
	long v = SSL_get_verify_result(c->ssl);

	snprintf(c->detail, sizeof c->detail, "%s", e != 0 && ERR_reason_error_string(e) != NULL ? ERR_reason_error_string(e) : "");
	if (r > SSL_AD_REASON_OFFSET && r <= SSL_AD_REASON_OFFSET + 255)
		alert = r - SSL_AD_REASON_OFFSET;
	if (!spoke_tls(c)) {
		c->why = REASON_LINK_PEER_PLAIN;
	} else if (plays_our_part(c)) {
		c->why = REASON_LINK_TLS_ROLE;
	} else if (c->key != NULL) {
		c->why = link_psk_why(c, alert, r);
	} else if (alert >= 0) {
		c->why = reason_of_tls_alert(alert);
	} else if (r == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		c->why = REASON_LINK_TLS_NO_CERT;
	} else if (v != X509_V_OK) {
		c->why = reason_of_verify(v);
		snprintf(c->detail, sizeof c->detail, "%s", X509_verify_cert_error_string(v));
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

/* --- octets */

static enum link_tls_state
after_error(struct link_tls_conn *c, int ret)
{
	switch (SSL_get_error(c->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return c->up ? LINK_TLS_OPEN : LINK_TLS_HANDSHAKE;
	case SSL_ERROR_ZERO_RETURN:
		if (c->up)
			return LINK_TLS_ENDED;
		c->why = REASON_LINK_BROKEN;	/* anybody can say it; it proves nothing */
		snprintf(c->detail, sizeof c->detail, "close_notify in the middle of the handshake");
		return LINK_TLS_FAILED;
	default:
		find_why(c);
		return LINK_TLS_FAILED;
	}
}

/* A plain peer is told so by an alert, which its plain link knows. OpenSSL would wait for the rest of a record. */
static bool
begins_plain(struct link_tls_conn *c)
{
	static const uint8_t alert[] = { SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL, SSL_AD_PROTOCOL_VERSION };

	if (c->n_first > 0 || c->in.n == 0 || (c->in.p[0] >= SSL3_RT_CHANGE_CIPHER_SPEC && c->in.p[0] <= SSL3_RT_APPLICATION_DATA))
		return false;
	c->why = REASON_LINK_PEER_PLAIN;
	snprintf(c->detail, sizeof c->detail, "its first octet is %02x", c->in.p[0]);
	(void)c->wire.put(c->wire.arg, span_of(alert, sizeof alert));
	return true;
}

static enum link_tls_state
shake(struct link_tls_conn *c)
{
	int ret;

	if (begins_plain(c))
		return LINK_TLS_FAILED;
	ret = SSL_do_handshake(c->ssl);
	if (ret != 1)
		return after_error(c, ret);
	if (c->key != NULL && !link_psk_accept(c))
		return LINK_TLS_FAILED;
	c->up = true;
	return LINK_TLS_OPEN;
}

enum link_tls_state
link_tls_conn_read(struct link_tls_conn *c, struct span *from, uint8_t *to, size_t cap, size_t *got)
{
	enum link_tls_state s = LINK_TLS_OPEN;
	int ret;

	*got = 0;
	c->in = *from;
	ERR_clear_error();
	if (!c->up)
		s = shake(c);
	if (c->up) {
		ret = SSL_read_ex(c->ssl, to, cap, got);
		if (ret != 1)
			s = after_error(c, ret);
	}
	*from = c->in;
	c->in = (struct span){ NULL, 0 };
	return s;
}

/*
 * Writing may happen within another connection's reading, whose alert is on its way through this one (TLS in TLS): the errors of
 * that one stay in OpenSSL's queue.
 */
enum rc
link_tls_conn_write(struct link_tls_conn *c, struct span octets)
{
	bool others = ERR_set_mark() == 1, done;
	size_t put;

	done = octets.n == 0 || (c->up && SSL_write_ex(c->ssl, octets.p, octets.n, &put) == 1 && put == octets.n);
	if (others)
		ERR_pop_to_mark();
	else
		ERR_clear_error();
	return done ? RC_OK : RC_STATE;
}

void
link_tls_conn_close(struct link_tls_conn *c)
{
	if (c->up)
		(void)SSL_shutdown(c->ssl);
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
