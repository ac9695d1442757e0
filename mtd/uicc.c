/*
 * One queue of users before one reader. Every callback to a user runs from the kick timer or from the reader's answer, so none
 * runs inside a call. The head of the queue has the card once it is ACTIVE; the next begins when the reader owes no answer.
 */
#include "mtd/uicc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/log.h"
#include "mtd/apdu.h"

#define ANSWER_TIMEOUT_MS 30000
#define FOLLOW_UPS_MAX 16		/* 61xx and 6Cxx behind one command */
#define ANSWER_MAX 1024

enum state { WAITING, ACTIVE, ENDED };

struct mt_uicc_session {
	struct mt_uicc *u;
	struct mt_uicc_cb cb;
	void *arg;
	enum state state;
	enum reason why;		/* ENDED, and not told yet */
	/* The command under way. */
	mt_uicc_on_answer *fn;
	void *fn_arg;
	struct mt_apdu cmd;
	unsigned follow_ups;
	uint8_t answer[ANSWER_MAX];
	size_t n;
	TAILQ_ENTRY(mt_uicc_session) entry;
};

struct mt_uicc {
	struct clock_timer *kick, *deadline;
	const struct mt_uicc_reader *ops;
	void *reader;
	int64_t answer_timeout_ms;
	bool in;
	bool owed;			/* the reader owes an answer */
	bool silent;			/* and has not given it in time */
	bool exclusive;
	uint64_t generation, apdus;
	void (*listen)(void *arg, bool in);
	void *listen_arg;
	uint64_t told;			/* generation whose insertion was told; 0 = none is told to be in */
	TAILQ_HEAD(, mt_uicc_session) queue;	/* WAITING, but for the head, which may be ACTIVE */
	TAILQ_HEAD(, mt_uicc_session) ended;	/* not ended by their user yet */
};

static void
kick(struct mt_uicc *u)
{
	clock_timer_set(u->kick, 0);
}

/* The session is over by itself: its user hears of it in the kick. */
static void
session_over(struct mt_uicc_session *s, enum reason why)
{
	TAILQ_REMOVE(&s->u->queue, s, entry);
	TAILQ_INSERT_TAIL(&s->u->ended, s, entry);
	s->state = ENDED;
	s->why = why;
	s->fn = NULL;
	kick(s->u);
}

static void
all_over(struct mt_uicc *u, enum reason why)
{
	while (!TAILQ_EMPTY(&u->queue))
		session_over(TAILQ_FIRST(&u->queue), why);
}

/* --- what the kick does */

/* Tell the listener what it does not know yet: a card that was changed has gone first. */
static void
tell_listener(struct mt_uicc *u)
{
	uint64_t now = u->in ? u->generation : 0;

	if (u->listen == NULL)
		return;
	if (u->told != 0 && u->told != now) {
		u->told = 0;
		u->listen(u->listen_arg, false);
	}
	now = u->in ? u->generation : 0;	/* the callback may have done anything */
	if (u->listen != NULL && u->told == 0 && now != 0) {
		u->told = now;
		u->listen(u->listen_arg, true);
	}
}

/* One per turn, as its user may free it and others. */
static bool
tell_ended(struct mt_uicc *u)
{
	struct mt_uicc_session *s;
	enum reason why;

	TAILQ_FOREACH(s, &u->ended, entry) {
		if (s->why == REASON_NONE)
			continue;
		why = s->why;
		s->why = REASON_NONE;
		s->cb.on_ended(s, why, s->arg);
		return true;
	}
	return false;
}

static void
set_exclusive(struct mt_uicc *u, bool on)
{
	if (u->exclusive == on)
		return;
	u->exclusive = on;
	if (u->ops->exclusive != NULL)
		u->ops->exclusive(u->reader, on);
}

static void
begin_next(struct mt_uicc *u)
{
	struct mt_uicc_session *s = TAILQ_FIRST(&u->queue);

	if (s != NULL && s->state == ACTIVE)
		return;
	if (!u->owed)
		set_exclusive(u, false);
	if (s == NULL)
		return;
	if (!u->in || u->silent) {
		all_over(u, u->in ? REASON_CARD_SILENT : REASON_CARD_NONE);
		return;
	}
	if (u->owed)		/* to a session that ended meanwhile; its answer kicks again */
		return;
	set_exclusive(u, true);
	s->state = ACTIVE;
	s->cb.on_begun(s, s->arg);
}

