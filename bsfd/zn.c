/*
 * zn: Bootstrapping-Info over Diameter, the BSF's end.                    TS 29.109 5.2, 6; TS 33.220 4.5.3; spec zn-zh.md
 *
 *	NAF                                                BSF
 *	 | BIR: B-TID, NAF-Id, GSIDs, GBA_U aware? ------> |  may this Origin-Host ask for this FQDN and protocol?  else 5402
 *	 |                                                 |  is the B-TID known and alive?                         else 5403
 *	 | <--- BIA: Ks_(ext)_NAF of that NAF_ID, expiry,  |  Ks never leaves; the IMPI and USSs only as the NAF's
 *	 |      creation, type [, Ks_int_NAF, IMPI, USS] - |  entry says
 *
 * Who is not allowed learns nothing about B-TIDs, so that check comes first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bsfd/core.h"
#include "bsfd/guss.h"
#include "bsfd/store.h"
#include "bsfd/zn.h"
#include "common/kdf.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/timeguard.h"
#include "common/turn.h"

/* One BIR while it is judged. */
struct zn_request {
	struct bsf_zn *z;
	struct zn_bir bir;
	struct bsf_bootstrap run;
	struct secret *ks;
	char *uss;			/* NULL = none wanted */
};

/* One answer, waiting for the turn. */
struct zn_answer {
	struct dia_txn *t;
	struct dia_buf buf;		/* used if fault.result is 0 */
	struct dia_fault fault;
};

/* --- answers leave with the turn */

static void
release(void *arg, enum rc rc)
{
	struct zn_answer *a = arg;

	if (rc != RC_OK)
		dia_fault_set(&a->fault, DIA_UNABLE_TO_COMPLY, "the store could not commit");
	if (a->fault.result != 0)
		dia_txn_fail(a->t, &a->fault);
	else
		dia_answer(a->t, &a->buf);
	dia_buf_free(&a->buf);
	free(a);
}

/* Step 14 of scenario 1. */
static void
trace(const struct zn_request *q, const char *kcv, const char *result)
{
	char naf_id[NAF_ID_TEXT_MAX + 1];
	struct trace_event e = { .step = 14, .from = "bsfd", .to = "nafkcd", .msg = "BIA", .btid = q->bir.btid.s, .naf_id = naf_id,
	    .session_id = q->bir.session_id, .kcv = kcv, .result = result };

	naf_id_print(&q->bir.naf_id, naf_id);
	trace_emit(q->z->b->s.trace, &e);
}

/* --- what is answered */

static enum reason
reason_of(enum rc rc)
{
	return rc == RC_NOTFOUND ? REASON_ZN_BTID_UNKNOWN : rc == RC_EXPIRED ? REASON_ZN_BTID_EXPIRED : REASON_INTERNAL;
}

static enum rc
pick_uss(struct zn_request *q, const struct bsf_naf *naf, struct zn_bia *bia)
{
	uint32_t gsids[ZN_GSID_MAX];
	size_t n = bsf_policy_gsids(naf, q->bir.gsid, q->bir.n_gsid, gsids), len = 0;
	char *all = NULL;
	enum rc rc;

	if (n == 0)
		return RC_OK;
	if ((q->uss = malloc(ZN_USS_MAX)) == NULL)
		return RC_NOMEM;
	if ((rc = bsf_store_get_uss(q->z->b->s.store, &q->run.impi, &all)) != RC_OK)
		return rc;
	rc = bsf_guss_print(all, gsids, n, q->uss, ZN_USS_MAX, &len);
	if (rc == RC_OK)
		bia->uss = span_of(q->uss, len);
	free(all);
	return rc;
}

