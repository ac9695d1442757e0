/* ctl_int: what ctl.c (the socket) and ctl_ops.c (the operations all daemons have) share; nobody else's. */
#ifndef COMMON_CTL_INT_H
#define COMMON_CTL_INT_H

#include <sys/queue.h>

#include "common/clock.h"
#include "common/ctl.h"
#include "common/log.h"

/* A request that waits for something: ready, or an event of the trace. */
struct ctl_waiter {
	struct ctl *ctl;
	struct rpc_req *q;
	uint64_t since;
	struct clock_timer *timer;	/* of trace-follow; NULL for wait-ready */
	LIST_ENTRY(ctl_waiter) next;
};
LIST_HEAD(ctl_waiters, ctl_waiter);

struct ctl {
	struct ctl_env env;
	struct ctl_hooks hooks;
	char daemon[32];
	struct link_listener *listener;
	LIST_HEAD(, ctl_client) clients;
	struct ctl_waiters ready_waiters, trace_waiters;
	bool ready;
	void (*stopped)(void *arg);	/* ctl_stop's */
	void *stopped_arg;
	bool trace_due;			/* the followers are told in this turn already */
	int64_t started_ms;		/* monotonic */
};

/* The operations of the head of ctl.h; ends with a NULL name. */
extern const struct ctl_op ctl_common_ops[];
/* A waiter that is over, without answer. */
void ctl_waiter_free(struct ctl_waiter *w);
/* trace_subscribe's: tells the followers, once a turn. */
void ctl_on_event(void *ctl);


/* ctl_clock.c's: as ctl_op.fn; the time as text; the kind of clock. */
void ctl_op_clock(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void ctl_op_clock_advance(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void ctl_op_clock_step(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void ctl_op_clock_accept(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
json_t *ctl_now_json(const struct ctl *c);
const char *ctl_clock_word(const struct ctl *c);

#endif
