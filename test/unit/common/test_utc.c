/* utc: xs:dateTime in and out. */
#include <check.h>

#include "common/clock.h"
#include "test/unit/unit.h"

#define YEAR_9999 INT64_C(253402300799)

static const struct {
	int64_t t;
	const char *text;
} good[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ 951782399, "2000-02-28T23:59:59Z" },
	{ 951782400, "2000-02-29T00:00:00Z" },		/* a leap year, though a century */
	{ 951868800, "2000-03-01T00:00:00Z" },
	{ 1893585600, "2030-01-02T12:00:00Z" },
	{ 4107542400, "2100-03-01T00:00:00Z" },		/* 2100 is none */
	{ 4107542399, "2100-02-28T23:59:59Z" },
	{ 2147483648, "2038-01-19T03:14:08Z" },
	{ YEAR_9999, "9999-12-31T23:59:59Z" },
};

START_TEST(both_ways)
{
	char out[UTC_TEXT_LEN + 1];
	int64_t t = -1;

	clock_print_utc(good[_i].t, out);
	ck_assert_str_eq(out, good[_i].text);
	ck_ok(clock_parse_utc(good[_i].text, strlen(good[_i].text), true, &t));
	ck_assert_int_eq(t, good[_i].t);
}
END_TEST

START_TEST(every_day_of_400_years)
{
	char out[UTC_TEXT_LEN + 1], was[UTC_TEXT_LEN + 1] = "";
	int64_t t;

	for (int64_t d = 0; d < 146097; d++) {
		clock_print_utc(d * 86400 + 43200, out);
		ck_ok(clock_parse_utc(out, UTC_TEXT_LEN, true, &t));
		ck_assert_int_eq(t, d * 86400 + 43200);
		ck_assert_int_lt(strcmp(was, out), 0);	/* text order is time order */
		memcpy(was, out, sizeof was);
	}
}
END_TEST

START_TEST(print_clamps)
{
	char out[UTC_TEXT_LEN + 1];

	clock_print_utc(-1, out);
	ck_assert_str_eq(out, "1970-01-01T00:00:00Z");
	clock_print_utc(INT64_MAX, out);
	ck_assert_str_eq(out, "9999-12-31T23:59:59Z");
}
END_TEST

static const struct {
	const char *text;
	int64_t t;
} offsets[] = {
	{ "2030-01-02T13:00:00+01:00", 1893585600 },
	{ "2030-01-02T06:30:00-05:30", 1893585600 },
	{ "2030-01-02T12:00:00+00:00", 1893585600 },
	{ "2030-01-02T12:00:00-00:00", 1893585600 },
	{ "2030-01-03T02:00:00+14:00", 1893585600 },
};

START_TEST(offset)
{
	int64_t t = -1;

	ck_ok(clock_parse_utc(offsets[_i].text, strlen(offsets[_i].text), false, &t));
	ck_assert_int_eq(t, offsets[_i].t);
	t = -1;
	ck_rc(clock_parse_utc(offsets[_i].text, strlen(offsets[_i].text), true, &t), RC_SYNTAX);
	ck_assert_int_eq(t, -1);
}
END_TEST

START_TEST(fraction_and_end_of_day)
{
	int64_t t;

	ck_ok(clock_parse_utc("2030-01-02T12:00:00.999999999Z", 30, true, &t));
	ck_assert_int_eq(t, 1893585600);
	ck_ok(clock_parse_utc("2030-01-01T24:00:00Z", 20, true, &t));
	ck_assert_int_eq(t, 1893542400);
	ck_ok(clock_parse_utc("2030-01-01T24:00:00.000Z", 24, true, &t));
	ck_assert_int_eq(t, 1893542400);
}
END_TEST

static const char *const bad[] = {
	"", "2030", "2030-01-02", "2030-01-02T12:00:00", "2030-01-02 12:00:00Z", "2030-1-02T12:00:00Z", "30-01-02T12:00:00Z",
	"02030-01-02T12:00:00Z", "-2030-01-02T12:00:00Z", "+2030-01-02T12:00:00Z", "2030-13-02T12:00:00Z", "2030-00-02T12:00:00Z",
	"2030-02-29T12:00:00Z", "2030-04-31T12:00:00Z", "2030-01-00T12:00:00Z", "2030-01-32T12:00:00Z", "0000-01-01T00:00:00Z",
	"2030-01-02T25:00:00Z", "2030-01-02T24:00:01Z", "2030-01-02T24:00:00.1Z", "2030-01-02T24:01:00Z", "2030-01-02T12:60:00Z",
	"2030-01-02T12:00:60Z", "2030-01-02T12:00:00.Z", "2030-01-02T12:00:00,5Z", "2030-01-02T12:00:00z", "2030-01-02t12:00:00Z",
	"2030-01-02T12:00:00ZZ", "2030-01-02T12:00:00Z ", " 2030-01-02T12:00:00Z", "2030-01-02T12:00:00+14:01", "2030-01-02T12:00:00+15:00",
	"2030-01-02T12:00:00+1:00", "2030-01-02T12:00:00+0100", "2030-01-02T12:00:00+01:60", "2030-01-02T12:00:00+01:0",
	"2030-01-02T12:00:00+", "2030-01-02T12:00Z", "2030-01-02T1200:00Z", "2o30-01-02T12:00:00Z", "2030-01-02T12:00:0\xb0Z",
};

START_TEST(syntax)
{
	int64_t t;

	untouched_fill(&t, sizeof t);
	ck_rc(clock_parse_utc(bad[_i], strlen(bad[_i]), false, &t), RC_SYNTAX);
	ck_assert(untouched(&t, sizeof t));
}
END_TEST

static const char *const out_of_range[] = { "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
	"9999-12-31T24:00:00Z", "0001-01-01T00:00:00Z" };

START_TEST(range)
{
	int64_t t;

	untouched_fill(&t, sizeof t);
	ck_rc(clock_parse_utc(out_of_range[_i], strlen(out_of_range[_i]), false, &t), RC_RANGE);
	ck_assert(untouched(&t, sizeof t));
}
END_TEST

START_TEST(length_is_obeyed)
{
	int64_t t;

	/* What stands behind n is not looked at, and a NUL inside is no end. */
	ck_ok(clock_parse_utc("2030-01-02T12:00:00Zxyz", 20, true, &t));
	for (size_t n = 0; n < 20; n++)
		ck_rc(clock_parse_utc("2030-01-02T12:00:00Z", n, true, &t), RC_SYNTAX);
	ck_rc(clock_parse_utc("2030-01-02T12:00:00Z\0", 21, true, &t), RC_SYNTAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("utc");
	TCase *t = tcase_create("utc");

	tcase_add_loop_test(t, both_ways, 0, TABLE_N(good));
	tcase_add_test(t, every_day_of_400_years);
	tcase_add_test(t, print_clamps);
	tcase_add_loop_test(t, offset, 0, TABLE_N(offsets));
	tcase_add_test(t, fraction_and_end_of_day);
	tcase_add_loop_test(t, syntax, 0, TABLE_N(bad));
	tcase_add_loop_test(t, range, 0, TABLE_N(out_of_range));
	tcase_add_test(t, length_is_obeyed);
	suite_add_tcase(s, t);
	return unit_run(s);
}
