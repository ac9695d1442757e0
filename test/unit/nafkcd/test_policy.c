/* policy: the tables of N2, W4, the lifetime and the rate. */
#include "nafkcd/policy.h"

#include "test/unit/unit.h"

static const uint8_t mine[32] = { 1 }, other[32] = { 2 };

enum who { UNKNOWN, SEEN, SEEN_MINE, SEEN_OTHER, ALLOWED, ALLOWED_MINE, ALLOWED_OTHER, WHO_COUNT };

static const struct nafkc_device *
device(enum who w, struct nafkc_device *d)
{
	*d = (struct nafkc_device){ .state = w >= ALLOWED ? NAFKC_DEVICE_ALLOWED : NAFKC_DEVICE_SEEN };
	d->bound = w != SEEN && w != ALLOWED;
	memcpy(d->spki, w == SEEN_OTHER || w == ALLOWED_OTHER ? other : mine, 32);
	return w == UNKNOWN ? NULL : d;
}

static const enum reason verdicts[3][WHO_COUNT] = {
	[NAFKC_LISTED] = { REASON_UA_NOT_LISTED, REASON_UA_NOT_LISTED, REASON_UA_NOT_LISTED, REASON_UA_NOT_LISTED, REASON_NONE, REASON_NONE,
	    REASON_UA_OTHER_KEY },
	[NAFKC_BIND_FIRST_USE] = { REASON_NONE, REASON_NONE, REASON_NONE, REASON_UA_OTHER_KEY, REASON_NONE, REASON_NONE, REASON_UA_OTHER_KEY },
	[NAFKC_ANY] = { REASON_NONE, REASON_NONE, REASON_NONE, REASON_UA_OTHER_KEY, REASON_NONE, REASON_NONE, REASON_UA_OTHER_KEY },
};

START_TEST(n2_each_mode_against_each_device)
{
	enum nafkc_mode mode = (enum nafkc_mode)(_i / WHO_COUNT);
	enum who w = (enum who)(_i % WHO_COUNT);
	struct nafkc_device d;
	enum reason why = nafkc_policy_device(mode, device(w, &d), mine);

	ck_assert_msg(why == verdicts[mode][w], "mode %d device %d: %s", mode, w, reason_get(why)->code);
}
END_TEST

START_TEST(each_kind_of_block_has_its_reason)
{
	ck_assert_int_eq(nafkc_policy_block(NAFKC_SCOPE_DEVICE), REASON_UA_BLOCKED);
	ck_assert_int_eq(nafkc_policy_block(NAFKC_SCOPE_SPKI), REASON_UA_KEY_BLOCKED);
	ck_assert_int_eq(nafkc_policy_block(NAFKC_SCOPE_ISSUER), REASON_UA_ISSUER_BLOCKED);
}
END_TEST

START_TEST(first_use_lists_and_any_does_not)
{
	struct nafkc_device d;

	ck_assert_int_eq(nafkc_policy_state(NAFKC_BIND_FIRST_USE, NULL), NAFKC_DEVICE_ALLOWED);
	ck_assert_int_eq(nafkc_policy_state(NAFKC_ANY, NULL), NAFKC_DEVICE_SEEN);
	ck_assert_int_eq(nafkc_policy_state(NAFKC_ANY, device(ALLOWED_MINE, &d)), NAFKC_DEVICE_ALLOWED);
	ck_assert_int_eq(nafkc_policy_state(NAFKC_BIND_FIRST_USE, device(SEEN_MINE, &d)), NAFKC_DEVICE_ALLOWED);
	ck_assert_int_eq(nafkc_policy_state(NAFKC_LISTED, device(ALLOWED, &d)), NAFKC_DEVICE_ALLOWED);
}
END_TEST

static const struct naf_id ours[] = { { "a.example", { 1, 0, 0, 0, 2 } }, { "b.example", { 1, 0, 0, 0, 2 } }, { "b.example", { 1, 0, 0, 0, 9 } } };
static const struct {
	const char *naf, *host;		/* naf NULL: the request names none */
	uint8_t ua;			/* last octet, 0 = FQDN alone */
	size_t n;
	enum reason why;
	size_t which;
} nafs[] = {
	{ "a.example", NULL, 0, 3, REASON_NONE, 0 },
	{ "b.example", "a.example", 0, 3, REASON_NONE, 1 },
	{ "b.example", NULL, 9, 3, REASON_NONE, 2 },
	{ "b.example", NULL, 7, 3, REASON_UA_NAF_UNKNOWN, 0 },
	{ "c.example", "a.example", 0, 3, REASON_UA_NAF_UNKNOWN, 0 },
	{ "c.example", NULL, 0, 1, REASON_UA_NAF_UNKNOWN, 0 },
	{ NULL, "b.example:443", 0, 3, REASON_NONE, 1 },
	{ NULL, "B.Example", 0, 3, REASON_NONE, 1 },
	{ NULL, "c.example", 0, 3, REASON_UA_NAF_UNKNOWN, 0 },
	{ NULL, "127.0.0.1:8443", 0, 3, REASON_UA_NAF_UNKNOWN, 0 },
	{ NULL, NULL, 0, 3, REASON_UA_NAF_UNKNOWN, 0 },
	{ NULL, "127.0.0.1:8443", 0, 1, REASON_NONE, 0 },
	{ NULL, "[::1]:8443", 0, 1, REASON_NONE, 0 },
	{ NULL, NULL, 0, 1, REASON_NONE, 0 },
	{ NULL, ":::", 0, 1, REASON_NONE, 0 },
};

