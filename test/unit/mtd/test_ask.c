/* ask: the user is asked who may have keys (device_policy = ask). K11 N8 U10 */
#include "test/unit/mtd/op.h"

#include "mtd/ask.h"

static struct dev dev, other;

static void
setup(void)
{
	rig_open();
	rig.conf.device_policy = MT_DEVICES_ASK;
	rig.conf.runs_per_hour_device = 100;
	memset(&dev, 0, sizeof dev);
	memset(&other, 0, sizeof other);
	memset(&op, 0, sizeof op);
}

static void
devs_close(void)
{
	json_decref(dev.ok);
	json_decref(other.ok);
	rpc_free(dev.rpc);
	rpc_free(other.rpc);
	memset(&dev, 0, sizeof dev);
	memset(&other, 0, sizeof other);
}

static void
teardown(void)
{
	devs_close();
	op_close();
	rig_close();
}

static void
up(void)
{
	rig_start();
	dev_open(&dev);
	dev_open(&other);
	op_open();
}

/* Sends, and it waits for the user. */
static void
asks(struct dev *d, const char *what, json_t *body)
{
	int before = d->answers;

	d->word[0] = '\0';
	dev_send(d, what, body);
	rig_run();
	ck_assert_int_eq(d->answers, before);
	ck_assert_str_eq(d->word, "asking-user");
}

static json_t *
info_body(const char *device_id)
{
	return json_pack("{s:s}", "device_id", device_id);
}

/* A confirmed key for RIG_DEVICE, whom the user has allowed. */
static void
allowed_with_key(void)
{
	char *challenge;

	op_device("device-allow", RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	challenge = strdup(dev_text(&dev, "challenge"));
	dev_complete(&dev, RIG_NAF, rig.bsf.btid.s, RIG_DEVICE, challenge);
	dev_expect(&dev, REASON_NONE);
	free(challenge);
}

static void
on_stopped(void *arg)
{
	*(bool *)arg = true;
}

/* Who waits is answered. */
static void
stop(void)
{
	bool stopped = false;

	mt_stop(rig.mt, on_stopped, &stopped);
	rig_run();
	ck_assert(stopped);
}

START_TEST(k11_ask_allow)
{
	int before;

	up();
	dev_ask(&op.dev, "bootstrap", NULL);
	asks(&dev, "info", info_body(RIG_DEVICE));
	dev_ask(&op.dev, "device-list", NULL);
	ck_assert_int_eq(op_count("devices", "state", "pending"), 1);
	ck_assert_int_eq(op_count("devices", "device_id", RIG_DEVICE), 1);
	ck_assert_int_eq(op_count("devices", "until", "2030-03-17T17:47:40Z"), 1);
	/* every 5 s it hears that it goes on */
	before = dev.progresses;
	for (int i = 0; i < 6; i++) {
		clock_advance(rig.clock, 5000);
		rig_run();
	}
	ck_assert_int_ge(dev.progresses, before + 5);
	before = dev.answers;
	op_device("device-allow", RIG_DEVICE);
	dev_expect(&op.dev, REASON_NONE);
	ck_assert_int_eq(dev.answers, before + 1);
	ck_assert_str_eq(dev_text(&dev, "btid"), rig.bsf.btid.s);
	/* remembered: nobody is asked again, by nothing */
	ck_assert_str_eq(dev_info(&other, RIG_DEVICE), rig.bsf.btid.s);
	dev_derive(&other, RIG_NAF, RIG_DEVICE, rig.bsf.btid.s, NULL);
	dev_expect(&other, REASON_NONE);
	dev_ask(&op.dev, "device-list", NULL);
	ck_assert_int_eq(op_count("devices", "state", "pending"), 0);
	ck_assert_int_eq(op_count("devices", "state", "allowed"), 1);
}
END_TEST

START_TEST(k11_ask_refuse)
{
	up();
	dev_ask(&op.dev, "bootstrap", NULL);
	asks(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	op_device("device-refuse", RIG_DEVICE);
	dev_expect(&dev, REASON_MT_DEVICE_REFUSED);
	ck_assert_str_eq(dev.code, "refused");
	/* remembered; told no more than anybody who is not admitted */
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	ck_assert_uint_eq(json_array_size(json_object_get(dev.ok, "naf_ids")), 1);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_MT_DEVICE_REFUSED);
	ck_assert_int_eq(rig_keys(-1), 0);
	/* the user may think better of it */
	op_device("device-allow", RIG_DEVICE);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), rig.bsf.btid.s);
}
END_TEST

