/* ops_use: the control operations of a key at work: use, tunnel-list. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/tunnel.h"
#include "extdevd/use.h"

#define WAIT_S 40	/* an establishment may have to come first */

static json_t *
tunnel_object(const struct extdev_channel *c)
{
	json_t *o = extdev_key_object(&c->triple, &c->mt_id, c->kcv, c->expires_s);
	char since[UTC_TEXT_LEN + 1];

	clock_print_utc(c->up_s, since);
	(void)json_object_set_new(o, "mt", json_string(c->m->conf->name));
	(void)json_object_set_new(o, "state", json_string(extdev_channel_state_name(c)));
	(void)json_object_set_new(o, "since", json_string(since));
	(void)json_object_set_new(o, "streams", json_integer((json_int_t)tunnel_streams(c->tunnel)));
	return o;
}

json_t *
extdev_tunnels(const struct extdev *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->conf.n_mts; i++) {
		const struct extdev_channel *c;

		LIST_FOREACH(c, &e->mts[i].use->channels, all)
			if (c->state >= EXTDEV_CHANNEL_UP)
				(void)json_array_append_new(list, tunnel_object(c));
	}
	return list;
}

void
extdev_op_tunnel_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	(void)body;
	ctl_ok(c, q, json_pack("{s:o}", "tunnels", extdev_tunnels(core)));
}

struct using {
	struct ctl *c;
	struct rpc_req *q;
};

static void
on_used(void *arg, const struct extdev_channel *ch, enum reason why, const char *detail)
{
	const char *what = reason_get(why)->what;
	struct using *u = arg;

	if (why == REASON_NONE)
		ctl_ok(u->c, u->q, tunnel_object(ch));
	else if (detail[0] == '\0' || strcmp(detail, what) == 0)
		ctl_fail(u->c, u->q, why, NULL);
	else if (strncmp(detail, what, strlen(what)) == 0)
		ctl_fail(u->c, u->q, why, "%s", detail);
	else
		ctl_fail(u->c, u->q, why, "%s: %s", what, detail);
	free(u);
}

/* After what is waited for now there are still steps to come. */
static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	const struct using *u = arg;

	ctl_progress(u->c, u->q, word, wait_s > WAIT_S ? wait_s : WAIT_S);
}

void
extdev_op_use(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct extdev *e = core;
	const json_t *name = json_object_get(body, "mt");
	struct extdev_mt *m;
	struct using *u;

	if (name != NULL && !json_is_string(name)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected mt as a text");
		return;
	}
	if (e->stopping || (m = extdev_find_mt(e, json_string_value(name))) == NULL) {
		ctl_fail(c, q, e->stopping ? REASON_STOPPING : REASON_EXT_MT_UNKNOWN, NULL);
		return;
	}
	if ((u = calloc(1, sizeof *u)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	u->c = c;
	u->q = q;
	ctl_progress(c, q, "use", WAIT_S);
	extdev_use_await(m, on_used, on_progress, u);
}
