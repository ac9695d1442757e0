/*
 * wipe: an allocator for libraries through whose hands keys go (JSON of the control socket, octets of links, HTTP bodies): what is
 * freed is cleansed first. The memory is malloc's, so that blocks made before and after a library was told to use this mix.
 */
#ifndef COMMON_WIPE_H
#define COMMON_WIPE_H

#include <stddef.h>

/* As realloc(), but never leaves the old octets behind. */
void *wipe_realloc(void *p, size_t n);
/* As free(), cleansed. NULL is fine. */
void wipe_free(void *p);

#endif
