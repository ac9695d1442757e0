/* Requests of peers: the list of what ended other nodes, error answers with their Failed-AVP, duplicates, limits. */
#include "common/zn_msg.h"
#include "test/unit/common/zn_world.h"

static struct world w;
static struct user bsf;
static struct raw raw, raw2;
static struct dia_msg m;

static void
setup(void)
{
	memset(&bsf, 0, sizeof bsf);
	memset(&raw, 0, sizeof raw);
	memset(&raw2, 0, sizeof raw2);
	world_open(&w);
	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	raw_open(&w, &raw, "nafkc.example.org");
}

static void
teardown(void)
{
	raw_close(&raw);
	raw_close(&raw2);
	dia_node_free(bsf.node);
	world_close(&w);
}

/* --- routing: who asks, and whom */

/* A BIR with one name another, missing (NULL), or twice. */
static const struct {
	enum dia_id id;
	const char *data;
	size_t n;
	bool too;		/* beside the usual one */
	uint32_t result, failed;
	const char *reason;
} routes[] = {
#define D(text) text, sizeof (text) - 1
	{ DIA_ORIGIN_HOST, D("NAFKC.Example.org"), false, 2001, 0, NULL },
	{ DIA_ORIGIN_HOST, NULL, 0, false, 5005, 264, "zn-bad-message" },
	{ DIA_ORIGIN_HOST, D("naf2.example.org"), false, 5004, 264, "zn-origin" },	/* B3: another peer's name */
	{ DIA_ORIGIN_HOST, D("a\0b"), false, 5004, 264, "zn-bad-message" },
	{ DIA_ORIGIN_HOST, D("nafkc.example.org"), true, 5009, 264, "zn-bad-message" },
	{ DIA_DESTINATION_REALM, D("EXAMPLE.ORG"), false, 2001, 0, NULL },
	{ DIA_DESTINATION_REALM, NULL, 0, false, 5005, 283, "zn-bad-message" },
	{ DIA_DESTINATION_REALM, D("example.com"), false, 3003, 0, "zn-bad-message" },
	{ DIA_DESTINATION_REALM, D(""), false, 5004, 283, "zn-bad-message" },
	{ DIA_DESTINATION_REALM, D("example.org"), true, 5009, 283, "zn-bad-message" },
	{ DIA_DESTINATION_HOST, D("BSF.example.org"), true, 2001, 0, NULL },
	{ DIA_DESTINATION_HOST, D("other.example.org"), true, 3002, 0, "zn-bad-message" },
	{ DIA_DESTINATION_HOST, D("bsf example"), true, 5004, 293, "zn-bad-message" },
};

START_TEST(B3_requests_are_routed_by_their_names)
{
	static const struct { enum dia_id id; const char *data; } usual[] = {
		{ DIA_ORIGIN_HOST, "nafkc.example.org" }, { DIA_ORIGIN_REALM, "example.org" }, { DIA_DESTINATION_REALM, "example.org" },
	};
	struct dia_buf b = DIA_BUF_INIT;
	uint32_t got;

	raw_begin(&raw, &b, DIA_R | DIA_P, DIA_CMD_BI, DIA_APP_ZN);
	dia_put_str(&b, DIA_SESSION_ID, "a;1;2");
	for (size_t i = 0; i < 3; i++)
		if (usual[i].id != routes[_i].id || routes[_i].too)
			dia_put_str(&b, usual[i].id, usual[i].data);
	if (routes[_i].data != NULL)
		dia_put(&b, routes[_i].id, span_of(routes[_i].data, routes[_i].n));
	raw_send(&w, &raw, &b);
	got = raw_answer(&raw, DIA_CMD_BI, &m);
	ck_assert_msg(got == routes[_i].result, "%u, expected %u", (unsigned)got, (unsigned)routes[_i].result);
	ck_assert_uint_eq(failed_of(&m), routes[_i].failed);
	ck_assert_uint_eq(bsf.requests, got == 2001);
	ck_assert(routes[_i].reason == NULL || logged(routes[_i].reason));
	ck_serves(&w, &raw);
}
END_TEST

