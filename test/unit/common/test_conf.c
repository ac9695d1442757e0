/* conf (S4): what is taken, what is refused, and with which file, line and key. */
#include "common/conf.h"

#include <check.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "common/log.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

static cfg_opt_t deep[] = { CFG_STR("x", "deep", CFGF_NONE), CFG_END() };
static cfg_opt_t inner[] = {
	CFG_STR("listen", "127.0.0.1:0", CFGF_NONE), CFG_INT("threads", 3, CFGF_NONE), CFG_SEC("deep", deep, CFGF_NONE), CFG_END()
};
static cfg_opt_t peer[] = { CFG_STR("realm", NULL, CFGF_NONE), CFG_BOOL("relay", cfg_false, CFGF_NONE), CFG_END() };
static cfg_opt_t opts[] = {
	CFG_STR("name", NULL, CFGF_NONE), CFG_STR("life", "10m", CFGF_NONE), CFG_STR("mode", "soft", CFGF_NONE),
	CFG_INT("count", 5, CFGF_NONE), CFG_BOOL("loud", cfg_false, CFGF_NONE), CFG_STR_LIST("ids", "{a, b}", CFGF_NONE),
	CFG_SEC("ub", inner, CFGF_NONE), CFG_SEC("peer", peer, CFGF_MULTI | CFGF_TITLE), CFG_SEC("many", peer, CFGF_MULTI), CFG_END()
};

static struct conf *c;
static char *err;
static size_t err_n;
static FILE *errf;

static void
setup(void)
{
	tmpdir_make();
	c = NULL;
	errf = open_memstream(&err, &err_n);
}

static void
teardown(void)
{
	conf_free(c);
	fclose(errf);
	free(err);
	tmpdir_remove();
}

static enum rc
parse(const char *text)
{
	enum rc rc = conf_parse("f", span_str(text), opts, errf, &c);

	fflush(errf);
	return rc;
}

static void
complained(const char *say)
{
	fflush(errf);
	ck_assert_msg(strstr(err, say) != NULL, "wanted: %s\ngot: %s", say, err);
}

START_TEST(defaults)
{
	static const char *const words[] = { "hard", "soft", NULL };

	ck_ok(parse(""));
	ck_assert(!conf_has(c, NULL, "name"));
	ck_assert(conf_has(c, NULL, "life"));
	ck_assert_int_eq(conf_duration(c, NULL, "life", 1, 3600), 600);
	ck_assert_uint_eq(conf_word(c, NULL, "mode", words), 1);
	ck_assert_int_eq(conf_int(c, NULL, "count", 0, 10), 5);
	ck_assert(!conf_bool(c, NULL, "loud"));
	ck_assert_uint_eq(conf_count(c, NULL, "ids"), 2);
	ck_assert_str_eq(conf_text_at(c, NULL, "ids", 1, CONF_ANY), "b");
	ck_assert_uint_eq(conf_count(c, NULL, "peer"), 0);
	ck_assert(!conf_has(c, NULL, "ub"));
	ck_assert_str_eq(conf_text(c, conf_section(c, NULL, "ub", 0), "listen", CONF_HOST_PORT), "127.0.0.1:0");
	ck_assert_str_eq(conf_text(c, conf_section(c, conf_section(c, NULL, "ub", 0), "deep", 0), "x", CONF_ANY), "deep");
	ck_ok(conf_done(c));
	ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(values)
{
	static const char *const words[] = { "hard", "soft", NULL };

	ck_ok(parse("name = \"a name\"\nlife = 2h\nmode = hard count = 7 loud = yes\nids = { \"x\" , y }\n"
	    "ub { listen = \"[::1]:80\" deep { x = y } }\n"
	    "peer \"one\" { realm = r1 relay = on }\npeer two { realm = 'r2' }\nmany { realm = m1 }\nmany { realm = m2 }\n"));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "a name");
	ck_assert_int_eq(conf_duration(c, NULL, "life", 1, 7200), 7200);
	ck_assert_uint_eq(conf_word(c, NULL, "mode", words), 0);
	ck_assert_int_eq(conf_int(c, NULL, "count", 0, 10), 7);
	ck_assert(conf_bool(c, NULL, "loud"));
	ck_assert_uint_eq(conf_count(c, NULL, "ids"), 2);
	ck_assert_str_eq(conf_text_at(c, NULL, "ids", 0, CONF_ANY), "x");
	ck_assert(conf_has(c, NULL, "ub"));
	ck_assert_str_eq(conf_text(c, conf_section(c, NULL, "ub", 0), "listen", CONF_HOST_PORT), "[::1]:80");
	ck_assert_str_eq(conf_text(c, conf_section(c, conf_section(c, NULL, "ub", 0), "deep", 0), "x", CONF_ANY), "y");
	ck_assert_uint_eq(conf_count(c, NULL, "peer"), 2);
	ck_assert_str_eq(conf_title(conf_section(c, NULL, "peer", 0)), "one");
	ck_assert_str_eq(conf_title(conf_section(c, NULL, "peer", 1)), "two");
	ck_assert_str_eq(conf_text(c, conf_section(c, NULL, "peer", 1), "realm", CONF_ANY), "r2");
	ck_assert(conf_bool(c, conf_section(c, NULL, "peer", 0), "relay"));
	ck_assert_uint_eq(conf_count(c, NULL, "many"), 2);
	ck_assert_str_eq(conf_text(c, conf_section(c, NULL, "many", 1), "realm", CONF_ANY), "m2");
	ck_assert_str_eq(conf_title(conf_section(c, NULL, "many", 1)), "");
	ck_ok(conf_done(c));
}
END_TEST

