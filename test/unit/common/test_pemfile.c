/* pemfile: whole files, private ones only for their owner, odd files by name. */
#include "common/pemfile.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

#define TEXT "-----BEGIN CERTIFICATE-----\nAAAA\n"

static char last[512];
static unsigned lines;

static void
on_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	snprintf(last, sizeof last, "%s", line);
	lines++;
}

static void
setup(void)
{
	tmpdir_make();
	last[0] = '\0';
	lines = 0;
	log_capture(on_line, NULL);
}

static void
teardown(void)
{
	log_capture(NULL, NULL);
	tmpdir_remove();
}

static void
put(const char *text, size_t n, mode_t mode)
{
	FILE *f = fopen(tmpdir_file("f.pem"), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(tmpdir_file("f.pem"), mode), 0);
}

/* Refused with rc, said once with the file's name, out untouched. */
static void
refused(const char *name, bool secret, enum rc want)
{
	struct pemfile f;

	untouched_fill(&f, sizeof f);
	ck_rc(pemfile_read(name, secret, &f), want);
	ck_assert(untouched(&f, sizeof f));
	ck_assert_uint_eq(lines, 1);
	ck_assert_msg(strstr(last, name) != NULL, "%s", last);
}

START_TEST(whole)
{
	struct pemfile f = { NULL, 0 };

	put(TEXT, sizeof TEXT - 1, 0644);
	ck_ok(pemfile_read(tmpdir_file("f.pem"), false, &f));
	ck_assert_uint_eq(f.n, sizeof TEXT - 1);
	ck_assert_str_eq(f.p, TEXT);
	pemfile_free(&f);
	ck_assert_ptr_null(f.p);
	pemfile_free(&f);
	ck_assert_uint_eq(lines, 0);
}
END_TEST

static const mode_t open_modes[] = { 0640, 0604, 0620, 0602, 0666 };
START_TEST(secret_for_its_owner_alone)
{
	put(TEXT, sizeof TEXT - 1, open_modes[_i]);
	refused(tmpdir_file("f.pem"), true, RC_DENIED);
}
END_TEST

START_TEST(secret_that_is_one)
{
	struct pemfile f = { NULL, 0 };

	put(TEXT, sizeof TEXT - 1, 0400);
	ck_ok(pemfile_read(tmpdir_file("f.pem"), true, &f));
	pemfile_free(&f);
}
END_TEST

START_TEST(not_there)
{
	refused(tmpdir_file("none.pem"), false, RC_NOTFOUND);
}
END_TEST

START_TEST(empty)
{
	put("", 0, 0600);
	refused(tmpdir_file("f.pem"), false, RC_RANGE);
}
END_TEST

START_TEST(at_the_limit_and_beyond)
{
	struct pemfile f = { NULL, 0 };

	put(TEXT, sizeof TEXT - 1, 0600);
	ck_assert_int_eq(truncate(tmpdir_file("f.pem"), PEMFILE_MAX), 0);
	ck_ok(pemfile_read(tmpdir_file("f.pem"), false, &f));
	ck_assert_uint_eq(f.n, PEMFILE_MAX);
	pemfile_free(&f);
	ck_assert_int_eq(truncate(tmpdir_file("f.pem"), (off_t)PEMFILE_MAX + 1), 0);
	refused(tmpdir_file("f.pem"), false, RC_RANGE);
}
END_TEST

START_TEST(a_directory)
{
	ck_assert_int_eq(mkdir(tmpdir_file("d"), 0700), 0);
	refused(tmpdir_file("d"), false, RC_IO);
	rmdir(tmpdir_file("d"));
}
END_TEST

/* A FIFO without a writer must not hold the daemon up. */
START_TEST(a_fifo)
{
	ck_assert_int_eq(mkfifo(tmpdir_file("p"), 0600), 0);
	refused(tmpdir_file("p"), false, RC_IO);
	unlink(tmpdir_file("p"));
}
END_TEST

START_TEST(a_credential)
{
	struct pemfile f = { NULL, 0 };

	put(TEXT, sizeof TEXT - 1, 0600);
	ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", tmpdir_file("."), 1), 0);
	ck_ok(pemfile_read("credential:f.pem", true, &f));
	ck_assert_str_eq(f.p, TEXT);
	pemfile_free(&f);
	ck_assert_int_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	refused("credential:f.pem", true, RC_NOTFOUND);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pemfile");
	TCase *t = tcase_create("pemfile");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, whole);
	tcase_add_loop_test(t, secret_for_its_owner_alone, 0, TABLE_N(open_modes));
	tcase_add_test(t, secret_that_is_one);
	tcase_add_test(t, not_there);
	tcase_add_test(t, empty);
	tcase_add_test(t, at_the_limit_and_beyond);
	tcase_add_test(t, a_directory);
	tcase_add_test(t, a_fifo);
	tcase_add_test(t, a_credential);
	suite_add_tcase(s, t);
	return unit_run(s);
}
