#include "common/fdio.h"

#include <errno.h>
#include <unistd.h>

bool
fdio_write_all(int fd, struct span octets)
{
	while (octets.n > 0) {
		ssize_t w = write(fd, octets.p, octets.n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		octets.p += w;
		octets.n -= (size_t)w;
	}
	return true;
}
