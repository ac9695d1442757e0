/* What each step asks the card, and what it makes of the answer. */
#include <string.h>

#include "common/secret.h"
#include "mtd/ef.h"
#include "mtd/usim_int.h"

#define ALL_TRIES 3		/* a card with fewer left has met a wrong PIN before */
#define READ_MAX 255

/* --- the steps: ask */

static void
ask_select(const struct mt_usim_op *op, struct mt_apdu *a)
{
	mt_apdu_select_fid(mt_usim_steps[op->step].fid, a);
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
ask_usim(const struct mt_usim_op *op, struct mt_apdu *a)
{
	mt_apdu_select_aid((struct span){ op->info.aid, op->info.aid_len }, a);
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

static enum reason
go(struct mt_usim_op *op, enum mt_usim_step next)
{
	op->step = next;
	return REASON_NONE;
}

static enum reason
take_mf(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return mt_sw_ok(sw) ? go(op, MT_STEP_SELECT_ICCID) : REASON_CARD_UNREADABLE;
}

static enum reason
take_select_iccid(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return mt_sw_ok(sw) ? go(op, MT_STEP_READ_ICCID) : REASON_CARD_UNREADABLE;
}

static enum reason
take_iccid(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (!mt_sw_ok(sw) || mt_ef_iccid_parse(data, &op->info.iccid) != RC_OK)
		return REASON_CARD_UNREADABLE;
	return go(op, MT_STEP_SELECT_DIR);
}

static enum reason
take_select_dir(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (!mt_sw_ok(sw) || mt_fcp_parse(data, &op->fcp) != RC_OK || op->fcp.kind != MT_FILE_LINEAR || op->fcp.records == 0)
		return REASON_CARD_NO_USIM;
	op->record = 1;
	return go(op, MT_STEP_READ_DIR);
}

/* The first USIM; a record that cannot be read or understood is passed over. */
static enum reason
take_dir(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	struct span aid, label;

	if (mt_sw_ok(sw) && mt_ef_dir_parse(data, &aid, &label) == RC_OK && mt_aid_is_usim(aid)) {
		memcpy(op->info.aid, aid.p, aid.n);
		op->info.aid_len = (uint8_t)aid.n;
		return go(op, MT_STEP_SELECT_USIM);
	}
	if (op->record == op->fcp.records)
		return REASON_CARD_NO_USIM;
	op->record++;
	return REASON_NONE;
}

static enum reason
take_usim(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	if (!mt_sw_ok(sw))
		return REASON_CARD_NO_USIM;
	return go(op, op->authenticates ? MT_STEP_AUTHENTICATE : MT_STEP_SELECT_IMSI);
}

static enum reason
take_select_imsi(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return mt_sw_ok(sw) ? go(op, MT_STEP_READ_IMSI) : REASON_CARD_STATUS;
}

static enum reason
take_imsi(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (!mt_sw_ok(sw) || mt_ef_imsi_parse(data, &op->info.imsi) != RC_OK)
		return REASON_CARD_STATUS;
	return go(op, MT_STEP_SELECT_AD);
}

static enum reason
take_select_ad(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	(void)data;
	return go(op, mt_sw_ok(sw) ? MT_STEP_READ_AD : MT_STEP_SELECT_UST);
}

static enum reason
take_ad(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	unsigned n;

	if (mt_sw_ok(sw) && mt_ef_ad_parse(data, &n) == RC_OK)
		op->info.mnc_len = n;
	return go(op, MT_STEP_SELECT_UST);
}

static enum reason
all_read(struct mt_usim_op *op)
{
	if (imsi_to_impi(&op->info.imsi, op->info.mnc_len, &op->info.impi) != RC_OK)
		return REASON_CARD_MNC;
	return go(op, MT_STEP_DONE);
}

static enum reason
take_select_ust(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (mt_sw_ok(sw) && mt_fcp_parse(data, &op->fcp) == RC_OK && op->fcp.kind == MT_FILE_TRANSPARENT && op->fcp.size > 0)
		return go(op, MT_STEP_READ_UST);
	return all_read(op);	/* no table, no services */
}

static enum reason
take_ust(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	if (mt_sw_ok(sw)) {
		op->info.gba = mt_ef_service(data, MT_SERVICE_GBA);
		op->info.local_key = op->info.gba && mt_ef_service(data, MT_SERVICE_LOCAL_KEY);
	}
	return all_read(op);
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
		return go(op, MT_STEP_DONE);
	}
	out->verdict = MT_USIM_OK;
	if (secret_from(a.res, &out->res) == RC_OK && secret_from(a.ck, &out->ck) == RC_OK && secret_from(a.ik, &out->ik) == RC_OK)
		return go(op, MT_STEP_DONE);
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
		return go(op, op->resume);
	if (!mt_sw_tries(sw, &left))
		return REASON_CARD_STATUS;
	if (left == 0)
		return REASON_CARD_PIN_BLOCKED;
	if (op->m->conf.pin[0] == '\0')
		return REASON_CARD_PIN_NEEDED;
	if (left < ALL_TRIES || op->m->pin_refused == op->info.generation)
		return REASON_CARD_PIN_TRIES;
	return go(op, MT_STEP_PIN_VERIFY);
}

static enum reason
take_pin_verify(struct mt_usim_op *op, struct span data, uint16_t sw)
{
	unsigned left;

	(void)data;
	if (mt_sw_ok(sw))
		return go(op, op->resume);
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
	[MT_STEP_SELECT_USIM] = { "select USIM", ask_usim, take_usim, .len = 0 },
	[MT_STEP_SELECT_IMSI] = { "select EF_IMSI", ask_select, take_select_imsi, .fid = MT_EF_IMSI },
	[MT_STEP_READ_IMSI] = { "read EF_IMSI", ask_read, take_imsi, .len = MT_EF_IMSI_LEN, .wants_pin = true },
	[MT_STEP_SELECT_AD] = { "select EF_AD", ask_select, take_select_ad, .fid = MT_EF_AD },
	[MT_STEP_READ_AD] = { "read EF_AD", ask_read, take_ad, .len = MT_EF_AD_LEN, .wants_pin = true },
	[MT_STEP_SELECT_UST] = { "select EF_UST", ask_select, take_select_ust, .fid = MT_EF_UST },
	[MT_STEP_READ_UST] = { "read EF_UST", ask_read, take_ust, .wants_pin = true },
	[MT_STEP_AUTHENTICATE] = { "AUTHENTICATE", ask_authenticate, take_authenticate, .wants_pin = true },
	[MT_STEP_PIN_QUERY] = { "ask for PIN tries", ask_pin_query, take_pin_query, .len = 0 },
	[MT_STEP_PIN_VERIFY] = { "verify PIN", ask_pin_verify, take_pin_verify, .len = 0 },
};
