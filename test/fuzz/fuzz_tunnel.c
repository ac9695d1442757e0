/*
 * A tunnel, and a peer that sends the input. The first octet says which end ours is, whether the peer begins as HTTP/2 does, what our
 * streams' users do, and the size of the pieces; the rest are octets, except that a piece may let time pass or let our user act.
 * Properties: nothing is called after its end; what waits for a user stays within the stream's window, what waits for the peer within
 * the link's mark; in the end everything is freed.
 */
#include "test/fuzz/as_unit.h"

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define BUFFER 5000
#define STREAMS 8

enum { SERVER = 1, BEGUN = 2, ECHO = 4, DEAF = 8, ACTS = 16, SMALL = 32 };

static struct clock *clk;
static struct link_net *net;
static unsigned how;
static struct tunnel *tunnel;
static struct link *raw;
static unsigned tunnel_ended;

struct user {
	struct link *l;
	bool ended;
};
static struct user users[4096];
static size_t n_users;

static void
no_log(enum log_level level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

/* --- our streams' users */

static void
on_data(struct link *l, void *arg)
{
	struct user *u = arg;
	struct span in = link_input(l);

	ck_assert(u->l == l && !u->ended);
	ck_assert(in.n <= BUFFER);
	if (how & DEAF)
		return;
	if ((how & ECHO) && link_write(l, in) != RC_OK)
		link_close(l);
	link_drain(l, in.n);
}

static void
on_eof(struct link *l, void *arg)
{
	struct user *u = arg;

	ck_assert(u->l == l && !u->ended);
	if ((how & ECHO) && link_shutdown(l) != RC_OK)
		link_close(l);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct user *u = arg;

	(void)why;
	ck_assert(u->l == l && !u->ended && detail != NULL);
	u->ended = true;
	u->l = NULL;
	link_free(l);
}

static const struct link_cb user_cb = { .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };

static struct user *
user_new(void)
{
	ck_assert(n_users < sizeof users / sizeof users[0]);
	users[n_users] = (struct user){ NULL, false };
	return &users[n_users++];
}

static void
on_open(struct tunnel *t, struct link *stream, const char *service, void *arg)
{
	struct user *u;

	(void)arg;
	ck_assert(t == tunnel && tunnel_service_ok(service) && tunnel_streams(t) <= STREAMS + 1);
	if (n_users == sizeof users / sizeof users[0] || strlen(service) % 5 == 4) {
		tunnel_refuse(stream, REASON_TUNNEL_SERVICE_UNKNOWN);
		return;
	}
	u = user_new();
	u->l = stream;
	link_set_cb(stream, &user_cb, u);
	if (strlen(service) % 5 != 3)
		ck_ok(tunnel_accept(stream));
}

static void
open_one(struct tunnel *t)
{
	struct user *u = user_new();

	if (tunnel_open(t, "modem", &user_cb, u, &u->l) != RC_OK)
		u->ended = true;
}

static void
on_up(struct tunnel *t, void *arg)
{
	(void)arg;
	if (!(how & SERVER))
		for (int i = 0; i < 3; i++)
			open_one(t);
}

static void
on_tunnel_closed(struct tunnel *t, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)arg;
	ck_assert(t == tunnel && tunnel_ended == 0 && detail != NULL);
	tunnel_ended++;
	for (size_t i = 0; i < n_users; i++)
		ck_assert(users[i].ended);
	tunnel_free(t);
	tunnel = NULL;
}

/* --- the peer */

static void
raw_data(struct link *l, void *arg)
{
	(void)arg;
	link_drain(l, link_input(l).n);
}

static void
raw_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail, (void)arg;
	link_free(l);
	raw = NULL;
}

static const struct link_cb raw_cb = { .on_data = raw_data, .on_closed = raw_closed };

static void
settle(void)
{
	while (link_mem_run(net) + clock_advance(clk, 0) > 0)
		;
	if (tunnel != NULL && tunnel_link(tunnel) != NULL)
		ck_assert(link_unsent(tunnel_link(tunnel)) < 1024 * 1024);
}

static void
say(const void *p, size_t n)
{
	if (raw != NULL && link_write(raw, span_of(p, n)) != RC_OK)
		link_close(raw);
}

static void
accepted(struct link *l, void *arg)
{
	static const struct tunnel_cb cb = { .on_up = on_up, .on_open = on_open, .on_closed = on_tunnel_closed };
	static const struct tunnel_conf conf = { .streams_max = STREAMS, .stream_buffer = BUFFER, .idle_ms = 60000 };

	(void)arg;
	ck_ok(how & SERVER ? tunnel_server_new(l, clk, &conf, &cb, NULL, &tunnel) : tunnel_client_new(l, clk, &conf, &cb, NULL, &tunnel));
}

static void
on_pong(void *arg, bool alive)
{
	(void)arg, (void)alive;
	ck_assert(tunnel != NULL);
}

/* Our side does something by itself, as the piece before says. */
static void
act(uint8_t what)
{
	struct link *l = n_users > 0 ? users[what % n_users].l : NULL;

	switch (what % 11) {
	case 0:
		clock_advance(clk, 1000 * (what / 11));
		break;
	case 1:
		if (tunnel != NULL && tunnel_ping(tunnel, 3000, on_pong, NULL) == RC_NOMEM)
			abort();
		break;
	case 2:
		if (tunnel != NULL && what > 200)
			tunnel_drain(tunnel);
		break;
	case 3:
		if (tunnel != NULL && what > 200)
			tunnel_close(tunnel, REASON_STOPPING);
		break;
	case 4:
		if (l != NULL)
			link_close(l);
		break;
	case 5:
		if (l != NULL) {
			users[what % n_users] = (struct user){ NULL, true };
			link_reset(l);
		}
		break;
	case 6:
		if (l != NULL && link_write(l, span_str("octets of ours")) == RC_OK && link_shutdown(l) != RC_OK)
			abort();
		break;
	case 7:
		if (l != NULL)
			link_drain(l, what);
		break;
	case 8:
		if (tunnel != NULL && what > 230) {
			tunnel_free(tunnel);
			tunnel = NULL;
		}
		break;
	case 9:
		if (tunnel != NULL && !(how & SERVER) && n_users < 64)
			open_one(tunnel);
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	struct link_listener *ll;
	size_t piece;

	if (n == 0)
		return 0;
	log_capture(no_log, NULL);
	how = *p++;
	n--;
	tunnel_ended = 0;
	n_users = 0;
	ck_ok(clock_new_virtual(1000000, &clk));
	ck_ok(link_mem_new(clk, &net));
	ck_ok(link_listen(net, "unix:/t", NULL, accepted, NULL, &ll));
	ck_ok(link_connect(net, "unix:/t", NULL, &raw_cb, NULL, &raw));
	settle();
	if (how & BEGUN) {
		if (how & SERVER)
			say(begin, sizeof begin - 1);
		say("\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0", 18);
		settle();
	}
	for (piece = how & SMALL ? 7 : 500; n > 0; p += piece, n -= piece) {
		if (piece > n)
			piece = n;
		say(p, piece);
		settle();
		if (how & ACTS)
			act(p[piece - 1]);
		settle();
	}
	if (raw != NULL)
		link_close(raw);
	settle();
	clock_advance(clk, 10000);
	settle();
	for (size_t i = 0; i < n_users; i++)
		link_free(users[i].l);
	tunnel_free(tunnel);
	tunnel = NULL;
	link_free(raw);
	raw = NULL;
	link_listener_free(ll);
	link_mem_free(net);
	clock_free(clk);
	log_capture(NULL, NULL);
	return 0;
}
