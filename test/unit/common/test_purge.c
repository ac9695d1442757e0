/* purge: RULES T1: slices, within a second for 1,000 rows, the WAL truncated within a minute. */
#include "common/purge.h"

#include <check.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "common/turn.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

#define T0 INT64_C(1893499200)

static const char *const migrations[] = { "CREATE TABLE k (a INTEGER PRIMARY KEY, expires INTEGER NOT NULL)" };
static const char *const sql[] = {
	"INSERT INTO k (expires) VALUES (:e)",
	"DELETE FROM k WHERE a IN (SELECT a FROM k WHERE expires <= :now ORDER BY expires LIMIT :max)",
	"SELECT min(expires) FROM k",
	"SELECT count(*) FROM k",
};
static const struct store_schema schema = { "testd", migrations, 1, sql, 4 };
static struct clock *clk;
static struct store *st;
static struct turn *turn;
static struct timeguard *g;
static struct purge *p;
static unsigned slices, largest;
static bool fail_slices;

static enum rc
slice(void *arg, int64_t now_s, unsigned max, unsigned *n)
{
	sqlite3_stmt *s = store_stmt(st, 1);

	(void)arg;
	slices++;
	if (fail_slices)
		return RC_IO;
	ck_ok(store_begin(st));
	sqlite3_bind_int64(s, 1, now_s);
	sqlite3_bind_int(s, 2, (int)max);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);
	*n = (unsigned)sqlite3_changes(sqlite3_db_handle(s));
	sqlite3_reset(s);
	if (*n > largest)
		largest = *n;
	return store_end(st, true);
}

static int64_t
next(void *arg)
{
	sqlite3_stmt *s = store_stmt(st, 2);
	int64_t v;

	(void)arg;
	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	v = sqlite3_column_type(s, 0) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return v;
}

static const struct purge_what what = { slice, next, NULL };

static void
put(int64_t expires)
{
	sqlite3_stmt *s;

	ck_ok(store_begin(st));
	s = store_stmt(st, 0);
	sqlite3_bind_int64(s, 1, expires);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);
	sqlite3_reset(s);
	ck_ok(store_end(st, true));
}

static int
count(void)
{
	sqlite3_stmt *s = store_stmt(st, 3);
	int n;

	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int(s, 0);
	sqlite3_reset(s);
	return n;
}

static void
common_setup(void)
{
	struct secret *key;

	tmpdir_make();
	log_set_level(LOG_LEVEL_ERROR);
	ck_ok(secret_new(32, &key));
	ck_ok(store_open(tmpdir_file("db"), &schema, key, &st));
	secret_free(key);
	ck_ok(turn_new(st, &turn));
	slices = largest = 0;
	fail_slices = false;
}

static void
setup(void)
{
	common_setup();
	ck_ok(clock_new_virtual(T0 * 1000, &clk));
	ck_ok(timeguard_new(clk, st, 86400, &g));
}

static void
teardown(void)
{
	purge_free(p);
	p = NULL;
	timeguard_free(g);
	turn_free(turn);
	store_close(st);
	clock_free(clk);
	tmpdir_remove();
}

static void
start(void)
{
	ck_ok(purge_new(clk, g, st, &what, &p));
	clock_advance(clk, 0);
	turn_end(turn);
}

START_TEST(deletes_at_expiry_and_not_before)
{
	put(T0 + 100);
	put(T0 + 200);
	start();
	clock_advance(clk, 99999);
	ck_assert_int_eq(count(), 2);
	clock_advance(clk, 1);
	ck_assert_int_eq(count(), 1);
	clock_advance(clk, 100000);
	ck_assert_int_eq(count(), 0);
}
END_TEST

