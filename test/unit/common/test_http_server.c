/* http_server: what it refuses by itself, deadlines, limits, overload and the orderly end; over real sockets, plain HTTP. */
#include "common/http_server.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/span.h"
#include "test/unit/http_peer.h"

static struct loop *loop;
static struct clock *clk;
static struct http_server *srv;
static struct http_xchg *held[64];
static size_t n_held, n_seen;
static bool hold, on_loop;
static int reset_fd = -1;		/* a client that goes as soon as its request is there */
static char seen_body[9000], seen_path[256], seen_query[256];

static void
on_request(struct http_xchg *x, void *arg)
{
	const struct http_header h[] = { { "Content-Type", "text/plain" }, { "X-Method", x->req->method } };

	(void)arg;
	n_seen++;
	ck_assert(span_to_str(x->req->body, seen_body, sizeof seen_body));
	snprintf(seen_path, sizeof seen_path, "%s", x->req->path);
	snprintf(seen_query, sizeof seen_query, "%s", x->req->query == NULL ? "-" : x->req->query);
	if (reset_fd >= 0)
		ck_assert_int_eq(close(reset_fd), 0);
	reset_fd = -1;
	if (hold)
		held[n_held++] = x;
	else
		http_answer(x, 200, h, 2, span_str("hello"), false);
}

static size_t
refusal_body(enum reason why, char *out, size_t cap)
{
	int n = snprintf(out, cap, "<%s>", reason_get(why)->code);

	return (size_t)n;
}

static void
start(const struct http_server_conf *over)
{
	struct http_server_conf conf = *over;

	conf.listen = "127.0.0.1:0";
	conf.on_loop = on_loop;
	conf.threads = conf.threads == 0 ? 2 : conf.threads;
	conf.refusal_body = refusal_body;
	conf.refusal_type = "text/x-refusal";
	conf.server_header = "test 3gpp-gba-tmpi";
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	ck_ok(http_server_new(loop, clk, &conf, on_request, NULL, &srv));
}

static void
finish(void)
{
	http_server_free(srv);
	clock_free(clk);
	loop_free(loop);
}

static void
talk(struct http_peer_run *r)
{
	r->address = http_server_address(srv);
	http_peer_start(r);
	http_peer_wait(r, loop, NULL, NULL);
}

#define HEAD "Host: a.example\r\n"

START_TEST(a_request_is_handed_over_whole_and_answered)
{
	static struct http_peer_run r;
	const char *parts[] = { "POST /a%20b?x=%31 HTTP/1.1\r\n" HEAD "Content-Length: 11\r\n\r\nhello ", "world", NULL };

	start(&(struct http_server_conf){ 0 });
	r = (struct http_peer_run){ .parts = parts, .pause_ms = 20, .answers = 1 };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	ck_assert(strstr(r.in, "\r\nX-Method: POST\r\n") != NULL && strstr(r.in, "\r\nServer: test 3gpp-gba-tmpi\r\n") != NULL);
	ck_assert_str_eq(seen_body, "hello world");
	ck_assert_str_eq(seen_path, "/a b");
	ck_assert_str_eq(seen_query, "x=%31");
	finish();
}
END_TEST

START_TEST(connections_are_kept_and_pipelined_requests_answered)
{
	static struct http_peer_run r;
	const char *one = "GET / HTTP/1.1\r\n" HEAD "\r\n";
	const char *parts[] = { one, one, "GET / HTTP/1.1\r\n" HEAD "\r\nGET / HTTP/1.1\r\n" HEAD "Connection: close\r\n\r\n", NULL };

	start(&(struct http_server_conf){ 0 });
	r = (struct http_peer_run){ .parts = parts, .pause_ms = 20, .answers = 0 };
	talk(&r);
	ck_assert_int_eq(http_peer_answers(&r), 4);
	ck_assert_uint_eq(n_seen, 4);
	finish();
}
END_TEST

