/* timeguard: RULES T2 on the virtual clock. */
#include "common/timeguard.h"

#include <check.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/store.h"
#include "common/turn.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

#define T0 INT64_C(1893499200)
#define DAY INT64_C(86400)
#define HOUR INT64_C(3600)

static const char *const migrations[] = { "CREATE TABLE t (a)" };
static const struct store_schema schema = { "testd", migrations, 1, NULL, 0 };
static struct clock *clk;
static struct secret *key;
static struct store *st;
static struct turn *turn;
static struct timeguard *g;
static char log_lines[8192];

static void
on_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	strcat(strcat(log_lines, line), "\n");
}

static void
start(void)
{
	ck_ok(store_open(tmpdir_file("db"), &schema, key, &st));
	ck_ok(turn_new(st, &turn));
	ck_ok(timeguard_new(clk, st, DAY, &g));
}

static void
stop(bool saved)
{
	if (saved)
		ck_ok(timeguard_save(g));
	turn_end(turn);
	timeguard_free(g);
	turn_free(turn);
	store_close(st);
}

/* The daemon is started again at another time: a new clock, whose monotonic side tells nothing. */
static void
restart_at(int64_t wall_s)
{
	stop(true);
	clock_free(clk);
	ck_ok(clock_new_virtual(wall_s * 1000, &clk));
	start();
}

static void
setup(void)
{
	tmpdir_make();
	log_lines[0] = '\0';
	log_capture(on_line, NULL);
	ck_ok(secret_new(32, &key));
	ck_ok(clock_new_virtual(T0 * 1000, &clk));
	start();
}

static void
teardown(void)
{
	stop(false);
	clock_free(clk);
	secret_free(key);
	log_capture(NULL, NULL);
	tmpdir_remove();
}

static void
expect(int64_t now, bool jumped)
{
	ck_assert_int_eq(timeguard_now(g), now);
	ck_assert_int_eq(timeguard_jumped(g), jumped);
}

START_TEST(follows_the_clock)
{
	expect(T0, false);
	clock_advance(clk, 1500);
	expect(T0 + 1, false);
	/* However long nobody looks: the monotonic clock went with it. */
	clock_advance(clk, 40 * DAY * 1000);
	expect(T0 + 1 + 40 * DAY, false);
	ck_assert_str_eq(log_lines, "");
}
END_TEST

START_TEST(small_step_forward_is_taken)
{
	clock_step_wall(clk, HOUR * 1000);
	expect(T0 + HOUR, false);
	clock_step_wall(clk, DAY * 1000);	/* exactly the largest */
	expect(T0 + HOUR + DAY, false);
}
END_TEST

START_TEST(large_step_forward_is_a_jump)
{
	clock_step_wall(clk, DAY * 1000 + 1);
	expect(T0, true);
	ck_assert_ptr_nonnull(strstr(log_lines, "reason=clock-jumped"));
	log_lines[0] = '\0';
	/* The mark goes on with the monotonic clock: what is over meanwhile is over. */
	clock_advance(clk, 10000);
	expect(T0 + 10, true);
	ck_assert_str_eq(log_lines, "");	/* said once */
}
END_TEST

START_TEST(jump_ends_when_the_clock_returns)
{
	clock_step_wall(clk, 30 * DAY * 1000);
	expect(T0, true);
	clock_advance(clk, 5000);
	expect(T0 + 5, true);
	clock_step_wall(clk, -30 * DAY * 1000);
	expect(T0 + 5, false);
	ck_assert_ptr_nonnull(strstr(log_lines, "good again"));
	clock_advance(clk, 1000);
	expect(T0 + 6, false);
}
END_TEST

START_TEST(jump_does_not_creep)
{
	clock_step_wall(clk, 3 * DAY * 1000);
	for (int i = 0; i < 1000; i++) {
		clock_advance(clk, 1);
		ck_assert(timeguard_jumped(g));
	}
	expect(T0 + 1, true);
}
END_TEST

START_TEST(accept_takes_the_wall_clock)
{
	clock_step_wall(clk, 30 * DAY * 1000);
	expect(T0, true);
	timeguard_accept(g);
	expect(T0 + 30 * DAY, false);
	clock_advance(clk, 1000);
	expect(T0 + 30 * DAY + 1, false);
	/* With nothing to accept it changes nothing. */
	clock_step_wall(clk, -HOUR * 1000);
	timeguard_accept(g);
	expect(T0 + 30 * DAY + 1, false);
}
END_TEST

