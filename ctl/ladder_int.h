/* ladder_int: what ladder.c (join, numbers, order) and ladder_answer.c (the object) share; nobody else's. */
#ifndef CTL_LADDER_INT_H
#define CTL_LADDER_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* An event with what the join looks at. Texts borrowed; "" = not there. */
struct ev {
	json_t *o;
	const char *daemon, *run, *btid, *device_id, *session_id;
	int64_t t, seq;
	int scenario, step;
	bool ours;
	int place;		/* step, or the step before it in time */
};

/* A run, and a B-TID that it speaks of. */
struct run {
	const char *id, *device_id;
	int64_t from, to;
};
struct pair {
	size_t run;
	const char *btid;
};

struct join {
	struct ev *v;
	struct run *runs;
	struct pair *pairs;
	size_t n, n_runs, n_pairs;
	size_t run;		/* the one that is made: index */
	int scenario;
};

/* The object of ladder_make() from events that are joined, numbered and ordered; NULL = out of memory. Caller decrefs. */
json_t *ladder_answer(const struct join *j);

#endif
