/* link with TLS: certificates on both sides, and who is told what when one of them is refused. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/link_impl.h"
#include "common/link_tls.h"
#include "common/log.h"
#include "common/loop.h"
#include "test/unit/pki.h"
#include "test/unit/unit.h"

static struct loop *loop;
static struct clock *clk;
static struct link_net *net;
static struct link_listener *ll;
static struct link_tls *tls_a, *tls_b;
static struct pki_cert ca, other_ca, server, client;
static enum reason logged;		/* the last refusal that the accepting side logged */
static int accepted;
static bool on_unix;		/* else TCP */

struct end {
	struct link *l;
	int up, data, closed;
	bool drain;
	size_t n;
	enum reason why;
	char detail[200];
};
static struct end a, b;

static void
on_log(enum log_level level, const char *line, void *arg)
{
	const char *p = strstr(line, "reason=");
	char code[64];

	(void)level, (void)arg;
	if (p != NULL && sscanf(p + 7, "%63[a-z0-9-]", code) == 1)
		logged = reason_by_code(code);
}

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

	e->data++;
	if (e->drain) {
		e->n += link_input(l).n;
		link_drain(l, link_input(l).n);
	}
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

static const struct link_cb cb = { .on_up = on_up, .on_data = on_data, .on_closed = on_closed };

static void
on_accept(struct link *l, void *arg)
{
	struct end *e = arg;

	accepted++;
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

#define until(cond) do { \
	int64_t until_end = now_ms() + 10000; \
	while (!(cond)) { \
		loop_turn(loop, NULL, NULL); \
		ck_assert_msg(now_ms() < until_end, "%s did not happen", #cond); \
	} \
} while (0)

static void
turns(int n)
{
	for (int i = 0; i < n; i++) {
		loop_turn(loop, NULL, NULL);
		usleep(500);
	}
}

static void
make_pki(void)
{
	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "CA", .ca = true, .to_s = 86400 * 30 }, NULL);
	pki_make(&other_ca, "other", &(struct pki_spec){ .cn = "Other CA", .ca = true }, NULL);
	pki_make(&server, "server", &(struct pki_spec){ .cn = "cn.example.org", .san = "DNS:Bsf.example.org,DNS:two.example.org,DNS:*.wild.example.org",
	    .usage = "serverAuth" }, &ca);
	pki_make(&client, "client", &(struct pki_spec){ .cn = "nafkc", .san = "DNS:nafkc.example.org", .usage = "clientAuth" }, &ca);
}

static void
setup(void)
{
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	ll = NULL;
	tls_a = tls_b = NULL;
	on_unix = false;
	logged = REASON_NONE;
	accepted = 0;
	log_capture(on_log, NULL);
	make_pki();
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
	link_tls_free(tls_a);
	link_tls_free(tls_b);
	clock_free(clk);
	loop_free(loop);
	pki_free(&ca);
	pki_free(&other_ca);
	pki_free(&server);
	pki_free(&client);
	pki_remove_dir();
}

static struct link_tls *
tls(const struct pki_cert *own, const struct pki_cert *trust)
{
	struct link_tls *t = NULL;

	ck_ok(link_tls_new(own->crt_file, own->key_file, trust->crt_file, clk, &t));
	return t;
}

static void
listen_tls(struct link_tls *t)
{
	struct link_options opt = { .tls = t };
	char path[PKI_PATH_MAX + 8];

	snprintf(path, sizeof path, "unix:%s/s", pki_dir());
	ck_ok(link_listen(net, on_unix ? path : "tcp:127.0.0.1:0", &opt, on_accept, &b, &ll));
}

static void
dial(struct link_tls *t, const char *name)
{
	struct link_options opt = { .tls = t, .tls_name = name };

	ck_ok(link_connect(net, link_listener_address(ll), &opt, &cb, &a, &a.l));
}

static void
pair(void)
{
	tls_b = tls(&server, &ca);
	tls_a = tls(&client, &ca);
	listen_tls(tls_b);
	dial(tls_a, "bsf.example.org");
	until(a.up == 1 && b.up == 1);
}

