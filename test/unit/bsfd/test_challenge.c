/* bsfd challenge: RULES B2's quotas and life. */
#include <stdio.h>

#include "bsfd/challenge.h"
#include "common/clock.h"
#include "test/unit/unit.h"

static struct clock *clk;
static struct bsf_challenges *t;
static unsigned next_rand;

static void
open_table(unsigned per_source, unsigned per_impi, unsigned total)
{
	struct bsf_challenges_conf conf = { .life_s = 60, .per_source = per_source, .per_impi = per_impi, .total = total };

	next_rand = 0;
	ck_ok(clock_new_virtual(1000000, &clk));
	ck_ok(bsf_challenges_new(clk, &conf, &t));
}

static void
close_table(void)
{
	bsf_challenges_free(t);
	clock_free(clk);
}

/* One more, as ub.c does; the nonce in *nonce. */
static enum rc
newcomer(const char *impi, const char *source, char nonce[static DIGEST_NONCE_LEN + 1])
{
	struct bsf_challenge c = { .impi = impi, .username = impi, .source = source };
	int64_t retry_s = -1;
	enum rc rc = bsf_challenges_room(t, impi, source, &retry_s);

	if (rc != RC_OK) {
		ck_assert_msg(retry_s >= 1 && retry_s <= 60, "Retry-After: %lld", (long long)retry_s);
		return rc;
	}
	next_rand++;
	memcpy(c.av.rand, &next_rand, sizeof next_rand);
	digest_nonce_print(c.av.rand, c.av.autn, nonce);
	return bsf_challenges_add(t, &c);
}

START_TEST(B2_two_per_impi_and_source)
{
	char n1[64], n2[64], n3[64];

	open_table(2, 16, 4096);
	ck_ok(newcomer("a@x", "10.0.0.1", n1));
	ck_ok(newcomer("a@x", "10.0.0.1", n2));
	ck_rc(newcomer("a@x", "10.0.0.1", n3), RC_LIMIT);
	ck_ok(newcomer("a@x", "10.0.0.2", n3));
	ck_ok(newcomer("b@x", "10.0.0.1", n3));
	/* nobody was evicted */
	ck_assert_ptr_nonnull(bsf_challenges_find(t, n1));
	ck_assert_ptr_nonnull(bsf_challenges_find(t, n2));
	close_table();
}
END_TEST

START_TEST(B2_sixteen_per_impi)
{
	char source[32], nonce[64];

	open_table(2, 16, 4096);
	for (int i = 0; i < 16; i++) {
		snprintf(source, sizeof source, "10.0.0.%d", i / 2);
		ck_ok(newcomer("a@x", source, nonce));
	}
	ck_rc(newcomer("a@x", "10.0.0.99", nonce), RC_LIMIT);
	ck_ok(newcomer("b@x", "10.0.0.99", nonce));
	close_table();
}
END_TEST

START_TEST(B2_so_many_in_all)
{
	char impi[32], nonce[64], first[64];

	open_table(2, 16, 100);
	ck_ok(newcomer("first@x", "10.0.0.1", first));
	for (int i = 1; i < 100; i++) {
		snprintf(impi, sizeof impi, "%d@x", i);
		ck_ok(newcomer(impi, "10.0.0.1", nonce));
	}
	ck_rc(newcomer("last@x", "10.0.0.1", nonce), RC_LIMIT);
	ck_assert_ptr_nonnull(bsf_challenges_find(t, first));
	ck_assert_uint_eq(bsf_challenges_count(t), 100);
	close_table();
}
END_TEST

START_TEST(B2_sixty_seconds)
{
	char a[64], b[64], c[64];
	int64_t retry_s = 0;

	open_table(2, 16, 4096);
	ck_ok(newcomer("a@x", "s", a));
	clock_advance(clk, 30000);
	ck_ok(newcomer("a@x", "s", b));
	clock_advance(clk, 29999);
	ck_assert_ptr_nonnull(bsf_challenges_find(t, a));
	ck_rc(bsf_challenges_room(t, "a@x", "s", &retry_s), RC_LIMIT);
	ck_assert_int_eq(retry_s, 1);
	clock_advance(clk, 1);
	ck_assert_uint_eq(bsf_challenges_count(t), 1);	/* by its timer, without a look-up */
	ck_assert_ptr_null(bsf_challenges_find(t, a));
	ck_assert_ptr_nonnull(bsf_challenges_find(t, b));
	ck_ok(newcomer("a@x", "s", c));
	ck_rc(bsf_challenges_room(t, "a@x", "s", &retry_s), RC_LIMIT);
	ck_assert_int_eq(retry_s, 30);
	clock_advance(clk, 60000);
	ck_assert_uint_eq(bsf_challenges_count(t), 0);
	close_table();
}
END_TEST

START_TEST(wall_clock_means_nothing)
{
	char a[64];

	open_table(2, 16, 4096);
	ck_ok(newcomer("a@x", "s", a));
	clock_step_wall(clk, 3600000);
	ck_assert_ptr_nonnull(bsf_challenges_find(t, a));
	close_table();
}
END_TEST

START_TEST(spent_ones_count_until_their_time_is_over)
{
	char a[64], b[64], c[64];

	open_table(2, 16, 4096);
	ck_ok(newcomer("a@x", "s", a));
	bsf_challenges_spend(t, bsf_challenges_find(t, a));
	ck_assert_ptr_null(bsf_challenges_find(t, a));
	ck_ok(newcomer("a@x", "s", b));
	bsf_challenges_spend(t, bsf_challenges_find(t, b));
	ck_rc(newcomer("a@x", "s", c), RC_LIMIT);
	clock_advance(clk, 60000);
	ck_ok(newcomer("a@x", "s", c));
	close_table();
}
END_TEST

