/* store_sql: what store.c and store_key.c share: the statements, and sealing by what names a row. Nobody else includes it. */
#ifndef MTD_STORE_SQL_H
#define MTD_STORE_SQL_H

#include "common/rc.h"
#include "common/span.h"
#include "common/sql.h"
#include "common/store.h"
#include "mtd/store.h"

/* In the order of read_key(). */
#define MT_SQL_KEY_COLUMNS "icc_id, device_id, btid, naf_id, ks_local_mt, challenge, created, expires, state, last_ok, etag, ask_at"
#define MT_SQL_THE_KEY "icc_id = ?1 AND device_id = ?2 AND btid = ?3 AND naf_id = ?4"
/* Of tombstone t: its key lives no more (one that was limited lives on for a while). */
#define MT_SQL_NO_KEY(now) "NOT EXISTS (SELECT 1 FROM key AS k WHERE k.icc_id = t.icc_id AND k.device_id = t.device_id" \
    " AND k.btid = t.btid AND k.naf_id = t.naf_id AND k.expires > " now ")"

#define MT_SQL(X) \
	X(FORGET_KS, "DELETE FROM ks WHERE icc_id <> ?1") \
	X(FORGET_TMPI, "DELETE FROM tmpi WHERE icc_id <> ?1") \
	X(FORGET_KS_NAF, "DELETE FROM ks_naf WHERE icc_id <> ?1") \
	X(FORGET_KEY, "DELETE FROM key WHERE icc_id <> ?1") \
	X(FORGET_TOMBSTONE, "DELETE FROM tombstone WHERE icc_id <> ?1") \
	X(PUT_KS, "INSERT OR REPLACE INTO ks (icc_id, aid, btid, rand, impi, ks, created, expires)" \
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)") \
	X(GET_KS, "SELECT btid, rand, impi, ks, created, expires FROM ks WHERE icc_id = ?1 AND aid = ?2") \
	X(DROP_KS, "DELETE FROM ks WHERE icc_id = ?1 AND aid = ?2 AND btid = ?3") \
	X(REMOVED_KS, "DELETE FROM ks") \
	X(REMOVED_KS_NAF, "DELETE FROM ks_naf") \
	X(REMOVED_KEY, "DELETE FROM key") \
	X(DROP_KS_NAF, "DELETE FROM ks_naf WHERE icc_id = ?1 AND aid = ?2 AND btid = ?3") \
	X(PUT_TMPI, "INSERT OR REPLACE INTO tmpi (icc_id, aid, impi, tmpi) VALUES (?1, ?2, ?3, ?4)") \
	X(DROP_TMPI, "DELETE FROM tmpi WHERE icc_id = ?1 AND aid = ?2") \
	X(GET_TMPI, "SELECT tmpi FROM tmpi WHERE icc_id = ?1 AND aid = ?2 AND impi = ?3") \
	X(PUT_KS_NAF, "INSERT OR REPLACE INTO ks_naf (icc_id, aid, btid, naf_id, ks_naf, expires)" \
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
	X(COUNT_KS_NAF, "SELECT count(*) FROM ks_naf WHERE icc_id = ?1 AND aid = ?2 AND btid = ?3") \
	X(GET_KS_NAF, "SELECT ks_naf, expires FROM ks_naf WHERE icc_id = ?1 AND aid = ?2 AND btid = ?3 AND naf_id = ?4") \
	X(DROP_WAITING, "DELETE FROM key WHERE icc_id = ?1 AND device_id = ?2 AND state = 0") \
	X(PUT_KEY, "INSERT INTO key (icc_id, device_id, btid, naf_id, ks_local_mt, ks_naf, challenge, created, expires, state, link, conn, seq," \
	    " ks_expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, (SELECT ifnull(max(seq), 0) + 1 FROM key), ?9)") \
	X(TOUCH_KEY, "UPDATE key SET link = ?5, conn = ?6, seq = (SELECT max(seq) + 1 FROM key)" \
	    " WHERE icc_id = ?1 AND device_id = ?2 AND btid = ?3 AND naf_id = ?4 AND state = 0") \
	X(GET_KEY, "SELECT " MT_SQL_KEY_COLUMNS " FROM key" \
	    " WHERE icc_id = ?1 AND device_id = ?2 AND btid = ?3 AND naf_id = ?4") \
	X(KEY_OF, "SELECT " MT_SQL_KEY_COLUMNS " FROM key" \
	    " WHERE icc_id = ?1 AND device_id = ?2 AND expires > ?3 ORDER BY state DESC, seq DESC LIMIT 1") \
	X(EACH_KEY, "SELECT " MT_SQL_KEY_COLUMNS " FROM key" \
	    " WHERE icc_id = ?1 AND expires > ?2 ORDER BY device_id, seq") \
	X(CONFIRM_KEY, "UPDATE key SET state = 1 WHERE icc_id = ?1 AND device_id = ?2 AND btid = ?3 AND naf_id = ?4") \
	X(DROP_OLDER, "DELETE FROM key WHERE icc_id = ?1 AND device_id = ?2 AND NOT (btid = ?3 AND naf_id = ?4)" \
	    " AND seq < (SELECT seq FROM key WHERE icc_id = ?1 AND device_id = ?2 AND btid = ?3 AND naf_id = ?4)") \
	X(FORGET_ONE, "DELETE FROM key WHERE icc_id = ?1 AND device_id = ?2 AND btid = ?3 AND naf_id = ?4") \
	X(TRIM_CONN, "DELETE FROM key WHERE seq IN (SELECT seq FROM key WHERE state = 0 AND link = ?1 AND conn = ?2" \
	    " ORDER BY seq DESC LIMIT -1 OFFSET ?3)") \
	X(END_CONN, "UPDATE key SET conn = '' WHERE link = ?1 AND conn = ?2") \
	X(END_CONNS, "UPDATE key SET conn = '' WHERE conn <> ''") \
	X(TRIM_LINKS, "DELETE FROM key WHERE seq IN (SELECT seq FROM (SELECT seq, row_number()" \
	    " OVER (PARTITION BY link ORDER BY seq DESC) AS n FROM key WHERE state = 0) WHERE n > ?1)") \
	X(GET_KEY_NAF, "SELECT ks_naf, expires FROM key WHERE " MT_SQL_THE_KEY) \
	X(DROP_KEY, "DELETE FROM key WHERE " MT_SQL_THE_KEY) \
	X(DROP_KEYS, "DELETE FROM key WHERE icc_id = ?1 AND ifnull(device_id = ?2, 1) AND ifnull(btid = ?3, 1) AND ifnull(naf_id = ?4, 1)") \
	X(DROP_DEVICE_KEYS, "DELETE FROM key WHERE device_id = ?1") \
	X(LIMIT_KEY, "UPDATE key SET ks_expires = max(ks_expires, expires), expires = ?5 WHERE " MT_SQL_THE_KEY " AND expires > ?5") \
	X(ENTOMB, "INSERT OR REPLACE INTO tombstone (icc_id, device_id, btid, naf_id, reason, expires)" \
	    " SELECT icc_id, device_id, btid, naf_id, ?5, max(expires, ks_expires) FROM key WHERE " MT_SQL_THE_KEY) \
	X(ENTOMB_DEVICE, "INSERT OR REPLACE INTO tombstone (icc_id, device_id, btid, naf_id, reason, expires)" \
	    " SELECT icc_id, device_id, btid, naf_id, ?2, max(expires, ks_expires) FROM key WHERE device_id = ?1") \
	X(GET_TOMBSTONE, "SELECT 1 FROM tombstone AS t WHERE " MT_SQL_THE_KEY " AND expires > ?5 AND " MT_SQL_NO_KEY("?5")) \
	X(GET_REVOKED, "SELECT 1 FROM tombstone WHERE " MT_SQL_THE_KEY " AND expires > ?5 AND reason <> ?6") \
	X(ANY_TOMBSTONE, "SELECT 1 FROM tombstone AS t WHERE icc_id = ?1 AND device_id = ?2 AND btid = ?3 AND expires > ?4 AND " \
	    MT_SQL_NO_KEY("?4") " LIMIT 1") \
	X(DUE_KEY, "SELECT " MT_SQL_KEY_COLUMNS " FROM key WHERE ask_at <= ?1 AND expires > ?1 ORDER BY ask_at LIMIT 1") \
	X(SET_ASK_AT, "UPDATE key SET ask_at = ?5 WHERE " MT_SQL_THE_KEY) \
	X(SET_LAST_OK, "UPDATE key SET last_ok = ?5, etag = ?6 WHERE " MT_SQL_THE_KEY) \
	X(NEXT_ASK, "SELECT min(ask_at) FROM key WHERE expires > ?1") \
	X(NEXT_GRACE, "SELECT min(max(last_ok, created)) FROM key WHERE max(last_ok, created) > ?1") \
	X(PUT_DEVICE, "INSERT OR REPLACE INTO device (device_id, state, decided) VALUES (?1, ?2, ?3)") \
	X(GET_DEVICE, "SELECT state FROM device WHERE device_id = ?1") \
	X(EACH_DEVICE, "SELECT device_id, state, decided FROM device ORDER BY device_id") \
	X(GET_BUCKET, "SELECT level, at_ms FROM bucket WHERE name = ?1") \
	X(PUT_BUCKET, "INSERT OR REPLACE INTO bucket (name, level, at_ms) VALUES (?1, ?2, ?3)") \
	X(EXPIRE_KS, "DELETE FROM ks WHERE (icc_id, aid) IN (SELECT icc_id, aid FROM ks WHERE expires <= ?1 LIMIT ?2)") \
	X(EXPIRE_KS_NAF, "DELETE FROM ks_naf WHERE (icc_id, aid, btid, naf_id) IN" \
	    " (SELECT icc_id, aid, btid, naf_id FROM ks_naf WHERE expires <= ?1 LIMIT ?2)") \
	X(EXPIRE_KEY, "DELETE FROM key WHERE seq IN (SELECT seq FROM key WHERE expires <= ?1 LIMIT ?2)") \
	X(EXPIRE_TOMBSTONE, "DELETE FROM tombstone WHERE (icc_id, device_id, btid, naf_id) IN" \
	    " (SELECT icc_id, device_id, btid, naf_id FROM tombstone WHERE expires <= ?1 LIMIT ?2)") \
	X(EXPIRE_BUCKET, "DELETE FROM bucket WHERE name IN (SELECT name FROM bucket WHERE at_ms <= (?1 - 3600) * 1000 LIMIT ?2)") \
	X(NEXT, "SELECT min(t) FROM (SELECT min(expires) AS t FROM ks UNION ALL SELECT min(expires) FROM ks_naf" \
	    " UNION ALL SELECT min(expires) FROM key UNION ALL SELECT min(expires) FROM tombstone UNION ALL SELECT min(at_ms) / 1000 + 3601 FROM bucket)")

