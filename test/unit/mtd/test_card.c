/* The card through its one door: APDUs (C1; issue 4 Shows 4). */
#include "mtd/card.h"

#include "common/aka.h"
#include "common/sqn.h"
#include "mtd/apdu.h"
#include "mtd/ef.h"
#include "mtd/fcp.h"
#include "mtd/tlv.h"
#include "test/unit/mtd/card_fixture.h"

#define SELECT_USIM "00a4040410" USIM_AID "00"
#define SELECT_MF "00a4000c023f00"

static json_t *doc;
static struct mt_card_image image;
static struct mt_card *card;

static void
make(void)
{
	mt_card_free(card);
	card = NULL;
	ck_ok(mt_card_new(&image, NULL, rnd_system(), &card));
}

static void
setup(void)
{
	doc = vectors_load();
	image = card_image_of_set(doc, 0);
	card = NULL;
	make();
}

static void
teardown(void)
{
	mt_card_free(card);
	mt_card_image_clear(&image);
	json_decref(doc);
}

/* --- files */

START_TEST(files_hold_what_the_image_says)
{
	char want[128];

	ck_sw(card, SELECT_MF, "9000");
	ck_sw(card, "00a4000c022fe2", "9000");
	snprintf(want, sizeof want, "%s9000", vec_str(doc, "computed.usim.ef_iccid"));
	ck_say(card, "00b000000a", want);
	ck_say(card, "00b0000000", want);
	ck_sw(card, "00a4000c022f00", "9000");
	ck_say(card, "00b2010440", "61184f10" USIM_AID "50045553494d"
	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff9000");
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, "00a4000c026f07", "9000");
	snprintf(want, sizeof want, "%s9000", vec_str(doc, "computed.usim.ef_imsi"));
	ck_say(card, "00b0000009", want);
	ck_sw(card, "00a4000c026fad", "9000");
	ck_say(card, "00b0000004", "000000029000");
	ck_sw(card, "00a4000c026f38", "9000");
	ck_say(card, "00b0000005", "00000004009000");		/* service 27 = bit 3 of octet 4 */
	ck_say(card, "00b0000301", "049000");
	ck_say(card, "00b0001302", "6c01");
}
END_TEST

START_TEST(fcp_tells_kind_size_and_name)
{
	static const struct {
		const char *before, *select;
		struct mt_fcp want;
	} files[] = {
		{ SELECT_MF, "00a40004023f0000", { .kind = MT_FILE_DF, .fid = 0x3f00 } },
		{ SELECT_MF, "00a40004022fe200", { .kind = MT_FILE_TRANSPARENT, .fid = 0x2fe2, .size = 10, .sfi = 2 } },
		{ SELECT_MF, "00a40004022f0000", { .kind = MT_FILE_LINEAR, .fid = 0x2f00, .record_len = 64, .records = 1, .sfi = 30 } },
		{ SELECT_MF, SELECT_USIM, { .kind = MT_FILE_DF, .fid = 0x7fff, .aid_len = 16 } },
		{ SELECT_USIM, "00a40004026f0700", { .kind = MT_FILE_TRANSPARENT, .fid = 0x6f07, .size = 9, .sfi = 7 } },
	};

	for (int i = 0; i < TABLE_N(files); i++) {
		const char *answer;
		uint8_t octets[256];
		struct mt_fcp got, want = files[i].want;
		size_t n;

		ck_sw(card, files[i].before, "9000");
		answer = card_say(card, files[i].select);
		n = strlen(answer) / 2 - 2;
		ck_ok(hex_parse(span_of(answer, 2 * n), octets, n));
		ck_assert_str_eq(answer + 2 * n, "9000");
		ck_ok(mt_fcp_parse((struct span){ octets, n }, &got));
		memcpy(want.aid, image.app[MT_CARD_USIM].aid, want.aid_len);
		ck_assert_msg(got.kind == want.kind && got.fid == want.fid && got.size == want.size && got.record_len == want.record_len &&
		    got.records == want.records && got.sfi == want.sfi && got.aid_len == want.aid_len &&
		    memcmp(got.aid, want.aid, want.aid_len) == 0, "file %d", i);
	}
}
END_TEST

