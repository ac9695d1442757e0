/* store_ending: a blocked issuer's keys end in slices (ending.c); what is still to do is kept, so that it is done after a crash, too. */
#include "common/hex.h"
#include "common/log.h"
#include "common/store.h"
#include "nafkcd/store.h"
#include "nafkcd/store_sql.h"

enum rc
nafkc_store_put_ending(struct store *st, const uint8_t issuer[static 32])
{
	return sql_run(st, NAFKC_SQL_PUT_ENDING, NULL, "b", span_of(issuer, 32));
}

enum rc
nafkc_store_each_ending(struct store *st, void (*fn)(void *arg, const uint8_t issuer[static 32]), void *arg)
{
	sqlite3_stmt *q = NULL;
	uint8_t issuer[32];
	bool there;
	enum rc rc = sql_bind(st, NAFKC_SQL_EACH_ENDING, &q, "");

	while (rc == RC_OK && (rc = sql_step(q)) == RC_OK)
		if (nafkc_sql_take_hash(sql_col(q, 0), &there, issuer) && there)
			fn(arg, issuer);
	sql_done(q);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* What is still to be looked at: ids from first to last, of which the slice takes those up to to. */
struct part {
	int64_t first, to, last, n;
};

static enum rc
next_part(struct store *st, const uint8_t issuer[static 32], unsigned max, struct part *p)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, NAFKC_SQL_NEXT_PART, &q, "bi", span_of(issuer, 32), (int64_t)max);

	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK)
		*p = (struct part){ .first = sqlite3_column_int64(q, 0), .n = sqlite3_column_int64(q, 1), .last = sqlite3_column_int64(q, 2),
		    .to = sqlite3_column_int64(q, 3) };
	sql_done(q);
	return rc;
}

enum rc
nafkc_store_end_slice(struct store *st, const uint8_t issuer[static 32], int64_t now_s, unsigned max, int64_t *n, bool *more)
{
	struct span hash = span_of(issuer, 32);
	struct part p;
	int marked = 0;
	enum rc rc;

	if ((rc = next_part(st, issuer, max, &p)) != RC_OK)
		return rc;
	if (p.to >= p.first)
		rc = sql_run(st, NAFKC_SQL_MARK_ISSUER, &marked, "biii", hash, now_s, p.first, p.to);
	if (rc == RC_OK)
		rc = nafkc_sql_end_marked(st, now_s, now_s, "key-invalidated", "blocked", marked);
	*n = p.n + marked;
	*more = p.to >= p.first && p.to < p.last;
	if (rc != RC_OK)
		return rc;
	return *more ? sql_run(st, NAFKC_SQL_MOVE_ENDING, NULL, "bii", hash, p.to + 1, *n) : sql_run(st, NAFKC_SQL_DROP_ENDING, NULL, "b", hash);
}
