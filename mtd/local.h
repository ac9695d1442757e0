/*
 * mt_local: the local interface, at the MT: links, conversations, messages.                  seed 4, 8.3; ARCHITECTURE 4; RULES K, U9, U10
 *
 *	device                                      MT
 *	  │ hello ─────────────────────────────────▶ │ MT_ID
 *	  │ info {device_id} ──────────────────────▶ │ NAF_IDs; B-TID if a valid Ks is there and the device admitted (K11)
 *	  │ derive {naf_id, device_id, btid?} ─────▶ │ gba.c; ◀─ progress …; ◀─ B-TID, NAF_ID, challenge
 *	  │ complete {triple, proof?} ─────────────▶ │ ◀─ proof (K3)
 *	  │ use {triple} ──────────────────────────▶ │ ◀─ ok, the last plain octets of this channel (U2); use.h goes on with it
 *	  │ ◀──────────────────────── use {triple} ─ │ please open a channel and use it (U1)
 *	  │ ◀─────────────────────────────── renew ─ │ please establish anew (U4)
 *	  │ forget ────────────────────────────────▶ │ refused: only inside a tunnel on the newer key (K5)
 *
 * No key, nor a check value of one, ever goes out here (K10).
 */
#ifndef MTD_LOCAL_H
#define MTD_LOCAL_H

#include <jansson.h>

#include "common/device_id.h"
#include "common/rc.h"
#include "mtd/gba.h"
#include "mtd/invite.h"
#include "mtd/mt.h"

struct mt_local;
struct mt_use;

/* All borrowed. Caller frees. RC_NOMEM. */
enum rc mt_local_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_gba *g, struct mt_use *use, const struct mt_id *id,
    struct mt_local **out) MUST_USE;
/* NULL is fine. */
void mt_local_free(struct mt_local *l);
/* Listens. RC_DENIED (K11), RC_IO, RC_SYNTAX, RC_NOMEM: said in the log. */
enum rc mt_local_start(struct mt_local *l) MUST_USE;
/* Takes no new links. */
void mt_local_deaf(struct mt_local *l);
/* Lets what was answered leave, closes all links; then done(arg). */
void mt_local_stop(struct mt_local *l, void (*done)(void *arg), void *arg);

/* Addresses bound, as an array of texts; who is connected, as an array of objects; K11's problem. */
json_t *mt_local_addresses(const struct mt_local *l);
json_t *mt_local_links(const struct mt_local *l);
/* U4: asks the device of this Device_ID to open a tunnel, as invite.h. */
void mt_local_invite(struct mt_local *l, const struct device_id *id, mt_invited_fn *fn, void *arg);
void mt_local_health(const struct mt_local *l, json_t *problems);

#endif
