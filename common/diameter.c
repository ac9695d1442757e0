/* diameter: header and AVPs from octets, and the typed values in them. */
#include "common/diameter.h"

#include <string.h>

#define NTP_1970 2208988800		/* seconds from 1900 to 1970 */
#define NTP_ERA ((int64_t)1 << 32)	/* 2036-02-07 06:28:16, where the 32 bits begin anew */
#define NTP_FIRST ((int64_t)1 << 31)	/* the earliest value that has the top bit */

/* --- messages */

enum rc
dia_frame(struct span in, size_t *len)
{
	uint8_t version;
	uint32_t n;

	if (in.n < 4 || !span_u8(&in, &version) || !span_u24(&in, &n))
		return RC_NOTFOUND;
	if (version != 1)
		return RC_SYNTAX;
	if (n < DIA_HDR_LEN || n % 4 != 0 || n > DIA_MSG_MAX)
		return RC_RANGE;
	*len = n;
	return RC_OK;
}

bool
dia_peek(struct span in, struct dia_hdr *out)
{
	struct dia_hdr h;
	uint8_t version;

	if (!span_u8(&in, &version) || !span_u24(&in, &h.len) || !span_u8(&in, &h.flags) || !span_u24(&in, &h.cmd) ||
	    !span_u32(&in, &h.app) || !span_u32(&in, &h.hbh) || !span_u32(&in, &h.e2e))
		return false;
	*out = h;
	return true;
}

enum rc
dia_parse(struct span in, struct dia_msg *out)
{
	struct dia_msg m = { .whole = in };
	struct span rest = in, header;
	size_t len;
	enum rc rc;

	if ((rc = dia_frame(in, &len)) != RC_OK)
		return rc == RC_NOTFOUND ? RC_RANGE : rc;
	if (len != in.n || !dia_peek(in, &m.hdr) || !span_take(&rest, DIA_HDR_LEN, &header))
		return RC_RANGE;
	m.avps = rest;
	*out = m;
	return RC_OK;
}

/* --- AVPs */

/*
 * The AVP whose length is wrong: Failed-AVP shows its header; dia_fault_avp() gives it zeros of its type's smallest length.
 */
static enum rc
bad_length(struct dia_fault *fault, const struct dia_avp *a, const char *how)
{
	if (fault != NULL)
		dia_fault_avp(fault, DIA_INVALID_AVP_LENGTH, a, "AVP %u: %s", (unsigned)a->code, how);
	return RC_SYNTAX;
}

enum rc
dia_next(struct span *avps, struct dia_avp *out, struct dia_fault *fault)
{
	struct span in = *avps, pad;
	struct dia_avp a = { 0 };
	uint32_t len, hdr = 8;

	if (in.n == 0)
		return RC_NOTFOUND;
	if (!span_u32(&in, &a.code) || !span_u8(&in, &a.flags) || !span_u24(&in, &len)) {
		if (fault != NULL)
			dia_fault_set(fault, DIA_INVALID_AVP_LENGTH, "%zu octets after the last AVP", avps->n);
		return RC_SYNTAX;
	}
	if (a.flags & DIA_AVP_V) {
		hdr = 12;
		if (!span_u32(&in, &a.vendor))
			return bad_length(fault, &a, "ends inside its header");
	}
	if (len < hdr)
		return bad_length(fault, &a, "length is less than its header's");
	if (!span_take(&in, len - hdr, &a.data))
		return bad_length(fault, &a, "length is more than what is there");
	a.raw = span_of(avps->p, len);
	if (!span_take(&in, (4 - len % 4) % 4, &pad))
		return bad_length(fault, &a, "is not padded");
	if ((a.flags & DIA_AVP_V) && a.vendor == 0) {
		if (fault != NULL)
			dia_fault_avp(fault, DIA_INVALID_AVP_BITS, &a, "AVP %u: V is set and the vendor is 0", (unsigned)a.code);
		return RC_SYNTAX;
	}
	*avps = in;
	*out = a;
	return RC_OK;
}

bool
dia_avp_is(const struct dia_avp *a, enum dia_id id)
{
	const struct dia_avp_def *d = dia_def(id);

	return a->code == d->code && a->vendor == d->vendor;
}

bool
dia_find(struct span avps, enum dia_id id, struct dia_avp *out)
{
	struct dia_avp a;

	while (dia_next(&avps, &a, NULL) == RC_OK) {
		if (dia_avp_is(&a, id)) {
			*out = a;
			return true;
		}
	}
	return false;
}

/* --- the index */

void
dia_index_begin(struct dia_index *ix, struct span avps)
{
	*ix = (struct dia_index){ .avps = avps };
}

