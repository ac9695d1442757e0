/* conf: bsfd's configuration file; conf/bsfd.conf shows every key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bsfd/bsf.h"
#include "common/daemon.h"
#include "common/digest_aka.h"
#include "common/log.h"

static cfg_opt_t ub_options[] = {
	CFG_STR("listen", "127.0.0.1:8080", CFGF_NONE), CFG_STR("cert", NULL, CFGF_NONE), CFG_STR("key", NULL, CFGF_NONE),
	CFG_STR("path", "/", CFGF_NONE), CFG_STR("qop", "any", CFGF_NONE), CFG_STR("challenge", "60s", CFGF_NONE),
	CFG_INT("per_source", 2, CFGF_NONE), CFG_INT("per_impi", 16, CFGF_NONE), CFG_INT("challenges", 4096, CFGF_NONE), CFG_END()
};
static cfg_opt_t peer_options[] = { CFG_STR("realm", NULL, CFGF_NONE), CFG_BOOL("relay", cfg_false, CFGF_NONE), CFG_END() };
static cfg_opt_t zn_options[] = {
	CFG_STR("host", NULL, CFGF_NONE), CFG_STR("realm", NULL, CFGF_NONE), CFG_STR("listen", NULL, CFGF_NONE),
	CFG_STR("listen_tls", NULL, CFGF_NONE), CFG_STR("cert", NULL, CFGF_NONE), CFG_STR("key", NULL, CFGF_NONE),
	CFG_STR("ca", NULL, CFGF_NONE), CFG_STR("crl", NULL, CFGF_NONE), CFG_BOOL("insecure", cfg_false, CFGF_NONE), CFG_BOOL("strict", cfg_false, CFGF_NONE),
	CFG_STR("watchdog", "30s", CFGF_NONE), CFG_SEC("peer", peer_options, CFGF_MULTI | CFGF_TITLE), CFG_END()
};
cfg_opt_t bsf_options[] = {
	DAEMON_OPTIONS, CFG_STR("fqdn", NULL, CFGF_NONE), CFG_STR("ks_lifetime", "8h", CFGF_NONE),
	CFG_STR("ks_lifetime_max", "7d", CFGF_NONE), CFG_BOOL("one_btid", cfg_false, CFGF_NONE), CFG_INT("ind", 31, CFGF_NONE),
	CFG_INT("sqn_block", 32, CFGF_NONE), CFG_SEC("ub", ub_options, CFGF_NONE), CFG_SEC("zn", zn_options, CFGF_NONE), CFG_END()
};

static void
read_ub(struct conf *c, cfg_t *s, struct bsf_conf *out)
{
	static const char *const qops[] = { "any", "auth-int", NULL };
	bool any = conf_word(c, s, "qop", qops) == 0;

	out->ub.listen = conf_text(c, s, "listen", CONF_HOST_PORT);
	out->ub.cert = conf_optional(c, s, "cert", CONF_FILE);
	out->ub.key = conf_optional(c, s, "key", CONF_PRIVATE_FILE);
	if ((out->ub.cert == NULL) != (out->ub.key == NULL))
		conf_complain(c, s, out->ub.cert == NULL ? "cert" : "key", "is missing; expected cert and key, or neither");
	out->ub.path = conf_text(c, s, "path", CONF_ANY);
	if (out->ub.path[0] != '/')
		conf_complain(c, s, "path", "expected a path that begins with /");
	out->ub.qop = any ? DIGEST_QOP_AUTH_INT | DIGEST_QOP_AUTH : DIGEST_QOP_AUTH_INT;
	out->ub.no_qop = any;
	out->ub.challenge_s = conf_duration(c, s, "challenge", 1, 3600);
	out->ub.per_source = (unsigned)conf_int(c, s, "per_source", 1, 65536);
	out->ub.per_impi = (unsigned)conf_int(c, s, "per_impi", 1, 65536);
	out->ub.challenges = (unsigned)conf_int(c, s, "challenges", 1, 65536);
}

static void
read_peers(struct conf *c, cfg_t *s, struct bsf_conf *out)
{
	size_t n = conf_count(c, s, "peer");
	struct bsf_peer_conf *peers;

	if (n == 0)
		return;
	if ((peers = calloc(n, sizeof *peers)) == NULL)
		log_fatal("conf: out of memory");
	for (size_t i = 0; i < n; i++) {
		cfg_t *p = conf_section(c, s, "peer", i);

		peers[i].identity = conf_title(p);
		if (!conf_text_ok(span_str(peers[i].identity), CONF_IDENTITY))
			conf_complain(c, p, NULL, "peer \"%s\": expected %s", peers[i].identity, conf_expected(CONF_IDENTITY));
		peers[i].realm = conf_text(c, p, "realm", CONF_IDENTITY);
		peers[i].relay = conf_bool(c, p, "relay");
	}
	out->zn.peers = peers;
	out->zn.n_peers = n;
}

static void
read_zn(struct conf *c, cfg_t *s, struct bsf_conf *out)
{
	out->zn.host = conf_text(c, s, "host", CONF_IDENTITY);
	out->zn.realm = conf_text(c, s, "realm", CONF_IDENTITY);
	out->zn.listen = conf_optional(c, s, "listen", CONF_HOST_PORT);
	out->zn.listen_tls = conf_optional(c, s, "listen_tls", CONF_HOST_PORT);
	if (out->zn.listen == NULL && out->zn.listen_tls == NULL)
		conf_complain(c, s, "listen", "is missing, and listen_tls too; expected one of them or both");
	if (out->zn.listen_tls != NULL) {
		out->zn.cert = conf_text(c, s, "cert", CONF_FILE);
		out->zn.key = conf_text(c, s, "key", CONF_PRIVATE_FILE);
		out->zn.ca = conf_text(c, s, "ca", CONF_FILE);
		out->zn.crl = conf_optional(c, s, "crl", CONF_FILE);
	}
	out->zn.insecure = conf_bool(c, s, "insecure");
	if (out->zn.listen != NULL && !out->zn.insecure && strncmp(out->zn.listen, "127.", 4) != 0 && strncmp(out->zn.listen, "[::1]:", 6) != 0)
		conf_complain(c, s, "listen", "%s is plain TCP beyond loopback; expected listen_tls instead, or insecure = yes", out->zn.listen);
	out->zn.strict = conf_bool(c, s, "strict");
	out->zn.watchdog_s = conf_duration(c, s, "watchdog", 6, 3600);
	read_peers(c, s, out);
}

/* B4: "STORE.generation"; NULL for no store. */
static const char *
side_file(const char *store)
{
	char *side = NULL;

	if (store == NULL)
		return NULL;
	if (asprintf(&side, "%s.generation", store) < 0)
		log_fatal("conf: out of memory");
	return side;
}