START_TEST(w4_which_of_our_naf_ids)
{
	struct uaxml_request q = { .has_fqdn = nafs[_i].naf != NULL, .has_ua = nafs[_i].ua != 0, .naf_id = { "", { 1, 0, 0, 0, nafs[_i].ua } } };
	size_t which = 99;
	enum reason why;

	if (nafs[_i].naf != NULL)
		strcpy(q.naf_id.fqdn, nafs[_i].naf);
	why = nafkc_policy_naf(ours, nafs[_i].n, &q, nafs[_i].host, &which);
	ck_assert_msg(why == nafs[_i].why, "%s", reason_get(why)->code);
	ck_assert_uint_eq(which, why == REASON_NONE ? nafs[_i].which : 99);
}
END_TEST

static const struct {
	int64_t ks, min_left, limit, device;	/* ks: from now */
	enum reason why;
	int64_t expires;			/* from now */
} lifetimes[] = {
	{ 3600, 60, 86400, 0, REASON_NONE, 3600 },		/* the Ks */
	{ 100000, 60, 86400, 0, REASON_NONE, 86400 },		/* the configured limit */
	{ 100000, 60, 86400, 600, REASON_NONE, 600 },		/* the device's own */
	{ 300, 60, 86400, 600, REASON_NONE, 300 },
	{ 60, 60, 86400, 0, REASON_NONE, 60 },
	{ 59, 60, 86400, 0, REASON_UA_KS_SHORT, 0 },		/* K7 */
	{ 0, 0, 86400, 0, REASON_UA_KS_SHORT, 0 },
	{ -5, 60, 86400, 0, REASON_UA_KS_SHORT, 0 },
	{ 1, 0, 86400, 0, REASON_NONE, 1 },
	{ INT64_MAX - 2000000000, 60, INT64_MAX, 0, REASON_NONE, INT64_MAX - 2000000000 },
	{ 3600, 60, 1, INT64_MAX, REASON_NONE, 1 },
};

START_TEST(the_least_of_three_lifetimes_is_given)
{
	int64_t now = 1900000000, out = -1;
	enum reason why = nafkc_policy_lifetime(now, now + lifetimes[_i].ks, lifetimes[_i].min_left, lifetimes[_i].limit, lifetimes[_i].device, &out);

	ck_assert_msg(why == lifetimes[_i].why, "%s", reason_get(why)->code);
	ck_assert_int_eq(out, why == REASON_NONE ? now + lifetimes[_i].expires : -1);
}
END_TEST

START_TEST(a_bucket_holds_a_minute_and_refills_evenly)
{
	struct nafkc_bucket b = { 0 };
	int64_t retry = 0, now = 0;

	for (int i = 0; i < 6; i++)
		ck_assert(nafkc_policy_rate(&b, 6, now, &retry));
	ck_assert(!nafkc_policy_rate(&b, 6, now, &retry));
	ck_assert_int_eq(retry, 10);
	now += 9999;
	ck_assert(!nafkc_policy_rate(&b, 6, now, &retry));
	ck_assert_int_eq(retry, 1);
	now += 1;
	ck_assert(nafkc_policy_rate(&b, 6, now, &retry));
	ck_assert(!nafkc_policy_rate(&b, 6, now, &retry));
	now += 3600 * 1000LL;			/* full again, and no fuller */
	for (int i = 0; i < 6; i++)
		ck_assert(nafkc_policy_rate(&b, 6, now, &retry));
	ck_assert(!nafkc_policy_rate(&b, 6, now, &retry));
	now = INT64_MAX - 1;
	ck_assert(nafkc_policy_rate(&b, 6, now, &retry));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("nafkc_policy");
	TCase *t = tcase_create("policy");

	tcase_add_loop_test(t, n2_each_mode_against_each_device, 0, 3 * WHO_COUNT);
	tcase_add_test(t, each_kind_of_block_has_its_reason);
	tcase_add_test(t, first_use_lists_and_any_does_not);
	tcase_add_loop_test(t, w4_which_of_our_naf_ids, 0, TABLE_N(nafs));
	tcase_add_loop_test(t, the_least_of_three_lifetimes_is_given, 0, TABLE_N(lifetimes));
	tcase_add_test(t, a_bucket_holds_a_minute_and_refills_evenly);
	suite_add_tcase(s, t);
	return unit_run(s);
}
