/*
 * rpc: the life of a conversation, asking and answering. Callbacks may close or free it, so every walk that calls out holds it
 * by `depth`. What comes in is rpc_in.c's.
 */
#include "common/rpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/rpc_impl.h"
#include "common/rpc_line.h"
#include "common/wipe.h"

#define DEFAULT_MAX_BAD 16
#define DEFAULT_MAX_OPEN 64
#define DEFAULT_ANSWER_MS 10000
#define ASK_TOTAL_MS (5 * 60 * 1000)	/* U10 */
#define ASKS_MAX 256
#define TEXT_MAX 512

/* --- life */

void
rpc_hold(struct rpc *r)
{
	r->depth++;
}

void
rpc_release(struct rpc *r)
{
	if (--r->depth > 0 || !r->dead)
		return;
	clock_timer_free(r->later);
	free(r);
}

static void
own_free(struct rpc_own *a)
{
	if (a == NULL)
		return;
	LIST_REMOVE(a, all);
	a->r->n_asks--;
	clock_timer_free(a->timer);
	free(a);
}

void
rpc_own_end(struct rpc_own *a, json_t *body, enum reason why, const json_t *error)
{
	rpc_answer_fn *fn = a->on_answer;
	void *arg = a->arg;

	own_free(a);
	fn(arg, body, why, error);
}

static void
req_free(struct rpc_req *q)
{
	if (q->r != NULL) {
		LIST_REMOVE(q, all);
		q->r->n_reqs--;
	}
	json_decref(q->body);
	free(q);
}

/* The link is over: own requests first, then the user. */
static void
end(struct rpc *r, enum reason why, const char *detail)
{
	struct rpc_own *a;

	r->closing = true;
	rpc_hold(r);
	while (!r->dead && (a = LIST_FIRST(&r->asks)) != NULL)
		rpc_own_end(a, NULL, REASON_LOCAL_GONE, NULL);
	if (!r->dead && r->cb.on_closed != NULL)
		r->cb.on_closed(r, why, detail, r->arg);
	rpc_release(r);
}

static void
on_link_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)l;
	end(arg, why, detail);
}

static void
on_link_data(struct link *l, void *arg)
{
	(void)l;
	rpc_take_lines(arg);
}

static void
on_later(void *arg)
{
	struct rpc *r = arg;

	if (r->end_why == REASON_NONE) {
		rpc_take_lines(r);
		return;
	}
	link_set_cb(r->link, NULL, NULL);
	link_close(r->link);		/* the link lives on until rpc_free(), which follows on_closed */
	end(r, r->end_why, "");
}

enum rc
rpc_new(struct link *l, struct clock *clock, const struct rpc_options *opt, const struct rpc_cb *cb, void *arg, struct rpc **out)
{
	static const struct link_cb link_cb = {
		.on_data = on_link_data,
		.on_drained = on_link_data,	/* a pause may be over */
		.on_closed = on_link_closed,
	};
	struct rpc *r = calloc(1, sizeof *r);

	if (r == NULL)
		return RC_NOMEM;
	json_set_alloc_funcs(malloc, wipe_free);	/* a subscriber's K comes this way (S2) */
	if (clock_timer_new(clock, on_later, r, &r->later) != RC_OK) {
		free(r);
		return RC_NOMEM;
	}
	if (opt != NULL)
		r->opt = *opt;
	if (r->opt.line_max == 0)
		r->opt.line_max = RPC_LINE_MAX;
	if (r->opt.max_bad == 0)
		r->opt.max_bad = DEFAULT_MAX_BAD;
	if (r->opt.max_open == 0)
		r->opt.max_open = DEFAULT_MAX_OPEN;
	if (r->opt.answer_timeout_ms == 0)
		r->opt.answer_timeout_ms = DEFAULT_ANSWER_MS;
	r->link = l;
	r->clock = clock;
	r->cb = *cb;
	r->arg = arg;
	LIST_INIT(&r->reqs);
	LIST_INIT(&r->asks);
	link_set_cb(l, &link_cb, r);
	link_set_input_limit(l, r->opt.line_max + 1);
	clock_timer_set(r->later, 0);		/* octets may be in already */
	*out = r;
	return RC_OK;
}

/* Gone for its user; freed when the last walk that holds it is over. */
static void
end_of_life(struct rpc *r)
{
	clock_timer_stop(r->later);
	r->dead = true;
	rpc_hold(r);
	rpc_release(r);
}

void
rpc_free(struct rpc *r)
{
	struct rpc_req *q;
	struct rpc_own *a;

	if (r == NULL || r->dead)
		return;
	while ((a = LIST_FIRST(&r->asks)) != NULL)
		own_free(a);
	while ((q = LIST_FIRST(&r->reqs)) != NULL) {
		LIST_REMOVE(q, all);
		q->r = NULL;
	}
	link_free(r->link);
	r->link = NULL;
	end_of_life(r);
}

