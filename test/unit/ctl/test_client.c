/* client: ksctl's side of a control socket against a real one: answers, progress, silence, absence, a socket that comes late. */
#include <check.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "common/log.h"
#include "ctl/ksctl.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

static struct ksctl_client *c;
static struct ksctl_answer a;
static char address[100];
static pid_t pid;

static void
setup(void)
{
	tmpdir_make();
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(address, sizeof address, "unix:%s/s", tmpdir);
	ck_ok(ksctl_client_new(&c));
	pid = 0;
}

static void
teardown(void)
{
	ksctl_answer_free(&a);
	ksctl_client_free(c);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	tmpdir_remove();
}

/* A daemon that says the same lines to whoever asks, and then waits (hold) or hangs up. */
static void
serve(const char *lines, int after_ms, bool hold)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char buf[4096];
	int fd, peer;

	if ((pid = fork()) != 0)
		return;
	usleep((useconds_t)after_ms * 1000);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", address + 5);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(fd, 4) != 0)
		_exit(1);
	while ((peer = accept(fd, NULL, NULL)) >= 0) {
		if (read(peer, buf, sizeof buf) > 0 && write(peer, lines, strlen(lines)) >= 0 && hold)
			pause();
		close(peer);
	}
	_exit(0);
}

static void
until_there(void)
{
	for (int i = 0; i < 500 && access(address + 5, F_OK) != 0; i++)
		usleep(5000);
	usleep(20000);			/* bound, and listening too */
}

static int64_t
ask(json_t *body, int64_t timeout_ms, bool until_up)
{
	const struct ksctl_ask q = { address, "status", body, timeout_ms, until_up, true };
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	ksctl_client_ask(c, &q, &a);
	clock_gettime(CLOCK_MONOTONIC, &to);
	json_decref(body);
	return (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
}

START_TEST(answer_without_its_envelope)
{
	json_t *want = json_pack("{s:i,s:s}", "n", 5, "reason", "x");

	serve("{\"id\":9,\"op\":\"please\"}\n{\"id\":1,\"ok\":true,\"n\":5,\"reason\":\"x\"}\n", 0, true);
	until_there();
	ask(json_pack("{s:b}", "force", 1), 3000, false);
	ck_assert(json_equal(a.body, want));
	ck_assert_int_eq(a.why, REASON_NONE);
	json_decref(want);
}
END_TEST

START_TEST(error_as_it_was_said)
{
	serve("{\"id\":1,\"progress\":\"bootstrapping\",\"wait_s\":2}\n"
	    "{\"id\":1,\"error\":{\"code\":\"no-uicc\",\"text\":\"t\",\"reason\":\"local-no-uicc\",\"retry_after_s\":4}}\n", 0, true);
	until_there();
	ask(NULL, 3000, false);
	ck_assert_ptr_null(a.body);
	ck_assert_int_eq(a.why, REASON_LOCAL_NO_UICC);
	ck_assert_int_eq(json_integer_value(json_object_get(a.error, "retry_after_s")), 4);
}
END_TEST

START_TEST(nobody_there)
{
	ck_assert_int_lt(ask(NULL, 5000, false), 1000);
	ck_assert_ptr_null(a.body);
	ck_assert_int_eq(a.why, REASON_LINK_UNREACHABLE);
	ck_assert_str_ne(a.detail, "");
}
END_TEST

START_TEST(comes_late)
{
	serve("{\"id\":1,\"ok\":true}\n", 400, true);
	ck_assert_int_ge(ask(NULL, 5000, true), 300);
	ck_assert_ptr_nonnull(a.body);
}
END_TEST

START_TEST(never_comes)
{
	int64_t ms = ask(NULL, 400, true);

	ck_assert_int_ge(ms, 250);
	ck_assert_int_lt(ms, 3000);
	ck_assert_int_eq(a.why, REASON_LINK_UNREACHABLE);
}
END_TEST

START_TEST(mute)
{
	serve("", 0, true);
	until_there();
	ck_assert_int_ge(ask(NULL, 300, false), 250);
	ck_assert_int_eq(a.why, REASON_LOCAL_TIMEOUT);
}
END_TEST

START_TEST(hangs_up)
{
	serve("", 0, false);
	until_there();
	ck_assert_int_lt(ask(NULL, 5000, false), 2000);
	ck_assert_ptr_null(a.body);
	ck_assert_int_eq(a.why, REASON_LOCAL_GONE);
}
END_TEST

static const char *const junk[] = {
	"no json at all\n", "[]\n", "{\"id\":1}\n", "{\"id\":1,\"ok\":false}\n", "{\"id\":\"1\",\"ok\":true}\n", "{\"id\":2,\"ok\":true}\n",
	"{\"id\":1,\"error\":5}\n", "{\"id\":1,\"ok\":true,\"ok\":true}\n",
};

START_TEST(junk_is_no_answer)
{
	serve(junk[_i], 0, false);
	until_there();
	ask(NULL, 1000, false);
	ck_assert_ptr_null(a.body);
	ck_assert_int_ne(a.why, REASON_NONE);
}
END_TEST

START_TEST(long_answer)
{
	char *line = malloc(1 << 20);
	size_t n = (size_t)snprintf(line, 64, "{\"id\":1,\"ok\":true,\"x\":\"");

	memset(line + n, 'y', (1 << 20) - n - 4);
	memcpy(line + (1 << 20) - 4, "\"}\n", 4);
	serve(line, 0, true);
	until_there();
	ask(NULL, 5000, false);
	ck_assert_ptr_nonnull(a.body);
	ck_assert_uint_gt(json_string_length(json_object_get(a.body, "x")), 1000000);
	free(line);
}
END_TEST

START_TEST(one_after_the_other)
{
	serve("{\"id\":1,\"ok\":true}\n", 0, false);
	until_there();
	for (int i = 0; i < 20; i++) {
		ask(NULL, 3000, false);
		ck_assert_ptr_nonnull(a.body);
		ksctl_answer_free(&a);
	}
}
END_TEST

START_TEST(address_that_is_none)
{
	snprintf(address, sizeof address, "nonsense");
	ask(NULL, 1000, true);
	ck_assert_ptr_null(a.body);
	ck_assert_int_eq(a.why, REASON_LOCAL_BAD_MESSAGE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ksctl client");
	TCase *t = tcase_create("client");

	tcase_set_timeout(t, 15);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, answer_without_its_envelope);
	tcase_add_test(t, error_as_it_was_said);
	tcase_add_test(t, nobody_there);
	tcase_add_test(t, comes_late);
	tcase_add_test(t, never_comes);
	tcase_add_test(t, mute);
	tcase_add_test(t, hangs_up);
	tcase_add_loop_test(t, junk_is_no_answer, 0, TABLE_N(junk));
	tcase_add_test(t, long_answer);
	tcase_add_test(t, one_after_the_other);
	tcase_add_test(t, address_that_is_none);
	suite_add_tcase(s, t);
	return unit_run(s);
}
