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
	if (conf->unused_keys_max == 0)
		conf->unused_keys_max = 4;
	if (conf->ub.user_agent[0] == '\0')
		memcpy(conf->ub.user_agent, MT_USER_AGENT, sizeof MT_USER_AGENT);
}

bool
mt_policy_admits(const struct mt_conf *conf, const struct device_id *id)
{
	if (conf->device_any)
		return true;
	for (size_t i = 0; i < conf->n_devices && id->s[0] != '\0'; i++) {
		if (strcmp(conf->devices[i].s, id->s) == 0)
			return true;
	}
	return false;
}

bool
mt_policy_offers(const struct mt_conf *conf, const struct naf_id *naf)
{
	if (conf->naf_any)
		return true;
	for (size_t i = 0; i < conf->n_nafs; i++) {
		if (naf_id_eq(&conf->nafs[i], naf))
			return true;
	}
	return false;
}

bool
mt_policy_is_loopback(const char *address)
{
	static const char *const here[] = { "unix:", "mem:", "tcp:127.", "tcp:[::1]:", "tcp:localhost:" };

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
		return have && strcmp(f->asked, f->newest) == 0 ? MT_WAY_NEWEST : MT_WAY_STALE;
	if (f->run_under_way)
		return MT_WAY_JOIN;
	if (!have)
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
