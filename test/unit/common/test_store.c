/* store: opening, migrations, one transaction per turn, a request's writes kept or taken back alone, a full disk. */
#include "common/store.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/log.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

enum sql { PUT, COUNT, MAX_PAGES, ALL };
#define PUT_SQL "INSERT INTO t (a, b) VALUES (:a, :b)"
#define COUNT_SQL "SELECT count(*) FROM t"
#define ALL_SQL "SELECT a FROM t"
static const char *const sql[] = {
	[PUT] = PUT_SQL,
	[COUNT] = COUNT_SQL,
	[MAX_PAGES] = "SELECT 1",
	[ALL] = ALL_SQL,
};
static const char *const migrations[] = {
	"CREATE TABLE t (a INTEGER NOT NULL PRIMARY KEY)",
	"ALTER TABLE t ADD COLUMN b BLOB; CREATE INDEX t_b ON t (b)",
};
static const struct store_schema schema = { "testd", migrations, 2, sql, 4 };
static struct secret *key;
static struct store *st;
static char log_lines[8192];

static void
on_line(enum log_level level, const char *line, void *arg)
{
	size_t n = strlen(log_lines);

	(void)level;
	(void)arg;
	snprintf(log_lines + n, sizeof log_lines - n, "%s\n", line);
}

static void
setup(void)
{
	tmpdir_make();
	log_lines[0] = '\0';
	log_capture(on_line, NULL);
	ck_ok(secret_new(32, &key));
	secret_bytes(key)[0] = 7;
}

static void
teardown(void)
{
	store_close(st);
	st = NULL;
	secret_free(key);
	log_capture(NULL, NULL);
	tmpdir_remove();
}

static void
open_it(void)
{
	ck_ok(store_open(tmpdir_file("db"), &schema, key, &st));
}

static int
put(int64_t a, size_t blob)
{
	static uint8_t zeros[1 << 20];
	sqlite3_stmt *s = store_stmt(st, PUT);
	int r;

	sqlite3_bind_int64(s, 1, a);
	sqlite3_bind_blob(s, 2, zeros, (int)blob, SQLITE_STATIC);
	r = sqlite3_step(s);
	sqlite3_reset(s);
	return r;
}

static int
count(void)
{
	sqlite3_stmt *s = store_stmt(st, COUNT);
	int n;

	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int(s, 0);
	sqlite3_reset(s);
	return n;
}

static void
put_kept(int64_t a)
{
	ck_ok(store_begin(st));
	ck_assert_int_eq(put(a, 8), SQLITE_DONE);
	ck_ok(store_end(st, true));
}

/* The file through another connection. */
static int64_t
ask_file(const char *name, const char *q)
{
	sqlite3 *db;
	sqlite3_stmt *s;
	int64_t v;

	ck_assert_int_eq(sqlite3_open_v2(tmpdir_file(name), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, q, -1, &s, NULL), SQLITE_OK);
	v = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
	sqlite3_finalize(s);
	sqlite3_close(db);
	return v;
}

START_TEST(new_file)
{
	struct stat sb;

	umask(0);
	open_it();
	ck_assert_int_eq(count(), 0);
	ck_assert_int_eq(ask_file("db", "PRAGMA user_version"), 2);
	put_kept(1);
	ck_ok(store_commit(st));
	ck_assert_int_eq(stat(tmpdir_file("db"), &sb), 0);
	ck_assert_uint_eq(sb.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(tmpdir_file("db-wal"), &sb), 0);
	ck_assert_uint_eq(sb.st_mode & 07777, 0600);
	store_close(st);
	open_it();
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(pragmas_hold)
{
	static const char *const q[] = { "PRAGMA synchronous", "PRAGMA secure_delete", "PRAGMA foreign_keys", "PRAGMA journal_mode" };
	static const char *const none[] = { "CREATE TABLE x (y)" };
	static const struct store_schema s = { "testd", none, 1, q, 4 };
	sqlite3_stmt *stmt;

	ck_ok(store_open(tmpdir_file("db"), &s, key, &st));
	for (size_t i = 0; i < 3; i++) {
		stmt = store_stmt(st, i);
		ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
		ck_assert_int_eq(sqlite3_column_int(stmt, 0), i == 0 ? 2 : 1);	/* FULL, ON, ON */
	}
	stmt = store_stmt(st, 3);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "wal");
}
END_TEST

