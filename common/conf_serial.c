#include "common/conf_serial.h"

#include "common/link_serial.h"

void
conf_serial_read(struct conf *c, cfg_t *s, struct link_serial_options *out)
{
	static const char *const flows[] = { "none", "rtscts", "xonxoff", NULL };
	static const enum link_flow flow[] = { LINK_FLOW_NONE, LINK_FLOW_RTSCTS, LINK_FLOW_XONXOFF };

	out->baud = (unsigned)conf_int(c, s, "baud", 1200, 4000000);
	if (!link_serial_baud_ok(out->baud))
		conf_complain(c, s, "baud", "%u: expected a rate of serial devices, such as 9600 19200 38400 57600 115200 230400 460800 921600",
		    out->baud);
	out->flow = flow[conf_word(c, s, "flow", flows)];
}
