/* tunnel: how streams and tunnels end: half-closed, closed, reset; drained, idle, closed, cut; and whatever is freed in a callback (U1, U5). */
#include "common/tunnel.h"

#include <check.h>

#include "common/reason.h"
#include "test/unit/common/tunnel_pair.h"

static struct user *const v = &sv.users[0];

/* --- streams: the ends of sending */

/* Who shuts down first, and whether the other answers with octets. */
START_TEST(half_close)
{
	struct user *u, *first, *second;

	pair();
	u = opened("modem");
	first = _i == 0 ? u : v;
	second = _i == 0 ? v : u;
	say(first, "last words");
	ck_ok(link_shutdown(first->l));
	ck_rc(link_shutdown(first->l), RC_STATE);
	ck_rc(link_write(first->l, span_str("x")), RC_STATE);
	settle();
	ck_assert_str_eq(second->text, "last words");
	ck_assert_int_eq(second->eof, 1);
	ck_assert(link_at_eof(second->l) && !link_at_eof(first->l));
	ck_assert_int_eq(second->closed + first->closed + first->eof, 0);
	say(second, "an answer");
	ck_ok(link_shutdown(second->l));
	settle();
	ck_assert_str_eq(first->text, "an answer");
	ck_assert_int_eq(first->eof, 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq((i == 0 ? first : second)->closed, 1);
		ck_assert_int_eq((i == 0 ? first : second)->why, REASON_NONE);
	}
	ck_assert_uint_eq(tunnel_streams(cl.t) + tunnel_streams(sv.t), 0);
}
END_TEST

START_TEST(both_shut_down_at_once)
{
	struct user *u;

	pair();
	u = opened("modem");
	ck_ok(link_shutdown(u->l));
	ck_ok(link_shutdown(v->l));
	settle();
	ck_assert_int_eq(u->eof, 1);
	ck_assert_int_eq(v->eof, 1);
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(v->closed, 1);
	ck_assert_int_eq(u->why, REASON_NONE);
}
END_TEST

/* The end waits for a slow reader: nothing of what came is lost. */
START_TEST(end_waits_for_the_reader)
{
	struct user *u;

	sv.pattern.deaf = true;
	pair();
	u = opened("modem");
	say(u, "much to read");
	ck_ok(link_shutdown(u->l));
	ck_ok(link_shutdown(v->l));
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(v->eof, 1);
	ck_assert_int_eq(v->closed, 0);
	ck_assert_uint_eq(tunnel_streams(sv.t), 1);
	/* not even for the end of the tunnel */
	tunnel_drain(cl.t);
	settle();
	ck_assert_int_eq(cl.closed, 1);
	ck_assert_int_eq(sv.closed, 0);
	link_drain(v->l, 5);
	settle();
	ck_assert_int_eq(v->closed, 0);
	ck_assert(span_eq_str(link_input(v->l), "to read"));
	link_drain(v->l, 7);
	settle();
	ck_assert_int_eq(v->closed, 1);
	ck_assert_int_eq(v->why, REASON_NONE);
	ck_assert_int_eq(sv.closed, 1);
	ck_assert_int_eq(sv.why, REASON_NONE);
}
END_TEST

/* … but a key that is over does not wait. */
START_TEST(close_does_not_wait_for_the_reader)
{
	struct user *u;

	sv.pattern.deaf = true;
	pair();
	u = opened("modem");
	say(u, "much to read");
	ck_ok(link_shutdown(u->l));
	ck_ok(link_shutdown(v->l));
	settle();
	ck_assert_int_eq(v->closed, 0);
	tunnel_close(sv.t, REASON_STOPPING);
	settle();
	ck_assert_int_eq(v->closed, 1);
	ck_assert_int_eq(v->why, REASON_STOPPING);
	ck_assert_int_eq(sv.why, REASON_STOPPING);
}
END_TEST

