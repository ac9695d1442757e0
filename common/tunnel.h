/*
 * tunnel: many streams over one secured link: HTTP/2 (RFC 9113) by libnghttp2, each stream a CONNECT whose :authority is a
 * service's name.                                                                               RULES U1, U5; ARCHITECTURE 9
 *
 *	device (client)                       MT (server)
 *	  | tunnel_open("modem") -- CONNECT --> | on_open: tunnel_accept() or tunnel_refuse()
 *	  | on_up <------------------ 200 ----- |
 *	  | DATA <--------------------------->  | each way with its own flow control; END_STREAM = half-close, RST_STREAM = reset
 *
 * A stream is a link (half_open; address "tunnel:NAME"). What its user does not drain holds up its own stream's window and no other's.
 * One whose user has no on_eof ends with the peer's end of sending, as a link that is not half_open. When both ends have said
 * END_STREAM, on_closed (REASON_NONE) waits until what is in was drained; a reset does not wait (REASON_TUNNEL_RESET).
 * nghttp2's counting of resets stays on; a peer that breaks HTTP/2 is told so by GOAWAY and the tunnel ends.
 */
#ifndef COMMON_TUNNEL_H
#define COMMON_TUNNEL_H

#include "common/link.h"

#define TUNNEL_SERVICE_MAX 64		/* characters of a service's name */

struct clock;
struct tunnel;

struct tunnel_conf {			/* 0 = the default in brackets */
	unsigned streams_max;		/* at once [100]; more are refused (REFUSED_STREAM) */
	size_t stream_buffer;		/* octets that wait for a stream's user: its window [256 KiB] */
	int64_t idle_ms;		/* no stream and no octet for so long: it ends in good order [0 = never] */
};
struct tunnel_cb {
	/* Both have said SETTINGS: streams may be opened. */
	void (*on_up)(struct tunnel *t, void *arg);
	/*
	 * Server: the peer wants a stream to this service (its name has its form). stream is not up; accept or refuse it, now or later,
	 * unless on_closed of it comes first: set its callbacks at once.
	 */
	void (*on_open)(struct tunnel *t, struct link *stream, const char *service, void *arg);
	/*
	 * It ended, or never came up (REASON_TUNNEL_BROKEN); streams were told before. REASON_NONE: in good order (drained, idle);
	 * REASON_TUNNEL_CLOSED: by the peer, over the streams' heads; after tunnel_close() what was given there. Call tunnel_free().
	 * detail is for a log line, and ends with the tunnel.
	 */
	void (*on_closed)(struct tunnel *t, enum reason why, const char *detail, void *arg);
};
/* link is up; taken over, on failure too. What it holds as input is read as HTTP/2. RC_NOMEM. Caller frees. */
enum rc tunnel_client_new(struct link *link, struct clock *clock, const struct tunnel_conf *conf, const struct tunnel_cb *cb, void *arg,
    struct tunnel **out) MUST_USE;
enum rc tunnel_server_new(struct link *link, struct clock *clock, const struct tunnel_conf *conf, const struct tunnel_cb *cb, void *arg,
    struct tunnel **out) MUST_USE;
/*
 * Client. on_up of the stream when the peer accepts; on_closed else: REASON_TUNNEL_SERVICE_UNKNOWN (404), _SERVICE_REFUSED (403),
 * _SERVICE_DOWN (502, 503), _LIMIT, _CLOSED (the tunnel ends; another may take it), _BROKEN. RC_STATE: not up, going away or closed.
 * RC_LIMIT: streams_max, ours or the peer's. RC_SYNTAX: the name.
 */
enum rc tunnel_open(struct tunnel *t, const char *service, const struct link_cb *cb, void *arg, struct link **out) MUST_USE;
/* Server: answers 200; the stream is up from now on. RC_STATE: it ended, on_closed is under way. RC_NOMEM. */
enum rc tunnel_accept(struct link *stream) MUST_USE;
/* Server: answers by the reason's http status (none: 503), and frees the stream. link_reset() of it refuses, too (CANCEL). */
void tunnel_refuse(struct link *stream, enum reason why);

/*
 * Is it alive? PING; fn once, never inside this call, unless freed: false = no answer within timeout_ms, or it ended. RC_NOMEM.
 * RC_STATE: not up, or a PING is under way.
 */
enum rc tunnel_ping(struct tunnel *t, int64_t timeout_ms, void (*fn)(void *arg, bool alive), void *arg) MUST_USE;
/* No new streams; when those that stand have ended, on_closed (a tunnel on the newer key takes over, U1). */
void tunnel_drain(struct tunnel *t);
/* GOAWAY, all streams end, then on_closed; for a key that is over. why is told to streams' users. */
void tunnel_close(struct tunnel *t, enum reason why);
/* At once, without callbacks of its own; streams still held hear on_closed. NULL is fine. */
void tunnel_free(struct tunnel *t);

/* Streams that have not ended, those not yet accepted among them. */
size_t tunnel_streams(const struct tunnel *t);
/* What it runs over, for link_get_peer(); NULL once it is gone. */
struct link *tunnel_link(struct tunnel *t);

/* Form of a service's name: 1..TUNNEL_SERVICE_MAX of a-z 0-9 . _ -, not beginning with "kslocal-" unless ours. Pure. */
bool tunnel_service_ok(const char *name);
/* The stream that carries the local interface's messages inside a tunnel: `forget` (K5). */
#define TUNNEL_MESSAGES "kslocal-messages"

#endif
