/* args, verbs, help: every verb of the table can be said, what cannot is refused with what was expected; S2. */
#include <check.h>
#include <stdio.h>

#include "ctl/ksctl.h"
#include "test/unit/unit.h"

#define ARGS_MAX 16
static struct ksctl_args a;
static char why[512];

static enum rc
parse(const char *line)
{
	static char buf[1024];
	char *argv[ARGS_MAX + 1] = { (char *)(uintptr_t)"ksctl" };
	int argc = 1;

	snprintf(buf, sizeof buf, "%s", line);
	for (char *w = strtok(buf, " "); w != NULL && argc < ARGS_MAX; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	return ksctl_args_parse(argc, argv, &a, why, sizeof why);
}

static void
teardown(void)
{
	ksctl_args_free(&a);
}

static const struct {
	const char *line;
	enum ksctl_daemon daemon;
	const char *op, *body;
} good[] = {
	{ "bsfd health", KSCTL_BSFD, "health", "{}" },
	{ "extdevd establish", KSCTL_EXTDEVD, "establish", "{}" },
	{ "extdevd establish --force --naf naf.example/0100000002", KSCTL_EXTDEVD, "establish",
	    "{\"force\":true,\"naf\":\"naf.example/0100000002\"}" },
	{ "extdevd establish --new --mt=phone", KSCTL_EXTDEVD, "establish", "{\"new\":true,\"mt\":\"phone\"}" },
	{ "extdevd key list", KSCTL_EXTDEVD, "key-list", "{}" },
	{ "mtd key list", KSCTL_MTD, "key-list", "{}" },
	{ "nafkcd key list", KSCTL_NAFKCD, "key-list", "{}" },
	{ "extdevd key forget --all", KSCTL_EXTDEVD, "key-forget", "{\"all\":true}" },
	{ "extdevd use --mt phone", KSCTL_EXTDEVD, "use", "{\"mt\":\"phone\"}" },
	{ "extdevd tunnel list", KSCTL_EXTDEVD, "tunnel-list", "{}" },
	{ "extdevd key check", KSCTL_EXTDEVD, "key-check", "{}" },
	{ "extdevd mt list", KSCTL_EXTDEVD, "mt-list", "{}" },
	{ "extdevd mt accept 0123456789abcdef0123456789abcdef", KSCTL_EXTDEVD, "mt-accept", "{\"mt_id\":\"0123456789abcdef0123456789abcdef\"}" },
	{ "extdevd key derive --app a --mt phone --out /x", KSCTL_EXTDEVD, "key-derive", "{\"app\":\"a\",\"mt\":\"phone\",\"out\":\"/x\"}" },
	{ "mtd key derive --device d --app a --format psk --identity me --fd 9", KSCTL_MTD, "key-derive",
	    "{\"device_id\":\"d\",\"app\":\"a\",\"format\":\"psk\",\"identity\":\"me\",\"fd\":9}" },
	{ "mtd key forget --device d --btid b", KSCTL_MTD, "key-forget", "{\"device_id\":\"d\",\"btid\":\"b\"}" },
	{ "mtd key check", KSCTL_MTD, "key-check", "{}" },
	{ "mtd device list", KSCTL_MTD, "device-list", "{}" },
	{ "mtd device allow d", KSCTL_MTD, "device-allow", "{\"device_id\":\"d\"}" },
	{ "mtd device refuse d", KSCTL_MTD, "device-refuse", "{\"device_id\":\"d\"}" },
	{ "mtd use d", KSCTL_MTD, "use", "{\"device_id\":\"d\"}" },
	{ "mtd tunnel list", KSCTL_MTD, "tunnel-list", "{}" },
	{ "extdevd wait key --timeout 0", KSCTL_EXTDEVD, "wait-key", "{\"timeout_s\":0}" },
	{ "mtd bootstrap", KSCTL_MTD, "bootstrap", "{}" },
	{ "mtd bootstrap --app isim", KSCTL_MTD, "bootstrap", "{\"app\":\"isim\"}" },
	{ "nafkcd device list", KSCTL_NAFKCD, "device-list", "{}" },
	{ "nafkcd device allow urn:uuid:1", KSCTL_NAFKCD, "device-allow", "{\"device_id\":\"urn:uuid:1\"}" },
	{ "nafkcd device block -- --odd", KSCTL_NAFKCD, "device-block", "{\"device_id\":\"--odd\"}" },
	{ "nafkcd device block -x", KSCTL_NAFKCD, "device-block", "{\"device_id\":\"-x\"}" },
	{ "nafkcd device block --spki ab", KSCTL_NAFKCD, "device-block", "{\"spki\":\"ab\"}" },
	{ "nafkcd device unblock --issuer=cd", KSCTL_NAFKCD, "device-unblock", "{\"issuer\":\"cd\"}" },
	{ "nafkcd device limit d --expires 2027-01-01T00:00:00Z", KSCTL_NAFKCD, "device-limit",
	    "{\"device_id\":\"d\",\"expires\":\"2027-01-01T00:00:00Z\"}" },
	{ "nafkcd block list", KSCTL_NAFKCD, "block-list", "{}" },
	{ "nafkcd key list --all", KSCTL_NAFKCD, "key-list", "{\"all\":true}" },
	{ "nafkcd key invalidate --btid b@c --device d", KSCTL_NAFKCD, "key-invalidate", "{\"btid\":\"b@c\",\"device_id\":\"d\"}" },
	{ "nafkcd key limit --btid b@c --device d --naf n.example --expires 2027-01-01T00:00:00Z", KSCTL_NAFKCD, "key-limit",
	    "{\"btid\":\"b@c\",\"device_id\":\"d\",\"naf_id\":\"n.example\",\"expires\":\"2027-01-01T00:00:00Z\"}" },
	{ "nafkcd device rebind d", KSCTL_NAFKCD, "device-rebind", "{\"device_id\":\"d\"}" },
	{ "nafkcd device allow d --lifetime-max 6h", KSCTL_NAFKCD, "device-allow", "{\"device_id\":\"d\",\"lifetime_max\":\"6h\"}" },
	{ "nafkcd device allow d --lifetime-max none", KSCTL_NAFKCD, "device-allow", "{\"device_id\":\"d\",\"lifetime_max\":\"\"}" },
	{ "extdevd key forget --mt phone --naf n/0100000002 --device d --btid b", KSCTL_EXTDEVD, "key-forget",
	    "{\"mt\":\"phone\",\"naf_id\":\"n/0100000002\",\"device_id\":\"d\",\"btid\":\"b\"}" },
	{ "nafkcd audit --limit 5", KSCTL_NAFKCD, "audit", "{\"limit\":5}" },
	{ "nafkcd audit", KSCTL_NAFKCD, "audit", "{}" },
	{ "bsfd subscriber list", KSCTL_BSFD, "subscriber-list", "{}" },
	{ "mtd uicc insert /dev/../dev/null", KSCTL_MTD, "uicc-insert", "{\"image\":\"/dev/null\"}" },
	{ "mtd uicc eject", KSCTL_MTD, "uicc-eject", "{}" },
	{ "mtd uicc status", KSCTL_MTD, "uicc-status", "{}" },
	{ "bsfd subscriber delete u@r", KSCTL_BSFD, "subscriber-delete", "{\"impi\":\"u@r\"}" },
	{ "bsfd bootstrap list", KSCTL_BSFD, "bootstrap-list", "{}" },
	{ "bsfd naf list", KSCTL_BSFD, "naf-list", "{}" },
	{ "bsfd naf delete naf.example", KSCTL_BSFD, "naf-delete", "{\"fqdn\":\"naf.example\"}" },
	{ "bsfd wait peer", KSCTL_BSFD, "wait-peer", "{}" },
	{ "nafkcd wait peer bsf.example --timeout 5", KSCTL_NAFKCD, "wait-peer", "{\"peer\":\"bsf.example\",\"timeout_s\":5}" },
	{ "mtd wait ready --timeout=3600", KSCTL_MTD, "wait-ready", "{\"timeout_s\":3600}" },
	{ "bsfd status", KSCTL_BSFD, "status", "{}" },
	{ "bsfd trace --since 7 --run ab --btid b@c", KSCTL_BSFD, "trace", "{\"since\":7,\"run\":\"ab\",\"btid\":\"b@c\"}" },
	{ "bsfd log-level", KSCTL_BSFD, "log-level", "{}" },
	{ "bsfd log-level debug", KSCTL_BSFD, "log-level", "{\"level\":\"debug\"}" },
	{ "bsfd clock", KSCTL_BSFD, "clock", "{}" },
	{ "bsfd clock accept", KSCTL_BSFD, "clock-accept", "{}" },
	{ "bsfd clock advance +3600", KSCTL_BSFD, "clock-advance", "{\"seconds\":3600}" },
	{ "bsfd clock advance 60", KSCTL_BSFD, "clock-advance", "{\"seconds\":60}" },
	{ "bsfd clock step -86400", KSCTL_BSFD, "clock-step", "{\"seconds\":-86400}" },
	{ "bsfd ops", KSCTL_BSFD, "ops", "{}" },
	{ "bsfd ping", KSCTL_BSFD, "ping", "{}" },
	{ "bsfd stop", KSCTL_BSFD, "stop", "{}" },
	{ "ladder", KSCTL_DAEMONS, "trace", "{}" },
	{ "health", KSCTL_DAEMONS, "health", "{}" },
	{ "status", KSCTL_DAEMONS, "status", "{}" },
	{ "wait ready --timeout 4", KSCTL_DAEMONS, "wait-ready", "{\"timeout_s\":4}" },
	{ "ladder --run 01ab", KSCTL_DAEMONS, "trace", "{\"run\":\"01ab\"}" },
};

START_TEST(said)
{
	json_t *want = json_loads(good[_i].body, 0, NULL);

	ck_assert_msg(parse(good[_i].line) == RC_OK, "%s: %s", good[_i].line, why);
	ck_assert_int_eq(a.daemon, good[_i].daemon);
	ck_assert_str_eq(a.verb->op, good[_i].op);
	ck_assert_msg(json_equal(a.body, want), "%s", json_dumps(a.body, 0));
	json_decref(want);
}
END_TEST

START_TEST(every_row_is_said_by_a_good_line)
{
	const struct ksctl_verb *v = &ksctl_verbs[_i];
	bool said_so = strcmp(v->words, "subscriber add") == 0 || strcmp(v->words, "naf add") == 0;

	for (int i = 0; i < TABLE_N(good); i++)
		said_so = said_so || (strcmp(good[i].op, v->op) == 0 && (v->daemons == 0) == (good[i].daemon == KSCTL_DAEMONS));
	ck_assert_msg(said_so, "%s", v->words);
	ck_assert_str_ne(v->help, "");
	ck_assert(v->show != KSCTL_SHOW_TABLE || v->list != NULL);
}
END_TEST

static const struct {
	const char *line, *say;
} bad[] = {
	{ "mtd uicc insert /dev/nothing-there", "IMAGE: /dev/nothing-there: No such file" },
	{ "mtd uicc insert", "IMAGE" },
	{ "", "expected a daemon" },
	{ "nobody health", "'nobody'" },
	{ "key list", "'key'" },
	{ "wait", "'wait'" },
	{ "--socket unix:/x health", "all four" },
	{ "bsfd", "expected one of" },
	{ "bsfd fly", "bsfd fly: expected one of" },
	{ "bsfd key list", "expected one of" },		/* another daemon's */
	{ "mtd subscriber list", "expected one of" },
	{ "bsfd ladder", "expected one of" },
	{ "bsfd subscriber", "expected one of" },	/* half a verb */
	{ "bsfd key", "expected one of" },
	{ "bsfd health more", "'more' is not for health" },
	{ "bsfd health --more", "'--more' is not for health" },
	{ "extdevd establish --colour red", "'--colour'" },
	{ "extdevd establish --force=yes", "takes no value" },
	{ "extdevd establish --naf", "expected a value" },
	{ "extdevd establish --naf=", "expected 1 to" },
	{ "extdevd establish --forced", "'--forced'" },
	{ "--lab", "expected a value" },
	{ "--json=1 bsfd health", "takes no value" },
	{ "--lab d --socket unix:/s bsfd health", "not both" },
	{ "--socket /x.sock bsfd health", "expected unix:/path" },
	{ "--socket unix:/x ladder", "all four" },
	{ "bsfd subscriber add", "expected FILE|-" },
	{ "bsfd subscriber add a b", "'b' is not for" },
	{ "bsfd subscriber delete", "expected IMPI" },
	{ "nafkcd device allow", "expected DEVICE_ID" },
	{ "extdevd wait ready --timeout soon", "expected a whole number of seconds" },
	{ "extdevd wait ready --timeout -1", "expected a whole number" },
	{ "extdevd wait ready --timeout 3601", "expected a whole number" },
	{ "extdevd wait ready --timeout 1.5", "expected a whole number" },
	{ "extdevd wait ready --timeout 010", "expected a whole number" },
	{ "bsfd clock advance", "expected +SECONDS" },
	{ "bsfd clock advance +", "expected a whole number" },
	{ "bsfd clock advance ++1", "expected a whole number" },
	{ "bsfd clock advance 99999999999999999999", "expected a whole number" },
	{ "bsfd trace --since x", "expected a whole number" },
	{ "bsfd clock back", "'back' is not for clock" },
	{ "--unknown bsfd health", "'--unknown'" },
	{ "bsfd --unknown health", "expected one of" },
};

START_TEST(refused)
{
	ck_assert_msg(parse(bad[_i].line) == RC_SYNTAX, "taken: %s", bad[_i].line);
	ck_assert_msg(strstr(why, bad[_i].say) != NULL, "%s: %s", bad[_i].line, why);
}
END_TEST

START_TEST(globals_anywhere)
{
	ck_ok(parse("--lab /d --json extdevd key list"));
	ck_assert_str_eq(a.lab, "/d");
	ck_assert(a.json);
	ksctl_args_free(&a);
	ck_ok(parse("extdevd key --json list --lab=/e"));
	ck_assert_str_eq(a.lab, "/e");
	ck_assert(a.json);
	ck_assert_str_eq(a.verb->words, "key list");
	ksctl_args_free(&a);
	ck_ok(parse("extdevd establish --force --socket unix:/s --json"));
	ck_assert_str_eq(a.socket, "unix:/s");
	ck_assert(json_is_true(json_object_get(a.body, "force")));
	ksctl_args_free(&a);
	ck_ok(parse("nafkcd device allow -- --json"));
	ck_assert(!a.json);
	ck_assert_str_eq(json_string_value(json_object_get(a.body, "device_id")), "--json");
}
END_TEST

START_TEST(help_and_version)
{
	static const char *const lines[] = { "--help", "bsfd --help", "bsfd nonsense --help", "extdevd establish --help" };

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		ck_ok(parse(lines[i]));
		ck_assert(a.help);
		ksctl_args_free(&a);
	}
	ck_ok(parse("--version"));
	ck_assert(a.version && !a.help);
}
END_TEST

