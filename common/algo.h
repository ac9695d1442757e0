/*
 * algo: OpenSSL's algorithms, fetched once for the process: EVP_sha256() and its like are looked up anew at each use, which costs
 * more than the small inputs here. Any thread. NULL: this OpenSSL has none, and what it is given to fails.
 */
#ifndef COMMON_ALGO_H
#define COMMON_ALGO_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

const EVP_MD *algo_md5(void);
const EVP_CIPHER *algo_aes_128_ecb(void);
const EVP_CIPHER *algo_aes_256_gcm(void);

/*
 * HMAC-SHA-256; false: the library failed. GnuTLS's, which has it all on the stack and leaves nothing there: OpenSSL 3's wants a
 * context made and freed for each key, which is two thirds of its time.
 */
bool algo_hmac_sha256(struct span key, struct span in, uint8_t out[static 32]) MUST_USE;

#endif
