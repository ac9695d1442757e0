#include "common/hex.h"

void
hex_print(struct span in, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.n; i++) {
		*out++ = digits[in.p[i] >> 4];
		*out++ = digits[in.p[i] & 0xf];
	}
	*out = '\0';
}

/* 0..15, or -1. */
static int
digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum rc
hex_parse(struct span text, uint8_t *out, size_t n)
{
	if (text.n / 2 != n || text.n % 2 != 0)
		return RC_SYNTAX;
	for (size_t i = 0; i < text.n; i++) {
		if (digit(text.p[i]) < 0)
			return RC_SYNTAX;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(digit(text.p[2 * i]) << 4 | digit(text.p[2 * i + 1]));
	return RC_OK;
}

enum rc
hex_parse_secret(struct span text, size_t n, struct secret **out)
{
	struct secret *s = NULL;
	enum rc rc;

	if ((rc = secret_new(n, &s)) != RC_OK)
		return rc;
	if ((rc = hex_parse(text, secret_bytes(s), n)) != RC_OK) {
		secret_free(s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

bool
hex_is_lower(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (digit(text.p[i]) < 0 || (text.p[i] >= 'A' && text.p[i] <= 'F'))
			return false;
	}
	return text.n > 0;
}
