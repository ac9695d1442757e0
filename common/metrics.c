#include "common/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/log.h"

enum kind { COUNTER, GAUGE, SECONDS };

/* One series. Those of one name stand together, in the order of making. */
struct metric {
	struct family *family;
	char *labels;			/* NULL = none */
	int64_t value;
	int64_t (*fn)(void *arg);	/* a gauge that is asked for */
	void *arg;
	STAILQ_ENTRY(metric) next;
};

struct family {
	char *name, *help;
	enum kind kind;
	STAILQ_HEAD(, metric) series;
	STAILQ_ENTRY(family) next;
};

struct metrics {
	char *daemon;
	STAILQ_HEAD(, family) families;
	void (*health)(void *arg, json_t *problems);
	void *health_arg;
};

enum rc
metrics_new(const char *daemon, struct metrics **out)
{
	struct metrics *m = calloc(1, sizeof *m);

	if (m == NULL || (m->daemon = strdup(daemon)) == NULL) {
		free(m);
		return RC_NOMEM;
	}
	STAILQ_INIT(&m->families);
	*out = m;
	return RC_OK;
}

void
metrics_free(struct metrics *m)
{
	struct family *f;
	struct metric *s;

	if (m == NULL)
		return;
	while ((f = STAILQ_FIRST(&m->families)) != NULL) {
		STAILQ_REMOVE_HEAD(&m->families, next);
		while ((s = STAILQ_FIRST(&f->series)) != NULL) {
			STAILQ_REMOVE_HEAD(&f->series, next);
			free(s->labels);
			free(s);
		}
		free(f->name);
		free(f->help);
		free(f);
	}
	free(m->daemon);
	free(m);
}

/* --- making */

static void *
must(void *p)
{
	if (p == NULL)
		log_fatal("metrics: out of memory");
	return p;
}

static struct family *
family_get(struct metrics *m, enum kind kind, const char *name, const char *help)
{
	struct family *f;

	STAILQ_FOREACH(f, &m->families, next)
		if (strcmp(f->name, name) == 0) {
			if (f->kind != kind)
				log_fatal("metrics: %s is of two kinds", name);
			return f;
		}
	f = must(calloc(1, sizeof *f));
	f->name = must(strdup(name));
	f->help = must(strdup(help));
	f->kind = kind;
	STAILQ_INIT(&f->series);
	STAILQ_INSERT_TAIL(&m->families, f, next);
	return f;
}

