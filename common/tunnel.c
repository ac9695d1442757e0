/* tunnel: its beginning, what its user calls, and its end. The files of a tunnel: tunnel_impl.h. */
#include "common/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/tunnel_impl.h"

#define INPUT_LIMIT (256 * 1024)
#define MARK (16 * 1024)		/* to begin with */

/* --- the link below */

static void
on_link_data(struct link *l, void *arg)
{
	(void)l;
	tunnel_turn(arg);
}

static void
on_link_drained(struct link *l, void *arg)
{
	(void)l;
	tunnel_drained(arg);
	tunnel_turn(arg);
}

/* Its streams are told by the next turn; those that ended in good order let their users read first. */
static void
end_streams(struct tunnel *t, enum reason why, const char *detail)
{
	struct tunnel_stream *s, *next;

	for (s = TAILQ_FIRST(&t->streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, all);
		tunnel_stream_over(s, why, detail);
	}
}

/* No reading any more: whoever waited for it hears the end. */
static void
end_waiting(struct tunnel *t, enum reason why)
{
	struct tunnel_stream *s;

	TAILQ_FOREACH(s, &t->streams, all) {
		if (s->state == STREAM_OVER && s->why == REASON_NONE && s->in.n > 0)
			s->why = why;
		if (s->state == STREAM_OVER)
			tunnel_stream_due(s, 0);
	}
}

/* HTTP/2 and the link are no more. */
static void
drop(struct tunnel *t)
{
	nghttp2_session_del(t->session);
	t->session = NULL;
	link_free(t->link);
	t->link = NULL;
	tunnel_buf_reset(&t->out);
}

static void
over(struct tunnel *t)
{
	drop(t);
	clock_timer_stop(t->deadline);
	clock_timer_stop(t->ping_deadline);
	t->ping_due = t->ping_fn != NULL;
	t->state = TUNNEL_OVER;
}

static bool
all_over(const struct tunnel *t)
{
	const struct tunnel_stream *s;

	TAILQ_FOREACH(s, &t->streams, all)
		if (s->state < STREAM_OVER)
			return false;
	return true;
}

static void
on_link_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct tunnel *t = arg;

	(void)l;
	if (t->state < TUNNEL_ENDING) {
		if (why == REASON_NONE && !(t->going && all_over(t)))
			why = REASON_TUNNEL_CLOSED;
		if (t->fault == REASON_NONE)
			snprintf(t->detail, sizeof t->detail, "%s", detail);
		t->why = t->fault != REASON_NONE ? t->fault : why;
		end_streams(t, t->why, "the tunnel ended");
	}
	over(t);
	t->closed_due = true;
	tunnel_turn(t);
}

static const struct link_cb link_cb = { .on_data = on_link_data, .on_drained = on_link_drained, .on_closed = on_link_closed };

void
tunnel_end(struct tunnel *t, enum reason why, uint32_t code, const char *detail)
{
	if (t->state >= TUNNEL_ENDING)
		return;
	t->state = TUNNEL_ENDING;
	t->why = why;
	if (detail != t->detail)
		snprintf(t->detail, sizeof t->detail, "%s", detail);
	end_streams(t, why, "the tunnel ended");
	clock_timer_stop(t->deadline);
	nghttp2_session_terminate_session(t->session, code);
	tunnel_last_words(t);
	link_close(t->link);
}

/* --- timers */

static void
on_soon(void *arg)
{
	tunnel_turn(arg);
}

static void
on_deadline(void *arg)
{
	struct tunnel *t = arg;
	int64_t idle = clock_mono_ms(t->clock) - t->last_octet_ms;

	if (t->state == TUNNEL_NEW)
		tunnel_fault(t, REASON_TUNNEL_BROKEN, "the peer says no SETTINGS");
	else if (t->n_live == 0 && idle >= t->conf.idle_ms)
		tunnel_drain(t);
	else
		clock_timer_set(t->deadline, t->n_live == 0 ? t->conf.idle_ms - idle : t->conf.idle_ms);
}

static void
on_ping_deadline(void *arg)
{
	struct tunnel *t = arg;

	t->ping_due = true;
	tunnel_wake(t);
}

/* --- beginning */

static void
destroy(struct tunnel *t)
{
	drop(t);
	clock_timer_free(t->soon);
	clock_timer_free(t->deadline);
	clock_timer_free(t->ping_deadline);
	free(t);
}

static void
set_conf(struct tunnel *t, const struct tunnel_conf *conf)
{
	if (conf != NULL)
		t->conf = *conf;
	if (t->conf.streams_max == 0)
		t->conf.streams_max = TUNNEL_STREAMS_MAX;
	if (t->conf.stream_buffer == 0)
		t->conf.stream_buffer = TUNNEL_STREAM_BUFFER;
	if (t->conf.stream_buffer > LINK_UNSENT_MAX)
		t->conf.stream_buffer = LINK_UNSENT_MAX;
}

static enum rc
tunnel_new(struct link *link, bool server, struct clock *clock, const struct tunnel_conf *conf, const struct tunnel_cb *cb, void *arg,
    struct tunnel **out)
{
	struct tunnel *t = calloc(1, sizeof *t);

