#include "extdevd/store.h"

#include <string.h>

#include "common/log.h"
#include "common/sql.h"
#include "extdevd/extdev.h"
#include "extdevd/store_sql.h"

#define SEALED SEALED_LEN(KS_LEN)
#define PK_MAX (MT_ID_LEN + NAF_ID_TEXT_MAX + BTID_MAX + DEVICE_ID_MAX + 4)

void
extdev_key_clear(struct extdev_key *k)
{
	secret_free(k->ks);
	memset(k, 0, sizeof *k);
}

/* --- rows and structs */

/* Columns 0 to 7. Stored rows are parsed like any other input; a damaged one is RC_IO. */
static enum rc
read_request(sqlite3_stmt *q, struct extdev_request *out)
{
	struct extdev_request r = { 0 };

	if (mt_id_parse(sql_col(q, 0), &r.mt_id) != RC_OK || naf_id_parse(sql_col(q, 1), &r.triple.naf_id) != RC_OK ||
	    btid_parse(sql_col(q, 2), &r.triple.btid) != RC_OK ||
	    device_id_parse(sql_col(q, 3), &r.triple.device_id) != RC_OK ||
	    !sql_col_str(q, 4, r.challenge, sizeof r.challenge) || !sql_col_str(q, 5, r.run.s, sizeof r.run.s)) {
		log_error("store: a row does not have its form: %s", sqlite3_sql(q));
		return RC_IO;
	}
	r.scenario = sqlite3_column_int(q, 6);
	r.fresh = sqlite3_column_int(q, 7) != 0;
	*out = r;
	return RC_OK;
}

/* What names a key's row to the seal. */
static enum rc
primary_key(const struct extdev_request *r, uint8_t out[static PK_MAX], struct span *pk)
{
	char naf[NAF_ID_TEXT_MAX + 1];
	const char *parts[] = { r->mt_id.s, naf, r->triple.btid.s, r->triple.device_id.s };
	size_t n = 0;
	enum rc rc;

	naf_id_print(&r->triple.naf_id, naf);
	rc = sql_pk(parts, 4, out, PK_MAX, &n);
	*pk = span_of(out, n);
	return rc;
}

static enum rc
read_key(struct store *st, sqlite3_stmt *q, struct extdev_key *out)
{
	struct extdev_key k = { .ks = NULL };
	uint8_t octets[PK_MAX];
	struct span pk;
	enum rc rc;

	if ((rc = read_request(q, &k.from)) != RC_OK || (rc = primary_key(&k.from, octets, &pk)) != RC_OK)
		return rc;
	if ((rc = store_unseal(st, "key", "ks", pk, sql_col(q, 8), &k.ks)) != RC_OK) {
		log_error("store: btid=%s: the key does not open here: %s", k.from.triple.btid.s, rc_str(rc));
		return rc;
	}
	k.expires_s = sqlite3_column_int64(q, 9);
	k.state = sqlite3_column_int(q, 10) == 1 ? EXTDEV_CONFIRMED : EXTDEV_WAITING;
	k.owed = sqlite3_column_int(q, 11) != 0;
	k.sure_s = sqlite3_column_int64(q, 12);
	k.issued_s = sqlite3_column_int64(q, 15);
	if (!sql_col_str(q, 13, k.pseudonym, sizeof k.pseudonym) || !sql_col_str(q, 14, k.etag, sizeof k.etag)) {
		log_error("store: a row does not have its form: %s", sqlite3_sql(q));
		extdev_key_clear(&k);
		return RC_IO;
	}
	*out = k;
	return RC_OK;
}

/* --- itself, its MTs */

enum rc
extdev_store_get_self(struct store *st, struct device_id *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, EXTDEV_SQL_GET_SELF, &q, "")) == RC_OK && (rc = sql_step(q)) == RC_OK) {
		rc = device_id_parse(sql_col(q, 0), out) == RC_OK ? RC_OK : RC_IO;
		sql_done(q);
	}
	return rc;
}

enum rc
extdev_store_put_self(struct store *st, const struct device_id *id)
{
	return sql_run(st, EXTDEV_SQL_PUT_SELF, NULL, "t", id->s);
}

enum rc
extdev_store_get_mt(struct store *st, const char *name, struct mt_id *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, EXTDEV_SQL_GET_MT, &q, "t", name)) == RC_OK && (rc = sql_step(q)) == RC_OK) {
		rc = mt_id_parse(sql_col(q, 0), out) == RC_OK ? RC_OK : RC_IO;
		sql_done(q);
	}
	return rc;
}

