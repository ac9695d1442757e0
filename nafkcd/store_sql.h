/* store_sql: the Key Center's statements by number; store.c and store_list.c run them, nobody else. */
#ifndef NAFKCD_STORE_SQL_H
#define NAFKCD_STORE_SQL_H

#include "common/sql.h"
#include "nafkcd/policy.h"

#define NAFKC_SQL(X) \
	X(PUT_KEY, "INSERT INTO key (naf_id, btid, device_id, ks_local_mt, kcv, issued, expires, state, spki)" \
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'active', ?8)") \
	X(GET_KEY, "SELECT ks_local_mt, kcv, issued, expires, spki FROM key WHERE naf_id = ?1 AND btid = ?2 AND device_id = ?3") \
	X(DROP_KEY, "DELETE FROM key WHERE naf_id = ?1 AND btid = ?2 AND device_id = ?3") \
	X(BIND_KEY, "UPDATE key SET spki = ?4 WHERE naf_id = ?1 AND btid = ?2 AND device_id = ?3") \
	X(UNBIND_KEYS, "UPDATE key SET spki = NULL WHERE device_id = ?1") \
	X(EACH_KEY, "SELECT btid, naf_id, device_id, kcv, issued, expires, state, lower(ifnull(hex(spki), '')) FROM key" \
	    " WHERE expires > ?1 ORDER BY issued, btid, device_id") \
	X(GET_DEVICE, "SELECT state, spki, lifetime_max, subject FROM device WHERE device_id = ?1") \
	X(PUT_DEVICE, "INSERT OR REPLACE INTO device (device_id, state, spki, lifetime_max, subject) VALUES (?1, ?2, ?3, ?4, ?5)") \
	X(COUNT_DEVICES, "SELECT count(*), ifnull(sum(state = 2), 0) FROM device WHERE spki = ?1") \
	X(EACH_DEVICE, "SELECT device_id, state, spki, lifetime_max, subject FROM device ORDER BY device_id") \
	X(PUT_AUDIT, "INSERT INTO audit (at, event, reason, device_id, btid, naf_id, kcv, expires, spki, subject)" \
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)") \
	X(EACH_AUDIT, "SELECT at, event, device_id, btid, naf_id, kcv, expires, lower(ifnull(hex(spki), '')), subject, reason FROM audit" \
	    " ORDER BY id DESC LIMIT ?1") \
	X(EXPIRE_KEY, "DELETE FROM key WHERE (naf_id, btid, device_id) IN" \
	    " (SELECT naf_id, btid, device_id FROM key WHERE expires <= ?1 ORDER BY expires LIMIT ?2)") \
	X(EXPIRE_AUDIT, "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at <= ?1 ORDER BY at LIMIT ?2)") \
	X(NEXT, "SELECT min(t) FROM (SELECT min(expires) AS t FROM key UNION ALL SELECT min(at) + ?1 FROM audit)") \
	X(COUNT, "SELECT (SELECT count(*) FROM key), (SELECT count(*) FROM device)")

enum nafkc_sql {
#define NAFKC_SQL_ID(id, text) NAFKC_SQL_##id,
	NAFKC_SQL(NAFKC_SQL_ID)
#undef NAFKC_SQL_ID
	NAFKC_SQL_COUNT_OF
};

/* The columns state, spki, lifetime_max, subject, from column first on; out->id is set already. RC_IO: damaged. */
enum rc nafkc_sql_device(sqlite3_stmt *q, int first, struct nafkc_device *out) MUST_USE;

#endif
