/*
 * proof: each side shows the other that it holds the same Ks_local_MT, without telling it (RULES K3). Pure.
 * proof = base64(HMAC-SHA-256(confirm key, purpose || 00 || challenge)); challenge = a text, octet for octet:
 *	"device" "mt"	in complete, and its answer: that of the derive answer (K3)
 *	"holds"		in derive: that of the hello answer; who asks holds the pair's key that is in use (K13)
 *	"forget"	in forget: the PSK identity of the tunnel that it comes on; who asks held the key to be forgotten (K5)
 */
#ifndef COMMON_PROOF_H
#define COMMON_PROOF_H

#include "common/rc.h"
#include "common/rnd.h"
#include "common/secret.h"
#include "common/span.h"

#define CHALLENGE_LEN 24	/* characters that we send: base64 of 16 random octets */
#define CHALLENGE_MAX 128	/* characters that we take */
#define PROOF_LEN 44

enum proof_side { PROOF_DEVICE, PROOF_MT, PROOF_HOLDS, PROOF_FORGET };

enum rc proof_challenge(const struct rnd *rnd, char out[static CHALLENGE_LEN + 1]) MUST_USE;
/* RC_RANGE: the challenge is empty or too long. RC_CRYPTO, RC_NOMEM. */
enum rc proof_make(const struct secret *ks_local_mt, enum proof_side side, struct span challenge, char out[static PROOF_LEN + 1])
    MUST_USE;
/* RC_DENIED: not the proof of a holder of this key. */
enum rc proof_check(const struct secret *ks_local_mt, enum proof_side side, struct span challenge, struct span proof) MUST_USE;

#endif