enum mt_sql {
#define MT_SQL_ID(id, text) MT_SQL_##id,
	MT_SQL(MT_SQL_ID)
#undef MT_SQL_ID
	MT_SQL_COUNT
};

/* Seal under a row's parts into out[SEALED_LEN(KS_LEN)]; and back. */
#define MT_SEALED SEALED_LEN(KS_LEN)
enum rc mt_sql_seal(struct store *st, const char *table, const char *column, const char *const *parts, size_t n_parts,
    const struct secret *value, uint8_t out[static MT_SEALED]) MUST_USE;
enum rc mt_sql_unseal(struct store *st, const char *table, const char *column, const char *const *parts, size_t n_parts,
    struct span sealed, struct secret **out) MUST_USE;

/* What names a key row, in the order of its primary key. */
struct mt_key_name {
	const char *part[4];
	char naf_text[NAF_ID_TEXT_MAX + 1];
};
void mt_sql_name_key(const struct iccid *iccid, const struct triple *t, struct mt_key_name *out);
#define MT_KEY_PARTS(n) (n)->part[0], (n)->part[1], (n)->part[2], (n)->part[3]
/* A row of MT_SQL_KEY_COLUMNS; q stays as it is. Caller mt_key_clear()s either way. */
enum rc mt_sql_read_key(struct store *st, sqlite3_stmt *q, struct mt_key *out) MUST_USE;
/* The same for the one row that was asked for: q is done, and out untouched on failure. */
enum rc mt_sql_take_key(struct store *st, sqlite3_stmt *q, struct mt_key *out) MUST_USE;

#endif
