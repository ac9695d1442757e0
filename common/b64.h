/* b64: base64 (RFC 4648 clause 4), strict: padded, no blanks, unused bits zero, so that one value has one spelling. Pure. */
#ifndef COMMON_B64_H
#define COMMON_B64_H

#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"

#define B64_LEN(n) (((n) + 2) / 3 * 4)	/* characters for n octets */
#define B64_MAX 16384			/* characters that the parsers take */

/* B64_LEN(in.n) characters and a NUL; in.n at most B64_MAX. The output of a secret is the caller's to cleanse. */
void b64_print(struct span in, char *out);
/* base64url without padding (RFC 4648 clause 5); out as above. */
void b64url_print(struct span in, char *out);
/* Into out[cap], *n octets. RC_SYNTAX (no canonical base64), RC_RANGE (over cap, or over B64_MAX); out untouched. */
enum rc b64_parse(struct span text, uint8_t *out, size_t cap, size_t *n) MUST_USE;
/* Exactly n octets into a new secret. RC_SYNTAX, RC_RANGE (another length), RC_NOMEM. Caller frees. */
enum rc b64_parse_secret(struct span text, size_t n, struct secret **out) MUST_USE;

#endif
