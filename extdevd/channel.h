/*
 * channel: one more channel to an MT, made into a tunnel under one key.                                            RULES U1, U2
 *
 *	DIALLING --connected--> HELLO --same MT_ID--> USE --ok--> HANDSHAKE --finished--> OPENING --SETTINGS--> UP --> DRAINING
 *
 * One attempt, once through; who wants another makes another. Nothing leaves between `use` and its answer, and the answer is the
 * MT's last plain octet. What happens is told to use.c: extdev_use_on_proven(), _on_up(), _on_closed().
 */
#ifndef EXTDEVD_CHANNEL_H
#define EXTDEVD_CHANNEL_H

#include <sys/queue.h>

#include "common/device_id.h"
#include "common/link.h"
#include "common/secret.h"

struct clock_timer;
struct extdev_key;
struct extdev_mt;
struct rpc;
struct tunnel;

enum extdev_channel_state {
	EXTDEV_CHANNEL_DIALLING,
	EXTDEV_CHANNEL_HELLO,
	EXTDEV_CHANNEL_USE,
	EXTDEV_CHANNEL_HANDSHAKE,
	EXTDEV_CHANNEL_OPENING,		/* the key is proven, to both */
	EXTDEV_CHANNEL_UP,
	EXTDEV_CHANNEL_DRAINING		/* one on a newer key took over */
};

struct extdev_channel {
	LIST_ENTRY(extdev_channel) all;
	struct extdev_mt *m;
	struct mt_id mt_id;		/* who has the key, and so must answer */
	struct triple triple;
	int64_t expires_s;
	int64_t sure_s;			/* the Key Center stood by the key last, as far as its row told */
	char kcv[KCV_LEN + 1];
	bool waiting;			/* the key was not confirmed when this began */
	bool replaced;			/* by a newer confirmed key: not in the store any more, and good until its own expiry (K2) */
	bool closing;			/* the tunnel was told to end */
	enum extdev_channel_state state;
	int64_t up_s;			/* since when */

	struct link *link;		/* DIALLING, HANDSHAKE */
	struct rpc *rpc;		/* HELLO, USE */
	struct tunnel *tunnel;		/* OPENING on */
	struct secret *ks;		/* until the handshake */
	bool early;			/* the MT sent octets between `use` and the handshake (U2) */
	struct clock_timer *late;	/* the whole way to UP, but for what the MT says it waits for */
};

struct extdev_channel_end {
	enum reason why;		/* REASON_NONE: drained */
	bool unshared;			/* U3: "not the same key", said by the MT or by the handshake */
	int64_t retry_after_s;		/* 0 = not told */
	const char *detail;		/* for a log line; lives during the call */
};

/* Begins with key k of m's. RC_NOMEM; RC_SYNTAX, the address; RC_CRYPTO. Caller frees, also after extdev_use_on_closed(). */
enum rc extdev_channel_new(struct extdev_mt *m, const struct extdev_key *k, struct extdev_channel **out) MUST_USE;
/* At once. NULL is fine. */
void extdev_channel_free(struct extdev_channel *c);
/* No new streams; it ends with those that stand. */
void extdev_channel_drain(struct extdev_channel *c);
/* Streams end, the MT is told, extdev_use_on_closed() follows with why. Only with a tunnel. */
void extdev_channel_close(struct extdev_channel *c, enum reason why);
const char *extdev_channel_state_name(const struct extdev_channel *c);

#endif
