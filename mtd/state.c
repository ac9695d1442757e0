#include "mtd/state_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "mtd/question.h"

#define LOOK_EVERY_S 60		/* at least: keys come, and the wall clock may be stepped */

struct asker {
	STAILQ_ENTRY(asker) all;
	mt_may_fn *may;		/* one of the two */
	mt_told_fn *told;
	void *arg;
};

/* A key that is asked about, or is next. */
struct asking {
	TAILQ_ENTRY(asking) all;
	struct mt_state *st;
	const struct mt_center_conf *center;
	struct mt_key key;		/* without its secrets, but for ks_naf where the row is gone */
	struct mt_question *q;		/* NULL: is next */
	STAILQ_HEAD(, asker) askers;
};

struct mt_state {
	const struct mt_seams *s;
	const struct mt_conf *conf;
	struct clock_timer *look;
	TAILQ_HEAD(, asking) asking;
	unsigned n_asked;
	int64_t grace_at;		/* the next key's grace ends */
	struct {
		enum reason why;	/* of its last answer */
		char detail[MT_STATE_DETAIL_MAX + 1];
	} center[MT_NAFS_MAX];
	bool started, stopped;
	void (*gone)(void *arg, int64_t expires);
	void *gone_arg;
};

static void on_look(void *state);

/* --- small things */

static const struct mt_center_conf *
center_of(const struct mt_state *st, const struct naf_id *naf)
{
	for (size_t i = 0; i < st->conf->n_centers; i++) {
		if (naf_id_eq(&st->conf->centers[i].naf_id, naf))
			return &st->conf->centers[i];
	}
	return NULL;
}

bool
mt_state_usable(const struct mt_state *st, const struct mt_key *k)
{
	return center_of(st, &k->triple.naf_id) == NULL || mt_state_in_grace(st->s, st->conf, k);
}

static void
tell_gone(struct mt_state *st, int64_t expires)
{
	if (st->gone != NULL)
		st->gone(st->gone_arg, expires);
}

/* --- life */

enum rc
mt_state_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_state **out)
{
	struct mt_state *st = calloc(1, sizeof *st);
	enum rc rc;

	if (st == NULL)
		return RC_NOMEM;
	st->s = s;
	st->conf = conf;
	st->grace_at = INT64_MAX;
	TAILQ_INIT(&st->asking);
	if ((rc = clock_timer_new(s->clock, on_look, st, &st->look)) != RC_OK) {
		free(st);
		return rc;
	}
	*out = st;
	return RC_OK;
}

static void
asking_free(struct asking *a)
{
	struct asker *k;

	TAILQ_REMOVE(&a->st->asking, a, all);
	a->st->n_asked -= a->q != NULL;
	mt_question_cancel(a->q);
	secret_free(a->key.ks_naf);
	while ((k = STAILQ_FIRST(&a->askers)) != NULL) {
		STAILQ_REMOVE_HEAD(&a->askers, all);
		free(k);
	}
	free(a);
}

void
mt_state_free(struct mt_state *st)
{
	struct asking *a;

	if (st == NULL)
		return;
	while ((a = TAILQ_FIRST(&st->asking)) != NULL)
		asking_free(a);
	clock_timer_free(st->look);
	free(st);
}

void
mt_state_on_gone(struct mt_state *st, void (*fn)(void *arg, int64_t expires), void *arg)
{
	st->gone = fn;
	st->gone_arg = arg;
}

void
mt_state_start(struct mt_state *st)
{
	st->started = st->conf->n_centers > 0;
	if (st->started)
		clock_timer_set(st->look, 0);
}

/* --- what was said */

/* a is gone before anybody is told: what they cause may ask anew. */
static void
tell(struct asking *a, const struct mt_said *said)
{
	struct mt_state *st = a->st;
	struct mt_key k = a->key;
	enum reason may = mt_state_judge_use(st->s, st->conf, &k, said);
	STAILQ_HEAD(, asker) askers = STAILQ_HEAD_INITIALIZER(askers);
	struct asker *one;

	STAILQ_CONCAT(&askers, &a->askers);
	asking_free(a);
	while ((one = STAILQ_FIRST(&askers)) != NULL) {
		struct asker ask = *one;

		STAILQ_REMOVE_HEAD(&askers, all);
		free(one);
		if (ask.may != NULL)
			ask.may(ask.arg, may);
		else
			ask.told(ask.arg, &k.triple, said);
	}
}

