/* bsfd auc: vectors, SQN blocks (B2), resynchronisation, doubtful stores (B4). */
#include <stdio.h>
#include <unistd.h>

#include "bsfd/auc.h"
#include "test/unit/bsfd/fixture.h"
#include "common/aka.h"
#include "test/unit/vectors.h"

#define BLOCK 8
#define IND 31

static struct fix f;
static struct bsf_auc *auc;
static struct secret *k, *opc;
static struct impi impi = { IMPI };

static void
open_auc(const char *side)
{
	struct bsf_auc_conf conf = { .ind = IND, .block = BLOCK, .generation_file = side };

	ck_ok(bsf_auc_new(f.store, f.turn, &f.rnd.rnd, &conf, &auc));
	turn_end(f.turn);
}

static void
subscribe(uint64_t sqn, bool gba_u)
{
	struct bsf_subscriber s = { .impi = impi, .imsi = { IMSI }, .amf = { 0x80, 0 }, .sqn = sqn, .gba_u = gba_u };

	ck_ok(hex_parse_secret(span_str(K_HEX), 16, &k));
	ck_ok(hex_parse_secret(span_str(OPC_HEX), 16, &opc));
	ck_ok(store_begin(f.store));
	ck_ok(bsf_store_put_subscriber(f.store, &s, "", k, opc));
	ck_ok(store_end(f.store, true));
	turn_end(f.turn);
}

static void
setup(void)
{
	fix_open(&f, ":memory:");
	open_auc(NULL);
}

static void
teardown(void)
{
	turn_end(f.turn);
	bsf_auc_free(auc);
	secret_free(k);
	secret_free(opc);
	fix_close(&f);
	k = opc = NULL;
}

/* The next challenge's SQN, as the card sees it. */
static uint64_t
challenge(struct bsf_av *av)
{
	struct aka_result r = { 0 };
	uint64_t sqn;

	ck_ok(bsf_auc_challenge(auc, &impi, av));
	ck_ok(aka_check(k, opc, av->rand, av->autn, &r));
	ck_assert_uint_eq(r.amf[0], 0x80);
	sqn = r.sqn;
	aka_result_clear(&r);
	return sqn;
}

static uint64_t
stored_sqn(void)
{
	struct bsf_subscriber s;

	ck_ok(bsf_store_get_subscriber(f.store, &impi, &s));
	return s.sqn;
}

START_TEST(a_challenge_and_what_it_asks_for)
{
	struct secret *xres = NULL, *ks = NULL, *want = NULL;
	struct aka_result r = { 0 };
	struct bsf_av a, b;

	subscribe(0, false);
	ck_assert_uint_eq(challenge(&a), 1 << 5 | IND);
	ck_assert_uint_eq(challenge(&b), 2 << 5 | IND);
	ck_assert(!a.gba_u);
	ck_assert_mem_ne(a.rand, b.rand, 16);
	ck_ok(bsf_auc_expect(auc, &impi, a.rand, &xres, &ks));
	ck_ok(aka_check(k, opc, a.rand, a.autn, &r));
	ck_ok(secret_concat(r.ck, r.ik, &want));
	ck_assert(secret_eq(xres, r.res) && secret_eq(ks, want));
	aka_result_clear(&r);
	secret_free(xres);
	secret_free(ks);
	secret_free(want);
}
END_TEST

START_TEST(nobody)
{
	struct secret *xres = NULL, *ks = NULL;
	uint8_t zero[16] = { 0 };
	struct bsf_av av;

	untouched_fill(&av, sizeof av);
	ck_rc(bsf_auc_challenge(auc, &impi, &av), RC_NOTFOUND);
	ck_assert(untouched(&av, sizeof av));
	ck_rc(bsf_auc_expect(auc, &impi, zero, &xres, &ks), RC_NOTFOUND);
	ck_rc(bsf_auc_resync(auc, &impi, zero, zero), RC_NOTFOUND);
	ck_rc(bsf_auc_top_up(auc, &impi), RC_NOTFOUND);
	ck_assert(xres == NULL && ks == NULL);
}
END_TEST

START_TEST(B2_a_reserved_block_costs_no_commit)
{
	struct bsf_av av;
	uint64_t before;

	subscribe(0, false);
	ck_ok(bsf_auc_top_up(auc, &impi));	/* as a 200, or subscriber-add, does */
	turn_end(f.turn);
	before = fix_commits(&f);
	for (int i = 0; i < BLOCK; i++) {
		challenge(&av);
		turn_end(f.turn);
		ck_assert_uint_eq(fix_commits(&f), before);
	}
	challenge(&av);
	turn_end(f.turn);
	ck_assert_uint_eq(fix_commits(&f), before + 1);
}
END_TEST

