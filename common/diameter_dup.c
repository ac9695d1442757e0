/* diameter: which requests came before: a ring of the latest, and chains over it by hash. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/diameter_impl.h"

#define CHAINS (4 * DIA_DUPS_MAX)	/* most are empty: a new request is told from all that came without looking at one of them */

struct entry {
	struct dia_dup_key key;
	int64_t until_ms;
	struct dia_txn *t;	/* under way; NULL = answered */
	uint16_t next;		/* index + 1 in the same chain, 0 = end */
	bool used;
};

_Static_assert(DIA_DUPS_MAX < UINT16_MAX && CHAINS <= 1 << 16, "an index, and what chain() makes of two octets");

struct dia_dups {
	EVP_MD *sha256;
	EVP_MD_CTX *ctx;
	uint32_t at;			/* the oldest entry, next to be overwritten */
	uint16_t head[CHAINS];		/* index + 1 */
	struct entry ring[DIA_DUPS_MAX];
};

enum rc
dia_dups_new(struct dia_dups **out)
{
	struct dia_dups *d = calloc(1, sizeof *d);

	if (d == NULL)
		return RC_NOMEM;
	d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	d->ctx = EVP_MD_CTX_new();
	if (d->sha256 == NULL || d->ctx == NULL) {
		dia_dups_free(d);
		return RC_CRYPTO;
	}
	*out = d;
	return RC_OK;
}

void
dia_dups_free(struct dia_dups *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	EVP_MD_free(d->sha256);
	free(d);
}

enum rc
dia_dups_key(struct dia_dups *d, const struct dia_hdr *h, const char *origin_host, struct span session_id, struct dia_dup_key *out)
{
	const uint32_t numbers[3] = { h->e2e, h->cmd, h->app };
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_DigestInit_ex2(d->ctx, d->sha256, NULL) != 1 || EVP_DigestUpdate(d->ctx, numbers, sizeof numbers) != 1 ||
	    EVP_DigestUpdate(d->ctx, origin_host, strlen(origin_host) + 1) != 1 ||
	    EVP_DigestUpdate(d->ctx, session_id.p, session_id.n) != 1 ||
	    EVP_DigestFinal_ex(d->ctx, digest, NULL) != 1)
		return RC_CRYPTO;
	memcpy(out->octets, digest, sizeof out->octets);
	return RC_OK;
}

static uint16_t *
chain(struct dia_dups *d, const struct dia_dup_key *key)
{
	return &d->head[(key->octets[0] << 8 | key->octets[1]) % CHAINS];
}

static struct entry *
find(struct dia_dups *d, const struct dia_dup_key *key)
{
	for (uint16_t i = *chain(d, key); i != 0; i = d->ring[i - 1].next)
		if (memcmp(&d->ring[i - 1].key, key, sizeof *key) == 0)
			return &d->ring[i - 1];
	return NULL;
}

enum dia_dup
dia_dups_find(struct dia_dups *d, const struct dia_dup_key *key, int64_t now_ms, struct dia_txn **t)
{
	struct entry *e = find(d, key);

	if (e == NULL || (e->t == NULL && now_ms >= e->until_ms))
		return DIA_DUP_NEW;
	*t = e->t;
	return e->t != NULL ? DIA_DUP_UNDER_WAY : DIA_DUP_ANSWERED;
}

/* Takes the oldest place out of its chain. */
static struct entry *
recycle(struct dia_dups *d)
{
	struct entry *e = &d->ring[d->at];
	uint16_t *link;

	d->at = (d->at + 1) % DIA_DUPS_MAX;
	if (e->used) {
		for (link = chain(d, &e->key); &d->ring[*link - 1] != e; link = &d->ring[*link - 1].next)
			;
		*link = e->next;
	}
	return e;
}

void
dia_dups_set(struct dia_dups *d, const struct dia_dup_key *key, int64_t now_ms, struct dia_txn *t)
{
	struct entry *e = find(d, key);
	uint16_t *head = chain(d, key);

	if (e == NULL) {
		e = recycle(d);
		*e = (struct entry){ .key = *key, .used = true, .next = *head };
		*head = (uint16_t)(e - d->ring + 1);
	}
	e->t = t;
	e->until_ms = now_ms + DIA_DUP_MS;
}
