/* link_join: see the door plate. Each direction has two parts: what waits in the one link's input, and what the other has not sent yet. */
#include "common/link_join.h"

#include <stdlib.h>

#define BUFFER (256 * 1024)

struct side {
	struct link *l;			/* NULL: gone */
	struct link_join *j;
	bool eof, told;			/* it sends no more; the other side's peer was told so */
	uint64_t sent;			/* octets that came from here */
};

struct link_join {
	struct side side[2];
	size_t out_max;			/* octets that one side has not sent yet, before the other's wait in its input */
	enum reason why;		/* the first that was not in good order */
	void (*on_end)(struct link_join *j, enum reason why, const struct link_join_stats *st, void *arg);
	void *arg;
};

static struct side *
other(struct side *s)
{
	return s == &s->j->side[0] ? &s->j->side[1] : &s->j->side[0];
}

/*
 * What came from s, as far as the other takes it. While one part drains, the other one fills: on_drained comes when all of the
 * one has left, and finds the other ready. A link that takes nothing any more says on_closed by itself.
 */
static void
move(struct side *s)
{
	struct side *o = other(s);
	struct span in;
	size_t unsent;

	if (s->l == NULL || o->l == NULL)
		return;
	while ((in = link_input(s->l)).n > 0) {
		if ((unsent = link_unsent(o->l)) >= s->j->out_max)
			return;
		if (in.n > s->j->out_max - unsent)
			in.n = s->j->out_max - unsent;
		if (link_write(o->l, in) != RC_OK)
			return;
		link_drain(s->l, in.n);
		s->sent += in.n;
	}
	if (s->eof && !s->told) {
		s->told = true;
		if (link_shutdown(o->l) != RC_OK)
			link_close(o->l);
	}
}

static void
on_data(struct link *l, void *arg)
{
	(void)l;
	move(arg);
}

static void
on_drained(struct link *l, void *arg)
{
	(void)l;
	move(other(arg));
}

static void
on_eof(struct link *l, void *arg)
{
	struct side *s = arg;

	(void)l;
	s->eof = true;
	move(s);
}

static void
on_closed(struct link *l, enum reason why, const char *detail, void *arg)
{
	struct side *s = arg, *o = other(s);
	struct link_join *j = s->j;
	struct link_join_stats st;

	(void)detail;
	if (j->why == REASON_NONE)
		j->why = why;
	if (o->l != NULL && why != REASON_NONE) {
		link_reset(o->l);
		o->l = NULL;
	} else if (o->l != NULL && !(s->eof && o->eof)) {	/* it is gone for both directions */
		s->eof = true;
		move(s);
		link_close(o->l);
	}
	link_free(l);
	s->l = NULL;
	if (o->l != NULL)
		return;
	link_join_get_stats(j, &st);
	j->on_end(j, j->why, &st, j->arg);
	free(j);
}

enum rc
link_join_new(struct link *a, struct link *b, size_t buffer,
    void (*on_end)(struct link_join *j, enum reason why, const struct link_join_stats *st, void *arg), void *arg, struct link_join **out)
{
	static const struct link_cb cb = { .on_data = on_data, .on_drained = on_drained, .on_eof = on_eof, .on_closed = on_closed };
	struct link_join *j = calloc(1, sizeof *j);

	if (j == NULL)
		return RC_NOMEM;
	if (buffer == 0)
		buffer = BUFFER;
	j->out_max = buffer > 1 ? buffer / 2 : 1;
	j->on_end = on_end;
	j->arg = arg;
	j->side[0] = (struct side){ .l = a, .j = j, .eof = link_at_eof(a) };
	j->side[1] = (struct side){ .l = b, .j = j, .eof = link_at_eof(b) };
	for (int i = 0; i < 2; i++) {
		link_set_cb(j->side[i].l, &cb, &j->side[i]);
		link_set_input_limit(j->side[i].l, buffer);
	}
	move(&j->side[0]);
	move(&j->side[1]);
	*out = j;
	return RC_OK;
}

void
link_join_cut(struct link_join *j)
{
	if (j == NULL)
		return;
	link_reset(j->side[0].l);
	link_reset(j->side[1].l);
	free(j);
}

void
link_join_get_stats(const struct link_join *j, struct link_join_stats *out)
{
	*out = (struct link_join_stats){ .a_to_b = j->side[0].sent, .b_to_a = j->side[1].sent };
}
