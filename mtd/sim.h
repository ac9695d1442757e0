/*
 * mt_sim: the card that is in, by its ICC_ID and its USIM: reads them at insertion, forgets them at removal (C2), sees to it
 * that another card's data is gone before the card counts (seed 7.5), and is the card that Ub asks.
 */
#ifndef MTD_SIM_H
#define MTD_SIM_H

#include "common/rc.h"
#include "common/reason.h"
#include "mtd/store.h"
#include "mtd/ub.h"
#include "mtd/usim.h"

struct clock;
struct mt_sim;
struct mt_uicc;
struct turn;

enum mt_sim_state {
	MT_SIM_NONE,		/* no card, or one that cannot be read: mt_sim_why() */
	MT_SIM_READING,		/* or not durably recorded yet */
	MT_SIM_READY
};

struct mt_sim_env {		/* borrowed */
	struct mt_uicc *uicc;
	const struct mt_usim_conf *conf;
	struct clock *clock;
	struct store *store;
	struct turn *turn;
	/* From the loop: another state, or another card. replaced: another card's data was deleted. */
	void (*on_change)(void *arg, bool replaced);
	void *arg;
};
/* Caller frees, with the turn drained. RC_NOMEM. */
enum rc mt_sim_new(const struct mt_sim_env *env, struct mt_sim **out) MUST_USE;
void mt_sim_free(struct mt_sim *s);
/* Look for a card, now and from now on. */
void mt_sim_start(struct mt_sim *s);

enum mt_sim_state mt_sim_state(const struct mt_sim *s);
/* REASON_NONE when READY; else why no card can be used. */
enum reason mt_sim_why(const struct mt_sim *s);
/* READY: who it is, and its application as the store knows it; else NULL. Borrowed until the next change. */
const struct mt_usim_info *mt_sim_info(const struct mt_sim *s);
const struct mt_app *mt_sim_app(const struct mt_sim *s);
/* The card as Ub wants it; lives as long as s. */
struct mt_ub_card mt_sim_ub_card(struct mt_sim *s);

#endif
