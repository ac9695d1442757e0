/* mt_use_ctl: the control socket's operations of mt_use: use, tunnel-list. core is the struct mt. */
#ifndef MTD_USE_CTL_H
#define MTD_USE_CTL_H

#include <jansson.h>

struct ctl;
struct rpc_req;

/* {device_id} → {device_id, tunnels}: what it has up now */
void mt_use_ctl_use(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
/* {} → {tunnels: [...]}, as mt_use_list() */
void mt_use_ctl_list(void *core, struct ctl *c, struct rpc_req *q, json_t *body);

#endif
