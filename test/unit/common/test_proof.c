#include "common/proof.h"

#include "common/b64.h"
#include "test/unit/vectors.h"

START_TEST(k3_as_derive_py_computes_it)
{
	json_t *doc = vectors_load(), *o = vec_get(doc, "computed.proof");
	struct secret *key = vec_secret(o, "ks_local_mt");
	struct span challenge = span_str(vec_str(o, "challenge"));
	char out[PROOF_LEN + 1], kcv[KCV_LEN + 1];

	ck_ok(proof_make(key, PROOF_DEVICE, challenge, out));
	ck_assert_str_eq(out, vec_str(o, "device"));
	ck_ok(proof_check(key, PROOF_DEVICE, challenge, span_str(out)));
	ck_rc(proof_check(key, PROOF_MT, challenge, span_str(out)), RC_DENIED);	/* no mirror */
	ck_ok(proof_make(key, PROOF_MT, challenge, out));
	ck_assert_str_eq(out, vec_str(o, "mt"));
	ck_ok(proof_make(key, PROOF_HOLDS, challenge, out));		/* K13 */
	ck_assert_str_eq(out, vec_str(o, "holds"));
	ck_rc(proof_check(key, PROOF_DEVICE, challenge, span_str(out)), RC_DENIED);	/* each for its own purpose */
	ck_ok(proof_make(key, PROOF_FORGET, challenge, out));		/* K5 */
	ck_assert_str_eq(out, vec_str(o, "forget"));
	ck_rc(proof_check(key, PROOF_HOLDS, challenge, span_str(out)), RC_DENIED);
	ck_ok(secret_kcv(key, kcv));
	ck_assert_str_eq(kcv, vec_str(o, "kcv"));
	secret_free(key);
	json_decref(doc);
}
END_TEST

START_TEST(k3_wrong_ones)
{
	struct span challenge = span_str("AAAAAAAAAAAAAAAAAAAAAA==");
	struct secret *key = NULL, *other = NULL;
	char right[PROOF_LEN + 1], p[PROOF_LEN + 2];

	ck_ok(secret_new(KS_LEN, &key));
	ck_ok(secret_dup(key, &other));
	secret_bytes(other)[31] = 1;
	ck_ok(proof_make(key, PROOF_DEVICE, challenge, right));
	ck_ok(proof_check(key, PROOF_DEVICE, challenge, span_str(right)));
	ck_rc(proof_check(other, PROOF_DEVICE, challenge, span_str(right)), RC_DENIED);
	ck_rc(proof_check(key, PROOF_DEVICE, span_str("AAAAAAAAAAAAAAAAAAAAAQ=="), span_str(right)), RC_DENIED);
	for (size_t i = 0; i < PROOF_LEN; i++) {
		memcpy(p, right, sizeof right);
		p[i] ^= 1;
		ck_rc(proof_check(key, PROOF_DEVICE, challenge, span_str(p)), RC_DENIED);
	}
	memcpy(p, right, sizeof right);
	memcpy(p + PROOF_LEN, "=", 2);
	ck_rc(proof_check(key, PROOF_DEVICE, challenge, span_str(p)), RC_DENIED);
	ck_rc(proof_check(key, PROOF_DEVICE, challenge, span_of(right, PROOF_LEN - 1)), RC_DENIED);
	ck_rc(proof_check(key, PROOF_DEVICE, challenge, span_str("")), RC_DENIED);
	secret_free(key);
	secret_free(other);
}
END_TEST

START_TEST(k3_challenges)
{
	static uint8_t big[CHALLENGE_MAX + 1];
	char c[CHALLENGE_LEN + 1], d[CHALLENGE_LEN + 1], out[PROOF_LEN + 1];
	struct secret *key = NULL;
	uint8_t octets[16];
	size_t n;

	ck_ok(proof_challenge(rnd_system(), c));
	ck_ok(proof_challenge(rnd_system(), d));
	ck_assert_str_ne(c, d);
	ck_ok(b64_parse(span_str(c), octets, sizeof octets, &n));
	ck_assert_uint_eq(n, 16);
	ck_ok(secret_new(KS_LEN, &key));
	ck_ok(proof_make(key, PROOF_MT, (struct span){ big, CHALLENGE_MAX }, out));
	untouched_fill(out, sizeof out);
	ck_rc(proof_make(key, PROOF_MT, (struct span){ big, CHALLENGE_MAX + 1 }, out), RC_RANGE);
	ck_rc(proof_make(key, PROOF_MT, span_str(""), out), RC_RANGE);
	ck_rc(proof_check(key, PROOF_MT, span_str(""), span_str("")), RC_RANGE);
	ck_assert(untouched(out, sizeof out));
	secret_free(key);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("proof");
	TCase *t = tcase_create("K3");

	tcase_add_test(t, k3_as_derive_py_computes_it);
	tcase_add_test(t, k3_wrong_ones);
	tcase_add_test(t, k3_challenges);
	suite_add_tcase(s, t);
	return unit_run(s);
}
