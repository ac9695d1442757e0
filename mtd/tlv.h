/* mt_tlv: BER-TLV as cards use it (usim-gba.md 1): tags of one or two octets, definite lengths below 65536. Pure. */
#ifndef MTD_TLV_H
#define MTD_TLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

/* Take one object from the front. false: in is empty, or what stands there is no object; in is then untouched. */
bool mt_tlv_take(struct span *in, uint16_t *tag, struct span *value);
/* The first object with this tag; false when there is none before the end or the first thing that is no object. */
bool mt_tlv_find(struct span in, uint16_t tag, struct span *value);

/* Written from the front; n passes cap when it does not fit, and what was written is then not to be used. */
struct mt_tlv_out {
	uint8_t *p;
	size_t cap, n;
};
void mt_tlv_put(struct mt_tlv_out *o, uint16_t tag, struct span value);
void mt_tlv_put_u8(struct mt_tlv_out *o, uint16_t tag, uint8_t v);
void mt_tlv_put_u16(struct mt_tlv_out *o, uint16_t tag, uint16_t v);
bool mt_tlv_fits(const struct mt_tlv_out *o);

#endif
