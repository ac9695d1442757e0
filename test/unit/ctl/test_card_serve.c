/* card_serve: vpcd's messages as the card answers them. */
#include "ctl/card_serve.h"

#include "common/rnd.h"
#include "mtd/card.h"
#include "mtd/card_image.h"
#include "test/unit/mtd/card_fixture.h"

static json_t *doc;
static struct mt_card_image image;
static struct mt_card *card;

static void
setup(void)
{
	doc = vectors_load();
	image = card_image_of_set(doc, 0);
	card = NULL;
	ck_ok(mt_card_new(&image, NULL, rnd_system(), &card));
}

static void
teardown(void)
{
	mt_card_free(card);
	mt_card_image_clear(&image);
	json_decref(doc);
}

static const char *
message(const char *hex)
{
	static char text[2 * KSCTL_CARD_ANSWER_MAX + 1];
	uint8_t in[300], out[KSCTL_CARD_ANSWER_MAX];
	size_t n = strlen(hex) / 2;

	ck_ok(hex_parse(span_str(hex), in, n));
	hex_print(span_of(out, ksctl_card_answer(card, span_of(in, n), out)), text);
	return text;
}

START_TEST(power_and_reset_are_not_answered_and_forget_what_was_selected)
{
	static const char *const words[] = { "00", "01", "02" };

	for (int i = 0; i < TABLE_N(words); i++) {
		ck_assert_str_eq(message("00a4000c022fe2"), "9000");
		ck_assert_str_eq(message("00b000000a") + 20, "9000");
		ck_assert_str_eq(message(words[i]), "");
		ck_assert_str_eq(message("00b000000a"), "6986");
	}
	ck_assert_str_eq(message(""), "");
	ck_assert_str_eq(message("03"), "");
}
END_TEST

/* The ATR names the protocol; with T=1 all octets behind TS and the check octet give 0. */
START_TEST(atr)
{
	ck_assert_str_eq(message("04"), "3b87016b736c6f63616cf3");
	mt_card_free(card);
	card = NULL;
	image.t0 = true;
	ck_ok(mt_card_new(&image, NULL, rnd_system(), &card));
	ck_assert_str_eq(message("04"), "3b076b736c6f63616c");
}
END_TEST

START_TEST(command_line)
{
	char a0[] = "ksctl", a1[] = "card", a2[] = "serve", port[] = "--port", zero[] = "0", big[] = "65536", none[] = "/nothing-there", opt[] = "-x";
	char *is[] = { a0, a1, a2, none }, *bare[] = { a0, a1, a2 }, *p0[] = { a0, a1, a2, port, zero, none },
	     *pb[] = { a0, a1, a2, port, big, none }, *two[] = { a0, a1, a2, none, none }, *o[] = { a0, a1, a2, opt };

	ck_assert(ksctl_card_serve_is(4, is) && ksctl_card_serve_is(3, bare) && !ksctl_card_serve_is(2, is));
	ck_assert_int_eq(ksctl_card_serve(3, bare), KSCTL_USAGE);
	ck_assert_int_eq(ksctl_card_serve(6, p0), KSCTL_USAGE);
	ck_assert_int_eq(ksctl_card_serve(6, pb), KSCTL_USAGE);
	ck_assert_int_eq(ksctl_card_serve(5, two), KSCTL_USAGE);
	ck_assert_int_eq(ksctl_card_serve(4, o), KSCTL_USAGE);
	ck_assert_int_eq(ksctl_card_serve(4, is), KSCTL_REFUSED);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("card_serve");
	TCase *t = tcase_create("card_serve");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, power_and_reset_are_not_answered_and_forget_what_was_selected);
	tcase_add_test(t, atr);
	tcase_add_test(t, command_line);
	suite_add_tcase(s, t);
	return unit_run(s);
}
