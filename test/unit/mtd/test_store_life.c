/* store_life: keys that end early and do not come back, what the Key Center said of them, what the user decided. N7 N8 N9 N10 K11 */
#include "test/unit/unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "common/store.h"
#include "mtd/mt.h"
#include "mtd/store.h"

#define NOW INT64_C(1900000000)
#define LATER (NOW + 3600)
#define DEVICE "urn:d:1"

static struct secret *store_key;
static struct store *st;
static const struct mt_app card = { { "89860000000000000001" }, "a0000000871002" };
static const struct mt_app other_card = { { "89860000000000000002" }, "a0000000871002" };
static const struct mt_origin here = { "tcp/127.0.0.1", "c1" };

static struct secret *
octets(uint8_t of)
{
	uint8_t k[KS_LEN];
	struct secret *s;

	memset(k, of, sizeof k);
	ck_ok(secret_from(span_of(k, sizeof k), &s));
	return s;
}

static void
open_store(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	store_key = octets(7);
	ck_ok(mt_store_open(":memory:", store_key, &st));
}

static void
close_store(void)
{
	store_close(st);
	secret_free(store_key);
}

static struct triple
triple(const char *device, const char *local)
{
	struct triple t;
	char text[64];

	(void)snprintf(text, sizeof text, "%s@bsf.example.org", local);
	ck_ok(naf_id_parse(span_str("naf.example.org/0100000002"), &t.naf_id));
	ck_ok(btid_parse(span_str(text), &t.btid));
	ck_ok(device_id_parse(span_str(device), &t.device_id));
	return t;
}

static void
put(const struct mt_app *app, const char *device, const char *local, uint8_t of, int64_t created, int64_t expires)
{
	struct mt_key k = { .iccid = app->iccid, .triple = triple(device, local), .ks_local_mt = octets(of),
		.ks_naf = octets((uint8_t)(of + 1)), .challenge = "abcdefghijklmnopqrstuvw=", .created = created, .expires = expires };

	ck_ok(mt_store_put_key(st, &k, &here));
	mt_key_clear(&k);
}

/* RC_OK and the row's expiry, or why there is none. */
static enum rc
expiry(const char *device, const char *local, int64_t now, int64_t *out)
{
	struct triple t = triple(device, local);
	struct mt_key k;
	enum rc rc = mt_store_get_key(st, &card.iccid, &t, now, &k);

	if (rc == RC_OK) {
		*out = k.expires;
		mt_key_clear(&k);
	}
	return rc;
}

static enum rc
tombstone(const char *device, const char *local, int64_t now)
{
	struct triple t = triple(device, local);
	enum rc any = mt_store_get_tombstone(st, &card.iccid, &t.device_id, &t.btid, NULL, now);
	enum rc rc = mt_store_get_tombstone(st, &card.iccid, &t.device_id, &t.btid, &t.naf_id, now);

	ck_assert_int_eq(rc, any);	/* one NAF here */
	return rc;
}

static void
expire(int64_t now)
{
	unsigned n;

	ck_ok(mt_store_expire(st, now, 200, &n));
}

START_TEST(n8_a_revoked_key_leaves_a_tombstone_until_its_ks_expires)
{
	struct triple t = triple(DEVICE, "a");
	int64_t at;

	put(&card, DEVICE, "a", 1, NOW, LATER);
	put(&card, "urn:d:2", "a", 2, NOW, LATER);
	ck_rc(tombstone(DEVICE, "a", NOW), RC_NOTFOUND);
	ck_ok(mt_store_revoke_key(st, &card.iccid, &t, "ua-key-gone"));
	ck_rc(expiry(DEVICE, "a", NOW, &at), RC_NOTFOUND);
	ck_ok(tombstone(DEVICE, "a", NOW));
	ck_ok(tombstone(DEVICE, "a", LATER - 1));
	ck_rc(tombstone(DEVICE, "a", LATER), RC_NOTFOUND);
	/* of this key alone */
	ck_rc(tombstone(DEVICE, "b", NOW), RC_NOTFOUND);
	ck_rc(tombstone("urn:d:2", "a", NOW), RC_NOTFOUND);
	ck_ok(expiry("urn:d:2", "a", NOW, &at));
	ck_rc(mt_store_get_tombstone(st, &card.iccid, &t.device_id, &t.btid, &(struct naf_id){ "x.example.org", { 1 } }, NOW), RC_NOTFOUND);
	ck_rc(mt_store_revoke_key(st, &card.iccid, &t, "ua-key-gone"), RC_NOTFOUND);
	/* purged with the Ks, and purge knows when */
	expire(LATER - 1);
	ck_ok(tombstone(DEVICE, "a", LATER - 1));
	ck_assert_int_le(mt_store_next_expiry(st), LATER);
	expire(LATER);
	ck_assert_int_eq(mt_store_next_expiry(st), INT64_MAX);
	ck_rc(tombstone(DEVICE, "a", NOW), RC_NOTFOUND);
}
END_TEST

