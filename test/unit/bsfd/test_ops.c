/* bsfd's control operations through a control socket in memory (S2: no key is ever shown). */
#include <stdio.h>

#include "common/ctl.h"
#include "common/diameter_peer.h"
#include "test/unit/bsfd/phone.h"

static struct fix f;
static struct ctl *ctl;
static struct rpc *rpc;
static const struct bsf_peer_conf peers[] = { { "nafkc.example.org", "example.org", false }, { "b.example.org", "example.org", false } };

/* The last answer. */
static struct {
	int n;
	json_t *body;
	enum reason why;
	char text[512];
} got;

static void
settle(void)
{
	size_t n = 1;

	while (n > 0) {
		n = link_mem_run(f.net) + clock_advance(f.clock, 0);
		turn_end(f.turn);
		n += link_mem_run(f.net);
	}
}

static void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	const char *text = json_string_value(json_object_get(error, "text"));

	(void)arg;
	got.n++;
	got.body = body == NULL ? NULL : json_deep_copy(body);
	got.why = why;
	snprintf(got.text, sizeof got.text, "%s", text == NULL ? "" : text);
}

static void
send_op(const char *op, const char *body)
{
	json_t *o = json_loads(body, 0, NULL);

	ck_assert(o != NULL);
	json_decref(got.body);
	memset(&got, 0, sizeof got);
	ck_ok(rpc_ask(rpc, op, o, on_answer, NULL, NULL));
	json_decref(o);
	settle();
}

/* Asks; REASON_NONE, or why not. */
static enum reason
ask(const char *op, const char *body)
{
	send_op(op, body);
	ck_assert_int_eq(got.n, 1);
	return got.why;
}

static void
on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)r;
	(void)why;
	(void)detail;
	(void)arg;
}

static void
setup(void)
{
	static const struct rpc_cb cb = { NULL, on_closed };
	struct rpc_options opt = { .answer_timeout_ms = 3600000, .line_max = 1 << 18 };
	struct ctl_hooks hooks = { .ops = bsf_ctl_ops };
	struct ctl_env env;
	struct link *l;

	memset(&got, 0, sizeof got);
	fix_open(&f, ":memory:");
	f.conf.zn.peers = peers;
	f.conf.zn.n_peers = 2;
	fix_start(&f);
	hooks.core = f.b;
	env = (struct ctl_env){ .net = f.net, .clock = f.clock, .guard = f.guard, .turn = f.turn, .trace = f.trace, .daemon = "bsfd" };
	ck_ok(ctl_new(&env, "unix:/bsfd.sock", &hooks, &ctl));
	ctl_ready(ctl);
	ck_ok(link_connect(f.net, "unix:/bsfd.sock", NULL, NULL, NULL, &l));
	ck_ok(rpc_new(l, f.clock, &opt, &cb, NULL, &rpc));
	settle();
}

static void
teardown(void)
{
	json_decref(got.body);
	got.body = NULL;
	rpc_free(rpc);
	settle();
	ctl_free(ctl);
	fix_end(&f);
}

static char *
text_of(const char *member)
{
	return json_dumps(json_object_get(got.body, member), JSON_COMPACT);
}

/* --- subscribers */

START_TEST(S2_subscriber_add_list_delete)
{
	struct phone p;
	struct xchg e = { .answers = 0 };
	struct btid btid;
	char *text;

	ck_assert_int_eq(ask("subscriber-add", "{\"subscriber\":" SUBSCRIBER "}"), REASON_NONE);
	ck_assert_str_eq(json_string_value(json_object_get(got.body, "impi")), IMPI);
	ck_assert_int_eq(ask("subscriber-list", "{}"), REASON_NONE);
	text = text_of("subscribers");
	ck_assert_ptr_nonnull(strstr(text, "\"impi\":\"" IMPI "\""));
	ck_assert(strstr(text, K_HEX) == NULL && strstr(text, OPC_HEX) == NULL && strstr(text, "\"k\"") == NULL);
	free(text);
	phone_open(&p, IMPI, K_HEX, OPC_HEX);
	phone_bootstrap(&f, &p, &btid);
	ck_assert_int_eq(ask("bootstrap-list", "{}"), REASON_NONE);
	text = text_of("bootstraps");
	ck_assert_ptr_nonnull(strstr(text, btid.s));
	free(text);
	ck_assert_int_eq(ask("subscriber-delete", "{\"impi\":\"" IMPI "\"}"), REASON_NONE);
	ck_assert_int_eq(ask("bootstrap-list", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "bootstraps")), 0);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 403);
	ck_assert_int_eq(ask("subscriber-delete", "{\"impi\":\"" IMPI "\"}"), REASON_SUBSCRIBER_UNKNOWN);
	ck_assert_int_eq(ask("subscriber-delete", "{}"), REASON_CTL_USAGE);
	/* and it may come again */
	ck_assert_int_eq(ask("subscriber-add", "{\"subscriber\":" SUBSCRIBER "}"), REASON_NONE);
	phone_close(&p);
}
END_TEST

