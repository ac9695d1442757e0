/*
 * procedure: who asks for an establishment, how it ends for them, and what begins by itself: a `complete` that is owed (K4), a
 * key request that is pending (N6), `renew` (U4), at start. establish.c has the steps.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "common/timeguard.h"
#include "common/turn.h"
#include "extdevd/core.h"

#define BACK_OFF_MAX_S 600
#define DETAIL_MAX 480

/* --- telling */

struct told {
	extdev_done_fn *done;
	void *arg;
	struct extdev_result r;
	char detail[DETAIL_MAX];
};

static void
tell_now(void *arg, enum rc rc)
{
	struct told *t = arg;

	t->r.detail = t->detail;
	if (rc != RC_OK) {
		t->r.why = REASON_NOT_DURABLE;
		t->detail[0] = '\0';
	}
	t->done(t->arg, &t->r);
	free(t);
}

static void
tell(struct turn *turn, extdev_done_fn *done, void *arg, const struct extdev_result *r)
{
	struct told *t = calloc(1, sizeof *t);

	if (t == NULL)
		log_fatal("establish: out of memory");
	t->done = done;
	t->arg = arg;
	t->r = *r;
	(void)snprintf(t->detail, sizeof t->detail, "%s", r->detail != NULL ? r->detail : "");
	turn_later(turn, tell_now, t);
}

/* Would what was just done, or tried, have done for this asker? */
static bool
served(const struct extdev_procedure *p, const struct extdev_asker *a, const struct extdev_result *r)
{
	if ((a->fresh && !p->fresh) || (a->force && r->reused))
		return false;
	if (!a->has_naf)
		return true;
	return r->why == REASON_NONE ? naf_id_eq(&a->naf, &r->triple.naf_id) : p->has_naf && naf_id_eq(&a->naf, &p->naf);
}

static void
tell_askers(struct extdev_mt *m, const struct extdev_result *r)
{
	struct extdev_procedure *p = &m->p;
	struct extdev_asker *a, *next;

	for (a = TAILQ_FIRST(&p->askers); a != NULL; a = next) {
		next = TAILQ_NEXT(a, all);
		if (!served(p, a, r) && r->why != REASON_STOPPING)
			continue;
		TAILQ_REMOVE(&p->askers, a, all);
		tell(m->e->s.turn, a->done, a->arg, r);
		free(a);
	}
}

/* --- ends */

/* Nothing that is still under way concerns what follows. */
static void
leave(struct extdev_mt *m)
{
	struct extdev_procedure *p = &m->p;

	p->gen++;
	clock_timer_stop(p->again);
	extdev_ua_cancel(p->call);
	p->call = NULL;
	extdev_key_clear(&p->key);
	p->state = EXTDEV_IDLE;
}

/* N6: one that another asker did not need, or did not get to. */
static bool
pending(struct extdev_mt *m)
{
	struct extdev_request r;

	return m->id.s[0] != '\0' && extdev_store_get_request(m->e->s.store, &m->id, &r) == RC_OK;
}

static void
trace_end(struct extdev_mt *m, const char *msg, const char *result)
{
	struct extdev_procedure *p = &m->p;

	if (p->r.run.s[0] != '\0')
		extdev_step(m, 0, "extdevd", "extdevd", msg, result, 0);
}

void
extdev_fall(struct extdev_mt *m, enum reason why, const char *detail, const struct btid *stale)
{
	struct extdev_procedure *p = &m->p;
	struct btid btid = { "" };

	if (stale != NULL)
		btid = *stale;
	if (p->runs >= EXTDEV_RUNS_MAX) {
		extdev_fail(m, REASON_EXT_RUNS, 0, false, "the last: %s%s%s", reason_get(why)->what, *detail != '\0' ? ": " : "", detail);
		return;
	}
	log_reason(why, "establish: mt=%s run=%s btid=%s: run failed, another begins: %s", m->conf->name, p->r.run.s, p->r.triple.btid.s,
	    detail);
	trace_end(m, "run failed", reason_get(why)->code);
	leave(m);
	p->stale = btid;
	p->force = true;		/* what is there was not good enough */
	extdev_begin_run(m);
}

