#include "common/device_id.h"

#include "common/log.h"
#include "test/unit/unit.h"

static const char *const good[] = {
	"a", "urn:uuid:6f1d1c1e-0000-4000-8000-000000000001", "laptop.home", "A_b-c@d+e:f.9", "urn:gsma:imei:49015420-323751-8",
	"urn:gsma:imei:35693803-564380-9", "urn:gsma:imeisv:anything", "urn:gsma:imei",
};
START_TEST(w2_taken_as_it_is)
{
	struct device_id id;

	ck_ok(device_id_parse(span_str(good[_i]), &id));
	ck_assert_str_eq(id.s, good[_i]);
}
END_TEST

static const char *const bad[] = {
	"", " a", "a ", "a b", "a/b", "a;b", "a\nb", "a<b", "a=b", "a,b", "a~b", "\xc3\xa4", "a\"b", "a%20",
	"urn:gsma:imei:49015420-323751-7", "urn:gsma:imei:490154203237518", "urn:gsma:imei:", "urn:gsma:imei:49015420-323751-", "urn:gsma:imei:4901542-3323751-8",
	"urn:gsma:imei:49015420-32375a-8", "urn:gsma:imei:49015420-323751-80", "URN:GSMA:IMEI:49015420-323751-7", "urn:gsma:imei:94015420-323751-8",
};
START_TEST(w2_bad)
{
	struct device_id id;

	untouched_fill(&id, sizeof id);
	ck_assert_msg(device_id_parse(span_str(bad[_i]), &id) == RC_SYNTAX, "%s", bad[_i]);
	ck_assert(untouched(&id, sizeof id));
}
END_TEST

START_TEST(w2_at_most_128)
{
	char text[DEVICE_ID_MAX + 1];
	struct device_id id;

	memset(text, 'x', sizeof text);
	ck_ok(device_id_parse(span_of(text, DEVICE_ID_MAX), &id));
	ck_assert_uint_eq(strlen(id.s), DEVICE_ID_MAX);
	untouched_fill(&id, sizeof id);
	ck_rc(device_id_parse(span_of(text, DEVICE_ID_MAX + 1), &id), RC_RANGE);
	ck_rc(device_id_parse(span_of("a\0b", 3), &id), RC_SYNTAX);
	ck_assert(untouched(&id, sizeof id));
}
END_TEST

static void
no_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

START_TEST(w2_random_is_a_uuid_of_version_4)
{
	static const char form[] = "urn:uuid:hhhhhhhh-hhhh-4hhh-vhhh-hhhhhhhhhhhh";
	struct rnd_seeded r;
	struct device_id id, other;

	log_capture(no_line, NULL);
	rnd_seeded_init(&r, 7);
	for (int i = 0; i < 64; i++) {
		ck_ok(device_id_random(&r.rnd, &id));
		ck_assert_uint_eq(strlen(id.s), sizeof form - 1);
		for (size_t k = 0; k < sizeof form - 1; k++) {
			const char *set = form[k] == 'h' ? "0123456789abcdef" : form[k] == 'v' && k == 28 ? "89ab" : NULL;

			ck_assert(set != NULL ? strchr(set, id.s[k]) != NULL : id.s[k] == form[k]);
		}
		ck_ok(device_id_parse(span_str(id.s), &other));
	}
	ck_ok(device_id_random(rnd_system(), &id));
	ck_ok(device_id_random(rnd_system(), &other));
	ck_assert_str_ne(id.s, other.s);
}
END_TEST

static enum rc
broken(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	(void)out;
	(void)n;
	return RC_CRYPTO;
}

START_TEST(w2_no_randomness_no_identifier)
{
	const struct rnd r = { broken, NULL };
	struct device_id d;
	struct mt_id m;
	struct run_id n;

	ck_rc(device_id_random(&r, &d), RC_CRYPTO);
	ck_rc(mt_id_random(&r, &m), RC_CRYPTO);
	ck_rc(run_id_random(&r, &n), RC_CRYPTO);
}
END_TEST

START_TEST(w3_mt_id)
{
	static const char *const no[] = {
		"", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0", "0123456789ABCDEF0123456789abcdef",
		"0123456789abcdef 123456789abcdef",
	};
	struct mt_id m, back;

	ck_ok(mt_id_random(rnd_system(), &m));
	ck_assert_uint_eq(strlen(m.s), MT_ID_LEN);
	ck_ok(mt_id_parse(span_str(m.s), &back));
	ck_assert_str_eq(m.s, back.s);
	untouched_fill(&back, sizeof back);
	for (int i = 0; i < TABLE_N(no); i++)
		ck_rc(mt_id_parse(span_str(no[i]), &back), RC_SYNTAX);
	ck_assert(untouched(&back, sizeof back));
}
END_TEST

START_TEST(s1_run_id)
{
	static const char *const no[] = { "", "0123456789abcdef0", "A", "g", " 1" };
	struct run_id r, back;

	ck_ok(run_id_random(rnd_system(), &r));
	ck_assert_uint_eq(strlen(r.s), RUN_ID_LEN);
	ck_ok(run_id_parse(span_str(r.s), &back));
	ck_assert_str_eq(r.s, back.s);
	ck_ok(run_id_parse(span_str("7"), &back));
	ck_assert_str_eq(back.s, "7");
	untouched_fill(&back, sizeof back);
	for (int i = 0; i < TABLE_N(no); i++)
		ck_rc(run_id_parse(span_str(no[i]), &back), RC_SYNTAX);
	ck_assert(untouched(&back, sizeof back));
}
END_TEST

START_TEST(a_triple_is_all_three)
{
	const struct triple t = { { "a.b", { 1, 0, 0, 0, 2 } }, { "x@b.c" }, { "d" } };
	struct triple o = t;

	ck_assert(triple_eq(&t, &o));
	o.naf_id.ua[0] = 2;
	ck_assert(!triple_eq(&t, &o));
	o = t;
	o.btid.s[0] = 'y';
	ck_assert(!triple_eq(&t, &o));
	o = t;
	o.device_id.s[0] = 'D';
	ck_assert(!triple_eq(&t, &o));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("device_id");
	TCase *t = tcase_create("W2");

	tcase_add_loop_test(t, w2_taken_as_it_is, 0, TABLE_N(good));
	tcase_add_loop_test(t, w2_bad, 0, TABLE_N(bad));
	tcase_add_test(t, w2_at_most_128);
	tcase_add_test(t, w2_random_is_a_uuid_of_version_4);
	tcase_add_test(t, w2_no_randomness_no_identifier);
	tcase_add_test(t, w3_mt_id);
	tcase_add_test(t, s1_run_id);
	tcase_add_test(t, a_triple_is_all_three);
	suite_add_tcase(s, t);
	return unit_run(s);
}
