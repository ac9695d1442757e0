/*
 * aka: AKA's values on both ends, over MILENAGE (TS 33.102 6.3; usim-gba.md 4). Pure. SQN is a 48-bit integer; whether it is
 * fresh is sqn.h's question.
 */
#ifndef COMMON_AKA_H
#define COMMON_AKA_H

#include <stdint.h>

#include "common/rc.h"
#include "common/secret.h"

#define AKA_RAND_LEN 16
#define AKA_AUTN_LEN 16		/* (SQN xor AK) 6 || AMF 2 || MAC 8 */
#define AKA_AUTS_LEN 14		/* (SQN_MS xor AK*) 6 || MAC-S 8 */

/* At the AuC: what one challenge is made of. Zero it before use, or fill it by aka_make(). */
struct aka_vector {
	uint8_t rand[AKA_RAND_LEN], autn[AKA_AUTN_LEN];
	struct secret *xres, *ck, *ik;
};
/* RC_RANGE: k or opc not 16 octets, sqn above 48 bits. RC_NOMEM, RC_CRYPTO. */
enum rc aka_make(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN], uint64_t sqn,
    const uint8_t amf[static 2], struct aka_vector *out) MUST_USE;
/* Its AUTN alone, where the rest is not wanted yet. As aka_make(). */
enum rc aka_make_autn(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN], uint64_t sqn,
    const uint8_t amf[static 2], uint8_t autn[static AKA_AUTN_LEN]) MUST_USE;
/* Frees the secrets and zeroes. */
void aka_vector_clear(struct aka_vector *v);

/* At the card: what a genuine challenge gives. */
struct aka_result {
	uint64_t sqn;
	uint8_t amf[2];
	struct secret *res, *ck, *ik;
};
/* MAC first (TS 33.102 6.3.3): RC_DENIED when it is wrong; then nothing may be answered but that. */
enum rc aka_check(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN],
    const uint8_t autn[static AKA_AUTN_LEN], struct aka_result *out) MUST_USE;
/* As above. */
void aka_result_clear(struct aka_result *r);

/* AUTS of sqn_ms, with AMF 0000 (TS 33.102 6.3.3). RC_RANGE, RC_CRYPTO. */
enum rc aka_make_auts(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN], uint64_t sqn_ms,
    uint8_t out[static AKA_AUTS_LEN]) MUST_USE;
/* At the AuC: SQN_MS out of AUTS. RC_DENIED: MAC-S is wrong. */
enum rc aka_check_auts(const struct secret *k, const struct secret *opc, const uint8_t rand[static AKA_RAND_LEN],
    const uint8_t auts[static AKA_AUTS_LEN], uint64_t *sqn_ms) MUST_USE;

/*
 * GBA_U: AUTN* from AUTN, or AUTN from AUTN*: MAC xor the first 8 octets of SHA-1(IK) undoes itself. out may be in.
 * TS 33.220 5.3.2; the clause could not be read (key-derivation.md 8).
 */
enum rc aka_autn_star(const struct secret *ik, const uint8_t in[static AKA_AUTN_LEN], uint8_t out[static AKA_AUTN_LEN]) MUST_USE;

#endif
