/* rpc: requests, answers, progress and time-outs between two ends on the in-memory network and the virtual clock. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/rpc.h"
#include "common/rpc_line.h"

static struct clock *clk;
static struct link_net *net;
static struct link_listener *ll;

/* One end under test (r) and one that is a bare link (raw), or two conversations. */
struct end {
	struct rpc *r;
	struct rpc_req *held[80];
	size_t n_held;
	int requests, closed;
	char op[64];
	json_t *body;
	enum reason why;
	enum { ANSWER, HOLD, FREE, CLOSE } mode;
};
static struct end dev, mt;
static struct link *raw;
static char got[1 << 16];
static int raw_closed;

struct answer {
	int n, progress;
	enum reason why;
	json_t *body, *error;
	char word[32];
	int64_t wait_s;
	struct rpc *free_it;
};
static struct answer ans;

static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	struct end *e = arg;

	e->requests++;
	snprintf(e->op, sizeof e->op, "%s", op);
	json_decref(e->body);
	e->body = json_deep_copy(body);
	ck_assert_ptr_eq(rpc_req_rpc(q), e->r);
	if (e->mode == ANSWER)
		rpc_ok(q, json_pack("{s:s, s:i}", "echo", op, "id", 999));
	else
		e->held[e->n_held++] = q;
	if (e->mode == FREE) {
		rpc_free(e->r);
		e->r = NULL;
	}
	if (e->mode == CLOSE)
		rpc_close(e->r);
}

static void
on_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	struct end *e = arg;

	ck_assert_ptr_eq(r, e->r);
	ck_assert_ptr_nonnull(detail);
	e->closed++;
	e->why = why;
	rpc_free(r);
	e->r = NULL;
}

static const struct rpc_cb cb = { on_request, on_closed };
static const struct rpc_cb *mt_cb;
static struct rpc_options mt_opt;

static void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct answer *a = arg;

	a->n++;
	a->why = why;
	json_decref(a->body);
	json_decref(a->error);
	a->body = json_deep_copy(body);
	a->error = json_deep_copy(error);
	if (a->free_it != NULL) {
		rpc_free(a->free_it);
		a->free_it = NULL;
		dev.r = NULL;
	}
}

static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	struct answer *a = arg;

	a->progress++;
	snprintf(a->word, sizeof a->word, "%s", word);
	a->wait_s = wait_s;
}

static void
on_accept(struct link *l, void *arg)
{
	(void)arg;
	ck_assert_int_eq(rpc_new(l, clk, &mt_opt, mt_cb, &mt, &mt.r), RC_OK);
}

static void
raw_data(struct link *l, void *arg)
{
	struct span in = link_input(l);
	size_t n = strlen(got);

	(void)arg;
	ck_assert_uint_lt(n + in.n, sizeof got);
	memcpy(got + n, in.p, in.n);
	got[n + in.n] = '\0';
	link_drain(l, in.n);
}

static void
raw_end(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)l, (void)why, (void)detail, (void)arg;
	raw_closed++;
}

static void
turn(void)
{
	do
		clock_advance(clk, 0);
	while (link_mem_run(net) > 0);
}

static void
setup(void)
{
	memset(&dev, 0, sizeof dev);
	memset(&mt, 0, sizeof mt);
	memset(&ans, 0, sizeof ans);
	memset(&mt_opt, 0, sizeof mt_opt);
	mt_cb = &cb;
	got[0] = '\0';
	raw_closed = 0;
	raw = NULL;
	ck_assert_int_eq(clock_new_virtual(1000000, &clk), RC_OK);
	ck_assert_int_eq(link_mem_new(clk, &net), RC_OK);
	ck_assert_int_eq(link_listen(net, "mem:mt", NULL, on_accept, NULL, &ll), RC_OK);
}

static void
teardown(void)
{
	rpc_free(dev.r);
	rpc_free(mt.r);
	for (size_t i = 0; i < mt.n_held; i++)
		rpc_ok(mt.held[i], NULL);	/* its conversation is gone: frees it */
	json_decref(dev.body);
	json_decref(mt.body);
	json_decref(ans.body);
	json_decref(ans.error);
	link_free(raw);
	link_listener_free(ll);
	link_mem_free(net);
	clock_free(clk);
}

/* Two conversations. */
static void
pair(void)
{
	struct link *l;

	ck_assert_int_eq(link_connect(net, "mem:mt", NULL, NULL, NULL, &l), RC_OK);
	turn();
	ck_assert_int_eq(rpc_new(l, clk, NULL, &cb, &dev, &dev.r), RC_OK);
	ck_assert_ptr_eq(rpc_link(dev.r), l);
}

/* A conversation at mt, bare octets at this end. */
static void
bare(void)
{
	static const struct link_cb raw_cb = { .on_data = raw_data, .on_closed = raw_end };

	ck_assert_int_eq(link_connect(net, "mem:mt", NULL, &raw_cb, NULL, &raw), RC_OK);
	turn();
}

