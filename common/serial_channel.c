/* serial_channel: the stream of one channel: go-back-N (serial_line.h). */
#include <stdlib.h>
#include <string.h>

#include "common/serial_impl.h"

#define RTO_FIRST_MS 200
#define BODY_LEAST 128		/* octets of a frame on a bad line */
#define BODY_STEP 64
#define SILENT_TRIES 5		/* the clock may have jumped: time alone is no silence */
#define PROBE_MS 500		/* a closed window is asked about: the ACK that opened it may be lost */

static void on_timer(void *arg);
static void arm(struct serial_channel *c);

enum rc
serial_channel_new(struct serial_line *l, uint8_t number, uint16_t session, enum serial_state state, struct serial_channel **out)
{
	struct serial_channel *c = calloc(1, sizeof *c);

	if (c == NULL || clock_timer_new(l->conf.clock, on_timer, c, &c->timer) != RC_OK) {
		free(c);
		return RC_NOMEM;
	}
	c->line = l;
	c->number = number;
	c->session = session;
	c->state = state;
	c->edge = c->told = SERIAL_WINDOW;
	c->rto_ms = RTO_FIRST_MS;
	c->body_max = l->conf.body_max;
	c->heard_ms = c->mark_ms = clock_mono_ms(l->conf.clock);
	l->channels[number] = c;
	if (state == SERIAL_UP)
		arm(c);
	*out = c;
	return RC_OK;
}

void
serial_channel_release(struct serial_channel *c)
{
	c->line->channels[c->number] = NULL;
	clock_timer_free(c->timer);
	free(c);
}

void
serial_channel_end(struct serial_channel *c, enum reason why, const char *detail)
{
	if (c->user.on_end != NULL)
		c->user.on_end(c->arg, c->state == SERIAL_CLOSING ? REASON_NONE : why, detail);
	serial_channel_release(c);
}

void
serial_channel_free(struct serial_channel *c, enum serial_close why)
{
	const uint8_t body = (uint8_t)why;

	if (c == NULL)
		return;
	serial_line_put(c->line, SERIAL_CLOSE, c->number, c->session, 0, span_of(&body, 1));
	serial_channel_release(c);
}

void
serial_channel_set_user(struct serial_channel *c, const struct serial_user *user, void *arg)
{
	c->user = *user;
	c->arg = arg;
}

unsigned
serial_channel_number(const struct serial_channel *c)
{
	return c->number;
}

size_t
serial_channel_unacked(const struct serial_channel *c)
{
	size_t n = 0;

	for (uint8_t seq = c->acked; seq != c->cut; seq++)
		n += c->slots[seq % SERIAL_WINDOW].n;
	return n;
}

/* --- time: one timer, which is not set anew for each frame but looks again when it fires too early */

static int64_t
deadline(const struct serial_channel *c)
{
	if (c->marked)
		return c->looked_ms + c->rto_ms;
	return c->mark_ms + (serial_ahead(c->edge, c->cut) <= 0 ? PROBE_MS : SERIAL_IDLE_MS);
}

static void
arm(struct serial_channel *c)
{
	int64_t at = deadline(c), now;

	if (clock_timer_armed(c->timer) && c->timer_ms <= at)
		return;
	now = clock_mono_ms(c->line->conf.clock);
	c->timer_ms = at;
	clock_timer_set(c->timer, at > now ? at - now : 0);
}

/*
 * The PING, or OPEN, is unanswered: has it left, and been gone long enough for an answer? As long as the other end sends at all, the
 * answer may stand behind what waits to leave there: as much as here, and as much again that left before the PING was there.
 */
static bool
overdue(struct serial_channel *c)
{
	struct serial_line *l = c->line;
	bool here = l->octets < c->mark_at + l->ops->backlog(l->ctx), left = !here && c->lingered, coming;

	if (here || left)
		c->in_at = l->octets_in;
	coming = c->in_seen != l->octets_in && l->octets_in - c->in_at < 2 * l->conf.room;
	c->lingered = here;
	c->in_seen = l->octets_in;
	return !here && !left && !coming;
}

