/* line_verb: the command line of 'ksctl line'. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/span.h"
#include "ctl/line.h"

#define DELAY_MAX_MS 10000

static volatile sig_atomic_t stopped;

static void
on_stop(int signo)
{
	(void)signo;
	stopped = 1;
}

bool
ksctl_line_is(int argc, char **argv)
{
	return argc >= 2 && strcmp(argv[1], "line") == 0;
}

static enum ksctl_exit
usage(enum ksctl_exit code)
{
	fputs("usage: ksctl line A B [--drop N] [--repeat N] [--flip N] [--delay MS] [--seed N]        N of 100,000 octets\n",
	    code == KSCTL_DONE ? stdout : stderr);
	return code;
}

struct options {
	const char *paths[2];
	struct ksctl_noise noise;
	bool seeded;
	uint64_t seed;
};

static bool
read_options(int argc, char **argv, struct options *o)
{
	uint64_t drop = 0, repeat = 0, flip = 0, delay = 0;
	struct {
		const char *name;
		uint64_t *value, max;
	} known[] = { { "--drop", &drop, 100000 }, { "--repeat", &repeat, 100000 }, { "--flip", &flip, 100000 },
		{ "--delay", &delay, DELAY_MAX_MS }, { "--seed", &o->seed, UINT32_MAX } };
	int n = 0;

	for (int i = 2; i < argc; i++) {
		size_t k = 0;

		if (argv[i][0] != '-') {
			if (n == 2 || argv[i][0] == '\0')
				return false;
			o->paths[n++] = argv[i];
			continue;
		}
		while (k < sizeof known / sizeof *known && strcmp(known[k].name, argv[i]) != 0)
			k++;
		if (k == sizeof known / sizeof *known || ++i == argc || !span_decimal(span_str(argv[i]), known[k].max, known[k].value))
			return false;
		o->seeded = o->seeded || known[k].value == &o->seed;
	}
	o->noise = (struct ksctl_noise){ (unsigned)drop, (unsigned)repeat, (unsigned)flip, (int64_t)delay };
	return n == 2 && drop + repeat + flip <= 100000;
}

enum ksctl_exit
ksctl_line(int argc, char **argv)
{
	const struct sigaction stop = { .sa_handler = on_stop };
	struct options o = { { NULL, NULL }, { 0 }, false, 0 };
	struct ksctl_line_stats s;
	struct rnd_seeded seeded;
	struct ksctl_line *l;
	enum rc rc;

	if (argc == 3 && strcmp(argv[2], "--help") == 0)
		return usage(KSCTL_DONE);
	if (!read_options(argc, argv, &o))
		return usage(KSCTL_USAGE);
	if (o.seeded)
		rnd_seeded_init(&seeded, o.seed);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	rc = ksctl_line_open(o.paths[0], o.paths[1], &o.noise, o.seeded ? &seeded.rnd : rnd_system(), &l);
	if (rc != RC_OK) {
		fprintf(stderr, "ksctl: %s, %s: %s\n", o.paths[0], o.paths[1],
		    rc == RC_EXISTS ? "there is something that is no symbolic link" : strerror(errno));
		return KSCTL_REFUSED;
	}
	printf("ready line a=%s b=%s\n", o.paths[0], o.paths[1]);
	fflush(stdout);
	/* a signal between the test and the wait is noticed a second later */
	while (!stopped)
		ksctl_line_carry(l, 1000);
	ksctl_line_get_stats(l, &s);
	ksctl_line_close(l);
	printf("line a_to_b=%ju b_to_a=%ju dropped=%ju repeated=%ju flipped=%ju\n", (uintmax_t)s.octets[0], (uintmax_t)s.octets[1],
	    (uintmax_t)s.dropped, (uintmax_t)s.repeated, (uintmax_t)s.flipped);
	return KSCTL_DONE;
}
