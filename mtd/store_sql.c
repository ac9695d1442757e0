#include "mtd/store_sql.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <string.h>

#include "common/log.h"
#include "common/secret.h"

#define PK_MAX 2048

enum rc
mt_sql_step(sqlite3_stmt *q)
{
	int e = sqlite3_step(q);

	if (e == SQLITE_ROW)
		return RC_OK;
	if (e != SQLITE_DONE)
		log_error("store: %s: %s", sqlite3_sql(q), sqlite3_errmsg(sqlite3_db_handle(q)));
	(void)sqlite3_reset(q);
	return e == SQLITE_DONE ? RC_NOTFOUND : RC_IO;
}

static int
bind_blob(sqlite3_stmt *q, int col, struct span b)
{
	return b.n == 0 ? sqlite3_bind_null(q, col) : sqlite3_bind_blob(q, col, b.p, (int)b.n, SQLITE_TRANSIENT);
}

static enum rc
bind_list(sqlite3_stmt *q, const char *types, va_list ap)
{
	int e = SQLITE_OK;

	for (int col = 1; types[col - 1] != '\0' && e == SQLITE_OK; col++) {
		switch (types[col - 1]) {
		case 't':
			e = sqlite3_bind_text(q, col, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
			break;
		case 'i':
			e = sqlite3_bind_int64(q, col, va_arg(ap, int64_t));
			break;
		case 'b':
			e = bind_blob(q, col, va_arg(ap, struct span));
			break;
		default:
			log_fatal("store: unknown parameter type '%c'", types[col - 1]);
		}
	}
	if (e == SQLITE_OK)
		return RC_OK;
	log_error("store: %s: %s", sqlite3_sql(q), sqlite3_errstr(e));
	return RC_IO;
}

enum rc
mt_sql_bind(struct store *st, enum mt_sql i, sqlite3_stmt **out, const char *types, ...)
{
	va_list ap;
	enum rc rc;

	*out = store_stmt(st, i);
	va_start(ap, types);
	rc = bind_list(*out, types, ap);
	va_end(ap);
	return rc;
}

enum rc
mt_sql_run(struct store *st, enum mt_sql i, int *changes, const char *types, ...)
{
	sqlite3_stmt *q = store_stmt(st, i);
	va_list ap;
	enum rc rc;

	va_start(ap, types);
	rc = bind_list(q, types, ap);
	va_end(ap);
	if (rc != RC_OK)
		return rc;
	if (mt_sql_step(q) == RC_IO)
		return RC_IO;
	if (changes != NULL)
		*changes = sqlite3_changes(sqlite3_db_handle(q));
	return RC_OK;
}

enum rc
mt_sql_end(struct store *st, enum rc rc)
{
	enum rc end = store_end(st, rc == RC_OK);

	return rc != RC_OK ? rc : end;
}

struct span
mt_sql_col(sqlite3_stmt *q, int col)
{
	const void *p = sqlite3_column_blob(q, col);	/* of a text: its octets */

	return span_of(p, (size_t)sqlite3_column_bytes(q, col));
}

enum rc
mt_sql_pk(uint8_t *out, size_t cap, size_t *n, const char *const *parts, size_t n_parts)
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

enum rc
mt_sql_seal(struct store *st, const char *table, const char *column, const char *const *parts, size_t n_parts,
    const struct secret *value, uint8_t out[static MT_SEALED])
{
	uint8_t pk[PK_MAX];
	size_t n = 0, len = 0;
	enum rc rc;

	if (secret_span(value).n != KS_LEN)
		return RC_RANGE;
	if ((rc = mt_sql_pk(pk, sizeof pk, &n, parts, n_parts)) != RC_OK)
		return rc;
	return store_seal(st, table, column, span_of(pk, n), value, out, MT_SEALED, &len);
}

enum rc
mt_sql_unseal(struct store *st, const char *table, const char *column, const char *const *parts, size_t n_parts,
    struct span sealed, struct secret **out)
{
	uint8_t pk[PK_MAX];
	size_t n = 0;
	enum rc rc;

	if ((rc = mt_sql_pk(pk, sizeof pk, &n, parts, n_parts)) != RC_OK)
		return rc;
	if ((rc = store_unseal(st, table, column, span_of(pk, n), sealed, out)) == RC_DENIED)
		log_error("store: a %s in %s was not sealed by this store for this row", column, table);
	return rc;
}
