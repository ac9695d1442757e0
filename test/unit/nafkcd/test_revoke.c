/* What the operator takes back: keys invalidated and limited, devices blocked by each of three names.        RULES N1, N2, N3, N5, N8, N9 */
#include "test/unit/nafkcd/ctl_world.h"
#include "nafkcd/standing.h"
#include "test/unit/tmpdir.h"

#include <sqlite3.h>

#define TRIPLE "\"btid\":\"" BTID "\",\"device_id\":\"" DEVICE "\""
#define ID "{\"device_id\":\"" DEVICE "\"}"
#define SPKI_A "0a00000000000000000000000000000000000000000000000000000000000000"
#define ISSUER "0707070707070707070707070707070707070707070707070707070707070707"
#define KS_ENDS "2027-01-15T16:00:00Z"		/* NOW + 8 h */

static void
given(const char *btid, const char *device, const uint8_t *spki)
{
	ask(&w, &s, form(btid, device, NULL), spki);
	ck_assert_msg(s.status == 200, "%d %s", s.status, s.body);
}

static size_t
n_of(const char *list)
{
	return json_array_size(json_object_get(got.body, list));
}

static json_int_t
ended(void)
{
	return json_integer_value(json_object_get(got.body, "keys"));
}

static json_int_t
status_of(const char *member)
{
	json_t *o = json_object();
	json_int_t v;

	nafkc_status(w.k, o);
	v = json_integer_value(json_object_get(o, member));
	json_decref(o);
	return v;
}

static bool
log_has(const char *reason)
{
	char what[64];

	snprintf(what, sizeof what, "reason=%s:", reason);
	return strstr(w.lines, what) != NULL;
}

/* --- N8 */

START_TEST(n8_an_invalidated_key_is_gone_and_the_same_request_does_not_bring_it_back)
{
	start(NAFKC_ANY);
	given(BTID, DEVICE, key_a);
	ck_assert_int_eq(status_of("ks_cached"), 1);
	order("key-invalidate", "{" TRIPLE "}");
	ck_assert_int_eq(ended(), 1);
	ck_assert_int_eq(status_of("ks_cached"), 0);		/* N3 */
	order("key-list", "{}");
	ck_assert_uint_eq(n_of("keys"), 0);
	order("key-list", "{\"all\":true}");
	ck_assert_uint_eq(n_of("keys"), 1);
	ck_assert_str_eq(at("keys", 0, "state"), "invalidated");
	ck_assert_str_eq(at("keys", 0, "btid"), BTID);
	ck_assert_str_eq(at("keys", 0, "kcv"), "");
	ck_assert_str_eq(at("keys", 0, "expires"), KS_ENDS);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "bootstrap-again");
	ck_assert(log_has("ua-revoked") && !s.closed);
	ck_assert_uint_eq(w.bsf[0].birs, 1);			/* N1: nobody is asked for it */
	/* a stranger who knows its names learns nothing of it */
	ask(&w, &s, form(BTID, DEVICE, NULL), key_b);
	said_refused(&s, 403, "refused");
	given(BTID2, DEVICE, key_a);
	given(BTID, "other", key_a);
	refused("key-invalidate", "{" TRIPLE "}", REASON_UA_KEY_UNKNOWN);
	order("audit", "{}");
	for (size_t i = 0; i < n_of("audit"); i++) {
		if (strcmp(at("audit", i, "event"), "key-invalidated") != 0)
			continue;
		ck_assert_str_eq(at("audit", i, "was"), KS_ENDS);
		ck_assert_str_eq(at("audit", i, "expires"), at("audit", i, "at"));
		ck_assert_uint_eq(strlen(at("audit", i, "kcv")), KCV_LEN);
		ck_assert_str_eq(at("audit", i, "spki"), SPKI_A);
		ck_assert_str_eq(at("audit", i, "naf_id"), "nafkc.example.org/0100000002");
		finish();
		return;
	}
	ck_abort_msg("no audit row");
}
END_TEST

/* Until the Ks expires, which is later than the key would have. */
START_TEST(n8_a_tombstone_stays_until_its_ks_expires_t1)
{
	world_new(&w, NULL);
	w.conf.key_lifetime_max_s = 600;
	start_ctl();
	given(BTID, DEVICE, key_a);
	order("key-invalidate", "{" TRIPLE "}");
	pass(&w, 3600 * 1000);
	ck_assert_int_eq(status_of("tombstones"), 1);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "bootstrap-again");
	pass(&w, (w.bsf[0].expires_s - clock_now_s(w.clock) - 2) * 1000);
	ck_assert_int_eq(status_of("tombstones"), 1);
	pass(&w, 3000);
	ck_assert_int_eq(status_of("tombstones"), 0);
	finish();
}
END_TEST

