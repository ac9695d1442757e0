/* conf: extdevd's configuration file; conf/extdevd.conf shows every key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_serial.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/tunnel.h"
#include "extdevd/extdev.h"
#include "extdevd/policy.h"

static cfg_opt_t service_options[] = { CFG_STR("listen", NULL, CFGF_NONE), CFG_BOOL("insecure", cfg_false, CFGF_NONE), CFG_END() };
static cfg_opt_t mt_options[] = {
	CFG_STR("address", NULL, CFGF_NONE), CFG_STR("tls", "off", CFGF_NONE), CFG_STR("cert", NULL, CFGF_NONE),
	CFG_STR("key", NULL, CFGF_NONE), CFG_STR("ca", NULL, CFGF_NONE), CFG_STR("tls_name", NULL, CFGF_NONE),
	CFG_STR("use_on_connect", NULL, CFGF_NONE), CONF_SERIAL_OPTIONS, CFG_SEC("service", service_options, CFGF_MULTI | CFGF_TITLE), CFG_END()
};
static cfg_opt_t center_options[] = {
	CFG_STR("url", NULL, CFGF_NONE), CFG_STR("state_url", NULL, CFGF_NONE), CFG_STR("ca", NULL, CFGF_NONE), CFG_STR("dial", NULL, CFGF_NONE), CFG_END()
};
cfg_opt_t extdev_options[] = {
	DAEMON_OPTIONS, CFG_STR("device_id", "random", CFGF_NONE), CFG_STR("cert", NULL, CFGF_NONE), CFG_STR("key", NULL, CFGF_NONE),
	CFG_SEC("mt", mt_options, CFGF_MULTI | CFGF_TITLE), CFG_SEC("keycenter", center_options, CFGF_MULTI | CFGF_TITLE),
	CFG_STR("prefer", "mt", CFGF_NONE), CFG_BOOL("establish_at_start", cfg_false, CFGF_NONE), CFG_STR("retry", "30s", CFGF_NONE),
	CFG_INT("renew_at", 80, CFGF_NONE), CFG_STR("state_interval", "15m", CFGF_NONE), CFG_STR("state_grace", NULL, CFGF_NONE),
	CFG_BOOL("state_before_use", cfg_false, CFGF_NONE),
	CFG_END()
};

/* "random", "random-each", or a Device_ID (W2). */
static void
read_device_id(struct conf *c, struct extdev_conf *out)
{
	const char *text = conf_text(c, NULL, "device_id", CONF_ANY);
	struct device_id id;

	out->device_id = NULL;
	if (strcmp(text, "random") == 0) {
		out->id_kind = EXTDEV_ID_RANDOM;
	} else if (strcmp(text, "random-each") == 0) {
		out->id_kind = EXTDEV_ID_RANDOM_EACH;
	} else {
		out->id_kind = EXTDEV_ID_FIXED;
		out->device_id = text;
		if (device_id_parse(span_str(text), &id) != RC_OK)
			conf_complain(c, NULL, "device_id", "\"%s\": expected \"random\", \"random-each\", or 1 to 128 of A-Z a-z 0-9 : . _ - @ + "
			    "(urn:gsma:imei:… with its right check digit)", text);
	}
}

/* U8 */
static void
read_mt_tls(struct conf *c, cfg_t *s, struct extdev_mt_conf *m)
{
	static const char *const words[] = { "off", "certificates", NULL };

	m->tls = conf_word(c, s, "tls", words) == 1;
	if (!m->tls)
		return;
	m->cert = conf_text(c, s, "cert", CONF_FILE);
	m->key = conf_text(c, s, "key", CONF_PRIVATE_FILE);
	m->ca = conf_text(c, s, "ca", CONF_FILE);
	m->tls_name = conf_optional(c, s, "tls_name", CONF_IDENTITY);
}

static void
read_services(struct conf *c, cfg_t *s, struct extdev_mt_conf *m)
{
	size_t n = conf_count(c, s, "service");
	struct extdev_service_conf *all = calloc(n + 1, sizeof *all);
	char address[256];

	if (all == NULL)
		log_fatal("conf: out of memory");
	for (size_t i = 0; i < n; i++) {
		cfg_t *v = conf_section(c, s, "service", i);

		all[i].name = conf_title(v);
		if (!tunnel_service_ok(all[i].name) || strncmp(all[i].name, "kslocal-", 8) == 0)
			conf_complain(c, v, NULL, "service \"%s\": expected 1 to %d of a-z 0-9 . _ -, not beginning with kslocal-", all[i].name,
			    TUNNEL_SERVICE_MAX);
		all[i].listen = conf_text(c, v, "listen", CONF_ANY);
		if (all[i].listen[0] != '\0' && !conf_text_ok(span_str(all[i].listen), strncmp(all[i].listen, "unix:", 5) == 0 ? CONF_LINK : CONF_HOST_PORT))
			conf_complain(c, v, "listen", "\"%s\": expected ADDRESS:PORT or unix:/PATH", all[i].listen);
		all[i].insecure = conf_bool(c, v, "insecure");
		(void)snprintf(address, sizeof address, "%s%s", strncmp(all[i].listen, "unix:", 5) == 0 ? "" : "tcp:", all[i].listen);
		if (all[i].listen[0] != '\0' && !all[i].insecure && !extdev_is_loopback(address))
			conf_complain(c, v, "listen", "\"%s\" is beyond loopback; expected insecure = yes if others may use the service",
			    all[i].listen);
	}
	m->services = all;
	m->n_services = n;
}

