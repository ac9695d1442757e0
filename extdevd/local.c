/*
 * local: the link to one MT. Dialled at start and again after each end, the pauses doubling from 1 s to 1 min; hello comes first,
 * and without an mt_id in its answer nothing follows (U9).
 *
 *	DOWN --dial--> DIALLING --connected--> HELLO --mt_id--> UP
 *	  ^--again-------'------------------------'--------------'
 *
 * What is asked leaves with the turn (ARCHITECTURE 6). The MT's own requests are `hello`, `use` and `renew`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/turn.h"
#include "extdevd/core.h"

#define BACK_OFF_MIN_MS 1000
#define BACK_OFF_MAX_MS 60000
#define BACK_OFF_SERIAL_MS 2000	/* looking at a device costs nobody anything, and it may be plugged in at any moment (U6) */

struct extdev_ask {
	LIST_ENTRY(extdev_ask) all;
	struct extdev_mt *m;
	unsigned gen;
	const char *op;
	json_t *body;
	extdev_local_answer_fn *fn;
};

/* --- asking */

static void
ask_free(struct extdev_ask *a)
{
	LIST_REMOVE(a, all);
	json_decref(a->body);
	free(a);
}

static void
on_answer(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct extdev_ask *a = arg;
	struct extdev_mt *m = a->m;
	extdev_local_answer_fn *fn = a->gen == m->p.gen ? a->fn : NULL;

	ask_free(a);
	if (fn != NULL)
		fn(m, body, why, error);
}

static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	struct extdev_ask *a = arg;

	if (a->gen == a->m->p.gen)
		extdev_on_mt_progress(a->m, word, wait_s);
}

static void
send_ask(void *arg, enum rc rc)
{
	struct extdev_ask *a = arg;
	struct rpc *r = a->m->local.rpc;

	if (rc != RC_OK)
		on_answer(a, NULL, REASON_NOT_DURABLE, NULL);
	else if (r == NULL || rpc_ask(r, a->op, a->body, on_answer, on_progress, a) != RC_OK)
		on_answer(a, NULL, REASON_LOCAL_GONE, NULL);
}

void
extdev_local_ask(struct extdev_mt *m, const char *op, json_t *body, extdev_local_answer_fn *fn)
{
	struct extdev_ask *a = calloc(1, sizeof *a);

	if (a == NULL || body == NULL)
		log_fatal("local: out of memory");
	a->m = m;
	a->gen = m->p.gen;
	a->op = op;
	a->body = body;
	a->fn = fn;
	LIST_INSERT_HEAD(&m->local.asks, a, all);
	turn_later(m->e->s.turn, send_ask, a);
}

/* --- being asked */

struct answer {
	struct rpc_req *q;
	json_t *body;			/* NULL: why */
	enum reason why;
};

static void
send_answer(void *arg, enum rc rc)
{
	struct answer *a = arg;

	if (rc == RC_OK && a->body != NULL) {
		rpc_ok(a->q, a->body);
	} else {
		json_decref(a->body);
		rpc_fail(a->q, rc != RC_OK ? REASON_NOT_DURABLE : a->why, 0, NULL);
	}
	free(a);
}

static void
answer(struct extdev_mt *m, struct rpc_req *q, json_t *body, enum reason why)
{
	struct answer *a = calloc(1, sizeof *a);

	if (a == NULL)
		log_fatal("local: out of memory");
	a->q = q;
	a->body = body;
	a->why = why;
	turn_later(m->e->s.turn, send_answer, a);
}

struct localif_hello
extdev_local_hello(const struct extdev_mt *m)
{
	return (struct localif_hello){ .version = LOCALIF_VERSION, .role = LOCALIF_ROLE_DEVICE, .device_id = m->e->self,
	    .device_id_kind = m->e->conf.id_kind == EXTDEV_ID_FIXED ? LOCALIF_KIND_FIXED : LOCALIF_KIND_RANDOM };
}

