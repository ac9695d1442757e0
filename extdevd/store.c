#include "extdevd/store.h"

#include <string.h>

#include "common/log.h"
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

static void
bind_triple(sqlite3_stmt *q, const struct mt_id *mt, const struct triple *t)
{
	char naf[NAF_ID_TEXT_MAX + 1];

	naf_id_print(&t->naf_id, naf);
	extdev_sql_text(q, "@mt", mt->s);
	extdev_sql_text(q, "@naf", naf);
	extdev_sql_text(q, "@btid", t->btid.s);
	extdev_sql_text(q, "@device", t->device_id.s);
}

static void
bind_request(sqlite3_stmt *q, const struct extdev_request *r)
{
	bind_triple(q, &r->mt_id, &r->triple);
	extdev_sql_text(q, "@challenge", r->challenge);
	extdev_sql_text(q, "@run", r->run.s);
	extdev_sql_int(q, "@scenario", r->scenario);
	extdev_sql_int(q, "@fresh", r->fresh);
}

/* Columns 0 to 7. Stored rows are parsed like any other input; a damaged one is RC_IO. */
static enum rc
read_request(sqlite3_stmt *q, struct extdev_request *out)
{
	struct extdev_request r = { 0 };

	if (mt_id_parse(extdev_sql_column(q, 0), &r.mt_id) != RC_OK || naf_id_parse(extdev_sql_column(q, 1), &r.triple.naf_id) != RC_OK ||
	    btid_parse(extdev_sql_column(q, 2), &r.triple.btid) != RC_OK ||
	    device_id_parse(extdev_sql_column(q, 3), &r.triple.device_id) != RC_OK ||
	    !span_to_str(extdev_sql_column(q, 4), r.challenge, sizeof r.challenge) ||
	    !span_to_str(extdev_sql_column(q, 5), r.run.s, sizeof r.run.s)) {
		log_error("store: a row does not have its form: %s", sqlite3_sql(q));
		return RC_IO;
	}
	r.scenario = sqlite3_column_int(q, 6);
	r.fresh = sqlite3_column_int(q, 7) != 0;
	*out = r;
	return RC_OK;
}

/* What names a key's row to the seal: the parts, each with its NUL. */
static size_t
primary_key(const struct extdev_request *r, uint8_t out[static PK_MAX])
{
	char naf[NAF_ID_TEXT_MAX + 1];
	const char *parts[] = { r->mt_id.s, naf, r->triple.btid.s, r->triple.device_id.s };
	size_t n = 0, len;

	naf_id_print(&r->triple.naf_id, naf);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		len = strlen(parts[i]) + 1;
		memcpy(out + n, parts[i], len);
		n += len;
	}
	return n;
}

static enum rc
read_key(struct store *st, sqlite3_stmt *q, struct extdev_key *out)
{
	struct extdev_key k = { 0 };
	uint8_t pk[PK_MAX];
	enum rc rc;

	if ((rc = read_request(q, &k.from)) != RC_OK)
		return rc;
	rc = store_unseal(st, "key", "ks", span_of(pk, primary_key(&k.from, pk)), extdev_sql_column(q, 8), &k.ks);
	if (rc != RC_OK) {
		log_error("store: btid=%s: the key does not open here: %s", k.from.triple.btid.s, rc_str(rc));
		return rc;
	}
	k.expires_s = sqlite3_column_int64(q, 9);
	k.state = sqlite3_column_int(q, 10) == 1 ? EXTDEV_CONFIRMED : EXTDEV_WAITING;
	k.owed = sqlite3_column_int(q, 11) != 0;
	*out = k;
	return RC_OK;
}

/* --- itself, its MTs */

enum rc
extdev_store_get_self(struct store *st, struct device_id *out)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_GET_SELF);
	enum rc rc = extdev_sql_row(q);

	if (rc != RC_OK)
		return rc;
	rc = device_id_parse(extdev_sql_column(q, 0), out) == RC_OK ? RC_OK : RC_IO;
	(void)sqlite3_reset(q);
	return rc;
}

enum rc
extdev_store_put_self(struct store *st, const struct device_id *id)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_PUT_SELF);

	extdev_sql_text(q, "@device", id->s);
	return extdev_sql_run(q, NULL);
}

enum rc
extdev_store_get_mt(struct store *st, const char *name, struct mt_id *out)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_GET_MT);
	enum rc rc;

	extdev_sql_text(q, "@name", name);
	if ((rc = extdev_sql_row(q)) != RC_OK)
		return rc;
	rc = mt_id_parse(extdev_sql_column(q, 0), out) == RC_OK ? RC_OK : RC_IO;
	(void)sqlite3_reset(q);
	return rc;
}

enum rc
extdev_store_put_mt(struct store *st, const char *name, const struct mt_id *id)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_PUT_MT);

	extdev_sql_text(q, "@name", name);
	extdev_sql_text(q, "@mt", id->s);
	return extdev_sql_run(q, NULL);
}

/* --- key requests */

enum rc
extdev_store_get_request(struct store *st, const struct mt_id *mt, struct extdev_request *out)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_GET_REQUEST);
	enum rc rc;

	extdev_sql_text(q, "@mt", mt->s);
	if ((rc = extdev_sql_row(q)) != RC_OK)
		return rc;
	rc = read_request(q, out);
	(void)sqlite3_reset(q);
	return rc;
}

enum rc
extdev_store_put_request(struct store *st, const struct extdev_request *r)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_PUT_REQUEST);

	bind_request(q, r);
	return extdev_sql_run(q, NULL);
}

