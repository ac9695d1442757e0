/* ua_mt: the second Ua port: Digest under Ks_(ext)_NAF, who hears what, and what strangers can cause.                  RULES N7 */
#include "common/digest_gba.h"
#include "nafkcd/auth.h"
#include "nafkcd/core.h"
#include "test/unit/nafkcd/world.h"

#define FQDN "nafkc.example.org"
#define STATE "/keycentre/v1/key-state"

static struct world w;
static struct said s;
static struct secret *password;

static struct secret *
password_of(const uint8_t key[static KS_LEN])
{
	struct secret *ks, *out;

	ck_ok(secret_from(span_of(key, KS_LEN), &ks));
	ck_ok(digest_gba_password(ks, &out));
	secret_free(ks);
	return out;
}

/* A Key Center that gave one key. zn_cache off, so that each question asks the BSF. */
static void
start(void)
{
	world_new(&w, NULL);
	w.conf.zn_cache_s = 0;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	password = password_of(w.bsf[0].key);
}

static void
finish(void)
{
	secret_free(password);
	world_free(&w);
}

struct question {
	const char *method, *path, *btid, *device, *known, *address;
	const char *authorization;
};

static void
post(const struct question *q)
{
	size_t n = 0;

	s = (struct said){ .x = { &s.req, said_answer } };
	s.headers[n++] = (struct http_header){ "Host", FQDN ":8444" };
	if (q->device != NULL)
		s.headers[n++] = (struct http_header){ "X-KSLocal-Device-ID", q->device };
	if (q->btid != NULL)
		s.headers[n++] = (struct http_header){ "X-KSLocal-BTID", q->btid };
	if (q->known != NULL)
		s.headers[n++] = (struct http_header){ "If-None-Match", q->known };
	if (q->authorization != NULL)
		s.headers[n++] = (struct http_header){ "Authorization", q->authorization };
	s.req = (struct http_request){ .method = q->method != NULL ? q->method : "GET", .path = q->path != NULL ? q->path : STATE,
	    .headers = s.headers, .n_headers = n, .peer = &s.peer };
	snprintf(s.peer.address, sizeof s.peer.address, "%s", q->address != NULL ? q->address : "192.0.2.1:4000");
	nafkc_on_ua_mt(&s.x, w.k);
	for (int i = 0; i < 200 && !s.over; i++)
		pass(&w, 100);
	ck_assert_msg(s.over, "no answer");
}

/* The challenge that a bare question gets. */
static struct digest
challenged(struct question q)
{
	struct digest c;

	q.authorization = NULL;
	post(&q);
	ck_assert_msg(s.status == 401, "%d %s", s.status, s.body);
	ck_ok(digest_parse_challenge(span_str(s.www), &c));
	return c;
}

static struct digest sent;

static void
answer(struct question q, const struct digest *c, const char *username, uint32_t nc, const struct secret *with)
{
	struct digest_gba_ask a = { .fqdn = FQDN, .btid = username, .method = "GET", .uri = STATE, .password = with, .cnonce = "cnonce",
	    .nc = nc };
	char text[2048];

	ck_ok(digest_gba_answer(c, &a, &sent));
	ck_ok(digest_print_authorization(&sent, text, sizeof text));
	q.authorization = text;
	post(&q);
}

/* The whole exchange of an MT that has Ks_(ext)_NAF. */
static void
question(struct question q)
{
	struct digest c = challenged(q), info;

	answer(q, &c, BTID, 1, password);
	if (s.status == 401 || s.status == 429)
		return;
	ck_ok(digest_parse_info(span_str(s.info), &info));
	ck_ok(digest_gba_check_info(&sent, &info, password, span_str(s.body)));
}

static void
revoke(void)
{
	struct nafkc_target t = { .scope = NAFKC_SCOPE_TRIPLE, .triple.naf_id = w.naf_ids[0] };
	int64_t n;

	strcpy(t.triple.btid.s, BTID);
	strcpy(t.triple.device_id.s, DEVICE);
	ck_ok(nafkc_order_end(w.k, &t, 0, &n));
	turn_end(w.turn);
}

static const struct question usual = { .device = DEVICE, .btid = BTID };

START_TEST(n7_the_bootstrapping_required_indication)
{
	struct digest c;

	start();
	c = challenged(usual);
	ck_assert_str_eq(c.realm, "3GPP-bootstrapping@" FQDN);
	ck_assert(c.alg == DIGEST_ALG_MD5 && (c.have & DIGEST_ALGORITHM) != 0 && (c.have & DIGEST_STALE) == 0);
	ck_assert_uint_eq(c.qop, DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT);
	said_refused(&s, 401, "bootstrap-again");
	ck_assert(strstr(w.lines, "ua-mt-challenge") == NULL);	/* each exchange begins so: no refusal */
	ck_assert_uint_eq(w.bsf[0].birs, 1);			/* the Key Request's */
	finish();
}
END_TEST

