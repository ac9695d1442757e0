/* store_state: what was last heard of a key's state, and whose SIM was in an MT. */
#include <string.h>

#include "common/sql.h"
#include "extdevd/store.h"
#include "extdevd/store_sql.h"

enum rc
extdev_store_stand_by(struct store *st, const struct mt_id *mt, const struct triple *t, int64_t now_s, int64_t expires_s, const char *etag)
{
	char naf[NAF_ID_TEXT_MAX + 1];
	int changed = 0;
	enum rc rc;

	naf_id_print(&t->naf_id, naf);
	rc = sql_run(st, EXTDEV_SQL_STAND_BY_KEY, &changed, "ttttiti", mt->s, naf, t->btid.s, t->device_id.s, now_s, etag, expires_s);
	return rc == RC_OK && changed == 0 ? RC_NOTFOUND : rc;
}

enum rc
extdev_store_delete_key(struct store *st, const struct mt_id *mt, const struct triple *t)
{
	char naf[NAF_ID_TEXT_MAX + 1];
	int changed = 0;
	enum rc rc;

	naf_id_print(&t->naf_id, naf);
	rc = sql_run(st, EXTDEV_SQL_DELETE_KEY, &changed, "tttt", mt->s, naf, t->btid.s, t->device_id.s);
	return rc == RC_OK && changed == 0 ? RC_NOTFOUND : rc;
}

int64_t
extdev_store_least_sure(struct store *st, int64_t now_s, int64_t from_s)
{
	sqlite3_stmt *q = NULL;
	int64_t at = INT64_MAX;

	if (sql_bind(st, EXTDEV_SQL_OLDEST_SURE, &q, "ii", now_s, from_s) == RC_OK && sql_step(q) == RC_OK) {
		if (sqlite3_column_type(q, 0) != SQLITE_NULL)
			at = sqlite3_column_int64(q, 0);
		sql_done(q);
	}
	return at;
}

enum rc
extdev_store_get_pseudonym(struct store *st, const struct mt_id *mt, const struct naf_id *naf_id, char out[static UAXML_PSEUDONYM_MAX + 1])
{
	char naf[NAF_ID_TEXT_MAX + 1];
	sqlite3_stmt *q = NULL;
	enum rc rc;

	naf_id_print(naf_id, naf);
	if ((rc = sql_bind(st, EXTDEV_SQL_GET_PSEUDONYM, &q, "tt", mt->s, naf)) == RC_OK && (rc = sql_step(q)) == RC_OK) {
		rc = sql_col_str(q, 0, out, UAXML_PSEUDONYM_MAX + 1) ? RC_OK : RC_IO;
		sql_done(q);
	}
	return rc;
}

enum rc
extdev_store_drop_pseudonyms(struct store *st, const char *mt_id)
{
	int changed = 0;
	enum rc rc = sql_run(st, EXTDEV_SQL_DROP_PSEUDONYMS, &changed, "t", mt_id);

	return rc == RC_OK && changed == 0 ? RC_NOTFOUND : rc;
}

enum rc
extdev_store_each_pseudonym(struct store *st, enum rc (*fn)(void *arg, const struct mt_id *mt, const struct naf_id *naf,
    const char *pseudonym), void *arg)
{
	char pseudonym[UAXML_PSEUDONYM_MAX + 1];
	sqlite3_stmt *q = NULL;
	struct naf_id naf;
	struct mt_id mt;
	enum rc rc;

	if ((rc = sql_bind(st, EXTDEV_SQL_EACH_PSEUDONYM, &q, "")) != RC_OK)
		return rc;
	while ((rc = sql_step(q)) == RC_OK) {
		if (mt_id_parse(sql_col(q, 0), &mt) != RC_OK || naf_id_parse(sql_col(q, 1), &naf) != RC_OK ||
		    !sql_col_str(q, 2, pseudonym, sizeof pseudonym))
			rc = RC_IO;
		else
			rc = fn(arg, &mt, &naf, pseudonym);
		if (rc != RC_OK) {
			sql_done(q);
			return rc;
		}
	}
	return rc == RC_NOTFOUND ? RC_OK : rc;
}
