#include "test/bench/load/load.h"

/* 0..63 exactly, then 64 buckets per power of two. */
static size_t
bucket_of(uint64_t us)
{
	unsigned e;

	if (us < 64)
		return us;
	e = 63 - (unsigned)__builtin_clzll(us);
	if (64 * (e - 5) + 63 >= HIST_BUCKETS)
		return HIST_BUCKETS - 1;
	return 64 * (e - 5) + ((us >> (e - 6)) & 63);
}

static int64_t
upper_end(size_t b)
{
	unsigned e;

	if (b < 64)
		return (int64_t)b;
	e = (unsigned)(b / 64) + 5;
	return (int64_t)(((64 + b % 64 + 1) << (e - 6)) - 1);
}

void
hist_add(struct hist *h, int64_t us)
{
	uint64_t v = us > 0 ? (uint64_t)us : 0;

	h->n++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
	h->bucket[bucket_of(v)]++;
}

int64_t
hist_quantile(const struct hist *h, double q)
{
	uint64_t want = (uint64_t)(q * (double)h->n + 0.5), seen = 0;

	if (h->n == 0)
		return 0;
	if (want == 0)
		want = 1;
	for (size_t b = 0; b < HIST_BUCKETS; b++) {
		seen += h->bucket[b];
		if (seen >= want)
			return upper_end(b) < (int64_t)h->max ? upper_end(b) : (int64_t)h->max;
	}
	return (int64_t)h->max;
}
