#include "common/diameter.h"

#include "common/hex.h"
#include "test/unit/unit.h"

#define S(text) span_of(text, sizeof (text) - 1)
#define LITERAL(text) { (const uint8_t *)(text), sizeof (text) - 1 }

/* Hex text, blanks allowed, into out; the number of octets. */
static size_t
unhex(const char *hex, uint8_t *out, size_t cap)
{
	char packed[4096];
	size_t n = 0;

	for (; *hex != '\0'; hex++)
		if (*hex != ' ')
			packed[n++] = *hex;
	ck_assert(n / 2 <= cap);
	ck_ok(hex_parse(span_of(packed, n), out, n / 2));
	return n / 2;
}

static void
ck_octets(struct span got, const char *want_hex)
{
	uint8_t want[2048];
	size_t n = unhex(want_hex, want, sizeof want);

	ck_assert_uint_eq(got.n, n);
	ck_assert_mem_eq(got.p, want, n);
}

/* --- framing: what can be trusted of a stream */

static const struct {
	const char *hex;
	enum rc rc;
	size_t len;
} frames[] = {
	{ "", RC_NOTFOUND, 0 },
	{ "010000", RC_NOTFOUND, 0 },
	{ "01000014", RC_OK, 20 },
	{ "01000018 80000101", RC_OK, 24 },
	{ "01010000", RC_OK, DIA_MSG_MAX },
	{ "00000014", RC_SYNTAX, 0 },		/* version not 1 */
	{ "02000014", RC_SYNTAX, 0 },
	{ "01000010", RC_RANGE, 0 },		/* shorter than its header */
	{ "01000000", RC_RANGE, 0 },
	{ "01000015", RC_RANGE, 0 },		/* odd message length */
	{ "01000016", RC_RANGE, 0 },
	{ "01010004", RC_RANGE, 0 },		/* over the limit */
	{ "01fffffc", RC_RANGE, 0 },
	{ "16030100", RC_SYNTAX, 0 },		/* a TLS hello */
	{ "47455420", RC_SYNTAX, 0 },		/* "GET " */
};

START_TEST(frame_tells_a_length_or_that_the_stream_is_lost)
{
	uint8_t in[64];
	size_t n = unhex(frames[_i].hex, in, sizeof in), len;

	untouched_fill(&len, sizeof len);
	ck_rc(dia_frame(span_of(in, n), &len), frames[_i].rc);
	if (frames[_i].rc == RC_OK)
		ck_assert_uint_eq(len, frames[_i].len);
	else
		ck_assert(untouched(&len, sizeof len));
}
END_TEST

START_TEST(parse_reads_the_header)
{
	uint8_t in[64];
	size_t n = unhex("01000020 d5000136 01000004 01020304 05060708  00000001 4000000c 61626364", in, sizeof in);
	struct dia_msg m;

	ck_ok(dia_parse(span_of(in, n), &m));
	ck_assert_uint_eq(m.hdr.flags, 0xd5);
	ck_assert_uint_eq(m.hdr.len, 32);
	ck_assert_uint_eq(m.hdr.cmd, DIA_CMD_BI);
	ck_assert_uint_eq(m.hdr.app, DIA_APP_ZN);
	ck_assert_uint_eq(m.hdr.hbh, 0x01020304);
	ck_assert_uint_eq(m.hdr.e2e, 0x05060708);
	ck_assert_uint_eq(m.whole.n, 32);
	ck_assert(m.avps.n == 12 && m.avps.p == in + 20);
}
END_TEST

START_TEST(parse_wants_exactly_one_message)
{
	uint8_t in[64] = { 0 };
	struct dia_msg m;

	unhex("01000018 80000118 00000000 01020304 05060708 00000000", in, sizeof in);
	untouched_fill(&m, sizeof m);
	ck_rc(dia_parse(span_of(in, 20), &m), RC_RANGE);
	ck_rc(dia_parse(span_of(in, 28), &m), RC_RANGE);
	ck_rc(dia_parse(span_of(in, 3), &m), RC_RANGE);
	in[0] = 2;
	ck_rc(dia_parse(span_of(in, 24), &m), RC_SYNTAX);
	ck_assert(untouched(&m, sizeof m));
}
END_TEST

/* --- AVPs */

START_TEST(next_takes_avp_after_avp)
{
	uint8_t in[128];
	size_t n = unhex("00000107 4000000b 612c62 ff"			/* Session-Id, padded with other than zero */
	    "00000191 c0000010 000028af 64656667"			/* with vendor */
	    "00000001 1f000008",					/* empty, reserved flag bits */
	    in, sizeof in);
	struct span rest = span_of(in, n);
	struct dia_avp a;

	ck_ok(dia_next(&rest, &a, NULL));
	ck_assert(dia_avp_is(&a, DIA_SESSION_ID) && span_eq(a.data, S("a,b")) && a.raw.n == 11 && a.flags == DIA_AVP_M);
	ck_ok(dia_next(&rest, &a, NULL));
	ck_assert(dia_avp_is(&a, DIA_TRANSACTION_IDENTIFIER) && a.vendor == 10415 && span_eq(a.data, S("defg")));
	ck_ok(dia_next(&rest, &a, NULL));
	ck_assert(dia_avp_is(&a, DIA_USER_NAME) && a.data.n == 0);
	ck_rc(dia_next(&rest, &a, NULL), RC_NOTFOUND);
	ck_assert(dia_find(span_of(in, n), DIA_USER_NAME, &a));
	ck_assert(!dia_find(span_of(in, n), DIA_NAF_ID, &a));
}
END_TEST

