/* The key table's verbs of store.h. */
#include <string.h>

#include "common/log.h"
#include "mtd/store.h"
#include "mtd/store_sql.h"

void
mt_sql_name_key(const struct iccid *iccid, const struct triple *t, struct mt_key_name *out)
{
	naf_id_print(&t->naf_id, out->naf_text);
	out->part[0] = iccid->s;
	out->part[1] = t->device_id.s;
	out->part[2] = t->btid.s;
	out->part[3] = out->naf_text;
}

void
mt_key_clear(struct mt_key *k)
{
	secret_free(k->ks_local_mt);
	secret_free(k->ks_naf);
	memset(k, 0, sizeof *k);
}

static bool
key_exists(struct store *st, const struct mt_key_name *n, enum rc *rc)
{
	sqlite3_stmt *q;

	if ((*rc = sql_bind(st, MT_SQL_GET_KEY, &q, "tttt", n->part[0], n->part[1], n->part[2], n->part[3])) == RC_OK)
		*rc = sql_step(q);
	sql_done(q);
	return *rc == RC_OK;
}

static enum rc
insert_key(struct store *st, const struct mt_key *k, const struct mt_origin *from)
{
	uint8_t key[MT_SEALED], naf[MT_SEALED];
	struct mt_key_name n;
	enum rc rc;

	mt_sql_name_key(&k->iccid, &k->triple, &n);
	if (key_exists(st, &n, &rc))
		return RC_EXISTS;
	if (rc != RC_NOTFOUND)
		return rc;
	if ((rc = mt_sql_seal(st, "key", "ks_local_mt", n.part, 4, k->ks_local_mt, key)) != RC_OK ||
	    (rc = mt_sql_seal(st, "key", "ks_naf", n.part, 4, k->ks_naf, naf)) != RC_OK)
		return rc;
	if ((rc = sql_run(st, MT_SQL_DROP_WAITING, NULL, "tt", n.part[0], n.part[1])) != RC_OK)
		return rc;
	return sql_run(st, MT_SQL_PUT_KEY, NULL, "ttttbbtiitt", n.part[0], n.part[1], n.part[2], n.part[3],
	    span_of(key, sizeof key), span_of(naf, sizeof naf), k->challenge, k->created, k->expires, from->link, from->conn);
}

enum rc
mt_store_put_key(struct store *st, const struct mt_key *k, const struct mt_origin *from)
{
	enum rc rc;

	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	return mt_store_end(st, insert_key(st, k, from));
}

enum rc
mt_sql_read_key(struct store *st, sqlite3_stmt *q, struct mt_key *out)
{
	struct mt_key_name n;

	if (iccid_parse(sql_col(q, 0), &out->iccid) != RC_OK ||
	    device_id_parse(sql_col(q, 1), &out->triple.device_id) != RC_OK ||
	    btid_parse(sql_col(q, 2), &out->triple.btid) != RC_OK ||
	    naf_id_parse(sql_col(q, 3), &out->triple.naf_id) != RC_OK ||
	    !sql_col_str(q, 5, out->challenge, sizeof out->challenge)) {
		log_error("store: a stored key's row does not read as one");
		return RC_IO;
	}
	out->created = sqlite3_column_int64(q, 6);
	out->expires = sqlite3_column_int64(q, 7);
	out->last_ok = sqlite3_column_int64(q, 9) > out->created ? sqlite3_column_int64(q, 9) : out->created;
	out->ask_at = sqlite3_column_int64(q, 11);
	if (!sql_col_str(q, 10, out->etag, sizeof out->etag))
		out->etag[0] = '\0';
	out->state = sqlite3_column_int64(q, 8) == MT_KEY_CONFIRMED ? MT_KEY_CONFIRMED : MT_KEY_DERIVED;
	mt_sql_name_key(&out->iccid, &out->triple, &n);
	return mt_sql_unseal(st, "key", "ks_local_mt", n.part, 4, sql_col(q, 4), &out->ks_local_mt);
}

enum rc
mt_sql_take_key(struct store *st, sqlite3_stmt *q, struct mt_key *out)
{
	struct mt_key k = { .ks_local_mt = NULL };
	enum rc rc = mt_sql_read_key(st, q, &k);

	sql_done(q);
	if (rc == RC_OK)
		*out = k;
	else
		mt_key_clear(&k);
	return rc;
}