void
rpc_close(struct rpc *r)
{
	if (r->closing || r->dead)
		return;
	r->closing = true;
	link_close(r->link);
}

static bool
is_quiet(const struct rpc *r, size_t reqs)
{
	return !r->closing && !r->dead && r->end_why == REASON_NONE && !r->skipping && r->n_asks == 0 && r->n_reqs == reqs &&
	    link_input(r->link).n == 0;
}

bool
rpc_is_quiet(const struct rpc *r)
{
	return is_quiet(r, 1);
}

enum rc
rpc_detach(struct rpc *r, struct link **out)
{
	if (!is_quiet(r, 0))
		return RC_STATE;
	*out = r->link;
	link_set_cb(r->link, NULL, NULL);
	r->link = NULL;
	end_of_life(r);
	return RC_OK;
}

struct link *
rpc_link(struct rpc *r)
{
	return r->link;
}

uint64_t
rpc_lines(const struct rpc *r)
{
	return r->lines;
}

struct rpc *
rpc_req_rpc(struct rpc_req *q)
{
	return q->r;
}

/* --- out */

/* One object as a line; steals it. NULL = memory was out while it was made. */
static enum rc
send_line(struct rpc *r, json_t *obj)
{
	char *text = obj != NULL ? json_dumps(obj, JSON_COMPACT) : NULL;
	size_t n = text != NULL ? strlen(text) : 0;
	enum rc rc = RC_NOMEM;

	if (text != NULL) {
		text[n] = '\n';		/* in place of the NUL: one write, one segment */
		rc = link_write(r->link, span_of(text, n + 1));
	}
	wipe_free(text);		/* an application key goes this way (U7) */
	json_decref(obj);
	return rc;
}

/* The same where nobody is left to be told: what cannot be answered ends the conversation, in the next turn. */
void
rpc_send(struct rpc *r, json_t *obj)
{
	enum rc rc = send_line(r, obj);

	if (rc == RC_OK || rc == RC_STATE)	/* RC_STATE: closing, or over; that is told already */
		return;
	r->end_why = rc == RC_LIMIT ? REASON_LINK_SLOW : REASON_INTERNAL;
	clock_timer_set(r->later, 0);
}

void
rpc_ok(struct rpc_req *q, json_t *body)
{
	if (q->r != NULL)
		rpc_send(q->r, rpc_line_ok(q->id, body));
	json_decref(body);
	req_free(q);
}

void
rpc_fail(struct rpc_req *q, enum reason why, int64_t retry_after_s, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (q->r != NULL) {
		snprintf(text, sizeof text, "%s", reason_get(why)->what);
		if (fmt != NULL) {
			va_start(ap, fmt);
			vsnprintf(text, sizeof text, fmt, ap);
			va_end(ap);
		}
		rpc_send(q->r, rpc_line_error(q->id, why, retry_after_s, text));
	}
	req_free(q);
}

void
rpc_progress(struct rpc_req *q, const char *word, int64_t wait_s)
{
	if (q->r != NULL)
		rpc_send(q->r, rpc_line_progress(q->id, word, wait_s));
}

/* --- asking */

static void
on_ask_timer(void *arg)
{
	rpc_own_end(arg, NULL, REASON_LOCAL_TIMEOUT, NULL);
}

/* U10: progress restarts the timer, or sets it to what the peer asks for, but never past the total. */
void
rpc_own_wait(struct rpc_own *a, int64_t wait_s)
{
	int64_t ms = a->r->opt.answer_timeout_ms, left = a->deadline_ms - clock_mono_ms(a->r->clock);

	if (wait_s > ms / 1000)
		ms = wait_s < ASK_TOTAL_MS / 1000 ? wait_s * 1000 : ASK_TOTAL_MS;
	if (ms > left)
		ms = left > 0 ? left : 0;
	clock_timer_set(a->timer, ms);
}

enum rc
rpc_ask(struct rpc *r, const char *op, json_t *body, rpc_answer_fn *on_answer, rpc_progress_fn *on_progress, void *arg)
{
	struct rpc_own *a;
	enum rc rc;

	if (r->closing || r->dead)
		return RC_STATE;
	if (r->n_asks >= ASKS_MAX)
		return RC_LIMIT;
	if ((a = calloc(1, sizeof *a)) == NULL)
		return RC_NOMEM;
	if (clock_timer_new(r->clock, on_ask_timer, a, &a->timer) != RC_OK) {
		free(a);
		return RC_NOMEM;
	}
	a->r = r;
	a->id = ++r->next_id;
	a->on_answer = on_answer;
	a->on_progress = on_progress;
	a->arg = arg;
	a->deadline_ms = clock_mono_ms(r->clock) + ASK_TOTAL_MS;
	LIST_INSERT_HEAD(&r->asks, a, all);
	r->n_asks++;
	if ((rc = send_line(r, rpc_line_request(a->id, op, body))) != RC_OK) {
		own_free(a);
		return rc;
	}
	rpc_own_wait(a, 0);
	return RC_OK;
}
