/* challenge: a table by nonce, a ring in order of age (all live equally long), a list per IMPI. */
#include "bsfd/challenge.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/span.h"

#define uthash_fatal(msg) log_fatal("challenge: %s", msg)
#include <uthash.h>
#include <utlist.h>

struct owner;

struct entry {
	struct bsf_challenge c;		/* first: a challenge is its entry */
	UT_hash_handle hh;		/* by nonce */
	struct entry *older, *newer;	/* by age */
	struct entry *prev, *next;	/* of the same IMPI */
	struct owner *owner;
	int64_t until_ms;		/* monotonic */
	bool spent;
	char text[];			/* username and source */
};

struct owner {
	UT_hash_handle hh;
	struct entry *entries;
	unsigned n;
	char impi[];
};

struct bsf_challenges {
	struct clock *clock;
	struct clock_timer *timer;
	struct bsf_challenges_conf conf;
	struct entry *by_nonce, *by_age;
	struct owner *owners;
};

static void
drop(struct bsf_challenges *t, struct entry *e)
{
	struct owner *o = e->owner;

	HASH_DEL(t->by_nonce, e);
	DL_DELETE2(t->by_age, e, older, newer);
	DL_DELETE(o->entries, e);
	if (--o->n == 0) {
		HASH_DEL(t->owners, o);
		free(o);
	}
	free(e);
}

/* Ends what is over, and wakes for the next. */
static void
on_time(void *arg)
{
	struct bsf_challenges *t = arg;
	int64_t now = clock_mono_ms(t->clock);

	while (t->by_age != NULL && t->by_age->until_ms <= now)
		drop(t, t->by_age);
	if (t->by_age != NULL)
		clock_timer_set(t->timer, t->by_age->until_ms - now);
	else
		clock_timer_stop(t->timer);
}

enum rc
bsf_challenges_new(struct clock *c, const struct bsf_challenges_conf *conf, struct bsf_challenges **out)
{
	struct bsf_challenges *t = calloc(1, sizeof *t);
	enum rc rc;

	if (t == NULL)
		return RC_NOMEM;
	t->clock = c;
	t->conf = *conf;
	if ((rc = clock_timer_new(c, on_time, t, &t->timer)) != RC_OK) {
		free(t);
		return rc;
	}
	*out = t;
	return RC_OK;
}

void
bsf_challenges_free(struct bsf_challenges *t)
{
	if (t == NULL)
		return;
	while (t->by_age != NULL)
		drop(t, t->by_age);
	clock_timer_free(t->timer);
	free(t);
}

void
bsf_challenge_source(const char *address, char out[static BSF_SOURCE_MAX])
{
	struct span in = span_str(address), host;
	struct in6_addr a;

	if (!span_upto_last(&in, ':', &host))
		host = in;
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (!span_to_str(host, out, BSF_SOURCE_MAX) && !span_to_str(span_of(host.p, BSF_SOURCE_MAX - 1), out, BSF_SOURCE_MAX))
		out[0] = '\0';
	if (inet_pton(AF_INET6, out, &a) == 1) {
		memset(a.s6_addr + 8, 0, 8);
		(void)inet_ntop(AF_INET6, &a, out, BSF_SOURCE_MAX);
	}
}

static void
wait_for(int64_t *until_ms, const struct entry *e)
{
	if (e->until_ms < *until_ms)
		*until_ms = e->until_ms;
}