static void
on_kick(void *arg)
{
	struct mt_uicc *u = arg;

	tell_listener(u);
	if (tell_ended(u))
		kick(u);
	else
		begin_next(u);
}

/* --- for who uses the card */

enum rc
mt_uicc_begin(struct mt_uicc *u, const struct mt_uicc_cb *cb, void *arg, struct mt_uicc_session **out)
{
	struct mt_uicc_session *s;

	if ((s = calloc(1, sizeof *s)) == NULL)
		return RC_NOMEM;
	s->u = u;
	s->cb = *cb;
	s->arg = arg;
	TAILQ_INSERT_TAIL(&u->queue, s, entry);
	kick(u);
	*out = s;
	return RC_OK;
}

/* Hand s->cmd to the reader. */
static void
to_reader(struct mt_uicc_session *s)
{
	struct mt_uicc *u = s->u;

	u->owed = true;
	u->apdus++;
	clock_timer_set(u->deadline, u->answer_timeout_ms);
	if (u->ops->transmit(u->reader, (struct span){ s->cmd.b, s->cmd.n }) == RC_OK)
		return;
	u->owed = false;
	clock_timer_stop(u->deadline);
	session_over(s, REASON_CARD_BROKEN);
}

enum rc
mt_uicc_transmit(struct mt_uicc_session *s, struct span apdu, mt_uicc_on_answer *fn, void *arg)
{
	if (s->state != ACTIVE || s->fn != NULL)
		return RC_STATE;
	if (apdu.n < 4 || apdu.n > sizeof s->cmd.b)
		return RC_RANGE;
	memcpy(s->cmd.b, apdu.p, apdu.n);
	s->cmd.n = apdu.n;
	s->fn = fn;
	s->fn_arg = arg;
	s->follow_ups = 0;
	s->n = 0;
	to_reader(s);
	return RC_OK;
}

/* APDUs and answers have held RES, CK and IK. */
static void
session_free(struct mt_uicc_session *s)
{
	explicit_bzero(s, sizeof *s);
	free(s);
}

void
mt_uicc_end(struct mt_uicc_session *s)
{
	struct mt_uicc *u;

	if (s == NULL)
		return;
	u = s->u;
	if (s->state == ENDED) {
		TAILQ_REMOVE(&u->ended, s, entry);
	} else {
		TAILQ_REMOVE(&u->queue, s, entry);
		kick(u);
	}
	session_free(s);
}

bool
mt_uicc_present(const struct mt_uicc *u)
{
	return u->in;
}

uint64_t
mt_uicc_generation(const struct mt_uicc *u)
{
	return u->generation;
}

void
mt_uicc_listen(struct mt_uicc *u, void (*fn)(void *arg, bool in), void *arg)
{
	u->listen = fn;
	u->listen_arg = arg;
	u->told = 0;
	kick(u);
}

uint64_t
mt_uicc_apdus(const struct mt_uicc *u)
{
	return u->apdus;
}

/* --- for who is a reader */

static void
on_deadline(void *arg)
{
	struct mt_uicc *u = arg;

	u->silent = true;		/* until the answer comes after all, or the card is taken out */
	all_over(u, REASON_CARD_SILENT);
}

enum rc
mt_uicc_new(struct clock *clock, const struct mt_uicc_reader *ops, void *reader, int64_t answer_timeout_ms, struct mt_uicc **out)
{
	struct mt_uicc *u;
	enum rc rc = RC_NOMEM;

	if ((u = calloc(1, sizeof *u)) == NULL)
		goto out;
	TAILQ_INIT(&u->queue);
	TAILQ_INIT(&u->ended);
	u->ops = ops;
	u->answer_timeout_ms = answer_timeout_ms > 0 ? answer_timeout_ms : ANSWER_TIMEOUT_MS;
	if ((rc = clock_timer_new(clock, on_kick, u, &u->kick)) != RC_OK)
		goto out;
	if ((rc = clock_timer_new(clock, on_deadline, u, &u->deadline)) != RC_OK)
		goto out;
	u->reader = reader;
	*out = u;
	u = NULL;
out:
	mt_uicc_free(u);
	return rc;
}

