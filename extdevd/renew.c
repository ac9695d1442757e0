/*
 * renew: another key ahead of the expiry of the one in use, by a new bootstrapping (K9): the derivation is deterministic, so the same
 * B-TID would bring the same key, and its date. Only for an MT whose key is used. When the newer key is there use.c opens a tunnel
 * on it, and the older tunnel drains.                                                          seed 7.2, RULES U1
 */
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "extdevd/use.h"

#define JITTER_POINTS 5		/* so many percent earlier at most: devices that got their keys together do not come back together */
#define CHECK_MS 60000		/* a wall clock that is set by hand is noticed so soon */
#define AGAIN_MIN_S 60

static bool
is_used(const struct extdev_mt *m)
{
	return m->use->current != NULL || m->conf->use_on_connect;
}

/* When: the configured share of its lifetime, less the jitter. */
static int64_t
share_of(struct extdev_mt *m, const struct extdev_key *k, int64_t now_s)
{
	int64_t from_s = k->issued_s > 0 && k->issued_s < k->expires_s ? k->issued_s : now_s;
	uint32_t hundredths = 0;

	if (rnd_below(m->e->s.rnd, JITTER_POINTS * 100 + 1, &hundredths) != RC_OK)
		hundredths = 0;
	return from_s + (k->expires_s - from_s) * ((int64_t)m->e->conf.renew_at * 100 - (int64_t)hundredths) / 10000;
}

static void
set_timer(struct extdev_mt *m, int64_t now_s)
{
	int64_t ms = m->use->renew_s > now_s ? (m->use->renew_s - now_s) * 1000 : 0;

	clock_timer_set(m->use->renew, ms > CHECK_MS ? CHECK_MS : ms);
}

void
extdev_renew_plan(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;
	int64_t now_s = timeguard_now(m->e->s.guard);
	struct extdev_key k = { .ks = NULL };

	clock_timer_stop(u->renew);
	if (m->e->stopping || m->e->conf.renew_at == 0 || !is_used(m) || extdev_use_pick(m, &k) != RC_OK)
		return;
	if (!triple_eq(&u->renew_triple, &k.from.triple) || u->renew_expires_s != k.expires_s) {
		u->renew_triple = k.from.triple;
		u->renew_expires_s = k.expires_s;
		u->renew_s = share_of(m, &k, now_s);
	}
	extdev_key_clear(&k);
	set_timer(m, now_s);
}

void
extdev_renew_due(void *mt)
{
	struct extdev_mt *m = mt;
	struct extdev_use *u = m->use;
	int64_t now_s = timeguard_now(m->e->s.guard), left_s = u->renew_expires_s - now_s;

	if (now_s < u->renew_s || !is_used(m) || left_s <= 0 || timeguard_jumped(m->e->s.guard)) {
		extdev_renew_plan(m);
		return;
	}
	/* until there is a newer key, again after a quarter of what is left */
	u->renew_s = now_s + (left_s / 4 > AGAIN_MIN_S ? left_s / 4 : AGAIN_MIN_S);
	set_timer(m, now_s);
	if (m->p.state != EXTDEV_IDLE)
		return;
	log_info("use: mt=%s mt_id=%s btid=%s: %d s before its end: a newer key is made", m->conf->name, m->id.s, u->renew_triple.btid.s,
	    (int)left_s);
	extdev_want(m, true);
}
