/* ctl: the socket, who may speak, dispatch, and answers that leave with the turn. The common operations are ctl_ops.c's. */
#include "common/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ctl_int.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"

#define CLIENTS_MAX 64
#define TEXT_MAX 512

struct ctl_client {
	struct ctl *ctl;
	struct rpc *rpc;
	bool admitted;
	LIST_ENTRY(ctl_client) next;
};

/* --- answers wait for the end of the turn */

enum answer_kind { ANSWER_OK, ANSWER_FAIL, ANSWER_PROGRESS };

struct answer {
	enum answer_kind kind;
	struct rpc_req *q;
	json_t *body;
	enum reason why;
	int64_t s;		/* retry after, or how long it may take */
	char text[TEXT_MAX];	/* "" = the reason's own; or the word of a progress */
};

static void
release(void *arg, enum rc rc)
{
	struct answer *a = arg;

	if (a->kind == ANSWER_PROGRESS) {
		rpc_progress(a->q, a->text, a->s);
	} else if (a->kind == ANSWER_OK && rc == RC_OK) {
		rpc_ok(a->q, a->body);
		a->body = NULL;
	} else {
		if (a->kind == ANSWER_OK)
			a->why = REASON_NOT_DURABLE;
		rpc_fail(a->q, a->why, a->s, a->text[0] != '\0' ? "%s" : NULL, a->text);
	}
	json_decref(a->body);
	free(a);
}

static struct answer *
answer_new(enum answer_kind kind, struct rpc_req *q)
{
	struct answer *a = calloc(1, sizeof *a);

	if (a == NULL)
		log_fatal("ctl: out of memory with an answer to give");
	a->kind = kind;
	a->q = q;
	return a;
}

void
ctl_ok(struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct answer *a = answer_new(ANSWER_OK, q);

	a->body = body;
	turn_later(c->env.turn, release, a);
}

static void PRINTF_LIKE(5, 0)
fail(struct ctl *c, struct rpc_req *q, enum reason why, int64_t retry_after_s, const char *fmt, va_list ap)
{
	struct answer *a = answer_new(ANSWER_FAIL, q);

	a->why = why;
	a->s = retry_after_s;
	if (fmt != NULL)
		vsnprintf(a->text, sizeof a->text, fmt, ap);
	turn_later(c->env.turn, release, a);
}

void
ctl_fail(struct ctl *c, struct rpc_req *q, enum reason why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(c, q, why, 0, fmt, ap);
	va_end(ap);
}

void
ctl_fail_later(struct ctl *c, struct rpc_req *q, enum reason why, int64_t retry_after_s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(c, q, why, retry_after_s, fmt, ap);
	va_end(ap);
}

void
ctl_progress(struct ctl *c, struct rpc_req *q, const char *word, int64_t wait_s)
{
	struct answer *a = answer_new(ANSWER_PROGRESS, q);

	a->s = wait_s;
	snprintf(a->text, sizeof a->text, "%s", word);
	turn_later(c->env.turn, release, a);
}

/* --- requests */

static const struct ctl_op *
op_find(const struct ctl_op *ops, const char *name)
{
	for (; ops != NULL && ops->name != NULL; ops++)
		if (strcmp(ops->name, name) == 0)
			return ops;
	return NULL;
}

static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	struct ctl_client *cl = arg;
	struct ctl *c = cl->ctl;
	const struct ctl_op *o;
	char shown[64];

	if (!cl->admitted) {
		ctl_fail(c, q, REASON_CTL_DENIED, NULL);
	} else if ((o = op_find(ctl_common_ops, op)) != NULL) {
		o->fn(c, c, q, body);
	} else if ((o = op_find(c->hooks.ops, op)) != NULL) {
		o->fn(c->hooks.core, c, q, body);
	} else {
		ctl_fail(c, q, REASON_LOCAL_UNSUPPORTED, "%s knows no operation '%s'", c->daemon,
		    log_text(span_str(op), shown, sizeof shown));
	}
}

static void
client_free(struct ctl_client *cl)
{
	LIST_REMOVE(cl, next);
	rpc_free(cl->rpc);
	free(cl);
}

static void
tell_stopped(void *arg, enum rc rc)
{
	struct ctl *c = arg;

	(void)rc;
	c->stopped(c->stopped_arg);
}

static void
on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	struct ctl_client *cl = arg;
	struct ctl *c = cl->ctl;

	(void)r;
	if (why != REASON_NONE)
		log_debug("ctl: a client is gone: %s %s", reason_get(why)->code, detail);
	client_free(cl);
	if (c->stopped != NULL && LIST_EMPTY(&c->clients))
		turn_later(c->env.turn, tell_stopped, c);
}

/* A UNIX socket tells who is there; an address without credentials is no control socket. */
static bool
may_control(const struct link_peer *p)
{
	return p->has_cred && (p->uid == 0 || p->uid == geteuid() || p->gid == getegid() || p->in_our_group);
}

