/* uaxml: the four documents of Ua: ts33259.md 7's own examples, W3 and W4, and that what is written reads back. */
#include "common/uaxml.h"

#include <stdio.h>

#include "test/unit/unit.h"

#define NS "xmlns=\"urn:x-kslocal:ua:1\""
#define BTID "oKGio6SlpqeoqaqrrK2urw==@bsf.example.org"
#define DEVICE "urn:uuid:6f1d1c1e-0000-4000-8000-000000000001"
#define KEY "yWY0NAuA2t0NZn9ueH9oMuMr1iD9lkfkETQqBbUyM18="
#define Q(inner) "<keyRequest " NS ">" inner "</keyRequest>"
#define R(inner) "<keyResponse " NS ">" inner "</keyResponse>"
#define S(inner) "<keyState " NS ">" inner "</keyState>"
#define B "<btid>" BTID "</btid>"
#define D "<deviceId>" DEVICE "</deviceId>"
#define K "<ksLocalDevice>" KEY "</ksLocalDevice>"
#define L "<keyLifetime>2027-01-01T00:00:00Z</keyLifetime>"

START_TEST(the_specifications_request_is_taken)
{
	struct uaxml_request q;
	const char *bad;

	ck_ok(uaxml_parse_request(span_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<keyRequest " NS ">\n  " B "\n"
	    "  <nafId>keycentre.example.org</nafId>            <!-- FQDN; protocol octets are configured -->\n  " D "\n</keyRequest>\n"), &q, &bad));
	ck_assert(bad == NULL && q.has_fqdn && !q.has_ua);
	ck_assert_str_eq(q.btid.s, BTID);
	ck_assert_str_eq(q.naf_id.fqdn, "keycentre.example.org");
	ck_assert_str_eq(q.device_id.s, DEVICE);
}
END_TEST

START_TEST(w4_nafid_is_none_fqdn_or_naf_id)
{
	static const uint8_t ua[5] = { 1, 0, 0, 0, 2 };
	struct uaxml_request q;
	const char *bad;

	ck_ok(uaxml_parse_request(span_str(Q(B D)), &q, &bad));
	ck_assert(!q.has_fqdn && !q.has_ua);
	ck_ok(uaxml_parse_request(span_str(Q(D "<nafId>a.example/0100000002</nafId>" B)), &q, &bad));
	ck_assert(q.has_fqdn && q.has_ua && memcmp(q.naf_id.ua, ua, 5) == 0);
	ck_assert_str_eq(q.naf_id.fqdn, "a.example");
}
END_TEST

static const struct {
	const char *doc, *bad;
	enum rc rc;
} bad_requests[] = {
	{ "", "document", RC_SYNTAX },
	{ "{\"btid\":1}", "document", RC_SYNTAX },
	{ R(B D), "document", RC_SYNTAX },
	{ "<keyRequest>" B D "</keyRequest>", "document", RC_SYNTAX },
	{ Q(B), "document", RC_SYNTAX },
	{ Q(D), "document", RC_SYNTAX },
	{ Q(B D D), "document", RC_SYNTAX },
	{ Q(B B D), "document", RC_SYNTAX },
	{ Q(B D "<impi>x</impi>"), "document", RC_SYNTAX },		/* W4: unknown */
	{ "<keyRequest " NS " version=\"2\">" B D "</keyRequest>", "document", RC_SYNTAX },
	{ Q("<btid>no-at-sign</btid>" D), "btid", RC_SYNTAX },		/* W3 */
	{ Q("<btid>a@B.example</btid>" D), "btid", RC_SYNTAX },
	{ Q("<btid>a@b@c.example</btid>" D), "btid", RC_SYNTAX },
	{ Q("<btid> " BTID "</btid>" D), "btid", RC_SYNTAX },
	{ Q("<btid></btid>" D), "btid", RC_SYNTAX },
	{ Q(B D "<nafId>A.example</nafId>"), "nafId", RC_SYNTAX },
	{ Q(B D "<nafId>a.example/01000000</nafId>"), "nafId", RC_SYNTAX },
	{ Q(B D "<nafId>a.example/0100000002x</nafId>"), "nafId", RC_SYNTAX },
	{ Q(B D "<nafId>a.example/010000000A</nafId>"), "nafId", RC_SYNTAX },
	{ Q(B D "<nafId></nafId>"), "nafId", RC_SYNTAX },
	{ Q(B "<deviceId>a b</deviceId>"), "deviceId", RC_SYNTAX },
	{ Q(B "<deviceId></deviceId>"), "deviceId", RC_SYNTAX },
	{ Q(B "<deviceId>urn:gsma:imei:49015420-323751-9</deviceId>"), "deviceId", RC_SYNTAX },	/* wrong check digit */
};

