#include "extdevd/policy.h"

#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_MAX_S 3600

static bool
offered(const struct localif_info_ok *info, const struct naf_id *id)
{
	for (size_t i = 0; i < info->n_naf_ids; i++)
		if (naf_id_eq(&info->naf_ids[i], id))
			return true;
	return info->n_naf_ids == 0;
}

static enum rc
own(const struct extdev_conf *c, const struct naf_id *id, size_t *out)
{
	for (size_t i = 0; i < c->n_centers; i++) {
		if (naf_id_eq(&c->centers[i].naf_id, id)) {
			*out = i;
			return RC_OK;
		}
	}
	return RC_NOTFOUND;
}

enum rc
extdev_choose(const struct extdev_conf *c, const struct localif_info_ok *info, const struct naf_id *want, size_t *out)
{
	if (want != NULL)
		return offered(info, want) ? own(c, want, out) : RC_NOTFOUND;
	if (c->prefer_own || info->n_naf_ids == 0) {
		for (size_t i = 0; i < c->n_centers; i++) {
			if (offered(info, &c->centers[i].naf_id)) {
				*out = i;
				return RC_OK;
			}
		}
		return RC_NOTFOUND;
	}
	for (size_t i = 0; i < info->n_naf_ids; i++)
		if (own(c, &info->naf_ids[i], out) == RC_OK)
			return RC_OK;
	return RC_NOTFOUND;
}

void
extdev_choose_text(const struct extdev_conf *c, const struct localif_info_ok *info, char *out, size_t cap)
{
	char id[NAF_ID_TEXT_MAX + 1];
	size_t n;

	n = (size_t)snprintf(out, cap, "the MT offers");
	for (size_t i = 0; i < info->n_naf_ids && n < cap; i++) {
		naf_id_print(&info->naf_ids[i], id);
		n += (size_t)snprintf(out + n, cap - n, " %s", id);
	}
	if (n < cap)
		n += (size_t)snprintf(out + n, cap - n, "%s; we trust", info->n_naf_ids == 0 ? " none" : "");
	for (size_t i = 0; i < c->n_centers && n < cap; i++) {
		naf_id_print(&c->centers[i].naf_id, id);
		n += (size_t)snprintf(out + n, cap - n, " %s", id);
	}
}

enum extdev_next
extdev_after_mt(enum reason why)
{
	const char *code = reason_get(why)->local;

	/* unknown-key: the MT lost what it had derived (K4) */
	return strcmp(code, "stale-btid") == 0 || strcmp(code, "unknown-key") == 0 ? EXTDEV_INFO_AGAIN : EXTDEV_GIVE_UP;
}

enum extdev_next
extdev_after_naf(int status, enum reason why, const char *ua_reason)
{
	if (status == 0) {
		switch (why) {
		case REASON_HTTP_UNREACHABLE:
		case REASON_HTTP_TIMEOUT:
		case REASON_HTTP_TLS_BROKEN:
		case REASON_HTTP_BROKEN:
		case REASON_INTERNAL:
			return EXTDEV_LATER;
		default:		/* a certificate: somebody must do something first */
			return EXTDEV_GIVE_UP;
		}
	}
	if (status == 503 || status == 429 || status == 408)
		return EXTDEV_LATER;
	if (status == 403 && strcmp(ua_reason, "bootstrap-again") == 0)
		return EXTDEV_INFO_AGAIN;
	return EXTDEV_GIVE_UP;
}

enum reason
extdev_naf_reason(int status, const char *ua_reason)
{
	switch (status) {
	case 403:
		return strcmp(ua_reason, "bootstrap-again") == 0 ? REASON_EXT_NAF_BOOTSTRAP_AGAIN : REASON_EXT_NAF_REFUSED;
	case 408:
	case 503:
		return REASON_EXT_NAF_UNAVAILABLE;
	case 429:
		return REASON_EXT_NAF_TOO_MANY;
	case 400:
	case 404:
	case 405:
	case 413:
	case 415:
	case 431:
		return REASON_EXT_NAF_BAD_REQUEST;
	default:
		return REASON_EXT_NAF_ODD;
	}
}

int64_t
extdev_retry_after(const char *value)
{
	uint64_t s;

	if (value == NULL || !span_decimal(span_trim(span_str(value)), INT32_MAX, &s))
		return 0;
	return s < RETRY_AFTER_MAX_S ? (int64_t)s : RETRY_AFTER_MAX_S;
}

bool
extdev_transient(enum reason why)
{
	int http = reason_get(why)->http;
	const char *code = reason_get(why)->local;

	/* the MT's BSF comes back, a card is put in: the MT's own words for it have no status */
	return http == 503 || http == 429 || http == 408 || strcmp(code, "bootstrap-failed") == 0 || strcmp(code, "no-uicc") == 0;
}

bool
extdev_is_loopback(const char *address)
{
	static const char *const here[] = { "unix:", "tcp:127.", "tcp:[::1]:" };

	for (size_t i = 0; i < sizeof here / sizeof *here; i++)
		if (strncmp(address, here[i], strlen(here[i])) == 0)
			return true;
	return false;
}
