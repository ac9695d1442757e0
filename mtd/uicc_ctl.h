/* uicc_ctl: the card reader on the control socket: uicc-insert {image}, uicc-eject, uicc-status. */
#ifndef MTD_UICC_CTL_H
#define MTD_UICC_CTL_H

#include <jansson.h>

struct ctl;
struct rpc_req;

/* Of a ctl_op each; core is the struct mt. */
void mt_uicc_on_insert(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void mt_uicc_on_eject(void *core, struct ctl *c, struct rpc_req *q, json_t *body);
void mt_uicc_on_status(void *core, struct ctl *c, struct rpc_req *q, json_t *body);

#endif
