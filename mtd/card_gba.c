/*
 * AUTHENTICATE in the GBA context (TS 31.102 7.1.1.4, 7.1.1.5; TS 33.220 G.1, G.2). Ks and every Ks_int_NAF stay here:
 *	DD 10 RAND 10 AUTN*      → DB len RES          Ks = CK || IK; RAND into EF_GBABP, whose B-TID and lifetime are gone
 *	UPDATE BINARY EF_GBABP                         the MT writes B-TID and lifetime behind RAND
 *	DE len NAF_ID len IMPI   → DB 20 Ks_ext_NAF    Ks_int_NAF is kept, EF_GBANL says for whom
 */
#include <string.h>

#include "common/aka.h"
#include "common/kdf.h"
#include "common/milenage.h"
#include "mtd/card_int.h"
#include "mtd/ef_gba.h"

/* --- bootstrapping */

/* AUTN* is AUTN for who knows IK (TS 33.220 5.3.2): undo it, then it is AKA. */
static enum rc
check_star(const struct mt_card *c, const uint8_t *rand, const uint8_t *autn_star, struct aka_result *r)
{
	struct secret *res = NULL, *ck = NULL, *ik = NULL;
	uint8_t ak[6], autn[AKA_AUTN_LEN];
	enum rc rc;

	if ((rc = milenage_f2345(c->image.k, c->image.opc, rand, &res, &ck, &ik, ak)) != RC_OK)
		goto out;
	if ((rc = aka_autn_star(ik, autn_star, autn)) != RC_OK)
		goto out;
	rc = aka_check(c->image.k, c->image.opc, rand, autn, r);
out:
	explicit_bzero(ak, sizeof ak);
	secret_free(res);
	secret_free(ck);
	secret_free(ik);
	return rc;
}

/* A new run replaces the old one whole; keys of NAFs that are on the card already stay (TS 31.102 7.1.1.5). */
static enum rc
keep_ks(struct mt_card_gba *g, const uint8_t *rand, const struct aka_result *r)
{
	struct span ck = secret_span(r->ck), ik = secret_span(r->ik);
	enum rc rc;

	if (ck.n + ik.n != KS_LEN)
		return RC_RANGE;
	if (g->keys == NULL && (rc = secret_new(MT_CARD_KEYS_LEN, &g->keys)) != RC_OK)
		return rc;
	memcpy(secret_bytes(g->keys), ck.p, ck.n);
	memcpy(secret_bytes(g->keys) + ck.n, ik.p, ik.n);
	memcpy(g->rand, rand, sizeof g->rand);
	memset(g->gbabp, 0xff, sizeof g->gbabp);
	g->gbabp[0] = AKA_RAND_LEN;
	memcpy(g->gbabp + 1, rand, AKA_RAND_LEN);
	memset(g->gbabp + 1 + AKA_RAND_LEN, 0, 2);
	return RC_OK;
}

static void
answer_run(struct mt_card *c, unsigned app, const uint8_t *rand, const struct aka_result *r, struct mt_card_answer *a)
{
	struct mt_card_state next;

	a->sw = MT_SW_MEMORY;
	if (mt_card_state_dup(&c->state, &next) != RC_OK)
		return;
	if (!mt_card_fresh(c, &next, rand, r, a) || keep_ks(&next.gba[app], rand, r) != RC_OK) {
		mt_card_state_clear(&next);
		return;
	}
	if (!mt_card_change(c, &next))
		return;
	a->data[a->n++] = MT_TAG_AUTH_OK;
	mt_card_put_field(a, secret_span(r->res));
	a->sw = MT_SW_OK;
}

static void
bootstrap(struct mt_card *c, unsigned app, struct span d, struct mt_card_answer *a)
{
	struct aka_result r = { 0 };
	struct span rand, autn;
	uint8_t n;

	if (d.n != 2 + AKA_RAND_LEN + AKA_AUTN_LEN) {
		a->sw = MT_SW_LENGTH;
		return;
	}
	if (!span_u8(&d, &n) || n != AKA_RAND_LEN || !span_take(&d, n, &rand) || !span_u8(&d, &n) || n != AKA_AUTN_LEN ||
	    !span_take(&d, n, &autn)) {
		a->sw = MT_SW_DATA;
		return;
	}
	switch (check_star(c, rand.p, autn.p, &r)) {
	case RC_OK:
		answer_run(c, app, rand.p, &r, a);
		aka_result_clear(&r);
		return;
	case RC_DENIED:
		a->sw = MT_SW_AUTH_MAC;
		return;
	default:
		a->sw = MT_SW_FAULT;
	}
}

/* --- NAF derivation */

