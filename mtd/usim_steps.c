/* What each step asks the card, and what it makes of the answer. */
#include <string.h>

#include "common/log.h"
#include "common/secret.h"
#include "mtd/ef.h"
#include "mtd/ef_gba.h"
#include "mtd/usim_int.h"

#define ALL_TRIES 3		/* a card with fewer left has met a wrong PIN before */
#define READ_MAX 255

/* --- the steps: ask */

static void
ask_select(const struct mt_usim_op *op, struct mt_apdu *a)
{
	const struct mt_usim_step_form *f = &mt_usim_steps[op->step];

	mt_apdu_select_fid(op->kind == MT_APP_ISIM && f->isim_fid != 0 ? f->isim_fid : f->fid, a);
}

static void
ask_read(const struct mt_usim_op *op, struct mt_apdu *a)
{
	unsigned n = mt_usim_steps[op->step].len;

	if (n == 0)
		n = op->fcp.size < READ_MAX ? op->fcp.size : READ_MAX;
	mt_apdu_read_binary(0, n, a);
}

static void
ask_record(const struct mt_usim_op *op, struct mt_apdu *a)
{
	mt_apdu_read_record(op->record, op->fcp.record_len, a);
}

static void
ask_app(const struct mt_usim_op *op, struct mt_apdu *a)
{
	const struct mt_usim_app *app = &op->info.app[op->kind];

	mt_apdu_select_aid(span_of(app->aid, app->aid_len), a);
}

static void
ask_authenticate(const struct mt_usim_op *op, struct mt_apdu *a)
{
	mt_apdu_authenticate(op->rand, op->autn, a);
}

static void
ask_pin_query(const struct mt_usim_op *op, struct mt_apdu *a)
{
	(void)op;
	mt_apdu_verify(NULL, a);
}

static void
ask_pin_verify(const struct mt_usim_op *op, struct mt_apdu *a)
{
	mt_apdu_verify(op->m->conf.pin, a);
}

/* --- the steps: take; each sets the next step or says why there is none */

enum reason
mt_usim_go(struct mt_usim_op *op, enum mt_usim_step next)
{
	op->step = next;
	return REASON_NONE;
}

static enum reason
take_mf(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return mt_sw_ok(sw) ? mt_usim_go(op, MT_STEP_SELECT_ICCID) : REASON_CARD_UNREADABLE;
}

static enum reason
take_select_iccid(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return mt_sw_ok(sw) ? mt_usim_go(op, MT_STEP_READ_ICCID) : REASON_CARD_UNREADABLE;
}

static enum reason
take_iccid(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (!mt_sw_ok(sw) || mt_ef_iccid_parse(data, &op->info.iccid) != RC_OK)
		return REASON_CARD_UNREADABLE;
	return mt_usim_go(op, MT_STEP_SELECT_DIR);
}

static enum reason
take_select_dir(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (!mt_sw_ok(sw) || mt_fcp_parse(data, &op->fcp) != RC_OK || op->fcp.kind != MT_FILE_LINEAR || op->fcp.records == 0)
		return REASON_CARD_NO_USIM;
	op->record = 1;
	return mt_usim_go(op, MT_STEP_READ_DIR);
}

static void
take_app(struct mt_usim_app *app, struct span aid)
{
	if (app->aid_len != 0)
		return;
	memcpy(app->aid, aid.p, aid.n);
	app->aid_len = (uint8_t)aid.n;
}

/* The first USIM, and the first ISIM; a record that cannot be read or understood is passed over. */
static enum reason
take_dir(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	struct span aid, label;

	if (mt_sw_ok(sw) && mt_ef_dir_parse(data, &aid, &label) == RC_OK) {
		if (mt_aid_is_usim(aid))
			take_app(&op->info.app[MT_APP_USIM], aid);
		else if (mt_aid_is_isim(aid))
			take_app(&op->info.app[MT_APP_ISIM], aid);
	}
	if (op->record < op->fcp.records) {
		op->record++;
		return REASON_NONE;
	}
	op->kind = MT_APP_USIM;
	return op->info.app[MT_APP_USIM].aid_len > 0 ? mt_usim_go(op, MT_STEP_SELECT_APP) : REASON_CARD_NO_USIM;
}

/* An ISIM that EF_DIR names and that does not tell who it is: the card is used without it. */
static enum reason
without_isim(struct mt_usim_op *op)
{
	log_warn("usim: iccid=%s: its ISIM cannot be read, and is not used", op->info.iccid.s);
	op->info.app[MT_APP_ISIM] = (struct mt_usim_app){ .aid_len = 0 };
	return mt_usim_go(op, MT_STEP_DONE);
}

