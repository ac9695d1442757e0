/*
 * loop: libevent's loop in the main thread, which owns core, policy and store (ARCHITECTURE 6, 7).
 * A turn = what became ready is handled, then turn_end runs once: it commits and releases the outbox (turn.h).
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>

#include "common/rc.h"

struct event_base;
struct loop;

/* Ignores SIGPIPE for the process. RC_NOMEM, RC_IO. Caller frees. */
enum rc loop_new(struct loop **out) MUST_USE;
void loop_free(struct loop *l);

/* Runs turns until loop_stop(); turn_end(arg) after each. RC_IO when the kernel's poller fails. */
enum rc loop_run(struct loop *l, void (*turn_end)(void *arg), void *arg) MUST_USE;
/* One turn without waiting, for tests; false when nothing is registered any more. */
bool loop_turn(struct loop *l, void (*turn_end)(void *arg), void *arg);
/* The present turn is the last. */
void loop_stop(struct loop *l);

/* fn(signo, arg) on the loop thread. Lives as long as the loop. */
enum rc loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg) MUST_USE;

/*
 * fn(arg) on the loop thread as long as fd has something to read, or is at its end. fd stays its owner's, who unwatches before
 * closing it; fn may do that. RC_NOMEM, RC_IO.
 */
struct loop_watch;
enum rc loop_watch(struct loop *l, int fd, void (*fn)(void *arg), void *arg, struct loop_watch **out) MUST_USE;
void loop_unwatch(struct loop_watch *w);	/* NULL is fine */
/* fn(arg) in the next turn, whatever its descriptor says; which then does not wait. Once, however often asked. */
void loop_again(struct loop_watch *w);

/* For the wires that may include libevent's headers (ARCHITECTURE 7), nobody else. */
struct event_base *loop_base(struct loop *l);

#endif
