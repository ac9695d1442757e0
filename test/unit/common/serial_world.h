/*
 * serial_world: two ends of a serial line (serial_line.h) and a bad line between them, on a virtual clock. For test_serial_line.c:
 * ends[0] connects, ends[1] listens, run() lets them work.
 */
#ifndef TEST_UNIT_COMMON_SERIAL_WORLD_H
#define TEST_UNIT_COMMON_SERIAL_WORLD_H

#include <sys/queue.h>

#include "common/clock.h"
#include "common/serial_line.h"
#include "test/unit/unit.h"

#define USERS 20

struct noise {				/* octets of 100,000; milliseconds */
	unsigned drop, repeat, flip;
	int64_t delay, jitter;		/* jitter: later ones may overtake */
	bool echo, cut;
};
struct chunk {
	TAILQ_ENTRY(chunk) all;
	int64_t due;
	int to;
	size_t n;
	uint8_t octets[3 * SERIAL_WIRE_MAX];
};
struct user {				/* one end of one channel */
	struct serial_channel *c;
	unsigned key;			/* what it sends is text(key, i) */
	size_t to_send, sent, got, held, room;
	bool holds, opened, ended, wrong;
	unsigned expect;
	enum reason why;
};
struct end {
	int which;
	struct serial_line *line;
	bool woken, more;
	size_t backlog;
	int64_t rate;			/* octets a second that leave; 0 = all at once */
	int64_t free_us;		/* when all that was written has left */
	struct user users[USERS];
	size_t n_users;
	bool refuses;
};

static struct clock *clk;
static struct rnd_seeded rnd;
static struct end ends[2];		/* 0 connects, 1 listens */
static struct noise noise;
static TAILQ_HEAD(, chunk) air;
static uint32_t dice;

static uint8_t
text(unsigned key, size_t i)
{
	return (uint8_t)((i * 2654435761u + key * 97u) >> 7 ^ i);
}

/* --- the line between */

static uint32_t
throw_dice(uint32_t sides)
{
	dice = dice * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)dice * sides >> 32);
}

static void
chunk_free(struct chunk *k)
{
	TAILQ_REMOVE(&air, k, all);
	free(k);
}

/* When octets of this end have left. */
static int64_t
leave(struct end *e, size_t n)
{
	int64_t now_us = clock_mono_ms(clk) * 1000;

	if (e->rate == 0)
		return clock_mono_ms(clk);
	if (e->free_us < now_us)
		e->free_us = now_us;
	e->free_us += (int64_t)n * 1000000 / e->rate;
	return e->free_us / 1000 + 1;
}

static void
send_to(int to, struct span in, int64_t left_ms)
{
	struct chunk *k = malloc(sizeof *k);
	uint32_t v;

	ck_assert_ptr_nonnull(k);
	k->n = 0;
	for (size_t i = 0; i < in.n; i++) {
		uint8_t b = in.p[i];

		v = throw_dice(100000);
		if (v < noise.drop)
			continue;
		if (v < noise.drop + noise.repeat)
			k->octets[k->n++] = b;
		else if (v < noise.drop + noise.repeat + noise.flip)
			b ^= (uint8_t)(1u << throw_dice(8));
		k->octets[k->n++] = b;
	}
	k->to = to;
	k->due = left_ms + noise.delay + (noise.jitter > 0 ? throw_dice((uint32_t)noise.jitter) : 0);
	TAILQ_INSERT_TAIL(&air, k, all);
}

static void
on_write(void *ctx, struct span octets)
{
	struct end *e = ctx;
	int64_t left_ms = leave(e, octets.n);

	e->woken = true;
	if (noise.cut)
		return;
	send_to(!e->which, octets, left_ms);
	if (noise.echo)
		send_to(e->which, octets, left_ms);
}

static size_t
on_backlog(void *ctx)
{
	const struct end *e = ctx;
	int64_t us = e->free_us - clock_mono_ms(clk) * 1000;

	return e->backlog + (us > 0 ? (size_t)(us * e->rate / 1000000) : 0);
}

static void
on_wake(void *ctx)
{
	((struct end *)ctx)->woken = true;
}

/* --- users */

static void
on_open(void *arg)
{
	((struct user *)arg)->opened = true;
}

static size_t
fill(void *arg, uint8_t *out, size_t cap)
{
	struct user *u = arg;
	size_t n = u->to_send - u->sent;

	if (cap == 0)
		return n;
	if (n > cap)
		n = cap;
	for (size_t i = 0; i < n; i++)
		out[i] = text(u->key, u->sent++);
	return n;
}

static void
on_data(void *arg, struct span in)
{
	struct user *u = arg;

	for (size_t i = 0; i < in.n; i++)
		u->wrong = u->wrong || in.p[i] != text(u->expect, u->got++);
	if (u->holds) {
		u->held += in.n;
		ck_assert_uint_lt(u->held, u->room + SERIAL_BODY_MAX);
	}
}

static size_t
room(void *arg)
{
	const struct user *u = arg;

	return u->held < u->room ? u->room - u->held : 0;
}

