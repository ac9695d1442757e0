/* local: the local interface as devices see it: messages, proofs, bounds, secrecy, and what a crash leaves. RULES K2 K3 K4 K5 K10 K11 U9 S1 */
#include <sqlite3.h>
#include <unistd.h>

#include "common/b64.h"
#include "test/unit/mtd/rig.h"

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

/* A derive's B-TID and challenge. */
struct derived {
	char btid[BTID_MAX + 1], challenge[CHALLENGE_MAX + 1];
};

static struct derived
derive(struct dev *d, const char *naf, const char *device_id, const char *btid)
{
	struct derived r;

	dev_derive(d, naf, device_id, btid, NULL);
	dev_expect(d, REASON_NONE);
	(void)snprintf(r.btid, sizeof r.btid, "%s", dev_text(d, "btid"));
	(void)snprintf(r.challenge, sizeof r.challenge, "%s", dev_text(d, "challenge"));
	return r;
}

/* --- hello (U9) */

START_TEST(u9_hello)
{
	char id[MT_ID_LEN + 1];
	struct mt_id parsed;

	up();
	dev_ask(&dev, "hello", json_pack("{s:i, s:s, s:s}", "version", 1, "role", "device", "device_id_kind", "fixed"));
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_text(&dev, "role"), "mt");
	ck_assert_int_eq(json_integer_value(json_object_get(dev.ok, "version")), 1);
	(void)snprintf(id, sizeof id, "%s", dev_text(&dev, "mt_id"));
	ck_ok(mt_id_parse(span_str(id), &parsed));
	dev_ask(&dev, "hello", json_object());		/* all of it is optional */
	dev_expect(&dev, REASON_NONE);
	ck_assert_str_eq(dev_text(&dev, "mt_id"), id);
}
END_TEST

START_TEST(u9_mt_id_outlives_restarts_and_cards)
{
	char id[MT_ID_LEN + 1];

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-local-%d.db", (int)getpid());
	up();
	dev_ask(&dev, "hello", json_object());
	(void)snprintf(id, sizeof id, "%s", dev_text(&dev, "mt_id"));
	dev_close(&dev);
	rig_down();
	mt_uicc_soft_eject(rig.uicc);
	rig_insert(2);
	rig_start();
	dev_open(&dev);
	dev_ask(&dev, "hello", json_object());
	ck_assert_str_eq(dev_text(&dev, "mt_id"), id);
	ck_assert_ptr_null(strstr(id, "00101"));
}
END_TEST

START_TEST(u9_hello_refused)
{
	up();
	dev_ask(&dev, "hello", json_pack("{s:i, s:s}", "version", 2, "role", "device"));
	ck_assert_str_eq(dev.code, "unsupported");
	dev_ask(&dev, "hello", json_pack("{s:i, s:s}", "version", 1, "role", "mt"));
	ck_assert_str_eq(dev.code, "bad-message");
	dev_ask(&dev, "hello", json_pack("{s:s}", "version", "1"));
	ck_assert_str_eq(dev.code, "bad-message");
	(void)dev_info(&dev, RIG_DEVICE);	/* the conversation goes on */
}
END_TEST

START_TEST(u9_devices_that_skip_hello_are_served)
{
	up();
	(void)derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
}
END_TEST

/* --- messages */

