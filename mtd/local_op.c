/* The operations of the local interface, and how their answers leave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/trace.h"
#include "common/turn.h"
#include "mtd/ask.h"
#include "mtd/local_impl.h"
#include "mtd/use.h"

#define LIVE_RETRY_S 30		/* K13 */

/* A request under way. The conversation it came on may end before it does. */
struct mt_op {
	LIST_ENTRY(mt_op) all;
	struct mt_local *l;
	struct rpc_req *q;
	struct mt_origin from;
	void (*admitted)(void *op);	/* info, derive: what is done once the device may ask */
	union {
		struct localif_info info;
		struct mt_derive derive;
		struct localif_complete complete;
	} m;
};

static void
op_free(struct mt_op *op)
{
	if (op == NULL)
		return;
	LIST_REMOVE(op, all);
	free(op);
}

/* --- answers leave with the turn */

struct answer {
	struct rpc_req *q;
	struct mt_outcome o;
	char detail[160];
	json_t *body;
};

static void
send_answer(void *arg, enum rc rc)
{
	struct answer *a = arg;

	if (rc != RC_OK) {
		json_decref(a->body);
		rpc_fail(a->q, REASON_NOT_DURABLE, 1, NULL);
	} else if (a->o.why == REASON_NONE) {
		rpc_ok(a->q, a->body);
	} else if (a->detail[0] != '\0') {
		rpc_fail(a->q, a->o.why, a->o.retry_after_s, "%s: %s", reason_get(a->o.why)->what, a->detail);
	} else {
		rpc_fail(a->q, a->o.why, a->o.retry_after_s, NULL);
	}
	free(a);
}

/* Steals body, which is NULL unless done. Memory out ends the process: somebody waits for this. */
static void
answer(struct mt_local *l, struct rpc_req *q, const struct mt_outcome *o, json_t *body)
{
	struct answer *a = calloc(1, sizeof *a);

	if (a == NULL)
		log_fatal("local: out of memory");
	a->q = q;
	a->o = *o;
	(void)snprintf(a->detail, sizeof a->detail, "%s", o->detail);
	a->o.detail = NULL;
	a->body = body;
	turn_later(l->s->turn, send_answer, a);
}

static void
answer_ok(struct mt_local *l, struct rpc_req *q, json_t *body)
{
	struct mt_outcome o = { body != NULL ? REASON_NONE : REASON_INTERNAL, 0, "" };

	answer(l, q, &o, body);
}

void
mt_local_refuse(struct mt_local *l, struct rpc_req *q, enum reason why, const char *detail)
{
	struct mt_outcome o = { why, 0, detail };

	answer(l, q, &o, NULL);
}

struct word {
	struct rpc_req *q;
	const char *word;
	int64_t wait_s;
};

static void
send_word(void *arg, enum rc rc)
{
	struct word *w = arg;

	(void)rc;	/* it tells of nothing that was stored */
	rpc_progress(w->q, w->word, w->wait_s);
	free(w);
}

/* Before the answer in the same outbox, so q is valid still. */
void
mt_local_word(struct mt_local *l, struct rpc_req *q, const char *word, int64_t wait_s)
{
	struct word *w = malloc(sizeof *w);

	if (w == NULL)
		return;
	*w = (struct word){ q, word, wait_s };
	turn_later(l->s->turn, send_word, w);
}

static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	const struct mt_op *op = arg;

	mt_local_word(op->l, op->q, word, wait_s);
}

/* --- operations */

struct mt_session *
mt_session_of(struct mt_local *l, struct rpc_req *q)
{
	struct rpc *r = rpc_req_rpc(q);
	struct mt_session *s;

	LIST_FOREACH(s, &l->sessions, all) {
		if (r != NULL && s->rpc == r)
			return s;
	}
	return NULL;
}

static void
trace_answer(struct mt_local *l, const char *run, const char *device_id, int scenario, int step, const char *from, const char *to,
    const char *msg, const char *btid, const char *naf_id, const char *result)
{
	struct trace_event e = {
		.run = run, .scenario = scenario, .step = step, .from = from, .to = to, .msg = msg, .btid = btid, .naf_id = naf_id,
		.device_id = device_id, .result = result
	};

	trace_emit(l->s->trace, &e);
}

static void
do_hello(struct mt_session *s, struct rpc_req *q, json_t *body)
{
	struct localif_hello m, mine = { .version = LOCALIF_VERSION, .role = LOCALIF_ROLE_MT, .mt_id = s->l->id };
	const char *bad = "";

	if (localif_hello_parse(body, &m, &bad) != RC_OK) {
		mt_local_refuse(s->l, q, REASON_LOCAL_BAD_MESSAGE, bad);
		return;
	}
	if (m.role == LOCALIF_ROLE_MT) {
		mt_local_refuse(s->l, q, REASON_LOCAL_BAD_MESSAGE, "role: two MTs cannot talk");
		return;
	}
	if (m.version != LOCALIF_VERSION) {
		mt_local_refuse(s->l, q, REASON_LOCAL_UNSUPPORTED, "version: 1 is what there is");
		return;
	}
	memcpy(mine.challenge, s->challenge, sizeof s->challenge);
	if (m.device_id.s[0] != '\0')
		s->device_id = m.device_id;
	answer_ok(s->l, q, localif_hello_print(&mine));
	mt_local_greet(s);
}

