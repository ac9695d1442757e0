/*
 * tunnel_impl: what the files of a tunnel share.
 *	tunnel.c         what its user calls, its beginning and its end
 *	tunnel_turn.c    a turn: what came in, users' callbacks, what goes out, is it over?
 *	tunnel_h2.c      what nghttp2 tells us, and its settings
 *	tunnel_data.c    DATA frames, both ways
 *	tunnel_stream.c  a stream: a link's calls, its events and its end
 *
 * nghttp2's callbacks only note what has happened (due, fault): users are called by the turn alone, one callback at a time, and each may
 * free its stream or the tunnel. A tunnel that was freed lives on until its last stream is freed.
 */
#ifndef COMMON_TUNNEL_IMPL_H
#define COMMON_TUNNEL_IMPL_H

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "common/link_impl.h"
#include "common/tunnel.h"
#include "common/tunnel_buf.h"

#define TUNNEL_STREAMS_MAX 100
#define TUNNEL_STREAM_BUFFER (256 * 1024)
#define TUNNEL_HEAD_MAX 4096		/* octets of a CONNECT's fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts them */
#define TUNNEL_FRAME_MAX (128 * 1024)	/* of a DATA frame */
#define TUNNEL_MARK_MIN 4096		/* octets that wait in the link before we stop filling it: on a slow one, … */
#define TUNNEL_MARK_MAX (256 * 1024)	/* … on a fast one */
#define TUNNEL_QUEUE_MAX 4096		/* frames that wait for a peer that does not read */
#define TUNNEL_SETTINGS_MS 10000

struct clock_timer;

enum tunnel_state {
	TUNNEL_NEW,			/* the peer's SETTINGS are due */
	TUNNEL_UP,
	TUNNEL_ENDING,			/* streams have ended, the link is closing */
	TUNNEL_OVER			/* the link is gone, on_closed is due or was called */
};

enum tunnel_stream_state {
	STREAM_HEAD,			/* server: its head is coming in; nobody knows it */
	STREAM_ASKED,			/* there is no answer yet */
	STREAM_UP,
	STREAM_CLOSING,			/* its user said close: what is queued goes out */
	STREAM_OVER,			/* HTTP/2 knows it no more, on_closed is due */
	STREAM_TOLD
};

/* What its user has to hear, in this order. */
enum { DUE_OPEN = 1, DUE_UP = 2, DUE_DATA = 4, DUE_DRAINED = 8, DUE_EOF = 16, DUE_CLOSED = 32 };

struct tunnel_stream {
	struct link base;
	TAILQ_ENTRY(tunnel_stream) all;
	TAILQ_ENTRY(tunnel_stream) ready;
	bool is_ready;
	struct tunnel *t;
	int32_t id;
	enum tunnel_stream_state state;
	unsigned due;
	char service[TUNNEL_SERVICE_MAX + 1];
	/* server: what its head said */
	size_t head_n;
	bool connect, named;
	int status;			/* client: the answer's */
	struct tunnel_buf in, out;
	size_t limit;			/* of in; 0 = the tunnel's */
	bool deferred;			/* nghttp2 waits for nghttp2_session_resume_data() */
	bool shut;			/* nothing more is written */
	bool sent_end, got_end;		/* END_STREAM */
	enum reason why;
	const char *detail;
	struct clock_timer *deadline;	/* of CLOSING */
};

