/* C1: a card behind PC/SC. libpcsclite is played here: its functions are this program's own. */
#include "mtd/uicc_pcsc.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <winscard.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "mtd/apdu.h"
#include "mtd/pcsc_watch.h"
#include "mtd/uicc.h"
#include "test/unit/unit.h"

/* --- pcscd and its readers */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t news;
	bool up;			/* pcscd runs */
	unsigned events[2];		/* per reader: odd = a card is in */
	bool t0, stalled, reset;	/* a stalled card answers when it is let go; reset = another program did that */
	LONG connect;			/* what SCardConnect says */
	uint8_t last[300];
	size_t last_n;
	int connects, reconnects, begins, ends, transmits;
} pc = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };

static const char *const names[] = { "Reader A", "Reader B" };
const SCARD_IO_REQUEST g_rgSCardT0Pci = { SCARD_PROTOCOL_T0, sizeof(SCARD_IO_REQUEST) };
const SCARD_IO_REQUEST g_rgSCardT1Pci = { SCARD_PROTOCOL_T1, sizeof(SCARD_IO_REQUEST) };

LONG
SCardEstablishContext(DWORD scope, LPCVOID a, LPCVOID b, LPSCARDCONTEXT ctx)
{
	LONG e;

	(void)scope;
	(void)a;
	(void)b;
	pthread_mutex_lock(&pc.lock);
	e = pc.up ? SCARD_S_SUCCESS : SCARD_E_NO_SERVICE;
	pthread_mutex_unlock(&pc.lock);
	*ctx = 1;
	return e;
}

LONG
SCardReleaseContext(SCARDCONTEXT ctx)
{
	(void)ctx;
	return SCARD_S_SUCCESS;
}

LONG
SCardListReaders(SCARDCONTEXT ctx, LPCSTR groups, LPSTR out, LPDWORD n)
{
	static const char list[] = "Reader A\0Reader B\0";

	(void)ctx;
	(void)groups;
	ck_assert(*n >= sizeof list);
	memcpy(out, list, sizeof list);
	*n = sizeof list;
	return SCARD_S_SUCCESS;
}

LONG
SCardGetStatusChange(SCARDCONTEXT ctx, DWORD timeout_ms, SCARD_READERSTATE *r, DWORD n)
{
	struct timespec until;
	bool changed = false, down = false;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&pc.lock);
	for (int err = 0; err == 0 && !changed && !down; ) {
		down = !pc.up;
		for (DWORD i = 0; i < n && i < 2; i++) {
			DWORD now = pc.events[i] << 16 | (pc.events[i] % 2 != 0 ? SCARD_STATE_PRESENT : SCARD_STATE_EMPTY);

			changed = changed || now != (r[i].dwCurrentState & ~(DWORD)SCARD_STATE_CHANGED);
			r[i].dwEventState = now;
		}
		if (!changed && !down)
			err = pthread_cond_timedwait(&pc.news, &pc.lock, &until);
	}
	pthread_mutex_unlock(&pc.lock);
	if (n == 3)
		r[2].dwEventState = r[2].dwCurrentState;
	return down ? SCARD_E_NO_SERVICE : changed ? SCARD_S_SUCCESS : SCARD_E_TIMEOUT;
}

LONG
SCardConnect(SCARDCONTEXT ctx, LPCSTR reader, DWORD share, DWORD protocols, LPSCARDHANDLE card, LPDWORD protocol)
{
	LONG e;

	(void)ctx;
	ck_assert(share == SCARD_SHARE_SHARED && protocols == (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1));
	pthread_mutex_lock(&pc.lock);
	pc.connects++;
	*card = strcmp(reader, names[0]) == 0 ? 0 : 1;
	*protocol = pc.t0 ? SCARD_PROTOCOL_T0 : SCARD_PROTOCOL_T1;
	e = pc.connect;
	pthread_mutex_unlock(&pc.lock);
	return e;
}

LONG
SCardReconnect(SCARDHANDLE card, DWORD share, DWORD protocols, DWORD init, LPDWORD protocol)
{
	(void)card;
	(void)share;
	(void)protocols;
	ck_assert_uint_eq(init, SCARD_LEAVE_CARD);
	pthread_mutex_lock(&pc.lock);
	pc.reset = false;
	pc.reconnects++;
	*protocol = pc.t0 ? SCARD_PROTOCOL_T0 : SCARD_PROTOCOL_T1;
	pthread_mutex_unlock(&pc.lock);
	return SCARD_S_SUCCESS;
}

