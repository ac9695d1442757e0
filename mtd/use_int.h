/* use_int: what use.c (which tunnels), use_tunnel.c (one tunnel), use_claim.c (K13) and use_forget.c (K5) and
 * use_drain.c (N7) share. Nobody else includes it. */
#ifndef MTD_USE_INT_H
#define MTD_USE_INT_H

#include <sys/queue.h>

#include "common/link_over.h"
#include "common/secret.h"
#include "mtd/use.h"

struct clock_timer;
struct rpc;
struct tunnel;

enum mt_tunnel_state {
	MT_TUNNEL_HANDSHAKE,	/* link is TLS on its way */
	MT_TUNNEL_CONFIRMING,	/* handshake done; the store's commit is waited for */
	MT_TUNNEL_UP,		/* tunnel is there */
	MT_TUNNEL_OVER		/* its link went while a commit was waited for */
};
struct mt_tunnel {
	LIST_ENTRY(mt_tunnel) all;
	struct mt_use *u;
	enum mt_tunnel_state state;
	struct link *link;		/* before UP */
	struct tunnel *tunnel;		/* UP */
	struct mt_origin from;
	struct iccid iccid;
	struct triple triple;
	struct device_id heir;		/* whose confirmed key stands for this one's once it was replaced: its own Device_ID, or K5's new one */
	int64_t since, expires;
	int64_t ask_at;			/* draining: when its key is asked about next; INT64_MAX = not now */
	struct secret *ks_naf;		/* of the key, for that question: its row may be gone; NULL = not known */
	char identity[LINK_PSK_IDENTITY_MAX + 1];
	char kcv[KCV_LEN + 1];
	bool draining, closing;
	bool pinging;
	int64_t answered_ms;		/* monotonic, of the last PING's answer; -1 = none yet */
	LIST_HEAD(, mt_messages) messages;
};

struct mt_claimant {		/* K13: waits for a PING's answer */
	LIST_ENTRY(mt_claimant) all;
	struct mt_claim c;
	int64_t since_ms;
	void (*fn)(void *arg, enum reason why);
	void *arg;
};

struct mt_asking {		/* waits for the state question */
	LIST_ENTRY(mt_asking) all;
	struct mt_use *u;
	void (*fn)(void *arg, enum reason why);
	void *arg;
};

struct mt_use {
	struct mt_use_env env;
	LIST_HEAD(, mt_tunnel) tunnels;
	LIST_HEAD(, mt_claimant) claimants;
	LIST_HEAD(, mt_asking) asking;
	struct clock_timer *expiry, *look;
	void (*on_up)(void *arg, const struct triple *t);
	void *on_up_arg;
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

/* --- use.c */
int64_t mt_use_now(struct mt_use *u);
/* The card's key of that name. REASON_NONE: *out is the caller's to clear. */
enum reason mt_use_key(struct mt_use *u, const struct triple *t, struct mt_key *out);
/* Up, or about to be, on this key. */
size_t mt_use_count(const struct mt_use *u, const struct triple *t);
/* It is over, or never came to be: out of the list, freed. */
void mt_tunnel_gone(struct mt_tunnel *t);
void mt_use_arm(struct mt_use *u);

/* --- use_tunnel.c */
/* Frees the link on failure, too. */
enum rc mt_tunnel_start(struct mt_tunnel *t, struct link *link, const struct mt_key *k);
/* At once where there is no tunnel yet (t is freed then), else in good order. */
void mt_tunnel_close(struct mt_tunnel *t, enum reason why);
void mt_tunnel_trace(struct mt_tunnel *t, const char *msg, enum reason why);

/* --- use_drain.c */
/* A newer key took over: no new streams, and an end with the last one. */
void mt_tunnel_drain(struct mt_tunnel *t);
/* The Key Center is asked about draining tunnels' keys that are due; one that it took back ends its tunnels. */
void mt_drain_ask(struct mt_use *u);

/* --- use_claim.c */
/* Who waits may be answered now; _later: with the loop's next round. */
void mt_claims_look(void *use);
void mt_claims_later(struct mt_use *u);

/* --- use_forget.c */
/* tunnel.h's on_open of TUNNEL_MESSAGES. */
void mt_messages_open(struct mt_tunnel *t, struct link *stream);
/* In good order; at once. */
void mt_messages_close(struct mt_tunnel *t);
void mt_messages_free(struct mt_tunnel *t);

#endif