START_TEST(files_and_time_outs)
{
	ck_ok(parse("bsfd subscriber add -"));
	ck_assert_str_eq(a.file, "-");
	ck_assert_str_eq(a.file_member, "subscriber");
	ck_assert_uint_eq(json_object_size(a.body), 0);	/* main.c reads it */
	ksctl_args_free(&a);
	ck_ok(parse("bsfd naf add /x/naf.json"));
	ck_assert_str_eq(a.file, "/x/naf.json");
	ck_assert_str_eq(a.file_member, "naf");
	ck_assert_int_eq(a.timeout_s, 10);
	ksctl_args_free(&a);
	ck_ok(parse("extdevd establish"));
	ck_assert_int_eq(a.timeout_s, 60);
	ksctl_args_free(&a);
	ck_ok(parse("mtd wait ready --timeout 3"));
	ck_assert_int_eq(a.timeout_s, 3);
	ck_assert(a.verb->waits);
	ksctl_args_free(&a);
	ck_ok(parse("mtd trace --follow"));
	ck_assert(a.follow);
	ck_assert_uint_eq(json_object_size(a.body), 0);
}
END_TEST

START_TEST(words_that_are_no_utf8)
{
	char device[] = "\xff\xfe", k[] = "ksctl", n[] = "nafkcd", d[] = "device", al[] = "allow";
	char *argv[] = { k, n, d, al, device, NULL };

	ck_rc(ksctl_args_parse(5, argv, &a, why, sizeof why), RC_SYNTAX);
	ck_assert_ptr_nonnull(strstr(why, "UTF-8"));
}
END_TEST

