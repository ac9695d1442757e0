#include "mtd/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/imsi.h"
#include "common/kdf.h"
#include "common/localif.h"
#include "common/log.h"
#include "common/purge.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "common/turn.h"
#include "mtd/policy.h"
#include "mtd/ub.h"

#define MT_BUCKET "mt"
#define DEVICE_BUCKET_MAX (sizeof "device//" + MT_LINK_MAX + DEVICE_ID_MAX)

struct mt_run {
	struct mt_run_env env;
	struct mt_wait waiting;
	bool due;			/* begins when the turn is durable */
	struct mt_ub *ub;		/* under way */
	struct mt_app app;		/* on this card … */
	uint64_t generation;		/* … and not out since */
	struct mt_ub_result result;	/* GBA_U: of the run that the card is told of */
	struct mt_usim_op *card;	/* telling it */
	struct mt_payer payer;
};

enum rc
mt_run_new(const struct mt_run_env *env, struct mt_run **out)
{
	struct mt_run *r = calloc(1, sizeof *r);
	enum rc rc;

	if (r == NULL)
		return RC_NOMEM;
	r->env = *env;
	if ((rc = mt_wait_init(&r->waiting, env->s->clock)) != RC_OK) {
		free(r);
		return rc;
	}
	*out = r;
	return RC_OK;
}

void
mt_run_free(struct mt_run *r)
{
	if (r == NULL)
		return;
	mt_ub_cancel(r->ub);
	mt_usim_cancel(r->card);
	mt_wait_clear(&r->waiting);
	free(r);
}

bool
mt_run_under_way(const struct mt_run *r)
{
	return r->due || r->ub != NULL || r->card != NULL;
}

/* --- who pays */

static enum rc
read_bucket(struct mt_run *r, const char *name, unsigned per_hour, int64_t now_ms, struct mt_bucket *out)
{
	enum rc rc = mt_store_get_bucket(r->env.s->store, name, out);

	if (rc != RC_NOTFOUND)
		return rc;
	*out = mt_policy_bucket_full(per_hour, now_ms);
	return RC_OK;
}

static enum rc
move_bucket(struct mt_run *r, const char *name, unsigned per_hour, bool take, int64_t *retry_after_s)
{
	int64_t now_ms = timeguard_now(r->env.s->guard) * 1000;
	struct mt_bucket b;
	enum rc rc;

	if ((rc = read_bucket(r, name, per_hour, now_ms, &b)) != RC_OK)
		return rc;
	if (!take)
		mt_policy_bucket_give(&b, per_hour, now_ms);
	else if (!mt_policy_bucket_take(&b, per_hour, now_ms, retry_after_s))
		return RC_LIMIT;
	return mt_store_put_bucket(r->env.s->store, name, &b);
}

/* Both buckets, or none. */
static enum rc
move_buckets(struct mt_run *r, const struct mt_payer *who, bool take, int64_t *retry_after_s)
{
	char device[DEVICE_BUCKET_MAX];
	enum rc rc;

	(void)snprintf(device, sizeof device, "device/%s/%s", who->link, who->device_id.s);
	if ((rc = store_begin(r->env.s->store)) != RC_OK)
		return rc;
	if ((rc = move_bucket(r, device, r->env.conf->runs_per_hour_device, take, retry_after_s)) == RC_OK)
		rc = move_bucket(r, MT_BUCKET, r->env.conf->runs_per_hour, take, retry_after_s);
	return mt_store_end(r->env.s->store, rc);
}

enum rc
mt_run_pay(struct mt_run *r, const struct mt_payer *who, int64_t *retry_after_s)
{
	return move_buckets(r, who, true, retry_after_s);
}

/* What the BSF did not even challenge cost nothing: the payer has it back. */
static void
refund(struct mt_run *r)
{
	if (r->payer.device_id.s[0] != '\0' && move_buckets(r, &r->payer, false, NULL) != RC_OK)
		log_error("gba: a bucket could not be refilled");
}

/* --- the run's end */

