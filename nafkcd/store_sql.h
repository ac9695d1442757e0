/* store_sql: the Key Center's statements by number; the store's files run them, nobody else. */
#ifndef NAFKCD_STORE_SQL_H
#define NAFKCD_STORE_SQL_H

#include "common/sql.h"
#include "nafkcd/policy.h"

/* Of the device row d: is the Device_ID, or the public key that has it, blocked? */
#define NAFKC_SQL_BLOCKED \
	"(EXISTS (SELECT 1 FROM block WHERE kind = 0 AND value = d.device_id) OR" \
	" EXISTS (SELECT 1 FROM block WHERE kind = 1 AND value = lower(hex(d.spki))))"

/* Of the device row d: is there something that it is needed for? */
#define NAFKC_SQL_HELD \
	"(d.lifetime_max <> 0 OR EXISTS (SELECT 1 FROM key k WHERE k.device_id = d.device_id) OR" \
	" EXISTS (SELECT 1 FROM tombstone t WHERE t.device_id = d.device_id) OR " NAFKC_SQL_BLOCKED ")"

/* The kind of the widest block of a device's, a public key's and an issuer's; three look-ups: OR and ORDER BY would each make a table */
#define NAFKC_SQL_WIDEST(device, spki, issuer) \
	"coalesce((SELECT kind FROM block WHERE kind = 2 AND value = " issuer ")," \
	" (SELECT kind FROM block WHERE kind = 1 AND value = " spki "), (SELECT kind FROM block WHERE kind = 0 AND value = " device "), -1)"

/* Audit rows stand in the order of their times, but for what a clock that was set made of it: so many of the first are looked at. */
#define NAFKC_SQL_OLDEST "(SELECT id, at FROM audit ORDER BY id LIMIT 1000)"

