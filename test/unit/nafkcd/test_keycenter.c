/* keycenter, ua and zn together: who gets which key, what is asked of the BSF and what is not, every status.       RULES N1–N3, K7, W4 */
#include "test/unit/nafkcd/world.h"

static struct world w;
static struct said s, s2;

START_TEST(the_key_is_the_one_that_the_mt_derives)
{
	struct uaxml_response r;
	struct triple t = { .naf_id = { "", { 0 } } };
	struct secret *ks_naf, *want;

	world_new(&w, NULL);
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &r);
	ck_assert_str_eq(s.cache, "no-store");
	ck_assert_str_eq(s.type, "application/xml; charset=utf-8");
	t.naf_id = w.naf_ids[0];
	strcpy(t.btid.s, BTID);
	strcpy(t.device_id.s, DEVICE);
	ck_ok(secret_from(span_of(w.bsf[0].key, KS_LEN), &ks_naf));
	ck_ok(kdf_ks_local_mt(ks_naf, &t, &want));
	ck_assert(secret_eq(r.ks_local_mt, want));
	ck_assert_str_eq(r.btid.s, BTID);
	ck_assert_str_eq(r.device_id.s, DEVICE);
	ck_assert_int_eq(r.lifetime, w.bsf[0].expires_s);	/* the Ks's, 8 hours, is the least */
	/* what the BSF was asked */
	ck_assert_uint_eq(w.bsf[0].birs, 1);
	ck_assert_str_eq(w.bsf[0].last.btid.s, BTID);
	ck_assert(naf_id_eq(&w.bsf[0].last.naf_id, &w.naf_ids[0]));
	ck_assert(!w.bsf[0].last.gba_u_aware && w.bsf[0].last.n_gsid == 0);	/* N3 */
	secret_free(r.ks_local_mt);
	secret_free(ks_naf);
	secret_free(want);
	world_free(&w);
}
END_TEST

START_TEST(a_repeated_request_gets_the_same_key_with_the_lifetime_that_it_had)
{
	struct uaxml_response a, b;
	bool cached = _i == 0;

	world_new(&w, NULL);
	w.conf.zn_cache_s = cached ? 300 : 0;
	w.conf.key_lifetime_max_s = 3600;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &a);
	pass(&w, 5000);
	ask(&w, &s, form(BTID, DEVICE, "nafkc.example.org"), key_a);
	said_key(&s, &b);
	ck_assert(secret_eq(a.ks_local_mt, b.ks_local_mt) && a.lifetime == b.lifetime);
	ck_assert_uint_eq(w.bsf[0].birs, cached ? 1 : 2);
	secret_free(a.ks_local_mt);
	secret_free(b.ks_local_mt);
	world_free(&w);
}
END_TEST

/* Once Ks_(ext)_NAF is out of memory, the BSF has the say again. */
static const struct {
	enum bsf_mood mood;
	bool other_key;
	int status;
	const char *ua;
} second_thoughts[] = {
	{ BSF_5403, false, 403, "bootstrap-again" },
	{ BSF_5402, false, 403, "refused" },
	{ BSF_GIVES, true, 503, "unavailable" },
};

START_TEST(a_key_that_was_given_is_not_given_again_against_the_bsf)
{
	struct uaxml_response r;
	struct nafkc_counts n;

	world_new(&w, NULL);
	w.conf.zn_cache_s = 0;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &r);
	secret_free(r.ks_local_mt);
	w.bsf[0].mood = second_thoughts[_i].mood;
	if (second_thoughts[_i].other_key)
		memset(w.bsf[0].key, 0x77, KS_LEN);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, second_thoughts[_i].status, second_thoughts[_i].ua);
	ck_ok(nafkc_store_count(w.store, &n));	/* and the one that works is not touched */
	ck_assert_int_eq(n.keys, 1);
	world_free(&w);
}
END_TEST

