#include "test/bench/load/load.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_S 30
#define HEAD_MAX 16384

struct peer {
	struct event_base *base;
	char address[64], name[256];
	SSL_CTX *ctx;			/* NULL: plain */
	struct identity *who;
	bool resume, resumed;
	struct bufferevent *be;		/* NULL: not connected yet, or no more */
	SSL *ssl;
	peer_reply_fn *fn;
	void *arg;
};

bool
reply_field(const char *head, const char *name, char *out, size_t cap)
{
	size_t n = strlen(name);
	const char *p = head;

	while ((p = strstr(p, "\r\n")) != NULL) {
		p += 2;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
			p += n + 1;
			p += strspn(p, " ");
			(void)snprintf(out, cap, "%.*s", (int)strcspn(p, "\r"), p);
			return true;
		}
	}
	return false;
}

static void
finish(struct peer *p, const struct reply *r)
{
	peer_reply_fn *fn = p->fn;

	p->fn = NULL;
	if (fn != NULL)
		fn(p->arg, r);
}

static void
hang_up(struct peer *p)
{
	if (p->be == NULL)
		return;
	/* a session whose connection was not shut down would not be resumed */
	if (p->ssl != NULL)
		SSL_set_shutdown(p->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	bufferevent_free(p->be);	/* and the SSL, and the socket: as told at its making */
	p->be = NULL;
	p->ssl = NULL;
}

static void
fail(struct peer *p, const char *detail)
{
	struct reply r = { .detail = detail };

	hang_up(p);
	finish(p, &r);
}

/* Octets of the head with its empty line; 0: not whole yet. */
static size_t
head_length(struct evbuffer *in)
{
	struct evbuffer_ptr at = evbuffer_search(in, "\r\n\r\n", 4, NULL);

	return at.pos < 0 ? 0 : (size_t)at.pos + 4;
}

static void
on_read(struct bufferevent *be, void *arg)
{
	struct peer *p = arg;
	struct evbuffer *in = bufferevent_get_input(be);
	size_t head_n = head_length(in), body_n = 0;
	char head[HEAD_MAX], text[32];
	struct reply r = { .head = head, .detail = "" };

	if (head_n == 0 || head_n >= sizeof head)
		return;
	evbuffer_copyout(in, head, head_n);
	head[head_n] = '\0';
	if (reply_field(head, "Content-Length", text, sizeof text))
		body_n = (size_t)strtoul(text, NULL, 10);
	if (evbuffer_get_length(in) < head_n + body_n)
		return;
	if (sscanf(head, "HTTP/1.%*c %d", &r.status) != 1) {
		fail(p, "no status line");
		return;
	}
	evbuffer_drain(in, head_n);
	if (body_n > 0)
		r.body = (struct span){ evbuffer_pullup(in, (ev_ssize_t)body_n), body_n };
	if (p->fn == NULL)
		return;
	/* what follows may free this peer: the body is copied out */
	uint8_t body[HEAD_MAX];
	if (body_n > sizeof body) {
		fail(p, "body too long");
		return;
	}
	if (body_n > 0)
		memcpy(body, r.body.p, body_n);
	r.body.p = body;
	evbuffer_drain(in, body_n);
	if (reply_field(head, "Connection", text, sizeof text) && strcasecmp(text, "close") == 0)
		hang_up(p);
	finish(p, &r);
}

static void
on_event(struct bufferevent *be, short what, void *arg)
{
	struct peer *p = arg;
	char detail[200];
	unsigned long e;

	if ((what & BEV_EVENT_CONNECTED) != 0) {
		if (p->ssl != NULL)
			p->resumed = SSL_session_reused(p->ssl) == 1;
		return;
	}
	if (p->fn == NULL) {		/* the server ends an idle connection */
		hang_up(p);
		return;
	}
	e = bufferevent_get_openssl_error(be);
	(void)snprintf(detail, sizeof detail, "%s %s", (what & BEV_EVENT_TIMEOUT) != 0 ? "time-out" : "connection ended",
	    e != 0 ? ERR_reason_error_string(e) : "");
	fail(p, detail);
}

static int
on_session(SSL *ssl, SSL_SESSION *s)
{
	struct identity *who = SSL_get_app_data(ssl);

	if (who == NULL)
		return 0;
	SSL_SESSION_free(who->session);
	who->session = s;
	return 1;
}

SSL_CTX *
peer_ctx(const char *ca_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL || SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1)
		die("cannot read %s", ca_file);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	return ctx;
}

static SSL *
new_ssl(struct peer *p)
{
	SSL *ssl = SSL_new(p->ctx);

	if (ssl == NULL || SSL_set_tlsext_host_name(ssl, p->name) != 1 || SSL_set1_host(ssl, p->name) != 1 ||
	    SSL_use_certificate(ssl, p->who->cert) != 1 || SSL_use_PrivateKey(ssl, p->who->key) != 1)
		die("no TLS connection");
	SSL_set_app_data(ssl, p->who);
	if (p->resume && p->who->session != NULL)
		SSL_set_session(ssl, p->who->session);
	return ssl;
}

static void
dial(struct peer *p)
{
	struct timeval limit = { TIMEOUT_S, 0 };
	struct sockaddr_storage ss;
	int n = sizeof ss, one = 1;
	int opt = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;

	if (evutil_parse_sockaddr_port(p->address, (struct sockaddr *)&ss, &n) != 0)
		die("%s: expected ADDRESS:PORT", p->address);
	if (p->ctx != NULL) {
		p->ssl = new_ssl(p);
		p->be = bufferevent_openssl_socket_new(p->base, -1, p->ssl, BUFFEREVENT_SSL_CONNECTING, opt);
		bufferevent_openssl_set_allow_dirty_shutdown(p->be, 1);
	} else {
		p->be = bufferevent_socket_new(p->base, -1, opt);
	}
	if (p->be == NULL)
		die("out of memory");
	bufferevent_setcb(p->be, on_read, NULL, on_event, p);
	bufferevent_set_timeouts(p->be, &limit, NULL);
	bufferevent_enable(p->be, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(p->be, (struct sockaddr *)&ss, n) != 0)
		die("%s: cannot connect", p->address);
	setsockopt(bufferevent_getfd(p->be), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

struct peer *
peer_new(struct event_base *base, const char *address, SSL_CTX *ctx, const char *name, struct identity *who, bool resume)
{
	struct peer *p = calloc(1, sizeof *p);

	if (p == NULL)
		die("out of memory");
	p->base = base;
	(void)snprintf(p->address, sizeof p->address, "%s", address);
	(void)snprintf(p->name, sizeof p->name, "%s", name);
	p->ctx = who != NULL ? ctx : NULL;
	p->who = who;
	p->resume = resume;
	return p;
}

void
peer_ask(struct peer *p, struct span request, peer_reply_fn *fn, void *arg)
{
	if (p->fn != NULL)
		die("two requests at once on one connection");
	p->fn = fn;
	p->arg = arg;
	if (p->be == NULL)
		dial(p);
	bufferevent_write(p->be, request.p, request.n);
}

bool
peer_resumed(const struct peer *p)
{
	return p->resumed;
}

void
peer_free(struct peer *p)
{
	if (p == NULL)
		return;
	hang_up(p);
	free(p);
}
