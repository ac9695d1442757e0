/* serial_frame: the frames of a serial line (U6). */
#include "common/serial_frame.h"

#include "test/unit/unit.h"

static struct serial_decoder d;
static struct serial_frame got[64];
static uint8_t bodies[64][SERIAL_BODY_MAX];
static size_t n_got;

static void
setup(void)
{
	memset(&d, 0, sizeof d);
	n_got = 0;
}

static void
feed(const void *p, size_t n)
{
	struct span in = span_of(p, n);

	while (serial_decoder_next(&d, &in, &got[n_got])) {
		if (got[n_got].body.n > 0)
			memcpy(bodies[n_got], got[n_got].body.p, got[n_got].body.n);
		got[n_got].body.p = bodies[n_got];
		ck_assert_uint_lt(++n_got, 63);
	}
	ck_assert_uint_eq(in.n, 0);
}

static void
same(const struct serial_frame *a, const struct serial_frame *b)
{
	ck_assert_int_eq(a->listener, b->listener);
	ck_assert_int_eq((int)a->kind, (int)b->kind);
	ck_assert_uint_eq(a->channel, b->channel);
	ck_assert_uint_eq(a->session, b->session);
	ck_assert_uint_eq(a->seq, b->seq);
	ck_assert(span_eq(a->body, b->body));
}

/* CRC-32 of the octets b3 12 34 07 "hello" by Python's binascii.crc32: 18653ec2 */
START_TEST(U6_known_frame)
{
	static const uint8_t wire[] = { 0x7e, 0xb3, 0x12, 0x34, 0x07, 'h', 'e', 'l', 'l', 'o', 0x18, 0x65, 0x3e, 0xc2, 0x7e };
	const struct serial_frame f = { true, SERIAL_DATA, 3, 0x1234, 7, span_str("hello") };
	uint8_t out[SERIAL_WIRE_MAX];

	ck_assert_uint_eq(serial_frame_print(&f, out), sizeof wire);
	ck_assert_mem_eq(out, wire, sizeof wire);
	feed(wire, sizeof wire);
	ck_assert_uint_eq(n_got, 1);
	same(&got[0], &f);
}
END_TEST

/* Every octet survives, and what the line keeps for itself stands nowhere between the flags. */
START_TEST(U6_escapes)
{
	uint8_t all[256] = { 0 }, out[SERIAL_WIRE_MAX];
	struct serial_frame f = { false, SERIAL_PING, 15, 0x7e11, 0x13, span_of(all, sizeof all) };
	size_t n;

	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	n = serial_frame_print(&f, out);
	ck_assert_uint_eq(out[0], 0x7e);
	ck_assert_uint_eq(out[n - 1], 0x7e);
	for (size_t i = 1; i < n - 1; i++)
		ck_assert(out[i] != 0x7e && out[i] != 0x11 && out[i] != 0x13);
	feed(out, n);
	ck_assert_uint_eq(n_got, 1);
	same(&got[0], &f);
}
END_TEST

START_TEST(U6_longest)
{
	static uint8_t body[SERIAL_BODY_MAX];
	struct serial_frame f = { false, SERIAL_DATA, 0, 0x7d7d, 0x7e, span_of(body, sizeof body) };
	uint8_t out[SERIAL_WIRE_MAX];
	size_t n;

	memset(body, 0x7d, sizeof body);
	n = serial_frame_print(&f, out);
	ck_assert_uint_le(n, sizeof out);
	for (size_t i = 0; i < n; i++)		/* octet by octet */
		feed(out + i, 1);
	ck_assert_uint_eq(n_got, 1);
	same(&got[0], &f);
}
END_TEST

