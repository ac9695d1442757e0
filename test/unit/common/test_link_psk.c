/*
 * link_psk: the PSK's rules (U2, U3) against foreign ends: OpenSSL's library with other settings, bare octets, openssl's own tools.
 * Ours is b as a server, a as a client; the foreign one sits on the other end of the carrier.
 */
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "test/unit/common/over_rig.h"
#include "test/unit/pki.h"
#include "test/unit/vectors.h"

#define ID "kslocal1.AAAAAAAAAAAAAAAAAAAAAA"

/* --- a foreign end: OpenSSL on memory BIOs */

static struct {
	SSL_CTX *ctx;
	SSL *ssl;
	struct link *l;
	bool up, failed, closed;
	int tickets;
	const char *identity;		/* NULL: offers no PSK */
} far;

static SSL_SESSION *
far_session(SSL *ssl)
{
	static const unsigned char suite[] = { 0x13, 0x01 };
	SSL_SESSION *s = SSL_SESSION_new();

	ck_assert(SSL_SESSION_set1_master_key(s, secret_span(key).p, 32) == 1);
	ck_assert(SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suite)) == 1);
	ck_assert(SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1);
	return s;
}

static int
far_use(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *n, SSL_SESSION **out)
{
	(void)md;
	*out = far.identity != NULL ? far_session(ssl) : NULL;
	*id = (const unsigned char *)far.identity;
	*n = far.identity != NULL ? strlen(far.identity) : 0;
	return 1;
}

static int
far_find(SSL *ssl, const unsigned char *id, size_t n, SSL_SESSION **out)
{
	bool ours = far.identity != NULL && span_eq_str(span_of(id, n), far.identity);

	*out = ours ? far_session(ssl) : NULL;
	return 1;
}

static int
far_ticket(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl, (void)s;
	far.tickets++;
	return 0;
}

static void
far_flush(void)
{
	char *p;
	long n = BIO_get_mem_data(SSL_get_wbio(far.ssl), &p);

	if (n > 0 && far.l != NULL)
		ck_ok(link_write(far.l, span_of(p, (size_t)n)));
	(void)BIO_reset(SSL_get_wbio(far.ssl));
}

static void
far_turn(void)
{
	char scratch[4096];
	int r;

	if (!far.up) {
		r = SSL_do_handshake(far.ssl);
		far.up = r == 1;
		far.failed = far.failed || (r != 1 && SSL_get_error(far.ssl, r) != SSL_ERROR_WANT_READ);
	}
	if (far.up)
		(void)SSL_read(far.ssl, scratch, sizeof scratch);
	ERR_clear_error();
	far_flush();
}

static void
far_data(struct link *l, void *arg)
{
	struct span in = link_input(l);

	(void)arg;
	BIO_write(SSL_get_rbio(far.ssl), in.p, (int)in.n);
	link_drain(l, in.n);
	far_turn();
}

static void
far_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail, (void)arg;
	far.closed = true;
	link_free(l);
	far.l = NULL;
}

