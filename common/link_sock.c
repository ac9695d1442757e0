/*
 * link_sock: a link on a socket: a bufferevent, and TLS between it and the user if asked for.
 *
 *	DIAL ─────────┐                     (connecting: link_dial.c)
 *	              ├─ HANDSHAKE ─┐
 *	PEEK ─────────┘             ├─ UP ── CLOSING ── ENDED ── CLOSED
 *	(accepting: link_accept.c) ─┘
 *
 * Each event ends in at most one callback of the user, as the last thing done: it may free the link.
 */
#include "common/link_sock.h"

#include <errno.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/clock.h"
#include "common/log.h"

#define LAST_WORDS_MS 2000
#define WRITE_AT_ONCE (256 * 1024)

/* --- life */

static void on_deadline(void *arg);
static void on_soon(void *arg);
static void on_event(struct bufferevent *raw, short what, void *arg);

enum rc
link_sock_new(struct link_sock_net *net, struct link_sock **out)
{
	struct link_sock *l = calloc(1, sizeof *l);

	if (l == NULL)
		return RC_NOMEM;
	if (clock_timer_new(net->clock, on_deadline, l, &l->deadline) != RC_OK ||
	    clock_timer_new(net->clock, on_soon, l, &l->soon) != RC_OK || (l->plain = evbuffer_new()) == NULL) {
		clock_timer_free(l->deadline);
		clock_timer_free(l->soon);
		free(l);
		return RC_NOMEM;
	}
	l->base.ops = &link_sock_ops;
	l->net = net;
	l->limit = LINK_INPUT_LIMIT;
	l->fresh = true;
	*out = l;
	return RC_OK;
}

void
link_sock_set_opaque(struct link_sock *l)
{
	l->fresh = false;
	l->opaque = true;
}

void
link_sock_free(struct link_sock *l)
{
	link_accept_leave(l);
	link_dial_free(l->dial);
	clock_timer_free(l->deadline);
	clock_timer_free(l->soon);
	link_tls_conn_free(l->conn);
	if (l->readable != NULL)
		event_free(l->readable);
	if (l->raw != NULL)
		bufferevent_free(l->raw);
	evbuffer_free(l->plain);
	tunnel_buf_reset(&l->run);
	free(l);
}

void
link_sock_end(struct link_sock *l, enum reason why, const char *fmt, ...)
{
	va_list ap;

	if (l->state >= LINK_SOCK_ENDED)
		return;
	if (l->state == LINK_SOCK_CLOSING)	/* its user has said goodbye already */
		why = REASON_NONE;
	l->state = LINK_SOCK_ENDED;
	l->why = why;
	va_start(ap, fmt);
	vsnprintf(l->detail, sizeof l->detail, fmt, ap);
	va_end(ap);
	clock_timer_stop(l->deadline);
	link_dial_free(l->dial);
	l->dial = NULL;
	if (l->raw != NULL) {
		if (l->readable != NULL)
			event_del(l->readable);
		link_linger(l->net, l->raw);		/* an alert may be waiting in it */
		l->raw = NULL;
	}
	clock_timer_set(l->soon, 0);
}

/* The last callback. An accepted link that was never up has no user: it is logged and freed here. */
static void
tell_closed(struct link_sock *l)
{
	l->state = LINK_SOCK_CLOSED;
	if (l->half) {
		if (l->why != REASON_NONE)
			log_reason(l->why, "link: peer=%s: %s", l->peer.address, l->detail);
		link_sock_free(l);
		return;
	}
	link_accept_leave(l);
	if (l->base.cb.on_closed != NULL)
		l->base.cb.on_closed(&l->base, l->why, l->detail, l->base.arg);
}

static void
tell_data(struct link_sock *l)
{
	if (l->base.cb.on_data != NULL)
		l->base.cb.on_data(&l->base, l->base.arg);
}

/* --- up */

/* ended: so did its peer, with the same octets. That, and what it said, is read in a turn of its own. */
static void
up(struct link_sock *l, bool ended)
{
	clock_timer_stop(l->deadline);
	l->state = LINK_SOCK_UP;
	if (l->conn != NULL)
		link_tls_conn_peer(l->conn, &l->peer);
	l->data_due = evbuffer_get_length(l->plain) > 0;
	if (l->data_due || ended)
		clock_timer_set(l->soon, 0);
	if (l->half)
		link_accept_up(l);
	else if (l->base.cb.on_up != NULL)
		l->base.cb.on_up(&l->base, l->base.arg);
}

