#include "test/unit/extdevd/use_rig.h"

#include "extdevd/service.h"

#define PORT "tcp:127.0.0.1:7300"
#define SOCKET "unix:/modem"

static const struct extdev_service_conf services[] = { { "modem", "127.0.0.1:7300", false }, { "gnss", SOCKET, false } };

static void
setup(void)
{
	use_setup_with_key(services, 2, false);
}

static void
setup_no_key(void)
{
	use_setup(services, 2, false);
}

static bool
logged(enum reason why)
{
	return strstr(rig.log, reason_get(why)->code) != NULL;
}

/* --- carried (U5) */

START_TEST(U5_octets_go_there_and_come_back)
{
	static struct use_user a, b;	/* they hear of the end after the test's */

	use_connect(&a, PORT);
	ck_assert_int_eq(use_tunnels(), 1);	/* it was what began it */
	use_say(&a, "one");
	ck_assert_str_eq(a.got, "one");
	ck_assert_str_eq(use.service, "modem");
	use_connect(&b, SOCKET);
	ck_assert_str_eq(use.service, "gnss");	/* a name, never an address */
	use_say(&b, "two");
	ck_assert_str_eq(b.got, "two");
	ck_assert_int_eq(use.n, 1);		/* both in one tunnel */
	ck_assert_int_eq(use.opened, 2);
	link_free(a.link);
	link_free(b.link);
}
END_TEST

START_TEST(half_close_is_passed_on)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use_connect(&a, PORT);
	ck_ok(link_write(a.link, span_str("all of it")));
	ck_ok(link_shutdown(a.link));
	rig_run();
	ck_assert_str_eq(a.got, "all of it");
	ck_assert(a.eof);
	ck_assert(a.closed);
	ck_assert_int_eq(a.why, REASON_NONE);
}
END_TEST

/* It had said all it had to say before there was a tunnel. */
START_TEST(half_close_before_it_is_in)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use.mute = true;
	use_connect(&a, PORT);
	ck_ok(link_write(a.link, span_str("early")));
	ck_ok(link_shutdown(a.link));
	rig_run();
	use_break(&use.ch[0]);
	use.mute = false;
	rig_advance(3000);
	ck_assert_str_eq(a.got, "early");
	ck_assert(a.closed);
	ck_assert_int_eq(a.why, REASON_NONE);
}
END_TEST

START_TEST(a_reset_is_passed_on)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use_connect(&a, PORT);
	use_say(&a, "x");
	ck_assert_uint_eq(tunnel_streams(use.ch[0].tunnel), 1);
	link_reset(a.link);
	rig_run();
	ck_assert_uint_eq(tunnel_streams(use.ch[0].tunnel), 0);
	ck_assert_int_eq(use_tunnels(), 1);
}
END_TEST

/* --- waiting */

START_TEST(seed_7_3_a_connection_that_waits_brings_a_key)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use_connect(&a, PORT);
	ck_ok(link_write(a.link, span_str("hello")));
	use_new_key(B1, 1, 3600);
	ck_assert_str_eq(a.got, "hello");
	link_free(a.link);
}
END_TEST

START_TEST(a_connection_does_not_wait_for_ever)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use.answer = REASON_LOCAL_BUSY;
	use_connect(&a, PORT);
	rig_advance(29000);
	ck_assert(!a.closed);
	rig_advance(2000);
	ck_assert(a.closed);
	ck_assert(logged(REASON_EXT_NO_TUNNEL));
	ck_assert_int_gt(use.n, 2);		/* tried again meanwhile */
	int n = use.n;
	rig_advance(120000);
	ck_assert_int_eq(use.n, n);		/* nobody waits: nobody asks */
}
END_TEST

START_TEST(a_user_that_leaves_early)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use.mute = true;
	use_connect(&a, PORT);
	link_reset(a.link);
	rig_run();
	ck_assert(!extdev_services_waiting(&rig.e->mts[0]));
}
END_TEST

