/*
 * http_server: life of the listener: configuration, socket, threads, the sweep that finds what is overdue, and the orderly end.
 * What happens to one request stands in http_exchange.c, what happens to certificates in http_server_tls.c.
 */
#include "common/http_server.h"

#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_server_int.h"
#include "common/log.h"
#include "common/post.h"

#define THREADS_MAX 8
/* Per connection, and held while it idles: the longest head, libmicrohttpd's 64 octets for each header, an answer's head. */
#define POOL_OCTETS (14u << 10)
#define TICK_MS 250
#define QUIET_TICKS 4
#define STOP_SEND_MS 2000		/* for a client that does not take its answer while we stop */

/* --- the sweep */

/* How long a connection may be in a state; 0 = the exchange has a deadline of its own. */
static int64_t
state_limit(const struct http_server *s, enum conn_state state)
{
	switch (state) {
	case CONN_IDLE:
		return s->idle_ms;
	case CONN_HEAD:
	case CONN_BODY:
		return s->request_ms;
	case CONN_SENDING:
		return atomic_load(&s->stopping) ? STOP_SEND_MS : s->idle_ms;
	default:
		return 0;
	}
}

static bool
overdue(int64_t *since_ms, int64_t now_ms, int64_t limit_ms)
{
	if (*since_ms == 0)
		*since_ms = now_ms;
	return limit_ms > 0 && now_ms - *since_ms >= limit_ms;
}

/* s->lock held. */
static void
sweep_conn(struct http_server *s, struct conn *c, int64_t now_ms)
{
	enum conn_state was = c->state;

	if (was == CONN_ENDED || !overdue(&c->since_ms, now_ms, state_limit(s, was)))
		return;
	if (was == CONN_HEAD || was == CONN_BODY)
		log_reason(REASON_HTTP_SLOW, "%s: peer=%s", s->name, c->address);
	else
		log_debug("%s: peer=%s: %s for too long", s->name, c->address, was == CONN_IDLE ? "idle" : "takes no answer");
	http_conn_refuse(c, REASON_HTTP_SLOW);
	if (was == CONN_SENDING)
		shutdown(c->fd, SHUT_RDWR);
}

/* Returns how many connections there are. */
static size_t
sweep_all(struct http_server *s)
{
	int64_t now_ms = clock_mono_ms(s->clock) + 1;	/* never 0, which means: not stamped */
	struct exchange *e, *next;
	struct conn *c;
	size_t n;

	if (s->tls != NULL)
		tls_server_tick(s->tls);
	pthread_mutex_lock(&s->lock);
	TAILQ_FOREACH(c, &s->conns, list)
		sweep_conn(s, c, now_ms);
	for (e = TAILQ_FIRST(&s->posted); e != NULL; e = next) {
		next = TAILQ_NEXT(e, list);
		if (overdue(&e->posted_ms, now_ms, s->answer_ms))
			exchange_expire(e, REASON_HTTP_NO_ANSWER);
	}
	n = s->n_conns;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/*
 * When nothing was asked for about a second, what a burst took goes back to the kernel: a thousand handshakes at once leave their
 * holes between what the connections keep. false: not yet.
 */
static bool
give_back(struct http_server *s)
{
	uint64_t n = atomic_load(&s->requests);

	if (n != s->requests_swept) {
		s->requests_swept = n;
		s->quiet_ticks = 0;
	} else if (s->quiet_ticks < QUIET_TICKS && ++s->quiet_ticks == QUIET_TICKS) {
		malloc_trim(0);
	}
	return s->quiet_ticks == QUIET_TICKS;
}

static void
halt(struct http_server *s)
{
	http_loop_free(s);
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	s->listen_fd = -1;
}

static void
on_sweep(void *arg)
{
	struct http_server *s = arg;
	void (*done)(void *) = s->done;
	bool more;

	if (atomic_load(&s->stopping) && atomic_load(&s->in_flight) == 0) {
		/* no worker suspends any more, so nothing is suspended: libmicrohttpd may be stopped */
		halt(s);
		s->done = NULL;
		if (done != NULL)
			done(s->done_arg);
		return;
	}
	more = sweep_all(s) > 0;
	if (!give_back(s) || more || clock_kind(s->clock) != CLOCK_REAL || atomic_load(&s->stopping))
		clock_timer_set(s->sweep, atomic_load(&s->stopping) ? 10 : s->tick_ms);
}

/* Without connections there is nothing to watch, and no wake-up. (GnuTLS is told a controlled clock's time all the same.) */
void
http_server_wake(void *arg)
{
	struct http_server *s = arg;

	if (!clock_timer_armed(s->sweep))
		clock_timer_set(s->sweep, s->tick_ms);
}

/* --- life */

static void PRINTF_LIKE(2, 0)
on_library_log(void *arg, const char *fmt, va_list ap)
{
	const struct http_server *s = arg;
	char line[256], safe[512];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s: libmicrohttpd: %s", s->name, log_text(span_str(line), safe, sizeof(safe)));
}

static unsigned
threads_of(const struct http_server_conf *conf)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->threads != 0)
		return conf->threads;
	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