START_TEST(a_chunked_body_is_joined)
{
	static struct http_peer_run r;
	const char *parts[] = { "POST / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", NULL };

	start(&(struct http_server_conf){ 0 });
	r = (struct http_peer_run){ .parts = parts, .answers = 1 };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	ck_assert_str_eq(seen_body, "hello world");
	finish();
}
END_TEST

static const struct {
	const char *request, *refusal;
	int status;
} refused[] = {
	{ "GET / HTTP/1.1\r\n\r\n", "<http-host>", 400 },
	{ "GET / HTTP/1.0\r\n\r\n", "<http-host>", 400 },
	{ "GET / HTTP/1.1\r\n" HEAD "Host: b.example\r\n\r\n", "<http-host>", 400 },
	{ "POST / HTTP/1.1\r\n" HEAD "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "<http-length>", 400 },
	{ "POST / HTTP/1.1\r\n" HEAD "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "<http-length>", 400 },
	{ "POST / HTTP/1.1\r\n" HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "<http-length>", 400 },
	{ "POST / HTTP/1.1\r\n" HEAD "Transfer-Encoding: gzip\r\n\r\n", "<http-length>", 400 },
	{ "POST / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "<http-length>", 400 },
	{ "POST / HTTP/1.1\r\n" HEAD "Content-Length : 3\r\n\r\nabc", "<http-bad-head>", 400 },
	{ "GET /a b HTTP/1.1\r\n" HEAD "\r\n", "<http-bad-head>", 400 },
	{ "GET /a%00b HTTP/1.1\r\n" HEAD "\r\n", "<http-bad-head>", 400 },
	{ "GET http://a.example/ HTTP/1.1\r\n" HEAD "\r\n", "<http-bad-head>", 400 },
	/* these the library refuses in its own words */
	{ "POST / HTTP/1.1\r\n" HEAD "Content-Length: -3\r\n\r\nabc", NULL, 400 },
	{ "GET / HTTP/2.0\r\n" HEAD "\r\n", NULL, 505 },
	{ "GET / HTTP/1.1\r\n" HEAD "no colon\r\n\r\n", NULL, 400 },
	{ "hello\r\n\r\n", NULL, 400 },
};

START_TEST(a_bad_head_is_refused_and_the_connection_closed)
{
	static struct http_peer_run r;
	const char *parts[] = { refused[_i].request, NULL };

	start(&(struct http_server_conf){ 0 });
	r = (struct http_peer_run){ .parts = parts };
	talk(&r);
	if (http_peer_status(&r) != 0 || refused[_i].refusal != NULL)
		ck_assert_int_eq(http_peer_status(&r), refused[_i].status);
	if (refused[_i].refusal != NULL)
		ck_assert(strstr(r.in, refused[_i].refusal) != NULL && strstr(r.in, "Connection: close") != NULL);
	ck_assert(r.closed);
	ck_assert_uint_eq(n_seen, 0);
	finish();
}
END_TEST

START_TEST(a_body_over_the_limit_is_413)
{
	static char body[200000];
	static struct http_peer_run r;
	const char *heads[] = { "POST / HTTP/1.1\r\n" HEAD "Content-Length: 101\r\n\r\n", "POST / HTTP/1.1\r\n" HEAD "Content-Length: 150000\r\n\r\n",
		"POST / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n249f0\r\n" };
	size_t n[] = { 101, 150000, 150000 };
	const char *parts[] = { heads[_i], body, _i == 2 ? "\r\n0\r\n\r\n" : NULL, NULL };

	memset(body, 'a', n[_i]);
	start(&(struct http_server_conf){ .body_max = 100 });
	r = (struct http_peer_run){ .parts = parts };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 413);
	ck_assert(strstr(r.in, "<http-body-large>") != NULL && strstr(r.in, "text/x-refusal") != NULL && r.closed);
	ck_assert_uint_eq(n_seen, 0);
	finish();
}
END_TEST

START_TEST(a_body_without_end_is_cut_off_with_413)
{
	static char chunk[110000];
	static struct http_peer_run r;
	const char *parts[32] = { "POST / HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n" };

	memset(chunk, 'a', sizeof chunk - 1);
	memcpy(chunk, "1adae\r\n", 7);		/* 110,000 - 1 - 7 - 2 + … octets */
	snprintf(chunk, 8, "%05x\r\n", (unsigned)(sizeof chunk - 1 - 7 - 2));
	chunk[7] = 'a';
	memcpy(chunk + sizeof chunk - 3, "\r\n", 2);
	for (int i = 1; i < 20; i++)
		parts[i] = chunk;
	start(&(struct http_server_conf){ .body_max = 100 });
	r = (struct http_peer_run){ .parts = parts };
	talk(&r);
	/* the reset may overtake the answer: what counts is that it ended */
	ck_assert(r.closed);
	ck_assert_uint_eq(n_seen, 0);
	finish();
}
END_TEST

START_TEST(a_body_at_the_limit_is_taken)
{
	static struct http_peer_run r;
	const char *parts[] = { "POST / HTTP/1.1\r\n" HEAD "Content-Length: 5\r\n\r\nhello", NULL };

	start(&(struct http_server_conf){ .body_max = 5 });
	r = (struct http_peer_run){ .parts = parts, .answers = 1 };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	finish();
}
END_TEST

START_TEST(a_head_over_the_limit_is_431)
{
	static char text[16384];
	static struct http_peer_run r;
	size_t n = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HEAD);
	const char *parts[] = { text, NULL };

	if (_i == 0)			/* one long header */
		n += (size_t)snprintf(text + n, sizeof text - n, "X: %0*d\r\n", 2000, 0);
	else				/* too many */
		for (int i = 0; i < HTTP_HEADERS_MAX; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, "X: 1\r\n");
	snprintf(text + n, sizeof text - n, "\r\n");
	start(&(struct http_server_conf){ .head_max = 1000 });
	r = (struct http_peer_run){ .parts = parts };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 431);
	ck_assert(strstr(r.in, "<http-head-large>") != NULL && r.closed);
	finish();
}
END_TEST

