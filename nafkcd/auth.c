#include "nafkcd/auth.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/algo.h"
#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/rnd.h"

#include <uthash.h>

#define NAME_LEN 16		/* time, random */
#define HMAC_LEN 32
#define MAC_LEN 16		/* of it a nonce has */
#define KEY_LEN 32

struct entry {			/* a nonce that was answered rightly */
	uint8_t name[NAME_LEN];
	int64_t made_ms;
	uint32_t count;
	UT_hash_handle hh;	/* in order of first use */
};

struct nafkc_nonces {
	const struct clock *clock;
	const struct rnd *rnd;
	struct secret *key;
	int64_t floor_ms;	/* what was made then or before is over: its count may be forgotten */
	struct entry *entries;
};

enum rc
nafkc_nonces_new(const struct clock *clock, const struct rnd *rnd, struct nafkc_nonces **out)
{
	struct nafkc_nonces *n = calloc(1, sizeof(*n));
	enum rc rc = RC_NOMEM;

	if (n == NULL)
		goto out;
	n->clock = clock;
	n->rnd = rnd;
	n->floor_ms = -1;
	if ((rc = secret_new(KEY_LEN, &n->key)) != RC_OK || (rc = rnd_bytes(rnd, secret_bytes(n->key), KEY_LEN)) != RC_OK)
		goto out;
	*out = n;
	n = NULL;
out:
	nafkc_nonces_free(n);
	return rc;
}

static void
drop(struct nafkc_nonces *n, struct entry *e)
{
	HASH_DEL(n->entries, e);
	free(e);
}

void
nafkc_nonces_free(struct nafkc_nonces *n)
{
	if (n == NULL)
		return;
	while (n->entries != NULL)
		drop(n, n->entries);
	secret_free(n->key);
	free(n);
}

/* --- a nonce */

static bool
mac(const struct nafkc_nonces *n, const uint8_t name[static NAME_LEN], uint8_t out[static HMAC_LEN])
{
	return algo_hmac_sha256(secret_span(n->key), span_of(name, NAME_LEN), out);
}

enum rc
nafkc_nonce_make(struct nafkc_nonces *n, char *out, size_t cap)
{
	uint8_t octets[NAME_LEN + HMAC_LEN];
	uint64_t now_ms = (uint64_t)clock_mono_ms(n->clock);
	enum rc rc;

	if (cap < 2 * (NAME_LEN + MAC_LEN) + 1)
		return RC_RANGE;
	for (int i = 0; i < 8; i++)
		octets[i] = (uint8_t)(now_ms >> (56 - 8 * i));
	if ((rc = rnd_bytes(n->rnd, octets + 8, 8)) != RC_OK)
		return rc;
	if (!mac(n, octets, octets + NAME_LEN))
		return RC_CRYPTO;
	hex_print(span_of(octets, NAME_LEN + MAC_LEN), out);
	return RC_OK;
}

/* Ours and not over: its name, and when it was made. */
static bool
take(const struct nafkc_nonces *n, const char *nonce, uint8_t name[static NAME_LEN], int64_t *made_ms)
{
	uint8_t octets[NAME_LEN + MAC_LEN] = { 0 }, own[HMAC_LEN];
	struct span in = span_of(octets, 8);
	int64_t now_ms = clock_mono_ms(n->clock);
	uint64_t at;

	/* hex has two spellings; ours has one */
	if (strlen(nonce) != 2 * sizeof(octets) || !hex_is_lower(span_str(nonce)) ||
	    hex_parse(span_str(nonce), octets, sizeof(octets)) != RC_OK || !mac(n, octets, own) ||
	    CRYPTO_memcmp(octets + NAME_LEN, own, MAC_LEN) != 0 || !span_u64(&in, &at))
		return false;
	*made_ms = (int64_t)at;
	memcpy(name, octets, NAME_LEN);
	return *made_ms > n->floor_ms && now_ms - *made_ms < NAFKC_NONCE_LIFE_MS;
}

bool
nafkc_nonce_good(const struct nafkc_nonces *n, const char *nonce)
{
	uint8_t name[NAME_LEN];
	int64_t made_ms;

	return take(n, nonce, name, &made_ms);
}

/* --- counts */

/* Room for one more. Whose count is forgotten while it still lives takes with it all that were made before. */
static void
make_room(struct nafkc_nonces *n)
{
	int64_t now_ms = clock_mono_ms(n->clock);
	struct entry *e;

	while ((e = n->entries) != NULL && now_ms - e->made_ms >= NAFKC_NONCE_LIFE_MS)
		drop(n, e);
	if (HASH_COUNT(n->entries) < NAFKC_NONCES_MAX)
		return;
	if (e->made_ms > n->floor_ms)
		n->floor_ms = e->made_ms;
	drop(n, e);
}

bool
nafkc_nonce_use(struct nafkc_nonces *n, const char *nonce, const char *nc)
{
	uint8_t name[NAME_LEN], octets[4] = { 0 };
	struct span in = span_of(octets, sizeof(octets));
	struct entry *e;
	int64_t made_ms;
	uint32_t count;

	if (!take(n, nonce, name, &made_ms) || hex_parse(span_str(nc), octets, sizeof(octets)) != RC_OK || !span_u32(&in, &count))
		return false;
	HASH_FIND(hh, n->entries, name, NAME_LEN, e);
	if (e == NULL) {
		make_room(n);
		if (made_ms <= n->floor_ms || (e = calloc(1, sizeof(*e))) == NULL)
			return false;
		memcpy(e->name, name, NAME_LEN);
		e->made_ms = made_ms;
		HASH_ADD(hh, n->entries, name, NAME_LEN, e);
	}
	if (count <= e->count)
		return false;
	e->count = count;
	return true;
}

/* --- headers */

void
nafkc_auth_free(struct nafkc_auth *a)
{
	if (a == NULL)
		return;
	secret_free(a->password);
	free(a);
}

enum rc
nafkc_auth_challenge(struct nafkc_auth *a, struct nafkc_nonces *n, const char *fqdn, bool stale)
{
	struct digest d = { .have = DIGEST_REALM | DIGEST_NONCE | DIGEST_ALGORITHM | DIGEST_QOP | (stale ? DIGEST_STALE : 0),
	    .alg = DIGEST_ALG_MD5, .qop = DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT, .stale = stale };
	enum rc rc;

	digest_gba_realm(fqdn, d.realm);
	if ((rc = nafkc_nonce_make(n, d.nonce, sizeof(d.nonce))) != RC_OK)
		return rc;
	return digest_print_challenge(&d, a->text, sizeof(a->text));
}

bool
nafkc_auth_header(struct nafkc_auth *a, int status, struct span body, struct http_header *out)
{
	struct digest info = { .have = DIGEST_QOP | DIGEST_RSPAUTH | DIGEST_CNONCE | DIGEST_NC, .qop = a->d.qop };

	if (status == 401) {
		*out = (struct http_header){ "WWW-Authenticate", a->text };
		return true;
	}
	if (a->password == NULL)
		return false;
	memcpy(info.cnonce, a->d.cnonce, sizeof(info.cnonce));
	memcpy(info.nc, a->d.nc, sizeof(info.nc));
	if (digest_response(&a->d, a->password, "", body, info.rspauth) != RC_OK || digest_print_info(&info, a->text, sizeof(a->text)) != RC_OK) {
		log_error("ua_mt: no Authentication-Info could be made");
		return false;
	}
	*out = (struct http_header){ "Authentication-Info", a->text };
	return true;
}
