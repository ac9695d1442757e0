#include "mtd/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_serial.h"
#include "common/daemon.h"
#include "common/hex.h"
#include "mtd/conf_int.h"
#include "mtd/pcsc_watch.h"
#include "mtd/policy.h"
#include "mtd/ub_msg.h"

#define COUNT_MAX 1000000
#define ASK_MAX_S 290		/* a request waits 5 minutes in all (U10) */

static cfg_opt_t uicc_options[] = {
	CFG_STR("image", NULL, CFGF_NONE), CFG_STR("reader", NULL, CFGF_NONE), CFG_STR("pin", NULL, CFGF_NONE),
	CFG_STR("pin_file", NULL, CFGF_NONE), CFG_INT("mnc_len", 0, CFGF_NONE),
	CFG_STR("gba", "auto", CFGF_NONE), CFG_STR_LIST("isim_for", NULL, CFGF_NONE), CFG_STR("nafkca_protocol", "0100000002", CFGF_NONE),
	CFG_STR("keys_without_card", "usable", CFGF_NONE), CFG_END()
};
static cfg_opt_t bsf_options[] = {
	CFG_STR("fqdn", NULL, CFGF_NONE), CFG_STR("url", NULL, CFGF_NONE), CFG_STR("dial", NULL, CFGF_NONE), CFG_STR("ca", NULL, CFGF_NONE),
	CFG_STR("user_agent", MT_USER_AGENT, CFGF_NONE), CFG_STR_LIST("headers", NULL, CFGF_NONE), CFG_STR_LIST("tolerate", NULL, CFGF_NONE),
	CFG_BOOL("use_currenttime", cfg_false, CFGF_NONE), CFG_STR("timeout", "10s", CFGF_NONE), CFG_END()
};
static cfg_opt_t local_options[] = {
	CFG_STR("listen", NULL, CFGF_NONE), CFG_BOOL("insecure", cfg_false, CFGF_NONE), CFG_STR("mode", "0600", CFGF_NONE),
	CFG_INT("links_max", 256, CFGF_NONE), CFG_STR("tls", "off", CFGF_NONE), CFG_STR("cert", NULL, CFGF_NONE),
	CFG_STR("key", NULL, CFGF_NONE), CFG_STR("ca", NULL, CFGF_NONE), CFG_STR("use_on_connect", "none", CFGF_NONE), CONF_SERIAL_OPTIONS,
	CFG_END()
};
cfg_opt_t mt_options[] = {
	DAEMON_OPTIONS, CFG_SEC("uicc", uicc_options, CFGF_NONE), CFG_SEC("bsf", bsf_options, CFGF_NONE),
	CFG_STR_LIST("naf_ids", NULL, CFGF_NONE), CFG_STR("naf_policy", "listed", CFGF_NONE), CFG_STR("ks_min_left", "60s", CFGF_NONE),
	CFG_INT("runs_per_hour", 30, CFGF_NONE), CFG_INT("runs_per_hour_device", 6, CFGF_NONE),
	CFG_STR_LIST("devices", NULL, CFGF_NONE), CFG_STR("device_policy", NULL, CFGF_NONE),
	CFG_STR("ask_timeout", "60s", CFGF_NONE), CFG_INT("unused_keys_max", 4, CFGF_NONE),
	CFG_INT("streams_max", 100, CFGF_NONE), CFG_INT("tunnels_max", 4, CFGF_NONE), CFG_INT("stream_buffer", 262144, CFGF_NONE),
	CFG_SEC("service", mt_service_options, CFGF_MULTI | CFGF_TITLE),
	CFG_SEC("keycenter", mt_center_options, CFGF_MULTI | CFGF_TITLE), CFG_STR("state_interval", "15m", CFGF_NONE),
	CFG_STR("state_grace", NULL, CFGF_NONE), CFG_BOOL("state_before_use", cfg_false, CFGF_NONE),
	CFG_SEC("local", local_options, CFGF_MULTI | CFGF_TITLE), CFG_END()
};

void
mt_conf_copy(struct conf *c, cfg_t *s, const char *key, enum conf_kind kind, char *out, size_t cap)
{
	const char *v = conf_optional(c, s, key, kind);

	if (v != NULL && !span_to_str(span_str(v), out, cap))
		conf_complain(c, s, key, "is too long; expected at most %zu characters", cap - 1);
}

