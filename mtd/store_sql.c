#include "mtd/store_sql.h"

#include "common/log.h"
#include "common/secret.h"

#define PK_MAX 2048

enum rc
mt_sql_seal(struct store *st, const char *table, const char *column, const char *const *parts, size_t n_parts,
    const struct secret *value, uint8_t out[static MT_SEALED])
{
	uint8_t pk[PK_MAX];
	size_t n = 0, len = 0;
	enum rc rc;

	if (secret_span(value).n != KS_LEN)
		return RC_RANGE;
	if ((rc = sql_pk(parts, n_parts, pk, sizeof pk, &n)) != RC_OK)
		return rc;
	return store_seal(st, table, column, span_of(pk, n), value, out, MT_SEALED, &len);
}

enum rc
mt_sql_unseal(struct store *st, const char *table, const char *column, const char *const *parts, size_t n_parts,
    struct span sealed, struct secret **out)
{
	uint8_t pk[PK_MAX];
	size_t n = 0;
	enum rc rc;

	if ((rc = sql_pk(parts, n_parts, pk, sizeof pk, &n)) != RC_OK)
		return rc;
	if ((rc = store_unseal(st, table, column, span_of(pk, n), sealed, out)) == RC_DENIED)
		log_error("store: a %s in %s was not sealed by this store for this row", column, table);
	return rc;
}
