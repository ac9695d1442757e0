/* link_serial: links over ttys (U6, U1, U8): two ptys and the cable of 'ksctl line' between them. */
#include <fcntl.h>
#include <termios.h>
#include <time.h>

#include "common/clock.h"
#include "common/link_serial.h"
#include "common/log.h"
#include "common/loop.h"
#include "ctl/line.h"
#include "test/unit/pki.h"
#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

#define ENDS 20

static struct loop *loop;
static struct clock *clk;
static struct link_net *mt, *device;
static struct link_listener *ll;
static struct ksctl_line *cable;
static struct rnd_seeded rnd;
static struct link_tls *tls_mt, *tls_device;
static struct pki_cert ca, server, client;
static enum reason logged;
static size_t farewell;			/* who accepts says so much, and goodbye with it */

struct end {
	struct link *l;
	int up, drained, closed;
	bool keep;			/* does not read */
	size_t got, to_send, sent;
	bool wrong;
	enum reason why;
};
static struct end near[ENDS], far[ENDS];		/* connected; accepted */
static size_t n_near, n_far;

static uint8_t
text(size_t i)
{
	return (uint8_t)((i * 2654435761u) >> 13 ^ i);
}

static void
send_some(struct end *e)
{
	uint8_t b[8192];
	size_t n;

	while (e->sent < e->to_send && link_unsent(e->l) < 65536) {
		for (n = 0; n < sizeof b && e->sent + n < e->to_send; n++)
			b[n] = text(e->sent + n);
		ck_ok(link_write(e->l, span_of(b, n)));
		e->sent += n;
	}
}

static void
on_up(struct link *l, void *arg)
{
	(void)l;
	((struct end *)arg)->up++;
}

static void
on_data(struct link *l, void *arg)
{
	struct end *e = arg;
	struct span in = link_input(l);

	ck_assert_int_eq(e->up, 1);
	if (e->keep)
		return;
	for (size_t i = 0; i < in.n; i++)
		e->wrong = e->wrong || in.p[i] != text(e->got + i);
	e->got += in.n;
	link_drain(l, in.n);
}

static void
on_drained(struct link *l, void *arg)
{
	struct end *e = arg;

	(void)l;
	e->drained++;
	send_some(e);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	ck_assert_int_eq(e->closed, 0);
	ck_assert_ptr_nonnull(detail);
	e->closed++;
	e->why = why;
	link_free(l);
	e->l = NULL;
}

static const struct link_cb cb = { .on_up = on_up, .on_data = on_data, .on_drained = on_drained, .on_closed = on_closed };

static void
on_accept(struct link *l, void *arg)
{
	struct end *e = &far[n_far++];

	ck_assert_ptr_null(arg);
	ck_assert_uint_le(n_far, ENDS);
	e->l = l;
	e->up++;
	link_set_cb(l, &cb, e);
	if (farewell > 0) {
		e->to_send = farewell;
		send_some(e);
		link_close(l);
	}
}

