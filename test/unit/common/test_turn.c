/* turn: durable before answered. */
#include "common/turn.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/log.h"
#include "common/store.h"
#include "test/unit/unit.h"

static const char *const migrations[] = {
	"CREATE TABLE t (a INTEGER PRIMARY KEY, b REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)",
};
static const char *const sql[] = { "INSERT INTO t (b) VALUES (:b)", "SELECT count(*) FROM t" };
static const struct store_schema schema = { "testd", migrations, 1, sql, 2 };
static struct store *st;
static struct turn *t;
static char said[4096], log_lines[4096];

static void
on_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	strcat(strcat(log_lines, line), "\n");
}

static void
setup(void)
{
	struct secret *key;

	said[0] = log_lines[0] = '\0';
	log_capture(on_line, NULL);
	ck_ok(secret_new(32, &key));
	ck_ok(store_open(":memory:", &schema, key, &st));
	secret_free(key);
	ck_ok(turn_new(st, &t));
}

static void
teardown(void)
{
	turn_free(t);
	store_close(st);
	log_capture(NULL, NULL);
}

/* b = 99 refers to no row: the statement is good, the commit fails. */
static void
write_row(int b)
{
	sqlite3_stmt *s;

	ck_ok(store_begin(st));
	s = store_stmt(st, 0);
	if (b != 0)
		sqlite3_bind_int(s, 1, b);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);
	sqlite3_reset(s);
	ck_ok(store_end(st, true));
}

static void
say(void *arg, enum rc rc)
{
	struct store_stats s;

	store_get_stats(st, &s);
	snprintf(said + strlen(said), sizeof said - strlen(said), "%s:%s:%d ", (char *)arg, rc_str(rc), (int)s.commits - 1);
}

START_TEST(after_the_commit_in_order)
{
	char a[] = "a", b[] = "b";

	write_row(0);
	turn_later(t, say, a);
	write_row(0);
	turn_later(t, say, b);
	ck_assert_str_eq(said, "");
	turn_end(t);
	ck_assert_str_eq(said, "a:ok:1 b:ok:1 ");
	turn_end(t);
	ck_assert_str_eq(said, "a:ok:1 b:ok:1 ");	/* once */
	ck_assert(turn_healthy(t));
}
END_TEST

START_TEST(failed_commit_fails_every_answer_of_the_turn)
{
	char a[] = "a", b[] = "b", c[] = "c", d[] = "d", e[] = "e";

	write_row(0);
	turn_later(t, say, a);
	write_row(99);
	turn_later(t, say, b);
	turn_end(t);
	ck_assert_str_eq(said, "a:io:0 b:io:0 ");
	ck_assert(!turn_healthy(t));
	ck_assert_ptr_nonnull(strstr(log_lines, "reason=not-durable"));
	ck_assert_ptr_nonnull(strstr(log_lines, "2 answers"));
	/* A turn that wrote nothing is answered, but proves nothing. */
	turn_later(t, say, c);
	turn_end(t);
	ck_assert_str_eq(said, "a:io:0 b:io:0 c:ok:0 ");
	ck_assert(!turn_healthy(t));
	/* Again failing: said once, not each time. */
	log_lines[0] = '\0';
	write_row(99);
	turn_later(t, say, d);
	turn_end(t);
	ck_assert_ptr_null(strstr(log_lines, "reason=not-durable"));
	write_row(0);
	turn_later(t, say, e);
	turn_end(t);
	ck_assert(turn_healthy(t));
	ck_assert_ptr_nonnull(strstr(log_lines, "commits again"));
	ck_assert_str_eq(said, "a:io:0 b:io:0 c:ok:0 d:io:0 e:ok:1 ");
}
END_TEST

static void
say_and_write(void *arg, enum rc rc)
{
	static char more[] = "more", last[] = "last";

	say(arg, rc);
	if (arg != more) {
		write_row(0);
		turn_later(t, say_and_write, more);
	} else {
		write_row(0);
		turn_later(t, say, last);
	}
}

START_TEST(what_the_outbox_writes_is_committed_too)
{
	char a[] = "a";

	turn_later(t, say_and_write, a);
	turn_end(t);
	/* Each round has its own commit, before what was handed in with it. */
	ck_assert_str_eq(said, "a:ok:0 more:ok:1 last:ok:2 ");
	ck_ok(store_commit(st));
	say(a, RC_OK);
	ck_assert_ptr_nonnull(strstr(said, "last:ok:2 a:ok:2 "));	/* nothing was left open */
}
END_TEST

static void
only_write(void *arg, enum rc rc)
{
	(void)arg;
	(void)rc;
	write_row(0);
}

START_TEST(the_last_rounds_writes)
{
	struct store_stats s;

	turn_later(t, only_write, NULL);
	turn_end(t);
	store_get_stats(st, &s);
	ck_assert_uint_eq(s.commits, 2);
}
END_TEST

START_TEST(many)
{
	char a[] = "a";

	for (int i = 0; i < 300; i++)
		turn_later(t, say, a);
	turn_end(t);
	ck_assert_uint_eq(strlen(said), 300 * strlen("a:ok:0 "));
}
END_TEST

static void
count(void *arg, enum rc rc)
{
	ck_assert_int_eq(rc, RC_OK);
	++*(int *)arg;
}

START_TEST(without_store)
{
	struct turn *u;
	int n = 0;

	ck_ok(turn_new(NULL, &u));
	turn_later(u, count, &n);
	turn_end(u);
	ck_assert_int_eq(n, 1);
	ck_assert(turn_healthy(u));
	turn_later(u, count, &n);
	turn_free(u);			/* runs nothing */
	ck_assert_int_eq(n, 1);
	turn_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("turn");
	TCase *c = tcase_create("turn");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, after_the_commit_in_order);
	tcase_add_test(c, failed_commit_fails_every_answer_of_the_turn);
	tcase_add_test(c, what_the_outbox_writes_is_committed_too);
	tcase_add_test(c, the_last_rounds_writes);
	tcase_add_test(c, many);
	tcase_add_test(c, without_store);
	suite_add_tcase(s, c);
	return unit_run(s);
}