/* link_close(): what is queued leaves; the peer sees the end of it. */
START_TEST(close_of_a_stream)
{
	struct user *u;

	pair();
	u = opened("modem");
	say(u, "last words");
	link_close(u->l);
	ck_rc(link_write(u->l, span_str("x")), RC_STATE);
	ck_assert_int_eq(u->closed, 0);
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(u->why, REASON_NONE);
	ck_assert_str_eq(v->text, "last words");
	ck_assert_int_eq(v->eof, 1);
	ck_assert_int_eq(v->closed, 1);
	ck_assert_int_eq(v->why, REASON_NONE);
}
END_TEST

START_TEST(close_after_shutdown)
{
	struct user *u;

	pair();
	u = opened("modem");
	ck_ok(link_shutdown(u->l));
	settle();
	link_close(u->l);
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(u->why, REASON_NONE);
	ck_assert_int_eq(v->eof, 1);
	ck_assert_int_eq(v->closed, 1);
}
END_TEST

/* The peer cuts what its user has said goodbye to. */
START_TEST(close_meets_reset)
{
	static uint8_t much[400000];
	struct user *u;

	sv.pattern.deaf = true;
	pair();
	u = opened("modem");
	ck_ok(link_write(u->l, span_of(much, sizeof much)));
	link_close(u->l);
	settle();
	ck_assert_int_eq(u->closed, 0);
	link_reset(v->l);
	v->l = NULL;
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(u->why, REASON_NONE);
}
END_TEST

START_TEST(close_before_the_answer)
{
	struct user *u;

	pair();
	sv.hold = true;
	u = open_stream("modem");
	settle();
	link_close(u->l);
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(v->closed, 1);
	ck_assert_int_eq(v->why, REASON_TUNNEL_RESET);
}
END_TEST

/* Within 5 s, whatever the peer reads. */
START_TEST(close_of_a_stream_that_nobody_reads)
{
	static uint8_t much[400000];
	struct user *u;

	sv.pattern.deaf = true;
	pair();
	u = opened("modem");
	ck_ok(link_write(u->l, span_of(much, sizeof much)));
	link_close(u->l);
	settle();
	clock_advance(clk, 4999);
	settle();
	ck_assert_int_eq(u->closed, 0);
	clock_advance(clk, 1);
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(u->why, REASON_NONE);
	ck_assert_int_eq(v->closed, 1);
	ck_assert_int_eq(v->why, REASON_TUNNEL_RESET);
}
END_TEST

/* A user that knows no on_eof, as rpc: the peer's end of sending is the end. */
START_TEST(whole_links)
{
	struct user *u;

	pair();
	u = open_with("modem", &whole_cb);
	settle();
	say(v, "bye");
	ck_ok(link_shutdown(v->l));
	settle();
	ck_assert_str_eq(u->text, "bye");
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(u->why, REASON_NONE);
	ck_assert_int_eq(v->eof, 1);
	ck_assert_int_eq(v->closed, 1);
	ck_assert_int_eq(v->why, REASON_NONE);
}
END_TEST

/* A reset is passed on, either way, and does not wait for a reader. */
START_TEST(reset_passed_on)
{
	struct user *u, *first, *second;

	cl.users[0].deaf = sv.pattern.deaf = true;
	pair();
	u = opened("modem");
	first = _i % 2 == 0 ? u : v;
	second = _i % 2 == 0 ? v : u;
	say(first, "words");
	settle();
	say(first, "that nobody hears");
	if (_i < 2)
		link_reset(first->l);
	else
		link_free(first->l);
	first->l = NULL;
	settle();
	ck_assert_int_eq(first->closed, 0);
	ck_assert_int_eq(second->closed, 1);
	ck_assert_int_eq(second->why, REASON_TUNNEL_RESET);
	ck_assert_int_eq(second->eof, 0);
	ck_assert_uint_eq(tunnel_streams(cl.t) + tunnel_streams(sv.t), 0);
	ck_assert_int_eq(cl.closed + sv.closed, 0);
}
END_TEST

/* --- the tunnel: drained, idle, closed, cut */

