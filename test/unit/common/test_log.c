/* log: levels, one line per event, peer text made harmless, reasons in full. */
#include "common/log.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test/unit/unit.h"

static char last[4096];
static enum log_level last_level;
static unsigned lines;

static void
on_line(enum log_level level, const char *line, void *arg)
{
	ck_assert_ptr_eq(arg, &lines);
	last_level = level;
	snprintf(last, sizeof last, "%s", line);
	lines++;
}

static void
setup(void)
{
	lines = 0;
	last[0] = '\0';
	log_open("testd", LOG_LEVEL_INFO);
	log_capture(on_line, &lines);
}

static void
teardown(void)
{
	log_capture(NULL, NULL);
}

START_TEST(levels)
{
	log_debug("no");
	ck_assert_uint_eq(lines, 0);
	log_info("yes %d", 1);
	ck_assert_str_eq(last, "yes 1");
	ck_assert_int_eq(last_level, LOG_LEVEL_INFO);
	log_set_level(LOG_LEVEL_ERROR);
	ck_assert_int_eq(log_get_level(), LOG_LEVEL_ERROR);
	log_warn("no");
	log_reason(REASON_OVERLOAD, "no");
	ck_assert_uint_eq(lines, 1);
	log_error("yes");
	ck_assert_uint_eq(lines, 2);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("yes");
	ck_assert_int_eq(last_level, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(one_event_is_one_line)
{
	log_info("a\nb\tc\x7f%s", "\r\nerror: forged");
	ck_assert_str_eq(last, "a b c   error: forged");
}
END_TEST

START_TEST(long_lines_are_cut)
{
	char big[8000];

	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	log_info("%s", big);
	ck_assert_uint_eq(strlen(last), 2047);
	log_reason(REASON_OVERLOAD, "%s", big);
	ck_assert_ptr_nonnull(strstr(last, "reason=overload"));
}
END_TEST

START_TEST(reason_says_what_why_next)
{
	const struct reason_info *i = reason_get(REASON_NOT_DURABLE);

	log_reason(REASON_NOT_DURABLE, "turn: %d answers", 3);
	ck_assert_ptr_nonnull(strstr(last, "turn: 3 answers: reason=not-durable: "));
	ck_assert_ptr_nonnull(strstr(last, i->what));
	ck_assert_ptr_nonnull(strstr(last, i->why));
	ck_assert_ptr_nonnull(strstr(last, i->next));
	ck_assert_int_eq(last_level, LOG_LEVEL_INFO);
}
END_TEST

static const struct {
	const char *in;
	size_t n, cap;
	const char *out;
} texts[] = {
	{ "plain text", 10, 64, "plain text" },
	{ "", 0, 64, "" },
	{ "a\nb", 3, 64, "a\\x0ab" },
	{ "back\\slash", 10, 64, "back\\x5cslash" },
	{ "\x00\xff", 2, 64, "\\x00\\xff" },
	{ "\x1b[31m", 5, 64, "\\x1b[31m" },
	{ "12345678", 8, 9, "12345678" },		/* just fits */
	{ "123456789", 9, 9, "12345\xe2\x80\xa6" },	/* one too many */
	{ "1234\n6789", 9, 9, "1234\xe2\x80\xa6" },	/* an escape is never cut in two */
	{ "\n\n", 2, 8, "\\x0a\xe2\x80\xa6" },
	{ "abc", 3, 4, "abc" },
	{ "abcd", 4, 4, "\xe2\x80\xa6" },
	{ "abc", 3, 3, "" },
	{ "abc", 3, 1, "" },
};

START_TEST(text_is_harmless)
{
	char out[80];

	memset(out, UNTOUCHED, sizeof out);
	ck_assert_ptr_eq(log_text(span_of(texts[_i].in, texts[_i].n), out, texts[_i].cap), out);
	ck_assert_str_eq(out, texts[_i].out);
	ck_assert(untouched(out + texts[_i].cap, sizeof out - texts[_i].cap));
}
END_TEST

START_TEST(text_no_room)
{
	char out[4];

	untouched_fill(out, sizeof out);
	log_text(span_str("x"), out, 0);
	ck_assert(untouched(out, sizeof out));
}
END_TEST

START_TEST(fatal_ends_the_process)
{
	log_fatal("a bug of ours");
}
END_TEST

/* Standard error is a pipe from here on; its other end, which never makes wait. */
static int
watch_stderr(void)
{
	int fd[2];

	log_capture(NULL, NULL);
	ck_assert_int_eq(pipe2(fd, O_NONBLOCK), 0);
	dup2(fd[1], STDERR_FILENO);
	return fd[0];
}

/* How many octets came, and they in buf. */
static size_t
seen(int fd, char *buf, size_t cap)
{
	ssize_t n = read(fd, buf, cap - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static size_t
lines_in(const char *s)
{
	size_t n = 0;

	for (; (s = strchr(s, '\n')) != NULL; s++)
		n++;
	return n;
}

START_TEST(standard_error_gets_one_line)
{
	char buf[512];
	int fd = watch_stderr();

	log_warn("seen");
	ck_assert_uint_gt(seen(fd, buf, sizeof buf), 24);
	ck_assert_str_eq(buf + 23, "Z testd warn: seen\n");	/* behind 2030-01-01T12:00:00.000 */
	ck_assert_int_eq(buf[10], 'T');
}
END_TEST

START_TEST(gathered_lines_leave_together)
{
	char buf[1024];
	int fd = watch_stderr();

	log_gather(true);
	log_info("one");
	log_warn("two");
	ck_assert_uint_eq(seen(fd, buf, sizeof buf), 0);
	log_flush();
	ck_assert_uint_gt(seen(fd, buf, sizeof buf), 0);
	ck_assert_uint_eq(lines_in(buf), 2);
	ck_assert_ptr_nonnull(strstr(buf, "Z testd info: one\n20"));
	ck_assert_ptr_nonnull(strstr(buf, "Z testd warn: two\n"));
	log_info("three");
	log_gather(false);
	ck_assert_uint_gt(seen(fd, buf, sizeof buf), 0);
	ck_assert_ptr_nonnull(strstr(buf, "three\n"));
	log_info("at once again");
	ck_assert_uint_gt(seen(fd, buf, sizeof buf), 0);
}
END_TEST

START_TEST(gathered_errors_do_not_wait)
{
	char buf[1024];
	int fd = watch_stderr();

	log_gather(true);
	log_info("before");
	log_error("trouble");
	ck_assert_uint_gt(seen(fd, buf, sizeof buf), 0);
	ck_assert(strstr(buf, "before\n") != NULL && strstr(buf, "before\n") < strstr(buf, "trouble\n"));
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("each step");
	ck_assert_uint_gt(seen(fd, buf, sizeof buf), 0);
	log_gather(false);
}
END_TEST

/* No line is lost or cut when more is said than is kept. */
START_TEST(gathered_lines_may_be_many)
{
	static char buf[64 * 1024];
	char big[1500];
	int fd = watch_stderr();

	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	log_gather(true);
	for (int i = 0; i < 20; i++)
		log_info("%s", i % 2 == 0 ? big : "short");
	log_gather(false);
	ck_assert_uint_gt(seen(fd, buf, sizeof buf), 10 * sizeof big);
	ck_assert_uint_eq(lines_in(buf), 20);
	for (char *line = strtok(buf, "\n"); line != NULL; line = strtok(NULL, "\n"))
		ck_assert(strcmp(line + 23, "Z testd info: short") == 0 || strlen(line) == 23 + strlen("Z testd info: ") + sizeof big - 1);
}
END_TEST

static void *
other_thread(void *arg)
{
	(void)arg;
	log_info("from elsewhere");
	return NULL;
}

START_TEST(other_threads_do_not_gather)
{
	char buf[512];
	int fd = watch_stderr();
	pthread_t t;

	log_gather(true);
	ck_assert_int_eq(pthread_create(&t, NULL, other_thread, NULL), 0);
	pthread_join(t, NULL);
	ck_assert_uint_gt(seen(fd, buf, sizeof buf), 0);
	ck_assert_ptr_nonnull(strstr(buf, "from elsewhere\n"));
	log_gather(false);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, levels);
	tcase_add_test(t, one_event_is_one_line);
	tcase_add_test(t, long_lines_are_cut);
	tcase_add_test(t, reason_says_what_why_next);
	tcase_add_loop_test(t, text_is_harmless, 0, TABLE_N(texts));
	tcase_add_test(t, text_no_room);
	tcase_add_test(t, standard_error_gets_one_line);
	tcase_add_test(t, gathered_lines_leave_together);
	tcase_add_test(t, gathered_errors_do_not_wait);
	tcase_add_test(t, gathered_lines_may_be_many);
	tcase_add_test(t, other_threads_do_not_gather);
	tcase_add_test_raise_signal(t, fatal_ends_the_process, SIGABRT);
	suite_add_tcase(s, t);
	return unit_run(s);
}
