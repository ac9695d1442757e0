/*
 * rpc: newline-delimited JSON over a link: requests with ids, answers, errors, progress. The local interface and the control
 * socket both speak it.                                                    ARCHITECTURE 4 "Local interface", RULES U10
 *
 *   {"id":7,"op":"info", …}                                   request; either side may ask, each with its own ids
 *   {"id":7,"progress":"bootstrapping","wait_s":20}           any number, each restarts the asker's timer; 5 minutes in all
 *   {"id":7,"ok":true, …}                                     answer
 *   {"id":7,"error":{"code":"busy","text":"…","reason":"…","retry_after_s":3}}
 *
 * A line that is no such object gets "bad-message" and the link stays; after max_bad of them it is closed. An orphan answer is
 * logged and ignored. An unknown operation is the handler's to refuse (REASON_LOCAL_UNSUPPORTED).
 */
#ifndef COMMON_RPC_H
#define COMMON_RPC_H

#include <jansson.h>
#include <stdint.h>

#include "common/link.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/span.h"

#define RPC_LINE_MAX 8192	/* octets, newline not counted; what the local interface takes */

struct clock;
struct rpc;			/* one conversation on one link */
struct rpc_req;			/* a request of the peer's that waits for our answer */

struct rpc_options {
	size_t line_max;	/* incoming; 0 = RPC_LINE_MAX. A longer line is skipped and counts as bad */
	unsigned max_bad;	/* 0 = 16 */
	unsigned max_open;	/* requests of the peer's that may wait at once, more get "busy"; 0 = 64 */
	int64_t answer_timeout_ms;	/* 0 = 10,000; restarted by progress */
};

struct rpc_cb {
	/* A request; body is the whole object. Answer now or later by rpc_ok / rpc_fail, exactly once; op and body are borrowed
	 * until then. rpc_close() and rpc_free() are fine inside. */
	void (*on_request)(struct rpc_req *q, const char *op, json_t *body, void *arg);
	/* The link ended; every own request was answered with REASON_LOCAL_GONE before. Peer's open requests: rpc_req stays
	 * valid until answered, the answer goes nowhere. Call rpc_free(). */
	void (*on_closed)(struct rpc *r, enum reason why, const char *detail, void *arg);
};

/* Takes the link over (its callbacks too). Caller frees. */
enum rc rpc_new(struct link *l, struct clock *clock, const struct rpc_options *opt, const struct rpc_cb *cb, void *arg,
    struct rpc **out) MUST_USE;
/* Frees the link too; own requests are dropped without callback. NULL is fine. */
void rpc_free(struct rpc *r);
/* Flush and close in good order; on_closed follows. */
void rpc_close(struct rpc *r);
struct link *rpc_link(struct rpc *r);
/* How many whole lines came, of whatever kind: whoever must know that none came in between asks twice (U2). */
uint64_t rpc_lines(const struct rpc *r);
/* Nothing waits on either side, octets included, but one request of the peer's: after its answer rpc_detach() will do (U2). */
bool rpc_is_quiet(const struct rpc *r);
/*
 * The link changes hands, for what comes after the messages (U2): the conversation is over and freed, *out is the caller's, with
 * no callbacks set: hand it on in the same call. Answers that were written leave before whatever is written next. RC_STATE: octets
 * wait (half a line, too), or requests of either side, or the link is closing; nothing is changed then.
 */
enum rc rpc_detach(struct rpc *r, struct link **out) MUST_USE;

/* The answer to a request of ours. Exactly one of: ok (body borrowed), or why/error (error as received, may be NULL). */
typedef void rpc_answer_fn(void *arg, json_t *body, enum reason why, const json_t *error);
typedef void rpc_progress_fn(void *arg, const char *word, int64_t wait_s);
/*
 * Ask. Steals nothing: body (an object, may be NULL) is copied into {"id":…,"op":op,…}. on_answer runs exactly once, never inside
 * this call, unless rpc_free() comes first. why is REASON_LOCAL_TIMEOUT, REASON_LOCAL_GONE, or what the error's reason/code names.
 */
enum rc rpc_ask(struct rpc *r, const char *op, json_t *body, rpc_answer_fn *on_answer, rpc_progress_fn *on_progress, void *arg)
    MUST_USE;

/* Answers; body is stolen and may be NULL. Each writes at once: call them from turn_later(). */
void rpc_ok(struct rpc_req *q, json_t *body);
void rpc_fail(struct rpc_req *q, enum reason why, int64_t retry_after_s, const char *fmt, ...) PRINTF_LIKE(4, 5);
void rpc_progress(struct rpc_req *q, const char *word, int64_t wait_s);
/* The conversation a request came on; NULL when its link is gone. */
struct rpc *rpc_req_rpc(struct rpc_req *q);

/* Pure: one line → object. RC_SYNTAX (no object, repeated member, bad UTF-8), RC_RANGE (too long). Caller json_decref()s. */
enum rc rpc_parse(struct span line, size_t line_max, json_t **out) MUST_USE;

#endif