static void
on_accept(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { on_request, on_closed };
	const struct rpc_options opt = { .line_max = CTL_LINE_MAX };
	struct ctl *c = arg;
	struct ctl_client *cl = calloc(1, sizeof *cl);
	struct link_peer peer = { 0 };

	link_get_peer(l, &peer);
	if (cl == NULL || rpc_new(l, c->env.clock, &opt, &cb, cl, &cl->rpc) != RC_OK) {
		log_error("ctl: out of memory: a client is turned away");
		free(cl);
		link_free(l);
		return;
	}
	cl->ctl = c;
	LIST_INSERT_HEAD(&c->clients, cl, next);
	/* One who may not is told so in answer to whatever is asked: a closed connection says nothing. */
	cl->admitted = may_control(&peer);
	if (!cl->admitted)
		log_reason(REASON_CTL_DENIED, "ctl: %s uid=%ld gid=%ld", peer.address, (long)peer.uid, (long)peer.gid);
}

/* --- life */

enum rc
ctl_new(const struct ctl_env *env, const char *address, const struct ctl_hooks *hooks, struct ctl **out)
{
	const struct link_options opt = { .unix_mode = 0660, .max_links = CLIENTS_MAX };
	struct ctl *c = NULL;
	enum rc rc = RC_SYNTAX;

	if (strncmp(address, "unix:", 5) != 0)
		goto out;
	rc = RC_NOMEM;
	if ((c = calloc(1, sizeof *c)) == NULL)
		goto out;
	c->env = *env;
	c->hooks = *hooks;
	snprintf(c->daemon, sizeof c->daemon, "%s", env->daemon);
	c->env.daemon = c->daemon;
	c->started_ms = clock_mono_ms(env->clock);
	LIST_INIT(&c->clients);
	LIST_INIT(&c->ready_waiters);
	LIST_INIT(&c->trace_waiters);
	if ((rc = link_listen(env->net, address, &opt, on_accept, c, &c->listener)) != RC_OK)
		goto out;
	if (env->trace != NULL)
		trace_subscribe(env->trace, ctl_on_event, c);
	*out = c;
	c = NULL;
out:
	ctl_free(c);
	return rc;
}

/* Takes nothing new; those who wait for something are told that it will not come. */
static void
shut(struct ctl *c)
{
	struct ctl_waiter *w;

	if (c->env.trace != NULL)
		trace_subscribe(c->env.trace, NULL, NULL);
	link_listener_free(c->listener);
	c->listener = NULL;
	while ((w = LIST_FIRST(&c->ready_waiters)) != NULL || (w = LIST_FIRST(&c->trace_waiters)) != NULL) {
		rpc_fail(w->q, REASON_STOPPING, 0, NULL);
		ctl_waiter_free(w);
	}
}

static void
stop_now(void *arg, enum rc rc)
{
	struct ctl *c = arg;
	struct ctl_client *cl;

	(void)rc;
	shut(c);
	if (LIST_EMPTY(&c->clients))
		c->stopped(c->stopped_arg);
	LIST_FOREACH(cl, &c->clients, next)
		rpc_close(cl->rpc);	/* on_closed follows, never inside */
}

void
ctl_stop(struct ctl *c, void (*done)(void *arg), void *arg)
{
	c->stopped = done;
	c->stopped_arg = arg;
	turn_later(c->env.turn, stop_now, c);
}

void
ctl_free(struct ctl *c)
{
	struct ctl_client *cl;

	if (c == NULL)
		return;
	shut(c);
	while ((cl = LIST_FIRST(&c->clients)) != NULL)
		client_free(cl);
	free(c);
}

const char *
ctl_address(const struct ctl *c)
{
	return c != NULL ? link_listener_address(c->listener) : "";
}

void
ctl_ready(struct ctl *c)
{
	struct ctl_waiter *w;

	c->ready = true;
	while ((w = LIST_FIRST(&c->ready_waiters)) != NULL) {
		ctl_ok(c, w->q, NULL);
		ctl_waiter_free(w);
	}
}

static void
add_text(json_t *array, const char *text)
{
	json_array_append_new(array, json_string(text));
}

void
ctl_health(struct ctl *c, json_t *problems, json_t *notes)
{
	char text[256];

	if (!turn_healthy(c->env.turn))
		add_text(problems, "not-durable: the last commit of the store failed; free space on its file system");
	if (c->env.guard != NULL && timeguard_jumped(c->env.guard)) {
		snprintf(text, sizeof text, "clock-jumped: the wall clock is ahead of the store's time mark by more than clock_step_max; "
		    "set it right, or run 'ksctl %s clock accept' if it is right", c->daemon);
		add_text(problems, text);
	}
	if (!c->ready)
		add_text(problems, "not ready yet");
	if (clock_kind(c->env.clock) == CLOCK_CONTROLLED)
		add_text(notes, "THE CLOCK IS CONTROLLED (test { clock = controlled }): whoever may use this socket can move it; for labs only");
	if (c->hooks.health != NULL)
		c->hooks.health(c->hooks.core, problems);
}
