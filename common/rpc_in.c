/*
 * rpc_in: what comes in. Octets → line (take_line) → object (rpc_parse) → what it is (rpc_line_read) → request, answer or
 * complaint (on_object).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/rpc_impl.h"
#include "common/rpc_line.h"

#define LINES_PER_TURN 64
#define PAUSE_UNSENT (256 * 1024)	/* a peer that does not read its answers is not read either */

/* A line that is no message: said to the peer, until it was one too many. */
static void
bad_line(struct rpc *r, const char *what)
{
	struct link_peer p;

	link_get_peer(r->link, &p);
	r->bad++;
	log_reason(REASON_LOCAL_BAD_MESSAGE, "rpc: peer=%s bad=%u: %s", p.address, r->bad, what);
	rpc_send(r, rpc_line_error(-1, REASON_LOCAL_BAD_MESSAGE, 0, what));
	if (r->bad >= r->opt.max_bad)
		rpc_close(r);
}

static void
on_request(struct rpc *r, const struct rpc_line *l, json_t *o)
{
	struct rpc_req *q;

	LIST_FOREACH(q, &r->reqs, all) {
		if (q->id == l->id) {
			bad_line(r, "id: a request with this id still waits for its answer");
			return;
		}
	}
	if (r->n_reqs >= r->opt.max_open) {
		rpc_send(r, rpc_line_error(l->id, REASON_OVERLOAD, 1, reason_get(REASON_OVERLOAD)->what));
		return;
	}
	if ((q = calloc(1, sizeof *q)) == NULL) {
		rpc_send(r, rpc_line_error(l->id, REASON_INTERNAL, 1, reason_get(REASON_INTERNAL)->what));
		return;
	}
	q->r = r;
	q->id = l->id;
	q->body = json_incref(o);
	LIST_INSERT_HEAD(&r->reqs, q, all);
	r->n_reqs++;
	r->cb.on_request(q, l->op, o, r->arg);
}

static void
on_answer(struct rpc *r, enum rpc_kind kind, const struct rpc_line *l, json_t *o)
{
	struct rpc_own *a;

	LIST_FOREACH(a, &r->asks, all)
		if (a->id == l->id)
			break;
	if (a == NULL) {
		log_debug("rpc: an answer to nothing that is open, id=%" JSON_INTEGER_FORMAT, l->id);
		return;
	}
	if (kind == RPC_PROGRESS) {
		rpc_own_wait(a, l->wait_s);
		if (a->on_progress != NULL)
			a->on_progress(a->arg, l->word, l->wait_s);
	} else if (kind == RPC_BAD_ANSWER) {
		rpc_own_end(a, NULL, REASON_LOCAL_BAD_ANSWER, NULL);
	} else if (l->error != NULL) {
		rpc_own_end(a, NULL, rpc_line_reason(l->error), l->error);
	} else {
		rpc_own_end(a, o, REASON_NONE, NULL);
	}
}

static void
on_object(struct rpc *r, json_t *o)
{
	struct rpc_line l;
	const char *bad;
	char what[64];
	enum rpc_kind kind = rpc_line_read(o, &l, &bad);

	switch (kind) {
	case RPC_REQUEST:
		on_request(r, &l, o);
		break;
	case RPC_ANSWER:
	case RPC_BAD_ANSWER:
	case RPC_PROGRESS:
		on_answer(r, kind, &l, o);
		break;
	case RPC_COMPLAINT:	/* never answered, or two ends would complain to each other for ever */
		log_info("rpc: the peer complains of a line of ours");
		break;
	case RPC_BAD:
		snprintf(what, sizeof what, "%s: missing, or of a wrong type", bad);
		bad_line(r, what);
		break;
	}
}

static void
on_line(struct rpc *r, struct span line, size_t with_newline)
{
	json_t *o = NULL;
	enum rc rc = rpc_parse(line, r->opt.line_max, &o);

	r->lines++;
	link_drain(r->link, with_newline);
	if (rc == RC_OK)
		on_object(r, o);
	else
		bad_line(r, rc == RC_RANGE ? "the line is too long" : "the line is not one JSON object");
	json_decref(o);
}

/* One line from the input; false when there is no whole one. */
static bool
take_line(struct rpc *r)
{
	struct span in = link_input(r->link);
	const uint8_t *nl = in.n > r->scanned ? memchr(in.p + r->scanned, '\n', in.n - r->scanned) : NULL;
	size_t n = nl != NULL ? (size_t)(nl - in.p) : in.n;

	r->scanned = nl != NULL ? 0 : in.n;
	if (nl == NULL && !r->skipping && n <= r->opt.line_max)
		return false;
	if (r->skipping || nl == NULL) {
		link_drain(r->link, nl != NULL ? n + 1 : n);
		if (!r->skipping) {
			r->lines++;
			bad_line(r, "the line is too long");
		}
		r->skipping = nl == NULL;
		r->scanned = 0;
		return nl != NULL;
	}
	on_line(r, (struct span){ in.p, n }, n + 1);
	return true;
}

void
rpc_take_lines(struct rpc *r)
{
	unsigned n = 0;

	rpc_hold(r);
	while (!r->dead && !r->closing && r->end_why == REASON_NONE && link_unsent(r->link) <= PAUSE_UNSENT) {
		if (n++ == LINES_PER_TURN) {
			clock_timer_set(r->later, 0);	/* others want their turn */
			break;
		}
		if (!take_line(r))
			break;
	}
	rpc_release(r);
}
