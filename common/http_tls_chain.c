#include "common/http_tls_chain.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

void
tls_chain_deinit(struct tls_chain *c)
{
	for (unsigned i = 0; i < c->n; i++)
		gnutls_x509_crt_deinit(c->crt[i]);
	c->n = 0;
}

bool
tls_chain_import(const gnutls_datum_t *der, unsigned n, struct tls_chain *c)
{
	if (n > TLS_CHAIN_MAX)
		return false;
	for (c->n = 0; c->n < n; c->n++) {
		if (gnutls_x509_crt_init(&c->crt[c->n]) < 0)
			return false;
		if (gnutls_x509_crt_import(c->crt[c->n], &der[c->n], GNUTLS_X509_FMT_DER) < 0) {
			c->n++;
			return false;
		}
	}
	return n > 0;
}

static enum reason
status_reason(unsigned status)
{
	if (status & GNUTLS_CERT_REVOKED)
		return REASON_LINK_TLS_REVOKED;
	if (status & GNUTLS_CERT_EXPIRED)
		return REASON_LINK_TLS_EXPIRED;
	if (status & GNUTLS_CERT_NOT_ACTIVATED)
		return REASON_LINK_TLS_EARLY;
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
		return REASON_LINK_TLS_CA;
	return REASON_LINK_TLS_CERT;
}

/* ua-33222.md 2: a key usage, where there is one, must have digitalSignature. */
static bool
may_sign(gnutls_x509_crt_t leaf)
{
	unsigned usage = 0, critical;
	int err = gnutls_x509_crt_get_key_usage(leaf, &usage, &critical);

	return err == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE || (err == 0 && (usage & GNUTLS_KEY_DIGITAL_SIGNATURE) != 0);
}

enum reason
tls_chain_judge(const struct tls_set *s, const struct tls_chain *c, int64_t now_s, char *detail, size_t cap)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
	gnutls_x509_crt_t list[TLS_CHAIN_MAX];	/* GnuTLS sorts it */
	gnutls_datum_t text = { NULL, 0 };
	unsigned status = 0;
	int err;

	memcpy(list, c->crt, sizeof(list));
	err = gnutls_x509_trust_list_verify_crt2(s->trust, list, c->n, &purpose, 1, 0, &status, NULL);

	if (err < 0) {
		snprintf(detail, cap, "%s", gnutls_strerror(err));
		return REASON_LINK_TLS_CERT;
	}
	if (status != 0) {
		if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0)
			snprintf(detail, cap, "%s", (const char *)text.data);
		gnutls_free(text.data);
		return status_reason(status);
	}
	/* GnuTLS looks at this when a CRL is loaded, and not again: who was revoked since is unknown */
	if (now_s >= s->crl_end_s)
		return REASON_LINK_TLS_CRL;
	if (!may_sign(c->crt[0])) {
		snprintf(detail, cap, "its key usage lacks digitalSignature");
		return REASON_LINK_TLS_CERT;
	}
	return REASON_NONE;
}

static void
dn_text(int (*get)(gnutls_x509_crt_t, gnutls_datum_t *, unsigned), gnutls_x509_crt_t crt, char *out, size_t cap)
{
	gnutls_datum_t d = { NULL, 0 };

	out[0] = '\0';
	if (get(crt, &d, 0) == 0)
		log_text(span_of(d.data, d.size), out, cap);
	gnutls_free(d.data);
}

void
tls_chain_subject(const struct tls_chain *c, char *out, size_t cap)
{
	dn_text(gnutls_x509_crt_get_dn3, c->crt[0], out, cap);
}

void
tls_chain_issuer(const struct tls_chain *c, char *out, size_t cap)
{
	dn_text(gnutls_x509_crt_get_issuer_dn3, c->crt[0], out, cap);
}

void
tls_chain_peer(const struct tls_set *s, const struct tls_chain *c, struct http_peer *p)
{
	gnutls_x509_crt_t issuer = NULL;
	size_t n = sizeof(p->spki_sha256);

	if (gnutls_x509_crt_get_key_id(c->crt[0], GNUTLS_KEYID_USE_SHA256, p->spki_sha256, &n) != 0 || n != sizeof(p->spki_sha256))
		return;
	if (gnutls_x509_trust_list_get_issuer(s->trust, c->crt[0], &issuer, 0) != 0)
		issuer = c->n > 1 ? c->crt[1] : NULL;
	n = sizeof(p->issuer_sha256);
	if (issuer == NULL || gnutls_x509_crt_get_key_id(issuer, GNUTLS_KEYID_USE_SHA256, p->issuer_sha256, &n) != 0)
		memset(p->issuer_sha256, 0, sizeof(p->issuer_sha256));
	tls_chain_subject(c, p->subject, sizeof(p->subject));
	tls_chain_issuer(c, p->issuer, sizeof(p->issuer));
	p->has_cert = true;
}

bool
tls_chain_hash(const gnutls_datum_t *der, unsigned n, uint8_t out[static 32])
{
	gnutls_hash_hd_t h;

	if (gnutls_hash_init(&h, GNUTLS_DIG_SHA256) < 0)
		return false;
	/* with their lengths: what is one certificate and trailing octets is not what is two */
	for (unsigned i = 0; i < n; i++) {
		gnutls_hash(h, &der[i].size, sizeof(der[i].size));
		gnutls_hash(h, der[i].data, der[i].size);
	}
	gnutls_hash_deinit(h, out);
	return true;
}

int64_t
tls_chain_end(const struct tls_chain *c, int64_t end)
{
	for (unsigned i = 0; i < c->n; i++) {
		int64_t e = (int64_t)gnutls_x509_crt_get_expiration_time(c->crt[i]);

		if (e < end)
			end = e;
	}
	return end;
}