START_TEST(there_and_back)
{
	struct link_peer p;
	uint8_t spki[32];

	pair();
	ck_ok(link_write(a.l, span_str("hello")));
	until(b.data > 0);
	ck_assert(span_eq_str(link_input(b.l), "hello"));
	link_drain(b.l, 5);
	ck_ok(link_write(b.l, span_str("back")));
	until(a.data > 0);
	ck_assert(span_eq_str(link_input(a.l), "back"));
	link_get_peer(a.l, &p);
	ck_assert(p.has_cert);
	ck_assert_str_eq(p.dns_names, "Bsf.example.org two.example.org");	/* a wildcard is no name */
	ck_assert(link_peer_has_name(&p, "bsf.example.org"));
	ck_assert(!link_peer_has_name(&p, "cn.example.org"));
	pki_spki(&server, spki);
	ck_assert_mem_eq(p.spki_sha256, spki, 32);
	link_get_peer(b.l, &p);
	ck_assert_str_eq(p.dns_names, "nafkc.example.org");
	pki_spki(&client, spki);
	ck_assert_mem_eq(p.spki_sha256, spki, 32);
}
END_TEST

START_TEST(much_in_both_directions)
{
	static char big[4 << 20];

	pair();
	a.drain = b.drain = true;
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	ck_ok(link_write(b.l, span_of(big, sizeof big)));
	until(a.n == sizeof big && b.n == sizeof big);
}
END_TEST

START_TEST(input_limit)
{
	static char big[300000];
	size_t before;

	pair();
	link_set_input_limit(b.l, 1000);
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	turns(50);
	before = link_input(b.l).n;
	ck_assert_uint_ge(before, 1000);
	ck_assert_uint_le(before, 1000 + 16384);	/* a record is not cut */
	b.drain = true;
	b.n = before;
	link_drain(b.l, before);
	until(b.n == sizeof big);
}
END_TEST

START_TEST(close_in_good_order)
{
	static char big[1 << 20];

	pair();
	b.drain = true;
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	link_close(a.l);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.why, REASON_NONE);
	ck_assert_uint_eq(b.n, sizeof big);
}
END_TEST

START_TEST(an_end_without_close_notify_is_none)
{
	pair();
	link_free(a.l);
	a.l = NULL;
	until(b.closed == 1);
	ck_assert_int_eq(b.why, REASON_LINK_BROKEN);
}
END_TEST

/* --- refusals: both sides know why. The accepting side logs it, the connecting side hears it in on_closed. */

enum cert { GOOD_SERVER, GOOD_CLIENT, OTHER_CA, EXPIRED, EARLY, CN_ONLY, WILDCARD, WRONG_USAGE, SELF_SIGNED };
static const struct refusal {
	const char *what;
	enum cert server, client;
	bool client_trusts_other;
	const char *name;
	enum reason at_client, at_server;
} refusals[] = {
	{ "N4 wrong name", GOOD_SERVER, GOOD_CLIENT, false, "nafkc2.example.org", REASON_LINK_TLS_NAME, REASON_LINK_REFUSED_CERT },
	{ "N4 parent domain", GOOD_SERVER, GOOD_CLIENT, false, "example.org", REASON_LINK_TLS_NAME, REASON_LINK_REFUSED_CERT },
	{ "N4 CN only", CN_ONLY, GOOD_CLIENT, false, "bsf.example.org", REASON_LINK_TLS_NAME, REASON_LINK_REFUSED_CERT },
	{ "N4 wildcard", WILDCARD, GOOD_CLIENT, false, "bsf.example.org", REASON_LINK_TLS_NAME, REASON_LINK_REFUSED_CERT },
	{ "server of another CA", OTHER_CA, GOOD_CLIENT, false, "bsf.example.org", REASON_LINK_TLS_CA, REASON_LINK_REFUSED_CA },
	{ "server self-signed", SELF_SIGNED, GOOD_CLIENT, false, "bsf.example.org", REASON_LINK_TLS_CA, REASON_LINK_REFUSED_CA },
	{ "client trusts another CA", GOOD_SERVER, GOOD_CLIENT, true, "bsf.example.org", REASON_LINK_TLS_CA, REASON_LINK_REFUSED_CA },
	{ "server expired", EXPIRED, GOOD_CLIENT, false, "bsf.example.org", REASON_LINK_TLS_EXPIRED, REASON_LINK_REFUSED_EXPIRED },
	{ "server not yet valid", EARLY, GOOD_CLIENT, false, "bsf.example.org", REASON_LINK_TLS_EARLY, REASON_LINK_REFUSED_CERT },
	{ "server with a client's certificate", WRONG_USAGE, GOOD_CLIENT, false, "bsf.example.org", REASON_LINK_TLS_CERT, REASON_LINK_REFUSED_CERT },
	{ "client of another CA", GOOD_SERVER, OTHER_CA, false, "bsf.example.org", REASON_LINK_REFUSED_CA, REASON_LINK_TLS_CA },
	{ "client expired", GOOD_SERVER, EXPIRED, false, "bsf.example.org", REASON_LINK_REFUSED_EXPIRED, REASON_LINK_TLS_EXPIRED },
	{ "client not yet valid", GOOD_SERVER, EARLY, false, "bsf.example.org", REASON_LINK_REFUSED_CERT, REASON_LINK_TLS_EARLY },
	{ "client with a server's certificate", GOOD_SERVER, WRONG_USAGE, false, "bsf.example.org", REASON_LINK_REFUSED_CERT, REASON_LINK_TLS_CERT },
};

