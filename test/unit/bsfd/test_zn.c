/* bsfd zn: BIR to BIA over a Diameter node in memory: keys, 5402, 5403, what else is told, durability. */
#include <stdio.h>

#include "common/diameter_peer.h"
#include "common/kdf.h"
#include "common/zn_msg.h"
#include "test/unit/bsfd/phone.h"
#include "test/unit/vectors.h"

#define NAFKC "nafkc.example.org"
#define OTHER "other.example.org"
#define NAF_ID "nafkc.kslocal.example/0100000002"

static struct fix f;
static struct phone p;

/* A NAF: a node that connects, and its last answer. */
struct naf {
	struct dia_node *node;
	int answers;
	enum reason why;
	struct zn_bia bia;		/* valid if parsed */
	bool parsed;
	uint32_t result;
	bool experimental;
	char uss[ZN_USS_MAX + 1];
};
static struct naf naf, other;

static const struct bsf_peer_conf peers[] = { { NAFKC, "example.org", false }, { OTHER, "example.org", false },
	{ "relay.example.org", "example.org", true } };

/* All that is under way arrives, is handled, committed and answered. */
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
naf_connect(struct naf *n, const char *host)
{
	struct dia_seams seams = { .clock = f.clock, .rnd = &f.rnd.rnd, .net = f.net };
	struct dia_peer_conf bsf = { .host = "bsf.example.org", .realm = "example.org", .address = "tcp:127.0.0.1:3868" };
	struct dia_conf conf = { .host = host, .realm = "example.org", .product = "test", .origin_state_id = 1, .peers = &bsf, .n_peers = 1 };
	struct dia_node_cb cb = { NULL, NULL };

	ck_ok(dia_node_new(&seams, &conf, &cb, NULL, &n->node));
	ck_ok(dia_node_start(n->node));
	settle();
	ck_assert(dia_node_up(n->node));
}

static void
naf_close(struct naf *n)
{
	zn_bia_free(&n->bia);
	dia_node_free(n->node);
	memset(n, 0, sizeof *n);
}

static void
on_answer(void *arg, const struct dia_msg *m, enum reason why)
{
	struct naf *n = arg;
	struct dia_fault fault = { .result = 0 };

	n->answers++;
	n->why = why;
	n->parsed = m != NULL && zn_bia_parse(m, true, &n->bia, &fault) == RC_OK;
	ck_assert_msg(n->parsed || m == NULL, "BIA: %s", fault.text);
	if (n->parsed) {
		n->result = n->bia.result;
		n->experimental = n->bia.experimental;
		ck_assert(span_to_str(n->bia.uss, n->uss, sizeof n->uss));
	}
}

/* Sends, and comes back with the answer. */
static void
naf_send(struct naf *n, const struct dia_buf *b)
{
	int before = n->answers;

	zn_bia_free(&n->bia);
	n->result = 0;
	ck_ok(dia_request(n->node, "example.org", NULL, b, 0, on_answer, n, NULL));
	settle();
	ck_assert_int_eq(n->answers, before + 1);
}

static struct zn_bir
bir(const char *btid, const char *naf_id)
{
	struct zn_bir b = { .dest_realm = "example.org" };

	dia_session_id(naf.node, b.session_id);
	ck_ok(btid_parse(span_str(btid), &b.btid));
	ck_ok(naf_id_parse(span_str(naf_id), &b.naf_id));
	return b;
}

static void
ask(struct naf *n, const char *host, const struct zn_bir *b)
{
	struct zn_self self = { host, "example.org" };
	struct dia_buf buf = DIA_BUF_INIT;

	ck_ok(zn_bir_print(b, &self, &buf));
	naf_send(n, &buf);
	dia_buf_free(&buf);
}

static uint32_t
ask_for(const char *btid, const char *naf_id)
{
	struct zn_bir b = bir(btid, naf_id);

	ask(&naf, NAFKC, &b);
	return naf.result;
}

static void
add_naf(const char *form)
{
	json_t *o = json_loads(form, 0, NULL), *out = NULL;
	char text[BSF_TEXT_MAX];

	ck_assert_msg(bsf_naf_add(f.b, o, &out, text) == REASON_NONE, "%s", text);
	json_decref(o);
	json_decref(out);
	turn_end(f.turn);
}

#define FORM(more) "{\"fqdn\":\"nafkc.kslocal.example\",\"protocols\":[\"0100000002\",\"010001*\"],\"peers\":[\"" NAFKC "\"]" more "}"

