/* The card's face (C1), with a reader that does what a test says. */
#include "mtd/uicc.h"

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "mtd/apdu.h"
#include "test/unit/unit.h"

/* A reader that keeps what it was sent; the test answers. */
static struct {
	struct mt_uicc *u;
	char sent[64][32];
	int n_sent, exclusive, freed;
	bool refuse;
} reader;

static enum rc
reader_transmit(void *r, struct span apdu)
{
	(void)r;
	if (reader.refuse)
		return RC_IO;
	ck_assert(reader.n_sent < 64 && apdu.n < 16);
	hex_print(apdu, reader.sent[reader.n_sent++]);
	return RC_OK;
}

static void
reader_exclusive(void *r, bool on)
{
	(void)r;
	reader.exclusive += on ? 1 : -1;
}

static void
reader_free(void *r)
{
	(void)r;
	reader.freed++;
}

static const struct mt_uicc_reader ops = { .transmit = reader_transmit, .exclusive = reader_exclusive, .free = reader_free, .kind = "test" };

/* A user and what it heard, one letter each: b begun, a answer, e ended. */
struct user {
	struct mt_uicc_session *s;
	char heard[32];
	enum reason why;
	uint16_t sw;
	char data[600];
	bool end_in_callback;
};
static struct clock *clk;
static struct mt_uicc *u;

static void
heard(struct user *x, const char *what)
{
	strcat(x->heard, what);
	if (x->end_in_callback) {
		mt_uicc_end(x->s);
		x->s = NULL;
	}
}

static void
on_begun(struct mt_uicc_session *s, void *arg)
{
	ck_assert_ptr_eq(s, ((struct user *)arg)->s);
	heard(arg, "b");
}

static void
on_ended(struct mt_uicc_session *s, enum reason why, void *arg)
{
	ck_assert_ptr_eq(s, ((struct user *)arg)->s);
	((struct user *)arg)->why = why;
	heard(arg, "e");
}

static void
on_answer(void *arg, struct span data, uint16_t sw)
{
	struct user *x = arg;

	hex_print(data, x->data);
	x->sw = sw;
	heard(x, "a");
}

static const struct mt_uicc_cb cb = { on_begun, on_ended };

static void
begin(struct user *x)
{
	ck_ok(mt_uicc_begin(u, &cb, x, &x->s));
	ck_assert_str_eq(x->heard, "");		/* never inside the call */
}

static enum rc
transmit(struct user *x, const char *hex)
{
	uint8_t b[300];
	struct span in = span_str(hex);

	ck_ok(hex_parse(in, b, in.n / 2));
	return mt_uicc_transmit(x->s, (struct span){ b, in.n / 2 }, on_answer, x);
}

static void
answer(const char *hex)
{
	uint8_t b[300];
	struct span in = span_str(hex);

	ck_ok(hex_parse(in, b, in.n / 2));
	mt_uicc_answered(u, RC_OK, (struct span){ b, in.n / 2 });
}

static void
run(void)
{
	clock_advance(clk, 0);
}

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
	log_capture(no_line, NULL);
	memset(&reader, 0, sizeof reader);
	ck_ok(clock_new_virtual(0, &clk));
	ck_ok(mt_uicc_new(clk, &ops, &reader, 1000, &u));
	mt_uicc_card(u, true);
	run();
}

static void
teardown(void)
{
	run();
	ck_assert_int_eq(reader.exclusive, 0);
	mt_uicc_free(u);
	ck_assert_int_eq(reader.freed, 1);
	clock_free(clk);
}

START_TEST(c1_users_queue_in_order)
{
	struct user a = { 0 }, b = { 0 }, c = { 0 };

	begin(&a);
	begin(&b);
	begin(&c);
	run();
	ck_assert_str_eq(a.heard, "b");
	ck_assert_str_eq(b.heard, "");
	ck_assert_int_eq(reader.exclusive, 1);
	ck_rc(transmit(&b, "00b0000001"), RC_STATE);	/* not its turn */
	mt_uicc_end(b.s);				/* gives up waiting */
	mt_uicc_end(a.s);
	ck_assert_str_eq(c.heard, "");
	run();
	ck_assert_str_eq(c.heard, "b");
	mt_uicc_end(c.s);
	run();
	ck_assert_int_eq(reader.exclusive, 0);
	ck_assert_int_eq(reader.n_sent, 0);
}
END_TEST

