#include "common/purge.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/store.h"
#include "common/timeguard.h"

#define LOOK_EVERY_MS 60000	/* at least: the wall clock may be stepped */
#define RETRY_MS 1000		/* after the store failed */
#define TRUNCATE_MS 20000	/* from the first deletion to the checkpoint; T1 allows a minute, and a commit may be in its way */

struct purge {
	struct clock *clock;
	struct timeguard *guard;
	struct store *store;
	struct purge_what what;
	struct clock_timer *look, *truncate;
	int64_t next_s;		/* earliest expiry known of */
};

static void
arm(struct purge *p)
{
	int64_t s = p->next_s - timeguard_now(p->guard);

	/* To the beginning of that second; too early is harmless, it is looked at again. */
	clock_timer_set(p->look, s < 0 ? 0 : s > LOOK_EVERY_MS / 1000 ? LOOK_EVERY_MS : s * 1000 - clock_now_ms(p->clock) % 1000);
}

static void
on_look(void *arg)
{
	struct purge *p = arg;
	int64_t now = timeguard_now(p->guard);
	unsigned n = 0;
	enum rc rc = RC_OK;

	if ((p->next_s = p->what.next(p->what.arg)) > now) {
		arm(p);
		return;
	}
	/* The mark goes first: what has expired by it must not come back when the clock is set back. */
	if ((rc = timeguard_save(p->guard)) == RC_OK)
		rc = p->what.slice(p->what.arg, now, PURGE_SLICE, &n);
	if (n > 0) {
		log_debug("purge: %u rows", n);
		purge_deleted(p);
	}
	/* A slice a turn; one that found nothing though something has expired would find nothing again. */
	clock_timer_set(p->look, rc == RC_OK && n > 0 ? 0 : RETRY_MS);
}

static void
on_truncate(void *arg)
{
	struct purge *p = arg;

	if (store_checkpoint(p->store) != RC_OK)
		clock_timer_set(p->truncate, RETRY_MS);
}

enum rc
purge_new(struct clock *c, struct timeguard *g, struct store *st, const struct purge_what *w, struct purge **out)
{
	struct purge *p = calloc(1, sizeof *p);
	enum rc rc = RC_NOMEM;

	if (p == NULL)
		goto out;
	p->clock = c;
	p->guard = g;
	p->store = st;
	p->what = *w;
	if ((rc = clock_timer_new(c, on_look, p, &p->look)) != RC_OK ||
	    (rc = clock_timer_new(c, on_truncate, p, &p->truncate)) != RC_OK)
		goto out;
	clock_timer_set(p->look, 0);
	*out = p;
	p = NULL;
out:
	purge_free(p);
	return rc;
}

void
purge_free(struct purge *p)
{
	if (p == NULL)
		return;
	clock_timer_free(p->look);
	clock_timer_free(p->truncate);
	free(p);
}

void
purge_expect(struct purge *p, int64_t expires_s)
{
	if (expires_s >= p->next_s)
		return;
	p->next_s = expires_s;
	arm(p);
}

void
purge_deleted(struct purge *p)
{
	if (!clock_timer_armed(p->truncate))
		clock_timer_set(p->truncate, TRUNCATE_MS);
}