START_TEST(another_device_of_the_same_btid_gets_another_key_from_memory_n3)
{
	struct uaxml_response a, b;
	bool cached = _i == 0;

	world_new(&w, NULL);
	w.conf.zn_cache_s = cached ? 300 : 0;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &a);
	ask(&w, &s, form(BTID, "d2", NULL), key_a);
	said_key(&s, &b);
	ck_assert(!secret_eq(a.ks_local_mt, b.ks_local_mt));
	ck_assert_uint_eq(w.bsf[0].birs, cached ? 1 : 2);
	/* and not for longer than it may lie there */
	pass(&w, 301 * 1000);
	ask(&w, &s, form(BTID, "d3", NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	ck_assert_uint_eq(w.bsf[0].birs, cached ? 2 : 3);
	secret_free(a.ks_local_mt);
	secret_free(b.ks_local_mt);
	world_free(&w);
}
END_TEST

START_TEST(uicc_key_material_that_was_not_asked_for_is_not_used_n3)
{
	struct uaxml_response a;
	struct secret *ks, *want;
	struct triple t;

	world_new(&w, NULL);
	w.bsf[0].mood = BSF_GIVES_UICC_TOO;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &a);
	memset(&t, 0, sizeof t);
	t.naf_id = w.naf_ids[0];
	strcpy(t.btid.s, BTID);
	strcpy(t.device_id.s, DEVICE);
	ck_ok(secret_from(span_of(w.bsf[0].key, KS_LEN), &ks));
	ck_ok(kdf_ks_local_mt(ks, &t, &want));
	ck_assert(secret_eq(a.ks_local_mt, want));
	secret_free(a.ks_local_mt);
	secret_free(ks);
	secret_free(want);
	world_free(&w);
}
END_TEST

START_TEST(requests_for_one_btid_at_once_share_one_bir)
{
	static struct said many[20];
	struct uaxml_response r;
	char device[20][16];

	world_new(&w, NULL);
	w.bsf[0].mood = BSF_HOLDS;
	world_start(&w);
	for (int i = 0; i < 20; i++) {
		snprintf(device[i], sizeof device[i], "d%d", i / 2);	/* each twice */
		say(&w, &many[i], form(BTID, device[i], NULL), key_a);
	}
	settle(&w);
	ck_assert_uint_eq(w.bsf[0].n_held, 1);
	w.bsf[0].mood = BSF_GIVES;
	bsf_answer(&w.bsf[0], w.bsf[0].held[0]);
	settle(&w);
	for (int i = 0; i < 20; i++) {
		said_key(&many[i], &r);
		ck_assert_str_eq(r.device_id.s, device[i]);
		secret_free(r.ks_local_mt);
	}
	for (int i = 0; i < 20; i += 2)
		ck_assert_str_eq(many[i].body, many[i + 1].body);
	ck_assert_uint_eq(w.bsf[0].birs, 1);
	world_free(&w);
}
END_TEST

/* --- N1: a refused device causes no Zn message */

enum refusal { NO_CERT, BLOCKED, NOT_LISTED, OTHER_KEY, RATE, DEVICE_IDS, JUMPED, REFUSALS };
static const struct {
	int status;
	const char *ua;
} refusals[REFUSALS] = {
	[NO_CERT] = { 403, "refused" }, [BLOCKED] = { 403, "refused" }, [NOT_LISTED] = { 403, "refused" }, [OTHER_KEY] = { 403, "refused" },
	[RATE] = { 429, "too-many" }, [DEVICE_IDS] = { 403, "refused" }, [JUMPED] = { 503, "unavailable" },
};

static void
set_device(bool blocked, const uint8_t *spki)
{
	struct nafkc_device d = { .state = NAFKC_DEVICE_ALLOWED, .bound = spki != NULL };
	struct nafkc_target t = { .scope = NAFKC_SCOPE_DEVICE };

	strcpy(d.id.s, DEVICE);
	t.triple.device_id = d.id;
	if (spki != NULL)
		memcpy(d.spki, spki, 32);
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_put_device(w.store, &d));
	if (blocked)
		ck_ok(nafkc_store_put_block(w.store, &t, spki, NOW));
	ck_ok(store_end(w.store, true));
	turn_end(w.turn);
}

