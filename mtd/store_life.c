/* What becomes of a key after it was made: asked about, limited, revoked; and what the user decided. The verbs of store.h. */
#include "mtd/store.h"

#include "common/log.h"
#include "common/reason.h"
#include "mtd/store_sql.h"

enum rc
mt_store_get_key_naf(struct store *st, const struct iccid *iccid, const struct triple *t, int64_t now_s, struct secret **out)
{
	struct mt_key_name n;
	sqlite3_stmt *q;
	enum rc rc;

	mt_sql_name_key(iccid, t, &n);
	if ((rc = sql_bind(st, MT_SQL_GET_KEY_NAF, &q, "tttt", MT_KEY_PARTS(&n))) != RC_OK || (rc = sql_step(q)) != RC_OK)
		return rc;
	if (sqlite3_column_int64(q, 1) <= now_s)
		rc = RC_EXPIRED;
	else
		rc = mt_sql_unseal(st, "key", "ks_naf", n.part, 4, sql_col(q, 0), out);
	sql_done(q);
	return rc;
}

/* --- ends that come early (N8, N9) */

static enum rc
entomb(struct store *st, const struct mt_key_name *n, const char *why)
{
	int changes = 0;
	enum rc rc = sql_run(st, MT_SQL_ENTOMB, &changes, "ttttt", MT_KEY_PARTS(n), why);

	return rc == RC_OK && changes == 0 ? RC_NOTFOUND : rc;
}

/* The key is there still, so nothing makes it anew; the tombstone is for the time between its end and that of the Ks. */
enum rc
mt_store_limit_key(struct store *st, const struct iccid *iccid, const struct triple *t, int64_t expires, bool *shorter)
{
	struct mt_key_name n;
	int changes = 0;
	enum rc rc;

	mt_sql_name_key(iccid, t, &n);
	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	rc = sql_run(st, MT_SQL_LIMIT_KEY, &changes, "tttti", MT_KEY_PARTS(&n), expires);
	if (rc == RC_OK && changes > 0)
		rc = entomb(st, &n, reason_get(REASON_MT_KEY_LIMITED)->code);
	if ((rc = mt_store_end(st, rc)) == RC_OK)
		*shorter = changes > 0;
	return rc;
}

enum rc
mt_store_revoke_key(struct store *st, const struct iccid *iccid, const struct triple *t, const char *why)
{
	struct mt_key_name n;
	enum rc rc;

	mt_sql_name_key(iccid, t, &n);
	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	if ((rc = entomb(st, &n, why)) == RC_OK)
		rc = sql_run(st, MT_SQL_DROP_KEY, NULL, "tttt", MT_KEY_PARTS(&n));
	return mt_store_end(st, rc);
}

enum rc
mt_store_revoke_device(struct store *st, const struct device_id *id, const char *why, int *n)
{
	enum rc rc;

	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	if ((rc = sql_run(st, MT_SQL_ENTOMB_DEVICE, NULL, "tt", id->s, why)) == RC_OK)
		rc = sql_run(st, MT_SQL_DROP_DEVICE_KEYS, n, "t", id->s);
	return mt_store_end(st, rc);
}

enum rc
mt_store_lose_keys(struct store *st, const struct iccid *iccid, const char *device_id, const char *btid, const char *naf_id, int *n)
{
	return sql_run(st, MT_SQL_DROP_KEYS, n, "tttt", iccid->s, device_id, btid, naf_id);
}

enum rc
mt_store_get_tombstone(struct store *st, const struct iccid *iccid, const struct device_id *id, const struct btid *btid,
    const struct naf_id *naf, int64_t now_s)
{
	char naf_text[NAF_ID_TEXT_MAX + 1];
	sqlite3_stmt *q;
	enum rc rc;

	if (naf == NULL) {
		rc = sql_bind(st, MT_SQL_ANY_TOMBSTONE, &q, "ttti", iccid->s, id->s, btid->s, now_s);
	} else {
		naf_id_print(naf, naf_text);
		rc = sql_bind(st, MT_SQL_GET_TOMBSTONE, &q, "tttti", iccid->s, id->s, btid->s, naf_text, now_s);
	}
	if (rc != RC_OK || (rc = sql_step(q)) != RC_OK)
		return rc;
	sql_done(q);
	return RC_OK;
}

