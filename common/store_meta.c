/* store_meta: the small table of named values that every store has. */
#include "common/log.h"
#include "common/span.h"
#include "common/store_int.h"

static sqlite3_stmt *
meta_stmt(struct store *st, enum own i, const char *name)
{
	sqlite3_bind_text(st->own[i], 1, name, -1, SQLITE_STATIC);
	return st->own[i];
}

static void
meta_reset(sqlite3_stmt *s)
{
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
}

enum rc
store_meta_get_int(struct store *st, const char *name, int64_t *out)
{
	sqlite3_stmt *s = meta_stmt(st, OWN_META_GET, name);
	int r = sqlite3_step(s);
	enum rc rc = r == SQLITE_ROW ? RC_OK : r == SQLITE_DONE ? RC_NOTFOUND : store_complain(st, name);

	if (rc == RC_OK && sqlite3_column_type(s, 0) != SQLITE_INTEGER)
		rc = RC_IO;
	if (rc == RC_OK)
		*out = sqlite3_column_int64(s, 0);
	meta_reset(s);
	return rc;
}

enum rc
store_meta_get_text(struct store *st, const char *name, char *out, size_t cap)
{
	sqlite3_stmt *s = meta_stmt(st, OWN_META_GET, name);
	int r = sqlite3_step(s);
	enum rc rc = r == SQLITE_ROW ? RC_OK : r == SQLITE_DONE ? RC_NOTFOUND : store_complain(st, name);

	if (rc == RC_OK && sqlite3_column_type(s, 0) != SQLITE_TEXT)
		rc = RC_IO;
	if (rc == RC_OK && !span_to_str(span_of(sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0)), out, cap))
		rc = RC_RANGE;
	meta_reset(s);
	return rc;
}

/* Writes what is bound, as one request's writes. */
static enum rc
meta_put(struct store *st, sqlite3_stmt *s, const char *name)
{
	enum rc rc, end;

	if ((rc = store_begin(st)) != RC_OK)
		goto out;
	if (sqlite3_step(s) != SQLITE_DONE)
		rc = store_complain(st, name);
	sqlite3_reset(s);
	if ((end = store_end(st, rc == RC_OK)) != RC_OK)
		rc = end;
out:
	meta_reset(s);
	return rc;
}

enum rc
store_meta_put_int(struct store *st, const char *name, int64_t v)
{
	sqlite3_stmt *s = meta_stmt(st, OWN_META_PUT, name);

	sqlite3_bind_int64(s, 2, v);
	return meta_put(st, s, name);
}

enum rc
store_meta_put_text(struct store *st, const char *name, const char *v)
{
	sqlite3_stmt *s = meta_stmt(st, OWN_META_PUT, name);

	sqlite3_bind_text(s, 2, v, -1, SQLITE_STATIC);
	return meta_put(st, s, name);
}
