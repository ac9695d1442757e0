/* gba: the procedure through the whole MT, by what devices see and what it costs. RULES K1 K6 K7 K8 K11 U10 T1 T2 */
#include <sqlite3.h>
#include <unistd.h>

#include "test/unit/mtd/rig.h"

#define HOUR_MS INT64_C(3600000)

static struct dev dev;

static void
setup(void)
{
	rig_open();
	memset(&dev, 0, sizeof dev);
}

static void
teardown(void)
{
	json_decref(dev.ok);
	rpc_free(dev.rpc);
	rig_close();
}

static void
up(void)
{
	rig_start();
	dev_open(&dev);
}

static char *
text_of(const char *name)
{
	char *s = strdup(dev_text(&dev, name));

	ck_assert_ptr_nonnull(s);
	return s;
}

START_TEST(scenario_1_then_2)
{
	char *btid, *challenge;

	up();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(dev.ok, "naf_ids"), 0)), RIG_NAF);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_text(&dev, "btid"), rig.bsf.btid.s);
	ck_assert_str_eq(dev_text(&dev, "naf_id"), RIG_NAF);
	ck_assert_uint_eq(strlen(dev_text(&dev, "challenge")), CHALLENGE_LEN);
	btid = text_of("btid");
	challenge = text_of("challenge");
	dev_complete(&dev, RIG_NAF, btid, RIG_DEVICE, challenge);	/* the MT holds the NAF Key Center's key */
	dev_expect(&dev, REASON_NONE);
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 1);
	ck_assert_int_eq(rig.bsf.done, 1);
	free(challenge);

	/* another device, optimised */
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE2), btid);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, btid, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_text(&dev, "btid"), btid);
	challenge = text_of("challenge");
	dev_complete(&dev, RIG_NAF, btid, RIG_DEVICE2, challenge);
	dev_expect(&dev, REASON_NONE);
	ck_assert_int_eq(rig.bsf.done, 1);
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 2);
	free(challenge);
	free(btid);
}
END_TEST

/* A second device of the same NAF: no Ub run, no APDU, no NAF derivation. */
START_TEST(k6_second_device_costs_nothing)
{
	struct mt_counts before, after;
	uint64_t apdus;
	char *btid;

	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	btid = text_of("btid");
	before = rig_counts();
	apdus = mt_uicc_apdus(rig.uicc);
	ck_assert_uint_eq(before.ub_runs, 1);
	ck_assert_uint_eq(before.naf_derivations, 1);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, btid, NULL);
	dev_expect(&dev, REASON_NONE);
	after = rig_counts();
	ck_assert_uint_eq(after.ub_runs, 1);
	ck_assert_uint_eq(after.naf_derivations, 1);
	ck_assert_uint_eq(after.keys_derived, 2);
	ck_assert_uint_eq(mt_uicc_apdus(rig.uicc), apdus);
	ck_assert_int_eq(rig.bsf.requests, 2);
	free(btid);
}
END_TEST

/* … nor after a restart, as it is kept. */
START_TEST(k6_kept_over_a_restart)
{
	char *btid;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-%d.db", (int)getpid());
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	btid = text_of("btid");
	dev_close(&dev);
	rig_down();
	rig_start();
	dev_open(&dev);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), btid);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, btid, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_uint_eq(rig_counts().ub_runs, 0);
	ck_assert_uint_eq(rig_counts().naf_derivations, 0);
	ck_assert_int_eq(rig.bsf.requests, 2);
	free(btid);
}
END_TEST

/* A new bootstrapping replaces B-TID and Ks; the older key keeps the lifetime it inherited. */
START_TEST(k7_newest_alone_older_keys_live_on)
{
	struct triple old = { .btid = { "" } };
	struct iccid iccid;
	struct mt_key key;
	char *b1;

	up();
	rig.bsf.lifetime_s = 1000;
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	b1 = text_of("btid");
	old.btid = rig.bsf.btid;
	ck_ok(naf_id_parse(span_str(RIG_NAF), &old.naf_id));
	ck_ok(device_id_parse(span_str(RIG_DEVICE), &old.device_id));
	rig.bsf.lifetime_s = 7200;
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE2), b1);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_ne(dev_text(&dev, "btid"), b1);
	ck_assert_int_eq(rig.bsf.done, 2);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, b1, NULL);	/* the older B-TID derives no more */
	dev_expect(&dev, REASON_LOCAL_STALE_BTID);
	ck_assert_str_eq(dev.code, "stale-btid");
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_ok(mt_store_get_key(rig.store, &iccid, &old, RIG_NOW + 999, &key));
	ck_assert_int_eq(key.expires, RIG_NOW + 1000);
	mt_key_clear(&key);
	ck_rc(mt_store_get_key(rig.store, &iccid, &old, RIG_NOW + 1000, &key), RC_EXPIRED);
	free(b1);
}
END_TEST