/* User-Name "abc", an unknown one, Origin-Host "a", User-Name "de". */
#define FOUR "00000001 4000000b 61626300  00001267 00000008  00000108 40000009 61000000  00000001 4000000a 64650000"

START_TEST(an_index_knows_the_first_and_the_second)
{
	uint8_t in[128];
	size_t n = unhex(FOUR, in, sizeof in);
	struct dia_index ix;
	struct dia_avp a;

	ck_ok(dia_index(span_of(in, n), &ix, NULL));
	ck_assert(dia_first(&ix, DIA_USER_NAME, &a) && span_eq(a.data, S("abc")) && a.raw.p == in);
	ck_assert(dia_second(&ix, DIA_USER_NAME, &a) && span_eq(a.data, S("de")));
	ck_assert(dia_first(&ix, DIA_ORIGIN_HOST, &a) && span_eq(a.data, S("a")));
	ck_assert(!dia_second(&ix, DIA_ORIGIN_HOST, &a));
	ck_assert(!dia_first(&ix, DIA_NAF_ID, &a) && !dia_second(&ix, DIA_NAF_ID, &a));
}
END_TEST

START_TEST(an_index_ends_where_an_avp_is_malformed)
{
	uint8_t in[128];
	size_t n = unhex(FOUR, in, sizeof in);
	struct dia_fault f;
	struct dia_index ix;
	struct dia_avp a;

	in[n - 5] = 0xff;		/* the last one's length */
	ck_rc(dia_index(span_of(in, n), &ix, &f), RC_SYNTAX);
	ck_assert_uint_eq(f.result, DIA_INVALID_AVP_LENGTH);
	ck_assert(dia_first(&ix, DIA_ORIGIN_HOST, &a) && !dia_second(&ix, DIA_USER_NAME, &a));
	ck_ok(dia_index(span_of(in, 0), &ix, &f));
	ck_assert(!dia_first(&ix, DIA_USER_NAME, &a));
}
END_TEST

START_TEST(check_makes_the_index_of_what_is_good)
{
	uint8_t in[256];
	size_t n = unhex("0100003c 80000118 00000000 00000001 00000002  00000108 40000009 61000000  00000128 40000009 62000000"
	    "00000116 4000000c 00000007", in, sizeof in);
	struct dia_index ix;
	struct dia_fault f;
	struct dia_msg m;
	struct dia_avp a;

	in[3] = (uint8_t)n;
	ck_ok(dia_parse(span_of(in, n), &m));
	ck_ok(dia_check_index(&m, true, &ix, &f));
	ck_assert(dia_first(&ix, DIA_ORIGIN_REALM, &a) && span_eq(a.data, S("b")));
	ck_assert(dia_first(&ix, DIA_ORIGIN_STATE_ID, &a) && !dia_first(&ix, DIA_SESSION_ID, &a));
	in[DIA_HDR_LEN + 8] = '!';		/* no name */
	untouched_fill(&ix, sizeof ix);
	ck_rc(dia_check_index(&m, true, &ix, &f), RC_SYNTAX);
	ck_assert(untouched(&ix, sizeof ix));
}
END_TEST

static const struct {
	const char *hex;
	uint32_t result;
	const char *failed;	/* in Failed-AVP */
} bad_avps[] = {
	{ "0000", 5014, "" },						/* no header */
	{ "00000107 400000", 5014, "" },
	{ "00000107 40000000", 5014, "00000107 40000008" },		/* length zero */
	{ "00000107 40000007", 5014, "00000107 40000008" },		/* less than the header */
	{ "00000107 4000000c", 5014, "00000107 40000008" },		/* overruns: nothing there */
	{ "00000107 40ffffff 61626364", 5014, "00000107 40000008" },
	{ "0000010c 4000000d 00000000", 5014, "0000010c 4000000c 00000000" },	/* zeros of the type's length */
	{ "00000107 4000000b 616263", 5014, "00000107 40000008" },	/* not padded */
	{ "00000191 c000000b 000028af", 5014, "00000191 c000000c 000028af" },	/* less than a header with vendor */
	{ "00000191 c000000c", 5014, "00000191 c000000c 00000000" },	/* ends inside its header */
	{ "00000191 c0000010 00000000 61626364", 3009, "00000191 c0000010 00000000 61626364" },	/* V, vendor 0 */
};

