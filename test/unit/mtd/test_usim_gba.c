/*
 * usim: GBA in the card and the ISIM beside the USIM, against the software card; where a card is to be odd, its answer is replaced
 * on the way. RULES C3; issue 4: GBA_U, Applications.
 */
#include "mtd/usim.h"

#include "common/clock.h"
#include "common/kdf.h"
#include "common/log.h"
#include "common/milenage.h"
#include "mtd/ef_gba.h"
#include "mtd/uicc.h"
#include "test/unit/mtd/card_fixture.h"

#define ISIM_AID "a0000000871004ff44ff128900000100"
#define NAF "nafkc.example.org/0100000002"

static json_t *doc;
static struct clock *clk;
static struct clock_timer *later;
static struct mt_uicc *u;
static struct mt_usim *usim;
static struct mt_card_image image;
static struct mt_card *card;
static char last[600];
static struct {
	const char *begins, *answer;
} odd;

/* What came back. */
static struct {
	int n;
	enum reason why;
	struct mt_usim_info info;
	struct mt_usim_auth auth;
	struct secret *key;
} got;
static struct mt_usim_run run;

static enum rc
filter_transmit(void *r, struct span apdu)
{
	(void)r;
	hex_print(apdu, last);
	clock_timer_set(later, 0);
	return RC_OK;
}

static void
on_later(void *arg)
{
	bool is_odd = odd.begins != NULL && strncmp(last, odd.begins, strlen(odd.begins)) == 0;
	struct span text = span_str(is_odd ? odd.answer : card_say(card, last));
	uint8_t b[300];

	(void)arg;
	ck_ok(hex_parse(text, b, text.n / 2));
	mt_uicc_answered(u, RC_OK, span_of(b, text.n / 2));
}

static void
no_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

static void
power_on(void)
{
	mt_card_free(card);
	card = NULL;
	ck_ok(mt_card_new(&image, NULL, rnd_system(), &card));
}

static void
setup(void)
{
	static const struct mt_uicc_reader ops = { .transmit = filter_transmit };
	static const struct mt_usim_conf conf;
	struct mt_card_app *isim = &image.app[MT_CARD_ISIM], *app = &image.app[MT_CARD_USIM];

	log_capture(no_line, NULL);
	memset(&got, 0, sizeof got);
	memset(&odd, 0, sizeof odd);
	memset(&run, 0, sizeof run);
	doc = vectors_load();
	image = card_image_of_set(doc, 0);
	card_serve(app, MT_SERVICE_GBA);
	card_serve(app, MT_SERVICE_LOCAL_KEY);
	app->n_nafkca = 2;
	strcpy(app->nafkca[0], "nafkc.b.example");
	strcpy(app->nafkca[1], "nafkc.a.example");
	isim->aid_len = 16;
	ck_ok(hex_parse(span_str(ISIM_AID), isim->aid, 16));
	card_serve(isim, MT_ISIM_SERVICE_GBA);
	isim->gba_nafs = 2;
	strcpy(isim->impi, "user@ims.operator.example");
	strcpy(isim->domain, "ims.operator.example");
	card = NULL;
	power_on();
	ck_ok(clock_new_virtual(1, &clk));
	ck_ok(clock_timer_new(clk, on_later, NULL, &later));
	ck_ok(mt_uicc_new(clk, &ops, NULL, 0, &u));
	ck_ok(mt_usim_new(u, &conf, &usim));
	mt_uicc_card(u, true);
}

static void
teardown(void)
{
	mt_usim_free(usim);
	mt_uicc_free(u);
	clock_timer_free(later);
	clock_free(clk);
	mt_card_free(card);
	mt_card_image_clear(&image);
	secret_free(got.auth.res);
	secret_free(got.auth.ck);
	secret_free(got.auth.ik);
	secret_free(got.key);
	json_decref(doc);
}

/* --- asking, and the answer into got */

static void
on_open(void *arg, enum reason why, const struct mt_usim_info *info)
{
	(void)arg;
	got.n++;
	got.why = why;
	got.info = *info;
}

static void
on_auth(void *arg, struct mt_usim_auth *a)
{
	(void)arg;
	got.n++;
	secret_free(got.auth.res);
	secret_free(got.auth.ck);
	secret_free(got.auth.ik);
	got.auth = *a;
	got.why = a->why;
}

