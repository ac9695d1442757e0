#include "mtd/invite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/localif.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/timeguard.h"
#include "common/turn.h"
#include "mtd/gba.h"
#include "mtd/policy.h"
#include "mtd/use.h"

#define TUNNEL_MS 20000		/* from the device's ok to its tunnel */
#define RENEW_FIRST_S 30
#define RENEW_MAX_S 3600
#define RENEWALS_MAX 256

struct invitation {
	LIST_ENTRY(invitation) all;
	struct mt_invites *i;
	struct device_id device_id;
	struct triple triple;
	bool agreed;			/* the device said ok */
	struct clock_timer *timer;
	mt_invited_fn *fn;
	void *arg;
};

struct renewal {			/* U4: when a device was asked last */
	TAILQ_ENTRY(renewal) all;
	struct device_id device_id;
	int64_t next_ms, wait_s;	/* monotonic */
};

struct mt_invites {
	struct mt_invite_env env;
	LIST_HEAD(, invitation) invitations;
	TAILQ_HEAD(, renewal) renewals;	/* the newest last */
	size_t n_renewals;
};

static void
end(struct invitation *v, enum reason why, const char *detail)
{
	if (why == REASON_NONE)
		log_info("use: device_id=%s came as it was asked", v->device_id.s);
	else
		log_reason(why, "use: device_id=%s btid=%s: asked to use its key: %s", v->device_id.s, v->triple.btid.s, detail);
	LIST_REMOVE(v, all);
	clock_timer_free(v->timer);
	if (v->fn != NULL)
		v->fn(v->arg, why, detail);
	free(v);
}

/* --- renew */

static struct renewal *
renewal_of(struct mt_invites *i, const struct device_id *id)
{
	struct renewal *r;

	TAILQ_FOREACH(r, &i->renewals, all) {
		if (strcmp(r->device_id.s, id->s) == 0)
			return r;
	}
	return NULL;
}

static void
renewal_free(struct mt_invites *i, struct renewal *r)
{
	if (r == NULL)
		return;
	TAILQ_REMOVE(&i->renewals, r, all);
	i->n_renewals--;
	free(r);
}

static struct renewal *
renewal_new(struct mt_invites *i, const struct device_id *id)
{
	struct renewal *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	if (i->n_renewals == RENEWALS_MAX)
		renewal_free(i, TAILQ_FIRST(&i->renewals));
	r->device_id = *id;
	TAILQ_INSERT_TAIL(&i->renewals, r, all);
	i->n_renewals++;
	return r;
}

/* The next wait: doubled, and up to a quarter more, so that devices that were cut off together do not come back together. */
static void
wait_longer(struct mt_invites *i, struct renewal *r)
{
	uint8_t jitter = 0;

	r->wait_s = r->wait_s == 0 ? RENEW_FIRST_S : r->wait_s * 2 < RENEW_MAX_S ? r->wait_s * 2 : RENEW_MAX_S;
	if (rnd_bytes(i->env.s->rnd, &jitter, 1) != RC_OK)
		jitter = UINT8_MAX;
	r->next_ms = clock_mono_ms(i->env.s->clock) + r->wait_s * 1000 + r->wait_s * 1000 * jitter / (4 * UINT8_MAX);
}

static void
on_renewed(void *arg, json_t *body, enum reason why, const json_t *error)
{
	(void)arg;
	(void)body;
	(void)error;
	if (why != REASON_NONE)		/* an ok is followed by derive, which says more */
		log_reason(why, "use: renew");
}

/* Says in detail what became of it. */
static void
renew(struct mt_invites *i, const struct device_id *id, char *detail, size_t cap)
{
	struct renewal *r = renewal_of(i, id);
	int64_t now_ms = clock_mono_ms(i->env.s->clock);

	if (r != NULL && r->next_ms > now_ms) {
		(void)snprintf(detail, cap, "renew was sent before; the next one not within %lld s", (long long)((r->next_ms - now_ms + 999) / 1000));
		return;
	}
	if ((r == NULL && (r = renewal_new(i, id)) == NULL) || i->env.ask(i->env.arg, id, LOCALIF_RENEW, NULL, on_renewed, i) != RC_OK) {
		(void)snprintf(detail, cap, "renew could not be sent");
		return;
	}
	wait_longer(i, r);
	(void)snprintf(detail, cap, "renew was sent; the next one not within %lld s", (long long)r->wait_s);
}

/* --- use */

static void
on_timer(void *arg)
{
	end(arg, REASON_MT_NO_TUNNEL, "");
}

static void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct invitation *v = arg;
	char detail[96] = "";

	(void)body;
	(void)error;
	if (why == REASON_NONE && mt_use_live(v->i->env.use, &v->device_id)) {
		end(v, REASON_NONE, "");
	} else if (why == REASON_NONE) {
		v->agreed = true;
		clock_timer_set(v->timer, TUNNEL_MS);
	} else {
		if (why == REASON_LOCAL_UNKNOWN_KEY)	/* nothing else says that the keys differ (U3) */
			renew(v->i, &v->device_id, detail, sizeof detail);
		end(v, why, detail);
	}
}