static void
say(const char *text)
{
	ck_assert_int_eq(link_write(raw, span_str(text)), RC_OK);
	turn();
}

static json_t *
ask_body(void)
{
	return json_pack("{s:s, s:s, s:i}", "run", "0123", "op", "not this", "id", 77);
}

static void
ask(const char *op)
{
	json_t *b = ask_body();
	int n = ans.n;

	ck_assert_int_eq(rpc_ask(dev.r, op, b, on_answer, on_progress, &ans), RC_OK);
	ck_assert_int_eq(ans.n, n);	/* never inside the call */
	json_decref(b);
}

START_TEST(question_and_answer)
{
	pair();
	ask("info");
	turn();
	ck_assert_str_eq(mt.op, "info");
	ck_assert_str_eq(json_string_value(json_object_get(mt.body, "run")), "0123");
	ck_assert_int_eq(json_integer_value(json_object_get(mt.body, "id")), 1);
	ck_assert_int_eq(ans.n, 1);
	ck_assert_int_eq(ans.why, REASON_NONE);
	ck_assert_str_eq(json_string_value(json_object_get(ans.body, "echo")), "info");
	ck_assert_int_eq(json_integer_value(json_object_get(ans.body, "id")), 1);
}
END_TEST

START_TEST(octet_by_octet)
{
	pair();
	link_mem_set_chunk(net, 1);
	ask("info");
	turn();
	ck_assert_int_eq(ans.n, 1);
	ck_assert_int_eq(ans.why, REASON_NONE);
}
END_TEST

START_TEST(both_sides_ask_with_the_same_ids)
{
	pair();
	ck_assert_int_eq(rpc_ask(mt.r, "renew", NULL, on_answer, NULL, &ans), RC_OK);
	turn();
	ck_assert_str_eq(dev.op, "renew");
	ck_assert_int_eq(ans.n, 1);
	ask("info");
	turn();
	ck_assert_int_eq(ans.n, 2);
	ck_assert_int_eq(json_integer_value(json_object_get(dev.body, "id")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(mt.body, "id")), 1);
}
END_TEST

START_TEST(errors_carry_code_reason_and_wait)
{
	pair();
	mt.mode = HOLD;
	ask("derive");
	turn();
	rpc_fail(mt.held[0], REASON_OVERLOAD, 7, "come back, %s", "please");
	mt.n_held = 0;
	turn();
	ck_assert_int_eq(ans.why, REASON_OVERLOAD);
	ck_assert_str_eq(json_string_value(json_object_get(ans.error, "code")), "busy");
	ck_assert_str_eq(json_string_value(json_object_get(ans.error, "text")), "come back, please");
	ck_assert_str_eq(json_string_value(json_object_get(ans.error, "reason")), "overload");
	ck_assert_int_eq(json_integer_value(json_object_get(ans.error, "retry_after_s")), 7);
}
END_TEST

/* The text may quote what is no UTF-8. */
START_TEST(error_text_in_no_utf8)
{
	pair();
	mt.mode = HOLD;
	ask("derive");
	turn();
	rpc_fail(mt.held[0], REASON_LOCAL_REFUSED, 0, "%s", "\xff\xfe");
	mt.n_held = 0;
	turn();
	ck_assert_int_eq(ans.why, REASON_LOCAL_REFUSED);
	ck_assert_str_eq(json_string_value(json_object_get(ans.error, "text")), reason_get(REASON_LOCAL_REFUSED)->what);
	ck_assert_ptr_null(json_object_get(ans.error, "retry_after_s"));
}
END_TEST

/* U10: no answer within 10 s. */
START_TEST(U10_time_out)
{
	pair();
	mt.mode = HOLD;
	ask("derive");
	turn();
	clock_advance(clk, 9999);
	turn();
	ck_assert_int_eq(ans.n, 0);
	clock_advance(clk, 1);
	turn();
	ck_assert_int_eq(ans.n, 1);
	ck_assert_int_eq(ans.why, REASON_LOCAL_TIMEOUT);
	rpc_ok(mt.held[0], NULL);	/* late: an orphan now */
	mt.n_held = 0;
	turn();
	ck_assert_int_eq(ans.n, 1);
	ck_assert_int_eq(dev.closed, 0);
}
END_TEST

/* U10: progress restarts the timer, any word, any number of times. */
START_TEST(U10_progress_restarts_the_timer)
{
	static const char *const words[] = { "waiting-card", "asking-user", "bootstrapping", "queued", "dancing" };

	pair();
	mt.mode = HOLD;
	ask("derive");
	turn();
	for (int i = 0; i < 5; i++) {
		clock_advance(clk, 9000);
		rpc_progress(mt.held[0], words[i], 3);
		turn();
		ck_assert_int_eq(ans.progress, i + 1);
		ck_assert_str_eq(ans.word, words[i]);
		ck_assert_int_eq(ans.wait_s, 3);
	}
	ck_assert_int_eq(ans.n, 0);
	clock_advance(clk, 10000);
	turn();
	ck_assert_int_eq(ans.why, REASON_LOCAL_TIMEOUT);
}
END_TEST