START_TEST(next_says_what_is_wrong_with_an_avp)
{
	uint8_t in[64];
	size_t n = unhex(bad_avps[_i].hex, in, sizeof in);
	struct span rest = span_of(in, n);
	struct dia_fault f;
	struct dia_avp a;

	untouched_fill(&a, sizeof a);
	ck_rc(dia_next(&rest, &a, &f), RC_SYNTAX);
	ck_assert_uint_eq(f.result, bad_avps[_i].result);
	ck_assert(!f.experimental && f.text[0] != '\0');
	ck_octets(span_of(f.failed, f.n_failed), bad_avps[_i].failed);
	ck_assert(rest.n == n && untouched(&a, sizeof a));
	ck_rc(dia_next(&rest, &a, NULL), RC_SYNTAX);
}
END_TEST

START_TEST(a_long_offending_avp_is_named_by_its_header)
{
	static const uint8_t data[300];
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_fault f;
	struct dia_avp a;
	struct span rest;

	dia_put_raw(&b, 4711, 0, DIA_AVP_M, span_of(data, DIA_FAILED_MAX - 8));
	rest = dia_buf_span(&b);
	ck_ok(dia_next(&rest, &a, NULL));
	dia_fault_avp(&f, 5001, &a, "x");
	ck_assert_uint_eq(f.n_failed, DIA_FAILED_MAX);
	dia_buf_free(&b);
	dia_put_raw(&b, 4711, 0, DIA_AVP_M, span_of(data, sizeof data));
	rest = dia_buf_span(&b);
	ck_ok(dia_next(&rest, &a, NULL));
	dia_fault_avp(&f, 5001, &a, "x");
	ck_octets(span_of(f.failed, f.n_failed), "00001267 40000008");
	dia_buf_free(&b);
}
END_TEST

/* --- typed values */

static const struct {
	struct span in;
	enum rc rc;
} texts[] = {
	{ LITERAL(""), RC_OK }, { LITERAL("naf;1;2"), RC_OK }, { LITERAL("gr\xc3\xbc\xc3\x9f"), RC_OK },
	{ LITERAL("\xf0\x9f\x94\x91"), RC_OK }, { LITERAL("\xef\xbf\xbd"), RC_OK }, { LITERAL("\xf4\x8f\xbf\xbf"), RC_OK },
	{ LITERAL("123456789012345"), RC_OK }, { LITERAL("1234567890123456"), RC_RANGE },
	{ LITERAL("a\0b"), RC_SYNTAX },		/* what ended another Diameter node: NUL in Session-Id */
	{ LITERAL("\0"), RC_SYNTAX }, { LITERAL("a\nb"), RC_SYNTAX }, { LITERAL("\x7f"), RC_SYNTAX }, { LITERAL("\xc2\x85"), RC_SYNTAX },
	{ LITERAL("\x80"), RC_SYNTAX }, { LITERAL("\xc3"), RC_SYNTAX }, { LITERAL("\xc0\xaf"), RC_SYNTAX }, { LITERAL("\xe0\x80\x80"), RC_SYNTAX },
	{ LITERAL("\xed\xa0\x80"), RC_SYNTAX }, { LITERAL("\xf4\x90\x80\x80"), RC_SYNTAX }, { LITERAL("\xff"), RC_SYNTAX }, { LITERAL("\xc3("), RC_SYNTAX },
};

START_TEST(text_is_utf8_without_control_characters)
{
	struct dia_avp a = { .data = texts[_i].in };
	char out[16];

	untouched_fill(out, sizeof out);
	ck_rc(dia_get_text(&a, out, sizeof out), texts[_i].rc);
	if (texts[_i].rc == RC_OK)
		ck_assert(span_eq_str(texts[_i].in, out));
	else
		ck_assert(untouched(out, sizeof out));
}
END_TEST

static const struct {
	struct span in;
	enum rc rc;
	const char *out;
} idents[] = {
	{ LITERAL("BSF.Example.ORG"), RC_OK, "bsf.example.org" }, { LITERAL("bsf"), RC_OK, "bsf" }, { LITERAL("a_1-b.c"), RC_OK, "a_1-b.c" },
	{ LITERAL(""), RC_SYNTAX, NULL }, { LITERAL("."), RC_SYNTAX, NULL }, { LITERAL(".a"), RC_SYNTAX, NULL }, { LITERAL("a."), RC_SYNTAX, NULL },
	{ LITERAL("a..b"), RC_SYNTAX, NULL }, { LITERAL("a b"), RC_SYNTAX, NULL }, { LITERAL("a\0b"), RC_SYNTAX, NULL }, { LITERAL("a;b"), RC_SYNTAX, NULL },
	{ LITERAL("\xc3\xa9.org"), RC_SYNTAX, NULL },
};

START_TEST(identities_are_lower_case_names)
{
	struct dia_avp a = { .data = idents[_i].in };
	char out[FQDN_MAX + 1];

	untouched_fill(out, sizeof out);
	ck_rc(dia_get_ident(&a, out), idents[_i].rc);
	if (idents[_i].rc == RC_OK)
		ck_assert_str_eq(out, idents[_i].out);
	else
		ck_assert(untouched(out, sizeof out));
}
END_TEST

START_TEST(identities_have_a_limit)
{
	char in[FQDN_MAX + 1] = "", out[FQDN_MAX + 1];
	struct dia_avp a = { .data = span_of(in, FQDN_MAX) };

	memset(in, 'a', sizeof in);
	ck_ok(dia_get_ident(&a, out));
	a.data.n++;
	ck_rc(dia_get_ident(&a, out), RC_RANGE);
}
END_TEST