static bool
file_holds(const char *path, const void *p, size_t n)
{
	static char buf[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t got_n;

	if (f == NULL)
		return false;
	got_n = fread(buf, 1, sizeof buf, f);
	ck_assert(got_n < sizeof buf);
	fclose(f);
	return memmem(buf, got_n, p, n) != NULL;
}

START_TEST(n8_not_even_the_sealed_key_is_left_in_the_file)
{
	uint8_t sealed[256];
	char wal[300];
	size_t n;
	sqlite3 *db;
	sqlite3_stmt *q;

	tmpdir_make();
	world_new(&w, tmpdir_file("nafkcd.db"));
	start_ctl();
	given(BTID, DEVICE, key_a);
	ck_assert(sqlite3_open(w.store_path, &db) == SQLITE_OK);
	ck_assert(sqlite3_prepare_v2(db, "SELECT ks_local_mt FROM key", -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW);
	n = (size_t)sqlite3_column_bytes(q, 0);
	ck_assert_uint_le(n, sizeof sealed);
	memcpy(sealed, sqlite3_column_blob(q, 0), n);
	sqlite3_finalize(q);
	sqlite3_close(db);
	snprintf(wal, sizeof wal, "%s-wal", w.store_path);
	ck_assert(file_holds(w.store_path, sealed, n) || file_holds(wal, sealed, n));
	order("key-invalidate", "{" TRIPLE "}");
	pass(&w, 61 * 1000);		/* T1: the WAL is truncated within a minute */
	ck_assert(!file_holds(w.store_path, sealed, n) && !file_holds(wal, sealed, n));
	finish();
	tmpdir_remove();
}
END_TEST

/* --- N9 */

START_TEST(n9_a_limit_shortens_and_never_lengthens)
{
	struct uaxml_response r;
	unsigned birs;

	start(NAFKC_ANY);
	given(BTID, DEVICE, key_a);
	order("key-limit", "{" TRIPLE ",\"expires\":\"2027-01-15T09:00:00Z\"}");
	ck_assert_int_eq(ended(), 1);
	order("key-list", "{}");
	ck_assert_str_eq(at("keys", 0, "expires"), "2027-01-15T09:00:00Z");
	ck_assert_str_eq(at("keys", 0, "state"), "limited");
	/* a repeated Key Request answers with the shorter one */
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &r);
	ck_assert_int_eq(r.lifetime, NOW + 3600);
	secret_free(r.ks_local_mt);
	refused("key-limit", "{" TRIPLE ",\"expires\":\"2027-01-15T09:00:00Z\"}", REASON_UA_NOT_SHORTER);
	refused("key-limit", "{" TRIPLE ",\"expires\":\"2027-01-15T10:00:00Z\"}", REASON_UA_NOT_SHORTER);
	refused("key-limit", "{" TRIPLE ",\"expires\":\"2027-01-15T07:00:00Z\"}", REASON_CTL_USAGE);
	order("key-limit", "{" TRIPLE ",\"expires\":\"2027-01-15T08:30:00Z\"}");
	order("audit", "{\"limit\":1}");
	ck_assert_str_eq(at("audit", 0, "event"), "key-limited");	/* 7.2: old and new */
	ck_assert_str_eq(at("audit", 0, "was"), "2027-01-15T09:00:00Z");
	ck_assert_str_eq(at("audit", 0, "expires"), "2027-01-15T08:30:00Z");
	order("key-list", "{\"all\":true}");
	ck_assert_uint_eq(n_of("keys"), 1);
	/* when it is over it does not come back with the lifetime that it had first */
	birs = w.bsf[0].birs;
	pass(&w, 1801 * 1000);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "bootstrap-again");
	ck_assert_uint_eq(w.bsf[0].birs, birs);
	refused("key-limit", "{" TRIPLE ",\"expires\":\"2027-01-15T09:00:00Z\"}", REASON_UA_KEY_UNKNOWN);
	order("key-list", "{\"all\":true}");
	ck_assert_str_eq(at("keys", 0, "state"), "limited");
	ck_assert_str_eq(at("keys", 0, "expires"), KS_ENDS);
	finish();
}
END_TEST