static void
on_put(void *arg, enum reason why)
{
	(void)arg;
	got.n++;
	got.why = why;
}

static void
on_key(void *arg, enum reason why, struct secret *key)
{
	(void)arg;
	got.n++;
	got.why = why;
	ck_assert((key != NULL) == (why == REASON_NONE));
	secret_free(got.key);
	got.key = key;
}

static void
answered(void)
{
	int n = got.n;

	clock_advance(clk, 0);
	ck_assert_int_eq(got.n, n + 1);
}

static void
open_card(void)
{
	struct mt_usim_op *op;

	ck_ok(mt_usim_open(usim, on_open, NULL, &op));
	answered();
}

/* A run at an application, from the AuC's side: r.app, and a fresh challenge; star: AUTN*. */
static void
bootstrap(enum mt_app_kind app, uint64_t sqn, bool star)
{
	static const uint8_t amf[2] = { 0x80, 0 };
	struct aka_vector v;
	struct mt_usim_op *op;

	memset(run.rand, (int)sqn, sizeof run.rand);
	ck_ok(aka_make(image.k, image.opc, run.rand, sqn << 5, amf, &v));
	if (star)
		ck_ok(aka_autn_star(v.ik, v.autn, v.autn));
	run.app = app;
	run.expires = 1900003600;
	ck_ok(btid_make(run.rand, "bsf.operator.example", &run.btid));
	ck_ok(mt_usim_authenticate(usim, &got.info, &(struct mt_usim_challenge){ app, true, run.rand, v.autn }, on_auth, NULL, &op));
	answered();
	if (got.auth.verdict == MT_USIM_OK)
		ck_assert(secret_eq(got.auth.res, v.xres) && got.auth.ck == NULL && got.auth.ik == NULL);
	aka_vector_clear(&v);
}

static void
put(void)
{
	struct mt_usim_op *op;

	ck_ok(mt_usim_put_btid(usim, &got.info, &run, on_put, NULL, &op));
	answered();
}

static void
derive(void)
{
	struct mt_usim_op *op;
	struct naf_id naf;

	ck_ok(naf_id_parse(span_str(NAF), &naf));
	ck_ok(mt_usim_ks_ext_naf(usim, &got.info, &run, &naf, on_key, NULL, &op));
	answered();
}

#define expect(r) ck_assert_msg(got.why == (r), "%s, expected %s", reason_get(got.why)->code, reason_get(r)->code)

/* --- */

START_TEST(open_reads_both_applications)
{
	const struct mt_usim_app *a = &got.info.app[MT_APP_USIM], *b = &got.info.app[MT_APP_ISIM];

	open_card();
	expect(REASON_NONE);
	ck_assert(a->gba && a->local_key && !a->bp.run && a->n_nafkca == 2);
	ck_assert_str_eq(a->nafkca[0], "nafkc.b.example");
	ck_assert_str_eq(a->nafkca[1], "nafkc.a.example");
	ck_assert_str_eq(a->impi.s, vec_str(doc, "computed.base.impi"));
	ck_assert(b->gba && !b->local_key && !b->bp.run && b->n_nafkca == 0 && b->aid_len == 16);
	ck_assert_str_eq(b->impi.s, "user@ims.operator.example");
}
END_TEST

/* Ks_ext_NAF is what the BSF derives, for the application's own IMPI; and EF_GBABP tells of the run. */
START_TEST(the_run_from_end_to_end)
{
	enum mt_app_kind app = _i == 0 ? MT_APP_USIM : MT_APP_ISIM;
	struct secret *res, *ck, *ik, *ks, *want;
	struct naf_id naf;
	uint8_t ak[6];

	open_card();
	bootstrap(app, 1, true);
	expect(REASON_NONE);
	ck_assert_int_eq(got.auth.verdict, MT_USIM_OK);
	put();
	expect(REASON_NONE);
	derive();
	expect(REASON_NONE);
	ck_ok(naf_id_parse(span_str(NAF), &naf));
	ck_ok(milenage_f2345(image.k, image.opc, run.rand, &res, &ck, &ik, ak));
	ck_ok(secret_concat(ck, ik, &ks));
	ck_ok(kdf_ks_naf(ks, run.rand, span_str(got.info.app[app].impi.s), &naf, &want));
	ck_assert(secret_eq(got.key, want));
	open_card();
	ck_assert(got.info.app[app].bp.whole && got.info.app[app].bp.expires == run.expires);
	ck_assert_str_eq(got.info.app[app].bp.btid.s, run.btid.s);
	ck_assert_mem_eq(got.info.app[app].bp.rand, run.rand, 16);
	ck_assert(!got.info.app[1 - app].bp.run);		/* the other has its own */
	secret_free(res);
	secret_free(ck);
	secret_free(ik);
	secret_free(ks);
	secret_free(want);
}
END_TEST

