/* tunnel_pair: two tunnels over the in-memory network, or one and a raw peer, and streams that note what they hear. */
#ifndef TEST_UNIT_COMMON_TUNNEL_PAIR_H
#define TEST_UNIT_COMMON_TUNNEL_PAIR_H

#include <stdio.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/tunnel.h"
#include "test/unit/unit.h"

enum { ON_UP = 1, ON_DATA = 2, ON_DRAINED = 4, ON_EOF = 8, ON_CLOSED = 16, ON_OPEN = 32, ON_PONG = 64 };

/* A stream's user. */
struct user {
	struct link *l;
	int up, data, drained, eof, closed;
	enum reason why;
	char text[256];			/* the first octets read */
	size_t n;			/* octets read */
	bool deaf;			/* does not drain */
	bool echo;
	int free_stream_on, free_tunnel_on;	/* ON_x */
	struct side *side;
	char service[TUNNEL_SERVICE_MAX + 1];
};

/* A tunnel's user. */
struct side {
	struct tunnel *t;
	struct link *raw;		/* instead */
	int up, closed, pongs, deaths;
	enum reason why;
	char detail[256];
	struct tunnel_conf conf;
	/* server: what becomes of streams */
	enum reason refuse;
	bool hold;			/* neither accept nor refuse */
	int n_users;
	struct user users[128];
	struct user pattern;		/* of users that come */
	int free_tunnel_on;
	uint8_t in[65536];		/* raw: what came */
	size_t in_n;
};

static struct clock *clk;
static struct link_net *net;
static struct link_listener *ll;
static struct side cl, sv;

static inline void
settle(void)
{
	while (link_mem_run(net) + clock_advance(clk, 0) > 0)
		;
}

/* What its user wants to be freed, is freed within the callback. true: it is gone. */
static inline bool
frees(struct user *u, int on)
{
	bool gone = (u->free_stream_on & on) != 0;

	if (gone) {
		link_free(u->l);
		u->l = NULL;
	}
	if (u->free_tunnel_on & on) {
		tunnel_free(u->side->t);
		u->side->t = NULL;
	}
	return gone;
}

static inline void
user_up(struct link *l, void *arg)
{
	struct user *u = arg;

	ck_assert_ptr_eq(l, u->l);
	u->up++;
	frees(u, ON_UP);
}

static inline void
user_data(struct link *l, void *arg)
{
	struct user *u = arg;
	struct span in = link_input(l);

	ck_assert_uint_gt(in.n, 0);
	ck_assert_int_eq(u->closed, 0);
	u->data++;
	if (frees(u, ON_DATA) || u->deaf)
		return;
	for (size_t i = 0; i < in.n && u->n + i < sizeof u->text - 1; i++)
		u->text[u->n + i] = (char)in.p[i];
	u->n += in.n;
	if (u->echo)
		ck_ok(link_write(l, in));
	link_drain(l, in.n);
}

static inline void
user_drained(struct link *l, void *arg)
{
	struct user *u = arg;

	ck_assert_uint_eq(link_unsent(l), 0);
	u->drained++;
	frees(u, ON_DRAINED);
}

static inline void
user_eof(struct link *l, void *arg)
{
	struct user *u = arg;

	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(u->eof, 0);
	u->eof++;
	frees(u, ON_EOF);
}

static inline void
user_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct user *u = arg;

	ck_assert_int_eq(u->closed, 0);
	ck_assert_ptr_nonnull(detail);
	u->closed++;
	u->why = why;
	if (frees(u, ON_CLOSED))
		return;
	link_free(l);
	u->l = NULL;
}

static const struct link_cb user_cb = {
	.on_up = user_up, .on_data = user_data, .on_drained = user_drained, .on_eof = user_eof, .on_closed = user_closed
};
/* As rpc is: the peer's end of sending is the end. */
static const struct link_cb whole_cb = { .on_up = user_up, .on_data = user_data, .on_closed = user_closed };

static inline void
side_free_on(struct side *s, int on)
{
	if (s->free_tunnel_on & on) {
		tunnel_free(s->t);
		s->t = NULL;
	}
}

static inline void
side_up(struct tunnel *t, void *arg)
{
	struct side *s = arg;

	ck_assert(s->t == NULL || s->t == t);
	s->up++;
	side_free_on(s, ON_UP);
}

