/*
 * link_serial: a channel of a serial line as a link.
 *
 *	DIALLING ── UP ── CLOSING ── ENDED ── CLOSED
 *
 * The line's calls only note what is due; the device's work() tells it to users, one callback at a time: it may free any link.
 */
#include "common/link_serial.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/link_serial_int.h"
#include "common/log.h"

void
link_serial_ready(struct serial_link *l)
{
	if (!l->is_ready)
		TAILQ_INSERT_TAIL(&l->dev->ready, l, ready);
	l->is_ready = true;
	link_serial_dev_wake(l->dev);
}

/* It is over: on_closed soon. */
void
link_serial_end(struct serial_link *l, enum reason why, const char *fmt, ...)
{
	va_list ap;

	if (l->state >= SERIAL_LINK_ENDED)
		return;
	l->state = SERIAL_LINK_ENDED;
	clock_timer_stop(l->deadline);
	if (l->why == REASON_NONE) {
		l->why = l->deaf ? REASON_NONE : why;
		va_start(ap, fmt);
		vsnprintf(l->detail, sizeof l->detail, fmt, ap);
		va_end(ap);
	}
	link_serial_ready(l);
}

/* --- the channel's */

static void
on_open(void *arg)
{
	struct serial_link *l = arg;

	l->state = SERIAL_LINK_UP;
	l->up_due = true;
	clock_timer_stop(l->deadline);
	link_serial_ready(l);
}

static size_t
on_fill(void *arg, uint8_t *out, size_t cap)
{
	struct serial_link *l = arg;
	size_t waits = evbuffer_get_length(l->out), n = waits < cap ? waits : cap;

	if (cap == 0 || waits == 0)
		return waits;
	if (evbuffer_remove(l->out, out, n) != (int)n)
		return 0;
	if (n == waits) {
		l->drained_due = true;
		link_serial_ready(l);
	}
	return n;
}

static void
on_data(void *arg, struct span octets)
{
	struct serial_link *l = arg;

	if (l->deaf)
		return;
	if (evbuffer_add(l->in, octets.p, octets.n) != 0)
		log_fatal("link: out of memory");	/* the octets are acknowledged: they cannot be had again */
	l->data_due = true;
	link_serial_ready(l);
}

static size_t
on_room(void *arg)
{
	const struct serial_link *l = arg;
	size_t n = evbuffer_get_length(l->in);

	return l->deaf ? LINK_INPUT_LIMIT : n < l->limit ? l->limit - n : 0;
}

static void
on_end(void *arg, enum reason why, const char *detail)
{
	struct serial_link *l = arg;

	l->c = NULL;
	link_serial_end(l, why, "%s", detail);
}

const struct serial_user link_serial_user = { on_open, on_fill, on_data, on_room, on_end };

/* --- life */

static void
on_deadline(void *arg)
{
	struct serial_link *l = arg;

	serial_channel_free(l->c, l->state == SERIAL_LINK_CLOSING ? SERIAL_CLOSE_RESET : SERIAL_CLOSE_FREED);
	l->c = NULL;
	link_serial_end(l, REASON_LINK_SERIAL_SILENT, "no answer");
}

static void
free_with(struct serial_link *l, enum serial_close why)
{
	serial_channel_free(l->c, why);
	if (l->is_ready)
		TAILQ_REMOVE(&l->dev->ready, l, ready);
	LIST_REMOVE(l, all);
	link_serial_dev_wake(l->dev);
	clock_timer_free(l->deadline);
	evbuffer_free(l->in);
	evbuffer_free(l->out);
	free(l);
}

/* --- what is due */

/* With TLS at the other end its first octets are a record. The note tells it that we are plain. */
static void
refuse_tls(struct serial_link *l)
{
	static const char note[] = "this link is plain, without TLS\n";

	(void)evbuffer_add(l->out, note, sizeof note - 1);
	l->why = REASON_LINK_PEER_TLS;
	snprintf(l->detail, sizeof l->detail, "its first octets are a TLS record");
	l->deaf = true;
	if (l->c == NULL) {
		link_serial_end(l, l->why, "%s", l->detail);
		return;
	}
	l->state = SERIAL_LINK_CLOSING;
	serial_channel_close(l->c);
	clock_timer_set(l->deadline, LINK_CLOSE_TIMEOUT_MS);
}

static void
tell_data(struct serial_link *l)
{
	uint8_t first[2] = { 0, 0 };
	ev_ssize_t n = 0;
	int tls = 0;

	if (l->fresh && !l->tls_above && (n = evbuffer_copyout(l->in, first, sizeof first)) >= 0)
		tls = link_looks_like_tls(span_of(first, (size_t)n));
	if (tls < 0)
		return;			/* too early to tell */
	l->fresh = false;
	if (tls > 0)
		refuse_tls(l);
	else if (l->base.cb.on_data != NULL)
		l->base.cb.on_data(&l->base, l->base.arg);
}

static void
tell_closed(struct serial_link *l)
{
	if (!l->deaf && evbuffer_get_length(l->in) >= l->limit)
		return;			/* the end follows what is not read yet: link_drain() */
	l->state = SERIAL_LINK_CLOSED;
	if (l->base.cb.on_closed != NULL)
		l->base.cb.on_closed(&l->base, l->why, l->detail, l->base.arg);
}