static void
setup(void)
{
	memset(&naf, 0, sizeof naf);
	memset(&other, 0, sizeof other);
	fix_open(&f, ":memory:");
	f.conf.zn.peers = peers;
	f.conf.zn.n_peers = 3;
	fix_start(&f);
	fix_subscribe(&f);
	add_naf(FORM(""));
	add_naf("{\"fqdn\":\"other.kslocal.example\",\"protocols\":[\"0100000002\"],\"peers\":[\"" OTHER "\"]}");
	phone_open(&p, IMPI, K_HEX, OPC_HEX);
	naf_connect(&naf, NAFKC);
}

static void
teardown(void)
{
	naf_close(&naf);
	naf_close(&other);
	settle();
	phone_close(&p);
	fix_end(&f);
}

static void
ck_key(const char *naf_id)
{
	struct secret *want = NULL;
	struct naf_id id;

	ck_ok(naf_id_parse(span_str(naf_id), &id));
	ck_ok(kdf_ks_naf(p.ks, p.rand, span_str(IMPI), &id, &want));
	ck_assert(secret_eq(naf.bia.me_key, want));
	secret_free(want);
}

/* --- 2001 */

START_TEST(the_key_of_exactly_this_naf_id)
{
	struct btid btid;

	phone_bootstrap(&f, &p, &btid);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	ck_assert(!naf.experimental);
	ck_key(NAF_ID);
	ck_assert_int_eq(naf.bia.created_s, START_S);
	ck_assert_int_eq(naf.bia.expires_s, START_S + 8 * 3600);
	ck_assert_int_eq(naf.bia.gba_type, ZN_GBA_3G);
	ck_assert_str_eq(naf.bia.origin_host, "bsf.example.org");
	ck_assert_str_eq(naf.bia.user_name, "");	/* not told unless the entry says so */
	ck_assert_str_eq(naf.uss, "");
	ck_assert_ptr_null(naf.bia.uicc_key);
	ck_assert_uint_eq(ask_for(btid.s, "nafkc.kslocal.example/010001c02f"), DIA_SUCCESS);
	ck_key("nafkc.kslocal.example/010001c02f");
	/* repeated: the same again */
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	ck_key(NAF_ID);
}
END_TEST

START_TEST(B1_an_older_btid_is_answered)
{
	struct btid old, newer;
	struct secret *ks = NULL;
	uint8_t rand[16];

	phone_bootstrap(&f, &p, &old);
	ck_ok(secret_dup(p.ks, &ks));
	memcpy(rand, p.rand, 16);
	phone_bootstrap(&f, &p, &newer);
	secret_free(p.ks);
	p.ks = ks;
	memcpy(p.rand, rand, 16);
	ck_assert_uint_eq(ask_for(old.s, NAF_ID), DIA_SUCCESS);
	ck_key(NAF_ID);
	ck_assert_uint_eq(ask_for(newer.s, NAF_ID), DIA_SUCCESS);
}
END_TEST

START_TEST(S1_traced_as_step_14)
{
	struct btid btid;
	struct zn_bir b;
	json_t *events, *o;

	phone_bootstrap(&f, &p, &btid);
	b = bir(btid.s, NAF_ID);
	ask(&naf, NAFKC, &b);
	events = trace_since(f.trace, 0);
	o = json_array_get(events, json_array_size(events) - 1);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "step")), 14);
	ck_assert_str_eq(json_string_value(json_object_get(o, "msg")), "BIA");
	ck_assert_str_eq(json_string_value(json_object_get(o, "btid")), btid.s);
	ck_assert_str_eq(json_string_value(json_object_get(o, "naf_id")), NAF_ID);
	ck_assert_str_eq(json_string_value(json_object_get(o, "session_id")), b.session_id);
	ck_assert_str_eq(json_string_value(json_object_get(o, "result")), "ok");
	ck_assert_uint_eq(strlen(json_string_value(json_object_get(o, "kcv"))), KCV_LEN);
	json_decref(events);
}
END_TEST

/* --- what else is told */

START_TEST(impi_only_if_the_entry_says_so)
{
	struct btid btid;

	add_naf(FORM(",\"impi\":true"));
	phone_bootstrap(&f, &p, &btid);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	ck_assert_str_eq(naf.bia.user_name, IMPI);
}
END_TEST

