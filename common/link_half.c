/* link_half: the end of one direction of a socket's link: what the peer said, and what we say. */
#include <event2/buffer.h>

#include "common/clock.h"
#include "common/link_sock.h"

/* The user is told in a turn of its own: octets may have come with it. */
void
link_sock_peer_sent_all(struct link_sock *l)
{
	if (l->eof_in)
		return;
	l->eof_in = l->eof_due = true;
	if (l->fresh && l->conn == NULL && l->run.n > 0)
		l->data_due = true;	/* too few to tell TLS by, and now they are all */
	l->fresh = false;
	clock_timer_set(l->soon, 0);
}

void
link_sock_shut(struct link_sock *l)
{
	shutdown(bufferevent_getfd(l->raw), SHUT_WR);
	l->shut_done = true;
	clock_timer_set(l->soon, 0);
}

/* What follows the peer's last octet: the user hears of them, then of the end; both ends' ends and all drained, it is over. */
void
link_sock_after_eof(struct link_sock *l)
{
	size_t waiting = l->conn != NULL ? evbuffer_get_length(l->plain) : l->run.n;

	if (l->data_due || l->eof_due)
		clock_timer_set(l->soon, 0);
	if (l->data_due) {
		l->data_due = false;
		if (l->base.cb.on_data != NULL)
			l->base.cb.on_data(&l->base, l->base.arg);
	} else if (l->eof_due) {
		l->eof_due = false;
		if (l->base.cb.on_eof != NULL)
			l->base.cb.on_eof(&l->base, l->base.arg);
	} else if (l->shut_done && waiting == 0) {
		link_sock_end(l, REASON_NONE, "closed by the peer");
	}
}