START_TEST(k7_ks_min_left)
{
	char *b1;

	rig.conf.ks_min_left_s = 60;
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	b1 = text_of("btid");
	clock_advance(rig.clock, (3600 - 61) * 1000);
	rig_run();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), b1);
	clock_advance(rig.clock, 1000);
	rig_run();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");	/* counts as none */
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, b1, NULL);
	dev_expect(&dev, REASON_LOCAL_STALE_BTID);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_ne(dev_text(&dev, "btid"), b1);
	free(b1);
}
END_TEST

/* T1: gone from the moment of expiry, and from the store soon after. */
START_TEST(t1_expiry)
{
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	{
		char *btid = text_of("btid"), *challenge = text_of("challenge");

		clock_advance(rig.clock, 3600 * 1000 - 1);
		rig_run();
		ck_assert_int_eq(rig_keys(-1), 1);
		clock_advance(rig.clock, 1);
		dev_complete(&dev, RIG_NAF, btid, RIG_DEVICE, challenge);
		dev_expect(&dev, REASON_LOCAL_UNKNOWN_KEY);
		free(btid);
		free(challenge);
	}
	clock_advance(rig.clock, 1000);
	rig_run();
	ck_assert_int_eq(mt_store_next_expiry(rig.store), INT64_MAX);
}
END_TEST

#define MANY 50
static struct dev many[MANY];

/* 50 devices at once cost one run. */
START_TEST(k8_fifty_devices_one_run)
{
	char id[64];

	rig_start();
	for (int i = 0; i < MANY; i++)
		dev_open(&many[i]);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(id, sizeof id, "urn:device:%d", i);
		dev_send(&many[i], "info", json_pack("{s:s}", "device_id", id));
		dev_send(&many[i], "derive", derive_body(RIG_NAF, id, NULL, NULL));
	}
	rig_run();
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(many[i].answers, 2);
		dev_expect(&many[i], REASON_NONE);
		ck_assert_str_eq(dev_text(&many[i], "btid"), rig.bsf.btid.s);
	}
	ck_assert_uint_eq(rig_counts().ub_runs, 1);
	ck_assert_int_eq(rig.bsf.requests, 2);
	ck_assert_uint_eq(rig_counts().naf_derivations, 1);
	ck_assert_int_eq(rig_keys(-1), MANY);
	for (int i = 0; i < MANY; i++) {
		char *challenge = strdup(dev_text(&many[i], "challenge"));

		(void)snprintf(id, sizeof id, "urn:device:%d", i);
		dev_complete(&many[i], RIG_NAF, rig.bsf.btid.s, id, challenge);
		dev_expect(&many[i], REASON_NONE);
		free(challenge);
	}
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), MANY);
	for (int i = 0; i < MANY; i++)
		dev_close(&many[i]);
}
END_TEST

/* Those whose info was before the run's end, and who ask after it, get the newest and no run. */
START_TEST(k8_late_askers_get_the_newest)
{
	struct dev late;

	up();
	dev_open(&late);
	ck_assert_str_eq(dev_info(&late, RIG_DEVICE2), "");
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_derive(&late, RIG_NAF, RIG_DEVICE2, NULL, NULL);
	dev_expect(&late, REASON_NONE);
	ck_assert_str_eq(dev_text(&late, "btid"), rig.bsf.btid.s);
	ck_assert_uint_eq(rig_counts().ub_runs, 1);
	/* it has seen the newest now, and asks for a newer one: renewal always bootstraps anew */
	ck_assert_str_eq(dev_info(&late, RIG_DEVICE2), rig.bsf.btid.s);
	dev_derive(&late, RIG_NAF, RIG_DEVICE2, NULL, NULL);
	dev_expect(&late, REASON_NONE);
	ck_assert_uint_eq(rig_counts().ub_runs, 2);
	dev_close(&late);
}
END_TEST