LONG
SCardDisconnect(SCARDHANDLE card, DWORD how)
{
	(void)card;
	(void)how;
	return SCARD_S_SUCCESS;
}

LONG
SCardBeginTransaction(SCARDHANDLE card)
{
	LONG e;

	(void)card;
	pthread_mutex_lock(&pc.lock);
	e = pc.reset ? SCARD_W_RESET_CARD : SCARD_S_SUCCESS;
	pc.begins += e == SCARD_S_SUCCESS;
	pthread_mutex_unlock(&pc.lock);
	return e;
}

LONG
SCardEndTransaction(SCARDHANDLE card, DWORD how)
{
	(void)card;
	ck_assert_uint_eq(how, SCARD_LEAVE_CARD);
	pthread_mutex_lock(&pc.lock);
	pc.ends++;
	pthread_mutex_unlock(&pc.lock);
	return SCARD_S_SUCCESS;
}

LONG
SCardTransmit(SCARDHANDLE card, const SCARD_IO_REQUEST *pci, LPCBYTE p, DWORD n, SCARD_IO_REQUEST *rpci, LPBYTE out, LPDWORD out_n)
{
	LONG e = SCARD_S_SUCCESS;

	(void)rpci;
	pthread_mutex_lock(&pc.lock);
	ck_assert_uint_eq(pci->dwProtocol, pc.t0 ? SCARD_PROTOCOL_T0 : SCARD_PROTOCOL_T1);
	ck_assert(n <= sizeof pc.last && *out_n >= 258);
	memcpy(pc.last, p, n);
	pc.last_n = n;
	pc.transmits++;
	while (pc.stalled)
		pthread_cond_wait(&pc.news, &pc.lock);
	if (pc.events[card] % 2 == 0)
		e = SCARD_W_REMOVED_CARD;
	else if (pc.reset)
		e = SCARD_W_RESET_CARD;
	pthread_mutex_unlock(&pc.lock);
	memcpy(out, "\x90", 2);
	*out_n = 2;
	return e;
}

const char *
pcsc_stringify_error(LONG e)
{
	(void)e;
	return "as played";
}

#define played(what) do { \
	pthread_mutex_lock(&pc.lock); \
	what; \
	pthread_cond_broadcast(&pc.news); \
	pthread_mutex_unlock(&pc.lock); \
} while (0)

static int
count(const int *what)
{
	int n;

	pthread_mutex_lock(&pc.lock);
	n = *what;
	pthread_mutex_unlock(&pc.lock);
	return n;
}

/* --- the loop's side */

static struct loop *loop;
static struct clock *clk;
static struct mt_uicc *u;
static struct {
	int in, out, begun, ended, answered;
	enum reason why;
	uint16_t sw;
} got;

static void
quiet(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

static void
on_card(void *arg, bool in)
{
	(void)arg;
	*(in ? &got.in : &got.out) += 1;
}

static void
start(const char *reader)
{
	ck_ok(mt_uicc_pcsc_new(loop, clk, reader, &u));
	mt_uicc_listen(u, on_card, NULL);
}

static void
setup(void)
{
	log_capture(quiet, NULL);
	memset(&got, 0, sizeof got);
	u = NULL;
	pc.up = true;
	pc.events[0] = pc.events[1] = 0;
	pc.t0 = pc.stalled = pc.reset = false;
	pc.connect = SCARD_S_SUCCESS;
	pc.connects = pc.reconnects = pc.begins = pc.ends = pc.transmits = 0;
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
}

static void
teardown(void)
{
	mt_uicc_free(u);
	clock_free(clk);
	loop_free(loop);
}

#define until(what) do { \
	for (int ck_i = 0; !(what); ck_i++) { \
		ck_assert_msg(ck_i < 10000, "never: " #what); \
		loop_turn(loop, NULL, NULL); \
		usleep(1000); \
	} \
} while (0)
/* Long enough for what should not come. */
#define a_while() do { \
	for (int ck_i = 0; ck_i < 100; ck_i++) { \
		loop_turn(loop, NULL, NULL); \
		usleep(1000); \
	} \
} while (0)

static void
on_begun(struct mt_uicc_session *s, void *arg)
{
	(void)s;
	(void)arg;
	got.begun++;
}

static void
on_ended(struct mt_uicc_session *s, enum reason why, void *arg)
{
	(void)s;
	(void)arg;
	got.ended++;
	got.why = why;
}

