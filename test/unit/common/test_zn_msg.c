#include "common/zn_msg.h"

#include "common/hex.h"
#include "test/unit/unit.h"

#define S(text) span_of(text, sizeof (text) - 1)
static const struct zn_self naf = { "nafkc.example.org", "example.org" }, bsf = { "bsf.example.org", "example.org" };

/* Both from a second implementation, test/conform/dia.py. */
static const char bir_hex[] =
    "01000144c0000136010000040102030405060708000001074000001d6e61666b632e6578616d706c652e6f72673b313b3700000000000104"
    "400000200000010a4000000c000028af000001024000000c0100000400000108400000196e61666b632e6578616d706c652e6f7267000000"
    "00000128400000136578616d706c652e6f7267000000011b400000136578616d706c652e6f72670000000125400000176273662e6578616d"
    "706c652e6f72670000000193c000000d000028af3700000000000193c0000016000028af34323934393637323935000000000191c0000034"
    "000028af6f4b47696f36536c7071656f71617172724b327572773d3d406273662e6578616d706c652e6f726700000192c0000026000028af"
    "6b657963656e7472652e6578616d706c652e6f72670100000002000000000197c0000010000028af00000001";
static const char bia_hex[] =
    "0100016840000136010000040102030405060708000001074000001d6e61666b632e6578616d706c652e6f72673b313b3700000000000104"
    "400000200000010a4000000c000028af000001024000000c0100000400000108400000176273662e6578616d706c652e6f72670000000128"
    "400000136578616d706c652e6f7267000000010c4000000c000007d1000000014000003930303130313030303030303030303140696d732e"
    "6d6e633030312e6d63633030312e336770706e6574776f726b2e6f726700000000000195c000002c000028af000102030405060708090a0b"
    "0c0d0e0f101112131415161718191a1b1c1d1e1f00000196c000002c000028af202122232425262728292a2b2c2d2e2f3031323334353637"
    "38393a3b3c3d3e3f00000194c0000010000028af0000540000000198c0000010000028afe8fe6f8000000190c0000016000028af3c757373"
    "4c6973742f3e00000000019ac0000010000028af00000000";

static uint8_t octets[1024];

static struct dia_msg
message(const char *hex)
{
	size_t n = strlen(hex) / 2;
	struct dia_msg m;

	ck_assert(n <= sizeof octets);
	ck_ok(hex_parse(span_str(hex), octets, n));
	ck_ok(dia_parse(span_of(octets, n), &m));
	return m;
}

static struct dia_msg
parsed(struct dia_buf *b)
{
	struct dia_msg m;

	ck_ok(dia_end(b));
	ck_ok(dia_parse(dia_buf_span(b), &m));
	return m;
}

/* --- BIR */

START_TEST(bir_is_read)
{
	struct dia_msg m = message(bir_hex);
	struct dia_fault f;
	struct zn_bir bir;

	ck_ok(zn_bir_parse(&m, true, &bir, &f));
	ck_assert_str_eq(bir.session_id, "nafkc.example.org;1;7");
	ck_assert_str_eq(bir.origin_host, "nafkc.example.org");
	ck_assert_str_eq(bir.origin_realm, "example.org");
	ck_assert_str_eq(bir.dest_realm, "example.org");
	ck_assert_str_eq(bir.dest_host, "bsf.example.org");
	ck_assert_str_eq(bir.btid.s, "oKGio6SlpqeoqaqrrK2urw==@bsf.example.org");
	ck_assert_str_eq(bir.naf_id.fqdn, "keycentre.example.org");
	ck_assert_mem_eq(bir.naf_id.ua, "\1\0\0\0\2", 5);
	ck_assert(bir.n_gsid == 2 && bir.gsid[0] == 7 && bir.gsid[1] == UINT32_MAX);
	ck_assert(bir.gba_u_aware);
}
END_TEST

START_TEST(bir_prints_as_it_was_read)
{
	struct dia_msg m = message(bir_hex), again;
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_fault f;
	struct zn_bir bir;

	ck_ok(zn_bir_parse(&m, true, &bir, &f));
	ck_ok(zn_bir_print(&bir, &naf, &b));
	again = parsed(&b);
	ck_assert(again.hdr.flags == (DIA_R | DIA_P) && again.hdr.hbh == 0 && again.hdr.e2e == 0);
	ck_assert(span_eq(again.avps, m.avps));
	dia_buf_free(&b);
}
END_TEST