START_TEST(B3_a_relay_may_speak_for_others)
{
	struct dia_buf b = DIA_BUF_INIT;

	raw_open(&w, &raw2, "dra.example.org");
	raw2.host = "anybody.example.net";
	raw_begin_bir(&raw2, &b);
	raw_send(&w, &raw2, &b);
	ck_assert_uint_eq(raw_answer(&raw2, DIA_CMD_BI, &m), 2001);
	ck_assert_uint_eq(bsf.requests, 1);
}
END_TEST

/* --- header */

static const struct {
	uint8_t flags;
	uint32_t cmd, app, result;
} headers[] = {
	{ DIA_R | DIA_P, DIA_CMD_BI, 16777221, 3007 },			/* unknown application */
	{ DIA_R | DIA_P, DIA_CMD_BI, 1, 3007 },
	{ DIA_R | DIA_P, 303, DIA_APP_ZN, 3001 },			/* unknown command */
	{ DIA_R | DIA_P, 0, DIA_APP_ZN, 3001 },
	{ DIA_R, 274, 0, 3001 },					/* Abort-Session of the base protocol */
	{ DIA_R | DIA_P | DIA_E, DIA_CMD_BI, DIA_APP_ZN, 3008 },	/* an error that is a request */
	{ DIA_R | DIA_E, DIA_CMD_DW, 0, 3008 },
	{ DIA_R | DIA_P, DIA_CMD_BI, 0, 3001 },
};

START_TEST(headers_are_judged_first)
{
	struct dia_buf b = DIA_BUF_INIT;

	raw_begin(&raw, &b, headers[_i].flags, headers[_i].cmd, headers[_i].app);
	dia_put_str(&b, DIA_SESSION_ID, "a;1;2");
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(raw_answer(&raw, headers[_i].cmd, &m), headers[_i].result);
	ck_assert_uint_eq(m.hdr.flags, (headers[_i].flags & DIA_P) | DIA_E);
	ck_assert_uint_eq(m.hdr.app, headers[_i].app);
	ck_serves(&w, &raw);
}
END_TEST

/* --- what cannot be trusted ends the connection, after a word */

static const struct {
	const char *what;
	struct span octets;
	uint32_t result;		/* 0 = not a word */
} lost[] = {
#define LITERAL(text) { (const uint8_t *)(text), sizeof (text) - 1 }
	{ "version 2", LITERAL("\2\0\0\24\300\0\1\66\1\0\0\4\0\0\0\7\0\0\0\7"), 5011 },
	{ "version 0", LITERAL("\0\0\0\24\300\0\1\66\1\0\0\4\0\0\0\7\0\0\0\7"), 5011 },
	{ "length 16", LITERAL("\1\0\0\20\300\0\1\66\1\0\0\4\0\0\0\7\0\0\0\7"), 5015 },
	{ "odd length", LITERAL("\1\0\0\26\300\0\1\66\1\0\0\4\0\0\0\7\0\0\0\7\0\0"), 5015 },
	{ "16 MiB", LITERAL("\1\377\377\374\300\0\1\66\1\0\0\4\0\0\0\7\0\0\0\7"), 5015 },
	{ "an answer of version 2", LITERAL("\2\0\0\24\100\0\1\66\1\0\0\4\0\0\0\7\0\0\0\7"), 0 },
	{ "four octets", LITERAL("\1\0\0\23"), 0 },
};

START_TEST(a_lost_stream_is_closed)
{
	raw_open(&w, &raw2, "naf2.example.org");
	raw.next = 7;
	raw_octets(&w, &raw, lost[_i].octets);
	if (lost[_i].result != 0)
		ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_BI, &m), lost[_i].result);
	else
		ck_assert(!raw_next(&raw, &m));
	ck_assert_msg(raw.closed && logged("zn-malformed"), "%s", lost[_i].what);
	ck_serves(&w, &raw2);
	raw_open(&w, &raw, "nafkc.example.org");
}
END_TEST

/* --- AVPs that break their frame, anywhere in a BIR: one row each, answered, and the next request is served */

