/*
 * http_server over TLS: who gets in, which alert the others see, what the core is told about the client, resumption, reload, and
 * the verdict at each request.                                                                         RULES N5, T3
 */
#include "common/http_server.h"

#include <malloc.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/span.h"
#include "test/unit/http_peer.h"

static struct loop *loop;
static struct clock *clk;
static struct http_server *srv;
static struct pki_cert ca, other_ca, server, good, stranger, expired, early, revoked, wrong_use, mute, twin;
static char crl_file[PKI_PATH_MAX], ca_file[PKI_PATH_MAX], lines[65536];
static bool on_loop;
static size_t n_seen;
static struct http_peer seen;

static void
on_request(struct http_xchg *x, void *arg)
{
	(void)arg;
	n_seen++;
	seen = *x->req->peer;
	http_answer(x, 200, NULL, 0, span_str("hello"), false);
}

static void
on_line(enum log_level level, const char *line, void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	size_t n;

	(void)level;
	(void)arg;
	pthread_mutex_lock(&lock);
	n = strlen(lines);
	snprintf(lines + n, sizeof lines - n, "%s\n", line);
	pthread_mutex_unlock(&lock);
}

static void
make_pki(void)
{
	const struct pki_cert *gone[] = { &revoked };

	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "Test CA", .ca = true, .from_s = -86400 * 40, .to_s = 86400 * 40 }, NULL);
	pki_make(&other_ca, "other-ca", &(struct pki_spec){ .cn = "Other CA", .ca = true }, NULL);
	pki_make(&server, "server", &(struct pki_spec){ .cn = "nafkc.example.org", .san = "DNS:nafkc.example.org", .usage = "serverAuth",
	    .from_s = -60, .to_s = 86400 * 30 }, &ca);
	pki_make(&good, "good", &(struct pki_spec){ .cn = "device 1", .usage = "clientAuth" }, &ca);
	pki_make(&twin, "twin", &(struct pki_spec){ .cn = "device 1 again", .usage = "clientAuth", .same_key = &good }, &ca);
	pki_make(&stranger, "stranger", &(struct pki_spec){ .cn = "stranger", .usage = "clientAuth" }, &other_ca);
	pki_make(&expired, "expired", &(struct pki_spec){ .cn = "late", .usage = "clientAuth", .from_s = -7200, .to_s = -3600 }, &ca);
	pki_make(&early, "early", &(struct pki_spec){ .cn = "early", .usage = "clientAuth", .from_s = 3600, .to_s = 7200 }, &ca);
	pki_make(&revoked, "revoked", &(struct pki_spec){ .cn = "gone", .usage = "clientAuth" }, &ca);
	pki_make(&wrong_use, "wrong-use", &(struct pki_spec){ .cn = "a server", .usage = "serverAuth" }, &ca);
	pki_make(&mute, "mute", &(struct pki_spec){ .cn = "no signer", .usage = "clientAuth", .key_usage = "critical,keyAgreement" }, &ca);
	snprintf(crl_file, sizeof crl_file, "%s/crl.pem", pki_dir());
	pki_crl(crl_file, &ca, gone, 1);
	snprintf(ca_file, sizeof ca_file, "%s", ca.crt_file);
}

static struct http_server_tls
files(void)
{
	return (struct http_server_tls){ server.crt_file, server.key_file, ca_file, crl_file };
}

static void
start_with(enum clock_kind kind, const struct http_server_tls *tls, int64_t request_ms)
{
	struct http_server_conf conf = { .listen = "127.0.0.1:0", .threads = 2, .tls = tls, .name = "ua", .request_ms = request_ms,
		.on_loop = on_loop };

	log_capture(on_line, NULL);
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, kind, &clk));
	ck_ok(http_server_new(loop, clk, &conf, on_request, NULL, &srv));
}

static void
start(enum clock_kind kind)
{
	struct http_server_tls tls;

	make_pki();
	tls = files();
	start_with(kind, &tls, 0);
}

static void
finish(void)
{
	http_server_free(srv);
	clock_free(clk);
	loop_free(loop);
	log_capture(NULL, NULL);
	pki_remove_dir();
}

static const char *const get[] = { "GET / HTTP/1.1\r\nHost: nafkc.example.org\r\n\r\n", NULL };
static const char *const get_close[] = { "GET / HTTP/1.1\r\nHost: nafkc.example.org\r\nConnection: close\r\n\r\n", NULL };

