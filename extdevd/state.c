#include "extdevd/state.h"

#include "extdevd/core.h"

void
extdev_state_before_use(struct extdev_mt *m, const struct extdev_key *k, extdev_may_fn *fn, void *arg)
{
	(void)m;
	(void)k;
	fn(arg, REASON_NONE);
}

void
extdev_state_cancel(struct extdev_mt *m, void *arg)
{
	(void)m;
	(void)arg;
}
