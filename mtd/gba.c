#include "mtd/gba.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/purge.h"
#include "common/timeguard.h"
#include "mtd/ask.h"
#include "mtd/gba_impl.h"
#include "mtd/policy.h"

#define WAITERS_MAX 2048

int64_t
mt_gba_now(struct mt_gba *g)
{
	return timeguard_now(g->s->guard);
}

struct mt_asker *
mt_asker_new(struct mt_gba *g, mt_progress_fn *progress, void *arg)
{
	struct mt_asker *a = g->waiters < WAITERS_MAX ? calloc(1, sizeof *a) : NULL;

	if (a == NULL)
		return NULL;
	a->g = g;
	a->runner.wait.progress = progress;
	a->runner.wait.arg = arg;
	g->waiters++;
	return a;
}

void
mt_asker_free(struct mt_asker *a)
{
	struct mt_gba *g = a->g;
	void (*stopped)(void *arg) = g->stopped;

	free(a);
	if (--g->waiters > 0 || stopped == NULL)
		return;
	g->stopped = NULL;
	stopped(g->stopped_arg);
}

/* --- keys that go */

void
mt_gba_on_keys_gone(struct mt_gba *g, void (*fn)(void *arg), void *arg)
{
	g->gone = fn;
	g->gone_arg = arg;
}

static void
tell_gone(struct mt_gba *g)
{
	if (g->gone != NULL)
		g->gone(g->gone_arg);
}

void
mt_gba_keys_gone(struct mt_gba *g, int64_t expires)
{
	purge_deleted(g->purge);
	purge_expect(g->purge, expires);
	tell_gone(g);
}

/* purge.h's slice */
static enum rc
expire(void *arg, int64_t now_s, unsigned max, unsigned *n)
{
	struct mt_gba *g = arg;
	enum rc rc = mt_store_expire(g->s->store, now_s, max, n);

	if (rc == RC_OK && *n > 0)
		tell_gone(g);
	return rc;
}

static int64_t
next_expiry(void *arg)
{
	const struct mt_gba *g = arg;

	return mt_store_next_expiry(g->s->store);
}

/* --- the gate */

static void
on_card_change(void *arg, bool deleted)
{
	struct mt_gba *g = arg;
	struct mt_waiter *next;

	if (deleted)
		mt_gba_keys_gone(g, INT64_MAX);
	if (mt_sim_state(g->sim) == MT_SIM_READING)
		return;
	tell_gone(g);			/* suspended, perhaps */
	for (struct mt_waiter *w = mt_wait_take(&g->gate); w != NULL; w = next) {
		struct mt_asker *a = (struct mt_asker *)w;

		next = w->next;
		a->gate(w->arg);
		mt_asker_free(a);
	}
}

void
mt_gba_when_settled(struct mt_gba *g, void (*fn)(void *arg), mt_progress_fn *progress, void *arg)
{
	struct mt_asker *a;

	if (mt_sim_state(g->sim) != MT_SIM_READING || g->stopping || (a = mt_asker_new(g, progress, arg)) == NULL) {
		fn(arg);	/* finds REASON_MT_CARD_READING where nobody more may wait */
		return;
	}
	a->gate = fn;
	mt_wait_in(&g->gate, &a->runner.wait, LOCALIF_WAIT_CARD);
}

/* --- info, complete */

enum reason
mt_gba_admits(struct mt_gba *g, const struct device_id *id)
{
	static const enum reason why[] = {
		[MT_ADMIT] = REASON_NONE, [MT_ADMIT_UNLISTED] = REASON_MT_NOT_ADMITTED, [MT_ADMIT_REFUSED] = REASON_MT_DEVICE_REFUSED,
		[MT_ADMIT_ASK] = REASON_MT_ASK_TIMEOUT
	};
	enum mt_decision d;

	if (mt_store_get_decision(g->s->store, id, &d) != RC_OK)
		return REASON_INTERNAL;
	return why[mt_policy_admission(g->conf, id, d)];
}

enum rc
mt_gba_ks(struct mt_gba *g, enum mt_app_kind kind, struct mt_ks *out)
{
	const struct mt_app *app = mt_sim_app(g->sim, kind);
	enum rc rc;

	if (app == NULL)
		return RC_NOTFOUND;
	rc = mt_store_get_ks(g->s->store, app, mt_gba_now(g), g->conf->ks_min_left_s, out);
	/* A row that somebody else sealed was complained about; a new run replaces it. */
	return rc == RC_DENIED ? RC_NOTFOUND : rc;
}

size_t
mt_gba_nafs(const struct mt_gba *g, struct naf_id out[static MT_NAFS_MAX])
{
	return mt_policy_nafs(g->conf, mt_sim_info(g->sim), out);
}

enum rc
mt_gba_is_dead(struct mt_gba *g, const struct mt_app *app, const struct btid *btid, const struct device_id *id, const struct naf_id *naf,
    bool *dead)
{
	enum rc rc = mt_store_get_tombstone(g->s->store, &app->iccid, id, btid, naf, mt_gba_now(g));

	*dead = rc == RC_OK;
	return rc;
}

/* Of the NAF that devices are told first. */
static enum rc
first_ks(struct mt_gba *g, const struct device_id *id, struct mt_ks *out)
{
	const struct mt_usim_info *info = mt_sim_info(g->sim);
	static const struct naf_id none;
	struct naf_id nafs[MT_NAFS_MAX];
	size_t n = mt_policy_nafs(g->conf, info, nafs);
	enum mt_app_kind kind;
	bool dead;
	enum rc rc;

	if (info == NULL)
		return RC_NOTFOUND;
	kind = mt_policy_app(g->conf, info, n > 0 ? &nafs[0] : &none);
	if ((rc = mt_gba_ks(g, kind, out)) != RC_OK)
		return rc;
	/* N8: not to the device that could make nothing of it */
	rc = mt_gba_is_dead(g, mt_sim_app(g->sim, kind), &out->btid, id, NULL, &dead);
	if (rc == RC_NOTFOUND)
		return RC_OK;
	mt_ks_clear(out);
	return rc == RC_OK ? RC_EXPIRED : rc;
}

