/*
 * http: the two HTTP seams, and what both ends share. http_server.c (libmicrohttpd), http_client.c (libcurl multi) are the real
 * ones; test/sim has in-memory ones.
 */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/reason.h"
#include "common/span.h"

#define HTTP_HEADERS_MAX 64

struct http_header {
	const char *name, *value;
};

/* --- server side: request in, answer out */

struct http_peer {
	char address[64];		/* "127.0.0.1:40112" */
	bool has_cert;			/* mutual TLS: verified in the handshake, judged again at this request (N5) */
	uint8_t spki_sha256[32];	/* of its public key: the pin */
	uint8_t issuer_sha256[32];	/* of the issuer's public key, when the chain has it, else zeros */
	char subject[256], issuer[256];	/* RFC 4514 text, escaped */
};

struct http_request {
	const char *method, *path;	/* path without query, percent-decoded by the library */
	const char *query;		/* raw, NULL if none */
	const struct http_header *headers;
	size_t n_headers;
	struct span body;		/* whole, at most the server's limit */
	const struct http_peer *peer;
};
/* The first header of that name (no case), NULL if none. */
const char *http_header_get(const struct http_header *h, size_t n, const char *name);
/* How many headers of that name there are. */
size_t http_header_count(const struct http_header *h, size_t n, const char *name);
/* RFC 9110 13.1.2: does If-None-Match name this entity tag ("…", quotes included)? Weak ones count, as do a list and "*". */
bool http_etag_known(const struct http_header *h, size_t n, const char *etag);
/*
 * What a server refuses before anyone looks at the request. Pure.
 *   target   as it came on the request line, query included
 * REASON_NONE, _HTTP_HEAD_LARGE (more than HTTP_HEADERS_MAX), _HTTP_BAD_HEAD, _HTTP_HOST, _HTTP_LENGTH.
 */
enum reason http_head_check(const char *method, const char *target, const struct http_header *h, size_t n);
/* The host of a Host header, without port, in lower case, brackets of an IPv6 address kept. RC_SYNTAX, RC_RANGE. */
enum rc http_host_name(const char *host, char *out, size_t cap) MUST_USE;

/*
 * One request that waits for its answer. Valid until http_answer(), which must come exactly once, on the loop thread; the
 * client may be gone by then, which changes nothing for the caller. The server answers 503 by itself after its own deadline,
 * and then drops a late answer.
 */
struct http_xchg {
	const struct http_request *req;
	void (*answer)(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close);
};
/* Copies all it is given. close: end the connection after this answer. Call from turn_later(). */
void http_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close);

typedef void http_on_request(struct http_xchg *x, void *arg);

/* --- client side */

struct http_tls;		/* http_client.h: trust list and own certificate */

struct http_call {		/* a request of ours; all borrowed during http_send() only */
	const char *method;
	const char *url;	/* http://… or https://… */
	const char *dial;	/* "host:port" to connect to instead of the URL's; NULL = as the URL says */
	const struct http_header *headers;
	size_t n_headers;
	struct span body;
	const struct http_tls *tls;	/* https; must outlive the call */
	int64_t timeout_ms;	/* whole exchange; 0 = 10,000 */
	size_t body_max;	/* of the answer; 0 = 64 KiB; more is REASON_HTTP_TOO_LARGE */
	bool fresh;		/* on a new connection: the one used before is not trusted any more */
};

struct http_reply {		/* borrowed during the callback */
	int status;		/* 0: no answer, why and detail tell */
	const struct http_header *headers;
	size_t n_headers;
	struct span body;	/* after transfer coding is removed */
	enum reason why;	/* REASON_HTTP_UNREACHABLE, _TIMEOUT, _TLS_SERVER (their certificate), _TLS_REFUSED (ours), _TOO_LARGE, _BROKEN */
	const char *detail;
};
typedef void http_on_reply(void *arg, const struct http_reply *r);

struct http_flight;
struct http_client {
	const struct http_client_ops *ops;
	void *ctx;
};
struct http_client_ops {
	enum rc (*send)(void *ctx, const struct http_call *c, http_on_reply *fn, void *arg, struct http_flight **out);
	void (*cancel)(void *ctx, struct http_flight *f);
};
/*
 * fn runs exactly once, never inside this call, unless cancelled. RC_NOMEM, RC_SYNTAX (URL). It may leave at once, before the turn
 * is durable: what it tells must not be of this turn.
 */
enum rc http_send(const struct http_client *c, const struct http_call *call, http_on_reply *fn, void *arg, struct http_flight **out) MUST_USE;
/* fn will not run; NULL is fine. */
void http_cancel(const struct http_client *c, struct http_flight *f);

#endif
