/* invite, claims, forget: what the MT asks of devices, and what a device must prove. RULES U1 U4 K5 K13 */
#include "test/unit/mtd/use_rig.h"

static struct dev dev, stranger;
static struct made a, b;
static struct tun x, y;

static void
setup(void)
{
	rig_open();
	rig.bsf.lifetime_s = 86400;
	rig.conf.runs_per_hour = rig.conf.runs_per_hour_device = 1000;
	memset(&dev, 0, sizeof dev);
	memset(&stranger, 0, sizeof stranger);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	memset(&x, 0, sizeof x);
	memset(&y, 0, sizeof y);
	service_start();
}

static void
teardown(void)
{
	tun_cut(&x);
	tun_cut(&y);
	dev_close(&dev);
	dev_close(&stranger);
	service_stop();
	rig_close();
	secret_free(a.key);
	secret_free(b.key);
}

static void
hello(struct dev *d, const char *device_id)
{
	dev_ask(d, "hello", json_pack("{s:s, s:s}", "role", "device", "device_id", device_id));
	dev_expect(d, REASON_NONE);
}

static void
up(void)
{
	rig_start();
	dev_open(&dev);
	hello(&dev, RIG_DEVICE);
	a = make_key(&dev, RIG_DEVICE, "");
	dev_complete(&dev, RIG_NAF, a.btid, RIG_DEVICE, a.challenge);
	rig_run();
}

/* --- the operator's use (U4) */

static struct {
	int told;
	enum reason why;
	char detail[128];
} invited;

static void
on_invited(void *arg, enum reason why, const char *detail)
{
	(void)arg;
	invited.told++;
	invited.why = why;
	(void)snprintf(invited.detail, sizeof invited.detail, "%s", detail);
}

static void
invite(const char *device_id)
{
	struct device_id id;

	memset(&invited, 0, sizeof invited);
	ck_ok(device_id_parse(span_str(device_id), &id));
	mt_local_invite(rig.mt->local, &id, on_invited, NULL);
	rig_run();
}

static void
expect_invited(enum reason why)
{
	ck_assert_int_eq(invited.told, 1);
	ck_assert_msg(invited.why == why, "%s", reason_get(invited.why)->code);
}

START_TEST(U1_the_MT_asks_and_the_device_comes)
{
	up();
	invite(RIG_DEVICE);
	ck_assert_int_eq(dev.uses, 1);
	ck_assert_str_eq(json_string_value(json_object_get(dev.asked, "btid")), a.btid);
	ck_assert_str_eq(json_string_value(json_object_get(dev.asked, "naf_id")), RIG_NAF);
	ck_assert_str_eq(json_string_value(json_object_get(dev.asked, "device_id")), RIG_DEVICE);
	ck_assert_int_eq(invited.told, 0);		/* ok is not a tunnel */
	tun_open(&x, &a);
	expect_invited(REASON_NONE);
	invite(RIG_DEVICE);
	expect_invited(REASON_NONE);			/* it is there */
	ck_assert_int_eq(dev.uses, 1);
}
END_TEST

START_TEST(U1_the_key_in_use_is_the_one_that_is_tried)
{
	up();
	b = make_key(&dev, RIG_DEVICE, "");		/* a newer one waits */
	invite(RIG_DEVICE);
	ck_assert_str_eq(json_string_value(json_object_get(dev.asked, "btid")), a.btid);
}
END_TEST

START_TEST(U4_the_device_agrees_and_does_not_come)
{
	up();
	invite(RIG_DEVICE);
	clock_advance(rig.clock, 20000);
	rig_run();
	expect_invited(REASON_MT_NO_TUNNEL);
	ck_assert_int_eq(dev.renews, 0);		/* U3: that is not "another key" */
}
END_TEST

