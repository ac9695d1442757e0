/* ub_msg: what Ub's messages say, without I/O. What a BSF can get wrong is test_ub's table. */
#include "test/unit/unit.h"

#include <stdio.h>

#include "common/clock.h"
#include "mtd/ub_msg.h"

static const struct {
	const char *url, *uri;
	enum rc rc;
} uris[] = {
	{ "http://bsf.example.org", "/", RC_OK },
	{ "http://bsf.example.org/", "/", RC_OK },
	{ "http://bsf.example.org:8080/a/b", "/a/b", RC_OK },
	{ "https://[::1]:8080/a?x=1&y=2", "/a?x=1&y=2", RC_OK },
	{ "http://h/a#fragment", "/a", RC_OK },
	{ "http://h?x", NULL, RC_SYNTAX },
	{ "http://", NULL, RC_SYNTAX },
	{ "http:///a", NULL, RC_SYNTAX },
	{ "bsf.example.org/", NULL, RC_SYNTAX },
	{ "", NULL, RC_SYNTAX },
};

START_TEST(uri)
{
	char out[64];

	untouched_fill(out, sizeof out);
	ck_rc(mt_ub_uri(uris[_i].url, out, sizeof out), uris[_i].rc);
	if (uris[_i].rc == RC_OK)
		ck_assert_str_eq(out, uris[_i].uri);
	else
		ck_assert(untouched(out, sizeof out));
}
END_TEST

START_TEST(uri_too_long)
{
	char out[4];

	ck_ok(mt_ub_uri("http://h/ab", out, sizeof out));
	untouched_fill(out, sizeof out);
	ck_rc(mt_ub_uri("http://h/abc", out, sizeof out), RC_RANGE);
	ck_assert(untouched(out, sizeof out));
}
END_TEST

START_TEST(token)
{
	ck_assert(mt_ub_has_token("3gpp-gba-tmpi"));
	ck_assert(mt_ub_has_token("fake/1.0 3gpp-gba-tmpi"));
	ck_assert(mt_ub_has_token("Bootstrapping Client Agent; Release-6; 3gpp-gba-tmpi"));
	ck_assert(mt_ub_has_token("3gpp-gba-tmpi/1.0 x"));
	ck_assert(mt_ub_has_token("3gpp-gba-tmpix 3gpp-gba-tmpi"));
	ck_assert(!mt_ub_has_token("3gpp-gba"));
	ck_assert(!mt_ub_has_token("x3gpp-gba-tmpi"));
	ck_assert(!mt_ub_has_token("3gpp-gba-tmpi-not"));
	ck_assert(!mt_ub_has_token(""));
	ck_assert(!mt_ub_has_token(NULL));
}
END_TEST

static const struct {
	const char *value;
	int64_t s;
} retries[] = {
	{ "5", 5 }, { " 120 ", 120 }, { "999999", 3600 }, { "0", 0 }, { "-1", 0 }, { "5s", 0 }, { "", 0 },
	{ "Fri, 31 Dec 1999 23:59:59 GMT", 0 }, { "99999999999999999999", 0 },
};

START_TEST(retry_after)
{
	struct http_header h = { "retry-after", retries[_i].value };
	struct http_reply r = { .headers = &h, .n_headers = 1 };

	ck_assert_int_eq(mt_ub_retry_after(&r), retries[_i].s);
	r.n_headers = 0;
	ck_assert_int_eq(mt_ub_retry_after(&r), 0);
}
END_TEST

#define NS "<BootstrappingInfo xmlns=\"uri:3gpp-gba\">"
#define END "</BootstrappingInfo>"
#define BTID "<btid>I1U8vpY3qJ0hiuZNrke/NQ==@bsf.home1.net</btid>"
#define LIFE "<lifetime>2030-01-01T12:00:00Z</lifetime>"

