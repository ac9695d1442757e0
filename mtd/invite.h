/*
 * mt_invite: what the MT begins: `use`, which asks a device to open a tunnel, and `renew`, when it does not know the key.
 *                                                                                           seed 7.3; RULES U1, U3, U4
 *	use {triple} ─▶ ok: a tunnel comes up
 *	              └─▶ unknown-key ─▶ renew, at most once per wait and Device_ID, the wait doubling from 30 s to an hour, jittered
 */
#ifndef MTD_INVITE_H
#define MTD_INVITE_H

#include <jansson.h>

#include "common/device_id.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/rpc.h"
#include "mtd/mt.h"

struct mt_gba;
struct mt_invites;
struct mt_use;

struct mt_invite_env {		/* borrowed */
	const struct mt_seams *s;
	const struct mt_conf *conf;
	struct mt_gba *gba;
	struct mt_use *use;
	/* As rpc_ask(), of the device's own conversation. RC_NOTFOUND: there is none. */
	enum rc (*ask)(void *arg, const struct device_id *id, const char *op, json_t *body, rpc_answer_fn *fn, void *fn_arg);
	void *arg;
};
/* Listens to use's mt_use_on_up(). Caller frees, with the turn drained and the conversations freed. RC_NOMEM. */
enum rc mt_invites_new(const struct mt_invite_env *env, struct mt_invites **out) MUST_USE;
/* Those that wait for a tunnel end (REASON_STOPPING); those that wait for a device's answer end with its conversation. */
void mt_invites_stop(struct mt_invites *i);
/* Nobody is told. NULL is fine. */
void mt_invites_free(struct mt_invites *i);

/*
 * REASON_NONE: a tunnel is up (it may have been before). _MT_NO_KEY, _MT_NOT_CONNECTED, _MT_NO_TUNNEL, _CLOCK_JUMPED, the card's,
 * _LOCAL_UNKNOWN_KEY (detail: what became of renew), what the device answered. detail is borrowed.
 */
typedef void mt_invited_fn(void *arg, enum reason why, const char *detail);
/* fn once, perhaps inside this call; NULL: the log will do. */
void mt_invite(struct mt_invites *i, const struct device_id *id, mt_invited_fn *fn, void *arg);

#endif
