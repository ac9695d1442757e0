/*
 * sql: how a daemon's store.c runs its prepared statements (store.h): bind by position, step, read columns. For store.c alone.
 * Whoever first sees SQLite fail logs it; RC_IO then.
 */
#ifndef COMMON_SQL_H
#define COMMON_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

struct store;

/*
 * Statement i with its parameters ?1, ?2 …, one letter each:
 *   t   const char *; NULL = SQL's NULL
 *   i   int64_t
 *   b   struct span; without octets = SQL's NULL
 * Texts and octets are borrowed while the statement is stepped, for sql_run() while it runs. RC_IO.
 */
enum rc sql_bind(struct store *st, size_t i, sqlite3_stmt **out, const char *types, ...) MUST_USE;
/* The next row: RC_OK; RC_NOTFOUND, there is none (more). RC_EXISTS: a uniqueness was violated. Anything but RC_OK resets. */
enum rc sql_step(sqlite3_stmt *q) MUST_USE;
/* Before the last row was read: give the statement back. NULL is fine. */
void sql_done(sqlite3_stmt *q);
/* A statement that gives no rows, bound and run. *changes (may be NULL) = rows touched. */
enum rc sql_run(struct store *st, size_t i, int *changes, const char *types, ...) MUST_USE;

/* A column: octets, borrowed until the next step; text copied, false if it does not fit or holds a NUL octet. */
struct span sql_col(sqlite3_stmt *q, int col);
bool sql_col_str(sqlite3_stmt *q, int col, char *out, size_t cap);

/* Octets that name a row by several texts, for store_seal(): the parts, a NUL after each. RC_RANGE. */
enum rc sql_pk(const char *const *parts, size_t n_parts, uint8_t *out, size_t cap, size_t *n) MUST_USE;

#endif