static bool
labels_eq(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct metric *
series_get(struct metrics *m, enum kind kind, const char *name, const char *labels, const char *help)
{
	struct family *f;
	struct metric *s;

	if (m == NULL)
		return NULL;
	f = family_get(m, kind, name, help);
	STAILQ_FOREACH(s, &f->series, next)
		if (labels_eq(s->labels, labels))
			return s;
	s = must(calloc(1, sizeof *s));
	s->family = f;
	s->labels = labels != NULL ? must(strdup(labels)) : NULL;
	STAILQ_INSERT_TAIL(&f->series, s, next);
	return s;
}

struct metric *
metrics_counter(struct metrics *m, const char *name, const char *labels, const char *help)
{
	return series_get(m, COUNTER, name, labels, help);
}

struct metric *
metrics_gauge(struct metrics *m, const char *name, const char *labels, const char *help)
{
	return series_get(m, GAUGE, name, labels, help);
}

struct metric *
metrics_seconds(struct metrics *m, const char *name, const char *labels, const char *help)
{
	return series_get(m, SECONDS, name, labels, help);
}

void
metrics_gauge_fn(struct metrics *m, const char *name, const char *labels, const char *help, int64_t (*fn)(void *arg), void *arg)
{
	struct metric *s = series_get(m, GAUGE, name, labels, help);

	if (s == NULL)
		return;
	s->fn = fn;
	s->arg = arg;
}

void
metric_add(struct metric *m, int64_t n)
{
	if (m != NULL)
		m->value += n;
}

void
metric_set(struct metric *m, int64_t v)
{
	if (m != NULL)
		m->value = v;
}

int64_t
metric_get(const struct metric *m)
{
	if (m == NULL)
		return 0;
	return m->fn != NULL ? m->fn(m->arg) : m->value;
}

void
metrics_set_health(struct metrics *m, void (*fn)(void *arg, json_t *problems), void *arg)
{
	m->health = fn;
	m->health_arg = arg;
}

/* --- showing */

/* NULL = out of memory. Caller decrefs. */
static json_t *
problems_get(const struct metrics *m)
{
	json_t *a = json_array();

	if (a != NULL && m->health != NULL)
		m->health(m->health_arg, a);
	return a;
}

static void
print_series(FILE *f, const struct metric *s)
{
	int64_t v = metric_get(s);

	fprintf(f, "kslocal_%s", s->family->name);
	if (s->labels != NULL)
		fprintf(f, "{%s}", s->labels);
	if (s->family->kind == SECONDS)
		fprintf(f, " %s%lld.%06lld\n", v < 0 ? "-" : "", llabs((long long)v / 1000000), llabs((long long)v % 1000000));
	else
		fprintf(f, " %lld\n", (long long)v);
}

static void
print_all(FILE *out, const struct metrics *m)
{
	struct family *f;
	struct metric *s;
	json_t *problems = problems_get(m);

	STAILQ_FOREACH(f, &m->families, next) {
		fprintf(out, "# HELP kslocal_%s %s\n# TYPE kslocal_%s %s\n", f->name, f->help, f->name, f->kind == GAUGE ? "gauge" : "counter");
		STAILQ_FOREACH(s, &f->series, next)
			print_series(out, s);
	}
	fprintf(out, "# HELP kslocal_healthy 1 when health names no problem\n# TYPE kslocal_healthy gauge\n"
	    "kslocal_healthy{daemon=\"%s\"} %d\n", m->daemon, problems != NULL && json_array_size(problems) == 0);
	json_decref(problems);
}

enum rc
metrics_render(const struct metrics *m, char **out, size_t *n)
{
	char *buf = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buf, &len);
	bool bad;

	if (f == NULL)
		return RC_NOMEM;
	print_all(f, m);
	bad = ferror(f) != 0;
	if (fclose(f) != 0 || bad) {
		free(buf);
		return RC_NOMEM;
	}
	*out = buf;
	*n = len;
	return RC_OK;
}

static void
answer(struct http_xchg *x, int status, const char *type, struct span body)
{
	const struct http_header h[] = { { "Content-Type", type }, { "Cache-Control", "no-store" }, { "Allow", "GET, HEAD" } };

	http_answer(x, status, h, status == 405 ? 3 : 2, body, false);
}

static void
answer_health(struct http_xchg *x, const struct metrics *m)
{
	json_t *problems = problems_get(m), *p;
	char text[4096] = "ok\n";
	size_t n = strlen(text), i;

	if (problems == NULL || json_array_size(problems) > 0)
		n = 0;
	json_array_foreach(problems, i, p)
		if (n < sizeof text)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", json_string_value(p));
	if (n >= sizeof text)
		n = sizeof text - 1;
	answer(x, problems != NULL && json_array_size(problems) == 0 ? 200 : 503, "text/plain; charset=utf-8", span_of(text, n));
	json_decref(problems);
}

/* Nothing here tells of a change that is not durable yet, so nothing waits for the turn's end. */
void
metrics_on_request(struct http_xchg *x, void *metrics)
{
	const struct metrics *m = metrics;
	const struct http_request *r = x->req;
	bool get = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
	char *text = NULL;
	size_t n;

	if (strcmp(r->path, "/metrics") != 0 && strcmp(r->path, "/healthz") != 0) {
		answer(x, 404, "text/plain", span_str("not found: /metrics, /healthz\n"));
	} else if (!get) {
		answer(x, 405, "text/plain", span_str("GET it\n"));
	} else if (strcmp(r->path, "/healthz") == 0) {
		answer_health(x, m);
	} else if (metrics_render(m, &text, &n) != RC_OK) {
		answer(x, 503, "text/plain", span_str("out of memory\n"));
	} else {
		answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", span_of(text, n));
		free(text);
	}
}