START_TEST(U4_refusals)
{
	rig_start();
	invite(RIG_DEVICE);
	expect_invited(REASON_MT_NO_KEY);
	dev_open(&dev);
	a = make_key(&dev, RIG_DEVICE, "");
	dev_close(&dev);
	invite(RIG_DEVICE);
	expect_invited(REASON_MT_NOT_CONNECTED);
	dev_open(&dev);
	invite(RIG_DEVICE);				/* it has not said who it is */
	expect_invited(REASON_MT_NOT_CONNECTED);
	hello(&dev, RIG_DEVICE);
	dev.use_why = REASON_LOCAL_BUSY;
	invite(RIG_DEVICE);
	expect_invited(REASON_LOCAL_BUSY);
	ck_assert_int_eq(dev.renews, 0);
	clock_step_wall(rig.clock, INT64_C(3) * 86400 * 1000);
	invite(RIG_DEVICE);
	expect_invited(REASON_CLOCK_JUMPED);
}
END_TEST

/* seed 7.3, its second half: an MT that holds a key tries it; unknown-key makes it ask for a new establishment. */
START_TEST(U4_unknown_key_makes_it_send_renew)
{
	up();
	dev.use_why = REASON_LOCAL_UNKNOWN_KEY;
	invite(RIG_DEVICE);
	expect_invited(REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_ptr_nonnull(strstr(invited.detail, "renew was sent"));
	ck_assert_int_eq(dev.renews, 1);
	for (int i = 0; i < 29; i++) {			/* not again at once */
		invite(RIG_DEVICE);
		expect_invited(REASON_LOCAL_UNKNOWN_KEY);
		clock_advance(rig.clock, 1000);
	}
	ck_assert_int_eq(dev.renews, 1);
	clock_advance(rig.clock, 10000);		/* 30 s and a quarter are over */
	invite(RIG_DEVICE);
	ck_assert_int_eq(dev.renews, 2);
	clock_advance(rig.clock, 38000);		/* the second wait is longer */
	invite(RIG_DEVICE);
	ck_assert_int_eq(dev.renews, 2);
	clock_advance(rig.clock, 38000);
	invite(RIG_DEVICE);
	ck_assert_int_eq(dev.renews, 3);
	/* a tunnel that comes up ends that */
	dev.use_why = REASON_NONE;
	tun_open(&x, &a);
	tun_cut(&x);
	dev.use_why = REASON_LOCAL_UNKNOWN_KEY;
	invite(RIG_DEVICE);
	ck_assert_int_eq(dev.renews, 4);
}
END_TEST

START_TEST(U4_use_on_connect)
{
	rig.conf.locals[0].use_on_connect = true;
	rig_start();
	dev_open(&dev);
	hello(&dev, RIG_DEVICE);
	ck_assert_int_eq(dev.uses, 0);			/* no key yet */
	a = make_key(&dev, RIG_DEVICE, "");
	ck_assert_int_eq(dev.uses, 0);
	dev_complete(&dev, RIG_NAF, a.btid, RIG_DEVICE, a.challenge);
	rig_run();
	ck_assert_int_eq(dev.uses, 1);			/* there is one now */
	/* the device's channel for it says hello, too: it is not asked there */
	dev_open(&x.d);
	hello(&x.d, RIG_DEVICE);
	ck_assert_int_eq(x.d.uses, 0);
	ck_assert_int_eq(dev.uses, 1);
	dev_ask(&x.d, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	dev_expect(&x.d, REASON_NONE);
	tun_secure(&x, a.key, NULL);
	ck_assert(x.up);
	dev_close(&dev);
	dev_open(&dev);
	hello(&dev, RIG_DEVICE);
	ck_assert_int_eq(dev.uses, 0);			/* its tunnel stands */
	tun_cut(&x);
	dev_close(&dev);
	dev_open(&dev);
	hello(&dev, RIG_DEVICE);
	ck_assert_int_eq(dev.uses, 1);
}
END_TEST

START_TEST(K11_who_is_not_admitted_is_not_asked)
{
	rig.conf.locals[0].use_on_connect = true;
	rig.conf.device_policy = MT_DEVICES_LISTED;
	rig.conf.n_devices = 1;
	ck_ok(device_id_parse(span_str(RIG_DEVICE), &rig.conf.devices[0]));
	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-invite-%d.db", (int)getpid());
	up();
	ck_assert_int_eq(dev.uses, 1);
	dev_close(&dev);
	rig_down();
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(1);
	rig.conf.n_devices = 0;				/* not listed any more */
	rig_start();
	dev_open(&dev);
	hello(&dev, RIG_DEVICE);
	ck_assert_int_eq(dev.uses, 0);
}
END_TEST

/* The MT's own request on the channel that a device turns into a tunnel's: neither of both knows what comes first. */
START_TEST(U2_a_request_of_the_MT_that_waits)
{
	up();
	dev.holds = true;
	invite(RIG_DEVICE);
	ck_assert_ptr_nonnull(dev.held);
	dev_ask(&dev, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	dev_expect(&dev, REASON_LOCAL_BAD_MESSAGE);
	ck_assert(dev.closed);
	ck_assert_uint_eq(tunnels(), 0);
	expect_invited(REASON_LOCAL_GONE);
	rpc_fail(dev.held, REASON_LOCAL_BUSY, 0, NULL);
	tun_open(&x, &a);
}
END_TEST

/* --- K13 */

static void
claim(struct dev *d, const char *holds)
{
	json_t *o = derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL);

	if (holds != NULL)
		json_object_set_new(o, "holds", json_string(holds));
	dev_ask(d, "derive", o);
}

START_TEST(K13_a_newcomer_is_told_busy)
{
	uint64_t runs;

	up();
	tun_open(&x, &a);
	runs = rig_counts().ub_runs;
	dev_open(&stranger);
	claim(&stranger, NULL);
	dev_expect(&stranger, REASON_MT_DEVICE_LIVE);
	ck_assert_str_eq(stranger.code, "busy");
	ck_assert_int_gt(stranger.retry_after_s, 0);
	claim(&stranger, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	dev_expect(&stranger, REASON_MT_DEVICE_LIVE);
	ck_assert_uint_eq(rig_counts().ub_runs, runs);		/* it cost nothing */
	ck_assert(!x.closed);
	b = make_key(&stranger, RIG_DEVICE2, a.btid);		/* another Device_ID is nobody's */
	tun_cut(&x);
	claim(&stranger, NULL);					/* nor is this one now */
	dev_expect(&stranger, REASON_NONE);
}
END_TEST

START_TEST(K13_the_owner_is_served)
{
	up();
	tun_open(&x, &a);
	dev_open(&stranger);		/* the same device, on another channel */
	b = make_key_holding(&stranger, RIG_DEVICE, a.key);
	ck_assert_int_eq(key_state(&b), MT_KEY_DERIVED);
	ck_assert(!x.closed);
}
END_TEST

/* A proof is for one channel: who overheard it is not the owner. */
START_TEST(K13_a_proof_that_was_overheard)
{
	char challenge[CHALLENGE_MAX + 1], theirs[CHALLENGE_MAX + 1], proof[PROOF_LEN + 1];

	up();
	tun_open(&x, &a);
	dev_ask(&dev, "hello", json_object());
	(void)snprintf(challenge, sizeof challenge, "%s", dev_text(&dev, "challenge"));
	ck_ok(proof_make(a.key, PROOF_HOLDS, span_str(challenge), proof));
	dev_open(&stranger);
	hello(&stranger, RIG_DEVICE);
	(void)snprintf(theirs, sizeof theirs, "%s", dev_text(&stranger, "challenge"));
	ck_assert_str_ne(theirs, challenge);
	claim(&stranger, proof);
	dev_expect(&stranger, REASON_MT_DEVICE_LIVE);
	ck_ok(proof_make(a.key, PROOF_DEVICE, span_str(theirs), proof));	/* nor of another purpose */
	claim(&stranger, proof);
	dev_expect(&stranger, REASON_MT_DEVICE_LIVE);
	claim(&dev, NULL);
	dev_expect(&dev, REASON_MT_DEVICE_LIVE);
}
END_TEST

/* The older link is dead, though nothing has said so yet: found out by asking it, and closed. */
START_TEST(K13_a_dead_tunnel_gives_way)
{
	static const struct link_cb deaf = { .on_data = NULL };

	up();
	tun_open(&x, &a);
	link_set_cb(tunnel_link(x.t), &deaf, NULL);		/* its device does not react any more */
	dev_open(&stranger);
	dev_send(&stranger, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	rig_run();
	ck_assert_int_eq(stranger.answers, 0);			/* it is being asked */
	ck_assert_uint_eq(tunnels(), 1);
	clock_advance(rig.clock, 3000);
	rig_run();
	ck_assert_int_eq(stranger.answers, 1);
	dev_expect(&stranger, REASON_NONE);
	clock_advance(rig.clock, 10000);
	rig_run();
	ck_assert_uint_eq(tunnels(), 0);
}
END_TEST

/* Many newcomers at once: one question to the tunnel. */
START_TEST(K13_many_newcomers)
{
	up();
	tun_open(&x, &a);
	dev_open(&stranger);
	for (int i = 0; i < 40; i++)
		dev_send(&stranger, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	rig_run();
	ck_assert_int_eq(stranger.answers, 40);
	dev_expect(&stranger, REASON_MT_DEVICE_LIVE);
	dev_send(&stranger, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	(void)link_mem_run(rig.net);
	tun_cut(&x);			/* it ends while it is asked */
	rig_run();
	ck_assert_int_eq(stranger.answers, 41);
}
END_TEST

/* --- forget (K5) */

static struct dev inside;		/* the messages' stream of x */

static void
messages_open(struct tun *t)
{
	struct stream s;

	stream_open(&s, t, TUNNEL_MESSAGES);
	ck_assert(s.up);
	memset(&inside, 0, sizeof inside);
	dev_on_up(s.l, &inside);
}

static json_t *
forget_body(const struct made *old, const struct secret *with, const struct made *on)
{
	struct localif_forget m = { .triple = made_triple(old) };
	char identity[LINK_PSK_IDENTITY_MAX + 1];
	struct secret *psk;

	if (with != NULL) {
		ck_ok(link_psk_of(on->key, identity, &psk));
		secret_free(psk);
		ck_ok(proof_make(with, PROOF_FORGET, span_str(identity), m.proof));
	}
	return localif_forget_print(&m);
}

/* a and b: keys of one device that calls itself otherwise each time; a tunnel on each. */
static void
random_each(void)
{
	up();
	tun_open(&y, &a);
	b = make_key(&dev, RIG_DEVICE2, a.btid);
	tun_open(&x, &b);
	messages_open(&x);
}

START_TEST(K5_forget_on_the_newer_key)
{
	struct stream s;

	random_each();
	stream_open(&s, &y, SERVICE);
	dev_ask(&inside, "forget", forget_body(&a, a.key, &b));
	dev_expect(&inside, REASON_NONE);
	ck_assert_int_eq(key_state(&a), -1);
	ck_assert_int_eq(key_state(&b), MT_KEY_CONFIRMED);
	ck_assert(!y.closed);			/* U1: what runs on the older one goes on */
	stream_echoes(&s, "still");
	ck_ok(link_shutdown(s.l));
	rig_run();
	ck_assert(y.closed && !x.closed);
	dev_ask(&inside, "forget", forget_body(&a, a.key, &b));		/* once more is fine */
	dev_expect(&inside, REASON_NONE);
	dev_close(&inside);
}
END_TEST

START_TEST(K5_forget_needs_the_old_key)
{
	struct secret *wrong = rig_secret(9, KS_LEN);

	random_each();
	dev_ask(&inside, "forget", forget_body(&a, NULL, &b));
	dev_expect(&inside, REASON_MT_FORGET_PROOF);
	ck_assert_str_eq(inside.code, "refused");
	dev_ask(&inside, "forget", forget_body(&a, wrong, &b));
	dev_expect(&inside, REASON_MT_FORGET_PROOF);
	dev_ask(&inside, "forget", forget_body(&a, b.key, &b));		/* the newer one proves nothing about the older */
	dev_expect(&inside, REASON_MT_FORGET_PROOF);
	dev_ask(&inside, "forget", forget_body(&a, a.key, &a));		/* made for another tunnel */
	dev_expect(&inside, REASON_MT_FORGET_PROOF);
	dev_ask(&inside, "forget", forget_body(&b, b.key, &b));		/* the key that it is said on */
	dev_expect(&inside, REASON_LOCAL_BAD_MESSAGE);
	dev_ask(&inside, "forget", json_object());
	dev_expect(&inside, REASON_LOCAL_BAD_MESSAGE);
	dev_ask(&inside, "use", complete_body(RIG_NAF, a.btid, RIG_DEVICE, NULL));
	dev_expect(&inside, REASON_LOCAL_UNSUPPORTED);
	ck_assert_int_eq(key_state(&a), MT_KEY_CONFIRMED);
	ck_assert_int_eq(key_state(&b), MT_KEY_CONFIRMED);
	ck_assert(!x.closed && !y.closed);
	dev_ask(&dev, "forget", forget_body(&a, a.key, &b));		/* and never outside */
	dev_expect(&dev, REASON_MT_FORGET_PLAIN);
	ck_assert_int_eq(key_state(&a), MT_KEY_CONFIRMED);
	dev_close(&inside);
	secret_free(wrong);
}
END_TEST

START_TEST(K5_one_messages_stream)
{
	struct stream s;

	random_each();
	stream_open(&s, &x, TUNNEL_MESSAGES);
	ck_assert(s.closed && s.why == REASON_TUNNEL_LIMIT);
	dev_close(&inside);			/* after the first has gone there may be another */
	messages_open(&x);
	dev_send(&inside, "forget", forget_body(&a, a.key, &b));
	tun_cut(&x);				/* gone before its answer */
	ck_assert(inside.closed);
	dev_close(&inside);
}
END_TEST

/* A half-closed messages' stream ends, and a tunnel that drains does not wait for one. */
START_TEST(K5_messages_end)
{
	random_each();
	ck_ok(link_shutdown(rpc_link(inside.rpc)));
	rig_run();
	ck_assert(inside.closed);
	dev_close(&inside);
	messages_open(&y);
	{
		struct made c = make_key_holding(&dev, RIG_DEVICE, a.key);

		dev_complete(&dev, RIG_NAF, c.btid, RIG_DEVICE, c.challenge);
		dev_expect(&dev, REASON_NONE);
		secret_free(c.key);
	}
	rig_run();
	ck_assert(inside.closed);
	ck_assert(y.closed);
	dev_close(&inside);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/invite");
	TCase *t = tcase_create("invite");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, U1_the_MT_asks_and_the_device_comes);
	tcase_add_test(t, U1_the_key_in_use_is_the_one_that_is_tried);
	tcase_add_test(t, U4_the_device_agrees_and_does_not_come);
	tcase_add_test(t, U4_refusals);
	tcase_add_test(t, U4_unknown_key_makes_it_send_renew);
	tcase_add_test(t, U4_use_on_connect);
	tcase_add_test(t, K11_who_is_not_admitted_is_not_asked);
	tcase_add_test(t, U2_a_request_of_the_MT_that_waits);
	tcase_add_test(t, K13_a_newcomer_is_told_busy);
	tcase_add_test(t, K13_the_owner_is_served);
	tcase_add_test(t, K13_a_proof_that_was_overheard);
	tcase_add_test(t, K13_a_dead_tunnel_gives_way);
	tcase_add_test(t, K13_many_newcomers);
	tcase_add_test(t, K5_forget_on_the_newer_key);
	tcase_add_test(t, K5_forget_needs_the_old_key);
	tcase_add_test(t, K5_one_messages_stream);
	tcase_add_test(t, K5_messages_end);
	suite_add_tcase(s, t);
	return unit_run(s);
}