enum rc
extdev_store_put_mt(struct store *st, const char *name, const struct mt_id *id)
{
	enum rc rc = sql_run(st, EXTDEV_SQL_PUT_MT, NULL, "tt", name, id->s);

	return rc == RC_OK ? sql_run(st, EXTDEV_SQL_DELETE_STRAYS, NULL, "") : rc;
}

/* --- key requests */

enum rc
extdev_store_get_request(struct store *st, const struct mt_id *mt, struct extdev_request *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, EXTDEV_SQL_GET_REQUEST, &q, "t", mt->s)) == RC_OK && (rc = sql_step(q)) == RC_OK) {
		rc = read_request(q, out);
		sql_done(q);
	}
	return rc;
}

enum rc
extdev_store_put_request(struct store *st, const struct extdev_request *r)
{
	char naf[NAF_ID_TEXT_MAX + 1];

	naf_id_print(&r->triple.naf_id, naf);
	return sql_run(st, EXTDEV_SQL_PUT_REQUEST, NULL, "ttttttii", r->mt_id.s, naf, r->triple.btid.s, r->triple.device_id.s, r->challenge,
	    r->run.s, (int64_t)r->scenario, (int64_t)r->fresh);
}

enum rc
extdev_store_delete_request(struct store *st, const struct mt_id *mt)
{
	return sql_run(st, EXTDEV_SQL_DELETE_REQUEST, NULL, "t", mt->s);
}

/* --- keys */

/* A statement whose first four parameters name a key, and that gives no rows. */
static enum rc
run_on(struct store *st, enum extdev_sql which, const struct mt_id *mt, const struct triple *t, int *changed)
{
	char naf[NAF_ID_TEXT_MAX + 1];

	naf_id_print(&t->naf_id, naf);
	return sql_run(st, which, changed, "tttt", mt->s, naf, t->btid.s, t->device_id.s);
}

enum rc
extdev_store_find_key(struct store *st, const struct mt_id *mt, const struct triple *t, struct extdev_key *out)
{
	char naf[NAF_ID_TEXT_MAX + 1];
	sqlite3_stmt *q = NULL;
	enum rc rc;

	naf_id_print(&t->naf_id, naf);
	rc = sql_bind(st, EXTDEV_SQL_FIND_KEY, &q, "tttt", mt->s, naf, t->btid.s, t->device_id.s);
	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK) {
		rc = read_key(st, q, out);
		sql_done(q);
	}
	return rc;
}

static enum rc
write_key(struct store *st, enum extdev_sql which, const struct extdev_key *k, enum extdev_key_state state)
{
	const struct extdev_request *r = &k->from;
	uint8_t octets[PK_MAX], sealed[SEALED];
	char naf[NAF_ID_TEXT_MAX + 1];
	struct span pk;
	size_t n = 0;
	enum rc rc;

	if ((rc = primary_key(r, octets, &pk)) != RC_OK ||
	    (rc = store_seal(st, "key", "ks", pk, k->ks, sealed, sizeof sealed, &n)) != RC_OK)
		return rc;
	naf_id_print(&r->triple.naf_id, naf);
	return sql_run(st, which, NULL, "ttttttiibiiiiti", r->mt_id.s, naf, r->triple.btid.s, r->triple.device_id.s, r->challenge, r->run.s,
	    (int64_t)r->scenario, (int64_t)r->fresh, span_of(sealed, n), k->expires_s, (int64_t)state, (int64_t)k->owed, k->sure_s, k->pseudonym,
	    k->issued_s);
}

/* Beside the one that came only the one in use stays. */
static enum rc
thin(struct store *st, const struct extdev_request *r, int64_t now_s)
{
	char naf[NAF_ID_TEXT_MAX + 1];

	naf_id_print(&r->triple.naf_id, naf);
	return sql_run(st, EXTDEV_SQL_THIN_KEYS, NULL, "tttti", r->mt_id.s, naf, r->triple.btid.s, r->triple.device_id.s, now_s);
}

enum rc
extdev_store_put_key(struct store *st, const struct extdev_key *k, int64_t now_s)
{
	struct extdev_key old = { .ks = NULL };
	enum rc rc = extdev_store_find_key(st, &k->from.mt_id, &k->from.triple, &old);
	bool same;

	if (rc == RC_NOTFOUND) {
		rc = write_key(st, EXTDEV_SQL_PUT_KEY, k, k->state);
		return rc == RC_OK ? thin(st, &k->from, now_s) : rc;
	}
	if (rc != RC_OK && rc != RC_DENIED)
		return rc;
	/* a triple names one key: a confirmed one is what the MT has, too */
	same = rc == RC_OK && secret_eq(old.ks, k->ks);
	if (rc == RC_OK && !same && old.state == EXTDEV_CONFIRMED)
		rc = RC_EXISTS;
	else
		rc = write_key(st, EXTDEV_SQL_UPDATE_KEY, k, same ? old.state : k->state);
	extdev_key_clear(&old);
	return rc;
}

