/*
 * tunnel_buf: octets that come at the end and leave at the front, always one contiguous run. What is moved to keep it so is at most twice
 * what left before, so each octet is copied a bounded number of times however it is read; and a third of the memory at most is idle
 * when it is full.
 */
#ifndef COMMON_TUNNEL_BUF_H
#define COMMON_TUNNEL_BUF_H

#include "common/rc.h"
#include "common/span.h"

#define TUNNEL_BUF_HEAD 16	/* octets before them that may be written over: a frame's head */

struct tunnel_buf {		/* all zero: empty */
	uint8_t *p;
	size_t at, n, cap;	/* the octets are p[at .. at + n) */
};

/* Room for n octets more, at the end; *out is where they go, tunnel_buf_put() takes them in. RC_NOMEM. */
enum rc tunnel_buf_room(struct tunnel_buf *b, size_t n, uint8_t **out) MUST_USE;
void tunnel_buf_put(struct tunnel_buf *b, size_t n);
/* Room, copy, put. */
enum rc tunnel_buf_add(struct tunnel_buf *b, struct span octets) MUST_USE;
struct span tunnel_buf_span(const struct tunnel_buf *b);
/* At most what is there. */
void tunnel_buf_drain(struct tunnel_buf *b, size_t n);
/* Empty, without memory; what was there, and what was left when it grew, is cleansed. */
void tunnel_buf_reset(struct tunnel_buf *b);

#endif
