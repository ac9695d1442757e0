#include "extdevd/store_sql.h"

#include "extdevd/extdev.h"

static const char *const migrations[] = {
	"CREATE TABLE self ("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  device_id TEXT NOT NULL"		/* made once; seed 6.2, RULES W2 */
	");"
	"CREATE TABLE mt ("
	"  name TEXT PRIMARY KEY,"		/* of the mt section */
	"  mt_id TEXT NOT NULL"			/* RULES W3 */
	") WITHOUT ROWID;"
	"CREATE TABLE request ("			/* key requests without an answer yet; RULES N6 */
	"  mt_id TEXT PRIMARY KEY,"
	"  naf_id TEXT NOT NULL,"
	"  btid TEXT NOT NULL,"			/* TS 33.220 4.5.2 */
	"  device_id TEXT NOT NULL,"
	"  challenge TEXT NOT NULL,"		/* of derive's answer, '' = none; RULES K3 */
	"  run TEXT NOT NULL,"			/* RULES S1 */
	"  scenario INTEGER NOT NULL,"		/* 1 = seed 8.3.1, 2 = 8.3.2 */
	"  fresh INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE key ("
	"  made INTEGER PRIMARY KEY,"		/* the order of coming */
	"  mt_id TEXT NOT NULL,"
	"  naf_id TEXT NOT NULL,"		/* seed 7.5 */
	"  btid TEXT NOT NULL,"			/* seed 7.5 */
	"  device_id TEXT NOT NULL,"		/* the one it was made with; RULES K5 */
	"  ks BLOB NOT NULL,"			/* sealed; Ks_local_MT, seed 7.5 */
	"  expires INTEGER NOT NULL,"		/* Key Lifetime, seed 7.5; seconds since 1970 */
	"  state INTEGER NOT NULL,"		/* 0 waiting, 1 confirmed; RULES K2 */
	"  owed INTEGER NOT NULL,"		/* complete; RULES K4 */
	"  challenge TEXT NOT NULL,"
	"  run TEXT NOT NULL,"
	"  scenario INTEGER NOT NULL,"
	"  fresh INTEGER NOT NULL,"
	"  UNIQUE (mt_id, naf_id, btid, device_id)"
	");"
	"CREATE INDEX key_expires ON key (expires);",

	"ALTER TABLE key ADD COLUMN sure INTEGER NOT NULL DEFAULT 0;"	/* the Key Center stood by it last: its issue, or a good answer; RULES N10 */
	"ALTER TABLE key ADD COLUMN etag TEXT NOT NULL DEFAULT '';"	/* of that answer; RULES N7 */
	"ALTER TABLE key ADD COLUMN pseudonym TEXT NOT NULL DEFAULT '';"	/* came with it, '' = none; RULES K12 */
	"CREATE TABLE pseudonym ("		/* whose SIM was in that MT, as this Key Center calls it, when a key was confirmed; RULES K12 */
	"  mt_id TEXT NOT NULL,"
	"  naf_id TEXT NOT NULL,"
	"  pseudonym TEXT NOT NULL,"		/* '' = keys came and it told none */
	"  PRIMARY KEY (mt_id, naf_id)"
	") WITHOUT ROWID;",

	"ALTER TABLE key ADD COLUMN issued INTEGER NOT NULL DEFAULT 0;"	/* 0 = a row of before: not known */
	"CREATE TABLE forget ("			/* keys that an MT is to be asked to forget; RULES K5 */
	"  mt_id TEXT NOT NULL,"
	"  naf_id TEXT NOT NULL,"
	"  btid TEXT NOT NULL,"
	"  device_id TEXT NOT NULL,"
	"  proof TEXT NOT NULL,"		/* made with that key, for tunnels on the newest one alone; no secret */
	"  expires INTEGER NOT NULL,"
	"  PRIMARY KEY (mt_id, naf_id, btid, device_id)"
	") WITHOUT ROWID;"
};

#define KEY_COLUMNS "mt_id, naf_id, btid, device_id, challenge, run, scenario, fresh, ks, expires, state, owed, sure, pseudonym, etag, issued"
#define THIS_KEY "mt_id = ?1 AND naf_id = ?2 AND btid = ?3 AND device_id = ?4"
#define MATCH \
	"(?1 IS NULL OR mt_id = ?1) AND (?2 IS NULL OR naf_id = ?2) AND (?3 IS NULL OR btid = ?3) AND (?4 IS NULL OR device_id = ?4)"

