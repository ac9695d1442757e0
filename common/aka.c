#include "common/aka.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/milenage.h"
#include "common/sqn.h"

static const uint8_t amf_resync[2] = { 0, 0 };		/* TS 33.102 6.3.3 */

static void
xor_sqn(uint8_t *to, const uint8_t *sqn, const uint8_t *ak)
{
	for (size_t i = 0; i < 6; i++)
		to[i] = sqn[i] ^ ak[i];
}

void
aka_vector_clear(struct aka_vector *v)
{
	secret_free(v->xres);
	secret_free(v->ck);
	secret_free(v->ik);
	*v = (struct aka_vector){ 0 };
}

void
aka_result_clear(struct aka_result *r)
{
	secret_free(r->res);
	secret_free(r->ck);
	secret_free(r->ik);
	*r = (struct aka_result){ 0 };
}

/* AUTN: MAC and what f5 covers. ak is the caller's, out of f5 or of all functions at once. */
static enum rc
make_autn(const struct secret *k, const struct secret *opc, const uint8_t *rand, uint64_t sqn, const uint8_t *amf, const uint8_t *ak,
    uint8_t *autn)
{
	uint8_t s[6], mac_a[8], mac_s[8];
	enum rc rc;

	if (sqn > SQN_MAX)
		return RC_RANGE;
	sqn_print(sqn, s);
	if ((rc = milenage_f1(k, opc, rand, s, amf, mac_a, mac_s)) != RC_OK)
		goto out;
	xor_sqn(autn, s, ak);
	memcpy(autn + 6, amf, 2);
	memcpy(autn + 8, mac_a, 8);
out:
	OPENSSL_cleanse(mac_s, sizeof mac_s);
	return rc;
}

enum rc
aka_make_autn(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN], uint64_t sqn,
    const uint8_t amf[static 2], uint8_t autn[static AKA_AUTN_LEN])
{
	uint8_t ak[6];
	enum rc rc;

	if ((rc = milenage_f5(k, opc, rand, ak)) == RC_OK)
		rc = make_autn(k, opc, rand, sqn, amf, ak, autn);
	OPENSSL_cleanse(ak, sizeof ak);
	return rc;
}

enum rc
aka_make(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN], uint64_t sqn,
    const uint8_t amf[static 2], struct aka_vector *out)
{
	struct aka_vector v = { 0 };
	uint8_t ak[6];
	enum rc rc;

	if ((rc = milenage_f2345(k, opc, rand, &v.xres, &v.ck, &v.ik, ak)) != RC_OK)
		return rc;
	memcpy(v.rand, rand, AKA_RAND_LEN);
	if ((rc = make_autn(k, opc, rand, sqn, amf, ak, v.autn)) == RC_OK)
		*out = v;
	else
		aka_vector_clear(&v);
	OPENSSL_cleanse(ak, sizeof ak);
	return rc;
}

enum rc
aka_check(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN],
    const uint8_t autn[static AKA_AUTN_LEN], struct aka_result *out)
{
	uint8_t s[6], ak[6], mac_a[8], mac_s[8];
	struct aka_result r = { 0 };
	enum rc rc;

	if ((rc = milenage_f2345(k, opc, rand, &r.res, &r.ck, &r.ik, ak)) != RC_OK)
		goto out;
	xor_sqn(s, autn, ak);
	if ((rc = milenage_f1(k, opc, rand, s, autn + 6, mac_a, mac_s)) != RC_OK)
		goto out;
	if (CRYPTO_memcmp(mac_a, autn + 8, 8) != 0) {
		rc = RC_DENIED;
		goto out;
	}
	r.sqn = sqn_parse(s);
	memcpy(r.amf, autn + 6, 2);
	*out = r;
	r = (struct aka_result){ 0 };
out:
	aka_result_clear(&r);
	OPENSSL_cleanse(ak, sizeof ak);
	OPENSSL_cleanse(mac_a, sizeof mac_a);	/* of a wrong AUTN it would be the right MAC */
	OPENSSL_cleanse(mac_s, sizeof mac_s);
	return rc;
}

enum rc
aka_make_auts(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN], uint64_t sqn_ms,
    uint8_t out[static AKA_AUTS_LEN])
{
	uint8_t s[6], ak[6], mac_a[8], mac_s[8];
	enum rc rc = RC_RANGE;

	if (sqn_ms > SQN_MAX)
		goto out;
	sqn_print(sqn_ms, s);
	if ((rc = milenage_f5star(k, opc, rand, ak)) != RC_OK)
		goto out;
	if ((rc = milenage_f1(k, opc, rand, s, amf_resync, mac_a, mac_s)) != RC_OK)
		goto out;
	xor_sqn(out, s, ak);
	memcpy(out + 6, mac_s, 8);
out:
	OPENSSL_cleanse(ak, sizeof ak);
	OPENSSL_cleanse(mac_a, sizeof mac_a);
	return rc;
}

enum rc
aka_check_auts(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN],
    const uint8_t auts[static AKA_AUTS_LEN], uint64_t *sqn_ms)
{
	uint8_t s[6], ak[6], mac_a[8], mac_s[8];
	enum rc rc;

	if ((rc = milenage_f5star(k, opc, rand, ak)) != RC_OK)
		goto out;
	xor_sqn(s, auts, ak);
	if ((rc = milenage_f1(k, opc, rand, s, amf_resync, mac_a, mac_s)) != RC_OK)
		goto out;
	if (CRYPTO_memcmp(mac_s, auts + 6, 8) != 0) {
		rc = RC_DENIED;
		goto out;
	}
	*sqn_ms = sqn_parse(s);
out:
	OPENSSL_cleanse(ak, sizeof ak);
	OPENSSL_cleanse(mac_a, sizeof mac_a);
	OPENSSL_cleanse(mac_s, sizeof mac_s);
	return rc;
}

enum rc
aka_autn_star(const struct secret *ik, const uint8_t in[static AKA_AUTN_LEN], uint8_t out[static AKA_AUTN_LEN])
{
	struct span k = secret_span(ik);
	uint8_t sha1[20];

	if (k.n != 16)
		return RC_RANGE;
	if (EVP_Digest(k.p, k.n, sha1, NULL, EVP_sha1(), NULL) != 1)
		return RC_CRYPTO;
	memmove(out, in, 8);
	for (size_t i = 0; i < 8; i++)
		out[8 + i] = in[8 + i] ^ sha1[i];
	OPENSSL_cleanse(sha1, sizeof sha1);
	return RC_OK;
}
