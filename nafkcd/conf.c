/* conf: nafkcd's configuration file; conf/nafkcd.conf shows every key. */
#include <stdlib.h>
#include <string.h>

#include "common/daemon.h"
#include "common/log.h"
#include "nafkcd/nafkc.h"

#define YEAR_S (365 * 86400LL)

static cfg_opt_t ua_options[] = {
	CFG_STR("listen", "127.0.0.1:8443", CFGF_NONE), CFG_STR("cert", NULL, CFGF_NONE), CFG_STR("key", NULL, CFGF_NONE),
	CFG_STR("client_ca", NULL, CFGF_NONE), CFG_STR("crl", NULL, CFGF_NONE),
	CFG_INT("connections", 1024, CFGF_NONE), CFG_INT("per_ip", 0, CFGF_NONE), CFG_INT("threads", 0, CFGF_NONE),
	CFG_BOOL("on_loop", cfg_false, CFGF_NONE), CFG_END()
};
static cfg_opt_t ua_mt_options[] = {
	CFG_STR("listen", NULL, CFGF_NONE), CFG_STR("cert", NULL, CFGF_NONE), CFG_STR("key", NULL, CFGF_NONE),
	CFG_INT("connections", 1024, CFGF_NONE), CFG_INT("per_ip", 0, CFGF_NONE), CFG_END()
};
static cfg_opt_t peer_options[] = {
	CFG_STR("realm", NULL, CFGF_NONE), CFG_STR("address", NULL, CFGF_NONE), CFG_BOOL("tls", cfg_false, CFGF_NONE),
	CFG_BOOL("insecure", cfg_false, CFGF_NONE), CFG_END()
};
static cfg_opt_t zn_options[] = {
	CFG_STR("host", NULL, CFGF_NONE), CFG_STR("realm", NULL, CFGF_NONE), CFG_STR("cert", NULL, CFGF_NONE), CFG_STR("key", NULL, CFGF_NONE),
	CFG_STR("ca", NULL, CFGF_NONE), CFG_STR("crl", NULL, CFGF_NONE), CFG_STR("timeout", "3s", CFGF_NONE), CFG_STR("watchdog", "30s", CFGF_NONE),
	CFG_SEC("peer", peer_options, CFGF_MULTI | CFGF_TITLE), CFG_END()
};
cfg_opt_t nafkc_options[] = {
	DAEMON_OPTIONS, CFG_STR_LIST("naf_id", NULL, CFGF_NONE), CFG_STR("devices", "listed", CFGF_NONE),
	CFG_STR("key_lifetime_max", "1d", CFGF_NONE), CFG_STR("ks_min_left", "60s", CFGF_NONE), CFG_INT("rate_per_minute", 60, CFGF_NONE),
	CFG_INT("device_ids_max", 1000, CFGF_NONE), CFG_STR("zn_cache", "300s", CFGF_NONE), CFG_STR("audit_keep", "365d", CFGF_NONE),
	CFG_SEC("ua", ua_options, CFGF_NONE), CFG_SEC("ua_mt", ua_mt_options, CFGF_NONE),
	CFG_SEC("zn", zn_options, CFGF_NONE), CFG_END()
};

static void
read_naf_ids(struct conf *c, struct nafkc_conf *out)
{
	size_t n = conf_count(c, NULL, "naf_id");
	struct naf_id *ids;

	if (n == 0) {
		conf_complain(c, NULL, "naf_id", "is missing; expected a list of %s", conf_expected(CONF_NAF_ID));
		return;
	}
	if ((ids = calloc(n, sizeof(*ids))) == NULL)
		log_fatal("conf: out of memory");
	for (size_t i = 0; i < n; i++)
		if (naf_id_parse(span_str(conf_text_at(c, NULL, "naf_id", i, CONF_NAF_ID)), &ids[i]) == RC_OK)
			for (size_t j = 0; j < i; j++)
				if (naf_id_eq(&ids[i], &ids[j]))
					conf_complain(c, NULL, "naf_id", "holds the same NAF_ID twice");
	out->naf_ids = ids;
	out->n_naf_ids = n;
}

static void
read_ua(struct conf *c, cfg_t *s, struct nafkc_conf *out)
{
	out->ua.listen = conf_text(c, s, "listen", CONF_HOST_PORT);
	out->ua.cert = conf_text(c, s, "cert", CONF_FILE);
	out->ua.key = conf_text(c, s, "key", CONF_PRIVATE_FILE);
	out->ua.client_ca = conf_text(c, s, "client_ca", CONF_FILE);
	out->ua.crl = conf_optional(c, s, "crl", CONF_FILE);
	out->ua.connections = (unsigned)conf_int(c, s, "connections", 1, 100000);
	out->ua.per_ip = (unsigned)conf_int(c, s, "per_ip", 0, 100000);
	out->ua.threads = (unsigned)conf_int(c, s, "threads", 0, 64);
	out->ua.on_loop = conf_bool(c, s, "on_loop");
	if (out->ua.on_loop && out->ua.threads != 0)
		conf_complain(c, s, "threads", "with on_loop = yes; expected one of both");
}

