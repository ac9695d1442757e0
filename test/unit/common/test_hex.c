#include "common/hex.h"

#include "test/unit/unit.h"

START_TEST(prints_lower_case)
{
	static const uint8_t b[] = { 0x00, 0x9f, 0xab, 0xff };
	char out[9];

	hex_print((struct span){ b, 4 }, out);
	ck_assert_str_eq(out, "009fabff");
	hex_print((struct span){ NULL, 0 }, out);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(parses_either_case_and_exact_length)
{
	uint8_t out[3];
	struct secret *s = NULL;

	ck_ok(hex_parse(span_str("0aBcFf"), out, 3));
	ck_assert_mem_eq(out, "\x0a\xbc\xff", 3);
	ck_ok(hex_parse_secret(span_str("0aBcFf"), 3, &s));
	ck_assert_mem_eq(secret_span(s).p, out, 3);
	secret_free(s);
	ck_ok(hex_parse(span_str(""), out, 0));
}
END_TEST

static const char *const bad[] = { "", "0", "00", "0000", "00000", "0000000", "00000000", "00000g", "00 000", " 00000", "0x0000", "00000\x80" };
START_TEST(refuses_what_is_not_three_octets)
{
	uint8_t out[3];
	struct secret *s = NULL;

	untouched_fill(out, sizeof out);
	ck_rc(hex_parse(span_str(bad[_i]), out, 3), RC_SYNTAX);
	ck_assert(untouched(out, sizeof out));
	ck_rc(hex_parse_secret(span_str(bad[_i]), 3, &s), RC_SYNTAX);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(lower_is_the_spelling_of_identifiers)
{
	ck_assert(hex_is_lower(span_str("09af")) && hex_is_lower(span_str("0")));
	ck_assert(!hex_is_lower(span_str("")) && !hex_is_lower(span_str("0A")) && !hex_is_lower(span_str("0g")));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hex");
	TCase *t = tcase_create("hex");

	tcase_add_test(t, prints_lower_case);
	tcase_add_test(t, parses_either_case_and_exact_length);
	tcase_add_loop_test(t, refuses_what_is_not_three_octets, 0, TABLE_N(bad));
	tcase_add_test(t, lower_is_the_spelling_of_identifiers);
	suite_add_tcase(s, t);
	return unit_run(s);
}
