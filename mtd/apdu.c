#include "mtd/apdu.h"

#include <assert.h>
#include <string.h>

#define LE_ALL 256

enum rc
mt_apdu_parse(struct span in, struct mt_command *out)
{
	struct mt_command c = { 0 };
	uint8_t p3, le;

	if (!span_u8(&in, &c.cla) || !span_u8(&in, &c.ins) || !span_u8(&in, &c.p1) || !span_u8(&in, &c.p2))
		return RC_SYNTAX;
	if (in.n == 0)				/* case 1 */
		goto out;
	if (!span_u8(&in, &p3))
		return RC_SYNTAX;
	if (in.n == 0) {			/* case 2: P3 is Le */
		c.le = p3 == 0 ? LE_ALL : p3;
		goto out;
	}
	if (p3 == 0 || !span_take(&in, p3, &c.data))	/* 00 here would begin an extended length */
		return RC_SYNTAX;
	if (in.n == 0)				/* case 3 */
		goto out;
	if (!span_u8(&in, &le) || in.n != 0)	/* case 4 */
		return RC_SYNTAX;
	c.le = le == 0 ? LE_ALL : le;
out:
	*out = c;
	return RC_OK;
}

enum rc
mt_apdu_print(const struct mt_command *c, struct mt_apdu *out)
{
	struct mt_apdu a = { { c->cla, c->ins, c->p1, c->p2 }, 4 };

	if (c->data.n > 255 || c->le > LE_ALL)
		return RC_RANGE;
	if (c->data.n > 0) {
		a.b[a.n++] = (uint8_t)c->data.n;
		memcpy(a.b + a.n, c->data.p, c->data.n);
		a.n += c->data.n;
	}
	if (c->le > 0)
		a.b[a.n++] = (uint8_t)c->le;
	*out = a;
	return RC_OK;
}

/* For commands of ours, whose lengths are right. */
static void
build(uint8_t ins, uint8_t p1, uint8_t p2, struct span data, unsigned le, struct mt_apdu *out)
{
	const struct mt_command c = { 0x00, ins, p1, p2, data, le };
	enum rc rc = mt_apdu_print(&c, out);

	assert(rc == RC_OK);
	(void)rc;
}

void
mt_apdu_select_aid(struct span aid, struct mt_apdu *out)
{
	build(MT_INS_SELECT, 0x04, 0x04, aid, LE_ALL, out);
}

void
mt_apdu_select_fid(uint16_t fid, struct mt_apdu *out)
{
	const uint8_t b[2] = { (uint8_t)(fid >> 8), (uint8_t)fid };

	build(MT_INS_SELECT, 0x00, 0x04, (struct span){ b, 2 }, LE_ALL, out);
}

void
mt_apdu_read_binary(uint16_t offset, unsigned n, struct mt_apdu *out)
{
	build(MT_INS_READ_BINARY, (uint8_t)(offset >> 8 & 0x7f), (uint8_t)offset, (struct span){ 0 }, n, out);
}

void
mt_apdu_read_record(uint8_t record, uint8_t n, struct mt_apdu *out)
{
	build(MT_INS_READ_RECORD, record, 0x04, (struct span){ 0 }, n, out);
}

void
mt_apdu_verify(const char *pin, struct mt_apdu *out)
{
	uint8_t b[MT_PIN_LEN];
	struct span digits = span_str(pin);

	memset(b, 0xff, sizeof b);
	memcpy(b, digits.p != NULL ? digits.p : b, digits.n < sizeof b ? digits.n : sizeof b);
	build(MT_INS_VERIFY, 0x00, 0x01, (struct span){ b, pin == NULL ? 0 : sizeof b }, 0, out);
}

void
mt_apdu_authenticate(const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN], struct mt_apdu *out)
{
	uint8_t b[1 + AKA_RAND_LEN + 1 + AKA_AUTN_LEN];

	b[0] = AKA_RAND_LEN;
	memcpy(b + 1, rand, AKA_RAND_LEN);
	b[1 + AKA_RAND_LEN] = AKA_AUTN_LEN;
	memcpy(b + 2 + AKA_RAND_LEN, autn, AKA_AUTN_LEN);
	build(MT_INS_AUTHENTICATE, 0x00, MT_AUTH_3G, (struct span){ b, sizeof b }, LE_ALL, out);
}

void
mt_apdu_gba_bootstrap(const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN], struct mt_apdu *out)
{
	uint8_t b[2 + AKA_RAND_LEN + 1 + AKA_AUTN_LEN] = { MT_TAG_BOOTSTRAP, AKA_RAND_LEN };

	memcpy(b + 2, rand, AKA_RAND_LEN);
	b[2 + AKA_RAND_LEN] = AKA_AUTN_LEN;
	memcpy(b + 3 + AKA_RAND_LEN, autn, AKA_AUTN_LEN);
	build(MT_INS_AUTHENTICATE, 0x00, MT_AUTH_GBA, (struct span){ b, sizeof b }, LE_ALL, out);
}

