/*
 * Properties of the two text functions of clock.h: what parses lies in 0 .. 9999-12-31T23:59:59Z and prints to a text that parses
 * to the same second; a text of 20 octets that parses is what is printed, 24:00:00 apart; Z alone takes nothing that the other
 * does not.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char out[UTC_TEXT_LEN + 1];
	int64_t t = -1, again = -1, z = -1;

	if (clock_parse_utc((const char *)p, n, true, &z) == RC_OK && (clock_parse_utc((const char *)p, n, false, &t) != RC_OK || t != z))
		abort();
	if (clock_parse_utc((const char *)p, n, false, &t) != RC_OK)
		return 0;
	if (t < 0 || t > INT64_C(253402300799))
		abort();
	clock_print_utc(t, out);
	if (strlen(out) != UTC_TEXT_LEN || clock_parse_utc(out, UTC_TEXT_LEN, true, &again) != RC_OK || again != t)
		abort();
	if (n == UTC_TEXT_LEN && memcmp(out, p, n) != 0 && memcmp(p + 11, "24:00:00Z", 9) != 0)
		abort();
	return 0;
}
