#include "nafkcd/policy.h"

#include <string.h>

enum reason
nafkc_policy_block(enum nafkc_scope scope)
{
	switch (scope) {
	case NAFKC_SCOPE_SPKI:
		return REASON_UA_KEY_BLOCKED;
	case NAFKC_SCOPE_ISSUER:
		return REASON_UA_ISSUER_BLOCKED;
	default:
		return REASON_UA_BLOCKED;
	}
}

enum reason
nafkc_policy_device(enum nafkc_mode mode, const struct nafkc_device *d, const uint8_t spki[static 32])
{
	if (mode == NAFKC_LISTED && (d == NULL || d->state != NAFKC_DEVICE_ALLOWED))
		return REASON_UA_NOT_LISTED;
	if (d != NULL && d->bound && memcmp(d->spki, spki, sizeof(d->spki)) != 0)
		return REASON_UA_OTHER_KEY;
	return REASON_NONE;
}

enum nafkc_device_state
nafkc_policy_state(enum nafkc_mode mode, const struct nafkc_device *d)
{
	if (d != NULL && d->state == NAFKC_DEVICE_ALLOWED)
		return NAFKC_DEVICE_ALLOWED;
	return mode == NAFKC_ANY ? NAFKC_DEVICE_SEEN : NAFKC_DEVICE_ALLOWED;
}

/* The first of ours with that FQDN and, where octets are given, those. */
static bool
find(const struct naf_id *own, size_t n, const char *fqdn, const uint8_t *ua, size_t *which)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(own[i].fqdn, fqdn) != 0 || (ua != NULL && memcmp(own[i].ua, ua, UA_PROTO_LEN) != 0))
			continue;
		*which = i;
		return true;
	}
	return false;
}

enum reason
nafkc_policy_naf(const struct naf_id *own, size_t n, const struct uaxml_request *q, const char *host, size_t *which)
{
	char name[FQDN_MAX + 1];

	if (q->has_fqdn)
		return find(own, n, q->naf_id.fqdn, q->has_ua ? q->naf_id.ua : NULL, which) ? REASON_NONE : REASON_UA_NAF_UNKNOWN;
	if (host != NULL && http_host_name(host, name, sizeof(name)) == RC_OK && find(own, n, name, NULL, which))
		return REASON_NONE;
	if (n != 1)
		return REASON_UA_NAF_UNKNOWN;
	*which = 0;
	return REASON_NONE;
}

enum reason
nafkc_policy_lifetime(int64_t now_s, int64_t ks_expires_s, int64_t min_left_s, int64_t limit_s, int64_t device_s, int64_t *expires)
{
	int64_t least = ks_expires_s;

	if (ks_expires_s <= now_s || ks_expires_s - now_s < min_left_s)
		return REASON_UA_KS_SHORT;
	if (limit_s < least - now_s)
		least = now_s + limit_s;
	if (device_s > 0 && device_s < least - now_s)
		least = now_s + device_s;
	*expires = least;
	return REASON_NONE;
}

bool
nafkc_policy_rate(struct nafkc_bucket *b, unsigned per_minute, int64_t now_ms, int64_t *retry_after_s)
{
	const int64_t one = 60000;	/* per_minute * one is full, and per_minute comes back each millisecond */
	int64_t gone = now_ms - b->at_ms, over;

	/* level counts what is missing; compared by division, so that no product overflows */
	if (!b->used || gone >= b->level / per_minute + 1)
		b->level = 0;
	else if (gone > 0)
		b->level -= gone * per_minute;
	b->used = true;
	b->at_ms = now_ms;
	over = b->level + one - (int64_t)per_minute * one;
	if (over > 0) {
		*retry_after_s = (over + (int64_t)per_minute * 1000 - 1) / ((int64_t)per_minute * 1000);
		return false;
	}
	b->level += one;
	return true;
}
