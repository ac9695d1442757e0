#include "common/secret.h"

#include <openssl/crypto.h>

#include "test/unit/vectors.h"

START_TEST(new_secret_is_zero_and_bounded)
{
	struct secret *s = NULL;

	ck_rc(secret_new(0, &s), RC_RANGE);
	ck_rc(secret_new(4097, &s), RC_RANGE);
	ck_assert_ptr_null(s);
	ck_ok(secret_new(4096, &s));
	ck_assert_uint_eq(secret_span(s).n, 4096);
	for (size_t i = 0; i < 4096; i++)
		ck_assert_uint_eq(secret_span(s).p[i], 0);
	secret_free(s);
	secret_free(NULL);
	ck_assert_uint_eq(secret_span(NULL).n, 0);
}
END_TEST

START_TEST(copies_are_equal_and_apart)
{
	static const uint8_t octets[] = { 1, 2, 3 };
	struct secret *a = NULL, *b = NULL, *c = NULL, *d = NULL;

	ck_ok(secret_from((struct span){ octets, 3 }, &a));
	ck_rc(secret_from((struct span){ octets, 0 }, &d), RC_RANGE);
	ck_assert_ptr_null(d);
	ck_ok(secret_dup(a, &b));
	ck_assert(secret_eq(a, b) && secret_eq(a, a));
	secret_bytes(b)[2] ^= 1;
	ck_assert(!secret_eq(a, b));
	ck_ok(secret_concat(a, b, &c));
	ck_assert_uint_eq(secret_span(c).n, 6);
	ck_assert_mem_eq(secret_span(c).p, "\x01\x02\x03\x01\x02\x02", 6);
	ck_assert(!secret_eq(a, c) && !secret_eq(a, NULL) && !secret_eq(NULL, a) && !secret_eq(NULL, NULL));
	secret_free(a);
	secret_free(b);
	secret_free(c);
}
END_TEST

START_TEST(octets_live_on_the_secure_heap_once_it_is_open)
{
	struct secret *s = NULL;

	secret_heap_open();		/* whether it could be locked is the machine's matter */
	ck_assert_int_eq(CRYPTO_secure_malloc_initialized(), 1);
	ck_ok(secret_new(KS_LEN, &s));
	ck_assert(CRYPTO_secure_allocated(secret_bytes(s)));
	secret_free(s);
	ck_assert_uint_eq(CRYPTO_secure_used(), 0);
}
END_TEST

START_TEST(a_full_heap_is_an_rc)
{
	static struct secret *all[40000];
	size_t n = 0;
	enum rc rc;

	secret_heap_open();
	while (n < 40000 && (rc = secret_new(KS_LEN, &all[n])) == RC_OK)
		n++;
	ck_assert_uint_eq(n, 32768);	/* as EXPERIMENTS says */
	ck_rc(rc, RC_NOMEM);
	while (n > 0)
		secret_free(all[--n]);
}
END_TEST

/* The counting data set of ts33259.md 6.4; expected value from Python's hmac over the label. */
START_TEST(kcv_is_six_octets_of_hmac)
{
	json_t *doc = vectors_load();
	struct secret *s = NULL;
	char kcv[KCV_LEN + 1];

	s = vec_secret(vec_at(doc, "computed.kdf", 0), "key");
	ck_ok(secret_kcv(s, kcv));
	ck_assert_str_eq(kcv, "1cf79f63d288");
	secret_free(s);
	json_decref(doc);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("secret");
	TCase *t = tcase_create("secret");

	tcase_add_test(t, new_secret_is_zero_and_bounded);
	tcase_add_test(t, copies_are_equal_and_apart);
	tcase_add_test(t, octets_live_on_the_secure_heap_once_it_is_open);
	tcase_add_test(t, a_full_heap_is_an_rc);
	tcase_add_test(t, kcv_is_six_octets_of_hmac);
	suite_add_tcase(s, t);
	return unit_run(s);
}
