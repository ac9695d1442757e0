/* show: answers and failures as text, and what a failure means for the exit code. */
#include <string.h>

#include "ctl/ksctl.h"

#define COLUMNS_MAX 24
#define DEPTH_MAX 3		/* of objects in objects that are taken apart */

/* --- failures */

/* Nobody was there, or nobody could be reached on the way; the rest of "busy" is a refusal for now. */
static bool
unreachable(enum reason why)
{
	const char *code = reason_get(why)->code;

	return strncmp(code, "link-", 5) == 0 || strcmp(code, "local-gone") == 0 || strcmp(code, "local-timeout") == 0 || strcmp(code, "stopping") == 0 ||
	    strcmp(code, "http-unreachable") == 0 || strcmp(code, "http-timeout") == 0 || strcmp(code, "zn-unreachable") == 0 ||
	    strcmp(code, "zn-timeout") == 0;
}

static const char *
code_of(const struct ksctl_answer *a)
{
	const char *code = json_string_value(json_object_get(a->error, "code"));

	return code != NULL ? code : reason_get(a->why)->local;
}

/* What the Key Center said of keys: the worst counts, as everywhere. */
static enum ksctl_exit
exit_of_check(const json_t *rows)
{
	enum ksctl_exit worst = KSCTL_DONE, one;
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *said = json_string_value(json_object_get(row, "said"));

		if (said == NULL || strcmp(said, "nothing") == 0)
			one = KSCTL_UNREACHABLE;
		else if (strcmp(said, "good") == 0 || strcmp(said, "unchanged") == 0)
			one = KSCTL_DONE;
		else
			one = KSCTL_NO;
		worst = one > worst ? one : worst;
	}
	return worst;
}

enum ksctl_exit
ksctl_exit_of(const struct ksctl_answer *a, const struct ksctl_verb *v)
{
	if (a->body != NULL) {
		if (v->show == KSCTL_SHOW_HEALTH && !json_is_true(json_object_get(a->body, "healthy")))
			return KSCTL_NO;
		return v->show == KSCTL_SHOW_CHECK ? exit_of_check(json_object_get(a->body, v->list)) : KSCTL_DONE;
	}
	/* What was waited for did not come: that is an answer. That the daemon never came is none. */
	if (v->waits && a->why == REASON_LOCAL_TIMEOUT)
		return KSCTL_NO;
	if (a->error == NULL)
		return unreachable(a->why) ? KSCTL_UNREACHABLE : KSCTL_REFUSED;
	if (strcmp(code_of(a), "unknown-key") == 0)
		return KSCTL_NO;
	if (a->why == REASON_BSF_UNREACHABLE)		/* on the local interface it is a bootstrapping that failed */
		return KSCTL_UNREACHABLE;
	if (a->why == REASON_CTL_USAGE)
		return KSCTL_USAGE;
	return strcmp(code_of(a), "busy") == 0 && unreachable(a->why) ? KSCTL_UNREACHABLE : KSCTL_REFUSED;
}

static const char *
error_text(const struct ksctl_answer *a)
{
	const char *text = json_string_value(json_object_get(a->error, "text"));

	return text != NULL ? text : reason_get(a->why)->what;
}

json_t *
ksctl_error_json(const struct ksctl_answer *a)
{
	const struct reason_info *i = reason_get(a->why);
	json_t *e = json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", code_of(a), "reason", i->code, "text", error_text(a), "why", i->why,
	    "next", i->next);
	json_t *retry = json_object_get(a->error, "retry_after_s");

	if (json_is_integer(retry))
		json_object_set(e, "retry_after_s", retry);
	if (a->detail[0] != '\0')
		json_object_set_new(e, "detail", json_string(a->detail));
	return json_pack("{s:o}", "error", e);
}

