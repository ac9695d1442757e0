#include "extdevd/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/purge.h"
#include "common/rnd.h"
#include "common/timeguard.h"
#include "extdevd/core.h"
#include "extdevd/use.h"

#define BACK_OFF_MIN_S 30
#define LATELY_S 10		/* what was said so lately need not be asked again because a connection came up */

/* Who wants to hear: exactly one of may and told. */
struct waiter {
	TAILQ_ENTRY(waiter) all;
	extdev_may_fn *may;
	extdev_state_fn *told;
	void *arg;
};

/* One question under way. */
struct extdev_check {
	LIST_ENTRY(extdev_check) all;
	struct extdev *e;
	struct mt_id mt_id;
	struct triple triple;
	struct extdev_ua_ask *ask;	/* NULL: it could not be sent, the timer tells */
	struct clock_timer *unsent;
	TAILQ_HEAD(, waiter) waiters;
};

/* --- when the next one is due */

static int64_t
jitter(struct extdev *e, int64_t s)
{
	uint32_t r = 0;

	return rnd_below(e->s.rnd, (uint32_t)(s * 100) + 1, &r) == RC_OK ? (int64_t)r : 0;	/* a tenth, in ms */
}

static enum rc
least(void *arg, const struct extdev_key *k)
{
	int64_t *sure = arg;

	*sure = k->sure_s < *sure ? k->sure_s : *sure;
	return RC_OK;
}

/* All keys that are due are asked about together, so one timer does: the oldest word's interval, or the pause after silence. */
static void
arm(struct extdev *e)
{
	int64_t now = timeguard_now(e->s.guard), sure = extdev_store_least_sure(e->s.store, now, INT64_MIN), wait = e->conf.state_interval_s;

	(void)!extdev_use_each_replaced(e, least, &sure);
	if (e->state.back_off_s > 0)
		wait = e->state.back_off_s;
	else if (sure < now)
		wait = sure + wait > now ? sure + wait - now : 1;
	clock_timer_set(e->state.round, wait * 1000 - jitter(e, wait));
}

/* The end of the grace of some key ends its use: the next one that ends. Those of other Key Centers may have ended long ago. */
static void
arm_lapse(struct extdev *e)
{
	int64_t now = timeguard_now(e->s.guard), grace = e->conf.state_grace_s, sure;

	if (grace == 0 || (sure = extdev_store_least_sure(e->s.store, now, now - grace)) == INT64_MAX)
		return;
	clock_timer_set(e->state.lapse, (sure + grace + 1 - now) * 1000);
}

static void
on_lapse(void *arg)
{
	struct extdev *e = arg;

	extdev_keys_gone(e);
	arm_lapse(e);
}

bool
extdev_state_lapsed(const struct extdev *e, const struct extdev_key *k)
{
	return e->conf.state_grace_s > 0 && timeguard_now(e->s.guard) - k->sure_s > e->conf.state_grace_s;
}

/* --- an answer */

static enum rc
write_answer(struct extdev_check *c, const struct extdev_key *k, const struct extdev_ua_state *a)
{
	struct store *st = c->e->s.store;
	int64_t expires = a->said == EXTDEV_SAID_GOOD ? a->expires_s : k->expires_s;
	enum rc rc = store_begin(st), end;

	if (rc != RC_OK)
		return rc;
	rc = a->said == EXTDEV_SAID_GONE ? extdev_store_delete_key(st, &c->mt_id, &c->triple)
	    : extdev_store_stand_by(st, &c->mt_id, &c->triple, timeguard_now(c->e->s.guard), expires,
		  a->said == EXTDEV_SAID_GOOD ? a->etag : k->etag);
	end = store_end(st, rc == RC_OK);
	return rc != RC_OK ? rc : end;
}

/* What it said, into the store. */
static void
act(struct extdev_check *c, const struct extdev_ua_state *a)
{
	struct extdev *e = c->e;
	struct extdev_key k = { .ks = NULL };
	bool shorter = false;
	enum rc rc = extdev_store_find_key(e->s.store, &c->mt_id, &c->triple, &k);

	if (rc == RC_OK) {
		shorter = a->said == EXTDEV_SAID_GOOD && a->expires_s < k.expires_s;
		rc = write_answer(c, &k, a);
		extdev_key_clear(&k);
	}
	if (rc == RC_NOTFOUND) {	/* it was replaced or forgotten; its tunnel may drain */
		extdev_use_on_state(e, &c->mt_id, &c->triple, a);
		return;
	}
	if (rc != RC_OK) {
		log_error("state: btid=%s: what the Key Center said could not be stored", c->triple.btid.s);
		return;
	}
	if (a->said == EXTDEV_SAID_GONE) {
		log_reason(a->why, "state: mt_id=%s btid=%s device_id=%s: deleted: %s", c->mt_id.s, c->triple.btid.s, c->triple.device_id.s,
		    a->detail);
	} else if (shorter) {
		char until[UTC_TEXT_LEN + 1];

		clock_print_utc(a->expires_s, until);
		log_info("state: mt_id=%s btid=%s device_id=%s: the Key Center ends it at %s", c->mt_id.s, c->triple.btid.s,
		    c->triple.device_id.s, until);
		purge_expect(e->purge, a->expires_s);
	}
	if (a->said == EXTDEV_SAID_GONE || shorter)
		extdev_keys_gone(e);
	arm_lapse(e);
}

