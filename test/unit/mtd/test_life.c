/*
 * life: seed 7.2 at the MT: keys end at the moment of their expiry, whatever the clock or the process did; earlier when the Key Center or
 * the user says so; and with a key ends what runs on it. T1 T2 N8 N9 N10 K6 K11
 */
#include <sqlite3.h>

#include "test/unit/mtd/use_rig.h"

#include "test/unit/mtd/fake_center.h"
#include "test/unit/mtd/op.h"

#define LIFE 3600

static struct dev dev;
static struct made a, b;
static struct tun x, y;

static void
setup(void)
{
	rig_open();
	rig.conf.runs_per_hour_device = 100;
	rig.bsf.lifetime_s = LIFE;
	center_open();
	memset(&dev, 0, sizeof dev);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	memset(&x, 0, sizeof x);
	memset(&y, 0, sizeof y);
	memset(&op, 0, sizeof op);
	service_start();
}

static void
devs_gone(void)
{
	tun_cut(&x);
	tun_cut(&y);
	dev_close(&dev);
	op_close();
}

static void
teardown(void)
{
	devs_gone();
	service_stop();
	rig_close();
	center_close();
	secret_free(a.key);
	secret_free(b.key);
}

static void
up(void)
{
	rig_start();
	dev_open(&dev);
	op_open();
	a = make_key(&dev, RIG_DEVICE, "");
}