static void
make(struct pki_cert *c, enum cert kind, const char *file, bool is_server)
{
	struct pki_spec s = { .cn = "bsf.example.org", .san = "DNS:bsf.example.org", .usage = is_server ? "serverAuth" : "clientAuth" };
	const struct pki_cert *issuer = &ca;

	switch (kind) {
	case OTHER_CA:
		issuer = &other_ca;
		break;
	case SELF_SIGNED:
		issuer = NULL;
		break;
	case EXPIRED:
		s.from_s = -7200;
		s.to_s = -3600;
		break;
	case EARLY:
		s.from_s = 3600;
		s.to_s = 7200;
		break;
	case CN_ONLY:
		s.san = NULL;
		break;
	case WILDCARD:
		s.san = "DNS:*.example.org";
		break;
	case WRONG_USAGE:
		s.usage = is_server ? "clientAuth" : "serverAuth";
		break;
	default:
		break;
	}
	pki_make(c, file, &s, issuer);
}

START_TEST(N4_refusals_are_named_on_both_sides)
{
	const struct refusal *r = &refusals[_i];
	struct pki_cert sc, cc;

	make(&sc, r->server, "s", true);
	make(&cc, r->client, "c", false);
	tls_b = tls(&sc, &ca);
	tls_a = tls(&cc, r->client_trusts_other ? &other_ca : &ca);
	listen_tls(tls_b);
	dial(tls_a, r->name);
	until(a.closed == 1 && logged != REASON_NONE);
	ck_assert_msg(a.why == r->at_client, "%s: client says %s", r->what, reason_get(a.why)->code);
	ck_assert_msg(logged == r->at_server, "%s: server says %s", r->what, reason_get(logged)->code);
	ck_assert_int_eq(accepted, 0);
	pki_free(&sc);
	pki_free(&cc);
}
END_TEST

