/* state: what the Key Center says of a key that it gave, and whose SIM it says is in an MT. */
#include "extdevd/state.h"
#include "test/unit/extdevd/rig.h"

#define GONE "<keyError xmlns=\"urn:x-kslocal:ua:1\"><reason>gone</reason><text>taken back</text></keyError>"
#define SIM1 "AAECAwQFBgcICQoLDA0ODw"
#define SIM2 "EBESExQVFhcYGRobHB0eHw"

static struct rig_done d;

static void
setup(void)
{
	rig_setup();
}

static void
setup_unstarted(void)
{
	rig_new();
	rig_mt_up(&rig.mt, "unix:/mt", MT1);
}

static void
setup_grace(void)
{
	setup_unstarted();
	rig.conf.state_grace_s = 1800;
	rig_start();
}

/* A key of two hours, confirmed. */
static void
have_key(const char *btid, int which)
{
	rig_ask(&d, false, true);
	rig_info(NULL);
	rig_derive(NULL, btid);
	rig_naf_key(which, 7200);
	rig_complete(btid, which);
	rig_is_done(&d, 1, btid);
}

static struct extdev_key
key(void)
{
	struct extdev_key k = { .ks = NULL };
	struct mt_id mt = { MT1 };

	ck_ok(extdev_store_get_key(rig.store, &mt, timeguard_now(rig.guard), &k));
	return k;
}

static int64_t
expires(void)
{
	struct extdev_key k = key();
	int64_t at = k.expires_s;

	extdev_key_clear(&k);
	return at;
}

/* May the key be used? *n counts the answers. */
struct may {
	int n;
	enum reason why;
};

static void
on_may(void *arg, enum reason why)
{
	struct may *m = arg;

	m->n++;
	m->why = why;
}

static void
ask_may(struct may *m)
{
	struct extdev_key k = key();

	*m = (struct may){ 0 };
	extdev_state_before_use(&rig.e->mts[0], &k, on_may, m);
	extdev_key_clear(&k);
	rig_run();
}

/* To the next question: within an interval of 15 minutes. */
static void
until_asked(void)
{
	for (int i = 0; i < 2 * 3600 && TAILQ_EMPTY(&rig.questions); i++)
		rig_advance(500);
	(void)rig_question();
}

START_TEST(N7_identifiers_in_headers_and_the_earlier_date_holds)
{
	struct http_flight *f;
	int64_t before;

	have_key(B1, 7);
	ck_assert_int_eq(rig.n_questions, 0);
	until_asked();
	f = rig_question();
	ck_assert_str_eq(f->url, "https://nafkc.example.org/keycentre/v1/key-state");	/* nothing of the key in it */
	ck_assert_str_eq(f->btid, B1);
	ck_assert_str_eq(f->device_id, DEV);
	ck_assert_str_eq(f->etag, "");
	/* longer than we have it: never lengthened (N9) */
	before = expires();
	rig_state_good(99999, "\"one\"");
	ck_assert_int_eq(expires(), before);
	until_asked();
	ck_assert_str_eq(rig_question()->etag, "\"one\"");
	rig_state(304, NULL, NULL);
	ck_assert_int_eq(expires(), before);
	/* N9: limited there, so it ends here, too */
	until_asked();
	ck_assert_str_eq(rig_question()->etag, "\"one\"");
	rig_state_good(60, "\"two\"");
	ck_assert_int_eq(expires(), clock_now_s(rig.clk) + 60);
	rig_advance(60 * 1000);
	ck_assert_int_eq(rig_keys().all, 0);
}
END_TEST

/* Not before 90 % of the interval, nor after it; and chance decides when. */
START_TEST(N7_at_an_interval_with_jitter)
{
	int64_t since, took[3];

	have_key(B1, 7);
	for (int i = 0; i < 3; i++) {
		since = clock_mono_ms(rig.clk);
		until_asked();
		took[i] = clock_mono_ms(rig.clk) - since;
		ck_assert_int_ge(took[i], 900 * 1000 * 9 / 10 - 1000);
		ck_assert_int_le(took[i], 900 * 1000 + 1000);
		rig_state_good(7200, NULL);
	}
	ck_assert(took[0] != took[1] || took[1] != took[2]);
}
END_TEST