void
mt_state_stop(struct mt_state *st)
{
	struct mt_said said;
	struct asking *a;

	st->stopped = true;
	clock_timer_stop(st->look);
	mt_said_nothing(&said, REASON_STOPPING, "");
	while ((a = TAILQ_FIRST(&st->asking)) != NULL)
		tell(a, &said);
}

static void
on_said(void *asking, const struct mt_said *said)
{
	struct asking *a = asking;
	struct mt_state *st = a->st;
	size_t which = (size_t)(a->center - st->conf->centers);
	int64_t ends;

	a->q = NULL;
	st->n_asked--;
	st->center[which].why = said->verdict == MT_SAID_NOTHING ? said->why : REASON_NONE;
	memcpy(st->center[which].detail, said->detail, sizeof said->detail);
	if (mt_state_keep(st->s, st->conf, &a->key, said, &ends) != RC_OK)
		log_error("state: device_id=%s btid=%s: what was said could not be stored", a->key.triple.device_id.s, a->key.triple.btid.s);
	if (ends != MT_ENDS_NOT)
		tell_gone(st, ends);
	tell(a, said);
	if (!st->stopped)
		clock_timer_set(st->look, 0);
}

/* --- asking */

static struct asking *
find(struct mt_state *st, const struct triple *t)
{
	struct asking *a;

	TAILQ_FOREACH(a, &st->asking, all) {
		if (triple_eq(&a->key.triple, t))
			return a;
	}
	return NULL;
}

/* The question about k that is under way or next; NULL: memory is out. */
static struct asking *
ask_about(struct mt_state *st, const struct mt_center_conf *center, const struct mt_key *k)
{
	struct asking *a = find(st, &k->triple);

	if (a != NULL || (a = calloc(1, sizeof *a)) == NULL)
		return a;
	a->st = st;
	a->center = center;
	a->key = *k;
	a->key.ks_local_mt = a->key.ks_naf = NULL;
	if (k->ks_naf != NULL && secret_dup(k->ks_naf, &a->key.ks_naf) != RC_OK) {
		free(a);
		return NULL;
	}
	STAILQ_INIT(&a->askers);
	TAILQ_INSERT_TAIL(&st->asking, a, all);
	return a;
}

/* Starts it. REASON_NONE, or why not. */
static enum reason
start(struct asking *a)
{
	struct mt_state *st = a->st;
	enum rc rc = mt_question_start(st->s, a->center, &a->key, timeguard_now(st->s->guard), on_said, a, &a->q);

	if (rc == RC_OK) {
		st->n_asked++;
		return REASON_NONE;
	}
	if (rc == RC_NOTFOUND || rc == RC_EXPIRED)
		return REASON_LOCAL_UNKNOWN_KEY;	/* it went meanwhile */
	log_error("state: device_id=%s btid=%s: no question can be asked: %s", a->key.triple.device_id.s, a->key.triple.btid.s, rc_str(rc));
	return REASON_INTERNAL;
}

static struct asking *
first_unasked(struct mt_state *st)
{
	struct asking *a;

	TAILQ_FOREACH(a, &st->asking, all) {
		if (a->q == NULL)
			return a;
	}
	return NULL;
}

static void
ask_next(struct mt_state *st)
{
	struct mt_said said;
	struct asking *a;
	enum reason why;

	while (st->n_asked < MT_STATE_AT_ONCE && (a = first_unasked(st)) != NULL) {
		if ((why = start(a)) == REASON_NONE)
			continue;
		mt_said_nothing(&said, why, "");
		tell(a, &said);
	}
}

/* Who is due is next; new keys are spread over the interval, and a NAF without a keycenter section is looked at as seldom. */
static void
take_due(struct mt_state *st)
{
	unsigned room = st->n_asked < MT_STATE_AT_ONCE ? MT_STATE_AT_ONCE - st->n_asked : 0;
	const struct mt_said none = { .verdict = MT_SAID_UNKNOWN };
	struct mt_key k;

	while (room > 0 && mt_store_due_key(st->s->store, timeguard_now(st->s->guard), &k) == RC_OK) {
		const struct mt_center_conf *center = center_of(st, &k.triple.naf_id);
		int64_t now = timeguard_now(st->s->guard), at = mt_state_next(st->s, st->conf, &none);
		enum rc rc;

		if (k.ask_at == 0)
			at = now + 1 + mt_state_jitter(st->s, k.created + st->conf->state_interval_s - now - 1);
		else if (center != NULL && ask_about(st, center, &k) != NULL)
			room--;
		rc = mt_store_ask_at(st->s->store, &k, at);
		mt_key_clear(&k);
		if (rc != RC_OK)
			return;
	}
}

