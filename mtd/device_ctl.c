#include "mtd/device_ctl.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "mtd/ask.h"
#include "mtd/gba.h"
#include "mtd/mt_impl.h"
#include "mtd/store.h"

static void
add(json_t *list, const char *device_id, const char *state, const char *since)
{
	(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "device_id", device_id, "state", state, "since", since,
	    "until", "", "link", ""));
}

static void
add_decided(void *arg, const char *device_id, enum mt_decision d, int64_t when)
{
	char since[UTC_TEXT_LEN + 1];

	clock_print_utc(when, since);
	add(arg, device_id, d == MT_ALLOWED ? "allowed" : "refused", since);
}

/* Who waits comes first, then what the user decided, then what the configuration admits and nobody decided otherwise. */
void
mt_device_on_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct mt *m = core;
	json_t *list = mt_ask_list(mt_gba_ask(m->gba));
	enum rc rc = mt_store_each_decision(m->seams.store, add_decided, list);

	(void)body;
	for (size_t i = 0; i < m->conf.n_devices && rc == RC_OK; i++) {
		enum mt_decision d;

		if ((rc = mt_store_get_decision(m->seams.store, &m->conf.devices[i], &d)) == RC_OK && d == MT_UNDECIDED)
			add(list, m->conf.devices[i].s, "listed", "");
	}
	if (rc != RC_OK) {
		json_decref(list);
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	ctl_ok(c, q, json_pack("{s:o}", "devices", list));
}

/* false: it was refused. */
static bool
read_id(struct ctl *c, struct rpc_req *q, const json_t *body, struct device_id *out)
{
	const char *text = json_string_value(json_object_get(body, "device_id"));

	if (text != NULL && device_id_parse(span_str(text), out) == RC_OK)
		return true;
	ctl_fail(c, q, REASON_CTL_USAGE, "device_id: expected 1 to %d characters of A-Z a-z 0-9 : . _ - @ +", DEVICE_ID_MAX);
	return false;
}

/* What is decided, and what comes of it for keys, stands or falls together. */
static enum rc
decide(struct mt *m, const struct device_id *id, enum mt_decision d, int *keys)
{
	struct store *st = m->seams.store;
	enum rc rc;

	*keys = 0;
	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	rc = mt_store_put_decision(st, id, d, timeguard_now(m->seams.guard));
	if (rc == RC_OK && d == MT_REFUSED)
		rc = mt_store_revoke_device(st, id, reason_get(REASON_MT_DEVICE_REFUSED)->code, keys);
	return mt_store_end(st, rc);
}

void
mt_device_on_allow(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct mt *m = core;
	struct device_id id;
	int keys;

	if (!read_id(c, q, body, &id))
		return;
	if (decide(m, &id, MT_ALLOWED, &keys) != RC_OK) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	log_info("device: device_id=%s allowed by the user", id.s);
	mt_ask_decided(mt_gba_ask(m->gba), &id, true);
	ctl_ok(c, q, NULL);
}

void
mt_device_on_refuse(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct mt *m = core;
	struct device_id id;
	int keys;

	if (!read_id(c, q, body, &id))
		return;
	if (decide(m, &id, MT_REFUSED, &keys) != RC_OK) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	log_info("device: device_id=%s refused by the user, keys=%d deleted", id.s, keys);
	mt_ask_decided(mt_gba_ask(m->gba), &id, false);
	if (keys > 0)
		mt_gba_keys_gone(m->gba, INT64_MAX);
	ctl_ok(c, q, json_pack("{s:i}", "keys", keys));
}
