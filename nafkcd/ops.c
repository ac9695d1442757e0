/* ops: nafkcd's control operations: JSON of the control socket to the core's verbs and back. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/timeguard.h"
#include "nafkcd/core.h"
#include "nafkcd/store.h"

#include <utlist.h>

#define AUDIT_DEFAULT 100
#define AUDIT_MAX 1000
#define WAIT_DEFAULT_S 10
#define WAIT_MAX_S 3600
#define LIFETIME_MAX_S (10 * 365 * 86400LL)

/* {"name": list}, or a refusal. list is stolen. */
static void
answer_list(struct ctl *c, struct rpc_req *q, const char *name, json_t *list, enum rc rc)
{
	if (rc == RC_OK) {
		ctl_ok(c, q, json_pack("{s:o}", name, list));
		return;
	}
	json_decref(list);
	ctl_fail(c, q, REASON_INTERNAL, NULL);
}

static void
op_key_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc *k = core;
	json_t *list = json_array();

	answer_list(c, q, "keys", list,
	    nafkc_store_list_keys(k->s.store, timeguard_now(k->s.guard), json_is_true(json_object_get(body, "all")), list));
}

static void
op_device_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc *k = core;
	json_t *list = json_array();

	(void)body;
	answer_list(c, q, "devices", list, nafkc_store_list_devices(k->s.store, list));
}

static void
op_audit(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc *k = core;
	const json_t *limit = json_object_get(body, "limit");
	json_int_t n = limit == NULL ? AUDIT_DEFAULT : json_integer_value(limit);
	json_t *list;

	if (n < 1 || n > AUDIT_MAX) {
		ctl_fail(c, q, REASON_CTL_USAGE, "limit: expected 1 to %d", AUDIT_MAX);
		return;
	}
	list = json_array();
	answer_list(c, q, "audit", list, nafkc_store_list_audit(k->s.store, (unsigned)n, list));
}

/* --- device-allow, -rebind */

static bool
take_lifetime(json_t *body, int64_t *out)
{
	const json_t *v = json_object_get(body, "lifetime_max");
	const char *text = json_string_value(v);

	*out = -1;
	if (v == NULL)
		return true;
	if (text == NULL)
		return false;
	*out = 0;
	return text[0] == '\0' || (conf_parse_duration(span_str(text), out) == RC_OK && *out <= LIFETIME_MAX_S);
}

static void
order(struct nafkc *k, struct ctl *c, struct rpc_req *q, json_t *body, enum nafkc_order what)
{
	const char *text = json_string_value(json_object_get(body, "device_id"));
	struct device_id id;
	struct nafkc_device d;
	int64_t lifetime_max_s;
	enum rc rc;

	if (text == NULL || device_id_parse(span_str(text), &id) != RC_OK) {
		ctl_fail(c, q, REASON_CTL_USAGE, "device_id: expected 1 to %d of A-Z a-z 0-9 : . _ - @ +", DEVICE_ID_MAX);
		return;
	}
	if (!take_lifetime(body, &lifetime_max_s)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "lifetime_max: expected a duration such as 6h, or \"\" for none");
		return;
	}
	rc = nafkc_order_device(k, what, &id, lifetime_max_s, &d);
	if (rc == RC_OK)
		ctl_ok(c, q, json_pack("{s:o}", "device", nafkc_device_json(&d)));
	else if (rc == RC_NOTFOUND)
		ctl_fail(c, q, REASON_UA_DEVICE_UNKNOWN, NULL);
	else
		ctl_fail(c, q, REASON_INTERNAL, NULL);
}

static void
op_device_allow(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	order(core, c, q, body, NAFKC_ALLOW);
}

static void
op_device_rebind(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	order(core, c, q, body, NAFKC_REBIND);
}

/* --- wait-peer: answered when the peer is up, or when its time is over */

