/* Diameter nodes on real sockets: where RST, half-close, SIGPIPE and certificates matter. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "common/loop.h"
#include "test/unit/common/zn_world.h"
#include "test/unit/pki.h"

static struct loop *loop;
static struct clock *clk;
static struct link_net *net;
static struct rnd_seeded rnd;
static struct dia_seams seams;
static struct user bsf, naf;
static struct link_tls *tls_bsf, *tls_naf;
static struct raw raw, raw2;		/* only their octets; the socket is below */
static struct dia_msg m;

static void
setup(void)
{
	memset(&bsf, 0, sizeof bsf);
	memset(&naf, 0, sizeof naf);
	memset(&raw, 0, sizeof raw);
	memset(&raw2, 0, sizeof raw2);
	tls_bsf = tls_naf = NULL;
	world_log[0] = '\0';
	log_capture(world_log_line, NULL);
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_CONTROLLED, &clk));
	ck_ok(link_net_new(loop, clk, &net));
	rnd_seeded_init(&rnd, 1);
	seams = (struct dia_seams){ clk, &rnd.rnd, net };
}

static void
teardown(void)
{
	dia_node_free(naf.node);
	dia_node_free(bsf.node);
	for (int i = 0; i < 20; i++)
		loop_turn(loop, NULL, NULL);
	link_net_free(net);
	link_tls_free(tls_bsf);
	link_tls_free(tls_naf);
	clock_free(clk);
	loop_free(loop);
	log_capture(NULL, NULL);
}

static int64_t
real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#define until(cond) do { \
	int64_t until_end = real_ms() + 10000; \
	while (!(cond)) { \
		loop_turn(loop, NULL, NULL); \
		ck_assert_msg(real_ms() < until_end, "%s did not happen: %s", #cond, world_log); \
	} \
} while (0)

static void
turns(void)
{
	for (int i = 0; i < 40; i++) {
		loop_turn(loop, NULL, NULL);
		usleep(500);
	}
}

static void
listen_at(const char *address)
{
	const struct dia_peer_conf peers[] = {
		{ .host = "nafkc.example.org", .realm = "example.org" }, { .host = "naf2.example.org", .realm = "example.org" },
	};
	const struct dia_listen_conf l = { .address = address, .tls = tls_bsf };
	const struct dia_conf conf = { .host = "bsf.example.org", .realm = "example.org", .peers = peers, .n_peers = 2, .listen = &l,
		.n_listen = 1 };
	const struct dia_node_cb cb = { user_on_request, user_on_peer };

	ck_ok(dia_node_new(&seams, &conf, &cb, &bsf, &bsf.node));
	ck_ok(dia_node_start(bsf.node));
}

static void
dial(const char *self, const char *host)
{
	const struct dia_peer_conf peer = { .host = host, .realm = "example.org", .address = dia_node_address(bsf.node, 0), .tls = tls_naf };
	const struct dia_conf conf = { .host = self, .realm = "example.org", .peers = &peer, .n_peers = 1, .reconnect_max_ms = 2000 };
	const struct dia_node_cb cb = { NULL, user_on_peer };

	ck_ok(dia_node_new(&seams, &conf, &cb, &naf, &naf.node));
	ck_ok(dia_node_start(naf.node));
}

/* --- a plain socket that speaks Diameter by hand */

