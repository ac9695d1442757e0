/* pemfile: a PEM file as octets, and, for private keys, only if nobody else may read it. */
#ifndef COMMON_PEMFILE_H
#define COMMON_PEMFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"

#define PEMFILE_MAX (1u << 20)

struct pemfile {
	char *p;	/* NUL-terminated */
	size_t n;	/* NUL not counted */
};

/*
 * name      a path, or "credential:NAME" as in keyfile.h
 * secret    refuse a file that group or world may read or write, or that belongs to another user (root may)
 * RC_NOTFOUND, RC_IO, RC_RANGE (too long, or empty), RC_DENIED; the log says which, with the name. pemfile_free() cleanses.
 */
enum rc pemfile_read(const char *name, bool secret, struct pemfile *out) MUST_USE;
void pemfile_free(struct pemfile *f);

#endif
