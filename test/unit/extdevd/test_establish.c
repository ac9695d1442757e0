/* establish: both scenarios against a scripted MT and a scripted Key Center, every fall and every end. */
#include "test/unit/extdevd/rig.h"

static struct rig_done d, d2;

static void
check_value_from_17_on(void)
{
	json_t *all = trace_since(rig.trace, 0), *v;
	size_t i;

	json_array_foreach(all, i, v) {
		const char *kcv = json_string_value(json_object_get(v, "kcv"));

		ck_assert_int_eq(kcv != NULL && strcmp(kcv, d.r.kcv) == 0, json_integer_value(json_object_get(v, "step")) >= 17);
	}
	json_decref(all);
}

/* Every number that is extdevd's in scenario 1 (8.3.1), once. */
START_TEST(S1_scenario_1)
{
	static const int steps[] = { 1, 2, 5, 6, 11, 12, 17, 18 };

	rig_ask(&d, false, false);
	ck_assert_str_eq(rig_member(rig_got("info"), "device_id"), DEV);	/* K11 */
	rig_info(NULL);
	ck_assert_str_eq(rig_member(rig_got("derive"), "naf_id"), NAF1);
	ck_assert_str_eq(rig_member(rig_got("derive"), "device_id"), DEV);
	ck_assert_str_eq(rig_member(rig_got("derive"), "stale_btid"), "");
	rig_derive(NULL, B1);
	ck_assert_str_eq(rig_flight()->url, "https://nafkc.example.org/keycentre/v1/key-request");
	ck_assert_str_eq(rig_flight()->asked.btid.s, B1);
	ck_assert_str_eq(rig_flight()->asked.device_id.s, DEV);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 1, B1);
	ck_assert(!d.r.reused);
	ck_assert_str_eq(d.r.mt_id.s, MT1);
	ck_assert_int_eq(d.r.expires_s, T0 + 3600);
	ck_assert_uint_eq(strlen(d.r.kcv), KCV_LEN);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		ck_assert_int_eq(rig_steps(&d.r.run, steps[i], 1), 1);
	ck_assert_int_eq(rig_steps(&d.r.run, 0, 0), 0);
	check_value_from_17_on();
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ck_assert(!rig_pending());
}
END_TEST

/* Scenario 2 has its own 1 to 16 (8.3.2). */
START_TEST(S1_scenario_2)
{
	static const int steps[] = { 1, 2, 5, 6, 9, 10, 15, 16 };

	rig_ask(&d, false, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 2, B1);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		ck_assert_int_eq(rig_steps(&d.r.run, steps[i], 2), 1);
	ck_assert_int_eq(rig_steps(&d.r.run, 18, 0) + rig_steps(&d.r.run, 17, 0) + rig_steps(&d.r.run, 12, 0), 0);
}
END_TEST

/* S1: one run id in info, derive and complete. */
START_TEST(S1_one_run_id)
{
	char run[RUN_ID_LEN + 1];

	rig_ask(&d, false, false);
	(void)snprintf(run, sizeof run, "%s", rig_member(rig_got("info"), "run"));
	rig_info(NULL);
	ck_assert_str_eq(rig_member(rig_got("derive"), "run"), run);
	rig_derive(NULL, B1);
	rig_naf_key(7, 3600);
	ck_assert_str_eq(rig_member(rig_got("complete"), "run"), run);
	rig_complete(B1, 7);
	ck_assert_str_eq(d.r.run.s, run);
}
END_TEST

/* --- K9 */

START_TEST(K9_a_valid_key_is_reused)
{
	char kcv[KCV_LEN + 1];

	rig_scenario1(&d, B1, 7);
	(void)snprintf(kcv, sizeof kcv, "%s", d.r.kcv);
	rig_ask(&d, false, false);
	rig_got_nothing();
	rig_is_done(&d, 0, B1);
	ck_assert(d.r.reused);
	ck_assert_str_eq(d.r.kcv, kcv);
	ck_assert_str_eq(d.r.mt_id.s, MT1);
	ck_assert_str_eq(d.r.triple.device_id.s, DEV);
	ck_assert_int_eq(rig.n_requests, 1);
}
END_TEST

/* Also with the MT away. */
START_TEST(K9_reuse_needs_no_link)
{
	rig_scenario1(&d, B1, 7);
	link_mem_cut(rig.net, "unix:/mt", true);
	rig_run();
	rig_ask(&d, false, false);
	rig_is_done(&d, 0, B1);
	rig_restart();
	rig_ask(&d, false, false);
	rig_is_done(&d, 0, B1);
}
END_TEST

