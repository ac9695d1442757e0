/* store_int: what store.c, store_open.c and store_meta.c share; nobody else's. */
#ifndef COMMON_STORE_INT_H
#define COMMON_STORE_INT_H

#include <sqlite3.h>

#include "common/rc.h"
#include "common/store.h"

/* Statements of every store; a daemon's own come from its schema. */
enum own {
	OWN_READ,
	OWN_BEGIN,
	OWN_COMMIT,
	OWN_ROLLBACK,
	OWN_SAVEPOINT,
	OWN_RELEASE,
	OWN_ROLLBACK_TO,
	OWN_META_GET,
	OWN_META_PUT,
	OWN_COUNT
};

struct store {
	sqlite3 *db;
	int lock;			/* the file, locked against a second daemon; -1 = in memory */
	const struct store_schema *schema;
	sqlite3_stmt *own[OWN_COUNT];
	sqlite3_stmt **stmt;
	size_t *used, n_used;		/* statements taken since the last commit, for each was_used */
	bool *was_used;
	struct seal *seal;
	unsigned depth;			/* begun and not ended */
	bool plain;			/* the outermost of them has no SAVEPOINT */
	bool open;			/* the turn's transaction */
	int64_t changes;		/* rows changed ever, when it began */
	bool reading;			/* one of reads alone stands in its place, until the first write */
	bool broken;			/* SQLite rolled it back by itself (disk full …): this turn cannot be kept */
	bool checkpoint;		/* is due after the commit */
	struct store_stats stats;
};

/* Logs SQLite's words for what just failed; RC_IO. */
enum rc store_complain(struct store *st, const char *doing);

#endif
