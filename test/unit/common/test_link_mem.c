/* link_mem: the in-memory network behaves as sockets do, one callback at a time. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/link_impl.h"

static struct clock *clk;
static struct link_net *net;

struct end {
	struct link *l;
	int up, data, drained, closed;
	enum reason why;
	bool free_on_data;
};
static struct end a, b;		/* a connects, b accepted */

static void
on_up(struct link *l, void *arg)
{
	ck_assert_ptr_nonnull(l);
	((struct end *)arg)->up++;
}

static void
on_data(struct link *l, void *arg)
{
	struct end *e = arg;

	e->data++;
	if (e->free_on_data) {
		link_free(l);
		e->l = NULL;
	}
}

static void
on_drained(struct link *l, void *arg)
{
	(void)l;
	((struct end *)arg)->drained++;
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	ck_assert_ptr_nonnull(detail);
	ck_assert_int_eq(e->closed, 0);
	e->closed++;
	e->why = why;
	link_free(l);
	e->l = NULL;
}

static const struct link_cb cb = { .on_up = on_up, .on_data = on_data, .on_drained = on_drained, .on_closed = on_closed };

static void
on_accept(struct link *l, void *arg)
{
	struct end *e = arg;

	e->l = l;
	e->up++;
	link_set_cb(l, &cb, e);
}

static struct link_listener *ll;

static void
setup(void)
{
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	ll = NULL;
	ck_assert_int_eq(clock_new_virtual(1000000, &clk), RC_OK);
	ck_assert_int_eq(link_mem_new(clk, &net), RC_OK);
}

static void
teardown(void)
{
	link_free(a.l);
	link_free(b.l);
	link_listener_free(ll);
	link_mem_free(net);
	clock_free(clk);
}

static void
pair(void)
{
	ck_assert_int_eq(link_listen(net, "unix:/x", NULL, on_accept, &b, &ll), RC_OK);
	ck_assert_int_eq(link_connect(net, "unix:/x", NULL, &cb, &a, &a.l), RC_OK);
	ck_assert_int_eq(a.up, 0);	/* never inside the call */
	link_mem_run(net);
	ck_assert_int_eq(a.up, 1);
	ck_assert_int_eq(b.up, 1);
}

static void
input_is(struct link *l, const char *text)
{
	struct span in = link_input(l);

	ck_assert_uint_eq(in.n, strlen(text));
	ck_assert(in.n == 0 || memcmp(in.p, text, in.n) == 0);
}

START_TEST(octets_arrive_by_run)
{
	pair();
	ck_assert_int_eq(link_write(a.l, span_str("ab")), RC_OK);
	ck_assert_int_eq(link_write(a.l, span_str("cd")), RC_OK);
	ck_assert_uint_eq(link_unsent(a.l), 4);
	ck_assert_int_eq(b.data, 0);
	link_mem_run(net);
	ck_assert_int_eq(b.data, 1);
	ck_assert_int_eq(a.drained, 1);
	ck_assert_uint_eq(link_unsent(a.l), 0);
	input_is(b.l, "abcd");
	link_drain(b.l, 3);
	input_is(b.l, "d");
	ck_assert_int_eq(link_write(b.l, span_str("back")), RC_OK);
	link_mem_run(net);
	input_is(a.l, "back");
}
END_TEST

