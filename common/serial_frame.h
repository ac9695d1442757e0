/*
 * serial_frame: what goes over a serial line: frames between flags, each with a check of its own. Pure.               U6
 *
 *	7E  header  0..1,024 octets  CRC-32  7E             7D X: X exclusive-or 20, for 7E 7D 11 13 between the flags
 *	    header:  1 octet   role bit (80: the listening end's), kind (bits 4-6), channel (bits 0-3)
 *	             2 octets  session, big-endian
 *	             1 octet   sequence number
 *	    CRC-32:  that of IEEE 802.3 over header and octets, by zlib's crc32(), big-endian
 *
 * 11 and 13 are flow control: one that comes unescaped is the line's, no part of a frame.
 */
#ifndef COMMON_SERIAL_FRAME_H
#define COMMON_SERIAL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

#define SERIAL_BODY_MAX 1024
#define SERIAL_CHANNELS 16
#define SERIAL_WIRE_MAX (2 + 2 * (4 + SERIAL_BODY_MAX + 4))	/* octets of a frame, all of them escaped */

enum serial_kind { SERIAL_OPEN = 1, SERIAL_OPEN_OK, SERIAL_DATA, SERIAL_ACK, SERIAL_CLOSE, SERIAL_PING };

struct serial_frame {
	bool listener;			/* the role bit */
	enum serial_kind kind;
	uint8_t channel;		/* 0..15 */
	uint16_t session;
	uint8_t seq;
	struct span body;		/* decoded: the decoder's, until it is called again */
};

/* How many octets of out it takes. Members in their ranges, or it aborts: our own bug. */
size_t serial_frame_print(const struct serial_frame *f, uint8_t out[static SERIAL_WIRE_MAX]);

/* Begins as all zeros. Fed in pieces of any size; after garbage it finds the next frame by its flag. */
struct serial_decoder {
	uint64_t bad;			/* what stood between two flags and was no frame: damaged, too long, of no kind */
	size_t n;
	bool escaped, damaged;
	uint8_t octets[4 + SERIAL_BODY_MAX + 4];
};
/* Takes from in up to the end of the next frame; false: in is used up and none ended. */
bool serial_decoder_next(struct serial_decoder *d, struct span *in, struct serial_frame *out);

#endif
