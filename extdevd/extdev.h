/*
 * extdev: the external device: asks a phone (MT) to derive Ks_local_MT, fetches the same key from the NAF Key Center, keeps it.
 *                                                                                                  seed 6, 8.3
 *	MT          --local interface-- local.c --+
 *	                                          +-- establish.c --> policy.c, store.c
 *	NAF Key Center ------- Ua ------- ua.c ---+
 *
 * One core, made of seams and a plain configuration, without static state; main.c and the simulator give it both.
 */
#ifndef EXTDEVD_EXTDEV_H
#define EXTDEVD_EXTDEV_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/ctl.h"
#include "common/device_id.h"
#include "common/http.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/secret.h"
#include "common/store.h"

struct clock;
struct extdev;
struct link_net;
struct link_tls;
struct metrics;
struct rnd;
struct timeguard;
struct trace;
struct turn;

enum extdev_id_kind {
	EXTDEV_ID_FIXED,	/* configured (6.2) */
	EXTDEV_ID_RANDOM,	/* made once, kept in the store */
	EXTDEV_ID_RANDOM_EACH	/* a new one per establishment (K5) */
};

struct extdev_service_conf {	/* what the MT offers, at our end */
	const char *name;	/* as tunnel_service_ok() */
	const char *listen;	/* "127.0.0.1:0", "unix:/path" */
	bool insecure;		/* beyond loopback */
};
struct extdev_mt_conf {		/* a phone we are linked with */
	const char *name;	/* "phone" */
	const char *address;	/* as link.h */
	struct link_serial_options serial;
	bool tls;		/* with certificates, before the first message (U8) */
	const char *cert, *key, *ca;	/* files; main.c's */
	const char *tls_name;	/* dNSName that the MT's certificate must carry; NULL = any of ca's */
	bool use_on_connect;	/* U4: a key that is there is used when the link is up */
	const struct extdev_service_conf *services;
	size_t n_services;
};

struct extdev_center_conf {	/* a NAF Key Center we trust; one that is not here is never resolved nor dialled (K1) */
	struct naf_id naf_id;
	const char *url;	/* NULL = https://FQDN and the profile's path; its host is the NAF_ID's FQDN (N4) */
	const char *state_url;	/* where a key's state is asked (N7); NULL = the profile's path at url's host */
	const char *ca;		/* file; main.c's */
	const char *dial;	/* "HOST:PORT" to connect to instead of the URL's; NULL = none */
};

/* All texts are borrowed for the core's life. extdev_conf_default() first, then what differs. */
struct extdev_conf {
	enum extdev_id_kind id_kind;
	const char *device_id;		/* of EXTDEV_ID_FIXED */
	const char *cert, *key;		/* files; main.c's */
	const struct extdev_mt_conf *mts;
	size_t n_mts;
	const struct extdev_center_conf *centers;	/* best first */
	size_t n_centers;
	bool prefer_own;		/* our order of Key Centers over the MT's (K1) */
	bool at_start;			/* establish with each MT that we have no key for, when its link is up */
	int64_t retry_s;		/* where an answer says "later" and not when */
	int64_t state_interval_s;	/* how often the Key Center is asked whether a key is still good (N7) */
	int64_t state_grace_s;		/* how long a key may be used without its saying so; 0 = to its expiry (N10) */
	bool state_before_use;		/* ask before each use (N10) */
	unsigned renew_at;		/* percent of a key's lifetime; 0 = never */
};
void extdev_conf_default(struct extdev_conf *c);

struct extdev_seams {
	struct clock *clock;
	struct timeguard *guard;
	const struct rnd *rnd;
	struct store *store;			/* opened with extdev_store_schema */
	struct turn *turn;
	struct trace *trace;
	const struct link_net *net;
	const struct http_client *http;
	const struct http_tls *const *tls;	/* one per Key Center, in conf's order; NULL = a client that needs none (simulator) */
	struct link_tls *const *mt_tls;		/* one per mt section, in conf's order, NULL where tls is off; NULL = all are off */
	struct metrics *metrics;		/* may be NULL */
};

extern const struct store_schema extdev_store_schema;

