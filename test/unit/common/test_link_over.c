/* link_over: TLS over any link, both ends ours. Each test runs over the in-memory network and its virtual clock, over TCP and over a
 * UNIX socket. What foreign ends do is test_link_psk.c's. */
#include "test/unit/common/over_rig.h"
#include "test/unit/pki.h"

/* U2: octets pass both ways, hidden from the link below. */
BEGIN(U2_there_and_back)
	pair();
	ck_ok(link_write(a.l, span_str("hello")));
	ck_ok(link_write(a.l, span_str("")));
	until(b.data > 0);
	ck_assert(span_eq_str(link_input(b.l), "hello"));
	link_drain(b.l, 2);
	ck_assert(span_eq_str(link_input(b.l), "llo"));
	ck_ok(link_write(b.l, span_str("back")));
	until(a.data > 0);
	ck_assert(span_eq_str(link_input(a.l), "back"));
	link_drain(a.l, 4);
	until(a.drained > 0 && link_unsent(a.l) == 0);
END

/* U3: the keys differ: the binder says so at the server, an alert at the client. */
BEGIN(U3_another_key)
	psk_b.key = other_key;
	carry();
	over(&a, &conf_a);
	over(&b, &conf_b);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.up + b.up, 0);
	ck_assert_str_eq(reason_get(a.why)->code, "link-psk-refused");
	ck_assert_str_eq(reason_get(b.why)->code, "link-psk-refused");
END

/* U3: to the client it is the same, the server knows better. */
BEGIN(U3_another_identity)
	psk_b.identity = "kslocal1.BBBBBBBBBBBBBBBBBBBBBB";
	carry();
	over(&a, &conf_a);
	over(&b, &conf_b);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.up + b.up, 0);
	ck_assert_str_eq(reason_get(a.why)->code, "link-psk-refused");
	ck_assert_str_eq(reason_get(b.why)->code, "link-psk-identity");
END

/* U3: only a refusal by binder or alert is about the key. */
BEGIN(U3_a_silent_peer)
	conf_a.handshake_ms = 3000;
	carry();
	over(&a, &conf_a);
	quiet();
	ck_assert_int_eq(a.closed, 0);
	clock_advance(clk, 2000);
	quiet();
	ck_assert_int_eq(a.closed, 0);
	clock_advance(clk, 1000);
	until(a.closed == 1);
	ck_assert_str_eq(reason_get(a.why)->code, "link-timeout");
END

BEGIN(U3_a_link_that_breaks)
	carry();
	over(&a, &conf_a);
	quiet();
	link_free(b.inner);
	b.inner = NULL;
	until(a.closed == 1);
	ck_assert_str_eq(reason_get(a.why)->code, "link-broken");
END

BEGIN(U3_a_link_that_is_reset)
	carry();
	over(&b, &conf_b);
	quiet();
	link_reset(a.inner);
	a.inner = NULL;
	until(b.closed == 1);
	ck_assert_str_eq(reason_get(b.why)->code, "link-broken");
END

/* U2, RFC 9257 "Selfie": two clients, though both hold the key. Two servers wait for each other. */
BEGIN(U2_two_clients)
	conf_b.server = false;
	carry();
	over(&a, &conf_a);
	over(&b, &conf_b);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.up + b.up, 0);
	ck_assert_str_eq(reason_get(a.why)->code, "link-tls-role");
	ck_assert_str_eq(reason_get(b.why)->code, "link-tls-role");
END

BEGIN(U2_two_servers)
	conf_a.server = true;
	carry();
	over(&a, &conf_a);
	over(&b, &conf_b);
	quiet();
	ck_assert_int_eq(a.closed + b.closed, 0);
	clock_advance(clk, 10000);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_str_eq(reason_get(a.why)->code, "link-timeout");
END

/* Octets that came before the link was taken over are the peer's TLS. */
BEGIN(the_hello_waits_already)
	carry();
	over(&a, &conf_a);
	until(link_input(b.inner).n > 0);
	over(&b, &conf_b);
	until(a.up == 1 && b.up == 1);
END

BEGIN(octet_by_octet)
	if (_i == MEM)
		link_mem_set_chunk(net, 1);
	pair();
	b.drain = true;
	ck_ok(link_write(a.l, span_str("hello")));
	until(b.n == 5);
END

