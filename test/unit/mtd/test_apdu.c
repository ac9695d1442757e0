/* APDUs, BER-TLV and FCP: pure builders and parsers. */
#include "mtd/apdu.h"

#include "mtd/fcp.h"
#include "mtd/tlv.h"
#include "test/unit/vectors.h"

static uint8_t buf[1024];

static struct span
octets(const char *hex)
{
	struct span text = span_str(hex);

	ck_assert(text.n / 2 <= sizeof buf);
	ck_ok(hex_parse(text, buf, text.n / 2));
	return (struct span){ buf, text.n / 2 };
}

static const char *
hex_of(struct span s)
{
	static char text[2 * sizeof buf + 1];

	hex_print(s, text);
	return text;
}

static const char *
apdu_hex(const struct mt_apdu *a)
{
	return hex_of((struct span){ a->b, a->n });
}

/* --- commands */

static const struct {
	const char *hex;
	size_t data;
	unsigned le;
} cases[] = {
	{ "00a40004", 0, 0 }, { "00b0000001", 0, 1 }, { "00b0000000", 0, 256 }, { "00a40004023f00", 2, 0 },
	{ "00a40004023f0000", 2, 256 }, { "00a40004023f000a", 2, 10 },
};
START_TEST(four_cases_there_and_back)
{
	struct mt_command c;
	struct mt_apdu a;

	ck_ok(mt_apdu_parse(octets(cases[_i].hex), &c));
	ck_assert_uint_eq(c.data.n, cases[_i].data);
	ck_assert_uint_eq(c.le, cases[_i].le);
	ck_assert_uint_eq(c.ins, buf[1]);
	ck_ok(mt_apdu_print(&c, &a));
	ck_assert_str_eq(apdu_hex(&a), cases[_i].hex);
}
END_TEST

static const char *const bad_apdus[] = {
	"", "00", "00a4", "00a400", "00a40004023f", "00a40004033f00", "00a40004023f000000", "00a40004000000", "00a400040000023f00",
};
START_TEST(lengths_must_fit)
{
	struct mt_command c;

	untouched_fill(&c, sizeof c);
	ck_rc(mt_apdu_parse(octets(bad_apdus[_i]), &c), RC_SYNTAX);
	ck_assert(untouched(&c, sizeof c));
}
END_TEST

START_TEST(largest)
{
	static uint8_t data[256];
	struct mt_command c = { .data = { data, 255 }, .le = 256 };
	struct mt_apdu a;

	ck_ok(mt_apdu_print(&c, &a));
	ck_assert_uint_eq(a.n, MT_APDU_MAX);
	ck_ok(mt_apdu_parse((struct span){ a.b, a.n }, &c));
	ck_assert(c.data.n == 255 && c.le == 256);
	untouched_fill(&a, sizeof a);
	c.le = 257;
	ck_rc(mt_apdu_print(&c, &a), RC_RANGE);
	c = (struct mt_command){ .data = { data, 256 } };
	ck_rc(mt_apdu_print(&c, &a), RC_RANGE);
	ck_assert(untouched(&a, sizeof a));
}
END_TEST

START_TEST(what_the_mt_sends)
{
	uint8_t rand[16], autn[16];
	struct mt_apdu a;

	mt_apdu_select_aid(octets("a0000000871002"), &a);
	ck_assert_str_eq(apdu_hex(&a), "00a4040407a000000087100200");
	mt_apdu_select_fid(0x2fe2, &a);
	ck_assert_str_eq(apdu_hex(&a), "00a40004022fe200");
	mt_apdu_read_binary(0x1234, 256, &a);
	ck_assert_str_eq(apdu_hex(&a), "00b0123400");
	mt_apdu_read_binary(0, 9, &a);
	ck_assert_str_eq(apdu_hex(&a), "00b0000009");
	mt_apdu_read_record(3, 0x40, &a);
	ck_assert_str_eq(apdu_hex(&a), "00b2030440");
	mt_apdu_verify(NULL, &a);
	ck_assert_str_eq(apdu_hex(&a), "00200001");
	mt_apdu_verify("1234", &a);
	ck_assert_str_eq(apdu_hex(&a), "002000010831323334ffffffff");
	mt_apdu_verify("12345678", &a);
	ck_assert_str_eq(apdu_hex(&a), "00200001083132333435363738");
	mt_apdu_get_response(256, &a);
	ck_assert_str_eq(apdu_hex(&a), "00c0000000");
	memset(rand, 0x11, 16);
	memset(autn, 0x22, 16);
	mt_apdu_authenticate(rand, autn, &a);
	ck_assert_str_eq(apdu_hex(&a), "00880081221011111111111111111111111111111111102222222222222222222222222222222200");
}
END_TEST

