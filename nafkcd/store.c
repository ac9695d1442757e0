/* store: keys and devices. */
#include "nafkcd/store.h"

#include <string.h>

#include "common/log.h"
#include "common/store.h"
#include "nafkcd/store_sql.h"

static const char *const migrations[] = {
	"CREATE TABLE key ("
	"  naf_id TEXT NOT NULL,"		/* FQDN/0100000002; with the next two: the triple (seed 7.4) */
	"  btid TEXT NOT NULL,"
	"  device_id TEXT NOT NULL,"
	"  ks_local_mt BLOB NOT NULL,"		/* sealed; seed 8.3.1 step 15 */
	"  kcv TEXT NOT NULL,"
	"  issued INTEGER NOT NULL,"		/* seconds since 1970 */
	"  expires INTEGER NOT NULL,"		/* the lifetime that was told; never lengthened (seed 7.2) */
	"  state TEXT NOT NULL,"
	"  spki BLOB,"				/* SHA-256 of the public key that got it; NULL = whoever binds the Device_ID (N2) */
	"  PRIMARY KEY (naf_id, btid, device_id)"
	") WITHOUT ROWID;"
	"CREATE INDEX key_expires ON key (expires);"
	"CREATE INDEX key_device ON key (device_id);"
	"CREATE TABLE device ("
	"  device_id TEXT PRIMARY KEY,"		/* W2 */
	"  state INTEGER NOT NULL,"		/* 0 seen, 1 allowed, 2 blocked */
	"  spki BLOB,"				/* NULL = not bound yet */
	"  lifetime_max INTEGER NOT NULL,"	/* seconds, 0 = no limit of its own */
	"  subject TEXT NOT NULL"		/* of its certificate, RFC 4514 */
	") WITHOUT ROWID;"
	"CREATE INDEX device_spki ON device (spki);"
	"CREATE TABLE audit ("
	"  id INTEGER PRIMARY KEY,"
	"  at INTEGER NOT NULL,"
	"  event TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"		/* why refused, '' = it was not */
	"  device_id TEXT NOT NULL,"
	"  btid TEXT NOT NULL,"
	"  naf_id TEXT NOT NULL,"
	"  kcv TEXT NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  spki BLOB,"
	"  subject TEXT NOT NULL"
	");"
	"CREATE INDEX audit_at ON audit (at);",

	"ALTER TABLE key ADD COLUMN ks_expires INTEGER;"	/* NULL in rows from before: the key's own; N8 */
	"ALTER TABLE key ADD COLUMN issuer BLOB;"	/* SHA-256 of the public key that signed its certificate; NULL = not known */
	"ALTER TABLE key ADD COLUMN mt_pseudonym TEXT NOT NULL DEFAULT '';"	/* K12 */
	"CREATE INDEX key_spki ON key (spki);"
	"CREATE INDEX key_issuer ON key (issuer);"
	"CREATE INDEX key_marked ON key (state) WHERE state = 'marked';"	/* within one transaction: what an order is about */
	"CREATE TABLE tombstone ("		/* N8: a key that was here and must not come back with the same Ks */
	"  naf_id TEXT NOT NULL,"
	"  btid TEXT NOT NULL,"
	"  device_id TEXT NOT NULL,"
	"  reason TEXT NOT NULL,"
	"  at INTEGER NOT NULL,"		/* when the key ended; for one that was limited this may be to come */
	"  expires INTEGER NOT NULL,"		/* the Ks's */
	"  spki BLOB,"				/* whom the key belonged to: who may hear of it (N7) */
	"  PRIMARY KEY (naf_id, btid, device_id)"
	") WITHOUT ROWID;"
	"CREATE INDEX tombstone_expires ON tombstone (expires);"
	"CREATE TABLE block ("
	"  kind INTEGER NOT NULL,"		/* enum nafkc_scope */
	"  value TEXT NOT NULL,"		/* Device_ID, or SHA-256 of a public key in hex */
	"  spki BLOB,"				/* of a Device_ID: the public key that had it, which takes no other one meanwhile */
	"  at INTEGER NOT NULL,"		/* 0 = not known */
	"  PRIMARY KEY (kind, value)"
	") WITHOUT ROWID;"
	"CREATE INDEX block_spki ON block (spki);"
	/* a block was a state of the device, and left its keys alone */
	"INSERT INTO block (kind, value, spki, at) SELECT 0, device_id, spki, 0 FROM device WHERE state = 2;"
	"INSERT INTO tombstone (naf_id, btid, device_id, reason, at, expires, spki)"
	"  SELECT naf_id, btid, device_id, 'blocked', 0, expires, spki FROM key WHERE device_id IN (SELECT value FROM block);"
	"DELETE FROM key WHERE device_id IN (SELECT value FROM block);"
	"UPDATE device SET state = 0 WHERE state = 2;"
	"ALTER TABLE audit ADD COLUMN was INTEGER NOT NULL DEFAULT 0;"	/* the expiry before it was shortened (seed 7.2) */
	"CREATE TABLE own ("			/* secrets of our own */
	"  name TEXT PRIMARY KEY,"
	"  value BLOB NOT NULL"			/* sealed */
	") WITHOUT ROWID;",

	/* Rows in order of arrival, and few short index entries: what a new key writes is mostly pages that the one before wrote, too. */
	"CREATE TABLE key_by_arrival ("
	"  id INTEGER PRIMARY KEY,"
	"  naf_id TEXT NOT NULL,"
	"  btid TEXT NOT NULL,"
	"  device_id TEXT NOT NULL,"
	"  ks_local_mt BLOB NOT NULL,"
	"  kcv TEXT NOT NULL,"
	"  issued INTEGER NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  state TEXT NOT NULL,"
	"  spki BLOB,"				/* while not NULL, its Device_ID's too: so whose keys they are is found by the device */
	"  ks_expires INTEGER,"
	"  issuer BLOB,"
	"  mt_pseudonym TEXT NOT NULL"
	");"
	"INSERT INTO key_by_arrival"
	"  SELECT NULL, naf_id, btid, device_id, ks_local_mt, kcv, issued, expires, state, spki, ks_expires, issuer, mt_pseudonym FROM key;"
	"DROP TABLE key;"
	"ALTER TABLE key_by_arrival RENAME TO key;"
	"CREATE UNIQUE INDEX key_triple ON key (btid, device_id, naf_id);"	/* what differs first, first */
	"CREATE INDEX key_expires ON key (expires);"
	"CREATE INDEX key_device ON key (device_id, expires);"
	"CREATE INDEX key_marked ON key (state) WHERE state = 'marked';",

	"ALTER TABLE device ADD COLUMN idle INTEGER;"	/* its last key, or what was left of one, went then; NULL = not known to have none */
	"CREATE INDEX device_idle ON device (idle) WHERE idle IS NOT NULL;"
	"CREATE INDEX tombstone_device ON tombstone (device_id);"
	"UPDATE device SET idle = (SELECT max(at) FROM audit) WHERE spki IS NOT NULL"	/* as near to now as is stored */
	"  AND NOT EXISTS (SELECT 1 FROM key k WHERE k.device_id = device.device_id)"
	"  AND NOT EXISTS (SELECT 1 FROM tombstone t WHERE t.device_id = device.device_id);",

	"CREATE TABLE ending ("			/* a blocked issuer's keys that are to end */
	"  issuer BLOB PRIMARY KEY,"		/* SHA-256 of its public key */
	"  first INTEGER NOT NULL,"		/* key ids that are still to be looked at: those that were there when it was blocked */
	"  last INTEGER NOT NULL,"
	"  n INTEGER NOT NULL"			/* ended so far */
	") WITHOUT ROWID;",

	/* rows come in the order of their times, so their own order tells which are old: one page less is written per commit */
	"DROP INDEX audit_at;",
};

