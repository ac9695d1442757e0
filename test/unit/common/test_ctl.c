/* ctl: who may speak, the operations that all daemons have, answers that leave with the turn. */
#include "common/ctl.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"
#include "test/unit/unit.h"

#define T0 INT64_C(1893499200)

static const char *const migrations[] = { "CREATE TABLE t (a INTEGER PRIMARY KEY, b REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)" };
static const char *const sql[] = { "INSERT INTO t (b) VALUES (:b)" };
static const struct store_schema schema = { "testd", migrations, 1, sql, 1 };
static struct clock *clk;
static struct store *st;
static struct turn *turn;
static struct timeguard *g;
static struct trace *tr;
static struct link_net *net;
static struct ctl *c;
static int stopped, core_marker;

/* --- a core of three operations */

static void
op_echo(void *core, struct ctl *ctl, struct rpc_req *q, json_t *body)
{
	ck_assert_ptr_eq(core, &core_marker);
	ctl_progress(ctl, q, "echoing", 2);
	ctl_ok(ctl, q, json_pack("{s:O}", "x", json_object_get(body, "x")));
}

static void
op_refuse(void *core, struct ctl *ctl, struct rpc_req *q, json_t *body)
{
	(void)core;
	if (json_object_get(body, "plain") != NULL)
		ctl_fail(ctl, q, REASON_LOCAL_NO_UICC, NULL);
	else
		ctl_fail_later(ctl, q, REASON_OVERLOAD, 9, "%d of %d", 1, 2);
}

static void
op_write(void *core, struct ctl *ctl, struct rpc_req *q, json_t *body)
{
	sqlite3_stmt *s;

	(void)core;
	ck_ok(store_begin(st));
	s = store_stmt(st, 0);
	if (json_object_get(body, "b") != NULL)
		sqlite3_bind_int64(s, 1, json_integer_value(json_object_get(body, "b")));
	ck_assert_int_eq(sqlite3_step(s), SQLITE_DONE);
	sqlite3_reset(s);
	ck_ok(store_end(st, true));
	ctl_ok(ctl, q, json_pack("{s:s}", "done", "yes"));
}

static void
on_health(void *core, json_t *problems)
{
	ck_assert_ptr_eq(core, &core_marker);
	json_array_append_new(problems, json_string("of the core"));
}

static void
on_status(void *arg, json_t *o)
{
	ck_assert_ptr_eq(arg, &stopped);
	json_object_set_new(o, "extra", json_integer(5));
}

static void
on_stop(void *arg)
{
	ck_assert_ptr_eq(arg, &stopped);
	stopped++;
}

static const struct ctl_op ops[] = {
	{ "echo", op_echo, "says it again" }, { "refuse", op_refuse, NULL }, { "write", op_write, "" }, { NULL, NULL, NULL }
};

/* --- its peer */

static struct rpc *peer;
static json_t *answer, *error_of;
static enum reason why;
static int answers, progressed, closed;

static void
on_answer(void *arg, json_t *body, enum reason w, const json_t *error)
{
	(void)arg;
	json_decref(answer);
	json_decref(error_of);
	answer = json_incref(body);
	error_of = json_deep_copy(error);
	why = w;
	answers++;
}

static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	(void)arg;
	ck_assert_str_eq(word, "echoing");
	ck_assert_int_eq(wait_s, 2);
	progressed++;
}

static void
on_peer_closed(struct rpc *r, enum reason w, const char *detail, void *arg)
{
	(void)r;
	(void)w;
	(void)detail;
	(void)arg;
	closed++;
}

static void
run(void)
{
	for (int i = 0; i < 5; i++) {
		clock_advance(clk, 0);
		link_mem_run(net);
		turn_end(turn);
	}
}

static void
on_up(struct link *l, void *arg)
{
	(void)l;
	(void)arg;
}

