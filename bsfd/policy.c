/* policy: which Diameter peer may ask for which FQDN and protocol, what it is told, how long a Ks lives. */
#include "bsfd/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/conf.h"
#include "common/hex.h"

/* 10 lower-case hex digits, or an even number of them, 0..8, and a star. RC_SYNTAX. */
static enum rc
parse_protocol(struct span text, struct bsf_ua_prefix *out)
{
	struct bsf_ua_prefix p = { .n = UA_PROTO_LEN };

	if (text.n > 0 && text.p[text.n - 1] == '*') {
		text.n--;
		if (text.n % 2 != 0 || text.n / 2 >= UA_PROTO_LEN)
			return RC_SYNTAX;
		p.n = (uint8_t)(text.n / 2);
	}
	if (text.n != 2 * (size_t)p.n || (p.n > 0 && !hex_is_lower(text)) || hex_parse(text, p.octets, p.n) != RC_OK)
		return RC_SYNTAX;
	*out = p;
	return RC_OK;
}

static void
print_protocol(const struct bsf_ua_prefix *p, char out[static 2 * UA_PROTO_LEN + 2])
{
	char digits[2 * UA_PROTO_LEN + 1];

	hex_print(span_of(p->octets, p->n), digits);
	(void)snprintf(out, 2 * UA_PROTO_LEN + 2, "%s%s", digits, p->n < UA_PROTO_LEN ? "*" : "");
}

/* --- the object of naf-add */

static enum rc wrong(char *text, size_t cap, const char *fmt, ...) PRINTF_LIKE(3, 4);

static enum rc
wrong(char *text, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, cap, fmt, ap);
	va_end(ap);
	return RC_SYNTAX;
}

/* A JSON string as octets; anything else is empty. */
static struct span
text_of(const json_t *v)
{
	return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v)) : span_of(NULL, 0);
}

static enum rc
take_protocol(struct bsf_naf *naf, size_t i, const json_t *v)
{
	naf->n_protocols = i + 1;
	return parse_protocol(text_of(v), &naf->protocols[i]);
}

static enum rc
take_peer(struct bsf_naf *naf, size_t i, const json_t *v)
{
	struct span s = text_of(v);

	if (!conf_text_ok(s, CONF_IDENTITY))
		return RC_SYNTAX;
	naf->n_peers = i + 1;
	return span_to_str(s, naf->peers[i], sizeof naf->peers[i]) ? RC_OK : RC_SYNTAX;
}

static enum rc
take_gsid(struct bsf_naf *naf, size_t i, const json_t *v)
{
	uint64_t n;

	if (json_is_integer(v) && json_integer_value(v) >= 0)
		n = (uint64_t)json_integer_value(v);
	else if (!span_decimal(text_of(v), UINT32_MAX, &n))
		return RC_SYNTAX;
	naf->gsids[i] = (uint32_t)n;
	naf->n_gsids = i + 1;
	return n <= UINT32_MAX ? RC_OK : RC_SYNTAX;
}

static enum rc
take_list(const json_t *v, const char *key, struct bsf_naf *naf, enum rc (*take)(struct bsf_naf *, size_t, const json_t *),
    const char *expected, char *text, size_t cap)
{
	if (!json_is_array(v))
		return wrong(text, cap, "%s: expected a list of %s", key, expected);
	if (json_array_size(v) > BSF_NAF_LIST_MAX)
		return wrong(text, cap, "%s: more than %d values", key, BSF_NAF_LIST_MAX);
	for (size_t i = 0; i < json_array_size(v); i++)
		if (take(naf, i, json_array_get(v, i)) != RC_OK)
			return wrong(text, cap, "%s: value %zu: expected %s", key, i + 1, expected);
	return RC_OK;
}

static enum rc
take_bool(const json_t *v, const char *key, bool *out, char *text, size_t cap)
{
	if (!json_is_boolean(v))
		return wrong(text, cap, "%s: expected true or false", key);
	*out = json_is_true(v);
	return RC_OK;
}