START_TEST(bir_has_limits)
{
	struct zn_bir bir = { .session_id = "a", .n_gsid = ZN_GSID_MAX + 1 };
	struct dia_buf b = DIA_BUF_INIT;

	ck_rc(zn_bir_print(&bir, &naf, &b), RC_RANGE);
	dia_buf_free(&b);
}
END_TEST

/* N3: the Key Center never says that it knows GBA_U. */
START_TEST(N3_bir_without_awareness_has_no_such_avp)
{
	struct zn_bir bir = { .session_id = "a;1;2", .dest_realm = "example.org", .btid = { "AAAA@bsf.example.org" },
		.naf_id = { "naf.example.org", { 1, 0, 0, 0, 2 } } };
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_msg m;
	struct dia_avp a;

	ck_ok(zn_bir_print(&bir, &naf, &b));
	m = parsed(&b);
	ck_assert(!dia_find(m.avps, DIA_GBA_U_AWARENESS_INDICATOR, &a) && !dia_find(m.avps, DIA_DESTINATION_HOST, &a));
	dia_buf_free(&b);
}
END_TEST

/* A right BIR in which one AVP has another value (or, data NULL, is not there). */
static const struct {
	enum dia_id id;
	const char *data;
	size_t n;
	uint32_t result;	/* 0 = taken */
} bir_values[] = {
#define D(text) text, sizeof (text) - 1
	{ DIA_NAF_ID, D("naf.example.org\1\0\0\0\2"), 0 },
	{ DIA_NAF_ID, D("NAF.example.org\1\0\0\0\2"), 5004 },	/* the KDF's octets: one spelling */
	{ DIA_NAF_ID, D("naf.example.org"), 0 },		/* the last five are the protocol: FQDN "naf.exampl", which no list has */
	{ DIA_NAF_ID, D("\1\0\0\0\2"), 5004 },
	{ DIA_NAF_ID, D(""), 5004 },
	{ DIA_NAF_ID, D("naf\0example.org\1\0\0\0\2"), 5004 },
	{ DIA_NAF_ID, NULL, 0, 5005 },
	{ DIA_TRANSACTION_IDENTIFIER, NULL, 0, 5005 },
	{ DIA_SESSION_ID, D("a\0b"), 5004 },
	{ DIA_SESSION_ID, D("\xff"), 5004 },
	{ DIA_SESSION_ID, D("a"), 0 },
	{ DIA_DESTINATION_REALM, NULL, 0, 5005 },
	{ DIA_GBA_U_AWARENESS_INDICATOR, D("\0\0\0\0"), 0 },
	{ DIA_GBA_U_AWARENESS_INDICATOR, D("\0\0\0\2"), 5004 },
	{ DIA_GBA_U_AWARENESS_INDICATOR, D("\1"), 5014 },
	{ DIA_GAA_SERVICE_IDENTIFIER, D("0"), 0 },
	{ DIA_GAA_SERVICE_IDENTIFIER, D(""), 5004 },
	{ DIA_GAA_SERVICE_IDENTIFIER, D("-1"), 5004 },
	{ DIA_GAA_SERVICE_IDENTIFIER, D("4294967296"), 5004 },
	{ DIA_GAA_SERVICE_IDENTIFIER, D("7\0"), 5004 },
	{ DIA_ORIGIN_HOST, D("nafkc.example.org\0"), 5004 },
	{ DIA_VENDOR_SPECIFIC_APPLICATION_ID, D("\0\0\1\12\100\0\0\14\0\0\050\257\0\0\1\2\100\0\0\14\1\0\0\4"), 0 },
	{ DIA_VENDOR_SPECIFIC_APPLICATION_ID, D("\0\0\1\12\100\0\0\14\0\0\050\257\0\0\1\2\100\0\0\14\1\0\0\5"), 5004 },	/* Zh */
	{ DIA_VENDOR_SPECIFIC_APPLICATION_ID, D("\0\0\1\12\100\0\0\14\0\0\0\11\0\0\1\2\100\0\0\14\1\0\0\4"), 5004 },
	{ DIA_VENDOR_SPECIFIC_APPLICATION_ID, D("\0\0\1\12\100\0\0\14\0\0\050\257"), 5004 },
	{ DIA_VENDOR_SPECIFIC_APPLICATION_ID, NULL, 0, 0 },
	{ DIA_USER_NAME, D(""), 0 },
	{ DIA_AUTH_SESSION_STATE, D("\0\0\0\0"), 0 },
};

