/* The two text functions of clock.h: UTC as xs:dateTime (XML Schema part 2, 3.2.7). Pure. */
#include <string.h>

#include "common/clock.h"
#include "common/span.h"

#define DAY_S 86400
#define YEAR_9999_S INT64_C(253402300799)

/* Days since 1970-01-01 of a day in the Gregorian calendar. Years begin in March here, so that the leap day is the last. */
static int64_t
days_from_civil(int64_t y, int m, int d)
{
	int64_t era, of_era, of_year;

	y -= m <= 2;
	era = y / 400;
	of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	of_era = (y % 400) * 365 + (y % 400) / 4 - (y % 400) / 100 + of_year;
	return era * 146097 + of_era - 719468;
}

static int
days_in_month(int64_t y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 29 : days[m - 1];
}

static void
put_digits(char *out, size_t n, int64_t v)
{
	while (n-- > 0) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void
clock_print_utc(int64_t t, char out[static UTC_TEXT_LEN + 1])
{
	int64_t days, s, y;
	int m;

	t = t < 0 ? 0 : t > YEAR_9999_S ? YEAR_9999_S : t;
	days = t / DAY_S;
	s = t % DAY_S;
	for (y = 1970 + days / 366; days_from_civil(y + 1, 1, 1) <= days; y++)
		;
	days -= days_from_civil(y, 1, 1);
	for (m = 1; days >= days_in_month(y, m); m++)
		days -= days_in_month(y, m);
	memcpy(out, "0000-00-00T00:00:00Z", UTC_TEXT_LEN + 1);
	put_digits(out, 4, y);
	put_digits(out + 5, 2, m);
	put_digits(out + 8, 2, days + 1);
	put_digits(out + 11, 2, s / 3600);
	put_digits(out + 14, 2, s / 60 % 60);
	put_digits(out + 17, 2, s % 60);
}

/* n digits and then the octet after (0 = nothing). */
static bool
take_number(struct span *in, size_t n, char after, int *out)
{
	struct span digits, sep;
	int v = 0;

	if (!span_take(in, n, &digits) || (after != '\0' && (!span_take(in, 1, &sep) || sep.p[0] != after)))
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
		v = v * 10 + (digits.p[i] - '0');
	}
	*out = v;
	return true;
}

/* "." and one or more digits, if there is a "."; *zero tells that they are all 0. */
static bool
take_fraction(struct span *in, bool *zero)
{
	size_t n = 0;

	*zero = true;
	if (in->n == 0 || in->p[0] != '.')
		return true;
	for (n = 1; n < in->n && in->p[n] >= '0' && in->p[n] <= '9'; n++)
		*zero = *zero && in->p[n] == '0';
	return span_take(in, n, &(struct span){ 0 }) && n > 1;
}

/* "Z", "+hh:mm" or "-hh:mm", up to 14:00, to the end; *offset in seconds. */
static bool
take_zone(struct span in, bool z_only, int *offset)
{
	struct span sign;
	int h, m;

	if (!span_take(&in, 1, &sign))
		return false;
	if (sign.p[0] == 'Z') {
		*offset = 0;
		return in.n == 0;
	}
	if (z_only || (sign.p[0] != '+' && sign.p[0] != '-') || !take_number(&in, 2, ':', &h) || !take_number(&in, 2, '\0', &m) ||
	    in.n != 0 || m > 59 || h * 60 + m > 14 * 60)
		return false;
	*offset = (h * 60 + m) * (sign.p[0] == '-' ? -60 : 60);
	return true;
}

enum rc
clock_parse_utc(const char *p, size_t n, bool z_only, int64_t *out)
{
	struct span in = span_of(p, n);
	int y, mon, d, h, m, s, offset;
	bool zero;
	int64_t t;

	if (!take_number(&in, 4, '-', &y) || !take_number(&in, 2, '-', &mon) || !take_number(&in, 2, 'T', &d) ||
	    !take_number(&in, 2, ':', &h) || !take_number(&in, 2, ':', &m) || !take_number(&in, 2, '\0', &s) ||
	    !take_fraction(&in, &zero) || !take_zone(in, z_only, &offset))
		return RC_SYNTAX;
	if (y < 1 || mon < 1 || mon > 12 || d < 1 || d > days_in_month(y, mon) || m > 59 || s > 59)
		return RC_SYNTAX;
	/* 24:00:00 is the end of a day, nothing later. */
	if (h > 24 || (h == 24 && (m != 0 || s != 0 || !zero)))
		return RC_SYNTAX;
	t = days_from_civil(y, mon, d) * DAY_S + h * 3600 + m * 60 + s - offset;
	if (t < 0 || t > YEAR_9999_S)
		return RC_RANGE;
	*out = t;
	return RC_OK;
}
