#include "common/aka.h"

#include "common/sqn.h"
#include "test/unit/vectors.h"

static json_t *doc;
static struct secret *k, *opc;
static uint8_t rnd[16], amf[2];
static uint64_t sqn;

/* TS 35.208 set 1 is the vector behind "computed". */
static void
setup(void)
{
	uint8_t s[6];
	json_t *o;

	doc = vectors_load();
	o = vec_at(doc, "milenage.sets", 0);
	k = vec_secret(o, "k");
	opc = vec_secret(o, "opc");
	vec_hex(o, "rand", rnd, 16);
	vec_hex(o, "amf", amf, 2);
	vec_hex(o, "sqn", s, 6);
	sqn = sqn_parse(s);
}

static void
teardown(void)
{
	secret_free(k);
	secret_free(opc);
	json_decref(doc);
}

START_TEST(vector_and_its_check)
{
	json_t *base = vec_get(doc, "computed.base");
	struct aka_vector v = { 0 };
	struct aka_result r = { 0 };

	ck_ok(aka_make(k, opc, rnd, sqn, amf, &v));
	ck_assert_mem_eq(v.rand, rnd, 16);
	vec_eq(base, "autn", (struct span){ v.autn, 16 });
	vec_eq(base, "res", secret_span(v.xres));
	vec_eq(base, "ck", secret_span(v.ck));
	vec_eq(base, "ik", secret_span(v.ik));
	ck_ok(aka_check(k, opc, v.rand, v.autn, &r));
	ck_assert_uint_eq(r.sqn, sqn);
	ck_assert_mem_eq(r.amf, amf, 2);
	ck_assert(secret_eq(r.res, v.xres) && secret_eq(r.ck, v.ck) && secret_eq(r.ik, v.ik));
	aka_vector_clear(&v);
	aka_result_clear(&r);
	ck_assert(v.xres == NULL && r.res == NULL);
	aka_vector_clear(&v);
}
END_TEST

/* One bit anywhere in RAND or AUTN. */
START_TEST(a_changed_challenge_is_denied)
{
	struct aka_vector v = { 0 };
	struct aka_result r;

	untouched_fill(&r, sizeof r);
	ck_ok(aka_make(k, opc, rnd, sqn, amf, &v));
	v.rand[_i / 8 % 16] ^= (uint8_t)(_i < 128 ? 1 << _i % 8 : 0);
	v.autn[_i / 8 % 16] ^= (uint8_t)(_i < 128 ? 0 : 1 << _i % 8);
	ck_rc(aka_check(k, opc, v.rand, v.autn, &r), RC_DENIED);
	ck_assert(untouched(&r, sizeof r));
	aka_vector_clear(&v);
}
END_TEST

START_TEST(auts_both_ways)
{
	json_t *o = vec_get(doc, "computed.resync");
	uint8_t s[6], auts[14];
	uint64_t ms = 0;

	vec_hex(o, "sqn_ms", s, 6);
	ck_ok(aka_make_auts(k, opc, rnd, sqn_parse(s), auts));
	vec_eq(o, "auts", (struct span){ auts, 14 });
	ck_ok(aka_check_auts(k, opc, rnd, auts, &ms));
	ck_assert_uint_eq(ms, sqn_parse(s));
	ms = 4711;
	for (int i = 0; i < 14 * 8; i++) {
		auts[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_rc(aka_check_auts(k, opc, rnd, auts, &ms), RC_DENIED);
		auts[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	rnd[0] ^= 1;		/* an AUTS belongs to its challenge */
	ck_rc(aka_check_auts(k, opc, rnd, auts, &ms), RC_DENIED);
	ck_assert_uint_eq(ms, 4711);
}
END_TEST

START_TEST(autn_star_undoes_itself)
{
	json_t *o = vec_get(doc, "computed.gba_u_autn");
	uint8_t in[16], out[16];
	struct aka_vector v = { 0 };
	struct aka_result r;

	ck_ok(aka_make(k, opc, rnd, sqn, amf, &v));
	memcpy(in, v.autn, 16);
	ck_ok(aka_autn_star(v.ik, in, out));
	vec_eq(o, "autn_star", (struct span){ out, 16 });
	ck_rc(aka_check(k, opc, rnd, out, &r), RC_DENIED);	/* plain AKA on AUTN* sees a MAC failure, on purpose */
	ck_ok(aka_autn_star(v.ik, out, out));
	ck_assert_mem_eq(out, in, 16);
	ck_rc(aka_autn_star(v.xres, in, out), RC_RANGE);
	ck_rc(aka_autn_star(NULL, in, out), RC_RANGE);
	aka_vector_clear(&v);
}
END_TEST

START_TEST(limits)
{
	struct aka_vector v;
	struct secret *bad = NULL;
	struct aka_result r;
	uint8_t auts[14], autn[16] = { 0 };
	uint64_t ms = 4711;

	untouched_fill(&v, sizeof v);
	untouched_fill(auts, sizeof auts);
	ck_rc(aka_make(k, opc, rnd, SQN_MAX + 1, amf, &v), RC_RANGE);
	ck_rc(aka_make_auts(k, opc, rnd, SQN_MAX + 1, auts), RC_RANGE);
	ck_ok(secret_new(15, &bad));
	ck_rc(aka_make(bad, opc, rnd, sqn, amf, &v), RC_RANGE);
	ck_rc(aka_make(k, bad, rnd, sqn, amf, &v), RC_RANGE);
	ck_rc(aka_check(bad, opc, rnd, autn, &r), RC_RANGE);
	ck_rc(aka_make_auts(k, bad, rnd, sqn, auts), RC_RANGE);
	ck_rc(aka_check_auts(bad, opc, rnd, autn, &ms), RC_RANGE);
	ck_assert(untouched(&v, sizeof v) && untouched(auts, sizeof auts) && ms == 4711);
	secret_free(bad);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("aka");
	TCase *t = tcase_create("aka");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, vector_and_its_check);
	tcase_add_loop_test(t, a_changed_challenge_is_denied, 0, 256);
	tcase_add_test(t, auts_both_ways);
	tcase_add_test(t, autn_star_undoes_itself);
	tcase_add_test(t, limits);
	suite_add_tcase(s, t);
	return unit_run(s);
}
