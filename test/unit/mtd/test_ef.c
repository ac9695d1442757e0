#include "mtd/ef.h"

#include "test/unit/vectors.h"

static uint8_t buf[256];

static struct span
octets(const char *hex)
{
	struct span text = span_str(hex);

	ck_ok(hex_parse(text, buf, text.n / 2));
	return (struct span){ buf, text.n / 2 };
}

START_TEST(vectors_of_derive_py)
{
	json_t *doc = vectors_load(), *o = vec_get(doc, "computed.usim");
	uint8_t ef_iccid[10], ef_imsi[9];
	struct iccid iccid;
	struct imsi imsi;

	ck_ok(mt_ef_iccid_parse(octets(vec_str(o, "ef_iccid")), &iccid));
	ck_assert_str_eq(iccid.s, vec_str(o, "iccid"));
	mt_ef_iccid_print(&iccid, ef_iccid);
	vec_eq(o, "ef_iccid", (struct span){ ef_iccid, 10 });
	ck_ok(mt_ef_imsi_parse(octets(vec_str(o, "ef_imsi")), &imsi));
	ck_assert_str_eq(imsi.s, vec_str(doc, "computed.base.imsi"));
	mt_ef_imsi_print(&imsi, ef_imsi);
	vec_eq(o, "ef_imsi", (struct span){ ef_imsi, 9 });
	json_decref(doc);
}
END_TEST

static const struct {
	const char *text, *hex;
} iccids[] = {
	{ "894410003099999999", "984401000399999999ff" }, { "8944100030999999999", "984401000399999999f9" }, { "89882110000000000001", "98881201000000000010" },
};
START_TEST(iccid_of_18_to_20_digits)
{
	uint8_t out[10];
	struct iccid id;
	char hex[21];

	ck_ok(iccid_parse(span_str(iccids[_i].text), &id));
	mt_ef_iccid_print(&id, out);
	hex_print((struct span){ out, 10 }, hex);
	ck_assert_str_eq(hex, iccids[_i].hex);
	ck_ok(mt_ef_iccid_parse((struct span){ out, 10 }, &id));
	ck_assert_str_eq(id.s, iccids[_i].text);
}
END_TEST

static const char *const bad_iccids[] = {
	"", "9844010003999999999", "98440100039999999999ff", "ffffffffffffffffffff", "98440100ff9999999999", "9844010003999999f9ff", "9844a100039999999999",
	"9f440100039999999999", "984401000399999999ffff", "98440100039999ffffff", "9844010003999999999f",
};
START_TEST(iccid_bad)
{
	struct span text = span_str(bad_iccids[_i]);
	struct iccid id;

	text.n &= ~(size_t)1;
	ck_ok(hex_parse(text, buf, text.n / 2));
	untouched_fill(&id, sizeof id);
	ck_assert_msg(mt_ef_iccid_parse((struct span){ buf, text.n / 2 }, &id) == RC_SYNTAX, "%s", bad_iccids[_i]);
	ck_assert(untouched(&id, sizeof id));
}
END_TEST

static const struct {
	const char *text, *hex;
} imsis[] = {
	{ "001010000000001", "080910100000000010" }, { "00101000000001", "0801101000000000f1" }, { "123456", "04113254f6ffffffff" }, { "1234567", "0419325476ffffffff" },
};
START_TEST(imsi_even_and_odd)
{
	uint8_t out[9];
	struct imsi imsi;
	char hex[19];

	ck_ok(imsi_parse(span_str(imsis[_i].text), &imsi));
	mt_ef_imsi_print(&imsi, out);
	hex_print((struct span){ out, 9 }, hex);
	ck_assert_str_eq(hex, imsis[_i].hex);
	ck_ok(mt_ef_imsi_parse((struct span){ out, 9 }, &imsi));
	ck_assert_str_eq(imsi.s, imsis[_i].text);
}
END_TEST

static const char *const bad_imsis[] = {
	"", "08", "ffffffffffffffffff", "00ffffffffffffffff", "090910100000000010", "080110100000000010", "080a10100000000010", "080f10100000000010",
	"0809101000000000f0", "08091010f000000010", "0809a0100000000010", "080910100000000", "03191032ffffffffff", "08091010000000ffff", "0809ffffffffffffff",
	"080810100000000010", "0819325476ffffffff",
};
START_TEST(imsi_bad)
{
	struct span text = span_str(bad_imsis[_i]);
	struct imsi imsi;

	text.n &= ~(size_t)1;
	ck_ok(hex_parse(text, buf, text.n / 2));
	untouched_fill(&imsi, sizeof imsi);
	ck_assert_msg(mt_ef_imsi_parse((struct span){ buf, text.n / 2 }, &imsi) == RC_SYNTAX, "%s", bad_imsis[_i]);
	ck_assert(untouched(&imsi, sizeof imsi));
}
END_TEST

