/*
 * link_join: two links become one pipe: what comes in at one goes out at the other, both ways, with backpressure; one's end of
 * sending is passed on as such, a reset as a reset. Between a service's socket and a stream of a tunnel.          U5
 */
#ifndef COMMON_LINK_JOIN_H
#define COMMON_LINK_JOIN_H

#include "common/link.h"

struct link_join;

/* What went through, for logs and status. */
struct link_join_stats {
	uint64_t a_to_b, b_to_a;	/* octets */
};
/*
 * Takes both over; both are up and half_open, input that waits already is passed on. on_end once, when both are gone (freed already);
 * never inside this call. why REASON_NONE: both ended in good order; else what cut it. RC_NOMEM: both are still the caller's.
 *   buffer   octets that may wait at a link until the other takes them, each way; 0 = 256 KiB. Half as many may be on their way out
 */
enum rc link_join_new(struct link *a, struct link *b, size_t buffer,
    void (*on_end)(struct link_join *j, enum reason why, const struct link_join_stats *st, void *arg), void *arg, struct link_join **out)
    MUST_USE;
/* At once: both are reset, on_end does not follow. Else freed by itself after on_end. NULL is fine. */
void link_join_cut(struct link_join *j);
void link_join_get_stats(const struct link_join *j, struct link_join_stats *out);

#endif