void
bsf_conf_read(struct conf *c, void *bsf_conf)
{
	struct bsf_conf *out = bsf_conf;

	bsf_conf_default(out);
	out->fqdn = conf_text(c, NULL, "fqdn", CONF_FQDN);
	out->ks_lifetime_s = conf_duration(c, NULL, "ks_lifetime", 1, 10 * 365 * 86400LL);
	out->ks_lifetime_max_s = conf_duration(c, NULL, "ks_lifetime_max", 1, 10 * 365 * 86400LL);
	out->one_btid = conf_bool(c, NULL, "one_btid");
	out->ind = (unsigned)conf_int(c, NULL, "ind", 0, 31);
	out->sqn_block = (unsigned)conf_int(c, NULL, "sqn_block", 1, 65536);
	out->generation_file = side_file(conf_optional(c, NULL, "store", CONF_PATH));	/* daemon.c complains if it is missing */
	read_ub(c, conf_section(c, NULL, "ub", 0), out);
	read_zn(c, conf_section(c, NULL, "zn", 0), out);
}

void
bsf_conf_free(void *bsf_conf)
{
	struct bsf_conf *c = bsf_conf;

	free((void *)(uintptr_t)c->generation_file);
	free((void *)(uintptr_t)c->zn.peers);
	c->generation_file = NULL;
	c->zn.peers = NULL;
}
