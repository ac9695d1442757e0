#include "mtd/use.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "common/tunnel.h"
#include "mtd/gba.h"
#include "mtd/state.h"
#include "mtd/use_int.h"

#define LOOK_EVERY_MS 60000	/* at least: the wall clock may be stepped */

int64_t
mt_use_now(struct mt_use *u)
{
	return timeguard_now(u->env.s->guard);
}

/* --- may it be used? */

enum reason
mt_use_key(struct mt_use *u, const struct triple *t, struct mt_key *out)
{
	struct iccid iccid;
	enum reason why = mt_gba_key_card(u->env.gba, &iccid);
	enum rc rc;

	if (why != REASON_NONE)
		return why;
	rc = mt_store_get_key(u->env.s->store, &iccid, t, mt_use_now(u), out);
	if (rc == RC_NOTFOUND || rc == RC_EXPIRED)
		return REASON_LOCAL_UNKNOWN_KEY;
	return rc == RC_OK ? REASON_NONE : REASON_INTERNAL;
}

size_t
mt_use_count(const struct mt_use *u, const struct triple *t)
{
	const struct mt_tunnel *x;
	size_t n = 0;

	LIST_FOREACH(x, &u->tunnels, all)
		n += (x->state == MT_TUNNEL_CONFIRMING || x->state == MT_TUNNEL_UP) && !x->closing && triple_eq(&x->triple, t);
	return n;
}

static void
on_may(void *arg, enum reason why)
{
	struct mt_asking *a = arg;

	LIST_REMOVE(a, all);
	a->fn(a->arg, why);
	free(a);
}

void
mt_use_ask(struct mt_use *u, const struct triple *t, void (*fn)(void *arg, enum reason why), void *arg)
{
	struct mt_asking *a = NULL;
	struct mt_key k = { .ks_local_mt = NULL };
	enum reason why;

	if (u->stopping)
		why = REASON_STOPPING;
	else if (timeguard_jumped(u->env.s->guard))
		why = REASON_CLOCK_JUMPED;
	else if ((why = mt_use_key(u, t, &k)) == REASON_NONE && mt_use_count(u, t) >= u->env.conf->tunnels_max)
		why = REASON_MT_TUNNELS_MAX;
	if (why == REASON_NONE && (a = malloc(sizeof *a)) == NULL)
		why = REASON_INTERNAL;
	if (why != REASON_NONE) {
		fn(arg, why);
	} else {
		*a = (struct mt_asking){ .u = u, .fn = fn, .arg = arg };
		LIST_INSERT_HEAD(&u->asking, a, all);
		mt_state_before_use(u->env.state, &k, on_may, a);
	}
	mt_key_clear(&k);
}

void
mt_use_take(struct mt_use *u, struct link *link, const struct triple *triple, const struct mt_origin *from)
{
	struct mt_tunnel *t = calloc(1, sizeof *t);
	struct mt_key k = { .ks_local_mt = NULL };
	enum reason why = t == NULL ? REASON_INTERNAL : u->stopping ? REASON_STOPPING : mt_use_key(u, triple, &k);

	if (why != REASON_NONE) {	/* it went since it was asked for */
		log_reason(why, "use: link=%s conn=%s device_id=%s btid=%s", from->link, from->conn, triple->device_id.s, triple->btid.s);
		link_free(link);
		free(t);
		return;
	}
	t->u = u;
	t->from = *from;
	t->iccid = k.iccid;
	t->triple = *triple;
	t->heir = triple->device_id;
	t->expires = k.expires;
	t->ask_at = INT64_MAX;
	t->answered_ms = -1;
	LIST_INIT(&t->messages);
	LIST_INSERT_HEAD(&u->tunnels, t, all);
	if (mt_tunnel_start(t, link, &k) != RC_OK) {
		log_reason(REASON_INTERNAL, "use: link=%s conn=%s device_id=%s", from->link, from->conn, triple->device_id.s);
		mt_tunnel_gone(t);
	}
	mt_key_clear(&k);
	mt_use_arm(u);
}

