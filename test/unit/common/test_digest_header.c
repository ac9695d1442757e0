#include "common/digest_aka.h"

#include <stdio.h>

#include "test/unit/unit.h"

#define HEX32 "0123456789abcdef0123456789abcdef"

static char long_value[DIGEST_HEADER_MAX + 2];

/* ub.md 3, step 1. */
START_TEST(step_1)
{
	static const char text[] =
	    "Digest username=\"user1_private@home1.net\", realm=\"bsf.home1.net\", nonce=\"\", uri=\"/\", response=\"\"";
	char out[512];
	struct digest d;

	ck_ok(digest_parse_authorization(span_str(text), &d));
	ck_assert_uint_eq(d.have, DIGEST_USERNAME | DIGEST_REALM | DIGEST_NONCE | DIGEST_URI | DIGEST_RESPONSE);
	ck_assert_str_eq(d.username, "user1_private@home1.net");
	ck_assert_str_eq(d.realm, "bsf.home1.net");
	ck_assert_str_eq(d.nonce, "");
	ck_assert_str_eq(d.response, "");
	ck_assert_int_eq(d.alg, DIGEST_ALG_AKAV1_MD5);
	ck_ok(digest_print_authorization(&d, out, sizeof out));
	ck_assert_str_eq(out, text);
}
END_TEST

/* Step 2. */
START_TEST(step_2)
{
	static const char text[] = "Digest realm=\"bsf.home1.net\", nonce=\"I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M=\", "
				   "algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"a b,c=d\"";
	struct digest d, back;
	char out[512];

	ck_ok(digest_parse_challenge(span_str(text), &d));
	ck_assert_uint_eq(d.have, DIGEST_REALM | DIGEST_NONCE | DIGEST_ALGORITHM | DIGEST_QOP | DIGEST_OPAQUE);
	ck_assert_uint_eq(d.qop, DIGEST_QOP_AUTH_INT);
	ck_assert_str_eq(d.opaque, "a b,c=d");
	d.have |= DIGEST_STALE;
	d.stale = true;
	d.qop |= DIGEST_QOP_AUTH;
	ck_ok(digest_print_challenge(&d, out, sizeof out));
	ck_assert_ptr_nonnull(strstr(out, "qop=\"auth,auth-int\""));
	ck_assert_ptr_nonnull(strstr(out, "stale=true"));
	ck_ok(digest_parse_challenge(span_str(out), &back));
	ck_assert_mem_eq(&d, &back, sizeof d);
}
END_TEST

/* Step 3, with AUTS. */
START_TEST(step_3)
{
	static const char text[] =
	    "Digest username=\"u@r\", realm=\"bsf.home1.net\", nonce=\"bg==\", uri=\"/\", qop=auth-int, nc=00000001, cnonce=\"c\", "
	    "response=\"" HEX32 "\", opaque=\"o\", algorithm=AKAv1-MD5, auts=\"uoU/PBHa/W0KPWo3ubI=\"";
	char out[512];
	struct digest d;

	ck_ok(digest_parse_authorization(span_str(text), &d));
	ck_assert_uint_eq(d.qop, DIGEST_QOP_AUTH_INT);
	ck_assert_str_eq(d.nc, "00000001");
	ck_assert_str_eq(d.response, HEX32);
	ck_assert_mem_eq(d.auts, "\xba\x85\x3f\x3c\x11\xda\xfd\x6d\x0a\x3d\x6a\x37\xb9\xb2", 14);
	ck_ok(digest_print_authorization(&d, out, sizeof out));
	ck_assert_str_eq(out, text);
}
END_TEST

/* Step 4. */
START_TEST(step_4)
{
	static const char text[] = "qop=auth-int, rspauth=\"" HEX32 "\", nc=00000001, cnonce=\"c\"";
	char out[512];
	struct digest d;

	ck_ok(digest_parse_info(span_str(text), &d));
	ck_assert_uint_eq(d.have, DIGEST_QOP | DIGEST_RSPAUTH | DIGEST_NC | DIGEST_CNONCE);
	ck_assert_str_eq(d.rspauth, HEX32);
	ck_ok(digest_print_info(&d, out, sizeof out));
	ck_assert_str_eq(out, text);
}
END_TEST