/* What a foreign end is like until a test changes it: as ours. */
static void
far_make(void)
{
	static const unsigned char h2[] = { 2, 'h', '2' };

	far.ctx = SSL_CTX_new(TLS_method());
	SSL_CTX_set_psk_use_session_callback(far.ctx, far_use);
	SSL_CTX_set_psk_find_session_callback(far.ctx, far_find);
	SSL_CTX_set_session_cache_mode(far.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(far.ctx, far_ticket);
	SSL_CTX_set_alpn_protos(far.ctx, h2, sizeof h2);
	far.identity = ID;
}

static void
far_start(struct end *at, bool server)
{
	static const struct link_cb cb_far = { .on_data = far_data, .on_closed = far_closed };

	far.ssl = SSL_new(far.ctx);
	SSL_set_bio(far.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (server)
		SSL_set_accept_state(far.ssl);
	else
		SSL_set_connect_state(far.ssl);
	far.l = at->inner;
	at->inner = NULL;
	link_set_cb(far.l, &cb_far, NULL);
	if (far.l->ops->tls_above != NULL)
		far.l->ops->tls_above(far.l);
	far_turn();
}

static void
far_free(void)
{
	link_free(far.l);
	SSL_free(far.ssl);
	SSL_CTX_free(far.ctx);
	memset(&far, 0, sizeof far);
}

#undef END
#define END far_free(); teardown(); } END_TEST

/* Our server against the far client. */
static void
serve(void)
{
	carry();
	over(&b, &conf_b);
	far_start(&a, false);
}

/* Our client against the far server. */
static void
dial(void)
{
	carry();
	over(&a, &conf_a);
	far_start(&b, true);
}

static void
refused(struct end *e, const char *code)
{
	until(e->closed == 1 || e->up == 1);
	ck_assert_int_eq(e->up, 0);
	ck_assert_msg(strcmp(reason_get(e->why)->code, code) == 0, "%s (%s), expected %s", reason_get(e->why)->code, e->detail, code);
}

static int
select_h2(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in, unsigned in_n, void *arg)
{
	(void)ssl, (void)in_n, (void)arg;
	*out = in + 1;
	*n = in[0];
	return SSL_TLSEXT_ERR_OK;
}

/* --- U2: what the handshake is like */

BEGIN(U2_server_with_a_foreign_client)
	EVP_PKEY *dh = NULL;

	far_make();
	SSL_CTX_set_options(far.ctx, SSL_OP_ALLOW_NO_DHE_KEX);	/* it would do without */
	serve();
	until(b.up == 1 && far.up);
	ck_assert_str_eq(SSL_get_version(far.ssl), "TLSv1.3");
	ck_assert_str_eq(SSL_get_cipher_name(far.ssl), "TLS_AES_128_GCM_SHA256");
	ck_assert_msg(SSL_get_peer_tmp_key(far.ssl, &dh) == 1, "psk_dhe_ke");
	EVP_PKEY_free(dh);
	ck_assert(SSL_write(far.ssl, "hello", 5) == 5);
	far_flush();
	until(b.data > 0);
	ck_assert(span_eq_str(link_input(b.l), "hello"));
	ck_ok(link_write(b.l, span_str("back")));
	quiet();
	ck_assert_int_eq(far.tickets, 0);
END

BEGIN(U2_client_with_a_foreign_server)
	far_make();
	SSL_CTX_set_alpn_select_cb(far.ctx, select_h2, NULL);
	dial();
	until(a.up == 1 && far.up);
	ck_assert(SSL_session_reused(far.ssl));
	ck_ok(link_write(a.l, span_str("hello")));
	quiet();
	ck_assert_int_eq(a.closed, 0);
END

/* A server that wants another group first: the hello is said twice, each with a binder of its own. */
BEGIN(U2_client_is_asked_for_another_group)
	far_make();
	ck_assert(SSL_CTX_set1_groups_list(far.ctx, "P-384") == 1);
	SSL_CTX_set_alpn_select_cb(far.ctx, select_h2, NULL);
	dial();
	until(a.up == 1 && far.up);
	ck_assert(SSL_session_reused(far.ssl));
END

/* Octets of somebody else's in the midst of it. */
BEGIN(U2_injected_octets)
	far_make();
	serve();
	until(b.up == 1 && far.up);
	ck_ok(link_write(far.l, span_str("{\"id\":2,\"op\":\"forget\"}\n")));
	until(b.closed == 1);
	ck_assert_int_eq(b.data, 0);
	ck_assert_str_eq(reason_get(b.why)->code, "link-tls-broken");
END

BEGIN(U2_a_key_update_is_fine)
	far_make();
	serve();
	until(b.up == 1 && far.up);
	ck_assert(SSL_key_update(far.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
	ck_assert(SSL_write(far.ssl, "hello", 5) == 5);
	far_flush();
	until(b.data > 0);
	ck_ok(link_write(b.l, span_str("back")));
	quiet();
	ck_assert_int_eq(b.closed, 0);
END

BEGIN(U2_server_refuses_TLS_1_2)
	far_make();
	SSL_CTX_set_max_proto_version(far.ctx, TLS1_2_VERSION);
	serve();
	refused(&b, "link-tls-broken");
	until(far.failed);
END

BEGIN(U2_server_refuses_another_suite)
	far_make();
	SSL_CTX_set_ciphersuites(far.ctx, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
	far.identity = NULL;
	serve();
	refused(&b, "link-tls-broken");
END

BEGIN(U2_server_refuses_no_alpn)
	far_make();
	SSL_CTX_set_alpn_protos(far.ctx, NULL, 0);
	serve();
	refused(&b, "link-tls-alpn");
	until(far.failed);
END

BEGIN(U2_server_refuses_another_alpn)
	static const unsigned char h1[] = { 8, 'h', 't', 't', 'p', '/', '1', '.', '1' };

	far_make();
	SSL_CTX_set_alpn_protos(far.ctx, h1, sizeof h1);
	serve();
	refused(&b, "link-tls-alpn");
END

BEGIN(U2_client_refuses_no_alpn)
	far_make();	/* its server chooses none */
	dial();
	refused(&a, "link-tls-alpn");
END

/* No falling back to certificates: at the server ... */
BEGIN(U2_server_refuses_a_client_without_psk)
	far_make();
	far.identity = NULL;
	serve();
	refused(&b, "link-psk-none");
	until(far.failed);
END

BEGIN(U3_server_names_another_identity)
	far_make();
	far.identity = "somebody";
	serve();
	refused(&b, "link-psk-identity");
END

/* ... and at the client, were the certificate ever so good. It says nothing about the key (U3). */
static void
certificate(const struct pki_cert *c)
{
	ck_assert(SSL_CTX_use_certificate(far.ctx, c->crt) == 1 && SSL_CTX_use_PrivateKey(far.ctx, c->key) == 1);
}

BEGIN(U2_client_refuses_a_certificate)
	struct pki_cert ca, server;

	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "CA", .ca = true }, NULL);
	pki_make(&server, "server", &(struct pki_spec){ .cn = "mt", .san = "DNS:mt.example.org", .usage = "serverAuth" }, &ca);
	far_make();
	far.identity = NULL;
	SSL_CTX_set_alpn_select_cb(far.ctx, select_h2, NULL);
	certificate(&server);
	dial();
	refused(&a, "link-psk-none");
	pki_free(&ca);
	pki_free(&server);
	pki_remove_dir();
END

/* A server that knows no such identity and has nothing else says handshake_failure: not the same key. */
BEGIN(U3_client_is_told_no_such_identity)
	far_make();
	far.identity = NULL;
	dial();
	refused(&a, "link-psk-refused");
END

/* --- U3: alerts by number, as any implementation may send them instead of a ServerHello */

static const struct {
	uint8_t alert;
	const char *code;
} alerts[] = {
	{ 47, "link-psk-refused" },	/* illegal_parameter: OpenSSL's for a bad binder */
	{ 51, "link-psk-refused" },	/* decrypt_error: RFC 8446 4.2.11 */
	{ 115, "link-psk-refused" },	/* unknown_psk_identity */
	{ 40, "link-psk-refused" },	/* handshake_failure */
	{ 10, "link-tls-broken" },	/* unexpected_message */
	{ 20, "link-tls-broken" },	/* bad_record_mac */
	{ 50, "link-tls-broken" },	/* decode_error */
	{ 70, "link-tls-broken" },	/* protocol_version */
	{ 71, "link-tls-broken" },	/* insufficient_security */
	{ 80, "link-tls-broken" },	/* internal_error */
	{ 120, "link-tls-alpn" },	/* no_application_protocol */
};

START_TEST(U3_client_hears_an_alert)
{
	uint8_t record[] = { 0x15, 3, 3, 0, 2, 2, alerts[_i].alert };

	setup(MEM);
	confs();
	carry();
	over(&a, &conf_a);
	quiet();
	ck_ok(link_write(b.inner, span_of(record, sizeof record)));
	refused(&a, alerts[_i].code);
	teardown();
}
END_TEST

/* The same alerts tell a server nothing about the key: a client has no binder to judge. */
START_TEST(U3_server_hears_an_alert)
{
	uint8_t record[] = { 0x15, 3, 3, 0, 2, 2, alerts[_i].alert };

	setup(MEM);
	confs();
	carry();
	over(&b, &conf_b);
	ck_ok(link_write(a.inner, span_of(record, sizeof record)));
	refused(&b, "link-tls-broken");
	teardown();
}
END_TEST

/* --- what is no TLS, or the wrong part of it */

static const struct {
	const char *what;
	uint8_t octets[16];
	size_t n;
	const char *at_server, *at_client;
} odd[] = {
	{ "a message", "{\"id\":2}\n", 9, "link-peer-plain", "link-peer-plain" },
	{ "HTTP/2", "PRI * HTTP/2.0\r", 15, "link-peer-plain", "link-peer-plain" },
	{ "SSL 2's hello", { 0x80, 0x2e, 1, 3, 1, 0 }, 6, "link-peer-plain", "link-peer-plain" },
	{ "another major version", { 0x16, 4, 1, 0, 5, 1, 0, 0, 1, 0 }, 10, "link-peer-plain", "link-peer-plain" },
	{ "ServerHello", { 0x16, 3, 3, 0, 6, 2, 0, 0, 2, 3, 3 }, 11, "link-tls-role", "link-tls-broken" },
	{ "ClientHello", { 0x16, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3 }, 11, "link-tls-broken", "link-tls-role" },
	{ "data before a hello", { 0x17, 3, 3, 0, 5, 'h', 'e', 'l', 'l', 'o' }, 10, "link-tls-broken", "link-tls-broken" },
	{ "close_notify", { 0x15, 3, 3, 0, 2, 1, 0 }, 7, "link-tls-broken", "link-broken" },
	{ "close_notify and more", { 0x15, 3, 3, 0, 2, 1, 0, 2, 0x2f }, 9, "link-tls-broken", "link-broken" },
	{ "a record too long", { 0x16, 3, 1, 0xff, 0xff, 1 }, 6, "link-tls-broken", "link-tls-broken" },
};

START_TEST(U2_odd_octets)
{
	for (int server = 0; server < 2; server++) {
		struct end *ours = server ? &b : &a, *theirs = server ? &a : &b;

		setup(MEM);
		confs();
		carry();
		over(ours, server ? &conf_b : &conf_a);
		quiet();
		ck_ok(link_write(theirs->inner, span_of(odd[_i].octets, odd[_i].n)));
		refused(ours, server ? odd[_i].at_server : odd[_i].at_client);
		teardown();
	}
}
END_TEST

/* --- our own arguments */

static const struct {
	const char *identity;
	size_t key_len;
} bad_psk[] = {
	{ "", 32 }, { "with:colon", 32 }, { "with blank", 32 }, { "k\xc3\xa4", 32 }, { "tab\t", 32 }, { ID, 16 }, { ID, 64 },
	{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 32 },	/* 65 */
};

START_TEST(arguments_out_of_range)
{
	struct link *l = NULL, *inner;
	struct secret *k;

	setup(MEM);
	confs();
	carry();
	ck_ok(secret_new(bad_psk[_i].key_len, &k));
	psk_a = (struct link_psk){ bad_psk[_i].identity, k };
	inner = a.inner;
	a.inner = NULL;
	ck_rc(link_over(inner, clk, &conf_a, &cb, &a, &l), RC_RANGE);
	ck_assert_ptr_null(l);
	until(b.inner_closed == 1);	/* taken over on failure, too */
	secret_free(k);
	teardown();
}
END_TEST

START_TEST(U2_the_longest_identity)
{
	setup(MEM);
	confs();
	psk_a.identity = psk_b.identity = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	pair();
	teardown();
}
END_TEST

/* W5: derive.py's values; the identity is base64url of their first 16 octets, by Python. */
static json_t *
vector(json_t *doc, const char *name)
{
	json_t *all = vec_get(doc, "computed.kdf"), *v;
	size_t i;

	json_array_foreach(all, i, v)
		if (strncmp(vec_str(v, "name"), name, strlen(name)) == 0)
			return v;
	ck_abort_msg("vectors: no %s", name);
}

START_TEST(U2_psk_of_a_key)
{
	json_t *doc = vectors_load();
	struct secret *mt = vec_secret(vector(doc, "reserved application id kslocal-tls"), "key"), *psk = NULL, *bad;
	char identity[LINK_PSK_IDENTITY_MAX + 1];

	ck_ok(link_psk_of(mt, identity, &psk));
	ck_assert_str_eq(identity, "kslocal1.pacsU2Dcb6DeIp5lrRlxhQ");
	vec_eq(vector(doc, "reserved application id kslocal-tls"), "output", secret_span(psk));
	secret_free(psk);
	psk = NULL;
	ck_ok(secret_new(16, &bad));
	untouched_fill(identity, sizeof identity);
	ck_rc(link_psk_of(bad, identity, &psk), RC_RANGE);
	ck_assert_ptr_null(psk);
	ck_assert(untouched(identity, sizeof identity));
	secret_free(bad);
	secret_free(mt);
	json_decref(doc);
}
END_TEST

/* --- openssl's own tools */

#define KEY_HEX "4242424242424242424242424242424242424242424242424242424242424242"

static struct {
	pid_t pid;
	int to, from;		/* its stdin, its output */
} tool;

static void
run_tool(char *const argv[])
{
	posix_spawn_file_actions_t fa;
	int in[2], out[2];

	ck_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in[0], 0);
	posix_spawn_file_actions_adddup2(&fa, out[1], 1);
	posix_spawn_file_actions_adddup2(&fa, out[1], 2);
	ck_assert(posix_spawnp(&tool.pid, argv[0], &fa, NULL, argv, environ) == 0);
	posix_spawn_file_actions_destroy(&fa);
	close(in[0]);
	close(out[1]);
	tool.to = in[1];
	tool.from = out[0];
	ck_assert(fcntl(tool.from, F_SETFL, O_NONBLOCK) == 0);
}

static void
stop_tool(void)
{
	close(tool.to);
	close(tool.from);
	kill(tool.pid, SIGTERM);
	ck_assert(waitpid(tool.pid, NULL, 0) == tool.pid);
}

/* It wrote this. */
static bool
tool_said(const char *text)
{
	static char said[1 << 16];
	static pid_t whose;
	size_t n = whose == tool.pid ? strlen(said) : 0;
	ssize_t r = read(tool.from, said + n, sizeof said - 1 - n);

	whose = tool.pid;
	said[n + (r > 0 ? (size_t)r : 0)] = '\0';
	return strstr(said, text) != NULL;
}

static void
take_tls(struct link *l, void *arg)
{
	(void)arg;
	b.inner = l;
	over(&b, &conf_b);
}

static const struct {
	char *psk, *identity;
	const char *code;	/* at us; NULL: up */
} clients[] = {
	{ (char[]){ KEY_HEX }, (char[]){ ID }, NULL },
	{ (char[]){ "4242" }, (char[]){ ID }, "link-psk-refused" },
	{ (char[]){ KEY_HEX }, (char[]){ "Client_identity" }, "link-psk-identity" },
};

START_TEST(U2_openssl_s_client)
{
	char where[32];
	char *argv[] = { (char[]){ "openssl" }, (char[]){ "s_client" }, (char[]){ "-connect" }, where, (char[]){ "-psk" }, clients[_i].psk,
		(char[]){ "-psk_identity" }, clients[_i].identity, (char[]){ "-tls1_3" }, (char[]){ "-alpn" }, (char[]){ "h2" },
		(char[]){ "-quiet" }, NULL };

	setup(TCP);
	confs();
	ck_ok(link_listen(net, "tcp:127.0.0.1:0", NULL, take_tls, NULL, &ll));
	snprintf(where, sizeof where, "%s", link_listener_address(ll) + 4);
	run_tool(argv);
	if (clients[_i].code != NULL) {
		refused(&b, clients[_i].code);
	} else {
		until(b.up == 1);
		ck_assert(write(tool.to, "hello\n", 6) == 6);
		until(b.data > 0);
		ck_assert(span_eq_str(link_input(b.l), "hello\n"));
		ck_ok(link_write(b.l, span_str("how do you do\n")));
		until(tool_said("how do you do"));
	}
	stop_tool();
	teardown();
}
END_TEST

static void
dial_up(struct link *l, void *arg)
{
	struct end *e = arg;

	e->inner = l;
	over(e, &conf_a);
}

static const struct {
	char *psk;
	const char *code;
} servers[] = { { (char[]){ KEY_HEX }, NULL }, { (char[]){ "4242" }, "link-psk-refused" } };

START_TEST(U2_openssl_s_server)
{
	static const struct link_cb dial_cb = { .on_up = dial_up };
	char *argv[] = { (char[]){ "openssl" }, (char[]){ "s_server" }, (char[]){ "-accept" }, (char[]){ "127.0.0.1:0" }, (char[]){ "-psk" },
		servers[_i].psk, (char[]){ "-psk_identity" }, (char[]){ ID }, (char[]){ "-tls1_3" }, (char[]){ "-alpn" }, (char[]){ "h2" },
		(char[]){ "-nocert" }, NULL };
	char line[256] = "", address_text[64] = "";
	size_t n = 0;
	struct link *l;

	setup(TCP);
	confs();
	run_tool(argv);
	until((n += (size_t)(read(tool.from, line + n, n < sizeof line - 1 ? 1 : 0) == 1)) > 0 && line[n - 1] == '\n' &&
	    sscanf(strstr(line, "ACCEPT") != NULL ? strstr(line, "ACCEPT") : "", "ACCEPT %63s", address_text) == 1);
	memmove(address_text + 4, address_text, sizeof address_text - 4);
	memcpy(address_text, "tcp:", 4);
	ck_ok(link_connect(net, address_text, NULL, &dial_cb, &a, &l));
	if (servers[_i].code != NULL) {
		refused(&a, servers[_i].code);
	} else {
		until(a.up == 1);
		ck_ok(link_write(a.l, span_str("how do you do\n")));
		until(tool_said("how do you do"));
		ck_assert(write(tool.to, "well\n", 5) == 5);
		until(a.data > 0);
		ck_assert(span_eq_str(link_input(a.l), "well\n"));
	}
	stop_tool();
	teardown();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_psk");
	TCase *t = tcase_create("psk");

	log_set_level(LOG_LEVEL_ERROR);
#define ADD(test) tcase_add_loop_test(t, test, MEM, MEDIA)
	ADD(U2_server_with_a_foreign_client);
	ADD(U2_client_with_a_foreign_server);
	ADD(U2_client_is_asked_for_another_group);
	ADD(U2_injected_octets);
	ADD(U2_a_key_update_is_fine);
	ADD(U2_server_refuses_TLS_1_2);
	ADD(U2_server_refuses_another_suite);
	ADD(U2_server_refuses_no_alpn);
	ADD(U2_server_refuses_another_alpn);
	ADD(U2_client_refuses_no_alpn);
	ADD(U2_server_refuses_a_client_without_psk);
	ADD(U3_server_names_another_identity);
	ADD(U2_client_refuses_a_certificate);
	ADD(U3_client_is_told_no_such_identity);
	tcase_add_loop_test(t, U3_client_hears_an_alert, 0, TABLE_N(alerts));
	tcase_add_loop_test(t, U3_server_hears_an_alert, 0, TABLE_N(alerts));
	tcase_add_loop_test(t, U2_odd_octets, 0, TABLE_N(odd));
	tcase_add_loop_test(t, arguments_out_of_range, 0, TABLE_N(bad_psk));
	tcase_add_test(t, U2_the_longest_identity);
	tcase_add_test(t, U2_psk_of_a_key);
	tcase_add_loop_test(t, U2_openssl_s_client, 0, TABLE_N(clients));
	tcase_add_loop_test(t, U2_openssl_s_server, 0, TABLE_N(servers));
	suite_add_tcase(s, t);
	return unit_run(s);
}
