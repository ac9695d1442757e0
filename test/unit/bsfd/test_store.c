/* bsfd store: B1, T1, TMPIs, and what B4's generation notices. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bsfd/policy.h"
#include "bsfd/store_sql.h"
#include "test/unit/bsfd/fixture.h"

static struct fix f;
static struct secret *k, *opc, *ks;

static void
setup(void)
{
	fix_open(&f, ":memory:");
	ck_ok(hex_parse_secret(span_str(K_HEX), 16, &k));
	ck_ok(hex_parse_secret(span_str(OPC_HEX), 16, &opc));
	ck_ok(secret_new(KS_LEN, &ks));
	secret_bytes(ks)[0] = 7;
	ck_ok(store_begin(f.store));
}

static void
teardown(void)
{
	ck_ok(store_end(f.store, true));
	secret_free(k);
	secret_free(opc);
	secret_free(ks);
	fix_close(&f);
}

static struct bsf_subscriber
subscriber(const char *impi, const char *imsi)
{
	struct bsf_subscriber s = { .amf = { 0x80, 0 }, .sqn = 96, .gba_u = true, .ks_lifetime_s = 60 };

	snprintf(s.impi.s, sizeof s.impi.s, "%s", impi);
	snprintf(s.imsi.s, sizeof s.imsi.s, "%s", imsi);
	return s;
}

static struct bsf_bootstrap
run_of(const char *impi, unsigned i, int64_t expires_s)
{
	struct bsf_bootstrap b = { .created_s = 1000, .expires_s = expires_s, .type = BSF_GBA_U };

	snprintf(b.impi.s, sizeof b.impi.s, "%s", impi);
	b.rand[0] = (uint8_t)i;
	ck_ok(btid_make(b.rand, "bsf.example.org", &b.btid));
	return b;
}

/* Its subscriber is made when there is none yet. */
static enum rc
put_run(struct bsf_bootstrap *b, unsigned keep, const char *tmpi)
{
	static unsigned n;
	char imsi[16];
	struct bsf_subscriber s;

	if (bsf_store_get_subscriber(f.store, &b->impi, &s) == RC_NOTFOUND) {
		snprintf(imsi, sizeof imsi, "00102%010u", ++n);
		s = subscriber(b->impi.s, imsi);
		ck_ok(bsf_store_put_subscriber(f.store, &s, "", k, opc));
		ck_ok(bsf_store_get_subscriber(f.store, &b->impi, &s));
	}
	b->subscriber = s.number;
	return bsf_store_put_bootstrap(f.store, b, ks, keep, tmpi);
}

static enum rc
get(unsigned i, int64_t now_s)
{
	struct bsf_bootstrap b = run_of("", i, 0), got;
	struct secret *s = NULL;
	enum rc rc = bsf_store_get_bootstrap(f.store, &b.btid, now_s, &got, &s);

	if (rc == RC_OK) {
		ck_assert_str_eq(got.btid.s, b.btid.s);
		ck_assert_int_gt(got.subscriber, 0);
		ck_assert_uint_eq(got.rand[0], i);
		ck_assert_int_eq(got.type, BSF_GBA_U);
		ck_assert_int_eq(got.created_s, 1000);
		ck_assert(secret_eq(s, ks));
	} else
		ck_assert_ptr_null(s);
	secret_free(s);
	return rc;
}

