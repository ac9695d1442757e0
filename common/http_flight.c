/* http_flight: one request as libcurl's easy handle, and the verdict on how it ended. */
#include "common/http_flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/naf_id.h"
#include "common/wipe.h"

#define BODY_MAX_DEFAULT (64u << 10)

/* --- what comes */

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_flight *f = arg;
	uint8_t *grown;

	n *= size;
	if (n > f->body_max - f->body_n) {
		f->too_large = true;
		return 0;
	}
	if (f->body_n + n > f->body_cap) {
		size_t cap = f->body_cap == 0 ? 1024 : f->body_cap;

		while (cap < f->body_n + n)
			cap *= 2;
		if ((grown = wipe_realloc(f->body, cap)) == NULL)
			return 0;
		f->body = grown;
		f->body_cap = cap;
	}
	if (n > 0)
		memcpy(f->body + f->body_n, p, n);
	f->body_n += n;
	return n;
}

static void
drop_headers(struct http_flight *f)
{
	for (size_t i = 0; i < f->n_headers; i++)
		free((char *)(uintptr_t)f->headers[i].name);	/* name and value are one block */
	f->n_headers = 0;
}

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_flight *f = arg;
	struct span line = span_of(p, n * size), name;
	char *block;

	if (line.n >= 5 && memcmp(p, "HTTP/", 5) == 0) {
		drop_headers(f);	/* what came with a 100 is not the answer's */
		curl_easy_setopt(f->easy, CURLOPT_FORBID_REUSE, 0L);
	}
	if (!span_upto(&line, ':', &name) || name.n == 0)
		return n * size;
	line = span_trim(line);
	while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n'))
		line.n--;
	line = span_trim(line);
	if (f->n_headers == HTTP_HEADERS_MAX || (block = malloc(name.n + line.n + 2)) == NULL) {
		f->bad_head = true;
		return 0;
	}
	if (!span_to_str(name, block, name.n + 1) || !span_to_str(line, block + name.n + 1, line.n + 1)) {
		free(block);		/* a NUL octet */
		f->bad_head = true;
		return 0;
	}
	f->headers[f->n_headers++] = (struct http_header){ block, block + name.n + 1 };
	return n * size;
}

static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct http_flight *f = arg;

	(void)easy;
	return http_tls_prepare(f->hand, ctx) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* --- what goes */

/* http or https, a host, nobody's password. */
static enum rc
take_url(struct http_flight *f, const struct http_call *c)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *user = NULL;
	size_t n;
	bool https;
	enum rc rc = RC_SYNTAX;

	if (u == NULL)
		return RC_NOMEM;
	if (curl_url_set(u, CURLUPART_URL, c->url, 0) != CURLUE_OK || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK || curl_url_get(u, CURLUPART_USER, &user, 0) != CURLUE_NO_USER)
		goto out;
	https = strcasecmp(scheme, "https") == 0;
	if ((!https && strcasecmp(scheme, "http") != 0) || https != (c->tls != NULL) || (n = strlen(host)) > FQDN_MAX)
		goto out;
	/* "[::1]" is an address in a URL and "::1" in a certificate */
	if (host[0] == '[')
		host[n - 1] = '\0';
	rc = !https || (f->hand = http_tls_hand_new(c->tls, host[0] == '[' ? host + 1 : host)) != NULL ? RC_OK : RC_NOMEM;
out:
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(u);
	return rc;
}

static bool
line_ok(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

static enum rc
add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		return RC_NOMEM;
	*list = longer;
	return RC_OK;
}

static enum rc
add_header(struct http_flight *f, const struct http_header *h)
{
	size_t cap = strlen(h->name) + strlen(h->value) + 3;
	char *line;
	enum rc rc;

	if (!line_ok(h->name) || !line_ok(h->value) || h->name[0] == '\0' || strpbrk(h->name, ":; ") != NULL)
		return RC_SYNTAX;
	if ((line = malloc(cap)) == NULL)
		return RC_NOMEM;
	/* libcurl: "Name;" sends an empty value, "Name:" would take the header away */
	if (h->value[0] == '\0')
		snprintf(line, cap, "%s;", h->name);
	else
		snprintf(line, cap, "%s: %s", h->name, h->value);
	rc = add_line(&f->send_headers, line);
	explicit_bzero(line, cap);
	free(line);
	return rc;
}

static enum rc
take_headers(struct http_flight *f, const struct http_call *c)
{
	enum rc rc = add_line(&f->send_headers, "Expect:");

	for (size_t i = 0; i < c->n_headers && rc == RC_OK; i++)
		rc = add_header(f, &c->headers[i]);
	if (rc == RC_OK && http_header_get(c->headers, c->n_headers, "Content-Type") == NULL)
		rc = add_line(&f->send_headers, "Content-Type:");
	return rc;
}

static enum rc
take_dial(struct http_flight *f, const struct http_call *c)
{
	char text[300];

	if (c->dial == NULL)
		return RC_OK;
	if (!line_ok(c->dial) || (size_t)snprintf(text, sizeof(text), "::%s", c->dial) >= sizeof(text))
		return RC_SYNTAX;
	return add_line(&f->connect_to, text);
}