/* Off without listen; then nothing else in it has a meaning. */
static void
read_ua_mt(struct conf *c, cfg_t *s, struct nafkc_conf *out)
{
	if ((out->ua_mt.listen = conf_optional(c, s, "listen", CONF_HOST_PORT)) == NULL) {
		if (conf_has(c, s, "cert") || conf_has(c, s, "key"))
			conf_complain(c, s, "listen", "is missing; expected %s", conf_expected(CONF_HOST_PORT));
		return;
	}
	out->ua_mt.cert = conf_text(c, s, "cert", CONF_FILE);
	out->ua_mt.key = conf_text(c, s, "key", CONF_PRIVATE_FILE);
	out->ua_mt.connections = (unsigned)conf_int(c, s, "connections", 1, 100000);
	out->ua_mt.per_ip = (unsigned)conf_int(c, s, "per_ip", 0, 100000);
}

/* Any peer with tls: ours must be given. */
static void
read_own_tls(struct conf *c, cfg_t *s, struct nafkc_conf *out)
{
	bool tls = false;

	for (size_t i = 0; i < out->zn.n_peers; i++)
		tls = tls || out->zn.peers[i].tls;
	if (!tls && !conf_has(c, s, "cert") && !conf_has(c, s, "key") && !conf_has(c, s, "ca") && !conf_has(c, s, "crl"))
		return;
	out->zn.cert = conf_text(c, s, "cert", CONF_FILE);
	out->zn.key = conf_text(c, s, "key", CONF_PRIVATE_FILE);
	out->zn.ca = conf_text(c, s, "ca", CONF_FILE);
	out->zn.crl = conf_optional(c, s, "crl", CONF_FILE);
}

static void
read_peers(struct conf *c, cfg_t *s, struct nafkc_conf *out)
{
	size_t n = conf_count(c, s, "peer");
	struct nafkc_peer_conf *peers;

	if (n == 0) {
		conf_complain(c, s, "peer", "is missing; expected peer \"HOST\" { realm = …, address = … } for at least one BSF");
		return;
	}
	if ((peers = calloc(n, sizeof(*peers))) == NULL)
		log_fatal("conf: out of memory");
	for (size_t i = 0; i < n; i++) {
		cfg_t *p = conf_section(c, s, "peer", i);

		peers[i].identity = conf_title(p);
		if (!conf_text_ok(span_str(peers[i].identity), CONF_IDENTITY))
			conf_complain(c, p, NULL, "peer \"%s\": expected %s", peers[i].identity, conf_expected(CONF_IDENTITY));
		peers[i].realm = conf_text(c, p, "realm", CONF_IDENTITY);
		peers[i].address = conf_text(c, p, "address", CONF_HOST_PORT);
		peers[i].tls = conf_bool(c, p, "tls");
		peers[i].insecure = conf_bool(c, p, "insecure");
	}
	out->zn.peers = peers;
	out->zn.n_peers = n;
}

static void
read_zn(struct conf *c, cfg_t *s, struct nafkc_conf *out)
{
	out->zn.host = conf_text(c, s, "host", CONF_IDENTITY);
	out->zn.realm = conf_text(c, s, "realm", CONF_IDENTITY);
	out->zn.timeout_s = conf_duration(c, s, "timeout", 1, 60);
	out->zn.watchdog_s = conf_duration(c, s, "watchdog", 6, 3600);
	read_peers(c, s, out);
	read_own_tls(c, s, out);
}

void
nafkc_conf_read(struct conf *c, void *nafkc_conf)
{
	static const char *const modes[] = { "listed", "bind-first-use", "any", NULL };
	struct nafkc_conf *out = nafkc_conf;

	nafkc_conf_default(out);
	read_naf_ids(c, out);
	out->devices = (enum nafkc_mode)conf_word(c, NULL, "devices", modes);
	out->key_lifetime_max_s = conf_duration(c, NULL, "key_lifetime_max", 1, 10 * YEAR_S);
	out->ks_min_left_s = conf_duration(c, NULL, "ks_min_left", 0, 86400);
	out->rate_per_minute = (unsigned)conf_int(c, NULL, "rate_per_minute", 1, 1000000);
	out->device_ids_max = (unsigned)conf_int(c, NULL, "device_ids_max", 1, 1000000000);
	out->zn_cache_s = conf_duration(c, NULL, "zn_cache", 0, 86400);
	out->audit_keep_s = conf_duration(c, NULL, "audit_keep", 3600, 100 * YEAR_S);
	read_ua(c, conf_section(c, NULL, "ua", 0), out);
	read_ua_mt(c, conf_section(c, NULL, "ua_mt", 0), out);
	read_zn(c, conf_section(c, NULL, "zn", 0), out);
}

void
nafkc_conf_free(void *nafkc_conf)
{
	struct nafkc_conf *c = nafkc_conf;

	free((void *)(uintptr_t)c->naf_ids);
	free((void *)(uintptr_t)c->zn.peers);
	c->naf_ids = NULL;
	c->zn.peers = NULL;
}
