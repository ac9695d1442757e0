/* store: keys, devices and audit rows; T1, sealing, and what happens to an answer when the disk does not keep up. */
#include "test/unit/nafkcd/world.h"
#include "test/unit/tmpdir.h"

#include <sqlite3.h>

#define KEEP(s) (&(struct nafkc_keep){ (s), NAFKC_KEEP_EVER })

static struct world w;
static struct said s;

static void
open_world(void)
{
	tmpdir_make();
	world_new(&w, tmpdir_file("nafkcd.db"));
}

static void
close_world(void)
{
	world_free(&w);
	tmpdir_remove();
}

static struct nafkc_key
key_of(const char *btid, const char *device, int64_t expires)
{
	struct nafkc_key k = { .triple.naf_id = w.naf_ids[0], .issued_s = NOW, .expires_s = expires, .ks_expires_s = expires + 1000,
	    .bound = true };

	strcpy(k.triple.btid.s, btid);
	strcpy(k.triple.device_id.s, device);
	strcpy(k.kcv, "0123456789ab");
	memcpy(k.spki, key_a, 32);
	return k;
}

static struct secret *
secret_of(uint8_t fill)
{
	uint8_t octets[KS_LEN];
	struct secret *out;

	memset(octets, fill, sizeof octets);
	ck_ok(secret_from(span_of(octets, sizeof octets), &out));
	return out;
}

static void
put(const struct nafkc_key *k, uint8_t fill)
{
	struct secret *ks = secret_of(fill);

	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_put_key(w.store, k, ks));
	ck_ok(store_end(w.store, true));
	secret_free(ks);
}

/* As a Key Request finds it. */
static enum rc
get_key(const struct triple *t, int64_t now_s, struct nafkc_key *out, struct secret **ks_local_mt)
{
	static const uint8_t no_issuer[32];
	struct nafkc_kept kept;
	enum rc rc;

	ck_ok(nafkc_store_look(w.store, t, key_a, no_issuer, now_s, &kept));
	ck_assert(!(kept.has_key && kept.expired));
	if (!kept.has_key)
		return kept.expired ? RC_EXPIRED : RC_NOTFOUND;
	if ((rc = nafkc_store_open_key(w.store, &kept, ks_local_mt)) == RC_OK)
		*out = kept.key;
	return rc;
}

START_TEST(a_key_reads_back_and_only_by_its_whole_triple)
{
	struct nafkc_key k, out, other;
	struct secret *want, *got = NULL;

	open_world();
	k = key_of(BTID, DEVICE, NOW + 100);
	put(&k, 0x11);
	want = secret_of(0x11);
	ck_ok(get_key(&k.triple, NOW, &out, &got));
	ck_assert(secret_eq(want, got) && triple_eq(&out.triple, &k.triple) && out.issued_s == NOW && out.expires_s == NOW + 100);
	ck_assert(out.bound && memcmp(out.spki, key_a, 32) == 0);
	ck_assert_str_eq(out.kcv, "0123456789ab");
	secret_free(got);
	got = NULL;
	other = k;
	strcpy(other.triple.device_id.s, "d2");
	ck_rc(get_key(&other.triple, NOW, &out, &got), RC_NOTFOUND);
	other = k;
	other.triple.naf_id.ua[4]++;
	ck_rc(get_key(&other.triple, NOW, &out, &got), RC_NOTFOUND);
	ck_rc(nafkc_store_put_key(w.store, &k, want), RC_EXISTS);
	ck_assert(got == NULL);
	secret_free(want);
	close_world();
}
END_TEST

START_TEST(t1_no_key_from_the_moment_of_its_expiry)
{
	struct nafkc_key k, out;
	struct secret *got = NULL;
	json_t *list = json_array();

	open_world();
	k = key_of(BTID, DEVICE, NOW + 100);
	put(&k, 0x11);
	ck_ok(get_key(&k.triple, NOW + 99, &out, &got));
	secret_free(got);
	got = NULL;
	ck_rc(get_key(&k.triple, NOW + 100, &out, &got), RC_EXPIRED);
	ck_assert(got == NULL);
	ck_ok(nafkc_store_list_keys(w.store, NOW + 100, false, list));
	ck_assert_uint_eq(json_array_size(list), 0);
	ck_ok(nafkc_store_list_keys(w.store, NOW + 99, false, list));
	ck_assert_uint_eq(json_array_size(list), 1);
	json_decref(list);
	close_world();
}
END_TEST

