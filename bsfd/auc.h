/*
 * auc: the authentication centre: the one file that touches K and OPc. AKA vectors, sequence numbers, resynchronisation.
 *                                                                           TS 33.102 6.3, C; spec usim-gba.md 4, 5
 * SQN is reserved in blocks: what may be given out is in the store first. A block costs a commit, mostly one that a 200 pays
 * anyway (bsf_auc_top_up), so that step 1 of Ub costs none (B2). After a crash, or when memory for a subscriber's block is given
 * up, the rest of the block is skipped, never reused. Nothing is remembered of a challenge: XRES, CK and IK are made anew from
 * K and RAND when the response comes. K and OPc of the subscribers asked for last stay at hand, on the secure heap.
 *
 * Everywhere: RC_NOTFOUND, no such subscriber; RC_IO, RC_NOMEM, RC_CRYPTO, RC_DENIED (K does not open): logged where it
 * happened. Writes go into the turn's transaction, so what tells of a vector must wait for the turn.
 */
#ifndef BSFD_AUC_H
#define BSFD_AUC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/aka.h"
#include "common/imsi.h"
#include "common/rc.h"
#include "common/secret.h"

struct bsf_auc;
struct rnd;
struct store;
struct turn;

struct bsf_auc_conf {
	unsigned ind;			/* 0..31: the IND of every SQN made here */
	unsigned block;			/* SEQ per block, 1 or more */
	const char *generation_file;	/* B4; NULL = none */
};

/* Raises every SQN of a doubtful store, says so in the log (B4). Caller frees. */
enum rc bsf_auc_new(struct store *st, struct turn *turn, const struct rnd *rnd, const struct bsf_auc_conf *conf,
    struct bsf_auc **out) MUST_USE;
void bsf_auc_free(struct bsf_auc *a);

struct bsf_av {
	uint8_t rand[AKA_RAND_LEN], autn[AKA_AUTN_LEN];
	bool gba_u;			/* autn is AUTN* (TS 33.220 5.3.2) */
	int64_t ks_lifetime_s;		/* of a Ks from it, as bsf_subscriber's */
	int64_t subscriber;		/* bsf_subscriber's number */
};
/* A fresh challenge. RC_RANGE: the sequence numbers are used up. */
enum rc bsf_auc_challenge(struct bsf_auc *a, const struct impi *impi, struct bsf_av *out) MUST_USE;
/* What RAND asks for: XRES, and Ks = CK || IK. Caller frees both. */
enum rc bsf_auc_expect(struct bsf_auc *a, const struct impi *impi, const uint8_t rand[static AKA_RAND_LEN], struct secret **xres,
    struct secret **ks) MUST_USE;
/* The card says that its SQN is elsewhere: the next challenge follows it (TS 33.102 6.3.5). RC_DENIED: MAC-S is wrong. */
enum rc bsf_auc_resync(struct bsf_auc *a, const struct impi *impi, const uint8_t rand[static AKA_RAND_LEN],
    const uint8_t auts[static AKA_AUTS_LEN]) MUST_USE;
/* Reserve ahead when less than half a block is left, in the caller's store_begin .. store_end. If that is taken back: forget. */
enum rc bsf_auc_top_up(struct bsf_auc *a, const struct impi *impi) MUST_USE;
/* The subscriber was deleted: whoever does that calls it in the same turn. Or what top_up wrote was taken back. */
void bsf_auc_forget(struct bsf_auc *a, const struct impi *impi);

/*
 * "k" and "opc" (or "op") of the form of subscriber.json, 32 hex digits each. RC_SYNTAX: text says which member, without its
 * value. Caller frees both.
 */
enum rc bsf_auc_read_credentials(const json_t *o, struct secret **k, struct secret **opc, char *text, size_t cap) MUST_USE;

#endif