/* Each line: after SELECT_MF, select; what the current file then is, by what a READ BINARY says. */
static const struct {
	const char *first, *select, *sw;
} selections[] = {
	{ SELECT_MF, "00a4000c022fe2", "9000" },
	{ SELECT_MF, "00a4000c026f07", "6a82" },		/* not below the MF */
	{ SELECT_USIM, "00a4000c026f07", "9000" },
	{ SELECT_USIM, "00a4000c022fe2", "6a82" },		/* not below the ADF */
	{ SELECT_USIM, "00a4000c023f00", "9000" },
	{ SELECT_USIM, "00a4000c027fff", "9000" },
	{ SELECT_MF, "00a4000c027fff", "6a82" },		/* no application selected yet */
	{ SELECT_USIM, "00a4000c", "9000" },			/* no data: the MF */
	{ SELECT_MF, "00a4040c07a0000000871002", "9000" },	/* partial AID */
	{ SELECT_MF, "00a4040c05a000000087", "9000" },
	{ SELECT_MF, "00a4040c04a0000000", "6a82" },
	{ SELECT_MF, "00a4040c07a0000000871004", "6a82" },	/* no ISIM */
	{ SELECT_MF, "00a4040c11" USIM_AID "00", "6a82" },
	{ SELECT_MF, "00a4080c022fe2", "9000" },		/* path */
	{ SELECT_USIM, "00a4080c022fe2", "9000" },
	{ SELECT_USIM, "00a4080c047fff6f07", "9000" },
	{ SELECT_MF, "00a4080c047fff6f07", "6a82" },
	{ SELECT_USIM, "00a4080c046f076f07", "6a82" },
	{ SELECT_USIM, "00a4080c042fe27fff", "6a82" },
	{ SELECT_USIM, "00a4090c026fad", "9000" },
	{ SELECT_MF, "00a4080c032fe200", "6a82" },
	{ SELECT_MF, "00a4080c", "6a82" },
	{ SELECT_MF, "00a4000c012f", "6a82" },
	{ SELECT_MF, "00a4000c032fe200", "6a82" },
	{ SELECT_MF, "00a4010c022fe2", "6a86" },
	{ SELECT_MF, "00a40000022fe2", "6a86" },
	{ SELECT_MF, "00a40004022fe2", "9000" },
};
START_TEST(select_reaches_what_ts_102_221_lets_it)
{
	ck_sw(card, selections[_i].first, "9000");
	ck_assert_msg(strcmp(card_say(card, selections[_i].select), selections[_i].sw) == 0, "%d: %s: %s", _i, selections[_i].select,
	    card_say(card, selections[_i].select));
}
END_TEST

START_TEST(a_failed_select_changes_nothing)
{
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, "00a4000c026fad", "9000");
	ck_sw(card, "00a4000c024711", "6a82");
	ck_sw(card, "00a4040c07a0000000871004", "6a82");
	ck_say(card, "00b0000004", "000000029000");
}
END_TEST

static const struct {
	const char *select, *read, *sw;
} misreads[] = {
	{ SELECT_MF, "00b0000001", "6986" },			/* no current EF */
	{ SELECT_USIM, "00b2010440", "6986" },
	{ "00a4000c022fe2", "00b0000a01", "6b00" },		/* behind the end */
	{ "00a4000c022fe2", "00b07fff01", "6b00" },
	{ "00a4000c022fe2", "00b000000b", "6c0a" },
	{ "00a4000c022fe2", "00b0000902", "6c01" },
	{ "00a4000c022fe2", "00b00000", "6700" },		/* no Le */
	{ "00a4000c022fe2", "00b201040a", "6981" },		/* no records in it */
	{ "00a4000c022f00", "00b0000001", "6981" },
	{ "00a4000c022f00", "00b2020440", "6a83" },
	{ "00a4000c022f00", "00b2000440", "6a83" },
	{ "00a4000c022f00", "00b2010240", "6a86" },
	{ "00a4000c022f00", "00b2010441", "6c40" },
	{ "00a4000c022f00", "00b2010410", "6c40" },
	{ "00a4000c022f00", "00b20104", "6700" },
	{ SELECT_MF, "00b0820001", "9000" },			/* SFI 2 */
	{ SELECT_MF, "00b09f0001", "6a82" },
	{ SELECT_MF, "00b0800001", "6a86" },
	{ SELECT_MF, "00b0c20001", "6a86" },
	{ SELECT_MF, "00b201f440", "9000" },			/* SFI 30 */
	{ SELECT_MF, "00b201fc40", "6a86" },			/* SFI 31 is none */
	{ SELECT_MF, "00b2013c40", "6a82" },
};
START_TEST(reads_and_misreads)
{
	ck_sw(card, SELECT_MF, "9000");
	ck_sw(card, misreads[_i].select, "9000");
	ck_sw(card, misreads[_i].read, misreads[_i].sw);
}
END_TEST

