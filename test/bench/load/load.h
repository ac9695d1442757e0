/*
 * load: thousands of simulated subscribers, MTs and devices against a real bsfd and nafkcd (or another HTTPS server) over the
 * real wires; closed loop (so many at once) or open loop (a set arrival rate, latency counted from when an operation should have
 * begun). One thread, libevent. Talks to loopback alone; bounded by count and time.
 *
 *	hist.c    latencies: percentiles of what was measured
 *	peer.c    one HTTP/1.1 connection, plain or TLS with a client certificate
 *	world.c   subscribers (K, OPc), devices (keys, certificates of the lab's CA)
 *	ub.c      a bootstrapping: challenge, AKA, answer                           ub.md
 *	ua.c      a Key Request and its Key Response                                ts33259.md 7
 *	options.c the command line
 *	main.c    modes, the two loops, the result
 */
#ifndef TEST_BENCH_LOAD_H
#define TEST_BENCH_LOAD_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/btid.h"
#include "common/secret.h"
#include "common/span.h"

/* Prints what is wrong and ends the process: a measurement goes on with nothing half right. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Monotonic, in microseconds. */
int64_t now_us(void);

/* --- options.c */
#define SERVERS_MAX 8
struct options {
	const char *mode, *ub, *ub_fqdn, *ua, *naf_fqdn, *control, *ca, *ca_key;
	size_t subscribers, devices, connections, count;
	double rate, seconds, warm;
	bool foreign, provision;
	pid_t servers[SERVERS_MAX];
	size_t n_servers;
};
void options_read(int argc, char **argv, struct options *out);

/* --- hist.c: latencies in microseconds, in buckets of 1/64 of their power of two */
#define HIST_BUCKETS 2048
struct hist {
	uint64_t n, sum, max, bucket[HIST_BUCKETS];
};
void hist_add(struct hist *h, int64_t us);
/* The latency that q (0..1) of all do not exceed; 0 when there is none. */
int64_t hist_quantile(const struct hist *h, double q);

/* --- peer.c */
struct peer;
struct reply {				/* borrowed during the callback */
	int status;			/* 0: the connection failed, detail says how */
	const char *head;		/* status line and fields, NUL at its end */
	struct span body;
	const char *detail;
};
typedef void peer_reply_fn(void *arg, const struct reply *r);
struct identity {			/* who a TLS client is; NULL in peer_new(): plain */
	X509 *cert;
	EVP_PKEY *key;
	SSL_SESSION *session;		/* of the last connection, for resumption */
};
/*
 * Connects to a loopback "HOST:PORT" with the first request. resume: with identity's session. Caller frees.
 */
struct peer *peer_new(struct event_base *base, const char *address, SSL_CTX *ctx, const char *name, struct identity *who, bool resume);
/* One at a time. fn never inside this call; the peer may be freed in it. */
void peer_ask(struct peer *p, struct span request, peer_reply_fn *fn, void *arg);
/* Was its handshake a resumed one? */
bool peer_resumed(const struct peer *p);
void peer_free(struct peer *p);
/* A client's context that trusts ca_file; new sessions go to the identity of their connection. */
SSL_CTX *peer_ctx(const char *ca_file);
/* The value of a header field of a reply's head, cut at cap; false: not there. */
bool reply_field(const char *head, const char *name, char *out, size_t cap);

/* --- world.c */
struct subscriber {
	char imsi[16], impi[64];
	struct secret *k, *opc;
	/* what its last bootstrapping brought */
	struct btid btid;
	bool busy;
};
struct device {
	char id[64];
	struct identity who;
};
struct world {
	struct subscriber *subs;
	size_t n_subs;
	struct device *devs;
	size_t n_devs;
};
void world_subscribers(struct world *w, size_t n);
/* With keys of their own and certificates of this CA (PEM). */
void world_devices(struct world *w, size_t n, const char *ca_file, const char *ca_key_file);
/* bsfd learns of the subscribers over its control socket, many in flight. */
void world_provision(const struct world *w, const char *control);
void world_free(struct world *w);

/* --- ub.c, ua.c: one operation; fn once, never inside the call. error NULL: done */
typedef void op_done_fn(void *arg, const char *error);
struct target {
	struct event_base *base;
	SSL_CTX *ctx;
	const char *ub, *ub_fqdn;	/* "127.0.0.1:40001", the BSF's name */
	const char *ua, *naf_fqdn;	/* "127.0.0.1:40003", the NAF's name */
	bool foreign;			/* the server behind ua is another one: its answers need only be 200 */
};
/* Over p, which may be kept for more. The B-TID goes into s. */
void ub_run(const struct target *t, struct peer *p, struct subscriber *s, op_done_fn *fn, void *arg);
/* A GET of "/" at another server, which need only answer 200. */
void get_run(struct peer *p, const char *address, op_done_fn *fn, void *arg);
void ua_run(const struct target *t, struct peer *p, const struct device *d, const struct btid *btid, op_done_fn *fn, void *arg);

#endif
