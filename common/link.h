/*
 * link: connected byte streams, the seam below Zn, the local interface and the control socket.
 * Real ones are bufferevents (TCP, UNIX socket) and the channels of a serial line (link_serial.h); link_mem.c is the in-memory pair.
 * Links stack: TLS over any of them (link_over.h), and the streams of a tunnel are links, too (tunnel.h).
 * All calls and callbacks are on the loop thread. Callbacks never run inside a call of the same link.
 */
#ifndef COMMON_LINK_H
#define COMMON_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/rc.h"
#include "common/reason.h"
#include "common/span.h"

struct link;
struct link_listener;
struct link_tls;	/* certificates and trust of one end, link_tls_new() */
struct loop;
struct clock;

/* What a user of a link wants to hear. arg is what was given with it. Any member may be NULL. */
struct link_cb {
	/* Connected (and, with TLS, authenticated). Not called on accepted links: they are up when on_accept has them. */
	void (*on_up)(struct link *l, void *arg);
	/* New octets are in: link_input(), link_drain(). */
	void (*on_data)(struct link *l, void *arg);
	/* All that was written has left. */
	void (*on_drained)(struct link *l, void *arg);
	/* half_open links only: the peer sends nothing more. We still may, until link_shutdown(). */
	void (*on_eof)(struct link *l, void *arg);
	/*
	 * It ended, or never came up. Nothing follows; call link_free(). why says which refusal it was (REASON_NONE = the peer
	 * closed in good order), detail is for a log line, escaped.
	 */
	void (*on_closed)(struct link *l, enum reason why, const char *detail, void *arg);	/* detail ends with the link */
};

/* The network seam: how links come to be. */
struct link_net {
	const struct link_net_ops *ops;
	void *ctx;
};

/*
 * Address text: "tcp:HOST:PORT" ([v6] in brackets; port 0 when listening = any), "unix:/path", "serial:/dev/path". HOST may be a
 * name when connecting (resolved without blocking); listening takes addresses. All that listen on or connect to one serial
 * device share it: each connection is a channel of the line (U6).
 */
#define LINK_SERIAL_PATH_MAX 100	/* characters of such a path */
enum link_flow { LINK_FLOW_NONE, LINK_FLOW_RTSCTS, LINK_FLOW_XONXOFF };
struct link_serial_options {		/* the first that opens the device decides */
	unsigned baud;			/* 0 = 115,200; a rate of termios */
	enum link_flow flow;
};

struct link_options {
	struct link_tls *tls;		/* NULL = plain; TLS from the first octet */
	const char *tls_name;		/* connecting: the dNSName that the peer's certificate must carry */
	int64_t connect_timeout_ms;	/* name, connection and TLS together; 0 = 10,000 */
	mode_t unix_mode;		/* listening: 0 = 0600 */
	size_t max_links;		/* listening: more are closed at once; 0 = 1,024 */
	bool half_open;			/* the peer's end of sending is on_eof, not the end of the link */
	bool opaque;			/* others' octets (a service's): they may begin as TLS does, and no keys of ours are among them */
	struct link_serial_options serial;
};

/* RC_SYNTAX, RC_IO (detail in the log), RC_NOMEM. on_accept owns the new link: set its callbacks, or free it. */
enum rc link_listen(const struct link_net *net, const char *address, const struct link_options *opt,
    void (*on_accept)(struct link *l, void *arg), void *arg, struct link_listener **out) MUST_USE;
/* The address bound, in the same form, with the real port. */
const char *link_listener_address(const struct link_listener *ll);
/* Stops accepting; accepted links live on. Removes a UNIX socket's file. NULL is fine. */
void link_listener_free(struct link_listener *ll);

/* Starts connecting; on_up or on_closed follows. RC_SYNTAX, RC_NOMEM. */
enum rc link_connect(const struct link_net *net, const char *address, const struct link_options *opt,
    const struct link_cb *cb, void *arg, struct link **out) MUST_USE;

