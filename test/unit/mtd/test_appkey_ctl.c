/* appkey_ctl: application keys on the control socket; Ks_local_MT itself never. U7 W5 N10 */
#include "test/unit/mtd/op.h"

#include "common/appkey.h"
#include "common/b64.h"
#include "common/ctl_int.h"
#include "mtd/gba.h"
#include "mtd/mt_impl.h"
#include "mtd/state.h"
#include "test/unit/mtd/fake_center.h"

static struct dev dev;
static char logged[1 << 18];

static void
on_log(enum log_level level, const char *line, void *arg)
{
	size_t n = strlen(logged);

	(void)level;
	(void)arg;
	if (n + strlen(line) + 2 < sizeof logged)
		(void)snprintf(logged + n, sizeof logged - n, "%s\n", line);
}

static void
setup(void)
{
	rig_open();
	center_open();
	logged[0] = '\0';
	log_capture(on_log, NULL);
	log_set_level(LOG_LEVEL_DEBUG);
	memset(&dev, 0, sizeof dev);
	memset(&op, 0, sizeof op);
}

static void
teardown(void)
{
	json_decref(dev.ok);
	rpc_free(dev.rpc);
	op_close();
	rig_close();
	log_capture(NULL, NULL);
}

/* A confirmed key of RIG_DEVICE: what the device has of the Key Center. */
static struct secret *
up(void)
{
	char *challenge;

	rig_start();
	dev_open(&dev);
	op_open();
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);
	challenge = strdup(dev_text(&dev, "challenge"));
	dev_complete(&dev, RIG_NAF, rig.bsf.btid.s, RIG_DEVICE, challenge);
	dev_expect(&dev, REASON_NONE);
	free(challenge);
	return device_key(RIG_NAF, rig.bsf.btid.s, RIG_DEVICE);
}

static void
derive(const char *device_id, const char *app)
{
	dev_ask(&op.dev, "key-derive", json_pack("{s:s, s:s}", "device_id", device_id, "app", app));
}

START_TEST(U7_the_device_gets_the_same)
{
	struct secret *ks = up();
	char hex[2 * KS_LEN + 1];
	struct appkey a;

	derive(RIG_DEVICE, "org.example.sync");
	dev_expect(&op.dev, REASON_NONE);
	ck_ok(appkey_make(ks, span_str("org.example.sync"), &a));
	hex_print(secret_span(a.key), hex);
	ck_assert_str_eq(dev_text(&op.dev, "key"), hex);
	ck_assert_str_eq(dev_text(&op.dev, "kcv"), a.kcv);
	ck_assert_str_eq(dev_text(&op.dev, "identity"), a.identity);
	ck_assert_str_eq(dev_text(&op.dev, "btid"), rig.bsf.btid.s);
	ck_assert_str_eq(dev_text(&op.dev, "naf_id"), RIG_NAF);
	ck_assert_str_eq(dev_text(&op.dev, "device_id"), RIG_DEVICE);
	ck_assert_str_eq(dev_text(&op.dev, "app"), "org.example.sync");
	/* its trace is its check value */
	ck_assert_ptr_nonnull(strstr(logged, a.kcv));
	ck_assert_ptr_null(strstr(logged, hex));
	derive(RIG_DEVICE, "two words");
	ck_assert_str_eq(dev_text(&op.dev, "identity"), "");
	ck_assert_str_ne(dev_text(&op.dev, "key"), hex);
	appkey_clear(&a);
	secret_free(ks);
}
END_TEST

START_TEST(U7_W5_what_is_refused)
{
	char longest[APPKEY_APP_MAX + 2];

	secret_free(up());
	derive(RIG_DEVICE, "kslocal-tls");
	dev_expect(&op.dev, REASON_CTL_USAGE);
	derive(RIG_DEVICE, "kslocal-anything");
	dev_expect(&op.dev, REASON_CTL_USAGE);
	derive(RIG_DEVICE2, "a");
	dev_expect(&op.dev, REASON_LOCAL_UNKNOWN_KEY);
	derive("no device", "a");
	dev_expect(&op.dev, REASON_CTL_USAGE);
	derive(RIG_DEVICE, "");
	dev_expect(&op.dev, REASON_CTL_USAGE);
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	derive(RIG_DEVICE, longest);
	dev_expect(&op.dev, REASON_CTL_USAGE);
	dev_ask(&op.dev, "key-derive", json_pack("{s:s, s:i}", "device_id", RIG_DEVICE, "app", 7));
	dev_expect(&op.dev, REASON_CTL_USAGE);
	dev_ask(&op.dev, "key-derive", NULL);
	dev_expect(&op.dev, REASON_CTL_USAGE);
	clock_step_wall(rig.clock, INT64_C(90) * 86400 * 1000);
	derive(RIG_DEVICE, "a");
	dev_expect(&op.dev, REASON_CLOCK_JUMPED);
	clock_step_wall(rig.clock, INT64_C(-90) * 86400 * 1000);
	clock_advance(rig.clock, 3600 * 1000);
	derive(RIG_DEVICE, "a");
	dev_expect(&op.dev, REASON_LOCAL_UNKNOWN_KEY);
}
END_TEST

