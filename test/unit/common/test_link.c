/* link on real sockets, plain: TCP and UNIX, names, limits, ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/link_impl.h"
#include "common/log.h"
#include "common/loop.h"
#include "test/unit/unit.h"

static struct loop *loop;
static struct clock *clk;
static struct link_net *net;
static struct link_listener *ll;
static char dir[] = "/tmp/kslocal-link-XXXXXX";
static char sock_address[128];

struct end {
	struct link *l;
	int up, data, drained, closed;
	bool drain, free_on_data;
	size_t n;
	enum reason why;
	char detail[200];
};
static struct end a, b;

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
	size_t n = link_input(l).n;

	e->data++;
	if (e->drain) {
		e->n += n;
		link_drain(l, n);
	}
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

	ck_assert_int_eq(e->closed, 0);
	e->closed++;
	e->why = why;
	snprintf(e->detail, sizeof e->detail, "%s", detail);
	link_free(l);
	e->l = NULL;
}

static const struct link_cb cb = { .on_up = on_up, .on_data = on_data, .on_drained = on_drained, .on_closed = on_closed };

static void
on_accept(struct link *l, void *arg)
{
	struct end *e = arg;

	if (e->l != NULL) {
		link_free(l);
		return;
	}
	e->l = l;
	e->up++;
	link_set_cb(l, &cb, e);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Turns until the condition holds; fails after 5 s of real time. */
#define until(cond) do { \
	int64_t until_end = now_ms() + 10000; \
	while (!(cond)) { \
		loop_turn(loop, NULL, NULL); \
		ck_assert_msg(now_ms() < until_end, "%s did not happen", #cond); \
	} \
} while (0)

static void
turns(void)
{
	for (int i = 0; i < 20; i++) {
		loop_turn(loop, NULL, NULL);
		usleep(500);
	}
}

static void
setup(void)
{
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	ll = NULL;
	memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(sock_address, sizeof sock_address, "unix:%s/s", dir);
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_CONTROLLED, &clk));
	ck_ok(link_net_new(loop, clk, &net));
}

static void
teardown(void)
{
	link_free(a.l);
	link_free(b.l);
	link_listener_free(ll);
	link_net_free(net);
	clock_free(clk);
	loop_free(loop);
	rmdir(dir);
}

static void
listen_at(const char *address, const struct link_options *opt)
{
	ck_ok(link_listen(net, address, opt, on_accept, &b, &ll));
}

static void
dial(const char *address)
{
	ck_ok(link_connect(net, address, NULL, &cb, &a, &a.l));
	ck_assert_int_eq(a.up + a.closed, 0);	/* never inside the call */
}

static void
pair(const char *address)
{
	listen_at(address, NULL);
	dial(link_listener_address(ll));
	until(a.up == 1 && b.up == 1);
}

/* A bare socket to the listener (TCP). */
static int
bare(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct link_address x;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_ok(link_address_parse(link_listener_address(ll), &x));
	in.sin_port = htons(x.port);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
	until(b.up == 1);
	return fd;
}

static const char *const addresses[] = { "tcp:127.0.0.1:0", "tcp:[::1]:0", "unix" };
static const char *
address(int i)
{
	return strcmp(addresses[i], "unix") == 0 ? sock_address : addresses[i];
}

START_TEST(there_and_back)
{
	pair(address(_i));
	ck_ok(link_write(a.l, span_str("hello")));
	ck_ok(link_write(a.l, span_str("")));
	ck_assert_uint_eq(link_unsent(a.l), 5);
	ck_assert_int_eq(b.data, 0);
	until(b.data > 0);
	ck_assert(span_eq_str(link_input(b.l), "hello"));
	link_drain(b.l, 4);
	ck_assert(span_eq_str(link_input(b.l), "o"));
	until(a.drained == 1);
	ck_assert_uint_eq(link_unsent(a.l), 0);
	ck_ok(link_write(b.l, span_str("back")));
	until(a.data > 0);
	ck_assert(span_eq_str(link_input(a.l), "back"));
}
END_TEST

START_TEST(listeners_port_0_is_printed)
{
	struct link_address x;

	listen_at(addresses[_i], NULL);
	ck_ok(link_address_parse(link_listener_address(ll), &x));
	ck_assert_uint_ne(x.port, 0);
}
END_TEST