START_TEST(uss_by_gsid)
{
	char text[BSF_TEXT_MAX];
	struct btid btid;
	struct zn_bir b;

	ck_assert_int_eq(fix_add(&f, "{\"imsi\":\"001010000000002\",\"impi\":\"b@x.org\",\"k\":\"" K_HEX "\",\"opc\":\"" OPC_HEX "\","
	    "\"amf\":\"8000\",\"uss\":[{\"id\":7,\"type\":0,\"flags\":[1]},{\"id\":8,\"type\":0}]}", text), REASON_NONE);
	add_naf(FORM(",\"gsids\":[7,9]"));
	strcpy(p.username, "b@x.org");
	phone_bootstrap(&f, &p, &btid);
	b = bir(btid.s, NAF_ID);
	ask(&naf, NAFKC, &b);
	ck_assert_str_eq(naf.uss, "");			/* none asked for */
	b.gsid[0] = 8;
	b.gsid[1] = 7;
	b.gsid[2] = 9;
	b.n_gsid = 3;
	ask(&naf, NAFKC, &b);
	ck_assert_uint_eq(naf.result, DIA_SUCCESS);
	ck_assert_ptr_nonnull(strstr(naf.uss, "<ussList"));
	ck_assert_ptr_nonnull(strstr(naf.uss, "<uss id=\"7\""));
	ck_assert_ptr_null(strstr(naf.uss, "id=\"8\""));	/* asked for, but not this NAF's */
}
END_TEST

/* The three that must agree before Ks_int_NAF goes out. */
static const struct {
	bool subscriber, aware, entry;
} gba_u[] = { { true, true, true }, { false, true, true }, { true, false, true }, { true, true, false } };

START_TEST(uicc_key_only_for_gba_u_aware_and_allowed)
{
	struct bsf_bootstrap run = { .impi = { IMPI }, .subscriber = 1, .created_s = START_S, .expires_s = START_S + 100 };
	struct secret *ks = NULL, *want = NULL;
	struct zn_bir b;

	ck_ok(secret_new(KS_LEN, &ks));
	ck_ok(btid_make(run.rand, BSF_NAME, &run.btid));
	run.type = gba_u[_i].subscriber ? BSF_GBA_U : BSF_GBA_ME;
	ck_ok(store_begin(f.store));
	ck_ok(bsf_store_put_bootstrap(f.store, &run, ks, 8, ""));
	ck_ok(store_end(f.store, true));
	add_naf(gba_u[_i].entry ? FORM(",\"gba_u\":true") : FORM(""));
	b = bir(run.btid.s, NAF_ID);
	b.gba_u_aware = gba_u[_i].aware;
	ask(&naf, NAFKC, &b);
	ck_assert_uint_eq(naf.result, DIA_SUCCESS);
	ck_ok(kdf_ks_naf(ks, run.rand, span_str(IMPI), &b.naf_id, &want));
	ck_assert(secret_eq(naf.bia.me_key, want));
	secret_free(want);
	want = NULL;
	if (_i == 0) {
		ck_ok(kdf_ks_int_naf(ks, run.rand, span_str(IMPI), &b.naf_id, &want));
		ck_assert(secret_eq(naf.bia.uicc_key, want));
	} else
		ck_assert_ptr_null(naf.bia.uicc_key);
	secret_free(want);
	secret_free(ks);
}
END_TEST

/* --- 5402, 5403 */

static const char *const not_theirs[] = {
	"other.kslocal.example/0100000002", "unknown.kslocal.example/0100000002", "nafkc.kslocal.example/0100000003",
	"bsf.example.org/0100000100",
};

START_TEST(not_authorized)
{
	struct btid btid;

	phone_bootstrap(&f, &p, &btid);
	ck_assert_uint_eq(ask_for(btid.s, not_theirs[_i]), DIA_X_NOT_AUTHORIZED);
	ck_assert(naf.experimental);
	ck_assert_ptr_null(naf.bia.me_key);
	ck_assert_ptr_nonnull(strstr(fix_log, "reason=zn-not-allowed"));
	/* and learns nothing about B-TIDs */
	ck_assert_uint_eq(ask_for("nobody@" BSF_NAME, not_theirs[_i]), DIA_X_NOT_AUTHORIZED);
}
END_TEST