/* B3: a CRL at one end or the other; the other end hears of it in an alert. */
START_TEST(B3_a_revoked_certificate_is_refused)
{
	static const struct {
		bool at_server, revoked, other_crl;
		int64_t later_s;
		enum reason at_client, at_server_why;
	} t[] = {
		{ true, true, false, 0, REASON_LINK_REFUSED_CERT, REASON_LINK_TLS_REVOKED },
		{ false, true, false, 0, REASON_LINK_TLS_REVOKED, REASON_LINK_REFUSED_CERT },
		{ true, false, true, 0, REASON_LINK_REFUSED_CA, REASON_LINK_TLS_CRL },		/* another CA's */
		{ true, false, false, 3700, REASON_LINK_REFUSED_EXPIRED, REASON_LINK_TLS_CRL },	/* out of date */
	};
	const struct pki_spec long_server = { .cn = "bsf.example.org", .san = "DNS:bsf.example.org", .usage = "serverAuth", .from_s = -60,
	    .to_s = 86400 };
	const struct pki_spec long_client = { .cn = "nafkc.example.org", .usage = "clientAuth", .from_s = -60, .to_s = 86400 };
	struct pki_cert sc, cc;
	const struct pki_cert *on_it[] = { t[_i].at_server ? &cc : &sc };
	char file[PKI_PATH_MAX + 8];

	pki_make(&sc, "long-s", &long_server, &ca);
	pki_make(&cc, "long-c", &long_client, &ca);
	snprintf(file, sizeof file, "%s/crl", pki_dir());
	pki_crl(file, t[_i].other_crl ? &other_ca : &ca, on_it, t[_i].revoked ? 1 : 0);
	tls_b = tls(&sc, &ca);
	tls_a = tls(&cc, &ca);
	ck_ok(link_tls_use_crl(t[_i].at_server ? tls_b : tls_a, file));
	if (t[_i].later_s > 0)
		clock_step_wall(clk, t[_i].later_s * 1000);
	listen_tls(tls_b);
	dial(tls_a, "bsf.example.org");
	until(a.closed == 1 && logged != REASON_NONE);
	ck_assert_msg(a.why == t[_i].at_client, "client says %s", reason_get(a.why)->code);
	ck_assert_msg(logged == t[_i].at_server_why, "server says %s", reason_get(logged)->code);
	ck_assert_int_eq(accepted, 0);
	pki_free(&sc);
	pki_free(&cc);
}
END_TEST

/* Who is not on it is welcome; a file that holds none changes nothing. */
START_TEST(B3_a_CRL_with_others_on_it)
{
	const struct pki_cert *on_it[] = { &server };
	char file[PKI_PATH_MAX + 8];

	snprintf(file, sizeof file, "%s/crl", pki_dir());
	pki_crl(file, &ca, on_it, 1);
	tls_b = tls(&server, &ca);
	ck_ok(link_tls_use_crl(tls_b, file));
	ck_rc(link_tls_use_crl(tls_b, server.crt_file), RC_SYNTAX);
	ck_rc(link_tls_use_crl(tls_b, "/no/such"), RC_SYNTAX);
	tls_a = tls(&client, &ca);
	ck_rc(link_tls_use_crl(tls_a, "/no/such"), RC_SYNTAX);
	listen_tls(tls_b);
	dial(tls_a, "bsf.example.org");
	until(a.up == 1 && b.up == 1);
}
END_TEST

/* T3: the same clock that expires keys judges certificates. */
START_TEST(T3_certificates_expire_by_our_clock)
{
	pair();
	link_free(a.l);
	until(b.closed == 1);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	clock_advance(clk, 3700 * 1000);
	dial(tls_a, "bsf.example.org");
	until(a.closed == 1);
	ck_assert_int_eq(a.why, REASON_LINK_TLS_EXPIRED);
}
END_TEST

START_TEST(without_a_name_any_name_will_do)
{
	tls_b = tls(&server, &ca);
	tls_a = tls(&client, &ca);
	listen_tls(tls_b);
	dial(tls_a, NULL);
	until(a.up == 1 && b.up == 1);
}
END_TEST

/* --- U8: TLS at one end only */

START_TEST(U8_plain_peer_at_a_tls_link)
{
	on_unix = _i == 1;
	tls_b = tls(&server, &ca);
	listen_tls(tls_b);
	dial(NULL, NULL);
	until(a.up == 1);
	ck_ok(link_write(a.l, span_str("{\"id\":1,\"op\":\"hello\"}\n")));
	until(a.closed == 1 && logged != REASON_NONE);
	ck_assert_int_eq(a.why, REASON_LINK_PEER_TLS);
	ck_assert_int_eq(a.data, 0);
	ck_assert_int_eq(logged, REASON_LINK_PEER_PLAIN);
	ck_assert_int_eq(accepted, 0);
}
END_TEST