START_TEST(a_body_that_trickles_or_stalls_is_408)
{
	static struct http_peer_run r;
	const char *drip[] = { "POST / HTTP/1.1\r\n" HEAD "Content-Length: 1000\r\n\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL };
	const char *stall[] = { "POST / HTTP/1.1\r\n" HEAD "Content-Length: 1000\r\n\r\nabc", NULL };

	start(&(struct http_server_conf){ .request_ms = 200 });
	r = (struct http_peer_run){ .parts = _i == 0 ? drip : stall, .pause_ms = 20, .drip = _i == 0 ? 2 : 0 };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 408);
	ck_assert(strstr(r.in, "<http-slow>") != NULL && r.closed);
	ck_assert_uint_eq(n_seen, 0);
	finish();
}
END_TEST

START_TEST(a_head_that_trickles_ends_the_connection)
{
	static struct http_peer_run r;
	const char *parts[] = { "GET / HTTP/1.1\r\nX-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", NULL };

	start(&(struct http_server_conf){ .request_ms = 150, .idle_ms = _i == 0 ? 400 : 30000 });
	r = (struct http_peer_run){ .parts = parts, .pause_ms = 20, .drip = 1 };
	talk(&r);
	ck_assert(r.closed && r.n == 0);
	finish();
}
END_TEST

START_TEST(an_idle_connection_ends)
{
	static struct http_peer_run r;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };

	start(&(struct http_server_conf){ .idle_ms = 200 });
	r = (struct http_peer_run){ .parts = parts };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	ck_assert(r.closed);
	finish();
}
END_TEST