START_TEST(each_peer_its_own_naf)
{
	struct btid btid;
	struct zn_bir b;

	naf_connect(&other, OTHER);
	phone_bootstrap(&f, &p, &btid);
	b = bir(btid.s, NAF_ID);
	ask(&other, OTHER, &b);
	ck_assert_uint_eq(other.result, DIA_X_NOT_AUTHORIZED);
	b = bir(btid.s, "other.kslocal.example/0100000002");
	ask(&other, OTHER, &b);
	ck_assert_uint_eq(other.result, DIA_SUCCESS);
}
END_TEST

START_TEST(B3_another_origin_host_needs_a_relay)
{
	struct btid btid;
	struct zn_bir b;

	phone_bootstrap(&f, &p, &btid);
	b = bir(btid.s, NAF_ID);
	naf_connect(&other, OTHER);
	ask(&other, NAFKC, &b);		/* other says that it is nafkc */
	ck_assert_uint_ne(other.result, DIA_SUCCESS);
	ck_assert_ptr_null(other.bia.me_key);
	naf_close(&other);
	settle();
	naf_connect(&other, "relay.example.org");
	ask(&other, NAFKC, &b);
	ck_assert_uint_eq(other.result, DIA_SUCCESS);
	ask(&other, OTHER, &b);		/* a relay's word is taken, but the entry decides */
	ck_assert_uint_eq(other.result, DIA_X_NOT_AUTHORIZED);
}
END_TEST

START_TEST(btid_unknown)
{
	ck_assert_uint_eq(ask_for("nobody@" BSF_NAME, NAF_ID), DIA_X_TRANSACTION_IDENTIFIER_INVALID);
	ck_assert(naf.experimental);
	ck_assert_ptr_nonnull(strstr(fix_log, "reason=zn-btid-unknown"));
}
END_TEST

START_TEST(btid_that_is_none)
{
	struct zn_self self = { NAFKC, "example.org" };
	struct dia_buf good = DIA_BUF_INIT;
	struct zn_bir b = bir("nobody@" BSF_NAME, NAF_ID);
	uint8_t *at;

	ck_ok(zn_bir_print(&b, &self, &good));
	at = memmem(good.p, good.n, "nobody@", 7);
	ck_assert_ptr_nonnull(at);
	memcpy(at, "no body", 7);
	naf_send(&naf, &good);
	ck_assert_uint_eq(naf.result, DIA_X_TRANSACTION_IDENTIFIER_INVALID);
	dia_buf_free(&good);
}
END_TEST

START_TEST(T1_btid_expired_from_that_second_on)
{
	struct btid btid;

	phone_bootstrap(&f, &p, &btid);
	clock_advance(f.clock, 8 * 3600 * 1000 - 1);
	settle();
	ck_assert(dia_node_up(naf.node));
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	clock_advance(f.clock, 1);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_X_TRANSACTION_IDENTIFIER_INVALID);
}
END_TEST

START_TEST(a_malformed_bir_is_answered_and_the_next_served)
{
	struct zn_self self = { NAFKC, "example.org" };
	struct dia_buf b = DIA_BUF_INIT;
	struct btid btid;
	struct zn_bir ask_bir;
	uint8_t *at;

	phone_bootstrap(&f, &p, &btid);
	ask_bir = bir(btid.s, NAF_ID);
	ck_ok(zn_bir_print(&ask_bir, &self, &b));
	at = memmem(b.p, b.n, "nafkc.kslocal", 13);	/* in NAF-Id: no lower-case FQDN any more */
	ck_assert_ptr_nonnull(at);
	at[0] = 'N';
	naf_send(&naf, &b);
	ck_assert_uint_eq(naf.result, DIA_INVALID_AVP_VALUE);
	ck_assert_ptr_nonnull(strstr(fix_log, "reason=zn-bad-message"));
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	dia_buf_free(&b);
}
END_TEST

/* --- states */

