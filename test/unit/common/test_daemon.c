/* daemon: a small daemon as a process of its own: command line, configuration, ready line, control socket, signals, end. */
#include "common/daemon.h"

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/turn.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

/* --- the daemon: it greets */

struct testd_conf {
	const char *greeting;
	int64_t wait_s;
};

struct testd {
	const struct daemon *d;
	const struct testd_conf *conf;
	struct clock_timer *timer;
	struct rpc_req *slow;
	struct ctl *slow_ctl;
	void (*done)(void *arg);
	void *arg;
	bool mute;		/* its stop hook never ends */
};

static cfg_opt_t inner[] = { CFG_STR("wait", "1s", CFGF_NONE), CFG_END() };
static cfg_opt_t options[] = {
	DAEMON_OPTIONS, CFG_STR("greeting", "hello", CFGF_NONE), CFG_BOOL("fail", cfg_false, CFGF_NONE), CFG_SEC("inner", inner, CFGF_NONE),
	CFG_END()
};
static bool fail_start;

static void
testd_read(struct conf *c, void *conf)
{
	struct testd_conf *t = conf;

	t->greeting = conf_text(c, NULL, "greeting", CONF_ANY);
	t->wait_s = conf_duration(c, conf_section(c, NULL, "inner", 0), "wait", 0, 60);
	fail_start = conf_bool(c, NULL, "fail");
}

/* What is in flight when the daemon is told to stop is still answered. */
static void
testd_slow_over(void *arg)
{
	struct testd *t = arg;

	if (t->slow != NULL)
		ctl_ok(t->slow_ctl, t->slow, json_pack("{s:s}", "said", t->conf->greeting));
	t->slow = NULL;
	if (t->done != NULL)
		t->done(t->arg);
}

static enum rc
testd_start(const struct daemon *d, const void *conf, void **core)
{
	struct testd *t = calloc(1, sizeof *t);

	if (fail_start) {
		free(t);
		log_error("testd: told to fail");
		return RC_IO;
	}
	t->d = d;
	t->conf = conf;
	ck_ok(clock_timer_new(d->clock, testd_slow_over, t, &t->timer));
	metric_add(metrics_counter(d->metrics, "greetings_total", NULL, "how often"), 3);
	*core = t;
	return RC_OK;
}

static void
testd_bound(void *core, json_t *o)
{
	(void)core;
	json_object_set_new(o, "ub", json_string("http://127.0.0.1:1/"));
	json_object_set_new(o, "local", json_pack("[s,s]", "tcp:127.0.0.1:2", "unix:/x"));
}

static void
testd_health(void *core, json_t *problems)
{
	const struct testd *t = core;

	if (strcmp(t->conf->greeting, "sick") == 0)
		json_array_append_new(problems, json_string("greeting: sick"));
}

static void
testd_status(void *core, json_t *o)
{
	const struct testd *t = core;

	json_object_set_new(o, "greeting", json_string(t->conf->greeting));
}

static void
testd_reload(void *core, const void *conf)
{
	struct testd *t = core;

	t->conf = conf;
}

static void
testd_stop(void *core, void (*done)(void *arg), void *arg)
{
	struct testd *t = core;

	if (t->mute)
		return;
	t->done = done;
	t->arg = arg;
	if (t->slow == NULL)
		clock_timer_set(t->timer, 0);
}

static void
testd_free(void *core)
{
	struct testd *t = core;

	if (t->slow != NULL)
		ctl_fail(t->slow_ctl, t->slow, REASON_STOPPING, NULL);
	clock_timer_free(t->timer);
	free(t);
}

static void
op_slow(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct testd *t = core;

	(void)body;
	t->slow = q;
	t->slow_ctl = c;
	ctl_progress(c, q, "greeting", 1);
	clock_timer_set(t->timer, 300);
}

static void
op_mute(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct testd *t = core;

	(void)body;
	t->mute = true;
	ctl_fail_later(c, q, REASON_OVERLOAD, 7, "mute from here");
}

