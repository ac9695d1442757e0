/* seal: a value opens with its key, in its store, at its place, and nowhere else. */
#include "common/seal.h"

#include <check.h>
#include <stdio.h>

#include "common/store.h"
#include "test/unit/unit.h"

static const uint8_t store_a[SEAL_STORE_ID_LEN] = "store a ........", store_b[SEAL_STORE_ID_LEN] = "store b ........";
static const struct seal_place here = { "key", "ks", { (const uint8_t *)"row 1", 5 } };
static struct secret *key, *other, *value;
static struct seal *s;
static uint8_t sealed[SEALED_LEN(32)];
static size_t n;

static struct secret *
filled(size_t len, uint8_t with)
{
	struct secret *v = NULL;

	ck_ok(secret_new(len, &v));
	memset(secret_bytes(v), with, len);
	return v;
}

static void
setup(void)
{
	key = filled(32, 1);
	other = filled(32, 2);
	value = filled(32, 3);
	ck_ok(seal_new(key, store_a, rnd_system(), &s));
	ck_ok(seal_put(s, &here, value, sealed, sizeof sealed, &n));
	ck_assert_uint_eq(n, SEALED_LEN(32));
}

static void
teardown(void)
{
	seal_free(s);
	secret_free(key);
	secret_free(other);
	secret_free(value);
}

START_TEST(opens_again)
{
	struct secret *out = NULL;

	ck_ok(seal_get(s, &here, span_of(sealed, n), &out));
	ck_assert(secret_eq(out, value));
	secret_free(out);
}
END_TEST

START_TEST(form)
{
	uint8_t id[SEAL_KEY_ID_LEN], again[SEALED_LEN(32)];

	ck_ok(seal_key_id(key, id));
	ck_assert_int_eq(sealed[0], 1);
	ck_assert_mem_eq(sealed + 1, id, sizeof id);
	/* Another nonce each time, so another text of the same value. */
	ck_ok(seal_put(s, &here, value, again, sizeof again, &n));
	ck_assert_mem_ne(sealed + 5, again + 5, 12);
	ck_assert_mem_ne(sealed + 17, again + 17, 32);
	ck_assert_ptr_null(memmem(sealed, n, secret_bytes(value), 8));
}
END_TEST

