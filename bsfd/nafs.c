/* nafs: the NAF entries in memory, sorted by FQDN. There are few, and every BIR looks one up. */
#include <stdlib.h>
#include <string.h>

#include "bsfd/core.h"
#include "bsfd/store.h"
#include "common/log.h"

struct bsf_nafs {
	struct bsf_naf *v;
	size_t n, cap;
	bool full;		/* an append found no memory */
};

static void
append(const struct bsf_naf *naf, void *arg)
{
	struct bsf_nafs *l = arg;

	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 8 : 2 * l->cap;
		struct bsf_naf *v = realloc(l->v, cap * sizeof *v);

		if (v == NULL) {
			l->full = true;
			return;
		}
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *naf;
}

enum rc
bsf_nafs_reload(struct bsf_nafs *n, struct store *st)
{
	struct bsf_nafs fresh = { 0 };
	enum rc rc = bsf_store_each_naf(st, append, &fresh);

	if (rc == RC_OK && fresh.full)
		rc = RC_NOMEM;
	if (rc != RC_OK) {
		free(fresh.v);
		return rc;
	}
	free(n->v);
	*n = fresh;
	return RC_OK;
}

enum rc
bsf_nafs_new(struct store *st, struct bsf_nafs **out)
{
	struct bsf_nafs *n = calloc(1, sizeof *n);
	enum rc rc;

	if (n == NULL)
		return RC_NOMEM;
	if ((rc = bsf_nafs_reload(n, st)) != RC_OK) {
		bsf_nafs_free(n);
		return rc;
	}
	*out = n;
	return RC_OK;
}

void
bsf_nafs_free(struct bsf_nafs *n)
{
	if (n == NULL)
		return;
	free(n->v);
	free(n);
}

static int
compare(const void *fqdn, const void *naf)
{
	return strcmp(fqdn, ((const struct bsf_naf *)naf)->fqdn);
}

const struct bsf_naf *
bsf_nafs_find(const struct bsf_nafs *n, const char *fqdn)
{
	return n->n == 0 ? NULL : bsearch(fqdn, n->v, n->n, sizeof *n->v, compare);
}

enum rc
bsf_nafs_list(const struct bsf_nafs *n, json_t *out)
{
	for (size_t i = 0; i < n->n; i++) {
		json_t *o = bsf_policy_print_naf(&n->v[i]);

		if (o == NULL || json_array_append_new(out, o) != 0)
			return RC_NOMEM;
	}
	return RC_OK;
}
