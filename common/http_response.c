/* http_response: answers on their way to libmicrohttpd: the core's, and those that the server gives by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_server_int.h"
#include "common/log.h"

/* The body is cleansed when libmicrohttpd is through with it: it may hold a key. */
struct out_body {
	size_t n;
	char p[];
};

static void
out_body_free(void *p)
{
	struct out_body *b = p;

	explicit_bzero(b->p, b->n);
	free(b);
}

struct MHD_Response *
http_response_new(const struct http_server *s, const struct http_header *h, size_t n, struct span body, bool close)
{
	struct out_body *b = malloc(sizeof(*b) + body.n);
	struct MHD_Response *r = NULL;

	if (b == NULL)
		return NULL;
	b->n = body.n;
	if (body.n > 0)
		memcpy(b->p, body.p, body.n);
	r = MHD_create_response_from_buffer_with_free_callback_cls(body.n, b->p, out_body_free, b);
	if (r == NULL) {
		out_body_free(b);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (MHD_add_response_header(r, h[i].name, h[i].value) != MHD_YES)
			log_error("%s: answer header %s cannot be sent", s->name, h[i].name);
	if (s->server_header != NULL)
		(void)MHD_add_response_header(r, "Server", s->server_header);
	if (close)
		(void)MHD_add_response_header(r, "Connection", "close");
	return r;
}

size_t
http_refusal_text(const struct http_server *s, enum reason why, char *out, size_t cap)
{
	int n;

	if (s->refusal_body != NULL)
		return s->refusal_body(why, out, cap);
	n = snprintf(out, cap, "%s\n", reason_get(why)->what);
	return n < 0 || (size_t)n >= cap ? 0 : (size_t)n;
}

struct MHD_Response *
http_refusal_new(const struct http_server *s, enum reason why, bool close)
{
	char body[HTTP_REFUSAL_MAX];
	size_t n = http_refusal_text(s, why, body, sizeof(body));
	struct http_header h[2] = {
		{ "Content-Type", s->refusal_type }, { "Retry-After", "1" }
	};

	return http_response_new(s, h, reason_get(why)->http == 503 ? 2 : 1, span_of(body, n), close);
}
