/* http_client: against our own server and against a server that misbehaves; whom it believes (N4), and how it names what went wrong. */
#include "common/http_client.h"

#include <poll.h>

#include "common/clock.h"
#include "common/http_server.h"
#include "common/log.h"
#include "common/span.h"
#include "test/unit/http_peer.h"

static struct loop *loop;
static struct clock *clk;
static struct http_server *srv;
static struct http_client *cli;
static struct http_tls *tls;
static struct pki_cert ca, other_ca, cert, own;
static bool hold;
static struct http_xchg *held[4];
static size_t n_held;
static size_t n_seen;
static char seen[4096], ports[8][64];

static void
on_request(struct http_xchg *x, void *arg)
{
	const struct http_header h[] = { { "X-Echo", "a  b" }, { "x-echo", "second" }, { "Location", "http://127.0.0.1:1/" } };
	size_t n = 0;

	(void)arg;
	if (hold) {
		held[n_held++] = x;
		return;
	}
	snprintf(ports[n_seen % 8], sizeof ports[0], "%s", x->req->peer->address);
	n_seen++;
	n += (size_t)snprintf(seen + n, sizeof seen - n, "%s %s\n", x->req->method, x->req->path);
	for (size_t i = 0; i < x->req->n_headers; i++)
		n += (size_t)snprintf(seen + n, sizeof seen - n, "%s=%s\n", x->req->headers[i].name, x->req->headers[i].value);
	http_answer(x, strcmp(x->req->path, "/moved") == 0 ? 302 : 200, h, 3,
	    x->req->body.n > 0 ? x->req->body : span_of("he\0lo", 5), false);
}

struct got {
	bool over;
	int status;
	enum reason why;
	char detail[256], echo[64];
	size_t n_echo, n_body;
	uint8_t body[4096];
	pthread_t server;
};

static void
on_reply(void *arg, const struct http_reply *r)
{
	struct got *g = arg;
	const char *echo = http_header_get(r->headers, r->n_headers, "x-ECHO");

	ck_assert(!g->over);
	g->over = true;
	g->status = r->status;
	g->why = r->why;
	snprintf(g->detail, sizeof g->detail, "%s", r->detail == NULL ? "" : r->detail);
	snprintf(g->echo, sizeof g->echo, "%s", echo == NULL ? "" : echo);
	g->n_echo = http_header_count(r->headers, r->n_headers, "X-Echo");
	g->n_body = r->body.n;
	if (r->body.n > 0)
		memcpy(g->body, r->body.p, r->body.n < sizeof g->body ? r->body.n : sizeof g->body);
}

static void
wait_for(const struct got *g)
{
	for (int ms = 0; !g->over; ms++) {
		ck_assert_msg(ms < 20000, "no reply");
		loop_turn(loop, NULL, NULL);
		usleep(1000);
	}
}

static void
start(enum clock_kind kind, const struct http_server_tls *files)
{
	struct http_server_conf conf = { .listen = "127.0.0.1:0", .threads = 1, .tls = files };
	struct http_client_conf cconf = { .user_agent = "kslocal-test/1" };

	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, kind, &clk));
	ck_ok(http_server_new(loop, clk, &conf, on_request, NULL, &srv));
	ck_ok(http_client_new(loop, clk, &cconf, &cli));
}

static void
finish(void)
{
	http_client_free(cli);
	http_tls_free(tls);
	http_server_free(srv);
	while (n_held > 0)
		http_answer(held[--n_held], 200, NULL, 0, span_str(""), false);
	clock_free(clk);
	loop_free(loop);
}

static const char *
url_of(const char *scheme, const char *path)
{
	static char url[128];

	snprintf(url, sizeof url, "%s://%s%s", scheme, http_server_address(srv), path);
	return url;
}

static void
call(const struct http_call *c, struct got *g)
{
	struct http_flight *f;

	memset(g, 0, sizeof *g);
	ck_ok(http_send(cli, c, on_reply, g, &f));
	ck_assert(!g->over);		/* never inside the call */
	wait_for(g);
}

