/*
 * purge: deletion of what has expired.                                                                     RULES T1
 * Look-ups compare with timeguard_now() themselves and so return nothing from the moment of expiry; purge follows with slices
 * of at most PURGE_SLICE rows per turn, and truncates the WAL within a minute of a deletion.
 */
#ifndef COMMON_PURGE_H
#define COMMON_PURGE_H

#include <stdint.h>

#include "common/rc.h"

#define PURGE_SLICE 200

struct clock;
struct purge;
struct store;
struct timeguard;

struct purge_what {
	/* Delete at most max rows with expires <= now_s, in the turn's transaction; *n = how many. */
	enum rc (*slice)(void *arg, int64_t now_s, unsigned max, unsigned *n);
	/* The earliest expiry stored, INT64_MAX = none. */
	int64_t (*next)(void *arg);
	void *arg;
};

/* Begins at once. Caller frees, before what it borrows. RC_NOMEM. */
enum rc purge_new(struct clock *c, struct timeguard *g, struct store *st, const struct purge_what *w, struct purge **out) MUST_USE;
void purge_free(struct purge *p);
/* A row with this expiry was stored: purge wakes then. */
void purge_expect(struct purge *p, int64_t expires_s);
/* Rows were deleted by someone else (a key forgotten, another card): the WAL is due. */
void purge_deleted(struct purge *p);

#endif