#define SET(option, value) (ok = ok && curl_easy_setopt(f->easy, option, value) == CURLE_OK)

static bool
set_tls(struct http_flight *f, unsigned lead)
{
	char *mark = http_tls_mark(f->hand->tls, lead);
	struct curl_blob blob = { mark, mark == NULL ? 0 : strlen(mark), CURL_BLOB_COPY };
	bool ok = mark != NULL;

	SET(CURLOPT_CAINFO_BLOB, &blob);
	SET(CURLOPT_CAINFO, NULL);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	SET(CURLOPT_SSL_CTX_DATA, f);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);	/* a resumed session would skip the verdict on the server */
	free(mark);
	return ok;
}

static bool
set_options(struct http_flight *f, const struct http_call *c, const struct http_flight_env *env)
{
	bool ok = true;

	SET(CURLOPT_PRIVATE, f);
	SET(CURLOPT_ERRORBUFFER, f->error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);		/* never wait for the resolver's thread */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PROXY, env->proxy == NULL ? "" : env->proxy);	/* "": not the environment's */
	SET(CURLOPT_NOPROXY, "");
	/* until an answer comes: libcurl would put the connection aside with the server's last alert unread */
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_FRESH_CONNECT, c->fresh ? 1L : 0L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_URL, c->url);
	SET(CURLOPT_USERAGENT, env->user_agent);
	SET(CURLOPT_HTTPHEADER, f->send_headers);
	SET(CURLOPT_CONNECT_TO, f->connect_to);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, f);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, f);
	SET(CURLOPT_MAXLIFETIME_CONN, 600L);
	if (f->hand != NULL)
		ok = ok && set_tls(f, env->lead);
	if (c->body.n > 0 || strcmp(c->method, "POST") == 0) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.n);
		SET(CURLOPT_COPYPOSTFIELDS, c->body.n > 0 ? (const char *)c->body.p : "");
	}
	if (strcmp(c->method, "HEAD") == 0)
		SET(CURLOPT_NOBODY, 1L);
	else
		SET(CURLOPT_CUSTOMREQUEST, c->method);
	return ok;
}

enum rc
http_flight_new(const struct http_call *c, const struct http_flight_env *env, struct http_flight **out)
{
	struct http_flight *f = calloc(1, sizeof(*f));
	enum rc rc = RC_NOMEM;

	if (f == NULL)
		goto out;
	f->body_max = c->body_max != 0 ? c->body_max : BODY_MAX_DEFAULT;
	rc = RC_SYNTAX;
	if (c->method[0] == '\0' || strspn(c->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != strlen(c->method) || !line_ok(c->url))
		goto out;
	if ((rc = take_url(f, c)) != RC_OK || (rc = take_headers(f, c)) != RC_OK || (rc = take_dial(f, c)) != RC_OK)
		goto out;
	if ((f->easy = curl_easy_init()) == NULL || !set_options(f, c, env)) {
		rc = RC_NOMEM;
		goto out;
	}
	*out = f;
	f = NULL;
out:
	http_flight_free(f);
	return rc;
}

void
http_flight_free(struct http_flight *f)
{
	if (f == NULL)
		return;
	clock_timer_free(f->timer);
	curl_easy_cleanup(f->easy);
	http_tls_hand_unref(f->hand);
	curl_slist_free_all(f->send_headers);
	curl_slist_free_all(f->connect_to);
	drop_headers(f);
	wipe_free(f->body);		/* it may hold a key */
	free(f);
}

/* --- how it ended */

static enum reason
code_reason(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return REASON_HTTP_UNREACHABLE;
	case CURLE_OPERATION_TIMEDOUT:
		return REASON_HTTP_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
		return REASON_HTTP_TLS_SERVER;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		return REASON_HTTP_TLS_BROKEN;
	case CURLE_OUT_OF_MEMORY:
		return REASON_INTERNAL;
	default:
		return REASON_HTTP_BROKEN;
	}
}

void
http_flight_reply(struct http_flight *f, CURLcode code, struct http_reply *r)
{
	long status = 0;

	*r = (struct http_reply){ .why = REASON_NONE, .detail = "" };
	if (code == CURLE_OK) {
		curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
		r->status = (int)status;
		r->headers = f->headers;
		r->n_headers = f->n_headers;
		r->body = span_of(f->body, f->body_n);
		return;
	}
	r->why = code_reason(code);
	r->detail = f->error[0] != '\0' ? f->error : curl_easy_strerror(code);
	if (f->too_large) {
		r->why = REASON_HTTP_TOO_LARGE;
	} else if (f->bad_head) {
		r->why = REASON_HTTP_BROKEN;
		r->detail = "too many headers, or one with a NUL octet";
	} else if (f->hand != NULL && f->hand->server_bad) {
		r->why = REASON_HTTP_TLS_SERVER;
		r->detail = f->hand->detail;
	} else if (f->hand != NULL && f->hand->alert >= 0) {
		r->why = http_tls_alert_is_refusal(f->hand) ? REASON_HTTP_TLS_REFUSED : REASON_HTTP_TLS_BROKEN;
		r->detail = http_tls_alert_text(f->hand->alert);
	}
}