START_TEST(a_get_brings_status_headers_and_body)
{
	static struct got g;
	const struct http_header h[] = { { "Authorization", "Digest x" }, { "X-Empty", "" } };

	start(CLOCK_REAL, NULL);
	call(&(struct http_call){ .method = "GET", .url = url_of("http", "/a"), .headers = h, .n_headers = 2 }, &g);
	ck_assert_int_eq(g.status, 200);
	ck_assert_int_eq(g.why, REASON_NONE);
	ck_assert_str_eq(g.echo, "a  b");
	ck_assert_uint_eq(g.n_echo, 2);
	ck_assert(g.n_body == 5 && memcmp(g.body, "he\0lo", 5) == 0);
	ck_assert(strncmp(seen, "GET /a\n", 7) == 0 && strstr(seen, "Authorization=Digest x\n") != NULL);
	ck_assert(strstr(seen, "User-Agent=kslocal-test/1\n") != NULL && strstr(seen, "X-Empty=\n") != NULL);
	ck_assert(strstr(seen, "Content-Type") == NULL && strstr(seen, "Content-Length") == NULL);
	finish();
}
END_TEST

START_TEST(a_post_carries_its_body_as_it_is)
{
	static struct got g;
	const struct http_header h[] = { { "Content-Type", "application/xml" }, { "User-Agent", "other" } };
	uint8_t body[3000];

	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)i;
	start(CLOCK_REAL, NULL);
	call(&(struct http_call){ .method = "POST", .url = url_of("http", "/"), .headers = h, .n_headers = 2, .body = span_of(body, sizeof body) }, &g);
	ck_assert_int_eq(g.status, 200);
	ck_assert(g.n_body == sizeof body && memcmp(g.body, body, sizeof body) == 0);
	ck_assert(strncmp(seen, "POST /\n", 7) == 0 && strstr(seen, "Content-Type=application/xml\n") != NULL);
	ck_assert(strstr(seen, "Expect") == NULL && strstr(seen, "User-Agent=other\n") != NULL && strstr(seen, "kslocal-test") == NULL);
	/* and one without a body */
	call(&(struct http_call){ .method = "POST", .url = url_of("http", "/") }, &g);
	ck_assert(strstr(seen, "Content-Length=0\n") != NULL && strstr(seen, "Content-Type") == NULL);
	finish();
}
END_TEST

START_TEST(a_redirect_is_an_answer_and_not_followed)
{
	static struct got g;

	start(CLOCK_REAL, NULL);
	call(&(struct http_call){ .method = "GET", .url = url_of("http", "/moved") }, &g);
	ck_assert_int_eq(g.status, 302);
	ck_assert_uint_eq(n_seen, 1);
	finish();
}
END_TEST

START_TEST(no_proxy_is_taken_from_the_environment)
{
	static struct got g;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	start(CLOCK_REAL, NULL);
	call(&(struct http_call){ .method = "GET", .url = url_of("http", "/") }, &g);
	ck_assert_int_eq(g.status, 200);
	finish();
}
END_TEST

START_TEST(dial_goes_elsewhere_than_the_url_says)
{
	static struct got g;

	start(CLOCK_REAL, NULL);
	call(&(struct http_call){ .method = "GET", .url = "http://bsf.example.invalid/x", .dial = http_server_address(srv) }, &g);
	ck_assert_int_eq(g.status, 200);
	ck_assert(strstr(seen, "Host=bsf.example.invalid\n") != NULL);
	finish();
}
END_TEST

START_TEST(connections_are_used_again)
{
	static struct got g;

	start(CLOCK_REAL, NULL);
	for (int i = 0; i < 3; i++)
		call(&(struct http_call){ .method = "GET", .url = url_of("http", "/") }, &g);
	ck_assert(strcmp(ports[0], ports[1]) == 0 && strcmp(ports[0], ports[2]) == 0);
	finish();
}
END_TEST

