/*
 * request: the Key Request of one run, and the key it brings.                     seed 8.3.1 steps 11-17, 8.3.2 steps 9-15
 * The request leaves in the turn that stores it, and becomes durable while the Key Center works: it tells of nothing of ours, and
 * what the answer brings is told to nobody before. 503 or no answer: it stays in the store and is repeated alone (N6); an answer that
 * ends it takes it out.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "common/timeguard.h"
#include "common/turn.h"
#include "extdevd/core.h"

#define WAIT_S 20	/* what askers are told: the Key Center asks its BSF meanwhile */
#define PATIENCE_MS 10000	/* of askers, for a Key Center that says when to come back */

static void
drop_request(struct extdev_mt *m)
{
	struct store *st = m->e->s.store;
	bool gone;

	if (store_begin(st) != RC_OK)
		return;
	gone = extdev_store_delete_request(st, &m->p.r.mt_id) == RC_OK;
	if (store_end(st, gone) != RC_OK || !gone)
		log_error("establish: run=%s: the key request could not be taken out of the store", m->p.r.run.s);
}

static enum rc
store_key(struct extdev_mt *m, const struct extdev_key *k)
{
	struct store *st = m->e->s.store;
	enum rc rc = store_begin(st), end;

	if (rc != RC_OK)
		return rc;
	rc = extdev_store_put_key(st, k, timeguard_now(m->e->s.guard));
	if (rc == RC_OK)
		rc = extdev_store_delete_request(st, &k->from.mt_id);
	end = store_end(st, rc == RC_OK);
	return rc != RC_OK ? rc : end;
}

/* Another Key Center's name for the SIM in this MT; each has its own for the same SIM. */
struct elsewhere {
	const struct mt_id *mt;
	char naf[NAF_ID_TEXT_MAX + 1];	/* "" = there is none */
};

static enum rc
note_elsewhere(void *arg, const struct mt_id *mt, const struct naf_id *naf, const char *pseudonym)
{
	struct elsewhere *w = arg;

	if (strcmp(mt->s, w->mt->s) == 0 && pseudonym[0] != '\0')
		naf_id_print(naf, w->naf);
	return RC_OK;
}

/* It is taken, since the MT may well have changed its Key Center. But an MT that changed its SIM looks the same. */
static void
say_first_here(const struct extdev_mt *m)
{
	struct elsewhere w = { .mt = &m->p.r.mt_id };
	char naf[NAF_ID_TEXT_MAX + 1];

	if (extdev_store_each_pseudonym(m->e->s.store, note_elsewhere, &w) != RC_OK || w.naf[0] == '\0')
		return;
	naf_id_print(&m->p.r.triple.naf_id, naf);
	log_warn("establish: mt=%s mt_id=%s naf_id=%s: the first key from this Key Center: whether it is about the SIM that naf_id=%s knows "
	    "in this MT cannot be told", m->conf->name, m->p.r.mt_id.s, naf, w.naf);
}

/* K12: the key is about the SIM that was in this MT before, as far as that can be told. */
static bool
same_sim(const struct extdev_mt *m, const char *pseudonym)
{
	char known[UAXML_PSEUDONYM_MAX + 1];

	if (extdev_store_get_pseudonym(m->e->s.store, &m->p.r.mt_id, &m->p.r.triple.naf_id, known) != RC_OK) {
		say_first_here(m);
		return true;
	}
	return known[0] == '\0' || strcmp(known, pseudonym) == 0;
}

static void
on_key(struct extdev_mt *m, struct extdev_ua_answer *a)
{
	struct extdev_key k = { .from = m->p.r, .ks = a->ks, .expires_s = a->expires_s, .state = EXTDEV_WAITING, .owed = true,
	    .sure_s = timeguard_now(m->e->s.guard), .issued_s = timeguard_now(m->e->s.guard) };
	enum rc rc;

	a->ks = NULL;
	(void)snprintf(k.pseudonym, sizeof k.pseudonym, "%s", a->pseudonym);
	if (!same_sim(m, k.pseudonym)) {
		extdev_key_clear(&k);
		drop_request(m);
		extdev_fail(m, REASON_LOCAL_MT_CHANGED, 0, false, "mt_id=%s", m->p.r.mt_id.s);
		return;
	}
	rc = store_key(m, &k);
	if (rc != RC_OK) {
		extdev_key_clear(&k);
		if (rc == RC_EXISTS) {		/* the MT has proved another key for this triple */
			drop_request(m);
			extdev_fail(m, REASON_LOCAL_KEY_MISMATCH, 0, false, "the Key Center gives another key than before for the same triple");
		} else {
			extdev_fail(m, REASON_INTERNAL, 0, true, "the key could not be stored");
		}
		return;
	}
	metric_add(m->e->count.keys, 1);
	purge_expect(m->e->purge, k.expires_s);
	extdev_state_on_key(m->e);
	if (secret_kcv(k.ks, m->p.kcv) != RC_OK)
		m->p.kcv[0] = '\0';
	extdev_step(m, 17, "extdevd", "extdevd", "store Ks_local_MT", NULL, 0);
	extdev_complete_send(m, &k);
}

