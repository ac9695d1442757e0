/* service: what devices reach over tunnels, and what not. RULES U5 */
#include "test/unit/mtd/use_rig.h"

static struct dev dev;
static struct made a;
static struct tun x;

static void
setup(void)
{
	rig_open();
	rig.bsf.lifetime_s = 86400;
	memset(&dev, 0, sizeof dev);
	memset(&a, 0, sizeof a);
	memset(&x, 0, sizeof x);
	service_start();
}

static void
teardown(void)
{
	tun_cut(&x);
	dev_close(&dev);
	service_stop();
	rig_close();
	secret_free(a.key);
}

static void
up(void)
{
	rig_start();
	dev_open(&dev);
	a = make_key(&dev, RIG_DEVICE, "");
	tun_open(&x, &a);
}

static json_int_t
count(const char *what)
{
	json_t *o = json_object();
	json_int_t n;

	mt_status(rig.mt, o);
	n = json_integer_value(json_object_get(json_array_get(json_object_get(o, "services"), 0), what));
	json_decref(o);
	return n;
}

static void
refused(const char *name, enum reason why)
{
	struct stream s;

	stream_open(&s, &x, name);
	ck_assert_msg(s.closed && !s.up, "%s was opened", name);
	ck_assert_msg(s.why == why, "%s: %s", name, reason_get(s.why)->code);
	ck_assert(!x.closed);
}

START_TEST(U5_a_service_by_its_name)
{
	struct stream s;

	up();
	stream_open(&s, &x, SERVICE);
	ck_assert(s.up);
	ck_assert_uint_eq(service.n, 1);
	stream_echoes(&s, "AT\r");
	ck_assert_int_eq(count("streams"), 1);
	ck_assert_int_eq(count("octets_in"), 3);
	ck_assert_int_eq(count("octets_out"), 3);
	ck_ok(link_shutdown(s.l));		/* half-close passes on, both ways */
	rig_run();
	ck_assert(service.conn[0].eof);
	ck_assert(s.closed && s.eof && s.why == REASON_NONE);
	ck_assert(service.conn[0].closed && service.conn[0].why == REASON_NONE);
	ck_assert_int_eq(count("streams"), 0);
	ck_assert_int_eq(count("opened"), 1);
	ck_assert_int_eq(count("octets_in"), 3);
}
END_TEST

START_TEST(U5_half_closed_the_other_half_goes_on)
{
	struct stream s;

	service.mute = true;
	up();
	stream_open(&s, &x, SERVICE);
	ck_ok(link_write(s.l, span_str("question")));
	rig_run();
	ck_ok(link_write(service.conn[0].l, span_str("answer")));
	rig_run();
	ck_assert_uint_eq(s.n, 6);
	service.conn[0].shut = true;
	ck_ok(link_shutdown(service.conn[0].l));	/* the service says no more, and reads on */
	rig_run();
	ck_assert(s.eof && !s.closed);
	ck_ok(link_write(s.l, span_str("more")));
	rig_run();
	ck_assert_uint_eq(link_input(service.conn[0].l).n, 12);
	link_drain(service.conn[0].l, 12);
	ck_ok(link_shutdown(s.l));
	rig_run();
	ck_assert(s.closed && s.why == REASON_NONE);
}
END_TEST

START_TEST(U5_never_where_a_peer_says)
{
	static const char *const names[] = { "other", "127.0.0.1", "localhost", "modem.example.org", "modemm", "mode" };

	up();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		refused(names[i], REASON_TUNNEL_SERVICE_UNKNOWN);
	for (const char *const *n = (const char *const[]){ "127.0.0.1:7000", "tcp:127.0.0.1:7000", "unix:/x", "Modem", "kslocal-other", "", NULL };
	    *n != NULL; n++) {
		struct stream s = { .l = NULL };

		if (tunnel_open(x.t, *n, &stream_cb, &s, &s.l) != RC_SYNTAX) {
			rig_run();		/* it is the MT that must not take it */
			ck_assert(s.closed && !s.up);
		}
	}
	ck_assert_uint_eq(service.n, 0);
	stream_open(&(struct stream){ .l = NULL }, &x, SERVICE);
	ck_assert_uint_eq(service.n, 1);
}
END_TEST

START_TEST(U5_nobody_may_by_default)
{
	rig.conf.services[0].confirmed = false;
	up();
	refused(SERVICE, REASON_TUNNEL_SERVICE_REFUSED);
	ck_assert_uint_eq(service.n, 0);
	ck_assert_int_eq(count("refused"), 1);
}
END_TEST

START_TEST(U5_devices_by_name)
{
	struct made b;
	struct tun y;
	struct stream s;

	rig.conf.services[0].confirmed = false;
	rig.conf.services[0].n_devices = 1;
	ck_ok(device_id_parse(span_str(RIG_DEVICE2), &rig.conf.services[0].devices[0]));
	up();
	refused(SERVICE, REASON_TUNNEL_SERVICE_REFUSED);
	b = make_key(&dev, RIG_DEVICE2, a.btid);
	tun_open(&y, &b);
	stream_open(&s, &y, SERVICE);
	ck_assert(s.up);
	stream_echoes(&s, "in");
	link_reset(s.l);
	tun_cut(&y);
	secret_free(b.key);
}
END_TEST

