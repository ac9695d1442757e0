/*
 * diameter_peer: a Diameter node: its connections to known peers, and requests over them.      RFC 6733 2, 5, 6; RFC 3539
 *
 *	connecting side (nafkcd)                 listening side (bsfd)
 *	    |---- CER --------------------------------->|   who, which applications     257
 *	    |<--- CEA ----------------------------------|
 *	    |---- BIR --------------------------------->|   any number under way         310
 *	    |<--- BIA ----------------------------------|
 *	    |<--> DWR / DWA when nothing came for Tw <-->|   280
 *	    |---- DPR / DPA before going away ----------|   282
 *
 * One side only connects, the other only listens: no election. Names it does not know get CEA 3010 and are closed (B3). One
 * node owns its links, timers and tables; all of it runs on the loop thread, over the seams clock, rnd and link.
 *
 * Nothing here waits for the store: whoever answers a request calls dia_answer() from turn_later().
 */
#ifndef COMMON_DIAMETER_PEER_H
#define COMMON_DIAMETER_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/diameter.h"
#include "common/link.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/reason.h"

struct clock;
struct rnd;
struct dia_node;
struct dia_call;	/* a request of ours, under way */
struct dia_txn;		/* a request of a peer's that waits for our answer */

#define DIA_PEERS_MAX 64
#define DIA_LISTEN_MAX 8

struct dia_seams {
	struct clock *clock;
	const struct rnd *rnd;
	const struct link_net *net;
};

struct dia_peer_conf {
	const char *host;	/* its Diameter identity */
	const char *realm;	/* that it says it is in, and that we reach through it */
	const char *address;	/* we connect: "tcp:HOST:PORT"; NULL = it connects to us */
	struct link_tls *tls;	/* we connect: TLS, its certificate must carry host as dNSName; NULL = plain */
	bool relay;		/* may speak for other Origin-Hosts, and reaches every realm */
	bool insecure;		/* we connect: plain TCP beyond loopback is allowed (B3) */
};

struct dia_listen_conf {
	const char *address;	/* "tcp:HOST:PORT", port 0 = any */
	struct link_tls *tls;	/* NULL = plain; else a peer's certificate must carry its Origin-Host as dNSName */
	bool insecure;		/* plain TCP beyond loopback is allowed */
};

/* All text is copied; link_tls must outlive the node. A 0 gives the default in brackets. */
struct dia_conf {
	const char *host, *realm;	/* ours, lower-case FQDNs */
	const char *product;		/* Product-Name */
	uint32_t origin_state_id;	/* grows with each start; its user's wall clock will do */
	uint32_t app, vendor;		/* [DIA_APP_ZN, DIA_VENDOR_3GPP] */
	const struct dia_peer_conf *peers;	/* in order of preference */
	size_t n_peers;
	const struct dia_listen_conf *listen;
	size_t n_listen;
	int64_t watchdog_ms;		/* Tw [30,000]; 6,000 or more; each time ±2 s */
	int64_t reconnect_max_ms;	/* back-off doubles from 250 ms up to this [4,000] */
	size_t max_open;		/* requests of peers under way at once [1,024]; more get 3004 */
	size_t max_calls;		/* requests of ours under way at once [4,096] */
};

struct dia_node_cb {
	/*
	 * A request of our application, for our realm and host, from a peer that may say so. m is borrowed, valid until the
	 * answer. Answer now or later, exactly once, by dia_answer or dia_txn_fail. NULL: requests get 3001.
	 */
	void (*on_request)(struct dia_txn *t, const struct dia_msg *m, void *arg);
	/* A peer is up now, or no longer. May be NULL. */
	void (*on_peer)(const char *host, bool up, void *arg);
};

/* RC_SYNTAX, RC_RANGE (the log names the member), RC_NOMEM, RC_CRYPTO. Nothing happens until dia_node_start(). Caller frees. */
enum rc dia_node_new(const struct dia_seams *seams, const struct dia_conf *conf, const struct dia_node_cb *cb, void *arg,
    struct dia_node **out) MUST_USE;
/* Listens and connects. RC_DENIED: a plain listener beyond loopback without insecure. RC_IO, RC_SYNTAX, RC_NOMEM. */
enum rc dia_node_start(struct dia_node *n) MUST_USE;
/*
 * In good order: no new requests, those under way are waited for (5 s at most), DPR (cause: rebooting), DPA, close; then done(arg),
 * never inside this call.
 */
void dia_node_stop(struct dia_node *n, void (*done)(void *arg), void *arg);
/* At once. Calls under way are dropped without callback; a dia_txn must not be used afterwards. NULL is fine. */
void dia_node_free(struct dia_node *n);

