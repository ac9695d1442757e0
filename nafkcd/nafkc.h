/*
 * nafkc: the NAF Key Center: Ua towards external devices, Zn towards the BSF.               seed 8.3.1 steps 11–16; RULES N
 *
 *	device --Ua--> ua.c --> keycenter.c --> policy.c (may it?  how long?)
 *	                             |      --> zn.c --Zn--> BSF: Ks_(ext)_NAF
 *	                             |      --> kdf, store.c: Ks_local_MT, audit
 *
 * One core, made of seams and a plain configuration, without static state; main.c and the simulator give it both.
 */
#ifndef NAFKCD_NAFKC_H
#define NAFKCD_NAFKC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/ctl.h"
#include "common/http.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/store.h"

#define NAFKC_SERVER_TOKEN "kslocal-nafkcd/0.1.0"	/* Server on Ua */

struct clock;
struct link_net;
struct metrics;
struct nafkc;
struct rnd;
struct timeguard;
struct trace;
struct turn;

/* Whom to give keys. In each mode a Device_ID, once seen with one public key, is refused with another (N2). */
enum nafkc_mode {
	NAFKC_LISTED,		/* Device_IDs that were allowed */
	NAFKC_BIND_FIRST_USE,	/* also new ones, which are listed from then on */
	NAFKC_ANY		/* also new ones, which are not */
};

struct nafkc_peer_conf {	/* a BSF, or an agent towards it */
	const char *identity, *realm;
	const char *address;	/* "127.0.0.1:3868" */
	bool tls;		/* from the first octet; dNSName = identity */
	bool insecure;		/* plain TCP beyond loopback is allowed (B3) */
};

/* All texts are borrowed for the core's life. nafkc_conf_default() first, then what differs. */
struct nafkc_conf {
	const struct naf_id *naf_ids;	/* ours */
	size_t n_naf_ids;
	enum nafkc_mode devices;
	int64_t key_lifetime_max_s;
	int64_t ks_min_left_s;		/* K7: a Ks with less is "bootstrap again" */
	unsigned rate_per_minute;	/* key requests of one public key */
	unsigned device_ids_max;	/* that one public key may hold */
	int64_t zn_cache_s;		/* N3; 0 = off */
	int64_t audit_keep_s;

	struct {
		const char *listen;	/* "127.0.0.1:8443"; this and the rest are main.c's */
		const char *cert, *key, *client_ca, *crl;	/* crl NULL = none */
		unsigned connections, per_ip;	/* at once; per_ip 0 = no limit of its own */
		unsigned threads;		/* of TLS and HTTP; 0 = one per processor, at most 8 */
		bool on_loop;			/* none: the loop's thread does all */
	} ua;
	struct {
		const char *listen;	/* NULL = there is none */
		const char *cert, *key;
		unsigned connections, per_ip;
	} ua_mt;		/* the second port */
	struct {
		const char *host, *realm;	/* our Diameter identity */
		const char *cert, *key, *ca;	/* needed when a peer has tls */
		const char *crl;		/* NULL = none */
		int64_t timeout_s;		/* of one request at one peer */
		int64_t watchdog_s;
		const struct nafkc_peer_conf *peers;	/* in order of preference */
		size_t n_peers;
	} zn;
};
void nafkc_conf_default(struct nafkc_conf *c);

struct nafkc_seams {
	struct clock *clock;
	struct timeguard *guard;
	const struct rnd *rnd;
	struct store *store;		/* opened with nafkc_store_schema */
	struct turn *turn;
	struct trace *trace;
	const struct link_net *net;	/* Zn connects over it */
	struct metrics *metrics;	/* may be NULL */
};

extern const struct store_schema nafkc_store_schema;

/* RC_NOMEM, RC_IO, RC_SYNTAX; the log says what. Caller frees. */
enum rc nafkc_new(const struct nafkc_seams *seams, const struct nafkc_conf *conf, struct nafkc **out) MUST_USE;
/* Connects to the peers; their being down is no failure. */
enum rc nafkc_start(struct nafkc *k) MUST_USE;
/* What is in flight is answered first (the HTTP server's stop), then part from the peers, then done(arg), once, never inside this call. */
void nafkc_stop(struct nafkc *k, void (*done)(void *arg), void *arg);
/* NULL is fine. */
void nafkc_free(struct nafkc *k);

/* http_on_request: one message on Ua. */
void nafkc_on_ua(struct http_xchg *x, void *nafkc);
/* The same on the second Ua port, where MTs come with HTTP Digest under Ks_(ext)_NAF and ask for key states (N7). */
void nafkc_on_ua_mt(struct http_xchg *x, void *nafkc);
/* http_refusal_body: a keyError. */
size_t nafkc_refusal_body(enum reason why, char *out, size_t cap);

/*
 * Control operations, core = the nafkc; ksctl's words in front:
 *   key list [--all]         key-list      {"all"?}                        → {"keys":[{"btid","naf_id","device_id","kcv","issued","expires","state","spki"}]}
 *   key invalidate --btid B --device D [--naf N]
 *                            key-invalidate {"btid","device_id","naf_id"?} → {"keys":1}
 *   key limit … --expires T  key-limit     {…,"expires"}                   → {"keys":1}       never later than it was
 *   device list              device-list   {}                              → {"devices":[{"device_id","state","spki","lifetime_max","subject"}]}
 *   device allow ID [--lifetime-max D]
 *                            device-allow  {"device_id","lifetime_max"?}   → {"device":{…}}   lists it, ends a block, keeps its binding
 *   device block ID | --spki HEX | --issuer HEX
 *                            device-block  {"device_id"|"spki"|"issuer"}   → {"keys":N}       their keys, which end at once
 *   device unblock …         device-unblock the same                       → {}
 *   device limit ID --expires T
 *                            device-limit  {"device_id","expires"}         → {"keys":N}       those that were shortened
 *   block list               block-list    {}                              → {"blocks":[{"kind","value","at"}]}
 *   device rebind ID         device-rebind {"device_id"}                   → {"device":{…}}   the next public key that comes has it
 *   audit [--limit N]        audit         {"limit"?}                      → {"audit":[{"at","event","reason","device_id","btid","naf_id","kcv","expires","was","spki","subject"}]}
 *                                                                            newest first, 100 unless told
 *   wait peer [HOST]         wait-peer     {"peer"?,"timeout_s"?}          → {}               (default: any, 10 s)
 * state of a key: "active" "limited", of a tombstone (all) "invalidated" "blocked" "limited"; of a device: "seen" "allowed" "blocked".
 * HEX: SHA-256 of a public key (SPKI). Durations are text ("6h"), "" = none; times UTC text ("2027-01-01T00:00:00Z").
 */
extern const struct ctl_op nafkc_ctl_ops[];
/* As in daemon.h. */
/* SIGHUP: the CRL of Zn is read again, for connections to come; the log says if it cannot be. */
void nafkc_reload(struct nafkc *k);
void nafkc_health(void *nafkc, json_t *problems);
void nafkc_status(void *nafkc, json_t *o);

/* conf.c: the file's table, and its values into a nafkc_conf; free_conf frees what it allocated. */
extern cfg_opt_t nafkc_options[];
void nafkc_conf_read(struct conf *c, void *nafkc_conf);
void nafkc_conf_free(void *nafkc_conf);

#endif
