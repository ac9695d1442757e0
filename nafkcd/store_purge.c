/* store_purge: what has expired goes (T1), and how much there is. */
#include "common/store.h"
#include "nafkcd/store.h"
#include "nafkcd/store_sql.h"

enum rc
nafkc_store_purge(struct store *st, int64_t now_s, int64_t audit_keep_s, unsigned max, unsigned *n)
{
	const struct {
		enum nafkc_sql sql;
		int64_t until_s;
	} tables[] = { { NAFKC_SQL_EXPIRE_KEY, now_s }, { NAFKC_SQL_EXPIRE_TOMBSTONE, now_s }, { NAFKC_SQL_EXPIRE_AUDIT, now_s - audit_keep_s } };
	unsigned left = max;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && left > 0; i++) {
		int rows = 0;
		enum rc rc = sql_run(st, tables[i].sql, &rows, "ii", tables[i].until_s, (int64_t)left);

		if (rc != RC_OK)
			return rc;
		left -= (unsigned)rows;
	}
	*n = max - left;
	return RC_OK;
}

int64_t
nafkc_store_next_expiry(struct store *st, int64_t audit_keep_s)
{
	sqlite3_stmt *q = NULL;
	int64_t next = INT64_MAX;

	if (sql_bind(st, NAFKC_SQL_NEXT, &q, "i", audit_keep_s) == RC_OK && sql_step(q) == RC_OK &&
	    sqlite3_column_type(q, 0) != SQLITE_NULL)
		next = sqlite3_column_int64(q, 0);
	sql_done(q);
	return next;
}

enum rc
nafkc_store_count(struct store *st, struct nafkc_counts *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, NAFKC_SQL_COUNT, &q, "")) == RC_OK && (rc = sql_step(q)) == RC_OK)
		*out = (struct nafkc_counts){ .keys = sqlite3_column_int64(q, 0), .devices = sqlite3_column_int64(q, 1),
		    .tombstones = sqlite3_column_int64(q, 2) };
	sql_done(q);
	return rc;
}