static void
talk(struct http_peer_run *r)
{
	r->address = http_server_address(srv);
	http_peer_start(r);
	http_peer_wait(r, loop, NULL, NULL);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

START_TEST(a_good_client_gets_in_and_is_named)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = versions[_i] };
	uint8_t spki[32], issuer[32];

	start(CLOCK_REAL);
	tls.ca = &ca;
	tls.own = &good;
	r = (struct http_peer_run){ .parts = get, .answers = 1, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	pki_spki(&good, spki);
	pki_spki(&ca, issuer);
	ck_assert(seen.has_cert && memcmp(seen.spki_sha256, spki, 32) == 0 && memcmp(seen.issuer_sha256, issuer, 32) == 0);
	ck_assert_str_eq(seen.subject, "CN=device 1");
	ck_assert_str_eq(seen.issuer, "CN=Test CA");
	ck_assert(strncmp(seen.address, "127.0.0.1:", 10) == 0);
	/* another certificate for the same key is the same device */
	tls.own = &twin;
	r = (struct http_peer_run){ .parts = get, .answers = 1, .tls = &tls };
	SSL_SESSION_free(tls.session);
	tls.session = NULL;
	talk(&r);
	ck_assert(memcmp(seen.spki_sha256, spki, 32) == 0);
	ck_assert_str_eq(seen.subject, "CN=device 1 again");
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

static const struct {
	const struct pki_cert *own;
	int alert, alert12;		/* alert12: where TLS 1.2 has another */
	const char *reason, *who;
} refused[] = {
	{ NULL, SSL_AD_CERTIFICATE_REQUIRED, SSL_AD_HANDSHAKE_FAILURE, "link-tls-no-cert", "peer=127.0.0.1:" },
	{ &stranger, SSL_AD_UNKNOWN_CA, 0, "link-tls-ca", "issuer=\"CN=Other CA\"" },
	{ &expired, SSL_AD_CERTIFICATE_EXPIRED, 0, "link-tls-expired", "subject=\"CN=late\"" },
	{ &early, SSL_AD_CERTIFICATE_EXPIRED, 0, "link-tls-early", "subject=\"CN=early\"" },
	{ &revoked, SSL_AD_CERTIFICATE_REVOKED, 0, "link-tls-revoked", "subject=\"CN=gone\"" },
	{ &wrong_use, SSL_AD_BAD_CERTIFICATE, 0, "link-tls-cert", "subject=\"CN=a server\"" },
	{ &mute, SSL_AD_BAD_CERTIFICATE, 0, "link-tls-cert", "subject=\"CN=no signer\"" },
};

START_TEST(n5_others_see_the_right_alert_and_the_log_names_them)
{
	static struct http_peer_run r;
	int row = _i / 2, version = versions[_i % 2];
	int alert = version == TLS1_2_VERSION && refused[row].alert12 != 0 ? refused[row].alert12 : refused[row].alert;
	struct http_peer_tls tls = { .version = version };

	start(CLOCK_REAL);
	tls.ca = &ca;
	tls.own = refused[row].own;
	r = (struct http_peer_run){ .parts = get, .tls = &tls };
	talk(&r);
	ck_assert_msg(r.alert == alert, "alert %d (%s), expected %d", r.alert, SSL_alert_desc_string_long(r.alert), alert);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_msg(strstr(lines, refused[row].reason) != NULL && strstr(lines, refused[row].who) != NULL, "%s", lines);
	finish();
}
END_TEST

START_TEST(tls_1_1_is_refused)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = TLS1_1_VERSION };

	start(CLOCK_REAL);
	tls.ca = &ca;
	tls.own = &good;
	r = (struct http_peer_run){ .parts = get, .tls = &tls };
	talk(&r);
	ck_assert(!r.handshake_ok);
	ck_assert_int_eq(r.alert, SSL_AD_PROTOCOL_VERSION);
	ck_assert_uint_eq(n_seen, 0);
	finish();
	ck_assert_msg(strstr(lines, "link-tls-broken") != NULL && strstr(lines, "TLS 1.1") != NULL, "%s", lines);
}
END_TEST