static int
testd_main(const char *const *argv)
{
	static const char *const migrations[] = { "CREATE TABLE t (a)" };
	static const struct store_schema schema = { "testd", migrations, 1, NULL, 0 };
	static const struct ctl_op ops[] = { { "slow", op_slow, "answers late" }, { "mute", op_mute, "" }, { NULL, NULL, NULL } };
	static const struct daemon_hooks hooks = {
		.name = "testd", .about = "greets", .options = options, .schema = &schema, .ops = ops, .conf_size = sizeof(struct testd_conf),
		.read_conf = testd_read, .start = testd_start, .bound = testd_bound, .health = testd_health, .status = testd_status,
		.reload = testd_reload, .stop = testd_stop, .free = testd_free
	};
	char *args[16];
	int n = 0;

	for (; argv[n] != NULL; n++)
		args[n] = strdup(argv[n]);
	args[n] = NULL;
	n = daemon_main(n, args, &hooks);
	for (int i = 0; args[i] != NULL; i++)
		free(args[i]);
	return n;
}

/* --- running it */

static pid_t pid;
static char out[4096], err[16384], conf_path[128];

static void
setup(void)
{
	tmpdir_make();
	snprintf(conf_path, sizeof conf_path, "%s/conf", tmpdir);
	pid = 0;
}

static void
teardown(void)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	tmpdir_remove();
}

static void
write_conf(const char *more)
{
	static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
	char text[2048];

	mkdir(tmpdir_file("keys"), 0700);
	mkdir(tmpdir_file("state"), 0700);
	tmpdir_write("keys/store", key, sizeof key - 1, 0600);
	snprintf(text, sizeof text, "# a comment\nstore = \"%s/state/db\"\nstore_key = \"%s/keys/store\"\ncontrol = \"unix:%s/ctl\"\n%s", tmpdir,
	    tmpdir, tmpdir, more);
	tmpdir_write("conf", text, strlen(text), 0644);
}

static void
read_file(const char *name, char *buf, size_t cap)
{
	FILE *f = fopen(tmpdir_file(name), "r");
	size_t n = f != NULL ? fread(buf, 1, cap - 1, f) : 0;

	buf[n] = '\0';
	if (f != NULL)
		fclose(f);
}

static void
spawn(const char *const *argv)
{
	tmpdir_write("out", "", 0, 0600);
	tmpdir_write("err", "", 0, 0600);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(open(tmpdir_file("out"), O_WRONLY), STDOUT_FILENO);
		dup2(open(tmpdir_file("err"), O_WRONLY), STDERR_FILENO);
		exit(testd_main(argv));
	}
}

static int
wait_exit(void)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	pid = 0;
	read_file("out", out, sizeof out);
	read_file("err", err, sizeof err);
	ck_assert_msg(WIFEXITED(status), "%d: %s", status, err);
	return WEXITSTATUS(status);
}

static int
run(const char *const *argv)
{
	spawn(argv);
	return wait_exit();
}

static void
start_daemon(const char *more)
{
	const char *argv[] = { "testd", "-c", conf_path, NULL };

	write_conf(more);
	spawn(argv);
	for (int i = 0; i < 1000 && waitpid(pid, NULL, WNOHANG) == 0; i++) {
		read_file("out", out, sizeof out);
		if (strchr(out, '\n') != NULL)
			return;
		usleep(10000);
	}
	read_file("err", err, sizeof err);
	ck_abort_msg("not ready: %s", err);
}

/* It is told to stop, and has heard it: two signals that wait are one. */
static void
begin_to_stop(void)
{
	kill(pid, SIGTERM);
	for (int i = 0; i < 1000; i++) {
		read_file("err", err, sizeof err);
		if (strstr(err, "daemon: stopping") != NULL)
			return;
		usleep(10000);
	}
	ck_abort_msg("it does not stop: %s", err);
}

/* --- talking to it */

static FILE *
dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/ctl", tmpdir);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fdopen(fd, "r+");
}

static json_t *
read_line(FILE *f)
{
	char line[65536];
	json_t *o;

	fflush(f);
	if (fgets(line, sizeof line, f) == NULL)
		return NULL;
	ck_assert_ptr_nonnull(o = json_loads(line, JSON_REJECT_DUPLICATES, NULL));
	return o;
}