static enum reason
take_select_app(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	bool opening = op->question == MT_ASK_OPEN;

	(void)data;
	if (!mt_sw_ok(sw))
		return opening && op->kind == MT_APP_ISIM ? without_isim(op) : REASON_CARD_NO_USIM;
	if (opening)
		return mt_usim_go(op, op->kind == MT_APP_ISIM ? MT_STEP_SELECT_IMPI : MT_STEP_SELECT_IMSI);
	if (op->question != MT_ASK_AUTH)
		return mt_usim_go(op, MT_STEP_SELECT_GBABP);
	return mt_usim_go(op, op->gba_u ? MT_STEP_BOOTSTRAP : MT_STEP_AUTHENTICATE);
}

static enum reason
take_select_imsi(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return mt_sw_ok(sw) ? mt_usim_go(op, MT_STEP_READ_IMSI) : REASON_CARD_STATUS;
}

static enum reason
take_imsi(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (!mt_sw_ok(sw) || mt_ef_imsi_parse(data, &op->info.imsi) != RC_OK)
		return REASON_CARD_STATUS;
	return mt_usim_go(op, MT_STEP_SELECT_AD);
}

static enum reason
take_select_ad(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return mt_usim_go(op, mt_sw_ok(sw) ? MT_STEP_READ_AD : MT_STEP_SELECT_UST);
}

static enum reason
take_ad(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	unsigned n;

	if (mt_sw_ok(sw) && mt_ef_ad_parse(data, &n) == RC_OK)
		op->info.mnc_len = n;
	return mt_usim_go(op, MT_STEP_SELECT_UST);
}

static enum reason
take_select_impi(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (!mt_sw_ok(sw) || mt_fcp_parse(data, &op->fcp) != RC_OK || op->fcp.kind != MT_FILE_TRANSPARENT || op->fcp.size == 0)
		return without_isim(op);
	return mt_usim_go(op, MT_STEP_READ_IMPI);
}

static enum reason
take_impi(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	struct span text;

	if (!mt_sw_ok(sw) || mt_ef_text_parse(data, &text) != RC_OK || impi_parse(text, &op->info.app[MT_APP_ISIM].impi) != RC_OK)
		return without_isim(op);
	return mt_usim_go(op, MT_STEP_SELECT_UST);
}

static enum reason
take_select_ust(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (op->kind == MT_APP_USIM && imsi_to_impi(&op->info.imsi, op->info.mnc_len, &op->info.app[MT_APP_USIM].impi) != RC_OK)
		return REASON_CARD_MNC;
	if (mt_sw_ok(sw) && mt_fcp_parse(data, &op->fcp) == RC_OK && op->fcp.kind == MT_FILE_TRANSPARENT && op->fcp.size > 0)
		return mt_usim_go(op, MT_STEP_READ_UST);
	return mt_usim_after_services(op);	/* no table, no services */
}

static enum reason
take_ust(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	static const unsigned gba[] = { MT_SERVICE_GBA, MT_ISIM_SERVICE_GBA }, key[] = { MT_SERVICE_LOCAL_KEY, MT_ISIM_SERVICE_LOCAL_KEY };
	struct mt_usim_app *app = &op->info.app[op->kind];

	if (mt_sw_ok(sw)) {
		app->gba = mt_ef_service(data, gba[op->kind]);
		app->local_key = app->gba && mt_ef_service(data, key[op->kind]);
	}
	return mt_usim_after_services(op);
}

static enum reason
take_authenticate(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	struct mt_usim_auth *out = &op->auth;
	struct mt_auth_answer a;

	if (sw == MT_SW_AUTH_MAC)
		return REASON_CARD_MAC;
	if (!mt_sw_ok(sw) || mt_auth_parse(data, &a) != RC_OK)
		return REASON_CARD_STATUS;
	if (a.sync_failure) {
		out->verdict = MT_USIM_SYNC;
		memcpy(out->auts, a.auts.p, sizeof out->auts);
		return mt_usim_go(op, MT_STEP_DONE);
	}
	out->verdict = MT_USIM_OK;
	if (secret_from(a.res, &out->res) == RC_OK && secret_from(a.ck, &out->ck) == RC_OK && secret_from(a.ik, &out->ik) == RC_OK)
		return mt_usim_go(op, MT_STEP_DONE);
	secret_free(out->res);
	secret_free(out->ck);
	*out = (struct mt_usim_auth){ 0 };
	return REASON_INTERNAL;
}

