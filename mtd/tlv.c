#include "mtd/tlv.h"

#include <string.h>

/* ISO 7816-4 5.2.2.1: 1F in the low bits of the first octet says that another follows. */
static bool
take_tag(struct span *in, uint16_t *tag)
{
	uint8_t a, b;

	if (!span_u8(in, &a))
		return false;
	*tag = a;
	if ((a & 0x1f) != 0x1f)
		return a != 0x00 && a != 0xff;		/* both are padding */
	if (!span_u8(in, &b) || (b & 0x80) != 0 || a == 0xff)
		return false;
	*tag = (uint16_t)(a << 8 | b);
	return true;
}

static bool
take_length(struct span *in, size_t *n)
{
	uint16_t two;
	uint8_t one;

	if (!span_u8(in, &one))
		return false;
	*n = one;
	if (one < 0x80)
		return true;
	if (one == 0x81) {
		if (!span_u8(in, &one))
			return false;
		*n = one;
		return true;
	}
	if (one != 0x82 || !span_u16(in, &two))
		return false;
	*n = two;
	return true;
}

bool
mt_tlv_take(struct span *in, uint16_t *tag, struct span *value)
{
	struct span rest = *in, v;
	uint16_t t;
	size_t n;

	if (!take_tag(&rest, &t) || !take_length(&rest, &n) || !span_take(&rest, n, &v))
		return false;
	*in = rest;
	*tag = t;
	*value = v;
	return true;
}

bool
mt_tlv_find(struct span in, uint16_t tag, struct span *value)
{
	struct span v;
	uint16_t t;

	while (mt_tlv_take(&in, &t, &v)) {
		if (t == tag) {
			*value = v;
			return true;
		}
	}
	return false;
}

static void
put(struct mt_tlv_out *o, const uint8_t *p, size_t n)
{
	if (o->n <= o->cap && n <= o->cap - o->n && n > 0)
		memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void
put_octet(struct mt_tlv_out *o, unsigned v)
{
	uint8_t b = (uint8_t)v;

	put(o, &b, 1);
}

void
mt_tlv_put(struct mt_tlv_out *o, uint16_t tag, struct span value)
{
	if (value.n > 0xffff) {
		o->n = o->cap + 1;
		return;
	}
	if (tag > 0xff)
		put_octet(o, tag >> 8);
	put_octet(o, tag & 0xff);
	if (value.n > 0xff) {
		put_octet(o, 0x82);
		put_octet(o, (unsigned)(value.n >> 8));
	} else if (value.n > 0x7f) {
		put_octet(o, 0x81);
	}
	put_octet(o, (unsigned)(value.n & 0xff));
	put(o, value.p, value.n);
}

void
mt_tlv_put_u8(struct mt_tlv_out *o, uint16_t tag, uint8_t v)
{
	mt_tlv_put(o, tag, (struct span){ &v, 1 });
}

void
mt_tlv_put_u16(struct mt_tlv_out *o, uint16_t tag, uint16_t v)
{
	const uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	mt_tlv_put(o, tag, (struct span){ b, 2 });
}

bool
mt_tlv_fits(const struct mt_tlv_out *o)
{
	return o->n <= o->cap;
}