START_TEST(n1_a_refused_device_causes_no_zn_message)
{
	unsigned before;

	world_new(&w, NULL);
	w.conf.devices = _i == NOT_LISTED ? NAFKC_LISTED : NAFKC_ANY;
	w.conf.rate_per_minute = _i == RATE ? 1 : 60;
	w.conf.device_ids_max = _i == DEVICE_IDS ? 1 : 100;
	world_start(&w);
	if (_i == BLOCKED)
		set_device(true, NULL);
	if (_i == OTHER_KEY)
		set_device(false, key_b);
	if (_i == RATE || _i == DEVICE_IDS) {
		ask(&w, &s, form(BTID2, "first", NULL), key_a);
		ck_assert_int_eq(s.status, 200);
	}
	if (_i == JUMPED)
		clock_step_wall(w.clock, 3 * 86400 * 1000LL);
	before = w.bsf[0].birs;
	/* for a B-TID that the BSF knows and for one that it does not: the same answer */
	for (int known = 0; known < 2; known++) {
		w.bsf[0].mood = known ? BSF_GIVES : BSF_5403;
		ask(&w, &s, form(BTID, DEVICE, NULL), _i == NO_CERT ? NULL : key_a);
		said_refused(&s, refusals[_i].status, refusals[_i].ua);
	}
	ck_assert_uint_eq(w.bsf[0].birs, before);
	ck_assert(strstr(w.lines, "reason=") != NULL);
	world_free(&w);
}
END_TEST

