#include "mtd/store.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "mtd/mt.h"
#include "mtd/store_sql.h"

#define META_MT_ID "mt_id"
#define META_ICC_ID "icc_id"

static const char *const migrations[] = {
	/* 0 → 1 */
	"CREATE TABLE ks ("
	" icc_id TEXT NOT NULL,"	/* seed 7.5: whose card */
	" aid TEXT NOT NULL,"		/* its application (seed 7.6) */
	" btid TEXT NOT NULL,"		/* TS 33.220 4.5.2 */
	" rand BLOB NOT NULL,"		/* of that run: TS 33.220 B.3 P1 */
	" impi TEXT NOT NULL,"		/* TS 33.220 B.3 P2 */
	" ks BLOB,"			/* sealed; NULL = in the UICC (GBA_U, TS 33.220 5.2.1) */
	" created INTEGER NOT NULL,"
	" expires INTEGER NOT NULL,"	/* Ks lifetime, TS 24.109 C.1 */
	" PRIMARY KEY (icc_id, aid)) WITHOUT ROWID;"
	"CREATE TABLE tmpi ("
	" icc_id TEXT NOT NULL, aid TEXT NOT NULL,"
	" impi TEXT NOT NULL,"
	" tmpi TEXT NOT NULL,"		/* TS 33.220 B.4 */
	" PRIMARY KEY (icc_id, aid)) WITHOUT ROWID;"
	"CREATE TABLE ks_naf ("
	" icc_id TEXT NOT NULL, aid TEXT NOT NULL, btid TEXT NOT NULL,"
	" naf_id TEXT NOT NULL,"	/* FQDN/protocol id */
	" ks_naf BLOB NOT NULL,"	/* sealed */
	" expires INTEGER NOT NULL,"	/* the Ks lifetime */
	" PRIMARY KEY (icc_id, aid, btid, naf_id)) WITHOUT ROWID;"
	"CREATE INDEX ks_naf_expires ON ks_naf (expires);"
	"CREATE TABLE key ("		/* seed 7.5 */
	" icc_id TEXT NOT NULL, device_id TEXT NOT NULL, btid TEXT NOT NULL, naf_id TEXT NOT NULL,"
	" ks_local_mt BLOB NOT NULL,"	/* sealed */
	" ks_naf BLOB NOT NULL,"	/* sealed: what it came of (K6) */
	" challenge TEXT NOT NULL,"	/* K3 */
	" created INTEGER NOT NULL,"
	" expires INTEGER NOT NULL,"	/* inherited from Ks (seed 7.2) */
	" state INTEGER NOT NULL,"	/* 0 derived, 1 confirmed (K2) */
	" link TEXT NOT NULL, conn TEXT NOT NULL,"	/* asked for from here (K5) */
	" seq INTEGER NOT NULL,"	/* order of asking */
	" PRIMARY KEY (icc_id, device_id, btid, naf_id)) WITHOUT ROWID;"
	"CREATE INDEX key_expires ON key (expires);"
	"CREATE UNIQUE INDEX key_seq ON key (seq);"
	"CREATE INDEX key_unused ON key (link, conn, seq) WHERE state = 0;"
	"CREATE TABLE bucket ("		/* K8 */
	" name TEXT PRIMARY KEY,"
	" level INTEGER NOT NULL,"	/* milli-runs */
	" at_ms INTEGER NOT NULL) WITHOUT ROWID;",
	/* 1 → 2 */
	"CREATE TABLE device ("		/* what the user decided about who may ask */
	" device_id TEXT PRIMARY KEY,"
	" state INTEGER NOT NULL,"	/* 0 refused, 1 allowed */
	" decided INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE tombstone ("	/* N8: a key that must not come back */
	" icc_id TEXT NOT NULL, device_id TEXT NOT NULL, btid TEXT NOT NULL, naf_id TEXT NOT NULL,"
	" reason TEXT NOT NULL,"	/* reason.h's code */
	" expires INTEGER NOT NULL,"	/* of the Ks: the key cannot be made after that */
	" PRIMARY KEY (icc_id, device_id, btid, naf_id)) WITHOUT ROWID;"
	"CREATE INDEX tombstone_expires ON tombstone (expires);"
	"ALTER TABLE key ADD COLUMN ks_expires INTEGER NOT NULL DEFAULT 0;"	/* N9: expires may be earlier; 0 = it is not */
	"ALTER TABLE key ADD COLUMN last_ok INTEGER NOT NULL DEFAULT 0;"	/* N10: the Key Center's last good answer; 0 = none */
	"ALTER TABLE key ADD COLUMN ask_at INTEGER NOT NULL DEFAULT 0;"		/* N7: when to ask it next */
	"ALTER TABLE key ADD COLUMN etag TEXT NOT NULL DEFAULT '';"		/* N7: of that answer */
	"CREATE INDEX key_ask ON key (ask_at);",
};

