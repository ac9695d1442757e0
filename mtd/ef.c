#include "mtd/ef.h"

#include <string.h>

#include "mtd/fcp.h"
#include "mtd/tlv.h"

#define TAG_APPLICATION 0x61
#define TAG_AID 0x4f
#define TAG_LABEL 0x50
#define FILL 0xf

/* Nibble i, the low half of each octet first. */
static uint8_t
nibble(struct span in, size_t i)
{
	return i % 2 == 0 ? in.p[i / 2] & 0xf : in.p[i / 2] >> 4;
}

static void
set_nibble(uint8_t *out, size_t i, uint8_t v)
{
	uint8_t b = out[i / 2];

	if (i % 2 == 0)
		out[i / 2] = (uint8_t)((b & 0xf0) | v);
	else
		out[i / 2] = (uint8_t)((b & 0x0f) | v << 4);
}

/* Decimal digits from nibble number first on; behind them nothing but fill. false: not so, or more than cap - 1. */
static bool
bcd(struct span in, size_t first, char *out, size_t cap)
{
	size_t n = 0, i = first;

	for (; i < 2 * in.n && nibble(in, i) <= 9; i++) {
		if (n + 1 >= cap)
			return false;
		out[n++] = (char)('0' + nibble(in, i));
	}
	out[n] = '\0';
	for (; i < 2 * in.n; i++) {
		if (nibble(in, i) != FILL)
			return false;
	}
	return true;
}

enum rc
mt_ef_iccid_parse(struct span in, struct iccid *out)
{
	char digits[ICCID_MAX + 1];

	if (in.n != MT_EF_ICCID_LEN || !bcd(in, 0, digits, sizeof digits))
		return RC_SYNTAX;
	return iccid_parse(span_str(digits), out);
}

void
mt_ef_iccid_print(const struct iccid *id, uint8_t out[static MT_EF_ICCID_LEN])
{
	memset(out, 0xff, MT_EF_ICCID_LEN);
	for (size_t i = 0; id->s[i] != '\0'; i++)
		set_nibble(out, i, (uint8_t)(id->s[i] - '0'));
}

/* Octet 1: how many follow. Then the type nibble: 001 and, as its highest bit, whether the count of digits is odd. */
enum rc
mt_ef_imsi_parse(struct span in, struct imsi *out)
{
	char digits[IMSI_MAX + 2];	/* one more than may be: 16 nibbles are in reach */
	struct span sig;
	uint8_t n, type;
	bool odd;

	if (!span_u8(&in, &n) || n == 0 || n > MT_EF_IMSI_LEN - 1 || !span_take(&in, n, &sig))
		return RC_SYNTAX;
	type = nibble(sig, 0);
	odd = (type & 8) != 0;
	if ((type & 7) != 1 || !bcd(sig, 1, digits, sizeof digits) || strlen(digits) % 2 != (odd ? 1 : 0) ||
	    strlen(digits) / 2 + 1 != n)
		return RC_SYNTAX;
	return imsi_parse(span_str(digits), out);
}

void
mt_ef_imsi_print(const struct imsi *imsi, uint8_t out[static MT_EF_IMSI_LEN])
{
	size_t n = strlen(imsi->s);

	memset(out, 0xff, MT_EF_IMSI_LEN);
	out[0] = (uint8_t)(n / 2 + 1);
	set_nibble(out + 1, 0, n % 2 != 0 ? 9 : 1);
	for (size_t i = 0; i < n; i++)
		set_nibble(out + 1, i + 1, (uint8_t)(imsi->s[i] - '0'));
}

enum rc
mt_ef_ad_parse(struct span in, unsigned *mnc_len)
{
	unsigned n;

	if (in.n < MT_EF_AD_LEN)
		return RC_NOTFOUND;
	n = in.p[3] & 0xf;
	if (n != 2 && n != 3)
		return RC_NOTFOUND;
	*mnc_len = n;
	return RC_OK;
}

void
mt_ef_ad_print(unsigned mnc_len, uint8_t out[static MT_EF_AD_LEN])
{
	const uint8_t ad[MT_EF_AD_LEN] = { 0x00, 0x00, 0x00, (uint8_t)mnc_len };	/* normal operation */

	memcpy(out, ad, sizeof ad);
}

bool
mt_ef_service(struct span ust, unsigned n)
{
	return n >= 1 && (n - 1) / 8 < ust.n && (ust.p[(n - 1) / 8] >> (n - 1) % 8 & 1) != 0;
}

enum rc
mt_ef_dir_parse(struct span record, struct span *aid, struct span *label)
{
	struct span app, a, l = { 0 };
	uint16_t tag;

	if (record.n == 0 || record.p[0] == 0xff || record.p[0] == 0x00)
		return RC_NOTFOUND;
	if (!mt_tlv_take(&record, &tag, &app) || tag != TAG_APPLICATION || !mt_tlv_find(app, TAG_AID, &a) || a.n == 0 || a.n > MT_AID_MAX)
		return RC_SYNTAX;
	mt_tlv_find(app, TAG_LABEL, &l);
	*aid = a;
	*label = l;
	return RC_OK;
}

enum rc
mt_ef_dir_print(struct span aid, struct span label, uint8_t *record, size_t n)
{
	uint8_t app[128];
	struct mt_tlv_out in = { app, sizeof app, 0 }, whole = { record, n, 0 };

	mt_tlv_put(&in, TAG_AID, aid);
	mt_tlv_put(&in, TAG_LABEL, label);
	if (!mt_tlv_fits(&in))
		return RC_RANGE;
	memset(record, 0xff, n);
	mt_tlv_put(&whole, TAG_APPLICATION, (struct span){ app, in.n });
	return mt_tlv_fits(&whole) ? RC_OK : RC_RANGE;
}

bool
mt_aid_is_usim(struct span aid)
{
	static const uint8_t usim[] = { 0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02 };
	struct span head;

	return span_take(&aid, sizeof usim, &head) && span_eq(head, (struct span){ usim, sizeof usim });
}
