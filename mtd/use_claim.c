/* K13: a Device_ID whose key is in use on a live tunnel is not re-derived for somebody who does not hold that key. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/proof.h"
#include "common/tunnel.h"
#include "mtd/gba.h"
#include "mtd/use_int.h"

#define PING_MS 3000		/* below what a device waits for an answer */

/* The asker holds the pair's key that is confirmed. */
static bool
is_holder(struct mt_use *u, const struct mt_claim *c)
{
	struct mt_key k = { .ks_local_mt = NULL };
	struct iccid iccid;
	bool yes = false;

	if (c->holds[0] == '\0' || c->challenge[0] == '\0' || mt_gba_key_card(u->env.gba, &iccid) != REASON_NONE)
		return false;
	if (mt_store_key_of(u->env.s->store, &iccid, &c->device_id, mt_use_now(u), &k) == RC_OK)
		yes = k.state == MT_KEY_CONFIRMED &&
		    proof_check(k.ks_local_mt, PROOF_HOLDS, span_str(c->challenge), span_str(c->holds)) == RC_OK;
	mt_key_clear(&k);
	return yes;
}

static void
on_pong(void *arg, bool alive)
{
	struct mt_tunnel *t = arg;
	struct mt_use *u = t->u;

	t->pinging = false;
	if (alive)
		t->answered_ms = clock_mono_ms(u->env.s->clock);
	else
		mt_tunnel_close(t, REASON_MT_TUNNEL_DEAD);
	mt_claims_look(u);
}

/* true: a PING is under way. false: it cannot be sent; the tunnel came up just now, so its device is alive. */
static bool
probe(struct mt_tunnel *t)
{
	if (!t->pinging)
		t->pinging = tunnel_ping(t->tunnel, PING_MS, on_pong, t) == RC_OK;
	return t->pinging;
}

/* false: it waits for an answer. */
static bool
decide(struct mt_use *u, const struct mt_claimant *w, enum reason *why)
{
	bool waits = false;
	struct mt_tunnel *t;

	*why = REASON_NONE;
	LIST_FOREACH(t, &u->tunnels, all) {
		if (t->state != MT_TUNNEL_UP || t->closing || strcmp(t->triple.device_id.s, w->c.device_id.s) != 0)
			continue;
		if (t->answered_ms < w->since_ms && probe(t)) {
			waits = true;
			continue;
		}
		log_reason(REASON_MT_DEVICE_LIVE, "use: device_id=%s: link=%s conn=%s asks for a key; link=%s conn=%s uses one, and answers",
		    w->c.device_id.s, w->c.from.link, w->c.from.conn, t->from.link, t->from.conn);
		*why = REASON_MT_DEVICE_LIVE;
		return true;
	}
	return !waits;
}

void
mt_claims_look(void *use)
{
	struct mt_use *u = use;
	struct mt_claimant *w = LIST_FIRST(&u->claimants);
	enum reason why;

	while (w != NULL) {
		if (!decide(u, w, &why)) {
			w = LIST_NEXT(w, all);
			continue;
		}
		LIST_REMOVE(w, all);
		w->fn(w->arg, why);
		free(w);
		w = LIST_FIRST(&u->claimants);	/* it may have changed the list */
	}
}

void
mt_claims_later(struct mt_use *u)
{
	if (!LIST_EMPTY(&u->claimants))
		clock_timer_set(u->look, 0);
}

void
mt_use_claim(struct mt_use *u, const struct mt_claim *c, void (*fn)(void *arg, enum reason why), void *arg)
{
	struct mt_claimant *w;

	if (is_holder(u, c)) {
		fn(arg, REASON_NONE);
		return;
	}
	if ((w = malloc(sizeof *w)) == NULL) {
		fn(arg, REASON_INTERNAL);
		return;
	}
	*w = (struct mt_claimant){ .c = *c, .since_ms = clock_mono_ms(u->env.s->clock), .fn = fn, .arg = arg };
	LIST_INSERT_HEAD(&u->claimants, w, all);
	mt_claims_look(u);
}
