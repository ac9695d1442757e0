/* bsfd guss: USS checked, filtered, printed. */
#include <stdio.h>

#include "bsfd/guss.h"
#include "test/unit/unit.h"

#define TWO "[{\"id\":7,\"type\":0,\"ueIds\":[\"sip:alice@example.org\"],\"flags\":[1]}," \
	"{\"id\":8,\"type\":4,\"nafGroup\":\"A\",\"flags\":[],\"keyChoice\":\"ME-based-key\"}]"
#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ussList xmlns=\"urn:3gpp:gba:GBAGUSSSchema-R9:2010-02\">\n"
#define SEVEN "  <uss id=\"7\" type=\"0\"><ueIds><ueId>sip:alice@example.org</ueId></ueIds><flags><flag>1</flag></flags></uss>\n"
#define EIGHT "  <uss id=\"8\" type=\"4\" nafGroup=\"A\"><ueIds></ueIds><flags></flags><keyChoice>ME-based-key</keyChoice></uss>\n"

static const struct {
	uint32_t gsids[3];
	size_t n;
	const char *want;
} picks[] = {
	{ { 7 }, 1, HEAD SEVEN "</ussList>\n" },
	{ { 8, 9 }, 2, HEAD EIGHT "</ussList>\n" },
	{ { 8, 7 }, 2, HEAD SEVEN EIGHT "</ussList>\n" },
	{ { 9 }, 1, "" },
	{ { 7 }, 0, "" },
};

START_TEST(only_those_asked_for)
{
	char out[2048];
	size_t n = 99;

	ck_ok(bsf_guss_print(TWO, picks[_i].gsids, picks[_i].n, out, sizeof out, &n));
	ck_assert_uint_eq(n, strlen(picks[_i].want));
	ck_assert_mem_eq(out, picks[_i].want, n);
}
END_TEST

START_TEST(limits)
{
	static const uint32_t gsids[] = { 7 };
	char out[sizeof HEAD SEVEN "</ussList>\n"];
	size_t n;

	ck_ok(bsf_guss_print("", gsids, 1, out, sizeof out, &n));
	ck_assert_uint_eq(n, 0);
	ck_ok(bsf_guss_print(TWO, gsids, 1, out, sizeof out, &n));
	ck_assert_uint_eq(n, sizeof out - 1);
	ck_rc(bsf_guss_print(TWO, gsids, 1, out, sizeof out - 1, &n), RC_RANGE);
	ck_assert_uint_eq(n, 0);
	ck_rc(bsf_guss_print("[", gsids, 1, out, sizeof out, &n), RC_SYNTAX);
	ck_rc(bsf_guss_print("[{\"id\":7}]", gsids, 1, out, sizeof out, &n), RC_SYNTAX);
}
END_TEST

static const char *const bad[] = {
	"{}", "[7]", "[{\"id\":7}]", "[{\"type\":7}]", "[{\"id\":-1,\"type\":0}]", "[{\"id\":4294967296,\"type\":0}]", "[{\"id\":\"7\",\"type\":0}]",
	"[{\"id\":7,\"type\":0,\"ueIds\":\"sip:a\"}]", "[{\"id\":7,\"type\":0,\"ueIds\":[\"a<b\"]}]", "[{\"id\":7,\"type\":0,\"ueIds\":[\"\"]}]",
	"[{\"id\":7,\"type\":0,\"ueIds\":[\"\\u00e4\"]}]", "[{\"id\":7,\"type\":0,\"nafGroup\":\"a\\\"b\"}]", "[{\"id\":7,\"type\":0,\"flags\":[\"1\"]}]",
	"[{\"id\":7,\"type\":0,\"flags\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}]", "[{\"id\":7,\"type\":0,\"keyChoice\":\"any\"}]",
	"[{\"id\":7,\"type\":0,\"x\":1}]",
	"[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]",
};

START_TEST(bad_forms)
{
	json_t *o = json_loads(bad[_i], 0, NULL);
	char text[128] = "";

	ck_assert(o != NULL);
	ck_rc(bsf_guss_check(o, text, sizeof text), RC_SYNTAX);
	ck_assert_msg(strncmp(text, "uss: ", 5) == 0, "%s", text);
	json_decref(o);
}
END_TEST

START_TEST(good_forms)
{
	json_t *o = json_loads(TWO, 0, NULL);
	char text[128] = "";

	ck_ok(bsf_guss_check(o, text, sizeof text));
	json_decref(o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd guss");
	TCase *tc = tcase_create("guss");

	tcase_add_loop_test(tc, only_those_asked_for, 0, TABLE_N(picks));
	tcase_add_test(tc, limits);
	tcase_add_loop_test(tc, bad_forms, 0, TABLE_N(bad));
	tcase_add_test(tc, good_forms);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