START_TEST(s2_no_option_takes_a_key)
{
	static const char *const keys[] = { "--k", "--opc", "--op", "--key", "--ks", "--ki", "--psk", "--secret", "--pin", "--amf" };

	for (const struct ksctl_verb *v = ksctl_verbs; v->words != NULL; v++)
		for (const struct ksctl_param *p = v->params; p != NULL && p->name != NULL; p++)
			for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
				ck_assert_msg(strcmp(p->name, keys[i]) != 0 && (p->member == NULL || strcmp(p->member, keys[i] + 2) != 0),
				    "%s %s", v->words, p->name);
}
END_TEST

START_TEST(help_names_every_verb)
{
	char *text = NULL, line[256];
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	ksctl_help(f, KSCTL_DAEMONS);
	fclose(f);
	for (const struct ksctl_verb *v = ksctl_verbs; v->words != NULL; v++) {
		ksctl_synopsis(v, line, sizeof line);
		ck_assert_msg(strstr(text, line) != NULL, "%s", line);
		ck_assert_msg(strstr(text, v->help) != NULL, "%s", v->help);
	}
	ck_assert_ptr_nonnull(strstr(text, "--lab D"));
	ck_assert_ptr_nonnull(strstr(text, "subscriber add FILE|-"));
	ck_assert_ptr_nonnull(strstr(text, "establish [--force]"));
	free(text);
}
END_TEST