START_TEST(n1_a_blocked_device_does_not_come_back_under_a_new_device_id)
{
	unsigned before;

	world_new(&w, NULL);
	w.conf.devices = _i == 0 ? NAFKC_ANY : NAFKC_BIND_FIRST_USE;
	world_start(&w);
	ask(&w, &s, form(BTID, "other", NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	set_device(true, key_a);
	before = w.bsf[0].birs;
	ask(&w, &s, form(BTID, "new", NULL), key_a);
	said_refused(&s, 403, "refused");
	ck_assert_uint_eq(w.bsf[0].birs, before);
	/* what it holds already has a state of its own; another public key is nobody's business */
	ask(&w, &s, form(BTID, "other", NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	ask(&w, &s, form(BTID, "new", NULL), key_b);
	ck_assert_int_eq(s.status, 200);
	world_free(&w);
}
END_TEST

/* Nor under one that was listed for another device and has not been seen yet. */
START_TEST(n1_a_blocked_device_takes_no_listed_device_id)
{
	struct nafkc_device d = { .state = NAFKC_DEVICE_ALLOWED };
	unsigned before;

	world_new(&w, NULL);
	w.conf.devices = NAFKC_LISTED;
	world_start(&w);
	set_device(true, key_a);
	ck_ok(device_id_parse(span_str("listed"), &d.id));
	ck_ok(nafkc_store_put_device(w.store, &d));
	before = w.bsf[0].birs;
	ask(&w, &s, form(BTID, "listed", NULL), key_a);
	said_refused(&s, 403, "refused");
	ck_assert_uint_eq(w.bsf[0].birs, before);
	ask(&w, &s, form(BTID, "listed", NULL), key_b);
	ck_assert_int_eq(s.status, 200);
	world_free(&w);
}
END_TEST

START_TEST(n1_who_is_refused_between_bir_and_bia_gets_no_key)
{

	world_new(&w, NULL);
	w.bsf[0].mood = BSF_HOLDS;
	world_start(&w);
	say(&w, &s, form(BTID, DEVICE, NULL), key_a);
	settle(&w);
	ck_assert_uint_eq(w.bsf[0].n_held, 1);
	set_device(true, NULL);
	w.bsf[0].mood = BSF_GIVES;
	bsf_answer(&w.bsf[0], w.bsf[0].held[0]);
	settle(&w);
	ck_assert(s.over);
	said_refused(&s, 403, "refused");
	world_free(&w);
}
END_TEST

/* --- N2 */

START_TEST(n2_a_second_public_key_gets_nothing_in_each_mode)
{
	static const enum nafkc_mode modes[] = { NAFKC_LISTED, NAFKC_BIND_FIRST_USE, NAFKC_ANY };

	world_new(&w, NULL);
	w.conf.devices = modes[_i];
	world_start(&w);
	if (modes[_i] == NAFKC_LISTED)
		set_device(false, NULL);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	/* it knows B-TID and Device_ID: the same triple, and a new one of that Device_ID */
	ask(&w, &s, form(BTID, DEVICE, NULL), key_b);
	said_refused(&s, 403, "refused");
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_b);
	said_refused(&s, 403, "refused");
	ck_assert(strstr(s.body, "ksLocalDevice") == NULL);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	world_free(&w);
}
END_TEST

START_TEST(n2_of_two_public_keys_that_race_one_gets_the_device_id)
{
	world_new(&w, NULL);
	w.bsf[0].mood = BSF_HOLDS;
	world_start(&w);
	say(&w, &s, form(BTID, DEVICE, NULL), key_a);
	say(&w, &s2, form(BTID, DEVICE, NULL), key_b);
	settle(&w);
	w.bsf[0].mood = BSF_GIVES;
	bsf_answer(&w.bsf[0], w.bsf[0].held[0]);
	settle(&w);
	ck_assert_int_eq(s.status, 200);
	said_refused(&s2, 403, "refused");
	world_free(&w);
}
END_TEST

/* --- W4 */

START_TEST(w4_naf_ids_by_element_by_host_and_alone)
{
	struct uaxml_response r;

	world_new(&w, NULL);
	w.conf.n_naf_ids = 2;
	world_start(&w);
	ask(&w, &s, form(BTID, "d1", "second.example.org"), key_a);
	said_key(&s, &r);
	ck_assert(naf_id_eq(&w.bsf[0].last.naf_id, &w.naf_ids[1]));
	secret_free(r.ks_local_mt);
	ask(&w, &s, form(BTID, "d1", NULL), key_a);		/* the Host header's */
	said_key(&s, &r);
	ck_assert(naf_id_eq(&w.bsf[0].last.naf_id, &w.naf_ids[0]));
	secret_free(r.ks_local_mt);
	ask(&w, &s, form(BTID, "d1", "second.example.org/0100000003"), key_a);
	said_refused(&s, 400, "bad-request");
	ask(&w, &s, form(BTID, "d1", "other.example.org"), key_a);
	said_refused(&s, 400, "bad-request");
	ck_assert_uint_eq(w.bsf[0].birs, 2);
	world_free(&w);
}
END_TEST

/* --- lifetime */

START_TEST(the_lifetime_is_the_least_of_three)
{
	struct uaxml_response r;
	struct nafkc_device d = { .state = NAFKC_DEVICE_ALLOWED, .lifetime_max_s = 600 };

	world_new(&w, NULL);
	w.conf.key_lifetime_max_s = 3600;
	world_start(&w);
	ask(&w, &s, form(BTID, "d1", NULL), key_a);
	said_key(&s, &r);
	ck_assert_int_eq(r.lifetime, clock_now_s(w.clock) + 3600);
	secret_free(r.ks_local_mt);
	strcpy(d.id.s, "d2");
	ck_ok(store_begin(w.store));
	ck_ok(nafkc_store_put_device(w.store, &d));
	ck_ok(store_end(w.store, true));
	ask(&w, &s, form(BTID, "d2", NULL), key_a);
	said_key(&s, &r);
	ck_assert_int_eq(r.lifetime, clock_now_s(w.clock) + 600);
	secret_free(r.ks_local_mt);
	world_free(&w);
}
END_TEST

START_TEST(k7_a_ks_that_ends_soon_is_bootstrap_again)
{
	world_new(&w, NULL);
	world_start(&w);
	w.bsf[0].expires_s = clock_now_s(w.clock) + 59;
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 403, "bootstrap-again");
	w.bsf[0].expires_s = clock_now_s(w.clock) + 3600;
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	/* a key that was given and ends soon, too */
	pass(&w, 3545 * 1000);
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_a);
	said_refused(&s, 403, "bootstrap-again");
	world_free(&w);
}
END_TEST

START_TEST(t1_a_key_is_gone_from_its_expiry_and_its_row_soon_after)
{
	struct nafkc_counts n;
	struct uaxml_response r;

	world_new(&w, NULL);
	w.conf.key_lifetime_max_s = 100;
	w.conf.ks_min_left_s = 1;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &r);
	secret_free(r.ks_local_mt);
	ck_ok(nafkc_store_count(w.store, &n));
	ck_assert(n.keys == 1 && n.devices == 1);
	pass(&w, 102 * 1000);
	ck_ok(nafkc_store_count(w.store, &n));
	ck_assert(n.keys == 0 && n.devices == 1);
	/* the Ks still lives: asked again, it is given again, with a new lifetime of the configured length */
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_key(&s, &r);
	ck_assert_int_eq(r.lifetime, clock_now_s(w.clock) + 100);
	secret_free(r.ks_local_mt);
	world_free(&w);
}
END_TEST

/* --- what the BSF may say */

