/*
 * service: what an MT offers, on a port or a socket of ours.                                                   RULES U5
 *
 *	user ──> listener ──> waits for a tunnel on the newest key ──> a stream to the service ──> one pipe (link_join.h)
 *	                         └─ none in time, or none to be had: reset, and the log says why
 *
 * Who may connect here has the device's rights at the MT: listening beyond loopback wants insecure = yes (as K11).
 */
#ifndef EXTDEVD_SERVICE_H
#define EXTDEVD_SERVICE_H

#include <jansson.h>
#include <stdbool.h>

#include "common/rc.h"
#include "common/reason.h"

struct extdev;
struct extdev_mt;

/* Listens. RC_DENIED: beyond loopback; RC_IO, RC_SYNTAX: the log says what; RC_NOMEM. */
enum rc extdev_services_open(struct extdev_mt *m) MUST_USE;
/* Nothing new; what waits is reset, what runs ends with its tunnel. */
void extdev_services_stop(struct extdev_mt *m);
void extdev_services_free(struct extdev_mt *m);
/* Does a connection wait for a tunnel? */
bool extdev_services_waiting(const struct extdev_mt *m);
/* There is a tunnel: whoever waits goes in. */
void extdev_services_on_tunnel(struct extdev_mt *m);
/* There will be none. */
void extdev_services_on_no_tunnel(struct extdev_mt *m, enum reason why);
/* {NAME: "127.0.0.1:40001" | "/path"}: where they listen. A name that another mt section has, too, is "MT/NAME" there. */
json_t *extdev_services_where(const struct extdev *e);
/* Those without TLS beyond loopback, for health. */
void extdev_services_health(const struct extdev *e, json_t *problems);

#endif
