/* nafkc: the core put together: what starts, stops and is looked at as a whole. */
#include "nafkcd/nafkc.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "nafkcd/auth.h"
#include "nafkcd/core.h"
#include "nafkcd/store.h"

void
nafkc_conf_default(struct nafkc_conf *c)
{
	*c = (struct nafkc_conf){ .devices = NAFKC_LISTED, .key_lifetime_max_s = 86400, .ks_min_left_s = 60, .rate_per_minute = 60,
	    .device_ids_max = 1000, .zn_cache_s = 300, .audit_keep_s = 365 * 86400LL };
	c->zn.timeout_s = 3;
	c->zn.watchdog_s = 30;
}

/* N2. Where devices are listed nobody can make up new ones, and one that is forgotten would not be admitted any more. */
static struct nafkc_keep
keep(const struct nafkc *k)
{
	return (struct nafkc_keep){ k->conf.audit_keep_s, k->conf.devices == NAFKC_LISTED ? NAFKC_KEEP_EVER : k->conf.audit_keep_s };
}

static enum rc
purge_slice(void *arg, int64_t now_s, unsigned max, unsigned *n)
{
	const struct nafkc *k = arg;
	struct nafkc_keep how = keep(k);

	return nafkc_store_purge(k->s.store, now_s, &how, max, n);
}

static int64_t
purge_next(void *arg)
{
	const struct nafkc *k = arg;
	struct nafkc_keep how = keep(k);

	return nafkc_store_next_expiry(k->s.store, &how);
}

static int64_t
cached(void *arg)
{
	const struct nafkc *k = arg;

	return (int64_t)nafkc_kscache_count(k->kscache);
}

static void
make_metrics(struct nafkc *k)
{
	struct metrics *m = k->s.metrics;

	if (m == NULL)
		return;
	k->count.requests = metrics_counter(m, "nafkc_ua_requests_total", NULL, "Requests on Ua that reached the core.");
	k->count.keys = metrics_counter(m, "nafkc_keys_total", NULL, "Keys given on Ua.");
	k->count.refusals = metrics_counter(m, "nafkc_ua_refusals_total", NULL, "Requests refused on Ua.");
	k->count.states = metrics_counter(m, "nafkc_key_states_total", NULL, "Key states told, to devices and MTs.");
	k->count.ended = metrics_counter(m, "nafkc_keys_ended_total", NULL, "Keys invalidated, limited or blocked.");
	k->count.birs = metrics_counter(m, "nafkc_zn_requests_total", NULL, "Bootstrapping-Info-Requests sent.");
	metrics_gauge_fn(m, "nafkc_ks_cached", NULL, "Ks_(ext)_NAF kept in memory.", cached, k);
}

/* A mismatch of the protocol octets gives two different keys and no error anywhere, so they are said at the start. */
static void
say_naf_ids(const struct nafkc *k)
{
	char text[NAF_ID_TEXT_MAX + 1];

	for (size_t i = 0; i < k->conf.n_naf_ids; i++) {
		naf_id_print(&k->conf.naf_ids[i], text);
		log_info("nafkc: serves naf_id=%s", text);
	}
}