START_TEST(subscriber_twice)
{
	ck_assert_int_eq(ask("subscriber-add", "{\"subscriber\":" SUBSCRIBER "}"), REASON_NONE);
	ck_assert_int_eq(ask("subscriber-add", "{\"subscriber\":" SUBSCRIBER "}"), REASON_SUBSCRIBER_EXISTS);
	ck_assert_int_eq(ask("subscriber-add", "{\"subscriber\":{\"imsi\":\"" IMSI "\",\"impi\":\"other@x.org\",\"k\":\"" K_HEX "\","
	    "\"opc\":\"" OPC_HEX "\",\"amf\":\"8000\"}}"), REASON_SUBSCRIBER_EXISTS);
	ck_assert_int_eq(ask("subscriber-list", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "subscribers")), 1);
}
END_TEST

START_TEST(deleting_drops_the_open_challenge)
{
	struct phone p;
	struct xchg e = { .answers = 0 };

	fix_subscribe(&f);
	phone_open(&p, IMPI, K_HEX, OPC_HEX);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_int_eq(ask("subscriber-delete", "{\"impi\":\"" IMPI "\"}"), REASON_NONE);
	ck_assert_int_eq(phone_reply(&f, &p, &e), 403);
	phone_close(&p);
}
END_TEST

#define KEYS "\"k\":\"" K_HEX "\",\"opc\":\"" OPC_HEX "\""
static const struct {
	const char *form, *says;
} bad[] = {
	{ "[]", "expected an object" },
	{ "{}", "imsi: expected" },
	{ "{\"imsi\":\"0010\"," KEYS ",\"amf\":\"8000\"}", "imsi: expected" },
	{ "{\"imsi\":1010123456789," KEYS ",\"amf\":\"8000\"}", "imsi: expected" },
	{ "{\"imsi\":\"" IMSI "\"," KEYS ",\"amf\":\"8000\"}", "impi: is missing" },
	{ "{\"imsi\":\"" IMSI "\",\"mnc_length\":4," KEYS ",\"amf\":\"8000\"}", "mnc_length: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"nobody\"," KEYS ",\"amf\":\"8000\"}", "impi: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org\"," KEYS ",\"amf\":\"8000\"}", "impi: expected" },
	{ "{\"iccid\":\"12\",\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS ",\"amf\":\"8000\"}", "iccid: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS "}", "amf: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS ",\"amf\":\"80000\"}", "amf: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\",\"amf\":\"8000\"}", "k: is missing" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\",\"k\":\"" K_HEX "\",\"amf\":\"8000\"}", "opc: is missing" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS ",\"amf\":\"8000\",\"ks_lifetime\":0}", "ks_lifetime: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS ",\"amf\":\"8000\",\"ks_lifetime\":\"soon\"}", "ks_lifetime: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS ",\"amf\":\"8000\",\"ks_lifetime\":true}", "ks_lifetime: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS ",\"amf\":\"8000\",\"gba_u\":1}", "gba_u: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS ",\"amf\":\"8000\",\"uss\":{}}", "uss: expected" },
	{ "{\"imsi\":\"" IMSI "\",\"impi\":\"a@x.org\"," KEYS ",\"amf\":\"8000\",\"pin\":\"1\"}", "pin: no such member" },
};