BEGIN(much_in_both_directions)
	static uint8_t big[5 << 20];
	uint8_t want = 0;

	for (size_t i = 0; i < sizeof big; i++) {
		big[i] = (uint8_t)(i * 13 + (i >> 9));
		want = (uint8_t)(want * 31 + big[i]);
	}
	pair();
	a.drain = b.drain = true;
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	ck_assert_uint_ge(link_unsent(a.l), _i == MEM ? sizeof big : 1);	/* sockets have room of their own */
	ck_ok(link_write(b.l, span_of(big, sizeof big)));
	until(a.n == sizeof big && b.n == sizeof big);
	ck_assert_uint_eq(a.sum, want);
	ck_assert_uint_eq(b.sum, want);
	until(link_unsent(a.l) == 0 && a.drained > 0);
END

BEGIN(input_limit)
	static char big[1 << 20];
	size_t waits;

	pair();
	link_set_input_limit(b.l, 1000);
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	quiet();
	waits = link_input(b.l).n;
	ck_assert_uint_ge(waits, 1000);
	ck_assert_uint_le(waits, 1000 + 16384);		/* a record is not cut */
	if (_i == MEM)	/* sockets have room of their own */
		ck_assert_uint_gt(link_unsent(a.l), sizeof big - 300000);	/* what the link below takes at most is more than TLS holds back */
	for (size_t n = 0; n < sizeof big; n += waits) {
		until(link_input(b.l).n > 0);
		waits = link_input(b.l).n;
		ck_assert_uint_le(waits, 1000 + 16384);
		link_drain(b.l, waits);
	}
	ck_assert_int_eq(a.closed + b.closed, 0);
	link_drain(b.l, 99);	/* more than there is */
END

/* Who has no room for octets comes up by a handshake all the same, or not at all. */
BEGIN(no_room_is_no_handshake)
	carry();
	psk_b.key = other_key;
	over(&a, &conf_a);
	over(&b, &conf_b);
	link_set_input_limit(a.l, 0);
	link_set_input_limit(b.l, 0);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.up + b.up, 0);
	ck_assert_int_eq(a.why, REASON_LINK_PSK_REFUSED);
	ck_assert_int_eq(b.why, REASON_LINK_PSK_REFUSED);
END

BEGIN(too_much_unsent)
	static char big[LINK_UNSENT_MAX];

	pair();
	ck_rc(link_write(a.l, span_of(big, sizeof big)), RC_LIMIT);	/* its records would not fit; nothing is half said */
	ck_ok(link_write(a.l, span_of(big, sizeof big / 2)));
	ck_rc(link_write(a.l, span_of(big, sizeof big / 8 * 7)), RC_LIMIT);	/* sockets have room of their own */
	b.drain = true;
	until(b.n == sizeof big / 2);
	ck_ok(link_write(a.l, span_str("x")));
	until(b.n == sizeof big / 2 + 1);
END

/* --- ends */

BEGIN(close_in_good_order)
	static char big[1 << 20];

	pair();
	b.drain = true;
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	link_close(a.l);
	ck_rc(link_write(a.l, span_str("x")), RC_STATE);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.why, REASON_NONE);
	ck_assert_uint_eq(b.n, sizeof big);
END

/* Its reader was slow: what came before the end of the link below is still there, in on_closed at the latest. */
BEGIN(an_end_behind_a_slow_reader)
	static char big[60000];

	pair();
	link_set_input_limit(b.l, 1);
	ck_ok(link_write(a.l, span_of(big, sizeof big)));
	link_close(a.l);
	until(a.closed == 1);
	for (int i = 0; i < 2 && b.closed == 0; i++) {
		b.n += link_input(b.l).n;
		link_drain(b.l, link_input(b.l).n);
		until(b.closed == 1 || link_input(b.l).n > 0);
	}
	b.drain = b.closed == 0;
	if (b.drain)
		link_set_input_limit(b.l, 1000000);
	until(b.closed == 1);
	ck_assert_uint_eq(b.n + b.rest, sizeof big);
	ck_assert_int_eq(b.why, REASON_NONE);
END

/* A cut is no end in good order. */
BEGIN(an_end_without_close_notify)
	pair();
	link_free(a.l);
	a.l = NULL;
	until(b.closed == 1);
	ck_assert_str_eq(reason_get(b.why)->code, "link-broken");
	ck_assert_ptr_nonnull(strstr(b.detail, "close_notify"));
END

