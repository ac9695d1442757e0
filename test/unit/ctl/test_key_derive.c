/* key_derive: where an application key goes, and where it does not. U7 S2 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/key_derive.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

#define HEX "23e12641eef6530c81f749c457ec56f7d490e40c2ae95b1497643d3ae6df6505"

static char why[400];
static json_t *body, *answer;
static int other;

static void
setup(void)
{
	tmpdir_make();
	why[0] = '\0';
	answer = json_pack("{s:s, s:s, s:s}", "kcv", "0123456789ab", "identity", "kslocal1.x.a", "key", HEX);
	other = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(other, 3);
}

static void
teardown(void)
{
	json_decref(body);
	json_decref(answer);
	body = answer = NULL;
	close(other);
	tmpdir_remove();
}

static enum rc
target(const char *text, struct key_target *out)
{
	json_decref(body);
	body = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(body);
	return key_target_read(body, out, why, sizeof why);
}

static enum rc
to_file(const char *path, const char *more, struct key_target *out)
{
	char text[600];

	snprintf(text, sizeof text, "{\"app\":\"a\",\"out\":\"%s\"%s}", path, more);
	return target(text, out);
}

static const char *
content(const char *path)
{
	static char buf[512];
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(buf, 1, sizeof buf - 1, f);
	fclose(f);
	buf[n] = '\0';
	return buf;
}

static const struct {
	const char *text, *said;
} bad[] = {
	{ "{\"app\":\"a\"}", "--out" }, { "{\"app\":\"a\",\"format\":\"hex\"}", "--out" },
	{ "{\"out\":\"/x\",\"fd\":9}", "--out" }, { "{\"out\":\"/x\",\"format\":\"pem\"}", "--format" },
	{ "{\"out\":\"/x\",\"identity\":\"a:b\"}", "--identity" }, { "{\"out\":\"/x\",\"identity\":\"a b\"}", "--identity" },
	{ "{\"out\":\"/x\",\"identity\":\"\"}", "--identity" }, { "{\"out\":\"/x\",\"identity\":\"a\\nb\"}", "--identity" },
	{ "{\"fd\":0}", "--fd" }, { "{\"fd\":1}", "--fd" }, { "{\"fd\":2}", "--fd" }, { "{\"fd\":999}", "--fd" }, { "{\"fd\":4294967299}", "--fd" },
};

START_TEST(u7_usage)
{
	struct key_target t;

	untouched_fill(&t, sizeof t);
	ck_rc(target(bad[_i].text, &t), RC_SYNTAX);
	ck_assert_ptr_nonnull(strstr(why, bad[_i].said));
	ck_assert(untouched(&t, sizeof t));
}
END_TEST

START_TEST(u7_a_new_file_of_the_users_alone)
{
	const char *path = tmpdir_file("key");
	struct key_target t;
	struct stat st;

	umask(0);
	ck_ok(to_file(path, "", &t));
	ck_ok(key_target_write(&t, answer, why, sizeof why));
	ck_assert_str_eq(content(path), HEX "\n");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	/* what is shown is all but the key */
	ck_assert_ptr_null(json_object_get(answer, "key"));
	ck_assert_str_eq(json_string_value(json_object_get(answer, "kcv")), "0123456789ab");
}
END_TEST

START_TEST(u7_an_existing_one_is_refused)
{
	const char *path = tmpdir_file("there"), *link = tmpdir_file("link"), *aim = tmpdir_file("aim");
	struct key_target t;

	tmpdir_write("there", "mine", 4, 0600);
	ck_ok(to_file(path, "", &t));
	ck_rc(key_target_write(&t, answer, why, sizeof why), RC_EXISTS);
	ck_assert_ptr_nonnull(strstr(why, "new file"));
	ck_assert_ptr_null(strstr(why, HEX));
	ck_assert_str_eq(content(path), "mine");
	ck_assert_ptr_null(json_object_get(answer, "key"));
	/* nor is a link followed, dangling as it may be */
	json_object_set_new(answer, "key", json_string(HEX));
	ck_assert_int_eq(symlink(aim, link), 0);
	ck_ok(to_file(link, "", &t));
	ck_rc(key_target_write(&t, answer, why, sizeof why), RC_EXISTS);
	ck_assert_int_ne(access(aim, F_OK), 0);
}
END_TEST

