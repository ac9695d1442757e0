/*
 * digest_gba: HTTP Digest under Ks_(ext)_NAF inside TLS: what UE and NAF share.     TS 24.109 5.2, 5.3.2; TS 33.222 5.3; RFC 2617
 *
 *   realm = "3GPP-bootstrapping@" FQDN of the NAF, username = B-TID, password = base64 of the 32 octets of Ks_(ext)_NAF,
 *   algorithm MD5, qop auth or auth-int with nc and cnonce.
 *
 * Header fields and arithmetic are digest_aka.h's; the plain MD5 of the same functions. Pure.
 */
#ifndef COMMON_DIGEST_GBA_H
#define COMMON_DIGEST_GBA_H

#include "common/btid.h"
#include "common/digest_aka.h"
#include "common/naf_id.h"

#define DIGEST_GBA_PREFIX "3GPP-bootstrapping@"

/* The realm of a NAF. */
void digest_gba_realm(const char *fqdn, char out[static sizeof(DIGEST_GBA_PREFIX) + FQDN_MAX]);
/* The password. Caller frees. RC_RANGE: not 32 octets. RC_NOMEM. */
enum rc digest_gba_password(const struct secret *ks_naf, struct secret **out) MUST_USE;

/* --- the UE's end */

struct digest_gba_ask {		/* a request that was challenged */
	const char *fqdn;	/* of the NAF, as dialled */
	const char *btid;
	const char *method, *uri;	/* uri: path and query as on the request line */
	struct span body;
	const struct secret *password;
	const char *cnonce;	/* fresh, 1..128 characters between quotes */
	uint32_t nc;		/* how often this nonce was answered, this time included; from 1 */
};
/*
 * What to print with digest_print_authorization(). qop auth, where it is offered.
 * RC_DENIED: no realm for this FQDN (TS 24.109 5.2.4: end the connection). RC_SYNTAX: realm or nonce missing, another algorithm,
 * no qop that we know. RC_RANGE: a text of q does not fit. RC_CRYPTO.
 */
enum rc digest_gba_answer(const struct digest *challenge, const struct digest_gba_ask *q, struct digest *out) MUST_USE;
/*
 * Is Authentication-Info the NAF's, over this answer?
 *   sent    what digest_gba_answer() made
 *   body    of the answer
 * RC_SYNTAX: no rspauth, or another qop, nc or cnonce than was sent. RC_DENIED: rspauth is wrong. RC_CRYPTO.
 */
enum rc digest_gba_check_info(const struct digest *sent, const struct digest *info, const struct secret *password, struct span body) MUST_USE;

/* --- the NAF's end */

/*
 * The form of an Authorization that came: all is there, realm and uri are right, MD5, one qop. a->alg is set. Nonce, nc and response
 * are for the caller to judge; a->username is a B-TID.
 *   target  path and query, as the request came
 * RC_SYNTAX, *bad = the parameter's name.
 */
enum rc digest_gba_form(struct digest *a, const char *fqdn, const char *target, struct btid *btid, const char **bad) MUST_USE;

#endif