/* --- which may stand */

/* C2, T1, N7: REASON_NONE: it stands; perhaps draining from now on. */
static enum reason
judge(struct mt_tunnel *t)
{
	struct store *st = t->u->env.s->store;
	struct mt_key k = { .ks_local_mt = NULL };
	int64_t now = mt_use_now(t->u);
	struct iccid iccid;
	enum reason why;
	enum rc rc;

	if ((why = mt_gba_key_card(t->u->env.gba, &iccid)) == REASON_MT_CARD_READING || why == REASON_INTERNAL)
		return REASON_NONE;		/* it is looked at again when that is over */
	if (why != REASON_NONE || strcmp(iccid.s, t->iccid.s) != 0)
		return REASON_MT_KEY_CARD;
	rc = mt_store_get_key(st, &iccid, &t->triple, now, &k);
	if (rc == RC_OK) {
		t->expires = k.expires;
		why = mt_state_usable(t->u->env.state, &k) ? REASON_NONE : REASON_MT_STATE_GRACE;	/* N10 */
	}
	mt_key_clear(&k);
	if (rc == RC_EXPIRED || t->expires <= now)
		return REASON_MT_KEY_EXPIRED;
	if (rc != RC_NOTFOUND)
		return why;
	/* N8: ended, not replaced */
	if (mt_store_get_revoked(st, &iccid, &t->triple, now) == RC_OK)
		return REASON_MT_KEY_GONE;
	/* U1, K2: of a pair's keys one is confirmed. It is another one: this one was replaced, and serves on, but no longer than it could. */
	rc = mt_store_key_of(st, &iccid, &t->heir, now, &k);
	if (rc == RC_OK && k.state == MT_KEY_CONFIRMED && t->state == MT_TUNNEL_UP) {
		t->expires = k.expires < t->expires ? k.expires : t->expires;
		mt_tunnel_drain(t);
	} else {
		why = REASON_MT_KEY_GONE;
	}
	mt_key_clear(&k);
	return why;
}

void
mt_use_recheck(struct mt_use *u)
{
	struct mt_tunnel *t, *next;
	enum reason why;

	for (t = LIST_FIRST(&u->tunnels); t != NULL; t = next) {
		next = LIST_NEXT(t, all);
		if (t->closing || t->state == MT_TUNNEL_OVER)
			continue;
		if ((why = judge(t)) != REASON_NONE)
			mt_tunnel_close(t, why);
	}
	mt_use_arm(u);
}

void
mt_use_inherit(struct mt_use *u, const struct triple *old, const struct device_id *heir)
{
	struct mt_tunnel *t;

	LIST_FOREACH(t, &u->tunnels, all) {
		if (triple_eq(&t->triple, old) || strcmp(t->heir.s, old->device_id.s) == 0)
			t->heir = *heir;
	}
}

static void
on_expiry(void *arg)
{
	mt_use_recheck(arg);
	mt_drain_ask(arg);
	mt_use_arm(arg);
}

void
mt_use_arm(struct mt_use *u)
{
	int64_t first = INT64_MAX, now_s = mt_use_now(u), ms;
	const struct mt_tunnel *t;

	LIST_FOREACH(t, &u->tunnels, all) {
		if (!t->closing) {
			first = t->expires < first ? t->expires : first;
			first = t->ask_at < first ? t->ask_at : first;
		}
	}
	if (first == INT64_MAX) {
		clock_timer_stop(u->expiry);
		return;
	}
	ms = first - now_s > LOOK_EVERY_MS / 1000 ? LOOK_EVERY_MS : (first - now_s) * 1000 - clock_now_ms(u->env.s->clock) % 1000;
	clock_timer_set(u->expiry, ms > 0 ? ms : 0);
}

/* --- life */

static void
look_stopped(struct mt_use *u)
{
	void (*fn)(void *arg) = u->stopped;

	if (fn == NULL || !LIST_EMPTY(&u->tunnels))
		return;
	u->stopped = NULL;
	fn(u->stopped_arg);
}