struct nafkc_waiter {
	struct nafkc_waiter *prev, *next;
	struct nafkc *k;
	struct ctl *c;
	struct rpc_req *q;
	struct clock_timer *timer;
	char peer[FQDN_MAX + 1];	/* "" = any */
};

static void
waiter_free(struct nafkc_waiter *w)
{
	DL_DELETE(w->k->waiters, w);
	clock_timer_free(w->timer);
	free(w);
}

static void
on_late(void *arg)
{
	struct nafkc_waiter *w = arg;

	ctl_fail(w->c, w->q, REASON_LOCAL_TIMEOUT, "the Diameter peer did not connect in time: 'status' shows which there are, the log why one is not up");
	waiter_free(w);
}

void
nafkc_ops_on_peer(struct nafkc *k, const char *host)
{
	struct nafkc_waiter *w, *next;

	DL_FOREACH_SAFE(k->waiters, w, next) {
		if (w->peer[0] != '\0' && strcmp(w->peer, host) != 0)
			continue;
		ctl_ok(w->c, w->q, NULL);
		waiter_free(w);
	}
}

static void
op_wait_peer(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc *k = core;
	const json_t *t = json_object_get(body, "timeout_s");
	const char *peer = json_string_value(json_object_get(body, "peer"));
	double s = t == NULL ? WAIT_DEFAULT_S : json_number_value(t);
	struct nafkc_waiter *w;

	if (s < 0 || s > WAIT_MAX_S || (peer != NULL && strlen(peer) > FQDN_MAX)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected timeout_s 0 to %d, and an identity of at most %d octets", WAIT_MAX_S, FQDN_MAX);
		return;
	}
	if (nafkc_zn_peer_up(k->zn, peer)) {
		ctl_ok(c, q, NULL);
		return;
	}
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	w->k = k;
	w->c = c;
	w->q = q;
	if (peer != NULL)
		memcpy(w->peer, peer, strlen(peer) + 1);
	DL_APPEND(k->waiters, w);
	if (clock_timer_new(k->s.clock, on_late, w, &w->timer) != RC_OK) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		waiter_free(w);
		return;
	}
	clock_timer_set(w->timer, (int64_t)(s * 1000));
}

void
nafkc_ops_stop(struct nafkc *k)
{
	struct nafkc_waiter *w, *next;

	DL_FOREACH_SAFE(k->waiters, w, next) {
		ctl_fail(w->c, w->q, REASON_STOPPING, NULL);
		waiter_free(w);
	}
}

void
nafkc_ops_free(struct nafkc *k)
{
	while (k->waiters != NULL)
		waiter_free(k->waiters);
}

const struct ctl_op nafkc_ctl_ops[] = {
	{ "key-list", op_key_list, "the live keys, by key check value (all: also tombstones)" },
	{ "key-invalidate", nafkc_op_key_invalidate, "a key ends now (btid, device_id, naf_id)" },
	{ "key-limit", nafkc_op_key_limit, "a key ends at expires, if it ends later" },
	{ "device-list", op_device_list, "the Device_IDs, and the public keys that they belong to" },
	{ "device-allow", op_device_allow, "list a Device_ID (device_id, lifetime_max); ends a block" },
	{ "device-block", nafkc_op_block, "refuse a device_id, a public key (spki) or an issuer; its keys are invalidated" },
	{ "device-unblock", nafkc_op_unblock, "end such a block; keys that it ended stay ended" },
	{ "device-limit", nafkc_op_device_limit, "all live keys of a device_id end at expires, if they end later" },
	{ "block-list", nafkc_op_block_list, "who is blocked" },
	{ "device-rebind", op_device_rebind, "the next public key that comes with this Device_ID has it" },
	{ "audit", op_audit, "who got which key, what was decided about whom; newest first (limit)" },
	{ "wait-peer", op_wait_peer, "wait until a BSF (or that peer) is connected" },
	{ NULL, NULL, NULL },
};