START_TEST(commit_fails)
{
	struct btid btid;
	struct zn_bir b;
	struct zn_self self = { NAFKC, "example.org" };
	struct dia_buf buf = DIA_BUF_INIT;

	phone_bootstrap(&f, &p, &btid);
	b = bir(btid.s, NAF_ID);
	ck_ok(zn_bir_print(&b, &self, &buf));
	ck_ok(dia_request(naf.node, "example.org", NULL, &buf, 0, on_answer, &naf, NULL));
	/* the turn that hears the BIR also writes, and cannot commit */
	fix_break_store(&f, true);
	for (int i = 0; i < 50 && naf.answers == 0; i++) {
		struct impi impi = { IMPI };

		ck_ok(store_begin(f.store));
		ck_ok(bsf_store_set_sqn(f.store, &impi, 1 << 20));
		ck_ok(store_end(f.store, true));
		link_mem_run(f.net);
		turn_end(f.turn);
	}
	fix_break_store(&f, false);
	ck_assert_uint_eq(naf.result, DIA_UNABLE_TO_COMPLY);
	ck_assert_ptr_null(naf.bia.me_key);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	dia_buf_free(&buf);
}
END_TEST

START_TEST(T2_clock_jumped)
{
	struct btid btid;

	phone_bootstrap(&f, &p, &btid);
	clock_step_wall(f.clock, INT64_C(3) * 86400 * 1000);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_TOO_BUSY);
	clock_step_wall(f.clock, -INT64_C(3) * 86400 * 1000);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);	/* nothing was deleted */
}
END_TEST

START_TEST(an_entry_works_when_it_is_durable)
{
	json_t *o = json_loads(FORM(",\"impi\":true"), 0, NULL), *out = NULL;
	char text[BSF_TEXT_MAX];
	struct btid btid;

	phone_bootstrap(&f, &p, &btid);
	fix_break_store(&f, true);
	ck_assert_int_eq(bsf_naf_add(f.b, o, &out, text), REASON_NONE);
	turn_end(f.turn);
	fix_break_store(&f, false);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	ck_assert_str_eq(naf.bia.user_name, "");
	json_decref(o);
	json_decref(out);
}
END_TEST

START_TEST(entries_and_btids_survive_a_restart)
{
	struct btid btid;

	phone_bootstrap(&f, &p, &btid);
	naf_close(&naf);
	settle();
	bsf_free(f.b);
	fix_start(&f);
	naf_connect(&naf, NAFKC);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	ck_key(NAF_ID);
}
END_TEST

static void
on_stopped(void *arg)
{
	*(bool *)arg = true;
}

START_TEST(stops_in_good_order)
{
	bool stopped = false;

	bsf_stop(f.b, on_stopped, &stopped);
	for (int i = 0; i < 100 && !stopped; i++) {
		settle();
		clock_advance(f.clock, 100);
	}
	ck_assert(stopped);
	ck_assert(!dia_node_up(naf.node));
}
END_TEST

START_TEST(no_key_in_log_or_trace)
{
	char hex[65], *trace;
	struct btid btid;
	json_t *events;

	phone_bootstrap(&f, &p, &btid);
	ck_assert_uint_eq(ask_for(btid.s, NAF_ID), DIA_SUCCESS);
	hex_print(secret_span(naf.bia.me_key), hex);
	events = trace_since(f.trace, 0);
	trace = json_dumps(events, 0);
	ck_assert(strstr(fix_log, hex) == NULL && strstr(trace, hex) == NULL);
	free(trace);
	json_decref(events);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd zn (B1, B3, S1, T1, T2)");
	TCase *tc = tcase_create("zn");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_key_of_exactly_this_naf_id);
	tcase_add_test(tc, B1_an_older_btid_is_answered);
	tcase_add_test(tc, S1_traced_as_step_14);
	tcase_add_test(tc, impi_only_if_the_entry_says_so);
	tcase_add_test(tc, uss_by_gsid);
	tcase_add_loop_test(tc, uicc_key_only_for_gba_u_aware_and_allowed, 0, TABLE_N(gba_u));
	tcase_add_loop_test(tc, not_authorized, 0, TABLE_N(not_theirs));
	tcase_add_test(tc, each_peer_its_own_naf);
	tcase_add_test(tc, B3_another_origin_host_needs_a_relay);
	tcase_add_test(tc, btid_unknown);
	tcase_add_test(tc, btid_that_is_none);
	tcase_add_test(tc, T1_btid_expired_from_that_second_on);
	tcase_add_test(tc, a_malformed_bir_is_answered_and_the_next_served);
	tcase_add_test(tc, commit_fails);
	tcase_add_test(tc, T2_clock_jumped);
	tcase_add_test(tc, an_entry_works_when_it_is_durable);
	tcase_add_test(tc, entries_and_btids_survive_a_restart);
	tcase_add_test(tc, stops_in_good_order);
	tcase_add_test(tc, no_key_in_log_or_trace);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