static void
put_bir(struct dia_buf *b, enum dia_id id, const char *data, size_t n)
{
	static const struct {
		enum dia_id id;
		const char *data;
		size_t n;
	} usual[] = {
		{ DIA_SESSION_ID, D("a;1;2") }, { DIA_ORIGIN_HOST, D("nafkc.example.org") }, { DIA_ORIGIN_REALM, D("example.org") },
		{ DIA_DESTINATION_REALM, D("example.org") }, { DIA_TRANSACTION_IDENTIFIER, D("AAAA@bsf.example.org") },
		{ DIA_NAF_ID, D("naf.example.org\1\0\0\0\2") },
	};
	const struct dia_hdr h = { .flags = DIA_R | DIA_P, .cmd = DIA_CMD_BI, .app = DIA_APP_ZN, .hbh = 1, .e2e = 2 };

	dia_begin(b, &h);
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (usual[i].id != id)
			dia_put(b, usual[i].id, span_of(usual[i].data, usual[i].n));
	if (data != NULL)
		dia_put(b, id, span_of(data, n));
}

START_TEST(bir_values_are_judged)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_msg m;
	struct dia_fault f;
	struct zn_bir bir;

	put_bir(&b, bir_values[_i].id, bir_values[_i].data, bir_values[_i].n);
	m = parsed(&b);
	untouched_fill(&bir, sizeof bir);
	if (bir_values[_i].result == 0) {
		ck_ok(zn_bir_parse(&m, false, &bir, &f));
	} else {
		ck_rc(zn_bir_parse(&m, false, &bir, &f), RC_SYNTAX);
		ck_assert_msg(f.result == bir_values[_i].result, "%u: %s", (unsigned)f.result, f.text);
		ck_assert(f.n_failed > 0 && untouched(&bir, sizeof bir));
	}
	dia_buf_free(&b);
}
END_TEST

/* W3: what is no B-TID is not looked up; the answer is 5403, which is the user's of this module to give. */
static const struct {
	const char *data;
	size_t n;
} W3_btids[] = { { D("") }, { D("no-at-sign") }, { D("a@B.example.org") }, { D("a b@bsf.example.org") }, { D("a\0@bsf.example.org") } };

START_TEST(W3_what_is_no_btid_is_none)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_msg m;
	struct dia_fault f;
	struct zn_bir bir;

	put_bir(&b, DIA_TRANSACTION_IDENTIFIER, W3_btids[_i].data, W3_btids[_i].n);
	m = parsed(&b);
	ck_ok(zn_bir_parse(&m, false, &bir, &f));
	ck_assert_str_eq(bir.btid.s, "");
	dia_buf_free(&b);
}
END_TEST

START_TEST(bir_is_not_read_from_other_commands)
{
	struct dia_msg m = message(bia_hex);
	struct dia_fault f;
	struct zn_bir bir;

	ck_rc(zn_bir_parse(&m, false, &bir, &f), RC_SYNTAX);
	ck_assert_uint_eq(f.result, 3001);
	m = message(bir_hex);
	m.hdr.app = 16777221;
	ck_rc(zn_bir_parse(&m, false, &bir, &f), RC_SYNTAX);
	ck_assert_uint_eq(f.result, 3007);
}
END_TEST

/* --- BIA */

START_TEST(bia_is_read)
{
	struct dia_msg m = message(bia_hex);
	struct dia_fault f;
	struct zn_bia bia;
	uint8_t want[32];

	ck_ok(zn_bia_parse(&m, true, &bia, &f));
	ck_assert(bia.result == 2001 && !bia.experimental);
	ck_assert_str_eq(bia.session_id, "nafkc.example.org;1;7");
	ck_assert_str_eq(bia.origin_host, "bsf.example.org");
	ck_assert_str_eq(bia.user_name, "001010000000001@ims.mnc001.mcc001.3gppnetwork.org");
	for (int i = 0; i < 32; i++)
		want[i] = (uint8_t)i;
	ck_assert(span_eq(secret_span(bia.me_key), span_of(want, 32)));
	for (int i = 0; i < 32; i++)
		want[i] = (uint8_t)(32 + i);
	ck_assert(span_eq(secret_span(bia.uicc_key), span_of(want, 32)));
	ck_assert_int_eq(bia.expires_s, 2086000000);	/* after the wrap of 2036 */
	ck_assert_int_eq(bia.created_s, 1700000000);
	ck_assert(span_eq_str(bia.uss, "<ussList/>") && bia.gba_type == ZN_GBA_3G);
	zn_bia_free(&bia);
	ck_assert(bia.me_key == NULL && bia.user_name[0] == '\0');
	zn_bia_free(&bia);
	zn_bia_free(NULL);
}
END_TEST

