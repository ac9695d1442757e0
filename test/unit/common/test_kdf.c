#include "common/kdf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/profile.h"
#include "test/unit/vectors.h"

/* The element of computed.kdf whose name begins so; borrowed. */
static json_t *
named(json_t *doc, const char *name)
{
	json_t *all = vec_get(doc, "computed.kdf");

	for (size_t i = 0; i < json_array_size(all); i++) {
		json_t *o = json_array_get(all, i);

		if (strncmp(vec_str(o, "name"), name, strlen(name)) == 0)
			return o;
	}
	ck_abort_msg("vectors: no kdf \"%s\"", name);
	return NULL;
}

/* RFC 4231: is the HMAC below the KDF the right one? */
START_TEST(hmac_of_rfc_4231)
{
	json_t *doc = vectors_load(), *o = vec_at(doc, "hmac_sha256.cases", _i);
	uint8_t key[256], data[256], mac[32];
	size_t kn = vec_hex(o, "key", key, sizeof key), dn = vec_hex(o, "data", data, sizeof data);

	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), key, (int)kn, data, dn, mac, NULL));
	vec_eq(o, "mac", (struct span){ mac, strlen(vec_str(o, "mac")) / 2 });
	json_decref(doc);
}
END_TEST

START_TEST(every_vector_by_the_generic_form)
{
	json_t *doc = vectors_load(), *o = vec_at(doc, "computed.kdf", _i), *ps = vec_get(o, "params_hex");
	static uint8_t buf[KDF_PARAMS_MAX][1024];
	struct span p[KDF_PARAMS_MAX];
	struct secret *key = vec_secret(o, "key"), *out = NULL;
	unsigned fc = (unsigned)strtoul(vec_str(o, "fc"), NULL, 16);
	size_t np = json_array_size(ps), sn = 0;
	uint8_t *s = NULL;

	for (size_t i = 0; i < np; i++) {
		struct span text = span_str(json_string_value(json_array_get(ps, i)));

		ck_ok(hex_parse(text, buf[i], text.n / 2));
		p[i] = (struct span){ buf[i], text.n / 2 };
	}
	ck_ok(kdf_string(fc, p, np, &s, &sn));
	vec_eq(o, "s", (struct span){ s, sn });
	ck_ok(kdf(key, fc, p, np, &out));
	vec_eq(o, "output", secret_span(out));
	OPENSSL_clear_free(s, sn);
	secret_free(out);
	secret_free(key);
	json_decref(doc);
}
END_TEST

/* Those vectors that name FQDN and protocol, by the functions that daemons call. */
START_TEST(naf_keys)
{
	json_t *doc = vectors_load(), *o = vec_at(doc, "computed.kdf", _i), *base = vec_get(doc, "computed.base");
	json_t *fqdn = json_object_get(o, "naf_fqdn");
	struct span impi = span_str(vec_str(base, "impi"));
	struct secret *ks = NULL, *out = NULL;
	char text[NAF_ID_TEXT_MAX + 1];
	struct naf_id id;
	uint8_t rand[16];

	if (fqdn == NULL)
		goto out;
	ks = vec_secret(base, "ks");
	vec_hex(base, "rand", rand, sizeof rand);
	snprintf(text, sizeof text, "%s/%s", json_string_value(fqdn), vec_str(o, "ua_protocol"));
	ck_ok(naf_id_parse(span_str(text), &id));
	if (strncmp(vec_str(o, "name"), "Ks_int", 6) == 0)
		ck_ok(kdf_ks_int_naf(ks, rand, impi, &id, &out));
	else
		ck_ok(kdf_ks_naf(ks, rand, impi, &id, &out));
	vec_eq(o, "output", secret_span(out));
out:
	secret_free(ks);
	secret_free(out);
	json_decref(doc);
}
END_TEST