enum rc
extdev_store_delete_request(struct store *st, const struct mt_id *mt)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_DELETE_REQUEST);

	extdev_sql_text(q, "@mt", mt->s);
	return extdev_sql_run(q, NULL);
}

/* --- keys */

static enum rc
find_key(struct store *st, const struct extdev_request *r, struct extdev_key *out)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_FIND_KEY);
	enum rc rc;

	bind_triple(q, &r->mt_id, &r->triple);
	if ((rc = extdev_sql_row(q)) != RC_OK)
		return rc;
	rc = read_key(st, q, out);
	(void)sqlite3_reset(q);
	return rc;
}

static enum rc
write_key(struct store *st, enum extdev_sql which, const struct extdev_key *k, enum extdev_key_state state)
{
	uint8_t pk[PK_MAX], sealed[SEALED];
	sqlite3_stmt *q;
	size_t n = 0;
	enum rc rc;

	rc = store_seal(st, "key", "ks", span_of(pk, primary_key(&k->from, pk)), k->ks, sealed, sizeof sealed, &n);
	if (rc != RC_OK)
		return rc;
	q = store_stmt(st, which);
	bind_request(q, &k->from);
	extdev_sql_blob(q, "@ks", span_of(sealed, n));
	extdev_sql_int(q, "@expires", k->expires_s);
	extdev_sql_int(q, "@state", state);
	extdev_sql_int(q, "@owed", k->owed);
	return extdev_sql_run(q, NULL);
}

static enum rc
run_on(struct store *st, enum extdev_sql which, const struct mt_id *mt, const struct triple *t, int *changed)
{
	sqlite3_stmt *q = store_stmt(st, which);

	bind_triple(q, mt, t);
	return extdev_sql_run(q, changed);
}

enum rc
extdev_store_put_key(struct store *st, const struct extdev_key *k, int64_t now_s)
{
	struct extdev_key old = { 0 };
	enum rc rc = find_key(st, &k->from, &old);
	sqlite3_stmt *thin;
	bool same;

	if (rc == RC_NOTFOUND) {
		if ((rc = write_key(st, EXTDEV_SQL_PUT_KEY, k, k->state)) != RC_OK)
			return rc;
		thin = store_stmt(st, EXTDEV_SQL_THIN_KEYS);
		bind_triple(thin, &k->from.mt_id, &k->from.triple);
		extdev_sql_int(thin, "@now", now_s);
		return extdev_sql_run(thin, NULL);
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
	sqlite3_stmt *q = store_stmt(st, which);
	enum rc rc;

	extdev_sql_text(q, "@mt", mt->s);
	extdev_sql_int(q, "@now", now_s);
	if ((rc = extdev_sql_row(q)) != RC_OK)
		return rc;
	rc = read_key(st, q, out);
	(void)sqlite3_reset(q);
	return rc;
}

enum rc
extdev_store_get_key(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_key *out)
{
	return get_one(st, EXTDEV_SQL_GET_KEY, mt, now_s, out);
}

enum rc
extdev_store_get_owed(struct store *st, const struct mt_id *mt, int64_t now_s, struct extdev_key *out)
{
	return get_one(st, EXTDEV_SQL_GET_OWED, mt, now_s, out);
}

enum rc
extdev_store_each_key(struct store *st, int64_t now_s, enum rc (*fn)(void *arg, const struct extdev_key *k), void *arg)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_EACH_KEY);
	struct extdev_key k;
	enum rc rc;

	extdev_sql_int(q, "@now", now_s);
	while ((rc = extdev_sql_row(q)) == RC_OK) {
		memset(&k, 0, sizeof k);
		if ((rc = read_key(st, q, &k)) == RC_OK)
			rc = fn(arg, &k);
		extdev_key_clear(&k);
		if (rc != RC_OK) {
			(void)sqlite3_reset(q);
			return rc;
		}
	}
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

static enum rc
forget(struct store *st, enum extdev_sql which, const struct extdev_which *w, int *n)
{
	sqlite3_stmt *q = store_stmt(st, which);

	extdev_sql_text(q, "@mt", w->mt_id != NULL ? w->mt_id : "");
	extdev_sql_text(q, "@naf", w->naf_id != NULL ? w->naf_id : "");
	extdev_sql_text(q, "@btid", w->btid != NULL ? w->btid : "");
	extdev_sql_text(q, "@device", w->device_id != NULL ? w->device_id : "");
	return extdev_sql_run(q, n);
}

enum rc
extdev_store_forget(struct store *st, const struct extdev_which *w, int *n)
{
	enum rc rc = forget(st, EXTDEV_SQL_FORGET_REQUESTS, w, NULL);

	return rc == RC_OK ? forget(st, EXTDEV_SQL_FORGET_KEYS, w, n) : rc;
}

enum rc
extdev_store_purge(struct store *st, int64_t now_s, unsigned max, unsigned *n)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_PURGE_KEYS);
	int changed = 0;
	enum rc rc;

	extdev_sql_int(q, "@now", now_s);
	extdev_sql_int(q, "@max", max);
	if ((rc = extdev_sql_run(q, &changed)) == RC_OK)
		*n = (unsigned)changed;
	return rc;
}

int64_t
extdev_store_next_expiry(struct store *st)
{
	sqlite3_stmt *q = store_stmt(st, EXTDEV_SQL_NEXT_EXPIRY);
	int64_t at = INT64_MAX;

	if (extdev_sql_row(q) == RC_OK) {
		if (sqlite3_column_type(q, 0) != SQLITE_NULL)
			at = sqlite3_column_int64(q, 0);
		(void)sqlite3_reset(q);
	}
	return at;
}
