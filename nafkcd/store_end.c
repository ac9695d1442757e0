/* store_end: the state of a key, and how one ends before its time: tombstones (N8) and shortened lifetimes (N9). */
#include <string.h>

#include "common/log.h"
#include "common/store.h"
#include "nafkcd/store.h"
#include "nafkcd/store_sql.h"

enum rc
nafkc_sql_number(enum rc bound, sqlite3_stmt *q, int64_t *out)
{
	enum rc rc = bound;

	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK)
		*out = sqlite3_column_int64(q, 0);
	sql_done(q);
	return rc;
}

enum rc
nafkc_store_state(struct store *st, const struct triple *t, int64_t now_s, struct nafkc_state *out)
{
	struct nafkc_state s = { .gone = false };
	sqlite3_stmt *q = NULL;
	struct nafkc_names nm;
	bool known;
	enum rc rc;

	if ((rc = nafkc_sql_names(t, &nm)) != RC_OK ||
	    (rc = sql_bind(st, NAFKC_SQL_STATE, &q, "ttti", nm.naf_id, nm.part[1], nm.part[2], now_s)) != RC_OK || (rc = sql_step(q)) != RC_OK)
		goto out;
	s.gone = sqlite3_column_int64(q, 0) != 0;
	s.expires_s = sqlite3_column_int64(q, 1);
	if (!nafkc_sql_take_hash(sql_col(q, 2), &s.owned, s.spki) || !sql_col_str(q, 3, s.reason, sizeof(s.reason)) ||
	    !nafkc_sql_take_hash(sql_col(q, 4), &known, s.issuer)) {
		log_error("store: the row of btid=%s device_id=%s is damaged", t->btid.s, t->device_id.s);
		rc = RC_IO;
		goto out;
	}
	*out = s;
out:
	sql_done(q);
	return rc;
}

enum rc
nafkc_store_knows_btid(struct store *st, const struct naf_id *naf_id, const struct btid *btid, int64_t now_s, bool *known)
{
	char text[NAF_ID_TEXT_MAX + 1];
	sqlite3_stmt *q = NULL;
	int64_t one;
	enum rc rc;

	naf_id_print(naf_id, text);
	rc = sql_bind(st, NAFKC_SQL_KNOWS_BTID, &q, "tti", text, btid->s, now_s);
	rc = nafkc_sql_number(rc, q, &one);
	*known = rc == RC_OK;
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc
nafkc_store_live_of_device(struct store *st, const struct device_id *id, int64_t now_s, int64_t *n)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, NAFKC_SQL_LIVE_OF_DEVICE, &q, "ti", id->s, now_s);

	return nafkc_sql_number(rc, q, n);
}

/* The target's keys that live past after_s. A mark does not outlast the transaction. */
static enum rc
mark(struct store *st, const struct nafkc_target *t, int64_t after_s, int *n)
{
	struct nafkc_names nm;
	enum rc rc;

	switch (t->scope) {
	case NAFKC_SCOPE_DEVICE:
		return sql_run(st, NAFKC_SQL_MARK_DEVICE, n, "ti", t->triple.device_id.s, after_s);
	case NAFKC_SCOPE_SPKI:
		return sql_run(st, NAFKC_SQL_MARK_SPKI, n, "bi", span_of(t->hash, sizeof(t->hash)), after_s);
	case NAFKC_SCOPE_ISSUER:	/* store_ending.c: there may be very many */
		return RC_RANGE;
	case NAFKC_SCOPE_TRIPLE:
		break;
	}
	if ((rc = nafkc_sql_names(&t->triple, &nm)) != RC_OK)
		return rc;
	return sql_run(st, NAFKC_SQL_MARK_TRIPLE, n, "ttti", nm.naf_id, nm.part[1], nm.part[2], after_s);
}

enum rc
nafkc_sql_end_marked(struct store *st, int64_t now_s, int64_t at_s, const char *event, const char *reason, int marked)
{
	enum rc rc;

	if (marked == 0)
		return RC_OK;
	if ((rc = sql_run(st, NAFKC_SQL_AUDIT_MARKED, NULL, "iti", now_s, event, at_s)) != RC_OK ||
	    (rc = sql_run(st, NAFKC_SQL_BURY_MARKED, NULL, "ti", reason, at_s)) != RC_OK)
		return rc;
	return at_s > now_s ? sql_run(st, NAFKC_SQL_CUT_MARKED, NULL, "i", at_s) : sql_run(st, NAFKC_SQL_DROP_MARKED, NULL, "");
}

enum rc
nafkc_store_end_keys(struct store *st, const struct nafkc_target *t, int64_t now_s, int64_t ends_s, const char *event,
    const char *reason, int64_t *n)
{
	int64_t at_s = ends_s > now_s ? ends_s : now_s;
	int marked = 0;
	enum rc rc;

	if ((rc = mark(st, t, at_s, &marked)) == RC_OK && (rc = nafkc_sql_end_marked(st, now_s, at_s, event, reason, marked)) == RC_OK)
		*n = marked;
	return rc;
}
