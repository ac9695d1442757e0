/* client: one request at a time over a daemon's control socket, as the tool's user sees it: asked, waited, answered. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "ctl/ksctl.h"

#define LINE_MAX_OCTETS (16u << 20)	/* what a daemon may answer: lists of keys, traces */
#define RETRY_MS 50			/* until a daemon is there */

struct ksctl_client {
	struct loop *loop;
	struct clock *clock;
	struct link_net *net;
	struct clock_timer *again;
	/* The request under way. */
	const struct ksctl_ask *ask;
	struct ksctl_answer *out;
	struct link *link;
	struct rpc *rpc;
	int64_t deadline_ms;
	bool shown;			/* a progress line stands on the terminal */
};

static void dial(struct ksctl_client *c);

static void
hang_up(struct ksctl_client *c)
{
	rpc_free(c->rpc);
	c->rpc = NULL;
	link_free(c->link);
	c->link = NULL;
}

static void
over(struct ksctl_client *c, enum reason why, const char *detail)
{
	if (c->shown)
		fprintf(stderr, "\r\033[K");
	c->shown = false;
	c->out->why = why;
	snprintf(c->out->detail, sizeof c->out->detail, "%s", detail);
	loop_stop(c->loop);
}

/* --- the answer */

static void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct ksctl_client *c = arg;

	if (body != NULL && (c->out->body = json_copy(body)) != NULL) {
		json_object_del(c->out->body, "id");
		json_object_del(c->out->body, "ok");
	}
	if (error != NULL)
		c->out->error = json_deep_copy(error);
	over(c, why, "");
}

static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	struct ksctl_client *c = arg;

	if (!c->ask->progress || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, wait_s > 0 ? "\r\033[K%.40s (up to %lld s)" : "\r\033[K%.40s", word, (long long)wait_s);
	c->shown = true;
}

/* Daemons ask ksctl nothing. */
static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	(void)op;
	(void)body;
	(void)arg;
	rpc_fail(q, REASON_LOCAL_UNSUPPORTED, 0, NULL);
}

static void
on_rpc_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	struct ksctl_client *c = arg;

	(void)r;
	/* Own requests were answered before; this is for a link that ended without one. */
	over(c, why != REASON_NONE ? why : REASON_LOCAL_GONE, detail);
}

/* --- the connection */

static void
on_up(struct link *l, void *arg)
{
	static const struct rpc_cb cb = { .on_request = on_request, .on_closed = on_rpc_closed };
	struct ksctl_client *c = arg;
	int64_t left = c->deadline_ms - clock_mono_ms(c->clock);
	const struct rpc_options opt = { .line_max = LINE_MAX_OCTETS, .answer_timeout_ms = left > 100 ? left : 100 };

	c->link = NULL;			/* rpc's from here */
	if (rpc_new(l, c->clock, &opt, &cb, c, &c->rpc) != RC_OK) {
		c->link = l;
		over(c, REASON_INTERNAL, "out of memory");
		return;
	}
	if (rpc_ask(c->rpc, c->ask->op, c->ask->body, on_answer, on_progress, c) != RC_OK)
		over(c, REASON_LOCAL_GONE, "");
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct ksctl_client *c = arg;

	(void)l;
	if (c->ask->until_up && clock_mono_ms(c->clock) + RETRY_MS < c->deadline_ms) {
		clock_timer_set(c->again, RETRY_MS);
		return;
	}
	over(c, why != REASON_NONE ? why : REASON_LOCAL_GONE, detail);
}

static void
dial(struct ksctl_client *c)
{
	static const struct link_cb cb = { .on_up = on_up, .on_closed = on_closed };
	int64_t left = c->deadline_ms - clock_mono_ms(c->clock);
	const struct link_options opt = { .connect_timeout_ms = left > 100 ? left : 100 };
	enum rc rc;

	hang_up(c);
	if ((rc = link_connect(c->net, c->ask->address, &opt, &cb, c, &c->link)) != RC_OK)
		over(c, rc == RC_SYNTAX ? REASON_LOCAL_BAD_MESSAGE : REASON_INTERNAL, "the socket's address cannot be used");
}

static void
on_again(void *arg)
{
	dial(arg);
}

static void
no_turn_end(void *arg)
{
	(void)arg;
}

void
ksctl_client_ask(struct ksctl_client *c, const struct ksctl_ask *ask, struct ksctl_answer *out)
{
	*out = (struct ksctl_answer){ .why = REASON_INTERNAL };
	c->ask = ask;
	c->out = out;
	c->deadline_ms = clock_mono_ms(c->clock) + ask->timeout_ms;
	/* On the loop, so that loop_stop() in it is heard. */
	clock_timer_set(c->again, 0);
	if (loop_run(c->loop, no_turn_end, NULL) != RC_OK)
		out->why = REASON_INTERNAL;
	hang_up(c);
}

void
ksctl_answer_free(struct ksctl_answer *a)
{
	json_decref(a->body);
	json_decref(a->error);
	a->body = a->error = NULL;
}

/* --- life */

enum rc
ksctl_client_new(struct ksctl_client **out)
{
	struct ksctl_client *c = calloc(1, sizeof *c);
	enum rc rc = RC_NOMEM;

	if (c == NULL)
		goto out;
	if ((rc = loop_new(&c->loop)) != RC_OK || (rc = clock_new(c->loop, CLOCK_REAL, &c->clock)) != RC_OK ||
	    (rc = link_net_new(c->loop, c->clock, &c->net)) != RC_OK || (rc = clock_timer_new(c->clock, on_again, c, &c->again)) != RC_OK)
		goto out;
	*out = c;
	c = NULL;
out:
	ksctl_client_free(c);
	return rc;
}

void
ksctl_client_free(struct ksctl_client *c)
{
	if (c == NULL)
		return;
	hang_up(c);
	clock_timer_free(c->again);
	link_net_free(c->net);
	clock_free(c->clock);
	loop_free(c->loop);
	free(c);
}