START_TEST(tmpi)
{
	json_t *doc = vectors_load(), *o = named(doc, "TMPI"), *base = vec_get(doc, "computed.base");
	struct secret *ks = vec_secret(base, "ks"), *naf = NULL, *half = NULL;
	struct span impi = span_str(vec_str(base, "impi"));
	char out[TMPI_LEN + 1], from[TMPI_LEN + 1];
	uint8_t rand[16];
	struct naf_id id;

	vec_hex(base, "rand", rand, sizeof rand);
	ck_ok(kdf_tmpi(ks, rand, impi, vec_str(base, "bsf_fqdn"), out));
	ck_assert_str_eq(out, vec_str(o, "tmpi"));
	ck_assert(tmpi_is(span_str(out)));
	/* as with GBA_U: the UICC derives for BSF_Id, the ME makes the text */
	ck_ok(kdf_bsf_id(vec_str(base, "bsf_fqdn"), &id));
	ck_ok(kdf_ks_naf(ks, rand, impi, &id, &naf));
	ck_ok(kdf_tmpi_from(naf, from));
	ck_assert_str_eq(from, out);
	untouched_fill(out, sizeof out);
	ck_rc(kdf_tmpi(ks, rand, impi, "bsf", out), RC_SYNTAX);
	ck_rc(kdf_tmpi(ks, rand, span_str(""), "bsf.example.org", out), RC_RANGE);
	ck_ok(secret_new(23, &half));
	ck_rc(kdf_tmpi_from(half, out), RC_RANGE);
	ck_assert(untouched(out, sizeof out));
	secret_free(half);
	secret_free(naf);
	secret_free(ks);
	json_decref(doc);
}
END_TEST

/* ts33259.md 6.4: the counting data set, Ks to Ks_local_MT to what hangs below it. */
START_TEST(w5_ks_local_mt_and_below)
{
	static const struct {
		const char *app, *name;
	} reserved[] = {
		{ "kslocal-tls", "reserved application id kslocal-tls" }, { "kslocal-psk-id", "reserved application id kslocal-psk-id" },
		{ "kslocal-confirm", "reserved application id kslocal-confirm" },
	};
	json_t *doc = vectors_load();
	struct secret *naf = vec_secret(named(doc, "Ks_local_device, PROJECT"), "key"), *mt = NULL, *key = NULL;
	struct triple t;

	ck_ok(naf_id_parse(span_str("keycentre.example.org/0100000002"), &t.naf_id));
	ck_ok(btid_parse(span_str("oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"), &t.btid));
	ck_ok(device_id_parse(span_str("urn:uuid:6f1d1c1e-0000-4000-8000-000000000001"), &t.device_id));
	ck_ok(kdf_ks_local_mt(naf, &t, &mt));
	vec_eq(named(doc, "Ks_local_device, PROJECT"), "output", secret_span(mt));
	ck_ok(kdf_ks_local_mt_appl(mt, span_str("org.example.sync"), &key));
	vec_eq(named(doc, "Ks_local_device_appl"), "output", secret_span(key));
	secret_free(key);
	for (int i = 0; i < TABLE_N(reserved); i++) {
		key = NULL;
		ck_ok(kdf_reserved(mt, reserved[i].app, &key));
		vec_eq(named(doc, reserved[i].name), "output", secret_span(key));
		secret_free(key);
		key = NULL;
		ck_rc(kdf_ks_local_mt_appl(mt, span_str(reserved[i].app), &key), RC_DENIED);
		ck_assert_ptr_null(key);
	}
	ck_rc(kdf_ks_local_mt_appl(mt, span_str("kslocal-"), &key), RC_DENIED);
	ck_rc(kdf_reserved(mt, "kslocal-other", &key), RC_RANGE);
	ck_rc(kdf_reserved(mt, "org.example.sync", &key), RC_RANGE);
	ck_ok(kdf_ks_local_mt_appl(mt, span_str("kslocal"), &key));
	secret_free(key);
	secret_free(mt);
	secret_free(naf);
	json_decref(doc);
}
END_TEST

/* Each input of the triple must matter, the protocol octets as well (K3). */
START_TEST(every_input_changes_the_key)
{
	struct triple t = { { "a.b", { 1, 0, 0, 0, 2 } }, { "x@b.c" }, { "d" } }, o;
	struct secret *naf = NULL, *key[5] = { NULL };

	ck_ok(secret_new(KS_LEN, &naf));
	ck_ok(kdf_ks_local_mt(naf, &t, &key[0]));
	o = t;
	o.naf_id.fqdn[0] = 'c';
	ck_ok(kdf_ks_local_mt(naf, &o, &key[1]));
	o = t;
	o.naf_id.ua[4] = 7;
	ck_ok(kdf_ks_local_mt(naf, &o, &key[2]));
	o = t;
	o.btid.s[0] = 'X';
	ck_ok(kdf_ks_local_mt(naf, &o, &key[3]));
	o = t;
	o.device_id.s[0] = 'D';
	ck_ok(kdf_ks_local_mt(naf, &o, &key[4]));
	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < i; k++)
			ck_assert_msg(!secret_eq(key[i], key[k]), "%d = %d", i, k);
	}
	for (int i = 0; i < 5; i++)
		secret_free(key[i]);
	secret_free(naf);
}
END_TEST

