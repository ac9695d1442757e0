/* sim_ask: what one asks of simulated hosts, as ksctl does, or by the cores' own functions. */
#include <stdio.h>

#include "common/ctl.h"
#include "common/link.h"
#include "common/log.h"
#include "common/trace.h"
#include "test/sim/sim_int.h"

#define ESTABLISH_MAX_MS 600000
#define must sim_must

/* --- the control socket, as ksctl uses it */

struct asking {
	bool up, done;
	json_t *answer;
	enum reason why;
};

static bool
is_true(void *arg)
{
	return *(bool *)arg;
}

static void
on_up(struct link *l, void *arg)
{
	(void)l;
	((struct asking *)arg)->up = true;
}

static void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct asking *a = arg;

	(void)error;
	a->done = true;
	a->why = why;
	a->answer = json_incref(body);
}

static void
on_gone(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)r;
	(void)arg;
	log_fatal("sim: control socket closed: %s %s", reason_get(why)->code, detail);
}

enum reason
sim_try(struct sim *s, enum sim_host h, const char *op, json_t *body, json_t **answer)
{
	static const struct link_cb link_cb = { .on_up = on_up };
	static const struct rpc_cb cb = { .on_closed = on_gone };
	static const struct rpc_options opt = { .line_max = 16u << 20, .answer_timeout_ms = ESTABLISH_MAX_MS };
	struct asking a = { 0 };
	struct link *l;
	struct rpc *r;
	char path[64];

	must(link_connect(s->net, sim_ctl_path(s, h, path), NULL, &link_cb, &a, &l), "control socket");
	if (!sim_run(s, is_true, &a.up, 1000))
		log_fatal("sim: no control socket of %s", s->host[h].name);
	must(rpc_new(l, s->clock, &opt, &cb, NULL, &r), "rpc_new");
	must(rpc_ask(r, op, body, on_answer, NULL, &a), op);
	if (!sim_run(s, is_true, &a.done, ESTABLISH_MAX_MS))
		log_fatal("sim: %s: %s: no answer", s->host[h].name, op);
	rpc_free(r);
	json_decref(body);
	if (answer != NULL)
		*answer = a.answer;
	else
		json_decref(a.answer);
	return a.why;
}

json_t *
sim_ask(struct sim *s, enum sim_host h, const char *op, json_t *body)
{
	json_t *answer = NULL;
	enum reason why = sim_try(s, h, op, body, &answer);

	if (why != REASON_NONE)
		log_fatal("sim: %s: %s: %s", s->host[h].name, op, reason_get(why)->code);
	return answer;
}

/* --- establishing */

static void
on_established(void *arg, const struct extdev_result *r)
{
	struct sim *s = arg;

	s->result = *r;
	(void)snprintf(s->detail, sizeof s->detail, "%s", r->detail != NULL ? r->detail : "");
	s->result.detail = s->detail;
	s->done = true;
}

void
sim_establish_start_at(struct sim *s, enum sim_host h, const struct extdev_want *want)
{
	static const struct extdev_want any;

	s->done = false;
	extdev_establish(s->host[h].core, want != NULL ? want : &any, on_established, NULL, s);
}

void
sim_establish_start(struct sim *s, const struct extdev_want *want)
{
	sim_establish_start_at(s, SIM_DEV, want);
}

const struct extdev_result *
sim_establish_end(struct sim *s)
{
	return sim_run(s, is_true, &s->done, ESTABLISH_MAX_MS) ? &s->result : NULL;
}

const struct extdev_result *
sim_establish_at(struct sim *s, enum sim_host h, const struct extdev_want *want)
{
	const struct extdev_result *r;

	sim_establish_start_at(s, h, want);
	if ((r = sim_establish_end(s)) == NULL)
		log_fatal("sim: an establishment has no end");
	return r;
}

const struct extdev_result *
sim_establish(struct sim *s, const struct extdev_want *want)
{
	return sim_establish_at(s, SIM_DEV, want);
}

/* --- looking */

json_t *
sim_keys(struct sim *s, enum sim_host h)
{
	json_t *answer = sim_ask(s, h, "key-list", NULL), *keys = json_incref(json_object_get(answer, "keys"));

	json_decref(answer);
	return keys;
}

json_t *
sim_trace(struct sim *s, enum sim_host h)
{
	return trace_since(s->host[h].trace, 0);
}
