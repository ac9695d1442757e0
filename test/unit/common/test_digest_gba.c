/* digest_gba: HTTP Digest under Ks_(ext)_NAF, both ends; the responses are computed by test means (hashlib). */
#include "common/digest_gba.h"

#include <stdio.h>

#include "common/hex.h"
#include "test/unit/unit.h"

#define FQDN "nafkc.example.org"
#define REALM "3GPP-bootstrapping@" FQDN
#define BTID "oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"
#define KS_NAF "80ad9d73a8b0824324003e4883cebc728557a01c0bac474194b40f033d3ac8e9"
#define PASSWORD "gK2dc6iwgkMkAD5Ig868coVXoBwLrEdBlLQPAz06yOk="
#define URI "/keycentre/v1/key-state"
#define AUTH "45ce46ee95e6413d713f34985c6f6401"
#define AUTH_INT "5d89c34aaea7c24226e7e95239e85717"

static struct secret *
password(void)
{
	struct secret *ks, *out;

	ck_ok(hex_parse_secret(span_str(KS_NAF), KS_LEN, &ks));
	ck_ok(digest_gba_password(ks, &out));
	secret_free(ks);
	return out;
}

static enum rc
answer(const char *challenge, const char *fqdn, struct digest *out)
{
	struct secret *p = password();
	struct digest_gba_ask q = { .fqdn = fqdn, .btid = BTID, .method = "GET", .uri = URI, .password = p, .cnonce = "0a4f113b", .nc = 1 };
	struct digest c;
	enum rc rc;

	ck_ok(digest_parse_challenge(span_str(challenge), &c));
	rc = digest_gba_answer(&c, &q, out);
	secret_free(p);
	return rc;
}

START_TEST(the_password_is_base64_of_ks_naf)
{
	struct secret *p = password(), *short_ks, *none = NULL;

	ck_assert(span_eq_str(secret_span(p), PASSWORD));
	ck_ok(secret_from(span_of("short", 5), &short_ks));
	ck_rc(digest_gba_password(short_ks, &none), RC_RANGE);
	ck_assert(none == NULL);
	secret_free(short_ks);
	secret_free(p);
}
END_TEST

static const struct {
	const char *challenge, *fqdn;
	enum rc rc;
	const char *response;
} challenges[] = {
	{ "Digest realm=\"" REALM "\", nonce=\"n0nce\", algorithm=MD5, qop=\"auth,auth-int\"", FQDN, RC_OK, AUTH },
	{ "Digest realm=\"" REALM "\", nonce=\"n0nce\", qop=\"auth\"", FQDN, RC_OK, AUTH },
	{ "Digest realm=\"" REALM "\", nonce=\"n0nce\", qop=\"auth-int\", opaque=\"x\"", FQDN, RC_OK, AUTH_INT },
	{ "Digest realm=\"3GPP-bootstrapping-uicc@" FQDN ";" REALM "\", nonce=\"n0nce\", qop=\"auth\"", FQDN, RC_OK, NULL },
	{ "Digest realm=\"" REALM "\", nonce=\"n0nce\", qop=\"auth\"", "other.example.org", RC_DENIED, NULL },
	{ "Digest realm=\"3GPP-bootstrapping-uicc@" FQDN "\", nonce=\"n0nce\", qop=\"auth\"", FQDN, RC_DENIED, NULL },
	{ "Digest realm=\"" FQDN "\", nonce=\"n0nce\", qop=\"auth\"", FQDN, RC_DENIED, NULL },
	{ "Digest nonce=\"n0nce\", qop=\"auth\"", FQDN, RC_SYNTAX, NULL },
	{ "Digest realm=\"" REALM "\", qop=\"auth\"", FQDN, RC_SYNTAX, NULL },
	{ "Digest realm=\"" REALM "\", nonce=\"n0nce\"", FQDN, RC_SYNTAX, NULL },
	{ "Digest realm=\"" REALM "\", nonce=\"n0nce\", qop=\"auth-conf\"", FQDN, RC_SYNTAX, NULL },
	{ "Digest realm=\"" REALM "\", nonce=\"n0nce\", qop=\"auth\", algorithm=AKAv1-MD5", FQDN, RC_SYNTAX, NULL },
	{ "Digest realm=\"" REALM "\", nonce=\"n0nce\", qop=\"auth\", algorithm=SHA-256", FQDN, RC_SYNTAX, NULL },
};

START_TEST(a_challenge_is_answered_or_refused)
{
	struct digest d;
	char text[1024];

	untouched_fill(&d, sizeof d);
	ck_rc(answer(challenges[_i].challenge, challenges[_i].fqdn, &d), challenges[_i].rc);
	if (challenges[_i].rc != RC_OK) {
		ck_assert(untouched(&d, sizeof d));
		return;
	}
	if (challenges[_i].response != NULL)
		ck_assert_str_eq(d.response, challenges[_i].response);
	ck_assert_str_eq(d.username, BTID);
	ck_assert_str_eq(d.nc, "00000001");
	ck_ok(digest_print_authorization(&d, text, sizeof text));
	ck_assert((strstr(text, "opaque") != NULL) == (strstr(challenges[_i].challenge, "opaque") != NULL));
	ck_assert(strstr(text, "algorithm=MD5") != NULL);
}
END_TEST