#define NAFKC_SQL(X) \
	X(PUT_KEY, "INSERT INTO key (naf_id, btid, device_id, ks_local_mt, kcv, issued, expires, state, spki, ks_expires, issuer, mt_pseudonym)" \
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'active', ?8, ?9, ?10, ?11)") \
	X(DROP_KEY, "DELETE FROM key WHERE naf_id = ?1 AND btid = ?2 AND device_id = ?3") \
	X(BIND_KEY, "UPDATE key SET spki = ?4, issuer = ?5, mt_pseudonym = ?6 WHERE naf_id = ?1 AND btid = ?2 AND device_id = ?3") \
	X(UNBIND_KEYS, "UPDATE key SET spki = NULL WHERE device_id = ?1") \
	X(UNBIND_TOMBSTONES, "UPDATE tombstone SET spki = NULL WHERE device_id = ?1") \
	X(EACH_KEY, "SELECT btid, naf_id, device_id, kcv, issued, expires, state, lower(ifnull(hex(spki), '')) FROM key" \
	    " WHERE expires > ?1 ORDER BY issued, btid, device_id") \
	X(EACH_TOMBSTONE, "SELECT btid, naf_id, device_id, '', at, expires, reason, lower(ifnull(hex(spki), '')) FROM tombstone t" \
	    " WHERE expires > ?1 AND at <= ?1 ORDER BY at, btid, device_id") \
	X(GET_DEVICE, "SELECT state, spki, lifetime_max, subject, " NAFKC_SQL_BLOCKED " FROM device d WHERE device_id = ?1") \
	X(PUT_DEVICE, "INSERT OR REPLACE INTO device (device_id, state, spki, lifetime_max, subject) VALUES (?1, ?2, ?3, ?4, ?5)") \
	X(COUNT_OTHERS, "SELECT count(*) FROM device d WHERE spki = ?1 AND device_id <> ?3 AND" \
	    " EXISTS (SELECT 1 FROM key k WHERE k.device_id = d.device_id AND k.expires > ?2 AND k.spki = ?1)") \
	X(EACH_DEVICE, "SELECT device_id, state, spki, lifetime_max, subject, " NAFKC_SQL_BLOCKED " FROM device d ORDER BY device_id") \
	X(PUT_BLOCK, "INSERT INTO block (kind, value, spki, at) VALUES (?1, ?2, ?3, ?4)" \
	    " ON CONFLICT (kind, value) DO UPDATE SET spki = ifnull(excluded.spki, spki)") \
	X(DROP_BLOCK, "DELETE FROM block WHERE kind = ?1 AND value = ?2") \
	X(FIND_BLOCK, "SELECT " NAFKC_SQL_WIDEST("?1", "?2", "?3")) \
	X(LOOK, "SELECT " NAFKC_SQL_WIDEST("?3", "?4", "?5") ", d.state, d.spki, d.lifetime_max, d.subject, 0," \
	    " k.expires, k.ks_local_mt, k.kcv, k.issued, k.spki, ifnull(k.ks_expires, k.expires), k.issuer, k.mt_pseudonym," \
	    " CASE WHEN k.expires > ?6 THEN 0 ELSE EXISTS (SELECT 1 FROM tombstone" \
	    " WHERE naf_id = ?1 AND btid = ?2 AND device_id = ?3 AND expires > ?6) END" \
	    " FROM (SELECT 1) LEFT JOIN device d ON d.device_id = ?3" \
	    " LEFT JOIN key k ON k.naf_id = ?1 AND k.btid = ?2 AND k.device_id = ?3") \
	X(FIND_BARRED, "SELECT 1 FROM block WHERE spki = ?1 LIMIT 1") \
	X(EACH_BLOCK, "SELECT kind, value, at FROM block ORDER BY kind, value") \
	X(MARK_DEVICE, "UPDATE key SET state = 'marked' WHERE device_id = ?1 AND expires > ?2") \
	X(MARK_SPKI, "UPDATE key SET state = 'marked' WHERE expires > ?2 AND" \
	    " device_id IN (SELECT device_id FROM device WHERE spki = ?1) AND (spki = ?1 OR spki IS NULL)") \
	X(MARK_ISSUER, "UPDATE key SET state = 'marked' WHERE id BETWEEN ?3 AND ?4 AND issuer = ?1 AND expires > ?2") \
	X(PUT_ENDING, "INSERT OR REPLACE INTO ending (issuer, first, last, n)" \
	    " VALUES (?1, 0, ifnull((SELECT max(id) FROM key), -1), 0)") \
	X(EACH_ENDING, "SELECT issuer FROM ending") \
	X(NEXT_PART, "SELECT first, n, last, ifnull((SELECT max(id) FROM" \
	    " (SELECT id FROM key WHERE id BETWEEN e.first AND e.last ORDER BY id LIMIT ?2)), -1) FROM ending e WHERE issuer = ?1") \
	X(MOVE_ENDING, "UPDATE ending SET first = ?2, n = ?3 WHERE issuer = ?1") \
	X(DROP_ENDING, "DELETE FROM ending WHERE issuer = ?1") \
	X(MARK_TRIPLE, "UPDATE key SET state = 'marked' WHERE naf_id = ?1 AND btid = ?2 AND device_id = ?3 AND expires > ?4") \
	X(AUDIT_MARKED, "INSERT INTO audit (at, event, reason, device_id, btid, naf_id, kcv, expires, was, spki, subject)" \
	    " SELECT ?1, ?2, '', k.device_id, k.btid, k.naf_id, k.kcv, ?3, k.expires, ifnull(k.spki, d.spki), ifnull(d.subject, '')" \
	    " FROM key k LEFT JOIN device d USING (device_id) WHERE k.state = 'marked'") \
	X(BURY_MARKED, "INSERT OR REPLACE INTO tombstone (naf_id, btid, device_id, reason, at, expires, spki)" \
	    " SELECT k.naf_id, k.btid, k.device_id, ?1, ?2, ifnull(k.ks_expires, k.expires), ifnull(k.spki, d.spki)" \
	    " FROM key k LEFT JOIN device d USING (device_id) WHERE k.state = 'marked'") \
	X(DROP_MARKED, "DELETE FROM key WHERE state = 'marked'") \
	X(CUT_MARKED, "UPDATE key SET ks_expires = ifnull(ks_expires, expires), expires = ?1, state = 'limited' WHERE state = 'marked'") \
	X(STATE, "SELECT 0 AS gone, k.expires, ifnull(k.spki, d.spki), '', k.issuer FROM key k LEFT JOIN device d USING (device_id)" \
	    " WHERE k.naf_id = ?1 AND k.btid = ?2 AND k.device_id = ?3 AND k.expires > ?4 UNION ALL" \
	    " SELECT 1, t.expires, ifnull(t.spki, d.spki), t.reason, NULL FROM tombstone t LEFT JOIN device d USING (device_id)" \
	    " WHERE t.naf_id = ?1 AND t.btid = ?2 AND t.device_id = ?3 AND t.expires > ?4" \
	    " ORDER BY gone LIMIT 1") \
	X(LIVE_OF_DEVICE, "SELECT count(*) FROM key WHERE device_id = ?1 AND expires > ?2") \
	X(KNOWS_BTID, "SELECT 1 FROM key WHERE naf_id = ?1 AND btid = ?2 AND expires > ?3 UNION ALL" \
	    " SELECT 1 FROM tombstone WHERE naf_id = ?1 AND btid = ?2 AND expires > ?3 LIMIT 1") \
	X(GET_OWN, "SELECT value FROM own WHERE name = ?1") \
	X(PUT_OWN, "INSERT INTO own (name, value) VALUES (?1, ?2)") \
	X(PUT_AUDIT, "INSERT INTO audit (at, event, reason, device_id, btid, naf_id, kcv, expires, spki, subject)" \
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)") \
	X(EACH_AUDIT, "SELECT at, event, device_id, btid, naf_id, kcv, expires, lower(ifnull(hex(spki), '')), subject, reason, was FROM audit" \
	    " ORDER BY id DESC LIMIT ?1") \
	X(IDLE_BY_KEY, "UPDATE device SET idle = ?1 WHERE device_id IN" \
	    " (SELECT device_id FROM key WHERE expires <= ?1 ORDER BY expires LIMIT ?2)") \
	X(IDLE_BY_TOMBSTONE, "UPDATE device SET idle = ?1 WHERE device_id IN" \
	    " (SELECT device_id FROM tombstone WHERE expires <= ?1 ORDER BY expires LIMIT ?2)") \
	X(KEEP_DEVICE, "UPDATE device AS d SET idle = NULL WHERE device_id IN" \
	    " (SELECT device_id FROM device WHERE idle <= ?1 ORDER BY idle LIMIT ?2) AND " NAFKC_SQL_HELD) \
	X(FORGET_DEVICE, "DELETE FROM device AS d WHERE device_id IN" \
	    " (SELECT device_id FROM device WHERE idle <= ?1 ORDER BY idle LIMIT ?2) AND NOT " NAFKC_SQL_HELD) \
	X(EXPIRE_KEY, "DELETE FROM key WHERE id IN (SELECT id FROM key WHERE expires <= ?1 ORDER BY expires LIMIT ?2)") \
	X(EXPIRE_TOMBSTONE, "DELETE FROM tombstone WHERE (naf_id, btid, device_id) IN" \
	    " (SELECT naf_id, btid, device_id FROM tombstone WHERE expires <= ?1 ORDER BY expires LIMIT ?2)") \
	X(EXPIRE_AUDIT, "DELETE FROM audit WHERE id IN (SELECT id FROM " NAFKC_SQL_OLDEST " WHERE at <= ?1 LIMIT ?2)") \
	X(NEXT, "SELECT min(t) FROM (SELECT min(expires) AS t FROM key UNION ALL SELECT min(expires) FROM tombstone" \
	    " UNION ALL SELECT min(at) + ?1 FROM " NAFKC_SQL_OLDEST " UNION ALL SELECT min(idle) + ?2 FROM device WHERE idle IS NOT NULL)") \
	X(COUNT, "SELECT (SELECT count(*) FROM key), (SELECT count(*) FROM device), (SELECT count(*) FROM tombstone)")