static struct rpc *
dial(void)
{
	static const struct link_cb cb = { .on_up = on_up };
	static const struct rpc_cb rcb = { .on_closed = on_peer_closed };
	const struct rpc_options opt = { .line_max = 1 << 20, .answer_timeout_ms = 280000 };
	struct link *l;
	struct rpc *r;

	ck_ok(link_connect(net, "unix:/ctl", NULL, &cb, NULL, &l));
	run();
	ck_ok(rpc_new(l, clk, &opt, &rcb, NULL, &r));
	return r;
}

static void
ask(const char *op, json_t *body)
{
	ck_ok(rpc_ask(peer, op, body, on_answer, on_progress, NULL));
	json_decref(body);
	run();
}

static void
ok(const char *op, json_t *body)
{
	int was = answers;

	ask(op, body);
	ck_assert_int_eq(answers, was + 1);
	ck_assert_msg(answer != NULL, "%s: %s", op, reason_get(why)->code);
}

static void
refused(const char *op, json_t *body, enum reason want)
{
	int was = answers;

	ask(op, body);
	ck_assert_int_eq(answers, was + 1);
	ck_assert_ptr_null(answer);
	ck_assert_str_eq(reason_get(why)->code, reason_get(want)->code);
}

static const char *
text(const char *key)
{
	const char *s = json_string_value(json_object_get(answer, key));

	return s != NULL ? s : "";
}

static void
make(struct clock *with)
{
	const struct ctl_hooks hooks = { ops, &core_marker, on_health, on_status, &stopped, on_stop, &stopped };
	struct ctl_env env;
	struct secret *key;

	clk = with;
	stopped = answers = progressed = closed = 0;
	log_set_level(LOG_LEVEL_ERROR);
	ck_ok(secret_new(32, &key));
	ck_ok(store_open(":memory:", &schema, key, &st));
	secret_free(key);
	ck_ok(turn_new(st, &turn));
	ck_ok(timeguard_new(clk, st, 86400, &g));
	ck_ok(trace_new("testd", NULL, 0, clk, turn, &tr));
	ck_ok(link_mem_new(clk, &net));
	env = (struct ctl_env){ net, clk, g, turn, tr, "testd" };
	ck_ok(ctl_new(&env, "unix:/ctl", &hooks, &c));
	peer = dial();
}

static void
setup(void)
{
	struct clock *v;

	ck_ok(clock_new_virtual(T0 * 1000, &v));
	make(v);
}

static void
teardown(void)
{
	rpc_free(peer);
	json_decref(answer);
	json_decref(error_of);
	turn_end(turn);
	ctl_free(c);
	link_mem_free(net);
	trace_free(tr);
	timeguard_free(g);
	turn_free(turn);
	store_close(st);
	clock_free(clk);
}

START_TEST(ping_ops_status)
{
	json_t *list, *o;
	bool seen = false;
	size_t i;

	ok("ping", NULL);
	ck_assert_str_eq(text("daemon"), "testd");
	ok("ops", NULL);
	list = json_object_get(answer, "ops");
	ck_assert_uint_eq(json_array_size(list), 13 + 3);
	json_array_foreach(list, i, o)
		seen = seen || strcmp(json_string_value(json_object_get(o, "op")), "echo") == 0;
	ck_assert(seen);
	clock_advance(clk, 5000);
	ok("status", NULL);
	ck_assert_str_eq(text("daemon"), "testd");
	ck_assert_str_eq(text("now"), "2030-01-01T12:00:05Z");
	ck_assert_str_eq(text("clock"), "virtual");
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "uptime_s")), 5);
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "extra")), 5);
	ck_assert(json_is_false(json_object_get(answer, "ready")));
	ck_assert_str_eq(ctl_address(c), "unix:/ctl");
	ck_assert_str_eq(ctl_address(NULL), "");
}
END_TEST