/* Somebody waits, and it will not be for long. */
static bool
worth_waiting(const struct extdev_mt *m, int64_t s)
{
	int64_t waited_ms = clock_mono_ms(m->e->s.clock) - m->p.began_ms;

	return s > 0 && !TAILQ_EMPTY(&m->p.askers) && waited_ms + s * 1000 <= PATIENCE_MS;
}

static void
on_ua(void *arg, struct extdev_ua_answer *a)
{
	struct extdev_mt *m = arg;
	struct extdev_request *r = &m->p.r;
	char result[64];

	m->p.call = NULL;
	if (a->why != REASON_NONE) {
		(void)snprintf(result, sizeof result, "%s", reason_get(a->why)->code);
		extdev_step(m, 12, "extdevd", "nafkcd", "Key Request", result, extdev_waited_us(m));
	}
	if (a->why == REASON_NONE) {
		on_key(m, a);
	} else if (a->next == EXTDEV_LATER && worth_waiting(m, a->retry_after_s)) {
		log_reason(a->why, "establish: mt=%s run=%s btid=%s: again in %d s: %s", m->conf->name, r->run.s, r->triple.btid.s,
		    (int)a->retry_after_s, a->detail);
		extdev_on_mt_progress(m, LOCALIF_WAIT_QUEUE, a->retry_after_s + WAIT_S);
		clock_timer_set(m->p.again, a->retry_after_s * 1000);
	} else if (a->next == EXTDEV_LATER) {
		extdev_fail(m, a->why, a->retry_after_s, true, "%s", a->detail);
	} else if (a->next == EXTDEV_INFO_AGAIN) {
		struct btid stale = r->triple.btid;

		drop_request(m);
		extdev_fall(m, a->why, a->detail, &stale);
	} else {
		drop_request(m);
		extdev_fail(m, a->why, 0, false, "%s", a->detail);
	}
}

struct sending {
	struct extdev_mt *m;
	unsigned gen;
	bool sent;
};

static bool
send_now(struct extdev_mt *m)
{
	size_t center;

	m->p.since_ms = clock_mono_ms(m->e->s.clock);
	if (extdev_find_center(m->e, &m->p.r.triple.naf_id, &center) != RC_OK ||
	    extdev_ua_send(m->e, center, &m->p.r, on_ua, m, &m->p.call) != RC_OK)
		return false;
	metric_add(m->e->count.requests, 1);
	extdev_step(m, 11, "extdevd", "nafkcd", "HTTPS, certificates on both sides", NULL, 0);
	extdev_step(m, 12, "extdevd", "nafkcd", "Key Request", NULL, 0);
	return true;
}

/* The turn is over. One that was not kept is no more waited for. */
static void
on_kept(void *arg, enum rc rc)
{
	struct sending *s = arg;
	struct extdev_mt *m = s->m;

	if (s->gen != m->p.gen)
		;	/* late */
	else if (rc != RC_OK)
		extdev_fail(m, REASON_NOT_DURABLE, 0, false, "%s", "");
	else if (!s->sent)
		extdev_fail(m, REASON_INTERNAL, 0, true, "the Key Request could not be sent");
	free(s);
}

void
extdev_request_send(struct extdev_mt *m)
{
	struct sending *s = calloc(1, sizeof *s);

	if (s == NULL)
		log_fatal("establish: out of memory");
	s->m = m;
	s->gen = m->p.gen;
	extdev_on_mt_progress(m, "key-request", WAIT_S);
	s->sent = send_now(m);
	turn_later(m->e->s.turn, on_kept, s);
}
