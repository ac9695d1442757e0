/* clock: one heap of timers under three kinds of clock. */
#include "common/clock.h"

#include <check.h>
#include <signal.h>
#include <time.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/rnd.h"
#include "test/unit/unit.h"

#define T0 INT64_C(1893456000000)	/* 2030-01-01 */

static struct clock *clk;
static int64_t fired_at[4096];
static int fired_who[4096], fired;

struct probe {
	int who;
	struct clock_timer *t;
	int64_t again_ms;		/* -1 = once */
	int left;			/* how often to re-arm */
	struct clock_timer *kill;	/* freed when it fires */
};

static void
on_fire(void *arg)
{
	struct probe *p = arg;

	ck_assert_int_lt(fired, 4096);
	fired_at[fired] = clock_mono_ms(clk);
	fired_who[fired++] = p->who;
	ck_assert(!clock_timer_armed(p->t));
	if (p->kill != NULL) {
		clock_timer_free(p->kill);
		if (p->kill == p->t)
			p->t = NULL;
		p->kill = NULL;
	}
	if (p->left > 0) {
		p->left--;
		clock_timer_set(p->t, p->again_ms);
	}
}

static void
probe_new(struct probe *p, int who)
{
	*p = (struct probe){ .who = who };
	ck_ok(clock_timer_new(clk, on_fire, p, &p->t));
	ck_assert(!clock_timer_armed(p->t));
}

static void
setup(void)
{
	fired = 0;
	ck_ok(clock_new_virtual(T0, &clk));
}

static void
teardown(void)
{
	clock_free(clk);
}

START_TEST(virtual_stands_still)
{
	ck_assert_int_eq(clock_kind(clk), CLOCK_VIRTUAL);
	ck_assert_int_eq(clock_now_ms(clk), T0);
	ck_assert_int_eq(clock_now_s(clk), T0 / 1000);
	ck_assert_int_eq(clock_until_next(clk), -1);
	ck_assert_uint_eq(clock_advance(clk, 1500), 0);
	ck_assert_int_eq(clock_now_ms(clk), T0 + 1500);
	ck_assert_int_eq(clock_now_s(clk), T0 / 1000 + 1);
	ck_assert_int_eq(clock_mono_ms(clk), 1500);
}
END_TEST

START_TEST(seconds_are_floored_before_1970)
{
	struct clock *c;

	ck_ok(clock_new_virtual(-1, &c));
	ck_assert_int_eq(clock_now_s(c), -1);
	clock_advance(c, 1);
	ck_assert_int_eq(clock_now_s(c), 0);
	clock_free(c);
}
END_TEST

START_TEST(fires_in_order_each_at_its_time)
{
	struct probe p[4];

	for (int i = 0; i < 4; i++)
		probe_new(&p[i], i);
	clock_timer_set(p[0].t, 300);
	clock_timer_set(p[1].t, 100);
	clock_timer_set(p[2].t, 200);
	clock_timer_set(p[3].t, 100);		/* the same as 1, armed later */
	ck_assert_int_eq(clock_until_next(clk), 100);
	ck_assert_uint_eq(clock_advance(clk, 99), 0);
	ck_assert_int_eq(clock_until_next(clk), 1);
	ck_assert_uint_eq(clock_advance(clk, 500), 4);
	ck_assert_int_eq(fired_who[0], 1);
	ck_assert_int_eq(fired_who[1], 3);
	ck_assert_int_eq(fired_who[2], 2);
	ck_assert_int_eq(fired_who[3], 0);
	ck_assert_int_eq(fired_at[0], 100);
	ck_assert_int_eq(fired_at[2], 200);
	ck_assert_int_eq(fired_at[3], 300);
	ck_assert_int_eq(clock_mono_ms(clk), 599);
	for (int i = 0; i < 4; i++)
		clock_timer_free(p[i].t);
}
END_TEST

START_TEST(re_arming_stopping_moving)
{
	struct probe a, b;

	probe_new(&a, 0);
	probe_new(&b, 1);
	a.again_ms = 10;
	a.left = 3;
	clock_timer_set(a.t, 10);
	clock_timer_set(b.t, 5);
	clock_timer_set(b.t, 25);		/* anew: the first time is forgotten */
	ck_assert_uint_eq(clock_advance(clk, 30), 4);
	ck_assert_int_eq(fired_who[2], 1);
	clock_timer_stop(a.t);
	clock_timer_stop(a.t);
	ck_assert_int_eq(clock_until_next(clk), -1);
	ck_assert_uint_eq(clock_advance(clk, 1000), 0);
	clock_timer_set(a.t, -5);		/* in the past: now */
	ck_assert_int_eq(clock_until_next(clk), 0);
	ck_assert_uint_eq(clock_advance(clk, 0), 1);
	clock_timer_set(a.t, INT64_MAX);	/* never, and no overflow */
	ck_assert_uint_eq(clock_advance(clk, INT64_C(1) << 40), 0);
	clock_timer_free(a.t);
	clock_timer_free(b.t);
	clock_timer_free(NULL);
}
END_TEST