START_TEST(n9_earlier_never_later)
{
	struct triple t = triple(DEVICE, "a"), no = triple(DEVICE, "b");
	bool shorter = false;
	int64_t at = 0;

	put(&card, DEVICE, "a", 1, NOW, LATER);
	ck_ok(mt_store_limit_key(st, &card.iccid, &t, LATER + 1, &shorter));
	ck_assert(!shorter);
	ck_ok(mt_store_limit_key(st, &card.iccid, &t, LATER, &shorter));
	ck_assert(!shorter);
	ck_rc(tombstone(DEVICE, "a", LATER - 1), RC_NOTFOUND);
	ck_ok(mt_store_limit_key(st, &card.iccid, &t, NOW + 100, &shorter));
	ck_assert(shorter);
	ck_ok(expiry(DEVICE, "a", NOW, &at));
	ck_assert_int_eq(at, NOW + 100);
	ck_assert_int_eq(mt_store_next_expiry(st), NOW + 100);
	ck_ok(mt_store_limit_key(st, &card.iccid, &t, NOW + 200, &shorter));
	ck_assert(!shorter);
	ck_ok(mt_store_limit_key(st, &card.iccid, &t, NOW + 50, &shorter));
	ck_assert(shorter);
	ck_ok(mt_store_limit_key(st, &card.iccid, &no, NOW + 50, &shorter));
	ck_assert(!shorter);
	/* while it lives it is the key; from its end to that of the Ks it must not be made again (N8) */
	ck_rc(tombstone(DEVICE, "a", NOW + 49), RC_NOTFOUND);
	ck_rc(expiry(DEVICE, "a", NOW + 50, &at), RC_EXPIRED);
	ck_ok(tombstone(DEVICE, "a", NOW + 50));
	expire(NOW + 50);
	ck_rc(expiry(DEVICE, "a", NOW, &at), RC_NOTFOUND);
	ck_ok(tombstone(DEVICE, "a", LATER - 1));
	ck_rc(tombstone(DEVICE, "a", LATER), RC_NOTFOUND);
}
END_TEST

START_TEST(a_refused_device_keeps_nothing)
{
	struct device_id id;
	int64_t at;
	int n = 0;

	ck_ok(device_id_parse(span_str(DEVICE), &id));
	put(&card, DEVICE, "a", 1, NOW, LATER);
	put(&card, "urn:d:2", "a", 2, NOW, LATER);
	ck_ok(mt_store_revoke_device(st, &id, "mt-device-refused", &n));
	ck_assert_int_eq(n, 1);
	ck_rc(expiry(DEVICE, "a", NOW, &at), RC_NOTFOUND);
	ck_ok(tombstone(DEVICE, "a", NOW));
	ck_ok(expiry("urn:d:2", "a", NOW, &at));
	ck_ok(mt_store_revoke_device(st, &id, "mt-device-refused", &n));
	ck_assert_int_eq(n, 0);
}
END_TEST