START_TEST(k8_stale_btid_drops_the_newest_once)
{
	char *b1, *b2;

	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	b1 = text_of("btid");
	(void)dev_info(&dev, RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, b1);
	dev_expect(&dev, REASON_NONE);
	b2 = text_of("btid");
	ck_assert_str_ne(b1, b2);
	ck_assert_uint_eq(rig_counts().ub_runs, 2);
	/* a second device heard the same about b1: it gets b2, and no run */
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, NULL, b1);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_text(&dev, "btid"), b2);
	ck_assert_uint_eq(rig_counts().ub_runs, 2);
	free(b1);
	free(b2);
}
END_TEST

/* A device that calls every B-TID stale costs at most its bucket; the Ks stays for the others when it is empty. */
START_TEST(k8_calling_stale_costs_its_bucket)
{
	char *last = NULL;
	int done = 0, refused = 0;

	rig.conf.runs_per_hour = 30;
	rig.conf.runs_per_hour_device = 6;
	up();
	for (int i = 0; i < 40; i++) {
		if (i % 10 == 5) {		/* a new connection is no new bucket */
			dev_close(&dev);
			dev_open(&dev);
		}
		(void)dev_info(&dev, RIG_DEVICE);
		dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, last);
		if (dev.ok == NULL) {
			dev_expect(&dev, REASON_MT_RUNS_SPENT);
			ck_assert_str_eq(dev.code, "busy");
			ck_assert_int_gt(dev.retry_after_s, 0);
			ck_assert_int_le(dev.retry_after_s, 600);
			refused++;
			continue;
		}
		done++;
		free(last);
		last = text_of("btid");
	}
	ck_assert_int_eq(done, 6);
	ck_assert_int_eq(refused, 34);
	ck_assert_uint_eq(rig_counts().ub_runs, 6);
	/* the Ks was not dropped when nobody paid for another, and serves other devices */
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE2), last);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, last, NULL);
	dev_expect(&dev, REASON_NONE);
	/* waiting as told is enough */
	(void)dev_info(&dev, RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	clock_advance(rig.clock, dev.retry_after_s * 1000);
	rig_run();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_uint_eq(rig_counts().ub_runs, 7);
	free(last);
}
END_TEST

/* Ever new Device_IDs are paid from the MT's bucket. */
START_TEST(k8_new_device_ids_cost_the_mts_bucket)
{
	char id[64];
	int done = 0;

	rig.conf.runs_per_hour = 10;
	up();
	for (int i = 0; i < 30; i++) {
		(void)snprintf(id, sizeof id, "urn:liar:%d", i);
		(void)dev_info(&dev, id);
		dev_derive(&dev, RIG_NAF, id, NULL, NULL);
		done += dev.ok != NULL;
		if (dev.ok == NULL)
			dev_expect(&dev, REASON_MT_RUNS_SPENT);
	}
	ck_assert_int_eq(done, 10);
	ck_assert_uint_eq(rig_counts().ub_runs, 10);
}
END_TEST

START_TEST(k8_buckets_outlive_a_restart)
{
	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-%d.db", (int)getpid());
	rig.conf.runs_per_hour_device = 1;
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	dev_close(&dev);
	rig_down();
	rig_start();
	dev_open(&dev);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, rig.bsf.btid.s);
	dev_expect(&dev, REASON_MT_RUNS_SPENT);
}
END_TEST

/* What never reached the BSF is not paid: the next try succeeds by itself. */
START_TEST(bsf_down_then_up)
{
	rig.conf.runs_per_hour_device = 2;
	up();
	rig.bsf.down = true;
	for (int i = 0; i < 10; i++) {
		dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
		dev_expect(&dev, REASON_BSF_UNREACHABLE);
		ck_assert_str_eq(dev.code, "bootstrap-failed");
	}
	ck_assert_uint_eq(rig_counts().ub_failed, 10);
	rig.bsf.down = false;
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
}
END_TEST

static void
twist_503(struct fake_bsf *b, int n, struct fake_reply *r)
{
	(void)b;
	(void)n;
	r->status = 503;
	fake_header(r, "Retry-After", "9");
}