START_TEST(top_up_when_half_is_gone)
{
	struct bsf_av av;

	subscribe(0, false);
	ck_ok(bsf_auc_top_up(auc, &impi));
	ck_assert_uint_eq(sqn_seq(stored_sqn()), BLOCK);
	for (int i = 0; i < BLOCK / 2; i++)
		challenge(&av);
	ck_ok(bsf_auc_top_up(auc, &impi));
	ck_assert_uint_eq(sqn_seq(stored_sqn()), BLOCK);
	challenge(&av);
	ck_ok(bsf_auc_top_up(auc, &impi));
	ck_assert_uint_eq(sqn_seq(stored_sqn()), 2 * BLOCK);
}
END_TEST

START_TEST(after_a_restart_the_rest_is_skipped)
{
	struct bsf_av av;
	uint64_t last;

	subscribe(0, false);
	challenge(&av);
	last = challenge(&av);
	turn_end(f.turn);
	bsf_auc_free(auc);
	open_auc(NULL);
	ck_assert_uint_eq(sqn_seq(challenge(&av)), BLOCK + 1);
	ck_assert_uint_lt(last, BLOCK << 5);
}
END_TEST

struct leaving {
	uint64_t sqn;
	uint64_t *last;
	int *left;
};

/* What the wire does: only what is durable leaves, and what left must be new. */
static void
leave(void *arg, enum rc rc)
{
	struct leaving *l = arg;

	if (rc == RC_OK) {
		ck_assert_uint_gt(l->sqn, *l->last);
		*l->last = l->sqn;
		++*l->left;
	}
	free(l);
}

START_TEST(no_sqn_leaves_twice_whatever_the_disk_does)
{
	uint64_t last = 0;
	int left = 0, broken = 0;
	uint32_t r;

	subscribe(0, false);
	for (int i = 0; i < 400; i++) {
		struct bsf_av av;

		ck_ok(rnd_below(&f.rnd.rnd, 4, &r));
		fix_break_store(&f, r == 0);
		broken += r == 0;
		for (uint32_t n = r + 1; n > 0; n--) {
			struct leaving *l = malloc(sizeof *l);

			*l = (struct leaving){ challenge(&av), &last, &left };
			turn_later(f.turn, leave, l);
		}
		turn_end(f.turn);
		if (i % 50 == 49) {	/* killed */
			fix_break_store(&f, false);
			bsf_auc_free(auc);
			open_auc(NULL);
		}
	}
	fix_break_store(&f, false);
	ck_assert_int_gt(broken, 20);
	ck_assert_int_gt(left, 300);
}
END_TEST

START_TEST(a_block_that_is_not_durable_is_forgotten)
{
	struct bsf_av av;

	subscribe(0, false);
	fix_break_store(&f, true);
	challenge(&av);
	turn_end(f.turn);
	fix_break_store(&f, false);
	ck_assert_uint_eq(stored_sqn(), 0);
	ck_assert_uint_eq(sqn_seq(challenge(&av)), 1);	/* the first one never left */
	turn_end(f.turn);
	ck_assert_uint_eq(sqn_seq(stored_sqn()), BLOCK);
}
END_TEST

/* The card's highest SEQ against the AuC's: -1 = the card is behind by so much. */
static const struct {
	int64_t ahead;
	bool follows;
} cards[] = {
	{ 1, true }, { 1 << 20, true }, { INT64_C(1) << 30, true },
	{ -(INT64_C(1) << 28), true },		/* we are further ahead than the card takes */
	{ -((INT64_C(1) << 28) - 1), false },	/* it would take the next one */
	{ -1, false },
};

START_TEST(resync_follows_the_card)
{
	const uint64_t here = UINT64_C(1) << 40;
	uint64_t seq_ms = here + (uint64_t)cards[_i].ahead, seq;
	uint8_t auts[AKA_AUTS_LEN];
	struct bsf_av av;

	subscribe((here - 1) << 5, false);
	ck_assert_uint_eq(sqn_seq(challenge(&av)), here);
	ck_ok(aka_make_auts(k, opc, av.rand, seq_ms << 5 | 3, auts));
	ck_ok(bsf_auc_resync(auc, &impi, av.rand, auts));
	seq = sqn_seq(challenge(&av));
	ck_assert_uint_eq(seq, cards[_i].follows ? seq_ms + 1 : here + 1);
	turn_end(f.turn);
	ck_assert_uint_ge(sqn_seq(stored_sqn()), seq);
}
END_TEST

