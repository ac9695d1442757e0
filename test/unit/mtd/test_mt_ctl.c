/* mt_ctl: what the control socket shows and asks of the MT. RULES K8 U10 */
#include "test/unit/mtd/rig.h"

#include "common/ctl.h"

#define CTL "unix:/ctl"

static struct dev dev, op;	/* a device, and the operator on the control socket */
static struct ctl *ctl;

static void
setup(void)
{
	rig_open();
	memset(&dev, 0, sizeof dev);
	memset(&op, 0, sizeof op);
}

static void
teardown(void)
{
	json_decref(dev.ok);
	json_decref(op.ok);
	json_decref(dev.asked);
	rpc_free(dev.rpc);
	rpc_free(op.rpc);
	ctl_free(ctl);
	rig_close();
}

static void
up(void)
{
	static const struct link_cb cb = { .on_up = dev_on_up, .on_closed = dev_on_link_closed };
	static const struct link_options opt;
	struct ctl_hooks hooks = { .ops = mt_ctl_ops, .health = mt_health, .status = mt_status };
	struct ctl_env env;

	rig_start();
	dev_open(&dev);
	env = (struct ctl_env){ rig.net, rig.clock, rig.guard, rig.turn, rig.trace, "mtd" };
	hooks.core = hooks.status_arg = rig.mt;
	ck_ok(ctl_new(&env, CTL, &hooks, &ctl));
	ctl_ready(ctl);
	ck_ok(link_connect(rig.net, CTL, &opt, &cb, &op, &op.link));
	rig_run();
	ck_assert(op.up);
}

START_TEST(key_list)
{
	struct secret *key;
	char kcv[KCV_LEN + 1], *challenge;
	json_t *k;

	up();
	dev_ask(&op, "key-list", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(op.ok, "keys")), 0);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_ask(&op, "key-list", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(op.ok, "keys")), 1);
	k = json_array_get(json_object_get(op.ok, "keys"), 0);
	key = device_key(RIG_NAF, rig.bsf.btid.s, RIG_DEVICE);
	ck_ok(secret_kcv(key, kcv));
	ck_assert_str_eq(json_string_value(json_object_get(k, "icc_id")), "89880000000000000001");
	ck_assert_str_eq(json_string_value(json_object_get(k, "btid")), rig.bsf.btid.s);
	ck_assert_str_eq(json_string_value(json_object_get(k, "naf_id")), RIG_NAF);
	ck_assert_str_eq(json_string_value(json_object_get(k, "device_id")), RIG_DEVICE);
	ck_assert_str_eq(json_string_value(json_object_get(k, "kcv")), kcv);
	ck_assert_str_eq(json_string_value(json_object_get(k, "expires")), "2030-03-17T18:46:40Z");
	ck_assert_str_eq(json_string_value(json_object_get(k, "state")), "derived");
	challenge = strdup(dev_text(&dev, "challenge"));
	dev_complete(&dev, RIG_NAF, rig.bsf.btid.s, RIG_DEVICE, challenge);
	dev_ask(&op, "key-list", NULL);
	k = json_array_get(json_object_get(op.ok, "keys"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(k, "state")), "confirmed");
	clock_advance(rig.clock, 3600 * 1000);
	dev_ask(&op, "key-list", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(op.ok, "keys")), 0);
	free(challenge);
	secret_free(key);
}
END_TEST

START_TEST(bootstrap)
{
	up();
	dev_ask(&op, "bootstrap", NULL);
	dev_expect(&op, REASON_NONE);
	ck_assert_str_eq(dev_text(&op, "btid"), rig.bsf.btid.s);
	ck_assert_str_eq(dev_text(&op, "expires"), "2030-03-17T18:46:40Z");
	ck_assert_str_eq(op.word, "bootstrapping");		/* U10: the control socket does the same */
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), rig.bsf.btid.s);
	dev_ask(&op, "bootstrap", NULL);
	dev_expect(&op, REASON_NONE);
	ck_assert_int_eq(rig.bsf.done, 2);
}
END_TEST