enum rc
bsf_challenges_room(struct bsf_challenges *t, const char *impi, const char *source, int64_t *retry_s)
{
	int64_t now = clock_mono_ms(t->clock), mine = INT64_MAX, theirs = INT64_MAX, until = INT64_MAX;
	unsigned n_source = 0, n_impi = 0;
	struct owner *o;
	struct entry *e;

	on_time(t);
	HASH_FIND_STR(t->owners, impi, o);
	if (o != NULL)
		DL_FOREACH(o->entries, e) {
			n_impi++;
			wait_for(&theirs, e);
			if (strcmp(e->c.source, source) == 0) {
				n_source++;
				wait_for(&mine, e);
			}
		}
	if (n_source >= t->conf.per_source)
		until = mine;
	else if (n_impi >= t->conf.per_impi)
		until = theirs;
	else if (HASH_COUNT(t->by_nonce) >= t->conf.total)
		until = t->by_age != NULL ? t->by_age->until_ms : now;
	else
		return RC_OK;
	*retry_s = until <= now ? 1 : until == INT64_MAX ? t->conf.life_s : (until - now + 999) / 1000;
	return RC_LIMIT;
}

static struct owner *
owner_of(struct bsf_challenges *t, const char *impi)
{
	size_t n = strlen(impi);
	struct owner *o;

	HASH_FIND(hh, t->owners, impi, n, o);
	if (o == NULL && (o = calloc(1, sizeof *o + n + 1)) != NULL) {
		memcpy(o->impi, impi, n + 1);
		HASH_ADD_KEYPTR(hh, t->owners, o->impi, n, o);
	}
	return o;
}

enum rc
bsf_challenges_add(struct bsf_challenges *t, const struct bsf_challenge *c)
{
	size_t n_user = strlen(c->username) + 1, n_source = strlen(c->source) + 1;
	struct entry *e = calloc(1, sizeof *e + n_user + n_source), *same;
	struct owner *o;

	if (e == NULL)
		return RC_NOMEM;
	e->c = *c;
	digest_nonce_print(c->av.rand, c->av.autn, e->c.nonce);
	HASH_FIND_STR(t->by_nonce, e->c.nonce, same);
	if (same != NULL || (o = owner_of(t, c->impi)) == NULL) {
		free(e);
		return same != NULL ? RC_EXISTS : RC_NOMEM;
	}
	e->c.impi = o->impi;
	e->c.username = memcpy(e->text, c->username, n_user);
	e->c.source = memcpy(e->text + n_user, c->source, n_source);
	e->owner = o;
	e->until_ms = clock_mono_ms(t->clock) + t->conf.life_s * 1000;
	o->n++;
	DL_APPEND(o->entries, e);
	DL_APPEND2(t->by_age, e, older, newer);
	HASH_ADD_STR(t->by_nonce, c.nonce, e);
	if (!clock_timer_armed(t->timer))
		clock_timer_set(t->timer, t->conf.life_s * 1000);
	return RC_OK;
}

struct bsf_challenge *
bsf_challenges_find(struct bsf_challenges *t, const char *nonce)
{
	struct entry *e;

	on_time(t);
	HASH_FIND_STR(t->by_nonce, nonce, e);
	return e != NULL && !e->spent ? &e->c : NULL;
}

void
bsf_challenges_spend(struct bsf_challenges *t, struct bsf_challenge *c)
{
	(void)t;
	((struct entry *)c)->spent = true;
}

void
bsf_challenges_close(struct bsf_challenges *t, struct bsf_challenge *c)
{
	struct entry *mine = (struct entry *)c, *e, *next;

	DL_FOREACH_SAFE(mine->owner->entries, e, next)
		if (e != mine && e->spent && strcmp(e->c.source, c->source) == 0)
			drop(t, e);
	drop(t, mine);
}

void
bsf_challenges_withdraw(struct bsf_challenges *t, const char *nonce)
{
	struct entry *e;

	HASH_FIND_STR(t->by_nonce, nonce, e);
	if (e != NULL)
		drop(t, e);
}

void
bsf_challenges_drop(struct bsf_challenges *t, const char *impi)
{
	struct entry *e, *next;
	struct owner *o;

	HASH_FIND_STR(t->owners, impi, o);
	if (o == NULL)
		return;
	DL_FOREACH_SAFE(o->entries, e, next)
		drop(t, e);	/* the last one takes o along */
}

size_t
bsf_challenges_count(const struct bsf_challenges *t)
{
	return HASH_COUNT(t->by_nonce);
}