/* U10: a peer that says it takes 20 s is given 20 s. */
START_TEST(U10_wait_s_is_believed)
{
	pair();
	mt.mode = HOLD;
	ask("derive");
	turn();
	rpc_progress(mt.held[0], "bootstrapping", 20);
	turn();
	clock_advance(clk, 19999);
	turn();
	ck_assert_int_eq(ans.n, 0);
	clock_advance(clk, 1);
	turn();
	ck_assert_int_eq(ans.why, REASON_LOCAL_TIMEOUT);
}
END_TEST

/* U10: 5 minutes in all, whatever the peer promises. */
START_TEST(U10_five_minutes_in_all)
{
	int64_t t0 = clock_mono_ms(clk);

	pair();
	mt.mode = HOLD;
	ask("derive");
	turn();
	rpc_progress(mt.held[0], "asking-user", INT64_MAX);
	turn();
	clock_advance(clk, 60000);
	turn();
	while (ans.n == 0) {
		rpc_progress(mt.held[0], "asking-user", 0);
		turn();
		clock_advance(clk, 5000);
		turn();
	}
	ck_assert_int_eq(ans.why, REASON_LOCAL_TIMEOUT);
	ck_assert_int_eq(clock_mono_ms(clk) - t0, 300000);
}
END_TEST

START_TEST(the_link_ends_first)
{
	pair();
	mt.mode = HOLD;
	ask("derive");
	turn();
	rpc_free(mt.r);
	mt.r = NULL;
	turn();
	ck_assert_int_eq(ans.n, 1);
	ck_assert_int_eq(ans.why, REASON_LOCAL_GONE);
	ck_assert_int_eq(dev.closed, 1);
	ck_assert_ptr_null(rpc_req_rpc(mt.held[0]));
	rpc_progress(mt.held[0], "queued", 1);
	rpc_fail(mt.held[0], REASON_LOCAL_REFUSED, 0, NULL);
	mt.n_held = 0;
}
END_TEST

START_TEST(free_inside_the_answer)
{
	pair();
	ask("info");
	ask("info");		/* dropped without callback */
	ans.free_it = dev.r;
	turn();
	ck_assert_int_eq(ans.n, 1);
	ck_assert_ptr_null(dev.r);
	ck_assert_int_eq(mt.closed, 1);
}
END_TEST

START_TEST(free_inside_a_request)
{
	bare();
	mt.mode = FREE;
	say("{\"id\":1,\"op\":\"a\"}\n{\"id\":2,\"op\":\"b\"}\n");
	ck_assert_int_eq(mt.requests, 1);
	ck_assert_int_eq(raw_closed, 1);
	ck_assert_str_eq(got, "");
}
END_TEST

START_TEST(close_inside_a_request)
{
	bare();
	mt.mode = CLOSE;
	say("{\"id\":1,\"op\":\"a\"}\n{\"id\":2,\"op\":\"b\"}\n");
	ck_assert_int_eq(mt.requests, 1);
	ck_assert_int_eq(mt.closed, 1);
	ck_assert_int_eq(mt.why, REASON_NONE);
}
END_TEST

START_TEST(close_sends_the_last_answer)
{
	bare();
	mt.mode = HOLD;
	say("{\"id\":4,\"op\":\"a\"}\n");
	rpc_ok(mt.held[0], NULL);
	mt.n_held = 0;
	rpc_close(mt.r);
	rpc_close(mt.r);
	ck_assert_int_eq(rpc_ask(mt.r, "renew", NULL, on_answer, NULL, &ans), RC_STATE);
	turn();
	ck_assert_str_eq(got, "{\"id\":4,\"ok\":true}\n");
	ck_assert_int_eq(mt.closed, 1);
}
END_TEST

/* --- hostile lines: each is answered and the link stays */