static void
end_run(struct mt_run *r, const struct mt_outcome *o, const struct mt_ks *ks, int64_t dur_us)
{
	struct mt_waiter *next;

	for (struct mt_waiter *w = mt_wait_take(&r->waiting); w != NULL; w = next) {
		struct mt_runner *runner = (struct mt_runner *)w;

		next = w->next;
		runner->done(runner, o, ks, dur_us);
	}
}

static void
fail_run(struct mt_run *r, enum reason why)
{
	struct mt_outcome o = { why, 0, "" };

	end_run(r, &o, NULL, 0);
}

static enum rc
store_result(struct mt_run *r, const struct mt_ub_result *u)
{
	struct store *st = r->env.s->store;
	enum rc rc;

	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	rc = mt_store_put_ks(st, &r->app, &u->ks);
	/* TS 33.220 4.5.2: the new TMPI replaces the old one; without a new one only a refused one goes */
	if (rc == RC_OK && (u->tmpi[0] != '\0' || u->tmpi_refused))
		rc = mt_store_put_tmpi(st, &r->app, &u->ks.impi, u->tmpi);
	return mt_store_end(st, rc);
}

/* Not even out and in again: its removal ended what was under way (C2). */
static bool
same_card(const struct mt_run *r)
{
	const struct mt_app *app = mt_sim_app(r->env.sim, r->env.kind);

	return app != NULL && mt_sim_info(r->env.sim)->generation == r->generation && strcmp(app->aid, r->app.aid) == 0;
}

static enum rc
drop_tmpi(struct mt_run *r, const struct mt_ub_result *u)
{
	struct store *st = r->env.s->store;
	enum rc rc;

	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	rc = mt_store_put_tmpi(st, &r->app, &u->ks.impi, "");
	return mt_store_end(st, rc);
}

static void
on_failed(struct mt_run *r, const struct mt_ub_result *u, enum reason why)
{
	struct mt_outcome o = { why, u->retry_after_s, u->detail };

	mt_tally_add(r->env.tally, MT_TALLY_UB_FAILED);
	if (!u->challenged)
		refund(r);
	if (u->tmpi_refused && same_card(r) && drop_tmpi(r, u) != RC_OK)
		log_error("gba: a refused TMPI could not be deleted");
	end_run(r, &o, NULL, u->dur_us);
}

static void
on_done(struct mt_run *r, const struct mt_ub_result *u)
{
	const struct mt_outcome done = { REASON_NONE, 0, "" };

	if (!same_card(r)) {
		on_failed(r, u, REASON_LOCAL_NO_UICC);
		return;
	}
	if (store_result(r, u) != RC_OK) {
		on_failed(r, u, REASON_INTERNAL);
		return;
	}
	purge_expect(r->env.purge, u->ks.expires);
	end_run(r, &done, &u->ks, u->dur_us);
}

/* --- GBA_U: the Ks is in the card */

/* Without a TMPI the IMPI will do. */
static void
on_tmpi_key(void *arg, enum reason why, struct secret *key)
{
	struct mt_run *r = arg;

	r->card = NULL;
	if (why != REASON_NONE || kdf_tmpi_from(key, r->result.tmpi) != RC_OK)
		log_warn("gba: btid=%s: no TMPI: %s", r->result.ks.btid.s, reason_get(why)->what);
	secret_free(key);
	on_done(r, &r->result);
}

/* TS 33.220 B.4, with a NAF derivation for BSF_Id. */
static bool
ask_tmpi_key(struct mt_run *r)
{
	struct naf_id bsf_id;

	return r->result.tmpi_due && kdf_bsf_id(strchr(r->result.ks.btid.s, '@') + 1, &bsf_id) == RC_OK &&
	    mt_sim_ks_ext_naf(r->env.sim, r->env.kind, &r->result.ks, &bsf_id, on_tmpi_key, r, &r->card) == RC_OK;
}

