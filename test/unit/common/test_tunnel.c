/* tunnel: streams over a link: opened, accepted, refused; octets both ways; each with its own flow control; half-closed, reset (U5). */
#include "common/tunnel.h"

#include <check.h>

#include "common/reason.h"
#include "test/unit/common/tunnel_pair.h"

/* --- opening */

START_TEST(up)
{
	struct link *l;

	ck_assert_int_eq(cl.up, 0);
	pair();
	ck_assert_uint_eq(tunnel_streams(cl.t), 0);
	ck_assert_ptr_nonnull(tunnel_link(cl.t));
	ck_rc(tunnel_open(sv.t, "modem", &user_cb, &sv.users[0], &l), RC_STATE);
}
END_TEST

START_TEST(opens)
{
	struct link_peer p;
	struct user *u;

	pair();
	u = open_stream("modem");
	ck_assert_int_eq(u->up, 0);
	ck_rc(link_write(u->l, span_str("x")), RC_STATE);
	ck_assert_uint_eq(tunnel_streams(cl.t), 1);
	settle();
	ck_assert_int_eq(u->up, 1);
	ck_assert_int_eq(sv.n_users, 1);
	ck_assert_int_eq(sv.users[0].up, 0);		/* as on accepted links */
	ck_assert_str_eq(sv.users[0].service, "modem");
	ck_assert_uint_eq(tunnel_streams(sv.t), 1);
	link_get_peer(u->l, &p);
	ck_assert_str_eq(p.address, "tunnel:modem");
	link_get_peer(sv.users[0].l, &p);
	ck_assert_str_eq(p.address, "tunnel:modem");
}
END_TEST

START_TEST(before_it_is_up)
{
	struct user *u = &cl.users[0];

	link_mem_run(net);
	ck_assert_ptr_nonnull(cl.t);
	ck_rc(tunnel_open(cl.t, "modem", &user_cb, u, &u->l), RC_STATE);
	ck_rc(tunnel_ping(cl.t, 1000, side_pong, &cl), RC_STATE);
}
END_TEST

/* reason of the server -> status -> reason of the client */
static const struct { enum reason said, heard; } refusals[] = {
	{ REASON_TUNNEL_SERVICE_UNKNOWN, REASON_TUNNEL_SERVICE_UNKNOWN },
	{ REASON_TUNNEL_SERVICE_REFUSED, REASON_TUNNEL_SERVICE_REFUSED },
	{ REASON_TUNNEL_SERVICE_DOWN, REASON_TUNNEL_SERVICE_DOWN },
	{ REASON_TUNNEL_LIMIT, REASON_TUNNEL_LIMIT },
	{ REASON_LINK_UNREACHABLE, REASON_TUNNEL_SERVICE_DOWN },
	{ REASON_STOPPING, REASON_TUNNEL_SERVICE_DOWN },
	{ REASON_TUNNEL_RESET, REASON_TUNNEL_SERVICE_DOWN },	/* without a status */
	{ REASON_TUNNEL_NAME, REASON_TUNNEL_BROKEN },
};

START_TEST(refuses)
{
	struct user *u;

	pair();
	sv.refuse = refusals[_i].said;
	u = open_stream("modem");
	settle();
	ck_assert_int_eq(u->closed, 1);
	ck_assert_int_eq(u->up, 0);
	ck_assert_str_eq(reason_get(u->why)->code, reason_get(refusals[_i].heard)->code);
	ck_assert_uint_eq(tunnel_streams(cl.t), 0);
	ck_assert_uint_eq(tunnel_streams(sv.t), 0);
	sv.refuse = REASON_NONE;
	opened("modem");
}
END_TEST

START_TEST(accepts_later)
{
	struct user *u, *v = &sv.users[0];

	pair();
	sv.hold = true;
	u = open_stream("modem");
	settle();
	ck_assert_int_eq(u->up + u->closed, 0);
	ck_rc(link_write(v->l, span_str("x")), RC_STATE);
	ck_ok(tunnel_accept(v->l));
	ck_rc(tunnel_accept(v->l), RC_STATE);
	say(v, "early");
	settle();
	ck_assert_int_eq(u->up, 1);
	ck_assert_str_eq(u->text, "early");
}
END_TEST