static const struct {
	struct span octets;
	uint32_t result, failed;
} frames[] = {
	{ LITERAL("\0\0\1\7\100\0\0\0"), 5014, 263 },			/* length zero */
	{ LITERAL("\0\0\1\7\100\0\0\7"), 5014, 263 },			/* less than its header */
	{ LITERAL("\0\0\1\221\300\0\0\13\0\0\050\257"), 5014, 401 },
	{ LITERAL("\0\0\1\7\100\0\0\20abcd"), 5014, 263 },		/* overruns the message */
	{ LITERAL("\0\0\1\7\100\377\377\377"), 5014, 263 },
	{ LITERAL("\0\0\1\14\100\0\0\15\0\0\0\0"), 5014, 268 },
	{ LITERAL("abcd"), 5014, 0 },					/* no header */
	{ LITERAL("\0\0\1\221\300\0\0\20\0\0\0\0abcd"), 3009, 0 },	/* V, and vendor 0: shown as it came */
};

START_TEST(broken_avps_are_named)
{
	struct dia_buf b = DIA_BUF_INIT;

	raw_begin_bir(&raw, &b);
	dia_put_avps(&b, frames[_i].octets);
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_BI, &m), frames[_i].result);
	ck_assert_uint_eq(failed_of(&m), frames[_i].failed);
	ck_assert_uint_eq(bsf.requests, 0);
	ck_serves(&w, &raw);
}
END_TEST

/* --- what the user finds in a BIR is answered with its Failed-AVP */

static void
judging(struct dia_txn *t, const struct dia_msg *req, void *arg)
{
	struct user *u = arg;
	struct dia_fault f;
	struct zn_bir bir;

	u->requests++;
	if (zn_bir_parse(req, false, &bir, &f) != RC_OK)
		dia_txn_fail(t, &f);
	else
		user_answer(u, t);
}

static const struct {
	uint32_t code, vendor;
	struct span data;
	uint32_t result;
} more[] = {
	{ 263, 0, LITERAL("a;1;2"), 5009 },				/* two Session-Id */
	{ 401, 10415, LITERAL("x"), 5009 },
	{ 402, 10415, LITERAL("x"), 5009 },
	{ 283, 0, LITERAL("example.org"), 5009 },
	{ 1, 0, LITERAL(""), 2001 },					/* empty User-Name */
	{ 1, 0, LITERAL("a\0b"), 5004 },
	{ 277, 0, LITERAL("\0\0\0\0"), 2001 },				/* legal, not implemented */
	{ 277, 0, LITERAL("\0\0\0\11"), 2001 },
	{ 277, 0, LITERAL("\0"), 5014 },
	{ 407, 10415, LITERAL("\0\0\0\5"), 5004 },
	{ 405, 10415, LITERAL(KEY), 5008 },				/* a key in a request */
	{ 268, 0, LITERAL("\0\0\7\321"), 5008 },
	{ 4711, 0, LITERAL("x"), 5001 },				/* unknown, with M */
	{ 4711, 10415, LITERAL("x"), 5001 },
	{ 284, 0, LITERAL("\0\0\1\30\100\0\0\14abcd\0\0\0\41\100\0\0\14wxyz"), 2001 },
	{ 284, 0, LITERAL("x"), 5014 },
	{ 282, 0, LITERAL("dra.example.org"), 2001 },
};

START_TEST(a_bir_with_more_than_it_may_have)
{
	const struct dia_node_cb cb = { judging, NULL };
	const struct dia_peer_conf peer = { .host = "nafkc.example.org", .realm = "example.org" };
	const struct dia_listen_conf listen = { .address = BSF2_ADDRESS };
	const struct dia_conf conf = { .host = "bsf.example.org", .realm = "example.org", .peers = &peer, .n_peers = 1, .listen = &listen,
		.n_listen = 1 };
	struct user u = { 0 };
	struct dia_buf b = DIA_BUF_INIT;
	uint32_t got;

	ck_ok(dia_node_new(&w.seams, &conf, &cb, &u, &u.node));
	ck_ok(dia_node_start(u.node));
	memset(&raw2, 0, sizeof raw2);
	raw2.host = "nafkc.example.org";
	ck_ok(link_connect(w.net, BSF2_ADDRESS, NULL, &raw_cb, &raw2, &raw2.link));
	settle(&w);
	raw_cer(&w, &raw2);
	ck_assert_uint_eq(raw_answer(&raw2, DIA_CMD_CE, &m), 2001);
	raw_begin_bir(&raw2, &b);
	dia_put_raw(&b, more[_i].code, more[_i].vendor, (uint8_t)(DIA_AVP_M | (more[_i].vendor != 0 ? DIA_AVP_V : 0)), more[_i].data);
	raw_send(&w, &raw2, &b);
	got = raw_answer(&raw2, DIA_CMD_BI, &m);
	ck_assert_msg(got == more[_i].result, "%u, expected %u", (unsigned)got, (unsigned)more[_i].result);
	ck_assert(got == 2001 || failed_of(&m) == more[_i].code || more[_i].code == 284);
	ck_serves(&w, &raw2);
	raw_close(&raw2);
	dia_node_free(u.node);
}
END_TEST

