#include "common/b64.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

void
b64_print(struct span in, char *out)
{
	assert(in.n <= B64_MAX);
	if (in.n == 0)
		*out = '\0';
	else
		EVP_EncodeBlock((uint8_t *)out, in.p, (int)in.n);
}

void
b64url_print(struct span in, char *out)
{
	b64_print(in, out);
	for (; *out != '\0' && *out != '='; out++) {
		if (*out == '+')
			*out = '-';
		else if (*out == '/')
			*out = '_';
	}
	*out = '\0';
}

/*
 * OpenSSL's decoder skips blanks and takes any unused bits; what encodes back to the same characters is the one
 * spelling. *raw is new, with capacity text.n; the caller clears and frees it.
 */
static enum rc
decode(struct span text, uint8_t **raw, size_t *n)
{
	char *back = NULL;
	size_t pad = 0;
	enum rc rc = RC_SYNTAX;
	int got;

	if (text.n > B64_MAX)
		return RC_RANGE;
	if (text.n % 4 != 0)
		return RC_SYNTAX;
	*raw = OPENSSL_malloc(text.n + 1);
	back = OPENSSL_malloc(text.n + 1);
	if (*raw == NULL || back == NULL) {
		rc = RC_NOMEM;
		goto out;
	}
	if (text.n == 0) {
		*n = 0;
		rc = RC_OK;
		goto out;
	}
	while (pad < 2 && text.p[text.n - 1 - pad] == '=')
		pad++;
	got = EVP_DecodeBlock(*raw, text.p, (int)text.n);
	if (got < 0 || (size_t)got != text.n / 4 * 3)
		goto out;
	*n = (size_t)got - pad;
	b64_print((struct span){ *raw, *n }, back);
	if (CRYPTO_memcmp(back, text.p, text.n) == 0)
		rc = RC_OK;
out:
	OPENSSL_clear_free(back, text.n + 1);
	return rc;
}

enum rc
b64_parse(struct span text, uint8_t *out, size_t cap, size_t *n)
{
	uint8_t *raw = NULL;
	size_t rn = 0;
	enum rc rc;

	if ((rc = decode(text, &raw, &rn)) != RC_OK)
		goto out;
	if (rn > cap) {
		rc = RC_RANGE;
		goto out;
	}
	if (rn > 0)
		memcpy(out, raw, rn);
	*n = rn;
out:
	OPENSSL_clear_free(raw, text.n + 1);
	return rc;
}

enum rc
b64_parse_secret(struct span text, size_t n, struct secret **out)
{
	uint8_t *raw = NULL;
	size_t rn = 0;
	enum rc rc;

	if ((rc = decode(text, &raw, &rn)) != RC_OK)
		goto out;
	rc = rn == n ? secret_from((struct span){ raw, rn }, out) : RC_RANGE;
out:
	OPENSSL_clear_free(raw, text.n + 1);
	return rc;
}
