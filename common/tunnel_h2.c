/*
 * tunnel_h2: what nghttp2 tells us of heads, ends and refusals, and how its session is set up.                RFC 9113 8.5
 * Limits: its own for SETTINGS, acknowledgements, CONTINUATION and the rate of resets (all on); ours for a head's size. What breaks
 * HTTP/2 in a stream, or in all of it, nghttp2 answers itself (RST_STREAM, GOAWAY).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/tunnel_impl.h"

#define REFUSALS_LOGGED 10

#define FIELD(name_, value_, n_) \
	{ (uint8_t *)(uintptr_t)(name_), (uint8_t *)(uintptr_t)(value_), sizeof (name_) - 1, (n_), \
	NGHTTP2_NV_FLAG_NONE }

void
tunnel_fault(struct tunnel *t, enum reason why, const char *fmt, ...)
{
	va_list ap;

	if (t->fault != REASON_NONE)
		return;
	t->fault = why;
	if (why == REASON_INTERNAL)
		t->fault_code = NGHTTP2_INTERNAL_ERROR;
	va_start(ap, fmt);
	vsnprintf(t->detail, sizeof t->detail, fmt, ap);
	va_end(ap);
	tunnel_wake(t);
}

void
tunnel_h2_check(struct tunnel *t, int rv)
{
	if (rv == NGHTTP2_ERR_NOMEM)
		tunnel_fault(t, REASON_INTERNAL, "out of memory");
	else if (nghttp2_is_fatal(rv))
		tunnel_fault(t, REASON_TUNNEL_BROKEN, "%s: %s", nghttp2_strerror(rv), t->h2_text);
}

/* --- heads */

enum rc
tunnel_h2_connect(struct tunnel_stream *s)
{
	const nghttp2_nv head[] = { FIELD(":method", "CONNECT", 7), FIELD(":authority", s->service, strlen(s->service)) };
	const nghttp2_data_provider body = { .read_callback = tunnel_data_source };
	int32_t id = nghttp2_submit_request(s->t->session, NULL, head, 2, &body, s);

	if (id < 0)
		return id == NGHTTP2_ERR_NOMEM ? RC_NOMEM : RC_STATE;
	s->id = id;
	s->state = STREAM_ASKED;
	return RC_OK;
}

enum rc
tunnel_h2_answer(struct tunnel *t, int32_t id, int status, bool end)
{
	char text[8];
	const nghttp2_nv head[] = { FIELD(":status", text, 3) };
	const nghttp2_data_provider body = { .read_callback = tunnel_data_source };

	snprintf(text, sizeof text, "%03d", status);
	return nghttp2_submit_response(t->session, id, head, 1, end ? NULL : &body) == 0 ? RC_OK : RC_NOMEM;
}

/* A peer may ask as often as it likes; the log hears of the first ones. */
static void
log_refusal(struct tunnel *t, enum reason why)
{
	if (t->n_refused++ < REFUSALS_LOGGED)
		log_reason(why, "tunnel: a request is refused%s", t->n_refused == REFUSALS_LOGGED ? ", as others to come" : "");
}

static void
refuse(struct tunnel_stream *s, enum reason why)
{
	log_refusal(s->t, why);
	tunnel_stream_detach(s);
	if (tunnel_h2_answer(s->t, s->id, reason_get(why)->http, true) != RC_OK)
		tunnel_fault(s->t, REASON_INTERNAL, "out of memory");
	tunnel_stream_over(s, why, "");
}

/* Server: the head of a request is in. */
static void
on_request(struct tunnel_stream *s)
{
	if (s->head_n > TUNNEL_HEAD_MAX)
		refuse(s, REASON_TUNNEL_HEAD);
	else if (!s->connect)
		refuse(s, REASON_TUNNEL_METHOD);
	else if (!s->named)
		refuse(s, REASON_TUNNEL_NAME);
	else if (s->t->going)
		tunnel_stream_cut(s, NGHTTP2_REFUSED_STREAM, REASON_TUNNEL_CLOSED, "");
	else if (s->t->n_live > 2 * (size_t)s->t->conf.streams_max) {
		/* HTTP/2 does not count those that ended and were not read; in one turn as many may end as begin */
		log_refusal(s->t, REASON_TUNNEL_LIMIT);
		tunnel_stream_cut(s, NGHTTP2_REFUSED_STREAM, REASON_TUNNEL_LIMIT, "");
	} else {
		s->state = STREAM_ASKED;
		tunnel_stream_due(s, DUE_OPEN);
	}
}