START_TEST(bad_requests_are_refused_and_the_element_named)
{
	struct uaxml_request q;
	const char *bad = NULL;

	untouched_fill(&q, sizeof q);
	ck_rc(uaxml_parse_request(span_str(bad_requests[_i].doc), &q, &bad), bad_requests[_i].rc);
	ck_assert_str_eq(bad, bad_requests[_i].bad);
	ck_assert(untouched(&q, sizeof q));
}
END_TEST

START_TEST(a_request_over_the_limits_is_out_of_range)
{
	static char doc[UAXML_MAX + 400], device[200];
	struct uaxml_request q;
	const char *bad;

	memset(device, 'a', DEVICE_ID_MAX);
	snprintf(doc, sizeof doc, Q(B "<deviceId>%s</deviceId>"), device);
	ck_ok(uaxml_parse_request(span_str(doc), &q, &bad));
	memset(device, 'a', DEVICE_ID_MAX + 1);
	snprintf(doc, sizeof doc, Q(B "<deviceId>%s</deviceId>"), device);
	ck_rc(uaxml_parse_request(span_str(doc), &q, &bad), RC_RANGE);
	memset(doc, ' ', sizeof doc);
	memcpy(doc, Q(B D), sizeof Q(B D) - 1);
	ck_ok(uaxml_parse_request(span_of(doc, UAXML_MAX), &q, &bad));
	ck_rc(uaxml_parse_request(span_of(doc, UAXML_MAX + 1), &q, &bad), RC_RANGE);
}
END_TEST

START_TEST(requests_read_back)
{
	struct uaxml_request q = { .has_fqdn = _i > 0, .has_ua = _i > 1, .naf_id = { "a.example", { 1, 2, 3, 4, 5 } } }, back;
	char out[UAXML_MAX];
	const char *bad;
	size_t n;

	strcpy(q.btid.s, BTID);
	strcpy(q.device_id.s, DEVICE);
	ck_ok(uaxml_print_request(&q, out, sizeof out, &n));
	ck_ok(uaxml_parse_request(span_of(out, n), &back, &bad));
	ck_assert(back.has_fqdn == q.has_fqdn && back.has_ua == q.has_ua);
	ck_assert_str_eq(back.btid.s, q.btid.s);
	ck_assert_str_eq(back.device_id.s, q.device_id.s);
	if (_i > 1)
		ck_assert(naf_id_eq(&back.naf_id, &q.naf_id));
	ck_rc(uaxml_print_request(&q, out, n - 1, &n), RC_RANGE);
}
END_TEST

