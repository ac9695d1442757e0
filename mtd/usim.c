/*
 * Each question is a walk over the steps of usim_steps.c: a step asks with one APDU and takes its answer, which says the
 * next step. Where the card wants its PIN, the walk goes by PIN_QUERY and PIN_VERIFY and comes back to the step refused.
 *
 *	open          MF → EF_ICCID → EF_DIR → ADF USIM → EF_IMSI → EF_AD → EF_UST (→ EF_GBABP → EF_NAFKCA)
 *	              (→ ADF ISIM → EF_IMPI → EF_IST (→ EF_GBABP → EF_NAFKCA))
 *	authenticate  ADF → AUTHENTICATE, in the 3G or the GBA context
 *	put_btid      ADF → EF_GBABP: is it our RAND? → UPDATE BINARY
 *	ks_ext_naf    ADF → EF_GBABP: is it our run? → AUTHENTICATE, GBA context, NAF derivation
 */
#include "mtd/usim.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "mtd/uicc.h"
#include "mtd/usim_int.h"

/* --- the end of a question */

static void
op_free(struct mt_usim_op *op)
{
	TAILQ_REMOVE(&op->m->ops, op, entry);
	mt_uicc_end(op->session);
	free(op);
}

static void
finish(struct mt_usim_op *op, enum reason why)
{
	struct mt_usim_op o = *op;

	op_free(op);		/* first: the callback may begin the next question, or free the mt_usim */
	if (why != REASON_NONE)
		secret_free(o.key);
	switch (o.question) {
	case MT_ASK_OPEN:
		if (why != REASON_NONE)
			o.info = (struct mt_usim_info){ .iccid = o.info.iccid };
		o.on_open(o.arg, why, &o.info);
		return;
	case MT_ASK_PUT_BTID:
		o.on_put(o.arg, why);
		return;
	case MT_ASK_NAF:
		o.on_naf(o.arg, why, why == REASON_NONE ? o.key : NULL);
		return;
	case MT_ASK_AUTH:
		o.auth.why = why;
		if (why != REASON_NONE)
			o.auth.verdict = why == REASON_CARD_MAC ? MT_USIM_MAC : MT_USIM_FAILED;
		o.on_auth(o.arg, &o.auth);
	}
}

/* --- the walk */

static void on_answer(void *arg, struct span data, uint16_t sw);

static void
ask(struct mt_usim_op *op)
{
	struct mt_apdu a;

	mt_usim_steps[op->step].ask(op, &a);
	if (mt_uicc_transmit(op->session, (struct span){ a.b, a.n }, on_answer, op) != RC_OK)
		finish(op, REASON_CARD_BROKEN);
	explicit_bzero(&a, sizeof a);		/* may hold the PIN */
}

static void
on_answer(void *arg, struct span data, uint16_t sw)
{
	struct mt_usim_op *op = arg;
	enum mt_usim_step was = op->step;
	enum reason why = REASON_NONE;

	if (sw == MT_SW_ACCESS && mt_usim_steps[was].wants_pin && !op->pin_given) {
		op->pin_given = true;
		op->resume = was;
		op->step = MT_STEP_PIN_QUERY;
	} else {
		why = mt_usim_steps[was].take(op, data, sw);
	}
	if (why != REASON_NONE) {
		log_reason(why, "usim: iccid=%s step='%s' sw=%04x", op->info.iccid.s, mt_usim_steps[was].name, (unsigned)sw);
		finish(op, why);
	} else if (op->step == MT_STEP_DONE) {
		finish(op, REASON_NONE);
	} else {
		ask(op);
	}
}

static void
on_begun(struct mt_uicc_session *s, void *arg)
{
	struct mt_usim_op *op = arg;
	uint64_t now = mt_uicc_generation(op->m->u);

	(void)s;
	if (op->question != MT_ASK_OPEN && op->info.generation != now) {
		log_reason(REASON_CARD_CHANGED, "usim: iccid=%s", op->info.iccid.s);
		finish(op, REASON_CARD_CHANGED);
		return;
	}
	op->info.generation = now;
	ask(op);
}

