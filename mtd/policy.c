#include "mtd/policy.h"

#include <string.h>

#define MILLI_RUN 1000		/* a bucket's level counts in thousandths of a run */
#define HOUR_MS 3600000

void
mt_policy_defaults(struct mt_conf *conf)
{
	if (conf->ks_min_left_s == 0)
		conf->ks_min_left_s = 60;
	if (conf->runs_per_hour == 0)
		conf->runs_per_hour = 30;
	if (conf->runs_per_hour_device == 0)
		conf->runs_per_hour_device = 6;
	if (conf->ask_timeout_s == 0)
		conf->ask_timeout_s = 60;
	if (conf->state_interval_s == 0)
		conf->state_interval_s = 900;
	if (conf->unused_keys_max == 0)
		conf->unused_keys_max = 4;
	if (conf->streams_max == 0)
		conf->streams_max = 100;
	if (conf->tunnels_max == 0)
		conf->tunnels_max = 4;
	if (conf->stream_buffer == 0)
		conf->stream_buffer = 262144;
	if (memcmp(conf->nafkca_ua, (const uint8_t[UA_PROTO_LEN]){ 0 }, UA_PROTO_LEN) == 0)
		memcpy(conf->nafkca_ua, (const uint8_t[UA_PROTO_LEN]){ 1, 0, 0, 0, 2 }, UA_PROTO_LEN);
	if (conf->ub.user_agent[0] == '\0')
		memcpy(conf->ub.user_agent, MT_USER_AGENT, sizeof MT_USER_AGENT);
}

static bool
is_listed(const struct mt_conf *conf, const struct device_id *id)
{
	for (size_t i = 0; i < conf->n_devices; i++) {
		if (strcmp(conf->devices[i].s, id->s) == 0)
			return true;
	}
	return false;
}

enum mt_admission
mt_policy_admission(const struct mt_conf *conf, const struct device_id *id, enum mt_decision d)
{
	if (id->s[0] == '\0')
		return conf->device_policy == MT_DEVICES_ANY ? MT_ADMIT : MT_ADMIT_UNLISTED;
	if (d == MT_REFUSED)
		return MT_ADMIT_REFUSED;
	if (d == MT_ALLOWED || conf->device_policy == MT_DEVICES_ANY || is_listed(conf, id))
		return MT_ADMIT;
	return conf->device_policy == MT_DEVICES_ASK ? MT_ADMIT_ASK : MT_ADMIT_UNLISTED;
}

static bool
among(const struct naf_id *nafs, size_t n, const struct naf_id *naf)
{
	for (size_t i = 0; i < n; i++) {
		if (naf_id_eq(&nafs[i], naf))
			return true;
	}
	return false;
}

size_t
mt_policy_nafs(const struct mt_conf *conf, const struct mt_usim_info *info, struct naf_id out[static MT_NAFS_MAX])
{
	size_t n = conf->n_nafs;

	memcpy(out, conf->nafs, n * sizeof *out);
	for (unsigned k = 0; info != NULL && k < MT_APPS; k++) {
		for (unsigned i = 0; i < info->app[k].n_nafkca && n < MT_NAFS_MAX; i++) {
			struct naf_id naf;

			memcpy(naf.fqdn, info->app[k].nafkca[i], sizeof naf.fqdn);
			memcpy(naf.ua, conf->nafkca_ua, sizeof naf.ua);
			if (!among(out, n, &naf))
				out[n++] = naf;
		}
	}
	return n;
}

bool
mt_policy_offers(const struct mt_conf *conf, const struct mt_usim_info *info, const struct naf_id *naf)
{
	struct naf_id nafs[MT_NAFS_MAX];

	return conf->naf_any || among(nafs, mt_policy_nafs(conf, info, nafs), naf);
}

enum mt_app_kind
mt_policy_app(const struct mt_conf *conf, const struct mt_usim_info *info, const struct naf_id *naf)
{
	bool isim = conf->isim_any || among(conf->isim_nafs, conf->n_isim_nafs, naf);

	return isim && info->app[MT_APP_ISIM].aid_len > 0 ? MT_APP_ISIM : MT_APP_USIM;
}

enum reason
mt_policy_gba_u(const struct mt_conf *conf, const struct mt_usim_app *app, bool *gba_u)
{
	*gba_u = app->gba && conf->gba != MT_GBA_ME;
	return conf->gba == MT_GBA_U && !app->gba ? REASON_CARD_NO_GBA_U : REASON_NONE;
}

bool
mt_policy_is_loopback(const char *address)
{
	static const char *const here[] = { "unix:", "serial:", "mem:", "tcp:127.", "tcp:[::1]:", "tcp:localhost:" };

	for (size_t i = 0; i < sizeof here / sizeof *here; i++) {
		if (strncmp(address, here[i], strlen(here[i])) == 0)
			return true;
	}
	return false;
}

enum mt_derive_way
mt_policy_derive(const struct mt_derive_facts *f)
{
	bool have = f->newest[0] != '\0';

	/* Optimised procedure (seed 8.3.2 step 6): exactly the newest, or none. */
	if (f->asked[0] != '\0')
		return have && !f->dead && strcmp(f->asked, f->newest) == 0 ? MT_WAY_NEWEST : MT_WAY_STALE;
	if (f->run_under_way)
		return MT_WAY_JOIN;
	/* A dead one stays for the devices that it is not dead for, until the run replaces it. */
	if (!have || f->dead)
		return MT_WAY_RUN;
	if (strcmp(f->stale, f->newest) == 0)
		return MT_WAY_DROP_AND_RUN;
	/* The asker could not know of this Ks, and so did not ask for a newer one. */
	if (f->asked_info && strcmp(f->shown, f->newest) != 0)
		return MT_WAY_NEWEST;
	return MT_WAY_RUN;
}

struct mt_bucket
mt_policy_bucket_full(unsigned per_hour, int64_t now_ms)
{
	return (struct mt_bucket){ (int64_t)per_hour * MILLI_RUN, now_ms };
}

/* What an hour brings is the whole bucket; a clock that stepped back brings nothing. */
static void
bucket_fill(struct mt_bucket *b, unsigned per_hour, int64_t now_ms)
{
	int64_t full = (int64_t)per_hour * MILLI_RUN;
	int64_t gone = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
	int64_t in = gone >= HOUR_MS ? full : full * gone / HOUR_MS;

	if (now_ms < b->at_ms || b->level + in >= full) {
		b->level = b->level + in < full ? b->level + in : full;
		b->at_ms = now_ms;
		return;
	}
	b->level += in;
	b->at_ms += in * HOUR_MS / full;	/* the rest of the time counts next time: asking often must not cost */
}

bool
mt_policy_bucket_take(struct mt_bucket *b, unsigned per_hour, int64_t now_ms, int64_t *retry_after_s)
{
	int64_t full = (int64_t)per_hour * MILLI_RUN;

	bucket_fill(b, per_hour, now_ms);
	if (b->level >= MILLI_RUN) {
		b->level -= MILLI_RUN;
		return true;
	}
	*retry_after_s = ((MILLI_RUN - b->level) * HOUR_MS / full + 999) / 1000;
	return false;
}

void
mt_policy_bucket_give(struct mt_bucket *b, unsigned per_hour, int64_t now_ms)
{
	bucket_fill(b, per_hour, now_ms);
	b->level += MILLI_RUN;
	if (b->level > (int64_t)per_hour * MILLI_RUN)
		b->level = (int64_t)per_hour * MILLI_RUN;
}
