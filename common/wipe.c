#include "common/wipe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void
wipe_free(void *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void *
wipe_realloc(void *p, size_t n)
{
	size_t old = p != NULL ? malloc_usable_size(p) : 0;
	void *grown;

	if (p != NULL && n == 0) {
		wipe_free(p);
		return NULL;
	}
	if ((grown = malloc(n)) == NULL)
		return NULL;
	if (p != NULL)
		memcpy(grown, p, old < n ? old : n);
	wipe_free(p);
	return grown;
}
