#include "common/span.h"

#include <string.h>

struct span
span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, s == NULL ? 0 : strlen(s) };
}

/* Split at octet i, which is dropped. */
static void
split(struct span *in, size_t i, struct span *out)
{
	*out = (struct span){ in->p, i };
	in->p += i + 1;
	in->n -= i + 1;
}

bool
span_upto(struct span *in, char delim, struct span *out)
{
	for (size_t i = 0; i < in->n; i++) {
		if (in->p[i] == (uint8_t)delim) {
			split(in, i, out);
			return true;
		}
	}
	return false;
}

bool
span_upto_last(struct span *in, char delim, struct span *out)
{
	for (size_t i = in->n; i > 0; i--) {
		if (in->p[i - 1] == (uint8_t)delim) {
			split(in, i - 1, out);
			return true;
		}
	}
	return false;
}

bool
span_u64(struct span *in, uint64_t *out)
{
	struct span s;

	if (!span_take(in, 8, &s))
		return false;
	*out = 0;
	for (size_t i = 0; i < s.n; i++)
		*out = *out << 8 | s.p[i];
	return true;
}

bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
span_eq_str(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool
span_eq_nocase(struct span a, const char *s)
{
	struct span b = span_str(s);

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

static bool
blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

struct span
span_trim(struct span in)
{
	while (in.n > 0 && blank(in.p[0])) {
		in.p++;
		in.n--;
	}
	while (in.n > 0 && blank(in.p[in.n - 1]))
		in.n--;
	return in;
}

bool
span_decimal(struct span in, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (in.n == 0 || (in.n > 1 && in.p[0] == '0'))
		return false;
	for (size_t i = 0; i < in.n; i++) {
		uint64_t d;

		if (in.p[i] < '0' || in.p[i] > '9')
			return false;
		d = (uint64_t)(in.p[i] - '0');
		if (d > max || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

bool
span_to_str(struct span in, char *out, size_t cap)
{
	if (in.n >= cap || (in.n > 0 && memchr(in.p, 0, in.n) != NULL))
		return false;
	if (in.n > 0)
		memcpy(out, in.p, in.n);
	out[in.n] = '\0';
	return true;
}
