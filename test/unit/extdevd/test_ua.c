/* ua: over real HTTPS against our own server: the key that comes, and whose word is not taken (N4). */
#include <time.h>

#include "common/clock.h"
#include "common/http_client.h"
#include "common/http_server.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/timeguard.h"
#include "common/uaxml.h"
#include "extdevd/core.h"
#include "test/unit/pki.h"
#include "test/unit/unit.h"

#define FQDN "nafkc.example.org"
#define BTID "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.org"

static struct loop *loop;
static struct clock *clk;
static struct http_client *client;
static struct http_server *server;
static struct http_tls *tls;
static struct pki_cert ca, other_ca, device, stranger, cert;
static struct extdev e;
static struct extdev_center_conf center;
static struct extdev_request asked;
static struct extdev_ua_call *call;

/* What the Key Center got, and what the device made of the answer. */
static int requests, answers;
static struct uaxml_request got;
static struct extdev_ua_answer a;

static void
on_request(struct http_xchg *x, void *arg)
{
	const char *bad;
	struct uaxml_response m = { .lifetime = clock_now_s(clk) + 3600 };
	struct http_header h = { "Content-Type", "application/xml" };
	char doc[UAXML_MAX];
	size_t n;

	(void)arg;
	requests++;
	ck_assert_str_eq(x->req->method, "POST");
	ck_assert_str_eq(x->req->path, "/keycentre/v1/key-request");
	ck_assert_int_eq(strncmp(http_header_get(x->req->headers, x->req->n_headers, "Host"), FQDN, strlen(FQDN)), 0);
	ck_assert(x->req->peer->has_cert);
	ck_ok(uaxml_parse_request(x->req->body, &got, &bad));
	m.btid = got.btid;
	m.device_id = got.device_id;
	ck_ok(secret_new(KS_LEN, &m.ks_local_mt));
	memset(secret_bytes(m.ks_local_mt), 7, KS_LEN);
	ck_ok(uaxml_print_response(&m, doc, sizeof doc, &n));
	secret_free(m.ks_local_mt);
	http_answer(x, 200, &h, 1, span_of(doc, n), false);
}

static void
on_ua(void *arg, struct extdev_ua_answer *answer)
{
	ck_assert_ptr_eq(arg, &asked);
	answers++;
	a = *answer;
	call = NULL;
}

static void
setup(void)
{
	requests = answers = 0;
	memset(&got, 0, sizeof got);
	memset(&a, 0, sizeof a);
	memset(&e, 0, sizeof e);
	call = NULL;
	server = NULL;
	tls = NULL;
	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "CA", .ca = true }, NULL);
	pki_make(&other_ca, "other", &(struct pki_spec){ .cn = "Other CA", .ca = true }, NULL);
	pki_make(&device, "device", &(struct pki_spec){ .cn = "device", .usage = "clientAuth" }, &ca);
	pki_make(&stranger, "stranger", &(struct pki_spec){ .cn = "device", .usage = "clientAuth" }, &other_ca);
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_REAL, &clk));
	ck_ok(timeguard_new(clk, NULL, TIMEGUARD_STEP_MAX_S, &e.s.guard));
	ck_ok(http_client_new(loop, clk, NULL, &client));
	e.s.clock = clk;
	e.s.http = client;
	e.conf.centers = &center;
	e.conf.n_centers = 1;
	memset(&center, 0, sizeof center);
	ck_ok(naf_id_parse(span_str(FQDN "/0100000002"), &center.naf_id));
	memset(&asked, 0, sizeof asked);
	asked.triple.naf_id = center.naf_id;
	ck_ok(btid_parse(span_str(BTID), &asked.triple.btid));
	ck_ok(device_id_parse(span_str("device-1"), &asked.triple.device_id));
}

static void
teardown(void)
{
	extdev_ua_cancel(call);
	secret_free(a.ks);
	http_client_free(client);
	http_tls_free(tls);
	http_server_free(server);
	timeguard_free(e.s.guard);
	clock_free(clk);
	loop_free(loop);
	pki_free(&ca);
	pki_free(&other_ca);
	pki_free(&device);
	pki_free(&stranger);
	pki_free(&cert);
	pki_remove_dir();
}

/* A Key Center with cert; the device shows own and trusts trust. */
static void
start(const struct pki_cert *own, const struct pki_cert *trust)
{
	static const struct http_tls *tls_of[1];
	struct http_server_tls st = { .cert_file = cert.crt_file, .key_file = cert.key_file, .client_ca_file = ca.crt_file };
	struct http_server_conf conf = { .listen = "127.0.0.1:0", .tls = &st, .threads = 1, .name = "ua" };

	ck_ok(http_server_new(loop, clk, &conf, on_request, NULL, &server));
	ck_ok(http_tls_new(trust->crt_file, own->crt_file, own->key_file, clk, &tls));
	tls_of[0] = tls;
	e.s.tls = tls_of;
	center.dial = http_server_address(server);
}

