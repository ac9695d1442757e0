/* tmpdir: a directory of a test's own, removed with all in it. */
#ifndef TEST_UNIT_TMPDIR_H
#define TEST_UNIT_TMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char tmpdir[64];

static inline void
tmpdir_make(void)
{
	snprintf(tmpdir, sizeof tmpdir, "/tmp/kslocal-test-XXXXXX");
	if (mkdtemp(tmpdir) == NULL)
		abort();
}

/* Path of a file in it; a few may be in use at once. */
static inline const char *
tmpdir_file(const char *name)
{
	static char path[4][256];
	static unsigned i;
	char *p = path[i++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", tmpdir, name);
	return p;
}

static inline int
tmpdir_unlink(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static inline void
tmpdir_remove(void)
{
	nftw(tmpdir, tmpdir_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void
tmpdir_write(const char *name, const void *p, size_t n, mode_t mode)
{
	FILE *f = fopen(tmpdir_file(name), "w");

	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0 || chmod(tmpdir_file(name), mode) != 0)
		abort();
}

#endif
