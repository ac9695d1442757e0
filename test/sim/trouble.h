/*
 * trouble: what can happen to simulated hosts, at random from a seed: daemons die at any moment and come back later, links and
 * HTTP servers are cut, answers get lost, operators ask for keys. And the look into all stores afterwards.
 */
#ifndef TEST_SIM_TROUBLE_H
#define TEST_SIM_TROUBLE_H

#include "test/sim/sim.h"

struct trouble;

/*
 * operators: keys are taken back, limited and forgotten, too. streams: with sim_conf.tunnels, users come to the services. Caller
 * frees, before s.
 */
struct trouble *trouble_new(struct sim *s, uint64_t seed, bool operators, bool streams);
void trouble_free(struct trouble *t);
/* So long, in virtual time. What is broken at its end stays so. */
void trouble_run(struct trouble *t, int64_t ms);
/* All hosts run, all links work. */
void trouble_heal(struct trouble *t);
/* How many deaths there were so far. */
unsigned trouble_deaths(const struct trouble *t);

/*
 * The first offence in a store, "" = none: a row that has expired, or that no live key and no unexpired time explains. When nothing
 * is under way any more.
 */
const char *trouble_offence(struct sim *s);
/*
 * The first pair that does not agree, "" = all do: the device has one key, confirmed, the MT has the same one confirmed, and so has the
 * Key Center.
 */
const char *trouble_discord(struct sim *s);
/* With tunnels: the first pair whose key does not work, "" = all do: one tunnel on it at both ends, and an echo through it. */
const char *trouble_silence(struct sim *s);

#endif
