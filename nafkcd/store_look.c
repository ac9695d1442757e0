/*
 * store_look: what is kept of who asks, read at once: each Key Request is judged by it, twice where the BSF is asked, and one statement
 * of six look-ups costs less than half of four statements.
 */
#include <string.h>

#include "common/hex.h"
#include "common/log.h"
#include "nafkcd/store.h"
#include "nafkcd/store_sql.h"

enum column { BLOCK, DEVICE, EXPIRES = DEVICE + 5, SEALED, KCV, ISSUED, SPKI, KS_EXPIRES, ISSUER, PSEUDONYM, BURIED };

static enum rc
damaged(const struct triple *t)
{
	log_error("store: the key row of btid=%s device_id=%s is damaged", t->btid.s, t->device_id.s);
	return RC_IO;
}

static enum rc
read_key(sqlite3_stmt *q, struct nafkc_kept *kept)
{
	struct span sealed = sql_col(q, SEALED);
	struct nafkc_key *k = &kept->key;
	bool ignored;

	k->issued_s = sqlite3_column_int64(q, ISSUED);
	k->ks_expires_s = sqlite3_column_int64(q, KS_EXPIRES);
	if (sealed.n != sizeof(kept->sealed) || !sql_col_str(q, KCV, k->kcv, sizeof(k->kcv)) ||
	    !nafkc_sql_take_hash(sql_col(q, SPKI), &k->bound, k->spki) || !nafkc_sql_take_hash(sql_col(q, ISSUER), &ignored, k->issuer) ||
	    !sql_col_str(q, PSEUDONYM, k->mt_pseudonym, sizeof(k->mt_pseudonym)))
		return damaged(&k->triple);
	memcpy(kept->sealed, sealed.p, sealed.n);
	return RC_OK;
}

static enum rc
read_row(sqlite3_stmt *q, int64_t now_s, struct nafkc_kept *kept)
{
	bool row = sqlite3_column_type(q, EXPIRES) != SQLITE_NULL;
	enum rc rc;

	kept->blocked = nafkc_sql_scope(sqlite3_column_int64(q, BLOCK), &kept->scope);
	kept->known = sqlite3_column_type(q, DEVICE) != SQLITE_NULL;
	if (kept->known && (rc = nafkc_sql_device(q, DEVICE, &kept->device)) != RC_OK)
		return rc;
	kept->key.expires_s = sqlite3_column_int64(q, EXPIRES);
	kept->has_key = row && now_s < kept->key.expires_s;
	kept->expired = row && !kept->has_key;
	kept->buried = sqlite3_column_int64(q, BURIED) != 0;
	return kept->has_key ? read_key(q, kept) : RC_OK;
}

enum rc
nafkc_store_look(struct store *st, const struct triple *t, const uint8_t spki[static 32], const uint8_t issuer[static 32],
    int64_t now_s, struct nafkc_kept *out)
{
	struct nafkc_kept kept = { .device.id = t->device_id, .key.triple = *t };
	char naf_id[NAF_ID_TEXT_MAX + 1], key[65], ca[65];
	sqlite3_stmt *q = NULL;
	enum rc rc;

	naf_id_print(&t->naf_id, naf_id);
	hex_print(span_of(spki, 32), key);
	rc = sql_bind(st, NAFKC_SQL_LOOK, &q, "ttttti", naf_id, t->btid.s, t->device_id.s, key, nafkc_sql_issuer(issuer, ca), now_s);
	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK)
		rc = read_row(q, now_s, &kept);
	if (rc == RC_OK)
		*out = kept;
	sql_done(q);
	return rc;
}

enum rc
nafkc_store_open_key(struct store *st, const struct nafkc_kept *kept, struct secret **ks_local_mt)
{
	const struct triple *t = &kept->key.triple;
	struct nafkc_names nm;
	enum rc rc = nafkc_sql_names(t, &nm);

	if (rc != RC_OK)
		return rc;
	rc = store_unseal(st, "key", "ks_local_mt", span_of(nm.pk, nm.n), span_of(kept->sealed, sizeof(kept->sealed)), ks_local_mt);
	if (rc != RC_OK)
		log_error("store: the key of btid=%s device_id=%s does not open with this store key", t->btid.s, t->device_id.s);
	return rc;
}
