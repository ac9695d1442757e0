/* ops_state: control operations about what the Key Center says: of a key's state (N7), and of the SIM in an MT (K12). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "extdevd/core.h"

#define WAIT_S 15

/* --- key-check */

struct check_job {
	struct extdev *e;
	struct ctl *c;
	struct rpc_req *q;
	const char *mt_id;		/* NULL = all; borrowed within the operation */
	size_t open;			/* asked and not answered yet, one more while asking */
	json_t *keys;
};
struct check_one {
	struct check_job *job;
	struct triple triple;
	struct mt_id mt_id;
};

static void
answered(struct check_job *j)
{
	if (--j->open > 0)
		return;
	if (json_array_size(j->keys) == 0) {
		json_decref(j->keys);
		ctl_fail(j->c, j->q, REASON_LOCAL_UNKNOWN_KEY, "there is no key to ask about");
	} else {
		ctl_ok(j->c, j->q, json_pack("{s:o}", "keys", j->keys));
	}
	free(j);
}

static void
on_said(void *arg, const struct extdev_ua_state *a)
{
	static const char *const words[] = { "nothing", "good", "unchanged", "unknown", "gone" };
	struct check_one *one = arg;
	struct check_job *j = one->job;
	struct extdev_key k = { .ks = NULL };
	char naf[NAF_ID_TEXT_MAX + 1], expires[UTC_TEXT_LEN + 1];
	json_t *o;

	naf_id_print(&one->triple.naf_id, naf);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "btid", one->triple.btid.s, "naf_id", naf, "device_id", one->triple.device_id.s,
	    "mt_id", one->mt_id.s, "said", words[a->said]);
	if (a->why != REASON_NONE) {
		(void)json_object_set_new(o, "reason", json_string(reason_get(a->why)->code));
		(void)json_object_set_new(o, "detail", json_string(a->detail));
	}
	if (extdev_store_find_key(j->e->s.store, &one->mt_id, &one->triple, &k) == RC_OK) {
		clock_print_utc(k.expires_s, expires);
		(void)json_object_set_new(o, "expires", json_string(expires));
	}
	extdev_key_clear(&k);
	(void)json_array_append_new(j->keys, o);
	free(one);
	answered(j);
}

static enum rc
check_key(void *arg, const struct extdev_key *k)
{
	struct check_job *j = arg;
	struct check_one *one;

	if (j->mt_id != NULL && strcmp(j->mt_id, k->from.mt_id.s) != 0)
		return RC_OK;
	if ((one = calloc(1, sizeof *one)) == NULL)
		return RC_NOMEM;
	one->job = j;
	one->triple = k->from.triple;
	one->mt_id = k->from.mt_id;
	j->open++;
	extdev_state_ask(j->e, k, on_said, one);
	return RC_OK;
}

void
extdev_op_key_check(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct extdev *e = core;
	const json_t *name = json_object_get(body, "mt");
	struct extdev_mt *m = json_is_string(name) ? extdev_find_mt(e, json_string_value(name)) : NULL;
	struct check_job *j;

	if (name != NULL && m == NULL) {
		if (json_is_string(name))
			ctl_fail(c, q, REASON_EXT_MT_UNKNOWN, NULL);
		else
			ctl_fail(c, q, REASON_CTL_USAGE, "expected mt as a text");
		return;
	}
	if ((j = calloc(1, sizeof *j)) == NULL) {
		ctl_fail(c, q, REASON_INTERNAL, NULL);
		return;
	}
	*j = (struct check_job){ .e = e, .c = c, .q = q, .mt_id = m != NULL ? m->id.s : NULL, .open = 1, .keys = json_array() };
	ctl_progress(c, q, "key-state", WAIT_S);
	if (extdev_store_each_key(e->s.store, timeguard_now(e->s.guard), check_key, j) != RC_OK)
		log_error("state: not all keys could be read");
	answered(j);
}

/* --- mt-list, mt-accept */

static enum rc
add_pseudonym(void *arg, const struct mt_id *mt, const struct naf_id *naf_id, const char *pseudonym)
{
	json_t *all = arg, *o;
	char naf[NAF_ID_TEXT_MAX + 1];
	size_t i;

	naf_id_print(naf_id, naf);
	json_array_foreach(all, i, o) {
		const char *id = json_string_value(json_object_get(o, "mt_id"));

		if (id == NULL || strcmp(id, mt->s) != 0)
			continue;
		(void)json_object_set_new(json_object_get(o, "sims"), naf, json_string(pseudonym));
		(void)json_object_set_new(o, "sim_change", json_string(pseudonym[0] != '\0' ? "noticed" : "unnoticed"));
	}
	return RC_OK;
}

/* "sims": what each Key Center calls the one that is in; "" = nothing, and a change cannot be noticed. */
void
extdev_op_mt_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct extdev *e = core;
	json_t *mts = json_array(), *o;

	(void)body;
	for (size_t i = 0; i < e->conf.n_mts; i++) {
		const struct extdev_mt *m = &e->mts[i];

		o = json_pack("{s:s, s:s, s:b, s:s, s:{}}", "name", m->conf->name, "address", m->conf->address, "up",
		    m->local.state == EXTDEV_LINK_UP, "sim_change", "unknown", "sims");
		if (m->id.s[0] != '\0')
			(void)json_object_set_new(o, "mt_id", json_string(m->id.s));
		(void)json_array_append_new(mts, o);
	}
	if (extdev_store_each_pseudonym(e->s.store, add_pseudonym, mts) == RC_OK) {
		ctl_ok(c, q, json_pack("{s:o}", "mts", mts));
		return;
	}
	json_decref(mts);
	ctl_fail(c, q, REASON_INTERNAL, NULL);
}

void
extdev_op_mt_accept(void *core, struct ctl *c, struct rpc_req *q, json_t *body)
{
	struct extdev *e = core;
	const char *text = json_string_value(json_object_get(body, "mt_id"));
	struct mt_id id;
	enum rc rc, end;

	if (text == NULL || mt_id_parse(span_str(text), &id) != RC_OK) {
		ctl_fail(c, q, REASON_CTL_USAGE, "expected mt_id: 32 hex digits, as 'mt list' shows it");
		return;
	}
	if ((rc = store_begin(e->s.store)) == RC_OK) {
		rc = extdev_store_drop_pseudonyms(e->s.store, id.s);
		end = store_end(e->s.store, rc == RC_OK);
		rc = rc != RC_OK ? rc : end;
	}
	for (size_t i = 0; rc == RC_OK && i < e->conf.n_mts; i++)
		if (strcmp(e->mts[i].id.s, id.s) == 0)
			extdev_use_on_accept(&e->mts[i]);
	if (rc == RC_OK)
		ctl_ok(c, q, json_pack("{s:s}", "accepted", id.s));
	else
		ctl_fail(c, q, rc == RC_NOTFOUND ? REASON_EXT_MT_UNKNOWN : REASON_INTERNAL, rc == RC_NOTFOUND ?
		    "no SIM is remembered for this MT_ID" : NULL);
}
