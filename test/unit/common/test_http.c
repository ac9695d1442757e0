/* http: headers by name, and the checks of a head that need no library. */
#include "common/http.h"

#include <stdio.h>

#include "test/unit/unit.h"

static const struct http_header some[] = { { "Host", "a" }, { "X", "1" }, { "x", "2" }, { "HOST", "b" } };

START_TEST(headers_are_found_without_case)
{
	ck_assert_str_eq(http_header_get(some, 4, "hOST"), "a");
	ck_assert_str_eq(http_header_get(some, 4, "X"), "1");
	ck_assert(http_header_get(some, 4, "Y") == NULL && http_header_get(some, 0, "Host") == NULL);
	ck_assert_uint_eq(http_header_count(some, 4, "x"), 2);
	ck_assert_uint_eq(http_header_count(some, 4, "Hos"), 0);
}
END_TEST

#define H { "Host", "a.example" }
static const struct {
	const char *method, *target;
	struct http_header h[4];
	enum reason why;
} heads[] = {
	{ "GET", "/", { H }, REASON_NONE },
	{ "OPTIONS", "*", { H }, REASON_NONE },
	{ "POST", "/a?b=c%20d", { H, { "Content-Length", "0" } }, REASON_NONE },
	{ "POST", "/", { H, { "Transfer-Encoding", "Chunked" } }, REASON_NONE },
	{ "GET", "/", { H, { "X", "a\tb \xc3\xa9" } }, REASON_NONE },
	{ "", "/", { H }, REASON_HTTP_BAD_HEAD },
	{ "GE T", "/", { H }, REASON_HTTP_BAD_HEAD },
	{ "GET", "", { H }, REASON_HTTP_BAD_HEAD },
	{ "GET", "a.example:443", { H }, REASON_HTTP_BAD_HEAD },
	{ "GET", "http://a.example/", { H }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/a b", { H }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/a\x01", { H }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/\xc3\xa9", { H }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/a%00", { H }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/", { H, { "X ", "1" } }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/", { H, { "", "1" } }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/", { H, { "X\x80", "1" } }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/", { H, { "X", "a\rb" } }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/", { H, { "X", "a\x7f" } }, REASON_HTTP_BAD_HEAD },
	{ "GET", "/", { { "X", "1" } }, REASON_HTTP_HOST },
	{ "GET", "/", { { "Host", "" } }, REASON_HTTP_HOST },
	{ "GET", "/", { H, { "host", "a.example" } }, REASON_HTTP_HOST },
	{ "POST", "/", { H, { "Content-Length", "3" }, { "content-length", "3" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Content-Length", "3" }, { "Transfer-Encoding", "chunked" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "chunked" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Transfer-Encoding", "gzip, chunked" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Transfer-Encoding", "" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Content-Length", "" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Content-Length", "+3" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Content-Length", "3, 3" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Content-Length", "0x3" } }, REASON_HTTP_LENGTH },
	{ "POST", "/", { H, { "Content-Length", "9223372036854775808" } }, REASON_HTTP_LENGTH },
};

START_TEST(heads_are_judged)
{
	size_t n = 0;
	enum reason why;

	while (n < 4 && heads[_i].h[n].name != NULL)
		n++;
	why = http_head_check(heads[_i].method, heads[_i].target, heads[_i].h, n);
	ck_assert_msg(why == heads[_i].why, "%s", reason_get(why)->code);
}
END_TEST

START_TEST(more_headers_than_fit_are_too_many)
{
	struct http_header h[HTTP_HEADERS_MAX + 1];

	for (size_t i = 0; i <= HTTP_HEADERS_MAX; i++)
		h[i] = (struct http_header){ i == 0 ? "Host" : "X", "1" };
	ck_assert_int_eq(http_head_check("GET", "/", h, HTTP_HEADERS_MAX), REASON_NONE);
	ck_assert_int_eq(http_head_check("GET", "/", h, HTTP_HEADERS_MAX + 1), REASON_HTTP_HEAD_LARGE);
}
END_TEST

static const struct {
	const char *host, *name;
	enum rc rc;
} hosts[] = {
	{ "a.example", "a.example", RC_OK }, { "A.Example:443", "a.example", RC_OK }, { "[::1]", "[::1]", RC_OK },
	{ "[::1]:8443", "[::1]", RC_OK }, { "a:", "a", RC_OK }, { "", NULL, RC_SYNTAX }, { ":443", NULL, RC_SYNTAX },
	{ "a:b", NULL, RC_SYNTAX }, { "a:99999", NULL, RC_SYNTAX }, { "[::1", NULL, RC_SYNTAX }, { "[::1]x", NULL, RC_SYNTAX },
	{ "a:1:2", NULL, RC_SYNTAX }, { "aaaaaaaaaaaaaaaa", NULL, RC_RANGE }, { "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaa", RC_OK },
};

START_TEST(the_hosts_name_is_taken_without_its_port)
{
	char out[16];

	untouched_fill(out, sizeof out);
	ck_rc(http_host_name(hosts[_i].host, out, sizeof out), hosts[_i].rc);
	if (hosts[_i].rc == RC_OK)
		ck_assert_str_eq(out, hosts[_i].name);
	else
		ck_assert(untouched(out, sizeof out));
}
END_TEST

#define TAG "\"abc\""
static const struct {
	const char *value, *second;	/* of a second header of that name */
	bool known;
} none_match[] = {
	{ TAG, NULL, true }, { "W/" TAG, NULL, true }, { "*", NULL, true }, { " * ", NULL, true }, { "\"x\", " TAG, NULL, true },
	{ "\"x\",W/" TAG ",\"y\"", NULL, true }, { ",, " TAG, NULL, true }, { "\"a,b\", " TAG, NULL, true }, { "\"x\"", TAG, true },
	{ "", NULL, false }, { "abc", NULL, false }, { "\"abc", NULL, false }, { "\"ABC\"", NULL, false }, { "\"abcd\"", NULL, false },
	{ "w/" TAG, NULL, false }, { "W/", NULL, false }, { "\"x\", *", NULL, false }, { "\"\"", NULL, false }, { ",", NULL, false },
	{ "abc, " TAG, NULL, false }, { "\"a\" \"b", NULL, false },
};

START_TEST(if_none_match_names_an_etag_or_not)
{
	struct http_header h[] = { { "Host", TAG }, { "if-none-match", none_match[_i].value }, { "If-None-Match", none_match[_i].second } };

	ck_assert_int_eq(http_etag_known(h, none_match[_i].second == NULL ? 2 : 3, TAG), none_match[_i].known);
	ck_assert(!http_etag_known(h, 1, TAG));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http");
	TCase *t = tcase_create("http");

	tcase_add_test(t, headers_are_found_without_case);
	tcase_add_loop_test(t, heads_are_judged, 0, TABLE_N(heads));
	tcase_add_test(t, more_headers_than_fit_are_too_many);
	tcase_add_loop_test(t, the_hosts_name_is_taken_without_its_port, 0, TABLE_N(hosts));
	tcase_add_loop_test(t, if_none_match_names_an_etag_or_not, 0, TABLE_N(none_match));
	suite_add_tcase(s, t);
	return unit_run(s);
}
