#include "common/span.h"

#include "test/unit/unit.h"

#define S(text) span_of(text, sizeof (text) - 1)

START_TEST(take_moves_only_when_there_is_enough)
{
	struct span in = S("abcd"), out;

	untouched_fill(&out, sizeof out);
	ck_assert(!span_take(&in, 5, &out));
	ck_assert(!span_take(&in, SIZE_MAX, &out));
	ck_assert(untouched(&out, sizeof out) && span_eq_str(in, "abcd"));
	ck_assert(span_take(&in, 3, &out) && span_eq_str(out, "abc") && span_eq_str(in, "d"));
	ck_assert(span_take(&in, 0, &out) && out.n == 0);
	ck_assert(span_take(&in, 1, &out) && in.n == 0);
	ck_assert(!span_take(&in, 1, &out));
	in = (struct span){ NULL, 0 };
	ck_assert(span_take(&in, 0, &out) && in.p == NULL);
}
END_TEST

START_TEST(upto_splits_at_first_or_last_delimiter)
{
	struct span in = S("a@b@c"), out;

	ck_assert(span_upto(&in, '@', &out) && span_eq_str(out, "a") && span_eq_str(in, "b@c"));
	in = S("a@b@c");
	ck_assert(span_upto_last(&in, '@', &out) && span_eq_str(out, "a@b") && span_eq_str(in, "c"));
	in = S("@");
	ck_assert(span_upto(&in, '@', &out) && out.n == 0 && in.n == 0);
	in = S("@");
	ck_assert(span_upto_last(&in, '@', &out) && out.n == 0 && in.n == 0);
	in = S("abc");
	ck_assert(!span_upto(&in, '@', &out) && !span_upto_last(&in, '@', &out) && in.n == 3);
	in = (struct span){ NULL, 0 };
	ck_assert(!span_upto(&in, '@', &out) && !span_upto_last(&in, '@', &out));
}
END_TEST

START_TEST(integers_are_big_endian)
{
	static const uint8_t b[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct span in = { b, 8 };
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	ck_assert(span_u8(&in, &u8) && u8 == 1);
	ck_assert(span_u16(&in, &u16) && u16 == 0x0203);
	ck_assert(span_u24(&in, &u32) && u32 == 0x040506);
	ck_assert(!span_u24(&in, &u32) && !span_u32(&in, &u32) && !span_u64(&in, &u64) && in.n == 2);
	ck_assert(span_u16(&in, &u16) && u16 == 0x0708);
	ck_assert(!span_u8(&in, &u8) && !span_u16(&in, &u16));
	in = (struct span){ b, 8 };
	ck_assert(span_u32(&in, &u32) && u32 == 0x01020304);
	in = (struct span){ b, 8 };
	ck_assert(span_u64(&in, &u64) && u64 == UINT64_C(0x0102030405060708));
}
END_TEST

START_TEST(comparisons)
{
	ck_assert(span_eq(S("ab"), S("ab")) && !span_eq(S("ab"), S("abc")) && !span_eq(S("ab"), S("aB")));
	ck_assert(span_eq(S(""), (struct span){ NULL, 0 }));
	ck_assert(span_eq_str(span_str(NULL), "") && span_eq_str(span_str("x"), "x"));
	ck_assert(span_eq_nocase(S("Digest"), "dIGEST") && !span_eq_nocase(S("Digest"), "Digests"));
	ck_assert(!span_eq_nocase(S("@"), "`") && !span_eq_nocase(S("["), "{"));	/* 0x20 apart, but no letters */
	ck_assert(span_eq_str(span_trim(S(" \ta b\t ")), "a b") && span_trim(S(" \t ")).n == 0 && span_trim(S("")).n == 0);
}
END_TEST

static const struct {
	const char *text;
	uint64_t max;
	bool ok;
	uint64_t value;
} decimals[] = {
	{ "0", 0, true, 0 }, { "7", 10, true, 7 }, { "10", 10, true, 10 }, { "11", 10, false, 0 },
	{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX }, { "18446744073709551616", UINT64_MAX, false, 0 },
	{ "99999999999999999999", UINT64_MAX, false, 0 }, { "", 10, false, 0 }, { "00", 10, false, 0 }, { "07", 10, false, 0 },
	{ "+1", 10, false, 0 }, { "-1", 10, false, 0 }, { " 1", 10, false, 0 }, { "1 ", 10, false, 0 }, { "1a", 99, false, 0 },
	{ "1", 0, false, 0 }, { "9", 9, true, 9 }, { "255", 255, true, 255 }, { "256", 255, false, 0 },
};
START_TEST(decimal_has_one_spelling_and_a_limit)
{
	uint64_t v = 4711;

	ck_assert_msg(span_decimal(span_str(decimals[_i].text), decimals[_i].max, &v) == decimals[_i].ok, "%s", decimals[_i].text);
	ck_assert_uint_eq(v, decimals[_i].ok ? decimals[_i].value : 4711);
}
END_TEST

START_TEST(to_str_fits_or_refuses)
{
	char out[4];

	untouched_fill(out, sizeof out);
	ck_assert(!span_to_str(S("abcd"), out, sizeof out) && !span_to_str(S("a\0b"), out, sizeof out));
	ck_assert(!span_to_str(S(""), out, 0));
	ck_assert(untouched(out, sizeof out));
	ck_assert(span_to_str(S("abc"), out, sizeof out));
	ck_assert_str_eq(out, "abc");
	ck_assert(span_to_str((struct span){ NULL, 0 }, out, 1));
	ck_assert_str_eq(out, "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("span");
	TCase *t = tcase_create("span");

	tcase_add_test(t, take_moves_only_when_there_is_enough);
	tcase_add_test(t, upto_splits_at_first_or_last_delimiter);
	tcase_add_test(t, integers_are_big_endian);
	tcase_add_test(t, comparisons);
	tcase_add_loop_test(t, decimal_has_one_spelling_and_a_limit, 0, TABLE_N(decimals));
	tcase_add_test(t, to_str_fits_or_refuses);
	suite_add_tcase(s, t);
	return unit_run(s);
}
