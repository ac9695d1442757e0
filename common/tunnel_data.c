/*
 * tunnel_data: DATA frames.
 * In: nghttp2 gives pieces of the link's input; they are copied once, to the stream. The session's window is given back at once, a stream's
 * when its user drains: so what waits is bounded stream by stream, and none waits for another.
 * Out: nghttp2 says which stream's turn it is and how much may go. A large frame goes to the link from where its octets are, its head
 * written before them; small ones are put behind one another for one link_write().
 */
#include <string.h>

#include "common/clock.h"
#include "common/tunnel_impl.h"

#define FRAME_HEAD 9
#define LARGE (16 * 1024)

static struct tunnel_stream *
stream_by_id(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

int
tunnel_data_in(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *octets, size_t n, void *arg)
{
	struct tunnel *t = arg;
	struct tunnel_stream *s = stream_by_id(session, id);

	(void)flags;
	tunnel_h2_check(t, nghttp2_session_consume_connection(session, n));
	if (s == NULL || (s->state != STREAM_UP && s->state != STREAM_ASKED)) {
		tunnel_h2_check(t, nghttp2_session_consume_stream(session, id, n));
	} else if (tunnel_buf_add(&s->in, span_of(octets, n)) != RC_OK) {
		tunnel_stream_cut(s, NGHTTP2_INTERNAL_ERROR, REASON_INTERNAL, "out of memory");
	} else if (s->state == STREAM_UP) {	/* else a client does not wait for our 200: tunnel_accept() */
		tunnel_stream_due(s, DUE_DATA);
	}
	return 0;
}

ssize_t
tunnel_data_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t session_window, int32_t stream_window,
    uint32_t frame_max, void *arg)
{
	const struct tunnel *t = arg;
	size_t n = frame_max < TUNNEL_FRAME_MAX ? frame_max : TUNNEL_FRAME_MAX;

	(void)session, (void)type, (void)id, (void)session_window, (void)stream_window;
	return (ssize_t)(n < t->mark / 2 ? n : t->mark / 2);
}

ssize_t
tunnel_data_source(nghttp2_session *session, int32_t id, uint8_t *buf, size_t max, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct tunnel_stream *s = stream_by_id(session, id);
	size_t n;

	(void)buf, (void)source, (void)arg;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (s == NULL) {		/* its user is gone and left it without a reset */
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		return 0;
	}
	n = s->out.n < max ? s->out.n : max;
	if (n == s->out.n && s->shut)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (n == 0) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

/* What is gathered goes first. */
static void
put_large(struct tunnel *t, struct tunnel_stream *s, const uint8_t *head, size_t n)
{
	uint8_t *p = s->out.p + s->out.at - FRAME_HEAD;

	tunnel_put(t, tunnel_buf_span(&t->out));
	tunnel_buf_drain(&t->out, t->out.n);
	memcpy(p, head, FRAME_HEAD);
	tunnel_put(t, span_of(p, FRAME_HEAD + n));
}

static enum rc
put_small(struct tunnel *t, struct tunnel_stream *s, const uint8_t *head, size_t n)
{
	uint8_t *to;

	if (tunnel_buf_room(&t->out, FRAME_HEAD + n, &to) != RC_OK)
		return RC_NOMEM;
	memcpy(to, head, FRAME_HEAD);
	if (n > 0)
		memcpy(to + FRAME_HEAD, tunnel_buf_span(&s->out).p, n);
	tunnel_buf_put(&t->out, FRAME_HEAD + n);
	return RC_OK;
}

int
tunnel_data_out(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n, nghttp2_data_source *source, void *arg)
{
	struct tunnel *t = arg;
	struct tunnel_stream *s = stream_by_id(session, frame->hd.stream_id);

	(void)source;
	if (n >= LARGE)
		put_large(t, s, head, n);
	else if (put_small(t, s, head, n) != RC_OK)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (n > 0) {
		tunnel_buf_drain(&s->out, n);
		if (s->out.n == 0)
			tunnel_stream_due(s, DUE_DRAINED);
	}
	return tunnel_full(t) ? NGHTTP2_ERR_PAUSE : 0;
}
