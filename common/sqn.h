/*
 * sqn: sequence numbers, TS 33.102 Annex C as digested in usim-gba.md 5. SQN 48 bits = SEQ 43 || IND 5. Pure.
 * The card keeps the highest SEQ per IND; the AuC gives each requester an IND of its own, so that they do not disturb each other.
 */
#ifndef COMMON_SQN_H
#define COMMON_SQN_H

#include <stdint.h>

#include "common/rc.h"

#define SQN_MAX ((UINT64_C(1) << 48) - 1)
#define SQN_IND_BITS 5
#define SQN_SLOTS (1u << SQN_IND_BITS)
#define SQN_SEQ_MAX ((UINT64_C(1) << (48 - SQN_IND_BITS)) - 1)
#define SQN_DELTA_DEFAULT (UINT64_C(1) << 28)

struct sqn_limits {
	uint64_t delta;		/* C.2.1: the farthest jump of SEQ that is taken */
	uint64_t age;		/* C.2.2: L, SEQ_MS - SEQ must be below; 0 = no age limit */
};
struct sqn_array {
	uint64_t seq[SQN_SLOTS];	/* SEQ_MS(IND); all 0 at first */
};

uint64_t sqn_seq(uint64_t sqn);
unsigned sqn_ind(uint64_t sqn);
/* 6 octets, big-endian. */
void sqn_print(uint64_t sqn, uint8_t out[static 6]);
uint64_t sqn_parse(const uint8_t in[static 6]);

/*
 * Card: is it fresh? RC_OK: it is, and was taken down. RC_DENIED: it is not, nothing changed, the answer is AUTS. RC_RANGE:
 * over 48 bits.
 */
enum rc sqn_accept(struct sqn_array *a, const struct sqn_limits *limits, uint64_t sqn) MUST_USE;
/* Card: SQN_MS, the highest SQN accepted so far (SEQ with its IND): what AUTS tells. */
uint64_t sqn_highest(const struct sqn_array *a);

/* AuC: the next SQN after sqn_he for this IND: SEQ + 1. RC_RANGE: ind, or SEQ is used up. */
enum rc sqn_next(uint64_t sqn_he, unsigned ind, uint64_t *out) MUST_USE;
/* AuC: sqn_he raised by so many SQN (a reserved block, B2; a doubtful store, B4). RC_RANGE. */
enum rc sqn_raise(uint64_t sqn_he, uint64_t by, uint64_t *out) MUST_USE;
/* AuC, after a right AUTS: sqn_he as it is when the card would take the next one, else sqn_ms (TS 33.102 6.3.5). */
uint64_t sqn_resync(uint64_t sqn_he, uint64_t sqn_ms, uint64_t delta);

#endif