START_TEST(peers_of_tcp)
{
	struct link_peer p;

	pair("tcp:127.0.0.1:0");
	link_get_peer(a.l, &p);
	ck_assert_str_eq(p.address, link_listener_address(ll));
	ck_assert(p.loopback && !p.has_cred && !p.has_cert);
	link_get_peer(b.l, &p);
	ck_assert_int_eq(strncmp(p.address, "tcp:127.0.0.1:", 14), 0);
	ck_assert(p.loopback);
}
END_TEST

START_TEST(peers_of_unix_have_credentials)
{
	struct link_peer p;
	char want[32];

	pair(sock_address);
	snprintf(want, sizeof want, "unix:uid=%u", getuid());
	for (int i = 0; i < 2; i++) {
		link_get_peer(i ? a.l : b.l, &p);
		ck_assert_str_eq(p.address, want);
		ck_assert(p.loopback && p.has_cred);
		ck_assert_uint_eq(p.uid, getuid());
		ck_assert_uint_eq(p.gid, getgid());
	}
}
END_TEST

static bool
file_mode_is(mode_t want)
{
	struct stat st;

	ck_assert_int_eq(stat(sock_address + 5, &st), 0);
	return (st.st_mode & 0777) == want;
}

START_TEST(unix_file_mode_and_removal)
{
	struct link_options opt = { .unix_mode = 0660 };
	mode_t old = umask(0077);

	listen_at(sock_address, NULL);
	ck_assert(file_mode_is(0600));
	link_listener_free(ll);
	ck_assert_int_ne(access(sock_address + 5, F_OK), 0);
	listen_at(sock_address, &opt);
	ck_assert(file_mode_is(0660));
	umask(old);
}
END_TEST

START_TEST(unix_stale_file_is_replaced_a_live_one_is_not)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct link_listener *second = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(un.sun_path, sock_address + 5, strlen(sock_address + 5));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	close(fd);
	listen_at(sock_address, NULL);
	ck_rc(link_listen(net, sock_address, NULL, on_accept, &b, &second), RC_IO);
	ck_assert_ptr_null(second);
	dial(sock_address);
	until(a.up == 1);
}
END_TEST

/* A service that is slow to accept keeps its users waiting, as it would over TCP; it is no reason to turn them away. */
START_TEST(unix_full_queue_is_waited_for)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), first = socket(AF_UNIX, SOCK_STREAM, 0), taken;

	memcpy(un.sun_path, sock_address + 5, strlen(sock_address + 5));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	ck_assert_int_eq(connect(first, (struct sockaddr *)&un, sizeof un), 0);	/* the only place */
	ck_ok(link_connect(net, sock_address, &(struct link_options){ .connect_timeout_ms = 1000 }, &cb, &a, &a.l));
	for (int i = 0; i < 10; i++) {
		clock_advance(clk, 20);
		turns();
	}
	ck_assert_int_eq(a.up + a.closed, 0);
	if (_i == 0) {
		taken = accept(fd, NULL, NULL);
		clock_advance(clk, 20);
		until(a.up == 1);
		close(taken);
	} else {		/* nor for ever */
		clock_advance(clk, 1000);
		until(a.closed == 1);
		ck_assert_int_eq(a.why, REASON_LINK_TIMEOUT);
	}
	close(first);
	close(fd);
	ck_assert_int_eq(unlink(sock_address + 5), 0);
}
END_TEST

START_TEST(unix_other_files_stay)
{
	int fd = open(sock_address + 5, O_CREAT | O_WRONLY, 0600);

	close(fd);
	ck_rc(link_listen(net, sock_address, NULL, on_accept, &b, &ll), RC_IO);
	ck_assert_int_eq(unlink(sock_address + 5), 0);
}
END_TEST

START_TEST(bad_addresses)
{
	ck_rc(link_listen(net, "tcp:127.0.0.1", NULL, on_accept, &b, &ll), RC_SYNTAX);
	ck_rc(link_listen(net, "tcp:localhost:0", NULL, on_accept, &b, &ll), RC_IO);
	ck_rc(link_listen(net, "unix:/no/such/dir/s", NULL, on_accept, &b, &ll), RC_IO);
	ck_rc(link_connect(net, "tcp:127.0.0.1:0", NULL, &cb, &a, &a.l), RC_SYNTAX);
	ck_rc(link_connect(net, "what:ever", NULL, &cb, &a, &a.l), RC_SYNTAX);
	ck_assert_ptr_null(ll);
	ck_assert_ptr_null(a.l);
}
END_TEST