START_TEST(key_ids_differ_and_repeat)
{
	uint8_t a[SEAL_KEY_ID_LEN], b[SEAL_KEY_ID_LEN];

	ck_ok(seal_key_id(key, a));
	ck_ok(seal_key_id(key, b));
	ck_assert_mem_eq(a, b, sizeof a);
	ck_ok(seal_key_id(other, b));
	ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

static const struct seal_place elsewhere[] = {
	{ "kez", "ks", { (const uint8_t *)"row 1", 5 } },
	{ "key", "kt", { (const uint8_t *)"row 1", 5 } },
	{ "key", "ks", { (const uint8_t *)"row 2", 5 } },
	{ "key", "ks", { (const uint8_t *)"row ", 4 } },
	{ "key", "ks", { NULL, 0 } },
	{ "keyk", "s", { (const uint8_t *)"row 1", 5 } },	/* the same octets in a row, parted elsewhere */
	{ "key", "ksrow 1", { NULL, 0 } },
};

START_TEST(another_place_does_not_open)
{
	struct secret *out = NULL;

	ck_rc(seal_get(s, &elsewhere[_i], span_of(sealed, n), &out), RC_DENIED);
	ck_assert_ptr_null(out);
}
END_TEST

START_TEST(another_store_or_key_does_not_open)
{
	struct secret *out = NULL;
	struct seal *t = NULL;

	ck_ok(seal_new(key, store_b, rnd_system(), &t));
	ck_rc(seal_get(t, &here, span_of(sealed, n), &out), RC_DENIED);
	seal_free(t);
	ck_ok(seal_new(other, store_a, rnd_system(), &t));
	ck_rc(seal_get(t, &here, span_of(sealed, n), &out), RC_DENIED);
	/* Nor does it when the key id is made to fit. */
	ck_ok(seal_key_id(other, sealed + 1));
	ck_rc(seal_get(t, &here, span_of(sealed, n), &out), RC_DENIED);
	seal_free(t);
	ck_assert_ptr_null(out);
}
END_TEST

START_TEST(every_bit_counts)
{
	struct secret *out = NULL;

	for (size_t bit = 0; bit < n * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_rc(seal_get(s, &here, span_of(sealed, n), &out), RC_DENIED);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_ptr_null(out);
}
END_TEST

START_TEST(every_length_counts)
{
	uint8_t longer[SEALED_LEN(32) + 5000] = { 0 };
	struct secret *out = NULL;

	for (size_t k = 0; k < n; k++)
		ck_rc(seal_get(s, &here, span_of(sealed, k), &out), RC_DENIED);
	memcpy(longer, sealed, n);
	ck_rc(seal_get(s, &here, span_of(longer, n + 1), &out), RC_DENIED);
	ck_rc(seal_get(s, &here, span_of(longer, sizeof longer), &out), RC_DENIED);	/* longer than any secret */
	ck_assert_ptr_null(out);
}
END_TEST

START_TEST(lengths_of_values)
{
	static const size_t lens[] = { 1, 16, 4096 };
	uint8_t buf[SEALED_LEN(4096)];
	struct secret *v, *out = NULL;
	size_t m = 77;

	for (size_t i = 0; i < 3; i++) {
		v = filled(lens[i], 9);
		ck_rc(seal_put(s, &here, v, buf, SEALED_LEN(lens[i]) - 1, &m), RC_RANGE);
		ck_assert_uint_eq(m, i == 0 ? 77 : SEALED_LEN(lens[i - 1]));
		ck_ok(seal_put(s, &here, v, buf, SEALED_LEN(lens[i]), &m));
		ck_ok(seal_get(s, &here, span_of(buf, m), &out));
		ck_assert(secret_eq(v, out));
		secret_free(out);
		secret_free(v);
	}
	ck_rc(seal_put(s, &here, NULL, buf, sizeof buf, &m), RC_RANGE);
}
END_TEST

START_TEST(limits_of_keys_and_tables)
{
	struct secret *half = filled(16, 1);
	struct seal *t = NULL;
	struct seal_place p = here;
	char name[8], long_name[80];

	ck_rc(seal_new(half, store_a, rnd_system(), &t), RC_RANGE);
	ck_rc(seal_new(NULL, store_a, rnd_system(), &t), RC_RANGE);
	ck_assert_ptr_null(t);
	secret_free(half);
	memset(long_name, 't', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	p.table = long_name;
	ck_rc(seal_put(s, &p, value, sealed, sizeof sealed, &n), RC_RANGE);
	p.table = name;
	for (int i = 1; i < 16; i++) {
		snprintf(name, sizeof name, "t%d", i);		/* the name is copied */
		ck_ok(seal_put(s, &p, value, sealed, sizeof sealed, &n));
	}
	snprintf(name, sizeof name, "t16");
	ck_rc(seal_put(s, &p, value, sealed, sizeof sealed, &n), RC_RANGE);
	snprintf(name, sizeof name, "t7");
	ck_ok(seal_put(s, &p, value, sealed, sizeof sealed, &n));
	seal_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("seal");
	TCase *t = tcase_create("seal");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, opens_again);
	tcase_add_test(t, form);
	tcase_add_test(t, key_ids_differ_and_repeat);
	tcase_add_loop_test(t, another_place_does_not_open, 0, TABLE_N(elsewhere));
	tcase_add_test(t, another_store_or_key_does_not_open);
	tcase_add_test(t, every_bit_counts);
	tcase_add_test(t, every_length_counts);
	tcase_add_test(t, lengths_of_values);
	tcase_add_test(t, limits_of_keys_and_tables);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
