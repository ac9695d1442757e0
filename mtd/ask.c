#include "mtd/ask.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/localif.h"
#include "common/log.h"
#include "common/timeguard.h"
#include "mtd/policy.h"

struct request {
	struct mt_waiter wait;	/* first */
	mt_ask_fn *fn;
};

struct pending {
	TAILQ_ENTRY(pending) all;
	struct mt_ask *a;
	struct device_id id;
	char link[MT_LINK_MAX + 1];	/* of the first that asked */
	int64_t since_s;
	struct clock_timer *deadline;
	struct mt_wait requests;
	unsigned n_requests;
};

struct mt_ask {
	const struct mt_seams *s;
	const struct mt_conf *conf;
	TAILQ_HEAD(, pending) pending;
	bool stopped;
};

enum rc
mt_ask_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_ask **out)
{
	struct mt_ask *a = calloc(1, sizeof *a);

	if (a == NULL)
		return RC_NOMEM;
	a->s = s;
	a->conf = conf;
	TAILQ_INIT(&a->pending);
	*out = a;
	return RC_OK;
}

static void
pending_free(struct pending *p)
{
	TAILQ_REMOVE(&p->a->pending, p, all);
	clock_timer_free(p->deadline);
	mt_wait_clear(&p->requests);
	free(p);
}

void
mt_ask_free(struct mt_ask *a)
{
	struct pending *p;

	if (a == NULL)
		return;
	while ((p = TAILQ_FIRST(&a->pending)) != NULL)
		pending_free(p);
	free(a);
}

/* p is gone before anybody is told: what they cause may ask anew. */
static void
end(struct pending *p, enum reason why)
{
	struct mt_waiter *w = mt_wait_take(&p->requests), *next;

	if (why == REASON_NONE)
		log_info("ask: device_id=%s link=%s: allowed", p->id.s, p->link);
	else
		log_reason(why, "ask: device_id=%s link=%s", p->id.s, p->link);
	pending_free(p);
	for (; w != NULL; w = next) {
		struct request *r = (struct request *)w;
		mt_ask_fn *fn = r->fn;
		void *arg = w->arg;

		next = w->next;
		free(r);
		fn(arg, why);
	}
}

static void
on_deadline(void *pending)
{
	end(pending, REASON_MT_ASK_TIMEOUT);
}

void
mt_ask_stop(struct mt_ask *a)
{
	struct pending *p;

	a->stopped = true;
	while ((p = TAILQ_FIRST(&a->pending)) != NULL)
		end(p, REASON_STOPPING);
}

static struct pending *
find(struct mt_ask *a, const struct device_id *id)
{
	struct pending *p;

	TAILQ_FOREACH(p, &a->pending, all) {
		if (strcmp(p->id.s, id->s) == 0)
			return p;
	}
	return NULL;
}

static bool
is_full(const struct mt_ask *a, const char *link)
{
	const struct pending *p;
	unsigned n = 0, n_link = 0;

	TAILQ_FOREACH(p, &a->pending, all) {
		n++;
		n_link += strcmp(p->link, link) == 0;
	}
	return n >= MT_ASK_MAX || n_link >= MT_ASK_LINK_MAX;
}

static enum reason
pending_new(struct mt_ask *a, const struct device_id *id, const char *link, struct pending **out)
{
	struct pending *p;

	if (is_full(a, link))
		return REASON_MT_ASK_FULL;
	if ((p = calloc(1, sizeof *p)) == NULL)
		return REASON_INTERNAL;
	if (mt_wait_init(&p->requests, a->s->clock) != RC_OK || clock_timer_new(a->s->clock, on_deadline, p, &p->deadline) != RC_OK) {
		mt_wait_clear(&p->requests);
		free(p);
		return REASON_INTERNAL;
	}
	p->a = a;
	p->id = *id;
	(void)span_to_str(span_str(link), p->link, sizeof p->link);
	p->since_s = timeguard_now(a->s->guard);
	clock_timer_set(p->deadline, a->conf->ask_timeout_s * 1000);
	TAILQ_INSERT_TAIL(&a->pending, p, all);
	log_warn("ask: device_id=%s link=%s wants keys: 'ksctl mtd device allow %s', or refuse", id->s, link, id->s);
	*out = p;
	return REASON_NONE;
}

/* REASON_NONE: waits. */
static enum reason
join(struct mt_ask *a, const struct device_id *id, const char *link, const struct request *as)
{
	struct pending *p = find(a, id);
	enum reason why = REASON_NONE;
	struct request *r;

	if (p != NULL && p->n_requests >= MT_ASK_JOIN_MAX)
		return REASON_MT_ASK_FULL;
	if ((r = malloc(sizeof *r)) == NULL)
		return REASON_INTERNAL;
	if (p == NULL && (why = pending_new(a, id, link, &p)) != REASON_NONE) {
		free(r);
		return why;
	}
	*r = *as;
	p->n_requests++;
	mt_wait_in(&p->requests, &r->wait, LOCALIF_WAIT_USER);
	return REASON_NONE;
}

void
mt_ask_device(struct mt_ask *a, const struct device_id *id, const char *link, mt_ask_fn *fn, mt_progress_fn *progress, void *arg)
{
	const struct request as = { .wait = { .progress = progress, .arg = arg }, .fn = fn };
	enum mt_decision d = MT_UNDECIDED;
	enum reason why = REASON_NONE;
	bool waits = false;

	if (mt_store_get_decision(a->s->store, id, &d) != RC_OK) {
		why = REASON_INTERNAL;
	} else if (mt_policy_admission(a->conf, id, d) == MT_ADMIT_ASK) {
		why = a->stopped ? REASON_STOPPING : join(a, id, link, &as);
		waits = why == REASON_NONE;
	}
	if (why == REASON_MT_ASK_FULL)
		log_reason(why, "ask: device_id=%s link=%s", id->s, link);
	if (!waits)
		fn(arg, why);
}

void
mt_ask_decided(struct mt_ask *a, const struct device_id *id, bool allowed)
{
	struct pending *p = find(a, id);

	if (p != NULL)
		end(p, allowed ? REASON_NONE : REASON_MT_DEVICE_REFUSED);
}

json_t *
mt_ask_list(const struct mt_ask *a)
{
	json_t *list = json_array();
	const struct pending *p;

	TAILQ_FOREACH(p, &a->pending, all) {
		char since[UTC_TEXT_LEN + 1], until[UTC_TEXT_LEN + 1];

		clock_print_utc(p->since_s, since);
		clock_print_utc(p->since_s + a->conf->ask_timeout_s, until);
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "device_id", p->id.s, "state", "pending",
		    "since", since, "until", until, "link", p->link));
	}
	return list;
}