/* U1: the one on the newer key takes over, streams that stand end in their own time. */
START_TEST(drain_U1)
{
	struct side *first, *second;
	struct user *u;
	struct link *l;

	pair();
	u = opened("modem");
	first = _i == 0 ? &cl : &sv;
	second = _i == 0 ? &sv : &cl;
	tunnel_drain(first->t);
	tunnel_drain(first->t);
	settle();
	ck_rc(tunnel_open(cl.t, "modem", &user_cb, &cl.users[9], &l), RC_STATE);
	ck_assert_int_eq(cl.closed + sv.closed, 0);
	say(u, "still");
	say(v, "works");
	settle();
	ck_assert_str_eq(u->text, "works");
	ck_assert_str_eq(v->text, "still");
	ck_ok(link_shutdown(u->l));
	ck_ok(link_shutdown(v->l));
	settle();
	ck_assert_int_eq(u->why, REASON_NONE);
	ck_assert_int_eq(first->closed, 1);
	ck_assert_int_eq(second->closed, 1);
	ck_assert_int_eq(first->why, REASON_NONE);
	ck_assert_int_eq(second->why, REASON_NONE);
}
END_TEST

START_TEST(drain_of_an_empty_one)
{
	pair();
	tunnel_drain(_i == 0 ? cl.t : sv.t);
	settle();
	ck_assert_int_eq(cl.closed + sv.closed, 2);
	ck_assert_int_eq(cl.why, REASON_NONE);
	ck_assert_int_eq(sv.why, REASON_NONE);
}
END_TEST

/* A CONNECT that crosses the server's GOAWAY: another tunnel may take it. */
START_TEST(open_meets_drain)
{
	struct user *u;

	pair();
	opened("modem");
	u = open_stream("modem");
	tunnel_drain(sv.t);
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(u->why, REASON_TUNNEL_CLOSED);
	ck_assert_int_eq(sv.n_users, 1);
	ck_assert_int_eq(cl.users[0].closed, 0);
}
END_TEST

START_TEST(closes)
{
	struct side *first, *second;

	pair();
	sv.hold = true;
	open_stream("waits");
	settle();
	sv.hold = false;
	for (int i = 0; i < 10; i++)
		opened("modem");
	say(&cl.users[5], "half a word");
	first = _i == 0 ? &cl : &sv;
	second = _i == 0 ? &sv : &cl;
	tunnel_close(first->t, REASON_STOPPING);
	ck_assert_int_eq(first->closed + first->users[0].closed, 0);	/* never inside the call */
	tunnel_close(first->t, REASON_INTERNAL);
	settle();
	for (int i = 0; i < 11; i++) {
		ck_assert_int_eq(first->users[i].closed, 1);
		ck_assert_int_eq(first->users[i].why, REASON_STOPPING);
		ck_assert_int_eq(second->users[i].closed, 1);
		ck_assert_int_eq(second->users[i].why, REASON_TUNNEL_CLOSED);
		ck_assert_int_eq(second->users[i].eof, 0);
	}
	ck_assert_int_eq(first->closed, 1);
	ck_assert_int_eq(first->why, REASON_STOPPING);
	ck_assert_int_eq(second->closed, 1);
	ck_assert_int_eq(second->why, REASON_TUNNEL_CLOSED);
}
END_TEST

/* The peer is deaf and its link full: the end comes all the same. */
START_TEST(closes_though_the_peer_does_not_read)
{
	static uint8_t much[4000000];
	struct user *u;

	raw_server = true;
	settle();
	link_set_cb(sv.raw, NULL, NULL);
	/* SETTINGS; 1 MiB for each stream, 1 MiB more for the session; a head that is "200" for stream 1 */
	ck_ok(link_write(sv.raw, span_of("\0\0\6\4\0\0\0\0\0\0\4\0\x10\0\0" "\0\0\4\x8\0\0\0\0\0\0\x10\0\0", 28)));
	settle();
	ck_assert_int_eq(cl.up, 1);
	u = open_stream("modem");
	settle();
	ck_ok(link_write(sv.raw, span_of("\0\0\1\1\4\0\0\0\1\x88", 10)));
	settle();
	ck_assert_int_eq(u->up, 1);
	ck_ok(link_write(u->l, span_of(much, sizeof much)));
	settle();
	ck_assert_uint_lt(link_unsent(tunnel_link(cl.t)), 512 * 1024);
	tunnel_close(cl.t, REASON_STOPPING);
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(cl.closed, 0);
	clock_advance(clk, 5000);
	settle();
	ck_assert_int_eq(cl.closed, 1);
	ck_assert_int_eq(cl.why, REASON_STOPPING);
}
END_TEST

