/* state: the question for a key's state over Ua: who hears what, and that it costs nothing.                            RULES N7 */
#include "test/unit/nafkcd/world.h"
#include "test/unit/tmpdir.h"

static struct world w;
static struct said s;

static void
start(void)
{
	world_new(&w, NULL);
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
}

static struct nafkc_target
triple_of(const char *btid, const char *device)
{
	struct nafkc_target t = { .scope = NAFKC_SCOPE_TRIPLE, .triple.naf_id = w.naf_ids[0] };

	strcpy(t.triple.btid.s, btid);
	strcpy(t.triple.device_id.s, device);
	return t;
}

static void
end_at(struct nafkc_target t, int64_t ends_s, const char *reason)
{
	int64_t now_s = clock_now_s(w.clock), n = 0;

	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_end_keys(w.store, &t, now_s, ends_s, "key-limited", reason, &n));
	ck_ok(store_end(w.store, true));
	turn_end(w.turn);
	ck_assert_int_eq(n, 1);
}

START_TEST(n7_a_live_key_is_200_with_its_lifetime_then_304)
{
	struct uaxml_state st;
	const char *bad;
	char etag[64];

	start();
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	ck_assert_msg(s.status == 200, "%d %s", s.status, s.body);
	ck_ok(uaxml_parse_state(span_str(s.body), &st, &bad));
	ck_assert_str_eq(st.btid.s, BTID);
	ck_assert_str_eq(st.device_id.s, DEVICE);
	ck_assert_int_eq(st.lifetime, w.bsf[0].expires_s);
	ck_assert_str_eq(s.cache, "no-store");
	ck_assert_str_eq(s.type, "application/xml; charset=utf-8");
	ck_assert(strstr(s.body, "ksLocalDevice") == NULL);
	ck_assert_uint_eq(strlen(s.etag), 18);
	strcpy(etag, s.etag);
	ask_state(&w, &s, BTID, DEVICE, etag, key_a);
	ck_assert_int_eq(s.status, 304);
	ck_assert_str_eq(s.etag, etag);
	ck_assert_str_eq(s.body, "");
	ck_assert_str_eq(s.type, "");
	ask_state(&w, &s, BTID, DEVICE, "*", key_a);
	ck_assert_int_eq(s.status, 304);
	ask_state(&w, &s, BTID, DEVICE, "\"0123456789abcdef\"", key_a);
	ck_assert_int_eq(s.status, 200);
	world_free(&w);
}
END_TEST

START_TEST(n7_the_etag_outlives_a_restart_and_changes_with_the_lifetime)
{
	char etag[64], limited[64];

	tmpdir_make();
	world_new(&w, tmpdir_file("nafkcd.db"));
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	strcpy(etag, s.etag);
	world_kill_core(&w);
	world_open_store(&w);
	bsf_stop(&w, 0);
	bsf_start(&w, 0);
	world_start_core(&w);
	pass(&w, 2000);
	ask_state(&w, &s, BTID, DEVICE, etag, key_a);
	ck_assert_int_eq(s.status, 304);
	end_at(triple_of(BTID, DEVICE), NOW + 3600, "limited");
	ask_state(&w, &s, BTID, DEVICE, etag, key_a);
	ck_assert_int_eq(s.status, 200);
	strcpy(limited, s.etag);
	ck_assert_str_ne(limited, etag);
	ck_assert(strstr(s.body, "2027-01-15T09:00:00Z") != NULL);
	ask_state(&w, &s, BTID, DEVICE, limited, key_a);
	ck_assert_int_eq(s.status, 304);
	world_free(&w);
	tmpdir_remove();
}
END_TEST

/* Who asks about what is not there, or not his: the same answer. */
static const struct {
	const char *btid, *device;
	const uint8_t *spki;
} unknown[] = {
	{ BTID2, DEVICE, key_a },
	{ BTID, "other", key_a },
	{ BTID, DEVICE, key_b },
};