START_TEST(bad_subscribers)
{
	char body[1024];

	snprintf(body, sizeof body, "{\"subscriber\":%s}", bad[_i].form);
	ck_assert_int_eq(ask("subscriber-add", body), REASON_SUBSCRIBER_FORM);
	ck_assert_msg(strstr(got.text, bad[_i].says) != NULL, "%s", got.text);
	ck_assert(strstr(got.text, K_HEX) == NULL && strstr(fix_log, K_HEX) == NULL);
	ck_assert_int_eq(ask("subscriber-list", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "subscribers")), 0);
}
END_TEST

START_TEST(no_subscriber_at_all)
{
	ck_assert_int_eq(ask("subscriber-add", "{}"), REASON_SUBSCRIBER_FORM);
	ck_assert_int_eq(ask("naf-add", "{}"), REASON_NAF_FORM);
}
END_TEST

START_TEST(add_is_answered_when_durable)
{
	fix_break_store(&f, true);
	ck_assert_int_eq(ask("subscriber-add", "{\"subscriber\":" SUBSCRIBER "}"), REASON_NOT_DURABLE);
	fix_break_store(&f, false);
	ck_assert_int_eq(ask("subscriber-list", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "subscribers")), 0);
	ck_assert_int_eq(ask("subscriber-add", "{\"subscriber\":" SUBSCRIBER "}"), REASON_NONE);
}
END_TEST

START_TEST(B2_the_first_challenge_costs_no_commit)
{
	struct phone p;
	struct xchg e = { .answers = 0 };
	uint64_t before;

	fix_subscribe(&f);
	before = fix_commits(&f);
	phone_open(&p, IMPI, K_HEX, OPC_HEX);
	ck_assert_int_eq(phone_ask(&f, &p, &e), 401);
	ck_assert_uint_eq(fix_commits(&f), before);
	phone_close(&p);
}
END_TEST

/* --- NAFs */

START_TEST(naf_add_list_delete)
{
	char *text;

	ck_assert_int_eq(ask("naf-add", "{\"naf\":{\"fqdn\":\"b.example.org\",\"protocols\":[\"0100000002\"],\"peers\":[\"p\"]}}"), REASON_NONE);
	ck_assert_int_eq(ask("naf-add", "{\"naf\":{\"fqdn\":\"a.example.org\",\"protocols\":[\"010001*\"],\"peers\":[\"p\"],\"impi\":true}}"),
	    REASON_NONE);
	ck_assert_int_eq(ask("naf-list", "{}"), REASON_NONE);
	text = text_of("nafs");
	ck_assert_str_eq(text,
	    "[{\"fqdn\":\"a.example.org\",\"protocols\":[\"010001*\"],\"peers\":[\"p\"],\"gsids\":[],\"impi\":true,\"gba_u\":false},"
	    "{\"fqdn\":\"b.example.org\",\"protocols\":[\"0100000002\"],\"peers\":[\"p\"],\"gsids\":[],\"impi\":false,\"gba_u\":false}]");
	free(text);
	ck_assert_int_eq(ask("naf-delete", "{\"fqdn\":\"a.example.org\"}"), REASON_NONE);
	ck_assert_int_eq(ask("naf-delete", "{\"fqdn\":\"a.example.org\"}"), REASON_NAF_UNKNOWN);
	ck_assert_int_eq(ask("naf-delete", "{}"), REASON_CTL_USAGE);
	ck_assert_int_eq(ask("naf-list", "{}"), REASON_NONE);
	ck_assert_uint_eq(json_array_size(json_object_get(got.body, "nafs")), 1);
}
END_TEST

START_TEST(bad_naf_is_named)
{
	ck_assert_int_eq(ask("naf-add", "{\"naf\":{\"fqdn\":\"B\"}}"), REASON_NAF_FORM);
	ck_assert_str_eq(got.text, "fqdn: expected a lower-case FQDN");
}
END_TEST

/* --- wait-peer */