START_TEST(a_fresh_call_takes_a_new_connection)
{
	static struct got g;

	start(CLOCK_REAL, NULL);
	for (int i = 0; i < 2; i++)
		call(&(struct http_call){ .method = "GET", .url = url_of("http", "/"), .fresh = i == 1 }, &g);
	ck_assert_str_ne(ports[0], ports[1]);
	finish();
}
END_TEST

START_TEST(an_answer_over_the_limit_is_told)
{
	static struct got g;

	start(CLOCK_REAL, NULL);
	call(&(struct http_call){ .method = "GET", .url = url_of("http", "/"), .body_max = 4 }, &g);
	ck_assert_int_eq(g.status, 0);
	ck_assert_int_eq(g.why, REASON_HTTP_TOO_LARGE);
	call(&(struct http_call){ .method = "GET", .url = url_of("http", "/"), .body_max = 5 }, &g);
	ck_assert_int_eq(g.status, 200);
	finish();
}
END_TEST

START_TEST(silence_is_a_timeout)
{
	static struct got g;

	start(CLOCK_REAL, NULL);
	hold = true;
	call(&(struct http_call){ .method = "GET", .url = url_of("http", "/"), .timeout_ms = 100 }, &g);
	ck_assert_int_eq(g.status, 0);
	ck_assert_int_eq(g.why, REASON_HTTP_TIMEOUT);
	finish();
}
END_TEST

START_TEST(nobody_there_is_unreachable)
{
	static struct got g;

	start(CLOCK_REAL, NULL);
	call(&(struct http_call){ .method = "GET", .url = "http://127.0.0.1:1/" }, &g);
	ck_assert_int_eq(g.why, REASON_HTTP_UNREACHABLE);
	ck_assert(g.detail[0] != '\0');
	call(&(struct http_call){ .method = "GET", .url = "http://no-such-name.invalid/" }, &g);
	ck_assert_int_eq(g.why, REASON_HTTP_UNREACHABLE);
	finish();
}
END_TEST

START_TEST(cancel_means_no_callback)
{
	static struct got g;
	struct http_flight *f;

	start(CLOCK_REAL, NULL);
	hold = true;
	/* long enough that it does not end by itself before, also on a machine that is busy */
	ck_ok(http_send(cli, &(struct http_call){ .method = "GET", .url = url_of("http", "/"), .timeout_ms = 1000 }, on_reply, &g, &f));
	for (int i = 0; i < 20; i++) {
		loop_turn(loop, NULL, NULL);
		usleep(1000);
	}
	ck_assert(!g.over);
	http_cancel(cli, f);
	for (int i = 0; i < 1200; i++) {
		loop_turn(loop, NULL, NULL);
		usleep(1000);
	}
	ck_assert(!g.over);
	/* and free with one under way is quiet too */
	ck_ok(http_send(cli, &(struct http_call){ .method = "GET", .url = url_of("http", "/") }, on_reply, &g, &f));
	loop_turn(loop, NULL, NULL);
	finish();
	ck_assert(!g.over);
}
END_TEST

static const struct http_header bad_value[] = { { "X", "a\r\nY: b" } }, bad_name[] = { { "X: y", "a" } };
static const struct http_call bad_calls[] = {
	{ .method = "GET", .url = "ftp://127.0.0.1/" },
	{ .method = "GET", .url = "file:///etc/passwd" },
	{ .method = "GET", .url = "http://" },
	{ .method = "GET", .url = "http://user:secret@127.0.0.1/" },
	{ .method = "GET", .url = "http://127.0.0.1/\r\nX: y" },
	{ .method = "GET", .url = "https://127.0.0.1/" },			/* without tls */
	{ .method = "GE T", .url = "http://127.0.0.1/" },
	{ .method = "", .url = "http://127.0.0.1/" },
	{ .method = "GET", .url = "http://127.0.0.1/", .headers = bad_value, .n_headers = 1 },
	{ .method = "GET", .url = "http://127.0.0.1/", .headers = bad_name, .n_headers = 1 },
};