START_TEST(migrates_step_by_step)
{
	static const struct store_schema old = { "testd", migrations, 1, NULL, 0 };

	ck_ok(store_open(tmpdir_file("db"), &old, key, &st));
	store_close(st);
	ck_assert_int_eq(ask_file("db", "PRAGMA user_version"), 1);
	ck_assert_int_eq(ask_file("db", "INSERT INTO t (a) VALUES (5)"), -1);
	open_it();
	ck_assert_int_eq(count(), 1);
	store_close(st);
	/* And a newer file is not touched by an older program. */
	st = NULL;
	ck_rc(store_open(tmpdir_file("db"), &old, key, &st), RC_IO);
	ck_assert_ptr_null(st);
	ck_assert_ptr_nonnull(strstr(log_lines, "newer testd"));
	ck_assert_int_eq(ask_file("db", "PRAGMA user_version"), 2);
}
END_TEST

START_TEST(failed_migration_changes_nothing)
{
	static const char *const broken[] = { "CREATE TABLE t (a INTEGER NOT NULL PRIMARY KEY)", "CREATE TABLE u (a); CREATE TABLE t (b)" };
	static const struct store_schema s = { "testd", broken, 2, NULL, 0 };

	ck_rc(store_open(tmpdir_file("db"), &s, key, &st), RC_IO);
	ck_assert_ptr_null(st);
	ck_assert_int_eq(ask_file("db", "PRAGMA user_version"), 1);
	ck_assert_int_eq(ask_file("db", "SELECT count(*) FROM sqlite_schema WHERE name = 'u'"), 0);
	ck_assert_ptr_nonnull(strstr(log_lines, "to version 2"));
}
END_TEST

START_TEST(killed_in_a_migration)
{
	/* user_version and tables stand or fall together, also when the process dies between them. */
	static const char *const slow[] = {
		"CREATE TABLE t (a INTEGER NOT NULL PRIMARY KEY);"
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO t SELECT i FROM n",
	};
	static const struct store_schema s = { "testd", slow, 1, NULL, 0 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)!store_open(tmpdir_file("db"), &s, key, &st);
		_exit(0);
	}
	usleep(200000);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	open_it();
	ck_assert_int_eq(count(), 0);
}
END_TEST

START_TEST(another_key_or_daemon)
{
	static const struct store_schema other = { "otherd", migrations, 2, sql, 4 };
	struct secret *wrong;

	open_it();
	store_close(st);
	st = NULL;
	ck_ok(secret_new(32, &wrong));
	ck_rc(store_open(tmpdir_file("db"), &schema, wrong, &st), RC_DENIED);
	ck_rc(store_open(tmpdir_file("db"), &other, key, &st), RC_DENIED);
	ck_assert_ptr_null(st);
	ck_assert_ptr_nonnull(strstr(log_lines, "testd, not otherd"));
	secret_free(wrong);
	ck_ok(secret_new(16, &wrong));
	ck_rc(store_open(tmpdir_file("db"), &schema, wrong, &st), RC_RANGE);
	secret_free(wrong);
	open_it();
}
END_TEST

START_TEST(another_daemons_older_file_is_not_migrated)
{
	static const struct store_schema old = { "testd", migrations, 1, NULL, 0 }, other = { "otherd", migrations, 2, NULL, 0 };

	ck_ok(store_open(tmpdir_file("db"), &old, key, &st));
	store_close(st);
	st = NULL;
	ck_rc(store_open(tmpdir_file("db"), &other, key, &st), RC_DENIED);
	ck_assert_int_eq(ask_file("db", "PRAGMA user_version"), 1);
}
END_TEST

