/* store_purge: what has expired goes (T1), and how much there is. */
#include "common/store.h"
#include "nafkcd/store.h"
#include "nafkcd/store_sql.h"

/* A device whose keys or tombstones go here may have none any more: idle from now on, as far as is known. */
enum rc
nafkc_store_purge(struct store *st, int64_t now_s, const struct nafkc_keep *keep, unsigned max, unsigned *n)
{
	const struct {
		enum nafkc_sql sql;
		int64_t until_s;
		bool counts;
	} steps[] = {
		{ NAFKC_SQL_IDLE_BY_KEY, now_s, false }, { NAFKC_SQL_EXPIRE_KEY, now_s, true },
		{ NAFKC_SQL_IDLE_BY_TOMBSTONE, now_s, false }, { NAFKC_SQL_EXPIRE_TOMBSTONE, now_s, true },
		{ NAFKC_SQL_EXPIRE_AUDIT, now_s - keep->audit_s, true },
		{ NAFKC_SQL_KEEP_DEVICE, now_s - keep->devices_s, true }, { NAFKC_SQL_FORGET_DEVICE, now_s - keep->devices_s, true },
	};
	unsigned left = max;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && left > 0; i++) {
		int rows = 0;
		enum rc rc = sql_run(st, steps[i].sql, &rows, "ii", steps[i].until_s, (int64_t)left);

		if (rc != RC_OK)
			return rc;
		left -= steps[i].counts ? (unsigned)rows : 0;
	}
	*n = max - left;
	return RC_OK;
}

int64_t
nafkc_store_next_expiry(struct store *st, const struct nafkc_keep *keep)
{
	sqlite3_stmt *q = NULL;
	int64_t next = INT64_MAX;

	if (sql_bind(st, NAFKC_SQL_NEXT, &q, "ii", keep->audit_s, keep->devices_s) == RC_OK && sql_step(q) == RC_OK &&
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
