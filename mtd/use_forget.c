/*
 * K5: the messages' stream of a tunnel. A device whose Device_ID is another one with each key says there, on its new key, that the old
 * one may go, and proves that it was his.
 */
#include <stdlib.h>

#include "common/link.h"
#include "common/log.h"
#include "common/proof.h"
#include "common/rpc.h"
#include "common/store.h"
#include "common/tunnel.h"
#include "common/turn.h"
#include "mtd/gba.h"
#include "mtd/use_int.h"

struct mt_messages {
	LIST_ENTRY(mt_messages) all;
	struct mt_tunnel *t;
	struct rpc *rpc;
};

/* --- answers leave with the turn */

struct answer {
	struct rpc_req *q;
	enum reason why;
	const char *detail;
};

static void
send_answer(void *arg, enum rc rc)
{
	struct answer *a = arg;

	if (rc != RC_OK)
		rpc_fail(a->q, REASON_NOT_DURABLE, 1, NULL);
	else if (a->why == REASON_NONE)
		rpc_ok(a->q, NULL);
	else
		rpc_fail(a->q, a->why, 0, "%s%s%s", reason_get(a->why)->what, a->detail[0] != '\0' ? ": " : "", a->detail);
	free(a);
}

static void
answer(struct mt_tunnel *t, struct rpc_req *q, enum reason why, const char *detail)
{
	struct answer *a = malloc(sizeof *a);

	if (a == NULL)
		log_fatal("use: out of memory");
	*a = (struct answer){ q, why, detail };
	turn_later(t->u->env.s->turn, send_answer, a);
}

/* --- forget */

static enum reason
forget(struct mt_tunnel *t, const struct localif_forget *m)
{
	struct mt_use *u = t->u;
	struct mt_key k = { .ks_local_mt = NULL };
	enum reason why;
	enum rc rc;

	if (triple_eq(&m->triple, &t->triple))
		return REASON_LOCAL_BAD_MESSAGE;
	if ((why = mt_use_key(u, &m->triple, &k)) == REASON_LOCAL_UNKNOWN_KEY)
		return REASON_NONE;		/* as it should be; it may be a repetition */
	if (why != REASON_NONE)
		return why;
	rc = proof_check(k.ks_local_mt, PROOF_FORGET, span_str(t->identity), span_str(m->proof));
	if (rc == RC_OK)
		rc = mt_store_forget_key(u->env.s->store, &k.iccid, &k.triple);
	mt_key_clear(&k);
	if (rc != RC_OK)
		return rc == RC_DENIED ? REASON_MT_FORGET_PROOF : REASON_INTERNAL;
	log_info("use: device_id=%s btid=%s forgotten, as the device asked on its newer key, device_id=%s btid=%s", m->triple.device_id.s,
	    m->triple.btid.s, t->triple.device_id.s, t->triple.btid.s);
	mt_use_inherit(u, &m->triple, &t->triple.device_id);
	mt_gba_keys_gone(u->env.gba, INT64_MAX);
	return REASON_NONE;
}

static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	struct mt_messages *s = arg;
	struct localif_forget m;
	const char *bad = "";
	enum reason why = REASON_LOCAL_UNSUPPORTED;

	if (span_eq_str(span_str(op), LOCALIF_FORGET)) {
		why = REASON_LOCAL_BAD_MESSAGE;
		if (localif_forget_parse(body, &m, &bad) == RC_OK)
			why = forget(s->t, &m);
		if (why != REASON_NONE)
			log_reason(why, "use: link=%s conn=%s device_id=%s: forget %s", s->t->from.link, s->t->from.conn,
			    s->t->triple.device_id.s, bad);
	}
	answer(s->t, q, why, why == REASON_LOCAL_BAD_MESSAGE ? bad : "");
}

/* --- the stream */

static void
messages_end(struct mt_messages *s)
{
	LIST_REMOVE(s, all);
	rpc_free(s->rpc);
	free(s);
}

static void
on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)r;
	(void)why;
	(void)detail;
	messages_end(arg);
}

void
mt_messages_open(struct mt_tunnel *t, struct link *stream)
{
	static const struct rpc_cb cb = { on_request, on_closed };
	struct mt_messages *s;

	if (!LIST_EMPTY(&t->messages)) {	/* one will do */
		tunnel_refuse(stream, REASON_TUNNEL_LIMIT);
		return;
	}
	if ((s = calloc(1, sizeof *s)) == NULL || tunnel_accept(stream) != RC_OK) {
		free(s);
		link_reset(stream);
		return;
	}
	if (rpc_new(stream, t->u->env.s->clock, NULL, &cb, s, &s->rpc) != RC_OK) {
		free(s);
		link_reset(stream);
		return;
	}
	s->t = t;
	LIST_INSERT_HEAD(&t->messages, s, all);
}

void
mt_messages_close(struct mt_tunnel *t)
{
	struct mt_messages *s;

	LIST_FOREACH(s, &t->messages, all)
		rpc_close(s->rpc);
}

void
mt_messages_free(struct mt_tunnel *t)
{
	struct mt_messages *s;

	while ((s = LIST_FIRST(&t->messages)) != NULL)
		messages_end(s);
}
