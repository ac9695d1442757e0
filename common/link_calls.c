/* link_calls: what users call on a link of the real network (link.h). None calls back: what follows, follows in the next turn. */
#include <errno.h>
#include <event2/buffer.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link_sock.h"

static struct span
sock_input(struct link *base)
{
	struct link_sock *l = (struct link_sock *)base;
	size_t n;

	if (l->conn == NULL)
		return tunnel_buf_span(&l->run);
	n = evbuffer_get_length(l->plain);
	return (struct span){ n > 0 ? evbuffer_pullup(l->plain, -1) : NULL, n };
}

static void
drain_run(struct link_sock *l, size_t n)
{
	if (n > l->run.n)
		n = l->run.n;
	if (!l->opaque && n > 0)
		explicit_bzero(l->run.p + l->run.at, n);	/* Zn carries keys */
	tunnel_buf_drain(&l->run, n);
	if (l->run.n == 0 && !l->bulk)		/* who says little keeps no memory */
		tunnel_buf_reset(&l->run);
}

static void
sock_drain(struct link *base, size_t n)
{
	struct link_sock *l = (struct link_sock *)base;

	if (l->eof_in)
		clock_timer_set(l->soon, 0);		/* it may have waited for this */
	if (l->conn == NULL) {
		drain_run(l, n);
		if (l->full)
			link_sock_apply_limit(l);
		return;
	}
	if (n > 0 && n <= evbuffer_get_length(l->plain))
		OPENSSL_cleanse(evbuffer_pullup(l->plain, (ev_ssize_t)n), n);	/* Zn carries keys */
	evbuffer_drain(l->plain, n);
	if (l->full)
		clock_timer_set(l->soon, 0);
}

static void
sock_set_input_limit(struct link *base, size_t n)
{
	struct link_sock *l = (struct link_sock *)base;

	l->limit = n;
	if (l->conn != NULL)
		clock_timer_set(l->soon, 0);
	else
		link_sock_apply_limit(l);
}

static size_t
sock_unsent(const struct link *base)
{
	const struct link_sock *l = (const struct link_sock *)base;

	return l->raw != NULL ? evbuffer_get_length(bufferevent_get_output(l->raw)) : 0;
}

static void
cleanse(const void *octets, size_t n, void *arg)
{
	(void)arg;
	explicit_bzero((void *)(uintptr_t)octets, n);
	free((void *)(uintptr_t)octets);
}

static void
release(const void *octets, size_t n, void *arg)
{
	(void)n, (void)arg;
	free((void *)(uintptr_t)octets);
}

/* What the kernel takes of others' octets at once; an error is left for libevent to meet. Our own small messages leave together. */
static size_t
send_now(struct link_sock *l, struct span octets)
{
	ssize_t n;

	if (!l->opaque || octets.n == 0 || sock_unsent(&l->base) > 0)
		return 0;
	n = send(bufferevent_getfd(l->raw), octets.p, octets.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0 && (size_t)n == octets.n) {
		l->drained_due = true;
		clock_timer_set(l->soon, 0);
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		l->write_failed = true;		/* a reset is told once */
	return n > 0 ? (size_t)n : 0;
}

/* A copy that is cleansed once it has left: Zn carries keys. */
static enum rc
put_plain(struct link_sock *l, struct span octets)
{
	struct span ignored;
	void *copy;

	(void)span_take(&octets, send_now(l, octets), &ignored);
	if (octets.n == 0)
		return RC_OK;
	if ((copy = malloc(octets.n)) == NULL)
		return RC_NOMEM;
	memcpy(copy, octets.p, octets.n);
	if (evbuffer_add_reference(bufferevent_get_output(l->raw), copy, octets.n, l->opaque ? release : cleanse, NULL) != 0) {
		cleanse(copy, octets.n, NULL);
		return RC_NOMEM;
	}
	return RC_OK;
}

static enum rc
sock_write(struct link *base, struct span octets)
{
	struct link_sock *l = (struct link_sock *)base;

	if (l->state != LINK_SOCK_UP || l->shut)
		return RC_STATE;
	if (octets.n > LINK_UNSENT_MAX || sock_unsent(base) > LINK_UNSENT_MAX - octets.n)
		return RC_LIMIT;
	if (l->conn != NULL)
		return link_tls_conn_write(l->conn, octets);
	return put_plain(l, octets);
}

static void
sock_close(struct link *base)
{
	struct link_sock *l = (struct link_sock *)base;

	if (l->state >= LINK_SOCK_CLOSING)
		return;
	if (l->state != LINK_SOCK_UP) {
		link_sock_end(l, REASON_NONE, "closed");
		return;
	}
	l->state = LINK_SOCK_CLOSING;
	if (l->conn != NULL)
		link_tls_conn_close(l->conn);
	if (l->readable != NULL)
		event_del(l->readable);
	bufferevent_disable(l->raw, EV_READ);
	clock_timer_set(l->deadline, LINK_CLOSE_TIMEOUT_MS);
	clock_timer_set(l->soon, 0);
}

static enum rc
sock_shutdown(struct link *base)
{
	struct link_sock *l = (struct link_sock *)base;

	if (!l->half_open || l->state != LINK_SOCK_UP || l->shut)
		return RC_STATE;
	l->shut = true;
	if (l->conn != NULL)
		link_tls_conn_close(l->conn);
	if (sock_unsent(base) == 0)
		link_sock_shut(l);
	return RC_OK;
}

static bool
sock_at_eof(const struct link *base)
{
	const struct link_sock *l = (const struct link_sock *)base;

	return l->eof_in && !l->eof_due;
}

/* The kernel says RST where it knows one (TCP) when nothing may linger. */
static void
sock_reset(struct link *base)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct link_sock *l = (struct link_sock *)base;

	if (l->raw != NULL)
		setsockopt(bufferevent_getfd(l->raw), SOL_SOCKET, SO_LINGER, &now, sizeof now);
	link_sock_free(l);
}

static void
sock_tls_above(struct link *base)
{
	link_sock_set_opaque((struct link_sock *)base);
}

static void
sock_peer(const struct link *base, struct link_peer *out)
{
	*out = ((const struct link_sock *)base)->peer;
}

static void
sock_free(struct link *base)
{
	link_sock_free((struct link_sock *)base);
}

const struct link_ops link_sock_ops = {
	.input = sock_input,
	.drain = sock_drain,
	.set_input_limit = sock_set_input_limit,
	.write = sock_write,
	.unsent = sock_unsent,
	.close = sock_close,
	.shutdown = sock_shutdown,
	.at_eof = sock_at_eof,
	.reset = sock_reset,
	.tls_above = sock_tls_above,
	.free = sock_free,
	.peer = sock_peer,
};
