/* store: what the MT keeps, and when it goes. RULES K2 K4 K5 K6 K7 K8 T1 */
#include "test/unit/unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rnd.h"
#include "common/store.h"
#include "mtd/mt.h"
#include "mtd/store.h"

#define NOW INT64_C(1900000000)
#define LATER (NOW + 3600)

static struct secret *store_key;
static struct store *st;
static struct rnd_seeded rnd;
static const struct mt_app card = { { "89860000000000000001" }, "a0000000871002" };
static const struct mt_app other_card = { { "89860000000000000002" }, "a0000000871002" };
static struct naf_id naf, naf2;
static const struct mt_origin here = { "tcp/127.0.0.1", "c1" };

static void
open_store(void)
{
	uint8_t k[32];

	memset(k, 7, sizeof k);
	ck_ok(secret_from(span_of(k, sizeof k), &store_key));
	log_set_level(LOG_LEVEL_ERROR);
	ck_ok(mt_store_open(":memory:", store_key, &st));
	rnd_seeded_init(&rnd, 1);
	ck_ok(naf_id_parse(span_str("naf.example.org/0100000002"), &naf));
	ck_ok(naf_id_parse(span_str("naf2.example.org/0100000002"), &naf2));
}

static void
close_store(void)
{
	store_close(st);
	secret_free(store_key);
}

static struct secret *
octets(uint8_t of)
{
	uint8_t k[KS_LEN];
	struct secret *s;

	memset(k, of, sizeof k);
	ck_ok(secret_from(span_of(k, sizeof k), &s));
	return s;
}

static struct btid
btid(const char *local)
{
	struct btid b;
	char text[64];

	(void)snprintf(text, sizeof text, "%s@bsf.example.org", local);
	ck_ok(btid_parse(span_str(text), &b));
	return b;
}

static void
put_ks(const struct mt_app *app, const char *name, uint8_t of, int64_t expires)
{
	struct mt_ks ks = { .btid = btid(name), .impi = { "001@ims.example.org" }, .created = NOW, .expires = expires, .ks = octets(of) };

	memset(ks.rand, of, sizeof ks.rand);
	ck_ok(mt_store_put_ks(st, app, &ks));
	mt_ks_clear(&ks);
}

static struct triple
triple(const char *device, const char *bt, const struct naf_id *n)
{
	struct triple t = { .naf_id = *n, .btid = btid(bt) };

	ck_ok(device_id_parse(span_str(device), &t.device_id));
	return t;
}

static enum rc
put_key(const struct mt_app *app, const char *device, const char *bt, uint8_t of, int64_t expires, const struct mt_origin *from)
{
	struct mt_key k = { .iccid = app->iccid, .triple = triple(device, bt, &naf), .ks_local_mt = octets(of),
		.ks_naf = octets((uint8_t)(of + 1)), .challenge = "abcdefghijklmnopqrstuvw=", .created = NOW, .expires = expires };
	enum rc rc = mt_store_put_key(st, &k, from);

	mt_key_clear(&k);
	return rc;
}

static enum rc
has_key(const struct mt_app *app, const char *device, const char *bt, int64_t now)
{
	struct triple t = triple(device, bt, &naf);
	struct mt_key k;
	enum rc rc = mt_store_get_key(st, &app->iccid, &t, now, &k);

	if (rc == RC_OK)
		mt_key_clear(&k);
	return rc;
}

static void
count_key(void *arg, const struct mt_key *k)
{
	ck_assert_ptr_nonnull(k->ks_local_mt);
	++*(int *)arg;
}

static int
keys(const struct mt_app *app, int64_t now)
{
	int n = 0;

	ck_ok(mt_store_each_key(st, &app->iccid, now, count_key, &n));
	return n;
}

START_TEST(mt_id_is_made_once)
{
	struct mt_id a, b;

	ck_ok(mt_store_mt_id(st, &rnd.rnd, &a));
	ck_assert_uint_eq(strlen(a.s), MT_ID_LEN);
	ck_ok(mt_store_mt_id(st, &rnd.rnd, &b));
	ck_assert_str_eq(a.s, b.s);
}
END_TEST

