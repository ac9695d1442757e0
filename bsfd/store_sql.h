/* store_sql: the BSF's tables and statements; store.c, store_run.c and store_generation.c run them, nobody else. */
#ifndef BSFD_STORE_SQL_H
#define BSFD_STORE_SQL_H

#include <sqlite3.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

enum bsf_sql {
	BSF_SQL_PUT_SUBSCRIBER,
	BSF_SQL_GET_SUBSCRIBER,
	BSF_SQL_GET_CREDENTIALS,
	BSF_SQL_SET_SQN,
	BSF_SQL_RAISE_SQN,
	BSF_SQL_DELETE_SUBSCRIBER,
	BSF_SQL_DELETE_ITS_BOOTSTRAPS,
	BSF_SQL_DELETE_ITS_TMPIS,
	BSF_SQL_LIST_SUBSCRIBERS,
	BSF_SQL_COUNT,
	BSF_SQL_PUT_BOOTSTRAP,
	BSF_SQL_KEEP_BOOTSTRAPS,
	BSF_SQL_GET_BOOTSTRAP,
	BSF_SQL_LIST_BOOTSTRAPS,
	BSF_SQL_PURGE_BOOTSTRAPS,
	BSF_SQL_NEXT_EXPIRY,
	BSF_SQL_PUT_TMPI,
	BSF_SQL_KEEP_TMPIS,
	BSF_SQL_GET_TMPI,
	BSF_SQL_PUT_NAF,
	BSF_SQL_DELETE_NAF,
	BSF_SQL_EACH_NAF,
	BSF_SQL_GET_GENERATION,
	BSF_SQL_NEXT_GENERATION,
	BSF_SQL_COUNT_OF
};

/* Bind by name. A failure shows at the step. */
void bsf_sql_text(sqlite3_stmt *s, const char *name, const char *v);
void bsf_sql_int(sqlite3_stmt *s, const char *name, int64_t v);
void bsf_sql_blob(sqlite3_stmt *s, const char *name, struct span v);
/* Runs a statement without rows and resets it. *changed (may be NULL) = rows. RC_EXISTS: a uniqueness was violated. RC_IO, logged. */
enum rc bsf_sql_run(enum bsf_sql q, sqlite3_stmt *s, int *changed) MUST_USE;
/* RC_OK: a row is there. RC_NOTFOUND: none is left. RC_IO, logged. The caller resets. */
enum rc bsf_sql_row(enum bsf_sql q, sqlite3_stmt *s) MUST_USE;
/* A column, borrowed until the next step or reset. */
struct span bsf_sql_column(sqlite3_stmt *s, int i);

#endif