#define NEST10 "[[[[[[[[[["
static const struct {
	const char *line;
	const char *text;		/* part of the complaint; NULL = no answer at all */
} bad[] = {
	{ "", "one JSON object" },
	{ " ", "one JSON object" },
	{ "hello", "one JSON object" },
	{ "7", "one JSON object" },
	{ "null", "one JSON object" },
	{ "\"info\"", "one JSON object" },
	{ "[{\"id\":1,\"op\":\"info\"}]", "one JSON object" },
	{ "{\"id\":1,\"op\":\"info\"", "one JSON object" },
	{ "{\"id\":1,\"op\":\"info\"}}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"info\"} {\"id\":2,\"op\":\"info\"}", "one JSON object" },
	{ "{\"id\":1,\"id\":2,\"op\":\"info\"}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"info\",\"op\":\"derive\"}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"info\",\"a\":{\"b\":1,\"b\":1}}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"in\\u0000fo\"}", "one JSON object" },
	{ "{\"id\":1,\"op\\u0000\":\"info\"}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"\xff\xfe\"}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"\xed\xa0\x80\"}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"\\ud800\"}", "one JSON object" },
	{ "{\"id\":99999999999999999999,\"op\":\"info\"}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"info\",\"x\":1e999}", "one JSON object" },
	{ "{'id':1,'op':'info'}", "one JSON object" },
	{ "{\"id\":1,\"op\":\"info\",\"a\":" NEST10 NEST10 NEST10 NEST10 "}", "one JSON object" },
	{ "{}", "op:" },
	{ "{\"id\":1}", "op:" },
	{ "{\"id\":1,\"op\":7}", "op:" },
	{ "{\"id\":1,\"op\":null}", "op:" },
	{ "{\"id\":1,\"op\":[\"info\"]}", "op:" },
	{ "{\"op\":\"info\"}", "id:" },
	{ "{\"id\":null,\"op\":\"info\"}", "id:" },
	{ "{\"id\":\"1\",\"op\":\"info\"}", "id:" },
	{ "{\"id\":1.0,\"op\":\"info\"}", "id:" },
	{ "{\"id\":-1,\"op\":\"info\"}", "id:" },
	{ "{\"id\":true,\"op\":\"info\"}", "id:" },
	{ "{\"id\":1,\"progress\":7}", "progress:" },
	{ "{\"progress\":\"queued\"}", "id:" },
	{ "{\"id\":1,\"progress\":\"queued\",\"wait_s\":\"20\"}", "wait_s:" },
	{ "{\"id\":1,\"progress\":\"queued\",\"wait_s\":-1}", "wait_s:" },
	/* answers to nothing, and complaints: never answered */
	{ "{\"id\":1,\"ok\":true}", NULL },
	{ "{\"id\":1,\"ok\":false}", NULL },
	{ "{\"id\":1,\"ok\":true,\"error\":{\"code\":\"busy\"}}", NULL },
	{ "{\"id\":1,\"error\":7}", NULL },
	{ "{\"id\":1,\"progress\":\"queued\",\"wait_s\":20}", NULL },
	{ "{\"ok\":true}", NULL },
	{ "{\"error\":{\"code\":\"bad-message\"}}", NULL },
	{ "{\"id\":null,\"error\":{}}", NULL },
};

START_TEST(a_bad_line_is_answered_and_the_link_stays)
{
	bare();
	say(bad[_i].line);
	say("\n");
	ck_assert_int_eq(mt.requests, 0);
	if (bad[_i].text == NULL) {
		ck_assert_str_eq(got, "");
	} else {
		ck_assert_int_eq(strncmp(got, "{\"error\":{\"code\":\"bad-message\"", 30), 0);
		ck_assert_msg(strstr(got, bad[_i].text) != NULL, "%s", got);
		ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);
	}
	got[0] = '\0';
	say("{\"id\":1,\"op\":\"info\"}\r\n");
	ck_assert_str_eq(got, "{\"id\":1,\"ok\":true,\"echo\":\"info\"}\n");
}
END_TEST

START_TEST(a_raw_nul_is_no_json)
{
	static const char line[] = "{\"id\":1,\"op\":\"in\0fo\"}\n{\"id\":2,\"op\":\"info\"\0}\n";

	bare();
	ck_assert_int_eq(link_write(raw, span_of(line, sizeof line - 1)), RC_OK);
	turn();
	ck_assert_int_eq(mt.requests, 0);
	say("{\"id\":3,\"op\":\"info\"}\n");
	ck_assert_int_eq(mt.requests, 1);
}
END_TEST

/* A request whose line has n octets without the newline. */
static void
say_long(size_t n)
{
	static char line[3 * RPC_LINE_MAX];
	int k = snprintf(line, sizeof line, "{\"id\":5,\"op\":\"info\",\"pad\":\"");

	memset(line + k, 'x', n - (size_t)k - 2);
	memcpy(line + n - 2, "\"}\n", 4);
	say(line);
}

START_TEST(a_line_of_8_KiB_is_the_longest)
{
	bare();
	say_long(RPC_LINE_MAX);
	ck_assert_int_eq(mt.requests, 1);
	got[0] = '\0';
	say_long(RPC_LINE_MAX + 1);
	ck_assert_int_eq(mt.requests, 1);
	ck_assert_ptr_nonnull(strstr(got, "too long"));
	got[0] = '\0';
	say_long(3 * RPC_LINE_MAX - 10);
	ck_assert_int_eq(mt.requests, 1);
	ck_assert_ptr_nonnull(strstr(got, "too long"));
	ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);	/* one complaint for one line */
	say("{\"id\":6,\"op\":\"info\"}\n");
	ck_assert_int_eq(mt.requests, 2);
}
END_TEST

START_TEST(a_line_without_end_costs_one_complaint)
{
	char block[4096];

	bare();
	memset(block, 'x', sizeof block);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(link_write(raw, span_of(block, sizeof block)), RC_OK);
		turn();
	}
	ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);
	ck_assert_int_eq(mt.closed, 0);
	say("\n{\"id\":6,\"op\":\"info\"}\n");
	ck_assert_int_eq(mt.requests, 1);
}
END_TEST

