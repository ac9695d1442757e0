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
	"INSERT INTO generation VALUES (0);",

	/*
	 * Fewer and smaller trees, so that a bootstrapping touches fewer pages: subscribers have numbers; a subscriber's bootstrappings
	 * and TMPIs stand side by side in slots, and a new one takes the oldest one's place.
	 */
	"CREATE TABLE subscriber_2 ("
	"  number INTEGER PRIMARY KEY,"
	"  impi TEXT NOT NULL UNIQUE,"
	"  imsi TEXT NOT NULL UNIQUE,"
	"  iccid TEXT NOT NULL,"
	"  k BLOB NOT NULL,"
	"  opc BLOB NOT NULL,"
	"  amf BLOB NOT NULL,"
	"  sqn INTEGER NOT NULL,"
	"  gba_u INTEGER NOT NULL,"
	"  ks_lifetime INTEGER NOT NULL,"
	"  uss TEXT NOT NULL"
	");"
	"INSERT INTO subscriber_2 (impi, imsi, iccid, k, opc, amf, sqn, gba_u, ks_lifetime, uss)"
	"  SELECT impi, imsi, iccid, k, opc, amf, sqn, gba_u, ks_lifetime, uss FROM subscriber ORDER BY impi;"
	"CREATE TABLE bootstrap_2 ("
	"  subscriber INTEGER NOT NULL,"	/* its number */
	"  slot INTEGER NOT NULL,"		/* run modulo 8 (B1) */
	"  run INTEGER NOT NULL,"		/* the order of making, per subscriber */
	"  btid TEXT NOT NULL,"
	"  impi TEXT NOT NULL,"			/* the subscriber's: Zn needs no second look-up */
	"  rand BLOB NOT NULL UNIQUE,"		/* the B-TID's, and shorter */
	"  ks BLOB NOT NULL,"
	"  type INTEGER NOT NULL,"
	"  created INTEGER NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  PRIMARY KEY (subscriber, slot)"
	") WITHOUT ROWID;"
	"INSERT OR REPLACE INTO bootstrap_2 SELECT s.number, b.r % 8, b.r, b.btid, b.impi, b.rand, b.ks, b.type, b.created, b.expires FROM"
	"  (SELECT *, row_number() OVER (PARTITION BY impi ORDER BY run) AS r FROM bootstrap) b JOIN subscriber_2 s ON s.impi = b.impi ORDER BY b.run;"
	"CREATE TABLE tmpi_2 ("
	"  subscriber INTEGER NOT NULL,"
	"  slot INTEGER NOT NULL,"		/* run modulo 2 */
	"  run INTEGER NOT NULL,"
	"  tmpi TEXT NOT NULL UNIQUE,"
	"  PRIMARY KEY (subscriber, slot)"
	") WITHOUT ROWID;"
	"INSERT OR REPLACE INTO tmpi_2 SELECT s.number, t.r % 2, t.r, t.tmpi FROM"
	"  (SELECT *, row_number() OVER (PARTITION BY impi ORDER BY run) AS r FROM tmpi) t JOIN subscriber_2 s ON s.impi = t.impi ORDER BY t.run;"
	"DROP TABLE bootstrap;"
	"DROP TABLE tmpi;"
	"DROP TABLE subscriber;"
	"ALTER TABLE subscriber_2 RENAME TO subscriber;"
	"ALTER TABLE bootstrap_2 RENAME TO bootstrap;"
	"ALTER TABLE tmpi_2 RENAME TO tmpi;"
	"CREATE INDEX bootstrap_expires ON bootstrap (expires);"
};

#define ITS_NUMBER "(SELECT number FROM subscriber WHERE impi = ?1)"

static const char *const sql[BSF_SQL_COUNT_OF] = {
	[BSF_SQL_PUT_SUBSCRIBER] =
	    "INSERT INTO subscriber (impi, imsi, iccid, k, opc, amf, sqn, gba_u, ks_lifetime, uss)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[BSF_SQL_GET_SUBSCRIBER] =
	    "SELECT imsi, iccid, amf, sqn, gba_u, ks_lifetime, uss, number FROM subscriber WHERE impi = ?1",
	[BSF_SQL_GET_CREDENTIALS] = "SELECT k, opc FROM subscriber WHERE impi = ?1",
	[BSF_SQL_SET_SQN] = "UPDATE subscriber SET sqn = ?2 WHERE impi = ?1",
	[BSF_SQL_RAISE_SQN] = "UPDATE subscriber SET sqn = MIN(sqn + ?1, ?2)",
	[BSF_SQL_DELETE_SUBSCRIBER] = "DELETE FROM subscriber WHERE impi = ?1",
	[BSF_SQL_DELETE_ITS_BOOTSTRAPS] = "DELETE FROM bootstrap WHERE subscriber = " ITS_NUMBER,
	[BSF_SQL_DELETE_ITS_TMPIS] = "DELETE FROM tmpi WHERE subscriber = " ITS_NUMBER,
	[BSF_SQL_LIST_SUBSCRIBERS] =
	    "SELECT impi, imsi, iccid, hex(amf), sqn, gba_u, ks_lifetime FROM subscriber ORDER BY impi",
	[BSF_SQL_COUNT] =
	    "SELECT (SELECT count(*) FROM subscriber), (SELECT count(*) FROM bootstrap), (SELECT count(*) FROM naf)",
	[BSF_SQL_LAST_BOOTSTRAP] = "SELECT max(run) FROM bootstrap WHERE subscriber = ?1",
	[BSF_SQL_PUT_BOOTSTRAP] =
	    "INSERT INTO bootstrap (subscriber, slot, run, btid, impi, rand, ks, type, created, expires)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
	    " ON CONFLICT (subscriber, slot) DO UPDATE SET run = excluded.run, btid = excluded.btid, impi = excluded.impi,"
	    " rand = excluded.rand, ks = excluded.ks, type = excluded.type, created = excluded.created, expires = excluded.expires",
	[BSF_SQL_DELETE_UP_TO] = "DELETE FROM bootstrap WHERE subscriber = ?1 AND run <= ?2",
	[BSF_SQL_GET_BOOTSTRAP] =
	    "SELECT btid, impi, ks, type, created, expires, subscriber FROM bootstrap WHERE rand = ?1",
	[BSF_SQL_LIST_BOOTSTRAPS] =
	    "SELECT btid, impi, type, created, expires FROM bootstrap WHERE expires > ?1 ORDER BY created, subscriber, run",
	[BSF_SQL_PURGE_BOOTSTRAPS] =
	    "DELETE FROM bootstrap WHERE (subscriber, slot) IN"
	    " (SELECT subscriber, slot FROM bootstrap WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
	[BSF_SQL_NEXT_EXPIRY] = "SELECT min(expires) FROM bootstrap",
	[BSF_SQL_LAST_TMPI] = "SELECT max(run) FROM tmpi WHERE subscriber = ?1",
	[BSF_SQL_PUT_TMPI] =
	    "INSERT INTO tmpi (subscriber, slot, run, tmpi) VALUES (?1, ?2, ?3, ?4)"
	    " ON CONFLICT (subscriber, slot) DO UPDATE SET run = excluded.run, tmpi = excluded.tmpi",
	[BSF_SQL_GET_TMPI] = "SELECT impi FROM subscriber WHERE number = (SELECT subscriber FROM tmpi WHERE tmpi = ?1)",
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
