/* show: exit codes, errors with what, why and next, answers as tables, blocks and lines; nobody's text moves the cursor. */
#include <check.h>
#include <stdio.h>

#include "ctl/ksctl.h"
#include "test/unit/unit.h"

static const struct ksctl_verb plain = { .words = "x", .show = KSCTL_SHOW_MEMBERS }, waits = { .words = "wait", .waits = true },
    heals = { .words = "health", .show = KSCTL_SHOW_HEALTH }, table = { .words = "list", .show = KSCTL_SHOW_TABLE, .list = "keys" },
    check = { .words = "key check", .show = KSCTL_SHOW_CHECK, .list = "keys" },
    trace = { .words = "trace", .show = KSCTL_SHOW_TRACE, .list = "events" };

static const struct {
	const struct ksctl_verb *v;
	const char *body, *error;
	enum reason why;
	enum ksctl_exit code;
} exits[] = {
	{ &plain, "{}", NULL, REASON_NONE, KSCTL_DONE },
	{ &heals, "{\"healthy\":true}", NULL, REASON_NONE, KSCTL_DONE },
	{ &heals, "{\"healthy\":false}", NULL, REASON_NONE, KSCTL_NO },
	{ &heals, "{}", NULL, REASON_NONE, KSCTL_NO },
	/* What the Key Center said of each key (N7). */
	{ &check, "{\"keys\":[{\"said\":\"good\"},{\"said\":\"unchanged\"}]}", NULL, REASON_NONE, KSCTL_DONE },
	{ &check, "{\"keys\":[{\"said\":\"good\"},{\"said\":\"gone\"},{\"said\":\"good\"}]}", NULL, REASON_NONE, KSCTL_NO },
	{ &check, "{\"keys\":[{\"said\":\"unknown\"}]}", NULL, REASON_NONE, KSCTL_NO },
	{ &check, "{\"keys\":[{\"said\":\"nothing\"},{\"said\":\"gone\"}]}", NULL, REASON_NONE, KSCTL_UNREACHABLE },
	{ &check, "{\"keys\":[{}]}", NULL, REASON_NONE, KSCTL_UNREACHABLE },
	{ &check, NULL, "{\"code\":\"unknown-key\"}", REASON_LOCAL_UNKNOWN_KEY, KSCTL_NO },
	/* Nobody there, or gone, or mute. */
	{ &plain, NULL, NULL, REASON_LINK_UNREACHABLE, KSCTL_UNREACHABLE },
	{ &plain, NULL, NULL, REASON_LOCAL_GONE, KSCTL_UNREACHABLE },
	{ &plain, NULL, NULL, REASON_LOCAL_TIMEOUT, KSCTL_UNREACHABLE },
	{ &waits, NULL, NULL, REASON_LINK_UNREACHABLE, KSCTL_UNREACHABLE },
	/* It waited, and it did not come. */
	{ &waits, NULL, NULL, REASON_LOCAL_TIMEOUT, KSCTL_NO },
	{ &waits, NULL, "{\"code\":\"busy\",\"reason\":\"local-timeout\"}", REASON_LOCAL_TIMEOUT, KSCTL_NO },
	/* The daemon says no. */
	{ &plain, NULL, "{\"code\":\"unknown-key\"}", REASON_LOCAL_UNKNOWN_KEY, KSCTL_NO },
	{ &plain, NULL, "{\"code\":\"refused\"}", REASON_LOCAL_REFUSED, KSCTL_REFUSED },
	{ &plain, NULL, "{\"code\":\"bootstrap-failed\"}", REASON_LOCAL_BOOTSTRAP_FAILED, KSCTL_REFUSED },
	{ &plain, NULL, "{\"code\":\"clock-jumped\"}", REASON_CLOCK_JUMPED, KSCTL_REFUSED },
	{ &plain, NULL, "{\"code\":\"bad-message\"}", REASON_LOCAL_BAD_MESSAGE, KSCTL_REFUSED },
	{ &plain, NULL, "{\"code\":\"bad-message\"}", REASON_CTL_USAGE, KSCTL_USAGE },
	{ &plain, NULL, "{\"code\":\"bootstrap-failed\"}", REASON_BSF_UNREACHABLE, KSCTL_UNREACHABLE },
	{ &plain, NULL, "{\"code\":\"busy\"}", REASON_LOCAL_BUSY, KSCTL_REFUSED },
	/* Its peer is not there. */
	{ &plain, NULL, "{\"code\":\"busy\",\"reason\":\"link-unreachable\"}", REASON_LINK_UNREACHABLE, KSCTL_UNREACHABLE },
	{ &plain, NULL, "{\"code\":\"busy\"}", REASON_ZN_UNREACHABLE, KSCTL_UNREACHABLE },
	{ &plain, NULL, "{\"code\":\"busy\"}", REASON_STOPPING, KSCTL_UNREACHABLE },
	{ &plain, NULL, "{\"code\":\"refused\"}", REASON_LINK_TLS_CA, KSCTL_REFUSED },
};

