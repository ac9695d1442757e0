/*
 * serial_line: up to 16 reliable streams of octets, the channels, over a line that loses, repeats, damages and delays octets.   U6
 * Knows neither tty nor loop: octets come in by a call and go out by one; time is the clock's. One per device and end.
 *
 *	connecting end                                    listening end
 *	OPEN (version 01, 8 random octets) ───────────>   the listener takes it; a repeated OPEN is answered again
 *	        <──────────────────────────── OPEN-OK
 *	DATA seq, PING mark ──────────────────────────>
 *	        <───────────── ACK seq (next one wanted), window (frames), mark
 *	CLOSE seq, empty ─────────────────────────────>   in sequence behind the last DATA, acknowledged like it: the good end
 *	CLOSE, one octet: why ────────────────────────>   at once, not acknowledged: enum serial_close
 *
 * A channel's OPEN chooses a random session that all its frames carry, both ways. A frame of a session that nobody knows is dropped
 * and answered by CLOSE; an OPEN with another session ends the channel's old stream. CLOSE of session 0 ends all channels: who begins
 * says it once. Frames with our own role bit are our echo.
 * DATA: go-back-N, 8 frames at most without ACK, and as many as the window says. Each burst ends with a PING whose mark the next ACK
 * repeats: the line keeps order, so that ACK shows what of the burst is lost, and it is sent again at once. Without any ACK it is sent
 * again after a time that follows the measured round trips (RFC 6298), 20 ms to 2 s, counted only once it has left our end. A frame
 * may arrive late by up to 120 later ones. PING also keeps alive, and asks for a new window. While a line proves bad, frames are
 * shorter, and ACK and PING go out twice: losing one would cost a whole time-out.
 */
#ifndef COMMON_SERIAL_LINE_H
#define COMMON_SERIAL_LINE_H

#include "common/rc.h"
#include "common/reason.h"
#include "common/rnd.h"
#include "common/serial_frame.h"

#define SERIAL_WINDOW 8			/* frames of a channel without ACK */
#define SERIAL_RTO_MIN_MS 20
#define SERIAL_RTO_MAX_MS 2000
#define SERIAL_IDLE_MS 5000		/* PING after so long without one */
#define SERIAL_SILENT_MS 15000		/* nothing heard and something owed: the channel ends */

struct serial_line;
struct serial_channel;
struct clock;

enum serial_close { SERIAL_CLOSE_FREED = 1, SERIAL_CLOSE_RESET, SERIAL_CLOSE_UNKNOWN, SERIAL_CLOSE_REFUSED, SERIAL_CLOSE_BEGUN };

struct serial_stats {
	uint64_t frames_out, frames_in;
	uint64_t retransmitted;		/* DATA and CLOSE put on the line again */
	uint64_t bad;			/* came in and was no frame */
	uint64_t duplicates;		/* in a second time */
	uint64_t echoes, strays;	/* our own; of no channel */
};

/* What a line needs from who has the device. None of these calls the line back. */
struct serial_line_ops {
	/* Queue whole frames; soon after, serial_line_turn() is called. What finds no room may be dropped, as on the line. */
	void (*write)(void *ctx, struct span octets);
	/* Octets written that have not left yet. */
	size_t (*backlog)(void *ctx);
	/* Something is to be sent: call serial_line_turn() soon. */
	void (*wake)(void *ctx);
	/* Listening: a channel is being opened. RC_OK: serial_channel_set_user() was called. Else it is refused. */
	enum rc (*accept)(void *ctx, struct serial_channel *c);
};
struct serial_line_conf {
	bool listener;
	size_t room;			/* as long as this many octets wait to leave, no more DATA is cut */
	size_t body_max;		/* octets of a DATA frame, 1..1,024: shorter on slow lines */
	struct clock *clock;
	const struct rnd *rnd;
};

/* conf is copied. RC_NOMEM. */
enum rc serial_line_new(const struct serial_line_ops *ops, void *ctx, const struct serial_line_conf *conf, struct serial_line **out)
    MUST_USE;
/* Frees its channels; their users are not told. NULL is fine. */
void serial_line_free(struct serial_line *l);
/* Octets from the line; users are called. Then serial_line_turn(). */
void serial_line_input(struct serial_line *l, struct span octets);
/* Sends what is due: one ACK per channel, DATA that there is room for. true: more waits for room. */
bool serial_line_turn(struct serial_line *l);
/* The medium is gone or new: all channels end so, and what is in the decoder is forgotten. */
void serial_line_down(struct serial_line *l, enum reason why, const char *detail);
/* The medium is there: tell the other end to forget what was. */
void serial_line_begin(struct serial_line *l);
void serial_line_get_stats(const struct serial_line *l, struct serial_stats *out);
size_t serial_line_channels(const struct serial_line *l);

/* Who has a channel. None of these calls the line or a channel back. */
struct serial_user {
	void (*on_open)(void *arg);			/* the listening end took it */
	size_t (*fill)(void *arg, uint8_t *out, size_t cap);	/* the next octets to send, 0 = none now; cap 0: how many wait */
	void (*on_data)(void *arg, struct span octets);	/* each octet once, in order */
	size_t (*room)(void *arg);			/* octets that it would take now */
	/* Over; the channel is freed behind it. why REASON_NONE: in good order. */
	void (*on_end)(void *arg, enum reason why, const char *detail);
};

/* Opens one. RC_LIMIT: all 16 are taken. RC_CRYPTO, RC_NOMEM. */
enum rc serial_channel_open(struct serial_line *l, const struct serial_user *user, void *arg, struct serial_channel **out) MUST_USE;
void serial_channel_set_user(struct serial_channel *c, const struct serial_user *user, void *arg);
unsigned serial_channel_number(const struct serial_channel *c);
/* There is something to fill in, or room again. */
void serial_channel_wake(struct serial_channel *c);
/* Octets sent and not acknowledged. */
size_t serial_channel_unacked(const struct serial_channel *c);
/* Once fill() gives nothing more it ends in good order; on_end follows when the other end has it all. */
void serial_channel_close(struct serial_channel *c);
/* At once; the other end is told why, by one frame. NULL is fine. */
void serial_channel_free(struct serial_channel *c, enum serial_close why);

#endif
