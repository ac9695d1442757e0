/* bsfd policy: who may ask for what; the form of a NAF. */
#include <stdio.h>

#include "bsfd/policy.h"
#include "common/conf.h"
#include "test/unit/unit.h"

#define FORM "{\"fqdn\":\"nafkc.example.org\",\"protocols\":[\"0100000002\",\"010001*\"],\"peers\":[\"a.example.org\",\"b\"]," \
	"\"gsids\":[7,\"4294967295\"],\"impi\":true,\"gba_u\":true}"

static struct bsf_naf
naf_of(const char *form)
{
	json_t *o = json_loads(form, 0, NULL);
	struct bsf_naf naf;
	char text[128];

	ck_ok(bsf_policy_parse_naf(o, &naf, text, sizeof text));
	json_decref(o);
	return naf;
}

static struct naf_id
id_of(const char *text)
{
	struct naf_id id;

	ck_ok(naf_id_parse(span_str(text), &id));
	return id;
}

START_TEST(form_there_and_back)
{
	struct bsf_naf naf = naf_of(FORM);
	json_t *printed = bsf_policy_print_naf(&naf);
	char *text = json_dumps(printed, JSON_COMPACT);
	struct bsf_naf again = naf_of(text);

	ck_assert_str_eq(text, "{\"fqdn\":\"nafkc.example.org\",\"protocols\":[\"0100000002\",\"010001*\"],"
	    "\"peers\":[\"a.example.org\",\"b\"],\"gsids\":[7,4294967295],\"impi\":true,\"gba_u\":true}");
	ck_assert_mem_eq(&again, &naf, sizeof naf);
	free(text);
	json_decref(printed);
}
END_TEST

