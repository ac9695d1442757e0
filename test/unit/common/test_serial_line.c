/* serial_line: streams over a line that loses, repeats, damages, delays and echoes octets (U6), on a virtual clock. */
#include "test/unit/common/serial_world.h"

/* --- tests */

START_TEST(U6_open_send_close)
{
	struct user *u = dial(), *v;

	ck_assert(run(0, NULL));
	ck_assert(u->opened);
	ck_assert_uint_eq(ends[1].n_users, 1);
	v = &ends[1].users[0];
	send_more(u, 100000);
	send_more(v, 5);
	ck_assert(run(0, all_arrived));		/* no time passes on a good line */
	serial_channel_close(u->c);
	ck_assert(run(0, all_ended));
	ck_assert_int_eq((int)u->why, REASON_NONE);
	ck_assert_int_eq((int)v->why, REASON_NONE);
	all_right();
	ck_assert_uint_eq(stats(0).retransmitted + stats(1).retransmitted, 0);
}
END_TEST

static const struct noise noises[] = {
	{ .drop = 20, .repeat = 20, .flip = 20 },
	{ .drop = 100 },
	{ .repeat = 100 },
	{ .flip = 100 },
	{ .drop = 30, .repeat = 30, .flip = 30, .delay = 7 },
	{ .delay = 900 },			/* longer than the first time-out */
	{ .jitter = 12 },			/* overtaking */
	{ .drop = 20, .repeat = 20, .flip = 20, .delay = 3, .jitter = 5, .echo = true },
	{ .echo = true },
};
/* Each octet arrives once, in order, in both directions of several channels; ended in good order. */
START_TEST(U6_every_octet_once_in_order)
{
	const size_t each = 60000;

	noise = noises[_i];
	for (int i = 0; i < 4; i++) {
		dial()->to_send = each + (size_t)i;
		ck_assert(run(60000, all_open));
	}
	for (int i = 0; i < 4; i++)
		send_more(&ends[1].users[i], each - (size_t)i);
	ck_assert(run(600000, all_arrived));
	all_right();
	for (int i = 0; i < 4; i++)
		serial_channel_close(i % 2 ? ends[0].users[i].c : ends[1].users[i].c);
	ck_assert(run(60000, all_ended));
	for (int e = 0; e < 2; e++) {
		ck_assert_uint_eq(serial_line_channels(ends[e].line), 0);
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq((int)ends[e].users[i].why, REASON_NONE);
		ck_assert(!noise.echo || stats(e).echoes > 0);
		ck_assert(noise.drop + noise.flip == 0 || (stats(e).bad > 0 && stats(e).retransmitted > 0));
	}
}
END_TEST

/* What is queued when close is called still arrives. */
START_TEST(U6_close_behind_data)
{
	struct user *u = dial();

	noise = noises[_i];
	u->to_send = 20000;
	ck_assert(run(30000, all_open));
	u->to_send = 40000;
	serial_channel_close(u->c);
	ck_assert(run(60000, all_ended));
	ck_assert_uint_eq(ends[1].users[0].got, 40000);
	all_right();
}
END_TEST

/* A reader that stops: memory stays bounded, its channel waits, others run, and it goes on when it reads again. */
START_TEST(U6_flow_control)
{
	struct user *u = dial(), *w = dial(), *v;

	ck_assert(run(0, NULL));
	v = &ends[1].users[0];
	v->holds = true;
	v->room = 10000;
	send_more(u, 1000000);
	send_more(w, 200000);
	ck_assert(run(60000, NULL));
	ck_assert_uint_ge(v->got, 10000);
	ck_assert_uint_lt(v->got, 10000 + SERIAL_BODY_MAX);
	ck_assert_uint_eq(ends[1].users[1].got, 200000);
	ck_assert(!u->ended);
	noise = (struct noise){ .cut = true };		/* the ACK that opens the window is lost: it is asked for */
	v->holds = false;
	v->held = 0;
	serial_channel_wake(v->c);
	ck_assert(run(10, NULL));
	noise.cut = false;
	ck_assert(run(2000, all_arrived));
	all_right();
}
END_TEST

/* Close while the other end takes nothing: nothing is lost. */
START_TEST(U6_close_at_a_closed_window)
{
	struct user *u = dial(), *v;

	ck_assert(run(0, NULL));
	v = &ends[1].users[0];
	v->holds = true;
	v->room = 3000;
	send_more(u, 50000);
	serial_channel_close(u->c);
	ck_assert(run(5000, NULL));
	ck_assert(!v->ended);
	v->holds = false;
	v->held = 0;
	serial_channel_wake(v->c);
	ck_assert(run(0, all_ended));
	ck_assert_uint_eq(v->got, 50000);
}
END_TEST

START_TEST(U6_silent_line)
{
	struct user *u = dial();

	ck_assert(run(0, NULL));
	noise.cut = true;
	ck_assert(run(SERIAL_IDLE_MS, NULL));
	ck_assert(!u->ended);
	ck_assert(run(SERIAL_SILENT_MS, all_ended));
	ck_assert_int_eq((int)u->why, REASON_LINK_SERIAL_SILENT);
	ck_assert_int_eq((int)ends[1].users[0].why, REASON_LINK_SERIAL_SILENT);
}
END_TEST

