/* state: the MT asks the Key Center about its keys, and keeps what it hears. N7 N8 N9 N10, seed 7.2 */
#include "test/unit/mtd/op.h"

#include "mtd/gba.h"
#include "mtd/mt_impl.h"
#include "mtd/state.h"
#include "test/unit/mtd/fake_center.h"

static struct dev dev;
static int gone;			/* how often whoever uses keys was told */

static void
setup(void)
{
	rig_open();
	center_open();
	rig.conf.runs_per_hour_device = 100;
	memset(&dev, 0, sizeof dev);
	memset(&op, 0, sizeof op);
	gone = 0;
}

static void
dev_gone(void)
{
	json_decref(dev.ok);
	rpc_free(dev.rpc);
	memset(&dev, 0, sizeof dev);
}

static void
teardown(void)
{
	dev_gone();
	op_close();
	rig_close();
}

static void
note_gone(void *arg)
{
	(void)arg;
	gone++;
}

static void
up(void)
{
	rig_start();
	mt_gba_on_keys_gone(rig.mt->gba, note_gone, NULL);
	dev_open(&dev);
	op_open();
}

static void
derive(const char *device_id)
{
	dev_derive(&dev, RIG_NAF, device_id, rig.bsf.done > 0 ? rig.bsf.btid.s : NULL, NULL);
	dev_expect(&dev, REASON_NONE);
}

/* Second by second, as long as nothing else is waited for. */
static void
pass(int64_t seconds)
{
	for (int64_t i = 0; i < seconds; i++) {
		clock_advance(rig.clock, 1000);
		rig_run();
	}
}

static void
key_of(const char *device_id, struct mt_key *out)
{
	struct triple t;
	struct iccid iccid;

	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_ok(naf_id_parse(span_str(RIG_NAF), &t.naf_id));
	t.btid = rig.bsf.btid;
	ck_ok(device_id_parse(span_str(device_id), &t.device_id));
	ck_ok(mt_store_get_key(rig.store, &iccid, &t, clock_now_s(rig.clock), out));
}

static void
check(const char *said)
{
	dev_ask(&op.dev, "key-check", NULL);
	dev_expect(&op.dev, REASON_NONE);
	ck_assert_int_eq(op_count("keys", "said", said), (int)json_array_size(json_object_get(op.dev.ok, "keys")));
}

static enum reason may;
static int mays;

static void
on_may(void *arg, enum reason why)
{
	(void)arg;
	may = why;
	mays++;
}

static void
ask_before_use(const char *device_id)
{
	struct mt_key k;

	key_of(device_id, &k);
	mt_state_before_use(rig.mt->state, &k, on_may, &may);
	mt_key_clear(&k);
}

/* Asked at the interval, each key by itself, spread; the first answer tells, the following ones are 304. */
START_TEST(n7_asked_at_the_interval)
{
	struct mt_key k;
	int before;

	up();
	derive(RIG_DEVICE);
	pass(300);
	ck_assert_int_eq(center.judged, 1);
	ck_assert_int_eq(center.challenged, 1);
	ck_assert_str_eq(center.device_id, RIG_DEVICE);
	ck_assert_str_eq(center.if_none_match, "");
	ck_assert_str_eq(center.url, "https://nafkc.example.org:8444/keycentre/v1/key-state");
	key_of(RIG_DEVICE, &k);
	ck_assert_int_gt(k.last_ok, RIG_NOW);
	ck_assert_str_eq(k.etag, "\"1\"");
	ck_assert_int_eq(k.expires, RIG_NOW + 3600);
	mt_key_clear(&k);
	for (int i = 2; i < 6; i++) {
		before = center.judged;
		pass(300);
		ck_assert_int_ge(center.judged, before + 1);
		ck_assert_int_le(center.judged, before + 2);	/* 240 to 300 s apart */
		ck_assert_str_eq(center.if_none_match, "\"1\"");
	}
	ck_assert_int_eq(rig_keys(-1), 1);
	ck_assert_int_eq(gone, 0);
}
END_TEST

START_TEST(n7_keys_are_spread)
{
	int most = 0;
	char id[32];

	rig.conf.unused_keys_max = 100;
	up();
	for (int i = 0; i < 20; i++) {
		(void)snprintf(id, sizeof id, "urn:x:%d", i);
		derive(id);
	}
	for (int i = 0; i < 300; i++) {
		int before = center.judged;

		pass(1);
		most = center.judged - before > most ? center.judged - before : most;
	}
	ck_assert_int_eq(rig_keys(-1), 20);
	ck_assert_int_ge(center.judged, 20);
	ck_assert_int_le(center.judged, 30);	/* the first ones are due again */
	ck_assert_int_le(most, 4);
}
END_TEST