static enum reason
reason_of_status(int status)
{
	switch (status) {
	case 403:
		return REASON_TUNNEL_SERVICE_REFUSED;
	case 404:
		return REASON_TUNNEL_SERVICE_UNKNOWN;
	case 429:
		return REASON_TUNNEL_LIMIT;
	case 502:
	case 503:
		return REASON_TUNNEL_SERVICE_DOWN;
	default:
		return REASON_TUNNEL_BROKEN;
	}
}

/* Client: an answer is in. 1xx are not the last. */
static void
on_response(struct tunnel_stream *s, bool end)
{
	if (s->state != STREAM_ASKED || s->status < 200)
		return;
	if (s->status < 300) {
		s->state = STREAM_UP;
		if (s->limit != 0)
			link_set_input_limit(&s->base, s->limit);
		tunnel_stream_due(s, DUE_UP);
	} else if (end) {
		s->shut = true;
		tunnel_stream_resume(s);	/* END_STREAM of ours */
		tunnel_stream_over(s, reason_of_status(s->status), "refused by the peer");
	} else {
		tunnel_stream_cut(s, NGHTTP2_CANCEL, reason_of_status(s->status), "refused by the peer");
	}
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct tunnel *t = arg;
	struct tunnel_stream *s;

	if (!t->server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (tunnel_stream_new(t, &s) != RC_OK)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	s->id = frame->hd.stream_id;
	nghttp2_session_set_stream_user_data(session, s->id, s);
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
    uint8_t flags, void *arg)
{
	struct tunnel *t = arg;
	struct tunnel_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	struct span k = span_of(name, name_n), v = span_of(value, value_n);
	uint64_t status;

	(void)flags;
	if (s == NULL)
		return 0;
	if (s->state == STREAM_HEAD && t->server) {
		s->head_n += name_n + value_n + 32;
		if (span_eq_str(k, ":method"))
			s->connect = span_eq_str(v, "CONNECT");
		else if (span_eq_str(k, ":authority"))
			s->named = span_to_str(v, s->service, sizeof s->service) && tunnel_service_ok(s->service);
	} else if (s->state == STREAM_ASKED && !t->server && span_eq_str(k, ":status") && span_decimal(v, 999, &status)) {
		s->status = (int)status;
	}
	return 0;
}

/* --- frames that are in, frames that have left */

static void
on_settings(struct tunnel *t)
{
	if (t->state != TUNNEL_NEW)
		return;
	t->state = TUNNEL_UP;
	t->up_due = true;
	clock_timer_stop(t->deadline);
	if (t->conf.idle_ms > 0)
		clock_timer_set(t->deadline, t->conf.idle_ms);
}

static void
on_goaway(struct tunnel *t, const nghttp2_goaway *g)
{
	char text[100];

	t->going = true;
	if (g->error_code != NGHTTP2_NO_ERROR)
		tunnel_fault(t, REASON_TUNNEL_BROKEN, "the peer says %s: %s", nghttp2_http2_strerror(g->error_code),
		    log_text(span_of(g->opaque_data, g->opaque_data_len), text, sizeof text));
}

static void
on_pong(struct tunnel *t, const nghttp2_ping *p)
{
	if (t->ping_fn == NULL || t->ping_due || memcmp(p->opaque_data, &t->ping, sizeof t->ping) != 0)
		return;
	t->ping_due = t->ping_alive = true;
	clock_timer_stop(t->ping_deadline);
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct tunnel *t = arg;
	int32_t id = frame->hd.stream_id;
	struct tunnel_stream *s = id > 0 ? nghttp2_session_get_stream_user_data(session, id) : NULL;
	bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (s != NULL && s->state == STREAM_HEAD)
			on_request(s);
		else if (s != NULL && !t->server)
			on_response(s, end);
		break;
	case NGHTTP2_DATA:
		break;
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			on_settings(t);
		return 0;
	case NGHTTP2_GOAWAY:
		on_goaway(t, &frame->goaway);
		return 0;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			on_pong(t, &frame->ping);
		return 0;
	default:
		return 0;
	}
	/* again: the stream may have ended by what its head said */
	if (end && (s = nghttp2_session_get_stream_user_data(session, id)) != NULL) {
		s->got_end = true;
		if (s->state == STREAM_ASKED || s->state == STREAM_UP)
			tunnel_stream_due(s, DUE_EOF);
	}
	return 0;
}