/* The address a listener was bound to; NULL when there is no such one, or it is not bound yet. */
const char *dia_node_address(const struct dia_node *n, size_t i);
/* May a request go out now: is any peer up? */
bool dia_node_up(const struct dia_node *n);
/* Connect at once instead of waiting for the back-off, also to a peer that said "do not want" (DPR, cause 2). */
void dia_node_retry(struct dia_node *n);

/* --- requests of ours */

/*
 * The answer, or why there is none: REASON_ZN_UNREACHABLE (no peer is up, or the last one tried went), REASON_ZN_TIMEOUT. answer is borrowed, and is cleansed after this call; it may be an error (E set).
 */
typedef void dia_on_answer(void *arg, const struct dia_msg *answer, enum reason why);
/*
 * Send to the first peer that is up and is host, or serves realm, or is a relay. Gets a new hop-by-hop, and an end-to-end of
 * this node. Lost connection, suspect peer, time-out, 3002 and 3004 move it to the next such peer not tried yet, T set, same
 * end-to-end; when none is left that ends it.
 *   dest_host   NULL = any of the realm
 *   request     from dia_begin … dia_end; copied
 *   timeout_ms  of one try at one peer; 0 = 3,000
 * fn runs exactly once, never inside this call, unless cancelled. out may be NULL.
 * RC_NOMEM, RC_SYNTAX (no request), RC_LIMIT (max_calls: REASON_ZN_BUSY), RC_STATE (stopping).
 */
enum rc dia_request(struct dia_node *n, const char *dest_realm, const char *dest_host, const struct dia_buf *request,
    int64_t timeout_ms, dia_on_answer *fn, void *arg, struct dia_call **out) MUST_USE;
/* fn will not run; a late answer is an orphan. Not from fn on, when c is gone. NULL is fine. */
void dia_cancel(struct dia_call *c);
/* A Session-Id of ours, new with each call: host;high32;low32. */
void dia_session_id(struct dia_node *n, char out[static DIA_SESSION_ID_MAX + 1]);

/* --- requests of peers */

/*
 * Sends b (a whole answer; its hop-by-hop is set here for the connection that asked last) and ends t. If that connection is gone
 * the answer is dropped. b stays the caller's.
 */
void dia_answer(struct dia_txn *t, const struct dia_buf *b);
/* The same with dia_print_fault(). */
void dia_txn_fail(struct dia_txn *t, const struct dia_fault *f);
/* The message, borrowed. */
const struct dia_msg *dia_txn_msg(const struct dia_txn *t);
/* The identity of the peer it came through: who may ask is decided by Origin-Host, which is this one unless it is a relay. */
const char *dia_txn_peer(const struct dia_txn *t);
/*
 * The same Origin-Host sent the same request with the same end-to-end within 4 minutes, and it was answered. Zn's requests may be
 * repeated, so it is answered from the store once more: keeping answers would mean keeping keys.
 * (One that repeats a request still under way is not seen by on_request: it gets that one's answer.)
 */
bool dia_txn_duplicate(const struct dia_txn *t);

/* --- seeing it */

enum dia_state {
	DIA_DOWN,		/* no connection; the connecting side waits for its next try */
	DIA_OFF,		/* the peer sent DPR "do not want to talk to you": no next try by itself */
	DIA_CONNECTING,
	DIA_WAIT_CER,		/* accepted; nothing but CER is heard */
	DIA_WAIT_CEA,
	DIA_REOPEN,		/* up again after a failure: three DWAs first (RFC 3539 3.4.1) */
	DIA_OPEN,
	DIA_SUSPECT,		/* the watchdog went unanswered; requests go elsewhere */
	DIA_CLOSING,		/* DPR sent or received, or an error answer is on its way */
	DIA_STATE_COUNT
};
/* "open", "wait-cea", … */
const char *dia_state_name(enum dia_state s);

struct dia_peer_info {
	char host[FQDN_MAX + 1], realm[FQDN_MAX + 1];	/* as configured */
	char address[128];	/* of the other end; "" when not connected */
	enum dia_state state;
	bool tls, relay;
	int64_t since_ms;	/* in this state, on the monotonic clock */
	enum reason last;	/* why it last went down; REASON_NONE = it did not, or in good order */
	uint64_t requests_in, requests_out;
};
/* Copies up to cap, in the order configured; returns how many peers there are. */
size_t dia_node_peers(const struct dia_node *n, struct dia_peer_info *out, size_t cap);

/* Counts since the start, for metrics. */
struct dia_counts {
	uint64_t requests_in, answers_out, errors_out;	/* application; errors are among the answers */
	uint64_t requests_out, answers_in, timeouts, failovers, orphans;
	uint64_t duplicates, malformed, refused_peers, watchdogs_sent, watchdogs_missed, connects, disconnects;
	size_t calls, open;	/* under way now */
};
void dia_node_counts(const struct dia_node *n, struct dia_counts *out);

#endif
