#include "test/bench/load/load.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct load {
	struct options o;
	struct target t;
	struct world w;
	struct hist all;
	uint64_t done, failed, resumed;
	uint64_t ended;			/* done and failed, those before and after the measured time, too */
	char first_error[200];
	bool measuring, over;
	int64_t began_us, ended_us;
	double cpu[SERVERS_MAX], own_cpu;
	size_t next_sub, next_dev, started;
	size_t running;
	struct event *tick;
	size_t late_max;
};

/* One operation after the other on one slot. */
struct job {
	struct load *l;
	struct peer *ub, *ua;
	struct subscriber *s;
	struct device *d;
	size_t next;			/* which subscriber's B-TID it takes next */
	int64_t due_us;			/* when it should have begun */
	struct event *again;
};

_Noreturn void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("load: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- CPU time: of a server, by /proc; in seconds */

static double
cpu_of(pid_t pid)
{
	char path[64];
	unsigned long user = 0, system = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		die("no process %d", (int)pid);
	if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		die("%s has another form", path);
	fclose(f);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double
own_cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
measure_begin(struct load *l)
{
	l->measuring = true;
	l->began_us = now_us();
	l->own_cpu = own_cpu();
	for (size_t i = 0; i < l->o.n_servers; i++)
		l->cpu[i] = cpu_of(l->o.servers[i]);
}

static void
measure_end(struct load *l)
{
	l->over = true;
	l->ended_us = now_us();
	l->own_cpu = own_cpu() - l->own_cpu;
	for (size_t i = 0; i < l->o.n_servers; i++)
		l->cpu[i] = cpu_of(l->o.servers[i]) - l->cpu[i];
	event_base_loopbreak(l->t.base);
}

/* --- what an operation's end means, in every mode */

static void
count(struct load *l, const struct job *j, const char *error)
{
	l->ended++;
	if (error != NULL) {
		l->failed++;
		if (l->first_error[0] == '\0')
			(void)snprintf(l->first_error, sizeof l->first_error, "%s", error);
		return;
	}
	if (!l->measuring || l->over)
		return;
	l->done++;
	hist_add(&l->all, now_us() - j->due_us);
	if (j->ua != NULL && peer_resumed(j->ua))
		l->resumed++;
	if (l->o.count != 0 && l->done >= l->o.count)
		measure_end(l);
}

/* A subscriber that no other job has just now. */
static struct subscriber *
take_subscriber(struct load *l)
{
	for (size_t i = 0; i < l->w.n_subs; i++) {
		struct subscriber *s = &l->w.subs[l->next_sub++ % l->w.n_subs];

		if (!s->busy) {
			s->busy = true;
			return s;
		}
	}
	die("fewer subscribers than jobs");
}

/* --- closed loop: as many jobs as connections, each begins anew when it has ended */

static void closed_next(struct job *j);

static void
on_closed_done(void *arg, const char *error)
{
	struct job *j = arg;
	struct load *l = j->l;
	bool kept = strcmp(l->o.mode, "ua-kept") == 0 || strcmp(l->o.mode, "ub") == 0;

	count(l, j, error);
	if (j->s != NULL)
		j->s->busy = false;
	if (strcmp(l->o.mode, "ua-idle") == 0) {
		if (l->done + l->failed == l->o.connections)
			measure_end(l);
		return;
	}
	if (error != NULL || !kept) {
		peer_free(j->ua);
		peer_free(j->ub);
		j->ua = j->ub = NULL;
	}
	if (!l->over)
		event_active(j->again, EV_TIMEOUT, 0);	/* not inside the peer's callback */
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	closed_next(arg);
}

/* Each connection has its own, one after the other: where two came with the same one, the NAF could ask the BSF once for both. */
static const struct btid *
next_btid(struct job *j)
{
	const struct world *w = &j->l->w;
	const struct btid *b = &w->subs[j->next % w->n_subs].btid;

	j->next += j->l->o.connections;
	return b;
}

static void
closed_next(struct job *j)
{
	struct load *l = j->l;
	struct btid none = { "x@y.example" };
	const struct btid *btid = &none;

	j->due_us = now_us();
	if (strcmp(l->o.mode, "ub") == 0) {
		if (j->ub == NULL)
			j->ub = peer_new(l->t.base, l->t.ub, NULL, "", NULL, false);
		if (l->t.foreign) {
			get_run(j->ub, l->t.ub, on_closed_done, j);
			return;
		}
		j->s = take_subscriber(l);
		ub_run(&l->t, j->ub, j->s, on_closed_done, j);
		return;
	}
	if (!l->t.foreign)
		btid = next_btid(j);
	if (j->ua == NULL) {
		j->d = &l->w.devs[l->next_dev++ % l->w.n_devs];
		j->ua = peer_new(l->t.base, l->t.ua, l->t.ctx, l->t.naf_fqdn, &j->d->who, strcmp(l->o.mode, "ua-resumed") == 0);
	}
	ua_run(&l->t, j->ua, j->d, btid, on_closed_done, j);
}

static struct job *
job_new(struct load *l, struct device *d)
{
	struct job *j = calloc(1, sizeof *j);

	if (j == NULL || (j->again = event_new(l->t.base, -1, 0, on_again, j)) == NULL)
		die("out of memory");
	j->l = l;
	j->d = d;
	return j;
}

static void
closed_loop(struct load *l)
{
	for (size_t i = 0; i < l->o.connections; i++) {
		struct job *j = job_new(l, NULL);

		j->next = i;
		closed_next(j);
	}
}

/* --- each subscriber's B-TID, before key requests are measured */

static void
on_booted(void *arg, const char *error)
{
	struct job *j = arg;

	if (error != NULL)
		die("%s", error);
	event_active(j->again, EV_TIMEOUT, 0);
}

static void
on_boot_next(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = arg;
	struct load *l = j->l;

	(void)fd;
	(void)what;
	if (l->next_sub >= l->w.n_subs) {
		if (--l->running == 0)
			event_base_loopbreak(l->t.base);
		return;
	}
	ub_run(&l->t, j->ub, &l->w.subs[l->next_sub++], on_booted, j);
}

static void
boot_all(struct load *l)
{
	struct job jobs[16] = { 0 };

	for (size_t i = 0; i < 16; i++) {
		jobs[i].l = l;
		jobs[i].ub = peer_new(l->t.base, l->t.ub, NULL, "", NULL, false);
		jobs[i].again = event_new(l->t.base, -1, 0, on_boot_next, &jobs[i]);
		l->running++;
		event_active(jobs[i].again, EV_TIMEOUT, 0);
	}
	event_base_dispatch(l->t.base);
	for (size_t i = 0; i < 16; i++) {
		peer_free(jobs[i].ub);
		event_free(jobs[i].again);
	}
	l->next_sub = 0;
}

/* --- open loop: operation i begins at its time, whatever became of those before it */

static void
life_end(struct job *j, const char *error)
{
	struct load *l = j->l;

	count(l, j, error);
	peer_free(j->ua);
	peer_free(j->ub);
	j->ua = j->ub = NULL;
	j->s->busy = false;
	l->running--;
	event_free(j->again);
	free(j);
	if (l->started >= 2 * l->w.n_devs && l->running == 0 && !l->over)
		measure_end(l);
}

static void
on_life_key(void *arg, const char *error)
{
	struct job *j = arg;

	/* not inside the peer's callback */
	if (error != NULL) {
		life_end(j, error);
		return;
	}
	life_end(j, NULL);
}

static void
on_life_booted(void *arg, const char *error)
{
	struct job *j = arg;
	struct load *l = j->l;

	if (error != NULL) {
		life_end(j, error);
		return;
	}
	j->ua = peer_new(l->t.base, l->t.ua, l->t.ctx, l->t.naf_fqdn, &j->d->who, true);
	ua_run(&l->t, j->ua, j->d, &j->s->btid, on_life_key, j);
}

static void
life_begin(struct load *l, int64_t due_us)
{
	struct job *j = job_new(l, &l->w.devs[l->started % l->w.n_devs]);

	l->started++;
	l->running++;
	if (l->running > l->late_max)
		l->late_max = l->running;
	j->due_us = due_us;
	j->s = take_subscriber(l);
	j->ub = peer_new(l->t.base, l->t.ub, NULL, "", NULL, false);
	ub_run(&l->t, j->ub, j->s, on_life_booted, j);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct load *l = arg;
	int64_t now = now_us();

	(void)fd;
	(void)what;
	while (l->started < 2 * l->w.n_devs) {
		int64_t due = l->began_us + (int64_t)((double)l->started * 1e6 / l->o.rate);

		if (due > now || l->running >= l->o.connections)
			break;
		life_begin(l, due);
	}
}

static void
life(struct load *l)
{
	struct timeval every = { 0, 1000 };

	measure_begin(l);
	l->tick = event_new(l->t.base, -1, EV_PERSIST, on_tick, l);
	if (l->tick == NULL || event_add(l->tick, &every) != 0)
		die("out of memory");
}

/* --- all together */

static void
on_warm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	measure_begin(arg);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	measure_end(arg);
}

static void
after(struct load *l, double s, event_callback_fn fn)
{
	struct timeval tv = { (time_t)s, (suseconds_t)((s - (double)(time_t)s) * 1e6) };

	if (event_base_once(l->t.base, -1, EV_TIMEOUT, fn, l, &tv) != 0)
		die("out of memory");
}

static void
print(const struct load *l)
{
	double s = (double)(l->ended_us - l->began_us) / 1e6;

	printf("{\"mode\":\"%s\",\"done\":%llu,\"failed\":%llu,\"resumed\":%llu,\"ended\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"mean_us\":%.1f,"
	    "\"p50_us\":%lld,\"p90_us\":%lld,\"p99_us\":%lld,\"p999_us\":%lld,\"max_us\":%llu,\"at_once_max\":%zu,\"own_cpu_s\":%.3f,\"cpu_s\":[",
	    l->o.mode, (unsigned long long)l->done, (unsigned long long)l->failed, (unsigned long long)l->resumed,
	    (unsigned long long)l->ended, s,
	    s > 0 ? (double)l->done / s : 0, l->all.n > 0 ? (double)l->all.sum / (double)l->all.n : 0,
	    (long long)hist_quantile(&l->all, 0.5), (long long)hist_quantile(&l->all, 0.9), (long long)hist_quantile(&l->all, 0.99),
	    (long long)hist_quantile(&l->all, 0.999), (unsigned long long)l->all.max, l->late_max, l->own_cpu);
	for (size_t i = 0; i < l->o.n_servers; i++)
		printf("%s%.3f", i > 0 ? "," : "", l->cpu[i]);
	printf("]");
	if (l->first_error[0] != '\0') {
		printf(",\"error\":\"");
		for (const char *p = l->first_error; *p != '\0'; p++)
			putchar(*p >= ' ' && *p < 127 && *p != '"' && *p != '\\' ? *p : '?');
		printf("\"");
	}
	printf("}\n");
}

static void
need(const char *value, const char *option)
{
	if (value == NULL)
		die("%s is needed for this mode", option);
}

static void
prepare(struct load *l)
{
	const struct options *o = &l->o;
	bool ua = strncmp(o->mode, "ua-", 3) == 0 || strcmp(o->mode, "life") == 0;

	if (!ua && strcmp(o->mode, "ub") != 0 && strcmp(o->mode, "provision") != 0)
		die("%s: unknown mode; --help tells them", o->mode);
	world_subscribers(&l->w, o->foreign ? 0 : o->subscribers);
	if (o->provision || strcmp(o->mode, "provision") == 0) {
		need(o->control, "--control");
		world_provision(&l->w, o->control);
	}
	if (strcmp(o->mode, "provision") == 0)
		exit(0);
	if (!o->foreign || !ua)
		need(o->ub, "--ub");
	if (!o->foreign)
		need(o->ub_fqdn, "--ub-fqdn");
	if (ua) {
		need(o->ua, "--ua");
		need(o->naf_fqdn, "--naf-fqdn");
		need(o->ca, "--ca");
		need(o->ca_key, "--ca-key");
		l->t.ctx = peer_ctx(o->ca);
		world_devices(&l->w, o->devices, o->ca, o->ca_key);
	}
	l->t.ub = o->ub;
	l->t.ub_fqdn = o->ub_fqdn;
	l->t.ua = o->ua;
	l->t.naf_fqdn = o->naf_fqdn;
	l->t.foreign = o->foreign;
	if (ua && !o->foreign && strcmp(o->mode, "life") != 0)
		boot_all(l);
}

int
main(int argc, char **argv)
{
	static struct load l;

	signal(SIGPIPE, SIG_IGN);
	options_read(argc, argv, &l.o);
	if ((l.t.base = event_base_new()) == NULL)
		die("out of memory");
	prepare(&l);
	if (strcmp(l.o.mode, "life") == 0) {
		life(&l);
	} else if (strcmp(l.o.mode, "ua-idle") == 0) {
		measure_begin(&l);
		closed_loop(&l);
	} else {
		closed_loop(&l);
		after(&l, l.o.warm, on_warm);
		after(&l, l.o.warm + l.o.seconds, on_time);
	}
	while (!l.over)
		event_base_loop(l.t.base, EVLOOP_ONCE);
	print(&l);
	fflush(stdout);
	while (strcmp(l.o.mode, "ua-idle") == 0 && getchar() != EOF)
		;
	return l.failed != 0;	/* what is still open ends with the process */
}