START_TEST(link_cut)
{
	struct user *u;

	pair();
	u = opened("modem");
	say(u, "half a word");
	link_mem_cut(net, "unix:/t", true);
	settle();
	ck_assert_int_eq(u->why, REASON_LINK_BROKEN);
	ck_assert_int_eq(v->why, REASON_LINK_BROKEN);
	ck_assert_int_eq(cl.why, REASON_LINK_BROKEN);
	ck_assert_int_eq(sv.why, REASON_LINK_BROKEN);
	ck_assert_int_eq(cl.closed + sv.closed + u->closed + v->closed, 4);
}
END_TEST

START_TEST(peer_gone_without_a_word)
{
	struct user *u;

	pair();
	u = opened("modem");
	tunnel_free(sv.t);
	sv.t = NULL;
	settle();
	ck_assert_int_eq(v->closed, 1);
	ck_assert_int_eq(v->why, REASON_TUNNEL_CLOSED);
	ck_assert_int_eq(sv.closed, 0);
	ck_assert_int_eq(u->why, REASON_TUNNEL_CLOSED);
	ck_assert_int_eq(cl.why, REASON_TUNNEL_CLOSED);
}
END_TEST

START_TEST(peer_says_nothing)
{
	raw_server = true;
	settle();
	clock_advance(clk, 9999);
	settle();
	ck_assert_int_eq(cl.closed, 0);
	clock_advance(clk, 1);
	settle();
	ck_assert_int_eq(cl.closed, 1);
	ck_assert_int_eq(cl.why, REASON_TUNNEL_BROKEN);
}
END_TEST

START_TEST(ping)
{
	struct side *s = _i == 0 ? &cl : &sv;

	pair();
	for (int i = 1; i <= 3; i++) {
		ck_ok(tunnel_ping(s->t, 1000, side_pong, s));
		ck_assert_int_eq(s->pongs, i - 1);
		ck_rc(tunnel_ping(s->t, 1000, side_pong, s), RC_STATE);
		settle();
		ck_assert_int_eq(s->pongs, i);
		clock_advance(clk, 2000);
		settle();
	}
	ck_assert_int_eq(s->deaths, 0);
}
END_TEST

/* Not in time, a PING that another has sent, the end. */
START_TEST(ping_unanswered)
{
	raw_server = true;
	settle();
	ck_ok(link_write(sv.raw, span_of("\0\0\0\4\0\0\0\0\0", 9)));
	settle();
	ck_ok(tunnel_ping(cl.t, 1000, side_pong, &cl));
	settle();
	ck_ok(link_write(sv.raw, span_of("\0\0\x8\6\1\0\0\0\0another!", 17)));
	clock_advance(clk, 999);
	settle();
	ck_assert_int_eq(cl.deaths + cl.pongs, 0);
	if (_i == 0)
		clock_advance(clk, 1);
	else
		link_mem_cut(net, "unix:/t", true);
	settle();
	ck_assert_int_eq(cl.deaths, 1);
	ck_assert_int_eq(cl.pongs, 0);
	ck_assert_int_eq(cl.closed, _i);
}
END_TEST

START_TEST(idle)
{
	struct user *u;

	cl.conf.idle_ms = 60000;
	pair();
	clock_advance(clk, 59000);
	settle();
	u = opened("modem");
	clock_advance(clk, 600000);
	settle();
	ck_assert_int_eq(cl.closed, 0);
	link_reset(u->l);
	u->l = NULL;
	settle();
	clock_advance(clk, 59999);
	settle();
	ck_assert_int_eq(cl.closed, 0);
	clock_advance(clk, 1);
	settle();
	ck_assert_int_eq(cl.closed + sv.closed, 2);
	ck_assert_int_eq(cl.why, REASON_NONE);
	ck_assert_int_eq(sv.why, REASON_NONE);
}
END_TEST