START_TEST(limits)
{
	static uint8_t big[0x10000];
	struct span p[KDF_PARAMS_MAX + 1], most = { big, 0xffff }, over = { big, 0x10000 };
	struct secret *key = NULL, *shorter = NULL, *out = NULL;
	struct naf_id id = { "a.b", { 0 } };
	struct triple t = { id, { "x@b.c" }, { "d" } };
	uint8_t *s = NULL, rand[16] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i <= KDF_PARAMS_MAX; i++)
		p[i] = span_str("x");
	ck_rc(kdf_string(1, p, KDF_PARAMS_MAX + 1, &s, &n), RC_RANGE);
	ck_rc(kdf_string(1, &over, 1, &s, &n), RC_RANGE);
	ck_rc(kdf_string(0x100, p, 1, &s, &n), RC_RANGE);	/* two octets, but not FF first */
	ck_rc(kdf_string(0x1ff01, p, 1, &s, &n), RC_RANGE);
	ck_assert(s == NULL && n == 0);
	ck_ok(kdf_string(0xff, &most, 1, &s, &n));
	ck_assert(n == 1 + 0xffff + 2 && s[0] == 0xff && s[n - 2] == 0xff && s[n - 1] == 0xff);
	OPENSSL_free(s);
	ck_ok(secret_new(KS_LEN, &key));
	ck_ok(secret_new(KS_LEN - 1, &shorter));
	ck_rc(kdf(key, 1, &over, 1, &out), RC_RANGE);
	ck_rc(kdf_ks_naf(shorter, rand, span_str("a@b"), &id, &out), RC_RANGE);
	ck_rc(kdf_ks_naf(NULL, rand, span_str("a@b"), &id, &out), RC_RANGE);
	ck_rc(kdf_ks_naf(key, rand, span_str(""), &id, &out), RC_RANGE);
	ck_rc(kdf_ks_int_naf(key, rand, (struct span){ big, IMPI_MAX + 1 }, &id, &out), RC_RANGE);
	ck_rc(kdf_ks_local_mt(shorter, &t, &out), RC_RANGE);
	ck_rc(kdf_ks_local_mt_appl(key, span_str(""), &out), RC_RANGE);
	ck_rc(kdf_ks_local_mt_appl(key, (struct span){ big, 256 }, &out), RC_RANGE);
	ck_rc(kdf_reserved(shorter, profile.reserved.tls, &out), RC_RANGE);
	ck_assert_ptr_null(out);
	secret_free(key);
	secret_free(shorter);
}
END_TEST

/* What no test may let slip: the values that another implementation of the project profile relies on. */
START_TEST(w5_the_profile)
{
	ck_assert_uint_eq(profile.ks_local_mt.fc, 0xfffe);
	ck_assert_str_eq(profile.ks_local_mt.label, "ks_local_device");
	ck_assert_uint_eq(profile.ks_local_mt_appl.fc, 0xfffd);
	ck_assert_str_eq(profile.ks_local_mt_appl.label, "ks_local_device_appl");
	ck_assert_str_eq(profile.ua.path, "/keycentre/v1/key-request");
	ck_assert_str_eq(profile.ua.ns, "urn:x-kslocal:ua:1");
	ck_assert_mem_eq(profile.ua_protocol, "\x01\x00\x00\x00\x02", 5);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kdf");
	TCase *t = tcase_create("kdf"), *w5 = tcase_create("W5");

	tcase_add_loop_test(t, hmac_of_rfc_4231, 0, vec_count("hmac_sha256.cases"));
	tcase_add_loop_test(t, every_vector_by_the_generic_form, 0, vec_count("computed.kdf"));
	tcase_add_loop_test(t, naf_keys, 0, vec_count("computed.kdf"));
	tcase_add_test(t, tmpi);
	tcase_add_test(w5, w5_ks_local_mt_and_below);
	tcase_add_test(t, every_input_changes_the_key);
	tcase_add_test(t, limits);
	tcase_add_test(w5, w5_the_profile);
	suite_add_tcase(s, t);
	suite_add_tcase(s, w5);
	return unit_run(s);
}