static enum rc
start_daemon(struct http_server *s, const struct http_server_conf *conf)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC;
	unsigned threads = threads_of(conf), n = 0, connections = conf->connections != 0 ? conf->connections : 1024;
	struct MHD_OptionItem opt[12];

	if (conf->on_loop) {
		flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
		threads = 1;
	}
	if (connections < threads)
		threads = connections;
	opt[n++] = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, s->listen_fd, NULL };
	opt[n++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_OCTETS, NULL };
	opt[n++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL };
	opt[n++] = (struct MHD_OptionItem){ MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)conf->per_ip, NULL };
	if (threads > 1)
		opt[n++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL };
	if (s->tls != NULL) {
		flags |= MHD_USE_TLS;
		opt[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities };
		opt[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(intptr_t)tls_own_certificate };
	}
	opt[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, exchange_on_request, s,
	    MHD_OPTION_EXTERNAL_LOGGER, on_library_log, s, MHD_OPTION_URI_LOG_CALLBACK, exchange_on_uri, s,
	    MHD_OPTION_NOTIFY_CONNECTION, http_conn_on_notify, s, MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed, s,
	    MHD_OPTION_ARRAY, opt, MHD_OPTION_END);
	if (s->daemon == NULL) {
		log_error("%s: the HTTP library does not start", s->name);
		return RC_IO;
	}
	return conf->on_loop ? http_loop_new(s) : RC_OK;
}

static bool
copy_texts(struct http_server *s, const struct http_server_conf *conf)
{
	if ((s->name = strdup(conf->name != NULL ? conf->name : "http")) == NULL)
		return false;
	if ((s->refusal_type = strdup(conf->refusal_type != NULL ? conf->refusal_type : "text/plain; charset=utf-8")) == NULL)
		return false;
	return conf->server_header == NULL || (s->server_header = strdup(conf->server_header)) != NULL;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
take_limits(struct http_server *s, const struct http_server_conf *conf)
{
	s->body_max = conf->body_max != 0 ? conf->body_max : 8192;
	s->head_max = conf->head_max != 0 ? conf->head_max : 8192;
	s->waiting_max = conf->waiting_max != 0 ? conf->waiting_max : 1024;
	s->idle_ms = conf->idle_ms != 0 ? conf->idle_ms : 30000;
	s->request_ms = conf->request_ms != 0 ? conf->request_ms : 10000;
	s->answer_ms = conf->answer_ms != 0 ? conf->answer_ms : 10000;
	s->tick_ms = least(TICK_MS, least(s->idle_ms, least(s->request_ms, s->answer_ms)) / 4 + 1);
	s->refusal_body = conf->refusal_body;
}

enum rc
http_server_new(struct loop *loop, struct clock *clock, const struct http_server_conf *conf, http_on_request *on_request,
    void *arg, struct http_server **out)
{
	struct http_server *s = calloc(1, sizeof(*s));
	enum rc rc = RC_NOMEM;

	if (s == NULL)
		goto out;
	*s = (struct http_server){ .loop = loop, .clock = clock, .listen_fd = -1, .early_fd = -1, .on_request = on_request, .arg = arg };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->completed, NULL);
	TAILQ_INIT(&s->conns);
	TAILQ_INIT(&s->posted);
	TAILQ_INIT(&s->settled);
	TAILQ_INIT(&s->lent);
	take_limits(s, conf);
	if (!copy_texts(s, conf))
		goto out;
	if (conf->tls != NULL && (rc = tls_server_new(conf->tls, clock, s->name, &s->tls)) != RC_OK)
		goto out;
	if (s->tls != NULL && (rc = http_early_new(s)) != RC_OK)
		goto out;
	if ((rc = post_new(loop, s->waiting_max + 3, &s->post)) != RC_OK ||
	    (rc = clock_timer_new(clock, on_sweep, s, &s->sweep)) != RC_OK || (rc = http_bind(conf->listen, &s->listen_fd)) != RC_OK ||
	    (rc = http_print_bound(s->listen_fd, s->address, sizeof(s->address))) != RC_OK || (rc = start_daemon(s, conf)) != RC_OK)
		goto out;
	clock_timer_set(s->sweep, s->tick_ms);
	*out = s;
	s = NULL;
out:
	http_server_free(s);
	return rc;
}