enum rc
mt_store_get_revoked(struct store *st, const struct iccid *iccid, const struct triple *t, int64_t now_s)
{
	struct mt_key_name n;
	sqlite3_stmt *q;
	enum rc rc;

	mt_sql_name_key(iccid, t, &n);
	rc = sql_bind(st, MT_SQL_GET_REVOKED, &q, "ttttit", MT_KEY_PARTS(&n), now_s, reason_get(REASON_MT_KEY_LIMITED)->code);
	if (rc != RC_OK || (rc = sql_step(q)) != RC_OK)
		return rc;
	sql_done(q);
	return RC_OK;
}

/* --- what the Key Center is asked (N7, N10) */

enum rc
mt_store_due_key(struct store *st, int64_t now_s, struct mt_key *out)
{
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_DUE_KEY, &q, "i", now_s)) != RC_OK || (rc = sql_step(q)) != RC_OK)
		return rc;
	return mt_sql_take_key(st, q, out);
}

enum rc
mt_store_ask_at(struct store *st, const struct mt_key *k, int64_t at)
{
	struct mt_key_name n;

	mt_sql_name_key(&k->iccid, &k->triple, &n);
	return sql_run(st, MT_SQL_SET_ASK_AT, NULL, "tttti", MT_KEY_PARTS(&n), at);
}

enum rc
mt_store_answered(struct store *st, const struct mt_key *k, int64_t now_s, const char *etag)
{
	struct mt_key_name n;

	mt_sql_name_key(&k->iccid, &k->triple, &n);
	return sql_run(st, MT_SQL_SET_LAST_OK, NULL, "ttttit", MT_KEY_PARTS(&n), now_s, span_str(etag).n <= MT_ETAG_MAX ? etag : "");
}

/* A statement whose one column is a time, or NULL. */
static int64_t
next_of(struct store *st, enum mt_sql what, int64_t after)
{
	sqlite3_stmt *q;
	int64_t t = INT64_MAX;

	if (sql_bind(st, what, &q, "i", after) != RC_OK || sql_step(q) != RC_OK)
		return t;
	if (sqlite3_column_type(q, 0) != SQLITE_NULL)
		t = sqlite3_column_int64(q, 0);
	sql_done(q);
	return t;
}

int64_t
mt_store_next_ask(struct store *st, int64_t now_s)
{
	return next_of(st, MT_SQL_NEXT_ASK, now_s);
}

int64_t
mt_store_next_grace(struct store *st, int64_t now_s, int64_t grace_s)
{
	int64_t ok = next_of(st, MT_SQL_NEXT_GRACE, now_s - grace_s);

	return ok != INT64_MAX ? ok + grace_s : ok;
}

/* --- decisions */

enum rc
mt_store_put_decision(struct store *st, const struct device_id *id, enum mt_decision d, int64_t now_s)
{
	return sql_run(st, MT_SQL_PUT_DEVICE, NULL, "tii", id->s, (int64_t)(d == MT_ALLOWED), now_s);
}

static enum mt_decision
decision_of(sqlite3_stmt *q, int col)
{
	return sqlite3_column_int64(q, col) != 0 ? MT_ALLOWED : MT_REFUSED;
}

enum rc
mt_store_get_decision(struct store *st, const struct device_id *id, enum mt_decision *out)
{
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_GET_DEVICE, &q, "t", id->s)) != RC_OK)
		return rc;
	if ((rc = sql_step(q)) == RC_NOTFOUND) {
		*out = MT_UNDECIDED;
		return RC_OK;
	}
	if (rc != RC_OK)
		return rc;
	*out = decision_of(q, 0);
	sql_done(q);
	return RC_OK;
}

enum rc
mt_store_each_decision(struct store *st, void (*fn)(void *arg, const char *device_id, enum mt_decision d, int64_t when), void *arg)
{
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_EACH_DEVICE, &q, "")) != RC_OK)
		return rc;
	while ((rc = sql_step(q)) == RC_OK) {
		char id[DEVICE_ID_MAX + 1];

		if (sql_col_str(q, 0, id, sizeof id))
			fn(arg, id, decision_of(q, 1), sqlite3_column_int64(q, 2));
	}
	return rc == RC_NOTFOUND ? RC_OK : rc;
}
