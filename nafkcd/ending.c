/*
 * ending: a blocked issuer may have given certificates to very many devices, and the loop has others to serve: its keys end in slices, each
 * in a turn of its own. The block holds from its own turn on: it refuses Key Requests and gives no key back, and whoever asks for the state of a key
 * that is still to end hears that it is gone (nafkc_ending_has). What is to be done is in the store, so a crash forgets none.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/ctl.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "nafkcd/core.h"
#include "nafkcd/store.h"

#include <utlist.h>

#define SLICE 250		/* keys at once: some milliseconds, … */
#define NEXT_MS 1		/* … and then others */
#define WORD_MS 2000		/* between two words to who waits … */
#define WAIT_S 10		/* … and what they promise */
#define AGAIN_MS 1000		/* after the store failed; and one more look after the last one, whose commit may have failed */

struct ending {
	struct ending *prev, *next;
	uint8_t issuer[32];
};
struct waiter {
	struct waiter *prev, *next;
	uint8_t issuer[32];
	struct ctl *c;
	struct rpc_req *q;
};
struct nafkc_endings {
	struct nafkc *k;
	struct clock_timer *slice;
	struct ending *all;
	struct waiter *waiters;
	int64_t said_ms;
};

static struct ending *
find(const struct nafkc_endings *s, const uint8_t issuer[static 32])
{
	struct ending *e;

	DL_FOREACH(s->all, e)
		if (memcmp(e->issuer, issuer, sizeof(e->issuer)) == 0)
			return e;
	return NULL;
}

bool
nafkc_ending_has(const struct nafkc *k, const uint8_t issuer[static 32])
{
	return find(k->endings, issuer) != NULL;
}

static void
add(void *endings, const uint8_t issuer[static 32])
{
	struct nafkc_endings *s = endings;
	struct ending *e = find(s, issuer);

	if (e != NULL)
		return;
	if ((e = calloc(1, sizeof(*e))) == NULL)
		log_fatal("ending: out of memory");
	memcpy(e->issuer, issuer, sizeof(e->issuer));
	DL_APPEND(s->all, e);
}

/* issuer NULL: everybody is told. */
static void
tell(struct nafkc_endings *s, const uint8_t *issuer, enum reason why, int64_t n)
{
	struct waiter *w, *next;

	DL_FOREACH_SAFE(s->waiters, w, next) {
		if (issuer != NULL && memcmp(w->issuer, issuer, sizeof(w->issuer)) != 0)
			continue;
		DL_DELETE(s->waiters, w);
		if (why == REASON_NONE)
			ctl_ok(w->c, w->q, json_pack("{s:I}", "keys", (json_int_t)n));
		else
			ctl_fail(w->c, w->q, why, NULL);
		free(w);
	}
}

static void
say(struct nafkc_endings *s, const uint8_t issuer[static 32], int64_t n)
{
	int64_t now_ms = clock_mono_ms(s->k->s.clock);
	const struct waiter *w;

	if (now_ms - s->said_ms < WORD_MS)
		return;
	s->said_ms = now_ms;
	log_info("keycenter: a blocked issuer's keys: %lld invalidated so far", (long long)n);
	DL_FOREACH(s->waiters, w)
		if (memcmp(w->issuer, issuer, sizeof(w->issuer)) == 0)
			ctl_progress(w->c, w->q, "ending-keys", WAIT_S);
}

static enum rc
one_slice(struct nafkc_endings *s, const struct ending *e, int64_t *n, bool *more)
{
	struct store *st = s->k->s.store;
	enum rc rc = store_begin(st), end;

	if (rc != RC_OK)
		return rc;
	rc = nafkc_store_end_slice(st, e->issuer, timeguard_now(s->k->s.guard), SLICE, n, more);
	end = store_end(st, rc == RC_OK);
	return rc != RC_OK ? rc : end;
}

/* RC_NOTFOUND: the block's own turn could not be kept. */
static void
over(struct nafkc_endings *s, struct ending *e, enum rc rc, int64_t n)
{
	metric_add(s->k->count.ended, n);
	if (rc == RC_OK)
		log_info("keycenter: a blocked issuer's keys: %lld invalidated, all of them", (long long)n);
	tell(s, e->issuer, rc == RC_OK ? REASON_NONE : REASON_NOT_DURABLE, n);
	DL_DELETE(s->all, e);
	free(e);
}

static void
on_slice(void *arg)
{
	struct nafkc_endings *s = arg;
	bool more = false;
	int64_t n = 0;
	struct ending *e;
	enum rc rc;

	if (s->all == NULL && nafkc_store_each_ending(s->k->s.store, add, s) != RC_OK)
		clock_timer_set(s->slice, AGAIN_MS);
	if ((e = s->all) == NULL)
		return;
	rc = one_slice(s, e, &n, &more);
	if (rc == RC_OK)
		purge_deleted(s->k->purge);
	if (rc == RC_OK && more)
		say(s, e->issuer, n);
	else if (rc == RC_OK || rc == RC_NOTFOUND)
		over(s, e, rc, n);
	clock_timer_set(s->slice, s->all != NULL && (rc == RC_OK || rc == RC_NOTFOUND) ? NEXT_MS : AGAIN_MS);
}

void
nafkc_ending_begin(struct nafkc *k, const uint8_t issuer[static 32])
{
	add(k->endings, issuer);
	k->endings->said_ms = clock_mono_ms(k->s.clock);
	clock_timer_set(k->endings->slice, 0);
}

void
nafkc_ending_await(struct nafkc *k, const uint8_t issuer[static 32], struct ctl *c, struct rpc_req *q)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (w == NULL)
		log_fatal("ending: out of memory");
	*w = (struct waiter){ .c = c, .q = q };
	memcpy(w->issuer, issuer, sizeof(w->issuer));
	DL_APPEND(k->endings->waiters, w);
}

/* --- life */

enum rc
nafkc_endings_new(struct nafkc *k, struct nafkc_endings **out)
{
	struct nafkc_endings *s = calloc(1, sizeof(*s));
	enum rc rc;

	if (s == NULL)
		return RC_NOMEM;
	s->k = k;
	if ((rc = clock_timer_new(k->s.clock, on_slice, s, &s->slice)) != RC_OK ||
	    (rc = nafkc_store_each_ending(k->s.store, add, s)) != RC_OK) {
		nafkc_endings_free(s);
		return rc;
	}
	if (s->all != NULL)
		clock_timer_set(s->slice, 0);
	*out = s;
	return RC_OK;
}

void
nafkc_endings_stop(struct nafkc_endings *s)
{
	clock_timer_stop(s->slice);
	tell(s, NULL, REASON_STOPPING, 0);
}

void
nafkc_endings_free(struct nafkc_endings *s)
{
	struct ending *e, *next;
	struct waiter *w, *wnext;

	if (s == NULL)
		return;
	DL_FOREACH_SAFE(s->all, e, next)
		free(e);
	DL_FOREACH_SAFE(s->waiters, w, wnext)
		free(w);
	clock_timer_free(s->slice);
	free(s);
}