START_TEST(bad_messages)
{
	static const struct {
		const char *op, *body, *code;
	} t[] = {
		{ "info", "{\"device_id\":7}", "bad-message" },
		{ "info", "{\"device_id\":\"with blank\"}", "bad-message" },
		{ "info", "{\"run\":\"XYZ\"}", "bad-message" },
		{ "derive", "{}", "bad-message" },
		{ "derive", "{\"naf_id\":\"" RIG_NAF "\"}", "bad-message" },
		{ "derive", "{\"device_id\":\"" RIG_DEVICE "\"}", "bad-message" },
		{ "derive", "{\"naf_id\":\"nafkc.example.org\",\"device_id\":\"" RIG_DEVICE "\"}", "bad-message" },
		{ "derive", "{\"naf_id\":\"NAFKC.example.org/0100000002\",\"device_id\":\"" RIG_DEVICE "\"}", "bad-message" },
		{ "derive", "{\"naf_id\":\"" RIG_NAF "\",\"device_id\":\"" RIG_DEVICE "\",\"btid\":\"none\"}", "bad-message" },
		{ "derive", "{\"naf_id\":\"" RIG_NAF "\",\"device_id\":\"" RIG_DEVICE "\",\"btid\":null}", "bad-message" },
		{ "derive", "{\"naf_id\":\"" RIG_NAF "\",\"device_id\":\"" RIG_DEVICE "\",\"stale_btid\":[]}", "bad-message" },
		{ "derive", "{\"naf_id\":\"" RIG_NAF "\",\"device_id\":\"urn:gsma:imei:123456-78-901234-0\"}", "bad-message" },
		{ "complete", "{}", "bad-message" },
		{ "complete", "{\"naf_id\":\"" RIG_NAF "\",\"btid\":\"a@b.example\",\"device_id\":\"x\",\"proof\":7}", "bad-message" },
		{ "forget", "{}", "bad-message" },
		{ "renew", "{}", "unsupported" },
		{ "use", "{}", "bad-message" },
		{ "key-list", "{}", "unsupported" },
		{ "", "{}", "unsupported" },
	};

	up();
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		json_t *body = json_loads(t[i].body, 0, NULL);

		ck_assert_ptr_nonnull(body);
		if (t[i].op[0] != '\0') {
			dev_ask(&dev, t[i].op, body);
			ck_assert_msg(strcmp(dev.code, t[i].code) == 0, "%s %s: %s", t[i].op, t[i].body, dev.code);
		} else {
			json_decref(body);
		}
	}
	ck_assert_int_eq(rig.bsf.requests, 0);
	ck_assert_int_eq(rig_keys(-1), 0);
	(void)dev_info(&dev, RIG_DEVICE);
}
END_TEST

START_TEST(unknown_members_are_ignored)
{
	up();
	dev_ask(&dev, "info", json_pack("{s:s, s:i, s:{}}", "device_id", RIG_DEVICE, "future", 1, "more"));
	dev_expect(&dev, REASON_NONE);
}
END_TEST

START_TEST(no_nafs_configured)
{
	rig.conf.n_nafs = 0;
	rig.conf.naf_any = true;
	up();
	(void)dev_info(&dev, RIG_DEVICE);
	ck_assert_uint_eq(json_array_size(json_object_get(dev.ok, "naf_ids")), 0);
	(void)derive(&dev, RIG_NAF, RIG_DEVICE, NULL);		/* K1: the device's own */
}
END_TEST

/* --- proofs (K3), complete (K4), one in use and one waiting (K2) */

START_TEST(k3_wrong_proof_confirms_nothing)
{
	struct derived d;
	char wrong[PROOF_LEN + 1];
	struct secret *other = rig_secret(0x5a, 32);

	up();
	d = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	ck_ok(proof_make(other, PROOF_DEVICE, span_str(d.challenge), wrong));
	dev_ask(&dev, "complete", complete_body(RIG_NAF, d.btid, RIG_DEVICE, wrong));
	ck_assert_str_eq(dev.code, "key-mismatch");
	ck_assert_int_eq(rig_keys(MT_KEY_DERIVED), 1);
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 0);
	/* the MT's own proof, sent back, is none */
	secret_free(other);
	other = device_key(RIG_NAF, d.btid, RIG_DEVICE);
	ck_ok(proof_make(other, PROOF_MT, span_str(d.challenge), wrong));
	dev_ask(&dev, "complete", complete_body(RIG_NAF, d.btid, RIG_DEVICE, wrong));
	ck_assert_str_eq(dev.code, "key-mismatch");
	/* and the right one works after all that */
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE, d.challenge);
	dev_expect(&dev, REASON_NONE);
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 1);
	secret_free(other);
}
END_TEST

