/*
 * http_exchange: one request from its first octet to its answer, on libmicrohttpd's threads.
 *
 *   on_uri        request line in               → exchange, CONN_HEAD
 *   on_request    head in (first call)          → http_head_check, CONN_BODY
 *                 body's octets (more calls)    → kept, or counted and dropped
 *                 all in (call without octets)  → certificate judged again, suspended, posted, CONN_BUSY
 *   (loop)        core answers, or deadline     → response made, resumed
 *   on_request    again                         → response queued, CONN_SENDING
 *   on_completed  sent, or the client is gone   → CONN_IDLE
 */
#include "common/http_server_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/post.h"

#define DISCARD_MAX (1u << 20)	/* of a body that is too large: read on so far, so that the answer is not lost in a reset */
#define REFUSAL_MAX 1024

/* --- connections */

static void
print_address(const struct sockaddr *sa, char *out, size_t cap)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, cap, "%s:%u", host, ntohs(in->sin_port));
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, cap, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		snprintf(out, cap, "?");
	}
}

static void
conn_enter(struct conn *c, enum conn_state state)
{
	pthread_mutex_lock(&c->s->lock);
	if (c->state != CONN_ENDED) {
		/* head and body share one deadline */
		if (state != CONN_BODY)
			c->since_ms = 0;
		c->state = state;
	}
	pthread_mutex_unlock(&c->s->lock);
}