/* What peers do differently and may (ub.md 10). */
START_TEST(other_spellings)
{
	struct digest d;

	ck_ok(digest_parse_authorization(span_str("dIGEST  USERNAME=\"a\" ,\tRealm = \"b\",qop=\"auth\",algorithm=\"akav2-md5\",future=x,more=\"y, z\""), &d));
	ck_assert_str_eq(d.username, "a");
	ck_assert_str_eq(d.realm, "b");
	ck_assert_uint_eq(d.qop, DIGEST_QOP_AUTH);
	ck_assert_int_eq(d.alg, DIGEST_ALG_AKAV2_MD5);
	ck_ok(digest_parse_challenge(span_str("Digest realm=x, qop=\"auth-int , auth, auth-conf\", stale=FALSE, domain=\"/a /b\""), &d));
	ck_assert_uint_eq(d.qop, DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT);
	ck_assert(!d.stale);
	ck_ok(digest_parse_authorization(span_str("Digest qop=auth-conf, algorithm=SHA-256"), &d));
	ck_assert(d.have == (DIGEST_QOP | DIGEST_ALGORITHM) && d.qop == DIGEST_QOP_NONE);
	ck_assert_int_eq(d.alg, DIGEST_ALG_OTHER);
	ck_ok(digest_parse_authorization(span_str("Digest realm=\"r\", rspauth=\"x\", nextnonce=\"n\""), &d));	/* not its own: unknown */
	ck_assert_uint_eq(d.have, DIGEST_REALM);
}
END_TEST

static const char *const bad[] = {
	"", " ", "Digest", "Digest ", "Digest ,", "Digest username", "Digest username=", "Digest username=,realm=a", "Digest =a",
	"Digest username=\"a", "Digest username=\"a\"b", "Digest username=\"a\" realm=\"b\"", "Digest username=\"a\",", "Digest username=\"a\",,realm=\"b\"",
	"Digest username=\"a\\\"b\"", "Digest username=\"a\\b\"", "Digest username=\"a\tb\"", "Digest username=\"a\nb\"", "Digest username=\"\xc3\xa4\"",
	"Digest username=\"a\", username=\"a\"", "Digest username=\"a\", USERNAME=\"b\"", "Digest nonce=\"\", nonce=\"\"",
	"Digest\tusername=\"a\"", "Digest uri=/", "Digest username=a@b",
	"Digest response=\"x\"", "Digest response=\"0123456789abcdef0123456789abcde\"", "Digest response=\"" HEX32 "0\"",
	"Digest response=\"0123456789ABCDEF0123456789abcdef\"", "Digest nc=1", "Digest nc=\"\"", "Digest nc=000000001", "Digest nc=0000000g",
	"Digest qop=\"auth,auth-int\"", "Digest qop=\"\"", "Digest qop=\",\"", "Digest auts=\"\"", "Digest auts=\"AAAA\"",
	"Digest auts=\"uoU/PBHa/W0KPWo3ubIA\"", "Digest auts=\"uoU/PBHa/W0KPWo3ubJ=\"", "Digest auts=uoU", "Digest a/b=c",
	"Digest username=\"a\", Basic realm=\"b\"",
};
START_TEST(bad_authorization)
{
	struct digest d;

	untouched_fill(&d, sizeof d);
	ck_assert_msg(digest_parse_authorization(span_str(bad[_i]), &d) == RC_SYNTAX, "%s", bad[_i]);
	ck_assert(untouched(&d, sizeof d));
}
END_TEST

START_TEST(other_schemes)
{
	struct digest d;

	ck_rc(digest_parse_authorization(span_str("Basic dTpw"), &d), RC_NOTFOUND);
	ck_rc(digest_parse_challenge(span_str("Bearer realm=\"x\""), &d), RC_NOTFOUND);
	ck_rc(digest_parse_challenge(span_str("Digests realm=\"x\""), &d), RC_NOTFOUND);
	ck_rc(digest_parse_authorization(span_str("Digestusername=\"a\""), &d), RC_NOTFOUND);
	ck_rc(digest_parse_info(span_str("Digest qop=auth"), &d), RC_SYNTAX);
	ck_rc(digest_parse_info(span_str(""), &d), RC_SYNTAX);
	ck_rc(digest_parse_authorization(span_of("Digest username=\"a\0b\"", 21), &d), RC_SYNTAX);
}
END_TEST

