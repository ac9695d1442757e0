/* use_pick: which key a tunnel is to use, what its use proves, and where the next one comes from.   seed 7.3, 8.1; K2, U3 */
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/timeguard.h"
#include "extdevd/service.h"
#include "extdevd/state.h"
#include "extdevd/use.h"

#define HOUR_MS 3600000
#define CHECK_MS 60000		/* a wall clock that is set by hand is noticed so soon */

enum rc
extdev_use_pick(struct extdev_mt *m, struct extdev_key *out)
{
	if (m->id.s[0] == '\0')
		return RC_NOTFOUND;
	return extdev_store_get_newest(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), out);
}

enum rc
extdev_use_find(struct extdev *e, const struct mt_id *mt, const struct triple *t, struct extdev_key *out)
{
	struct extdev_key k = { .ks = NULL };
	enum rc rc = extdev_store_find_key(e->s.store, mt, t, &k);

	if (rc == RC_OK && k.expires_s <= timeguard_now(e->s.guard)) {
		extdev_key_clear(&k);
		rc = RC_NOTFOUND;
	}
	if (rc == RC_OK)
		*out = k;
	return rc;
}

bool
extdev_use_has(struct extdev_mt *m, const struct triple *t)
{
	struct extdev_key k = { .ks = NULL };
	bool good = extdev_use_find(m->e, &m->id, t, &k) == RC_OK;

	extdev_key_clear(&k);
	return good;
}

/* --- proven */

static enum rc
store_confirmed(struct extdev_mt *m, const struct triple *t)
{
	struct store *st = m->e->s.store;
	enum rc rc = store_begin(st), end;

	if (rc != RC_OK)
		return rc;
	if ((rc = extdev_forget_owe(m, t)) == RC_OK)
		rc = extdev_store_confirm(st, &m->id, t);
	end = store_end(st, rc == RC_OK);
	return rc != RC_OK ? rc : end;
}

/* Nothing to write: so each tunnel on a key that is long confirmed costs no commit. */
static bool
is_confirmed(struct extdev_mt *m, const struct triple *t)
{
	struct extdev_key k = { .ks = NULL };
	bool yes = extdev_store_get_newest(m->e->s.store, &m->id, timeguard_now(m->e->s.guard), &k) == RC_OK &&
	    triple_eq(&k.from.triple, t) && k.state == EXTDEV_CONFIRMED && !k.owed;

	extdev_key_clear(&k);
	return yes;
}

enum rc
extdev_use_confirm(struct extdev_mt *m, const struct triple *t)
{
	struct extdev_key k = { .ks = NULL };
	struct extdev_channel *c;
	enum rc rc;

	if (is_confirmed(m, t))
		return RC_OK;
	if (extdev_use_find(m->e, &m->id, t, &k) == RC_OK)
		extdev_say_if_no_pseudonym(m, &k);
	extdev_key_clear(&k);
	if ((rc = store_confirmed(m, t)) != RC_OK)
		return rc;
	LIST_FOREACH(c, &m->use->channels, all)
		if (c->tunnel != NULL && !triple_eq(&c->triple, t))
			c->replaced = true;
	extdev_keys_gone(m->e);		/* the older one, if there was one */
	log_info("use: mt=%s mt_id=%s btid=%s device_id=%s: the key is confirmed", m->conf->name, m->id.s, t->btid.s, t->device_id.s);
	return RC_OK;
}

/* --- not shared, or none: another one */

void
extdev_use_count(struct extdev_use *u, int64_t now_ms)
{
	u->made_ms[u->next_made] = now_ms;
	u->next_made = (u->next_made + 1) % EXTDEV_USE_PER_HOUR;
}

void
extdev_use_bar(struct extdev_mt *m, enum reason why)
{
	struct extdev_use *u = m->use;
	int64_t ms = u->barred_why == REASON_NONE ? EXTDEV_USE_BARRED_MS : 2 * u->barred_ms;
	uint32_t less = 0;

	u->barred_why = why;
	u->barred_ms = ms < EXTDEV_USE_BARRED_MAX_MS ? ms : EXTDEV_USE_BARRED_MAX_MS;
	if (rnd_below(m->e->s.rnd, (uint32_t)(u->barred_ms / 10), &less) != RC_OK)
		less = 0;
	u->barred_ends_ms = clock_mono_ms(m->e->s.clock) + u->barred_ms - less;
}

/* Not before so many ms, and why; 0: now. An operator may try at any time. */
static int64_t
bounded(const struct extdev_mt *m, enum reason *why)
{
	const struct extdev_use *u = m->use;
	int64_t now_ms = clock_mono_ms(m->e->s.clock), oldest = u->made_ms[u->next_made];

	if (u->barred_why != REASON_NONE && u->barred_ends_ms > now_ms && TAILQ_EMPTY(&u->users)) {
		*why = u->barred_why;
		return u->barred_ends_ms - now_ms;
	}
	*why = REASON_EXT_USE_LOOP;
	return oldest != 0 && oldest + HOUR_MS > now_ms ? oldest + HOUR_MS - now_ms : 0;
}

