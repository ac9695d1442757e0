/* store_sql: schema, statements, and the few calls that run them. */
#include "bsfd/store_sql.h"

#include "bsfd/bsf.h"
#include "bsfd/store.h"
#include "common/log.h"

static const char *const migrations[] = {
	"CREATE TABLE subscriber ("
	"  impi TEXT PRIMARY KEY,"		/* TS 23.003 13.3 */
	"  imsi TEXT NOT NULL UNIQUE,"
	"  iccid TEXT NOT NULL,"		/* '' = not told */
	"  k BLOB NOT NULL,"			/* sealed; TS 33.102 6.3 */
	"  opc BLOB NOT NULL,"			/* sealed; TS 35.206 4.1 */
	"  amf BLOB NOT NULL,"			/* 2 octets */
	"  sqn INTEGER NOT NULL,"		/* SEQ || IND; everything up to it is reserved (TS 33.102 C.1.1.1) */
	"  gba_u INTEGER NOT NULL,"		/* TS 33.220 5 */
	"  ks_lifetime INTEGER NOT NULL,"	/* seconds, 0 = the BSF's; GUSS bsfInfo lifeTime (TS 29.109 A) */
	"  uss TEXT NOT NULL"			/* JSON, '' = none; TS 29.109 A */
	") WITHOUT ROWID;"
	"CREATE TABLE bootstrap ("
	"  run INTEGER PRIMARY KEY,"		/* the order of making */
	"  btid TEXT NOT NULL UNIQUE,"		/* TS 33.220 4.5.2 */
	"  impi TEXT NOT NULL,"
	"  rand BLOB NOT NULL,"
	"  ks BLOB NOT NULL,"			/* sealed; CK || IK */
	"  type INTEGER NOT NULL,"		/* 0 GBA_ME, 1 GBA_U */
	"  created INTEGER NOT NULL,"		/* seconds since 1970 */
	"  expires INTEGER NOT NULL"
	");"
	"CREATE INDEX bootstrap_impi ON bootstrap (impi, run);"
	"CREATE INDEX bootstrap_expires ON bootstrap (expires);"
	"CREATE TABLE tmpi ("
	"  run INTEGER PRIMARY KEY,"
	"  tmpi TEXT NOT NULL UNIQUE,"		/* TS 33.220 B.4 */
	"  impi TEXT NOT NULL"
	");"
	"CREATE INDEX tmpi_impi ON tmpi (impi, run);"
	"CREATE TABLE naf ("
	"  fqdn TEXT PRIMARY KEY,"		/* as the phone knows it (TS 29.109 6.3.1.3) */
	"  form TEXT NOT NULL"			/* JSON, as naf-add takes it: protocols, peers, gsids, policy */
	") WITHOUT ROWID;"
	"CREATE TABLE generation (n INTEGER NOT NULL);"		/* one row; RULES B4 */
	"INSERT INTO generation VALUES (0);"
};