START_TEST(ks_round_trip)
{
	struct mt_ks ks;
	struct secret *want = octets(1);

	ck_rc(mt_store_get_ks(st, &card, NOW, 60, &ks), RC_NOTFOUND);
	put_ks(&card, "one", 1, LATER);
	ck_ok(mt_store_get_ks(st, &card, NOW, 60, &ks));
	ck_assert_str_eq(ks.btid.s, "one@bsf.example.org");
	ck_assert_str_eq(ks.impi.s, "001@ims.example.org");
	ck_assert_int_eq(ks.created, NOW);
	ck_assert_int_eq(ks.expires, LATER);
	ck_assert_int_eq(ks.rand[15], 1);
	ck_assert(secret_eq(ks.ks, want));
	mt_ks_clear(&ks);
	secret_free(want);
	ck_rc(mt_store_get_ks(st, &other_card, NOW, 60, &ks), RC_NOTFOUND);
}
END_TEST

START_TEST(k7_ks_newest_alone_and_min_left)
{
	struct mt_ks ks;

	put_ks(&card, "one", 1, LATER);
	put_ks(&card, "two", 2, LATER);
	ck_ok(mt_store_get_ks(st, &card, NOW, 60, &ks));
	ck_assert_str_eq(ks.btid.s, "two@bsf.example.org");
	mt_ks_clear(&ks);
	ck_ok(mt_store_get_ks(st, &card, LATER - 61, 60, &ks));
	mt_ks_clear(&ks);
	untouched_fill(&ks, sizeof ks);
	ck_rc(mt_store_get_ks(st, &card, LATER - 60, 60, &ks), RC_EXPIRED);
	ck_rc(mt_store_get_ks(st, &card, LATER, 0, &ks), RC_EXPIRED);
	ck_assert(untouched(&ks, sizeof ks));
}
END_TEST

START_TEST(ks_in_the_uicc)
{
	struct mt_ks ks = { .btid = btid("u"), .impi = { "1@x.example" }, .created = NOW, .expires = LATER }, got;

	ck_ok(mt_store_put_ks(st, &card, &ks));
	ck_ok(mt_store_get_ks(st, &card, NOW, 0, &got));
	ck_assert_ptr_null(got.ks);
}
END_TEST

START_TEST(k8_drop_only_if_newest)
{
	struct btid one = btid("one"), two = btid("two");
	struct mt_ks ks;
	struct secret *naf_key = octets(9), *got;
	bool dropped;

	put_ks(&card, "two", 2, LATER);
	ck_ok(mt_store_put_ks_naf(st, &card, &two, &naf, LATER, naf_key));
	ck_ok(mt_store_drop_ks(st, &card, &one, &dropped));
	ck_assert(!dropped);
	ck_ok(mt_store_get_ks(st, &card, NOW, 0, &ks));
	mt_ks_clear(&ks);
	ck_ok(mt_store_drop_ks(st, &card, &two, &dropped));
	ck_assert(dropped);
	ck_rc(mt_store_get_ks(st, &card, NOW, 0, &ks), RC_NOTFOUND);
	ck_rc(mt_store_get_ks_naf(st, &card, &two, &naf, NOW, &got), RC_NOTFOUND);
	ck_ok(mt_store_drop_ks(st, &card, &two, &dropped));
	ck_assert(!dropped);
	secret_free(naf_key);
}
END_TEST

START_TEST(k6_ks_naf_by_btid_and_naf)
{
	struct btid one = btid("one"), two = btid("two");
	struct secret *k = octets(9), *got;

	ck_rc(mt_store_get_ks_naf(st, &card, &one, &naf, NOW, &got), RC_NOTFOUND);
	ck_ok(mt_store_put_ks_naf(st, &card, &one, &naf, LATER, k));
	ck_ok(mt_store_get_ks_naf(st, &card, &one, &naf, NOW, &got));
	ck_assert(secret_eq(got, k));
	secret_free(got);
	ck_rc(mt_store_get_ks_naf(st, &card, &two, &naf, NOW, &got), RC_NOTFOUND);
	ck_rc(mt_store_get_ks_naf(st, &card, &one, &naf2, NOW, &got), RC_NOTFOUND);
	ck_rc(mt_store_get_ks_naf(st, &other_card, &one, &naf, NOW, &got), RC_NOTFOUND);
	ck_rc(mt_store_get_ks_naf(st, &card, &one, &naf, LATER, &got), RC_EXPIRED);
	/* it outlives the Ks's replacement */
	put_ks(&card, "one", 1, LATER);
	put_ks(&card, "two", 2, LATER);
	ck_ok(mt_store_get_ks_naf(st, &card, &one, &naf, NOW, &got));
	secret_free(got);
	secret_free(k);
}
END_TEST

