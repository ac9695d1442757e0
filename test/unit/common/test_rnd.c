/* rnd: the kernel's octets differ, the seeded ones repeat, below is below and even. */
#include "common/rnd.h"

#include <check.h>

#include "common/log.h"
#include "test/unit/unit.h"

static unsigned warned;

static void
on_line(enum log_level level, const char *line, void *arg)
{
	(void)line;
	(void)arg;
	warned += level == LOG_LEVEL_WARN;
}

START_TEST(system_differs)
{
	uint8_t a[300] = { 0 }, b[300] = { 0 };

	ck_ok(rnd_bytes(rnd_system(), a, sizeof a));
	ck_ok(rnd_bytes(rnd_system(), b, sizeof b));
	ck_assert_mem_ne(a, b, sizeof a);
	ck_assert_mem_ne(a, a + 150, 150);
}
END_TEST

START_TEST(seeded_repeats_and_says_so)
{
	struct rnd_seeded a, b, c;
	uint8_t x[100], y[100], z[100];

	log_capture(on_line, NULL);
	rnd_seeded_init(&a, 7);
	rnd_seeded_init(&b, 7);
	rnd_seeded_init(&c, 8);
	log_capture(NULL, NULL);
	ck_assert_uint_eq(warned, 3);
	ck_ok(rnd_bytes(&a.rnd, x, sizeof x));
	ck_ok(rnd_bytes(&b.rnd, y, sizeof y));
	ck_ok(rnd_bytes(&c.rnd, z, sizeof z));
	ck_assert_mem_eq(x, y, sizeof x);
	ck_assert_mem_ne(x, z, sizeof x);
	ck_ok(rnd_bytes(&a.rnd, y, sizeof y));
	ck_assert_mem_ne(x, y, sizeof x);
}
END_TEST

START_TEST(below_is_even)
{
	struct rnd_seeded r;
	unsigned count[5] = { 0 };
	uint32_t v;

	log_capture(on_line, NULL);
	rnd_seeded_init(&r, 1);
	for (int i = 0; i < 10000; i++) {
		ck_ok(rnd_below(&r.rnd, 5, &v));
		ck_assert_uint_lt(v, 5);
		count[v]++;
	}
	for (int i = 0; i < 5; i++)
		ck_assert_uint_gt(count[i], 1800);
	ck_ok(rnd_below(&r.rnd, 1, &v));
	ck_assert_uint_eq(v, 0);
}
END_TEST

static uint8_t script[8];
static size_t script_at;

static enum rc
scripted(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	if (script_at + n > sizeof script)
		return RC_CRYPTO;
	memcpy(out, script + script_at, n);
	script_at += n;
	return RC_OK;
}

START_TEST(below_throws_the_uneven_rest_away)
{
	const struct rnd r = { scripted, NULL };
	uint32_t v = 99, three = 3;

	/* 2^32 = 3 * 1431655765 + 1: of all values only the last is one too many. */
	memset(script, 0xff, 4);
	memcpy(script + 4, &three, 4);
	script_at = 0;
	ck_ok(rnd_below(&r, 3, &v));
	ck_assert_uint_eq(v, 0);
	ck_assert_uint_eq(script_at, 8);
	/* A power of two has no rest. */
	script_at = 0;
	ck_ok(rnd_below(&r, 16, &v));
	ck_assert_uint_eq(v, 15);
	ck_assert_uint_eq(script_at, 4);
}
END_TEST

START_TEST(failure_is_told)
{
	const struct rnd r = { scripted, NULL };
	uint32_t v = 99;
	uint8_t out[9];

	script_at = sizeof script;
	ck_rc(rnd_bytes(&r, out, sizeof out), RC_CRYPTO);
	ck_rc(rnd_below(&r, 10, &v), RC_CRYPTO);
	ck_assert_uint_eq(v, 99);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rnd");
	TCase *t = tcase_create("rnd");

	tcase_add_test(t, system_differs);
	tcase_add_test(t, seeded_repeats_and_says_so);
	tcase_add_test(t, below_is_even);
	tcase_add_test(t, below_throws_the_uneven_rest_away);
	tcase_add_test(t, failure_is_told);
	suite_add_tcase(s, t);
	return unit_run(s);
}
