/* keys: Ks → Ks_(ext)_NAF → Ks_local_MT in the store, against the vector of ts33259.md 6.4; proofs. RULES K3 K4 K6 */
#include "test/unit/unit.h"

#include "common/hex.h"
#include "common/kdf.h"
#include "common/log.h"
#include "common/store.h"
#include "mtd/keys.h"
#include "mtd/mt.h"

#define NOW INT64_C(1900000000)
#define LATER (NOW + 3600)

static struct secret *store_key;
static struct store *st;
static struct rnd_seeded rnd;
static struct mt_keys_env env;
static const struct mt_app app = { { "89880000000000000001" }, "a0000000871002" };
static const struct mt_origin here = { "u/uid=0", "c1" };
static struct mt_ks ks;
static struct naf_id naf;
static struct device_id device;

static void
setup(void)
{
	uint8_t b[32];

	log_set_level(LOG_LEVEL_ERROR);
	memset(b, 7, sizeof b);
	ck_ok(secret_from(span_of(b, 32), &store_key));
	ck_ok(mt_store_open(":memory:", store_key, &st));
	rnd_seeded_init(&rnd, 3);
	env = (struct mt_keys_env){ st, &rnd.rnd, 4 };
	/* ts33259.md 6.4 */
	memset(&ks, 0, sizeof ks);
	for (uint8_t i = 0; i < 32; i++)
		b[i] = i;
	ck_ok(secret_from(span_of(b, 32), &ks.ks));
	for (uint8_t i = 0; i < 16; i++)
		ks.rand[i] = (uint8_t)(0xa0 + i);
	ck_ok(btid_parse(span_str("oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"), &ks.btid));
	ck_ok(impi_parse(span_str("001010000000001@ims.mnc001.mcc001.3gppnetwork.org"), &ks.impi));
	ks.created = NOW;
	ks.expires = LATER;
	ck_ok(naf_id_parse(span_str("keycentre.example.org/0100000002"), &naf));
	ck_ok(device_id_parse(span_str("urn:uuid:6f1d1c1e-0000-4000-8000-000000000001"), &device));
}

static void
teardown(void)
{
	mt_ks_clear(&ks);
	store_close(st);
	secret_free(store_key);
}

static struct triple
triple(void)
{
	return (struct triple){ naf, ks.btid, device };
}

START_TEST(vector_ts33259_6_4)
{
	struct secret *want, *want_naf, *got;
	struct mt_keys_made made;
	char kcv[KCV_LEN + 1];
	struct triple t = triple();
	struct mt_key k;

	ck_ok(hex_parse_secret(span_str("c96634340b80dadd0d667f6f787f6832e32bd620fd9647e411342a05b532335f"), 32, &want));
	ck_ok(hex_parse_secret(span_str("80ad9d73a8b0824324003e4883cebc728557a01c0bac474194b40f033d3ac8e9"), 32, &want_naf));
	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &ks, NULL }, &naf, &device, &here, NOW, &made));
	ck_assert(made.naf_derived && made.key_derived);
	ck_ok(secret_kcv(want, kcv));
	ck_assert_str_eq(made.kcv, kcv);
	ck_ok(mt_store_get_key(st, &app.iccid, &t, NOW, &k));
	ck_assert(secret_eq(k.ks_local_mt, want));
	ck_assert_int_eq(k.expires, LATER);	/* inherited (seed 7.2) */
	ck_assert_str_eq(k.challenge, made.challenge);
	ck_ok(mt_store_get_ks_naf(st, &app, &ks.btid, &naf, NOW, &got));
	ck_assert(secret_eq(got, want_naf));
	mt_key_clear(&k);
	secret_free(got);
	secret_free(want);
	secret_free(want_naf);
}
END_TEST

START_TEST(k6_again_nothing_is_derived)
{
	struct mt_keys_made first, again;

	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &ks, NULL }, &naf, &device, &here, NOW, &first));
	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &ks, NULL }, &naf, &device, &here, NOW, &again));
	ck_assert(!again.naf_derived && !again.key_derived);
	ck_assert_str_eq(first.challenge, again.challenge);
	ck_assert_str_eq(first.kcv, again.kcv);
	ck_ok(device_id_parse(span_str("urn:x:2"), &device));
	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &ks, NULL }, &naf, &device, &here, NOW, &again));
	ck_assert(!again.naf_derived && again.key_derived);
	ck_assert_str_ne(first.challenge, again.challenge);
	ck_assert_str_ne(first.kcv, again.kcv);
}
END_TEST

/* GBA_U: without a Ks here there is a key only where Ks_ext_NAF is kept. */
START_TEST(ks_in_the_uicc)
{
	struct mt_keys_made made;
	struct mt_ks inside = ks;

	inside.ks = NULL;
	untouched_fill(&made, sizeof made);
	ck_rc(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &inside, NULL }, &naf, &device, &here, NOW, &made), RC_STATE);
	ck_assert(untouched(&made, sizeof made));
	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &ks, NULL }, &naf, &device, &here, NOW, &made));
	ck_ok(device_id_parse(span_str("urn:x:2"), &device));
	ck_assert(mt_keys_kept(&env, &app, &inside, &naf, NOW) && !mt_keys_kept(&env, &app, &inside, &naf, LATER));	/* K6 */
	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &inside, NULL }, &naf, &device, &here, NOW, &made));
}
END_TEST

