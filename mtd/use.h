/*
 * mt_use: Ks_local_MT at work, at the MT: tunnels.                                       seed 7.3, 8.1; RULES U1–U5, K2, K5, K13, C2
 *
 *	channel ── `use` {triple} ─▶ mt_use_ask(): clock, card, key, tunnels_max, the state question
 *	        ◀─ ok ──────────────  mt_use_take(): TLS 1.3 with the key's PSK, the MT as server
 *	        ══ handshake done ══▶ the key is confirmed, durably; HTTP/2; streams to services (service.h)
 *
 * A tunnel stands as long as its key's row does; or, once a newer key of the device was confirmed and the older row is gone, until the
 * older one's own expiry (U1: renewal interrupts nothing), taking no new streams, unless its Key Center takes it back (N7).
 * Everything else that takes a key away closes it at once.
 */
#ifndef MTD_USE_H
#define MTD_USE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/device_id.h"
#include "common/localif.h"
#include "common/rc.h"
#include "common/reason.h"
#include "mtd/mt.h"
#include "mtd/store.h"

struct link;
struct mt_gba;
struct mt_services;
struct mt_state;
struct mt_use;

struct mt_use_env {		/* borrowed */
	const struct mt_seams *s;
	const struct mt_conf *conf;
	struct mt_gba *gba;
	struct mt_state *state;
	struct mt_services *services;
};
/* Caller frees, with the turn drained, after mt_local and before the env. RC_NOMEM. */
enum rc mt_use_new(const struct mt_use_env *env, struct mt_use **out) MUST_USE;
/* At once; whoever waits is told nothing. NULL is fine. */
void mt_use_free(struct mt_use *u);
/* Closes every tunnel in good order; then done(arg), perhaps inside. */
void mt_use_stop(struct mt_use *u, void (*done)(void *arg), void *arg);
/* fn is told of each tunnel that comes up. */
void mt_use_on_up(struct mt_use *u, void (*fn)(void *arg, const struct triple *t), void *arg);

/*
 * May this key be used by one more tunnel? fn exactly once, perhaps inside this call: REASON_NONE, _CLOCK_JUMPED, _STOPPING, the card's,
 * _LOCAL_UNKNOWN_KEY (none, or expired: U3), _MT_TUNNELS_MAX, what the state question says, _INTERNAL.
 */
void mt_use_ask(struct mt_use *u, const struct triple *t, void (*fn)(void *arg, enum reason why), void *arg);
/* Was said ok to; link is the channel, up and quiet, and is taken over. How it goes on is in the log. */
void mt_use_take(struct mt_use *u, struct link *link, const struct triple *t, const struct mt_origin *from);

/* Keys may have gone, or were replaced: each tunnel is judged anew. */
void mt_use_recheck(struct mt_use *u);
/* K5: the asker of these tunnels' key, forgotten now, goes on as heir. */
void mt_use_inherit(struct mt_use *u, const struct triple *old, const struct device_id *heir);

/*
 * K13: a derive for id came from there. fn exactly once, perhaps inside: REASON_NONE: go on. _MT_DEVICE_LIVE: a tunnel of id's is up,
 * answered just now, and the asker did not prove that the key in use is his:
 *	holds, challenge	derive's member, and what hello's answer on that channel brought; "" = none
 */
struct mt_claim {
	struct device_id device_id;
	struct mt_origin from;
	char holds[PROOF_LEN + 1];
	char challenge[CHALLENGE_MAX + 1];
};
void mt_use_claim(struct mt_use *u, const struct mt_claim *c, void (*fn)(void *arg, enum reason why), void *arg);

/* A tunnel of this Device_ID is up, and takes new streams. */
bool mt_use_live(const struct mt_use *u, const struct device_id *id);
/* [{"link", "conn", "device_id", "btid", "naf_id", "kcv", "since", "expires", "streams", "draining"}] */
json_t *mt_use_list(const struct mt_use *u);

#endif