static void
on_answer(void *arg, struct span data, uint16_t sw)
{
	(void)arg;
	(void)data;
	got.answered++;
	got.sw = sw;
}

static struct mt_uicc_session *
begin(void)
{
	static const struct mt_uicc_cb cb = { on_begun, on_ended };
	struct mt_uicc_session *s = NULL;
	int before = got.begun;

	ck_ok(mt_uicc_begin(u, &cb, NULL, &s));
	until(got.begun > before);
	return s;
}

static void
say(struct mt_uicc_session *s)
{
	static const uint8_t select[] = { 0x00, 0xa4, 0x00, 0x04, 0x02, 0x2f, 0xe2, 0x00 };

	ck_ok(mt_uicc_transmit(s, span_of(select, sizeof select), on_answer, NULL));
}

START_TEST(c1_cards_come_and_go)
{
	start(NULL);
	a_while();
	ck_assert(!mt_uicc_present(u) && mt_uicc_name(u)[0] == '\0');
	ck_assert_str_eq(mt_uicc_kind(u), "pcsc");
	played(pc.events[1]++);
	until(got.in == 1);
	ck_assert_str_eq(mt_uicc_name(u), "Reader B");
	played(pc.events[0]++);			/* a second card is not the one in use */
	a_while();
	ck_assert(got.in == 1 && got.out == 0);
	played(pc.events[1]++);			/* but takes over when that one goes */
	until(got.in == 2);
	ck_assert(got.out == 1);
	ck_assert_str_eq(mt_uicc_name(u), "Reader A");
	played(pc.events[0] += 2);		/* out and in before anybody looked */
	until(got.in == 3);
	ck_assert(got.out == 2 && mt_uicc_generation(u) == 3);
	played(pc.events[0]++);
	until(got.out == 3);
	ck_assert(!mt_uicc_present(u));
	ck_rc(mt_uicc_eject(u), RC_STATE);
	ck_rc(mt_uicc_insert(u, "/x", NULL, NULL), RC_STATE);
}
END_TEST

START_TEST(c1_a_reader_by_name)
{
	pc.events[0] = 1;
	start("Reader B");
	a_while();
	ck_assert(!mt_uicc_present(u));
	played(pc.events[1]++);
	until(got.in == 1);
	ck_assert_str_eq(mt_uicc_name(u), "Reader B");
	played(pc.events[1]++);
	until(got.out == 1);
	a_while();
	ck_assert_int_eq(got.in, 1);
}
END_TEST

/* A session is a transaction; T=0 goes without Le. */
START_TEST(c1_sessions_are_transactions)
{
	struct mt_uicc_session *s;

	pc.t0 = _i == 1;
	pc.events[0] = 1;
	start(NULL);
	until(got.in == 1);
	s = begin();
	say(s);
	until(got.answered == 1);
	ck_assert_uint_eq(got.sw, 0x9000);
	ck_assert_uint_eq(pc.last_n, pc.t0 ? 7 : 8);
	ck_assert(count(&pc.begins) == 1 && count(&pc.ends) == 0);
	mt_uicc_end(s);
	until(count(&pc.ends) == 1);
}
END_TEST

/* The card does not answer: the loop turns all the same, and the session ends when the card is pulled. */
START_TEST(c1_a_stalled_card_never_blocks_the_loop)
{
	struct mt_uicc_session *s;
	int64_t before;

	pc.events[0] = 1;
	start(NULL);
	until(got.in == 1);
	s = begin();
	played(pc.stalled = true);
	before = clock_mono_ms(clk);
	say(s);
	until(count(&pc.transmits) == 1);
	for (int i = 0; i < 1000; i++)
		loop_turn(loop, NULL, NULL);
	ck_assert_int_lt(clock_mono_ms(clk) - before, 2000);
	played(pc.events[0]++);
	until(got.ended == 1);			/* told by the watcher, while the call still hangs */
	ck_assert_int_eq(got.why, REASON_CARD_NONE);
	ck_assert_int_eq(got.answered, 0);
	mt_uicc_end(s);
	played(pc.events[0]++);			/* put back: its user waits for the reader, the loop does not */
	a_while();
	played(pc.stalled = false);
	until(got.in == 2);
	s = begin();
	say(s);
	until(got.answered == 1);
	mt_uicc_end(s);
}
END_TEST

