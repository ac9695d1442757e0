/*
 * trace: one event per step of the seed's scenarios (ARCHITECTURE 8, RULES S1). Kept in a ring, written to a file if configured,
 * to the journal with structured fields, and to subscribers of the control socket.
 */
#ifndef COMMON_TRACE_H
#define COMMON_TRACE_H

#include <jansson.h>
#include <stdint.h>

#include "common/device_id.h"
#include "common/rc.h"
#include "common/secret.h"

struct clock;
struct turn;
struct trace;

/* All text borrowed; NULL or "" = not known here. step 0 = not a numbered step. */
struct trace_event {
	const char *run;		/* run id, where this daemon knows it */
	int scenario;			/* 1 (8.3.1), 2 (8.3.2), 0 = not known here */
	int step;			/* the step's number in that scenario; where scenario is 0: scenario 1's number */
	const char *from, *to;		/* "extdevd" "mtd" "uicc" "bsfd" "nafkcd"; equal = an inner step */
	const char *msg;		/* "info", "401 challenge", "BIR", "Key Request", "derive Ks_local_MT" */
	const char *btid, *naf_id, *device_id, *session_id;
	const char *kcv;		/* key check value, never a key */
	const char *result;		/* "ok", a reason's code, a status */
	int64_t dur_us;			/* of what the step waited for; 0 = none */
};

/* daemon: the name in each event. file: JSON lines are appended to it, NULL = none. ring: events kept (default 4,096 at 0). */
enum rc trace_new(const char *daemon, const char *file, size_t ring, struct clock *clock, struct turn *turn, struct trace **out)
    MUST_USE;
void trace_free(struct trace *t);
/* Copies, stamps the time, and releases with the turn (dropped if the commit fails). Never fails the caller. */
void trace_emit(struct trace *t, const struct trace_event *e);
/* Events with a sequence number above since, oldest first, as a JSON array; each has "seq". Caller decrefs. */
json_t *trace_since(const struct trace *t, uint64_t since);
/* fn at each new event, which trace_since() has from then on; one subscriber (ctl.c fans out), NULL = none. */
void trace_subscribe(struct trace *t, void (*fn)(void *arg), void *arg);

#endif