START_TEST(u32_has_four_octets)
{
	struct dia_avp a = { .data = S("\1\2\3\4") };
	uint32_t v = 7;

	ck_ok(dia_get_u32(&a, &v));
	ck_assert_uint_eq(v, 0x01020304);
	a.data = S("\1\2\3");
	ck_rc(dia_get_u32(&a, &v), RC_SYNTAX);
	a.data = S("\1\2\3\4\5");
	ck_rc(dia_get_u32(&a, &v), RC_SYNTAX);
	ck_assert_uint_eq(v, 0x01020304);
}
END_TEST

/* RFC 4330 3: top bit set 1968–2036, clear 2036–2104. */
static const struct {
	uint32_t ntp;
	int64_t utc;
} times[] = {
	{ 0x80000000, -61505152 },		/* 1968-01-20 03:14:08 */
	{ 2208988800, 0 },
	{ 3908988800, 1700000000 },
	{ 0xffffffff, 2085978495 },		/* 2036-02-07 06:28:15 */
	{ 0, 2085978496 },			/* and one second later */
	{ 0x7fffffff, 4233462143 },		/* 2104-02-26 09:42:23 */
};

START_TEST(time_goes_on_after_2036)
{
	uint8_t octets[4] = { (uint8_t)(times[_i].ntp >> 24), (uint8_t)(times[_i].ntp >> 16), (uint8_t)(times[_i].ntp >> 8),
		(uint8_t)times[_i].ntp };
	struct dia_avp a = { .data = { octets, 4 } };
	uint32_t ntp;
	int64_t s;

	ck_assert_int_eq(dia_time_to_utc(times[_i].ntp), times[_i].utc);
	ck_ok(dia_time_from_utc(times[_i].utc, &ntp));
	ck_assert_uint_eq(ntp, times[_i].ntp);
	ck_ok(dia_get_time(&a, &s));
	ck_assert_int_eq(s, times[_i].utc);
}
END_TEST

START_TEST(time_has_two_ends)
{
	struct dia_avp a = { .data = S("\1\2\3") };
	uint32_t ntp = 7;
	int64_t s = 7;

	ck_rc(dia_time_from_utc(-61505153, &ntp), RC_RANGE);
	ck_rc(dia_time_from_utc(4233462144, &ntp), RC_RANGE);
	ck_rc(dia_time_from_utc(INT64_MAX, &ntp), RC_RANGE);
	ck_rc(dia_time_from_utc(INT64_MIN, &ntp), RC_RANGE);
	ck_rc(dia_get_time(&a, &s), RC_SYNTAX);
	ck_assert(ntp == 7 && s == 7);
}
END_TEST

/* --- building */

static const struct dia_hdr dwr = { .flags = DIA_R, .cmd = DIA_CMD_DW, .hbh = 1, .e2e = 2 };

START_TEST(builder_writes_header_padding_groups)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_hdr h = { .flags = 0xff, .cmd = DIA_CMD_BI, .app = DIA_APP_ZN, .hbh = 0x01020304, .e2e = 0x05060708 };

	dia_begin(&b, &h);
	dia_put_str(&b, DIA_SESSION_ID, "a;b");
	dia_put_application(&b, DIA_VENDOR_3GPP, DIA_APP_ZN);
	dia_put(&b, DIA_TRANSACTION_IDENTIFIER, S("defgh"));
	dia_put_str(&b, DIA_PRODUCT_NAME, "");
	dia_put_time(&b, DIA_KEY_EXPIRYTIME, 0);
	dia_put_raw(&b, 9, 0, DIA_AVP_V | DIA_AVP_P, S("x"));
	ck_ok(dia_end(&b));
	ck_octets(dia_buf_span(&b), "0100007c f0000136 01000004 01020304 05060708"
	    "00000107 4000000b 613b6200"
	    "00000104 40000020 0000010a 4000000c 000028af 00000102 4000000c 01000004"
	    "00000191 c0000011 000028af 64656667 68000000"
	    "0000010d 00000008"
	    "00000194 c0000010 000028af 83aa7e80"
	    "00000009 a000000d 00000000 78000000");
	dia_buf_free(&b);
	ck_assert(b.p == NULL && b.n == 0 && b.cap == 0);
	dia_buf_free(&b);
}
END_TEST

START_TEST(builder_starts_anew)
{
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin(&b, &dwr);
	dia_put_group(&b, DIA_FAILED_AVP);
	ck_rc(dia_end(&b), RC_RANGE);			/* a group is open */
	dia_begin(&b, &dwr);
	ck_ok(dia_end(&b));
	ck_octets(dia_buf_span(&b), "01000014 80000118 00000000 00000001 00000002");
	dia_end_group(&b);				/* none is open */
	ck_rc(dia_end(&b), RC_RANGE);
	dia_buf_free(&b);
}
END_TEST

