/* Property: base64 that parses is the one spelling of its octets; octets survive printing and parsing; so with a secret. */
#include <stdlib.h>

#include "common/b64.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char text[B64_LEN(B64_MAX) + 1];
	static uint8_t out[B64_MAX];
	struct span in = { p, n };
	struct secret *s = NULL;
	size_t got;

	if (b64_parse(in, out, sizeof out, &got) == RC_OK) {
		b64_print((struct span){ out, got }, text);
		if (!span_eq_str(in, text))
			abort();
		if (got > 0 && got <= 4096 && (b64_parse_secret(in, got, &s) != RC_OK || !span_eq(secret_span(s), (struct span){ out, got })))
			abort();
		secret_free(s);
	}
	if (B64_LEN(n) <= B64_MAX) {
		b64_print(in, text);
		if (b64_parse(span_str(text), out, sizeof out, &got) != RC_OK || !span_eq(in, (struct span){ out, got }))
			abort();
	}
	return 0;
}
