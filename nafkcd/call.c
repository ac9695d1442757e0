#include "nafkcd/call.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/profile.h"
#include "common/turn.h"
#include "nafkcd/auth.h"

#include <utlist.h>

struct nafkc_call *
nafkc_call_new(struct nafkc *k, struct http_xchg *x)
{
	struct nafkc_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		log_fatal("ua: out of memory with a request waiting");
	c->k = k;
	c->x = x;
	c->began_ms = clock_mono_ms(k->s.clock);
	c->ask.peer = x->req->peer->address;
	c->ask.subject = "";
	DL_APPEND(k->calls, c);
	k->ua_requests++;
	metric_add(k->count.requests, 1);
	return c;
}

static void
call_free(struct nafkc_call *c)
{
	if (c->k != NULL)
		DL_DELETE(c->k->calls, c);
	nafkc_auth_free(c->auth);
	OPENSSL_clear_free(c->body, c->n);
	free(c);
}

/* Each has its answer in the turn's outbox by now, which may run after the core has gone. */
void
nafkc_ua_free(struct nafkc *k)
{
	struct nafkc_call *c, *next;

	DL_FOREACH_SAFE(k->calls, c, next) {
		DL_DELETE(k->calls, c);
		c->k = NULL;
	}
}

bool
nafkc_call_set_body(struct nafkc_call *c, const char *p, size_t n)
{
	OPENSSL_clear_free(c->body, c->n);	/* maybe a key that could not be kept */
	c->n = 0;
	if ((c->body = OPENSSL_malloc(n)) == NULL)
		return false;
	memcpy(c->body, p, n);
	c->n = n;
	return true;
}

void
nafkc_call_put_error(struct nafkc_call *c, enum reason why, const char *text, int64_t retry_after_s)
{
	char page[UAXML_MAX];
	size_t n = 0;

	c->status = reason_get(why)->http;
	/* without a body, for want of memory or a text too long for its document, the status says it too */
	(void)!(uaxml_print_error(why, text, page, sizeof(page), &n) == RC_OK && nafkc_call_set_body(c, page, n));
	c->etag[0] = '\0';
	c->retry_after[0] = '\0';
	if (retry_after_s > 0)
		snprintf(c->retry_after, sizeof(c->retry_after), "%lld", (long long)retry_after_s);
}

/* With the turn: what it tells is on disk, or it tells that it could not be kept. */
static void
release(void *arg, enum rc rc)
{
	struct nafkc_call *c = arg;
	struct http_header h[6];
	size_t n = 0;

	if (rc != RC_OK)
		nafkc_call_put_error(c, REASON_NOT_DURABLE, NULL, 2);
	h[n++] = (struct http_header){ "Cache-Control", "no-store" };
	if (c->n > 0)
		h[n++] = (struct http_header){ "Content-Type", profile.ua.media_type_charset };
	if (c->retry_after[0] != '\0')
		h[n++] = (struct http_header){ "Retry-After", c->retry_after };
	if (c->etag[0] != '\0')
		h[n++] = (struct http_header){ "ETag", c->etag };
	if (c->allow != NULL)
		h[n++] = (struct http_header){ "Allow", c->allow };
	if (c->auth != NULL && nafkc_auth_header(c->auth, c->status, span_of(c->body, c->n), &h[n]))
		n++;
	http_answer(c->x, c->status, h, n, span_of(c->body, c->n), c->close);
	call_free(c);
}

void
nafkc_call_answer(struct nafkc_call *c)
{
	turn_later(c->k->s.turn, release, c);
}

void
nafkc_call_refuse(struct nafkc_call *c, enum reason why, const char *text, int64_t retry_after_s)
{
	nafkc_call_put_error(c, why, text, retry_after_s);
	/* N5: who is blocked is not kept connected, whatever connection or session it came on */
	c->close = c->close || why == REASON_UA_BLOCKED || why == REASON_UA_KEY_BLOCKED || why == REASON_UA_ISSUER_BLOCKED;
	log_reason(why, "ua: peer=%s subject=\"%s\" device_id=%s btid=%s%s%s", c->ask.peer, c->ask.subject, c->ask.triple.device_id.s,
	    c->ask.triple.btid.s, text != NULL ? " text=" : "", text != NULL ? text : "");
	metric_add(c->k->count.refusals, 1);
	nafkc_call_answer(c);
}

const char *
nafkc_call_header(const struct nafkc_call *c, const char *name)
{
	return http_header_get(c->x->req->headers, c->x->req->n_headers, name);
}
