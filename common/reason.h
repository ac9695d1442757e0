/*
 * reason: every refusal has one entry here: a stable code, what happened, the likely cause, what to do next, and how each
 * wire says it (ARCHITECTURE 8a). Logs, ksctl, JSON and wire errors draw from this table and from nowhere else.
 */
#ifndef COMMON_REASON_H
#define COMMON_REASON_H

#include <stddef.h>
#include <stdint.h>

enum reason {
#define REASON(id, code, http, ua, local, dia, what, why, next) REASON_##id,
#include "common/reason.def"
#undef REASON
	REASON_COUNT
};

struct reason_info {
	const char *code;	/* stable, lower case with hyphens: "ub-response-wrong" */
	int http;		/* status on Ub or Ua; 0 = not said there */
	const char *ua;		/* <reason> of a keyError (ts33259.md 7); NULL = not said there */
	const char *local;	/* error code of local interface and control socket; never NULL */
	uint32_t dia;		/* Result-Code or Experimental-Result-Code; 0 = not said there */
	const char *what;	/* what happened: one sentence without a full stop */
	const char *why;	/* the likely cause */
	const char *next;	/* what to do next */
};

/* Never NULL; an unknown value gives the entry of REASON_INTERNAL. */
const struct reason_info *reason_get(enum reason r);
/* By code; REASON_INTERNAL when there is none. */
enum reason reason_by_code(const char *code);

/* What a TLS alert that came from the peer says of our certificate (RFC 8446 6.2); another alert: REASON_LINK_TLS_BROKEN. */
enum reason reason_of_tls_alert(int alert);

#endif
