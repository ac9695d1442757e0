/* rate: how often each one asks. In memory: a restart forgives. The table is bounded; who was quiet longest goes. */
#include <stdlib.h>
#include <string.h>

#include "nafkcd/core.h"

#include <uthash.h>

#define RATES_MAX 4096

struct entry {
	uint8_t name[32];
	struct nafkc_bucket bucket;
	UT_hash_handle hh;
};

struct nafkc_rates {
	struct entry *entries;	/* in order of last use */
};

enum rc
nafkc_rates_new(struct nafkc_rates **out)
{
	return (*out = calloc(1, sizeof(**out))) == NULL ? RC_NOMEM : RC_OK;
}

static void
drop(struct nafkc_rates *r, struct entry *e)
{
	HASH_DEL(r->entries, e);
	free(e);
}

void
nafkc_rates_free(struct nafkc_rates *r)
{
	if (r == NULL)
		return;
	while (r->entries != NULL)
		drop(r, r->entries);
	free(r);
}

bool
nafkc_rates_take(struct nafkc_rates *r, const uint8_t name[static 32], unsigned per_minute, int64_t now_ms, int64_t *retry_after_s)
{
	struct entry *e;

	HASH_FIND(hh, r->entries, name, 32, e);
	if (e != NULL) {
		HASH_DEL(r->entries, e);
	} else {
		if (HASH_COUNT(r->entries) >= RATES_MAX)
			drop(r, r->entries);
		if ((e = calloc(1, sizeof(*e))) == NULL)
			return true;	/* better served than refused for our want of memory */
		memcpy(e->name, name, sizeof(e->name));
	}
	HASH_ADD(hh, r->entries, name, sizeof(e->name), e);
	return nafkc_policy_rate(&e->bucket, per_minute, now_ms, retry_after_s);
}