START_TEST(tombstones_go_with_their_card)
{
	struct triple t = triple(DEVICE, "a");
	bool changed;

	ck_ok(mt_store_card(st, &card.iccid, &changed));
	put(&card, DEVICE, "a", 1, NOW, LATER);
	ck_ok(mt_store_revoke_key(st, &card.iccid, &t, "ua-key-gone"));
	ck_ok(mt_store_card(st, &other_card.iccid, &changed));
	ck_assert(changed);
	ck_rc(tombstone(DEVICE, "a", NOW), RC_NOTFOUND);
}
END_TEST

START_TEST(n7_the_password_is_of_that_very_key)
{
	struct triple a = triple(DEVICE, "a"), b = triple(DEVICE, "b");
	struct secret *want = octets(2), *got = NULL;

	put(&card, DEVICE, "a", 1, NOW, LATER);
	ck_ok(mt_store_get_key_naf(st, &card.iccid, &a, NOW, &got));
	ck_assert(secret_eq(got, want));
	secret_free(got);
	ck_rc(mt_store_get_key_naf(st, &card.iccid, &a, LATER, &got), RC_EXPIRED);
	ck_rc(mt_store_get_key_naf(st, &card.iccid, &b, NOW, &got), RC_NOTFOUND);
	ck_rc(mt_store_get_key_naf(st, &other_card.iccid, &a, NOW, &got), RC_NOTFOUND);
	secret_free(want);
}
END_TEST

START_TEST(n7_who_is_asked_next)
{
	struct mt_key k;

	ck_assert_int_eq(mt_store_next_ask(st, NOW), INT64_MAX);
	ck_rc(mt_store_due_key(st, NOW, &k), RC_NOTFOUND);
	put(&card, "urn:d:1", "a", 1, NOW, LATER);
	put(&card, "urn:d:2", "a", 3, NOW, LATER);
	ck_assert_int_eq(mt_store_next_ask(st, NOW), 0);	/* new ones at once: the asker spreads them */
	ck_ok(mt_store_due_key(st, NOW, &k));
	ck_assert_ptr_nonnull(k.ks_local_mt);
	ck_ok(mt_store_ask_at(st, &k, NOW + 900));
	mt_key_clear(&k);
	ck_ok(mt_store_due_key(st, NOW, &k));
	ck_ok(mt_store_ask_at(st, &k, NOW + 300));
	mt_key_clear(&k);
	ck_rc(mt_store_due_key(st, NOW, &k), RC_NOTFOUND);
	ck_assert_int_eq(mt_store_next_ask(st, NOW), NOW + 300);
	ck_ok(mt_store_due_key(st, NOW + 1000, &k));
	ck_assert_str_eq(k.triple.device_id.s, "urn:d:2");	/* the one that waits longer */
	mt_key_clear(&k);
	ck_rc(mt_store_due_key(st, LATER, &k), RC_NOTFOUND);	/* nobody is asked about what has expired */
	ck_assert_int_eq(mt_store_next_ask(st, LATER), INT64_MAX);
}
END_TEST

START_TEST(n10_grace_runs_from_the_last_good_answer)
{
	char tag[MT_ETAG_MAX + 2];
	struct mt_key k;

	put(&card, DEVICE, "a", 1, NOW, LATER);
	ck_assert_int_eq(mt_store_next_grace(st, NOW, 600), NOW + 600);
	ck_ok(mt_store_due_key(st, NOW, &k));
	ck_assert_int_eq(k.last_ok, NOW);			/* creation counts as one */
	ck_assert_str_eq(k.etag, "");
	ck_ok(mt_store_answered(st, &k, NOW + 100, "\"17\""));
	mt_key_clear(&k);
	ck_assert_int_eq(mt_store_next_grace(st, NOW + 100, 600), NOW + 700);
	ck_assert_int_eq(mt_store_next_grace(st, NOW + 699, 600), NOW + 700);
	ck_assert_int_eq(mt_store_next_grace(st, NOW + 700, 600), INT64_MAX);	/* is over */
	ck_ok(mt_store_due_key(st, NOW + 100, &k));
	ck_assert_int_eq(k.last_ok, NOW + 100);
	ck_assert_str_eq(k.etag, "\"17\"");
	memset(tag, 'x', sizeof tag - 1);
	tag[sizeof tag - 1] = '\0';
	ck_ok(mt_store_answered(st, &k, NOW + 200, tag));
	mt_key_clear(&k);
	ck_ok(mt_store_due_key(st, NOW + 100, &k));
	ck_assert_int_eq(k.last_ok, NOW + 200);
	ck_assert_str_eq(k.etag, "");
	mt_key_clear(&k);
}
END_TEST