START_TEST(le_is_corrected_where_there_is_one)
{
	struct mt_apdu a;

	mt_apdu_read_binary(0, 256, &a);
	ck_ok(mt_apdu_with_le(&a, 10));
	ck_assert_str_eq(apdu_hex(&a), "00b000000a");
	mt_apdu_select_fid(0x3f00, &a);
	ck_ok(mt_apdu_with_le(&a, 0x21));
	ck_assert_str_eq(apdu_hex(&a), "00a40004023f0021");
	mt_apdu_verify("1234", &a);
	ck_rc(mt_apdu_with_le(&a, 1), RC_RANGE);
	mt_apdu_verify(NULL, &a);
	ck_rc(mt_apdu_with_le(&a, 1), RC_RANGE);
}
END_TEST

START_TEST(status_words)
{
	unsigned left = 99;

	ck_assert(mt_sw_ok(0x9000) && mt_sw_ok(0x9110) && !mt_sw_ok(0x9001) && !mt_sw_ok(0x6a82) && !mt_sw_ok(0x6100) && !mt_sw_ok(0x9862));
	ck_assert(!mt_sw_tries(0x9000, &left) && !mt_sw_tries(0x6300, &left) && !mt_sw_tries(0x6982, &left) && left == 99);
	ck_assert(mt_sw_tries(0x63c3, &left) && left == 3);
	ck_assert(mt_sw_tries(0x63c0, &left) && left == 0);
	left = 99;
	ck_assert(mt_sw_tries(0x6983, &left) && left == 0);
}
END_TEST

/* --- AUTHENTICATE's answers */

#define RES8 "08a54211d5e3ba50bf"
#define CK16 "10000102030405060708090a0b0c0d0e0f"
#define IK16 "10101112131415161718191a1b1c1d1e1f"

START_TEST(auth_answers)
{
	static const char *const good[] = { "db" RES8 CK16 IK16, "db" RES8 CK16 IK16 "080011223344556677", "db0400112233" CK16 IK16, "db" CK16 CK16 IK16 };
	struct mt_auth_answer a;

	for (int i = 0; i < TABLE_N(good); i++) {
		ck_ok(mt_auth_parse(octets(good[i]), &a));
		ck_assert(!a.sync_failure && a.res.n == buf[1] && a.ck.n == 16 && a.ik.n == 16 && a.ck.p[15] == 0x0f && a.ik.p[0] == 0x10);
	}
	ck_ok(mt_auth_parse(octets("dc0e000102030405060708090a0b0c0d"), &a));
	ck_assert(a.sync_failure && a.auts.n == 14 && a.auts.p[13] == 0x0d);
}
END_TEST

static const char *const bad_answers[] = {
	"", "db", "dc", "da" RES8 CK16 IK16, "db" RES8, "db" RES8 CK16, "db" RES8 CK16 "10101112131415161718191a1b1c1d1e",
	"db" RES8 CK16 IK16 "07001122334455", "db" RES8 CK16 IK16 "08001122334455667788", "db03001122" CK16 IK16,
	"db1100112233445566778899aabbccddeeff00" CK16 IK16, "db" RES8 RES8 IK16, "dc0d000102030405060708090a0b0c", "dc0e000102030405060708090a0b0c",
	"dc0e000102030405060708090a0b0c0d00", "dc0f000102030405060708090a0b0c0d0e", "db00" CK16 IK16,
};
START_TEST(bad_auth_answers)
{
	struct mt_auth_answer a;

	untouched_fill(&a, sizeof a);
	ck_rc(mt_auth_parse(octets(bad_answers[_i]), &a), RC_SYNTAX);
	ck_assert(untouched(&a, sizeof a));
}
END_TEST

