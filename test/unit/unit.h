/* unit: what every Check program of test/unit/ needs around its test cases. */
#ifndef TEST_UNIT_UNIT_H
#define TEST_UNIT_UNIT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/rc.h"
#include "common/span.h"

#define ck_rc(expr, want) do { \
	enum rc ck_rc_got = (expr); \
	ck_assert_msg(ck_rc_got == (want), "%s: %s, expected %s", #expr, rc_str(ck_rc_got), rc_str(want)); \
} while (0)
#define ck_ok(expr) ck_rc(expr, RC_OK)

/* Number of elements of a table, for tcase_add_loop_test. */
#define TABLE_N(t) ((int)(sizeof (t) / sizeof (t)[0]))

/* A failed call changed nothing: fill out before, look after. */
#define UNTOUCHED 0xa5
static inline void
untouched_fill(void *p, size_t n)
{
	memset(p, UNTOUCHED, n);
}

static inline bool
untouched(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (((const unsigned char *)p)[i] != UNTOUCHED)
			return false;
	}
	return true;
}

/* End of main(). */
static inline int
unit_run(Suite *s)
{
	SRunner *r = srunner_create(s);
	int bad;

	srunner_run_all(r, CK_ENV);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
