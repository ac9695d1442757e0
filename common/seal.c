#include "common/seal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#include "common/algo.h"
#include "common/store.h"

#define VERSION 1
#define KEY_LEN 32
#define NONCE_LEN 12
#define TAG_LEN 16
#define TABLES_MAX 16		/* subkeys kept at hand */
#define TABLE_NAME_MAX 63

/* A table's key, set in a context for each direction: that, and not the few octets of a value, is most of the work. */
struct subkey {
	char table[TABLE_NAME_MAX + 1];
	EVP_CIPHER_CTX *open, *seal;
};

struct seal {
	struct secret *key;
	uint8_t store_id[SEAL_STORE_ID_LEN], key_id[SEAL_KEY_ID_LEN];
	const struct rnd *rnd;
	struct subkey sub[TABLES_MAX];
	size_t n_sub;
};

static enum rc
hkdf(const struct secret *key, struct span salt, struct span info, uint8_t *out, size_t n)
{
	struct span k = secret_span(key);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM p[5], *at = p;
	char sha256[] = "SHA256";
	enum rc rc = RC_CRYPTO;

	if (ctx == NULL)
		goto out;
	*at++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0);
	*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)k.p, k.n);
	*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.p, info.n);
	if (salt.n > 0)
		*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.p, salt.n);
	*at = OSSL_PARAM_construct_end();
	if (EVP_KDF_derive(ctx, out, n, p) == 1)
		rc = RC_OK;
out:
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return rc;
}

enum rc
seal_key_id(const struct secret *key, uint8_t out[static SEAL_KEY_ID_LEN])
{
	return hkdf(key, (struct span){ 0 }, span_str("kslocal store key id"), out, SEAL_KEY_ID_LEN);
}

enum rc
seal_new(const struct secret *key, const uint8_t store_id[static SEAL_STORE_ID_LEN], const struct rnd *rnd, struct seal **out)
{
	struct seal *s = NULL;
	enum rc rc = RC_RANGE;

	if (secret_span(key).n != KEY_LEN)
		goto out;
	rc = RC_NOMEM;
	if ((s = calloc(1, sizeof *s)) == NULL)
		goto out;
	s->rnd = rnd;
	memcpy(s->store_id, store_id, sizeof s->store_id);
	if ((rc = secret_dup(key, &s->key)) != RC_OK)
		goto out;
	if ((rc = seal_key_id(key, s->key_id)) != RC_OK)
		goto out;
	*out = s;
	s = NULL;
out:
	seal_free(s);
	return rc;
}

void
seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_sub; i++) {
		EVP_CIPHER_CTX_free(s->sub[i].open);
		EVP_CIPHER_CTX_free(s->sub[i].seal);
	}
	secret_free(s->key);
	free(s);
}

static enum rc
subkey_make(const struct seal *s, const char *table, struct secret **out)
{
	static const char label[] = "kslocal store table";	/* its NUL parts label and table */
	uint8_t info[sizeof label + TABLE_NAME_MAX];
	size_t n = strlen(table);
	struct secret *k = NULL;
	enum rc rc;

	memcpy(info, label, sizeof label);
	memcpy(info + sizeof label, table, n);
	if ((rc = secret_new(KEY_LEN, &k)) != RC_OK)
		goto out;
	rc = hkdf(s->key, span_of(s->store_id, sizeof s->store_id), span_of(info, sizeof label + n), secret_bytes(k), KEY_LEN);
	if (rc != RC_OK)
		goto out;
	*out = k;
	k = NULL;
out:
	secret_free(k);
	return rc;
}

