/*
 * mt_card_state: what a software card changes: counters. Kept in one file, sealed under a key that comes from the card's own
 * K, in two slots that are written in turn, durable before the card answers (RULES C4).
 *	file      = two slots, each a sealed value (seal.h) of: count 8 octets, length 2, inside, zeroes; the greater count is the
 *	            newer one. key = HMAC-SHA-256(K, "kslocal card state"), store id = the first 16 octets of
 *	            SHA-256("kslocal card" || ICCID). An earlier file is one sealed value of inside; it is read, and replaced at a save
 *	inside    = 80 tries of PIN 1 left, 81 SEQ_MS(0..31) 8 octets each, A0 USIM, A1 ISIM: { 80 RAND, 81 keys (none before a run),
 *	            82 EF_GBABP, 83 EF_GBANL, 84 its records' ages 8 octets each }; BER-TLV, unknown tags are passed over
 */
#ifndef MTD_CARD_STATE_H
#define MTD_CARD_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/rnd.h"
#include "common/span.h"
#include "common/sqn.h"
#include "mtd/card_image.h"

struct mt_card_store;

#define MT_CARD_GBABP_LEN 200
#define MT_CARD_GBANL_LEN 160

/* What GBA_U leaves in an application (TS 33.220 G). */
struct mt_card_gba {
	struct secret *keys;		/* Ks, then Ks_int_NAF of each record of EF_GBANL, KS_LEN each; NULL = no run yet */
	uint8_t rand[16];
	uint8_t gbabp[MT_CARD_GBABP_LEN];
	uint8_t gbanl[MT_CARD_NAFS_MAX][MT_CARD_GBANL_LEN];
	uint64_t used[MT_CARD_NAFS_MAX];	/* the greater the later; 0 = the record is empty */
};
struct mt_card_state {
	uint8_t pin_tries;
	struct sqn_array sqn;
	struct mt_card_gba gba[MT_CARD_APPS];
};
#define MT_CARD_KEYS_LEN (KS_LEN * (1 + MT_CARD_NAFS_MAX))

/* A new card's. */
void mt_card_state_init(struct mt_card_state *s);
/* RC_NOMEM. out is then untouched. */
enum rc mt_card_state_dup(const struct mt_card_state *s, struct mt_card_state *out) MUST_USE;
/* Frees the secrets and zeroes. */
void mt_card_state_clear(struct mt_card_state *s);

/*
 * Open the place of this card's state. path NULL: memory only. What is there is read into state; nothing there: a new
 * card's. state is the caller's to clear.
 * RC_DENIED: sealed by another card, or changed. RC_SYNTAX: unsealed, but nothing that we wrote. RC_IO, RC_RANGE (path),
 * RC_NOMEM, RC_CRYPTO.
 */
enum rc mt_card_store_open(const char *path, const struct mt_card_image *image, const struct rnd *rnd, struct mt_card_state *state,
    struct mt_card_store **out) MUST_USE;
/* Durable when it returns RC_OK; else the old one stands, unless power is lost before the next save. RC_IO, RC_NOMEM, RC_CRYPTO. */
enum rc mt_card_store_save(struct mt_card_store *st, const struct mt_card_state *state) MUST_USE;
void mt_card_store_free(struct mt_card_store *st);

/* The inside, pure: keys are in it. RC_SYNTAX, RC_NOMEM; the caller clears what was parsed. */
#define MT_CARD_STATE_MAX 4032
size_t mt_card_state_print(const struct mt_card_state *s, uint8_t out[static MT_CARD_STATE_MAX]);
enum rc mt_card_state_parse(struct span in, struct mt_card_state *out) MUST_USE;

#endif