START_TEST(deep_nesting)
{
	char line[RPC_LINE_MAX];
	int k = snprintf(line, sizeof line, "{\"id\":1,\"op\":\"info\",\"a\":");

	bare();
	memset(line + k, '[', 2000);
	memset(line + k + 2000, ']', 2000);
	memcpy(line + k + 4000, "}\n", 3);
	say(line);
	ck_assert_int_eq(mt.requests, 1);	/* odd but JSON */
	memset(line + k, '[', 4000);
	memset(line + k + 4000, ']', 4000);
	memcpy(line + k + 8000, "}\n", 3);
	say(line);
	ck_assert_int_eq(mt.requests, 1);
	ck_assert_int_eq(mt.closed, 0);
}
END_TEST

START_TEST(too_many_bad_lines)
{
	bare();
	for (int i = 0; i < 15; i++)
		say("x\n");
	ck_assert_int_eq(mt.closed, 0);
	say("x\n");
	ck_assert_int_eq(mt.closed, 1);
	ck_assert_int_eq(raw_closed, 1);
	got[strlen(got) - 1] = '\0';
	ck_assert_ptr_nonnull(strstr(strrchr(got, '\n'), "bad-message"));	/* the last one is told, too */
}
END_TEST

START_TEST(max_bad_is_an_option)
{
	mt_opt.max_bad = 2;
	bare();
	say("x\nx\n{\"id\":1,\"op\":\"info\"}\n");
	ck_assert_int_eq(mt.closed, 1);
	ck_assert_int_eq(mt.requests, 0);
}
END_TEST

START_TEST(an_id_that_still_waits)
{
	bare();
	mt.mode = HOLD;
	say("{\"id\":1,\"op\":\"derive\"}\n{\"id\":1,\"op\":\"info\"}\n");
	ck_assert_int_eq(mt.requests, 1);
	ck_assert_int_eq(strncmp(got, "{\"error\"", 8), 0);	/* without id: the first may still be answered */
	got[0] = '\0';
	rpc_ok(mt.held[0], NULL);
	mt.n_held = 0;
	turn();
	ck_assert_str_eq(got, "{\"id\":1,\"ok\":true}\n");
	say("{\"id\":1,\"op\":\"info\"}\n");
	ck_assert_int_eq(mt.requests, 2);
}
END_TEST

START_TEST(too_many_open_requests)
{
	char line[64];

	bare();
	mt.mode = HOLD;
	for (int i = 0; i < 65; i++) {
		snprintf(line, sizeof line, "{\"id\":%d,\"op\":\"derive\"}\n", i);
		say(line);
	}
	ck_assert_int_eq(mt.requests, 64);
	ck_assert_int_eq(strncmp(got, "{\"id\":64,\"error\":{\"code\":\"busy\"", 31), 0);
	rpc_ok(mt.held[--mt.n_held], NULL);
	say("{\"id\":64,\"op\":\"derive\"}\n");
	ck_assert_int_eq(mt.requests, 65);
}
END_TEST

START_TEST(too_many_own_requests)
{
	pair();
	mt.mode = HOLD;
	for (int i = 0; i < 256; i++)
		ask("derive");
	ck_assert_int_eq(rpc_ask(dev.r, "derive", NULL, on_answer, NULL, &ans), RC_LIMIT);
}
END_TEST

/* More lines than one turn takes: the rest comes in the next one, in order. */
START_TEST(many_lines_at_once)
{
	char lines[200 * 32], *p = lines;
	char want[32];

	bare();
	for (int i = 0; i < 200; i++)
		p += snprintf(p, 32, "{\"id\":%d,\"op\":\"o\"}\n", i);
	say(lines);
	ck_assert_int_eq(mt.requests, 200);
	p = got;
	for (int i = 0; i < 200; i++) {
		snprintf(want, sizeof want, "{\"id\":%d,\"ok\":true,", i);
		ck_assert_int_eq(strncmp(p, want, strlen(want)), 0);
		p = strchr(p, '\n') + 1;
	}
}
END_TEST

/* A peer that asks and asks and reads no answer is not read either. */
START_TEST(a_peer_that_does_not_read)
{
	static char ops[RPC_LINE_MAX];
	int n = 0;

	bare();
	link_set_input_limit(raw, 0);
	memset(ops, 'x', 8000);
	memcpy(ops, "{\"id\":1,\"op\":\"", 14);
	memcpy(ops + 7998, "\"}\n", 4);
	while (n < 1000 && mt.requests == n) {
		ck_assert_int_eq(link_write(raw, span_str(ops)), RC_OK);
		turn();
		n++;
	}
	ck_assert_int_lt(mt.requests, 40);	/* answers of 8 KiB, 256 KiB unsent */
	ck_assert_int_eq(mt.closed, 0);
	link_set_cb(raw, NULL, NULL);
	link_set_input_limit(raw, SIZE_MAX);
	turn();
	ck_assert_int_eq(mt.requests, n);
}
END_TEST