static json_t *
ask(const char *request)
{
	FILE *f = dial();
	json_t *o;

	fprintf(f, "%s\n", request);
	o = read_line(f);
	fclose(f);
	return o;
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* --- tests */

static const struct {
	const char *argv[6];
	int code;
	const char *say;
} lines[] = {
	{ { "testd", "--help" }, 0, "greets" },
	{ { "testd", "-h" }, 0, "--debug" },
	{ { "testd", "-V" }, 0, "testd " KSLOCAL_VERSION "\n" },
	{ { "testd" }, 2, "usage" },
	{ { "testd", "-c" }, 2, "usage" },
	{ { "testd", "-x" }, 2, "usage" },
	{ { "testd", "-c", "/x", "more" }, 2, "usage" },
	{ { "testd", "-c", "/no/such/file" }, 1, "/no/such/file: No such file" },
	{ { "testd", "-n", "-c", "/no/such/file" }, 1, "/no/such/file: No such file" },
};

START_TEST(command_line)
{
	ck_assert_int_eq(run(lines[_i].argv), lines[_i].code);
	ck_assert_msg(strstr(lines[_i].code == 0 ? out : err, lines[_i].say) != NULL, "out: %s err: %s", out, err);
}
END_TEST

static const struct {
	const char *more, *say;
} confs[] = {
	{ "greeting = \"a\"\ngreeting = \"b\"\n", ":6: greeting: given twice; line 5 has it too" },
	{ "\n\ngreting = \"a\"\n", ":7: greting: unknown here" },
	{ "inner { wait = 5 }\n", ":5: wait: '5'; expected a duration" },
	{ "log_level = loud\n", ":5: log_level: 'loud'; expected one of: error warn info debug" },
	{ "test { clock = wrong }\n", ":5: clock: 'wrong'; expected one of: real controlled" },
	{ "user = \"nobody-of-that-name\"\n", ":5: user: there is no user" },
	{ "metrics = \"here\"\n", ":5: metrics: 'here'; expected HOST:PORT" },
	{ "clock_step_max = \"0s\"\n", ":5: clock_step_max: " },
};

START_TEST(wrong_configuration_ends_with_1_and_the_line)
{
	const char *argv[] = { "testd", "-c", conf_path, NULL };

	write_conf(confs[_i].more);
	ck_assert_int_eq(run(argv), 1);
	ck_assert_msg(strstr(err, confs[_i].say) != NULL, "%s", err);
	ck_assert_ptr_nonnull(strstr(err, conf_path));
	ck_assert_int_ne(access(tmpdir_file("state/db"), F_OK), 0);
}
END_TEST

START_TEST(all_mistakes_at_once)
{
	const char *argv[] = { "testd", "-n", "-c", conf_path, NULL };

	write_conf("inner { wait = 5 }\nlog_level = loud\n");
	ck_assert_int_eq(run(argv), 1);
	ck_assert_ptr_nonnull(strstr(err, ":5: wait"));
	ck_assert_ptr_nonnull(strstr(err, ":6: log_level"));
}
END_TEST

START_TEST(store_key_is_named_and_not_shown)
{
	const char *argv[] = { "testd", "-c", conf_path, NULL };

	write_conf("");
	ck_assert_int_eq(chmod(tmpdir_file("keys/store"), 0640), 0);
	ck_assert_int_eq(run(argv), 1);
	ck_assert_ptr_nonnull(strstr(err, ":3: store_key: "));
	ck_assert_ptr_nonnull(strstr(err, "open to its group"));
	tmpdir_write("keys/store", "00010203xx\n", 11, 0600);
	ck_assert_int_eq(run(argv), 1);
	ck_assert_ptr_nonnull(strstr(err, "64 hex digits"));
	ck_assert_ptr_null(strstr(err, "00010203"));
}
END_TEST

START_TEST(check_only_opens_nothing)
{
	const char *argv[] = { "testd", "-n", "-c", conf_path, NULL };

	write_conf("");
	ck_assert_int_eq(run(argv), 0);
	ck_assert_int_ne(access(tmpdir_file("state/db"), F_OK), 0);
	ck_assert_int_ne(access(tmpdir_file("ctl"), F_OK), 0);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(check_outside_the_unit_leaves_its_credentials_out)
{
	const char *check[] = { "testd", "-n", "-c", conf_path, NULL }, *start[] = { "testd", "-c", conf_path, NULL };
	char text[1024];

	ck_assert_ptr_null(getenv("CREDENTIALS_DIRECTORY"));
	snprintf(text, sizeof text, "store = \"%s/state/db\"\nstore_key = \"credential:store_key\"\ncontrol = \"unix:%s/ctl\"\n", tmpdir, tmpdir);
	tmpdir_write("conf", text, strlen(text), 0644);
	ck_assert_int_eq(run(check), 0);
	ck_assert_ptr_nonnull(strstr(err, ":2: store_key: credential:store_key: not checked"));
	ck_assert_int_eq(run(start), 1);
	ck_assert_ptr_nonnull(strstr(err, "systemd gave no credentials"));
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", tmpdir, 1), 0);
	ck_assert_int_eq(run(check), 1);
	ck_assert_ptr_nonnull(strstr(err, "store_key: No such file"));
	ck_assert_int_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}
END_TEST

START_TEST(key_beside_the_store_is_said_loudly)
{
	static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
	const char *argv[] = { "testd", "-n", "-c", conf_path, NULL };
	char text[1024];

	write_conf("");
	ck_assert_int_eq(run(argv), 0);
	ck_assert_ptr_null(strstr(err, "BESIDE"));
	tmpdir_write("state/key", key, sizeof key - 1, 0600);
	tmpdir_write("state/db", "", 0, 0600);
	snprintf(text, sizeof text, "store = \"%s/state/db\"\nstore_key = \"%s/state/key\"\ncontrol = \"unix:%s/ctl\"\n", tmpdir, tmpdir, tmpdir);
	tmpdir_write("conf", text, strlen(text), 0644);
	ck_assert_int_eq(run(argv), 0);
	ck_assert_ptr_nonnull(strstr(err, "LIES BESIDE THE STORE"));
}
END_TEST

START_TEST(start_that_fails_ends_with_3)
{
	const char *argv[] = { "testd", "-c", conf_path, NULL };

	write_conf("fail = yes\n");
	ck_assert_int_eq(run(argv), 3);
	ck_assert_ptr_nonnull(strstr(err, "could not start"));
	write_conf("trace_file = \"/no/such/place\"\n");
	ck_assert_int_eq(run(argv), 3);
	write_conf("metrics = \"192.0.2.1:1\"\n");
	ck_assert_int_eq(run(argv), 3);
}
END_TEST

START_TEST(ready_line_and_good_end)
{
	char want[512];

	start_daemon("");
	snprintf(want, sizeof want, "ready testd ub=http://127.0.0.1:1/ local=tcp:127.0.0.1:2 local=unix:/x control=unix:%s/ctl\n", tmpdir);
	ck_assert_str_eq(out, want);
	kill(pid, SIGTERM);
	ck_assert_int_eq(wait_exit(), 0);
	ck_assert_ptr_nonnull(strstr(err, "daemon: ended"));
	ck_assert_int_ne(access(tmpdir_file("ctl"), F_OK), 0);	/* the socket is gone */
	start_daemon("");				/* and again, on the same store */
	kill(pid, SIGINT);
	ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(files_are_its_users_alone)
{
	struct stat sb;

	start_daemon("trace_file = \"\"\n");
	ck_assert_int_eq(stat(tmpdir_file("state/db"), &sb), 0);
	ck_assert_uint_eq(sb.st_mode & 0777, 0600);
	ck_assert_int_eq(stat(tmpdir_file("ctl"), &sb), 0);
	ck_assert_uint_eq(sb.st_mode & 0777, 0660);
}
END_TEST

START_TEST(control_operations)
{
	json_t *o;

	start_daemon("test { clock = controlled }\n");
	o = ask("{\"id\":1,\"op\":\"ping\"}");
	ck_assert_str_eq(text_of(o, "daemon"), "testd");
	json_decref(o);
	o = ask("{\"id\":1,\"op\":\"wait-ready\"}");
	ck_assert(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
	o = ask("{\"id\":1,\"op\":\"health\"}");
	ck_assert(json_is_true(json_object_get(o, "healthy")));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(json_object_get(o, "notes"), 0)), "CONTROLLED"));	/* T3 */
	json_decref(o);
	o = ask("{\"id\":1,\"op\":\"status\"}");
	ck_assert_str_eq(text_of(o, "greeting"), "hello");
	ck_assert_str_eq(text_of(o, "clock"), "controlled");
	ck_assert_str_eq(text_of(o, "ub"), "http://127.0.0.1:1/");
	ck_assert_uint_eq(json_array_size(json_object_get(o, "local")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "pid")), pid);
	ck_assert_ptr_nonnull(json_object_get(json_object_get(o, "store"), "commits"));
	json_decref(o);
	o = ask("{\"id\":1,\"op\":\"nothing-such\"}");
	ck_assert_str_eq(text_of(json_object_get(o, "error"), "code"), "unsupported");
	json_decref(o);
}
END_TEST

