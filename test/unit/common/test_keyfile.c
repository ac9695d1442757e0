/* keyfile: whose files are taken, what is in them, and that nothing of it is ever said. */
#include "common/keyfile.h"

#include <check.h>
#include <sys/stat.h>

#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
static struct secret *key;
static char why[512];

static void
setup(void)
{
	tmpdir_make();
	key = NULL;
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
teardown(void)
{
	secret_free(key);
	tmpdir_remove();
}

static void
is_key(void)
{
	struct span s = secret_span(key);

	ck_assert_uint_eq(s.n, 32);
	for (size_t i = 0; i < 32; i++)
		ck_assert_uint_eq(s.p[i], i);
	ck_assert_str_eq(why, "");
}

START_TEST(good)
{
	tmpdir_write("k", HEX "\n", 65, 0600);
	ck_ok(keyfile_read(tmpdir_file("k"), &key, why, sizeof why));
	is_key();
	secret_free(key);
	key = NULL;
	tmpdir_write("k", HEX, 64, 0400);
	ck_ok(keyfile_read(tmpdir_file("k"), &key, why, sizeof why));
	is_key();
}
END_TEST

static const struct {
	const char *text;
	size_t n;
} malformed[] = {
	{ "", 0 }, { "\n", 1 }, { HEX "\n\n", 66 }, { HEX "\r\n", 66 }, { HEX " ", 65 }, { " " HEX, 65 }, { HEX "0", 65 }, { HEX "00", 66 },
	{ "0x" HEX, 66 }, { "g" HEX, 64 }, { HEX "\0", 65 }, { HEX HEX, 128 },
};

START_TEST(malformed_and_not_shown)
{
	tmpdir_write("k", malformed[_i].text, malformed[_i].n, 0600);
	ck_rc(keyfile_read(tmpdir_file("k"), &key, why, sizeof why), RC_SYNTAX);
	ck_assert_ptr_null(key);
	ck_assert_ptr_nonnull(strstr(why, "is not 64 hex digits"));
	ck_assert_ptr_null(strstr(why, "0001"));
	ck_rc(keyfile_parse(span_of(malformed[_i].text, malformed[_i].n), &key), RC_SYNTAX);
	ck_assert_ptr_null(key);
}
END_TEST

static const mode_t open_modes[] = { 0640, 0620, 0610, 0604, 0602, 0601, 0660, 0666, 0644, 0777 };

START_TEST(open_to_others)
{
	tmpdir_write("k", HEX "\n", 65, open_modes[_i]);
	ck_rc(keyfile_read(tmpdir_file("k"), &key, why, sizeof why), RC_DENIED);
	ck_assert_ptr_null(key);
	ck_assert_ptr_nonnull(strstr(why, "chmod 600"));
	ck_rc(keyfile_check(tmpdir_file("k"), why, sizeof why), RC_DENIED);
}
END_TEST

START_TEST(what_is_no_file)
{
	ck_rc(keyfile_read(tmpdir_file("none"), &key, why, sizeof why), RC_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(why, "No such file"));
	ck_rc(keyfile_read(tmpdir, &key, why, sizeof why), RC_DENIED);
	ck_assert_int_eq(mkfifo(tmpdir_file("fifo"), 0600), 0);
	ck_rc(keyfile_read(tmpdir_file("fifo"), &key, why, sizeof why), RC_DENIED);	/* and does not wait for a writer */
	ck_assert_ptr_nonnull(strstr(why, "no regular file"));
	ck_assert_ptr_null(key);
}
END_TEST

START_TEST(another_users)
{
	if (geteuid() != 0)
		return;
	tmpdir_write("k", HEX "\n", 65, 0600);
	ck_assert_int_eq(chown(tmpdir_file("k"), 65534, 65534), 0);
	ck_rc(keyfile_read(tmpdir_file("k"), &key, why, sizeof why), RC_DENIED);
	ck_assert_ptr_nonnull(strstr(why, "belongs to user 65534"));
	ck_assert_ptr_null(key);
}
END_TEST

START_TEST(credentials)
{
	char path[256];

	ck_rc(keyfile_read("credential:store", &key, why, sizeof why), RC_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(why, "CREDENTIALS_DIRECTORY"));
	ck_rc(keyfile_path("credential:store", path, sizeof path), RC_NOTFOUND);
	setenv("CREDENTIALS_DIRECTORY", tmpdir, 1);
	tmpdir_write("store", HEX "\n", 65, 0440);	/* how systemd's access list shows itself */
	ck_ok(keyfile_read("credential:store", &key, why, sizeof why));
	is_key();
	ck_ok(keyfile_path("credential:store", path, sizeof path));
	ck_assert_str_eq(path, tmpdir_file("store"));
	ck_ok(keyfile_check(tmpdir_file("store"), why, sizeof why));	/* the same file by its path */
	ck_assert_int_eq(chmod(tmpdir_file("store"), 0444), 0);
	ck_rc(keyfile_check(tmpdir_file("store"), why, sizeof why), RC_DENIED);
	ck_assert_int_eq(chmod(tmpdir_file("store"), 0460), 0);
	ck_rc(keyfile_check(tmpdir_file("store"), why, sizeof why), RC_DENIED);
	/* Elsewhere the group counts, also by way of "..". */
	ck_assert_int_eq(mkdir(tmpdir_file("sub"), 0700), 0);
	ck_assert_int_eq(chmod(tmpdir_file("store"), 0440), 0);
	setenv("CREDENTIALS_DIRECTORY", tmpdir_file("sub"), 1);
	ck_rc(keyfile_check(tmpdir_file("store"), why, sizeof why), RC_DENIED);
	ck_rc(keyfile_check(tmpdir_file("sub/../store"), why, sizeof why), RC_DENIED);
	setenv("CREDENTIALS_DIRECTORY", "/", 1);
	ck_rc(keyfile_check(tmpdir_file("store"), why, sizeof why), RC_DENIED);
	setenv("CREDENTIALS_DIRECTORY", "", 1);
	ck_rc(keyfile_check(tmpdir_file("store"), why, sizeof why), RC_DENIED);
}
END_TEST

START_TEST(paths)
{
	char path[8];

	ck_ok(keyfile_path("/1234", path, sizeof path));
	ck_assert_str_eq(path, "/1234");
	ck_rc(keyfile_path("/1234567", path, sizeof path), RC_RANGE);
}
END_TEST

START_TEST(beside)
{
	ck_assert_int_eq(mkdir(tmpdir_file("state"), 0700), 0);
	ck_assert_int_eq(mkdir(tmpdir_file("state2"), 0700), 0);
	tmpdir_write("state/db", "", 0, 0600);
	tmpdir_write("state/key", "", 0, 0600);
	tmpdir_write("state2/key", "", 0, 0600);
	tmpdir_write("key", "", 0, 0600);
	ck_assert(keyfile_beside(tmpdir_file("state/key"), tmpdir_file("state/db")));
	ck_assert(!keyfile_beside(tmpdir_file("state2/key"), tmpdir_file("state/db")));
	ck_assert(!keyfile_beside(tmpdir_file("key"), tmpdir_file("state/db")));
	/* What the name hides. */
	ck_assert_int_eq(symlink(tmpdir_file("state/key"), tmpdir_file("state2/link")), 0);
	ck_assert(keyfile_beside(tmpdir_file("state2/link"), tmpdir_file("state/db")));
	ck_assert(keyfile_beside(tmpdir_file("state2/../state/key"), tmpdir_file("state/db")));
	ck_assert(!keyfile_beside(tmpdir_file("none"), tmpdir_file("state/db")));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("keyfile");
	TCase *t = tcase_create("keyfile");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, good);
	tcase_add_loop_test(t, malformed_and_not_shown, 0, TABLE_N(malformed));
	tcase_add_loop_test(t, open_to_others, 0, TABLE_N(open_modes));
	tcase_add_test(t, what_is_no_file);
	tcase_add_test(t, another_users);
	tcase_add_test(t, credentials);
	tcase_add_test(t, paths);
	tcase_add_test(t, beside);
	suite_add_tcase(s, t);
	return unit_run(s);
}