static inline void
side_open(struct tunnel *t, struct link *stream, const char *service, void *arg)
{
	struct side *s = arg;
	struct user *u = &s->users[s->n_users++];

	ck_assert_ptr_eq(t, s->t);
	*u = s->pattern;
	u->side = s;
	u->l = stream;
	snprintf(u->service, sizeof u->service, "%s", service);
	link_set_cb(stream, &user_cb, u);
	if (s->refuse != REASON_NONE) {
		tunnel_refuse(stream, s->refuse);
		u->l = NULL;
	} else if (!s->hold) {
		ck_ok(tunnel_accept(stream));
	}
	side_free_on(s, ON_OPEN);
}

static inline void
side_closed(struct tunnel *t, enum reason why, const char *detail, void *arg)
{
	struct side *s = arg;

	ck_assert_int_eq(s->closed, 0);
	ck_assert_ptr_eq(t, s->t);
	s->closed++;
	s->why = why;
	snprintf(s->detail, sizeof s->detail, "%s", detail);
	tunnel_free(t);
	s->t = NULL;
}

static const struct tunnel_cb side_cb = { .on_up = side_up, .on_open = side_open, .on_closed = side_closed };

static inline void
side_pong(void *arg, bool alive)
{
	struct side *s = arg;

	*(alive ? &s->pongs : &s->deaths) += 1;
	side_free_on(s, ON_PONG);
}

/* --- a raw end */

static inline void
raw_data(struct link *l, void *arg)
{
	struct side *s = arg;
	struct span in = link_input(l);

	for (size_t i = 0; i < in.n && s->in_n < sizeof s->in; i++)
		s->in[s->in_n++] = in.p[i];
	link_drain(l, in.n);
}

static inline void
raw_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct side *s = arg;

	(void)why, (void)detail;
	s->closed++;
	link_free(l);
	s->raw = NULL;
}

static const struct link_cb raw_cb = { .on_data = raw_data, .on_closed = raw_closed };

/* --- putting them together */

static bool raw_client, raw_server;

static inline void
on_accept(struct link *l, void *arg)
{
	(void)arg;
	if (raw_server) {
		sv.raw = l;
		link_set_cb(l, &raw_cb, &sv);
	} else {
		ck_ok(tunnel_server_new(l, clk, &sv.conf, &side_cb, &sv, &sv.t));
	}
}

static inline void
on_connected(struct link *l, void *arg)
{
	(void)arg;
	if (raw_client) {
		cl.raw = l;
		link_set_cb(l, &raw_cb, &cl);
	} else {
		ck_ok(tunnel_client_new(l, clk, &cl.conf, &side_cb, &cl, &cl.t));
	}
}

static inline void
start(void)
{
	static const struct link_cb cb = { .on_up = on_connected };
	struct link *l;

	memset(&cl, 0, sizeof cl);
	memset(&sv, 0, sizeof sv);
	raw_client = raw_server = false;
	ck_ok(clock_new_virtual(1000000, &clk));
	ck_ok(link_mem_new(clk, &net));
	ck_ok(link_listen(net, "unix:/t", NULL, on_accept, NULL, &ll));
	ck_ok(link_connect(net, "unix:/t", NULL, &cb, NULL, &l));
}

static inline void
stop(void)
{
	for (size_t i = 0; i < 128; i++) {
		link_free(cl.users[i].l);
		link_free(sv.users[i].l);
	}
	tunnel_free(cl.t);
	tunnel_free(sv.t);
	link_free(cl.raw);
	link_free(sv.raw);
	link_listener_free(ll);
	link_mem_free(net);
	clock_free(clk);
}

/* Both up. */
static inline void
pair(void)
{
	settle();
	ck_assert_int_eq(cl.up, 1);
	ck_assert_int_eq(sv.up, 1);
}

static inline struct user *
open_with(const char *service, const struct link_cb *cb)
{
	struct user *u = &cl.users[cl.n_users++];

	u->side = &cl;
	ck_ok(tunnel_open(cl.t, service, cb, u, &u->l));
	return u;
}

static inline struct user *
open_stream(const char *service)
{
	return open_with(service, &user_cb);
}

/* A stream that is up at both ends: the client's user; the server's is sv.users[the same number]. */
static inline struct user *
opened(const char *service)
{
	struct user *u = open_stream(service);

	settle();
	ck_assert_int_eq(u->up, 1);
	return u;
}

static inline void
say(struct user *u, const char *text)
{
	ck_ok(link_write(u->l, span_str(text)));
}

#endif