enum rc
mt_store_get_key(struct store *st, const struct iccid *iccid, const struct triple *t, int64_t now_s, struct mt_key *out)
{
	struct mt_key_name n;
	sqlite3_stmt *q;
	enum rc rc;

	mt_sql_name_key(iccid, t, &n);
	if ((rc = sql_bind(st, MT_SQL_GET_KEY, &q, "tttt", n.part[0], n.part[1], n.part[2], n.part[3])) != RC_OK)
		return rc;
	if ((rc = sql_step(q)) != RC_OK)
		return rc;
	if (sqlite3_column_int64(q, 7) <= now_s) {
		sql_done(q);
		return RC_EXPIRED;
	}
	return mt_sql_take_key(st, q, out);
}

enum rc
mt_store_key_of(struct store *st, const struct iccid *iccid, const struct device_id *id, int64_t now_s, struct mt_key *out)
{
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_KEY_OF, &q, "tti", iccid->s, id->s, now_s)) != RC_OK)
		return rc;
	if ((rc = sql_step(q)) != RC_OK)
		return rc;
	return mt_sql_take_key(st, q, out);
}

enum rc
mt_store_forget_key(struct store *st, const struct iccid *iccid, const struct triple *t)
{
	struct mt_key_name n;
	int changes = 0;
	enum rc rc;

	mt_sql_name_key(iccid, t, &n);
	rc = sql_run(st, MT_SQL_FORGET_ONE, &changes, "tttt", n.part[0], n.part[1], n.part[2], n.part[3]);
	return rc == RC_OK && changes == 0 ? RC_NOTFOUND : rc;
}

enum rc
mt_store_touch_key(struct store *st, const struct mt_key *k, const struct mt_origin *from)
{
	struct mt_key_name n;

	mt_sql_name_key(&k->iccid, &k->triple, &n);
	return sql_run(st, MT_SQL_TOUCH_KEY, NULL, "tttttt", n.part[0], n.part[1], n.part[2], n.part[3], from->link, from->conn);
}

static enum rc
confirm_key(struct store *st, const struct mt_key_name *n)
{
	int changes = 0;
	enum rc rc;

	if ((rc = sql_run(st, MT_SQL_CONFIRM_KEY, &changes, "tttt", n->part[0], n->part[1], n->part[2], n->part[3])) != RC_OK)
		return rc;
	if (changes == 0)
		return RC_NOTFOUND;
	return sql_run(st, MT_SQL_DROP_OLDER, NULL, "tttt", n->part[0], n->part[1], n->part[2], n->part[3]);
}

enum rc
mt_store_confirm_key(struct store *st, const struct iccid *iccid, const struct triple *t)
{
	struct mt_key_name n;
	enum rc rc;

	mt_sql_name_key(iccid, t, &n);
	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	return mt_store_end(st, confirm_key(st, &n));
}

enum rc
mt_store_each_key(struct store *st, const struct iccid *iccid, int64_t now_s, void (*fn)(void *arg, const struct mt_key *k),
    void *arg)
{
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_EACH_KEY, &q, "ti", iccid->s, now_s)) != RC_OK)
		return rc;
	while ((rc = sql_step(q)) == RC_OK) {
		struct mt_key k = { .ks_local_mt = NULL };

		if ((rc = mt_sql_read_key(st, q, &k)) == RC_OK)
			fn(arg, &k);
		mt_key_clear(&k);
		if (rc != RC_OK) {
			sql_done(q);
			return rc;
		}
	}
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* --- K5 */

enum rc
mt_store_trim_conn(struct store *st, const struct mt_origin *from, unsigned max)
{
	return sql_run(st, MT_SQL_TRIM_CONN, NULL, "tti", from->link, from->conn, (int64_t)max);
}

enum rc
mt_store_end_conn(struct store *st, const struct mt_origin *from, unsigned max)
{
	struct mt_origin ended = *from;
	enum rc rc;

	ended.conn[0] = '\0';
	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	if ((rc = sql_run(st, MT_SQL_END_CONN, NULL, "tt", from->link, from->conn)) == RC_OK)
		rc = mt_store_trim_conn(st, &ended, max);
	return mt_store_end(st, rc);
}

enum rc
mt_store_end_all_conns(struct store *st, unsigned max)
{
	enum rc rc;

	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	if ((rc = sql_run(st, MT_SQL_END_CONNS, NULL, "")) == RC_OK)
		rc = sql_run(st, MT_SQL_TRIM_LINKS, NULL, "i", (int64_t)max);
	return mt_store_end(st, rc);
}
