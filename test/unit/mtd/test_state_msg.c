/* state_msg: what a Key Center's answer means for a key. N7 N8 N9 */
#include "test/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/uaxml.h"
#include "mtd/state_msg.h"

#define FQDN "nafkc.example.org"
#define REALM "realm=\"3GPP-bootstrapping@" FQDN "\""
#define URI "/keycentre/v1/key-state"
#define BTID "oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"
#define DEVICE "urn:x:1"

static struct triple triple;
static struct secret *password;
static struct digest sent;

static enum reason
answer(const char *challenge, struct digest *out, bool *stale, const char **bad)
{
	const struct digest_gba_ask q = { .fqdn = FQDN, .btid = BTID, .method = "GET", .uri = URI, .password = password, .cnonce = "abcd", .nc = 1 };
	const struct http_header h[] = { { "Server", "x" }, { "www-authenticate", "Basic realm=\"x\"" }, { "WWW-Authenticate", challenge } };
	const struct http_reply r = { .status = 401, .headers = h, .n_headers = challenge != NULL ? 3 : 2 };

	return mt_state_answer(&r, &q, out, stale, bad);
}

static void
setup(void)
{
	bool stale;
	const char *bad;

	ck_ok(naf_id_parse(span_str(FQDN "/0100000002"), &triple.naf_id));
	ck_ok(btid_parse(span_str(BTID), &triple.btid));
	ck_ok(device_id_parse(span_str(DEVICE), &triple.device_id));
	ck_ok(secret_from(span_str("gK2dc6iwgkMkAD5Ig868coVXoBwLrEdBlLQPAz06yOk="), &password));
	ck_assert_int_eq(answer("Digest " REALM ", nonce=\"n\", qop=\"auth\", algorithm=MD5", &sent, &stale, &bad), REASON_NONE);
}

static void
teardown(void)
{
	secret_free(password);
}

static const struct {
	const char *challenge;
	enum reason why;
	bool stale;
	unsigned qop;
} challenges[] = {
	{ "Digest " REALM ", nonce=\"n\", qop=\"auth,auth-int\", algorithm=MD5", REASON_NONE, false, DIGEST_QOP_AUTH },
	{ "Digest " REALM ", nonce=\"n\", qop=\"auth-int\"", REASON_NONE, false, DIGEST_QOP_AUTH_INT },
	{ "Digest " REALM ", nonce=\"n\", qop=\"auth\", stale=true", REASON_NONE, true, DIGEST_QOP_AUTH },
	{ "Digest realm=\"3GPP-bootstrapping-uicc@" FQDN ";3GPP-bootstrapping@" FQDN "\", nonce=\"n\", qop=\"auth\"", REASON_NONE, false,
	    DIGEST_QOP_AUTH },
	/* not whom the TLS connection leads to */
	{ "Digest realm=\"3GPP-bootstrapping@other.example.org\", nonce=\"n\", qop=\"auth\"", REASON_MT_STATE_REALM, false, 0 },
	{ "Digest realm=\"3GPP-bootstrapping@" FQDN ".evil.example\", nonce=\"n\", qop=\"auth\"", REASON_MT_STATE_REALM, false, 0 },
	{ "Digest realm=\"3GPP-bootstrapping-uicc@" FQDN "\", nonce=\"n\", qop=\"auth\"", REASON_MT_STATE_REALM, false, 0 },
	{ "Digest realm=\"" FQDN "\", nonce=\"n\", qop=\"auth\"", REASON_MT_STATE_REALM, false, 0 },
	{ "Digest " REALM ", qop=\"auth\"", REASON_MT_STATE_CHALLENGE, false, 0 },
	{ "Digest " REALM ", nonce=\"n\"", REASON_MT_STATE_CHALLENGE, false, 0 },
	{ "Digest " REALM ", nonce=\"n\", qop=\"token\"", REASON_MT_STATE_CHALLENGE, false, 0 },
	{ "Digest " REALM ", nonce=\"n\", qop=\"auth\", algorithm=AKAv1-MD5", REASON_MT_STATE_CHALLENGE, false, 0 },
	{ "Digest nonce=\"n\", qop=\"auth\"", REASON_MT_STATE_CHALLENGE, false, 0 },
	{ "Digest " REALM ", nonce=\"n\", nonce=\"m\", qop=\"auth\"", REASON_MT_STATE_CHALLENGE, false, 0 },
	{ "Digest realm=\"unfinished", REASON_MT_STATE_CHALLENGE, false, 0 },
	{ NULL, REASON_MT_STATE_CHALLENGE, false, 0 },
};