/* What a NAF that may ask gets for a live B-TID. */
static enum rc
fill(struct zn_request *q, const struct bsf_naf *naf, struct zn_bia *bia)
{
	struct span impi = span_str(q->run.impi.s);
	enum rc rc;

	bia->result = DIA_SUCCESS;
	bia->created_s = q->run.created_s;
	bia->expires_s = q->run.expires_s;
	bia->gba_type = ZN_GBA_3G;
	if (naf->impi)
		(void)snprintf(bia->user_name, sizeof bia->user_name, "%s", q->run.impi.s);
	if ((rc = kdf_ks_naf(q->ks, q->run.rand, impi, &q->bir.naf_id, &bia->me_key)) != RC_OK)
		return rc;
	if (q->run.type == BSF_GBA_U && q->bir.gba_u_aware && naf->gba_u &&
	    (rc = kdf_ks_int_naf(q->ks, q->run.rand, impi, &q->bir.naf_id, &bia->uicc_key)) != RC_OK)
		return rc;
	return pick_uss(q, naf, bia);
}

/* The verdict, and bia if it is REASON_NONE. */
static enum reason
judge(struct zn_request *q, struct zn_bia *bia)
{
	struct bsf *b = q->z->b;
	const struct bsf_naf *naf = bsf_nafs_find(b->nafs, q->bir.naf_id.fqdn);
	enum reason why = bsf_policy_bir(naf, q->bir.origin_host, &q->bir.naf_id);
	enum rc rc;

	if (timeguard_jumped(b->s.guard))
		return REASON_CLOCK_JUMPED;
	if (why != REASON_NONE)
		return why;
	if (q->bir.btid.s[0] == '\0')
		return REASON_ZN_BTID_UNKNOWN;
	rc = bsf_store_get_bootstrap(b->s.store, &q->bir.btid, timeguard_now(b->s.guard), &q->run, &q->ks);
	if (rc == RC_OK && fill(q, naf, bia) != RC_OK)
		return REASON_INTERNAL;
	return rc == RC_OK ? REASON_NONE : reason_of(rc);
}

static void
put_fault(struct dia_fault *f, enum reason why)
{
	const struct reason_info *r = reason_get(why);

	dia_fault_set(f, r->dia, "%s", r->what);
	f->experimental = r->dia == DIA_X_NOT_AUTHORIZED || r->dia == DIA_X_TRANSACTION_IDENTIFIER_INVALID;
}

static void
answer(struct zn_request *q, const struct dia_msg *m, struct zn_answer *a)
{
	struct zn_bia bia = { 0 };
	enum reason why = judge(q, &bia);
	char kcv[KCV_LEN + 1] = "", naf_id[NAF_ID_TEXT_MAX + 1];

	if (why == REASON_NONE && (secret_kcv(bia.me_key, kcv) != RC_OK || zn_bia_print(&bia, m, &q->z->self, &a->buf) != RC_OK))
		why = REASON_INTERNAL;
	naf_id_print(&q->bir.naf_id, naf_id);
	if (why != REASON_NONE) {
		put_fault(&a->fault, why);
		log_reason(why, "zn: origin=%s naf_id=%s btid=%s session=%s", q->bir.origin_host, naf_id, q->bir.btid.s, q->bir.session_id);
		metric_add(q->z->b->count.zn_refusals, 1);
	} else {
		log_info("zn: origin=%s naf_id=%s btid=%s session=%s: key given", q->bir.origin_host, naf_id, q->bir.btid.s,
		    q->bir.session_id);
		metric_add(q->z->b->count.keys, 1);
	}
	trace(q, kcv, why == REASON_NONE ? "ok" : reason_get(why)->code);
	zn_bia_free(&bia);
}

void
bsf_zn_on_request(struct dia_txn *t, const struct dia_msg *m, void *zn)
{
	struct bsf_zn *z = zn;
	struct zn_answer *a = calloc(1, sizeof *a);
	struct zn_request q = { .z = z };

	if (a == NULL)
		log_fatal("zn: out of memory with a request waiting");
	a->t = t;
	if (zn_bir_parse(m, z->b->conf.zn.strict, &q.bir, &a->fault) != RC_OK) {
		log_reason(REASON_ZN_BAD_MESSAGE, "zn: peer=%s: BIR: %s", dia_txn_peer(t), a->fault.text);
		metric_add(z->b->count.zn_refusals, 1);
	} else
		answer(&q, m, a);
	secret_free(q.ks);
	free(q.uss);
	turn_later(z->b->s.turn, release, a);
}