START_TEST(progress_then_answer_then_error)
{
	json_t *o;
	FILE *f;

	start_daemon("");
	f = dial();
	fprintf(f, "{\"id\":5,\"op\":\"slow\"}\n");
	o = read_line(f);
	ck_assert_str_eq(text_of(o, "progress"), "greeting");
	ck_assert_int_eq(json_integer_value(json_object_get(o, "wait_s")), 1);
	json_decref(o);
	o = read_line(f);
	ck_assert_str_eq(text_of(o, "said"), "hello");
	json_decref(o);
	fprintf(f, "{\"id\":6,\"op\":\"mute\"}\n");
	o = read_line(f);
	ck_assert_str_eq(text_of(json_object_get(o, "error"), "reason"), "overload");
	ck_assert_str_eq(text_of(json_object_get(o, "error"), "text"), "mute from here");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(o, "error"), "retry_after_s")), 7);
	json_decref(o);
	fclose(f);
	/* Mute: a first signal waits for what is in flight, a second does not. */
	begin_to_stop();
	usleep(100000);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGTERM);
	ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(what_is_in_flight_is_answered_before_the_end)
{
	json_t *o;
	FILE *f;

	start_daemon("");
	f = dial();
	fprintf(f, "{\"id\":5,\"op\":\"slow\"}\n");
	json_decref(read_line(f));
	kill(pid, SIGTERM);
	o = read_line(f);
	ck_assert_str_eq(text_of(o, "said"), "hello");
	json_decref(o);
	ck_assert_ptr_null(read_line(f));
	fclose(f);
	ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(what_is_never_answered_ends_with_the_core)
{
	FILE *f;

	start_daemon("test { clock = controlled }\n");
	f = dial();
	fprintf(f, "{\"id\":1,\"op\":\"mute\"}\n");
	json_decref(read_line(f));
	fprintf(f, "{\"id\":2,\"op\":\"slow\"}\n");
	json_decref(read_line(f));		/* its progress; the answer would take 300 ms */
	begin_to_stop();
	kill(pid, SIGTERM);
	ck_assert_int_eq(wait_exit(), 0);
	fclose(f);
}
END_TEST

START_TEST(stop_by_the_control_socket)
{
	json_t *o;

	start_daemon("");
	o = ask("{\"id\":1,\"op\":\"stop\"}");
	ck_assert(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
	ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(t3_clock_advance_and_t2_accept)
{
	json_t *o;
	FILE *f;

	start_daemon("test { clock = controlled }\n");
	f = dial();
	fprintf(f, "{\"id\":1,\"op\":\"slow\"}\n");	/* its timer: 300 ms */
	json_decref(read_line(f));
	fprintf(f, "{\"id\":2,\"op\":\"clock-advance\",\"seconds\":3600}\n");
	o = read_line(f);				/* the timer due has run before the answer */
	ck_assert_str_eq(text_of(o, "said"), "hello");
	json_decref(o);
	o = read_line(f);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "id")), 2);
	ck_assert_int_ge(json_integer_value(json_object_get(o, "ran")), 2);	/* with the guard's */
	json_decref(o);
	fclose(f);
	o = ask("{\"id\":1,\"op\":\"clock-step\",\"seconds\":200000}");
	ck_assert(json_is_true(json_object_get(o, "jumped")));
	json_decref(o);
	o = ask("{\"id\":1,\"op\":\"health\"}");
	ck_assert(json_is_false(json_object_get(o, "healthy")));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(json_object_get(o, "problems"), 0)), "clock-jumped"));
	json_decref(o);
	o = ask("{\"id\":1,\"op\":\"clock-accept\"}");
	ck_assert(json_is_true(json_object_get(o, "accepted")));
	json_decref(o);
	o = ask("{\"id\":1,\"op\":\"clock\"}");
	ck_assert(json_is_false(json_object_get(o, "jumped")));
	ck_assert_str_eq(text_of(o, "now"), text_of(o, "wall"));
	json_decref(o);
}
END_TEST

