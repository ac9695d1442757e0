/* local_impl: what local.c (links, conversations) and local_op.c (operations) share. Nobody else includes it. */
#ifndef MTD_LOCAL_IMPL_H
#define MTD_LOCAL_IMPL_H

#include <sys/queue.h>

#include "common/rpc.h"
#include "mtd/local.h"

struct link_listener;
struct mt_channel;

/* One conversation. */
struct mt_session {
	LIST_ENTRY(mt_session) all;
	struct mt_local *l;
	struct rpc *rpc;
	const struct mt_local_conf *conf;
	struct mt_origin from;
	struct device_id device_id;	/* as told last */
	char challenge[CHALLENGE_LEN + 1];	/* hello's (K13) */
	struct mt_channel *use;		/* its `use` waits for our answer: nothing else may come */
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
	struct mt_use *use;
	struct mt_invites *invites;
	struct mt_id id;
	struct mt_heard heard[MT_LOCALS_MAX];
	LIST_HEAD(, mt_session) sessions;
	LIST_HEAD(, mt_op) ops;		/* requests under way */
	LIST_HEAD(, mt_channel) channels;	/* whose `use` is under way */
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

/* Requests under way end with REASON_STOPPING, in the turn; nothing may call them back any more. */
void mt_local_drop_ops(struct mt_local *l);
/* A `use` that is not answered yet is not under way any more. */
void mt_local_drop_channels(struct mt_local *l);
/* The conversation is over: closed, or its channel is a tunnel's now. */
void mt_session_end(struct mt_session *s);
/* Answers in the turn. detail "" or more about it, of constant storage or short. */
void mt_local_refuse(struct mt_local *l, struct rpc_req *q, enum reason why, const char *detail);
/* Why its answer is not there yet, in the turn (U10); word of constant storage. */
void mt_local_word(struct mt_local *l, struct rpc_req *q, const char *word, int64_t wait_s);
/* NULL: it is gone. */
struct mt_session *mt_session_of(struct mt_local *l, struct rpc_req *q);
/* local_use.c */
void mt_local_do_use(struct mt_session *s, struct rpc_req *q, json_t *body);
/* The device of this conversation said who it is, or has a new key: if it is to open a tunnel, it is asked to (U4). */
void mt_local_greet(struct mt_session *s);
/* invite.h's way to a device: its oldest conversation, which is its messages' channel. RC_NOTFOUND. */
enum rc mt_local_ask(void *local, const struct device_id *id, const char *op, json_t *body, rpc_answer_fn *fn, void *arg) MUST_USE;
/* A request of this conversation's (rpc_cb). */
void mt_local_on_request(struct rpc_req *q, const char *name, json_t *body, void *session);

#endif
