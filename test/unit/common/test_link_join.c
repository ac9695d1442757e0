/* link_join: two links as one pipe: west ═ (a ─ join ─ b) ═ east. Over memory, TCP and UNIX sockets.                            U5 */
#include "common/link_impl.h"
#include "common/link_join.h"
#include "common/log.h"
#include "test/unit/common/media.h"

#define BUFFER 64000

/* An outer end: what its peer's link passes on to it. */
struct end {
	struct link *l, *in;		/* in: the link that joins */
	int up, eof, closed;
	bool hold;
	size_t n;
	uint8_t sum;
	enum reason why;
};
static struct end west, east, *accepting;
static struct link_join *join;
static struct link_join_stats stats;
static enum reason join_why;
static int ends;

static uint8_t
sum(uint8_t s, struct span in)
{
	for (size_t i = 0; i < in.n; i++)
		s = (uint8_t)(s * 31 + in.p[i]);
	return s;
}

static void
on_up(struct link *l, void *arg)
{
	(void)l;
	((struct end *)arg)->up++;
}

static void
read_all(struct end *e)
{
	struct span in = link_input(e->l);

	e->sum = sum(e->sum, in);
	e->n += in.n;
	link_drain(e->l, in.n);
}

static void
on_data(struct link *l, void *arg)
{
	(void)l;
	if (!((struct end *)arg)->hold)
		read_all(arg);
}

static void
on_eof(struct link *l, void *arg)
{
	(void)l;
	((struct end *)arg)->eof++;
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	(void)detail;
	e->closed++;
	e->why = why;
	link_free(l);
	e->l = NULL;
}

static const struct link_cb cb = { .on_up = on_up, .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };

static void
on_accept(struct link *l, void *arg)
{
	(void)arg;
	accepting->in = l;
}

static void
on_end(struct link_join *j, enum reason why, const struct link_join_stats *st, void *arg)
{
	ck_assert_ptr_eq(j, join);
	ck_assert_ptr_eq(arg, &stats);
	ends++;
	join_why = why;
	stats = *st;
	join = NULL;
}

static void
pairs(void)
{
	static const struct link_options opt = { .half_open = true };

	ck_ok(link_listen(net, address(), &opt, on_accept, NULL, &ll));
	accepting = &west;
	ck_ok(link_connect(net, link_listener_address(ll), &opt, &cb, &west, &west.l));
	until(west.up == 1 && west.in != NULL);
	accepting = &east;
	ck_ok(link_connect(net, link_listener_address(ll), &opt, &cb, &east, &east.l));
	until(east.up == 1 && east.in != NULL);
}

static void
joined(void)
{
	ck_ok(link_join_new(west.in, east.in, BUFFER, on_end, &stats, &join));
	ck_assert_int_eq(ends, 0);
	west.in = east.in = NULL;
}

static void
setup(int i)
{
	memset(&west, 0, sizeof west);
	memset(&east, 0, sizeof east);
	join = NULL;
	ends = 0;
	media_setup(i);
}

static void
teardown(void)
{
	link_join_cut(join);
	link_free(west.l);
	link_free(east.l);
	link_free(west.in);
	link_free(east.in);
	media_teardown();
}

#define BEGIN(name) START_TEST(name) { setup(_i);
#define END teardown(); } END_TEST

BEGIN(there_and_back)
	pairs();
	joined();
	ck_ok(link_write(west.l, span_str("hello")));
	ck_ok(link_write(east.l, span_str("hi")));
	until(east.n == 5 && west.n == 2);
	link_join_get_stats(join, &stats);
	ck_assert_uint_eq(stats.a_to_b, 5);
	ck_assert_uint_eq(stats.b_to_a, 2);
	quiet();
	ck_assert_int_eq(ends, 0);
END

/* What came before the join, its end of sending included, is not lost. */
BEGIN(what_waits_already)
	pairs();
	ck_ok(link_write(west.l, span_str("early")));
	ck_ok(link_shutdown(west.l));
	until(link_at_eof(west.in));
	joined();
	until(east.n == 5 && east.eof == 1);
	ck_ok(link_write(east.l, span_str("late")));
	ck_ok(link_shutdown(east.l));
	until(ends == 1 && west.closed == 1 && east.closed == 1);
	ck_assert_uint_eq(west.n, 4);
	ck_assert_int_eq(join_why, REASON_NONE);
END

/* U5: half-close is passed on, in either order, and the other direction goes on meanwhile. */
static void
half_close(struct end *first, struct end *second)
{
	pairs();
	joined();
	ck_ok(link_write(first->l, span_str("request")));
	ck_ok(link_shutdown(first->l));
	until(second->eof == 1);
	ck_assert_uint_eq(second->n, 7);
	quiet();
	ck_assert_int_eq(first->eof + ends, 0);
	ck_ok(link_write(second->l, span_str("answer")));
	until(first->n == 6);
	ck_ok(link_shutdown(second->l));
	until(ends == 1 && first->closed == 1 && second->closed == 1);
	ck_assert_int_eq(first->eof, 1);
	ck_assert_int_eq(join_why, REASON_NONE);
	ck_assert_int_eq(first->why, REASON_NONE);
	ck_assert_int_eq(second->why, REASON_NONE);
}