START_TEST(N7_beside_a_connection_with_the_MT)
{
	have_key(B1, 7);
	rig_advance(20 * 1000);
	ck_assert_int_eq(rig.n_questions, 0);
	rig_mt_dies(&rig.mt);
	rig_advance(2000);
	ck_assert_int_eq(rig.mt.hellos, 2);
	ck_assert_int_eq(rig.n_questions, 1);
	rig_state_good(7200, NULL);
	/* one that flaps costs nothing more */
	for (int i = 0; i < 3; i++) {
		rig_mt_dies(&rig.mt);
		rig_advance(2000);
	}
	ck_assert_int_ge(rig.mt.hellos, 4);
	ck_assert_int_eq(rig.n_questions, 1);
	/* asked in this process; a new one asks, too */
	rig_advance(20 * 1000);
	rig_restart();
	ck_assert_int_eq(rig.n_questions, 2);
	rig_state(304, NULL, NULL);	/* though nothing was asked conditionally: it says nothing */
	ck_assert_int_eq(rig.logged, REASON_EXT_NAF_ODD);
}
END_TEST

START_TEST(N7_gone_deletes)
{
	json_t *all, *v;
	bool traced = false;
	size_t i;

	have_key(B1, 7);
	until_asked();
	rig_state(410, GONE, NULL);
	ck_assert_int_eq(rig_keys().all, 0);
	ck_assert_int_eq(rig.logged, REASON_EXT_KEY_GONE);
	ck_assert_ptr_nonnull(strstr(rig.log, "taken back"));
	all = trace_since(rig.trace, 0);
	json_array_foreach(all, i, v)
		if (strcmp(json_string_value(json_object_get(v, "msg")), "key state") == 0 &&
		    strcmp(json_string_value(json_object_get(v, "result")), "410") == 0)
			traced = true;
	json_decref(all);
	ck_assert(traced);
	/* N8: the next establishment is told so for the old B-TID, and bootstraps anew */
	rig_ask(&d, false, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_error(403, "bootstrap-again", NULL);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(8, 3600);
	rig_complete(B2, 8);
	rig_is_done(&d, 1, B2);
}
END_TEST

static const struct {
	int status;
	const char *text;
	enum reason why;
} silences[] = {
	{ 404, NULL, REASON_EXT_STATE_UNKNOWN },
	{ 0, NULL, REASON_HTTP_UNREACHABLE },
	{ 503, NULL, REASON_EXT_NAF_UNAVAILABLE },
	{ 500, NULL, REASON_EXT_NAF_ODD },
	{ 403, NULL, REASON_EXT_NAF_REFUSED },
	{ 200, "", REASON_EXT_NAF_BAD_ANSWER },
	{ 200, "<html>It works</html>", REASON_EXT_NAF_BAD_ANSWER },
	{ 200, "<keyState xmlns=\"urn:x-kslocal:ua:1\"><btid>" B2 "</btid><deviceId>" DEV "</deviceId>"
	    "<keyLifetime>2030-01-01T00:00:01Z</keyLifetime></keyState>", REASON_EXT_NAF_OTHER },
	{ 301, NULL, REASON_EXT_NAF_ODD },
};

/* Whatever else it says changes nothing, and is asked again after pauses that double. */
START_TEST(N7_anything_else_keeps_the_key)
{
	int64_t since, took[4], before;

	have_key(B1, 7);
	before = expires();
	for (int i = 0; i < 4; i++) {
		since = clock_mono_ms(rig.clk);
		until_asked();
		took[i] = clock_mono_ms(rig.clk) - since;
		rig_state(silences[_i].status, silences[_i].text, NULL);
		ck_assert_int_eq(rig.logged, silences[_i].why);
		ck_assert_int_eq(rig_keys().confirmed, 1);
		ck_assert_int_eq(expires(), before);
	}
	ck_assert_int_le(took[1], 31 * 1000);
	ck_assert_int_ge(took[1], 26 * 1000);
	ck_assert_int_gt(took[2], took[1] * 3 / 2);
	ck_assert_int_gt(took[3], took[2] * 3 / 2);
	/* one good answer, and it is the interval again */
	until_asked();
	rig_state_good(7200, NULL);
	since = clock_mono_ms(rig.clk);
	until_asked();
	ck_assert_int_ge(clock_mono_ms(rig.clk) - since, 800 * 1000);
	rig_state(304, NULL, NULL);
}
END_TEST

/* The last good answer outlives the process. */
START_TEST(N7_the_last_good_answer_is_kept)
{
	struct extdev_key k;
	int64_t then;

	have_key(B1, 7);
	until_asked();
	then = timeguard_now(rig.guard);
	rig_state_good(7200, "\"one\"");
	rig_restart();
	k = key();
	ck_assert_int_eq(k.sure_s, then);
	ck_assert_str_eq(k.etag, "\"one\"");
	extdev_key_clear(&k);
	rig_advance(60 * 1000);
	ck_assert_int_eq(rig.n_questions, 1);	/* it was said lately */
}
END_TEST

START_TEST(N7_a_state_url_of_its_own)
{
	rig.centers[0].url = "https://nafkc.example.org:8443/some/path";
	rig_start();
	have_key(B1, 7);
	until_asked();
	ck_assert_str_eq(rig_question()->url, "https://nafkc.example.org:8443/keycentre/v1/key-state");
	rig_state_good(7200, NULL);
	rig.centers[0].state_url = "https://nafkc.example.org/other";
	until_asked();
	ck_assert_str_eq(rig_question()->url, "https://nafkc.example.org/other");
	rig_state_good(7200, NULL);
}
END_TEST

/* --- N10 */

START_TEST(N10_use_never_waits_for_the_network)
{
	struct may m;

	have_key(B1, 7);
	until_asked();
	ask_may(&m);			/* with a question open, and the Key Center silent for ever after */
	ck_assert_int_eq(m.n, 1);
	ck_assert_int_eq(m.why, REASON_NONE);
	rig_state(0, NULL, NULL);
	while (timeguard_now(rig.guard) < expires() - 300) {
		rig_advance(100 * 1000);
		if (!TAILQ_EMPTY(&rig.questions))
			rig_state(0, NULL, NULL);
		ask_may(&m);
		ck_assert_int_eq(m.n, 1);
		ck_assert_int_eq(m.why, REASON_NONE);
	}
	ck_assert_int_ge(rig.n_questions, 5);
}
END_TEST

START_TEST(N10_a_grace_period_ends_its_use)
{
	struct may m;

	have_key(B1, 7);
	until_asked();
	rig_state(0, NULL, NULL);
	ask_may(&m);
	ck_assert_int_eq(m.n, 1);
	ck_assert_int_eq(m.why, REASON_NONE);
	while (timeguard_now(rig.guard) <= T0 + 1810) {
		rig_advance(10 * 1000);
		if (!TAILQ_EMPTY(&rig.questions))
			rig_state(0, NULL, NULL);
	}
	/* past it: asked, and the answer decides */
	ask_may(&m);
	ck_assert_int_eq(m.n, 0);
	rig_state(0, NULL, NULL);
	ck_assert_int_eq(m.n, 1);
	ck_assert_int_eq(m.why, REASON_EXT_KEY_LAPSED);
	ck_assert_int_eq(rig_keys().confirmed, 1);	/* it is not deleted for that */
	ask_may(&m);
	rig_state(404, NULL, NULL);
	ck_assert_int_eq(m.why, REASON_EXT_KEY_LAPSED);
	ask_may(&m);
	rig_state_good(7200, NULL);
	ck_assert_int_eq(m.n, 1);
	ck_assert_int_eq(m.why, REASON_NONE);
	ask_may(&m);			/* and again without asking */
	ck_assert_int_eq(m.n, 1);
}
END_TEST

START_TEST(N10_asked_before_use)
{
	struct may m, m2, m3;

	rig.conf.state_before_use = true;
	rig_start();
	have_key(B1, 7);
	ask_may(&m);
	ask_may(&m2);
	ask_may(&m3);
	ck_assert_int_eq(rig.n_questions, 1);		/* the same answer does for all */
	extdev_state_cancel(&rig.e->mts[0], &m3);
	ck_assert_int_eq(m.n + m2.n, 0);
	rig_state_good(7200, NULL);
	ck_assert_int_eq(m.n + m2.n, 2);
	ck_assert_int_eq(m3.n, 0);
	ck_assert_int_eq(m.why, REASON_NONE);
	ask_may(&m);
	rig_state(0, NULL, NULL);			/* silence: no grace is set, so it may */
	ck_assert_int_eq(m.why, REASON_NONE);
	ask_may(&m);
	rig_state(410, GONE, NULL);
	ck_assert_int_eq(m.n, 1);
	ck_assert_int_eq(m.why, REASON_EXT_KEY_GONE);
	ck_assert_int_eq(rig_keys().all, 0);
}
END_TEST

static void
on_stopped(void *arg)
{
	(void)arg;
}

START_TEST(N10_stopping_tells_who_waits)
{
	struct may m;

	rig.conf.state_before_use = true;
	rig_start();
	have_key(B1, 7);
	ask_may(&m);
	ck_assert_int_eq(m.n, 0);
	extdev_stop(rig.e, on_stopped, NULL);
	ck_assert_int_eq(m.n, 1);
	ck_assert_int_eq(m.why, REASON_STOPPING);
}
END_TEST

/* --- K12 */

static void
sim(const char *pseudonym)
{
	(void)snprintf(rig.pseudonym, sizeof rig.pseudonym, "%s", pseudonym);
}

/* A new establishment up to the Key Response. */
static void
up_to_key(const char *btid, int which)
{
	rig_ask(&d, false, true);
	rig_info(NULL);
	rig_derive(NULL, btid);
	rig_naf_key(which, 7200);
}

START_TEST(K12_another_SIM_under_a_known_MT_ID)
{
	struct mt_id mt = { MT1 };
	int n;

	sim(SIM1);
	have_key(B1, 7);
	have_key(B2, 8);			/* the same one again */
	sim(_i == 0 ? SIM2 : "");		/* another, or none */
	up_to_key(B3, 9);
	rig_has_failed(&d, REASON_LOCAL_MT_CHANGED);
	ck_assert_str_eq(reason_get(d.r.why)->local, "mt-changed");
	ck_assert_ptr_nonnull(strstr(reason_get(d.r.why)->why, "this device's certificate has a new key"));
	rig_got_nothing();			/* no complete */
	ck_assert(!rig_pending());
	ck_assert_int_eq(rig_keys().all, 1);	/* the old one stays */
	ck_assert_str_eq(rig_keys().btids[0], B2);
	/* if it is intended */
	ck_ok(store_begin(rig.store));
	ck_ok(extdev_store_drop_pseudonyms(rig.store, mt.s));
	ck_ok(store_end(rig.store, true));
	have_key(B3, 9);
	sim(SIM1);
	up_to_key(B1, 10);
	n = _i == 0;				/* after none, whichever comes is the first */
	ck_assert_int_eq(d.n, n);
	if (n == 1)
		rig_has_failed(&d, REASON_LOCAL_MT_CHANGED);
	else
		rig_complete(B1, 10);
}
END_TEST

/* A key that the MT cannot prove says nothing about whose SIM is in it: whoever plays the MT cannot lock the right one out. */
START_TEST(K12_a_SIM_counts_once_the_key_is_confirmed)
{
	sim(SIM2);
	up_to_key(B1, 7);
	rig_refuse(rig_got("complete"), REASON_LOCAL_KEY_MISMATCH, 0);
	rig_has_failed(&d, REASON_LOCAL_KEY_MISMATCH);
	sim(SIM1);
	have_key(B2, 8);
	sim(SIM2);
	up_to_key(B3, 9);
	rig_has_failed(&d, REASON_LOCAL_MT_CHANGED);
}
END_TEST

static int
times_said(const char *what);

/* Each Key Center has its own name for a SIM: one that is new to this MT cannot tell whether it is the same one, and that is said. */
START_TEST(K12_another_Key_Center_does_not_know_the_SIM)
{
	static const char said[] = "whether it is about the SIM that naf_id=" NAF1 " knows in this MT cannot be told";

	sim(SIM1);
	have_key(B1, 7);
	ck_assert_int_eq(times_said(said), 0);
	sim(SIM2);
	rig_ask(&d, false, true);
	rig_answer(rig_got("info"), json_pack("{s:[s]}", "naf_ids", NAF2));
	rig_derive(NULL, B2);
	rig_naf_key(8, 7200);
	ck_assert_int_eq(times_said(said), 1);
	rig_complete(B2, 8);
	rig_is_done(&d, 1, B2);
	/* from now on it is known here, too */
	rig_ask(&d, false, true);
	rig_answer(rig_got("info"), json_pack("{s:[s]}", "naf_ids", NAF2));
	rig_derive(NULL, B3);
	sim(SIM1);
	rig_naf_key(9, 7200);
	rig_has_failed(&d, REASON_LOCAL_MT_CHANGED);
	ck_assert_int_eq(times_said(said), 1);
}
END_TEST

static int
times_said(const char *what)
{
	int n = 0;

	for (const char *p = rig.log; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

START_TEST(K12_where_none_comes_it_is_said_once)
{
	have_key(B1, 7);
	ck_assert_int_eq(times_said("a change of SIM in this MT cannot be noticed"), 1);
	have_key(B2, 8);
	rig_restart();
	have_key(B3, 9);
	ck_assert_int_eq(times_said("a change of SIM in this MT cannot be noticed"), 1);
}
END_TEST

/* --- lifetimes (7.2) */

START_TEST(T1_7_2_The_external_device_shall_always_delete_Ks_local_MT_when_it_expires)
{
	have_key(B1, 7);
	rig_advance(7199 * 1000);
	ck_assert_int_eq(rig_keys().all, 1);
	while (!TAILQ_EMPTY(&rig.questions))
		rig_state(0, NULL, NULL);
	rig_advance(1000);
	ck_assert_int_eq(rig_keys().all, 0);
	ck_assert_int_eq(rig_rows("key"), 0);
}
END_TEST

START_TEST(T1_7_2_deleted_after_a_stop_past_its_expiry)
{
	have_key(B1, 7);
	rig_stop_process();
	clock_advance(rig.clk, 3 * 3600 * 1000);
	rig_start();
	rig_advance(1000);
	ck_assert_int_eq(rig_rows("key"), 0);
}
END_TEST

START_TEST(T1_7_2_deleted_after_the_clock_was_stepped_over_its_expiry)
{
	have_key(B1, 7);
	clock_step_wall(rig.clk, 3 * 3600 * 1000);
	rig_advance(61 * 1000);			/* a wall clock is looked at each minute */
	ck_assert_int_eq(rig_rows("key"), 0);
}
END_TEST

/* A step back lets it live no longer (T2): now is the mark. */
START_TEST(T2_7_2_a_clock_set_back_prolongs_nothing)
{
	have_key(B1, 7);
	rig_advance(7190 * 1000);
	while (!TAILQ_EMPTY(&rig.questions))
		rig_state(0, NULL, NULL);
	clock_step_wall(rig.clk, -3600 * 1000);
	rig_advance(3 * 3600 * 1000);
	ck_assert_int_eq(rig_rows("key"), 0);
}
END_TEST

/* A clock far ahead destroys nothing and uses nothing; back again, all is as before (T2). */
START_TEST(T2_7_2_a_clock_that_jumps_too_far_destroys_nothing)
{
	struct may m;

	have_key(B1, 7);
	clock_step_wall(rig.clk, INT64_C(400) * 86400 * 1000);
	rig_advance(120 * 1000);
	ck_assert_int_eq(rig_keys().confirmed, 1);
	ask_may(&m);
	ck_assert_int_eq(m.why, REASON_CLOCK_JUMPED);
	clock_step_wall(rig.clk, -INT64_C(400) * 86400 * 1000);
	ask_may(&m);
	ck_assert_int_eq(m.why, REASON_NONE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("state");
	TCase *t = tcase_create("asked"), *u = tcase_create("unstarted"), *g = tcase_create("grace");

	tcase_add_checked_fixture(t, setup, rig_teardown);
	tcase_add_test(t, N7_identifiers_in_headers_and_the_earlier_date_holds);
	tcase_add_test(t, N7_at_an_interval_with_jitter);
	tcase_add_test(t, N7_beside_a_connection_with_the_MT);
	tcase_add_test(t, N7_gone_deletes);
	tcase_add_loop_test(t, N7_anything_else_keeps_the_key, 0, TABLE_N(silences));
	tcase_add_test(t, N7_the_last_good_answer_is_kept);
	tcase_add_test(t, N10_use_never_waits_for_the_network);
	tcase_add_loop_test(t, K12_another_SIM_under_a_known_MT_ID, 0, 2);
	tcase_add_test(t, K12_a_SIM_counts_once_the_key_is_confirmed);
	tcase_add_test(t, K12_where_none_comes_it_is_said_once);
	tcase_add_test(t, K12_another_Key_Center_does_not_know_the_SIM);
	tcase_add_test(t, T1_7_2_The_external_device_shall_always_delete_Ks_local_MT_when_it_expires);
	tcase_add_test(t, T1_7_2_deleted_after_a_stop_past_its_expiry);
	tcase_add_test(t, T1_7_2_deleted_after_the_clock_was_stepped_over_its_expiry);
	tcase_add_test(t, T2_7_2_a_clock_set_back_prolongs_nothing);
	tcase_add_test(t, T2_7_2_a_clock_that_jumps_too_far_destroys_nothing);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(u, setup_unstarted, rig_teardown);
	tcase_add_test(u, N7_a_state_url_of_its_own);
	tcase_add_test(u, N10_asked_before_use);
	tcase_add_test(u, N10_stopping_tells_who_waits);
	suite_add_tcase(s, u);
	tcase_add_checked_fixture(g, setup_grace, rig_teardown);
	tcase_add_test(g, N10_a_grace_period_ends_its_use);
	suite_add_tcase(s, g);
	return unit_run(s);
}
