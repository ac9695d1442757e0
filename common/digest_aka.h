/*
 * digest_aka: HTTP Digest for Ub (RFC 2617, RFC 3310, RFC 4169; ub.md 3, 5): the three header fields in and out, and the
 * arithmetic. Pure. Strict: bounded, each parameter at most once, no backslash, no octet outside printable ASCII; unknown
 * parameters are ignored. Values are kept and hashed as the strings that travelled.
 */
#ifndef COMMON_DIGEST_AKA_H
#define COMMON_DIGEST_AKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/aka.h"
#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"

#define DIGEST_LEN 32		/* hex digits of an MD5 */
#define DIGEST_HEADER_MAX 4096	/* characters of a header value that the parsers take */

enum digest_alg { DIGEST_ALG_AKAV1_MD5, DIGEST_ALG_AKAV2_MD5, DIGEST_ALG_MD5, DIGEST_ALG_OTHER };
enum digest_qop { DIGEST_QOP_NONE = 0, DIGEST_QOP_AUTH = 1, DIGEST_QOP_AUTH_INT = 2 };

/* What was there (nonce="" counts as there) or is to be printed. */
enum digest_have {
	DIGEST_USERNAME = 1 << 0, DIGEST_REALM = 1 << 1, DIGEST_NONCE = 1 << 2, DIGEST_URI = 1 << 3, DIGEST_RESPONSE = 1 << 4,
	DIGEST_ALGORITHM = 1 << 5, DIGEST_CNONCE = 1 << 6, DIGEST_OPAQUE = 1 << 7, DIGEST_QOP = 1 << 8, DIGEST_NC = 1 << 9,
	DIGEST_AUTS = 1 << 10, DIGEST_RSPAUTH = 1 << 11, DIGEST_STALE = 1 << 12, DIGEST_NEXTNONCE = 1 << 13
};

struct digest {
	unsigned have;
	char username[321], realm[321], nonce[512], nextnonce[512], uri[512], cnonce[129], opaque[257];
	char response[DIGEST_LEN + 1], rspauth[DIGEST_LEN + 1];	/* "" or 32 lower-case hex digits */
	char nc[9];			/* 8 hex digits */
	enum digest_alg alg;		/* absent: AKAv1-MD5 (ub.md 10) */
	unsigned qop;			/* challenge: those offered, or'ed; else the one chosen; what we do not know is left out */
	uint8_t auts[AKA_AUTS_LEN];
	bool stale;
};

/*
 * Authorization, WWW-Authenticate (both "Digest …"), Authentication-Info. RC_SYNTAX; RC_RANGE: too long; RC_NOTFOUND: another
 * scheme than Digest.
 */
enum rc digest_parse_authorization(struct span value, struct digest *out) MUST_USE;
enum rc digest_parse_challenge(struct span value, struct digest *out) MUST_USE;
enum rc digest_parse_info(struct span value, struct digest *out) MUST_USE;
/*
 * What have names, in the order and quoting of ub.md 3, and a NUL. RC_RANGE: over cap; RC_SYNTAX: a value that no parser of
 * ours would take. out is then not to be used.
 */
enum rc digest_print_authorization(const struct digest *d, char *out, size_t cap) MUST_USE;
enum rc digest_print_challenge(const struct digest *d, char *out, size_t cap) MUST_USE;
enum rc digest_print_info(const struct digest *d, char *out, size_t cap) MUST_USE;

/* nonce = base64(RAND || AUTN || server data). Parse wants 32 octets or more (RC_SYNTAX); print adds no server data. */
#define DIGEST_NONCE_LEN 44
enum rc digest_nonce_parse(const char *nonce, uint8_t rand[static AKA_RAND_LEN], uint8_t autn[static AKA_AUTN_LEN]) MUST_USE;
void digest_nonce_print(const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN],
    char out[static DIGEST_NONCE_LEN + 1]);

/*
 * The password of a run: AKAv1 RES as it is, AKAv2 base64(HMAC-MD5(RES || IK || CK, …)). Caller frees.
 * RC_RANGE: another algorithm, or AKAv2 and no CK, IK (in GBA_U the card keeps them). RC_NOMEM, RC_CRYPTO.
 */
enum rc digest_password(enum digest_alg alg, const struct secret *res, const struct secret *ck, const struct secret *ik,
    struct secret **out) MUST_USE;

/*
 * response (RFC 2617 3.2.2) from d's username realm nonce nc cnonce qop uri.
 *   password   NULL = empty, as with auts (RFC 3310 3.4)
 *   method     "GET"; empty gives rspauth (RFC 2617 3.2.3)
 *   body       the entity body, for auth-int; of the answer when method is empty
 * RC_RANGE: d->qop is not one single value; RC_CRYPTO.
 */
enum rc digest_response(const struct digest *d, const struct secret *password, const char *method, struct span body,
    char out[static DIGEST_LEN + 1]) MUST_USE;
/* Is it the one? Constant time. RC_DENIED: no. claimed is d->response, or the rspauth that came. */
enum rc digest_check(const struct digest *d, const struct secret *password, const char *method, struct span body,
    const char *claimed) MUST_USE;

#endif
