/* bsf: the core put together: what starts, stops and is looked at as a whole. */
#include "bsfd/bsf.h"

#include <stdlib.h>
#include <string.h>

#include "bsfd/core.h"
#include "bsfd/store.h"
#include "bsfd/zn.h"
#include "common/clock.h"
#include "common/digest_aka.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/purge.h"
#include "common/timeguard.h"
#include "common/turn.h"

void
bsf_conf_default(struct bsf_conf *c)
{
	*c = (struct bsf_conf){ .ks_lifetime_s = 8 * 3600, .ks_lifetime_max_s = 7 * 86400, .ind = 31, .sqn_block = 32 };
	c->ub.path = "/";
	c->ub.qop = DIGEST_QOP_AUTH_INT | DIGEST_QOP_AUTH;
	c->ub.no_qop = true;
	c->ub.challenge_s = 60;
	c->ub.per_source = 2;
	c->ub.per_impi = 16;
	c->ub.challenges = 4096;
	c->zn.watchdog_s = 30;
}

static enum rc
purge_slice(void *arg, int64_t now_s, unsigned max, unsigned *n)
{
	const struct bsf *b = arg;

	return bsf_store_purge(b->s.store, now_s, max, n);
}

static int64_t
purge_next(void *arg)
{
	const struct bsf *b = arg;

	return bsf_store_next_expiry(b->s.store);
}

static int64_t
open_challenges(void *arg)
{
	const struct bsf *b = arg;

	return (int64_t)bsf_challenges_count(b->challenges);
}

static void
make_metrics(struct bsf *b)
{
	struct metrics *m = b->s.metrics;

	if (m == NULL)
		return;
	b->count.challenges = metrics_counter(m, "bsf_challenges_total", NULL, "Challenges sent on Ub.");
	b->count.bootstraps = metrics_counter(m, "bsf_bootstraps_total", NULL, "B-TIDs given.");
	b->count.resyncs = metrics_counter(m, "bsf_resyncs_total", NULL, "Sequence numbers set by a card's AUTS.");
	b->count.ub_refusals = metrics_counter(m, "bsf_ub_refusals_total", NULL, "Requests refused on Ub.");
	b->count.keys = metrics_counter(m, "bsf_keys_total", NULL, "NAF keys given on Zn.");
	b->count.zn_refusals = metrics_counter(m, "bsf_zn_refusals_total", NULL, "Requests refused on Zn.");
	metrics_gauge_fn(m, "bsf_challenges", NULL, "Challenges open, or spent and still counted.", open_challenges, b);
}

enum rc
bsf_new(const struct bsf_seams *seams, const struct bsf_conf *conf, struct bsf **out)
{
	struct bsf *b = calloc(1, sizeof *b);
	struct bsf_challenges_conf challenges = { conf->ub.challenge_s, conf->ub.per_source, conf->ub.per_impi, conf->ub.challenges };
	struct bsf_auc_conf auc = { conf->ind, conf->sqn_block, conf->generation_file };
	struct purge_what purge = { purge_slice, purge_next, b };
	enum rc rc;

	if (b == NULL)
		return RC_NOMEM;
	b->s = *seams;
	b->conf = *conf;
	if (!fqdn_ok(span_str(conf->fqdn))) {
		log_error("bsf: fqdn is no lower-case FQDN");
		rc = RC_SYNTAX;
	} else if ((rc = bsf_challenges_new(seams->clock, &challenges, &b->challenges)) == RC_OK &&
	    (rc = bsf_nafs_new(seams->store, &b->nafs)) == RC_OK &&
	    (rc = bsf_zn_new(b, &b->zn)) == RC_OK &&
	    (rc = purge_new(seams->clock, seams->guard, seams->store, &purge, &b->purge)) == RC_OK)
		rc = bsf_auc_new(seams->store, seams->turn, seams->rnd, &auc, &b->auc);
	if (rc != RC_OK) {
		bsf_free(b);
		return rc;
	}
	make_metrics(b);
	*out = b;
	return RC_OK;
}

enum rc
bsf_start(struct bsf *b)
{
	return bsf_zn_start(b->zn);
}

void
bsf_reload(struct bsf *b)
{
	if (bsf_zn_reload(b->zn) != RC_OK)
		log_error("zn: the CRL stays as it was");
}

void
bsf_stop(struct bsf *b, void (*done)(void *arg), void *arg)
{
	b->stopping = true;	/* Ub's answers wait for the turn only, which ends before done can come */
	bsf_ops_stop(b);
	bsf_zn_stop(b->zn, done, arg);
}

void
bsf_free(struct bsf *b)
{
	if (b == NULL)
		return;
	bsf_ops_free(b);
	purge_free(b->purge);
	bsf_zn_free(b->zn);
	bsf_nafs_free(b->nafs);
	bsf_challenges_free(b->challenges);
	bsf_auc_free(b->auc);
	free(b);
}

const char *
bsf_zn_address(const struct bsf *b, bool tls)
{
	return bsf_zn_bound(b->zn, tls);
}

void
bsf_health(void *bsf, json_t *problems)
{
	const struct bsf *b = bsf;

	if (b->conf.zn.insecure)
		(void)json_array_append_new(problems, json_string("zn: insecure = yes: keys may travel in plain text"));
}

void
bsf_status(void *bsf, json_t *o)
{
	const struct bsf *b = bsf;
	int64_t subscribers = 0, bootstraps = 0, nafs = 0;

	(void)json_object_set_new(o, "fqdn", json_string(b->conf.fqdn));
	(void)json_object_set_new(o, "host", json_string(b->conf.zn.host));
	(void)json_object_set_new(o, "realm", json_string(b->conf.zn.realm));
	if (bsf_store_count(b->s.store, &subscribers, &bootstraps, &nafs) == RC_OK) {
		(void)json_object_set_new(o, "subscribers", json_integer(subscribers));
		(void)json_object_set_new(o, "bootstraps", json_integer(bootstraps));
		(void)json_object_set_new(o, "nafs", json_integer(nafs));
	}
	(void)json_object_set_new(o, "challenges", json_integer((json_int_t)bsf_challenges_count(b->challenges)));
	bsf_zn_status(b->zn, o);
}