static const char *const sql[NAFKC_SQL_COUNT_OF] = {
#define NAFKC_SQL_TEXT(id, text) [NAFKC_SQL_##id] = text,
	NAFKC_SQL(NAFKC_SQL_TEXT)
#undef NAFKC_SQL_TEXT
};

const struct store_schema nafkc_store_schema = {
	.daemon = "nafkcd",
	.migrations = migrations,
	.n_migrations = sizeof(migrations) / sizeof(migrations[0]),
	.sql = sql,
	.n_sql = NAFKC_SQL_COUNT_OF,
};

/* --- keys */

enum rc
nafkc_sql_names(const struct triple *t, struct nafkc_names *out)
{
	naf_id_print(&t->naf_id, out->naf_id);
	out->part[0] = out->naf_id;
	out->part[1] = t->btid.s;
	out->part[2] = t->device_id.s;
	return sql_pk(out->part, 3, out->pk, sizeof(out->pk), &out->n);
}

struct span
nafkc_sql_hash(bool there, const uint8_t hash[static 32])
{
	return there ? span_of(hash, 32) : span_of(NULL, 0);
}

bool
nafkc_sql_take_hash(struct span in, bool *there, uint8_t out[static 32])
{
	*there = in.n == 32;
	if (*there)
		memcpy(out, in.p, 32);
	return *there || in.n == 0;
}