START_TEST(n7_an_mt_hears_200_304_and_410_each_proven_by_rspauth)
{
	struct question q = usual;
	struct uaxml_state st;
	const char *bad;
	char etag[64];

	start();
	if (_i == 1)
		q.btid = NULL;		/* the username says it */
	question(q);
	ck_assert_msg(s.status == 200, "%d %s", s.status, s.body);
	ck_ok(uaxml_parse_state(span_str(s.body), &st, &bad));
	ck_assert_str_eq(st.btid.s, BTID);
	ck_assert_int_eq(st.lifetime, w.bsf[0].expires_s);
	ck_assert(strstr(s.body, "ksLocalDevice") == NULL);
	strcpy(etag, s.etag);
	q.known = etag;
	question(q);
	ck_assert_int_eq(s.status, 304);
	ck_assert_str_eq(s.body, "");
	ck_assert_str_eq(s.etag, etag);
	revoke();
	question(q);
	said_refused(&s, 410, "gone");
	finish();
}
END_TEST

START_TEST(n7_auth_int_is_taken_too)
{
	struct digest c, info;

	start();
	c = challenged(usual);
	c.qop = DIGEST_QOP_AUTH_INT;
	answer(usual, &c, BTID, 1, password);
	ck_assert_int_eq(s.status, 200);
	ck_ok(digest_parse_info(span_str(s.info), &info));
	ck_assert_uint_eq(info.qop, DIGEST_QOP_AUTH_INT);
	ck_ok(digest_gba_check_info(&sent, &info, password, span_str(s.body)));
	finish();
}
END_TEST

