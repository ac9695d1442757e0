#include "ctl/line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "common/span.h"

#define PIECE 4096
#define HELD_MAX (256 * 1024)	/* on its way in one direction; then the writer waits */
#define NEVER UINT64_MAX

struct piece {
	TAILQ_ENTRY(piece) all;
	int64_t due_ms;
	size_t at, n;
	uint8_t octets[2 * PIECE];	/* each of them may be repeated */
};
struct end {
	int master, slave;		/* the slave stays open, so that who opens and closes it makes no hang-up */
	char link[PATH_MAX];
	TAILQ_HEAD(pieces, piece) out;	/* for this end */
	size_t held;
};
struct ksctl_line {
	struct end ends[2];
	struct ksctl_noise noise;
	const struct rnd *rnd;
	uint64_t until_bad;		/* octets to the next accident */
	struct ksctl_line_stats stats;
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the ends */

static enum rc
place_link(struct end *e, const char *path)
{
	char target[128], fresh[PATH_MAX];
	struct stat st;

	if (ptsname_r(e->master, target, sizeof target) != 0 ||
	    (size_t)snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid()) >= sizeof fresh || strlen(path) >= sizeof e->link)
		return RC_IO;
	if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
		return RC_EXISTS;
	if (symlink(target, fresh) != 0)
		return RC_IO;
	if (rename(fresh, path) != 0) {
		unlink(fresh);
		return RC_IO;
	}
	snprintf(e->link, sizeof e->link, "%s", path);
	return RC_OK;
}