enum rc
extdev_store_confirm(struct store *st, const struct mt_id *mt, const struct triple *t)
{
	int changed = 0;
	enum rc rc = run_on(st, EXTDEV_SQL_CONFIRM_KEY, mt, t, &changed);

	if (rc == RC_OK && changed == 0)
		return RC_NOTFOUND;
	if (rc == RC_OK)
		rc = run_on(st, EXTDEV_SQL_KEEP_PSEUDONYM, mt, t, NULL);
	return rc == RC_OK ? run_on(st, EXTDEV_SQL_DELETE_OTHERS, mt, t, NULL) : rc;
}

enum rc
extdev_store_settle(struct store *st, const struct mt_id *mt, const struct triple *t)
{
	int changed = 0;
	enum rc rc = run_on(st, EXTDEV_SQL_SETTLE_KEY, mt, t, &changed);

	return rc == RC_OK && changed == 0 ? RC_NOTFOUND : rc;
}

enum rc
extdev_store_drop_waiting(struct store *st, const struct mt_id *mt, const struct triple *t)
{
	enum rc rc = run_on(st, EXTDEV_SQL_DROP_WAITING, mt, t, NULL);

	return rc == RC_OK ? run_on(st, EXTDEV_SQL_SETTLE_KEY, mt, t, NULL) : rc;
}

static enum rc
get_one(struct store *st, enum extdev_sql which, const struct mt_id *mt, int64_t now_s, struct extdev_key *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, which, &q, "ti", mt->s, now_s)) == RC_OK && (rc = sql_step(q)) == RC_OK) {
		rc = read_key(st, q, out);
		sql_done(q);
	}
	return rc;
}

enum rc
extdev_store_get_key(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_key *out)
{
	return get_one(st, EXTDEV_SQL_GET_KEY, mt, now_s, out);
}

enum rc
extdev_store_get_newest(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_key *out)
{
	return get_one(st, EXTDEV_SQL_NEWEST_KEY, mt, now_s, out);
}

enum rc
extdev_store_get_owed(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_key *out)
{
	return get_one(st, EXTDEV_SQL_GET_OWED, mt, now_s, out);
}

enum rc
extdev_store_each_key(struct store *st, int64_t now_s, enum rc (*fn)(void *arg, const struct extdev_key *k), void *arg)
{
	sqlite3_stmt *q = NULL;
	struct extdev_key k;
	enum rc rc;

	if ((rc = sql_bind(st, EXTDEV_SQL_EACH_KEY, &q, "i", now_s)) != RC_OK)
		return rc;
	while ((rc = sql_step(q)) == RC_OK) {
		memset(&k, 0, sizeof k);
		if ((rc = read_key(st, q, &k)) == RC_OK)
			rc = fn(arg, &k);
		extdev_key_clear(&k);
		if (rc != RC_OK) {
			sql_done(q);
			return rc;
		}
	}
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc
extdev_store_forget(struct store *st, const struct extdev_which *w, int *n)
{
	enum rc rc = sql_run(st, EXTDEV_SQL_FORGET_REQUESTS, NULL, "tttt", w->mt_id, w->naf_id, w->btid, w->device_id);

	return rc == RC_OK ? sql_run(st, EXTDEV_SQL_FORGET_KEYS, n, "tttt", w->mt_id, w->naf_id, w->btid, w->device_id) : rc;
}

enum rc
extdev_store_purge(struct store *st, int64_t now_s, unsigned max, unsigned *n)
{
	int changed = 0;
	enum rc rc = sql_run(st, EXTDEV_SQL_PURGE_FORGET, NULL, "i", now_s);

	if (rc == RC_OK)
		rc = sql_run(st, EXTDEV_SQL_PURGE_KEYS, &changed, "ii", now_s, (int64_t)max);
	if (rc == RC_OK)
		*n = (unsigned)changed;
	return rc;
}

int64_t
extdev_store_next_expiry(struct store *st)
{
	sqlite3_stmt *q = NULL;
	int64_t at = INT64_MAX;

	if (sql_bind(st, EXTDEV_SQL_NEXT_EXPIRY, &q, "") == RC_OK && sql_step(q) == RC_OK) {
		if (sqlite3_column_type(q, 0) != SQLITE_NULL)
			at = sqlite3_column_int64(q, 0);
		sql_done(q);
	}
	return at;
}
