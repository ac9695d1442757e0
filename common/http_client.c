/* http_client: libcurl's multi-socket interface on the loop: it names sockets and a time to wait, we say what became ready. */
#include "common/http_client.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/http_flight.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/wipe.h"

#define TIMEOUT_MS 10000
#define CONNECTIONS 16

TAILQ_HEAD(flights, http_flight);

struct client {
	struct http_client seam;	/* first */
	struct loop *loop;
	struct clock *clock;
	CURLM *multi;
	struct clock_timer *timer;
	struct flights flights;
	char *user_agent, *proxy;
	int64_t lead_s;			/* of the clock over the kernel's, at the last call */
	unsigned lead;
	bool curl_up;
};

struct watch {			/* a socket of libcurl's */
	struct client *c;
	struct event *ev;
};

/* --- flights' ends */

/* What has ended, in the middle of its sender's call: it is told from the loop. */
static void
note_ends(struct client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		char *arg = NULL;

		if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &arg) == CURLE_OK && arg != NULL) {
			struct http_flight *f = (struct http_flight *)(void *)arg;

			f->ended = true;
			f->code = m->data.result;
			clock_timer_set(f->timer, 0);
		}
	}
}

/* Out of the multi, told, freed. */
static void
end_flight(struct client *c, struct http_flight *f, CURLcode code)
{
	struct http_reply r;

	curl_multi_remove_handle(c->multi, f->easy);
	TAILQ_REMOVE(&c->flights, f, list);
	http_flight_reply(f, code, &r);
	f->fn(f->arg, &r);
	http_flight_free(f);
}

static void
reap(struct client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		CURLcode code = m->data.result;
		char *f = NULL;

		if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f) == CURLE_OK && f != NULL)
			end_flight(c, (struct http_flight *)(void *)f, code);
	}
}

static void
on_flight_timer(void *arg)
{
	struct http_flight *f = arg;

	end_flight(f->client, f, f->ended ? f->code : CURLE_OPERATION_TIMEDOUT);
}

/* --- libcurl's wishes */

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = ((struct watch *)arg)->c;
	int running, flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(c->multi, (curl_socket_t)fd, flags, &running);
	reap(c);
}

static void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	if (w->ev != NULL)
		event_free(w->ev);
	free(w);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct client *c = arg;
	struct watch *w = socket_arg;
	short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		watch_free(w);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (w == NULL) {
		if ((w = calloc(1, sizeof(*w))) == NULL)
			return -1;
		w->c = c;
		curl_multi_assign(c->multi, fd, w);
	}
	if (w->ev != NULL)
		event_free(w->ev);
	w->ev = event_new(loop_base(c->loop), fd, events, on_ready, w);
	if (w->ev == NULL || event_add(w->ev, NULL) != 0) {
		log_error("http: a socket cannot be watched");
		return -1;
	}
	return 0;
}

static int
on_wait(CURLM *multi, long ms, void *arg)
{
	struct client *c = arg;

	(void)multi;
	if (ms < 0)
		clock_timer_stop(c->timer);
	else
		clock_timer_set(c->timer, ms);
	return 0;
}

static void
on_timer(void *arg)
{
	struct client *c = arg;
	int running;

	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	reap(c);
}

/* --- the seam */

/* T3: a clock that was moved makes certificates that were good when a connection began doubtful. */
static unsigned
lead_now(struct client *c)
{
	int64_t lead_s = clock_kind(c->clock) == CLOCK_REAL ? 0 : clock_now_s(c->clock) - (int64_t)time(NULL);

	if (lead_s > c->lead_s + 2 || lead_s < c->lead_s - 2) {
		c->lead_s = lead_s;
		c->lead++;
	}
	return c->lead;
}

static enum rc
client_send(void *ctx, const struct http_call *call, http_on_reply *fn, void *arg, struct http_flight **out)
{
	struct client *c = ctx;
	struct http_flight_env env = { c->user_agent, c->proxy, lead_now(c) };
	struct http_flight *f = NULL;
	int running;
	enum rc rc;

	if ((rc = http_flight_new(call, &env, &f)) != RC_OK)
		goto out;
	f->client = c;
	f->fn = fn;
	f->arg = arg;
	if ((rc = clock_timer_new(c->clock, on_flight_timer, f, &f->timer)) != RC_OK)
		goto out;
	if (curl_multi_add_handle(c->multi, f->easy) != CURLM_OK) {
		rc = RC_NOMEM;
		goto out;
	}
	clock_timer_set(f->timer, call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_MS);
	TAILQ_INSERT_TAIL(&c->flights, f, list);
	*out = f;
	f = NULL;
	/* on a kept connection it leaves now, not at the end of the turn */
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	note_ends(c);
out:
	http_flight_free(f);
	return rc;
}

static void
client_cancel(void *ctx, struct http_flight *f)
{
	struct client *c = ctx;

	curl_multi_remove_handle(c->multi, f->easy);
	TAILQ_REMOVE(&c->flights, f, list);
	http_flight_free(f);
}

static const struct http_client_ops client_ops = { client_send, client_cancel };

static bool
copy_text(const char *from, char **to)
{
	return from == NULL || (*to = strdup(from)) != NULL;
}

static bool
set_multi(struct client *c, long connections)
{
	return curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_wait) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK;
}

enum rc
http_client_new(struct loop *loop, struct clock *clock, const struct http_client_conf *conf, struct http_client **out)
{
	static const struct http_client_conf defaults;
	struct client *c = calloc(1, sizeof(*c));
	enum rc rc = RC_NOMEM;

	if (c == NULL)
		goto out;
	if (conf == NULL)
		conf = &defaults;
	*c = (struct client){ .seam = { &client_ops, c }, .loop = loop, .clock = clock };
	TAILQ_INIT(&c->flights);
	/* a Key Response passes through its buffers */
	if (!(c->curl_up = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_free, wipe_realloc, strdup, calloc) == CURLE_OK)) {
		rc = RC_IO;
		goto out;
	}
	if (!copy_text(conf->user_agent, &c->user_agent) || !copy_text(conf->proxy, &c->proxy))
		goto out;
	if ((rc = clock_timer_new(clock, on_timer, c, &c->timer)) != RC_OK)
		goto out;
	if ((c->multi = curl_multi_init()) == NULL || !set_multi(c, conf->connections != 0 ? (long)conf->connections : CONNECTIONS)) {
		rc = RC_NOMEM;
		goto out;
	}
	*out = &c->seam;
	c = NULL;
out:
	http_client_free(c == NULL ? NULL : &c->seam);
	return rc;
}

void
http_client_free(struct http_client *seam)
{
	struct client *c = (struct client *)seam;
	struct http_flight *f;

	if (c == NULL)
		return;
	while ((f = TAILQ_FIRST(&c->flights)) != NULL)
		client_cancel(c, f);
	if (c->multi != NULL)
		curl_multi_cleanup(c->multi);
	clock_timer_free(c->timer);
	if (c->curl_up)
		curl_global_cleanup();
	free(c->user_agent);
	free(c->proxy);
	free(c);
}
