/* log: levels, one line per event, peer text made harmless, reasons in full. */
#include "common/log.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
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

START_TEST(standard_error_gets_one_line)
{
	char buf[512] = "";
	int fd[2], was = dup(STDERR_FILENO);
	ssize_t n;

	log_capture(NULL, NULL);
	ck_assert_int_eq(pipe(fd), 0);
	dup2(fd[1], STDERR_FILENO);
	log_warn("seen");
	dup2(was, STDERR_FILENO);
	n = read(fd[0], buf, sizeof buf - 1);
	ck_assert_int_gt(n, 24);
	ck_assert_str_eq(buf + 23, "Z testd warn: seen\n");	/* behind 2030-01-01T12:00:00.000 */
	ck_assert_int_eq(buf[10], 'T');
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
	tcase_add_test_raise_signal(t, fatal_ends_the_process, SIGABRT);
	suite_add_tcase(s, t);
	return unit_run(s);
}