START_TEST(what_is_no_store)
{
	char junk[5000];

	memset(junk, 'j', sizeof junk);
	tmpdir_write("db", junk, sizeof junk, 0600);
	ck_rc(store_open(tmpdir_file("db"), &schema, key, &st), RC_IO);
	ck_rc(store_open(tmpdir, &schema, key, &st), RC_IO);
	ck_rc(store_open(tmpdir_file("no/such"), &schema, key, &st), RC_IO);
	ck_assert_int_eq(symlink(tmpdir_file("x"), tmpdir_file("link")), 0);
	ck_rc(store_open(tmpdir_file("link"), &schema, key, &st), RC_IO);
	ck_assert_int_eq(mkfifo(tmpdir_file("fifo"), 0600), 0);
	ck_rc(store_open(tmpdir_file("fifo"), &schema, key, &st), RC_IO);
	ck_assert_ptr_null(st);
	/* Somebody's SQLite file of another kind. */
	ck_assert_int_eq(ask_file("foreign", "PRAGMA user_version = 1"), -1);
	ck_assert_int_eq(ask_file("foreign", "CREATE TABLE x (y)"), -1);
	ck_assert_int_eq(ask_file("foreign", "PRAGMA user_version = 1"), -1);
	ck_rc(store_open(tmpdir_file("foreign"), &schema, key, &st), RC_IO);
	ck_assert_ptr_null(st);
}
END_TEST

START_TEST(open_to_others_is_closed)
{
	struct stat sb;

	open_it();
	store_close(st);
	ck_assert_int_eq(chmod(tmpdir_file("db"), 0644), 0);
	open_it();
	ck_assert_int_eq(stat(tmpdir_file("db"), &sb), 0);
	ck_assert_uint_eq(sb.st_mode & 07777, 0600);
	ck_assert_ptr_nonnull(strstr(log_lines, "open to its group or the world"));
}
END_TEST

