/*
 * The first octet chooses the message, the rest is its JSON. Property: what parses prints to members that parse to the same
 * struct and print the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "common/localif.h"
#include "common/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define ROUND(type, name) do { \
	struct type x, y; \
	json_t *one, *two; \
	memset(&x, 0, sizeof x); \
	memset(&y, 0, sizeof y); \
	if (localif_##name##_parse(o, &x, &bad) != RC_OK) { \
		if (bad == NULL) \
			abort(); \
		break; \
	} \
	if ((one = localif_##name##_print(&x)) == NULL || localif_##name##_parse(one, &y, &bad) != RC_OK) \
		abort(); \
	if ((two = localif_##name##_print(&y)) == NULL || !json_equal(one, two)) \
		abort(); \
	json_decref(one); \
	json_decref(two); \
} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *bad = NULL;
	json_t *o = NULL;

	if (n == 0 || rpc_parse((struct span){ p + 1, n - 1 }, RPC_LINE_MAX, &o) != RC_OK)
		return 0;
	switch (p[0] % 9) {
	case 0:
		ROUND(localif_hello, hello);
		break;
	case 1:
		ROUND(localif_info, info);
		break;
	case 2:
		ROUND(localif_info_ok, info_ok);
		break;
	case 3:
		ROUND(localif_derive, derive);
		break;
	case 4:
		ROUND(localif_derive_ok, derive_ok);
		break;
	case 5:
		ROUND(localif_complete, complete);
		break;
	case 6:
		ROUND(localif_complete_ok, complete_ok);
		break;
	case 7:
		ROUND(triple, triple);
		break;
	case 8:
		ROUND(localif_forget, forget);
		break;
	}
	json_decref(o);
	return 0;
}