/* Who offers services wants a tunnel to be there. */
static void
read_use(struct conf *c, cfg_t *s, struct extdev_mt_conf *m)
{
	static const char *const words[] = { "none", "device", NULL };

	m->use_on_connect = conf_has(c, s, "use_on_connect") ? conf_word(c, s, "use_on_connect", words) == 1 : m->n_services > 0;
}

static void
read_mts(struct conf *c, struct extdev_conf *out)
{
	size_t n = conf_count(c, NULL, "mt");
	struct extdev_mt_conf *mts = calloc(n + 1, sizeof *mts);

	if (mts == NULL)
		log_fatal("conf: out of memory");
	if (n == 0)
		conf_complain(c, NULL, "mt", "is missing; expected a section mt \"NAME\" { address = … }");
	for (size_t i = 0; i < n; i++) {
		cfg_t *s = conf_section(c, NULL, "mt", i);

		mts[i].name = conf_title(s);
		mts[i].address = conf_text(c, s, "address", CONF_LINK);
		conf_serial_read(c, s, &mts[i].serial);
		read_mt_tls(c, s, &mts[i]);
		read_services(c, s, &mts[i]);
		read_use(c, s, &mts[i]);
	}
	out->mts = mts;
	out->n_mts = n;
}

/* N4: the name that the certificate must carry is the URL's host, so it has to be the NAF_ID's FQDN. */
static bool
host_is(const char *url, const char *fqdn)
{
	const char *host = url + strlen("https://");
	size_t n = strlen(fqdn);

	return strncmp(host, fqdn, n) == 0 && (host[n] == '\0' || host[n] == '/' || host[n] == ':');
}

/* A URL of this Key Center's, or NULL. */
static const char *
read_url(struct conf *c, cfg_t *s, const char *key, const char *fqdn)
{
	const char *url = conf_optional(c, s, key, CONF_URL_HTTPS);

	if (url != NULL && url[0] != '\0' && fqdn[0] != '\0' && !host_is(url, fqdn))
		conf_complain(c, s, key, "expected https://%s/…: the certificate is checked against the NAF_ID's FQDN; "
		    "dial says where to connect to", fqdn);
	return url;
}

static void
read_centers(struct conf *c, struct extdev_conf *out)
{
	size_t n = conf_count(c, NULL, "keycenter");
	struct extdev_center_conf *centers = calloc(n + 1, sizeof *centers);

	if (centers == NULL)
		log_fatal("conf: out of memory");
	if (n == 0)
		conf_complain(c, NULL, "keycenter", "is missing; expected a section keycenter \"FQDN/0100000002\" { ca = … }");
	for (size_t i = 0; i < n; i++) {
		cfg_t *s = conf_section(c, NULL, "keycenter", i);
		bool good = naf_id_parse(span_str(conf_title(s)), &centers[i].naf_id) == RC_OK;

		if (!good)
			conf_complain(c, s, NULL, "keycenter \"%s\": expected %s", conf_title(s), conf_expected(CONF_NAF_ID));
		centers[i].ca = conf_text(c, s, "ca", CONF_FILE);
		centers[i].url = read_url(c, s, "url", good ? centers[i].naf_id.fqdn : "");
		centers[i].state_url = read_url(c, s, "state_url", good ? centers[i].naf_id.fqdn : "");
		if (conf_has(c, s, "dial"))
			centers[i].dial = conf_text(c, s, "dial", CONF_HOST_PORT);
	}
	out->centers = centers;
	out->n_centers = n;
}

void
extdev_conf_read(struct conf *c, void *extdev_conf)
{
	static const char *const prefers[] = { "mt", "own", NULL };
	struct extdev_conf *out = extdev_conf;

	extdev_conf_default(out);
	read_device_id(c, out);
	out->cert = conf_text(c, NULL, "cert", CONF_FILE);
	out->key = conf_text(c, NULL, "key", CONF_PRIVATE_FILE);
	read_mts(c, out);
	read_centers(c, out);
	out->prefer_own = conf_word(c, NULL, "prefer", prefers) == 1;
	out->at_start = conf_bool(c, NULL, "establish_at_start");
	out->retry_s = conf_duration(c, NULL, "retry", 1, 3600);
	out->renew_at = (unsigned)conf_int(c, NULL, "renew_at", 0, 95);
	out->state_interval_s = conf_duration(c, NULL, "state_interval", 1, 30 * 86400);
	if (conf_has(c, NULL, "state_grace"))
		out->state_grace_s = conf_duration(c, NULL, "state_grace", 1, 365 * 86400);
	out->state_before_use = conf_bool(c, NULL, "state_before_use");
}

void
extdev_conf_free(void *extdev_conf)
{
	struct extdev_conf *c = extdev_conf;

	for (size_t i = 0; c->mts != NULL && i < c->n_mts; i++)
		free((void *)(uintptr_t)c->mts[i].services);
	free((void *)(uintptr_t)c->mts);
	free((void *)(uintptr_t)c->centers);
	c->mts = NULL;
	c->centers = NULL;
}
