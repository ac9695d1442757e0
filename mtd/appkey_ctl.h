/* mt_appkey_ctl: application keys, from the control socket and nowhere else (U7). For mt_ctl.c. */
#ifndef MTD_APPKEY_CTL_H
#define MTD_APPKEY_CTL_H

#include "common/ctl.h"

/*
 * core is a struct mt. {device_id, app} → {device_id, btid, naf_id, app, kcv, identity, key}: of the key that works with that device;
 * key is hex, kcv its check value, identity "" where app does not make one.
 */
void mt_appkey_on_derive(void *core, struct ctl *c, struct rpc_req *q, json_t *body);

#endif
