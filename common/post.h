/* post: how a foreign thread (libmicrohttpd's, a card reader's) hands work to the loop. Bounded. */
#ifndef COMMON_POST_H
#define COMMON_POST_H

#include <stddef.h>

#include "common/rc.h"

struct loop;
struct post;

/* cap: requests that may wait. A turn takes at most 256 of them (ARCHITECTURE 6). Caller frees, after its threads ended. */
enum rc post_new(struct loop *loop, size_t cap, struct post **out) MUST_USE;
void post_free(struct post *q);
/* Any thread. fn(arg) runs on the loop, in order. RC_LIMIT: cap reached, fn will not run. The loop is woken once per empty → non-empty. */
enum rc post(struct post *q, void (*fn)(void *arg), void *arg) MUST_USE;
size_t post_waiting(struct post *q);

#endif
