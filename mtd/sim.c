#include "mtd/sim.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/turn.h"
#include "mtd/uicc.h"

#define RECORD_RETRY_MS 1000

struct mt_sim {
	struct mt_sim_env env;
	struct mt_usim *usim;

	enum mt_sim_state state;
	enum reason why;		/* NONE: why */
	struct mt_usim_info info;
	struct mt_app app;
	struct mt_usim_op *reading;
	bool recording, replaced;
	struct clock_timer *again;	/* recording failed */

	struct mt_usim_op *auth;	/* Ub's question under way */
	mt_auth_fn *auth_fn;
	void *auth_arg;
};

static void record(void *arg);

static void
sim_enter(struct mt_sim *s, enum mt_sim_state state, enum reason why)
{
	static const char *const name[] = { "none", "reading", "ready" };

	log_debug("card: %s -> %s", name[s->state], name[state]);
	s->state = state;
	s->why = why;
	s->env.on_change(s->env.arg, s->replaced);
	s->replaced = false;
}

static void
on_recorded(void *arg, enum rc rc)
{
	struct mt_sim *s = arg;

	s->recording = false;
	if (s->state != MT_SIM_READING || s->reading != NULL)
		return;			/* pulled, or pulled and put in again: that one is being read */
	if (rc != RC_OK || strcmp(s->app.iccid.s, s->info.iccid.s) != 0) {
		clock_timer_set(s->again, rc != RC_OK ? RECORD_RETRY_MS : 0);
		return;
	}
	log_info("card: icc_id=%s impi=%s", s->info.iccid.s, s->info.impi.s);
	sim_enter(s, MT_SIM_READY, REASON_NONE);
}

/* seed 7.5: another UICC, and everything of the old one goes. Only when that is durable does the card count. */
static void
record(void *arg)
{
	struct mt_sim *s = arg;
	bool changed = false;
	enum rc rc;

	if (s->state != MT_SIM_READING || s->reading != NULL || s->recording)
		return;
	s->app.iccid = s->info.iccid;
	hex_print(span_of(s->info.aid, s->info.aid_len), s->app.aid);
	if ((rc = mt_store_card(s->env.store, &s->info.iccid, &changed)) != RC_OK) {
		log_error("card: icc_id=%s cannot be recorded: %s", s->info.iccid.s, rc_str(rc));
		clock_timer_set(s->again, RECORD_RETRY_MS);
		return;
	}
	if (changed)
		log_info("card: icc_id=%s was not in before: what belonged to other cards is deleted", s->info.iccid.s);
	s->replaced |= changed;
	s->recording = true;
	turn_later(s->env.turn, on_recorded, s);
}

/* usim.c logged a refusal. */
static void
on_read(void *arg, enum reason why, const struct mt_usim_info *info)
{
	struct mt_sim *s = arg;

	s->reading = NULL;
	if (why != REASON_NONE) {
		sim_enter(s, MT_SIM_NONE, why);
		return;
	}
	s->info = *info;
	record(s);
}

static void
on_card(void *arg, bool in)
{
	struct mt_sim *s = arg;

	mt_usim_cancel(s->reading);
	s->reading = NULL;
	clock_timer_stop(s->again);
	if (!in) {
		sim_enter(s, MT_SIM_NONE, REASON_CARD_NONE);
		return;
	}
	if (mt_usim_open(s->usim, on_read, s, &s->reading) != RC_OK) {
		log_error("card: out of memory");
		sim_enter(s, MT_SIM_NONE, REASON_INTERNAL);
		return;
	}
	sim_enter(s, MT_SIM_READING, REASON_NONE);
}

/* --- the card as Ub sees it */

static void
on_auth(void *arg, struct mt_usim_auth *a)
{
	static const enum mt_auth_how how[] = {
		[MT_USIM_OK] = MT_AUTH_OK, [MT_USIM_SYNC] = MT_AUTH_SYNC, [MT_USIM_MAC] = MT_AUTH_MAC, [MT_USIM_FAILED] = MT_AUTH_FAILED
	};
	struct mt_sim *s = arg;
	struct mt_auth told = { .how = how[a->verdict], .res = a->res, .ck = a->ck, .ik = a->ik, .detail = reason_get(a->why)->what };

	memcpy(told.auts, a->auts, sizeof told.auts);
	s->auth = NULL;
	s->auth_fn(s->auth_arg, &told);
	secret_free(a->res);
	secret_free(a->ck);
	secret_free(a->ik);
}

static enum rc
sim_authenticate(void *ctx, const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN], mt_auth_fn *fn, void *arg)
{
	struct mt_sim *s = ctx;

	if (s->state != MT_SIM_READY || s->auth != NULL)
		return RC_STATE;
	s->auth_fn = fn;
	s->auth_arg = arg;
	return mt_usim_authenticate(s->usim, &s->info, rand, autn, on_auth, s, &s->auth);
}

static void
sim_cancel(void *ctx)
{
	struct mt_sim *s = ctx;

	mt_usim_cancel(s->auth);
	s->auth = NULL;
}

struct mt_ub_card
mt_sim_ub_card(struct mt_sim *s)
{
	return (struct mt_ub_card){ sim_authenticate, sim_cancel, s };
}

/* --- life */

enum rc
mt_sim_new(const struct mt_sim_env *env, struct mt_sim **out)
{
	struct mt_sim *s = calloc(1, sizeof *s);
	enum rc rc = RC_NOMEM;

	if (s == NULL)
		return RC_NOMEM;
	s->env = *env;
	s->state = MT_SIM_NONE;
	s->why = REASON_CARD_NONE;
	if ((rc = mt_usim_new(env->uicc, env->conf, &s->usim)) != RC_OK)
		goto out;
	if ((rc = clock_timer_new(env->clock, record, s, &s->again)) != RC_OK)
		goto out;
	*out = s;
	s = NULL;
out:
	mt_sim_free(s);
	return rc;
}

void
mt_sim_free(struct mt_sim *s)
{
	if (s == NULL)
		return;
	mt_uicc_listen(s->env.uicc, NULL, NULL);
	mt_usim_free(s->usim);		/* cancels what is under way */
	clock_timer_free(s->again);
	free(s);
}

void
mt_sim_start(struct mt_sim *s)
{
	/* A card that is in is told of in a moment: nobody shall hear "no card" until then. */
	if (mt_uicc_present(s->env.uicc))
		s->state = MT_SIM_READING;
	mt_uicc_listen(s->env.uicc, on_card, s);
}

enum mt_sim_state
mt_sim_state(const struct mt_sim *s)
{
	return s->state;
}

enum reason
mt_sim_why(const struct mt_sim *s)
{
	return s->state == MT_SIM_READING ? REASON_MT_CARD_READING : s->why;
}

const struct mt_usim_info *
mt_sim_info(const struct mt_sim *s)
{
	return s->state == MT_SIM_READY ? &s->info : NULL;
}

const struct mt_app *
mt_sim_app(const struct mt_sim *s)
{
	return s->state == MT_SIM_READY ? &s->app : NULL;
}
