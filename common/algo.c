#include "common/algo.h"

#include <openssl/core_names.h>
#include <pthread.h>

static struct {
	EVP_MD *md5;
	EVP_CIPHER *aes_128_ecb, *aes_256_gcm;
	EVP_MAC_CTX *hmac_sha256;	/* without a key: copied for each use */
} algo;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static EVP_MAC_CTX *
hmac_new(void)
{
	char sha256[] = "SHA256";
	OSSL_PARAM p[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end() };
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;

	if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, p) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_MAC_free(hmac);	/* the context holds it */
	return ctx;
}

static void
fetch(void)
{
	algo.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	algo.aes_128_ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	algo.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	algo.hmac_sha256 = hmac_new();
}

const EVP_MD *
algo_md5(void)
{
	(void)pthread_once(&once, fetch);
	return algo.md5;
}

const EVP_CIPHER *
algo_aes_128_ecb(void)
{
	(void)pthread_once(&once, fetch);
	return algo.aes_128_ecb;
}

const EVP_CIPHER *
algo_aes_256_gcm(void)
{
	(void)pthread_once(&once, fetch);
	return algo.aes_256_gcm;
}

bool
algo_hmac_sha256(struct span key, struct span in, uint8_t out[static 32])
{
	EVP_MAC_CTX *ctx;
	size_t n = 0;
	bool ok;

	(void)pthread_once(&once, fetch);
	if (algo.hmac_sha256 == NULL || (ctx = EVP_MAC_CTX_dup(algo.hmac_sha256)) == NULL)
		return false;
	ok = EVP_MAC_init(ctx, key.p, key.n, NULL) == 1 && EVP_MAC_update(ctx, in.p, in.n) == 1 &&
	    EVP_MAC_final(ctx, out, &n, 32) == 1 && n == 32;
	EVP_MAC_CTX_free(ctx);		/* cleanses what it made of the key */
	return ok;
}
