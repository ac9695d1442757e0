/* mt_device_ctl: which devices may have keys, from the control socket. For mt_ctl.c. */
#ifndef MTD_DEVICE_CTL_H
#define MTD_DEVICE_CTL_H

#include "common/ctl.h"

/* core is a struct mt. list: {devices: [{device_id, state, since, until, link}]}, state pending, allowed, refused or listed. */
void mt_device_on_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
/* {device_id} → {}: now and from now on. refuse answers {keys}: so many were deleted, and their tunnels are closed. */
void mt_device_on_allow(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void mt_device_on_refuse(void *core, struct ctl *c, struct rpc_req *q, json_t *body);

#endif
