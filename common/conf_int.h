/* conf_int: what conf.c (reading) and conf_get.c (getters) share; nobody else's. */
#ifndef COMMON_CONF_INT_H
#define COMMON_CONF_INT_H

#include "common/conf.h"
#include "common/conf_scan.h"

struct conf {
	char *name;		/* the file's, for complaints */
	FILE *err;
	cfg_t *top;
	struct conf_scan scan;
	unsigned complaints;
	bool checking;		/* -n: conf_check_only() */
};

/* The last key of that name in s (NULL = top) as it stands in the file; NULL = it does not. */
const struct conf_node *conf_node_find(const struct conf *c, const cfg_t *s, const char *key);

#endif
