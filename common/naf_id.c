#include "common/naf_id.h"

#include <string.h>

#include "common/hex.h"

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
label_ok(struct span l)
{
	if (l.n == 0 || l.n > 63 || l.p[0] == '-' || l.p[l.n - 1] == '-')
		return false;
	for (size_t i = 0; i < l.n; i++) {
		if (!is_digit(l.p[i]) && !(l.p[i] >= 'a' && l.p[i] <= 'z') && l.p[i] != '-')
			return false;
	}
	return true;
}

bool
fqdn_ok(struct span in)
{
	struct span label;
	bool name = false;

	if (in.n > FQDN_MAX || !span_upto(&in, '.', &label) || !label_ok(label))
		return false;
	while (span_upto(&in, '.', &label)) {
		if (!label_ok(label))
			return false;
	}
	if (!label_ok(in))
		return false;
	for (size_t i = 0; i < in.n; i++)
		name = name || !is_digit(in.p[i]);
	return name;
}

enum rc
naf_id_parse(struct span text, struct naf_id *out)
{
	struct naf_id id;
	struct span fqdn;

	if (!span_upto(&text, '/', &fqdn) || !fqdn_ok(fqdn) || !hex_is_lower(text) ||
	    hex_parse(text, id.ua, UA_PROTO_LEN) != RC_OK || !span_to_str(fqdn, id.fqdn, sizeof id.fqdn))
		return RC_SYNTAX;
	*out = id;
	return RC_OK;
}

enum rc
naf_id_from_octets(struct span in, struct naf_id *out)
{
	struct naf_id id;
	struct span fqdn;

	if (in.n < UA_PROTO_LEN || !span_take(&in, in.n - UA_PROTO_LEN, &fqdn) || !fqdn_ok(fqdn) ||
	    !span_to_str(fqdn, id.fqdn, sizeof id.fqdn))
		return RC_SYNTAX;
	memcpy(id.ua, in.p, UA_PROTO_LEN);
	*out = id;
	return RC_OK;
}

void
naf_id_print(const struct naf_id *id, char out[static NAF_ID_TEXT_MAX + 1])
{
	size_t n = strlen(id->fqdn);

	memcpy(out, id->fqdn, n);
	out[n] = '/';
	hex_print((struct span){ id->ua, UA_PROTO_LEN }, out + n + 1);
}

size_t
naf_id_octets(const struct naf_id *id, uint8_t out[static NAF_ID_OCTETS_MAX])
{
	size_t n = strlen(id->fqdn);

	memcpy(out, id->fqdn, n);
	memcpy(out + n, id->ua, UA_PROTO_LEN);
	return n + UA_PROTO_LEN;
}

bool
naf_id_eq(const struct naf_id *a, const struct naf_id *b)
{
	return strcmp(a->fqdn, b->fqdn) == 0 && memcmp(a->ua, b->ua, UA_PROTO_LEN) == 0;
}
