/* ladder_answer: a run's events, joined and ordered, as the object that ksctl prints. */
#include <string.h>

#include "ctl/ladder.h"
#include "ctl/ladder_int.h"

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* The last event that has one: names may change within a run (a new B-TID replaces the old one). */
static void
put_last(json_t *out, const struct join *j, const char *key)
{
	for (size_t i = j->n; i-- > 0; ) {
		json_t *v = json_object_get(j->v[i].o, key);

		if (json_is_string(v)) {
			json_object_set(out, key, v);
			return;
		}
	}
}

/* Ks_local_MT has three holders; what the BSF tells at step 14 is the check value of Ks_(ext)_NAF. */
static bool
is_holder(const char *daemon)
{
	return strcmp(daemon, "bsfd") != 0;
}

static void
put_keys(json_t *out, const struct join *j)
{
	json_t *keys = json_object(), *v;
	const char *first = NULL, *daemon;
	bool agree = true;

	for (size_t i = 0; i < j->n; i++)
		if (is_holder(j->v[i].daemon) && (v = json_object_get(j->v[i].o, "kcv")) != NULL && json_is_string(v))
			json_object_set(keys, j->v[i].daemon, v);
	json_object_foreach(keys, daemon, v) {
		if (first == NULL)
			first = json_string_value(v);
		agree = agree && strcmp(first, json_string_value(v)) == 0;
	}
	json_object_set_new(out, "keys_agree", json_boolean(agree && json_object_size(keys) > 0));
	json_object_set_new(out, "kcv", keys);
}

static void
put_result(json_t *out, const struct join *j)
{
	const char *result = "ok";

	for (size_t i = 0; i < j->n; i++) {
		const char *r = text(j->v[i].o, "result");

		if (strcmp(j->v[i].daemon, "extdevd") == 0 && r[0] != '\0')
			result = r;
	}
	json_object_set_new(out, "result", json_string(result));
}

static void
put_steps(json_t *out, const struct join *j)
{
	int steps = j->scenario == 2 ? LADDER_STEPS_2 : LADDER_STEPS_1;
	json_t *missing = json_array();

	for (int s = 1; s <= steps; s++) {
		bool there = false;

		for (size_t i = 0; i < j->n; i++)
			there = there || j->v[i].step == s;
		if (!there)
			json_array_append_new(missing, json_integer(s));
	}
	json_object_set_new(out, "steps", json_integer(steps));
	json_object_set_new(out, "missing", missing);
}

json_t *
ladder_answer(const struct join *j)
{
	json_t *out = json_object(), *list = json_array(), *o;
	int64_t from = INT64_MAX, to = INT64_MIN;
	const char *started = "";

	if (out == NULL || list == NULL) {
		json_decref(out);
		json_decref(list);
		return NULL;
	}
	json_object_set_new(out, "run", json_string(j->runs[j->run].id));
	json_object_set_new(out, "scenario", json_integer(j->scenario));
	put_last(out, j, "btid");
	put_last(out, j, "naf_id");
	put_last(out, j, "device_id");
	for (size_t i = 0; i < j->n; i++) {
		const struct ev *e = &j->v[i];

		if (e->t < from) {
			from = e->t;
			started = text(e->o, "time");
		}
		to = e->t > to ? e->t : to;
		if ((o = json_copy(e->o)) == NULL)
			continue;
		json_object_set_new(o, "scenario", json_integer(j->scenario));
		json_object_set_new(o, "step", json_integer(e->step));
		json_array_append_new(list, o);
	}
	json_object_set_new(out, "started", json_string(started));
	json_object_set_new(out, "dur_us", json_integer(to - from));
	put_result(out, j);
	put_keys(out, j);
	put_steps(out, j);
	json_object_set_new(out, "events", list);
	return out;
}