START_TEST(n9_a_device_is_limited_in_all_its_live_keys)
{
	start(NAFKC_ANY);
	refused("device-limit", "{\"device_id\":\"" DEVICE "\",\"expires\":\"2027-01-15T09:00:00Z\"}", REASON_UA_KEY_UNKNOWN);
	given(BTID, DEVICE, key_a);
	given(BTID2, DEVICE, key_a);
	given(BTID, "other", key_a);
	order("key-limit", "{" TRIPLE ",\"expires\":\"2027-01-15T08:30:00Z\"}");
	order("device-limit", "{\"device_id\":\"" DEVICE "\",\"expires\":\"2027-01-15T09:00:00Z\"}");
	ck_assert_int_eq(ended(), 1);		/* the other ends earlier already */
	refused("device-limit", "{\"device_id\":\"" DEVICE "\",\"expires\":\"2027-01-15T09:30:00Z\"}", REASON_UA_NOT_SHORTER);
	order("key-list", "{}");
	for (size_t i = 0; i < 3; i++) {
		bool mine = strcmp(at("keys", i, "device_id"), DEVICE) == 0, first = strcmp(at("keys", i, "btid"), BTID) == 0;

		ck_assert_str_eq(at("keys", i, "expires"), !mine ? KS_ENDS : first ? "2027-01-15T08:30:00Z" : "2027-01-15T09:00:00Z");
	}
	finish();
}
END_TEST

/* --- blocks */

START_TEST(n1_a_blocked_public_key_is_refused_with_all_its_device_ids)
{
	struct said kept;

	start(NAFKC_ANY);
	given(BTID, DEVICE, key_a);
	given(BTID2, "second", key_a);
	given(BTID, "theirs", key_b);
	order("device-block", "{\"spki\":\"" SPKI_A "\"}");
	ck_assert_int_eq(ended(), 2);
	order("key-list", "{}");
	ck_assert_uint_eq(n_of("keys"), 1);
	ck_assert_str_eq(at("keys", 0, "device_id"), "theirs");
	for (int i = 0; i < 3; i++) {		/* what it had, and what it never had */
		static const char *const devices[] = { DEVICE, "second", "new" };
		unsigned birs = w.bsf[0].birs;

		ask(&w, &kept, form(BTID, devices[i], NULL), key_a);
		said_refused(&kept, 403, "refused");
		ck_assert(kept.closed);		/* N5: also on a connection that was kept, or resumed */
		ck_assert_uint_eq(w.bsf[0].birs, birs);
	}
	ck_assert(log_has("ua-key-blocked"));
	given(BTID, "theirs", key_b);
	order("device-list", "{}");
	for (size_t i = 0; i < n_of("devices"); i++)
		ck_assert_str_eq(at("devices", i, "state"), strcmp(at("devices", i, "device_id"), "theirs") == 0 ? "seen" : "blocked");
	order("block-list", "{}");
	ck_assert_uint_eq(n_of("blocks"), 1);
	ck_assert_str_eq(at("blocks", 0, "kind"), "spki");
	ck_assert_str_eq(at("blocks", 0, "value"), SPKI_A);
	ck_assert_uint_eq(strlen(at("blocks", 0, "at")), UTC_TEXT_LEN);
	order("device-unblock", "{\"spki\":\"" SPKI_A "\"}");
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "bootstrap-again");	/* N8 */
	given(BTID2, DEVICE, key_a);
	refused("device-unblock", "{\"spki\":\"" SPKI_A "\"}", REASON_UA_NOT_BLOCKED);
	finish();
}
END_TEST

START_TEST(n1_a_blocked_issuer_takes_the_keys_of_all_its_certificates)
{
	start(NAFKC_ANY);
	given(BTID, "elsewhere", key_a);		/* the chain shows no issuer: no issuer's block is about it */
	memset(w.issuer, 7, sizeof w.issuer);
	given(BTID, "d1", key_a);
	given(BTID, "d2", key_b);
	order("device-block", "{\"issuer\":\"" ISSUER "\"}");
	ck_assert_int_eq(ended(), 2);
	ask(&w, &s, form(BTID2, "d2", NULL), key_b);
	said_refused(&s, 403, "refused");
	ck_assert(log_has("ua-issuer-blocked") && s.closed);
	/* the same key in a certificate of another issuer */
	memset(w.issuer, 8, sizeof w.issuer);
	given(BTID2, "d2", key_b);
	memset(w.issuer, 0, sizeof w.issuer);
	given(BTID, "elsewhere", key_a);
	order("device-unblock", "{\"issuer\":\"" ISSUER "\"}");
	memset(w.issuer, 7, sizeof w.issuer);
	given(BTID2, "d1", key_a);
	finish();
}
END_TEST