static const char *const sql[BSF_SQL_COUNT_OF] = {
	[BSF_SQL_PUT_SUBSCRIBER] =
	    "INSERT INTO subscriber (impi, imsi, iccid, k, opc, amf, sqn, gba_u, ks_lifetime, uss)"
	    " VALUES (@impi, @imsi, @iccid, @k, @opc, @amf, @sqn, @gba_u, @ks_lifetime, @uss)",
	[BSF_SQL_GET_SUBSCRIBER] =
	    "SELECT imsi, iccid, amf, sqn, gba_u, ks_lifetime, uss FROM subscriber WHERE impi = @impi",
	[BSF_SQL_GET_CREDENTIALS] = "SELECT k, opc FROM subscriber WHERE impi = @impi",
	[BSF_SQL_SET_SQN] = "UPDATE subscriber SET sqn = @sqn WHERE impi = @impi",
	[BSF_SQL_RAISE_SQN] = "UPDATE subscriber SET sqn = MIN(sqn + @by, @max)",
	[BSF_SQL_DELETE_SUBSCRIBER] = "DELETE FROM subscriber WHERE impi = @impi",
	[BSF_SQL_DELETE_ITS_BOOTSTRAPS] = "DELETE FROM bootstrap WHERE impi = @impi",
	[BSF_SQL_DELETE_ITS_TMPIS] = "DELETE FROM tmpi WHERE impi = @impi",
	[BSF_SQL_LIST_SUBSCRIBERS] =
	    "SELECT impi, imsi, iccid, hex(amf), sqn, gba_u, ks_lifetime FROM subscriber ORDER BY impi",
	[BSF_SQL_COUNT] =
	    "SELECT (SELECT count(*) FROM subscriber), (SELECT count(*) FROM bootstrap), (SELECT count(*) FROM naf)",
	[BSF_SQL_PUT_BOOTSTRAP] =
	    "INSERT INTO bootstrap (btid, impi, rand, ks, type, created, expires)"
	    " VALUES (@btid, @impi, @rand, @ks, @type, @created, @expires)",
	[BSF_SQL_KEEP_BOOTSTRAPS] =
	    "DELETE FROM bootstrap WHERE impi = @impi AND run NOT IN"
	    " (SELECT run FROM bootstrap WHERE impi = @impi ORDER BY run DESC LIMIT @keep)",
	[BSF_SQL_GET_BOOTSTRAP] =
	    "SELECT impi, rand, ks, type, created, expires FROM bootstrap WHERE btid = @btid",
	[BSF_SQL_LIST_BOOTSTRAPS] =
	    "SELECT btid, impi, type, created, expires FROM bootstrap WHERE expires > @now ORDER BY run",
	[BSF_SQL_PURGE_BOOTSTRAPS] =
	    "DELETE FROM bootstrap WHERE run IN"
	    " (SELECT run FROM bootstrap WHERE expires <= @now ORDER BY expires LIMIT @max)",
	[BSF_SQL_NEXT_EXPIRY] = "SELECT min(expires) FROM bootstrap",
	[BSF_SQL_PUT_TMPI] = "INSERT OR REPLACE INTO tmpi (tmpi, impi) VALUES (@tmpi, @impi)",
	[BSF_SQL_KEEP_TMPIS] =
	    "DELETE FROM tmpi WHERE impi = @impi AND run NOT IN"
	    " (SELECT run FROM tmpi WHERE impi = @impi ORDER BY run DESC LIMIT @keep)",
	[BSF_SQL_GET_TMPI] = "SELECT impi FROM tmpi WHERE tmpi = @tmpi",
	[BSF_SQL_PUT_NAF] = "INSERT OR REPLACE INTO naf (fqdn, form) VALUES (@fqdn, @form)",
	[BSF_SQL_DELETE_NAF] = "DELETE FROM naf WHERE fqdn = @fqdn",
	[BSF_SQL_EACH_NAF] = "SELECT fqdn, form FROM naf ORDER BY fqdn",
	[BSF_SQL_GET_GENERATION] = "SELECT n, EXISTS (SELECT 1 FROM subscriber) FROM generation",
	[BSF_SQL_NEXT_GENERATION] = "UPDATE generation SET n = max(n, @least) + 1 RETURNING n",
};

const struct store_schema bsf_store_schema = {
	.daemon = "bsfd",
	.migrations = migrations,
	.n_migrations = sizeof migrations / sizeof migrations[0],
	.sql = sql,
	.n_sql = BSF_SQL_COUNT_OF,
};

void
bsf_sql_text(sqlite3_stmt *s, const char *name, const char *v)
{
	(void)sqlite3_bind_text(s, sqlite3_bind_parameter_index(s, name), v, -1, SQLITE_TRANSIENT);
}

void
bsf_sql_int(sqlite3_stmt *s, const char *name, int64_t v)
{
	(void)sqlite3_bind_int64(s, sqlite3_bind_parameter_index(s, name), v);
}

void
bsf_sql_blob(sqlite3_stmt *s, const char *name, struct span v)
{
	(void)sqlite3_bind_blob64(s, sqlite3_bind_parameter_index(s, name), v.p, v.n, SQLITE_TRANSIENT);
}

enum rc
bsf_sql_row(enum bsf_sql q, sqlite3_stmt *s)
{
	int r = sqlite3_step(s);

	if (r == SQLITE_ROW)
		return RC_OK;
	if (r == SQLITE_DONE)
		return RC_NOTFOUND;
	if ((r & 0xff) == SQLITE_CONSTRAINT)
		return RC_EXISTS;
	log_error("store: statement %d: %s", (int)q, sqlite3_errmsg(sqlite3_db_handle(s)));
	return RC_IO;
}

enum rc
bsf_sql_run(enum bsf_sql q, sqlite3_stmt *s, int *changed)
{
	enum rc rc = bsf_sql_row(q, s);

	if (rc == RC_NOTFOUND) {
		if (changed != NULL)
			*changed = sqlite3_changes(sqlite3_db_handle(s));
		rc = RC_OK;
	}
	(void)sqlite3_reset(s);
	return rc;
}

struct span
bsf_sql_column(sqlite3_stmt *s, int i)
{
	const void *p = sqlite3_column_blob(s, i);

	return span_of(p, (size_t)sqlite3_column_bytes(s, i));
}
