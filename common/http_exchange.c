/*
 * http_exchange: one request from its first octet to its answer, on libmicrohttpd's threads.
 *
 *   on_uri        request line in               → exchange, CONN_HEAD
 *   on_request    head in (first call)          → http_head_check, CONN_BODY
 *                 body's octets (more calls)    → kept, or counted and dropped
 *                 all in (call without octets)  → certificate judged again, suspended, posted, CONN_BUSY
 *   (loop)        core answers, or deadline     → response made, resumed
 *   on_request    again                         → response queued, CONN_SENDING (on_loop: or suspended, if it takes longer)
 *   on_completed  sent, or the client is gone   → CONN_IDLE
 */
#include "common/http_server_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/post.h"

#define DISCARD_MAX (1u << 20)	/* of a body that is too large: read on so far, so that the answer is not lost in a reset */

static struct conn *
conn_of(struct MHD_Connection *m)
{
	return MHD_get_connection_info(m, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void
exchange_unref(struct exchange *e)
{
	if (e == NULL || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	if (e->response != NULL)
		MHD_destroy_response(e->response);
	free(e->target);
	free(e->path);
	free(e->headers);
	free(e->body);
	free(e);
}

/* s->lock held: the answer is settled. */
static void
settle(struct exchange *e, int status, struct MHD_Response *r)
{
	struct http_server *s = e->s;

	TAILQ_REMOVE(&s->posted, e, list);
	s->n_posted--;
	e->listed = false;
	e->status = status;
	e->response = r;
}

/* s->lock held: settled, and to be sent. */
static void
go_on(struct exchange *e)
{
	if (e->suspended)
		MHD_resume_connection(e->c->mhd);
	if (e->s->run != NULL)
		loop_again(e->s->run);
}

/* s->lock held. */
void
exchange_resume_all(struct http_server *s)
{
	struct exchange *e;

	while ((e = TAILQ_FIRST(&s->settled)) != NULL) {
		TAILQ_REMOVE(&s->settled, e, list);
		go_on(e);
	}
}

/* Loop: the post's function. The lock keeps the workers until all are through: one wake-up for many. */
static void
on_settled(void *arg)
{
	struct http_server *s = arg;

	pthread_mutex_lock(&s->lock);
	exchange_resume_all(s);
	pthread_mutex_unlock(&s->lock);
}

/* Loop, s->lock held: the worker goes on with the turn's other answers; at once when no request waits any more. */
static void
resume_soon(struct exchange *e)
{
	struct http_server *s = e->s;
	bool first = TAILQ_EMPTY(&s->settled);

	if (s->run != NULL) {
		go_on(e);
		return;
	}
	TAILQ_INSERT_TAIL(&s->settled, e, list);
	if (s->n_posted == 0 || (first && post(s->post, on_settled, s) != RC_OK))
		exchange_resume_all(s);
}

void
exchange_expire(struct exchange *e, enum reason why)
{
	char path[128];

	log_reason(why, "%s: peer=%s path=%s", e->s->name, e->c->address, log_text(span_str(e->path), path, sizeof(path)));
	settle(e, reason_get(why)->http, http_refusal_new(e->s, why, true));
	go_on(e);
	atomic_fetch_add(&e->s->refused, 1);
}

/* s->lock held: the core is through with it, or never had it. */
static void
unlend(struct exchange *e)
{
	TAILQ_REMOVE(&e->s->lent, e, lent_list);
	e->s->n_lent--;
}

static void
on_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close)
{
	struct exchange *e = (struct exchange *)x;
	struct http_server *s = e->s;
	struct MHD_Response *r;

	if (s == NULL) {		/* the server has gone before its core */
		exchange_unref(e);
		return;
	}
	r = http_response_new(s, h, n, body, close || atomic_load(&s->stopping));

	pthread_mutex_lock(&s->lock);
	unlend(e);
	if (e->listed) {
		settle(e, r == NULL ? 503 : status, r);
		resume_soon(e);
		r = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (r != NULL)
		MHD_destroy_response(r);	/* the deadline was first */
	exchange_unref(e);
}

/* Loop: the post's function. */
static void
arrive(void *arg)
{
	struct exchange *e = arg;
	struct http_server *s = e->s;
	bool waits;

	pthread_mutex_lock(&s->lock);
	if (!(waits = e->listed))
		unlend(e);
	pthread_mutex_unlock(&s->lock);
	if (!waits) {
		exchange_unref(e);
		return;
	}
	e->arrived = true;
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
	http_conn_enter(c, CONN_HEAD);
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
	if ((e->headers = malloc(k.n * sizeof(*e->headers) + k.octets + strlen(method) + 1)) == NULL || (e->path = strdup(path)) == NULL)
		return RC_NOMEM;
	k.at = (char *)(e->headers + k.n);
	k.n = 0;
	MHD_get_connection_values(m, MHD_HEADER_KIND, copy_header, &k);
	q->method = put(&k, method);
	q->path = e->path;
	q->query = query == NULL ? NULL : query + 1;
	q->headers = e->headers;
	q->n_headers = k.n;
	q->peer = &e->peer;
	e->refusal = http_head_check(q->method, e->target, e->headers, k.n);
	/* that a chunk is none; 100 Continue */
	e->c->chatty = http_header_get(e->headers, k.n, "Transfer-Encoding") != NULL || http_header_get(e->headers, k.n, "Expect") != NULL;
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
	http_conn_enter(e->c, CONN_SENDING);
	ok = MHD_queue_response(m, (unsigned)status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result
refuse(struct exchange *e, struct MHD_Connection *m, enum reason why)
{
	atomic_fetch_add(&e->s->refused, 1);
	log_reason(why, "%s: peer=%s", e->s->name, e->c->address);
	return queue(e, m, reason_get(why)->http, http_refusal_new(e->s, why, true));
}

static void
suspend(struct exchange *e, struct MHD_Connection *m)
{
	http_wire_pause(e->c);
	MHD_suspend_connection(m);
	e->suspended = true;
}

/* Suspended first, posted then: the other way round a quick answer's wake-up would be lost. */
static enum MHD_Result
hand_over(struct exchange *e, struct MHD_Connection *m)
{
	struct http_server *s = e->s;
	bool full, here = s->run != NULL;

	atomic_fetch_add(&s->in_flight, 1);
	e->posted = true;
	if (atomic_load(&s->stopping))
		return refuse(e, m, REASON_STOPPING);
	pthread_mutex_lock(&s->lock);
	/* what the core works at counts, whether its client still waits or has gone */
	if (!(full = s->n_lent >= s->waiting_max)) {
		if (!here)
			suspend(e, m);
		TAILQ_INSERT_TAIL(&s->posted, e, list);
		s->n_posted++;
		e->listed = true;
		e->pass = s->pass;
		if (e->c->state != CONN_ENDED)
			e->c->state = CONN_BUSY;
		if (here || post(s->post, arrive, e) == RC_OK) {
			atomic_fetch_add(&e->refs, 1);
			TAILQ_INSERT_TAIL(&s->lent, e, lent_list);
			s->n_lent++;
		} else {
			exchange_expire(e, REASON_OVERLOAD);
		}
	}
	pthread_mutex_unlock(&s->lock);
	if (full)
		return refuse(e, m, REASON_OVERLOAD);
	if (here)
		arrive(e);
	return MHD_YES;
}

static enum MHD_Result
all_in(struct exchange *e, struct MHD_Connection *m)
{
	if (e->refusal != REASON_NONE)
		return refuse(e, m, e->refusal);
	if (e->s->run != NULL && http_loop_full(e->s))
		return MHD_YES;		/* asked again in the next pass */
	/* N5: a resumed session called no verify function, and a good certificate may have become a bad one since */
	if (e->s->tls != NULL && tls_conn_judge(&e->c->tls) != REASON_NONE)
		return refuse(e, m, REASON_HTTP_CERTIFICATE);
	e->peer = e->c->tls.peer;
	e->req.body = span_of(e->body, e->body_n);
	return hand_over(e, m);
}

/* Posted, and asked again: its answer is there; or, on_loop, maybe not yet. Within its turn waiting costs nothing. */
static enum MHD_Result
answered(struct exchange *e, struct MHD_Connection *m)
{
	struct MHD_Response *r = e->response;

	if (e->listed) {
		if (e->pass != e->s->pass)
			suspend(e, m);
		return MHD_YES;
	}
	http_wire_resume(e->c);
	e->response = NULL;
	return queue(e, m, e->status, r);
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
		http_conn_enter(e->c, CONN_BODY);
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
		http_conn_refuse(e->c, e->refusal);
		pthread_mutex_unlock(&e->s->lock);
		return MHD_NO;
	}
	return e->posted ? answered(e, m) : all_in(e, m);
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
	http_conn_enter(e->c, CONN_IDLE);
	if (e->posted) {
		pthread_mutex_lock(&s->lock);
		if (e->listed) {	/* on_loop: the client went while its answer was made */
			TAILQ_REMOVE(&s->posted, e, list);
			s->n_posted--;
			e->listed = false;
		}
		atomic_fetch_sub(&s->in_flight, 1);
		pthread_cond_signal(&s->completed);
		pthread_mutex_unlock(&s->lock);
	}
	exchange_unref(e);
}
