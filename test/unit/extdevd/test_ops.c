/* extdevd's control operations through a control socket in memory. */
#include "common/appkey.h"
#include "common/ctl.h"
#include "common/hex.h"
#include "extdevd/use.h"
#include "test/unit/extdevd/rig.h"

static struct ctl *ctl;
static struct rpc *rpc;
static struct rig_done d;
static struct {
	int n, progress;
	json_t *body;
	enum reason why;
	char text[512], word[32];
	int64_t retry_after_s;
} got;

static void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	const char *text = json_string_value(json_object_get(error, "text"));

	(void)arg;
	got.n++;
	json_decref(got.body);
	got.body = body != NULL ? json_deep_copy(body) : NULL;
	got.why = why;
	got.retry_after_s = json_integer_value(json_object_get(error, "retry_after_s"));
	(void)snprintf(got.text, sizeof got.text, "%s", text != NULL ? text : "");
}

static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	(void)arg, (void)wait_s;
	got.progress++;
	(void)snprintf(got.word, sizeof got.word, "%s", word);
}

static void
on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)r, (void)why, (void)detail, (void)arg;
}

static void
send_op(const char *op, const char *body)
{
	json_t *o = json_loads(body, 0, NULL);

	ck_assert_ptr_nonnull(o);
	json_decref(got.body);
	memset(&got, 0, sizeof got);
	ck_ok(rpc_ask(rpc, op, o, on_answer, on_progress, NULL));
	json_decref(o);
	rig_run();
}

static enum reason
ask(const char *op, const char *body)
{
	send_op(op, body);
	ck_assert_int_eq(got.n, 1);
	return got.why;
}

static const char *
member(const char *key)
{
	const char *s = json_string_value(json_object_get(got.body, key));

	return s != NULL ? s : "";
}

static void
setup(void)
{
	static const struct rpc_cb cb = { NULL, on_closed };
	struct rpc_options opt = { .line_max = 1 << 18 };
	struct ctl_hooks hooks = { .ops = extdev_ctl_ops, .health = extdev_health, .status = extdev_status };
	struct ctl_env env;
	struct link *l;

	memset(&got, 0, sizeof got);
	rig_new();
	rig_mt_up(&rig.mt, "unix:/mt", MT1);
	rig.conf.n_mts = 2;		/* the tablet is away */
	rig_start();
	hooks.core = hooks.status_arg = rig.e;
	env = (struct ctl_env){ .net = rig.net, .clock = rig.clk, .guard = rig.guard, .turn = rig.turn, .trace = rig.trace,
	    .daemon = "extdevd" };
	ck_ok(ctl_new(&env, "unix:/control", &hooks, &ctl));
	ctl_ready(ctl);
	ck_ok(link_connect(rig.net, "unix:/control", NULL, NULL, NULL, &l));
	rig_run();
	ck_ok(rpc_new(l, rig.clk, &opt, &cb, NULL, &rpc));
	rig_run();
}

static void
teardown(void)
{
	json_decref(got.body);
	got.body = NULL;
	rpc_free(rpc);
	rig_run();
	ctl_free(ctl);
	rig_teardown();
}

START_TEST(establish)
{
	send_op("establish", "{\"mt\":\"phone\"}");
	ck_assert_int_eq(got.n, 0);
	rig_info(NULL);
	rpc_progress(rig_got("derive")->q, "bootstrapping", 20);
	rig_run();
	ck_assert_str_eq(got.word, "bootstrapping");	/* U10 */
	rig_derive(NULL, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_NONE);
	ck_assert_int_eq(json_integer_value(json_object_get(got.body, "scenario")), 1);
	ck_assert(json_is_false(json_object_get(got.body, "reused")));
	ck_assert_str_eq(member("btid"), B1);
	ck_assert_str_eq(member("naf_id"), NAF1);
	ck_assert_str_eq(member("device_id"), DEV);
	ck_assert_str_eq(member("mt_id"), MT1);
	ck_assert_str_eq(member("expires"), "2030-01-01T01:00:00Z");
	ck_assert_uint_eq(strlen(member("kcv")), KCV_LEN);
	ck_assert_uint_eq(strlen(member("run")), RUN_ID_LEN);
	/* K9 */
	ck_assert_int_eq(ask("establish", "{\"mt\":\"phone\",\"force\":false,\"new\":false,\"naf\":\"" NAF1 "\"}"), REASON_NONE);
	ck_assert_int_eq(json_integer_value(json_object_get(got.body, "scenario")), 0);
	ck_assert(json_is_true(json_object_get(got.body, "reused")));
	send_op("establish", "{\"mt\":\"phone\",\"new\":true}");
	rig_info(B1);
	rig_refuse(rig_got("derive"), REASON_LOCAL_BUSY, 33);
	ck_assert_int_eq(got.why, REASON_LOCAL_BUSY);
	ck_assert_int_eq(got.retry_after_s, 33);
	ck_assert_str_ne(got.text, "");
}
END_TEST

