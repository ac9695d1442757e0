/* gba_impl: what gba.c (gate, info, complete, life) and gba_derive.c (derive, the operator's run) share. Nobody else includes it. */
#ifndef MTD_GBA_IMPL_H
#define MTD_GBA_IMPL_H

#include "mtd/gba.h"
#include "mtd/keys.h"
#include "mtd/tally.h"

struct purge;

struct mt_gba {
	const struct mt_seams *s;
	const struct mt_conf *conf;
	struct mt_keys_env keys;
	struct mt_sim *sim;
	struct mt_ask *ask;
	struct mt_run *run[MT_APPS];
	struct purge *purge;
	struct mt_wait gate;
	struct mt_wait uicc;		/* askers that need a Ks_ext_NAF of the UICC; the first one's is being derived */
	struct mt_usim_op *deriving;
	size_t waiters;
	void (*gone)(void *arg);	/* may be NULL */
	void *gone_arg;
	struct mt_tally tally;
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

/* One asker: waits at the gate, or for a run. */
struct mt_asker {
	struct mt_runner runner;
	struct mt_gba *g;
	void (*gate)(void *arg);
	mt_gba_derived_fn *derived;
	mt_gba_booted_fn *booted;
	struct mt_derive d;		/* derived's */
	enum mt_app_kind kind;		/* whose Ks */
	struct mt_ks ks;		/* in the UICC, to be derived from: without a secret */
	bool paid;
};

/* NULL: too many wait already, or memory is out. */
struct mt_asker *mt_asker_new(struct mt_gba *g, mt_progress_fn *progress, void *arg);
/* The last one may be what a stop waits for. */
void mt_asker_free(struct mt_asker *a);
/* N8: no key may be made of this B-TID for this device any more; naf NULL: for some NAF of it. RC_NOTFOUND: *dead is false. */
enum rc mt_gba_is_dead(struct mt_gba *g, const struct mt_app *app, const struct btid *btid, const struct device_id *id,
    const struct naf_id *naf, bool *dead) MUST_USE;
int64_t mt_gba_now(struct mt_gba *g);

#endif
