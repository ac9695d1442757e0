#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/sim/sim_http.h"

#define SERVERS_MAX 16
#define CLIENTS_MAX 128

struct server {
	char host_port[300];
	http_on_request *fn;
	void *arg;
	bool cut;
	unsigned count, lose;
};

struct client {
	struct http_client face;
	struct sim_http *sim;
	const struct http_peer *peer;
};

struct sim_http {
	struct clock *clock;
	int64_t rtt_ms;
	struct server servers[SERVERS_MAX];
	size_t n_servers;
	struct client clients[CLIENTS_MAX];
	size_t n_clients;
	struct http_flight *flights;
};

/* One call: the request on its way, then an exchange at the server, then the answer on its way back. */
struct http_flight {
	struct http_xchg xchg;		/* first: the server's view */
	struct http_flight *next, **prev;
	struct sim_http *sim;
	struct server *server;		/* NULL: nobody there */
	struct http_request req;
	struct http_header *headers, *reply_headers;
	size_t n_reply_headers;
	char *method, *path, *query;
	uint8_t *body, *reply_body;
	size_t n_reply_body;
	http_on_reply *fn;
	void *arg;
	struct clock_timer *arrive, *back, *timeout;
	int status;
	enum reason why;
	size_t body_max;
	bool at_server;			/* the server holds the exchange; it must answer before this is freed */
	bool lost;			/* the server died: its answer goes nowhere */
	bool told;			/* fn ran, or was cancelled */
};

/* A test without memory has nothing to tell. */
static void *
need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static struct http_header *
headers_copy(const struct http_header *h, size_t n)
{
	struct http_header *c = need(calloc(n + 1, sizeof(*c)));	/* one more: room for Host */

	for (size_t i = 0; i < n; i++)
		c[i] = (struct http_header){ need(strdup(h[i].name)), need(strdup(h[i].value)) };
	return c;
}

static void
headers_free(struct http_header *h, size_t n)
{
	for (size_t i = 0; h != NULL && i < n; i++) {
		free((char *)(uintptr_t)h[i].name);
		free((char *)(uintptr_t)h[i].value);
	}
	free(h);
}

static uint8_t *
octets_copy(struct span s)
{
	uint8_t *p = need(malloc(s.n + 1));

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return p;
}

static void
flight_free(struct http_flight *f)
{
	*f->prev = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	clock_timer_free(f->arrive);
	clock_timer_free(f->back);
	clock_timer_free(f->timeout);
	headers_free(f->headers, f->req.n_headers);
	headers_free(f->reply_headers, f->n_reply_headers);
	free(f->method);
	free(f->path);
	free(f->query);
	free(f->body);
	free(f->reply_body);
	free(f);
}

/* Tell the client once; the flight lives on while the server still holds it. */
static void
flight_tell(struct http_flight *f)
{
	struct http_reply r = { .status = f->status, .headers = f->reply_headers, .n_headers = f->n_reply_headers,
		.body = { f->reply_body, f->n_reply_body }, .why = f->why, .detail = reason_get(f->why)->what };

	clock_timer_stop(f->timeout);
	if (!f->told) {
		f->told = true;
		f->fn(f->arg, &r);
	}
	if (!f->at_server)
		flight_free(f);
}

static void
flight_fail(struct http_flight *f, enum reason why)
{
	f->status = 0;
	f->why = why;
	flight_tell(f);
}

static void
on_back(void *arg)
{
	struct http_flight *f = arg;

	if (f->server->cut || f->lost)
		flight_fail(f, REASON_HTTP_UNREACHABLE);
	else if (f->n_reply_body > f->body_max)
		flight_fail(f, REASON_HTTP_TOO_LARGE);
	else
		flight_tell(f);
}

static void
on_timeout(void *arg)
{
	struct http_flight *f = arg;

	clock_timer_stop(f->arrive);
	clock_timer_stop(f->back);
	flight_fail(f, REASON_HTTP_TIMEOUT);
}

static void
on_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close)
{
	struct http_flight *f = (struct http_flight *)(void *)x;

	(void)close;
	if (!f->at_server)
		abort();	/* answered twice */
	if (f->lost)
		return;		/* sim_http_kill() ends it */
	f->at_server = false;
	if (f->told) {
		flight_free(f);
		return;
	}
	if (f->server->lose > 0) {
		f->server->lose--;
		return;		/* the client's time-out will tell */
	}
	f->status = status;
	f->reply_headers = headers_copy(h, n);
	f->n_reply_headers = n;
	f->reply_body = octets_copy(body);
	f->n_reply_body = body.n;
	clock_timer_set(f->back, f->sim->rtt_ms / 2);
}

static void
on_arrive(void *arg)
{
	struct http_flight *f = arg;

	if (f->server == NULL || f->server->cut) {
		flight_fail(f, REASON_HTTP_UNREACHABLE);
		return;
	}
	f->server->count++;
	f->at_server = true;
	f->server->fn(&f->xchg, f->server->arg);
}

static struct server *
server_find(struct sim_http *s, const char *host_port)
{
	for (size_t i = 0; i < s->n_servers; i++)
		if (strcmp(s->servers[i].host_port, host_port) == 0)
			return &s->servers[i];
	return NULL;
}

