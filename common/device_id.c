#include "common/device_id.h"

#include <stdio.h>
#include <string.h>

#include "common/hex.h"

static const char imei_prefix[] = "urn:gsma:imei:";

/* TAC 8 "-" serial 6 "-" check digit (RFC 7254), the last by Luhn's formula (TS 23.003 B). */
static bool
imei_ok(struct span s)
{
	unsigned sum = 0, k = 0;

	if (s.n != 17 || s.p[8] != '-' || s.p[15] != '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d;

		if (i == 8 || i == 15)
			continue;
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		d = (unsigned)(s.p[i] - '0');
		if (k++ % 2 == 1)
			d = 2 * d % 10 + 2 * d / 10;
		sum += d;
	}
	return sum % 10 == 0;
}

static bool
char_ok(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c != '\0' && strchr(":._-@+", c) != NULL);
}

enum rc
device_id_parse(struct span in, struct device_id *out)
{
	struct span rest = in, prefix;

	if (in.n > DEVICE_ID_MAX)
		return RC_RANGE;
	if (in.n == 0)
		return RC_SYNTAX;
	for (size_t i = 0; i < in.n; i++) {
		if (!char_ok(in.p[i]))
			return RC_SYNTAX;
	}
	if (span_take(&rest, sizeof imei_prefix - 1, &prefix) && span_eq_nocase(prefix, imei_prefix) && !imei_ok(rest))
		return RC_SYNTAX;
	return span_to_str(in, out->s, sizeof out->s) ? RC_OK : RC_SYNTAX;
}

enum rc
device_id_random(const struct rnd *rnd, struct device_id *out)
{
	uint8_t u[16];
	char h[33];
	enum rc rc;

	if ((rc = rnd_bytes(rnd, u, sizeof u)) != RC_OK)
		return rc;
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);		/* RFC 4122 4.4: version 4 */
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
	hex_print((struct span){ u, sizeof u }, h);
	snprintf(out->s, sizeof out->s, "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
	return RC_OK;
}

enum rc
mt_id_parse(struct span in, struct mt_id *out)
{
	if (in.n != MT_ID_LEN || !hex_is_lower(in) || !span_to_str(in, out->s, sizeof out->s))
		return RC_SYNTAX;
	return RC_OK;
}

static enum rc
random_hex(const struct rnd *rnd, size_t n, char *out)
{
	uint8_t b[MT_ID_LEN / 2];
	enum rc rc;

	if ((rc = rnd_bytes(rnd, b, n)) != RC_OK)
		return rc;
	hex_print((struct span){ b, n }, out);
	return RC_OK;
}

enum rc
mt_id_random(const struct rnd *rnd, struct mt_id *out)
{
	return random_hex(rnd, MT_ID_LEN / 2, out->s);
}

enum rc
run_id_parse(struct span in, struct run_id *out)
{
	if (in.n > RUN_ID_LEN || !hex_is_lower(in) || !span_to_str(in, out->s, sizeof out->s))
		return RC_SYNTAX;
	return RC_OK;
}

enum rc
run_id_random(const struct rnd *rnd, struct run_id *out)
{
	return random_hex(rnd, RUN_ID_LEN / 2, out->s);
}

bool
triple_eq(const struct triple *a, const struct triple *b)
{
	return naf_id_eq(&a->naf_id, &b->naf_id) && strcmp(a->btid.s, b->btid.s) == 0 &&
	    strcmp(a->device_id.s, b->device_id.s) == 0;
}