/* --- misuse */

static const struct {
	const char *apdu, *sw;
} misuses[] = {
	{ "", "6700" }, { "00", "6700" }, { "00a400", "6700" }, { "00b0000000000a", "6700" }, { "00a4000c033f00", "6700" },
	{ "00a4000c023f000000", "6700" }, { "00a4000c00000002", "6700" },
	{ "0084000008", "6d00" }, { "00d6000001ff", "6986" }, { "00f2000000", "6d00" },
	{ "a0a40000023f00", "6e00" }, { "80f2000000", "6e00" }, { "ffffffff", "6e00" }, { "01a4000c023f00", "6881" }, { "03b0000001", "6881" },
	{ "0ca4000c023f00", "6882" }, { "04b0000001", "6882" }, { "00c0000010", "6985" }, { "00c0010010", "6a86" },
};
START_TEST(misuse_gets_its_word)
{
	ck_say(card, misuses[_i].apdu, misuses[_i].sw);
	ck_sw(card, SELECT_USIM, "9000");		/* and the card goes on */
}
END_TEST

/* --- PIN */

#define VERIFY_1234 "002000010831323334ffffffff"
#define VERIFY_0000 "002000010830303030ffffffff"

static void
with_pin(void)
{
	strcpy(image.pin, "1234");
	make();
}

START_TEST(pin_opens_what_wants_it)
{
	with_pin();
	ck_sw(card, "00a4000c022fe2", "9000");
	ck_sw(card, "00b000000a", "9000");		/* EF_ICCID is for everyone */
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, "00a4000c026fad", "9000");
	ck_sw(card, "00b0000004", "9000");
	ck_sw(card, "00a4000c026f07", "9000");
	ck_say(card, "00b0000009", "6982");
	ck_say(card, "00200001", "63c3");
	ck_say(card, VERIFY_1234, "9000");
	ck_sw(card, "00b0000009", "9000");
	mt_card_reset(card);
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, "00a4000c026f07", "9000");
	ck_say(card, "00b0000009", "6982");		/* a reset forgets it */
}
END_TEST

START_TEST(pin_tries)
{
	with_pin();
	ck_say(card, VERIFY_0000, "63c2");
	ck_say(card, "0020000108313233343fffffff", "63c1");	/* a prefix is not it */
	ck_say(card, VERIFY_1234, "9000");			/* gives all tries back */
	ck_say(card, VERIFY_0000, "63c2");
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, "00a4000c026f07", "9000");
	ck_say(card, "00b0000009", "6982");			/* a wrong one takes the right away again */
	ck_say(card, VERIFY_0000, "63c1");
	ck_say(card, VERIFY_0000, "6983");
	ck_say(card, VERIFY_1234, "6983");			/* blocked: the right one too */
	ck_say(card, "00200001", "6983");
}
END_TEST

START_TEST(pin_misuse)
{
	ck_say(card, VERIFY_1234, "6984");			/* switched off */
	with_pin();
	ck_say(card, "002000010431323334", "6700");
	ck_say(card, "0020010108313233343fffffff", "6a86");
	ck_say(card, "002000020831323334ffffffff", "6a88");
	ck_say(card, "002000810831323334ffffffff", "6a88");
	ck_say(card, "00200001", "63c3");			/* none of it cost a try */
}
END_TEST

/* --- AUTHENTICATE */

static const char *
authenticate(const uint8_t rand[16], const uint8_t autn[16])
{
	static char text[128];
	char r[33], a[33];

	hex_print((struct span){ rand, 16 }, r);
	hex_print((struct span){ autn, 16 }, a);
	snprintf(text, sizeof text, "008800812210%s10%s00", r, a);
	return text;
}

static void
challenge(uint64_t seq, unsigned ind, struct aka_vector *v)
{
	static const uint8_t amf[2] = { 0x80, 0x00 };
	uint8_t rand[16];

	ck_ok(rnd_bytes(rnd_system(), rand, sizeof rand));
	ck_ok(aka_make(image.k, image.opc, rand, seq << SQN_IND_BITS | ind, amf, v));
}

