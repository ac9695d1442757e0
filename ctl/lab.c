/* lab: where a lab's control sockets are. scripts/lab writes what is read here. */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ksctl.h"

#define LAB_JSON_MAX 65536

static bool
fits(int n, size_t cap)
{
	return n >= 0 && (size_t)n < cap;
}

/* ${XDG_RUNTIME_DIR:-/tmp/kslocal-UID}/labs; in /tmp only if it is ours: anybody may make a directory there. */
static enum rc
register_dir(char *out, size_t cap)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char base[PATH_MAX];
	struct stat sb;
	int n;

	if (run != NULL && run[0] != '\0') {
		n = snprintf(base, sizeof base, "%s", run);
	} else {
		n = snprintf(base, sizeof base, "/tmp/kslocal-%ld", (long)getuid());
		if (lstat(base, &sb) != 0 || !S_ISDIR(sb.st_mode) || sb.st_uid != getuid())
			return RC_NOTFOUND;
	}
	if (!fits(n, sizeof base) || !fits(snprintf(out, cap, "%s/labs", base), cap))
		return RC_RANGE;
	return RC_OK;
}

/* A link of the register: where it points, and since when, if a lab.json is there. */
static bool
entry(const char *dir, const char *name, char *out, size_t cap, struct timespec *since)
{
	char link[PATH_MAX], json[PATH_MAX];
	struct stat sb;
	ssize_t n;

	if (!fits(snprintf(link, sizeof link, "%s/%s", dir, name), sizeof link) || lstat(link, &sb) != 0 || !S_ISLNK(sb.st_mode))
		return false;
	if ((n = readlink(link, out, cap)) < 0 || (size_t)n >= cap)
		return false;
	out[n] = '\0';
	*since = sb.st_mtim;
	return out[0] == '/' && fits(snprintf(json, sizeof json, "%s/lab.json", out), sizeof json) && access(json, R_OK) == 0;
}

static bool
later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static enum rc
newest(char *out, size_t cap)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct timespec best = { 0, 0 }, since;
	const struct dirent *e;
	enum rc rc;
	DIR *d;

	if ((rc = register_dir(dir, sizeof dir)) != RC_OK)
		return rc;
	if ((d = opendir(dir)) == NULL)
		return RC_NOTFOUND;
	rc = RC_NOTFOUND;
	while ((e = readdir(d)) != NULL)
		if (entry(dir, e->d_name, path, sizeof path, &since) && later(since, best) && fits(snprintf(out, cap, "%s", path), cap)) {
			best = since;
			rc = RC_OK;
		}
	closedir(d);
	return rc;
}

enum rc
ksctl_lab_find(const char *given, char *out, size_t cap, bool *named)
{
	const char *env = getenv("KSLOCAL_LAB");

	*named = false;
	if (given == NULL && env != NULL && env[0] != '\0')
		given = env;
	if (given != NULL)
		return fits(snprintf(out, cap, "%s", given), cap) ? RC_OK : RC_RANGE;
	*named = true;
	return newest(out, cap);
}

enum rc
ksctl_lab_read(const char *dir, json_t **out, char *why, size_t cap)
{
	char path[PATH_MAX];
	json_error_t err;
	json_t *o;

	if (!fits(snprintf(path, sizeof path, "%s/lab.json", dir), sizeof path))
		return RC_RANGE;
	if ((o = json_load_file(path, JSON_REJECT_DUPLICATES, &err)) == NULL) {
		snprintf(why, cap, "%s: %s", path, json_error_code(&err) == json_error_cannot_open_file ?
		    "cannot be read: no lab is up there" : "is no JSON object");
		return json_error_code(&err) == json_error_cannot_open_file ? RC_IO : RC_SYNTAX;
	}
	*out = o;
	return RC_OK;
}

const char *
ksctl_lab_socket(const json_t *lab, enum ksctl_daemon d)
{
	const char *s = json_string_value(json_object_get(json_object_get(lab, ksctl_daemon_name(d)), "control"));

	return s != NULL && strncmp(s, "unix:", 5) == 0 ? s : NULL;
}
