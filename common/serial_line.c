#include "common/serial_line.h"

#include <stdlib.h>
#include <string.h>

#include "common/serial_impl.h"

enum rc
serial_line_new(const struct serial_line_ops *ops, void *ctx, const struct serial_line_conf *conf, struct serial_line **out)
{
	struct serial_line *l = calloc(1, sizeof *l);

	if (l == NULL)
		return RC_NOMEM;
	l->ops = ops;
	l->ctx = ctx;
	l->conf = *conf;
	*out = l;
	return RC_OK;
}

void
serial_line_free(struct serial_line *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < SERIAL_CHANNELS; i++)
		if (l->channels[i] != NULL)
			serial_channel_release(l->channels[i]);
	free(l);
}

void
serial_line_put(struct serial_line *l, enum serial_kind kind, uint8_t channel, uint16_t session, uint8_t seq, struct span body)
{
	const struct serial_frame f = { l->conf.listener, kind, channel, session, seq, body };
	uint8_t wire[SERIAL_WIRE_MAX];
	size_t n = serial_frame_print(&f, wire);
	bool twice = l->bad_days > 0 && (kind == SERIAL_ACK || kind == SERIAL_PING);

	l->bad_days -= twice;
	for (int i = 0; i <= twice; i++) {
		l->octets += n;
		l->stats.frames_out++;
		l->ops->write(l->ctx, span_of(wire, n));
	}
}

static void
put_close(struct serial_line *l, uint8_t channel, uint16_t session, enum serial_close why)
{
	const uint8_t body = (uint8_t)why;

	serial_line_put(l, SERIAL_CLOSE, channel, session, 0, span_of(&body, 1));
}

/* --- what comes in */

/* Of no channel. Its sender learns at once that nobody listens to it, but not once per frame of a burst. */
static void
stray(struct serial_line *l, const struct serial_frame *f)
{
	l->stats.strays++;
	if (f->kind == SERIAL_CLOSE || l->stray == f->session)
		return;
	l->stray = f->session;
	put_close(l, f->channel, f->session, SERIAL_CLOSE_UNKNOWN);
}

static void
take_open(struct serial_line *l, const struct serial_frame *f)
{
	struct serial_channel *c = l->channels[f->channel];

	if (!l->conf.listener || f->session == 0 || f->body.n != sizeof c->open || f->body.p[0] != SERIAL_VERSION) {
		put_close(l, f->channel, f->session, SERIAL_CLOSE_REFUSED);
		return;
	}
	if (c != NULL && c->session == f->session && memcmp(c->open, f->body.p, sizeof c->open) == 0) {
		serial_line_put(l, SERIAL_OPEN_OK, c->number, c->session, 0, span_of(NULL, 0));
		return;
	}
	if (c != NULL)
		serial_channel_end(c, REASON_LINK_SERIAL_ANEW, "it opened the channel again");
	if (serial_channel_new(l, f->channel, f->session, SERIAL_UP, &c) != RC_OK) {
		put_close(l, f->channel, f->session, SERIAL_CLOSE_REFUSED);
		return;
	}
	memcpy(c->open, f->body.p, sizeof c->open);
	if (l->ops->accept(l->ctx, c) != RC_OK) {
		serial_channel_free(c, SERIAL_CLOSE_REFUSED);
		return;
	}
	serial_line_put(l, SERIAL_OPEN_OK, c->number, c->session, 0, span_of(NULL, 0));
}

/* The other end has begun anew: what is open there is what we are about to open. */
static void
all_over(struct serial_line *l)
{
	for (size_t i = 0; i < SERIAL_CHANNELS; i++)
		if (l->channels[i] != NULL && l->channels[i]->state != SERIAL_OPENING)
			serial_channel_end(l->channels[i], REASON_LINK_SERIAL_ANEW, "it began again");
}

void
serial_line_input(struct serial_line *l, struct span octets)
{
	struct serial_channel *c;
	struct serial_frame f;

	if (l->bad != l->decoder.bad)
		l->bad_days = SERIAL_BAD_DAYS;
	l->bad = l->decoder.bad;
	l->octets_in += octets.n;
	while (serial_decoder_next(&l->decoder, &octets, &f)) {
		l->stats.frames_in++;
		c = l->channels[f.channel];
		if (f.listener == l->conf.listener)
			l->stats.echoes++;
		else if (f.kind == SERIAL_OPEN)
			take_open(l, &f);
		else if (f.kind == SERIAL_CLOSE && f.session == 0)
			all_over(l);
		else if (c == NULL || c->session != f.session)
			stray(l, &f);
		else
			serial_channel_take(c, &f);
	}
}

/* --- what goes out */

bool
serial_line_turn(struct serial_line *l)
{
	bool more = true, full = false;
	struct serial_channel *c;

	l->stray = 0;
	for (size_t i = 0; i < SERIAL_CHANNELS; i++)
		if (l->channels[i] != NULL && l->channels[i]->ack_due)
			serial_channel_send_ack(l->channels[i]);
	while (more && !full) {		/* a frame of each in turn */
		more = false;
		for (size_t i = 0; i < SERIAL_CHANNELS && !full; i++) {
			c = l->channels[(l->turn_from + i) % SERIAL_CHANNELS];
			full = l->ops->backlog(l->ctx) >= l->conf.room;
			if (full)
				l->turn_from = (l->turn_from + i) % SERIAL_CHANNELS;
			else if (c != NULL && serial_channel_send(c))
				more = true;
		}
	}
	for (size_t i = 0; i < SERIAL_CHANNELS; i++)
		if (l->channels[i] != NULL && l->channels[i]->sent)
			serial_channel_poll(l->channels[i]);
	return full;
}

void
serial_line_down(struct serial_line *l, enum reason why, const char *detail)
{
	l->decoder.n = 0;
	l->decoder.escaped = l->decoder.damaged = false;
	for (size_t i = 0; i < SERIAL_CHANNELS; i++)
		if (l->channels[i] != NULL)
			serial_channel_end(l->channels[i], why, detail);
}

void
serial_line_begin(struct serial_line *l)
{
	put_close(l, 0, 0, SERIAL_CLOSE_BEGUN);
}

void
serial_line_get_stats(const struct serial_line *l, struct serial_stats *out)
{
	*out = l->stats;
	out->bad = l->decoder.bad;
}

size_t
serial_line_channels(const struct serial_line *l)
{
	size_t n = 0;

	for (size_t i = 0; i < SERIAL_CHANNELS; i++)
		n += l->channels[i] != NULL;
	return n;
}

/* --- opening */

enum rc
serial_channel_open(struct serial_line *l, const struct serial_user *user, void *arg, struct serial_channel **out)
{
	struct serial_channel *c;
	uint8_t number = 0, r[2 + SERIAL_NONCE_LEN];
	uint16_t session;
	enum rc rc;

	while (number < SERIAL_CHANNELS && l->channels[number] != NULL)
		number++;
	if (number == SERIAL_CHANNELS)
		return RC_LIMIT;
	if ((rc = rnd_bytes(l->conf.rnd, r, sizeof r)) != RC_OK)
		return rc;
	session = (uint16_t)(r[0] << 8 | r[1]);
	if (session == 0)
		session = 1;
	if ((rc = serial_channel_new(l, number, session, SERIAL_OPENING, &c)) != RC_OK)
		return rc;
	c->open[0] = SERIAL_VERSION;
	memcpy(c->open + 1, r + 2, SERIAL_NONCE_LEN);
	serial_channel_set_user(c, user, arg);
	c->sent = true;			/* OPEN goes where a PING would */
	l->ops->wake(l->ctx);
	*out = c;
	return RC_OK;
}