START_TEST(k11_ask_times_out)
{
	up();
	asks(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	for (int i = 0; i < 59; i++) {
		clock_advance(rig.clock, 1000);
		rig_run();
	}
	ck_assert_int_eq(dev.answers, 0);
	clock_advance(rig.clock, 1000);
	rig_run();
	ck_assert_int_eq(dev.answers, 1);
	dev_expect(&dev, REASON_MT_ASK_TIMEOUT);
	ck_assert_str_eq(dev.code, "refused");
	dev_ask(&op.dev, "device-list", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(op.dev.ok, "devices")), 0);
	ck_assert_int_eq(rig.bsf.done, 0);
	/* no decision: it may ask again */
	asks(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	op_device("device-allow", RIG_DEVICE);
	dev_expect(&dev, REASON_NONE);
}
END_TEST

START_TEST(k11_listed_and_nameless_are_not_asked_about)
{
	rig.conf.n_devices = 1;
	ck_ok(device_id_parse(span_str(RIG_DEVICE), &rig.conf.devices[0]));
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_info(&dev, NULL), "");
	dev_ask(&op.dev, "device-list", NULL);
	ck_assert_int_eq(op_count("devices", "state", "listed"), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(op.dev.ok, "devices")), 1);
	op_device("device-refuse", RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_MT_DEVICE_REFUSED);
	dev_ask(&op.dev, "device-list", NULL);
	ck_assert_int_eq(op_count("devices", "state", "listed"), 0);
	ck_assert_int_eq(op_count("devices", "state", "refused"), 1);
}
END_TEST

START_TEST(repeats_join_and_numbers_are_bounded)
{
	char id[64];

	up();
	for (int i = 0; i < MT_ASK_LINK_MAX; i++) {
		(void)snprintf(id, sizeof id, "urn:x:%d", i);
		asks(&dev, "info", info_body(id));
	}
	dev_ask(&dev, "info", info_body("urn:x:99"));
	dev_expect(&dev, REASON_MT_ASK_FULL);
	ck_assert_str_eq(dev.code, "busy");
	/* one that is pending is joined, from wherever, and all hear the answer */
	for (int i = 1; i < MT_ASK_JOIN_MAX; i++)
		asks(&other, "info", info_body("urn:x:0"));
	dev_ask(&other, "info", info_body("urn:x:0"));
	dev_expect(&other, REASON_MT_ASK_FULL);
	dev_ask(&op.dev, "device-list", NULL);
	ck_assert_int_eq(op_count("devices", "state", "pending"), MT_ASK_LINK_MAX);
	dev.answers = other.answers = 0;
	op_device("device-refuse", "urn:x:0");
	ck_assert_int_eq(dev.answers, 1);
	ck_assert_int_eq(other.answers, MT_ASK_JOIN_MAX - 1);
	/* one went, one may come */
	asks(&dev, "info", info_body("urn:x:99"));
	stop();
}
END_TEST

/* A device whose link is gone is still asked about: the user's word counts for the next time. */
START_TEST(an_asker_that_went_away)
{
	up();
	asks(&dev, "info", info_body(RIG_DEVICE));
	dev_close(&dev);
	dev_ask(&op.dev, "device-list", NULL);
	ck_assert_int_eq(op_count("devices", "state", "pending"), 1);
	op_device("device-allow", RIG_DEVICE);
	dev_expect(&op.dev, REASON_NONE);
	dev_derive(&other, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&other, REASON_NONE);
}
END_TEST

