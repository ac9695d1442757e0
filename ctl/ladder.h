/*
 * ladder: the events of four daemons as one run (RULES S1). Pure: JSON in, JSON out.
 *
 * The device makes the run id and gives it to the MT; bsfd and nafkcd know the B-TID alone, and bsfd on Zn the Session-Id. So
 * run → B-TID → events: what carries the run id is the run's; what carries none is if its B-TID is one of the run's, no name in
 * it contradicts, and no other run of that B-TID is nearer in time. Steps are numbered from the device's scenario.
 */
#ifndef CTL_LADDER_H
#define CTL_LADDER_H

#include <jansson.h>
#include <stdint.h>

#include "common/rc.h"

#define LADDER_STEPS_1 18	/* 8.3.1 */
#define LADDER_STEPS_2 16	/* 8.3.2 */

/*
 * events  an array of trace events (trace.h) of any daemons, in any order; what is no such object is left out
 * run     a run id; NULL = the last one
 * out     {run, scenario, btid, naf_id, device_id, started, dur_us, result, kcv: {daemon: kcv}, keys_agree, steps, missing: [step],
 *         events: [event]} ordered by step, events numbered by that scenario. Caller decrefs.
 * RC_NOTFOUND: no such run, or none at all. RC_NOMEM.
 */
enum rc ladder_make(const json_t *events, const char *run, json_t **out) MUST_USE;
/* A step of one scenario as the other's number; 0 = it has no place there. */
int ladder_renumber(int step, int from_scenario, int to_scenario);
/* Time text of an event as microseconds since 1970; -1 = it is none. */
int64_t ladder_time(const json_t *event);

#endif
