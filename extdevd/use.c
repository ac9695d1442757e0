#include "extdevd/use.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/timeguard.h"
#include "extdevd/service.h"
#include "extdevd/state.h"

#define BACK_OFF_MAX_MS 60000
#define STATE_S 10		/* the Key Center has said something by then, or is away */
#define STOOD_S 60		/* a tunnel that lived so long was no failure */

/* --- who wants one */

void
extdev_use_tell(struct extdev_mt *m, const struct extdev_channel *c, enum reason why, const char *detail)
{
	struct extdev_user *user;

	while ((user = TAILQ_FIRST(&m->use->users)) != NULL) {
		TAILQ_REMOVE(&m->use->users, user, all);
		user->fn(user->arg, c, why, detail);
		free(user);
	}
}

/* Is a tunnel on this key wanted? NULL: there is none. */
static bool
wanted(const struct extdev_mt *m, const struct extdev_key *k)
{
	const struct extdev_use *u = m->use;

	return !TAILQ_EMPTY(&u->users) || u->asked > 0 || extdev_services_waiting(m) || u->current != NULL ||
	    (m->conf->use_on_connect && (k != NULL || u->lost));
}

/* --- one step towards it */

static int64_t
jittered(const struct extdev *e, int64_t ms)
{
	uint32_t less = 0;

	if (rnd_below(e->s.rnd, (uint32_t)(ms / 2) + 1, &less) != RC_OK)
		less = 0;
	return ms - less;
}

void
extdev_use_not_now(struct extdev_mt *m, enum reason why, int64_t after_ms, const char *detail)
{
	struct extdev_use *u = m->use;
	int64_t ms = after_ms > 0 ? after_ms : jittered(m->e, u->back_off_ms);

	u->tried_ms = clock_mono_ms(m->e->s.clock);
	u->pause_ends_ms = u->tried_ms + ms;
	u->back_off_ms = 2 * u->back_off_ms > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : 2 * u->back_off_ms;
	if (u->asked > 0)
		u->asked--;
	extdev_use_tell(m, NULL, why, detail);
	if (!m->e->stopping)
		clock_timer_set(u->again, ms);
}

static void
open_channel(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;
	enum rc rc = extdev_channel_new(m, &u->key, &u->coming);

	extdev_key_clear(&u->key);
	if (rc != RC_OK) {
		log_error("use: mt=%s: no channel could be opened: %s", m->conf->name, rc_str(rc));
		extdev_use_not_now(m, REASON_INTERNAL, 0, "no channel could be opened");
		return;
	}
	LIST_INSERT_HEAD(&u->channels, u->coming, all);
}

/* N10 */
static void
on_may(void *arg, enum reason why)
{
	struct extdev_mt *m = arg;
	struct extdev_use *u = m->use;

	u->asking = false;
	if (why == REASON_NONE) {
		open_channel(m);
		return;
	}
	log_reason(why, "use: mt=%s btid=%s: not now", m->conf->name, u->key.from.triple.btid.s);
	extdev_key_clear(&u->key);
	extdev_use_not_now(m, why, 0, "");
}

/* The link is up, and k is the key to use. */
static void
use_key(struct extdev_mt *m, struct extdev_key *k)
{
	struct extdev_use *u = m->use;

	if (u->current != NULL && triple_eq(&u->current->triple, &k->from.triple)) {
		u->asked = 0;
		extdev_use_tell(m, u->current, REASON_NONE, "");
	} else if (u->refused && triple_eq(&u->refused_triple, &k->from.triple)) {
		extdev_use_establish(m);
	} else {
		u->key = *k;
		memset(k, 0, sizeof *k);
		u->asking = true;
		extdev_state_before_use(m, &u->key, on_may, m);
		if (u->asking)
			extdev_use_progress(m, LOCALIF_WAIT_STATE, STATE_S);
	}
}