static const char *const bad[] = {
	"{\"mt\":7}", "{\"mt\":\"phone\",\"force\":1}", "{\"mt\":\"phone\",\"new\":\"yes\"}", "{\"mt\":\"phone\",\"naf\":7}",
	"{\"mt\":\"phone\",\"naf\":\"nafkc.example.org\"}", "{\"mt\":\"phone\",\"naf\":\"\"}",
};

START_TEST(establish_bad_message)
{
	ck_assert_int_eq(ask("establish", bad[_i]), REASON_CTL_USAGE);
	rig_got_nothing();
}
END_TEST

START_TEST(establish_with_whom)
{
	ck_assert_int_eq(ask("establish", "{}"), REASON_EXT_MT_UNKNOWN);
	ck_assert_int_eq(ask("establish", "{\"mt\":\"fridge\"}"), REASON_EXT_MT_UNKNOWN);
	ck_assert_int_eq(ask("establish", "{\"mt\":\"phone\",\"naf\":\"evil.example.org/0100000002\"}"), REASON_EXT_NO_COMMON_NAF);
	ck_assert_int_eq(ask("establish", "{\"mt\":\"tablet\"}"), REASON_LINK_UNREACHABLE);
}
END_TEST

START_TEST(key_list)
{
	json_t *k;

	ck_assert_int_eq(ask("key-list", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "keys")), 0);
	rig_scenario1(&d, B1, 7);
	rig_ask(&d, false, true);
	rig_info(B1);
	rig_derive(NULL, B2);
	rig_naf_key(8, 3600);
	ck_assert_int_eq(ask("key-list", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "keys")), 2);
	k = json_array_get(json_object_get(got.body, "keys"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(k, "btid")), B1);
	ck_assert_str_eq(json_string_value(json_object_get(k, "state")), "confirmed");
	ck_assert_ptr_null(json_object_get(k, "owed"));
	k = json_array_get(json_object_get(got.body, "keys"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(k, "state")), "waiting");
	ck_assert_str_eq(json_string_value(json_object_get(k, "owed")), "complete");
	rig_complete(B2, 8);
}
END_TEST

/* No answer shows a key, in hex or base64 (ARCHITECTURE 8). */
START_TEST(no_key_is_shown)
{
	static const char *const ops[] = { "key-list", "status", "trace", "health" };
	char *text;

	rig_scenario1(&d, B1, 0xab);
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		ck_assert_int_eq(ask(ops[i], "{}"), REASON_NONE);
		text = json_dumps(got.body, 0);
		ck_assert_ptr_null(strstr(text, "abababab"));
		ck_assert_ptr_null(strstr(text, "q6urq6ur"));
		free(text);
	}
	ck_assert_ptr_null(strstr(rig.log, "abababab"));
	ck_assert_ptr_null(strstr(rig.log, "q6urq6ur"));
}
END_TEST

