/*
 * tunnel_turn: what came in, what users have to hear of it, what goes out, and whether it is over; in this order, so that the answers of
 * a turn leave by one link_write(). It runs from the link's callbacks and from a timer of its own, never inside a call of a stream.
 */
#include "common/clock.h"
#include "common/tunnel_impl.h"

#define FAST_MS 20
#define SLOW_MS 100

void
tunnel_wake(struct tunnel *t)
{
	if (t->running == 0)
		clock_timer_set(t->soon, 0);
}

static void
receive(struct tunnel *t)
{
	struct span in = t->link != NULL && t->session != NULL && t->state < TUNNEL_ENDING ? link_input(t->link) : span_of(NULL, 0);
	ssize_t took;

	if (in.n == 0 || t->fault != REASON_NONE)
		return;
	t->last_octet_ms = clock_mono_ms(t->clock);
	if ((took = nghttp2_session_mem_recv(t->session, in.p, in.n)) < 0)
		tunnel_h2_check(t, (int)took);
	else if (nghttp2_session_get_outbound_queue_size(t->session) > TUNNEL_QUEUE_MAX)
		tunnel_fault(t, REASON_TUNNEL_BROKEN, "the peer asks for answers and does not read them");
	link_drain(t->link, in.n);
}

void
tunnel_put(struct tunnel *t, struct span octets)
{
	enum rc rc;

	if (octets.n == 0)
		return;
	t->last_octet_ms = clock_mono_ms(t->clock);
	if (t->filled == 0)
		t->filled_ms = t->last_octet_ms;
	t->filled += octets.n;
	rc = link_write(t->link, octets);
	if (rc != RC_OK && rc != RC_STATE)	/* STATE: its end is under way, and says why */
		tunnel_fault(t, REASON_INTERNAL, "the link takes nothing more: %s", rc_str(rc));
}

bool
tunnel_full(const struct tunnel *t)
{
	return t->out.n >= t->mark / 2 || link_unsent(t->link) >= t->mark;
}

/* What nghttp2 has to say now. */
static void
fill(struct tunnel *t)
{
	const uint8_t *p;
	ssize_t n;

	do {
		if ((n = nghttp2_session_mem_send(t->session, &p)) < 0)
			tunnel_h2_check(t, (int)n);
		else if (tunnel_buf_add(&t->out, span_of(p, (size_t)n)) != RC_OK)
			tunnel_fault(t, REASON_INTERNAL, "out of memory");
	} while (n > 0 && !tunnel_full(t));
	tunnel_put(t, tunnel_buf_span(&t->out));
	tunnel_buf_drain(&t->out, t->out.n);
}

/*
 * What waits in the link delays all that comes after it, and must yet suffice to keep a fast one busy. So as much may wait as leaves
 * within a tenth of a second or so: a stream on a serial line does not wait behind a quarter of a megabyte of another's.
 */
void
tunnel_drained(struct tunnel *t)
{
	int64_t took = clock_mono_ms(t->clock) - t->filled_ms;

	if (t->filled >= t->mark / 2) {
		if (took <= FAST_MS && t->mark < TUNNEL_MARK_MAX)
			t->mark *= 2;
		else if (took > SLOW_MS && t->mark > TUNNEL_MARK_MIN)
			t->mark /= 2;
	}
	t->filled = 0;
}

static void
send_frames(struct tunnel *t)
{
	size_t before;

	if (t->session == NULL || t->link == NULL)
		return;
	do {
		before = t->filled;
		if (link_unsent(t->link) < t->mark)
			fill(t);
	} while (t->filled != before && t->fault == REASON_NONE);
}

void
tunnel_last_words(struct tunnel *t)
{
	fill(t);
	tunnel_buf_reset(&t->out);
}

static void
judge(struct tunnel *t)
{
	if (t->state >= TUNNEL_ENDING)
		return;
	if (t->fault != REASON_NONE)
		tunnel_end(t, t->fault, t->fault_code, t->detail);
	else if (t->going && t->n_live == 0 && !nghttp2_session_want_write(t->session))
		tunnel_end(t, REASON_NONE, NGHTTP2_NO_ERROR, "in good order");
}

/* What the tunnel's own user has to hear: one callback. */
static bool
deliver_own(struct tunnel *t)
{
	void (*fn)(void *arg, bool alive) = t->ping_fn;

	if (t->freed)
		return false;
	if (t->up_due) {
		t->up_due = false;
		if (t->cb.on_up != NULL)
			t->cb.on_up(t, t->arg);
		return true;
	}
	if (t->ping_due) {
		t->ping_due = false;
		t->ping_fn = NULL;
		fn(t->ping_arg, t->ping_alive);
		return true;
	}
	if (t->closed_due && t->n_live == 0) {
		t->closed_due = false;
		if (t->cb.on_closed != NULL)
			t->cb.on_closed(t, t->why, t->detail, t->arg);
		return true;
	}
	return false;
}

static void
deliver(struct tunnel *t)
{
	struct tunnel_stream *s;

	if (t->up_due)
		deliver_own(t);
	while ((s = TAILQ_FIRST(&t->ready)) != NULL)	/* only what comes in and what goes out makes more of them */
		tunnel_stream_deliver(s);
	deliver_own(t);
}

static bool
something_due(const struct tunnel *t)
{
	return !TAILQ_EMPTY(&t->ready) || (!t->freed && (t->ping_due || (t->closed_due && t->n_live == 0)));
}

void
tunnel_turn(struct tunnel *t)
{
	clock_timer_stop(t->soon);
	t->running++;
	receive(t);
	deliver(t);
	if (t->state < TUNNEL_ENDING)
		send_frames(t);
	judge(t);
	t->running--;
	if (something_due(t))
		tunnel_wake(t);
	tunnel_release(t);
}
