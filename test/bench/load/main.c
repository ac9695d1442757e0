#include "test/bench/load/load.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVERS_MAX 8

static const char usage[] =
    "usage: load [OPTION]... MODE\n"
    "  MODE   ub          whole bootstrappings, on kept connections\n"
    "         ua-full     key requests, each on a new connection with a full handshake\n"
    "         ua-resumed  the same with a resumed session\n"
    "         ua-kept     key requests on kept connections\n"
    "         life        each device's first key (bootstrapping, full handshake, key request), then one renewal (resumed)\n"
    "         provision   make the subscribers known to bsfd, and end\n"
    "  --ub ADDRESS:PORT --ub-fqdn NAME     bsfd's Ub, and its name\n"
    "  --ua ADDRESS:PORT --naf-fqdn NAME    nafkcd's Ua, and its name\n"
    "  --control unix:PATH                  bsfd's control socket, for provision and --provision\n"
    "  --ca FILE --ca-key FILE              the CA of the server's and of the devices' certificates\n"
    "  --subscribers N [64]  --devices N [64]  --connections N [64: closed loop; life: at once, at most]\n"
    "  --rate R              life: operations begun per second [100]\n"
    "  --seconds S [5]       the measured time; --warm S [1] before it is not counted\n"
    "  --count N             end after so many operations (no measured time)\n"
    "  --foreign             the server at --ua is another one: any 200 will do, no B-TID is needed\n"
    "  --provision           provision first\n"
    "  --cpu-of PID          count the CPU time of this process, too; repeatable\n"
    "Prints one JSON object. Exit 1: an operation failed.\n";

struct options {
	const char *mode, *ub, *ub_fqdn, *ua, *naf_fqdn, *control, *ca, *ca_key;
	size_t subscribers, devices, connections, count;
	double rate, seconds, warm;
	bool foreign, provision;
	pid_t servers[SERVERS_MAX];
	size_t n_servers;
};

struct job;

struct load {
	struct options o;
	struct target t;
	struct world w;
	struct hist all;
	uint64_t done, failed, resumed;
	char first_error[200];
	bool measuring, over;
	int64_t began_us, ended_us;
	double cpu[SERVERS_MAX], own_cpu;
	size_t next_sub, next_dev, started;
	size_t running;
	struct job *idle;		/* life: connections' worth of slots */
	struct event *tick;
	size_t late_max;
};

