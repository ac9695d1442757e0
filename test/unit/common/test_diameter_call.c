/* Requests of ours: to which peer, time-outs, failover, answers that are late, orphan, double or wrong. */
#include "test/unit/common/zn_world.h"

static struct world w;
static struct user naf, bsf, bsf2;
static struct raw raw, raw2;
static struct dia_msg m;

/* What came of a request. */
struct outcome {
	unsigned n;
	bool answered;
	uint32_t result;
	enum reason why;
};

static void
on_answer(void *arg, const struct dia_msg *answer, enum reason why)
{
	struct outcome *o = arg;

	o->n++;
	o->answered = answer != NULL;
	o->why = why;
	o->result = answer != NULL ? result_of(answer) : 0;
}

static enum rc
ask_of(const char *realm, const char *host, struct outcome *o, struct dia_call **call)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct raw me = { .host = "nafkc.example.org" };
	enum rc rc;

	memset(o, 0, sizeof *o);
	raw_begin_bir(&me, &b);
	ck_ok(dia_end(&b));
	rc = dia_request(naf.node, realm, host, &b, 1000, on_answer, o, call);
	ck_assert_uint_eq(o->n, 0);		/* never inside the call */
	dia_buf_free(&b);
	return rc;
}

static void
ask(struct outcome *o)
{
	ck_ok(ask_of("example.org", NULL, o, NULL));
	settle(&w);
}

static void
setup(void)
{
	memset(&naf, 0, sizeof naf);
	memset(&bsf, 0, sizeof bsf);
	memset(&bsf2, 0, sizeof bsf2);
	memset(&raw, 0, sizeof raw);
	memset(&raw2, 0, sizeof raw2);
	world_open(&w);
}

/* One BSF played by the test, or two. */
static void
raws_up(size_t n)
{
	raw_listen(&w, &raw, "bsf.example.org", BSF_ADDRESS);
	if (n == 2)
		raw_listen(&w, &raw2, "bsf2.example.org", BSF2_ADDRESS);
	naf_open(&w, &naf, n);
	raw_welcome(&w, &raw);
	if (n == 2)
		raw_welcome(&w, &raw2);
	ck_assert(dia_node_up(naf.node));
}

static void
teardown(void)
{
	raw_close(&raw);
	raw_close(&raw2);
	dia_node_free(naf.node);
	dia_node_free(bsf.node);
	dia_node_free(bsf2.node);
	world_close(&w);
}

START_TEST(a_request_is_answered)
{
	struct outcome o;

	bsf_open(&w, &bsf, "bsf.example.org", BSF_ADDRESS);
	naf_open(&w, &naf, 1);
	settle(&w);
	ask(&o);
	ck_assert(o.n == 1 && o.answered && o.result == 2001 && o.why == REASON_NONE);
	ck_assert(bsf.requests == 1 && counts(&naf).requests_out == 1 && counts(&naf).answers_in == 1 && counts(&naf).calls == 0);
	ck_assert(counts(&bsf).requests_in == 1 && counts(&bsf).answers_out == 1 && counts(&bsf).errors_out == 0);
	ck_assert(peer_info(&naf, 0).requests_out == 1 && peer_info(&bsf, 0).requests_in == 1);
	pass(&w, 5000);
	ck_assert_uint_eq(o.n, 1);
}
END_TEST

START_TEST(numbers_are_set_here)
{
	struct outcome o[3];
	struct dia_msg first;

	raws_up(1);
	ask(&o[0]);
	ask(&o[1]);
	ck_assert(raw_next(&raw, &first) && first.hdr.flags == (DIA_R | DIA_P) && first.hdr.cmd == DIA_CMD_BI);
	ck_assert(raw_next(&raw, &m) && m.hdr.hbh != first.hdr.hbh && m.hdr.e2e != first.hdr.e2e);
	/* RFC 6733 3: twelve bits of the clock, then twenty at random */
	ck_assert_uint_eq(m.hdr.e2e >> 20, 1700000000 & 0xfff);
	raw_reply(&w, &raw, &m, 2001);				/* in any order */
	raw_reply(&w, &raw, &first, 5012);
	ck_assert(o[0].n == 1 && o[0].result == 5012 && o[1].n == 1 && o[1].result == 2001);
}
END_TEST

