/*
 * mt_card: the card itself: APDU in, answer out, and no other door (usim-gba.md 1–3, 5). It does no waiting: a reader
 * (uicc_soft.c, card_child.c, ksctl card serve) brings the APDUs.
 */
#ifndef MTD_CARD_H
#define MTD_CARD_H

#include <stddef.h>
#include <stdint.h>

#include "common/imsi.h"
#include "common/rc.h"
#include "common/rnd.h"
#include "common/span.h"

struct mt_card;
struct mt_card_image;

#define MT_CARD_ANSWER_MAX 258		/* 256 octets and the status word */

/* image is copied; state_path and results as mt_card_store_open(). Caller frees. */
enum rc mt_card_new(const struct mt_card_image *image, const char *state_path, const struct rnd *rnd,
    struct mt_card **out) MUST_USE;
/*
 * The same from an image file, its counters in IMAGE.state (C4). One at a time has an image: it is locked until mt_card_free(), for two
 * would overwrite each other's counters. May wait a second for one that is just ending.
 * Also results as mt_card_image_load(); RC_RANGE: the name is too long. RC_LIMIT: somebody has it, logged.
 */
enum rc mt_card_open(const char *image_path, const struct rnd *rnd, struct mt_card **out, struct iccid *iccid) MUST_USE;
void mt_card_free(struct mt_card *c);
/* Can its counters be kept? They are written once as they are. RC_IO and the like. */
enum rc mt_card_try_save(struct mt_card *c) MUST_USE;
/* Power on again: nothing selected, no PIN verified; counters stay. */
void mt_card_reset(struct mt_card *c);
/* What it says when it is powered: T=0 or T=1, as its image has it. The number of octets. */
#define MT_CARD_ATR_MAX 16
size_t mt_card_atr(const struct mt_card *c, uint8_t out[static MT_CARD_ATR_MAX]);
/* One command, answered whatever it is. What it changed is durable. The number of octets, 2 or more. */
size_t mt_card_apdu(struct mt_card *c, struct span apdu, uint8_t out[static MT_CARD_ANSWER_MAX]);

#endif
