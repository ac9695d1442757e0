/*
 * secret: key octets. Opaque, on the secure heap, cleansed when freed, without a printer.
 * K, OPc, CK, IK, RES, Ks, Ks_NAF, Ks_local_MT, XRES and Digest passwords travel in it and in nothing else.
 */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

#define KS_LEN 32		/* Ks, Ks_(ext)_NAF, Ks_local_MT: 256 bits */
#define KCV_LEN 12		/* hex digits of a key check value */

struct secret;

/*
 * Open OpenSSL's secure heap; first thing in main(), before private keys are loaded.
 * false: not locked or not guarded (the caller says so loudly and goes on).
 */
bool secret_heap_open(void);

/* n zero octets, 1..4096. RC_RANGE, RC_NOMEM. Caller frees. */
enum rc secret_new(size_t n, struct secret **out) MUST_USE;
/* A copy of borrowed octets; the source stays the caller's to cleanse. */
enum rc secret_from(struct span octets, struct secret **out) MUST_USE;
/* a || b, as in Ks = CK || IK (TS 33.220 4.5.2). */
enum rc secret_concat(const struct secret *a, const struct secret *b, struct secret **out) MUST_USE;
enum rc secret_dup(const struct secret *s, struct secret **out) MUST_USE;

/* Where to write the octets of a new secret; borrowed. */
uint8_t *secret_bytes(struct secret *s);
/* The octets, borrowed; NULL gives the empty span. */
struct span secret_span(const struct secret *s);
/* Constant time for equal lengths; two NULLs are not equal. */
bool secret_eq(const struct secret *a, const struct secret *b);
/* Cleanses and frees; NULL is fine. */
void secret_free(struct secret *s);

/*
 * Key check value: the first 6 octets, in lower-case hex, of HMAC-SHA-256(key, "kslocal key check").
 * It is what logs, traces and tools show in place of a key. out gets KCV_LEN digits and a NUL.
 */
enum rc secret_kcv(const struct secret *s, char out[static KCV_LEN + 1]) MUST_USE;

#endif