START_TEST(tcp_nodelay_at_both_ends)
{
	/* small messages both ways, each waiting for the other: with Nagle and delayed ACKs this takes 40 ms a round */
	int64_t t0;

	pair("tcp:127.0.0.1:0");
	a.drain = b.drain = true;
	t0 = now_ms();
	for (int i = 0; i < 50; i++) {
		int da = a.data, db = b.data;

		ck_ok(link_write(a.l, span_str("x")));
		loop_turn(loop, NULL, NULL);
		ck_ok(link_write(a.l, span_str("y")));
		until(b.n >= (size_t)(2 * i + 2));
		ck_assert_int_gt(b.data, db);
		ck_ok(link_write(b.l, span_str("z")));
		until(a.data > da);
	}
	ck_assert_int_lt(now_ms() - t0, 1000);
}
END_TEST

START_TEST(nobody_there)
{
	char where[160];

	listen_at(address(_i), NULL);
	snprintf(where, sizeof where, "%s", link_listener_address(ll));
	link_listener_free(ll);
	ll = NULL;
	dial(where);
	until(a.closed == 1);
	ck_assert_int_eq(a.why, REASON_LINK_UNREACHABLE);
	ck_assert_int_eq(a.up, 0);
	ck_assert_ptr_nonnull(strstr(a.detail, where));
}
END_TEST

START_TEST(name_from_hosts_file)
{
	struct link_address x;
	char where[64];

	listen_at("tcp:127.0.0.1:0", NULL);
	ck_ok(link_address_parse(link_listener_address(ll), &x));
	snprintf(where, sizeof where, "tcp:localhost:%u", x.port);	/* may be ::1 first, which refuses */
	dial(where);
	until(a.up == 1);
}
END_TEST

/* B3: a name server that never answers does not hold the loop. */
static int
deaf_name_server(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t n = sizeof in;
	char text[32];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(in.sin_port));
	ck_ok(link_net_set_nameserver(net, text));
	return fd;
}

START_TEST(B3_deaf_name_server_does_not_block)
{
	int fd = deaf_name_server(), ticks = 0;

	dial("tcp:bsf.example.org:3868");
	for (int i = 0; i < 20; i++) {
		loop_turn(loop, NULL, NULL);
		ticks++;
	}
	ck_assert_int_eq(ticks, 20);
	ck_assert_int_eq(a.closed, 0);
	clock_advance(clk, 10000);
	until(a.closed == 1);
	ck_assert_int_eq(a.why, REASON_LINK_TIMEOUT);
	turns();		/* evdns lets go of a question a turn later */
	close(fd);
}
END_TEST

START_TEST(B3_name_that_does_not_exist)
{
	uint8_t q[512];
	struct sockaddr_in from;
	socklen_t n;
	ssize_t len;
	int fd = deaf_name_server();

	fcntl(fd, F_SETFL, O_NONBLOCK);
	dial("tcp:nosuch.example.org:3868");
	for (int64_t end = now_ms() + 10000; a.closed == 0 && now_ms() < end;) {
		loop_turn(loop, NULL, NULL);
		n = sizeof from;
		len = recvfrom(fd, q, sizeof q, 0, (struct sockaddr *)&from, &n);
		if (len > 12) {		/* RFC 1035 4.1.1: the question back, QR set, NXDOMAIN */
			q[2] |= 0x80;
			q[3] = (uint8_t)((q[3] & 0xf0) | 3);
			ck_assert_int_eq(sendto(fd, q, (size_t)len, 0, (struct sockaddr *)&from, n), len);
		}
	}
	ck_assert_int_eq(a.closed, 1);
	ck_assert_int_eq(a.why, REASON_LINK_NAME);
	close(fd);
}
END_TEST

START_TEST(free_while_a_name_is_asked_for)
{
	int fd = deaf_name_server();

	dial("tcp:bsf.example.org:3868");
	loop_turn(loop, NULL, NULL);
	link_free(a.l);
	a.l = NULL;
	turns();
	ck_assert_int_eq(a.closed, 0);
	close(fd);
}
END_TEST

START_TEST(free_while_connecting)
{
	listen_at("tcp:127.0.0.1:0", NULL);
	dial(link_listener_address(ll));
	link_free(a.l);
	a.l = NULL;
	turns();
	ck_assert_int_eq(a.up + a.closed, 0);
}
END_TEST