START_TEST(what_expired_while_it_was_down)
{
	put(T0 - 100);
	put(T0);
	put(T0 + 1);
	start();
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(expect_wakes_it_in_time)
{
	start();
	put(T0 + 5000);
	purge_expect(p, T0 + 5000);
	put(T0 + 7);
	purge_expect(p, T0 + 7);
	put(T0 + 9);
	purge_expect(p, T0 + 9);
	clock_advance(clk, 7000);
	ck_assert_int_eq(count(), 2);
	clock_advance(clk, 2000);
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(a_thousand_rows_in_slices)
{
	for (int i = 0; i < 1000; i++)
		put(T0 + 60);
	start();
	clock_advance(clk, 60000);
	ck_assert_int_eq(count(), 0);
	ck_assert_uint_eq(largest, PURGE_SLICE);
	ck_assert_uint_eq(slices, 5);
}
END_TEST

START_TEST(idle_costs_next_to_nothing)
{
	put(T0 + 30 * 86400);
	start();
	/* A lab's clock is moved by a week: not a look per second. */
	ck_assert_uint_lt(clock_advance(clk, INT64_C(7) * 86400 * 1000), 2 * 7 * 1440 + 10);
	ck_assert_uint_eq(slices, 0);
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(the_mark_is_saved_with_the_deletion)
{
	int64_t mark = 0;

	put(T0 + 3);
	start();
	clock_advance(clk, 3000);
	turn_end(turn);
	ck_assert_int_eq(count(), 0);
	ck_ok(store_meta_get_int(st, "time_mark", &mark));
	ck_assert_int_eq(mark, T0 + 3);
}
END_TEST

START_TEST(a_jump_deletes_nothing)
{
	put(T0 + 3600);
	start();
	clock_step_wall(clk, 30 * INT64_C(86400) * 1000);
	clock_advance(clk, 120000);
	ck_assert_int_eq(count(), 1);
	timeguard_accept(g);
	clock_advance(clk, 60000);
	ck_assert_int_eq(count(), 0);
}
END_TEST

START_TEST(a_failing_store_is_asked_again_in_a_second)
{
	put(T0 + 1);
	fail_slices = true;
	start();
	clock_advance(clk, 10000);
	ck_assert_uint_ge(slices, 9);
	ck_assert_uint_le(slices, 11);
	ck_assert_int_eq(count(), 1);
	fail_slices = false;
	clock_advance(clk, 1000);
	ck_assert_int_eq(count(), 0);
}
END_TEST

static int64_t
wal_size(void)
{
	struct stat sb;

	ck_assert_int_eq(stat(tmpdir_file("db-wal"), &sb), 0);
	return sb.st_size;
}

START_TEST(the_wal_is_truncated_within_a_minute)
{
	put(T0 + 10);
	start();
	clock_advance(clk, 10000);
	turn_end(turn);
	ck_assert_int_gt(wal_size(), 0);
	for (int i = 0; i < 60; i++) {
		put(T0 + 9999);			/* a busy store: a transaction is open whenever it is tried */
		clock_advance(clk, 1000);
		turn_end(turn);
		if (wal_size() == 0)
			return;
	}
	ck_abort_msg("the WAL is as it was");
}
END_TEST

START_TEST(others_deletions_count)
{
	start();
	for (int i = 0; i < 10000; i++)
		put(T0 + 9999);
	turn_end(turn);
	ck_assert_int_gt(wal_size(), 64 * 1024);
	clock_advance(clk, 50000);
	turn_end(turn);
	ck_assert_int_gt(wal_size(), 64 * 1024);	/* nobody said anything */
	purge_deleted(p);
	clock_advance(clk, 10000);
	purge_deleted(p);				/* does not put it off */
	clock_advance(clk, 10000);
	turn_end(turn);
	ck_assert_int_lt(wal_size(), 64 * 1024);	/* the guard's mark is in it again */
	purge_free(NULL);
}
END_TEST

/* --- on a real clock: a slice a turn, and all in a second */

static int turns, most_in_a_turn, before_turn;

static void
end_turn(void *arg)
{
	int now = count();

	(void)arg;
	if (before_turn - now > most_in_a_turn)
		most_in_a_turn = before_turn - now;
	before_turn = now;
	turns++;
	turn_end(turn);
}

START_TEST(real_thousand_rows_within_a_second)
{
	struct loop *loop;
	int64_t from;

	common_setup();
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	ck_ok(timeguard_new(clk, st, 86400, &g));
	for (int i = 0; i < 1000; i++)
		put(clock_now_s(clk) - 1);
	turn_end(turn);
	before_turn = 1000;
	ck_ok(purge_new(clk, g, st, &what, &p));
	from = clock_mono_ms(clk);
	while (count() > 0 && clock_mono_ms(clk) - from < 5000)
		(void)loop_turn(loop, end_turn, NULL);
	ck_assert_int_lt(clock_mono_ms(clk) - from, 1000);
	ck_assert_int_eq(most_in_a_turn, PURGE_SLICE);
	purge_free(p);
	timeguard_free(g);
	turn_free(turn);
	store_close(st);
	clock_free(clk);
	loop_free(loop);
	tmpdir_remove();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("purge T1");
	TCase *c = tcase_create("T1"), *r = tcase_create("T1 real clock");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, deletes_at_expiry_and_not_before);
	tcase_add_test(c, what_expired_while_it_was_down);
	tcase_add_test(c, expect_wakes_it_in_time);
	tcase_add_test(c, a_thousand_rows_in_slices);
	tcase_add_test(c, idle_costs_next_to_nothing);
	tcase_add_test(c, the_mark_is_saved_with_the_deletion);
	tcase_add_test(c, a_jump_deletes_nothing);
	tcase_add_test(c, a_failing_store_is_asked_again_in_a_second);
	tcase_add_test(c, the_wal_is_truncated_within_a_minute);
	tcase_add_test(c, others_deletions_count);
	tcase_add_test(r, real_thousand_rows_within_a_second);
	suite_add_tcase(s, c);
	suite_add_tcase(s, r);
	return unit_run(s);
}
