/* main: nafkcd's wiring: the core, and Ua's HTTPS server in front of it. */
#include <stdio.h>

#include "common/daemon.h"
#include "common/http_server.h"
#include "common/log.h"
#include "common/uaxml.h"
#include "nafkcd/nafkc.h"

/* The one process's: what the hooks below share beside the core. */
static struct {
	struct http_server *ua;
	void (*done)(void *arg);
	void *arg;
} front;

static enum rc
start(const struct daemon *d, const void *conf, void **core)
{
	const struct nafkc_conf *c = conf;
	struct nafkc_seams seams = { .clock = d->clock, .guard = d->guard, .rnd = d->rnd, .store = d->store, .turn = d->turn,
	    .trace = d->trace, .net = d->net, .metrics = d->metrics };
	struct http_server_tls tls = { .cert_file = c->ua.cert, .key_file = c->ua.key, .client_ca_file = c->ua.client_ca,
	    .client_crl_file = c->ua.crl };
	struct http_server_conf http = { .listen = c->ua.listen, .tls = &tls, .name = "ua", .body_max = UAXML_MAX,
	    .connections = c->ua.connections, .per_ip = c->ua.per_ip, .refusal_body = nafkc_refusal_body, .refusal_type = "application/xml; charset=utf-8", .server_header = NAFKC_SERVER_TOKEN };
	struct nafkc *k = NULL;
	enum rc rc;

	if ((rc = nafkc_new(&seams, c, &k)) != RC_OK)
		return rc;
	if ((rc = nafkc_start(k)) != RC_OK || (rc = http_server_new(d->loop, d->clock, &http, nafkc_on_ua, k, &front.ua)) != RC_OK) {
		nafkc_free(k);
		return rc;
	}
	*core = k;
	return RC_OK;
}

static void
bound(void *core, json_t *o)
{
	(void)core;
	(void)json_object_set_new(o, "ua", json_sprintf("https://%s/", http_server_address(front.ua)));
}

static void
status(void *core, json_t *o)
{
	struct http_server_stats s;

	nafkc_status(core, o);
	http_server_get_stats(front.ua, &s);
	(void)json_object_set_new(o, "ua_server", json_pack("{s:I, s:I, s:I, s:I}", "connections", (json_int_t)s.connections,
	    "in_flight", (json_int_t)s.in_flight, "refused", (json_int_t)s.refused, "handshakes_refused", (json_int_t)s.handshakes_refused));
}

/* The files named at start are read again: certificate, key, trust anchors, CRL. */
static void
reload(void *core, const void *conf)
{
	(void)core;
	(void)conf;
	if (http_server_reload(front.ua) == RC_OK)
		log_info("ua: certificate, trust anchors and CRL were read again");
	else
		log_error("ua: certificate, trust anchors and CRL stay as they were");
}

static void
http_stopped(void *core)
{
	nafkc_stop(core, front.done, front.arg);
}

/* Ua first: its server lets what is in flight be answered by the core, which still asks the BSF. */
static void
stop(void *core, void (*done)(void *arg), void *arg)
{
	front.done = done;
	front.arg = arg;
	http_server_stop(front.ua, http_stopped, core);
}

static void
end(void *core)
{
	http_server_free(front.ua);
	nafkc_free(core);
}

int
main(int argc, char **argv)
{
	static const struct daemon_hooks hooks = {
		.name = "nafkcd",
		.about = "NAF Key Center: gives external devices Ks_local_MT over Ua, asks the BSF over Zn",
		.options = nafkc_options,
		.schema = &nafkc_store_schema,
		.ops = nafkc_ctl_ops,
		.conf_size = sizeof(struct nafkc_conf),
		.read_conf = nafkc_conf_read,
		.free_conf = nafkc_conf_free,
		.start = start,
		.bound = bound,
		.health = nafkc_health,
		.status = status,
		.reload = reload,
		.stop = stop,
		.free = end,
	};

	return daemon_main(argc, argv, &hooks);
}