START_TEST(bia_prints_as_it_was_read)
{
	uint8_t request_octets[512];
	struct dia_msg m = message(bir_hex), request;
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_fault f;
	struct zn_bia bia;

	memcpy(request_octets, m.whole.p, m.whole.n);
	ck_ok(dia_parse(span_of(request_octets, m.whole.n), &request));
	m = message(bia_hex);
	ck_ok(zn_bia_parse(&m, true, &bia, &f));
	ck_ok(zn_bia_print(&bia, &request, &bsf, &b));
	ck_assert(span_eq(dia_buf_span(&b), m.whole));
	zn_bia_free(&bia);
	dia_buf_free(&b);
}
END_TEST

START_TEST(refusals_travel_in_experimental_result)
{
	struct zn_bia bia = { .result = DIA_X_NOT_AUTHORIZED, .experimental = true, .error_message = "no" }, got;
	struct dia_msg request = message(bir_hex), m;
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_fault f;
	struct dia_avp a;

	ck_ok(zn_bia_print(&bia, &request, &bsf, &b));
	m = parsed(&b);
	ck_assert(m.hdr.flags == DIA_P && m.hdr.hbh == 0x01020304 && m.hdr.e2e == 0x05060708);
	ck_assert(!dia_find(m.avps, DIA_RESULT_CODE, &a) && !dia_find(m.avps, DIA_GBA_TYPE, &a));
	ck_ok(zn_bia_parse(&m, true, &got, &f));
	ck_assert(got.result == 5402 && got.experimental && got.me_key == NULL);
	ck_assert_str_eq(got.error_message, "no");
	dia_buf_free(&b);
}
END_TEST

START_TEST(protocol_errors_have_e)
{
	struct zn_bia bia = { .result = DIA_TOO_BUSY }, got;
	struct dia_msg request = message(bir_hex), m;
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_fault f;

	ck_ok(zn_bia_print(&bia, &request, &bsf, &b));
	m = parsed(&b);
	ck_assert_uint_eq(m.hdr.flags, DIA_P | DIA_E);
	ck_ok(zn_bia_parse(&m, true, &got, &f));
	ck_assert(got.result == 3004 && !got.experimental);
	dia_buf_free(&b);
}
END_TEST

/* A right success in which one AVP has another value (or, data NULL, is not there). */
static const struct {
	enum dia_id id;
	const char *data;
	size_t n;
	uint32_t result;
} bia_values[] = {
	{ DIA_ME_KEY_MATERIAL, NULL, 0, 5005 },
	{ DIA_ME_KEY_MATERIAL, D("short"), 5004 },
	{ DIA_ME_KEY_MATERIAL, D("0123456789abcdef0123456789abcdef0"), 5004 },
	{ DIA_UICC_KEY_MATERIAL, D("0123456789abcdef"), 5004 },
	{ DIA_KEY_EXPIRYTIME, NULL, 0, 5005 },
	{ DIA_KEY_EXPIRYTIME, D("\0\0"), 5014 },
	{ DIA_BOOTSTRAPINFOCREATIONTIME, D("\0\0\0\0\0"), 5014 },
	{ DIA_GBA_TYPE, D("\0\0\0\2"), 0 },
	{ DIA_GBA_TYPE, D("\0\0\0\3"), 5004 },
	{ DIA_GBA_TYPE, D(""), 5014 },
	{ DIA_USER_NAME, D(""), 0 },
	{ DIA_USER_NAME, D("a\0b"), 5004 },
	{ DIA_RESULT_CODE, NULL, 0, 5005 },
	{ DIA_EXPERIMENTAL_RESULT, D("\0\0\1\12\100\0\0\14\0\0\050\257\0\0\1\052\100\0\0\14\0\0\025\032"), 5007 },
	{ DIA_AUTH_SESSION_STATE, D("\0\0\0\1"), 0 },
	{ DIA_ORIGIN_REALM, D(""), 5004 },
};