void
extdev_fail(struct extdev_mt *m, enum reason why, int64_t retry_after_s, bool later, const char *fmt, ...)
{
	struct extdev_procedure *p = &m->p;
	char detail[DETAIL_MAX];
	struct extdev_result r = { .why = why, .retry_after_s = retry_after_s, .detail = detail, .triple = p->r.triple, .mt_id = m->id,
	    .run = p->r.run };
	int64_t wait_s = retry_after_s > 0 ? retry_after_s : m->e->conf.retry_s;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	log_reason(why, "establish: mt=%s run=%s btid=%s: %s", m->conf->name, p->r.run.s, p->r.triple.btid.s, detail);
	trace_end(m, "establishment failed", reason_get(why)->code);
	metric_add(m->e->count.refusals, 1);
	leave(m);
	tell_askers(m, &r);
	if (p->wanted && !extdev_transient(why)) {
		p->wanted = false;
	} else if (p->wanted) {
		wait_s = p->back_off_s > wait_s ? p->back_off_s : wait_s;
		p->back_off_s = 2 * wait_s > BACK_OFF_MAX_S ? BACK_OFF_MAX_S : 2 * wait_s;
	}
	later = p->wanted || later || pending(m);
	if (later && !m->e->stopping)
		clock_timer_set(p->again, wait_s * 1000);
	if (!TAILQ_EMPTY(&p->askers))
		extdev_begin(m);
	else
		extdev_use_on_no_key(m, why, later, detail);
}

static enum rc
result_of_key(const struct extdev_key *k, int scenario, bool reused, struct extdev_result *out)
{
	*out = (struct extdev_result){ .why = REASON_NONE, .scenario = scenario, .reused = reused, .triple = k->from.triple,
	    .mt_id = k->from.mt_id, .expires_s = k->expires_s, .run = k->from.run };
	return secret_kcv(k->ks, out->kcv);
}

void
extdev_succeed(struct extdev_mt *m, const struct extdev_key *k, int scenario, bool reused)
{
	struct extdev_procedure *p = &m->p;
	struct extdev_result r;

	if (result_of_key(k, scenario, reused, &r) != RC_OK) {
		extdev_fail(m, REASON_INTERNAL, 0, false, "no key check value");
		return;
	}
	log_info("establish: mt=%s mt_id=%s run=%s scenario=%d reused=%d btid=%s device_id=%s kcv=%s", m->conf->name, r.mt_id.s, r.run.s,
	    scenario, reused, r.triple.btid.s, r.triple.device_id.s, r.kcv);
	leave(m);
	p->wanted = false;
	p->back_off_s = 0;
	tell_askers(m, &r);
	extdev_ops_on_key(m->e);
	if (pending(m) && !m->e->stopping)
		clock_timer_set(p->again, m->e->conf.retry_s * 1000);
	if (!TAILQ_EMPTY(&p->askers))
		extdev_begin(m);
	extdev_use_on_key(m, k, reused);
}

/* --- asked */

static void
refuse(struct extdev *e, extdev_done_fn *done, void *arg, enum reason why, const char *detail)
{
	struct extdev_result r = { .why = why, .detail = detail };

	log_reason(why, "establish: %s", detail);
	tell(e->s.turn, done, arg, &r);
}

/* K9: a valid key is there, and who asks for no more need not wait for what is under way. */
static bool
reuse_now(struct extdev_mt *m, const struct extdev_want *w, extdev_done_fn *done, void *arg)
{
	struct extdev *e = m->e;
	struct extdev_key k = { .ks = NULL };
	struct extdev_result r;
	bool good;

	if (w->force || w->fresh || m->p.state == EXTDEV_IDLE || m->id.s[0] == '\0' || timeguard_jumped(e->s.guard))
		return false;
	if (extdev_store_get_owed(e->s.store, &m->id, timeguard_now(e->s.guard), &k) == RC_OK) {
		extdev_key_clear(&k);	/* K4: which key both ends hold is known when that is settled */
		return false;
	}
	if (extdev_store_get_key(e->s.store, &m->id, timeguard_now(e->s.guard), &k) != RC_OK)
		return false;
	good = !k.owed && (w->naf == NULL || naf_id_eq(w->naf, &k.from.triple.naf_id)) && result_of_key(&k, 0, true, &r) == RC_OK;
	extdev_key_clear(&k);
	if (good)
		tell(e->s.turn, done, arg, &r);
	return good;
}