static void
on_due(void *arg, enum rc rc)
{
	struct invitation *v = arg;
	json_t *body = rc == RC_OK ? localif_triple_print(&v->triple) : NULL;

	if (rc == RC_OK)
		rc = v->i->env.ask(v->i->env.arg, &v->device_id, LOCALIF_USE, body, on_answer, v);
	json_decref(body);
	if (rc != RC_OK)
		end(v, rc == RC_NOTFOUND || rc == RC_STATE ? REASON_MT_NOT_CONNECTED : REASON_INTERNAL, "");	/* STATE: not any more */
}

static void
on_tunnel_up(void *arg, const struct triple *t)
{
	struct mt_invites *i = arg;
	struct invitation *v, *next;

	renewal_free(i, renewal_of(i, &t->device_id));
	for (v = LIST_FIRST(&i->invitations); v != NULL; v = next) {
		next = LIST_NEXT(v, all);
		if (v->agreed && strcmp(v->device_id.s, t->device_id.s) == 0)
			end(v, REASON_NONE, "");	/* its answer's turn ends those that have none yet */
	}
}

/* The key to try: the confirmed one, else the newest (seed 7.3). */
static enum reason
choose(struct mt_invites *i, const struct device_id *id, struct triple *out)
{
	struct mt_key k = { .ks_local_mt = NULL };
	struct iccid iccid;
	enum reason why;
	enum rc rc;

	if (timeguard_jumped(i->env.s->guard))
		return REASON_CLOCK_JUMPED;
	if ((why = mt_gba_key_card(i->env.gba, &iccid)) != REASON_NONE)
		return why == REASON_LOCAL_UNKNOWN_KEY ? REASON_MT_NO_KEY : why;
	rc = mt_store_key_of(i->env.s->store, &iccid, id, timeguard_now(i->env.s->guard), &k);
	if (rc == RC_OK)
		*out = k.triple;
	mt_key_clear(&k);
	return rc == RC_OK ? REASON_NONE : rc == RC_NOTFOUND ? REASON_MT_NO_KEY : REASON_INTERNAL;
}

static struct invitation *
invitation_of(struct mt_invites *i, const struct device_id *id)
{
	struct invitation *v;

	LIST_FOREACH(v, &i->invitations, all) {
		if (strcmp(v->device_id.s, id->s) == 0)
			return v;
	}
	return NULL;
}

static enum reason
invite(struct mt_invites *i, const struct device_id *id, mt_invited_fn *fn, void *arg)
{
	struct invitation *v = invitation_of(i, id);
	struct triple t;
	enum reason why;

	if (v != NULL && fn != NULL && v->fn != NULL)
		return REASON_OVERLOAD;		/* somebody waits for it already */
	if (v != NULL) {
		v->fn = fn != NULL ? fn : v->fn;
		v->arg = fn != NULL ? arg : v->arg;
		return REASON_NONE;
	}
	if ((why = choose(i, id, &t)) != REASON_NONE)
		return why;
	if ((v = calloc(1, sizeof *v)) == NULL)
		return REASON_INTERNAL;
	*v = (struct invitation){ .i = i, .device_id = *id, .triple = t, .fn = fn, .arg = arg };
	if (clock_timer_new(i->env.s->clock, on_timer, v, &v->timer) != RC_OK) {
		free(v);
		return REASON_INTERNAL;
	}
	LIST_INSERT_HEAD(&i->invitations, v, all);
	turn_later(i->env.s->turn, on_due, v);
	return REASON_NONE;
}

void
mt_invite(struct mt_invites *i, const struct device_id *id, mt_invited_fn *fn, void *arg)
{
	enum reason why;

	if (mt_use_live(i->env.use, id)) {
		if (fn != NULL)
			fn(arg, REASON_NONE, "");
		return;
	}
	if ((why = invite(i, id, fn, arg)) != REASON_NONE && fn != NULL)
		fn(arg, why, "");
}

/* --- life */

enum rc
mt_invites_new(const struct mt_invite_env *env, struct mt_invites **out)
{
	struct mt_invites *i = calloc(1, sizeof *i);

	if (i == NULL)
		return RC_NOMEM;
	i->env = *env;
	LIST_INIT(&i->invitations);
	TAILQ_INIT(&i->renewals);
	mt_use_on_up(env->use, on_tunnel_up, i);
	*out = i;
	return RC_OK;
}

void
mt_invites_stop(struct mt_invites *i)
{
	struct invitation *v, *next;

	for (v = LIST_FIRST(&i->invitations); v != NULL; v = next) {
		next = LIST_NEXT(v, all);
		if (v->agreed)
			end(v, REASON_STOPPING, "");
	}
}

void
mt_invites_free(struct mt_invites *i)
{
	struct invitation *v;

	if (i == NULL)
		return;
	mt_use_on_up(i->env.use, NULL, NULL);
	while ((v = LIST_FIRST(&i->invitations)) != NULL) {
		LIST_REMOVE(v, all);
		clock_timer_free(v->timer);
		free(v);
	}
	while (!TAILQ_EMPTY(&i->renewals))
		renewal_free(i, TAILQ_FIRST(&i->renewals));
	free(i);
}