START_TEST(u10_retry_after_and_progress)
{
	up();
	rig.bsf.twist = twist_503;
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_BSF_BUSY);
	ck_assert_int_eq(dev.retry_after_s, 9);
	ck_assert_int_eq(dev.progresses, 1);
	ck_assert_str_eq(dev.word, "bootstrapping");
}
END_TEST

/* A word every 5 s while the run lasts, "queued" for who joined. */
START_TEST(u10_words_while_it_lasts)
{
	struct dev second;

	up();
	dev_open(&second);
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	link_mem_run(rig.net);		/* it is in; the BSF has not answered yet */
	turn_end(rig.turn);
	dev_send(&second, "derive", derive_body(RIG_NAF, RIG_DEVICE2, NULL, NULL));
	link_mem_run(rig.net);
	turn_end(rig.turn);
	link_mem_run(rig.net);
	ck_assert_int_eq(dev.progresses, 1);
	ck_assert_str_eq(second.word, "queued");
	for (int s = 0; s < 20; s += 5) {
		clock_advance(rig.clock, 5000);
		turn_end(rig.turn);
		link_mem_run(rig.net);
	}
	ck_assert_int_eq(dev.answers, 0);
	ck_assert_int_eq(dev.progresses, 5);
	ck_assert_int_eq(second.progresses, 5);
	rig_run();
	dev_expect(&dev, REASON_NONE);
	dev_expect(&second, REASON_NONE);
	ck_assert_int_eq(dev.answers, 1);
	dev_close(&second);
}
END_TEST

START_TEST(k1_naf_policy)
{
	up();
	dev_derive(&dev, RIG_NAF2, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_LOCAL_NAF_NOT_OFFERED);
	ck_assert_str_eq(dev.code, "naf-not-offered");
	ck_assert_int_eq(rig.bsf.requests, 0);
	dev_derive(&dev, "nafkc.example.org/0100000003", RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_LOCAL_NAF_NOT_OFFERED);
}
END_TEST

START_TEST(k1_naf_policy_any)
{
	rig.conf.naf_any = true;
	up();
	dev_derive(&dev, RIG_NAF2, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
}
END_TEST

/* B-TIDs are told to admitted Device_IDs alone, by info and by derive. */
START_TEST(k11_admitted_alone)
{
	rig.conf.device_policy = MT_DEVICES_LISTED;
	rig.conf.n_devices = 1;
	ck_ok(device_id_parse(span_str(RIG_DEVICE), &rig.conf.devices[0]));
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), rig.bsf.btid.s);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE2), "");
	ck_assert_uint_eq(json_array_size(json_object_get(dev.ok, "naf_ids")), 1);
	ck_assert_str_eq(dev_info(&dev, NULL), "");
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, NULL, NULL);
	dev_expect(&dev, REASON_MT_NOT_ADMITTED);
	ck_assert_str_eq(dev.code, "refused");
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, rig.bsf.btid.s, NULL);
	dev_expect(&dev, REASON_MT_NOT_ADMITTED);
	ck_assert_uint_eq(rig_counts().ub_runs, 1);
}
END_TEST

START_TEST(k11_any_admits_who_tells_no_id)
{
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	ck_assert_str_eq(dev_info(&dev, NULL), rig.bsf.btid.s);
}
END_TEST

/* --- the card */

START_TEST(no_card)
{
	mt_uicc_soft_eject(rig.uicc);
	up();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	ck_assert_str_eq(dev.code, "no-uicc");
	rig_insert(1);
	rig_run();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
}
END_TEST

/* Out and in again: Ks is gone, the keys are not (C2); while it is out nothing is derived. */
START_TEST(c2_same_card_again)
{
	char *btid;

	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	btid = text_of("btid");
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, btid, NULL);
	ck_assert_str_eq(dev.code, "no-uicc");
	ck_assert_int_eq(rig_keys(-1), 1);
	rig_insert(1);
	rig_run();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	ck_assert_int_eq(rig_keys(-1), 1);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_ne(dev_text(&dev, "btid"), btid);
	free(btid);
}
END_TEST