START_TEST(a_wrong_auts_changes_nothing)
{
	uint8_t auts[AKA_AUTS_LEN], other[16] = { 1 };
	struct bsf_av av;
	uint64_t stored;

	subscribe(0, false);
	challenge(&av);
	stored = stored_sqn();
	ck_ok(aka_make_auts(k, opc, av.rand, UINT64_C(1) << 40, auts));
	ck_rc(bsf_auc_resync(auc, &impi, other, auts), RC_DENIED);	/* of another RAND */
	auts[AKA_AUTS_LEN - 1] ^= 1;
	ck_rc(bsf_auc_resync(auc, &impi, av.rand, auts), RC_DENIED);
	ck_assert_uint_eq(stored_sqn(), stored);
	ck_assert_uint_eq(sqn_seq(challenge(&av)), 2);
}
END_TEST

START_TEST(resync_vector)
{
	json_t *doc = vectors_load(), *v = vec_get(doc, "computed.resync");
	uint8_t rand[16], auts[AKA_AUTS_LEN];
	struct bsf_av av;

	subscribe(0, false);
	vec_hex(v, "rand", rand, sizeof rand);
	vec_hex(v, "auts", auts, sizeof auts);
	ck_ok(bsf_auc_resync(auc, &impi, rand, auts));
	ck_assert_uint_eq(sqn_seq(challenge(&av)), (UINT64_C(0xff9bb4d0b5e1) >> 5) + 1);
	json_decref(doc);
}
END_TEST

START_TEST(sequence_numbers_end)
{
	struct bsf_av av;

	subscribe(SQN_MAX - (BLOCK << 5) - 31, false);
	for (int i = 0; i < BLOCK; i++)
		challenge(&av);
	ck_rc(bsf_auc_challenge(auc, &impi, &av), RC_RANGE);
	ck_rc(bsf_auc_top_up(auc, &impi), RC_RANGE);
}
END_TEST

START_TEST(a_card_at_the_end_of_its_range)
{
	uint8_t auts[AKA_AUTS_LEN];
	struct bsf_av av;

	subscribe(0, false);
	challenge(&av);
	ck_ok(aka_make_auts(k, opc, av.rand, SQN_MAX, auts));
	ck_rc(bsf_auc_resync(auc, &impi, av.rand, auts), RC_RANGE);
	ck_assert_uint_eq(sqn_seq(challenge(&av)), 2);
}
END_TEST

START_TEST(gba_u_gets_autn_star)
{
	struct aka_result r = { 0 };
	uint8_t autn[AKA_AUTN_LEN];
	struct secret *xres = NULL, *ks = NULL, *ik = NULL;
	struct bsf_av av;

	subscribe(0, true);
	ck_ok(bsf_auc_challenge(auc, &impi, &av));
	ck_assert(av.gba_u);
	ck_rc(aka_check(k, opc, av.rand, av.autn, &r), RC_DENIED);	/* plain AKA sees a wrong MAC */
	ck_ok(bsf_auc_expect(auc, &impi, av.rand, &xres, &ks));
	ck_ok(secret_from(span_of(secret_span(ks).p + 16, 16), &ik));
	ck_ok(aka_autn_star(ik, av.autn, autn));
	ck_ok(aka_check(k, opc, av.rand, autn, &r));
	aka_result_clear(&r);
	secret_free(xres);
	secret_free(ks);
	secret_free(ik);
}
END_TEST

static const struct {
	const char *form, *says;
} credentials[] = {
	{ "{\"opc\":\"" OPC_HEX "\"}", "k: is missing" },
	{ "{\"k\":\"" K_HEX "\"}", "opc: is missing" },
	{ "{\"k\":\"465b5ce8b199b49faa5f0a2ee238a6b\",\"opc\":\"" OPC_HEX "\"}", "k: expected 32 hex digits" },
	{ "{\"k\":7,\"opc\":\"" OPC_HEX "\"}", "k: expected 32 hex digits" },
	{ "{\"k\":\"" K_HEX "\",\"opc\":\"" OPC_HEX " \"}", "opc: expected 32 hex digits" },
	{ "{\"k\":\"" K_HEX "\",\"op\":\"\"}", "op: expected 32 hex digits" },
	{ "{\"k\":\"" K_HEX "\",\"op\":\"" OPC_HEX "\",\"opc\":\"" OPC_HEX "\"}", "op: stands beside opc; give one of them" },
};