START_TEST(texts_that_do_not_fit_are_out_of_range)
{
	static char longer[600];
	struct secret *p = password();
	struct digest_gba_ask q = { .fqdn = FQDN, .btid = BTID, .method = "GET", .uri = URI, .password = p, .cnonce = "0a4f113b", .nc = 1 };
	struct digest c, d;

	memset(longer, 'a', sizeof longer - 1);
	ck_ok(digest_parse_challenge(span_str(challenges[0].challenge), &c));
	q.uri = longer;
	ck_rc(digest_gba_answer(&c, &q, &d), RC_RANGE);
	q.uri = URI;
	q.cnonce = longer;
	ck_rc(digest_gba_answer(&c, &q, &d), RC_RANGE);
	q.cnonce = "c";
	q.btid = longer;
	ck_rc(digest_gba_answer(&c, &q, &d), RC_RANGE);
	secret_free(p);
}
END_TEST

static const struct {
	const char *info;
	enum rc rc;
} infos[] = {
	{ "qop=auth, rspauth=\"9a818c57737d22d794df0789c807e1a2\", cnonce=\"0a4f113b\", nc=00000001", RC_OK },
	{ "nextnonce=\"n\", qop=auth, rspauth=\"9a818c57737d22d794df0789c807e1a2\", cnonce=\"0a4f113b\", nc=00000001", RC_OK },
	{ "qop=auth, rspauth=\"9a818c57737d22d794df0789c807e1a3\", cnonce=\"0a4f113b\", nc=00000001", RC_DENIED },
	{ "qop=auth, rspauth=\"\", cnonce=\"0a4f113b\", nc=00000001", RC_DENIED },
	{ "qop=auth, cnonce=\"0a4f113b\", nc=00000001", RC_SYNTAX },
	{ "qop=auth-int, rspauth=\"9a818c57737d22d794df0789c807e1a2\", cnonce=\"0a4f113b\", nc=00000001", RC_SYNTAX },
	{ "rspauth=\"9a818c57737d22d794df0789c807e1a2\", cnonce=\"0a4f113b\", nc=00000001", RC_SYNTAX },
	{ "qop=auth, rspauth=\"9a818c57737d22d794df0789c807e1a2\", cnonce=\"0a4f113c\", nc=00000001", RC_SYNTAX },
	{ "qop=auth, rspauth=\"9a818c57737d22d794df0789c807e1a2\", nc=00000001", RC_SYNTAX },
	{ "qop=auth, rspauth=\"9a818c57737d22d794df0789c807e1a2\", cnonce=\"0a4f113b\", nc=00000002", RC_SYNTAX },
};

START_TEST(authentication_info_is_believed_or_not)
{
	struct secret *p = password();
	struct digest sent, info;

	ck_ok(answer(challenges[0].challenge, FQDN, &sent));
	ck_ok(digest_parse_info(span_str(infos[_i].info), &info));
	ck_rc(digest_gba_check_info(&sent, &info, p, span_str("<keyState/>")), infos[_i].rc);
	secret_free(p);
}
END_TEST

START_TEST(auth_int_covers_the_body)
{
	struct secret *p = password();
	struct digest sent, info;

	ck_ok(answer(challenges[2].challenge, FQDN, &sent));
	ck_ok(digest_parse_info(span_str("qop=auth-int, rspauth=\"df9ea49046e263e0ef8f13379ecc2951\", cnonce=\"0a4f113b\", nc=00000001"), &info));
	ck_ok(digest_gba_check_info(&sent, &info, p, span_str("<keyState/>")));
	ck_rc(digest_gba_check_info(&sent, &info, p, span_str("<keyState />")), RC_DENIED);
	secret_free(p);
}
END_TEST

#define U "username=\"" BTID "\""
#define R ", realm=\"" REALM "\""
#define N ", nonce=\"n0nce\""
#define I ", uri=\"" URI "\""
#define A ", response=\"" AUTH "\""
#define C ", cnonce=\"0a4f113b\""
#define QOP ", qop=auth"
#define NC ", nc=00000001"