static const char *const sql[] = {
#define MT_SQL_TEXT(id, text) text,
	MT_SQL(MT_SQL_TEXT)
#undef MT_SQL_TEXT
};

const struct store_schema mt_store_schema = {
	"mtd", migrations, sizeof migrations / sizeof *migrations, sql, sizeof sql / sizeof *sql
};

enum rc
mt_store_open(const char *path, const struct secret *key, struct store **out)
{
	return store_open(path, &mt_store_schema, key, out);
}

enum rc
mt_store_end(struct store *st, enum rc rc)
{
	enum rc end = store_end(st, rc == RC_OK);

	return rc != RC_OK ? rc : end;
}

/* A row's text as what it should be; another is a damaged row. */
#define ROW_OK(call, what) ((call) == RC_OK ? RC_OK : row_damaged(what))

static enum rc
row_damaged(const char *what)
{
	log_error("store: a stored %s does not read as one", what);
	return RC_IO;
}

enum rc
mt_store_mt_id(struct store *st, const struct rnd *rnd, struct mt_id *out)
{
	char text[MT_ID_LEN + 1];
	struct mt_id id;
	enum rc rc;

	if ((rc = store_meta_get_text(st, META_MT_ID, text, sizeof text)) == RC_OK)
		return ROW_OK(mt_id_parse(span_str(text), out), "MT_ID");
	if (rc != RC_NOTFOUND)
		return rc;
	if ((rc = mt_id_random(rnd, &id)) != RC_OK)
		return rc;
	if ((rc = store_meta_put_text(st, META_MT_ID, id.s)) != RC_OK)
		return rc;
	*out = id;
	return RC_OK;
}

/* --- the card */

enum rc
mt_store_last_card(struct store *st, struct iccid *out)
{
	char text[ICCID_MAX + 1];
	enum rc rc = store_meta_get_text(st, META_ICC_ID, text, sizeof text);

	if (rc != RC_OK)
		return rc;
	return ROW_OK(iccid_parse(span_str(text), out), "ICC_ID");
}

static enum rc
forget_others(struct store *st, const char *iccid)
{
	static const enum mt_sql all[] = { MT_SQL_FORGET_KS, MT_SQL_FORGET_TMPI, MT_SQL_FORGET_KS_NAF, MT_SQL_FORGET_KEY,
		MT_SQL_FORGET_TOMBSTONE };
	enum rc rc = RC_OK;

	for (size_t i = 0; i < sizeof all / sizeof *all && rc == RC_OK; i++)
		rc = sql_run(st, all[i], NULL, "t", iccid);
	return rc;
}

enum rc
mt_store_card(struct store *st, const struct iccid *iccid, bool *changed)
{
	struct iccid last;
	enum rc rc;

	rc = mt_store_last_card(st, &last);
	if (rc == RC_OK && strcmp(last.s, iccid->s) == 0) {
		*changed = false;
		return RC_OK;
	}
	/* None yet, or another (or its record is damaged): only rows of this card may stay. */
	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	if ((rc = forget_others(st, iccid->s)) == RC_OK)
		rc = store_meta_put_text(st, META_ICC_ID, iccid->s);
	if ((rc = mt_store_end(st, rc)) == RC_OK)
		*changed = true;
	return rc;
}

enum rc
mt_store_removed(struct store *st, bool with_keys, bool *deleted)
{
	static const enum mt_sql all[] = { MT_SQL_REMOVED_KS, MT_SQL_REMOVED_KS_NAF, MT_SQL_REMOVED_KEY };
	size_t n_all = with_keys ? sizeof all / sizeof *all : 1;
	int gone = 0;
	enum rc rc;

	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	for (size_t i = 0; i < n_all && rc == RC_OK; i++) {
		int n = 0;

		rc = sql_run(st, all[i], &n, "");
		gone += n;
	}
	if ((rc = mt_store_end(st, rc)) == RC_OK)
		*deleted = gone > 0;
	return rc;
}