START_TEST(no_key_can_be_made)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use_connect(&a, PORT);
	rig_info(NULL);
	rig_derive(NULL, B1);
	rig_naf_error(403, "refused", NULL);
	ck_assert(a.closed);			/* at once */
	ck_assert(logged(REASON_EXT_NAF_REFUSED));
	rig_advance(300000);
	rig_got_nothing();
}
END_TEST

/* It was refused for good: who comes meanwhile hears that, and nobody is asked; once it is taken back, whoever comes is served. */
START_TEST(U3_a_refusal_that_is_taken_back)
{
	static struct use_user a, b, c;	/* they hear of the end after the test's */

	use_connect(&a, PORT);
	rig_info(NULL);
	rig_derive(NULL, B1);
	rig_naf_error(403, "blocked", NULL);
	ck_assert(a.closed);
	for (int i = 0; i < 5; i++) {
		rig_advance(10000);
		use_connect(&b, PORT);
		ck_assert(b.closed);
		ck_assert_int_eq(rig.n_requests, 1);
	}
	rig_advance(10000);
	use_connect(&c, PORT);
	use_new_key(B2, 2, 3600);
	use_say(&c, "served");
	ck_assert_str_eq(c.got, "served");
	link_free(c.link);
}
END_TEST

START_TEST(a_newcomer_after_failures_need_not_wait_out_the_pause)
{
	static struct use_user a, b;	/* they hear of the end after the test's */

	use.answer = REASON_LOCAL_BUSY;
	use_connect(&a, PORT);
	rig_advance(31000);
	ck_assert(a.closed);
	rig_advance(4000);
	use.answer = REASON_NONE;
	use_connect(&b, PORT);
	use_say(&b, "now");
	ck_assert_str_eq(b.got, "now");
	link_free(b.link);
}
END_TEST

/* The pause after many failures is long; who comes right behind the last one waits seconds, not all of it. */
START_TEST(a_newcomer_right_after_a_failure_waits_but_seconds)
{
	static struct use_user a, b, c;	/* they hear of the end after the test's */

	use.answer = REASON_LOCAL_BUSY;
	use_connect(&a, PORT);
	rig_advance(31000);
	ck_assert(a.closed);
	rig_advance(4000);
	use.answer = REASON_NONE;
	use_connect(&b, PORT);
	use_break(&use.ch[use.n - 1]);
	rig_advance(1000);
	ck_assert(b.closed);
	ck_assert_int_gt(rig.e->mts[0].use->back_off_ms, 15000);
	use_connect(&c, PORT);
	rig_advance(2500);
	use_say(&c, "soon");
	ck_assert_str_eq(c.got, "soon");
	link_free(c.link);
}
END_TEST

static const enum reason refusals[] = { REASON_TUNNEL_SERVICE_UNKNOWN, REASON_TUNNEL_SERVICE_REFUSED, REASON_TUNNEL_SERVICE_DOWN,
    REASON_TUNNEL_LIMIT };

START_TEST(U5_the_MT_refuses_the_service)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use.refuse = refusals[_i];
	use_connect(&a, PORT);
	ck_assert(a.closed);
	ck_assert(logged(refusals[_i]));
	ck_assert_int_eq(use_tunnels(), 1);	/* the tunnel stays */
	ck_assert_int_eq(use.opened, 1);
}
END_TEST

/* --- what becomes of streams */

START_TEST(U1_a_running_stream_goes_on_across_a_change_of_keys)
{
	static struct use_user a, b;	/* they hear of the end after the test's */
	struct rig_done d;

	use_connect(&a, PORT);
	use_say(&a, "on the old one;");
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	use.key = 2;
	use_say(&a, "during it;");
	rig_naf_key(2, 3600);
	use_say(&a, "with both keys there;");
	rig_complete(B2, 2);
	ck_assert_int_eq(use_tunnels(), 2);	/* side by side */
	ck_assert_int_eq(rig_keys().all, 1);	/* the old key is replaced, and its tunnel stands */
	use_say(&a, "with the new tunnel up;");
	rig_advance(60000);
	use_say(&a, "a minute later");
	ck_assert_str_eq(a.got, "on the old one;during it;with both keys there;with the new tunnel up;a minute later");
	use_connect(&b, PORT);
	use_say(&b, "new");
	ck_assert_uint_eq(tunnel_streams(use.ch[0].tunnel), 1);
	ck_assert_uint_eq(tunnel_streams(use.ch[1].tunnel), 1);	/* new streams go to the new key's */
	ck_ok(link_shutdown(a.link));
	rig_run();
	ck_assert(a.closed);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert(use.ch[0].closed);		/* drained: it ended with its last stream */
	ck_assert_int_eq(use_tunnels(), 1);
	use_say(&b, ", still");
	ck_assert_str_eq(b.got, "new, still");
	link_free(b.link);
}
END_TEST