void
extdev_establish(struct extdev *e, const struct extdev_want *w, extdev_done_fn *done, extdev_progress_fn *progress, void *arg)
{
	struct extdev_mt *m = extdev_find_mt(e, w->mt);
	char naf[NAF_ID_TEXT_MAX + 1];
	struct extdev_asker *a;
	size_t center;

	if (e->stopping) {
		refuse(e, done, arg, REASON_STOPPING, "");
		return;
	}
	if (m == NULL) {
		refuse(e, done, arg, REASON_EXT_MT_UNKNOWN, w->mt != NULL ? w->mt : "");
		return;
	}
	if (w->naf != NULL && extdev_find_center(e, w->naf, &center) != RC_OK) {
		naf_id_print(w->naf, naf);
		refuse(e, done, arg, REASON_EXT_NO_COMMON_NAF, naf);
		return;
	}
	if (reuse_now(m, w, done, arg))
		return;
	if ((a = calloc(1, sizeof *a)) == NULL)
		log_fatal("establish: out of memory");
	a->fresh = w->fresh;
	a->force = w->force || w->fresh;
	a->has_naf = w->naf != NULL;
	if (w->naf != NULL)
		a->naf = *w->naf;
	a->done = done;
	a->progress = progress;
	a->arg = arg;
	TAILQ_INSERT_TAIL(&m->p.askers, a, all);
	if (m->p.state == EXTDEV_IDLE)
		extdev_begin(m);
}

void
extdev_on_mt_progress(struct extdev_mt *m, const char *word, int64_t wait_s)
{
	struct extdev_asker *a;

	TAILQ_FOREACH(a, &m->p.askers, all)
		if (a->progress != NULL)
			a->progress(a->arg, word, wait_s);
	extdev_use_progress(m, word, wait_s);
}

/* --- by ourselves */

static void
on_again(void *arg)
{
	struct extdev_mt *m = arg;

	if (m->p.state == EXTDEV_REQUEST)
		extdev_request_send(m);
	else
		extdev_begin_if_due(m);
}

void
extdev_on_link_up(struct extdev_mt *m)
{
	struct store *st = m->e->s.store;

	if (store_begin(st) == RC_OK) {
		bool kept = extdev_store_put_mt(st, m->conf->name, &m->id) == RC_OK;

		if (store_end(st, kept) != RC_OK || !kept)
			log_error("local: mt=%s: its MT_ID could not be stored", m->conf->name);
	}
	extdev_state_on_link_up(m);
	if (m->p.state == EXTDEV_LINKING)
		extdev_begin_run(m);
	else
		extdev_begin_if_due(m);
}

void
extdev_on_link_down(struct extdev_mt *m, enum reason why, const char *detail)
{
	bool said = strncmp(detail, m->conf->address, strlen(m->conf->address)) == 0;

	/* a `complete` is owed and cannot be settled now: the key in use is what there is */
	if (m->p.state == EXTDEV_LINKING && !extdev_reuse(m))
		extdev_fail(m, why, 0, false, "%s%s%s", said ? "" : m->conf->address, said ? "" : ": ", detail);
}

void
extdev_on_renew(struct extdev_mt *m)
{
	if (m->p.state != EXTDEV_IDLE)		/* U4: one is under way */
		return;
	log_info("local: mt=%s mt_id=%s: asks for a new establishment", m->conf->name, m->id.s);
	extdev_want(m, true);		/* K9: renewal bootstraps anew */
}

void
extdev_want(struct extdev_mt *m, bool fresh)
{
	struct extdev_procedure *p = &m->p;

	if (p->state != EXTDEV_IDLE)
		return;
	p->wanted = true;
	p->wanted_fresh = fresh;
	p->wanted_force = !fresh;
	p->back_off_s = 0;
	extdev_begin(m);
}

enum rc
extdev_procedure_init(struct extdev_mt *m)
{
	TAILQ_INIT(&m->p.askers);
	return clock_timer_new(m->e->s.clock, on_again, m, &m->p.again);
}

void
extdev_procedure_resume(struct extdev_mt *m)
{
	enum rc rc = extdev_store_get_mt(m->e->s.store, m->conf->name, &m->id);

	if (rc != RC_OK)
		m->id.s[0] = '\0';
	m->p.wanted = m->e->conf.at_start;
	clock_timer_set(m->p.again, 0);		/* a pending key request needs no link */
}

void
extdev_procedure_stop(struct extdev_mt *m)
{
	struct extdev_result r = { .why = REASON_STOPPING };

	clock_timer_stop(m->p.again);
	leave(m);
	tell_askers(m, &r);
}

void
extdev_procedure_free(struct extdev_mt *m)
{
	struct extdev_asker *a;

	leave(m);
	clock_timer_free(m->p.again);
	while ((a = TAILQ_FIRST(&m->p.askers)) != NULL) {
		TAILQ_REMOVE(&m->p.askers, a, all);
		free(a);
	}
}
