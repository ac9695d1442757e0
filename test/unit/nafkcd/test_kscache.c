/* kscache: bounded, for a while, never past expiry (N3); and the table of rates beside it. */
#include "common/clock.h"
#include "nafkcd/core.h"
#include "test/unit/unit.h"

#include <stdio.h>

#define NOW 1800000000LL

static struct clock *clk;
static struct nafkc_kscache *cache;
static const struct naf_id naf = { "a.example", { 1, 0, 0, 0, 2 } }, naf2 = { "a.example", { 1, 0, 0, 0, 3 } };

static void
setup(void)
{
	ck_ok(clock_new_virtual(NOW * 1000, &clk));
	ck_ok(nafkc_kscache_new(clk, 300, &cache));
}

static void
teardown(void)
{
	nafkc_kscache_free(cache);
	clock_free(clk);
}

static void
put(const char *btid, const struct naf_id *n, uint8_t fill, int64_t expires)
{
	struct btid b = { "" };
	uint8_t octets[KS_LEN];
	struct secret *s;

	memset(octets, fill, sizeof octets);
	strcpy(b.s, btid);
	ck_ok(secret_from(span_of(octets, sizeof octets), &s));
	nafkc_kscache_put(cache, &b, n, &(struct nafkc_ks){ s, expires, btid }, clock_now_s(clk));
	secret_free(s);
}

/* First octet, -1 = not there. */
static int
get(const char *btid, const struct naf_id *n)
{
	struct btid b = { "" };
	const struct nafkc_ks *ks;

	strcpy(b.s, btid);
	if ((ks = nafkc_kscache_get(cache, &b, n, clock_now_s(clk))) == NULL)
		return -1;
	ck_assert_str_eq(ks->impi, btid);	/* what put() gave, a copy of it */
	ck_assert_int_gt(ks->expires_s, clock_now_s(clk));
	return secret_span(ks->ks_naf).p[0];
}

START_TEST(entries_are_by_btid_and_whole_naf_id)
{
	put("a@b.c", &naf, 1, NOW + 1000);
	put("a@b.c", &naf2, 2, NOW + 1000);
	put("b@b.c", &naf, 3, NOW + 1000);
	ck_assert(get("a@b.c", &naf) == 1 && get("a@b.c", &naf2) == 2 && get("b@b.c", &naf) == 3 && get("b@b.c", &naf2) == -1);
	put("a@b.c", &naf, 9, NOW + 1000);
	ck_assert(get("a@b.c", &naf) == 9);
	ck_assert_uint_eq(nafkc_kscache_count(cache), 3);
	nafkc_kscache_drop(cache);
	ck_assert(get("a@b.c", &naf) == -1 && nafkc_kscache_count(cache) == 0);
}
END_TEST

START_TEST(nothing_stays_past_its_time_or_its_expiry)
{
	put("long@b.c", &naf, 1, NOW + 100000);
	put("short@b.c", &naf, 2, NOW + 10);
	put("over@b.c", &naf, 3, NOW);
	ck_assert(get("long@b.c", &naf) == 1 && get("short@b.c", &naf) == 2 && get("over@b.c", &naf) == -1);
	clock_advance(clk, 10000);
	ck_assert(get("short@b.c", &naf) == -1);
	clock_advance(clk, 289999);
	ck_assert(get("long@b.c", &naf) == 1);
	clock_advance(clk, 1);
	ck_assert_uint_eq(nafkc_kscache_count(cache), 0);	/* dropped by the timer, not only hidden */
}
END_TEST

START_TEST(the_oldest_goes_for_a_new_one)
{
	char btid[32];

	for (int i = 0; i <= NAFKC_KSCACHE_MAX; i++) {
		snprintf(btid, sizeof btid, "x%d@b.c", i);
		put(btid, &naf, 1, NOW + 1000);
	}
	ck_assert_uint_eq(nafkc_kscache_count(cache), NAFKC_KSCACHE_MAX);
	ck_assert(get("x0@b.c", &naf) == -1 && get("x1@b.c", &naf) == 1);
}
END_TEST

START_TEST(zero_seconds_keep_nothing)
{
	nafkc_kscache_free(cache);
	ck_ok(nafkc_kscache_new(clk, 0, &cache));
	put("a@b.c", &naf, 1, NOW + 1000);
	ck_assert(get("a@b.c", &naf) == -1);
}
END_TEST

START_TEST(each_public_key_has_its_own_rate_and_the_table_is_bounded)
{
	struct nafkc_rates *r;
	uint8_t spki[32] = { 0 };
	int64_t retry;

	ck_ok(nafkc_rates_new(&r));
	ck_assert(nafkc_rates_take(r, spki, 1, 0, &retry) && !nafkc_rates_take(r, spki, 1, 0, &retry));
	for (unsigned i = 1; i < 5000; i++) {
		spki[0] = (uint8_t)i;
		spki[1] = (uint8_t)(i >> 8);
		ck_assert(nafkc_rates_take(r, spki, 1, 0, &retry));
	}
	ck_assert(!nafkc_rates_take(r, spki, 1, 0, &retry));
	memset(spki, 0, sizeof spki);
	ck_assert(nafkc_rates_take(r, spki, 1, 0, &retry));	/* quiet longest: forgotten */
	nafkc_rates_free(r);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("nafkc_kscache");
	TCase *t = tcase_create("kscache");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, entries_are_by_btid_and_whole_naf_id);
	tcase_add_test(t, nothing_stays_past_its_time_or_its_expiry);
	tcase_add_test(t, the_oldest_goes_for_a_new_one);
	tcase_add_test(t, zero_seconds_keep_nothing);
	tcase_add_test(t, each_public_key_has_its_own_rate_and_the_table_is_bounded);
	suite_add_tcase(s, t);
	return unit_run(s);
}
