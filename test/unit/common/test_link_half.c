/* half_open links: one direction ends, the other goes on; resets. Over memory, TCP and UNIX sockets. */
#include <fcntl.h>
#include <sys/socket.h>

#include "common/link_impl.h"
#include "common/log.h"
#include "test/unit/common/media.h"

struct end {
	struct link *l;
	int up, data, eof, closed;
	bool drain, free_on_eof, answer_on_eof;
	size_t n;
	enum reason why;
};
static struct end a, b;

static void
on_up(struct link *l, void *arg)
{
	(void)l;
	((struct end *)arg)->up++;
}

static void
on_data(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert_int_eq(e->eof + e->closed, 0);
	e->data++;
	if (e->drain) {
		e->n += link_input(l).n;
		link_drain(l, link_input(l).n);
	}
}

static void
on_eof(struct link *l, void *arg)
{
	struct end *e = arg;

	ck_assert_int_eq(e->eof + e->closed, 0);
	e->eof++;
	if (e->answer_on_eof) {
		ck_ok(link_write(l, span_str("bye")));
		ck_ok(link_shutdown(l));
	}
	if (e->free_on_eof) {
		link_free(l);
		e->l = NULL;
	}
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	(void)detail;
	ck_assert_int_eq(e->closed, 0);
	e->closed++;
	e->why = why;
	link_free(l);
	e->l = NULL;
}

static const struct link_cb cb = { .on_up = on_up, .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };

static void
on_accept(struct link *l, void *arg)
{
	(void)arg;
	b.l = l;
	b.up++;
	link_set_cb(l, &cb, &b);
}

static void
pair(bool half_a, bool half_b)
{
	struct link_options opt_a = { .half_open = half_a }, opt_b = { .half_open = half_b };

	ck_ok(link_listen(net, address(), &opt_b, on_accept, NULL, &ll));
	ck_ok(link_connect(net, link_listener_address(ll), &opt_a, &cb, &a, &a.l));
	until(a.up == 1 && b.up == 1);
}

#define BEGIN(name) START_TEST(name) { memset(&a, 0, sizeof a); memset(&b, 0, sizeof b); media_setup(_i);
#define END link_free(a.l); link_free(b.l); media_teardown(); } END_TEST

BEGIN(one_direction_ends_the_other_goes_on)
	pair(true, true);
	b.drain = a.drain = true;
	ck_ok(link_write(a.l, span_str("request")));
	ck_ok(link_shutdown(a.l));
	ck_rc(link_shutdown(a.l), RC_STATE);
	ck_rc(link_write(a.l, span_str("more")), RC_STATE);
	until(b.eof == 1);
	ck_assert_uint_eq(b.n, 7);
	quiet();
	ck_assert_int_eq(a.closed + b.closed, 0);
	ck_ok(link_write(b.l, span_str("answer")));
	until(a.n == 6);
	quiet();
	ck_assert_int_eq(a.eof + a.closed + b.closed, 0);
	ck_ok(link_shutdown(b.l));
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.eof, 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.why, REASON_NONE);
END

/* What is queued leaves first, however much. */
BEGIN(the_end_follows_the_last_octet)
	static char big[3 << 20];

	pair(true, true);
	b.drain = a.drain = b.answer_on_eof = true;
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	ck_ok(link_shutdown(a.l));
	until(a.closed == 1 && b.closed == 1);
	ck_assert_uint_eq(b.n, sizeof big);
	ck_assert_uint_eq(a.n, 3);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.why, REASON_NONE);
END

/* Both ends have said it, but octets wait: on_closed waits, too. */
BEGIN(octets_that_wait_are_not_lost)
	static char big[40000];

	pair(true, true);
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	ck_ok(link_shutdown(a.l));
	until(b.eof == 1);
	ck_ok(link_shutdown(b.l));
	quiet();
	ck_assert_int_eq(b.closed, 0);
	ck_assert_uint_eq(link_input(b.l).n, sizeof big);
	link_drain(b.l, sizeof big - 1);
	quiet();
	ck_assert_int_eq(b.closed, 0);
	link_drain(b.l, 1);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(b.why, REASON_NONE);
END

/* A single octet that might begin TLS is told when it turns out to be all. */
BEGIN(one_octet_and_the_end)
	pair(true, true);
	b.drain = true;
	ck_ok(link_write(a.l, span_str("\x16")));
	ck_ok(link_shutdown(a.l));
	until(b.eof == 1);
	ck_assert_uint_eq(b.n, 1);