START_TEST(t1_purge_takes_keys_first_then_old_audit_rows_in_slices)
{
	struct nafkc_audit row = { .event = "key-given", .reason = "", .device_id = "d", .kcv = "", .subject = "" };
	unsigned n;
	struct nafkc_counts c;

	open_world();
	ck_ok(store_begin(w.store));
	for (int i = 0; i < 30; i++) {
		char device[16];
		struct nafkc_key k;
		struct secret *ks = secret_of(1);

		snprintf(device, sizeof device, "d%d", i);
		k = key_of(BTID, device, NOW + i);
		ck_ok(nafkc_store_put_key(w.store, &k, ks));
		secret_free(ks);
		row.at_s = NOW - 1000 + i;
		ck_ok(nafkc_store_put_audit(w.store, &row));
	}
	ck_ok(store_end(w.store, true));
	ck_assert_int_eq(nafkc_store_next_expiry(w.store, KEEP(2000)), NOW);
	ck_assert_int_eq(nafkc_store_next_expiry(w.store, KEEP(900)), NOW - 100);
	ck_ok(nafkc_store_purge(w.store, NOW + 20, KEEP(2000), 15, &n));
	ck_assert_uint_eq(n, 15);
	ck_ok(nafkc_store_purge(w.store, NOW + 20, KEEP(2000), 15, &n));
	ck_assert_uint_eq(n, 6);
	ck_ok(nafkc_store_count(w.store, &c));
	ck_assert_int_eq(c.keys, 9);
	ck_ok(nafkc_store_purge(w.store, NOW + 20, KEEP(1000), 15, &n));	/* audit: at <= NOW + 20 - 1000 */
	ck_assert_uint_eq(n, 15);
	ck_ok(nafkc_store_purge(w.store, NOW + 20, KEEP(1000), 15, &n));
	ck_assert_uint_eq(n, 6);
	ck_ok(nafkc_store_purge(w.store, NOW + 1000, KEEP(0), 100, &n));
	ck_assert_uint_eq(n, 18);
	ck_assert_int_eq(nafkc_store_next_expiry(w.store, KEEP(0)), INT64_MAX);
	close_world();
}
END_TEST

#define DAY 86400

static void
purge_at(int64_t now_s, int64_t keep_s)
{
	const struct nafkc_keep keep = { keep_s, keep_s };
	unsigned n = 1;

	for (int i = 0; n > 0; i++) {
		ck_assert_int_lt(i, 50);
		ck_ok(store_begin(w.store));
		ck_ok(nafkc_store_purge(w.store, now_s, &keep, 3, &n));
		ck_ok(store_end(w.store, true));
	}
	ck_assert_int_gt(nafkc_store_next_expiry(w.store, &keep), now_s);
}

static int
devices(void)
{
	struct nafkc_counts c;

	ck_ok(nafkc_store_count(w.store, &c));
	return (int)c.devices;
}

static void
put_device(const char *id, int64_t lifetime_max_s, int64_t key_expires_s)
{
	struct nafkc_device d = { .state = NAFKC_DEVICE_ALLOWED, .bound = true, .lifetime_max_s = lifetime_max_s };
	struct nafkc_key k = key_of(BTID, id, key_expires_s);

	strcpy(d.id.s, id);
	memcpy(d.spki, key_a, 32);
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_put_device(w.store, &d));
	ck_ok(store_end(w.store, true));
	if (key_expires_s > 0)
		put(&k, 1);
}

