/*
 * forget: keys that the MT need not keep any more.                                                          RULES K5
 * A device that takes a new Device_ID per establishment leaves each older key behind at the MT, which replaces only what is the same
 * Device_ID's (K2). So when a newer key is confirmed, what the older ones prove is written down, bound to the newer one, and told on
 * the messages' stream of a tunnel on it, once the tunnels on the older ones have ended. A proof is no key: the older key itself is
 * deleted at once. A third key before it was told makes the proofs worthless; they are dropped and those keys end by their date.
 */
#include <stdlib.h>
#include <string.h>

#include "common/link_over.h"
#include "common/log.h"
#include "common/rpc.h"
#include "common/timeguard.h"
#include "common/tunnel.h"
#include "extdevd/use.h"

struct extdev_forgetting {
	struct extdev_mt *m;
	struct link *stream;		/* until it is up */
	struct rpc *rpc;
	struct extdev_owed owed;	/* asked about */
};

/* --- what is owed */

struct owing {
	struct store *st;
	const struct mt_id *mt;
	const struct triple *newer;
	const char *identity;		/* of the newer key's tunnels */
};

static enum rc
owe(void *arg, const struct extdev_key *k)
{
	struct owing *o = arg;
	struct extdev_owed owed = { .mt_id = *o->mt, .older = k->from.triple, .expires_s = k->expires_s };
	enum rc rc;

	if (strcmp(k->from.mt_id.s, o->mt->s) != 0 || strcmp(k->from.triple.device_id.s, o->newer->device_id.s) == 0)
		return RC_OK;
	if ((rc = proof_make(k->ks, PROOF_FORGET, span_str(o->identity), owed.proof)) != RC_OK)
		return rc;
	return extdev_store_owe_forget(o->st, &owed);
}

enum rc
extdev_forget_owe(struct extdev_mt *m, const struct triple *t)
{
	char identity[LINK_PSK_IDENTITY_MAX + 1];
	struct owing o = { m->e->s.store, &m->id, t, identity };
	int64_t now_s = timeguard_now(m->e->s.guard);
	struct extdev_key k = { .ks = NULL };
	struct secret *psk = NULL;
	enum rc rc;

	if ((rc = extdev_use_find(m->e, o.mt, t, &k)) == RC_OK && (rc = link_psk_of(k.ks, identity, &psk)) == RC_OK &&
	    (rc = extdev_store_drop_forget(o.st, o.mt)) == RC_OK)
		rc = extdev_store_each_key(o.st, now_s, owe, &o);
	secret_free(psk);
	extdev_key_clear(&k);
	return rc;
}

/* --- telling */

void
extdev_forget_stop(struct extdev_mt *m)
{
	struct extdev_forgetting *f = m->use->forgetting;

	if (f == NULL)
		return;
	m->use->forgetting = NULL;
	rpc_free(f->rpc);
	link_reset(f->stream);
	free(f);
}

static void
settle(struct extdev_forgetting *f)
{
	struct store *st = f->m->e->s.store;
	bool gone;

	if (store_begin(st) != RC_OK)
		return;
	gone = extdev_store_settle_forget(st, &f->owed) == RC_OK;
	if (store_end(st, gone) != RC_OK || !gone)
		log_error("use: mt=%s: what was forgotten could not be taken out of the store", f->m->conf->name);
}

static void ask_next(struct extdev_forgetting *f);

static void
on_forgotten(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct extdev_forgetting *f = arg;
	const struct triple *t = &f->owed.older;

	(void)body;
	if (why == REASON_LOCAL_GONE)
		return;			/* on_closed follows */
	if (why == REASON_NONE)
		log_info("use: mt=%s btid=%s device_id=%s: forgotten there", f->m->conf->name, t->btid.s, t->device_id.s);
	else
		log_reason(why, "use: mt=%s btid=%s device_id=%s: not forgotten there", f->m->conf->name, t->btid.s, t->device_id.s);
	if (why != REASON_NONE && (error == NULL || strcmp(reason_get(why)->local, "busy") == 0)) {
		extdev_forget_stop(f->m);	/* with the next tunnel */
		return;
	}
	settle(f);
	ask_next(f);
}

static void
ask_next(struct extdev_forgetting *f)
{
	struct extdev_mt *m = f->m;
	struct localif_forget ask;
	json_t *body;

	if (extdev_store_get_forget(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), &f->owed) != RC_OK) {
		extdev_forget_stop(m);
		return;
	}
	ask.triple = f->owed.older;
	memcpy(ask.proof, f->owed.proof, sizeof ask.proof);
	body = localif_forget_print(&ask);
	/* told to be forgotten in an earlier turn: it is on disk */
	if (body == NULL || rpc_ask(f->rpc, LOCALIF_FORGET, body, on_forgotten, NULL, f) != RC_OK)
		extdev_forget_stop(m);
	json_decref(body);
}

static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	(void)op, (void)body, (void)arg;
	rpc_fail(q, REASON_LOCAL_UNSUPPORTED, 0, NULL);
}

static void
on_rpc_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)r, (void)why, (void)detail;
	extdev_forget_stop(((struct extdev_forgetting *)arg)->m);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct extdev_forgetting *f = arg;

	(void)l;
	log_reason(why, "use: mt=%s: no stream for messages: %s", f->m->conf->name, detail);
	extdev_forget_stop(f->m);
}

static void
on_up(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { on_request, on_rpc_closed };
	struct extdev_forgetting *f = arg;

	if (rpc_new(l, f->m->e->s.clock, NULL, &cb, f, &f->rpc) != RC_OK) {
		extdev_forget_stop(f->m);
		return;
	}
	f->stream = NULL;
	ask_next(f);
}

void
extdev_forget_look(struct extdev_mt *m)
{
	static const struct link_cb cb = { .on_up = on_up, .on_closed = on_closed };
	struct extdev_use *u = m->use;
	struct extdev_forgetting *f;
	struct extdev_owed owed;

	/* what the MT forgets ends its tunnels there: they come first */
	if (u->forgetting != NULL || u->current == NULL || LIST_FIRST(&u->channels) != u->current || LIST_NEXT(u->current, all) != NULL)
		return;
	if (extdev_store_get_forget(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), &owed) != RC_OK)
		return;
	if ((f = calloc(1, sizeof *f)) == NULL)
		return;
	f->m = m;
	u->forgetting = f;
	if (tunnel_open(u->current->tunnel, TUNNEL_MESSAGES, &cb, f, &f->stream) != RC_OK)
		extdev_forget_stop(m);
}