START_TEST(refuses_later)
{
	struct user *u;

	pair();
	sv.hold = true;
	u = open_stream("modem");
	settle();
	tunnel_refuse(sv.users[0].l, REASON_TUNNEL_SERVICE_DOWN);
	sv.users[0].l = NULL;
	settle();
	ck_assert_int_eq(u->why, REASON_TUNNEL_SERVICE_DOWN);
}
END_TEST

/* Its user goes before the server has decided. */
START_TEST(gone_before_accepted)
{
	struct user *u;

	pair();
	sv.hold = true;
	u = open_stream("modem");
	settle();
	link_free(u->l);
	u->l = NULL;
	settle();
	ck_assert_int_eq(sv.users[0].closed, 1);
	ck_assert_int_eq(sv.users[0].why, REASON_TUNNEL_RESET);
	ck_assert_uint_eq(tunnel_streams(sv.t), 0);
}
END_TEST

/* … or before its head has left. */
START_TEST(gone_at_once)
{
	struct user *u;

	pair();
	u = open_stream("modem");
	link_free(u->l);
	u->l = NULL;
	settle();
	ck_assert_int_eq(sv.n_users, 0);
	opened("modem");
}
END_TEST

/* U5: a service's name, never host:port */
static const struct { const char *name; bool ok; } names[] = {
	{ "modem", true }, { "a", true }, { "0.x_y-z", true }, { "kslocal", true }, { TUNNEL_MESSAGES, true },
	{ "1234567890123456789012345678901234567890123456789012345678901234", true },
	{ "12345678901234567890123456789012345678901234567890123456789012345", false },
	{ "", false }, { "Modem", false }, { "modem:80", false }, { "127.0.0.1:7000", false }, { "[::1]", false }, { "a b", false },
	{ "a/b", false }, { "\xc3\xa4", false }, { "kslocal-x", false }, { "kslocal-", false }, { "kslocal-messages2", false },
	{ "a@b", false }, { "a\n", false },
};

START_TEST(service_name_U5)
{
	struct user *u = &cl.users[0];

	ck_assert_msg(tunnel_service_ok(names[_i].name) == names[_i].ok, "%s", names[_i].name);
	pair();
	ck_rc(tunnel_open(cl.t, names[_i].name, &user_cb, u, &u->l), names[_i].ok ? RC_OK : RC_SYNTAX);
	settle();
	ck_assert_int_eq(sv.n_users, names[_i].ok);
	if (names[_i].ok)
		ck_assert_str_eq(sv.users[0].service, names[_i].name);
}
END_TEST

START_TEST(streams_max_U5)
{
	struct user *u = &cl.users[100];

	sv.conf.streams_max = 3;
	pair();
	for (int i = 0; i < 3; i++)
		opened("modem");
	ck_rc(tunnel_open(cl.t, "modem", &user_cb, u, &u->l), RC_LIMIT);
	link_reset(cl.users[1].l);
	cl.users[1].l = NULL;
	opened("modem");
	ck_assert_uint_eq(tunnel_streams(sv.t), 3);
}
END_TEST

START_TEST(streams_max_of_our_own_U5)
{
	struct user *u = &cl.users[100];

	cl.conf.streams_max = 2;
	pair();
	opened("modem");
	opened("modem");
	ck_rc(tunnel_open(cl.t, "modem", &user_cb, u, &u->l), RC_LIMIT);
}
END_TEST

/* --- octets */

START_TEST(both_ways)
{
	struct user *u, *v = &sv.users[0];

	pair();
	u = opened("modem");
	say(u, "ping");
	say(u, "!");
	ck_assert_uint_eq(link_unsent(u->l), 5);
	ck_assert_int_eq(v->data, 0);
	settle();
	ck_assert_uint_eq(link_unsent(u->l), 0);
	ck_assert_int_eq(u->drained, 1);
	ck_assert_str_eq(v->text, "ping!");
	say(v, "pong");
	settle();
	ck_assert_str_eq(u->text, "pong");
	ck_ok(link_write(u->l, span_of(NULL, 0)));
}
END_TEST

