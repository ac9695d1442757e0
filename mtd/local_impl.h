/* local_impl: what local.c (links, conversations) and local_op.c (operations) share. Nobody else includes it. */
#ifndef MTD_LOCAL_IMPL_H
#define MTD_LOCAL_IMPL_H

#include <sys/queue.h>

#include "common/rpc.h"
#include "mtd/local.h"

struct link_listener;

/* One conversation. */
struct mt_session {
	LIST_ENTRY(mt_session) all;
	struct mt_local *l;
	struct rpc *rpc;
	const struct mt_local_conf *conf;
	struct mt_origin from;
	struct device_id device_id;	/* as told last; for status */
	bool asked_info;		/* K8: its last info … */
	struct btid shown;		/* … showed this */
};

struct mt_heard {		/* a listener and what it needs to accept */
	struct mt_local *l;
	const struct mt_local_conf *conf;
	struct link_listener *listener;
};

struct mt_local {
	const struct mt_seams *s;
	const struct mt_conf *conf;
	struct mt_gba *g;
	struct mt_id id;
	struct mt_heard heard[MT_LOCALS_MAX];
	LIST_HEAD(, mt_session) sessions;
	LIST_HEAD(, mt_op) ops;		/* requests under way */
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

/* Requests under way end with REASON_STOPPING, in the turn; nothing may call them back any more. */
void mt_local_drop_ops(struct mt_local *l);
/* A request of this conversation's (rpc_cb). */
void mt_local_on_request(struct rpc_req *q, const char *name, json_t *body, void *session);

#endif