START_TEST(the_old_key_ends_its_streams_at_its_own_expiry)
{
	static struct use_user a;	/* it hears of the end after the test's */
	struct rig_done d;

	use_connect(&a, PORT);
	rig_advance(1000 * 1000);
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	use.key = 2;
	rig_naf_key(2, 36000);
	rig_complete(B2, 2);
	rig_advance(2500 * 1000);
	ck_assert(!a.closed);
	ck_assert_int_eq(use_tunnels(), 2);
	rig_advance(110 * 1000);
	ck_assert(a.closed);
	ck_assert_int_eq(use_tunnels(), 1);
	ck_assert(logged(REASON_EXT_KEY_OVER));
}
END_TEST

/* Whoever takes the newest key away means the pair, not one key. */
/* The next question, within an interval. */
static const char *
asked(void)
{
	for (int i = 0; i < 1800 && TAILQ_EMPTY(&rig.questions); i++)
		rig_advance(500);
	return rig_question()->btid;
}

/* A key that was replaced is in no row any more; as long as its tunnel drains its state is asked all the same. */
START_TEST(N7_N9_a_replaced_key_is_asked_about_while_its_tunnel_drains)
{
	static struct use_user a;	/* it hears of the end after the test's */
	struct rig_done d;

	use_connect(&a, PORT);
	rig_advance(60 * 1000);
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	use.key = 2;
	rig_naf_key(2, 3600);
	rig_complete(B2, 2);
	ck_assert_int_eq(use_tunnels(), 2);
	ck_assert_str_eq(asked(), B1);
	rig_state(404, NULL, NULL);		/* kept */
	ck_assert_str_eq(asked(), B1);
	rig_state_good(_i == 0 ? 9999 : 600, NULL);
	ck_assert_str_eq(asked(), B2);
	rig_state_good(9999, NULL);
	ck_assert_int_eq(use_tunnels(), 2);
	if (_i == 0) {
		use_say(&a, "still");
		ck_assert_str_eq(asked(), B1);
		rig_state(410, NULL, NULL);
	} else {
		rig_advance(600 * 1000);	/* limited (N9) */
	}
	ck_assert(a.closed);
	ck_assert_int_eq(use_tunnels(), 1);
	ck_assert(use.ch[0].closed);
}
END_TEST

START_TEST(the_newer_key_goes_and_takes_the_older_tunnel_along)
{
	struct extdev_which all = { .mt_id = NULL };
	static struct use_user a;	/* it hears of the end after the test's */
	struct rig_done d;
	int n;

	use_connect(&a, PORT);
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	use.key = 2;
	rig_naf_key(2, 3600);
	rig_complete(B2, 2);
	ck_assert_int_eq(use_tunnels(), 2);
	ck_ok(store_begin(rig.store));
	ck_ok(extdev_store_forget(rig.store, &all, &n));
	ck_ok(store_end(rig.store, true));
	extdev_keys_gone(rig.e);
	rig_run();
	ck_assert_int_eq(use_tunnels(), 0);
	ck_assert(a.closed);
}
END_TEST

START_TEST(a_tunnel_that_breaks_resets_its_streams_and_the_next_connection_has_another)
{
	static struct use_user a, b;	/* they hear of the end after the test's */

	use_connect(&a, PORT);
	use_break(&use.ch[0]);
	rig_run();
	ck_assert(a.closed);
	use_connect(&b, PORT);
	rig_advance(3000);
	use_say(&b, "again");
	ck_assert_str_eq(b.got, "again");
	rig_got_nothing();			/* U3: no establishment */
	link_free(b.link);
}
END_TEST

