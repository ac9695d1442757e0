#include "mtd/gba.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/purge.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "mtd/keys.h"
#include "mtd/policy.h"

#define WAITERS_MAX 2048

struct mt_gba {
	const struct mt_seams *s;
	const struct mt_conf *conf;
	struct mt_keys_env keys;
	struct mt_sim *sim;
	struct mt_run *run;
	struct purge *purge;
	struct mt_wait gate;
	size_t waiters;
	struct mt_counts counts;
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

/* One asker: waits at the gate, or for a run. */
struct asker {
	struct mt_runner runner;
	struct mt_gba *g;
	void (*gate)(void *arg);
	mt_gba_derived_fn *derived;
	mt_gba_booted_fn *booted;
	struct mt_derive d;		/* derived's */
	bool paid;
};

static int64_t
now_s(struct mt_gba *g)
{
	return timeguard_now(g->s->guard);
}

static struct asker *
asker_new(struct mt_gba *g, mt_progress_fn *progress, void *arg)
{
	struct asker *a = g->waiters < WAITERS_MAX ? calloc(1, sizeof *a) : NULL;

	if (a == NULL)
		return NULL;
	a->g = g;
	a->runner.wait.progress = progress;
	a->runner.wait.arg = arg;
	g->waiters++;
	return a;
}

static void
asker_free(struct asker *a)
{
	struct mt_gba *g = a->g;
	void (*stopped)(void *arg) = g->stopped;

	free(a);
	if (--g->waiters > 0 || stopped == NULL)
		return;
	g->stopped = NULL;
	stopped(g->stopped_arg);
}

/* --- the gate */

static void
on_card_change(void *arg, bool replaced)
{
	struct mt_gba *g = arg;
	struct mt_waiter *next;

	if (replaced)
		purge_deleted(g->purge);
	if (mt_sim_state(g->sim) == MT_SIM_READING)
		return;
	for (struct mt_waiter *w = mt_wait_take(&g->gate); w != NULL; w = next) {
		struct asker *a = (struct asker *)w;

		next = w->next;
		a->gate(w->arg);
		asker_free(a);
	}
}

void
mt_gba_when_settled(struct mt_gba *g, void (*fn)(void *arg), mt_progress_fn *progress, void *arg)
{
	struct asker *a;

	if (mt_sim_state(g->sim) != MT_SIM_READING || g->stopping || (a = asker_new(g, progress, arg)) == NULL) {
		fn(arg);	/* finds REASON_MT_CARD_READING where nobody more may wait */
		return;
	}
	a->gate = fn;
	mt_wait_in(&g->gate, &a->runner.wait, LOCALIF_WAIT_CARD);
}

/* --- derive */

static void
trace_step(struct mt_gba *g, const struct mt_derive *d, int step, const char *from, const char *to, const char *msg, const char *btid,
    const char *kcv, const char *result, int64_t dur_us)
{
	char naf[NAF_ID_TEXT_MAX + 1];
	struct trace_event e = {
		.run = d->ask.run.s, .scenario = d->ask.btid.s[0] != '\0' ? 2 : 1, .step = step, .from = from, .to = to, .msg = msg,
		.btid = btid, .naf_id = naf, .device_id = d->ask.device_id.s, .kcv = kcv, .result = result, .dur_us = dur_us
	};

	naf_id_print(&d->ask.naf_id, naf);
	trace_emit(g->s->trace, &e);
}

/* seed 8.3.1 step 9, 8.3.2 step 7 */
static enum reason
derive_key(struct mt_gba *g, const struct mt_derive *d, const struct mt_ks *ks, struct mt_derived *out)
{
	const struct localif_derive *ask = &d->ask;
	struct mt_keys_made made;
	enum rc rc;

	rc = mt_keys_derive(&g->keys, mt_sim_app(g->sim), ks, &ask->naf_id, &ask->device_id, &d->from, now_s(g), &made);
	if (rc != RC_OK) {
		log_error("gba: device_id=%s btid=%s: no key: %s", ask->device_id.s, ks->btid.s, rc_str(rc));
		return REASON_INTERNAL;
	}
	g->counts.naf_derivations += made.naf_derived;
	g->counts.keys_derived += made.key_derived;
	purge_expect(g->purge, ks->expires);
	trace_step(g, d, ask->btid.s[0] != '\0' ? 7 : 9, "mtd", "mtd",
	    made.naf_derived ? "derive Ks_(ext)_NAF, Ks_local_MT" : "derive Ks_local_MT", ks->btid.s, made.kcv, "ok", 0);
	log_info("gba: device_id=%s btid=%s kcv=%s %s", ask->device_id.s, ks->btid.s, made.kcv,
	    made.key_derived ? "derived" : "was derived before");
	out->btid = ks->btid;
	memcpy(out->challenge, made.challenge, sizeof out->challenge);
	return REASON_NONE;
}

static void
serve(struct mt_gba *g, struct asker *a, const struct mt_ks *ks)
{
	struct mt_outcome o = { REASON_NONE, 0, "" };
	struct mt_derived told;

	o.why = derive_key(g, &a->d, ks, &told);
	a->derived(a->runner.wait.arg, &o, o.why == REASON_NONE ? &told : NULL);
}

/* The run that a derive waited for has ended: seed 8.3.1 steps 7 and 8. */
static void
on_run_for_derive(struct mt_runner *r, const struct mt_outcome *o, const struct mt_ks *ks, int64_t dur_us)
{
	struct asker *a = (struct asker *)r;
	struct mt_gba *g = a->g;

	trace_step(g, &a->d, 7, "mtd", "bsfd", a->paid ? "GBA run" : "GBA run, joined", ks != NULL ? ks->btid.s : "", "",
	    o->why == REASON_NONE ? "ok" : reason_get(o->why)->code, dur_us);
	if (ks != NULL) {
		trace_step(g, &a->d, 8, "uicc", "mtd", ks->ks != NULL ? "RES, CK, IK" : "RES", ks->btid.s, "", "ok", 0);
		serve(g, a, ks);
	} else {
		a->derived(r->wait.arg, o, NULL);
	}
	asker_free(a);
}

static enum reason
pay_and_join(struct mt_gba *g, struct asker *a, const struct btid *drop, int64_t *retry_after_s)
{
	struct mt_payer who = { .device_id = a->d.ask.device_id };
	bool dropped;
	enum rc rc;

	memcpy(who.link, a->d.from.link, sizeof who.link);
	if ((rc = mt_run_pay(g->run, &who, retry_after_s)) == RC_LIMIT) {
		log_reason(REASON_MT_RUNS_SPENT, "gba: device_id=%s link=%s", who.device_id.s, who.link);
		return REASON_MT_RUNS_SPENT;
	}
	if (rc == RC_OK && drop != NULL) {
		log_info("gba: device_id=%s says that btid=%s is stale at the NAF: dropped", who.device_id.s, drop->s);
		rc = mt_store_drop_ks(g->s->store, mt_sim_app(g->sim), drop, &dropped);
	}
	if (rc != RC_OK)
		return REASON_INTERNAL;
	a->paid = true;
	mt_run_join(g->run, &a->runner, &who);
	return REASON_NONE;
}

/* REASON_NONE: a is served, or waits (*waits). Else it is the caller's to refuse. */
static enum reason
dispatch(struct mt_gba *g, struct asker *a, bool *waits, int64_t *retry_after_s)
{
	struct mt_ks ks = { .ks = NULL };
	struct mt_derive_facts f = {
		.newest = ks.btid.s, .asked = a->d.ask.btid.s, .stale = a->d.ask.stale_btid.s, .shown = a->d.shown.s,
		.asked_info = a->d.asked_info, .run_under_way = mt_run_under_way(g->run)
	};
	enum reason why = REASON_NONE;
	enum rc rc = mt_gba_ks(g, &ks);

	if (rc != RC_OK && rc != RC_NOTFOUND && rc != RC_EXPIRED)
		return REASON_INTERNAL;
	switch (mt_policy_derive(&f)) {
	case MT_WAY_STALE:
		why = REASON_LOCAL_STALE_BTID;
		break;
	case MT_WAY_NEWEST:
		serve(g, a, &ks);
		break;
	case MT_WAY_JOIN:
		mt_run_join(g->run, &a->runner, NULL);
		*waits = true;
		break;
	case MT_WAY_RUN:
		why = pay_and_join(g, a, NULL, retry_after_s);
		*waits = why == REASON_NONE;
		break;
	case MT_WAY_DROP_AND_RUN:
		why = pay_and_join(g, a, &ks.btid, retry_after_s);
		*waits = why == REASON_NONE;
		break;
	}
	mt_ks_clear(&ks);
	return why;
}

/* Before anything of the card: may anybody ask now? */
static enum reason
closed(struct mt_gba *g)
{
	if (g->stopping)
		return REASON_STOPPING;
	if (timeguard_jumped(g->s->guard))
		return REASON_CLOCK_JUMPED;
	return REASON_NONE;
}

static enum reason
may_derive(struct mt_gba *g, const struct mt_derive *d)
{
	enum reason why = closed(g);

	if (why != REASON_NONE)
		return why;
	if (!mt_policy_admits(g->conf, &d->ask.device_id))
		return REASON_MT_NOT_ADMITTED;
	if (!mt_policy_offers(g->conf, &d->ask.naf_id))
		return REASON_LOCAL_NAF_NOT_OFFERED;
	return mt_sim_why(g->sim);
}

void
mt_gba_derive(struct mt_gba *g, const struct mt_derive *d, mt_gba_derived_fn *fn, mt_progress_fn *progress, void *arg)
{
	struct mt_outcome o = { may_derive(g, d), 0, "" };
	struct asker *a = NULL;
	bool waits = false;

	if (o.why == REASON_NONE && (a = asker_new(g, progress, arg)) == NULL)
		o.why = REASON_OVERLOAD;
	if (a != NULL) {
		a->derived = fn;
		a->runner.done = on_run_for_derive;
		a->d = *d;
		o.why = dispatch(g, a, &waits, &o.retry_after_s);
	}
	if (waits)
		return;
	if (o.why != REASON_NONE)
		fn(arg, &o, NULL);
	if (a != NULL)
		asker_free(a);
}

/* --- the operator's run */

static void
on_run_for_operator(struct mt_runner *r, const struct mt_outcome *o, const struct mt_ks *ks, int64_t dur_us)
{
	struct asker *a = (struct asker *)r;

	(void)dur_us;
	a->booted(r->wait.arg, o, ks);
	asker_free(a);
}

void
mt_gba_bootstrap(struct mt_gba *g, mt_gba_booted_fn *fn, mt_progress_fn *progress, void *arg)
{
	struct mt_outcome o = { closed(g), 0, "" };
	struct asker *a = NULL;

	if (o.why == REASON_NONE)
		o.why = mt_sim_why(g->sim);
	if (o.why == REASON_NONE && (a = asker_new(g, progress, arg)) == NULL)
		o.why = REASON_OVERLOAD;
	if (a == NULL) {
		fn(arg, &o, NULL);
		return;
	}
	a->booted = fn;
	a->runner.done = on_run_for_operator;
	mt_run_join(g->run, &a->runner, NULL);
}

/* --- info, complete */

enum rc
mt_gba_ks(struct mt_gba *g, struct mt_ks *out)
{
	const struct mt_app *app = mt_sim_app(g->sim);
	enum rc rc;

	if (app == NULL)
		return RC_NOTFOUND;
	rc = mt_store_get_ks(g->s->store, app, now_s(g), g->conf->ks_min_left_s, out);
	/* A row that somebody else sealed was complained about; a new run replaces it. */
	return rc == RC_DENIED ? RC_NOTFOUND : rc;
}

enum rc
mt_gba_info(struct mt_gba *g, const struct localif_info *ask, struct btid *out)
{
	struct mt_ks ks;
	enum rc rc = RC_NOTFOUND;

	if (mt_policy_admits(g->conf, &ask->device_id))
		rc = mt_gba_ks(g, &ks);
	memset(out, 0, sizeof *out);
	if (rc == RC_NOTFOUND || rc == RC_EXPIRED)
		return RC_OK;
	if (rc != RC_OK)
		return rc;
	*out = ks.btid;
	mt_ks_clear(&ks);
	return RC_OK;
}

enum reason
mt_gba_complete(struct mt_gba *g, const struct localif_complete *c, char out[static PROOF_LEN + 1])
{
	struct mt_keys_proven proven;
	enum reason why = mt_sim_why(g->sim);
	enum rc rc;

	if (why != REASON_NONE)
		return why;
	rc = mt_keys_complete(&g->keys, &mt_sim_app(g->sim)->iccid, &c->triple, c->proof, now_s(g), &proven);
	if (rc == RC_NOTFOUND || rc == RC_EXPIRED)
		return REASON_LOCAL_UNKNOWN_KEY;
	if (rc == RC_DENIED)
		return REASON_LOCAL_KEY_MISMATCH;
	if (rc != RC_OK)
		return REASON_INTERNAL;
	memcpy(out, proven.proof, sizeof proven.proof);
	if (!proven.confirmed)
		return REASON_NONE;
	g->counts.keys_confirmed++;
	purge_deleted(g->purge);	/* the pair's older key is gone */
	log_info("gba: device_id=%s btid=%s kcv=%s confirmed", c->triple.device_id.s, c->triple.btid.s, proven.kcv);
	return REASON_NONE;
}

void
mt_gba_conn_ended(struct mt_gba *g, const struct mt_origin *from)
{
	if (mt_store_end_conn(g->s->store, from, g->conf->unused_keys_max) != RC_OK)
		log_error("gba: link=%s: its unused keys could not be counted", from->link);
}

/* --- life */

static enum rc
open_parts(struct mt_gba *g)
{
	struct purge_what what = { mt_store_expire, mt_store_next_expiry, g->s->store };
	struct mt_sim_env sim = { g->s->uicc, &g->conf->usim, g->s->clock, g->s->store, g->s->turn, on_card_change, g };
	struct mt_run_env run = { g->s, g->conf, NULL, NULL, &g->counts };
	enum rc rc;

	if ((rc = mt_store_end_all_conns(g->s->store, g->conf->unused_keys_max)) != RC_OK)
		return rc;
	if ((rc = mt_wait_init(&g->gate, g->s->clock)) != RC_OK)
		return rc;
	if ((rc = purge_new(g->s->clock, g->s->guard, g->s->store, &what, &g->purge)) != RC_OK)
		return rc;
	if ((rc = mt_sim_new(&sim, &g->sim)) != RC_OK)
		return rc;
	run.sim = g->sim;
	run.purge = g->purge;
	return mt_run_new(&run, &g->run);
}

enum rc
mt_gba_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_gba **out)
{
	struct mt_gba *g = calloc(1, sizeof *g);
	enum rc rc;

	if (g == NULL)
		return RC_NOMEM;
	g->s = s;
	g->conf = conf;
	g->keys = (struct mt_keys_env){ s->store, s->rnd, conf->unused_keys_max };
	if ((rc = open_parts(g)) != RC_OK) {
		mt_gba_free(g);
		return rc;
	}
	*out = g;
	return RC_OK;
}

void
mt_gba_free(struct mt_gba *g)
{
	if (g == NULL)
		return;
	mt_run_free(g->run);
	mt_sim_free(g->sim);
	purge_free(g->purge);
	mt_wait_clear(&g->gate);
	free(g);
}

void
mt_gba_start(struct mt_gba *g)
{
	mt_sim_start(g->sim);
}

void
mt_gba_stop(struct mt_gba *g, void (*done)(void *arg), void *arg)
{
	g->stopping = true;
	if (g->waiters == 0) {
		done(arg);
		return;
	}
	g->stopped = done;
	g->stopped_arg = arg;
}

const struct mt_sim *
mt_gba_sim(const struct mt_gba *g)
{
	return g->sim;
}

bool
mt_gba_bsf(const struct mt_gba *g, char out[static FQDN_MAX + 1])
{
	return mt_run_bsf(g->run, out);
}

const struct mt_counts *
mt_gba_counts(const struct mt_gba *g)
{
	return &g->counts;
}
