/* mtd.conf: what is used over tunnels, and how much (U5). */
#include <stdio.h>
#include <string.h>

#include "mtd/conf_int.h"

cfg_opt_t mt_service_options[] = {
	CFG_STR("connect", NULL, CFGF_NONE), CFG_STR_LIST("devices", NULL, CFGF_NONE), CFG_END()
};

/* "127.0.0.1:7000" or "unix:/path", as an address of link.h. */
static void
read_connect(struct conf *c, cfg_t *s, struct mt_service_conf *v)
{
	const char *text = conf_text(c, s, "connect", CONF_ANY);
	char address[sizeof v->connect + 8];

	(void)snprintf(address, sizeof address, "%s%s", strncmp(text, "unix:", 5) != 0 ? "tcp:" : "", text);
	if (strlen(text) >= sizeof v->connect - 4 || strncmp(text, "tcp:", 4) == 0 || !conf_text_ok(span_str(address), CONF_LINK))
		conf_complain(c, s, "connect", "expected HOST:PORT or unix:/PATH");
	else
		(void)span_to_str(span_str(address), v->connect, sizeof v->connect);
}

static void
read_may(struct conf *c, cfg_t *s, struct mt_service_conf *v)
{
	size_t n = conf_count(c, s, "devices");

	if (n > MT_SERVICE_DEVICES_MAX) {
		conf_complain(c, s, "devices", "has %zu values; expected at most %d", n, MT_SERVICE_DEVICES_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *text = conf_text_at(c, s, "devices", i, CONF_ANY);

		if (strcmp(text, "confirmed") == 0)
			v->confirmed = true;
		else if (device_id_parse(span_str(text), &v->devices[v->n_devices]) == RC_OK)
			v->n_devices++;
		else
			conf_complain(c, s, "devices", "\"%s\" is no Device_ID; expected such as urn:uuid:…, or \"confirmed\"", text);
	}
	if (v->confirmed && v->n_devices > 0)
		conf_complain(c, s, "devices", "expected \"confirmed\" alone, or Device_IDs");
}

void
mt_conf_read_use(struct conf *c, struct mt_conf *m)
{
	size_t n = conf_count(c, NULL, "service");

	m->streams_max = (unsigned)conf_int(c, NULL, "streams_max", 1, 10000);
	m->tunnels_max = (unsigned)conf_int(c, NULL, "tunnels_max", 1, 256);
	m->stream_buffer = (size_t)conf_int(c, NULL, "stream_buffer", 16384, 16777216);
	if (n > MT_OFFERED_MAX) {
		conf_complain(c, NULL, "service", "is there %zu times; expected at most %d", n, MT_OFFERED_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		cfg_t *s = conf_section(c, NULL, "service", i);
		struct mt_service_conf *v = &m->services[m->n_services++];

		if (!tunnel_service_ok(conf_title(s)) || strcmp(conf_title(s), TUNNEL_MESSAGES) == 0 || !span_to_str(span_str(conf_title(s)), v->name, sizeof v->name))
			conf_complain(c, s, NULL, "the name of a service: expected 1 to %d of a-z 0-9 . _ -, not beginning with kslocal-",
			    TUNNEL_SERVICE_MAX);
		read_connect(c, s, v);
		read_may(c, s, v);
	}
}
