#include "common/store.h"

#include <time.h>

#include "common/log.h"
#include "common/seal.h"
#include "common/store_int.h"

enum rc
store_complain(struct store *st, const char *doing)
{
	log_error("store: %s: %s (%d)", doing, sqlite3_errmsg(st->db), sqlite3_extended_errcode(st->db));
	return RC_IO;
}

static enum rc
run(struct store *st, enum own i)
{
	int r = sqlite3_step(st->own[i]);

	sqlite3_reset(st->own[i]);
	return r == SQLITE_DONE ? RC_OK : RC_IO;
}

struct sqlite3_stmt *
store_stmt(struct store *st, size_t i)
{
	sqlite3_stmt *s;

	if (i >= st->schema->n_sql)
		log_fatal("store: no statement %zu", i);
	/* a turn's reads share one transaction: each by itself would lock, look for news and unlock */
	if (!st->open && !st->reading)
		st->reading = run(st, OWN_READ) == RC_OK;
	s = st->stmt[i];
	if (!st->was_used[i]) {
		st->was_used[i] = true;
		st->used[st->n_used++] = i;
	}
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return s;
}

/* --- transactions */

/* A statement left in mid-row would hold the WAL. */
static void
reset_all(struct store *st)
{
	while (st->n_used > 0) {
		size_t i = st->used[--st->n_used];

		st->was_used[i] = false;
		if (sqlite3_stmt_busy(st->stmt[i]))
			sqlite3_reset(st->stmt[i]);
	}
}

/* It may have written outside of begin and end. If that is lost, whoever wrote it hears so by the turn's commit. */
static enum rc
end_reading(struct store *st)
{
	if (!st->reading)
		return RC_OK;
	st->reading = false;
	if (run(st, OWN_COMMIT) == RC_OK)
		return RC_OK;
	store_complain(st, "end of reading");
	if (!sqlite3_get_autocommit(st->db) && run(st, OWN_ROLLBACK) != RC_OK)
		store_complain(st, "rollback");
	st->open = st->broken = true;
	return RC_IO;
}

/* A full disk or a failing one makes SQLite roll the whole transaction back; what earlier requests wrote is gone with it. */
static bool
lost(struct store *st)
{
	if (st->open && !st->broken && sqlite3_get_autocommit(st->db)) {
		log_error("store: the turn's transaction was rolled back: %s", sqlite3_errmsg(st->db));
		st->broken = true;
	}
	return st->broken;
}

/* The turn's transaction. */
static enum rc
open_turn(struct store *st)
{
	if (!st->open) {
		if (end_reading(st) != RC_OK)
			return RC_IO;
		if (run(st, OWN_BEGIN) != RC_OK)
			return store_complain(st, "begin");
		st->open = true;
		st->changes = sqlite3_total_changes64(st->db);
	}
	return lost(st) ? RC_IO : RC_OK;
}

enum rc
store_begin_plain(struct store *st)
{
	if (st->depth > 0)
		return store_begin(st);
	if (open_turn(st) != RC_OK)
		return RC_IO;
	st->plain = true;
	st->depth++;
	return RC_OK;
}

enum rc
store_begin(struct store *st)
{
	if (open_turn(st) != RC_OK)
		return RC_IO;
	if (run(st, OWN_SAVEPOINT) != RC_OK)
		return store_complain(st, "savepoint");
	st->depth++;
	return RC_OK;
}

enum rc
store_end(struct store *st, bool keep)
{
	bool plain;

	if (st->depth == 0)
		log_fatal("store: end without begin");
	plain = --st->depth == 0 && st->plain;
	if (plain)
		st->plain = false;
	if (lost(st))
		return RC_IO;
	if (plain) {
		st->broken = !keep;
		return keep ? RC_OK : RC_IO;
	}
	if (!keep && run(st, OWN_ROLLBACK_TO) != RC_OK)
		goto fail;
	if (run(st, OWN_RELEASE) != RC_OK)
		goto fail;
	return RC_OK;
fail:
	/* What this request wrote can be neither kept nor taken back alone. */
	st->broken = true;
	return store_complain(st, "end");
}

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

enum rc
store_checkpoint(struct store *st)
{
	st->checkpoint = st->open;
	if (st->open)
		return RC_OK;
	reset_all(st);
	if (end_reading(st) != RC_OK)
		return RC_IO;
	if (sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
		return store_complain(st, "checkpoint");
	return RC_OK;
}

enum rc
store_commit(struct store *st)
{
	int64_t began = now_us();
	enum rc rc = RC_IO;

	if (st->depth > 0)
		log_fatal("store: commit between begin and end");
	reset_all(st);
	if (!st->open && end_reading(st) == RC_OK)
		return RC_OK;
	if (!lost(st) && (rc = run(st, OWN_COMMIT)) != RC_OK)
		store_complain(st, "commit");
	if (rc == RC_OK) {
		st->stats.commits += sqlite3_total_changes64(st->db) != st->changes;
	} else {
		st->stats.failed++;
		if (!sqlite3_get_autocommit(st->db) && run(st, OWN_ROLLBACK) != RC_OK)
			store_complain(st, "rollback");
	}
	st->stats.last_commit_us = now_us() - began;
	st->open = false;
	st->broken = false;
	/* Its failure is no failure of what was committed; purge asks again. */
	if (st->checkpoint)
		(void)!store_checkpoint(st);
	return rc;
}

void
store_get_stats(const struct store *st, struct store_stats *out)
{
	*out = st->stats;
}

/* --- sealing */

enum rc
store_seal(struct store *st, const char *table, const char *column, struct span pk, const struct secret *value, uint8_t *out,
    size_t cap, size_t *n)
{
	return seal_put(st->seal, &(struct seal_place){ table, column, pk }, value, out, cap, n);
}

enum rc
store_unseal(struct store *st, const char *table, const char *column, struct span pk, struct span sealed, struct secret **out)
{
	return seal_get(st->seal, &(struct seal_place){ table, column, pk }, sealed, out);
}
