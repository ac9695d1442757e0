/* main: nafkcd's wiring: the core, and Ua's two HTTPS servers in front of it. */
#include <stdio.h>

#include "common/daemon.h"
#include "common/http_server.h"
#include "common/log.h"
#include "common/uaxml.h"
#include "nafkcd/nafkc.h"

/* The one process's: what the hooks below share beside the core. */
static struct {
	struct http_server *ua, *ua_mt;		/* ua_mt NULL: there is none */
	void (*done)(void *arg);
	void *arg;
} front;

static enum rc
listen_ua(const struct daemon *d, const struct nafkc_conf *c, struct nafkc *k)
{
	struct http_server_tls tls = { .cert_file = c->ua.cert, .key_file = c->ua.key, .client_ca_file = c->ua.client_ca,
	    .client_crl_file = c->ua.crl };
	struct http_server_conf http = { .listen = c->ua.listen, .tls = &tls, .name = "ua", .body_max = UAXML_MAX,
	    .threads = c->ua.threads, .on_loop = c->ua.on_loop, .connections = c->ua.connections, .per_ip = c->ua.per_ip,
	    .refusal_body = nafkc_refusal_body, .refusal_type = "application/xml; charset=utf-8", .server_header = NAFKC_SERVER_TOKEN };

	return http_server_new(d->loop, d->clock, &http, nafkc_on_ua, k, &front.ua);
}

/* Without client certificates: MTs authenticate by HTTP Digest. */
static enum rc
listen_ua_mt(const struct daemon *d, const struct nafkc_conf *c, struct nafkc *k)
{
	struct http_server_tls tls = { .cert_file = c->ua_mt.cert, .key_file = c->ua_mt.key };
	struct http_server_conf http = { .listen = c->ua_mt.listen, .tls = &tls, .name = "ua_mt", .body_max = UAXML_MAX,
	    .connections = c->ua_mt.connections, .per_ip = c->ua_mt.per_ip, .refusal_body = nafkc_refusal_body,
	    .refusal_type = "application/xml; charset=utf-8", .server_header = NAFKC_SERVER_TOKEN };

	return c->ua_mt.listen == NULL ? RC_OK : http_server_new(d->loop, d->clock, &http, nafkc_on_ua_mt, k, &front.ua_mt);
}

static enum rc
start(const struct daemon *d, const void *conf, void **core)
{
	const struct nafkc_conf *c = conf;
	struct nafkc_seams seams = { .clock = d->clock, .guard = d->guard, .rnd = d->rnd, .store = d->store, .turn = d->turn,
	    .trace = d->trace, .net = d->net, .metrics = d->metrics };
	struct nafkc *k = NULL;
	enum rc rc;

	if ((rc = nafkc_new(&seams, c, &k)) != RC_OK)
		return rc;
	if ((rc = nafkc_start(k)) != RC_OK || (rc = listen_ua(d, c, k)) != RC_OK || (rc = listen_ua_mt(d, c, k)) != RC_OK) {
		http_server_free(front.ua);
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
	if (front.ua_mt != NULL)
		(void)json_object_set_new(o, "ua_mt", json_sprintf("https://%s/", http_server_address(front.ua_mt)));
}

static void
put_stats(json_t *o, const char *name, struct http_server *server)
{
	struct http_server_stats s;

	http_server_get_stats(server, &s);
	(void)json_object_set_new(o, name, json_pack("{s:I, s:I, s:I, s:I}", "connections", (json_int_t)s.connections,
	    "in_flight", (json_int_t)s.in_flight, "refused", (json_int_t)s.refused, "handshakes_refused", (json_int_t)s.handshakes_refused));
}

static void
status(void *core, json_t *o)
{
	nafkc_status(core, o);
	put_stats(o, "ua_server", front.ua);
	if (front.ua_mt != NULL)
		put_stats(o, "ua_mt_server", front.ua_mt);
}

/* The files named at start are read again: certificate, key, trust anchors, CRL. */
static void
reload_one(struct http_server *server, const char *name)
{
	if (http_server_reload(server) == RC_OK)
		log_info("%s: certificate, trust anchors and CRL were read again", name);
	else
		log_error("%s: certificate, trust anchors and CRL stay as they were", name);
}

static void
reload(void *core, const void *conf)
{
	(void)conf;
	reload_one(front.ua, "ua");
	if (front.ua_mt != NULL)
		reload_one(front.ua_mt, "ua_mt");
	nafkc_reload(core);
}

static void
all_stopped(void *core)
{
	nafkc_stop(core, front.done, front.arg);
}

static void
ua_stopped(void *core)
{
	if (front.ua_mt != NULL)
		http_server_stop(front.ua_mt, all_stopped, core);
	else
		all_stopped(core);
}

/* Ua first: its servers let what is in flight be answered by the core, which still asks the BSF. */
static void
stop(void *core, void (*done)(void *arg), void *arg)
{
	front.done = done;
	front.arg = arg;
	http_server_stop(front.ua, ua_stopped, core);
}

static void
end(void *core)
{
	http_server_free(front.ua_mt);
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
