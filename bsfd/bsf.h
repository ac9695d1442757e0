/*
 * bsf: the bootstrapping server function, with the AuC inside: Ub towards phones, Zn towards NAFs.      TS 33.220 4.2.1
 *
 *	phone --Ub--> ub.c --> auc.c (K, OPc, SQN) --> store.c
 *	NAF   --Zn--> zn.c --> policy.c, kdf       --> store.c
 *
 * One core, made of seams and a plain configuration, without static state; main.c and the simulator give it both.
 */
#ifndef BSFD_BSF_H
#define BSFD_BSF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/ctl.h"
#include "common/daemon.h"
#include "common/http.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/store.h"

#define BSF_SERVER_TOKEN "kslocal-bsfd/" KSLOCAL_VERSION " 3gpp-gba-tmpi"	/* Server on Ub (TS 33.220 4.5.2) */

struct bsf;
struct clock;
struct link_net;
struct metrics;
struct rnd;
struct timeguard;
struct trace;
struct turn;

struct bsf_peer_conf {			/* a Diameter node that may connect */
	const char *identity, *realm;
	bool relay;			/* its requests may carry another Origin-Host (B3) */
};

/* All texts are borrowed for the core's life. bsf_conf_default() first, then what differs. */
struct bsf_conf {
	const char *fqdn;		/* realm of Ub, host part of B-TIDs */
	int64_t ks_lifetime_s;		/* of a Ks, where the subscriber has none of its own */
	int64_t ks_lifetime_max_s;	/* caps the subscriber's */
	bool one_btid;			/* B1: a new B-TID ends the older ones of its IMPI */
	unsigned ind;			/* 0..31: our IND in every SQN (TS 33.102 C.1.1.1) */
	unsigned sqn_block;		/* SEQ reserved at once (B2) */
	const char *generation_file;	/* B4: beside the store; NULL = none (a store in memory) */

	struct {
		const char *listen;	/* "127.0.0.1:8080"; main.c's */
		const char *cert, *key;	/* HTTPS when given */
		const char *path;	/* "/" */
		unsigned qop;		/* those taken in a response: DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT */
		bool no_qop;		/* a response without qop is taken too */
		int64_t challenge_s;	/* how long a challenge stays open (B2) */
		unsigned per_source, per_impi, challenges;	/* open at once: per IMPI and address, per IMPI, in all (B2) */
	} ub;
	struct {
		const char *host, *realm;		/* our Diameter identity */
		const char *listen, *listen_tls;	/* "127.0.0.1:3868", ADDRESS:PORT; NULL = no such listener */
		const char *cert, *key, *ca, *crl;	/* of listen_tls; crl NULL = none */
		bool insecure;				/* plain TCP beyond loopback is allowed (B3) */
		bool strict;				/* as dia_check(): refuse what is merely unusual */
		int64_t watchdog_s;
		const struct bsf_peer_conf *peers;
		size_t n_peers;
	} zn;
};
void bsf_conf_default(struct bsf_conf *c);

struct bsf_seams {
	struct clock *clock;
	struct timeguard *guard;
	const struct rnd *rnd;
	struct store *store;		/* opened with bsf_store_schema() */
	struct turn *turn;
	struct trace *trace;
	const struct link_net *net;	/* Zn listens here */
	struct metrics *metrics;	/* may be NULL */
};

extern const struct store_schema bsf_store_schema;

/* Raises the SQNs of a doubtful store (B4) in the turn's transaction. RC_NOMEM, RC_IO. Caller frees. */
enum rc bsf_new(const struct bsf_seams *seams, const struct bsf_conf *conf, struct bsf **out) MUST_USE;
/* Binds Zn's listeners. RC_IO, RC_SYNTAX, RC_DENIED: the log says which. */
enum rc bsf_start(struct bsf *b) MUST_USE;
/* Take nothing new, answer what is in flight, part from the peers, then done(arg), once, never inside this call. */
void bsf_stop(struct bsf *b, void (*done)(void *arg), void *arg);
/* NULL is fine. */
void bsf_free(struct bsf *b);

/* http_on_request: one message on Ub. */
void bsf_on_ub(struct http_xchg *x, void *bsf);

/* What was bound, as link_listener_address(); NULL = no such listener. */
const char *bsf_zn_address(const struct bsf *b, bool tls);

/*
 * What ksctl does, for those who have no control socket. REASON_NONE: done, *out is the answer (may be NULL; caller decrefs).
 * Else text says what was wrong with o, in one line without a key in it.
 *   subscriber_add  {"iccid","imsi","impi","k","opc"|"op","amf", "mnc_length","ks_lifetime","gba_u","uss"}             S2
 *   naf_add         {"fqdn","protocols":["0100000002"],"peers":["nafkc.example.org"],"impi":true,"gsids":["7"],"gba_u":false}
 * Durable with the turn.
 */
#define BSF_TEXT_MAX 200
enum reason bsf_subscriber_add(struct bsf *b, const json_t *o, json_t **out, char text[static BSF_TEXT_MAX]);
enum reason bsf_naf_add(struct bsf *b, const json_t *o, json_t **out, char text[static BSF_TEXT_MAX]);

/*
 * Control operations, core = the bsf; ksctl's words in front:
 *   subscriber add FILE|-   subscriber-add    {"subscriber":{…}}  → {"impi"}                (nested: it may have a member "op")
 *   subscriber list         subscriber-list   {}                  → {"subscribers":[{"impi","imsi","iccid","amf","sqn","gba_u","ks_lifetime"}]}
 *   subscriber delete IMPI  subscriber-delete {"impi"}            → {}
 *   bootstrap list          bootstrap-list    {}                  → {"bootstraps":[{"btid","impi","type","created","expires"}]}
 *   naf add FILE|-          naf-add           {"naf":{…}}         → {"naf":{…}}            (replaces the FQDN's entry)
 *   naf list                naf-list          {}                  → {"nafs":[{…}]}
 *   naf delete FQDN         naf-delete        {"fqdn"}            → {}
 *   wait peer [HOST]        wait-peer         {"peer"?,"timeout_s"?} → {}                  (default: any, 10 s)
 */
extern const struct ctl_op bsf_ctl_ops[];
/* As in daemon.h. */
/* SIGHUP: the CRL of Zn is read again, for connections to come; the log says if it cannot be. */
void bsf_reload(struct bsf *b);
void bsf_health(void *bsf, json_t *problems);
void bsf_status(void *bsf, json_t *o);

/* conf.c: the file's table, and its values into a bsf_conf; free_conf frees what it allocated. */
extern cfg_opt_t bsf_options[];
void bsf_conf_read(struct conf *c, void *bsf_conf);
void bsf_conf_free(void *bsf_conf);

#endif
