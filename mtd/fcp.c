#include "mtd/fcp.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "mtd/tlv.h"

#define TAG_FCP 0x62
#define TAG_SIZE 0x80
#define TAG_DESCRIPTOR 0x82
#define TAG_FID 0x83
#define TAG_AID 0x84
#define TAG_SFI 0x88
#define TAG_LIFE_CYCLE 0x8a
#define TAG_SECURITY 0x8c
#define TAG_PIN_STATUS 0xc6

#define SHAREABLE 0x40
#define CODING 0x21		/* data coding octet that goes with descriptors */
#define ACTIVATED 0x05

/* Descriptor octet without the shareable bit. */
static const struct {
	uint8_t octet;
	enum mt_file_kind kind;
} kinds[] = { { 0x38, MT_FILE_DF }, { 0x01, MT_FILE_TRANSPARENT }, { 0x02, MT_FILE_LINEAR } };
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static bool
parse_descriptor(struct span d, struct mt_fcp *f)
{
	uint8_t octet, coding, zero;

	if (!span_u8(&d, &octet))
		return false;
	for (size_t i = 0; i < N_KINDS; i++) {
		if (kinds[i].octet != (octet & ~SHAREABLE))
			continue;
		f->kind = kinds[i].kind;
		if (f->kind != MT_FILE_LINEAR)
			return true;
		/* coding, record length in two octets, number of records */
		return span_u8(&d, &coding) && span_u8(&d, &zero) && zero == 0 && span_u8(&d, &f->record_len) && f->record_len > 0 &&
		    span_u8(&d, &f->records);
	}
	return false;
}

enum rc
mt_fcp_parse(struct span in, struct mt_fcp *out)
{
	struct mt_fcp f = { 0 };
	struct span all, v;
	uint16_t tag;

	if (!mt_tlv_take(&in, &tag, &all) || tag != TAG_FCP || !mt_tlv_find(all, TAG_DESCRIPTOR, &v) || !parse_descriptor(v, &f))
		return RC_SYNTAX;
	if (mt_tlv_find(all, TAG_FID, &v) && (!span_u16(&v, &f.fid) || v.n != 0))
		return RC_SYNTAX;
	if (f.kind == MT_FILE_TRANSPARENT && (!mt_tlv_find(all, TAG_SIZE, &v) || !span_u16(&v, &f.size) || v.n != 0))
		return RC_SYNTAX;
	if (mt_tlv_find(all, TAG_SFI, &v) && v.n == 1)
		f.sfi = v.p[0] >> 3;
	if (mt_tlv_find(all, TAG_AID, &v)) {
		if (v.n == 0 || v.n > MT_AID_MAX)
			return RC_SYNTAX;
		memcpy(f.aid, v.p, v.n);
		f.aid_len = (uint8_t)v.n;
	}
	*out = f;
	return RC_OK;
}

static void
put_descriptor(struct mt_tlv_out *o, const struct mt_fcp *f)
{
	uint8_t d[5] = { 0, CODING, 0, f->record_len, f->records };

	for (size_t i = 0; i < N_KINDS; i++) {
		if (kinds[i].kind == f->kind)
			d[0] = (uint8_t)(kinds[i].octet | SHAREABLE);
	}
	mt_tlv_put(o, TAG_DESCRIPTOR, (struct span){ d, f->kind == MT_FILE_LINEAR ? 5 : 2 });
}

size_t
mt_fcp_print(const struct mt_fcp *f, uint8_t out[static MT_FCP_MAX])
{
	/* access mode: b2 UPDATE, b1 READ; their conditions follow, the highest bit's first (ISO 7816-4 5.4.3.1) */
	const uint8_t security[] = { 0x03, f->update_sc, f->read_sc };
	/* PIN 1 on or off; its key reference (TS 102 221 9.5.2) */
	const uint8_t pin[] = { 0x90, 0x01, f->pin_on ? 0x80 : 0x00, 0x83, 0x01, 0x01 };
	uint8_t buf[MT_FCP_MAX];
	struct mt_tlv_out in = { buf, sizeof buf, 0 }, whole = { out, MT_FCP_MAX, 0 };

	put_descriptor(&in, f);
	mt_tlv_put_u16(&in, TAG_FID, f->fid);
	if (f->aid_len > 0)
		mt_tlv_put(&in, TAG_AID, (struct span){ f->aid, f->aid_len });
	mt_tlv_put_u8(&in, TAG_LIFE_CYCLE, ACTIVATED);
	mt_tlv_put(&in, TAG_SECURITY, (struct span){ security, sizeof security });
	if (f->kind == MT_FILE_DF)
		mt_tlv_put(&in, TAG_PIN_STATUS, (struct span){ pin, sizeof pin });
	if (f->kind == MT_FILE_TRANSPARENT)
		mt_tlv_put_u16(&in, TAG_SIZE, f->size);
	if (f->kind == MT_FILE_LINEAR)
		mt_tlv_put_u16(&in, TAG_SIZE, (uint16_t)(f->record_len * f->records));
	if (f->sfi > 0)
		mt_tlv_put_u8(&in, TAG_SFI, (uint8_t)(f->sfi << 3));
	mt_tlv_put(&whole, TAG_FCP, (struct span){ buf, in.n });
	assert(mt_tlv_fits(&in) && mt_tlv_fits(&whole));
	return whole.n;
}