START_TEST(k3_without_proof_is_ok_and_unconfirmed)
{
	struct derived d;

	up();
	d = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	dev_ask(&dev, "complete", complete_body(RIG_NAF, d.btid, RIG_DEVICE, NULL));
	dev_expect(&dev, REASON_NONE);
	ck_assert_ptr_null(json_object_get(dev.ok, "proof"));
	ck_assert_int_eq(rig_keys(MT_KEY_DERIVED), 1);
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 0);
}
END_TEST

START_TEST(k4_complete_again_and_unknown)
{
	struct derived d;

	up();
	d = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE, d.challenge);
	dev_expect(&dev, REASON_NONE);
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE, d.challenge);
	dev_expect(&dev, REASON_NONE);
	ck_assert_uint_eq(rig_counts().keys_confirmed, 1);
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE2, d.challenge);
	dev_expect(&dev, REASON_LOCAL_UNKNOWN_KEY);
	ck_assert_str_eq(dev.code, "unknown-key");
	dev_complete(&dev, RIG_NAF2, d.btid, RIG_DEVICE, d.challenge);
	dev_expect(&dev, REASON_LOCAL_UNKNOWN_KEY);
}
END_TEST

/* Asked for again, the same triple has the same key and the same challenge, confirmed or not. */
START_TEST(derive_again_is_the_same)
{
	struct derived a, b;

	up();
	a = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	b = derive(&dev, RIG_NAF, RIG_DEVICE, a.btid);
	ck_assert_str_eq(a.challenge, b.challenge);
	dev_complete(&dev, RIG_NAF, a.btid, RIG_DEVICE, a.challenge);
	dev_expect(&dev, REASON_NONE);
	b = derive(&dev, RIG_NAF, RIG_DEVICE, a.btid);
	ck_assert_str_eq(a.challenge, b.challenge);
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 1);
	ck_assert_uint_eq(rig_counts().keys_derived, 1);
}
END_TEST

START_TEST(k2_the_key_that_works_stays_until_the_new_one_is_proven)
{
	struct derived first, second, third;

	rig.conf.n_nafs = 2;
	ck_ok(naf_id_parse(span_str(RIG_NAF2), &rig.conf.nafs[1]));
	up();
	first = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	dev_complete(&dev, RIG_NAF, first.btid, RIG_DEVICE, first.challenge);
	second = derive(&dev, RIG_NAF2, RIG_DEVICE, first.btid);
	ck_assert_int_eq(rig_keys(-1), 2);
	(void)dev_info(&dev, RIG_DEVICE);
	third = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);		/* a new B-TID */
	ck_assert_str_ne(third.btid, first.btid);
	ck_assert_int_eq(rig_keys(-1), 2);
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 1);
	dev_ask(&dev, "complete", complete_body(RIG_NAF2, second.btid, RIG_DEVICE, NULL));
	dev_expect(&dev, REASON_LOCAL_UNKNOWN_KEY);
	dev_ask(&dev, "complete", complete_body(RIG_NAF, first.btid, RIG_DEVICE, NULL));
	dev_expect(&dev, REASON_NONE);		/* still there */
	dev_complete(&dev, RIG_NAF, third.btid, RIG_DEVICE, third.challenge);
	dev_expect(&dev, REASON_NONE);
	ck_assert_int_eq(rig_keys(-1), 1);
	dev_ask(&dev, "complete", complete_body(RIG_NAF, first.btid, RIG_DEVICE, NULL));
	dev_expect(&dev, REASON_LOCAL_UNKNOWN_KEY);
}
END_TEST

