/*
 * tunnel: as it is used: TLS with a PSK over each medium, and each stream joined to a connection of its own, at the far end of which
 * somebody echoes. Octets, ends and resets come through all of it, both ways (U1, U5).
 */
#include <check.h>

#include "common/link_join.h"
#include "common/link_over.h"
#include "common/secret.h"
#include "common/tunnel.h"
#include "test/unit/common/media.h"

#define USERS 8

static struct tunnel *client, *server;
static struct link *bare[2];		/* below the tunnels, until these have them */
static struct link_listener *echoes;
static int ups, tunnels_closed, joins_ended, accepted;
static bool deaf;			/* the echo neither reads nor writes */
static enum reason join_why, tunnel_why, far_why;

struct user {
	struct link *l;
	int up, eof, closed;
	enum reason why;
	size_t got, want, said;
	bool wrong;
};
static struct user users[USERS];
static struct link *far[USERS];		/* the echo's */

static uint8_t octet(size_t i) { return (uint8_t)(i * 13 + (i >> 9)); }

/* --- the echo behind it all */

static void
echo_move(struct link *l)
{
	struct span in = link_input(l);

	if (deaf || in.n == 0 || link_unsent(l) > 100000)
		return;
	ck_ok(link_write(l, in));
	link_drain(l, in.n);
}

static void
echo_data(struct link *l, void *arg)
{
	(void)arg;
	echo_move(l);
	if (link_at_eof(l) && link_input(l).n == 0)
		(void)!link_shutdown(l);
}

static void
echo_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)detail;
	*(struct link **)arg = NULL;
	far_why = why;
	link_free(l);
}

static void
on_echo(struct link *l, void *arg)
{
	static const struct link_cb cb = { .on_data = echo_data, .on_drained = echo_data, .on_eof = echo_data, .on_closed = echo_closed };

	(void)arg;
	ck_assert_int_lt(accepted, USERS);
	far[accepted] = l;
	link_set_cb(l, &cb, &far[accepted++]);
}

/* --- the server joins each stream to a connection */

static void
on_join_end(struct link_join *j, enum reason why, const struct link_join_stats *st, void *arg)
{
	(void)j, (void)st, (void)arg;
	joins_ended++;
	join_why = why;
}

static void
on_service(struct link *l, void *arg)
{
	struct link *stream = arg;
	struct link_join *j;

	ck_ok(tunnel_accept(stream));
	ck_ok(link_join_new(stream, l, 0, on_join_end, NULL, &j));
}

static void
on_open(struct tunnel *t, struct link *stream, const char *service, void *arg)
{
	static const struct link_cb cb = { .on_up = on_service };
	struct link *l;

	(void)t, (void)arg;
	ck_assert_str_eq(service, "echo");
	ck_ok(link_connect(net, link_listener_address(echoes), &(struct link_options){ .half_open = true }, &cb, stream, &l));
}

static void
on_tunnel_up(struct tunnel *t, void *arg)
{
	(void)t, (void)arg;
	ups++;
}

static void
on_tunnel_closed(struct tunnel *t, enum reason why, const char *detail, void *arg)
{
	(void)detail;
	*(struct tunnel **)arg = NULL;
	tunnels_closed++;
	tunnel_why = why;
	tunnel_free(t);
}

static const struct tunnel_cb tunnel_cb = { .on_up = on_tunnel_up, .on_open = on_open, .on_closed = on_tunnel_closed };

/* --- TLS between link and tunnel */

static void
on_secured(struct link *l, void *arg)
{
	bare[arg == &server] = NULL;
	if (arg == &server)
		ck_ok(tunnel_server_new(l, clk, NULL, &tunnel_cb, &server, &server));
	else
		ck_ok(tunnel_client_new(l, clk, NULL, &tunnel_cb, &client, &client));
}

static void
secure(struct link *l, void *arg)
{
	static const struct link_cb cb = { .on_up = on_secured };
	struct secret *k;
	struct link_psk psk = { "kslocal1.test", NULL };

	ck_ok(secret_from(span_of("0123456789abcdef0123456789abcdef", 32), &k));
	psk.key = k;
	ck_ok(link_over(l, clk, &(struct link_over_conf){ .server = arg == &server, .psk = &psk }, &cb, arg, &bare[arg == &server]));
	secret_free(k);
}

static void
setup(void)
{
	client = server = NULL;
	bare[0] = bare[1] = NULL;
	ups = tunnels_closed = joins_ended = accepted = 0;
	deaf = false;
	join_why = tunnel_why = far_why = REASON_NONE;
	memset(users, 0, sizeof users);
	memset(far, 0, sizeof far);
}

static void
begin(int i)
{
	static const struct link_cb cb = { .on_up = secure };
	char echo_address[160];
	struct link *l;

	media_setup(i);
	snprintf(echo_address, sizeof echo_address, "%s%s", address(), medium == TCP ? "" : ".echo");
	ck_ok(link_listen(net, echo_address, &(struct link_options){ .half_open = true }, on_echo, NULL, &echoes));
	ck_ok(link_listen(net, address(), NULL, secure, &server, &ll));
	ck_ok(link_connect(net, link_listener_address(ll), NULL, &cb, &client, &l));
	until(ups == 2);
}

static void
end(void)
{
	for (int i = 0; i < USERS; i++)
		link_free(users[i].l);
	tunnel_free(client);
	quiet();
	tunnel_free(server);
	quiet();
	for (int i = 0; i < USERS; i++)
		link_free(far[i]);
	link_listener_free(echoes);
	media_teardown();
}

/* --- users of the client's streams */

