#include "common/naf_id.h"

#include "test/unit/unit.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FQDN253 A63 "." A63 "." A63 ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.org"

static const struct {
	const char *text;
	bool ok;
} names[] = {
	{ "a.b", true }, { "naf.example.org", true }, { "xn--bcher-kva.example", true }, { "1.2.example", true }, { "a-b.c-d", true },
	{ "bsf.mnc015.mcc234.pub.3gppnetwork.org", true }, { A63 ".b", true }, { FQDN253, true }, { "1.a1", true },
	{ "", false }, { "a", false }, { ".", false }, { ".a.b", false }, { "a.b.", false }, { "a..b", false }, { "A.b", false },
	{ "-a.b", false }, { "a-.b", false }, { "a.-b", false }, { "a.b-", false }, { "a_b.c", false }, { "a b.c", false },
	{ "a.b\n", false }, { A63 "a.b", false }, { "a" FQDN253, false }, { "b." FQDN253, false }, { "127.0.0.1", false },
	{ "a.1", false }, { "a.b:80", false }, { "*.b.c", false }, { "b\xc3\xbc.c", false },
};
START_TEST(w3_fqdn)
{
	ck_assert_msg(fqdn_ok(span_str(names[_i].text)) == names[_i].ok, "%s", names[_i].text);
}
END_TEST

START_TEST(w3_text_and_octets)
{
	uint8_t octets[NAF_ID_OCTETS_MAX];
	char text[NAF_ID_TEXT_MAX + 1];
	struct naf_id id, back;
	size_t n;

	ck_ok(naf_id_parse(span_str("keycentre.example.org/010001c02f"), &id));
	ck_assert_str_eq(id.fqdn, "keycentre.example.org");
	ck_assert_mem_eq(id.ua, "\x01\x00\x01\xc0\x2f", 5);
	n = naf_id_octets(&id, octets);
	ck_assert(span_eq((struct span){ octets, n }, span_of("keycentre.example.org\x01\x00\x01\xc0\x2f", 26)));
	ck_ok(naf_id_from_octets((struct span){ octets, n }, &back));
	ck_assert(naf_id_eq(&id, &back));
	naf_id_print(&back, text);
	ck_assert_str_eq(text, "keycentre.example.org/010001c02f");
	back.ua[4] ^= 1;
	ck_assert(!naf_id_eq(&id, &back));
	back = id;
	back.fqdn[0] = 'x';
	ck_assert(!naf_id_eq(&id, &back));
}
END_TEST

START_TEST(w3_longest)
{
	uint8_t octets[NAF_ID_OCTETS_MAX];
	char text[NAF_ID_TEXT_MAX + 1];
	struct naf_id id;

	ck_assert_uint_eq(strlen(FQDN253), FQDN_MAX);
	ck_ok(naf_id_parse(span_str(FQDN253 "/0100000002"), &id));
	ck_assert_uint_eq(naf_id_octets(&id, octets), NAF_ID_OCTETS_MAX);
	naf_id_print(&id, text);
	ck_assert_str_eq(text, FQDN253 "/0100000002");
	ck_assert_uint_eq(strlen(text), NAF_ID_TEXT_MAX);
}
END_TEST

static const char *const bad[] = {
	"", "/", "a.b", "a.b/", "a.b/010000000", "a.b/01000000021", "a.b/010000000200", "a.b/010000000G", "a.b/010000000A", "a.b/0100000002/",
	"a.b//0100000002", "A.b/0100000002", "a.b /0100000002", "a.b/ 100000002", "/0100000002", "a/0100000002", "a.b/0100000002 ",
	"a.b\\0100000002", "a" FQDN253 "/0100000002",
};
START_TEST(w3_bad_text)
{
	struct naf_id id;

	untouched_fill(&id, sizeof id);
	ck_assert_msg(naf_id_parse(span_str(bad[_i]), &id) == RC_SYNTAX, "%s", bad[_i]);
	ck_assert(untouched(&id, sizeof id));
}
END_TEST

static const struct {
	const char *p;
	size_t n;
} bad_octets[] = {
	{ "", 0 }, { "\1\0\0\0\2", 5 }, { "a.b\1\0\0\0", 7 }, { "A.b\1\0\0\0\2", 8 }, { "a\0.b\1\0\0\0\2", 9 }, { "a.b\0\1\0\0\0\2", 9 },
	{ "a.b.\1\0\0\0\2", 9 },
};
START_TEST(w3_bad_octets)
{
	struct naf_id id;

	untouched_fill(&id, sizeof id);
	ck_rc(naf_id_from_octets(span_of(bad_octets[_i].p, bad_octets[_i].n), &id), RC_SYNTAX);
	ck_assert(untouched(&id, sizeof id));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("naf_id");
	TCase *t = tcase_create("W3");

	tcase_add_loop_test(t, w3_fqdn, 0, TABLE_N(names));
	tcase_add_test(t, w3_text_and_octets);
	tcase_add_test(t, w3_longest);
	tcase_add_loop_test(t, w3_bad_text, 0, TABLE_N(bad));
	tcase_add_loop_test(t, w3_bad_octets, 0, TABLE_N(bad_octets));
	suite_add_tcase(s, t);
	return unit_run(s);
}
