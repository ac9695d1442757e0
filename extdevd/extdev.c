/* extdev: the core put together: what starts, stops and is looked at as a whole. */
#include "extdevd/extdev.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "extdevd/core.h"
#include "extdevd/service.h"

void
extdev_conf_default(struct extdev_conf *c)
{
	*c = (struct extdev_conf){ .id_kind = EXTDEV_ID_RANDOM, .retry_s = 30, .state_interval_s = 900, .renew_at = 80 };
}

struct extdev_mt *
extdev_find_mt(struct extdev *e, const char *name)
{
	if (name == NULL)
		return e->conf.n_mts == 1 ? &e->mts[0] : NULL;
	for (size_t i = 0; i < e->conf.n_mts; i++)
		if (strcmp(e->mts[i].conf->name, name) == 0)
			return &e->mts[i];
	return NULL;
}

enum rc
extdev_find_center(const struct extdev *e, const struct naf_id *id, size_t *out)
{
	for (size_t i = 0; i < e->conf.n_centers; i++) {
		if (naf_id_eq(&e->conf.centers[i].naf_id, id)) {
			*out = i;
			return RC_OK;
		}
	}
	return RC_NOTFOUND;
}

static enum rc
purge_slice(void *arg, int64_t now_s, unsigned max, unsigned *n)
{
	struct extdev *e = arg;
	enum rc rc = extdev_store_purge(e->s.store, now_s, max, n);

	if (rc == RC_OK && *n > 0)
		extdev_use_recheck(e);
	return rc;
}

static int64_t
purge_next(void *arg)
{
	return extdev_store_next_expiry(((struct extdev *)arg)->s.store);
}

void
extdev_keys_gone(struct extdev *e)
{
	purge_deleted(e->purge);
	extdev_use_recheck(e);
}

/* Who we are: as configured, or what was made once (seed 6.2). */
static enum rc
find_self(struct extdev *e)
{
	struct store *st = e->s.store;
	enum rc rc, end;

	if (e->conf.id_kind == EXTDEV_ID_FIXED) {
		if (e->conf.device_id == NULL || device_id_parse(span_str(e->conf.device_id), &e->self) != RC_OK) {
			log_error("extdev: device_id does not have its form");
			return RC_SYNTAX;
		}
		return RC_OK;
	}
	if (e->conf.id_kind == EXTDEV_ID_RANDOM_EACH)
		return RC_OK;
	if ((rc = extdev_store_get_self(st, &e->self)) != RC_NOTFOUND)
		return rc;
	if ((rc = device_id_random(e->s.rnd, &e->self)) != RC_OK || (rc = store_begin(st)) != RC_OK)
		return rc;
	rc = extdev_store_put_self(st, &e->self);
	end = store_end(st, rc == RC_OK);
	return rc != RC_OK ? rc : end;
}

static void
make_metrics(struct extdev *e)
{
	struct metrics *m = e->s.metrics;

	if (m == NULL)
		return;
	e->count.runs = metrics_counter(m, "extdev_runs_total", NULL, "Runs begun with an MT.");
	e->count.requests = metrics_counter(m, "extdev_key_requests_total", NULL, "Key Requests sent on Ua.");
	e->count.keys = metrics_counter(m, "extdev_keys_total", NULL, "Keys got from a NAF Key Center.");
	e->count.tunnels = metrics_counter(m, "extdev_tunnels_total", NULL, "Tunnels that came up.");
	e->count.streams = metrics_counter(m, "extdev_streams_total", NULL, "Connections carried to a service.");
	e->count.unserved = metrics_counter(m, "extdev_unserved_total", NULL, "Connections to a service that were reset.");
	e->count.refusals = metrics_counter(m, "extdev_failures_total", NULL, "Establishments that failed.");
}

static void
on_expiry(void *arg)
{
	extdev_use_recheck(arg);
}

static void
on_done(void *arg)
{
	struct extdev *e = arg;

	e->done(e->done_arg);
}

static enum rc
make_mts(struct extdev *e)
{
	enum rc rc;

	if ((e->mts = calloc(e->conf.n_mts + 1, sizeof *e->mts)) == NULL)
		return RC_NOMEM;
	for (size_t i = 0; i < e->conf.n_mts; i++) {
		e->mts[i].e = e;
		e->mts[i].conf = &e->conf.mts[i];
	}
	for (size_t i = 0; i < e->conf.n_mts; i++)
		if ((rc = extdev_procedure_init(&e->mts[i])) != RC_OK || (rc = extdev_local_init(&e->mts[i])) != RC_OK ||
		    (rc = extdev_use_init(&e->mts[i])) != RC_OK)
			return rc;
	return RC_OK;
}