void
ksctl_put_text(FILE *to, const char *s)
{
	for (; *s != '\0'; s++)
		fputc((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s, to);
}

static void
put_line(FILE *to, const char *head, const char *s)
{
	if (s[0] == '\0')
		return;
	fputs(head, to);
	ksctl_put_text(to, s);
	fputc('\n', to);
}

void
ksctl_show_error(FILE *to, const char *daemon, const struct ksctl_answer *a)
{
	const struct reason_info *i = reason_get(a->why);
	const json_t *retry = json_object_get(a->error, "retry_after_s");

	fprintf(to, "ksctl: %s: ", daemon);
	ksctl_put_text(to, error_text(a));
	fprintf(to, " (%s)\n", i->code);
	put_line(to, "  detail  ", a->detail);
	if (strcmp(error_text(a), i->what) != 0)
		put_line(to, "  what    ", i->what);
	put_line(to, "  why     ", i->why);
	put_line(to, "  next    ", i->next);
	if (json_is_integer(retry))
		fprintf(to, "  retry   in %lld s\n", (long long)json_integer_value(retry));
}

/* --- values */

/* A value in one line, into out. */
static void
flat(const json_t *v, char *out, size_t cap)
{
	size_t n = 0, i;
	const json_t *e;

	switch (json_typeof(v)) {
	case JSON_STRING:
		snprintf(out, cap, "%s", json_string_value(v));
		break;
	case JSON_INTEGER:
		snprintf(out, cap, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL:
		snprintf(out, cap, "%g", json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(out, cap, "%s", json_is_true(v) ? "yes" : "no");
		break;
	case JSON_ARRAY:
		out[0] = '\0';
		json_array_foreach(v, i, e)
			if (!json_is_object(e) && !json_is_array(e) && n + 1 < cap) {
				n += (size_t)snprintf(out + n, cap - n, "%s", i > 0 ? "," : "");
				flat(e, out + n, cap - n);
				n += strlen(out + n);
			}
		break;
	default:
		snprintf(out, cap, "-");
		break;
	}
}

static void
members(FILE *to, const json_t *o, const char *prefix, unsigned depth)
{
	char name[64], item[96], text[1024];
	const json_t *v, *e;
	const char *key;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)o, key, v) {
		snprintf(name, sizeof name, "%s%.40s", prefix, key);
		if (depth < DEPTH_MAX && json_is_object(v)) {
			snprintf(item, sizeof item, "%s.", name);
			members(to, v, item, depth + 1);
		} else if (depth < DEPTH_MAX && json_is_array(v) && json_is_object(json_array_get(v, 0))) {
			json_array_foreach(v, i, e) {
				snprintf(item, sizeof item, "%s.%zu.", name, i + 1);
				members(to, e, item, depth + 1);
			}
		} else {
			flat(v, text, sizeof text);
			fprintf(to, "%-20s ", name);
			ksctl_put_text(to, text);
			fputc('\n', to);
		}
	}
}

/* --- tables */

struct table {
	const char *columns[COLUMNS_MAX];
	size_t width[COLUMNS_MAX], n;
};

/* A table has no room to take an object apart. */
static void
flat_cell(const json_t *v, char *out, size_t cap)
{
	const char *key;
	const json_t *e;
	size_t n = 0;

	if (!json_is_object(v)) {
		flat(v, out, cap);
		return;
	}
	out[0] = '\0';
	json_object_foreach((json_t *)(uintptr_t)v, key, e)
		if (n + strlen(key) + 3 < cap) {
			n += (size_t)snprintf(out + n, cap - n, "%s%s=", n > 0 ? "," : "", key);
			flat(e, out + n, cap - n);
			n += strlen(out + n);
		}
}

static void
measure(struct table *t, const json_t *list)
{
	json_t *row, *v;
	const char *key;
	char text[512];
	size_t i, k;

	json_array_foreach((json_t *)(uintptr_t)list, i, row)
		json_object_foreach(row, key, v) {
			for (k = 0; k < t->n && strcmp(t->columns[k], key) != 0; k++)
				;
			if (k == t->n) {
				if (t->n == COLUMNS_MAX)
					continue;
				t->columns[t->n] = key;
				t->width[t->n++] = strlen(key);
			}
			flat_cell(v, text, sizeof text);
			if (strlen(text) > t->width[k])
				t->width[k] = strlen(text);
		}
}

static void
cell(FILE *to, const char *text, size_t width, bool last)
{
	ksctl_put_text(to, text);
	fprintf(to, last ? "\n" : "%*s", (int)(width - strlen(text) + 2), "");
}

static void
table(FILE *to, const json_t *list, int width)
{
	struct table t = { .n = 0 };
	size_t whole = 0, i;
	char text[512];
	json_t *row;

	measure(&t, list);
	for (size_t k = 0; k < t.n; k++)
		whole += t.width[k] + 2;
	if (width > 0 && whole > (size_t)width + 2) {
		/* Too wide for the terminal: a block each. */
		json_array_foreach((json_t *)(uintptr_t)list, i, row) {
			if (i > 0)
				fputc('\n', to);
			members(to, row, "", 0);
		}
		return;
	}
	for (size_t k = 0; k < t.n; k++)
		cell(to, t.columns[k], t.width[k], k + 1 == t.n);
	json_array_foreach((json_t *)(uintptr_t)list, i, row)
		for (size_t k = 0; k < t.n; k++) {
			const json_t *v = json_object_get(row, t.columns[k]);

			if (v != NULL)
				flat_cell(v, text, sizeof text);
			else
				snprintf(text, sizeof text, "-");
			cell(to, text, t.width[k], k + 1 == t.n);
		}
}

/* --- answers */

static const char *
text_or(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : otherwise;
}

void
ksctl_show_event(FILE *to, const json_t *e)
{
	static const char *const names[] = { "run", "btid", "naf_id", "device_id", "session_id", "kcv" };
	const json_t *dur = json_object_get(e, "dur_us");
	char line[256];

	snprintf(line, sizeof line, "%s %s %d.%lld %s -> %s %s", text_or(e, "time", "-"), text_or(e, "daemon", "-"),
	    (int)json_integer_value(json_object_get(e, "scenario")), (long long)json_integer_value(json_object_get(e, "step")),
	    text_or(e, "from", "-"), text_or(e, "to", "-"), text_or(e, "msg", "-"));
	ksctl_put_text(to, line);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (json_object_get(e, names[i]) != NULL) {
			fprintf(to, " %s=", names[i]);
			ksctl_put_text(to, text_or(e, names[i], "-"));
		}
	if (json_is_integer(dur))
		fprintf(to, " %.1fms", (double)json_integer_value(dur) / 1000);
	fputs(": ", to);
	ksctl_put_text(to, text_or(e, "result", "-"));
	fputc('\n', to);
}

static void
health(FILE *to, const json_t *body)
{
	const json_t *e;
	size_t i;

	fprintf(to, json_is_true(json_object_get(body, "healthy")) ? "healthy\n" : "NOT HEALTHY\n");
	json_array_foreach(json_object_get(body, "problems"), i, e)
		put_line(to, "  problem  ", json_is_string(e) ? json_string_value(e) : "-");
	json_array_foreach(json_object_get(body, "notes"), i, e)
		put_line(to, "  note     ", json_is_string(e) ? json_string_value(e) : "-");
}

void
ksctl_show(FILE *to, const struct ksctl_verb *v, const json_t *body, int width)
{
	const json_t *e;
	size_t i;

	switch (v->show) {
	case KSCTL_SHOW_TABLE:
	case KSCTL_SHOW_CHECK:
		table(to, json_object_get(body, v->list), width);
		break;
	case KSCTL_SHOW_HEALTH:
		health(to, body);
		break;
	case KSCTL_SHOW_TRACE:
		json_array_foreach(json_object_get(body, v->list), i, e)
			ksctl_show_event(to, e);
		break;
	case KSCTL_SHOW_MEMBERS:
		members(to, body, "", 0);
		break;
	case KSCTL_SHOW_LADDER:
	case KSCTL_SHOW_KEY:
	case KSCTL_SHOW_DONE:
		/* Nothing was asked for but that it be done; what came back besides is shown. */
		members(to, body, "", 0);
		break;
	}
}