START_TEST(nobody_is_up)
{
	struct outcome o;

	naf_open(&w, &naf, 2);
	ask(&o);
	ck_assert(o.n == 1 && !o.answered && o.why == REASON_ZN_UNREACHABLE);
	ck_assert_uint_eq(counts(&naf).calls, 0);
}
END_TEST

static const struct {
	const char *realm, *host;
	bool sent;
} destinations[] = {
	{ "example.org", NULL, true }, { "EXAMPLE.org", NULL, true }, { "example.com", NULL, false },
	{ "example.org", "bsf.example.org", true }, { "example.org", "BSF.example.org", true }, { "example.org", "x.example.org", false },
};

START_TEST(the_destination_chooses_the_peer)
{
	struct outcome o;

	raws_up(1);
	ck_ok(ask_of(destinations[_i].realm, destinations[_i].host, &o, NULL));
	settle(&w);
	ck_assert(raw_next(&raw, &m) == destinations[_i].sent);
	if (!destinations[_i].sent)
		ck_assert(o.n == 1 && o.why == REASON_ZN_UNREACHABLE);
}
END_TEST

START_TEST(what_is_no_request_is_not_sent)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct outcome o;

	raws_up(1);
	ck_rc(dia_request(naf.node, "example.org", NULL, &b, 0, on_answer, &o, NULL), RC_SYNTAX);
	dia_begin(&b, &(struct dia_hdr){ .cmd = DIA_CMD_BI });
	ck_ok(dia_end(&b));
	ck_rc(dia_request(naf.node, "example.org", NULL, &b, 0, on_answer, &o, NULL), RC_SYNTAX);
	dia_buf_free(&b);
	ck_rc(ask_of("", NULL, &o, NULL), RC_SYNTAX);
	ck_rc(ask_of("example.org", "a b", &o, NULL), RC_SYNTAX);
	ck_assert_uint_eq(counts(&naf).calls, 0);
}
END_TEST

START_TEST(requests_under_way_are_limited)
{
	const struct dia_conf conf = { .host = "nafkc.example.org", .realm = "example.org", .max_calls = 2 };
	const struct dia_node_cb cb = { NULL, NULL };
	struct outcome o[3];

	ck_ok(dia_node_new(&w.seams, &conf, &cb, NULL, &naf.node));
	ck_ok(dia_node_start(naf.node));
	ck_ok(ask_of("example.org", NULL, &o[0], NULL));
	ck_ok(ask_of("example.org", NULL, &o[1], NULL));
	ck_rc(ask_of("example.org", NULL, &o[2], NULL), RC_LIMIT);
	settle(&w);
	ck_ok(ask_of("example.org", NULL, &o[2], NULL));
	dia_node_stop(naf.node, NULL, NULL);
	ck_rc(ask_of("example.org", NULL, &o[0], NULL), RC_STATE);
	settle(&w);
	ck_assert_uint_eq(o[2].n, 1);
}
END_TEST

/* --- no answer */

START_TEST(silence_is_a_timeout)
{
	struct outcome o;

	raws_up(1);
	ask(&o);
	pass(&w, 950);
	ck_assert_uint_eq(o.n, 0);
	pass(&w, 100);
	ck_assert(o.n == 1 && o.why == REASON_ZN_TIMEOUT && logged("zn-timeout"));
	ck_assert_uint_eq(counts(&naf).timeouts, 1);
	ck_assert(raw_next(&raw, &m));
	raw_reply(&w, &raw, &m, 2001);				/* late: an orphan */
	ck_assert(o.n == 1 && counts(&naf).orphans == 1 && logged("nobody waits for"));
}
END_TEST

START_TEST(a_timeout_moves_it_to_the_second_peer)
{
	struct dia_msg first;
	struct outcome o;

	raws_up(2);
	ask(&o);
	ck_assert(raw_next(&raw, &first) && !raw_next(&raw2, &m));
	pass(&w, 1050);
	ck_assert(raw_next(&raw2, &m) && m.hdr.flags == (DIA_R | DIA_P | DIA_T));
	ck_assert(m.hdr.e2e == first.hdr.e2e && m.hdr.hbh != first.hdr.hbh && span_eq(m.avps, first.avps));
	raw_reply(&w, &raw, &first, 5012);			/* the first one wakes up: too late */
	ck_assert_uint_eq(o.n, 0);
	raw_reply(&w, &raw2, &m, 2001);
	ck_assert(o.n == 1 && o.result == 2001);
	ck_assert(counts(&naf).failovers == 1 && counts(&naf).orphans == 1);
}
END_TEST