/* Nothing that an unauthenticated side says deletes a key that works. */
START_TEST(k2_forget_on_a_plain_link_is_refused)
{
	struct derived d;

	up();
	d = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE, d.challenge);
	dev_ask(&dev, "forget", complete_body(RIG_NAF, d.btid, RIG_DEVICE, NULL));
	dev_expect(&dev, REASON_MT_FORGET_PLAIN);
	ck_assert_str_eq(dev.code, "refused");
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 1);
}
END_TEST

/* Device_IDs may be new each time: never-used keys are bounded, on a connection and over many. */
START_TEST(k5_never_used_keys_are_bounded)
{
	struct derived d, last = { .btid = "" };
	char id[64];

	up();
	d = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE, d.challenge);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(id, sizeof id, "urn:new:%d", i);
		last = derive(&dev, RIG_NAF, id, d.btid);
		ck_assert_int_le(rig_keys(MT_KEY_DERIVED), 4);
	}
	for (int i = 20; i < 40; i++) {
		dev_close(&dev);
		dev_open(&dev);
		(void)snprintf(id, sizeof id, "urn:new:%d", i);
		last = derive(&dev, RIG_NAF, id, d.btid);
		ck_assert_int_le(rig_keys(MT_KEY_DERIVED), 4 + 1);	/* the live connection's own */
	}
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 1);
	dev_complete(&dev, RIG_NAF, last.btid, id, last.challenge);	/* the newest is among them */
	dev_expect(&dev, REASON_NONE);
}
END_TEST

/* --- K10: no key goes out, whatever is asked */

static struct {
	char b[1 << 20];
	size_t n;
} sent;

static void
raw_on_data(struct link *l, void *arg)
{
	struct span s = link_input(l);

	(void)arg;
	ck_assert_uint_lt(sent.n + s.n, sizeof sent.b);
	memcpy(sent.b + sent.n, s.p, s.n);
	sent.n += s.n;
	link_drain(l, s.n);
}

static void
raw_on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)why;
	(void)detail;
	*(struct link **)arg = NULL;
	link_free(l);
}

static struct link *raw;

static void
raw_send(const char *line)
{
	static const struct link_cb cb = { .on_data = raw_on_data, .on_closed = raw_on_closed };
	static const struct link_options opt;

	if (raw == NULL) {
		ck_ok(link_connect(rig.net, RIG_LINK, &opt, &cb, &raw, &raw));
		rig_run();
	}
	ck_ok(link_write(raw, span_str(line)));
	ck_ok(link_write(raw, span_str("\n")));
	rig_run();
}

static void
nowhere(const char *what, const void *p, size_t n)
{
	ck_assert_msg(memmem(sent.b, sent.n, p, n) == NULL, "%s was sent", what);
}

static void
search(const char *what, const struct secret *key)
{
	struct span s = secret_span(key);
	char hex[2 * 64 + 1], upper[2 * 64 + 1], b64[B64_LEN(64) + 1], url[B64_LEN(64) + 1], kcv[KCV_LEN + 1];

	ck_assert_uint_le(s.n, 64);
	hex_print(s, hex);
	for (size_t i = 0; i <= 2 * s.n; i++)
		upper[i] = hex[i] >= 'a' ? (char)(hex[i] - 'a' + 'A') : hex[i];
	b64_print(s, b64);
	b64url_print(s, url);
	ck_ok(secret_kcv(key, kcv));
	nowhere(what, s.p, s.n);
	nowhere(what, hex, strlen(hex));
	nowhere(what, upper, strlen(upper));
	nowhere(what, b64, strlen(b64));
	nowhere(what, url, strlen(url));
	nowhere(what, kcv, strlen(kcv));
}