static const char *const sql[EXTDEV_SQL_N] = {
	[EXTDEV_SQL_GET_SELF] = "SELECT device_id FROM self",
	[EXTDEV_SQL_PUT_SELF] = "INSERT OR REPLACE INTO self (one, device_id) VALUES (1, ?1)",
	[EXTDEV_SQL_GET_MT] = "SELECT mt_id FROM mt WHERE name = ?1",
	[EXTDEV_SQL_PUT_MT] = "INSERT OR REPLACE INTO mt (name, mt_id) VALUES (?1, ?2)",
	[EXTDEV_SQL_DELETE_STRAYS] = "DELETE FROM request WHERE mt_id NOT IN (SELECT mt_id FROM mt)",
	[EXTDEV_SQL_GET_REQUEST] =
	    "SELECT mt_id, naf_id, btid, device_id, challenge, run, scenario, fresh FROM request WHERE mt_id = ?1",
	[EXTDEV_SQL_PUT_REQUEST] =
	    "INSERT OR REPLACE INTO request (mt_id, naf_id, btid, device_id, challenge, run, scenario, fresh)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[EXTDEV_SQL_DELETE_REQUEST] = "DELETE FROM request WHERE mt_id = ?1",
	[EXTDEV_SQL_FORGET_REQUESTS] = "DELETE FROM request WHERE " MATCH,
	[EXTDEV_SQL_FIND_KEY] = "SELECT " KEY_COLUMNS " FROM key WHERE " THIS_KEY,
	[EXTDEV_SQL_PUT_KEY] =
	    "INSERT INTO key (" KEY_COLUMNS ") VALUES"
	    " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, '', ?15)",
	[EXTDEV_SQL_UPDATE_KEY] =
	    "UPDATE key SET challenge = ?5, run = ?6, scenario = ?7, fresh = ?8, ks = ?9, expires = ?10,"
	    " state = ?11, owed = ?12, sure = ?13, pseudonym = ?14, etag = '', issued = ?15 WHERE " THIS_KEY,
	/* beside the one that came, the one in use stays and nothing else */
	[EXTDEV_SQL_THIN_KEYS] =
	    "DELETE FROM key WHERE mt_id = ?1 AND NOT (" THIS_KEY ") AND made IS NOT ("
	    "SELECT made FROM key WHERE mt_id = ?1 AND NOT (" THIS_KEY ") AND expires > ?5 ORDER BY state DESC, made LIMIT 1)",
	[EXTDEV_SQL_CONFIRM_KEY] = "UPDATE key SET state = 1, owed = 0 WHERE " THIS_KEY,
	[EXTDEV_SQL_DELETE_OTHERS] = "DELETE FROM key WHERE mt_id = ?1 AND NOT (" THIS_KEY ")",
	[EXTDEV_SQL_SETTLE_KEY] = "UPDATE key SET owed = 0 WHERE " THIS_KEY,
	[EXTDEV_SQL_DROP_WAITING] = "DELETE FROM key WHERE " THIS_KEY " AND state = 0",
	[EXTDEV_SQL_GET_KEY] =
	    "SELECT " KEY_COLUMNS " FROM key WHERE mt_id = ?1 AND expires > ?2 ORDER BY state DESC, made DESC LIMIT 1",
	[EXTDEV_SQL_GET_OWED] =
	    "SELECT " KEY_COLUMNS " FROM key WHERE mt_id = ?1 AND expires > ?2 AND owed = 1 ORDER BY made DESC LIMIT 1",
	[EXTDEV_SQL_EACH_KEY] = "SELECT " KEY_COLUMNS " FROM key WHERE expires > ?1 ORDER BY mt_id, made",
	[EXTDEV_SQL_FORGET_KEYS] = "DELETE FROM key WHERE " MATCH,
	[EXTDEV_SQL_PURGE_KEYS] =
	    "DELETE FROM key WHERE made IN (SELECT made FROM key WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
	[EXTDEV_SQL_NEXT_EXPIRY] = "SELECT min(expires) FROM key",
	[EXTDEV_SQL_STAND_BY_KEY] = "UPDATE key SET sure = max(sure, ?5), etag = ?6, expires = min(expires, ?7) WHERE " THIS_KEY,
	[EXTDEV_SQL_DELETE_KEY] = "DELETE FROM key WHERE " THIS_KEY,
	[EXTDEV_SQL_OLDEST_SURE] = "SELECT min(sure) FROM key WHERE expires > ?1 AND sure >= ?2",
	[EXTDEV_SQL_GET_PSEUDONYM] = "SELECT pseudonym FROM pseudonym WHERE mt_id = ?1 AND naf_id = ?2",
	[EXTDEV_SQL_KEEP_PSEUDONYM] =
	    "INSERT OR REPLACE INTO pseudonym (mt_id, naf_id, pseudonym) SELECT mt_id, naf_id, pseudonym FROM key WHERE " THIS_KEY,
	[EXTDEV_SQL_DROP_PSEUDONYMS] = "DELETE FROM pseudonym WHERE mt_id = ?1",
	[EXTDEV_SQL_NEWEST_KEY] = "SELECT " KEY_COLUMNS " FROM key WHERE mt_id = ?1 AND expires > ?2 ORDER BY made DESC LIMIT 1",
	[EXTDEV_SQL_OWE_FORGET] =
	    "INSERT OR REPLACE INTO forget (mt_id, naf_id, btid, device_id, proof, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[EXTDEV_SQL_DROP_FORGET] = "DELETE FROM forget WHERE mt_id = ?1",
	[EXTDEV_SQL_GET_FORGET] =
	    "SELECT mt_id, naf_id, btid, device_id, proof, expires FROM forget WHERE mt_id = ?1 AND expires > ?2 LIMIT 1",
	[EXTDEV_SQL_SETTLE_FORGET] = "DELETE FROM forget WHERE " THIS_KEY,
	[EXTDEV_SQL_PURGE_FORGET] = "DELETE FROM forget WHERE expires <= ?1",
	[EXTDEV_SQL_EACH_PSEUDONYM] = "SELECT mt_id, naf_id, pseudonym FROM pseudonym ORDER BY mt_id, naf_id",
};

const struct store_schema extdev_store_schema = {
	.daemon = "extdevd",
	.migrations = migrations,
	.n_migrations = sizeof migrations / sizeof migrations[0],
	.sql = sql,
	.n_sql = EXTDEV_SQL_N,
};