START_TEST(own_operations)
{
	ok("echo", json_pack("{s:i}", "x", 7));
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "x")), 7);
	ck_assert_int_eq(progressed, 1);
	refused("refuse", NULL, REASON_OVERLOAD);
	ck_assert_str_eq(json_string_value(json_object_get(error_of, "text")), "1 of 2");
	ck_assert_int_eq(json_integer_value(json_object_get(error_of, "retry_after_s")), 9);
	refused("refuse", json_pack("{s:b}", "plain", 1), REASON_LOCAL_NO_UICC);
	ck_assert_str_eq(json_string_value(json_object_get(error_of, "text")), reason_get(REASON_LOCAL_NO_UICC)->what);
	ck_assert_ptr_null(json_object_get(error_of, "retry_after_s"));
	refused("no-such", NULL, REASON_LOCAL_UNSUPPORTED);
}
END_TEST

START_TEST(durable_before_answered)
{
	int was = answers;

	ck_ok(rpc_ask(peer, "write", NULL, on_answer, on_progress, NULL));
	clock_advance(clk, 0);
	link_mem_run(net);
	ck_assert_int_eq(answers, was);		/* asked and done, but not committed */
	turn_end(turn);
	link_mem_run(net);
	clock_advance(clk, 0);
	link_mem_run(net);
	ck_assert_int_eq(answers, was + 1);
	ck_assert_str_eq(text("done"), "yes");
	refused("write", json_pack("{s:i}", "b", 99), REASON_NOT_DURABLE);
	ok("health", NULL);
	ck_assert(json_is_false(json_object_get(answer, "healthy")));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(json_object_get(answer, "problems"), 0)), "not-durable"));
	ok("write", NULL);			/* works again */
}
END_TEST

START_TEST(health_and_ready)
{
	ok("health", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "problems")), 2);	/* not ready, and the core's */
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "notes")), 0);
	ck_ok(rpc_ask(peer, "wait-ready", NULL, on_answer, NULL, NULL));
	run();
	ck_assert_int_eq(answers, 1);
	ctl_ready(c);
	run();
	ck_assert_int_eq(answers, 2);
	ck_assert_ptr_nonnull(answer);
	ok("wait-ready", NULL);
	ok("health", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "problems")), 1);
}
END_TEST

START_TEST(log_level)
{
	ok("log-level", NULL);
	ck_assert_str_eq(text("level"), "error");
	ok("log-level", json_pack("{s:s}", "level", "debug"));
	ck_assert_int_eq(log_get_level(), LOG_LEVEL_DEBUG);
	refused("log-level", json_pack("{s:s}", "level", "loud"), REASON_CTL_USAGE);
	refused("log-level", json_pack("{s:i}", "level", 3), REASON_CTL_USAGE);
	ck_assert_int_eq(log_get_level(), LOG_LEVEL_DEBUG);
	log_set_level(LOG_LEVEL_ERROR);
}
END_TEST

/* --- trace */

static void
emit(const char *run_id, const char *btid, int n)
{
	const struct trace_event e = { .run = run_id, .step = 1, .from = "a", .to = "b", .btid = btid };

	for (int i = 0; i < n; i++)
		trace_emit(tr, &e);
}

static size_t
events(void)
{
	return json_array_size(json_object_get(answer, "events"));
}

static int64_t
last(void)
{
	return json_integer_value(json_object_get(answer, "last"));
}

START_TEST(trace_pages_and_filters)
{
	emit("r1", "b1@x", 600);
	emit("r2", "b2@x", 10);
	turn_end(turn);
	ok("trace", NULL);
	ck_assert_uint_eq(events(), CTL_TRACE_MAX);
	ck_assert(json_is_true(json_object_get(answer, "more")));
	ck_assert_int_eq(last(), 500);
	ok("trace", json_pack("{s:i}", "since", 500));
	ck_assert_uint_eq(events(), 110);
	ck_assert(json_is_false(json_object_get(answer, "more")));
	ok("trace", json_pack("{s:s}", "run", "r2"));
	ck_assert_uint_eq(events(), 10);
	ok("trace", json_pack("{s:s}", "btid", "b2@x"));
	ck_assert_uint_eq(events(), 10);
	ok("trace", json_pack("{s:s}", "run", "r3"));
	ck_assert_uint_eq(events(), 0);
	refused("trace", json_pack("{s:i}", "since", -1), REASON_CTL_USAGE);
	refused("trace", json_pack("{s:s}", "since", "x"), REASON_CTL_USAGE);
}
END_TEST

