/* ops: extdevd's control operations: JSON of the control socket to the core's verbs and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/purge.h"
#include "common/timeguard.h"
#include "extdevd/core.h"

#define WAIT_DEFAULT_S 10
#define WAIT_MAX_S 3600

/* A member that is a text, or absent. */
static bool
text(const json_t *body, const char *key, const char **out)
{
	const json_t *v = json_object_get(body, key);

	*out = json_string_value(v);
	return v == NULL || json_is_string(v);
}

static bool
flag(const json_t *body, const char *key, bool *out)
{
	const json_t *v = json_object_get(body, key);

	*out = json_is_true(v);
	return v == NULL || json_is_boolean(v);
}

json_t *
extdev_key_object(const struct triple *t, const struct mt_id *mt, const char *kcv, int64_t expires_s)
{
	char naf[NAF_ID_TEXT_MAX + 1], expires[UTC_TEXT_LEN + 1];

	naf_id_print(&t->naf_id, naf);
	clock_print_utc(expires_s, expires);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "btid", t->btid.s, "naf_id", naf, "device_id", t->device_id.s, "kcv", kcv,
	    "expires", expires, "mt_id", mt->s);
}

/* --- establish */

struct job {
	struct extdev *e;
	struct ctl *c;
	struct rpc_req *q;
};

/* What a peer said begins with the same words often enough. */
static void
fail(struct job *j, const struct extdev_result *r)
{
	const char *what = reason_get(r->why)->what;

	if (r->detail[0] == '\0')
		ctl_fail_later(j->c, j->q, r->why, r->retry_after_s, NULL);
	else if (strncmp(r->detail, what, strlen(what)) == 0)
		ctl_fail_later(j->c, j->q, r->why, r->retry_after_s, "%s", r->detail);
	else
		ctl_fail_later(j->c, j->q, r->why, r->retry_after_s, "%s: %s", what, r->detail);
}

static void
on_done(void *arg, const struct extdev_result *r)
{
	struct job *j = arg;
	json_t *o;

	if (r->why == REASON_NONE) {
		o = extdev_key_object(&r->triple, &r->mt_id, r->kcv, r->expires_s);
		(void)json_object_set_new(o, "scenario", json_integer(r->scenario));
		(void)json_object_set_new(o, "reused", json_boolean(r->reused));
		(void)json_object_set_new(o, "run", json_string(r->run.s));
		ctl_ok(j->c, j->q, o);
	} else {
		fail(j, r);
	}
	free(j);
}

static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	struct job *j = arg;

	ctl_progress(j->c, j->q, word, wait_s);
}

static void
op_establish(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct extdev_want w = { .mt = NULL };
	struct naf_id naf;
	const char *naf_text;
	struct job *j;

	if (!text(body, "mt", &w.mt) || !text(body, "naf", &naf_text) || !flag(body, "force", &w.force) || !flag(body, "new", &w.fresh)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected mt and naf as texts, force and new as booleans");
		return;
	}
	if (naf_text != NULL) {
		if (naf_id_parse(span_str(naf_text), &naf) != RC_OK) {
			ctl_fail(c, q, REASON_CTL_USAGE, "naf: expected FQDN/0100000002");
			return;
		}
		w.naf = &naf;
	}
	if ((j = calloc(1, sizeof *j)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	j->e = core;
	j->c = c;
	j->q = q;
	extdev_establish(core, &w, on_done, on_progress, j);
}

/* --- key-list, key-forget */

static enum rc
add_key(void *arg, const struct extdev_key *k)
{
	char kcv[KCV_LEN + 1];
	enum rc rc = secret_kcv(k->ks, kcv);
	json_t *o;

	if (rc != RC_OK)
		return rc;
	o = extdev_key_object(&k->from.triple, &k->from.mt_id, kcv, k->expires_s);
	(void)json_object_set_new(o, "state", json_string(k->state == EXTDEV_CONFIRMED ? "confirmed" : "waiting"));
	if (k->owed)
		(void)json_object_set_new(o, "owed", json_string(LOCALIF_COMPLETE));
	return json_array_append_new(arg, o) == 0 ? RC_OK : RC_NOMEM;
}

static void
op_key_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct extdev *e = core;
	json_t *keys = json_array();

	(void)body;
	if (extdev_store_each_key(e->s.store, timeguard_now(e->s.guard), add_key, keys) == RC_OK) {
		ctl_ok(c, q, json_pack("{s:o}", "keys", keys));
		return;
	}
	json_decref(keys);
	ctl_fail(c, q, REASON_INTERNAL, NULL);
}

static enum rc
forget(struct extdev *e, const struct extdev_which *w, int *n)
{
	struct store *st = e->s.store;
	enum rc rc = store_begin(st), end;

	if (rc != RC_OK)
		return rc;
	rc = extdev_store_forget(st, w, n);
	end = store_end(st, rc == RC_OK);
	return rc != RC_OK ? rc : end;
}

static void
op_key_forget(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct extdev *e = core;
	struct extdev_which w = { .mt_id = NULL };
	const char *name;
	bool all, good;
	int n = 0;

	good = flag(body, "all", &all) && text(body, "mt", &name) && text(body, "btid", &w.btid) && text(body, "naf_id", &w.naf_id) &&
	    text(body, "device_id", &w.device_id) && text(body, "mt_id", &w.mt_id);
	if (!good || all == (name != NULL || w.btid != NULL || w.naf_id != NULL || w.device_id != NULL || w.mt_id != NULL)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected all, or one or more of mt, btid, naf_id, device_id, mt_id");
		return;
	}
	if (name != NULL && extdev_find_mt(e, name) == NULL) {
		ctl_fail(c, q, REASON_EXT_MT_UNKNOWN, NULL);
		return;
	}
	if (name != NULL)
		w.mt_id = extdev_find_mt(e, name)->id.s[0] != '\0' ? extdev_find_mt(e, name)->id.s : "nobody yet";
	if (forget(e, &w, &n) != RC_OK) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	extdev_keys_gone(e);
	if (n == 0 && !all)
		ctl_fail(c, q, REASON_LOCAL_UNKNOWN_KEY, "no key here fits");
	else
		ctl_ok(c, q, json_pack("{s:i}", "forgotten", n));
}

/* --- wait-key: answered when there is a key, or when its time is over */

struct extdev_waiter {
	TAILQ_ENTRY(extdev_waiter) all;
	struct extdev *e;
	struct extdev_mt *m;		/* NULL = any */
	struct ctl *c;
	struct rpc_req *q;
	struct clock_timer *timer;
};

static void
waiter_free(struct extdev_waiter *w)
{
	TAILQ_REMOVE(&w->e->waiters, w, all);
	clock_timer_free(w->timer);
	free(w);
}

static void
on_late(void *arg)
{
	struct extdev_waiter *w = arg;

	ctl_fail(w->c, w->q, REASON_LOCAL_TIMEOUT, "no key came in time");
	waiter_free(w);
}

/* The MT's key as an object; NULL = there is none. */
static json_t *
key_of(struct extdev_mt *m)
{
	json_t *list = json_array(), *o = NULL;
	struct extdev_key k = { 0 };

	if (m->id.s[0] != '\0' && extdev_store_get_key(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), &k) == RC_OK &&
	    add_key(list, &k) == RC_OK)
		o = json_incref(json_array_get(list, 0));
	extdev_key_clear(&k);
	json_decref(list);
	return o;
}

