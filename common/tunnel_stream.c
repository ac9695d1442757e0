/*
 * tunnel_stream: one stream: a link.
 *
 *	client:         ASKED ──┐                          (tunnel_open)
 *	server: HEAD ── ASKED ──┴─ UP ── CLOSING ── OVER ── TOLD
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/tunnel_impl.h"

#define LIMIT_MIN 1024
#define LIMIT_MAX (16 * 1024 * 1024)

static void on_deadline(void *arg);
static const struct link_ops stream_ops;		/* at the end */

enum rc
tunnel_stream_new(struct tunnel *t, struct tunnel_stream **out)
{
	struct tunnel_stream *s = calloc(1, sizeof *s);

	if (s == NULL)
		return RC_NOMEM;
	if (clock_timer_new(t->clock, on_deadline, s, &s->deadline) != RC_OK) {
		free(s);
		return RC_NOMEM;
	}
	s->base.ops = &stream_ops;
	s->t = t;
	TAILQ_INSERT_TAIL(&t->streams, s, all);
	t->n_streams++;
	t->n_live++;
	*out = s;
	return RC_OK;
}

struct tunnel_stream *
tunnel_stream_of(struct link *l)
{
	return (struct tunnel_stream *)l;
}

static void
unready(struct tunnel_stream *s)
{
	if (s->is_ready)
		TAILQ_REMOVE(&s->t->ready, s, ready);
	s->is_ready = false;
}

void
tunnel_stream_discard(struct tunnel_stream *s)
{
	unready(s);
	if (s->state != STREAM_TOLD)
		s->t->n_live--;
	s->t->n_streams--;
	TAILQ_REMOVE(&s->t->streams, s, all);
	clock_timer_free(s->deadline);
	tunnel_buf_reset(&s->in);
	tunnel_buf_reset(&s->out);
	free(s);
}

/* --- what its user has to hear */

/* A stream that ended in good order lets its user read first; one whose user knows no on_eof ended with it. */
static bool
end_waits(const struct tunnel_stream *s)
{
	return s->why == REASON_NONE && s->in.n > 0 && s->base.cb.on_eof != NULL;
}

static unsigned
next_due(const struct tunnel_stream *s)
{
	unsigned due = s->due;

	if (due == DUE_CLOSED && end_waits(s))
		return 0;
	if (s->state == STREAM_ASKED)		/* what came before the answer waits for it */
		due &= ~(unsigned)(DUE_DATA | DUE_EOF);
	return due & (~due + 1);
}

void
tunnel_stream_due(struct tunnel_stream *s, unsigned due)
{
	s->due |= due;
	if (s->is_ready || s->state == STREAM_TOLD || next_due(s) == 0)
		return;
	s->is_ready = true;
	TAILQ_INSERT_TAIL(&s->t->ready, s, ready);
	tunnel_wake(s->t);
}

/* The peer sends nothing more. */
static void
deliver_eof(struct tunnel_stream *s)
{
	if (s->base.cb.on_eof != NULL) {
		s->base.cb.on_eof(&s->base, s->base.arg);
	} else if (s->state == STREAM_UP) {	/* then we do not either */
		s->shut = true;
		tunnel_stream_resume(s);
		tunnel_stream_detach(s);
		tunnel_stream_over(s, REASON_NONE, "ended by the peer");
	}
}

void
tunnel_stream_deliver(struct tunnel_stream *s)
{
	unsigned due = next_due(s);
	const struct link_cb *cb = &s->base.cb;
	struct link *l = &s->base;

	unready(s);
	s->due &= ~due;
	tunnel_stream_due(s, 0);		/* the rest, in its turn */
	switch (due) {
	case DUE_OPEN:
		if (s->t->cb.on_open != NULL)
			s->t->cb.on_open(s->t, l, s->service, s->t->arg);
		else
			tunnel_refuse(l, REASON_TUNNEL_SERVICE_UNKNOWN);
		break;
	case DUE_UP:
		if (cb->on_up != NULL)
			cb->on_up(l, l->arg);
		break;
	case DUE_DATA:
		if (cb->on_data != NULL && s->in.n > 0)
			cb->on_data(l, l->arg);
		break;
	case DUE_DRAINED:
		if (cb->on_drained != NULL && s->state == STREAM_UP && s->out.n == 0)
			cb->on_drained(l, l->arg);
		break;
	case DUE_EOF:
		deliver_eof(s);
		break;
	case DUE_CLOSED:
		s->state = STREAM_TOLD;
		s->t->n_live--;
		if (cb->on_closed != NULL)
			cb->on_closed(l, s->why, s->detail, l->arg);
		break;
	default:
		break;
	}
}

/* --- its end */

void
tunnel_stream_detach(struct tunnel_stream *s)
{
	if (s->t->session != NULL && s->id > 0)
		nghttp2_session_set_stream_user_data(s->t->session, s->id, NULL);
}

void
tunnel_stream_over(struct tunnel_stream *s, enum reason why, const char *detail)
{
	if (s->state >= STREAM_OVER)
		return;
	clock_timer_stop(s->deadline);
	tunnel_stream_detach(s);
	if (s->state == STREAM_HEAD || (s->due & DUE_OPEN)) {
		tunnel_stream_discard(s);
		return;
	}
	if (s->state == STREAM_ASKED)
		s->due = 0;
	s->state = STREAM_OVER;
	s->why = why;
	s->detail = detail;
	tunnel_stream_due(s, DUE_CLOSED);
}