START_TEST(k10_no_key_is_ever_sent)
{
	static const char *const ops[] = { "hello", "info", "derive", "complete", "forget", "use", "renew", "key-list", "status", "export",
		"key", "get", "trace", "health", "bootstrap", "stop", "" };
	char line[4096], proof[PROOF_LEN + 1];
	struct secret *key, *ks_naf, *first_ks;
	struct derived d;
	struct triple t;
	uint8_t rand[16];

	raw = NULL;
	sent.n = 0;
	up();
	d = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE, d.challenge);	/* in use: no derive below replaces it */
	first_ks = rig.bsf.ks;
	rig.bsf.ks = NULL;
	ck_ok(secret_dup(first_ks, &rig.bsf.ks));
	key = device_key(RIG_NAF, d.btid, RIG_DEVICE);
	ck_ok(proof_make(key, PROOF_DEVICE, span_str(d.challenge), proof));
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		static const char *const with[] = {
			"", ",\"device_id\":\"" RIG_DEVICE "\"", ",\"naf_id\":\"" RIG_NAF "\",\"device_id\":\"" RIG_DEVICE "\"",
			",\"naf_id\":7", ",\"key\":true,\"kcv\":true,\"ks_local_mt\":true,\"all\":true",
		};

		for (size_t k = 0; k < sizeof with / sizeof *with; k++) {
			(void)snprintf(line, sizeof line, "{\"id\":%zu,\"op\":\"%s\"%s}", 100 * i + k, ops[i], with[k]);
			raw_send(line);
		}
		(void)snprintf(line, sizeof line, "{\"id\":%zu,\"op\":\"%s\",\"naf_id\":\"" RIG_NAF "\",\"btid\":\"%s\",\"device_id\":\""
		    RIG_DEVICE "\",\"proof\":\"%s\"}", 100 * i + 50, ops[i], d.btid, proof);
		raw_send(line);
		(void)snprintf(line, sizeof line, "{\"id\":%zu,\"op\":\"%s\",\"naf_id\":\"" RIG_NAF "\",\"btid\":\"%s\",\"device_id\":\""
		    RIG_DEVICE "\",\"proof\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}", 100 * i + 51, ops[i], d.btid);
		raw_send(line);
	}
	raw_send("no json");
	raw_send("[]");
	ck_assert_ptr_nonnull(memmem(sent.b, sent.n, d.btid, strlen(d.btid)));		/* it did answer */
	ck_assert_ptr_nonnull(memmem(sent.b, sent.n, "\"proof\":", 8));

	ck_ok(naf_id_parse(span_str(RIG_NAF), &t.naf_id));
	search("Ks_local_MT", key);
	search("Ks", first_ks);
	secret_free(key);
	ck_assert_str_ne(rig.bsf.btid.s, d.btid);	/* a derive above caused another run */
	key = device_key(RIG_NAF, rig.bsf.btid.s, RIG_DEVICE);
	search("newer Ks_local_MT", key);
	ck_ok(btid_rand(&rig.bsf.btid, rand));
	ck_ok(kdf_ks_naf(rig.bsf.ks, rand, span_str(RIG_IMPI), &t.naf_id, &ks_naf));
	search("Ks_NAF", ks_naf);
	search("Ks", rig.bsf.ks);
	search("K", rig.k);
	search("OPc", rig.opc);
	search("CK", rig.bsf.av.ck);
	search("IK", rig.bsf.av.ik);
	search("RES", rig.bsf.av.xres);
	ck_assert_ptr_null(memmem(sent.b, sent.n, "00101", 5));		/* nor anything of the subscriber */
	ck_assert_ptr_null(memmem(sent.b, sent.n, "8988", 4));
	secret_free(key);
	secret_free(first_ks);
	secret_free(ks_naf);
	link_free(raw);
}
END_TEST

/* --- K11: listeners */

