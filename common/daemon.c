/* daemon: the run of a daemon. Command line, common keys and privileges are daemon_conf.c's, what it tells is daemon_tell.c's. */
#include "common/daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "common/daemon_int.h"
#include "common/http_server.h"
#include "common/link.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/rnd.h"
#include "common/timeguard.h"
#include "common/trace.h"
#include "common/turn.h"

#define STOP_MS 10000		/* what is in flight has that long */

enum exit_code { EXIT_GOOD = 0, EXIT_CONF = 1, EXIT_START = 3, EXIT_LOOP = 4 };

/* --- configuration */

static void
unload(const struct daemon_hooks *h, struct loaded *l)
{
	if (l->values != NULL && h->free_conf != NULL)
		h->free_conf(l->values);
	free(l->values);
	conf_free(l->file);
	*l = (struct loaded){ 0 };
}

static enum rc
load(const struct run *r, struct loaded *out)
{
	const struct daemon_hooks *h = r->hooks;
	struct loaded l = { 0 };
	enum rc rc = RC_NOMEM;

	if ((l.values = calloc(1, h->conf_size > 0 ? h->conf_size : 1)) == NULL)
		goto out;
	if ((rc = conf_load(r->args.conf, h->options, &l.file)) != RC_OK) {
		free(l.values);
		l.values = NULL;	/* nothing was read into it */
		goto out;
	}
	if (r->args.check_only)
		conf_check_only(l.file);
	daemon_conf_read(l.file, &l.common);
	h->read_conf(l.file, l.values);
	if ((rc = conf_done(l.file)) != RC_OK)
		goto out;
	*out = l;
	l = (struct loaded){ 0 };
out:
	unload(h, &l);
	return rc;
}

static void
on_hup(int signo, void *arg)
{
	struct run *r = arg;
	struct loaded l = { 0 };

	(void)signo;
	if (r->stopping)
		return;
	if (r->hooks->reload == NULL) {
		log_warn("daemon: SIGHUP: nothing of this daemon can be changed while it runs");
		return;
	}
	sd_notify(0, "RELOADING=1");
	if (load(r, &l) != RC_OK) {
		log_error("daemon: SIGHUP: %s is refused, all stays as it was (what is wrong is on standard error)", r->args.conf);
	} else {
		log_set_level(r->args.debug ? LOG_LEVEL_DEBUG : l.common.log_level);
		r->hooks->reload(r->core, l.values);
		unload(r->hooks, &r->now);
		r->now = l;
		log_info("daemon: %s is read again", r->args.conf);
	}
	sd_notify(0, "READY=1");
}

/* --- the end */

static void
on_all_stopped(void *arg)
{
	struct run *r = arg;

	loop_stop(r->env.loop);
}

/* The core has answered all; the answers on the control socket still have to leave. */
static void
on_core_stopped(void *arg)
{
	struct run *r = arg;

	ctl_stop(r->ctl, on_all_stopped, r);
}

static void
on_stop_timer(void *arg)
{
	log_warn("daemon: what is in flight took more than %d s: ended all the same", STOP_MS / 1000);
	on_all_stopped(arg);
}

static void
stop(void *arg)
{
	struct run *r = arg;

	if (r->stopping)
		return;
	r->stopping = true;
	log_info("daemon: stopping");
	sd_notify(0, "STOPPING=1");
	clock_timer_set(r->stop_timer, STOP_MS);
	r->hooks->stop(r->core, on_core_stopped, r);
}

static void
on_term(int signo, void *arg)
{
	struct run *r = arg;

	(void)signo;
	if (r->stopping)
		loop_stop(r->env.loop);	/* told twice */
	else
		stop(r);
}

static void
on_watchdog(void *arg)
{
	struct run *r = arg;

	sd_notify(0, "WATCHDOG=1");
	clock_timer_set(r->watchdog, r->watchdog_ms);
}

/* --- the beginning */

static enum rc
make_seams(struct run *r)
{
	const struct daemon_conf *c = &r->first.common;
	struct daemon *e = &r->env;
	enum rc rc;

	e->rnd = rnd_system();
	if ((rc = loop_new(&e->loop)) != RC_OK || (rc = clock_new(e->loop, c->clock, &e->clock)) != RC_OK ||
	    (rc = link_net_new(e->loop, e->clock, &e->net)) != RC_OK)
		return rc;
	if ((rc = store_open(c->store, r->hooks->schema, r->key, &e->store)) != RC_OK ||
	    (rc = turn_new(e->store, &e->turn)) != RC_OK ||
	    (rc = timeguard_new(e->clock, e->store, c->step_max_s, &e->guard)) != RC_OK ||
	    (rc = trace_new(r->hooks->name, c->trace_file, 0, e->clock, e->turn, &e->trace)) != RC_OK ||
	    (rc = metrics_new(r->hooks->name, &e->metrics)) != RC_OK)
		return rc;
	daemon_gauges(r);
	return RC_OK;
}