START_TEST(a_callback_may_free_itself_or_another)
{
	struct probe a, b, c;

	probe_new(&a, 0);
	probe_new(&b, 1);
	probe_new(&c, 2);
	a.kill = a.t;
	c.kill = b.t;
	clock_timer_set(a.t, 1);
	clock_timer_set(c.t, 2);
	clock_timer_set(b.t, 2);		/* due in the same instant, dead by then */
	ck_assert_uint_eq(clock_advance(clk, 10), 2);
	clock_timer_free(c.t);
}
END_TEST

START_TEST(heap_against_a_list)
{
	enum { N = 200 };
	static struct probe p[N];
	int64_t due[N];
	struct rnd_seeded r;
	uint32_t v;
	int64_t was = 0;

	log_set_level(LOG_LEVEL_ERROR);
	rnd_seeded_init(&r, 42);
	for (int i = 0; i < N; i++) {
		probe_new(&p[i], i);
		due[i] = -1;
	}
	for (int k = 0; k < 3000; k++) {
		int i;

		ck_ok(rnd_below(&r.rnd, N, &v));
		i = (int)v;
		ck_ok(rnd_below(&r.rnd, 1000, &v));
		if (v < 200) {
			clock_timer_stop(p[i].t);
			due[i] = -1;
		} else {
			clock_timer_set(p[i].t, v);
			due[i] = v;
		}
	}
	clock_advance(clk, 2000);
	for (int k = 0; k < fired; k++) {
		ck_assert_int_ge(fired_at[k], was);
		was = fired_at[k];
		ck_assert_int_eq(fired_at[k], due[fired_who[k]]);
		due[fired_who[k]] = -1;
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(due[i], -1);
		clock_timer_free(p[i].t);
	}
}
END_TEST

START_TEST(step_moves_the_wall_alone)
{
	struct probe a;

	probe_new(&a, 0);
	clock_timer_set(a.t, 100);
	clock_step_wall(clk, -86400000);
	ck_assert_int_eq(clock_now_ms(clk), T0 - 86400000);
	clock_step_wall(clk, 2 * 86400000);
	ck_assert_int_eq(clock_now_ms(clk), T0 + 86400000);
	ck_assert_int_eq(clock_mono_ms(clk), 0);
	ck_assert_int_eq(clock_until_next(clk), 100);
	clock_timer_free(a.t);
}
END_TEST

START_TEST(timers_outlive_the_clock)
{
	struct probe a, b;
	struct clock *c = clk;

	probe_new(&a, 0);
	probe_new(&b, 1);
	clock_timer_set(a.t, 100);
	clk = NULL;
	clock_free(c);
	clock_free(NULL);
	ck_assert(!clock_timer_armed(a.t));
	clock_timer_set(b.t, 1);		/* harmless */
	ck_assert(!clock_timer_armed(b.t));
	clock_timer_stop(a.t);
	clock_timer_free(a.t);
	clock_timer_free(b.t);
}
END_TEST

static void
on_endless(void *arg)
{
	clock_timer_set(*(struct clock_timer **)arg, 0);
}

START_TEST(endless_timer_is_a_bug)
{
	struct clock_timer *t;

	ck_ok(clock_timer_new(clk, on_endless, &t, &t));
	clock_timer_set(t, 0);
	clock_advance(clk, 1);
}
END_TEST

/* --- on a loop */

static struct loop *loop;

static void
loop_setup(void)
{
	fired = 0;
	ck_ok(loop_new(&loop));
}

static void
loop_teardown(void)
{
	clock_free(clk);
	loop_free(loop);
}

static void
end_turn(void *arg)
{
	(*(int *)arg)++;
}

/* Turns until n timers have fired, 5 s at most. */
static void
run_until_fired(int n)
{
	struct timespec now, end;
	int turns = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 5;
	while (fired < n) {
		(void)loop_turn(loop, end_turn, &turns);
		clock_gettime(CLOCK_MONOTONIC, &now);
		ck_assert_msg(now.tv_sec < end.tv_sec, "only %d of %d fired", fired, n);
	}
}

