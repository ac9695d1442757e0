/*
 * mt_card_state: what a software card changes: counters. Kept in one file, sealed under a key that comes from the card's own
 * K, and replaced as a whole: written aside, synced, renamed, the directory synced, all before the card answers (RULES C4).
 *	file      = sealed value (seal.h); key = HMAC-SHA-256(K, "kslocal card state"), store id = the first 16 octets of
 *	            SHA-256("kslocal card" || ICCID)
 *	inside    = 80 tries of PIN 1 left, 81 SEQ_MS(0..31) 8 octets each; BER-TLV, unknown tags are passed over
 */
#ifndef MTD_CARD_STATE_H
#define MTD_CARD_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/rnd.h"
#include "common/span.h"
#include "common/sqn.h"

struct mt_card_image;
struct mt_card_store;

struct mt_card_state {
	uint8_t pin_tries;
	struct sqn_array sqn;
};

/*
 * Open the place of this card's state. path NULL: memory only. What is there is read into state; nothing there: a new card's.
 * RC_DENIED: sealed by another card, or changed. RC_SYNTAX: unsealed, but nothing that we wrote. RC_IO, RC_RANGE (path),
 * RC_NOMEM, RC_CRYPTO.
 */
enum rc mt_card_store_open(const char *path, const struct mt_card_image *image, const struct rnd *rnd, struct mt_card_state *state,
    struct mt_card_store **out) MUST_USE;
/* Durable when it returns RC_OK; else the old one stands. RC_IO, RC_NOMEM, RC_CRYPTO. */
enum rc mt_card_store_save(struct mt_card_store *st, const struct mt_card_state *state) MUST_USE;
void mt_card_store_free(struct mt_card_store *st);

/* The inside, pure. RC_SYNTAX. */
#define MT_CARD_STATE_MAX 512
size_t mt_card_state_print(const struct mt_card_state *s, uint8_t out[static MT_CARD_STATE_MAX]);
enum rc mt_card_state_parse(struct span in, struct mt_card_state *out) MUST_USE;

#endif