START_TEST(n7_gone_is_deleted_and_stays_so_n8)
{
	char first[BTID_MAX + 1];

	up();
	derive(RIG_DEVICE);
	(void)snprintf(first, sizeof first, "%s", rig.bsf.btid.s);
	center.status = 410;
	pass(300);
	ck_assert_int_eq(rig_keys(-1), 0);
	ck_assert_int_ge(gone, 1);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, first, NULL);
	dev_expect(&dev, REASON_MT_TOMBSTONE);
	ck_assert_str_eq(dev.code, "stale-btid");
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE2), first);
	(void)dev_info(&dev, RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, first);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_ne(dev_text(&dev, "btid"), first);
}
END_TEST

START_TEST(n7_check_asks_now)
{
	up();
	dev_ask(&op.dev, "key-check", NULL);
	dev_expect(&op.dev, REASON_LOCAL_UNKNOWN_KEY);
	derive(RIG_DEVICE);
	derive(RIG_DEVICE2);
	ck_assert_int_eq(center.judged, 0);
	check("good");
	ck_assert_int_eq(center.judged, rig_keys(-1));
	ck_assert_int_eq(op_count("keys", "expires", "2030-03-17T18:46:40Z"), 2);
	center.status = 410;
	check("gone");
	ck_assert_int_eq(op_count("keys", "reason", "ua-key-gone"), 2);
	ck_assert_ptr_null(json_object_get(json_array_get(json_object_get(op.dev.ok, "keys"), 0), "expires"));
	ck_assert_int_eq(rig_keys(-1), 0);
}
END_TEST

START_TEST(n7_unknown_is_kept_and_asked_about_again)
{
	up();
	derive(RIG_DEVICE);
	center.status = 404;
	check("unknown");
	ck_assert_int_eq(rig_keys(-1), 1);
	pass(300);
	ck_assert_int_ge(center.judged, 2);
	ck_assert_int_eq(rig_keys(-1), 1);
	ck_assert_int_eq(gone, 0);
}
END_TEST

/* --- believed only where it is authenticated */

static void
twist_410_at_once(int n, struct fake_reply *r)
{
	(void)n;
	r->status = 410;
	r->n = 0;
}

static void
twist_realm(int n, struct fake_reply *r)
{
	(void)n;
	if (r->status == 401)
		fake_header(r, "WWW-Authenticate", "Digest realm=\"3GPP-bootstrapping@evil.example.org\", nonce=\"x\", qop=\"auth\"");
}

static void
twist_proof(int n, struct fake_reply *r)
{
	(void)n;
	if (r->status == 410)
		fake_header(r, "Authentication-Info", "rspauth=\"00000000000000000000000000000000\", qop=auth, nc=00000001, cnonce=\"x\"");
}

static const struct {
	void (*twist)(int n, struct fake_reply *r);
	int requests;
} lies[] = { { twist_410_at_once, 1 }, { twist_realm, 1 }, { twist_proof, 2 } };

START_TEST(n7_not_believed)
{
	up();
	derive(RIG_DEVICE);
	center.status = 410;
	center.twist = lies[_i].twist;
	check("nothing");
	ck_assert_int_eq(center.requests, lies[_i].requests);	/* nothing of the key went to another realm */
	ck_assert_int_eq(rig_keys(-1), 1);
	dev_ask(&op.dev, "health", NULL);
	ck_assert(json_is_false(json_object_get(op.dev.ok, "healthy")));
	center.twist = NULL;
	center.status = 200;
	check("good");
	dev_ask(&op.dev, "health", NULL);
	ck_assert(json_is_true(json_object_get(op.dev.ok, "healthy")));
}
END_TEST

START_TEST(n7_without_a_proof_tls_is_enough)
{
	up();
	derive(RIG_DEVICE);
	center.status = 410;
	center.proves = false;
	check("gone");
}
END_TEST

START_TEST(n7_stale_nonce_once_more)
{
	up();
	derive(RIG_DEVICE);
	center.stale = 1;
	check("good");
	ck_assert_int_eq(center.requests, 3);
	center.stale = 2;
	check("nothing");
	ck_assert_int_eq(center.requests, 6);
}
END_TEST

