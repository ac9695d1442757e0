/* store_forget: what an MT is to be asked to forget (K5). */
#include "common/sql.h"
#include "extdevd/store.h"
#include "extdevd/store_sql.h"

enum rc
extdev_store_owe_forget(struct store *st, const struct extdev_owed *o)
{
	char naf[NAF_ID_TEXT_MAX + 1];

	naf_id_print(&o->older.naf_id, naf);
	return sql_run(st, EXTDEV_SQL_OWE_FORGET, NULL, "ttttti", o->mt_id.s, naf, o->older.btid.s, o->older.device_id.s, o->proof,
	    o->expires_s);
}

enum rc
extdev_store_drop_forget(struct store *st, const struct mt_id *mt)
{
	return sql_run(st, EXTDEV_SQL_DROP_FORGET, NULL, "t", mt->s);
}

enum rc
extdev_store_get_forget(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_owed *out)
{
	struct extdev_owed o = { .expires_s = 0 };
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, EXTDEV_SQL_GET_FORGET, &q, "ti", mt->s, now_s)) != RC_OK || (rc = sql_step(q)) != RC_OK)
		return rc;
	if (mt_id_parse(sql_col(q, 0), &o.mt_id) != RC_OK || naf_id_parse(sql_col(q, 1), &o.older.naf_id) != RC_OK ||
	    btid_parse(sql_col(q, 2), &o.older.btid) != RC_OK || device_id_parse(sql_col(q, 3), &o.older.device_id) != RC_OK ||
	    !sql_col_str(q, 4, o.proof, sizeof o.proof))
		rc = RC_IO;
	o.expires_s = sqlite3_column_int64(q, 5);
	sql_done(q);
	if (rc == RC_OK)
		*out = o;
	return rc;
}

enum rc
extdev_store_settle_forget(struct store *st, const struct extdev_owed *o)
{
	char naf[NAF_ID_TEXT_MAX + 1];

	naf_id_print(&o->older.naf_id, naf);
	return sql_run(st, EXTDEV_SQL_SETTLE_FORGET, NULL, "tttt", o->mt_id.s, naf, o->older.btid.s, o->older.device_id.s);
}
