/*
 * link_serial: the scheme "serial:/dev/path" of the real network: channels of a serial line (serial_line.h) as links.      U1, U6, U8
 * Any tty will do: a cable (/dev/ttyS0, ttyUSB0), USB CDC-ACM (ttyACM0), Bluetooth (rfcomm0), IrDA (ircomm0), a pty.
 * One end listens (the MT), the other connects (the device); all of a process that use one device share it, in one role.
 *
 * A listener keeps opening a device that is not there, 0.1 s to 2 s apart; a connection to one ends with REASON_LINK_SERIAL_OPEN.
 * A device that goes (hang-up, unplugged) ends its channels with REASON_LINK_SERIAL_GONE. The device is ours alone (flock, TIOCEXCL).
 * A channel has no half: half_open is of no effect but in TLS, whose streams end one way by themselves.
 */
#ifndef COMMON_LINK_SERIAL_H
#define COMMON_LINK_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/link.h"
#include "common/serial_line.h"

#define LINK_SERIAL_BAUD 115200
#define LINK_SERIAL_DEVICES_MAX 64	/* of a network */

/* termios has such a rate (0 = the default). */
bool link_serial_baud_ok(uint64_t baud);

/* For status: a device that is in use. */
struct link_serial_status {
	char path[128];
	bool listener;
	bool open;			/* the device is there */
	size_t channels;
	uint64_t octets_in, octets_out;	/* of the line, frames and all */
	struct serial_stats stats;
};
/* Fills up to cap of out; returns how many there are. */
size_t link_serial_get_status(const struct link_net *net, struct link_serial_status *out, size_t cap);

#endif