START_TEST(U5_a_service_that_is_down)
{
	struct stream s;

	up();
	link_listener_free(service.listener);
	service.listener = NULL;
	refused(SERVICE, REASON_TUNNEL_SERVICE_DOWN);
	{
		const struct link_options opt = { .half_open = true };

		ck_ok(link_listen(rig.net, SERVICE_AT, &opt, service_on_accept, NULL, &service.listener));
	}
	stream_open(&s, &x, SERVICE);		/* and up again */
	ck_assert(s.up);
	link_reset(s.l);
}
END_TEST

START_TEST(U5_death_is_passed_on)
{
	struct stream s, t;

	up();
	stream_open(&s, &x, SERVICE);
	stream_open(&t, &x, SERVICE);
	link_reset(service.conn[0].l);		/* the service dies on one */
	service.conn[0].l = NULL;
	rig_run();
	ck_assert(s.closed && s.why == REASON_TUNNEL_RESET);
	ck_assert(!t.closed);
	stream_echoes(&t, "the others go on");
	link_reset(t.l);			/* the device lets go of one */
	rig_run();
	ck_assert(service.conn[1].closed && service.conn[1].why != REASON_NONE);
	ck_assert(!x.closed);
}
END_TEST

START_TEST(U5_a_tunnel_gone_cuts_its_streams)
{
	struct stream s;

	up();
	stream_open(&s, &x, SERVICE);
	stream_echoes(&s, "x");
	link_free(s.l);
	tun_cut(&x);
	ck_assert(service.conn[0].closed && service.conn[0].why != REASON_NONE);
	ck_assert_int_eq(count("streams"), 0);
	ck_assert_uint_eq(tunnels(), 0);
}
END_TEST

/* The stream ends while its service is being dialled. */
START_TEST(U5_a_stream_that_ends_early)
{
	struct stream s = { .l = NULL };

	up();
	ck_ok(tunnel_open(x.t, SERVICE, &stream_cb, &s, &s.l));
	for (int i = 0; i < _i; i++) {
		(void)link_mem_run(rig.net);
		if (clock_until_next(rig.clock) == 0)
			clock_advance(rig.clock, 0);
		turn_end(rig.turn);
	}
	link_reset(s.l);
	rig_run();
	ck_assert_int_eq(count("streams"), 0);
	ck_assert(!x.closed);
	for (size_t i = 0; i < service.n; i++)
		ck_assert(service.conn[i].closed);
}
END_TEST

START_TEST(U5_streams_max)
{
	struct stream s[3];

	rig.conf.streams_max = 2;
	up();
	stream_open(&s[0], &x, SERVICE);
	stream_open(&s[1], &x, SERVICE);
	ck_assert(s[0].up && s[1].up);
	memset(&s[2], 0, sizeof s[2]);
	if (tunnel_open(x.t, SERVICE, &stream_cb, &s[2], &s[2].l) == RC_OK) {
		rig_run();
		ck_assert(s[2].closed && s[2].why == REASON_TUNNEL_LIMIT);
	}
	ck_assert_uint_eq(service.n, 2);
	link_reset(s[0].l);
	rig_run();
	stream_open(&s[0], &x, SERVICE);	/* room again */
	ck_assert(s[0].up);
	link_reset(s[0].l);
	link_reset(s[1].l);
}
END_TEST

/* What a service does not take is held up at the device; it does not pile up here. */
START_TEST(U5_a_slow_service_holds_up_its_stream_alone)
{
	static const uint8_t octets[65536];
	struct stream s, t;
	size_t sent = 0;

	rig.conf.stream_buffer = 65536;
	service.mute = true;
	up();
	stream_open(&s, &x, SERVICE);
	stream_open(&t, &x, SERVICE);
	for (int i = 0; i < 64; i++) {
		if (link_write(s.l, span_of(octets, sizeof octets)) != RC_OK)
			break;
		sent += sizeof octets;
		rig_run();
	}
	ck_assert_uint_gt(link_unsent(s.l), sent / 2);	/* it waits where it came from */
	service.mute = false;
	stream_echoes(&t, "quick");
	link_reset(s.l);
	link_reset(t.l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtd/service");
	TCase *t = tcase_create("U5");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, U5_a_service_by_its_name);
	tcase_add_test(t, U5_half_closed_the_other_half_goes_on);
	tcase_add_test(t, U5_never_where_a_peer_says);
	tcase_add_test(t, U5_nobody_may_by_default);
	tcase_add_test(t, U5_devices_by_name);
	tcase_add_test(t, U5_a_service_that_is_down);
	tcase_add_test(t, U5_death_is_passed_on);
	tcase_add_test(t, U5_a_tunnel_gone_cuts_its_streams);
	tcase_add_loop_test(t, U5_a_stream_that_ends_early, 0, 20);
	tcase_add_test(t, U5_streams_max);
	tcase_add_test(t, U5_a_slow_service_holds_up_its_stream_alone);
	suite_add_tcase(s, t);
	return unit_run(s);
}