#define MANY 1100

/* So many keys of the blocked issuer's certificates, each of another device, and as many of another one's between them. */
static void
put_many(void)
{
	struct nafkc_key k = { .triple.naf_id = w.naf_ids[0], .kcv = "0123456789ab", .issued_s = NOW, .expires_s = NOW + 3600,
	    .ks_expires_s = NOW + 7200, .bound = true };
	struct secret *ks;

	ck_ok(secret_new(KS_LEN, &ks));
	strcpy(k.triple.btid.s, BTID);
	memcpy(k.spki, key_b, 32);
	ck_ok(store_begin(w.store));
	for (int i = 0; i < 2 * MANY; i++) {
		memset(k.issuer, i % 2 == 0 ? 7 : 8, sizeof k.issuer);
		(void)snprintf(k.triple.device_id.s, sizeof k.triple.device_id.s, "d%d", i);
		ck_ok(nafkc_store_put_key(w.store, &k, ks));
	}
	ck_ok(store_end(w.store, true));
	secret_free(ks);
	turn_end(w.turn);
}

static int
live(void)
{
	struct nafkc_counts n;

	ck_ok(nafkc_store_count(w.store, &n));
	return (int)n.keys;
}

/* A turn of the loop. */
static void
turn(void)
{
	(void)link_mem_run(w.net);
	(void)clock_advance(w.clock, 1);
	turn_end(w.turn);
}

/* What is still to end counts as gone. */
static void
counts_as_gone(const char *device)
{
	struct nafkc_ask a = { .triple.naf_id = w.naf_ids[0] };
	struct nafkc_standing st;
	struct nafkc_state state;

	strcpy(a.triple.btid.s, BTID);
	strcpy(a.triple.device_id.s, device);
	memcpy(a.spki, key_b, 32);
	memset(a.issuer, 9, sizeof a.issuer);		/* the key in another certificate */
	ck_assert_int_eq(nafkc_standing_find(w.k, &a, &st), REASON_UA_REVOKED);
	secret_free(st.ks_local_mt);
	ck_ok(nafkc_store_state(w.store, &a.triple, NOW, &state));
	ck_assert(!state.gone);
	ck_assert(nafkc_ending_has(w.k, state.issuer));
}

START_TEST(n8_very_many_keys_of_an_issuer_end_in_slices)
{
	struct nafkc_target t = { .scope = NAFKC_SCOPE_ISSUER };
	int before, turns = 0;
	json_t *o;

	start(NAFKC_ANY);
	put_many();
	memset(t.hash, 7, sizeof t.hash);
	o = json_pack("{s:s}", "issuer", ISSUER);
	json_decref(got.body);
	memset(&got, 0, sizeof got);
	ck_ok(rpc_ask(rpc, "device-block", o, on_answer, NULL, NULL));
	json_decref(o);
	for (before = live(); got.n == 0; before = live(), turns++) {
		turn();
		ck_assert_int_le(before - live(), 250);
		if (live() < 2 * MANY && live() > MANY + 300) {
			counts_as_gone("d2198");
			ck_rc(nafkc_order_unblock(w.k, &t), RC_STATE);
		}
		ck_assert_int_lt(turns, 100);
	}
	ck_assert_int_ge(turns, 2 * MANY / 250);
	ck_assert_int_eq(ended(), MANY);
	ck_assert_int_eq(live(), MANY);
	ck_assert_int_eq(status_of("tombstones"), MANY);	/* each left one (N8) */
	order("device-unblock", "{\"issuer\":\"" ISSUER "\"}");
	finish();
}
END_TEST

START_TEST(n8_what_is_still_to_end_is_not_forgotten_in_a_crash)
{
	struct nafkc_target t = { .scope = NAFKC_SCOPE_ISSUER };
	int64_t n;

	tmpdir_make();
	world_new(&w, tmpdir_file("nafkcd.db"));
	w.conf.devices = NAFKC_ANY;
	world_start(&w);
	put_many();
	memset(t.hash, 7, sizeof t.hash);
	ck_ok(nafkc_order_block(w.k, &t, &n));
	turn();
	turn();
	ck_assert_int_lt(live(), 2 * MANY);
	ck_assert_int_gt(live(), MANY + 300);
	world_kill_core(&w);
	world_open_store(&w);
	world_start_core(&w);
	counts_as_gone("d2198");
	pass(&w, 100);
	ck_assert_int_eq(live(), MANY);
	ck_assert(!nafkc_ending_has(w.k, t.hash));
	ck_ok(nafkc_order_unblock(w.k, &t));
	world_free(&w);
	tmpdir_remove();
}
END_TEST

