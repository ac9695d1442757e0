#include "mtd/appkey_ctl.h"

#include <stdlib.h>
#include <string.h>

#include "common/appkey.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "mtd/gba.h"
#include "mtd/mt_impl.h"
#include "mtd/state.h"
#include "mtd/store.h"

/* Waits for the state question, where that comes before use (N10). */
struct deriving {
	struct mt *m;
	struct ctl *c;
	struct rpc_req *q;
	struct device_id device_id;
	char app[APPKEY_APP_MAX + 1];
};

static enum reason
find(struct mt *m, const struct device_id *id, struct mt_key *out)
{
	struct iccid iccid;
	enum reason why;
	enum rc rc;

	if (timeguard_jumped(m->seams.guard))
		return REASON_CLOCK_JUMPED;
	if ((why = mt_gba_key_card(m->gba, &iccid)) != REASON_NONE)
		return why;
	rc = mt_store_key_of(m->seams.store, &iccid, id, timeguard_now(m->seams.guard), out);
	return rc == RC_OK ? REASON_NONE : rc == RC_NOTFOUND ? REASON_LOCAL_UNKNOWN_KEY : REASON_INTERNAL;
}

static void
on_may(void *deriving, enum reason why)
{
	struct deriving *d = deriving;
	struct mt_key k = { .ks_local_mt = NULL };
	struct appkey a = { .key = NULL };
	enum rc rc = RC_OK;

	if (why == REASON_NONE)
		why = find(d->m, &d->device_id, &k);	/* anew: it may have gone while it was asked about */
	if (why == REASON_NONE && (rc = appkey_make(k.ks_local_mt, span_str(d->app), &a)) != RC_OK)
		why = rc == RC_DENIED ? REASON_CTL_USAGE : REASON_INTERNAL;
	if (why == REASON_NONE) {
		log_info("appkey: device_id=%s btid=%s kcv=%s given out", k.triple.device_id.s, k.triple.btid.s, a.kcv);
		ctl_ok(d->c, d->q, appkey_json(&a, &k.triple, d->app));
	} else if (why == REASON_LOCAL_UNKNOWN_KEY) {
		ctl_fail(d->c, d->q, why, "there is no key with %s to derive from", d->device_id.s);
	} else {
		ctl_fail(d->c, d->q, why, rc == RC_DENIED ? "app: ids that begin with kslocal- are reserved" : NULL);
	}
	appkey_clear(&a);
	mt_key_clear(&k);
	free(d);
}

void
mt_appkey_on_derive(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const char *device = json_string_value(json_object_get(body, "device_id")), *app = json_string_value(json_object_get(body, "app"));
	struct mt_key k = { .ks_local_mt = NULL };
	struct deriving *d = calloc(1, sizeof *d);
	enum reason why;

	if (d == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	*d = (struct deriving){ .m = core, .c = c, .q = q };
	if (device == NULL || app == NULL || app[0] == '\0' || device_id_parse(span_str(device), &d->device_id) != RC_OK ||
	    !span_to_str(span_str(app), d->app, sizeof d->app)) {
		free(d);
		ctl_fail(c, q, REASON_CTL_USAGE, "expected device_id, and app of 1 to %d octets", APPKEY_APP_MAX);
		return;
	}
	if ((why = find(d->m, &d->device_id, &k)) == REASON_NONE)
		mt_state_before_use(d->m->state, &k, on_may, d);
	else
		on_may(d, why);
	mt_key_clear(&k);
}
