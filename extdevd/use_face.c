/* use_face: what the rest of the room, operators and services tell and ask of a use, and its life. use.c decides. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/tunnel.h"
#include "extdevd/service.h"
#include "extdevd/state.h"
#include "extdevd/use.h"

#define ASKED_TRIES 5
#define PROBE_MS 5000
#define HURRY_MS 3000

/* --- a tunnel whose other end may be gone without a word */

static void
on_probed(void *arg, bool alive)
{
	struct extdev_channel *c = arg;

	if (alive || c->state != EXTDEV_CHANNEL_UP || c->closing)
		return;
	c->m->use->asked = ASKED_TRIES;		/* whoever relied on it is served by another */
	/* nobody is there who could be told */
	extdev_use_on_closed(c, &(struct extdev_channel_end){ .why = REASON_LINK_TIMEOUT, .detail = "no answer to PING" });
}

void
extdev_use_probe(struct extdev_mt *m)
{
	struct extdev_channel *c = m->use->current;

	if (c != NULL && tunnel_ping(c->tunnel, PROBE_MS, on_probed, c) != RC_OK)
		log_debug("use: mt=%s: the tunnel is probed already, or closing", m->conf->name);
}

/* --- what the rest of the room tells */

void
extdev_use_on_link_up(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;

	/* another MT is there now: what runs is another's */
	if (u->current != NULL && strcmp(u->current->mt_id.s, m->id.s) != 0)
		extdev_channel_close(u->current, REASON_EXT_CHANNEL_OTHER);
	else
		extdev_use_probe(m);	/* what ended the messages' channel may have ended the tunnel's, too */
	extdev_use_look(m);
}

void
extdev_use_on_link_down(struct extdev_mt *m, enum reason why, const char *detail)
{
	extdev_use_tell(m, NULL, why, detail);
}

void
extdev_use_on_key(struct extdev_mt *m, const struct extdev_key *k, bool reused)
{
	struct extdev_use *u = m->use;

	if (!reused) {
		u->refused = false;
		u->barred_why = REASON_NONE;
	}
	if (u->began && !reused)
		extdev_use_count(u, clock_mono_ms(m->e->s.clock));
	u->began = false;
	log_debug("use: mt=%s btid=%s: a key is there", m->conf->name, k->from.triple.btid.s);
	extdev_renew_plan(m);
	clock_timer_stop(u->again);
	extdev_use_look(m);
}

void
extdev_use_on_no_key(struct extdev_mt *m, enum reason why, bool later, const char *detail)
{
	struct extdev_use *u = m->use;
	struct extdev_key k = { .ks = NULL };
	bool ours = u->began;

	u->began = false;
	if (ours && !later)
		extdev_use_bar(m, why);
	if (ours || extdev_use_pick(m, &k) != RC_OK) {		/* else it concerns nobody here */
		if (!later) {
			u->lost = u->refused = false;
			u->asked = 0;
			extdev_services_on_no_tunnel(m, why);
		}
		extdev_use_not_now(m, why, 0, detail);
	} else {
		extdev_use_look(m);
	}
	extdev_key_clear(&k);
	extdev_renew_plan(m);
}

/* --- asked */

void
extdev_use_begin(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;

	u->asked = ASKED_TRIES;
	extdev_use_probe(m);		/* who asks while a tunnel stands may have lost its end of it */
	clock_timer_stop(u->again);
	extdev_use_look(m);
}

/* Never inside this call. */
static void
at_once(struct extdev_use *u)
{
	u->pause_ends_ms = 0;
	clock_timer_set(u->again, 0);
}

void
extdev_use_on_accept(struct extdev_mt *m)
{
	memset(m->use->made_ms, 0, sizeof m->use->made_ms);
	m->use->barred_why = REASON_NONE;
	m->use->back_off_ms = EXTDEV_USE_BACK_OFF_MS;
	at_once(m->use);
}

void
extdev_use_await(struct extdev_mt *m, extdev_user_fn *fn, extdev_progress_fn *progress, void *arg)
{
	struct extdev_user *user = calloc(1, sizeof *user);

	if (user == NULL)
		log_fatal("use: out of memory");
	*user = (struct extdev_user){ .fn = fn, .progress = progress, .arg = arg };
	TAILQ_INSERT_TAIL(&m->use->users, user, all);
	at_once(m->use);
}

void
extdev_use_progress(struct extdev_mt *m, const char *word, int64_t wait_s)
{
	const struct extdev_user *user;

	TAILQ_FOREACH(user, &m->use->users, all)
		if (user->progress != NULL)
			user->progress(user->arg, word, wait_s);
}

void
extdev_use_hurry(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;
	int64_t now_ms = clock_mono_ms(m->e->s.clock), soon_ms = u->tried_ms + HURRY_MS;

	if (soon_ms <= now_ms) {
		clock_timer_stop(u->again);
	} else if (clock_timer_armed(u->again) && soon_ms < u->pause_ends_ms) {
		u->pause_ends_ms = soon_ms;
		clock_timer_set(u->again, soon_ms - now_ms);
	}
	extdev_use_look(m);
}

struct tunnel *
extdev_use_tunnel(const struct extdev_mt *m)
{
	return m->use->current != NULL ? m->use->current->tunnel : NULL;
}

/* --- life */

static void
on_again(void *arg)
{
	extdev_use_look(arg);
}

enum rc
extdev_use_init(struct extdev_mt *m)
{
	struct extdev_use *u = calloc(1, sizeof *u);
	enum rc rc;

	if (u == NULL)
		return RC_NOMEM;
	LIST_INIT(&u->channels);
	TAILQ_INIT(&u->users);
	u->back_off_ms = EXTDEV_USE_BACK_OFF_MS;
	m->use = u;
	if ((rc = clock_timer_new(m->e->s.clock, on_again, m, &u->again)) != RC_OK)
		return rc;
	return clock_timer_new(m->e->s.clock, extdev_renew_due, m, &u->renew);
}

/* Tunnels are told, and counted until they have ended; what is on its way is dropped. */
void
extdev_use_stop(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;
	struct extdev_channel *c, *next;

	clock_timer_stop(u->again);
	clock_timer_stop(u->renew);
	extdev_use_tell(m, NULL, REASON_STOPPING, "");
	extdev_state_cancel(m, m);
	extdev_key_clear(&u->key);
	u->asking = false;
	extdev_forget_stop(m);
	u->coming = u->current = NULL;
	for (c = LIST_FIRST(&u->channels); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		if (c->state < EXTDEV_CHANNEL_UP) {
			LIST_REMOVE(c, all);
			extdev_channel_free(c);
		} else {
			m->e->open_links++;
			extdev_channel_close(c, REASON_STOPPING);
		}
	}
}

void
extdev_use_free(struct extdev_mt *m)
{
	struct extdev_use *u = m->use;
	struct extdev_channel *c;
	struct extdev_user *user;

	if (u == NULL)
		return;
	extdev_state_cancel(m, m);
	extdev_forget_stop(m);
	while ((c = LIST_FIRST(&u->channels)) != NULL) {
		LIST_REMOVE(c, all);
		extdev_channel_free(c);
	}
	while ((user = TAILQ_FIRST(&u->users)) != NULL) {
		TAILQ_REMOVE(&u->users, user, all);
		free(user);
	}
	extdev_key_clear(&u->key);
	clock_timer_free(u->again);
	clock_timer_free(u->renew);
	free(u);
	m->use = NULL;
}
