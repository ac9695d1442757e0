/* Property: a line that parses is one object that prints to a line without newline, which parses to the same object. */
#include <stdlib.h>
#include <string.h>

#include "common/rpc.h"
#include "common/rpc_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	json_t *a = NULL, *b = NULL;
	struct rpc_line l;
	const char *bad = NULL;
	char *text;

	if (rpc_parse((struct span){ p, n }, RPC_LINE_MAX, &a) != RC_OK)
		return 0;
	if (n > RPC_LINE_MAX)
		abort();
	text = json_dumps(a, JSON_COMPACT);
	if (text == NULL || strchr(text, '\n') != NULL)
		abort();
	if (rpc_parse(span_str(text), SIZE_MAX, &b) != RC_OK || !json_equal(a, b))
		abort();
	switch (rpc_line_read(a, &l, &bad)) {
	case RPC_REQUEST:
		if (l.id < 0 || l.op == NULL)
			abort();
		break;
	case RPC_BAD:
		if (bad == NULL)
			abort();
		break;
	case RPC_ANSWER:
		if (l.error != NULL && (rpc_line_reason(l.error) == REASON_NONE || rpc_line_reason(l.error) >= REASON_COUNT))
			abort();
		break;
	default:
		break;
	}
	free(text);
	json_decref(a);
	json_decref(b);
	return 0;
}
