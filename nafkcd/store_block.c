/* store_block: who is blocked; and secrets of our own. */
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/store.h"
#include "nafkcd/store.h"
#include "nafkcd/store_sql.h"

#define VALUE_MAX (DEVICE_ID_MAX > 64 ? DEVICE_ID_MAX : 64)

/* A block's value: the Device_ID, or the hash in hex, in buf. */
static const char *
value_of(const struct nafkc_target *t, char buf[static VALUE_MAX + 1])
{
	if (t->scope == NAFKC_SCOPE_DEVICE)
		return t->triple.device_id.s;
	hex_print(span_of(t->hash, sizeof(t->hash)), buf);
	return buf;
}

enum rc
nafkc_store_put_block(struct store *st, const struct nafkc_target *t, const uint8_t *spki, int64_t now_s)
{
	char buf[VALUE_MAX + 1];

	return sql_run(st, NAFKC_SQL_PUT_BLOCK, NULL, "itbi", (int64_t)t->scope, value_of(t, buf), span_of(spki, spki == NULL ? 0 : 32), now_s);
}

enum rc
nafkc_store_drop_block(struct store *st, const struct nafkc_target *t)
{
	char buf[VALUE_MAX + 1];
	int n = 0;
	enum rc rc = sql_run(st, NAFKC_SQL_DROP_BLOCK, &n, "it", (int64_t)t->scope, value_of(t, buf));

	return rc == RC_OK && n == 0 ? RC_NOTFOUND : rc;
}

bool
nafkc_sql_scope(int64_t kind, enum nafkc_scope *out)
{
	if (kind < 0)
		return false;
	*out = kind == NAFKC_SCOPE_ISSUER ? NAFKC_SCOPE_ISSUER : kind == NAFKC_SCOPE_SPKI ? NAFKC_SCOPE_SPKI : NAFKC_SCOPE_DEVICE;
	return true;
}

const char *
nafkc_sql_issuer(const uint8_t issuer[static 32], char out[static 65])
{
	static const uint8_t none[32];

	if (memcmp(issuer, none, sizeof(none)) == 0)
		return NULL;
	hex_print(span_of(issuer, 32), out);
	return out;
}

enum rc
nafkc_store_find_block(struct store *st, const struct device_id *id, const uint8_t spki[static 32], const uint8_t issuer[static 32],
    enum nafkc_scope *scope)
{
	char key[65], ca[65];
	sqlite3_stmt *q = NULL;
	int64_t kind;
	enum rc rc;

	hex_print(span_of(spki, 32), key);
	rc = sql_bind(st, NAFKC_SQL_FIND_BLOCK, &q, "ttt", id->s, key, nafkc_sql_issuer(issuer, ca));
	if ((rc = nafkc_sql_number(rc, q, &kind)) != RC_OK)
		return rc;
	return nafkc_sql_scope(kind, scope) ? RC_OK : RC_NOTFOUND;
}

enum rc
nafkc_store_barred(struct store *st, const uint8_t spki[static 32], bool *barred)
{
	sqlite3_stmt *q = NULL;
	int64_t one;
	enum rc rc = sql_bind(st, NAFKC_SQL_FIND_BARRED, &q, "b", span_of(spki, 32));

	rc = nafkc_sql_number(rc, q, &one);
	*barred = rc == RC_OK;
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc
nafkc_store_list_blocks(struct store *st, json_t *out)
{
	static const char *const kinds[] = { "device", "spki", "issuer" };
	char value[VALUE_MAX + 1], at[UTC_TEXT_LEN + 1];
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, NAFKC_SQL_EACH_BLOCK, &q, "");

	while (rc == RC_OK && (rc = sql_step(q)) == RC_OK) {
		int64_t kind = sqlite3_column_int64(q, 0), at_s = sqlite3_column_int64(q, 2);

		if (kind < NAFKC_SCOPE_DEVICE || kind > NAFKC_SCOPE_ISSUER || !sql_col_str(q, 1, value, sizeof(value))) {
			log_error("store: a row of the block list is damaged");
			rc = RC_IO;
			break;
		}
		at[0] = '\0';
		if (at_s != 0)
			clock_print_utc(at_s, at);
		if (json_array_append_new(out, json_pack("{s:s, s:s, s:s}", "kind", kinds[kind], "value", value, "at", at)) != 0)
			rc = RC_NOMEM;
	}
	sql_done(q);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

/* --- secrets of our own */

enum rc
nafkc_store_get_own(struct store *st, const char *name, struct secret **out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, NAFKC_SQL_GET_OWN, &q, "t", name)) == RC_OK && (rc = sql_step(q)) == RC_OK &&
	    (rc = store_unseal(st, "own", "value", span_str(name), sql_col(q, 0), out)) != RC_OK)
		log_error("store: own secret %s does not open with this store key", name);
	sql_done(q);
	return rc;
}

enum rc
nafkc_store_put_own(struct store *st, const char *name, const struct secret *value)
{
	uint8_t sealed[SEALED_LEN(KS_LEN)];
	size_t n;
	enum rc rc = store_seal(st, "own", "value", span_str(name), value, sealed, sizeof(sealed), &n);

	return rc != RC_OK ? rc : sql_run(st, NAFKC_SQL_PUT_OWN, NULL, "tb", name, span_of(sealed, n));
}
