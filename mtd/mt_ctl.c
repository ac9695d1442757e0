/* What the control socket shows and asks of the MT. Keys appear as check values. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/ctl.h"
#include "common/localif.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "mtd/appkey_ctl.h"
#include "mtd/device_ctl.h"
#include "mtd/gba.h"
#include "mtd/local.h"
#include "mtd/mt.h"
#include "mtd/mt_impl.h"
#include "mtd/policy.h"
#include "mtd/service.h"
#include "mtd/state.h"
#include "mtd/state_ctl.h"
#include "mtd/store.h"
#include "mtd/uicc_ctl.h"
#include "mtd/use.h"
#include "mtd/use_ctl.h"

static json_t *
utc(int64_t t)
{
	char text[UTC_TEXT_LEN + 1];

	clock_print_utc(t, text);
	return json_string(text);
}

/* --- key-list */

struct key_list {
	json_t *keys;
	bool failed;
};

static void
add_key(void *arg, const struct mt_key *k)
{
	struct key_list *list = arg;
	char naf[NAF_ID_TEXT_MAX + 1], kcv[KCV_LEN + 1];

	if (secret_kcv(k->ks_local_mt, kcv) != RC_OK) {
		list->failed = true;
		return;
	}
	naf_id_print(&k->triple.naf_id, naf);
	(void)json_array_append_new(list->keys, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "icc_id", k->iccid.s,
	    "btid", k->triple.btid.s, "naf_id", naf, "device_id", k->triple.device_id.s, "kcv", kcv, "expires", utc(k->expires),
	    "state", k->state == MT_KEY_CONFIRMED ? "confirmed" : "derived"));
}

static void
on_key_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct mt *m = core;
	struct key_list list = { json_array(), false };
	struct iccid iccid;
	enum rc rc = mt_store_last_card(m->seams.store, &iccid);

	(void)body;
	if (rc == RC_OK)
		rc = mt_store_each_key(m->seams.store, &iccid, timeguard_now(m->seams.guard), add_key, &list);
	if ((rc != RC_OK && rc != RC_NOTFOUND) || list.failed) {
		json_decref(list.keys);
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	ctl_ok(c, q, json_pack("{s:o}", "keys", list.keys));
}

/* --- key-forget */

/* A member that is a text, or absent. */
static bool
text(const json_t *body, const char *key, const char **out)
{
	const json_t *v = json_object_get(body, key);

	*out = json_string_value(v);
	return v == NULL || json_is_string(v);
}

static void
on_key_forget(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	const char *device, *btid, *naf;
	bool all = json_is_true(json_object_get(body, "all")), good;
	struct mt *m = core;
	struct iccid iccid;
	int n = 0;
	enum rc rc;

	good = text(body, "device_id", &device) && text(body, "btid", &btid) && text(body, "naf_id", &naf);
	if (!good || all == (device != NULL || btid != NULL || naf != NULL)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected all, or one or more of device_id, btid, naf_id");
		return;
	}
	if ((rc = mt_store_last_card(m->seams.store, &iccid)) == RC_OK && (rc = store_begin(m->seams.store)) == RC_OK)
		rc = mt_store_end(m->seams.store, mt_store_lose_keys(m->seams.store, &iccid, device, btid, naf, &n));
	if (rc != RC_OK && rc != RC_NOTFOUND) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	if (n > 0)
		mt_gba_keys_gone(m->gba, INT64_MAX);
	if (n == 0 && !all)
		ctl_fail(c, q, REASON_LOCAL_UNKNOWN_KEY, "no key here fits");
	else
		ctl_ok(c, q, json_pack("{s:i}", "forgotten", n));
}

/* --- bootstrap */

struct boot {
	struct mt *m;
	struct ctl *c;
	struct rpc_req *q;
	enum mt_app_kind kind;
};