	if (t == NULL) {
		link_free(link);
		return RC_NOMEM;
	}
	t->link = link;
	t->clock = clock;
	t->last_octet_ms = clock_mono_ms(clock);
	t->fault_code = NGHTTP2_PROTOCOL_ERROR;
	t->mark = MARK;
	t->server = server;
	t->arg = arg;
	if (cb != NULL)
		t->cb = *cb;
	set_conf(t, conf);
	TAILQ_INIT(&t->streams);
	TAILQ_INIT(&t->ready);
	if (clock_timer_new(clock, on_soon, t, &t->soon) != RC_OK || clock_timer_new(clock, on_deadline, t, &t->deadline) != RC_OK ||
	    clock_timer_new(clock, on_ping_deadline, t, &t->ping_deadline) != RC_OK || tunnel_h2_new(t) != RC_OK) {
		destroy(t);
		return RC_NOMEM;
	}
	link_set_cb(link, &link_cb, t);
	link_set_input_limit(link, INPUT_LIMIT);
	clock_timer_set(t->deadline, TUNNEL_SETTINGS_MS);
	tunnel_wake(t);
	*out = t;
	return RC_OK;
}

enum rc
tunnel_client_new(struct link *link, struct clock *clock, const struct tunnel_conf *conf, const struct tunnel_cb *cb, void *arg,
    struct tunnel **out)
{
	return tunnel_new(link, false, clock, conf, cb, arg, out);
}

enum rc
tunnel_server_new(struct link *link, struct clock *clock, const struct tunnel_conf *conf, const struct tunnel_cb *cb, void *arg,
    struct tunnel **out)
{
	return tunnel_new(link, true, clock, conf, cb, arg, out);
}

/* --- streams */

enum rc
tunnel_open(struct tunnel *t, const char *service, const struct link_cb *cb, void *arg, struct link **out)
{
	struct tunnel_stream *s;
	size_t max;
	enum rc rc;

	if (t->server || t->state != TUNNEL_UP || t->going || t->freed)
		return RC_STATE;
	if (!tunnel_service_ok(service))
		return RC_SYNTAX;
	max = nghttp2_session_get_remote_settings(t->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (t->n_live >= t->conf.streams_max || t->n_live >= max)
		return RC_LIMIT;
	if ((rc = tunnel_stream_new(t, &s)) != RC_OK)
		return rc;
	memcpy(s->service, service, strlen(service) + 1);
	if ((rc = tunnel_h2_connect(s)) != RC_OK) {
		tunnel_stream_discard(s);
		return rc;
	}
	link_set_cb(&s->base, cb, arg);
	tunnel_wake(t);
	*out = &s->base;
	return RC_OK;
}

enum rc
tunnel_accept(struct link *stream)
{
	struct tunnel_stream *s = tunnel_stream_of(stream);
	enum rc rc;

	if (s->state != STREAM_ASKED)
		return RC_STATE;
	if ((rc = tunnel_h2_answer(s->t, s->id, 200, false)) != RC_OK)
		return rc;
	s->state = STREAM_UP;
	if (s->limit != 0)
		link_set_input_limit(stream, s->limit);
	tunnel_stream_due(s, s->in.n > 0 ? DUE_DATA : 0);	/* and its end, if it came meanwhile */
	tunnel_wake(s->t);
	return RC_OK;
}

void
tunnel_refuse(struct link *stream, enum reason why)
{
	struct tunnel_stream *s = tunnel_stream_of(stream);
	struct tunnel *t = s->t;
	int status = reason_get(why)->http;

	if (s->state == STREAM_ASKED) {
		tunnel_stream_detach(s);
		if (tunnel_h2_answer(t, s->id, status >= 400 ? status : 503, true) != RC_OK)
			tunnel_fault(t, REASON_INTERNAL, "out of memory");
		s->id = 0;
	}
	link_free(stream);
}

/* --- the whole */

enum rc
tunnel_ping(struct tunnel *t, int64_t timeout_ms, void (*fn)(void *arg, bool alive), void *arg)
{
	uint8_t opaque[sizeof t->ping];

	if (t->state != TUNNEL_UP || t->freed || t->ping_fn != NULL)
		return RC_STATE;
	t->ping++;
	memcpy(opaque, &t->ping, sizeof opaque);
	if (nghttp2_submit_ping(t->session, NGHTTP2_FLAG_NONE, opaque) != 0)
		return RC_NOMEM;
	t->ping_fn = fn;
	t->ping_arg = arg;
	t->ping_alive = false;
	clock_timer_set(t->ping_deadline, timeout_ms);
	tunnel_wake(t);
	return RC_OK;
}

void
tunnel_drain(struct tunnel *t)
{
	int32_t last;

	if (t->state >= TUNNEL_ENDING || t->going)
		return;
	t->going = true;
	last = nghttp2_session_get_last_proc_stream_id(t->session);
	tunnel_h2_check(t, nghttp2_submit_goaway(t->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0));
	tunnel_wake(t);
}

void
tunnel_close(struct tunnel *t, enum reason why)
{
	tunnel_end(t, why, NGHTTP2_NO_ERROR, "closed");
	end_waiting(t, why);
}

void
tunnel_release(struct tunnel *t)
{
	if (t->freed && t->running == 0 && TAILQ_EMPTY(&t->streams))
		destroy(t);
}

void
tunnel_free(struct tunnel *t)
{
	if (t == NULL)
		return;
	t->freed = true;
	t->ping_fn = NULL;
	over(t);
	end_streams(t, REASON_TUNNEL_CLOSED, "the tunnel ended");
	end_waiting(t, REASON_TUNNEL_CLOSED);
	tunnel_release(t);
}

size_t
tunnel_streams(const struct tunnel *t)
{
	return t->n_live;
}

struct link *
tunnel_link(struct tunnel *t)
{
	return t->link;
}

bool
tunnel_service_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > TUNNEL_SERVICE_MAX)
		return false;
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != n)
		return false;
	return strncmp(name, "kslocal-", 8) != 0 || strcmp(name, TUNNEL_MESSAGES) == 0;
}
