#include "common/reason.h"

#include <string.h>

static const struct reason_info table[] = {
#define REASON(id, code, http, ua, local, dia, what, why, next) \
	[REASON_##id] = { code, http, ua, local, dia, what, why, next },
#include "common/reason.def"
#undef REASON
};

const struct reason_info *
reason_get(enum reason r)
{
	if ((unsigned)r >= REASON_COUNT)
		r = REASON_INTERNAL;
	return &table[r];
}

enum reason
reason_by_code(const char *code)
{
	if (code != NULL)
		for (unsigned i = 0; i < REASON_COUNT; i++)
			if (strcmp(table[i].code, code) == 0)
				return (enum reason)i;
	return REASON_INTERNAL;
}