START_TEST(chunks)
{
	pair();
	link_mem_set_chunk(net, 1);
	ck_assert_int_eq(link_write(a.l, span_str("abc")), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(b.data, 3);
	ck_assert_int_eq(a.drained, 1);
	input_is(b.l, "abc");
}
END_TEST

START_TEST(input_limit_holds_the_writer)
{
	pair();
	link_set_input_limit(b.l, 3);
	ck_assert_int_eq(link_write(a.l, span_str("abcdefg")), RC_OK);
	link_mem_run(net);
	input_is(b.l, "abc");
	ck_assert_uint_eq(link_unsent(a.l), 4);
	ck_assert_int_eq(a.drained, 0);
	link_drain(b.l, 2);
	link_mem_run(net);
	input_is(b.l, "cde");
	link_drain(b.l, 3);
	link_mem_run(net);
	input_is(b.l, "fg");
	ck_assert_int_eq(a.drained, 1);
}
END_TEST

START_TEST(unsent_is_bounded)
{
	uint8_t *big = calloc(1, LINK_UNSENT_MAX + 1);

	pair();
	ck_assert_ptr_nonnull(big);
	ck_assert_int_eq(link_write(a.l, span_of(big, LINK_UNSENT_MAX + 1)), RC_LIMIT);
	ck_assert_uint_eq(link_unsent(a.l), 0);
	ck_assert_int_eq(link_write(a.l, span_of(big, LINK_UNSENT_MAX)), RC_OK);
	ck_assert_int_eq(link_write(a.l, span_str("x")), RC_LIMIT);
	free(big);
}
END_TEST

START_TEST(close_sends_what_is_queued)
{
	pair();
	ck_assert_int_eq(link_write(a.l, span_str("last")), RC_OK);
	link_close(a.l);
	ck_assert_int_eq(link_write(a.l, span_str("more")), RC_STATE);
	ck_assert_int_eq(a.closed, 0);
	link_mem_run(net);
	ck_assert_int_eq(a.closed, 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.data, 1);
	ck_assert_int_eq(b.closed, 1);
	ck_assert_int_eq(b.why, REASON_NONE);
}
END_TEST

START_TEST(close_ends_within_5_s)
{
	pair();
	link_set_input_limit(b.l, 1);
	ck_assert_int_eq(link_write(a.l, span_str("never read")), RC_OK);
	link_close(a.l);
	link_mem_run(net);
	ck_assert_int_eq(a.closed, 0);
	clock_advance(clk, 4999);
	link_mem_run(net);
	ck_assert_int_eq(a.closed, 0);
	clock_advance(clk, 1);
	link_mem_run(net);
	ck_assert_int_eq(a.closed, 1);
	ck_assert_int_eq(b.closed, 1);
}
END_TEST

START_TEST(closing_end_hears_no_data)
{
	pair();
	ck_assert_int_eq(link_write(b.l, span_str("late")), RC_OK);
	link_close(a.l);
	link_mem_run(net);
	ck_assert_int_eq(a.data, 0);
	ck_assert_int_eq(a.closed, 1);
}
END_TEST

START_TEST(free_loses_what_was_not_sent)
{
	pair();
	ck_assert_int_eq(link_write(a.l, span_str("lost")), RC_OK);
	link_free(a.l);
	a.l = NULL;
	link_mem_run(net);
	ck_assert_int_eq(a.closed, 0);	/* without callbacks */
	ck_assert_int_eq(b.data, 0);
	ck_assert_int_eq(b.closed, 1);
}
END_TEST

START_TEST(free_inside_a_callback)
{
	pair();
	b.free_on_data = true;
	ck_assert_int_eq(link_write(a.l, span_str("x")), RC_OK);
	link_mem_run(net);
	ck_assert_ptr_null(b.l);
	ck_assert_int_eq(a.closed, 1);
}
END_TEST

START_TEST(nobody_listens)
{
	ck_assert_int_eq(link_connect(net, "tcp:127.0.0.1:9", NULL, &cb, &a, &a.l), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(a.up, 0);
	ck_assert_int_eq(a.closed, 1);
	ck_assert_int_eq(a.why, REASON_LINK_UNREACHABLE);
}
END_TEST

START_TEST(cut_and_back)
{
	pair();
	link_mem_cut(net, "unix:/x", true);
	link_mem_cut(net, "unix:/x", true);
	ck_assert_int_eq(link_write(a.l, span_str("x")), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(a.why, REASON_LINK_BROKEN);
	ck_assert_int_eq(b.why, REASON_LINK_BROKEN);
	ck_assert_int_eq(b.data, 0);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	ck_assert_int_eq(link_connect(net, "unix:/x", NULL, &cb, &a, &a.l), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(a.why, REASON_LINK_UNREACHABLE);
	memset(&a, 0, sizeof a);
	link_mem_cut(net, "unix:/x", false);
	ck_assert_int_eq(link_connect(net, "unix:/x", NULL, &cb, &a, &a.l), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(a.up, 1);
}
END_TEST

START_TEST(tls_at_one_end_only)
{
	int tls;
	struct link_options opt = { .tls = (struct link_tls *)&tls };

	ck_assert_int_eq(link_listen(net, "tcp:127.0.0.1:0", &opt, on_accept, &b, &ll), RC_OK);
	ck_assert_str_ne(link_listener_address(ll), "tcp:127.0.0.1:0");
	ck_assert_int_eq(link_connect(net, link_listener_address(ll), NULL, &cb, &a, &a.l), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(a.why, REASON_LINK_PEER_TLS);
	memset(&a, 0, sizeof a);
	ck_assert_int_eq(link_connect(net, link_listener_address(ll), &opt, &cb, &a, &a.l), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(a.up, 1);
}
END_TEST

START_TEST(more_than_max_links)
{
	struct link_options opt = { .max_links = 1 };
	struct end c = { 0 };

	ck_assert_int_eq(link_listen(net, "unix:/x", &opt, on_accept, &b, &ll), RC_OK);
	ck_assert_int_eq(link_connect(net, "unix:/x", NULL, &cb, &a, &a.l), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(link_connect(net, "unix:/x", NULL, &cb, &c, &c.l), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(c.closed, 1);
	link_free(a.l);
	a.l = NULL;
	link_mem_run(net);
	memset(&c, 0, sizeof c);
	memset(&b, 0, sizeof b);
	ck_assert_int_eq(link_connect(net, "unix:/x", NULL, &cb, &c, &c.l), RC_OK);
	link_mem_run(net);
	ck_assert_int_eq(c.up, 1);
	link_free(c.l);
}
END_TEST

START_TEST(addresses_of_peers)
{
	struct link_peer p;

	pair();
	memset(&p, 0xa5, sizeof p);
	link_get_peer(b.l, &p);
	ck_assert_int_eq(strncmp(p.address, "mem:", 4), 0);
	ck_assert(p.loopback && p.has_cred && !p.has_cert);
	ck_assert_int_eq(link_listen(net, "unix:/x", NULL, on_accept, &b, &ll), RC_IO);
	ck_assert_int_eq(link_listen(net, "", NULL, on_accept, &b, &ll), RC_SYNTAX);
	ck_assert_int_eq(link_connect(net, "", NULL, &cb, &a, &a.l), RC_SYNTAX);
}
END_TEST

static const struct {
	const char *text;
	const char *host;	/* NULL = refused */
	int port;
} addresses[] = {
	{ "tcp:127.0.0.1:80", "127.0.0.1", 80 },
	{ "tcp:[::1]:0", "::1", 0 },
	{ "tcp:bsf.example.org:65535", "bsf.example.org", 65535 },
	{ "unix:/run/x.sock", "/run/x.sock", 0 },
	{ "", NULL, 0 },
	{ "tcp:", NULL, 0 },
	{ "tcp::80", NULL, 0 },
	{ "tcp:h:", NULL, 0 },
	{ "tcp:h:65536", NULL, 0 },
	{ "tcp:h:080", NULL, 0 },
	{ "tcp:h:80 ", NULL, 0 },
	{ "tcp:::1:80", NULL, 0 },
	{ "tcp:[::1:80", NULL, 0 },
	{ "tcp:[::1]80", NULL, 0 },
	{ "tcp:[::1]x:80", NULL, 0 },
	{ "unix:x", NULL, 0 },
	{ "unix:", NULL, 0 },
	{ "udp:h:1", NULL, 0 },
	{ "unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678", NULL, 0 },
};

START_TEST(address_text)
{
	struct link_address x, before;
	enum rc rc;

	memset(&x, 0xa5, sizeof x);
	before = x;
	rc = link_address_parse(addresses[_i].text, &x);
	if (addresses[_i].host == NULL) {
		ck_assert_int_eq(rc, RC_SYNTAX);
		ck_assert_mem_eq(&x, &before, sizeof x);
		return;
	}
	ck_assert_int_eq(rc, RC_OK);
	ck_assert_str_eq(x.host, addresses[_i].host);
	ck_assert_int_eq(x.port, addresses[_i].port);
	ck_assert_int_eq(x.is_unix, strncmp(addresses[_i].text, "unix:", 5) == 0);
}
END_TEST

START_TEST(names_in_certificates)
{
	struct link_peer p = { .dns_names = "bsf.example.org nafkc.Example.org" };

	ck_assert(link_peer_has_name(&p, "bsf.example.org"));
	ck_assert(link_peer_has_name(&p, "nafkc.example.org"));
	ck_assert(!link_peer_has_name(&p, "example.org"));
	ck_assert(!link_peer_has_name(&p, "bsf.example.org nafkc.Example.org"));
	p.dns_names[0] = '\0';
	ck_assert(!link_peer_has_name(&p, ""));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_mem");
	TCase *t = tcase_create("memory");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, octets_arrive_by_run);
	tcase_add_test(t, chunks);
	tcase_add_test(t, input_limit_holds_the_writer);
	tcase_add_test(t, unsent_is_bounded);
	tcase_add_test(t, close_sends_what_is_queued);
	tcase_add_test(t, close_ends_within_5_s);
	tcase_add_test(t, closing_end_hears_no_data);
	tcase_add_test(t, free_loses_what_was_not_sent);
	tcase_add_test(t, free_inside_a_callback);
	tcase_add_test(t, nobody_listens);
	tcase_add_test(t, cut_and_back);
	tcase_add_test(t, tls_at_one_end_only);
	tcase_add_test(t, more_than_max_links);
	tcase_add_test(t, addresses_of_peers);
	tcase_add_loop_test(t, address_text, 0, (int)(sizeof addresses / sizeof addresses[0]));
	tcase_add_test(t, names_in_certificates);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
