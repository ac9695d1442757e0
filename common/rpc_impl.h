/* rpc_impl: what rpc.c (life, asking, answering) and rpc_in.c (what comes in) share. */
#ifndef COMMON_RPC_IMPL_H
#define COMMON_RPC_IMPL_H

#include <stdbool.h>
#include <sys/queue.h>

#include "common/rpc.h"

/* A request of the peer's that waits for our answer. */
struct rpc_req {
	LIST_ENTRY(rpc_req) all;
	struct rpc *r;			/* NULL: the conversation is over */
	json_int_t id;
	json_t *body;
};

/* A request of ours that waits for the peer's answer. */
struct rpc_own {
	LIST_ENTRY(rpc_own) all;
	struct rpc *r;
	json_int_t id;
	int64_t deadline_ms;		/* monotonic; progress does not move it */
	struct clock_timer *timer;
	rpc_answer_fn *on_answer;
	rpc_progress_fn *on_progress;
	void *arg;
};

struct rpc {
	struct link *link;
	struct clock *clock;
	struct rpc_options opt;
	struct rpc_cb cb;
	void *arg;
	LIST_HEAD(, rpc_req) reqs;
	LIST_HEAD(, rpc_own) asks;
	size_t n_reqs, n_asks;
	json_int_t next_id;
	unsigned bad;
	uint64_t lines;
	size_t scanned;			/* octets at the front of the input that hold no newline */
	bool skipping;			/* inside a line that is too long */
	bool closing, dead;
	unsigned depth;
	struct clock_timer *later;	/* lines left over, or an end that must not come inside a call */
	enum reason end_why;
};

/* Callbacks may free the conversation: who calls out holds it meanwhile, and looks at dead afterwards. */
void rpc_hold(struct rpc *r);
void rpc_release(struct rpc *r);
/* Sends an object as a line and steals it; NULL or no room ends the conversation in the next turn. */
void rpc_send(struct rpc *r, json_t *obj);
/* Ends an own request: removed first, then its callback. */
void rpc_own_end(struct rpc_own *a, json_t *body, enum reason why, const json_t *error);
void rpc_own_wait(struct rpc_own *a, int64_t wait_s);
/* All whole lines of the input, as far as one turn may go. */
void rpc_take_lines(struct rpc *r);

#endif