/* Kept alive for an hour: one PING per 5 s and end. */
START_TEST(U6_idle_line)
{
	struct user *u = dial();

	ck_assert(run(3600000, NULL));
	ck_assert(!u->ended);
	ck_assert_uint_le(stats(0).frames_out, 2 * 3600 / 5 + 10);
}
END_TEST

/* Who begins anew is told and tells; no octet of the old stream gets into the new one. */
START_TEST(U6_listener_begins_anew)
{
	struct user *u = dial(), *w;

	ck_assert(run(0, NULL));
	send_more(u, 5000);
	serial_line_free(ends[1].line);
	noise.cut = _i == 1;			/* what it says at its start may be lost */
	start_end(1);
	noise.cut = false;
	ck_assert(run(300, all_ended));
	ck_assert_int_eq((int)u->why, REASON_LINK_SERIAL_ANEW);
	w = dial();
	w->key = 0;				/* the listener's first */
	w->expect = 100;
	w->to_send = 3000;
	run(100, NULL);
	ck_assert_uint_eq(ends[1].users[0].got, 3000);
	all_right();
}
END_TEST

START_TEST(U6_device_begins_anew)
{
	struct user *v;

	dial();
	ck_assert(run(0, NULL));
	v = &ends[1].users[0];
	serial_line_free(ends[0].line);
	noise.cut = _i == 1;
	start_end(0);
	noise.cut = false;
	ends[0].n_users = 1;			/* the second of the listener's */
	ends[0].users[0].ended = true;
	dial()->to_send = 3000;
	ck_assert(run(300, NULL));
	ck_assert(v->ended);
	ck_assert_int_eq((int)v->why, REASON_LINK_SERIAL_ANEW);
	ck_assert_uint_eq(ends[1].n_users, 2);
	ck_assert_uint_eq(ends[1].users[1].got, 3000);
	all_right();
}
END_TEST

/* U1: a line has 16 channels; numbers are free again when channels end. */
START_TEST(U1_U6_sixteen_channels)
{
	struct serial_channel *c;
	struct user *u = NULL;

	for (unsigned i = 0; i < SERIAL_CHANNELS; i++) {
		u = dial();
		ck_assert_uint_eq(serial_channel_number(u->c), i);
	}
	ck_rc(serial_channel_open(ends[0].line, &user, u, &c), RC_LIMIT);
	ck_assert(run(0, NULL));
	ck_assert_uint_eq(serial_line_channels(ends[1].line), SERIAL_CHANNELS);
	serial_channel_free(ends[0].users[3].c, SERIAL_CLOSE_FREED);
	serial_channel_free(ends[1].users[5].c, SERIAL_CLOSE_RESET);
	ck_assert(run(0, NULL));
	ck_assert(ends[1].users[3].ended && ends[0].users[5].ended);
	ck_assert_int_eq((int)ends[1].users[3].why, REASON_NONE);
	ck_assert_int_eq((int)ends[0].users[5].why, REASON_LINK_BROKEN);
	ck_ok(serial_channel_open(ends[0].line, &user, &ends[0].users[3], &c));
	ck_assert_uint_eq(serial_channel_number(c), 3);
}
END_TEST

START_TEST(U6_refused)
{
	struct user *u = dial();

	ends[1].refuses = true;
	ck_assert(run(0, all_ended));
	ck_assert_int_eq((int)u->why, REASON_LINK_UNREACHABLE);
	ck_assert_uint_eq(serial_line_channels(ends[0].line) + serial_line_channels(ends[1].line), 0);
}
END_TEST

START_TEST(U6_line_goes_down)
{
	struct user *u = dial();

	ck_assert(run(0, NULL));
	serial_line_down(ends[0].line, REASON_LINK_SERIAL_GONE, "unplugged");
	ck_assert(u->ended);
	ck_assert_int_eq((int)u->why, REASON_LINK_SERIAL_GONE);
}
END_TEST

/* Retransmission waits at least 20 ms, at most 2 s, follows the round trips, and not while all is still on its way out. */
START_TEST(U6_retransmission_time)
{
	struct user *u = dial();
	uint64_t sent;

	ck_assert(run(0, NULL));
	send_more(u, 10);
	ck_assert(run(0, NULL));		/* a round trip of 0 ms is measured */
	noise.cut = true;
	send_more(u, 10);
	ck_assert(run(SERIAL_RTO_MIN_MS - 1, NULL));
	ck_assert_uint_eq(stats(0).retransmitted, 0);
	ck_assert(run(2, NULL));
	ck_assert_uint_eq(stats(0).retransmitted, 1);
	ck_assert(run(5000, NULL));
	sent = stats(0).retransmitted;
	ck_assert(run(4 * SERIAL_RTO_MAX_MS, NULL));
	ck_assert_uint_ge(stats(0).retransmitted, sent + 3);
	ck_assert_uint_le(stats(0).retransmitted, sent + 5);
	ends[0].backlog = 100;			/* flow control holds it here */
	run(1, NULL);
	sent = stats(0).frames_out;
	ck_assert(!u->ended);
}
END_TEST

