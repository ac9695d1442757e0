/* What becomes of an answer: an earlier end, an end at once, a date of the last good one. */
#include "mtd/state_int.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/store.h"
#include "common/timeguard.h"
#include "common/trace.h"

#define AGAIN_S 60		/* after nothing was said, if the interval is not shorter */

int64_t
mt_state_jitter(const struct mt_seams *s, int64_t n)
{
	uint32_t r = 0;

	if (n <= 0 || rnd_bytes(s->rnd, (uint8_t *)&r, sizeof r) != RC_OK)
		return 0;
	return (int64_t)(r % (uint64_t)(n + 1));
}

bool
mt_state_in_grace(const struct mt_seams *s, const struct mt_conf *conf, const struct mt_key *k)
{
	return conf->state_grace_s == 0 || k->last_ok + conf->state_grace_s > timeguard_now(s->guard);
}

enum reason
mt_state_judge_use(const struct mt_seams *s, const struct mt_conf *conf, const struct mt_key *k, const struct mt_said *said)
{
	if (said->verdict == MT_SAID_GONE || said->why == REASON_STOPPING)
		return said->why;
	if (said->verdict == MT_SAID_GOOD)
		return said->lifetime != 0 && said->lifetime <= timeguard_now(s->guard) ? REASON_LOCAL_UNKNOWN_KEY : REASON_NONE;
	return mt_state_in_grace(s, conf, k) ? REASON_NONE : REASON_MT_STATE_GRACE;
}

int64_t
mt_state_next(const struct mt_seams *s, const struct mt_conf *conf, const struct mt_said *said)
{
	int64_t wait = conf->state_interval_s;

	if (said->verdict == MT_SAID_NOTHING && wait > AGAIN_S)
		wait = AGAIN_S;
	return timeguard_now(s->guard) + wait - mt_state_jitter(s, wait / 5);
}

static enum rc
keep_good(const struct mt_seams *s, struct mt_key *k, const struct mt_said *said, int64_t *ends)
{
	int64_t now = timeguard_now(s->guard);
	bool shorter = false;
	enum rc rc = mt_store_answered(s->store, k, now, said->etag[0] != '\0' ? said->etag : k->etag);

	if (rc == RC_OK && said->lifetime != 0 && said->lifetime < k->expires)
		rc = mt_store_limit_key(s->store, &k->iccid, &k->triple, said->lifetime, &shorter);
	if (shorter)
		*ends = said->lifetime;
	k->last_ok = now;
	return rc;
}

static enum rc
keep_gone(const struct mt_seams *s, const struct mt_key *k, enum reason why, int64_t *ends)
{
	enum rc rc = mt_store_revoke_key(s->store, &k->iccid, &k->triple, reason_get(why)->code);

	if (rc == RC_OK)
		*ends = MT_ENDS_NOW;
	return rc == RC_NOTFOUND ? RC_OK : rc;		/* it went otherwise meanwhile */
}

static void
report(const struct mt_seams *s, const struct triple *t, const struct mt_said *said, int64_t ends)
{
	char naf[NAF_ID_TEXT_MAX + 1], until[UTC_TEXT_LEN + 1] = "", status[12];
	struct trace_event e = {
		.from = "mtd", .to = "nafkcd", .msg = "key state", .btid = t->btid.s, .naf_id = naf, .device_id = t->device_id.s,
		.result = said->status > 0 ? status : reason_get(said->why)->code
	};

	(void)snprintf(status, sizeof status, "%d", said->status);
	naf_id_print(&t->naf_id, naf);
	trace_emit(s->trace, &e);
	if (said->verdict != MT_SAID_GOOD) {
		log_reason(said->why, "state: device_id=%s btid=%s naf=%s: %s%s", t->device_id.s, t->btid.s, naf, said->detail,
		    said->verdict == MT_SAID_GONE ? ": deleted" : "");
	} else if (ends != MT_ENDS_NOT) {
		clock_print_utc(ends, until);
		log_reason(REASON_MT_KEY_LIMITED, "state: device_id=%s btid=%s naf=%s: ends %s", t->device_id.s, t->btid.s, naf, until);
	} else {
		log_debug("state: device_id=%s btid=%s naf=%s: good", t->device_id.s, t->btid.s, naf);
	}
}

enum rc
mt_state_keep(const struct mt_seams *s, const struct mt_conf *conf, struct mt_key *k, const struct mt_said *said, int64_t *ends)
{
	enum rc rc;

	*ends = MT_ENDS_NOT;
	if ((rc = store_begin(s->store)) != RC_OK)
		return rc;
	if (said->verdict == MT_SAID_GONE)
		rc = keep_gone(s, k, said->why, ends);
	else if (said->verdict == MT_SAID_GOOD)
		rc = keep_good(s, k, said, ends);
	if (rc == RC_OK && said->verdict != MT_SAID_GONE)
		rc = mt_store_ask_at(s->store, k, mt_state_next(s, conf, said));
	if ((rc = mt_store_end(s->store, rc)) == RC_OK)
		report(s, &k->triple, said, *ends);
	else
		*ends = MT_ENDS_NOT;
	return rc;
}