START_TEST(no_answer_in_time_is_503_and_a_late_one_is_dropped)
{
	static struct http_peer_run r;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };

	start(&(struct http_server_conf){ .answer_ms = 100 });
	hold = true;
	r = (struct http_peer_run){ .parts = parts };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 503);
	ck_assert(strstr(r.in, "<http-no-answer>") != NULL && strstr(r.in, "Retry-After: 1") != NULL && r.closed);
	ck_assert_uint_eq(n_held, 1);
	http_answer(held[0], 200, NULL, 0, span_str("late"), false);
	finish();
}
END_TEST

/* Its request is with the core, which holds it. */
static void
start_held(struct http_peer_run *r, const char **parts)
{
	*r = (struct http_peer_run){ .parts = parts, .answers = 1, .address = http_server_address(srv) };
	http_peer_start(r);
	while (n_held == 0)
		loop_turn(loop, NULL, NULL);
}

START_TEST(a_full_queue_is_503)
{
	static struct http_peer_run a, b;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };

	start(&(struct http_server_conf){ .waiting_max = 1 });
	hold = true;
	start_held(&a, parts);
	b = (struct http_peer_run){ .parts = parts };
	talk(&b);
	ck_assert_int_eq(http_peer_status(&b), 503);
	ck_assert(strstr(b.in, "<overload>") != NULL);
	http_answer(held[0], 200, NULL, 0, span_str("x"), false);
	http_peer_wait(&a, loop, NULL, NULL);
	ck_assert_int_eq(http_peer_status(&a), 200);
	finish();
}
END_TEST

START_TEST(one_address_has_at_most_per_ip_connections)
{
	static struct http_peer_run a, b;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };

	start(&(struct http_server_conf){ .per_ip = 1 });
	hold = true;
	start_held(&a, parts);
	b = (struct http_peer_run){ .parts = parts };
	talk(&b);
	ck_assert(b.n == 0);
	http_answer(held[0], 200, NULL, 0, span_str("x"), false);
	http_peer_wait(&a, loop, NULL, NULL);
	ck_assert_int_eq(http_peer_status(&a), 200);
	finish();
}
END_TEST

static bool stopped;

static void
on_stopped(void *arg)
{
	(void)arg;
	stopped = true;
}

START_TEST(stop_answers_what_is_in_flight_and_takes_nothing_new)
{
	static struct http_peer_run a, idle;
	static atomic_bool gate;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };
	const char *twice[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };

	start(&(struct http_server_conf){ 0 });
	idle = (struct http_peer_run){ .parts = twice, .gate = &gate, .answers = 2, .address = http_server_address(srv) };
	http_peer_start(&idle);
	while (n_seen == 0)
		loop_turn(loop, NULL, NULL);
	hold = true;
	a = (struct http_peer_run){ .parts = parts, .address = http_server_address(srv) };
	http_peer_start(&a);
	while (n_held == 0)
		loop_turn(loop, NULL, NULL);
	http_server_stop(srv, on_stopped, NULL);
	atomic_store(&gate, true);
	http_peer_wait(&idle, loop, NULL, NULL);	/* its second request comes while we stop */
	ck_assert(!stopped);
	ck_assert_msg(strstr(idle.in, "<stopping>") != NULL, "%s", idle.in);
	ck_assert_int_eq(http_peer_dial(http_server_address(srv)), -1);
	http_answer(held[0], 200, NULL, 0, span_str("last"), false);
	http_peer_wait(&a, loop, NULL, NULL);
	ck_assert_int_eq(http_peer_status(&a), 200);
	ck_assert(strstr(a.in, "last") != NULL && strstr(a.in, "Connection: close") != NULL && a.closed);
	for (int i = 0; i < 1000 && !stopped; i++) {
		loop_turn(loop, NULL, NULL);
		usleep(1000);
	}
	ck_assert(stopped);
	finish();
}
END_TEST