START_TEST(builder_has_limits)
{
	static const uint8_t big[DIA_MSG_MAX];
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin(&b, &dwr);
	dia_put(&b, DIA_PROXY_STATE, span_of(big, DIA_MSG_MAX - 20 - 8));
	ck_ok(dia_end(&b));
	ck_assert_uint_eq(b.n, DIA_MSG_MAX);
	dia_put_str(&b, DIA_USER_NAME, "");
	ck_rc(dia_end(&b), RC_RANGE);
	dia_put_str(&b, DIA_USER_NAME, "");		/* sticks */
	ck_rc(dia_end(&b), RC_RANGE);
	dia_begin(&b, &dwr);
	dia_put(&b, DIA_PROXY_STATE, span_of(big, DIA_MSG_MAX - 20 - 7));
	ck_rc(dia_end(&b), RC_RANGE);
	dia_begin(&b, &dwr);
	dia_put_time(&b, DIA_KEY_EXPIRYTIME, INT64_MAX);
	ck_rc(dia_end(&b), RC_RANGE);
	dia_begin(&b, &dwr);
	for (int i = 0; i <= DIA_DEPTH_MAX; i++)
		dia_put_group(&b, DIA_FAILED_AVP);
	ck_rc(dia_end(&b), RC_RANGE);
	dia_buf_free(&b);
	ck_rc(dia_end(&b), RC_RANGE);			/* no message at all */
}
END_TEST

/* --- judging by the table */

/* A right message, less one AVP, with one more, any number of times. */
struct variant {
	uint32_t cmd;
	uint8_t flags;
	int without;		/* enum dia_id; -1 = none */
	struct { uint32_t code, vendor; uint8_t flags; const char *hex; unsigned times; } more;
	bool strict;
	uint32_t result;	/* expected; 0 = judged good */
	uint32_t failed;	/* code in Failed-AVP; 0 = none */
	uint32_t app;		/* 0 = the command's */
};

static void
put_unless(struct dia_buf *b, int without, enum dia_id id, struct span data)
{
	if ((int)id != without)
		dia_put(b, id, data);
}

static void
put_command(struct dia_buf *b, const struct variant *v)
{
	if (v->cmd == DIA_CMD_BI) {
		put_unless(b, v->without, DIA_SESSION_ID, S("a;1;2"));
		if (v->without != DIA_VENDOR_SPECIFIC_APPLICATION_ID)
			dia_put_application(b, DIA_VENDOR_3GPP, DIA_APP_ZN);
	}
	if (!(v->flags & DIA_R))
		put_unless(b, v->without, DIA_RESULT_CODE, S("\0\0\x07\xd1"));
	put_unless(b, v->without, DIA_ORIGIN_HOST, S("nafkc.example.org"));
	put_unless(b, v->without, DIA_ORIGIN_REALM, S("example.org"));
	if (v->cmd == DIA_CMD_CE) {
		put_unless(b, v->without, DIA_HOST_IP_ADDRESS, S("\0\1\x7f\0\0\1"));
		put_unless(b, v->without, DIA_VENDOR_ID, S("\0\0\0\0"));
		put_unless(b, v->without, DIA_PRODUCT_NAME, S("x"));
	}
	if (v->cmd == DIA_CMD_DP && (v->flags & DIA_R))
		put_unless(b, v->without, DIA_DISCONNECT_CAUSE, S("\0\0\0\0"));
	if (v->cmd == DIA_CMD_BI && (v->flags & DIA_R)) {
		put_unless(b, v->without, DIA_DESTINATION_REALM, S("example.org"));
		put_unless(b, v->without, DIA_TRANSACTION_IDENTIFIER, S("AAAA@bsf.example.org"));
		put_unless(b, v->without, DIA_NAF_ID, S("naf.example.org\1\0\0\0\2"));
	}
}

static void
build(struct dia_buf *b, const struct variant *v)
{
	struct dia_hdr h = { .flags = v->flags, .cmd = v->cmd, .app = v->cmd == DIA_CMD_BI ? DIA_APP_ZN : DIA_APP_BASE };
	uint8_t data[1024];
	size_t n = v->more.hex != NULL ? unhex(v->more.hex, data, sizeof data) : 0;

	if (v->app != 0)
		h.app = v->app;
	dia_begin(b, &h);
	put_command(b, v);
	for (unsigned i = 0; i < v->more.times; i++)
		dia_put_raw(b, v->more.code, v->more.vendor,
		    (uint8_t)(v->more.flags | (v->more.vendor != 0 ? DIA_AVP_V : 0)), span_of(data, n));
	ck_ok(dia_end(b));
}

enum { RP = DIA_R | DIA_P, M = DIA_AVP_M };

