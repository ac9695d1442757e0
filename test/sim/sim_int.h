/* sim_int: the inside of struct sim, for sim.c and sim_ask.c. */
#ifndef TEST_SIM_SIM_INT_H
#define TEST_SIM_SIM_INT_H

#include <sqlite3.h>
#include <sys/queue.h>

#include "common/rnd.h"
#include "test/sim/sim.h"

struct host {
	char name[32];
	const char *link;		/* where it is reached; cut when it dies */
	const char *http[2];		/* where its HTTP servers are reached */
	char path[300];
	char device_id[DEVICE_ID_MAX + 1];
	char service[64];		/* where a device listens for the MT's echo */
	struct extdev_service_conf offered;
	struct extdev_mt_conf mt;
	struct http_peer peer;
	const struct http_client *client;
	struct secret *key;
	struct rnd_seeded rnd;
	struct store *store;
	struct timeguard *guard;
	struct turn *turn;
	struct trace *trace;
	struct ctl *ctl;
	void *core;			/* NULL: it is dead */
};

struct sim {
	struct sim_conf conf;
	char dir[64];
	struct clock *clock;
	struct link_net *net;
	struct sim_http *http;
	struct host *host;
	size_t n_hosts;
	struct mt_uicc *uicc;		/* the card survives its phone */
	bool card_in;
	struct link_listener *echo;
	LIST_HEAD(, echo) echoes;
	LIST_HEAD(, user) users;
	uint64_t steps, kill_at;
	enum sim_host kill_who;
	/* the last establishment */
	struct extdev_result result;
	char detail[300];
	bool done;
};

/* Anything but RC_OK ends the test. */
void sim_must(enum rc rc, const char *what);
/* sim_echo.c */
void sim_echo_start(struct sim *s);
void sim_echo_stop(struct sim *s);
const char *sim_ctl_path(const struct sim *s, enum sim_host i, char out[static 64]);

#endif