/* Frames that share a flag, with XON and XOFF of the line among them. */
START_TEST(U6_shared_flags_and_flow_control)
{
	const struct serial_frame f = { false, SERIAL_ACK, 1, 2, 3, span_str("ab") };
	uint8_t out[SERIAL_WIRE_MAX], line[3 * SERIAL_WIRE_MAX];
	size_t n = serial_frame_print(&f, out), at = 0;

	for (int k = 0; k < 3; k++) {
		for (size_t i = k == 0 ? 0 : 1; i < n; i++) {
			line[at++] = i % 2 ? 0x13 : 0x11;
			line[at++] = out[i];
		}
	}
	feed(line, at);
	ck_assert_uint_eq(n_got, 3);
	ck_assert_uint_eq(d.bad, 0);
	same(&got[2], &f);
}
END_TEST

static const struct {
	const char *octets;
	size_t n;
} bad[] = {
	{ "x", 1 }, { "\x7d", 1 }, { "\x7d\x41", 2 }, { "1234567", 7 }, { "12345678", 8 },
	/* good CRCs, but no kind 0 or 7; computed by Python's binascii.crc32 */
	{ "\x00\x00\x01\x00\x38\x5f\xee\x5d", 8 }, { "\x70\x00\x01\x00\x53\x60\x4e\xc1", 8 },
};
START_TEST(U6_bad_then_good)
{
	const struct serial_frame f = { true, SERIAL_OPEN, 1, 2, 3, span_str("z") };
	uint8_t out[SERIAL_WIRE_MAX];
	size_t n = serial_frame_print(&f, out);

	feed(bad[_i].octets, bad[_i].n);
	feed(out, n);
	ck_assert_uint_eq(d.bad, 1);
	ck_assert_uint_eq(n_got, 1);
	same(&got[0], &f);
}
END_TEST

/* One octet lost, one twice, one changed: never another frame, and the next one is found. */
START_TEST(U6_damage)
{
	static const struct serial_frame f = { true, SERIAL_DATA, 9, 0xbeef, 200, { (const uint8_t *)"\x7e octets \x11", 10 } };
	uint8_t out[SERIAL_WIRE_MAX], line[SERIAL_WIRE_MAX + 1];
	size_t n = serial_frame_print(&f, out), m;

	for (size_t at = 0; at < n; at++) {
		for (int how = 0; how < 2 + 8; how++) {
			setup();
			memcpy(line, out, at);
			m = at;
			if (how == 1)
				line[m++] = out[at];
			if (how == 1)
				line[m++] = out[at];
			if (how > 1)
				line[m++] = (uint8_t)(out[at] ^ 1u << (how - 2));
			memcpy(line + m, out + at + 1, n - at - 1);
			m += n - at - 1;
			feed(line, m);
			for (size_t i = 0; i < n_got; i++)
				same(&got[i], &f);	/* a damaged flag in front may be none's loss */
			m = n_got;
			feed("\x7e", 1);
			feed(out, n);
			ck_assert_uint_ge(n_got, m + 1);
			same(&got[n_got - 1], &f);
		}
	}
}
END_TEST

/* Garbage without end takes no more memory than a frame, and is one bad frame. */
START_TEST(U6_endless_garbage)
{
	const struct serial_frame f = { false, SERIAL_CLOSE, 0, 1, 0, { NULL, 0 } };
	static uint8_t junk[100000];
	uint8_t out[SERIAL_WIRE_MAX];

	memset(junk, 'j', sizeof junk);
	for (int i = 0; i < 10; i++)
		feed(junk, sizeof junk);
	feed(out, serial_frame_print(&f, out));
	ck_assert_uint_eq(d.bad, 1);
	ck_assert_uint_eq(n_got, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("serial_frame");
	TCase *t = tcase_create("frames");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, U6_known_frame);
	tcase_add_test(t, U6_escapes);
	tcase_add_test(t, U6_longest);
	tcase_add_test(t, U6_shared_flags_and_flow_control);
	tcase_add_loop_test(t, U6_bad_then_good, 0, TABLE_N(bad));
	tcase_add_test(t, U6_damage);
	tcase_add_test(t, U6_endless_garbage);
	suite_add_tcase(s, t);
	return unit_run(s);
}
