/* http_conn: a server's connections: who they are, in which state, and how one that is overdue ends. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/http_server_int.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/post.h"

static void
print_address(const struct sockaddr *sa, char *out, size_t cap)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, cap, "%s:%u", host, ntohs(in->sin_port));
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, cap, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		snprintf(out, cap, "?");
	}
}

void
http_conn_enter(struct conn *c, enum conn_state state)
{
	pthread_mutex_lock(&c->s->lock);
	if (c->state != CONN_ENDED) {
		/* head and body share one deadline */
		if (state != CONN_BODY)
			c->since_ms = 0;
		c->state = state;
	}
	pthread_mutex_unlock(&c->s->lock);
}

static struct conn *
conn_new(struct http_server *s, struct MHD_Connection *m)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->s = s;
	c->mhd = m;
	c->fd = MHD_get_connection_info(m, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	print_address(MHD_get_connection_info(m, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr, c->address, sizeof(c->address));
	snprintf(c->tls.peer.address, sizeof(c->tls.peer.address), "%s", c->address);
	if (s->tls != NULL) {
		tls_conn_begin(&c->tls, s->tls, MHD_get_connection_info(m, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session,
		    c->address);
		http_wire_begin(c);
	}
	return c;
}

void
http_conn_on_notify(void *arg, struct MHD_Connection *m, void **socket_context, enum MHD_ConnectionNotificationCode what)
{
	struct http_server *s = arg;
	struct conn *c = *socket_context;
	bool first;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		/* without a conn every request on it is refused, and no TLS certificate is shown */
		if ((c = conn_new(s, m)) == NULL)
			return;
		pthread_mutex_lock(&s->lock);
		TAILQ_INSERT_TAIL(&s->conns, c, list);
		first = s->n_conns++ == 0;
		pthread_mutex_unlock(&s->lock);
		*socket_context = c;
		if (first && post(s->post, http_server_wake, s) != RC_OK)
			log_error("%s: deadlines are not watched", s->name);
	} else if (c != NULL) {
		/* the descriptor is still open, so the sweep, which holds the lock, never meets another's */
		pthread_mutex_lock(&s->lock);
		TAILQ_REMOVE(&s->conns, c, list);
		s->n_conns--;
		pthread_mutex_unlock(&s->lock);
		if (s->run != NULL)
			loop_again(s->run);	/* where the limit kept others waiting, it may accept again */
		tls_conn_end(&c->tls);
		http_wire_end(c);
		free(c);
		*socket_context = NULL;
	}
}

static const char *
status_phrase(int status)
{
	switch (status) {
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	default:
		return "Bad Request";
	}
}

/* Outside libmicrohttpd, which takes no answer while a body is coming. */
static void
last_word(struct conn *c, enum reason why)
{
	char body[HTTP_REFUSAL_MAX], text[HTTP_REFUSAL_MAX + 512];
	size_t n = http_refusal_text(c->s, why, body, sizeof(body));
	int status = reason_get(why)->http;
	int m = snprintf(text, sizeof(text),
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%.*s", status,
	    status_phrase(status), c->s->refusal_type, n, (int)n, body);

	if (m < 0 || (size_t)m >= sizeof(text))
		return;
	if (c->s->tls != NULL)
		tls_conn_send(&c->tls, text, (size_t)m);
	else if (send(c->fd, text, (size_t)m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("%s: peer=%s: last word not sent", c->s->name, c->address);
}

void
http_conn_refuse(struct conn *c, enum reason why)
{
	/* GnuTLS allows one thread to send while another receives, and in CONN_BODY the worker only receives */
	if (c->state == CONN_BODY && !(c->chatty && c->s->tls != NULL))
		last_word(c, why);
	c->state = CONN_ENDED;
	shutdown(c->fd, SHUT_RD);	/* the worker reads an end and closes in good order */
	atomic_fetch_add(&c->s->refused, 1);
}
