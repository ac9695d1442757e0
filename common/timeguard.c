#include "common/timeguard.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/store.h"

#define SAVE_EVERY_MS 60000	/* a deletion saves it too (purge.c), so that what has expired stays so after a crash */
#define META_NAME "time_mark"

struct timeguard {
	struct clock *clock;
	struct store *store;
	struct clock_timer *timer;
	int64_t step_max_s;
	int64_t mark_ms;	/* UTC; seconds would lose what goes by between two looks */
	int64_t mono_ms;	/* when the mark was last moved */
	int64_t saved_s;	/* what the store has */
	bool jumped;
};

static void
set_jumped(struct timeguard *g, bool jumped, int64_t wall_ms)
{
	char wall[UTC_TEXT_LEN + 1], mark[UTC_TEXT_LEN + 1];

	if (g->jumped == jumped)
		return;
	g->jumped = jumped;
	clock_print_utc(wall_ms / 1000, wall);
	clock_print_utc(g->mark_ms / 1000, mark);
	if (jumped)
		log_reason(REASON_CLOCK_JUMPED, "timeguard: the wall clock says %s, the mark %s", wall, mark);
	else
		log_info("timeguard: the clock is good again: %s", wall);
}

/* RULES T2: the table on the door plate. */
static void
look(struct timeguard *g)
{
	int64_t wall = clock_now_ms(g->clock), mono = clock_mono_ms(g->clock);
	int64_t moved = g->mark_ms + (mono - g->mono_ms);

	g->mono_ms = mono;
	if (wall <= g->mark_ms) {
		/* Stepped back, or nothing went by: the mark stands until the clock has passed it. */
		set_jumped(g, false, wall);
	} else if (wall - moved <= g->step_max_s * 1000) {
		g->mark_ms = wall;
		set_jumped(g, false, wall);
	} else {
		g->mark_ms = moved;
		set_jumped(g, true, wall);
	}
}

static void
on_timer(void *arg)
{
	struct timeguard *g = arg;

	/* A failing store is said by the commit that fails. */
	(void)!timeguard_save(g);
	clock_timer_set(g->timer, SAVE_EVERY_MS);
}

enum rc
timeguard_new(struct clock *c, struct store *st, int64_t step_max_s, struct timeguard **out)
{
	struct timeguard *g = calloc(1, sizeof *g);
	enum rc rc = RC_NOMEM;

	if (g == NULL)
		goto out;
	g->clock = c;
	g->store = st;
	g->step_max_s = step_max_s;
	g->mono_ms = clock_mono_ms(c);
	g->mark_ms = clock_now_ms(c);
	g->saved_s = -1;
	if (st != NULL) {
		if ((rc = store_meta_get_int(st, META_NAME, &g->saved_s)) != RC_OK && rc != RC_NOTFOUND)
			goto out;
		if (rc == RC_OK)
			g->mark_ms = g->saved_s * 1000;
		if ((rc = clock_timer_new(c, on_timer, g, &g->timer)) != RC_OK)
			goto out;
		clock_timer_set(g->timer, SAVE_EVERY_MS);
	}
	look(g);
	*out = g;
	g = NULL;
	rc = RC_OK;
out:
	timeguard_free(g);
	return rc;
}

void
timeguard_free(struct timeguard *g)
{
	if (g == NULL)
		return;
	clock_timer_free(g->timer);
	free(g);
}

int64_t
timeguard_now(struct timeguard *g)
{
	look(g);
	return g->mark_ms / 1000;
}

bool
timeguard_jumped(struct timeguard *g)
{
	look(g);
	return g->jumped;
}

void
timeguard_accept(struct timeguard *g)
{
	int64_t wall = clock_now_ms(g->clock);

	look(g);
	if (!g->jumped)
		return;
	g->mark_ms = wall;
	set_jumped(g, false, wall);
	(void)!timeguard_save(g);
}

enum rc
timeguard_save(struct timeguard *g)
{
	int64_t now = timeguard_now(g);
	enum rc rc;

	if (g->store == NULL || now == g->saved_s)
		return RC_OK;
	if ((rc = store_meta_put_int(g->store, META_NAME, now)) == RC_OK)
		g->saved_s = now;
	return rc;
}