START_TEST(empty_text_is_not_there)
{
	ck_ok(parse("name = \"\"\nids = {}\n"));
	ck_assert(!conf_has(c, NULL, "name"));
	ck_assert_uint_eq(conf_count(c, NULL, "ids"), 0);
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "");
	complained("f:1: name: is missing; expected a text");
	ck_rc(conf_done(c), RC_SYNTAX);
}
END_TEST

static const struct {
	const char *text, *say;
} bad[] = {
	/* S4: given twice */
	{ "name = a\nlife = 1h\nname = b\n", "f:3: name: given twice; line 1 has it too\n" },
	{ "ub { listen = a\nlisten = b }", "f:2: listen: given twice; line 1 has it too\n" },
	{ "ub { }\n\nub { }", "f:3: ub: given twice; line 1 has it too\n" },
	{ "ids = { a }\nids = { b }", "f:2: ids: given twice; line 1 has it too\n" },
	{ "peer a { realm = x }\npeer b { realm = x }\npeer a { realm = y }\n", "f:3: peer: 'a' is given twice; line 1 has it too\n" },
	{ "peer \"a\" { realm = x }\npeer 'a' { realm = y }\n", "f:2: peer: 'a' is given twice" },
	/* S4: the environment */
	{ "name = \"${HOME}\"\n", "f:1: '${' is refused" },
	{ "life = 1h\nname = '${HOME}'\n", "f:2: '${' is refused" },
	{ "name = ${HOME}\n", "f:1: unexpected '$'" },
	{ "peer \"${HOME}\" { }\n", "f:1: '${' is refused" },
	/* unknown */
	{ "\n\nnmae = a\n", "f:3: nmae: unknown here; expected one of: name life mode" },
	{ "ub { nmae = a }\n", "f:1: nmae: unknown here; expected one of: listen threads deep\n" },
	{ "include(\"/etc/passwd\")\n", "f:1: unexpected '('" },
	{ "listen = a\n", "f:1: listen: unknown here" },
	/* the wrong kind */
	{ "ub = 5\n", "f:1: ub: expected a section: ub { " },
	{ "name { }\n", "f:1: name: expected a value: name = " },
	{ "name = { a, b }\n", "f:1: name: expected one value, not a list\n" },
	{ "peer { }\n", "f:1: peer: expected a title" },
	{ "peer \"\" { }\n", "f:1: peer: expected a title" },
	{ "ub x { }\n", "f:1: ub: expected no title" },
	{ "peer \"a\\\"b\" { }\n", "f:1: no '\\' in a title\n" },
	{ "count = many\n", "f:1: invalid integer value for option 'count'\n" },
	{ "loud = perhaps\n", "f:1: invalid boolean value for option 'loud'\n" },
	{ "count = 99999999999999999999\n", "f:1: integer value for option 'count' is out of range\n" },
	/* grammar */
	{ "name\n", "f:2: expected '=' or '{' after 'name'\n" },
	{ "name a\n", "f:2: expected '=' or '{' after 'name'\n" },
	{ "name = \n", "f:2: expected a value after 'name ='\n" },
	{ "name = }\n", "f:1: expected a value after 'name ='\n" },
	{ "name += a\n", "f:1: unexpected '+'" },
	{ "= a\n", "f:1: expected a key\n" },
	{ "\"name\" = a\n", "f:1: expected a key\n" },
	{ "}\n", "f:1: expected a key\n" },
	{ "ub {\nlisten = a\n", "f:1: this section has no '}'\n" },
	{ "ub {\ndeep {\n}\n", "f:1: this section has no '}'\n" },
	{ "ids = {\na\n", "f:3: expected ',' or '}' in the list that begins in line 1\n" },
	{ "ids = { a b }\n", "f:1: expected ',' or '}' in the list" },
	{ "ids = { a, }\n", "f:1: expected a value in the list" },
	{ "ids = { , a }\n", "f:1: expected a value in the list" },
	{ "ids = { { a } }\n", "f:1: expected a value in the list" },
	{ "name = \"abc\nlife = \"1h\"\n", "f:1: this quote is not closed on its line\n" },
	{ "name = \"abc\\\n\"\n", "f:1: this quote is not closed on its line\n" },
	{ "name = \"abc", "f:1: this quote is not closed on its line\n" },
	{ "name = \"abc\\", "f:1: this quote is not closed on its line\n" },
	{ "name = a\n/* not ended\n\n", "f:2: this comment is not ended\n" },
	{ "name = a*b\n", "f:1: unexpected '*'; put texts in double quotes\n" },
	{ "name = caf\xc3\xa9\n", "f:1: unexpected octet c3; put texts in double quotes\n" },
	{ "name = \"a\x01\"\n", "f:1: a control character in quotes\n" },
	{ "ub { deep { x { y { z { } } } } }\n", "f:1: sections may be 4 deep\n" },
};