START_TEST(one_daemon_a_file)
{
	int status;
	pid_t pid;

	open_it();
	if ((pid = fork()) == 0) {
		struct store *second = NULL;

		_exit(store_open(tmpdir_file("db"), &schema, key, &second) == RC_IO ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	store_close(st);
	open_it();
}
END_TEST

START_TEST(a_turn_is_one_commit)
{
	struct store_stats s;

	open_it();
	store_get_stats(st, &s);
	ck_assert_uint_eq(s.commits, 1);	/* whose it is */
	put_kept(1);
	put_kept(2);
	ck_assert_int_eq(count(), 2);		/* the turn sees its own */
	ck_assert_int_eq(ask_file("db", "SELECT count(*) FROM t"), 0);
	ck_ok(store_commit(st));
	ck_assert_int_eq(ask_file("db", "SELECT count(*) FROM t"), 2);
	store_get_stats(st, &s);
	ck_assert_uint_eq(s.commits, 2);
	ck_assert_uint_eq(s.failed, 0);
	ck_assert_int_gt(s.last_commit_us, 0);
	ck_ok(store_commit(st));		/* nothing to do is nothing done */
	ck_ok(store_begin(st));
	ck_ok(store_end(st, true));
	ck_ok(store_commit(st));		/* nor is it anything to the disk */
	store_get_stats(st, &s);
	ck_assert_uint_eq(s.commits, 2);
}
END_TEST

START_TEST(a_request_is_taken_back_alone)
{
	open_it();
	put_kept(1);
	ck_ok(store_begin(st));
	ck_assert_int_eq(put(2, 8), SQLITE_DONE);
	ck_ok(store_begin(st));			/* nested */
	ck_assert_int_eq(put(3, 8), SQLITE_DONE);
	ck_ok(store_end(st, true));
	ck_ok(store_end(st, false));		/* with what stood inside it */
	ck_ok(store_begin(st));
	ck_assert_int_eq(put(4, 8), SQLITE_DONE);
	ck_ok(store_begin(st));
	ck_assert_int_eq(put(5, 8), SQLITE_DONE);
	ck_ok(store_end(st, false));
	ck_ok(store_end(st, true));
	ck_ok(store_commit(st));
	ck_assert_int_eq(ask_file("db", "SELECT sum(a) FROM t"), 5);
}
END_TEST

START_TEST(a_plain_request_is_taken_back_with_its_turn)
{
	open_it();
	put_kept(1);
	ck_ok(store_begin_plain(st));
	ck_assert_int_eq(put(2, 8), SQLITE_DONE);
	ck_ok(store_begin(st));			/* nested: as ever */
	ck_assert_int_eq(put(3, 8), SQLITE_DONE);
	ck_ok(store_end(st, false));
	ck_ok(store_end(st, true));
	ck_ok(store_begin(st));
	ck_ok(store_begin_plain(st));		/* nested: no other than store_begin */
	ck_assert_int_eq(put(4, 8), SQLITE_DONE);
	ck_ok(store_end(st, false));
	ck_ok(store_end(st, true));
	ck_ok(store_commit(st));
	ck_assert_int_eq(ask_file("db", "SELECT sum(a) FROM t"), 3);
	ck_ok(store_begin(st));
	ck_assert_int_eq(put(5, 8), SQLITE_DONE);
	ck_ok(store_end(st, true));
	ck_ok(store_begin_plain(st));
	ck_assert_int_eq(put(6, 8), SQLITE_DONE);
	ck_rc(store_end(st, false), RC_IO);
	ck_rc(store_begin(st), RC_IO);
	ck_rc(store_commit(st), RC_IO);
	ck_assert_int_eq(ask_file("db", "SELECT sum(a) FROM t"), 3);
	put_kept(7);
	ck_ok(store_commit(st));
	ck_assert_int_eq(ask_file("db", "SELECT sum(a) FROM t"), 10);
}
END_TEST

START_TEST(an_error_of_one_statement_is_that_requests)
{
	open_it();
	put_kept(1);
	ck_ok(store_begin(st));
	ck_assert_int_eq(put(2, 8), SQLITE_DONE);
	ck_assert_int_eq(put(1, 8) & 0xff, SQLITE_CONSTRAINT);
	ck_ok(store_end(st, false));
	ck_ok(store_commit(st));
	ck_assert_int_eq(ask_file("db", "SELECT sum(a) FROM t"), 1);
}
END_TEST

START_TEST(close_keeps_nothing_open)
{
	open_it();
	put_kept(1);
	store_close(st);
	open_it();
	ck_assert_int_eq(count(), 0);
	store_close(NULL);
}
END_TEST

START_TEST(killed_before_the_commit_and_after)
{
	int status;
	pid_t pid;

	open_it();
	store_close(st);
	st = NULL;
	if ((pid = fork()) == 0) {
		open_it();
		put_kept(1);
		ck_ok(store_commit(st));
		put_kept(2);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	open_it();
	ck_assert_int_eq(count(), 1);
}
END_TEST

/* SQLite's disk is full at so many pages; when it meets that it rolls the transaction back by itself. */
START_TEST(full_disk_fails_the_turn_as_a_whole)
{
	static const char *const tight[] = { PUT_SQL, COUNT_SQL, "PRAGMA max_page_count = 16", ALL_SQL };
	static const struct store_schema s = { "testd", migrations, 2, tight, 4 };
	struct store_stats stats;
	int i;

	ck_ok(store_open(tmpdir_file("db"), &s, key, &st));
	put_kept(1);
	ck_ok(store_commit(st));
	ck_assert_int_eq(sqlite3_step(store_stmt(st, MAX_PAGES)), SQLITE_ROW);
	put_kept(2);				/* an earlier request of the same turn */
	ck_ok(store_begin(st));
	for (i = 3; i < 100 && put(i, 4000) == SQLITE_DONE; i++)
		;
	ck_assert_int_lt(i, 100);
	if (sqlite3_get_autocommit(sqlite3_db_handle(store_stmt(st, ALL)))) {
		ck_rc(store_end(st, false), RC_IO);
		ck_rc(store_begin(st), RC_IO);	/* the turn is lost, later requests are not let into it */
		ck_rc(store_commit(st), RC_IO);
		store_get_stats(st, &stats);
		ck_assert_uint_eq(stats.failed, 1);
		ck_assert_int_eq(count(), 1);
	} else {
		/* It was only the statement: then the request is taken back and the rest of the turn is kept. */
		ck_ok(store_end(st, false));
		ck_ok(store_commit(st));
		ck_assert_int_eq(count(), 2);
	}
	put_kept(200);				/* and the next turn is a new one */
	ck_ok(store_commit(st));
}
END_TEST

START_TEST(rolled_back_by_itself)
{
	static const char *const rude[] = { PUT_SQL, COUNT_SQL, "ROLLBACK", ALL_SQL };
	static const struct store_schema s = { "testd", migrations, 2, rude, 4 };
	struct store_stats stats;

	/* The same from SQLite's point of view, every time: the transaction is gone while a request writes. */
	ck_ok(store_open(tmpdir_file("db"), &s, key, &st));
	put_kept(1);
	ck_ok(store_begin(st));
	ck_assert_int_eq(sqlite3_step(store_stmt(st, MAX_PAGES)), SQLITE_DONE);
	ck_rc(store_end(st, true), RC_IO);
	ck_rc(store_begin(st), RC_IO);
	ck_rc(store_commit(st), RC_IO);
	store_get_stats(st, &stats);
	ck_assert_uint_eq(stats.failed, 1);
	ck_assert_int_eq(count(), 0);
	put_kept(2);
	ck_ok(store_commit(st));
	ck_assert_int_eq(count(), 1);
	ck_assert_ptr_nonnull(strstr(log_lines, "rolled back"));
}
END_TEST

START_TEST(deferred_constraint_fails_the_commit)
{
	static const char *const m[] = {
		"CREATE TABLE t (a INTEGER NOT NULL PRIMARY KEY, b REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)",
	};
	static const char *const q[] = { "INSERT INTO t (a, b) VALUES (:a, :b)", "SELECT count(*) FROM t" };
	static const struct store_schema s = { "testd", m, 1, q, 2 };
	sqlite3_stmt *p;

	ck_ok(store_open(tmpdir_file("db"), &s, key, &st));
	ck_ok(store_begin(st));
	p = store_stmt(st, PUT);
	sqlite3_bind_int(p, 1, 1);
	sqlite3_bind_int(p, 2, 99);
	ck_assert_int_eq(sqlite3_step(p), SQLITE_DONE);
	ck_ok(store_end(st, true));
	ck_rc(store_commit(st), RC_IO);
	ck_assert_int_eq(count(), 0);		/* rolled back, nothing of the turn was kept */
	ck_ok(store_commit(st));
}
END_TEST

/* The same of what was written outside of begin and end, and ended by the turn's first request or by its commit. */
START_TEST(what_is_lost_outside_of_a_request_fails_the_turn)
{
	static const char *const m[] = {
		"CREATE TABLE t (a INTEGER NOT NULL PRIMARY KEY, b REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)",
	};
	static const char *const q[] = { "INSERT INTO t (a, b) VALUES (:a, :b)", "SELECT count(*) FROM t" };
	static const struct store_schema s = { "testd", m, 1, q, 2 };
	struct store_stats stats;
	sqlite3_stmt *p;

	ck_ok(store_open(tmpdir_file("db"), &s, key, &st));
	p = store_stmt(st, PUT);
	sqlite3_bind_int(p, 1, 1);
	sqlite3_bind_int(p, 2, 99);
	ck_assert_int_eq(sqlite3_step(p), SQLITE_DONE);		/* whoever did this believes in it … */
	if (_i == 1)
		ck_rc(store_begin(st), RC_IO);
	if (_i == 2)
		ck_rc(store_checkpoint(st), RC_IO);
	ck_rc(store_commit(st), RC_IO);				/* … until the turn says otherwise */
	store_get_stats(st, &stats);
	ck_assert_uint_eq(stats.failed, 1);
	ck_assert_int_eq(count(), 0);
	ck_ok(store_begin(st));
	ck_ok(store_end(st, true));
	ck_ok(store_commit(st));
}
END_TEST

START_TEST(statements_are_reset)
{
	sqlite3_stmt *s;

	open_it();
	put_kept(1);
	put_kept(2);
	ck_ok(store_commit(st));
	s = store_stmt(st, ALL);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	ck_assert_ptr_eq(store_stmt(st, ALL), s);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	ck_assert_int_eq(sqlite3_column_int(s, 0), 1);		/* from the start again */
	s = store_stmt(st, PUT);
	sqlite3_bind_int(s, 1, 9);
	s = store_stmt(st, PUT);
	ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);		/* :a is NULL again: SQLite numbers the row itself */
	s = store_stmt(st, ALL);
	while (sqlite3_step(s) == SQLITE_ROW)
		ck_assert_int_ne(sqlite3_column_int(s, 0), 9);
	sqlite3_reset(s);
}
END_TEST

/* What another connection writes is not seen within a turn, and is no hindrance to the turn's first write. */
START_TEST(a_turns_reads_share_one_transaction)
{
	sqlite3 *db;

	open_it();
	ck_assert_int_eq(count(), 0);
	ck_assert(sqlite3_open(tmpdir_file("db"), &db) == SQLITE_OK);
	ck_assert(sqlite3_exec(db, "INSERT INTO t (a) VALUES (7)", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	ck_assert_int_eq(count(), 0);
	if (_i == 0) {
		ck_ok(store_commit(st));	/* a turn of reads alone */
		ck_assert_int_eq(count(), 1);
	}
	put_kept(8);
	ck_assert_int_eq(count(), 2);
	ck_ok(store_commit(st));
	ck_assert_int_eq(ask_file("db", COUNT_SQL), 2);
}
END_TEST

START_TEST(checkpoint_truncates_now_or_after_the_commit)
{
	struct stat sb;
	sqlite3_stmt *s;

	open_it();
	put_kept(1);
	ck_ok(store_commit(st));
	ck_assert_int_eq(stat(tmpdir_file("db-wal"), &sb), 0);
	ck_assert_int_gt(sb.st_size, 0);
	s = store_stmt(st, ALL);			/* a reader left in mid-row is no hindrance */
	ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
	ck_ok(store_checkpoint(st));
	ck_assert_int_eq(stat(tmpdir_file("db-wal"), &sb), 0);
	ck_assert_int_eq(sb.st_size, 0);
	put_kept(2);
	ck_ok(store_checkpoint(st));
	ck_assert_int_eq(ask_file("db", "SELECT count(*) FROM t"), 1);
	ck_ok(store_commit(st));
	ck_assert_int_eq(stat(tmpdir_file("db-wal"), &sb), 0);
	ck_assert_int_eq(sb.st_size, 0);
	ck_assert_int_eq(ask_file("db", "SELECT count(*) FROM t"), 2);
}
END_TEST

START_TEST(t1_deleted_octets_are_gone_from_file_and_wal)
{
	static const char secret_row[] = "these octets shall not be found";
	static const char *const q[] = { "INSERT INTO t (a, b) VALUES (1, :b)", "DELETE FROM t" };
	static const struct store_schema s = { "testd", migrations, 2, q, 2 };
	static char file[1 << 20];
	sqlite3_stmt *p;
	FILE *f;
	size_t n;

	ck_ok(store_open(tmpdir_file("db"), &s, key, &st));
	ck_ok(store_begin(st));
	p = store_stmt(st, 0);
	sqlite3_bind_blob(p, 1, secret_row, sizeof secret_row, SQLITE_STATIC);
	ck_assert_int_eq(sqlite3_step(p), SQLITE_DONE);
	ck_ok(store_end(st, true));
	ck_ok(store_commit(st));
	ck_ok(store_checkpoint(st));
	ck_ok(store_begin(st));
	ck_assert_int_eq(sqlite3_step(store_stmt(st, 1)), SQLITE_DONE);
	ck_ok(store_end(st, true));
	ck_ok(store_commit(st));
	ck_ok(store_checkpoint(st));
	for (int i = 0; i < 2; i++) {
		f = fopen(tmpdir_file(i == 0 ? "db" : "db-wal"), "r");
		ck_assert_ptr_nonnull(f);
		n = fread(file, 1, sizeof file, f);
		fclose(f);
		ck_assert_ptr_null(memmem(file, n, secret_row, 10));
	}
}
END_TEST

START_TEST(meta)
{
	char text[8];
	int64_t v = 5;

	open_it();
	ck_rc(store_meta_get_int(st, "x", &v), RC_NOTFOUND);
	ck_assert_int_eq(v, 5);
	ck_ok(store_meta_put_int(st, "x", INT64_MIN));
	ck_ok(store_meta_get_int(st, "x", &v));
	ck_assert_int_eq(v, INT64_MIN);
	ck_ok(store_meta_put_int(st, "x", 3));
	ck_ok(store_meta_put_text(st, "y", "seven.."));
	ck_ok(store_meta_get_text(st, "y", text, sizeof text));
	ck_assert_str_eq(text, "seven..");
	ck_rc(store_meta_get_text(st, "y", text, sizeof text - 1), RC_RANGE);
	ck_assert_str_eq(text, "seven..");
	ck_rc(store_meta_get_int(st, "y", &v), RC_IO);		/* not what was asked for */
	ck_rc(store_meta_get_text(st, "x", text, sizeof text), RC_IO);
	ck_ok(store_commit(st));
	store_close(st);
	open_it();
	ck_ok(store_meta_get_int(st, "x", &v));
	ck_assert_int_eq(v, 3);
	/* With a request that is taken back. */
	ck_ok(store_begin(st));
	ck_ok(store_meta_put_int(st, "x", 4));
	ck_ok(store_end(st, false));
	ck_ok(store_commit(st));
	ck_ok(store_meta_get_int(st, "x", &v));
	ck_assert_int_eq(v, 3);
}
END_TEST

START_TEST(sealed_in_one_store_opens_in_no_other)
{
	uint8_t sealed[SEALED_LEN(32)];
	struct secret *out = NULL;
	struct store *b = NULL;
	size_t n;

	open_it();
	ck_ok(store_open(tmpdir_file("other"), &schema, key, &b));
	ck_ok(store_seal(st, "t", "b", span_str("1"), key, sealed, sizeof sealed, &n));
	ck_rc(store_unseal(b, "t", "b", span_str("1"), span_of(sealed, n), &out), RC_DENIED);
	ck_assert_ptr_null(out);
	store_close(b);
	store_close(st);
	open_it();				/* and again after a restart */
	ck_ok(store_unseal(st, "t", "b", span_str("1"), span_of(sealed, n), &out));
	ck_assert(secret_eq(out, key));
	secret_free(out);
}
END_TEST

START_TEST(in_memory)
{
	ck_ok(store_open(":memory:", &schema, key, &st));
	put_kept(1);
	ck_ok(store_commit(st));
	ck_assert_int_eq(count(), 1);
	ck_ok(store_checkpoint(st));
	ck_assert_int_eq(access(":memory:", F_OK), -1);
}
END_TEST

START_TEST(end_without_begin)
{
	open_it();
	(void)!store_end(st, true);
}
END_TEST

START_TEST(commit_inside_a_request)
{
	open_it();
	ck_ok(store_begin(st));
	(void)!store_commit(st);
}
END_TEST

START_TEST(no_such_statement)
{
	open_it();
	store_stmt(st, 4);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, new_file);
	tcase_add_test(t, pragmas_hold);
	tcase_add_test(t, migrates_step_by_step);
	tcase_add_test(t, failed_migration_changes_nothing);
	tcase_add_test(t, killed_in_a_migration);
	tcase_add_test(t, another_key_or_daemon);
	tcase_add_test(t, another_daemons_older_file_is_not_migrated);
	tcase_add_test(t, what_is_no_store);
	tcase_add_test(t, open_to_others_is_closed);
	tcase_add_test(t, one_daemon_a_file);
	tcase_add_test(t, a_turn_is_one_commit);
	tcase_add_test(t, a_request_is_taken_back_alone);
	tcase_add_test(t, a_plain_request_is_taken_back_with_its_turn);
	tcase_add_test(t, an_error_of_one_statement_is_that_requests);
	tcase_add_test(t, close_keeps_nothing_open);
	tcase_add_test(t, killed_before_the_commit_and_after);
	tcase_add_test(t, full_disk_fails_the_turn_as_a_whole);
	tcase_add_test(t, rolled_back_by_itself);
	tcase_add_test(t, deferred_constraint_fails_the_commit);
	tcase_add_loop_test(t, what_is_lost_outside_of_a_request_fails_the_turn, 0, 3);
	tcase_add_test(t, statements_are_reset);
	tcase_add_loop_test(t, a_turns_reads_share_one_transaction, 0, 2);
	tcase_add_test(t, checkpoint_truncates_now_or_after_the_commit);
	tcase_add_test(t, t1_deleted_octets_are_gone_from_file_and_wal);
	tcase_add_test(t, meta);
	tcase_add_test(t, sealed_in_one_store_opens_in_no_other);
	tcase_add_test(t, in_memory);
	tcase_add_test_raise_signal(t, end_without_begin, SIGABRT);
	tcase_add_test_raise_signal(t, commit_inside_a_request, SIGABRT);
	tcase_add_test_raise_signal(t, no_such_statement, SIGABRT);
	suite_add_tcase(s, t);
	return unit_run(s);
}