START_TEST(c1_one_command_at_a_time)
{
	struct user a = { 0 };

	begin(&a);
	ck_rc(transmit(&a, "00b0000001"), RC_STATE);	/* not begun */
	run();
	ck_rc(transmit(&a, "00b000"), RC_RANGE);
	ck_ok(transmit(&a, "00b0000002"));
	ck_rc(transmit(&a, "00b0000002"), RC_STATE);
	answer("abcd9000");
	ck_assert_str_eq(a.heard, "ba");
	ck_assert_str_eq(a.data, "abcd");
	ck_assert_uint_eq(a.sw, 0x9000);
	ck_ok(transmit(&a, "00b0000003"));
	answer("6a82");
	ck_assert_str_eq(a.heard, "baa");
	ck_assert_str_eq(a.data, "");
	ck_assert_uint_eq(a.sw, 0x6a82);
	ck_assert_uint_eq(mt_uicc_apdus(u), 2);
	mt_uicc_end(a.s);
}
END_TEST

START_TEST(follows_61xx_and_6cxx)
{
	struct user a = { 0 };

	begin(&a);
	run();
	ck_ok(transmit(&a, "00a40004023f0000"));
	answer("6104");
	ck_assert_str_eq(reader.sent[1], "00c0000004");
	answer("01026102");				/* a part, and more */
	ck_assert_str_eq(reader.sent[2], "00c0000002");
	answer("6c01");
	ck_assert_str_eq(reader.sent[3], "00c0000001");
	ck_assert_str_eq(a.heard, "b");
	answer("039000");
	ck_assert_str_eq(a.heard, "ba");
	ck_assert_str_eq(a.data, "010203");
	ck_ok(transmit(&a, "00b00000ff"));
	answer("6c0a");
	ck_assert_str_eq(reader.sent[5], "00b000000a");
	answer("000102030405060708099000");
	ck_assert_str_eq(a.data, "00010203040506070809");
	ck_ok(transmit(&a, "002000010831323334ffffffff"));
	answer("6c08");					/* there is no Le to correct: the user's matter */
	ck_assert_uint_eq(a.sw, 0x6c08);
	ck_ok(transmit(&a, "002000010831323334ffffffff"));
	answer("9110");					/* and so is a proactive command */
	ck_assert_uint_eq(a.sw, 0x9110);
	ck_assert_uint_eq(mt_uicc_apdus(u), 8);
	mt_uicc_end(a.s);
}
END_TEST

START_TEST(a_card_that_never_comes_to_an_end)
{
	struct user a = { 0 }, b = { 0 };

	begin(&a);
	begin(&b);
	run();
	ck_ok(transmit(&a, "00a40004023f0000"));
	for (int i = 0; i < 40 && reader.n_sent == i + 1; i++)
		answer("6101");
	ck_assert_int_eq(reader.n_sent, 17);
	run();
	ck_assert_str_eq(a.heard, "be");
	ck_assert_int_eq(a.why, REASON_CARD_BROKEN);
	ck_assert_str_eq(b.heard, "b");			/* the next user is served */
	mt_uicc_end(a.s);
	mt_uicc_end(b.s);
}
END_TEST

START_TEST(an_answer_too_large)
{
	static uint8_t big[258];
	struct user a = { 0 };

	begin(&a);
	run();
	ck_ok(transmit(&a, "00a40004023f0000"));
	big[256] = 0x61;
	for (int i = 0; i < 5; i++)
		mt_uicc_answered(u, RC_OK, (struct span){ big, 258 });
	run();
	ck_assert_str_eq(a.heard, "be");
	ck_assert_int_eq(a.why, REASON_CARD_BROKEN);
	mt_uicc_end(a.s);
}
END_TEST

