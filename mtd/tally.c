#include "mtd/tally.h"

#include <string.h>

#include "common/metrics.h"

void
mt_tally_init(struct mt_tally *t, struct metrics *m)
{
	static const struct {
		const char *name, *help;
	} series[MT_TALLY_COUNT] = {
		[MT_TALLY_UB_RUNS] = { "mt_ub_runs_total", "Bootstrapping runs begun with the BSF." },
		[MT_TALLY_UB_FAILED] = { "mt_ub_failures_total", "Bootstrapping runs that failed." },
		[MT_TALLY_NAF_DERIVATIONS] = { "mt_naf_derivations_total", "Ks_(ext)_NAF derived." },
		[MT_TALLY_KEYS_DERIVED] = { "mt_keys_total", "Ks_local_MT derived." },
		[MT_TALLY_KEYS_CONFIRMED] = { "mt_keys_confirmed_total", "Ks_local_MT confirmed by a device's proof." },
	};

	memset(t, 0, sizeof *t);
	for (size_t i = 0; i < MT_TALLY_COUNT && m != NULL; i++)
		t->metric[i] = metrics_counter(m, series[i].name, NULL, series[i].help);
}

void
mt_tally_add(struct mt_tally *t, enum mt_tally_id id)
{
	t->n[id]++;
	metric_add(t->metric[id], 1);
}

void
mt_tally_get(const struct mt_tally *t, struct mt_counts *out)
{
	*out = (struct mt_counts){
		.ub_runs = t->n[MT_TALLY_UB_RUNS], .ub_failed = t->n[MT_TALLY_UB_FAILED],
		.naf_derivations = t->n[MT_TALLY_NAF_DERIVATIONS], .keys_derived = t->n[MT_TALLY_KEYS_DERIVED],
		.keys_confirmed = t->n[MT_TALLY_KEYS_CONFIRMED]
	};
}