START_TEST(k11_plain_beyond_loopback)
{
	json_t *problems = json_array(), *o = json_object();

	(void)snprintf(rig.conf.locals[0].listen, sizeof rig.conf.locals[0].listen, "tcp:192.0.2.1:0");
	rig_up();
	ck_rc(mt_start(rig.mt), RC_DENIED);
	rig_down();
	rig.conf.locals[0].insecure = true;
	rig_up();
	ck_ok(mt_start(rig.mt));
	rig_run();
	mt_health(rig.mt, problems);
	ck_assert_uint_eq(json_array_size(problems), 1);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(problems, 0)), "insecure"));
	mt_bound(rig.mt, o);
	ck_assert_int_eq(strncmp(json_string_value(json_array_get(json_object_get(o, "local"), 0)), "tcp:192.0.2.1:", 14), 0);
	json_decref(problems);
	json_decref(o);
}
END_TEST

START_TEST(several_links)
{
	json_t *o = json_object();
	struct derived a;

	rig.conf.n_locals = 2;
	(void)snprintf(rig.conf.locals[1].name, sizeof rig.conf.locals[1].name, "t");
	(void)snprintf(rig.conf.locals[1].listen, sizeof rig.conf.locals[1].listen, "tcp:127.0.0.1:0");
	up();
	mt_bound(rig.mt, o);
	ck_assert_uint_eq(json_array_size(json_object_get(o, "local")), 2);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(o, "local"), 0)), RIG_LINK);
	a = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	ck_assert_str_ne(a.btid, "");
	json_decref(o);
}
END_TEST

/* --- durable before told */

static int fail_commits;
static int
on_commit(void *arg)
{
	(void)arg;
	return fail_commits;
}

START_TEST(a_failed_commit_tells_nothing)
{
	struct derived d;
	sqlite3 *db;

	fail_commits = 0;
	up();
	db = sqlite3_db_handle((sqlite3_stmt *)store_stmt(rig.store, 0));
	sqlite3_commit_hook(db, on_commit, NULL);
	fail_commits = 1;
	dev_derive(&dev, RIG_NAF, RIG_DEVICE, NULL, NULL);	/* the payment is not durable: the BSF is not asked */
	dev_expect(&dev, REASON_NOT_DURABLE);
	ck_assert_str_eq(dev.code, "busy");
	ck_assert_int_eq(rig.bsf.requests, 0);
	fail_commits = 0;
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	link_mem_run(rig.net);
	turn_end(rig.turn);
	fail_commits = 1;		/* the run's end is not durable: its B-TID is told to nobody */
	rig_run();
	dev_expect(&dev, REASON_NOT_DURABLE);
	ck_assert_int_eq(rig.bsf.done, 1);
	ck_assert_int_eq(rig_keys(-1), 0);
	ck_assert_str_eq(json_string_value(json_object_get(dev.ok, "btid")) != NULL ? "told" : "", "");
	fail_commits = 0;
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), "");
	d = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE, d.challenge);
	dev_expect(&dev, REASON_NONE);
	fail_commits = 1;
	(void)dev_info(&dev, RIG_DEVICE);	/* nothing to commit: it is answered */
	fail_commits = 0;
	sqlite3_commit_hook(db, NULL, NULL);
}
END_TEST

/* One of what a loop does, in turn; a turn's end is one of them, so a crash may come before a commit. */
static void
micro(int i)
{
	switch (i % 4) {
	case 0:
		link_mem_run(rig.net);
		break;
	case 1:
		(void)fake_bsf_step(&rig.bsf);
		break;
	case 2:
		if (clock_until_next(rig.clock) == 0)
			clock_advance(rig.clock, 0);
		break;
	default:
		turn_end(rig.turn);
		break;
	}
}

