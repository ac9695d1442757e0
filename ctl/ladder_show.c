/* ladder_show: a run as a ladder in the terminal: five lifelines, an arrow or a dot for each event, its words beside it. */
#include <string.h>

#include "ctl/ksctl.h"

static const struct {
	const char *name;
	int x;
} lanes[] = { { "extdevd", 3 }, { "mtd", 17 }, { "uicc", 26 }, { "bsfd", 38 }, { "nafkcd", 52 } };
#define LANES ((int)(sizeof lanes / sizeof lanes[0]))
#define WIDTH 57

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static int
lane(const char *name)
{
	int i = 0;

	while (i < LANES && strcmp(lanes[i].name, name) != 0)
		i++;
	return i < LANES ? i : -1;
}

static void
draw(char row[static WIDTH + 1], const char *from, const char *to)
{
	int a = lane(from), b = lane(to), step;

	memset(row, ' ', WIDTH);
	row[WIDTH] = '\0';
	for (int i = 0; i < LANES; i++)
		row[lanes[i].x] = '|';
	if (a < 0 || b < 0)
		return;
	if (a == b) {
		row[lanes[a].x] = 'o';
		return;
	}
	step = a < b ? 1 : -1;
	for (int x = lanes[a].x + step; x != lanes[b].x; x += step)
		row[x] = '-';
	row[lanes[b].x - step] = a < b ? '>' : '<';
}

static void
head(FILE *out, const json_t *l)
{
	int scenario = (int)json_integer_value(json_object_get(l, "scenario"));
	static const struct {
		const char *key, *name;
	} names[] = { { "btid", "B-TID" }, { "naf_id", "NAF_ID" }, { "device_id", "Device_ID" } };
	char row[WIDTH + 1];

	fputs("run ", out);
	ksctl_put_text(out, text(l, "run"));
	fprintf(out, ", scenario %d (%s), ", scenario, scenario == 2 ? "optimised procedure, seed 8.3.2" : "full procedure, seed 8.3.1");
	ksctl_put_text(out, text(l, "started"));
	fputc('\n', out);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (text(l, names[i].key)[0] != '\0') {
			fprintf(out, "  %-10s ", names[i].name);
			ksctl_put_text(out, text(l, names[i].key));
			fputc('\n', out);
		}
	memset(row, ' ', WIDTH);
	row[WIDTH] = '\0';
	for (int i = 0; i < LANES; i++) {
		int n = (int)strlen(lanes[i].name);

		memcpy(row + lanes[i].x - n / 2, lanes[i].name, (size_t)n);
	}
	fprintf(out, "\nstep %s\n", row);
}

static void
event(FILE *out, const json_t *e, bool colour)
{
	json_int_t step = json_integer_value(json_object_get(e, "step"));
	const json_t *dur = json_object_get(e, "dur_us");
	const char *result = text(e, "result");
	bool bad = result[0] != '\0' && strcmp(result, "ok") != 0;
	char row[WIDTH + 1], number[24] = "";

	draw(row, text(e, "from"), text(e, "to"));
	if (step > 0)
		snprintf(number, sizeof number, "%lld", (long long)step);
	fprintf(out, colour ? "\033[1m%4s\033[m %s " : "%4s %s ", number, row);
	ksctl_put_text(out, text(e, "msg"));
	if (bad) {
		fputs(colour ? " \033[31m[" : " [", out);
		ksctl_put_text(out, result);
		fputs(colour ? "]\033[m" : "]", out);
	}
	if (text(e, "kcv")[0] != '\0') {
		fputs(strcmp(text(e, "daemon"), "bsfd") == 0 ? "  Ks_(ext)_NAF " : "  key ", out);
		ksctl_put_text(out, text(e, "kcv"));
	}
	if (json_is_integer(dur))
		fprintf(out, "  %.1f ms", (double)json_integer_value(dur) / 1000);
	fputc('\n', out);
}

static void
keys(FILE *out, const json_t *l, bool colour)
{
	const json_t *kcv = json_object_get(l, "kcv"), *v;
	bool agree = json_is_true(json_object_get(l, "keys_agree"));
	const char *daemon;
	size_t n = 0;

	if (json_object_size(kcv) == 0)
		return;
	fputs("key check value ", out);
	json_object_foreach((json_t *)(uintptr_t)kcv, daemon, v) {
		if (!agree || n == 0)
			ksctl_put_text(out, json_string_value(v));
		fprintf(out, n == 0 || !agree ? " at " : ", ");
		ksctl_put_text(out, daemon);
		if (!agree && n + 1 < json_object_size(kcv))
			fputs(", ", out);
		n++;
	}
	if (!agree)
		fputs(colour ? ": \033[31mTHEY DIFFER\033[m" : ": THEY DIFFER", out);
	fputc('\n', out);
}

static void
foot(FILE *out, const json_t *l, bool colour)
{
	const char *result = text(l, "result");
	const struct reason_info *i = reason_get(reason_by_code(result));
	const json_t *missing = json_object_get(l, "missing"), *absent = json_object_get(l, "absent"), *e;
	size_t k;

	fprintf(out, "\nresult ");
	if (strcmp(result, "ok") == 0)
		fputs(colour ? "\033[32mok\033[m" : "ok", out);
	else
		ksctl_put_text(out, result);
	fprintf(out, " in %.1f ms\n", (double)json_integer_value(json_object_get(l, "dur_us")) / 1000);
	if (strcmp(i->code, result) == 0)
		fprintf(out, "  what  %s\n  why   %s\n  next  %s\n", i->what, i->why, i->next);
	keys(out, l, colour);
	if (json_array_size(missing) > 0) {
		fputs("steps not seen:", out);
		json_array_foreach(missing, k, e)
			fprintf(out, " %lld", (long long)json_integer_value(e));
		fputc('\n', out);
	}
	json_array_foreach(absent, k, e) {
		fputs("not reached: ", out);
		ksctl_put_text(out, json_is_string(e) ? json_string_value(e) : "-");
		fputc('\n', out);
	}
}

void
ksctl_show_ladder(FILE *out, const json_t *l, bool colour)
{
	const json_t *e;
	size_t i;

	head(out, l);
	json_array_foreach(json_object_get(l, "events"), i, e)
		event(out, e, colour);
	foot(out, l, colour);
}