START_TEST(proxy_info_comes_back)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_avp a;

	raw_begin_bir(&raw, &b);
	dia_put(&b, DIA_PROXY_INFO, S("\0\0\1\30\100\0\0\14abcd\0\0\0\41\100\0\0\14wxyz"));
	dia_put_str(&b, DIA_GAA_SERVICE_IDENTIFIER, "x");
	dia_put_avps(&b, S("\0\0\1\7\100\0\0\0"));		/* and something wrong behind it */
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_BI, &m), 5014);
	ck_assert(dia_find(m.avps, DIA_PROXY_INFO, &a) && span_eq(a.data, S("\0\0\1\30\100\0\0\14abcd\0\0\0\41\100\0\0\14wxyz")));
	ck_assert(dia_find(m.avps, DIA_SESSION_ID, &a));
}
END_TEST

/* --- later, and gone */

START_TEST(answers_may_come_later_and_in_any_order)
{
	struct dia_buf b = DIA_BUF_INIT;

	bsf.keep = true;
	for (int i = 0; i < 3; i++) {
		raw_begin_bir(&raw, &b);
		raw_send(&w, &raw, &b);
	}
	ck_assert(bsf.n_kept == 3 && counts(&bsf).open == 3);
	ck_assert_str_eq(dia_txn_peer(bsf.kept[0]), "nafkc.example.org");
	for (int i = 2; i >= 0; i--) {
		user_answer(&bsf, bsf.kept[i]);
		settle(&w);
		ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_BI, &m), 2001);
		raw.next--;
	}
	ck_assert_uint_eq(counts(&bsf).open, 0);
}
END_TEST

START_TEST(who_asked_may_be_gone)
{
	struct dia_buf b = DIA_BUF_INIT;

	bsf.keep = true;
	raw_begin_bir(&raw, &b);
	raw_send(&w, &raw, &b);
	raw_close(&raw);
	settle(&w);
	raw_open(&w, &raw2, "naf2.example.org");
	user_answer(&bsf, bsf.kept[0]);
	bsf.keep = false;
	ck_assert(counts(&bsf).answers_out == 0 && !raw_next(&raw2, &m));
	ck_serves(&w, &raw2);
}
END_TEST

START_TEST(requests_under_way_are_limited)
{
	const struct dia_node_cb cb = { user_on_request, NULL };
	const struct dia_peer_conf peer = { .host = "nafkc.example.org", .realm = "example.org" };
	const struct dia_listen_conf listen = { .address = BSF2_ADDRESS };
	const struct dia_conf conf = { .host = "bsf.example.org", .realm = "example.org", .peers = &peer, .n_peers = 1, .listen = &listen,
		.n_listen = 1, .max_open = 2 };
	struct user u = { .keep = true };
	struct dia_buf b = DIA_BUF_INIT;

	ck_ok(dia_node_new(&w.seams, &conf, &cb, &u, &u.node));
	ck_ok(dia_node_start(u.node));
	raw2.host = "nafkc.example.org";
	ck_ok(link_connect(w.net, BSF2_ADDRESS, NULL, &raw_cb, &raw2, &raw2.link));
	settle(&w);
	raw_cer(&w, &raw2);
	ck_assert_uint_eq(raw_answer(&raw2, DIA_CMD_CE, &m), 2001);
	for (int i = 0; i < 3; i++) {
		raw_begin_bir(&raw2, &b);
		raw_send(&w, &raw2, &b);
	}
	ck_assert_uint_eq(raw_answer(&raw2, DIA_CMD_BI, &m), 3004);
	ck_assert(u.n_kept == 2 && logged("overload"));
	user_answer(&u, u.kept[0]);
	u.keep = false;
	settle(&w);
	raw_next(&raw2, &m);
	ck_serves(&w, &raw2);
	raw_close(&raw2);
	dia_node_free(u.node);		/* one is still under way */
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_closed)
{
	struct dia_buf b = DIA_BUF_INIT;

	raw_open(&w, &raw2, "naf2.example.org");
	link_set_input_limit(raw.link, 0);
	raw_begin_bir(&raw, &b);
	ck_ok(dia_end(&b));
	for (int i = 0; i < 60000 && !logged("link-slow"); i++) {
		b.p[19] = (uint8_t)i;				/* end-to-end: not the same request again */
		b.p[18] = (uint8_t)(i >> 8);
		b.p[17] = (uint8_t)(i >> 16);
		if (link_write(raw.link, dia_buf_span(&b)) != RC_OK)
			break;
		settle(&w);
	}
	dia_buf_free(&b);
	ck_assert(logged("link-slow"));
	ck_serves(&w, &raw2);
}
END_TEST

