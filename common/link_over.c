/*
 * link_over: a link whose octets are TLS on another link, the inner one.
 *
 *	HANDSHAKE ── UP ── CLOSING ── ENDED ── CLOSED
 *
 * What an event brings about is noted as due, and told one callback at a time, as the last thing done: it may free the link.
 * ENDED waits for the inner link's own end, so that an alert or close_notify leaves before our user frees everything.
 */
#include "common/link_over.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link_impl.h"
#include "common/link_tls.h"
#include "common/tunnel_buf.h"

#define INNER_LIMIT (256 * 1024)
#define RECORD_OVERHEAD 64	/* more than a record's header, padding and tag */

enum over_state { OVER_HANDSHAKE, OVER_UP, OVER_CLOSING, OVER_ENDED, OVER_CLOSED };

struct over {
	struct link base;
	struct link *inner;
	struct link_tls_conn *conn;
	enum over_state state;
	bool half_open;
	bool inner_gone;		/* it said on_closed */
	bool eof_in, shut;		/* close_notify: the peer's, ours */
	bool full;			/* the user has limit octets waiting; the rest waits in the inner link */
	bool up_due, data_due, eof_due, closed_due;
	uint8_t *plain;			/* cap octets; n of them, from start on, wait for the user */
	size_t start, n, cap, limit;
	bool gathering;
	struct tunnel_buf records;	/* of one write: they leave together */
	enum reason why;
	char detail[200];
	struct clock_timer *deadline;	/* of the handshake */
	struct clock_timer *soon;	/* what must not happen inside a call */
};

/* --- what is due */