START_TEST(step_back_holds_the_mark)
{
	clock_advance(clk, HOUR * 1000);
	expect(T0 + HOUR, false);
	clock_step_wall(clk, -HOUR * 1000);
	expect(T0 + HOUR, false);		/* now = the mark */
	clock_advance(clk, HOUR * 1000 - 1000);
	expect(T0 + HOUR, false);
	clock_advance(clk, 2000);
	expect(T0 + HOUR + 1, false);		/* passed it: goes on */
	clock_step_wall(clk, -1000 * DAY * 1000);
	expect(T0 + HOUR + 1, false);
}
END_TEST

START_TEST(never_back)
{
	static const int64_t steps[] = { -5 * DAY, HOUR, -HOUR, 2 * DAY, 40 * DAY, -41 * DAY, 1, DAY, -DAY, 3 * DAY };
	int64_t was = timeguard_now(g);

	for (int i = 0; i < 1000; i++) {
		clock_step_wall(clk, steps[i % 10] * 1000);
		clock_advance(clk, i % 7 * 333);
		if (i % 13 == 0)
			timeguard_accept(g);
		ck_assert_int_ge(timeguard_now(g), was);
		was = timeguard_now(g);
	}
}
END_TEST

START_TEST(a_restart_remembers)
{
	clock_advance(clk, HOUR * 1000);
	restart_at(T0);				/* the clock was set back while the daemon was down */
	expect(T0 + HOUR, false);
	restart_at(T0 + HOUR + DAY);
	expect(T0 + HOUR + DAY, false);
	restart_at(T0 + HOUR + 3 * DAY);	/* further than clock_step_max */
	expect(T0 + HOUR + DAY, true);
	restart_at(T0 + HOUR + 3 * DAY);	/* a restart accepts nothing */
	expect(T0 + HOUR + DAY, true);
	timeguard_accept(g);
	expect(T0 + HOUR + 3 * DAY, false);
	restart_at(T0 + HOUR + 3 * DAY);
	expect(T0 + HOUR + 3 * DAY, false);
}
END_TEST

START_TEST(saved_every_minute)
{
	int64_t mark = 0;

	clock_advance(clk, 59999);
	turn_end(turn);
	ck_rc(store_meta_get_int(st, "time_mark", &mark), RC_NOTFOUND);
	clock_advance(clk, 1);
	turn_end(turn);
	ck_ok(store_meta_get_int(st, "time_mark", &mark));
	ck_assert_int_eq(mark, T0 + 60);
	clock_advance(clk, 150000);
	turn_end(turn);
	ck_ok(store_meta_get_int(st, "time_mark", &mark));
	ck_assert_int_eq(mark, T0 + 180);
	/* A crash loses at most what came since. */
	stop(false);
	clock_free(clk);
	ck_ok(clock_new_virtual((T0 - DAY) * 1000, &clk));
	start();
	expect(T0 + 180, false);
}
END_TEST

START_TEST(without_store)
{
	struct timeguard *m;

	ck_ok(timeguard_new(clk, NULL, HOUR, &m));
	clock_step_wall(clk, (HOUR + 1) * 1000);
	ck_assert(timeguard_jumped(m));
	ck_ok(timeguard_save(m));
	timeguard_free(m);
	timeguard_free(NULL);
}
END_TEST

START_TEST(a_spoilt_mark_is_no_start)
{
	struct timeguard *m = NULL;

	ck_ok(store_meta_put_text(st, "time_mark", "yesterday"));
	ck_rc(timeguard_new(clk, st, DAY, &m), RC_IO);
	ck_assert_ptr_null(m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("timeguard T2");
	TCase *c = tcase_create("T2");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, follows_the_clock);
	tcase_add_test(c, small_step_forward_is_taken);
	tcase_add_test(c, large_step_forward_is_a_jump);
	tcase_add_test(c, jump_ends_when_the_clock_returns);
	tcase_add_test(c, jump_does_not_creep);
	tcase_add_test(c, accept_takes_the_wall_clock);
	tcase_add_test(c, step_back_holds_the_mark);
	tcase_add_test(c, never_back);
	tcase_add_test(c, a_restart_remembers);
	tcase_add_test(c, saved_every_minute);
	tcase_add_test(c, without_store);
	tcase_add_test(c, a_spoilt_mark_is_no_start);
	suite_add_tcase(s, c);
	return unit_run(s);
}
