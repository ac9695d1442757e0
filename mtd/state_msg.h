/*
 * mt_state_msg: the state question's messages at the MT, judged without I/O.            RULES N7; TS 33.222 5.3, TS 24.109 5.2, RFC 2617
 */
#ifndef MTD_STATE_MSG_H
#define MTD_STATE_MSG_H

#include <stdint.h>

#include "common/digest_gba.h"
#include "common/http.h"
#include "common/reason.h"
#include "mtd/store.h"

#define MT_STATE_DETAIL_MAX 159

/* What was said of a key, and what that means. */
enum mt_verdict {
	MT_SAID_GOOD,		/* as it was, or it ends at lifetime */
	MT_SAID_GONE,		/* revoked: delete it */
	MT_SAID_UNKNOWN,	/* 404: keep it, ask again */
	MT_SAID_NOTHING		/* not reached, not believed, not understood: why; keep it, ask again */
};
struct mt_said {
	enum mt_verdict verdict;
	enum reason why;	/* REASON_NONE where GOOD */
	int status;		/* of the answer; 0 = none came */
	int64_t lifetime;	/* 0 = not told */
	char etag[MT_ETAG_MAX + 1];	/* "" = none, or too long */
	char detail[MT_STATE_DETAIL_MAX + 1];	/* escaped */
};

/*
 * A 401: our answer to its challenge.
 *   *stale  it says that only the nonce was over
 * REASON_NONE; REASON_MT_STATE_REALM: not this Key Center's, end; _MT_STATE_CHALLENGE, *bad = what is wrong; _INTERNAL.
 */
enum reason mt_state_answer(const struct http_reply *r, const struct digest_gba_ask *q, struct digest *out, bool *stale, const char **bad);

/* Any other answer to a request that had an Authorization; or none. */
struct mt_state_asked {
	const struct triple *triple;
	const struct digest *sent;
	const struct secret *password;
	bool conditional;		/* with If-None-Match: else 304 is about nothing */
};
void mt_state_judge(const struct http_reply *r, const struct mt_state_asked *q, struct mt_said *out);
/* Nothing was said. */
void mt_said_nothing(struct mt_said *out, enum reason why, const char *detail);

#endif