/* TS 35.208 4.3.1 to 4.3.20: AUTN from the set's own values, RES, CK and IK back. */
START_TEST(all_milenage_sets_through_apdus)
{
	json_t *set = vec_at(doc, "milenage.sets", _i);
	uint8_t rand[16], autn[16], ak[6];
	char want[256];

	mt_card_image_clear(&image);
	image = card_image_of_set(doc, _i);
	make();
	vec_hex(set, "rand", rand, 16);
	vec_hex(set, "sqn", autn, 6);
	vec_hex(set, "ak", ak, 6);
	for (int i = 0; i < 6; i++)
		autn[i] ^= ak[i];
	vec_hex(set, "amf", autn + 6, 2);
	vec_hex(set, "mac_a", autn + 8, 8);
	ck_sw(card, SELECT_USIM, "9000");
	snprintf(want, sizeof want, "db08%s10%s10%s9000", vec_str(set, "res"), vec_str(set, "ck"), vec_str(set, "ik"));
	ck_say(card, authenticate(rand, autn), want);
	/* the same again is genuine but used: AUTS, with the SQN that was just taken */
	ck_assert_int_eq(strncmp(card_say(card, authenticate(rand, autn)), "dc0e", 4), 0);
	autn[15] ^= 1;
	ck_say(card, authenticate(rand, autn), "9862");
}
END_TEST

static uint64_t
sqn_told(const char *answer, const uint8_t rand[16])
{
	uint8_t auts[14];
	uint64_t ms = 0;

	ck_assert_msg(strlen(answer) == 2 * 16 + 4 && strncmp(answer, "dc0e", 4) == 0, "%s", answer);
	ck_ok(hex_parse(span_of(answer + 4, 28), auts, 14));
	ck_ok(aka_check_auts(image.k, image.opc, rand, auts, &ms));
	return ms;
}

/* What the AuC sends next when it has this AUTS: the card takes it. Gives its SEQ. */
static uint64_t
resynchronise(uint64_t seq_he, uint64_t ms)
{
	struct aka_vector v;
	uint64_t he = sqn_resync(seq_he << SQN_IND_BITS, ms, SQN_DELTA_DEFAULT);

	ck_assert_uint_eq(he, ms);
	ck_ok(sqn_next(he, 4, &he));
	challenge(sqn_seq(he), 4, &v);
	ck_assert_int_eq(strncmp(card_say(card, authenticate(v.rand, v.autn)), "db", 2), 0);
	aka_vector_clear(&v);
	return sqn_seq(he);
}

/* The AuC, set back by 1, by 2^20 and past the jump limit, and then ahead past it, is each time right again after one AUTS. */
START_TEST(auts_resynchronises)
{
	static const uint64_t back[] = { 1, 1 << 20, SQN_DELTA_DEFAULT + 1 };
	struct aka_vector v;
	uint64_t top = 0, ms;

	image.sqn.delta = SQN_DELTA_DEFAULT;
	make();
	ck_sw(card, SELECT_USIM, "9000");
	for (int i = 0; i < 2; i++) {		/* one jump is not far enough to be set back past the limit */
		challenge(top += SQN_DELTA_DEFAULT, 4, &v);
		ck_assert_int_eq(strncmp(card_say(card, authenticate(v.rand, v.autn)), "db", 2), 0);
		aka_vector_clear(&v);
	}
	for (int i = 0; i < TABLE_N(back); i++) {
		challenge(top - back[i], 4, &v);
		ms = sqn_told(card_say(card, authenticate(v.rand, v.autn)), v.rand);
		ck_assert_uint_eq(ms, top << SQN_IND_BITS | 4);
		aka_vector_clear(&v);
		top = resynchronise(top - back[i], ms);
	}
	challenge(top + SQN_DELTA_DEFAULT + 1, 4, &v);
	ms = sqn_told(card_say(card, authenticate(v.rand, v.autn)), v.rand);
	aka_vector_clear(&v);
	(void)resynchronise(top + SQN_DELTA_DEFAULT, ms);
}
END_TEST

START_TEST(age_limit_of_the_image)
{
	struct aka_vector v;

	image.sqn.age = 10;
	make();
	ck_sw(card, SELECT_USIM, "9000");
	challenge(100, 0, &v);
	ck_assert_int_eq(strncmp(card_say(card, authenticate(v.rand, v.autn)), "db", 2), 0);
	aka_vector_clear(&v);
	challenge(90, 1, &v);
	ck_assert_int_eq(strncmp(card_say(card, authenticate(v.rand, v.autn)), "dc", 2), 0);
	aka_vector_clear(&v);
	challenge(91, 1, &v);
	ck_assert_int_eq(strncmp(card_say(card, authenticate(v.rand, v.autn)), "db", 2), 0);
	aka_vector_clear(&v);
}
END_TEST