/* Architecture 8a: a certificate refused is named on both sides, ours too; by its alert where a reset did not overtake that. */
START_TEST(a_client_that_refuses_our_certificate_is_in_the_log)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = versions[_i], .ca = &other_ca, .own = &good };

	start(CLOCK_REAL);
	r = (struct http_peer_run){ .parts = get, .tls = &tls };
	talk(&r);
	ck_assert(!r.handshake_ok);
	finish();
	ck_assert_msg((strstr(lines, "link-refused-ca") != NULL || strstr(lines, "accept our certificate") != NULL) &&
	    strstr(lines, "peer=127.0.0.1:") != NULL, "%s", lines);
	ck_assert_uint_eq(n_seen, 0);
}
END_TEST

START_TEST(plain_http_on_the_tls_port_gets_nothing)
{
	static struct http_peer_run r;

	start(CLOCK_REAL);
	r = (struct http_peer_run){ .parts = get };
	talk(&r);
	ck_assert(r.closed && strstr(r.in, "HTTP/") == NULL);
	ck_assert_uint_eq(n_seen, 0);
	finish();
}
END_TEST

static void
resume_after(struct http_peer_tls *tls, struct http_peer_run *r)
{
	tls->ca = &ca;
	tls->own = &good;
	*r = (struct http_peer_run){ .parts = get_close, .tls = tls };
	talk(r);
	ck_assert_int_eq(http_peer_status(r), 200);
	ck_assert(!r->resumed && tls->session != NULL);
}

START_TEST(sessions_are_resumed_and_still_name_the_client)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = versions[_i] };
	uint8_t spki[32];

	start(CLOCK_REAL);
	resume_after(&tls, &r);
	memset(&seen, 0, sizeof seen);
	r = (struct http_peer_run){ .parts = get_close, .tls = &tls };
	talk(&r);
	ck_assert(r.resumed);
	ck_assert_int_eq(http_peer_status(&r), 200);
	pki_spki(&good, spki);
	ck_assert(seen.has_cert && memcmp(seen.spki_sha256, spki, 32) == 0);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

static void
let_pass(int hours)
{
	clock_advance(clk, hours * 3600 * 1000);
	usleep(300000);
	loop_turn(loop, NULL, NULL);
}

/* A session may be resumed for six hours; the key that seals it, whose name stands first in the ticket, is another one 18 hours later. */
START_TEST(sessions_end_and_their_tickets_keys_rotate)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = versions[_i] };
	struct http_server_tls f;
	const uint8_t *ticket;
	uint8_t key_name[16];
	size_t n;

	make_pki();
	f = files();
	f.client_ca_file = f.client_crl_file = NULL;
	start_with(CLOCK_CONTROLLED, &f, 0);
	resume_after(&tls, &r);
	SSL_SESSION_get0_ticket(tls.session, &ticket, &n);
	ck_assert_uint_gt(n, sizeof key_name);
	memcpy(key_name, ticket, sizeof key_name);
	for (int i = 0; i < 2; i++) {
		SSL_SESSION *s = tls.session;

		SSL_SESSION_up_ref(s);
		let_pass(i == 0 ? 5 : 2);
		r = (struct http_peer_run){ .parts = get_close, .tls = &tls };
		talk(&r);
		ck_assert_int_eq(http_peer_status(&r), 200);
		ck_assert_int_eq(r.resumed, i == 0);
		SSL_SESSION_free(tls.session);
		tls.session = s;
	}
	let_pass(11);
	SSL_SESSION_free(tls.session);
	tls.session = NULL;
	resume_after(&tls, &r);
	SSL_SESSION_get0_ticket(tls.session, &ticket, &n);
	ck_assert_uint_gt(n, sizeof key_name);
	ck_assert(memcmp(ticket, key_name, sizeof key_name) != 0);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