START_TEST(trace_follow_waits)
{
	emit("r1", "b1@x", 2);
	turn_end(turn);
	ok("trace-follow", json_pack("{s:i}", "since", 0));	/* there already */
	ck_assert_uint_eq(events(), 2);
	ask("trace-follow", json_pack("{s:i}", "since", 2));
	ck_assert_int_eq(answers, 1);
	emit("r1", "b1@x", 3);
	run();
	ck_assert_int_eq(answers, 2);
	ck_assert_uint_eq(events(), 3);		/* all of one turn in one answer */
	ck_assert_int_eq(last(), 5);
	ask("trace-follow", json_pack("{s:i}", "since", 5));
	clock_advance(clk, 7999);
	run();
	ck_assert_int_eq(answers, 2);
	clock_advance(clk, 1);
	run();
	ck_assert_int_eq(answers, 3);		/* none, and it may ask again */
	ck_assert_uint_eq(events(), 0);
	ck_assert_int_eq(last(), 5);
	refused("trace-follow", json_pack("{s:s}", "since", "x"), REASON_CTL_USAGE);
}
END_TEST

START_TEST(a_follower_that_goes_away)
{
	ask("trace-follow", json_pack("{s:i}", "since", 0));
	rpc_free(peer);
	peer = NULL;
	run();
	emit("r1", "b1@x", 1);
	run();
	clock_advance(clk, 10000);
	run();
	peer = dial();
	ok("trace", NULL);
	ck_assert_uint_eq(events(), 1);
}
END_TEST

/* --- clock: T2, T3 */

START_TEST(t2_step_jump_accept)
{
	ok("clock", NULL);
	ck_assert_str_eq(text("now"), "2030-01-01T12:00:00Z");
	ok("clock-step", json_pack("{s:i}", "seconds", 200000));
	ck_assert(json_is_true(json_object_get(answer, "jumped")));
	ck_assert_str_eq(text("now"), "2030-01-01T12:00:00Z");
	ok("health", NULL);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(json_object_get(answer, "problems"), 0)), "clock-jumped"));
	ok("clock-accept", NULL);
	ck_assert(json_is_true(json_object_get(answer, "accepted")));
	ok("clock-accept", NULL);
	ck_assert(json_is_false(json_object_get(answer, "accepted")));
	ok("clock-step", json_pack("{s:i}", "seconds", -100));
	ck_assert(json_is_false(json_object_get(answer, "jumped")));
}
END_TEST

static int fired;

static void
on_timer(void *arg)
{
	(void)arg;
	fired++;
	/* What a timer writes is committed before the answer that tells that it has run. */
	ck_ok(store_begin(st));
	ck_assert_int_eq(sqlite3_step(store_stmt(st, 0)), SQLITE_DONE);
	ck_ok(store_end(st, true));
}

START_TEST(t3_advance_answers_after_due_timers)
{
	struct store_stats was, now;
	struct clock_timer *a, *b;

	ck_ok(clock_timer_new(clk, on_timer, NULL, &a));
	ck_ok(clock_timer_new(clk, on_timer, NULL, &b));
	clock_timer_set(a, 240 * 1000);
	clock_timer_set(b, 241 * 1000);
	store_get_stats(st, &was);
	ok("clock-advance", json_pack("{s:i}", "seconds", 240));
	store_get_stats(st, &now);
	ck_assert_int_eq(fired, 1);
	ck_assert_uint_ge(now.commits, was.commits + 1);
	ck_assert_int_ge(json_integer_value(json_object_get(answer, "ran")), 1);
	ck_assert_str_eq(text("now"), "2030-01-01T12:04:00Z");
	clock_timer_free(a);
	clock_timer_free(b);
}
END_TEST