/* "http://host[:port]/path[?query]" into its parts; the port is the scheme's where none is written. */
static bool
url_split(const char *url, char host_port[static 300], char **path, char **query)
{
	bool https = strncmp(url, "https://", 8) == 0;
	const char *host = url + (https ? 8 : 7), *slash;
	size_t n;

	if (!https && strncmp(url, "http://", 7) != 0)
		return false;
	slash = strchr(host, '/');
	n = slash != NULL ? (size_t)(slash - host) : strlen(host);
	if (n == 0 || n > 280)
		return false;
	snprintf(host_port, 300, "%.*s%s", (int)n, host, memchr(host, ':', n) != NULL ? "" : https ? ":443" : ":80");
	*path = need(strdup(slash != NULL ? slash : "/"));
	*query = NULL;
	if (strchr(*path, '?') != NULL) {
		*query = need(strdup(strchr(*path, '?') + 1));
		*strchr(*path, '?') = '\0';
	}
	return true;
}

static enum rc
client_send(void *ctx, const struct http_call *c, http_on_reply *fn, void *arg, struct http_flight **out)
{
	struct client *cl = ctx;
	struct sim_http *s = cl->sim;
	struct http_flight *f;
	char host_port[300], *path, *query;

	if (!url_split(c->url, host_port, &path, &query))
		return RC_SYNTAX;
	f = need(calloc(1, sizeof(*f)));
	*f = (struct http_flight){ .sim = s, .fn = fn, .arg = arg, .path = path, .query = query,
		.body_max = c->body_max != 0 ? c->body_max : 65536, .method = need(strdup(c->method)),
		.server = server_find(s, c->dial != NULL ? c->dial : host_port),
		.headers = headers_copy(c->headers, c->n_headers), .body = octets_copy(c->body) };
	f->req.n_headers = c->n_headers;
	if (http_header_get(c->headers, c->n_headers, "Host") == NULL)	/* libcurl adds it too */
		f->headers[f->req.n_headers++] = (struct http_header){ need(strdup("Host")), need(strdup(host_port)) };
	f->req.method = f->method;
	f->req.path = f->path;
	f->req.query = f->query;
	f->req.headers = f->headers;
	f->req.body = (struct span){ f->body, c->body.n };
	f->req.peer = cl->peer;
	f->xchg = (struct http_xchg){ &f->req, on_answer };
	f->prev = &s->flights;
	if ((f->next = s->flights) != NULL)
		f->next->prev = &f->next;
	s->flights = f;
	if (clock_timer_new(s->clock, on_arrive, f, &f->arrive) != RC_OK ||
	    clock_timer_new(s->clock, on_back, f, &f->back) != RC_OK ||
	    clock_timer_new(s->clock, on_timeout, f, &f->timeout) != RC_OK)
		abort();
	clock_timer_set(f->arrive, s->rtt_ms / 2);
	clock_timer_set(f->timeout, c->timeout_ms != 0 ? c->timeout_ms : 10000);
	*out = f;
	return RC_OK;
}

static void
client_cancel(void *ctx, struct http_flight *f)
{
	(void)ctx;
	f->told = true;
	clock_timer_stop(f->arrive);
	clock_timer_stop(f->back);
	clock_timer_stop(f->timeout);
	if (!f->at_server)
		flight_free(f);
}

static const struct http_client_ops client_ops = { .send = client_send, .cancel = client_cancel };

enum rc
sim_http_new(struct clock *clock, int64_t rtt_ms, struct sim_http **out)
{
	struct sim_http *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return RC_NOMEM;
	s->clock = clock;
	s->rtt_ms = rtt_ms;
	*out = s;
	return RC_OK;
}

void
sim_http_free(struct sim_http *s)
{
	if (s == NULL)
		return;
	while (s->flights != NULL)
		flight_free(s->flights);
	free(s);
}

enum rc
sim_http_listen(struct sim_http *s, const char *host_port, http_on_request *fn, void *arg)
{
	struct server *v = server_find(s, host_port);

	if (v == NULL) {
		if (s->n_servers == SERVERS_MAX)
			return RC_LIMIT;
		v = &s->servers[s->n_servers++];
		snprintf(v->host_port, sizeof(v->host_port), "%s", host_port);
	}
	v->fn = fn;
	v->arg = arg;
	v->cut = false;
	return RC_OK;
}

enum rc
sim_http_client(struct sim_http *s, const struct http_peer *peer, const struct http_client **out)
{
	static const struct http_peer nobody = { .address = "sim" };
	struct client *c;

	if (s->n_clients == CLIENTS_MAX)
		return RC_LIMIT;
	c = &s->clients[s->n_clients++];
	*c = (struct client){ .face = { &client_ops, c }, .sim = s, .peer = peer != NULL ? peer : &nobody };
	*out = &c->face;
	return RC_OK;
}

void
sim_http_cut(struct sim_http *s, const char *host_port, bool cut)
{
	struct server *v = server_find(s, host_port);

	if (v != NULL)
		v->cut = cut;
}

void
sim_http_lose_answers(struct sim_http *s, const char *host_port, unsigned n)
{
	struct server *v = server_find(s, host_port);

	if (v != NULL)
		v->lose = n;
}

void
sim_http_kill(struct sim_http *s, const char *host_port, bool gone)
{
	struct server *v = server_find(s, host_port);
	struct http_flight *f, *next;

	if (v == NULL)
		return;
	v->cut = true;
	for (f = s->flights; f != NULL; f = next) {
		next = f->next;
		if (f->server != v || !f->at_server)
			continue;
		f->lost = true;
		if (!gone)
			continue;
		f->at_server = false;
		if (f->told)
			flight_free(f);
		else
			clock_timer_set(f->back, s->rtt_ms / 2);
	}
}

unsigned
sim_http_count(const struct sim_http *s, const char *host_port)
{
	for (size_t i = 0; i < s->n_servers; i++)
		if (strcmp(s->servers[i].host_port, host_port) == 0)
			return s->servers[i].count;
	return 0;
}