/* A Device_ID is its public key's as long as it has a key or a tombstone, and audit_keep from then on; some stay for ever. */
START_TEST(n2_device_ids_that_nobody_has_a_key_of_are_forgotten_in_the_end)
{
	struct nafkc_target t = { .scope = NAFKC_SCOPE_TRIPLE };
	char id[16];
	int64_t n;

	open_world();
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof id, "made-up-%d", i);
		put_device(id, 0, NOW + 100);
	}
	put_device("never-used", 0, 0);		/* by rebind: waits for its owner */
	put_device("limited", 77, NOW + 100);
	put_device("blocked", 0, NOW + 100);
	put_device("back", 0, NOW + 100);
	put_device("revoked", 0, NOW + 100);
	t.triple = key_of(BTID, "revoked", 0).triple;
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_end_keys(w.store, &t, NOW, NOW, "key-invalidated", "invalidated", &n));
	t = (struct nafkc_target){ .scope = NAFKC_SCOPE_DEVICE };
	strcpy(t.triple.device_id.s, "blocked");
	ck_ok(nafkc_store_put_block(w.store, &t, NULL, NOW));
	ck_ok(store_end(w.store, true));
	purge_at(NOW + 200, DAY);
	ck_assert_int_eq(devices(), 15);
	purge_at(NOW + 200 + DAY - 1, DAY);	/* the tombstone goes */
	ck_assert_int_eq(devices(), 15);
	put_device("back", 0, NOW + 3 * DAY);	/* and gets a key again */
	purge_at(NOW + 200 + DAY, DAY);
	ck_assert_int_eq(devices(), 5);
	purge_at(NOW + 200 + 2 * DAY, DAY);
	ck_assert_int_eq(devices(), 4);
	purge_at(NOW + 4 * DAY, DAY);		/* the key of "back" goes */
	ck_assert_int_eq(devices(), 4);
	purge_at(NOW + 5 * DAY, DAY);
	ck_assert_int_eq(devices(), 3);
	purge_at(NOW + 500 * DAY, DAY);
	ck_assert_int_eq(devices(), 3);
	close_world();
}
END_TEST

/* A tombstone that outlives the time holds its Device_ID. */
START_TEST(n2_a_tombstone_holds_its_device_id)
{
	struct nafkc_target t = { .scope = NAFKC_SCOPE_TRIPLE };
	struct nafkc_key k;
	int64_t n;

	open_world();
	put_device("mine", 0, NOW + 100);
	k = key_of(BTID2, "mine", NOW + 300);
	k.ks_expires_s = NOW + 3 * DAY;
	put(&k, 2);
	purge_at(NOW + 200, DAY);		/* idle, as far as is known */
	t.triple = k.triple;
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_end_keys(w.store, &t, NOW + 200, NOW + 200, "key-invalidated", "invalidated", &n));
	ck_ok(store_end(w.store, true));
	ck_assert_int_eq(n, 1);
	purge_at(NOW + 2 * DAY, DAY);
	ck_assert_int_eq(devices(), 1);
	purge_at(NOW + 3 * DAY, DAY);
	ck_assert_int_eq(devices(), 1);
	purge_at(NOW + 4 * DAY, DAY);
	ck_assert_int_eq(devices(), 0);
	close_world();
}
END_TEST

/* Where they are listed they are the operator's. */
START_TEST(n2_listed_device_ids_stay)
{
	unsigned n;

	open_world();
	put_device("mine", 0, NOW + 100);
	ck_ok(store_begin(w.store));
	for (int i = 0; i < 3; i++)
		ck_ok(nafkc_store_purge(w.store, NOW + 200 + i * 1000LL * DAY, KEEP(DAY), 100, &n));
	ck_ok(store_end(w.store, true));
	ck_assert_int_eq(devices(), 1);
	close_world();
}
END_TEST

