/* fdio: what every writer of a descriptor needs. */
#ifndef COMMON_FDIO_H
#define COMMON_FDIO_H

#include <stdbool.h>

#include "common/span.h"

/* All of it, whatever interrupts; false: errno tells why. Not for the loop's thread of a daemon, unless it is a regular file. */
bool fdio_write_all(int fd, struct span octets);

#endif