/* The issuer that counts is that of the certificate with which the key was fetched last. */
START_TEST(a_key_fetched_again_with_another_certificate_is_its_issuers)
{
	start(NAFKC_ANY);
	memset(w.issuer, 8, sizeof w.issuer);
	given(BTID, DEVICE, key_a);
	memset(w.issuer, 7, sizeof w.issuer);
	given(BTID, DEVICE, key_a);
	order("device-block", "{\"issuer\":\"" ISSUER "\"}");
	ck_assert_int_eq(ended(), 1);
	finish();
}
END_TEST

START_TEST(a_blocked_device_ids_key_stays_barred_after_a_rebind)
{
	start(NAFKC_ANY);
	given(BTID, DEVICE, key_a);
	given(BTID, "other", key_a);
	order("device-block", ID);
	ck_assert_int_eq(ended(), 1);
	order("device-rebind", ID);
	order("device-block", ID);		/* again, now that nobody has it */
	ask(&w, &s, form(BTID, "new", NULL), key_a);
	said_refused(&s, 403, "refused");
	ck_assert(log_has("ua-blocked"));
	given(BTID, "other", key_a);		/* what it has is its own */
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_b);
	said_refused(&s, 403, "refused");
	order("device-unblock", ID);
	given(BTID, "new", key_a);
	given(BTID2, DEVICE, key_b);		/* the rebind holds */
	finish();
}
END_TEST

START_TEST(who_is_blocked_between_bir_and_bia_gets_no_key)
{
	static const char *const blocks[] = { ID, "{\"spki\":\"" SPKI_A "\"}", "{\"issuer\":\"" ISSUER "\"}" };

	start(NAFKC_ANY);
	memset(w.issuer, 7, sizeof w.issuer);
	w.bsf[0].mood = BSF_HOLDS;
	say(&w, &s, form(BTID, DEVICE, NULL), key_a);
	settle(&w);
	ck_assert_uint_eq(w.bsf[0].n_held, 1);
	order("device-block", blocks[_i]);
	ck_assert_int_eq(ended(), 0);
	w.bsf[0].mood = BSF_GIVES;
	bsf_answer(&w.bsf[0], w.bsf[0].held[0]);
	settle(&w);
	ck_assert(s.over);
	said_refused(&s, 403, "refused");
	finish();
}
END_TEST

START_TEST(a_device_id_that_nobody_ever_saw_can_be_blocked)
{
	start(NAFKC_ANY);
	order("device-block", ID);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "refused");
	given(BTID, "other", key_a);		/* and is nobody's fault */
	order("device-allow", ID);		/* ends it, too */
	given(BTID, DEVICE, key_a);
	order("block-list", "{}");
	ck_assert_uint_eq(n_of("blocks"), 0);
	finish();
}
END_TEST

/* A rebind made the key whoever's comes next; B came, for another B-TID, and has not fetched this one yet. */
START_TEST(a_key_that_waits_for_its_new_public_key_goes_with_that_ones_block)
{
	start(NAFKC_ANY);
	given(BTID, DEVICE, key_b);
	order("device-rebind", ID);
	given(BTID2, DEVICE, key_a);
	order("device-block", "{\"spki\":\"" SPKI_A "\"}");
	ck_assert_int_eq(ended(), 2);
	finish();
}
END_TEST

/* The device has a new key pair: it hears of keys that it fetched with the old one; whoever else has a certificate does not. */
START_TEST(n7_after_a_rebind_the_device_hears_of_its_keys_under_its_new_public_key)
{
	start(NAFKC_ANY);
	given(BTID, DEVICE, key_a);
	given(BTID2, DEVICE, key_a);
	order("key-invalidate", "{" TRIPLE "}");
	order("device-rebind", ID);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_b);
	said_refused(&s, 410, "gone");
	ask_state(&w, &s, BTID2, DEVICE, NULL, key_b);
	ck_assert_int_eq(s.status, 200);
	given("c@bsf.example.org", DEVICE, key_b);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_b);
	said_refused(&s, 410, "gone");
	ask_state(&w, &s, BTID2, DEVICE, NULL, key_b);
	ck_assert_int_eq(s.status, 200);
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	said_refused(&s, 404, "not-found");
	ask_state(&w, &s, BTID2, DEVICE, NULL, key_a);
	said_refused(&s, 404, "not-found");
	finish();
}
END_TEST