START_TEST(k6_bounded_where_devices_name_the_nafs)
{
	struct btid one = btid("one"), two = btid("two");
	struct secret *k = octets(9), *got;
	struct naf_id n;
	char text[64];

	for (int i = 0; i <= MT_KS_NAFS_MAX; i++) {
		(void)snprintf(text, sizeof text, "n%d.example.org/0100000002", i);
		ck_ok(naf_id_parse(span_str(text), &n));
		ck_ok(mt_store_put_ks_naf(st, &card, &one, &n, LATER, k));
		ck_rc(mt_store_get_ks_naf(st, &card, &one, &n, NOW, &got), i < MT_KS_NAFS_MAX ? RC_OK : RC_NOTFOUND);
		if (i < MT_KS_NAFS_MAX)
			secret_free(got);
	}
	ck_ok(mt_store_put_ks_naf(st, &card, &two, &n, LATER, k));	/* each B-TID has its own */
	ck_ok(mt_store_get_ks_naf(st, &card, &two, &n, NOW, &got));
	secret_free(got);
	secret_free(k);
}
END_TEST

START_TEST(tmpi_of_the_impi)
{
	static const char t1[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org";
	static const char t2[] = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB@tmpi.bsf.3gppnetwork.org";
	const struct impi a = { "a@x.example" }, b = { "b@x.example" };
	char got[TMPI_LEN + 1];

	ck_ok(mt_store_get_tmpi(st, &card, &a, got));
	ck_assert_str_eq(got, "");
	ck_ok(mt_store_put_tmpi(st, &card, &a, t1));
	ck_ok(mt_store_put_tmpi(st, &card, &a, t2));
	ck_ok(mt_store_get_tmpi(st, &card, &a, got));
	ck_assert_str_eq(got, t2);
	ck_ok(mt_store_get_tmpi(st, &card, &b, got));		/* not this IMPI's */
	ck_assert_str_eq(got, "");
	ck_ok(mt_store_put_tmpi(st, &card, &a, ""));
	ck_ok(mt_store_get_tmpi(st, &card, &a, got));
	ck_assert_str_eq(got, "");
}
END_TEST

START_TEST(key_round_trip)
{
	struct triple t = triple("urn:d:1", "one", &naf);
	struct secret *want = octets(3);
	struct mt_key k;

	ck_ok(put_key(&card, "urn:d:1", "one", 3, LATER, &here));
	ck_rc(put_key(&card, "urn:d:1", "one", 4, LATER, &here), RC_EXISTS);
	ck_ok(mt_store_get_key(st, &card.iccid, &t, NOW, &k));
	ck_assert(triple_eq(&k.triple, &t));
	ck_assert(secret_eq(k.ks_local_mt, want));
	ck_assert_str_eq(k.challenge, "abcdefghijklmnopqrstuvw=");
	ck_assert_int_eq(k.created, NOW);
	ck_assert_int_eq(k.expires, LATER);
	ck_assert_int_eq(k.state, MT_KEY_DERIVED);
	mt_key_clear(&k);
	secret_free(want);
	untouched_fill(&k, sizeof k);
	ck_rc(mt_store_get_key(st, &card.iccid, &t, LATER, &k), RC_EXPIRED);
	ck_rc(mt_store_get_key(st, &other_card.iccid, &t, NOW, &k), RC_NOTFOUND);
	t.naf_id = naf2;
	ck_rc(mt_store_get_key(st, &card.iccid, &t, NOW, &k), RC_NOTFOUND);
	ck_assert(untouched(&k, sizeof k));
	ck_assert_int_eq(keys(&card, NOW), 1);
	ck_assert_int_eq(keys(&card, LATER), 0);
}
END_TEST

/* One in use, at most one newer waiting; a third replaces the waiting one, never the one that works. */
START_TEST(k2_one_in_use_one_waiting)
{
	struct triple a = triple("urn:d:1", "a", &naf), c = triple("urn:d:1", "c", &naf);

	ck_ok(put_key(&card, "urn:d:1", "a", 1, LATER, &here));
	ck_ok(mt_store_confirm_key(st, &card.iccid, &a));
	ck_ok(put_key(&card, "urn:d:1", "b", 2, LATER, &here));
	ck_ok(has_key(&card, "urn:d:1", "a", NOW));
	ck_ok(has_key(&card, "urn:d:1", "b", NOW));
	ck_ok(put_key(&card, "urn:d:1", "c", 3, LATER, &here));
	ck_ok(has_key(&card, "urn:d:1", "a", NOW));
	ck_rc(has_key(&card, "urn:d:1", "b", NOW), RC_NOTFOUND);
	ck_ok(has_key(&card, "urn:d:1", "c", NOW));
	/* another device's is its own */
	ck_ok(put_key(&card, "urn:d:2", "c", 4, LATER, &here));
	ck_ok(has_key(&card, "urn:d:1", "c", NOW));
	/* only confirmation replaces the older one */
	ck_ok(mt_store_confirm_key(st, &card.iccid, &c));
	ck_rc(has_key(&card, "urn:d:1", "a", NOW), RC_NOTFOUND);
	ck_ok(has_key(&card, "urn:d:1", "c", NOW));
	ck_ok(has_key(&card, "urn:d:2", "c", NOW));
}
END_TEST

/* Which of a device's keys works with it, and one that goes. */
START_TEST(k2_the_key_of_a_device)
{
	struct triple a = triple("urn:d:1", "a", &naf), b = triple("urn:d:1", "b", &naf);
	const struct device_id *id = &a.device_id;
	struct mt_key k;

	untouched_fill(&k, sizeof k);
	ck_rc(mt_store_key_of(st, &card.iccid, id, NOW, &k), RC_NOTFOUND);
	ck_ok(put_key(&card, "urn:d:1", "a", 1, LATER, &here));
	ck_rc(mt_store_key_of(st, &card.iccid, id, LATER, &k), RC_NOTFOUND);
	ck_rc(mt_store_key_of(st, &other_card.iccid, id, NOW, &k), RC_NOTFOUND);
	ck_assert(untouched(&k, sizeof k));
	ck_ok(mt_store_key_of(st, &card.iccid, id, NOW, &k));
	ck_assert_int_eq(k.state, MT_KEY_DERIVED);
	mt_key_clear(&k);
	ck_ok(mt_store_confirm_key(st, &card.iccid, &a));
	ck_ok(put_key(&card, "urn:d:1", "b", 2, LATER, &here));
	ck_ok(mt_store_key_of(st, &card.iccid, id, NOW, &k));
	ck_assert(triple_eq(&k.triple, &a));
	ck_assert_int_eq(k.state, MT_KEY_CONFIRMED);
	mt_key_clear(&k);
	ck_rc(mt_store_forget_key(st, &other_card.iccid, &a), RC_NOTFOUND);
	ck_ok(mt_store_forget_key(st, &card.iccid, &a));
	ck_rc(mt_store_forget_key(st, &card.iccid, &a), RC_NOTFOUND);
	ck_ok(mt_store_key_of(st, &card.iccid, id, NOW, &k));
	ck_assert(triple_eq(&k.triple, &b));
	mt_key_clear(&k);
}
END_TEST

START_TEST(k4_confirming_again_changes_nothing)
{
	struct triple a = triple("urn:d:1", "a", &naf), none = triple("urn:d:1", "x", &naf);

	ck_ok(put_key(&card, "urn:d:1", "a", 1, LATER, &here));
	ck_ok(mt_store_confirm_key(st, &card.iccid, &a));
	ck_ok(put_key(&card, "urn:d:1", "b", 2, LATER, &here));
	ck_ok(mt_store_confirm_key(st, &card.iccid, &a));	/* the older one's, late: the newer one waits on */
	ck_ok(has_key(&card, "urn:d:1", "a", NOW));
	ck_ok(has_key(&card, "urn:d:1", "b", NOW));
	ck_rc(mt_store_confirm_key(st, &card.iccid, &none), RC_NOTFOUND);
	ck_rc(mt_store_confirm_key(st, &other_card.iccid, &a), RC_NOTFOUND);
}
END_TEST

START_TEST(k5_unused_per_connection_and_link)
{
	const struct mt_origin there = { "tcp/127.0.0.1", "c2" }, elsewhere = { "unix/0", "c3" };
	char device[16];

	ck_ok(put_key(&card, "urn:used", "a", 1, LATER, &here));
	{
		struct triple used = triple("urn:used", "a", &naf);

		ck_ok(mt_store_confirm_key(st, &card.iccid, &used));
	}
	for (int i = 0; i < 6; i++) {
		(void)snprintf(device, sizeof device, "urn:d:%d", i);
		ck_ok(put_key(&card, device, "a", 1, LATER, &here));
		ck_ok(mt_store_trim_conn(st, &here, 4));
	}
	ck_rc(has_key(&card, "urn:d:1", "a", NOW), RC_NOTFOUND);	/* oldest out */
	ck_ok(has_key(&card, "urn:d:2", "a", NOW));
	ck_ok(has_key(&card, "urn:d:5", "a", NOW));
	ck_ok(has_key(&card, "urn:used", "a", NOW));
	for (int i = 10; i < 13; i++) {		/* another connection has a bound of its own */
		(void)snprintf(device, sizeof device, "urn:d:%d", i);
		ck_ok(put_key(&card, device, "a", 1, LATER, &there));
		ck_ok(mt_store_trim_conn(st, &there, 4));
	}
	ck_ok(put_key(&card, "urn:d:20", "a", 1, LATER, &elsewhere));
	ck_assert_int_eq(keys(&card, NOW), 1 + 4 + 3 + 1);
	/* connections that ended count together, by link */
	ck_ok(mt_store_end_conn(st, &here, 4));
	ck_assert_int_eq(keys(&card, NOW), 1 + 4 + 3 + 1);
	ck_ok(mt_store_end_conn(st, &there, 4));
	ck_assert_int_eq(keys(&card, NOW), 1 + 4 + 1);
	ck_rc(has_key(&card, "urn:d:4", "a", NOW), RC_NOTFOUND);
	ck_ok(has_key(&card, "urn:d:5", "a", NOW));
	ck_ok(has_key(&card, "urn:d:12", "a", NOW));
	ck_ok(has_key(&card, "urn:d:20", "a", NOW));
}
END_TEST

START_TEST(k5_all_connections_end_at_start)
{
	char device[16];

	for (int i = 0; i < 12; i++) {
		struct mt_origin o = { .conn = "c" };

		(void)snprintf(o.link, sizeof o.link, "l%d", i % 2);
		(void)snprintf(o.conn, sizeof o.conn, "c%d", i);
		(void)snprintf(device, sizeof device, "urn:d:%d", i);
		ck_ok(put_key(&card, device, "a", 1, LATER, &o));
	}
	ck_ok(mt_store_end_all_conns(st, 4));
	ck_assert_int_eq(keys(&card, NOW), 8);
	ck_rc(has_key(&card, "urn:d:3", "a", NOW), RC_NOTFOUND);
	ck_ok(has_key(&card, "urn:d:4", "a", NOW));
}
END_TEST

START_TEST(k5_touched_is_newest)
{
	struct triple t = triple("urn:d:1", "a", &naf);
	const struct mt_origin there = { "tcp/127.0.0.1", "c2" };
	struct mt_key k;

	ck_ok(put_key(&card, "urn:d:1", "a", 1, LATER, &here));
	ck_ok(put_key(&card, "urn:d:2", "a", 1, LATER, &there));
	ck_ok(mt_store_get_key(st, &card.iccid, &t, NOW, &k));
	ck_ok(mt_store_touch_key(st, &k, &there));
	mt_key_clear(&k);
	ck_ok(mt_store_trim_conn(st, &there, 1));
	ck_ok(has_key(&card, "urn:d:1", "a", NOW));
	ck_rc(has_key(&card, "urn:d:2", "a", NOW), RC_NOTFOUND);
}
END_TEST

/* seed 7.5: a new UICC, and everything of the old one goes, with the record, or not at all. */
START_TEST(new_card_deletes_all_of_the_old)
{
	const struct impi impi = { "a@x.example" };
	struct btid one = btid("one");
	struct secret *k = octets(9), *got;
	char tmpi[TMPI_LEN + 1];
	struct iccid last;
	struct mt_ks ks;
	bool changed;

	ck_rc(mt_store_last_card(st, &last), RC_NOTFOUND);
	ck_ok(mt_store_card(st, &card.iccid, &changed));
	ck_assert(changed);
	put_ks(&card, "one", 1, LATER);
	ck_ok(mt_store_put_ks_naf(st, &card, &one, &naf, LATER, k));
	ck_ok(mt_store_put_tmpi(st, &card, &impi, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org"));
	ck_ok(put_key(&card, "urn:d:1", "one", 3, LATER, &here));
	ck_ok(mt_store_card(st, &card.iccid, &changed));
	ck_assert(!changed);
	ck_ok(has_key(&card, "urn:d:1", "one", NOW));

	/* a turn that is not kept takes back both */
	ck_ok(store_begin(st));
	ck_ok(mt_store_card(st, &other_card.iccid, &changed));
	ck_assert(changed);
	ck_rc(has_key(&card, "urn:d:1", "one", NOW), RC_NOTFOUND);
	ck_ok(store_end(st, false));
	ck_ok(has_key(&card, "urn:d:1", "one", NOW));
	ck_ok(mt_store_last_card(st, &last));
	ck_assert_str_eq(last.s, card.iccid.s);

	ck_ok(mt_store_card(st, &other_card.iccid, &changed));
	ck_assert(changed);
	ck_ok(mt_store_last_card(st, &last));
	ck_assert_str_eq(last.s, other_card.iccid.s);
	ck_rc(has_key(&card, "urn:d:1", "one", NOW), RC_NOTFOUND);
	ck_rc(mt_store_get_ks(st, &card, NOW, 0, &ks), RC_NOTFOUND);
	ck_rc(mt_store_get_ks_naf(st, &card, &one, &naf, NOW, &got), RC_NOTFOUND);
	ck_ok(mt_store_get_tmpi(st, &card, &impi, tmpi));
	ck_assert_str_eq(tmpi, "");
	secret_free(k);
}
END_TEST

/* C2: with the card goes Ks; the keys only if the rule says so. */
START_TEST(c2_removed)
{
	struct btid one = btid("one");
	struct secret *k = octets(9), *got;
	struct mt_ks ks;
	bool deleted, with_keys = _i == 1;

	ck_ok(mt_store_removed(st, with_keys, &deleted));
	ck_assert(!deleted);
	put_ks(&card, "one", 1, LATER);
	ck_ok(mt_store_put_ks_naf(st, &card, &one, &naf, LATER, k));
	ck_ok(put_key(&card, "urn:d:1", "one", 3, LATER, &here));
	ck_ok(mt_store_removed(st, with_keys, &deleted));
	ck_assert(deleted);
	ck_rc(mt_store_get_ks(st, &card, NOW, 0, &ks), RC_NOTFOUND);
	if (with_keys) {
		ck_rc(has_key(&card, "urn:d:1", "one", NOW), RC_NOTFOUND);
		ck_rc(mt_store_get_ks_naf(st, &card, &one, &naf, NOW, &got), RC_NOTFOUND);
	} else {
		ck_ok(has_key(&card, "urn:d:1", "one", NOW));
		ck_ok(mt_store_get_ks_naf(st, &card, &one, &naf, NOW, &got));
		secret_free(got);
	}
	secret_free(k);
}
END_TEST

START_TEST(buckets)
{
	struct mt_bucket b = { 1234, 99 }, got;

	ck_rc(mt_store_get_bucket(st, "mt", &got), RC_NOTFOUND);
	ck_ok(mt_store_put_bucket(st, "mt", &b));
	b.level = 7;
	ck_ok(mt_store_put_bucket(st, "mt", &b));
	ck_ok(mt_store_get_bucket(st, "mt", &got));
	ck_assert_int_eq(got.level, 7);
	ck_assert_int_eq(got.at_ms, 99);
}
END_TEST

START_TEST(t1_expiry_in_slices)
{
	char device[16];
	unsigned n, total = 0;

	ck_assert_int_eq(mt_store_next_expiry(st), INT64_MAX);
	for (int i = 0; i < 25; i++) {
		(void)snprintf(device, sizeof device, "urn:d:%d", i);
		ck_ok(put_key(&card, device, "a", 1, NOW + i, &here));
	}
	put_ks(&card, "a", 1, NOW + 10);
	ck_assert_int_eq(mt_store_next_expiry(st), NOW);
	for (;;) {
		ck_ok(mt_store_expire(st, NOW + 10, 4, &n));
		ck_assert_uint_le(n, 4);
		if (n == 0)
			break;
		total += n;
	}
	ck_assert_uint_eq(total, 11 + 1);
	ck_assert_int_eq(mt_store_next_expiry(st), NOW + 11);
	ck_assert_int_eq(keys(&card, 0), 14);
}
END_TEST

START_TEST(t1_a_full_bucket_is_no_row)
{
	struct mt_bucket b = { 0, NOW * 1000 };
	unsigned n;

	ck_ok(mt_store_put_bucket(st, "mt", &b));
	ck_assert_int_eq(mt_store_next_expiry(st), NOW + 3601);
	ck_ok(mt_store_expire(st, NOW + 3599, 10, &n));
	ck_assert_uint_eq(n, 0);
	ck_ok(mt_store_expire(st, NOW + 3601, 10, &n));
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* A row that was copied to another place does not open, and none is readable. */
START_TEST(sealed_rows)
{
	char path[] = "/tmp/mt-store-XXXXXX", cmd[512];
	struct triple t;
	struct mt_key k;
	sqlite3 *db;
	int fd = mkstemp(path);
	FILE *f;
	static uint8_t buf[1 << 20];
	uint8_t key[KS_LEN];
	size_t n;

	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(path);
	store_close(st);
	ck_ok(mt_store_open(path, store_key, &st));
	ck_ok(put_key(&card, "urn:d:1", "a", 0x41, LATER, &here));
	ck_ok(put_key(&card, "urn:d:2", "a", 0x42, LATER, &here));
	ck_ok(store_commit(st));
	store_close(st);
	st = NULL;

	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	n = fread(buf, 1, sizeof buf, f);
	fclose(f);
	memset(key, 0x41, sizeof key);
	ck_assert_ptr_null(memmem(buf, n, key, sizeof key));
	ck_assert_ptr_nonnull(memmem(buf, n, "urn:d:1", 7));

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "UPDATE key SET ks_local_mt = (SELECT ks_local_mt FROM key WHERE device_id = 'urn:d:2')"
	    " WHERE device_id = 'urn:d:1'", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	ck_ok(mt_store_open(path, store_key, &st));
	t = triple("urn:d:1", "a", &naf);
	untouched_fill(&k, sizeof k);
	ck_rc(mt_store_get_key(st, &card.iccid, &t, NOW, &k), RC_DENIED);
	ck_assert(untouched(&k, sizeof k));
	ck_ok(has_key(&card, "urn:d:2", "a", NOW));
	(void)snprintf(cmd, sizeof cmd, "%s-wal", path);
	unlink(cmd);
	(void)snprintf(cmd, sizeof cmd, "%s-shm", path);
	unlink(cmd);
	unlink(path);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/store");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_add_test(t, mt_id_is_made_once);
	tcase_add_test(t, ks_round_trip);
	tcase_add_test(t, k7_ks_newest_alone_and_min_left);
	tcase_add_test(t, ks_in_the_uicc);
	tcase_add_test(t, k8_drop_only_if_newest);
	tcase_add_test(t, k6_ks_naf_by_btid_and_naf);
	tcase_add_test(t, k6_bounded_where_devices_name_the_nafs);
	tcase_add_test(t, tmpi_of_the_impi);
	tcase_add_test(t, key_round_trip);
	tcase_add_test(t, k2_one_in_use_one_waiting);
	tcase_add_test(t, k2_the_key_of_a_device);
	tcase_add_test(t, k4_confirming_again_changes_nothing);
	tcase_add_test(t, k5_unused_per_connection_and_link);
	tcase_add_test(t, k5_all_connections_end_at_start);
	tcase_add_test(t, k5_touched_is_newest);
	tcase_add_test(t, new_card_deletes_all_of_the_old);
	tcase_add_loop_test(t, c2_removed, 0, 2);
	tcase_add_test(t, buckets);
	tcase_add_test(t, t1_expiry_in_slices);
	tcase_add_test(t, t1_a_full_bucket_is_no_row);
	tcase_add_test(t, sealed_rows);
	suite_add_tcase(s, t);
	return unit_run(s);
}