static enum reason
verdict(struct extdev_check *c, const struct extdev_ua_state *a)
{
	struct extdev_key k = { .ks = NULL };
	enum reason why = REASON_NONE;

	if (a->said == EXTDEV_SAID_GONE || a->why == REASON_STOPPING)
		return a->why;
	if (extdev_store_find_key(c->e->s.store, &c->mt_id, &c->triple, &k) != RC_OK || k.expires_s <= timeguard_now(c->e->s.guard))
		why = REASON_LOCAL_UNKNOWN_KEY;
	else if (extdev_state_lapsed(c->e, &k))
		why = REASON_EXT_KEY_LAPSED;
	extdev_key_clear(&k);
	return why;
}

static void
check_free(struct extdev_check *c)
{
	struct waiter *w;

	extdev_ua_ask_cancel(c->ask);
	clock_timer_free(c->unsent);
	while ((w = TAILQ_FIRST(&c->waiters)) != NULL) {
		TAILQ_REMOVE(&c->waiters, w, all);
		free(w);
	}
	free(c);
}

/* The waiters hear; they may ask anew inside. */
static void
tell(struct extdev_check *c, const struct extdev_ua_state *a)
{
	enum reason why = verdict(c, a);
	struct waiter *w;

	c->ask = NULL;
	LIST_REMOVE(c, all);
	while ((w = TAILQ_FIRST(&c->waiters)) != NULL) {
		TAILQ_REMOVE(&c->waiters, w, all);
		if (w->may != NULL)
			w->may(w->arg, why);
		else
			w->told(w->arg, a);
		free(w);
	}
	check_free(c);
}

static void
trace_answer(const struct extdev_check *c, const struct extdev_ua_state *a)
{
	static const char *const said[] = { NULL, "200", "304", "404", "410" };
	char naf[NAF_ID_TEXT_MAX + 1];
	struct trace_event ev = { .from = "extdevd", .to = "nafkcd", .msg = "key state", .btid = c->triple.btid.s, .naf_id = naf,
	    .device_id = c->triple.device_id.s, .result = a->said != EXTDEV_SAID_NOTHING ? said[a->said] : reason_get(a->why)->code,
	    .dur_us = a->took_us };

	naf_id_print(&c->triple.naf_id, naf);
	trace_emit(c->e->s.trace, &ev);
}

static void
on_state(void *arg, struct extdev_ua_state *a)
{
	struct extdev_check *c = arg;
	struct extdev *e = c->e;

	c->ask = NULL;
	trace_answer(c, a);
	if (a->said == EXTDEV_SAID_GOOD || a->said == EXTDEV_SAID_SAME || a->said == EXTDEV_SAID_GONE) {
		act(c, a);
	} else {
		if (e->state.why != a->why)	/* once, not at each attempt */
			log_reason(a->why, "state: mt_id=%s btid=%s: the key stays, asked again later: %s", c->mt_id.s, c->triple.btid.s, a->detail);
		e->state.failed = true;
		if (a->retry_after_s > e->state.retry_after_s)
			e->state.retry_after_s = a->retry_after_s;
	}
	e->state.why = a->why;
	tell(c, a);
	if (!LIST_EMPTY(&e->state.checks))
		return;
	e->state.back_off_s = !e->state.failed ? 0 : e->state.back_off_s == 0 ? BACK_OFF_MIN_S : 2 * e->state.back_off_s;
	if (e->state.back_off_s > e->conf.state_interval_s)
		e->state.back_off_s = e->conf.state_interval_s;
	if (e->state.failed && e->state.back_off_s < e->state.retry_after_s)
		e->state.back_off_s = e->state.retry_after_s;
	e->state.failed = false;
	e->state.retry_after_s = 0;
	arm(e);
}

static void
on_unsent(void *arg)
{
	struct extdev_ua_state a = { .said = EXTDEV_SAID_NOTHING, .why = REASON_INTERNAL, .detail = "it could not be asked" };

	on_state(arg, &a);
}

/* --- a question */

static struct extdev_check *
find_check(struct extdev *e, const struct extdev_key *k)
{
	struct extdev_check *c;

	LIST_FOREACH(c, &e->state.checks, all)
		if (strcmp(c->mt_id.s, k->from.mt_id.s) == 0 && triple_eq(&c->triple, &k->from.triple))
			return c;
	return NULL;
}

