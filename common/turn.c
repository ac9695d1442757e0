#include "common/turn.h"

#include <stddef.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/store.h"

#define ROUNDS_MAX 1000		/* more is an outbox that feeds itself for ever */

struct waiting {
	void (*fn)(void *arg, enum rc rc);
	void *arg;
};

struct outbox {
	struct waiting *v;
	size_t n, cap;
};

struct turn {
	struct store *store;
	struct outbox box;
	bool healthy;
};

enum rc
turn_new(struct store *st, struct turn **out)
{
	struct turn *t = calloc(1, sizeof *t);

	if (t == NULL)
		return RC_NOMEM;
	t->store = st;
	t->healthy = true;
	*out = t;
	return RC_OK;
}

void
turn_free(struct turn *t)
{
	if (t == NULL)
		return;
	free(t->box.v);
	free(t);
}

void
turn_later(struct turn *t, void (*fn)(void *arg, enum rc rc), void *arg)
{
	struct outbox *b = &t->box;

	if (b->n == b->cap) {
		size_t cap = b->cap == 0 ? 64 : 2 * b->cap;
		struct waiting *v = realloc(b->v, cap * sizeof *v);

		if (v == NULL)
			log_fatal("turn: out of memory with answers waiting");
		b->v = v;
		b->cap = cap;
	}
	b->v[b->n++] = (struct waiting){ fn, arg };
}

/* Says it when a commit fails, and when one works again. A turn that had nothing to commit proves nothing. */
static enum rc
commit(struct turn *t)
{
	struct store_stats was, now;
	enum rc rc;

	log_flush();		/* no answer leaves before its lines */
	if (t->store == NULL)
		return RC_OK;
	store_get_stats(t->store, &was);
	rc = store_commit(t->store);
	store_get_stats(t->store, &now);
	if (rc != RC_OK && t->healthy)
		log_reason(REASON_NOT_DURABLE, "turn: %zu answers become refusals", t->box.n);
	else if (rc == RC_OK && !t->healthy && now.commits > was.commits)
		log_info("turn: the store commits again");
	if (rc != RC_OK)
		t->healthy = false;
	else if (now.commits > was.commits)
		t->healthy = true;
	return rc;
}

void
turn_end(struct turn *t)
{
	unsigned rounds = 0;

	do {
		enum rc rc = commit(t);
		struct outbox b = t->box;

		t->box = (struct outbox){ 0 };
		for (size_t i = 0; i < b.n; i++)
			b.v[i].fn(b.v[i].arg, rc);
		/* Mostly nothing came in meanwhile: keep the array for the next turn. */
		if (t->box.v == NULL) {
			b.n = 0;
			t->box = b;
		} else {
			free(b.v);
		}
		if (++rounds > ROUNDS_MAX)
			log_fatal("turn: the outbox feeds itself");
	} while (t->box.n > 0);
	/* What the outbox's last round wrote. */
	(void)!commit(t);
}

bool
turn_healthy(const struct turn *t)
{
	return t->healthy;
}
