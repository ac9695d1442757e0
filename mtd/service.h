/*
 * mt_service: what the MT offers over its tunnels, by name: service "modem" { connect, devices }.                       RULES U5
 *
 *	stream to "modem" ─▶ known? (404) ─▶ this Device_ID? (403) ─▶ connect (502) ─▶ accept, and the two are one pipe
 *
 * Where it connects to is the configuration's alone; a peer names services, never hosts.
 */
#ifndef MTD_SERVICE_H
#define MTD_SERVICE_H

#include <jansson.h>

#include "common/rc.h"
#include "mtd/mt.h"
#include "mtd/store.h"

struct link;
struct mt_services;

/* Borrowed. Caller frees, before the tunnels. RC_NOMEM. */
enum rc mt_services_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_services **out) MUST_USE;
/* Cuts what runs. NULL is fine. */
void mt_services_free(struct mt_services *sv);

/*
 * tunnel.h's on_open: accepts or refuses, now or later. id's key is confirmed (its tunnel stands); from: the tunnel's, for the log.
 * The stream may end before.
 */
void mt_service_open(struct mt_services *sv, struct link *stream, const char *name, const struct device_id *id, const struct mt_origin *from);

/* [{"name", "connect", "streams", "opened", "refused", "octets_in", "octets_out"}]: in = from devices. */
json_t *mt_services_status(const struct mt_services *sv);

#endif
