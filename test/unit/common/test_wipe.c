/*
 * What is left of a secret that came in from outside once it was used: nothing that libraries of ours freed may still hold it.
 * The other end is a child process, so that the only copies are those that we and the libraries made.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/http.h"
#include "common/http_client.h"
#include "common/link.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "common/secret.h"
#include "common/wipe.h"
#include "test/unit/unit.h"

#define MARK_LEN 32

/* A sanitizer keeps what was freed, and maps more than can be looked through; there the exchanges are gone through all the same. */
#if defined(__has_feature)
#define HAS(x) __has_feature(x)
#else
#define HAS(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS(address_sanitizer) || HAS(thread_sanitizer)
#define LOOKS false
#else
#define LOOKS true
#endif

static struct loop *loop;
static struct clock *clk;

/* Never in this program's data: made where it is needed, on the stack. */
static void
mark(char out[static MARK_LEN + 1])
{
	static const char mixed[] = "uwrsvqp~}|{zyxlomnihkjedgfa`cb^_";

	for (size_t i = 0; i < MARK_LEN; i++)
		out[i] = "0123456789abcdef"[(mixed[i] ^ 0x15) & 15];
	out[MARK_LEN] = '\0';
}

/* How often the mark stands in memory that may be written, stacks aside. */
static unsigned
residues(void)
{
	char line[512], needle[MARK_LEN + 1];
	FILE *maps;
	unsigned n = 0;

	if (!LOOKS)
		return 0;
	ck_assert_ptr_nonnull(maps = fopen("/proc/self/maps", "r"));
	mark(needle);
	while (fgets(line, sizeof line, maps) != NULL) {
		unsigned long from, to;
		char mode[5];

		ck_assert_int_eq(sscanf(line, "%lx-%lx %4s", &from, &to, mode), 3);
		if (mode[0] != 'r' || mode[1] != 'w' || strstr(line, "[stack") != NULL)
			continue;
		for (const char *p = (const char *)from, *end = (const char *)to; p < end; n++, p++)
			if ((p = memmem(p, (size_t)(end - p), needle, MARK_LEN)) == NULL)
				break;
	}
	fclose(maps);
	return n;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#define until(cond) do { \
	int64_t until_end = now_ms() + 10000; \
	while (!(cond)) { \
		loop_turn(loop, NULL, NULL); \
		ck_assert_msg(now_ms() < until_end, "%s did not happen", #cond); \
	} \
} while (0)

static void
setup(void)
{
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
}

static void
teardown(void)
{
	clock_free(clk);
	loop_free(loop);
}

START_TEST(the_mark_is_found_where_it_is)
{
	static char copy[MARK_LEN + 1];

	ck_assert_uint_eq(residues(), 0);
	mark(copy);
	ck_assert_uint_eq(residues(), LOOKS ? 1 : 0);
	explicit_bzero(copy, sizeof copy);
}
END_TEST

START_TEST(what_is_freed_or_grows_leaves_nothing)
{
	static char *p;			/* static, so that no compiler finds the writing of it idle */

	p = wipe_realloc(NULL, 100);
	ck_assert_ptr_nonnull(p);
	mark(p + 40);
	p = wipe_realloc(p, 200000);
	ck_assert_uint_eq(residues(), LOOKS ? 1 : 0);
	p = wipe_realloc(p, 40 + MARK_LEN);
	ck_assert_uint_eq(residues(), LOOKS ? 1 : 0);
	wipe_free(p);
	ck_assert_uint_eq(residues(), 0);
	p = wipe_realloc(NULL, 100);
	mark(p);
	ck_assert_ptr_null(wipe_realloc(p, 0));
	ck_assert_uint_eq(residues(), 0);
	wipe_free(NULL);
}
END_TEST

/* --- a subscriber's K on the control socket (S2) */

static struct rpc *talk;
static bool asked, over;

static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	const json_t *k = json_object_get(body, "k");
	struct secret *s = NULL;

	(void)op, (void)arg;
	ck_ok(hex_parse_secret(span_of(json_string_value(k), json_string_length(k)), MARK_LEN / 2, &s));
	secret_free(s);
	rpc_ok(q, NULL);
	asked = true;
}

static void
on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail, (void)arg;
	rpc_free(r);
	over = true;
}

static void
on_accept(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { on_request, on_closed };
	const struct rpc_options opt = { .line_max = 65536 };

	(void)arg;
	ck_ok(rpc_new(l, clk, &opt, &cb, NULL, &talk));
}

/* In two pieces, so that they have to be put together. */
static void
say_k(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char k[MARK_LEN + 1], line[4096], answer[64];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), n;

	mark(k);
	(void)snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	n = snprintf(line, sizeof line, "{\"id\":1,\"op\":\"subscriber-add\",\"x\":\"%01500d\",\"k\":\"%s\",\"y\":\"%01500d\"}\n", 0, k, 0);
	if (connect(fd, (struct sockaddr *)&un, sizeof un) != 0 || send(fd, line, 2000, 0) != 2000)
		_exit(1);
	(void)usleep(100000);
	if (send(fd, line + 2000, (size_t)n - 2000, 0) != n - 2000 || recv(fd, answer, sizeof answer, 0) <= 0)
		_exit(1);
	_exit(0);
}