static void
on_timer(void *arg)
{
	struct serial_channel *c = arg;
	int64_t now = clock_mono_ms(c->line->conf.clock);

	if (now < deadline(c)) {
		arm(c);
		return;
	}
	if (c->marked) {
		if (c->state != SERIAL_OPENING && now - c->heard_ms >= SERIAL_SILENT_MS && c->unheard >= SILENT_TRIES) {
			serial_channel_end(c, REASON_LINK_SERIAL_SILENT, "no answer");
			return;
		}
		if (!overdue(c)) {
			c->unheard += c->lingered;
			c->looked_ms = now;
			arm(c);
			return;
		}
		c->unheard++;
		c->rto_ms = 2 * c->rto_ms < SERIAL_RTO_MAX_MS ? 2 * c->rto_ms : SERIAL_RTO_MAX_MS;
		c->marked = false;
		c->next = c->acked;
	}
	c->sent = true;			/* so that PING goes out in any case */
	c->line->ops->wake(c->line->ctx);
}

/* RFC 6298 2, with the smallest and largest times of U6. */
static void
measure(struct serial_channel *c)
{
	int64_t r = clock_mono_ms(c->line->conf.clock) - c->mark_ms, error;

	if (!c->measured) {
		c->measured = true;
		c->srtt_ms8 = 8 * r;
		c->rttvar_ms4 = 2 * r;
	} else {
		error = r - c->srtt_ms8 / 8;
		c->srtt_ms8 += error;
		c->rttvar_ms4 += (error < 0 ? -error : error) - c->rttvar_ms4 / 4;
	}
	c->rto_ms = c->srtt_ms8 / 8 + (c->rttvar_ms4 > 1 ? c->rttvar_ms4 : 1);
	if (c->rto_ms < SERIAL_RTO_MIN_MS)
		c->rto_ms = SERIAL_RTO_MIN_MS;
	if (c->rto_ms > SERIAL_RTO_MAX_MS)
		c->rto_ms = SERIAL_RTO_MAX_MS;
}

/* --- sending */

/* What follows in the stream, if there is something and the other end takes it. CLOSE needs no room there. */
static bool
cut(struct serial_channel *c)
{
	struct serial_slot *s = &c->slots[c->cut % SERIAL_WINDOW];

	if (c->close_cut || serial_ahead(c->cut, c->acked) >= SERIAL_WINDOW)
		return false;
	s->is_close = false;
	s->n = 0;
	if (serial_ahead(c->edge, c->cut) > 0)
		s->n = c->user.fill(c->arg, s->body, c->body_max);
	else if (c->state != SERIAL_CLOSING || c->user.fill(c->arg, NULL, 0) > 0)
		return false;
	if (s->n == 0) {
		if (c->state != SERIAL_CLOSING)
			return false;
		s->is_close = c->close_cut = true;
	}
	c->cut++;
	return true;
}

bool
serial_channel_send(struct serial_channel *c)
{
	const struct serial_slot *s;
	bool again = c->next != c->cut;

	if (c->state == SERIAL_OPENING || (!again && !cut(c)))
		return false;
	s = &c->slots[c->next % SERIAL_WINDOW];
	if (!s->is_close && serial_ahead(c->edge, c->next) <= 0)
		return false;			/* it took back what it had offered */
	c->line->stats.retransmitted += again;
	serial_line_put(c->line, s->is_close ? SERIAL_CLOSE : SERIAL_DATA, c->number, c->session, c->next, span_of(s->body, s->n));
	c->next++;
	c->sent = true;
	return true;
}

void
serial_channel_poll(struct serial_channel *c)
{
	struct serial_line *l = c->line;

	if (c->marked)
		return;
	c->sent = false;
	c->marked = true;
	c->mark++;
	c->mark_end = c->next;
	c->mark_ms = c->looked_ms = clock_mono_ms(l->conf.clock);
	c->in_at = c->in_seen = l->octets_in;
	c->lingered = false;
	if (c->state == SERIAL_OPENING)
		serial_line_put(l, SERIAL_OPEN, c->number, c->session, 0, span_of(c->open, sizeof c->open));
	else
		serial_line_put(l, SERIAL_PING, c->number, c->session, c->next, span_of(&c->mark, 1));
	c->mark_at = l->octets;
	arm(c);
}

static uint8_t
window(const struct serial_channel *c)
{
	size_t n = c->user.room(c->arg);

	if (n > 0 && n < SERIAL_BODY_MAX)
		return 1;		/* may go beyond by a part of a frame */
	return (uint8_t)(n / SERIAL_BODY_MAX < SERIAL_WINDOW ? n / SERIAL_BODY_MAX : SERIAL_WINDOW);
}

void
serial_channel_send_ack(struct serial_channel *c)
{
	const uint8_t body[] = { window(c), c->their_mark };

	c->ack_due = false;
	c->told = (uint8_t)(c->want + body[0]);
	serial_line_put(c->line, SERIAL_ACK, c->number, c->session, c->want, span_of(body, sizeof body));
}

