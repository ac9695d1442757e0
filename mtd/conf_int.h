/* conf_int: what conf.c, conf_use.c and conf_state.c share. Nobody else includes it. */
#ifndef MTD_CONF_INT_H
#define MTD_CONF_INT_H

#include "mtd/conf.h"

extern cfg_opt_t mt_service_options[];
/* service sections, streams_max, tunnels_max, stream_buffer. */
void mt_conf_read_use(struct conf *c, struct mt_conf *m);

/* Into a text of fixed size, "" where nothing is given. */
void mt_conf_copy(struct conf *c, cfg_t *s, const char *key, enum conf_kind kind, char *out, size_t cap);

/* conf_state.c: keycenter, state_interval, state_grace, state_before_use. */
extern cfg_opt_t mt_center_options[];
void mt_conf_read_state(struct conf *c, struct mt_file_conf *out);

#endif
