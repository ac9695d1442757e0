/* metrics: Prometheus text, health, and the little HTTP in front of them. */
#include "common/metrics.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>

#include "test/unit/unit.h"

static struct metrics *m;
static char *text;
static size_t n;
static bool sick;

static void
health(void *arg, json_t *problems)
{
	ck_assert_ptr_eq(arg, &sick);
	if (sick) {
		json_array_append_new(problems, json_string("disk full"));
		json_array_append_new(problems, json_string("clock-jumped"));
	}
}

static void
setup(void)
{
	sick = false;
	text = NULL;
	ck_ok(metrics_new("bsfd", &m));
}

static void
teardown(void)
{
	free(text);
	metrics_free(m);
}

static int64_t
ask(void *arg)
{
	return *(int *)arg;
}

START_TEST(text_format)
{
	int depth = 7;
	struct metric *a = metrics_counter(m, "requests_total", "code=\"200\"", "requests answered"), *b, *c;

	metric_add(a, 2);
	b = metrics_gauge(m, "peers", NULL, "peers connected");
	metric_set(b, -1);
	c = metrics_seconds(m, "waited_seconds", NULL, "time waited");
	metric_add(c, 1500000);
	metric_add(metrics_counter(m, "requests_total", "code=\"503\"", "ignored, the first counts"), 1);
	metrics_gauge_fn(m, "depth", NULL, "asked for", ask, &depth);
	metric_add(metrics_counter(m, "requests_total", "code=\"200\"", ""), 3);	/* the same series */
	depth = 9;
	ck_ok(metrics_render(m, &text, &n));
	ck_assert_str_eq(text,
	    "# HELP kslocal_requests_total requests answered\n# TYPE kslocal_requests_total counter\n"
	    "kslocal_requests_total{code=\"200\"} 5\nkslocal_requests_total{code=\"503\"} 1\n"
	    "# HELP kslocal_peers peers connected\n# TYPE kslocal_peers gauge\nkslocal_peers -1\n"
	    "# HELP kslocal_waited_seconds time waited\n# TYPE kslocal_waited_seconds counter\nkslocal_waited_seconds 1.500000\n"
	    "# HELP kslocal_depth asked for\n# TYPE kslocal_depth gauge\nkslocal_depth 9\n"
	    "# HELP kslocal_healthy 1 when health names no problem\n# TYPE kslocal_healthy gauge\nkslocal_healthy{daemon=\"bsfd\"} 1\n");
	ck_assert_uint_eq(n, strlen(text));
	ck_assert_int_eq(metric_get(a), 5);
}
END_TEST

START_TEST(without_metrics)
{
	struct metric *a = metrics_counter(NULL, "x_total", NULL, "x");

	ck_assert_ptr_null(a);
	metric_add(a, 1);
	metric_set(a, 1);
	ck_assert_int_eq(metric_get(a), 0);
	metrics_gauge_fn(NULL, "y", NULL, "y", ask, NULL);
	metrics_free(NULL);
}
END_TEST

START_TEST(two_kinds_of_one_name)
{
	metrics_counter(m, "x", NULL, "x");
	metrics_gauge(m, "x", NULL, "x");
}
END_TEST

/* --- over HTTP */

struct xchg {
	struct http_xchg x;
	int status, answers;
	char type[128], allow[32], body[8192];
};

static void
on_answer(struct http_xchg *x, int status, const struct http_header *h, size_t headers, struct span body, bool close)
{
	struct xchg *g = (struct xchg *)x;

	(void)close;
	g->status = status;
	g->answers++;
	for (size_t i = 0; i < headers; i++) {
		if (strcmp(h[i].name, "Content-Type") == 0)
			snprintf(g->type, sizeof g->type, "%s", h[i].value);
		if (strcmp(h[i].name, "Allow") == 0)
			snprintf(g->allow, sizeof g->allow, "%s", h[i].value);
	}
	ck_assert(span_to_str(body, g->body, sizeof g->body));
}

static struct xchg
request(const char *method, const char *path)
{
	const struct http_peer peer = { .address = "127.0.0.1:1" };
	const struct http_request r = { .method = method, .path = path, .peer = &peer };
	struct xchg g = { .x = { &r, on_answer } };

	metrics_set_health(m, health, &sick);
	metrics_on_request(&g.x, m);
	ck_assert_int_eq(g.answers, 1);
	return g;
}

START_TEST(over_http)
{
	struct xchg g = request("GET", "/metrics");

	ck_assert_int_eq(g.status, 200);
	ck_assert_str_eq(g.type, "text/plain; version=0.0.4; charset=utf-8");
	ck_assert_ptr_nonnull(strstr(g.body, "kslocal_healthy{daemon=\"bsfd\"} 1"));
	g = request("GET", "/healthz");
	ck_assert_int_eq(g.status, 200);
	ck_assert_str_eq(g.body, "ok\n");
	sick = true;
	g = request("GET", "/healthz");
	ck_assert_int_eq(g.status, 503);
	ck_assert_str_eq(g.body, "disk full\nclock-jumped\n");
	g = request("HEAD", "/metrics");
	ck_assert_int_eq(g.status, 200);
	ck_assert_ptr_nonnull(strstr(g.body, "kslocal_healthy{daemon=\"bsfd\"} 0"));
	g = request("POST", "/metrics");
	ck_assert_int_eq(g.status, 405);
	ck_assert_str_eq(g.allow, "GET, HEAD");
	g = request("DELETE", "/healthz");
	ck_assert_int_eq(g.status, 405);
	g = request("GET", "/");
	ck_assert_int_eq(g.status, 404);
	ck_assert_str_eq(g.allow, "");
	g = request("GET", "/metrics/");
	ck_assert_int_eq(g.status, 404);
}
END_TEST

static void
very_sick(void *arg, json_t *problems)
{
	(void)arg;
	for (int i = 0; i < 500; i++)
		json_array_append_new(problems, json_string("a problem like many others, told at length"));
}

START_TEST(many_problems_are_cut)
{
	const struct http_request r = { .method = "GET", .path = "/healthz" };
	struct xchg g = { .x = { &r, on_answer } };

	metrics_set_health(m, very_sick, NULL);
	metrics_on_request(&g.x, m);
	ck_assert_int_eq(g.status, 503);
	ck_assert_uint_eq(strlen(g.body), 4095);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("metrics");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, text_format);
	tcase_add_test(t, without_metrics);
	tcase_add_test_raise_signal(t, two_kinds_of_one_name, SIGABRT);
	tcase_add_test(t, over_http);
	tcase_add_test(t, many_problems_are_cut);
	suite_add_tcase(s, t);
	return unit_run(s);
}
