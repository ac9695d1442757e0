/* ctl_world: a world with a control socket in memory, and one client at it. */
#ifndef TEST_UNIT_NAFKCD_CTL_WORLD_H
#define TEST_UNIT_NAFKCD_CTL_WORLD_H

#include "common/ctl.h"
#include "test/unit/nafkcd/world.h"

static struct world w;
static struct said s;
static struct ctl *ctl;
static struct rpc *rpc;
static struct {
	int n;
	json_t *body;
	enum reason why;
} got;

static inline void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	(void)arg;
	(void)error;
	got.n++;
	got.body = body == NULL ? NULL : json_deep_copy(body);
	got.why = why;
}

static inline void
send_op(const char *op, const char *body)
{
	json_t *o = json_loads(body, 0, NULL);

	ck_assert(o != NULL);
	json_decref(got.body);
	memset(&got, 0, sizeof got);
	ck_ok(rpc_ask(rpc, op, o, on_answer, NULL, NULL));
	json_decref(o);
	settle(&w);
}

static inline json_t *
order(const char *op, const char *body)
{
	send_op(op, body);
	ck_assert_int_eq(got.n, 1);
	ck_assert_msg(got.why == REASON_NONE, "%s: %s", op, reason_get(got.why)->code);
	return got.body;
}

/* The i-th of a list's member. */
static inline const char *
at(const char *list, size_t i, const char *member)
{
	const char *text = json_string_value(json_object_get(json_array_get(json_object_get(got.body, list), i), member));

	return text == NULL ? "(none)" : text;
}

static inline void
on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)r;
	(void)why;
	(void)detail;
	(void)arg;
}

/* On a world that world_new() made. */
static inline void
start_ctl(void)
{
	static const struct rpc_cb cb = { NULL, on_closed };
	struct rpc_options opt = { .answer_timeout_ms = 3600000, .line_max = 1 << 18 };
	struct ctl_hooks hooks = { .ops = nafkc_ctl_ops, .health = nafkc_health, .status = nafkc_status };
	struct ctl_env env;
	struct link *l;

	world_start(&w);
	hooks.core = w.k;
	env = (struct ctl_env){ .net = w.net, .clock = w.clock, .guard = w.guard, .turn = w.turn, .trace = w.trace, .daemon = "nafkcd" };
	ck_ok(ctl_new(&env, "unix:/nafkcd.sock", &hooks, &ctl));
	ctl_ready(ctl);
	ck_ok(link_connect(w.net, "unix:/nafkcd.sock", NULL, NULL, NULL, &l));
	ck_ok(rpc_new(l, w.clock, &opt, &cb, NULL, &rpc));
	settle(&w);
}

static inline void
start(enum nafkc_mode mode)
{
	world_new(&w, NULL);
	w.conf.devices = mode;
	start_ctl();
}

/* It is to be refused, for this reason. */
static inline void
refused(const char *op, const char *body, enum reason why)
{
	send_op(op, body);
	ck_assert_int_eq(got.n, 1);
	ck_assert_msg(got.why == why, "%s %s: %s", op, body, reason_get(got.why)->code);
}

static inline void
finish(void)
{
	json_decref(got.body);
	got.body = NULL;
	rpc_free(rpc);
	settle(&w);
	ctl_free(ctl);
	world_free(&w);
}

#endif