static struct conn *
conn_new(struct http_server *s, struct MHD_Connection *m)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->s = s;
	c->mhd = m;
	c->fd = MHD_get_connection_info(m, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	print_address(MHD_get_connection_info(m, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr, c->address, sizeof(c->address));
	snprintf(c->tls.peer.address, sizeof(c->tls.peer.address), "%s", c->address);
	if (s->tls != NULL)
		tls_conn_begin(&c->tls, s->tls, MHD_get_connection_info(m, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session,
		    c->address);
	return c;
}

void
exchange_on_connection(void *arg, struct MHD_Connection *m, void **socket_context, enum MHD_ConnectionNotificationCode what)
{
	struct http_server *s = arg;
	struct conn *c = *socket_context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		/* without a conn every request on it is refused, and no TLS certificate is shown */
		if ((c = conn_new(s, m)) == NULL)
			return;
		pthread_mutex_lock(&s->lock);
		TAILQ_INSERT_TAIL(&s->conns, c, list);
		s->n_conns++;
		pthread_mutex_unlock(&s->lock);
		*socket_context = c;
	} else if (c != NULL) {
		/* the descriptor is still open, so the sweep, which holds the lock, never meets another's */
		pthread_mutex_lock(&s->lock);
		TAILQ_REMOVE(&s->conns, c, list);
		s->n_conns--;
		pthread_mutex_unlock(&s->lock);
		tls_conn_end(&c->tls);
		free(c);
		*socket_context = NULL;
	}
}

static struct conn *
conn_of(struct MHD_Connection *m)
{
	return MHD_get_connection_info(m, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* --- answers */

static void
out_body_free(void *p)
{
	struct out_body *b = p;

	explicit_bzero(b->p, b->n);
	free(b);
}

static struct MHD_Response *
response_new(const struct http_server *s, const struct http_header *h, size_t n, struct span body, bool close)
{
	struct out_body *b = malloc(sizeof(*b) + body.n);
	struct MHD_Response *r = NULL;

	if (b == NULL)
		return NULL;
	b->n = body.n;
	if (body.n > 0)
		memcpy(b->p, body.p, body.n);
	r = MHD_create_response_from_buffer_with_free_callback_cls(body.n, b->p, out_body_free, b);
	if (r == NULL) {
		out_body_free(b);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (MHD_add_response_header(r, h[i].name, h[i].value) != MHD_YES)
			log_error("%s: answer header %s cannot be sent", s->name, h[i].name);
	if (s->server_header != NULL)
		(void)MHD_add_response_header(r, "Server", s->server_header);
	if (close)
		(void)MHD_add_response_header(r, "Connection", "close");
	return r;
}

static size_t
refusal_text(const struct http_server *s, enum reason why, char *out, size_t cap)
{
	int n;

	if (s->refusal_body != NULL)
		return s->refusal_body(why, out, cap);
	n = snprintf(out, cap, "%s\n", reason_get(why)->what);
	return n < 0 || (size_t)n >= cap ? 0 : (size_t)n;
}

static struct MHD_Response *
refusal_new(struct http_server *s, enum reason why, bool close)
{
	char body[REFUSAL_MAX];
	size_t n = refusal_text(s, why, body, sizeof(body));
	struct http_header h[2] = {
		{ "Content-Type", s->refusal_type }, { "Retry-After", "1" }
	};

	return response_new(s, h, reason_get(why)->http == 503 ? 2 : 1, span_of(body, n), close);
}

static const char *
status_phrase(int status)
{
	switch (status) {
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	default:
		return "Bad Request";
	}
}

/* Outside libmicrohttpd, which takes no answer while a body is coming. */
static void
last_word(struct conn *c, enum reason why)
{
	char body[REFUSAL_MAX], text[REFUSAL_MAX + 512];
	size_t n = refusal_text(c->s, why, body, sizeof(body));
	int status = reason_get(why)->http;
	int m = snprintf(text, sizeof(text),
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%.*s", status,
	    status_phrase(status), c->s->refusal_type, n, (int)n, body);

	if (m < 0 || (size_t)m >= sizeof(text))
		return;
	if (c->s->tls != NULL)
		tls_conn_send(&c->tls, text, (size_t)m);
	else if (send(c->fd, text, (size_t)m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("%s: peer=%s: last word not sent", c->s->name, c->address);
}

void
conn_refuse(struct conn *c, enum reason why)
{
	/* GnuTLS allows one thread to send while another receives, and in CONN_BODY the worker only receives */
	if (c->state == CONN_BODY && !(c->chunked && c->s->tls != NULL))
		last_word(c, why);
	c->state = CONN_ENDED;
	shutdown(c->fd, SHUT_RD);	/* the worker reads an end and closes in good order */
	atomic_fetch_add(&c->s->refused, 1);
}

/* --- exchanges */

void
exchange_unref(struct exchange *e)
{
	if (e == NULL || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	if (e->response != NULL)
		MHD_destroy_response(e->response);
	free(e->target);
	free(e->path);
	free(e->strings);
	free(e->body);
	free(e);
}

/* s->lock held: the answer is settled, the worker goes on. */
static void
settle(struct exchange *e, int status, struct MHD_Response *r)
{
	struct http_server *s = e->s;

	TAILQ_REMOVE(&s->posted, e, list);
	s->n_posted--;
	e->listed = false;
	e->status = status;
	e->response = r;
	MHD_resume_connection(e->c->mhd);
}

void
exchange_expire(struct exchange *e, enum reason why)
{
	log_reason(why, "%s: peer=%s path=%s", e->s->name, e->c->address, e->path);
	settle(e, reason_get(why)->http, refusal_new(e->s, why, true));
	atomic_fetch_add(&e->s->refused, 1);
}

static void
on_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close)
{
	struct exchange *e = (struct exchange *)x;
	struct http_server *s = e->s;
	struct MHD_Response *r = response_new(s, h, n, body, close || atomic_load(&s->stopping));

	pthread_mutex_lock(&s->lock);
	TAILQ_REMOVE(&s->lent, e, lent_list);
	if (e->listed) {
		settle(e, r == NULL ? 503 : status, r);
		r = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (r != NULL)
		MHD_destroy_response(r);	/* the deadline was first */
	exchange_unref(e);
}

void
exchange_arrive(void *arg)
{
	struct exchange *e = arg;
	struct http_server *s = e->s;
	bool waits;

	pthread_mutex_lock(&s->lock);
	if (!(waits = e->listed))
		TAILQ_REMOVE(&s->lent, e, lent_list);
	pthread_mutex_unlock(&s->lock);
	if (!waits) {
		exchange_unref(e);
		return;
	}
	atomic_fetch_add(&s->requests, 1);
	s->on_request(&e->x, s->arg);
}

void *
exchange_on_uri(void *arg, const char *target, struct MHD_Connection *m)
{
	struct exchange *e;
	struct conn *c = conn_of(m);

	if (c == NULL || (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->s = arg;
	e->c = c;
	e->x.req = &e->req;
	e->x.answer = on_answer;
	atomic_init(&e->refs, 1);
	conn_enter(c, CONN_HEAD);
	/* NULL: "GET" and nothing else */
	if ((e->target = strdup(target == NULL ? "" : target)) == NULL) {
		exchange_unref(e);
		return NULL;
	}
	return e;
}

struct collect {
	struct exchange *e;
	size_t n, octets;
	char *at;
};

static enum MHD_Result
measure_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct collect *k = arg;

	(void)kind;
	k->n++;
	k->octets += strlen(name) + (value == NULL ? 0 : strlen(value)) + 2;
	return MHD_YES;
}

static char *
put(struct collect *k, const char *s)
{
	size_t n = strlen(s) + 1;
	char *at = memcpy(k->at, s, n);

	k->at += n;
	return at;
}

static enum MHD_Result
copy_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct collect *k = arg;

	(void)kind;
	k->e->headers[k->n].name = put(k, name);
	k->e->headers[k->n++].value = put(k, value == NULL ? "" : value);
	return MHD_YES;
}

/* First call: the head. RC_NOMEM alone fails; what is wrong with the request goes into e->refusal. */
static enum rc
take_head(struct exchange *e, struct MHD_Connection *m, const char *path, const char *method)
{
	struct collect k = { .e = e };
	struct http_request *q = &e->req;
	const char *length, *query = strchr(e->target, '?');

	MHD_get_connection_values(m, MHD_HEADER_KIND, measure_header, &k);
	if (k.n > HTTP_HEADERS_MAX || k.octets + strlen(e->target) > e->s->head_max) {
		e->refusal = REASON_HTTP_HEAD_LARGE;
		return RC_OK;
	}
	if ((e->strings = malloc(k.octets + strlen(method) + 1)) == NULL || (e->path = strdup(path)) == NULL)
		return RC_NOMEM;
	k.at = e->strings;
	k.n = 0;
	MHD_get_connection_values(m, MHD_HEADER_KIND, copy_header, &k);
	q->method = put(&k, method);
	q->path = e->path;
	q->query = query == NULL ? NULL : query + 1;
	q->headers = e->headers;
	q->n_headers = k.n;
	q->peer = &e->peer;
	e->refusal = http_head_check(q->method, e->target, e->headers, k.n);
	e->c->chunked = http_header_get(e->headers, k.n, "Transfer-Encoding") != NULL;
	length = http_header_get(e->headers, k.n, "Content-Length");
	if (e->refusal == REASON_NONE && length != NULL && strtoull(length, NULL, 10) > e->s->body_max)
		e->refusal = REASON_HTTP_BODY_LARGE;
	return RC_OK;
}

/* Keep the body's octets, at most body_max. */
static enum rc
take_body(struct exchange *e, const char *p, size_t n)
{
	uint8_t *grown;

	if (e->refusal != REASON_NONE || n > e->s->body_max - e->body_n) {
		if (e->refusal == REASON_NONE)
			e->refusal = REASON_HTTP_BODY_LARGE;
		e->discarded += n;
		return RC_OK;
	}
	if (e->body_n + n > e->body_cap) {
		size_t cap = e->body_cap == 0 ? 1024 : e->body_cap * 2;

		while (cap < e->body_n + n)
			cap *= 2;
		if ((grown = realloc(e->body, cap)) == NULL)
			return RC_NOMEM;
		e->body = grown;
		e->body_cap = cap;
	}
	memcpy(e->body + e->body_n, p, n);
	e->body_n += n;
	return RC_OK;
}

static enum MHD_Result
queue(struct exchange *e, struct MHD_Connection *m, int status, struct MHD_Response *r)
{
	enum MHD_Result ok;

	if (r == NULL)
		return MHD_NO;
	conn_enter(e->c, CONN_SENDING);
	ok = MHD_queue_response(m, (unsigned)status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result
refuse(struct exchange *e, struct MHD_Connection *m, enum reason why)
{
	atomic_fetch_add(&e->s->refused, 1);
	log_reason(why, "%s: peer=%s", e->s->name, e->c->address);
	return queue(e, m, reason_get(why)->http, refusal_new(e->s, why, true));
}

/* Suspended first, posted then: the other way round a quick answer's wake-up would be lost. */
static enum MHD_Result
hand_over(struct exchange *e, struct MHD_Connection *m)
{
	struct http_server *s = e->s;
	bool full;

	atomic_fetch_add(&s->in_flight, 1);
	e->posted = true;
	if (atomic_load(&s->stopping))
		return refuse(e, m, REASON_STOPPING);
	pthread_mutex_lock(&s->lock);
	if (!(full = s->n_posted >= s->waiting_max)) {
		MHD_suspend_connection(m);
		TAILQ_INSERT_TAIL(&s->posted, e, list);
		s->n_posted++;
		e->listed = true;
		if (e->c->state != CONN_ENDED)
			e->c->state = CONN_BUSY;
		if (post(s->post, exchange_arrive, e) == RC_OK) {
			atomic_fetch_add(&e->refs, 1);
			TAILQ_INSERT_TAIL(&s->lent, e, lent_list);
		} else {
			exchange_expire(e, REASON_OVERLOAD);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return full ? refuse(e, m, REASON_OVERLOAD) : MHD_YES;
}

static enum MHD_Result
all_in(struct exchange *e, struct MHD_Connection *m)
{
	if (e->refusal != REASON_NONE)
		return refuse(e, m, e->refusal);
	/* N5: a resumed session called no verify function, and a good certificate may have become a bad one since */
	if (e->s->tls != NULL && tls_conn_judge(&e->c->tls) != REASON_NONE)
		return refuse(e, m, REASON_HTTP_CERTIFICATE);
	e->peer = e->c->tls.peer;
	e->req.body = span_of(e->body, e->body_n);
	return hand_over(e, m);
}

enum MHD_Result
exchange_on_request(void *arg, struct MHD_Connection *m, const char *path, const char *method, const char *version,
    const char *upload, size_t *upload_n, void **con_cls)
{
	struct exchange *e = *con_cls;

	(void)arg;
	(void)version;
	if (e == NULL)
		return MHD_NO;
	if (!e->head_seen) {
		e->head_seen = true;
		if (take_head(e, m, path, method) != RC_OK)
			return MHD_NO;
		/* where the body ends is in doubt: nothing after this head is read */
		if (e->refusal != REASON_NONE && e->refusal != REASON_HTTP_BODY_LARGE)
			return refuse(e, m, e->refusal);
		conn_enter(e->c, CONN_BODY);
		return MHD_YES;
	}
	if (*upload_n > 0) {
		if (take_body(e, upload, *upload_n) != RC_OK)
			return MHD_NO;
		*upload_n = 0;
		if (e->discarded <= DISCARD_MAX)
			return MHD_YES;
		log_reason(e->refusal, "%s: peer=%s", e->s->name, e->c->address);
		pthread_mutex_lock(&e->s->lock);
		conn_refuse(e->c, e->refusal);
		pthread_mutex_unlock(&e->s->lock);
		return MHD_NO;
	}
	if (e->posted) {
		struct MHD_Response *r = e->response;

		e->response = NULL;
		return queue(e, m, e->status, r);
	}
	return all_in(e, m);
}

void
exchange_on_completed(void *arg, struct MHD_Connection *m, void **con_cls, enum MHD_RequestTerminationCode how)
{
	struct exchange *e = *con_cls;
	struct http_server *s = arg;

	(void)m;
	(void)how;
	if (e == NULL)
		return;
	*con_cls = NULL;
	/* before TLS is taken down: the sweep, under the lock, sends on no session whose request has ended */
	conn_enter(e->c, CONN_IDLE);
	if (e->posted)
		atomic_fetch_sub(&s->in_flight, 1);
	exchange_unref(e);
}