static json_t *
js(const char *text)
{
	json_t *o = text != NULL ? json_loads(text, 0, NULL) : NULL;

	ck_assert(text == NULL || o != NULL);
	return o;
}

START_TEST(exit_codes)
{
	struct ksctl_answer a = { .body = js(exits[_i].body), .error = js(exits[_i].error), .why = exits[_i].why };

	ck_assert_int_eq(ksctl_exit_of(&a, exits[_i].v), exits[_i].code);
	ksctl_answer_free(&a);
}
END_TEST

static char *
shown(const struct ksctl_verb *v, const char *body, int width)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);
	json_t *o = js(body);

	ksctl_show(f, v, o, width);
	fclose(f);
	json_decref(o);
	return s;
}

static void
shows(const struct ksctl_verb *v, const char *body, int width, const char *want)
{
	char *s = shown(v, body, width);

	ck_assert_str_eq(s, want);
	free(s);
}

START_TEST(error_has_what_why_next)
{
	const struct reason_info *i = reason_get(REASON_LOCAL_NO_UICC);
	struct ksctl_answer a = { .error = js("{\"code\":\"no-uicc\",\"text\":\"slot 1 is\\u001b[2J empty\",\"retry_after_s\":3}"),
	    .why = REASON_LOCAL_NO_UICC, .detail = "reader" };
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);
	json_t *o = ksctl_error_json(&a), *e = json_object_get(o, "error");

	ksctl_show_error(f, "mtd", &a);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(s, "ksctl: mtd: slot 1 is?[2J empty (local-no-uicc)\n"));
	ck_assert_ptr_nonnull(strstr(s, i->what));
	ck_assert_ptr_nonnull(strstr(s, i->why));
	ck_assert_ptr_nonnull(strstr(s, i->next));
	ck_assert_ptr_nonnull(strstr(s, "in 3 s"));
	ck_assert_ptr_nonnull(strstr(s, "reader"));
	free(s);
	ck_assert_str_eq(json_string_value(json_object_get(e, "code")), "no-uicc");
	ck_assert_str_eq(json_string_value(json_object_get(e, "reason")), "local-no-uicc");
	ck_assert_str_eq(json_string_value(json_object_get(e, "next")), i->next);
	ck_assert_str_eq(json_string_value(json_object_get(e, "detail")), "reader");
	ck_assert_int_eq(json_integer_value(json_object_get(e, "retry_after_s")), 3);
	json_decref(o);
	ksctl_answer_free(&a);
}
END_TEST

START_TEST(error_without_words)
{
	struct ksctl_answer a = { .why = REASON_LINK_UNREACHABLE };
	json_t *o = ksctl_error_json(&a), *e = json_object_get(o, "error");

	ck_assert_str_eq(json_string_value(json_object_get(e, "code")), "busy");
	ck_assert_str_eq(json_string_value(json_object_get(e, "text")), reason_get(REASON_LINK_UNREACHABLE)->what);
	ck_assert_ptr_null(json_object_get(e, "retry_after_s"));
	json_decref(o);
}
END_TEST