static int
on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct tunnel *t = arg;
	int32_t id = frame->hd.stream_id;
	struct tunnel_stream *s;

	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
		t->fault_code = frame->goaway.error_code;
		tunnel_fault(t, REASON_TUNNEL_BROKEN, "%s: %s", nghttp2_http2_strerror(frame->goaway.error_code), t->h2_text);
	}
	if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	s = nghttp2_session_get_stream_user_data(session, id);
	if (s != NULL)
		s->sent_end = true;
	/* RFC 9113 8.1: we have said all; whoever still sends may stop. A stream whose user still reads goes on */
	if ((s == NULL || s->state == STREAM_CLOSING) && nghttp2_session_get_stream_remote_close(session, id) == 0)
		tunnel_h2_check(t, nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR));
	if (s != NULL && s->state == STREAM_CLOSING)
		tunnel_stream_over(s, REASON_NONE, "closed");
	return 0;
}

/* --- ends of streams */

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct tunnel *t = arg;
	struct tunnel_stream *s = nghttp2_session_get_stream_user_data(session, id);
	const char *text = nghttp2_http2_strerror(code);
	enum reason why = REASON_TUNNEL_BROKEN;

	if (s == NULL)
		return 0;
	if (code == NGHTTP2_NO_ERROR && s->got_end && s->out.n == 0)
		why = REASON_NONE;
	else if (code == NGHTTP2_REFUSED_STREAM)
		why = t->going ? REASON_TUNNEL_CLOSED : REASON_TUNNEL_LIMIT;
	else if (code == NGHTTP2_NO_ERROR || code == NGHTTP2_CANCEL || code == NGHTTP2_INTERNAL_ERROR)
		why = REASON_TUNNEL_RESET;
	if (s->state == STREAM_CLOSING)
		why = REASON_NONE;
	tunnel_stream_over(s, why, text);
	return 0;
}

static int
on_error(nghttp2_session *session, int code, const char *text, size_t n, void *arg)
{
	struct tunnel *t = arg;

	(void)session, (void)code;
	log_text(span_of(text, n), t->h2_text, sizeof t->h2_text);
	return 0;
}

/* --- the session */

static nghttp2_session_callbacks *
callbacks_new(void)
{
	nghttp2_session_callbacks *c = NULL;

	if (nghttp2_session_callbacks_new(&c) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, tunnel_data_in);
	nghttp2_session_callbacks_set_data_source_read_length_callback(c, tunnel_data_length);
	nghttp2_session_callbacks_set_send_data_callback(c, tunnel_data_out);
	nghttp2_session_callbacks_set_error_callback2(c, on_error);
	return c;
}

static bool
say_settings(struct tunnel *t)
{
	const nghttp2_settings_entry said[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, t->server ? t->conf.streams_max : 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)t->conf.stream_buffer },
		{ NGHTTP2_SETTINGS_MAX_FRAME_SIZE, TUNNEL_FRAME_MAX },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, TUNNEL_HEAD_MAX },
	};
	const nghttp2_settings_entry *first = t->server ? said + 1 : said;	/* ENABLE_PUSH is a client's word */

	return nghttp2_submit_settings(t->session, NGHTTP2_FLAG_NONE, first, (size_t)(said + 5 - first)) == 0 &&
	    nghttp2_session_set_local_window_size(t->session, NGHTTP2_FLAG_NONE, 0, INT32_MAX) == 0;
}

enum rc
tunnel_h2_new(struct tunnel *t)
{
	nghttp2_session_callbacks *c = callbacks_new();
	nghttp2_option *o = NULL;
	int rv = NGHTTP2_ERR_NOMEM;

	if (c == NULL || nghttp2_option_new(&o) != 0)
		goto out;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_outbound_ack(o, 100);
	nghttp2_option_set_max_settings(o, 16);
	nghttp2_option_set_stream_reset_rate_limit(o, 1000, 33);	/* its default, by its own clock; said, since U5 asks for it */
	rv = t->server ? nghttp2_session_server_new2(&t->session, c, t, o) : nghttp2_session_client_new2(&t->session, c, t, o);
out:
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(c);
	return rv == 0 && say_settings(t) ? RC_OK : RC_NOMEM;
}