START_TEST(free_without_stop_answers_503_and_a_later_answer_is_harmless)
{
	static struct http_peer_run a;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };

	start(&(struct http_server_conf){ 0 });
	hold = true;
	a = (struct http_peer_run){ .parts = parts, .address = http_server_address(srv) };
	http_peer_start(&a);
	while (n_held == 0)
		loop_turn(loop, NULL, NULL);
	http_server_free(srv);
	pthread_join(a.thread, NULL);
	ck_assert_int_eq(http_peer_status(&a), 503);
	http_answer(held[0], 200, NULL, 0, span_str("too late"), false);
	clock_free(clk);
	loop_free(loop);
}
END_TEST

START_TEST(a_client_that_leaves_while_its_request_waits_changes_nothing)
{
	static struct http_peer_run a;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };

	start(&(struct http_server_conf){ 0 });
	hold = true;
	a = (struct http_peer_run){ .parts = parts, .stop_before_read = true };
	talk(&a);
	while (n_held == 0)
		loop_turn(loop, NULL, NULL);
	http_answer(held[0], 200, NULL, 0, span_str("x"), false);
	hold = false;
	a = (struct http_peer_run){ .parts = parts, .answers = 1 };
	talk(&a);
	ck_assert_int_eq(http_peer_status(&a), 200);
	finish();
}
END_TEST