struct link_options
extdev_local_options(const struct extdev_mt *m)
{
	const struct extdev *e = m->e;

	return (struct link_options){ .tls = e->s.mt_tls != NULL ? e->s.mt_tls[m - e->mts] : NULL, .tls_name = m->conf->tls_name,
	    .serial = m->conf->serial };
}

/* U1: the device is to begin, on a channel of its own. */
static void
on_use(struct extdev_mt *m, struct rpc_req *q, json_t *body)
{
	struct triple t;
	const char *bad = "";

	if (localif_triple_parse(body, &t, &bad) != RC_OK) {
		answer(m, q, NULL, REASON_LOCAL_BAD_MESSAGE);
	} else if (!extdev_use_has(m, &t)) {
		log_reason(REASON_LOCAL_UNKNOWN_KEY, "use: mt=%s mt_id=%s asks for btid=%s device_id=%s", m->conf->name, m->id.s, t.btid.s,
		    t.device_id.s);
		answer(m, q, NULL, REASON_LOCAL_UNKNOWN_KEY);
	} else {
		answer(m, q, json_object(), REASON_INTERNAL);
		extdev_use_begin(m);
	}
}

static void
on_request(struct rpc_req *q, const char *op, json_t *body, void *arg)
{
	struct extdev_mt *m = arg;
	struct localif_hello theirs, ours = extdev_local_hello(m);
	const char *bad = "";

	if (strcmp(op, LOCALIF_HELLO) == 0) {
		if (localif_hello_parse(body, &theirs, &bad) == RC_OK)
			answer(m, q, localif_hello_print(&ours), REASON_INTERNAL);
		else
			answer(m, q, NULL, REASON_LOCAL_BAD_MESSAGE);
	} else if (strcmp(op, LOCALIF_USE) == 0 && !m->e->stopping) {
		on_use(m, q, body);
	} else if (strcmp(op, LOCALIF_RENEW) == 0) {
		/* U4: answered before it begins; both leave with this turn, in this order */
		answer(m, q, m->e->stopping ? NULL : json_object(), REASON_STOPPING);
		if (!m->e->stopping)
			extdev_on_renew(m);
	} else {
		answer(m, q, NULL, REASON_LOCAL_UNSUPPORTED);
	}
}

/* --- the link's life */

/* It ended, or never came up. */
static void
down(struct extdev_mt *m, enum reason why, const char *detail)
{
	struct extdev_local *l = &m->local;

	(void)snprintf(l->detail, sizeof l->detail, "%s", detail);	/* it is the link's, and ends with it */
	link_free(l->link);
	rpc_free(l->rpc);
	l->link = NULL;
	l->rpc = NULL;
	l->state = EXTDEV_LINK_DOWN;
	if (m->e->stopping) {
		extdev_local_closed(m->e);
		return;
	}
	if (why == REASON_NONE)
		why = REASON_LOCAL_GONE;
	if (l->why != why)		/* once, not at each attempt */
		log_reason(why, "local: mt=%s address=%s: %s", m->conf->name, m->conf->address, l->detail);
	l->why = why;
	if ((why == REASON_LINK_SERIAL_OPEN || why == REASON_LINK_SERIAL_SILENT) && l->back_off_ms > BACK_OFF_SERIAL_MS)
		l->back_off_ms = BACK_OFF_SERIAL_MS;
	clock_timer_set(l->again, l->back_off_ms);
	l->back_off_ms = 2 * l->back_off_ms > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : 2 * l->back_off_ms;
	extdev_on_link_down(m, why, l->detail);
	extdev_use_on_link_down(m, why, l->detail);
}

static void
on_rpc_closed(struct rpc *r, enum reason why, const char *detail, void *arg)
{
	(void)r;
	down(arg, why, detail);
}

static void
on_link_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	(void)l;
	down(arg, why, detail);
}

