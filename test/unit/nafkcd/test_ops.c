/* nafkcd's control operations through a control socket in memory, and what they change on Ua. */
#include "test/unit/nafkcd/ctl_world.h"

#define ID "{\"device_id\":\"" DEVICE "\"}"

START_TEST(key_list_shows_the_check_value_and_never_a_key)
{
	char *text;

	start(NAFKC_ANY);
	order("key-list", "{}");
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "keys")), 0);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	order("key-list", "{}");
	ck_assert_str_eq(at("keys", 0, "btid"), BTID);
	ck_assert_str_eq(at("keys", 0, "naf_id"), "nafkc.example.org/0100000002");
	ck_assert_str_eq(at("keys", 0, "device_id"), DEVICE);
	ck_assert_uint_eq(strlen(at("keys", 0, "kcv")), KCV_LEN);
	ck_assert_str_eq(at("keys", 0, "state"), "active");
	ck_assert_str_eq(at("keys", 0, "expires"), "2027-01-15T16:00:00Z");
	ck_assert_uint_eq(strlen(at("keys", 0, "spki")), 64);
	text = json_dumps(got.body, 0);
	ck_assert(strstr(text, "5a5a5a5a") == NULL);
	free(text);
	finish();
}
END_TEST

START_TEST(listed_devices_are_allowed_blocked_and_allowed_again)
{
	start(NAFKC_LISTED);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "refused");
	order("device-allow", ID);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(got.body, "device"), "state")), "allowed");
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	order("device-block", ID);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "refused");
	order("device-allow", ID);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);	/* N8: the key went with the block */
	said_refused(&s, 403, "bootstrap-again");
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	/* allowing it did not give it to anyone else */
	ask(&w, &s, form(BTID, DEVICE, NULL), key_b);
	said_refused(&s, 403, "refused");
	order("device-list", "{}");
	ck_assert_str_eq(at("devices", 0, "device_id"), DEVICE);
	ck_assert_str_eq(at("devices", 0, "subject"), "CN=device 0a");
	finish();
}
END_TEST

START_TEST(n2_rebind_moves_a_binding_and_its_keys)
{
	struct uaxml_response before, after;

	start(NAFKC_BIND_FIRST_USE);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &before);
	order("device-rebind", ID);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(got.body, "device"), "spki")), "");
	ask(&w, &s, form(BTID, DEVICE, NULL), key_b);
	said_key(&s, &after);
	ck_assert(secret_eq(before.ks_local_mt, after.ks_local_mt));
	/* and now it is this one's, in both places */
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "refused");
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_a);
	said_refused(&s, 403, "refused");
	secret_free(before.ks_local_mt);
	secret_free(after.ks_local_mt);
	finish();
}
END_TEST

START_TEST(n3_a_block_empties_the_memory_of_ks_naf)
{
	json_t *o;

	start(NAFKC_ANY);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	o = json_object();
	nafkc_status(w.k, o);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "ks_cached")), 1);
	json_decref(o);
	order("device-block", ID);
	o = json_object();
	nafkc_status(w.k, o);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "ks_cached")), 0);
	json_decref(o);
	ask(&w, &s, form(BTID, "d2", NULL), key_b);	/* another's: the blocked one's key binds no new Device_ID */
	ck_assert_int_eq(s.status, 200);
	ck_assert_uint_eq(w.bsf[0].birs, 2);
	finish();
}
END_TEST

