/*
 * establish: the procedure with one MT, seed 8.3.1 and 8.3.2.
 *
 *	asked ─┬─ a `complete` is owed ────────────────────────────────────────────────> COMPLETE (K4)
 *	       ├─ a valid key is there, and that will do ────────────────────────────────────────────── reused (K9)
 *	       ├─ a key request is pending ────────────────────────────────> REQUEST (N6)
 *	       └─ LINKING ─> INFO ─┬─ B-TID: scenario 2 ─> DERIVE ─> REQUEST ─> COMPLETE ─> done
 *	                     ^     └─ none:  scenario 1 ─> DERIVE ─> REQUEST ─> COMPLETE ─> done
 *	                     └── the B-TID is stale at the MT, the NAF or the BSF: the run failed, another begins (S1) ──┘
 *
 * An establishment has askers, who all hear its end; a run has an id and one scenario. Steps 11, 12, 17 are request.c's, 18 is complete.c's.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/timeguard.h"
#include "extdevd/core.h"

/* Scenario 1's numbers; scenario 2 has no steps for the Ub run (8.3.2). */
static int
step_number(int scenario, int step1)
{
	return scenario == 2 && step1 >= 10 ? step1 - 2 : step1;
}

void
extdev_step(struct extdev_mt *m, int step1, const char *from, const char *to, const char *msg, const char *result, int64_t dur_us)
{
	const struct extdev_request *r = &m->p.r;
	char naf[NAF_ID_TEXT_MAX + 1] = "";
	struct trace_event ev = { .run = r->run.s, .scenario = r->scenario, .step = step_number(r->scenario, step1), .from = from,
	    .to = to, .msg = msg, .btid = r->triple.btid.s, .naf_id = naf, .device_id = m->p.device_id.s,
	    .kcv = step1 >= 17 ? m->p.kcv : "", .result = result != NULL ? result : "ok", .dur_us = dur_us };

	if (r->triple.naf_id.fqdn[0] != '\0')
		naf_id_print(&r->triple.naf_id, naf);
	trace_emit(m->e->s.trace, &ev);
}

int64_t
extdev_waited_us(const struct extdev_mt *m)
{
	return (clock_mono_ms(m->e->s.clock) - m->p.since_ms) * 1000;
}

static void
enter(struct extdev_mt *m, enum extdev_state state)
{
	static const char *const names[] = { "idle", "linking", "info", "derive", "request", "complete" };

	log_debug("establish: mt=%s state=%s run=%s", m->conf->name, names[state], m->p.r.run.s);
	m->p.state = state;
	m->p.since_ms = clock_mono_ms(m->e->s.clock);
}

static void
answer_of_mt_refused(struct extdev_mt *m, enum reason why, const json_t *error, const struct btid *btid)
{
	int64_t wait = json_integer_value(json_object_get(error, "retry_after_s"));
	const char *text = json_string_value(json_object_get(error, "text"));
	char safe[200];

	log_text(span_str(text), safe, sizeof safe);
	if (extdev_after_mt(why) == EXTDEV_INFO_AGAIN)
		extdev_fall(m, why, safe, btid);
	else
		extdev_fail(m, why, wait > 0 && wait < 86400 ? wait : 0, false, "%s", safe);
}

/* --- info and derive                                                          seed 8.3.1 steps 1-10, 8.3.2 steps 1-8 */

/* Is the answer about what was asked? Scenario 2 names the B-TID; scenario 1 wants one that is not known yet. */
static enum reason
judge_derived(const struct extdev_mt *m, const struct localif_derive_ok *d)
{
	const struct extdev_procedure *p = &m->p;

	if (!naf_id_eq(&d->naf_id, &p->r.triple.naf_id))
		return REASON_EXT_MT_OTHER;
	if (p->r.scenario == 2)
		return strcmp(d->btid.s, p->r.triple.btid.s) == 0 ? REASON_NONE : REASON_EXT_MT_OTHER;
	if (strcmp(d->btid.s, p->stale.s) == 0 || (p->r.fresh && strcmp(d->btid.s, p->shown.s) == 0))
		return REASON_EXT_MT_NOT_NEW;
	return REASON_NONE;
}

/* What the MT derived for, so that only the request need be repeated (N6). */
static enum rc
store_request(struct extdev_mt *m)
{
	struct store *st = m->e->s.store;
	enum rc rc = store_begin(st), end;

	if (rc != RC_OK)
		return rc;
	rc = extdev_store_put_request(st, &m->p.r);
	end = store_end(st, rc == RC_OK);
	return rc != RC_OK ? rc : end;
}