START_TEST(authenticate_misuse)
{
	struct aka_vector v;
	const char *good;
	char text[128];

	challenge(1, 0, &v);
	good = authenticate(v.rand, v.autn);
	ck_say(card, good, "6985");			/* no application */
	ck_sw(card, SELECT_USIM, "9000");
	ck_sw(card, SELECT_MF, "9000");
	ck_say(card, good, "6985");			/* left it */
	ck_sw(card, SELECT_USIM, "9000");
	snprintf(text, sizeof text, "00880080%s", good + 8);
	ck_say(card, text, "9864");
	snprintf(text, sizeof text, "00880084%s", good + 8);
	ck_say(card, text, "9864");
	snprintf(text, sizeof text, "00880001%s", good + 8);
	ck_say(card, text, "6a86");
	snprintf(text, sizeof text, "00880181%s", good + 8);
	ck_say(card, text, "6a86");
	snprintf(text, sizeof text, "%.*s", 78, good);	/* no Le */
	ck_say(card, text, "6700");
	snprintf(text, sizeof text, "008800812110%s00", "000102030405060708090a0b0c0d0e0f0f000102030405060708090a0b0c0d0e0f");
	ck_say(card, text, "6700");
	strcpy(text, good);
	memcpy(text + 10, "0f", 2);
	ck_say(card, text, "6a80");
	strcpy(text, good);
	memcpy(text + 44, "11", 2);
	ck_say(card, text, "6a80");
	ck_assert_int_eq(strncmp(card_say(card, good), "db08", 4), 0);	/* none of it spent the challenge */
	strcpy(image.pin, "1234");
	make();
	ck_sw(card, SELECT_USIM, "9000");
	ck_say(card, good, "6982");
	ck_say(card, VERIFY_1234, "9000");
	ck_assert_int_eq(strncmp(card_say(card, good), "db08", 4), 0);
	aka_vector_clear(&v);
}
END_TEST

/* --- T=0: what a reader with 61xx and GET RESPONSE sees */

START_TEST(t0_answers_wait_for_get_response)
{
	const char *sw;
	char get[16];
	struct aka_vector v;

	image.t0 = true;
	make();
	sw = card_say(card, "00a40004023f00");
	ck_assert_int_eq(strncmp(sw, "61", 2), 0);
	snprintf(get, sizeof get, "00c00000%s", sw + 2);
	ck_assert_int_eq(strncmp(card_say(card, "00c0000001"), "6c", 2), 0);	/* wrong length: it goes on waiting */
	ck_assert_int_eq(strncmp(card_say(card, get), "62", 2), 0);
	ck_say(card, get, "6985");						/* once */
	ck_sw(card, "00a4000c023f00", "9000");					/* no FCP wanted, nothing waits */
	ck_say(card, get, "6985");
	ck_assert_int_eq(strncmp(card_say(card, "00a4040410" USIM_AID), "61", 2), 0);
	challenge(1, 0, &v);
	ck_say(card, authenticate(v.rand, v.autn), "612c");			/* DB 08 RES 10 CK 10 IK = 44 */
	ck_assert_int_eq(strncmp(card_say(card, "00c000002c"), "db08", 4), 0);
	ck_say(card, authenticate(v.rand, v.autn), "6110");
	ck_sw(card, SELECT_MF, "9000");						/* another command: the answer is lost */
	ck_say(card, "00c0000010", "6985");
	aka_vector_clear(&v);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("card");
	TCase *t = tcase_create("card");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, files_hold_what_the_image_says);
	tcase_add_test(t, fcp_tells_kind_size_and_name);
	tcase_add_loop_test(t, select_reaches_what_ts_102_221_lets_it, 0, TABLE_N(selections));
	tcase_add_test(t, a_failed_select_changes_nothing);
	tcase_add_loop_test(t, reads_and_misreads, 0, TABLE_N(misreads));
	tcase_add_loop_test(t, misuse_gets_its_word, 0, TABLE_N(misuses));
	tcase_add_test(t, pin_opens_what_wants_it);
	tcase_add_test(t, pin_tries);
	tcase_add_test(t, pin_misuse);
	tcase_add_loop_test(t, all_milenage_sets_through_apdus, 0, vec_count("milenage.sets"));
	tcase_add_test(t, auts_resynchronises);
	tcase_add_test(t, age_limit_of_the_image);
	tcase_add_test(t, authenticate_misuse);
	tcase_add_test(t, t0_answers_wait_for_get_response);
	suite_add_tcase(s, t);
	return unit_run(s);
}
