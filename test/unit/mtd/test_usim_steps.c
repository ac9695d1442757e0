/* What the MT makes of cards that are not as they should be: a reader that answers from a table. */
#include "common/clock.h"
#include "common/log.h"
#include "mtd/uicc.h"
#include "mtd/usim.h"
#include "test/unit/vectors.h"

#define SELECT_USIM "00a4040410a0000000871002ff44ff12890000010000"

/* A good card. A test puts lines in front; the first that fits is the answer. */
struct line {
	const char *apdu, *answer;
};
static const struct line good[] = {
	{ "00a40004023f0000", "6204820278219000" },
	{ "00a40004022fe200", "6204820241219000" },
	{ "00b000000a", "984401000399999999999000" },
	{ "00a40004022f0000", "620782054221001c029000" },
	{ "00b201041c", "61184f10a0000000871004ff44ff12890000010050044953494dffff9000" },
	{ "00b202041c", "61184f10a0000000871002ff44ff12890000010050045553494dffff9000" },
	{ SELECT_USIM, "9000" },
	{ "00a40004026f0700", "9000" },
	{ "00b0000009", "0829435190999999999000" },
	{ "00a40004026fad00", "9000" },
	{ "00b0000004", "000000029000" },
	{ "00a40004026f3800", "620882024121800200099000" },
};

static struct mt_uicc *u;
static struct clock *clk;
static struct mt_usim *usim;
static struct clock_timer *later;
static struct line odd[4];
static char last[600];
static bool ust_selected;
static enum reason why;
static struct mt_usim_info info;
static struct mt_usim_auth auth;
static int n;

static enum rc
table_transmit(void *r, struct span apdu)
{
	(void)r;
	hex_print(apdu, last);
	clock_timer_set(later, 0);
	return RC_OK;
}

static const char *
look_up(void)
{
	if (strcmp(last, "00a40004026f3800") == 0)
		ust_selected = true;
	for (int i = 0; i < TABLE_N(odd) && odd[i].apdu != NULL; i++) {
		if (strcmp(odd[i].apdu, last) == 0)
			return odd[i].answer;
	}
	if (ust_selected && strcmp(last, "00b0000009") == 0)
		return "0000000000000000089000";	/* service 68 = bit 4 of octet 9 */
	for (int i = 0; i < TABLE_N(good); i++) {
		if (strcmp(good[i].apdu, last) == 0)
			return good[i].answer;
	}
	return "6d00";
}

static void
on_later(void *arg)
{
	uint8_t b[300];
	struct span text = span_str(look_up());

	(void)arg;
	ck_ok(hex_parse(text, b, text.n / 2));
	mt_uicc_answered(u, RC_OK, (struct span){ b, text.n / 2 });
}

static void
table_free(void *r)
{
	(void)r;
}

static const struct mt_uicc_reader table = { .transmit = table_transmit, .free = table_free };

static void
no_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

static void
setup(void)
{
	const struct mt_usim_conf conf = { .pin = "1234" };

	log_capture(no_line, NULL);
	memset(odd, 0, sizeof odd);
	memset(&info, 0, sizeof info);
	ust_selected = false;
	n = 0;
	ck_ok(clock_new_virtual(0, &clk));
	ck_ok(clock_timer_new(clk, on_later, NULL, &later));
	ck_ok(mt_uicc_new(clk, &table, &n, 0, &u));
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
}

static void
on_open(void *arg, enum reason w, const struct mt_usim_info *i)
{
	(void)arg;
	n++;
	why = w;
	if (i != NULL)
		info = *i;
}

static void
open_card(void)
{
	struct mt_usim_op *op;

	n = 0;
	ck_ok(mt_usim_open(usim, on_open, NULL, &op));
	clock_advance(clk, 0);
	ck_assert_int_eq(n, 1);
}

START_TEST(the_second_application_is_the_usim)
{
	open_card();
	ck_assert_int_eq(why, REASON_NONE);
	ck_assert_str_eq(info.iccid.s, "89441000309999999999");
	ck_assert_str_eq(info.app[MT_APP_USIM].impi.s, "234150999999999@ims.mnc015.mcc234.3gppnetwork.org");
	ck_assert_uint_eq(info.app[MT_APP_USIM].aid[6], 0x02);
	ck_assert(info.app[MT_APP_USIM].gba);
}
END_TEST