static void
on_derived(struct extdev_mt *m, json_t *body, enum reason why, const json_t *error)
{
	struct localif_derive_ok d;
	const char *bad = "";

	if (why == REASON_NONE && localif_derive_ok_parse(body, &d, &bad) != RC_OK)
		why = REASON_LOCAL_BAD_ANSWER;
	if (why == REASON_NONE)
		why = judge_derived(m, &d);
	else if (error != NULL) {
		answer_of_mt_refused(m, why, error, m->p.r.scenario == 2 ? &m->p.r.triple.btid : NULL);
		return;
	}
	if (why != REASON_NONE) {
		extdev_fail(m, why, 0, false, "derive: %s", bad);
		return;
	}
	m->p.r.triple.btid = d.btid;
	(void)snprintf(m->p.r.challenge, sizeof m->p.r.challenge, "%s", d.challenge);
	m->p.stale.s[0] = '\0';
	if (store_request(m) != RC_OK) {
		extdev_fail(m, REASON_INTERNAL, 0, false, "the key request could not be stored");
		return;
	}
	enter(m, EXTDEV_REQUEST);
	extdev_request_send(m);
}

/* K13: while our tunnel is up at the MT, it tells us from a newcomer with our Device_ID by this. */
static void
show_what_we_hold(struct extdev_mt *m, struct localif_derive *ask)
{
	struct span challenge = span_str(m->local.challenge);
	struct extdev_key k = { 0 };

	if (challenge.n > 0 && extdev_store_get_key(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), &k) == RC_OK &&
	    k.state == EXTDEV_CONFIRMED && strcmp(k.from.triple.device_id.s, ask->device_id.s) == 0 &&
	    proof_make(k.ks, PROOF_HOLDS, challenge, ask->holds) != RC_OK)
		ask->holds[0] = '\0';
	extdev_key_clear(&k);
}

static void
ask_derive(struct extdev_mt *m)
{
	struct extdev_procedure *p = &m->p;
	struct localif_derive ask = { .naf_id = p->r.triple.naf_id, .device_id = p->device_id, .run = p->r.run };

	if (p->r.scenario == 2)
		ask.btid = p->r.triple.btid;
	else
		ask.stale_btid = p->stale;	/* K8 */
	show_what_we_hold(m, &ask);
	extdev_step(m, 6, "extdevd", "mtd", "derive", NULL, 0);
	enter(m, EXTDEV_DERIVE);
	extdev_local_ask(m, LOCALIF_DERIVE, localif_derive_print(&ask), on_derived);
}

static void
on_info(struct extdev_mt *m, json_t *body, enum reason why, const json_t *error)
{
	struct extdev_procedure *p = &m->p;
	struct localif_info_ok info;
	const char *bad = "";
	char lists[400];
	size_t center;

	if (why == REASON_NONE && localif_info_ok_parse(body, &info, &bad) != RC_OK)
		why = REASON_LOCAL_BAD_ANSWER;
	if (why != REASON_NONE) {
		if (error != NULL)
			answer_of_mt_refused(m, why, error, NULL);
		else
			extdev_fail(m, why, 0, false, "info: %s", bad);
		return;
	}
	p->shown = info.btid;
	p->r.scenario = info.btid.s[0] != '\0' && !p->r.fresh && strcmp(info.btid.s, p->stale.s) != 0 ? 2 : 1;
	if (extdev_choose(&m->e->conf, &info, p->has_naf ? &p->naf : NULL, &center) != RC_OK) {
		extdev_choose_text(&m->e->conf, &info, lists, sizeof lists);
		extdev_step(m, 5, "extdevd", "extdevd", "choose NAF_ID", reason_get(REASON_EXT_NO_COMMON_NAF)->code, extdev_waited_us(m));
		extdev_fail(m, REASON_EXT_NO_COMMON_NAF, 0, false, "%s", lists);
		return;
	}
	p->r.triple.naf_id = m->e->conf.centers[center].naf_id;
	if (p->r.scenario == 2)
		p->r.triple.btid = info.btid;
	extdev_step(m, 5, "extdevd", "extdevd", p->r.scenario == 2 ? "choose NAF_ID; B-TID is there" : "choose NAF_ID; new B-TID wanted",
	    NULL, extdev_waited_us(m));
	ask_derive(m);
}

static void
start_run(struct extdev_mt *m)
{
	struct extdev_procedure *p = &m->p;
	struct extdev *e = m->e;
	struct localif_info ask;
	enum rc rc = RC_OK;

	p->runs++;
	p->r = (struct extdev_request){ .mt_id = m->id, .fresh = p->fresh };
	if (p->device_id.s[0] == '\0') {
		p->device_id = e->self;
		if (e->conf.id_kind == EXTDEV_ID_RANDOM_EACH)
			rc = device_id_random(e->s.rnd, &p->device_id);
	}
	p->r.triple.device_id = p->device_id;
	if (rc != RC_OK || run_id_random(e->s.rnd, &p->r.run) != RC_OK) {
		extdev_fail(m, REASON_INTERNAL, 0, false, "no random octets");
		return;
	}
	metric_add(e->count.runs, 1);
	ask = (struct localif_info){ .device_id = p->device_id, .run = p->r.run };
	extdev_step(m, 1, "extdevd", "extdevd", p->force ? "a key is to be fetched" : "no valid key", NULL, 0);
	extdev_step(m, 2, "extdevd", "mtd", "info", NULL, 0);
	enter(m, EXTDEV_INFO);
	extdev_local_ask(m, LOCALIF_INFO, localif_info_print(&ask), on_info);
}

