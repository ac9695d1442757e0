/* ladder (S1): run → B-TID → events, numbers from the device's scenario, order by step. */
#include "ctl/ladder.h"

#include <check.h>
#include <stdio.h>

#include "ctl/ksctl.h"
#include "test/unit/unit.h"

static json_t *events, *out;
static int seq;

/* at: milliseconds past 2030-01-01T12:00:00. Texts "" = left out. */
static json_t *
add(int at, const char *daemon, const char *run, int scenario, int step, const char *from, const char *to, const char *btid)
{
	char when[64];
	json_t *e;

	snprintf(when, sizeof when, "2030-01-01T12:%02d:%02d.%03dZ", at / 60000, at / 1000 % 60, at % 1000);
	e = json_pack("{s:i,s:s,s:s,s:i,s:i,s:s,s:s,s:s,s:s}", "seq", ++seq, "time", when, "daemon", daemon, "scenario", scenario, "step", step,
	    "from", from, "to", to, "msg", "m", "result", "ok");
	if (run[0] != '\0')
		json_object_set_new(e, "run", json_string(run));
	if (btid[0] != '\0')
		json_object_set_new(e, "btid", json_string(btid));
	json_array_append_new(events, e);
	return e;
}

static void
set(json_t *e, const char *key, const char *value)
{
	json_object_set_new(e, key, json_string(value));
}

/* Scenario 1 as the four daemons tell it: bsfd and nafkcd know no run and no scenario. */
static void
scenario_1(int at, const char *run, const char *btid, const char *device, const char *session, const char *kcv)
{
	json_t *e;

	set(add(at + 0, "extdevd", run, 1, 1, "extdevd", "extdevd", ""), "device_id", device);
	add(at + 1, "extdevd", run, 1, 2, "extdevd", "mtd", "");
	add(at + 2, "mtd", run, 1, 3, "mtd", "mtd", "");
	add(at + 3, "mtd", run, 1, 4, "mtd", "extdevd", "");
	add(at + 4, "extdevd", run, 1, 5, "mtd", "extdevd", "");
	add(at + 5, "extdevd", run, 1, 6, "extdevd", "mtd", "");
	add(at + 6, "mtd", run, 1, 7, "mtd", "bsfd", "");
	add(at + 7, "bsfd", "", 0, 7, "bsfd", "mtd", btid);
	add(at + 8, "mtd", run, 1, 8, "mtd", "uicc", btid);
	add(at + 9, "bsfd", "", 0, 7, "bsfd", "mtd", btid);
	set(add(at + 10, "mtd", run, 1, 9, "mtd", "mtd", btid), "kcv", kcv);
	add(at + 11, "mtd", run, 1, 10, "mtd", "extdevd", btid);
	add(at + 12, "extdevd", run, 1, 11, "extdevd", "nafkcd", btid);
	add(at + 13, "extdevd", run, 1, 12, "extdevd", "nafkcd", btid);
	e = add(at + 14, "nafkcd", "", 0, 13, "nafkcd", "bsfd", btid);
	set(e, "device_id", device);
	set(e, "session_id", session);
	e = add(at + 15, "bsfd", "", 0, 14, "bsfd", "nafkcd", btid);
	set(e, "session_id", session);
	set(e, "kcv", "4a64387da524");		/* of Ks_(ext)_NAF: not one of the three */
	e = add(at + 16, "nafkcd", "", 0, 15, "nafkcd", "nafkcd", btid);
	set(e, "device_id", device);
	set(e, "kcv", kcv);
	set(add(at + 17, "nafkcd", "", 0, 16, "nafkcd", "extdevd", btid), "device_id", device);
	set(add(at + 18, "extdevd", run, 1, 17, "extdevd", "extdevd", btid), "kcv", kcv);
	add(at + 19, "extdevd", run, 1, 18, "extdevd", "mtd", btid);
}

