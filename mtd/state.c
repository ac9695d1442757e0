#include "mtd/state.h"

#include <stdlib.h>

struct mt_state {
	const struct mt_seams *s;
	const struct mt_conf *conf;
};

enum rc
mt_state_new(const struct mt_seams *s, const struct mt_conf *conf, struct mt_state **out)
{
	struct mt_state *st = calloc(1, sizeof *st);

	if (st == NULL)
		return RC_NOMEM;
	st->s = s;
	st->conf = conf;
	*out = st;
	return RC_OK;
}

void
mt_state_free(struct mt_state *st)
{
	free(st);
}

void
mt_state_before_use(struct mt_state *st, const struct mt_key *k, mt_may_fn *fn, void *arg)
{
	(void)st;
	(void)k;
	fn(arg, REASON_NONE);
}

void
mt_state_cancel(struct mt_state *st, void *arg)
{
	(void)st;
	(void)arg;
}