START_TEST(n2_a_device_id_with_another_public_key_is_refused_and_audited)
{
	start(NAFKC_ANY);
	given(BTID, DEVICE, key_a);
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_b);
	said_refused(&s, 403, "refused");
	order("audit", "{\"limit\":1}");
	ck_assert_str_eq(at("audit", 0, "event"), "refused");
	ck_assert_str_eq(at("audit", 0, "reason"), "ua-other-key");
	ck_assert_str_eq(at("audit", 0, "device_id"), DEVICE);
	ck_assert_str_eq(at("audit", 0, "subject"), "CN=device 0b");
	finish();
}
END_TEST

static void
one_more_lives(const char *device_id, const uint8_t *spki)
{
	struct nafkc_device d = { .state = NAFKC_DEVICE_SEEN, .bound = true };
	struct nafkc_key k = { .kcv = "0123456789ab", .bound = true, .issued_s = clock_now_s(w.clock) };
	uint8_t octets[KS_LEN] = { 1 };
	struct secret *ks;

	k.triple.naf_id = w.naf_ids[0];
	ck_ok(btid_parse(span_str(BTID), &k.triple.btid));
	ck_ok(device_id_parse(span_str(device_id), &k.triple.device_id));
	d.id = k.triple.device_id;
	memcpy(d.spki, spki, sizeof d.spki);
	memcpy(k.spki, spki, sizeof k.spki);
	k.expires_s = k.ks_expires_s = k.issued_s + 600;
	ck_ok(secret_from(span_of(octets, sizeof octets), &ks));
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_put_device(w.store, &d));
	ck_ok(nafkc_store_put_key(w.store, &k, ks));
	ck_ok(store_end(w.store, true));
	secret_free(ks);
}

/* A device that takes a new random Device_ID each time has many, of which few live. */
START_TEST(device_ids_with_a_live_key_are_limited_per_public_key)
{
	world_new(&w, NULL);
	w.conf.device_ids_max = 2;
	w.conf.key_lifetime_max_s = 600;
	w.conf.devices = NAFKC_ANY;
	start_ctl();
	given(BTID, "d1", key_a);
	pass(&w, 300 * 1000);
	given(BTID, "d2", key_a);
	given(BTID2, "d2", key_a);		/* the same one */
	ask(&w, &s, form(BTID, "d3", NULL), key_a);
	said_refused(&s, 403, "refused");
	ck_assert(log_has("ua-device-ids"));
	given(BTID, "d3", key_b);
	pass(&w, 301 * 1000);			/* d1's is over */
	given(BTID, "d4", key_a);
	ask(&w, &s, form(BTID, "d1", NULL), key_a);	/* bound, and not alive */
	said_refused(&s, 403, "refused");
	given(BTID, "d2", key_a);
	/* more than are allowed, as after the limit was lowered: what it has it may fetch again, and nothing beside */
	one_more_lives("d5", key_a);
	given(BTID, "d2", key_a);
	ask(&w, &s, form(BTID, "d6", NULL), key_a);
	said_refused(&s, 403, "refused");
	finish();
}
END_TEST

