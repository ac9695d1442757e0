#include "ctl/ladder.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/ladder_int.h"

#define NEAR_US 2000000		/* clocks of several machines may differ by this much */

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

int64_t
ladder_time(const json_t *event)
{
	const char *s = text(event, "time");
	size_t n = strlen(s);
	int64_t t, us = 0, unit = 100000;

	if (clock_parse_utc(s, n, true, &t) != RC_OK)
		return -1;
	if (n > UTC_TEXT_LEN && s[19] == '.')
		for (const char *c = s + 20; *c >= '0' && *c <= '9'; c++, unit /= 10)
			us += (*c - '0') * unit;
	return t * 1000000 + us;
}

int
ladder_renumber(int step, int from, int to)
{
	if (step < 1 || step > (from == 2 ? LADDER_STEPS_2 : LADDER_STEPS_1))
		return 0;
	/* The same steps but for 8.3.1's Ub run, 7 and 8. */
	if (from == to || step <= 6)
		return step;
	if (from == 2)
		return step + 2;
	return step <= 8 ? 0 : step - 2;
}

/* --- which events */

static bool
read_event(json_t *o, struct ev *e)
{
	*e = (struct ev){
		.o = o, .daemon = text(o, "daemon"), .run = text(o, "run"), .btid = text(o, "btid"), .device_id = text(o, "device_id"),
		.session_id = text(o, "session_id"), .t = ladder_time(o), .seq = json_integer_value(json_object_get(o, "seq")),
		.scenario = (int)json_integer_value(json_object_get(o, "scenario")), .step = (int)json_integer_value(json_object_get(o, "step"))
	};
	return e->daemon[0] != '\0' && e->t >= 0;
}

static size_t
run_index(struct join *j, const char *id)
{
	size_t k = 0;

	while (k < j->n_runs && strcmp(j->runs[k].id, id) != 0)
		k++;
	return k;
}

static void
note_run(struct join *j, const struct ev *e)
{
	size_t k = run_index(j, e->run), p = 0;
	struct run *r = &j->runs[k];

	if (k == j->n_runs) {
		*r = (struct run){ e->run, "", e->t, e->t };
		j->n_runs++;
	}
	r->from = e->t < r->from ? e->t : r->from;
	r->to = e->t > r->to ? e->t : r->to;
	if (r->device_id[0] == '\0')
		r->device_id = e->device_id;
	while (p < j->n_pairs && (j->pairs[p].run != k || strcmp(j->pairs[p].btid, e->btid) != 0))
		p++;
	if (p == j->n_pairs && e->btid[0] != '\0')
		j->pairs[j->n_pairs++] = (struct pair){ k, e->btid };
}

static enum rc
read_all(struct join *j, const json_t *events)
{
	size_t cap = json_array_size(events) + 1, i;
	json_t *o;

	if ((j->v = calloc(cap, sizeof *j->v)) == NULL || (j->runs = calloc(cap, sizeof *j->runs)) == NULL ||
	    (j->pairs = calloc(cap, sizeof *j->pairs)) == NULL)
		return RC_NOMEM;
	json_array_foreach(events, i, o)
		if (read_event(o, &j->v[j->n])) {
			if (j->v[j->n].run[0] != '\0')
				note_run(j, &j->v[j->n]);
			j->n++;
		}
	return RC_OK;
}

/* The run that something was last heard of; the device's word counts before the others'. */
static enum rc
last_run(struct join *j)
{
	const struct ev *best = NULL;

	for (size_t i = 0; i < j->n; i++) {
		const struct ev *e = &j->v[i];
		bool device = strcmp(e->daemon, "extdevd") == 0, best_device = best != NULL && strcmp(best->daemon, "extdevd") == 0;

		if (e->run[0] == '\0')
			continue;
		if (best == NULL || device > best_device || (device == best_device && e->t >= best->t))
			best = e;
	}
	if (best == NULL)
		return RC_NOTFOUND;
	j->run = run_index(j, best->run);
	return RC_OK;
}

static int64_t
distance(int64_t t, const struct run *r)
{
	return t < r->from ? r->from - t : t > r->to ? t - r->to : 0;
}

/* Its B-TID is the run's, and no other run of that B-TID (and device, if it names one) is nearer; of two as near, the later. */
static bool
nearest_is_ours(const struct join *j, const struct ev *e)
{
	const struct run *us = &j->runs[j->run];
	int64_t ours = distance(e->t, us);
	bool known = false;

	for (size_t p = 0; p < j->n_pairs; p++) {
		const struct run *r = &j->runs[j->pairs[p].run];

		if (strcmp(j->pairs[p].btid, e->btid) != 0)
			continue;
		if (r == us)
			known = true;
		else if (e->device_id[0] != '\0' && r->device_id[0] != '\0' && strcmp(r->device_id, e->device_id) != 0)
			continue;
		else if (distance(e->t, r) < ours || (distance(e->t, r) == ours && r->from > us->from))
			return false;
	}
	return known;
}

