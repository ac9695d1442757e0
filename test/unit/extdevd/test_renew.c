#include "test/unit/extdevd/use_rig.h"

static const struct extdev_service_conf services[] = { { "modem", "127.0.0.1:7300", false } };

/* Key 1 of B1 lives an hour from T0; a tunnel is up. */
static void
begin(unsigned renew_at, bool on_connect, enum extdev_id_kind kind)
{
	struct rig_done d;

	rig_new();
	memset(&use, 0, sizeof use);
	rig.mts[0].use_on_connect = on_connect;
	rig.mts[0].services = services;
	rig.mts[0].n_services = 1;
	rig.conf.renew_at = renew_at;
	rig.conf.id_kind = kind;
	use_listen();
	rig_start();
	use.key = 1;
	rig_scenario1(&d, B1, 1);
	rig_run();
}

static void
setup(void)
{
	begin(80, true, EXTDEV_ID_FIXED);
}

static void
setup_never(void)
{
	begin(0, true, EXTDEV_ID_FIXED);
}

static void
setup_unused(void)
{
	begin(80, false, EXTDEV_ID_FIXED);
}

static void
setup_each(void)
{
	begin(0, true, EXTDEV_ID_RANDOM_EACH);
}

/* --- ahead of the expiry */

START_TEST(renewed_at_its_share_of_the_lifetime_with_a_new_bootstrapping)
{
	static struct use_user a;	/* it hears of the end after the test's */

	use_connect(&a, "tcp:127.0.0.1:7300");
	use_say(&a, "before,");
	rig_advance(2690 * 1000);		/* 75 percent are 2,700 s: 80, and up to 5 points before */
	rig_got_nothing();
	rig_advance(190 * 1000);
	ck_assert_ptr_nonnull(strstr(rig.log, "a newer key is made"));
}
END_TEST

START_TEST(renewal_leaves_no_gap)
{
	static struct use_user a;	/* it hears of the end after the test's */
	int i;

	use_connect(&a, "tcp:127.0.0.1:7300");
	use_say(&a, "before,");
	for (i = 0; i < 800 && TAILQ_EMPTY(&rig.mt.in); i++)
		rig_advance(5000);
	ck_assert_int_ge(clock_now_s(rig.clk) - T0, 2700);
	ck_assert_int_le(clock_now_s(rig.clk) - T0, 2885);
	rig_info(B1);
	rig_derive(NULL, B2);			/* K9: anew, though B1 is shown */
	use.key = 2;
	use_say(&a, "during,");
	rig_naf_key(2, 3600);
	rig_complete(B2, 2);
	ck_assert_int_eq(use_tunnels(), 2);
	use_say(&a, "after");
	ck_assert_str_eq(a.got, "before,during,after");
	ck_assert_str_eq(use.ch[1].btid, B2);
	link_free(a.link);
	rig_run();
	rig_advance(600 * 1000);
	ck_assert_int_eq(use_tunnels(), 1);
	rig_got_nothing();			/* once */
	ck_assert_int_eq(rig.n_requests, 2);
}
END_TEST

START_TEST(never_where_it_is_not_wanted)
{
	rig_advance(3590 * 1000);
	rig_got_nothing();
}
END_TEST

START_TEST(a_renewal_that_fails_is_tried_again_before_the_end)
{
	int i;

	for (i = 0; i < 800 && TAILQ_EMPTY(&rig.mt.in); i++)
		rig_advance(5000);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_error(403, "refused", NULL);	/* for good, so it seems */
	ck_assert_int_eq(use_tunnels(), 1);	/* the old key serves */
	for (i = 0; i < 100 && TAILQ_EMPTY(&rig.mt.in); i++)
		rig_advance(5000);
	ck_assert_int_lt(i, 100);
	ck_assert_int_eq(rig_keys().confirmed, 1);
}
END_TEST

START_TEST(the_share_is_of_the_whole_lifetime_after_a_restart_too)
{
	int i;

	rig_advance(2000 * 1000);
	use_mt_dies();
	rig_restart();
	for (i = 0; i < 800 && TAILQ_EMPTY(&rig.mt.in); i++)
		rig_advance(5000);
	ck_assert_int_ge(clock_now_s(rig.clk) - T0, 2700);
	ck_assert_int_le(clock_now_s(rig.clk) - T0, 2885);
}
END_TEST

START_TEST(U4_renew_is_answered_first_and_a_second_one_changes_nothing)
{
	rig_mt_asks("renew");
	ck_assert_int_eq(rig.mt.answers, 1);
	rig_mt_asks("renew");
	ck_assert_int_eq(rig.mt.answers, 2);
	rig_info(B1);
	rig_derive(NULL, B2);
	use.key = 2;
	rig_naf_key(2, 3600);
	rig_complete(B2, 2);
	ck_assert_int_eq(use_tunnels(), 1);	/* the old one carried nothing */
	ck_assert_str_eq(use.ch[1].btid, B2);
	rig_got_nothing();
	ck_assert_int_eq(rig.n_requests, 2);
}
END_TEST

/* --- K13 */