/* --- BER-TLV */

START_TEST(tlv_there_and_back)
{
	static const size_t lengths[] = { 0, 1, 127, 128, 255, 256, 600 };
	static uint8_t value[600], out[700];

	for (int i = 0; i < TABLE_N(lengths); i++) {
		for (unsigned tag = 0x80; tag <= 0x9f55; tag += 0x9f55 - 0x80) {
			struct mt_tlv_out o = { out, sizeof out, 0 };
			struct span in, v = { value, lengths[i] }, got;
			uint16_t t;

			mt_tlv_put(&o, (uint16_t)tag, v);
			ck_assert(mt_tlv_fits(&o));
			in = (struct span){ out, o.n };
			ck_assert(mt_tlv_take(&in, &t, &got));
			ck_assert(t == tag && got.n == lengths[i] && in.n == 0);
			o = (struct mt_tlv_out){ out, o.n - 1, 0 };
			mt_tlv_put(&o, (uint16_t)tag, v);
			ck_assert(!mt_tlv_fits(&o));
		}
	}
}
END_TEST

START_TEST(tlv_lengths_as_written)
{
	static uint8_t value[256], out[300];
	struct mt_tlv_out o = { out, sizeof out, 0 };

	mt_tlv_put(&o, 0x80, (struct span){ value, 127 });
	ck_assert(o.n == 129 && out[1] == 127);
	o.n = 0;
	mt_tlv_put(&o, 0x80, (struct span){ value, 128 });
	ck_assert(o.n == 131 && out[1] == 0x81 && out[2] == 128);
	o.n = 0;
	mt_tlv_put(&o, 0x80, (struct span){ value, 256 });
	ck_assert(o.n == 260 && out[1] == 0x82 && out[2] == 1 && out[3] == 0);
	o.n = 0;
	mt_tlv_put(&o, 0x80, (struct span){ value, 0x10000 });
	ck_assert(!mt_tlv_fits(&o));
	o = (struct mt_tlv_out){ out, sizeof out, 0 };
	mt_tlv_put_u8(&o, 0x8a, 5);
	mt_tlv_put_u16(&o, 0x83, 0x6f07);
	ck_assert_str_eq(hex_of((struct span){ out, o.n }), "8a010583026f07");
}
END_TEST

static const char *const bad_tlvs[] = {
	"", "80", "8001", "800200", "8080", "8081", "8100ff", "8082", "808201", "80820100", "80830000010a", "808400000001aa", "9f", "9f81", "9f8101aa",
	"ff", "ff01aa", "ffff01aa", "0001aa", "00", "80ff",
};
START_TEST(tlv_bad)
{
	struct span in = octets(bad_tlvs[_i]), was = in, v;
	uint16_t t;

	if (_i == 6) {		/* 8100ff: a tag 81 of length 0, then padding */
		ck_assert(mt_tlv_take(&in, &t, &v) && t == 0x81 && v.n == 0);
		was = in;
	}
	ck_assert(!mt_tlv_take(&in, &t, &v));
	ck_assert(in.p == was.p && in.n == was.n);
}
END_TEST

START_TEST(tlv_find_stops_at_padding)
{
	struct span v;

	ck_assert(mt_tlv_find(octets("8001aa8102bbcc"), 0x81, &v) && v.n == 2 && v.p[0] == 0xbb);
	ck_assert(mt_tlv_find(octets("8001aa8001bb"), 0x80, &v) && v.p[0] == 0xaa);
	ck_assert(!mt_tlv_find(octets("8001aaff8102bbcc"), 0x81, &v));
	ck_assert(!mt_tlv_find(octets("8001aa"), 0x81, &v));
	ck_assert(!mt_tlv_find((struct span){ NULL, 0 }, 0x81, &v));
	ck_assert(mt_tlv_find(octets("80810181"), 0x80, &v) && v.n == 1);	/* longer than need be is legal BER */
}
END_TEST