enum rc
nafkc_new(const struct nafkc_seams *seams, const struct nafkc_conf *conf, struct nafkc **out)
{
	struct nafkc *k = calloc(1, sizeof(*k));
	struct purge_what purge = { purge_slice, purge_next, k };
	enum rc rc = RC_NOMEM;

	if (k == NULL)
		goto out;
	k->s = *seams;
	k->conf = *conf;
	rc = RC_SYNTAX;
	if (conf->n_naf_ids == 0 || conf->zn.n_peers == 0 || conf->rate_per_minute == 0) {
		log_error("nafkc: a NAF_ID, a Diameter peer and a rate above 0 are needed");
		goto out;
	}
	if ((rc = nafkc_pseudonym_key(seams->store, seams->rnd, &k->pseudonym_key)) != RC_OK || (rc = nafkc_rates_new(&k->rates)) != RC_OK ||
	    (rc = nafkc_rates_new(&k->address_rates)) != RC_OK ||
	    (rc = nafkc_rates_new(&k->btid_rates)) != RC_OK || (rc = nafkc_nonces_new(seams->clock, seams->rnd, &k->nonces)) != RC_OK ||
	    (rc = nafkc_kscache_new(seams->clock, conf->zn_cache_s, &k->kscache)) != RC_OK ||
	    (rc = nafkc_zn_new(k, &k->zn)) != RC_OK ||
	    (rc = purge_new(seams->clock, seams->guard, seams->store, &purge, &k->purge)) != RC_OK ||
	    (rc = nafkc_endings_new(k, &k->endings)) != RC_OK)
		goto out;
	make_metrics(k);
	say_naf_ids(k);
	*out = k;
	k = NULL;
out:
	nafkc_free(k);
	return rc;
}

enum rc
nafkc_start(struct nafkc *k)
{
	return nafkc_zn_start(k->zn);
}

void
nafkc_reload(struct nafkc *k)
{
	if (nafkc_zn_reload(k->zn) != RC_OK)
		log_error("zn: the CRL stays as it was");
}

void
nafkc_stop(struct nafkc *k, void (*done)(void *arg), void *arg)
{
	nafkc_ops_stop(k);
	nafkc_endings_stop(k->endings);
	nafkc_zn_stop(k->zn, done, arg);
}

void
nafkc_free(struct nafkc *k)
{
	if (k == NULL)
		return;
	nafkc_ops_free(k);
	nafkc_keycenter_free(k);
	nafkc_ua_mt_free(k);
	nafkc_ua_free(k);
	nafkc_endings_free(k->endings);
	purge_free(k->purge);
	nafkc_zn_free(k->zn);
	nafkc_kscache_free(k->kscache);
	nafkc_rates_free(k->rates);
	nafkc_rates_free(k->address_rates);
	nafkc_rates_free(k->btid_rates);
	nafkc_nonces_free(k->nonces);
	secret_free(k->pseudonym_key);
	free(k);
}

void
nafkc_health(void *nafkc, json_t *problems)
{
	const struct nafkc *k = nafkc;

	if (!nafkc_zn_peer_up(k->zn, NULL))
		(void)json_array_append_new(problems, json_string("no BSF is connected on Zn: see peers in status"));
	for (size_t i = 0; i < k->conf.zn.n_peers; i++)
		if (k->conf.zn.peers[i].insecure)
			(void)json_array_append_new(problems, json_sprintf("zn peer %s: insecure = yes", k->conf.zn.peers[i].identity));
}

void
nafkc_status(void *nafkc, json_t *o)
{
	static const char *const modes[] = { "listed", "bind-first-use", "any" };
	const struct nafkc *k = nafkc;
	char text[NAF_ID_TEXT_MAX + 1];
	json_t *naf_ids = json_array();
	struct nafkc_counts n;

	for (size_t i = 0; i < k->conf.n_naf_ids; i++) {
		naf_id_print(&k->conf.naf_ids[i], text);
		(void)json_array_append_new(naf_ids, json_string(text));
	}
	(void)json_object_set_new(o, "naf_ids", naf_ids);
	(void)json_object_set_new(o, "devices_mode", json_string(modes[k->conf.devices]));
	(void)json_object_set_new(o, "ua_requests", json_integer((json_int_t)k->ua_requests));
	if (nafkc_store_count(k->s.store, &n) == RC_OK) {
		(void)json_object_set_new(o, "keys", json_integer(n.keys));
		(void)json_object_set_new(o, "devices", json_integer(n.devices));
		(void)json_object_set_new(o, "tombstones", json_integer(n.tombstones));
	}
	(void)json_object_set_new(o, "ks_cached", json_integer((json_int_t)nafkc_kscache_count(k->kscache)));
	nafkc_zn_status(k->zn, o);
}