static void
note(void *arg, const char *id, enum mt_decision d, int64_t when)
{
	char *p = arg;

	(void)snprintf(p + strlen(p), 200 - strlen(p), "%s=%d@%lld;", id, (int)d, (long long)(when - NOW));
}

START_TEST(k11_decisions_last)
{
	struct device_id a, b;
	enum mt_decision d = MT_ALLOWED;
	char seen[200] = "";

	ck_ok(device_id_parse(span_str("urn:d:1"), &a));
	ck_ok(device_id_parse(span_str("urn:d:2"), &b));
	ck_ok(mt_store_get_decision(st, &a, &d));
	ck_assert_int_eq(d, MT_UNDECIDED);
	ck_ok(mt_store_put_decision(st, &a, MT_ALLOWED, NOW));
	ck_ok(mt_store_put_decision(st, &b, MT_REFUSED, NOW + 1));
	ck_ok(mt_store_get_decision(st, &a, &d));
	ck_assert_int_eq(d, MT_ALLOWED);
	ck_ok(mt_store_get_decision(st, &b, &d));
	ck_assert_int_eq(d, MT_REFUSED);
	ck_ok(mt_store_put_decision(st, &a, MT_REFUSED, NOW + 2));
	ck_ok(mt_store_each_decision(st, note, seen));
	ck_assert_str_eq(seen, "urn:d:1=1@2;urn:d:2=1@1;");
}
END_TEST

/* A store of the first build, with a key: its expiry is the Ks's, nobody was asked yet. */
START_TEST(an_older_store_opens)
{
	const struct store_schema first = { mt_store_schema.daemon, mt_store_schema.migrations, 1, NULL, 0 };
	char path[] = "/tmp/kslocal-store-XXXXXX", side[64];
	struct triple t = triple(DEVICE, "a");
	bool shorter = false;
	sqlite3 *db;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(path);
	store_close(st);
	ck_ok(store_open(path, &first, store_key, &st));
	store_close(st);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "INSERT INTO key (icc_id, device_id, btid, naf_id, ks_local_mt, ks_naf, challenge, created, expires,"
	    " state, link, conn, seq) VALUES ('89860000000000000001', 'urn:d:1', 'a@bsf.example.org', 'naf.example.org/0100000002', x'00',"
	    " x'00', 'c', 1900000000, 1900003600, 1, 'l', '', 1)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	ck_ok(mt_store_open(path, store_key, &st));
	ck_assert_int_eq(mt_store_next_ask(st, NOW), 0);
	ck_ok(mt_store_limit_key(st, &card.iccid, &t, NOW + 10, &shorter));
	ck_assert(shorter);
	expire(NOW + 10);
	ck_ok(tombstone(DEVICE, "a", LATER - 1));
	ck_rc(tombstone(DEVICE, "a", LATER), RC_NOTFOUND);
	for (int i = 0; i < 3; i++) {
		(void)snprintf(side, sizeof side, "%s%s", path, i == 0 ? "" : i == 1 ? "-wal" : "-shm");
		unlink(side);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/store_life");
	TCase *t = tcase_create("life");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_add_test(t, n8_a_revoked_key_leaves_a_tombstone_until_its_ks_expires);
	tcase_add_test(t, n9_earlier_never_later);
	tcase_add_test(t, a_refused_device_keeps_nothing);
	tcase_add_test(t, tombstones_go_with_their_card);
	tcase_add_test(t, n7_the_password_is_of_that_very_key);
	tcase_add_test(t, n7_who_is_asked_next);
	tcase_add_test(t, n10_grace_runs_from_the_last_good_answer);
	tcase_add_test(t, k11_decisions_last);
	tcase_add_test(t, an_older_store_opens);
	suite_add_tcase(s, t);
	return unit_run(s);
}