/* All or nothing, and answered only when it is kept. */
START_TEST(a_block_that_cannot_be_kept_changes_nothing)
{
	sqlite3 *db;

	tmpdir_make();
	world_new(&w, tmpdir_file("nafkcd.db"));
	start_ctl();
	given(BTID, DEVICE, key_a);
	ck_assert(sqlite3_open(w.store_path, &db) == SQLITE_OK);
	ck_assert(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
	send_op("device-block", ID);
	pass(&w, 1000);
	ck_assert_int_eq(got.n, 1);
	ck_assert_int_ne(got.why, REASON_NONE);
	ck_assert(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	order("block-list", "{}");
	ck_assert_uint_eq(n_of("blocks"), 0);
	order("key-list", "{\"all\":true}");
	ck_assert_str_eq(at("keys", 0, "state"), "active");
	order("audit", "{\"limit\":1}");
	ck_assert_str_eq(at("audit", 0, "event"), "key-given");
	finish();
	tmpdir_remove();
}
END_TEST

static const struct {
	const char *op, *body;
} bad[] = {
	{ "device-block", "{}" },
	{ "device-block", "{\"device_id\":\"d\",\"spki\":\"" SPKI_A "\"}" },
	{ "device-block", "{\"device_id\":\"has blank\"}" },
	{ "device-block", "{\"device_id\":7}" },
	{ "device-block", "{\"spki\":7}" },
	{ "device-block", "{\"spki\":\"0a\"}" },
	{ "device-block", "{\"spki\":\"" SPKI_A "0a\"}" },
	{ "device-block", "{\"issuer\":\"0000000000000000000000000000000000000000000000000000000000000000\"}" },
	{ "device-unblock", "{}" },
	{ "key-invalidate", "{}" },
	{ "key-invalidate", "{\"btid\":\"noat\",\"device_id\":\"d\"}" },
	{ "key-invalidate", "{\"btid\":\"" BTID "\"}" },
	{ "key-invalidate", "{" TRIPLE ",\"naf_id\":\"other.example.org\"}" },
	{ "key-limit", "{" TRIPLE "}" },
	{ "key-limit", "{" TRIPLE ",\"expires\":\"soon\"}" },
	{ "key-limit", "{" TRIPLE ",\"expires\":7}" },
	{ "device-limit", "{\"device_id\":\"" DEVICE "\"}" },
	{ "device-limit", "{\"expires\":\"2027-01-15T09:00:00Z\"}" },
};

START_TEST(bad_operations_are_usage_and_change_nothing)
{
	start(NAFKC_ANY);
	given(BTID, DEVICE, key_a);
	refused(bad[_i].op, bad[_i].body, REASON_CTL_USAGE);
	order("key-list", "{\"all\":true}");
	ck_assert_uint_eq(n_of("keys"), 1);
	ck_assert_str_eq(at("keys", 0, "state"), "active");
	finish();
}
END_TEST

/* Of several NAF_IDs one must be named, by either name. */
START_TEST(a_key_is_named_with_its_naf_id_where_there_are_several)
{
	world_new(&w, NULL);
	w.conf.n_naf_ids = 2;
	start_ctl();
	ask(&w, &s, form(BTID, DEVICE, "second.example.org"), key_a);
	ck_assert_int_eq(s.status, 200);
	refused("key-invalidate", "{" TRIPLE "}", REASON_CTL_USAGE);
	refused("key-invalidate", "{" TRIPLE ",\"naf_id\":\"nafkc.example.org\"}", REASON_UA_KEY_UNKNOWN);
	order("key-invalidate", _i == 0 ? "{" TRIPLE ",\"naf_id\":\"second.example.org\"}" :
	    "{" TRIPLE ",\"naf_id\":\"second.example.org/0100000002\"}");
	ck_assert_int_eq(ended(), 1);
	finish();
}
END_TEST

/* --- a store of an earlier build */

static void
put_old_rows(const char *path)
{
	static const char rows[] =
	    "INSERT INTO device VALUES ('blocked', 2, X'0a00000000000000000000000000000000000000000000000000000000000000', 77, 'CN=x');"
	    "INSERT INTO device VALUES ('good', 1, X'0b00000000000000000000000000000000000000000000000000000000000000', 0, 'CN=y');"
	    "INSERT INTO key VALUES ('nafkc.example.org/0100000002', '" BTID "', 'blocked', X'00', '0123456789ab', 1800000000, 1800003600,"
	    " 'active', X'0a00000000000000000000000000000000000000000000000000000000000000');"
	    "INSERT INTO key VALUES ('nafkc.example.org/0100000002', '" BTID "', 'good', X'00', '0123456789ab', 1800000000, 1800003600,"
	    " 'active', X'0b00000000000000000000000000000000000000000000000000000000000000');"
	    "INSERT INTO audit (at, event, reason, device_id, btid, naf_id, kcv, expires, spki, subject)"
	    " VALUES (1800000000, 'device-blocked', '', 'blocked', '', '', '', 0, NULL, '');";
	sqlite3 *db;

	ck_assert(sqlite3_open(path, &db) == SQLITE_OK);
	ck_assert(sqlite3_exec(db, rows, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

START_TEST(a_store_of_an_earlier_build_opens_and_its_blocks_hold)
{
	struct store_schema first = nafkc_store_schema;
	struct store *st;

	tmpdir_make();
	world_new(&w, tmpdir_file("new.db"));
	first.n_migrations = 1;
	first.n_sql = 0;
	ck_ok(store_open(tmpdir_file("old.db"), &first, w.store_key, &st));
	store_close(st);
	put_old_rows(tmpdir_file("old.db"));
	world_kill_core(&w);
	snprintf(w.store_path, sizeof w.store_path, "%s", tmpdir_file("old.db"));
	world_open_store(&w);
	w.conf.devices = NAFKC_ANY;
	start_ctl();
	order("block-list", "{}");
	ck_assert_uint_eq(n_of("blocks"), 1);
	ck_assert_str_eq(at("blocks", 0, "value"), "blocked");
	ck_assert_str_eq(at("blocks", 0, "at"), "");
	order("key-list", "{\"all\":true}");
	ck_assert_uint_eq(n_of("keys"), 2);
	ck_assert_str_eq(at("keys", 0, "device_id"), "good");
	ck_assert_str_eq(at("keys", 1, "device_id"), "blocked");
	ck_assert_str_eq(at("keys", 1, "state"), "blocked");
	ask_state(&w, &s, BTID, "blocked", NULL, key_a);
	said_refused(&s, 410, "gone");
	ask(&w, &s, form(BTID2, "new", NULL), key_a);		/* its public key is barred */
	said_refused(&s, 403, "refused");
	ask_state(&w, &s, BTID, "good", NULL, key_b);
	ck_assert_int_eq(s.status, 200);
	/* no Ks expiry was kept: the tombstone lasts as long as the key would have */
	order("key-invalidate", "{\"btid\":\"" BTID "\",\"device_id\":\"good\"}");
	order("key-list", "{\"all\":true}");
	for (size_t i = 0; i < 2; i++)
		ck_assert_str_eq(at("keys", i, "expires"), "2027-01-15T09:00:00Z");
	order("device-list", "{}");
	ck_assert_str_eq(at("devices", 0, "state"), "blocked");
	ck_assert_str_eq(at("devices", 0, "lifetime_max"), "77s");
	order("device-unblock", "{\"device_id\":\"blocked\"}");
	order("device-list", "{}");
	ck_assert_str_eq(at("devices", 0, "state"), "seen");
	finish();
	tmpdir_remove();
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("nafkc_revoke");
	TCase *t = tcase_create("revoke");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, n8_an_invalidated_key_is_gone_and_the_same_request_does_not_bring_it_back);
	tcase_add_test(t, n8_a_tombstone_stays_until_its_ks_expires_t1);
	tcase_add_test(t, n8_not_even_the_sealed_key_is_left_in_the_file);
	tcase_add_test(t, n9_a_limit_shortens_and_never_lengthens);
	tcase_add_test(t, n9_a_device_is_limited_in_all_its_live_keys);
	tcase_add_test(t, n1_a_blocked_public_key_is_refused_with_all_its_device_ids);
	tcase_add_test(t, n1_a_blocked_issuer_takes_the_keys_of_all_its_certificates);
	tcase_add_test(t, n8_very_many_keys_of_an_issuer_end_in_slices);
	tcase_add_test(t, n8_what_is_still_to_end_is_not_forgotten_in_a_crash);
	tcase_add_test(t, a_key_fetched_again_with_another_certificate_is_its_issuers);
	tcase_add_test(t, a_blocked_device_ids_key_stays_barred_after_a_rebind);
	tcase_add_loop_test(t, who_is_blocked_between_bir_and_bia_gets_no_key, 0, 3);
	tcase_add_test(t, a_device_id_that_nobody_ever_saw_can_be_blocked);
	tcase_add_test(t, a_key_that_waits_for_its_new_public_key_goes_with_that_ones_block);
	tcase_add_test(t, n7_after_a_rebind_the_device_hears_of_its_keys_under_its_new_public_key);
	tcase_add_test(t, n2_a_device_id_with_another_public_key_is_refused_and_audited);
	tcase_add_test(t, device_ids_with_a_live_key_are_limited_per_public_key);
	tcase_add_test(t, a_block_that_cannot_be_kept_changes_nothing);
	tcase_add_loop_test(t, bad_operations_are_usage_and_change_nothing, 0, TABLE_N(bad));
	tcase_add_loop_test(t, a_key_is_named_with_its_naf_id_where_there_are_several, 0, 2);
	tcase_add_test(t, a_store_of_an_earlier_build_opens_and_its_blocks_hold);
	suite_add_tcase(su, t);
	return unit_run(su);
}
