/* daemon_conf: command line, the configuration keys all daemons have, privileges. */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/daemon_int.h"
#include "common/keyfile.h"
#include "common/timeguard.h"

#define OPEN_FILES 65536

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)	/* gcc's words */
#define SANITIZED
#elif defined(__has_feature)						/* clang's */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

cfg_opt_t daemon_test_options[] = {
	CFG_STR("clock", "real", CFGF_NONE),
	CFG_END()
};

static int
usage(const struct daemon_hooks *h, FILE *to)
{
	fprintf(to, "usage: %s [-dn] -c FILE | -V | --help\n", h->name);
	if (to == stdout)
		printf("%s\n\n"
		    "  -c, --conf FILE  the configuration; see %s.conf(5)\n"
		    "  -n, --check      say every mistake in it and leave\n"
		    "  -d, --debug      log at level debug; no level shows a key\n"
		    "  -V, --version    print the version and leave\n"
		    "  -h, --help       this\n", h->about, h->name);
	return to == stdout ? 0 : 2;
}

int
daemon_args_read(int argc, char **argv, const struct daemon_hooks *h, struct daemon_args *out)
{
	static const struct option options[] = {
		{ "conf", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 'n' }, { "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	struct daemon_args a = { 0 };
	int o;

	optind = 1;
	while ((o = getopt_long(argc, argv, "c:ndVh", options, NULL)) != -1)
		switch (o) {
		case 'c':
			a.conf = optarg;
			break;
		case 'n':
			a.check_only = true;
			break;
		case 'd':
			a.debug = true;
			break;
		case 'V':
			printf("%s %s\n", h->name, KSLOCAL_VERSION);
			return 0;
		case 'h':
			return usage(h, stdout);
		default:
			return usage(h, stderr);
		}
	if (optind < argc || a.conf == NULL)
		return usage(h, stderr);
	*out = a;
	return -1;
}

static const char *
text_or_null(struct conf *c, const char *key, enum conf_kind kind)
{
	return conf_has(c, NULL, key) ? conf_text(c, NULL, key, kind) : NULL;
}

void
daemon_conf_read(struct conf *c, struct daemon_conf *out)
{
	static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
	static const char *const clocks[] = { [CLOCK_REAL] = "real", [CLOCK_CONTROLLED] = "controlled", NULL };
	struct daemon_conf d = { 0 };
	const struct passwd *pw;

	d.store = conf_text(c, NULL, "store", CONF_PATH);
	d.store_key = conf_text(c, NULL, "store_key", CONF_PATH);
	d.control = conf_text(c, NULL, "control", CONF_LINK);
	if (d.control[0] != '\0' && strncmp(d.control, "unix:", 5) != 0)
		conf_complain(c, NULL, "control", "'%s'; expected unix:/path", d.control);
	d.trace_file = text_or_null(c, "trace_file", CONF_PATH);
	d.metrics = text_or_null(c, "metrics", CONF_HOST_PORT);
	d.user = text_or_null(c, "user", CONF_ANY);
	d.log_level = (enum log_level)conf_word(c, NULL, "log_level", levels);
	d.clock = (enum clock_kind)conf_word(c, conf_section(c, NULL, "test", 0), "clock", clocks);
	d.step_max_s = conf_duration(c, NULL, "clock_step_max", 1, 3650 * INT64_C(86400));
	if (d.user != NULL) {
		if ((pw = getpwnam(d.user)) == NULL) {
			conf_complain(c, NULL, "user", "there is no user '%s'", d.user);
		} else {
			d.uid = pw->pw_uid;
			d.gid = pw->pw_gid;
		}
	}
	*out = d;
}

enum rc
daemon_key_read(struct conf *c, const struct daemon_conf *dc, struct secret **out)
{
	char why[512], path[512];

	if (conf_unchecked(c, NULL, "store_key", dc->store_key))
		return RC_OK;
	if (keyfile_read(dc->store_key, out, why, sizeof why) != RC_OK) {
		conf_complain(c, NULL, "store_key", "%s", why);
		return RC_SYNTAX;
	}
	if (keyfile_path(dc->store_key, path, sizeof path) == RC_OK && keyfile_beside(path, dc->store))
		log_warn("THE STORE KEY %s LIES BESIDE THE STORE %s: whoever copies that directory has the keys; keep it elsewhere", path,
		    dc->store);
	return RC_OK;
}

/* A login shell's 1,024 are fewer than one listener's connections; the store and the control socket need some, too. */
static void
raise_open_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= OPEN_FILES || r.rlim_cur >= r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max < OPEN_FILES ? r.rlim_max : OPEN_FILES;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		log_warn("daemon: the limit of open files stays low: %s", strerror(errno));
}

void
daemon_harden(void)
{
	const struct rlimit none = { 0, 0 };

	umask(077);
	raise_open_files();
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		log_warn("daemon: core dumps cannot be forbidden: %s", strerror(errno));
	/* A sanitizer's leak check has to look into its own process. */
#ifndef SANITIZED
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_warn("daemon: its memory may be read by its user's other processes: %s", strerror(errno));
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		log_warn("daemon: no_new_privs: %s", strerror(errno));
	if (!secret_heap_open())
		log_warn("THE SECURE HEAP IS NOT LOCKED: keys may reach the swap space; raise the limit on locked memory (ulimit -l)");
}

enum rc
daemon_drop(const struct daemon_conf *dc)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char path[4096];

	if (dc->user == NULL || geteuid() != 0)
		return RC_OK;
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(path, sizeof path, "%s%s", dc->store, suffixes[i]);
		if (lchown(path, dc->uid, dc->gid) != 0 && errno != ENOENT) {
			log_error("daemon: %s cannot be given to %s: %s", path, dc->user, strerror(errno));
			return RC_IO;
		}
	}
	if (initgroups(dc->user, dc->gid) != 0 || setgid(dc->gid) != 0 || setuid(dc->uid) != 0) {
		log_error("daemon: cannot become %s: %s", dc->user, strerror(errno));
		return RC_DENIED;
	}
	if (setuid(0) == 0)
		log_fatal("daemon: root can be had back");
	log_info("daemon: runs as %s", dc->user);
	return RC_OK;
}
