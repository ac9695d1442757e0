/* store: the device's verbs: K2 by rows, T1, seals, and a store that is not ours. */
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "extdevd/extdev.h"
#include "extdevd/store.h"
#include "common/log.h"
#include "common/sql.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

#define NOW 1000
#define NAF "nafkc.example.org/0100000002"
#define B1 "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.org"
#define B2 "AQEBAQEBAQEBAQEBAQEBAQ==@bsf.example.org"
#define B3 "AgICAgICAgICAgICAgICAg==@bsf.example.org"

static struct store *st;
static struct secret *store_key;
static const struct mt_id mt1 = { "0123456789abcdef0123456789abcdef" }, mt2 = { "fedcba9876543210fedcba9876543210" };

static void
no_log(enum log_level level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

static void
setup(void)
{
	log_capture(no_log, NULL);
	ck_ok(secret_new(32, &store_key));
	ck_ok(store_open(":memory:", &extdev_store_schema, store_key, &st));
	ck_ok(store_begin(st));
}

static void
teardown(void)
{
	ck_ok(store_end(st, true));
	ck_ok(store_commit(st));
	store_close(st);
	secret_free(store_key);
}

static struct extdev_request
request(const struct mt_id *mt, const char *btid)
{
	struct extdev_request r = { .mt_id = *mt, .challenge = "AAEC", .run = { "0011" }, .scenario = 2, .fresh = true };

	ck_ok(naf_id_parse(span_str(NAF), &r.triple.naf_id));
	ck_ok(btid_parse(span_str(btid), &r.triple.btid));
	ck_ok(device_id_parse(span_str("device-1"), &r.triple.device_id));
	return r;
}

static struct extdev_key
key(const struct mt_id *mt, const char *btid, int which, int64_t expires_s)
{
	struct extdev_key k = { .from = request(mt, btid), .expires_s = expires_s, .state = EXTDEV_WAITING, .owed = true };

	ck_ok(secret_new(KS_LEN, &k.ks));
	memset(secret_bytes(k.ks), which, KS_LEN);
	return k;
}

static enum rc
put(const struct mt_id *mt, const char *btid, int which, int64_t expires_s)
{
	struct extdev_key k = key(mt, btid, which, expires_s);
	enum rc rc = extdev_store_put_key(st, &k, NOW);

	extdev_key_clear(&k);
	return rc;
}

/* The B-TIDs' first letters in order, by MT; capital = confirmed. */
static enum rc
letter(void *arg, const struct extdev_key *k)
{
	char *s = arg, c = k->from.triple.btid.s[1];		/* A, Q, g */

	s[strlen(s)] = (char)(c == 'A' ? '1' : c == 'Q' ? '2' : '3');
	if (k->state == EXTDEV_CONFIRMED)
		s[strlen(s)] = '!';
	if (k->owed)
		s[strlen(s)] = '+';
	return RC_OK;
}

static const char *
keys(int64_t now_s)
{
	static char s[64];

	memset(s, 0, sizeof s);
	ck_ok(extdev_store_each_key(st, now_s, letter, s));
	return s;
}

static void
confirm(const struct mt_id *mt, const char *btid)
{
	struct extdev_request r = request(mt, btid);

	ck_ok(extdev_store_confirm(st, mt, &r.triple));
}

START_TEST(self_and_mts)
{
	struct device_id id, got;
	struct mt_id m;

	untouched_fill(&got, sizeof got);
	ck_rc(extdev_store_get_self(st, &got), RC_NOTFOUND);
	ck_assert(untouched(&got, sizeof got));
	ck_ok(device_id_parse(span_str("urn:uuid:6f1d1c1e-0000-4000-8000-000000000001"), &id));
	ck_ok(extdev_store_put_self(st, &id));
	ck_ok(extdev_store_get_self(st, &got));
	ck_assert_str_eq(got.s, id.s);
	ck_rc(extdev_store_get_mt(st, "phone", &m), RC_NOTFOUND);
	ck_ok(extdev_store_put_mt(st, "phone", &mt1));
	ck_ok(extdev_store_put_mt(st, "tablet", &mt2));
	ck_ok(extdev_store_put_mt(st, "phone", &mt2));
	ck_ok(extdev_store_get_mt(st, "phone", &m));
	ck_assert_str_eq(m.s, mt2.s);
}
END_TEST

START_TEST(N6_one_request_per_MT)
{
	struct extdev_request r = request(&mt1, B1), other = request(&mt2, B3), got;

	ck_rc(extdev_store_get_request(st, &mt1, &got), RC_NOTFOUND);
	ck_ok(extdev_store_put_request(st, &r));
	ck_ok(extdev_store_put_request(st, &other));
	ck_ok(extdev_store_get_request(st, &mt1, &got));
	ck_assert(triple_eq(&got.triple, &r.triple));
	ck_assert_str_eq(got.challenge, "AAEC");
	ck_assert_str_eq(got.run.s, "0011");
	ck_assert_int_eq(got.scenario, 2);
	ck_assert(got.fresh);
	r = request(&mt1, B2);
	ck_ok(extdev_store_put_request(st, &r));
	ck_ok(extdev_store_get_request(st, &mt1, &got));
	ck_assert_str_eq(got.triple.btid.s, B2);
	ck_ok(extdev_store_delete_request(st, &mt1));
	ck_ok(extdev_store_delete_request(st, &mt1));
	ck_rc(extdev_store_get_request(st, &mt1, &got), RC_NOTFOUND);
	ck_ok(extdev_store_get_request(st, &mt2, &got));
}
END_TEST

START_TEST(K2_one_in_use_one_waiting)
{
	ck_ok(put(&mt1, B1, 1, 2000));
	confirm(&mt1, B1);
	ck_assert_str_eq(keys(NOW), "1!");
	ck_ok(put(&mt1, B2, 2, 2000));
	ck_assert_str_eq(keys(NOW), "1!2+");
	ck_ok(put(&mt1, B3, 3, 2000));		/* the third replaces the waiting one */
	ck_assert_str_eq(keys(NOW), "1!3+");
	confirm(&mt1, B3);
	ck_assert_str_eq(keys(NOW), "3!");
}
END_TEST

/* Without proofs the oldest is the one in use. */
START_TEST(K2_without_any_proof)
{
	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(put(&mt1, B2, 2, 2000));
	ck_ok(put(&mt1, B3, 3, 2000));
	ck_assert_str_eq(keys(NOW), "1+3+");
}
END_TEST

/* One that is over is not in use. */
START_TEST(K2_an_expired_key_is_not_in_use)
{
	ck_ok(put(&mt1, B1, 1, NOW));
	ck_ok(put(&mt1, B2, 2, 2000));
	ck_ok(put(&mt1, B3, 3, 2000));
	ck_assert_str_eq(keys(NOW), "2+3+");
	ck_assert_str_eq(keys(0), "2+3+");
}
END_TEST

START_TEST(K2_MTs_do_not_meet)
{
	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(put(&mt2, B1, 1, 2000));
	ck_ok(put(&mt2, B2, 2, 2000));
	confirm(&mt2, B2);
	ck_assert_str_eq(keys(NOW), "1+2!");
}
END_TEST

START_TEST(the_same_triple_again)
{
	struct extdev_key k;

	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(put(&mt1, B1, 2, 3000));		/* another key, but nothing was proved yet */
	ck_ok(extdev_store_get_key(st, &mt1, NOW, &k));
	ck_assert_uint_eq(secret_span(k.ks).p[0], 2);
	extdev_key_clear(&k);
	confirm(&mt1, B1);
	ck_ok(put(&mt1, B1, 2, 4000));		/* the same key: confirmed it stays */
	ck_assert_str_eq(keys(NOW), "1!+");
	ck_ok(extdev_store_get_key(st, &mt1, NOW, &k));
	ck_assert_int_eq(k.expires_s, 4000);
	extdev_key_clear(&k);
	ck_rc(put(&mt1, B1, 3, 5000), RC_EXISTS);
	ck_ok(extdev_store_get_key(st, &mt1, NOW, &k));
	ck_assert_uint_eq(secret_span(k.ks).p[0], 2);
	ck_assert_int_eq(k.expires_s, 4000);
	extdev_key_clear(&k);
}
END_TEST

START_TEST(which_key_is_used)
{
	struct extdev_key k;

	ck_rc(extdev_store_get_key(st, &mt1, NOW, &k), RC_NOTFOUND);
	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(put(&mt1, B2, 2, 2000));
	ck_ok(extdev_store_get_key(st, &mt1, NOW, &k));		/* the newest, when none is confirmed */
	ck_assert_str_eq(k.from.triple.btid.s, B2);
	extdev_key_clear(&k);
	confirm(&mt1, B1);
	ck_ok(put(&mt1, B2, 2, 2000));
	ck_ok(extdev_store_get_key(st, &mt1, NOW, &k));
	ck_assert_str_eq(k.from.triple.btid.s, B1);
	ck_assert_str_eq(k.from.triple.device_id.s, "device-1");	/* K5 */
	ck_assert_uint_eq(secret_span(k.ks).n, KS_LEN);
	extdev_key_clear(&k);
	ck_ok(extdev_store_get_owed(st, &mt1, NOW, &k));
	ck_assert_str_eq(k.from.triple.btid.s, B2);
	extdev_key_clear(&k);
	ck_assert_ptr_null(k.ks);
}
END_TEST

START_TEST(K3_K4_settled_and_dropped)
{
	struct extdev_request r = request(&mt1, B1), none = request(&mt1, B3);
	struct extdev_key k;

	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(extdev_store_settle(st, &mt1, &r.triple));
	ck_assert_str_eq(keys(NOW), "1");
	ck_rc(extdev_store_get_owed(st, &mt1, NOW, &k), RC_NOTFOUND);
	ck_ok(extdev_store_drop_waiting(st, &mt1, &r.triple));
	ck_assert_str_eq(keys(NOW), "");
	ck_ok(put(&mt1, B1, 1, 2000));
	confirm(&mt1, B1);
	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(extdev_store_drop_waiting(st, &mt1, &r.triple));		/* confirmed: it stays */
	ck_assert_str_eq(keys(NOW), "1!");
	ck_rc(extdev_store_confirm(st, &mt1, &none.triple), RC_NOTFOUND);
	ck_rc(extdev_store_settle(st, &mt1, &none.triple), RC_NOTFOUND);
	ck_assert_str_eq(keys(NOW), "1!");
}
END_TEST

START_TEST(T1_from_the_moment_of_expiry_on)
{
	struct extdev_key k;

	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(extdev_store_get_key(st, &mt1, 1999, &k));
	extdev_key_clear(&k);
	ck_rc(extdev_store_get_key(st, &mt1, 2000, &k), RC_NOTFOUND);
	ck_rc(extdev_store_get_owed(st, &mt1, 2000, &k), RC_NOTFOUND);
	ck_assert_str_eq(keys(2000), "");
}
END_TEST

START_TEST(T1_purge_by_slices)
{
	char btid[64];
	struct mt_id m = mt1;
	unsigned n = 99;

	ck_assert(extdev_store_next_expiry(st) == INT64_MAX);
	for (int i = 0; i < 5; i++) {
		m.s[0] = (char)('0' + i);
		(void)snprintf(btid, sizeof btid, "x%d@bsf.example.org", i);
		ck_ok(put(&m, btid, i, 2000 + i));
	}
	ck_assert_int_eq(extdev_store_next_expiry(st), 2000);
	ck_ok(extdev_store_purge(st, 2003, 3, &n));
	ck_assert_uint_eq(n, 3);
	ck_ok(extdev_store_purge(st, 2003, 3, &n));
	ck_assert_uint_eq(n, 1);
	ck_ok(extdev_store_purge(st, 2003, 3, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(extdev_store_next_expiry(st), 2004);
}
END_TEST

START_TEST(forgetting)
{
	struct extdev_request r = request(&mt1, B3), got;
	struct extdev_which all = { .mt_id = NULL }, one = { .btid = B1 }, at2 = { .mt_id = mt2.s, .naf_id = NAF, .device_id = "device-1" };
	int n = 99;

	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(put(&mt2, B1, 1, 2000));
	ck_ok(put(&mt2, B2, 1, 2000));
	ck_ok(extdev_store_put_request(st, &r));
	ck_ok(extdev_store_forget(st, &(struct extdev_which){ .btid = "nobody@bsf.example.org" }, &n));
	ck_assert_int_eq(n, 0);
	ck_ok(extdev_store_forget(st, &one, &n));
	ck_assert_int_eq(n, 2);
	ck_ok(extdev_store_get_request(st, &mt1, &got));
	ck_ok(extdev_store_forget(st, &at2, &n));
	ck_assert_int_eq(n, 1);
	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(extdev_store_forget(st, &all, &n));
	ck_assert_int_eq(n, 1);
	ck_rc(extdev_store_get_request(st, &mt1, &got), RC_NOTFOUND);
}
END_TEST

static void
spoil(const char *sql)
{
	ck_assert_int_eq(sqlite3_exec(sqlite3_db_handle(store_stmt(st, 0)), sql, NULL, NULL, NULL), SQLITE_OK);
}

/* A row that was moved, or edited, does not open. */
static const struct {
	const char *sql;
	enum rc rc;
} spoilt[] = {
	{ "UPDATE key SET btid = '" B2 "'", RC_DENIED },
	{ "UPDATE key SET device_id = 'device-2'", RC_DENIED },
	{ "UPDATE key SET naf_id = 'other.example.org/0100000002'", RC_DENIED },
	{ "UPDATE key SET ks = zeroblob(65)", RC_DENIED },
	{ "UPDATE key SET ks = x''", RC_DENIED },
	{ "UPDATE key SET btid = 'no btid'", RC_IO },
	{ "UPDATE key SET naf_id = 'no naf'", RC_IO },
	{ "UPDATE key SET device_id = 'has blank'", RC_IO },
	{ "UPDATE key SET run = '0123456789abcdef0123456789abcdef'", RC_IO },
};

START_TEST(rows_are_judged)
{
	struct extdev_key k;
	char s[64] = "";

	ck_ok(put(&mt1, B1, 1, 2000));
	spoil(spoilt[_i].sql);
	memset(&k, 0, sizeof k);
	ck_rc(extdev_store_get_key(st, &mt1, NOW, &k), spoilt[_i].rc);
	ck_assert_ptr_null(k.ks);
	ck_rc(extdev_store_each_key(st, NOW, letter, s), spoilt[_i].rc);
}
END_TEST

/* A key whose seal does not open is replaced by what the Key Center gives. */
START_TEST(a_sealed_key_that_does_not_open_is_replaced)
{
	struct extdev_key k;

	ck_ok(put(&mt1, B1, 1, 2000));
	spoil("UPDATE key SET ks = zeroblob(65)");
	ck_ok(put(&mt1, B1, 1, 2000));
	ck_ok(extdev_store_get_key(st, &mt1, NOW, &k));
	extdev_key_clear(&k);
}
END_TEST

/* K12: the pseudonym that came with a key is the MT's once that key is confirmed, one for each Key Center. */
static enum rc
collect(void *arg, const struct mt_id *mt, const struct naf_id *naf, const char *pseudonym)
{
	char *out = arg, text[NAF_ID_TEXT_MAX + 1];

	naf_id_print(naf, text);
	(void)snprintf(out + strlen(out), 300 - strlen(out), "%.4s %s %s;", mt->s, text, pseudonym);
	return RC_OK;
}

START_TEST(K12_pseudonyms)
{
	char known[UAXML_PSEUDONYM_MAX + 1], all[300] = "";
	struct extdev_key k = key(&mt1, B1, 1, 2000);
	struct naf_id naf;

	ck_ok(naf_id_parse(span_str(NAF), &naf));
	(void)snprintf(k.pseudonym, sizeof k.pseudonym, "AAECAwQFBgcICQoLDA0ODw");
	ck_ok(extdev_store_put_key(st, &k, NOW));
	extdev_key_clear(&k);
	untouched_fill(known, sizeof known);
	ck_rc(extdev_store_get_pseudonym(st, &mt1, &naf, known), RC_NOTFOUND);
	ck_assert(untouched(known, sizeof known));
	confirm(&mt1, B1);
	ck_ok(extdev_store_get_pseudonym(st, &mt1, &naf, known));
	ck_assert_str_eq(known, "AAECAwQFBgcICQoLDA0ODw");
	ck_rc(extdev_store_get_pseudonym(st, &mt2, &naf, known), RC_NOTFOUND);
	ck_ok(put(&mt2, B2, 2, 2000));		/* none came with this one */
	confirm(&mt2, B2);
	ck_ok(extdev_store_get_pseudonym(st, &mt2, &naf, known));
	ck_assert_str_eq(known, "");
	ck_ok(extdev_store_each_pseudonym(st, collect, all));
	ck_assert_str_eq(all, "0123 " NAF " AAECAwQFBgcICQoLDA0ODw;fedc " NAF " ;");
	/* it outlives the key */
	ck_ok(extdev_store_delete_key(st, &mt1, &(struct triple){ naf, { B1 }, { "device-1" } }));
	ck_ok(extdev_store_get_pseudonym(st, &mt1, &naf, known));
	ck_ok(extdev_store_drop_pseudonyms(st, mt1.s));
	ck_rc(extdev_store_get_pseudonym(st, &mt1, &naf, known), RC_NOTFOUND);
	ck_rc(extdev_store_drop_pseudonyms(st, mt1.s), RC_NOTFOUND);
}
END_TEST

/* N9: the earlier date holds. N10: when it was said is kept, and never goes back. */
START_TEST(N9_N10_what_the_Key_Center_says)
{
	struct extdev_request r = request(&mt1, B1);
	struct extdev_key k = { .ks = NULL };

	ck_rc(extdev_store_stand_by(st, &mt1, &r.triple, NOW, 3000, ""), RC_NOTFOUND);
	ck_rc(extdev_store_delete_key(st, &mt1, &r.triple), RC_NOTFOUND);
	ck_assert_int_eq(extdev_store_least_sure(st, NOW, 0), INT64_MAX);
	ck_ok(put(&mt1, B1, 1, 2000));
	ck_assert_int_eq(extdev_store_least_sure(st, NOW, 0), 0);
	ck_ok(extdev_store_stand_by(st, &mt1, &r.triple, NOW, 3000, "\"one\""));
	ck_ok(extdev_store_find_key(st, &mt1, &r.triple, &k));
	ck_assert_int_eq(k.expires_s, 2000);
	ck_assert_int_eq(k.sure_s, NOW);
	ck_assert_str_eq(k.etag, "\"one\"");
	extdev_key_clear(&k);
	ck_ok(extdev_store_stand_by(st, &mt1, &r.triple, NOW - 10, 1500, ""));
	ck_ok(extdev_store_find_key(st, &mt1, &r.triple, &k));
	ck_assert_int_eq(k.expires_s, 1500);
	ck_assert_int_eq(k.sure_s, NOW);
	extdev_key_clear(&k);
	ck_assert_int_eq(extdev_store_least_sure(st, NOW, 0), NOW);
	ck_assert_int_eq(extdev_store_least_sure(st, NOW, NOW), NOW);
	ck_assert_int_eq(extdev_store_least_sure(st, NOW, NOW + 1), INT64_MAX);
	ck_assert_int_eq(extdev_store_least_sure(st, 1500, 0), INT64_MAX);
	ck_ok(extdev_store_delete_key(st, &mt1, &r.triple));
	ck_assert_str_eq(keys(0), "");
}
END_TEST

/* The store of the first release: its key is there, and nothing is known of what came later. */
START_TEST(a_store_of_before_opens)
{
	struct store_schema first = { .daemon = extdev_store_schema.daemon, .migrations = extdev_store_schema.migrations, .n_migrations = 1 };
	struct extdev_key k = key(&mt1, B1, 1, 2000), got = { .ks = NULL };
	uint8_t pk[300], sealed[SEALED_LEN(KS_LEN)];
	const char *parts[] = { mt1.s, NAF, B1, "device-1" };
	const char *path;
	struct store *old;
	sqlite3 *db;
	sqlite3_stmt *q;
	size_t n, n_pk;

	tmpdir_make();
	path = tmpdir_file("old.db");
	ck_ok(store_open(path, &first, store_key, &old));
	ck_ok(sql_pk(parts, 4, pk, sizeof pk, &n_pk));
	ck_ok(store_seal(old, "key", "ks", span_of(pk, n_pk), k.ks, sealed, sizeof sealed, &n));
	store_close(old);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "INSERT INTO key (mt_id, naf_id, btid, device_id, ks, expires, state, owed, challenge, run, scenario, fresh)"
	    " VALUES ('0123456789abcdef0123456789abcdef', '" NAF "', '" B1 "', 'device-1', ?1, 2000, 1, 0, '', '', 1, 0)", -1, &q, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_bind_blob(q, 1, sealed, (int)n, SQLITE_TRANSIENT), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(q), SQLITE_DONE);
	ck_assert_int_eq(sqlite3_finalize(q), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_ok(store_open(path, &extdev_store_schema, store_key, &old));
	ck_ok(extdev_store_get_key(old, &mt1, NOW, &got));
	ck_assert(secret_eq(got.ks, k.ks));
	ck_assert_int_eq(got.sure_s, 0);
	ck_assert_str_eq(got.etag, "");
	ck_assert_str_eq(got.pseudonym, "");
	store_close(old);
	extdev_key_clear(&k);
	extdev_key_clear(&got);
	tmpdir_remove();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("verbs");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, self_and_mts);
	tcase_add_test(t, N6_one_request_per_MT);
	tcase_add_test(t, K2_one_in_use_one_waiting);
	tcase_add_test(t, K2_without_any_proof);
	tcase_add_test(t, K2_an_expired_key_is_not_in_use);
	tcase_add_test(t, K2_MTs_do_not_meet);
	tcase_add_test(t, the_same_triple_again);
	tcase_add_test(t, which_key_is_used);
	tcase_add_test(t, K3_K4_settled_and_dropped);
	tcase_add_test(t, T1_from_the_moment_of_expiry_on);
	tcase_add_test(t, T1_purge_by_slices);
	tcase_add_test(t, forgetting);
	tcase_add_loop_test(t, rows_are_judged, 0, TABLE_N(spoilt));
	tcase_add_test(t, a_sealed_key_that_does_not_open_is_replaced);
	tcase_add_test(t, K12_pseudonyms);
	tcase_add_test(t, N9_N10_what_the_Key_Center_says);
	tcase_add_test(t, a_store_of_before_opens);
	suite_add_tcase(s, t);
	return unit_run(s);
}