/* seed 7.5 */
START_TEST(another_card_deletes_the_old_ones_data)
{
	char *btid, *challenge;

	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	btid = text_of("btid");
	challenge = text_of("challenge");
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(2);
	rig_run();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, btid, NULL);
	dev_expect(&dev, REASON_LOCAL_STALE_BTID);
	dev_complete(&dev, RIG_NAF, btid, RIG_DEVICE, challenge);
	dev_expect(&dev, REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_int_eq(rig_keys(-1), 0);
	/* and the old card does not bring it back */
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(1);
	rig_run();
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	ck_assert_int_eq(rig_keys(-1), 0);
	free(btid);
	free(challenge);
}
END_TEST

START_TEST(another_card_found_at_start)
{
	struct iccid iccid;

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-gba-%d.db", (int)getpid());
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	dev_close(&dev);
	rig_down();
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(2);
	rig_start();
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_assert_str_eq(iccid.s, "89880000000000000002");
	dev_open(&dev);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	ck_assert_int_eq(mt_store_next_expiry(rig.store), RIG_NOW + 3601);	/* the buckets' alone */
}
END_TEST

/* Pulled while its run is under way: every waiter hears it, and nothing is kept. */
START_TEST(card_pulled_in_a_run)
{
	up();
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	link_mem_run(rig.net);
	turn_end(rig.turn);
	ck_assert(fake_bsf_step(&rig.bsf));	/* the challenge: the card is asked */
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	ck_assert_int_eq(dev.answers, 1);
	ck_assert_str_eq(dev.code, "no-uicc");
	ck_assert_int_eq(rig.bsf.done, 0);
}
END_TEST

START_TEST(asked_while_the_card_is_read)
{
	rig_up();
	ck_ok(mt_start(rig.mt));
	{
		static const struct link_cb cb = { .on_up = dev_on_up, .on_closed = dev_on_link_closed };
		static const struct link_options opt;

		ck_ok(link_connect(rig.net, RIG_LINK, &opt, &cb, &dev, &dev.link));
	}
	link_mem_run(rig.net);
	ck_assert(dev.up);
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	link_mem_run(rig.net);
	turn_end(rig.turn);
	link_mem_run(rig.net);
	ck_assert_str_eq(dev.word, "waiting-card");
	rig_run();
	ck_assert_int_eq(dev.answers, 1);
	dev_expect(&dev, REASON_NONE);
}
END_TEST

static int fail_commits;
static int
on_commit(void *arg)
{
	(void)arg;
	return fail_commits;
}

/* Another card counts when the deletion of the old one's data is durable, and not before. */
START_TEST(card_counts_when_it_is_recorded)
{
	struct iccid iccid;

	fail_commits = 0;
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	sqlite3_commit_hook(sqlite3_db_handle((sqlite3_stmt *)store_stmt(rig.store, 0)), on_commit, NULL);
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	fail_commits = 1;
	rig_insert(2);
	rig_run();
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_assert_str_eq(iccid.s, "89880000000000000001");
	ck_assert_int_eq(rig_keys(-1), 1);
	dev_send(&dev, "info", json_pack("{s:s}", "device_id", RIG_DEVICE));
	rig_run();
	ck_assert_str_eq(dev.word, "waiting-card");
	for (int i = 0; i < 5; i++) {
		clock_advance(rig.clock, 1000);
		rig_run();
	}
	ck_assert_int_eq(rig_keys(-1), 1);
	fail_commits = 0;
	clock_advance(rig.clock, 1000);
	rig_run();
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_text(&dev, "btid"), "");
	ck_ok(mt_store_last_card(rig.store, &iccid));
	ck_assert_str_eq(iccid.s, "89880000000000000002");
	ck_assert_int_eq(rig_keys(-1), 0);
	sqlite3_commit_hook(sqlite3_db_handle((sqlite3_stmt *)store_stmt(rig.store, 0)), NULL, NULL);
}
END_TEST

/* The card of somebody whom the BSF does not know. */
START_TEST(unknown_subscriber)
{
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(2);
	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_BSF_REFUSED);
	ck_assert_str_eq(dev.code, "bootstrap-failed");
}
END_TEST

/* --- TMPI */

