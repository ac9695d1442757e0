/*
 * turn: the turn's outbox; durable before answered (ARCHITECTURE 6).
 * Handlers never write to a wire. They hand the sending to turn_later(); turn_end() commits the store once, and only then runs
 * what was handed in, in order, with RC_OK — or with RC_IO when the commit failed, and the sender says 503, 5012 or busy.
 */
#ifndef COMMON_TURN_H
#define COMMON_TURN_H

#include <stdbool.h>

#include "common/rc.h"

struct store;
struct turn;

/* st may be NULL (nothing to commit). Caller frees. */
enum rc turn_new(struct store *st, struct turn **out) MUST_USE;
/* Runs nothing that is still waiting; its arg is the waiting one's loss, so drain with turn_end() first. NULL is fine. */
void turn_free(struct turn *t);

/* fn(arg, rc) once this turn is durable. Called exactly once. Out of memory ends the process: what was told is on disk. */
void turn_later(struct turn *t, void (*fn)(void *arg, enum rc rc), void *arg);
/* Commit, then run the outbox (what it adds runs too, with a further commit if it wrote). */
void turn_end(struct turn *t);
/* false from a failed commit until one has worked again: health says so. */
bool turn_healthy(const struct turn *t);

#endif
