/* pemfile: read once, checked by descriptor so that the file judged is the file read. */
#include "common/pemfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/keyfile.h"
#include "common/log.h"

static enum rc
judge(const char *name, int fd, bool secret, size_t *size)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		log_error("%s: is no regular file", name);
		return RC_IO;
	}
	if (secret && (st.st_mode & 077) != 0) {
		log_error("%s: may be read or written by its group or by everybody: chmod 600 it", name);
		return RC_DENIED;
	}
	if (secret && st.st_uid != geteuid() && st.st_uid != 0) {
		log_error("%s: belongs to another user", name);
		return RC_DENIED;
	}
	if (st.st_size <= 0 || st.st_size > (off_t)PEMFILE_MAX) {
		log_error("%s: is empty or longer than %u octets", name, PEMFILE_MAX);
		return RC_RANGE;
	}
	*size = (size_t)st.st_size;
	return RC_OK;
}

static bool
read_all(int fd, char *p, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = read(fd, p + got, n - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		got += (size_t)r;
	}
	return true;
}

enum rc
pemfile_read(const char *name, bool secret, struct pemfile *out)
{
	char path[PATH_MAX];
	struct pemfile f = { NULL, 0 };
	enum rc rc;
	int fd = -1;

	if ((rc = keyfile_path(name, path, sizeof(path))) != RC_OK) {
		log_error("%s: no such credential", name);
		goto out;
	}
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0) {
		rc = errno == ENOENT ? RC_NOTFOUND : RC_IO;
		log_error("%s: %s", path, strerror(errno));
		goto out;
	}
	if ((rc = judge(path, fd, secret, &f.n)) != RC_OK)
		goto out;
	if ((f.p = malloc(f.n + 1)) == NULL) {
		rc = RC_NOMEM;
		goto out;
	}
	f.p[f.n] = '\0';
	if (!read_all(fd, f.p, f.n)) {
		log_error("%s: cannot be read", path);
		rc = RC_IO;
		goto out;
	}
	*out = f;
	f.p = NULL;
out:
	pemfile_free(&f);
	if (fd >= 0)
		close(fd);
	return rc;
}

void
pemfile_free(struct pemfile *f)
{
	if (f->p != NULL)
		OPENSSL_cleanse(f->p, f->n);
	free(f->p);
	*f = (struct pemfile){ NULL, 0 };
}