START_TEST(n7_unknown_and_somebody_elses_are_404_alike)
{
	char first[UAXML_MAX + 1];

	start();
	ask_state(&w, &s, "nobody@bsf.example.org", "x", NULL, key_b);
	said_refused(&s, 404, "not-found");
	strcpy(first, s.body);
	ask_state(&w, &s, unknown[_i].btid, unknown[_i].device, "*", unknown[_i].spki);
	said_refused(&s, 404, "not-found");
	ck_assert_str_eq(s.body, first);
	ck_assert_str_eq(s.etag, "");
	world_free(&w);
}
END_TEST

START_TEST(n7_a_key_that_was_revoked_is_410_to_its_owner_alone)
{
	start();
	end_at(triple_of(BTID, DEVICE), 0, "invalidated");
	ask_state(&w, &s, BTID, DEVICE, "*", key_a);
	said_refused(&s, 410, "gone");
	ask_state(&w, &s, BTID, DEVICE, NULL, key_b);
	said_refused(&s, 404, "not-found");
	/* until its Ks is over: by then the device has deleted it by itself */
	pass(&w, (w.bsf[0].expires_s - clock_now_s(w.clock) + 1) * 1000);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	said_refused(&s, 404, "not-found");
	world_free(&w);
}
END_TEST

START_TEST(n7_a_key_that_expired_is_404_and_one_that_was_limited_410)
{
	world_new(&w, NULL);
	w.conf.key_lifetime_max_s = 7200;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ask(&w, &s, form(BTID, "d2", NULL), key_a);
	end_at(triple_of(BTID, "d2"), clock_now_s(w.clock) + 3600, "limited");
	pass(&w, 3601 * 1000);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	ck_assert_int_eq(s.status, 200);
	/* it may never have heard of the shorter lifetime */
	ask_state(&w, &s, BTID, "d2", NULL, key_a);
	said_refused(&s, 410, "gone");
	pass(&w, 3600 * 1000);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	said_refused(&s, 404, "not-found");
	world_free(&w);
}
END_TEST

static void
block(enum nafkc_scope scope, const uint8_t *hash)
{
	struct nafkc_target t = { .scope = scope };

	strcpy(t.triple.device_id.s, DEVICE);
	if (hash != NULL)
		memcpy(t.hash, hash, 32);
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_put_block(w.store, &t, NULL, NOW));
	ck_ok(store_end(w.store, true));
	turn_end(w.turn);
}

/* A block takes the key, also where its row could not know that the block is about it (an issuer that was not kept with it). */
START_TEST(n7_who_is_blocked_hears_410_about_a_key_of_its_own_and_403_else)
{
	static const enum nafkc_scope scopes[] = { NAFKC_SCOPE_DEVICE, NAFKC_SCOPE_SPKI, NAFKC_SCOPE_ISSUER };

	start();
	memset(w.issuer, 7, sizeof w.issuer);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	ck_assert(s.status == 200 && !s.closed);
	block(scopes[_i], scopes[_i] == NAFKC_SCOPE_SPKI ? key_a : w.issuer);
	ask_state(&w, &s, BTID, DEVICE, s.etag, key_a);
	said_refused(&s, 410, "gone");
	ck_assert(s.closed);
	ask_state(&w, &s, BTID2, DEVICE, NULL, key_a);
	said_refused(&s, 403, "refused");
	ck_assert(s.closed);
	world_free(&w);
}
END_TEST

/* --- the form */

static const struct {
	const char *method, *name1, *value1, *name2, *value2, *host;
	int status;
	const char *ua;
} forms[] = {
	{ "POST", "X-KSLocal-BTID", BTID, "X-KSLocal-Device-ID", DEVICE, "nafkc.example.org", 405, "method" },
	{ "HEAD", "X-KSLocal-BTID", BTID, "X-KSLocal-Device-ID", DEVICE, "nafkc.example.org", 405, "method" },
	{ "GET", "X-Other", BTID, "X-KSLocal-Device-ID", DEVICE, "nafkc.example.org", 400, "bad-request" },
	{ "GET", "X-KSLocal-BTID", "no-at-sign", "X-KSLocal-Device-ID", DEVICE, "nafkc.example.org", 400, "bad-request" },
	{ "GET", "X-KSLocal-BTID", BTID, "X-Other", DEVICE, "nafkc.example.org", 400, "bad-request" },
	{ "GET", "X-KSLocal-BTID", BTID, "X-KSLocal-Device-ID", "a b", "nafkc.example.org", 400, "bad-request" },
	{ "GET", "x-kslocal-btid", BTID, "x-kslocal-device-id", DEVICE, "other.example.org", 400, "bad-request" },
	{ "GET", "x-kslocal-btid", BTID, "x-kslocal-device-id", DEVICE, "NAFKC.example.org:1", 200, NULL },
};