/* --- Ks */

void
mt_ks_clear(struct mt_ks *ks)
{
	secret_free(ks->ks);
	memset(ks, 0, sizeof *ks);
}

enum rc
mt_store_put_ks(struct store *st, const struct mt_app *app, const struct mt_ks *ks)
{
	const char *const pk[] = { app->iccid.s, app->aid, ks->btid.s };
	uint8_t sealed[MT_SEALED];
	struct span s = { NULL, 0 };
	enum rc rc;

	if (ks->ks != NULL) {
		if ((rc = mt_sql_seal(st, "ks", "ks", pk, 3, ks->ks, sealed)) != RC_OK)
			return rc;
		s = span_of(sealed, sizeof sealed);
	}
	return sql_run(st, MT_SQL_PUT_KS, NULL, "tttbtbii", app->iccid.s, app->aid, ks->btid.s,
	    span_of(ks->rand, sizeof ks->rand), ks->impi.s, s, ks->created, ks->expires);
}

static enum rc
read_ks(struct store *st, const struct mt_app *app, sqlite3_stmt *q, struct mt_ks *out)
{
	const char *const pk[] = { app->iccid.s, app->aid, out->btid.s };
	struct span rand = sql_col(q, 1), sealed = sql_col(q, 3);

	if (btid_parse(sql_col(q, 0), &out->btid) != RC_OK || rand.n != sizeof out->rand ||
	    impi_parse(sql_col(q, 2), &out->impi) != RC_OK)
		return row_damaged("Ks");
	memcpy(out->rand, rand.p, rand.n);
	out->created = sqlite3_column_int64(q, 4);
	out->expires = sqlite3_column_int64(q, 5);
	if (sealed.n == 0)
		return RC_OK;
	return mt_sql_unseal(st, "ks", "ks", pk, 3, sealed, &out->ks);
}

enum rc
mt_store_get_ks(struct store *st, const struct mt_app *app, int64_t now_s, int64_t min_left_s, struct mt_ks *out)
{
	struct mt_ks ks = { .ks = NULL };
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_GET_KS, &q, "tt", app->iccid.s, app->aid)) != RC_OK)
		return rc;
	if ((rc = sql_step(q)) != RC_OK)
		return rc;
	if (sqlite3_column_int64(q, 5) - min_left_s <= now_s)
		rc = RC_EXPIRED;
	else
		rc = read_ks(st, app, q, &ks);
	sql_done(q);
	if (rc != RC_OK) {
		mt_ks_clear(&ks);
		return rc;
	}
	*out = ks;
	return RC_OK;
}

enum rc
mt_store_drop_ks(struct store *st, const struct mt_app *app, const struct btid *btid, bool *dropped)
{
	int n = 0;
	enum rc rc;

	if ((rc = store_begin(st)) != RC_OK)
		return rc;
	if ((rc = sql_run(st, MT_SQL_DROP_KS, &n, "ttt", app->iccid.s, app->aid, btid->s)) == RC_OK)
		rc = sql_run(st, MT_SQL_DROP_KS_NAF, NULL, "ttt", app->iccid.s, app->aid, btid->s);
	if ((rc = mt_store_end(st, rc)) == RC_OK)
		*dropped = n > 0;
	return rc;
}

enum rc
mt_store_put_tmpi(struct store *st, const struct mt_app *app, const struct impi *impi, const char *tmpi)
{
	if (tmpi[0] == '\0')
		return sql_run(st, MT_SQL_DROP_TMPI, NULL, "tt", app->iccid.s, app->aid);
	return sql_run(st, MT_SQL_PUT_TMPI, NULL, "tttt", app->iccid.s, app->aid, impi->s, tmpi);
}

enum rc
mt_store_get_tmpi(struct store *st, const struct mt_app *app, const struct impi *impi, char out[static TMPI_LEN + 1])
{
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_GET_TMPI, &q, "ttt", app->iccid.s, app->aid, impi->s)) != RC_OK)
		return rc;
	if ((rc = sql_step(q)) == RC_NOTFOUND) {
		out[0] = '\0';
		return RC_OK;
	}
	if (rc != RC_OK)
		return rc;
	if (!tmpi_is(sql_col(q, 0)) || !span_to_str(sql_col(q, 0), out, TMPI_LEN + 1))
		rc = row_damaged("TMPI");
	sql_done(q);
	return rc;
}

/* --- Ks_(ext)_NAF */