void
extdev_use_establish(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;
	enum reason why;
	int64_t left;

	if (m->p.state != EXTDEV_IDLE)
		return;		/* its end is told */
	/* one is tried again by itself, as the Key Center asked for (N6); only somebody who waits may hurry it */
	if (m->p.wanted && clock_timer_armed(m->p.again) && TAILQ_EMPTY(&u->users) && !extdev_services_waiting(m)) {
		u->began = true;
		return;
	}
	if ((left = bounded(m, &why)) > 0) {
		log_reason(why, "use: mt=%s: no establishment begins by itself before %d s are over", m->conf->name, (int)(left / 1000));
		extdev_services_on_no_tunnel(m, why);
		extdev_use_not_now(m, why, left, "");
		return;
	}
	log_info("use: mt=%s mt_id=%s: %s: an establishment begins by itself", m->conf->name, m->id.s,
	    u->refused ? "the MT does not share the key" : "there is no key");
	u->began = true;
	extdev_want(m, u->refused && u->refused_fresh);
}

/* Nothing that an unauthenticated side says destroys a key that works: a confirmed one stays until a newer one is proven. */
void
extdev_use_not_shared(struct extdev_channel *c, const struct extdev_channel_end *end)
{
	struct store *st = c->m->e->s.store;
	struct extdev_use *u = c->m->use;
	bool dropped = false;

	u->refused = true;
	u->refused_triple = c->triple;
	/* another key under the same triple: asking for the same once more brings the same */
	u->refused_fresh = end->why == REASON_LINK_PSK_REFUSED;
	u->lost = true;		/* whoever wanted this tunnel wants the one on the next key */
	if (!c->waiting)
		return;
	if (store_begin(st) == RC_OK) {
		dropped = extdev_store_drop_waiting(st, &c->mt_id, &c->triple) == RC_OK;
		dropped = store_end(st, dropped) == RC_OK && dropped;
	}
	if (!dropped)
		log_error("use: mt=%s btid=%s: the key could not be deleted", c->m->conf->name, c->triple.btid.s);
	extdev_keys_gone(c->m->e);
}

/* --- keys that go away */

/* Why a tunnel may not stand any longer. REASON_NONE: it may. */
static enum reason
judge(struct extdev_channel *c, int64_t now_s)
{
	struct extdev *e = c->m->e;
	struct extdev_key k = { .ks = NULL };
	enum reason why = REASON_NONE;

	if (extdev_use_find(e, &c->mt_id, &c->triple, &k) == RC_OK) {
		c->expires_s = k.expires_s;	/* may be an earlier date now */
		why = extdev_state_lapsed(e, &k) ? REASON_EXT_KEY_LAPSED : REASON_NONE;
	} else if (c->expires_s <= now_s) {
		why = REASON_EXT_KEY_OVER;
	} else if (!c->replaced || extdev_store_get_key(e->s.store, &c->mt_id, now_s, &k) != RC_OK || k.state != EXTDEV_CONFIRMED) {
		why = REASON_EXT_KEY_REMOVED;	/* replaced: the newer one's going takes the older one along */
	}
	extdev_key_clear(&k);
	return why;
}

void
extdev_use_recheck(struct extdev *e)
{
	int64_t now_s = timeguard_now(e->s.guard);

	for (size_t i = 0; i < e->conf.n_mts; i++) {
		struct extdev_channel *c;
		enum reason why;

		LIST_FOREACH(c, &e->mts[i].use->channels, all)
			if (c->tunnel != NULL && (why = judge(c, now_s)) != REASON_NONE)
				extdev_channel_close(c, why);
		extdev_renew_plan(&e->mts[i]);
	}
	extdev_use_set_expiry(e);
}

/* --- keys that were replaced */

static bool
serves_on(const struct extdev_channel *c)
{
	return c->replaced && c->tunnel != NULL && !c->closing;
}

enum rc
extdev_use_each_replaced(struct extdev *e, enum rc (*fn)(void *arg, const struct extdev_key *k), void *arg)
{
	for (size_t i = 0; i < e->conf.n_mts; i++) {
		const struct extdev_channel *c;

		LIST_FOREACH(c, &e->mts[i].use->channels, all) {
			struct extdev_key k = { .from = { .mt_id = c->mt_id, .triple = c->triple }, .expires_s = c->expires_s, .sure_s = c->sure_s };
			enum rc rc;

			if (serves_on(c) && (rc = fn(arg, &k)) != RC_OK)
				return rc;
		}
	}
	return RC_OK;
}

void
extdev_use_on_state(struct extdev *e, const struct mt_id *mt, const struct triple *t, const struct extdev_ua_state *a)
{
	for (size_t i = 0; i < e->conf.n_mts; i++) {
		struct extdev_channel *c;

		LIST_FOREACH(c, &e->mts[i].use->channels, all) {
			if (!serves_on(c) || strcmp(c->mt_id.s, mt->s) != 0 || !triple_eq(&c->triple, t))
				continue;
			c->sure_s = timeguard_now(e->s.guard);
			if (a->said == EXTDEV_SAID_GOOD && a->expires_s < c->expires_s)
				c->expires_s = a->expires_s;	/* N9 */
			if (a->said == EXTDEV_SAID_GONE)
				extdev_channel_close(c, a->why);
		}
	}
	extdev_use_set_expiry(e);
}

void
extdev_use_set_expiry(struct extdev *e)
{
	int64_t first_s = INT64_MAX, now_s = timeguard_now(e->s.guard), ms;

	for (size_t i = 0; i < e->conf.n_mts; i++) {
		const struct extdev_channel *c;

		LIST_FOREACH(c, &e->mts[i].use->channels, all)
			if (c->tunnel != NULL && c->expires_s < first_s)
				first_s = c->expires_s;
	}
	clock_timer_stop(e->expiry);
	if (first_s == INT64_MAX || e->stopping)
		return;
	ms = first_s <= now_s ? 1000 : (first_s - now_s) * 1000;	/* closing takes its time */
	clock_timer_set(e->expiry, ms > CHECK_MS ? CHECK_MS : ms);
}