START_TEST(help_of_one_daemon)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	ksctl_help(f, KSCTL_NAFKCD);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "key limit --btid BTID --device DEVICE_ID [--naf NAF_ID] --expires TIME"));
	ck_assert_ptr_nonnull(strstr(text, "wait peer"));
	ck_assert_ptr_nonnull(strstr(text, "log-level"));
	ck_assert_ptr_null(strstr(text, "subscriber add"));
	ck_assert_ptr_null(strstr(text, "establish"));
	ck_assert_ptr_null(strstr(text, "all four together"));
	free(text);
}
END_TEST

START_TEST(an_option_that_is_needed)
{
	static const struct {
		const char *line, *why;
	} rows[] = { { "nafkcd key invalidate --btid b@c", "key invalidate: expected --device DEVICE_ID" },
		{ "nafkcd key invalidate --device d", "key invalidate: expected --btid BTID" },
		{ "nafkcd key limit --btid b@c --device d", "key limit: expected --expires TIME" },
		{ "nafkcd device limit d", "device limit: expected --expires TIME" },
		{ "mtd key derive --app a --out /x", "key derive: expected --device DEVICE_ID" },
		{ "extdevd key derive --out /x", "key derive: expected --app ID" } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ck_assert_int_eq(parse(rows[i].line), RC_SYNTAX);
		ck_assert_str_eq(why, rows[i].why);
		ksctl_args_free(&a);
	}
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(ksctl_daemon_name(KSCTL_BSFD), "bsfd");
	ck_assert_str_eq(ksctl_daemon_name(KSCTL_EXTDEVD), "extdevd");
	ck_assert_ptr_null(ksctl_daemon_name(KSCTL_DAEMONS));
	ck_assert_ptr_null(ksctl_daemon_name((enum ksctl_daemon)99));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ksctl args");
	TCase *c = tcase_create("args");
	int rows = 0;

	while (ksctl_verbs[rows].words != NULL)
		rows++;
	tcase_add_checked_fixture(c, NULL, teardown);
	tcase_add_loop_test(c, said, 0, TABLE_N(good));
	tcase_add_loop_test(c, every_row_is_said_by_a_good_line, 0, rows);
	tcase_add_loop_test(c, refused, 0, TABLE_N(bad));
	tcase_add_test(c, globals_anywhere);
	tcase_add_test(c, help_and_version);
	tcase_add_test(c, files_and_time_outs);
	tcase_add_test(c, words_that_are_no_utf8);
	tcase_add_test(c, s2_no_option_takes_a_key);
	tcase_add_test(c, help_names_every_verb);
	tcase_add_test(c, help_of_one_daemon);
	tcase_add_test(c, an_option_that_is_needed);
	tcase_add_test(c, names);
	suite_add_tcase(s, c);
	return unit_run(s);
}