/* A row that a wrong clock dated ahead holds up no others. */
START_TEST(t1_purge_takes_old_audit_rows_behind_one_from_the_future)
{
	struct nafkc_audit row = { .at_s = NOW + 86400, .event = "key-given", .reason = "", .device_id = "d", .kcv = "", .subject = "" };
	unsigned n;

	open_world();
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_put_audit(w.store, &row));
	row.at_s = NOW;
	ck_ok(nafkc_store_put_audit(w.store, &row));
	ck_ok(store_end(w.store, true));
	ck_assert_int_eq(nafkc_store_next_expiry(w.store, KEEP(100)), NOW + 100);
	ck_ok(nafkc_store_purge(w.store, NOW + 100, KEEP(100), 10, &n));
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(nafkc_store_next_expiry(w.store, KEEP(100)), NOW + 86500);
	close_world();
}
END_TEST

START_TEST(devices_read_back_with_and_without_a_public_key)
{
	struct nafkc_device d = { .state = NAFKC_DEVICE_ALLOWED, .bound = _i == 1, .lifetime_max_s = 77 }, out;

	open_world();
	strcpy(d.id.s, DEVICE);
	strcpy(d.subject, "CN=x");
	memcpy(d.spki, key_a, 32);
	ck_rc(nafkc_store_get_device(w.store, &d.id, &out), RC_NOTFOUND);
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_put_device(w.store, &d));
	ck_ok(store_end(w.store, true));
	ck_ok(nafkc_store_get_device(w.store, &d.id, &out));
	ck_assert(out.state == d.state && out.bound == d.bound && out.lifetime_max_s == 77 && strcmp(out.subject, "CN=x") == 0);
	ck_assert(!out.blocked);
	close_world();
}
END_TEST