struct tunnel {
	struct link *link;		/* NULL: gone */
	struct clock *clock;
	bool server;
	struct tunnel_conf conf;
	struct tunnel_cb cb;
	void *arg;
	nghttp2_session *session;	/* NULL: gone */
	enum tunnel_state state;
	bool going;			/* GOAWAY was sent or received: no new streams, and the end once none is left */
	bool up_due, closed_due;
	unsigned running;		/* turns on the stack */
	bool freed;			/* by its user */
	TAILQ_HEAD(, tunnel_stream) streams;
	TAILQ_HEAD(, tunnel_stream) ready;
	size_t n_streams, n_live;	/* all; those whose user has not heard on_closed */
	struct tunnel_buf out;		/* frames for one link_write() */
	size_t mark;			/* octets that may wait in the link */
	size_t filled;			/* octets given to it since it last ran dry, … */
	int64_t filled_ms;		/* … and since when */
	struct clock_timer *soon;	/* a turn */
	struct clock_timer *deadline;	/* of NEW; of being idle */
	struct clock_timer *ping_deadline;
	int64_t last_octet_ms;
	unsigned n_refused;		/* requests that were none of ours */
	uint64_t ping;			/* opaque octets of the last one */
	void (*ping_fn)(void *arg, bool alive);
	void *ping_arg;
	bool ping_due, ping_alive;
	enum reason fault;		/* what nghttp2's callbacks found; NONE: nothing */
	uint32_t fault_code;		/* what GOAWAY says of it */
	enum reason why;		/* of the end */
	char h2_text[160];		/* nghttp2's words about the last error, escaped */
	char detail[240];
};

/* --- tunnel.c */
/* It is over: its streams hear why; GOAWAY with code leaves, then the link is closed. Never inside nghttp2's callbacks. */
void tunnel_end(struct tunnel *t, enum reason why, uint32_t code, const char *detail);
/* Frees the memory once its user and its last stream are gone. */
void tunnel_release(struct tunnel *t);

/* --- tunnel_turn.c */
void tunnel_turn(struct tunnel *t);
/* A turn follows. */
void tunnel_wake(struct tunnel *t);
/* To the link. It copies, or sends. */
void tunnel_put(struct tunnel *t, struct span octets);
/* As much waits as may. */
bool tunnel_full(const struct tunnel *t);
/* The link has run dry. */
void tunnel_drained(struct tunnel *t);
/* Before the link is closed: whatever waits there already. */
void tunnel_last_words(struct tunnel *t);

/* --- tunnel_h2.c */
enum rc tunnel_h2_new(struct tunnel *t) MUST_USE;
/* From nghttp2's callbacks: the tunnel ends after this. */
void tunnel_fault(struct tunnel *t, enum reason why, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A fault, if an nghttp2 call says so. */
void tunnel_h2_check(struct tunnel *t, int nghttp2_rv);
enum rc tunnel_h2_connect(struct tunnel_stream *s) MUST_USE;
/* Server. end: with END_STREAM, and the stream is over. */
enum rc tunnel_h2_answer(struct tunnel *t, int32_t id, int status, bool end) MUST_USE;

/* --- tunnel_data.c: callbacks of nghttp2 */
int tunnel_data_in(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *octets, size_t n, void *arg);
ssize_t tunnel_data_length(nghttp2_session *session, uint8_t type, int32_t id, int32_t session_window, int32_t stream_window,
    uint32_t frame_max, void *arg);
ssize_t tunnel_data_source(nghttp2_session *session, int32_t id, uint8_t *buf, size_t max, uint32_t *flags,
    nghttp2_data_source *source, void *arg);
int tunnel_data_out(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n, nghttp2_data_source *source, void *arg);

/* --- tunnel_stream.c */
enum rc tunnel_stream_new(struct tunnel *t, struct tunnel_stream **out) MUST_USE;
struct tunnel_stream *tunnel_stream_of(struct link *l);
/* One callback of its user; s and t may be gone afterwards, t not within a turn. */
void tunnel_stream_deliver(struct tunnel_stream *s);
void tunnel_stream_due(struct tunnel_stream *s, unsigned due);
/* HTTP/2 is done with it, or is told so: its user hears why. A stream that nobody knows yet is freed. */
void tunnel_stream_over(struct tunnel_stream *s, enum reason why, const char *detail);
/* The same, and RST_STREAM. */
void tunnel_stream_cut(struct tunnel_stream *s, uint32_t code, enum reason why, const char *detail);
/* nghttp2 knows the stream no more by us: what it still says is for nobody. */
void tunnel_stream_detach(struct tunnel_stream *s);
/* Its memory, nothing else. */
void tunnel_stream_discard(struct tunnel_stream *s);
/* There is something to send. */
void tunnel_stream_resume(struct tunnel_stream *s);

#endif
