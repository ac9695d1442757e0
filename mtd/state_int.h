/* state_int: what state.c (who is asked when, who waits) and state_keep.c (what becomes of an answer) share. Nobody else includes it. */
#ifndef MTD_STATE_INT_H
#define MTD_STATE_INT_H

#include "mtd/state.h"
#include "mtd/store.h"

/* 0 … n, for an interval that is not everybody's. */
int64_t mt_state_jitter(const struct mt_seams *s, int64_t n);
/* N10: k had a good answer lately enough. */
bool mt_state_in_grace(const struct mt_seams *s, const struct mt_conf *conf, const struct mt_key *k);
/* May k be used, after that was said? */
enum reason mt_state_judge_use(const struct mt_seams *s, const struct mt_conf *conf, const struct mt_key *k, const struct mt_said *said);
/* When to ask next; never later than the interval. */
int64_t mt_state_next(const struct mt_seams *s, const struct mt_conf *conf, const struct mt_said *said);

/* What an answer changed for whoever uses the key: nothing; it is gone; or it ends now at that time. */
#define MT_ENDS_NOT INT64_MIN
#define MT_ENDS_NOW INT64_MAX
/* Into the store, the log, the trace. k->last_ok follows. *ends as above. RC_IO and the like, nothing changed. */
enum rc mt_state_keep(const struct mt_seams *s, const struct mt_conf *conf, struct mt_key *k, const struct mt_said *said, int64_t *ends)
    MUST_USE;

#endif
