/* pseudonym: what a device hears of the subscriber behind a phone.                                                      RULES K12 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/b64.h"
#include "nafkcd/core.h"
#include "test/unit/nafkcd/ctl_world.h"
#include "test/unit/tmpdir.h"

#define IMPI "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define IMPI2 "001010987654321@ims.mnc001.mcc001.3gppnetwork.org"

/* What a Key Response says; a copy. */
static const char *
said_by(const char *btid, const char *device, const uint8_t *spki)
{
	static char out[8][UAXML_PSEUDONYM_MAX + 1];
	static unsigned next;
	struct uaxml_response r;
	char *text = out[next++ % 8];

	ask(&w, &s, form(btid, device, NULL), spki);
	said_key(&s, &r);
	secret_free(r.ks_local_mt);
	strcpy(text, r.mt_pseudonym);
	return text;
}

static void
begin(int64_t zn_cache_s, const char *impi)
{
	world_new(&w, NULL);
	w.conf.zn_cache_s = zn_cache_s;
	w.bsf[0].impi = impi;
	start_ctl();
}

/* With the key from the store, and nothing else of ours. */
START_TEST(k12_it_is_hmac_of_impi_and_public_key)
{
	uint8_t in[sizeof IMPI + 32], mac[32];
	struct secret *key;
	char want[32];

	begin(300, IMPI);
	memcpy(in, IMPI, sizeof IMPI);
	memcpy(in + sizeof IMPI, key_a, 32);
	ck_ok(nafkc_store_get_own(w.store, "pseudonym", &key));
	ck_assert(HMAC(EVP_sha256(), secret_span(key).p, 32, in, sizeof in, mac, NULL) != NULL);
	b64url_print(span_of(mac, 16), want);
	ck_assert_uint_eq(strlen(want), 22);
	ck_assert_str_eq(said_by(BTID, DEVICE, key_a), want);
	ck_assert(strstr(s.body, "001010123456789") == NULL);
	secret_free(key);
	finish();
}
END_TEST

START_TEST(k12_same_sim_same_name_another_sim_or_device_another)
{
	const char *a;

	begin(_i == 0 ? 300 : 0, IMPI);
	a = said_by(BTID, DEVICE, key_a);
	ck_assert_str_ne(a, "");
	ck_assert_str_eq(said_by(BTID, DEVICE, key_a), a);		/* the same key again */
	ck_assert_str_eq(said_by(BTID, "other", key_a), a);		/* Ks_(ext)_NAF from memory, or asked for again */
	ck_assert_str_eq(said_by(BTID2, DEVICE, key_a), a);		/* a new bootstrapping */
	ck_assert_str_ne(said_by(BTID, "theirs", key_b), a);
	w.bsf[0].impi = IMPI2;
	ck_assert_str_ne(said_by("c@bsf.example.org", DEVICE, key_a), a);
	finish();
}
END_TEST

START_TEST(k12_it_outlives_a_restart)
{
	char a[UAXML_PSEUDONYM_MAX + 1];

	tmpdir_make();
	world_new(&w, tmpdir_file("nafkcd.db"));
	w.bsf[0].impi = IMPI;
	world_start(&w);
	strcpy(a, said_by(BTID, DEVICE, key_a));
	world_kill_core(&w);
	world_open_store(&w);
	bsf_stop(&w, 0);
	bsf_start(&w, 0);
	world_start_core(&w);
	pass(&w, 2000);
	ck_assert_str_eq(said_by(BTID2, DEVICE, key_a), a);
	w.bsf[0].impi = NULL;		/* and is the key's own: nobody needs the IMPI for it any more */
	ck_assert_str_eq(said_by(BTID, DEVICE, key_a), a);
	world_free(&w);
	tmpdir_remove();
}
END_TEST

START_TEST(k12_without_an_impi_there_is_none_until_the_bsf_tells_it)
{
	begin(0, NULL);
	ck_assert_str_eq(said_by(BTID, DEVICE, key_a), "");
	ck_assert(strstr(s.body, "mtPseudonym") == NULL);
	w.bsf[0].impi = IMPI;
	ck_assert_str_ne(said_by(BTID, DEVICE, key_a), "");
	w.bsf[0].impi = NULL;
	ck_assert_str_ne(said_by(BTID, DEVICE, key_a), "");
	finish();
}
END_TEST

START_TEST(k12_a_rebound_key_has_its_new_devices_name)
{
	const char *a, *b;

	begin(0, IMPI);
	a = said_by(BTID, DEVICE, key_a);
	order("device-rebind", "{\"device_id\":\"" DEVICE "\"}");
	b = said_by(BTID, DEVICE, key_b);
	ck_assert_str_ne(a, b);
	ck_assert_str_eq(said_by(BTID2, DEVICE, key_b), b);
	/* and no name at all rather than another's, where the IMPI is not told any more */
	order("device-rebind", "{\"device_id\":\"" DEVICE "\"}");
	w.bsf[0].impi = NULL;
	ck_assert_str_eq(said_by(BTID, DEVICE, key_a), "");
	finish();
}
END_TEST

START_TEST(lengths)
{
	char impi[300], out[UAXML_PSEUDONYM_MAX + 1];
	struct secret *key;

	ck_ok(secret_new(KS_LEN, &key));
	memset(impi, 'a', sizeof impi);
	impi[255] = '\0';
	ck_ok(nafkc_pseudonym(key, impi, key_a, out));
	ck_assert_uint_eq(strlen(out), 22);
	impi[255] = 'a';
	impi[256] = '\0';
	ck_rc(nafkc_pseudonym(key, impi, key_a, out), RC_RANGE);
	ck_ok(nafkc_pseudonym(key, "", key_a, out));
	ck_assert_str_eq(out, "");
	secret_free(key);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("nafkc_pseudonym");
	TCase *t = tcase_create("pseudonym");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, k12_it_is_hmac_of_impi_and_public_key);
	tcase_add_loop_test(t, k12_same_sim_same_name_another_sim_or_device_another, 0, 2);
	tcase_add_test(t, k12_it_outlives_a_restart);
	tcase_add_test(t, k12_without_an_impi_there_is_none_until_the_bsf_tells_it);
	tcase_add_test(t, k12_a_rebound_key_has_its_new_devices_name);
	tcase_add_test(t, lengths);
	suite_add_tcase(su, t);
	return unit_run(su);
}
