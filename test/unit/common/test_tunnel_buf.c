/* tunnel_buf: what goes in comes out in order, contiguous, in memory that does not grow beyond what waits. */
#include "common/tunnel_buf.h"

#include <check.h>

#include "test/unit/unit.h"

START_TEST(in_and_out)
{
	struct tunnel_buf b = { 0 };

	ck_assert_uint_eq(tunnel_buf_span(&b).n, 0);
	ck_ok(tunnel_buf_add(&b, span_str("")));
	ck_assert_ptr_null(b.p);
	ck_ok(tunnel_buf_add(&b, span_str("abc")));
	ck_ok(tunnel_buf_add(&b, span_str("def")));
	tunnel_buf_drain(&b, 2);
	ck_assert(span_eq_str(tunnel_buf_span(&b), "cdef"));
	tunnel_buf_drain(&b, 100);
	ck_assert_uint_eq(tunnel_buf_span(&b).n, 0);
	tunnel_buf_reset(&b);
	ck_assert_ptr_null(b.p);
}
END_TEST

START_TEST(room_and_put)
{
	struct tunnel_buf b = { 0 };
	uint8_t *p;

	ck_ok(tunnel_buf_room(&b, 0, &p));		/* of an empty one, nothing: a place all the same */
	ck_assert_ptr_nonnull(p);
	ck_ok(tunnel_buf_room(&b, 10, &p));
	memcpy(p, "0123456789", 10);
	tunnel_buf_put(&b, 4);
	ck_assert(span_eq_str(tunnel_buf_span(&b), "0123"));
	ck_rc(tunnel_buf_room(&b, SIZE_MAX - 3, &p), RC_NOMEM);
	ck_assert(span_eq_str(tunnel_buf_span(&b), "0123"));
	tunnel_buf_reset(&b);
}
END_TEST

static const struct { size_t in, out, waits; } paces[] = { { 1, 1, 1 }, { 700, 500, 5000 }, { 16384, 16384, 200000 }, { 333, 334, 100 } };

/* A million octets, with about as many waiting as the table says. */
START_TEST(long_life)
{
	struct tunnel_buf b = { 0 };
	size_t in = 0, out = 0;
	bool wrong = false;

	while (out < 1000000) {
		for (size_t i = 0; i < paces[_i].in; i++) {
			uint8_t *p;

			if (tunnel_buf_room(&b, 1, &p) != RC_OK)
				ck_abort_msg("no memory");
			*p = (uint8_t)(in++ * 7);
			tunnel_buf_put(&b, 1);
		}
		while (b.n > paces[_i].waits) {
			struct span s = tunnel_buf_span(&b);

			for (size_t i = 0; i < s.n && i < paces[_i].out; i++)
				wrong |= s.p[i] != (uint8_t)(out++ * 7);
			tunnel_buf_drain(&b, paces[_i].out);
		}
	}
	ck_assert(!wrong);
	ck_assert_uint_le(b.cap, (paces[_i].waits + paces[_i].in) * 3 / 2 + 1500);
	tunnel_buf_reset(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tunnel_buf");
	TCase *t = tcase_create("tunnel_buf");

	tcase_add_test(t, in_and_out);
	tcase_add_test(t, room_and_put);
	tcase_add_loop_test(t, long_life, 0, TABLE_N(paces));
	suite_add_tcase(s, t);
	return unit_run(s);
}
