/* conf_int: what conf.c and conf_use.c share. Nobody else includes it. */
#ifndef MTD_CONF_INT_H
#define MTD_CONF_INT_H

#include "mtd/conf.h"

extern cfg_opt_t mt_service_options[];
/* service sections, streams_max, tunnels_max, stream_buffer. */
void mt_conf_read_use(struct conf *c, struct mt_conf *m);

#endif