/* The record of this NAF, or an empty one, or the one that was used longest ago. */
static unsigned
pick_record(const struct mt_card_gba *g, unsigned n, struct span naf_id)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < n; i++) {
		struct span id, btid;

		if (mt_ef_gbanl_parse(span_of(g->gbanl[i], MT_CARD_GBANL_LEN), &id, &btid) == RC_OK && span_eq(id, naf_id))
			return i;
		if (g->used[i] < g->used[oldest])
			oldest = i;
	}
	return oldest;
}

static uint64_t
latest(const struct mt_card_gba *g)
{
	uint64_t max = 0;

	for (unsigned i = 0; i < MT_CARD_NAFS_MAX; i++)
		max = g->used[i] > max ? g->used[i] : max;
	return max;
}

/* Ks_int_NAF and its record in EF_GBANL. RC_RANGE: no record holds these names. */
static enum rc
keep_int(struct mt_card_gba *g, unsigned n_records, struct span naf_id, struct span btid, const struct secret *ks_int)
{
	unsigned i = pick_record(g, n_records, naf_id);
	struct span key = secret_span(ks_int);
	enum rc rc;

	if ((rc = mt_ef_gbanl_print(naf_id, btid, g->gbanl[i], MT_CARD_GBANL_LEN)) != RC_OK)
		return rc;
	memcpy(secret_bytes(g->keys) + KS_LEN * (1 + i), key.p, KS_LEN);
	g->used[i] = latest(g) + 1;
	return RC_OK;
}

/* Both keys; each the caller's. */
static enum rc
derive(const struct mt_card_gba *g, const struct naf_id *naf_id, struct span impi, struct secret **ext, struct secret **in)
{
	struct secret *ks = NULL;
	enum rc rc;

	if ((rc = secret_from(span_of(secret_span(g->keys).p, KS_LEN), &ks)) != RC_OK)
		return rc;
	if ((rc = kdf_ks_naf(ks, g->rand, impi, naf_id, ext)) == RC_OK)
		rc = kdf_ks_int_naf(ks, g->rand, impi, naf_id, in);
	secret_free(ks);
	return rc;
}

/* MT_SW_OK once Ks_int_NAF is durable. */
static uint16_t
keep(struct mt_card *c, unsigned app, struct span naf_id, struct span btid, const struct secret *ks_int)
{
	struct mt_card_state next;

	if (mt_card_state_dup(&c->state, &next) != RC_OK)
		return MT_SW_MEMORY;
	if (keep_int(&next.gba[app], c->image.app[app].gba_nafs, naf_id, btid, ks_int) != RC_OK) {
		mt_card_state_clear(&next);
		return MT_SW_AUTH_MEMORY;
	}
	return mt_card_change(c, &next) ? MT_SW_OK : MT_SW_MEMORY;
}

static void
naf(struct mt_card *c, unsigned app, struct span d, struct mt_card_answer *a)
{
	const struct mt_card_gba *g = &c->state.gba[app];
	struct secret *ext = NULL, *in = NULL;
	struct span octets, impi;
	struct mt_gbabp bp;
	struct naf_id naf_id;
	uint8_t n;

	a->sw = MT_SW_DATA;
	if (!span_u8(&d, &n) || !span_take(&d, n, &octets) || !span_u8(&d, &n) || n == 0 || !span_take(&d, n, &impi) || d.n != 0)
		return;
	if (naf_id_from_octets(octets, &naf_id) != RC_OK)
		return;
	a->sw = MT_SW_CONDITIONS;		/* no run, or the MT did not tell how it ended */
	if (g->keys == NULL || mt_ef_gbabp_parse(span_of(g->gbabp, sizeof g->gbabp), &bp) != RC_OK || bp.btid.n == 0)
		return;
	a->sw = MT_SW_FAULT;
	if (derive(g, &naf_id, impi, &ext, &in) != RC_OK)
		goto out;
	if ((a->sw = keep(c, app, octets, bp.btid, in)) != MT_SW_OK)
		goto out;
	a->data[a->n++] = MT_TAG_AUTH_OK;
	mt_card_put_field(a, secret_span(ext));
out:
	secret_free(ext);
	secret_free(in);
}

void
mt_card_gba(struct mt_card *c, unsigned app, struct span data, struct mt_card_answer *a)
{
	uint8_t tag = 0;

	a->sw = MT_SW_DATA;
	if (!span_u8(&data, &tag))
		return;
	if (tag == MT_TAG_BOOTSTRAP)
		bootstrap(c, app, data, a);
	else if (tag == MT_TAG_NAF)
		naf(c, app, data, a);
}