/* --- how it begins */

static bool
will_do(const struct extdev_procedure *p, const struct triple *t)
{
	return !p->force && (!p->has_naf || naf_id_eq(&p->naf, &t->naf_id));
}

/*
 * K4: a `complete` that is owed goes before any reuse: the MT may have confirmed that key, and dropped the older one that we
 * still hold (K2), before its answer was lost. False: nothing is owed that would do.
 */
static bool
settle_what_is_owed(struct extdev_mt *m, bool *linked)
{
	struct extdev_key k = { 0 };
	bool will;

	if (extdev_store_get_owed(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), &k) != RC_OK)
		return false;
	will = will_do(&m->p, &k.from.triple);
	*linked = m->local.state == EXTDEV_LINK_UP;
	if (will && *linked) {
		m->p.r = k.from;
		m->p.device_id = k.from.triple.device_id;
		enter(m, EXTDEV_COMPLETE);
		extdev_complete_send(m, &k);
	}
	extdev_key_clear(&k);
	return will;
}

/* K9: the key in use, if it will do. */
bool
extdev_reuse(struct extdev_mt *m)
{
	struct extdev_key k = { 0 };
	bool good;

	if (m->id.s[0] == '\0' || extdev_store_get_key(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), &k) != RC_OK)
		return false;
	good = !k.owed && will_do(&m->p, &k.from.triple);
	if (good)
		extdev_succeed(m, &k, 0, true);
	extdev_key_clear(&k);
	return good;
}

/*
 * What is owed, else the key that is there. False: neither, or the link is needed first. The key that is there is no answer to a key
 * request that is pending: that began because another one was wanted.
 */
static bool
use_what_is_there(struct extdev_mt *m)
{
	bool linked;

	if (m->id.s[0] != '\0' && settle_what_is_owed(m, &linked))
		return linked;
	return (!TAILQ_EMPTY(&m->p.askers) || m->p.wanted) && extdev_reuse(m);
}

/* N6: what the MT has derived already is not derived again. */
static bool
use_pending_request(struct extdev_mt *m)
{
	struct extdev_procedure *p = &m->p;
	struct extdev_request r;
	size_t center;

	if (m->id.s[0] == '\0' || extdev_store_get_request(m->e->s.store, &m->id, &r) != RC_OK)
		return false;
	if (p->fresh || (p->has_naf && !naf_id_eq(&p->naf, &r.triple.naf_id)) || extdev_find_center(m->e, &r.triple.naf_id, &center) != RC_OK)
		return false;
	p->r = r;
	p->device_id = r.triple.device_id;
	enter(m, EXTDEV_REQUEST);
	extdev_request_send(m);
	return true;
}

/* With what this establishment is for known: what is there, else what is pending, else a run, once the link is up. */
void
extdev_begin_run(struct extdev_mt *m)
{
	if (use_what_is_there(m) || use_pending_request(m))
		return;
	if (m->local.state == EXTDEV_LINK_UP) {
		start_run(m);
		return;
	}
	enter(m, EXTDEV_LINKING);
	extdev_local_dial(m);
}

/* A new establishment: for its first asker, or by ourselves. */
void
extdev_begin(struct extdev_mt *m)
{
	struct extdev_procedure *p = &m->p;
	const struct extdev_asker *a = TAILQ_FIRST(&p->askers);

	clock_timer_stop(p->again);
	p->fresh = a != NULL ? a->fresh : p->wanted && p->wanted_fresh;
	p->force = p->fresh || (a != NULL ? a->force : p->wanted && p->wanted_force);
	p->has_naf = a != NULL && a->has_naf;
	if (p->has_naf)
		p->naf = a->naf;
	p->runs = 0;
	p->began_ms = clock_mono_ms(m->e->s.clock);
	p->device_id.s[0] = p->stale.s[0] = p->shown.s[0] = '\0';
	memset(&p->r, 0, sizeof p->r);
	if (timeguard_jumped(m->e->s.guard))
		extdev_fail(m, REASON_CLOCK_JUMPED, 0, false, "mt=%s", m->conf->name);
	else
		extdev_begin_run(m);
}

/* By ourselves: a `complete` that is owed, a key request that is pending, what is wanted. */
void
extdev_begin_if_due(struct extdev_mt *m)
{
	struct extdev *e = m->e;
	struct extdev_request r;
	struct extdev_key k = { 0 };
	bool due = m->p.wanted;

	if (m->p.state != EXTDEV_IDLE || e->stopping)
		return;
	if (m->id.s[0] != '\0') {
		due = due || extdev_store_get_request(e->s.store, &m->id, &r) == RC_OK;
		if (m->local.state == EXTDEV_LINK_UP && extdev_store_get_owed(e->s.store, &m->id, timeguard_now(e->s.guard), &k) == RC_OK)
			due = true;
		extdev_key_clear(&k);
	}
	if (due)
		extdev_begin(m);
}