START_TEST(a_devices_own_limit_is_set_and_taken_away)
{
	struct uaxml_response r;

	start(NAFKC_ANY);
	order("device-allow", "{\"device_id\":\"" DEVICE "\",\"lifetime_max\":\"10m\"}");
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &r);
	ck_assert_int_eq(r.lifetime, clock_now_s(w.clock) + 600);
	secret_free(r.ks_local_mt);
	order("device-allow", ID);		/* says nothing about it */
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_a);
	said_key(&s, &r);
	ck_assert_int_eq(r.lifetime, clock_now_s(w.clock) + 600);
	secret_free(r.ks_local_mt);
	order("device-allow", "{\"device_id\":\"" DEVICE "\",\"lifetime_max\":\"\"}");
	ask(&w, &s, form("c@bsf.example.org", DEVICE, NULL), key_a);
	said_key(&s, &r);
	ck_assert_int_eq(r.lifetime, w.bsf[0].expires_s);
	secret_free(r.ks_local_mt);
	finish();
}
END_TEST

START_TEST(the_audit_says_who_got_what_newest_first)
{
	static const char *const events[] = { "refused", "key-invalidated", "device-blocked", "key-given-again", "key-given", "device-bound" };

	start(NAFKC_ANY);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	order("device-block", ID);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	order("audit", "{}");
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "audit")), 6);
	for (size_t i = 0; i < 6; i++) {
		ck_assert_str_eq(at("audit", i, "event"), events[i]);
		ck_assert_str_eq(at("audit", i, "reason"), i == 0 ? "ua-blocked" : "");
		ck_assert_str_eq(at("audit", i, "device_id"), DEVICE);
	}
	ck_assert_str_eq(at("audit", 4, "btid"), BTID);
	ck_assert_uint_eq(strlen(at("audit", 4, "kcv")), KCV_LEN);
	ck_assert_str_eq(at("audit", 4, "subject"), "CN=device 0a");
	ck_assert_str_eq(at("audit", 4, "expires"), "2027-01-15T16:00:00Z");
	/* what it ended is there with both dates (seed 7.2) */
	ck_assert_str_eq(at("audit", 1, "btid"), BTID);
	ck_assert_str_eq(at("audit", 1, "was"), "2027-01-15T16:00:00Z");
	ck_assert_str_eq(at("audit", 1, "expires"), at("audit", 1, "at"));
	ck_assert_str_eq(at("audit", 1, "subject"), "CN=device 0a");
	ck_assert_uint_eq(strlen(at("audit", 1, "spki")), 64);
	ck_assert_str_eq(at("audit", 4, "was"), "");
	order("audit", "{\"limit\":1}");
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "audit")), 1);
	finish();
}
END_TEST

START_TEST(who_is_refused_cannot_fill_the_audit)
{
	start(NAFKC_LISTED);
	for (int i = 0; i < 100; i++) {
		ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
		said_refused(&s, 403, "refused");
	}
	order("audit", "{\"limit\":1000}");
	/* a minute's worth, and what came back in the seconds that this took */
	ck_assert_uint_le(json_array_size(json_object_get(got.body, "audit")), 80);
	ck_assert_uint_ge(json_array_size(json_object_get(got.body, "audit")), 60);
	ck_assert_uint_eq(w.bsf[0].birs, 0);
	finish();
}
END_TEST

static const struct {
	const char *op, *body;
	enum reason why;
} bad[] = {
	{ "device-allow", "{}", REASON_CTL_USAGE },
	{ "device-allow", "{\"device_id\":7}", REASON_CTL_USAGE },
	{ "device-allow", "{\"device_id\":\"has blank\"}", REASON_CTL_USAGE },
	{ "device-allow", "{\"device_id\":\"d\",\"lifetime_max\":\"soon\"}", REASON_CTL_USAGE },
	{ "device-allow", "{\"device_id\":\"d\",\"lifetime_max\":60}", REASON_CTL_USAGE },
	{ "device-block", "{}", REASON_CTL_USAGE },
	{ "device-rebind", "{\"device_id\":\"nobody\"}", REASON_UA_DEVICE_UNKNOWN },
	{ "audit", "{\"limit\":0}", REASON_CTL_USAGE },
	{ "audit", "{\"limit\":\"x\"}", REASON_CTL_USAGE },
	{ "wait-peer", "{\"timeout_s\":-1}", REASON_CTL_USAGE },
};

