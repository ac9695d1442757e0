/*
 * http_server_wire: a TLS connection's octets between GnuTLS and the socket, in few system calls.
 *
 * GnuTLS asks for the five octets of a record's head, then for the rest, and libmicrohttpd asks again until nothing is there. One
 * recv() takes what has come; what was not asked for yet waits in memory of just that size. After a suspension, during which the
 * descriptor is in no epoll set, libmicrohttpd asks once more before it waits: where the read before had got all there was, the answer is
 * "nothing" without a call, for the descriptor's return to the set tells of all that came since.
 */
#include "common/http_server_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define AT_ONCE 4096		/* octets of one recv(); a Key Request has 700 */

/* --- out */

static void
send_held(struct conn *c)
{
	int on = 1;

	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->wire.held = false;
}

/*
 * What the handshake says, tickets with it, leaves in one segment when the client is to speak, and not message by message. What a
 * client does not wait for may go with the answer.
 */
static ssize_t
push(gnutls_transport_ptr_t conn, const giovec_t *v, int n)
{
	struct conn *c = conn;
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n };
	ssize_t sent = sendmsg(c->fd, &m, c->wire.shook ? MSG_NOSIGNAL : MSG_NOSIGNAL | MSG_MORE);

	if (sent < 0)
		gnutls_transport_set_errno(c->tls.session, errno);
	else if (!c->wire.shook)
		c->wire.held = true;
	return sent;
}

/* --- in */

static ssize_t
take_ahead(struct conn *c, uint8_t *p, size_t n)
{
	size_t left = c->wire.n - c->wire.at;

	if (n > left)
		n = left;
	memcpy(p, c->wire.ahead + c->wire.at, n);
	c->wire.at += n;
	if (n == left) {
		free(c->wire.ahead);
		c->wire.ahead = NULL;
	}
	return (ssize_t)n;
}

static ssize_t
fetch(struct conn *c, uint8_t *p, size_t n)
{
	uint8_t some[AT_ONCE];
	ssize_t got = recv(c->fd, some, sizeof(some), 0);
	size_t all = (size_t)got;

	c->wire.drained = got > 0 ? all < sizeof(some) : got < 0 && errno == EAGAIN;
	if (got <= 0)
		return got;
	if (n > all)
		n = all;
	if (n < all) {
		if ((c->wire.ahead = malloc(all - n)) == NULL) {
			errno = ENOMEM;		/* the end of the connection: what was read is lost */
			return -1;
		}
		c->wire.at = 0;
		c->wire.n = all - n;
		memcpy(c->wire.ahead, some + n, all - n);
	}
	memcpy(p, some, n);
	return (ssize_t)n;
}

static ssize_t
pull(gnutls_transport_ptr_t conn, void *p, size_t n)
{
	struct conn *c = conn;
	ssize_t got = -1;
	int err = EAGAIN;

	if (c->tls.finished && !c->wire.shook)	/* written once, before the loop may have a last word to push */
		c->wire.shook = true;
	if (c->wire.ahead != NULL)
		return take_ahead(c, p, n);
	if (!c->wire.paused) {
		got = fetch(c, p, n);
		err = errno;
	}
	c->wire.paused = false;
	if (got >= 0)
		return got;
	if (err == EAGAIN && c->wire.held)
		send_held(c);
	if (err == EAGAIN && !c->tls.finished)
		http_early_wait(c);
	gnutls_transport_set_errno(c->tls.session, err);
	return -1;
}

void
http_wire_pause(struct conn *c)
{
	c->wire.paused = c->wire.drained && c->wire.ahead == NULL;
}

void
http_wire_resume(struct conn *c)
{
	c->wire.paused = false;
}

void
http_wire_begin(struct conn *c)
{
	gnutls_transport_set_ptr(c->tls.session, c);
	gnutls_transport_set_pull_function(c->tls.session, pull);
	gnutls_transport_set_vec_push_function(c->tls.session, push);
}

void
http_wire_end(struct conn *c)
{
	free(c->wire.ahead);
}
