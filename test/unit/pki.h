/*
 * pki: throw-away certificates for the tests of TLS: P-256, made in memory, written as PEM into a directory of its own.
 * Times are seconds from now, so that "expired" and "not yet" are a number.
 */
#ifndef TEST_UNIT_PKI_H
#define TEST_UNIT_PKI_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/unit/unit.h"

#define PKI_PATH_MAX 512

struct pki_cert {
	X509 *crt;
	EVP_PKEY *key;
	char crt_file[PKI_PATH_MAX], key_file[PKI_PATH_MAX];
};
struct pki_spec {
	const char *cn;
	const char *san;	/* "DNS:a.example,IP:127.0.0.1"; NULL = none */
	const char *usage;	/* extendedKeyUsage: "serverAuth", "clientAuth"; NULL = none */
	const char *key_usage;	/* "critical,keyEncipherment"; NULL = what fits */
	long from_s, to_s;	/* both 0: -60 .. 3600 */
	bool ca;
	const struct pki_cert *same_key;	/* NULL = a new key */
};

static inline char *
pki_dir(void)
{
	static char dir[256];

	if (dir[0] == '\0') {
		const char *tmp = getenv("TMPDIR");

		snprintf(dir, sizeof dir, "%s/kslocal-pki-XXXXXX", tmp != NULL ? tmp : "/tmp");
		ck_assert(mkdtemp(dir) != NULL);
	}
	return dir;
}

static inline void
pki_remove_dir(void)
{
	char cmd[PKI_PATH_MAX];

	snprintf(cmd, sizeof cmd, "rm -rf '%s'", pki_dir());
	ck_assert(system(cmd) == 0);
	pki_dir()[0] = '\0';	/* the next test of this process makes another */
}

static inline void
pki_ext(X509 *crt, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, crt, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_msg(e != NULL, "extension %s", value);
	ck_assert(X509_add_ext(crt, e, -1) == 1);
	X509_EXTENSION_free(e);
}

/* issuer NULL = self-signed. Files are name.crt and name.key (0600). */
static inline void
pki_make(struct pki_cert *out, const char *name, const struct pki_spec *spec, const struct pki_cert *issuer)
{
	static long serial = 0x1000;
	FILE *f;

	memset(out, 0, sizeof *out);
	if (spec->same_key != NULL) {
		out->key = spec->same_key->key;
		EVP_PKEY_up_ref(out->key);
	} else {
		out->key = EVP_EC_gen("P-256");
	}
	ck_assert(out->key != NULL && (out->crt = X509_new()) != NULL);
	X509_set_version(out->crt, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(out->crt), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(out->crt), spec->to_s == 0 ? -60 : spec->from_s);
	X509_gmtime_adj(X509_getm_notAfter(out->crt), spec->to_s == 0 ? 3600 : spec->to_s);
	X509_set_pubkey(out->crt, out->key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(out->crt), "CN", MBSTRING_UTF8, (const unsigned char *)spec->cn, -1, -1, 0);
	X509_set_issuer_name(out->crt, X509_get_subject_name(issuer != NULL ? issuer->crt : out->crt));
	pki_ext(out->crt, issuer != NULL ? issuer->crt : out->crt, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	pki_ext(out->crt, issuer != NULL ? issuer->crt : out->crt, NID_key_usage,
	    spec->key_usage != NULL ? spec->key_usage : spec->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	if (spec->usage != NULL)
		pki_ext(out->crt, out->crt, NID_ext_key_usage, spec->usage);
	if (spec->san != NULL)
		pki_ext(out->crt, out->crt, NID_subject_alt_name, spec->san);
	ck_assert(X509_sign(out->crt, issuer != NULL ? issuer->key : out->key, EVP_sha256()) > 0);
	snprintf(out->crt_file, sizeof out->crt_file, "%s/%s.crt", pki_dir(), name);
	snprintf(out->key_file, sizeof out->key_file, "%s/%s.key", pki_dir(), name);
	ck_assert((f = fopen(out->crt_file, "w")) != NULL && PEM_write_X509(f, out->crt) == 1 && fclose(f) == 0);
	ck_assert((f = fopen(out->key_file, "w")) != NULL && fchmod(fileno(f), 0600) == 0);
	ck_assert(PEM_write_PrivateKey(f, out->key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
}

/* A CRL of ca with these certificates on it, into file. */
static inline void
pki_crl(const char *file, const struct pki_cert *ca, const struct pki_cert *const *revoked, size_t n)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	FILE *f;

	ck_assert(crl != NULL && t != NULL);
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->crt));
	X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(t, -60));
	X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(t, 3600));
	for (size_t i = 0; i < n; i++) {
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked[i]->crt));
		X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -30));
		ck_assert(X509_CRL_add0_revoked(crl, r) == 1);
	}
	X509_CRL_sort(crl);
	ck_assert(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	ck_assert((f = fopen(file, "w")) != NULL && PEM_write_X509_CRL(f, crl) == 1 && fclose(f) == 0);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
}

/* SHA-256 of the SubjectPublicKeyInfo. */
static inline void
pki_spki(const struct pki_cert *c, uint8_t out[static 32])
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(c->key, &der);

	ck_assert(n > 0 && EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_free(der);
}

static inline void
pki_free(struct pki_cert *c)
{
	X509_free(c->crt);
	EVP_PKEY_free(c->key);
	memset(c, 0, sizeof *c);
}

#endif
