#include "common/tunnel_buf.h"

#include <stdlib.h>
#include <string.h>

#include "common/wipe.h"

#define CAP_MIN 1024		/* more than TUNNEL_BUF_HEAD */

enum rc
tunnel_buf_room(struct tunnel_buf *b, size_t n, uint8_t **out)
{
	size_t cap;
	uint8_t *p;

	if (b->p != NULL && n <= b->cap - b->at - b->n) {
		*out = b->p + b->at + b->n;
		return RC_OK;
	}
	if (n > SIZE_MAX / 4 - b->n)
		return RC_NOMEM;
	if (b->p != NULL && b->at >= b->n / 2 && n <= b->cap - TUNNEL_BUF_HEAD - b->n) {
		memmove(b->p + TUNNEL_BUF_HEAD, b->p + b->at, b->n);
	} else {
		/* half as much again: when that is used up, at least half of what waits has left before */
		cap = CAP_MIN + (b->n + n) + (b->n + n) / 2;
		if ((p = malloc(cap)) == NULL)
			return RC_NOMEM;
		if (b->n > 0)
			memcpy(p + TUNNEL_BUF_HEAD, b->p + b->at, b->n);
		wipe_free(b->p);
		b->p = p;
		b->cap = cap;
	}
	b->at = TUNNEL_BUF_HEAD;
	*out = b->p + b->at + b->n;
	return RC_OK;
}

void
tunnel_buf_put(struct tunnel_buf *b, size_t n)
{
	b->n += n;
}

enum rc
tunnel_buf_add(struct tunnel_buf *b, struct span octets)
{
	uint8_t *to;
	enum rc rc;

	if (octets.n == 0)
		return RC_OK;
	if ((rc = tunnel_buf_room(b, octets.n, &to)) != RC_OK)
		return rc;
	memcpy(to, octets.p, octets.n);
	tunnel_buf_put(b, octets.n);
	return RC_OK;
}

struct span
tunnel_buf_span(const struct tunnel_buf *b)
{
	return (struct span){ b->n > 0 ? b->p + b->at : NULL, b->n };
}

void
tunnel_buf_drain(struct tunnel_buf *b, size_t n)
{
	if (n > b->n)
		n = b->n;
	b->n -= n;
	b->at = b->n > 0 ? b->at + n : b->p != NULL ? TUNNEL_BUF_HEAD : 0;
}

void
tunnel_buf_reset(struct tunnel_buf *b)
{
	wipe_free(b->p);
	*b = (struct tunnel_buf){ 0 };
}