START_TEST(tmpi_from_run_to_run)
{
	char first[TMPI_LEN + 1];

	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	ck_assert_str_eq(rig.bsf.last_username, RIG_IMPI);
	memcpy(first, rig.bsf.tmpi, sizeof first);
	(void)dev_info(&dev, RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(rig.bsf.last_username, first);
	/* the BSF lost it */
	rig.bsf.forget_tmpi = true;
	(void)dev_info(&dev, RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(rig.bsf.last_username, RIG_IMPI);
	/* a failed run that refused the TMPI: the next one begins with the IMPI */
	rig.bsf.impi[0] = 'x';
	(void)dev_info(&dev, RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_BSF_REFUSED);
	rig.bsf.impi[0] = '0';
	rig.bsf.forget_tmpi = false;
	rig.bsf.requests = 0;
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	ck_assert_int_eq(rig.bsf.requests, 2);
}
END_TEST

/* --- time, stopping */

START_TEST(t2_clock_jumped)
{
	char *btid;

	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	btid = text_of("btid");
	clock_step_wall(rig.clock, 30 * 24 * HOUR_MS);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, NULL, NULL);
	dev_expect(&dev, REASON_CLOCK_JUMPED);
	ck_assert_str_eq(dev.code, "clock-jumped");
	ck_assert_int_eq(rig.bsf.done, 1);
	clock_step_wall(rig.clock, -30 * 24 * HOUR_MS);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, btid, NULL);
	dev_expect(&dev, REASON_NONE);
	free(btid);
}
END_TEST

static int stopped;
static void
on_stopped(void *arg)
{
	(void)arg;
	stopped++;
}

/* What is in flight is answered, what comes later is told why, then the links close. */
START_TEST(stops_in_good_order)
{
	stopped = 0;
	up();
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	link_mem_run(rig.net);
	turn_end(rig.turn);
	mt_stop(rig.mt, on_stopped, NULL);
	turn_end(rig.turn);
	ck_assert_int_eq(stopped, 0);
	rig_run();
	ck_assert_int_eq(dev.answers, 1);
	dev_expect(&dev, REASON_NONE);
	ck_assert(dev.closed);
	ck_assert_int_eq(dev.closed_why, REASON_NONE);
	ck_assert_int_eq(stopped, 1);
}
END_TEST

START_TEST(stops_when_idle)
{
	stopped = 0;
	up();
	mt_stop(rig.mt, on_stopped, NULL);
	rig_run();
	ck_assert_int_eq(stopped, 1);
	ck_assert(dev.closed);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/gba");
	TCase *t = tcase_create("gba");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, scenario_1_then_2);
	tcase_add_test(t, k6_second_device_costs_nothing);
	tcase_add_test(t, k6_kept_over_a_restart);
	tcase_add_test(t, k7_newest_alone_older_keys_live_on);
	tcase_add_test(t, k7_ks_min_left);
	tcase_add_test(t, t1_expiry);
	tcase_add_test(t, k8_fifty_devices_one_run);
	tcase_add_test(t, k8_late_askers_get_the_newest);
	tcase_add_test(t, k8_stale_btid_drops_the_newest_once);
	tcase_add_test(t, k8_calling_stale_costs_its_bucket);
	tcase_add_test(t, k8_new_device_ids_cost_the_mts_bucket);
	tcase_add_test(t, k8_buckets_outlive_a_restart);
	tcase_add_test(t, bsf_down_then_up);
	tcase_add_test(t, u10_retry_after_and_progress);
	tcase_add_test(t, u10_words_while_it_lasts);
	tcase_add_test(t, k1_naf_policy);
	tcase_add_test(t, k1_naf_policy_any);
	tcase_add_test(t, k11_admitted_alone);
	tcase_add_test(t, k11_any_admits_who_tells_no_id);
	tcase_add_test(t, no_card);
	tcase_add_test(t, c2_same_card_again);
	tcase_add_test(t, another_card_deletes_the_old_ones_data);
	tcase_add_test(t, another_card_found_at_start);
	tcase_add_test(t, card_pulled_in_a_run);
	tcase_add_test(t, asked_while_the_card_is_read);
	tcase_add_test(t, card_counts_when_it_is_recorded);
	tcase_add_test(t, unknown_subscriber);
	tcase_add_test(t, tmpi_from_run_to_run);
	tcase_add_test(t, t2_clock_jumped);
	tcase_add_test(t, stops_in_good_order);
	tcase_add_test(t, stops_when_idle);
	suite_add_tcase(s, t);
	return unit_run(s);
}