/* Killed at any moment of a first establishment: what was told holds, and the next one succeeds. */
START_TEST(killed_at_any_moment)
{
	struct derived told = { .btid = "" };
	char shown[BTID_MAX + 1];

	(void)snprintf(rig.path, sizeof rig.path, "/tmp/mt-local-%d.db", (int)getpid());
	up();
	(void)dev_info(&dev, RIG_DEVICE);
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	for (int i = 0; i < _i; i++)
		micro(i);
	if (dev.answers == 2 && dev.ok != NULL) {
		(void)snprintf(told.btid, sizeof told.btid, "%s", dev_text(&dev, "btid"));
		(void)snprintf(told.challenge, sizeof told.challenge, "%s", dev_text(&dev, "challenge"));
	}
	dev_close(&dev);
	rig_down();
	mt_uicc_soft_eject(rig.uicc);
	while (rig.bsf.first != NULL)
		fake_cancel(&rig.bsf, rig.bsf.first);
	rig_insert(1);
	rig_start();
	dev_open(&dev);
	if (told.btid[0] != '\0') {		/* K4: the late complete of what was told */
		dev_complete(&dev, RIG_NAF, told.btid, RIG_DEVICE, told.challenge);
		dev_expect(&dev, REASON_NONE);
	}
	(void)snprintf(shown, sizeof shown, "%s", dev_info(&dev, RIG_DEVICE));
	if (told.btid[0] != '\0')
		ck_assert_str_eq(shown, told.btid);
	told = derive(&dev, RIG_NAF, RIG_DEVICE, shown[0] != '\0' ? shown : NULL);
	dev_complete(&dev, RIG_NAF, told.btid, RIG_DEVICE, told.challenge);
	dev_expect(&dev, REASON_NONE);
	ck_assert_int_eq(rig_keys(MT_KEY_CONFIRMED), 1);
}
END_TEST

/* --- devices that misbehave */

START_TEST(device_gone_before_its_answer)
{
	struct derived d;

	up();
	dev_send(&dev, "derive", derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	link_mem_run(rig.net);
	turn_end(rig.turn);
	dev_close(&dev);		/* the run goes on for nobody */
	ck_assert_int_eq(rig.bsf.done, 1);
	ck_assert_int_eq(rig_keys(-1), 1);
	dev_open(&dev);
	ck_assert_str_eq(dev_info(&dev, RIG_DEVICE), rig.bsf.btid.s);
	d = derive(&dev, RIG_NAF, RIG_DEVICE, rig.bsf.btid.s);
	dev_complete(&dev, RIG_NAF, d.btid, RIG_DEVICE, d.challenge);
	dev_expect(&dev, REASON_NONE);
	ck_assert_uint_eq(rig_counts().ub_runs, 1);
}
END_TEST

START_TEST(pipelined_requests_are_each_answered)
{
	up();
	for (int i = 0; i < 40; i++)
		dev_send(&dev, i % 2 == 0 ? "info" : "derive",
		    i % 2 == 0 ? json_pack("{s:s}", "device_id", RIG_DEVICE) : derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL));
	rig_run();
	ck_assert_int_eq(dev.answers, 40);
	ck_assert_uint_eq(rig_counts().ub_runs, 1);
}
END_TEST

START_TEST(too_many_bad_lines_end_the_link_alone)
{
	raw = NULL;
	sent.n = 0;
	up();
	for (int i = 0; i < 15; i++)
		raw_send("nonsense");
	ck_assert_ptr_nonnull(raw);
	raw_send("nonsense");
	ck_assert_ptr_null(raw);
	ck_assert_ptr_nonnull(memmem(sent.b, sent.n, "bad-message", 11));
	(void)dev_info(&dev, RIG_DEVICE);	/* the others are served */
}
END_TEST

/* --- trace (S1) */

static int
steps(const char *run, int scenario, int *out, int cap)
{
	json_t *all = trace_since(rig.trace, 0), *e;
	size_t i;
	int n = 0;

	json_array_foreach(all, i, e) {
		const char *r = json_string_value(json_object_get(e, "run"));

		if (r == NULL || strcmp(r, run) != 0)
			continue;
		ck_assert_int_eq(json_integer_value(json_object_get(e, "scenario")), scenario);
		ck_assert_int_lt(n, cap);
		out[n++] = (int)json_integer_value(json_object_get(e, "step"));
	}
	json_decref(all);
	return n;
}