START_TEST(real_fires_by_the_loop)
{
	struct probe a, b;
	int64_t from;

	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	ck_assert_int_eq(clock_kind(clk), CLOCK_REAL);
	ck_assert_int_le(llabs(clock_now_s(clk) - (int64_t)time(NULL)), 1);
	probe_new(&a, 0);
	probe_new(&b, 1);
	from = clock_mono_ms(clk);
	clock_timer_set(a.t, 30);
	clock_timer_set(b.t, 10);
	run_until_fired(2);
	ck_assert_int_eq(fired_who[0], 1);
	ck_assert_int_ge(fired_at[0] - from, 10);
	ck_assert_int_ge(fired_at[1] - from, 30);
	clock_timer_free(a.t);
	clock_timer_free(b.t);
}
END_TEST

START_TEST(zero_means_the_next_turn)
{
	struct probe a;
	int turns = 0;

	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	probe_new(&a, 0);
	a.again_ms = 0;
	a.left = 5;
	clock_timer_set(a.t, 0);
	for (int i = 1; i <= 6; i++) {
		run_until_fired(i);
		ck_assert_int_eq(fired, i);	/* never two in one turn */
	}
	(void)loop_turn(loop, end_turn, &turns);
	ck_assert_int_eq(fired, 6);
	clock_timer_free(a.t);
}
END_TEST

START_TEST(controlled_follows_the_kernel_and_the_operator)
{
	struct probe a, b;
	int64_t wall, mono;

	ck_ok(clock_new(loop, CLOCK_CONTROLLED, &clk));
	probe_new(&a, 0);
	probe_new(&b, 1);
	clock_timer_set(a.t, 3600000);
	clock_timer_set(b.t, 20);
	wall = clock_now_ms(clk);
	mono = clock_mono_ms(clk);
	ck_assert_uint_eq(clock_advance(clk, 3600000), 2);
	ck_assert_int_ge(clock_now_ms(clk) - wall, 3600000);
	ck_assert_int_lt(clock_now_ms(clk) - wall, 3600000 + 2000);
	ck_assert_int_ge(fired_at[1] - mono, 3600000);
	clock_timer_set(a.t, 10);		/* and the kernel goes on below */
	run_until_fired(3);
	clock_timer_free(a.t);
	clock_timer_free(b.t);
}
END_TEST

/* A peer cannot answer in the hour that is left out: a dialler that tries each 30 s tries once, not 120 times. */
static void
again_in_30s(void *arg)
{
	struct clock_timer **t = arg;

	fired++;
	clock_timer_set(*t, 30000);
}

START_TEST(controlled_runs_a_repeating_timer_once)
{
	struct clock_timer *t;

	ck_ok(clock_new(loop, CLOCK_CONTROLLED, &clk));
	ck_ok(clock_timer_new(clk, again_in_30s, &t, &t));
	clock_timer_set(t, 30000);
	ck_assert_uint_eq(clock_advance(clk, 3600000), 1);
	ck_assert_int_eq(fired, 1);
	ck_assert_int_gt(clock_until_next(clk), 28000);
	clock_timer_free(t);
}
END_TEST

START_TEST(real_cannot_be_advanced)
{
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	clock_advance(clk, 1);
}
END_TEST

START_TEST(real_cannot_be_stepped)
{
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	clock_step_wall(clk, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("clock");
	TCase *t = tcase_create("virtual"), *l = tcase_create("loop");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, virtual_stands_still);
	tcase_add_test(t, seconds_are_floored_before_1970);
	tcase_add_test(t, fires_in_order_each_at_its_time);
	tcase_add_test(t, re_arming_stopping_moving);
	tcase_add_test(t, a_callback_may_free_itself_or_another);
	tcase_add_test(t, heap_against_a_list);
	tcase_add_test(t, step_moves_the_wall_alone);
	tcase_add_test(t, timers_outlive_the_clock);
	tcase_add_test_raise_signal(t, endless_timer_is_a_bug, SIGABRT);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(l, loop_setup, loop_teardown);
	tcase_add_test(l, real_fires_by_the_loop);
	tcase_add_test(l, zero_means_the_next_turn);
	tcase_add_test(l, controlled_follows_the_kernel_and_the_operator);
	tcase_add_test(l, controlled_runs_a_repeating_timer_once);
	tcase_add_test_raise_signal(l, real_cannot_be_advanced, SIGABRT);
	tcase_add_test_raise_signal(l, real_cannot_be_stepped, SIGABRT);
	suite_add_tcase(s, l);
	return unit_run(s);
}
