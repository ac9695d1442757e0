/* hex: octets as hex digits. Pure. */
#ifndef COMMON_HEX_H
#define COMMON_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"

/* 2 * in.n lower-case digits and a NUL. */
void hex_print(struct span in, char *out);
/* Exactly 2 * n digits, either case, no blanks. RC_SYNTAX; out untouched. */
enum rc hex_parse(struct span text, uint8_t *out, size_t n) MUST_USE;
/* The same into a new secret of n octets; the text stays the caller's to cleanse. RC_SYNTAX, RC_NOMEM. Caller frees. */
enum rc hex_parse_secret(struct span text, size_t n, struct secret **out) MUST_USE;
/* One or more digits 0-9 a-f: the one spelling that identifiers take. */
bool hex_is_lower(struct span text);

#endif