START_TEST(both_silent_ends_it)
{
	struct outcome o;

	raws_up(2);
	ask(&o);
	pass(&w, 2100);
	ck_assert(o.n == 1 && o.why == REASON_ZN_TIMEOUT && counts(&naf).timeouts == 2);
}
END_TEST

START_TEST(a_lost_connection_moves_it)
{
	struct outcome o;

	raws_up(2);
	ask(&o);
	link_free(raw.link);
	raw.link = NULL;
	settle(&w);
	ck_assert(raw_next(&raw2, &m) && (m.hdr.flags & DIA_T));
	raw_reply(&w, &raw2, &m, 2001);
	ck_assert(o.n == 1 && o.result == 2001);
	ask(&o);						/* and the next one goes there straight away */
	ck_assert(raw_next(&raw2, &m) && (m.hdr.flags & DIA_T) == 0);
	link_free(raw2.link);
	raw2.link = NULL;
	settle(&w);
	ck_assert(o.n == 1 && !o.answered && o.why == REASON_ZN_UNREACHABLE);
}
END_TEST

START_TEST(a_suspect_peer_loses_its_requests)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct raw me = { .host = "nafkc.example.org" };
	struct outcome o = { 0 };

	raws_up(2);
	raw_begin_bir(&me, &b);
	ck_ok(dia_end(&b));
	ck_ok(dia_request(naf.node, "example.org", NULL, &b, 60000, on_answer, &o, NULL));
	dia_buf_free(&b);
	for (int i = 0; i < 60; i++) {				/* the second one answers its watchdog, the first one nothing */
		pass(&w, 500);
		while (raw_next(&raw2, &m))
			raw_reply(&w, &raw2, &m, 2001);
	}
	ck_assert(o.n == 1 && o.result == 2001 && counts(&naf).failovers == 1);
}
END_TEST

static const struct {
	uint32_t result;
	uint8_t flags;		/* E, as it should be; or not */
	bool moves;
} errors[] = { { 3002, DIA_E, true }, { 3004, DIA_E, true }, { 3003, DIA_E, false }, { 5012, 0, false }, { 3004, 0, false } };

START_TEST(a_busy_peer_passes_it_on)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct outcome o;

	raws_up(2);
	ask(&o);
	ck_assert(raw_next(&raw, &m));
	dia_begin(&b, &(struct dia_hdr){ errors[_i].flags, 0, m.hdr.cmd, m.hdr.app, m.hdr.hbh, m.hdr.e2e });
	dia_put_u32(&b, DIA_RESULT_CODE, errors[_i].result);
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(o.n, errors[_i].moves ? 0 : 1);
	ck_assert(raw_next(&raw2, &m) == errors[_i].moves);
	if (errors[_i].moves)
		raw_reply(&w, &raw2, &m, 3004);			/* nobody is left: that is the answer */
	ck_assert(o.n == 1 && o.answered && (errors[_i].moves || o.result == errors[_i].result));
}
END_TEST

/* --- answers that are none */

static const struct {
	const char *what;
	uint32_t hbh, e2e, cmd, app;	/* added */
} strange[] = {
	{ "hop-by-hop", 1, 0, 0, 0 }, { "end-to-end", 0, 1, 0, 0 }, { "command", 0, 0, 1, 0 }, { "application", 0, 0, 0, 1 },
};

START_TEST(an_answer_must_match)
{
	struct dia_msg other;
	struct outcome o;

	raws_up(1);
	ask(&o);
	ck_assert(raw_next(&raw, &m));
	other = m;
	other.hdr.hbh += strange[_i].hbh;
	other.hdr.e2e += strange[_i].e2e;
	other.hdr.cmd += strange[_i].cmd;
	other.hdr.app += strange[_i].app;
	raw_reply(&w, &raw, &other, 2001);
	ck_assert_msg(o.n == 0 && counts(&naf).orphans == 1, "%s", strange[_i].what);
	raw_reply(&w, &raw, &m, 2001);
	ck_assert(o.n == 1 && o.result == 2001);
	raw_reply(&w, &raw, &m, 2001);				/* twice */
	ck_assert(o.n == 1 && counts(&naf).orphans == 2);
}
END_TEST