START_TEST(subscriber_there_and_back)
{
	struct bsf_subscriber s = subscriber("a@x.org", "001010000000001"), got;
	struct secret *k2 = NULL, *opc2 = NULL;
	struct impi nobody = { "nobody@x.org" };
	char *uss = NULL;

	ck_ok(bsf_store_put_subscriber(f.store, &s, "[]", k, opc));
	ck_ok(bsf_store_get_subscriber(f.store, &s.impi, &got));
	ck_assert_str_eq(got.imsi.s, s.imsi.s);
	ck_assert_mem_eq(got.amf, s.amf, 2);
	ck_assert_uint_eq(got.sqn, 96);
	ck_assert(got.gba_u);
	ck_assert_int_eq(got.ks_lifetime_s, 60);
	ck_ok(bsf_store_get_credentials(f.store, &s.impi, &k2, &opc2));
	ck_assert(secret_eq(k, k2) && secret_eq(opc, opc2));
	ck_ok(bsf_store_get_uss(f.store, &s.impi, &uss));
	ck_assert_str_eq(uss, "[]");
	ck_rc(bsf_store_put_subscriber(f.store, &s, "", k, opc), RC_EXISTS);
	ck_rc(bsf_store_get_subscriber(f.store, &nobody, &got), RC_NOTFOUND);
	ck_rc(bsf_store_get_credentials(f.store, &nobody, &k2, &opc2), RC_NOTFOUND);
	ck_rc(bsf_store_get_uss(f.store, &nobody, &uss), RC_NOTFOUND);
	ck_rc(bsf_store_set_sqn(f.store, &nobody, 1), RC_NOTFOUND);
	ck_rc(bsf_store_delete_subscriber(f.store, &nobody), RC_NOTFOUND);
	s = subscriber("b@x.org", "001010000000001");
	ck_rc(bsf_store_put_subscriber(f.store, &s, "", k, opc), RC_EXISTS);	/* the IMSI is there */
	free(uss);
	secret_free(k2);
	secret_free(opc2);
}
END_TEST

START_TEST(a_key_copied_to_another_row_does_not_open)
{
	struct bsf_subscriber a = subscriber("a@x.org", "001010000000001"), b = subscriber("b@x.org", "001010000000002");
	struct secret *k2 = NULL, *opc2 = NULL;

	ck_ok(bsf_store_put_subscriber(f.store, &a, "", k, opc));
	ck_ok(bsf_store_put_subscriber(f.store, &b, "", k, opc));
	ck_assert_int_eq(sqlite3_exec(sqlite3_db_handle(store_stmt(f.store, 0)),
	    "UPDATE subscriber SET k = (SELECT k FROM subscriber WHERE impi = 'a@x.org') WHERE impi = 'b@x.org'", NULL, NULL, NULL),
	    SQLITE_OK);
	ck_rc(bsf_store_get_credentials(f.store, &b.impi, &k2, &opc2), RC_DENIED);
	ck_assert(k2 == NULL && opc2 == NULL);
}
END_TEST

START_TEST(B1_newest_eight_live_each_to_its_own_expiry)
{
	for (unsigned i = 1; i <= 10; i++) {
		struct bsf_bootstrap b = run_of("a@x.org", i, 2000 + (int64_t)i);

		ck_ok(put_run(&b, BSF_BTIDS_PER_IMPI, ""));
	}
	for (unsigned i = 1; i <= 10; i++)
		ck_rc(get(i, 2000), i <= 2 ? RC_NOTFOUND : RC_OK);
	ck_rc(get(3, 2002), RC_OK);
	ck_rc(get(3, 2003), RC_EXPIRED);	/* T1: from that moment on */
	ck_rc(get(4, 2003), RC_OK);
}
END_TEST

START_TEST(B1_one_btid)
{
	struct bsf_bootstrap a = run_of("a@x.org", 1, 2000), b = run_of("a@x.org", 2, 2000), c = run_of("c@x.org", 3, 2000);

	ck_ok(put_run(&c, 1, ""));
	ck_ok(put_run(&a, 1, ""));
	ck_ok(put_run(&b, 1, ""));
	ck_rc(get(1, 0), RC_NOTFOUND);
	ck_ok(get(2, 0));
	ck_ok(get(3, 0));
	ck_rc(put_run(&b, 1, ""), RC_EXISTS);
	b = run_of("a@x.org", 4, 2000);
	ck_ok(put_run(&b, 8, ""));
	ck_ok(get(2, 0));
}
END_TEST

