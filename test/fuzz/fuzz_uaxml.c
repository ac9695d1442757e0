/* Property: a document of Ua that is taken prints to one that is taken and says the same. */
#include <stdlib.h>
#include <string.h>

#include "common/uaxml.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
request(struct span in)
{
	struct uaxml_request a, b;
	char out[UAXML_MAX];
	const char *bad;
	size_t n;

	if (uaxml_parse_request(in, &a, &bad) != RC_OK)
		return;
	if (uaxml_print_request(&a, out, sizeof(out), &n) != RC_OK || uaxml_parse_request(span_of(out, n), &b, &bad) != RC_OK)
		abort();
	if (memcmp(&a, &b, sizeof(a)) != 0)
		abort();
}

static void
response(struct span in)
{
	struct uaxml_response a, b;
	char out[UAXML_MAX];
	const char *bad;
	size_t n;

	if (uaxml_parse_response(in, &a, &bad) != RC_OK)
		return;
	if (uaxml_print_response(&a, out, sizeof(out), &n) != RC_OK || uaxml_parse_response(span_of(out, n), &b, &bad) != RC_OK)
		abort();
	if (!secret_eq(a.ks_local_mt, b.ks_local_mt) || a.lifetime != b.lifetime || strcmp(a.btid.s, b.btid.s) != 0 ||
	    strcmp(a.device_id.s, b.device_id.s) != 0 || strcmp(a.mt_pseudonym, b.mt_pseudonym) != 0)
		abort();
	secret_free(a.ks_local_mt);
	secret_free(b.ks_local_mt);
}

static void
state(struct span in)
{
	struct uaxml_state a, b;
	char out[UAXML_MAX];
	const char *bad;
	size_t n;

	if (uaxml_parse_state(in, &a, &bad) != RC_OK)
		return;
	if (uaxml_print_state(&a, out, sizeof(out), &n) != RC_OK || uaxml_parse_state(span_of(out, n), &b, &bad) != RC_OK)
		abort();
	if (memcmp(&a, &b, sizeof(a)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct uaxml_error e;

	request((struct span){ p, n });
	response((struct span){ p, n });
	state((struct span){ p, n });
	if (uaxml_parse_error((struct span){ p, n }, &e) == RC_OK && (e.reason[0] == '\0' || strlen(e.text) > UAXML_TEXT_MAX))
		abort();
	return 0;
}
