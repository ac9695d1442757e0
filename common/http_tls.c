/*
 * http_tls: trust and identity of an https client. libcurl makes the SSL_CTX of each connection and we finish it: own anchors
 * only, time by the clock (T3), names by dNSName only (N4) — libcurl's own check would take a common name or a wildcard.
 */
#include "common/http_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/pemfile.h"

struct http_tls {
	const struct clock *clock;
	struct pemfile anchors;
	X509_STORE *store;
	X509 *own;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
	unsigned id;
};

static enum rc
load_anchors(struct http_tls *t, const char *file)
{
	enum rc rc = pemfile_read(file, false, &t->anchors);
	BIO *in = NULL;
	X509 *x;
	size_t n = 0;

	if (rc != RC_OK)
		return rc;
	if ((t->store = X509_STORE_new()) == NULL || (in = BIO_new_mem_buf(t->anchors.p, (int)t->anchors.n)) == NULL) {
		rc = RC_NOMEM;
		goto out;
	}
	while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(t->store, x) == 1;
		X509_free(x);
	}
	if (n == 0) {
		log_error("%s: no CA certificate in PEM", file);
		rc = RC_SYNTAX;
	}
out:
	BIO_free(in);
	ERR_clear_error();
	return rc;
}

static enum rc
load_certificate(struct http_tls *t, const char *file)
{
	struct pemfile pem = { NULL, 0 };
	enum rc rc = pemfile_read(file, false, &pem);
	BIO *in = NULL;
	X509 *x;

	if (rc != RC_OK)
		goto out;
	if ((in = BIO_new_mem_buf(pem.p, (int)pem.n)) == NULL || (t->chain = sk_X509_new_null()) == NULL) {
		rc = RC_NOMEM;
		goto out;
	}
	if ((t->own = PEM_read_bio_X509(in, NULL, NULL, NULL)) == NULL) {
		log_error("%s: no certificate in PEM", file);
		rc = RC_SYNTAX;
		goto out;
	}
	while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(t->chain, x) == 0) {
			X509_free(x);
			rc = RC_NOMEM;
			goto out;
		}
out:
	BIO_free(in);
	ERR_clear_error();
	pemfile_free(&pem);
	return rc;
}

/* A key with a pass phrase is one that no daemon can open: say so instead of asking on the terminal. */
static int
no_pass_phrase(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

static enum rc
load_key(struct http_tls *t, const char *file, const char *cert_file)
{
	struct pemfile pem = { NULL, 0 };
	enum rc rc = pemfile_read(file, true, &pem);
	BIO *in = NULL;

	if (rc != RC_OK)
		goto out;
	if ((in = BIO_new_mem_buf(pem.p, (int)pem.n)) == NULL) {
		rc = RC_NOMEM;
		goto out;
	}
	rc = RC_SYNTAX;
	if ((t->key = PEM_read_bio_PrivateKey(in, NULL, no_pass_phrase, NULL)) == NULL)
		log_error("%s: no private key in PEM without pass phrase", file);
	else if (X509_check_private_key(t->own, t->key) != 1)
		log_error("%s: is not the private key of %s", file, cert_file);
	else
		rc = RC_OK;
out:
	BIO_free(in);
	ERR_clear_error();
	pemfile_free(&pem);
	return rc;
}

enum rc
http_tls_new(const char *ca_file, const char *cert_file, const char *key_file, const struct clock *clock, struct http_tls **out)
{
	static atomic_uint ids;
	struct http_tls *t = calloc(1, sizeof(*t));
	enum rc rc = RC_NOMEM;

	if (t == NULL)
		goto out;
	t->clock = clock;
	t->id = atomic_fetch_add(&ids, 1);
	if ((rc = load_anchors(t, ca_file)) != RC_OK)
		goto out;
	if (cert_file != NULL &&
	    ((rc = load_certificate(t, cert_file)) != RC_OK || (rc = load_key(t, key_file, cert_file)) != RC_OK))
		goto out;
	*out = t;
	t = NULL;
out:
	http_tls_free(t);
	return rc;
}

void
http_tls_free(struct http_tls *t)
{
	if (t == NULL)
		return;
	pemfile_free(&t->anchors);
	X509_STORE_free(t->store);
	X509_free(t->own);
	sk_X509_pop_free(t->chain, X509_free);
	EVP_PKEY_free(t->key);
	free(t);
}

char *
http_tls_mark(const struct http_tls *t, unsigned lead)
{
	size_t cap = t->anchors.n + 64;
	char *p = malloc(cap);

	/* text outside of the PEM lines is ignored by who reads it, but makes two texts differ */
	if (p != NULL)
		snprintf(p, cap, "end %u, time line %u\n%s", t->id, lead, t->anchors.p);
	return p;
}

/* The dNSNames of x, for the sentence that says what is wrong with them. */
static void
print_names(X509 *x, char *out, size_t cap)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	size_t n = 0;

	out[0] = '\0';
	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && n + 1 < cap; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		int m;

		if (g->type != GEN_DNS)
			continue;
		log_text(span_of(ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName)), out + n, cap - n - 1);
		m = (int)strlen(out + n);
		n += (size_t)m;
		out[n++] = ' ';
		out[n] = '\0';
	}
	GENERAL_NAMES_free(names);
}