/* Application keys leave, by their own operation; Ks_local_MT does not, by whatever is asked. */
START_TEST(U7_key_derive)
{
	static const char *const bodies[] = {
		"{}", "{\"mt\":\"phone\"}", "{\"all\":true,\"key\":true}", "{\"mt\":\"phone\",\"app\":\"kslocal-tls\"}",
		"{\"mt\":\"phone\",\"app\":\"kslocal-confirm\"}", "{\"mt\":\"phone\",\"app\":\"a\"}", "{\"since\":0}",
	};
	static const char *const shows[] = { "key-derive", "key-list", "mt-list", "tunnel-list", "status", "health", "trace", "ops", "clock" };
	struct secret *ks = rig_key(0xab);
	char hex[2 * KS_LEN + 1];
	struct appkey a;
	char *text;

	ck_ok(appkey_make(ks, span_str("org.example.sync"), &a));
	hex_print(secret_span(a.key), hex);
	ck_assert_int_eq(ask("key-derive", "{\"mt\":\"phone\",\"app\":\"a\"}"), REASON_LOCAL_UNKNOWN_KEY);
	rig_scenario1(&d, B1, 0xab);
	ck_assert_int_eq(ask("key-derive", "{\"mt\":\"phone\",\"app\":\"org.example.sync\"}"), REASON_NONE);
	ck_assert_str_eq(member("key"), hex);
	ck_assert_str_eq(member("kcv"), a.kcv);
	ck_assert_str_eq(member("identity"), a.identity);
	ck_assert_str_eq(member("mt_id"), MT1);
	ck_assert_str_eq(member("btid"), B1);
	ck_assert_ptr_nonnull(strstr(rig.log, a.kcv));
	ck_assert_ptr_null(strstr(rig.log, hex));
	ck_assert_int_eq(ask("key-derive", "{\"mt\":\"phone\"}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("key-derive", "{\"mt\":\"phone\",\"app\":\"\"}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("key-derive", "{\"mt\":\"phone\",\"app\":\"kslocal-x\"}"), REASON_CTL_USAGE);	/* W5 */
	ck_assert_int_eq(ask("key-derive", "{\"mt\":7,\"app\":\"a\"}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("key-derive", "{\"mt\":\"fridge\",\"app\":\"a\"}"), REASON_EXT_MT_UNKNOWN);
	ck_assert_int_eq(ask("key-derive", "{\"mt\":\"tablet\",\"app\":\"a\"}"), REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_ptr_nonnull(strstr(got.text, "no key with tablet"));	/* it is here that there is none */
	for (size_t o = 0; o < sizeof shows / sizeof shows[0]; o++) {
		for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
			(void)ask(shows[o], bodies[i]);
			text = got.body != NULL ? json_dumps(got.body, 0) : strdup("");
			ck_assert_ptr_null(strstr(text, "abababab"));
			ck_assert_ptr_null(strstr(text, "q6urq6ur"));
			free(text);
		}
	}
	ck_assert_ptr_null(strstr(rig.log, "abababab"));
	appkey_clear(&a);
	secret_free(ks);
}
END_TEST

START_TEST(N7_key_check)
{
	const json_t *k;

	ck_assert_int_eq(ask("key-check", "{}"), REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_int_eq(ask("key-check", "{\"mt\":\"fridge\"}"), REASON_EXT_MT_UNKNOWN);
	ck_assert_int_eq(ask("key-check", "{\"mt\":7}"), REASON_CTL_USAGE);
	rig_scenario1(&d, B1, 7);
	ck_assert_int_eq(ask("key-check", "{\"mt\":\"tablet\"}"), REASON_LOCAL_UNKNOWN_KEY);
	send_op("key-check", "{\"mt\":\"phone\"}");
	ck_assert_int_eq(got.n, 0);
	rig_state_good(60, NULL);
	ck_assert_int_eq(got.n, 1);
	k = json_array_get(json_object_get(got.body, "keys"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(k, "said")), "good");
	ck_assert_str_eq(json_string_value(json_object_get(k, "btid")), B1);
	ck_assert_str_eq(json_string_value(json_object_get(k, "expires")), "2030-01-01T00:01:00Z");
	send_op("key-check", "{}");
	rig_state(0, NULL, NULL);
	k = json_array_get(json_object_get(got.body, "keys"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(k, "said")), "nothing");
	ck_assert_str_eq(json_string_value(json_object_get(k, "reason")), "http-unreachable");
	send_op("key-check", "{}");
	rig_state(410, NULL, NULL);
	k = json_array_get(json_object_get(got.body, "keys"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(k, "said")), "gone");
	ck_assert_ptr_null(json_object_get(k, "expires"));
	ck_assert_int_eq(rig_keys().all, 0);
}
END_TEST

/* K12: which SIM each Key Center sees in an MT, and whichever comes next is welcome. */
START_TEST(K12_mt_list_and_accept)
{
	const json_t *m;

	ck_assert_int_eq(ask("mt-accept", "{\"mt_id\":\"phone\"}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("mt-accept", "{\"mt_id\":\"" MT1 "\"}"), REASON_EXT_MT_UNKNOWN);
	(void)snprintf(rig.pseudonym, sizeof rig.pseudonym, "AAECAwQFBgcICQoLDA0ODw");
	rig_scenario1(&d, B1, 7);
	ck_assert_int_eq(ask("mt-list", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "mts")), 2);
	m = json_array_get(json_object_get(got.body, "mts"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(m, "name")), "phone");
	ck_assert_str_eq(json_string_value(json_object_get(m, "mt_id")), MT1);
	ck_assert(json_is_true(json_object_get(m, "up")));
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(m, "sims"), NAF1)), "AAECAwQFBgcICQoLDA0ODw");
	m = json_array_get(json_object_get(got.body, "mts"), 1);
	ck_assert(json_is_false(json_object_get(m, "up")));
	rig.e->mts[0].use->made_ms[0] = 1;
	ck_assert_int_eq(ask("mt-accept", "{\"mt_id\":\"" MT1 "\"}"), REASON_NONE);
	ck_assert_int_eq(rig.e->mts[0].use->made_ms[0], 0);
	ck_assert_str_eq(member("accepted"), MT1);
	ck_assert_int_eq(ask("mt-list", "{}"), REASON_NONE);
	m = json_array_get(json_object_get(got.body, "mts"), 0);
	ck_assert_uint_eq(json_object_size(json_object_get(m, "sims")), 0);
}
END_TEST

/* U10: who asks for a tunnel is told what the key for it waits for, and is not told a reason twice. */
START_TEST(U10_use_tells_what_its_key_waits_for)
{
	struct rig_request *r;

	send_op("use", "{\"mt\":\"phone\"}");
	rig_info(NULL);
	r = rig_got("derive");
	rpc_progress(r->q, "asking-user", 20);
	rig_run();
	ck_assert_str_eq(got.word, "asking-user");
	rig_refuse(r, REASON_LOCAL_REFUSED, 0);
	ck_assert_int_eq(got.n, 1);
	ck_assert_str_eq(got.text, reason_get(got.why)->what);
}
END_TEST

START_TEST(key_forget)
{
	rig_scenario1(&d, B1, 7);
	ck_assert_int_eq(ask("key-forget", "{}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("key-forget", "{\"all\":false}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("key-forget", "{\"all\":true,\"btid\":\"" B1 "\"}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("key-forget", "{\"all\":\"yes\"}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("key-forget", "{\"btid\":7}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("key-forget", "{\"btid\":\"" B2 "\"}"), REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_int_eq(ask("key-forget", "{\"mt\":\"tablet\"}"), REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_str_eq(got.text, "no key here fits");
	ck_assert_int_eq(ask("key-forget", "{\"mt\":\"fridge\"}"), REASON_EXT_MT_UNKNOWN);
	ck_assert_int_eq(rig_keys().all, 1);
	ck_assert_int_eq(ask("key-forget", "{\"btid\":\"" B1 "\",\"mt\":\"phone\"}"), REASON_NONE);
	ck_assert_int_eq(json_integer_value(json_object_get(got.body, "forgotten")), 1);
	ck_assert_int_eq(rig_keys().all, 0);
	ck_assert_int_eq(ask("key-forget", "{\"all\":true}"), REASON_NONE);	/* none there is fine */
	ck_assert_int_eq(json_integer_value(json_object_get(got.body, "forgotten")), 0);
}
END_TEST

/* Shows 3: forgotten here, the next establishment is scenario 2 with the same B-TID, and so the same key. */
START_TEST(forget_and_establish)
{
	char kcv[KCV_LEN + 1];

	rig_scenario1(&d, B1, 7);
	(void)snprintf(kcv, sizeof kcv, "%s", d.r.kcv);
	ck_assert_int_eq(ask("key-forget", "{\"all\":true}"), REASON_NONE);
	rig_ask(&d, false, false);
	rig_info(B1);
	rig_derive(B1, B1);
	rig_naf_key(7, 3600);
	rig_complete(B1, 7);
	rig_is_done(&d, 2, B1);
	ck_assert_str_eq(d.r.kcv, kcv);
}
END_TEST

/* A key that is forgotten while its complete is under way is not there afterwards. */
START_TEST(forget_during_complete)
{
	rig_ask(&d, false, false);
	rig_info(NULL);
	rig_derive(NULL, B1);
	rig_naf_key(7, 3600);
	rig_got("complete");
	ck_assert_int_eq(ask("key-forget", "{\"all\":true}"), REASON_NONE);
	rig_complete(B1, 7);
	rig_has_failed(&d, REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_int_eq(rig_keys().all, 0);
}
END_TEST

START_TEST(wait_key)
{
	send_op("wait-key", "{\"timeout_s\":30}");
	ck_assert_int_eq(got.n, 0);
	rig_scenario1(&d, B1, 7);
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_NONE);
	ck_assert_str_eq(member("btid"), B1);
	ck_assert_int_eq(ask("wait-key", "{\"mt\":\"phone\"}"), REASON_NONE);		/* there already */
	send_op("wait-key", "{\"mt\":\"tablet\",\"timeout_s\":1.5}");
	rig_advance(1499);
	ck_assert_int_eq(got.n, 0);
	rig_advance(1);
	ck_assert_int_eq(got.why, REASON_LOCAL_TIMEOUT);
	ck_assert_int_eq(ask("wait-key", "{\"mt\":\"fridge\"}"), REASON_EXT_MT_UNKNOWN);
	ck_assert_int_eq(ask("wait-key", "{\"timeout_s\":-1}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("wait-key", "{\"timeout_s\":\"soon\"}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("wait-key", "{\"mt\":7}"), REASON_CTL_USAGE);
}
END_TEST

/* A longer wait than an rpc answer usually may take is announced (U10). */
START_TEST(wait_key_for_long)
{
	send_op("wait-key", "{\"timeout_s\":120}");
	rig_advance(119000);
	ck_assert_int_eq(got.n, 0);
	rig_advance(1000);
	ck_assert_int_eq(got.why, REASON_LOCAL_TIMEOUT);
	ck_assert_str_ne(got.text, "");
}
END_TEST

static void
on_stopped(void *arg)
{
	(void)arg;
}

START_TEST(stop_tells_who_waits)
{
	send_op("wait-key", "{}");
	extdev_stop(rig.e, on_stopped, NULL);
	rig_run();
	ck_assert_int_eq(got.why, REASON_STOPPING);
}
END_TEST

START_TEST(status_and_health)
{
	json_t *mts, *m;

	ck_assert_int_eq(ask("status", "{}"), REASON_NONE);
	ck_assert_str_eq(member("device_id"), DEV);
	mts = json_object_get(got.body, "mts");
	ck_assert_uint_eq(json_array_size(mts), 2);
	m = json_array_get(mts, 0);
	ck_assert_str_eq(json_string_value(json_object_get(m, "link")), "up");
	ck_assert_str_eq(json_string_value(json_object_get(m, "mt_id")), MT1);
	m = json_array_get(mts, 1);
	ck_assert_str_eq(json_string_value(json_object_get(m, "link")), "down");
	ck_assert_str_eq(json_string_value(json_object_get(m, "reason")), "link-unreachable");
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "keycenters")), 2);
	ck_assert_int_eq(ask("health", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "problems")), 0);	/* an MT may be away */
	/* one that tells no MT_ID never will */
	rig_mt_up(&rig.mt2, "unix:/mt2", NULL);
	rig_advance(2000);
	ck_assert(!TAILQ_EMPTY(&rig.mt2.in));
	rpc_ok(TAILQ_FIRST(&rig.mt2.in)->q, NULL);
	json_decref(TAILQ_FIRST(&rig.mt2.in)->body);
	free(TAILQ_FIRST(&rig.mt2.in));
	TAILQ_INIT(&rig.mt2.in);
	rig_run();
	ck_assert_int_eq(ask("health", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "problems")), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ops");
	TCase *t = tcase_create("control");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, establish);
	tcase_add_loop_test(t, establish_bad_message, 0, TABLE_N(bad));
	tcase_add_test(t, establish_with_whom);
	tcase_add_test(t, key_list);
	tcase_add_test(t, no_key_is_shown);
	tcase_add_test(t, U7_key_derive);
	tcase_add_test(t, N7_key_check);
	tcase_add_test(t, K12_mt_list_and_accept);
	tcase_add_test(t, U10_use_tells_what_its_key_waits_for);
	tcase_add_test(t, key_forget);
	tcase_add_test(t, forget_and_establish);
	tcase_add_test(t, forget_during_complete);
	tcase_add_test(t, wait_key);
	tcase_add_test(t, wait_key_for_long);
	tcase_add_test(t, stop_tells_who_waits);
	tcase_add_test(t, status_and_health);
	suite_add_tcase(s, t);
	return unit_run(s);
}