/* bsfd's side of Zn knows no device: its Session-Id must be one that nafkcd's events of this run carry, if there are any. */
static bool
other_session(const struct join *j, const struct ev *e)
{
	bool any = false;

	if (e->session_id[0] == '\0' || strcmp(e->daemon, "nafkcd") == 0)
		return false;
	for (size_t i = 0; i < j->n; i++)
		if (j->v[i].ours && strcmp(j->v[i].daemon, "nafkcd") == 0 && j->v[i].session_id[0] != '\0') {
			if (strcmp(j->v[i].session_id, e->session_id) == 0)
				return false;
			any = true;
		}
	return any;
}

static void
pick(struct join *j, bool bsfd)
{
	const struct run *us = &j->runs[j->run];

	for (size_t i = 0; i < j->n; i++) {
		struct ev *e = &j->v[i];

		if (e->ours || e->run[0] != '\0' || e->btid[0] == '\0' || (strcmp(e->daemon, "bsfd") == 0) != bsfd)
			continue;
		if (e->device_id[0] != '\0' && us->device_id[0] != '\0' && strcmp(us->device_id, e->device_id) != 0)
			continue;
		e->ours = distance(e->t, us) <= NEAR_US && nearest_is_ours(j, e) && !other_session(j, e);
	}
}

/* --- numbers and order */

static int
scenario_of(const struct join *j)
{
	int other = 0;

	for (size_t i = 0; i < j->n; i++) {
		const struct ev *e = &j->v[i];

		if (!e->ours || e->scenario < 1 || e->scenario > 2)
			continue;
		if (strcmp(e->daemon, "extdevd") == 0)
			return e->scenario;
		other = e->scenario;
	}
	return other != 0 ? other : 1;
}

static int
daemon_order(const char *name)
{
	static const char *const names[] = { "extdevd", "mtd", "bsfd", "nafkcd" };
	int i = 0;

	while (i < 4 && strcmp(names[i], name) != 0)
		i++;
	return i;
}

static int
by_time(const void *a, const void *b)
{
	const struct ev *x = a, *y = b;
	int d = daemon_order(x->daemon) - daemon_order(y->daemon);

	if (x->t != y->t)
		return x->t < y->t ? -1 : 1;
	if (d != 0)
		return d;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int
by_place(const void *a, const void *b)
{
	const struct ev *x = a, *y = b;

	return x->place != y->place ? (x->place < y->place ? -1 : 1) : by_time(a, b);
}

/* What has no number stands behind the step that came before it. */
static void
order(struct join *j)
{
	int last = 0;

	qsort(j->v, j->n, sizeof *j->v, by_time);
	for (size_t i = 0; i < j->n; i++) {
		struct ev *e = &j->v[i];

		e->step = ladder_renumber(e->step, e->scenario == 2 ? 2 : 1, j->scenario);
		if (e->step > last)
			last = e->step;
		e->place = e->step != 0 ? e->step : last;
	}
	qsort(j->v, j->n, sizeof *j->v, by_place);
}

static void
keep_ours(struct join *j)
{
	size_t n = 0;

	for (size_t i = 0; i < j->n; i++)
		if (j->v[i].ours)
			j->v[n++] = j->v[i];
	j->n = n;
}

enum rc
ladder_make(const json_t *events, const char *run, json_t **out)
{
	struct join j = { 0 };
	enum rc rc;

	if ((rc = read_all(&j, events)) != RC_OK)
		goto out;
	if (run == NULL && (rc = last_run(&j)) != RC_OK)
		goto out;
	rc = RC_NOTFOUND;
	if (run != NULL && (j.run = run_index(&j, run)) == j.n_runs)
		goto out;
	for (size_t i = 0; i < j.n; i++)
		j.v[i].ours = strcmp(j.v[i].run, j.runs[j.run].id) == 0;
	pick(&j, false);
	pick(&j, true);			/* last: its Session-Ids are nafkcd's */
	j.scenario = scenario_of(&j);
	keep_ours(&j);
	order(&j);
	rc = (*out = ladder_answer(&j)) != NULL ? RC_OK : RC_NOMEM;
out:
	free(j.v);
	free(j.runs);
	free(j.pairs);
	return rc;
}