START_TEST(limits)
{
	struct digest d;
	char many[1024] = "Digest ";
	int n;

	memset(long_value, 'a', sizeof long_value - 1);
	memcpy(long_value, "Digest realm=\"", 14);
	long_value[14 + 320] = '"';
	ck_ok(digest_parse_authorization(span_of(long_value, 14 + 320 + 1), &d));
	ck_assert_uint_eq(strlen(d.realm), 320);
	long_value[14 + 320] = 'a';
	long_value[14 + 321] = '"';
	ck_rc(digest_parse_authorization(span_of(long_value, 14 + 321 + 1), &d), RC_RANGE);
	memset(long_value, ' ', sizeof long_value);
	memcpy(long_value, "Digest realm=a", 14);
	ck_ok(digest_parse_authorization(span_of(long_value, DIGEST_HEADER_MAX), &d));
	ck_rc(digest_parse_authorization(span_of(long_value, DIGEST_HEADER_MAX + 1), &d), RC_RANGE);
	for (n = 0; n < 32; n++)
		snprintf(many + strlen(many), sizeof many - strlen(many), "%sx%d=y", n == 0 ? "" : ",", n);
	ck_ok(digest_parse_authorization(span_str(many), &d));
	strcat(many, ",z=y");
	ck_rc(digest_parse_authorization(span_str(many), &d), RC_RANGE);
}
END_TEST

START_TEST(printing_refuses_what_nobody_could_read)
{
	struct digest d = { .have = DIGEST_REALM, .realm = "abc" };
	char out[19 + 1];

	ck_ok(digest_print_challenge(&d, out, sizeof out));	/* Digest realm="abc" */
	ck_rc(digest_print_challenge(&d, out, 18), RC_RANGE);
	ck_rc(digest_print_challenge(&d, out, 0), RC_RANGE);
	strcpy(d.realm, "a\"b");
	ck_rc(digest_print_challenge(&d, out, sizeof out), RC_SYNTAX);
	strcpy(d.realm, "a\r\nb");
	ck_rc(digest_print_challenge(&d, out, sizeof out), RC_SYNTAX);
	d = (struct digest){ .have = DIGEST_ALGORITHM, .alg = DIGEST_ALG_OTHER };
	ck_rc(digest_print_challenge(&d, out, sizeof out), RC_SYNTAX);
	d = (struct digest){ .have = DIGEST_QOP };
	ck_rc(digest_print_info(&d, out, sizeof out), RC_SYNTAX);
	d.qop = DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT;
	ck_rc(digest_print_info(&d, out, sizeof out), RC_SYNTAX);
	d = (struct digest){ .have = DIGEST_NC, .nc = "1" };
	ck_rc(digest_print_info(&d, out, sizeof out), RC_SYNTAX);
	d = (struct digest){ .have = DIGEST_RSPAUTH, .rspauth = "1" };
	ck_rc(digest_print_info(&d, out, sizeof out), RC_SYNTAX);
	d = (struct digest){ 0 };
	ck_rc(digest_print_info(&d, out, sizeof out), RC_SYNTAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("digest_header");
	TCase *t = tcase_create("digest_header");

	tcase_add_test(t, step_1);
	tcase_add_test(t, step_2);
	tcase_add_test(t, step_3);
	tcase_add_test(t, step_4);
	tcase_add_test(t, other_spellings);
	tcase_add_loop_test(t, bad_authorization, 0, TABLE_N(bad));
	tcase_add_test(t, other_schemes);
	tcase_add_test(t, limits);
	tcase_add_test(t, printing_refuses_what_nobody_could_read);
	suite_add_tcase(s, t);
	return unit_run(s);
}