static const struct variant variants[] = {
	/* as they should be */
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1 }, { .cmd = DIA_CMD_CE, .flags = 0, .without = -1, .strict = true },
	{ .cmd = DIA_CMD_DW, .flags = DIA_R, .without = -1, .strict = true }, { .cmd = DIA_CMD_DW, .flags = 0, .without = -1 },
	{ .cmd = DIA_CMD_DP, .flags = DIA_R, .without = -1, .strict = true }, { .cmd = DIA_CMD_DP, .flags = 0, .without = -1 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .strict = true }, { .cmd = DIA_CMD_BI, .flags = DIA_P, .without = -1 },
	{ .cmd = DIA_CMD_BI, .flags = DIA_P, .without = -1, .strict = true },
	/* 3001, 3007, 3008 */
	{ .cmd = 311, .flags = RP, .without = -1, .app = DIA_APP_ZN, .result = 3001 },
	{ .cmd = 274, .flags = DIA_R, .without = -1, .result = 3001 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .app = 16777221, .result = 3007 },
	{ .cmd = DIA_CMD_BI, .flags = RP | DIA_E, .without = -1, .result = 3008 },
	{ .cmd = DIA_CMD_DW, .flags = DIA_R | DIA_E, .without = -1, .result = 3008 },
	{ .cmd = DIA_CMD_BI, .flags = DIA_R, .without = -1 },				/* known to be sent */
	{ .cmd = DIA_CMD_BI, .flags = DIA_R, .without = -1, .strict = true, .result = 3008 },
	{ .cmd = DIA_CMD_DW, .flags = RP, .without = -1, .strict = true, .result = 3008 },
	/* 5005 */
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_SESSION_ID, .result = 5005, .failed = 263 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_ORIGIN_HOST, .result = 5005, .failed = 264 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_ORIGIN_REALM, .result = 5005, .failed = 296 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_DESTINATION_REALM, .result = 5005, .failed = 283 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_TRANSACTION_IDENTIFIER, .result = 5005, .failed = 401 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_NAF_ID, .result = 5005, .failed = 402 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_VENDOR_SPECIFIC_APPLICATION_ID },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_VENDOR_SPECIFIC_APPLICATION_ID, .strict = true, .result = 5005, .failed = 260 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = DIA_ORIGIN_HOST, .result = 5005, .failed = 264 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = DIA_HOST_IP_ADDRESS, .result = 5005, .failed = 257 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = DIA_PRODUCT_NAME, .result = 5005, .failed = 269 },
	{ .cmd = DIA_CMD_DW, .flags = DIA_R, .without = DIA_ORIGIN_REALM, .result = 5005, .failed = 296 },
	{ .cmd = DIA_CMD_DW, .flags = 0, .without = DIA_RESULT_CODE, .result = 5005, .failed = 268 },
	{ .cmd = DIA_CMD_DP, .flags = DIA_R, .without = DIA_DISCONNECT_CAUSE, .result = 5005, .failed = 273 },
	/* 5009 */
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 263, 0, M, "61", 1 }, .result = 5009, .failed = 263 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 401, 10415, M, "61", 1 }, .result = 5009, .failed = 401 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 403, 10415, M, "37", 16 } },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 403, 10415, M, "37", 17 }, .result = 5009, .failed = 403 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 282, 0, M, "61", 200 } },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 4711, 0, 0, "", 300 }, .result = 5009, .failed = 4711 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 278, 0, M, "00000001", 2 }, .result = 5009, .failed = 278 },
	/* 5008 */
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 268, 0, M, "000007d1", 1 }, .result = 5008, .failed = 268 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 405, 10415, M, "", 1 }, .result = 5008, .failed = 405 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 268, 0, M, "000007d1", 1 }, .result = 5008, .failed = 268 },
	/* 5001; the same code of another vendor is another AVP */
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 4711, 0, M, "6162", 1 }, .result = 5001, .failed = 4711 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 401, 9, M, "6162", 1 }, .result = 5001, .failed = 401 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 401, 0, M, "6162", 1 }, .result = 5001, .failed = 401 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 4711, 0, 0, "6162", 1 } },
	/* 3009 */
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 277, 0, 0, "00000001", 1 } },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 277, 0, 0, "00000001", 1 }, .strict = true, .result = 3009, .failed = 277 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 281, 0, M, "61", 1 }, .strict = true, .result = 3009, .failed = 281 },
	/* 5014, 5004 by type */
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 277, 0, M, "000001", 1 }, .result = 5014, .failed = 277 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 407, 10415, M, "", 1 }, .result = 5014, .failed = 407 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 277, 0, M, "00000000", 1 } },	/* legal, not implemented */
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 1, 0, M, "", 1 } },			/* empty User-Name */
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 1, 0, M, "610062", 1 }, .result = 5004, .failed = 1 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_SESSION_ID, .more = { 263, 0, M, "610062", 1 }, .result = 5004, .failed = 263 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_ORIGIN_HOST, .more = { 264, 0, M, "", 1 }, .result = 5004, .failed = 264 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 257, 0, M, "0001 7f0000", 1 }, .result = 5014, .failed = 257 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 257, 0, M, "0002 20010db8000000000000000000000001", 1 } },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 257, 0, M, "0007 00", 1 } },	/* another family */
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 257, 0, M, "00", 1 }, .result = 5014, .failed = 257 },
	/* groups: malformed Vendor-Specific-Application-Id */
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 260, 0, M, "0000010a 4000000c 000028af 00000102 4000000c 01000004", 1 } },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 260, 0, M, "", 1 }, .result = 5005, .failed = 266 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 260, 0, M, "010203", 1 }, .result = 5014 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 260, 0, M, "0000010a 40ffffff 000028af", 1 }, .result = 5014, .failed = 266 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 260, 0, M, "0000010a 4000000a 28af", 1 }, .result = 5014, .failed = 266 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 260, 0, M, "0000010a 4000000c 000028af 00000109 4000000c 000028af", 1 } },
	{ .cmd = DIA_CMD_CE, .flags = DIA_R, .without = -1, .more = { 260, 0, M, "0000010a 4000000c 000028af 00001267 40000008", 1 },
	    .result = 5001, .failed = 4711 },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 284, 0, M, "00000118 4000000c 61626364 00000021 4000000c 00010203", 2 } },
	{ .cmd = DIA_CMD_BI, .flags = RP, .without = -1, .more = { 284, 0, M, "00000118 4000000c 61626364", 1 }, .result = 5005, .failed = 33 },
	/* answers: an error needs little */
	{ .cmd = DIA_CMD_BI, .flags = DIA_E, .without = DIA_SESSION_ID },
	{ .cmd = DIA_CMD_BI, .flags = DIA_E, .without = DIA_RESULT_CODE, .result = 5005, .failed = 268 },
	{ .cmd = DIA_CMD_BI, .flags = DIA_P, .without = DIA_SESSION_ID, .result = 5005, .failed = 263 },
	{ .cmd = DIA_CMD_CE, .flags = DIA_E, .without = DIA_PRODUCT_NAME },
};

