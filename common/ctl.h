/*
 * ctl: a daemon's control socket. A UNIX socket, peer credentials checked (root, or the daemon's own user or group), rpc
 * lines. Knows the operations all daemons have: health, status, ping, trace, trace-follow, log-level, clock, clock-advance (T3),
 * clock-accept, wait-ready, stop, ops. A daemon adds its own by a table.
 */
#ifndef COMMON_CTL_H
#define COMMON_CTL_H

#include <jansson.h>
#include <stdbool.h>

#include "common/link.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/rpc.h"

struct clock;
struct ctl;
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
	void *core;				/* given to ops and to the hooks below */
	/* Put problems as strings into the array; none = healthy. */
	void (*health)(void *core, json_t *problems);
	/* Add members to the status object: listeners' addresses, counts. */
	void (*status)(void *core, json_t *status);
	void (*stop)(void *core);		/* end in good order */
	void (*clock_accept)(void *core);	/* T2 */
};

struct ctl_env {
	const struct link_net *net;
	struct clock *clock;
	struct turn *turn;
	struct trace *trace;
	const char *daemon;
};

/* address: "unix:/path" (mode 0660). RC_IO, RC_SYNTAX. Caller frees. */
enum rc ctl_new(const struct ctl_env *env, const char *address, const struct ctl_hooks *hooks, struct ctl **out) MUST_USE;
void ctl_free(struct ctl *c);
/* Every listener stands: wait-ready answers, the ready line is printed, systemd is told (sd_notify). */
void ctl_ready(struct ctl *c);
const char *ctl_address(const struct ctl *c);

/* Release with the turn. body is stolen, may be NULL. fmt may be NULL: the reason's own text. */
void ctl_ok(struct ctl *c, struct rpc_req *q, json_t *body);
void ctl_fail(struct ctl *c, struct rpc_req *q, enum reason why, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