/* All zeros: the chain did not show the issuer's public key. */
static struct span
issuer_span(const uint8_t issuer[static 32])
{
	static const uint8_t none[32];

	return nafkc_sql_hash(memcmp(issuer, none, sizeof(none)) != 0, issuer);
}

enum rc
nafkc_store_put_key(struct store *st, const struct nafkc_key *k, const struct secret *ks_local_mt)
{
	uint8_t sealed[SEALED_LEN(KS_LEN)];
	struct nafkc_names nm;
	size_t n;
	enum rc rc;

	if ((rc = nafkc_sql_names(&k->triple, &nm)) != RC_OK)
		return rc;
	if ((rc = store_seal(st, "key", "ks_local_mt", span_of(nm.pk, nm.n), ks_local_mt, sealed, sizeof(sealed), &n)) != RC_OK)
		return rc;
	return sql_run(st, NAFKC_SQL_PUT_KEY, NULL, "tttbtiibibt", nm.naf_id, nm.part[1], nm.part[2], span_of(sealed, n), k->kcv,
	    k->issued_s, k->expires_s, nafkc_sql_hash(k->bound, k->spki), k->ks_expires_s, issuer_span(k->issuer), k->mt_pseudonym);
}

enum rc
nafkc_store_drop_key(struct store *st, const struct triple *t)
{
	struct nafkc_names nm;
	enum rc rc = nafkc_sql_names(t, &nm);

	return rc != RC_OK ? rc : sql_run(st, NAFKC_SQL_DROP_KEY, NULL, "ttt", nm.naf_id, nm.part[1], nm.part[2]);
}

enum rc
nafkc_store_bind_key(struct store *st, const struct nafkc_key *k)
{
	struct nafkc_names nm;
	enum rc rc = nafkc_sql_names(&k->triple, &nm);

	return rc != RC_OK ? rc : sql_run(st, NAFKC_SQL_BIND_KEY, NULL, "tttbbt", nm.naf_id, nm.part[1], nm.part[2],
	    nafkc_sql_hash(k->bound, k->spki), issuer_span(k->issuer), k->mt_pseudonym);
}

/* --- devices */

enum rc
nafkc_sql_device(sqlite3_stmt *q, int first, struct nafkc_device *out)
{
	int64_t state = sqlite3_column_int64(q, first);

	if (state < NAFKC_DEVICE_SEEN || state > NAFKC_DEVICE_ALLOWED || !nafkc_sql_take_hash(sql_col(q, first + 1), &out->bound, out->spki) ||
	    !sql_col_str(q, first + 3, out->subject, sizeof(out->subject))) {
		log_error("store: the row of device_id=%s is damaged", out->id.s);
		return RC_IO;
	}
	out->state = (enum nafkc_device_state)state;
	out->lifetime_max_s = sqlite3_column_int64(q, first + 2);
	out->blocked = sqlite3_column_int64(q, first + 4) != 0;
	return RC_OK;
}

enum rc
nafkc_store_get_device(struct store *st, const struct device_id *id, struct nafkc_device *out)
{
	struct nafkc_device d = { .id = *id };
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, NAFKC_SQL_GET_DEVICE, &q, "t", id->s)) != RC_OK || (rc = sql_step(q)) != RC_OK)
		goto out;
	if ((rc = nafkc_sql_device(q, 0, &d)) == RC_OK)
		*out = d;
out:
	sql_done(q);
	return rc;
}

enum rc
nafkc_store_put_device(struct store *st, const struct nafkc_device *d)
{
	return sql_run(st, NAFKC_SQL_PUT_DEVICE, NULL, "tibit", d->id.s, (int64_t)d->state, nafkc_sql_hash(d->bound, d->spki),
	    d->lifetime_max_s, d->subject);
}

enum rc
nafkc_store_count_others(struct store *st, const uint8_t spki[static 32], const struct device_id *id, int64_t now_s, int64_t *n)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, NAFKC_SQL_COUNT_OTHERS, &q, "bit", span_of(spki, 32), now_s, id->s);

	return nafkc_sql_number(rc, q, n);
}

enum rc
nafkc_store_unbind_keys(struct store *st, const struct device_id *id)
{
	enum rc rc = sql_run(st, NAFKC_SQL_UNBIND_KEYS, NULL, "t", id->s);

	return rc != RC_OK ? rc : sql_run(st, NAFKC_SQL_UNBIND_TOMBSTONES, NULL, "t", id->s);
}