void
extdev_use_look(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;
	struct extdev_key k = { .ks = NULL };
	bool have;

	if (m->e->stopping || u->coming != NULL || u->asking || clock_timer_armed(u->again))
		return;
	have = extdev_use_pick(m, &k) == RC_OK;
	if (wanted(m, have ? &k : NULL)) {
		if (timeguard_jumped(m->e->s.guard))
			extdev_use_not_now(m, REASON_CLOCK_JUMPED, 0, "");
		else if (m->local.state != EXTDEV_LINK_UP)
			extdev_local_dial(m);		/* its end comes back here */
		else if (m->p.state == EXTDEV_COMPLETE)
			;				/* as above: which key both ends have is known then (K4) */
		else if (have)
			use_key(m, &k);
		else
			extdev_use_establish(m);
	}
	extdev_key_clear(&k);
}

/* --- what a channel tells */

void
extdev_use_on_proven(struct extdev_channel *c)
{
	enum rc rc = extdev_use_confirm(c->m, &c->triple);

	if (rc == RC_OK)
		return;
	log_error("use: mt=%s btid=%s: the key could not be confirmed: %s", c->m->conf->name, c->triple.btid.s, rc_str(rc));
	extdev_use_on_closed(c, &(struct extdev_channel_end){ .why = rc == RC_NOTFOUND ? REASON_LOCAL_UNKNOWN_KEY : REASON_INTERNAL,
	    .detail = "the key is gone from the store" });
}

void
extdev_use_on_up(struct extdev_channel *c)
{
	struct extdev_mt *m = c->m;
	struct extdev_use *u = m->use;
	struct extdev_channel *other;

	log_info("use: mt=%s mt_id=%s btid=%s device_id=%s kcv=%s: a tunnel is up", m->conf->name, c->mt_id.s, c->triple.btid.s,
	    c->triple.device_id.s, c->kcv);
	metric_add(m->e->count.tunnels, 1);
	u->coming = NULL;
	u->current = c;
	u->asked = 0;
	u->refused = u->lost = u->began = false;
	LIST_FOREACH(other, &u->channels, all)
		if (other != c && other->state == EXTDEV_CHANNEL_UP)
			extdev_channel_drain(other);
	extdev_use_tell(m, c, REASON_NONE, "");
	extdev_services_on_tunnel(m);
	extdev_use_set_expiry(m->e);
	extdev_renew_plan(m);
	extdev_forget_look(m);
}

static void
on_coming_ended(struct extdev_channel *c, const struct extdev_channel_end *end)
{
	struct extdev_mt *m = c->m;

	m->use->coming = NULL;
	log_reason(end->why, "use: mt=%s btid=%s at=%s: %s", m->conf->name, c->triple.btid.s, extdev_channel_state_name(c), end->detail);
	if (end->unshared)
		extdev_use_not_shared(c, end);
	else
		extdev_use_not_now(m, end->why, end->retry_after_s * 1000, end->detail);
}

void
extdev_use_on_closed(struct extdev_channel *c, const struct extdev_channel_end *end)
{
	struct extdev_mt *m = c->m;
	struct extdev_use *u = m->use;
	bool over = c->expires_s <= timeguard_now(m->e->s.guard);

	LIST_REMOVE(c, all);
	if (m->e->stopping) {
		extdev_channel_free(c);
		extdev_local_closed(m->e);
		return;
	}
	if (c == u->coming) {
		on_coming_ended(c, end);
	} else {
		if (end->why == REASON_NONE)
			log_info("use: mt=%s btid=%s: the tunnel has ended", m->conf->name, c->triple.btid.s);
		else
			log_reason(end->why, "use: mt=%s btid=%s: the tunnel has ended: %s", m->conf->name, c->triple.btid.s, end->detail);
		if (c == u->current) {
			u->current = NULL;
			u->lost = u->lost || over;
			if (clock_now_s(m->e->s.clock) - c->up_s >= STOOD_S)
				u->back_off_ms = EXTDEV_USE_BACK_OFF_MS;
			extdev_forget_stop(m);
			extdev_use_not_now(m, end->why, 0, "");
		}
	}
	extdev_channel_free(c);
	extdev_use_set_expiry(m->e);
	extdev_forget_look(m);
	extdev_use_look(m);
}
