#include "common/btid.h"

#include <string.h>

#include "common/b64.h"
#include "common/naf_id.h"

#define RAND_LEN 16

static bool
local_ok(struct span l)
{
	for (size_t i = 0; i < l.n; i++) {
		uint8_t c = l.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
		    (c == '\0' || strchr("+/=-_.", c) == NULL))
			return false;
	}
	return l.n > 0;
}

enum rc
btid_parse(struct span in, struct btid *out)
{
	struct span all = in, local;

	if (in.n > BTID_MAX)
		return RC_RANGE;
	if (!span_upto(&in, '@', &local) || !local_ok(local) || !fqdn_ok(in) || !span_to_str(all, out->s, sizeof out->s))
		return RC_SYNTAX;
	return RC_OK;
}

enum rc
btid_make(const uint8_t rand[static RAND_LEN], const char *bsf_fqdn, struct btid *out)
{
	struct span host = span_str(bsf_fqdn);
	size_t n = B64_LEN(RAND_LEN);

	if (host.n > FQDN_MAX)		/* so that base64, @ and host fit BTID_MAX */
		return RC_RANGE;
	if (!fqdn_ok(host))
		return RC_SYNTAX;
	b64_print((struct span){ rand, RAND_LEN }, out->s);
	out->s[n] = '@';
	memcpy(out->s + n + 1, host.p, host.n + 1);
	return RC_OK;
}

enum rc
btid_rand(const struct btid *b, uint8_t rand[static RAND_LEN])
{
	struct span in = span_str(b->s), local;
	uint8_t r[RAND_LEN];
	size_t n;

	if (!span_upto(&in, '@', &local) || b64_parse(local, r, sizeof r, &n) != RC_OK || n != RAND_LEN)
		return RC_SYNTAX;
	memcpy(rand, r, RAND_LEN);
	return RC_OK;
}