/* What libmicrohttpd has for a connection is enough for what our own limits allow, one request after the other. */
START_TEST(the_longest_head_and_body_are_taken)
{
	static char head[16384], body[8193];
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = TLS1_3_VERSION, .ca = &ca, .own = &good };
	/* of the head count the target, names and values, and two octets for each of these pairs */
	size_t counts = strlen("/" "Host" "nafkc.example.org" "Content-Length" "8192") + 4;
	int n = snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: nafkc.example.org\r\nContent-Length: 8192\r\n"), width;
	const char *parts[] = { head, body, head, body, NULL };

	for (int i = 2; i < HTTP_HEADERS_MAX; i++) {
		width = i < HTTP_HEADERS_MAX - 1 ? 100 : (int)(8192 - counts) - 3;
		n += snprintf(head + n, sizeof head - (size_t)n, "X: %0*d\r\n", width, 0);
		counts += (size_t)width + 3;
	}
	snprintf(head + n, sizeof head - (size_t)n, "\r\n");
	ck_assert_uint_eq(counts, 8192);
	memset(body, 'a', sizeof body - 1);
	start(CLOCK_REAL);
	r = (struct http_peer_run){ .parts = parts, .answers = 2, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	ck_assert_uint_eq(n_seen, 2);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

static void
revoke_good(void)
{
	const struct pki_cert *gone[] = { &good };

	pki_crl(crl_file, &ca, gone, 1);
	ck_ok(http_server_reload(srv));
}

START_TEST(n5_a_resumed_session_of_a_revoked_certificate_gets_403)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = versions[_i] };

	start(CLOCK_REAL);
	resume_after(&tls, &r);
	revoke_good();
	n_seen = 0;
	r = (struct http_peer_run){ .parts = get, .tls = &tls };
	talk(&r);
	ck_assert(r.resumed);
	ck_assert_int_eq(http_peer_status(&r), 403);
	ck_assert(r.closed && strstr(lines, "link-tls-revoked") != NULL);
	ck_assert_uint_eq(n_seen, 0);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