START_TEST(a_client_that_resets_while_its_request_waits_changes_nothing)
{
	static struct http_peer_run a;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };
	struct linger at_once = { 1, 0 };
	struct http_server_stats st;

	start(&(struct http_server_conf){ 0 });
	hold = true;
	ck_assert((reset_fd = http_peer_dial(http_server_address(srv))) >= 0);
	ck_assert_int_eq(setsockopt(reset_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
	ck_assert_int_eq(write(reset_fd, parts[0], strlen(parts[0])), (ssize_t)strlen(parts[0]));
	while (n_held == 0)
		loop_turn(loop, NULL, NULL);
	loop_turn(loop, NULL, NULL);
	http_answer(held[0], 200, NULL, 0, span_str("x"), false);
	hold = false;
	a = (struct http_peer_run){ .parts = parts, .answers = 1 };
	talk(&a);
	ck_assert_int_eq(http_peer_status(&a), 200);
	do {
		loop_turn(loop, NULL, NULL);
		http_server_get_stats(srv, &st);
	} while (st.in_flight > 0);
	finish();
}
END_TEST

START_TEST(what_the_core_works_at_counts_though_its_client_has_gone)
{
	static struct http_peer_run a;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };
	const struct linger at_once = { .l_onoff = 1 };

	start(&(struct http_server_conf){ .waiting_max = 1 });
	hold = true;
	ck_assert((reset_fd = http_peer_dial(http_server_address(srv))) >= 0);
	ck_assert_int_eq(setsockopt(reset_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
	ck_assert_int_eq(write(reset_fd, parts[0], strlen(parts[0])), (ssize_t)strlen(parts[0]));
	while (n_held == 0)
		loop_turn(loop, NULL, NULL);
	hold = false;
	a = (struct http_peer_run){ .parts = parts, .answers = 1 };
	talk(&a);
	ck_assert_int_eq(http_peer_status(&a), 503);
	ck_assert_uint_eq(n_seen, 1);
	http_answer(held[0], 200, NULL, 0, span_str("x"), false);
	a = (struct http_peer_run){ .parts = parts, .answers = 1 };
	talk(&a);
	ck_assert_int_eq(http_peer_status(&a), 200);
	finish();
}
END_TEST

START_TEST(who_waits_at_the_limit_of_connections_gets_in_when_another_goes)
{
	static struct http_peer_run a, b;
	const char *parts[] = { "GET / HTTP/1.1\r\n" HEAD "\r\n", NULL };

	start(&(struct http_server_conf){ .connections = 1 });
	hold = true;
	start_held(&a, parts);
	hold = false;
	b = (struct http_peer_run){ .parts = parts, .answers = 1, .address = http_server_address(srv) };
	http_peer_start(&b);
	for (int i = 0; i < 100; i++)
		loop_turn(loop, NULL, NULL);
	ck_assert_uint_eq(n_seen, 1);
	http_answer(held[0], 200, NULL, 0, span_str("x"), false);
	http_peer_wait(&a, loop, NULL, NULL);
	http_peer_wait(&b, loop, NULL, NULL);
	ck_assert_int_eq(http_peer_status(&b), 200);
	finish();
}
END_TEST

START_TEST(addresses_that_cannot_be_bound_are_told)
{
	static const struct {
		const char *listen;
		enum rc rc;
	} bad[] = { { "127.0.0.1", RC_SYNTAX }, { "host.example:1", RC_SYNTAX }, { "127.0.0.1:99999", RC_SYNTAX }, { "192.0.2.1:0", RC_IO } };
	struct http_server_conf conf = { .listen = bad[_i].listen };
	struct http_server *out = NULL;

	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	ck_rc(http_server_new(loop, clk, &conf, on_request, NULL, &out), bad[_i].rc);
	ck_assert(out == NULL);
	clock_free(clk);
	loop_free(loop);
}
END_TEST

START_TEST(ipv6_is_bound_and_printed_in_brackets)
{
	struct http_server_conf conf = { .listen = "[::1]:0" };

	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	ck_ok(http_server_new(loop, clk, &conf, on_request, NULL, &srv));
	ck_assert(strncmp(http_server_address(srv), "[::1]:", 6) == 0);
	ck_rc(http_server_reload(srv), RC_STATE);
	finish();
}
END_TEST

static void
set_on_loop(void)
{
	on_loop = true;
}

/* With threads, and on the loop: what clients see is the same. */
static TCase *
all_cases(const char *name, void (*setup)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 40);
	tcase_add_test(t, a_request_is_handed_over_whole_and_answered);
	tcase_add_test(t, connections_are_kept_and_pipelined_requests_answered);
	tcase_add_test(t, a_chunked_body_is_joined);
	tcase_add_loop_test(t, a_bad_head_is_refused_and_the_connection_closed, 0, TABLE_N(refused));
	tcase_add_loop_test(t, a_body_over_the_limit_is_413, 0, 3);
	tcase_add_test(t, a_body_without_end_is_cut_off_with_413);
	tcase_add_test(t, a_body_at_the_limit_is_taken);
	tcase_add_loop_test(t, a_head_over_the_limit_is_431, 0, 2);
	tcase_add_loop_test(t, a_body_that_trickles_or_stalls_is_408, 0, 2);
	tcase_add_loop_test(t, a_head_that_trickles_ends_the_connection, 0, 2);
	tcase_add_test(t, an_idle_connection_ends);
	tcase_add_test(t, no_answer_in_time_is_503_and_a_late_one_is_dropped);
	tcase_add_test(t, a_full_queue_is_503);
	tcase_add_test(t, one_address_has_at_most_per_ip_connections);
	tcase_add_test(t, stop_answers_what_is_in_flight_and_takes_nothing_new);
	tcase_add_test(t, free_without_stop_answers_503_and_a_later_answer_is_harmless);
	tcase_add_test(t, a_client_that_leaves_while_its_request_waits_changes_nothing);
	tcase_add_test(t, a_client_that_resets_while_its_request_waits_changes_nothing);
	tcase_add_test(t, what_the_core_works_at_counts_though_its_client_has_gone);
	tcase_add_test(t, who_waits_at_the_limit_of_connections_gets_in_when_another_goes);
	tcase_add_loop_test(t, addresses_that_cannot_be_bound_are_told, 0, 4);
	tcase_add_test(t, ipv6_is_bound_and_printed_in_brackets);
	return t;
}

int
main(void)
{
	Suite *s = suite_create("http_server");

	suite_add_tcase(s, all_cases("threads", NULL));
	suite_add_tcase(s, all_cases("on the loop", set_on_loop));
	return unit_run(s);
}