static void
ask(struct extdev *e, const struct extdev_key *k, extdev_may_fn *may, extdev_state_fn *told, void *arg)
{
	struct extdev_check *c = find_check(e, k);
	struct waiter *w;
	size_t center;

	if (c == NULL) {
		if ((c = calloc(1, sizeof *c)) == NULL)
			log_fatal("state: out of memory");
		c->e = e;
		c->mt_id = k->from.mt_id;
		c->triple = k->from.triple;
		TAILQ_INIT(&c->waiters);
		LIST_INSERT_HEAD(&e->state.checks, c, all);
		if (clock_timer_new(e->s.clock, on_unsent, c, &c->unsent) != RC_OK)
			log_fatal("state: out of memory");
		/* one that is not configured any more cannot be asked */
		if (extdev_find_center(e, &k->from.triple.naf_id, &center) != RC_OK ||
		    extdev_ua_ask_state(e, center, k, on_state, c, &c->ask) != RC_OK)
			clock_timer_set(c->unsent, 0);
	}
	if (may == NULL && told == NULL)
		return;
	if ((w = calloc(1, sizeof *w)) == NULL)
		log_fatal("state: out of memory");
	*w = (struct waiter){ .may = may, .told = told, .arg = arg };
	TAILQ_INSERT_TAIL(&c->waiters, w, all);
}

void
extdev_state_ask(struct extdev *e, const struct extdev_key *k, extdev_state_fn *fn, void *arg)
{
	ask(e, k, NULL, fn, arg);
}

void
extdev_state_before_use(struct extdev_mt *m, const struct extdev_key *k, extdev_may_fn *fn, void *arg)
{
	struct extdev *e = m->e;

	if (e->stopping || timeguard_jumped(e->s.guard))
		fn(arg, e->stopping ? REASON_STOPPING : REASON_CLOCK_JUMPED);
	else if (e->conf.state_before_use || extdev_state_lapsed(e, k))
		ask(e, k, fn, NULL, arg);
	else
		fn(arg, REASON_NONE);
}

void
extdev_state_cancel(struct extdev_mt *m, void *arg)
{
	struct extdev_check *c;
	struct waiter *w, *next;

	LIST_FOREACH(c, &m->e->state.checks, all) {
		for (w = TAILQ_FIRST(&c->waiters); w != NULL; w = next) {
			next = TAILQ_NEXT(w, all);
			if (w->arg == arg) {
				TAILQ_REMOVE(&c->waiters, w, all);
				free(w);
			}
		}
	}
}

/* --- rounds */

struct round {
	struct extdev *e;
	const char *mt_id;		/* NULL = all */
	int64_t before_s;		/* whose last word is as old as that */
};

static enum rc
ask_if_due(void *arg, const struct extdev_key *k)
{
	const struct round *r = arg;

	if (k->sure_s <= r->before_s && (r->mt_id == NULL || strcmp(r->mt_id, k->from.mt_id.s) == 0))
		ask(r->e, k, NULL, NULL, NULL);
	return RC_OK;
}

static void
ask_all_due(struct extdev *e, const char *mt_id, int64_t old_s)
{
	int64_t now = timeguard_now(e->s.guard);
	struct round r = { e, mt_id, now - old_s };

	if (extdev_store_each_key(e->s.store, now, ask_if_due, &r) != RC_OK || extdev_use_each_replaced(e, ask_if_due, &r) != RC_OK)
		log_error("state: the keys could not be read");
}

static void
on_round(void *arg)
{
	struct extdev *e = arg;

	arm(e);			/* where nothing is asked now; else the answers do it again */
	if (!e->stopping)
		ask_all_due(e, NULL, e->conf.state_interval_s - e->conf.state_interval_s / 10 - 1);
}

void
extdev_state_on_link_up(struct extdev_mt *m)
{
	int64_t now_ms = clock_mono_ms(m->e->s.clock);

	if (m->asked_ms != 0 && now_ms - m->asked_ms < LATELY_S * 1000)
		return;
	m->asked_ms = now_ms;
	ask_all_due(m->e, m->id.s, LATELY_S);
}

void
extdev_state_on_key(struct extdev *e)
{
	arm_lapse(e);
}

enum rc
extdev_state_init(struct extdev *e)
{
	enum rc rc;

	LIST_INIT(&e->state.checks);
	if ((rc = clock_timer_new(e->s.clock, on_round, e, &e->state.round)) != RC_OK)
		return rc;
	return clock_timer_new(e->s.clock, on_lapse, e, &e->state.lapse);
}

void
extdev_state_start(struct extdev *e)
{
	arm(e);
	arm_lapse(e);
}

void
extdev_state_stop(struct extdev *e)
{
	struct extdev_ua_state a = { .said = EXTDEV_SAID_NOTHING, .why = REASON_STOPPING };
	struct extdev_check *c;

	clock_timer_stop(e->state.round);
	clock_timer_stop(e->state.lapse);
	while ((c = LIST_FIRST(&e->state.checks)) != NULL) {
		extdev_ua_ask_cancel(c->ask);
		tell(c, &a);
	}
}

void
extdev_state_free(struct extdev *e)
{
	struct extdev_check *c;

	while ((c = LIST_FIRST(&e->state.checks)) != NULL) {
		LIST_REMOVE(c, all);
		check_free(c);
	}
	clock_timer_free(e->state.round);
	clock_timer_free(e->state.lapse);
}