START_TEST(U8_tls_peer_at_a_plain_link)
{
	on_unix = _i == 1;
	tls_a = tls(&client, &ca);
	listen_tls(NULL);
	dial(tls_a, "bsf.example.org");
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.up, 0);
	ck_assert_int_eq(a.why, REASON_LINK_PEER_PLAIN);
	ck_assert_int_eq(b.why, REASON_LINK_PEER_TLS);
	ck_assert_int_eq(b.data, 0);
}
END_TEST

/* U8: a UNIX socket's peer has both, the kernel's word and its certificate. */
START_TEST(U8_unix)
{
	struct link_peer p;

	on_unix = true;
	pair();
	ck_ok(link_write(a.l, span_str("hello")));
	until(b.data > 0);
	ck_assert(span_eq_str(link_input(b.l), "hello"));
	link_get_peer(b.l, &p);
	ck_assert(p.has_cred && p.uid == geteuid());
	ck_assert(p.has_cert && link_peer_has_name(&p, "nafkc.example.org"));
	link_close(a.l);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(b.why, REASON_NONE);
}
END_TEST

START_TEST(U8_unix_wrong_ca)
{
	struct pki_cert other;

	on_unix = true;
	pki_make(&other, "stranger", &(struct pki_spec){ .cn = "x", .san = "DNS:x.example.org", .usage = "clientAuth" }, &other_ca);
	tls_b = tls(&server, &ca);
	tls_a = tls(&other, &ca);
	listen_tls(tls_b);
	dial(tls_a, "bsf.example.org");
	until(a.closed == 1 && logged != REASON_NONE);
	ck_assert_str_eq(reason_get(a.why)->code, "link-refused-ca");
	ck_assert_str_eq(reason_get(logged)->code, "link-tls-ca");
	pki_free(&other);
}
END_TEST

/* U8: TLS 1.3 where it is demanded; else 1.2 will do. */
START_TEST(U8_tls_1_2)
{
	SSL_CTX *old = SSL_CTX_new(TLS_client_method());
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct link_address x;
	SSL *ssl;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	ck_assert(SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION) == 1);
	ck_assert(SSL_CTX_use_certificate(old, client.crt) == 1 && SSL_CTX_use_PrivateKey(old, client.key) == 1);
	tls_b = tls(&server, &ca);
	if (_i == 1)
		link_tls_demand_13(tls_b);
	listen_tls(tls_b);
	ck_ok(link_address_parse(link_listener_address(ll), &x));
	in.sin_port = htons(x.port);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	ssl = SSL_new(old);
	SSL_set_fd(ssl, fd);
	until((r = SSL_connect(ssl)) == 1 || SSL_get_error(ssl, r) != SSL_ERROR_WANT_READ);
	if (_i == 0) {
		ck_assert_int_eq(r, 1);
		until(b.up == 1);
	} else {
		ck_assert_int_ne(r, 1);
		until(logged != REASON_NONE);
		ck_assert_str_eq(reason_get(logged)->code, "link-tls-broken");
	}
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(old);
	close(fd);
}
END_TEST

/* --- odd peers */

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
	return fd;
}

/* Whoever only takes up places, and says nothing, does not keep out who has something to say. */
START_TEST(silent_peers_make_room)
{
	struct link_options opt = { .max_links = 2 };
	int fd[3];

	opt.tls = tls_b = tls(&server, &ca);
	tls_a = tls(&client, &ca);
	ck_ok(link_listen(net, "tcp:127.0.0.1:0", &opt, on_accept, &b, &ll));
	for (size_t i = 0; i < 3; i++)
		fd[i] = bare();
	dial(tls_a, "bsf.example.org");
	until(a.up == 1 && b.up == 1);
	/* one that is up does not go */
	for (size_t i = 0; i < 3; i++) {
		close(fd[i]);
		fd[i] = bare();
	}
	for (int i = 0; i < 50; i++)
		loop_turn(loop, NULL, NULL);
	ck_assert_int_eq(a.closed + b.closed, 0);
	ck_assert_int_eq(logged, REASON_LINK_LIMIT);
	for (size_t i = 0; i < 3; i++)
		close(fd[i]);
}
END_TEST