const char *
http_server_address(const struct http_server *s)
{
	return s->address;
}

enum rc
http_server_reload(struct http_server *s)
{
	return s->tls == NULL ? RC_STATE : tls_server_reload(s->tls);
}

/*
 * Nobody new gets in. The listening socket is shut and not closed yet: a worker that is just about to put it into its epoll set again,
 * or to take it out (the limit of connections), would do so with whatever has its number by then.
 */
static void
quiesce(struct http_server *s)
{
	if (atomic_exchange(&s->stopping, true))
		return;
	http_early_end(s);
	if (s->daemon == NULL)
		return;
	(void)MHD_quiesce_daemon(s->daemon);
	(void)shutdown(s->listen_fd, SHUT_RDWR);
}

void
http_server_stop(struct http_server *s, void (*done)(void *arg), void *arg)
{
	quiesce(s);
	s->done = done;
	s->done_arg = arg;
	clock_timer_set(s->sweep, 0);
}

/* Without an orderly stop: nothing may stay suspended, or libmicrohttpd ends the process. */
static void
drop_in_flight(struct http_server *s)
{
	unsigned patience_ms = 1000;
	struct exchange *e;
	struct conn *c;

	pthread_mutex_lock(&s->lock);
	while ((e = TAILQ_FIRST(&s->posted)) != NULL)
		exchange_expire(e, REASON_STOPPING);
	exchange_resume_all(s);
	if (s->run != NULL) {
		pthread_mutex_unlock(&s->lock);
		http_loop_flush(s);
		return;
	}
	/* some client may not take its answer: the kernel gives it a second */
	TAILQ_FOREACH(c, &s->conns, list)
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
	while (atomic_load(&s->in_flight) > 0)
		pthread_cond_wait(&s->completed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void
http_server_free(struct http_server *s)
{
	struct exchange *e;

	if (s == NULL)
		return;
	quiesce(s);
	if (s->daemon != NULL)
		drop_in_flight(s);
	halt(s);
	while ((e = TAILQ_FIRST(&s->lent)) != NULL) {
		TAILQ_REMOVE(&s->lent, e, lent_list);
		if (e->arrived)
			e->s = NULL;		/* the core's to end, by its answer */
		else
			exchange_unref(e);
	}
	clock_timer_free(s->sweep);
	http_early_free(s);
	post_free(s->post);
	tls_server_free(s->tls);
	pthread_cond_destroy(&s->completed);
	pthread_mutex_destroy(&s->lock);
	free(s->refusal_type);
	free(s->server_header);
	free(s->name);
	free(s);
}

void
http_server_get_stats(struct http_server *s, struct http_server_stats *out)
{
	*out = (struct http_server_stats){
		.requests = atomic_load(&s->requests),
		.refused = atomic_load(&s->refused),
		.handshakes_refused = s->tls == NULL ? 0 : tls_server_refused(s->tls),
		.in_flight = atomic_load(&s->in_flight),
	};
	pthread_mutex_lock(&s->lock);
	out->connections = s->n_conns;
	pthread_mutex_unlock(&s->lock);
}