void
dia_index_add(struct dia_index *ix, enum dia_id id, const struct dia_avp *a)
{
	size_t at = (size_t)(a->raw.p - ix->avps.p) + 1;

	if (id == DIA_ID_COUNT || at > UINT16_MAX)
		return;
	if (ix->at[id] == 0)
		ix->at[id] = (uint16_t)at;
	else
		ix->more |= UINT64_C(1) << id;
}

enum rc
dia_index(struct span avps, struct dia_index *out, struct dia_fault *fault)
{
	struct span rest = avps;
	struct dia_avp a;
	enum rc rc;

	dia_index_begin(out, avps);
	while ((rc = dia_next(&rest, &a, fault)) == RC_OK)
		dia_index_add(out, dia_id_of(a.code, a.vendor), &a);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* What stands from at[id] on. */
static bool
from_first(const struct dia_index *ix, enum dia_id id, struct span *rest)
{
	struct span before;

	*rest = ix->avps;
	return ix->at[id] != 0 && span_take(rest, ix->at[id] - 1u, &before);
}

bool
dia_first(const struct dia_index *ix, enum dia_id id, struct dia_avp *out)
{
	struct span rest;

	return from_first(ix, id, &rest) && dia_next(&rest, out, NULL) == RC_OK;
}

bool
dia_second(const struct dia_index *ix, enum dia_id id, struct dia_avp *out)
{
	struct span rest;
	struct dia_avp first;

	return (ix->more >> id & 1) != 0 && from_first(ix, id, &rest) && dia_next(&rest, &first, NULL) == RC_OK &&
	    dia_find(rest, id, out);
}

/* --- typed values */

enum rc
dia_get_u32(const struct dia_avp *a, uint32_t *out)
{
	struct span d = a->data;

	if (d.n != 4 || !span_u32(&d, out))
		return RC_SYNTAX;
	return RC_OK;
}

/* One character of well-formed UTF-8 (RFC 3629 4) off the front: no control character, nothing overlong, no surrogate. */
static bool
utf8_take(struct span *in)
{
	static const uint32_t least[] = { 0x20, 0x80, 0x800, 0x10000 };
	uint32_t c, more;
	uint8_t b;

	if (!span_u8(in, &b))
		return false;
	if (b >= 0x20 && b < 0x7f)	/* nearly all are such */
		return true;
	more = b < 0x80 ? 0 : b < 0xc0 ? 4 : b < 0xe0 ? 1 : b < 0xf0 ? 2 : b < 0xf8 ? 3 : 4;
	if (more == 4)
		return false;
	c = more == 0 ? b : b & (0x3fu >> more);
	for (uint32_t i = 0; i < more; i++) {
		if (!span_u8(in, &b) || (b & 0xc0) != 0x80)
			return false;
		c = c << 6 | (b & 0x3f);
	}
	return c >= least[more] && c <= 0x10ffff && (c < 0x7f || c > 0x9f) && (c < 0xd800 || c > 0xdfff);
}

bool
dia_text_ok(struct span text)
{
	while (text.n > 0)
		if (!utf8_take(&text))
			return false;
	return true;
}

enum rc
dia_get_text(const struct dia_avp *a, char *out, size_t cap)
{
	if (!dia_text_ok(a->data))
		return RC_SYNTAX;
	return span_to_str(a->data, out, cap) ? RC_OK : RC_RANGE;
}

/* A letter in lower case, a digit, '-', '_', '.'; 0: not in a name. */
static char
name_char(uint8_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')
		return (char)c;
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : 0;
}

enum rc
dia_get_ident(const struct dia_avp *a, char out[static FQDN_MAX + 1])
{
	char id[FQDN_MAX + 1], before = '.';

	if (a->data.n == 0)
		return RC_SYNTAX;
	if (a->data.n > FQDN_MAX)
		return RC_RANGE;
	for (size_t i = 0; i < a->data.n; before = id[i++]) {
		id[i] = name_char(a->data.p[i]);
		if (id[i] == 0 || (id[i] == '.' && before == '.'))
			return RC_SYNTAX;
	}
	if (before == '.')
		return RC_SYNTAX;
	memcpy(out, id, a->data.n);
	out[a->data.n] = '\0';
	return RC_OK;
}

int64_t
dia_time_to_utc(uint32_t ntp)
{
	return (int64_t)ntp - NTP_1970 + (ntp < NTP_FIRST ? NTP_ERA : 0);
}

enum rc
dia_time_from_utc(int64_t s, uint32_t *out)
{
	if (s < NTP_FIRST - NTP_1970 || s >= NTP_ERA + NTP_FIRST - NTP_1970)
		return RC_RANGE;
	*out = (uint32_t)((s + NTP_1970) % NTP_ERA);
	return RC_OK;
}

enum rc
dia_get_time(const struct dia_avp *a, int64_t *out_s)
{
	uint32_t ntp;
	enum rc rc;

	if ((rc = dia_get_u32(a, &ntp)) == RC_OK)
		*out_s = dia_time_to_utc(ntp);
	return rc;
}
