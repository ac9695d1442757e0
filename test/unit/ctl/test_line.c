/* line: the bad cable of 'ksctl line' does what it is told, no more: the tests of serial links (U6) rest on it. */
#include "ctl/line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "test/unit/tmpdir.h"
#include "test/unit/unit.h"

static struct rnd_seeded rnd;
static struct ksctl_line *line;
static int a, b;

static void
setup(void)
{
	tmpdir_make();
	rnd_seeded_init(&rnd, 3);
	line = NULL;
	a = b = -1;
}

static void
teardown(void)
{
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	ksctl_line_close(line);
	tmpdir_remove();
}

static void
plug(unsigned drop, unsigned repeat, unsigned flip, int64_t delay_ms)
{
	const struct ksctl_noise noise = { drop, repeat, flip, delay_ms };

	ck_ok(ksctl_line_open(tmpdir_file("a"), tmpdir_file("b"), &noise, &rnd.rnd, &line));
	ck_assert((a = open(tmpdir_file("a"), O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0);
	ck_assert((b = open(tmpdir_file("b"), O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* n octets of zeros in at one end, cap at most out at the other: until the cable has carried them all and nothing more comes. */
static size_t
through(int from, int to, int side, size_t n, uint8_t *out, size_t cap)
{
	static const uint8_t zeros[4096];
	struct ksctl_line_stats s;
	struct pollfd p = { .fd = to, .events = POLLIN };
	int64_t end = now_ms() + 20000;
	size_t sent = 0, got = 0;
	ssize_t k;

	for (;;) {
		ck_assert_msg(now_ms() < end, "%zu sent, %zu got", sent, got);
		if (sent < n && (k = write(from, zeros, n - sent < sizeof zeros ? n - sent : sizeof zeros)) > 0)
			sent += (size_t)k;
		ksctl_line_carry(line, 0);
		if (got < cap && (k = read(to, out + got, cap - got)) > 0) {
			got += (size_t)k;
			continue;
		}
		ksctl_line_get_stats(line, &s);
		if (s.octets[side] == n && got == n - s.dropped + s.repeated && poll(&p, 1, 0) == 0)
			return got;
	}
}

START_TEST(good_cable)
{
	static uint8_t out[200000];

	plug(0, 0, 0, 0);
	ck_assert_uint_eq(through(a, b, 0, 150000, out, sizeof out), 150000);
	ck_assert_uint_eq(through(b, a, 1, 150000, out, sizeof out), 150000);
	for (size_t i = 0; i < 150000; i++)
		ck_assert_uint_eq(out[i], 0);
}
END_TEST

/* Of a million octets, 2,000 each: the numbers are near, and what came differs in just so many. */
START_TEST(accidents)
{
	static uint8_t out[1100000];
	struct ksctl_line_stats s;
	size_t n, flipped = 0;

	plug(200, 200, 200, 0);
	n = through(a, b, 0, 1000000, out, sizeof out);
	ksctl_line_get_stats(line, &s);
	ck_assert(s.dropped > 1700 && s.dropped < 2300);
	ck_assert(s.repeated > 1700 && s.repeated < 2300);
	ck_assert(s.flipped > 1700 && s.flipped < 2300);
	for (size_t i = 0; i < n; i++) {
		ck_assert(out[i] == 0 || (out[i] & (out[i] - 1)) == 0);		/* one bit */
		flipped += out[i] != 0;
	}
	ck_assert_uint_eq(flipped, s.flipped);
}
END_TEST

START_TEST(every_octet)
{
	static uint8_t out[4096];

	plug(_i == 0 ? 100000 : 0, _i == 1 ? 100000 : 0, _i == 2 ? 100000 : 0, 0);
	ck_assert_uint_eq(through(a, b, 0, 1000, out, sizeof out), _i == 0 ? 0 : _i == 1 ? 2000 : 1000);
}
END_TEST

START_TEST(same_seed_same_accidents)
{
	static uint8_t one[120000], two[120000];
	size_t n;

	plug(50, 50, 50, 0);
	n = through(a, b, 0, 100000, one, sizeof one);
	teardown();
	setup();
	plug(50, 50, 50, 0);
	ck_assert_uint_eq(through(a, b, 0, 100000, two, sizeof two), n);
	ck_assert_mem_eq(one, two, n);
}
END_TEST

START_TEST(delay)
{
	uint8_t out[64];
	int64_t t0 = now_ms();

	plug(0, 0, 0, 50);
	ck_assert_uint_eq(through(a, b, 0, 10, out, sizeof out), 10);
	ck_assert_int_ge(now_ms() - t0, 50);
}
END_TEST

/* Who closes an end and opens it again finds the line as it was; closing the line unplugs both. */
START_TEST(plugs)
{
	uint8_t out[64];
	char was[256] = "", is[256] = "";
	ssize_t n;

	ck_assert_int_eq(symlink("/nowhere", tmpdir_file("a")), 0);	/* of a line that was killed */
	plug(0, 0, 0, 0);
	close(a);
	ck_assert((a = open(tmpdir_file("a"), O_RDWR | O_NOCTTY | O_NONBLOCK)) >= 0);
	ck_assert_uint_eq(through(a, b, 0, 10, out, sizeof out), 10);
	ck_assert_int_gt(readlink(tmpdir_file("a"), was, sizeof was - 1), 0);
	ksctl_line_close(line);
	line = NULL;
	n = read(a, out, sizeof out);
	ck_assert(n == 0 || (n < 0 && errno != EAGAIN));
	ck_assert_int_lt(readlink(tmpdir_file("a"), is, sizeof is - 1), 0);
	ck_assert_int_lt(readlink(tmpdir_file("b"), is, sizeof is - 1), 0);
}
END_TEST

START_TEST(in_the_way)
{
	const struct ksctl_noise none = { 0 };

	tmpdir_write("b", "x", 1, 0600);
	ck_rc(ksctl_line_open(tmpdir_file("a"), tmpdir_file("b"), &none, &rnd.rnd, &line), RC_EXISTS);
	ck_assert_ptr_null(line);
	ck_assert_int_ne(access(tmpdir_file("a"), F_OK), 0);
	ck_assert_int_eq(access(tmpdir_file("b"), F_OK), 0);
	ck_rc(ksctl_line_open(tmpdir_file("none/a"), tmpdir_file("c"), &none, &rnd.rnd, &line), RC_IO);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("line");
	TCase *t = tcase_create("cable");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, good_cable);
	tcase_add_test(t, accidents);
	tcase_add_loop_test(t, every_octet, 0, 3);
	tcase_add_test(t, same_seed_same_accidents);
	tcase_add_test(t, delay);
	tcase_add_test(t, plugs);
	tcase_add_test(t, in_the_way);
	suite_add_tcase(s, t);
	return unit_run(s);
}
