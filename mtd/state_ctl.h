/* mt_state_ctl: the state question, asked by the operator now. For mt_ctl.c. */
#ifndef MTD_STATE_CTL_H
#define MTD_STATE_CTL_H

#include "common/ctl.h"

/*
 * core is a struct mt. {} → {keys: [{btid, naf_id, device_id, said, reason?, detail?, expires?}]}: each key of the card, when all were
 * asked about; said is good, gone, unknown, nothing; reason and detail say why it is not good, expires is not there for one that is gone.
 */
void mt_state_on_check(void *core, struct ctl *c, struct rpc_req *q, json_t *body);

#endif