static enum rc
take_member(const char *key, const json_t *v, struct bsf_naf *naf, char *text, size_t cap)
{
	struct span s = text_of(v);

	if (strcmp(key, "fqdn") == 0)
		return fqdn_ok(s) && span_to_str(s, naf->fqdn, sizeof naf->fqdn) ? RC_OK :
		    wrong(text, cap, "fqdn: expected a lower-case FQDN");
	if (strcmp(key, "protocols") == 0)
		return take_list(v, key, naf, take_protocol, "10 lower-case hex digits, or fewer and a star", text, cap);
	if (strcmp(key, "peers") == 0)
		return take_list(v, key, naf, take_peer, "a Diameter identity in lower case", text, cap);
	if (strcmp(key, "gsids") == 0)
		return take_list(v, key, naf, take_gsid, "a number up to 4294967295", text, cap);
	if (strcmp(key, "impi") == 0)
		return take_bool(v, key, &naf->impi, text, cap);
	if (strcmp(key, "gba_u") == 0)
		return take_bool(v, key, &naf->gba_u, text, cap);
	return wrong(text, cap, "%.40s: no such member", key);
}

enum rc
bsf_policy_parse_naf(const json_t *o, struct bsf_naf *out, char *text, size_t cap)
{
	struct bsf_naf naf;
	const char *key;
	json_t *v;

	memset(&naf, 0, sizeof naf);
	if (!json_is_object(o))
		return wrong(text, cap, "expected an object");
	json_object_foreach((json_t *)(uintptr_t)o, key, v)
		if (take_member(key, v, &naf, text, cap) != RC_OK)
			return RC_SYNTAX;
	if (naf.fqdn[0] == '\0')
		return wrong(text, cap, "fqdn: is missing");
	if (naf.n_protocols == 0)
		return wrong(text, cap, "protocols: is missing or empty");
	if (naf.n_peers == 0)
		return wrong(text, cap, "peers: is missing or empty");
	*out = naf;
	return RC_OK;
}

json_t *
bsf_policy_print_naf(const struct bsf_naf *naf)
{
	json_t *protocols = json_array(), *peers = json_array(), *gsids = json_array();
	char proto[2 * UA_PROTO_LEN + 2];

	for (size_t i = 0; i < naf->n_protocols; i++) {
		print_protocol(&naf->protocols[i], proto);
		(void)json_array_append_new(protocols, json_string(proto));
	}
	for (size_t i = 0; i < naf->n_peers; i++)
		(void)json_array_append_new(peers, json_string(naf->peers[i]));
	for (size_t i = 0; i < naf->n_gsids; i++)
		(void)json_array_append_new(gsids, json_integer(naf->gsids[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b}", "fqdn", naf->fqdn, "protocols", protocols, "peers", peers,
	    "gsids", gsids, "impi", (int)naf->impi, "gba_u", (int)naf->gba_u);
}

/* --- verdicts */

enum reason
bsf_policy_bir(const struct bsf_naf *naf, const char *origin_host, const struct naf_id *naf_id)
{
	bool peer = false, protocol = false;

	if (naf == NULL || strcmp(naf->fqdn, naf_id->fqdn) != 0)
		return REASON_ZN_NOT_ALLOWED;
	for (size_t i = 0; i < naf->n_peers; i++)
		peer = peer || strcasecmp(naf->peers[i], origin_host) == 0;	/* identities know no case (RFC 6733 4.3.1) */
	for (size_t i = 0; i < naf->n_protocols; i++)
		protocol = protocol || memcmp(naf->protocols[i].octets, naf_id->ua, naf->protocols[i].n) == 0;
	return peer && protocol ? REASON_NONE : REASON_ZN_NOT_ALLOWED;
}

static bool
among(const uint32_t *list, size_t n, uint32_t v)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == v)
			return true;
	return false;
}

size_t
bsf_policy_gsids(const struct bsf_naf *naf, const uint32_t *asked, size_t n, uint32_t *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (among(naf->gsids, naf->n_gsids, asked[i]) && !among(out, k, asked[i]))
			out[k++] = asked[i];
	return k;
}

int64_t
bsf_policy_lifetime(int64_t subscriber_s, int64_t own_s, int64_t max_s)
{
	int64_t s = subscriber_s > 0 ? subscriber_s : own_s;

	return s < max_s ? s : max_s;
}
