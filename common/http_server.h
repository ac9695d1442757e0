/*
 * http_server: the HTTP and HTTPS listener on libmicrohttpd: a pool of threads does TLS and HTTP, the whole request is handed
 * to the loop by post(), the answer goes back by resuming the connection. Or libmicrohttpd runs on the loop itself, and nothing is
 * handed over: where there is no TLS to do, or no second processor to do it on. Its TLS is GnuTLS, whose types stay in
 * http_server_tls.c. Everything exported is for the loop thread; on_request runs there.
 *
 * It refuses by itself, before on_request hears of it: no Host, a repeated Host or Content-Length, Content-Length beside
 * Transfer-Encoding (400); a body over body_max (413); a head over head_max (431); a body that does not come within
 * request_ms (408); a full queue, a stopping server, no answer within answer_ms (503, Retry-After). A head that does not come in
 * time ends the connection without an answer.
 */
#ifndef COMMON_HTTP_SERVER_H
#define COMMON_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http.h"
#include "common/rc.h"
#include "common/reason.h"

struct clock;
struct http_server;
struct loop;

/* PEM files. TLS 1.2 and 1.3. */
struct http_server_tls {
	const char *cert_file;		/* own certificate, then its intermediates */
	const char *key_file;		/* refused (RC_DENIED) when group or world may read it */
	const char *client_ca_file;	/* trust anchors for clients; NULL = no client certificate is asked for */
	const char *client_crl_file;	/* NULL = none */
};

/* The body of an answer that the server gives by itself. Called on any thread: pure. Returns octets written, at most cap. */
typedef size_t http_refusal_body(enum reason why, char *out, size_t cap);

struct http_server_conf {		/* all borrowed during http_server_new() only; 0 = the default in brackets */
	const char *listen;		/* "127.0.0.1:0", "[::1]:8443"; port 0 = any */
	const struct http_server_tls *tls;	/* NULL = plain HTTP */
	bool on_loop;			/* no threads: handshakes, too, hold up the loop */
	unsigned threads;		/* [processors, at most 8] */
	unsigned connections;		/* in all [1,024]; more wait in the kernel */
	unsigned per_ip;		/* of one address [no limit of its own] */
	size_t body_max;		/* octets of a request's body [8 KiB] */
	size_t head_max;		/* octets of request line and headers [8 KiB] */
	size_t waiting_max;		/* requests that the core has not answered [1,024]; more get 503 */
	int64_t idle_ms;		/* from connection, or the last answer, to the end of the next head [30,000] */
	int64_t request_ms;		/* from the request line to the end of the body [10,000] */
	int64_t answer_ms;		/* from then to http_answer() [10,000] */
	http_refusal_body *refusal_body;	/* NULL: one line of plain text */
	const char *refusal_type;	/* its Content-Type */
	const char *server_header;	/* value of the Server header; NULL = none */
	const char *name;		/* "ua", "ub": in log lines */
};

/*
 * Binds, and starts its threads. With a controlled or virtual clock GnuTLS's clock is set for the whole process (T3).
 * RC_IO (address, file), RC_SYNTAX (address, PEM), RC_DENIED (key_file's mode), RC_NOMEM; the log says which. Caller frees.
 */
enum rc http_server_new(struct loop *loop, struct clock *clock, const struct http_server_conf *conf, http_on_request *on_request,
    void *arg, struct http_server **out) MUST_USE;
/* What was bound: "127.0.0.1:40112". */
const char *http_server_address(const struct http_server *s);
/*
 * Reads certificate, key, trust anchors and CRL again: the next handshake and the next request are judged by them. On failure all
 * stays as it was. RC_STATE: plain HTTP; else as http_server_new().
 */
enum rc http_server_reload(struct http_server *s) MUST_USE;
/*
 * Accepts no more, answers what is in flight (the core still does; 503 when its deadline passes), then done(arg), once, on the
 * loop. New requests on standing connections get 503.
 */
void http_server_stop(struct http_server *s, void (*done)(void *arg), void *arg);
/*
 * After done. Without stop: what is in flight gets 503; its http_xchg live until http_answer(), which then does nothing.
 * NULL is fine.
 */
void http_server_free(struct http_server *s);

struct http_server_stats {
	uint64_t requests;		/* handed to on_request */
	uint64_t refused;		/* by the server itself */
	uint64_t handshakes_refused;	/* a client's certificate did not pass */
	size_t connections, in_flight;	/* now */
};
void http_server_get_stats(struct http_server *s, struct http_server_stats *out);

#endif
