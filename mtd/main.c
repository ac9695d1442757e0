/* main: mtd's wiring: card reader, HTTP client, TLS of the links, core. */
#include <string.h>

#include "common/daemon.h"
#include "common/http_client.h"
#include "common/link.h"
#include "common/log.h"
#include "mtd/card_child.h"
#include "mtd/conf.h"
#include "mtd/mt.h"
#include "mtd/uicc.h"
#include "mtd/uicc_child.h"
#include "mtd/uicc_pcsc.h"

/* The one process's: what the core borrows beside the daemon's own. */
static struct {
	struct mt_conf conf;
	struct mt_uicc *uicc;
	struct http_client *http;
	struct http_tls *bsf_tls;
	struct http_tls *center_tls[MT_NAFS_MAX];
	struct link_tls *local_tls[MT_LOCALS_MAX];
} parts;

/* The log says why it does not work. */
static enum rc
open_parts(const struct daemon *d, const struct mt_file_conf *f)
{
	enum rc rc;

	parts.conf = f->mt;
	if ((rc = http_client_new(d->loop, d->clock, NULL, &parts.http)) != RC_OK)
		return rc;
	if (f->bsf_ca != NULL && (rc = http_tls_new(f->bsf_ca, NULL, NULL, d->clock, &parts.bsf_tls)) != RC_OK)
		return rc;
	parts.conf.ub.tls = parts.bsf_tls;
	for (size_t i = 0; i < f->mt.n_centers; i++) {
		if ((rc = http_tls_new(f->center_ca[i], NULL, NULL, d->clock, &parts.center_tls[i])) != RC_OK)
			return rc;
		parts.conf.centers[i].tls = parts.center_tls[i];
	}
	for (size_t i = 0; i < f->mt.n_locals; i++) {
		if (f->local_tls[i].cert != NULL) {
			if ((rc = link_tls_new(f->local_tls[i].cert, f->local_tls[i].key, f->local_tls[i].ca, d->clock,
			    &parts.local_tls[i])) != RC_OK)
				return rc;
			link_tls_demand_13(parts.local_tls[i]);
		}
		parts.conf.locals[i].tls = parts.local_tls[i];
	}
	if (f->reader != NULL)
		return mt_uicc_pcsc_new(d->loop, d->clock, strcmp(f->reader, "any") == 0 ? NULL : f->reader, &parts.uicc);
	if ((rc = mt_uicc_child_new(d->loop, d->clock, f->user, &parts.uicc)) != RC_OK)
		return rc;
	if (f->image != NULL)
		return (rc = mt_uicc_insert(parts.uicc, f->image, NULL, NULL)) == RC_OK ? mt_uicc_child_settle(parts.uicc) : rc;
	log_warn("neither image nor reader in uicc { }: the card reader is empty");
	return RC_OK;
}

static void
end(void *core)
{
	mt_free(core);
	mt_uicc_free(parts.uicc);
	http_client_free(parts.http);
	http_tls_free(parts.bsf_tls);
	for (size_t i = 0; i < MT_NAFS_MAX; i++)
		http_tls_free(parts.center_tls[i]);
	for (size_t i = 0; i < MT_LOCALS_MAX; i++)
		link_tls_free(parts.local_tls[i]);
}

static enum rc
start(const struct daemon *d, const void *conf, void **core)
{
	struct mt_seams seams = { .clock = d->clock, .guard = d->guard, .rnd = d->rnd, .store = d->store, .turn = d->turn,
	    .trace = d->trace, .net = d->net, .metrics = d->metrics };
	struct mt *m = NULL;
	enum rc rc;

	if ((rc = open_parts(d, conf)) != RC_OK)
		goto out;
	seams.http = parts.http;
	seams.uicc = parts.uicc;
	if ((rc = mt_new(&seams, &parts.conf, &m)) != RC_OK)
		goto out;
	if ((rc = mt_start(m)) != RC_OK)
		goto out;
	*core = m;
	return RC_OK;
out:
	end(m);
	return rc;
}

static void
stop(void *core, void (*done)(void *arg), void *arg)
{
	mt_stop(core, done, arg);
}

int
main(int argc, char **argv)
{
	static const struct daemon_hooks hooks = {
		.name = "mtd",
		.about = "mobile terminal: bootstraps with its card, derives Ks_local_MT, speaks with external devices",
		.options = mt_options,
		.schema = &mt_store_schema,
		.ops = mt_ctl_ops,
		.conf_size = sizeof(struct mt_file_conf),
		.read_conf = mt_conf_read,
		.start = start,
		.bound = mt_bound,
		.health = mt_health,
		.status = mt_status,
		.stop = stop,
		.free = end,
	};

	if (mt_card_child_is(argc, argv))
		mt_card_child_main(argc, argv);
	return daemon_main(argc, argv, &hooks);
}