BEGIN(reset)
	pair();
	link_reset(a.l);
	a.l = NULL;
	until(b.closed == 1);
	ck_assert_int_eq(b.why, REASON_LINK_BROKEN);
END

BEGIN(close_before_it_is_up)
	carry();
	over(&a, &conf_a);
	link_close(a.l);
	link_close(a.l);
	until(a.closed == 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(a.up, 0);
END

BEGIN(half_open)
	conf_a.half_open = conf_b.half_open = true;
	pair();
	a.drain = b.drain = true;
	ck_ok(link_write(a.l, span_str("request")));
	ck_ok(link_shutdown(a.l));
	ck_rc(link_shutdown(a.l), RC_STATE);
	ck_rc(link_write(a.l, span_str("x")), RC_STATE);
	until(b.eof == 1);
	ck_assert(link_at_eof(b.l) && !link_at_eof(a.l));
	ck_assert_uint_eq(b.n, 7);
	quiet();
	ck_assert_int_eq(a.closed + b.closed, 0);
	ck_ok(link_write(b.l, span_str("answer")));
	until(a.n == 6);
	ck_ok(link_shutdown(b.l));
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(a.eof, 1);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.why, REASON_NONE);
END

/* Both have said it, octets wait: on_closed waits. */
BEGIN(half_open_octets_wait)
	conf_a.half_open = conf_b.half_open = true;
	pair();
	ck_ok(link_write(a.l, span_str("request")));
	ck_ok(link_shutdown(a.l));
	until(b.eof == 1);
	ck_ok(link_shutdown(b.l));
	quiet();
	ck_assert_int_eq(b.closed, 0);
	ck_assert(span_eq_str(link_input(b.l), "request"));
	link_drain(b.l, 7);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(b.why, REASON_NONE);
END

BEGIN(half_open_peer_that_is_not)
	conf_a.half_open = true;
	pair();
	ck_rc(link_shutdown(b.l), RC_STATE);
	ck_ok(link_shutdown(a.l));
	until(a.closed == 1 && b.closed == 1);
	ck_assert_int_eq(b.eof, 0);
	ck_assert_int_eq(a.why, REASON_NONE);
	ck_assert_int_eq(b.why, REASON_NONE);
END

/* --- freed within a callback */

BEGIN(freed_in_on_up)
	carry();
	a.free_on_up = true;
	over(&a, &conf_a);
	over(&b, &conf_b);
	until(a.l == NULL && b.closed == 1);
END

BEGIN(freed_in_on_data)
	pair();
	b.free_on_data = true;
	ck_ok(link_write(a.l, span_str("hello")));
	until(b.l == NULL && a.closed == 1);
	ck_assert_int_eq(b.closed, 0);
END

BEGIN(freed_in_on_eof)
	conf_b.half_open = true;
	pair();
	b.free_on_eof = true;
	link_close(a.l);
	until(b.l == NULL && a.closed == 1);
	ck_assert_int_eq(b.closed, 0);
END

/* --- certificates over any link (U8) */

static struct pki_cert ca, server, client;
static struct link_tls *tls_a, *tls_b;

/* Both ends have certificates, and over() speaks TLS with them. */
static void
certificates(void)
{
	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "CA", .ca = true, .from_s = -3600, .to_s = 86400 * 30 }, NULL);
	pki_make(&server, "server", &(struct pki_spec){ .cn = "mt", .san = "DNS:mt.example.org", .usage = "serverAuth" }, &ca);
	pki_make(&client, "client", &(struct pki_spec){ .cn = "dev", .san = "DNS:dev.example.org", .usage = "clientAuth" }, &ca);
	ck_ok(link_tls_new(client.crt_file, client.key_file, ca.crt_file, clk, &tls_a));
	ck_ok(link_tls_new(server.crt_file, server.key_file, ca.crt_file, clk, &tls_b));
	conf_a = (struct link_over_conf){ .tls = tls_a, .tls_name = "mt.example.org" };
	conf_b = (struct link_over_conf){ .tls = tls_b, .server = true };
}

static void
certificates_free(void)
{
	link_free(a.l);
	link_free(b.l);
	a.l = b.l = NULL;
	link_tls_free(tls_a);
	link_tls_free(tls_b);
	pki_free(&ca);
	pki_free(&server);
	pki_free(&client);
	pki_remove_dir();
}

