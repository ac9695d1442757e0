/* sql: parameters by letter, rows one by one, a uniqueness violated, columns with limits, keys of rows. */
#include "common/sql.h"

#include <check.h>

#include "common/log.h"
#include "common/secret.h"
#include "common/store.h"
#include "test/unit/unit.h"

enum sql { PUT, GET, ALL, WIPE, DATE };
static const char *const sql[] = {
	[PUT] = "INSERT INTO t (name, n, octets) VALUES (?1, ?2, ?3)",
	[GET] = "SELECT name, n, octets FROM t WHERE name = ?1",
	[ALL] = "SELECT name FROM t ORDER BY n",
	[WIPE] = "DELETE FROM t WHERE n >= ?1",
	[DATE] = "INSERT INTO t (name, n) VALUES (?1, abs(?2))",	/* abs() of the least integer fails */
};
static const char *const migrations[] = { "CREATE TABLE t (name TEXT UNIQUE, n INTEGER NOT NULL, octets BLOB) STRICT" };
static const struct store_schema schema = { "testd", migrations, 1, sql, 5 };
static struct secret *key;
static struct store *st;
static unsigned errors;

static void
on_line(enum log_level level, const char *line, void *arg)
{
	(void)line;
	(void)arg;
	errors += level == LOG_LEVEL_ERROR;
}

static void
setup(void)
{
	errors = 0;
	log_capture(on_line, NULL);
	ck_ok(secret_new(32, &key));
	ck_ok(store_open(":memory:", &schema, key, &st));
	ck_ok(store_begin(st));
}

static void
teardown(void)
{
	store_close(st);
	secret_free(key);
	log_capture(NULL, NULL);
}

START_TEST(what_is_bound_is_read)
{
	const uint8_t octets[] = { 0, 1, 0xff };
	sqlite3_stmt *q = NULL;
	struct span got;
	int changes = 0;
	char name[8];

	ck_ok(sql_run(st, PUT, &changes, "tib", "one", (int64_t)-5, span_of(octets, 3)));
	ck_assert_int_eq(changes, 1);
	ck_ok(sql_bind(st, GET, &q, "t", "one"));
	ck_ok(sql_step(q));
	ck_assert(sql_col_str(q, 0, name, sizeof name));
	ck_assert_str_eq(name, "one");
	ck_assert_int_eq(sqlite3_column_int64(q, 1), -5);
	got = sql_col(q, 2);
	ck_assert_uint_eq(got.n, 3);
	ck_assert(memcmp(got.p, octets, 3) == 0);
	ck_rc(sql_step(q), RC_NOTFOUND);
	ck_assert_uint_eq(errors, 0);
}
END_TEST

START_TEST(nothing_is_null)
{
	sqlite3_stmt *q = NULL;

	ck_ok(sql_run(st, PUT, NULL, "tib", (const char *)NULL, (int64_t)1, span_of(NULL, 0)));
	ck_ok(sql_bind(st, ALL, &q, ""));
	ck_ok(sql_step(q));
	ck_assert_int_eq(sqlite3_column_type(q, 0), SQLITE_NULL);
	ck_assert_uint_eq(sql_col(q, 0).n, 0);
	sql_done(q);
	sql_done(NULL);
}
END_TEST

START_TEST(a_row_twice_exists)
{
	int changes = 77;

	ck_ok(sql_run(st, PUT, NULL, "tib", "one", (int64_t)1, span_of(NULL, 0)));
	ck_rc(sql_run(st, PUT, &changes, "tib", "one", (int64_t)2, span_of(NULL, 0)), RC_EXISTS);
	ck_assert_int_eq(changes, 77);
	ck_assert_uint_eq(errors, 0);
	/* and the statement works again */
	ck_ok(sql_run(st, PUT, NULL, "tib", "two", (int64_t)2, span_of(NULL, 0)));
}
END_TEST

START_TEST(changes_are_counted)
{
	int changes = -1;

	for (int64_t i = 0; i < 5; i++) {
		char name[] = { (char)('a' + i), '\0' };

		ck_ok(sql_run(st, PUT, NULL, "tib", name, i, span_of(NULL, 0)));
	}
	ck_ok(sql_run(st, WIPE, &changes, "i", (int64_t)2));
	ck_assert_int_eq(changes, 3);
	ck_ok(sql_run(st, WIPE, &changes, "i", (int64_t)2));
	ck_assert_int_eq(changes, 0);
}
END_TEST

START_TEST(a_failure_is_logged_once)
{
	ck_rc(sql_run(st, DATE, NULL, "ti", "x", INT64_MIN), RC_IO);
	ck_assert_uint_eq(errors, 1);
	ck_ok(sql_run(st, DATE, NULL, "ti", "x", (int64_t)1));
}
END_TEST

START_TEST(a_column_that_does_not_fit)
{
	sqlite3_stmt *q = NULL;
	char three[3], four[4];

	ck_ok(sql_run(st, PUT, NULL, "tib", "one", (int64_t)1, span_of((const uint8_t *)"a\0b", 3)));
	ck_ok(sql_bind(st, GET, &q, "t", "one"));
	ck_ok(sql_step(q));
	ck_assert(!sql_col_str(q, 0, three, sizeof three));
	ck_assert(sql_col_str(q, 0, four, sizeof four));
	ck_assert(!sql_col_str(q, 2, four, sizeof four));	/* a NUL inside */
	sql_done(q);
}
END_TEST

START_TEST(names_of_rows_are_unambiguous)
{
	const char *const ab[] = { "a", "b" }, *const one[] = { "ab" }, *const split[] = { "ab", "" };
	uint8_t x[8], y[8], z[8];
	size_t nx, ny, nz;

	ck_ok(sql_pk(ab, 2, x, sizeof x, &nx));
	ck_ok(sql_pk(one, 1, y, sizeof y, &ny));
	ck_ok(sql_pk(split, 2, z, sizeof z, &nz));
	ck_assert_uint_eq(nx, 4);
	ck_assert(memcmp(x, "a\0b", 4) == 0);
	ck_assert_uint_eq(ny, 3);
	ck_assert_uint_eq(nz, 4);
	ck_assert(nx != ny && memcmp(x, z, 4) != 0);
}
END_TEST

START_TEST(a_name_has_its_limit)
{
	const char *const ab[] = { "a", "b" };
	uint8_t x[4];
	size_t n = 99;

	ck_ok(sql_pk(ab, 2, x, 4, &n));
	n = 99;
	ck_rc(sql_pk(ab, 2, x, 3, &n), RC_RANGE);
	ck_assert_uint_eq(n, 99);
	ck_ok(sql_pk(ab, 0, x, 0, &n));
	ck_assert_uint_eq(n, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sql");
	TCase *t = tcase_create("sql");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_is_bound_is_read);
	tcase_add_test(t, nothing_is_null);
	tcase_add_test(t, a_row_twice_exists);
	tcase_add_test(t, changes_are_counted);
	tcase_add_test(t, a_failure_is_logged_once);
	tcase_add_test(t, a_column_that_does_not_fit);
	tcase_add_test(t, names_of_rows_are_unambiguous);
	tcase_add_test(t, a_name_has_its_limit);
	suite_add_tcase(s, t);
	return unit_run(s);
}
