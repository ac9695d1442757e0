/* trace (S1): events as JSON, in a ring, in a file, to a subscriber, and only what is durable. */
#include "common/trace.h"

#include <check.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/store.h"
#include "common/turn.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

static struct clock *clk;
static struct turn *turn;
static struct trace *tr;
static int heard;

static void
setup(void)
{
	tmpdir_make();
	heard = 0;
	log_set_level(LOG_LEVEL_ERROR);
	ck_ok(clock_new_virtual(INT64_C(1893499200123), &clk));
	ck_ok(turn_new(NULL, &turn));
	ck_ok(trace_new("bsfd", tmpdir_file("trace"), 4, clk, turn, &tr));
}

static void
teardown(void)
{
	trace_free(tr);
	turn_free(turn);
	clock_free(clk);
	tmpdir_remove();
}

static void
emit(int step)
{
	const struct trace_event e = {
		.scenario = 1, .step = step, .from = "mtd", .to = "bsfd", .msg = "GET", .btid = "x@bsf.example", .result = "ok"
	};

	trace_emit(tr, &e);
}

static json_t *
only(uint64_t since, size_t n)
{
	json_t *a = trace_since(tr, since);

	ck_assert_uint_eq(json_array_size(a), n);
	return a;
}

START_TEST(an_event_has_what_is_known)
{
	const struct trace_event e = {
		.run = "0123456789abcdef", .scenario = 2, .step = 7, .from = "mtd", .to = "uicc", .msg = "AUTHENTICATE", .btid = "b@x.y",
		.naf_id = "naf.x/0100000002", .device_id = "dev", .session_id = "s;1", .kcv = "aabbccddeeff", .result = "ok", .dur_us = 1500
	};
	const struct trace_event bare = { .step = 14, .from = "bsfd", .to = "bsfd", .msg = "", .btid = NULL };
	json_t *a, *want;

	trace_emit(tr, &e);
	trace_emit(tr, &bare);
	turn_end(turn);
	a = only(0, 2);
	want = json_pack("{s:i,s:s,s:s,s:s,s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "seq", 1, "time", "2030-01-01T12:00:00.123Z",
	    "daemon", "bsfd", "run", e.run, "scenario", 2, "step", 7, "from", e.from, "to", e.to, "msg", e.msg, "btid", e.btid, "naf_id",
	    e.naf_id, "device_id", e.device_id, "session_id", e.session_id, "kcv", e.kcv, "result", e.result, "dur_us", 1500);
	ck_assert(json_equal(json_array_get(a, 0), want));
	json_decref(want);
	want = json_pack("{s:i,s:s,s:s,s:i,s:i,s:s,s:s}", "seq", 2, "time", "2030-01-01T12:00:00.123Z", "daemon", "bsfd", "scenario", 0,
	    "step", 14, "from", "bsfd", "to", "bsfd");
	ck_assert(json_equal(json_array_get(a, 1), want));
	json_decref(want);
	json_decref(a);
}
END_TEST

START_TEST(released_with_the_turn)
{
	emit(1);
	json_decref(only(0, 0));
	clock_advance(clk, 1000);	/* the time is the step's, not the commit's */
	turn_end(turn);
	json_t *a = only(0, 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(a, 0), "time")), "2030-01-01T12:00:00.123Z");
	json_decref(a);
}
END_TEST

START_TEST(dropped_when_the_commit_fails)
{
	static const char *const m[] = { "CREATE TABLE t (a INTEGER PRIMARY KEY, b REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)" };
	static const char *const q[] = { "INSERT INTO t (b) VALUES (9)" };
	static const struct store_schema schema = { "bsfd", m, 1, q, 1 };
	struct secret *key;
	struct store *st;
	struct turn *t2;
	struct trace *tr2;
	json_t *a;
	const struct trace_event e = { .step = 1, .from = "a", .to = "b" };

	ck_ok(secret_new(32, &key));
	ck_ok(store_open(":memory:", &schema, key, &st));
	ck_ok(turn_new(st, &t2));
	ck_ok(trace_new("bsfd", NULL, 0, clk, t2, &tr2));
	log_capture(NULL, NULL);
	ck_ok(store_begin(st));
	ck_assert_int_eq(sqlite3_step(store_stmt(st, 0)), SQLITE_DONE);
	ck_ok(store_end(st, true));
	trace_emit(tr2, &e);
	turn_end(t2);
	a = trace_since(tr2, 0);
	ck_assert_uint_eq(json_array_size(a), 0);
	json_decref(a);
	trace_emit(tr2, &e);
	turn_end(t2);
	a = trace_since(tr2, 0);
	ck_assert_uint_eq(json_array_size(a), 1);
	json_decref(a);
	trace_free(tr2);
	turn_free(t2);
	store_close(st);
	secret_free(key);
}
END_TEST

