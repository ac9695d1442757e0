/* Property: what parses, as text or as octets, prints back to what came, and both forms mean the same NAF_ID. */
#include <stdlib.h>
#include <string.h>

#include "common/naf_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct naf_id id, other;
	char text[NAF_ID_TEXT_MAX + 1];
	uint8_t octets[NAF_ID_OCTETS_MAX];

	if (naf_id_parse(in, &id) == RC_OK) {
		naf_id_print(&id, text);
		if (!span_eq_str(in, text))
			abort();
		if (naf_id_from_octets((struct span){ octets, naf_id_octets(&id, octets) }, &other) != RC_OK || !naf_id_eq(&id, &other))
			abort();
	}
	if (naf_id_from_octets(in, &id) == RC_OK) {
		if (!span_eq(in, (struct span){ octets, naf_id_octets(&id, octets) }))
			abort();
		naf_id_print(&id, text);
		if (naf_id_parse(span_str(text), &other) != RC_OK || !naf_id_eq(&id, &other))
			abort();
	}
	return 0;
}
