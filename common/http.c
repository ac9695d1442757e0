/* http: headers, and what a server must refuse whatever is behind it. The libraries are in http_server.c and http_client.c. */
#include "common/http.h"

#include <string.h>
#include <strings.h>

const char *
http_header_get(const struct http_header *h, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(h[i].name, name) == 0)
			return h[i].value;
	return NULL;
}

size_t
http_header_count(const struct http_header *h, size_t n, const char *name)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += strcasecmp(h[i].name, name) == 0;
	return found;
}

/* One list of entity tags: *( [ "W/" ] DQUOTE *etagc DQUOTE ), commas between; "*" alone. What is malformed names nothing more. */
static bool
etag_in(struct span in, const char *etag)
{
	struct span tag, weak;

	for (in = span_trim(in); in.n > 0; in = span_trim(in)) {
		if (in.p[0] == ',') {
			(void)span_take(&in, 1, &tag);
			continue;
		}
		if (in.n > 2 && in.p[0] == 'W' && in.p[1] == '/')
			(void)span_take(&in, 2, &weak);
		tag = in;
		if (!span_take(&in, 1, &weak) || weak.p[0] != '"' || !span_upto(&in, '"', &weak))
			return false;
		tag.n = weak.n + 2;
		if (span_eq_str(tag, etag))
			return true;
	}
	return false;
}

bool
http_etag_known(const struct http_header *h, size_t n, const char *etag)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(h[i].name, "If-None-Match") == 0 &&
		    (span_eq_str(span_trim(span_str(h[i].value)), "*") || etag_in(span_str(h[i].value), etag)))
			return true;
	return false;
}

/* RFC 9110 5.6.2: token. A blank before the colon ("Content-Length : 5") makes a name that is none. */
static bool
token_ok(const char *s)
{
	static const char extra[] = "!#$%&'*+-.^_`|~";

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		bool alnum = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9');

		if (!alnum && strchr(extra, *s) == NULL)
			return false;
	}
	return true;
}

/* RFC 9110 5.5: visible octets, blanks, tabs, and obs-text. */
static bool
value_ok(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

/* origin-form, or "*"; no blanks, no controls, and no %00, which would end a decoded path early. */
static bool
target_ok(const char *s)
{
	if (*s != '/' && strcmp(s, "*") != 0)
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f || strncmp(s, "%00", 3) == 0)
			return false;
	return true;
}

static bool
length_ok(const char *s)
{
	uint64_t v;

	return span_decimal(span_str(s), INT64_MAX, &v);
}

enum reason
http_head_check(const char *method, const char *target, const struct http_header *h, size_t n)
{
	size_t lengths, codings;

	if (n > HTTP_HEADERS_MAX)
		return REASON_HTTP_HEAD_LARGE;
	if (!token_ok(method) || !target_ok(target))
		return REASON_HTTP_BAD_HEAD;
	for (size_t i = 0; i < n; i++)
		if (!token_ok(h[i].name) || !value_ok(h[i].value))
			return REASON_HTTP_BAD_HEAD;
	if (http_header_count(h, n, "Host") != 1 || *http_header_get(h, n, "Host") == '\0')
		return REASON_HTTP_HOST;
	/* RFC 9112 6.3: whoever reads the length otherwise than a proxy before it hands its user's requests to another */
	lengths = http_header_count(h, n, "Content-Length");
	codings = http_header_count(h, n, "Transfer-Encoding");
	if (lengths + codings > 1)
		return REASON_HTTP_LENGTH;
	if (lengths == 1 && !length_ok(http_header_get(h, n, "Content-Length")))
		return REASON_HTTP_LENGTH;
	if (codings == 1 && strcasecmp(http_header_get(h, n, "Transfer-Encoding"), "chunked") != 0)
		return REASON_HTTP_LENGTH;
	return REASON_NONE;
}

enum rc
http_host_name(const char *host, char *out, size_t cap)
{
	struct span in = span_str(host), name, port;
	uint64_t v;

	if (in.n == 0)
		return RC_SYNTAX;
	if (in.p[0] == '[') {
		const uint8_t *end = memchr(in.p, ']', in.n);

		if (end == NULL || !span_take(&in, (size_t)(end - in.p) + 1, &name))
			return RC_SYNTAX;
		if (in.n > 0 && !(in.p[0] == ':' && span_take(&in, 1, &port)))
			return RC_SYNTAX;
		port = in;
	} else if (span_upto(&in, ':', &name)) {
		port = in;
	} else {
		name = in;
		port = (struct span){ NULL, 0 };
	}
	if (name.n == 0 || (port.n > 0 && !span_decimal(port, 65535, &v)))
		return RC_SYNTAX;
	if (!span_to_str(name, out, cap))
		return RC_RANGE;
	for (char *p = out; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return RC_OK;
}

void
http_answer(struct http_xchg *x, int status, const struct http_header *h, size_t n, struct span body, bool close)
{
	x->answer(x, status, h, n, body, close);
}

enum rc
http_send(const struct http_client *c, const struct http_call *call, http_on_reply *fn, void *arg, struct http_flight **out)
{
	return c->ops->send(c->ctx, call, fn, arg, out);
}

void
http_cancel(const struct http_client *c, struct http_flight *f)
{
	if (f != NULL)
		c->ops->cancel(c->ctx, f);
}
