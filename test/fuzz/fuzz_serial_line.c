/*
 * Property: frames that no honest end would send, in any order, neither crash a line nor make a channel send more than eight frames
 * ahead, nor give its user octets that did not come in sequence. Input: four octets a frame: kind and channel, session and time, sequence,
 * length; the frames have good checks.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/serial_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define USERS 64

struct user {
	struct serial_channel *c;
	size_t got;
};
static struct user users[USERS];
static size_t n_users;

static void
on_open(void *arg)
{
	(void)arg;
}

static size_t
fill(void *arg, uint8_t *out, size_t cap)
{
	(void)arg;
	if (cap > 0)
		memset(out, 'x', cap);
	return cap > 0 ? cap : 1;
}

static void
on_data(void *arg, struct span in)
{
	struct user *u = arg;

	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] != (uint8_t)in.n)
			abort();
	u->got += in.n;
}

static size_t
room(void *arg)
{
	const struct user *u = arg;

	return u->got < 4000 ? 4000 - u->got : 0;
}

static void
on_end(void *arg, enum reason why, const char *detail)
{
	(void)why, (void)detail;
	((struct user *)arg)->c = NULL;
}

static const struct serial_user user = { on_open, fill, on_data, room, on_end };

static void
on_write(void *ctx, struct span octets)
{
	(void)ctx;
	if (octets.n > SERIAL_WIRE_MAX)
		abort();
}

static size_t
backlog(void *ctx)
{
	(void)ctx;
	return 0;
}

static void
wake(void *ctx)
{
	(void)ctx;
}

static enum rc
on_accept(void *ctx, struct serial_channel *c)
{
	(void)ctx;
	if (n_users == USERS)
		return RC_LIMIT;
	users[n_users] = (struct user){ c, 0 };
	serial_channel_set_user(c, &user, &users[n_users++]);
	return RC_OK;
}

/* So the session that we open has a known number, and an input means the same each time. */
static enum rc
same_bytes(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	memset(out, 0x5a, n);
	return RC_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct serial_line_ops ops = { on_write, backlog, wake, on_accept };
	uint8_t wire[SERIAL_WIRE_MAX], body[256], head[4];
	struct serial_line_conf conf = { .room = 65536, .body_max = SERIAL_BODY_MAX };
	struct rnd rnd = { same_bytes, NULL };
	struct span in = { p, n }, part;
	struct serial_frame f = { 0 };
	struct serial_line *l;

	n_users = 0;
	conf.listener = n % 2;
	conf.rnd = &rnd;
	if (clock_new_virtual(0, &conf.clock) != RC_OK || serial_line_new(&ops, NULL, &conf, &l) != RC_OK)
		abort();
	if (!conf.listener && serial_channel_open(l, &user, &users[0], &users[0].c) == RC_OK)
		n_users = 1;
	while (span_take(&in, 4, &part)) {
		memcpy(head, part.p, 4);
		f.listener = !conf.listener;
		f.kind = (enum serial_kind)(1 + head[0] % 6);
		f.channel = (uint8_t)(head[0] >> 6);
		f.session = (uint16_t)(conf.listener ? head[1] % 3 : head[1] % 3 == 2 ? 0x5a5a : head[1] % 3);
		f.seq = head[2];
		f.body = span_of(body, f.kind == SERIAL_ACK ? 2 : head[3]);
		memset(body, f.kind == SERIAL_OPEN ? 1 : (int)f.body.n, sizeof body);
		if (f.kind == SERIAL_ACK)
			body[0] = head[3] % 12, body[1] = head[3] >> 4;
		serial_line_input(l, span_of(wire, serial_frame_print(&f, wire)));
		(void)serial_line_turn(l);
		clock_advance(conf.clock, head[1] & 0x80 ? 3000 : 1);
		for (size_t i = 0; i < n_users; i++)
			if (users[i].got > 4256 || (users[i].c != NULL && serial_channel_unacked(users[i].c) > SERIAL_WINDOW * SERIAL_BODY_MAX))
				abort();
	}
	serial_line_free(l);
	clock_free(conf.clock);
	return 0;
}
