#include "common/proof.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/algo.h"
#include "common/b64.h"
#include "common/kdf.h"
#include "common/profile.h"

enum rc
proof_challenge(const struct rnd *rnd, char out[static CHALLENGE_LEN + 1])
{
	uint8_t r[16];
	enum rc rc;

	if ((rc = rnd_bytes(rnd, r, sizeof r)) != RC_OK)
		return rc;
	b64_print((struct span){ r, sizeof r }, out);
	return RC_OK;
}

enum rc
proof_make(const struct secret *ks_local_mt, enum proof_side side, struct span challenge, char out[static PROOF_LEN + 1])
{
	static const char *const purpose[] = { "device", "mt", "holds", "forget" };
	struct span name = span_str(purpose[side]), k;
	uint8_t in[8 + CHALLENGE_MAX], mac[32];
	struct secret *confirm = NULL;
	enum rc rc;

	if (challenge.n == 0 || challenge.n > CHALLENGE_MAX)
		return RC_RANGE;
	if ((rc = kdf_reserved(ks_local_mt, profile.reserved.confirm, &confirm)) != RC_OK)
		return rc;
	memcpy(in, name.p, name.n);
	in[name.n] = 0;
	memcpy(in + name.n + 1, challenge.p, challenge.n);
	k = secret_span(confirm);
	if (!algo_hmac_sha256(k, span_of(in, name.n + 1 + challenge.n), mac)) {
		rc = RC_CRYPTO;
		goto out;
	}
	b64_print((struct span){ mac, sizeof mac }, out);
out:
	OPENSSL_cleanse(mac, sizeof mac);
	secret_free(confirm);
	return rc;
}

enum rc
proof_check(const struct secret *ks_local_mt, enum proof_side side, struct span challenge, struct span proof)
{
	char right[PROOF_LEN + 1];
	enum rc rc;

	if ((rc = proof_make(ks_local_mt, side, challenge, right)) != RC_OK)
		return rc;
	if (proof.n != PROOF_LEN || CRYPTO_memcmp(proof.p, right, PROOF_LEN) != 0)
		rc = RC_DENIED;
	OPENSSL_cleanse(right, sizeof right);
	return rc;
}