static int
sock_connect(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char *address = dia_node_address(bsf.node, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
	ck_assert(fd >= 0 && connect(fd, (struct sockaddr *)&sin, sizeof sin) == 0);
	ck_assert(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	turns();
	return fd;
}

static void
sock_send(int fd, struct dia_buf *b)
{
	ck_ok(dia_end(b));
	ck_assert(send(fd, b->p, b->n, MSG_NOSIGNAL) == (ssize_t)b->n);
	dia_buf_free(b);
	turns();
}

/* What came goes into r; false at the peer's end. */
static bool
sock_read(int fd, struct raw *r)
{
	ssize_t n = recv(fd, r->in + r->n, sizeof r->in - r->n, 0);

	r->n += n > 0 ? (size_t)n : 0;
	return n != 0;
}

static int
sock_open(struct raw *r, const char *host)
{
	struct dia_buf b = DIA_BUF_INIT;
	int fd = sock_connect();

	memset(r, 0, sizeof *r);
	r->host = host;
	raw_begin(r, &b, DIA_R, DIA_CMD_CE, 0);
	raw_origin(r, &b);
	raw_capabilities(&b);
	dia_put_application(&b, DIA_VENDOR_3GPP, DIA_APP_ZN);
	sock_send(fd, &b);
	sock_read(fd, r);
	ck_assert_uint_eq(raw_answer(r, DIA_CMD_CE, &m), 2001);
	return fd;
}

static void
sock_serves(int fd, struct raw *r)
{
	struct dia_buf b = DIA_BUF_INIT;
	bool keep = bsf.keep;

	bsf.keep = false;
	raw_begin_bir(r, &b);
	sock_send(fd, &b);
	sock_read(fd, r);
	ck_assert_uint_eq(raw_answer(r, DIA_CMD_BI, &m), 2001);
	bsf.keep = keep;
}

/* --- the peer goes while it is answered */

enum how { CLOSE, RESET, HALF_CLOSE, CLOSE_UNREAD };
static const enum how hows[] = { CLOSE, RESET, HALF_CLOSE, CLOSE_UNREAD };

static void
go(int fd, enum how how)
{
	const struct linger now = { 1, 0 };

	if (how == RESET)
		ck_assert(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
	if (how == HALF_CLOSE)
		ck_assert(shutdown(fd, SHUT_WR) == 0);
	else
		close(fd);
}

START_TEST(a_peer_may_go_while_it_is_answered)
{
	struct dia_buf b = DIA_BUF_INIT;
	int fd, other;

	listen_at("tcp:127.0.0.1:0");
	other = sock_open(&raw2, "naf2.example.org");
	bsf.keep = true;
	fd = sock_open(&raw, "nafkc.example.org");
	for (int i = 0; i < 8; i++) {
		raw_begin_bir(&raw, &b);
		sock_send(fd, &b);
	}
	ck_assert_uint_eq(bsf.n_kept, 8);
	if (hows[_i] != CLOSE_UNREAD)
		go(fd, hows[_i]);		/* not noticed yet: no turn of the loop in between */
	for (int i = 0; i < 4; i++)
		user_answer(&bsf, bsf.kept[i]);
	if (hows[_i] == CLOSE_UNREAD) {
		turns();			/* answers lie unread in its socket: the kernel sends RST */
		go(fd, CLOSE);
	}
	turns();
	for (int i = 4; i < 8; i++)
		user_answer(&bsf, bsf.kept[i]);
	turns();
	bsf.n_kept = 0;
	sock_serves(other, &raw2);
	ck_assert_int_eq(peer_info(&bsf, 0).state, DIA_DOWN);
	if (hows[_i] == HALF_CLOSE)
		close(fd);
	fd = sock_open(&raw, "nafkc.example.org");
	ck_assert_int_eq(peer_info(&bsf, 0).state, DIA_REOPEN);	/* it failed: three DWAs first; requests are heard */
	close(fd);
	close(other);
}
END_TEST

START_TEST(cer_names_the_address_it_comes_from)
{
	listen_at("tcp:[::1]:0");
	dial("nafkc.example.org", "bsf.example.org");
	until(dia_node_up(naf.node) && dia_node_up(bsf.node));
	ck_assert_str_eq(peer_info(&naf, 0).address, dia_node_address(bsf.node, 0));
	dia_node_free(naf.node);
	dia_node_free(bsf.node);
	naf.node = NULL;
	listen_at("tcp:127.0.0.2:0");
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(strrchr(dia_node_address(bsf.node, 0), ':') + 1, NULL, 10)) };
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_avp a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.2", &sin.sin_addr);
	ck_assert(connect(fd, (struct sockaddr *)&sin, sizeof sin) == 0);
	ck_assert(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	raw.host = "nafkc.example.org";
	raw_begin(&raw, &b, DIA_R, DIA_CMD_CE, 0);
	raw_origin(&raw, &b);
	raw_capabilities(&b);
	dia_put_application(&b, DIA_VENDOR_3GPP, DIA_APP_ZN);
	sock_send(fd, &b);
	sock_read(fd, &raw);
	ck_assert_uint_eq(raw_answer(&raw, DIA_CMD_CE, &m), 2001);
	ck_assert(dia_find(m.avps, DIA_HOST_IP_ADDRESS, &a) && span_eq(a.data, S("\0\1\x7f\0\0\2")));
	close(fd);
}
END_TEST

START_TEST(a_bsf_that_was_restarted_is_back_within_5_s)
{
	char address[160];
	int64_t from;

	listen_at("tcp:127.0.0.1:0");
	snprintf(address, sizeof address, "%s", dia_node_address(bsf.node, 0));
	dial("nafkc.example.org", "bsf.example.org");
	until(dia_node_up(naf.node));
	dia_node_free(bsf.node);			/* as kill -9: the kernel closes */
	bsf.node = NULL;
	until(!dia_node_up(naf.node));
	turns();
	listen_at(address);
	from = real_ms();
	until(dia_node_up(naf.node));
	ck_assert(real_ms() - from < 5000);
}
END_TEST

/* --- B3: certificates */

static const struct {
	const char *what;
	const char *bsf_dns, *naf_dns, *naf_self;
	bool up;
	const char *reason;
} certificates[] = {
	{ "right ones", "DNS:bsf.example.org", "DNS:nafkc.example.org", "nafkc.example.org", true, NULL },
	{ "letters' case", "DNS:BSF.example.org", "DNS:x.example.org,DNS:NafKC.example.org", "nafkc.example.org", true, NULL },
	{ "another BSF's", "DNS:bsf2.example.org", "DNS:nafkc.example.org", "nafkc.example.org", false, "link-tls-name" },
	{ "another NAF's", "DNS:bsf.example.org", "DNS:naf2.example.org", "nafkc.example.org", false, "zn-identity" },
	{ "a NAF that takes another's name", "DNS:bsf.example.org", "DNS:nafkc.example.org", "naf2.example.org", false, "zn-identity" },
	{ "a wildcard", "DNS:bsf.example.org", "DNS:*.example.org", "nafkc.example.org", false, "zn-identity" },
	{ "no dNSName", "DNS:bsf.example.org", "IP:127.0.0.1", "nafkc.example.org", false, "zn-identity" },
};

START_TEST(B3_the_certificate_carries_the_diameter_identity)
{
	struct pki_cert ca, one, two;

	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "CA", .ca = true }, NULL);
	pki_make(&one, "one", &(struct pki_spec){ .cn = "nafkc.example.org", .san = certificates[_i].bsf_dns }, &ca);
	pki_make(&two, "two", &(struct pki_spec){ .cn = "nafkc.example.org", .san = certificates[_i].naf_dns }, &ca);
	ck_ok(link_tls_new(one.crt_file, one.key_file, ca.crt_file, clk, &tls_bsf));
	ck_ok(link_tls_new(two.crt_file, two.key_file, ca.crt_file, clk, &tls_naf));
	listen_at("tcp:127.0.0.1:0");
	dial(certificates[_i].naf_self, "bsf.example.org");
	if (certificates[_i].up) {
		until(dia_node_up(naf.node) && dia_node_up(bsf.node));
		ck_assert(peer_info(&naf, 0).tls && peer_info(&bsf, 0).tls);
	} else {
		until(logged(certificates[_i].reason));
		turns();
		ck_assert_msg(!dia_node_up(naf.node) && !dia_node_up(bsf.node), "%s", certificates[_i].what);
	}
	pki_free(&ca);
	pki_free(&one);
	pki_free(&two);
	pki_remove_dir();
}
END_TEST