/* --- whatever is freed in a callback */

static const int moments[] = { ON_UP, ON_DATA, ON_DRAINED, ON_EOF, ON_CLOSED };

/* To a stream that is perhaps gone, or over. */
static void
try_to_say(struct user *u)
{
	enum rc rc = u->l != NULL ? link_write(u->l, span_str("something")) : RC_STATE;

	ck_assert(rc == RC_OK || rc == RC_STATE);
}

static void
try_to_end(struct user *u)
{
	enum rc rc = u->l != NULL ? link_shutdown(u->l) : RC_STATE;

	ck_assert(rc == RC_OK || rc == RC_STATE);
}

static void
everything_happens(void)
{
	struct user *u = &cl.users[0], *w = &cl.users[1];

	cl.n_users = 2;
	u->side = w->side = &cl;
	ck_ok(tunnel_open(cl.t, "a", &user_cb, u, &u->l));
	ck_ok(tunnel_open(cl.t, "b", &user_cb, w, &w->l));
	settle();
	for (int i = 0; i < 2; i++) {
		struct user *a = &cl.users[i], *b = &sv.users[i];

		try_to_say(a);
		try_to_say(b);
		settle();
		try_to_end(a);
		try_to_end(b);
	}
	settle();
}

START_TEST(stream_freed_in)
{
	pair();
	cl.users[0].free_stream_on = moments[_i];
	everything_happens();
	ck_assert_ptr_null(cl.users[0].l);
	ck_assert_int_eq(cl.users[1].closed, 1);
	ck_assert_int_eq(cl.users[1].why, REASON_NONE);
	ck_assert_uint_eq(tunnel_streams(cl.t) + tunnel_streams(sv.t), 0);
	opened("again");
}
END_TEST

START_TEST(servers_stream_freed_in)
{
	pair();
	sv.pattern.free_stream_on = moments[_i + 1];
	everything_happens();
	ck_assert_ptr_null(sv.users[0].l);
	ck_assert_uint_eq(tunnel_streams(cl.t) + tunnel_streams(sv.t), 0);
	opened("again");
}
END_TEST

START_TEST(tunnel_freed_in)
{
	struct user *w = &cl.users[1];

	pair();
	cl.users[0].free_tunnel_on = moments[_i];
	everything_happens();
	ck_assert_ptr_null(cl.t);
	ck_assert_int_eq(cl.closed, 0);
	ck_assert_int_eq(w->closed, 1);
	ck_assert_int_eq(sv.closed, 1);
	ck_assert_int_eq(sv.why, REASON_TUNNEL_CLOSED);
}
END_TEST

START_TEST(both_freed_in)
{
	pair();
	cl.users[0].free_stream_on = cl.users[0].free_tunnel_on = moments[_i];
	everything_happens();
	ck_assert_ptr_null(cl.t);
	ck_assert_int_eq(cl.users[1].closed, 1);
}
END_TEST

START_TEST(tunnel_freed_in_its_own)
{
	static const int own[] = { ON_UP, ON_OPEN, ON_PONG };
	struct user *u = &cl.users[0];

	sv.free_tunnel_on = own[_i];
	settle();
	if (own[_i] == ON_OPEN) {
		u = open_stream("modem");
	} else if (own[_i] == ON_PONG) {
		u = opened("modem");
		ck_ok(tunnel_ping(sv.t, 1000, side_pong, &sv));
	}
	settle();
	ck_assert_ptr_null(sv.t);
	ck_assert_int_eq(sv.closed, 0);
	ck_assert_int_eq(cl.closed, 1);
	if (own[_i] != ON_UP) {
		ck_assert_int_eq(u->closed, 1);
		ck_assert_int_eq(v->closed, 1);
	}
}
END_TEST

/* A stream's user that resets its neighbours, whose callbacks are due. */
static void
resets_all(struct link *l, void *arg)
{
	(void)arg;
	link_drain(l, link_input(l).n);
	for (int i = 0; i < 5; i++) {
		if (cl.users[i].l != NULL && cl.users[i].l != l) {
			link_reset(cl.users[i].l);
			cl.users[i].l = NULL;
		}
	}
}