static unsigned
descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 2048; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A server that says goodbye instead of a hello has proved nothing. */
START_TEST(close_notify_is_no_handshake)
{
	static const uint8_t close_notify[] = { 0x15, 3, 3, 0, 2, 1, 0 };

	tls_a = tls(&client, &ca);
	listen_tls(NULL);
	dial(tls_a, "bsf.example.org");
	until(b.up == 1);
	ck_ok(link_write(b.l, span_of(close_notify, sizeof close_notify)));
	until(a.closed == 1);
	ck_assert_int_eq(a.up, 0);
	ck_assert_int_eq(a.why, REASON_LINK_BROKEN);
}
END_TEST

/* --- a client whose last words of the handshake and whatever it has to say leave as one piece */

struct wire {
	uint8_t out[16384];
	size_t n;
};

static enum rc
keep(void *arg, struct span octets)
{
	struct wire *w = arg;

	ck_assert_uint_le(octets.n, sizeof w->out - w->n);
	memcpy(w->out + w->n, octets.p, octets.n);
	w->n += octets.n;
	return RC_OK;
}

static void
let_out(struct wire *w, int fd)
{
	ck_assert_int_eq(send(fd, w->out, w->n, 0), (ssize_t)w->n);
	w->n = 0;
}

static struct link_tls_conn *
shake_hands(struct wire *w, int fd)
{
	const struct link_tls_wire wire = { keep, w };
	uint8_t in[16384], plain[LINK_TLS_PIECE];
	struct link_tls_conn *c;
	struct span from = { in, 0 };
	enum link_tls_state s;
	ssize_t k;
	size_t got;

	ck_ok(link_tls_conn_new(tls_a, false, "bsf.example.org", &wire, &c));
	while ((s = link_tls_conn_read(c, &from, plain, sizeof plain, &got)) == LINK_TLS_HANDSHAKE) {
		if (w->n > 0)
			let_out(w, fd);
		until((k = recv(fd, in, sizeof in, MSG_DONTWAIT)) > 0);
		from = span_of(in, (size_t)k);
	}
	ck_assert_int_eq(s, LINK_TLS_OPEN);
	return c;
}

static const struct {
	const char *what;
	bool says, ends, closes;
	enum reason why;
} brief[] = {
	{ "speaks, ends, closes", true, true, true, REASON_NONE },
	{ "speaks and ends", true, true, false, REASON_NONE },
	{ "ends and closes", false, true, true, REASON_NONE },
	{ "ends", false, true, false, REASON_NONE },
	{ "speaks and closes without close_notify", true, false, true, REASON_LINK_BROKEN },
};

START_TEST(as_soon_as_it_is_up)
{
	struct wire w = { .n = 0 };
	struct link_tls_conn *c;
	int fd;

	tls_b = tls(&server, &ca);
	tls_a = tls(&client, &ca);
	listen_tls(tls_b);
	b.drain = true;
	fd = bare();
	c = shake_hands(&w, fd);
	if (brief[_i].says)
		ck_ok(link_tls_conn_write(c, span_str("hello")));
	if (brief[_i].ends)
		link_tls_conn_close(c);
	let_out(&w, fd);
	if (brief[_i].closes)
		shutdown(fd, SHUT_WR);
	until(b.closed == 1);
	ck_assert_msg(b.up == 1 && b.n == (brief[_i].says ? 5 : 0) && b.why == brief[_i].why, "%s: up=%d n=%zu why=%s", brief[_i].what, b.up,
	    b.n, reason_get(b.why)->code);
	link_tls_conn_free(c);
	close(fd);
}
END_TEST

/* A user without room comes up by a handshake, too, and hears nothing before it has room. */
START_TEST(no_room_is_no_handshake)
{
	struct link_peer p;

	tls_b = tls(&server, &ca);
	tls_a = tls(&client, &ca);
	listen_tls(tls_b);
	dial(tls_a, "bsf.example.org");
	link_set_input_limit(a.l, 0);
	until(a.up == 1 && b.up == 1);
	link_get_peer(a.l, &p);
	ck_assert(p.has_cert);
	ck_ok(link_write(b.l, span_str("hello")));
	turns(50);
	ck_assert_int_eq(a.data, 0);
	link_set_input_limit(a.l, 1);
	until(a.data > 0);
	ck_assert(span_eq_str(link_input(a.l), "hello"));
}
END_TEST