START_TEST(B3_a_plain_peer_at_a_tls_listener_is_told_apart)
{
	struct pki_cert ca, one;

	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "CA", .ca = true }, NULL);
	pki_make(&one, "one", &(struct pki_spec){ .cn = "x", .san = "DNS:bsf.example.org" }, &ca);
	ck_ok(link_tls_new(one.crt_file, one.key_file, ca.crt_file, clk, &tls_bsf));
	listen_at("tcp:127.0.0.1:0");
	dial("nafkc.example.org", "bsf.example.org");
	until(logged("link-peer-plain"));
	ck_assert(!dia_node_up(naf.node));
	pki_free(&ca);
	pki_free(&one);
	pki_remove_dir();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("diameter_socket");
	TCase *t = tcase_create("diameter_socket");

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_peer_may_go_while_it_is_answered, 0, TABLE_N(hows));
	tcase_add_test(t, cer_names_the_address_it_comes_from);
	tcase_add_test(t, a_bsf_that_was_restarted_is_back_within_5_s);
	tcase_add_loop_test(t, B3_the_certificate_carries_the_diameter_identity, 0, TABLE_N(certificates));
	tcase_add_test(t, B3_a_plain_peer_at_a_tls_listener_is_told_apart);
	suite_add_tcase(s, t);
	return unit_run(s);
}