BEGIN(U5_half_close_from_the_west)
	half_close(&west, &east);
	ck_assert_uint_eq(stats.a_to_b, 7);
	ck_assert_uint_eq(stats.b_to_a, 6);
END

BEGIN(U5_half_close_from_the_east)
	half_close(&east, &west);
	ck_assert_uint_eq(stats.a_to_b, 6);
	ck_assert_uint_eq(stats.b_to_a, 7);
END

/* Both at once, with much on its way in both directions. */
BEGIN(much_both_ways_then_both_ends)
	static uint8_t big[3 << 20];
	uint8_t want;

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7 + (i >> 11));
	want = sum(0, span_of(big, sizeof big));
	pairs();
	joined();
	ck_ok(link_write(west.l, span_of(big, sizeof big)));
	ck_ok(link_write(east.l, span_of(big, sizeof big)));
	ck_ok(link_shutdown(west.l));
	ck_ok(link_shutdown(east.l));
	until(ends == 1 && west.closed == 1 && east.closed == 1);
	ck_assert_int_eq(join_why, REASON_NONE);
	ck_assert_uint_eq(west.n, sizeof big);
	ck_assert_uint_eq(east.n, sizeof big);
	ck_assert_uint_eq(west.sum, want);
	ck_assert_uint_eq(east.sum, want);
	ck_assert_uint_eq(stats.a_to_b, sizeof big);
	ck_assert_uint_eq(stats.b_to_a, sizeof big);
END

/* U5: a reader that stands still holds its writer up: only so much waits here. The other direction goes on; then nothing is missing. */
BEGIN(U5_a_slow_reader_bounds_memory)
	static uint8_t big[8 << 20];
	size_t held;

	pairs();
	joined();
	east.hold = true;
	link_set_input_limit(east.l, 1000);
	ck_ok(link_write(west.l, span_of(big, sizeof big)));
	quiet();
	quiet();
	link_join_get_stats(join, &stats);
	held = stats.a_to_b;
	ck_assert_uint_gt(held, BUFFER / 2);
	ck_assert_uint_lt(held, sizeof big - 2 * BUFFER);	/* the sockets' own buffers take their share, the pipe its own */
	ck_assert_uint_gt(link_unsent(west.l), 0);
	ck_ok(link_write(east.l, span_str("still here")));
	until(west.n == 10);
	east.hold = false;
	link_set_input_limit(east.l, 1 << 20);
	read_all(&east);
	until(east.n == sizeof big);
	ck_ok(link_shutdown(west.l));
	ck_ok(link_shutdown(east.l));
	until(ends == 1);
	ck_assert_int_eq(join_why, REASON_NONE);
	ck_assert_uint_eq(stats.a_to_b, sizeof big);
END

/* U5: a reset is passed on as one, where the medium has it; and told. */
BEGIN(U5_reset)
	pairs();
	joined();
	link_reset(west.l);
	west.l = NULL;
	if (_i == UNIX) {	/* knows an end only; what is written after it breaks it */
		until(east.eof == 1);
		ck_ok(link_write(east.l, span_str("anybody?")));
	}
	until(ends == 1 && east.closed + (_i == UNIX) == 1);
	ck_assert_str_eq(reason_get(join_why)->code, "link-broken");
	if (_i != UNIX)
		ck_assert_int_eq(east.why, REASON_LINK_BROKEN);
END

BEGIN(cut)
	pairs();
	joined();
	link_join_cut(join);
	join = NULL;
	until((west.closed == 1 && east.closed == 1) || (west.eof == 1 && east.eof == 1));
	if (_i != UNIX)
		ck_assert_int_eq(west.why, REASON_LINK_BROKEN);
	ck_assert_int_eq(ends, 0);
	link_join_cut(NULL);
END

int
main(void)
{
	Suite *s = suite_create("link_join");
	TCase *t = tcase_create("join");

	log_set_level(LOG_LEVEL_ERROR);
#define ADD(test) tcase_add_loop_test(t, test, MEM, MEDIA)
	ADD(there_and_back);
	ADD(what_waits_already);
	ADD(U5_half_close_from_the_west);
	ADD(U5_half_close_from_the_east);
	ADD(much_both_ways_then_both_ends);
	ADD(U5_a_slow_reader_bounds_memory);
	ADD(U5_reset);
	ADD(cut);
	suite_add_tcase(s, t);
	return unit_run(s);
}