START_TEST(n5_the_next_request_of_a_standing_connection_is_judged_again)
{
	static struct http_peer_run r;
	static atomic_bool gate;
	const char *parts[] = { get[0], get[0], NULL };
	struct http_peer_tls tls = { 0 };

	start(CLOCK_REAL);
	tls = (struct http_peer_tls){ .ca = &ca, .own = &good };
	r = (struct http_peer_run){ .parts = parts, .gate = &gate, .tls = &tls, .address = http_server_address(srv) };
	http_peer_start(&r);
	while (n_seen == 0)
		loop_turn(loop, NULL, NULL);
	revoke_good();
	atomic_store(&gate, true);
	http_peer_wait(&r, loop, NULL, NULL);
	ck_assert_int_eq(http_peer_answers(&r), 2);
	ck_assert(strstr(r.in, "HTTP/1.1 200") != NULL && strstr(r.in, "HTTP/1.1 403") != NULL && r.closed);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

START_TEST(a_crl_past_its_next_update_refuses_everybody_by_name)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = TLS1_3_VERSION };

	start(CLOCK_CONTROLLED);
	resume_after(&tls, &r);
	SSL_SESSION_free(tls.session);
	tls.session = NULL;
	/* the certificate must outlive the CRL: an hour each, so a fresh one */
	clock_advance(clk, 30 * 60 * 1000);
	pki_free(&good);
	pki_make(&good, "good", &(struct pki_spec){ .cn = "device 1", .usage = "clientAuth", .from_s = -60, .to_s = 86400 }, &ca);
	r = (struct http_peer_run){ .parts = get, .answers = 1, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	SSL_SESSION_free(tls.session);
	tls.session = NULL;
	clock_advance(clk, 31 * 60 * 1000);
	r = (struct http_peer_run){ .parts = get, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(r.alert, SSL_AD_BAD_CERTIFICATE);
	ck_assert_msg(strstr(lines, "link-tls-crl") != NULL, "%s", lines);
	finish();
}
END_TEST

START_TEST(t3_certificates_are_judged_by_the_controlled_clock)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { .version = TLS1_3_VERSION };
	struct http_server_tls f;

	make_pki();
	f = files();
	f.client_crl_file = NULL;
	start_with(CLOCK_CONTROLLED, &f, 0);
	resume_after(&tls, &r);
	clock_advance(clk, 2 * 3600 * 1000);
	n_seen = 0;
	/* resumed or not, an hour is over */
	r = (struct http_peer_run){ .parts = get, .tls = &tls };
	talk(&r);
	if (r.resumed)
		ck_assert_int_eq(http_peer_status(&r), 403);
	else
		ck_assert_int_eq(r.alert, SSL_AD_CERTIFICATE_EXPIRED);
	SSL_SESSION_free(tls.session);
	tls.session = NULL;
	r = (struct http_peer_run){ .parts = get, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(r.alert, SSL_AD_CERTIFICATE_EXPIRED);
	ck_assert_uint_eq(n_seen, 0);
	/* and the one that was too early is good now and then, in its hour */
	clock_step_wall(clk, -30 * 60 * 1000);
	usleep(300000);
	loop_turn(loop, NULL, NULL);
	tls.own = &early;
	r = (struct http_peer_run){ .parts = get, .answers = 1, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

START_TEST(a_body_that_stalls_is_408_over_tls_too)
{
	static struct http_peer_run r;
	const char *parts[] = { "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\nabc", NULL };
	struct http_server_tls f;
	struct http_peer_tls tls = { .version = versions[_i] };

	make_pki();
	f = files();
	start_with(CLOCK_REAL, &f, 200);
	tls.ca = &ca;
	tls.own = &good;
	r = (struct http_peer_run){ .parts = parts, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 408);
	ck_assert(r.closed);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

/*
 * GnuTLS takes octets of one thread at a time: where the library may say something by itself, as 100 Continue, which a client can have
 * in the very moment that its time is over, it alone speaks.
 */
START_TEST(a_body_that_stalls_where_the_library_speaks_is_just_the_end)
{
	static const char *const extra[] = { "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n" };
	static struct http_peer_run r;
	char head[128];
	const char *parts[] = { head, NULL };
	struct http_server_tls f;
	struct http_peer_tls tls = { .version = TLS1_3_VERSION };

	snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: a.example\r\n%s", extra[_i]);
	make_pki();
	f = files();
	start_with(CLOCK_REAL, &f, 200);
	tls.ca = &ca;
	tls.own = &good;
	r = (struct http_peer_run){ .parts = parts, .tls = &tls };
	talk(&r);
	ck_assert(r.closed && strstr(r.in, "408") == NULL);
	ck_assert(_i != 0 || strncmp(r.in, "HTTP/1.1 100 ", 13) == 0);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

/* What the server's threads have used of the processor. */
static int64_t
workers_us(void)
{
	struct timespec all, own;

	ck_assert(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all) == 0 && clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own) == 0);
	return (all.tv_sec - own.tv_sec) * 1000000 + (all.tv_nsec - own.tv_nsec) / 1000;
}

static void
on_stopped(void *arg)
{
	*(bool *)arg = true;
}

/* libmicrohttpd would ask again and again; and it ends the process when it is stopped with a connection suspended. */
START_TEST(a_handshake_that_waits_costs_nothing_and_is_no_hindrance_to_the_end)
{
	struct http_server_stats st = { .connections = 0 };
	bool stopped = false;
	int64_t before;
	int fd;

	start(CLOCK_REAL);
	fd = http_peer_dial(http_server_address(srv));
	ck_assert_int_eq(send(fd, "\x16\x03\x01", (size_t)_i, 0), _i);	/* nothing yet, or the beginning of a ClientHello */
	while (http_server_get_stats(srv, &st), st.connections == 0)
		loop_turn(loop, NULL, NULL);
	for (before = workers_us(); poll(NULL, 0, 5) == 0 && workers_us() - before > 1000; before = workers_us())
		loop_turn(loop, NULL, NULL);
	ck_assert_int_eq(poll(NULL, 0, 100), 0);
	ck_assert_int_lt(workers_us() - before, 20000);
	if (_i == 3) {
		http_server_stop(srv, on_stopped, &stopped);
		while (!stopped)
			loop_turn(loop, NULL, NULL);
	}
	finish();
	close(fd);
}
END_TEST

START_TEST(a_reload_changes_certificate_and_trust_and_a_bad_one_nothing)
{
	static struct http_peer_run r;
	struct http_peer_tls tls = { 0 };
	FILE *f;

	start(CLOCK_REAL);
	tls = (struct http_peer_tls){ .ca = &ca, .own = &good };
	ck_assert((f = fopen(ca_file, "w")) != NULL && fputs("no certificate\n", f) >= 0 && fclose(f) == 0);
	ck_rc(http_server_reload(srv), RC_SYNTAX);
	r = (struct http_peer_run){ .parts = get, .answers = 1, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	/* now the strangers' CA is trusted, and ours is not; the CRL is no CRL of it */
	ck_assert((f = fopen(ca_file, "w")) != NULL && PEM_write_X509(f, other_ca.crt) == 1 && fclose(f) == 0);
	ck_rc(http_server_reload(srv), RC_SYNTAX);
	pki_crl(crl_file, &other_ca, NULL, 0);
	ck_ok(http_server_reload(srv));
	tls.own = &stranger;
	SSL_SESSION_free(tls.session);
	tls.session = NULL;
	r = (struct http_peer_run){ .parts = get, .answers = 1, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	SSL_SESSION_free(tls.session);
	tls.session = NULL;
	tls.own = &good;
	r = (struct http_peer_run){ .parts = get, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(r.alert, SSL_AD_UNKNOWN_CA);
	finish();
}
END_TEST

START_TEST(without_client_ca_nobody_is_asked_for_a_certificate)
{
	static struct http_peer_run r;
	struct http_server_tls f;
	struct http_peer_tls tls = { 0 };

	make_pki();
	f = files();
	f.client_ca_file = f.client_crl_file = NULL;
	start_with(CLOCK_REAL, &f, 0);
	tls.ca = &ca;
	r = (struct http_peer_run){ .parts = get, .answers = 1, .tls = &tls };
	talk(&r);
	ck_assert_int_eq(http_peer_status(&r), 200);
	ck_assert(!seen.has_cert);
	SSL_SESSION_free(tls.session);
	finish();
}
END_TEST

START_TEST(bad_files_are_told_at_start)
{
	struct http_server_tls f;
	struct http_server_conf conf = { .listen = "127.0.0.1:0", .tls = &f };
	struct http_server *out = NULL;
	enum rc want = RC_SYNTAX;

	make_pki();
	log_capture(on_line, NULL);
	f = files();
	switch (_i) {
	case 0:
		f.cert_file = "/nonexistent/cert.pem";
		want = RC_NOTFOUND;
		break;
	case 1:
		chmod(server.key_file, 0640);
		want = RC_DENIED;
		break;
	case 2:
		f.key_file = good.key_file;	/* not the certificate's */
		break;
	case 3:
		f.cert_file = crl_file;
		break;
	case 4:
		f.client_ca_file = server.key_file;
		break;
	case 5:
		f.client_crl_file = ca_file;
		break;
	}
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	ck_rc(http_server_new(loop, clk, &conf, on_request, NULL, &out), want);
	ck_assert(out == NULL && lines[0] != '\0');
	clock_free(clk);
	loop_free(loop);
	log_capture(NULL, NULL);
	pki_remove_dir();
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
	tcase_add_loop_test(t, a_good_client_gets_in_and_is_named, 0, 2);
	tcase_add_loop_test(t, n5_others_see_the_right_alert_and_the_log_names_them, 0, 2 * TABLE_N(refused));
	tcase_add_test(t, tls_1_1_is_refused);
	tcase_add_loop_test(t, a_client_that_refuses_our_certificate_is_in_the_log, 0, 2);
	tcase_add_test(t, plain_http_on_the_tls_port_gets_nothing);
	tcase_add_loop_test(t, sessions_are_resumed_and_still_name_the_client, 0, 2);
	tcase_add_loop_test(t, sessions_end_and_their_tickets_keys_rotate, 0, 2);
	tcase_add_test(t, the_longest_head_and_body_are_taken);
	tcase_add_loop_test(t, n5_a_resumed_session_of_a_revoked_certificate_gets_403, 0, 2);
	tcase_add_test(t, n5_the_next_request_of_a_standing_connection_is_judged_again);
	tcase_add_test(t, a_crl_past_its_next_update_refuses_everybody_by_name);
	tcase_add_test(t, t3_certificates_are_judged_by_the_controlled_clock);
	tcase_add_loop_test(t, a_body_that_stalls_is_408_over_tls_too, 0, 2);
	tcase_add_loop_test(t, a_body_that_stalls_where_the_library_speaks_is_just_the_end, 0, 2);
	tcase_add_loop_test(t, a_handshake_that_waits_costs_nothing_and_is_no_hindrance_to_the_end, 0, 4);
	tcase_add_test(t, a_reload_changes_certificate_and_trust_and_a_bad_one_nothing);
	tcase_add_test(t, without_client_ca_nobody_is_asked_for_a_certificate);
	tcase_add_loop_test(t, bad_files_are_told_at_start, 0, 6);
	return t;
}

int
main(void)
{
	Suite *s = suite_create("http_server_tls");

	/* what was freed is overwritten: nobody may look there */
	(void)mallopt(M_PERTURB, 0xa5);
	suite_add_tcase(s, all_cases("threads", NULL));
	suite_add_tcase(s, all_cases("on the loop", set_on_loop));
	return unit_run(s);
}
