/* lab: which lab is meant (S3), and where its sockets are. */
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/ksctl.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

static char dir[512], why[1024];
static bool named;

static void
setup(void)
{
	tmpdir_make();
	unsetenv("KSLOCAL_LAB");
	setenv("XDG_RUNTIME_DIR", tmpdir, 1);
	why[0] = '\0';
}

static void
teardown(void)
{
	tmpdir_remove();
}

/* A lab in the register, since so many seconds past 2020. */
static void
lab(const char *name, int at, const char *json)
{
	struct timespec t[2] = { { 1577836800 + at, 0 }, { 1577836800 + at, 0 } };
	char file[128], target[256], link[256];

	mkdir(tmpdir_file("labs"), 0700);
	snprintf(target, sizeof target, "%s/%s", tmpdir, name);
	mkdir(target, 0700);
	snprintf(file, sizeof file, "%s/lab.json", name);
	if (json != NULL)
		tmpdir_write(file, json, strlen(json), 0600);
	snprintf(link, sizeof link, "%s/labs/%s", tmpdir, name);
	ck_assert_int_eq(symlink(target, link), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, link, t, AT_SYMLINK_NOFOLLOW), 0);
}

START_TEST(given_before_environment_before_register)
{
	lab("one", 1, "{}");
	ck_ok(ksctl_lab_find(NULL, dir, sizeof dir, &named));
	ck_assert_str_eq(dir, tmpdir_file("one"));
	ck_assert(named);
	setenv("KSLOCAL_LAB", "/from/environment", 1);
	ck_ok(ksctl_lab_find(NULL, dir, sizeof dir, &named));
	ck_assert_str_eq(dir, "/from/environment");
	ck_assert(!named);
	ck_ok(ksctl_lab_find("/given", dir, sizeof dir, &named));
	ck_assert_str_eq(dir, "/given");
	setenv("KSLOCAL_LAB", "", 1);
	ck_ok(ksctl_lab_find(NULL, dir, sizeof dir, &named));
	ck_assert(named);
}
END_TEST

START_TEST(newest_that_can_be_read)
{
	lab("old", 1, "{}");
	lab("newest", 3, "{}");
	lab("middle", 2, "{}");
	lab("dead", 9, NULL);			/* no lab.json */
	tmpdir_write("labs/file", "x", 1, 0600);	/* no link */
	ck_assert_int_eq(symlink("relative", tmpdir_file("labs/relative")), 0);
	ck_ok(ksctl_lab_find(NULL, dir, sizeof dir, &named));
	ck_assert_str_eq(dir, tmpdir_file("newest"));
}
END_TEST

START_TEST(none)
{
	ck_rc(ksctl_lab_find(NULL, dir, sizeof dir, &named), RC_NOTFOUND);
	mkdir(tmpdir_file("labs"), 0700);
	ck_rc(ksctl_lab_find(NULL, dir, sizeof dir, &named), RC_NOTFOUND);
	lab("dead", 1, NULL);
	ck_rc(ksctl_lab_find(NULL, dir, sizeof dir, &named), RC_NOTFOUND);
}
END_TEST

START_TEST(too_long)
{
	ck_rc(ksctl_lab_find("/12345678", dir, 9, &named), RC_RANGE);
	ck_ok(ksctl_lab_find("/12345678", dir, 10, &named));
}
END_TEST

START_TEST(sockets)
{
	static const char json[] = "{\"bsfd\":{\"control\":\"unix:/b\"},\"mtd\":{\"control\":\"tcp:127.0.0.1:1\"},\"nafkcd\":{\"control\":5},\"extdevd\":7}";
	json_t *o = NULL;

	lab("one", 1, json);
	ck_ok(ksctl_lab_read(tmpdir_file("one"), &o, why, sizeof why));
	ck_assert_str_eq(ksctl_lab_socket(o, KSCTL_BSFD), "unix:/b");
	ck_assert_ptr_null(ksctl_lab_socket(o, KSCTL_MTD));	/* no UNIX socket: who knows who is there */
	ck_assert_ptr_null(ksctl_lab_socket(o, KSCTL_NAFKCD));
	ck_assert_ptr_null(ksctl_lab_socket(o, KSCTL_EXTDEVD));
	json_decref(o);
}
END_TEST

START_TEST(unreadable)
{
	json_t *o = NULL;

	ck_rc(ksctl_lab_read(tmpdir_file("none"), &o, why, sizeof why), RC_IO);
	ck_assert_ptr_nonnull(strstr(why, "/none/lab.json: cannot be read"));
	lab("bad", 1, "{\"a\":1,\"a\":2}");
	ck_rc(ksctl_lab_read(tmpdir_file("bad"), &o, why, sizeof why), RC_SYNTAX);
	ck_assert_ptr_nonnull(strstr(why, "no JSON"));
	ck_assert_ptr_null(o);
}
END_TEST

START_TEST(another_users_register_in_tmp_is_not_read)
{
	char path[64];
	struct stat sb;

	unsetenv("XDG_RUNTIME_DIR");
	if (getuid() != 0)
		return;		/* only root can make one that is not its own */
	snprintf(path, sizeof path, "/tmp/kslocal-%ld", (long)getuid());
	if (lstat(path, &sb) == 0)
		return;		/* somebody uses it */
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
	ck_rc(ksctl_lab_find(NULL, dir, sizeof dir, &named), RC_NOTFOUND);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ksctl lab S3");
	TCase *c = tcase_create("S3");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, given_before_environment_before_register);
	tcase_add_test(c, newest_that_can_be_read);
	tcase_add_test(c, none);
	tcase_add_test(c, too_long);
	tcase_add_test(c, sockets);
	tcase_add_test(c, unreadable);
	tcase_add_test(c, another_users_register_in_tmp_is_not_read);
	suite_add_tcase(s, c);
	return unit_run(s);
}
