/* mt_tally: what the MT did so far, counted for status, metrics and tests (K6). */
#ifndef MTD_TALLY_H
#define MTD_TALLY_H

#include <stdint.h>

#include "mtd/mt.h"

struct metric;
struct metrics;

enum mt_tally_id { MT_TALLY_UB_RUNS, MT_TALLY_UB_FAILED, MT_TALLY_NAF_DERIVATIONS, MT_TALLY_KEYS_DERIVED, MT_TALLY_KEYS_CONFIRMED, MT_TALLY_COUNT };
struct mt_tally {
	uint64_t n[MT_TALLY_COUNT];
	struct metric *metric[MT_TALLY_COUNT];
};

/* m may be NULL. */
void mt_tally_init(struct mt_tally *t, struct metrics *m);
void mt_tally_add(struct mt_tally *t, enum mt_tally_id id);
void mt_tally_get(const struct mt_tally *t, struct mt_counts *out);

#endif