START_TEST(n7_an_mt_is_answered_about_keys_of_its_btid_alone)
{
	struct question q = usual;

	start();
	ask(&w, &s, form(BTID2, "other", NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	q.btid = BTID2;			/* authenticated as BTID */
	q.device = "other";
	question(q);
	said_refused(&s, 404, "not-found");
	q.btid = BTID;
	question(q);
	said_refused(&s, 404, "not-found");
	q = usual;
	q.btid = BTID2;			/* its own key by another name */
	question(q);
	said_refused(&s, 404, "not-found");
	finish();
}
END_TEST

/* Host names no protocol octets; the key does. */
START_TEST(n7_of_several_naf_ids_with_one_fqdn_the_keys_own_counts)
{
	world_new(&w, NULL);
	ck_ok(naf_id_parse(span_str(FQDN "/0100000007"), &w.naf_ids[1]));
	w.conf.n_naf_ids = 2;
	w.conf.zn_cache_s = 0;
	world_start(&w);
	password = password_of(w.bsf[0].key);
	ask(&w, &s, form(BTID, DEVICE, FQDN "/0100000007"), key_a);
	ck_assert_int_eq(s.status, 200);
	question(usual);
	ck_assert_int_eq(s.status, 200);
	ck_assert(naf_id_eq(&w.bsf[0].last.naf_id, &w.naf_ids[1]));
	ask_state(&w, &s, BTID, DEVICE, NULL, key_a);
	ck_assert_int_eq(s.status, 200);
	ask_state(&w, &s, BTID, "other", NULL, key_a);
	ck_assert_int_eq(s.status, 404);
	finish();
}
END_TEST

START_TEST(n7_a_wrong_response_and_an_unknown_btid_are_one_401)
{
	static const uint8_t other[KS_LEN] = { 1 };
	struct secret *wrong = password_of(other);
	char body[UAXML_MAX + 1];
	struct digest c;
	unsigned birs;

	start();
	birs = w.bsf[0].birs;
	c = challenged(usual);
	answer(usual, &c, "nobody@bsf.example.org", 1, wrong);
	ck_assert_int_eq(s.status, 401);
	ck_assert_uint_eq(w.bsf[0].birs, birs);		/* no Zn for whom nothing was given */
	ck_assert(strstr(w.lines, "ua-mt-btid") != NULL);
	ck_ok(digest_parse_challenge(span_str(s.www), &c));
	ck_assert((c.have & DIGEST_STALE) == 0);
	snprintf(body, sizeof body, "%s", s.body);
	c = challenged(usual);
	answer(usual, &c, BTID, 1, wrong);
	ck_assert_int_eq(s.status, 401);
	ck_assert(strstr(w.lines, "ua-mt-response") != NULL);
	ck_assert_str_eq(s.info, "");
	ck_ok(digest_parse_challenge(span_str(s.www), &c));
	ck_assert((c.have & DIGEST_STALE) == 0);
	ck_assert_str_eq(s.body, body);
	secret_free(wrong);
	finish();
}
END_TEST

/* RFC 2617 3.2.1: stale says that only the nonce was wrong. */
START_TEST(n7_a_nonce_that_is_over_or_not_ours_is_stale)
{
	struct digest c;

	start();
	c = challenged(usual);
	if (_i == 0)
		pass(&w, NAFKC_NONCE_LIFE_MS);
	else if (_i == 1)
		c.nonce[3] = c.nonce[3] == '0' ? '1' : '0';
	else
		strcpy(c.nonce, "n");
	answer(usual, &c, BTID, 1, password);
	ck_assert_int_eq(s.status, 401);
	ck_assert_uint_eq(w.bsf[0].birs, 1);
	ck_ok(digest_parse_challenge(span_str(s.www), &c));
	ck_assert((c.have & DIGEST_STALE) != 0 && c.stale);
	answer(usual, &c, BTID, 1, password);
	ck_assert_int_eq(s.status, 200);
	finish();
}
END_TEST

START_TEST(n7_a_count_comes_once)
{
	struct digest c;

	start();
	c = challenged(usual);
	answer(usual, &c, BTID, 2, password);
	ck_assert_int_eq(s.status, 200);
	answer(usual, &c, BTID, 2, password);		/* the same octets again */
	ck_assert_int_eq(s.status, 401);
	answer(usual, &c, BTID, 1, password);
	ck_assert_int_eq(s.status, 401);
	answer(usual, &c, BTID, 3, password);
	ck_assert_int_eq(s.status, 200);
	answer(usual, &c, BTID, 0, password);
	ck_assert_int_eq(s.status, 401);
	finish();
}
END_TEST

START_TEST(n7_a_restart_makes_old_nonces_stale)
{
	struct digest c;

	start();
	c = challenged(usual);
	nafkc_free(w.k);
	bsf_stop(&w, 0);
	bsf_start(&w, 0);
	world_start_core(&w);
	pass(&w, 1000);
	answer(usual, &c, BTID, 1, password);
	ck_assert_int_eq(s.status, 401);
	ck_ok(digest_parse_challenge(span_str(s.www), &c));
	ck_assert(c.stale);
	finish();
}
END_TEST

/* --- what the BSF says */

static const struct {
	enum bsf_mood mood;
	int status;
	const char *ua, *reason;
} bsfs[] = {
	{ BSF_5403, 401, "bootstrap-again", "ua-mt-expired" },		/* TS 24.109 5.2.5 */
	{ BSF_5402, 403, "refused", "zn-not-authorized" },
	{ BSF_3004, 503, "unavailable", "zn-refused" },
	{ BSF_MUTE, 503, "unavailable", "zn-timeout" },
};

START_TEST(what_the_bsf_says_becomes_a_status)
{
	struct digest c;

	start();
	c = challenged(usual);
	w.bsf[0].mood = bsfs[_i].mood;
	answer(usual, &c, BTID, 1, password);
	said_refused(&s, bsfs[_i].status, bsfs[_i].ua);
	ck_assert_msg(strstr(w.lines, bsfs[_i].reason) != NULL, "%s", w.lines);
	ck_assert_int_eq(s.www[0] != '\0', bsfs[_i].status == 401);
	ck_assert_str_eq(s.info, "");
	finish();
}
END_TEST

START_TEST(n3_ks_naf_comes_from_memory_and_is_dropped_with_a_key)
{
	world_new(&w, NULL);
	world_start(&w);
	password = password_of(w.bsf[0].key);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	question(usual);
	question(usual);
	ck_assert_int_eq(s.status, 200);
	ck_assert_uint_eq(w.bsf[0].birs, 1);
	revoke();
	question(usual);
	ck_assert_int_eq(s.status, 410);
	ck_assert_uint_eq(w.bsf[0].birs, 2);
	finish();
}
END_TEST

/* Who knows a B-TID and nothing else costs the BSF rate_per_minute at most; another address of his costs nobody anything. */
START_TEST(strangers_cause_bounded_zn_traffic)
{
	static const uint8_t other[KS_LEN] = { 1 };
	struct secret *wrong = password_of(other);
	struct question q = usual;
	char address[32];
	struct digest c;
	unsigned birs;

	world_new(&w, NULL);
	w.conf.zn_cache_s = 0;
	w.conf.rate_per_minute = 3;
	world_start(&w);
	password = password_of(w.bsf[0].key);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	birs = w.bsf[0].birs;
	q.address = address;
	for (int i = 0; i < 40; i++) {
		snprintf(address, sizeof address, "192.0.2.%d:4000", i);
		c = challenged(q);
		answer(q, &c, BTID, 1, wrong);
		ck_assert(s.status == 401 || s.status == 429);
	}
	ck_assert_int_eq(s.status, 429);
	ck_assert(atoi(s.retry_after) > 0);
	ck_assert_uint_le(w.bsf[0].birs - birs, 5);	/* three, and what came back meanwhile */
	secret_free(wrong);
	finish();
}
END_TEST

START_TEST(one_address_is_limited_whatever_it_asks_about)
{
	struct question q = usual;
	char address[32], btid[64];
	struct digest c;
	int limited = 0;

	world_new(&w, NULL);
	w.conf.rate_per_minute = 1;
	world_start(&w);
	password = password_of(w.bsf[0].key);
	q.address = address;
	q.btid = NULL;
	for (int i = 0; i < 20; i++) {
		snprintf(address, sizeof address, "[2001:db8::1]:%d", 1000 + i);
		snprintf(btid, sizeof btid, "b%d@bsf.example.org", i);
		c = challenged(q);
		answer(q, &c, btid, 1, password);
		limited += s.status == 429;
	}
	ck_assert_int_ge(limited, 8);
	finish();
}
END_TEST

/* --- the form */

static const struct {
	struct question q;
	int status;
	const char *ua;
} forms[] = {
	{ { .device = DEVICE, .path = "/keycentre/v1/key-request" }, 404, "not-found" },
	{ { .device = DEVICE, .path = "/" }, 404, "not-found" },
	{ { .device = DEVICE, .method = "POST" }, 405, "method" },
	{ { .device = NULL }, 400, "bad-request" },
	{ { .device = "a b" }, 400, "bad-request" },
	{ { .device = DEVICE, .btid = "noat" }, 400, "bad-request" },
	{ { .device = DEVICE, .authorization = "Basic YTpi" }, 401, "bootstrap-again" },
	{ { .device = DEVICE, .authorization = "Digest" }, 400, "bad-request" },
	{ { .device = DEVICE, .authorization = "Digest username=\"joe\"" }, 400, "bad-request" },
	{ { .device = DEVICE, .authorization = "Digest username=\"" BTID "\", realm=\"3GPP-bootstrapping@other.example.org\", nonce=\"n\","
	    " uri=\"" STATE "\", response=\"0123456789abcdef0123456789abcdef\", qop=auth, nc=00000001, cnonce=\"c\"" }, 400, "bad-request" },
	{ { .device = DEVICE, .authorization = "Digest username=\"" BTID "\", realm=\"3GPP-bootstrapping@nafkc.example.org\", nonce=\"n\","
	    " uri=\"" STATE "\", response=\"0123456789abcdef0123456789abcdef\", qop=auth, nc=00000001, cnonce=\"c\"" }, 401, "bootstrap-again" },
};

START_TEST(requests_of_the_wrong_form_have_their_status)
{
	start();
	post(&forms[_i].q);
	said_refused(&s, forms[_i].status, forms[_i].ua);
	ck_assert_str_eq(s.allow, forms[_i].status == 405 ? "GET" : "");
	ck_assert_int_eq(s.www[0] != '\0', forms[_i].status == 401);
	ck_assert_uint_eq(w.bsf[0].birs, 1);
	finish();
}
END_TEST

START_TEST(a_clock_that_jumped_tells_nothing)
{
	struct digest c;

	start();
	c = challenged(usual);
	clock_step_wall(w.clock, 3 * 86400 * 1000LL);
	answer(usual, &c, BTID, 1, password);
	said_refused(&s, 503, "unavailable");
	finish();
}
END_TEST

START_TEST(a_core_freed_while_an_mt_waits_for_zn_answers_it_stopping)
{
	struct digest_gba_ask a = { .fqdn = FQDN, .btid = BTID, .method = "GET", .uri = STATE, .cnonce = "c", .nc = 1 };
	char text[2048];
	struct digest c, d;

	start();
	c = challenged(usual);
	a.password = password;
	ck_ok(digest_gba_answer(&c, &a, &d));
	ck_ok(digest_print_authorization(&d, text, sizeof text));
	w.bsf[0].mood = BSF_HOLDS;
	s = (struct said){ .x = { &s.req, said_answer } };
	s.headers[0] = (struct http_header){ "Host", FQDN };
	s.headers[1] = (struct http_header){ "X-KSLocal-Device-ID", DEVICE };
	s.headers[2] = (struct http_header){ "Authorization", text };
	s.req = (struct http_request){ .method = "GET", .path = STATE, .headers = s.headers, .n_headers = 3, .peer = &s.peer };
	nafkc_on_ua_mt(&s.x, w.k);
	settle(&w);
	ck_assert(!s.over && w.bsf[0].n_held == 1);
	nafkc_free(w.k);
	w.k = NULL;
	turn_end(w.turn);
	ck_assert(s.over);
	said_refused(&s, 503, "unavailable");
	finish();
}
END_TEST

/* --- nonces by themselves */

START_TEST(counts_of_at_most_so_many_nonces_are_kept_and_what_is_forgotten_is_over)
{
	static char nonces[NAFKC_NONCES_MAX + 1][80];
	struct nafkc_nonces *n;
	struct rnd_seeded rnd;
	struct clock *clock;
	char newest[80];

	ck_ok(clock_new_virtual(NOW * 1000, &clock));
	rnd_seeded_init(&rnd, 7);
	ck_ok(nafkc_nonces_new(clock, &rnd.rnd, &n));
	for (int i = 0; i <= NAFKC_NONCES_MAX; i++) {
		if (i % 100 == 99)
			clock_advance(clock, 1);
		ck_ok(nafkc_nonce_make(n, nonces[i], sizeof nonces[i]));
	}
	for (int i = 0; i < NAFKC_NONCES_MAX; i++)
		ck_assert(nafkc_nonce_use(n, nonces[i], "00000001"));
	ck_assert(!nafkc_nonce_use(n, nonces[0], "00000001"));
	ck_assert(nafkc_nonce_use(n, nonces[NAFKC_NONCES_MAX], "00000001"));
	/* the first one's count is forgotten: it may not begin anew */
	ck_assert(!nafkc_nonce_good(n, nonces[0]) && !nafkc_nonce_use(n, nonces[0], "00000001"));
	ck_assert(nafkc_nonce_good(n, nonces[NAFKC_NONCES_MAX - 1]));
	ck_assert(!nafkc_nonce_use(n, nonces[NAFKC_NONCES_MAX - 1], "00000001"));
	/* when their time is over there is room again */
	clock_advance(clock, NAFKC_NONCE_LIFE_MS);
	ck_assert(!nafkc_nonce_good(n, nonces[NAFKC_NONCES_MAX]));
	ck_ok(nafkc_nonce_make(n, newest, sizeof newest));
	ck_assert(nafkc_nonce_use(n, newest, "ffffffff"));
	/* one spelling */
	ck_assert(nafkc_nonce_good(n, newest));
	for (char *p = newest; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'f') {
			*p = (char)(*p - 'a' + 'A');
			break;
		}
	ck_assert(!nafkc_nonce_good(n, newest));
	nafkc_nonces_free(n);
	clock_free(clock);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("nafkc_ua_mt");
	TCase *t = tcase_create("ua_mt");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, n7_the_bootstrapping_required_indication);
	tcase_add_loop_test(t, n7_an_mt_hears_200_304_and_410_each_proven_by_rspauth, 0, 2);
	tcase_add_test(t, n7_auth_int_is_taken_too);
	tcase_add_test(t, n7_an_mt_is_answered_about_keys_of_its_btid_alone);
	tcase_add_test(t, n7_of_several_naf_ids_with_one_fqdn_the_keys_own_counts);
	tcase_add_test(t, n7_a_wrong_response_and_an_unknown_btid_are_one_401);
	tcase_add_loop_test(t, n7_a_nonce_that_is_over_or_not_ours_is_stale, 0, 3);
	tcase_add_test(t, n7_a_count_comes_once);
	tcase_add_test(t, n7_a_restart_makes_old_nonces_stale);
	tcase_add_loop_test(t, what_the_bsf_says_becomes_a_status, 0, TABLE_N(bsfs));
	tcase_add_test(t, n3_ks_naf_comes_from_memory_and_is_dropped_with_a_key);
	tcase_add_test(t, strangers_cause_bounded_zn_traffic);
	tcase_add_test(t, one_address_is_limited_whatever_it_asks_about);
	tcase_add_loop_test(t, requests_of_the_wrong_form_have_their_status, 0, TABLE_N(forms));
	tcase_add_test(t, a_clock_that_jumped_tells_nothing);
	tcase_add_test(t, a_core_freed_while_an_mt_waits_for_zn_answers_it_stopping);
	tcase_add_test(t, counts_of_at_most_so_many_nonces_are_kept_and_what_is_forgotten_is_over);
	suite_add_tcase(su, t);
	return unit_run(su);
}