/* All that the time-out looks at is what has left: a slow line is not filled with the same again. */
START_TEST(U6_slow_line)
{
	struct user *u = dial();

	ck_assert(run(0, NULL));
	send_more(u, 10);
	ck_assert(run(0, NULL));
	noise.cut = true;
	send_more(u, 10);
	ends[0].woken = false;
	(void)serial_line_turn(ends[0].line);
	ends[0].backlog = 1000;			/* nothing of it has left */
	ck_assert(run(5000, NULL));
	ck_assert_uint_eq(stats(0).retransmitted, 0);
	ends[0].backlog = 0;
	ck_assert(run(100, NULL));
	ck_assert_uint_ge(stats(0).retransmitted, 1);
}
END_TEST

/*
 * 9,600, 115,200 and 1,200 baud, with what link_serial gives them, four channels in both directions: (nearly) nothing is sent twice
 * though each frame waits for others longer than any first time-out, and most of the line's time is the streams'.
 */
static const struct {
	int64_t rate;
	size_t most_waiting, body_max;
	int times;			/* of what the octets alone would take, in halves */
	unsigned again;			/* at most so many are sent twice */
} bauds[] = { { 960, 720, 74, 3, 0 }, { 11520, 8640, 1024, 3, 0 }, { 120, 90, 64, 5, 16 } };
START_TEST(U6_at_its_speed)
{
	const size_t each = (size_t)bauds[_i].rate * 10;

	for (int e = 0; e < 2; e++) {
		serial_line_free(ends[e].line);
		start_end_as(e, bauds[_i].rate, bauds[_i].most_waiting, bauds[_i].body_max);
	}
	for (int i = 0; i < 4; i++) {
		dial()->to_send = each;
		ck_assert(run(10000, all_open));
		send_more(&ends[1].users[i], each);
	}
	ck_assert(run(4 * 10 * 1000 * bauds[_i].times / 2, all_arrived));
	all_right();
	ck_assert_uint_le(stats(0).retransmitted + stats(1).retransmitted, bauds[_i].again);
}
END_TEST

/* Room at our end: no more is cut than leaves. */
START_TEST(U6_room)
{
	struct user *u = dial();
	uint64_t before;

	ck_assert(run(0, NULL));
	ends[0].backlog = 65536;
	before = stats(0).frames_out;
	send_more(u, 100000);
	ck_assert(serial_line_turn(ends[0].line));
	ck_assert_uint_eq(stats(0).frames_out, before);
	ends[0].backlog = 0;
	ck_assert(run(0, all_arrived));
	ck_assert(!serial_line_turn(ends[0].line));
}
END_TEST

/* Frames that no honest end would send: nothing moves, nobody crashes, memory stays. */
START_TEST(U6_hostile_frames)
{
	struct user *u = dial();
	struct serial_frame f = { .listener = _i % 2 };
	uint8_t wire[SERIAL_WIRE_MAX], body[SERIAL_BODY_MAX];
	uint32_t v;

	ck_assert(run(0, NULL));
	send_more(u, 30000);
	for (int i = 0; i < 20000; i++) {
		ck_ok(rnd_bytes(&rnd.rnd, body, 16));
		ck_ok(rnd_below(&rnd.rnd, 6, &v));
		f.kind = (enum serial_kind)(SERIAL_OPEN + v);
		f.channel = body[1] & 1;
		ck_ok(rnd_below(&rnd.rnd, 4, &v));
		f.session = (uint16_t)v;
		f.seq = body[2];
		f.body = span_of(body, body[3] % 12);
		if (ends[1].n_users >= USERS - 1)
			ends[1].refuses = true;
		serial_line_input(ends[f.listener ? 0 : 1].line, span_of(wire, serial_frame_print(&f, wire)));
		(void)run(0, NULL);
	}
	all_right();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("serial_line");
	TCase *t = tcase_create("line");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, U6_open_send_close);
	tcase_add_loop_test(t, U6_every_octet_once_in_order, 0, TABLE_N(noises));
	tcase_add_loop_test(t, U6_close_behind_data, 0, TABLE_N(noises));
	tcase_add_test(t, U6_flow_control);
	tcase_add_test(t, U6_close_at_a_closed_window);
	tcase_add_test(t, U6_silent_line);
	tcase_add_test(t, U6_idle_line);
	tcase_add_loop_test(t, U6_listener_begins_anew, 0, 2);
	tcase_add_loop_test(t, U6_device_begins_anew, 0, 2);
	tcase_add_test(t, U1_U6_sixteen_channels);
	tcase_add_test(t, U6_refused);
	tcase_add_test(t, U6_line_goes_down);
	tcase_add_test(t, U6_retransmission_time);
	tcase_add_test(t, U6_slow_line);
	tcase_add_loop_test(t, U6_at_its_speed, 0, TABLE_N(bauds));
	tcase_add_test(t, U6_room);
	tcase_add_loop_test(t, U6_hostile_frames, 0, 2);
	suite_add_tcase(s, t);
	return unit_run(s);
}