static void
on_disk(void)
{
	int fd;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/kslocal-life-XXXXXX");
	fd = mkstemp(rig.path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(rig.path);
}

/* The daemon ends and comes back after so long. */
static void
stopped_for(int64_t seconds)
{
	rig_run();
	devs_gone();
	rig_run();
	rig_down();
	clock_advance(rig.clock, seconds * 1000);
	rig_start();
}

static void
pass(int64_t seconds)
{
	for (int64_t i = 0; i < seconds; i++) {
		clock_advance(rig.clock, 1000);
		rig_run();
	}
}

static int64_t
rows_in(const char *table)
{
	char text[64];
	sqlite3_stmt *q;
	int64_t n;

	(void)snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
	ck_assert_int_eq(sqlite3_prepare_v2(sqlite3_db_handle(store_stmt(rig.store, 0)), text, -1, &q, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
	n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

/* seed 7.2: keys and parameters: Ks, Ks_(ext)_NAF, Ks_local_MT with Ks_(ext)_NAF in its row. */
static void
expect_rows(int64_t n)
{
	ck_assert_int_eq(rows_in("ks"), n);
	ck_assert_int_eq(rows_in("ks_naf"), n);
	ck_assert_int_eq(rows_in("key"), n);
}

START_TEST(seed_7_2_deleted_at_the_moment_of_expiry_ks_naf_too_T1_K6)
{
	up();
	tun_open(&x, &a);
	pass(LIFE - 1);
	ck_assert(x.up);
	ck_assert_int_eq(rig_keys(-1), 1);
	ck_assert_int_eq(rows_in("key"), 1);
	pass(1);
	ck_assert_int_eq(rig_keys(-1), 0);
	expect_rows(0);
	ck_assert(x.closed);
	ck_assert_uint_eq(tunnels(), 0);
	/* and nobody finds it any more */
	tun_use(&y, &a);
	dev_expect(&y.d, REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
}
END_TEST

START_TEST(seed_7_2_deleted_after_a_stop_past_expiry)
{
	on_disk();
	up();
	expect_rows(1);
	stopped_for(LIFE);
	ck_assert_int_eq(rig_keys(-1), 0);
	expect_rows(0);
}
END_TEST

START_TEST(seed_7_2_kept_over_a_stop_before_expiry)
{
	on_disk();
	up();
	stopped_for(LIFE - 10);
	ck_assert_int_eq(rig_keys(-1), 1);
	pass(10);
	expect_rows(0);
}
END_TEST

/* T2: a step that may be true. */
START_TEST(seed_7_2_deleted_after_the_clock_stepped_past_expiry)
{
	up();
	tun_open(&x, &a);
	clock_step_wall(rig.clock, LIFE * 1000);
	pass(61);
	expect_rows(0);
	ck_assert(x.closed);
}
END_TEST

/* T2: set back, nothing lives longer than it would have. */
START_TEST(seed_7_2_a_step_back_lengthens_nothing)
{
	up();
	tun_open(&x, &a);
	pass(600);
	clock_step_wall(rig.clock, -7200 * 1000);
	pass(LIFE - 601 - 1);
	ck_assert(x.up);
	clock_step_wall(rig.clock, 7200 * 1000);
	pass(61);
	expect_rows(0);
	ck_assert(x.closed);
	/* gone is gone */
	clock_step_wall(rig.clock, -2 * 3600 * 1000);
	rig_run();
	tun_use(&y, &a);
	dev_expect(&y.d, REASON_LOCAL_UNKNOWN_KEY);
}
END_TEST

/* T2: a jump that is too far to be believed deletes nothing, and lets nothing be used, until the clock is right again. */
START_TEST(seed_7_2_a_jump_destroys_nothing)
{
	up();
	clock_step_wall(rig.clock, INT64_C(90) * 86400 * 1000);
	pass(61);
	expect_rows(1);
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_CLOCK_JUMPED);
	clock_step_wall(rig.clock, INT64_C(-90) * 86400 * 1000);
	pass(1);
	tun_open(&y, &a);
}
END_TEST

/* N9: the earlier of the two dates, at the store, for look-ups, and for what runs. */
START_TEST(seed_7_2_limited_by_the_naf_N9)
{
	up();
	tun_open(&x, &a);
	center.lifetime = RIG_NOW + 100;
	dev_ask(&op.dev, "key-check", NULL);
	ck_assert(x.up);
	pass(99);
	ck_assert(x.up);
	pass(1);
	ck_assert(x.closed);
	ck_assert_int_eq(rows_in("key"), 0);
	ck_assert_int_eq(rows_in("ks"), 1);
}
END_TEST

/* Show 4 at the MT: heard of within the interval, by itself. */
START_TEST(seed_7_2_invalidated_by_the_naf_N8)
{
	up();
	tun_open(&x, &a);
	center.status = 410;
	pass(300);
	ck_assert(x.closed);
	ck_assert_int_eq(rows_in("key"), 0);
	ck_assert_int_eq(rows_in("tombstone"), 1);
	tun_use(&y, &a);
	dev_expect(&y.d, REASON_LOCAL_UNKNOWN_KEY);
	pass(LIFE);
	ck_assert_int_eq(rows_in("tombstone"), 0);
}
END_TEST

/* The older key of a pair is revoked, while the newer one is confirmed: it does not serve on as a replaced one would. */
START_TEST(N8_a_revoked_key_does_not_drain)
{
	struct triple t;
	struct iccid iccid;

	up();
	tun_open(&x, &a);
	(void)dev_info(&dev, RIG_DEVICE);
	b = make_key_holding(&dev, RIG_DEVICE, a.key);
	/* the fake Key Center has the newest Ks alone and cannot judge the older key's digest: what a 410 does, by hand */
	t = made_triple(&a);
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_ok(mt_store_revoke_key(rig.store, &iccid, &t, "ua-key-gone"));
	tun_open(&y, &b);
	mt_gba_keys_gone(rig.mt->gba, INT64_MAX);
	rig_run();
	ck_assert(x.closed);
	ck_assert(y.up);
}
END_TEST

/* A key that was replaced has no row any more, and its tunnel drains: it is asked about all the same, with the digest that is its own. */
START_TEST(N7_a_replaced_key_that_is_taken_back_ends_its_draining_tunnel)
{
	struct stream s;

	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	center_remember(a.btid);
	(void)dev_info(&dev, RIG_DEVICE);
	b = make_key_holding(&dev, RIG_DEVICE, a.key);
	tun_open(&y, &b);
	ck_assert_int_eq(rows_in("key"), 1);
	pass(700);
	ck_assert_int_ge(center.judged, 4);	/* more than the newer one's */
	stream_echoes(&s, "x");
	center.older_status = 410;
	pass(300);
	ck_assert(s.closed);
	ck_assert(x.closed);
	ck_assert(y.up);
}
END_TEST

/* N9 for the same: the earlier date. Unknown, or with nobody to ask, it serves on, to its own expiry. */
START_TEST(N7_N9_a_replaced_key_is_limited_or_kept)
{
	struct stream s;

	up();
	tun_open(&x, &a);
	stream_open(&s, &x, SERVICE);
	center_remember(a.btid);
	(void)dev_info(&dev, RIG_DEVICE);
	b = make_key_holding(&dev, RIG_DEVICE, a.key);
	tun_open(&y, &b);
	center.older_status = 404;
	pass(300);
	center.down = true;
	pass(300);
	ck_assert(x.up);
	center.down = false;
	center.older_status = 200;
	center.lifetime = RIG_NOW + 1000;	/* tells of both keys */
	pass(399);
	ck_assert(x.up);
	pass(1);
	ck_assert(x.closed);
}
END_TEST

START_TEST(N10_suspended_tunnels_are_closed)
{
	rig.conf.state_grace_s = 600;
	up();
	center.down = true;
	tun_open(&x, &a);
	pass(599);
	ck_assert(x.up);
	pass(1);
	ck_assert(x.closed);
	ck_assert_int_eq(rig_keys(-1), 1);
	tun_use(&y, &a);
	dev_expect(&y.d, REASON_MT_STATE_GRACE);
	ck_assert_str_eq(y.d.code, "busy");		/* U3: the device keeps its key and comes back */
	tun_cut(&y);
	center.down = false;
	dev_ask(&op.dev, "key-check", NULL);
	tun_open(&y, &a);
}
END_TEST

/* A key is used with nobody to ask: neither Key Center nor BSF answers. */
START_TEST(N10_used_with_the_network_away)
{
	up();
	center.down = true;
	rig.bsf.down = true;
	dev_ask(&op.dev, "key-check", NULL);
	tun_open(&x, &a);
	pass(1000);
	ck_assert(x.up);
	tun_open(&y, &a);
}
END_TEST

START_TEST(U10_use_says_that_the_Key_Center_is_asked)
{
	rig.conf.state_before_use = true;
	up();
	center.held = true;
	dev_open(&x.d);
	dev_send(&x.d, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	rig_run();
	ck_assert_int_eq(x.d.answers, 0);
	ck_assert_str_eq(x.d.word, "key-state");
	center_release();
	center_release();		/* the challenge, and the answer */
	dev_expect(&x.d, REASON_NONE);
	tun_secure(&x, a.key, NULL);
	ck_assert(x.up);
}
END_TEST

START_TEST(N10_before_use_is_asked_and_heard)
{
	rig.conf.state_before_use = true;
	up();
	tun_open(&x, &a);
	ck_assert_int_eq(center.judged, 1);
	center.status = 410;
	tun_use(&y, &a);
	dev_expect(&y.d, REASON_UA_KEY_GONE);
	ck_assert_str_eq(y.d.code, "unknown-key");
	ck_assert(x.closed);
	ck_assert_int_eq(rows_in("key"), 0);
}
END_TEST

/* seed 7.3: a key that is lost at the MT; it may be made again, and is then the same. */
START_TEST(seed_7_3_forgotten_at_the_mt)
{
	up();
	b = make_key(&dev, RIG_DEVICE2, a.btid);
	tun_open(&x, &a);
	tun_open(&y, &b);
	op_device("key-forget", "urn:x:nobody");
	dev_expect(&op.dev, REASON_LOCAL_UNKNOWN_KEY);
	dev_ask(&op.dev, "key-forget", json_object());
	dev_expect(&op.dev, REASON_CTL_USAGE);
	dev_ask(&op.dev, "key-forget", json_pack("{s:b, s:s}", "all", 1, "btid", a.btid));
	dev_expect(&op.dev, REASON_CTL_USAGE);
	dev_ask(&op.dev, "key-forget", json_pack("{s:i}", "btid", 7));
	dev_expect(&op.dev, REASON_CTL_USAGE);
	dev_ask(&op.dev, "key-forget", json_pack("{s:s, s:s}", "device_id", RIG_DEVICE, "naf_id", RIG_NAF2));
	dev_expect(&op.dev, REASON_LOCAL_UNKNOWN_KEY);
	ck_assert(x.up);
	dev_ask(&op.dev, "key-forget", json_pack("{s:s, s:s, s:s}", "device_id", RIG_DEVICE, "btid", a.btid, "naf_id", RIG_NAF));
	ck_assert_int_eq(json_integer_value(json_object_get(op.dev.ok, "forgotten")), 1);
	ck_assert(x.closed);
	ck_assert(y.up);
	tun_cut(&x);
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_LOCAL_UNKNOWN_KEY);
	tun_cut(&x);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, a.btid, NULL);
	dev_expect(&dev, REASON_NONE);
	tun_open(&x, &a);
	dev_ask(&op.dev, "key-forget", json_pack("{s:b}", "all", 1));
	ck_assert_int_eq(json_integer_value(json_object_get(op.dev.ok, "forgotten")), 2);
	ck_assert_uint_eq(tunnels(), 0);
}
END_TEST

START_TEST(K11_refusing_a_device_closes_its_tunnels)
{
	up();
	b = make_key(&dev, RIG_DEVICE2, a.btid);
	tun_open(&x, &a);
	tun_open(&y, &b);
	op_device("device-refuse", RIG_DEVICE);
	ck_assert(x.closed);
	ck_assert(y.up);
	tun_cut(&x);
	tun_use(&x, &a);
	dev_expect(&x.d, REASON_LOCAL_UNKNOWN_KEY);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/life");
	TCase *t = tcase_create("life");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, seed_7_2_deleted_at_the_moment_of_expiry_ks_naf_too_T1_K6);
	tcase_add_test(t, seed_7_2_deleted_after_a_stop_past_expiry);
	tcase_add_test(t, seed_7_2_kept_over_a_stop_before_expiry);
	tcase_add_test(t, seed_7_2_deleted_after_the_clock_stepped_past_expiry);
	tcase_add_test(t, seed_7_2_a_step_back_lengthens_nothing);
	tcase_add_test(t, seed_7_2_a_jump_destroys_nothing);
	tcase_add_test(t, seed_7_2_limited_by_the_naf_N9);
	tcase_add_test(t, seed_7_2_invalidated_by_the_naf_N8);
	tcase_add_test(t, N8_a_revoked_key_does_not_drain);
	tcase_add_test(t, N7_a_replaced_key_that_is_taken_back_ends_its_draining_tunnel);
	tcase_add_test(t, N7_N9_a_replaced_key_is_limited_or_kept);
	tcase_add_test(t, N10_suspended_tunnels_are_closed);
	tcase_add_test(t, N10_used_with_the_network_away);
	tcase_add_test(t, U10_use_says_that_the_Key_Center_is_asked);
	tcase_add_test(t, N10_before_use_is_asked_and_heard);
	tcase_add_test(t, seed_7_3_forgotten_at_the_mt);
	tcase_add_test(t, K11_refusing_a_device_closes_its_tunnels);
	suite_add_tcase(s, t);
	return unit_run(s);
}