/* C2 is [2], but a card without EF_ICCID is none already now. */
static const struct {
	struct line odd;
	enum reason why;
} failures[] = {
	{ { "00a40004023f0000", "6d00" }, REASON_CARD_UNREADABLE },
	{ { "00a40004022fe200", "6a82" }, REASON_CARD_UNREADABLE },
	{ { "00b000000a", "6982" }, REASON_CARD_UNREADABLE },
	{ { "00b000000a", "98a401000399999999999000" }, REASON_CARD_UNREADABLE },
	{ { "00b000000a", "9000" }, REASON_CARD_UNREADABLE },
	{ { "00a40004022f0000", "6a82" }, REASON_CARD_NO_USIM },
	{ { "00a40004022f0000", "9000" }, REASON_CARD_NO_USIM },
	{ { "00a40004022f0000", "6208820241218002001c9000" }, REASON_CARD_NO_USIM },
	{ { "00a40004022f0000", "620782054221001c009000" }, REASON_CARD_NO_USIM },
	{ { "00a40004022f0000", "620782054221001c019000" }, REASON_CARD_NO_USIM },	/* only the ISIM's record */
	{ { "00b202041c", "6a83" }, REASON_CARD_NO_USIM },
	{ { "00b202041c", "61184f18a0000000871002ff44ff12890000010050045553494dffff9000" }, REASON_CARD_NO_USIM },
	{ { SELECT_USIM, "6a82" }, REASON_CARD_NO_USIM },
	{ { "00a40004026f0700", "6a82" }, REASON_CARD_STATUS },
	{ { "00b0000009", "6f00" }, REASON_CARD_STATUS },
	{ { "00b0000009", "ffffffffffffffffff9000" }, REASON_CARD_STATUS },
	{ { "00a40004026fad00", "6a82" }, REASON_CARD_MNC },
	{ { "00b0000004", "6982" }, REASON_CARD_STATUS },		/* asks for the PIN, which is 6D00 here */
	{ { "00b0000004", "000000009000" }, REASON_CARD_MNC },
	{ { "00b0000004", "0000009000" }, REASON_CARD_MNC },
};
START_TEST(odd_cards)
{
	odd[0] = failures[_i].odd;
	open_card();
	ck_assert_msg(why == failures[_i].why, "%s", reason_get(why)->code);
}
END_TEST

START_TEST(no_service_table_no_services)
{
	static const char *const answers[] = { "6a82", "9000", "620882024121800200009000" };

	for (int i = 0; i < TABLE_N(answers); i++) {
		odd[0] = (struct line){ "00a40004026f3800", answers[i] };
		ust_selected = false;
		info.app[MT_APP_USIM].gba = true;
		open_card();
		ck_assert(why == REASON_NONE && !info.app[MT_APP_USIM].gba);
	}
}
END_TEST

START_TEST(mnc_length_from_the_configuration)
{
	const struct mt_usim_conf conf = { .mnc_len = 3 };

	mt_usim_free(usim);
	ck_ok(mt_usim_new(u, &conf, &usim));
	odd[0] = (struct line){ "00a40004026fad00", "6a82" };
	open_card();
	ck_assert_int_eq(why, REASON_NONE);
	ck_assert_str_eq(info.app[MT_APP_USIM].impi.s, "234150999999999@ims.mnc150.mcc234.3gppnetwork.org");
	odd[0].apdu = NULL;		/* where the card tells, the card is right */
	ust_selected = false;
	open_card();
	ck_assert_str_eq(info.app[MT_APP_USIM].impi.s, "234150999999999@ims.mnc015.mcc234.3gppnetwork.org");
}
END_TEST