static struct dia_node *
connect_peer(const char *host)
{
	struct dia_seams seams = { .clock = f.clock, .rnd = &f.rnd.rnd, .net = f.net };
	struct dia_peer_conf bsf = { .host = "bsf.example.org", .realm = "example.org", .address = "tcp:127.0.0.1:3868" };
	struct dia_conf conf = { .host = host, .realm = "example.org", .product = "test", .origin_state_id = 1, .peers = &bsf, .n_peers = 1 };
	struct dia_node_cb cb = { NULL, NULL };
	struct dia_node *n;

	ck_ok(dia_node_new(&seams, &conf, &cb, NULL, &n));
	ck_ok(dia_node_start(n));
	settle();
	return n;
}

START_TEST(wait_peer_answers_when_it_is_up)
{
	struct dia_node *n;

	send_op("wait-peer", "{\"peer\":\"nafkc.example.org\",\"timeout_s\":60}");
	ck_assert_int_eq(got.n, 0);
	n = connect_peer("b.example.org");
	ck_assert_int_eq(got.n, 0);
	dia_node_free(n);
	settle();
	n = connect_peer("nafkc.example.org");
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_NONE);
	ck_assert_int_eq(ask("wait-peer", "{}"), REASON_NONE);		/* any; it is up already */
	ck_assert_int_eq(ask("wait-peer", "{\"peer\":\"nafkc.example.org\"}"), REASON_NONE);
	dia_node_free(n);
	settle();
}
END_TEST

START_TEST(wait_peer_times_out)
{
	send_op("wait-peer", "{\"timeout_s\":2.5}");
	ck_assert_int_eq(got.n, 0);
	clock_advance(f.clock, 2499);
	settle();
	ck_assert_int_eq(got.n, 0);
	clock_advance(f.clock, 1);
	settle();
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_LOCAL_TIMEOUT);
	ck_assert_int_eq(ask("wait-peer", "{\"timeout_s\":-1}"), REASON_CTL_USAGE);
}
END_TEST

static void
on_stopped(void *arg)
{
	*(bool *)arg = true;
}

START_TEST(who_waits_is_told_that_we_stop)
{
	bool stopped = false;

	send_op("wait-peer", "{\"timeout_s\":60}");
	bsf_stop(f.b, on_stopped, &stopped);
	settle();
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_eq(got.why, REASON_STOPPING);
}
END_TEST

/* --- hooks */

START_TEST(status_and_health)
{
	json_t *o = json_object(), *problems = json_array();

	fix_subscribe(&f);
	bsf_status(f.b, o);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "subscribers")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "challenges")), 0);
	ck_assert_str_eq(json_string_value(json_object_get(o, "host")), "bsf.example.org");
	ck_assert_uint_eq(json_array_size(json_object_get(o, "peers")), 2);
	bsf_health(f.b, problems);
	ck_assert_uint_eq(json_array_size(problems), 0);
	json_decref(o);
	json_decref(problems);
}
END_TEST

START_TEST(B3_health_says_that_zn_is_insecure)
{
	json_t *problems = json_array();

	bsf_free(f.b);
	f.conf.zn.insecure = true;
	ck_ok(fix_new(&f));
	bsf_health(f.b, problems);
	ck_assert_uint_eq(json_array_size(problems), 1);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(problems, 0)), "insecure"));
	json_decref(problems);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd ops (S2)");
	TCase *tc = tcase_create("ops");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, S2_subscriber_add_list_delete);
	tcase_add_test(tc, subscriber_twice);
	tcase_add_test(tc, deleting_drops_the_open_challenge);
	tcase_add_loop_test(tc, bad_subscribers, 0, TABLE_N(bad));
	tcase_add_test(tc, no_subscriber_at_all);
	tcase_add_test(tc, add_is_answered_when_durable);
	tcase_add_test(tc, B2_the_first_challenge_costs_no_commit);
	tcase_add_test(tc, naf_add_list_delete);
	tcase_add_test(tc, bad_naf_is_named);
	tcase_add_test(tc, wait_peer_answers_when_it_is_up);
	tcase_add_test(tc, wait_peer_times_out);
	tcase_add_test(tc, who_waits_is_told_that_we_stop);
	tcase_add_test(tc, status_and_health);
	tcase_add_test(tc, B3_health_says_that_zn_is_insecure);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
