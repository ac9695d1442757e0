#include "common/sql.h"

#include <stdarg.h>
#include <string.h>

#include "common/log.h"
#include "common/store.h"

static enum rc
failed(sqlite3_stmt *q, const char *what)
{
	/* the statement's own text holds parameters' numbers, never their values */
	log_error("store: %s: %s (%s)", what, sqlite3_errmsg(sqlite3_db_handle(q)), sqlite3_sql(q));
	return RC_IO;
}

static int
bind_one(sqlite3_stmt *q, int at, char type, va_list *ap)
{
	const char *t;
	struct span b;

	switch (type) {
	case 't':
		t = va_arg(*ap, const char *);
		return t == NULL ? sqlite3_bind_null(q, at) : sqlite3_bind_text(q, at, t, -1, SQLITE_STATIC);
	case 'i':
		return sqlite3_bind_int64(q, at, va_arg(*ap, int64_t));
	case 'b':
		b = va_arg(*ap, struct span);
		return b.n == 0 ? sqlite3_bind_null(q, at) : sqlite3_bind_blob64(q, at, b.p, b.n, SQLITE_STATIC);
	default:
		log_fatal("sql: no such type of parameter: %c", type);
	}
}

static enum rc
bind_all(sqlite3_stmt *q, const char *types, va_list *ap)
{
	for (int at = 1; types[at - 1] != '\0'; at++)
		if (bind_one(q, at, types[at - 1], ap) != SQLITE_OK)
			return failed(q, "binding");
	return RC_OK;
}

enum rc
sql_bind(struct store *st, size_t i, sqlite3_stmt **out, const char *types, ...)
{
	sqlite3_stmt *q = store_stmt(st, i);
	va_list ap;
	enum rc rc;

	va_start(ap, types);
	rc = bind_all(q, types, &ap);
	va_end(ap);
	*out = q;
	return rc;
}

enum rc
sql_step(sqlite3_stmt *q)
{
	int r = sqlite3_step(q);
	enum rc rc = RC_OK;

	if (r == SQLITE_ROW)
		return RC_OK;
	if (r == SQLITE_DONE)
		rc = RC_NOTFOUND;
	else if ((r & 0xff) == SQLITE_CONSTRAINT)
		rc = RC_EXISTS;
	else
		rc = failed(q, "step");
	(void)sqlite3_reset(q);
	return rc;
}

void
sql_done(sqlite3_stmt *q)
{
	if (q != NULL)
		(void)sqlite3_reset(q);
}

enum rc
sql_run(struct store *st, size_t i, int *changes, const char *types, ...)
{
	sqlite3_stmt *q = store_stmt(st, i);
	va_list ap;
	enum rc rc;

	va_start(ap, types);
	rc = bind_all(q, types, &ap);
	va_end(ap);
	if (rc != RC_OK)
		return rc;
	rc = sql_step(q);
	sql_done(q);
	if (rc != RC_OK && rc != RC_NOTFOUND)
		return rc;
	if (changes != NULL)
		*changes = sqlite3_changes(sqlite3_db_handle(q));
	return RC_OK;
}

struct span
sql_col(sqlite3_stmt *q, int col)
{
	const void *p = sqlite3_column_blob(q, col);

	return span_of(p, (size_t)sqlite3_column_bytes(q, col));
}

bool
sql_col_str(sqlite3_stmt *q, int col, char *out, size_t cap)
{
	return span_to_str(sql_col(q, col), out, cap);
}

enum rc
sql_pk(const char *const *parts, size_t n_parts, uint8_t *out, size_t cap, size_t *n)
{
	size_t at = 0;

	for (size_t i = 0; i < n_parts; i++) {
		size_t len = strlen(parts[i]) + 1;

		if (len > cap - at)
			return RC_RANGE;
		memcpy(out + at, parts[i], len);
		at += len;
	}
	*n = at;
	return RC_OK;
}