START_TEST(n7_challenge)
{
	struct digest d = { .have = 0 };
	const char *bad = "";
	bool stale = false;

	ck_assert_int_eq(answer(challenges[_i].challenge, &d, &stale, &bad), challenges[_i].why);
	ck_assert_int_eq(stale, challenges[_i].stale);
	if (challenges[_i].why != REASON_NONE)
		return;
	ck_assert_uint_eq(d.qop, challenges[_i].qop);
	ck_assert_str_eq(d.username, BTID);
	ck_ok(digest_check(&d, password, "GET", span_str(""), d.response));
}
END_TEST

/* 200's body about this key, its lifetime 1900000000. */
#define STATE(btid, device, life) "<keyState xmlns=\"urn:x-kslocal:ua:1\"><btid>" btid "</btid><deviceId>" device "</deviceId>" \
    "<keyLifetime>" life "</keyLifetime></keyState>"
#define GOOD STATE(BTID, DEVICE, "2030-03-17T17:46:40Z")
#define ERROR(word) "<keyError xmlns=\"urn:x-kslocal:ua:1\"><reason>" word "</reason><text>t</text></keyError>"

static const struct {
	int status;
	const char *body;
	enum mt_verdict verdict;
	enum reason why;
	int64_t lifetime;
} answers[] = {
	{ 200, GOOD, MT_SAID_GOOD, REASON_NONE, 1900000000 },
	{ 304, "", MT_SAID_GOOD, REASON_NONE, 0 },
	{ 404, ERROR("not-found"), MT_SAID_UNKNOWN, REASON_UA_KEY_UNKNOWN, 0 },
	{ 404, "<html>", MT_SAID_UNKNOWN, REASON_UA_KEY_UNKNOWN, 0 },
	{ 410, ERROR("gone"), MT_SAID_GONE, REASON_UA_KEY_GONE, 0 },
	{ 401, ERROR("bootstrap-again"), MT_SAID_NOTHING, REASON_MT_STATE_DENIED, 0 },
	{ 503, ERROR("unavailable"), MT_SAID_NOTHING, REASON_MT_STATE_AWAY, 0 },
	{ 429, ERROR("too-many"), MT_SAID_NOTHING, REASON_MT_STATE_AWAY, 0 },
	{ 403, ERROR("refused"), MT_SAID_NOTHING, REASON_MT_STATE_ANSWER, 0 },
	{ 301, "", MT_SAID_NOTHING, REASON_MT_STATE_ANSWER, 0 },
	{ 0, "", MT_SAID_NOTHING, REASON_MT_STATE_AWAY, 0 },
	/* no state of this key */
	{ 200, "", MT_SAID_NOTHING, REASON_MT_STATE_ANSWER, 0 },
	{ 200, ERROR("gone"), MT_SAID_NOTHING, REASON_MT_STATE_ANSWER, 0 },
	{ 200, STATE(BTID, "urn:x:2", "2030-03-17T17:46:40Z"), MT_SAID_NOTHING, REASON_MT_STATE_ANSWER, 0 },
	{ 200, STATE("b2@bsf.example.org", DEVICE, "2030-03-17T17:46:40Z"), MT_SAID_NOTHING, REASON_MT_STATE_ANSWER, 0 },
	{ 200, STATE(BTID, DEVICE, "tomorrow"), MT_SAID_NOTHING, REASON_MT_STATE_ANSWER, 0 },
};

static bool conditional = true;