START_TEST(members)
{
	shows(&plain, "{\"a\":\"x\",\"n\":5,\"yes\":true,\"no\":false,\"none\":null,\"l\":[\"p\",2,true],\"r\":1.5}", 0,
	    "a                    x\nn                    5\nyes                  yes\nno                   no\nnone                 -\n"
	    "l                    p,2,yes\nr                    1.5\n");
	shows(&plain, "{\"o\":{\"p\":1,\"q\":{\"r\":\"s\"}},\"list\":[{\"x\":1},{\"x\":2}]}", 0,
	    "o.p                  1\no.q.r                s\nlist.1.x             1\nlist.2.x             2\n");
	shows(&plain, "{}", 0, "");
	shows(&plain, "{\"t\":\"a\\u001b]0;x\\u0007\\nb\"}", 0, "t                    a?]0;x??b\n");
}
END_TEST

START_TEST(deep_objects_end)
{
	char *s = shown(&plain, "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":1}}}}}", 0);

	ck_assert_str_eq(s, "a.b.c.d              -\n");
	free(s);
}
END_TEST

START_TEST(tables)
{
	shows(&table, "{\"keys\":[{\"kcv\":\"aabb\",\"state\":\"confirmed\"},{\"kcv\":\"cc\",\"more\":[1,2]}]}", 0,
	    "kcv   state      more\naabb  confirmed  -\ncc    -          1,2\n");
	shows(&check, "{\"keys\":[{\"said\":\"gone\"}]}", 0, "said\ngone\n");
	shows(&table, "{\"keys\":[{\"name\":\"phone\",\"sims\":{\"a/1\":\"AA\",\"b/2\":\"BB\",\"c\":{}}},{\"name\":\"b\",\"sims\":{}}]}", 0,
	    "name   sims\nphone  a/1=AA,b/2=BB,c=-\nb      \n");
	shows(&table, "{\"keys\":[]}", 0, "");
	shows(&table, "{}", 0, "");
	/* Too wide for the terminal: a block each. */
	shows(&table, "{\"keys\":[{\"kcv\":\"aabb\",\"state\":\"confirmed\"},{\"kcv\":\"cc\",\"state\":\"derived\"}]}", 10,
	    "kcv                  aabb\nstate                confirmed\n\nkcv                  cc\nstate                derived\n");
	shows(&table, "{\"keys\":[{\"kcv\":\"aabb\",\"state\":\"confirmed\"}]}", 80, "kcv   state\naabb  confirmed\n");
}
END_TEST

START_TEST(table_with_too_many_columns)
{
	json_t *row = json_object(), *o = json_pack("{s:[o]}", "keys", row);
	char name[8], *text, *s;

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "c%d", i);
		json_object_set_new(row, name, json_integer(i));
	}
	text = json_dumps(o, 0);
	s = shown(&table, text, 0);
	ck_assert_ptr_nonnull(strstr(s, "c23\n"));
	ck_assert_ptr_null(strstr(s, "c24"));
	free(s);
	free(text);
	json_decref(o);
}
END_TEST

START_TEST(health)
{
	shows(&heals, "{\"healthy\":true,\"problems\":[],\"notes\":[\"clock is controlled\"]}", 0, "healthy\n  note     clock is controlled\n");
	shows(&heals, "{\"healthy\":false,\"problems\":[\"clock-jumped: x\",7],\"notes\":[]}", 0,
	    "NOT HEALTHY\n  problem  clock-jumped: x\n  problem  -\n");
}
END_TEST

START_TEST(events)
{
	shows(&trace, "{\"events\":[{\"time\":\"t\",\"daemon\":\"mtd\",\"scenario\":1,\"step\":7,\"from\":\"mtd\",\"to\":\"bsfd\",\"msg\":\"GET\","
	    "\"run\":\"r1\",\"kcv\":\"ab\",\"dur_us\":1500,\"result\":\"ok\"},{}]}", 0,
	    "t mtd 1.7 mtd -> bsfd GET run=r1 kcv=ab 1.5ms: ok\n- - 0.0 - -> - -: -\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ksctl show");
	TCase *c = tcase_create("show");

	tcase_add_loop_test(c, exit_codes, 0, TABLE_N(exits));
	tcase_add_test(c, error_has_what_why_next);
	tcase_add_test(c, error_without_words);
	tcase_add_test(c, members);
	tcase_add_test(c, deep_objects_end);
	tcase_add_test(c, tables);
	tcase_add_test(c, table_with_too_many_columns);
	tcase_add_test(c, health);
	tcase_add_test(c, events);
	suite_add_tcase(s, c);
	return unit_run(s);
}