START_TEST(bad_credentials_are_named_not_shown)
{
	json_t *o = json_loads(credentials[_i].form, 0, NULL);
	struct secret *k2 = NULL, *opc2 = NULL;
	char text[128] = "";

	ck_rc(bsf_auc_read_credentials(o, &k2, &opc2, text, sizeof text), RC_SYNTAX);
	ck_assert_str_eq(text, credentials[_i].says);
	ck_assert(k2 == NULL && opc2 == NULL);
	json_decref(o);
}
END_TEST

START_TEST(op_or_opc)
{
	json_t *a = json_loads("{\"k\":\"" K_HEX "\",\"op\":\"cdc202d5123e20f62b6d676ac72cb318\"}", 0, NULL);
	json_t *b = json_loads("{\"k\":\"" K_HEX "\",\"opc\":\"" OPC_HEX "\"}", 0, NULL);
	struct secret *k1 = NULL, *k2 = NULL, *o1 = NULL, *o2 = NULL;
	char text[128];

	ck_ok(bsf_auc_read_credentials(a, &k1, &o1, text, sizeof text));	/* TS 35.208 4.3.1 */
	ck_ok(bsf_auc_read_credentials(b, &k2, &o2, text, sizeof text));
	ck_assert(secret_eq(k1, k2) && secret_eq(o1, o2));
	secret_free(k1);
	secret_free(k2);
	secret_free(o1);
	secret_free(o2);
	json_decref(a);
	json_decref(b);
}
END_TEST

START_TEST(B4_a_store_put_back_raises_every_sqn)
{
	char side[] = "/tmp/bsf-generation-XXXXXX";
	struct bsf_av av;
	uint64_t seq;
	int fd = mkstemp(side);

	ck_assert(fd >= 0);
	close(fd);
	unlink(side);
	bsf_auc_free(auc);
	open_auc(side);
	subscribe(0, false);
	challenge(&av);
	turn_end(f.turn);
	bsf_auc_free(auc);
	open_auc(side);			/* a start like any other */
	seq = sqn_seq(challenge(&av));
	ck_assert_uint_eq(seq, BLOCK + 1);
	turn_end(f.turn);
	bsf_auc_free(auc);
	/* the backup of before those blocks comes back: generation 0 and the SQN of then */
	ck_assert_int_eq(sqlite3_exec(sqlite3_db_handle(store_stmt(f.store, 0)), "UPDATE generation SET n = 0; UPDATE subscriber SET sqn = 0",
	    NULL, NULL, NULL), SQLITE_OK);
	open_auc(side);
	ck_assert_ptr_nonnull(strstr(fix_log, "every SQN raised by 65536"));
	ck_assert_uint_eq(sqn_seq(challenge(&av)), (65536 >> 5) + 1);
	turn_end(f.turn);
	unlink(side);
}
END_TEST

static void
ck_sql(const char *sql)
{
	ck_assert_int_eq(sqlite3_exec(sqlite3_db_handle(store_stmt(f.store, 0)), sql, NULL, NULL, NULL), SQLITE_OK);
}

static void
delete_it(void)
{
	ck_ok(store_begin(f.store));
	ck_ok(bsf_store_delete_subscriber(f.store, &impi));
	ck_ok(store_end(f.store, true));
	turn_end(f.turn);
	bsf_auc_forget(auc, &impi);
}

/* K stays at hand between two challenges, and not beyond its subscriber: the next one of that name has another. */
START_TEST(keys_at_hand_go_with_the_subscriber)
{
	struct secret *xres = NULL, *ks = NULL;
	struct aka_result r = { 0 };
	struct bsf_av av;

	subscribe(0, false);
	challenge(&av);
	delete_it();
	ck_rc(bsf_auc_challenge(auc, &impi, &av), RC_NOTFOUND);
	ck_rc(bsf_auc_expect(auc, &impi, av.rand, &xres, &ks), RC_NOTFOUND);
	ck_assert(xres == NULL && ks == NULL);
	secret_free(k);
	secret_free(opc);
	subscribe(0, false);
	challenge(&av);
	delete_it();
	secret_free(k);
	ck_ok(hex_parse_secret(span_str(OPC_HEX), 16, &k));
	ck_ok(store_begin(f.store));
	ck_ok(bsf_store_put_subscriber(f.store, &(struct bsf_subscriber){ .impi = impi, .imsi = { IMSI } }, "", k, opc));
	ck_ok(store_end(f.store, true));
	ck_ok(bsf_auc_challenge(auc, &impi, &av));
	ck_ok(aka_check(k, opc, av.rand, av.autn, &r));
	aka_result_clear(&r);
}
END_TEST