START_TEST(s1_steps_of_both_scenarios)
{
	static const int want1[] = { 3, 4, 7, 8, 9, 10 }, want2[] = { 3, 4, 7, 8 };
	json_t *o;
	int got[16];

	up();
	dev_ask(&dev, "info", json_pack("{s:s, s:s}", "device_id", RIG_DEVICE, "run", "aaaa"));
	o = derive_body(RIG_NAF, RIG_DEVICE, NULL, NULL);
	json_object_set_new(o, "run", json_string("aaaa"));
	dev_ask(&dev, "derive", o);
	ck_assert_int_eq(steps("aaaa", 1, got, 16), 6);
	ck_assert_int_eq(memcmp(got, want1, sizeof want1), 0);

	dev_ask(&dev, "info", json_pack("{s:s, s:s}", "device_id", RIG_DEVICE2, "run", "bbbb"));
	o = derive_body(RIG_NAF, RIG_DEVICE2, rig.bsf.btid.s, NULL);
	json_object_set_new(o, "run", json_string("bbbb"));
	dev_ask(&dev, "derive", o);
	ck_assert_int_eq(steps("bbbb", 2, got, 16), 4);
	ck_assert_int_eq(memcmp(got, want2, sizeof want2), 0);
}
END_TEST

START_TEST(s1_trace_shows_check_values_alone)
{
	struct derived d;
	struct secret *key;
	char kcv[KCV_LEN + 1], *text;
	json_t *all;

	up();
	d = derive(&dev, RIG_NAF, RIG_DEVICE, NULL);
	key = device_key(RIG_NAF, d.btid, RIG_DEVICE);
	ck_ok(secret_kcv(key, kcv));
	all = trace_since(rig.trace, 0);
	text = json_dumps(all, 0);
	ck_assert_ptr_nonnull(strstr(text, kcv));
	sent.n = strlen(text);
	memcpy(sent.b, text, sent.n);
	{
		char hex[2 * KS_LEN + 1], b64[B64_LEN(KS_LEN) + 1];

		hex_print(secret_span(key), hex);
		b64_print(secret_span(key), b64);
		nowhere("Ks_local_MT", hex, strlen(hex));
		nowhere("Ks_local_MT", b64, strlen(b64));
	}
	free(text);
	json_decref(all);
	secret_free(key);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/local");
	TCase *t = tcase_create("local");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, u9_hello);
	tcase_add_test(t, u9_mt_id_outlives_restarts_and_cards);
	tcase_add_test(t, u9_hello_refused);
	tcase_add_test(t, u9_devices_that_skip_hello_are_served);
	tcase_add_test(t, bad_messages);
	tcase_add_test(t, unknown_members_are_ignored);
	tcase_add_test(t, no_nafs_configured);
	tcase_add_test(t, k3_wrong_proof_confirms_nothing);
	tcase_add_test(t, k3_without_proof_is_ok_and_unconfirmed);
	tcase_add_test(t, k4_complete_again_and_unknown);
	tcase_add_test(t, derive_again_is_the_same);
	tcase_add_test(t, k2_the_key_that_works_stays_until_the_new_one_is_proven);
	tcase_add_test(t, k2_forget_on_a_plain_link_is_refused);
	tcase_add_test(t, k5_never_used_keys_are_bounded);
	tcase_add_test(t, k10_no_key_is_ever_sent);
	tcase_add_test(t, k11_plain_beyond_loopback);
	tcase_add_test(t, several_links);
	tcase_add_test(t, a_failed_commit_tells_nothing);
	tcase_add_loop_test(t, killed_at_any_moment, 0, 90);
	tcase_add_test(t, device_gone_before_its_answer);
	tcase_add_test(t, pipelined_requests_are_each_answered);
	tcase_add_test(t, too_many_bad_lines_end_the_link_alone);
	tcase_add_test(t, s1_steps_of_both_scenarios);
	tcase_add_test(t, s1_trace_shows_check_values_alone);
	suite_add_tcase(s, t);
	return unit_run(s);
}