START_TEST(a_right_answer_frees_its_own_and_what_it_spent)
{
	char a[64], b[64], other[64], c[64];

	open_table(2, 16, 4096);
	ck_ok(newcomer("a@x", "t", other));
	bsf_challenges_spend(t, bsf_challenges_find(t, other));
	ck_ok(newcomer("a@x", "s", a));
	bsf_challenges_spend(t, bsf_challenges_find(t, a));
	ck_ok(newcomer("a@x", "s", b));
	bsf_challenges_close(t, bsf_challenges_find(t, b));
	ck_assert_uint_eq(bsf_challenges_count(t), 1);	/* the stranger's at t */
	ck_ok(newcomer("a@x", "s", a));
	ck_ok(newcomer("a@x", "s", b));
	ck_rc(newcomer("a@x", "s", c), RC_LIMIT);
	close_table();
}
END_TEST

START_TEST(drop_takes_all_of_an_impi)
{
	char a[64], b[64];

	open_table(2, 16, 4096);
	ck_ok(newcomer("a@x", "s", a));
	ck_ok(newcomer("a@x", "t", a));
	ck_ok(newcomer("b@x", "s", b));
	bsf_challenges_drop(t, "a@x");
	bsf_challenges_drop(t, "nobody@x");
	ck_assert_uint_eq(bsf_challenges_count(t), 1);
	ck_assert_ptr_nonnull(bsf_challenges_find(t, b));
	close_table();
}
END_TEST

START_TEST(what_could_not_be_sent_is_withdrawn)
{
	char a[64], b[64], c[64];

	open_table(2, 16, 4096);
	ck_ok(newcomer("a@x", "s", a));
	ck_ok(newcomer("a@x", "s", b));
	bsf_challenges_withdraw(t, b);
	bsf_challenges_withdraw(t, b);
	bsf_challenges_withdraw(t, "");
	ck_assert_ptr_nonnull(bsf_challenges_find(t, a));
	ck_assert_ptr_null(bsf_challenges_find(t, b));
	ck_ok(newcomer("a@x", "s", c));
	close_table();
}
END_TEST

START_TEST(same_rand_twice)
{
	struct bsf_challenge c = { .impi = "a@x", .username = "a@x", .source = "s" };

	open_table(2, 16, 4096);
	ck_ok(bsf_challenges_add(t, &c));
	ck_rc(bsf_challenges_add(t, &c), RC_EXISTS);
	ck_assert_uint_eq(bsf_challenges_count(t), 1);
	close_table();
}
END_TEST

START_TEST(what_was_given_is_kept)
{
	struct bsf_challenge c = { .impi = "a@x", .username = "u", .source = "s", .resynced = true, .opaque = "0123456789abcdef" };
	struct bsf_challenge *got;
	char nonce[DIGEST_NONCE_LEN + 1];

	open_table(2, 16, 4096);
	memset(c.av.rand, 1, sizeof c.av.rand);
	c.av.gba_u = true;
	digest_nonce_print(c.av.rand, c.av.autn, nonce);
	ck_ok(bsf_challenges_add(t, &c));
	got = bsf_challenges_find(t, nonce);
	ck_assert_ptr_nonnull(got);
	ck_assert_str_eq(got->impi, "a@x");
	ck_assert_str_eq(got->username, "u");
	ck_assert_str_eq(got->source, "s");
	ck_assert_str_eq(got->opaque, c.opaque);
	ck_assert(got->resynced && got->av.gba_u);
	ck_assert_mem_eq(got->av.rand, c.av.rand, sizeof c.av.rand);
	close_table();
}
END_TEST

static const struct {
	const char *address, *want;
} sources[] = {
	{ "127.0.0.1:4711", "127.0.0.1" },
	{ "[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::" },
	{ "[2001:db8:1:2:ffff::1]:81", "2001:db8:1:2::" },
	{ "[::1]:80", "::" },
	{ "memory", "memory" },
	{ "", "" },
	{ "0123456789012345678901234567890123456789012345678901234567890123456789", "012345678901234567890123456789012345678901234567890123456789012" },
};

START_TEST(source_of_an_address)
{
	char out[BSF_SOURCE_MAX];

	bsf_challenge_source(sources[_i].address, out);
	ck_assert_str_eq(out, sources[_i].want);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd challenge (B2)");
	TCase *tc = tcase_create("challenge");

	tcase_add_test(tc, B2_two_per_impi_and_source);
	tcase_add_test(tc, B2_sixteen_per_impi);
	tcase_add_test(tc, B2_so_many_in_all);
	tcase_add_test(tc, B2_sixty_seconds);
	tcase_add_test(tc, wall_clock_means_nothing);
	tcase_add_test(tc, spent_ones_count_until_their_time_is_over);
	tcase_add_test(tc, a_right_answer_frees_its_own_and_what_it_spent);
	tcase_add_test(tc, drop_takes_all_of_an_impi);
	tcase_add_test(tc, what_could_not_be_sent_is_withdrawn);
	tcase_add_test(tc, same_rand_twice);
	tcase_add_test(tc, what_was_given_is_kept);
	tcase_add_loop_test(tc, source_of_an_address, 0, TABLE_N(sources));
	suite_add_tcase(s, tc);
	return unit_run(s);
}
