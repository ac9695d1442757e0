#include "common/algo.h"

#include <gnutls/crypto.h>
#include <pthread.h>

static struct {
	EVP_MD *md5;
	EVP_CIPHER *aes_128_ecb, *aes_256_gcm;
} algo;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
fetch(void)
{
	algo.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	algo.aes_128_ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	algo.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
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
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.p, key.n, in.p, in.n, out) == 0;
}