/* The Key Center does not know the B-TID any more, or holds another Ks_(ext)_NAF. */
START_TEST(n7_a_second_401_is_no_answer)
{
	up();
	derive(RIG_DEVICE);
	dev_ask(&op.dev, "bootstrap", NULL);		/* the fake has only the newest Ks: the old key's digest is wrong */
	check("nothing");
	ck_assert_int_eq(op_count("keys", "detail", "status 401"), 1);
	ck_assert_int_eq(center.requests, 2);
	ck_assert_int_eq(rig_keys(-1), 1);
}
END_TEST

/* --- N9 */

START_TEST(n9_the_earlier_date_is_kept)
{
	struct mt_key k;

	up();
	derive(RIG_DEVICE);
	center.lifetime = RIG_NOW + 1000;
	center.etag[0] = '\0';
	check("good");
	ck_assert_int_eq(gone, 1);
	key_of(RIG_DEVICE, &k);
	ck_assert_int_eq(k.expires, RIG_NOW + 1000);
	mt_key_clear(&k);
	center.lifetime = RIG_NOW + 2000;		/* never lengthened again */
	check("good");
	key_of(RIG_DEVICE, &k);
	ck_assert_int_eq(k.expires, RIG_NOW + 1000);
	mt_key_clear(&k);
	ck_assert_int_eq(gone, 1);
	/* and at that moment it is gone, though the Ks is not; the same derivation does not bring it back (N8) */
	pass(999);
	ck_assert_int_eq(rig_keys(-1), 1);
	pass(1);
	ck_assert_int_eq(rig_keys(-1), 0);
	ck_assert_int_ge(gone, 2);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, rig.bsf.btid.s, NULL);
	dev_expect(&dev, REASON_MT_TOMBSTONE);
}
END_TEST

START_TEST(n9_a_date_that_is_past_ends_it_now)
{
	up();
	derive(RIG_DEVICE);
	center.lifetime = RIG_NOW - 1;
	check("good");
	ck_assert_int_eq(rig_keys(-1), 0);
	ck_assert_int_ge(gone, 1);
}
END_TEST

/* --- N10 */

START_TEST(n10_unreachable_the_key_stays_usable_to_its_expiry)
{
	struct mt_key k;

	up();
	derive(RIG_DEVICE);
	center.down = true;
	check("nothing");
	pass(3590);
	ck_assert_int_ge(center.requests, 40);		/* asked more often than at the interval, to know soon */
	ck_assert_int_eq(rig_keys(-1), 1);
	key_of(RIG_DEVICE, &k);
	ck_assert(mt_state_usable(rig.mt->state, &k));
	mt_key_clear(&k);
	mays = 0;
	ask_before_use(RIG_DEVICE);
	ck_assert_int_eq(mays, 1);			/* inside the call: nothing is waited for */
	ck_assert_int_eq(may, REASON_NONE);
	ck_assert_int_eq(gone, 0);
}
END_TEST

START_TEST(n10_grace)
{
	struct mt_key k;

	rig.conf.state_grace_s = 600;
	up();
	derive(RIG_DEVICE);
	pass(310);
	ck_assert_int_ge(center.judged, 1);
	key_of(RIG_DEVICE, &k);
	center.down = true;
	pass(k.last_ok + 599 - clock_now_s(rig.clock));
	mt_key_clear(&k);
	key_of(RIG_DEVICE, &k);
	ck_assert(mt_state_usable(rig.mt->state, &k));
	ask_before_use(RIG_DEVICE);
	ck_assert_int_eq(may, REASON_NONE);
	ck_assert_int_eq(gone, 0);
	pass(1);
	ck_assert(!mt_state_usable(rig.mt->state, &k));
	ck_assert_int_eq(gone, 1);			/* whoever uses it hears of it */
	ask_before_use(RIG_DEVICE);
	ck_assert_int_eq(may, REASON_MT_STATE_GRACE);
	ck_assert_int_eq(rig_keys(-1), 1);		/* suspended, not deleted */
	mt_key_clear(&k);
	/* an answer ends it */
	center.down = false;
	check("good");
	ask_before_use(RIG_DEVICE);
	ck_assert_int_eq(may, REASON_NONE);
	key_of(RIG_DEVICE, &k);
	ck_assert(mt_state_usable(rig.mt->state, &k));
	mt_key_clear(&k);
}
END_TEST

