/* `use` on a channel, which it turns into a tunnel's (U2); and what we ask of devices (U1, U4). */
#include <stdlib.h>
#include <string.h>

#include "common/link.h"
#include "common/log.h"
#include "common/turn.h"
#include "mtd/local_impl.h"
#include "mtd/policy.h"
#include "mtd/use.h"

#define RETRY_S 5		/* where waiting helps */
#define STATE_S 10		/* the Key Center has said something by then, or is away */

/* A `use` under way. Its conversation may end before it does. */
struct mt_channel {
	LIST_ENTRY(mt_channel) all;
	struct mt_local *l;
	struct rpc_req *q;
	struct mt_origin from;
	struct triple triple;
	uint64_t lines;			/* had come by then */
	bool told;			/* why holds */
	enum reason why;
};

static void
channel_free(struct mt_channel *c)
{
	LIST_REMOVE(c, all);
	free(c);
}

/* The ok is written: the channel's last plain octets. */
static void
hand_over(struct mt_session *s, const struct mt_channel *c)
{
	struct mt_local *l = s->l;
	struct link *link;

	if (rpc_detach(s->rpc, &link) != RC_OK) {
		log_reason(REASON_LOCAL_BAD_MESSAGE, "local: link=%s conn=%s: use: the channel is not quiet", c->from.link, c->from.conn);
		rpc_close(s->rpc);
		return;
	}
	s->rpc = NULL;
	mt_session_end(s);
	mt_use_take(l->use, link, &c->triple, &c->from);
}

/* U2: what was sent behind `use` could be taken for something said inside: the channel is closed. */
static void
send_crowded(struct mt_session *s, const struct mt_channel *c)
{
	log_reason(REASON_LOCAL_BAD_MESSAGE, "local: link=%s conn=%s: octets behind use, or a request before it that has no answer yet",
	    c->from.link, c->from.conn);
	rpc_fail(c->q, REASON_LOCAL_BAD_MESSAGE, 0, "use: the channel is not quiet");
	rpc_close(s->rpc);
}

static void
send_answer(void *arg, enum rc rc)
{
	struct mt_channel *c = arg;
	struct mt_session *s = mt_session_of(c->l, c->q);

	if (s != NULL)
		s->use = NULL;
	if (s != NULL && (rpc_lines(s->rpc) != c->lines || !rpc_is_quiet(s->rpc))) {
		send_crowded(s, c);
	} else if (rc != RC_OK) {
		rpc_fail(c->q, REASON_NOT_DURABLE, 1, NULL);
	} else if (c->why != REASON_NONE) {
		rpc_fail(c->q, c->why, strcmp(reason_get(c->why)->local, "busy") == 0 ? RETRY_S : 0, NULL);
	} else {
		rpc_ok(c->q, NULL);
		if (s != NULL)
			hand_over(s, c);
	}
	channel_free(c);
}

static void
on_may(void *arg, enum reason why)
{
	struct mt_channel *c = arg;

	if (why != REASON_NONE)
		log_reason(why, "local: link=%s conn=%s device_id=%s btid=%s: use", c->from.link, c->from.conn, c->triple.device_id.s,
		    c->triple.btid.s);
	c->told = true;
	c->why = why;
	turn_later(c->l->s->turn, send_answer, c);
}

static void
on_progress(void *arg, const char *word, int64_t wait_s)
{
	const struct mt_channel *c = arg;

	mt_local_word(c->l, c->q, word, wait_s);
}

static void
run_use(void *arg)
{
	struct mt_channel *c = arg;

	mt_use_ask(c->l->use, &c->triple, on_may, c);
	if (!c->told)
		on_progress(c, LOCALIF_WAIT_STATE, STATE_S);
}

void
mt_local_do_use(struct mt_session *s, struct rpc_req *q, json_t *body)
{
	struct mt_channel *c;
	struct triple t;
	const char *bad = "";

	if (localif_triple_parse(body, &t, &bad) != RC_OK) {
		log_reason(REASON_LOCAL_BAD_MESSAGE, "local: link=%s: use: %s", s->from.link, bad);
		mt_local_refuse(s->l, q, REASON_LOCAL_BAD_MESSAGE, bad);
		return;
	}
	if ((c = calloc(1, sizeof *c)) == NULL) {
		mt_local_refuse(s->l, q, REASON_INTERNAL, "");
		return;
	}
	*c = (struct mt_channel){ .l = s->l, .q = q, .from = s->from, .triple = t, .lines = rpc_lines(s->rpc) };
	LIST_INSERT_HEAD(&s->l->channels, c, all);
	s->use = c;
	mt_gba_when_settled(s->l->g, run_use, on_progress, c);
}

void
mt_local_drop_channels(struct mt_local *l)
{
	struct mt_channel *c;

	while ((c = LIST_FIRST(&l->channels)) != NULL) {
		mt_local_refuse(l, c->q, REASON_STOPPING, "");
		channel_free(c);
	}
}

/* --- what we ask */

/* The oldest that said that it is this device: later ones are channels on their way to be a tunnel's. */
static struct mt_session *
messages_of(struct mt_local *l, const struct device_id *id)
{
	struct mt_session *s, *oldest = NULL;

	LIST_FOREACH(s, &l->sessions, all) {		/* the newest first */
		if (strcmp(s->device_id.s, id->s) == 0)
			oldest = s;
	}
	return oldest;
}

enum rc
mt_local_ask(void *local, const struct device_id *id, const char *op, json_t *body, rpc_answer_fn *fn, void *arg)
{
	struct mt_session *s = messages_of(local, id);

	if (s == NULL || s->use != NULL)
		return RC_NOTFOUND;
	return rpc_ask(s->rpc, op, body, fn, NULL, arg);
}

void
mt_local_invite(struct mt_local *l, const struct device_id *id, mt_invited_fn *fn, void *arg)
{
	mt_invite(l->invites, id, fn, arg);
}

/* K11: a B-TID is told only to a Device_ID that is admitted. */
static bool
is_admitted(struct mt_local *l, const struct device_id *id)
{
	enum mt_decision d;

	return mt_store_get_decision(l->s->store, id, &d) == RC_OK && mt_policy_admission(l->conf, id, d) == MT_ADMIT;
}

void
mt_local_greet(struct mt_session *s)
{
	struct mt_local *l = s->l;

	if (!s->conf->use_on_connect || l->stopping || s->device_id.s[0] == '\0' || messages_of(l, &s->device_id) != s ||
	    !is_admitted(l, &s->device_id))
		return;
	mt_invite(l->invites, &s->device_id, NULL, NULL);
}
