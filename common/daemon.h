/*
 * daemon: what the four main.c share: everything around a core. A main.c is a table of hooks and one call.
 *
 * In order: options; no core dumps, no_new_privs, secure heap; configuration and store key (-n ends here); log; loop, clock,
 * network; store, turn, time guard, trace, metrics; the core (start hook: it binds); privileges; control socket; ready line and
 * READY=1; turns until SIGTERM, SIGINT or "stop"; the core's stop hook, answering what is in flight; the rest in reverse.
 * A second SIGTERM or SIGINT ends at once.
 */
#ifndef COMMON_DAEMON_H
#define COMMON_DAEMON_H

#include <jansson.h>
#include <stddef.h>

#include "common/conf.h"
#include "common/ctl.h"
#include "common/rc.h"
#include "common/store.h"

#define KSLOCAL_VERSION "0.1.0"

struct clock;
struct link_net;
struct loop;
struct metrics;
struct rnd;
struct timeguard;
struct trace;
struct turn;

/* The keys all daemons have; first in each daemon's table. */
#define DAEMON_OPTIONS \
	CFG_STR("store", NULL, CFGF_NONE), CFG_STR("store_key", NULL, CFGF_NONE), CFG_STR("control", NULL, CFGF_NONE), \
	CFG_STR("log_level", "info", CFGF_NONE), CFG_STR("trace_file", NULL, CFGF_NONE), CFG_STR("metrics", NULL, CFGF_NONE), \
	CFG_STR("clock_step_max", "1d", CFGF_NONE), CFG_STR("user", NULL, CFGF_NONE), \
	CFG_SEC("test", daemon_test_options, CFGF_NONE)
extern cfg_opt_t daemon_test_options[];		/* clock = real | controlled (T3) */

/* What a core borrows until its free hook has run. */
struct daemon {
	struct loop *loop;
	struct clock *clock;
	struct timeguard *guard;	/* now_s, T2 */
	const struct rnd *rnd;
	struct store *store;
	struct turn *turn;
	struct trace *trace;
	struct link_net *net;
	struct metrics *metrics;
};

struct daemon_hooks {
	const char *name;			/* "bsfd" */
	const char *about;			/* one line for --help */
	cfg_opt_t *options;			/* begins with DAEMON_OPTIONS */
	const struct store_schema *schema;
	const struct ctl_op *ops;		/* control operations of its own; given core */

	/* Read the file into conf (conf_size zero octets); complaints stick (conf.h). Texts live as long as c. */
	size_t conf_size;
	void (*read_conf)(struct conf *c, void *conf);
	/* May be NULL: free what read_conf allocated. */
	void (*free_conf)(void *conf);

	/* X_new and X_start: every listener is bound when it returns RC_OK. It has logged why when it does not. */
	enum rc (*start)(const struct daemon *d, const void *conf, void **core);
	/* Members for the ready line and status: {"ub":"http://127.0.0.1:40001/", "local":["tcp:…","unix:…"]}; the line has
	 * "ub=http://127.0.0.1:40001/ local=tcp:… local=unix:…"; of an object {"services":{"modem":…}} it has "services.modem=…". */
	void (*bound)(void *core, json_t *o);
	/* As in ctl.h; may be NULL. */
	void (*health)(void *core, json_t *problems);
	void (*status)(void *core, json_t *o);
	/* SIGHUP: the new file's values, already checked; they live until the next reload, the first file's until the end. NULL:
	 * SIGHUP changes nothing, and the log says so. */
	void (*reload)(void *core, const void *conf);
	/* Take nothing new, answer what is in flight, then done(arg). The daemon waits 10 s at most. */
	void (*stop)(void *core, void (*done)(void *arg), void *arg);
	void (*free)(void *core);
};

/* All of main(). Exit code: 0 ended in good order, 1 configuration (said with file and line), 2 usage, 3 could not start, 4 loop failed. */
int daemon_main(int argc, char **argv, const struct daemon_hooks *h);

/*
 * What every process of ours does first: no core dumps, no new privileges, files 0600, keys on a locked heap; as many open files
 * as the hard limit grants, up to 65,536. daemon_main() does it by itself.
 */
void daemon_harden(void);

#endif
