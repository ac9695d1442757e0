/*
 * mt_run: one Ub run at a time for an application of the card, who waits for it, and who pays.                                              RULES K8
 * A run begins when its payment is durable, and its waiters hear of it in the turn that stores its Ks.
 *
 *	pay ─▶ Ub ─▶ GBA_ME: Ks, B-TID, TMPI ─────────────────────────────────────────▶ store ─▶ who waits
 *	        └──▶ GBA_U: B-TID into EF_GBABP (RAND ours? C3) ─▶ TMPI by the UICC ─▶ "in the UICC"
 */
#ifndef MTD_RUN_H
#define MTD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/reason.h"
#include "mtd/mt.h"
#include "mtd/sim.h"
#include "mtd/store.h"
#include "mtd/tally.h"
#include "mtd/wait.h"

struct mt_run;
struct purge;

/* How something asked for went. */
struct mt_outcome {
	enum reason why;		/* REASON_NONE = done */
	int64_t retry_after_s;		/* 0 = not told */
	const char *detail;		/* harmless text, borrowed; "" = the reason's own will do */
};

struct mt_payer {
	char link[MT_LINK_MAX + 1];
	struct device_id device_id;	/* "" = nobody paid: the operator's run */
};

struct mt_runner {		/* first member of something allocated with malloc() */
	struct mt_waiter wait;
	/* Exactly once, when the run has ended; it is the receiver's to free. ks NULL unless done. */
	void (*done)(struct mt_runner *r, const struct mt_outcome *o, const struct mt_ks *ks, int64_t dur_us);
};

struct mt_run_env {		/* borrowed */
	const struct mt_seams *s;
	const struct mt_conf *conf;
	enum mt_app_kind kind;
	struct mt_sim *sim;
	struct purge *purge;
	struct mt_tally *tally;
};
/* Caller frees, with the turn drained. RC_NOMEM. */
enum rc mt_run_new(const struct mt_run_env *env, struct mt_run **out) MUST_USE;
/* Who waits is freed unheard. NULL is fine. */
void mt_run_free(struct mt_run *r);

bool mt_run_under_way(const struct mt_run *r);
/*
 * Before a new run: take it from the MT's bucket and from the device's. RC_LIMIT: *retry_after_s until one is in; nothing was taken.
 * Of a run that the BSF never challenged, mt_run gives it back.
 */
enum rc mt_run_pay(struct mt_run *r, const struct mt_payer *who, int64_t *retry_after_s) MUST_USE;
/* Wait for the run under way; with none under way, one begins, paid by who (NULL: by nobody). */
void mt_run_join(struct mt_run *r, struct mt_runner *w, const struct mt_payer *who);

/* The BSF's name: configured, or from the card's IMSI (ub.md 2). false: neither is there. */
bool mt_run_bsf(const struct mt_run *r, char out[static FQDN_MAX + 1]);

#endif
