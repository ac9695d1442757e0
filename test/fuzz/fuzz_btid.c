/*
 * Property: a B-TID that parses is the text that came, has one @ and a host that is an FQDN; and if its local part is a RAND, that
 * RAND and that host make the same B-TID again.
 */
#include <stdlib.h>
#include <string.h>

#include "common/btid.h"
#include "common/naf_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct btid b, again;
	uint8_t rand[16];
	const char *host;

	if (btid_parse((struct span){ p, n }, &b) != RC_OK)
		return 0;
	if (strlen(b.s) != n || memcmp(b.s, p, n) != 0)
		abort();
	if ((host = strchr(b.s, '@')) == NULL || strchr(++host, '@') != NULL || !fqdn_ok(span_str(host)))
		abort();
	if (btid_rand(&b, rand) == RC_OK && (btid_make(rand, host, &again) != RC_OK || strcmp(again.s, b.s) != 0))
		abort();
	return 0;
}