START_TEST(a_real_clock_is_not_moved)
{
	json_t *o;

	start_daemon("");
	o = ask("{\"id\":1,\"op\":\"clock-advance\",\"seconds\":1}");
	ck_assert_str_eq(text_of(json_object_get(o, "error"), "reason"), "ctl-real-clock");
	json_decref(o);
}
END_TEST

START_TEST(hup_reads_the_file_again)
{
	json_t *o;

	start_daemon("greeting = \"one\"\n");
	write_conf("greeting = \"two\"\n");
	kill(pid, SIGHUP);
	o = NULL;
	for (int i = 0; i < 500 && (o == NULL || strcmp(text_of(o, "greeting"), "two") != 0); i++) {
		json_decref(o);
		usleep(10000);
		o = ask("{\"id\":1,\"op\":\"status\"}");
	}
	ck_assert_str_eq(text_of(o, "greeting"), "two");
	json_decref(o);
	/* A wrong file changes nothing. */
	write_conf("greeting = \"three\"\nno_such_key = 1\n");
	kill(pid, SIGHUP);
	for (int i = 0; i < 500 && strstr(err, "is refused") == NULL; i++) {
		usleep(10000);
		read_file("err", err, sizeof err);
	}
	ck_assert_ptr_nonnull(strstr(err, ":6: no_such_key"));
	o = ask("{\"id\":1,\"op\":\"status\"}");
	ck_assert_str_eq(text_of(o, "greeting"), "two");
	json_decref(o);
	kill(pid, SIGTERM);
	ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

START_TEST(metrics_and_health_over_http)
{
	char cmd[256], port[32], *at;
	int n;
	FILE *f;

	start_daemon("metrics = \"127.0.0.1:0\"\n");
	ck_assert_ptr_nonnull(at = strstr(out, " metrics="));
	ck_assert_int_eq(sscanf(at, " metrics=%31s", port), 1);
	snprintf(cmd, sizeof cmd, "curl -s http://%s/metrics; curl -s -w '%%{http_code}' http://%s/healthz", port, port);
	ck_assert_ptr_nonnull(f = popen(cmd, "r"));
	n = (int)fread(err, 1, sizeof err - 1, f);
	err[n] = '\0';
	pclose(f);
	ck_assert_ptr_nonnull(strstr(err, "\nkslocal_greetings_total 3\n"));
	ck_assert_ptr_nonnull(strstr(err, "kslocal_healthy{daemon=\"testd\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(err, "kslocal_store_last_commit_microseconds "));
	ck_assert_ptr_nonnull(strstr(err, "ok\n200"));
	kill(pid, SIGTERM);
	ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

/* systemd's side of sd_notify: a datagram socket. */
START_TEST(systemd_is_told)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char msg[512], all[4096] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct pollfd p = { fd, POLLIN, 0 };
	ssize_t n;

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/notify", tmpdir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	setenv("NOTIFY_SOCKET", sa.sun_path, 1);
	setenv("WATCHDOG_USEC", "200000", 1);
	start_daemon("");
	for (int patience = 10000; poll(&p, 1, patience) == 1 && (n = recv(fd, msg, sizeof msg - 1, 0)) > 0;) {
		msg[n] = '\0';
		ck_assert_uint_lt(strlen(all) + strlen(msg) + 1, sizeof all);
		strcat(strcat(all, msg), "|");
		if (patience > 0 && strstr(msg, "WATCHDOG=1") != NULL) {
			kill(pid, SIGTERM);
			ck_assert_int_eq(wait_exit(), 0);
			patience = 0;
		}
	}
	unsetenv("NOTIFY_SOCKET");
	close(fd);
	ck_assert_ptr_nonnull(strstr(all, "READY=1"));
	ck_assert_ptr_nonnull(strstr(all, "|WATCHDOG=1|"));
	ck_assert_ptr_nonnull(strstr(all, "STOPPING=1"));
	ck_assert(strstr(all, "STOPPING=1") > strstr(all, "READY=1"));
}
END_TEST

START_TEST(drops_to_its_user)
{
	char path[64], text[2048] = "";
	struct stat sb;
	FILE *f;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(tmpdir, 0777), 0);
	start_daemon("user = \"nobody\"\n");
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof text - 1, f), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "\nUid:\t65534\t65534\t65534\t65534\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nNoNewPrivs:\t1\n"));
	ck_assert_int_eq(stat(tmpdir_file("state/db"), &sb), 0);
	ck_assert_uint_eq(sb.st_uid, 65534);
	kill(pid, SIGTERM);
	ck_assert_int_eq(wait_exit(), 0);
}
END_TEST