START_TEST(S2_nothing_of_a_k_that_came_on_the_control_socket)
{
	struct link_listener *ll;
	struct link_net *net;
	char path[64], address[80];
	int status;
	pid_t child;

	ck_ok(link_net_new(loop, clk, &net));
	(void)snprintf(path, sizeof path, "/tmp/kslocal-wipe.%d", (int)getpid());
	(void)snprintf(address, sizeof address, "unix:%s", path);
	ck_ok(link_listen(net, address, NULL, on_accept, NULL, &ll));
	if ((child = fork()) == 0)
		say_k(path);
	until(over);
	ck_assert(asked);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	link_listener_free(ll);
	link_net_free(net);
	ck_assert_uint_eq(residues(), 0);
}
END_TEST

/* --- an application's key on the control socket, the other way (U7) */

static void
on_derive(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	char key[MARK_LEN + 1];
	json_t *o;

	(void)op, (void)body, (void)arg;
	mark(key);
	ck_assert_ptr_nonnull(o = json_pack("{s:s, s:s}", "app", "stunnel", "key", key));
	explicit_bzero(key, sizeof key);
	rpc_ok(q, o);
	asked = true;
}

static void
on_accept_derive(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { on_derive, on_closed };

	(void)arg;
	ck_ok(rpc_new(l, clk, NULL, &cb, NULL, &talk));
}

static void
hear_key(const char *path)
{
	static const char line[] = "{\"id\":1,\"op\":\"key-derive\"}\n";
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char k[MARK_LEN + 1], answer[512] = "";

	(void)snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	mark(k);
	if (connect(fd, (struct sockaddr *)&un, sizeof un) != 0 || send(fd, line, sizeof line - 1, 0) < 0 ||
	    recv(fd, answer, sizeof answer - 1, 0) <= 0 || strstr(answer, k) == NULL)
		_exit(1);
	_exit(0);
}

START_TEST(U7_nothing_of_a_key_that_left_by_the_control_socket)
{
	struct link_listener *ll;
	struct link_net *net;
	char path[64], address[80];
	int status;
	pid_t child;

	ck_ok(link_net_new(loop, clk, &net));
	(void)snprintf(path, sizeof path, "/tmp/kslocal-wipe-out.%d", (int)getpid());
	(void)snprintf(address, sizeof address, "unix:%s", path);
	ck_ok(link_listen(net, address, NULL, on_accept_derive, NULL, &ll));
	if ((child = fork()) == 0)
		hear_key(path);
	until(over);
	ck_assert(asked);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(residues(), 0);	/* the daemon goes on, with what it has freed */
	link_listener_free(ll);
	link_net_free(net);
}
END_TEST

/* --- a Key Response */

static bool replied;

static void
on_reply(void *arg, const struct http_reply *r)
{
	(void)arg;
	ck_assert_int_eq(r->status, 200);
	ck_assert_uint_eq(r->body.n, 6000);
	replied = true;
}

/* Its body grows in the client's hands: in three pieces, the mark in one of them. */
static void
answer_k(int listener, int piece)
{
	char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 6000\r\nConnection: close\r\n\r\n", body[6000], in[4096];
	int fd = accept(listener, NULL, NULL);

	memset(body, ' ', sizeof body);
	mark(body + 2000 * piece + 100);
	body[2000 * piece + 100 + MARK_LEN] = ' ';
	if (fd < 0 || recv(fd, in, sizeof in, 0) <= 0 || send(fd, head, sizeof head - 1, 0) < 0)
		_exit(1);
	for (size_t i = 0; i < 3; i++) {
		if (send(fd, body + 2000 * i, 2000, 0) != 2000)
			_exit(1);
		(void)usleep(50000);
	}
	_exit(0);
}

START_TEST(nothing_of_a_key_that_came_over_http)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), status;
	struct http_client *client;
	struct http_flight *f;
	struct http_call call = { .method = "GET", .body = span_of(NULL, 0) };
	socklen_t n = sizeof in;
	char url[64];
	pid_t child;

	ck_assert(bind(fd, (struct sockaddr *)&in, n) == 0 && listen(fd, 1) == 0 && getsockname(fd, (struct sockaddr *)&in, &n) == 0);
	if ((child = fork()) == 0)
		answer_k(fd, _i);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(in.sin_port));
	call.url = url;
	ck_ok(http_client_new(loop, clk, NULL, &client));
	ck_ok(http_send(client, &call, on_reply, NULL, &f));
	until(replied);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	/* the client stays: a daemon has it as long as it lives */
	ck_assert_uint_eq(residues(), 0);
	http_client_free(client);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("wipe");
	TCase *t = tcase_create("wipe");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_mark_is_found_where_it_is);
	tcase_add_test(t, what_is_freed_or_grows_leaves_nothing);
	tcase_add_test(t, S2_nothing_of_a_k_that_came_on_the_control_socket);
	tcase_add_test(t, U7_nothing_of_a_key_that_left_by_the_control_socket);
	tcase_add_loop_test(t, nothing_of_a_key_that_came_over_http, 0, 3);
	suite_add_tcase(s, t);
	return unit_run(s);
}