static void
scenario_2(int at, const char *run, const char *btid, const char *device, const char *session, const char *kcv)
{
	json_t *e;

	set(add(at + 0, "extdevd", run, 2, 1, "extdevd", "extdevd", ""), "device_id", device);
	add(at + 1, "extdevd", run, 2, 2, "extdevd", "mtd", "");
	add(at + 2, "mtd", run, 2, 3, "mtd", "mtd", btid);
	add(at + 3, "mtd", run, 2, 4, "mtd", "extdevd", btid);
	add(at + 4, "extdevd", run, 2, 5, "extdevd", "extdevd", btid);
	add(at + 5, "extdevd", run, 2, 6, "extdevd", "mtd", btid);
	set(add(at + 6, "mtd", run, 2, 7, "mtd", "mtd", btid), "kcv", kcv);
	add(at + 7, "mtd", run, 2, 8, "mtd", "extdevd", btid);
	add(at + 8, "extdevd", run, 2, 9, "extdevd", "nafkcd", btid);
	add(at + 9, "extdevd", run, 2, 10, "extdevd", "nafkcd", btid);
	e = add(at + 10, "nafkcd", "", 0, 13, "nafkcd", "bsfd", btid);
	set(e, "device_id", device);
	set(e, "session_id", session);
	set(add(at + 11, "bsfd", "", 0, 14, "bsfd", "nafkcd", btid), "session_id", session);
	e = add(at + 12, "nafkcd", "", 0, 15, "nafkcd", "nafkcd", btid);
	set(e, "device_id", device);
	set(e, "kcv", kcv);
	set(add(at + 13, "nafkcd", "", 0, 16, "nafkcd", "extdevd", btid), "device_id", device);
	set(add(at + 14, "extdevd", run, 2, 15, "extdevd", "extdevd", btid), "kcv", kcv);
	add(at + 15, "extdevd", run, 2, 16, "extdevd", "mtd", btid);
}

static void
setup(void)
{
	events = json_array();
	out = NULL;
	seq = 0;
}

static void
teardown(void)
{
	json_decref(events);
	json_decref(out);
}

static json_t *
event(size_t i)
{
	return json_array_get(json_object_get(out, "events"), i);
}

static int
step(size_t i)
{
	return (int)json_integer_value(json_object_get(event(i), "step"));
}

static size_t
count(void)
{
	return json_array_size(json_object_get(out, "events"));
}

static const char *
text(const char *key)
{
	const char *s = json_string_value(json_object_get(out, key));

	return s != NULL ? s : "";
}

static void
is_whole(const char *run, int scenario, size_t n)
{
	int was = 0;

	ck_assert_str_eq(text("run"), run);
	ck_assert_int_eq(json_integer_value(json_object_get(out, "scenario")), scenario);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "missing")), 0);
	ck_assert_uint_eq(count(), n);
	for (size_t i = 0; i < count(); i++) {
		ck_assert_int_ge(step(i), was);
		was = step(i);
	}
	ck_assert_int_eq(was, scenario == 2 ? 16 : 18);
	ck_assert_str_eq(text("result"), "ok");
	ck_assert(json_is_true(json_object_get(out, "keys_agree")));
	ck_assert_uint_eq(json_object_size(json_object_get(out, "kcv")), 3);
}