static void
end(struct over *l, enum reason why, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
end(struct over *l, enum reason why, const char *fmt, ...)
{
	va_list ap;

	if (l->state >= OVER_ENDED)
		return;
	l->why = l->state == OVER_CLOSING ? REASON_NONE : why;	/* its user has said goodbye already */
	l->state = OVER_ENDED;
	va_start(ap, fmt);
	vsnprintf(l->detail, sizeof l->detail, fmt, ap);
	va_end(ap);
	clock_timer_stop(l->deadline);
	l->closed_due = l->inner_gone;
	if (!l->inner_gone)
		link_close(l->inner);
}

/* Both ends have said that they send no more, and all that came is read. */
static void
settle(struct over *l)
{
	if (l->state == OVER_UP && l->half_open && l->eof_in && !l->data_due && !l->eof_due && l->n == 0 && (l->shut || l->inner_gone))
		end(l, REASON_NONE, "closed by the peer");
}

/* The next callback; it may free the link. */
static void
tell(struct over *l)
{
	const struct link_cb *cb = &l->base.cb;
	bool up, data, eof;

	settle(l);
	up = l->up_due;
	data = !up && l->data_due;
	eof = !up && !data && l->eof_due;
	l->up_due = false;
	l->data_due = l->data_due && !data;
	l->eof_due = l->eof_due && !eof;
	if ((up || data || eof) && (l->data_due || l->eof_due || l->closed_due || l->eof_in))
		clock_timer_set(l->soon, 0);
	if (up && cb->on_up != NULL) {
		cb->on_up(&l->base, l->base.arg);
	} else if (data && cb->on_data != NULL) {
		cb->on_data(&l->base, l->base.arg);
	} else if (eof && cb->on_eof != NULL) {
		cb->on_eof(&l->base, l->base.arg);
	} else if (!up && !data && !eof && l->closed_due) {
		l->closed_due = false;
		l->state = OVER_CLOSED;
		if (cb->on_closed != NULL)
			cb->on_closed(&l->base, l->why, l->detail, l->base.arg);
	}
}

/* --- octets in */

/* Room for one more record behind what waits. */
static bool
make_room(struct over *l)
{
	uint8_t *p;

	if (l->cap - l->start - l->n >= LINK_TLS_PIECE)
		return true;
	if (l->start > 0) {
		memmove(l->plain, l->plain + l->start, l->n);
		l->start = 0;
	}
	if (l->cap - l->n >= LINK_TLS_PIECE)
		return true;
	if ((p = realloc(l->plain, l->cap + 2 * LINK_TLS_PIECE)) == NULL)
		return false;
	l->plain = p;
	l->cap += 2 * LINK_TLS_PIECE;
	return true;
}

/* Up to limit octets of what is in. */
static enum link_tls_state
take(struct over *l, size_t limit)
{
	enum link_tls_state s = l->state == OVER_UP ? LINK_TLS_OPEN : LINK_TLS_HANDSHAKE;
	struct span in, from;
	size_t got;

	in = from = link_input(l->inner);
	do {
		l->full = s == LINK_TLS_OPEN && l->n >= limit;
		if (l->full)
			break;
		if (!make_room(l)) {
			end(l, REASON_INTERNAL, "out of memory");
			break;
		}
		s = link_tls_conn_read(l->conn, &from, l->plain + l->start + l->n, l->cap - l->start - l->n, &got);
		l->n += got;
	} while (got > 0 && s == LINK_TLS_OPEN);
	link_drain(l->inner, in.n - from.n);
	return s;
}

static void
pump(struct over *l, size_t limit)
{
	size_t before = l->n;
	enum link_tls_state s;
	const char *detail;
	enum reason why;

	if (l->state > OVER_UP || l->eof_in)
		return;
	s = take(l, limit);
	if (l->state == OVER_HANDSHAKE && (s == LINK_TLS_OPEN || s == LINK_TLS_ENDED)) {
		l->state = OVER_UP;
		clock_timer_stop(l->deadline);
		l->up_due = true;
	}
	if (l->n > before)
		l->data_due = true;
	if (s == LINK_TLS_FAILED) {
		why = link_tls_conn_why(l->conn, &detail);
		end(l, why, "%s", detail);
	} else if (s == LINK_TLS_ENDED) {
		l->eof_in = true;
		l->eof_due = l->half_open;
		if (!l->half_open) {
			link_tls_conn_close(l->conn);	/* the peer may wait for it */
			end(l, REASON_NONE, "closed by the peer");
		}
	}
}

static void
on_inner_data(struct link *inner, void *arg)
{
	struct over *l = arg;

	(void)inner;
	pump(l, l->limit);
	tell(l);
}

static void
on_inner_drained(struct link *inner, void *arg)
{
	struct over *l = arg;

	(void)inner;
	if (l->state == OVER_UP && l->base.cb.on_drained != NULL)
		l->base.cb.on_drained(&l->base, l->base.arg);
}

static void
on_inner_closed(struct link *inner, enum reason why, const char *detail, void *arg)
{
	struct over *l = arg;

	(void)inner;
	l->inner_gone = true;
	if (l->state == OVER_UP && link_input(l->inner).n > 0)
		pump(l, SIZE_MAX);	/* what the user had no room for */
	if (l->state == OVER_ENDED)
		l->closed_due = true;
	else if (l->state == OVER_HANDSHAKE)
		end(l, why == REASON_NONE ? REASON_LINK_BROKEN : why, "%s during the TLS handshake", detail);
	else if (!l->eof_in)
		end(l, why == REASON_NONE ? REASON_LINK_BROKEN : why, "%s without close_notify", detail);
	tell(l);
}

static void
on_deadline(void *arg)
{
	struct over *l = arg;

	end(l, REASON_LINK_TIMEOUT, "no TLS handshake");
	tell(l);
}

static void
on_soon(void *arg)
{
	struct over *l = arg;

	if (!l->inner_gone)
		pump(l, l->limit);
	tell(l);
}

/* --- what the user calls; none calls back */

static struct span
over_input(struct link *base)
{
	struct over *l = (struct over *)base;

	return (struct span){ l->n > 0 ? l->plain + l->start : NULL, l->n };
}

static void
over_drain(struct link *base, size_t n)
{
	struct over *l = (struct over *)base;

	if (n > l->n)
		n = l->n;
	l->start += n;
	l->n -= n;
	if (l->n == 0)
		l->start = 0;
	if (l->full || l->eof_in)
		clock_timer_set(l->soon, 0);
}

static void
over_set_input_limit(struct link *base, size_t n)
{
	struct over *l = (struct over *)base;

	l->limit = n;
	clock_timer_set(l->soon, 0);
}

static enum rc
over_write(struct link *base, struct span octets)
{
	struct over *l = (struct over *)base;
	size_t unsent;
	enum rc rc;

	if (l->state != OVER_UP || l->shut || l->inner_gone)
		return RC_STATE;
	unsent = link_unsent(l->inner);
	if (octets.n > LINK_UNSENT_MAX || octets.n + (octets.n / LINK_TLS_PIECE + 1) * RECORD_OVERHEAD > LINK_UNSENT_MAX - unsent)
		return RC_LIMIT;	/* before half of it is said */
	l->gathering = true;
	rc = link_tls_conn_write(l->conn, octets);
	l->gathering = false;
	if (rc == RC_OK)
		rc = link_write(l->inner, tunnel_buf_span(&l->records));
	tunnel_buf_drain(&l->records, l->records.n);
	return rc;
}

static size_t
over_unsent(const struct link *base)
{
	const struct over *l = (const struct over *)base;

	return l->inner_gone ? 0 : link_unsent(l->inner);
}

static void
over_close(struct link *base)
{
	struct over *l = (struct over *)base;

	if (l->state >= OVER_CLOSING)
		return;
	if (l->state == OVER_UP && !l->shut && !l->inner_gone)
		link_tls_conn_close(l->conn);
	l->state = OVER_CLOSING;
	l->up_due = l->data_due = l->eof_due = false;
	end(l, REASON_NONE, "closed");
	clock_timer_set(l->soon, 0);
}

static enum rc
over_shutdown(struct link *base)
{
	struct over *l = (struct over *)base;

	if (!l->half_open || l->state != OVER_UP || l->shut)
		return RC_STATE;
	l->shut = true;
	if (!l->inner_gone)
		link_tls_conn_close(l->conn);
	clock_timer_set(l->soon, 0);
	return RC_OK;
}

static bool
over_at_eof(const struct link *base)
{
	const struct over *l = (const struct over *)base;

	return l->eof_in && !l->eof_due;
}

static void
over_free_with(struct over *l, void (*inner_free)(struct link *inner))
{
	inner_free(l->inner);
	link_tls_conn_free(l->conn);
	clock_timer_free(l->deadline);
	clock_timer_free(l->soon);
	if (l->plain != NULL)
		OPENSSL_cleanse(l->plain, l->cap);
	free(l->plain);
	tunnel_buf_reset(&l->records);
	free(l);
}

static void
over_free(struct link *base)
{
	over_free_with((struct over *)base, link_free);
}

static void
over_reset(struct link *base)
{
	over_free_with((struct over *)base, link_reset);
}

static void
over_peer(const struct link *base, struct link_peer *out)
{
	const struct over *l = (const struct over *)base;

	link_get_peer(l->inner, out);
	link_tls_conn_peer(l->conn, out);
}

static const struct link_ops over_ops = {
	.input = over_input,
	.drain = over_drain,
	.set_input_limit = over_set_input_limit,
	.write = over_write,
	.unsent = over_unsent,
	.close = over_close,
	.shutdown = over_shutdown,
	.at_eof = over_at_eof,
	.reset = over_reset,
	.free = over_free,
	.peer = over_peer,
};

/* --- birth */

static enum rc
put_inner(void *arg, struct span octets)
{
	struct over *l = arg;

	if (l->inner_gone)
		return RC_STATE;
	return l->gathering ? tunnel_buf_add(&l->records, octets) : link_write(l->inner, octets);
}

enum rc
link_over(struct link *inner, struct clock *clock, const struct link_over_conf *conf, const struct link_cb *cb, void *arg,
    struct link **out)
{
	static const struct link_cb inner_cb = {
		.on_data = on_inner_data,
		.on_drained = on_inner_drained,
		.on_closed = on_inner_closed,
	};
	struct over *l = calloc(1, sizeof *l);
	const struct link_tls_wire wire = { put_inner, l };
	enum rc rc = RC_NOMEM;

	if (l == NULL) {
		link_free(inner);
		return RC_NOMEM;
	}
	l->base.ops = &over_ops;
	l->inner = inner;
	l->half_open = conf->half_open;
	l->limit = LINK_INPUT_LIMIT;
	if (clock_timer_new(clock, on_deadline, l, &l->deadline) != RC_OK || clock_timer_new(clock, on_soon, l, &l->soon) != RC_OK)
		goto fail;
	if (conf->psk != NULL)
		rc = link_tls_conn_new_psk(conf->psk, conf->server, &wire, &l->conn);
	else
		rc = link_tls_conn_new(conf->tls, conf->server, conf->tls_name, &wire, &l->conn);
	if (rc != RC_OK)
		goto fail;
	link_set_cb(&l->base, cb, arg);
	link_set_cb(inner, &inner_cb, l);
	if (inner->ops->tls_above != NULL)
		inner->ops->tls_above(inner);
	link_set_input_limit(inner, INNER_LIMIT);
	clock_timer_set(l->deadline, conf->handshake_ms != 0 ? conf->handshake_ms : LINK_CONNECT_TIMEOUT_MS);
	clock_timer_set(l->soon, 0);		/* the client's hello; octets that are in already */
	*out = &l->base;
	return RC_OK;
fail:
	over_free(&l->base);
	return rc;
}
