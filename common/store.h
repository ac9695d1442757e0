/*
 * store: one SQLite file per daemon, opened, migrated and grouped into one transaction per turn.   ARCHITECTURE 5, 6
 * Daemons' store.c put their domain's verbs on top; SQL stands there and nowhere else. WAL, synchronous=FULL, secure_delete.
 */
#ifndef COMMON_STORE_H
#define COMMON_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/secret.h"

struct sqlite3_stmt;
struct store;

/* What a daemon's store.c declares. Arrays are static; sql[i] is prepared once and had by store_stmt(st, i). */
struct store_schema {
	const char *daemon;			/* "bsfd": kept in the file, another daemon's file is refused */
	const char *const *migrations;		/* migration k brings user_version k to k + 1, both in one transaction */
	size_t n_migrations;
	const char *const *sql;
	size_t n_sql;
};

/*
 * Opens (creating, 0600) and migrates. path ":memory:" is the in-memory implementation of the seam.
 *   key     32 octets store key; subkeys per table come from it (seal below)
 * RC_IO: cannot open, or corrupt, or newer than this program (the log says which). RC_DENIED: another key, or another daemon's.
 */
enum rc store_open(const char *path, const struct store_schema *schema, const struct secret *key, struct store **out) MUST_USE;
/* Commits nothing: an open turn is rolled back. NULL is fine. */
void store_close(struct store *st);

/* A prepared statement, reset and with bindings cleared; borrowed until the next call with the same i. */
struct sqlite3_stmt *store_stmt(struct store *st, size_t i);

/*
 * One request's writes stand between begin and end: a SAVEPOINT inside the turn's transaction, which begin opens if need be.
 * end(keep = false) takes this request's writes back, and theirs alone. Pairs may nest.
 */
enum rc store_begin(struct store *st) MUST_USE;
/*
 * The same for writes that fail only when the store itself does: without a SAVEPOINT, for which SQLite copies each page that is
 * touched. If they fail all the same, end(keep = false) takes back the whole turn, and all its answers become refusals.
 */
enum rc store_begin_plain(struct store *st) MUST_USE;
enum rc store_end(struct store *st, bool keep) MUST_USE;
/* Commit the turn's transaction, if one is open. RC_IO: rolled back, nothing of this turn was kept. Called by turn.c alone. */
enum rc store_commit(struct store *st) MUST_USE;
/* Duration of the last commit in microseconds, commits so far of something that the disk had to take, commits failed (metrics). */
struct store_stats {
	int64_t last_commit_us;
	uint64_t commits, failed;
};
void store_get_stats(const struct store *st, struct store_stats *out);
/* Truncate the WAL (T1: within a minute of a deletion): now, or right after the commit when a transaction is open. RC_IO. */
enum rc store_checkpoint(struct store *st) MUST_USE;

/*
 * A small table that every store has: what a daemon must remember once, by name (the time mark, MT_ID, a generation). In the turn's
 * transaction. RC_NOTFOUND, RC_IO.
 */
enum rc store_meta_get_int(struct store *st, const char *name, int64_t *out) MUST_USE;
enum rc store_meta_put_int(struct store *st, const char *name, int64_t v) MUST_USE;
/* RC_RANGE: does not fit cap with its NUL. */
enum rc store_meta_get_text(struct store *st, const char *name, char *out, size_t cap) MUST_USE;
enum rc store_meta_put_text(struct store *st, const char *name, const char *v) MUST_USE;

/*
 * Sealed value = 01, key id 4, nonce 12, ciphertext, tag 16: AES-256-GCM under the table's subkey; associated data = the store's
 * random id, table, column, primary key, each length-prefixed. A row copied elsewhere does not open.
 *   pk    octets that name the row (text keys as their octets; composite keys joined by the caller, unambiguously)
 *   out   SEALED_LEN(n) octets
 */
#define SEALED_LEN(n) ((n) + 1 + 4 + 12 + 16)
enum rc store_seal(struct store *st, const char *table, const char *column, struct span pk, const struct secret *value,
    uint8_t *out, size_t cap, size_t *n) MUST_USE;
/* RC_DENIED: not sealed by this store for this place. Caller frees *out. */
enum rc store_unseal(struct store *st, const char *table, const char *column, struct span pk, struct span sealed,
    struct secret **out) MUST_USE;

#endif
