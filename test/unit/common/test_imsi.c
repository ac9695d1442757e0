#include "common/imsi.h"

#include "test/unit/vectors.h"

START_TEST(names_of_ts_23_003)
{
	json_t *doc = vectors_load(), *base = vec_get(doc, "computed.base");
	unsigned mnc_len = (unsigned)json_integer_value(vec_get(base, "mnc_length"));
	char bsf[FQDN_MAX + 1];
	struct imsi imsi;
	struct impi impi;

	ck_ok(imsi_parse(span_str(vec_str(base, "imsi")), &imsi));
	ck_ok(imsi_to_impi(&imsi, mnc_len, &impi));
	ck_assert_str_eq(impi.s, vec_str(base, "impi"));
	ck_ok(imsi_to_bsf(&imsi, mnc_len, bsf));
	ck_assert_str_eq(bsf, vec_str(base, "bsf_fqdn"));
	ck_ok(impi_to_bsf(&impi, bsf));
	ck_assert_str_eq(bsf, vec_str(base, "bsf_fqdn_from_that_impi"));
	ck_ok(imsi_to_impi(&imsi, 3, &impi));
	ck_assert_str_eq(impi.s, "234150999999999@ims.mnc150.mcc234.3gppnetwork.org");
	json_decref(doc);
}
END_TEST

static const struct {
	const char *impi, *bsf;
} servers[] = {
	{ "user@home1.net", "bsf.home1.net" }, { "u@3gppnetwork.org", "bsf.3gppnetwork.org" },
	{ "u@ims.mnc001.mcc001.pub.3gppnetwork.org", "bsf.ims.mnc001.mcc001.pub.3gppnetwork.org" },
	{ "u@x3gppnetwork.org", "bsf.x3gppnetwork.org" }, { "u@a.3gppnetwork.org", "bsf.a.pub.3gppnetwork.org" },
};
START_TEST(bsf_of_an_impi)
{
	char bsf[FQDN_MAX + 1];
	struct impi impi;

	ck_ok(impi_parse(span_str(servers[_i].impi), &impi));
	ck_ok(impi_to_bsf(&impi, bsf));
	ck_assert_str_eq(bsf, servers[_i].bsf);
}
END_TEST

START_TEST(bsf_name_too_long)
{
	struct impi impi = { "u@" };
	char bsf[FQDN_MAX + 1];

	memset(impi.s + 2, 'a', FQDN_MAX - 4);
	ck_ok(impi_to_bsf(&impi, bsf));
	ck_assert_uint_eq(strlen(bsf), FQDN_MAX);
	impi.s[FQDN_MAX - 2] = 'a';
	untouched_fill(bsf, sizeof bsf);
	ck_rc(impi_to_bsf(&impi, bsf), RC_RANGE);
	memcpy(impi.s + FQDN_MAX - 1 - 16, ".3gppnetwork.org", 17);
	ck_rc(impi_to_bsf(&impi, bsf), RC_RANGE);
	impi.s[0] = '\0';
	ck_rc(impi_to_bsf(&impi, bsf), RC_RANGE);
	ck_assert(untouched(bsf, sizeof bsf));
}
END_TEST

START_TEST(mnc_is_two_or_three_digits)
{
	char bsf[FQDN_MAX + 1];
	struct imsi imsi;
	struct impi impi;

	ck_ok(imsi_parse(span_str("001010"), &imsi));
	ck_ok(imsi_to_bsf(&imsi, 3, bsf));
	ck_assert_str_eq(bsf, "bsf.mnc010.mcc001.pub.3gppnetwork.org");
	untouched_fill(&impi, sizeof impi);
	for (unsigned n = 0; n < 16; n++) {
		if (n == 2 || n == 3)
			continue;
		ck_rc(imsi_to_impi(&imsi, n, &impi), RC_RANGE);
		ck_rc(imsi_to_bsf(&imsi, n, bsf), RC_RANGE);
	}
	ck_assert(untouched(&impi, sizeof impi));
}
END_TEST