static enum rc
count_ks_naf(struct store *st, const struct mt_app *app, const struct btid *btid, int64_t *n)
{
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_COUNT_KS_NAF, &q, "ttt", app->iccid.s, app->aid, btid->s)) != RC_OK)
		return rc;
	if ((rc = sql_step(q)) != RC_OK)
		return rc;
	*n = sqlite3_column_int64(q, 0);
	sql_done(q);
	return RC_OK;
}

enum rc
mt_store_put_ks_naf(struct store *st, const struct mt_app *app, const struct btid *btid, const struct naf_id *naf,
    int64_t expires, const struct secret *ks_naf)
{
	char naf_text[NAF_ID_TEXT_MAX + 1];
	const char *const pk[] = { app->iccid.s, app->aid, btid->s, naf_text };
	uint8_t sealed[MT_SEALED];
	int64_t n = 0;
	enum rc rc;

	if ((rc = count_ks_naf(st, app, btid, &n)) != RC_OK || n >= MT_KS_NAFS_MAX)
		return rc;
	naf_id_print(naf, naf_text);
	if ((rc = mt_sql_seal(st, "ks_naf", "ks_naf", pk, 4, ks_naf, sealed)) != RC_OK)
		return rc;
	return sql_run(st, MT_SQL_PUT_KS_NAF, NULL, "ttttbi", app->iccid.s, app->aid, btid->s, naf_text,
	    span_of(sealed, sizeof sealed), expires);
}

enum rc
mt_store_get_ks_naf(struct store *st, const struct mt_app *app, const struct btid *btid, const struct naf_id *naf, int64_t now_s,
    struct secret **out)
{
	char naf_text[NAF_ID_TEXT_MAX + 1];
	const char *const pk[] = { app->iccid.s, app->aid, btid->s, naf_text };
	sqlite3_stmt *q;
	enum rc rc;

	naf_id_print(naf, naf_text);
	if ((rc = sql_bind(st, MT_SQL_GET_KS_NAF, &q, "tttt", app->iccid.s, app->aid, btid->s, naf_text)) != RC_OK)
		return rc;
	if ((rc = sql_step(q)) != RC_OK)
		return rc;
	if (sqlite3_column_int64(q, 1) <= now_s)
		rc = RC_EXPIRED;
	else
		rc = mt_sql_unseal(st, "ks_naf", "ks_naf", pk, 4, sql_col(q, 0), out);
	sql_done(q);
	return rc;
}

/* --- buckets */

enum rc
mt_store_get_bucket(struct store *st, const char *name, struct mt_bucket *out)
{
	sqlite3_stmt *q;
	enum rc rc;

	if ((rc = sql_bind(st, MT_SQL_GET_BUCKET, &q, "t", name)) != RC_OK)
		return rc;
	if ((rc = sql_step(q)) != RC_OK)
		return rc;
	out->level = sqlite3_column_int64(q, 0);
	out->at_ms = sqlite3_column_int64(q, 1);
	sql_done(q);
	return RC_OK;
}

enum rc
mt_store_put_bucket(struct store *st, const char *name, const struct mt_bucket *b)
{
	return sql_run(st, MT_SQL_PUT_BUCKET, NULL, "tii", name, b->level, b->at_ms);
}

/* --- expiry (T1) */

enum rc
mt_store_expire(void *arg, int64_t now_s, unsigned max, unsigned *n)
{
	static const enum mt_sql all[] = { MT_SQL_EXPIRE_KEY, MT_SQL_EXPIRE_KS_NAF, MT_SQL_EXPIRE_KS, MT_SQL_EXPIRE_TOMBSTONE,
		MT_SQL_EXPIRE_BUCKET };
	unsigned done = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all && done < max; i++) {
		int changes = 0;
		enum rc rc = sql_run(arg, all[i], &changes, "ii", now_s, (int64_t)(max - done));

		if (rc != RC_OK)
			return rc;
		done += (unsigned)changes;
	}
	*n = done;
	return RC_OK;
}

int64_t
mt_store_next_expiry(void *arg)
{
	sqlite3_stmt *q;
	int64_t t = INT64_MAX;

	if (sql_bind(arg, MT_SQL_NEXT, &q, "") != RC_OK || sql_step(q) != RC_OK)
		return t;
	if (sqlite3_column_type(q, 0) != SQLITE_NULL)
		t = sqlite3_column_int64(q, 0);
	sql_done(q);
	return t;
}