/* A try is spent only on a card that has them all: a wrong PIN in the configuration must not block it, restarts included. */
static enum reason
take_pin_query(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	unsigned left;

	(void)data;
	if (mt_sw_ok(sw))
		return mt_usim_go(op, op->resume);
	if (!mt_sw_tries(sw, &left))
		return REASON_CARD_STATUS;
	if (left == 0)
		return REASON_CARD_PIN_BLOCKED;
	if (op->m->conf.pin[0] == '\0')
		return REASON_CARD_PIN_NEEDED;
	if (left < ALL_TRIES || op->m->pin_refused == op->info.generation)
		return REASON_CARD_PIN_TRIES;
	return mt_usim_go(op, MT_STEP_PIN_VERIFY);
}

static enum reason
take_pin_verify(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	unsigned left;

	(void)data;
	if (mt_sw_ok(sw))
		return mt_usim_go(op, op->resume);
	op->m->pin_refused = op->info.generation;
	if (!mt_sw_tries(sw, &left))
		return REASON_CARD_STATUS;
	return left == 0 ? REASON_CARD_PIN_BLOCKED : REASON_CARD_PIN_WRONG;
}

const struct mt_usim_step_form mt_usim_steps[MT_STEP_DONE] = {
	[MT_STEP_MF] = { "select MF", ask_select, take_mf, .fid = MT_FID_MF },
	[MT_STEP_SELECT_ICCID] = { "select EF_ICCID", ask_select, take_select_iccid, .fid = MT_EF_ICCID },
	[MT_STEP_READ_ICCID] = { "read EF_ICCID", ask_read, take_iccid, .len = MT_EF_ICCID_LEN },
	[MT_STEP_SELECT_DIR] = { "select EF_DIR", ask_select, take_select_dir, .fid = MT_EF_DIR },
	[MT_STEP_READ_DIR] = { "read EF_DIR", ask_record, take_dir, .len = 0 },
	[MT_STEP_SELECT_APP] = { "select application", ask_app, take_select_app, .len = 0 },
	[MT_STEP_SELECT_IMSI] = { "select EF_IMSI", ask_select, take_select_imsi, .fid = MT_EF_IMSI },
	[MT_STEP_READ_IMSI] = { "read EF_IMSI", ask_read, take_imsi, .len = MT_EF_IMSI_LEN, .wants_pin = true },
	[MT_STEP_SELECT_AD] = { "select EF_AD", ask_select, take_select_ad, .fid = MT_EF_AD },
	[MT_STEP_READ_AD] = { "read EF_AD", ask_read, take_ad, .len = MT_EF_AD_LEN, .wants_pin = true },
	[MT_STEP_SELECT_IMPI] = { "select EF_IMPI", ask_select, take_select_impi, .fid = MT_EF_IMPI },
	[MT_STEP_READ_IMPI] = { "read EF_IMPI", ask_read, take_impi, .wants_pin = true },
	[MT_STEP_SELECT_UST] = { "select EF_UST", ask_select, take_select_ust, .fid = MT_EF_UST, .isim_fid = MT_EF_IST },
	[MT_STEP_READ_UST] = { "read EF_UST", ask_read, take_ust, .wants_pin = true },
	[MT_STEP_AUTHENTICATE] = { "AUTHENTICATE", ask_authenticate, take_authenticate, .wants_pin = true },
	[MT_STEP_SELECT_GBABP] = { "select EF_GBABP", ask_select, mt_usim_take_select_gbabp, .fid = MT_EF_GBABP, .isim_fid = MT_EF_ISIM_GBABP },
	[MT_STEP_READ_GBABP] = { "read EF_GBABP", ask_read, mt_usim_take_gbabp, .wants_pin = true },
	[MT_STEP_SELECT_NAFKCA] = { "select EF_NAFKCA", ask_select, mt_usim_take_select_nafkca, .fid = MT_EF_NAFKCA },
	[MT_STEP_READ_NAFKCA] = { "read EF_NAFKCA", ask_record, mt_usim_take_nafkca, .wants_pin = true },
	[MT_STEP_BOOTSTRAP] = { "AUTHENTICATE, GBA bootstrapping", mt_usim_ask_bootstrap, mt_usim_take_bootstrap, .wants_pin = true },
	[MT_STEP_PUT_BTID] = { "update EF_GBABP", mt_usim_ask_made, mt_usim_take_put_btid, .wants_pin = true },
	[MT_STEP_NAF] = { "AUTHENTICATE, GBA NAF derivation", mt_usim_ask_made, mt_usim_take_naf, .wants_pin = true },
	[MT_STEP_PIN_QUERY] = { "ask for PIN tries", ask_pin_query, take_pin_query, .len = 0 },
	[MT_STEP_PIN_VERIFY] = { "verify PIN", ask_pin_verify, take_pin_verify, .len = 0 },
};
