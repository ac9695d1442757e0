/*
 * ub_answer: how Ub's answers look and when they leave: refusals, 401 challenges, the 200. Each waits for the turn; if that cannot
 * commit, it becomes a 503.                                                             spec ub.md 3, 4, 6; ARCHITECTURE 6
 */
#ifndef BSFD_UB_ANSWER_H
#define BSFD_UB_ANSWER_H

#include <stdint.h>

#include "bsfd/challenge.h"
#include "common/btid.h"
#include "common/digest_aka.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/secret.h"

struct bsf;
struct bsf_bootstrap;
struct http_xchg;
struct ub_answer;

/* One request while it is judged. */
struct ub_request {
	struct bsf *b;
	struct http_xchg *x;
	struct digest d;		/* of its Authorization */
	struct btid btid;		/* of the challenge it is about; "" = none yet */
	char source[BSF_SOURCE_MAX];
	char who[160];			/* username, made harmless for a log line */
};

/*
 * Logs why, and answers with that reason's status and words.
 *   retry_s  Retry-After; 0 = none, but a 503 always has one
 *   part     what exactly was wrong, for the log, "" = nothing to add; never a header's value
 */
void bsf_ub_refuse(struct ub_request *r, enum reason why, int64_t retry_s, const char *part);
/* 401 with c's challenge. why: what was wrong with the answer to an earlier one; REASON_NONE in step 1 and after a right AUTS. */
void bsf_ub_challenge(struct ub_request *r, const struct bsf_challenge *c, enum reason why);
/*
 * The 200 of a run: BootstrappingInfo, and Authentication-Info with rspauth over it. Made before the store is touched, so that
 * nothing can fail between the commit and the answer. RC_RANGE, RC_CRYPTO. Give *out to _send or _drop.
 */
enum rc bsf_ub_make_200(struct ub_request *r, const struct bsf_bootstrap *run, const struct secret *xres, struct ub_answer **out)
    MUST_USE;
void bsf_ub_send(struct ub_request *r, struct ub_answer *a);
/* NULL is fine. */
void bsf_ub_drop(struct ub_answer *a);

#endif
