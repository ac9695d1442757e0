/* policy: K1's choice, and what follows on a refusal. */
#include "extdevd/policy.h"
#include "test/unit/unit.h"

#define A "a.example.org/0100000002"
#define B "b.example.org/0100000002"
#define B7 "b.example.org/0100000007"
#define C "c.example.org/0100000002"

static const struct {
	const char *own[3], *mt[3], *want;
	bool prefer_own;
	const char *chosen;	/* NULL = none */
} choices[] = {
	{ { A, B }, { A, B }, NULL, false, A },
	{ { A, B }, { B, A }, NULL, false, B },		/* the MT's order */
	{ { A, B }, { B, A }, NULL, true, A },		/* ours */
	{ { A, B }, { C, B }, NULL, false, B },
	{ { B, A }, { C, A }, NULL, true, A },
	{ { A, B }, { NULL }, NULL, false, A },		/* an empty list: our first */
	{ { A, B }, { NULL }, NULL, true, A },
	{ { A }, { B }, NULL, false, NULL },
	{ { A }, { B }, NULL, true, NULL },
	{ { B }, { B7 }, NULL, false, NULL },		/* other octets are another NAF_ID */
	{ { NULL }, { A }, NULL, false, NULL },
	{ { NULL }, { NULL }, NULL, false, NULL },
	{ { A, B }, { A, B }, B, false, B },
	{ { A, B }, { A }, B, false, NULL },		/* wanted, but not offered */
	{ { A }, { A, B }, B, false, NULL },		/* wanted, but not ours */
	{ { A, B }, { NULL }, B, false, B },
};

static size_t
fill(const char *const *texts, struct naf_id *out, size_t stride)
{
	size_t n = 0;

	for (; n < 3 && texts[n] != NULL; n++)
		ck_ok(naf_id_parse(span_str(texts[n]), (struct naf_id *)(void *)((char *)out + n * stride)));
	return n;
}

START_TEST(K1_choice)
{
	struct extdev_center_conf centers[3] = { { .url = NULL } };
	struct extdev_conf c = { .centers = centers, .prefer_own = choices[_i].prefer_own };
	struct localif_info_ok info = { 0 };
	struct naf_id want;
	char text[NAF_ID_TEXT_MAX + 1];
	size_t i = 99;
	enum rc rc;

	c.n_centers = fill(choices[_i].own, &centers[0].naf_id, sizeof centers[0]);
	info.n_naf_ids = fill(choices[_i].mt, info.naf_ids, sizeof info.naf_ids[0]);
	if (choices[_i].want != NULL)
		ck_ok(naf_id_parse(span_str(choices[_i].want), &want));
	rc = extdev_choose(&c, &info, choices[_i].want != NULL ? &want : NULL, &i);
	if (choices[_i].chosen == NULL) {
		ck_assert_int_eq(rc, RC_NOTFOUND);
		ck_assert_uint_eq(i, 99);
		return;
	}
	ck_assert_int_eq(rc, RC_OK);
	naf_id_print(&centers[i].naf_id, text);
	ck_assert_str_eq(text, choices[_i].chosen);
}
END_TEST

START_TEST(K1_both_lists_in_the_text)
{
	struct extdev_center_conf centers[1] = { { .url = NULL } };
	struct extdev_conf c = { .centers = centers, .n_centers = 1 };
	struct localif_info_ok info = { .n_naf_ids = 2 };
	char text[200];

	ck_ok(naf_id_parse(span_str(A), &centers[0].naf_id));
	ck_ok(naf_id_parse(span_str(B), &info.naf_ids[0]));
	ck_ok(naf_id_parse(span_str(C), &info.naf_ids[1]));
	extdev_choose_text(&c, &info, text, sizeof text);
	ck_assert_str_eq(text, "the MT offers " B " " C "; we trust " A);
	for (size_t cap = 1; cap < sizeof text; cap++) {		/* cut, never beyond */
		untouched_fill(text, sizeof text);
		extdev_choose_text(&c, &info, text, cap);
		ck_assert_uint_lt(strlen(text), cap);
		ck_assert(untouched(text + cap, sizeof text - cap));
	}
	info.n_naf_ids = 0;
	extdev_choose_text(&c, &info, text, sizeof text);
	ck_assert_str_eq(text, "the MT offers none; we trust " A);
}
END_TEST

static const struct {
	enum reason why;
	enum extdev_next next;
} mt[] = {
	{ REASON_LOCAL_STALE_BTID, EXTDEV_INFO_AGAIN }, { REASON_LOCAL_UNKNOWN_KEY, EXTDEV_INFO_AGAIN }, { REASON_LOCAL_BUSY, EXTDEV_GIVE_UP },
	{ REASON_LOCAL_REFUSED, EXTDEV_GIVE_UP }, { REASON_LOCAL_NO_UICC, EXTDEV_GIVE_UP }, { REASON_LOCAL_KEY_MISMATCH, EXTDEV_GIVE_UP },
	{ REASON_LOCAL_NAF_NOT_OFFERED, EXTDEV_GIVE_UP }, { REASON_LOCAL_TIMEOUT, EXTDEV_GIVE_UP }, { REASON_LOCAL_GONE, EXTDEV_GIVE_UP },
};

START_TEST(after_the_MT)
{
	ck_assert_int_eq(extdev_after_mt(mt[_i].why), mt[_i].next);
}
END_TEST

static const struct {
	const char *value;
	int64_t s;
} retries[] = {
	{ NULL, 0 }, { "", 0 }, { "0", 0 }, { "5", 5 }, { " 5 ", 5 }, { "3600", 3600 }, { "3601", 3600 }, { "99999999999", 0 }, { "-5", 0 },
	{ "5s", 0 }, { "Fri, 31 Dec 1999 23:59:59 GMT", 0 },
};

START_TEST(N6_retry_after)
{
	ck_assert_int_eq(extdev_retry_after(retries[_i].value), retries[_i].s);
}
END_TEST

START_TEST(transient)
{
	ck_assert(extdev_transient(REASON_LOCAL_BUSY));
	ck_assert(extdev_transient(REASON_LINK_UNREACHABLE));
	ck_assert(extdev_transient(REASON_EXT_NAF_UNAVAILABLE));
	ck_assert(extdev_transient(REASON_EXT_NAF_TOO_MANY));
	ck_assert(extdev_transient(REASON_CLOCK_JUMPED));
	ck_assert(extdev_transient(REASON_BSF_UNREACHABLE));	/* the MT's, in its own words */
	ck_assert(extdev_transient(REASON_CARD_NONE));
	ck_assert(!extdev_transient(REASON_LOCAL_REFUSED));
	ck_assert(!extdev_transient(REASON_EXT_NAF_REFUSED));
	ck_assert(!extdev_transient(REASON_EXT_NO_COMMON_NAF));
	ck_assert(!extdev_transient(REASON_LOCAL_KEY_MISMATCH));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("policy");
	TCase *t = tcase_create("decisions");

	tcase_add_loop_test(t, K1_choice, 0, TABLE_N(choices));
	tcase_add_test(t, K1_both_lists_in_the_text);
	tcase_add_loop_test(t, after_the_MT, 0, TABLE_N(mt));
	tcase_add_loop_test(t, N6_retry_after, 0, TABLE_N(retries));
	tcase_add_test(t, transient);
	suite_add_tcase(s, t);
	return unit_run(s);
}