/* The daemon runs as nobody; others ask. Only root can play them all. */
static const struct {
	uid_t uid;
	gid_t gid, more;	/* more: a supplementary group, 0 = none */
	bool admitted;
} askers[] = {
	{ 0, 0, 0, true },
	{ 65534, 4242, 0, true },		/* its own user */
	{ 4242, 65534, 0, true },		/* its group */
	{ 4242, 4242, 65534, true },		/* a member of it */
	{ 4242, 4242, 0, false },
	{ 4242, 4242, 4343, false },
};

START_TEST(who_may_control)
{
	int status;
	pid_t asker;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(tmpdir, 0777), 0);
	start_daemon("user = \"nobody\"\n");
	ck_assert_int_eq(chmod(tmpdir_file("ctl"), 0666), 0);	/* as if the file's mode kept nobody out */
	if ((asker = fork()) == 0) {
		gid_t more = askers[_i].more;
		json_t *o;

		if (setgroups(more != 0 ? 1 : 0, &more) != 0 || setgid(askers[_i].gid) != 0 || setuid(askers[_i].uid) != 0)
			_exit(9);
		o = ask("{\"id\":1,\"op\":\"ping\"}");
		_exit(json_is_true(json_object_get(o, "ok")) ? 0 :
		    strcmp(text_of(json_object_get(o, "error"), "reason"), "ctl-denied") == 0 ? 1 : 2);
	}
	ck_assert_int_eq(waitpid(asker, &status, 0), asker);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), askers[_i].admitted ? 0 : 1);
	kill(pid, SIGTERM);
	ck_assert_int_eq(wait_exit(), 0);
	ck_assert_int_eq(strstr(err, "reason=ctl-denied") != NULL, !askers[_i].admitted);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("daemon");
	TCase *c = tcase_create("daemon");

	tcase_set_timeout(c, 20);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, command_line, 0, TABLE_N(lines));
	tcase_add_loop_test(c, wrong_configuration_ends_with_1_and_the_line, 0, TABLE_N(confs));
	tcase_add_test(c, all_mistakes_at_once);
	tcase_add_test(c, store_key_is_named_and_not_shown);
	tcase_add_test(c, check_only_opens_nothing);
	tcase_add_test(c, check_outside_the_unit_leaves_its_credentials_out);
	tcase_add_test(c, key_beside_the_store_is_said_loudly);
	tcase_add_test(c, start_that_fails_ends_with_3);
	tcase_add_test(c, ready_line_and_good_end);
	tcase_add_test(c, files_are_its_users_alone);
	tcase_add_test(c, control_operations);
	tcase_add_test(c, progress_then_answer_then_error);
	tcase_add_test(c, what_is_in_flight_is_answered_before_the_end);
	tcase_add_test(c, what_is_never_answered_ends_with_the_core);
	tcase_add_test(c, stop_by_the_control_socket);
	tcase_add_test(c, t3_clock_advance_and_t2_accept);
	tcase_add_test(c, a_real_clock_is_not_moved);
	tcase_add_test(c, hup_reads_the_file_again);
	tcase_add_test(c, metrics_and_health_over_http);
	tcase_add_test(c, systemd_is_told);
	tcase_add_test(c, drops_to_its_user);
	tcase_add_loop_test(c, who_may_control, 0, TABLE_N(askers));
	suite_add_tcase(s, c);
	return unit_run(s);
}