/* --- duplicates */

static void
send_again(struct raw *r, struct dia_buf *b, uint32_t hbh, bool t)
{
	b->p[15] = (uint8_t)hbh;
	b->p[14] = b->p[13] = b->p[12] = 0;
	if (t)
		b->p[4] |= DIA_T;
	r->next = hbh;
	raw_octets(&w, r, dia_buf_span(b));
}

START_TEST(a_repeated_request_under_way_is_not_done_twice)
{
	struct dia_buf b = DIA_BUF_INIT;

	bsf.keep = true;
	raw_begin_bir(&raw, &b);
	ck_ok(dia_end(&b));
	send_again(&raw, &b, 1, false);
	send_again(&raw, &b, 2, true);
	ck_assert(bsf.requests == 1 && counts(&bsf).duplicates == 1);
	raw_close(&raw);					/* and once more, over a new connection */
	settle(&w);
	raw_open(&w, &raw, "nafkc.example.org");
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DW);
	raw_reply(&w, &raw, &m, 2001);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DW);
	raw_reply(&w, &raw, &m, 2001);
	ck_assert(raw_next(&raw, &m) && m.hdr.cmd == DIA_CMD_DW);
	raw_reply(&w, &raw, &m, 2001);
	send_again(&raw, &b, 3, true);
	ck_assert(bsf.requests == 1 && !raw_next(&raw, &m));
	user_answer(&bsf, bsf.kept[0]);
	settle(&w);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_BI, &m), 2001);	/* to who asked last */
	ck_assert(!raw_next(&raw, &m));
	dia_buf_free(&b);
}
END_TEST

START_TEST(everyone_who_waits_is_answered_a_few_times_over)
{
	struct dia_buf b = DIA_BUF_INIT;
	unsigned n = 0;

	bsf.keep = true;
	raw_begin_bir(&raw, &b);
	ck_ok(dia_end(&b));
	for (uint32_t i = 1; i <= 100; i++)
		send_again(&raw, &b, i, true);
	ck_assert_uint_eq(bsf.requests, 1);
	user_answer(&bsf, bsf.kept[0]);
	settle(&w);
	while (raw_next(&raw, &m))
		n++;
	ck_assert_uint_eq(n, 4);
	dia_buf_free(&b);
}
END_TEST

START_TEST(a_repeated_request_is_known_for_4_minutes)
{
	struct dia_buf b = DIA_BUF_INIT, other = DIA_BUF_INIT;

	raw_begin_bir(&raw, &b);
	ck_ok(dia_end(&b));
	send_again(&raw, &b, 1, false);
	ck_assert(bsf.requests == 1 && !bsf.last_duplicate);
	send_again(&raw, &b, 2, true);
	ck_assert(bsf.requests == 2 && bsf.last_duplicate);
	raw_begin_bir(&raw, &other);			/* another Session-Id with the same end-to-end: no duplicate */
	ck_ok(dia_end(&other));
	memcpy(other.p + 16, b.p + 16, 4);
	send_again(&raw, &other, 3, false);
	ck_assert(bsf.requests == 3 && !bsf.last_duplicate);
	for (int i = 0; i < 230; i++) {
		pass(&w, 1000);
		while (raw_next(&raw, &m))
			if (m.hdr.flags & DIA_R)
				raw_reply(&w, &raw, &m, 2001);
	}
	send_again(&raw, &b, 4, true);
	ck_assert(bsf.requests == 4 && bsf.last_duplicate);
	for (int i = 0; i < 241; i++) {
		pass(&w, 1000);
		while (raw_next(&raw, &m))
			if (m.hdr.flags & DIA_R)
				raw_reply(&w, &raw, &m, 2001);
	}
	send_again(&raw, &b, 5, true);
	ck_assert(bsf.requests == 5 && !bsf.last_duplicate);
	dia_buf_free(&b);
	dia_buf_free(&other);
}
END_TEST