START_TEST(plain_autn_is_not_for_the_gba_context)
{
	open_card();
	bootstrap(MT_APP_USIM, 1, false);
	ck_assert_int_eq(got.auth.verdict, MT_USIM_MAC);
	expect(REASON_CARD_MAC);
}
END_TEST

START_TEST(sqn_not_fresh_gives_auts)
{
	open_card();
	bootstrap(MT_APP_USIM, 5, true);
	bootstrap(MT_APP_USIM, 5, true);
	ck_assert_int_eq(got.auth.verdict, MT_USIM_SYNC);
	ck_assert_ptr_null(got.auth.res);
}
END_TEST

START_TEST(c3_another_run_is_on_the_card)
{
	struct mt_usim_run ours;

	open_card();
	bootstrap(MT_APP_USIM, 1, true);
	put();
	ours = run;
	bootstrap(MT_APP_USIM, 2, true);	/* the other terminal's */
	run = ours;
	derive();
	expect(REASON_CARD_OTHER_KS);
	ck_assert_int_eq(strncmp(last, "00b0", 4), 0);	/* it was not even asked to */
	put();
	expect(REASON_CARD_OTHER_KS);
	ck_assert_int_eq(strncmp(last, "00b0", 4), 0);
}
END_TEST

/* The same RAND, and another B-TID: whose Ks that is cannot be told. */
START_TEST(c3_another_btid)
{
	open_card();
	bootstrap(MT_APP_USIM, 1, true);
	put();
	ck_ok(btid_make(run.rand, "bsf.other.example", &run.btid));
	derive();
	expect(REASON_CARD_OTHER_KS);
}
END_TEST

START_TEST(c3_no_run_at_all)
{
	open_card();
	run.app = MT_APP_USIM;
	ck_ok(btid_make(run.rand, "bsf.operator.example", &run.btid));
	derive();
	expect(REASON_CARD_OTHER_KS);
	put();
	expect(REASON_CARD_OTHER_KS);
}
END_TEST

/* NAF_ID and IMPI must go into one command. */
START_TEST(too_long_for_a_command)
{
	char text[NAF_ID_TEXT_MAX + 1];
	struct mt_usim_op *op;
	struct naf_id naf;

	open_card();
	memset(text, 'a', sizeof text);
	for (int i = 60; i < 240; i += 60)
		text[i] = '.';
	strcpy(text + 240, "/0100000002");
	ck_ok(naf_id_parse(span_str(text), &naf));
	ck_rc(mt_usim_ks_ext_naf(usim, &got.info, &run, &naf, on_key, NULL, &op), RC_RANGE);
}
END_TEST

/* B-TID and lifetime must fit the file. */
START_TEST(too_long_for_the_file)
{
	char host[200];

	open_card();
	bootstrap(MT_APP_USIM, 1, true);
	memset(host, 'b', sizeof host);
	for (int i = 50; i < 190; i += 50)
		host[i] = '.';
	host[190] = '\0';
	ck_ok(btid_make(run.rand, host, &run.btid));
	put();
	expect(REASON_CARD_GBABP);
}
END_TEST