START_TEST(ring)
{
	json_t *a;

	for (int i = 1; i <= 10; i++)
		emit(i);
	turn_end(turn);
	a = only(0, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(a, i), "seq")), (json_int_t)i + 7);
	json_decref(a);
	json_decref(only(6, 4));
	json_decref(only(7, 3));
	json_decref(only(9, 1));
	json_decref(only(10, 0));
	json_decref(only(11, 0));
	json_decref(only(UINT64_MAX, 0));
}
END_TEST

static void
on_event(void *arg)
{
	json_t *a;

	ck_assert_ptr_eq(arg, &heard);
	a = trace_since(tr, (uint64_t)heard);
	ck_assert_uint_eq(json_array_size(a), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(a, 0), "seq")), ++heard);
	json_decref(a);
}

START_TEST(subscriber)
{
	emit(1);
	turn_end(turn);
	trace_subscribe(tr, on_event, &heard);
	heard = 1;
	emit(2);
	ck_assert_int_eq(heard, 1);
	turn_end(turn);
	ck_assert_int_eq(heard, 2);
	trace_subscribe(tr, NULL, NULL);
	emit(3);
	turn_end(turn);
	ck_assert_int_eq(heard, 2);
}
END_TEST

START_TEST(file_has_a_line_each_and_is_appended_to)
{
	struct stat sb;
	char line[1024];
	int n = 0;
	FILE *f;
	json_t *o;

	emit(1);
	turn_end(turn);
	trace_free(tr);
	ck_ok(trace_new("bsfd", tmpdir_file("trace"), 4, clk, turn, &tr));
	emit(2);
	emit(3);
	turn_end(turn);
	f = fopen(tmpdir_file("trace"), "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL) {
		o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		ck_assert_int_eq(json_integer_value(json_object_get(o, "step")), ++n);
		json_decref(o);
	}
	fclose(f);
	ck_assert_int_eq(n, 3);
	ck_assert_int_eq(stat(tmpdir_file("trace"), &sb), 0);
	ck_assert_uint_eq(sb.st_mode & 07777, 0600);
}
END_TEST

/* Lines are printed without making JSON first, where their texts allow it: they must say the same. */
START_TEST(lines_of_the_file_are_what_the_ring_tells)
{
	const struct trace_event e[] = {
		{ .run = "r", .scenario = 2, .step = 1, .from = "a", .to = "b", .msg = "BIR", .btid = "x=@y.z", .naf_id = "n/01", .device_id = "urn:1",
		    .session_id = "s;1", .kcv = "0011", .result = "ok", .dur_us = 7 },
		{ .step = 2 },
		{ .step = 3, .msg = "a \"quote\" and \\" },
		{ .step = 4, .msg = "\xc3\xa4", .result = "\xff" },
		{ .step = 5, .msg = "a\nb\x7f" },
	};
	char line[1024];
	FILE *f;
	json_t *a, *o;

	trace_free(tr);
	ck_ok(trace_new("bsfd", tmpdir_file("same"), 0, clk, turn, &tr));
	for (size_t i = 0; i < 5; i++)
		trace_emit(tr, &e[i]);
	turn_end(turn);
	a = only(0, 5);
	f = fopen(tmpdir_file("same"), "r");
	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < 5; i++) {
		char *text = json_dumps(json_array_get(a, i), JSON_COMPACT);

		ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
		ck_assert_uint_eq(strcspn(line, "\n"), strlen(text));
		ck_assert_mem_eq(line, text, strlen(text));
		o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		ck_assert(json_equal(o, json_array_get(a, i)));
		json_decref(o);
		free(text);
	}
	ck_assert_ptr_null(fgets(line, sizeof line, f));
	fclose(f);
	json_decref(a);
}
END_TEST

START_TEST(text_that_is_no_utf8_is_left_out)
{
	const struct trace_event e = { .step = 1, .from = "a", .to = "b", .device_id = "\xff\xfe", .result = "ok" };
	json_t *a;

	trace_emit(tr, &e);
	turn_end(turn);
	a = only(0, 1);
	ck_assert_ptr_null(json_object_get(json_array_get(a, 0), "device_id"));
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(a, 0), "result")), "ok");
	json_decref(a);
}
END_TEST

START_TEST(file_that_cannot_be)
{
	struct trace *t = NULL;

	log_capture(NULL, NULL);
	ck_rc(trace_new("bsfd", tmpdir_file("no/such"), 0, clk, turn, &t), RC_IO);
	ck_assert_ptr_null(t);
	trace_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("trace");
	TCase *c = tcase_create("trace");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, an_event_has_what_is_known);
	tcase_add_test(c, released_with_the_turn);
	tcase_add_test(c, dropped_when_the_commit_fails);
	tcase_add_test(c, ring);
	tcase_add_test(c, subscriber);
	tcase_add_test(c, file_has_a_line_each_and_is_appended_to);
	tcase_add_test(c, lines_of_the_file_are_what_the_ring_tells);
	tcase_add_test(c, text_that_is_no_utf8_is_left_out);
	tcase_add_test(c, file_that_cannot_be);
	suite_add_tcase(s, c);
	return unit_run(s);
}