void
tunnel_stream_cut(struct tunnel_stream *s, uint32_t code, enum reason why, const char *detail)
{
	struct tunnel *t = s->t;

	if (s->state >= STREAM_OVER)
		return;
	tunnel_stream_detach(s);		/* before RST_STREAM can call it off */
	if (t->session != NULL && s->id > 0)
		tunnel_h2_check(t, nghttp2_submit_rst_stream(t->session, NGHTTP2_FLAG_NONE, s->id, code));
	tunnel_stream_over(s, why, detail);
	tunnel_wake(t);
}

void
tunnel_stream_resume(struct tunnel_stream *s)
{
	struct tunnel *t = s->t;

	if (s->deferred && t->session != NULL) {
		s->deferred = false;
		if (nghttp2_session_resume_data(t->session, s->id) == NGHTTP2_ERR_NOMEM)
			tunnel_fault(t, REASON_INTERNAL, "out of memory");
	}
	tunnel_wake(t);
}

static void
on_deadline(void *arg)
{
	struct tunnel_stream *s = arg;

	tunnel_stream_cut(s, NGHTTP2_CANCEL, REASON_NONE, "closed, though the peer did not read all");
}

/* --- the calls of a link */

static struct span
stream_input(struct link *l)
{
	return tunnel_buf_span(&tunnel_stream_of(l)->in);
}

static void
stream_drain(struct link *l, size_t n)
{
	struct tunnel_stream *s = tunnel_stream_of(l);

	if (n > s->in.n)
		n = s->in.n;
	if (n == 0)
		return;
	tunnel_buf_drain(&s->in, n);
	if (s->state < STREAM_OVER && s->t->session != NULL) {
		tunnel_h2_check(s->t, nghttp2_session_consume_stream(s->t->session, s->id, n));
		tunnel_wake(s->t);
	}
	tunnel_stream_due(s, 0);
}

static void
stream_set_input_limit(struct link *l, size_t n)
{
	struct tunnel_stream *s = tunnel_stream_of(l);

	s->limit = n < LIMIT_MIN ? LIMIT_MIN : n > LIMIT_MAX ? LIMIT_MAX : n;
	if (s->state == STREAM_UP && s->t->session != NULL) {
		tunnel_h2_check(s->t,
		    nghttp2_session_set_local_window_size(s->t->session, NGHTTP2_FLAG_NONE, s->id, (int32_t)s->limit));
		tunnel_wake(s->t);
	}
}

static enum rc
stream_write(struct link *l, struct span octets)
{
	struct tunnel_stream *s = tunnel_stream_of(l);
	enum rc rc;

	if (s->state != STREAM_UP || s->shut)
		return RC_STATE;
	if (octets.n > LINK_UNSENT_MAX - s->out.n)
		return RC_LIMIT;
	if (octets.n == 0)
		return RC_OK;
	if ((rc = tunnel_buf_add(&s->out, octets)) != RC_OK)
		return rc;
	tunnel_stream_resume(s);
	return RC_OK;
}

static size_t
stream_unsent(const struct link *l)
{
	return ((const struct tunnel_stream *)l)->out.n;
}

static enum rc
stream_shutdown(struct link *l)
{
	struct tunnel_stream *s = tunnel_stream_of(l);

	if (s->state != STREAM_UP || s->shut)
		return RC_STATE;
	s->shut = true;
	tunnel_stream_resume(s);
	return RC_OK;
}

static bool
stream_at_eof(const struct link *l)
{
	const struct tunnel_stream *s = (const struct tunnel_stream *)l;

	return s->got_end && !(s->due & DUE_EOF);
}

static void
stream_close(struct link *l)
{
	struct tunnel_stream *s = tunnel_stream_of(l);

	if (s->state == STREAM_ASKED)
		tunnel_stream_cut(s, NGHTTP2_CANCEL, REASON_NONE, "closed");
	if (s->state == STREAM_UP) {
		s->state = STREAM_CLOSING;
		s->shut = true;
		clock_timer_set(s->deadline, LINK_CLOSE_TIMEOUT_MS);
		if (s->sent_end)
			tunnel_stream_cut(s, NGHTTP2_NO_ERROR, REASON_NONE, "closed");
		else
			tunnel_stream_resume(s);
	}
	s->due &= DUE_CLOSED;
	stream_drain(l, s->in.n);		/* nobody reads any more */
}

static void
stream_free(struct link *l)
{
	struct tunnel_stream *s = tunnel_stream_of(l);
	struct tunnel *t = s->t;

	s->due = 0;
	tunnel_stream_cut(s, NGHTTP2_CANCEL, REASON_NONE, "");
	tunnel_stream_discard(s);
	tunnel_wake(t);
	tunnel_release(t);
}

static void
stream_peer(const struct link *l, struct link_peer *out)
{
	snprintf(out->address, sizeof out->address, "tunnel:%s", ((const struct tunnel_stream *)l)->service);
}

static const struct link_ops stream_ops = {
	.input = stream_input,
	.drain = stream_drain,
	.set_input_limit = stream_set_input_limit,
	.write = stream_write,
	.unsent = stream_unsent,
	.close = stream_close,
	.shutdown = stream_shutdown,
	.at_eof = stream_at_eof,
	.reset = stream_free,
	.free = stream_free,
	.peer = stream_peer,
};