/* --- listening */

START_TEST(K11_beyond_loopback_wants_insecure)
{
	static const struct extdev_service_conf wide = { "modem", "192.0.2.1:7300", false };
	struct extdev_seams s = { .clock = rig.clk, .guard = rig.guard, .rnd = &rig.rnd.rnd, .store = rig.store, .turn = rig.turn,
	    .trace = rig.trace, .net = rig.net, .http = &rig.http };
	struct extdev_mt_conf mt = { .name = "phone", .address = "unix:/mt", .services = &wide, .n_services = 1 };
	struct extdev_service_conf allowed = wide;
	struct extdev_conf conf = rig.conf;
	json_t *problems = json_array();
	struct extdev *e;

	conf.mts = &mt;
	ck_ok(extdev_new(&s, &conf, &e));
	ck_rc(extdev_start(e), RC_DENIED);
	ck_assert(logged(REASON_EXT_SERVICE_PLAIN));
	extdev_free(e);
	allowed.insecure = true;
	mt.services = &allowed;
	ck_ok(extdev_new(&s, &conf, &e));
	ck_ok(extdev_services_open(&e->mts[0]));
	extdev_health(e, problems);
	ck_assert_uint_eq(json_array_size(problems), 1);
	json_decref(problems);
	extdev_free(e);
}
END_TEST

START_TEST(status_tells_where)
{
	json_t *o = json_object(), *where;

	extdev_bound(rig.e, o);
	where = json_object_get(o, "services");
	ck_assert_str_eq(json_string_value(json_object_get(where, "modem")), "127.0.0.1:7300");
	ck_assert_str_eq(json_string_value(json_object_get(where, "gnss")), "/modem");
	json_decref(o);
}
END_TEST

START_TEST(stop_resets_who_waits)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use.mute = true;
	use_connect(&a, PORT);
	extdev_services_stop(&rig.e->mts[0]);
	rig_run();
	ck_assert(a.closed);
	use_connect(&a, PORT);
	ck_assert(a.closed);
	ck_assert(!a.up);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("service");
	TCase *t = tcase_create("with key"), *k = tcase_create("no key");

	tcase_add_checked_fixture(t, setup, use_teardown);
	tcase_add_test(t, U5_octets_go_there_and_come_back);
	tcase_add_test(t, half_close_is_passed_on);
	tcase_add_test(t, half_close_before_it_is_in);
	tcase_add_test(t, a_reset_is_passed_on);
	tcase_add_test(t, a_connection_does_not_wait_for_ever);
	tcase_add_test(t, a_user_that_leaves_early);
	tcase_add_test(t, a_newcomer_after_failures_need_not_wait_out_the_pause);
	tcase_add_test(t, a_newcomer_right_after_a_failure_waits_but_seconds);
	tcase_add_loop_test(t, U5_the_MT_refuses_the_service, 0, sizeof refusals / sizeof *refusals);
	tcase_add_test(t, U1_a_running_stream_goes_on_across_a_change_of_keys);
	tcase_add_test(t, the_old_key_ends_its_streams_at_its_own_expiry);
	tcase_add_loop_test(t, N7_N9_a_replaced_key_is_asked_about_while_its_tunnel_drains, 0, 2);
	tcase_add_test(t, the_newer_key_goes_and_takes_the_older_tunnel_along);
	tcase_add_test(t, a_tunnel_that_breaks_resets_its_streams_and_the_next_connection_has_another);
	tcase_add_test(t, K11_beyond_loopback_wants_insecure);
	tcase_add_test(t, status_tells_where);
	tcase_add_test(t, stop_resets_who_waits);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(k, setup_no_key, use_teardown);
	tcase_add_test(k, seed_7_3_a_connection_that_waits_brings_a_key);
	tcase_add_test(k, no_key_can_be_made);
	tcase_add_test(k, U3_a_refusal_that_is_taken_back);
	suite_add_tcase(s, k);
	return unit_run(s);
}