/* A window that was nearly closed and is open again has to be told. */
void
serial_channel_wake(struct serial_channel *c)
{
	int known = serial_ahead(c->told, c->want);

	if (c->state != SERIAL_OPENING && known <= SERIAL_WINDOW / 2 && window(c) > known)
		c->ack_due = true;
	c->line->ops->wake(c->line->ctx);
}

void
serial_channel_close(struct serial_channel *c)
{
	c->state = SERIAL_CLOSING;
	c->line->ops->wake(c->line->ctx);
}

/* --- what comes in */

/*
 * The PING arrived; has all that stood before it? If not, it is sent again at once, and in smaller frames from now on: on a line
 * that damages an octet now and then, long ones hardly ever arrive whole.
 */
static void
adapt(struct serial_channel *c, bool whole)
{
	size_t most = c->line->conf.body_max, n = c->body_max;

	if (!whole) {
		c->next = c->acked;
		c->line->bad_days = SERIAL_BAD_DAYS;
		n /= 2;
		c->body_max = n > BODY_LEAST ? n : BODY_LEAST < most ? BODY_LEAST : most;
	} else {
		c->body_max = n + BODY_STEP < most ? n + BODY_STEP : most;
	}
}

static void
take_ack(struct serial_channel *c, const struct serial_frame *f)
{
	if (f->body.n != 2 || f->body.p[0] > SERIAL_WINDOW || serial_ahead(f->seq, c->acked) < 0 || serial_ahead(f->seq, c->cut) > 0)
		return;
	c->acked = f->seq;
	if (serial_ahead(c->next, c->acked) < 0)
		c->next = c->acked;
	c->edge = (uint8_t)(f->seq + f->body.p[0]);
	if (c->marked && f->body.p[1] == c->mark) {
		c->marked = false;
		measure(c);
		adapt(c, serial_ahead(c->acked, c->mark_end) >= 0);
	}
	if (c->close_cut && c->acked == c->cut) {
		serial_channel_end(c, REASON_NONE, "closed");
		return;
	}
	arm(c);
	c->line->ops->wake(c->line->ctx);
}

/* In sequence: DATA, and the CLOSE behind it. */
static void
take_next(struct serial_channel *c, const struct serial_frame *f)
{
	int ahead = serial_ahead(f->seq, c->want);

	c->ack_due = true;
	if (ahead < 0)
		c->line->stats.duplicates++;
	if (ahead != 0 || (f->body.n > 0 && c->user.room(c->arg) == 0))
		return;
	c->want++;
	if (f->kind == SERIAL_CLOSE) {
		serial_channel_send_ack(c);
		serial_channel_end(c, REASON_NONE, "closed by the peer");
	} else if (f->body.n > 0) {
		c->user.on_data(c->arg, f->body);
	}
}

static void
take_reset(struct serial_channel *c, unsigned why)
{
	switch (why) {
	case SERIAL_CLOSE_FREED:
		serial_channel_end(c, REASON_NONE, "closed by the peer");
		break;
	case SERIAL_CLOSE_UNKNOWN:
		serial_channel_end(c, REASON_LINK_SERIAL_ANEW, "it does not know the channel");
		break;
	case SERIAL_CLOSE_REFUSED:
		serial_channel_end(c, REASON_LINK_UNREACHABLE, "the other end takes no channel: nobody listens, or it has enough");
		break;
	default:
		serial_channel_end(c, REASON_LINK_BROKEN, "reset by the peer");
		break;
	}
}

void
serial_channel_take(struct serial_channel *c, const struct serial_frame *f)
{
	c->heard_ms = clock_mono_ms(c->line->conf.clock);
	c->unheard = 0;
	if (f->kind == SERIAL_CLOSE && f->body.n > 0) {
		take_reset(c, f->body.p[0]);
		return;
	}
	if (c->state == SERIAL_OPENING) {
		if (f->kind != SERIAL_OPEN_OK)
			return;			/* a reply of OPEN was lost: what came first is sent again */
		c->state = SERIAL_UP;
		c->marked = false;
		c->rto_ms = RTO_FIRST_MS;
		c->user.on_open(c->arg);
		arm(c);
		c->line->ops->wake(c->line->ctx);
		return;
	}
	switch (f->kind) {
	case SERIAL_DATA:
	case SERIAL_CLOSE:
		take_next(c, f);
		break;
	case SERIAL_ACK:
		take_ack(c, f);
		break;
	case SERIAL_PING:
		if (f->body.n != 1)
			break;
		c->their_mark = f->body.p[0];
		c->ack_due = true;
		break;
	default:
		break;
	}
}