/* What the UICC derived gives the same key as the Ks here would, and is kept. */
START_TEST(ks_ext_naf_of_the_uicc)
{
	struct mt_keys_made made, again;
	struct mt_ks inside = ks;
	struct secret *ks_ext_naf, *got;

	inside.ks = NULL;
	ck_ok(kdf_ks_naf(ks.ks, ks.rand, span_str(ks.impi.s), &naf, &ks_ext_naf));
	ck_assert(!mt_keys_kept(&env, &app, &inside, &naf, NOW) && mt_keys_kept(&env, &app, &ks, &naf, NOW));
	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &inside, ks_ext_naf }, &naf, &device, &here, NOW, &made));
	ck_assert(made.naf_derived && made.key_derived);
	ck_ok(mt_store_get_ks_naf(st, &app, &ks.btid, &naf, NOW, &got));
	ck_assert(secret_eq(got, ks_ext_naf));
	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &ks, NULL }, &naf, &device, &here, NOW, &again));
	ck_assert(!again.naf_derived && !again.key_derived);
	ck_assert_str_eq(again.kcv, made.kcv);
	secret_free(got);
	secret_free(ks_ext_naf);
}
END_TEST

static enum rc
no_random(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	(void)out;
	(void)n;
	return RC_CRYPTO;
}

/* What fails half way leaves nothing. */
START_TEST(a_failure_takes_all_back)
{
	const struct rnd broken = { no_random, NULL };
	struct triple t = triple();
	struct mt_keys_made made;
	struct secret *got;
	struct mt_key k;

	env.rnd = &broken;
	ck_rc(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &ks, NULL }, &naf, &device, &here, NOW, &made), RC_CRYPTO);
	ck_rc(mt_store_get_ks_naf(st, &app, &ks.btid, &naf, NOW, &got), RC_NOTFOUND);
	ck_rc(mt_store_get_key(st, &app.iccid, &t, NOW, &k), RC_NOTFOUND);
}
END_TEST

static struct secret *
the_key(void)
{
	struct triple t = triple();
	struct secret *n, *k;

	ck_ok(kdf_ks_naf(ks.ks, ks.rand, span_str(ks.impi.s), &naf, &n));
	ck_ok(kdf_ks_local_mt(n, &t, &k));
	secret_free(n);
	return k;
}

START_TEST(k3_proofs)
{
	struct mt_keys_proven proven;
	struct mt_keys_made made;
	struct triple t = triple();
	struct secret *key = the_key();
	char proof[PROOF_LEN + 1], theirs[PROOF_LEN + 1];

	untouched_fill(&proven, sizeof proven);
	ck_rc(mt_keys_complete(&env, &app.iccid, &t, "", NOW, &proven), RC_NOTFOUND);
	ck_ok(mt_keys_derive(&env, &(struct mt_keys_source){ &app, &ks, NULL }, &naf, &device, &here, NOW, &made));
	ck_rc(mt_keys_complete(&env, &app.iccid, &t, "AAAA", NOW, &proven), RC_DENIED);
	ck_rc(mt_keys_complete(&env, &app.iccid, &t, "", LATER, &proven), RC_EXPIRED);
	ck_assert(untouched(&proven, sizeof proven));
	ck_ok(mt_keys_complete(&env, &app.iccid, &t, "", NOW, &proven));
	ck_assert(!proven.confirmed);
	ck_assert_str_eq(proven.proof, "");
	ck_ok(proof_make(key, PROOF_DEVICE, span_str(made.challenge), proof));
	ck_ok(proof_make(key, PROOF_MT, span_str(made.challenge), theirs));
	ck_ok(mt_keys_complete(&env, &app.iccid, &t, proof, NOW, &proven));
	ck_assert(proven.confirmed);
	ck_assert_str_eq(proven.proof, theirs);
	ck_assert_str_eq(proven.kcv, made.kcv);
	ck_ok(mt_keys_complete(&env, &app.iccid, &t, proof, NOW, &proven));	/* K4 */
	ck_assert(!proven.confirmed);
	ck_assert_str_eq(proven.proof, theirs);
	secret_free(key);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/keys");
	TCase *t = tcase_create("keys");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, vector_ts33259_6_4);
	tcase_add_test(t, k6_again_nothing_is_derived);
	tcase_add_test(t, ks_in_the_uicc);
	tcase_add_test(t, ks_ext_naf_of_the_uicc);
	tcase_add_test(t, a_failure_takes_all_back);
	tcase_add_test(t, k3_proofs);
	suite_add_tcase(s, t);
	return unit_run(s);
}
