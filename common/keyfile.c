#include "common/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hex.h"

#define TEXT_LEN (2 * KEYFILE_KEY_LEN)

/* Does path lie below directory dir (no link followed, no "..")? */
static bool
below(const char *path, const char *dir)
{
	size_t n = dir != NULL ? strlen(dir) : 0;

	while (n > 0 && dir[n - 1] == '/')
		n--;
	return n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/' && strstr(path + n, "/..") == NULL;
}

static enum rc
check_open(const char *path, int fd, char *why, size_t cap)
{
	mode_t closed = below(path, getenv("CREDENTIALS_DIRECTORY")) ? S_IRWXO | S_IWGRP : S_IRWXG | S_IRWXO;
	struct stat sb;

	if (fstat(fd, &sb) != 0) {
		snprintf(why, cap, "%s: %s", path, strerror(errno));
		return RC_IO;
	}
	if (!S_ISREG(sb.st_mode)) {
		snprintf(why, cap, "%s is no regular file", path);
		return RC_DENIED;
	}
	if (sb.st_uid != geteuid() && sb.st_uid != 0) {
		snprintf(why, cap, "%s belongs to user %ld, expected %ld or root", path, (long)sb.st_uid, (long)geteuid());
		return RC_DENIED;
	}
	if ((sb.st_mode & closed) != 0) {
		snprintf(why, cap, "%s is open to its group or the world (mode %04o): chmod 600 it", path, (unsigned)sb.st_mode & 07777);
		return RC_DENIED;
	}
	return RC_OK;
}

/* Checked on the open file, so that nobody can put another in its place in between. */
static enum rc
open_checked(const char *path, int *out, char *why, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum rc rc;

	why[0] = '\0';
	if (fd < 0) {
		snprintf(why, cap, "%s: %s", path, strerror(errno));
		return errno == ENOENT ? RC_NOTFOUND : RC_IO;
	}
	if ((rc = check_open(path, fd, why, cap)) != RC_OK) {
		close(fd);
		return rc;
	}
	*out = fd;
	return RC_OK;
}

enum rc
keyfile_check(const char *path, char *why, size_t cap)
{
	int fd;
	enum rc rc;

	if ((rc = open_checked(path, &fd, why, cap)) == RC_OK)
		close(fd);
	return rc;
}

enum rc
keyfile_path(const char *name, char *out, size_t cap)
{
	static const char prefix[] = "credential:";
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
		n = snprintf(out, cap, "%s", name);
	} else {
		if (dir == NULL)
			return RC_NOTFOUND;
		n = snprintf(out, cap, "%s/%s", dir, name + sizeof prefix - 1);
	}
	return n >= 0 && (size_t)n < cap ? RC_OK : RC_RANGE;
}

enum rc
keyfile_parse(struct span text, struct secret **out)
{
	/* One newline may end it, nothing else. */
	if (text.n == TEXT_LEN + 1 && text.p[TEXT_LEN] == '\n')
		text.n--;
	if (text.n != TEXT_LEN)
		return RC_SYNTAX;
	return hex_parse_secret(text, KEYFILE_KEY_LEN, out);
}

enum rc
keyfile_read(const char *name, struct secret **out, char *why, size_t cap)
{
	uint8_t text[TEXT_LEN + 2];	/* one more than there may be, so that too much is seen */
	char path[PATH_MAX];
	size_t n = 0;
	ssize_t got = -1;
	int fd = -1;
	enum rc rc;

	why[0] = '\0';
	if ((rc = keyfile_path(name, path, sizeof path)) != RC_OK) {
		snprintf(why, cap, rc == RC_NOTFOUND ? "%s: systemd gave no credentials ($CREDENTIALS_DIRECTORY)" : "%s: too long", name);
		goto out;
	}
	if ((rc = open_checked(path, &fd, why, cap)) != RC_OK)
		goto out;
	while (n < sizeof text && (got = read(fd, text + n, sizeof text - n)) > 0)
		n += (size_t)got;
	if (got < 0) {
		snprintf(why, cap, "%s: %s", path, strerror(errno));
		rc = RC_IO;
		goto out;
	}
	if ((rc = keyfile_parse(span_of(text, n), out)) == RC_SYNTAX)
		snprintf(why, cap, "%s is not %d hex digits and a newline", path, TEXT_LEN);
out:
	OPENSSL_cleanse(text, sizeof text);
	if (fd >= 0)
		close(fd);
	return rc;
}

bool
keyfile_beside(const char *key_path, const char *store_path)
{
	char key[PATH_MAX], store[PATH_MAX], *slash;

	if (realpath(key_path, key) == NULL || realpath(store_path, store) == NULL || (slash = strrchr(store, '/')) == NULL)
		return false;
	slash[0] = '\0';
	return store[0] == '\0' || below(key, store);
}
