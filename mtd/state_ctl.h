/* mt_state_ctl: the state question, asked by the operator now. For mt_ctl.c. */
#ifndef MTD_STATE_CTL_H
#define MTD_STATE_CTL_H

#include "common/ctl.h"

/*
 * core is a struct mt. {} → {keys: [{device_id, btid, naf_id, said, expires, why}]}: each key of the card, when all were asked about;
 * said is good, gone, unknown, nothing; expires "" for one that is gone; why "" for good.
 */
void mt_state_on_check(void *core, struct ctl *c, struct rpc_req *q, json_t *body);

#endif