enum rc
mt_apdu_gba_naf(struct span naf_id, struct span impi, struct mt_apdu *out)
{
	uint8_t b[255];

	if (naf_id.n == 0 || impi.n == 0 || naf_id.n > sizeof b - 3 || impi.n > sizeof b - 3 - naf_id.n)
		return RC_RANGE;
	b[0] = MT_TAG_NAF;
	b[1] = (uint8_t)naf_id.n;
	memcpy(b + 2, naf_id.p, naf_id.n);
	b[2 + naf_id.n] = (uint8_t)impi.n;
	memcpy(b + 3 + naf_id.n, impi.p, impi.n);
	build(MT_INS_AUTHENTICATE, 0x00, MT_AUTH_GBA, (struct span){ b, 3 + naf_id.n + impi.n }, LE_ALL, out);
	return RC_OK;
}

enum rc
mt_apdu_update_binary(uint16_t offset, struct span data, struct mt_apdu *out)
{
	if (data.n == 0 || data.n > 255 || offset > 0x7fff)
		return RC_RANGE;
	build(MT_INS_UPDATE_BINARY, (uint8_t)(offset >> 8), (uint8_t)offset, data, 0, out);
	return RC_OK;
}

void
mt_apdu_get_response(unsigned n, struct mt_apdu *out)
{
	build(MT_INS_GET_RESPONSE, 0x00, 0x00, (struct span){ 0 }, n, out);
}

enum rc
mt_apdu_with_le(struct mt_apdu *a, uint8_t le)
{
	struct mt_command c;

	if (mt_apdu_parse((struct span){ a->b, a->n }, &c) != RC_OK || c.le == 0)
		return RC_RANGE;
	a->b[a->n - 1] = le;
	return RC_OK;
}

bool
mt_sw_ok(uint16_t sw)
{
	return sw == MT_SW_OK || sw >> 8 == 0x91;
}

bool
mt_sw_tries(uint16_t sw, unsigned *left)
{
	if (sw == MT_SW_BLOCKED) {
		*left = 0;
		return true;
	}
	if ((sw & 0xfff0) != 0x63c0)
		return false;
	*left = sw & 0xf;
	return true;
}

/* One octet of length, then so many; between least and most. */
static bool
take_field(struct span *in, size_t least, size_t most, struct span *out)
{
	uint8_t n;

	return span_u8(in, &n) && n >= least && n <= most && span_take(in, n, out);
}

enum rc
mt_auth_parse(struct span in, struct mt_auth_answer *out)
{
	struct mt_auth_answer a = { 0 };
	struct span kc;
	uint8_t tag;

	if (!span_u8(&in, &tag))
		return RC_SYNTAX;
	switch (tag) {
	case MT_TAG_AUTH_OK:
		if (!take_field(&in, 4, 16, &a.res) || !take_field(&in, 16, 16, &a.ck) || !take_field(&in, 16, 16, &a.ik))
			return RC_SYNTAX;
		if (in.n > 0 && !take_field(&in, 8, 8, &kc))	/* service 27; not ours to use */
			return RC_SYNTAX;
		break;
	case MT_TAG_AUTH_SYNC:
		a.sync_failure = true;
		if (!take_field(&in, AKA_AUTS_LEN, AKA_AUTS_LEN, &a.auts))
			return RC_SYNTAX;
		break;
	default:
		return RC_SYNTAX;
	}
	if (in.n > 0)
		return RC_SYNTAX;
	*out = a;
	return RC_OK;
}

enum rc
mt_gba_bootstrap_parse(struct span in, struct mt_auth_answer *out)
{
	struct mt_auth_answer a = { 0 };
	uint8_t tag;

	if (!span_u8(&in, &tag))
		return RC_SYNTAX;
	a.sync_failure = tag == MT_TAG_AUTH_SYNC;
	if (!a.sync_failure && tag != MT_TAG_AUTH_OK)
		return RC_SYNTAX;
	if (!(a.sync_failure ? take_field(&in, AKA_AUTS_LEN, AKA_AUTS_LEN, &a.auts) : take_field(&in, 4, 16, &a.res)) || in.n > 0)
		return RC_SYNTAX;
	*out = a;
	return RC_OK;
}

enum rc
mt_gba_naf_parse(struct span in, struct span *ks_ext_naf)
{
	struct span key;
	uint8_t tag;

	if (!span_u8(&in, &tag) || tag != MT_TAG_AUTH_OK || !take_field(&in, KS_LEN, KS_LEN, &key) || in.n > 0)
		return RC_SYNTAX;
	*ks_ext_naf = key;
	return RC_OK;
}
