/* ops: bsfd's control operations: JSON of the control socket to the core's verbs and back. */
#include <stdlib.h>
#include <string.h>

#include "bsfd/core.h"
#include "bsfd/store.h"
#include "bsfd/zn.h"
#include "common/clock.h"
#include "common/timeguard.h"

#include <utlist.h>

#define WAIT_DEFAULT_S 10
#define WAIT_MAX_S 3600

/* {"name": [...]} filled by fn, or a refusal. list is stolen. */
static void
answer_list(struct ctl *c, struct rpc_req *q, const char *name, json_t *list, enum rc rc)
{
	if (rc != RC_OK) {
		json_decref(list);
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	ctl_ok(c, q, json_pack("{s:o}", name, list));
}

static void
op_subscriber_add(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	char text[BSF_TEXT_MAX];
	json_t *out = NULL;
	enum reason why = bsf_subscriber_add(core, json_object_get(body, "subscriber"), &out, text);

	if (why == REASON_NONE)
		ctl_ok(c, q, out);
	else
		ctl_fail(c, q, why, text[0] == '\0' ? NULL : "%s", text);
}

static void
op_subscriber_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct bsf *b = core;
	json_t *list = json_array();

	(void)body;
	answer_list(c, q, "subscribers", list, bsf_store_list_subscribers(b->s.store, list));
}

static void
op_subscriber_delete(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const char *text = json_string_value(json_object_get(body, "impi"));
	struct impi impi;
	enum rc rc;

	if (text == NULL || impi_parse(span_str(text), &impi) != RC_OK) {
		ctl_fail(c, q, REASON_CTL_USAGE, "impi: expected user@realm");
		return;
	}
	rc = bsf_subscriber_delete(core, &impi);
	if (rc == RC_OK)
		ctl_ok(c, q, NULL);
	else
		ctl_fail(c, q, rc == RC_NOTFOUND ? REASON_SUBSCRIBER_UNKNOWN : REASON_INTERNAL, NULL);
}

static void
op_bootstrap_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct bsf *b = core;
	json_t *list = json_array();

	(void)body;
	answer_list(c, q, "bootstraps", list, bsf_store_list_bootstraps(b->s.store, timeguard_now(b->s.guard), list));
}

static void
op_naf_add(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	char text[BSF_TEXT_MAX];
	json_t *out = NULL;
	enum reason why = bsf_naf_add(core, json_object_get(body, "naf"), &out, text);

	if (why == REASON_NONE)
		ctl_ok(c, q, json_pack("{s:o}", "naf", out));
	else
		ctl_fail(c, q, why, text[0] == '\0' ? NULL : "%s", text);
}

static void
op_naf_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct bsf *b = core;
	json_t *list = json_array();

	(void)body;
	answer_list(c, q, "nafs", list, bsf_nafs_list(b->nafs, list));
}

static void
op_naf_delete(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const char *fqdn = json_string_value(json_object_get(body, "fqdn"));
	enum rc rc;

	if (fqdn == NULL) {
		ctl_fail(c, q, REASON_CTL_USAGE, "fqdn: is missing");
		return;
	}
	rc = bsf_naf_delete(core, fqdn);
	if (rc == RC_OK)
		ctl_ok(c, q, NULL);
	else
		ctl_fail(c, q, rc == RC_NOTFOUND ? REASON_NAF_UNKNOWN : REASON_INTERNAL, NULL);
}

/* --- wait-peer: answered when the peer is up, or when its time is over */

struct bsf_waiter {
	struct bsf_waiter *prev, *next;
	struct bsf *b;
	struct ctl *c;
	struct rpc_req *q;
	struct clock_timer *timer;
	struct bsf_zn_wait *wait;
};

static void
waiter_free(struct bsf_waiter *w)
{
	DL_DELETE(w->b->waiters, w);
	clock_timer_free(w->timer);
	free(w);
}

static void
on_up(void *arg)
{
	struct bsf_waiter *w = arg;

	ctl_ok(w->c, w->q, NULL);
	waiter_free(w);
}

static void
on_late(void *arg)
{
	struct bsf_waiter *w = arg;

	bsf_zn_wait_cancel(w->wait);
	ctl_fail(w->c, w->q, REASON_LOCAL_TIMEOUT, "the Diameter peer did not connect in time: 'status' shows which there are, the log why one is not up");
	waiter_free(w);
}

static void
op_wait_peer(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct bsf *b = core;
	const json_t *t = json_object_get(body, "timeout_s");
	const char *peer = json_string_value(json_object_get(body, "peer"));
	double s = t == NULL ? WAIT_DEFAULT_S : json_number_value(t);
	struct bsf_waiter *w;

	if (s < 0 || s > WAIT_MAX_S) {
		ctl_fail(c, q, REASON_CTL_USAGE, "timeout_s: expected 0 to %d", WAIT_MAX_S);
		return;
	}
	if (bsf_zn_peer_up(b->zn, peer)) {
		ctl_ok(c, q, NULL);
		return;
	}
	if ((w = calloc(1, sizeof *w)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	w->b = b;
	w->c = c;
	w->q = q;
	DL_APPEND(b->waiters, w);
	if (clock_timer_new(b->s.clock, on_late, w, &w->timer) != RC_OK || bsf_zn_wait_peer(b->zn, peer, on_up, w, &w->wait) != RC_OK) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		waiter_free(w);
		return;
	}
	clock_timer_set(w->timer, (int64_t)(s * 1000));
}

void
bsf_ops_stop(struct bsf *b)
{
	struct bsf_waiter *w, *next;

	DL_FOREACH_SAFE(b->waiters, w, next) {
		bsf_zn_wait_cancel(w->wait);
		ctl_fail(w->c, w->q, REASON_STOPPING, NULL);
		waiter_free(w);
	}
}

void
bsf_ops_free(struct bsf *b)
{
	while (b->waiters != NULL)
		waiter_free(b->waiters);
}

const struct ctl_op bsf_ctl_ops[] = {
	{ "subscriber-add", op_subscriber_add, "add a subscriber: the object of subscriber.json as member subscriber" },
	{ "subscriber-list", op_subscriber_list, "the subscribers, without keys" },
	{ "subscriber-delete", op_subscriber_delete, "delete a subscriber, its B-TIDs and TMPIs" },
	{ "bootstrap-list", op_bootstrap_list, "the live B-TIDs" },
	{ "naf-add", op_naf_add, "put a NAF: fqdn, protocols, peers, impi, gsids, gba_u as member naf" },
	{ "naf-list", op_naf_list, "the NAFs and who may ask for them" },
	{ "naf-delete", op_naf_delete, "delete a NAF by its fqdn" },
	{ "wait-peer", op_wait_peer, "wait until a Diameter peer (or that one) is connected" },
	{ NULL, NULL, NULL },
};