START_TEST(what_cannot_be_sent_is_refused_at_once)
{
	static struct got g;
	struct http_flight *f = NULL;

	start(CLOCK_REAL, NULL);
	ck_rc(http_send(cli, &bad_calls[_i], on_reply, &g, &f), RC_SYNTAX);
	ck_assert(f == NULL);
	finish();
	ck_assert(!g.over);
}
END_TEST

/* --- a server that says what it is told */

static const char *script;
static int script_fd;

static void *
script_main(void *arg)
{
	char in[4096];
	int fd = accept(script_fd, NULL, NULL);

	(void)arg;
	if (fd >= 0) {
		(void)!read(fd, in, sizeof in);
		(void)!write(fd, script, strlen(script));
		close(fd);
	}
	return NULL;
}

static const struct {
	const char *says;
	int status;
	enum reason why;
} scripts[] = {
	{ "", 0, REASON_HTTP_BROKEN },
	{ "hello\r\n", 0, REASON_HTTP_BROKEN },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", 0, REASON_HTTP_BROKEN },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 0, REASON_HTTP_BROKEN },
	{ "HTTP/1.1 100 Continue\r\nX-Echo: no\r\n\r\nHTTP/1.1 404 Not Found\r\nX-Echo: yes\r\nContent-Length: 0\r\n\r\n", 404, REASON_NONE },
	{ "HTTP/1.0 200 OK\r\nX-Echo: yes\r\n\r\nto the end", 200, REASON_NONE },
};