BEGIN(U8_certificates)
	struct link_peer p;
	uint8_t spki[32];

	certificates();
	pair();
	link_get_peer(a.l, &p);
	ck_assert(p.has_cert && link_peer_has_name(&p, "mt.example.org"));
	pki_spki(&server, spki);
	ck_assert_mem_eq(p.spki_sha256, spki, 32);
	link_get_peer(b.l, &p);
	ck_assert(p.has_cert && link_peer_has_name(&p, "dev.example.org"));
	ck_assert(_i != UNIX || p.has_cred);
	ck_ok(link_write(a.l, span_str("hello")));
	until(b.data > 0);
	ck_assert(span_eq_str(link_input(b.l), "hello"));
	certificates_free();
END

BEGIN(U8_another_name)
	certificates();
	conf_a.tls_name = "other.example.org";
	carry();
	over(&a, &conf_a);
	over(&b, &conf_b);
	until(a.closed == 1 && b.closed == 1);
	ck_assert_str_eq(reason_get(a.why)->code, "link-tls-name");
	ck_assert_str_eq(reason_get(b.why)->code, "link-refused-cert");
	certificates_free();
END

/* The key's TLS inside the certificates' (U8, then `use`): its reasons are its own. */
static const struct {
	bool same_key;
	const char *identity, *at_a, *at_b;
} nested[] = {
	{ true, "kslocal1.AAAAAAAAAAAAAAAAAAAAAA", NULL, NULL },
	{ false, "kslocal1.AAAAAAAAAAAAAAAAAAAAAA", "link-psk-refused", "link-psk-refused" },
	{ true, "kslocal1.BBBBBBBBBBBBBBBBBBBBBB", "link-psk-refused", "link-psk-identity" },
};

BEGIN(U3_within_certificates)
	certificates();
	for (int i = 0; i < TABLE_N(nested); i++) {
		conf_a = (struct link_over_conf){ .tls = tls_a, .tls_name = "mt.example.org" };
		conf_b = (struct link_over_conf){ .tls = tls_b, .server = true };
		pair();
		a = (struct end){ .inner = a.l };
		b = (struct end){ .inner = b.l };
		confs();
		psk_b = (struct link_psk){ nested[i].identity, nested[i].same_key ? key : other_key };
		over(&a, &conf_a);
		over(&b, &conf_b);
		until(a.up + a.closed > 0 && b.up + b.closed > 0);
		if (nested[i].at_a == NULL) {
			ck_assert_int_eq(a.up + b.up, 2);
			ck_ok(link_write(a.l, span_str("hello")));
			until(b.data > 0);
			ck_assert(span_eq_str(link_input(b.l), "hello"));
		} else {
			ck_assert_int_eq(a.closed + b.closed, 2);
			ck_assert_str_eq(reason_get(a.why)->code, nested[i].at_a);
			ck_assert_str_eq(reason_get(b.why)->code, nested[i].at_b);
		}
		link_free(a.l);
		link_free(b.l);
		a = b = (struct end){ 0 };
		link_listener_free(ll);
		ll = NULL;
	}
	certificates_free();
END

int
main(void)
{
	Suite *s = suite_create("link_over");
	TCase *t = tcase_create("over");

	log_set_level(LOG_LEVEL_ERROR);
#define ADD(test) tcase_add_loop_test(t, test, MEM, MEDIA)
	ADD(U2_there_and_back);
	ADD(U3_another_key);
	ADD(U3_another_identity);
	ADD(U3_a_silent_peer);
	ADD(U3_a_link_that_breaks);
	ADD(U3_a_link_that_is_reset);
	ADD(U2_two_clients);
	ADD(U2_two_servers);
	ADD(the_hello_waits_already);
	ADD(octet_by_octet);
	ADD(much_in_both_directions);
	ADD(input_limit);
	ADD(no_room_is_no_handshake);
	ADD(too_much_unsent);
	ADD(close_in_good_order);
	ADD(an_end_behind_a_slow_reader);
	ADD(an_end_without_close_notify);
	ADD(reset);
	ADD(close_before_it_is_up);
	ADD(half_open);
	ADD(half_open_octets_wait);
	ADD(half_open_peer_that_is_not);
	ADD(freed_in_on_up);
	ADD(freed_in_on_data);
	ADD(freed_in_on_eof);
	ADD(U8_certificates);
	ADD(U8_another_name);
	ADD(U3_within_certificates);
	suite_add_tcase(s, t);
	return unit_run(s);
}