static const struct {
	const char *body;
	int64_t currenttime;
} good[] = {
	{ NS BTID LIFE END, 0 },
	{ "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" NS "\n " BTID "\n " LIFE "\n" END "\n", 0 },
	{ "<g:BootstrappingInfo xmlns:g=\"uri:3gpp-gba\"><g:btid>I1U8vpY3qJ0hiuZNrke/NQ==@bsf.home1.net</g:btid>"
	  "<g:lifetime>2030-01-01T12:00:00Z</g:lifetime></g:BootstrappingInfo>", 0 },
	{ NS "<btid>\n  I1U8vpY3qJ0hiuZNrke/NQ==@bsf.home1.net\t</btid><lifetime> 2030-01-01T12:00:00Z </lifetime>" END, 0 },
	{ NS BTID "<lifetime>2030-01-01T14:00:00+02:00</lifetime>" END, 0 },
	{ NS BTID "<lifetime>2030-01-01T12:00:00.999Z</lifetime>" END, 0 },
	{ NS BTID LIFE "<Extension><currenttime>2029-01-01T00:00:00Z</currenttime></Extension>" END, 1861920000 },
	{ NS BTID LIFE "<Extension><other xmlns=\"urn:x\" a=\"b\">c</other></Extension><unknown/>" END, 0 },
};

START_TEST(info_taken)
{
	struct mt_bootstrapping_info info;
	const char *badp;

	ck_ok(mt_ub_parse_info(span_str(good[_i].body), &info, &badp));
	ck_assert_str_eq(info.btid.s, "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.home1.net");
	ck_assert_int_eq(info.lifetime, 1893499200);
	ck_assert_int_eq(info.currenttime, good[_i].currenttime);
}
END_TEST

static const struct {
	const char *body, *what;
} bad[] = {
	{ "", "XML" },
	{ "{}", "XML" },
	{ NS BTID LIFE, "XML" },
	{ "<BootstrappingInfo>" BTID LIFE END, "XML" },
	{ "<Other xmlns=\"uri:3gpp-gba\">" BTID LIFE "</Other>", "XML" },
	{ NS LIFE END, "XML" },
	{ NS BTID END, "XML" },
	{ NS BTID BTID LIFE END, "XML" },
	{ NS BTID LIFE LIFE END, "XML" },
	{ "<!DOCTYPE a [<!ENTITY e \"x\">]>" NS BTID LIFE END, "XML" },
	{ NS "<btid></btid>" LIFE END, "btid" },
	{ NS "<btid>no at sign</btid>" LIFE END, "btid" },
	{ NS "<btid>a@b@c.example</btid>" LIFE END, "btid" },
	{ NS "<btid>a@BSF.example</btid>" LIFE END, "btid" },
	{ NS BTID "<lifetime></lifetime>" END, "lifetime" },
	{ NS BTID "<lifetime>3600</lifetime>" END, "lifetime" },
	{ NS BTID "<lifetime>2030-13-01T12:00:00Z</lifetime>" END, "lifetime" },
	{ NS BTID "<lifetime>2030-01-01T12:00:00</lifetime>" END, "lifetime" },
	{ NS BTID LIFE "<Extension><currenttime>now</currenttime></Extension>" END, "currenttime" },
};

START_TEST(info_refused)
{
	struct mt_bootstrapping_info info;
	const char *badp = "";

	untouched_fill(&info, sizeof info);
	ck_assert_msg(mt_ub_parse_info(span_str(bad[_i].body), &info, &badp) != RC_OK, "%s", bad[_i].body);
	ck_assert_str_eq(badp, bad[_i].what);
	ck_assert(untouched(&info, sizeof info));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/ub_msg");
	TCase *t = tcase_create("ub_msg");

	tcase_add_loop_test(t, uri, 0, TABLE_N(uris));
	tcase_add_test(t, uri_too_long);
	tcase_add_test(t, token);
	tcase_add_loop_test(t, retry_after, 0, TABLE_N(retries));
	tcase_add_loop_test(t, info_taken, 0, TABLE_N(good));
	tcase_add_loop_test(t, info_refused, 0, TABLE_N(bad));
	suite_add_tcase(s, t);
	return unit_run(s);
}
