#include "common/sqn.h"

uint64_t
sqn_seq(uint64_t sqn)
{
	return sqn >> SQN_IND_BITS;
}

unsigned
sqn_ind(uint64_t sqn)
{
	return (unsigned)(sqn & (SQN_SLOTS - 1));
}

void
sqn_print(uint64_t sqn, uint8_t out[static 6])
{
	for (int i = 5; i >= 0; i--) {
		out[i] = (uint8_t)sqn;
		sqn >>= 8;
	}
}

uint64_t
sqn_parse(const uint8_t in[static 6])
{
	uint64_t v = 0;

	for (int i = 0; i < 6; i++)
		v = v << 8 | in[i];
	return v;
}

uint64_t
sqn_highest(const struct sqn_array *a)
{
	unsigned best = 0;

	for (unsigned i = 1; i < SQN_SLOTS; i++) {
		if (a->seq[i] > a->seq[best])
			best = i;
	}
	return a->seq[best] << SQN_IND_BITS | best;
}

enum rc
sqn_accept(struct sqn_array *a, const struct sqn_limits *limits, uint64_t sqn)
{
	uint64_t seq = sqn_seq(sqn), seq_ms = sqn_seq(sqn_highest(a));

	if (sqn > SQN_MAX)
		return RC_RANGE;
	if (seq > seq_ms && seq - seq_ms > limits->delta)		/* C.2.1: a jump that would wear SEQ out */
		return RC_DENIED;
	if (limits->age > 0 && seq < seq_ms && seq_ms - seq >= limits->age)	/* C.2.2: too old a vector */
		return RC_DENIED;
	if (seq <= a->seq[sqn_ind(sqn)])				/* C.2.2: used before, or older than one used */
		return RC_DENIED;
	a->seq[sqn_ind(sqn)] = seq;
	return RC_OK;
}

enum rc
sqn_next(uint64_t sqn_he, unsigned ind, uint64_t *out)
{
	if (ind >= SQN_SLOTS || sqn_seq(sqn_he) >= SQN_SEQ_MAX)
		return RC_RANGE;
	*out = (sqn_seq(sqn_he) + 1) << SQN_IND_BITS | ind;
	return RC_OK;
}

enum rc
sqn_raise(uint64_t sqn_he, uint64_t by, uint64_t *out)
{
	if (sqn_he > SQN_MAX || by > SQN_MAX - sqn_he)
		return RC_RANGE;
	*out = sqn_he + by;
	return RC_OK;
}

uint64_t
sqn_resync(uint64_t sqn_he, uint64_t sqn_ms, uint64_t delta)
{
	uint64_t next = sqn_seq(sqn_he) + 1, seq_ms = sqn_seq(sqn_ms);

	return next > seq_ms && next - seq_ms <= delta ? sqn_he : sqn_ms;
}