END

BEGIN(a_link_that_is_not_half_open)
	pair(true, false);
	ck_rc(link_shutdown(b.l), RC_STATE);
	ck_ok(link_shutdown(a.l));
	until(b.closed == 1);
	ck_assert_int_eq(b.why, REASON_NONE);
	ck_assert_int_eq(b.eof, 0);
	until(a.eof == 1);
END

/* The peer closed altogether: its end of sending, and whoever still writes to it notices. */
BEGIN(the_peer_closes_altogether)
	pair(true, true);
	link_close(b.l);
	until(b.closed == 1 && a.eof == 1);
	quiet();
	ck_assert_int_eq(a.closed, 0);
	if (_i == MEM) {	/* a socket's peer lingers for a while, and swallows what comes */
		ck_ok(link_write(a.l, span_str("anybody?")));
		until(a.closed == 1);
		ck_assert_int_eq(a.why, REASON_LINK_BROKEN);
	}
END

BEGIN(close_in_answer_to_the_end)
	pair(true, true);
	ck_ok(link_shutdown(a.l));
	until(b.eof == 1);
	link_close(b.l);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.why, REASON_NONE);
END

BEGIN(freed_inside_on_eof)
	pair(true, true);
	b.free_on_eof = true;
	ck_ok(link_shutdown(a.l));
	until(a.closed == 1 && b.l == NULL);
	ck_assert_int_eq(b.closed, 0);
	ck_assert_int_eq(a.why, REASON_NONE);
END

/* TCP: RST is the end at once, and no good one. A UNIX socket knows only an end. */
BEGIN(reset)
	pair(true, true);
	link_reset(a.l);
	a.l = NULL;
	if (_i == UNIX) {
		until(b.eof == 1);
	} else {
		until(b.closed == 1);
		ck_assert_int_eq(b.eof, 0);
		ck_assert_str_eq(reason_get(b.why)->code, "link-broken");
	}
	link_reset(NULL);
END

/* With octets on their way: they are lost with it. */
BEGIN(reset_after_the_end_of_sending)
	pair(true, true);
	ck_ok(link_shutdown(a.l));
	until(b.eof == 1);
	link_reset(b.l);
	b.l = NULL;
	until(a.closed == 1 || a.eof == 1);
	if (_i != UNIX) {
		ck_assert_int_eq(a.eof, 0);
		ck_assert_int_eq(a.why, REASON_LINK_BROKEN);
	}
END

BEGIN(not_before_it_is_up)
	struct link_options opt = { .half_open = true };

	ck_ok(link_listen(net, address(), &opt, on_accept, NULL, &ll));
	ck_ok(link_connect(net, link_listener_address(ll), &opt, &cb, &a, &a.l));
	ck_rc(link_shutdown(a.l), RC_STATE);
	link_reset(a.l);	/* while it is being dialled */
	a.l = NULL;
	quiet();
END

/* A slow reader holds up the writer, and the end comes behind it all. */
BEGIN(the_end_behind_a_slow_reader)
	static char big[1 << 20];
	size_t read = 0;

	pair(true, true);
	link_set_input_limit(b.l, 10000);
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	ck_ok(link_shutdown(a.l));
	while (read < sizeof big) {
		size_t n;

		until(link_input(b.l).n > 0);
		ck_assert_int_eq(b.closed, 0);
		n = link_input(b.l).n;
		ck_assert_uint_le(n, 10000 + 70000);
		read += n;
		link_drain(b.l, n);
	}
	until(b.eof == 1);
	ck_assert_uint_eq(read, sizeof big);
END

int
main(void)
{
	Suite *s = suite_create("link_half");
	TCase *t = tcase_create("half_open");

	log_set_level(LOG_LEVEL_ERROR);
#define ADD(test) tcase_add_loop_test(t, test, MEM, MEDIA)
	ADD(one_direction_ends_the_other_goes_on);
	ADD(the_end_follows_the_last_octet);
	ADD(octets_that_wait_are_not_lost);
	ADD(one_octet_and_the_end);
	ADD(a_link_that_is_not_half_open);
	ADD(the_peer_closes_altogether);
	ADD(close_in_answer_to_the_end);
	ADD(freed_inside_on_eof);
	ADD(reset);
	ADD(reset_after_the_end_of_sending);
	ADD(not_before_it_is_up);
	ADD(the_end_behind_a_slow_reader);
	suite_add_tcase(s, t);
	return unit_run(s);
}
