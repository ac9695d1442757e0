/* serial_impl: what serial_line.c (frames to and from channels) and serial_channel.c (one channel's stream) share. */
#ifndef COMMON_SERIAL_IMPL_H
#define COMMON_SERIAL_IMPL_H

#include "common/clock.h"
#include "common/serial_line.h"

#define SERIAL_VERSION 1
#define SERIAL_NONCE_LEN 8
#define SERIAL_BAD_DAYS 64

enum serial_state {
	SERIAL_OPENING,		/* connecting: OPEN is being repeated */
	SERIAL_UP,
	SERIAL_CLOSING		/* our user has closed: what is left goes out, CLOSE behind it */
};

struct serial_slot {			/* a DATA, or the CLOSE, that was not acknowledged yet */
	bool is_close;
	size_t n;
	uint8_t body[SERIAL_BODY_MAX];
};

/* Sequence numbers are modulo 256; serial_ahead() compares them. */
struct serial_channel {
	struct serial_line *line;
	uint8_t number;
	uint16_t session;
	uint8_t open[1 + SERIAL_NONCE_LEN];	/* what its OPEN says */
	enum serial_state state;
	struct serial_user user;
	void *arg;

	/* sending: acked <= next <= cut; next < cut only while sending again */
	struct serial_slot slots[SERIAL_WINDOW];
	uint8_t acked, next, cut;
	uint8_t edge;			/* the first that the other end does not take yet */
	bool close_cut;
	size_t body_max;		/* octets of the next DATA */
	bool sent;			/* something since the last PING */

	/* the PING that is not answered yet */
	bool marked;
	uint8_t mark, mark_end;		/* its number; what had been sent before it */
	int64_t mark_ms, looked_ms;
	uint64_t in_at, in_seen;	/* the line's octets in: when it left or nearly so, when last looked */
	uint64_t mark_at;		/* the line's octet count behind it */
	bool lingered;			/* when last looked, it had not even left */
	int64_t rto_ms, srtt_ms8, rttvar_ms4;	/* times 8, times 4, as RFC 6298 is written in integers */
	bool measured;

	/* receiving */
	uint8_t want;			/* the next */
	uint8_t told;			/* edge that the other end knows */
	uint8_t their_mark;
	bool ack_due;

	int64_t heard_ms;
	unsigned unheard;		/* time-outs since */
	struct clock_timer *timer;
	int64_t timer_ms;		/* when it fires; later wishes wait for it */
};

struct serial_line {
	const struct serial_line_ops *ops;
	void *ctx;
	struct serial_line_conf conf;
	struct serial_channel *channels[SERIAL_CHANNELS];
	size_t turn_from;		/* whose turn it is first */
	struct serial_decoder decoder;
	struct serial_stats stats;
	uint64_t octets, octets_in;	/* written; come in */
	unsigned bad_days;		/* the line has proved bad: so many of the next ACKs and PINGs go out twice */
	uint64_t bad;			/* frames that were known to be bad then */
	uint16_t stray;			/* the last one answered in this turn; 0 = none */
};

/* a - b, -128..127 */
static inline int
serial_ahead(uint8_t a, uint8_t b)
{
	return (int8_t)(uint8_t)(a - b);
}

/* serial_line.c */
void serial_line_put(struct serial_line *l, enum serial_kind kind, uint8_t channel, uint16_t session, uint8_t seq, struct span body);

/* serial_channel.c */
enum rc serial_channel_new(struct serial_line *l, uint8_t number, uint16_t session, enum serial_state state,
    struct serial_channel **out) MUST_USE;
/* A frame of its session. */
void serial_channel_take(struct serial_channel *c, const struct serial_frame *f);
/* on_end, and it is gone. */
void serial_channel_end(struct serial_channel *c, enum reason why, const char *detail);
/* Without a word to anybody. */
void serial_channel_release(struct serial_channel *c);
void serial_channel_send_ack(struct serial_channel *c);
/* One DATA or CLOSE, if something may be sent. */
bool serial_channel_send(struct serial_channel *c);
/* PING, unless one is under way. */
void serial_channel_poll(struct serial_channel *c);

#endif
