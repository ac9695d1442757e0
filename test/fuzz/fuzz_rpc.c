/*
 * A whole conversation: the input is what a hostile peer sends, in pieces of a size that its first octet tells. The handler
 * answers, waits, asks back, closes or frees, by the operation's first letter.
 * Properties: each line that comes back is an object in one of rpc's forms; each request is answered at most once; on_closed
 * comes at most once; nothing leaks.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/rpc.h"
#include "common/rpc_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct clock *clk;
static struct link_net *net;
static struct rpc *r;
static struct rpc_req *held[64];
static size_t n_held;
static int closed, asked, answered;
static char line[1 << 17];
static size_t line_n;

static void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	(void)arg, (void)error;
	answered++;
	if ((body != NULL) != (why == REASON_NONE))
		abort();
}

static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	(void)arg;
	switch (*op) {
	case 'h':
		if (n_held < 64) {
			held[n_held++] = q;
			rpc_progress(q, "queued", 5);
			return;
		}
		break;
	case 'a':
		if (rpc_ask(r, "renew", body, on_answer, NULL, NULL) == RC_OK)
			asked++;
		break;
	case 'c':
		rpc_close(r);
		break;
	case 'x':
		rpc_free(r);
		r = NULL;
		break;
	case 'e':
		rpc_fail(q, REASON_LOCAL_BUSY, 3, "%s", op);
		return;
	default:
		break;
	}
	rpc_ok(q, json_incref(body));
}

static void
on_closed(struct rpc *x, enum reason why, const char *detail, void *arg)
{
	(void)why, (void)detail, (void)arg;
	if (closed++ != 0)
		abort();
	rpc_free(x);
	r = NULL;
}

static void
on_accept(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { on_request, on_closed };

	(void)arg;
	if (rpc_new(l, clk, NULL, &cb, NULL, &r) != RC_OK)
		abort();
}

static void
look_at(const char *s, size_t n)
{
	struct rpc_line l;
	const char *bad;
	json_t *o;

	if (rpc_parse(span_of(s, n), SIZE_MAX, &o) != RC_OK)
		abort();
	switch (rpc_line_read(o, &l, &bad)) {
	case RPC_REQUEST:
	case RPC_ANSWER:
	case RPC_PROGRESS:
		break;
	case RPC_COMPLAINT:
		if (!json_is_object(json_object_get(o, "error")))
			abort();
		break;
	default:
		abort();
	}
	json_decref(o);
}

static void
on_data(struct link *l, void *arg)
{
	struct span in = link_input(l);

	(void)arg;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '\n') {
			if (line_n == sizeof line)
				abort();
			line[line_n++] = (char)in.p[i];
			continue;
		}
		look_at(line, line_n);
		line_n = 0;
	}
	link_drain(l, in.n);
}

static void
run(void)
{
	do
		clock_advance(clk, 0);
	while (link_mem_run(net) > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct link_cb cb = { .on_data = on_data };
	struct link_listener *ll;
	struct link *l;

	log_set_level(LOG_LEVEL_ERROR);
	n_held = line_n = 0;
	closed = asked = answered = 0;
	r = NULL;
	if (n == 0 || clock_new_virtual(0, &clk) != RC_OK || link_mem_new(clk, &net) != RC_OK)
		return 0;
	if (link_listen(net, "mem:x", NULL, on_accept, NULL, &ll) != RC_OK || link_connect(net, "mem:x", NULL, &cb, NULL, &l) != RC_OK)
		abort();
	run();
	link_mem_set_chunk(net, p[0]);
	(void)!link_write(l, (struct span){ p + 1, n - 1 });
	run();
	clock_advance(clk, 11000);
	run();
	for (size_t i = 0; i < n_held; i++)
		rpc_ok(held[i], NULL);
	run();
	clock_advance(clk, 300000);	/* whatever progress the peer promised: U10 */
	run();
	if (r != NULL && answered != asked)
		abort();
	rpc_free(r);
	link_free(l);
	link_listener_free(ll);
	link_mem_free(net);
	clock_free(clk);
	return 0;
}
