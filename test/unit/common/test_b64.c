#include "common/b64.h"

#include "test/unit/vectors.h"

/* RFC 4648 clause 10. */
static const struct {
	const char *octets, *text;
} rfc4648[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};
START_TEST(vectors_of_rfc_4648)
{
	struct span octets = span_str(rfc4648[_i].octets);
	uint8_t out[8];
	char text[16];
	size_t n = 99;

	b64_print(octets, text);
	ck_assert_str_eq(text, rfc4648[_i].text);
	ck_assert_uint_eq(strlen(text), B64_LEN(octets.n));
	ck_ok(b64_parse(span_str(text), out, sizeof out, &n));
	ck_assert(span_eq(octets, (struct span){ out, n }));
}
END_TEST

static const char *const bad[] = {
	"Zg=", "Zg", "Z", "Zg===", "Zg==Zg==", "=", "====", "Z===", "=Zg=",	/* padding */
	"Zh==", "Zm9=", "Zm8A=",						/* unused bits set */
	"Zm 8", "Zm8=\n", "\nZm8=", " Zm8=", "Zm8= ", "Zm\t8", "    ", "Zm9v\n\n\n\n",	/* blanks */
	"Zm-_", "Zm9\x80", "Zm9*", "Z=8=", "Zm==Zm8=", "-Zm9v", "Zm9v----",	/* alphabet; '-' ends OpenSSL's line decoder */
};
START_TEST(refuses_every_other_spelling)
{
	uint8_t out[16];
	struct secret *s = NULL;
	size_t n = 99;

	untouched_fill(out, sizeof out);
	ck_assert_msg(b64_parse(span_str(bad[_i]), out, sizeof out, &n) == RC_SYNTAX, "%s", bad[_i]);
	ck_assert(untouched(out, sizeof out) && n == 99);
	ck_rc(b64_parse_secret(span_str(bad[_i]), 1, &s), RC_SYNTAX);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(nul_octets_are_no_base64)
{
	uint8_t out[16];
	size_t n;

	ck_rc(b64_parse(span_of("Zm\0v", 4), out, sizeof out, &n), RC_SYNTAX);
}
END_TEST

START_TEST(limits)
{
	static char text[B64_MAX + 5];
	static uint8_t out[B64_MAX];
	struct secret *s = NULL;
	size_t n = 99;

	memset(text, 'A', sizeof text);
	ck_ok(b64_parse(span_of(text, B64_MAX), out, sizeof out, &n));
	ck_assert_uint_eq(n, B64_MAX / 4 * 3);
	ck_rc(b64_parse(span_of(text, B64_MAX + 4), out, sizeof out, &n), RC_RANGE);
	ck_rc(b64_parse(span_str("Zm9v"), out, 2, &n), RC_RANGE);
	ck_ok(b64_parse(span_str("Zm8="), out, 2, &n));
	ck_rc(b64_parse_secret(span_str("Zm9v"), 2, &s), RC_RANGE);
	ck_rc(b64_parse_secret(span_str("Zm9v"), 4, &s), RC_RANGE);
	ck_rc(b64_parse_secret(span_str(""), 0, &s), RC_RANGE);
	ck_assert_ptr_null(s);
	ck_ok(b64_parse_secret(span_str("Zm9v"), 3, &s));
	ck_assert_mem_eq(secret_span(s).p, "foo", 3);
	secret_free(s);
}
END_TEST

START_TEST(url_form_has_no_padding)
{
	char text[16];

	b64url_print(span_of("\xfb\xff\xfe\xf0", 4), text);
	ck_assert_str_eq(text, "-__-8A");
	b64url_print(span_of("", 0), text);
	ck_assert_str_eq(text, "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("b64");
	TCase *t = tcase_create("b64");

	tcase_add_loop_test(t, vectors_of_rfc_4648, 0, TABLE_N(rfc4648));
	tcase_add_loop_test(t, refuses_every_other_spelling, 0, TABLE_N(bad));
	tcase_add_test(t, nul_octets_are_no_base64);
	tcase_add_test(t, limits);
	tcase_add_test(t, url_form_has_no_padding);
	suite_add_tcase(s, t);
	return unit_run(s);
}
