/*
 * ctl: a daemon's control socket. A UNIX socket, peer credentials checked (root, or the daemon's own user or group), rpc
 * lines. Knows the operations all daemons have; a daemon adds its own by a table.
 *
 *	ping            {}                              → {daemon, version}
 *	ops             {}                              → {ops: [{op, help}]}
 *	health          {}                              → {healthy, problems: [text], notes: [text]}
 *	status          {}                              → {daemon, version, pid, uptime_s, now, clock, log_level, ready, …}
 *	log-level       {level?}                        → {level}: error warn info debug
 *	trace           {since?, run?, btid?}           → {events: [event], last, more}; since: a number of an event, default 0
 *	trace-follow    {since}                         → the same, as soon as there is one, or none after 8 s
 *	clock           {}                              → {clock, now, wall, jumped}
 *	clock-advance   {seconds}                       → {now, ran}: T3, answers after the timers due have run
 *	clock-step      {seconds}                       → {now, jumped}: the wall clock alone, either way
 *	clock-accept    {}                              → {now, accepted}: T2
 *	wait-ready      {}                              → {} as soon as every listener stands
 *	stop            {}                              → {}, and the daemon ends in good order
 */
#ifndef COMMON_CTL_H
#define COMMON_CTL_H

#include <jansson.h>
#include <stdbool.h>

#include "common/link.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/rpc.h"

#define CTL_LINE_MAX (256u << 10)	/* octets of one request */
#define CTL_TRACE_MAX 500		/* events in one answer; "more" says that there are more */

struct clock;
struct ctl;
struct timeguard;
struct trace;
struct turn;

/* One operation. fn answers by ctl_ok / ctl_fail, now or later. */
struct ctl_op {
	const char *name;			/* "key-list" */
	void (*fn)(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
	const char *help;			/* one line */
};

struct ctl_hooks {
	const struct ctl_op *ops;		/* ends with a NULL name */
	void *core;				/* given to ops and health; any hook may be NULL */
	/* Put problems as strings into the array; none = healthy. */
	void (*health)(void *core, json_t *problems);
	/* Add members to the status object: listeners' addresses, counts. */
	void (*status)(void *status_arg, json_t *status);
	void *status_arg;
	void (*stop)(void *stop_arg);		/* end in good order */
	void *stop_arg;
};

struct ctl_env {
	const struct link_net *net;
	struct clock *clock;
	struct timeguard *guard;
	struct turn *turn;
	struct trace *trace;
	const char *daemon;
};

/* address: "unix:/path" (mode 0660). RC_IO, RC_SYNTAX. Caller frees. */
enum rc ctl_new(const struct ctl_env *env, const char *address, const struct ctl_hooks *hooks, struct ctl **out) MUST_USE;
/*
 * Behind what waits in the turn's outbox: take nothing new, send what is answered, close; then done(arg), once, on the loop.
 * Waits 5 s at most for a client that does not read.
 */
void ctl_stop(struct ctl *c, void (*done)(void *arg), void *arg);
/* At once. NULL is fine. */
void ctl_free(struct ctl *c);
/* Every listener stands: wait-ready answers. */
void ctl_ready(struct ctl *c);
/* "unix:/path"; NULL is fine and gives "". */
const char *ctl_address(const struct ctl *c);

/*
 * What is wrong (empty = healthy) and what is worth knowing though nothing is wrong: the daemon's own problems, a store that
 * does not commit, a clock that jumped; a clock that is controlled. Strings are appended.
 */
void ctl_health(struct ctl *c, json_t *problems, json_t *notes);

/* Release with the turn. body is stolen, may be NULL. fmt may be NULL: the reason's own text. */
void ctl_ok(struct ctl *c, struct rpc_req *q, json_t *body);
void ctl_fail(struct ctl *c, struct rpc_req *q, enum reason why, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same with how long to wait before asking again. */
void ctl_fail_later(struct ctl *c, struct rpc_req *q, enum reason why, int64_t retry_after_s, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Before its answer: what is being waited for (U10); wait_s 0 = not told. */
void ctl_progress(struct ctl *c, struct rpc_req *q, const char *word, int64_t wait_s);

#endif