/* A subscriber whose making did not become durable leaves nothing behind. */
START_TEST(keys_at_hand_go_with_a_failed_commit)
{
	struct bsf_av av;

	subscribe(0, false);
	ck_sql("CREATE TABLE p (a INTEGER PRIMARY KEY, b REFERENCES p (a) DEFERRABLE INITIALLY DEFERRED)");
	ck_ok(store_begin(f.store));
	ck_ok(bsf_store_delete_subscriber(f.store, &impi));
	bsf_auc_forget(auc, &impi);
	secret_free(k);
	ck_ok(hex_parse_secret(span_str(OPC_HEX), 16, &k));	/* another K, for this turn */
	ck_ok(bsf_store_put_subscriber(f.store, &(struct bsf_subscriber){ .impi = impi, .imsi = { IMSI } }, "", k, opc));
	ck_ok(bsf_auc_challenge(auc, &impi, &av));
	ck_sql("INSERT INTO p (b) VALUES (9)");
	ck_ok(store_end(f.store, true));
	turn_end(f.turn);
	ck_assert(!turn_healthy(f.turn));
	secret_free(k);
	ck_ok(hex_parse_secret(span_str(K_HEX), 16, &k));
	challenge(&av);
}
END_TEST

/* More subscribers than may be at hand, twice. */
START_TEST(keys_at_hand_are_bounded)
{
	struct impi who;
	struct bsf_av av;

	subscribe(0, false);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 4200; i++) {
			snprintf(who.s, sizeof who.s, "%u@x.org", i);
			if (round == 0) {
				struct bsf_subscriber s = { .impi = who, .amf = { 0x80, 0 } };

				snprintf(s.imsi.s, sizeof s.imsi.s, "0010199%08u", i);
				ck_ok(store_begin(f.store));
				ck_ok(bsf_store_put_subscriber(f.store, &s, "", k, opc));
				ck_ok(store_end(f.store, true));
			}
			ck_ok(bsf_auc_challenge(auc, &who, &av));
		}
	challenge(&av);
}
END_TEST

START_TEST(forgetting_skips_the_block)
{
	struct bsf_av av;

	subscribe(0, false);
	challenge(&av);
	bsf_auc_forget(auc, &impi);
	bsf_auc_forget(auc, &impi);
	ck_assert_uint_eq(sqn_seq(challenge(&av)), BLOCK + 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bsfd auc (B2, B4)");
	TCase *tc = tcase_create("auc");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_challenge_and_what_it_asks_for);
	tcase_add_test(tc, nobody);
	tcase_add_test(tc, B2_a_reserved_block_costs_no_commit);
	tcase_add_test(tc, top_up_when_half_is_gone);
	tcase_add_test(tc, after_a_restart_the_rest_is_skipped);
	tcase_add_test(tc, no_sqn_leaves_twice_whatever_the_disk_does);
	tcase_add_test(tc, a_block_that_is_not_durable_is_forgotten);
	tcase_add_loop_test(tc, resync_follows_the_card, 0, TABLE_N(cards));
	tcase_add_test(tc, a_wrong_auts_changes_nothing);
	tcase_add_test(tc, resync_vector);
	tcase_add_test(tc, sequence_numbers_end);
	tcase_add_test(tc, a_card_at_the_end_of_its_range);
	tcase_add_test(tc, gba_u_gets_autn_star);
	tcase_add_loop_test(tc, bad_credentials_are_named_not_shown, 0, TABLE_N(credentials));
	tcase_add_test(tc, op_or_opc);
	tcase_add_test(tc, B4_a_store_put_back_raises_every_sqn);
	tcase_add_test(tc, keys_at_hand_go_with_the_subscriber);
	tcase_add_test(tc, keys_at_hand_go_with_a_failed_commit);
	tcase_add_test(tc, keys_at_hand_are_bounded);
	tcase_add_test(tc, forgetting_skips_the_block);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