START_TEST(check_finds_what_the_table_forbids)
{
	const struct variant *v = &variants[_i];
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_fault f;
	struct span failed;
	struct dia_avp a;
	struct dia_msg m;

	build(&b, v);
	ck_ok(dia_parse(dia_buf_span(&b), &m));
	untouched_fill(&f, sizeof f);
	if (v->result == 0) {
		ck_ok(dia_check(&m, v->strict, &f));
		ck_assert(untouched(&f, sizeof f));
	} else {
		ck_rc(dia_check(&m, v->strict, &f), RC_SYNTAX);
		ck_assert_msg(f.result == v->result, "%u, expected %u: %s", (unsigned)f.result, (unsigned)v->result, f.text);
		failed = span_of(f.failed, f.n_failed);
		ck_assert_msg((failed.n != 0) == (v->failed != 0 ), "Failed-AVP: %s", f.text);
		if (v->failed != 0) {
			ck_ok(dia_next(&failed, &a, NULL));
			ck_assert_uint_eq(a.code, v->failed);
			ck_assert_uint_eq(failed.n, 0);
		}
	}
	dia_buf_free(&b);
}
END_TEST

START_TEST(check_wants_session_id_first_when_strict)
{
	struct variant v = { .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_SESSION_ID, .more = { 263, 0, M, "61", 1 } };
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_fault f;
	struct dia_msg m;

	build(&b, &v);
	ck_ok(dia_parse(dia_buf_span(&b), &m));
	ck_ok(dia_check(&m, false, &f));
	ck_rc(dia_check(&m, true, &f), RC_SYNTAX);
	ck_assert_uint_eq(f.result, 5004);
	dia_buf_free(&b);
}
END_TEST

START_TEST(check_bounds_groups_in_groups)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_hdr h = { .flags = RP, .cmd = DIA_CMD_BI, .app = DIA_APP_ZN };
	uint8_t nest[20 * 8];
	struct dia_fault f;
	struct dia_msg m;

	for (size_t i = 0; i < 20; i++) {		/* Proxy-Info in Proxy-Info in … */
		const uint8_t group[8] = { 0, 0, 1, 28, DIA_AVP_M, 0, 0, (uint8_t)(8 * (20 - i)) };

		memcpy(nest + 8 * i, group, 8);
	}
	dia_begin(&b, &h);
	dia_put(&b, DIA_PROXY_INFO, span_of(nest, sizeof nest));
	ck_ok(dia_end(&b));
	ck_ok(dia_parse(dia_buf_span(&b), &m));
	ck_rc(dia_check(&m, false, &f), RC_SYNTAX);
	ck_assert_uint_eq(f.result, 5009);
	dia_buf_free(&b);
}
END_TEST

/* --- refusing */

START_TEST(an_error_answer_keeps_what_it_can)
{
	struct variant v = { .cmd = DIA_CMD_BI, .flags = RP | DIA_T, .without = -1,
		.more = { 284, 0, M, "00000118 4000000b 616263ff 00000021 4000000c 00010203", 2 } };
	struct dia_buf b = DIA_BUF_INIT, answer = DIA_BUF_INIT;
	struct dia_fault f;
	struct dia_msg m;

	build(&b, &v);
	ck_ok(dia_parse(dia_buf_span(&b), &m));
	dia_fault_missing(&f, DIA_NAF_ID);
	ck_ok(dia_print_fault(&m, "bsf.example.org", "example.org", &f, &answer));
	ck_octets(dia_buf_span(&answer), "010000ec 40000136 01000004 00000000 00000000"
	    "00000107 4000000d 613b313b 32000000"
	    "00000104 40000020 0000010a 4000000c 000028af 00000102 4000000c 01000004"
	    "00000108 40000017 6273662e 6578616d 706c652e 6f726700"
	    "00000128 40000013 6578616d 706c652e 6f726700"
	    "0000010c 4000000c 0000138d"
	    "00000119 00000019 4e41462d 49642069 73206d69 7373696e 67000000"
	    "00000117 40000014 00000192 c000000c 000028af"
	    "0000011c 40000020 00000118 4000000b 616263ff 00000021 4000000c 00010203"
	    "0000011c 40000020 00000118 4000000b 616263ff 00000021 4000000c 00010203");
	dia_fault_set(&f, DIA_TOO_BUSY, "%s", "");
	ck_ok(dia_print_fault(&m, "b", "c", &f, &answer));
	ck_ok(dia_parse(dia_buf_span(&answer), &m));
	ck_assert_uint_eq(m.hdr.flags, DIA_P | DIA_E);
	dia_buf_free(&answer);
	dia_buf_free(&b);
}
END_TEST