static void
pour(struct user *u)
{
	uint8_t piece[5000];

	while (u->said < u->want && link_unsent(u->l) < 50000) {
		size_t n = u->want - u->said < sizeof piece ? u->want - u->said : sizeof piece;

		for (size_t i = 0; i < n; i++)
			piece[i] = octet(u->said + i);
		ck_ok(link_write(u->l, span_of(piece, n)));
		u->said += n;
		if (u->said == u->want)
			ck_ok(link_shutdown(u->l));
	}
}

static void
user_up(struct link *l, void *arg)
{
	struct user *u = arg;

	(void)l;
	u->up++;
	pour(u);
}

static void
user_drained(struct link *l, void *arg)
{
	(void)l;
	pour(arg);
}

static void
user_data(struct link *l, void *arg)
{
	struct user *u = arg;
	struct span in = link_input(l);

	for (size_t i = 0; i < in.n; i++)
		u->wrong = u->wrong || in.p[i] != octet(u->got + i);
	u->got += in.n;
	link_drain(l, in.n);
}

static void
user_eof(struct link *l, void *arg)
{
	(void)l;
	((struct user *)arg)->eof++;
}

static void
user_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct user *u = arg;

	(void)detail;
	u->closed++;
	u->why = why;
	link_free(l);
	u->l = NULL;
}

static struct user *
use(int i, size_t want)
{
	static const struct link_cb cb = {
		.on_up = user_up, .on_drained = user_drained, .on_data = user_data, .on_eof = user_eof, .on_closed = user_closed
	};

	users[i].want = want;
	ck_ok(tunnel_open(client, "echo", &cb, &users[i], &users[i].l));
	return &users[i];
}

static int
n_closed(void)
{
	int n = 0;

	for (int i = 0; i < USERS; i++)
		n += users[i].closed;
	return n;
}

/* --- the tests, over each medium */

START_TEST(all_at_once)
{
	begin(_i);
	for (int i = 0; i < USERS; i++)
		use(i, 400000 + (size_t)i);
	until(n_closed() == USERS);
	until(joins_ended == USERS);
	for (int i = 0; i < USERS; i++) {
		ck_assert_uint_eq(users[i].got, users[i].want);
		ck_assert(!users[i].wrong);
		ck_assert_int_eq(users[i].eof, 1);
		ck_assert_int_eq(users[i].why, REASON_NONE);
	}
	ck_assert_int_eq(join_why, REASON_NONE);
	tunnel_drain(client);
	until(tunnels_closed == 2);
	ck_assert_int_eq(tunnel_why, REASON_NONE);
	end();
}
END_TEST

START_TEST(reset_by_the_user)
{
	begin(_i);
	deaf = true;
	use(0, 100000000);
	until(users[0].up == 1 && far[0] != NULL && link_input(far[0]).n > 0);
	link_reset(users[0].l);
	users[0].l = NULL;
	until(joins_ended == 1);
	ck_assert_int_eq(join_why, REASON_TUNNEL_RESET);
	deaf = false;
	if (far[0] != NULL)		/* it reads on, and meets the reset */
		link_drain(far[0], link_input(far[0]).n);
	until(far[0] == NULL);
	if (medium == TCP)		/* where there is such a thing */
		ck_assert_int_eq(far_why, REASON_LINK_BROKEN);
	use(1, 1000);
	until(users[1].closed == 1);
	ck_assert_uint_eq(users[1].got, 1000);
	end();
}
END_TEST

START_TEST(reset_by_the_service)
{
	begin(_i);
	deaf = true;
	use(0, 100000000);
	until(users[0].up == 1 && far[0] != NULL && link_input(far[0]).n > 0);
	link_reset(far[0]);
	far[0] = NULL;
	until(users[0].closed == 1);
	if (medium == TCP)		/* where there is such a thing */
		ck_assert_int_eq(users[0].why, REASON_TUNNEL_RESET);
	ck_assert_int_eq(users[0].eof, 0);
	end();
}
END_TEST

/* A service that reads nothing stops its own stream: a hundred times as much as may wait is not even taken from its user. */
START_TEST(deaf_service_U5)
{
	begin(_i);
	deaf = true;
	use(0, 100000000);
	until(users[0].up == 1 && far[0] != NULL && link_input(far[0]).n > 0);
	quiet();
	quiet();
	ck_assert_uint_lt(users[0].said, 4000000);
	deaf = false;
	use(1, 300000);
	until(users[1].closed == 1);
	ck_assert_uint_eq(users[1].got, 300000);
	end();
}
END_TEST

/* TLS ends in the middle, without close_notify and GOAWAY: nobody takes half for whole. */
START_TEST(cut_below)
{
	begin(_i);
	deaf = true;
	use(0, 100000000);
	until(users[0].up == 1 && far[0] != NULL && link_input(far[0]).n > 0);
	tunnel_free(server);
	server = NULL;
	until(users[0].closed == 1 && tunnels_closed == 1);
	ck_assert_int_ne(users[0].why, REASON_NONE);
	ck_assert_int_ne(tunnel_why, REASON_NONE);
	ck_assert_int_eq(users[0].eof, 0);
	until(joins_ended == 1);
	ck_assert_int_eq(join_why, REASON_TUNNEL_CLOSED);
	end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tunnel_media");
	TCase *t = tcase_create("media");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, all_at_once, 0, MEDIA);
	tcase_add_loop_test(t, reset_by_the_user, 0, MEDIA);
	tcase_add_loop_test(t, reset_by_the_service, 0, MEDIA);
	tcase_add_loop_test(t, deaf_service_U5, 0, MEDIA);
	tcase_add_loop_test(t, cut_below, 0, MEDIA);
	suite_add_tcase(s, t);
	return unit_run(s);
}
