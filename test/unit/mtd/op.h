/* op: the rig with an operator on the MT's control socket. For tests of what is asked there. */
#ifndef TEST_UNIT_MTD_OP_H
#define TEST_UNIT_MTD_OP_H

#include "test/unit/mtd/rig.h"

#include "common/ctl.h"

#define OP_SOCKET "unix:/ctl"

static struct {
	struct ctl *ctl;
	struct dev dev;			/* asks there */
} op;

/* Behind rig_start(). */
static inline void
op_open(void)
{
	static const struct link_cb cb = { .on_up = dev_on_up, .on_closed = dev_on_link_closed };
	static const struct link_options opt;
	const struct ctl_hooks hooks = { .ops = mt_ctl_ops, .core = rig.mt, .health = mt_health, .status = mt_status, .status_arg = rig.mt };
	const struct ctl_env env = { rig.net, rig.clock, rig.guard, rig.turn, rig.trace, "mtd" };

	memset(&op, 0, sizeof op);
	ck_ok(ctl_new(&env, OP_SOCKET, &hooks, &op.ctl));
	ctl_ready(op.ctl);
	ck_ok(link_connect(rig.net, OP_SOCKET, &opt, &cb, &op.dev, &op.dev.link));
	rig_run();
	ck_assert(op.dev.up);
}

/* Before rig_down(). */
static inline void
op_close(void)
{
	json_decref(op.dev.ok);
	rpc_free(op.dev.rpc);
	ctl_free(op.ctl);
	memset(&op, 0, sizeof op);
}

/* An operation about one device; body is the whole answer. */
static inline void
op_device(const char *what, const char *device_id)
{
	dev_ask(&op.dev, what, json_pack("{s:s}", "device_id", device_id));
}

/* How many of these rows have this member so. */
static inline int
op_count(const char *list, const char *member, const char *value)
{
	const json_t *row;
	size_t i;
	int n = 0;

	json_array_foreach(json_object_get(op.dev.ok, list), i, row) {
		const char *v = json_string_value(json_object_get(row, member));

		n += v != NULL && strcmp(v, value) == 0;
	}
	return n;
}

#endif
