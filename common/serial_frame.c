#include "common/serial_frame.h"

#include <string.h>
#include <zlib.h>

#include "common/log.h"

#define FLAG 0x7e
#define ESC 0x7d
#define XON 0x11
#define XOFF 0x13
#define FLIP 0x20
#define HEADER_LEN 4
#define CRC_LEN 4

static const bool special[256] = { [FLAG] = true, [ESC] = true, [XON] = true, [XOFF] = true };

static uint8_t *
put(uint8_t *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (special[p[i]]) {
			*out++ = ESC;
			*out++ = p[i] ^ FLIP;
		} else {
			*out++ = p[i];
		}
	}
	return out;
}

size_t
serial_frame_print(const struct serial_frame *f, uint8_t out[static SERIAL_WIRE_MAX])
{
	uint8_t header[HEADER_LEN], check[CRC_LEN], *at = out;
	uint32_t crc;

	if (f->body.n > SERIAL_BODY_MAX || f->channel >= SERIAL_CHANNELS || f->kind < SERIAL_OPEN || f->kind > SERIAL_PING)
		log_fatal("serial: a frame out of its ranges");
	header[0] = (uint8_t)((f->listener ? 0x80 : 0) | (unsigned)f->kind << 4 | f->channel);
	header[1] = (uint8_t)(f->session >> 8);
	header[2] = (uint8_t)f->session;
	header[3] = f->seq;
	crc = (uint32_t)crc32(0, header, sizeof header);
	if (f->body.n > 0)
		crc = (uint32_t)crc32(crc, f->body.p, (uInt)f->body.n);
	for (int i = 0; i < CRC_LEN; i++)
		check[i] = (uint8_t)(crc >> (24 - 8 * i));
	*at++ = FLAG;
	at = put(at, header, sizeof header);
	at = put(at, f->body.p, f->body.n);
	at = put(at, check, sizeof check);
	*at++ = FLAG;
	return (size_t)(at - out);
}

/* What stands between two flags, or a piece of it. */
static void
take(struct serial_decoder *d, struct span in)
{
	bool escaped = d->escaped, damaged = d->damaged;
	size_t n = d->n;

	for (size_t i = 0; i < in.n; i++) {
		uint8_t b = in.p[i];

		if (b == XON || b == XOFF)
			continue;
		if (!escaped && b == ESC) {
			escaped = true;
			continue;
		}
		if (escaped) {
			b ^= FLIP;
			damaged = damaged || !special[b];
			escaped = false;
		}
		if (n == sizeof d->octets)
			damaged = true;
		else
			d->octets[n++] = b;
	}
	d->escaped = escaped;
	d->damaged = damaged;
	d->n = n;
}

/* A flag: is what stood before it a frame? */
static bool
finish(struct serial_decoder *d, struct serial_frame *out)
{
	struct span in = span_of(d->octets, d->n), body = span_of(NULL, 0);
	bool good = !d->damaged && !d->escaped, empty = good && d->n == 0;
	uint8_t first = 0, seq = 0;
	uint16_t session = 0;
	uint32_t crc = 0;

	good = good && d->n >= HEADER_LEN + CRC_LEN && span_u8(&in, &first) && span_u16(&in, &session) && span_u8(&in, &seq) &&
	    span_take(&in, in.n - CRC_LEN, &body) && span_u32(&in, &crc) &&
	    crc == (uint32_t)crc32(0, d->octets, (uInt)(d->n - CRC_LEN)) && (first >> 4 & 7) >= SERIAL_OPEN && (first >> 4 & 7) <= SERIAL_PING;
	d->n = 0;
	d->escaped = d->damaged = false;
	if (!good) {
		d->bad += !empty;
		return false;
	}
	*out = (struct serial_frame){ .listener = first & 0x80, .kind = (enum serial_kind)(first >> 4 & 7), .channel = first & 0x0f,
		.session = session, .seq = seq, .body = body };
	return true;
}

bool
serial_decoder_next(struct serial_decoder *d, struct span *in, struct serial_frame *out)
{
	struct span piece;

	while (span_upto(in, FLAG, &piece)) {
		take(d, piece);
		if (finish(d, out))
			return true;
	}
	take(d, *in);
	in->n = 0;
	return false;
}