/* The local interface has no such operation (K10). */
START_TEST(U7_on_the_control_socket_alone)
{
	secret_free(up());
	dev_ask(&dev, "key-derive", json_pack("{s:s, s:s}", "device_id", RIG_DEVICE, "app", "a"));
	dev_expect(&dev, REASON_LOCAL_UNSUPPORTED);
}
END_TEST

START_TEST(N10_asked_before_use)
{
	struct secret *ks;

	rig.conf.state_before_use = true;
	ks = up();
	derive(RIG_DEVICE, "a");
	dev_expect(&op.dev, REASON_NONE);
	ck_assert_int_eq(center.judged, 1);
	center.status = 410;
	derive(RIG_DEVICE, "a");
	dev_expect(&op.dev, REASON_UA_KEY_GONE);
	secret_free(ks);
}
END_TEST

static void
search(const char *where, const char *what, const struct secret *key)
{
	char hex[2 * KS_LEN + 1], b64[B64_LEN(KS_LEN) + 1], url[B64_LEN(KS_LEN) + 1];
	const char *const forms[] = { hex, b64, url };

	hex_print(secret_span(key), hex);
	b64_print(secret_span(key), b64);
	b64url_print(secret_span(key), url);
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		ck_assert_msg(strstr(where, forms[i]) == NULL, "%s shows a key", what);
}

/* Every operation, with every body that may be thought of. */
START_TEST(U7_ks_local_mt_can_not_be_exported)
{
	static const char *const bodies[] = {
		"{}", "{\"all\":true,\"key\":true,\"ks_local_mt\":true}", "{\"device_id\":\"" RIG_DEVICE "\"}",
		"{\"device_id\":\"" RIG_DEVICE "\",\"app\":\"a\"}", "{\"device_id\":\"" RIG_DEVICE "\",\"app\":\"kslocal-tls\"}",
		"{\"device_id\":\"" RIG_DEVICE "\",\"app\":\"kslocal-confirm\"}", "{\"device_id\":\"" RIG_DEVICE "\",\"app\":\"ks_local_device\"}",
		"{\"since\":0}", "{\"level\":\"debug\"}", "{\"app\":\"usim\"}", "{\"image\":\"/nowhere\"}",
	};
	const struct ctl_op *const lists[] = { mt_ctl_ops, ctl_common_ops };
	struct secret *ks = up(), *tls = NULL, *confirm = NULL;
	int asked = 0;

	ck_ok(kdf_reserved(ks, "kslocal-tls", &tls));
	ck_ok(kdf_reserved(ks, "kslocal-confirm", &confirm));
	for (size_t l = 0; l < 2; l++) {
		for (const struct ctl_op *o = lists[l]; o->name != NULL; o++) {
			if (strcmp(o->name, "stop") == 0 || strcmp(o->name, "device-refuse") == 0 || strcmp(o->name, "key-forget") == 0 || strcmp(o->name, "uicc-eject") == 0)
				continue;	/* nothing would be left to be asked for */
			for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
				int before = op.dev.answers;
				char *text;

				dev_send(&op.dev, o->name, json_loads(bodies[i], 0, NULL));
				for (int s = 0; s < 40 && op.dev.answers == before; s++) {	/* use waits for the device */
					rig_run();
					clock_advance(rig.clock, 1000);
				}
				ck_assert_msg(op.dev.answers > before, "%s is not answered", o->name);
				text = op.dev.ok != NULL ? json_dumps(op.dev.ok, 0) : strdup("");
				search(text, o->name, ks);
				search(text, o->name, tls);
				search(text, o->name, confirm);
				free(text);
				asked++;
			}
		}
	}
	ck_assert_int_gt(asked, 200);
	search(logged, "the log", ks);
	search(logged, "the log", tls);
	search(logged, "the log", confirm);
	secret_free(ks);
	secret_free(tls);
	secret_free(confirm);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/appkey_ctl");
	TCase *t = tcase_create("appkey");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, U7_the_device_gets_the_same);
	tcase_add_test(t, U7_W5_what_is_refused);
	tcase_add_test(t, U7_on_the_control_socket_alone);
	tcase_add_test(t, N10_asked_before_use);
	tcase_add_test(t, U7_ks_local_mt_can_not_be_exported);
	suite_add_tcase(s, t);
	return unit_run(s);
}
