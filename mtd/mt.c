#include "mtd/mt.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "mtd/ask.h"
#include "mtd/gba.h"
#include "mtd/local.h"
#include "mtd/mt_impl.h"
#include "mtd/policy.h"
#include "mtd/service.h"
#include "mtd/state.h"
#include "mtd/store.h"
#include "mtd/use.h"

static void
on_keys_gone(void *arg)
{
	const struct mt *m = arg;

	mt_use_recheck(m->use);
}

static enum rc
open_use(struct mt *m)
{
	struct mt_use_env env = { .s = &m->seams, .conf = &m->conf, .gba = m->gba, .state = m->state };
	enum rc rc;

	if ((rc = mt_services_new(&m->seams, &m->conf, &m->services)) != RC_OK)
		return rc;
	env.services = m->services;
	if ((rc = mt_use_new(&env, &m->use)) != RC_OK)
		return rc;
	mt_gba_on_keys_gone(m->gba, on_keys_gone, m);
	return RC_OK;
}

enum rc
mt_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt **out)
{
	struct mt *m = calloc(1, sizeof *m);
	enum rc rc = RC_NOMEM;

	if (m == NULL)
		return RC_NOMEM;
	m->seams = *s;
	m->conf = *conf;
	mt_policy_defaults(&m->conf);
	if ((rc = mt_store_mt_id(s->store, s->rnd, &m->id)) != RC_OK)
		goto out;
	if ((rc = mt_gba_new(&m->seams, &m->conf, &m->gba)) != RC_OK)
		goto out;
	if ((rc = mt_state_new(&m->seams, &m->conf, &m->state)) != RC_OK)
		goto out;
	if ((rc = open_use(m)) != RC_OK)
		goto out;
	if ((rc = mt_local_new(&m->seams, &m->conf, m->gba, m->use, &m->id, &m->local)) != RC_OK)
		goto out;
	*out = m;
	m = NULL;
out:
	mt_free(m);
	return rc;
}

void
mt_free(struct mt *m)
{
	if (m == NULL)
		return;
	mt_local_free(m->local);
	mt_services_free(m->services);
	mt_use_free(m->use);
	mt_state_free(m->state);
	mt_gba_free(m->gba);
	OPENSSL_cleanse(&m->conf.usim, sizeof m->conf.usim);	/* the PIN */
	free(m);
}

static void
on_state_gone(void *mt, int64_t expires)
{
	struct mt *m = mt;

	mt_gba_keys_gone(m->gba, expires);
}

enum rc
mt_start(struct mt *m)
{
	enum rc rc;

	if (m->conf.device_policy == MT_DEVICES_LISTED && m->conf.n_devices == 0)
		log_warn("no device is admitted but those that 'device allow' names: devices is empty");
	if (!m->conf.naf_any && m->conf.n_nafs == 0)
		log_warn("no key can be derived: naf_ids is empty, and naf_policy is listed");
	if ((rc = mt_local_start(m->local)) != RC_OK)
		return rc;
	mt_gba_start(m->gba);
	mt_state_on_gone(m->state, on_state_gone, m);
	mt_state_start(m->state);
	return RC_OK;
}

static void
on_local_stopped(void *arg)
{
	struct mt *m = arg;

	mt_use_stop(m->use, m->stopped, m->stopped_arg);
}

static void
on_gba_stopped(void *arg)
{
	struct mt *m = arg;

	mt_local_stop(m->local, on_local_stopped, m);
}

void
mt_stop(struct mt *m, void (*done)(void *arg), void *arg)
{
	m->stopped = done;
	m->stopped_arg = arg;
	mt_local_deaf(m->local);
	mt_ask_stop(mt_gba_ask(m->gba));
	mt_state_stop(m->state);
	mt_gba_stop(m->gba, on_gba_stopped, m);
}

void
mt_get_counts(const struct mt *m, struct mt_counts *out)
{
	mt_gba_counts(m->gba, out);
}