START_TEST(responses_read_back)
{
	struct uaxml_response r = { .lifetime = 1798761600 }, back;
	uint8_t key[KS_LEN];
	char out[UAXML_MAX];
	const char *bad;
	size_t n;

	for (size_t i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(0xf0 + i);
	strcpy(r.btid.s, BTID);
	strcpy(r.device_id.s, DEVICE);
	if (_i > 0)
		strcpy(r.mt_pseudonym, "abc-_DEF");
	ck_ok(secret_from(span_of(key, sizeof key), &r.ks_local_mt));
	ck_ok(uaxml_print_response(&r, out, sizeof out, &n));
	ck_ok(uaxml_parse_response(span_of(out, n), &back, &bad));
	ck_assert(secret_eq(back.ks_local_mt, r.ks_local_mt));
	ck_assert_int_eq(back.lifetime, r.lifetime);
	ck_assert_str_eq(back.mt_pseudonym, r.mt_pseudonym);
	ck_assert_str_eq(back.btid.s, r.btid.s);
	ck_assert_str_eq(back.device_id.s, r.device_id.s);
	secret_free(back.ks_local_mt);
	ck_rc(uaxml_print_response(&r, out, n - 1, &n), RC_RANGE);
	secret_free(r.ks_local_mt);
}
END_TEST

/* A newer Key Center may say more. */
START_TEST(unknown_elements_of_a_response_are_ignored)
{
	struct uaxml_response r;
	const char *bad;

	ck_ok(uaxml_parse_response(span_str(R(B D K L "<more>1</more>")), &r, &bad));
	ck_assert_str_eq(r.btid.s, BTID);
	secret_free(r.ks_local_mt);
}
END_TEST

static const struct {
	const char *doc, *bad;
	enum rc rc;
} bad_responses[] = {
	{ Q(B D), "document", RC_SYNTAX },
	{ R(B D K), "document", RC_SYNTAX },
	{ R(B D L), "document", RC_SYNTAX },
	{ R(B D K L L), "document", RC_SYNTAX },
	{ R("<btid>x</btid>" D K L), "btid", RC_SYNTAX },
	{ R(B "<deviceId>a/b</deviceId>" K L), "deviceId", RC_SYNTAX },
	{ R(B D "<ksLocalDevice>AAAA</ksLocalDevice>" L), "ksLocalDevice", RC_RANGE },
	{ R(B D "<ksLocalDevice>yWY0NAuA2t0NZn9ueH9oMuMr1iD9lkfkETQqBbUyM19=</ksLocalDevice>" L), "ksLocalDevice", RC_SYNTAX },
	{ R(B D "<ksLocalDevice> " KEY "</ksLocalDevice>" L), "ksLocalDevice", RC_SYNTAX },
	{ R(B D K "<keyLifetime>2027-01-01T00:00:00+01:00</keyLifetime>"), "keyLifetime", RC_SYNTAX },
	{ R(B D K "<keyLifetime>2027-13-01T00:00:00Z</keyLifetime>"), "keyLifetime", RC_SYNTAX },
	{ R(B D K "<keyLifetime>soon</keyLifetime>"), "keyLifetime", RC_SYNTAX },
	{ R(B D K L "<mtPseudonym>a b</mtPseudonym>"), "mtPseudonym", RC_SYNTAX },
	{ R(B D K L "<mtPseudonym></mtPseudonym>"), "mtPseudonym", RC_SYNTAX },
};

START_TEST(bad_responses_are_refused_and_the_element_named)
{
	struct uaxml_response r;
	const char *bad = NULL;
	enum rc rc;

	untouched_fill(&r, sizeof r);
	rc = uaxml_parse_response(span_str(bad_responses[_i].doc), &r, &bad);
	ck_assert_msg(rc == bad_responses[_i].rc || (rc == RC_RANGE && bad_responses[_i].rc == RC_SYNTAX), "%s", rc_str(rc));
	ck_assert_str_eq(bad, bad_responses[_i].bad);
	ck_assert(untouched(&r, sizeof r));
}
END_TEST

START_TEST(n7_key_states_read_back)
{
	struct uaxml_state st = { .lifetime = 1798761600 }, back;
	char out[UAXML_MAX];
	const char *bad;
	size_t n;

	strcpy(st.btid.s, BTID);
	strcpy(st.device_id.s, DEVICE);
	ck_ok(uaxml_print_state(&st, out, sizeof out, &n));
	ck_ok(uaxml_parse_state(span_of(out, n), &back, &bad));
	ck_assert(memcmp(&st, &back, sizeof st) == 0 && bad == NULL);
	ck_rc(uaxml_print_state(&st, out, n - 1, &n), RC_RANGE);
	/* a newer Key Center may say more */
	ck_ok(uaxml_parse_state(span_str(S(B D L "<more>1</more>")), &back, &bad));
	ck_assert_int_eq(back.lifetime, 1798761600);
}
END_TEST

static const struct {
	const char *doc, *bad;
	enum rc rc;
} bad_states[] = {
	{ "", "document", RC_SYNTAX },
	{ R(B D K L), "document", RC_SYNTAX },
	{ "<keyState>" B D L "</keyState>", "document", RC_SYNTAX },
	{ S(B D), "document", RC_SYNTAX },
	{ S(B L), "document", RC_SYNTAX },
	{ S(D L), "document", RC_SYNTAX },
	{ S(B D L L), "document", RC_SYNTAX },
	{ S("<btid>x</btid>" D L), "btid", RC_SYNTAX },
	{ S(B "<deviceId>a/b</deviceId>" L), "deviceId", RC_SYNTAX },
	{ S(B D "<keyLifetime>2027-01-01T00:00:00+01:00</keyLifetime>"), "keyLifetime", RC_SYNTAX },
	{ S(B D "<keyLifetime></keyLifetime>"), "keyLifetime", RC_SYNTAX },
};

START_TEST(bad_states_are_refused_and_the_element_named)
{
	struct uaxml_state st;
	const char *bad = NULL;

	untouched_fill(&st, sizeof st);
	ck_rc(uaxml_parse_state(span_str(bad_states[_i].doc), &st, &bad), bad_states[_i].rc);
	ck_assert_str_eq(bad, bad_states[_i].bad);
	ck_assert(untouched(&st, sizeof st));
}
END_TEST

START_TEST(every_reason_has_an_error_that_reads_back)
{
	struct uaxml_error e;
	char out[1024];
	size_t n;

	ck_ok(uaxml_print_error((enum reason)_i, NULL, out, sizeof out, &n));
	ck_ok(uaxml_parse_error(span_of(out, n), &e));
	if (reason_get((enum reason)_i)->ua != NULL)
		ck_assert_str_eq(e.reason, reason_get((enum reason)_i)->ua);
	ck_assert(strstr(e.text, reason_get((enum reason)_i)->what) == e.text);
	ck_ok(uaxml_print_error((enum reason)_i, "btid: <no>", out, sizeof out, &n));
	ck_ok(uaxml_parse_error(span_of(out, n), &e));
	ck_assert_str_eq(e.text, "btid: <no>");
}
END_TEST

START_TEST(errors_of_others_are_read_for_their_reason)
{
	struct uaxml_error e;

	ck_ok(uaxml_parse_error(span_str("<keyError " NS "><reason>gone</reason><more>x</more></keyError>"), &e));
	ck_assert_str_eq(e.reason, "gone");
	ck_assert_str_eq(e.text, "");
	ck_rc(uaxml_parse_error(span_str("<keyError " NS "><text>x</text></keyError>"), &e), RC_SYNTAX);
	ck_rc(uaxml_parse_error(span_str("<keyError " NS "><reason>Not a word</reason></keyError>"), &e), RC_SYNTAX);
	ck_rc(uaxml_parse_error(span_str("<keyError " NS "><reason>" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "</reason></keyError>"), &e), RC_RANGE);
	ck_rc(uaxml_parse_error(span_str("<html>503</html>"), &e), RC_SYNTAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("uaxml");
	TCase *t = tcase_create("uaxml");

	tcase_add_test(t, the_specifications_request_is_taken);
	tcase_add_test(t, w4_nafid_is_none_fqdn_or_naf_id);
	tcase_add_loop_test(t, bad_requests_are_refused_and_the_element_named, 0, TABLE_N(bad_requests));
	tcase_add_test(t, a_request_over_the_limits_is_out_of_range);
	tcase_add_loop_test(t, requests_read_back, 0, 3);
	tcase_add_loop_test(t, responses_read_back, 0, 2);
	tcase_add_test(t, unknown_elements_of_a_response_are_ignored);
	tcase_add_test(t, n7_key_states_read_back);
	tcase_add_loop_test(t, bad_states_are_refused_and_the_element_named, 0, TABLE_N(bad_states));
	tcase_add_loop_test(t, bad_responses_are_refused_and_the_element_named, 0, TABLE_N(bad_responses));
	tcase_add_loop_test(t, every_reason_has_an_error_that_reads_back, 0, REASON_COUNT);
	tcase_add_test(t, errors_of_others_are_read_for_their_reason);
	suite_add_tcase(s, t);
	return unit_run(s);
}