static enum rc
open_end(struct end *e, const char *path)
{
	struct termios t;

	if ((e->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) < 0 || grantpt(e->master) != 0 || unlockpt(e->master) != 0)
		return RC_IO;
	if ((e->slave = ioctl(e->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0 || tcgetattr(e->slave, &t) != 0)
		return RC_IO;
	cfmakeraw(&t);
	return tcsetattr(e->slave, TCSANOW, &t) == 0 ? place_link(e, path) : RC_IO;
}

static void
close_end(struct end *e)
{
	struct piece *p;
	char target[128], now[128];
	ssize_t n;

	while ((p = TAILQ_FIRST(&e->out)) != NULL) {
		TAILQ_REMOVE(&e->out, p, all);
		free(p);
	}
	/* ours only, if it still is */
	if (e->link[0] != '\0' && ptsname_r(e->master, target, sizeof target) == 0 && (n = readlink(e->link, now, sizeof now - 1)) > 0) {
		now[n] = '\0';
		if (strcmp(now, target) == 0)
			unlink(e->link);
	}
	if (e->slave >= 0)
		close(e->slave);
	if (e->master >= 0)
		close(e->master);
}

/* --- accidents */

/* How many octets pass until the next: as if each were drawn for. */
static uint64_t
next_accident(struct ksctl_line *l)
{
	unsigned rate = l->noise.drop + l->noise.repeat + l->noise.flip;
	uint32_t v;

	if (rate == 0)
		return NEVER;
	if (rate >= 100000 || rnd_below(l->rnd, UINT32_MAX, &v) != RC_OK)
		return 0;
	return (uint64_t)(log(((double)v + 1) / UINT32_MAX) / log1p(-(double)rate / 100000));
}

static void
accident(struct ksctl_line *l, uint8_t b, struct piece *p)
{
	const struct ksctl_noise *x = &l->noise;
	uint32_t v = 0, bit = 0;

	if (rnd_below(l->rnd, x->drop + x->repeat + x->flip, &v) != RC_OK || rnd_below(l->rnd, 8, &bit) != RC_OK || v < x->drop) {
		l->stats.dropped++;
	} else if (v < x->drop + x->repeat) {
		l->stats.repeated++;
		p->octets[p->n++] = b;
		p->octets[p->n++] = b;
	} else {
		l->stats.flipped++;
		p->octets[p->n++] = (uint8_t)(b ^ 1u << bit);
	}
	l->until_bad = next_accident(l);
}

static void
spoil(struct ksctl_line *l, const uint8_t *in, size_t n, struct piece *p)
{
	size_t run;

	while (n > 0) {
		run = l->until_bad < n ? (size_t)l->until_bad : n;
		memcpy(p->octets + p->n, in, run);
		p->n += run;
		in += run;
		n -= run;
		if (l->until_bad != NEVER)
			l->until_bad -= run;
		if (n > 0) {
			accident(l, *in++, p);
			n--;
		}
	}
}

/* --- carrying */

/* One read from an end, on its way to the other. */
static bool
take(struct ksctl_line *l, int from)
{
	struct end *to = &l->ends[!from];
	uint8_t in[PIECE];
	struct piece *p;
	ssize_t n;

	if (to->held >= HELD_MAX || (n = read(l->ends[from].master, in, sizeof in)) <= 0)
		return false;
	l->stats.octets[from] += (uint64_t)n;
	if ((p = malloc(sizeof *p)) == NULL)
		return false;		/* lost, as on any bad line */
	p->at = p->n = 0;
	p->due_ms = l->noise.delay_ms > 0 ? now_ms() + l->noise.delay_ms : 0;
	spoil(l, in, (size_t)n, p);
	to->held += p->n;
	TAILQ_INSERT_TAIL(&to->out, p, all);
	return true;
}

/* What is due, as far as the end takes it. Milliseconds until more is due; -1: nothing is on its way, or the end is full. */
static int64_t
give(struct end *e, bool *full)
{
	struct piece *p;
	int64_t wait;
	ssize_t n;

	*full = false;
	while ((p = TAILQ_FIRST(&e->out)) != NULL) {
		if (p->due_ms > 0 && (wait = p->due_ms - now_ms()) > 0)
			return wait;
		n = p->n > p->at ? write(e->master, p->octets + p->at, p->n - p->at) : 0;
		if (n < 0) {
			*full = true;
			return -1;
		}
		p->at += (size_t)n;
		e->held -= (size_t)n;
		if (p->at == p->n) {
			TAILQ_REMOVE(&e->out, p, all);
			free(p);
		}
	}
	return -1;
}

void
ksctl_line_carry(struct ksctl_line *l, int wait_ms)
{
	struct pollfd fds[2];
	int64_t due;
	bool full;

	for (int i = 0; i < 2; i++) {
		due = give(&l->ends[i], &full);
		if (due >= 0 && (wait_ms < 0 || due < wait_ms))
			wait_ms = (int)due;
		fds[i] = (struct pollfd){ .fd = l->ends[i].master,
		    .events = (short)((full ? POLLOUT : 0) | (l->ends[!i].held < HELD_MAX ? POLLIN : 0)) };
	}
	if (poll(fds, 2, wait_ms) <= 0)
		return;
	for (int i = 0; i < 2; i++) {
		if (fds[i].revents & POLLIN)
			while (take(l, i))
				(void)give(&l->ends[!i], &full);
	}
}

enum rc
ksctl_line_open(const char *a, const char *b, const struct ksctl_noise *noise, const struct rnd *rnd, struct ksctl_line **out)
{
	struct ksctl_line *l = calloc(1, sizeof *l);
	enum rc rc;

	if (l == NULL)
		return RC_NOMEM;
	l->noise = *noise;
	l->rnd = rnd;
	for (int i = 0; i < 2; i++) {
		l->ends[i].master = l->ends[i].slave = -1;
		TAILQ_INIT(&l->ends[i].out);
	}
	l->until_bad = next_accident(l);
	if ((rc = open_end(&l->ends[0], a)) == RC_OK && (rc = open_end(&l->ends[1], b)) == RC_OK) {
		*out = l;
		return RC_OK;
	}
	ksctl_line_close(l);
	return rc;
}

void
ksctl_line_get_stats(const struct ksctl_line *l, struct ksctl_line_stats *out)
{
	*out = l->stats;
}

void
ksctl_line_close(struct ksctl_line *l)
{
	int saved = errno;

	if (l == NULL)
		return;
	for (int i = 0; i < 2; i++)
		close_end(&l->ends[i]);
	free(l);
	errno = saved;
}
