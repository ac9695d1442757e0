#include "common/rc.h"

const char *
rc_str(enum rc rc)
{
	switch (rc) {
	case RC_OK:
		return "ok";
	case RC_NOMEM:
		return "no-memory";
	case RC_SYNTAX:
		return "syntax";
	case RC_RANGE:
		return "range";
	case RC_NOTFOUND:
		return "not-found";
	case RC_EXPIRED:
		return "expired";
	case RC_DENIED:
		return "denied";
	case RC_EXISTS:
		return "exists";
	case RC_LIMIT:
		return "limit";
	case RC_CRYPTO:
		return "crypto";
	case RC_IO:
		return "io";
	case RC_STATE:
		return "state";
	}
	return "unknown";
}