/*
 * Reading stands still while the user has as much as it wants. By disabling it: at a high watermark alone libevent would call
 * the read callback again and again until somebody drains.
 */
void
link_sock_apply_limit(struct link_sock *l)
{
	if (l->raw == NULL || l->state > LINK_SOCK_UP || l->eof_in)
		return;
	if (l->readable != NULL) {
		l->full = l->run.n >= l->limit;
		if ((l->full ? event_del(l->readable) : event_add(l->readable, NULL)) != 0)
			link_sock_end(l, REASON_INTERNAL, "out of memory");
	} else if (l->full)
		bufferevent_disable(l->raw, EV_READ);
	else
		bufferevent_enable(l->raw, EV_READ);
}

static enum rc
put_raw(void *arg, struct span octets)
{
	struct link_sock *l = arg;

	return evbuffer_add(bufferevent_get_output(l->raw), octets.p, octets.n) == 0 ? RC_OK : RC_NOMEM;
}

/* All that the user wants of what is in; plain is *full then. Only OpenSSL says that a handshake is done. */
static enum link_tls_state
read_tls(struct link_sock *l)
{
	enum link_tls_state s = l->state == LINK_SOCK_UP ? LINK_TLS_OPEN : LINK_TLS_HANDSHAKE;
	struct evbuffer *in = bufferevent_get_input(l->raw);
	struct evbuffer_iovec v;
	struct span from;
	size_t n, got;

	do {
		n = evbuffer_get_contiguous_space(in);
		from = (struct span){ n > 0 ? evbuffer_pullup(in, (ev_ssize_t)n) : NULL, n };
		l->full = s == LINK_TLS_OPEN && evbuffer_get_length(l->plain) >= l->limit;
		if (l->full || evbuffer_reserve_space(l->plain, LINK_TLS_PIECE, &v, 1) != 1)
			return s;
		s = link_tls_conn_read(l->conn, &from, v.iov_base, v.iov_len, &got);
		v.iov_len = got;
		evbuffer_commit_space(l->plain, &v, 1);
		evbuffer_drain(in, n - from.n);
	} while (s <= LINK_TLS_OPEN && (got > 0 || n > 0));
	return s;
}

/* TLS takes what is in, and may be up by it. */
static void
pump(struct link_sock *l)
{
	enum link_sock_state was = l->state;
	size_t n = evbuffer_get_length(l->plain);
	enum link_tls_state s = read_tls(l);
	const char *detail;

	link_sock_apply_limit(l);
	if (s == LINK_TLS_FAILED) {
		enum reason why = link_tls_conn_why(l->conn, &detail);

		link_sock_end(l, why, "%s", detail);
	} else if (was == LINK_SOCK_HANDSHAKE && s != LINK_TLS_HANDSHAKE) {
		up(l, s == LINK_TLS_ENDED);
		return;
	} else if (s == LINK_TLS_ENDED && l->half_open) {
		link_sock_peer_sent_all(l);
	} else if (s == LINK_TLS_ENDED) {
		link_sock_end(l, REASON_NONE, "closed by the peer");
	}
	if (was == LINK_SOCK_UP && (l->data_due || evbuffer_get_length(l->plain) > n)) {
		l->data_due = false;
		tell_data(l);
	}
}

static void
handshake(struct link_sock *l)
{
	const struct link_tls_wire wire = { put_raw, l };

	if (link_tls_conn_new(l->tls, l->half, l->name[0] != '\0' ? l->name : NULL, &wire, &l->conn) != RC_OK) {
		link_sock_end(l, REASON_INTERNAL, "TLS could not be started");
		return;
	}
	l->state = LINK_SOCK_HANDSHAKE;
	pump(l);
}

/* A plain peer at a TLS link is told by an alert, which its plain link knows (looks_like_tls). */
static void
peek(struct link_sock *l)
{
	static const uint8_t alert[] = { LINK_RECORD_ALERT, 3, 3, 0, 2, 2, 70 };	/* fatal, protocol_version */
	uint8_t first;

	if (evbuffer_copyout(bufferevent_get_input(l->raw), &first, 1) != 1)
		return;
	if (first == LINK_RECORD_HANDSHAKE) {
		handshake(l);
		return;
	}
	bufferevent_write(l->raw, alert, sizeof alert);
	link_sock_end(l, REASON_LINK_PEER_PLAIN, "its first octet is %02x", first);
}