START_TEST(refused)
{
	ck_rc(parse(bad[_i].text), RC_SYNTAX);
	ck_assert_ptr_null(c);
	complained(bad[_i].say);
}
END_TEST

START_TEST(nul_octets)
{
	ck_rc(conf_parse("f", span_of("name = a\0b\n", 11), opts, errf, &c), RC_SYNTAX);
	complained("f:1: unexpected octet 00");
	ck_rc(conf_parse("f", span_of("name = \"a\0b\"\n", 13), opts, errf, &c), RC_SYNTAX);
	complained("f:1: a control character in quotes");
	/* In a comment it is as good as anything. */
	ck_ok(conf_parse("f", span_of("# a\0b\nname = a\n", 15), opts, errf, &c));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "a");
}
END_TEST

START_TEST(lines_are_right_behind_comments)
{
	/* libconfuse 3.3 alone would say 9. */
	ck_ok(parse("# one\n// two\n/* three\n four */ name = \"#no // comment /* here\"\nlife = 5 # unit?\n\r\nmode = odd\n"));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "#no // comment /* here");
	conf_duration(c, NULL, "life", 1, 10);
	complained("f:5: life: '5'; expected a duration");
	conf_complain(c, NULL, "mode", "no %d", 7);
	complained("f:7: mode: no 7\n");
}
END_TEST

START_TEST(environment_in_a_comment_is_nothing)
{
	ck_ok(parse("# ${HOME}\nname = a\n"));
}
END_TEST

START_TEST(unquoted_urls_and_paths)
{
	ck_ok(parse("name = http://127.0.0.1:80/x-y_z.q%20@[::1]~ # a comment\nids = { /etc/x, a//b }\n"));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "http://127.0.0.1:80/x-y_z.q%20@[::1]~");
	ck_assert_str_eq(conf_text_at(c, NULL, "ids", 0, CONF_PATH), "/etc/x");
	ck_assert_str_eq(conf_text_at(c, NULL, "ids", 1, CONF_PATH), "a//b");
}
END_TEST

START_TEST(escapes)
{
	ck_ok(parse("name = \"q\\\"b\\\\s\"\n"));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "q\"b\\s");
	conf_free(c);
	c = NULL;
	/* What an escape brings in is judged like the rest. */
	ck_ok(parse("name = \"a\\x07b\"\n"));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "");
	complained("f:1: name: expected a text of printable characters\n");
}
END_TEST