void link_set_cb(struct link *l, const struct link_cb *cb, void *arg);
/* What is in, as one contiguous run; borrowed until drain, free or the next turn. */
struct span link_input(struct link *l);
void link_drain(struct link *l, size_t n);
/* Stop reading above this many octets waiting (backpressure). Default 64 KiB. */
void link_set_input_limit(struct link *l, size_t n);
/* Queues a copy. RC_NOMEM, RC_STATE (not up, or closing), RC_LIMIT (over 16 MiB unsent). */
enum rc link_write(struct link *l, struct span octets) MUST_USE;
size_t link_unsent(const struct link *l);
/* Send what is queued, then close; on_closed follows with REASON_NONE, within 5 s at the latest. */
void link_close(struct link *l);
/*
 * half_open links: what is queued leaves, then the peer sees that no more comes; reading goes on. Once both ends have said so, all has
 * left and all that came is drained, on_closed follows with REASON_NONE. RC_STATE: not half_open, not up, or said before.
 */
enum rc link_shutdown(struct link *l) MUST_USE;
/* on_eof was said, to this user or to one before. */
bool link_at_eof(const struct link *l);
/* At once, without callbacks; the peer sees a reset where the medium has one (TCP, a stream), else an end. NULL is fine. */
void link_reset(struct link *l);
/* At once, without callbacks. NULL is fine. */
void link_free(struct link *l);

/* Who is at the other end. */
struct link_peer {
	char address[128];		/* "tcp:127.0.0.1:40112", "unix:uid=0", "mem:3" */
	char local[128];		/* our own end: "tcp:127.0.0.1:3868"; "" where there is no such thing */
	bool has_cred;			/* UNIX socket: uid and gid are the kernel's word */
	uid_t uid;
	gid_t gid;
	bool in_our_group;		/* UNIX socket: our effective group is among its supplementary ones */
	bool loopback;			/* UNIX, memory, or an address of this host's loopback */
	bool has_cert;			/* TLS: the rest is from its certificate, judged good */
	uint8_t spki_sha256[32];
	char dns_names[512];		/* dNSNames, blank separated */
};
void link_get_peer(const struct link *l, struct link_peer *out);
/* Its certificate carries this dNSName (letters' case aside; no wildcards, no CN). */
bool link_peer_has_name(const struct link_peer *p, const char *fqdn);

/* Real sockets on loop; clock is for certificate checks and time-outs. Caller frees. */
enum rc link_net_new(struct loop *loop, struct clock *clock, struct link_net **out) MUST_USE;
/* After all its links and listeners; what still lingers is cut. NULL is fine. */
void link_net_free(struct link_net *net);
/* Ask this name server ("127.0.0.1:53") instead of /etc/resolv.conf's, from the first name on. RC_SYNTAX: too long. */
enum rc link_net_set_nameserver(struct link_net *net, const char *address) MUST_USE;
/*
 * In memory: listeners and connections of one process find each other by address text, whatever it is; a port 0 at its end is
 * replaced by a free number. Octets arrive by link_mem_run(). link_options.tls is only compared (one end with it and one without
 * refuse each other, as they would); nobody has a certificate. A "unix:" link's peer has this process's credentials.
 */
enum rc link_mem_new(struct clock *clock, struct link_net **out) MUST_USE;
/* Deliver all that is under way; returns how many callbacks ran. */
size_t link_mem_run(struct link_net *net);
/* From now on, connections to this address fail / work again; those that stand are cut. */
void link_mem_cut(struct link_net *net, const char *address, bool cut);
/* Octets arrive in pieces of at most n from now on; 0 = whole. */
void link_mem_set_chunk(struct link_net *net, size_t n);
/* After all its links and listeners. NULL is fine. */
void link_mem_free(struct link_net *net);

/*
 * One end's TLS: PEM files. TLS 1.2 and 1.3, peer certificate required on both sides, judged by clock's time.
 *   key_file   private key; refused (RC_DENIED) when group or world may read it
 * RC_IO, RC_SYNTAX (the log names the file). Caller frees after the links.
 */
enum rc link_tls_new(const char *cert_file, const char *key_file, const char *ca_file, struct clock *clock,
    struct link_tls **out) MUST_USE;
/*
 * From now on a peer's certificate must not be on its issuer's CRL, which must be there and in date. PEM, one or more. Once more: the
 * newest counts; for handshakes to come. RC_SYNTAX (the log names the file): nothing has changed.
 */
enum rc link_tls_use_crl(struct link_tls *t, const char *crl_file) MUST_USE;
/* From now on TLS 1.3 only, as on local links (U8). */
void link_tls_demand_13(struct link_tls *t);
void link_tls_free(struct link_tls *t);

#endif