enum nafkc_sql {
#define NAFKC_SQL_ID(id, text) NAFKC_SQL_##id,
	NAFKC_SQL(NAFKC_SQL_ID)
#undef NAFKC_SQL_ID
	NAFKC_SQL_COUNT_OF
};

/* The columns state, spki, lifetime_max, subject, blocked, from column first on; out->id is set already. RC_IO: damaged. */
enum rc nafkc_sql_device(sqlite3_stmt *q, int first, struct nafkc_device *out) MUST_USE;

struct nafkc_names {		/* a triple as texts, and as the name of its row */
	char naf_id[NAF_ID_TEXT_MAX + 1];
	const char *part[3];
	uint8_t pk[NAF_ID_TEXT_MAX + BTID_MAX + DEVICE_ID_MAX + 3];
	size_t n;
};
enum rc nafkc_sql_names(const struct triple *t, struct nafkc_names *out) MUST_USE;
/* The kind of a block, as FIND_BLOCK and LOOK tell it: is there one, and which? */
bool nafkc_sql_scope(int64_t kind, enum nafkc_scope *out);
/* An issuer's public key as a block names it, in out; NULL: all zeros, which no block names. */
const char *nafkc_sql_issuer(const uint8_t issuer[static 32], char out[static 65]);
/* NULL in SQL where there is none. */
struct span nafkc_sql_hash(bool there, const uint8_t hash[static 32]);
/* false: the column holds neither nothing nor 32 octets. */
bool nafkc_sql_take_hash(struct span in, bool *there, uint8_t out[static 32]);
/* What was marked, marked rows of key, ends at at_s: audited, buried, cut short or dropped. */
enum rc nafkc_sql_end_marked(struct store *st, int64_t now_s, int64_t at_s, const char *event, const char *reason, int marked) MUST_USE;
/* Of a statement that was bound, with this rc: its first row's first column; the statement is given back. RC_NOTFOUND: no row. */
enum rc nafkc_sql_number(enum rc bound, sqlite3_stmt *q, int64_t *out) MUST_USE;

#endif