START_TEST(complaints_stick_and_getters_go_on)
{
	static const char *const words[] = { "hard", "soft", NULL };
	cfg_t *s;

	ck_ok(parse("life = 99d\nmode = fluid\ncount = 11\npeer p {\n\n}\nub { threads = 010 }\n"));
	ck_assert_int_eq(conf_duration(c, NULL, "life", 60, 3600), 60);
	complained("f:1: life: '99d'; expected 60s to 3600s\n");
	ck_assert_uint_eq(conf_word(c, NULL, "mode", words), 0);
	complained("f:2: mode: 'fluid'; expected one of: hard soft\n");
	ck_assert_int_eq(conf_int(c, NULL, "count", 1, 10), 1);
	complained("f:3: count: 11; expected 1 to 10\n");
	s = conf_section(c, NULL, "peer", 0);
	ck_assert_str_eq(conf_text(c, s, "realm", CONF_IDENTITY), "");
	complained("f:4: realm: is missing; expected a Diameter identity");	/* the section's line */
	s = conf_section(c, NULL, "ub", 0);
	ck_assert_int_eq(conf_int(c, s, "threads", 1, 10), 1);
	complained("f:7: threads: expected a decimal number\n");	/* not 8 */
	conf_complain(c, s, NULL, "cert and key go together");
	complained("f:7: cert and key go together\n");
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_FQDN), "");
	complained("f: name: is missing; expected a lower-case FQDN");
	ck_rc(conf_done(c), RC_SYNTAX);
}
END_TEST

START_TEST(a_key_of_a_section_that_is_not_there_is_named_with_it)
{
	ck_ok(parse("count = 5\n"));
	conf_complain(c, conf_section(c, NULL, "ub", 0), "threads", "is missing");
	complained("f: ub { threads }: is missing\n");
	ck_rc(conf_done(c), RC_SYNTAX);
}
END_TEST

START_TEST(negative_numbers)
{
	ck_ok(parse("count = -3\n"));
	ck_assert_int_eq(conf_int(c, NULL, "count", -5, 5), -3);
	ck_ok(conf_done(c));
}
END_TEST

static const char *const numbers[] = { "0x10", "010", "+5", "-010", "1e3", "-" };

START_TEST(odd_numbers)
{
	char text[64];

	snprintf(text, sizeof text, "count = %s\n", numbers[_i]);
	if (parse(text) == RC_OK) {
		conf_int(c, NULL, "count", -100, 100);
		ck_rc(conf_done(c), RC_SYNTAX);
	}
	ck_assert_str_ne(err, "");
}
END_TEST

START_TEST(every_mistake_of_the_table_at_once)
{
	ck_rc(parse("zz = 1\nname = a\nname = b\nyy { a = 1 }\n"), RC_SYNTAX);
	complained("f:1: zz");
	complained("f:3: name: given twice");
	complained("f:4: yy");
	ck_assert_ptr_null(strstr(err, ": a: "));	/* inside what is unknown nothing more is said */
}
END_TEST

static char big[CONF_FILE_MAX + 16];
static size_t big_n;

static void PRINTF_LIKE(1, 2)
add(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	big_n += (size_t)vsnprintf(big + big_n, sizeof big - big_n, fmt, ap);
	va_end(ap);
	ck_assert_uint_lt(big_n, sizeof big);
}

/* So many times the letter. */
static void
add_run(char letter, size_t n)
{
	memset(big + big_n, letter, n);
	big_n += n;
	big[big_n] = '\0';
}

START_TEST(sizes)
{
	/* A file of exactly the largest size, one longer, a text of the largest length, one longer. */
	add_run(' ', CONF_FILE_MAX + 1);
	ck_ok(conf_parse("f", span_of(big, CONF_FILE_MAX), opts, errf, &c));
	conf_free(c);
	c = NULL;
	ck_rc(conf_parse("f", span_of(big, CONF_FILE_MAX + 1), opts, errf, &c), RC_SYNTAX);
	complained("f:1: the file has more than 262144 octets\n");
	big_n = 0;
	add("name = \"");
	add_run('x', CONF_TEXT_MAX);
	add("\"\n");
	ck_ok(parse(big));
	conf_free(c);
	c = NULL;
	big_n -= 2;
	add("x\"\n");
	ck_rc(parse(big), RC_SYNTAX);
	complained("f:1: a text may have 1024 octets\n");
	big_n = 0;
	add("name = ");
	add_run('x', CONF_TEXT_MAX + 1);
	add("\n");
	ck_rc(parse(big), RC_SYNTAX);
	complained("f:1: a word may have 1024 octets\n");
}
END_TEST