void
mt_uicc_free(struct mt_uicc *u)
{
	if (u == NULL)
		return;
	if (!TAILQ_EMPTY(&u->queue) || !TAILQ_EMPTY(&u->ended))
		log_fatal("uicc: freed with sessions");
	clock_timer_free(u->kick);
	clock_timer_free(u->deadline);
	if (u->reader != NULL)
		u->ops->free(u->reader);
	free(u);
}

const char *
mt_uicc_kind(const struct mt_uicc *u)
{
	return u->ops->kind != NULL ? u->ops->kind : "";
}

const char *
mt_uicc_name(const struct mt_uicc *u)
{
	return u->ops->name != NULL ? u->ops->name(u->reader) : "";
}

enum rc
mt_uicc_insert(struct mt_uicc *u, const char *image_path, void (*fn)(void *arg, enum rc rc), void *arg)
{
	return u->ops->insert != NULL ? u->ops->insert(u->reader, image_path, fn, arg) : RC_STATE;
}

enum rc
mt_uicc_eject(struct mt_uicc *u)
{
	if (u->ops->eject == NULL)
		return RC_STATE;
	if (!u->in && mt_uicc_name(u)[0] == '\0')
		return RC_NOTFOUND;
	u->ops->eject(u->reader);
	return RC_OK;
}

void *
mt_uicc_reader(const struct mt_uicc *u)
{
	return u->reader;
}

/* What a status word asks for before the user hears of it; true: s->cmd is the next command. */
static bool
follow_up(struct mt_uicc_session *s, uint16_t sw)
{
	unsigned le = sw & 0xff;

	switch (sw >> 8) {
	case 0x61:		/* ETSI TS 102 221 7.3.1.1: that many octets wait */
		mt_apdu_get_response(le == 0 ? 256 : le, &s->cmd);
		return true;
	case 0x6c:
		return mt_apdu_with_le(&s->cmd, (uint8_t)le) == RC_OK;
	default:
		return false;
	}
}

static void
session_answered(struct mt_uicc_session *s, enum rc rc, struct span answer)
{
	mt_uicc_on_answer *fn = s->fn;
	struct span data;
	uint16_t sw;

	if (rc != RC_OK || answer.n < 2 || !span_take(&answer, answer.n - 2, &data) || !span_u16(&answer, &sw) ||
	    data.n > sizeof s->answer - s->n) {
		session_over(s, REASON_CARD_BROKEN);
		return;
	}
	if (data.n > 0)
		memcpy(s->answer + s->n, data.p, data.n);
	s->n += data.n;
	if (follow_up(s, sw)) {
		if (++s->follow_ups > FOLLOW_UPS_MAX)
			session_over(s, REASON_CARD_BROKEN);
		else
			to_reader(s);
		return;
	}
	s->fn = NULL;		/* the callback may transmit again, or end the session */
	fn(s->fn_arg, (struct span){ s->answer, s->n }, sw);
}

void
mt_uicc_answered(struct mt_uicc *u, enum rc rc, struct span answer)
{
	struct mt_uicc_session *s = TAILQ_FIRST(&u->queue);

	if (!u->owed) {
		log_warn("uicc: an answer that nobody asked for");
		return;
	}
	u->owed = u->silent = false;
	clock_timer_stop(u->deadline);
	if (s != NULL && s->state == ACTIVE && s->fn != NULL)
		session_answered(s, rc, answer);
	else
		kick(u);	/* whose it was has ended; the next may begin */
}

void
mt_uicc_card(struct mt_uicc *u, bool in)
{
	if (u->in == in)
		return;
	u->in = in;
	if (in) {
		u->generation++;
		if (u->owed)		/* for the card that went; who begins now shall not wait for ever */
			clock_timer_set(u->deadline, u->answer_timeout_ms);
	} else {
		u->silent = false;
		all_over(u, REASON_CARD_NONE);
	}
	kick(u);
}