START_TEST(n10_grace_outlives_the_process)
{
	struct mt_key k;
	int fd;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/kslocal-state-XXXXXX");
	fd = mkstemp(rig.path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(rig.path);
	rig.conf.state_grace_s = 600;
	up();
	derive(RIG_DEVICE);
	center.down = true;
	rig_run();
	dev_gone();
	op_close();
	rig_run();
	rig_down();
	clock_advance(rig.clock, 600 * 1000);		/* nobody asks while nobody runs */
	up();
	key_of(RIG_DEVICE, &k);
	ck_assert(!mt_state_usable(rig.mt->state, &k));
	mt_key_clear(&k);
	ask_before_use(RIG_DEVICE);
	ck_assert_int_eq(may, REASON_MT_STATE_GRACE);
}
END_TEST

static const struct {
	int status;
	bool down;
	int64_t lifetime;
	enum reason may;
} uses[] = {
	{ 200, false, RIG_NOW + 3600, REASON_NONE },
	{ 200, false, RIG_NOW - 5, REASON_LOCAL_UNKNOWN_KEY },
	{ 410, false, 0, REASON_UA_KEY_GONE },
	{ 404, false, 0, REASON_NONE },
	{ 503, false, 0, REASON_NONE },
	{ 200, true, 0, REASON_NONE },
};

START_TEST(n10_before_use)
{
	rig.conf.state_before_use = true;
	up();
	derive(RIG_DEVICE);
	center.status = uses[_i].status;
	center.down = uses[_i].down;
	center.lifetime = uses[_i].lifetime;
	center.held = true;
	mays = 0;
	ask_before_use(RIG_DEVICE);
	ask_before_use(RIG_DEVICE);			/* joins */
	rig_run();
	ck_assert_int_eq(mays, 0);
	center_release();
	ck_assert_int_eq(mays, 2);
	ck_assert_int_eq(may, uses[_i].may);
	ck_assert_str_eq(reason_get(REASON_UA_KEY_GONE)->local, "unknown-key");
	ck_assert_int_le(center.judged, 1);
}
END_TEST

/* Whoever waits is not kept waiting by a Key Center that is silent. */
START_TEST(n10_before_use_ends)
{
	rig.conf.state_before_use = true;
	up();
	derive(RIG_DEVICE);
	center.held = true;
	mays = 0;
	ask_before_use(RIG_DEVICE);
	pass(8);
	ck_assert_int_eq(mays, 1);
	ck_assert_int_eq(may, REASON_NONE);
	/* and who went away is not called */
	ask_before_use(RIG_DEVICE);
	mt_state_cancel(rig.mt->state, &may);
	pass(10);
	ck_assert_int_eq(mays, 1);
	/* a stop ends it */
	ask_before_use(RIG_DEVICE);
	mt_state_stop(rig.mt->state);
	ck_assert_int_eq(mays, 2);
	ck_assert_int_eq(may, REASON_STOPPING);
	ask_before_use(RIG_DEVICE);
	ck_assert_int_eq(may, REASON_STOPPING);
}
END_TEST

START_TEST(without_a_keycenter_section_nobody_is_asked)
{
	ck_ok(naf_id_parse(span_str(RIG_NAF2), &rig.conf.centers[0].naf_id));
	rig.conf.state_before_use = true;
	rig.conf.state_grace_s = 10;
	up();
	derive(RIG_DEVICE);
	pass(1000);
	ask_before_use(RIG_DEVICE);
	ck_assert_int_eq(may, REASON_NONE);
	check("nothing");
	ck_assert_int_eq(center.requests, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/state");
	TCase *t = tcase_create("state");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, n7_asked_at_the_interval);
	tcase_add_test(t, n7_keys_are_spread);
	tcase_add_test(t, n7_gone_is_deleted_and_stays_so_n8);
	tcase_add_test(t, n7_check_asks_now);
	tcase_add_test(t, n7_unknown_is_kept_and_asked_about_again);
	tcase_add_loop_test(t, n7_not_believed, 0, sizeof lies / sizeof *lies);
	tcase_add_test(t, n7_without_a_proof_tls_is_enough);
	tcase_add_test(t, n7_stale_nonce_once_more);
	tcase_add_test(t, n7_a_second_401_is_no_answer);
	tcase_add_test(t, n9_the_earlier_date_is_kept);
	tcase_add_test(t, n9_a_date_that_is_past_ends_it_now);
	tcase_add_test(t, n10_unreachable_the_key_stays_usable_to_its_expiry);
	tcase_add_test(t, n10_grace);
	tcase_add_test(t, n10_grace_outlives_the_process);
	tcase_add_loop_test(t, n10_before_use, 0, sizeof uses / sizeof *uses);
	tcase_add_test(t, n10_before_use_ends);
	tcase_add_test(t, without_a_keycenter_section_nobody_is_asked);
	suite_add_tcase(s, t);
	return unit_run(s);
}