/* A PIN alone in a file, such as a credential of systemd: kept out of what a configuration is shown to. */
static void
read_pin_file(struct conf *c, cfg_t *s, char *pin, size_t cap)
{
	const char *path = conf_optional(c, s, "pin_file", CONF_PRIVATE_FILE);
	char line[16] = "";
	FILE *f;

	if (path == NULL)
		return;
	if (pin[0] != '\0')
		conf_complain(c, s, "pin_file", "both pin and pin_file are there; expected one of them");
	if ((f = fopen(path, "re")) != NULL) {
		setvbuf(f, NULL, _IONBF, 0);
		(void)!fgets(line, sizeof line, f);
		fclose(f);
	}
	line[strcspn(line, "\n")] = '\0';
	if (strlen(line) < 4 || !span_to_str(span_str(line), pin, cap))
		conf_complain(c, s, "pin_file", "holds no PIN; expected 4 to 8 digits and a newline");	/* never shown */
	explicit_bzero(line, sizeof line);
}

/* Which NAFs get the ISIM's Ks. */
static void
read_isim_for(struct conf *c, cfg_t *s, struct mt_conf *m)
{
	size_t n = conf_count(c, s, "isim_for");

	if (n > MT_NAFS_MAX) {
		conf_complain(c, s, "isim_for", "has %zu values; expected at most %d", n, MT_NAFS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *v = conf_text_at(c, s, "isim_for", i, CONF_ANY);

		if (strcmp(v, "any") == 0)
			m->isim_any = true;
		else if (naf_id_parse(span_str(v), &m->isim_nafs[m->n_isim_nafs]) == RC_OK)
			m->n_isim_nafs++;
		else
			conf_complain(c, s, "isim_for", "\"%s\" is no NAF_ID; expected FQDN/0100000002, or \"any\"", v);
	}
	if (m->isim_any && m->n_isim_nafs > 0)
		conf_complain(c, s, "isim_for", "expected \"any\" alone, or NAF_IDs");
}

static void
read_gba(struct conf *c, cfg_t *s, struct mt_conf *m)
{
	static const char *const gba[] = { "auto", "me", "u", NULL }, *const keys[] = { "usable", "suspended", "deleted", NULL };
	static const enum mt_gba_mode mode[] = { MT_GBA_AUTO, MT_GBA_ME, MT_GBA_U };
	static const enum mt_without_card without[] = { MT_WITHOUT_CARD_USABLE, MT_WITHOUT_CARD_SUSPENDED, MT_WITHOUT_CARD_DELETED };
	const char *ua = conf_text(c, s, "nafkca_protocol", CONF_ANY);

	m->gba = mode[conf_word(c, s, "gba", gba)];
	m->without_card = without[conf_word(c, s, "keys_without_card", keys)];
	if (strlen(ua) != 2 * UA_PROTO_LEN || strspn(ua, "0123456789abcdef") != 2 * UA_PROTO_LEN ||
	    hex_parse(span_str(ua), m->nafkca_ua, UA_PROTO_LEN) != RC_OK || strspn(ua, "0") == 2 * UA_PROTO_LEN)
		conf_complain(c, s, "nafkca_protocol", "expected a Ua security protocol identifier such as 0100000002");
	read_isim_for(c, s, m);
}

static void
read_uicc(struct conf *c, cfg_t *s, struct mt_file_conf *out)
{
	struct mt_usim_conf *u = &out->mt.usim;

	out->image = conf_optional(c, s, "image", CONF_PRIVATE_FILE);
	out->reader = conf_optional(c, s, "reader", CONF_ANY);
	if (out->reader != NULL && strlen(out->reader) >= MT_PCSC_NAME_MAX)
		conf_complain(c, s, "reader", "expected at most %d characters", MT_PCSC_NAME_MAX - 1);
	if (out->image != NULL && out->reader != NULL)
		conf_complain(c, s, "reader", "both image and reader are there; expected one of them");
	out->user = conf_optional(c, NULL, "user", CONF_ANY);
	mt_conf_copy(c, s, "pin", CONF_ANY, u->pin, sizeof u->pin);
	read_pin_file(c, s, u->pin, sizeof u->pin);
	if (u->pin[0] != '\0' && (strlen(u->pin) < 4 || strspn(u->pin, "0123456789") != strlen(u->pin)))
		conf_complain(c, s, "pin", "is no PIN; expected 4 to 8 digits");	/* never shown */
	u->mnc_len = (unsigned)conf_int(c, s, "mnc_len", 0, 3);
	if (u->mnc_len == 1)
		conf_complain(c, s, "mnc_len", "expected 2 or 3, or 0 for what the card says");
	read_gba(c, s, &out->mt);
}

static void
read_headers(struct conf *c, cfg_t *s, struct mt_ub_conf *ub)
{
	size_t n = conf_count(c, s, "headers");

	if (n > MT_UB_HEADERS_MAX) {
		conf_complain(c, s, "headers", "has %zu values; expected at most %d", n, MT_UB_HEADERS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct span name, value = span_str(conf_text_at(c, s, "headers", i, CONF_ANY));
		bool ok = span_upto(&value, ':', &name) && name.n > 0 && span_to_str(name, ub->headers[i].name, sizeof ub->headers[i].name) &&
		    strspn(ub->headers[i].name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == name.n &&
		    span_to_str(span_trim(value), ub->headers[i].value, sizeof ub->headers[i].value);

		if (!ok)
			conf_complain(c, s, "headers", "expected \"Name: value\"");
		else if (span_eq_nocase(name, "Authorization") || span_eq_nocase(name, "Host"))
			conf_complain(c, s, "headers", "%s is Ub's own", ub->headers[i].name);
		else
			ub->n_headers = i + 1;
	}
}

static void
read_tolerate(struct conf *c, cfg_t *s, struct mt_ub_conf *ub)
{
	static const struct {
		const char *word;
		unsigned flag;
	} t[] = {
		{ "no-authentication-info", MT_TOLERATE_NO_INFO }, { "opaque-btid", MT_TOLERATE_OPAQUE_BTID },
		{ "qop-auth", MT_TOLERATE_QOP_AUTH }
	};

	for (size_t i = 0; i < conf_count(c, s, "tolerate"); i++) {
		const char *v = conf_text_at(c, s, "tolerate", i, CONF_ANY);
		size_t k;

		for (k = 0; k < sizeof t / sizeof *t && strcmp(t[k].word, v) != 0; k++)
			;
		if (k == sizeof t / sizeof *t)
			conf_complain(c, s, "tolerate", "\"%s\" is unknown; expected no-authentication-info, opaque-btid, qop-auth", v);
		else
			ub->tolerate |= t[k].flag;
	}
}

static void
read_bsf(struct conf *c, cfg_t *s, struct mt_file_conf *out)
{
	struct mt_ub_conf *ub = &out->mt.ub;
	bool https;
	char uri[512];

	mt_conf_copy(c, s, "fqdn", CONF_FQDN, ub->fqdn, sizeof ub->fqdn);
	mt_conf_copy(c, s, "url", CONF_ANY, ub->url, sizeof ub->url);
	https = strncmp(ub->url, "https://", 8) == 0;
	if (ub->url[0] != '\0' && (!conf_text_ok(span_str(ub->url), https ? CONF_URL_HTTPS : CONF_URL_HTTP) ||
	    mt_ub_uri(ub->url, uri, sizeof uri) != RC_OK))
		conf_complain(c, s, "url", "expected http://HOST[:PORT][/PATH] or https://…");
	mt_conf_copy(c, s, "dial", CONF_HOST_PORT, ub->dial, sizeof ub->dial);
	out->bsf_ca = conf_optional(c, s, "ca", CONF_FILE);
	if (https && out->bsf_ca == NULL)
		conf_complain(c, s, "ca", "is missing; expected the trust anchors for an https url");
	mt_conf_copy(c, s, "user_agent", CONF_ANY, ub->user_agent, sizeof ub->user_agent);
	read_headers(c, s, ub);
	read_tolerate(c, s, ub);
	ub->use_currenttime = conf_bool(c, s, "use_currenttime");
	ub->timeout_ms = conf_duration(c, s, "timeout", 1, 50) * 1000;	/* a run ends after 60 s in any case */
}

static void
read_nafs(struct conf *c, struct mt_conf *m)
{
	static const char *const words[] = { "listed", "any", NULL };
	size_t n = conf_count(c, NULL, "naf_ids");

	m->naf_any = conf_word(c, NULL, "naf_policy", words) == 1;
	if (n > MT_NAFS_MAX) {
		conf_complain(c, NULL, "naf_ids", "has %zu values; expected at most %d", n, MT_NAFS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *v = conf_text_at(c, NULL, "naf_ids", i, CONF_NAF_ID);

		if (naf_id_parse(span_str(v), &m->nafs[m->n_nafs]) != RC_OK)
			continue;	/* said */
		for (size_t k = 0; k < m->n_nafs; k++) {
			if (naf_id_eq(&m->nafs[k], &m->nafs[m->n_nafs]))
				conf_complain(c, NULL, "naf_ids", "\"%s\" is there twice", v);
		}
		m->n_nafs++;
	}
}

static void
read_devices(struct conf *c, struct mt_conf *m)
{
	static const char *const words[] = { "listed", "any", "ask", NULL };
	static const enum mt_device_policy policy[] = { MT_DEVICES_LISTED, MT_DEVICES_ANY, MT_DEVICES_ASK };
	size_t n = conf_count(c, NULL, "devices");
	bool any = false;

	if (conf_has(c, NULL, "device_policy"))
		m->device_policy = policy[conf_word(c, NULL, "device_policy", words)];
	m->ask_timeout_s = conf_duration(c, NULL, "ask_timeout", 5, ASK_MAX_S);
	if (n > MT_DEVICES_MAX) {
		conf_complain(c, NULL, "devices", "has %zu values; expected at most %d", n, MT_DEVICES_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *v = conf_text_at(c, NULL, "devices", i, CONF_ANY);

		if (strcmp(v, "any") == 0)
			any = true;
		else if (device_id_parse(span_str(v), &m->devices[m->n_devices]) == RC_OK)
			m->n_devices++;
		else
			conf_complain(c, NULL, "devices", "\"%s\" is no Device_ID; expected such as urn:uuid:…, or \"any\"", v);
	}
	if (any && m->n_devices > 0)
		conf_complain(c, NULL, "devices", "expected \"any\" alone, or Device_IDs");
	if (any && conf_has(c, NULL, "device_policy") && m->device_policy != MT_DEVICES_ANY)
		conf_complain(c, NULL, "device_policy", "devices says \"any\": expected device_policy = any, or Device_IDs in devices");
	if (any)
		m->device_policy = MT_DEVICES_ANY;
}

/* "0660" */
static mode_t
read_mode(struct conf *c, cfg_t *s)
{
	const char *v = conf_text(c, s, "mode", CONF_ANY);

	if (strlen(v) != 4 || v[0] != '0' || strspn(v, "01234567") != 4)
		conf_complain(c, s, "mode", "expected an octal mode such as 0660");
	return (mode_t)strtoul(v, NULL, 8);
}

static void
read_local_tls(struct conf *c, cfg_t *s, struct mt_file_conf *out, size_t i)
{
	static const char *const words[] = { "off", "certificates", NULL };

	if (conf_word(c, s, "tls", words) == 0)
		return;
	out->local_tls[i].cert = conf_text(c, s, "cert", CONF_FILE);
	out->local_tls[i].key = conf_text(c, s, "key", CONF_PRIVATE_FILE);
	out->local_tls[i].ca = conf_text(c, s, "ca", CONF_FILE);
}

static void
read_locals(struct conf *c, struct mt_file_conf *out)
{
	static const char *const uses[] = { "none", "mt", NULL };
	struct mt_conf *m = &out->mt;
	size_t n = conf_count(c, NULL, "local");

	if (n == 0)
		conf_complain(c, NULL, "local", "is missing; expected at least one section local \"NAME\" { listen = … }");
	if (n > MT_LOCALS_MAX) {
		conf_complain(c, NULL, "local", "is there %zu times; expected at most %d", n, MT_LOCALS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		cfg_t *s = conf_section(c, NULL, "local", i);
		struct mt_local_conf *l = &m->locals[m->n_locals++];
		struct span title = span_str(conf_title(s));

		if (title.n == 0 || strpbrk(conf_title(s), "/ ") != NULL || !span_to_str(title, l->name, sizeof l->name))
			conf_complain(c, s, NULL, "the name of a local section: expected 1 to %zu characters without blank and /",
			    sizeof l->name - 1);
		mt_conf_copy(c, s, "listen", CONF_LINK, l->listen, sizeof l->listen);
		if (!conf_has(c, s, "listen"))
			conf_complain(c, s, "listen", "is missing; expected tcp:ADDRESS:PORT, unix:/PATH or serial:/DEVICE");
		l->insecure = conf_bool(c, s, "insecure");
		l->unix_mode = read_mode(c, s);
		l->links_max = (size_t)conf_int(c, s, "links_max", 1, 1024);
		l->use_on_connect = conf_word(c, s, "use_on_connect", uses) == 1;
		conf_serial_read(c, s, &l->serial);
		read_local_tls(c, s, out, i);
		if (conf_has(c, s, "listen") && !l->insecure && out->local_tls[i].cert == NULL && !mt_policy_is_loopback(l->listen))
			conf_complain(c, s, "listen", "%s is plain TCP beyond loopback; expected tls = certificates, or insecure = yes", l->listen);
	}
}

void
mt_conf_read(struct conf *c, void *mt_file_conf)
{
	struct mt_file_conf *out = mt_file_conf;
	struct mt_conf *m = &out->mt;

	read_uicc(c, conf_section(c, NULL, "uicc", 0), out);
	read_bsf(c, conf_section(c, NULL, "bsf", 0), out);
	read_nafs(c, m);
	m->ks_min_left_s = conf_duration(c, NULL, "ks_min_left", 1, 86400);
	m->runs_per_hour = (unsigned)conf_int(c, NULL, "runs_per_hour", 1, COUNT_MAX);
	m->runs_per_hour_device = (unsigned)conf_int(c, NULL, "runs_per_hour_device", 1, COUNT_MAX);
	read_devices(c, m);
	m->unused_keys_max = (unsigned)conf_int(c, NULL, "unused_keys_max", 1, 1024);
	mt_conf_read_use(c, m);
	mt_conf_read_state(c, out);
	read_locals(c, out);
}
