/* http_flight: one request of ours under way, between http_client.c (the multi, sockets, life) and http_flight.c (one easy handle). */
#ifndef COMMON_HTTP_FLIGHT_H
#define COMMON_HTTP_FLIGHT_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "common/http_tls.h"

struct http_flight {
	CURL *easy;
	struct curl_slist *send_headers, *connect_to;
	http_on_reply *fn;
	void *arg;
	struct clock_timer *timer;
	void *client;				/* http_client.c's */
	struct http_tls_hand *hand;		/* NULL = plain HTTP */
	bool too_large, bad_head;
	bool ended;				/* with this code, and it is still to be told */
	CURLcode code;
	char error[CURL_ERROR_SIZE];
	/* what came */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t n_headers;
	uint8_t *body;
	size_t body_n, body_cap, body_max;
	TAILQ_ENTRY(http_flight) list;
};

struct http_flight_env {		/* of the client */
	const char *user_agent, *proxy;
	unsigned lead;			/* changes when the clock was moved: connections made before are not used again */
};

/* Ready to be added to a multi. RC_SYNTAX (URL, method, a header with control characters), RC_NOMEM. http_flight_free() frees. */
enum rc http_flight_new(const struct http_call *c, const struct http_flight_env *env, struct http_flight **out) MUST_USE;
/* The easy handle must be out of its multi. */
void http_flight_free(struct http_flight *f);
/* It ended with this: fill r, borrowing from f. */
void http_flight_reply(struct http_flight *f, CURLcode code, struct http_reply *r);

#endif
