/* store_sql: schema, statements, and the few calls that bind, run and read them; for store*.c alone. */
#ifndef EXTDEVD_STORE_SQL_H
#define EXTDEVD_STORE_SQL_H

#include <sqlite3.h>

#include "common/rc.h"
#include "common/span.h"
#include "common/store.h"

enum extdev_sql {
	EXTDEV_SQL_GET_SELF,
	EXTDEV_SQL_PUT_SELF,
	EXTDEV_SQL_GET_MT,
	EXTDEV_SQL_PUT_MT,
	EXTDEV_SQL_GET_REQUEST,
	EXTDEV_SQL_PUT_REQUEST,
	EXTDEV_SQL_DELETE_REQUEST,
	EXTDEV_SQL_FORGET_REQUESTS,
	EXTDEV_SQL_FIND_KEY,
	EXTDEV_SQL_PUT_KEY,
	EXTDEV_SQL_UPDATE_KEY,
	EXTDEV_SQL_THIN_KEYS,
	EXTDEV_SQL_CONFIRM_KEY,
	EXTDEV_SQL_DELETE_OTHERS,
	EXTDEV_SQL_SETTLE_KEY,
	EXTDEV_SQL_DROP_WAITING,
	EXTDEV_SQL_GET_KEY,
	EXTDEV_SQL_GET_OWED,
	EXTDEV_SQL_EACH_KEY,
	EXTDEV_SQL_FORGET_KEYS,
	EXTDEV_SQL_PURGE_KEYS,
	EXTDEV_SQL_NEXT_EXPIRY,
	EXTDEV_SQL_N
};

/* Parameters by name: "@mt". Never fails: a name that is not there is our own bug and ends the process. */
void extdev_sql_text(sqlite3_stmt *q, const char *name, const char *v);
void extdev_sql_int(sqlite3_stmt *q, const char *name, int64_t v);
void extdev_sql_blob(sqlite3_stmt *q, const char *name, struct span v);
/* One row (reset it afterwards). RC_NOTFOUND: there is no more; RC_IO: logged; both have reset it. */
enum rc extdev_sql_row(sqlite3_stmt *q) MUST_USE;
/* To its end, for statements without rows; *changed (may be NULL) = rows. */
enum rc extdev_sql_run(sqlite3_stmt *q, int *changed) MUST_USE;
/* A column's octets, borrowed until the next step. */
struct span extdev_sql_column(sqlite3_stmt *q, int i);

#endif