/* --- FCP */

static const struct mt_fcp fcps[] = {
	{ .kind = MT_FILE_DF, .fid = 0x3f00, .pin_on = 1 },
	{ .kind = MT_FILE_DF, .fid = 0x7fff, .aid_len = 16, .aid = { 0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, .sfi = 0 },
	{ .kind = MT_FILE_TRANSPARENT, .fid = 0x6f07, .size = 9, .sfi = 7 },
	{ .kind = MT_FILE_TRANSPARENT, .fid = 0x6fd6, .size = 0xffff },
	{ .kind = MT_FILE_LINEAR, .fid = 0x6fda, .record_len = 255, .records = 255, .sfi = 30 },
};
START_TEST(fcp_there_and_back)
{
	uint8_t out[MT_FCP_MAX];
	struct mt_fcp got, want = fcps[_i];

	ck_ok(mt_fcp_parse((struct span){ out, mt_fcp_print(&want, out) }, &got));
	want.read_sc = want.update_sc = want.pin_on = 0;
	ck_assert_mem_eq(&got, &want, sizeof got);
}
END_TEST

/* From a card of the field, shortened: objects in another order, unknown ones, not shareable. */
START_TEST(fcp_of_others)
{
	struct mt_fcp f;

	ck_ok(mt_fcp_parse(octets("621f8202412183026f07a506c001008701018a01058b036f060480020009880138"), &f));
	ck_assert(f.kind == MT_FILE_TRANSPARENT && f.size == 9 && f.sfi == 7 && f.fid == 0x6f07);
	ck_ok(mt_fcp_parse(octets("6207820502210026018002"), &f));
	ck_assert(f.kind == MT_FILE_LINEAR && f.record_len == 38 && f.records == 1);
	ck_ok(mt_fcp_parse(octets("620482023821"), &f));
	ck_assert(f.kind == MT_FILE_DF);
}
END_TEST

static const char *const bad_fcps[] = {
	"", "62", "6200", "620482024121", "6f0482027821", "620483023f00", "62028200", "620382017a", "620482024621",
	"62098205422101000180", "6208820542210100018", "620782054221000001", "62068204422100ff", "620882024121800109",
	"6209820241218003000009", "62098202782183033f0000", "6206820278218400", "62178202782184110011223344556677889900112233445566",
	"620582027821",
};
START_TEST(fcp_bad)
{
	struct mt_fcp f;
	struct span text = span_str(bad_fcps[_i]);

	untouched_fill(&f, sizeof f);
	text.n &= ~(size_t)1;
	ck_ok(hex_parse(text, buf, text.n / 2));
	ck_assert_msg(mt_fcp_parse((struct span){ buf, text.n / 2 }, &f) == RC_SYNTAX, "%s", bad_fcps[_i]);
	ck_assert(untouched(&f, sizeof f));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("apdu");
	TCase *t = tcase_create("apdu");

	tcase_add_loop_test(t, four_cases_there_and_back, 0, TABLE_N(cases));
	tcase_add_loop_test(t, lengths_must_fit, 0, TABLE_N(bad_apdus));
	tcase_add_test(t, largest);
	tcase_add_test(t, what_the_mt_sends);
	tcase_add_test(t, le_is_corrected_where_there_is_one);
	tcase_add_test(t, status_words);
	tcase_add_test(t, auth_answers);
	tcase_add_loop_test(t, bad_auth_answers, 0, TABLE_N(bad_answers));
	tcase_add_test(t, tlv_there_and_back);
	tcase_add_test(t, tlv_lengths_as_written);
	tcase_add_loop_test(t, tlv_bad, 0, TABLE_N(bad_tlvs));
	tcase_add_test(t, tlv_find_stops_at_padding);
	tcase_add_loop_test(t, fcp_there_and_back, 0, TABLE_N(fcps));
	tcase_add_test(t, fcp_of_others);
	tcase_add_loop_test(t, fcp_bad, 0, TABLE_N(bad_fcps));
	suite_add_tcase(s, t);
	return unit_run(s);
}
