/* daemon_tell: what a daemon tells about itself: ready line, status, health, metrics, and the sockets they are asked on. */
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "common/daemon_int.h"
#include "common/http_server.h"
#include "common/link_serial.h"
#include "common/metrics.h"

static void
on_health(void *arg, json_t *problems)
{
	struct run *r = arg;
	json_t *notes = json_array();

	ctl_health(r->ctl, problems, notes);
	json_decref(notes);
}

static void
bound(const struct run *r, json_t *o)
{
	if (r->hooks->bound != NULL)
		r->hooks->bound(r->core, o);
	if (r->metrics_http != NULL)
		json_object_set_new(o, "metrics", json_string(http_server_address(r->metrics_http)));
}

/* U6: the serial lines in use, and what they suffer. */
static void
serial(const struct run *r, json_t *o)
{
	struct link_serial_status s[8];
	size_t n = link_serial_get_status(r->env.net, s, sizeof s / sizeof *s);
	json_t *a = n > 0 ? json_array() : NULL;

	for (size_t i = 0; i < n && i < sizeof s / sizeof *s; i++) {
		const struct serial_stats *t = &s[i].stats;

		(void)json_array_append_new(a, json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "device", s[i].path,
		    "open", (int)s[i].open, "channels", (json_int_t)s[i].channels, "octets_in", (json_int_t)s[i].octets_in,
		    "octets_out", (json_int_t)s[i].octets_out, "frames_in", (json_int_t)t->frames_in, "frames_out",
		    (json_int_t)t->frames_out, "retransmitted", (json_int_t)t->retransmitted, "bad", (json_int_t)t->bad,
		    "duplicates", (json_int_t)t->duplicates));
	}
	if (a != NULL)
		(void)json_object_set_new(o, "serial", a);
}

static void
on_status(void *arg, json_t *o)
{
	const struct run *r = arg;
	struct store_stats st;

	bound(r, o);
	store_get_stats(r->env.store, &st);
	json_object_set_new(o, "store", json_pack("{s:s, s:I, s:I, s:I}", "file", r->first.common.store, "commits",
	    (json_int_t)st.commits, "failed", (json_int_t)st.failed, "last_commit_us", (json_int_t)st.last_commit_us));
	serial(r, o);
	if (r->hooks->status != NULL)
		r->hooks->status(r->core, o);
}

static void
print_word(const char *key, const json_t *value)
{
	char name[192];
	const char *k;
	const json_t *v;
	size_t i;

	if (json_is_object(value))
		json_object_foreach((json_t *)(uintptr_t)value, k, v) {
			(void)snprintf(name, sizeof name, "%s.%s", key, k);
			print_word(name, v);
		}
	else if (json_is_array(value))
		json_array_foreach(value, i, v)
			print_word(key, v);
	else if (json_is_string(value))
		printf(" %s=%s", key, json_string_value(value));
}

void
daemon_say_ready(const struct run *r)
{
	json_t *o = json_object();
	const json_t *v;
	const char *key;

	bound(r, o);
	printf("ready %s", r->hooks->name);
	json_object_foreach(o, key, v)
		print_word(key, v);
	printf(" control=%s\n", ctl_address(r->ctl));
	fflush(stdout);
	json_decref(o);
	sd_notifyf(0, "READY=1\nSTATUS=ready, control socket %s", ctl_address(r->ctl));
}

static int64_t
gauge_commit_us(void *arg)
{
	struct store_stats st;

	store_get_stats(arg, &st);
	return st.last_commit_us;
}

static int64_t
gauge_commits_failed(void *arg)
{
	struct store_stats st;

	store_get_stats(arg, &st);
	return (int64_t)st.failed;
}

void
daemon_gauges(struct run *r)
{
	struct daemon *e = &r->env;

	metrics_gauge_fn(e->metrics, "store_last_commit_microseconds", NULL, "how long the last commit took", gauge_commit_us, e->store);
	metrics_gauge_fn(e->metrics, "store_commits_failed", NULL, "commits that failed since the start", gauge_commits_failed, e->store);
}

enum rc
daemon_listen_metrics(struct run *r)
{
	const struct http_server_conf conf = { .listen = r->first.common.metrics, .threads = 1, .connections = 16, .name = "metrics" };

	if (conf.listen == NULL)
		return RC_OK;
	return http_server_new(r->env.loop, r->env.clock, &conf, metrics_on_request, r->env.metrics, &r->metrics_http);
}

enum rc
daemon_listen_control(struct run *r, void (*stop)(void *run))
{
	const struct daemon *e = &r->env;
	const struct ctl_env env = {
		.net = e->net, .clock = e->clock, .guard = e->guard, .turn = e->turn, .trace = e->trace, .daemon = r->hooks->name
	};
	const struct ctl_hooks hooks = {
		.ops = r->hooks->ops, .core = r->core, .health = r->hooks->health, .status = on_status, .status_arg = r,
		.stop = stop, .stop_arg = r
	};
	enum rc rc;

	if ((rc = ctl_new(&env, r->first.common.control, &hooks, &r->ctl)) == RC_OK)
		metrics_set_health(e->metrics, on_health, r);
	return rc;
}
