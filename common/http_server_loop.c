/*
 * http_server_loop: libmicrohttpd on the loop, without threads. Its epoll set is one descriptor among the loop's.
 *
 *   on_ready()      a pass: requests are read and handed to the core; answers of the turn before are queued, then sent
 *   the turn's end  the core answers; another pass is due
 *
 * A connection whose request is with the core is not suspended: libmicrohttpd asks for the answer in every pass, which costs less than
 * taking its descriptor out of the set and in again. Only an answer that is not there in the next pass is waited for that way.
 */
#include "common/http_server_int.h"

#include "common/loop.h"

#define PER_TURN 256		/* as post's: a turn's commit is not to take for ever */
#define FLUSH_MS 1000

/* Something is to be done that no descriptor will tell of. */
static bool
more(const struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms == 0;
}

static void
on_ready(void *arg)
{
	struct http_server *s = arg;
	unsigned before;

	s->pass++;
	s->taken = 0;
	/* what came while the core was at it shares the turn's commit */
	do {
		before = s->taken;
		(void)MHD_run(s->daemon);
	} while (s->taken > before && s->taken < PER_TURN);
	if (more(s))
		(void)MHD_run(s->daemon);	/* sends what was queued */
	if (more(s))
		loop_again(s->run);
}

enum rc
http_loop_new(struct http_server *s)
{
	const union MHD_DaemonInfo *set = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	enum rc rc;

	if (set == NULL)
		return RC_IO;
	/* the first pass puts the listening socket into the set */
	if ((rc = loop_watch(s->loop, set->epoll_fd, on_ready, s, &s->run)) == RC_OK)
		loop_again(s->run);
	return rc;
}

void
http_loop_free(struct http_server *s)
{
	if (s->run == NULL)
		return;		/* workers, who look at it, may still be there */
	loop_unwatch(s->run);
	s->run = NULL;
}

bool
http_loop_full(struct http_server *s)
{
	return s->taken++ >= PER_TURN;
}

void
http_loop_flush(struct http_server *s)
{
	for (int ms = 0; ms < FLUSH_MS && atomic_load(&s->in_flight) > 0; ms += 10)
		if (MHD_run_wait(s->daemon, 10) != MHD_YES)
			break;
}