static void
on_booted(void *arg, const struct mt_outcome *o, const struct mt_ks *ks)
{
	struct boot *b = arg;

	if (ks != NULL)
		ctl_ok(b->c, b->q, json_pack("{s:s, s:o, s:o}", "btid", ks->btid.s, "created", utc(ks->created), "expires", utc(ks->expires)));
	else if (o->detail[0] != '\0')
		ctl_fail_later(b->c, b->q, o->why, o->retry_after_s, "%s: %s", reason_get(o->why)->what, o->detail);
	else
		ctl_fail_later(b->c, b->q, o->why, o->retry_after_s, NULL);
	free(b);
}

static void
on_boot_progress(void *arg, const char *word, int64_t wait_s)
{
	const struct boot *b = arg;

	ctl_progress(b->c, b->q, word, wait_s);
}

static void
run_bootstrap(void *arg)
{
	struct boot *b = arg;

	mt_gba_bootstrap(b->m->gba, b->kind, on_booted, on_boot_progress, b);
}

static void
on_bootstrap(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct mt *m = core;
	const json_t *app = json_object_get(body, "app");
	const char *name = app != NULL ? json_string_value(app) : "usim";
	struct boot *b;

	if (name == NULL || (strcmp(name, "usim") != 0 && strcmp(name, "isim") != 0)) {
		ctl_fail(c, q, REASON_CTL_USAGE, "app: expected \"usim\" or \"isim\"");
		return;
	}
	if ((b = malloc(sizeof *b)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	*b = (struct boot){ m, c, q, strcmp(name, "isim") == 0 ? MT_APP_ISIM : MT_APP_USIM };
	mt_gba_when_settled(m->gba, run_bootstrap, on_boot_progress, b);
}

const struct ctl_op mt_ctl_ops[] = {
	{ "key-list", on_key_list, "the keys of the card that is in: names, check values, expiry, state" },
	{ "bootstrap", on_bootstrap, "run GBA bootstrapping with the BSF now; app = usim or isim" },
	{ "key-forget", on_key_forget, "forget keys here: all, or by device_id, btid, naf_id" },
	{ "key-check", mt_state_on_check, "ask the NAF Key Centers about the card's keys now" },
	{ "key-derive", mt_appkey_on_derive, "an application's key, of the key that works with a device: device_id, app" },
	{ "device-list", mt_device_on_list, "who waits for the user's word, and who may have keys or not" },
	{ "device-allow", mt_device_on_allow, "this device_id may have keys, from now on" },
	{ "device-refuse", mt_device_on_refuse, "this device_id may have none, from now on; those it has are deleted" },
	{ "use", mt_use_ctl_use, "ask a device to open a tunnel on its key: device_id; wait for it" },
	{ "tunnel-list", mt_use_ctl_list, "the tunnels that are up" },
	{ "uicc-insert", mt_uicc_on_insert, "put a software card in: image, an absolute path" },
	{ "uicc-eject", mt_uicc_on_eject, "take the software card out" },
	{ "uicc-status", mt_uicc_on_status, "the reader, and whether a card is in" },
	{ NULL, NULL, NULL }
};

/* --- hooks */

void
mt_health(void *core, json_t *problems)
{
	struct mt *m = core;
	const struct mt_sim *sim = mt_gba_sim(m->gba);

	if (mt_sim_state(sim) == MT_SIM_NONE)
		(void)json_array_append_new(problems, json_sprintf("no usable card: %s", reason_get(mt_sim_why(sim))->what));
	mt_local_health(m->local, problems);
	mt_state_health(m->state, problems);
}

/* An application: who it is, where its Ks is made, and the newest. */
static void
app_status(struct mt *m, enum mt_app_kind kind, json_t *o)
{
	const struct mt_usim_app *info = &mt_sim_info(mt_gba_sim(m->gba))->app[kind];
	const struct mt_app *app = mt_sim_app(mt_gba_sim(m->gba), kind);
	struct mt_ks ks;
	bool gba_u;

	(void)json_object_set_new(o, "aid", json_string(app->aid));
	(void)json_object_set_new(o, "impi", json_string(info->impi.s));
	(void)json_object_set_new(o, "gba", json_boolean(info->gba));
	(void)json_object_set_new(o, "procedure", json_string(mt_policy_gba_u(&m->conf, info, &gba_u) != REASON_NONE ? "none" :
	    gba_u ? "GBA_U" : "GBA_ME"));
	if (mt_gba_ks(m->gba, kind, &ks) != RC_OK)
		return;
	(void)json_object_set_new(o, "btid", json_string(ks.btid.s));
	(void)json_object_set_new(o, "expires", utc(ks.expires));
	(void)json_object_set_new(o, "ks_in", json_string(ks.ks != NULL ? "mt" : "uicc"));
	mt_ks_clear(&ks);
}

static json_t *
card_status(struct mt *m)
{
	static const char *const name[] = { "none", "reading", "ready" };
	const struct mt_sim *sim = mt_gba_sim(m->gba);
	const struct mt_usim_info *info = mt_sim_info(sim);
	json_t *o = json_pack("{s:s}", "state", name[mt_sim_state(sim)]), *isim;

	if (info == NULL) {
		(void)json_object_set_new(o, "why", json_string(reason_get(mt_sim_why(sim))->code));
		return o;
	}
	(void)json_object_set_new(o, "icc_id", json_string(info->iccid.s));
	(void)json_object_set_new(o, "imsi", json_string(info->imsi.s));
	app_status(m, MT_APP_USIM, o);
	if (mt_sim_app(sim, MT_APP_ISIM) == NULL)
		return o;
	isim = json_object();
	app_status(m, MT_APP_ISIM, isim);
	(void)json_object_set_new(o, "isim", isim);
	return o;
}

static json_t *
naf_status(struct mt *m)
{
	struct naf_id nafs[MT_NAFS_MAX];
	char naf[NAF_ID_TEXT_MAX + 1];
	size_t n = mt_gba_nafs(m->gba, nafs);
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++) {
		naf_id_print(&nafs[i], naf);
		(void)json_array_append_new(a, json_string(naf));
	}
	return a;
}

void
mt_status(void *core, json_t *o)
{
	struct mt *m = core;
	struct mt_counts n;
	char bsf[FQDN_MAX + 1];
	struct mt_ks ks;

	mt_gba_counts(m->gba, &n);
	(void)json_object_set_new(o, "mt_id", json_string(m->id.s));
	(void)json_object_set_new(o, "card", card_status(m));
	if (mt_gba_bsf(m->gba, bsf))
		(void)json_object_set_new(o, "bsf", json_string(bsf));
	if (mt_gba_ks(m->gba, MT_APP_USIM, &ks) == RC_OK) {
		(void)json_object_set_new(o, "btid", json_string(ks.btid.s));
		(void)json_object_set_new(o, "expires", utc(ks.expires));
		(void)json_object_set_new(o, "ks_in", json_string(ks.ks != NULL ? "mt" : "uicc"));
		mt_ks_clear(&ks);
	}
	(void)json_object_set_new(o, "naf_ids", naf_status(m));
	(void)json_object_set_new(o, "links", mt_local_links(m->local));
	(void)json_object_set_new(o, "tunnels", mt_use_list(m->use));
	(void)json_object_set_new(o, "services", mt_services_status(m->services));
	(void)json_object_set_new(o, "counts", json_pack("{s:I, s:I, s:I, s:I, s:I}", "ub_runs", (json_int_t)n.ub_runs,
	    "ub_failed", (json_int_t)n.ub_failed, "naf_derivations", (json_int_t)n.naf_derivations,
	    "keys_derived", (json_int_t)n.keys_derived, "keys_confirmed", (json_int_t)n.keys_confirmed));
}

void
mt_bound(void *core, json_t *o)
{
	struct mt *m = core;

	(void)json_object_set_new(o, "local", mt_local_addresses(m->local));
}