/* Refused, and still there for its last words: who comes again and again and never closes must not take all descriptors. */
START_TEST(those_who_linger_are_counted)
{
	static int fd[300];
	unsigned before;

	tls_b = tls(&server, &ca);
	listen_tls(tls_b);
	before = descriptors();
	for (size_t i = 0; i < 300; i++) {
		fd[i] = bare();
		logged = REASON_NONE;
		ck_assert_int_eq(send(fd[i], "x", 1, 0), 1);
		until(logged == REASON_LINK_PEER_PLAIN);
	}
	ck_assert_uint_le(descriptors(), before + 300 + 256);
	for (size_t i = 0; i < 300; i++)
		close(fd[i]);
	until(descriptors() == before);
}
END_TEST

START_TEST(a_silent_peer_is_given_10_s)
{
	char c;
	int fd;

	tls_b = tls(&server, &ca);
	listen_tls(tls_b);
	fd = bare();
	turns(10);
	clock_advance(clk, 5000);	/* and what passes by itself, on a busy machine */
	turns(10);
	ck_assert_int_eq(logged, REASON_NONE);
	clock_advance(clk, 5000);
	until(logged == REASON_LINK_TIMEOUT);
	ck_assert_int_eq(recv(fd, &c, 1, 0), 0);
	close(fd);
}
END_TEST

START_TEST(garbage_after_a_good_beginning)
{
	static const uint8_t hello[] = { 0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0xff };
	uint8_t got[16];
	int fd;

	tls_b = tls(&server, &ca);
	listen_tls(tls_b);
	fd = bare();
	ck_assert_int_eq(send(fd, hello, sizeof hello, 0), sizeof hello);
	until(logged != REASON_NONE);
	ck_assert_int_eq(logged, REASON_LINK_TLS_BROKEN);
	ck_assert_int_gt(recv(fd, got, sizeof got, 0), 0);
	ck_assert_int_eq(got[0], 0x15);		/* an alert, no silence */
	close(fd);
}
END_TEST

START_TEST(gone_during_the_handshake)
{
	static const uint8_t some[] = { 0x16, 3, 1 };
	int fd;

	tls_b = tls(&server, &ca);
	listen_tls(tls_b);
	fd = bare();
	ck_assert_int_eq(send(fd, some, sizeof some, 0), sizeof some);
	turns(10);
	close(fd);
	until(logged == REASON_LINK_TLS_BROKEN);
	ck_assert_int_eq(accepted, 0);
}
END_TEST

START_TEST(listener_gone_during_the_handshake)
{
	int fd;

	tls_b = tls(&server, &ca);
	listen_tls(tls_b);
	tls_a = tls(&client, &ca);
	fd = bare();
	dial(tls_a, NULL);
	loop_turn(loop, NULL, NULL);
	loop_turn(loop, NULL, NULL);
	link_listener_free(ll);
	ll = NULL;
	turns(50);
	ck_assert_int_eq(accepted, 0);
	close(fd);
}
END_TEST

/* A peer of the old versions: its own OpenSSL, allowed to speak TLS 1.1. */
START_TEST(tls_1_1_is_refused)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	int fd, r;

	tls_b = tls(&server, &ca);
	listen_tls(tls_b);
	fd = bare();
	SSL_CTX_set_min_proto_version(ctx, TLS1_1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	SSL_CTX_set_security_level(ctx, 0);
	ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0"), 1);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	/* its hello goes out, then it would wait: no answer can be there yet */
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	r = SSL_connect(ssl);
	ck_assert_int_eq(r, -1);
	until(logged != REASON_NONE);
	ck_assert_int_eq(logged, REASON_LINK_TLS_BROKEN);
	do {
		turns(1);
		ERR_clear_error();
		r = SSL_connect(ssl);
	} while (SSL_get_error(ssl, r) == SSL_ERROR_WANT_READ);
	ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
}
END_TEST