static uint8_t octet_at(size_t i) { return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16)); }

/* Writes n octets in pieces, as a user who heeds link_unsent(). */
struct source {
	struct link *l;
	size_t at, n;
};

static void
pour(struct source *s)
{
	uint8_t piece[8192];

	while (s->at < s->n && link_unsent(s->l) < 64 * 1024) {
		size_t k = s->n - s->at < sizeof piece ? s->n - s->at : sizeof piece;

		for (size_t i = 0; i < k; i++)
			piece[i] = octet_at(s->at + i);
		ck_ok(link_write(s->l, span_of(piece, k)));
		s->at += k;
	}
}

static void
source_drained(struct link *l, void *arg)
{
	(void)l;
	pour(arg);
}

struct sink {
	size_t n;
	bool wrong;
	size_t most;		/* that waited */
	size_t bite;		/* drained of each input; 0 = all */
};

static void
sink_data(struct link *l, void *arg)
{
	struct sink *s = arg;
	struct span in = link_input(l);
	size_t k = s->bite != 0 && s->bite < in.n ? s->bite : in.n;

	if (in.n > s->most)
		s->most = in.n;
	for (size_t i = 0; i < k; i++)
		s->wrong = s->wrong || in.p[i] != octet_at(s->n + i);
	s->n += k;
	link_drain(l, k);
}

static const size_t chunks[] = { 0, 1, 7, 1000, 16384 };

START_TEST(much_in_pieces)
{
	static const struct link_cb from_cb = { .on_drained = source_drained }, to_cb = { .on_data = sink_data };
	struct source from = { .n = chunks[_i] == 1 ? 100000 : 3000000 };
	struct sink to = { 0 };
	struct user *u;

	link_mem_set_chunk(net, chunks[_i]);
	pair();
	u = opened("modem");
	from.l = u->l;
	link_set_cb(u->l, &from_cb, &from);
	link_set_cb(sv.users[0].l, &to_cb, &to);
	pour(&from);
	settle();
	ck_assert_uint_eq(to.n, from.n);
	ck_assert(!to.wrong);
	ck_assert_uint_le(to.most, 256 * 1024);
}
END_TEST

/* U5: what a user does not drain is bounded, and holds up nobody else. */
START_TEST(deaf_reader_U5)
{
	static const struct link_cb from_cb = { .on_drained = source_drained };
	struct source from = { .n = 4000000 };
	struct user *deaf, *other;
	struct link *v;

	sv.conf.stream_buffer = 50000;
	sv.pattern.deaf = true;
	pair();
	deaf = opened("deaf");
	sv.pattern.deaf = false;
	sv.pattern.echo = true;
	from.l = deaf->l;
	link_set_cb(deaf->l, &from_cb, &from);
	pour(&from);
	settle();
	v = sv.users[0].l;
	ck_assert_uint_eq(link_input(v).n, 50000);
	ck_assert_uint_gt(link_unsent(deaf->l), 0);
	ck_assert_uint_lt(from.at, 200000);
	other = opened("other");
	say(other, "still here");
	settle();
	ck_assert_str_eq(other->text, "still here");
	/* it wakes up */
	sv.users[0].deaf = false;
	while (link_input(v).n > 0) {
		link_drain(v, link_input(v).n);
		settle();
	}
	ck_assert_uint_eq(from.at, from.n);
	ck_assert_uint_eq(link_unsent(deaf->l), 0);
}
END_TEST

/* 99 readers that are deaf: the hundredth has the line for itself. */
START_TEST(all_but_one_deaf_U5)
{
	static uint8_t much[300000];
	struct user *u;

	sv.pattern.deaf = true;
	pair();
	for (int i = 0; i < 99; i++)
		ck_ok(link_write(opened("deaf")->l, span_of(much, sizeof much)));
	settle();
	sv.pattern.deaf = false;
	sv.pattern.echo = true;
	u = opened("other");
	for (int i = 0; i < 20; i++) {
		ck_ok(link_write(u->l, span_of(much, 100000)));
		settle();
	}
	ck_assert_uint_eq(u->n, 2000000);
	for (int i = 0; i < 99; i++)
		ck_assert_uint_eq(link_input(sv.users[i].l).n, 256 * 1024);
}
END_TEST

