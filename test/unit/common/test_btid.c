#include "common/btid.h"

#include "common/naf_id.h"
#include "test/unit/vectors.h"

START_TEST(w3_made_as_published)
{
	json_t *doc = vectors_load(), *base = vec_get(doc, "computed.base");
	uint8_t rand[16], back[16];
	struct btid b, parsed;

	vec_hex(base, "rand", rand, sizeof rand);
	ck_ok(btid_make(rand, vec_str(base, "bsf_fqdn"), &b));
	ck_assert_str_eq(b.s, vec_str(base, "b_tid"));
	ck_ok(btid_parse(span_str(b.s), &parsed));
	ck_assert_str_eq(parsed.s, b.s);
	ck_ok(btid_rand(&parsed, back));
	ck_assert_mem_eq(back, rand, 16);
	json_decref(doc);
}
END_TEST

static const char *const good[] = {
	"oKGio6SlpqeoqaqrrK2urw==@bsf.example.org", "a@b.c", "d41d8cd98f00b204e9800998ecf8427e@bsf.example.org", "A-_.=+/z@b.c",
};
START_TEST(w3_local_part_is_opaque)
{
	struct btid b;

	ck_ok(btid_parse(span_str(good[_i]), &b));
	ck_assert_str_eq(b.s, good[_i]);
}
END_TEST

static const char *const bad[] = {
	"", "@", "a", "@b.c", "a@", "a@b", "a@B.c", "a@b.c.", "a@@b.c", "a@b@c.d", "a b@c.d", " a@b.c", "a@b.c ", "a:b@c.d", "a\"@b.c", "a@b.c\n",
	"a<b@c.d", "\xc3\xa4@b.c", "a@127.0.0.1", "a%40@b.c",
};
START_TEST(w3_bad)
{
	struct btid b;

	untouched_fill(&b, sizeof b);
	ck_assert_msg(btid_parse(span_str(bad[_i]), &b) == RC_SYNTAX, "%s", bad[_i]);
	ck_assert(untouched(&b, sizeof b));
}
END_TEST

START_TEST(w3_at_most_320)
{
	char text[BTID_MAX + 3];
	struct btid b;

	memset(text, 'x', sizeof text);
	memcpy(text + BTID_MAX - 4, "@b.c", 4);
	ck_ok(btid_parse(span_of(text, BTID_MAX), &b));
	ck_assert_uint_eq(strlen(b.s), BTID_MAX);
	memcpy(text + BTID_MAX - 4, "x@b.c", 5);
	untouched_fill(&b, sizeof b);
	ck_rc(btid_parse(span_of(text, BTID_MAX + 1), &b), RC_RANGE);
	ck_rc(btid_parse(span_of("a\0b@c.d", 7), &b), RC_SYNTAX);
	ck_assert(untouched(&b, sizeof b));
}
END_TEST

START_TEST(make_wants_a_name)
{
	static const uint8_t rand[16] = { 1 };
	char longname[FQDN_MAX + 2];
	struct btid b;

	memset(longname, 'a', sizeof longname);
	longname[FQDN_MAX + 1] = '\0';
	untouched_fill(&b, sizeof b);
	ck_rc(btid_make(rand, longname, &b), RC_RANGE);
	ck_rc(btid_make(rand, "Bsf.example.org", &b), RC_SYNTAX);
	ck_rc(btid_make(rand, "", &b), RC_SYNTAX);
	ck_assert(untouched(&b, sizeof b));
}
END_TEST

static const char *const no_rand[] = {
	"a@b.c", "oKGio6SlpqeoqaqrrK2urw=@b.c", "oKGio6SlpqeoqaqrrK2urx==@b.c", "oKGio6SlpqeoqaqrrK2urw@b.c",
	"oKGio6SlpqeoqaqrrK2ur6A=@b.c", "oKGio6SlpqeoqaqrrK2u@b.c", "oKGio6Slpqeoqaqr-K2urw==@b.c",
};
START_TEST(rand_only_out_of_its_one_spelling)
{
	struct btid b;
	uint8_t rand[16];

	untouched_fill(rand, sizeof rand);
	ck_ok(btid_parse(span_str(no_rand[_i]), &b));
	ck_assert_msg(btid_rand(&b, rand) == RC_SYNTAX, "%s", no_rand[_i]);
	ck_assert(untouched(rand, sizeof rand));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("btid");
	TCase *t = tcase_create("W3");

	tcase_add_test(t, w3_made_as_published);
	tcase_add_loop_test(t, w3_local_part_is_opaque, 0, TABLE_N(good));
	tcase_add_loop_test(t, w3_bad, 0, TABLE_N(bad));
	tcase_add_test(t, w3_at_most_320);
	tcase_add_test(t, make_wants_a_name);
	tcase_add_loop_test(t, rand_only_out_of_its_one_spelling, 0, TABLE_N(no_rand));
	suite_add_tcase(s, t);
	return unit_run(s);
}