static void
drop(struct mt_tunnel *t)
{
	LIST_REMOVE(t, all);
	mt_state_cancel(t->u->env.state, t);
	secret_free(t->ks_naf);
	mt_messages_free(t);
	tunnel_free(t->tunnel);
	link_free(t->link);
	free(t);
}

void
mt_tunnel_gone(struct mt_tunnel *t)
{
	struct mt_use *u = t->u;

	drop(t);
	mt_use_arm(u);
	mt_claims_later(u);
	look_stopped(u);
}

enum rc
mt_use_new(const struct mt_use_env *env, struct mt_use **out)
{
	struct mt_use *u = calloc(1, sizeof *u);
	enum rc rc;

	if (u == NULL)
		return RC_NOMEM;
	u->env = *env;
	LIST_INIT(&u->tunnels);
	LIST_INIT(&u->claimants);
	LIST_INIT(&u->asking);
	if ((rc = clock_timer_new(env->s->clock, on_expiry, u, &u->expiry)) != RC_OK ||
	    (rc = clock_timer_new(env->s->clock, mt_claims_look, u, &u->look)) != RC_OK) {
		mt_use_free(u);
		return rc;
	}
	*out = u;
	return RC_OK;
}

void
mt_use_free(struct mt_use *u)
{
	struct mt_tunnel *t;
	struct mt_claimant *c;
	struct mt_asking *a;

	if (u == NULL)
		return;
	while ((t = LIST_FIRST(&u->tunnels)) != NULL)
		drop(t);
	while ((c = LIST_FIRST(&u->claimants)) != NULL) {
		LIST_REMOVE(c, all);
		free(c);
	}
	while ((a = LIST_FIRST(&u->asking)) != NULL) {
		mt_state_cancel(u->env.state, a);
		LIST_REMOVE(a, all);
		free(a);
	}
	clock_timer_free(u->expiry);
	clock_timer_free(u->look);
	free(u);
}

void
mt_use_stop(struct mt_use *u, void (*done)(void *arg), void *arg)
{
	struct mt_tunnel *t, *next;

	u->stopping = true;
	for (t = LIST_FIRST(&u->tunnels); t != NULL; t = next) {
		next = LIST_NEXT(t, all);
		mt_tunnel_close(t, REASON_STOPPING);
	}
	u->stopped = done;
	u->stopped_arg = arg;
	look_stopped(u);
}

void
mt_use_on_up(struct mt_use *u, void (*fn)(void *arg, const struct triple *t), void *arg)
{
	u->on_up = fn;
	u->on_up_arg = arg;
}

bool
mt_use_live(const struct mt_use *u, const struct device_id *id)
{
	const struct mt_tunnel *t;

	LIST_FOREACH(t, &u->tunnels, all) {
		if (t->state == MT_TUNNEL_UP && !t->draining && !t->closing && strcmp(t->triple.device_id.s, id->s) == 0)
			return true;
	}
	return false;
}

json_t *
mt_use_list(const struct mt_use *u)
{
	char naf[NAF_ID_TEXT_MAX + 1], since[UTC_TEXT_LEN + 1], expires[UTC_TEXT_LEN + 1];
	const struct mt_tunnel *t;
	json_t *a = json_array();

	LIST_FOREACH(t, &u->tunnels, all) {
		if (t->state != MT_TUNNEL_UP)
			continue;
		naf_id_print(&t->triple.naf_id, naf);
		clock_print_utc(t->since, since);
		clock_print_utc(t->expires, expires);
		(void)json_array_append_new(a, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b}", "link", t->from.link,
		    "conn", t->from.conn, "device_id", t->triple.device_id.s, "btid", t->triple.btid.s, "naf_id", naf, "kcv", t->kcv,
		    "since", since, "expires", expires, "streams", (json_int_t)tunnel_streams(t->tunnel), "draining",
		    t->draining || t->closing));
	}
	return a;
}
