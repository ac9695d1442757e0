/*
 * span: a borrowed run of octets, and the only code that moves over input. Pure.
 * A reader takes from the front: on false nothing moved. Lengths are compared, pointers never added first.
 */
#ifndef COMMON_SPAN_H
#define COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const uint8_t *p;	/* may be NULL when n is 0 */
	size_t n;
};

/* The octets of a C string without its NUL; NULL gives the empty span. */
struct span span_str(const char *s);
/* Take up to, and drop, the first delimiter; false when there is none. */
bool span_upto(struct span *in, char delim, struct span *out);
/* The same with the last delimiter. */
bool span_upto_last(struct span *in, char delim, struct span *out);
bool span_u64(struct span *in, uint64_t *out);
/* Octet for octet; not for secrets (secret_eq, CRYPTO_memcmp). */
bool span_eq(struct span a, struct span b);
bool span_eq_str(struct span a, const char *s);
/* ASCII letters compared without case. */
bool span_eq_nocase(struct span a, const char *s);
/* Blanks and tabs off both ends. */
struct span span_trim(struct span in);
/* Unsigned decimal, no sign, no blanks, no leading zero but "0" itself, at most max. */
bool span_decimal(struct span in, uint64_t max, uint64_t *out);
/* NUL-terminated copy into out[cap]; false if it does not fit or holds a NUL octet (out untouched). */
bool span_to_str(struct span in, char *out, size_t cap);

/* What parsers do with every field stands here, so that a walk over a message is not a call for each octet. */

/* n octets at p. */
static inline struct span
span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

/* Take n octets from the front of in. */
static inline bool
span_take(struct span *in, size_t n, struct span *out)
{
	if (n > in->n)		/* compare lengths; in->p + n could wrap */
		return false;
	*out = (struct span){ in->p, n };
	if (n > 0)		/* in->p may be NULL */
		in->p += n;
	in->n -= n;
	return true;
}

/* Big-endian integers from the front. */
static inline bool
span_u8(struct span *in, uint8_t *out)
{
	struct span s;

	if (!span_take(in, 1, &s))
		return false;
	*out = s.p[0];
	return true;
}

static inline bool
span_u16(struct span *in, uint16_t *out)
{
	struct span s;

	if (!span_take(in, 2, &s))
		return false;
	*out = (uint16_t)(s.p[0] << 8 | s.p[1]);
	return true;
}

static inline bool
span_u24(struct span *in, uint32_t *out)
{
	struct span s;

	if (!span_take(in, 3, &s))
		return false;
	*out = (uint32_t)s.p[0] << 16 | (uint32_t)s.p[1] << 8 | s.p[2];
	return true;
}

static inline bool
span_u32(struct span *in, uint32_t *out)
{
	struct span s;

	if (!span_take(in, 4, &s))
		return false;
	*out = (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 | s.p[3];
	return true;
}

#endif