START_TEST(ad_tells_the_mnc_length_or_not)
{
	static const char *const no[] = { "", "000000", "00000000", "0000000f", "00000001", "00000004" };
	uint8_t out[4];
	unsigned n = 99;

	for (int i = 0; i < TABLE_N(no); i++)
		ck_rc(mt_ef_ad_parse(octets(no[i]), &n), RC_NOTFOUND);
	ck_assert_uint_eq(n, 99);
	ck_ok(mt_ef_ad_parse(octets("00000002"), &n));
	ck_assert_uint_eq(n, 2);
	ck_ok(mt_ef_ad_parse(octets("80ffff1300"), &n));	/* only the low nibble of octet 4 */
	ck_assert_uint_eq(n, 3);
	mt_ef_ad_print(3, out);
	ck_assert_mem_eq(out, "\0\0\0\3", 4);
}
END_TEST

START_TEST(services_are_bits_from_one)
{
	struct span ust = octets("010080");

	ck_assert(mt_ef_service(ust, 1) && mt_ef_service(ust, 24));
	ck_assert(!mt_ef_service(ust, 2) && !mt_ef_service(ust, 23) && !mt_ef_service(ust, 25) && !mt_ef_service(ust, 0));
	ck_assert(!mt_ef_service(ust, 1000000) && !mt_ef_service((struct span){ NULL, 0 }, 1));
}
END_TEST

#define USIM "a0000000871002ff44ff128900000100"
START_TEST(dir_records)
{
	uint8_t record[40];
	struct span aid, label;

	ck_ok(mt_ef_dir_print(octets(USIM), span_str("USIM"), record, sizeof record));
	ck_ok(mt_ef_dir_parse((struct span){ record, sizeof record }, &aid, &label));
	ck_assert(aid.n == 16 && mt_aid_is_usim(aid) && span_eq_str(label, "USIM"));
	ck_rc(mt_ef_dir_print(octets(USIM), span_str("USIM"), record, 25), RC_RANGE);
	ck_ok(mt_ef_dir_print(octets(USIM), span_str("USIM"), record, 26));
	ck_ok(mt_ef_dir_parse(octets("61094f07a0000000871004ff"), &aid, &label));
	ck_assert(!mt_aid_is_usim(aid) && label.n == 0);
	ck_assert(!mt_aid_is_usim(octets("a00000008710")));
}
END_TEST

static const struct {
	const char *hex;
	enum rc rc;
} bad_dirs[] = {
	{ "", RC_NOTFOUND }, { "ffffffff", RC_NOTFOUND }, { "00000000", RC_NOTFOUND }, { "61", RC_SYNTAX }, { "6100", RC_SYNTAX },
	{ "61094f08a0000000871004", RC_SYNTAX }, { "61024f00", RC_SYNTAX }, { "6203500141", RC_SYNTAX }, { "6103500141", RC_SYNTAX },
	{ "61134f1100112233445566778899aabbccddeeff00", RC_SYNTAX }, { "610a4f07a0000000871002", RC_SYNTAX },
};
START_TEST(dir_bad)
{
	struct span aid, label;

	untouched_fill(&aid, sizeof aid);
	ck_rc(mt_ef_dir_parse(octets(bad_dirs[_i].hex), &aid, &label), bad_dirs[_i].rc);
	ck_assert(untouched(&aid, sizeof aid));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ef");
	TCase *t = tcase_create("ef");

	tcase_add_test(t, vectors_of_derive_py);
	tcase_add_loop_test(t, iccid_of_18_to_20_digits, 0, TABLE_N(iccids));
	tcase_add_loop_test(t, iccid_bad, 0, TABLE_N(bad_iccids));
	tcase_add_loop_test(t, imsi_even_and_odd, 0, TABLE_N(imsis));
	tcase_add_loop_test(t, imsi_bad, 0, TABLE_N(bad_imsis));
	tcase_add_test(t, ad_tells_the_mnc_length_or_not);
	tcase_add_test(t, services_are_bits_from_one);
	tcase_add_test(t, dir_records);
	tcase_add_loop_test(t, dir_bad, 0, TABLE_N(bad_dirs));
	suite_add_tcase(s, t);
	return unit_run(s);
}
