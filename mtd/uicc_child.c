#include "mtd/uicc_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/imsi.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/span.h"
#include "mtd/card.h"
#include "mtd/card_child.h"
#include "mtd/uicc.h"

#define SETTLE_MS 10000

extern char **environ;

struct child {
	struct mt_uicc *u;
	struct loop *loop;
	const char *user;
	char image[PATH_MAX];
	int fd;				/* -1 = no card */
	pid_t pid;
	struct loop_watch *watch;
	struct clock_timer *pulled;	/* an answer is owed by a card that is gone */
	bool coming;			/* its first word is not there yet */
	bool owed;
	void (*fn)(void *arg, enum rc rc);
	void *fn_arg;
};

/* --- the process */

static enum rc
spawn(const struct child *c, int fd, pid_t *pid)
{
	char self[] = "mtd", word[] = MT_CARD_CHILD_ARG;
	char *argv[] = { self, word, (char *)(uintptr_t)c->image, (char *)(uintptr_t)c->user, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int err;

	if (posix_spawn_file_actions_init(&files) != 0)
		return RC_NOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return RC_NOMEM;
	}
	/* a group of its own: a terminal's interrupt is not for it */
	if ((err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP)) == 0 &&
	    (err = posix_spawn_file_actions_adddup2(&files, fd, MT_CARD_CHILD_FD)) == 0)
		err = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	if (err == 0)
		return RC_OK;
	log_error("card: its process cannot be started: %s", strerror(err));
	return RC_IO;
}

/* The process ends, the reader is empty. */
static void
drop(struct child *c)
{
	bool was_in = !c->coming;

	if (c->fd < 0)
		return;
	loop_unwatch(c->watch);
	c->watch = NULL;
	close(c->fd);
	c->fd = -1;
	kill(c->pid, SIGKILL);		/* what it answered is durable */
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	c->image[0] = '\0';
	c->coming = false;
	if (c->owed)
		clock_timer_set(c->pulled, 0);
	if (was_in)
		mt_uicc_card(c->u, false);
}

/* Its first word, or its end before that. */
static enum rc
arrived(struct child *c, const uint8_t *p, ssize_t n)
{
	struct iccid iccid;
	enum rc rc = RC_IO;

	if (n > 0 && p[0] != RC_OK)
		rc = (enum rc)p[0];
	else if (n > 0 && iccid_parse(span_of(p + 1, (size_t)n - 1), &iccid) == RC_OK)
		rc = RC_OK;
	if (rc != RC_OK) {
		drop(c);
		return rc;
	}
	c->coming = false;
	log_info("card: %s is in the software reader", iccid.s);
	mt_uicc_card(c->u, true);
	return RC_OK;
}

static void
on_readable(void *arg)
{
	struct child *c = arg;
	uint8_t p[MT_CARD_CHILD_PACKET_MAX];
	ssize_t n = recv(c->fd, p, sizeof p, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (c->coming) {
		void (*fn)(void *, enum rc) = c->fn;
		enum rc rc = arrived(c, p, n);

		if (fn != NULL)
			fn(c->fn_arg, rc);
	} else if (n <= 0) {
		log_error("card: its process %ld is gone", (long)c->pid);
		drop(c);
	} else if (c->owed) {
		c->owed = false;
		mt_uicc_answered(c->u, RC_OK, span_of(p, (size_t)n));
	}
	explicit_bzero(p, sizeof p);
}

static void
on_pulled(void *arg)
{
	struct child *c = arg;

	c->owed = false;
	mt_uicc_answered(c->u, RC_IO, (struct span){ NULL, 0 });
}

/* --- the reader */

static enum rc
child_transmit(void *reader, struct span apdu)
{
	struct child *c = reader;

	if (c->fd < 0 || c->owed || send(c->fd, apdu.p, apdu.n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)apdu.n)
		return RC_IO;
	c->owed = true;
	return RC_OK;
}

static void
child_free(void *reader)
{
	struct child *c = reader;

	c->owed = false;
	c->coming = true;		/* nobody is told any more */
	drop(c);
	clock_timer_free(c->pulled);
	free(c);
}

static enum rc
child_insert(void *reader, const char *image_path, void (*fn)(void *arg, enum rc rc), void *arg)
{
	struct child *c = reader;
	int pair[2];
	enum rc rc;

	if (c->fd >= 0)
		return RC_EXISTS;
	if (image_path[0] == '\0' || !span_to_str(span_str(image_path), c->image, sizeof c->image))
		return RC_RANGE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		c->image[0] = '\0';
		return RC_IO;
	}
	if ((rc = loop_watch(c->loop, pair[0], on_readable, c, &c->watch)) == RC_OK && (rc = spawn(c, pair[1], &c->pid)) == RC_OK) {
		c->fd = pair[0];
		c->coming = true;
		c->fn = fn;
		c->fn_arg = arg;
	} else {
		loop_unwatch(c->watch);
		c->watch = NULL;
		c->image[0] = '\0';
		close(pair[0]);
	}
	close(pair[1]);
	return rc;
}

static void
child_eject(void *reader)
{
	struct child *c = reader;
	void (*fn)(void *, enum rc) = c->coming ? c->fn : NULL;

	drop(c);
	if (fn != NULL)
		fn(c->fn_arg, RC_NOTFOUND);
}

static const char *
child_name(void *reader)
{
	const struct child *c = reader;

	return c->image;
}

static const struct mt_uicc_reader child_reader = { .transmit = child_transmit, .free = child_free, .kind = "software",
    .name = child_name, .insert = child_insert, .eject = child_eject };

enum rc
mt_uicc_child_new(struct loop *loop, struct clock *clock, const char *user, struct mt_uicc **out)
{
	struct child *c;
	enum rc rc = RC_NOMEM;

	if ((c = calloc(1, sizeof *c)) == NULL)
		return rc;
	c->loop = loop;
	c->user = user;
	c->fd = -1;
	if ((rc = clock_timer_new(clock, on_pulled, c, &c->pulled)) != RC_OK)
		goto out;
	if ((rc = mt_uicc_new(clock, &child_reader, c, 0, &c->u)) != RC_OK)
		goto out;
	*out = c->u;
	c = NULL;
out:
	if (c != NULL)
		child_free(c);
	return rc;
}

enum rc
mt_uicc_child_settle(struct mt_uicc *u)
{
	struct child *c = mt_uicc_reader(u);
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	uint8_t first[MT_CARD_CHILD_PACKET_MAX];
	ssize_t n = -1;

	if (!c->coming)
		return c->fd >= 0 ? RC_OK : RC_NOTFOUND;
	if (poll(&p, 1, SETTLE_MS) > 0)
		n = recv(c->fd, first, sizeof first, MSG_DONTWAIT);
	return arrived(c, first, n);
}

pid_t
mt_uicc_child_pid(const struct mt_uicc *u)
{
	const struct child *c = mt_uicc_reader(u);

	return c->pid;
}