static const char *const bad_imsi[] = { "", "12345", "1234567890123456", "12345a", " 123456", "123456 ", "-123456", "+123456" };
START_TEST(imsi_is_6_to_15_digits)
{
	struct imsi imsi;

	untouched_fill(&imsi, sizeof imsi);
	ck_rc(imsi_parse(span_str(bad_imsi[_i]), &imsi), RC_SYNTAX);
	ck_assert(untouched(&imsi, sizeof imsi));
	ck_ok(imsi_parse(span_str("123456789012345"), &imsi));
}
END_TEST

START_TEST(iccid_is_18_to_20_digits)
{
	static const char *const no[] = { "", "12345678901234567", "123456789012345678901", "8944100030999999999f" };
	struct iccid id;

	ck_ok(iccid_parse(span_str("894410003099999999"), &id));
	ck_ok(iccid_parse(span_str("89441000309999999999"), &id));
	ck_assert_str_eq(id.s, "89441000309999999999");
	untouched_fill(&id, sizeof id);
	for (int i = 0; i < TABLE_N(no); i++)
		ck_rc(iccid_parse(span_str(no[i]), &id), RC_SYNTAX);
	ck_assert(untouched(&id, sizeof id));
}
END_TEST

static const char *const bad_impi[] = {
	"", "a", "@b", "a@", "a@b@c", "a b@c", "a\"@c", "a\\@c", "a@b c", "a@b_c", "a\n@c", "\xc3\xa4@c", "a@b:80", "a@b\n",
};
START_TEST(impi_is_what_a_digest_username_can_carry)
{
	struct impi impi;
	char longest[IMPI_MAX + 1];

	untouched_fill(&impi, sizeof impi);
	ck_assert_msg(impi_parse(span_str(bad_impi[_i]), &impi) == RC_SYNTAX, "%s", bad_impi[_i]);
	memset(longest, 'a', sizeof longest);
	longest[1] = '@';
	ck_rc(impi_parse(span_of(longest, IMPI_MAX + 1), &impi), RC_RANGE);
	ck_assert(untouched(&impi, sizeof impi));
	ck_ok(impi_parse(span_of(longest, IMPI_MAX), &impi));
	ck_ok(impi_parse(span_str("user1_private+x@home1.net"), &impi));
	ck_assert_str_eq(impi.s, "user1_private+x@home1.net");
}
END_TEST

START_TEST(tmpi_is_told_by_its_form)
{
	static const char *const no[] = {
		"", "@tmpi.bsf.3gppnetwork.org", "2rBy9bL8T/1NFq7GP5vqj0H26PadfXr8@tmpi.bsf.3gppnetwork.orG",
		"2rBy9bL8T/1NFq7GP5vqj0H26PadfXr8", "2rBy9bL8T/1NFq7GP5vqj0H26Padf@tmpi.bsf.3gppnetwork.org",
		"2rBy9bL8T/1NFq7GP5vqj0H26PadfXr8AAAA@tmpi.bsf.3gppnetwork.org", "2rBy9bL8T/1NFq7GP5vqj0H26PadfX==@tmpi.bsf.3gppnetwork.org",
		"234150999999999@ims.mnc015.mcc234.3gppnetwork.org", "2rBy9bL8T/1NFq7GP5vqj0H26PadfXr8@x.tmpi.bsf.3gppnetwork.org",
	};

	ck_assert(tmpi_is(span_str("2rBy9bL8T/1NFq7GP5vqj0H26PadfXr8@tmpi.bsf.3gppnetwork.org")));
	for (int i = 0; i < TABLE_N(no); i++)
		ck_assert_msg(!tmpi_is(span_str(no[i])), "%s", no[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("imsi");
	TCase *t = tcase_create("imsi");

	tcase_add_test(t, names_of_ts_23_003);
	tcase_add_loop_test(t, bsf_of_an_impi, 0, TABLE_N(servers));
	tcase_add_test(t, bsf_name_too_long);
	tcase_add_test(t, mnc_is_two_or_three_digits);
	tcase_add_loop_test(t, imsi_is_6_to_15_digits, 0, TABLE_N(bad_imsi));
	tcase_add_test(t, iccid_is_18_to_20_digits);
	tcase_add_loop_test(t, impi_is_what_a_digest_username_can_carry, 0, TABLE_N(bad_impi));
	tcase_add_test(t, tmpi_is_told_by_its_form);
	suite_add_tcase(s, t);
	return unit_run(s);
}