static const struct {
	const char *query, *verify;
	enum reason why;
} pins[] = {
	{ "63c3", "9000", REASON_CARD_STATUS },		/* accepted, and still refuses to be read */
	{ "63c3", "63c2", REASON_CARD_PIN_WRONG }, { "63c3", "6983", REASON_CARD_PIN_BLOCKED }, { "63c3", "6984", REASON_CARD_STATUS },
	{ "63c2", "9000", REASON_CARD_PIN_TRIES }, { "63c1", "9000", REASON_CARD_PIN_TRIES }, { "63c0", "9000", REASON_CARD_PIN_BLOCKED },
	{ "6983", "9000", REASON_CARD_PIN_BLOCKED }, { "6a88", "9000", REASON_CARD_STATUS }, { "9000", "6f00", REASON_CARD_STATUS },
	{ "63ca", "63c9", REASON_CARD_PIN_WRONG },
};
START_TEST(pins_of_odd_cards)
{
	odd[0] = (struct line){ "00b0000009", "6982" };
	odd[1] = (struct line){ "00200001", pins[_i].query };
	odd[2] = (struct line){ "002000010831323334ffffffff", pins[_i].verify };
	open_card();
	ck_assert_msg(why == pins[_i].why, "%s", reason_get(why)->code);
}
END_TEST

/* A card with ten tries: the one refusal is remembered as long as it stays in. */
START_TEST(a_card_with_many_tries)
{
	odd[0] = (struct line){ "00b0000009", "6982" };
	odd[1] = (struct line){ "00200001", "63ca" };
	odd[2] = (struct line){ "002000010831323334ffffffff", "63c9" };
	open_card();
	ck_assert_int_eq(why, REASON_CARD_PIN_WRONG);
	open_card();
	ck_assert_int_eq(why, REASON_CARD_PIN_TRIES);
}
END_TEST

static void
on_auth(void *arg, struct mt_usim_auth *a)
{
	(void)arg;
	n++;
	auth = *a;
}

static const struct {
	const char *answer;
	enum mt_usim_verdict verdict;
	enum reason why;
} auths[] = {
	{ "9862", MT_USIM_MAC, REASON_CARD_MAC }, { "9864", MT_USIM_FAILED, REASON_CARD_STATUS }, { "6985", MT_USIM_FAILED, REASON_CARD_STATUS },
	{ "9000", MT_USIM_FAILED, REASON_CARD_STATUS }, { "dc0e000102030405060708090a0b0c9000", MT_USIM_FAILED, REASON_CARD_STATUS },
	{ "dc0e000102030405060708090a0b0c0d9000", MT_USIM_SYNC, REASON_NONE },
	{ "db040011223310000102030405060708090a0b0c0d0e0f10101112131415161718191a1b1c1d1e1f9110", MT_USIM_OK, REASON_NONE },
};
START_TEST(authenticate_answers)
{
	static const uint8_t zero[16];
	struct mt_usim_op *op;

	open_card();
	odd[0] = (struct line){ "00880081221000000000000000000000000000000000100000000000000000000000000000000000", auths[_i].answer };
	n = 0;
	ck_ok(mt_usim_authenticate(usim, &info, &(struct mt_usim_challenge){ MT_APP_USIM, false, zero, zero }, on_auth, NULL, &op));
	clock_advance(clk, 0);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(auth.verdict, auths[_i].verdict);
	ck_assert_int_eq(auth.why, auths[_i].why);
	ck_assert((auth.res != NULL) == (auth.verdict == MT_USIM_OK) && (auth.ck != NULL) == (auth.res != NULL) && (auth.ik != NULL) == (auth.res != NULL));
	secret_free(auth.res);
	secret_free(auth.ck);
	secret_free(auth.ik);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("usim_steps");
	TCase *t = tcase_create("usim_steps");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_second_application_is_the_usim);
	tcase_add_loop_test(t, odd_cards, 0, TABLE_N(failures));
	tcase_add_test(t, no_service_table_no_services);
	tcase_add_test(t, mnc_length_from_the_configuration);
	tcase_add_loop_test(t, pins_of_odd_cards, 0, TABLE_N(pins));
	tcase_add_test(t, a_card_with_many_tries);
	tcase_add_loop_test(t, authenticate_answers, 0, TABLE_N(auths));
	suite_add_tcase(s, t);
	return unit_run(s);
}