START_TEST(K13_derive_shows_that_the_device_holds_the_key)
{
	struct secret *k = rig_key(1);
	struct rig_request *r;
	struct rig_done d;

	use_mt_dies();
	rig.mt.challenge = "Y2hhbGxlbmdlIG9mIGhlbGxv";
	rig_advance(3000);
	rig_ask(&d, false, true);
	rig_info(B1);
	r = rig_got("derive");
	ck_ok(proof_check(k, PROOF_HOLDS, span_str(rig.mt.challenge), span_str(rig_member(r, "holds"))));
	secret_free(k);
}
END_TEST

/* --- forget (K5) */

/* The Device_ID that this establishment uses. */
static void
new_key(const char *shown, const char *btid, int which, char device[static DEVICE_ID_MAX + 1])
{
	struct rig_request *r;

	rig_info(shown);
	r = rig_got("derive");
	(void)snprintf(device, DEVICE_ID_MAX + 1, "%s", rig_member(r, "device_id"));
	rig_answer(r, json_pack("{s:s, s:s, s:s}", "btid", btid, "naf_id", rig_member(r, "naf_id"), "challenge", CHALLENGE));
	use.key = which;
	rig_naf_key(which, 3600);
	rig_complete(btid, which);
}

START_TEST(K5_the_older_key_is_forgotten_there_once_the_newer_is_proven)
{
	char device[DEVICE_ID_MAX + 1], identity[LINK_PSK_IDENTITY_MAX + 1];
	struct secret *old = rig_key(1), *new = rig_key(2), *psk = NULL;
	static struct use_user a;	/* it hears of the end after the test's */
	struct rig_done d;

	use_connect(&a, "tcp:127.0.0.1:7300");
	rig_ask(&d, false, true);
	new_key(B1, B2, 2, device);
	ck_assert_str_ne(device, use.ch[0].device_id);
	ck_assert_str_eq(use.ch[1].device_id, device);
	ck_assert_ptr_null(use.forgotten);	/* its tunnel carries a stream still */
	ck_ok(link_shutdown(a.link));
	rig_run();
	ck_assert(a.closed);
	ck_assert_ptr_nonnull(use.forgotten);
	ck_assert_str_eq(json_string_value(json_object_get(use.forgotten, "btid")), B1);
	ck_assert_str_eq(json_string_value(json_object_get(use.forgotten, "device_id")), use.ch[0].device_id);
	ck_ok(link_psk_of(new, identity, &psk));
	ck_ok(proof_check(old, PROOF_FORGET, span_str(identity),
	    span_str(json_string_value(json_object_get(use.forgotten, "proof")))));
	ck_assert_str_eq(use.service, TUNNEL_MESSAGES);
	json_decref(use.forgotten);
	use.forgotten = NULL;
	use_mt_dies();
	rig_advance(3000);
	ck_assert_int_eq(use_tunnels(), 1);
	ck_assert_ptr_null(use.forgotten);	/* once */
	secret_free(old);
	secret_free(new);
	secret_free(psk);
}
END_TEST

START_TEST(K5_what_is_owed_outlives_a_restart)
{
	char device[DEVICE_ID_MAX + 1], first[DEVICE_ID_MAX + 1];
	static struct use_user a;	/* it hears of the end after the test's */
	struct rig_done d;

	(void)snprintf(first, sizeof first, "%s", use.ch[0].device_id);
	use_connect(&a, "tcp:127.0.0.1:7300");
	rig_ask(&d, false, true);
	new_key(B1, B2, 2, device);
	ck_assert_ptr_null(use.forgotten);
	use_mt_dies();
	ck_assert_int_eq(rig_keys().all, 1);	/* the older key itself is gone */
	rig_restart();
	rig_advance(3000);
	ck_assert_ptr_nonnull(use.forgotten);
	ck_assert_str_eq(json_string_value(json_object_get(use.forgotten, "device_id")), first);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("renew");
	TCase *t = tcase_create("renew"), *n = tcase_create("never"), *q = tcase_create("unused"), *k = tcase_create("forget");

	tcase_add_checked_fixture(t, setup, use_teardown);
	tcase_add_test(t, renewed_at_its_share_of_the_lifetime_with_a_new_bootstrapping);
	tcase_add_test(t, renewal_leaves_no_gap);
	tcase_add_test(t, a_renewal_that_fails_is_tried_again_before_the_end);
	tcase_add_test(t, the_share_is_of_the_whole_lifetime_after_a_restart_too);
	tcase_add_test(t, U4_renew_is_answered_first_and_a_second_one_changes_nothing);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(n, setup_never, use_teardown);
	tcase_add_test(n, never_where_it_is_not_wanted);
	tcase_add_test(n, K13_derive_shows_that_the_device_holds_the_key);
	suite_add_tcase(s, n);
	tcase_add_checked_fixture(q, setup_unused, use_teardown);
	tcase_add_test(q, never_where_it_is_not_wanted);
	suite_add_tcase(s, q);
	tcase_add_checked_fixture(k, setup_each, use_teardown);
	tcase_add_test(k, K5_the_older_key_is_forgotten_there_once_the_newer_is_proven);
	tcase_add_test(k, K5_what_is_owed_outlives_a_restart);
	suite_add_tcase(s, k);
	return unit_run(s);
}
