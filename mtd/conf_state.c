/* What mtd.conf says of the question for a key's state. */
#include "mtd/conf_int.h"

#include <string.h>

#include "mtd/ub_msg.h"

cfg_opt_t mt_center_options[] = {
	CFG_STR("url", NULL, CFGF_NONE), CFG_STR("ca", NULL, CFGF_NONE), CFG_STR("dial", NULL, CFGF_NONE), CFG_END()
};

static bool
host_is(const char *url, const char *fqdn)
{
	const char *host = url + strlen("https://");
	size_t n = strcspn(host, ":/?");

	return n == strlen(fqdn) && strncmp(host, fqdn, n) == 0;
}

/* N7: whom the certificate and the realm must name is the NAF, wherever it is connected to. */
static void
read_center(struct conf *c, cfg_t *s, struct mt_center_conf *center, const char **ca)
{
	bool good = naf_id_parse(span_str(conf_title(s)), &center->naf_id) == RC_OK;
	char uri[512];

	if (!good)
		conf_complain(c, s, NULL, "keycenter \"%s\": expected %s", conf_title(s), conf_expected(CONF_NAF_ID));
	*ca = conf_text(c, s, "ca", CONF_FILE);
	mt_conf_copy(c, s, "url", CONF_URL_HTTPS, center->url, sizeof center->url);
	if (good && center->url[0] != '\0' && (!host_is(center->url, center->naf_id.fqdn) || mt_ub_uri(center->url, uri, sizeof uri) != RC_OK))
		conf_complain(c, s, "url", "expected https://%s/…; dial says where to connect to", center->naf_id.fqdn);
	mt_conf_copy(c, s, "dial", CONF_HOST_PORT, center->dial, sizeof center->dial);
}

void
mt_conf_read_state(struct conf *c, struct mt_file_conf *out)
{
	struct mt_conf *m = &out->mt;
	size_t n = conf_count(c, NULL, "keycenter");

	m->state_interval_s = conf_duration(c, NULL, "state_interval", 5, 86400);
	if (conf_has(c, NULL, "state_grace"))
		m->state_grace_s = conf_duration(c, NULL, "state_grace", 1, 30 * 86400);
	m->state_before_use = conf_bool(c, NULL, "state_before_use");
	if (n > MT_NAFS_MAX) {
		conf_complain(c, NULL, "keycenter", "is there %zu times; expected at most %d", n, MT_NAFS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		read_center(c, conf_section(c, NULL, "keycenter", i), &m->centers[i], &out->center_ca[i]);
		for (size_t k = 0; k < i; k++) {
			if (naf_id_eq(&m->centers[k].naf_id, &m->centers[i].naf_id))
				conf_complain(c, NULL, "keycenter", "\"%s\" is there twice", m->centers[i].naf_id.fqdn);
		}
	}
	m->n_centers = n;
	if (n == 0 && (m->state_grace_s != 0 || m->state_before_use))
		conf_complain(c, NULL, "keycenter", "is missing: state_grace and state_before_use are about what it says");
}
