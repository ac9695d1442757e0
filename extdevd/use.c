#include "extdevd/core.h"

void
extdev_use_begin(struct extdev_mt *m)
{
	(void)m;
}

void
extdev_use_recheck(struct extdev *e)
{
	(void)e;
}