static const struct {
	const char *authorization, *bad;	/* NULL: taken */
} forms[] = {
	{ "Digest " U R N I A C QOP NC ", algorithm=MD5", NULL },
	{ "Digest " U R N I A C QOP NC, NULL },
	{ "Digest " U R N I A C ", qop=auth-int" NC, NULL },
	{ "Digest " "username=\"joe\"" R N I A C QOP NC, "username" },
	{ "Digest " "username=\"\"" R N I A C QOP NC, "username" },
	{ "Digest realm=\"" REALM "\"" N I A C QOP NC, "username" },
	{ "Digest " U N I A C QOP NC, "realm" },
	{ "Digest " U ", realm=\"3GPP-bootstrapping@other.example.org\"" N I A C QOP NC, "realm" },
	{ "Digest " U R I A C QOP NC, "nonce" },
	{ "Digest " U R N A C QOP NC, "uri" },
	{ "Digest " U R N ", uri=\"/\"" A C QOP NC, "uri" },
	{ "Digest " U R N I C QOP NC, "response" },
	{ "Digest " U R N I ", response=\"\"" C QOP NC, "response" },
	{ "Digest " U R N I A QOP NC, "cnonce" },
	{ "Digest " U R N I A ", cnonce=\"\"" QOP NC, "cnonce" },
	{ "Digest " U R N I A C NC, "qop" },
	{ "Digest " U R N I A C ", qop=auth-conf" NC, "qop" },
	{ "Digest " U R N I A C QOP, "nc" },
	{ "Digest " U R N I A C QOP NC ", algorithm=AKAv1-MD5", "algorithm" },
	{ "Digest " U R N I A C QOP NC ", algorithm=MD5-sess", "algorithm" },
};

START_TEST(the_form_of_an_authorization)
{
	struct secret *p = password();
	struct digest a;
	struct btid btid;
	const char *bad = "?";

	untouched_fill(&btid, sizeof btid);
	ck_ok(digest_parse_authorization(span_str(forms[_i].authorization), &a));
	if (forms[_i].bad != NULL) {
		ck_rc(digest_gba_form(&a, FQDN, URI, &btid, &bad), RC_SYNTAX);
		ck_assert_str_eq(bad, forms[_i].bad);
		ck_assert(untouched(&btid, sizeof btid));
	} else {
		ck_ok(digest_gba_form(&a, FQDN, URI, &btid, &bad));
		ck_assert(bad == NULL && a.alg == DIGEST_ALG_MD5);
		ck_assert_str_eq(btid.s, BTID);
		ck_rc(digest_check(&a, p, "GET", span_str(""), a.response), a.qop == DIGEST_QOP_AUTH ? RC_OK : RC_DENIED);
	}
	secret_free(p);
}
END_TEST

/* The longest B-TID and FQDN that there can be. */
START_TEST(the_longest_names_go_through)
{
	char fqdn[FQDN_MAX + 1], btid[BTID_MAX + 1], realm[sizeof(DIGEST_GBA_PREFIX) + FQDN_MAX], text[2048];
	struct secret *p = password();
	struct digest c = { .have = DIGEST_REALM | DIGEST_NONCE | DIGEST_QOP, .qop = DIGEST_QOP_AUTH, .nonce = "n" }, d, back;
	struct digest_gba_ask q = { .fqdn = fqdn, .btid = btid, .method = "GET", .uri = URI, .password = p, .cnonce = "c", .nc = 0xffffffff };
	struct btid got;
	const char *bad;

	memset(fqdn, 'a', FQDN_MAX);
	for (int i = 50; i < FQDN_MAX; i += 51)
		fqdn[i] = '.';
	fqdn[FQDN_MAX] = '\0';
	memset(btid, 'b', BTID_MAX - 254);
	btid[BTID_MAX - 254] = '@';
	memcpy(btid + BTID_MAX - 253, fqdn, FQDN_MAX + 1);
	digest_gba_realm(fqdn, realm);
	snprintf(c.realm, sizeof c.realm, "%s", realm);
	ck_ok(digest_gba_answer(&c, &q, &d));
	ck_ok(digest_print_authorization(&d, text, sizeof text));
	ck_ok(digest_parse_authorization(span_str(text), &back));
	ck_ok(digest_gba_form(&back, fqdn, URI, &got, &bad));
	ck_assert_str_eq(got.s, btid);
	ck_assert_str_eq(back.nc, "ffffffff");
	ck_ok(digest_check(&back, p, "GET", span_str(""), back.response));
	secret_free(p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("digest_gba");
	TCase *t = tcase_create("digest_gba");

	tcase_add_test(t, the_password_is_base64_of_ks_naf);
	tcase_add_loop_test(t, a_challenge_is_answered_or_refused, 0, TABLE_N(challenges));
	tcase_add_test(t, texts_that_do_not_fit_are_out_of_range);
	tcase_add_loop_test(t, authentication_info_is_believed_or_not, 0, TABLE_N(infos));
	tcase_add_test(t, auth_int_covers_the_body);
	tcase_add_loop_test(t, the_form_of_an_authorization, 0, TABLE_N(forms));
	tcase_add_test(t, the_longest_names_go_through);
	suite_add_tcase(s, t);
	return unit_run(s);
}