START_TEST(bia_values_are_judged)
{
	static const struct {
		enum dia_id id;
		const char *data;
		size_t n;
	} usual[] = {
		{ DIA_SESSION_ID, D("a;1;2") }, { DIA_ORIGIN_HOST, D("bsf.example.org") }, { DIA_ORIGIN_REALM, D("example.org") },
		{ DIA_RESULT_CODE, D("\0\0\7\321") }, { DIA_ME_KEY_MATERIAL, D("0123456789abcdef0123456789abcdef") },
		{ DIA_KEY_EXPIRYTIME, D("\0\0\0\0") },
	};
	const struct dia_hdr h = { .flags = DIA_P, .cmd = DIA_CMD_BI, .app = DIA_APP_ZN };
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_msg m;
	struct dia_fault f;
	struct zn_bia bia;

	dia_begin(&b, &h);
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (usual[i].id != bia_values[_i].id)
			dia_put(&b, usual[i].id, span_of(usual[i].data, usual[i].n));
	if (bia_values[_i].data != NULL)
		dia_put(&b, bia_values[_i].id, span_of(bia_values[_i].data, bia_values[_i].n));
	m = parsed(&b);
	untouched_fill(&bia, sizeof bia);
	if (bia_values[_i].result == 0) {
		ck_ok(zn_bia_parse(&m, false, &bia, &f));
		zn_bia_free(&bia);
	} else {
		ck_rc(zn_bia_parse(&m, false, &bia, &f), RC_SYNTAX);
		ck_assert_msg(f.result == bia_values[_i].result, "%u: %s", (unsigned)f.result, f.text);
		ck_assert(untouched(&bia, sizeof bia));
	}
	dia_buf_free(&b);
}
END_TEST

START_TEST(no_success_in_an_error)
{
	struct dia_msg m = message(bia_hex);
	struct dia_fault f;
	struct zn_bia bia;

	m.hdr.flags |= DIA_E;
	ck_rc(zn_bia_parse(&m, false, &bia, &f), RC_SYNTAX);
	ck_assert_uint_eq(f.result, 5004);
}
END_TEST

START_TEST(no_key_octets_in_a_fault)
{
	struct dia_msg m = message(bia_hex);
	struct dia_fault f;
	struct zn_bia bia;
	struct dia_avp a;

	/* thirty-two octets become thirty-one, and the type is still right */
	ck_assert(dia_find(m.avps, DIA_ME_KEY_MATERIAL, &a));
	octets[a.raw.p - octets + 7]--;
	ck_rc(zn_bia_parse(&m, false, &bia, &f), RC_SYNTAX);
	ck_assert_uint_eq(f.result, 5004);
	ck_assert_uint_eq(f.n_failed, 0);
}
END_TEST

START_TEST(a_key_left_over_in_a_buffer_is_cleansed)
{
	struct zn_bia bia = { .result = DIA_SUCCESS, .expires_s = 1 };
	struct dia_msg request = message(bir_hex);
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_avp a;
	struct dia_hdr h = { .flags = DIA_R, .cmd = DIA_CMD_DW };
	size_t at;

	ck_ok(secret_from(S("0123456789abcdef0123456789abcdef"), &bia.me_key));
	ck_ok(zn_bia_print(&bia, &request, &bsf, &b));
	ck_assert(dia_find(span_of(b.p + DIA_HDR_LEN, b.n - DIA_HDR_LEN), DIA_ME_KEY_MATERIAL, &a));
	at = (size_t)(a.data.p - b.p);
	dia_begin(&b, &h);
	for (size_t i = 0; i < 32; i++)
		ck_assert_uint_eq(b.p[at + i], 0);
	dia_buf_free(&b);
	zn_bia_free(&bia);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("zn_msg");
	TCase *t = tcase_create("zn_msg");

	tcase_add_test(t, bir_is_read);
	tcase_add_test(t, bir_prints_as_it_was_read);
	tcase_add_test(t, bir_has_limits);
	tcase_add_test(t, N3_bir_without_awareness_has_no_such_avp);
	tcase_add_loop_test(t, bir_values_are_judged, 0, TABLE_N(bir_values));
	tcase_add_loop_test(t, W3_what_is_no_btid_is_none, 0, TABLE_N(W3_btids));
	tcase_add_test(t, bir_is_not_read_from_other_commands);
	tcase_add_test(t, bia_is_read);
	tcase_add_test(t, bia_prints_as_it_was_read);
	tcase_add_test(t, refusals_travel_in_experimental_result);
	tcase_add_test(t, protocol_errors_have_e);
	tcase_add_loop_test(t, bia_values_are_judged, 0, TABLE_N(bia_values));
	tcase_add_test(t, no_success_in_an_error);
	tcase_add_test(t, no_key_octets_in_a_fault);
	tcase_add_test(t, a_key_left_over_in_a_buffer_is_cleansed);
	suite_add_tcase(s, t);
	return unit_run(s);
}
