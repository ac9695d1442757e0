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

enum reason
reason_of_tls_alert(int alert)
{
	switch (alert) {
	case 48:	/* unknown_ca */
		return REASON_LINK_REFUSED_CA;
	case 45:	/* certificate_expired */
		return REASON_LINK_REFUSED_EXPIRED;
	case 41:	/* no_certificate, of SSL 3.0 */
	case 116:	/* certificate_required */
		return REASON_LINK_REFUSED_NO_CERT;
	case 42:	/* bad_certificate */
	case 43:	/* unsupported_certificate */
	case 44:	/* certificate_revoked */
	case 46:	/* certificate_unknown */
	case 49:	/* access_denied */
		return REASON_LINK_REFUSED_CERT;
	default:
		return REASON_LINK_TLS_BROKEN;
	}
}
