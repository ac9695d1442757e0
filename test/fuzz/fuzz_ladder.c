/*
 * The ladder over an array of events as any daemon, or whoever wrote its trace, may send it.
 * Properties: what comes out is ordered, numbered within its scenario, and made of events that went in; the input is unchanged;
 * asked for by its id, the same run comes out; the drawing holds no control character but newlines.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/ksctl.h"
#include "ctl/ladder.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
look(const json_t *ladder, const json_t *events)
{
	const json_t *list = json_object_get(ladder, "events"), *e;
	int scenario = (int)json_integer_value(json_object_get(ladder, "scenario")), was = 0;
	const char *run = json_string_value(json_object_get(ladder, "run"));
	bool has_run = false;
	size_t i;

	must((scenario == 1 || scenario == 2) && run != NULL);
	must(json_array_size(list) >= 1 && json_array_size(list) <= json_array_size(events));
	json_array_foreach(list, i, e) {
		int step = (int)json_integer_value(json_object_get(e, "step"));
		const char *r = json_string_value(json_object_get(e, "run"));

		must(step >= 0 && step <= (scenario == 2 ? LADDER_STEPS_2 : LADDER_STEPS_1));
		must(step == 0 || step >= was);
		was = step > was ? step : was;
		must(json_integer_value(json_object_get(e, "scenario")) == scenario && ladder_time(e) >= 0);
		must(r == NULL || r[0] == '\0' || strcmp(r, run) == 0);
		has_run = has_run || (r != NULL && strcmp(r, run) == 0);
	}
	must(has_run);
}

static void
draw(const json_t *ladder)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	ksctl_show_ladder(f, ladder, false);
	fclose(f);
	for (size_t i = 0; i < n; i++)
		must((unsigned char)s[i] >= ' ' || s[i] == '\n');
	free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	json_t *events = json_loadb((const char *)p, n, JSON_REJECT_DUPLICATES, NULL), *was, *one = NULL, *two = NULL;
	enum rc rc;

	if (!json_is_array(events)) {
		json_decref(events);
		return 0;
	}
	was = json_deep_copy(events);
	rc = ladder_make(events, NULL, &one);
	must(rc == RC_OK || (rc == RC_NOTFOUND && one == NULL));
	must(json_equal(events, was));
	if (rc == RC_OK) {
		look(one, events);
		must(ladder_make(events, json_string_value(json_object_get(one, "run")), &two) == RC_OK && json_equal(one, two));
		draw(one);
	}
	json_decref(one);
	json_decref(two);
	json_decref(was);
	json_decref(events);
	return 0;
}