static void
ask(void)
{
	struct timespec t0, t;

	ck_ok(extdev_ua_send(&e, 0, &asked, on_ua, &asked, &call));
	ck_assert_int_eq(answers, 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	while (answers == 0) {
		loop_turn(loop, NULL, NULL);
		clock_gettime(CLOCK_MONOTONIC, &t);
		ck_assert_msg(t.tv_sec - t0.tv_sec < 8, "no answer");
	}
}

START_TEST(the_key_comes)
{
	pki_make(&cert, "server", &(struct pki_spec){ .cn = "x", .san = "DNS:" FQDN, .usage = "serverAuth" }, &ca);
	start(&device, &ca);
	ask();
	ck_assert_msg(a.why == REASON_NONE, "%s: %s", reason_get(a.why)->code, a.detail);
	ck_assert_int_eq(requests, 1);
	ck_assert_str_eq(got.btid.s, BTID);
	ck_assert_str_eq(got.device_id.s, "device-1");
	ck_assert(got.has_fqdn && got.has_ua && naf_id_eq(&got.naf_id, &center.naf_id));
	ck_assert_uint_eq(secret_span(a.ks).n, KS_LEN);
	ck_assert_uint_eq(secret_span(a.ks).p[31], 7);
}
END_TEST

/* N4: neither B-TID nor Device_ID is sent, and the reason says which it was. */
static const struct {
	const char *what;
	struct pki_spec spec;
	bool by_other_ca, we_are_a_stranger;
	enum reason why;
	const char *detail;
} refusals[] = {
	{ "another name", { .cn = FQDN, .san = "DNS:other.example.org", .usage = "serverAuth" }, false, false, REASON_HTTP_TLS_SERVER, "wanted" },
	{ "a wildcard", { .cn = FQDN, .san = "DNS:*.example.org", .usage = "serverAuth" }, false, false, REASON_HTTP_TLS_SERVER, "wanted" },
	{ "a CN alone", { .cn = FQDN, .usage = "serverAuth" }, false, false, REASON_HTTP_TLS_SERVER, "wanted" },
	{ "the parent domain", { .cn = FQDN, .san = "DNS:example.org", .usage = "serverAuth" }, false, false, REASON_HTTP_TLS_SERVER, "wanted" },
	{ "another CA", { .cn = FQDN, .san = "DNS:" FQDN, .usage = "serverAuth" }, true, false, REASON_HTTP_TLS_SERVER, "issuer" },
	{ "expired", { .cn = FQDN, .san = "DNS:" FQDN, .usage = "serverAuth", .from_s = -7200, .to_s = -3600 }, false, false,
	    REASON_HTTP_TLS_SERVER, "expired" },
	{ "not yet valid", { .cn = FQDN, .san = "DNS:" FQDN, .usage = "serverAuth", .from_s = 3600, .to_s = 7200 }, false, false,
	    REASON_HTTP_TLS_SERVER, "not yet" },
	{ "our certificate is of another CA", { .cn = FQDN, .san = "DNS:" FQDN, .usage = "serverAuth" }, false, true,
	    REASON_HTTP_TLS_REFUSED, "" },
};

START_TEST(N4_whose_word_is_not_taken)
{
	pki_make(&cert, "server", &refusals[_i].spec, refusals[_i].by_other_ca ? &other_ca : &ca);
	start(refusals[_i].we_are_a_stranger ? &stranger : &device, &ca);
	ask();
	ck_assert_msg(a.why == refusals[_i].why, "%s: %s: %s", refusals[_i].what, reason_get(a.why)->code, a.detail);
	ck_assert_msg(strstr(a.detail, refusals[_i].detail) != NULL, "%s: %s", refusals[_i].what, a.detail);
	ck_assert_int_eq(a.next, EXTDEV_GIVE_UP);
	ck_assert_int_eq(a.status, 0);
	ck_assert_ptr_null(a.ks);
	ck_assert_int_eq(requests, 0);
}
END_TEST

START_TEST(N6_nobody_there)
{
	pki_make(&cert, "server", &(struct pki_spec){ .cn = "x", .san = "DNS:" FQDN, .usage = "serverAuth" }, &ca);
	start(&device, &ca);
	http_server_free(server);
	server = NULL;
	center.dial = "127.0.0.1:1";
	ask();
	ck_assert_int_eq(a.why, REASON_HTTP_UNREACHABLE);
	ck_assert_int_eq(a.next, EXTDEV_LATER);
}
END_TEST

START_TEST(cancelled)
{
	pki_make(&cert, "server", &(struct pki_spec){ .cn = "x", .san = "DNS:" FQDN, .usage = "serverAuth" }, &ca);
	start(&device, &ca);
	ck_ok(extdev_ua_send(&e, 0, &asked, on_ua, &asked, &call));
	extdev_ua_cancel(call);
	call = NULL;
	for (int i = 0; i < 50; i++) {
		loop_turn(loop, NULL, NULL);
		usleep(1000);
	}
	ck_assert_int_eq(answers, 0);
	extdev_ua_cancel(NULL);
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
	Suite *s = suite_create("ua");
	TCase *t = tcase_create("https");

	log_capture(no_log, NULL);
	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_key_comes);
	tcase_add_loop_test(t, N4_whose_word_is_not_taken, 0, TABLE_N(refusals));
	tcase_add_test(t, N6_nobody_there);
	tcase_add_test(t, cancelled);
	suite_add_tcase(s, t);
	return unit_run(s);
}