START_TEST(a_row_moved_elsewhere_does_not_open)
{
	struct nafkc_key a, b, out;
	struct secret *got = NULL;
	sqlite3 *db;

	open_world();
	a = key_of(BTID, "d1", NOW + 100);
	b = key_of(BTID, "d2", NOW + 100);
	put(&a, 0x11);
	put(&b, 0x22);
	turn_end(w.turn);
	ck_assert(sqlite3_open(w.store_path, &db) == SQLITE_OK);
	ck_assert(sqlite3_exec(db, "UPDATE key SET ks_local_mt = (SELECT ks_local_mt FROM key WHERE device_id = 'd1') WHERE device_id = 'd2'",
	    NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	ck_ok(get_key(&a.triple, NOW, &out, &got));
	secret_free(got);
	ck_rc(get_key(&b.triple, NOW, &out, &got), RC_DENIED);
	close_world();
}
END_TEST

/* --- durable before answered (ARCHITECTURE 6) */

static void
answered(const struct said *a, struct uaxml_response *r)
{
	said_key(a, r);
}

START_TEST(what_was_answered_is_there_after_kill_9)
{
	struct uaxml_response before, after;

	open_world();
	w.conf.zn_cache_s = 0;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	answered(&s, &before);
	world_kill_core(&w);
	world_open_store(&w);
	bsf_stop(&w, 0);
	bsf_start(&w, 0);
	world_start_core(&w);
	pass(&w, 2000);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	answered(&s, &after);
	ck_assert(secret_eq(before.ks_local_mt, after.ks_local_mt) && before.lifetime == after.lifetime);
	/* and whose it is */
	ask(&w, &s, form(BTID, DEVICE, NULL), key_b);
	said_refused(&s, 403, "refused");
	secret_free(before.ks_local_mt);
	secret_free(after.ks_local_mt);
	close_world();
}
END_TEST

START_TEST(killed_before_its_answer_the_device_gets_the_same_key_later)
{
	struct uaxml_response r;
	struct nafkc_counts c;

	open_world();
	w.bsf[0].mood = BSF_HOLDS;
	world_start(&w);
	say(&w, &s, form(BTID, DEVICE, NULL), key_a);
	settle(&w);
	ck_assert_uint_eq(w.bsf[0].n_held, 1);
	world_kill_core(&w);
	world_open_store(&w);
	ck_ok(nafkc_store_count(w.store, &c));
	ck_assert(!s.over && c.keys == 0 && c.devices == 0);
	w.bsf[0].mood = BSF_GIVES;
	bsf_stop(&w, 0);
	bsf_start(&w, 0);
	world_start_core(&w);
	pass(&w, 2000);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	answered(&s, &r);
	secret_free(r.ks_local_mt);
	close_world();
}
END_TEST

START_TEST(a_core_freed_with_a_request_on_its_way_answers_it_stopping)
{
	open_world();
	w.bsf[0].mood = BSF_HOLDS;
	world_start(&w);
	say(&w, &s, form(BTID, DEVICE, NULL), key_a);
	if (_i == 1)
		settle(&w);		/* the BIR is out; else it still waits for its turn */
	nafkc_free(w.k);
	w.k = NULL;
	turn_end(w.turn);
	ck_assert(s.over);
	said_refused(&s, 503, "unavailable");
	ck_assert_uint_eq(w.bsf[0].n_held, (unsigned)_i);
	close_world();
}
END_TEST

START_TEST(a_turn_that_cannot_be_kept_is_503_and_tells_no_key)
{
	struct uaxml_response r;
	struct nafkc_counts c;
	sqlite3 *db;

	open_world();
	world_start(&w);
	/* another writer holds the file: the commit fails */
	ck_assert(sqlite3_open(w.store_path, &db) == SQLITE_OK);
	ck_assert(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_msg(s.status == 503, "%d %s", s.status, s.body);
	ck_assert(strstr(s.body, "ksLocalDevice") == NULL && s.retry_after[0] != '\0');
	ck_assert(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	ck_ok(nafkc_store_count(w.store, &c));
	ck_assert(c.keys == 0 && c.devices == 0);
	/* it passes by itself, and nothing was remembered that was not kept: another public key may come first now */
	ask(&w, &s, form(BTID, DEVICE, NULL), key_b);
	answered(&s, &r);
	secret_free(r.ks_local_mt);
	close_world();
}
END_TEST

START_TEST(no_key_is_in_the_file_as_it_is)
{
	struct uaxml_response r;
	FILE *f;
	char *p;
	long n;

	open_world();
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	answered(&s, &r);
	world_kill_core(&w);
	ck_assert((f = fopen(w.store_path, "rb")) != NULL && fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) > 0);
	rewind(f);
	ck_assert((p = malloc((size_t)n)) != NULL && fread(p, 1, (size_t)n, f) == (size_t)n);
	fclose(f);
	ck_assert(memmem(p, (size_t)n, secret_span(r.ks_local_mt).p, KS_LEN) == NULL);
	ck_assert(memmem(p, (size_t)n, w.bsf[0].key, KS_LEN) == NULL);
	ck_assert(memmem(p, (size_t)n, DEVICE, strlen(DEVICE)) != NULL);	/* but this is the file */
	free(p);
	secret_free(r.ks_local_mt);
	close_world();
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("nafkc_store");
	TCase *t = tcase_create("store");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_key_reads_back_and_only_by_its_whole_triple);
	tcase_add_test(t, t1_no_key_from_the_moment_of_its_expiry);
	tcase_add_test(t, t1_purge_takes_keys_first_then_old_audit_rows_in_slices);
	tcase_add_test(t, n2_device_ids_that_nobody_has_a_key_of_are_forgotten_in_the_end);
	tcase_add_test(t, n2_a_tombstone_holds_its_device_id);
	tcase_add_test(t, n2_listed_device_ids_stay);
	tcase_add_test(t, t1_purge_takes_old_audit_rows_behind_one_from_the_future);
	tcase_add_loop_test(t, devices_read_back_with_and_without_a_public_key, 0, 2);
	tcase_add_test(t, a_row_moved_elsewhere_does_not_open);
	tcase_add_test(t, what_was_answered_is_there_after_kill_9);
	tcase_add_test(t, killed_before_its_answer_the_device_gets_the_same_key_later);
	tcase_add_loop_test(t, a_core_freed_with_a_request_on_its_way_answers_it_stopping, 0, 2);
	tcase_add_test(t, a_turn_that_cannot_be_kept_is_503_and_tells_no_key);
	tcase_add_test(t, no_key_is_in_the_file_as_it_is);
	suite_add_tcase(su, t);
	return unit_run(su);
}