enum { OPEN, AUTH, PUT, DERIVE };
static const struct {
	int at;
	const char *begins, *answer;
	enum reason why;
} odds[] = {
	/* what the card is used without */
	{ OPEN, "00a4040410a0000000871004", "6a82", REASON_NONE }, { OPEN, "00a40004026f02", "6a82", REASON_NONE },
	{ OPEN, "00a40004026f02", "9000", REASON_NONE }, { OPEN, "00a40004026fd6", "6a82", REASON_NONE },
	{ OPEN, "00a40004026fdd", "6a82", REASON_NONE }, { OPEN, "00b202", "6f00", REASON_NONE },
	/* AUTHENTICATE */
	{ AUTH, "00880084", "9862", REASON_CARD_MAC }, { AUTH, "00880084", "9864", REASON_CARD_GBA },
	{ AUTH, "00880084", "6a86", REASON_CARD_GBA }, { AUTH, "00880084", "6d00", REASON_CARD_GBA },
	{ AUTH, "00880084", "6985", REASON_CARD_STATUS }, { AUTH, "00880084", "9000", REASON_CARD_STATUS },
	{ AUTH, "00880084", "db0811223344556677889000", REASON_NONE }, { AUTH, "00880084", "db081122334455667788009000", REASON_CARD_STATUS },
	{ AUTH, "00880084", "dc0e000102030405060708090a0b0c9000", REASON_CARD_STATUS }, { AUTH, "00a4040410", "6a82", REASON_CARD_NO_USIM },
	/* EF_GBABP */
	{ PUT, "00a40004026fd6", "6a82", REASON_CARD_GBABP }, { PUT, "00a40004026fd6", "9000", REASON_CARD_GBABP },
	{ PUT, "00b0", "6982", REASON_CARD_STATUS }, { PUT, "00b0", "6f00", REASON_CARD_GBABP }, { PUT, "00b0", "10009000", REASON_CARD_GBABP },
	{ PUT, "00b0", "ffff9000", REASON_CARD_OTHER_KS }, { PUT, "00d6", "6581", REASON_CARD_GBABP },
	/* NAF derivation */
	{ DERIVE, "00880084", "6985", REASON_CARD_OTHER_KS }, { DERIVE, "00880084", "9864", REASON_CARD_STATUS },
	{ DERIVE, "00880084", "9000", REASON_CARD_STATUS }, { DERIVE, "00880084", "db0411223344" "9000", REASON_CARD_STATUS },
};
START_TEST(odd_cards)
{
	int at = odds[_i].at;

	if (at == OPEN)
		goto open;
	open_card();
	if (at > AUTH)
		bootstrap(MT_APP_USIM, 1, true);
	if (at > PUT)
		put();
open:
	odd.begins = odds[_i].begins;
	odd.answer = odds[_i].answer;
	if (at == OPEN) {
		open_card();
	} else if (at == AUTH) {
		struct mt_usim_op *op;
		static const uint8_t zero[16];

		ck_ok(mt_usim_authenticate(usim, &got.info, &(struct mt_usim_challenge){ MT_APP_USIM, true, zero, zero }, on_auth, NULL, &op));
		answered();
	} else if (at == PUT) {
		put();
	} else {
		derive();
	}
	expect(odds[_i].why);
}
END_TEST

START_TEST(an_isim_that_tells_nothing_is_not_there)
{
	odd.begins = "00a40004026f02";
	odd.answer = "6a82";
	open_card();
	expect(REASON_NONE);
	ck_assert_uint_eq(got.info.app[MT_APP_ISIM].aid_len, 0);
	ck_assert_uint_eq(got.info.app[MT_APP_USIM].aid_len, 16);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("usim_gba");
	TCase *t = tcase_create("usim_gba");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, open_reads_both_applications);
	tcase_add_loop_test(t, the_run_from_end_to_end, 0, 2);
	tcase_add_test(t, plain_autn_is_not_for_the_gba_context);
	tcase_add_test(t, sqn_not_fresh_gives_auts);
	tcase_add_test(t, c3_another_run_is_on_the_card);
	tcase_add_test(t, c3_another_btid);
	tcase_add_test(t, c3_no_run_at_all);
	tcase_add_test(t, too_long_for_a_command);
	tcase_add_test(t, too_long_for_the_file);
	tcase_add_loop_test(t, odd_cards, 0, TABLE_N(odds));
	tcase_add_test(t, an_isim_that_tells_nothing_is_not_there);
	suite_add_tcase(s, t);
	return unit_run(s);
}
