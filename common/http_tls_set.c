#include "common/http_tls_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/pemfile.h"

void
tls_set_unref(struct tls_set *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (unsigned i = 0; i < s->n_own; i++)
		gnutls_pcert_deinit(&s->own[i]);
	if (s->key != NULL)
		gnutls_privkey_deinit(s->key);
	if (s->trust != NULL)
		gnutls_x509_trust_list_deinit(s->trust, 1);
	free(s);
}

static enum rc
bad_file(const char *file, const char *what, int err)
{
	log_error("%s: no %s: %s", file, what, gnutls_strerror(err));
	return err == GNUTLS_E_MEMORY_ERROR ? RC_NOMEM : RC_SYNTAX;
}

static gnutls_datum_t
pem_datum(const struct pemfile *f)
{
	return (gnutls_datum_t){ (unsigned char *)f->p, (unsigned)f->n };
}

/* The private key must be the certificate's: better said at start than as every client's handshake failure. */
static bool
key_fits(const struct tls_set *s)
{
	uint8_t a[32], b[32];
	size_t an = sizeof(a), bn = sizeof(b);
	gnutls_pubkey_t pub = NULL;
	bool fits = false;

	if (gnutls_pubkey_init(&pub) != 0)
		goto out;
	if (gnutls_pubkey_import_privkey(pub, s->key, 0, 0) != 0 ||
	    gnutls_pubkey_get_key_id(pub, GNUTLS_KEYID_USE_SHA256, a, &an) != 0 ||
	    gnutls_pubkey_get_key_id(s->own[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &bn) != 0)
		goto out;
	fits = an == bn && memcmp(a, b, an) == 0;
out:
	if (pub != NULL)
		gnutls_pubkey_deinit(pub);
	return fits;
}

static enum rc
load_own(const struct http_server_tls *files, struct tls_set *s)
{
	struct pemfile cert = { NULL, 0 }, key = { NULL, 0 };
	unsigned n = TLS_CHAIN_MAX;
	gnutls_datum_t d;
	enum rc rc;
	int err;

	if ((rc = pemfile_read(files->cert_file, false, &cert)) != RC_OK || (rc = pemfile_read(files->key_file, true, &key)) != RC_OK)
		goto out;
	d = pem_datum(&cert);
	if ((err = gnutls_pcert_list_import_x509_raw(s->own, &n, &d, GNUTLS_X509_FMT_PEM, 0)) < 0) {
		rc = bad_file(files->cert_file, "certificate chain in PEM", err);
		goto out;
	}
	s->n_own = n;
	d = pem_datum(&key);
	if ((err = gnutls_privkey_init(&s->key)) < 0 ||
	    (err = gnutls_privkey_import_x509_raw(s->key, &d, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0) {
		rc = bad_file(files->key_file, "private key in PEM", err);
		goto out;
	}
	if (!key_fits(s)) {
		log_error("%s: is not the private key of %s", files->key_file, files->cert_file);
		rc = RC_SYNTAX;
	}
out:
	pemfile_free(&cert);
	pemfile_free(&key);
	return rc;
}

/* When the first of them is out of date. */
static int64_t
crls_end(gnutls_x509_crl_t *crl, unsigned n)
{
	int64_t end = INT64_MAX;

	for (unsigned i = 0; i < n; i++) {
		time_t t = gnutls_x509_crl_get_next_update(crl[i]);

		if (t != (time_t)-1 && (int64_t)t < end)
			end = (int64_t)t;
	}
	return end;
}

static enum rc
load_crl(const char *file, struct tls_set *s)
{
	struct pemfile pem = { NULL, 0 };
	gnutls_x509_crl_t *crl = NULL;
	unsigned n = 0;
	gnutls_datum_t d;
	enum rc rc;
	int err;

	if ((rc = pemfile_read(file, false, &pem)) != RC_OK)
		return rc;
	d = pem_datum(&pem);
	if ((err = gnutls_x509_crl_list_import2(&crl, &n, &d, GNUTLS_X509_FMT_PEM, 0)) < 0 || n == 0) {
		rc = bad_file(file, "CRL in PEM", err < 0 ? err : GNUTLS_E_NO_CERTIFICATE_FOUND);
		goto out;
	}
	s->crl_end_s = crls_end(crl, n);
	/* GNUTLS_TL_VERIFY_CRL: one that none of these CAs signed would be believed otherwise. The list owns what it took. */
	err = gnutls_x509_trust_list_add_crls(s->trust, crl, n, GNUTLS_TL_VERIFY_CRL | GNUTLS_TL_NO_DUPLICATES, 0);
	if (err < (int)n)
		rc = bad_file(file, "CRL signed by a CA of client_ca and in date", err < 0 ? err : GNUTLS_E_CERTIFICATE_ERROR);
out:
	gnutls_free(crl);
	pemfile_free(&pem);
	return rc;
}

static enum rc
load_trust(const struct http_server_tls *files, struct tls_set *s)
{
	struct pemfile ca = { NULL, 0 };
	gnutls_datum_t d;
	enum rc rc;
	int n;

	if (files->client_ca_file == NULL)
		return RC_OK;
	if ((rc = pemfile_read(files->client_ca_file, false, &ca)) != RC_OK)
		goto out;
	if (gnutls_x509_trust_list_init(&s->trust, 0) < 0) {
		rc = RC_NOMEM;
		goto out;
	}
	d = pem_datum(&ca);
	n = gnutls_x509_trust_list_add_trust_mem(s->trust, &d, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	if (n <= 0)
		rc = bad_file(files->client_ca_file, "CA certificate in PEM", n);
	else if (files->client_crl_file != NULL)
		rc = load_crl(files->client_crl_file, s);
out:
	pemfile_free(&ca);
	return rc;
}

enum rc
tls_set_load(const struct http_server_tls *files, uint64_t generation, struct tls_set **out)
{
	struct tls_set *s = calloc(1, sizeof(*s));
	enum rc rc = RC_NOMEM;

	if (s == NULL)
		goto out;
	atomic_init(&s->refs, 1);
	s->generation = generation;
	s->crl_end_s = INT64_MAX;
	if ((rc = load_own(files, s)) != RC_OK || (rc = load_trust(files, s)) != RC_OK)
		goto out;
	*out = s;
	s = NULL;
out:
	tls_set_unref(s);
	return rc;
}
