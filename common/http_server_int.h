/*
 * http_server_int: what http_server.c (life, deadlines, stop: the loop's side) and http_conn.c, http_response.c and
 * http_exchange.c (libmicrohttpd's callbacks: the workers' side) share.
 *
 * Who owns what. A conn lives from libmicrohttpd's STARTED to its CLOSED. An exchange has two holders: the worker, until
 * libmicrohttpd says the request is completed, and, once posted, the loop, until the core has answered. s->lock guards the
 * list of connections, their state, the lists of exchanges, and an exchange's answer until its connection is resumed.
 * Workers know no time: they mark a state as new (since = 0), the loop's sweep stamps it and finds what is overdue.
 * With on_loop the loop is the worker, too: http_server_loop.c.
 */
#ifndef COMMON_HTTP_SERVER_INT_H
#define COMMON_HTTP_SERVER_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "common/http_server_tls.h"

struct post;
struct clock_timer;

enum conn_state {
	CONN_IDLE,	/* connecting, or between requests */
	CONN_HEAD,	/* the request line is in */
	CONN_BODY,	/* the head is in; the worker sends nothing in this state, unless it is chatty */
	CONN_BUSY,	/* posted */
	CONN_SENDING,	/* the answer is queued */
	CONN_ENDED	/* told to end; nothing more is done with it */
};

struct conn {
	struct tls_conn tls;		/* first: http_server_tls.c finds it in the socket context */
	struct http_server *s;
	struct MHD_Connection *mhd;
	int fd;
	char address[64];
	enum conn_state state;
	int64_t since_ms;		/* 0 = not stamped yet */
	bool early;			/* suspended: its handshake waits for the client */
	struct {			/* http_server_wire.c; the worker's alone */
		uint8_t *ahead;		/* read, and not asked for yet; NULL = nothing */
		size_t at, n;
		bool drained;		/* the last read got all there was */
		bool shook;		/* the handshake is over, and the client is listened to */
		bool held;		/* the kernel holds octets of the handshake */
		bool paused;		/* so did the one before the suspension that ends now */
	} wire;
	bool chatty;			/* libmicrohttpd may say something by itself while the body comes */
	TAILQ_ENTRY(conn) list;
};

struct exchange {
	struct http_xchg x;		/* first */
	struct http_request req;
	struct http_server *s;
	struct conn *c;
	atomic_int refs;
	char *target;			/* as it came */
	char *path;
	struct http_header *headers;	/* and their text behind them, in one piece */
	uint8_t *body;
	size_t body_n, body_cap, discarded;
	struct http_peer peer;
	enum reason refusal;		/* found before the core; answered once the body is in */
	bool head_seen, posted;
	bool arrived;			/* the core has it; loop only */
	bool suspended;
	unsigned pass;			/* on_loop: came in in this one */
	/* the answer: written before the connection is resumed, read after */
	int status;
	struct MHD_Response *response;
	int64_t posted_ms;		/* 0 = not stamped yet */
	TAILQ_ENTRY(exchange) list;	/* in s->posted while unanswered by us, then in s->settled until its connection is resumed */
	bool listed;
	TAILQ_ENTRY(exchange) lent_list;	/* in s->lent while the loop holds it */
};

TAILQ_HEAD(conns, conn);
TAILQ_HEAD(exchanges, exchange);

struct http_server {
	struct loop *loop;
	struct clock *clock;
	struct clock_timer *sweep;
	struct post *post;
	struct tls_server *tls;
	struct MHD_Daemon *daemon;
	int listen_fd;
	int early_fd;			/* -1 = no TLS */
	struct loop_watch *early;
	struct loop_watch *run;		/* on_loop: libmicrohttpd's epoll set; NULL = it has threads */
	unsigned pass, taken;		/* of s->run, and requests handed to the core in it */
	char address[80];
	/* configuration, defaults filled in */
	size_t body_max, head_max, waiting_max;
	int64_t idle_ms, request_ms, answer_ms, tick_ms;
	http_refusal_body *refusal_body;
	char *refusal_type, *server_header, *name;
	http_on_request *on_request;
	void *arg;

