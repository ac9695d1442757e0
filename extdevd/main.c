/* main: extdevd's wiring: the core, an HTTP client, and one TLS end per NAF Key Center and MT. */
#include <stdlib.h>

#include "common/daemon.h"
#include "common/http_client.h"
#include "common/link.h"
#include "common/log.h"
#include "extdevd/extdev.h"

/* The one process's: what stands beside the core. */
static struct {
	struct http_client *http;
	struct http_tls **tls;
	size_t n;
	struct link_tls **mt_tls;
	size_t n_mts;
} side;

static void
end(void *core)
{
	extdev_free(core);
	http_client_free(side.http);
	for (size_t i = 0; i < side.n; i++)
		http_tls_free(side.tls[i]);
	free(side.tls);
	for (size_t i = 0; i < side.n_mts; i++)
		link_tls_free(side.mt_tls[i]);
	free(side.mt_tls);
}

static enum rc
make_tls(const struct daemon *d, const struct extdev_conf *c)
{
	enum rc rc;

	if ((side.tls = calloc(c->n_centers + 1, sizeof *side.tls)) == NULL)
		return RC_NOMEM;
	for (side.n = 0; side.n < c->n_centers; side.n++) {
		rc = http_tls_new(c->centers[side.n].ca, c->cert, c->key, d->clock, &side.tls[side.n]);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* U8 */
static enum rc
make_mt_tls(const struct daemon *d, const struct extdev_conf *c)
{
	enum rc rc;

	if ((side.mt_tls = calloc(c->n_mts + 1, sizeof *side.mt_tls)) == NULL)
		return RC_NOMEM;
	for (side.n_mts = 0; side.n_mts < c->n_mts; side.n_mts++) {
		const struct extdev_mt_conf *m = &c->mts[side.n_mts];

		if (!m->tls)
			continue;
		if ((rc = link_tls_new(m->cert, m->key, m->ca, d->clock, &side.mt_tls[side.n_mts])) != RC_OK)
			return rc;
		link_tls_demand_13(side.mt_tls[side.n_mts]);
	}
	return RC_OK;
}

static enum rc
start(const struct daemon *d, const void *conf, void **core)
{
	static const struct http_client_conf http = { .user_agent = "kslocal-extdevd/" KSLOCAL_VERSION };
	const struct extdev_conf *c = conf;
	struct extdev_seams seams = { .clock = d->clock, .guard = d->guard, .rnd = d->rnd, .store = d->store, .turn = d->turn,
	    .trace = d->trace, .net = d->net, .metrics = d->metrics };
	struct extdev *e = NULL;
	enum rc rc;

	if ((rc = http_client_new(d->loop, d->clock, &http, &side.http)) == RC_OK && (rc = make_tls(d, c)) == RC_OK &&
	    (rc = make_mt_tls(d, c)) == RC_OK) {
		seams.mt_tls = side.mt_tls;
		seams.http = side.http;
		seams.tls = (const struct http_tls *const *)side.tls;
		if ((rc = extdev_new(&seams, c, &e)) == RC_OK)
			rc = extdev_start(e);
	}
	if (rc != RC_OK) {
		end(e);
		return rc;
	}
	*core = e;
	return RC_OK;
}

static void
stop(void *core, void (*done)(void *arg), void *arg)
{
	extdev_stop(core, done, arg);
}

int
main(int argc, char **argv)
{
	static const struct daemon_hooks hooks = {
		.name = "extdevd",
		.about = "external device: establishes Ks_local_MT with phones by way of a NAF Key Center",
		.options = extdev_options,
		.schema = &extdev_store_schema,
		.ops = extdev_ctl_ops,
		.conf_size = sizeof(struct extdev_conf),
		.read_conf = extdev_conf_read,
		.free_conf = extdev_conf_free,
		.start = start,
		.bound = extdev_bound,
		.health = extdev_health,
		.status = extdev_status,
		.stop = stop,
		.free = end,
	};

	return daemon_main(argc, argv, &hooks);
}