static const struct {
	enum bsf_mood mood;
	int status;
	const char *ua, *reason;
} answers[] = {
	{ BSF_5402, 403, "refused", "zn-not-authorized" },
	{ BSF_5403, 403, "bootstrap-again", "zn-btid-invalid" },
	{ BSF_3004, 503, "unavailable", "zn-refused" },
	{ BSF_5012, 503, "unavailable", "zn-refused" },
	{ BSF_SHORT_KEY, 503, "unavailable", "zn-bad-answer" },
	{ BSF_NO_EXPIRY, 503, "unavailable", "zn-bad-answer" },
	{ BSF_MUTE, 503, "unavailable", "zn-timeout" },
};

START_TEST(what_the_bsf_says_becomes_a_status)
{
	world_new(&w, NULL);
	w.bsf[0].mood = answers[_i].mood;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, answers[_i].status, answers[_i].ua);
	ck_assert_msg(strstr(w.lines, answers[_i].reason) != NULL, "%s", w.lines);
	/* nothing was kept, and the next one is served */
	ck_assert_uint_ge(w.bsf[0].birs, 1);
	w.bsf[0].mood = BSF_GIVES;
	ask(&w, &s, form(BTID2, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	world_free(&w);
}
END_TEST

START_TEST(without_a_bsf_503_with_retry_after_and_a_key_when_it_is_back)
{
	world_new(&w, NULL);
	world_start(&w);
	bsf_stop(&w, 0);
	link_mem_cut(w.net, "tcp:127.0.0.1:3868", true);
	pass(&w, 100);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 503, "unavailable");
	ck_assert(strstr(w.lines, "zn-unreachable") != NULL);
	link_mem_cut(w.net, "tcp:127.0.0.1:3868", false);
	bsf_start(&w, 0);
	pass(&w, 40000);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	world_free(&w);
}
END_TEST

START_TEST(the_second_peer_is_asked_when_the_first_is_silent_or_gone)
{
	world_new(&w, NULL);
	w.conf.zn.n_peers = 2;
	w.bsf[0].mood = BSF_MUTE;
	world_start(&w);
	if (_i == 1)
		bsf_stop(&w, 0);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	ck_assert_uint_eq(w.bsf[0].birs, _i == 0 ? 1 : 0);
	ck_assert_uint_eq(w.bsf[1].birs, 1);
	world_free(&w);
}
END_TEST

/* --- the form of a request */

enum form_fault { PATH, METHOD, TYPE, NO_TYPE, XML, EXTRA, BAD_BTID, BAD_DEVICE, FORM_FAULTS };
static const struct {
	int status;
	const char *ua;
} form_faults[FORM_FAULTS] = {
	[PATH] = { 404, "not-found" }, [METHOD] = { 405, "method" }, [TYPE] = { 415, "media-type" }, [NO_TYPE] = { 415, "media-type" },
	[XML] = { 400, "bad-request" }, [EXTRA] = { 400, "bad-request" }, [BAD_BTID] = { 400, "bad-request" }, [BAD_DEVICE] = { 400, "bad-request" },
};

START_TEST(requests_of_the_wrong_form_have_their_status)
{
	const char *body = _i == XML ? "hello" : _i == EXTRA ? "<keyRequest xmlns=\"urn:x-kslocal:ua:1\"><btid>a@b.c</btid><deviceId>d</deviceId><x/></keyRequest>" :
	    _i == BAD_BTID ? form("noat", DEVICE, NULL) : _i == BAD_DEVICE ? form(BTID, "has blank", NULL) : form(BTID, DEVICE, NULL);

	world_new(&w, NULL);
	world_start(&w);
	s = (struct said){ .x = { &s.req, said_answer } };
	s.headers[0] = (struct http_header){ "Host", "nafkc.example.org" };
	s.headers[1] = (struct http_header){ "content-type", _i == TYPE ? "text/xml" : "Application/XML ;charset=x" };
	s.req = (struct http_request){ .method = _i == METHOD ? "GET" : "POST", .path = _i == PATH ? "/keycentre/v1/key-request/" : "/keycentre/v1/key-request",
	    .headers = s.headers, .n_headers = _i == NO_TYPE ? 1 : 2, .body = span_str(body), .peer = &s.peer };
	s.peer.has_cert = true;
	nafkc_on_ua(&s.x, w.k);
	settle(&w);
	ck_assert(s.over);
	said_refused(&s, form_faults[_i].status, form_faults[_i].ua);
	ck_assert_str_eq(s.allow, _i == METHOD ? "POST" : "");
	ck_assert_uint_eq(w.bsf[0].birs, 0);
	world_free(&w);
}
END_TEST

