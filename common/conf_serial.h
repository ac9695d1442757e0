/* conf_serial: the keys of a section whose address may be a serial line: baud, flow.                                U6 */
#ifndef COMMON_CONF_SERIAL_H
#define COMMON_CONF_SERIAL_H

#include "common/conf.h"
#include "common/link.h"

#define CONF_SERIAL_OPTIONS CFG_INT("baud", 115200, CFGF_NONE), CFG_STR("flow", "none", CFGF_NONE)

void conf_serial_read(struct conf *c, cfg_t *s, struct link_serial_options *out);

#endif