START_TEST(n7_requests_of_the_wrong_form_have_their_status)
{
	world_new(&w, NULL);
	w.conf.n_naf_ids = 2;		/* Host decides (W4) */
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	s = (struct said){ .x = { &s.req, said_answer } };
	s.headers[0] = (struct http_header){ "Host", forms[_i].host };
	s.headers[1] = (struct http_header){ forms[_i].name1, forms[_i].value1 };
	s.headers[2] = (struct http_header){ forms[_i].name2, forms[_i].value2 };
	s.req = (struct http_request){ .method = forms[_i].method, .path = "/keycentre/v1/key-state", .headers = s.headers, .n_headers = 3 };
	said_send(&w, &s, key_a);
	settle(&w);
	ck_assert(s.over);
	ck_assert_str_eq(s.allow, forms[_i].status == 405 ? "GET" : "");
	if (forms[_i].ua != NULL)
		said_refused(&s, forms[_i].status, forms[_i].ua);
	else
		ck_assert_int_eq(s.status, forms[_i].status);
	world_free(&w);
}
END_TEST

START_TEST(n7_without_certificate_or_with_a_clock_that_jumped_nothing_is_told)
{
	start();
	ask_state(&w, &s, BTID, DEVICE, NULL, NULL);
	said_refused(&s, 403, "refused");
	clock_step_wall(w.clock, 3 * 86400 * 1000LL);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	said_refused(&s, 503, "unavailable");
	world_free(&w);
}
END_TEST

/* Nothing written, nobody asked: a thousand of them. */
START_TEST(n7_the_question_costs_no_write_no_audit_and_no_zn)
{
	struct store_stats before, after;
	json_t *list = json_array();
	size_t rows;
	char etag[64];

	start();
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	strcpy(etag, s.etag);
	turn_end(w.turn);
	ck_ok(nafkc_store_list_audit(w.store, 1000, list));
	rows = json_array_size(list);
	json_array_clear(list);
	store_get_stats(w.store, &before);
	for (int i = 0; i < 1000; i++) {
		ask_state(&w, &s, i % 2 == 0 ? BTID : BTID2, DEVICE, etag, key_a);
		ck_assert_int_eq(s.status, i % 2 == 0 ? 304 : 404);
	}
	store_get_stats(w.store, &after);
	ck_ok(nafkc_store_list_audit(w.store, 1000, list));
	ck_assert_uint_eq(json_array_size(list), rows);
	ck_assert_uint_eq(after.commits, before.commits);
	ck_assert_uint_eq(w.bsf[0].birs, 1);
	json_decref(list);
	world_free(&w);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("nafkc_state");
	TCase *t = tcase_create("state");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, n7_a_live_key_is_200_with_its_lifetime_then_304);
	tcase_add_test(t, n7_the_etag_outlives_a_restart_and_changes_with_the_lifetime);
	tcase_add_loop_test(t, n7_unknown_and_somebody_elses_are_404_alike, 0, TABLE_N(unknown));
	tcase_add_test(t, n7_a_key_that_was_revoked_is_410_to_its_owner_alone);
	tcase_add_test(t, n7_a_key_that_expired_is_404_and_one_that_was_limited_410);
	tcase_add_loop_test(t, n7_who_is_blocked_hears_410_about_a_key_of_its_own_and_403_else, 0, 3);
	tcase_add_loop_test(t, n7_requests_of_the_wrong_form_have_their_status, 0, TABLE_N(forms));
	tcase_add_test(t, n7_without_certificate_or_with_a_clock_that_jumped_nothing_is_told);
	tcase_add_test(t, n7_the_question_costs_no_write_no_audit_and_no_zn);
	suite_add_tcase(su, t);
	return unit_run(su);
}