START_TEST(refusing_deletes_the_keys_and_they_stay_gone_n8)
{
	char first[BTID_MAX + 1];

	up();
	allowed_with_key();
	ck_assert_int_eq(rig_keys(-1), 1);
	(void)snprintf(first, sizeof first, "%s", rig.bsf.btid.s);
	op_device("device-refuse", RIG_DEVICE);
	ck_assert_int_eq(json_integer_value(json_object_get(op.dev.ok, "keys")), 1);
	ck_assert_int_eq(rig_keys(-1), 0);
	/* allowed again, the same derivation would bring the same key: it is not made */
	op_device("device-allow", RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, first, NULL);
	dev_expect(&dev, REASON_MT_TOMBSTONE);
	ck_assert_str_eq(dev.code, "stale-btid");
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	op_device("device-allow", RIG_DEVICE2);
	ck_assert_str_eq(dev_info(&other, RIG_DEVICE2), first);
	/* so the device bootstraps anew */
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, first);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_ne(dev_text(&dev, "btid"), first);
}
END_TEST

/* A derive that waits for a run was admitted when it came; the word that counts is the last one. */
START_TEST(k11_refused_while_a_run_is_under_way)
{
	int before;

	up();
	op_device("device-allow", RIG_DEVICE);
	before = dev.answers;
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	link_mem_run(rig.net);
	turn_end(rig.turn);
	clock_advance(rig.clock, 0);
	ck_assert_ptr_nonnull(rig.bsf.first);		/* the BSF was asked, and has not answered yet */
	ck_assert_int_eq(dev.answers, before);
	op_device("device-refuse", RIG_DEVICE);
	ck_assert_int_eq(dev.answers, before + 1);
	dev_expect(&dev, REASON_MT_DEVICE_REFUSED);
	ck_assert_int_eq(rig_keys(-1), 0);
	/* the run itself is the card's: the next device has its use of it */
	op_device("device-allow", RIG_DEVICE2);
	ck_assert_str_eq(dev_info(&other, RIG_DEVICE2), rig.bsf.btid.s);
}
END_TEST

START_TEST(decisions_outlive_the_process)
{
	int fd;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/kslocal-ask-XXXXXX");
	fd = mkstemp(rig.path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(rig.path);
	up();
	op_device("device-allow", RIG_DEVICE);
	op_device("device-refuse", RIG_DEVICE2);
	rig_run();
	devs_close();
	op_close();
	rig_run();
	rig_down();
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, NULL, NULL);
	dev_expect(&dev, REASON_MT_DEVICE_REFUSED);
}
END_TEST

START_TEST(who_waits_is_told_when_the_mt_stops)
{
	up();
	asks(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	stop();
	dev_expect(&dev, REASON_STOPPING);
}
END_TEST

START_TEST(what_is_no_device_id)
{
	up();
	op_device("device-allow", "a b");
	dev_expect(&op.dev, REASON_CTL_USAGE);
	dev_ask(&op.dev, "device-refuse", NULL);
	dev_expect(&op.dev, REASON_CTL_USAGE);
	dev_ask(&op.dev, "device-refuse", json_pack("{s:i}", "device_id", 7));
	dev_expect(&op.dev, REASON_CTL_USAGE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/ask");
	TCase *t = tcase_create("ask");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, k11_ask_allow);
	tcase_add_test(t, k11_ask_refuse);
	tcase_add_test(t, k11_ask_times_out);
	tcase_add_test(t, k11_listed_and_nameless_are_not_asked_about);
	tcase_add_test(t, repeats_join_and_numbers_are_bounded);
	tcase_add_test(t, an_asker_that_went_away);
	tcase_add_test(t, refusing_deletes_the_keys_and_they_stay_gone_n8);
	tcase_add_test(t, k11_refused_while_a_run_is_under_way);
	tcase_add_test(t, decisions_outlive_the_process);
	tcase_add_test(t, who_waits_is_told_when_the_mt_stops);
	tcase_add_test(t, what_is_no_device_id);
	suite_add_tcase(s, t);
	return unit_run(s);
}