START_TEST(many_values_and_sections)
{
	add("ids = { a");
	for (int i = 1; i < CONF_LIST_MAX; i++)
		add(", a");
	add(" }\n");
	ck_ok(parse(big));
	ck_assert_uint_eq(conf_count(c, NULL, "ids"), CONF_LIST_MAX);
	conf_free(c);
	c = NULL;
	big_n -= 3;
	add(", a }\n");
	ck_rc(parse(big), RC_SYNTAX);
	complained("a list may have 256 values\n");
	big_n = 0;
	for (int i = 0; i <= CONF_LIST_MAX; i++)
		add("many { }\n");
	ck_rc(parse(big), RC_SYNTAX);
	complained("f:257: many: more than 256 of these\n");
	big_n = 0;
	for (int i = 0; i <= 4096; i++)
		add("peer p%d { }\n", i);
	ck_rc(parse(big), RC_SYNTAX);
	complained("f:4097: more than 4096 keys\n");
}
END_TEST

START_TEST(a_long_key_and_a_long_title)
{
	add_run('k', 200);
	add(" = 1\n");
	ck_rc(parse(big), RC_SYNTAX);
	complained("f:1: a key too long: unknown here");
	big_n = 0;
	add("peer ");
	add_run('t', 1000);
	add(" { realm = x }\n");
	ck_ok(parse(big));
	ck_assert_uint_eq(strlen(conf_title(conf_section(c, NULL, "peer", 0))), 1000);
}
END_TEST

START_TEST(files)
{
	char text[256];

	tmpdir_write("open", "x", 1, 0644);
	tmpdir_write("closed", "x", 1, 0600);
	snprintf(text, sizeof text, "name = \"%s/open\"\nlife = \"%s/none\"\nids = { \"%s/closed\" }\n", tmpdir, tmpdir, tmpdir);
	ck_ok(parse(text));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_FILE), tmpdir_file("open"));
	ck_assert_str_eq(conf_text_at(c, NULL, "ids", 0, CONF_PRIVATE_FILE), tmpdir_file("closed"));
	ck_ok(conf_done(c));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_PRIVATE_FILE), "");
	complained("is open to its group or the world (mode 0644): chmod 600 it");
	ck_assert_str_eq(conf_text(c, NULL, "life", CONF_FILE), "");
	complained("f:2: life: ");
	complained("No such file");
	ck_assert_str_eq(conf_text(c, NULL, "life", CONF_PATH), tmpdir_file("none"));
}
END_TEST

START_TEST(a_pin_is_not_shown)
{
	ck_ok(parse("name = \"12\\x0734\"\n"));
	conf_text(c, NULL, "name", CONF_ANY);
	fflush(errf);
	ck_assert_str_ne(err, "");
	ck_assert_ptr_null(strstr(err, "12"));
}
END_TEST

START_TEST(from_a_file)
{
	int was = dup(STDERR_FILENO);

	tmpdir_write("conf", "name = x\n", 9, 0644);
	ck_ok(conf_load(tmpdir_file("conf"), opts, &c));
	ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "x");
	conf_free(c);
	c = NULL;
	close(STDERR_FILENO);
	ck_rc(conf_load(tmpdir_file("none"), opts, &c), RC_IO);
	ck_rc(conf_load(tmpdir, opts, &c), RC_IO);
	dup2(was, STDERR_FILENO);
	ck_assert_ptr_null(c);
	conf_free(NULL);
}
END_TEST

START_TEST(one_after_the_other)
{
	/* libconfuse's lexer is one for the process: a failed file leaves nothing behind for the next. */
	for (int i = 0; i < TABLE_N(bad); i++) {
		ck_rc(parse(bad[i].text), RC_SYNTAX);
		ck_ok(parse("name = good\nids = { p, q }\n"));
		ck_assert_str_eq(conf_text(c, NULL, "name", CONF_ANY), "good");
		ck_assert_uint_eq(conf_count(c, NULL, "ids"), 2);
		conf_free(c);
		c = NULL;
	}
}
END_TEST

/* --- the pure parts */

