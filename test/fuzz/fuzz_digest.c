/*
 * Property: a header field that parses and can be printed parses again to the very same. Input: one octet that says which of the
 * three fields, then the field.
 */
#include <stdlib.h>
#include <string.h>

#include "common/digest_aka.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct {
	enum rc (*parse)(struct span value, struct digest *out);
	enum rc (*print)(const struct digest *d, char *out, size_t cap);
} fields[] = {
	{ digest_parse_authorization, digest_print_authorization },
	{ digest_parse_challenge, digest_print_challenge },
	{ digest_parse_info, digest_print_info },
};

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct digest d, again;
	static char text[DIGEST_HEADER_MAX];
	char response[DIGEST_LEN + 1];
	size_t which;

	if (n == 0)
		return 0;
	which = p[0] % 3;
	memset(&d, 0, sizeof d);
	memset(&again, 0, sizeof again);
	if (fields[which].parse((struct span){ p + 1, n - 1 }, &d) != RC_OK)
		return 0;
	if (fields[which].print(&d, text, sizeof text) == RC_OK &&
	    (fields[which].parse(span_str(text), &again) != RC_OK || memcmp(&d, &again, sizeof d) != 0))
		abort();
	/* whatever came can be computed with, or is refused */
	if (digest_response(&d, NULL, "GET", span_str(""), response) == RC_OK && digest_check(&d, NULL, "GET", span_str(""), response) != RC_OK)
		abort();
	return 0;
}