static void
on_ended(struct mt_uicc_session *s, enum reason why, void *arg)
{
	struct mt_usim_op *op = arg;

	(void)s;
	log_reason(why, "usim: iccid=%s step='%s'", op->info.iccid.s, mt_usim_steps[op->step].name);
	finish(op, why);
}

static enum rc
start(struct mt_usim *m, const struct mt_usim_op *form, struct mt_usim_op **out)
{
	static const struct mt_uicc_cb cb = { on_begun, on_ended };
	struct mt_usim_op *op;
	enum rc rc;

	if ((op = malloc(sizeof *op)) == NULL)
		return RC_NOMEM;
	*op = *form;
	op->m = m;
	if ((rc = mt_uicc_begin(m->u, &cb, op, &op->session)) != RC_OK) {
		free(op);
		return rc;
	}
	TAILQ_INSERT_TAIL(&m->ops, op, entry);
	*out = op;
	return RC_OK;
}

enum rc
mt_usim_open(struct mt_usim *m, void (*fn)(void *arg, enum reason why, const struct mt_usim_info *info), void *arg,
    struct mt_usim_op **out)
{
	const struct mt_usim_op form = { .step = MT_STEP_MF, .on_open = fn, .arg = arg, .info.mnc_len = m->conf.mnc_len };

	return start(m, &form, out);
}

enum rc
mt_usim_authenticate(struct mt_usim *m, const struct mt_usim_info *on, const struct mt_usim_challenge *c,
    void (*fn)(void *arg, struct mt_usim_auth *a), void *arg, struct mt_usim_op **out)
{
	struct mt_usim_op form = {
		.step = MT_STEP_SELECT_APP, .question = MT_ASK_AUTH, .on_auth = fn, .arg = arg, .info = *on, .kind = c->app, .gba_u = c->gba_u
	};

	memcpy(form.rand, c->rand, sizeof form.rand);
	memcpy(form.autn, c->autn, sizeof form.autn);
	return start(m, &form, out);
}

enum rc
mt_usim_put_btid(struct mt_usim *m, const struct mt_usim_info *on, const struct mt_usim_run *run,
    void (*fn)(void *arg, enum reason why), void *arg, struct mt_usim_op **out)
{
	const struct mt_usim_op form = {
		.step = MT_STEP_SELECT_APP, .question = MT_ASK_PUT_BTID, .on_put = fn, .arg = arg, .info = *on, .kind = run->app, .run = *run
	};

	return start(m, &form, out);
}

enum rc
mt_usim_ks_ext_naf(struct mt_usim *m, const struct mt_usim_info *on, const struct mt_usim_run *run, const struct naf_id *naf,
    void (*fn)(void *arg, enum reason why, struct secret *key), void *arg, struct mt_usim_op **out)
{
	struct mt_usim_op form = {
		.step = MT_STEP_SELECT_APP, .question = MT_ASK_NAF, .on_naf = fn, .arg = arg, .info = *on, .kind = run->app, .run = *run
	};
	uint8_t octets[NAF_ID_OCTETS_MAX];
	size_t n = naf_id_octets(naf, octets);
	enum rc rc;

	if ((rc = mt_apdu_gba_naf(span_of(octets, n), span_str(on->app[run->app].impi.s), &form.cmd)) != RC_OK)
		return rc;
	return start(m, &form, out);
}

void
mt_usim_cancel(struct mt_usim_op *op)
{
	if (op != NULL)
		op_free(op);
}

enum rc
mt_usim_new(struct mt_uicc *u, const struct mt_usim_conf *conf, struct mt_usim **out)
{
	struct mt_usim *m;

	if ((m = calloc(1, sizeof *m)) == NULL)
		return RC_NOMEM;
	m->u = u;
	m->conf = *conf;
	TAILQ_INIT(&m->ops);
	*out = m;
	return RC_OK;
}

void
mt_usim_free(struct mt_usim *m)
{
	if (m == NULL)
		return;
	while (!TAILQ_EMPTY(&m->ops))
		op_free(TAILQ_FIRST(&m->ops));
	explicit_bzero(m, sizeof *m);
	free(m);
}