static bool
answer_waiter(struct extdev *e, struct extdev_mt *m, struct ctl *c, struct rpc_req *q)
{
	json_t *o = NULL;

	for (size_t i = 0; o == NULL && i < e->conf.n_mts; i++)
		if (m == NULL || m == &e->mts[i])
			o = key_of(&e->mts[i]);
	if (o != NULL)
		ctl_ok(c, q, o);
	return o != NULL;
}

void
extdev_ops_on_key(struct extdev *e)
{
	struct extdev_waiter *w, *next;

	for (w = TAILQ_FIRST(&e->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, all);
		if (answer_waiter(e, w->m, w->c, w->q))
			waiter_free(w);
	}
}

static void
op_wait_key(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct extdev *e = core;
	const json_t *t = json_object_get(body, "timeout_s");
	double s = t == NULL ? WAIT_DEFAULT_S : json_number_value(t);
	struct extdev_waiter *w;
	const char *name;

	if (!text(body, "mt", &name) || (t != NULL && !json_is_number(t)) || s < 0 || s > WAIT_MAX_S) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected mt as a text, timeout_s from 0 to %d", WAIT_MAX_S);
		return;
	}
	if (name != NULL && extdev_find_mt(e, name) == NULL) {
		ctl_fail(c, q, REASON_EXT_MT_UNKNOWN, NULL);
		return;
	}
	if (answer_waiter(e, name != NULL ? extdev_find_mt(e, name) : NULL, c, q))
		return;
	if ((w = calloc(1, sizeof *w)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	w->e = e;
	w->m = name != NULL ? extdev_find_mt(e, name) : NULL;
	w->c = c;
	w->q = q;
	TAILQ_INSERT_TAIL(&e->waiters, w, all);
	if (clock_timer_new(e->s.clock, on_late, w, &w->timer) != RC_OK) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		waiter_free(w);
		return;
	}
	ctl_progress(c, q, "waiting", (int64_t)s + 5);	/* the asker's own timer is to outlast ours */
	clock_timer_set(w->timer, (int64_t)(s * 1000));
}

void
extdev_ops_stop(struct extdev *e)
{
	struct extdev_waiter *w;

	while ((w = TAILQ_FIRST(&e->waiters)) != NULL) {
		ctl_fail(w->c, w->q, REASON_STOPPING, NULL);
		waiter_free(w);
	}
}

void
extdev_ops_free(struct extdev *e)
{
	while (!TAILQ_EMPTY(&e->waiters))
		waiter_free(TAILQ_FIRST(&e->waiters));
}

const struct ctl_op extdev_ctl_ops[] = {
	{ "establish", op_establish, "establish Ks_local_MT: force, new, mt, naf" },
	{ "key-list", op_key_list, "the keys, by their key check values" },
	{ "key-forget", op_key_forget, "forget keys here: all, or by mt, btid, naf_id, device_id, mt_id" },
	{ "key-check", extdev_op_key_check, "ask the Key Center now whether the keys are still good: mt" },
	{ "key-derive", extdev_op_key_derive, "an application's key, of the key in use with an MT: app, mt" },
	{ "mt-list", extdev_op_mt_list, "the MTs, and what tells their SIMs apart" },
	{ "mt-accept", extdev_op_mt_accept, "take the next SIM in this MT: mt_id" },
	{ "use", extdev_op_use, "a tunnel on the key in use; another key first if the MT does not share it: mt" },
	{ "tunnel-list", extdev_op_tunnel_list, "the tunnels that are up" },
	{ "wait-key", op_wait_key, "wait until there is a key: mt, timeout_s" },
	{ NULL, NULL, NULL },
};