static const char *const bad_seconds[] = { "null", "\"5\"", "-1", "1.5", "315360001", "true" };

START_TEST(bad_advance)
{
	json_t *o = json_object();

	json_object_set_new(o, "seconds", json_loads(bad_seconds[_i], JSON_DECODE_ANY, NULL));
	refused("clock-advance", o, REASON_CTL_USAGE);
	refused("clock-advance", NULL, REASON_CTL_USAGE);
	refused("clock-step", json_pack("{s:s}", "seconds", "x"), REASON_CTL_USAGE);
}
END_TEST

/* --- the end */

START_TEST(stop_is_answered_first)
{
	ok("stop", NULL);
	ck_assert_int_eq(stopped, 1);
}
END_TEST

static void
on_all_stopped(void *arg)
{
	++*(int *)arg;
}

START_TEST(ctl_stop_lets_answers_leave)
{
	int done = 0;

	/* Answered in this very turn, stopped behind it. */
	ck_ok(rpc_ask(peer, "wait-ready", NULL, on_answer, NULL, NULL));
	run();
	ctl_ready(c);
	ctl_stop(c, on_all_stopped, &done);
	run();
	ck_assert_int_eq(answers, 1);
	ck_assert_ptr_nonnull(answer);
	ck_assert_int_eq(closed, 1);
	ck_assert_int_eq(done, 1);
}
END_TEST

START_TEST(ctl_stop_tells_those_who_wait)
{
	int done = 0;

	ask("wait-ready", NULL);
	ask("trace-follow", json_pack("{s:i}", "since", 0));
	ctl_stop(c, on_all_stopped, &done);
	run();
	ck_assert_int_eq(answers, 2);
	ck_assert_int_eq(why, REASON_STOPPING);
	ck_assert_int_eq(done, 1);
}
END_TEST

START_TEST(ctl_stop_without_clients)
{
	int done = 0;

	rpc_free(peer);
	peer = NULL;
	run();
	ctl_stop(c, on_all_stopped, &done);
	run();
	ck_assert_int_eq(done, 1);
}
END_TEST

START_TEST(addresses)
{
	const struct ctl_env env = { net, clk, NULL, turn, NULL, "testd" };
	const struct ctl_hooks none = { 0 };
	struct ctl *d = NULL;

	ck_rc(ctl_new(&env, "tcp:127.0.0.1:0", &none, &d), RC_SYNTAX);	/* nobody knows who is at the other end */
	ck_rc(ctl_new(&env, "unix:/ctl", &none, &d), RC_IO);		/* taken */
	ck_assert_ptr_null(d);
	ctl_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ctl");
	TCase *t = tcase_create("ctl");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, ping_ops_status);
	tcase_add_test(t, own_operations);
	tcase_add_test(t, durable_before_answered);
	tcase_add_test(t, health_and_ready);
	tcase_add_test(t, log_level);
	tcase_add_test(t, trace_pages_and_filters);
	tcase_add_test(t, trace_follow_waits);
	tcase_add_test(t, a_follower_that_goes_away);
	tcase_add_test(t, t2_step_jump_accept);
	tcase_add_test(t, t3_advance_answers_after_due_timers);
	tcase_add_loop_test(t, bad_advance, 0, TABLE_N(bad_seconds));
	tcase_add_test(t, stop_is_answered_first);
	tcase_add_test(t, ctl_stop_lets_answers_leave);
	tcase_add_test(t, ctl_stop_tells_those_who_wait);
	tcase_add_test(t, ctl_stop_without_clients);
	tcase_add_test(t, addresses);
	suite_add_tcase(s, t);
	return unit_run(s);
}
