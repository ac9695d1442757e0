/* ops_key: the control operations that end keys: invalidate, limit, block. */
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/timeguard.h"
#include "nafkcd/core.h"
#include "nafkcd/store.h"

static const char *
member(const json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

static bool
take_device(struct ctl *c, struct rpc_req *q, const json_t *body, struct device_id *out)
{
	const char *text = member(body, "device_id");

	if (text != NULL && device_id_parse(span_str(text), out) == RC_OK)
		return true;
	ctl_fail(c, q, REASON_CTL_USAGE, "device_id: expected 1 to %d of A-Z a-z 0-9 : . _ - @ +", DEVICE_ID_MAX);
	return false;
}

/* One of ours, by NAF_ID or FQDN; not named: the only one. */
static bool
take_naf(const struct nafkc *k, struct ctl *c, struct rpc_req *q, const json_t *body, struct naf_id *out)
{
	const char *text = member(body, "naf_id");
	char own[NAF_ID_TEXT_MAX + 1];
	size_t found = 0;

	for (size_t i = 0; i < k->conf.n_naf_ids; i++) {
		naf_id_print(&k->conf.naf_ids[i], own);
		if (text != NULL && strcmp(text, own) != 0 && strcmp(text, k->conf.naf_ids[i].fqdn) != 0)
			continue;
		*out = k->conf.naf_ids[i];
		found++;
	}
	if (found != 1)
		ctl_fail(c, q, REASON_CTL_USAGE, "naf_id: expected one of ours, see naf_ids in 'status'");
	return found == 1;
}

static bool
take_triple(const struct nafkc *k, struct ctl *c, struct rpc_req *q, const json_t *body, struct nafkc_target *out)
{
	const char *btid = member(body, "btid");

	*out = (struct nafkc_target){ .scope = NAFKC_SCOPE_TRIPLE };
	if (btid == NULL || btid_parse(span_str(btid), &out->triple.btid) != RC_OK) {
		ctl_fail(c, q, REASON_CTL_USAGE, "btid: expected base64@bsf.example.org");
		return false;
	}
	return take_device(c, q, body, &out->triple.device_id) && take_naf(k, c, q, body, &out->triple.naf_id);
}

static bool
take_expires(const struct nafkc *k, struct ctl *c, struct rpc_req *q, const json_t *body, int64_t *out)
{
	const char *text = member(body, "expires");

	if (text == NULL || clock_parse_utc(text, strlen(text), false, out) != RC_OK)
		ctl_fail(c, q, REASON_CTL_USAGE, "expires: expected UTC such as 2027-01-01T00:00:00Z");
	else if (*out <= timeguard_now(k->s.guard))
		ctl_fail(c, q, REASON_CTL_USAGE, "expires: expected a time to come; what is to end now is invalidated");
	else
		return true;
	return false;
}

/* Device_ID, or the hash of a public key. */
static bool
take_block(struct ctl *c, struct rpc_req *q, const json_t *body, struct nafkc_target *out)
{
	static const struct {
		const char *name;
		enum nafkc_scope scope;
	} kinds[] = { { "device_id", NAFKC_SCOPE_DEVICE }, { "spki", NAFKC_SCOPE_SPKI }, { "issuer", NAFKC_SCOPE_ISSUER } };
	static const uint8_t none[32];
	const char *text = NULL, *name = NULL;
	size_t found = 0;

	*out = (struct nafkc_target){ .scope = NAFKC_SCOPE_DEVICE };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (json_object_get(body, kinds[i].name) == NULL)
			continue;
		found++;
		out->scope = kinds[i].scope;
		name = kinds[i].name;
		text = member(body, name);
	}
	if (found != 1) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected one of device_id, spki, issuer");
		return false;
	}
	if (out->scope == NAFKC_SCOPE_DEVICE)
		return take_device(c, q, body, &out->triple.device_id);
	/* all zeros stand for an issuer that the chain does not show */
	if (text != NULL && hex_parse(span_str(text), out->hash, sizeof(out->hash)) == RC_OK && memcmp(out->hash, none, sizeof(none)) != 0)
		return true;
	ctl_fail(c, q, REASON_CTL_USAGE, "%s: expected SHA-256 of a public key, 64 hex digits", name);
	return false;
}

/* none: why nothing was ended. n is read after rc was made. */
static void
answer(struct ctl *c, struct rpc_req *q, enum rc rc, const int64_t *n, enum reason none)
{
	if (rc == RC_OK)
		ctl_ok(c, q, json_pack("{s:I}", "keys", (json_int_t)*n));
	else
		ctl_fail(c, q, rc == RC_NOTFOUND ? none : REASON_INTERNAL, NULL);
}

void
nafkc_op_key_invalidate(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc_target t;
	int64_t n = 0;

	if (take_triple(core, c, q, body, &t))
		answer(c, q, nafkc_order_end(core, &t, 0, &n), &n, REASON_UA_KEY_UNKNOWN);
}

void
nafkc_op_key_limit(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc *k = core;
	struct nafkc_target t;
	struct nafkc_state s = { .gone = true };
	int64_t expires_s, n = 0;
	enum rc rc;

	if (!take_triple(k, c, q, body, &t) || !take_expires(k, c, q, body, &expires_s))
		return;
	rc = nafkc_store_state(k->s.store, &t.triple, timeguard_now(k->s.guard), &s);
	if (rc == RC_OK && !s.gone)
		answer(c, q, nafkc_order_end(k, &t, expires_s, &n), &n, REASON_UA_NOT_SHORTER);
	else
		answer(c, q, rc == RC_OK ? RC_NOTFOUND : rc, &n, REASON_UA_KEY_UNKNOWN);
}

void
nafkc_op_device_limit(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc *k = core;
	struct nafkc_target t = { .scope = NAFKC_SCOPE_DEVICE };
	int64_t expires_s, live = 0, n = 0;
	enum rc rc;

	if (!take_device(c, q, body, &t.triple.device_id) || !take_expires(k, c, q, body, &expires_s))
		return;
	rc = nafkc_store_live_of_device(k->s.store, &t.triple.device_id, timeguard_now(k->s.guard), &live);
	if (rc == RC_OK)
		rc = nafkc_order_end(k, &t, expires_s, &n);
	answer(c, q, rc, &n, live > 0 ? REASON_UA_NOT_SHORTER : REASON_UA_KEY_UNKNOWN);
}

void
nafkc_op_block(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc_target t;
	int64_t n = 0;
	enum rc rc;

	if (!take_block(c, q, body, &t))
		return;
	if ((rc = nafkc_order_block(core, &t, &n)) == RC_OK && t.scope == NAFKC_SCOPE_ISSUER)
		nafkc_ending_await(core, t.hash, c, q);
	else
		answer(c, q, rc, &n, REASON_INTERNAL);
}

void
nafkc_op_unblock(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc_target t;
	enum rc rc;

	if (!take_block(c, q, body, &t))
		return;
	if ((rc = nafkc_order_unblock(core, &t)) == RC_OK)
		ctl_ok(c, q, NULL);
	else
		ctl_fail(c, q, rc == RC_NOTFOUND ? REASON_UA_NOT_BLOCKED : rc == RC_STATE ? REASON_UA_ENDING : REASON_INTERNAL, NULL);
}

void
nafkc_op_block_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct nafkc *k = core;
	json_t *list = json_array();
	enum rc rc = nafkc_store_list_blocks(k->s.store, list);

	(void)body;
	if (rc == RC_OK)
		ctl_ok(c, q, json_pack("{s:o}", "blocks", list));
	else {
		json_decref(list);
		ctl_fail(c, q, REASON_INTERNAL, NULL);
	}
}
