/* ctl_ops: the operations that all daemons have; the head of ctl.h lists them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ctl_int.h"
#include "common/daemon.h"
#include "common/trace.h"
#include "common/turn.h"

#define FOLLOW_MS 8000			/* less than the 10 s that an asker waits by default */

static const char *const level_words[] = { "error", "warn", "info", "debug" };
void
ctl_waiter_free(struct ctl_waiter *w)
{
	LIST_REMOVE(w, next);
	clock_timer_free(w->timer);
	free(w);
}

static struct ctl_waiter *
waiter_new(struct ctl *c, struct rpc_req *q, struct ctl_waiters *list)
{
	struct ctl_waiter *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->ctl = c;
	w->q = q;
	LIST_INSERT_HEAD(list, w, next);
	return w;
}

/* --- about the daemon */

static void
op_ping(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	(void)core;
	(void)body;
	ctl_ok(c, q, json_pack("{s:s, s:s}", "daemon", c->daemon, "version", KSLOCAL_VERSION));
}

static void
add_ops(json_t *list, const struct ctl_op *ops)
{
	for (; ops != NULL && ops->name != NULL; ops++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "op", ops->name, "help", ops->help != NULL ? ops->help : ""));
}

static void
op_ops(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	json_t *list = json_array();

	(void)core;
	(void)body;
	add_ops(list, ctl_common_ops);
	add_ops(list, c->hooks.ops);
	ctl_ok(c, q, json_pack("{s:o}", "ops", list));
}

static void
op_health(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	json_t *problems = json_array(), *notes = json_array();

	(void)core;
	(void)body;
	ctl_health(c, problems, notes);
	ctl_ok(c, q, json_pack("{s:b, s:o, s:o}", "healthy", json_array_size(problems) == 0, "problems", problems, "notes", notes));
}

static void
op_status(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:I, s:o, s:s, s:s, s:b, s:s}", "daemon", c->daemon, "version", KSLOCAL_VERSION,
	    "pid", (int)getpid(), "uptime_s", (json_int_t)((clock_mono_ms(c->env.clock) - c->started_ms) / 1000),
	    "now", ctl_now_json(c), "clock", ctl_clock_word(c), "log_level", level_words[log_get_level()],
	    "ready", c->ready, "control", ctl_address(c));

	(void)core;
	(void)body;
	if (o != NULL && c->hooks.status != NULL)
		c->hooks.status(c->hooks.status_arg, o);
	ctl_ok(c, q, o);
}

static void
op_log_level(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const json_t *level = json_object_get(body, "level");
	const char *word = json_string_value(level);
	unsigned i = 0;

	(void)core;
	if (level == NULL) {
		ctl_ok(c, q, json_pack("{s:s}", "level", level_words[log_get_level()]));
		return;
	}
	while (i < 4 && (word == NULL || strcmp(word, level_words[i]) != 0))
		i++;
	if (i == 4) {
		ctl_fail(c, q, REASON_CTL_USAGE, "level: expected one of: error warn info debug");
		return;
	}
	log_set_level((enum log_level)i);
	log_warn("ctl: log level is %s from here", word);
	ctl_ok(c, q, json_pack("{s:s}", "level", word));
}

static void
op_wait_ready(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	(void)core;
	(void)body;
	if (c->ready)
		ctl_ok(c, q, NULL);
	else if (waiter_new(c, q, &c->ready_waiters) == NULL)
		ctl_fail(c, q, REASON_INTERNAL, NULL);
}

static void
stop_now(void *arg, enum rc rc)
{
	struct ctl *c = arg;

	(void)rc;
	c->hooks.stop(c->hooks.stop_arg);
}

static void
op_stop(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	(void)core;
	(void)body;
	if (c->hooks.stop == NULL) {
		ctl_fail(c, q, REASON_LOCAL_UNSUPPORTED, NULL);
		return;
	}
	log_info("ctl: told to stop");
	ctl_ok(c, q, NULL);
	turn_later(c->env.turn, stop_now, c);	/* behind the answer */
}

/* --- trace */

