/*
 * mt_ask: the user is asked whether a Device_ID may have keys (device_policy = ask).                       RULES K11, U10; seed 7.3, 8.1
 *
 *	info, derive ─▶ nobody decided yet: a pending request, progress "asking-user" ─▶ allowed: the request goes on
 *	                                                                              └▶ refused, or ask_timeout is over: refused
 *
 * What the user says is kept in the store; what is pending is not. At most MT_ASK_MAX are pending, MT_ASK_LINK_MAX of one link; the
 * same Device_ID joins what is pending.
 */
#ifndef MTD_ASK_H
#define MTD_ASK_H

#include <jansson.h>

#include "common/rc.h"
#include "common/reason.h"
#include "mtd/mt.h"
#include "mtd/store.h"
#include "mtd/wait.h"

#define MT_ASK_MAX 32
#define MT_ASK_LINK_MAX 4
#define MT_ASK_JOIN_MAX 16	/* requests that wait for one answer */

struct mt_ask;

/* Borrowed. Caller frees. RC_NOMEM. */
enum rc mt_ask_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_ask **out) MUST_USE;
/* Who waits is told nothing. NULL is fine. */
void mt_ask_free(struct mt_ask *a);
/* Who waits is told REASON_STOPPING; nobody is asked any more. */
void mt_ask_stop(struct mt_ask *a);

/*
 * fn exactly once, inside this call unless the user is asked: REASON_NONE: go on, policy.h judges; REASON_MT_DEVICE_REFUSED,
 * _MT_ASK_TIMEOUT, _MT_ASK_FULL, _STOPPING, _INTERNAL. A Device_ID that was not told ("") is never asked about.
 */
typedef void mt_ask_fn(void *arg, enum reason why);
void mt_ask_device(struct mt_ask *a, const struct device_id *id, const char *link, mt_ask_fn *fn, mt_progress_fn *progress, void *arg);

/* What the user decided was stored in this turn: tell who waits. Nobody there is fine. */
void mt_ask_decided(struct mt_ask *a, const struct device_id *id, bool allowed);
/* [{device_id, state: pending, since, until, link}], oldest first. */
json_t *mt_ask_list(const struct mt_ask *a);

#endif
