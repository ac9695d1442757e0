#include "common/sqn.h"

#include "test/unit/unit.h"

static const struct sqn_limits free_age = { SQN_DELTA_DEFAULT, 0 };

static uint64_t
sqn(uint64_t seq, unsigned ind)
{
	return seq << SQN_IND_BITS | ind;
}

START_TEST(parts_and_octets)
{
	uint8_t o[6];

	ck_assert_uint_eq(sqn_seq(SQN_MAX), SQN_SEQ_MAX);
	ck_assert_uint_eq(sqn_ind(SQN_MAX), 31);
	ck_assert_uint_eq(SQN_SEQ_MAX, (UINT64_C(1) << 43) - 1);
	sqn_print(UINT64_C(0xff9bb4d0b607), o);
	ck_assert_mem_eq(o, "\xff\x9b\xb4\xd0\xb6\x07", 6);
	ck_assert_uint_eq(sqn_parse(o), UINT64_C(0xff9bb4d0b607));
	ck_assert_uint_eq(sqn_ind(UINT64_C(0xff9bb4d0b607)), 7);
}
END_TEST

START_TEST(fresh_once_per_slot)
{
	struct sqn_array a = { { 0 } };

	ck_rc(sqn_accept(&a, &free_age, 0), RC_DENIED);		/* SEQ must be above the slot's 0 */
	ck_ok(sqn_accept(&a, &free_age, sqn(1, 0)));
	ck_rc(sqn_accept(&a, &free_age, sqn(1, 0)), RC_DENIED);	/* replayed */
	ck_ok(sqn_accept(&a, &free_age, sqn(1, 1)));		/* another requester's */
	ck_ok(sqn_accept(&a, &free_age, sqn(9, 0)));
	ck_rc(sqn_accept(&a, &free_age, sqn(5, 0)), RC_DENIED);	/* overtaken in its slot */
	ck_ok(sqn_accept(&a, &free_age, sqn(5, 1)));		/* older than slot 0's, newer than its own */
	ck_assert_uint_eq(sqn_highest(&a), sqn(9, 0));
	ck_rc(sqn_accept(&a, &free_age, SQN_MAX + 1), RC_RANGE);
}
END_TEST

START_TEST(jump_limit)
{
	struct sqn_array a = { { 0 } }, was;
	const struct sqn_limits l = { 100, 0 };

	ck_ok(sqn_accept(&a, &l, sqn(100, 3)));
	was = a;
	ck_rc(sqn_accept(&a, &l, sqn(201, 3)), RC_DENIED);
	ck_rc(sqn_accept(&a, &l, sqn(201, 4)), RC_DENIED);	/* against the highest of all slots */
	ck_rc(sqn_accept(&a, &l, SQN_MAX), RC_DENIED);
	ck_assert_mem_eq(&a, &was, sizeof a);
	ck_ok(sqn_accept(&a, &l, sqn(200, 4)));
}
END_TEST

START_TEST(age_limit)
{
	struct sqn_array a = { { 0 } }, was;
	const struct sqn_limits l = { SQN_DELTA_DEFAULT, 10 };

	ck_ok(sqn_accept(&a, &l, sqn(100, 0)));
	was = a;
	ck_rc(sqn_accept(&a, &l, sqn(90, 1)), RC_DENIED);	/* SEQ_MS - SEQ < L */
	ck_assert_mem_eq(&a, &was, sizeof a);
	ck_ok(sqn_accept(&a, &l, sqn(91, 1)));
	ck_ok(sqn_accept(&a, &free_age, sqn(1, 2)));
}
END_TEST

START_TEST(highest_is_what_auts_tells)
{
	struct sqn_array a = { { 0 } };

	ck_assert_uint_eq(sqn_highest(&a), 0);
	ck_ok(sqn_accept(&a, &free_age, sqn(7, 31)));
	ck_assert_uint_eq(sqn_highest(&a), sqn(7, 31));
	ck_ok(sqn_accept(&a, &free_age, sqn(6, 2)));
	ck_assert_uint_eq(sqn_highest(&a), sqn(7, 31));
}
END_TEST

START_TEST(auc_next_and_raise)
{
	uint64_t n = 4711;

	ck_ok(sqn_next(0, 0, &n));
	ck_assert_uint_eq(n, sqn(1, 0));
	ck_ok(sqn_next(sqn(41, 7), 3, &n));
	ck_assert_uint_eq(n, sqn(42, 3));
	ck_ok(sqn_next(sqn(SQN_SEQ_MAX - 1, 31), 31, &n));
	ck_assert_uint_eq(n, SQN_MAX);
	ck_rc(sqn_next(sqn(SQN_SEQ_MAX, 0), 0, &n), RC_RANGE);
	ck_rc(sqn_next(0, SQN_SLOTS, &n), RC_RANGE);
	ck_ok(sqn_raise(sqn(1, 5), 1 << 16, &n));		/* B4 */
	ck_assert_uint_eq(n, sqn(1 + (1 << 11), 5));
	ck_ok(sqn_raise(SQN_MAX - 1, 1, &n));
	ck_rc(sqn_raise(SQN_MAX, 1, &n), RC_RANGE);
	ck_rc(sqn_raise(0, SQN_MAX + 1, &n), RC_RANGE);
	ck_rc(sqn_raise(SQN_MAX + 1, 0, &n), RC_RANGE);
	ck_assert_uint_eq(n, SQN_MAX);
}
END_TEST

/* After any resynchronisation the next SQN of any IND must be one that the card takes. */
static const struct {
	uint64_t he, ms;
	bool kept;
} resyncs[] = {
	{ 0, 1 << 20, false },					/* AuC set back */
	{ 99, 100, false },					/* next would be SEQ 100: used */
	{ 100, 100, true },					/* next is 101 */
	{ 5000, 100, true },					/* AuC is ahead within the limit: a late AUTS must not take it back */
	{ (UINT64_C(1) << 28) + 100 - 1, 100, true }, { (UINT64_C(1) << 28) + 100, 100, false },	/* past the jump limit */
	{ SQN_SEQ_MAX - 1, 1, false },
};
START_TEST(auc_resync)
{
	struct sqn_array card = { { 0 } };
	uint64_t he, next, ms = sqn(resyncs[_i].ms, 9);

	card.seq[9] = resyncs[_i].ms;
	he = sqn_resync(sqn(resyncs[_i].he, 2), ms, SQN_DELTA_DEFAULT);
	ck_assert_uint_eq(he, resyncs[_i].kept ? sqn(resyncs[_i].he, 2) : ms);
	ck_ok(sqn_next(he, 9, &next));
	ck_ok(sqn_accept(&card, &free_age, next));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sqn");
	TCase *t = tcase_create("sqn");

	tcase_add_test(t, parts_and_octets);
	tcase_add_test(t, fresh_once_per_slot);
	tcase_add_test(t, jump_limit);
	tcase_add_test(t, age_limit);
	tcase_add_test(t, highest_is_what_auts_tells);
	tcase_add_test(t, auc_next_and_raise);
	tcase_add_loop_test(t, auc_resync, 0, TABLE_N(resyncs));
	suite_add_tcase(s, t);
	return unit_run(s);
}