START_TEST(servers_that_misbehave_are_told_apart)
{
	static struct got g;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof sa;
	char url[64];

	start(CLOCK_REAL, NULL);
	script = scripts[_i].says;
	ck_assert((script_fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && bind(script_fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
	    listen(script_fd, 1) == 0 && getsockname(script_fd, (struct sockaddr *)&sa, &n) == 0);
	ck_assert(pthread_create(&g.server, NULL, script_main, NULL) == 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(sa.sin_port));
	{
		pthread_t t = g.server;

		call(&(struct http_call){ .method = "GET", .url = url }, &g);
		pthread_join(t, NULL);
	}
	ck_assert_int_eq(g.status, scripts[_i].status);
	ck_assert_int_eq(g.why, scripts[_i].why);
	if (g.status != 0)
		ck_assert_str_eq(g.echo, "yes");
	close(script_fd);
	finish();
}
END_TEST

/* On a kept connection a request leaves inside the call, while its sender's turn goes on. */
static int reached[2];

static void *
kept_main(void *arg)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	char in[4096];
	int fd = accept(script_fd, NULL, NULL);

	(void)arg;
	for (int i = 0; i < 2 && fd >= 0; i++) {
		bool ok = read(fd, in, sizeof in) > 0 && write(reached[1], "r", 1) == 1 && write(fd, answer, sizeof answer - 1) > 0;

		if (!ok)
			break;
	}
	close(fd);
	return NULL;
}

START_TEST(a_request_leaves_at_once)
{
	static struct got g;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct pollfd p = { .events = POLLIN };
	socklen_t n = sizeof sa;
	struct http_flight *f;
	pthread_t t;
	char url[64], c;

	start(CLOCK_REAL, NULL);
	ck_assert_int_eq(pipe(reached), 0);
	ck_assert((script_fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && bind(script_fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
	    listen(script_fd, 1) == 0 && getsockname(script_fd, (struct sockaddr *)&sa, &n) == 0);
	ck_assert(pthread_create(&t, NULL, kept_main, NULL) == 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(sa.sin_port));
	call(&(struct http_call){ .method = "GET", .url = url }, &g);
	ck_assert(g.status == 200 && read(reached[0], &c, 1) == 1);
	memset(&g, 0, sizeof g);
	ck_ok(http_send(cli, &(struct http_call){ .method = "GET", .url = url }, on_reply, &g, &f));
	p.fd = reached[0];
	ck_assert_int_eq(poll(&p, 1, 10000), 1);		/* and no turn of the loop */
	ck_assert(!g.over);
	wait_for(&g);
	ck_assert_int_eq(g.status, 200);
	pthread_join(t, NULL);
	close(script_fd);
	close(reached[0]);
	close(reached[1]);
	finish();
}
END_TEST

/* --- TLS */

static const struct {
	struct pki_spec server;
	bool other_ca;
	enum reason why;		/* REASON_NONE: believed */
	const char *detail;
} servers[] = {
	{ { .cn = "x", .san = "DNS:nafkc.example.org", .usage = "serverAuth" }, false, REASON_NONE, "" },
	{ { .cn = "x", .san = "DNS:other.example.org,DNS:nafkc.example.org" }, false, REASON_NONE, "" },
	{ { .cn = "x", .san = "DNS:other.example.org", .usage = "serverAuth" }, false, REASON_HTTP_TLS_SERVER, "other.example.org" },
	{ { .cn = "x", .san = "DNS:*.example.org", .usage = "serverAuth" }, false, REASON_HTTP_TLS_SERVER, "*.example.org" },
	{ { .cn = "nafkc.example.org", .usage = "serverAuth" }, false, REASON_HTTP_TLS_SERVER, "wanted \"nafkc.example.org\"" },
	{ { .cn = "x", .san = "DNS:nafkc.example.org", .usage = "serverAuth" }, true, REASON_HTTP_TLS_SERVER, "issuer" },
	{ { .cn = "x", .san = "DNS:nafkc.example.org", .from_s = -7200, .to_s = -3600 }, false, REASON_HTTP_TLS_SERVER, "expired" },
	{ { .cn = "x", .san = "DNS:nafkc.example.org", .from_s = 3600, .to_s = 7200 }, false, REASON_HTTP_TLS_SERVER, "not yet valid" },
	{ { .cn = "x", .san = "DNS:nafkc.example.org", .usage = "clientAuth" }, false, REASON_HTTP_TLS_SERVER, "purpose" },
};

static struct http_server_tls
make_pki(const struct pki_spec *server, bool by_other)
{
	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "Test CA", .ca = true, .from_s = -86400, .to_s = 86400 * 40 }, NULL);
	pki_make(&other_ca, "other-ca", &(struct pki_spec){ .cn = "Other CA", .ca = true, .from_s = -86400, .to_s = 86400 * 40 }, NULL);
	pki_make(&cert, "server", server, by_other ? &other_ca : &ca);
	return (struct http_server_tls){ cert.crt_file, cert.key_file, ca.crt_file, NULL };
}

static struct http_call
ua_call(void)
{
	return (struct http_call){ .method = "POST", .url = "https://nafkc.example.org/keycentre", .dial = http_server_address(srv),
		.tls = tls, .body = span_str("the B-TID") };
}

START_TEST(n4_only_the_right_server_hears_what_is_asked)
{
	static struct got g;
	struct http_server_tls f = make_pki(&servers[_i].server, servers[_i].other_ca);
	struct http_call c;

	pki_make(&own, "own", &(struct pki_spec){ .cn = "device", .usage = "clientAuth" }, &ca);
	start(CLOCK_REAL, &f);
	ck_ok(http_tls_new(ca.crt_file, own.crt_file, own.key_file, clk, &tls));
	c = ua_call();
	call(&c, &g);
	ck_assert_msg(g.why == servers[_i].why, "%s: %s", reason_get(g.why)->code, g.detail);
	ck_assert_msg(strstr(g.detail, servers[_i].detail) != NULL, "%s", g.detail);
	ck_assert_uint_eq(n_seen, servers[_i].why == REASON_NONE ? 1 : 0);
	finish();
	pki_remove_dir();
}
END_TEST

START_TEST(n4_an_address_needs_an_ip_name)
{
	static struct got g;
	const char *san = _i == 0 ? "IP:127.0.0.1" : "DNS:127.0.0.1";
	struct http_server_tls f = make_pki(&(struct pki_spec){ .cn = "x", .san = san }, false);

	f.client_ca_file = NULL;
	start(CLOCK_REAL, &f);
	ck_ok(http_tls_new(ca.crt_file, NULL, NULL, clk, &tls));
	call(&(struct http_call){ .method = "GET", .url = url_of("https", "/"), .tls = tls }, &g);
	ck_assert_int_eq(g.why, _i == 0 ? REASON_NONE : REASON_HTTP_TLS_SERVER);
	finish();
	pki_remove_dir();
}
END_TEST

static const struct {
	struct pki_spec own;
	bool none, other_ca;
	const char *detail;
} owns[] = {
	{ { .cn = "x" }, true, false, "certificate required" },
	{ { .cn = "x", .usage = "clientAuth" }, false, true, "unknown CA" },
	{ { .cn = "x", .from_s = -7200, .to_s = -3600 }, false, false, "certificate expired" },
	{ { .cn = "x", .usage = "serverAuth" }, false, false, "bad certificate" },
};

START_TEST(a_refusal_of_our_certificate_is_named_though_tls_1_3_tells_it_late)
{
	static struct got g;
	struct http_server_tls f = make_pki(&(struct pki_spec){ .cn = "x", .san = "DNS:nafkc.example.org" }, false);
	struct http_call c;

	pki_make(&own, "own", &owns[_i].own, owns[_i].other_ca ? &other_ca : &ca);
	start(CLOCK_REAL, &f);
	ck_ok(http_tls_new(ca.crt_file, owns[_i].none ? NULL : own.crt_file, owns[_i].none ? NULL : own.key_file, clk, &tls));
	c = ua_call();
	call(&c, &g);
	ck_assert_msg(g.why == REASON_HTTP_TLS_REFUSED, "%s: %s", reason_get(g.why)->code, g.detail);
	ck_assert_msg(strstr(g.detail, owns[_i].detail) != NULL, "%s", g.detail);
	ck_assert_uint_eq(n_seen, 0);
	finish();
	pki_remove_dir();
}
END_TEST

START_TEST(t3_the_servers_certificate_is_judged_by_the_controlled_clock)
{
	static struct got g;
	struct http_server_tls f = make_pki(&(struct pki_spec){ .cn = "x", .san = "DNS:nafkc.example.org" }, false);
	struct http_call c;

	f.client_ca_file = NULL;
	start(CLOCK_CONTROLLED, &f);
	ck_ok(http_tls_new(ca.crt_file, NULL, NULL, clk, &tls));
	c = ua_call();
	call(&c, &g);
	ck_assert_int_eq(g.status, 200);
	call(&c, &g);
	ck_assert(strcmp(ports[0], ports[1]) == 0);
	/* the connection still stands, but what it was judged by does not */
	clock_step_wall(clk, 2 * 3600 * 1000);
	call(&c, &g);
	ck_assert_int_eq(g.why, REASON_HTTP_TLS_SERVER);
	ck_assert_msg(strstr(g.detail, "expired") != NULL, "%s", g.detail);
	ck_assert_uint_eq(n_seen, 2);
	finish();
	pki_remove_dir();
}
END_TEST

START_TEST(calls_of_two_identities_share_no_connection)
{
	static struct got g;
	struct http_server_tls f = make_pki(&(struct pki_spec){ .cn = "x", .san = "DNS:nafkc.example.org" }, false);
	struct http_tls *second;
	struct http_call c;

	pki_make(&own, "own", &(struct pki_spec){ .cn = "device", .usage = "clientAuth" }, &ca);
	start(CLOCK_REAL, &f);
	ck_ok(http_tls_new(ca.crt_file, own.crt_file, own.key_file, clk, &tls));
	ck_ok(http_tls_new(ca.crt_file, own.crt_file, own.key_file, clk, &second));
	c = ua_call();
	call(&c, &g);
	c.tls = second;
	call(&c, &g);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_str_ne(ports[0], ports[1]);
	finish();
	http_tls_free(second);
	pki_remove_dir();
}
END_TEST

START_TEST(tls_to_a_plain_server_is_told)
{
	static struct got g;

	make_pki(&(struct pki_spec){ .cn = "x" }, false);
	start(CLOCK_REAL, NULL);
	ck_ok(http_tls_new(ca.crt_file, NULL, NULL, clk, &tls));
	call(&(struct http_call){ .method = "GET", .url = url_of("https", "/"), .tls = tls }, &g);
	ck_assert_int_eq(g.why, REASON_HTTP_TLS_BROKEN);
	finish();
	pki_remove_dir();
}
END_TEST

static void
quiet(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	++*(int *)arg;
}

START_TEST(bad_tls_files_are_told)
{
	struct http_tls *out = NULL;
	int n_lines = 0;

	make_pki(&(struct pki_spec){ .cn = "x" }, false);
	pki_make(&own, "own", &(struct pki_spec){ .cn = "device" }, &ca);
	log_capture(quiet, &n_lines);
	ck_rc(http_tls_new("/nonexistent", NULL, NULL, NULL, &out), RC_NOTFOUND);
	ck_rc(http_tls_new(own.key_file, NULL, NULL, NULL, &out), RC_SYNTAX);
	ck_rc(http_tls_new(ca.crt_file, own.key_file, own.key_file, NULL, &out), RC_SYNTAX);
	ck_rc(http_tls_new(ca.crt_file, own.crt_file, own.crt_file, NULL, &out), RC_DENIED);	/* 0644 */
	ck_rc(http_tls_new(ca.crt_file, own.crt_file, cert.key_file, NULL, &out), RC_SYNTAX);
	chmod(own.key_file, 0604);
	ck_rc(http_tls_new(ca.crt_file, own.crt_file, own.key_file, NULL, &out), RC_DENIED);
	ck_assert(out == NULL);
	ck_assert_int_eq(n_lines, 6);
	log_capture(NULL, NULL);
	pki_remove_dir();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http_client");
	TCase *t = tcase_create("client");

	tcase_set_timeout(t, 40);
	tcase_add_test(t, a_get_brings_status_headers_and_body);
	tcase_add_test(t, a_post_carries_its_body_as_it_is);
	tcase_add_test(t, a_redirect_is_an_answer_and_not_followed);
	tcase_add_test(t, no_proxy_is_taken_from_the_environment);
	tcase_add_test(t, dial_goes_elsewhere_than_the_url_says);
	tcase_add_test(t, connections_are_used_again);
	tcase_add_test(t, a_fresh_call_takes_a_new_connection);
	tcase_add_test(t, an_answer_over_the_limit_is_told);
	tcase_add_test(t, silence_is_a_timeout);
	tcase_add_test(t, nobody_there_is_unreachable);
	tcase_add_test(t, cancel_means_no_callback);
	tcase_add_loop_test(t, what_cannot_be_sent_is_refused_at_once, 0, TABLE_N(bad_calls));
	tcase_add_loop_test(t, servers_that_misbehave_are_told_apart, 0, TABLE_N(scripts));
	tcase_add_test(t, a_request_leaves_at_once);
	tcase_add_loop_test(t, n4_only_the_right_server_hears_what_is_asked, 0, TABLE_N(servers));
	tcase_add_loop_test(t, n4_an_address_needs_an_ip_name, 0, 2);
	tcase_add_loop_test(t, a_refusal_of_our_certificate_is_named_though_tls_1_3_tells_it_late, 0, TABLE_N(owns));
	tcase_add_test(t, t3_the_servers_certificate_is_judged_by_the_controlled_clock);
	tcase_add_test(t, calls_of_two_identities_share_no_connection);
	tcase_add_test(t, tls_to_a_plain_server_is_told);
	tcase_add_test(t, bad_tls_files_are_told);
	suite_add_tcase(s, t);
	return unit_run(s);
}
