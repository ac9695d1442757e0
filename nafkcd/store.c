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
	"CREATE INDEX audit_at ON audit (at);"
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

struct names {			/* a triple as texts, and as the name of its row */
	char naf_id[NAF_ID_TEXT_MAX + 1];
	const char *part[3];
	uint8_t pk[NAF_ID_TEXT_MAX + BTID_MAX + DEVICE_ID_MAX + 3];
	size_t n;
};

static enum rc
names_of(const struct triple *t, struct names *out)
{
	naf_id_print(&t->naf_id, out->naf_id);
	out->part[0] = out->naf_id;
	out->part[1] = t->btid.s;
	out->part[2] = t->device_id.s;
	return sql_pk(out->part, 3, out->pk, sizeof(out->pk), &out->n);
}

static struct span
spki_span(bool bound, const uint8_t spki[static 32])
{
	return bound ? span_of(spki, 32) : span_of(NULL, 0);
}

/* false: neither absent nor 32 octets. */
static bool
spki_take(struct span in, bool *bound, uint8_t out[static 32])
{
	*bound = in.n == 32;
	if (*bound)
		memcpy(out, in.p, 32);
	return *bound || in.n == 0;
}

enum rc
nafkc_store_put_key(struct store *st, const struct nafkc_key *k, const struct secret *ks_local_mt)
{
	uint8_t sealed[SEALED_LEN(KS_LEN)];
	struct names nm;
	size_t n;
	enum rc rc;

	if ((rc = names_of(&k->triple, &nm)) != RC_OK)
		return rc;
	if ((rc = store_seal(st, "key", "ks_local_mt", span_of(nm.pk, nm.n), ks_local_mt, sealed, sizeof(sealed), &n)) != RC_OK)
		return rc;
	return sql_run(st, NAFKC_SQL_PUT_KEY, NULL, "tttbtiib", nm.naf_id, nm.part[1], nm.part[2], span_of(sealed, n), k->kcv,
	    k->issued_s, k->expires_s, spki_span(k->bound, k->spki));
}

enum rc
nafkc_store_get_key(struct store *st, const struct triple *t, int64_t now_s, struct nafkc_key *out, struct secret **ks_local_mt)
{
	struct nafkc_key k = { .triple = *t };
	sqlite3_stmt *q = NULL;
	struct names nm;
	enum rc rc;

	if ((rc = names_of(t, &nm)) != RC_OK || (rc = sql_bind(st, NAFKC_SQL_GET_KEY, &q, "ttt", nm.naf_id, nm.part[1], nm.part[2])) != RC_OK)
		goto out;
	if ((rc = sql_step(q)) != RC_OK)
		goto out;
	k.issued_s = sqlite3_column_int64(q, 2);
	k.expires_s = sqlite3_column_int64(q, 3);
	if (now_s >= k.expires_s) {
		rc = RC_EXPIRED;
		goto out;
	}
	if (!sql_col_str(q, 1, k.kcv, sizeof(k.kcv)) || !spki_take(sql_col(q, 4), &k.bound, k.spki)) {
		log_error("store: the key row of btid=%s device_id=%s is damaged", t->btid.s, t->device_id.s);
		rc = RC_IO;
		goto out;
	}
	rc = store_unseal(st, "key", "ks_local_mt", span_of(nm.pk, nm.n), sql_col(q, 0), ks_local_mt);
	if (rc == RC_OK)
		*out = k;
	else
		log_error("store: the key of btid=%s device_id=%s does not open with this store key", t->btid.s, t->device_id.s);
out:
	sql_done(q);
	return rc;
}

enum rc
nafkc_store_drop_key(struct store *st, const struct triple *t)
{
	struct names nm;
	enum rc rc = names_of(t, &nm);

	return rc != RC_OK ? rc : sql_run(st, NAFKC_SQL_DROP_KEY, NULL, "ttt", nm.naf_id, nm.part[1], nm.part[2]);
}

enum rc
nafkc_store_bind_key(struct store *st, const struct triple *t, const uint8_t spki[static 32])
{
	struct names nm;
	enum rc rc = names_of(t, &nm);

	return rc != RC_OK ? rc :
	    sql_run(st, NAFKC_SQL_BIND_KEY, NULL, "tttb", nm.naf_id, nm.part[1], nm.part[2], span_of(spki, 32));
}

/* --- devices */

enum rc
nafkc_sql_device(sqlite3_stmt *q, int first, struct nafkc_device *out)
{
	int64_t state = sqlite3_column_int64(q, first);

	if (state < NAFKC_DEVICE_SEEN || state > NAFKC_DEVICE_BLOCKED || !spki_take(sql_col(q, first + 1), &out->bound, out->spki) ||
	    !sql_col_str(q, first + 3, out->subject, sizeof(out->subject))) {
		log_error("store: the row of device_id=%s is damaged", out->id.s);
		return RC_IO;
	}
	out->state = (enum nafkc_device_state)state;
	out->lifetime_max_s = sqlite3_column_int64(q, first + 2);
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
	return sql_run(st, NAFKC_SQL_PUT_DEVICE, NULL, "tibit", d->id.s, (int64_t)d->state, spki_span(d->bound, d->spki),
	    d->lifetime_max_s, d->subject);
}

enum rc
nafkc_store_count_devices(struct store *st, const uint8_t spki[static 32], int64_t *n, int64_t *blocked)
{
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, NAFKC_SQL_COUNT_DEVICES, &q, "b", span_of(spki, 32))) == RC_OK && (rc = sql_step(q)) == RC_OK) {
		*n = sqlite3_column_int64(q, 0);
		*blocked = sqlite3_column_int64(q, 1);
	}
	sql_done(q);
	return rc;
}

enum rc
nafkc_store_unbind_keys(struct store *st, const struct device_id *id)
{
	return sql_run(st, NAFKC_SQL_UNBIND_KEYS, NULL, "t", id->s);
}

/* --- T1 */

enum rc
nafkc_store_purge(struct store *st, int64_t now_s, int64_t audit_keep_s, unsigned max, unsigned *n)
{
	int keys = 0, rows = 0;
	enum rc rc;

	if ((rc = sql_run(st, NAFKC_SQL_EXPIRE_KEY, &keys, "ii", now_s, (int64_t)max)) != RC_OK)
		return rc;
	if ((unsigned)keys < max &&
	    (rc = sql_run(st, NAFKC_SQL_EXPIRE_AUDIT, &rows, "ii", now_s - audit_keep_s, (int64_t)max - keys)) != RC_OK)
		return rc;
	*n = (unsigned)(keys + rows);
	return RC_OK;
}

int64_t
nafkc_store_next_expiry(struct store *st, int64_t audit_keep_s)
{
	sqlite3_stmt *q = NULL;
	int64_t next = INT64_MAX;

	if (sql_bind(st, NAFKC_SQL_NEXT, &q, "i", audit_keep_s) == RC_OK && sql_step(q) == RC_OK &&
	    sqlite3_column_type(q, 0) != SQLITE_NULL)
		next = sqlite3_column_int64(q, 0);
	sql_done(q);
	return next;
}

enum rc
nafkc_store_count(struct store *st, int64_t *keys, int64_t *devices)
{
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, NAFKC_SQL_COUNT, &q, "")) == RC_OK && (rc = sql_step(q)) == RC_OK) {
		*keys = sqlite3_column_int64(q, 0);
		*devices = sqlite3_column_int64(q, 1);
	}
	sql_done(q);
	return rc;
}
