#include "common/secret.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/algo.h"
#include "common/hex.h"

#define SECRET_MAX 4096
#define HEAP_SIZE (1u << 20)
#define HEAP_UNIT 32u		/* the size of nearly all of them, so that none is padded */

struct secret {
	uint8_t *b;		/* on the secure heap */
	size_t n;
};

bool
secret_heap_open(void)
{
	/* 2 = allocated, but neither locked nor out of core dumps */
	return CRYPTO_secure_malloc_init(HEAP_SIZE, HEAP_UNIT) == 1;
}

enum rc
secret_new(size_t n, struct secret **out)
{
	struct secret *s;

	if (n == 0 || n > SECRET_MAX)
		return RC_RANGE;
	if ((s = malloc(sizeof *s)) == NULL)
		return RC_NOMEM;
	if ((s->b = OPENSSL_secure_zalloc(n)) == NULL) {
		free(s);
		return RC_NOMEM;
	}
	s->n = n;
	*out = s;
	return RC_OK;
}

enum rc
secret_from(struct span octets, struct secret **out)
{
	enum rc rc;

	if ((rc = secret_new(octets.n, out)) != RC_OK)
		return rc;
	memcpy((*out)->b, octets.p, octets.n);
	return RC_OK;
}

enum rc
secret_concat(const struct secret *a, const struct secret *b, struct secret **out)
{
	enum rc rc;

	if ((rc = secret_new(a->n + b->n, out)) != RC_OK)
		return rc;
	memcpy((*out)->b, a->b, a->n);
	memcpy((*out)->b + a->n, b->b, b->n);
	return RC_OK;
}

enum rc
secret_dup(const struct secret *s, struct secret **out)
{
	return secret_from(secret_span(s), out);
}

uint8_t *
secret_bytes(struct secret *s)
{
	return s->b;
}

struct span
secret_span(const struct secret *s)
{
	return s == NULL ? (struct span){ NULL, 0 } : (struct span){ s->b, s->n };
}

bool
secret_eq(const struct secret *a, const struct secret *b)
{
	return a != NULL && b != NULL && a->n == b->n && CRYPTO_memcmp(a->b, b->b, a->n) == 0;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	OPENSSL_secure_clear_free(s->b, s->n);
	free(s);
}

enum rc
secret_kcv(const struct secret *s, char out[static KCV_LEN + 1])
{
	static const char label[] = "kslocal key check";
	uint8_t mac[32];

	if (!algo_hmac_sha256(secret_span(s), span_of(label, sizeof label - 1), mac))
		return RC_CRYPTO;
	hex_print((struct span){ mac, KCV_LEN / 2 }, out);
	OPENSSL_cleanse(mac, sizeof mac);	/* the rest of it would be a wider check value */
	return RC_OK;
}