START_TEST(one_run_of_scenario_1)
{
	scenario_1(0, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	ck_ok(ladder_make(events, NULL, &out));
	is_whole("a1", 1, 20);
	ck_assert_str_eq(text("btid"), "b@x");
	ck_assert_str_eq(text("device_id"), "dev");
	ck_assert_str_eq(text("started"), "2030-01-01T12:00:00.000Z");
	ck_assert_int_eq(json_integer_value(json_object_get(out, "dur_us")), 19000);
}
END_TEST

START_TEST(one_run_of_scenario_2_is_renumbered)
{
	scenario_2(0, "a2", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	ck_ok(ladder_make(events, "a2", &out));
	is_whole("a2", 2, 16);
	for (size_t i = 0; i < 16; i++) {
		ck_assert_int_eq(step(i), (int)i + 1);
		ck_assert_int_eq(json_integer_value(json_object_get(event(i), "scenario")), 2);
	}
	ck_assert_str_eq(json_string_value(json_object_get(event(11), "daemon")), "bsfd");
}
END_TEST

START_TEST(input_is_left_as_it_was)
{
	json_t *was;

	scenario_2(0, "a2", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	was = json_deep_copy(events);
	ck_ok(ladder_make(events, NULL, &out));
	ck_assert(json_equal(was, events));
	json_decref(was);
}
END_TEST

START_TEST(order_of_arrival_does_not_matter)
{
	json_t *backwards = json_array(), *want;

	scenario_1(0, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	ck_ok(ladder_make(events, NULL, &want));
	for (size_t i = json_array_size(events); i-- > 0; )
		json_array_append(backwards, json_array_get(events, i));
	ck_ok(ladder_make(backwards, NULL, &out));
	ck_assert(json_equal(out, want));
	json_decref(want);
	json_decref(backwards);
}
END_TEST

START_TEST(two_runs_on_one_b_tid_are_told_apart)
{
	/* Scenario 1, the key forgotten, scenario 2: the same B-TID and Device_ID, a tenth of a second apart. */
	scenario_1(0, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	scenario_2(100, "a2", "b@x", "dev", "s2", "0a0b0c0d0e0f");
	ck_ok(ladder_make(events, NULL, &out));
	is_whole("a2", 2, 16);			/* the last one */
	json_decref(out);
	ck_ok(ladder_make(events, "a1", &out));
	is_whole("a1", 1, 20);
}
END_TEST

START_TEST(two_devices_at_once_on_one_b_tid)
{
	/* One Ub run for both (K8); nafkcd's events name the device, bsfd's on Zn the session. */
	scenario_2(0, "a2", "b@x", "dev2", "s2", "222222222222");
	scenario_2(0, "a3", "b@x", "dev3", "s3", "333333333333");
	ck_ok(ladder_make(events, "a2", &out));
	is_whole("a2", 2, 16);
	json_decref(out);
	ck_ok(ladder_make(events, "a3", &out));
	is_whole("a3", 2, 16);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(out, "kcv"), "nafkcd")), "333333333333");
}
END_TEST

START_TEST(an_old_b_tid_in_info_brings_no_old_events)
{
	/* --new: info still shows the B-TID of the run before, derive brings another. */
	scenario_1(0, "a1", "old@x", "dev", "s1", "0a0b0c0d0e0f");
	scenario_1(200, "a2", "new@x", "dev", "s2", "1a1b1c1d1e1f");
	for (size_t i = 20; i < 40; i++) {
		json_t *e = json_array_get(events, i);
		int s = (int)json_integer_value(json_object_get(e, "step"));

		if (s == 4 || s == 5)
			set(e, "btid", "old@x");
	}
	ck_ok(ladder_make(events, "a2", &out));
	is_whole("a2", 1, 20);
	ck_assert_str_eq(text("btid"), "new@x");
}
END_TEST

START_TEST(what_is_far_away_in_time_is_not_ours)
{
	scenario_1(0, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	set(add(60000, "nafkcd", "", 0, 13, "nafkcd", "bsfd", "b@x"), "device_id", "dev");
	add(60000, "bsfd", "", 0, 7, "bsfd", "mtd", "b@x");
	ck_ok(ladder_make(events, NULL, &out));
	is_whole("a1", 1, 20);
}
END_TEST

START_TEST(clocks_of_two_machines)
{
	json_t *e;
	size_t i;

	/* nafkcd and bsfd are 1.5 s behind: still ours, and ordered by step. */
	scenario_1(2000, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	json_array_foreach(events, i, e)
		if (json_object_get(e, "run") == NULL)
			set(e, "time", "2030-01-01T12:00:00.500Z");
	ck_ok(ladder_make(events, NULL, &out));
	is_whole("a1", 1, 20);
}
END_TEST

START_TEST(unnumbered_events_stand_where_they_happened)
{
	scenario_1(0, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	set(add(5, "extdevd", "a1", 0, 0, "extdevd", "mtd", ""), "msg", "hello");	/* between 6 and 7 */
	ck_ok(ladder_make(events, NULL, &out));
	ck_assert_uint_eq(count(), 21);
	for (size_t i = 0; i < count(); i++)
		if (step(i) == 0) {
			ck_assert_int_eq(step(i - 1), 6);
			ck_assert_int_eq(step(i + 1), 7);
			return;
		}
	ck_abort_msg("it is gone");
}
END_TEST

START_TEST(a_run_that_failed)
{
	json_t *e;

	add(0, "extdevd", "a1", 1, 1, "extdevd", "extdevd", "");
	add(1, "extdevd", "a1", 1, 2, "extdevd", "mtd", "");
	e = add(9, "extdevd", "a1", 1, 5, "mtd", "extdevd", "");
	set(e, "result", "local-no-uicc");
	ck_ok(ladder_make(events, NULL, &out));
	ck_assert_str_eq(text("result"), "local-no-uicc");
	ck_assert_uint_eq(json_array_size(json_object_get(out, "missing")), 15);
	ck_assert(json_is_false(json_object_get(out, "keys_agree")));
}
END_TEST

START_TEST(keys_that_differ)
{
	json_t *e;
	size_t i;

	scenario_1(0, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	json_array_foreach(events, i, e)
		if (json_object_get(e, "kcv") != NULL && strcmp(json_string_value(json_object_get(e, "daemon")), "nafkcd") == 0)
			set(e, "kcv", "ffffffffffff");
	ck_ok(ladder_make(events, NULL, &out));
	ck_assert(json_is_false(json_object_get(out, "keys_agree")));
}
END_TEST

START_TEST(without_the_device)
{
	/* A foreign device: the MT knows the run if it was told one. */
	add(0, "mtd", "f1", 1, 4, "mtd", "extdevd", "b@x");
	add(1, "bsfd", "", 0, 7, "bsfd", "mtd", "b@x");
	ck_ok(ladder_make(events, NULL, &out));
	ck_assert_str_eq(text("run"), "f1");
	ck_assert_uint_eq(count(), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(out, "scenario")), 1);
}
END_TEST

START_TEST(nothing_to_show)
{
	ck_rc(ladder_make(events, NULL, &out), RC_NOTFOUND);
	add(0, "bsfd", "", 0, 7, "bsfd", "mtd", "b@x");
	ck_rc(ladder_make(events, NULL, &out), RC_NOTFOUND);
	scenario_1(0, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	ck_rc(ladder_make(events, "a2", &out), RC_NOTFOUND);
	ck_rc(ladder_make(events, "", &out), RC_NOTFOUND);
	ck_assert_ptr_null(out);
}
END_TEST

static const char *const junk[] = {
	"[1]", "[null, [], \"x\", {}]", "[{\"daemon\":5,\"time\":\"2030-01-01T12:00:00Z\"}]", "[{\"daemon\":\"bsfd\"}]",
	"[{\"daemon\":\"bsfd\",\"time\":\"yesterday\",\"run\":\"r\"}]", "[{\"daemon\":\"bsfd\",\"time\":5,\"run\":\"r\"}]",
};

START_TEST(junk_is_left_out)
{
	json_t *j = json_loads(junk[_i], 0, NULL);

	ck_assert_ptr_nonnull(j);
	ck_rc(ladder_make(j, NULL, &out), RC_NOTFOUND);
	scenario_1(0, "a1", "b@x", "dev", "s1", "0a0b0c0d0e0f");
	json_array_extend(events, j);
	ck_ok(ladder_make(events, NULL, &out));
	is_whole("a1", 1, 20);
	json_decref(j);
}
END_TEST

START_TEST(odd_numbers)
{
	json_t *e = add(0, "extdevd", "a1", 7, -3, "extdevd", "mtd", "");

	json_object_set_new(e, "step", json_integer(INT64_MAX));
	add(1, "extdevd", "a1", 2, 17, "extdevd", "mtd", "");
	add(2, "extdevd", "a1", 2, 16, "extdevd", "mtd", "");
	ck_ok(ladder_make(events, NULL, &out));
	ck_assert_int_eq(step(0), 0);
	ck_assert_int_eq(step(1), 0);
	ck_assert_int_eq(step(2), 16);
}
END_TEST

START_TEST(renumber)
{
	/* Where 8.3.1 has its Ub run, 8.3.2 has nothing; all else has its like. */
	for (int s = 1; s <= 18; s++) {
		int t = ladder_renumber(s, 1, 2);

		ck_assert_int_eq(ladder_renumber(s, 1, 1), s);
		if (s == 7 || s == 8)
			ck_assert_int_eq(t, 0);
		else
			ck_assert_int_eq(ladder_renumber(t, 2, 1), s);
	}
	ck_assert_int_eq(ladder_renumber(13, 1, 2), 11);
	ck_assert_int_eq(ladder_renumber(14, 1, 2), 12);
	ck_assert_int_eq(ladder_renumber(18, 1, 2), 16);
	ck_assert_int_eq(ladder_renumber(16, 2, 1), 18);
	ck_assert_int_eq(ladder_renumber(0, 1, 2), 0);
	ck_assert_int_eq(ladder_renumber(19, 1, 1), 0);
	ck_assert_int_eq(ladder_renumber(17, 2, 2), 0);
	ck_assert_int_eq(ladder_renumber(-1, 1, 1), 0);
}
END_TEST

START_TEST(times)
{
	json_t *e = json_pack("{s:s}", "time", "1970-01-01T00:00:01.500Z");

	ck_assert_int_eq(ladder_time(e), 1500000);
	set(e, "time", "1970-01-01T00:00:01Z");
	ck_assert_int_eq(ladder_time(e), 1000000);
	set(e, "time", "1970-01-01T00:00:00.0000019999999999999999999999Z");
	ck_assert_int_eq(ladder_time(e), 1);
	set(e, "time", "1970-01-01T00:00:01");
	ck_assert_int_eq(ladder_time(e), -1);
	json_object_del(e, "time");
	ck_assert_int_eq(ladder_time(e), -1);
	json_decref(e);
}
END_TEST

START_TEST(many_events)
{
	char run[16], btid[32], session[16];

	/* Four full rings: must be a matter of a moment. */
	for (int i = 0; i < 800; i++) {
		snprintf(run, sizeof run, "%04x", i);
		snprintf(btid, sizeof btid, "b%d@x", i / 4);
		snprintf(session, sizeof session, "s%d", i);
		scenario_1(i * 100, run, btid, "dev", session, "0a0b0c0d0e0f");
	}
	ck_ok(ladder_make(events, "0100", &out));
	is_whole("0100", 1, 20);
}
END_TEST

/* --- the drawing */

START_TEST(drawing)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	scenario_1(0, "a1", "b@x", "dev\x1b[31m", "s1", "0a0b0c0d0e0f");
	set(json_array_get(events, 8), "msg", "AUTHENTICATE");
	json_object_set_new(json_array_get(events, 8), "dur_us", json_integer(12345));
	ck_ok(ladder_make(events, NULL, &out));
	json_object_set_new(out, "absent", json_array());
	ksctl_show_ladder(f, out, false);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(s, "run a1, scenario 1 (full procedure, seed 8.3.1), 2030-01-01T12:00:00.000Z\n"));
	ck_assert_ptr_nonnull(strstr(s, "B-TID      b@x\n"));
	ck_assert_ptr_nonnull(strstr(s, "extdevd"));
	ck_assert_ptr_nonnull(strstr(s, "  12    |----------------------------------------------->|"));
	ck_assert_ptr_nonnull(strstr(s, "   8    |             |------->|"));
	ck_assert_ptr_nonnull(strstr(s, "   4    |<------------|"));
	ck_assert_ptr_nonnull(strstr(s, "   1    o"));
	ck_assert_ptr_nonnull(strstr(s, "AUTHENTICATE  12.3 ms\n"));
	ck_assert_ptr_nonnull(strstr(s, "result ok in 19.0 ms\nkey check value 0a0b0c0d0e0f at "));
	ck_assert_ptr_null(strchr(s, '\x1b'));		/* nobody's words move the cursor */
	free(s);
}
END_TEST

START_TEST(drawing_of_a_failure)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	set(add(0, "extdevd", "a1", 2, 5, "mtd", "extdevd", ""), "result", "local-no-uicc");
	add(1, "extdevd", "a1", 2, 0, "nowhere", "mtd", "");
	ck_ok(ladder_make(events, NULL, &out));
	set(json_array_get(json_object_get(out, "events"), 1), "result", "ok");
	json_object_set_new(out, "result", json_string("local-no-uicc"));
	json_object_set_new(out, "absent", json_pack("[s]", "bsfd"));
	ksctl_show_ladder(f, out, true);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(s, "[local-no-uicc]"));
	ck_assert_ptr_nonnull(strstr(s, "optimised procedure"));
	ck_assert_ptr_nonnull(strstr(s, reason_get(REASON_LOCAL_NO_UICC)->next));
	ck_assert_ptr_nonnull(strstr(s, "steps not seen: 1 2 3 4 6"));
	ck_assert_ptr_nonnull(strstr(s, "not reached: bsfd"));
	free(s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ladder S1");
	TCase *c = tcase_create("S1");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, one_run_of_scenario_1);
	tcase_add_test(c, one_run_of_scenario_2_is_renumbered);
	tcase_add_test(c, input_is_left_as_it_was);
	tcase_add_test(c, order_of_arrival_does_not_matter);
	tcase_add_test(c, two_runs_on_one_b_tid_are_told_apart);
	tcase_add_test(c, two_devices_at_once_on_one_b_tid);
	tcase_add_test(c, an_old_b_tid_in_info_brings_no_old_events);
	tcase_add_test(c, what_is_far_away_in_time_is_not_ours);
	tcase_add_test(c, clocks_of_two_machines);
	tcase_add_test(c, unnumbered_events_stand_where_they_happened);
	tcase_add_test(c, a_run_that_failed);
	tcase_add_test(c, keys_that_differ);
	tcase_add_test(c, without_the_device);
	tcase_add_test(c, nothing_to_show);
	tcase_add_loop_test(c, junk_is_left_out, 0, TABLE_N(junk));
	tcase_add_test(c, odd_numbers);
	tcase_add_test(c, renumber);
	tcase_add_test(c, times);
	tcase_add_test(c, many_events);
	tcase_add_test(c, drawing);
	tcase_add_test(c, drawing_of_a_failure);
	suite_add_tcase(s, c);
	return unit_run(s);
}