/* The operator's run is not paid from the devices' buckets, and theirs not from his. */
START_TEST(k8_bootstrap_is_not_paid)
{
	rig.conf.runs_per_hour = 1;
	up();
	for (int i = 0; i < 5; i++) {
		dev_ask(&op, "bootstrap", NULL);
		dev_expect(&op, REASON_NONE);
	}
	(void)dev_info(&dev, RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_NONE);
	(void)dev_info(&dev, RIG_DEVICE);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_expect(&dev, REASON_MT_RUNS_SPENT);
}
END_TEST

START_TEST(k8_bootstrap_joins_a_run)
{
	up();
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	link_mem_run(rig.net);
	turn_end(rig.turn);
	dev_send(&op, "bootstrap", NULL);
	rig_run();
	dev_expect(&op, REASON_NONE);
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_text(&op, "btid"), dev_text(&dev, "btid"));
	ck_assert_int_eq(rig.bsf.done, 1);
}
END_TEST

START_TEST(bootstrap_refused)
{
	up();
	rig.bsf.down = true;
	dev_ask(&op, "bootstrap", NULL);
	dev_expect(&op, REASON_BSF_UNREACHABLE);
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	dev_ask(&op, "bootstrap", NULL);
	ck_assert_str_eq(op.code, "no-uicc");
	clock_step_wall(rig.clock, INT64_C(100) * 86400 * 1000);
	dev_ask(&op, "bootstrap", NULL);
	ck_assert_str_eq(op.code, "clock-jumped");
}
END_TEST

/* app: which of the card's applications. */
START_TEST(bootstrap_of_an_application)
{
	static const uint8_t aid[] = { 0xa0, 0, 0, 0, 0x87, 0x10, 4 };
	struct mt_card_app *isim = &rig.form.app[MT_CARD_ISIM];
	json_t *card;

	up();
	dev_ask(&op, "bootstrap", json_pack("{s:s}", "app", "usim"));
	dev_expect(&op, REASON_NONE);
	ck_assert_str_eq(rig.bsf.last_username, RIG_IMPI);
	dev_ask(&op, "bootstrap", json_pack("{s:s}", "app", "isim"));
	dev_expect(&op, REASON_CARD_NO_ISIM);
	dev_ask(&op, "bootstrap", json_pack("{s:s}", "app", "csim"));
	dev_expect(&op, REASON_CTL_USAGE);
	dev_ask(&op, "bootstrap", json_pack("{s:i}", "app", 1));
	dev_expect(&op, REASON_CTL_USAGE);
	ck_assert_int_eq(rig.bsf.done, 1);

	mt_uicc_soft_eject(rig.uicc);
	memcpy(isim->aid, aid, sizeof aid);
	isim->aid_len = sizeof aid;
	isim->gba_nafs = 1;
	(void)snprintf(isim->impi, sizeof isim->impi, "user@ims.operator.example");
	(void)snprintf(isim->domain, sizeof isim->domain, "ims.operator.example");
	(void)snprintf(rig.bsf.impi2, sizeof rig.bsf.impi2, "user@ims.operator.example");
	rig_insert(1);
	rig_run();
	dev_ask(&op, "bootstrap", json_pack("{s:s}", "app", "isim"));
	dev_expect(&op, REASON_NONE);
	ck_assert_str_eq(rig.bsf.last_username, "user@ims.operator.example");
	dev_ask(&op, "status", NULL);
	card = json_object_get(op.ok, "card");
	ck_assert_ptr_null(json_object_get(card, "btid"));
	card = json_object_get(card, "isim");
	ck_assert_str_eq(json_string_value(json_object_get(card, "btid")), rig.bsf.btid.s);
	ck_assert_str_eq(json_string_value(json_object_get(card, "procedure")), "GBA_ME");
	ck_assert_str_eq(json_string_value(json_object_get(card, "ks_in")), "mt");
}
END_TEST

