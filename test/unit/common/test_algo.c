/* algo: HMAC-SHA-256 of RFC 4231, by many threads at once from the first use on. */
#include <pthread.h>
#include <stdlib.h>

#include "common/algo.h"
#include "common/hex.h"
#include "test/unit/unit.h"

static bool
as_rfc_4231(void)
{
	static const char case_2[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
	uint8_t mac[32];
	char text[2 * sizeof mac + 1];

	if (!algo_hmac_sha256(span_str("Jefe"), span_str("what do ya want for nothing?"), mac))
		return false;
	hex_print(span_of(mac, sizeof mac), text);
	return strcmp(text, case_2) == 0;
}

static void *
many(void *right)
{
	bool *ok = right;

	*ok = true;
	for (int i = 0; i < 1000 && *ok; i++)
		*ok = as_rfc_4231();
	return NULL;
}

START_TEST(hmac_by_many_threads)
{
	pthread_t t[8];
	bool ok[8];

	for (size_t i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, many, &ok[i]), 0);
	for (size_t i = 0; i < 8; i++) {
		pthread_join(t[i], NULL);
		ck_assert(ok[i]);
	}
}
END_TEST

START_TEST(hmac_lengths)
{
	uint8_t key[131], mac[32], other[32];

	memset(key, 0xaa, sizeof key);
	/* a key longer than a block is hashed first: RFC 4231 case 6 begins with 60e43159 */
	ck_assert(algo_hmac_sha256(span_of(key, sizeof key), span_str("Test Using Larger Than Block-Size Key - Hash Key First"), mac));
	ck_assert_mem_eq(mac, "\x60\xe4\x31\x59", 4);
	ck_assert(algo_hmac_sha256(span_of(key, 32), span_of(NULL, 0), mac));
	ck_assert(algo_hmac_sha256(span_of(key, 31), span_of(NULL, 0), other));
	ck_assert_mem_ne(mac, other, 32);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("algo");
	TCase *c = tcase_create("hmac");

	tcase_add_test(c, hmac_by_many_threads);
	tcase_add_test(c, hmac_lengths);
	suite_add_tcase(s, c);
	return unit_run(s);
}