static void
look_at_grace(struct mt_state *st)
{
	if (st->conf->state_grace_s == 0)
		return;
	if (st->grace_at <= timeguard_now(st->s->guard))
		tell_gone(st, INT64_MAX);
	st->grace_at = mt_store_next_grace(st->s->store, timeguard_now(st->s->guard), st->conf->state_grace_s);
}

static void
on_look(void *state)
{
	struct mt_state *st = state;
	int64_t at, wait, most;

	take_due(st);
	ask_next(st);
	look_at_grace(st);
	/* With all questions under way, the next answer looks again. */
	at = st->n_asked < MT_STATE_AT_ONCE ? mt_store_next_ask(st->s->store, timeguard_now(st->s->guard)) : INT64_MAX;
	at = at < st->grace_at ? at : st->grace_at;
	most = st->conf->state_interval_s < LOOK_EVERY_S ? st->conf->state_interval_s : LOOK_EVERY_S;
	wait = at == INT64_MAX ? most : at - timeguard_now(st->s->guard);
	wait = wait < 1 ? 1 : wait > most ? most : wait;
	clock_timer_set(st->look, wait * 1000);
}

/* --- askers */

static enum reason
join(struct mt_state *st, const struct mt_key *k, const struct asker *as)
{
	struct asker *one;
	struct asking *a;

	if (st->stopped)
		return REASON_STOPPING;
	if ((one = malloc(sizeof *one)) == NULL)
		return REASON_INTERNAL;
	if ((a = ask_about(st, center_of(st, &k->triple.naf_id), k)) == NULL) {
		free(one);
		return REASON_INTERNAL;
	}
	*one = *as;
	STAILQ_INSERT_TAIL(&a->askers, one, all);
	clock_timer_set(st->look, 0);		/* from the loop: nobody is called back inside this call */
	return REASON_NONE;
}

void
mt_state_before_use(struct mt_state *st, const struct mt_key *k, mt_may_fn *fn, void *arg)
{
	const struct asker as = { .may = fn, .arg = arg };
	enum reason why = REASON_NONE;

	if (center_of(st, &k->triple.naf_id) != NULL && st->conf->state_before_use) {
		if ((why = join(st, k, &as)) == REASON_NONE)
			return;
	} else if (!mt_state_usable(st, k)) {
		why = REASON_MT_STATE_GRACE;
	}
	fn(arg, why);
}

void
mt_state_cancel(struct mt_state *st, void *arg)
{
	struct asking *a;

	TAILQ_FOREACH(a, &st->asking, all) {
		struct asker *one = STAILQ_FIRST(&a->askers), *next;

		for (; one != NULL; one = next) {
			next = STAILQ_NEXT(one, all);
			if (one->arg != arg)
				continue;
			STAILQ_REMOVE(&a->askers, one, asker, all);
			free(one);
		}
	}
}

void
mt_state_check(struct mt_state *st, const struct mt_key *k, mt_told_fn *told, void *arg)
{
	const struct asker as = { .told = told, .arg = arg };
	struct mt_said said;
	enum reason why = REASON_MT_NO_CENTER;

	if (center_of(st, &k->triple.naf_id) != NULL && (why = join(st, k, &as)) == REASON_NONE)
		return;
	mt_said_nothing(&said, why, "");
	told(arg, &k->triple, &said);
}

void
mt_state_health(const struct mt_state *st, json_t *problems)
{
	for (size_t i = 0; i < st->conf->n_centers; i++) {
		if (st->center[i].why != REASON_NONE)
			(void)json_array_append_new(problems, json_sprintf("NAF Key Center %s: %s: %s", st->conf->centers[i].naf_id.fqdn,
			    reason_get(st->center[i].why)->what, st->center[i].detail));
	}
}