/* What piles up all the same ends the conversation, outside any call. */
START_TEST(answers_that_pile_up)
{
	json_t *big = json_object();
	static char text[1 << 20];

	bare();
	mt.mode = HOLD;
	link_set_input_limit(raw, 0);
	for (int i = 0; i < 17; i++) {
		snprintf(text, sizeof text, "{\"id\":%d,\"op\":\"trace\"}\n", i);
		say(text);
	}
	memset(text, 'x', sizeof text - 1);
	json_object_set_new(big, "text", json_string(text));
	for (int i = 0; i < 17; i++) {
		rpc_ok(mt.held[i], json_incref(big));
		ck_assert_int_eq(mt.closed, 0);
	}
	mt.n_held = 0;
	turn();
	ck_assert_int_eq(mt.closed, 1);
	ck_assert_int_eq(mt.why, REASON_LINK_SLOW);
	json_decref(big);
}
END_TEST

/* --- what an answer may look like */

static const struct {
	const char *line;
	enum reason why;
} answers[] = {
	{ "{\"id\":1,\"ok\":true,\"x\":1}", REASON_NONE },
	{ "{\"id\":1,\"ok\":false}", REASON_LOCAL_BAD_ANSWER },
	{ "{\"id\":1,\"ok\":1}", REASON_LOCAL_BAD_ANSWER },
	{ "{\"id\":1,\"ok\":true,\"error\":{\"code\":\"busy\"}}", REASON_LOCAL_BAD_ANSWER },
	{ "{\"id\":1,\"error\":\"busy\"}", REASON_LOCAL_BAD_ANSWER },
	{ "{\"id\":1,\"error\":{}}", REASON_LOCAL_BAD_ANSWER },
	{ "{\"id\":1,\"error\":{\"code\":7}}", REASON_LOCAL_BAD_ANSWER },
	{ "{\"id\":1,\"error\":{\"code\":\"unknown-key\"}}", REASON_LOCAL_UNKNOWN_KEY },
	{ "{\"id\":1,\"error\":{\"code\":\"stale-btid\"}}", REASON_LOCAL_STALE_BTID },
	{ "{\"id\":1,\"error\":{\"code\":\"naf-not-offered\"}}", REASON_LOCAL_NAF_NOT_OFFERED },
	{ "{\"id\":1,\"error\":{\"code\":\"no-uicc\"}}", REASON_LOCAL_NO_UICC },
	{ "{\"id\":1,\"error\":{\"code\":\"bootstrap-failed\"}}", REASON_LOCAL_BOOTSTRAP_FAILED },
	{ "{\"id\":1,\"error\":{\"code\":\"refused\"}}", REASON_LOCAL_REFUSED },
	{ "{\"id\":1,\"error\":{\"code\":\"busy\"}}", REASON_LOCAL_BUSY },
	{ "{\"id\":1,\"error\":{\"code\":\"key-mismatch\"}}", REASON_LOCAL_KEY_MISMATCH },
	{ "{\"id\":1,\"error\":{\"code\":\"mt-changed\"}}", REASON_LOCAL_MT_CHANGED },
	{ "{\"id\":1,\"error\":{\"code\":\"clock-jumped\"}}", REASON_CLOCK_JUMPED },
	{ "{\"id\":1,\"error\":{\"code\":\"bad-message\"}}", REASON_LOCAL_BAD_MESSAGE },
	{ "{\"id\":1,\"error\":{\"code\":\"unsupported\"}}", REASON_LOCAL_UNSUPPORTED },
	{ "{\"id\":1,\"error\":{\"code\":\"never-heard-of\"}}", REASON_LOCAL_REFUSED },
	{ "{\"id\":1,\"error\":{\"code\":\"busy\",\"reason\":\"overload\"}}", REASON_OVERLOAD },
	{ "{\"id\":1,\"error\":{\"code\":\"busy\",\"reason\":\"no-such\"}}", REASON_LOCAL_BUSY },
	/* a reason that does not belong to its code counts for nothing */
	{ "{\"id\":1,\"error\":{\"code\":\"refused\",\"reason\":\"none\"}}", REASON_LOCAL_REFUSED },
	{ "{\"id\":1,\"error\":{\"code\":\"refused\",\"reason\":\"overload\"}}", REASON_LOCAL_REFUSED },
};

START_TEST(answer_forms)
{
	bare();
	ck_assert_int_eq(rpc_ask(mt.r, "renew", NULL, on_answer, NULL, &ans), RC_OK);
	turn();
	ck_assert_str_eq(got, "{\"id\":1,\"op\":\"renew\"}\n");
	say(answers[_i].line);
	say("\n");
	ck_assert_int_eq(ans.n, 1);
	ck_assert_int_eq(ans.why, answers[_i].why);
	ck_assert_int_eq(ans.body != NULL, ans.why == REASON_NONE);
	ck_assert_int_eq(mt.closed, 0);
}
END_TEST

/* --- U2: the link changes hands */

static struct link *detached;
static enum rc detach_rc;

/* As the device does: the answer to `use` is in, and the link is taken within it. */
static void
detach_on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	on_answer(arg, body, why, error);
	detach_rc = rpc_detach(dev.r, &detached);
	if (detach_rc == RC_OK)
		dev.r = NULL;
}