START_TEST(partial_drains)
{
	static const struct link_cb from_cb = { .on_drained = source_drained }, to_cb = { .on_data = sink_data };
	struct source from = { .n = 300000 };
	struct sink to = { .bite = 100 };
	struct link *v;
	struct user *u;

	pair();
	u = opened("modem");
	v = sv.users[0].l;
	from.l = u->l;
	link_set_cb(u->l, &from_cb, &from);
	link_set_cb(v, &to_cb, &to);
	pour(&from);
	settle();
	while (link_input(v).n > 0) {
		sink_data(v, &to);
		settle();
	}
	ck_assert_uint_eq(to.n, from.n);
	ck_assert(!to.wrong);
}
END_TEST

START_TEST(input_limit)
{
	static uint8_t much[400000];
	struct user *u, *v = &sv.users[0];

	sv.pattern.deaf = true;
	pair();
	u = opened("modem");
	link_set_input_limit(v->l, 300000);
	settle();
	ck_ok(link_write(u->l, span_of(much, sizeof much)));
	settle();
	ck_assert_uint_eq(link_input(v->l).n, 300000);
}
END_TEST

/* Said before there is an answer. */
START_TEST(input_limit_early)
{
	static uint8_t much[400000];
	struct user *u;

	sv.pattern.deaf = cl.users[0].deaf = true;
	sv.hold = true;
	pair();
	u = open_stream("modem");
	link_set_input_limit(u->l, 10);		/* too little to be of use: 1,024 */
	settle();
	link_set_input_limit(sv.users[0].l, 300000);
	ck_ok(tunnel_accept(sv.users[0].l));
	settle();
	ck_ok(link_write(u->l, span_of(much, sizeof much)));
	ck_ok(link_write(sv.users[0].l, span_of(much, sizeof much)));
	settle();
	ck_assert_uint_eq(link_input(sv.users[0].l).n, 300000);
	/* a window that shrinks cannot take back what it had promised */
	ck_assert_uint_le(link_input(u->l).n, 256 * 1024);
	link_drain(u->l, link_input(u->l).n);
	settle();
	ck_assert_uint_le(link_input(u->l).n, 1024);
}
END_TEST

START_TEST(unsent_limit)
{
	struct user *u;
	uint8_t *big = calloc(1, 17 * 1024 * 1024);

	pair();
	u = opened("modem");
	ck_rc(link_write(u->l, span_of(big, 17 * 1024 * 1024)), RC_LIMIT);
	ck_assert_uint_eq(link_unsent(u->l), 0);
	free(big);
}
END_TEST

START_TEST(a_hundred_at_once)
{
	static uint8_t piece[100000];

	sv.pattern.echo = true;
	pair();
	for (int i = 0; i < 100; i++)
		open_stream("echo");
	settle();
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100; i++)
			ck_ok(link_write(cl.users[i].l, span_of(piece, sizeof piece)));
	settle();
	for (int i = 0; i < 100; i++) {
		ck_assert_uint_eq(cl.users[i].n, 2 * sizeof piece);
		ck_assert_int_eq(cl.users[i].closed, 0);
	}
}
END_TEST

/* The peer's link takes all that waits there, then nothing for a second. */
static void
one_second(void)
{
	clock_advance(clk, 1000);
	link_set_input_limit(sv.raw, link_input(sv.raw).n + link_unsent(tunnel_link(cl.t)));
	settle();
}

