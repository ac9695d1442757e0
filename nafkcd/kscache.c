#include "nafkcd/kscache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#include <uthash.h>

#define NAME_MAX_LEN (NAF_ID_TEXT_MAX + 1 + BTID_MAX)

struct entry {
	char name[NAME_MAX_LEN + 1];	/* "FQDN/0100000002 B-TID" */
	struct secret *ks_naf;
	char *impi;
	struct nafkc_ks ks;		/* borrows the two above */
	int64_t until_ms;		/* how long we keep it, monotonic */
	UT_hash_handle hh;		/* in order of insertion */
};

struct nafkc_kscache {
	struct clock *clock;
	struct clock_timer *timer;
	int64_t keep_s;
	struct entry *entries;
};

static void
drop(struct nafkc_kscache *c, struct entry *e)
{
	HASH_DEL(c->entries, e);
	secret_free(e->ks_naf);
	free(e->impi);
	free(e);
}

/* Kept no longer than until_ms; all entries are kept equally long, so the first is the first to go. */
static void
on_timer(void *arg)
{
	struct nafkc_kscache *c = arg;
	int64_t now_ms = clock_mono_ms(c->clock);

	while (c->entries != NULL && c->entries->until_ms <= now_ms)
		drop(c, c->entries);
	if (c->entries != NULL)
		clock_timer_set(c->timer, c->entries->until_ms - now_ms);
}

enum rc
nafkc_kscache_new(struct clock *clock, int64_t keep_s, struct nafkc_kscache **out)
{
	struct nafkc_kscache *c = calloc(1, sizeof(*c));
	enum rc rc = RC_NOMEM;

	if (c == NULL)
		goto out;
	c->clock = clock;
	c->keep_s = keep_s;
	if ((rc = clock_timer_new(clock, on_timer, c, &c->timer)) != RC_OK)
		goto out;
	*out = c;
	c = NULL;
out:
	nafkc_kscache_free(c);
	return rc;
}

void
nafkc_kscache_free(struct nafkc_kscache *c)
{
	if (c == NULL)
		return;
	nafkc_kscache_drop(c);
	clock_timer_free(c->timer);
	free(c);
}

static void
name_of(const struct btid *btid, const struct naf_id *naf_id, char out[static NAME_MAX_LEN + 1])
{
	char naf[NAF_ID_TEXT_MAX + 1];

	naf_id_print(naf_id, naf);
	snprintf(out, NAME_MAX_LEN + 1, "%s %s", naf, btid->s);
}

void
nafkc_kscache_put(struct nafkc_kscache *c, const struct btid *btid, const struct naf_id *naf_id, const struct nafkc_ks *ks,
    int64_t now_s)
{
	char name[NAME_MAX_LEN + 1];
	struct entry *e;

	if (c->keep_s == 0 || ks->expires_s <= now_s)
		return;
	name_of(btid, naf_id, name);
	HASH_FIND_STR(c->entries, name, e);
	if (e != NULL)
		drop(c, e);
	if (HASH_COUNT(c->entries) >= NAFKC_KSCACHE_MAX)
		drop(c, c->entries);
	if ((e = calloc(1, sizeof(*e))) == NULL)
		return;
	if (secret_dup(ks->ks_naf, &e->ks_naf) != RC_OK || (e->impi = strdup(ks->impi)) == NULL) {
		secret_free(e->ks_naf);
		free(e);
		return;
	}
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->ks = (struct nafkc_ks){ e->ks_naf, ks->expires_s, e->impi };
	e->until_ms = clock_mono_ms(c->clock) + c->keep_s * 1000;
	HASH_ADD_STR(c->entries, name, e);
	if (!clock_timer_armed(c->timer))
		clock_timer_set(c->timer, c->keep_s * 1000);
}

const struct nafkc_ks *
nafkc_kscache_get(struct nafkc_kscache *c, const struct btid *btid, const struct naf_id *naf_id, int64_t now_s)
{
	char name[NAME_MAX_LEN + 1];
	struct entry *e;

	name_of(btid, naf_id, name);
	HASH_FIND_STR(c->entries, name, e);
	if (e == NULL)
		return NULL;
	if (e->ks.expires_s <= now_s || e->until_ms <= clock_mono_ms(c->clock)) {
		drop(c, e);
		return NULL;
	}
	return &e->ks;
}

void
nafkc_kscache_drop(struct nafkc_kscache *c)
{
	while (c->entries != NULL)
		drop(c, c->entries);
}

size_t
nafkc_kscache_count(const struct nafkc_kscache *c)
{
	return HASH_COUNT(c->entries);
}
