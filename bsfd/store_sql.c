/* store_sql: schema and statements; parameters by position (sql.h). */
#include "bsfd/store_sql.h"

#include "bsfd/bsf.h"

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
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[BSF_SQL_GET_SUBSCRIBER] =
	    "SELECT imsi, iccid, amf, sqn, gba_u, ks_lifetime, uss FROM subscriber WHERE impi = ?1",
	[BSF_SQL_GET_CREDENTIALS] = "SELECT k, opc FROM subscriber WHERE impi = ?1",
	[BSF_SQL_SET_SQN] = "UPDATE subscriber SET sqn = ?2 WHERE impi = ?1",
	[BSF_SQL_RAISE_SQN] = "UPDATE subscriber SET sqn = MIN(sqn + ?1, ?2)",
	[BSF_SQL_DELETE_SUBSCRIBER] = "DELETE FROM subscriber WHERE impi = ?1",
	[BSF_SQL_DELETE_ITS_BOOTSTRAPS] = "DELETE FROM bootstrap WHERE impi = ?1",
	[BSF_SQL_DELETE_ITS_TMPIS] = "DELETE FROM tmpi WHERE impi = ?1",
	[BSF_SQL_LIST_SUBSCRIBERS] =
	    "SELECT impi, imsi, iccid, hex(amf), sqn, gba_u, ks_lifetime FROM subscriber ORDER BY impi",
	[BSF_SQL_COUNT] =
	    "SELECT (SELECT count(*) FROM subscriber), (SELECT count(*) FROM bootstrap), (SELECT count(*) FROM naf)",
	[BSF_SQL_PUT_BOOTSTRAP] =
	    "INSERT INTO bootstrap (btid, impi, rand, ks, type, created, expires)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[BSF_SQL_KEEP_BOOTSTRAPS] =
	    "DELETE FROM bootstrap WHERE impi = ?1 AND run <="
	    " (SELECT run FROM bootstrap WHERE impi = ?1 ORDER BY run DESC LIMIT 1 OFFSET ?2)",
	[BSF_SQL_GET_BOOTSTRAP] =
	    "SELECT impi, rand, ks, type, created, expires FROM bootstrap WHERE btid = ?1",
	[BSF_SQL_LIST_BOOTSTRAPS] =
	    "SELECT btid, impi, type, created, expires FROM bootstrap WHERE expires > ?1 ORDER BY run",
	[BSF_SQL_PURGE_BOOTSTRAPS] =
	    "DELETE FROM bootstrap WHERE run IN"
	    " (SELECT run FROM bootstrap WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
	[BSF_SQL_NEXT_EXPIRY] = "SELECT min(expires) FROM bootstrap",
	[BSF_SQL_PUT_TMPI] = "INSERT OR REPLACE INTO tmpi (tmpi, impi) VALUES (?1, ?2)",
	[BSF_SQL_KEEP_TMPIS] =
	    "DELETE FROM tmpi WHERE impi = ?1 AND run <="
	    " (SELECT run FROM tmpi WHERE impi = ?1 ORDER BY run DESC LIMIT 1 OFFSET ?2)",
	[BSF_SQL_GET_TMPI] = "SELECT impi FROM tmpi WHERE tmpi = ?1",
	[BSF_SQL_PUT_NAF] = "INSERT OR REPLACE INTO naf (fqdn, form) VALUES (?1, ?2)",
	[BSF_SQL_DELETE_NAF] = "DELETE FROM naf WHERE fqdn = ?1",
	[BSF_SQL_EACH_NAF] = "SELECT fqdn, form FROM naf ORDER BY fqdn",
	[BSF_SQL_GET_GENERATION] = "SELECT n, EXISTS (SELECT 1 FROM subscriber) FROM generation",
	[BSF_SQL_NEXT_GENERATION] = "UPDATE generation SET n = max(n, ?1) + 1 RETURNING n",
};

const struct store_schema bsf_store_schema = {
	.daemon = "bsfd",
	.migrations = migrations,
	.n_migrations = sizeof migrations / sizeof migrations[0],
	.sql = sql,
	.n_sql = BSF_SQL_COUNT_OF,
};