enum rc
mt_gba_info(struct mt_gba *g, const struct localif_info *ask, struct btid *out)
{
	struct mt_ks ks;
	enum rc rc = RC_NOTFOUND;

	if (mt_gba_admits(g, &ask->device_id) == REASON_NONE)
		rc = first_ks(g, &ask->device_id, &ks);
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
mt_gba_key_card(struct mt_gba *g, struct iccid *out)
{
	enum reason why = mt_sim_why(g->sim);
	enum rc rc;

	/* C2: without a card, the keys of the one that was in may still be used. */
	if (why != REASON_NONE && (mt_sim_state(g->sim) != MT_SIM_NONE || g->conf->without_card != MT_WITHOUT_CARD_USABLE))
		return why;
	rc = mt_store_last_card(g->s->store, out);
	if (rc == RC_NOTFOUND)
		return why != REASON_NONE ? why : REASON_LOCAL_UNKNOWN_KEY;
	return rc == RC_OK ? REASON_NONE : REASON_INTERNAL;
}

static void
confirmed(struct mt_gba *g, const struct triple *t, const char *kcv)
{
	mt_tally_add(&g->tally, MT_TALLY_KEYS_CONFIRMED);
	purge_deleted(g->purge);	/* the pair's older key is gone */
	log_info("gba: device_id=%s btid=%s kcv=%s confirmed", t->device_id.s, t->btid.s, kcv);
}

enum reason
mt_gba_complete(struct mt_gba *g, const struct localif_complete *c, char out[static PROOF_LEN + 1])
{
	struct mt_keys_proven proven;
	struct iccid iccid;
	enum reason why;
	enum rc rc;

	if ((why = mt_gba_key_card(g, &iccid)) != REASON_NONE)
		return why;
	rc = mt_keys_complete(&g->keys, &iccid, &c->triple, c->proof, mt_gba_now(g), &proven);
	if (rc == RC_NOTFOUND || rc == RC_EXPIRED)
		return REASON_LOCAL_UNKNOWN_KEY;
	if (rc == RC_DENIED)
		return REASON_LOCAL_KEY_MISMATCH;
	if (rc != RC_OK)
		return REASON_INTERNAL;
	memcpy(out, proven.proof, sizeof proven.proof);
	if (proven.confirmed)
		confirmed(g, &c->triple, proven.kcv);
	return REASON_NONE;
}

enum rc
mt_gba_confirm(struct mt_gba *g, const struct mt_key *k)
{
	char kcv[KCV_LEN + 1];
	enum rc rc;

	if ((rc = secret_kcv(k->ks_local_mt, kcv)) != RC_OK)
		return rc;
	if ((rc = mt_store_confirm_key(g->s->store, &k->iccid, &k->triple)) != RC_OK)
		return rc;
	if (k->state != MT_KEY_CONFIRMED)
		confirmed(g, &k->triple, kcv);
	return RC_OK;
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
	struct purge_what what = { expire, next_expiry, g };
	struct mt_sim_env sim = { g->s->uicc, g->conf, g->s->guard, g->s->clock, g->s->store, g->s->turn, on_card_change, g };
	struct mt_run_env run = { .s = g->s, .conf = g->conf, .tally = &g->tally };
	enum rc rc;

	if ((rc = mt_store_end_all_conns(g->s->store, g->conf->unused_keys_max)) != RC_OK)
		return rc;
	if ((rc = mt_wait_init(&g->gate, g->s->clock)) != RC_OK)
		return rc;
	if ((rc = mt_wait_init(&g->uicc, g->s->clock)) != RC_OK)
		return rc;
	if ((rc = purge_new(g->s->clock, g->s->guard, g->s->store, &what, &g->purge)) != RC_OK)
		return rc;
	if ((rc = mt_ask_new(g->s, g->conf, &g->ask)) != RC_OK)
		return rc;
	if ((rc = mt_sim_new(&sim, &g->sim)) != RC_OK)
		return rc;
	run.sim = g->sim;
	run.purge = g->purge;
	for (unsigned k = 0; k < MT_APPS && rc == RC_OK; k++) {
		run.kind = k;
		rc = mt_run_new(&run, &g->run[k]);
	}
	return rc;
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
	mt_tally_init(&g->tally, s->metrics);
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
	for (unsigned k = 0; k < MT_APPS; k++)
		mt_run_free(g->run[k]);
	mt_usim_cancel(g->deriving);
	mt_sim_free(g->sim);
	mt_ask_free(g->ask);
	purge_free(g->purge);
	mt_wait_clear(&g->gate);
	mt_wait_clear(&g->uicc);
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

struct mt_ask *
mt_gba_ask(struct mt_gba *g)
{
	return g->ask;
}

const struct mt_sim *
mt_gba_sim(const struct mt_gba *g)
{
	return g->sim;
}

bool
mt_gba_bsf(const struct mt_gba *g, char out[static FQDN_MAX + 1])
{
	return mt_run_bsf(g->run[MT_APP_USIM], out);
}

void
mt_gba_counts(const struct mt_gba *g, struct mt_counts *out)
{
	mt_tally_get(&g->tally, out);
}
