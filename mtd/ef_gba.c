#include "mtd/ef_gba.h"

#include <string.h>

#include "mtd/tlv.h"

#define TAG_FIRST 0x80		/* NAF_ID; or the one text */
#define TAG_BTID 0x81
#define PAD 0xff

/* Nothing was ever written there. */
static bool
empty(struct span in)
{
	return in.n == 0 || in.p[0] == PAD || in.p[0] == 0x00;
}

static bool
take_field(struct span *in, struct span *out)
{
	uint8_t n;

	return span_u8(in, &n) && span_take(in, n, out);
}

/* A field that was not written yet: FF where its length would stand. */
static bool
take_later_field(struct span *in, struct span *out)
{
	*out = (struct span){ NULL, 0 };
	return in->n == 0 || in->p[0] == PAD || take_field(in, out);
}

enum rc
mt_ef_gbabp_parse(struct span in, struct mt_gbabp *out)
{
	struct mt_gbabp f;

	if (empty(in))
		return RC_NOTFOUND;
	if (!take_field(&in, &f.rand) || f.rand.n != MT_RAND_LEN || !take_later_field(&in, &f.btid) ||
	    !take_later_field(&in, &f.lifetime))
		return RC_SYNTAX;
	*out = f;
	return RC_OK;
}

enum rc
mt_ef_gbabp_print_tail(struct span btid, struct span lifetime, uint8_t *out, size_t cap, size_t *n)
{
	/* FF as a length is what an empty file has */
	if (btid.n >= PAD || lifetime.n >= PAD || 2 + btid.n + lifetime.n > cap)
		return RC_RANGE;
	out[0] = (uint8_t)btid.n;
	if (btid.n > 0)
		memcpy(out + 1, btid.p, btid.n);
	out[1 + btid.n] = (uint8_t)lifetime.n;
	if (lifetime.n > 0)
		memcpy(out + 2 + btid.n, lifetime.p, lifetime.n);
	*n = 2 + btid.n + lifetime.n;
	return RC_OK;
}

enum rc
mt_ef_gbanl_parse(struct span record, struct span *naf_id, struct span *btid)
{
	struct span id, b;
	uint16_t tag;

	if (empty(record))
		return RC_NOTFOUND;
	if (!mt_tlv_take(&record, &tag, &id) || tag != TAG_FIRST || id.n == 0 || !mt_tlv_take(&record, &tag, &b) || tag != TAG_BTID)
		return RC_SYNTAX;
	*naf_id = id;
	*btid = b;
	return RC_OK;
}

/* What o holds into the record. It was measured there: nothing is written half. */
static enum rc
fill(const struct mt_tlv_out *o, uint8_t *out, size_t n)
{
	if (!mt_tlv_fits(o) || o->n > n)
		return RC_RANGE;
	memset(out, PAD, n);
	memcpy(out, o->p, o->n);
	return RC_OK;
}

enum rc
mt_ef_gbanl_print(struct span naf_id, struct span btid, uint8_t *record, size_t n)
{
	uint8_t buf[256];
	struct mt_tlv_out o = { buf, sizeof buf, 0 };

	mt_tlv_put(&o, TAG_FIRST, naf_id);
	mt_tlv_put(&o, TAG_BTID, btid);
	return fill(&o, record, n);
}

enum rc
mt_ef_text_parse(struct span in, struct span *text)
{
	struct span t;
	uint16_t tag;

	if (empty(in))
		return RC_NOTFOUND;
	if (!mt_tlv_take(&in, &tag, &t) || tag != TAG_FIRST)
		return RC_SYNTAX;
	*text = t;
	return RC_OK;
}

enum rc
mt_ef_text_print(struct span text, uint8_t *out, size_t n)
{
	uint8_t buf[260];
	struct mt_tlv_out o = { buf, sizeof buf, 0 };

	mt_tlv_put(&o, TAG_FIRST, text);
	return fill(&o, out, n);
}

bool
mt_aid_is_isim(struct span aid)
{
	static const uint8_t isim[] = { 0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04 };
	struct span head;

	return span_take(&aid, sizeof isim, &head) && span_eq(head, (struct span){ isim, sizeof isim });
}
