/* The arithmetic; header fields: digest_header.c, digest_print.c. */
#include "common/digest_aka.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "common/algo.h"
#include "common/b64.h"
#include "common/hex.h"

enum rc
digest_nonce_parse(const char *nonce, uint8_t rand[static AKA_RAND_LEN], uint8_t autn[static AKA_AUTN_LEN])
{
	uint8_t octets[sizeof ((struct digest *)0)->nonce];
	size_t n;

	if (b64_parse(span_str(nonce), octets, sizeof octets, &n) != RC_OK || n < AKA_RAND_LEN + AKA_AUTN_LEN)
		return RC_SYNTAX;
	memcpy(rand, octets, AKA_RAND_LEN);
	memcpy(autn, octets + AKA_RAND_LEN, AKA_AUTN_LEN);
	return RC_OK;
}

void
digest_nonce_print(const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN],
    char out[static DIGEST_NONCE_LEN + 1])
{
	uint8_t octets[AKA_RAND_LEN + AKA_AUTN_LEN];

	memcpy(octets, rand, AKA_RAND_LEN);
	memcpy(octets + AKA_RAND_LEN, autn, AKA_AUTN_LEN);
	b64_print((struct span){ octets, sizeof octets }, out);
}

/* base64(HMAC-MD5(RES || IK || CK, "http-digest-akav2-password"))                                     RFC 4169 3 */
static enum rc
akav2_password(const struct secret *res, const struct secret *ck, const struct secret *ik, struct secret **out)
{
	static const char label[] = "http-digest-akav2-password";
	struct secret *res_ik = NULL, *key = NULL;
	char text[B64_LEN(16) + 1] = "";
	uint8_t mac[16];
	struct span k;
	enum rc rc;

	if (ck == NULL || ik == NULL)
		return RC_RANGE;
	if ((rc = secret_concat(res, ik, &res_ik)) != RC_OK || (rc = secret_concat(res_ik, ck, &key)) != RC_OK)
		goto out;
	k = secret_span(key);
	if (HMAC(EVP_md5(), k.p, (int)k.n, (const uint8_t *)label, sizeof label - 1, mac, NULL) == NULL) {
		rc = RC_CRYPTO;
		goto out;
	}
	b64_print((struct span){ mac, sizeof mac }, text);
	rc = secret_from(span_str(text), out);
out:
	OPENSSL_cleanse(mac, sizeof mac);
	OPENSSL_cleanse(text, sizeof text);
	secret_free(res_ik);
	secret_free(key);
	return rc;
}

enum rc
digest_password(enum digest_alg alg, const struct secret *res, const struct secret *ck, const struct secret *ik,
    struct secret **out)
{
	switch (alg) {
	case DIGEST_ALG_AKAV1_MD5:
		return secret_dup(res, out);
	case DIGEST_ALG_AKAV2_MD5:
		return akav2_password(res, ck, ik, out);
	case DIGEST_ALG_MD5:
	case DIGEST_ALG_OTHER:
		break;
	}
	return RC_RANGE;
}

/* H(part ":" part …) as lower-case hex. RES may hold any octet, so nothing here ends at a NUL. */
static enum rc
h(const struct span *part, size_t n, char out[static DIGEST_LEN + 1])
{
	EVP_MD_CTX *ctx = NULL;
	uint8_t md[16];
	enum rc rc = RC_CRYPTO;

	if ((ctx = EVP_MD_CTX_new()) == NULL || EVP_DigestInit_ex(ctx, algo_md5(), NULL) != 1)
		goto out;
	for (size_t i = 0; i < n; i++) {
		if ((i > 0 && EVP_DigestUpdate(ctx, ":", 1) != 1) || EVP_DigestUpdate(ctx, part[i].p, part[i].n) != 1)
			goto out;
	}
	if (EVP_DigestFinal_ex(ctx, md, NULL) != 1)
		goto out;
	hex_print((struct span){ md, sizeof md }, out);
	rc = RC_OK;
out:
	EVP_MD_CTX_free(ctx);
	OPENSSL_cleanse(md, sizeof md);
	return rc;
}

/* H(A2), A2 = method ":" uri, and ":" H(body) with auth-int.                                RFC 2617 3.2.2.3 */
static enum rc
h_a2(const struct digest *d, const char *method, struct span body, char out[static DIGEST_LEN + 1])
{
	char hbody[DIGEST_LEN + 1];
	struct span part[] = { span_str(method), span_str(d->uri), { (const uint8_t *)hbody, DIGEST_LEN } };
	enum rc rc;

	if (d->qop != DIGEST_QOP_AUTH_INT)
		return h(part, 2, out);
	if ((rc = h(&body, 1, hbody)) != RC_OK)
		return rc;
	return h(part, 3, out);
}

enum rc
digest_response(const struct digest *d, const struct secret *password, const char *method, struct span body,
    char out[static DIGEST_LEN + 1])
{
	const struct span a1[] = { span_str(d->username), span_str(d->realm), secret_span(password) };
	char ha1[DIGEST_LEN + 1], ha2[DIGEST_LEN + 1];
	bool with_qop = (d->have & DIGEST_QOP) != 0;
	struct span part[6];
	size_t n = 0;
	enum rc rc = RC_RANGE;

	if (d->alg == DIGEST_ALG_OTHER || d->qop > DIGEST_QOP_AUTH_INT || with_qop != (d->qop != DIGEST_QOP_NONE))
		return RC_RANGE;
	if ((rc = h(a1, 3, ha1)) != RC_OK || (rc = h_a2(d, method, body, ha2)) != RC_OK)
		goto out;
	part[n++] = span_str(ha1);
	part[n++] = span_str(d->nonce);
	if (with_qop) {
		part[n++] = span_str(d->nc);
		part[n++] = span_str(d->cnonce);
		part[n++] = span_str(d->qop == DIGEST_QOP_AUTH ? "auth" : "auth-int");
	}
	part[n++] = span_str(ha2);
	rc = h(part, n, out);
out:
	OPENSSL_cleanse(ha1, sizeof ha1);	/* as good as the password for this realm */
	return rc;
}

enum rc
digest_check(const struct digest *d, const struct secret *password, const char *method, struct span body, const char *claimed)
{
	char right[DIGEST_LEN + 1];
	enum rc rc;

	if ((rc = digest_response(d, password, method, body, right)) != RC_OK)
		return rc;
	if (strlen(claimed) != DIGEST_LEN || CRYPTO_memcmp(claimed, right, DIGEST_LEN) != 0)
		rc = RC_DENIED;
	OPENSSL_cleanse(right, sizeof right);
	return rc;
}