/* Without a certificate the handshake fails at the server, and the client is told by the alert. */
START_TEST(no_client_certificate)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	int fd, r;
	char c;

	tls_b = tls(&server, &ca);
	listen_tls(tls_b);
	fd = bare();
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	until(SSL_connect(ssl) == 1);
	until(logged != REASON_NONE);
	ck_assert_int_eq(logged, REASON_LINK_TLS_NO_CERT);
	ck_assert_int_eq(accepted, 0);
	do {
		turns(1);
		ERR_clear_error();
		r = SSL_read(ssl, &c, 1);
	} while (SSL_get_error(ssl, r) == SSL_ERROR_WANT_READ);
	ck_assert_int_le(r, 0);
	ck_assert_int_eq(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
}
END_TEST

/* --- files */

START_TEST(files)
{
	struct link_tls *t = NULL;

	ck_rc(link_tls_new("/no/such", client.key_file, ca.crt_file, clk, &t), RC_SYNTAX);
	ck_rc(link_tls_new(client.crt_file, "/no/such", ca.crt_file, clk, &t), RC_IO);
	ck_rc(link_tls_new(client.crt_file, client.key_file, "/no/such", clk, &t), RC_SYNTAX);
	ck_rc(link_tls_new(client.crt_file, server.key_file, ca.crt_file, clk, &t), RC_SYNTAX);
	ck_rc(link_tls_new(client.key_file, client.key_file, ca.crt_file, clk, &t), RC_SYNTAX);
	ck_assert_int_eq(chmod(client.key_file, 0640), 0);
	ck_rc(link_tls_new(client.crt_file, client.key_file, ca.crt_file, clk, &t), RC_DENIED);
	ck_assert_int_eq(chmod(client.key_file, 0604), 0);
	ck_rc(link_tls_new(client.crt_file, client.key_file, ca.crt_file, clk, &t), RC_DENIED);
	ck_assert_int_eq(chmod(client.key_file, 0400), 0);
	ck_ok(link_tls_new(client.crt_file, client.key_file, ca.crt_file, clk, &t));
	link_tls_free(t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_tls");
	TCase *t = tcase_create("tls"), *r = tcase_create("refusals"), *o = tcase_create("odd");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, there_and_back);
	tcase_add_test(t, much_in_both_directions);
	tcase_add_test(t, input_limit);
	tcase_add_test(t, close_in_good_order);
	tcase_add_test(t, an_end_without_close_notify_is_none);
	tcase_add_test(t, files);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(r, setup, teardown);
	tcase_add_loop_test(r, N4_refusals_are_named_on_both_sides, 0, TABLE_N(refusals));
	tcase_add_loop_test(r, B3_a_revoked_certificate_is_refused, 0, 4);
	tcase_add_test(r, B3_a_CRL_with_others_on_it);
	tcase_add_test(r, T3_certificates_expire_by_our_clock);
	tcase_add_test(r, without_a_name_any_name_will_do);
	tcase_add_loop_test(r, U8_plain_peer_at_a_tls_link, 0, 2);
	tcase_add_loop_test(r, U8_tls_peer_at_a_plain_link, 0, 2);
	tcase_add_test(r, U8_unix);
	tcase_add_test(r, U8_unix_wrong_ca);
	tcase_add_loop_test(r, U8_tls_1_2, 0, 2);
	suite_add_tcase(s, r);
	tcase_add_checked_fixture(o, setup, teardown);
	tcase_add_test(o, a_silent_peer_is_given_10_s);
	tcase_add_test(o, silent_peers_make_room);
	tcase_add_test(o, close_notify_is_no_handshake);
	tcase_add_loop_test(o, as_soon_as_it_is_up, 0, sizeof brief / sizeof brief[0]);
	tcase_add_test(o, no_room_is_no_handshake);
	tcase_add_test(o, those_who_linger_are_counted);
	tcase_add_test(o, garbage_after_a_good_beginning);
	tcase_add_test(o, gone_during_the_handshake);
	tcase_add_test(o, listener_gone_during_the_handshake);
	tcase_add_test(o, tls_1_1_is_refused);
	tcase_add_test(o, no_client_certificate);
	suite_add_tcase(s, o);
	return unit_run(s);
}