static const char *const broken[] = { "", "90", NULL };
START_TEST(a_broken_reader)
{
	struct user a = { 0 };

	begin(&a);
	run();
	ck_ok(transmit(&a, "00b0000001"));
	if (broken[_i] != NULL)
		answer(broken[_i]);
	else
		mt_uicc_answered(u, RC_IO, (struct span){ NULL, 0 });
	ck_assert_str_eq(a.heard, "b");
	run();
	ck_assert_str_eq(a.heard, "be");
	ck_assert_int_eq(a.why, REASON_CARD_BROKEN);
	ck_rc(transmit(&a, "00b0000001"), RC_STATE);
	mt_uicc_end(a.s);
	reader.refuse = true;
	memset(&a, 0, sizeof a);
	begin(&a);
	run();
	ck_ok(transmit(&a, "00b0000001"));
	ck_assert_str_eq(a.heard, "b");
	run();
	ck_assert_str_eq(a.heard, "be");
	mt_uicc_end(a.s);
}
END_TEST

START_TEST(c1_ends_by_itself_when_the_card_goes)
{
	struct user a = { 0 }, b = { 0 }, c = { 0 };

	begin(&a);
	begin(&b);
	run();
	ck_ok(transmit(&a, "00b0000001"));
	mt_uicc_card(u, false);
	ck_assert_str_eq(a.heard, "b");
	run();
	ck_assert_str_eq(a.heard, "be");
	ck_assert_str_eq(b.heard, "e");
	ck_assert(a.why == REASON_CARD_NONE && b.why == REASON_CARD_NONE);
	begin(&c);					/* none in: ends too */
	run();
	ck_assert_str_eq(c.heard, "e");
	mt_uicc_end(c.s);
	memset(&c, 0, sizeof c);
	mt_uicc_card(u, true);
	ck_assert_uint_eq(mt_uicc_generation(u), 2);
	begin(&c);
	run();
	ck_assert_str_eq(c.heard, "");			/* the reader still owes the answer of the card that went */
	answer("ab9000");
	ck_assert_str_eq(a.heard, "be");		/* and nobody hears it */
	run();
	ck_assert_str_eq(c.heard, "b");
	mt_uicc_end(a.s);
	mt_uicc_end(b.s);
	mt_uicc_end(c.s);
}
END_TEST

START_TEST(ending_with_an_answer_under_way)
{
	struct user a = { 0 }, b = { 0 };

	begin(&a);
	begin(&b);
	run();
	ck_ok(transmit(&a, "00b0000001"));
	mt_uicc_end(a.s);
	run();
	ck_assert_str_eq(b.heard, "");
	answer("119000");
	run();
	ck_assert_str_eq(a.heard, "b");
	ck_assert_str_eq(b.heard, "b");
	mt_uicc_end(b.s);
}
END_TEST

START_TEST(a_silent_card)
{
	struct user a = { 0 }, b = { 0 };

	begin(&a);
	begin(&b);
	run();
	ck_ok(transmit(&a, "00b0000001"));
	clock_advance(clk, 999);
	ck_assert_str_eq(a.heard, "b");
	clock_advance(clk, 1);
	run();
	ck_assert_str_eq(a.heard, "be");
	ck_assert_int_eq(a.why, REASON_CARD_SILENT);
	ck_assert_str_eq(b.heard, "e");
	mt_uicc_end(a.s);
	mt_uicc_end(b.s);
	memset(&b, 0, sizeof b);
	begin(&b);					/* nobody waits for it again */
	run();
	ck_assert_str_eq(b.heard, "e");
	ck_assert_int_eq(b.why, REASON_CARD_SILENT);
	mt_uicc_end(b.s);
	answer("9000");					/* it came after all */
	memset(&b, 0, sizeof b);
	begin(&b);
	run();
	ck_assert_str_eq(b.heard, "b");
	mt_uicc_end(b.s);
}
END_TEST

