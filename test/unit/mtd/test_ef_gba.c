/* EF_GBABP, EF_GBANL, texts; and the answers of AUTHENTICATE's GBA context. */
#include "mtd/ef_gba.h"

#include "mtd/apdu.h"
#include "test/unit/vectors.h"

static uint8_t buf[512];

static struct span
octets(const char *hex)
{
	struct span text = span_str(hex);

	ck_assert(text.n / 2 <= sizeof buf);
	ck_ok(hex_parse(text, buf, text.n / 2));
	return (struct span){ buf, text.n / 2 };
}

START_TEST(vectors_of_derive_py)
{
	json_t *doc = vectors_load();
	struct span naf_id, btid;
	struct mt_gbabp bp;
	uint8_t out[256];
	size_t n;

	ck_ok(mt_ef_gbabp_parse(octets(vec_str(doc, "computed.usim.ef_gbabp")), &bp));
	vec_eq(doc, "computed.base.rand", bp.rand);
	ck_assert(span_eq_str(bp.btid, vec_str(doc, "computed.base.b_tid")));
	ck_assert(span_eq_str(bp.lifetime, "2030-01-01T12:00:00Z"));
	ck_ok(mt_ef_gbabp_print_tail(bp.btid, bp.lifetime, out, sizeof out, &n));
	ck_assert(span_eq(span_of(out, n), span_of(buf + MT_EF_GBABP_TAIL, n)));
	ck_assert_uint_eq(MT_EF_GBABP_TAIL + n, strlen(vec_str(doc, "computed.usim.ef_gbabp")) / 2);
	ck_ok(mt_ef_gbanl_parse(octets(vec_str(doc, "computed.usim.ef_gbanl_record_unpadded")), &naf_id, &btid));
	ck_assert_uint_eq(naf_id.n, 47);
	ck_assert(span_eq_str(btid, vec_str(doc, "computed.base.b_tid")));
	ck_ok(mt_ef_gbanl_print(naf_id, btid, out, 160));
	vec_eq(doc, "computed.usim.ef_gbanl_record_unpadded", span_of(out, strlen(vec_str(doc, "computed.usim.ef_gbanl_record_unpadded")) / 2));
	ck_assert_uint_eq(out[159], 0xff);
	json_decref(doc);
}
END_TEST

#define RAND "10000102030405060708090a0b0c0d0e0f"

static const struct {
	const char *hex;
	enum rc rc;
	size_t btid, lifetime;
} gbabps[] = {
	{ "", RC_NOTFOUND, 0, 0 }, { "ffff", RC_NOTFOUND, 0, 0 }, { "0000", RC_NOTFOUND, 0, 0 },
	{ RAND, RC_OK, 0, 0 }, { RAND "ffffff", RC_OK, 0, 0 }, { RAND "0000ff", RC_OK, 0, 0 }, { RAND "0161ff", RC_OK, 1, 0 },
	{ RAND "01610262", RC_SYNTAX, 0, 0 }, { RAND "0261", RC_SYNTAX, 0, 0 }, { "0f000102030405060708090a0b0c0d0e0f", RC_SYNTAX, 0, 0 },
	{ "1000", RC_SYNTAX, 0, 0 }, { RAND "016102626300", RC_OK, 1, 2 },
};
START_TEST(gbabp)
{
	struct mt_gbabp bp;

	untouched_fill(&bp, sizeof bp);
	ck_rc(mt_ef_gbabp_parse(octets(gbabps[_i].hex), &bp), gbabps[_i].rc);
	if (gbabps[_i].rc != RC_OK)
		ck_assert(untouched(&bp, sizeof bp));
	else
		ck_assert(bp.rand.n == 16 && bp.btid.n == gbabps[_i].btid && bp.lifetime.n == gbabps[_i].lifetime);
}
END_TEST

START_TEST(limits_of_printing)
{
	uint8_t out[600], big[600] = { 0 };
	size_t n = 7;

	untouched_fill(out, sizeof out);
	ck_rc(mt_ef_gbabp_print_tail(span_of(big, 255), span_of(big, 1), out, sizeof out, &n), RC_RANGE);
	ck_rc(mt_ef_gbabp_print_tail(span_of(big, 1), span_of(big, 255), out, sizeof out, &n), RC_RANGE);
	ck_rc(mt_ef_gbabp_print_tail(span_of(big, 10), span_of(big, 10), out, 21, &n), RC_RANGE);
	ck_rc(mt_ef_gbanl_print(span_of(big, 78), span_of(big, 79), out, 160), RC_RANGE);
	ck_rc(mt_ef_gbanl_print(span_of(big, 300), span_of(big, 1), out, 600), RC_RANGE);
	ck_rc(mt_ef_text_print(span_of(big, 127), out, 128), RC_RANGE);
	ck_assert(untouched(out, sizeof out) && n == 7);
	ck_ok(mt_ef_gbabp_print_tail(span_of(big, 10), span_of(big, 10), out, 22, &n));
	ck_assert_uint_eq(n, 22);
	ck_ok(mt_ef_gbanl_print(span_of(big, 78), span_of(big, 78), out, 160));
	ck_ok(mt_ef_text_print(span_of(big, 126), out, 128));
}
END_TEST