/* RC_NOMEM, RC_IO, RC_CRYPTO; RC_SYNTAX (the log says what of conf). Caller frees. */
enum rc extdev_new(const struct extdev_seams *seams, const struct extdev_conf *conf, struct extdev **out) MUST_USE;
/* Begins to connect to the MTs, and again for ever after; goes on with what the store says is owed (K4, N6). */
enum rc extdev_start(struct extdev *e) MUST_USE;
/* Establishments under way end with REASON_STOPPING, what is owed stays in the store; then done(arg), never inside this call. */
void extdev_stop(struct extdev *e, void (*done)(void *arg), void *arg);
/* NULL is fine. */
void extdev_free(struct extdev *e);

/* --- establish */

struct extdev_want {
	const char *mt;			/* a section's name; NULL = the only MT */
	const struct naf_id *naf;	/* this Key Center and no other; NULL = chosen (K1) */
	bool force;			/* fetch a key although a valid one is there (K9) */
	bool fresh;			/* "--new": with a new bootstrapping; implies force (K9) */
};
struct extdev_result {			/* borrowed during the call */
	enum reason why;		/* REASON_NONE: the rest holds */
	int64_t retry_after_s;		/* 0 = not told */
	const char *detail;		/* for people; "" = the reason says it all */
	int scenario;			/* 1, 2; 0 = nothing was run, a valid key was there */
	bool reused;
	struct triple triple;
	struct mt_id mt_id;
	char kcv[KCV_LEN + 1];
	int64_t expires_s;
	struct run_id run;		/* also of one that failed; "" = none */
};
typedef void extdev_done_fn(void *arg, const struct extdev_result *r);
typedef void extdev_progress_fn(void *arg, const char *word, int64_t wait_s);
/*
 * done runs exactly once, never inside this call; with what it tells durable. progress may be NULL. One establishment per MT at a time:
 * who asks for what is under way joins it, who asks for more is served after it.
 */
void extdev_establish(struct extdev *e, const struct extdev_want *w, extdev_done_fn *done, extdev_progress_fn *progress, void *arg);

/*
 * Control operations, core = the extdev; ksctl's words in front:
 *   establish [--force] [--new] [--mt NAME] [--naf NAF_ID]
 *              establish   {"force"?,"new"?,"mt"?,"naf"?}
 *                          → {"scenario","reused","btid","naf_id","device_id","kcv","expires","mt_id","run"}
 *   use [--mt NAME]
 *              use         {"mt"?} → as tunnel-list's, when it is up; an establishment comes first where the MT does not share the key
 *   tunnel list
 *              tunnel-list {} → {"tunnels":[{"mt","mt_id","btid","naf_id","device_id","kcv","expires","state","since","streams"}]};
 *                          state: up draining
 *   key list   key-list    {} → {"keys":[{"mt_id","btid","naf_id","device_id","kcv","expires","state","owed"?}]}  state: waiting confirmed
 *   key forget --all | [--mt NAME] [--btid B]
 *              key-forget  {"all":true} or {"mt"?,"btid"?,"naf_id"?,"device_id"?,"mt_id"?} → {"forgotten":n}
 *   key check [--mt NAME]
 *              key-check   {"mt"?} → {"keys":[{"mt_id","btid","naf_id","device_id","said","reason"?,"detail"?,"expires"?}]}
 *                          said: good unchanged unknown gone nothing (N7); REASON_LOCAL_UNKNOWN_KEY: there is none
 *   mt list    mt-list     {} → {"mts":[{"name","address","up","mt_id"?,"sim_change","sims":{NAF_ID:PSEUDONYM}}]}     (K12)
 *                          sim_change: noticed unnoticed unknown (no key yet, or any SIM is welcome)
 *   mt accept MT_ID
 *              mt-accept   {"mt_id"} → {"accepted"}
 *   wait key [--mt NAME]
 *              wait-key    {"mt"?,"timeout_s"?} → {"btid",…} as in key-list; REASON_LOCAL_TIMEOUT
 */
extern const struct ctl_op extdev_ctl_ops[];
/* As in daemon.h. */
void extdev_health(void *extdev, json_t *problems);
void extdev_status(void *extdev, json_t *o);
/* "services": {NAME: where it listens}. */
void extdev_bound(void *extdev, json_t *o);

/* conf.c: the file's table, and its values into an extdev_conf; free_conf frees what it allocated. */
extern cfg_opt_t extdev_options[];
void extdev_conf_read(struct conf *c, void *extdev_conf);
void extdev_conf_free(void *extdev_conf);

#endif