START_TEST(U2_detach_both_ends)
{
	struct link *l;

	pair();
	mt.mode = HOLD;
	ck_assert_int_eq(rpc_ask(dev.r, "use", NULL, detach_on_answer, NULL, &ans), RC_OK);
	turn();
	/* the MT answers and takes the link within the same function; its ok is the last plain octet */
	rpc_ok(mt.held[0], NULL);
	mt.n_held = 0;
	ck_assert_int_eq(rpc_detach(mt.r, &l), RC_OK);
	mt.r = NULL;
	ck_assert_int_eq(link_write(l, span_str("TLS")), RC_OK);
	turn();
	ck_assert_int_eq(ans.n, 1);
	ck_assert_int_eq(ans.why, REASON_NONE);
	/* what followed the ok at once was octets that wait: the device does not take them for TLS */
	ck_assert_int_eq(detach_rc, RC_STATE);
	ck_assert_ptr_nonnull(dev.r);
	link_free(l);
}
END_TEST

START_TEST(U2_detached_links_are_bare)
{
	static const struct link_cb raw_cb = { .on_data = raw_data, .on_closed = raw_end };
	struct link *l;

	pair();
	mt.mode = HOLD;
	ck_assert_int_eq(rpc_ask(dev.r, "use", NULL, detach_on_answer, NULL, &ans), RC_OK);
	turn();
	rpc_ok(mt.held[0], NULL);
	mt.n_held = 0;
	ck_assert_int_eq(rpc_detach(mt.r, &l), RC_OK);
	mt.r = NULL;
	link_set_cb(l, &raw_cb, NULL);
	turn();
	ck_assert_int_eq(detach_rc, RC_OK);
	/* no callbacks, no timer of the conversation's: octets that are no message pass both ways, for as long as it takes */
	ck_assert_int_eq(link_write(detached, span_str("{\"id\":1,\"op\":\"info\"}\n")), RC_OK);
	turn();
	clock_advance(clk, 3600 * 1000);
	turn();
	ck_assert_str_eq(got, "{\"id\":1,\"op\":\"info\"}\n");
	ck_assert_int_eq(link_write(l, span_str("\x16\x03\x03")), RC_OK);
	turn();
	ck_assert_uint_eq(link_input(detached).n, 3);
	ck_assert_int_eq(mt.requests, 1);
	ck_assert_int_eq(mt.closed + dev.closed, 0);
	link_free(detached);
	turn();
	ck_assert_int_eq(raw_closed, 1);
	link_free(l);
}
END_TEST

/* U2: octets that came behind the request (STARTTLS injection) keep the link where it is; the conversation goes on. */
static const char *const injected[] = { "{", "{\"id\":2,\"op\":\"info\"", "\x16\x03\x01", " " };

START_TEST(U2_octets_that_wait)
{
	struct link *l = NULL;
	char line[128];

	bare();
	mt.mode = HOLD;
	snprintf(line, sizeof line, "{\"id\":1,\"op\":\"use\"}\n%s", injected[_i]);
	say(line);
	ck_assert_uint_eq(mt.n_held, 1);
	rpc_ok(mt.held[0], NULL);
	mt.n_held = 0;
	ck_assert_int_eq(rpc_detach(mt.r, &l), RC_STATE);
	ck_assert_ptr_null(l);
	say("\n{\"id\":9,\"op\":\"info\"}\n");
	ck_assert_uint_eq(mt.n_held, 1);
	ck_assert_str_eq(mt.op, "info");
	rpc_ok(mt.held[0], NULL);
	mt.n_held = 0;
	turn();
	ck_assert_ptr_nonnull(strstr(got, "\"id\":9"));
}
END_TEST

START_TEST(U2_inside_a_line_that_is_too_long)
{
	static char big[RPC_LINE_MAX + 2];
	struct link *l = NULL;

	bare();
	memset(big, 'x', sizeof big - 1);
	say(big);
	ck_assert_uint_eq(link_input(rpc_link(mt.r)).n, 0);	/* skipped, and its end is still to come */
	ck_assert_int_eq(rpc_detach(mt.r, &l), RC_STATE);
	say("\n");
	ck_assert_int_eq(rpc_detach(mt.r, &l), RC_OK);
	mt.r = NULL;
	link_free(l);
}
END_TEST

START_TEST(U2_requests_that_wait)
{
	struct link *l = NULL;

	pair();
	mt.mode = HOLD;
	ask("derive");
	ck_assert_int_eq(rpc_detach(dev.r, &l), RC_STATE);	/* one of ours */
	turn();
	ck_assert_int_eq(rpc_detach(mt.r, &l), RC_STATE);	/* one of the peer's */
	ck_assert_ptr_null(l);
	rpc_ok(mt.held[0], NULL);
	mt.n_held = 0;
	turn();
	ck_assert_int_eq(ans.n, 1);
	ck_assert_int_eq(ans.why, REASON_NONE);
	ck_assert_int_eq(rpc_detach(dev.r, &l), RC_OK);
	dev.r = NULL;
	link_free(l);
}
END_TEST