static void
on_put(void *arg, enum reason why)
{
	struct mt_run *r = arg;

	r->card = NULL;
	if (why != REASON_NONE)
		on_failed(r, &r->result, why);
	else if (!ask_tmpi_key(r))
		on_done(r, &r->result);
}

static void
on_ub(void *arg, struct mt_ub_result *u)
{
	struct mt_run *r = arg;

	r->ub = NULL;
	if (!same_card(r)) {
		on_failed(r, u, REASON_LOCAL_NO_UICC);
		return;
	}
	if (u->why != REASON_NONE) {
		on_failed(r, u, u->why);
		return;
	}
	if (u->ks.ks != NULL) {
		on_done(r, u);
		return;
	}
	r->result = *u;			/* holds no secret */
	if (mt_sim_put_btid(r->env.sim, r->env.kind, &u->ks, on_put, r, &r->card) != RC_OK)
		on_failed(r, u, REASON_INTERNAL);
}

/* --- its beginning */

bool
mt_run_bsf(const struct mt_run *r, char out[static FQDN_MAX + 1])
{
	const struct mt_usim_info *info = mt_sim_info(r->env.sim);

	if (r->env.conf->ub.fqdn[0] != '\0') {
		memcpy(out, r->env.conf->ub.fqdn, sizeof r->env.conf->ub.fqdn);
		return true;
	}
	return info != NULL && imsi_to_bsf(&info->imsi, info->mnc_len, out) == RC_OK;
}

static enum rc
start_ub(struct mt_run *r, const struct mt_usim_info *info)
{
	const struct mt_seams *s = r->env.s;
	struct mt_ub_env env = { s->clock, s->rnd, s->http, &r->env.conf->ub, mt_sim_ub_card(r->env.sim, r->env.kind) };
	const struct impi *impi = &info->app[r->env.kind].impi;
	struct mt_ub_ask ask = { .impi = *impi, .min_left_s = r->env.conf->ks_min_left_s, .now_s = timeguard_now(s->guard) };
	enum rc rc;

	r->app = *mt_sim_app(r->env.sim, r->env.kind);
	r->generation = info->generation;
	if (!mt_run_bsf(r, ask.fqdn))
		return RC_STATE;
	if ((rc = mt_store_get_tmpi(s->store, &r->app, impi, ask.tmpi)) != RC_OK)
		return rc;
	mt_tally_add(r->env.tally, MT_TALLY_UB_RUNS);
	return mt_ub_start(&env, &ask, on_ub, r, &r->ub);
}

/* The payment is durable: now the BSF may be asked. */
static void
on_paid(void *arg, enum rc rc)
{
	struct mt_run *r = arg;
	const struct mt_usim_info *info = mt_sim_info(r->env.sim);
	enum reason why = REASON_LOCAL_NO_UICC;
	bool gba_u;

	r->due = false;
	if (rc != RC_OK) {
		fail_run(r, REASON_NOT_DURABLE);
		return;
	}
	if (info != NULL && mt_sim_app(r->env.sim, r->env.kind) != NULL) {
		why = mt_policy_gba_u(r->env.conf, &info->app[r->env.kind], &gba_u);
		if (why == REASON_NONE && (why = REASON_INTERNAL, start_ub(r, info)) == RC_OK)
			return;
	}
	if (why == REASON_CARD_NO_GBA_U)
		log_reason(why, "gba: icc_id=%s impi=%s", info->iccid.s, info->app[r->env.kind].impi.s);
	refund(r);
	fail_run(r, why);
}

void
mt_run_join(struct mt_run *r, struct mt_runner *w, const struct mt_payer *who)
{
	static const struct mt_payer nobody;

	if (mt_run_under_way(r)) {
		mt_wait_in(&r->waiting, &w->wait, LOCALIF_WAIT_QUEUE);
		return;
	}
	r->payer = who != NULL ? *who : nobody;
	mt_wait_in(&r->waiting, &w->wait, LOCALIF_WAIT_BOOTSTRAPPING);
	r->due = true;
	turn_later(r->env.s->turn, on_paid, r);
}