START_TEST(an_answer_comes_from_who_was_asked)
{
	struct outcome o;

	raws_up(2);
	ask(&o);
	ck_assert(raw_next(&raw, &m));
	raw_reply(&w, &raw2, &m, 2001);				/* another peer guesses the number */
	ck_assert(o.n == 0 && counts(&naf).orphans == 1);
	raw_reply(&w, &raw, &m, 5012);
	ck_assert(o.n == 1 && o.result == 5012);
}
END_TEST

START_TEST(a_cancelled_request_is_forgotten)
{
	struct dia_call *call;
	struct outcome o;

	raws_up(1);
	ck_ok(ask_of("example.org", NULL, &o, &call));
	settle(&w);
	dia_cancel(call);
	dia_cancel(NULL);
	ck_assert(raw_next(&raw, &m));
	raw_reply(&w, &raw, &m, 2001);
	pass(&w, 3000);
	ck_assert(o.n == 0 && counts(&naf).orphans == 1 && counts(&naf).calls == 0);
}
END_TEST

START_TEST(requests_to_a_node_that_only_asks_get_3001)
{
	struct dia_buf b = DIA_BUF_INIT;

	raws_up(1);
	raw_begin_bir(&raw, &b);
	raw_send(&w, &raw, &b);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_BI, &m), 3001);
}
END_TEST

START_TEST(session_ids_are_never_the_same)
{
	char a[DIA_SESSION_ID_MAX + 1], b[DIA_SESSION_ID_MAX + 1];

	naf_open(&w, &naf, 1);
	dia_session_id(naf.node, a);
	dia_session_id(naf.node, b);
	ck_assert_str_eq(a, "nafkc.example.org;1700000000;0");
	ck_assert_str_eq(b, "nafkc.example.org;1700000000;1");
}
END_TEST

START_TEST(ten_thousand_requests_in_any_order)
{
	static struct outcome o[64];
	struct dia_msg q[64];
	uint32_t k;

	raws_up(1);
	for (int round = 0; round < 160; round++) {
		for (int i = 0; i < 64; i++)
			ask(&o[i]);
		for (int i = 0; i < 64; i++)
			ck_assert(raw_next(&raw, &q[i]));
		for (int i = 63; i >= 0; i--) {
			ck_ok(rnd_below(&w.rnd.rnd, (uint32_t)i + 1, &k));
			raw_reply(&w, &raw, &q[k], 2001);
			q[k] = q[i];
		}
		for (int i = 0; i < 64; i++)
			ck_assert(o[i].n == 1 && o[i].result == 2001);
		raw.n = raw.at = 0;
	}
	ck_assert(counts(&naf).orphans == 0 && counts(&naf).calls == 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("diameter_call");
	TCase *t = tcase_create("diameter_call");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_request_is_answered);
	tcase_add_test(t, numbers_are_set_here);
	tcase_add_test(t, nobody_is_up);
	tcase_add_loop_test(t, the_destination_chooses_the_peer, 0, TABLE_N(destinations));
	tcase_add_test(t, what_is_no_request_is_not_sent);
	tcase_add_test(t, requests_under_way_are_limited);
	tcase_add_test(t, silence_is_a_timeout);
	tcase_add_test(t, a_timeout_moves_it_to_the_second_peer);
	tcase_add_test(t, both_silent_ends_it);
	tcase_add_test(t, a_lost_connection_moves_it);
	tcase_add_test(t, a_suspect_peer_loses_its_requests);
	tcase_add_loop_test(t, a_busy_peer_passes_it_on, 0, TABLE_N(errors));
	tcase_add_loop_test(t, an_answer_must_match, 0, TABLE_N(strange));
	tcase_add_test(t, an_answer_comes_from_who_was_asked);
	tcase_add_test(t, a_cancelled_request_is_forgotten);
	tcase_add_test(t, requests_to_a_node_that_only_asks_get_3001);
	tcase_add_test(t, session_ids_are_never_the_same);
	tcase_add_test(t, ten_thousand_requests_in_any_order);
	suite_add_tcase(s, t);
	return unit_run(s);
}
