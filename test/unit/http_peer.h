/*
 * http_peer: a blocking client in a thread of its own, which writes exactly the octets it is told and keeps all it gets, over TCP
 * or TLS (OpenSSL), while the test's main thread turns the loop. So requests may be wrong in every way.
 */
#ifndef TEST_UNIT_HTTP_PEER_H
#define TEST_UNIT_HTTP_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/loop.h"
#include "test/unit/pki.h"

struct http_peer_tls {
	const struct pki_cert *ca, *own;	/* own NULL = no certificate */
	int version;				/* TLS1_2_VERSION, TLS1_3_VERSION; 0 = any */
	SSL_SESSION *session;			/* to resume; replaced by the newest one */
};

struct http_peer_run {
	const char *address;			/* "127.0.0.1:1234" */
	const char *const *parts;		/* written one after the other; ends with NULL */
	int pause_ms;				/* between parts */
	int drip;				/* from this part on (1 = the first) one octet at a time, pause_ms between */
	atomic_bool *gate;			/* wait for it before the second part */
	int answers;				/* leave after so many answers (Content-Length counted); 0 = at the end */
	struct http_peer_tls *tls;
	/* what came of it */
	char in[65536];
	size_t n;
	bool closed;				/* the server ended it */
	bool handshake_ok, resumed;
	int alert;				/* received, -1 = none */
	bool stop_before_read;			/* leave without reading */
	atomic_bool over;
	pthread_t thread;
};

static inline int
http_peer_dial(const char *address)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct timeval tv = { .tv_sec = 20 };
	char host[64];
	unsigned port;
	int fd;

	if (sscanf(address, "%63[^:]:%u", host, &port) != 2)
		return -1;
	sa.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, host, &sa.sin_addr);
	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline void
http_peer_on_info(const SSL *ssl, int where, int ret)
{
	struct http_peer_run *r = SSL_get_app_data(ssl);

	if (where & SSL_CB_READ && where & SSL_CB_ALERT && (ret >> 8) == 2)
		r->alert = ret & 0xff;
}

static inline int
http_peer_on_session(SSL *ssl, SSL_SESSION *s)
{
	struct http_peer_run *r = SSL_get_app_data(ssl);

	SSL_SESSION_free(r->tls->session);
	r->tls->session = s;
	return 1;
}

static inline SSL_CTX *
http_peer_ctx(struct http_peer_run *r)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (r->tls->version != 0) {
		SSL_CTX_set_min_proto_version(ctx, r->tls->version);
		SSL_CTX_set_max_proto_version(ctx, r->tls->version);
	}
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), r->tls->ca->crt);
	if (r->tls->own != NULL) {
		SSL_CTX_use_certificate(ctx, r->tls->own->crt);
		SSL_CTX_use_PrivateKey(ctx, r->tls->own->key);
	}
	SSL_CTX_set_info_callback(ctx, http_peer_on_info);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, http_peer_on_session);
	return ctx;
}

/* How many whole answers in holds. */
static inline int
http_peer_answers(const struct http_peer_run *r)
{
	const char *p = r->in, *end = r->in + r->n;
	int found = 0;

	for (;;) {
		const char *head = strstr(p, "\r\n\r\n"), *length;
		size_t n = 0;

		if (head == NULL)
			return found;
		if ((length = strcasestr(p, "content-length:")) != NULL && length < head)
			n = (size_t)strtoul(length + 15, NULL, 10);
		if (n > (size_t)(end - (head + 4)))
			return found;
		p = head + 4 + n;
		found++;
	}
}

static inline bool
http_peer_write(struct http_peer_run *r, int fd, SSL *ssl, const char *p, size_t n)
{
	(void)r;
	if (ssl != NULL)
		return SSL_write(ssl, p, (int)n) == (int)n;
	return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* One read; false at the end. wait: milliseconds, -1 = as long as it takes. */
static inline bool
http_peer_read(struct http_peer_run *r, int fd, SSL *ssl, int wait)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	ssize_t got;

	if (wait >= 0 && (ssl == NULL || SSL_pending(ssl) == 0) && poll(&pfd, 1, wait) == 0)
		return true;
	if (ssl != NULL)
		got = SSL_read(ssl, r->in + r->n, (int)(sizeof r->in - 1 - r->n));
	else
		got = recv(fd, r->in + r->n, sizeof r->in - 1 - r->n, 0);
	if (got <= 0) {
		r->closed = true;
		return false;
	}
	r->n += (size_t)got;
	r->in[r->n] = '\0';
	return true;
}

static inline void
http_peer_talk(struct http_peer_run *r, int fd, SSL *ssl)
{
	for (size_t i = 0; r->parts[i] != NULL; i++) {
		size_t n = strlen(r->parts[i]), step = r->drip > 0 && (int)i + 1 >= r->drip ? 1 : n;

		while (i == 1 && r->gate != NULL && !atomic_load(r->gate))
			usleep(1000);
		for (size_t at = 0; at < n; at += step) {
			if ((i > 0 || at > 0) && r->pause_ms > 0 && !http_peer_read(r, fd, ssl, r->pause_ms))
				return;
			if (!http_peer_write(r, fd, ssl, r->parts[i] + at, step))
				break;
		}
	}
	if (r->stop_before_read)
		return;
	while (r->answers == 0 || http_peer_answers(r) < r->answers)
		if (!http_peer_read(r, fd, ssl, -1))
			return;
}

static inline void *
http_peer_main(void *arg)
{
	struct http_peer_run *r = arg;
	int fd = http_peer_dial(r->address);
	SSL_CTX *ctx = NULL;
	SSL *ssl = NULL;

	r->alert = -1;
	if (fd < 0)
		goto out;
	if (r->tls != NULL) {
		ctx = http_peer_ctx(r);
		ssl = SSL_new(ctx);
		SSL_set_app_data(ssl, r);
		SSL_set_fd(ssl, fd);
		if (r->tls->session != NULL)
			SSL_set_session(ssl, r->tls->session);
		r->handshake_ok = SSL_connect(ssl) == 1;
		r->resumed = SSL_session_reused(ssl) == 1;
		if (!r->handshake_ok)
			goto out;
	}
	http_peer_talk(r, fd, ssl);
out:
	if (ssl != NULL && r->handshake_ok)
		SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	if (fd >= 0)
		close(fd);
	atomic_store(&r->over, true);
	return NULL;
}

static inline void
http_peer_start(struct http_peer_run *r)
{
	atomic_store(&r->over, false);
	ck_assert(pthread_create(&r->thread, NULL, http_peer_main, r) == 0);
}

/* Turn the loop until the client is through. */
static inline void
http_peer_wait(struct http_peer_run *r, struct loop *loop, void (*turn_end)(void *), void *arg)
{
	for (int ms = 0; !atomic_load(&r->over); ms++) {
		ck_assert_msg(ms < 30000, "the client hangs");
		loop_turn(loop, turn_end, arg);
		usleep(1000);
	}
	pthread_join(r->thread, NULL);
}

static inline int
http_peer_status(const struct http_peer_run *r)
{
	int status = 0;

	return sscanf(r->in, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

#endif