START_TEST(a_btid_of_another_name_is_none_of_ours)
{
	struct bsf_bootstrap a = run_of("a@x.org", 1, 2000), got;
	struct secret *s = NULL;
	struct btid other;

	ck_ok(put_run(&a, 8, ""));
	ck_ok(btid_make(a.rand, "bsf.example.com", &other));
	ck_rc(bsf_store_get_bootstrap(f.store, &other, 0, &got, &s), RC_NOTFOUND);
	ck_ok(btid_parse(span_str("x@bsf.example.org"), &other));
	ck_rc(bsf_store_get_bootstrap(f.store, &other, 0, &got, &s), RC_NOTFOUND);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(T1_purge_in_slices)
{
	unsigned n = 0;

	ck_assert_int_eq(bsf_store_next_expiry(f.store), INT64_MAX);
	for (unsigned i = 1; i <= 5; i++) {
		char impi[32];
		struct bsf_bootstrap b;

		snprintf(impi, sizeof impi, "%u@x.org", i);
		b = run_of(impi, i, 2000 + (int64_t)i);
		ck_ok(put_run(&b, 8, ""));
	}
	ck_assert_int_eq(bsf_store_next_expiry(f.store), 2001);
	ck_ok(bsf_store_purge(f.store, 2003, 2, &n));
	ck_assert_uint_eq(n, 2);
	ck_ok(bsf_store_purge(f.store, 2003, 2, &n));
	ck_assert_uint_eq(n, 1);
	ck_ok(bsf_store_purge(f.store, 2003, 2, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(bsf_store_next_expiry(f.store), 2004);
	ck_rc(get(3, 2000), RC_NOTFOUND);
	ck_ok(get(4, 2000));
}
END_TEST

START_TEST(tmpi_newest_and_the_one_before)
{
	struct impi got;

	for (unsigned i = 1; i <= 3; i++) {
		struct bsf_bootstrap b = run_of("a@x.org", i, 2000);
		char tmpi[8];

		snprintf(tmpi, sizeof tmpi, "t%u", i);
		ck_ok(put_run(&b, 1, tmpi));
	}
	ck_rc(bsf_store_get_tmpi(f.store, "t1", &got), RC_NOTFOUND);
	ck_ok(bsf_store_get_tmpi(f.store, "t2", &got));
	ck_ok(bsf_store_get_tmpi(f.store, "t3", &got));
	ck_assert_str_eq(got.s, "a@x.org");
}
END_TEST

START_TEST(deleting_a_subscriber_takes_all_of_it)
{
	struct bsf_subscriber s = subscriber("a@x.org", "001010000000001");
	struct bsf_bootstrap mine = run_of("a@x.org", 1, 2000), other = run_of("b@x.org", 2, 2000);
	struct impi got;
	int64_t subscribers, bootstraps, nafs;

	ck_ok(bsf_store_put_subscriber(f.store, &s, "", k, opc));
	ck_ok(put_run(&mine, 8, "t1"));
	ck_ok(put_run(&other, 8, "t2"));
	ck_ok(bsf_store_delete_subscriber(f.store, &s.impi));
	ck_rc(get(1, 0), RC_NOTFOUND);
	ck_ok(get(2, 0));
	ck_rc(bsf_store_get_tmpi(f.store, "t1", &got), RC_NOTFOUND);
	ck_ok(bsf_store_get_tmpi(f.store, "t2", &got));
	ck_ok(bsf_store_count(f.store, &subscribers, &bootstraps, &nafs));
	ck_assert_int_eq(subscribers, 1);
	ck_assert_int_eq(bootstraps, 1);
	ck_assert_int_eq(nafs, 0);
}
END_TEST

START_TEST(lists_show_no_key)
{
	struct bsf_subscriber s = subscriber("a@x.org", "001010000000001");
	struct bsf_bootstrap b = run_of("a@x.org", 1, 2000), old = run_of("b@x.org", 2, 1500);
	json_t *subscribers = json_array(), *bootstraps = json_array();
	char *text;

	ck_ok(bsf_store_put_subscriber(f.store, &s, "", k, opc));
	ck_ok(put_run(&b, 8, ""));
	ck_ok(put_run(&old, 8, ""));
	ck_ok(bsf_store_delete_subscriber(f.store, &old.impi));
	ck_ok(bsf_store_list_subscribers(f.store, subscribers));
	ck_ok(bsf_store_list_bootstraps(f.store, 1500, bootstraps));
	text = json_dumps(subscribers, JSON_COMPACT);
	ck_assert_str_eq(text, "[{\"impi\":\"a@x.org\",\"imsi\":\"001010000000001\",\"iccid\":\"\",\"amf\":\"8000\",\"sqn\":96,"
	    "\"gba_u\":true,\"ks_lifetime\":60}]");
	free(text);
	text = json_dumps(bootstraps, JSON_COMPACT);
	ck_assert_str_eq(text, "[{\"btid\":\"AQAAAAAAAAAAAAAAAAAAAA==@bsf.example.org\",\"impi\":\"a@x.org\",\"type\":\"GBA_U\","
	    "\"created\":\"1970-01-01T00:16:40Z\",\"expires\":\"1970-01-01T00:33:20Z\"}]");
	free(text);
	json_decref(subscribers);
	json_decref(bootstraps);
}
END_TEST

static void
count_naf(const struct bsf_naf *naf, void *arg)
{
	struct bsf_naf *last = arg;

	*last = *naf;
	last->n_gsids++;	/* counts calls below */
}

START_TEST(naf_put_replaces)
{
	struct bsf_naf a = { .fqdn = "a.b", .n_protocols = 1, .n_peers = 1, .peers = { "c" } }, last = { .n_gsids = 0 };

	a.protocols[0].n = 5;
	ck_ok(bsf_store_put_naf(f.store, &a));
	a.impi = true;
	ck_ok(bsf_store_put_naf(f.store, &a));
	ck_ok(bsf_store_each_naf(f.store, count_naf, &last));
	ck_assert_uint_eq(last.n_gsids, 1);
	ck_assert(last.impi);
	ck_ok(bsf_store_delete_naf(f.store, "a.b"));
	ck_rc(bsf_store_delete_naf(f.store, "a.b"), RC_NOTFOUND);
}
END_TEST

START_TEST(a_damaged_naf_is_left_out)
{
	struct bsf_naf last = { .n_gsids = 0 };

	ck_assert_int_eq(sqlite3_exec(sqlite3_db_handle(store_stmt(f.store, 0)), "INSERT INTO naf VALUES ('a.b', '{}')", NULL, NULL, NULL),
	    SQLITE_OK);
	ck_ok(bsf_store_each_naf(f.store, count_naf, &last));
	ck_assert_uint_eq(last.n_gsids, 0);
	ck_assert_ptr_nonnull(strstr(fix_log, "NAF a.b is damaged"));
}
END_TEST

/* --- B4 */

static uint64_t
sqn_of(const char *impi)
{
	struct bsf_subscriber s;
	struct impi i;

	snprintf(i.s, sizeof i.s, "%s", impi);
	ck_ok(bsf_store_get_subscriber(f.store, &i, &s));
	return s.sqn;
}

START_TEST(B4_generation_beside_the_store)
{
	struct bsf_subscriber s = subscriber("a@x.org", "001010000000001");
	char side[] = "/tmp/bsf-generation-XXXXXX";
	uint64_t g = 0, g2 = 0;
	bool sure = false;
	FILE *file;
	int fd = mkstemp(side);

	ck_assert(fd >= 0);
	close(fd);
	unlink(side);
	/* new store, no side file: nothing to doubt */
	ck_ok(bsf_store_open_generation(f.store, side, &g, &sure));
	ck_assert(sure);
	bsf_store_note_generation(side, g);
	ck_ok(bsf_store_put_subscriber(f.store, &s, "", k, opc));
	/* opened again, same age */
	ck_ok(bsf_store_open_generation(f.store, side, &g2, &sure));
	ck_assert(sure);
	ck_assert_uint_eq(g2, g + 1);
	ck_assert_uint_eq(sqn_of("a@x.org"), 96);
	/* the side file knows of a later one */
	bsf_store_note_generation(side, g2 + 5);
	ck_ok(bsf_store_open_generation(f.store, side, &g, &sure));
	ck_assert(!sure);
	ck_assert_uint_eq(g, g2 + 6);
	ck_assert_uint_eq(sqn_of("a@x.org"), 96 + 65536);
	/* noted: sure again */
	bsf_store_note_generation(side, g);
	ck_ok(bsf_store_open_generation(f.store, side, &g, &sure));
	ck_assert(sure);
	ck_assert_uint_eq(sqn_of("a@x.org"), 96 + 65536);
	/* garbage, and no side file at all, with subscribers: just restored */
	file = fopen(side, "w");
	fputs("00000000000000000x07\n", file);
	fclose(file);
	ck_ok(bsf_store_open_generation(f.store, side, &g, &sure));
	ck_assert(!sure);
	unlink(side);
	ck_ok(bsf_store_open_generation(f.store, side, &g, &sure));
	ck_assert(!sure);
	ck_assert_uint_eq(sqn_of("a@x.org"), 96 + 3 * 65536);
	/* memory: always sure */
	ck_ok(bsf_store_open_generation(f.store, NULL, &g, &sure));
	ck_assert(sure);
}
END_TEST

START_TEST(B4_raise_stops_at_the_end_of_the_range)
{
	struct bsf_subscriber s = subscriber("a@x.org", "001010000000001");
	uint64_t g;
	bool sure = true;

	s.sqn = SQN_MAX - 5;
	ck_ok(bsf_store_put_subscriber(f.store, &s, "", k, opc));
	ck_ok(bsf_store_open_generation(f.store, "/tmp/no-such-directory/side", &g, &sure));
	ck_assert(!sure);
	ck_assert_uint_eq(sqn_of("a@x.org"), SQN_MAX);
	bsf_store_note_generation("/tmp/no-such-directory/side", g);
	ck_assert_ptr_nonnull(strstr(fix_log, "generation not noted"));
}
END_TEST

/* --- a store of before subscribers had numbers */

static void
old_rows(struct store *st)
{
	sqlite3 *db = sqlite3_db_handle(store_stmt(st, 0));
	uint8_t sealed[2][SEALED_LEN(KS_LEN)];
	size_t n;

	ck_ok(store_seal(st, "subscriber", "k", span_str("a@x.org"), k, sealed[0], sizeof sealed[0], &n));
	ck_assert_int_eq(sqlite3_exec(db, "INSERT INTO subscriber VALUES ('b@x.org', '2', '', x'00', x'00', x'8000', 64, 0, 0, '');"
	    "INSERT INTO subscriber SELECT 'a@x.org', '1', '', k, opc, amf, 32, 1, 60, '[]' FROM subscriber;"
	    "INSERT INTO tmpi (tmpi, impi) VALUES ('a1', 'a@x.org'), ('b1', 'b@x.org'), ('a2', 'a@x.org')", NULL, NULL, NULL), SQLITE_OK);
	for (unsigned i = 1; i <= 11; i++) {	/* 1 is b's, eight and one more are a's, the last nobody's */
		const char *impi = i == 1 ? "b@x.org" : i == 11 ? "c@x.org" : "a@x.org";
		struct bsf_bootstrap b = run_of(impi, i, 2000);
		char *sql;

		ck_ok(store_seal(st, "bootstrap", "ks", span_str(b.btid.s), ks, sealed[1], sizeof sealed[1], &n));
		sql = sqlite3_mprintf("INSERT INTO bootstrap (btid, impi, rand, ks, type, created, expires) VALUES"
		    " (%Q, %Q, x'%02x000000000000000000000000000000', ?1, 1, 1000, 2000)", b.btid.s, impi, i);
		sqlite3_stmt *q = NULL;
		ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
		ck_assert_int_eq(sqlite3_bind_blob(q, 1, sealed[1], (int)n, SQLITE_STATIC), SQLITE_OK);
		ck_assert_int_eq(sqlite3_step(q), SQLITE_DONE);
		sqlite3_finalize(q);
		sqlite3_free(sql);
	}
}

START_TEST(a_store_of_an_earlier_build_keeps_all)
{
	static const char *const one[] = { "SELECT 1" };
	struct store_schema old = bsf_store_schema;
	char path[] = "/tmp/bsf-store-XXXXXX";
	struct bsf_subscriber s;
	struct bsf_bootstrap next = run_of("a@x.org", 20, 2000);
	struct impi a = { "a@x.org" }, got;
	struct store *fixtures = f.store;
	int fd = mkstemp(path);

	ck_assert(fd >= 0);
	close(fd);
	old.n_migrations = 1;
	old.sql = one;
	old.n_sql = 1;
	ck_ok(store_open(path, &old, f.key, &f.store));
	old_rows(f.store);
	ck_ok(store_commit(f.store));
	store_close(f.store);
	ck_ok(store_open(path, &bsf_store_schema, f.key, &f.store));
	unlink(path);
	ck_ok(store_begin(f.store));
	ck_ok(bsf_store_get_subscriber(f.store, &a, &s));
	ck_assert_uint_eq(s.sqn, 32);
	ck_assert(s.gba_u && s.ks_lifetime_s == 60);
	for (unsigned i = 1; i <= 11; i++)
		ck_rc(get(i, 1500), i == 2 || i == 11 ? RC_NOTFOUND : RC_OK);
	ck_ok(bsf_store_get_tmpi(f.store, "b1", &got));
	ck_assert_str_eq(got.s, "b@x.org");
	ck_ok(put_run(&next, 8, "a3"));		/* in place of the oldest */
	ck_rc(get(3, 1500), RC_NOTFOUND);
	ck_ok(get(4, 1500));
	ck_rc(bsf_store_get_tmpi(f.store, "a1", &got), RC_NOTFOUND);
	ck_ok(bsf_store_get_tmpi(f.store, "a2", &got));
	ck_ok(bsf_store_get_tmpi(f.store, "a3", &got));
	ck_ok(store_end(f.store, true));
	store_close(f.store);
	f.store = fixtures;
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd store (B1, B4, T1)");
	TCase *tc = tcase_create("store");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, subscriber_there_and_back);
	tcase_add_test(tc, a_key_copied_to_another_row_does_not_open);
	tcase_add_test(tc, B1_newest_eight_live_each_to_its_own_expiry);
	tcase_add_test(tc, B1_one_btid);
	tcase_add_test(tc, a_btid_of_another_name_is_none_of_ours);
	tcase_add_test(tc, a_store_of_an_earlier_build_keeps_all);
	tcase_add_test(tc, T1_purge_in_slices);
	tcase_add_test(tc, tmpi_newest_and_the_one_before);
	tcase_add_test(tc, deleting_a_subscriber_takes_all_of_it);
	tcase_add_test(tc, lists_show_no_key);
	tcase_add_test(tc, naf_put_replaces);
	tcase_add_test(tc, a_damaged_naf_is_left_out);
	tcase_add_test(tc, B4_generation_beside_the_store);
	tcase_add_test(tc, B4_raise_stops_at_the_end_of_the_range);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