START_TEST(K9_force_fetches_again)
{
	rig_scenario1(&d, B1, 7);
	rig_ask(&d, true, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_key(7, 7200);
	ck_assert_int_eq(rig_keys().confirmed, 1);	/* the same key: it stays confirmed meanwhile */
	rig_complete(B1, 7);
	rig_is_done(&d, 2, B1);
	ck_assert(!d.r.reused);
	ck_assert_int_eq(rig_keys().all, 1);
	ck_assert_int_eq(d.r.expires_s, T0 + 7200);
}
END_TEST

/* "--new": without btid although info showed one; the old key stays until the new one is confirmed. */
START_TEST(K9_new_bootstraps_anew)
{
	rig_scenario1(&d, B1, 7);
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(8, 3600);
	ck_assert_int_eq(rig_keys().all, 2);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	rig_complete(B2, 8);
	rig_is_done(&d, 1, B2);
	ck_assert_int_eq(rig_keys().all, 1);
	ck_assert_str_eq(rig_keys().btids[0], B2);
}
END_TEST

START_TEST(K9_new_that_brings_the_old_btid_is_refused)
{
	rig_scenario1(&d, B1, 7);
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B1);
	rig_has_failed(&d, REASON_EXT_MT_NOT_NEW);
	ck_assert_int_eq(rig.n_requests, 1);
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

/* --- falls from scenario 2 to 1 */

START_TEST(stale_at_the_MT)
{
	struct run_id first;

	rig_ask(&d, false, false);
	(void)snprintf(first.s, sizeof first.s, "%s", rig_member(rig_got("info"), "run"));
	rig_info(B1);
	rig_refuse(rig_got("derive"), REASON_LOCAL_STALE_BTID, 0);
	ck_assert_str_ne(rig_member(rig_got("info"), "run"), first.s);	/* S1: that run ended as failed, another began */
	ck_assert_int_eq(rig_steps(&first, 0, 0), 1);
	rig_info(NULL);
	rig_derive(NULL, B2);
	rig_naf_key(7, 3600);
	rig_complete(B2, 7);
	rig_is_done(&d, 1, B2);
}
END_TEST

/* The Key Center or its BSF does not know the B-TID: the MT is told which one (K8). */
START_TEST(K8_stale_at_the_NAF)
{
	rig_ask(&d, false, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_error(403, "bootstrap-again", NULL);
	ck_assert(!rig_pending());
	rig_info(B1);
	ck_assert_str_eq(rig_member(rig_got("derive"), "stale_btid"), B1);
	rig_derive(NULL, B2);
	rig_naf_key(7, 3600);
	rig_complete(B2, 7);
	rig_is_done(&d, 1, B2);
}
END_TEST

/* Meanwhile the MT has bootstrapped by itself: its new B-TID will do. */
START_TEST(K8_another_btid_after_a_stale_one)
{
	rig_ask(&d, false, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_error(403, "bootstrap-again", NULL);
	rig_info(B2);
	rig_derive(B2, B2);
	rig_naf_key(7, 3600);
	rig_complete(B2, 7);
	rig_is_done(&d, 2, B2);
}
END_TEST

START_TEST(an_MT_that_insists_on_the_stale_btid)
{
	rig_ask(&d, false, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_error(403, "bootstrap-again", NULL);
	rig_info(B1);
	rig_derive(NULL, B1);
	rig_has_failed(&d, REASON_EXT_MT_NOT_NEW);
	ck_assert_int_eq(rig.n_requests, 1);
}
END_TEST

/* No peer keeps it going for ever. */
START_TEST(falls_are_bounded)
{
	static const char *const btids[] = { B1, B2, B3 };

	rig_ask(&d, false, false);
	for (int i = 0; i < 3; i++) {
		rig_info(NULL);
		rig_derive(NULL, btids[i]);
		rig_naf_error(403, "bootstrap-again", NULL);
	}
	rig_got_nothing();
	rig_has_failed(&d, REASON_EXT_RUNS);
	ck_assert_int_eq(rig.n_requests, 3);
	rig_ask(&d, false, false);		/* the next one begins from the start */
	rig_info(NULL);
}
END_TEST

START_TEST(falls_at_the_MT_are_bounded)
{
	rig_ask(&d, false, false);
	for (int i = 0; i < 3; i++) {
		rig_info(i % 2 == 0 ? B1 : B2);
		rig_refuse(rig_got("derive"), REASON_LOCAL_STALE_BTID, 0);
	}
	rig_got_nothing();
	rig_has_failed(&d, REASON_EXT_RUNS);
}
END_TEST

/* --- answers that are not about what was asked */

static const struct {
	const char *shown;	/* by info */
	const char *answer;
	enum reason why;
} odd_derive[] = {
	{ B1, "{\"btid\":\"" B2 "\",\"naf_id\":\"" NAF1 "\"}", REASON_EXT_MT_OTHER },
	{ B1, "{\"btid\":\"" B1 "\",\"naf_id\":\"" NAF2 "\"}", REASON_EXT_MT_OTHER },
	{ NULL, "{\"btid\":\"" B1 "\",\"naf_id\":\"" NAF2 "\"}", REASON_EXT_MT_OTHER },
	{ NULL, "{\"btid\":\"" B1 "\",\"naf_id\":\"nafkc.example.org/0100000003\"}", REASON_EXT_MT_OTHER },
	{ NULL, "{\"naf_id\":\"" NAF1 "\"}", REASON_LOCAL_BAD_ANSWER },
	{ NULL, "{\"btid\":\"" B1 "\"}", REASON_LOCAL_BAD_ANSWER },
	{ NULL, "{\"btid\":7,\"naf_id\":\"" NAF1 "\"}", REASON_LOCAL_BAD_ANSWER },
	{ NULL, "{\"btid\":\"" B1 "\",\"naf_id\":\"" NAF1 "\",\"challenge\":7}", REASON_LOCAL_BAD_ANSWER },
};

START_TEST(derive_is_answered_about_something_else)
{
	rig_ask(&d, false, false);
	rig_info(odd_derive[_i].shown);
	rig_answer(rig_got("derive"), json_loads(odd_derive[_i].answer, 0, NULL));
	rig_has_failed(&d, odd_derive[_i].why);
	ck_assert_int_eq(rig.n_requests, 0);
	ck_assert(!rig_pending());
}
END_TEST

static const char *const odd_info[] = {
	"{\"naf_ids\":7}", "{\"naf_ids\":[7]}", "{\"naf_ids\":[\"x\"]}", "{\"naf_ids\":[],\"btid\":\"x\"}", "{\"btid\":null}",
};

START_TEST(info_is_answered_in_another_form)
{
	rig_ask(&d, false, false);
	rig_answer(rig_got("info"), json_loads(odd_info[_i], 0, NULL));
	rig_has_failed(&d, REASON_LOCAL_BAD_ANSWER);
}
END_TEST

static void
to_the_key_center(void)
{
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_derive(NULL, B1);
}

static void
key_about(const char *btid, const char *device_id, int64_t lifetime_s)
{
	struct uaxml_response m = { .ks_local_mt = rig_key(7), .lifetime = T0 + lifetime_s };
	char doc[UAXML_MAX];
	size_t n;

	ck_ok(btid_parse(span_str(btid), &m.btid));
	ck_ok(device_id_parse(span_str(device_id), &m.device_id));
	ck_ok(uaxml_print_response(&m, doc, sizeof doc, &n));
	secret_free(m.ks_local_mt);
	rig_naf_xml(200, doc, n, NULL);
}

static const struct {
	const char *btid, *device_id;
	int64_t lifetime_s;
	enum reason why;
} odd_keys[] = {
	{ B2, DEV, 3600, REASON_EXT_NAF_OTHER },
	{ B1, "somebody-else", 3600, REASON_EXT_NAF_OTHER },
	{ B1, DEV, 0, REASON_EXT_NAF_OVER },
	{ B1, DEV, -1, REASON_EXT_NAF_OVER },
};

START_TEST(a_key_about_something_else)
{
	to_the_key_center();
	key_about(odd_keys[_i].btid, odd_keys[_i].device_id, odd_keys[_i].lifetime_s);
	rig_has_failed(&d, odd_keys[_i].why);
	rig_got_nothing();
	ck_assert_int_eq(rig_keys().all, 0);
	ck_assert(!rig_pending());
}
END_TEST

/* --- what the Key Center may say */

static const struct {
	int status;
	const char *reason;
	enum reason why;
	bool pending;
} refusals[] = {
	{ 400, "bad-request", REASON_EXT_NAF_BAD_REQUEST, false },
	{ 403, "refused", REASON_EXT_NAF_REFUSED, false },
	{ 403, "what-is-this", REASON_EXT_NAF_REFUSED, false },
	{ 404, "not-found", REASON_EXT_NAF_BAD_REQUEST, false },
	{ 405, "method", REASON_EXT_NAF_BAD_REQUEST, false },
	{ 413, "too-large", REASON_EXT_NAF_BAD_REQUEST, false },
	{ 415, "media-type", REASON_EXT_NAF_BAD_REQUEST, false },
	{ 431, "too-large", REASON_EXT_NAF_BAD_REQUEST, false },
	{ 302, "refused", REASON_EXT_NAF_ODD, false },
	{ 500, "unavailable", REASON_EXT_NAF_ODD, false },
	{ 408, "unavailable", REASON_EXT_NAF_UNAVAILABLE, true },
	{ 429, "too-many", REASON_EXT_NAF_TOO_MANY, true },
	{ 503, "unavailable", REASON_EXT_NAF_UNAVAILABLE, true },
};

START_TEST(N6_what_the_key_center_says)
{
	to_the_key_center();
	rig_naf_error(refusals[_i].status, refusals[_i].reason, refusals[_i].pending ? "77" : NULL);
	rig_has_failed(&d, refusals[_i].why);
	ck_assert_int_eq(rig.logged, refusals[_i].why);
	ck_assert_ptr_nonnull(strstr(d.detail, "so it is"));
	ck_assert_int_eq(rig_pending(), refusals[_i].pending);
	ck_assert_int_eq(d.r.retry_after_s, refusals[_i].pending ? 77 : 0);
	rig_got_nothing();
}
END_TEST

static const char *const no_xml[] = {
	"", "<", "no", "<keyResponse/>", "<keyError xmlns=\"urn:x-kslocal:ua:1\"/>",
	"<!DOCTYPE x><keyResponse xmlns=\"urn:x-kslocal:ua:1\"/>",
	"<keyResponse xmlns=\"urn:x-kslocal:ua:1\"><btid>" B1 "</btid><deviceId>" DEV "</deviceId><ksLocalDevice>AAAA</ksLocalDevice>"
	"<keyLifetime>2031-01-01T00:00:00Z</keyLifetime></keyResponse>",
	"<keyResponse xmlns=\"urn:x-kslocal:ua:1\"><btid>" B1 "</btid><deviceId>" DEV "</deviceId>"
	"<ksLocalDevice>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</ksLocalDevice><keyLifetime>tomorrow</keyLifetime></keyResponse>",
};

START_TEST(a_200_that_is_no_key_response)
{
	to_the_key_center();
	rig_naf_xml(200, no_xml[_i], strlen(no_xml[_i]), NULL);
	rig_has_failed(&d, REASON_EXT_NAF_BAD_ANSWER);
	ck_assert(!rig_pending());
}
END_TEST

/* A 403 counts as bootstrap-again only if its body says so. */
START_TEST(a_403_without_a_body)
{
	to_the_key_center();
	rig_naf_xml(403, "", 0, NULL);
	rig_has_failed(&d, REASON_EXT_NAF_REFUSED);
}
END_TEST

static const struct {
	enum reason why;
	bool pending;
} silences[] = {
	{ REASON_HTTP_UNREACHABLE, true },
	{ REASON_HTTP_TIMEOUT, true },
	{ REASON_HTTP_BROKEN, true },
	{ REASON_HTTP_TLS_BROKEN, true },
	{ REASON_HTTP_TLS_SERVER, false },	/* N4: wrong name, wrong CA, expired */
	{ REASON_HTTP_TLS_REFUSED, false },
	{ REASON_HTTP_TOO_LARGE, false },
};

START_TEST(N4_N6_no_answer)
{
	to_the_key_center();
	rig_naf_silent(silences[_i].why);
	rig_has_failed(&d, silences[_i].why);
	ck_assert_str_eq(d.detail, "a detail");
	ck_assert_int_eq(rig_pending(), silences[_i].pending);
}
END_TEST

/* N6: repeated alone after Retry-After; the MT is not bothered. */
START_TEST(N6_repeated_alone_after_retry_after)
{
	to_the_key_center();
	rig_naf_error(503, "unavailable", "20");
	ck_assert_int_eq(rig.n_requests, 1);
	rig_advance(19500);
	ck_assert_int_eq(rig.n_requests, 1);
	rig_advance(500);
	ck_assert_int_eq(rig.n_requests, 2);
	ck_assert_str_eq(rig_flight()->asked.btid.s, B1);
	rig_got_nothing();
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ck_assert_int_eq(d.n, 1);	/* its asker had been told long ago */
}
END_TEST

/* A short Retry-After goes by while the asker waits; 10 s in all are enough. */
START_TEST(N6_a_short_pause_is_waited_for)
{
	to_the_key_center();
	for (int i = 0; i < 5; i++) {
		rig_naf_error(503, "unavailable", "2");
		ck_assert_int_eq(d.n, 0);
		ck_assert_str_eq(d.word, "queued");
		rig_advance(2000);
		ck_assert_int_eq(rig.n_requests, i + 2);
	}
	rig_naf_error(503, "unavailable", "2");
	rig_has_failed(&d, REASON_EXT_NAF_UNAVAILABLE);
	rig_advance(2000);		/* without an asker: as ever */
	ck_assert_int_eq(rig.n_requests, 7);
	rig_ask(&d, false, false);
	rig_naf_error(429, "too-many", "1");
	rig_advance(1000);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 1, B1);
	rig_got_nothing();
}
END_TEST

START_TEST(N6_without_retry_after_our_own_pause)
{
	to_the_key_center();
	rig_naf_silent(REASON_HTTP_UNREACHABLE);
	rig_advance(29500);
	ck_assert_int_eq(rig.n_requests, 1);
	rig_advance(500);
	ck_assert_int_eq(rig.n_requests, 2);
	rig_naf_silent(REASON_HTTP_UNREACHABLE);
	rig_advance(30000);
	ck_assert_int_eq(rig.n_requests, 3);
	rig_naf_error(403, "refused", NULL);
	rig_advance(3600000);
	ck_assert_int_eq(rig.n_requests, 3);
}
END_TEST

/* Who asks meanwhile does not wait for the pause, and does not go to the MT. */
START_TEST(N6_asked_again_while_pending)
{
	to_the_key_center();
	rig_naf_error(503, "unavailable", "3600");
	rig_ask(&d, false, false);
	ck_assert_int_eq(rig.n_requests, 2);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 1, B1);
	rig_advance(3600 * 1000);
	ck_assert_int_eq(rig.n_requests, 2);	/* nothing is pending any more */
}
END_TEST

/* N6: only bootstrap-again leads back to info. */
START_TEST(N6_pending_until_told_bootstrap_again)
{
	to_the_key_center();
	rig_naf_error(503, "unavailable", "20");
	rig_advance(20000);
	rig_naf_error(403, "bootstrap-again", NULL);
	rig_info(B1);
	ck_assert_str_eq(rig_member(rig_got("derive"), "stale_btid"), B1);
	rig_derive(NULL, B2);
	rig_naf_key(7, 3600);
	rig_complete(B2, 7);
	ck_assert_str_eq(rig_keys().btids[0], B2);
}
END_TEST

/* kill -9 between the MT's derivation and the Key Response. */
START_TEST(N6_pending_over_a_restart)
{
	to_the_key_center();
	rig_restart();
	ck_assert_int_eq(d.n, 0);
	ck_assert_str_eq(rig_flight()->asked.btid.s, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

/* "--new" does not wait for an old request, and takes its place. */
START_TEST(K9_new_over_a_pending_request)
{
	to_the_key_center();
	rig_naf_error(503, "unavailable", "3600");
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	ck_assert_str_eq(rig_flight()->asked.btid.s, B2);
	rig_naf_key(8, 3600);
	rig_complete(B2, 8);
	rig_is_done(&d, 1, B2);
	ck_assert(!rig_pending());
}
END_TEST

/* --- complete: K2, K3, K4 */

static void
to_complete(void)
{
	to_the_key_center();
	rig_naf_key(7, 3600);
}

START_TEST(K3_wrong_proof_of_the_MT)
{
	struct secret *other = rig_key(8);
	char proof[PROOF_LEN + 1];

	rig_scenario1(&d, B2, 6);
	rig_ask(&d, false, true);
	rig_info(B2);
	rig_derive(NULL, B1);
	rig_naf_key(7, 3600);
	ck_ok(proof_make(other, PROOF_MT, span_str(CHALLENGE), proof));
	rig_answer(rig_got("complete"), json_pack("{s:s}", "proof", proof));
	rig_has_failed(&d, REASON_LOCAL_KEY_MISMATCH);
	ck_assert_int_eq(rig_keys().all, 1);		/* the old one works on */
	ck_assert_str_eq(rig_keys().btids[0], B2);
	secret_free(other);
}
END_TEST

/* Our own proof back is not the MT's. */
START_TEST(K3_reflected_proof)
{
	struct rig_request *r;

	to_complete();
	r = rig_got("complete");
	rig_answer(r, json_pack("{s:s}", "proof", rig_member(r, "proof")));
	rig_has_failed(&d, REASON_LOCAL_KEY_MISMATCH);
	ck_assert_int_eq(rig_keys().all, 0);
}
END_TEST

START_TEST(K3_the_MT_says_key_mismatch)
{
	to_complete();
	rig_refuse(rig_got("complete"), REASON_LOCAL_KEY_MISMATCH, 0);
	rig_has_failed(&d, REASON_LOCAL_KEY_MISMATCH);
	ck_assert_int_eq(rig_keys().all, 0);
	ck_assert_ptr_nonnull(strstr(reason_get(d.r.why)->why, "protocol octets"));
}
END_TEST

/* A foreign MT without proofs: ok, and the key stays unconfirmed beside the old one. */
START_TEST(K3_an_MT_without_proofs)
{
	struct rig_request *r;

	rig_scenario1(&d, B2, 6);
	rig_ask(&d, false, true);
	rig_info(B2);
	rig_answer(rig_got("derive"), json_pack("{s:s, s:s}", "btid", B1, "naf_id", NAF1));
	rig_naf_key(7, 3600);
	r = rig_got("complete");
	ck_assert_str_eq(rig_member(r, "proof"), "");
	rig_answer(r, NULL);
	rig_is_done(&d, 1, B1);
	ck_assert_int_eq(rig_keys().all, 2);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ck_assert_int_eq(rig_keys().owed, 0);
}
END_TEST

START_TEST(K3_a_challenge_but_no_proof)
{
	to_complete();
	rig_answer(rig_got("complete"), NULL);
	rig_is_done(&d, 1, B1);
	ck_assert_int_eq(rig_keys().confirmed, 0);
	ck_assert_int_eq(rig_keys().owed, 0);
	rig_ask(&d, false, false);		/* it is used all the same */
	rig_is_done(&d, 0, B1);
}
END_TEST

/* K2: a third key replaces the waiting one, never the one that works. */
START_TEST(K2_a_third_key)
{
	static const char *const btids[] = { B2, B3 };

	rig_scenario1(&d, B1, 6);
	for (int i = 0; i < 2; i++) {
		rig_ask(&d, false, true);
		rig_info(B1);
		rig_answer(rig_got("derive"), json_pack("{s:s, s:s}", "btid", btids[i], "naf_id", NAF1));
		rig_naf_key(7 + i, 3600);
		rig_answer(rig_got("complete"), NULL);
		rig_is_done(&d, 1, btids[i]);
	}
	ck_assert_int_eq(rig_keys().all, 2);
	ck_assert_str_eq(rig_keys().btids[0], B1);
	ck_assert_str_eq(rig_keys().btids[1], B3);
}
END_TEST

/* K4: the MT dies before its answer: complete stays owed and is sent at the next link-up. */
START_TEST(K4_owed_until_the_next_link)
{
	to_complete();
	rig_got("complete");
	rig_mt_dies(&rig.mt);
	rig_has_failed(&d, REASON_LOCAL_GONE);
	ck_assert_int_eq(rig_keys().owed, 1);
	rig_advance(2000);
	ck_assert_int_eq(rig.mt.hellos, 2);
	rig_complete(B1, 7);
	ck_assert_int_eq(rig_keys().owed, 0);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	rig_got_nothing();
}
END_TEST

/* K4: over a restart of the device, too; its own Device_ID then is the one it was made with. */
START_TEST(K4_owed_over_a_restart)
{
	to_complete();
	rig_got("complete");
	rig.conf.device_id = "another-one";	/* K5 */
	rig_restart();
	ck_assert_str_eq(rig_member(rig_got("complete"), "device_id"), DEV);
	rig_complete(B1, 7);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ck_assert_int_eq(rig.n_requests, 1);
}
END_TEST

/* K4: the MT knows the triple no more: establish anew, whoever asked. */
START_TEST(K4_unknown_key_establishes_anew)
{
	to_complete();
	rig_got("complete");
	rig_restart();
	rig_refuse(rig_got("complete"), REASON_LOCAL_UNKNOWN_KEY, 0);
	ck_assert_int_eq(rig_keys().all, 0);
	rig_info(NULL);
	rig_derive(NULL, B2);
	rig_naf_key(8, 3600);
	rig_complete(B2, 8);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ck_assert_str_eq(rig_keys().btids[0], B2);
}
END_TEST

/* Nothing that an unauthenticated side says destroys a key that works. */
START_TEST(K2_unknown_key_about_a_confirmed_one)
{
	rig_scenario1(&d, B1, 7);
	rig_ask(&d, true, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_key(7, 3600);
	rig_refuse(rig_got("complete"), REASON_LOCAL_KEY_MISMATCH, 0);
	rig_has_failed(&d, REASON_LOCAL_KEY_MISMATCH);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ck_assert_int_eq(rig_keys().owed, 0);
}
END_TEST

/* The Key Center gives another key for a triple that the MT has proved. */
START_TEST(K2_another_key_for_a_confirmed_triple)
{
	rig_scenario1(&d, B1, 7);
	rig_ask(&d, true, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_key(8, 3600);
	rig_has_failed(&d, REASON_LOCAL_KEY_MISMATCH);
	rig_got_nothing();
	ck_assert(!rig_pending());
	rig_ask(&d2, false, false);
	rig_is_done(&d2, 0, B1);
}
END_TEST

START_TEST(K4_busy_is_asked_again)
{
	to_complete();
	rig_refuse(rig_got("complete"), REASON_LOCAL_BUSY, 5);
	rig_has_failed(&d, REASON_LOCAL_BUSY);
	ck_assert_int_eq(d.r.retry_after_s, 5);
	rig_got_nothing();
	rig_advance(5000);
	rig_complete(B1, 7);
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

/* An establish while complete is owed sends it, and has then a key that both ends hold. */
START_TEST(K4_establish_completes_what_is_owed)
{
	to_complete();
	rig_refuse(rig_got("complete"), REASON_LOCAL_BUSY, 600);
	rig_ask(&d, false, false);
	rig_complete(B1, 7);
	rig_is_done(&d, 1, B1);
	ck_assert_int_eq(rig.n_requests, 1);
}
END_TEST

/* The MT confirmed the new key, dropped the older one, and died before its answer; we still hold both. */
static void
to_owed_beside_a_confirmed_one(void)
{
	rig_scenario1(&d, B1, 7);
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(8, 3600);
	rig_got("complete");
	link_mem_cut(rig.net, "unix:/mt", true);
	rig_run();
	rig_drop_requests(&rig.mt);
	rig_has_failed(&d, REASON_LOCAL_GONE);
	ck_assert_int_eq(rig_keys().all, 2);
	ck_assert_int_eq(rig_keys().owed, 1);
}

START_TEST(K4_owed_beside_a_confirmed_one)
{
	to_owed_beside_a_confirmed_one();
	link_mem_cut(rig.net, "unix:/mt", false);
	rig_advance(2000);		/* by itself, at the next link-up */
	rig_complete(B2, 8);
	ck_assert_int_eq(rig_keys().all, 1);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ck_assert_str_eq(rig_keys().btids[0], B2);
}
END_TEST

START_TEST(K4_establish_settles_before_it_reuses)
{
	to_owed_beside_a_confirmed_one();
	link_mem_cut(rig.net, "unix:/mt", false);
	rig_ask(&d, false, false);
	rig_complete(B2, 8);
	rig_is_done(&d, 1, B2);
	ck_assert_int_eq(rig_keys().all, 1);
}
END_TEST

/* With the MT away the older key is what there is: nobody knows yet what the MT had done. */
START_TEST(K4_K9_owed_and_no_link)
{
	to_owed_beside_a_confirmed_one();
	rig_ask(&d, false, false);
	rig_run();
	rig_is_done(&d, 0, B1);
	ck_assert(d.r.reused);
	ck_assert_int_eq(rig_keys().owed, 1);
}
END_TEST

/* Who asks while it is being settled hears the outcome, not the older key. */
START_TEST(K4_K9_asked_while_it_is_settled)
{
	to_owed_beside_a_confirmed_one();
	link_mem_cut(rig.net, "unix:/mt", false);
	rig_advance(2000);
	rig_ask(&d2, false, false);
	ck_assert_int_eq(d2.n, 0);
	rig_complete(B2, 8);
	rig_is_done(&d2, 1, B2);
}
END_TEST

/* --- what the MT may refuse */

static const struct {
	enum reason why;
	int64_t wait;
} mt_refusals[] = {
	{ REASON_LOCAL_NAF_NOT_OFFERED, 0 }, { REASON_LOCAL_NO_UICC, 0 }, { REASON_LOCAL_BOOTSTRAP_FAILED, 0 }, { REASON_LOCAL_REFUSED, 0 },
	{ REASON_LOCAL_BUSY, 120 }, { REASON_CLOCK_JUMPED, 0 }, { REASON_LOCAL_BAD_MESSAGE, 0 }, { REASON_LOCAL_UNSUPPORTED, 0 },
	{ REASON_LOCAL_MT_CHANGED, 0 },
};

START_TEST(derive_is_refused)
{
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_refuse(rig_got("derive"), mt_refusals[_i].why, mt_refusals[_i].wait);
	rig_has_failed(&d, mt_refusals[_i].why);
	ck_assert_int_eq(d.r.retry_after_s, mt_refusals[_i].wait);
	ck_assert_int_eq(rig.n_requests, 0);
	rig_advance(3600000);
	rig_got_nothing();		/* who asked may ask again; we do not by ourselves */
}
END_TEST

START_TEST(info_is_refused)
{
	rig_ask(&d, false, false);
	rig_refuse(rig_got("info"), mt_refusals[_i].why, mt_refusals[_i].wait);
	rig_has_failed(&d, mt_refusals[_i].why);
}
END_TEST

/* --- U10 */

START_TEST(U10_progress_reaches_the_asker)
{
	struct rig_request *r;

	rig_ask(&d, false, false);
	rig_info(NULL);
	r = rig_got("derive");
	for (int i = 0; i < 6; i++) {
		rig_advance(9000);
		rpc_progress(r->q, "bootstrapping", 9);
		rig_run();
		ck_assert_int_eq(d.progress, i + 1);
		ck_assert_str_eq(d.word, "bootstrapping");
	}
	rig_derive(NULL, B1);
	ck_assert_str_eq(d.word, "key-request");
}
END_TEST

START_TEST(U10_a_silent_MT)
{
	rig_ask(&d, false, false);
	rig_got("info");
	rig_advance(10000);
	rig_has_failed(&d, REASON_LOCAL_TIMEOUT);
	rig_answer(rig_got("info"), json_pack("{s:[s]}", "naf_ids", NAF1));	/* late: nothing comes of it */
	rig_got_nothing();
}
END_TEST

/* A late answer of an earlier establishment is not taken for the present one's. */
START_TEST(late_answers_are_late)
{
	struct rig_request *first, *second;

	rig_ask(&d, false, false);
	first = rig_got("info");
	rig_advance(10000);
	rig_has_failed(&d, REASON_LOCAL_TIMEOUT);
	rig_ask(&d, false, false);
	rig_answer(first, json_pack("{s:[s], s:s}", "naf_ids", NAF1, "btid", B1));
	second = rig_got("info");
	rig_answer(second, json_pack("{s:[s]}", "naf_ids", NAF1));
	ck_assert_str_eq(rig_member(rig_got("derive"), "btid"), "");
}
END_TEST

/* --- T1, T2 */

START_TEST(T1_an_expired_key_counts_as_none)
{
	rig_scenario1(&d, B1, 7);
	rig_advance(3600 * 1000 - 1);
	rig_ask(&d, false, false);
	rig_is_done(&d, 0, B1);
	rig_advance(1);
	ck_assert_int_eq(rig_keys().all, 0);
	rig_advance(1000);
	ck_assert_int_eq(extdev_store_next_expiry(rig.store) == INT64_MAX, 1);	/* deleted, too */
	rig_ask(&d, false, false);
	rig_info(NULL);
}
END_TEST

START_TEST(T2_a_clock_that_jumped)
{
	rig_scenario1(&d, B1, 7);
	clock_step_wall(rig.clk, INT64_C(100) * 86400 * 1000);
	rig_ask(&d, false, true);
	rig_has_failed(&d, REASON_CLOCK_JUMPED);
	rig_got_nothing();
	ck_assert_int_eq(rig_keys().all, 1);		/* nothing was destroyed */
	clock_step_wall(rig.clk, -INT64_C(100) * 86400 * 1000);
	rig_ask(&d, false, false);
	rig_is_done(&d, 0, B1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("establish");
	TCase *t[6];
	static const char *const names[] = { "scenarios", "falls", "answers", "key center", "complete", "rest" };

	for (int i = 0; i < 6; i++) {
		t[i] = tcase_create(names[i]);
		tcase_add_checked_fixture(t[i], rig_setup, rig_teardown);
		suite_add_tcase(s, t[i]);
	}
	tcase_add_test(t[0], S1_scenario_1);
	tcase_add_test(t[0], S1_scenario_2);
	tcase_add_test(t[0], S1_one_run_id);
	tcase_add_test(t[0], K9_a_valid_key_is_reused);
	tcase_add_test(t[0], K9_reuse_needs_no_link);
	tcase_add_test(t[0], K9_force_fetches_again);
	tcase_add_test(t[0], K9_new_bootstraps_anew);
	tcase_add_test(t[0], K9_new_that_brings_the_old_btid_is_refused);
	tcase_add_test(t[0], K9_new_over_a_pending_request);
	tcase_add_test(t[1], stale_at_the_MT);
	tcase_add_test(t[1], K8_stale_at_the_NAF);
	tcase_add_test(t[1], K8_another_btid_after_a_stale_one);
	tcase_add_test(t[1], an_MT_that_insists_on_the_stale_btid);
	tcase_add_test(t[1], falls_are_bounded);
	tcase_add_test(t[1], falls_at_the_MT_are_bounded);
	tcase_add_loop_test(t[2], derive_is_answered_about_something_else, 0, TABLE_N(odd_derive));
	tcase_add_loop_test(t[2], info_is_answered_in_another_form, 0, TABLE_N(odd_info));
	tcase_add_loop_test(t[2], a_key_about_something_else, 0, TABLE_N(odd_keys));
	tcase_add_loop_test(t[3], N6_what_the_key_center_says, 0, TABLE_N(refusals));
	tcase_add_loop_test(t[3], a_200_that_is_no_key_response, 0, TABLE_N(no_xml));
	tcase_add_test(t[3], a_403_without_a_body);
	tcase_add_loop_test(t[3], N4_N6_no_answer, 0, TABLE_N(silences));
	tcase_add_test(t[3], N6_repeated_alone_after_retry_after);
	tcase_add_test(t[3], N6_a_short_pause_is_waited_for);
	tcase_add_test(t[3], N6_without_retry_after_our_own_pause);
	tcase_add_test(t[3], N6_asked_again_while_pending);
	tcase_add_test(t[3], N6_pending_until_told_bootstrap_again);
	tcase_add_test(t[3], N6_pending_over_a_restart);
	tcase_add_test(t[4], K3_wrong_proof_of_the_MT);
	tcase_add_test(t[4], K3_reflected_proof);
	tcase_add_test(t[4], K3_the_MT_says_key_mismatch);
	tcase_add_test(t[4], K3_an_MT_without_proofs);
	tcase_add_test(t[4], K3_a_challenge_but_no_proof);
	tcase_add_test(t[4], K2_a_third_key);
	tcase_add_test(t[4], K4_owed_until_the_next_link);
	tcase_add_test(t[4], K4_owed_over_a_restart);
	tcase_add_test(t[4], K4_unknown_key_establishes_anew);
	tcase_add_test(t[4], K2_unknown_key_about_a_confirmed_one);
	tcase_add_test(t[4], K2_another_key_for_a_confirmed_triple);
	tcase_add_test(t[4], K4_busy_is_asked_again);
	tcase_add_test(t[4], K4_establish_completes_what_is_owed);
	tcase_add_test(t[4], K4_owed_beside_a_confirmed_one);
	tcase_add_test(t[4], K4_establish_settles_before_it_reuses);
	tcase_add_test(t[4], K4_K9_owed_and_no_link);
	tcase_add_test(t[4], K4_K9_asked_while_it_is_settled);
	tcase_add_loop_test(t[5], derive_is_refused, 0, TABLE_N(mt_refusals));
	tcase_add_loop_test(t[5], info_is_refused, 0, TABLE_N(mt_refusals));
	tcase_add_test(t[5], U10_progress_reaches_the_asker);
	tcase_add_test(t[5], U10_a_silent_MT);
	tcase_add_test(t[5], late_answers_are_late);
	tcase_add_test(t[5], T1_an_expired_key_counts_as_none);
	tcase_add_test(t[5], T2_a_clock_that_jumped);
	return unit_run(s);
}
