/* The steps of GBA: EF_GBABP and EF_NAFKCA, and AUTHENTICATE in the GBA context (TS 31.102 7.1.2; TS 33.220 G). */
#include <string.h>

#include "common/clock.h"
#include "common/secret.h"
#include "mtd/ef_gba.h"
#include "mtd/usim_int.h"

/* --- what is read when the card is opened */

/* This application is read: the next one, or the end. */
static enum reason
next_app(struct mt_usim_op *op)
{
	if (op->kind == MT_APP_USIM && op->info.app[MT_APP_ISIM].aid_len > 0) {
		op->kind = MT_APP_ISIM;
		return mt_usim_go(op, MT_STEP_SELECT_APP);
	}
	return mt_usim_go(op, MT_STEP_DONE);
}

static enum reason
after_gbabp(struct mt_usim_op *op)
{
	return op->info.app[op->kind].local_key ? mt_usim_go(op, MT_STEP_SELECT_NAFKCA) : next_app(op);
}

enum reason
mt_usim_after_services(struct mt_usim_op *op)
{
	return op->info.app[op->kind].gba ? mt_usim_go(op, MT_STEP_SELECT_GBABP) : next_app(op);
}

enum reason
mt_usim_take_select_nafkca(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (!mt_sw_ok(sw) || mt_fcp_parse(data, &op->fcp) != RC_OK || op->fcp.kind != MT_FILE_LINEAR || op->fcp.records == 0)
		return next_app(op);
	op->record = 1;
	return mt_usim_go(op, MT_STEP_READ_NAFKCA);
}

/* Best first; what cannot be read or is no FQDN is passed over. */
enum reason
mt_usim_take_nafkca(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	struct mt_usim_app *app = &op->info.app[op->kind];
	struct span text;

	if (mt_sw_ok(sw) && mt_ef_text_parse(data, &text) == RC_OK && fqdn_ok(text) &&
	    span_to_str(text, app->nafkca[app->n_nafkca], sizeof app->nafkca[0]))
		app->n_nafkca++;
	if (op->record == op->fcp.records || app->n_nafkca == MT_NAFKCA_MAX)
		return next_app(op);
	op->record++;
	return REASON_NONE;
}

/* --- EF_GBABP */

enum reason
mt_usim_take_select_gbabp(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (mt_sw_ok(sw) && mt_fcp_parse(data, &op->fcp) == RC_OK && op->fcp.kind == MT_FILE_TRANSPARENT && op->fcp.size > 0)
		return mt_usim_go(op, MT_STEP_READ_GBABP);
	return op->question == MT_ASK_OPEN ? after_gbabp(op) : REASON_CARD_GBABP;
}

/* What another terminal wrote there may be anything: what does not read as ours is no run that we could go on with. */
static void
note_run(struct mt_usim_app *app, const struct mt_gbabp *f)
{
	app->bp.run = true;
	memcpy(app->bp.rand, f->rand.p, sizeof app->bp.rand);
	app->bp.whole = btid_parse(f->btid, &app->bp.btid) == RC_OK &&
	    clock_parse_utc((const char *)f->lifetime.p, f->lifetime.n, false, &app->bp.expires) == RC_OK;
}

static enum reason
prepare_put(struct mt_usim_op *op)
{
	char until[UTC_TEXT_LEN + 1];
	uint8_t tail[255];
	size_t n;

	clock_print_utc(op->run.expires, until);
	if (mt_ef_gbabp_print_tail(span_str(op->run.btid.s), span_str(until), tail, sizeof tail, &n) != RC_OK ||
	    MT_EF_GBABP_TAIL + n > op->fcp.size || mt_apdu_update_binary(MT_EF_GBABP_TAIL, span_of(tail, n), &op->cmd) != RC_OK)
		return REASON_CARD_GBABP;
	return mt_usim_go(op, MT_STEP_PUT_BTID);
}

enum reason
mt_usim_take_gbabp(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	struct mt_gbabp f;
	enum rc rc = mt_sw_ok(sw) ? mt_ef_gbabp_parse(data, &f) : RC_IO;

	if (op->question == MT_ASK_OPEN) {
		if (rc == RC_OK)
			note_run(&op->info.app[op->kind], &f);
		return after_gbabp(op);
	}
	if (rc == RC_NOTFOUND)
		return REASON_CARD_OTHER_KS;
	if (rc != RC_OK)
		return REASON_CARD_GBABP;
	if (!span_eq(f.rand, span_of(op->run.rand, sizeof op->run.rand)))
		return REASON_CARD_OTHER_KS;
	if (op->question == MT_ASK_PUT_BTID)
		return prepare_put(op);
	return span_eq(f.btid, span_str(op->run.btid.s)) ? mt_usim_go(op, MT_STEP_NAF) : REASON_CARD_OTHER_KS;
}

enum reason
mt_usim_take_put_btid(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return mt_sw_ok(sw) ? mt_usim_go(op, MT_STEP_DONE) : REASON_CARD_GBABP;
}

/* --- AUTHENTICATE in the GBA context */

void
mt_usim_ask_bootstrap(const struct mt_usim_op *op, struct mt_apdu *a)
{
	mt_apdu_gba_bootstrap(op->rand, op->autn, a);
}

void
mt_usim_ask_made(const struct mt_usim_op *op, struct mt_apdu *a)
{
	*a = op->cmd;
}

enum reason
mt_usim_take_bootstrap(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	struct mt_usim_auth *out = &op->auth;
	struct mt_auth_answer a;

	if (sw == MT_SW_AUTH_MAC)
		return REASON_CARD_MAC;
	if (sw == MT_SW_AUTH_CONTEXT || sw == MT_SW_P1P2 || sw == MT_SW_INS)
		return REASON_CARD_GBA;
	if (!mt_sw_ok(sw) || mt_gba_bootstrap_parse(data, &a) != RC_OK)
		return REASON_CARD_STATUS;
	out->verdict = a.sync_failure ? MT_USIM_SYNC : MT_USIM_OK;
	if (a.sync_failure)
		memcpy(out->auts, a.auts.p, sizeof out->auts);
	else if (secret_from(a.res, &out->res) != RC_OK)
		return REASON_INTERNAL;
	return mt_usim_go(op, MT_STEP_DONE);
}

enum reason
mt_usim_take_naf(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	struct span key;

	if (sw == MT_SW_CONDITIONS)
		return REASON_CARD_OTHER_KS;	/* usim-gba.md 3: there is no Ks */
	if (!mt_sw_ok(sw) || mt_gba_naf_parse(data, &key) != RC_OK)
		return REASON_CARD_STATUS;
	if (secret_from(key, &op->key) != RC_OK)
		return REASON_INTERNAL;
	return mt_usim_go(op, MT_STEP_DONE);
}