START_TEST(bad_operations_are_refused)
{
	start(NAFKC_ANY);
	send_op(bad[_i].op, bad[_i].body);
	ck_assert_int_eq(got.n, 1);
	/* what travels is the code of the local interface's table; the reason's own code is beside it */
	ck_assert_msg(got.why == bad[_i].why, "%s", reason_get(got.why)->code);
	order("device-list", "{}");
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "devices")), 0);
	finish();
}
END_TEST

START_TEST(wait_peer_is_answered_at_once_in_time_or_too_late)
{
	start(NAFKC_ANY);
	order("wait-peer", "{}");
	order("wait-peer", "{\"peer\":\"bsf.example.org\"}");
	bsf_stop(&w, 0);
	link_mem_cut(w.net, "tcp:127.0.0.1:3868", true);
	pass(&w, 100);
	send_op("wait-peer", "{\"timeout_s\":2}");
	ck_assert_int_eq(got.n, 0);
	pass(&w, 2100);
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_LOCAL_TIMEOUT);
	send_op("wait-peer", "{\"timeout_s\":100}");
	link_mem_cut(w.net, "tcp:127.0.0.1:3868", false);
	bsf_start(&w, 0);
	pass(&w, 40000);
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_NONE);
	finish();
}
END_TEST

START_TEST(health_and_status_tell_of_the_bsf)
{
	json_t *problems = json_array(), *o = json_object();

	start(NAFKC_LISTED);
	nafkc_health(w.k, problems);
	ck_assert_uint_eq(json_array_size(problems), 0);
	nafkc_status(w.k, o);
	ck_assert_str_eq(json_string_value(json_object_get(o, "devices_mode")), "listed");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(o, "naf_ids"), 0)), "nafkc.example.org/0100000002");
	ck_assert_int_eq(json_integer_value(json_object_get(o, "ua_requests")), 0);
	bsf_stop(&w, 0);
	link_mem_cut(w.net, "tcp:127.0.0.1:3868", true);
	pass(&w, 100);
	nafkc_health(w.k, problems);
	ck_assert_uint_eq(json_array_size(problems), 1);
	json_decref(problems);
	json_decref(o);
	finish();
}
END_TEST

static bool stopped;

static void
on_stopped(void *arg)
{
	(void)arg;
	stopped = true;
}

START_TEST(stop_tells_those_who_wait_and_parts_from_the_peers)
{
	start(NAFKC_ANY);
	bsf_stop(&w, 0);
	link_mem_cut(w.net, "tcp:127.0.0.1:3868", true);
	pass(&w, 100);
	send_op("wait-peer", "{\"timeout_s\":100}");
	ck_assert_int_eq(got.n, 0);
	nafkc_stop(w.k, on_stopped, NULL);
	pass(&w, 6000);
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_STOPPING);
	ck_assert(stopped);
	finish();
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("nafkc_ops");
	TCase *t = tcase_create("ops");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, key_list_shows_the_check_value_and_never_a_key);
	tcase_add_test(t, listed_devices_are_allowed_blocked_and_allowed_again);
	tcase_add_test(t, n2_rebind_moves_a_binding_and_its_keys);
	tcase_add_test(t, n3_a_block_empties_the_memory_of_ks_naf);
	tcase_add_test(t, a_devices_own_limit_is_set_and_taken_away);
	tcase_add_test(t, the_audit_says_who_got_what_newest_first);
	tcase_add_test(t, who_is_refused_cannot_fill_the_audit);
	tcase_add_loop_test(t, bad_operations_are_refused, 0, TABLE_N(bad));
	tcase_add_test(t, wait_peer_is_answered_at_once_in_time_or_too_late);
	tcase_add_test(t, health_and_status_tell_of_the_bsf);
	tcase_add_test(t, stop_tells_those_who_wait_and_parts_from_the_peers);
	suite_add_tcase(su, t);
	return unit_run(su);
}
