/* What the card that is in is asked: by Ub to authenticate, and in GBA_U for what it alone can tell of its Ks. */
#include <string.h>

#include "mtd/sim_int.h"

/* --- the card as Ub sees it */

static void
on_auth(void *arg, struct mt_usim_auth *a)
{
	static const enum mt_auth_how how[] = {
		[MT_USIM_OK] = MT_AUTH_OK, [MT_USIM_SYNC] = MT_AUTH_SYNC, [MT_USIM_MAC] = MT_AUTH_MAC, [MT_USIM_FAILED] = MT_AUTH_FAILED
	};
	struct sim_app *p = arg;
	struct mt_auth told = {
		.how = how[a->verdict], .res = a->res, .ck = a->ck, .ik = a->ik, .detail = reason_get(a->why)->what,
		.mac = p->gba_u ? REASON_BSF_AUTN_STAR : REASON_BSF_AUTN
	};

	memcpy(told.auts, a->auts, sizeof told.auts);
	p->auth = NULL;
	p->auth_fn(p->auth_arg, &told);
	secret_free(a->res);
	secret_free(a->ck);
	secret_free(a->ik);
}

static enum rc
sim_authenticate(void *ctx, const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN], mt_auth_fn *fn, void *arg)
{
	struct sim_app *p = ctx;
	const struct mt_usim_challenge c = { p->kind, p->gba_u, rand, autn };

	if (mt_sim_app(p->s, p->kind) == NULL || p->auth != NULL)
		return RC_STATE;
	p->auth_fn = fn;
	p->auth_arg = arg;
	return mt_usim_authenticate(p->s->usim, &p->s->info, &c, on_auth, p, &p->auth);
}

static void
sim_cancel(void *ctx)
{
	struct sim_app *p = ctx;

	mt_usim_cancel(p->auth);
	p->auth = NULL;
}

struct mt_ub_card
mt_sim_ub_card(struct mt_sim *s, enum mt_app_kind kind)
{
	return (struct mt_ub_card){ sim_authenticate, sim_cancel, &s->app[kind] };
}

/* --- the Ks that is in the card */

static struct mt_usim_run
run_of(enum mt_app_kind kind, const struct mt_ks *ks)
{
	struct mt_usim_run run = { .app = kind, .btid = ks->btid, .expires = ks->expires };

	memcpy(run.rand, ks->rand, sizeof run.rand);
	return run;
}

enum rc
mt_sim_put_btid(struct mt_sim *s, enum mt_app_kind kind, const struct mt_ks *ks, void (*fn)(void *arg, enum reason why), void *arg,
    struct mt_usim_op **out)
{
	struct mt_usim_run run = run_of(kind, ks);

	return mt_sim_app(s, kind) != NULL ? mt_usim_put_btid(s->usim, &s->info, &run, fn, arg, out) : RC_STATE;
}

enum rc
mt_sim_ks_ext_naf(struct mt_sim *s, enum mt_app_kind kind, const struct mt_ks *ks, const struct naf_id *naf,
    void (*fn)(void *arg, enum reason why, struct secret *key), void *arg, struct mt_usim_op **out)
{
	struct mt_usim_run run = run_of(kind, ks);

	return mt_sim_app(s, kind) != NULL ? mt_usim_ks_ext_naf(s->usim, &s->info, &run, naf, fn, arg, out) : RC_STATE;
}
