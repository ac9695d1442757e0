/*
 * daemon_int: what daemon.c (the run of a daemon), daemon_conf.c (options, common keys, privileges) and daemon_tell.c (what it
 * tells about itself) share; nobody else's.
 */
#ifndef COMMON_DAEMON_INT_H
#define COMMON_DAEMON_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/clock.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/secret.h"

struct daemon_args {
	const char *conf;		/* -c */
	bool check_only, debug;		/* -n, -d */
};

/* The keys of DAEMON_OPTIONS. Texts live as long as the struct conf. */
struct daemon_conf {
	const char *store, *store_key, *control;
	const char *trace_file, *metrics, *user;	/* NULL = not given */
	enum log_level log_level;
	enum clock_kind clock;
	int64_t step_max_s;
	uid_t uid;			/* of user */
	gid_t gid;
};

/* A file as read: its texts are borrowed by values. */
struct loaded {
	struct conf *file;
	struct daemon_conf common;
	void *values;			/* the daemon's own */
};

struct run {
	const struct daemon_hooks *hooks;
	struct daemon_args args;
	struct loaded first, now;	/* the start's, and the last reload's */
	struct secret *key;
	struct daemon env;
	void *core;
	struct ctl *ctl;
	struct http_server *metrics_http;
	struct clock_timer *watchdog, *stop_timer;
	int64_t watchdog_ms;
	bool stopping;
};

/* -1: go on; else the exit code (0 after -V and --help, 2 usage). */
int daemon_args_read(int argc, char **argv, const struct daemon_hooks *h, struct daemon_args *out);
/* Complaints stick in c. */
void daemon_conf_read(struct conf *c, struct daemon_conf *out);
/* Reads the store key; complains in c. RC_SYNTAX then. Caller frees. */
enum rc daemon_key_read(struct conf *c, const struct daemon_conf *dc, struct secret **out) MUST_USE;
/* When started as root and a user is named: the store's files become that user's, and so do we. */
enum rc daemon_drop(const struct daemon_conf *dc) MUST_USE;

/* Series of the store's commits. */
void daemon_gauges(struct run *r);
/* The metrics listener, if it is configured. As http_server_new(). */
enum rc daemon_listen_metrics(struct run *r) MUST_USE;
/* The control socket; stop(run) is its "stop". As ctl_new(). */
enum rc daemon_listen_control(struct run *r, void (*stop)(void *run)) MUST_USE;
/* One line on standard output, and systemd. */
void daemon_say_ready(const struct run *r);

#endif