static EVP_CIPHER_CTX *
gcm_new(const struct secret *key, bool encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx != NULL && EVP_CipherInit_ex(ctx, algo_aes_256_gcm(), NULL, secret_span(key).p, NULL, encrypt) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static enum rc
subkey_add(struct seal *s, const char *table)
{
	struct subkey k = { .open = NULL };
	struct secret *key = NULL;
	enum rc rc;

	if (s->n_sub == TABLES_MAX || strlen(table) > TABLE_NAME_MAX)
		return RC_RANGE;
	memcpy(k.table, table, strlen(table) + 1);
	if ((rc = subkey_make(s, table, &key)) != RC_OK)
		return rc;
	k.open = gcm_new(key, false);
	k.seal = gcm_new(key, true);
	secret_free(key);
	if (k.open == NULL || k.seal == NULL) {
		EVP_CIPHER_CTX_free(k.open);
		EVP_CIPHER_CTX_free(k.seal);
		return RC_CRYPTO;
	}
	s->sub[s->n_sub++] = k;
	return RC_OK;
}

/* Borrowed. A schema has a handful of tables with sealed columns; more than fit here is our own bug and told as RC_RANGE. */
static enum rc
subkey_get(struct seal *s, const char *table, const struct subkey **out)
{
	size_t i = 0;
	enum rc rc;

	while (i < s->n_sub && strcmp(s->sub[i].table, table) != 0)
		i++;
	if (i == s->n_sub && (rc = subkey_add(s, table)) != RC_OK)
		return rc;
	*out = &s->sub[i];
	return RC_OK;
}

/* Associated data on its way into a context: many short pieces, of which each call of the library's would cost more than itself. */
struct aad {
	EVP_CIPHER_CTX *ctx;
	size_t n;
	bool ok;
	uint8_t buf[1024];
};

static void
aad_put(struct aad *a, const uint8_t *p, size_t n)
{
	int ignored;

	while (n > 0 && a->ok) {
		size_t some = n < sizeof a->buf - a->n ? n : sizeof a->buf - a->n;

		memcpy(a->buf + a->n, p, some);
		a->n += some;
		p += some;
		n -= some;
		if (a->n == sizeof a->buf) {
			a->ok = EVP_CipherUpdate(a->ctx, NULL, &ignored, a->buf, (int)a->n) == 1;
			a->n = 0;
		}
	}
}

static void
aad_part(struct aad *a, struct span part)
{
	uint8_t len[4] = { (uint8_t)(part.n >> 24), (uint8_t)(part.n >> 16), (uint8_t)(part.n >> 8), (uint8_t)part.n };

	aad_put(a, len, sizeof len);
	aad_put(a, part.p, part.n);
}

/* Nonce and associated data in. */
static bool
gcm_start(const struct seal *s, EVP_CIPHER_CTX *ctx, const struct seal_place *at, const uint8_t *nonce)
{
	struct aad a;
	int ignored;

	a.ctx = ctx;
	a.n = 0;
	a.ok = EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, -1) == 1;
	aad_part(&a, span_of(s->store_id, sizeof s->store_id));
	aad_part(&a, span_str(at->table));
	aad_part(&a, span_str(at->column));
	aad_part(&a, at->pk);
	return a.ok && (a.n == 0 || EVP_CipherUpdate(ctx, NULL, &ignored, a.buf, (int)a.n) == 1);
}

enum rc
seal_put(struct seal *s, const struct seal_place *at, const struct secret *value, uint8_t *out, size_t cap, size_t *n)
{
	struct span v = secret_span(value);
	const struct subkey *key;
	uint8_t *nonce = out + 1 + SEAL_KEY_ID_LEN, *text = nonce + NONCE_LEN;
	int done, last;
	enum rc rc;

	if (v.n == 0 || cap < SEALED_LEN(v.n))
		return RC_RANGE;
	if ((rc = subkey_get(s, at->table, &key)) != RC_OK)
		return rc;
	out[0] = VERSION;
	memcpy(out + 1, s->key_id, SEAL_KEY_ID_LEN);
	if ((rc = rnd_bytes(s->rnd, nonce, NONCE_LEN)) != RC_OK)
		return rc;
	if (!gcm_start(s, key->seal, at, nonce) || EVP_CipherUpdate(key->seal, text, &done, v.p, (int)v.n) != 1 ||
	    EVP_CipherFinal_ex(key->seal, text + done, &last) != 1 ||
	    EVP_CIPHER_CTX_ctrl(key->seal, EVP_CTRL_GCM_GET_TAG, TAG_LEN, text + v.n) != 1)
		return RC_CRYPTO;
	*n = SEALED_LEN(v.n);
	return RC_OK;
}

enum rc
seal_get(struct seal *s, const struct seal_place *at, struct span sealed, struct secret **out)
{
	struct span key_id, nonce, text, tag;
	const struct subkey *key;
	struct secret *v = NULL;
	uint8_t version, t[TAG_LEN];
	int done, last;
	enum rc rc = RC_DENIED;

	if (!span_u8(&sealed, &version) || version != VERSION || !span_take(&sealed, SEAL_KEY_ID_LEN, &key_id) ||
	    !span_eq(key_id, span_of(s->key_id, SEAL_KEY_ID_LEN)) || !span_take(&sealed, NONCE_LEN, &nonce) ||
	    sealed.n <= TAG_LEN || !span_take(&sealed, sealed.n - TAG_LEN, &text) || !span_take(&sealed, TAG_LEN, &tag))
		goto out;
	if ((rc = subkey_get(s, at->table, &key)) != RC_OK)
		goto out;
	if ((rc = secret_new(text.n, &v)) != RC_OK) {
		rc = rc == RC_RANGE ? RC_DENIED : rc;	/* longer than any secret: not from us */
		goto out;
	}
	rc = RC_CRYPTO;
	memcpy(t, tag.p, TAG_LEN);
	if (!gcm_start(s, key->open, at, nonce.p) || EVP_CIPHER_CTX_ctrl(key->open, EVP_CTRL_GCM_SET_TAG, TAG_LEN, t) != 1 ||
	    EVP_CipherUpdate(key->open, secret_bytes(v), &done, text.p, (int)text.n) != 1)
		goto out;
	rc = RC_DENIED;
	if (EVP_CipherFinal_ex(key->open, secret_bytes(v) + done, &last) != 1)
		goto out;
	*out = v;
	v = NULL;
	rc = RC_OK;
out:
	secret_free(v);
	return rc;
}