START_TEST(the_table_of_duplicates_is_bounded)
{
	struct dia_buf b = DIA_BUF_INIT;

	raw_begin_bir(&raw, &b);
	ck_ok(dia_end(&b));
	for (uint32_t i = 0; i < 20000; i++) {
		b.p[17] = (uint8_t)(i >> 16);
		b.p[18] = (uint8_t)(i >> 8);
		b.p[19] = (uint8_t)i;
		raw_octets(&w, &raw, dia_buf_span(&b));
		raw.n = raw.at = 0;
	}
	ck_assert(bsf.requests == 20000 && counts(&bsf).duplicates == 0);
	raw_octets(&w, &raw, dia_buf_span(&b));		/* the latest are known */
	ck_assert_uint_eq(counts(&bsf).duplicates, 1);
	b.p[17] = b.p[18] = b.p[19] = 0;		/* the earliest is not */
	raw_octets(&w, &raw, dia_buf_span(&b));
	ck_assert_uint_eq(counts(&bsf).duplicates, 1);
	dia_buf_free(&b);
}
END_TEST

/* --- noise */

START_TEST(random_octets_in_a_right_message)
{
	struct dia_buf b = DIA_BUF_INIT;
	uint8_t octets[64];
	uint32_t n;

	raw_open(&w, &raw2, "naf2.example.org");
	for (int i = 0; i < 3000; i++) {
		raw_begin_bir(&raw, &b);
		ck_ok(rnd_bytes(&w.rnd.rnd, octets, sizeof octets));
		ck_ok(rnd_below(&w.rnd.rnd, (uint32_t)b.n - 20, &n));
		memcpy(b.p + 20 + n, octets, b.n - 20 - n < 8 ? b.n - 20 - n : 8);
		raw_send(&w, &raw, &b);
		ck_assert_msg(raw_next(&raw, &m), "no answer to message %d", i);
		raw.n = raw.at = 0;
	}
	ck_assert(!raw.closed);
	ck_serves(&w, &raw);
	ck_serves(&w, &raw2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("diameter_txn");
	TCase *t = tcase_create("diameter_txn");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, B3_requests_are_routed_by_their_names, 0, TABLE_N(routes));
	tcase_add_test(t, B3_a_relay_may_speak_for_others);
	tcase_add_loop_test(t, headers_are_judged_first, 0, TABLE_N(headers));
	tcase_add_loop_test(t, a_lost_stream_is_closed, 0, TABLE_N(lost));
	tcase_add_loop_test(t, broken_avps_are_named, 0, TABLE_N(frames));
	tcase_add_loop_test(t, a_bir_with_more_than_it_may_have, 0, TABLE_N(more));
	tcase_add_test(t, proxy_info_comes_back);
	tcase_add_test(t, answers_may_come_later_and_in_any_order);
	tcase_add_test(t, who_asked_may_be_gone);
	tcase_add_test(t, requests_under_way_are_limited);
	tcase_add_test(t, a_peer_that_does_not_read_is_closed);
	tcase_add_test(t, a_repeated_request_under_way_is_not_done_twice);
	tcase_add_test(t, everyone_who_waits_is_answered_a_few_times_over);
	tcase_add_test(t, a_repeated_request_is_known_for_4_minutes);
	tcase_add_test(t, the_table_of_duplicates_is_bounded);
	tcase_add_test(t, random_octets_in_a_right_message);
	suite_add_tcase(s, t);
	return unit_run(s);
}
