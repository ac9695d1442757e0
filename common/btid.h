/*
 * btid: the bootstrapping transaction identifier, base64(RAND)@BSF name.            TS 33.220 4.5.2, RULES W3
 * A receiver treats the local part as opaque. Pure.
 */
#ifndef COMMON_BTID_H
#define COMMON_BTID_H

#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

#define BTID_MAX 320

struct btid {
	char s[BTID_MAX + 1];	/* the text as it travels, NUL-terminated; "" = none */
};

/* W3: local part A–Z a–z 0–9 + / = - _ . ; one @ ; lower-case FQDN. RC_SYNTAX, RC_RANGE (too long). */
enum rc btid_parse(struct span in, struct btid *out) MUST_USE;
/* base64(rand)@bsf_fqdn. RC_RANGE, RC_SYNTAX (bsf_fqdn is no lower-case FQDN). */
enum rc btid_make(const uint8_t rand[static 16], const char *bsf_fqdn, struct btid *out) MUST_USE;
/* The RAND, if the local part is base64 of 16 octets in its one canonical spelling; else RC_SYNTAX. */
enum rc btid_rand(const struct btid *b, uint8_t rand[static 16]) MUST_USE;

#endif