static void
on_hello(void *arg, json_t *body, enum reason why, const json_t *error)
{
	struct extdev_mt *m = arg;
	struct localif_hello h = { 0 };
	const char *bad = "";

	(void)error;
	if (m->local.state != EXTDEV_LINK_HELLO || why == REASON_LOCAL_GONE)
		return;			/* on_rpc_closed follows */
	if (why == REASON_NONE && localif_hello_parse(body, &h, &bad) != RC_OK)
		why = REASON_LOCAL_BAD_ANSWER;
	if (why == REASON_NONE && h.version != LOCALIF_VERSION)
		why = REASON_EXT_MT_VERSION;
	if (why == REASON_NONE && (h.mt_id.s[0] == '\0' || h.role == LOCALIF_ROLE_DEVICE))
		why = REASON_EXT_NO_MT_ID;
	if (why != REASON_NONE) {
		m->local.back_off_ms = BACK_OFF_MAX_MS;		/* it will say the same again */
		down(m, why, bad);
		return;
	}
	log_info("local: mt=%s mt_id=%s: up", m->conf->name, h.mt_id.s);
	m->local.state = EXTDEV_LINK_UP;
	m->local.why = REASON_NONE;
	m->local.back_off_ms = BACK_OFF_MIN_MS;
	m->id = h.mt_id;
	(void)snprintf(m->local.challenge, sizeof m->local.challenge, "%s", h.challenge);
	extdev_on_link_up(m);
	extdev_use_on_link_up(m);
}

static void
on_link_up(struct link *link, void *arg)
{
	static const struct rpc_cb cb = { on_request, on_rpc_closed };
	struct extdev_mt *m = arg;
	struct localif_hello h = extdev_local_hello(m);
	json_t *body = localif_hello_print(&h);
	enum rc rc;

	if (rpc_new(link, m->e->s.clock, NULL, &cb, m, &m->local.rpc) != RC_OK) {
		json_decref(body);
		down(m, REASON_INTERNAL, "out of memory");
		return;
	}
	m->local.link = NULL;
	m->local.state = EXTDEV_LINK_HELLO;
	/* tells of nothing that is stored: needs no turn */
	rc = body == NULL ? RC_NOMEM : rpc_ask(m->local.rpc, LOCALIF_HELLO, body, on_hello, NULL, m);
	json_decref(body);
	if (rc != RC_OK && rc != RC_STATE)	/* STATE: its end is under way, and says why */
		down(m, REASON_INTERNAL, rc_str(rc));
}

void
extdev_local_dial(struct extdev_mt *m)
{
	static const struct link_cb cb = { .on_up = on_link_up, .on_closed = on_link_closed };
	struct link_options opt = extdev_local_options(m);
	struct extdev_local *l = &m->local;

	if (l->state != EXTDEV_LINK_DOWN || m->e->stopping)
		return;
	clock_timer_stop(l->again);
	l->state = EXTDEV_LINK_DIALLING;
	if (link_connect(m->e->s.net, m->conf->address, &opt, &cb, m, &l->link) != RC_OK) {
		l->back_off_ms = BACK_OFF_MAX_MS;
		down(m, REASON_INTERNAL, "it cannot be dialled");
	}
}

static void
on_again(void *arg)
{
	extdev_local_dial(arg);
}

enum rc
extdev_local_init(struct extdev_mt *m)
{
	LIST_INIT(&m->local.asks);
	m->local.back_off_ms = BACK_OFF_MIN_MS;
	return clock_timer_new(m->e->s.clock, on_again, m, &m->local.again);
}

void
extdev_local_stop(struct extdev_mt *m)
{
	clock_timer_stop(m->local.again);
	if (m->local.rpc != NULL) {
		rpc_close(m->local.rpc);
		return;
	}
	link_free(m->local.link);
	m->local.link = NULL;
	m->local.state = EXTDEV_LINK_DOWN;
	extdev_local_closed(m->e);
}

void
extdev_local_free(struct extdev_mt *m)
{
	rpc_free(m->local.rpc);
	link_free(m->local.link);
	clock_timer_free(m->local.again);
	while (!LIST_EMPTY(&m->local.asks))
		ask_free(LIST_FIRST(&m->local.asks));
}
