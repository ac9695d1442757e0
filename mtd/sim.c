#include "mtd/sim.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "common/turn.h"
#include "mtd/mt.h"
#include "mtd/policy.h"
#include "mtd/sim_int.h"
#include "mtd/uicc.h"

#define RECORD_RETRY_MS 1000
#define ABSENT_MS 3000		/* a reader may need so long to tell of a card that was in all the time */

static void
sim_enter(struct mt_sim *s, enum mt_sim_state state, enum reason why)
{
	static const char *const name[] = { "none", "reading", "ready" };

	log_debug("card: %s -> %s", name[s->state], name[state]);
	s->state = state;
	s->why = why;
	s->env.on_change(s->env.arg, s->deleted);
	s->deleted = false;
}

/* --- what the store is told */

static void
on_recorded(void *arg, enum rc rc)
{
	struct mt_sim *s = arg;

	s->recording = false;
	if (rc == RC_OK)
		s->done = s->put;
	if (s->reading != NULL)
		return;			/* put in again: that one is recorded when it is read */
	if (rc != RC_OK || s->done != s->removals || strcmp(s->app[MT_APP_USIM].app.iccid.s, s->info.iccid.s) != 0) {
		clock_timer_set(s->again, rc != RC_OK ? RECORD_RETRY_MS : 0);
		return;
	}
	if (s->state != MT_SIM_READING) {
		s->env.on_change(s->env.arg, s->deleted);
		s->deleted = false;
		return;
	}
	for (unsigned k = 0; k < MT_APPS && s->info.app[k].aid_len > 0; k++)
		log_info("card: icc_id=%s aid=%s impi=%s%s", s->info.iccid.s, s->app[k].app.aid, s->info.app[k].impi.s,
		    s->app[k].gba_u ? " GBA_U" : s->info.app[k].gba ? " GBA_ME, by uicc { gba }" : " GBA_ME");
	sim_enter(s, MT_SIM_READY, REASON_NONE);
}

/*
 * The Ks that a terminal, perhaps we, left in the card: gone on with, unless ours is newer or there is none (EF_GBABP). A Ks whose
 * place is not the one in force any more (uicc { gba } was changed, or the card's services) is dropped.
 */
static enum rc
adopt(struct mt_sim *s, unsigned kind)
{
	const struct mt_usim_app *a = &s->info.app[kind];
	const struct mt_app *app = &s->app[kind].app;
	int64_t now = timeguard_now(s->env.guard);
	struct mt_ks ks = { .ks = NULL };
	bool gba_u = s->app[kind].gba_u, fits, dropped;
	enum rc rc;

	rc = mt_store_get_ks(s->env.store, app, now, 0, &ks);
	if (rc != RC_OK && rc != RC_NOTFOUND && rc != RC_EXPIRED && rc != RC_DENIED)
		return rc;
	if (rc == RC_OK) {
		fits = gba_u ? ks.ks == NULL && a->bp.whole && strcmp(ks.btid.s, a->bp.btid.s) == 0 : ks.ks != NULL;
		rc = fits ? RC_OK : mt_store_drop_ks(s->env.store, app, &ks.btid, &dropped);
		if (!fits)
			log_info("card: icc_id=%s btid=%s: its Ks is not used any more", s->info.iccid.s, ks.btid.s);
		mt_ks_clear(&ks);
		if (rc != RC_OK || fits)
			return rc;
	}
	if (!gba_u || !a->bp.whole || a->bp.expires <= now)
		return RC_OK;
	ks = (struct mt_ks){ .btid = a->bp.btid, .impi = a->impi, .created = now, .expires = a->bp.expires };
	memcpy(ks.rand, a->bp.rand, sizeof ks.rand);
	log_info("card: icc_id=%s btid=%s: goes on with the Ks that is in the card", s->info.iccid.s, ks.btid.s);
	return mt_store_put_ks(s->env.store, app, &ks);
}