/* seed 8.3.1 steps 3 and 4, 8.3.2 steps 3 and 4 */
static void
run_info(void *arg)
{
	struct mt_op *op = arg;
	struct mt_local *l = op->l;
	const struct localif_info *m = &op->m.info;
	struct localif_info_ok told = { .n_naf_ids = 0 };
	struct mt_session *s = mt_session_of(l, op->q);
	int scenario;

	if (mt_gba_info(l->g, m, &told.btid) != RC_OK) {
		mt_local_refuse(l, op->q, REASON_INTERNAL, "");
		op_free(op);
		return;
	}
	told.n_naf_ids = mt_gba_nafs(l->g, told.naf_ids);
	if (s != NULL) {
		s->asked_info = true;
		s->shown = told.btid;
	}
	scenario = told.btid.s[0] != '\0' ? 2 : 1;
	trace_answer(l, m->run.s, m->device_id.s, scenario, 3, "mtd", "mtd", "valid Ks?", told.btid.s, "", scenario == 2 ? "yes" : "no");
	trace_answer(l, m->run.s, m->device_id.s, scenario, 4, "mtd", "extdevd", "info answer", told.btid.s, "", "ok");
	answer_ok(l, op->q, localif_info_ok_print(&told));
	op_free(op);
}

/* seed 8.3.1 step 10, 8.3.2 step 8 */
static void
on_derived(void *arg, const struct mt_outcome *o, const struct mt_derived *d)
{
	struct mt_op *op = arg;
	struct mt_local *l = op->l;
	const struct localif_derive *ask = &op->m.derive.ask;
	struct localif_derive_ok told = { .naf_id = ask->naf_id };
	char naf[NAF_ID_TEXT_MAX + 1];
	bool optimised = ask->btid.s[0] != '\0';

	naf_id_print(&ask->naf_id, naf);
	trace_answer(l, ask->run.s, ask->device_id.s, optimised ? 2 : 1, optimised ? 8 : 10, "mtd", "extdevd", "derive answer",
	    d != NULL ? d->btid.s : "", naf, d != NULL ? "ok" : reason_get(o->why)->code);
	if (d == NULL) {
		answer(l, op->q, o, NULL);
		op_free(op);
		return;
	}
	told.btid = d->btid;
	(void)snprintf(told.challenge, sizeof told.challenge, "%s", d->challenge);
	answer_ok(l, op->q, localif_derive_ok_print(&told));
	op_free(op);
}

static void
on_claimed(void *arg, enum reason why)
{
	struct mt_op *op = arg;
	struct mt_outcome o = { why, LIVE_RETRY_S, "" };

	if (why == REASON_NONE)
		mt_gba_derive(op->l->g, &op->m.derive, on_derived, on_progress, op);
	else
		on_derived(op, &o, NULL);
}

static void
run_derive(void *arg)
{
	struct mt_op *op = arg;
	const struct mt_session *s = mt_session_of(op->l, op->q);
	struct mt_claim claim = { .device_id = op->m.derive.ask.device_id, .from = op->from };

	op->m.derive.from = op->from;
	memcpy(claim.holds, op->m.derive.ask.holds, sizeof claim.holds);
	if (s != NULL) {
		op->m.derive.asked_info = s->asked_info;
		op->m.derive.shown = s->shown;
		memcpy(claim.challenge, s->challenge, sizeof s->challenge);
	}
	mt_use_claim(op->l->use, &claim, on_claimed, op);
}

static void
run_complete(void *arg)
{
	struct mt_op *op = arg;
	struct localif_complete_ok told = { .proof = "" };
	enum reason why = mt_gba_complete(op->l->g, &op->m.complete, told.proof);
	struct mt_session *s;

	if (why == REASON_NONE) {
		answer_ok(op->l, op->q, localif_complete_ok_print(&told));
		mt_use_recheck(op->l->use);	/* tunnels on the pair's older key */
		if ((s = mt_session_of(op->l, op->q)) != NULL)
			mt_local_greet(s);
	} else {
		log_reason(why, "local: link=%s device_id=%s btid=%s: complete", op->from.link, op->m.complete.triple.device_id.s,
		    op->m.complete.triple.btid.s);
		mt_local_refuse(op->l, op->q, why, "");
	}
	op_free(op);
}

