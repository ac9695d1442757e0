/* appkey: application keys, from the control socket and nowhere else (U7): of the key in use with an MT. */
#include <stdlib.h>
#include <string.h>

#include "common/appkey.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "extdevd/core.h"
#include "extdevd/state.h"

/* Waits for the state question, where that comes before use (N10). */
struct deriving {
	struct extdev_mt *m;
	struct ctl *c;
	struct rpc_req *q;
	char app[APPKEY_APP_MAX + 1];
};

static json_t *
describe(const struct extdev_key *k, const struct deriving *d, const struct appkey *a)
{
	json_t *o = json_pack("{s:s}", "mt_id", k->from.mt_id.s);

	if (json_object_update_new(o, appkey_json(a, &k->from.triple, d->app)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static enum reason
find(struct extdev_mt *m, struct extdev_key *out)
{
	enum rc rc;

	if (timeguard_jumped(m->e->s.guard))
		return REASON_CLOCK_JUMPED;
	if (m->id.s[0] == '\0')
		return REASON_LOCAL_UNKNOWN_KEY;
	rc = extdev_store_get_key(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), out);
	return rc == RC_OK ? REASON_NONE : rc == RC_NOTFOUND ? REASON_LOCAL_UNKNOWN_KEY : REASON_INTERNAL;
}

static void
on_may(void *deriving, enum reason why)
{
	struct deriving *d = deriving;
	struct extdev_key k = { .ks = NULL };
	struct appkey a = { .key = NULL };
	enum rc rc = RC_OK;

	if (why == REASON_NONE)
		why = find(d->m, &k);		/* anew: it may have gone while it was asked about */
	if (why == REASON_NONE && (rc = appkey_make(k.ks, span_str(d->app), &a)) != RC_OK)
		why = rc == RC_DENIED ? REASON_CTL_USAGE : REASON_INTERNAL;
	if (why == REASON_NONE) {
		log_info("appkey: mt=%s btid=%s kcv=%s given out", d->m->conf->name, k.from.triple.btid.s, a.kcv);
		ctl_ok(d->c, d->q, describe(&k, d, &a));
	} else if (why == REASON_LOCAL_UNKNOWN_KEY) {
		ctl_fail(d->c, d->q, why, "there is no key with %s to derive from", d->m->conf->name);
	} else {
		ctl_fail(d->c, d->q, why, rc == RC_DENIED ? "app: ids that begin with kslocal- are reserved" : NULL);
	}
	appkey_clear(&a);
	extdev_key_clear(&k);
	free(d);
}

void
extdev_op_key_derive(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const json_t *name = json_object_get(body, "mt");
	const char *app = json_string_value(json_object_get(body, "app"));
	struct extdev_key k = { .ks = NULL };
	struct extdev *e = core;
	struct deriving *d;
	enum reason why;

	if (app == NULL || app[0] == '\0' || strlen(app) > APPKEY_APP_MAX || (name != NULL && !json_is_string(name))) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected app of 1 to %d octets, mt as a text", APPKEY_APP_MAX);
		return;
	}
	if (extdev_find_mt(e, json_string_value(name)) == NULL) {
		ctl_fail(c, q, REASON_EXT_MT_UNKNOWN, NULL);
		return;
	}
	if ((d = calloc(1, sizeof *d)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	*d = (struct deriving){ .m = extdev_find_mt(e, json_string_value(name)), .c = c, .q = q };
	(void)span_to_str(span_str(app), d->app, sizeof d->app);
	if ((why = find(d->m, &k)) == REASON_NONE)
		extdev_state_before_use(d->m, &k, on_may, d);
	else
		on_may(d, why);
	extdev_key_clear(&k);
}
