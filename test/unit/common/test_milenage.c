/* TS 35.208 4.3.1 to 4.3.20, all twenty sets, through each function. */
#include "common/milenage.h"

#include "test/unit/vectors.h"

START_TEST(test_set)
{
	json_t *doc = vectors_load(), *o = vec_at(doc, "milenage.sets", _i);
	struct secret *k = vec_secret(o, "k"), *op = vec_secret(o, "op"), *opc = NULL, *res = NULL, *ck = NULL, *ik = NULL;
	uint8_t rand[16], sqn[6], amf[2], mac_a[8], mac_s[8], ak[6];

	vec_hex(o, "rand", rand, 16);
	vec_hex(o, "sqn", sqn, 6);
	vec_hex(o, "amf", amf, 2);
	ck_ok(milenage_opc(k, op, &opc));
	vec_eq(o, "opc", secret_span(opc));
	ck_ok(milenage_f1(k, opc, rand, sqn, amf, mac_a, mac_s));
	vec_eq(o, "mac_a", (struct span){ mac_a, 8 });
	vec_eq(o, "mac_s", (struct span){ mac_s, 8 });
	ck_ok(milenage_f2345(k, opc, rand, &res, &ck, &ik, ak));
	vec_eq(o, "res", secret_span(res));
	vec_eq(o, "ck", secret_span(ck));
	vec_eq(o, "ik", secret_span(ik));
	vec_eq(o, "ak", (struct span){ ak, 6 });
	untouched_fill(ak, sizeof ak);
	ck_ok(milenage_f5(k, opc, rand, ak));
	vec_eq(o, "ak", (struct span){ ak, 6 });
	ck_ok(milenage_f5star(k, opc, rand, ak));
	vec_eq(o, "ak_star", (struct span){ ak, 6 });
	secret_free(k);
	secret_free(op);
	secret_free(opc);
	secret_free(res);
	secret_free(ck);
	secret_free(ik);
	json_decref(doc);
}
END_TEST

START_TEST(keys_are_16_octets)
{
	struct secret *good = NULL, *bad = NULL, *out = NULL, *ck = NULL, *ik = NULL;
	const struct secret *pair[][2] = { { NULL, NULL }, { NULL, NULL }, { NULL, NULL }, { NULL, NULL } };
	uint8_t rand[16] = { 0 }, sqn[6] = { 0 }, amf[2] = { 0 }, a[8], b[8];

	ck_ok(secret_new(16, &good));
	pair[0][1] = pair[1][0] = pair[2][1] = pair[3][0] = good;
	untouched_fill(a, sizeof a);
	untouched_fill(b, sizeof b);
	for (size_t n = 15; n <= 17; n += 2) {
		ck_ok(secret_new(n, &bad));
		pair[0][0] = pair[1][1] = bad;
		for (int i = 0; i < 4; i++) {
			ck_rc(milenage_opc(pair[i][0], pair[i][1], &out), RC_RANGE);
			ck_rc(milenage_f1(pair[i][0], pair[i][1], rand, sqn, amf, a, b), RC_RANGE);
			ck_rc(milenage_f2345(pair[i][0], pair[i][1], rand, &out, &ck, &ik, a), RC_RANGE);
			ck_rc(milenage_f5(pair[i][0], pair[i][1], rand, a), RC_RANGE);
			ck_rc(milenage_f5star(pair[i][0], pair[i][1], rand, a), RC_RANGE);
		}
		secret_free(bad);
	}
	ck_assert(out == NULL && ck == NULL && ik == NULL && untouched(a, sizeof a) && untouched(b, sizeof b));
	secret_free(good);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("milenage");
	TCase *t = tcase_create("milenage");

	tcase_add_loop_test(t, test_set, 0, vec_count("milenage.sets"));
	tcase_add_test(t, keys_are_16_octets);
	suite_add_tcase(s, t);
	return unit_run(s);
}