/* In the store's transaction. *changed: another card's data went. */
static enum rc
put_card(struct mt_sim *s, bool *changed)
{
	enum rc rc;

	if (s->done != s->removals) {
		bool gone = false;

		if ((rc = mt_store_removed(s->env.store, s->env.conf->without_card == MT_WITHOUT_CARD_DELETED, &gone)) != RC_OK)
			return rc;
		s->deleted |= gone;
	}
	if (s->info.iccid.s[0] == '\0')
		return RC_OK;
	if ((rc = mt_store_card(s->env.store, &s->info.iccid, changed)) != RC_OK)
		return rc;
	for (unsigned k = 0; k < MT_APPS && s->info.app[k].aid_len > 0 && rc == RC_OK; k++)
		rc = adopt(s, k);
	return rc;
}

/*
 * C2, seed 7.5: removal, and another UICC, for which everything of the old one goes. Only when that is durable does the card count.
 */
static void
record(struct mt_sim *s)
{
	bool changed = false;
	enum rc rc;

	if (s->reading != NULL || s->recording || (s->done == s->removals && s->info.iccid.s[0] == '\0'))
		return;
	for (unsigned k = 0; k < MT_APPS; k++) {
		s->app[k].app.iccid = s->info.iccid;
		hex_print(span_of(s->info.app[k].aid, s->info.app[k].aid_len), s->app[k].app.aid);
		(void)mt_policy_gba_u(s->env.conf, &s->info.app[k], &s->app[k].gba_u);	/* a refusal is the run's to tell */
	}
	if ((rc = store_begin(s->env.store)) == RC_OK)
		rc = mt_store_end(s->env.store, put_card(s, &changed));
	if (rc != RC_OK) {
		log_error("card: icc_id=%s cannot be recorded: %s", s->info.iccid.s, rc_str(rc));
		clock_timer_set(s->again, RECORD_RETRY_MS);
		return;
	}
	if (changed)
		log_info("card: icc_id=%s was not in before: what belonged to other cards is deleted", s->info.iccid.s);
	s->deleted |= changed;
	s->put = s->removals;
	s->recording = true;
	turn_later(s->env.turn, on_recorded, s);
}

static void
on_again(void *arg)
{
	struct mt_sim *s = arg;

	s->removals += s->absent;
	s->absent = false;
	record(s);
}

/* usim.c logged a refusal. */
static void
on_read(void *arg, enum reason why, const struct mt_usim_info *info)
{
	struct mt_sim *s = arg;

	s->reading = NULL;
	s->info = *info;		/* of a card that cannot be used the ICC_ID alone, if that */
	if (why != REASON_NONE)
		sim_enter(s, MT_SIM_NONE, why);
	record(s);
}

static void
on_card(void *arg, bool in)
{
	struct mt_sim *s = arg;

	mt_usim_cancel(s->reading);
	s->reading = NULL;
	clock_timer_stop(s->again);
	s->absent = false;
	s->info = (struct mt_usim_info){ .generation = 0 };
	if (!in) {
		s->removals++;
		sim_enter(s, MT_SIM_NONE, REASON_CARD_NONE);
		record(s);
		return;
	}
	if (mt_usim_open(s->usim, on_read, s, &s->reading) != RC_OK) {
		log_error("card: out of memory");
		sim_enter(s, MT_SIM_NONE, REASON_INTERNAL);
		return;
	}
	sim_enter(s, MT_SIM_READING, REASON_NONE);
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
	for (unsigned k = 0; k < MT_APPS; k++) {
		s->app[k].s = s;
		s->app[k].kind = k;
	}
	if ((rc = mt_usim_new(env->uicc, &env->conf->usim, &s->usim)) != RC_OK)
		goto out;
	if ((rc = clock_timer_new(env->clock, on_again, s, &s->again)) != RC_OK)
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
	/* A card that is in is told of in a moment: nobody shall hear "no card" until then. Absent = removed (C2). */
	if (mt_uicc_present(s->env.uicc)) {
		s->state = MT_SIM_READING;
	} else {
		s->absent = true;
		clock_timer_set(s->again, ABSENT_MS);
	}
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
mt_sim_app(const struct mt_sim *s, enum mt_app_kind kind)
{
	return s->state == MT_SIM_READY && s->info.app[kind].aid_len > 0 ? &s->app[kind].app : NULL;
}