static const struct {
	const char *form, *says;
} bad[] = {
	{ "[]", "expected an object" },
	{ "{}", "fqdn: is missing" },
	{ "{\"fqdn\":\"Nafkc.example.org\"}", "fqdn: expected" },
	{ "{\"fqdn\":\"example\"}", "fqdn: expected" },
	{ "{\"fqdn\":7}", "fqdn: expected" },
	{ "{\"fqdn\":\"a.b\",\"peers\":[\"c\"]}", "protocols: is missing" },
	{ "{\"fqdn\":\"a.b\",\"peers\":[\"c\"],\"protocols\":[]}", "protocols: is missing" },
	{ "{\"fqdn\":\"a.b\",\"protocols\":[\"0100000002\"]}", "peers: is missing" },
	{ "{\"fqdn\":\"a.b\",\"protocols\":\"0100000002\"}", "protocols: expected a list" },
	{ "{\"fqdn\":\"a.b\",\"protocols\":[\"01000000\"]}", "protocols: value 1" },
	{ "{\"fqdn\":\"a.b\",\"protocols\":[\"0100000002\",\"010000000A\"]}", "protocols: value 2" },
	{ "{\"fqdn\":\"a.b\",\"protocols\":[\"010*\"]}", "protocols: value 1" },
	{ "{\"fqdn\":\"a.b\",\"protocols\":[\"0100000002*\"]}", "protocols: value 1" },
	{ "{\"fqdn\":\"a.b\",\"protocols\":[16777218]}", "protocols: value 1" },
	{ "{\"fqdn\":\"a.b\",\"peers\":[\"C\"]}", "peers: value 1" },
	{ "{\"fqdn\":\"a.b\",\"peers\":[\"\"]}", "peers: value 1" },
	{ "{\"fqdn\":\"a.b\",\"peers\":[\"a b\"]}", "peers: value 1" },
	{ "{\"fqdn\":\"a.b\",\"peers\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "peers: more than 16" },
	{ "{\"fqdn\":\"a.b\",\"gsids\":[-1]}", "gsids: value 1" },
	{ "{\"fqdn\":\"a.b\",\"gsids\":[4294967296]}", "gsids: value 1" },
	{ "{\"fqdn\":\"a.b\",\"gsids\":[\"4294967296\"]}", "gsids: value 1" },
	{ "{\"fqdn\":\"a.b\",\"gsids\":[\"\"]}", "gsids: value 1" },
	{ "{\"fqdn\":\"a.b\",\"impi\":1}", "impi: expected true" },
	{ "{\"fqdn\":\"a.b\",\"gba_u\":\"yes\"}", "gba_u: expected true" },
	{ "{\"fqdn\":\"a.b\",\"hosts\":[\"c\"]}", "hosts: no such member" },
};

START_TEST(bad_forms)
{
	json_t *o = json_loads(bad[_i].form, 0, NULL);
	struct bsf_naf naf;
	char text[128] = "";

	untouched_fill(&naf, sizeof naf);
	ck_rc(bsf_policy_parse_naf(o, &naf, text, sizeof text), RC_SYNTAX);
	ck_assert_msg(strncmp(text, bad[_i].says, strlen(bad[_i].says)) == 0, "%s: %s", bad[_i].form, text);
	ck_assert(untouched(&naf, sizeof naf));
	json_decref(o);
}
END_TEST

static const struct {
	const char *peer, *naf_id;
	enum reason want;
} asked[] = {
	{ "a.example.org", "nafkc.example.org/0100000002", REASON_NONE },
	{ "b", "nafkc.example.org/0100000002", REASON_NONE },
	{ "A.Example.ORG", "nafkc.example.org/0100000002", REASON_NONE },
	{ "a.example.org", "nafkc.example.org/010001c02f", REASON_NONE },
	{ "a.example.org", "nafkc.example.org/0100010000", REASON_NONE },
	{ "a.example.org", "nafkc.example.org/0100000003", REASON_ZN_NOT_ALLOWED },
	{ "a.example.org", "nafkc.example.org/0100020000", REASON_ZN_NOT_ALLOWED },
	{ "c.example.org", "nafkc.example.org/0100000002", REASON_ZN_NOT_ALLOWED },
	{ "a.example.org.", "nafkc.example.org/0100000002", REASON_ZN_NOT_ALLOWED },
	{ "", "nafkc.example.org/0100000002", REASON_ZN_NOT_ALLOWED },
	{ "a.example.org", "other.example.org/0100000002", REASON_ZN_NOT_ALLOWED },
};

START_TEST(who_may_ask)
{
	struct bsf_naf naf = naf_of(FORM);
	struct naf_id id = id_of(asked[_i].naf_id);

	ck_assert_int_eq(bsf_policy_bir(&naf, asked[_i].peer, &id), asked[_i].want);
	ck_assert_int_eq(bsf_policy_bir(NULL, asked[_i].peer, &id), REASON_ZN_NOT_ALLOWED);
}
END_TEST

START_TEST(star_alone_is_every_protocol)
{
	struct bsf_naf naf = naf_of("{\"fqdn\":\"a.b\",\"protocols\":[\"*\"],\"peers\":[\"c\"]}");
	struct naf_id id = id_of("a.b/ff12345678");

	ck_assert_int_eq(bsf_policy_bir(&naf, "c", &id), REASON_NONE);
}
END_TEST

START_TEST(gsids_are_filtered)
{
	struct bsf_naf naf = naf_of(FORM);
	static const uint32_t want[] = { 8, 7, 7, UINT32_MAX, 0 };
	uint32_t got[5];

	ck_assert_uint_eq(bsf_policy_gsids(&naf, want, 5, got), 2);
	ck_assert_uint_eq(got[0], 7);
	ck_assert_uint_eq(got[1], UINT32_MAX);
	ck_assert_uint_eq(bsf_policy_gsids(&naf, want, 1, got), 0);
	ck_assert_uint_eq(bsf_policy_gsids(&naf, want, 0, got), 0);
}
END_TEST

START_TEST(lifetimes)
{
	ck_assert_int_eq(bsf_policy_lifetime(0, 100, 1000), 100);
	ck_assert_int_eq(bsf_policy_lifetime(300, 100, 1000), 300);
	ck_assert_int_eq(bsf_policy_lifetime(3000, 100, 1000), 1000);
	ck_assert_int_eq(bsf_policy_lifetime(0, 3000, 1000), 1000);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd policy");
	TCase *tc = tcase_create("policy");

	tcase_add_test(tc, form_there_and_back);
	tcase_add_loop_test(tc, bad_forms, 0, TABLE_N(bad));
	tcase_add_loop_test(tc, who_may_ask, 0, TABLE_N(asked));
	tcase_add_test(tc, star_alone_is_every_protocol);
	tcase_add_test(tc, gsids_are_filtered);
	tcase_add_test(tc, lifetimes);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