static enum rc
arm(struct run *r)
{
	uint64_t us = 0;
	enum rc rc;

	if ((rc = clock_timer_new(r->env.clock, on_stop_timer, r, &r->stop_timer)) != RC_OK ||
	    (rc = clock_timer_new(r->env.clock, on_watchdog, r, &r->watchdog)) != RC_OK ||
	    (rc = loop_on_signal(r->env.loop, SIGTERM, on_term, r)) != RC_OK ||
	    (rc = loop_on_signal(r->env.loop, SIGINT, on_term, r)) != RC_OK ||
	    (rc = loop_on_signal(r->env.loop, SIGHUP, on_hup, r)) != RC_OK)
		return rc;
	if (sd_watchdog_enabled(0, &us) > 0) {
		r->watchdog_ms = (int64_t)us / 2000;
		clock_timer_set(r->watchdog, r->watchdog_ms);
	}
	return RC_OK;
}

static enum rc
start(struct run *r)
{
	enum rc rc;

	if ((rc = make_seams(r)) != RC_OK || (rc = arm(r)) != RC_OK)
		return rc;
	if ((rc = r->hooks->start(&r->env, r->first.values, &r->core)) != RC_OK)
		return rc;
	if ((rc = daemon_listen_metrics(r)) != RC_OK || (rc = daemon_drop(&r->first.common)) != RC_OK || (rc = daemon_listen_control(r, stop)) != RC_OK)
		return rc;
	/* What start wrote (an MT_ID, a time mark) is durable before anybody hears "ready". */
	turn_end(r->env.turn);
	return turn_healthy(r->env.turn) ? RC_OK : RC_IO;
}

static void
run_turn_end(void *arg)
{
	turn_end(arg);
	log_flush();
}

static void
end(struct run *r)
{
	struct daemon *e = &r->env;

	if (e->guard != NULL && e->turn != NULL) {
		(void)!timeguard_save(e->guard);
		turn_end(e->turn);
	}
	/* The core before ctl: what it still owes on the control socket it says to ctl. */
	if (r->core != NULL)
		r->hooks->free(r->core);
	http_server_free(r->metrics_http);
	ctl_free(r->ctl);
	clock_timer_free(r->stop_timer);
	clock_timer_free(r->watchdog);
	if (e->turn != NULL)
		turn_end(e->turn);	/* what the last ones handed in */
	metrics_free(e->metrics);
	trace_free(e->trace);
	timeguard_free(e->guard);
	turn_free(e->turn);
	store_close(e->store);
	link_net_free(e->net);
	clock_free(e->clock);
	loop_free(e->loop);
	unload(r->hooks, &r->now);
	unload(r->hooks, &r->first);
	secret_free(r->key);
}

int
daemon_main(int argc, char **argv, const struct daemon_hooks *h)
{
	struct run r = { .hooks = h };
	int code = daemon_args_read(argc, argv, h, &r.args);
	enum rc rc;

	if (code >= 0)
		return code;
	log_open(h->name, LOG_LEVEL_INFO);
	daemon_harden();
	code = EXIT_CONF;
	if (load(&r, &r.first) != RC_OK || daemon_key_read(r.first.file, &r.first.common, &r.key) != RC_OK)
		goto out;
	code = EXIT_GOOD;
	if (r.args.check_only)
		goto out;
	log_set_level(r.args.debug ? LOG_LEVEL_DEBUG : r.first.common.log_level);
	if (r.first.common.clock == CLOCK_CONTROLLED)
		log_warn("THE CLOCK IS CONTROLLED: whoever may use the control socket can move it; for labs only");
	code = EXIT_START;
	if ((rc = start(&r)) != RC_OK) {
		log_error("daemon: could not start (%s)", rc_str(rc));
		goto out;
	}
	ctl_ready(r.ctl);
	daemon_say_ready(&r);
	log_gather(true);
	code = loop_run(r.env.loop, run_turn_end, r.env.turn) == RC_OK ? EXIT_GOOD : EXIT_LOOP;
	log_gather(false);
	log_info("daemon: ended");
out:
	end(&r);
	return code;
}