static void
read_plain(struct link_sock *l)
{
	static const char note[] = "this link is plain, without TLS\n";
	int tls = l->fresh ? link_looks_like_tls(tunnel_buf_span(&l->run)) : 0;

	if (tls < 0)
		return;
	l->fresh = false;
	link_sock_apply_limit(l);
	if (tls == 0) {
		tell_data(l);
		return;
	}
	bufferevent_write(l->raw, note, sizeof note - 1);
	link_sock_end(l, REASON_LINK_PEER_TLS, "its first octets are a TLS record");
}

/* --- events of the socket and of the timers */

/*
 * libevent reads 4 KiB at a time. Where that much came, much more mostly waits: it is read at once. An end or an error is left for
 * libevent to meet: only what the kernel says is there is read, since reading a reset would take it away.
 */
static void
read_more(struct link_sock *l)
{
	struct evbuffer *in = bufferevent_get_input(l->raw);
	int fd = bufferevent_getfd(l->raw), waits = 0;
	struct evbuffer_iovec v;
	ssize_t got;

	if (evbuffer_get_length(in) < LINK_SOCK_READ || ioctl(fd, FIONREAD, &waits) != 0 || waits <= 0)
		return;
	if (waits > LINK_SOCK_READ_MORE)
		waits = LINK_SOCK_READ_MORE;
	if (evbuffer_unfreeze(in, 0) != 0)
		return;
	if (evbuffer_reserve_space(in, waits, &v, 1) == 1) {
		got = recv(fd, v.iov_base, (size_t)waits, MSG_DONTWAIT);
		v.iov_len = got > 0 ? (size_t)got : 0;
		evbuffer_commit_space(in, &v, 1);
	}
	evbuffer_freeze(in, 0);
}

static void
on_read(struct bufferevent *raw, void *arg)
{
	struct link_sock *l = arg;

	(void)raw;
	read_more(l);
	if (l->state == LINK_SOCK_PEEK)
		peek(l);
	else if (l->conn != NULL && l->state <= LINK_SOCK_UP)
		pump(l);
}

/* Into the run, as much as the user wants; what says little at a time is asked first how much that is. */
static ssize_t
read_run(struct link_sock *l, int fd)
{
	size_t n = l->limit - l->run.n;
	int waits = 1;
	uint8_t *to;
	ssize_t got;

	if (!l->bulk && ioctl(fd, FIONREAD, &waits) == 0)
		n = waits < 1 ? 1 : (size_t)waits < n ? (size_t)waits : n;
	if (n > LINK_SOCK_READ_MORE)
		n = LINK_SOCK_READ_MORE;
	if (tunnel_buf_room(&l->run, n, &to) != RC_OK) {
		errno = ENOMEM;
		return -1;
	}
	got = recv(fd, to, n, MSG_DONTWAIT);
	l->bulk = l->opaque && got >= LINK_SOCK_READ;	/* who has shown no right to be here says as much once, and idles */
	if (got > 0)
		tunnel_buf_put(&l->run, (size_t)got);
	return got;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link_sock *l = arg;
	ssize_t got = read_run(l, fd);

	(void)what;
	if (got > 0) {
		read_plain(l);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		event_del(l->readable);
		on_event(l->raw, BEV_EVENT_READING | (got == 0 ? BEV_EVENT_EOF : BEV_EVENT_ERROR), l);
	}
}

static void
on_written(struct bufferevent *raw, void *arg)
{
	struct link_sock *l = arg;

	(void)raw;
	if (l->state == LINK_SOCK_UP && l->shut && !l->shut_done)
		link_sock_shut(l);
	if (l->state == LINK_SOCK_CLOSING)
		link_sock_end(l, REASON_NONE, "closed");
	else if (l->state == LINK_SOCK_UP && l->base.cb.on_drained != NULL)
		l->base.cb.on_drained(&l->base, l->base.arg);
}