START_TEST(neighbours_freed)
{
	static const struct link_cb cb = { .on_data = resets_all, .on_closed = user_closed };

	pair();
	for (int i = 0; i < 5; i++)
		link_set_cb(opened("modem")->l, &cb, &cl.users[i]);
	for (int i = 0; i < 5; i++)
		say(&sv.users[i], "all at once");
	settle();
	ck_assert_uint_eq(tunnel_streams(cl.t), 1);
	ck_assert_uint_eq(tunnel_streams(sv.t), 1);
}
END_TEST

/* Streams outlive their tunnel until their users let go; calls on them do no harm. */
START_TEST(streams_outlive_the_tunnel)
{
	struct user *u;

	sv.pattern.deaf = true;
	pair();
	u = opened("modem");
	say(u, "unread");
	settle();
	u = v;
	tunnel_free(sv.t);
	sv.t = NULL;
	ck_assert_int_eq(u->closed, 0);
	ck_rc(link_write(u->l, span_str("x")), RC_STATE);
	ck_rc(link_shutdown(u->l), RC_STATE);
	link_set_input_limit(u->l, 100000);
	ck_assert(span_eq_str(link_input(u->l), "unread"));
	link_drain(u->l, 2);
	link_close(u->l);
	ck_assert_uint_eq(link_unsent(u->l), 0);
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(u->why, REASON_TUNNEL_CLOSED);
}
END_TEST

START_TEST(freed_before_anything)
{
	link_mem_run(net);
	tunnel_free(cl.t);
	cl.t = NULL;
	settle();
	tunnel_free(NULL);
	ck_assert_int_eq(sv.closed, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tunnel_end");
	TCase *t = tcase_create("streams");

	tcase_add_checked_fixture(t, start, stop);
	tcase_add_loop_test(t, half_close, 0, 2);
	tcase_add_test(t, both_shut_down_at_once);
	tcase_add_test(t, end_waits_for_the_reader);
	tcase_add_test(t, close_does_not_wait_for_the_reader);
	tcase_add_test(t, close_of_a_stream);
	tcase_add_test(t, close_after_shutdown);
	tcase_add_test(t, close_meets_reset);
	tcase_add_test(t, close_before_the_answer);
	tcase_add_test(t, close_of_a_stream_that_nobody_reads);
	tcase_add_test(t, whole_links);
	tcase_add_loop_test(t, reset_passed_on, 0, 4);
	suite_add_tcase(s, t);
	t = tcase_create("tunnel");
	tcase_add_checked_fixture(t, start, stop);
	tcase_add_loop_test(t, drain_U1, 0, 2);
	tcase_add_loop_test(t, drain_of_an_empty_one, 0, 2);
	tcase_add_test(t, open_meets_drain);
	tcase_add_loop_test(t, closes, 0, 2);
	tcase_add_test(t, closes_though_the_peer_does_not_read);
	tcase_add_test(t, link_cut);
	tcase_add_test(t, peer_gone_without_a_word);
	tcase_add_test(t, peer_says_nothing);
	tcase_add_loop_test(t, ping, 0, 2);
	tcase_add_loop_test(t, ping_unanswered, 0, 2);
	tcase_add_test(t, idle);
	suite_add_tcase(s, t);
	t = tcase_create("freed");
	tcase_add_checked_fixture(t, start, stop);
	tcase_add_loop_test(t, stream_freed_in, 0, TABLE_N(moments));
	tcase_add_loop_test(t, servers_stream_freed_in, 0, TABLE_N(moments) - 1);
	tcase_add_loop_test(t, tunnel_freed_in, 0, TABLE_N(moments));
	tcase_add_loop_test(t, both_freed_in, 0, TABLE_N(moments));
	tcase_add_loop_test(t, tunnel_freed_in_its_own, 0, 3);
	tcase_add_test(t, neighbours_freed);
	tcase_add_test(t, streams_outlive_the_tunnel);
	tcase_add_test(t, freed_before_anything);
	suite_add_tcase(s, t);
	return unit_run(s);
}