static const struct {
	const char *text;
	enum rc rc;
	int64_t s;
} durations[] = {
	{ "0s", RC_OK, 0 }, { "1s", RC_OK, 1 }, { "30s", RC_OK, 30 }, { "10m", RC_OK, 600 }, { "6h", RC_OK, 21600 }, { "1d", RC_OK, 86400 },
	{ "36500d", RC_OK, INT64_C(3153600000) }, { "36501d", RC_RANGE, 0 }, { "3153600001s", RC_RANGE, 0 },
	{ "99999999999999999999s", RC_RANGE, 0 }, { "", RC_SYNTAX, 0 }, { "s", RC_SYNTAX, 0 }, { "5", RC_SYNTAX, 0 }, { "5x", RC_SYNTAX, 0 },
	{ "5S", RC_SYNTAX, 0 }, { "5ss", RC_SYNTAX, 0 }, { "5 s", RC_SYNTAX, 0 }, { " 5s", RC_SYNTAX, 0 }, { "-5s", RC_SYNTAX, 0 },
	{ "+5s", RC_SYNTAX, 0 }, { "05s", RC_SYNTAX, 0 }, { "1.5h", RC_SYNTAX, 0 }, { "1h30m", RC_SYNTAX, 0 }, { "0x5s", RC_SYNTAX, 0 },
};

START_TEST(duration)
{
	int64_t s;

	untouched_fill(&s, sizeof s);
	ck_rc(conf_parse_duration(span_str(durations[_i].text), &s), durations[_i].rc);
	if (durations[_i].rc == RC_OK)
		ck_assert_int_eq(s, durations[_i].s);
	else
		ck_assert(untouched(&s, sizeof s));
}
END_TEST