START_TEST(c1_reset_by_another_program)
{
	struct mt_uicc_session *s;

	pc.events[0] = 1;
	start(NULL);
	until(got.in == 1);
	played(pc.reset = true);		/* between two sessions: nothing is lost */
	s = begin();
	say(s);
	until(got.answered == 1);
	ck_assert_int_eq(count(&pc.reconnects), 1);
	played(pc.reset = true);		/* in the middle of one: what was selected is gone, so it ends */
	say(s);
	until(got.ended == 1);
	ck_assert_int_eq(got.why, REASON_CARD_BROKEN);
	mt_uicc_end(s);
}
END_TEST

START_TEST(c1_pcscd_comes_later_and_ends)
{
	pc.up = false;
	pc.events[0] = 1;
	start(NULL);
	a_while();
	ck_assert(!mt_uicc_present(u));
	played(pc.up = true);
	until(got.in == 1);
	played(pc.up = false);
	until(got.out == 1);
	played(pc.up = true);
	until(got.in == 2);
}
END_TEST

START_TEST(c1_a_card_that_cannot_be_connected_is_none)
{
	pc.connect = SCARD_E_SHARING_VIOLATION;
	pc.events[0] = 1;
	start(NULL);
	until(count(&pc.connects) == 1);
	a_while();
	ck_assert(!mt_uicc_present(u) && got.in == 0);
}
END_TEST

/* --- pure */

static const struct {
	bool t0;
	const char *apdu;
	size_t n;
	const char *want;
	size_t want_n;
} tpdus[] = {
	{ false, "\x00\xa4\x00\x0c", 4, "\x00\xa4\x00\x0c", 4 },
	{ true, "\x00\xa4\x00\x0c", 4, "\x00\xa4\x00\x0c\x00", 5 },				/* case 1 */
	{ true, "\x00\xb0\x00\x00\x0a", 5, "\x00\xb0\x00\x00\x0a", 5 },				/* case 2 */
	{ true, "\x00\xa4\x00\x0c\x02\x2f\xe2", 7, "\x00\xa4\x00\x0c\x02\x2f\xe2", 7 },		/* case 3 */
	{ true, "\x00\xa4\x00\x04\x02\x2f\xe2\x00", 8, "\x00\xa4\x00\x04\x02\x2f\xe2", 7 },	/* case 4 */
	{ false, "\x00\xa4\x00\x04\x02\x2f\xe2\x00", 8, "\x00\xa4\x00\x04\x02\x2f\xe2\x00", 8 },
};
START_TEST(tpdu)
{
	uint8_t out[MT_PCSC_APDU_MAX];
	size_t n = mt_pcsc_tpdu(tpdus[_i].t0, span_of(tpdus[_i].apdu, tpdus[_i].n), out);

	ck_assert_uint_eq(n, tpdus[_i].want_n);
	ck_assert_mem_eq(out, tpdus[_i].want, n);
}
END_TEST

START_TEST(choice)
{
	const struct mt_pcsc_seen r[] = { { "a", false }, { "b", true }, { "c", true } };

	ck_assert_uint_eq(mt_pcsc_choose(r, 3, NULL, ""), 1);
	ck_assert_uint_eq(mt_pcsc_choose(r, 3, NULL, "c"), 2);
	ck_assert_uint_eq(mt_pcsc_choose(r, 3, NULL, "a"), 1);
	ck_assert_uint_eq(mt_pcsc_choose(r, 3, "c", "b"), 2);
	ck_assert_uint_eq(mt_pcsc_choose(r, 3, "a", ""), 3);
	ck_assert_uint_eq(mt_pcsc_choose(r, 3, "d", ""), 3);
	ck_assert_uint_eq(mt_pcsc_choose(r, 0, NULL, ""), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("uicc_pcsc");
	TCase *t = tcase_create("C1"), *p = tcase_create("pure");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, c1_cards_come_and_go);
	tcase_add_test(t, c1_a_reader_by_name);
	tcase_add_loop_test(t, c1_sessions_are_transactions, 0, 2);
	tcase_add_test(t, c1_a_stalled_card_never_blocks_the_loop);
	tcase_add_test(t, c1_reset_by_another_program);
	tcase_add_test(t, c1_pcscd_comes_later_and_ends);
	tcase_add_test(t, c1_a_card_that_cannot_be_connected_is_none);
	tcase_add_loop_test(p, tpdu, 0, TABLE_N(tpdus));
	tcase_add_test(p, choice);
	suite_add_tcase(s, t);
	suite_add_tcase(s, p);
	return unit_run(s);
}