/* A reader that never answers for the card that went: users of the next card are told, not left waiting. */
START_TEST(a_reader_that_owes_for_ever)
{
	struct user a = { 0 }, b = { 0 };

	begin(&a);
	run();
	ck_ok(transmit(&a, "00b0000001"));
	clock_advance(clk, 5000);
	ck_assert_int_eq(a.why, REASON_CARD_SILENT);
	mt_uicc_end(a.s);
	mt_uicc_card(u, false);
	mt_uicc_card(u, true);
	begin(&b);
	clock_advance(clk, 999);
	ck_assert_str_eq(b.heard, "");
	clock_advance(clk, 1);
	run();
	ck_assert_str_eq(b.heard, "e");
	ck_assert_int_eq(b.why, REASON_CARD_SILENT);
	mt_uicc_end(b.s);
	answer("9000");
}
END_TEST

START_TEST(sessions_may_end_inside_their_callbacks)
{
	struct user a = { .end_in_callback = true }, b = { 0 }, c = { .end_in_callback = true };

	begin(&a);
	begin(&b);
	run();
	ck_assert_str_eq(a.heard, "b");
	ck_assert_str_eq(b.heard, "b");
	b.end_in_callback = true;
	ck_ok(transmit(&b, "00b0000001"));
	begin(&c);
	answer("9000");
	ck_assert_str_eq(b.heard, "ba");
	mt_uicc_card(u, false);
	run();
	ck_assert_str_eq(c.heard, "e");
	ck_assert(a.s == NULL && b.s == NULL && c.s == NULL);
}
END_TEST

START_TEST(an_answer_nobody_asked_for)
{
	struct user a = { 0 };

	answer("9000");
	begin(&a);
	run();
	answer("9000");
	ck_assert_str_eq(a.heard, "b");
	mt_uicc_end(a.s);
}
END_TEST

static char events[32];
static void
on_card(void *arg, bool in)
{
	ck_assert_ptr_eq(arg, events);
	strcat(events, in ? "i" : "o");
}

START_TEST(c1_insertion_and_removal_are_events)
{
	events[0] = '\0';
	mt_uicc_listen(u, on_card, events);
	ck_assert_str_eq(events, "");
	run();
	ck_assert_str_eq(events, "i");			/* what is in is told */
	mt_uicc_card(u, true);				/* repeated: nothing new */
	run();
	ck_assert_str_eq(events, "i");
	mt_uicc_card(u, false);
	run();
	mt_uicc_card(u, false);
	run();
	ck_assert_str_eq(events, "io");
	mt_uicc_card(u, true);
	run();
	mt_uicc_card(u, false);
	mt_uicc_card(u, true);				/* changed within one turn: out and in all the same */
	run();
	ck_assert_str_eq(events, "ioioi");
	mt_uicc_card(u, false);
	mt_uicc_card(u, true);
	mt_uicc_card(u, false);
	run();
	ck_assert_str_eq(events, "ioioio");
	mt_uicc_listen(u, NULL, NULL);
	mt_uicc_card(u, true);
	run();
	ck_assert_str_eq(events, "ioioio");
	ck_assert(mt_uicc_present(u));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("uicc");
	TCase *t = tcase_create("C1");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, c1_users_queue_in_order);
	tcase_add_test(t, c1_one_command_at_a_time);
	tcase_add_test(t, follows_61xx_and_6cxx);
	tcase_add_test(t, a_card_that_never_comes_to_an_end);
	tcase_add_test(t, an_answer_too_large);
	tcase_add_loop_test(t, a_broken_reader, 0, TABLE_N(broken));
	tcase_add_test(t, c1_ends_by_itself_when_the_card_goes);
	tcase_add_test(t, ending_with_an_answer_under_way);
	tcase_add_test(t, a_silent_card);
	tcase_add_test(t, a_reader_that_owes_for_ever);
	tcase_add_test(t, sessions_may_end_inside_their_callbacks);
	tcase_add_test(t, an_answer_nobody_asked_for);
	tcase_add_test(t, c1_insertion_and_removal_are_events);
	suite_add_tcase(s, t);
	return unit_run(s);
}