#define X63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
static const struct {
	enum conf_kind kind;
	const char *text;
	bool ok;
} texts[] = {
	{ CONF_ANY, "x", true }, { CONF_ANY, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", true }, { CONF_ANY, "", false },
	{ CONF_ANY, "a\tb", false }, { CONF_ANY, "a\nb", false }, { CONF_ANY, "\x7f", false }, { CONF_ANY, "\xc3", false },
	{ CONF_ANY, "\xc0\xaf", false }, { CONF_ANY, "\xe0\x80\xaf", false }, { CONF_ANY, "\xed\xa0\x80", false },
	{ CONF_ANY, "\xf4\x90\x80\x80", false }, { CONF_ANY, "\xc2\x85", false }, { CONF_ANY, "\x80", false }, { CONF_ANY, "\xc3(", false },
	{ CONF_FQDN, "bsf.operator.example", true }, { CONF_FQDN, "localhost", false }, { CONF_FQDN, "BSF.example", false },
	{ CONF_FQDN, "bsf.example.", false }, { CONF_FQDN, "bsf..example", false }, { CONF_FQDN, "bsf example.org", false },
	{ CONF_IDENTITY, "bsf.operator.example", true }, { CONF_IDENTITY, "bsf", true }, { CONF_IDENTITY, X63, true },
	{ CONF_IDENTITY, X63 "x", false }, { CONF_IDENTITY, "bsf.", false }, { CONF_IDENTITY, "-bsf", false }, { CONF_IDENTITY, "BSF", false },
	{ CONF_NAF_ID, "naf.example/0100000002", true }, { CONF_NAF_ID, "naf.example/010000000", false },
	{ CONF_NAF_ID, "naf.example/01000000AB", false }, { CONF_NAF_ID, "naf.example", false },
	{ CONF_PROTOCOL, "0100000002", true }, { CONF_PROTOCOL, "01000000AB", false }, { CONF_PROTOCOL, "010000000", false },
	{ CONF_PROTOCOL, "01000000020", false },
	{ CONF_LINK, "tcp:127.0.0.1:0", true }, { CONF_LINK, "tcp:[::1]:7259", true }, { CONF_LINK, "tcp:host.example:65535", true },
	{ CONF_LINK, "unix:/run/x.sock", true }, { CONF_LINK, "unix:run/x.sock", false }, { CONF_LINK, "unix:", false },
	{ CONF_LINK, "unix:/" X63 X63, false }, { CONF_LINK, "tcp:127.0.0.1", false }, { CONF_LINK, "tcp::80", false },
	{ CONF_LINK, "serial:/dev/ttyUSB0", true }, { CONF_LINK, "serial:ttyUSB0", false }, { CONF_LINK, "serial:", false },
	{ CONF_LINK, "serial:/" X63 X63, false }, { CONF_LINK, "udp:127.0.0.1:1", false }, { CONF_LINK, "127.0.0.1:1", false }, { CONF_LINK, "tcp:127.0.0.1:65536", false },
	{ CONF_HOST_PORT, "127.0.0.1:0", true }, { CONF_HOST_PORT, "[::]:443", true }, { CONF_HOST_PORT, "Host-1.example:443", true },
	{ CONF_HOST_PORT, "::1:80", false }, { CONF_HOST_PORT, "[::1]", false }, { CONF_HOST_PORT, "[::1]80", false },
	{ CONF_HOST_PORT, "[zz]:80", false }, { CONF_HOST_PORT, "host:", false }, { CONF_HOST_PORT, "host:080", false },
	{ CONF_HOST_PORT, "host:-1", false }, { CONF_HOST_PORT, "ho st:80", false }, { CONF_HOST_PORT, "host", false },
	{ CONF_URL_HTTP, "http://127.0.0.1:8080/", true }, { CONF_URL_HTTP, "http://bsf.example", true },
	{ CONF_URL_HTTP, "http://[::1]/x", true }, { CONF_URL_HTTP, "https://bsf.example/", false }, { CONF_URL_HTTP, "http:/bsf", false },
	{ CONF_URL_HTTP, "http://", false }, { CONF_URL_HTTP, "http:///x", false }, { CONF_URL_HTTP, "http://u@h/", false },
	{ CONF_URL_HTTP, "http://h/x?y", false }, { CONF_URL_HTTP, "http://h/x#y", false }, { CONF_URL_HTTP, "http://h:0x50/", false },
	{ CONF_URL_HTTP, "HTTP://h/", false },
	{ CONF_URL_HTTPS, "https://nafkc.example/keycentre/v1/key-request", true }, { CONF_URL_HTTPS, "http://nafkc.example/", false },
	{ CONF_PATH, "/etc/x y", true }, { CONF_PATH, "x", true }, { CONF_PATH, "", false }, { CONF_PATH, "a\x01", false },
};

START_TEST(text)
{
	ck_assert_msg(conf_text_ok(span_str(texts[_i].text), texts[_i].kind) == texts[_i].ok, "%d '%s'", (int)texts[_i].kind, texts[_i].text);
}
END_TEST

START_TEST(text_limits)
{
	static char long_text[CONF_TEXT_MAX + 2];

	memset(long_text, 'a', sizeof long_text - 1);
	ck_assert(!conf_text_ok(span_of(long_text, CONF_TEXT_MAX + 1), CONF_ANY));
	ck_assert(conf_text_ok(span_of(long_text, CONF_TEXT_MAX), CONF_ANY));
	ck_assert(!conf_text_ok(span_of("a\0b", 3), CONF_ANY));
	ck_assert(!conf_text_ok(span_of("a.b\0", 4), CONF_FQDN));
	ck_assert(!conf_text_ok(span_of("h\0:1", 4), CONF_HOST_PORT));
	for (int k = CONF_ANY; k <= CONF_PRIVATE_FILE; k++)
		ck_assert_str_ne(conf_expected((enum conf_kind)k), "something else");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conf S4");
	TCase *t = tcase_create("S4"), *p = tcase_create("pure");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, defaults);
	tcase_add_test(t, values);
	tcase_add_test(t, empty_text_is_not_there);
	tcase_add_loop_test(t, refused, 0, TABLE_N(bad));
	tcase_add_test(t, nul_octets);
	tcase_add_test(t, lines_are_right_behind_comments);
	tcase_add_test(t, environment_in_a_comment_is_nothing);
	tcase_add_test(t, unquoted_urls_and_paths);
	tcase_add_test(t, escapes);
	tcase_add_test(t, complaints_stick_and_getters_go_on);
	tcase_add_test(t, a_key_of_a_section_that_is_not_there_is_named_with_it);
	tcase_add_test(t, negative_numbers);
	tcase_add_loop_test(t, odd_numbers, 0, TABLE_N(numbers));
	tcase_add_test(t, every_mistake_of_the_table_at_once);
	tcase_add_test(t, sizes);
	tcase_add_test(t, many_values_and_sections);
	tcase_add_test(t, a_long_key_and_a_long_title);
	tcase_add_test(t, files);
	tcase_add_test(t, a_pin_is_not_shown);
	tcase_add_test(t, from_a_file);
	tcase_add_test(t, one_after_the_other);
	suite_add_tcase(s, t);
	tcase_add_loop_test(p, duration, 0, TABLE_N(durations));
	tcase_add_loop_test(p, text, 0, TABLE_N(texts));
	tcase_add_test(p, text_limits);
	suite_add_tcase(s, p);
	return unit_run(s);
}