	pthread_mutex_t lock;
	pthread_cond_t completed;	/* in_flight became less */
	struct conns conns;
	struct exchanges posted, settled, lent;
	size_t n_conns, n_posted, n_lent;
	atomic_bool stopping;
	atomic_size_t in_flight;	/* posted and not completed */
	atomic_uint_fast64_t requests, refused;
	uint64_t requests_swept;	/* loop only, as the next one */
	unsigned quiet_ticks;
	void (*done)(void *arg);
	void *done_arg;
};

/* --- http_server.c: the post's function: the first connection is there, deadlines are to be watched. */
void http_server_wake(void *s);

/* --- http_bind.c: "ADDRESS:PORT"; RC_SYNTAX, RC_IO, logged. And what was bound, in the same form. */
enum rc http_bind(const char *text, int *out) MUST_USE;
enum rc http_print_bound(int fd, char *out, size_t cap) MUST_USE;

/* --- http_server_loop.c: with on_loop alone. RC_IO, RC_NOMEM. */
enum rc http_loop_new(struct http_server *s) MUST_USE;
/* Before the daemon is stopped. */
void http_loop_free(struct http_server *s);
/* No more than a turn should have. */
bool http_loop_full(struct http_server *s);
/* All is answered: send it, as long as that takes no time worth speaking of. */
void http_loop_flush(struct http_server *s);

/* --- http_server_early.c: with TLS alone. RC_IO, RC_NOMEM. */
enum rc http_early_new(struct http_server *s) MUST_USE;
void http_early_free(struct http_server *s);
/* A worker, whose handshake has nothing to read: it costs nothing while it waits. */
void http_early_wait(struct conn *c);
/* Stopping has begun: none stays suspended, and none will be. */
void http_early_end(struct http_server *s);

/* --- http_server_wire.c: with TLS alone; workers */

/* From now on GnuTLS reads and writes by it. */
void http_wire_begin(struct conn *c);
void http_wire_end(struct conn *c);
/* The connection is about to be suspended; its answer is there. */
void http_wire_pause(struct conn *c);
void http_wire_resume(struct conn *c);

#define HTTP_REFUSAL_MAX 1024		/* octets of refusal_body's */

/* --- http_conn.c */

/* libmicrohttpd's callback: a connection came, or went (workers). */
void http_conn_on_notify(void *s, struct MHD_Connection *m, void **socket_context, enum MHD_ConnectionNotificationCode what);
/* Workers. */
void http_conn_enter(struct conn *c, enum conn_state state);
/* s->lock held: a last word, where one can be sent, and the end for a connection whose request is overdue or endless. */
void http_conn_refuse(struct conn *c, enum reason why);

/* --- http_response.c: any thread; NULL = out of memory */

struct MHD_Response *http_response_new(const struct http_server *s, const struct http_header *h, size_t n, struct span body, bool close);
struct MHD_Response *http_refusal_new(const struct http_server *s, enum reason why, bool close);
size_t http_refusal_text(const struct http_server *s, enum reason why, char *out, size_t cap);

/* --- http_exchange.c */

/* libmicrohttpd's callbacks (workers). */
void *exchange_on_uri(void *s, const char *target, struct MHD_Connection *m);
enum MHD_Result exchange_on_request(void *s, struct MHD_Connection *m, const char *path, const char *method, const char *version,
    const char *upload, size_t *upload_n, void **con_cls);
void exchange_on_completed(void *s, struct MHD_Connection *m, void **con_cls, enum MHD_RequestTerminationCode how);
/* s->lock held: answer a posted exchange by ourselves; the core's answer comes to nothing. */
void exchange_expire(struct exchange *e, enum reason why);
/* s->lock held: the workers go on with what the core has answered. */
void exchange_resume_all(struct http_server *s);
void exchange_unref(struct exchange *e);

#endif