void
link_serial_tell(struct serial_link *l)
{
	bool accept = l->accept_due, up = !accept && l->up_due, data = !accept && !up && l->data_due && !l->deaf;
	bool drained = !accept && !up && !data && l->drained_due;

	l->accept_due = l->accept_due && !accept;
	l->up_due = l->up_due && !up;
	l->data_due = l->data_due && !data && !l->deaf;
	l->drained_due = l->drained_due && !drained;
	if ((accept || up || data || drained) && (l->up_due || l->data_due || l->drained_due || l->state == SERIAL_LINK_ENDED))
		link_serial_ready(l);
	if (accept) {
		link_serial_accepted(l);
	} else if (up) {
		/* ENDED: it came up, and is over already; what it said is told between */
		if (!l->deaf && l->base.cb.on_up != NULL)
			l->base.cb.on_up(&l->base, l->base.arg);
	} else if (data) {
		tell_data(l);
	} else if (drained) {
		if (l->state == SERIAL_LINK_UP && l->base.cb.on_drained != NULL)
			l->base.cb.on_drained(&l->base, l->base.arg);
	} else if (l->state == SERIAL_LINK_ENDED) {
		tell_closed(l);
	}
}

/* --- what users call; none calls back */

static struct span
serial_input(struct link *base)
{
	struct serial_link *l = (struct serial_link *)base;
	size_t n = evbuffer_get_length(l->in);

	return (struct span){ n > 0 ? evbuffer_pullup(l->in, -1) : NULL, n };
}

/* There may be room again. */
static void
room_again(struct serial_link *l)
{
	if (l->c != NULL)
		serial_channel_wake(l->c);
	else if (l->state == SERIAL_LINK_ENDED)
		link_serial_ready(l);
}

static void
serial_drain(struct link *base, size_t n)
{
	struct serial_link *l = (struct serial_link *)base;

	evbuffer_drain(l->in, n);
	room_again(l);
}

static void
serial_set_input_limit(struct link *base, size_t n)
{
	struct serial_link *l = (struct serial_link *)base;

	l->limit = n;
	room_again(l);
}

static enum rc
serial_write(struct link *base, struct span octets)
{
	struct serial_link *l = (struct serial_link *)base;

	if (l->state != SERIAL_LINK_UP && !(l->state == SERIAL_LINK_DIALLING && l->tls_above))
		return RC_STATE;
	if (octets.n > LINK_UNSENT_MAX || evbuffer_get_length(l->out) > LINK_UNSENT_MAX - octets.n)
		return RC_LIMIT;
	if (octets.n > 0 && evbuffer_add(l->out, octets.p, octets.n) != 0)
		return RC_NOMEM;
	if (l->c != NULL)
		serial_channel_wake(l->c);
	return RC_OK;
}

static size_t
serial_unsent(const struct link *base)
{
	return evbuffer_get_length(((const struct serial_link *)base)->out);
}

static void
serial_close(struct link *base)
{
	struct serial_link *l = (struct serial_link *)base;

	if (l->state >= SERIAL_LINK_CLOSING)
		return;
	l->deaf = true;
	if (l->state == SERIAL_LINK_UP && l->c != NULL) {
		l->state = SERIAL_LINK_CLOSING;
		clock_timer_set(l->deadline, LINK_CLOSE_TIMEOUT_MS);
		serial_channel_close(l->c);
		return;
	}
	serial_channel_free(l->c, SERIAL_CLOSE_FREED);
	l->c = NULL;
	link_serial_end(l, REASON_NONE, "closed");
}

static void
serial_tls_above(struct link *base)
{
	((struct serial_link *)base)->tls_above = true;
}

static void
serial_free(struct link *base)
{
	free_with((struct serial_link *)base, SERIAL_CLOSE_FREED);
}

static void
serial_reset(struct link *base)
{
	free_with((struct serial_link *)base, SERIAL_CLOSE_RESET);
}

static void
serial_peer(const struct link *base, struct link_peer *out)
{
	const struct serial_link *l = (const struct serial_link *)base;

	snprintf(out->address, sizeof out->address, "serial:%.*s#%u", (int)sizeof out->address - 12, l->dev->path, l->number);
	snprintf(out->local, sizeof out->local, "serial:%.*s", (int)sizeof out->local - 8, l->dev->path);
	out->loopback = true;		/* what is at the other end of a cable is as near as what is on this host (K11) */
}

static const struct link_ops serial_ops = {
	.input = serial_input,
	.drain = serial_drain,
	.set_input_limit = serial_set_input_limit,
	.write = serial_write,
	.unsent = serial_unsent,
	.close = serial_close,
	.tls_above = serial_tls_above,
	.free = serial_free,
	.reset = serial_reset,
	.peer = serial_peer,
};

enum rc
link_serial_new(struct serial_dev *d, struct serial_link **out)
{
	struct serial_link *l = calloc(1, sizeof *l);

	if (l == NULL)
		return RC_NOMEM;
	l->base.ops = &serial_ops;
	l->in = evbuffer_new();
	l->out = evbuffer_new();
	if (l->in == NULL || l->out == NULL || clock_timer_new(d->net->clock, on_deadline, l, &l->deadline) != RC_OK) {
		if (l->in != NULL)
			evbuffer_free(l->in);
		if (l->out != NULL)
			evbuffer_free(l->out);
		free(l);
		return RC_NOMEM;
	}
	l->dev = d;
	l->limit = LINK_INPUT_LIMIT;
	l->fresh = true;
	LIST_INSERT_HEAD(&d->links, l, all);
	*out = l;
	return RC_OK;
}

void
link_serial_set_channel(struct serial_link *l, struct serial_channel *c)
{
	l->c = c;
	l->number = serial_channel_number(c);
}
