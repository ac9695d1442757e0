/*
 * use_drain: a tunnel whose key was replaced serves on (U1), and the key's row is gone; so nobody else asks whether it was revoked since
 * (N7). It is asked about here, at the interval, with the Ks_(ext)_NAF that the tunnel keeps for that.
 */
#include "common/log.h"
#include "common/tunnel.h"
#include "mtd/state.h"
#include "mtd/use_int.h"

#define AGAIN_S 60		/* after nothing was said, if the interval is not shorter */

void
mt_tunnel_drain(struct mt_tunnel *t)
{
	if (t->draining || t->closing)
		return;
	t->draining = true;
	t->ask_at = mt_use_now(t->u) + t->u->env.conf->state_interval_s;
	log_info("use: link=%s conn=%s device_id=%s btid=%s kcv=%s: a newer key is in use; %zu streams run on, no new ones", t->from.link,
	    t->from.conn, t->triple.device_id.s, t->triple.btid.s, t->kcv, tunnel_streams(t->tunnel));
	mt_messages_close(t);
	tunnel_drain(t->tunnel);
}

static void
on_told(void *arg, const struct triple *triple, const struct mt_said *said)
{
	struct mt_tunnel *t = arg;
	int64_t wait = t->u->env.conf->state_interval_s;

	(void)triple;
	if (said->verdict == MT_SAID_GONE) {
		mt_tunnel_close(t, said->why);
		return;
	}
	if (said->verdict == MT_SAID_GOOD && said->lifetime != 0 && said->lifetime < t->expires)
		t->expires = said->lifetime;		/* N9 */
	else if (said->verdict == MT_SAID_NOTHING && wait > AGAIN_S)
		wait = AGAIN_S;
	t->ask_at = mt_use_now(t->u) + wait;
	mt_use_arm(t->u);
}

void
mt_drain_ask(struct mt_use *u)
{
	struct mt_tunnel *t;

	LIST_FOREACH(t, &u->tunnels, all) {
		struct mt_key k = { .iccid = t->iccid, .triple = t->triple, .ks_naf = t->ks_naf, .expires = t->expires };

		if (t->closing || t->ask_at > mt_use_now(u))
			continue;
		t->ask_at = INT64_MAX;
		mt_state_check(u->env.state, &k, on_told, t);
	}
}
