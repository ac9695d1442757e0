/* main: bsfd's wiring: the core, and Ub's HTTP server in front of it. */
#include <stdio.h>
#include <string.h>

#include "bsfd/bsf.h"
#include "common/daemon.h"
#include "common/http_server.h"

/* The one process's: what the hooks below share beside the core. */
static struct {
	struct http_server *ub;
	bool tls;
	void (*done)(void *arg);
	void *arg;
} front;

static enum rc
start(const struct daemon *d, const void *conf, void **core)
{
	const struct bsf_conf *c = conf;
	struct bsf_seams seams = { .clock = d->clock, .guard = d->guard, .rnd = d->rnd, .store = d->store, .turn = d->turn,
	    .trace = d->trace, .net = d->net, .metrics = d->metrics };
	struct http_server_tls tls = { .cert_file = c->ub.cert, .key_file = c->ub.key };
	struct http_server_conf http = { .listen = c->ub.listen, .tls = c->ub.cert != NULL ? &tls : NULL, .name = "ub",
		.on_loop = c->ub.cert == NULL };
	struct bsf *b = NULL;
	enum rc rc;

	front.tls = c->ub.cert != NULL;
	if ((rc = bsf_new(&seams, c, &b)) != RC_OK)
		return rc;
	if ((rc = bsf_start(b)) != RC_OK || (rc = http_server_new(d->loop, d->clock, &http, bsf_on_ub, b, &front.ub)) != RC_OK) {
		bsf_free(b);
		return rc;
	}
	*core = b;
	return RC_OK;
}

/* HOST:PORT out of a link's address. */
static json_t *
host_port(const char *address)
{
	return json_string(strncmp(address, "tcp:", 4) == 0 ? address + 4 : address);
}

static void
bound(void *core, json_t *o)
{
	char url[128];
	const char *plain = bsf_zn_address(core, false), *tls = bsf_zn_address(core, true);

	(void)snprintf(url, sizeof url, "%s://%s/", front.tls ? "https" : "http", http_server_address(front.ub));
	(void)json_object_set_new(o, "ub", json_string(url));
	if (plain != NULL)
		(void)json_object_set_new(o, "zn", host_port(plain));
	if (tls != NULL)
		(void)json_object_set_new(o, "zn_tls", host_port(tls));
}

/* The CRL of Zn is read again. */
static void
reload(void *core, const void *conf)
{
	(void)conf;
	bsf_reload(core);
}

static void
http_stopped(void *core)
{
	bsf_stop(core, front.done, front.arg);
}

/* Ub first: its server lets what is in flight be answered by the core, which still runs. */
static void
stop(void *core, void (*done)(void *arg), void *arg)
{
	front.done = done;
	front.arg = arg;
	http_server_stop(front.ub, http_stopped, core);
}

static void
end(void *core)
{
	http_server_free(front.ub);
	bsf_free(core);
}

int
main(int argc, char **argv)
{
	static const struct daemon_hooks hooks = {
		.name = "bsfd",
		.about = "bootstrapping server function: Ub for phones, Zn for NAFs, with the AuC inside",
		.options = bsf_options,
		.schema = &bsf_store_schema,
		.ops = bsf_ctl_ops,
		.conf_size = sizeof(struct bsf_conf),
		.read_conf = bsf_conf_read,
		.free_conf = bsf_conf_free,
		.start = start,
		.bound = bound,
		.health = bsf_health,
		.status = bsf_status,
		.reload = reload,
		.stop = stop,
		.free = end,
	};

	return daemon_main(argc, argv, &hooks);
}