/* A link that takes a second for what it is given: little waits in it, so that a word of another stream is not far behind. */
START_TEST(slow_link)
{
	/* SETTINGS: windows of 1 MiB; so much more for the session; "200" for streams 1 and 3 */
	static const char settings[] = "\0\0\6\4\0\0\0\0\0\0\4\0\x10\0\0" "\0\0\4\10\0\0\0\0\0\0\x10\0\0";
	static const char answers[] = "\0\0\1\1\4\0\0\0\1\x88" "\0\0\1\1\4\0\0\0\3\x88";
	static uint8_t much[600000];
	struct user *u, *w;
	size_t before;

	raw_server = true;
	settle();
	link_set_cb(sv.raw, NULL, NULL);
	ck_ok(link_write(sv.raw, span_of(settings, sizeof settings - 1)));
	settle();
	u = open_stream("much");
	w = open_stream("word");
	settle();
	ck_ok(link_write(sv.raw, span_of(answers, sizeof answers - 1)));
	settle();
	ck_assert_int_eq(u->up + w->up, 2);
	link_set_input_limit(sv.raw, link_input(sv.raw).n);
	ck_ok(link_write(u->l, span_of(much, sizeof much)));
	settle();
	for (int i = 0; i < 10; i++)
		one_second();
	ck_assert_uint_gt(link_unsent(tunnel_link(cl.t)), 0);
	ck_assert_uint_lt(link_unsent(tunnel_link(cl.t)), 10000);
	before = link_input(sv.raw).n;
	say(w, "a word");
	for (int i = 0; i < 4; i++)
		one_second();
	ck_assert_uint_lt(link_input(sv.raw).n - before, 30000);
	ck_assert_ptr_nonnull(memmem(link_input(sv.raw).p + before, link_input(sv.raw).n - before, "a word", 6));
	/* a fast one is filled again */
	link_set_input_limit(sv.raw, link_input(sv.raw).n + 300000);
	settle();
	ck_assert_uint_gt(link_unsent(tunnel_link(cl.t)), 50000);
}
END_TEST

/* Two streams with much to send share the line: neither is far ahead while both have more. */
static size_t got[2], furthest;

static void
race_data(struct link *l, void *arg)
{
	size_t me = (size_t)((struct user *)arg - sv.users), d;

	got[me] += link_input(l).n;
	link_drain(l, link_input(l).n);
	d = got[0] > got[1] ? got[0] - got[1] : got[1] - got[0];
	if (got[me] < 1000000 && d > furthest)
		furthest = d;
}

START_TEST(fair)
{
	static const struct link_cb cb = { .on_data = race_data };
	static uint8_t much[1000000];

	got[0] = got[1] = furthest = 0;
	link_mem_set_chunk(net, 16384);
	pair();
	opened("a");
	opened("b");
	for (int i = 0; i < 2; i++) {
		link_set_cb(sv.users[i].l, &cb, &sv.users[i]);
		ck_ok(link_write(cl.users[i].l, span_of(much, sizeof much)));
	}
	settle();
	ck_assert_uint_eq(got[0], sizeof much);
	ck_assert_uint_eq(got[1], sizeof much);
	ck_assert_uint_lt(furthest, 300000);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tunnel");
	TCase *t = tcase_create("opening");

	tcase_add_checked_fixture(t, start, stop);
	tcase_add_test(t, up);
	tcase_add_test(t, opens);
	tcase_add_test(t, before_it_is_up);
	tcase_add_loop_test(t, refuses, 0, TABLE_N(refusals));
	tcase_add_test(t, accepts_later);
	tcase_add_test(t, refuses_later);
	tcase_add_test(t, gone_before_accepted);
	tcase_add_test(t, gone_at_once);
	tcase_add_loop_test(t, service_name_U5, 0, TABLE_N(names));
	tcase_add_test(t, streams_max_U5);
	tcase_add_test(t, streams_max_of_our_own_U5);
	suite_add_tcase(s, t);
	t = tcase_create("octets");
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, both_ways);
	tcase_add_loop_test(t, much_in_pieces, 0, TABLE_N(chunks));
	tcase_add_test(t, deaf_reader_U5);
	tcase_add_test(t, all_but_one_deaf_U5);
	tcase_add_test(t, partial_drains);
	tcase_add_test(t, input_limit);
	tcase_add_test(t, input_limit_early);
	tcase_add_test(t, unsent_limit);
	tcase_add_test(t, a_hundred_at_once);
	tcase_add_test(t, fair);
	tcase_add_test(t, slow_link);
	suite_add_tcase(s, t);
	return unit_run(s);
}
