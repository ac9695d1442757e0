/*
 * diameter_impl: what the files of a Diameter node share. Included by diameter_*.c alone; users see diameter_peer.h.
 *
 *	diameter_node.c   the node: made, started, stopped, looked at; peers and their next try
 *	diameter_peer.c   a connection: its state machine, its link
 *	diameter_watchdog.c  is its peer still there
 *	diameter_capab.c  CER, CEA
 *	diameter_base.c   DWR, DPR, refusals
 *	diameter_call.c   requests of ours
 *	diameter_txn.c    requests of peers
 *	diameter_dup.c    which requests came before
 */
#ifndef COMMON_DIAMETER_IMPL_H
#define COMMON_DIAMETER_IMPL_H

#include <sys/queue.h>

#include "common/clock.h"
#include "common/diameter.h"
#include "common/diameter_peer.h"
#include "common/link.h"
#include "common/rnd.h"

#define DIA_STRANGERS_MAX 64		/* accepted connections that wait for their CER, at once; the oldest goes */
#define DIA_STRANGER_OCTETS 8192	/* of a message before the capabilities are exchanged */
#define DIA_CAPABILITIES_MS 10000	/* for CER or CEA to come */
#define DIA_CONNECT_MS 5000
#define DIA_CLOSE_MS 2000		/* for DPA, or for the peer's close after its DPR */
#define DIA_STOP_MS 5000		/* for requests under way when the node stops */
#define DIA_PROBE_MS 2000		/* for an old connection to show that it lives when a second one comes */
#define DIA_RETRY_MIN_MS 250
#define DIA_STEADY_MS 5000		/* a connection that stood so long ends the back-off */
#define DIA_UNSENT_MAX (4 * 1024 * 1024)	/* octets that a peer may leave unread */
#define DIA_TXN_PATHS 4
#define DIA_CALL_BUCKETS 256

#define DIA_DUPS_MAX 8192
#define DIA_DUP_MS 240000

struct dia_conn;
struct dia_dups;
struct dia_dup_key {
	uint8_t octets[16];
};

/* A peer that is configured; lives as long as the node. */
struct dia_peer {
	struct dia_node *node;
	char host[FQDN_MAX + 1], realm[FQDN_MAX + 1], address[160];
	struct link_tls *tls;
	bool relay, insecure;
	struct dia_conn *conn;		/* the one connection; NULL = down */
	struct clock_timer *retry;	/* we connect: the next try */
	int64_t backoff_ms, since_ms;
	bool off;			/* it said that it does not want to talk to us */
	bool failed;			/* the last connection broke: the next one is REOPEN first */
	enum reason last;
	uint64_t requests_in, requests_out;
};

/* One connection, from its first octet to its last. */
struct dia_conn {
	LIST_ENTRY(dia_conn) all;
	struct dia_node *node;
	struct dia_peer *peer;		/* NULL: a stranger, before its CER */
	struct link *link;
	struct link_peer who;
	bool tls, accepted;
	enum dia_state state;
	struct clock_timer *timer;	/* the one deadline: capabilities, watchdog, close */
	bool opened;			/* capabilities were exchanged, at */
	int64_t open_ms;
	int64_t quiet_ms;		/* last message in, or last DWR out */
	int64_t tw_ms;			/* this time's Tw */
	bool dwr_pending, probing;
	uint32_t base_hbh;		/* of our last CER, DWR or DPR: what its answer must carry */
	unsigned dwas;			/* in REOPEN */
	bool goodbye;			/* DPR went either way: its end is no failure */
	enum reason why;		/* decided before its end */
	unsigned reading;		/* on_data is at work: whoever ends the connection leaves the struct to it */
	bool dead;
	LIST_HEAD(, dia_call) calls;	/* that wait for an answer from here */
};

struct dia_call {
	LIST_ENTRY(dia_call) all, on_conn, by_hbh;
	struct dia_node *node;
	struct dia_conn *conn;		/* NULL: between two peers, or ended */
	struct clock_timer *timer;
	struct dia_buf msg;
	char realm[FQDN_MAX + 1], host[FQDN_MAX + 1];
	uint32_t cmd, app, hbh, e2e;
	uint64_t tried;			/* bit per peer */
	int64_t timeout_ms;
	enum reason why;		/* ended without an answer: the timer tells */
	dia_on_answer *fn;
	void *arg;
};

struct dia_txn {
	LIST_ENTRY(dia_txn) all;
	struct dia_node *node;
	struct dia_msg msg;		/* of octets */
	char peer[FQDN_MAX + 1];
	struct { struct dia_conn *conn; uint32_t hbh; } path[DIA_TXN_PATHS];	/* who waits for the answer */
	unsigned n_paths;
	struct dia_dup_key key;
	bool duplicate;
	uint8_t octets[];		/* the request, ours */
};

struct dia_listen {
	struct dia_node *node;
	char address[160];
	struct link_tls *tls;
	bool insecure;
	struct link_listener *listener;
};

struct dia_node {
	struct dia_seams seams;
	struct dia_node_cb cb;
	void *arg;
	char host[FQDN_MAX + 1], realm[FQDN_MAX + 1], product[64];
	uint32_t origin_state_id, app, vendor;
	int64_t watchdog_ms, reconnect_max_ms;
	size_t max_open, max_calls;
	struct dia_peer *peers;
	size_t n_peers;
	struct dia_listen listen[DIA_LISTEN_MAX];
	size_t n_listen;
	LIST_HEAD(, dia_conn) conns;
	LIST_HEAD(, dia_call) calls, by_hbh[DIA_CALL_BUCKETS];
	LIST_HEAD(, dia_txn) txns;
	struct dia_dups *dups;
	uint32_t next_hbh, next_e2e, session_high, session_low;
	struct clock_timer *stop_timer;
	bool started, stopping, goodbye_said;
	void (*on_stopped)(void *arg);
	void *stopped_arg;
	struct dia_counts counts;
};