static bool
name_fits(X509 *x, const char *host)
{
	unsigned char address[16];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_check_ip_asc(x, host, 0) == 1;
	return X509_check_host(x, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
}

static int
verify(X509_STORE_CTX *sctx, void *arg)
{
	struct http_tls_hand *h = arg;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(sctx);
	X509 *leaf = X509_STORE_CTX_get0_cert(sctx);
	char names[160];

	X509_VERIFY_PARAM_set_time(param, (time_t)clock_now_s(h->tls->clock));
	if (X509_verify_cert(sctx) != 1) {
		h->server_bad = true;
		snprintf(h->detail, sizeof(h->detail), "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(sctx)));
		return 0;
	}
	if (!name_fits(leaf, h->host)) {
		h->server_bad = true;
		print_names(leaf, names, sizeof(names));
		snprintf(h->detail, sizeof(h->detail), "its dNSNames are \"%s\", wanted \"%.80s\"", names, h->host);
		X509_STORE_CTX_set_error(sctx, X509_V_ERR_HOSTNAME_MISMATCH);
		return 0;
	}
	return 1;
}

/* --- what is known about one connection */

static int hand_index = -1;		/* of OpenSSL's, where an SSL_CTX keeps its hand */
static pthread_once_t hand_once = PTHREAD_ONCE_INIT;

static void
hand_drop(void *parent, void *p, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	http_tls_hand_unref(p);
}

static void
hand_register(void)
{
	hand_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, NULL, NULL, NULL, hand_drop);
}

struct http_tls_hand *
http_tls_hand_new(const struct http_tls *t, const char *host)
{
	struct http_tls_hand *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	*h = (struct http_tls_hand){ .refs = 1, .tls = t, .has_own = t->own != NULL, .alert = -1 };
	snprintf(h->host, sizeof(h->host), "%s", host);
	return h;
}

void
http_tls_hand_unref(struct http_tls_hand *h)
{
	if (h != NULL && --h->refs == 0)
		free(h);
}

/*
 * In TLS 1.3 a refusal of our certificate comes when the handshake looks done: at the first read, or, if the request could not even
 * be written any more, when libcurl reads once more before it closes.
 */
static void
on_info(const SSL *ssl, int where, int ret)
{
	struct http_tls_hand *h = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), hand_index);

	if (h != NULL && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (ret >> 8) == SSL3_AL_FATAL)
		h->alert = ret & 0xff;
}

const char *
http_tls_alert_text(int alert)
{
	return alert == TLS13_AD_CERTIFICATE_REQUIRED ? "certificate required" : SSL_alert_desc_string_long(alert);
}

bool
http_tls_alert_is_refusal(const struct http_tls_hand *h)
{
	switch (h->alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case TLS13_AD_CERTIFICATE_REQUIRED:
		return true;
	case SSL_AD_HANDSHAKE_FAILURE:	/* RFC 5246 7.4.6: the answer of TLS 1.2 to no certificate */
		return !h->has_own;
	default:
		return false;
	}
}

bool
http_tls_prepare(struct http_tls_hand *h, void *p)
{
	const struct http_tls *t = h->tls;
	SSL_CTX *ctx = p;

	pthread_once(&hand_once, hand_register);
	if (hand_index < 0 || SSL_CTX_set_ex_data(ctx, hand_index, h) != 1)
		return false;
	h->refs++;
	SSL_CTX_set_info_callback(ctx, on_info);
	SSL_CTX_set1_cert_store(ctx, t->store);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, h);
	/* the handshake of the connection's beginning is the only one: t need not live longer than the call */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 || SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
		return false;
	if (t->own == NULL)
		return true;
	return SSL_CTX_use_certificate(ctx, t->own) == 1 && SSL_CTX_set1_chain(ctx, t->chain) == 1 &&
	    SSL_CTX_use_PrivateKey(ctx, t->key) == 1;
}