/* The user had a word, where there was something to ask: now the card. */
static void
on_user(void *arg, enum reason why)
{
	struct mt_op *op = arg;

	if (why == REASON_NONE) {
		mt_gba_when_settled(op->l->g, op->admitted, on_progress, op);
		return;
	}
	mt_local_refuse(op->l, op->q, why, "");
	op_free(op);
}

static void
when_admitted(struct mt_op *op, const struct device_id *id, void (*fn)(void *op))
{
	op->admitted = fn;
	mt_ask_device(mt_gba_ask(op->l->g), id, op->from.link, on_user, on_progress, op);
}

/* A request that a struct was read from; NULL when memory is out, and answered. */
static struct mt_op *
op_new(struct mt_session *s, struct rpc_req *q)
{
	struct mt_op *op = calloc(1, sizeof *op);

	if (op == NULL) {
		mt_local_refuse(s->l, q, REASON_INTERNAL, "");
		return NULL;
	}
	op->l = s->l;
	op->q = q;
	op->from = s->from;
	LIST_INSERT_HEAD(&s->l->ops, op, all);
	return op;
}

static void
refuse_form(struct mt_session *s, struct rpc_req *q, struct mt_op *op, const char *bad)
{
	op_free(op);
	log_reason(REASON_LOCAL_BAD_MESSAGE, "local: link=%s: %s", s->from.link, bad);
	mt_local_refuse(s->l, q, REASON_LOCAL_BAD_MESSAGE, bad);
}

static void
do_info(struct mt_session *s, struct rpc_req *q, json_t *body)
{
	struct mt_op *op = op_new(s, q);
	const char *bad = "";

	if (op == NULL)
		return;
	if (localif_info_parse(body, &op->m.info, &bad) != RC_OK) {
		refuse_form(s, q, op, bad);
		return;
	}
	if (op->m.info.device_id.s[0] != '\0')
		s->device_id = op->m.info.device_id;
	when_admitted(op, &op->m.info.device_id, run_info);
}

static void
do_derive(struct mt_session *s, struct rpc_req *q, json_t *body)
{
	struct mt_op *op = op_new(s, q);
	const char *bad = "";

	if (op == NULL)
		return;
	if (localif_derive_parse(body, &op->m.derive.ask, &bad) != RC_OK) {
		refuse_form(s, q, op, bad);
		return;
	}
	s->device_id = op->m.derive.ask.device_id;
	when_admitted(op, &op->m.derive.ask.device_id, run_derive);
}

static void
do_complete(struct mt_session *s, struct rpc_req *q, json_t *body)
{
	struct mt_op *op = op_new(s, q);
	const char *bad = "";

	if (op == NULL)
		return;
	if (localif_complete_parse(body, &op->m.complete, &bad) != RC_OK) {
		refuse_form(s, q, op, bad);
		return;
	}
	mt_gba_when_settled(s->l->g, run_complete, on_progress, op);
}

/* K5: only inside a tunnel on the newer key (use_forget.c). */
static void
do_forget(struct mt_session *s, struct rpc_req *q, json_t *body)
{
	struct triple t;
	const char *bad = "";

	if (localif_triple_parse(body, &t, &bad) != RC_OK) {
		refuse_form(s, q, NULL, bad);
		return;
	}
	log_reason(REASON_MT_FORGET_PLAIN, "local: link=%s device_id=%s", s->from.link, t.device_id.s);
	mt_local_refuse(s->l, q, REASON_MT_FORGET_PLAIN, "");
}

void
mt_local_drop_ops(struct mt_local *l)
{
	struct mt_op *op;

	while ((op = LIST_FIRST(&l->ops)) != NULL) {
		mt_local_refuse(l, op->q, REASON_STOPPING, "");
		op_free(op);
	}
}

void
mt_local_on_request(struct rpc_req *q, const char *name, json_t *body, void *session)
{
	static const struct {
		const char *name;
		void (*fn)(struct mt_session *s, struct rpc_req *q, json_t *body);
	} ops[] = {
		{ LOCALIF_HELLO, do_hello }, { LOCALIF_INFO, do_info }, { LOCALIF_DERIVE, do_derive },
		{ LOCALIF_COMPLETE, do_complete }, { LOCALIF_FORGET, do_forget }, { LOCALIF_USE, mt_local_do_use },
	};
	struct mt_session *s = session;

	if (s->l->stopping) {
		mt_local_refuse(s->l, q, REASON_STOPPING, "");
		return;
	}
	if (s->use != NULL) {		/* U2: nothing may come before its answer */
		mt_local_refuse(s->l, q, REASON_LOCAL_BAD_MESSAGE, "use waits for its answer");
		return;
	}
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		if (strcmp(ops[i].name, name) == 0) {
			ops[i].fn(s, q, body);
			return;
		}
	}
	mt_local_refuse(s->l, q, REASON_LOCAL_UNSUPPORTED, "");
}
