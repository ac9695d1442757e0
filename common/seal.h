/*
 * seal: keys at rest. AES-256-GCM under one subkey per table, bound to the place where the value lies.        ARCHITECTURE 5
 *   sealed    = 01 ‖ key id 4 ‖ nonce 12 ‖ ciphertext ‖ tag 16
 *   subkey    = HKDF-SHA-256(key, salt = store id, info = "kslocal store table" ‖ 00 ‖ table)
 *   key id    = HKDF-SHA-256(key, no salt, info = "kslocal store key id"), 4 octets
 *   associated data = store id, table, column, primary key, each behind its length in 4 octets
 * store.c is its user; daemons call store_seal() and store_unseal().
 */
#ifndef COMMON_SEAL_H
#define COMMON_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/rnd.h"
#include "common/secret.h"
#include "common/span.h"

#define SEAL_STORE_ID_LEN 16
#define SEAL_KEY_ID_LEN 4

struct seal;

/* Where a value lies. */
struct seal_place {
	const char *table, *column;
	struct span pk;
};

/* key: 32 octets; copied. rnd, for nonces, is borrowed for good. RC_RANGE (key length), RC_NOMEM, RC_CRYPTO. Caller frees. */
enum rc seal_new(const struct secret *key, const uint8_t store_id[static SEAL_STORE_ID_LEN], const struct rnd *rnd,
    struct seal **out) MUST_USE;
void seal_free(struct seal *s);
/* Tells one store key from another, and tells nothing about it. */
enum rc seal_key_id(const struct secret *key, uint8_t out[static SEAL_KEY_ID_LEN]) MUST_USE;

/* out gets SEALED_LEN(value) octets (store.h). RC_RANGE: does not fit cap. RC_CRYPTO, RC_NOMEM. */
enum rc seal_put(struct seal *s, const struct seal_place *at, const struct secret *value, uint8_t *out, size_t cap, size_t *n) MUST_USE;
/* RC_DENIED: not sealed with this key, in this store, for this place. RC_NOMEM, RC_CRYPTO. Caller frees *out. */
enum rc seal_get(struct seal *s, const struct seal_place *at, struct span sealed, struct secret **out) MUST_USE;

#endif
