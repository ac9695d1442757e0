/*
 * mt_sim: the card that is in, by its ICC_ID, USIM and ISIM: reads them at insertion, forgets them at removal (C2), sees to it
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
struct mt_conf;
struct mt_sim;
struct mt_uicc;
struct timeguard;
struct turn;

enum mt_sim_state {
	MT_SIM_NONE,		/* no card, or one that cannot be read: mt_sim_why() */
	MT_SIM_READING,		/* or not durably recorded yet */
	MT_SIM_READY
};

struct mt_sim_env {		/* borrowed */
	struct mt_uicc *uicc;
	const struct mt_conf *conf;
	struct timeguard *guard;
	struct clock *clock;
	struct store *store;
	struct turn *turn;
	/* From the loop: another state, or another card. deleted: data of another card, or of this one at its removal, was deleted. */
	void (*on_change)(void *arg, bool deleted);
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
/* READY: who it is; else NULL. Borrowed until the next change. */
const struct mt_usim_info *mt_sim_info(const struct mt_sim *s);
/* READY, and it has this application: as the store knows it; else NULL. Borrowed until the next change. */
const struct mt_app *mt_sim_app(const struct mt_sim *s, enum mt_app_kind kind);
/* The application as Ub wants it; lives as long as s. */
struct mt_ub_card mt_sim_ub_card(struct mt_sim *s, enum mt_app_kind kind);

/*
 * GBA_U: of a Ks that is in the card, as usim.h; out may be cancelled by mt_usim_cancel() until fn ran.
 * RC_STATE: no card, or not this application; RC_NOMEM, RC_RANGE. fn then does not run.
 */
enum rc mt_sim_put_btid(struct mt_sim *s, enum mt_app_kind kind, const struct mt_ks *ks, void (*fn)(void *arg, enum reason why),
    void *arg, struct mt_usim_op **out) MUST_USE;
enum rc mt_sim_ks_ext_naf(struct mt_sim *s, enum mt_app_kind kind, const struct mt_ks *ks, const struct naf_id *naf,
    void (*fn)(void *arg, enum reason why, struct secret *key), void *arg, struct mt_usim_op **out) MUST_USE;

#endif