static void
on_event(struct bufferevent *raw, short what, void *arg)
{
	struct link_sock *l = arg;
	const char *error = what & BEV_EVENT_EOF ? "closed by the peer" : evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR());

	(void)raw;
	/* what came with the end of the handshake is not read yet: it comes first, and this once more */
	if (what == (BEV_EVENT_EOF | BEV_EVENT_READING) && l->state == LINK_SOCK_UP && l->conn != NULL && !l->eof_in &&
	    clock_timer_armed(l->soon)) {
		pump(l);
		return;
	}
	/* a reset is told once, and writing may have met it: what reading finds then is not the peer's end of sending */
	if (what == (BEV_EVENT_EOF | BEV_EVENT_READING) && l->state == LINK_SOCK_UP && l->half_open && l->write_failed && !l->eof_in) {
		link_sock_end(l, REASON_LINK_BROKEN, "the peer takes nothing more");
		return;
	}
	if (what == (BEV_EVENT_EOF | BEV_EVENT_READING) && l->state == LINK_SOCK_UP && l->half_open && (l->conn == NULL || l->eof_in)) {
		link_sock_peer_sent_all(l);
		return;
	}
	if ((what & BEV_EVENT_WRITING) && l->state < LINK_SOCK_CLOSING && !l->eof_in) {
		/* the peer's last words, an alert perhaps, may still be on their way in; the end follows them */
		snprintf(l->detail, sizeof l->detail, "%s", error);
		l->write_failed = true;
		clock_timer_set(l->deadline, LAST_WORDS_MS);
		return;
	}
	if (l->state == LINK_SOCK_HANDSHAKE)
		link_sock_end(l, REASON_LINK_TLS_BROKEN, "%s during the handshake", error);
	else if (!(what & BEV_EVENT_EOF))
		link_sock_end(l, REASON_LINK_BROKEN, "%s", error);
	else if (l->conn != NULL)
		link_sock_end(l, REASON_LINK_BROKEN, "closed by the peer without close_notify");
	else
		link_sock_end(l, REASON_NONE, "%s", error);
}

static void
on_deadline(void *arg)
{
	struct link_sock *l = arg;

	switch (l->state) {
	case LINK_SOCK_DIAL:
		link_sock_end(l, REASON_LINK_TIMEOUT, "no connection");
		break;
	case LINK_SOCK_PEEK:
	case LINK_SOCK_HANDSHAKE:
		link_sock_end(l, REASON_LINK_TIMEOUT, "no TLS handshake");
		break;
	default:
		link_sock_end(l, REASON_LINK_BROKEN, "the peer is gone");
		break;
	}
}

/* All had left within the call that wrote it. */
static void
drained(struct link_sock *l)
{
	l->drained_due = false;
	if (l->eof_in)
		clock_timer_set(l->soon, 0);
	if (evbuffer_get_length(bufferevent_get_output(l->raw)) == 0)
		on_written(l->raw, l);
}

static void
on_soon(void *arg)
{
	struct link_sock *l = arg;

	if (l->state == LINK_SOCK_ENDED)
		tell_closed(l);
	else if (l->state == LINK_SOCK_CLOSING && evbuffer_get_length(bufferevent_get_output(l->raw)) == 0)
		link_sock_end(l, REASON_NONE, "closed");
	else if (l->state == LINK_SOCK_UP && l->drained_due)
		drained(l);
	else if (l->state == LINK_SOCK_UP && l->eof_in)
		link_sock_after_eof(l);
	else if (l->state == LINK_SOCK_UP && l->conn != NULL)
		pump(l);
}

void
link_sock_connected(struct link_sock *l, struct bufferevent *raw)
{
	int one = 1;

	l->raw = raw;
	setsockopt(bufferevent_getfd(raw), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);		/* a UNIX socket refuses; no matter */
	bufferevent_set_max_single_write(raw, WRITE_AT_ONCE);
	bufferevent_setcb(raw, on_read, on_written, on_event, l);
	bufferevent_enable(raw, EV_WRITE);
	if (l->tls == NULL && (l->readable = event_new(l->net->base, bufferevent_getfd(raw), EV_READ | EV_PERSIST, on_readable, l)) == NULL) {
		link_sock_end(l, REASON_INTERNAL, "out of memory");
		return;
	}
	link_sock_apply_limit(l);
	if (l->tls == NULL) {
		up(l, false);
	} else if (l->half) {
		l->state = LINK_SOCK_PEEK;
	} else {
		handshake(l);
	}
}