START_TEST(the_rate_comes_back)
{
	world_new(&w, NULL);
	w.conf.rate_per_minute = 2;
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	said_refused(&s, 429, "too-many");
	ck_assert_int_ge(atoi(s.retry_after), 1);
	ask(&w, &s2, form(BTID, "d2", NULL), key_b);		/* another public key's is its own */
	ck_assert_int_eq(s2.status, 200);
	pass(&w, atoi(s.retry_after) * 1000);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	ck_assert_int_eq(s.status, 200);
	world_free(&w);
}
END_TEST

START_TEST(steps_13_15_and_16_are_traced_with_the_check_value_alone)
{
	json_t *events, *e;
	size_t i;
	unsigned steps = 0;
	char *text;

	world_new(&w, NULL);
	world_start(&w);
	ask(&w, &s, form(BTID, DEVICE, NULL), key_a);
	events = trace_since(w.trace, 0);
	json_array_foreach(events, i, e) {
		json_int_t step = json_integer_value(json_object_get(e, "step"));

		steps |= 1u << step;
		ck_assert_str_eq(json_string_value(json_object_get(e, "btid")), BTID);
		if (step != 13)
			ck_assert_uint_eq(strlen(json_string_value(json_object_get(e, "kcv"))), KCV_LEN);
	}
	ck_assert_uint_eq(steps, 1u << 13 | 1u << 15 | 1u << 16);
	text = json_dumps(events, 0);
	ck_assert(strstr(text, "5a5a5a") == NULL);
	free(text);
	json_decref(events);
	world_free(&w);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("nafkc_keycenter");
	TCase *t = tcase_create("keycenter");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_key_is_the_one_that_the_mt_derives);
	tcase_add_loop_test(t, a_repeated_request_gets_the_same_key_with_the_lifetime_that_it_had, 0, 2);
	tcase_add_loop_test(t, a_key_that_was_given_is_not_given_again_against_the_bsf, 0, TABLE_N(second_thoughts));
	tcase_add_loop_test(t, another_device_of_the_same_btid_gets_another_key_from_memory_n3, 0, 2);
	tcase_add_test(t, uicc_key_material_that_was_not_asked_for_is_not_used_n3);
	tcase_add_test(t, requests_for_one_btid_at_once_share_one_bir);
	tcase_add_loop_test(t, n1_a_refused_device_causes_no_zn_message, 0, REFUSALS);
	tcase_add_loop_test(t, n1_a_blocked_device_does_not_come_back_under_a_new_device_id, 0, 2);
	tcase_add_test(t, n1_a_blocked_device_takes_no_listed_device_id);
	tcase_add_test(t, n1_who_is_refused_between_bir_and_bia_gets_no_key);
	tcase_add_loop_test(t, n2_a_second_public_key_gets_nothing_in_each_mode, 0, 3);
	tcase_add_test(t, n2_of_two_public_keys_that_race_one_gets_the_device_id);
	tcase_add_test(t, w4_naf_ids_by_element_by_host_and_alone);
	tcase_add_test(t, the_lifetime_is_the_least_of_three);
	tcase_add_test(t, k7_a_ks_that_ends_soon_is_bootstrap_again);
	tcase_add_test(t, t1_a_key_is_gone_from_its_expiry_and_its_row_soon_after);
	tcase_add_loop_test(t, what_the_bsf_says_becomes_a_status, 0, TABLE_N(answers));
	tcase_add_test(t, without_a_bsf_503_with_retry_after_and_a_key_when_it_is_back);
	tcase_add_loop_test(t, the_second_peer_is_asked_when_the_first_is_silent_or_gone, 0, 2);
	tcase_add_loop_test(t, requests_of_the_wrong_form_have_their_status, 0, FORM_FAULTS);
	tcase_add_test(t, the_rate_comes_back);
	tcase_add_test(t, steps_13_15_and_16_are_traced_with_the_check_value_alone);
	suite_add_tcase(su, t);
	return unit_run(su);
}
