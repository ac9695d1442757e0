/* appkey: application keys, by vectors of derive.py. U7 W5 */
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/appkey.h"
#include "common/b64.h"
#include "test/unit/vectors.h"

static json_t *doc;
static struct secret *ks;

/* The vectors of key derivation, by the beginning of their names. */
static json_t *
named(const char *name)
{
	json_t *v;
	size_t i;

	json_array_foreach(vec_get(doc, "computed.kdf"), i, v) {
		if (strncmp(json_string_value(json_object_get(v, "name")), name, strlen(name)) == 0)
			return v;
	}
	ck_abort_msg("no vector %s", name);
	return NULL;
}

static struct secret *
vector(const char *name, const char *member)
{
	return vec_secret(named(name), member);
}

static void
setup(void)
{
	doc = vectors_load();
	ks = vector("Ks_local_device_appl", "key");
}

static void
teardown(void)
{
	secret_free(ks);
	json_decref(doc);
}

START_TEST(u7_key_and_identity_are_the_vectors)
{
	struct secret *want = vector("Ks_local_device_appl", "output"), *id = vector("reserved application id kslocal-psk-id", "output");
	char text[B64_LEN(16) + 1], identity[200], kcv[KCV_LEN + 1];
	struct appkey k;

	ck_ok(appkey_make(ks, span_str("org.example.sync"), &k));
	ck_assert(secret_eq(k.key, want));
	b64url_print(span_of(secret_span(id).p, 16), text);
	(void)snprintf(identity, sizeof identity, "kslocal1.%s.org.example.sync", text);
	ck_assert_str_eq(k.identity, identity);
	ck_assert(appkey_identity_ok(span_str(k.identity)));
	ck_ok(secret_kcv(want, kcv));
	ck_assert_str_eq(k.kcv, kcv);
	appkey_clear(&k);
	ck_assert_ptr_null(k.key);
	secret_free(want);
	secret_free(id);
}
END_TEST

static const struct {
	const char *app;
	enum rc rc;
	bool identity;
} apps[] = {
	{ "a", RC_OK, true }, { "A-Z_0.9", RC_OK, true }, { "org example", RC_OK, false }, { "a:b", RC_OK, false }, { "a/b", RC_OK, false },
	{ "caf\xc3\xa9", RC_OK, false }, { "", RC_RANGE, false }, { "kslocal-tls", RC_DENIED, false }, { "kslocal-psk-id", RC_DENIED, false },
	{ "kslocal-confirm", RC_DENIED, false }, { "kslocal-", RC_DENIED, false }, { "kslocal-mine", RC_DENIED, false },
	{ "Kslocal-tls", RC_OK, true }, { "kslocal", RC_OK, true },
};

START_TEST(u7_w5_application_ids)
{
	struct appkey k;

	untouched_fill(&k, sizeof k);
	ck_rc(appkey_make(ks, span_str(apps[_i].app), &k), apps[_i].rc);
	if (apps[_i].rc != RC_OK) {
		ck_assert(untouched(&k, sizeof k));
		return;
	}
	ck_assert_int_eq(k.identity[0] != '\0', apps[_i].identity);
	appkey_clear(&k);
}
END_TEST

START_TEST(u7_lengths)
{
	char app[APPKEY_APP_MAX + 2];
	struct appkey k;

	memset(app, 'a', sizeof app);
	ck_rc(appkey_make(ks, span_of(app, APPKEY_APP_MAX + 1), &k), RC_RANGE);
	ck_ok(appkey_make(ks, span_of(app, APPKEY_APP_MAX), &k));
	ck_assert_str_eq(k.identity, "");		/* it would be too long for a PSK */
	appkey_clear(&k);
	ck_ok(appkey_make(ks, span_of(app, APPKEY_IDENTITY_MAX - 9 - 22 - 1), &k));
	ck_assert_uint_eq(strlen(k.identity), APPKEY_IDENTITY_MAX);
	appkey_clear(&k);
	ck_ok(appkey_make(ks, span_of(app, APPKEY_IDENTITY_MAX - 9 - 22), &k));
	ck_assert_str_eq(k.identity, "");
	appkey_clear(&k);
}
END_TEST

START_TEST(u7_identities)
{
	static const char *const bad[] = { "", "a:b", "a b", "a\tb", "a\nb", "a\x7f", "caf\xc3\xa9", ":", " " };
	char longest[APPKEY_IDENTITY_MAX + 2];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert(!appkey_identity_ok(span_str(bad[i])));
	ck_assert(!appkey_identity_ok(span_of("a\0b", 3)));
	memset(longest, 'x', sizeof longest);
	ck_assert(appkey_identity_ok(span_of(longest, APPKEY_IDENTITY_MAX)));
	ck_assert(!appkey_identity_ok(span_of(longest, APPKEY_IDENTITY_MAX + 1)));
}
END_TEST

#define HEX "23e12641eef6530c81f749c457ec56f7d490e40c2ae95b1497643d3ae6df6505"

START_TEST(u7_texts)
{
	static const char *const no_key[] = { "", "23", HEX "00", "23E12641EEF6530C81F749C457EC56F7D490E40C2AE95B1497643D3AE6DF6505",
		"x3e12641eef6530c81f749c457ec56f7d490e40c2ae95b1497643d3ae6df6505" };
	char out[APPKEY_TEXT_MAX + 1], identity[APPKEY_IDENTITY_MAX + 1];
	size_t n = 0;

	ck_ok(appkey_print(APPKEY_HEX, "", HEX, out, &n));
	ck_assert_str_eq(out, HEX "\n");
	ck_assert_uint_eq(n, 65);
	ck_ok(appkey_print(APPKEY_PSK, "me", HEX, out, &n));
	ck_assert_str_eq(out, "me:" HEX "\n");
	ck_assert_uint_eq(n, 68);
	ck_rc(appkey_print(APPKEY_PSK, "", HEX, out, &n), RC_SYNTAX);
	ck_rc(appkey_print(APPKEY_PSK, "a:b", HEX, out, &n), RC_SYNTAX);
	for (size_t i = 0; i < sizeof no_key / sizeof *no_key; i++)
		ck_rc(appkey_print(APPKEY_HEX, "", no_key[i], out, &n), RC_SYNTAX);
	memset(identity, 'x', APPKEY_IDENTITY_MAX);
	identity[APPKEY_IDENTITY_MAX] = '\0';
	ck_ok(appkey_print(APPKEY_PSK, identity, HEX, out, &n));
	ck_assert_uint_eq(n, APPKEY_TEXT_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("common/appkey");
	TCase *t = tcase_create("appkey");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, u7_key_and_identity_are_the_vectors);
	tcase_add_loop_test(t, u7_w5_application_ids, 0, sizeof apps / sizeof *apps);
	tcase_add_test(t, u7_lengths);
	tcase_add_test(t, u7_identities);
	tcase_add_test(t, u7_texts);
	suite_add_tcase(s, t);
	return unit_run(s);
}
