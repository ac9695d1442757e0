/*
 * http_client: the HTTP client on libcurl's multi interface, driven by the loop. Names are resolved by libcurl's own thread, so
 * nothing here blocks. Redirects are never followed, no proxy is taken from the environment, cookies and authentication are the
 * caller's. Connections are kept and used again.
 */
#ifndef COMMON_HTTP_CLIENT_H
#define COMMON_HTTP_CLIENT_H

#include <stddef.h>

#include "common/http.h"
#include "common/rc.h"

struct clock;
struct loop;

struct http_client_conf {	/* borrowed during http_client_new() only */
	const char *user_agent;	/* NULL = none; a header of the call's own comes before it */
	const char *proxy;	/* "http://host:port"; NULL = none */
	size_t connections;	/* kept open; 0 = 16 */
};
/* RC_NOMEM, RC_IO. conf may be NULL. Caller frees. */
enum rc http_client_new(struct loop *loop, struct clock *clock, const struct http_client_conf *conf, struct http_client **out)
    MUST_USE;
/* Flights still open end without callback. NULL is fine. */
void http_client_free(struct http_client *c);

/*
 * One https end: whom to trust, who we are. TLS 1.2 and 1.3. The server's certificate must lead to ca_file, be valid by clock's
 * time (T3), and carry the URL's host as dNSName (or iPAddress): no common name, no wildcard (N4).
 *   ca_file    PEM trust anchors; no others are taken
 *   cert_file  own certificate and intermediates, PEM; NULL = none, then key_file is NULL too
 *   key_file   PEM; refused (RC_DENIED) when group or world may read it
 * RC_IO, RC_SYNTAX, RC_DENIED (the log names the file). Caller frees, after the calls that use it.
 */
enum rc http_tls_new(const char *ca_file, const char *cert_file, const char *key_file, const struct clock *clock,
    struct http_tls **out) MUST_USE;
/* NULL is fine. */
void http_tls_free(struct http_tls *t);

#endif