/* --- diameter_node.c */
/* Its connection ended (it is no longer p->conn): plan the next try. steady: it had stood for a while. */
void dia_peer_down(struct dia_peer *p, enum reason why, bool steady);
/* A request or connection ended: may the node go on stopping? */
void dia_node_stop_step(struct dia_node *n);
struct dia_peer *dia_node_peer(struct dia_node *n, const char *host);

/* --- diameter_peer.c */
/* Starts connecting. RC_NOMEM, RC_SYNTAX. */
enum rc dia_conn_connect(struct dia_peer *p) MUST_USE;
/* Given to link_listen(); arg is a struct dia_listen. */
void dia_conn_accept(struct link *l, void *arg);
bool dia_state_up(enum dia_state s);	/* REOPEN, OPEN, SUSPECT: capabilities are exchanged */
void dia_conn_enter(struct dia_conn *c, enum dia_state s);
/* CER or CEA was good: OPEN, or REOPEN with its first DWR. */
void dia_conn_opened(struct dia_conn *c);
/* Over, at once; logged. Calls move on. c is gone, unless on_data is at work on it (c->dead). */
void dia_conn_end(struct dia_conn *c, enum reason why, const char *detail);
/* What was sent last still leaves, then over. */
void dia_conn_finish(struct dia_conn *c, enum reason why);
/* Writes b, whose message must be ended. On failure the connection is over: false, and c is not to be touched. */
bool dia_conn_send(struct dia_conn *c, struct dia_buf *b);
/* Its peer's name for a log line; "?" for a stranger. */
const char *dia_conn_name(const struct dia_conn *c);
/* The monotonic clock, in milliseconds. */
int64_t dia_conn_now(const struct dia_conn *c);

/* --- diameter_watchdog.c */
/* Tw anew. */
void dia_watchdog_arm(struct dia_conn *c);
/* The timer fired. May end the connection. */
void dia_watchdog(struct dia_conn *c);
/* A message came. */
void dia_conn_heard(struct dia_conn *c);
/* It must say something within DIA_PROBE_MS: a second connection of the same peer came. */
void dia_conn_probe(struct dia_conn *c);

/* --- diameter_base.c */
/* A request of the base protocol, with our Origin-Host and -Realm; its answer must carry c->base_hbh. */
void dia_begin_base(struct dia_conn *c, uint32_t cmd, struct dia_buf *b);
void dia_send_dwr(struct dia_conn *c);
void dia_send_dpr(struct dia_conn *c);
/* The good answer to a CER, DWR or DPR. */
void dia_send_success(struct dia_conn *c, const struct dia_msg *m);
/* A message of the base protocol. */
void dia_on_base(struct dia_conn *c, const struct dia_msg *m);
/* Answer a request that broke a rule, and log it. */
void dia_refuse(struct dia_conn *c, const struct dia_msg *m, enum reason why, const struct dia_fault *f);

/* --- diameter_capab.c */
void dia_send_cer(struct dia_conn *c);
/* What CER and CEA say of us beside Origin-Host and -Realm. */
void dia_put_capabilities(const struct dia_conn *c, struct dia_buf *b);
void dia_on_cer(struct dia_conn *c, const struct dia_msg *m);
void dia_on_cea(struct dia_conn *c, const struct dia_msg *m);
/* dia_refuse() a CER, and close. */
void dia_refuse_peer(struct dia_conn *c, const struct dia_msg *m, enum reason why, const struct dia_fault *f);
/* Origin-Host and Origin-Realm, which dia_check() has found good; "" where there is none. */
void dia_origin(const struct dia_msg *m, char host[static FQDN_MAX + 1], char realm[static FQDN_MAX + 1]);

/* --- diameter_call.c */
/* Places in the header of what is sent. */
enum { DIA_AT_FLAGS = 4, DIA_AT_HBH = 12, DIA_AT_E2E = 16 };
void dia_put_u32_at(uint8_t *p, uint32_t v);
void dia_call_answer(struct dia_conn *c, const struct dia_msg *m);
/* Every call that waits on c goes to another peer, or ends with why. */
void dia_calls_move(struct dia_conn *c, enum reason why);
void dia_calls_free(struct dia_node *n);

/* --- diameter_txn.c */
void dia_txn_request(struct dia_conn *c, const struct dia_msg *m);
/* c is going: nobody waits there any more. */
void dia_txns_forget(struct dia_conn *c);
void dia_txns_free(struct dia_node *n);

/* --- diameter_dup.c */
enum dia_dup { DIA_DUP_NEW, DIA_DUP_UNDER_WAY, DIA_DUP_ANSWERED };
enum rc dia_dups_new(struct dia_dups **out) MUST_USE;
void dia_dups_free(struct dia_dups *d);
/*
 * The name of a request: Origin-Host and end-to-end (RFC 6733 3), and with them command and Session-Id, so that a node which
 * starts with the same end-to-end after a crash is not taken for its former self. RC_CRYPTO.
 */
enum rc dia_dups_key(struct dia_dups *d, const struct dia_hdr *h, const char *origin_host, struct span session_id,
    struct dia_dup_key *out) MUST_USE;
/* Did it come in the last 4 minutes? UNDER_WAY: *t is its transaction. */
enum dia_dup dia_dups_find(struct dia_dups *d, const struct dia_dup_key *key, int64_t now_ms, struct dia_txn **t);
/* It is under way as t; or, t NULL, answered now. The oldest of DIA_DUPS_MAX is forgotten. */
void dia_dups_set(struct dia_dups *d, const struct dia_dup_key *key, int64_t now_ms, struct dia_txn *t);

#endif
