/* derive, and the operator's bootstrap: who is served at once, who waits for a run, who pays for it. */
#include <string.h>

#include "common/log.h"
#include "common/purge.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "mtd/gba_impl.h"
#include "mtd/policy.h"

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
derive_key(struct mt_gba *g, const struct mt_asker *a, const struct mt_ks *ks, const struct secret *ks_ext_naf, struct mt_derived *out)
{
	const struct mt_keys_source src = { mt_sim_app(g->sim, a->kind), ks, ks_ext_naf };
	const struct mt_derive *d = &a->d;
	const struct localif_derive *ask = &d->ask;
	struct mt_keys_made made;
	enum rc rc;

	if (src.app == NULL)
		return mt_sim_why(g->sim);
	rc = mt_keys_derive(&g->keys, &src, &ask->naf_id, &ask->device_id, &d->from, mt_gba_now(g), &made);
	if (rc == RC_EXPIRED) {
		log_reason(REASON_MT_TOMBSTONE, "gba: device_id=%s btid=%s", ask->device_id.s, ks->btid.s);
		return REASON_MT_TOMBSTONE;
	}
	if (rc != RC_OK) {
		log_error("gba: device_id=%s btid=%s: no key: %s", ask->device_id.s, ks->btid.s, rc_str(rc));
		return REASON_INTERNAL;
	}
	if (made.naf_derived)
		mt_tally_add(&g->tally, MT_TALLY_NAF_DERIVATIONS);
	if (made.key_derived)
		mt_tally_add(&g->tally, MT_TALLY_KEYS_DERIVED);
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
refuse(struct mt_asker *a, enum reason why)
{
	struct mt_outcome o = { why, 0, "" };

	a->derived(a->runner.wait.arg, &o, NULL);
	mt_asker_free(a);
}

static void
answer(struct mt_gba *g, struct mt_asker *a, const struct mt_ks *ks, const struct secret *ks_ext_naf)
{
	struct mt_outcome o = { REASON_NONE, 0, "" };
	struct mt_derived told;

	/* K11: the user may have refused it while it waited for a run, or for the card */
	if ((o.why = mt_gba_admits(g, &a->d.ask.device_id)) != REASON_NONE ||
	    (o.why = derive_key(g, a, ks, ks_ext_naf, &told)) != REASON_NONE) {
		refuse(a, o.why);
		return;
	}
	a->derived(a->runner.wait.arg, &o, &told);
	mt_asker_free(a);
}

/* --- GBA_U: the UICC derives, for one asker after the other, so that the next of the same NAF finds it kept (K6) */

static void serve(struct mt_gba *g, struct mt_asker *a, const struct mt_ks *ks);

static void
on_ks_ext_naf(void *arg, enum reason why, struct secret *key)
{
	struct mt_gba *g = arg;
	struct mt_waiter *w = mt_wait_take(&g->uicc), *next;
	struct mt_asker *first = (struct mt_asker *)w;
	const struct mt_app *app = mt_sim_app(g->sim, first->kind);
	bool dropped = false;

	g->deriving = NULL;
	next = w->next;
	if (why == REASON_CARD_OTHER_KS && app != NULL && mt_store_drop_ks(g->s->store, app, &first->ks.btid, &dropped) != RC_OK)
		why = REASON_INTERNAL;
	if (dropped)
		log_info("gba: btid=%s: another run left its Ks in the card: dropped", first->ks.btid.s);
	if (why == REASON_NONE)
		answer(g, first, &first->ks, key);
	else
		refuse(first, why);
	secret_free(key);
	for (w = next; w != NULL; w = next) {
		struct mt_asker *a = (struct mt_asker *)w;
		struct mt_ks ks = a->ks;

		next = w->next;
		serve(g, a, &ks);
	}
}

static void
ask_uicc(struct mt_gba *g, struct mt_asker *a, const struct mt_ks *ks)
{
	enum rc rc;

	a->ks = *ks;
	if (g->deriving == NULL &&
	    (rc = mt_sim_ks_ext_naf(g->sim, a->kind, ks, &a->d.ask.naf_id, on_ks_ext_naf, g, &g->deriving)) != RC_OK) {
		enum reason why = mt_sim_why(g->sim);

		if (why == REASON_NONE)
			log_error("gba: device_id=%s btid=%s: the card cannot be asked: %s", a->d.ask.device_id.s, ks->btid.s, rc_str(rc));
		refuse(a, why != REASON_NONE ? why : REASON_INTERNAL);
		return;
	}
	mt_wait_in(&g->uicc, &a->runner.wait, LOCALIF_WAIT_CARD);
}

/* a is used up: answered, or it waits for the UICC. */
static void
serve(struct mt_gba *g, struct mt_asker *a, const struct mt_ks *ks)
{
	const struct mt_app *app = mt_sim_app(g->sim, a->kind);

	if (app == NULL)
		refuse(a, mt_sim_why(g->sim));
	else if (mt_keys_kept(&g->keys, app, ks, &a->d.ask.naf_id, mt_gba_now(g)))
		answer(g, a, ks, NULL);
	else
		ask_uicc(g, a, ks);
}

/* --- derive */

/* The run that a derive waited for has ended: seed 8.3.1 steps 7 and 8. */
static void
on_run_for_derive(struct mt_runner *r, const struct mt_outcome *o, const struct mt_ks *ks, int64_t dur_us)
{
	struct mt_asker *a = (struct mt_asker *)r;
	struct mt_gba *g = a->g;

	trace_step(g, &a->d, 7, "mtd", "bsfd", a->paid ? "GBA run" : "GBA run, joined", ks != NULL ? ks->btid.s : "", "",
	    o->why == REASON_NONE ? "ok" : reason_get(o->why)->code, dur_us);
	if (ks != NULL) {
		trace_step(g, &a->d, 8, "uicc", "mtd", ks->ks != NULL ? "RES, CK, IK" : "RES", ks->btid.s, "", "ok", 0);
		serve(g, a, ks);
		return;
	}
	a->derived(r->wait.arg, o, NULL);
	mt_asker_free(a);
}

static enum reason
pay_and_join(struct mt_gba *g, struct mt_asker *a, const struct btid *drop, int64_t *retry_after_s)
{
	struct mt_payer who = { .device_id = a->d.ask.device_id };
	bool dropped;
	enum rc rc;

	memcpy(who.link, a->d.from.link, sizeof who.link);
	if ((rc = mt_run_pay(g->run[a->kind], &who, retry_after_s)) == RC_LIMIT) {
		log_reason(REASON_MT_RUNS_SPENT, "gba: device_id=%s link=%s", who.device_id.s, who.link);
		return REASON_MT_RUNS_SPENT;
	}
	if (rc == RC_OK && drop != NULL) {
		log_info("gba: device_id=%s says that btid=%s is stale at the NAF: dropped", who.device_id.s, drop->s);
		rc = mt_store_drop_ks(g->s->store, mt_sim_app(g->sim, a->kind), drop, &dropped);
	}
	if (rc != RC_OK)
		return REASON_INTERNAL;
	a->paid = true;
	mt_run_join(g->run[a->kind], &a->runner, &who);
	return REASON_NONE;
}

/* REASON_NONE: a is used up: answered, or it waits. Else it is the caller's to refuse. */
static enum reason
dispatch(struct mt_gba *g, struct mt_asker *a, int64_t *retry_after_s)
{
	struct mt_ks ks = { .ks = NULL };
	struct mt_derive_facts f = {
		.newest = ks.btid.s, .asked = a->d.ask.btid.s, .stale = a->d.ask.stale_btid.s, .shown = a->d.shown.s,
		.asked_info = a->d.asked_info, .run_under_way = mt_run_under_way(g->run[a->kind])
	};
	enum reason why = REASON_NONE;
	enum rc rc = mt_gba_ks(g, a->kind, &ks);

	if (rc == RC_OK)
		rc = mt_gba_is_dead(g, mt_sim_app(g->sim, a->kind), &ks.btid, &a->d.ask.device_id, &a->d.ask.naf_id, &f.dead);
	if (rc != RC_OK && rc != RC_NOTFOUND && rc != RC_EXPIRED) {
		mt_ks_clear(&ks);
		return REASON_INTERNAL;
	}
	switch (mt_policy_derive(&f)) {
	case MT_WAY_STALE:
		why = f.dead ? REASON_MT_TOMBSTONE : REASON_LOCAL_STALE_BTID;
		break;
	case MT_WAY_NEWEST:
		serve(g, a, &ks);
		break;
	case MT_WAY_JOIN:
		mt_run_join(g->run[a->kind], &a->runner, NULL);
		break;
	case MT_WAY_RUN:
		why = pay_and_join(g, a, NULL, retry_after_s);
		break;
	case MT_WAY_DROP_AND_RUN:
		why = pay_and_join(g, a, &ks.btid, retry_after_s);
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
	if ((why = mt_gba_admits(g, &d->ask.device_id)) != REASON_NONE)
		return why;
	if (!mt_policy_offers(g->conf, mt_sim_info(g->sim), &d->ask.naf_id))
		return REASON_LOCAL_NAF_NOT_OFFERED;
	return mt_sim_why(g->sim);
}

void
mt_gba_derive(struct mt_gba *g, const struct mt_derive *d, mt_gba_derived_fn *fn, mt_progress_fn *progress, void *arg)
{
	struct mt_outcome o = { may_derive(g, d), 0, "" };
	struct mt_asker *a = NULL;

	if (o.why == REASON_NONE && (a = mt_asker_new(g, progress, arg)) == NULL)
		o.why = REASON_OVERLOAD;
	if (a != NULL) {
		a->kind = mt_policy_app(g->conf, mt_sim_info(g->sim), &d->ask.naf_id);
		a->derived = fn;
		a->runner.done = on_run_for_derive;
		a->d = *d;
		o.why = dispatch(g, a, &o.retry_after_s);
	}
	if (o.why == REASON_NONE)
		return;
	fn(arg, &o, NULL);
	if (a != NULL)
		mt_asker_free(a);
}

/* --- the operator's run */

static void
on_run_for_operator(struct mt_runner *r, const struct mt_outcome *o, const struct mt_ks *ks, int64_t dur_us)
{
	struct mt_asker *a = (struct mt_asker *)r;

	(void)dur_us;
	a->booted(r->wait.arg, o, ks);
	mt_asker_free(a);
}

void
mt_gba_bootstrap(struct mt_gba *g, enum mt_app_kind kind, mt_gba_booted_fn *fn, mt_progress_fn *progress, void *arg)
{
	struct mt_outcome o = { closed(g), 0, "" };
	struct mt_asker *a = NULL;

	if (o.why == REASON_NONE)
		o.why = mt_sim_why(g->sim);
	if (o.why == REASON_NONE && mt_sim_app(g->sim, kind) == NULL)
		o.why = REASON_CARD_NO_ISIM;
	if (o.why == REASON_NONE && (a = mt_asker_new(g, progress, arg)) == NULL)
		o.why = REASON_OVERLOAD;
	if (a == NULL) {
		fn(arg, &o, NULL);
		return;
	}
	a->booted = fn;
	a->runner.done = on_run_for_operator;
	mt_run_join(g->run[kind], &a->runner, NULL);
}