START_TEST(close_while_connecting)
{
	listen_at("tcp:127.0.0.1:0", NULL);
	dial(link_listener_address(ll));
	ck_rc(link_write(a.l, span_str("x")), RC_STATE);
	link_close(a.l);
	ck_assert_int_eq(a.closed, 0);
	until(a.closed == 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(a.up, 0);
}
END_TEST

/* The last message arrives although the closer has octets of the peer's unread, which would make the kernel reset. */
START_TEST(close_sends_all_and_the_peer_gets_it)
{
	static char big[1 << 20];

	pair(address(_i));
	b.drain = true;
	link_set_input_limit(a.l, 1);
	ck_ok(link_write(b.l, span_str("you will not read this")));
	turns();
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	link_close(a.l);
	link_close(a.l);
	ck_rc(link_write(a.l, span_str("x")), RC_STATE);
	ck_assert_int_eq(a.closed, 0);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.why, REASON_NONE);
	ck_assert_uint_eq(b.n, sizeof big);
}
END_TEST

START_TEST(close_ends_within_5_s)
{
	static char big[1 << 23];

	pair("tcp:127.0.0.1:0");
	link_set_input_limit(b.l, 1);
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	link_close(a.l);
	turns();
	ck_assert_int_eq(a.closed, 0);
	clock_advance(clk, 5000);
	until(a.closed == 1);
	ck_assert_int_eq(a.why, REASON_NONE);
}
END_TEST

START_TEST(free_is_without_callbacks)
{
	pair(address(_i));
	link_free(a.l);
	a.l = NULL;
	until(b.closed == 1);
	ck_assert_int_eq(b.why, REASON_NONE);
	ck_assert_int_eq(a.closed, 0);
}
END_TEST

START_TEST(free_inside_a_callback)
{
	pair("tcp:127.0.0.1:0");
	b.free_on_data = true;
	ck_ok(link_write(a.l, span_str("x")));
	until(b.data == 1 && a.closed == 1);
}
END_TEST

START_TEST(input_limit)
{
	char text[1000];

	pair("tcp:127.0.0.1:0");
	memset(text, 'x', sizeof text);
	link_set_input_limit(b.l, 300);
	ck_ok(link_write(a.l, span_of(text, sizeof text)));
	turns();
	ck_assert_uint_eq(link_input(b.l).n, 300);
	link_drain(b.l, 100);
	turns();
	ck_assert_uint_eq(link_input(b.l).n, 300);
	link_set_input_limit(b.l, 0);
	link_drain(b.l, 300);
	turns();
	ck_assert_uint_eq(link_input(b.l).n, 0);
	link_set_input_limit(b.l, 5000);
	until(link_input(b.l).n == 600);
}
END_TEST

START_TEST(output_limit)
{
	uint8_t *big = calloc(1, LINK_UNSENT_MAX + 1);

	pair("tcp:127.0.0.1:0");
	link_set_input_limit(b.l, 1);
	ck_rc(link_write(a.l, span_of(big, LINK_UNSENT_MAX + 1)), RC_LIMIT);
	ck_ok(link_write(a.l, span_of(big, LINK_UNSENT_MAX)));
	ck_rc(link_write(a.l, span_str("x")), RC_LIMIT);
	free(big);
}
END_TEST

START_TEST(max_links)
{
	struct link_options opt = { .max_links = 1 };
	char c;
	int fd1, fd2;

	listen_at("tcp:127.0.0.1:0", &opt);
	fd1 = bare();
	fd2 = bare();
	turns();
	ck_assert_int_eq(b.up, 1);
	ck_assert_int_eq(recv(fd2, &c, 1, 0), 0);
	close(fd1);
	until(b.closed == 1);
	memset(&b, 0, sizeof b);
	close(bare());
	ck_assert_int_eq(b.up, 1);
	close(fd2);
}
END_TEST

/* RST while an answer is being written: neither SIGPIPE nor a lost end. */
START_TEST(reset_by_the_peer)
{
	struct linger hard = { 1, 0 };
	static char big[1 << 22];
	int fd;

	listen_at("tcp:127.0.0.1:0", NULL);
	fd = bare();
	ck_ok(link_write(b.l, span_of(big, sizeof big)));
	turns();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	until(b.closed == 1);
	ck_assert_int_eq(b.why, REASON_LINK_BROKEN);
}
END_TEST

START_TEST(half_close_is_an_end)
{
	int fd;

	listen_at("tcp:127.0.0.1:0", NULL);
	fd = bare();
	b.drain = true;
	ck_assert_int_eq(send(fd, "last", 4, 0), 4);
	shutdown(fd, SHUT_WR);
	until(b.closed == 1);
	ck_assert_uint_eq(b.n, 4);
	ck_assert_int_eq(b.why, REASON_NONE);
	close(fd);
}
END_TEST