static void
on_log(enum log_level level, const char *line, void *arg)
{
	const char *p = strstr(line, "reason=");
	char code[64];

	(void)level, (void)arg;
	if (p != NULL && sscanf(p + 7, "%63[a-z0-9-]", code) == 1)
		logged = reason_by_code(code);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
turn(void)
{
	if (cable != NULL)
		ksctl_line_carry(cable, 0);
	loop_turn(loop, NULL, NULL);
}

#define until(cond) do { \
	int64_t until_end = now_ms() + 20000; \
	while (!(cond)) { \
		turn(); \
		ck_assert_msg(now_ms() < until_end, "%s did not happen", #cond); \
	} \
} while (0)

static void
plug(struct ksctl_noise noise)
{
	ck_ok(ksctl_line_open(tmpdir_file("a"), tmpdir_file("b"), &noise, &rnd.rnd, &cable));
}

static void
unplug(void)
{
	ksctl_line_close(cable);
	cable = NULL;
}

static const char *
address(const char *name)
{
	static char text_of[2][256];
	char *p = text_of[name[0] == 'a'];

	snprintf(p, sizeof text_of[0], "serial:%s", tmpdir_file(name));
	return p;
}

static void
setup(void)
{
	memset(near, 0, sizeof near);
	memset(far, 0, sizeof far);
	n_near = n_far = 0;
	ll = NULL;
	cable = NULL;
	tls_mt = tls_device = NULL;
	logged = REASON_NONE;
	farewell = 0;
	tmpdir_make();
	rnd_seeded_init(&rnd, 11);
	log_capture(on_log, NULL);
	ck_ok(loop_new(&loop));
	ck_ok(clock_new(loop, CLOCK_CONTROLLED, &clk));
	ck_ok(link_net_new(loop, clk, &mt));
	ck_ok(link_net_new(loop, clk, &device));
}

static void
teardown(void)
{
	for (size_t i = 0; i < ENDS; i++) {
		link_free(near[i].l);
		link_free(far[i].l);
	}
	link_listener_free(ll);
	link_net_free(mt);
	link_net_free(device);
	link_tls_free(tls_mt);
	link_tls_free(tls_device);
	clock_free(clk);
	loop_free(loop);
	unplug();
	tmpdir_remove();
}

static void
listen_on(const struct link_options *opt)
{
	ck_ok(link_listen(mt, address("a"), opt, on_accept, NULL, &ll));
}

static struct end *
dial(const struct link_options *opt)
{
	struct end *e = &near[n_near++];

	ck_assert_uint_le(n_near, ENDS);
	ck_ok(link_connect(device, address("b"), opt, &cb, e, &e->l));
	return e;
}

static struct end *
pair(void)
{
	struct end *e;

	plug((struct ksctl_noise){ 0 });
	listen_on(NULL);
	e = dial(NULL);
	until(e->up == 1 && n_far == 1);
	return e;
}

START_TEST(U6_there_and_back)
{
	struct end *e = pair();
	struct link_peer p;

	link_get_peer(far[0].l, &p);
	ck_assert_str_eq(strchr(p.address, '#'), "#0");
	ck_assert_int_eq(strncmp(p.address, address("a"), strlen(address("a"))), 0);
	ck_assert_str_eq(p.local, address("a"));
	ck_assert_str_eq(link_listener_address(ll), address("a"));
	ck_assert(p.loopback && !p.has_cred && !p.has_cert);
	e->to_send = far[0].to_send = 1 << 20;
	send_some(e);
	send_some(&far[0]);
	until(e->got == 1 << 20 && far[0].got == 1 << 20);
	ck_assert(!e->wrong && !far[0].wrong && e->drained > 0);
	link_close(e->l);
	until(e->closed && far[0].closed);
	ck_assert_int_eq((int)e->why, REASON_NONE);
	ck_assert_int_eq((int)far[0].why, REASON_NONE);
}
END_TEST

/* Each kind of flow control, and rates: octets 11 and 13 get through all the same, and the tty is as was asked for. */
static const struct {
	struct link_serial_options opt;
	speed_t speed;
	tcflag_t iflag, cflag;
} settings[] = {
	{ { 0, LINK_FLOW_NONE }, B115200, 0, 0 },
	{ { 9600, LINK_FLOW_XONXOFF }, B9600, IXON | IXOFF, 0 },
	{ { 4000000, LINK_FLOW_RTSCTS }, B4000000, 0, CRTSCTS },
};
START_TEST(U6_settings)
{
	struct link_options opt = { .serial = settings[_i].opt };
	struct termios t;
	struct end *e;
	int fd;

	plug((struct ksctl_noise){ 0 });
	listen_on(&opt);
	e = dial(&opt);
	until(e->up == 1 && n_far == 1);
	e->to_send = far[0].to_send = 100000;
	send_some(e);
	send_some(&far[0]);
	until(e->got == 100000 && far[0].got == 100000);
	ck_assert(!e->wrong && !far[0].wrong);
	ck_assert((fd = open(tmpdir_file("b"), O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0);
	ck_assert_int_eq(tcgetattr(fd, &t), 0);
	close(fd);
	ck_assert_uint_eq(cfgetospeed(&t), settings[_i].speed);
	ck_assert_uint_eq(t.c_iflag & (IXON | IXOFF), settings[_i].iflag);
	ck_assert_uint_eq(t.c_cflag & CRTSCTS, settings[_i].cflag);
	ck_assert(!(t.c_lflag & (ICANON | ECHO | ISIG)) && !(t.c_oflag & OPOST) && (t.c_cflag & CLOCAL));
}
END_TEST

START_TEST(U6_noisy_cable)
{
	struct link_serial_status st;
	struct end *e;

	plug((struct ksctl_noise){ 20, 20, 20, 0 });
	listen_on(NULL);
	e = dial(NULL);
	until(e->up == 1 && n_far == 1);
	e->to_send = 300000;
	far[0].to_send = 200000;
	send_some(e);
	send_some(&far[0]);
	until(far[0].got == e->to_send && e->got == far[0].to_send);
	ck_assert(!e->wrong && !far[0].wrong);
	ck_assert_uint_eq(link_serial_get_status(device, &st, 1), 1);
	ck_assert(st.open && !st.listener && st.channels == 1 && st.stats.retransmitted > 0 && st.stats.bad > 0);
	ck_assert_uint_ge(st.octets_out, 300000);
}
END_TEST

/* U1: one line, several channels, each a link of its own; a slow reader of one holds up no other. */
START_TEST(U1_U6_channels)
{
	struct end *e = pair(), *f, *g;

	far[0].keep = true;
	e->to_send = 400000;
	send_some(e);
	f = dial(NULL);
	g = dial(NULL);
	until(f->up && g->up && n_far == 3);
	f->to_send = 300000;
	send_some(f);
	far[2].to_send = 1000;
	send_some(&far[2]);
	until(far[1].got == 300000 && g->got == 1000);
	ck_assert_uint_ge(link_input(far[0].l).n, 64 * 1024);
	ck_assert_uint_le(link_input(far[0].l).n, 64 * 1024 + SERIAL_BODY_MAX);
	far[0].keep = false;
	on_data(far[0].l, &far[0]);
	until(far[0].got == 400000);
	link_free(f->l);
	f->l = NULL;
	link_reset(g->l);
	g->l = NULL;
	until(far[1].closed && far[2].closed);
	ck_assert_int_eq((int)far[1].why, REASON_NONE);
	ck_assert_int_eq((int)far[2].why, REASON_LINK_BROKEN);
	ck_assert(!e->closed);
}
END_TEST

/* What was written before close arrives, and the end behind it. */
START_TEST(U6_close_sends_all)
{
	struct end *e = pair();

	e->to_send = 50000;
	send_some(e);
	link_close(e->l);
	ck_rc(link_write(e->l, span_str("x")), RC_STATE);
	until(e->closed && far[0].closed);
	ck_assert_uint_eq(far[0].got, 50000);
	ck_rc(link_shutdown(dial(NULL)->l), RC_STATE);		/* a channel has no half */
}
END_TEST

/* OPEN-OK, what was said and its end come by one read: all is told, and in this order. */
START_TEST(U6_said_and_gone)
{
	struct end *e;

	farewell = 100;
	plug((struct ksctl_noise){ 0 });
	listen_on(NULL);
	e = dial(NULL);
	until(e->closed && far[0].closed);
	ck_assert_int_eq(e->up, 1);
	ck_assert_uint_eq(e->got, 100);
	ck_assert(!e->wrong);
	ck_assert_int_eq((int)e->why, REASON_NONE);
}
END_TEST

START_TEST(U6_unplugged_and_plugged_again)
{
	struct end *e = pair();

	unplug();
	until(e->closed && far[0].closed);
	ck_assert_int_eq((int)e->why, REASON_LINK_SERIAL_GONE);
	ck_assert_int_eq((int)far[0].why, REASON_LINK_SERIAL_GONE);
	e = dial(NULL);
	until(e->closed);
	ck_assert_int_eq((int)e->why, REASON_LINK_SERIAL_OPEN);
	plug((struct ksctl_noise){ 0 });
	e = dial(NULL);
	until(e->up == 1 && n_far == 2);		/* the listener has opened it again by itself */
}
END_TEST

/* A listener waits for a device that is not there yet. */
START_TEST(U6_plugged_in_later)
{
	struct end *e;

	listen_on(NULL);
	ck_assert_int_eq((int)logged, REASON_LINK_SERIAL_OPEN);
	plug((struct ksctl_noise){ 0 });
	e = dial(NULL);
	until(e->up == 1 && n_far == 1);
}
END_TEST

/* The MT's program ends and comes again: the device is told, and its next connection works. */
START_TEST(U6_peer_restarts)
{
	struct end *e = pair();

	link_free(far[0].l);
	far[0].l = NULL;
	link_listener_free(ll);
	link_net_free(mt);
	ck_ok(link_net_new(loop, clk, &mt));
	listen_on(NULL);
	until(e->closed);
	e = dial(NULL);
	until(e->up == 1 && n_far == 2);
}
END_TEST

/* T3: an operator moves the clock by an hour while octets are on their way: that is no silence. */
START_TEST(U6_clock_jumps)
{
	struct end *e = pair();

	for (int i = 0; i < 5; i++) {
		e->to_send += 100000;
		send_some(e);
		loop_turn(loop, NULL, NULL);
		clock_advance(clk, 3600000);
		until(far[0].got == e->to_send);
	}
	ck_assert(!e->closed && !far[0].closed && !far[0].wrong);
}
END_TEST

START_TEST(U6_nobody_there)
{
	struct link_options opt = { .connect_timeout_ms = 100 };
	struct end *e;

	plug((struct ksctl_noise){ 0 });
	e = dial(&opt);
	until(e->closed);
	ck_assert_int_eq(e->up, 0);
	ck_assert_int_eq((int)e->why, REASON_LINK_SERIAL_SILENT);
}
END_TEST

START_TEST(U6_what_cannot_be_opened)
{
	struct link_net *other;
	struct link_listener *two;
	struct link *l;
	struct end *e;
	int fd;

	ck_assert((fd = open(tmpdir_file("b"), O_CREAT | O_RDWR, 0600)) >= 0);
	close(fd);
	e = dial(NULL);					/* no tty */
	until(e->closed);
	ck_assert_int_eq((int)e->why, REASON_LINK_SERIAL_OPEN);
	ck_assert_int_eq(unlink(tmpdir_file("b")), 0);
	plug((struct ksctl_noise){ 0 });
	e = dial(NULL);
	ck_ok(link_net_new(loop, clk, &other));		/* another program has it */
	ck_ok(link_connect(other, address("b"), NULL, &cb, &near[ENDS - 1], &near[ENDS - 1].l));
	until(near[ENDS - 1].closed);
	ck_assert_int_eq((int)near[ENDS - 1].why, REASON_LINK_SERIAL_OPEN);
	link_net_free(other);
	listen_on(NULL);
	ck_rc(link_listen(mt, address("a"), NULL, on_accept, NULL, &two), RC_IO);
	ck_rc(link_connect(mt, address("a"), NULL, &cb, &near[ENDS - 1], &l), RC_SYNTAX);	/* the other role */
	ck_rc(link_connect(mt, "serial:relative", NULL, &cb, NULL, &l), RC_SYNTAX);
	ck_rc(link_connect(mt, "serial:", NULL, &cb, NULL, &l), RC_SYNTAX);
	ck_rc(link_connect(mt, "serial:/dev/null", &(struct link_options){ .serial.baud = 115201 }, &cb, NULL, &l), RC_SYNTAX);
	until(n_far == 1);
}
END_TEST

START_TEST(U6_too_many)
{
	struct link_options opt = { .max_links = 1 };
	struct end *e;

	plug((struct ksctl_noise){ 0 });
	listen_on(&opt);
	dial(NULL);
	until(n_far == 1);
	e = dial(NULL);
	until(e->closed);
	ck_assert_int_eq((int)e->why, REASON_LINK_UNREACHABLE);
	ck_assert_int_eq((int)logged, REASON_LINK_LIMIT);
	n_near = 0;
	memset(&near[5], 0, sizeof near[5]);
}
END_TEST

START_TEST(U6_seventeen)
{
	struct end *e = NULL;

	plug((struct ksctl_noise){ 0 });
	listen_on(NULL);
	for (int i = 0; i < SERIAL_CHANNELS; i++)
		dial(NULL);
	until(n_far == SERIAL_CHANNELS);
	e = dial(NULL);
	until(e->closed);
	ck_assert_int_eq((int)e->why, REASON_LINK_LIMIT);
}
END_TEST

/* --- U8: TLS with certificates on a serial line */

static void
make_tls(void)
{
	pki_make(&ca, "ca", &(struct pki_spec){ .cn = "CA", .ca = true }, NULL);
	pki_make(&server, "server", &(struct pki_spec){ .cn = "mt", .san = "DNS:mt.example.org", .usage = "serverAuth" }, &ca);
	pki_make(&client, "client", &(struct pki_spec){ .cn = "device", .san = "DNS:dev.example.org", .usage = "clientAuth" }, &ca);
	ck_ok(link_tls_new(server.crt_file, server.key_file, ca.crt_file, clk, &tls_mt));
	ck_ok(link_tls_new(client.crt_file, client.key_file, ca.crt_file, clk, &tls_device));
	pki_free(&ca);
	pki_free(&server);
	pki_free(&client);
	pki_remove_dir();
}

static const struct ksctl_noise cables[] = { { 0 }, { 20, 20, 20, 0 } };

START_TEST(U8_tls)
{
	struct link_options opt = { 0 };
	struct link_peer p;
	struct end *e;

	make_tls();
	plug(cables[_i]);
	opt.tls = tls_mt;
	listen_on(&opt);
	opt.tls = tls_device;
	opt.tls_name = "mt.example.org";
	e = dial(&opt);
	until(e->up == 1 && n_far == 1);
	link_get_peer(far[0].l, &p);
	ck_assert(p.has_cert && link_peer_has_name(&p, "dev.example.org"));
	e->to_send = far[0].to_send = 100000;
	send_some(e);
	send_some(&far[0]);
	until(e->got == 100000 && far[0].got == 100000);
	ck_assert(!e->wrong && !far[0].wrong);
	link_close(e->l);
	until(e->closed && far[0].closed);
	ck_assert_int_eq((int)far[0].why, REASON_NONE);
}
END_TEST

START_TEST(U8_wrong_name)
{
	struct link_options opt = { 0 };
	struct end *e;

	make_tls();
	plug(cables[0]);
	opt.tls = tls_mt;
	listen_on(&opt);
	opt.tls = tls_device;
	opt.tls_name = "other.example.org";
	e = dial(&opt);
	until(e->closed && logged != REASON_NONE);
	ck_assert_int_eq((int)e->why, REASON_LINK_TLS_NAME);
	ck_assert_int_eq((int)logged, REASON_LINK_REFUSED_CERT);
	ck_assert_uint_eq(n_far, 0);
}
END_TEST

/* A plain device at an MT with TLS: both say what is the matter. */
START_TEST(U8_plain_device)
{
	struct link_options opt = { 0 };
	struct end *e;

	make_tls();
	plug(cables[0]);
	opt.tls = tls_mt;
	listen_on(&opt);
	e = dial(NULL);
	until(e->up == 1);
	ck_ok(link_write(e->l, span_str("{\"op\":\"hello\"}\n")));
	until(e->closed && logged != REASON_NONE);
	ck_assert_int_eq((int)e->why, REASON_LINK_PEER_TLS);
	ck_assert_int_eq((int)logged, REASON_LINK_PEER_PLAIN);
	ck_assert_uint_eq(n_far, 0);
}
END_TEST

START_TEST(U8_plain_mt)
{
	struct link_options opt = { 0 };
	struct end *e;

	make_tls();
	plug(cables[0]);
	listen_on(NULL);
	opt.tls = tls_device;
	e = dial(&opt);
	until(e->closed && n_far == 1 && far[0].closed);
	ck_assert_int_eq((int)e->why, REASON_LINK_PEER_PLAIN);
	ck_assert_int_eq((int)far[0].why, REASON_LINK_PEER_TLS);
}
END_TEST

/* The listener goes while TLS is being spoken; the network goes with channels half open. */
START_TEST(U8_listener_goes)
{
	struct link_options opt = { 0 };
	struct end *e;

	make_tls();
	plug(cables[0]);
	opt.tls = tls_mt;
	listen_on(&opt);
	e = dial(NULL);
	until(e->up == 1);
	link_listener_free(ll);
	ll = NULL;
	until(e->closed);
	opt.tls = tls_device;
	dial(&opt);
	turn();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("link_serial");
	TCase *t = tcase_create("pty");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, U6_there_and_back);
	tcase_add_loop_test(t, U6_settings, 0, TABLE_N(settings));
	tcase_add_test(t, U6_noisy_cable);
	tcase_add_test(t, U1_U6_channels);
	tcase_add_test(t, U6_close_sends_all);
	tcase_add_test(t, U6_said_and_gone);
	tcase_add_test(t, U6_unplugged_and_plugged_again);
	tcase_add_test(t, U6_plugged_in_later);
	tcase_add_test(t, U6_peer_restarts);
	tcase_add_test(t, U6_clock_jumps);
	tcase_add_test(t, U6_nobody_there);
	tcase_add_test(t, U6_what_cannot_be_opened);
	tcase_add_test(t, U6_too_many);
	tcase_add_test(t, U6_seventeen);
	tcase_add_loop_test(t, U8_tls, 0, TABLE_N(cables));
	tcase_add_test(t, U8_wrong_name);
	tcase_add_test(t, U8_plain_device);
	tcase_add_test(t, U8_plain_mt);
	tcase_add_test(t, U8_listener_goes);
	suite_add_tcase(s, t);
	return unit_run(s);
}