START_TEST(a_session_id_that_is_no_text_is_not_sent_back)
{
	struct variant v = { .cmd = DIA_CMD_BI, .flags = RP, .without = DIA_SESSION_ID, .more = { 263, 0, M, "6100", 1 } };
	struct dia_buf b = DIA_BUF_INIT, answer = DIA_BUF_INIT;
	struct dia_fault f = { .result = 5004 };
	struct dia_avp a;
	struct dia_msg m;

	build(&b, &v);
	ck_ok(dia_parse(dia_buf_span(&b), &m));
	ck_ok(dia_print_fault(&m, "b", "c", &f, &answer));
	ck_ok(dia_parse(dia_buf_span(&answer), &m));
	ck_assert(!dia_find(m.avps, DIA_SESSION_ID, &a) && dia_find(m.avps, DIA_RESULT_CODE, &a));
	dia_buf_free(&answer);
	dia_buf_free(&b);
}
END_TEST

START_TEST(an_experimental_result_names_its_vendor)
{
	struct dia_fault f = { .result = DIA_X_NOT_AUTHORIZED, .experimental = true };
	struct dia_buf b = DIA_BUF_INIT;

	dia_begin(&b, &dwr);
	dia_put_fault(&b, &f);
	ck_ok(dia_end(&b));
	ck_octets(dia_buf_span(&b), "01000034 80000118 00000000 00000001 00000002"
	    "00000129 40000020 0000010a 4000000c 000028af 0000012a 4000000c 0000151a");
	dia_buf_free(&b);
}
END_TEST

START_TEST(the_dictionary_has_each_avp_once)
{
	for (unsigned i = 0; i < DIA_ID_COUNT; i++)
		ck_assert_uint_eq(dia_id_of(dia_def((enum dia_id)i)->code, dia_def((enum dia_id)i)->vendor), i);
	ck_assert_uint_eq(dia_id_of(4711, 0), DIA_ID_COUNT);
	ck_assert_str_eq(dia_command_name(310, DIA_APP_ZN, true), "BIR");
	ck_assert_str_eq(dia_command_name(310, DIA_APP_ZN, false), "BIA");
	ck_assert_str_eq(dia_command_name(310, 4, false), "?");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("diameter");
	TCase *t = tcase_create("diameter");

	tcase_add_loop_test(t, frame_tells_a_length_or_that_the_stream_is_lost, 0, TABLE_N(frames));
	tcase_add_test(t, parse_reads_the_header);
	tcase_add_test(t, parse_wants_exactly_one_message);
	tcase_add_test(t, next_takes_avp_after_avp);
	tcase_add_test(t, an_index_knows_the_first_and_the_second);
	tcase_add_test(t, an_index_ends_where_an_avp_is_malformed);
	tcase_add_test(t, check_makes_the_index_of_what_is_good);
	tcase_add_loop_test(t, next_says_what_is_wrong_with_an_avp, 0, TABLE_N(bad_avps));
	tcase_add_test(t, a_long_offending_avp_is_named_by_its_header);
	tcase_add_loop_test(t, text_is_utf8_without_control_characters, 0, TABLE_N(texts));
	tcase_add_loop_test(t, identities_are_lower_case_names, 0, TABLE_N(idents));
	tcase_add_test(t, identities_have_a_limit);
	tcase_add_test(t, u32_has_four_octets);
	tcase_add_loop_test(t, time_goes_on_after_2036, 0, TABLE_N(times));
	tcase_add_test(t, time_has_two_ends);
	tcase_add_test(t, builder_writes_header_padding_groups);
	tcase_add_test(t, builder_starts_anew);
	tcase_add_test(t, builder_has_limits);
	tcase_add_loop_test(t, check_finds_what_the_table_forbids, 0, TABLE_N(variants));
	tcase_add_test(t, check_wants_session_id_first_when_strict);
	tcase_add_test(t, check_bounds_groups_in_groups);
	tcase_add_test(t, an_error_answer_keeps_what_it_can);
	tcase_add_test(t, a_session_id_that_is_no_text_is_not_sent_back);
	tcase_add_test(t, an_experimental_result_names_its_vendor);
	tcase_add_test(t, the_dictionary_has_each_avp_once);
	suite_add_tcase(s, t);
	return unit_run(s);
}