START_TEST(u7_no_such_directory)
{
	struct key_target t;

	ck_ok(to_file(tmpdir_file("no/key"), "", &t));
	ck_rc(key_target_write(&t, answer, why, sizeof why), RC_IO);
	ck_assert_ptr_null(json_object_get(answer, "key"));
}
END_TEST

START_TEST(u7_stunnels_psk_secrets)
{
	const char *path = tmpdir_file("psk"), *mine = tmpdir_file("mine");
	struct key_target t;

	ck_ok(to_file(path, ",\"format\":\"psk\"", &t));
	ck_ok(key_target_write(&t, answer, why, sizeof why));
	ck_assert_str_eq(content(path), "kslocal1.x.a:" HEX "\n");
	json_object_set_new(answer, "key", json_string(HEX));
	ck_ok(to_file(mine, ",\"format\":\"psk\",\"identity\":\"me\"", &t));
	ck_ok(key_target_write(&t, answer, why, sizeof why));
	ck_assert_str_eq(content(mine), "me:" HEX "\n");
	ck_assert_str_eq(json_string_value(json_object_get(answer, "identity")), "me");
}
END_TEST

START_TEST(u7_an_identity_has_to_be_named_where_none_can_be_made)
{
	const char *path = tmpdir_file("psk");
	struct key_target t;

	json_object_set_new(answer, "identity", json_string(""));
	ck_ok(to_file(path, ",\"format\":\"psk\"", &t));
	ck_rc(key_target_write(&t, answer, why, sizeof why), RC_SYNTAX);
	ck_assert_ptr_nonnull(strstr(why, "--identity"));
	ck_assert_int_ne(access(path, F_OK), 0);
	json_object_set_new(answer, "key", json_string(HEX));
	ck_ok(to_file(path, "", &t));		/* hex needs none */
	ck_ok(key_target_write(&t, answer, why, sizeof why));
}
END_TEST

START_TEST(u7_a_descriptor)
{
	char text[40], buf[200] = "";
	struct key_target t;
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	snprintf(text, sizeof text, "{\"fd\":%d}", fd[1]);
	ck_ok(target(text, &t));
	ck_ok(key_target_write(&t, answer, why, sizeof why));
	close(fd[1]);
	ck_assert_int_eq(read(fd[0], buf, sizeof buf - 1), 65);
	ck_assert_str_eq(buf, HEX "\n");
	close(fd[0]);
	/* one that cannot be written to */
	json_object_set_new(answer, "key", json_string(HEX));
	ck_assert_int_eq(t.fd, fd[1]);
	ck_rc(key_target_write(&t, answer, why, sizeof why), RC_IO);
}
END_TEST

START_TEST(u7_an_answer_without_a_key)
{
	static const char *const no[] = { "{}", "{\"key\":\"00\",\"identity\":\"x\"}", "{\"key\":7,\"identity\":\"x\"}" };
	const char *path = tmpdir_file("none");
	struct key_target t;

	for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
		json_t *o = json_loads(no[i], 0, NULL);

		ck_ok(to_file(path, "", &t));
		ck_rc(key_target_write(&t, o, why, sizeof why), RC_SYNTAX);
		ck_assert_int_ne(access(path, F_OK), 0);
		json_decref(o);
	}
}
END_TEST

/* The daemon is not told where its key goes. */
START_TEST(u7_the_request)
{
	struct key_target t;
	json_t *o, *want = json_pack("{s:s, s:s}", "device_id", "d", "app", "a");

	ck_ok(target("{\"device_id\":\"d\",\"app\":\"a\",\"format\":\"psk\",\"identity\":\"me\",\"out\":\"/x\"}", &t));
	o = key_target_request(body);
	ck_assert(json_equal(o, want));
	json_decref(o);
	json_decref(want);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ctl/key_derive");
	TCase *t = tcase_create("key_derive");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, u7_usage, 0, sizeof bad / sizeof *bad);
	tcase_add_test(t, u7_a_new_file_of_the_users_alone);
	tcase_add_test(t, u7_an_existing_one_is_refused);
	tcase_add_test(t, u7_no_such_directory);
	tcase_add_test(t, u7_stunnels_psk_secrets);
	tcase_add_test(t, u7_an_identity_has_to_be_named_where_none_can_be_made);
	tcase_add_test(t, u7_a_descriptor);
	tcase_add_test(t, u7_an_answer_without_a_key);
	tcase_add_test(t, u7_the_request);
	suite_add_tcase(s, t);
	return unit_run(s);
}