START_TEST(status_and_health)
{
	json_t *card;

	up();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_ask(&op, "status", NULL);
	card = json_object_get(op.ok, "card");
	ck_assert_str_eq(json_string_value(json_object_get(card, "state")), "ready");
	ck_assert_str_eq(json_string_value(json_object_get(card, "icc_id")), "89880000000000000001");
	ck_assert_str_eq(json_string_value(json_object_get(card, "impi")), RIG_IMPI);
	ck_assert_str_eq(dev_text(&op, "bsf"), FAKE_BSF_FQDN);
	ck_assert_str_eq(dev_text(&op, "btid"), rig.bsf.btid.s);
	ck_assert_str_eq(dev_text(&op, "expires"), "2030-03-17T18:46:40Z");
	ck_assert_uint_eq(strlen(dev_text(&op, "mt_id")), MT_ID_LEN);
	ck_assert_uint_eq(json_array_size(json_object_get(op.ok, "links")), 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(op.ok, "links"), 0), "device_id")), RIG_DEVICE);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(op.ok, "counts"), "ub_runs")), 1);
	dev_ask(&op, "health", NULL);
	ck_assert(json_is_true(json_object_get(op.ok, "healthy")));
	mt_uicc_soft_eject(rig.uicc);
	rig_run();
	dev_ask(&op, "health", NULL);
	ck_assert(json_is_false(json_object_get(op.ok, "healthy")));
	dev_ask(&op, "status", NULL);
	card = json_object_get(op.ok, "card");
	ck_assert_str_eq(json_string_value(json_object_get(card, "state")), "none");
	ck_assert_str_eq(json_string_value(json_object_get(card, "why")), "card-none");
	ck_assert_str_eq(dev_text(&op, "btid"), "");
}
END_TEST

START_TEST(metrics)
{
	char *text;
	size_t n;

	up();
	rig.bsf.down = true;
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	rig.bsf.down = false;
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE2, rig.bsf.btid.s, NULL);
	ck_ok(metrics_render(rig.metrics, &text, &n));
	ck_assert_ptr_nonnull(strstr(text, "\nkslocal_mt_ub_runs_total 2\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nkslocal_mt_ub_failures_total 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nkslocal_mt_naf_derivations_total 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nkslocal_mt_keys_total 2\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nkslocal_mt_keys_confirmed_total 0\n"));
	free(text);
}
END_TEST

static void
on_stopped(void *arg)
{
	(void)arg;
}

/* U4: what the operator is told; the whole way is test_invite's. */
START_TEST(u4_use_and_tunnel_list)
{
	up();
	dev_ask(&op, "tunnel-list", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(op.ok, "tunnels")), 0);
	ck_assert(json_is_array(json_object_get(op.ok, "tunnels")));
	dev_ask(&op, "use", NULL);
	dev_expect(&op, REASON_LOCAL_BAD_MESSAGE);
	dev_ask(&op, "use", json_pack("{s:s}", "device_id", "no device id"));
	dev_expect(&op, REASON_LOCAL_BAD_MESSAGE);
	dev_ask(&op, "use", json_pack("{s:s}", "device_id", RIG_DEVICE));
	dev_expect(&op, REASON_MT_NO_KEY);
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	dev.use_why = REASON_LOCAL_UNKNOWN_KEY;
	dev_ask(&op, "use", json_pack("{s:s}", "device_id", RIG_DEVICE));
	dev_expect(&op, REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_int_eq(dev.renews, 1);
	dev.use_why = REASON_NONE;
	op.word[0] = '\0';
	dev_send(&op, "use", json_pack("{s:s}", "device_id", RIG_DEVICE));
	rig_run();
	ck_assert_str_eq(op.word, "use");	/* U10: its tunnel may take longer than an asker waits for a word */
	dev_ask(&op, "status", NULL);
	ck_assert(json_is_array(json_object_get(op.ok, "tunnels")));
	ck_assert(json_is_array(json_object_get(op.ok, "services")));
	mt_stop(rig.mt, on_stopped, NULL);		/* the one that waits for its tunnel is answered */
	rig_run();
	dev_expect(&op, REASON_STOPPING);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/mt_ctl");
	TCase *t = tcase_create("mt_ctl");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, key_list);
	tcase_add_test(t, bootstrap);
	tcase_add_test(t, k8_bootstrap_is_not_paid);
	tcase_add_test(t, k8_bootstrap_joins_a_run);
	tcase_add_test(t, bootstrap_refused);
	tcase_add_test(t, bootstrap_of_an_application);
	tcase_add_test(t, status_and_health);
	tcase_add_test(t, metrics);
	tcase_add_test(t, u4_use_and_tunnel_list);
	suite_add_tcase(s, t);
	return unit_run(s);
}