static void
on_end(void *arg, enum reason why, const char *detail)
{
	struct user *u = arg;

	ck_assert_ptr_nonnull(detail);
	ck_assert(!u->ended);
	u->ended = true;
	u->why = why;
	u->c = NULL;
}

static const struct serial_user user = { on_open, fill, on_data, room, on_end };

static struct user *
add_user(struct end *e, unsigned key, unsigned expect)
{
	struct user *u = &e->users[e->n_users++];

	ck_assert_uint_le(e->n_users, USERS);
	*u = (struct user){ .key = key, .expect = expect, .room = 65536 };
	return u;
}

static enum rc
on_accept(void *ctx, struct serial_channel *c)
{
	struct end *e = ctx;
	struct user *u;

	if (e->refuses)
		return RC_LIMIT;
	u = add_user(e, 100 + (unsigned)e->n_users, (unsigned)e->n_users);
	u->c = c;
	serial_channel_set_user(c, &user, u);
	return RC_OK;
}

static struct user *
dial(void)
{
	struct user *u = add_user(&ends[0], (unsigned)ends[0].n_users, 100 + (unsigned)ends[0].n_users);

	ck_ok(serial_channel_open(ends[0].line, &user, u, &u->c));
	return u;
}

/* --- the world */

static const struct serial_line_ops ops = { on_write, on_backlog, on_wake, on_accept };

static void
start_end_as(int which, int64_t rate, size_t most_waiting, size_t body_max)
{
	const struct serial_line_conf conf = { which == 1, most_waiting, body_max, clk, &rnd.rnd };

	ends[which] = (struct end){ .which = which, .rate = rate };
	ck_ok(serial_line_new(&ops, &ends[which], &conf, &ends[which].line));
	serial_line_begin(ends[which].line);
}

static void
start_end(int which)
{
	start_end_as(which, 0, 65536, SERIAL_BODY_MAX);
}

static void
setup(void)
{
	noise = (struct noise){ 0 };
	TAILQ_INIT(&air);
	dice = 7;
	ck_ok(clock_new_virtual(1000000, &clk));
	rnd_seeded_init(&rnd, 7);
	start_end(0);
	start_end(1);
}

static void
teardown(void)
{
	for (int i = 0; i < 2; i++)
		serial_line_free(ends[i].line);
	clock_free(clk);
	while (!TAILQ_EMPTY(&air))
		chunk_free(TAILQ_FIRST(&air));
}

/* What is due arrives; false: nothing was. */
static bool
deliver(void)
{
	struct chunk *k, *next;
	bool any = false;

	for (k = TAILQ_FIRST(&air); k != NULL; k = next) {
		next = TAILQ_NEXT(k, all);
		if (k->due > clock_mono_ms(clk))
			continue;
		serial_line_input(ends[k->to].line, span_of(k->octets, k->n));
		ends[k->to].woken = true;
		chunk_free(k);
		next = TAILQ_FIRST(&air);	/* input may have sent something */
		any = true;
	}
	return any;
}

/* Until nothing is left to do at this moment, then a step of the clock; ms in all. Stops early when done() says so. */
static bool
run(int64_t ms, bool (*done)(void))
{
	for (int64_t end = clock_mono_ms(clk) + ms; clock_mono_ms(clk) <= end; clock_advance(clk, 1)) {
		bool busy = true;

		for (int i = 0; i < 2; i++)
			ends[i].woken = ends[i].woken || (ends[i].more && ends[i].rate > 0);
		while (busy) {
			busy = deliver();
			for (int i = 0; i < 2; i++) {
				if (ends[i].woken) {
					ends[i].woken = false;
					ends[i].more = serial_line_turn(ends[i].line);
					busy = true;
				}
			}
		}
		if (done != NULL && done())
			return true;
	}
	return done == NULL;
}

static bool
all_arrived(void)
{
	for (int e = 0; e < 2; e++) {
		for (size_t i = 0; i < ends[e].n_users; i++) {
			if (i >= ends[!e].n_users || ends[e].users[i].got != ends[!e].users[i].to_send)
				return false;
		}
	}
	return ends[0].n_users == ends[1].n_users;
}

static bool
all_open(void)
{
	for (size_t i = 0; i < ends[0].n_users; i++)
		if (!ends[0].users[i].opened)
			return false;
	return true;
}

static bool
all_ended(void)
{
	for (int e = 0; e < 2; e++)
		for (size_t i = 0; i < ends[e].n_users; i++)
			if (!ends[e].users[i].ended)
				return false;
	return true;
}

static void
all_right(void)
{
	for (int e = 0; e < 2; e++)
		for (size_t i = 0; i < ends[e].n_users; i++)
			ck_assert(!ends[e].users[i].wrong);
}

static struct serial_stats
stats(int e)
{
	struct serial_stats s;

	serial_line_get_stats(ends[e].line, &s);
	return s;
}

static void
send_more(struct user *u, size_t n)
{
	u->to_send += n;
	serial_channel_wake(u->c);
}

#endif