static void
judge(int status, const char *body, const char *info, const char *etag, struct mt_said *out)
{
	const struct mt_state_asked q = { &triple, &sent, password, conditional };
	struct http_header h[2];
	struct http_reply r = { .status = status, .headers = h, .why = REASON_HTTP_UNREACHABLE, .detail = "refused", .body = span_str(body) };

	if (info != NULL)
		h[r.n_headers++] = (struct http_header){ "Authentication-Info", info };
	if (etag != NULL)
		h[r.n_headers++] = (struct http_header){ "ETag", etag };
	memset(out, 0xa5, sizeof *out);
	mt_state_judge(&r, &q, out);
}

static void
proof(const char *body, char *out, size_t cap)
{
	struct digest d = sent;

	d.have = DIGEST_QOP | DIGEST_RSPAUTH | DIGEST_CNONCE | DIGEST_NC;
	ck_ok(digest_response(&d, password, "", span_str(body), d.rspauth));
	ck_ok(digest_print_info(&d, out, cap));
}

START_TEST(n7_answer)
{
	char right[1024], *wrong, *p;
	struct mt_said said;

	proof(answers[_i].body, right, sizeof right);
	wrong = strdup(right);
	p = strstr(wrong, "rspauth=\"") + strlen("rspauth=\"");
	*p = *p == '0' ? '1' : '0';
	/* without the Key Center's proof, and with it: believed; with a wrong one: nothing was said */
	for (int with = 0; with < 2; with++) {
		judge(answers[_i].status, answers[_i].body, with != 0 ? right : NULL, "\"7\"", &said);
		ck_assert_int_eq(said.verdict, answers[_i].verdict);
		ck_assert_int_eq(said.why, answers[_i].why);
		ck_assert_int_eq(said.lifetime, answers[_i].lifetime);
		ck_assert_str_eq(said.etag, said.verdict == MT_SAID_GOOD ? "\"7\"" : "");
	}
	if (answers[_i].status != 0) {
		judge(answers[_i].status, answers[_i].body, wrong, NULL, &said);
		ck_assert_int_eq(said.verdict, MT_SAID_NOTHING);
		ck_assert_int_eq(said.why, REASON_MT_STATE_PROOF);
	}
	free(wrong);
}
END_TEST

/* "As you have it" says nothing to who has said nothing: the key's grace must not grow by it (N10). */
START_TEST(n7_304_to_a_question_without_condition)
{
	struct mt_said said;

	conditional = false;
	judge(304, "", NULL, "\"7\"", &said);
	conditional = true;
	ck_assert_int_eq(said.verdict, MT_SAID_NOTHING);
	ck_assert_int_eq(said.why, REASON_MT_STATE_ANSWER);
	ck_assert_int_eq(said.status, 304);
	ck_assert_str_eq(said.etag, "");
}
END_TEST

/* A proof that is there has to be whole, and over our own question. */
START_TEST(n7_proofs_that_are_none)
{
	static const char *const bad[] = { "", "qop=auth", "rspauth=\"x\"", "rspauth=\"00000000000000000000000000000000\", qop=auth" };
	char other[1024], tag[MT_ETAG_MAX + 2];
	struct mt_said said;
	struct digest keep;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		judge(410, "", bad[i], NULL, &said);
		ck_assert_int_eq(said.why, REASON_MT_STATE_PROOF);
	}
	keep = sent;
	memcpy(sent.cnonce, "efgh", 5);
	proof("", other, sizeof other);
	sent = keep;
	judge(410, "", other, NULL, &said);
	ck_assert_int_eq(said.why, REASON_MT_STATE_PROOF);
	/* a tag that does not fit is none */
	memset(tag, 'x', sizeof tag - 1);
	tag[sizeof tag - 1] = '\0';
	judge(304, "", NULL, tag, &said);
	ck_assert_int_eq(said.verdict, MT_SAID_GOOD);
	ck_assert_str_eq(said.etag, "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/state_msg");
	TCase *t = tcase_create("state_msg");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, n7_challenge, 0, sizeof challenges / sizeof *challenges);
	tcase_add_loop_test(t, n7_answer, 0, sizeof answers / sizeof *answers);
	tcase_add_test(t, n7_304_to_a_question_without_condition);
	tcase_add_test(t, n7_proofs_that_are_none);
	suite_add_tcase(s, t);
	return unit_run(s);
}