enum rc
extdev_new(const struct extdev_seams *seams, const struct extdev_conf *conf, struct extdev **out)
{
	struct extdev *e = calloc(1, sizeof *e);
	struct purge_what purge = { purge_slice, purge_next, e };
	enum rc rc;

	if (e == NULL)
		return RC_NOMEM;
	e->s = *seams;
	e->conf = *conf;
	TAILQ_INIT(&e->waiters);
	if ((rc = make_mts(e)) == RC_OK && (rc = extdev_state_init(e)) == RC_OK &&
	    (rc = clock_timer_new(seams->clock, on_done, e, &e->done_timer)) == RC_OK &&
	    (rc = clock_timer_new(seams->clock, on_expiry, e, &e->expiry)) == RC_OK && (rc = find_self(e)) == RC_OK)
		rc = purge_new(seams->clock, seams->guard, seams->store, &purge, &e->purge);
	if (rc != RC_OK) {
		extdev_free(e);
		return rc;
	}
	make_metrics(e);
	*out = e;
	return RC_OK;
}

enum rc
extdev_start(struct extdev *e)
{
	enum rc rc;

	for (size_t i = 0; i < e->conf.n_mts; i++)
		if ((rc = extdev_services_open(&e->mts[i])) != RC_OK)
			return rc;
	for (size_t i = 0; i < e->conf.n_mts; i++) {
		extdev_procedure_resume(&e->mts[i]);
		extdev_local_dial(&e->mts[i]);
	}
	extdev_state_start(e);
	return RC_OK;
}

void
extdev_local_closed(struct extdev *e)
{
	if (--e->open_links == 0)
		clock_timer_set(e->done_timer, 0);
}

void
extdev_stop(struct extdev *e, void (*done)(void *arg), void *arg)
{
	e->stopping = true;
	e->done = done;
	e->done_arg = arg;
	e->open_links = e->conf.n_mts + 1;
	extdev_state_stop(e);
	extdev_ops_stop(e);
	for (size_t i = 0; i < e->conf.n_mts; i++) {
		extdev_procedure_stop(&e->mts[i]);
		extdev_services_stop(&e->mts[i]);
		extdev_use_stop(&e->mts[i]);
	}
	for (size_t i = 0; i < e->conf.n_mts; i++)
		extdev_local_stop(&e->mts[i]);
	extdev_local_closed(e);
}

void
extdev_free(struct extdev *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; e->mts != NULL && i < e->conf.n_mts; i++) {
		extdev_services_free(&e->mts[i]);
		extdev_use_free(&e->mts[i]);
	}
	extdev_state_free(e);
	extdev_ops_free(e);
	for (size_t i = 0; e->mts != NULL && i < e->conf.n_mts; i++) {
		extdev_local_free(&e->mts[i]);
		extdev_procedure_free(&e->mts[i]);
	}
	free(e->mts);
	purge_free(e->purge);
	clock_timer_free(e->expiry);
	clock_timer_free(e->done_timer);
	free(e);
}

/* An MT that is not there is no problem of ours; one that will never do is. */
void
extdev_health(void *extdev, json_t *problems)
{
	const struct extdev *e = extdev;

	for (size_t i = 0; i < e->conf.n_mts; i++) {
		const struct reason_info *info = reason_get(e->mts[i].local.why);

		if (e->mts[i].local.why != REASON_NONE && strcmp(info->local, "busy") != 0)
			(void)json_array_append_new(problems, json_sprintf("mt %s: %s", e->mts[i].conf->name, info->what));
	}
	extdev_services_health(e, problems);
}

void
extdev_bound(void *extdev, json_t *o)
{
	(void)json_object_set_new(o, "services", extdev_services_where(extdev));
}

static json_t *
mt_status(const struct extdev_mt *m)
{
	static const char *const links[] = { "down", "dialling", "hello", "up" };
	static const char *const states[] = { "idle", "linking", "info", "derive", "request", "complete" };
	struct extdev_request r;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "name", m->conf->name, "address", m->conf->address, "link",
	    links[m->local.state], "establishment", states[m->p.state]);

	if (m->id.s[0] != '\0')
		(void)json_object_set_new(o, "mt_id", json_string(m->id.s));
	if (m->local.why != REASON_NONE)
		(void)json_object_set_new(o, "reason", json_string(reason_get(m->local.why)->code));
	if (m->id.s[0] != '\0' && extdev_store_get_request(m->e->s.store, &m->id, &r) == RC_OK)
		(void)json_object_set_new(o, "pending", json_string(r.triple.btid.s));
	return o;
}

void
extdev_status(void *extdev, json_t *o)
{
	const struct extdev *e = extdev;
	json_t *mts = json_array(), *centers = json_array();
	char naf[NAF_ID_TEXT_MAX + 1];

	for (size_t i = 0; i < e->conf.n_mts; i++)
		(void)json_array_append_new(mts, mt_status(&e->mts[i]));
	for (size_t i = 0; i < e->conf.n_centers; i++) {
		naf_id_print(&e->conf.centers[i].naf_id, naf);
		(void)json_array_append_new(centers, json_string(naf));
	}
	if (e->self.s[0] != '\0')
		(void)json_object_set_new(o, "device_id", json_string(e->self.s));
	(void)json_object_set_new(o, "mts", mts);
	(void)json_object_set_new(o, "keycenters", centers);
	(void)json_object_set_new(o, "tunnels", extdev_tunnels(e));
}