/* One operation after the other on one slot. */
struct job {
	struct load *l;
	struct job *next;
	struct peer *ub, *ua;
	struct subscriber *s;
	struct device *d;
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
	if (strcmp(l->o.mode, "ub") == 0)
		j->s->busy = false;
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

static void
closed_next(struct job *j)
{
	struct load *l = j->l;
	struct btid none = { "x@y.example" };
	const struct btid *btid = &none;

	j->due_us = now_us();
	if (strcmp(l->o.mode, "ub") == 0) {
		j->s = take_subscriber(l);
		if (j->ub == NULL)
			j->ub = peer_new(l->t.base, l->t.ub, NULL, "", NULL, false);
		ub_run(&l->t, j->ub, j->s, on_closed_done, j);
		return;
	}
	if (!l->t.foreign)
		btid = &l->w.subs[j->d->next++ % l->w.n_subs].btid;
	if (j->ua == NULL)
		j->ua = peer_new(l->t.base, l->t.ua, l->t.ctx, l->t.naf_fqdn, &j->d->who, strcmp(l->o.mode, "ua-resumed") == 0);
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
	for (size_t i = 0; i < l->o.connections; i++)
		closed_next(job_new(l, l->w.n_devs > 0 ? &l->w.devs[i % l->w.n_devs] : NULL));
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
	struct job jobs[16] = { { NULL } };

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

	printf("{\"mode\":\"%s\",\"done\":%llu,\"failed\":%llu,\"resumed\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"mean_us\":%.1f,"
	    "\"p50_us\":%lld,\"p90_us\":%lld,\"p99_us\":%lld,\"p999_us\":%lld,\"max_us\":%llu,\"at_once_max\":%zu,\"own_cpu_s\":%.3f,\"cpu_s\":[",
	    l->o.mode, (unsigned long long)l->done, (unsigned long long)l->failed, (unsigned long long)l->resumed, s,
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

static double
number(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0 && v <= 1e9))
		die("%s: expected a number", text);
	return v;
}

static void
read_options(int argc, char **argv, struct options *o)
{
	enum { UB = 256, UB_FQDN, UA, NAF_FQDN, CONTROL, CA, CA_KEY, SUBSCRIBERS, DEVICES, CONNECTIONS, RATE, SECONDS, WARM, COUNT, FOREIGN,
		PROVISION, CPU_OF };
	static const struct option opts[] = {
		{ "ub", 1, NULL, UB }, { "ub-fqdn", 1, NULL, UB_FQDN }, { "ua", 1, NULL, UA }, { "naf-fqdn", 1, NULL, NAF_FQDN },
		{ "control", 1, NULL, CONTROL }, { "ca", 1, NULL, CA }, { "ca-key", 1, NULL, CA_KEY }, { "subscribers", 1, NULL, SUBSCRIBERS },
		{ "devices", 1, NULL, DEVICES }, { "connections", 1, NULL, CONNECTIONS }, { "rate", 1, NULL, RATE },
		{ "seconds", 1, NULL, SECONDS }, { "warm", 1, NULL, WARM }, { "count", 1, NULL, COUNT }, { "foreign", 0, NULL, FOREIGN },
		{ "provision", 0, NULL, PROVISION }, { "cpu-of", 1, NULL, CPU_OF }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	int c;

	*o = (struct options){ .subscribers = 64, .devices = 64, .connections = 64, .rate = 100, .seconds = 5, .warm = 1 };
	while ((c = getopt_long(argc, argv, "h", opts, NULL)) != -1) {
		switch (c) {
		case UB: o->ub = optarg; break;
		case UB_FQDN: o->ub_fqdn = optarg; break;
		case UA: o->ua = optarg; break;
		case NAF_FQDN: o->naf_fqdn = optarg; break;
		case CONTROL: o->control = optarg; break;
		case CA: o->ca = optarg; break;
		case CA_KEY: o->ca_key = optarg; break;
		case SUBSCRIBERS: o->subscribers = (size_t)number(optarg); break;
		case DEVICES: o->devices = (size_t)number(optarg); break;
		case CONNECTIONS: o->connections = (size_t)number(optarg); break;
		case RATE: o->rate = number(optarg); break;
		case SECONDS: o->seconds = number(optarg); break;
		case WARM: o->warm = number(optarg); break;
		case COUNT: o->count = (size_t)number(optarg); break;
		case FOREIGN: o->foreign = true; break;
		case PROVISION: o->provision = true; break;
		case CPU_OF:
			if (o->n_servers == SERVERS_MAX)
				die("too many --cpu-of");
			o->servers[o->n_servers++] = (pid_t)number(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		exit(2);
	}
	o->mode = argv[optind];
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
	if (!o->foreign) {
		need(o->ub, "--ub");
		need(o->ub_fqdn, "--ub-fqdn");
	}
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
	read_options(argc, argv, &l.o);
	if ((l.t.base = event_base_new()) == NULL)
		die("out of memory");
	prepare(&l);
	if (strcmp(l.o.mode, "life") == 0) {
		life(&l);
	} else {
		closed_loop(&l);
		after(&l, l.o.warm, on_warm);
		after(&l, l.o.warm + l.o.seconds, on_time);
	}
	while (!l.over)
		event_base_loop(l.t.base, EVLOOP_ONCE);
	print(&l);
	return l.failed != 0;	/* what is still open ends with the process */
}
