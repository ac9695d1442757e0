/*
 * metrics: a daemon's counters and gauges, and its health, as Prometheus text over HTTP: GET /metrics, GET /healthz.
 * Loop thread only. Names end as Prometheus asks: counters in _total, durations in _seconds.
 */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/http.h"
#include "common/rc.h"

struct metric;
struct metrics;

enum rc metrics_new(const char *daemon, struct metrics **out) MUST_USE;
void metrics_free(struct metrics *m);

/*
 * Make, or find again, the series of a name and its labels. Lives as long as m; names get "kslocal_" in front.
 *   labels   "code=\"200\"", NULL = none; the caller escapes
 * Never NULL: out of memory, or one name with two kinds, ends the process (both happen at start).
 */
struct metric *metrics_counter(struct metrics *m, const char *name, const char *labels, const char *help);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *labels, const char *help);
/* A counter of microseconds, shown in seconds. */
struct metric *metrics_seconds(struct metrics *m, const char *name, const char *labels, const char *help);
/* A gauge asked for at each rendering. */
void metrics_gauge_fn(struct metrics *m, const char *name, const char *labels, const char *help, int64_t (*fn)(void *arg), void *arg);
/* m NULL is fine everywhere below: a core may run without metrics. */
void metric_add(struct metric *m, int64_t n);
void metric_set(struct metric *m, int64_t v);
int64_t metric_get(const struct metric *m);

/* fn puts problems as strings into the array; none = healthy (ctl.h's hook). */
void metrics_set_health(struct metrics *m, void (*fn)(void *arg, json_t *problems), void *arg);
/* Text exposition format 0.0.4, NUL-terminated. RC_NOMEM. Caller frees. */
enum rc metrics_render(const struct metrics *m, char **out, size_t *n) MUST_USE;
/* http_on_request: /metrics 200; /healthz 200 "ok" or 503 with one problem a line; else 404, 405. */
void metrics_on_request(struct http_xchg *x, void *metrics);

#endif
