/* policy: who is admitted, how a derive is served, who pays. RULES K1 K8 K11 */
#include "test/unit/unit.h"

#include "mtd/policy.h"

#define HOUR_MS 3600000

START_TEST(k8_ways)
{
	static const struct {
		const char *what;
		struct mt_derive_facts f;
		enum mt_derive_way way;
	} t[] = {
		{ "first of all", { "", "", "", "", false, false, false }, MT_WAY_RUN },
		{ "info showed none, and none is there", { "", "", "", "", true, false, false }, MT_WAY_RUN },
		{ "info showed none, one came since", { "B2", "", "", "", true, false, false }, MT_WAY_NEWEST },
		{ "info showed an older one", { "B2", "", "", "B1", true, false, false }, MT_WAY_NEWEST },
		{ "info showed the newest: it wants a newer", { "B2", "", "", "B2", true, false, false }, MT_WAY_RUN },
		{ "no info on this connection", { "B2", "", "", "", false, false, false }, MT_WAY_RUN },
		{ "a run is under way", { "", "", "", "", true, true, false }, MT_WAY_JOIN },
		{ "a run is under way, and it saw the newest", { "B2", "", "", "B2", true, true, false }, MT_WAY_JOIN },
		{ "a run is under way that replaces the stale one", { "B2", "", "B2", "B2", true, true, false }, MT_WAY_JOIN },
		{ "the newest is stale", { "B2", "", "B2", "B2", true, false, false }, MT_WAY_DROP_AND_RUN },
		{ "the newest is stale, no info", { "B2", "", "B2", "", false, false, false }, MT_WAY_DROP_AND_RUN },
		{ "an older one is stale, replaced since", { "B2", "", "B1", "B1", true, false, false }, MT_WAY_NEWEST },
		{ "it was dropped already", { "", "", "B2", "B2", true, false, false }, MT_WAY_RUN },
		{ "optimised", { "B2", "B2", "", "B2", true, false, false }, MT_WAY_NEWEST },
		{ "optimised, while a run is under way", { "B2", "B2", "", "B2", true, true, false }, MT_WAY_NEWEST },
		{ "optimised, older", { "B2", "B1", "", "B1", true, false, false }, MT_WAY_STALE },
		{ "optimised, none is there", { "", "B1", "", "B1", true, false, false }, MT_WAY_STALE },
		{ "optimised, older, while a run is under way", { "", "B1", "", "B1", true, true, false }, MT_WAY_STALE },
		{ "N8: optimised, but that key is dead", { "B2", "B2", "", "B2", true, false, true }, MT_WAY_STALE },
		{ "N8: dead, and not shown", { "B2", "", "", "", true, false, true }, MT_WAY_RUN },
		{ "N8: dead, and called stale: others keep it", { "B2", "", "B2", "B2", true, false, true }, MT_WAY_RUN },
		{ "N8: dead, a run is under way", { "B2", "", "", "", true, true, true }, MT_WAY_JOIN },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		ck_assert_msg(mt_policy_derive(&t[i].f) == t[i].way, "%s: %d", t[i].what, mt_policy_derive(&t[i].f));
}
END_TEST

START_TEST(k8_bucket)
{
	struct mt_bucket b = mt_policy_bucket_full(6, 0);
	int64_t retry = 0;

	for (int i = 0; i < 6; i++)
		ck_assert(mt_policy_bucket_take(&b, 6, 1000, &retry));
	ck_assert(!mt_policy_bucket_take(&b, 6, 1000, &retry));
	ck_assert_int_ge(retry, 595);		/* one in ten minutes */
	ck_assert_int_le(retry, 600);
	ck_assert(!mt_policy_bucket_take(&b, 6, 500 * 1000, &retry));
	ck_assert(mt_policy_bucket_take(&b, 6, 1000 + 600 * 1000, &retry));
	ck_assert(!mt_policy_bucket_take(&b, 6, 1000 + 600 * 1000, &retry));
	/* what it says is enough to wait */
	ck_assert(mt_policy_bucket_take(&b, 6, 1000 + (600 + retry) * 1000, &retry));
}
END_TEST

START_TEST(k8_bucket_full_after_an_hour_and_no_fuller)
{
	struct mt_bucket b = mt_policy_bucket_full(6, 0);
	int64_t retry;

	for (int i = 0; i < 6; i++)
		ck_assert(mt_policy_bucket_take(&b, 6, 0, &retry));
	for (int i = 0; i < 6; i++)
		ck_assert(mt_policy_bucket_take(&b, 6, INT64_C(1000) * HOUR_MS, &retry));
	ck_assert(!mt_policy_bucket_take(&b, 6, INT64_C(1000) * HOUR_MS, &retry));
}
END_TEST

/* Asking each second brings as much as asking once. */
START_TEST(k8_bucket_asked_often)
{
	struct mt_bucket b = { 0, 0 };
	int64_t retry;
	int got = 0;

	for (int64_t t = 0; t <= HOUR_MS + 7; t += 7)
		got += mt_policy_bucket_take(&b, 6, t, &retry);
	ck_assert_int_eq(got, 6);
}
END_TEST

START_TEST(k8_bucket_clock_back)
{
	struct mt_bucket b = { 0, 10 * HOUR_MS };
	int64_t retry;

	ck_assert(!mt_policy_bucket_take(&b, 6, HOUR_MS, &retry));
	ck_assert(!mt_policy_bucket_take(&b, 6, HOUR_MS + 1, &retry));
	ck_assert(mt_policy_bucket_take(&b, 6, 2 * HOUR_MS, &retry));
}
END_TEST

START_TEST(k8_bucket_smaller_rate_and_giving_back)
{
	struct mt_bucket b = mt_policy_bucket_full(100, 0);
	int64_t retry;

	ck_assert(mt_policy_bucket_take(&b, 1, 1, &retry));	/* the configuration allows one now */
	ck_assert(!mt_policy_bucket_take(&b, 1, 1, &retry));
	mt_policy_bucket_give(&b, 1, 1);
	mt_policy_bucket_give(&b, 1, 1);
	ck_assert(mt_policy_bucket_take(&b, 1, 1, &retry));
	ck_assert(!mt_policy_bucket_take(&b, 1, 1, &retry));
}
END_TEST

START_TEST(k11_admission)
{
	struct mt_conf c = { .n_devices = 2, .devices = { { "urn:x:1" }, { "urn:x:2" } } };
	struct device_id none = { "" }, one = { "urn:x:1" }, other = { "urn:x:3" }, upper = { "URN:X:1" };

	ck_assert_int_eq(mt_policy_admission(&c, &one, MT_UNDECIDED), MT_ADMIT);
	ck_assert_int_eq(mt_policy_admission(&c, &other, MT_UNDECIDED), MT_ADMIT_UNLISTED);
	ck_assert_int_eq(mt_policy_admission(&c, &upper, MT_UNDECIDED), MT_ADMIT_UNLISTED);
	ck_assert_int_eq(mt_policy_admission(&c, &none, MT_UNDECIDED), MT_ADMIT_UNLISTED);	/* not told = not admitted … */
	/* the user's word comes first */
	ck_assert_int_eq(mt_policy_admission(&c, &one, MT_REFUSED), MT_ADMIT_REFUSED);
	ck_assert_int_eq(mt_policy_admission(&c, &other, MT_ALLOWED), MT_ADMIT);
	c.device_policy = MT_DEVICES_ASK;
	ck_assert_int_eq(mt_policy_admission(&c, &one, MT_UNDECIDED), MT_ADMIT);
	ck_assert_int_eq(mt_policy_admission(&c, &other, MT_UNDECIDED), MT_ADMIT_ASK);
	ck_assert_int_eq(mt_policy_admission(&c, &other, MT_ALLOWED), MT_ADMIT);
	ck_assert_int_eq(mt_policy_admission(&c, &other, MT_REFUSED), MT_ADMIT_REFUSED);
	ck_assert_int_eq(mt_policy_admission(&c, &none, MT_UNDECIDED), MT_ADMIT_UNLISTED);	/* nobody is asked about nobody */
	c.device_policy = MT_DEVICES_ANY;
	ck_assert_int_eq(mt_policy_admission(&c, &none, MT_UNDECIDED), MT_ADMIT);		/* … unless the policy is any */
	ck_assert_int_eq(mt_policy_admission(&c, &other, MT_UNDECIDED), MT_ADMIT);
	ck_assert_int_eq(mt_policy_admission(&c, &other, MT_REFUSED), MT_ADMIT_REFUSED);
}
END_TEST

START_TEST(k1_offers)
{
	struct mt_conf c = { .n_nafs = 1 };
	struct naf_id other_protocol, other_name;

	ck_ok(naf_id_parse(span_str("naf.example.org/0100000002"), &c.nafs[0]));
	ck_ok(naf_id_parse(span_str("naf.example.org/0100000003"), &other_protocol));
	ck_ok(naf_id_parse(span_str("naf2.example.org/0100000002"), &other_name));
	ck_assert(mt_policy_offers(&c, NULL, &c.nafs[0]));
	ck_assert(!mt_policy_offers(&c, NULL, &other_protocol));
	ck_assert(!mt_policy_offers(&c, NULL, &other_name));
	c.naf_any = true;
	ck_assert(mt_policy_offers(&c, NULL, &other_name));
}
END_TEST

/* Configured, then the card's, each once, and never more than devices read. */
START_TEST(k1_naf_ids_of_conf_and_card)
{
	struct mt_usim_info info = { .app = { { .n_nafkca = 2, .nafkca = { "b.example.org", "a.example.org" } },
		{ .n_nafkca = 2, .nafkca = { "b.example.org", "c.example.org" } } } };
	struct mt_conf c = { .n_nafs = 1 };
	struct naf_id out[MT_NAFS_MAX];
	static const char *const want[] = { "a.example.org/0100000002", "b.example.org/0100000002", "c.example.org/0100000002" };
	char text[NAF_ID_TEXT_MAX + 1];

	mt_policy_defaults(&c);
	ck_ok(naf_id_parse(span_str(want[0]), &c.nafs[0]));
	ck_assert_uint_eq(mt_policy_nafs(&c, NULL, out), 1);
	ck_assert_uint_eq(mt_policy_nafs(&c, &info, out), 3);
	for (int i = 0; i < 3; i++) {
		naf_id_print(&out[i], text);
		ck_assert_str_eq(text, want[i]);
		ck_assert(mt_policy_offers(&c, &info, &out[i]));
		ck_assert(mt_policy_offers(&c, NULL, &out[i]) == (i == 0));
	}
	for (c.n_nafs = 0; c.n_nafs < MT_NAFS_MAX - 1; c.n_nafs++) {
		(void)snprintf(text, sizeof text, "n%zu.example.org/0100000002", c.n_nafs);
		ck_ok(naf_id_parse(span_str(text), &c.nafs[c.n_nafs]));
	}
	ck_assert_uint_eq(mt_policy_nafs(&c, &info, out), MT_NAFS_MAX);
	ck_assert_str_eq(out[MT_NAFS_MAX - 1].fqdn, "b.example.org");
}
END_TEST

START_TEST(which_application)
{
	struct mt_usim_info both = { .app = { { .aid_len = 7 }, { .aid_len = 7 } } }, usim = { .app = { { .aid_len = 7 } } };
	struct mt_conf c = { .n_isim_nafs = 1 };
	struct naf_id a, b;

	ck_ok(naf_id_parse(span_str("a.example.org/0100000002"), &a));
	ck_ok(naf_id_parse(span_str("b.example.org/0100000002"), &b));
	c.isim_nafs[0] = b;
	ck_assert_int_eq(mt_policy_app(&c, &both, &a), MT_APP_USIM);
	ck_assert_int_eq(mt_policy_app(&c, &both, &b), MT_APP_ISIM);
	ck_assert_int_eq(mt_policy_app(&c, &usim, &b), MT_APP_USIM);
	c.isim_any = true;
	ck_assert_int_eq(mt_policy_app(&c, &both, &a), MT_APP_ISIM);
	ck_assert_int_eq(mt_policy_app(&c, &usim, &a), MT_APP_USIM);
}
END_TEST

static const struct {
	enum mt_gba_mode mode;
	bool card, gba_u;
	enum reason why;
} procedures[] = {
	{ MT_GBA_AUTO, true, true, REASON_NONE }, { MT_GBA_AUTO, false, false, REASON_NONE },
	{ MT_GBA_ME, true, false, REASON_NONE }, { MT_GBA_ME, false, false, REASON_NONE },
	{ MT_GBA_U, true, true, REASON_NONE }, { MT_GBA_U, false, false, REASON_CARD_NO_GBA_U },
};
START_TEST(which_procedure)
{
	struct mt_usim_app app = { .gba = procedures[_i].card };
	struct mt_conf c = { .gba = procedures[_i].mode };
	bool gba_u;

	ck_assert_int_eq(mt_policy_gba_u(&c, &app, &gba_u), procedures[_i].why);
	ck_assert(gba_u == procedures[_i].gba_u);
}
END_TEST

START_TEST(k11_loopback)
{
	static const struct {
		const char *address;
		bool loopback;
	} t[] = {
		{ "tcp:127.0.0.1:0", true }, { "tcp:127.1.2.3:7259", true }, { "tcp:[::1]:7259", true }, { "unix:/run/x", true },
		{ "tcp:0.0.0.0:0", false }, { "tcp:[::]:0", false }, { "tcp:192.0.2.1:7259", false }, { "tcp:[::1:2]:7259", false },
		{ "tcp:12.7.0.1:1", false }, { "", false }, { "serial:/dev/ttyUSB0", true },
	};

	ck_assert_msg(mt_policy_is_loopback(t[_i].address) == t[_i].loopback, "%s", t[_i].address);
}
END_TEST

START_TEST(defaults)
{
	struct mt_conf c = { .ks_min_left_s = 0 }, set = { .ks_min_left_s = 5, .runs_per_hour = 1, .runs_per_hour_device = 2, .unused_keys_max = 9 };

	mt_policy_defaults(&c);
	ck_assert_int_eq(c.ks_min_left_s, 60);
	ck_assert_uint_eq(c.runs_per_hour, 30);
	ck_assert_uint_eq(c.runs_per_hour_device, 6);
	ck_assert_uint_eq(c.unused_keys_max, 4);
	ck_assert_str_eq(c.ub.user_agent, MT_USER_AGENT);
	mt_policy_defaults(&set);
	ck_assert_int_eq(set.ks_min_left_s, 5);
	ck_assert_uint_eq(set.runs_per_hour, 1);
	ck_assert_uint_eq(set.runs_per_hour_device, 2);
	ck_assert_uint_eq(set.unused_keys_max, 9);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/policy");
	TCase *t = tcase_create("policy");

	tcase_add_test(t, k8_ways);
	tcase_add_test(t, k8_bucket);
	tcase_add_test(t, k8_bucket_full_after_an_hour_and_no_fuller);
	tcase_add_test(t, k8_bucket_asked_often);
	tcase_add_test(t, k8_bucket_clock_back);
	tcase_add_test(t, k8_bucket_smaller_rate_and_giving_back);
	tcase_add_test(t, k11_admission);
	tcase_add_test(t, k1_offers);
	tcase_add_test(t, k1_naf_ids_of_conf_and_card);
	tcase_add_test(t, which_application);
	tcase_add_loop_test(t, which_procedure, 0, TABLE_N(procedures));
	tcase_add_loop_test(t, k11_loopback, 0, 11);
	tcase_add_test(t, defaults);
	suite_add_tcase(s, t);
	return unit_run(s);
}