/* U8: the octets of a TLS hello at a plain link are named, and never reach the user. */
START_TEST(U8_tls_peer_at_a_plain_link)
{
	static const char hello[] = { 0x16, 0x03, 0x01, 0x02, 0x00 };
	char got[64] = "";
	int fd;

	listen_at("tcp:127.0.0.1:0", NULL);
	fd = bare();
	for (size_t i = 0; i < (_i ? sizeof hello : 1); i++) {
		ck_assert_int_eq(send(fd, hello + i, 1, 0), 1);
		turns();
	}
	if (_i == 0) {		/* one octet: too early to tell */
		ck_assert_int_eq(b.data + b.closed, 0);
		send(fd, "x", 1, 0);
		until(b.data == 1);
	} else {
		until(b.closed == 1);
		ck_assert_int_eq(b.data, 0);
		ck_assert_int_eq(b.why, REASON_LINK_PEER_TLS);
		ck_assert_int_gt(recv(fd, got, sizeof got - 1, 0), 0);
		ck_assert_ptr_nonnull(strstr(got, "plain"));
	}
	close(fd);
}
END_TEST

/* U5: what a service's user says is the service's: TLS in it, or one octet of it, arrives as it comes. */
START_TEST(U5_octets_of_others_may_begin_as_tls_does)
{
	struct link_options opt = { .half_open = true, .opaque = true };
	static const char hello[] = { 0x16, 0x03, 0x01, 0x02, 0x00 };

	ck_ok(link_listen(net, _i ? sock_address : "tcp:127.0.0.1:0", &opt, on_accept, &b, &ll));
	ck_ok(link_connect(net, link_listener_address(ll), &opt, &cb, &a, &a.l));
	until(a.up == 1 && b.up == 1);
	a.drain = b.drain = true;
	ck_ok(link_write(a.l, span_of(hello, 1)));
	until(b.n == 1);
	ck_ok(link_write(b.l, span_of(hello, sizeof hello)));
	until(a.n == sizeof hello);
	ck_ok(link_write(a.l, span_of(hello + 1, sizeof hello - 1)));
	until(b.n == sizeof hello);
	ck_assert_int_eq(a.closed + b.closed, 0);
}
END_TEST

START_TEST(links_outlive_their_listener)
{
	pair(sock_address);
	link_listener_free(ll);
	ll = NULL;
	ck_ok(link_write(a.l, span_str("x")));
	until(b.data == 1);
}
END_TEST

static void
no_log(enum log_level level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

int
main(void)
{
	Suite *s = suite_create("link");
	TCase *t = tcase_create("sockets"), *e = tcase_create("ends");
	int n = TABLE_N(addresses);

	log_capture(no_log, NULL);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, there_and_back, 0, n);
	tcase_add_loop_test(t, listeners_port_0_is_printed, 0, 2);
	tcase_add_test(t, peers_of_tcp);
	tcase_add_test(t, peers_of_unix_have_credentials);
	tcase_add_test(t, unix_file_mode_and_removal);
	tcase_add_test(t, unix_stale_file_is_replaced_a_live_one_is_not);
	tcase_add_loop_test(t, unix_full_queue_is_waited_for, 0, 2);
	tcase_add_test(t, unix_other_files_stay);
	tcase_add_test(t, bad_addresses);
	tcase_add_test(t, tcp_nodelay_at_both_ends);
	tcase_add_loop_test(t, nobody_there, 0, n);
	tcase_add_test(t, name_from_hosts_file);
	tcase_add_test(t, B3_deaf_name_server_does_not_block);
	tcase_add_test(t, B3_name_that_does_not_exist);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(e, setup, teardown);
	tcase_add_test(e, free_while_a_name_is_asked_for);
	tcase_add_test(e, free_while_connecting);
	tcase_add_test(e, close_while_connecting);
	tcase_add_loop_test(e, close_sends_all_and_the_peer_gets_it, 0, n);
	tcase_add_test(e, close_ends_within_5_s);
	tcase_add_loop_test(e, free_is_without_callbacks, 0, n);
	tcase_add_test(e, free_inside_a_callback);
	tcase_add_test(e, input_limit);
	tcase_add_test(e, output_limit);
	tcase_add_test(e, max_links);
	tcase_add_test(e, reset_by_the_peer);
	tcase_add_test(e, half_close_is_an_end);
	tcase_add_loop_test(e, U8_tls_peer_at_a_plain_link, 0, 2);
	tcase_add_loop_test(e, U5_octets_of_others_may_begin_as_tls_does, 0, 2);
	tcase_add_test(e, links_outlive_their_listener);
	suite_add_tcase(s, e);
	return unit_run(s);
}