START_TEST(U2_a_link_that_closes_is_not_handed_on)
{
	struct link *l = NULL;

	pair();
	rpc_close(dev.r);
	ck_assert_int_eq(rpc_detach(dev.r, &l), RC_STATE);
	ck_assert_ptr_null(l);
	turn();
	ck_assert_int_eq(dev.closed, 1);
}
END_TEST

/* U2: within on_request: the walk over the lines stops there. */
static void
detach_on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	(void)op, (void)body, (void)arg;
	mt.requests++;
	rpc_ok(q, NULL);
	detach_rc = rpc_detach(mt.r, &detached);
	if (detach_rc == RC_OK)
		mt.r = NULL;
}

START_TEST(U2_detach_within_a_request)
{
	static const struct rpc_cb detach_cb = { .on_request = detach_on_request, .on_closed = on_closed };

	mt_cb = &detach_cb;
	bare();
	/* two at once: the second one waits, so the first one's link stays; then its own goes */
	say("{\"id\":1,\"op\":\"use\"}\n{\"id\":2,\"op\":\"use\"}\n");
	ck_assert_int_eq(mt.requests, 2);
	ck_assert_int_eq(detach_rc, RC_OK);
	ck_assert_ptr_null(mt.r);
	say("{\"id\":3,\"op\":\"use\"}\n");
	ck_assert_int_eq(mt.requests, 2);
	ck_assert(span_eq_str(link_input(detached), "{\"id\":3,\"op\":\"use\"}\n"));
	link_free(detached);
}
END_TEST

START_TEST(parse_limits)
{
	json_t *o = (json_t *)0xa5;

	ck_assert_int_eq(rpc_parse(span_str("{\"a\":1}"), 6, &o), RC_RANGE);
	ck_assert_int_eq(rpc_parse(span_str("[1]"), 6, &o), RC_SYNTAX);
	ck_assert_int_eq(rpc_parse((struct span){ NULL, 0 }, 6, &o), RC_SYNTAX);
	ck_assert_ptr_eq(o, (json_t *)0xa5);
	ck_assert_int_eq(rpc_parse(span_str("{\"a\":1}"), 7, &o), RC_OK);
	json_decref(o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rpc");
	TCase *t = tcase_create("talk"), *h = tcase_create("hostile"), *d = tcase_create("detach");
	SRunner *sr = srunner_create(s);
	int failed;

	log_set_level(LOG_LEVEL_ERROR);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, question_and_answer);
	tcase_add_test(t, octet_by_octet);
	tcase_add_test(t, both_sides_ask_with_the_same_ids);
	tcase_add_test(t, errors_carry_code_reason_and_wait);
	tcase_add_test(t, error_text_in_no_utf8);
	tcase_add_test(t, U10_time_out);
	tcase_add_test(t, U10_progress_restarts_the_timer);
	tcase_add_test(t, U10_wait_s_is_believed);
	tcase_add_test(t, U10_five_minutes_in_all);
	tcase_add_test(t, the_link_ends_first);
	tcase_add_test(t, free_inside_the_answer);
	tcase_add_test(t, free_inside_a_request);
	tcase_add_test(t, close_inside_a_request);
	tcase_add_test(t, close_sends_the_last_answer);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(h, setup, teardown);
	tcase_add_loop_test(h, a_bad_line_is_answered_and_the_link_stays, 0, (int)(sizeof bad / sizeof bad[0]));
	tcase_add_test(h, a_raw_nul_is_no_json);
	tcase_add_test(h, a_line_of_8_KiB_is_the_longest);
	tcase_add_test(h, a_line_without_end_costs_one_complaint);
	tcase_add_test(h, deep_nesting);
	tcase_add_test(h, too_many_bad_lines);
	tcase_add_test(h, max_bad_is_an_option);
	tcase_add_test(h, an_id_that_still_waits);
	tcase_add_test(h, too_many_open_requests);
	tcase_add_test(h, too_many_own_requests);
	tcase_add_test(h, many_lines_at_once);
	tcase_add_test(h, a_peer_that_does_not_read);
	tcase_add_test(h, answers_that_pile_up);
	tcase_add_loop_test(h, answer_forms, 0, (int)(sizeof answers / sizeof answers[0]));
	tcase_add_test(h, parse_limits);
	suite_add_tcase(s, h);
	tcase_add_checked_fixture(d, setup, teardown);
	tcase_add_test(d, U2_detach_both_ends);
	tcase_add_test(d, U2_detached_links_are_bare);
	tcase_add_loop_test(d, U2_octets_that_wait, 0, (int)(sizeof injected / sizeof injected[0]));
	tcase_add_test(d, U2_inside_a_line_that_is_too_long);
	tcase_add_test(d, U2_requests_that_wait);
	tcase_add_test(d, U2_a_link_that_closes_is_not_handed_on);
	tcase_add_test(d, U2_detach_within_a_request);
	suite_add_tcase(s, d);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
