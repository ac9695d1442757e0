/*
 * pseudonym: what a device may know of the subscriber behind a phone: always the same for the same SIM, another one for another
 * device, and nothing else.                                                                                    RULES K12
 *
 *	mtPseudonym = base64url of the first 16 octets of HMAC-SHA-256(pseudonym key, IMPI || 00 || SHA-256 of the device's public key)
 */
#include <string.h>

#include "common/algo.h"
#include "common/b64.h"
#include "common/log.h"
#include "common/rnd.h"
#include "common/store.h"
#include "common/zn_msg.h"
#include "nafkcd/core.h"
#include "nafkcd/store.h"

#define KEY_NAME "pseudonym"
#define PSEUDONYM_OCTETS 16

static enum rc
make_key(struct store *st, const struct rnd *rnd, struct secret **out)
{
	struct secret *key = NULL;
	enum rc rc, rc2;

	if ((rc = secret_new(KS_LEN, &key)) != RC_OK || (rc = rnd_bytes(rnd, secret_bytes(key), KS_LEN)) != RC_OK ||
	    (rc = store_begin(st)) != RC_OK)
		goto out;
	rc = nafkc_store_put_own(st, KEY_NAME, key);
	if ((rc2 = store_end(st, rc == RC_OK)) != RC_OK && rc == RC_OK)
		rc = rc2;
	if (rc == RC_OK) {
		*out = key;
		key = NULL;
	}
out:
	secret_free(key);
	return rc;
}

enum rc
nafkc_pseudonym_key(struct store *st, const struct rnd *rnd, struct secret **out)
{
	enum rc rc = nafkc_store_get_own(st, KEY_NAME, out);

	if (rc == RC_NOTFOUND)
		rc = make_key(st, rnd, out);
	if (rc != RC_OK)
		log_error("nafkc: no pseudonym key: %s", rc_str(rc));
	return rc;
}

enum rc
nafkc_pseudonym(const struct secret *key, const char *impi, const uint8_t spki[static 32], char out[static UAXML_PSEUDONYM_MAX + 1])
{
	uint8_t in[ZN_USER_NAME_MAX + 1 + 32], mac[32];
	size_t n = strlen(impi);

	out[0] = '\0';
	if (n == 0)
		return RC_OK;
	if (n > ZN_USER_NAME_MAX)
		return RC_RANGE;
	memcpy(in, impi, n + 1);	/* and its NUL: the 00 between */
	memcpy(in + n + 1, spki, 32);
	if (!algo_hmac_sha256(secret_span(key), span_of(in, n + 1 + 32), mac))
		return RC_CRYPTO;
	b64url_print(span_of(mac, PSEUDONYM_OCTETS), out);
	return RC_OK;
}