static bool
wanted(const json_t *event, const char *member, const char *value)
{
	const char *s;

	if (value == NULL)
		return true;
	s = json_string_value(json_object_get(event, member));
	return s != NULL && strcmp(s, value) == 0;
}

static json_t *
trace_answer(const struct ctl *c, uint64_t since, const char *run, const char *btid)
{
	json_t *all = c->env.trace != NULL ? trace_since(c->env.trace, since) : json_array(), *some = json_array(), *e;
	bool more = false;
	size_t i;

	json_array_foreach(all, i, e) {
		if (!wanted(e, "run", run) || !wanted(e, "btid", btid))
			continue;
		if ((more = json_array_size(some) == CTL_TRACE_MAX))
			break;
		json_array_append(some, e);
		since = (uint64_t)json_integer_value(json_object_get(e, "seq"));
	}
	json_decref(all);
	return json_pack("{s:o, s:I, s:b}", "events", some, "last", (json_int_t)since, "more", more);
}

/* An integer member in 0..max, 0 when it is not there; false: it is something else. */
static bool
get_since(const json_t *body, uint64_t *out)
{
	const json_t *v = json_object_get(body, "since");

	*out = 0;
	if (v == NULL)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*out = (uint64_t)json_integer_value(v);
	return true;
}

static void
op_trace(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	uint64_t since;

	(void)core;
	if (!get_since(body, &since)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "since: expected a number of an event");
		return;
	}
	ctl_ok(c, q, trace_answer(c, since, json_string_value(json_object_get(body, "run")),
	    json_string_value(json_object_get(body, "btid"))));
}

static void
follow_answer(struct ctl_waiter *w)
{
	ctl_ok(w->ctl, w->q, trace_answer(w->ctl, w->since, NULL, NULL));
	ctl_waiter_free(w);
}

static void
on_follow_timer(void *arg)
{
	follow_answer(arg);
}

/* Every event of this turn is in the ring now. */
static void
tell_followers(void *arg, enum rc rc)
{
	struct ctl *c = arg;
	struct ctl_waiter *w;

	(void)rc;
	c->trace_due = false;
	while ((w = LIST_FIRST(&c->trace_waiters)) != NULL)
		follow_answer(w);
}

void
ctl_on_event(void *ctl)
{
	struct ctl *c = ctl;

	if (c->trace_due || LIST_EMPTY(&c->trace_waiters))
		return;
	c->trace_due = true;
	turn_later(c->env.turn, tell_followers, c);
}

static void
op_trace_follow(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct ctl_waiter *w = NULL;
	json_t *now;
	uint64_t since;

	(void)core;
	if (!get_since(body, &since)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "since: expected a number of an event");
		return;
	}
	now = trace_answer(c, since, NULL, NULL);
	if (json_array_size(json_object_get(now, "events")) > 0) {
		ctl_ok(c, q, now);
		return;
	}
	json_decref(now);
	if ((w = waiter_new(c, q, &c->trace_waiters)) == NULL ||
	    clock_timer_new(c->env.clock, on_follow_timer, w, &w->timer) != RC_OK) {
		if (w != NULL)
			ctl_waiter_free(w);
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	w->since = since;
	clock_timer_set(w->timer, FOLLOW_MS);
}

const struct ctl_op ctl_common_ops[] = {
	{ "ping", op_ping, "who is there" },
	{ "ops", op_ops, "what can be asked" },
	{ "health", op_health, "problems, if any" },
	{ "status", op_status, "what it listens on and holds" },
	{ "log-level", op_log_level, "show or set: error warn info debug" },
	{ "trace", op_trace, "events of the steps" },
	{ "trace-follow", op_trace_follow, "the same, waiting for new ones" },
	{ "clock", ctl_op_clock, "what time it is here" },
	{ "clock-advance", ctl_op_clock_advance, "move a controlled clock forward" },
	{ "clock-step", ctl_op_clock_step, "step a controlled clock's wall clock" },
	{ "clock-accept", ctl_op_clock_accept, "a jump of the wall clock was right" },
	{ "wait-ready", op_wait_ready, "answer when every listener stands" },
	{ "stop", op_stop, "end in good order" },
	{ NULL, NULL, NULL }
};
