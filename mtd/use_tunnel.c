/* One tunnel: the handshake, what it confirms, and the streams' doors. */
#include <string.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/store.h"
#include "common/trace.h"
#include "common/tunnel.h"
#include "common/turn.h"
#include "mtd/gba.h"
#include "mtd/service.h"
#include "mtd/use_int.h"

#define WHO "use: link=%s conn=%s device_id=%s btid=%s kcv=%s"
#define WHO_ARGS(t) (t)->from.link, (t)->from.conn, (t)->triple.device_id.s, (t)->triple.btid.s, (t)->kcv

void
mt_tunnel_trace(struct mt_tunnel *t, const char *msg, enum reason why)
{
	char naf[NAF_ID_TEXT_MAX + 1];
	struct trace_event e = {
		.from = "mtd", .to = "extdevd", .msg = msg, .btid = t->triple.btid.s, .naf_id = naf, .device_id = t->triple.device_id.s,
		.kcv = t->kcv, .result = why == REASON_NONE ? "ok" : reason_get(why)->code
	};

	naf_id_print(&t->triple.naf_id, naf);
	trace_emit(t->u->env.s->trace, &e);
}

void
mt_tunnel_close(struct mt_tunnel *t, enum reason why)
{
	if (t->closing || t->state == MT_TUNNEL_OVER)
		return;
	log_reason(why, WHO ": closed", WHO_ARGS(t));
	switch (t->state) {
	case MT_TUNNEL_UP:
		t->closing = true;
		mt_tunnel_trace(t, "closed", why);
		tunnel_close(t->tunnel, why);
		break;
	case MT_TUNNEL_CONFIRMING:
		link_free(t->link);
		t->link = NULL;
		t->state = MT_TUNNEL_OVER;
		break;
	case MT_TUNNEL_HANDSHAKE:
	case MT_TUNNEL_OVER:
		mt_tunnel_gone(t);
		break;
	}
}

/* --- HTTP/2 */

static void
on_tunnel_up(struct tunnel *tunnel, void *arg)
{
	struct mt_tunnel *t = arg;

	(void)tunnel;
	if (t->u->on_up != NULL)
		t->u->on_up(t->u->on_up_arg, &t->triple);
}

static void
on_tunnel_open(struct tunnel *tunnel, struct link *stream, const char *service, void *arg)
{
	struct mt_tunnel *t = arg;

	(void)tunnel;
	if (strcmp(service, TUNNEL_MESSAGES) == 0)
		mt_messages_open(t, stream);
	else
		mt_service_open(t->u->env.services, stream, service, &t->triple.device_id, &t->from);
}

static void
on_tunnel_closed(struct tunnel *tunnel, enum reason why, const char *detail, void *arg)
{
	struct mt_tunnel *t = arg;

	(void)tunnel;
	if (t->closing) {		/* said when it began */
		mt_tunnel_gone(t);
		return;
	}
	if (why == REASON_NONE || why == REASON_TUNNEL_CLOSED)
		log_info(WHO " closed by the device", WHO_ARGS(t));
	else
		log_reason(why, WHO ": %s", WHO_ARGS(t), detail);
	mt_tunnel_trace(t, "closed", why == REASON_TUNNEL_CLOSED ? REASON_NONE : why);
	mt_tunnel_gone(t);
}

/* The key's confirmation is on disk: the device may see that. */
static void
on_durable(void *arg, enum rc rc)
{
	static const struct tunnel_cb cb = { on_tunnel_up, on_tunnel_open, on_tunnel_closed };
	struct mt_tunnel *t = arg;
	const struct mt_conf *conf = t->u->env.conf;
	const struct tunnel_conf tc = { .streams_max = conf->streams_max, .stream_buffer = conf->stream_buffer };
	struct link *link = t->link;

	if (t->state == MT_TUNNEL_OVER) {
		mt_tunnel_gone(t);
		return;
	}
	t->link = NULL;
	if (rc != RC_OK) {
		link_free(link);
	} else {
		rc = tunnel_server_new(link, t->u->env.s->clock, &tc, &cb, t, &t->tunnel);
	}
	if (rc != RC_OK) {
		log_reason(rc == RC_NOMEM ? REASON_INTERNAL : REASON_NOT_DURABLE, WHO, WHO_ARGS(t));
		mt_tunnel_gone(t);
		return;
	}
	t->state = MT_TUNNEL_UP;
	t->since = mt_use_now(t->u);
	log_info(WHO " secured", WHO_ARGS(t));
	mt_use_recheck(t->u);		/* tunnels on the pair's older key drain */
}

/* --- TLS */

/* K2: it is used, so it works. */
static enum reason
confirm(struct mt_tunnel *t)
{
	struct mt_use *u = t->u;
	struct mt_key k = { .ks_local_mt = NULL };
	enum reason why = mt_use_key(u, &t->triple, &k);

	if (why == REASON_NONE && mt_use_count(u, &t->triple) >= u->env.conf->tunnels_max)
		why = REASON_MT_TUNNELS_MAX;
	if (why == REASON_NONE && (mt_gba_confirm(u->env.gba, &k) != RC_OK ||
	    mt_store_get_key_naf(u->env.s->store, &k.iccid, &k.triple, mt_use_now(u), &t->ks_naf) != RC_OK))
		why = REASON_INTERNAL;
	mt_key_clear(&k);
	return why;
}

static void
on_secured(struct link *l, void *arg)
{
	struct mt_tunnel *t = arg;
	enum reason why = confirm(t);

	(void)l;
	if (why != REASON_NONE) {
		mt_tunnel_close(t, why);
		return;
	}
	t->state = MT_TUNNEL_CONFIRMING;
	mt_tunnel_trace(t, "secured", REASON_NONE);
	turn_later(t->u->env.s->turn, on_durable, t);
}

static void
on_link_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct mt_tunnel *t = arg;

	(void)l;
	log_reason(why != REASON_NONE ? why : REASON_LINK_BROKEN, WHO ": not secured: %s", WHO_ARGS(t), detail);
	mt_tunnel_trace(t, "not secured", why != REASON_NONE ? why : REASON_LINK_BROKEN);
	link_free(t->link);
	t->link = NULL;
	if (t->state == MT_TUNNEL_CONFIRMING)
		t->state = MT_TUNNEL_OVER;
	else
		mt_tunnel_gone(t);
}

enum rc
mt_tunnel_start(struct mt_tunnel *t, struct link *link, const struct mt_key *k)
{
	static const struct link_cb cb = { .on_up = on_secured, .on_closed = on_link_closed };
	struct secret *psk = NULL;
	struct link_psk with = { .identity = t->identity };
	const struct link_over_conf conf = { .server = true, .psk = &with };
	enum rc rc;

	if ((rc = secret_kcv(k->ks_local_mt, t->kcv)) != RC_OK || (rc = link_psk_of(k->ks_local_mt, t->identity, &psk)) != RC_OK) {
		link_free(link);
		return rc;
	}
	with.key = psk;
	rc = link_over(link, t->u->env.s->clock, &conf, &cb, t, &t->link);
	secret_free(psk);
	if (rc == RC_OK)
		mt_tunnel_trace(t, "use", REASON_NONE);
	return rc;
}