static const char *const bad_records[] = { "810161800161", "80008100", "800161", "8005618101", "8001618201", "5f", "9001618100" };
START_TEST(records_bad)
{
	struct span a, b;

	untouched_fill(&a, sizeof a);
	untouched_fill(&b, sizeof b);
	ck_rc(mt_ef_gbanl_parse(octets(bad_records[_i]), &a, &b), RC_SYNTAX);
	ck_assert(untouched(&a, sizeof a) && untouched(&b, sizeof b));
}
END_TEST

START_TEST(texts)
{
	struct span t;

	ck_ok(mt_ef_text_parse(octets("800361626300ff"), &t));
	ck_assert(span_eq_str(t, "abc"));
	ck_rc(mt_ef_text_parse(octets("ffff"), &t), RC_NOTFOUND);
	ck_rc(mt_ef_text_parse(octets("8103616263"), &t), RC_SYNTAX);
	ck_rc(mt_ef_text_parse(octets("80046162"), &t), RC_SYNTAX);
}
END_TEST

START_TEST(answers_of_the_gba_context)
{
	static const char *const bad[] = { "", "db", "db03a1a2a3", "db04a1a2a3", "db04a1a2a3a400", "dc0d00000000000000000000000000", "de04a1a2a3a4",
		"db11a1a2a3a4a5a6a7a8a1a2a3a4a5a6a7a8a9" };
	json_t *doc = vectors_load();
	struct mt_auth_answer a;
	struct span key;

	ck_ok(mt_gba_bootstrap_parse(octets(vec_str(doc, "computed.usim.response_ok")), &a));
	ck_assert(!a.sync_failure && a.ck.n == 0 && a.ik.n == 0);
	vec_eq(doc, "computed.base.res", a.res);
	ck_ok(mt_gba_bootstrap_parse(octets(vec_str(doc, "computed.usim.response_sync_failure")), &a));
	ck_assert(a.sync_failure);
	vec_eq(doc, "computed.resync.auts", a.auts);
	ck_ok(mt_gba_naf_parse(octets(vec_str(doc, "computed.usim.response_naf")), &key));
	ck_assert_uint_eq(key.n, 32);
	untouched_fill(&a, sizeof a);
	untouched_fill(&key, sizeof key);
	for (int i = 0; i < TABLE_N(bad); i++) {
		ck_rc(mt_gba_bootstrap_parse(octets(bad[i]), &a), RC_SYNTAX);
		ck_rc(mt_gba_naf_parse(octets(bad[i]), &key), RC_SYNTAX);
	}
	ck_rc(mt_gba_naf_parse(octets(vec_str(doc, "computed.usim.response_ok")), &key), RC_SYNTAX);
	ck_assert(untouched(&a, sizeof a) && untouched(&key, sizeof key));
	json_decref(doc);
}
END_TEST

START_TEST(limits_of_commands)
{
	uint8_t big[256] = { 0 };
	struct mt_apdu a;

	untouched_fill(&a, sizeof a);
	ck_rc(mt_apdu_gba_naf(span_of(big, 0), span_of(big, 1), &a), RC_RANGE);
	ck_rc(mt_apdu_gba_naf(span_of(big, 1), span_of(big, 0), &a), RC_RANGE);
	ck_rc(mt_apdu_gba_naf(span_of(big, 252), span_of(big, 1), &a), RC_RANGE);
	ck_rc(mt_apdu_gba_naf(span_of(big, 253), span_of(big, 1), &a), RC_RANGE);
	ck_rc(mt_apdu_update_binary(0, span_of(big, 0), &a), RC_RANGE);
	ck_rc(mt_apdu_update_binary(0, span_of(big, 256), &a), RC_RANGE);
	ck_rc(mt_apdu_update_binary(0x8000, span_of(big, 1), &a), RC_RANGE);
	ck_assert(untouched(&a, sizeof a));
	ck_ok(mt_apdu_gba_naf(span_of(big, 251), span_of(big, 1), &a));
	ck_assert_uint_eq(a.n, MT_APDU_MAX);
	ck_ok(mt_apdu_update_binary(17, span_of(big, 2), &a));
	ck_assert(span_eq(span_of(a.b, a.n), octets("00d60011020000")));
}
END_TEST

START_TEST(aids)
{
	ck_assert(mt_aid_is_isim(octets("a0000000871004ff")));
	ck_assert(!mt_aid_is_isim(octets("a0000000871002ff")));
	ck_assert(!mt_aid_is_isim(octets("a00000008710")));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ef_gba");
	TCase *t = tcase_create("ef_gba");

	tcase_add_test(t, vectors_of_derive_py);
	tcase_add_loop_test(t, gbabp, 0, TABLE_N(gbabps));
	tcase_add_test(t, limits_of_printing);
	tcase_add_loop_test(t, records_bad, 0, TABLE_N(bad_records));
	tcase_add_test(t, texts);
	tcase_add_test(t, answers_of_the_gba_context);
	tcase_add_test(t, limits_of_commands);
	tcase_add_test(t, aids);
	suite_add_tcase(s, t);
	return unit_run(s);
}
