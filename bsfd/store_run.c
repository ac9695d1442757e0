/* store_run: bootstrappings and TMPIs. */
#include <stddef.h>
#include <string.h>

#include "bsfd/store.h"
#include "bsfd/store_sql.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sql.h"

#define SEALED_KS SEALED_LEN(KS_LEN)

/* The number of a subscriber's next one. Modulo how many are kept it is the slot of the oldest. */
static enum rc
next_run(struct store *st, enum bsf_sql last, int64_t subscriber, int64_t *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, last, &q, "i", subscriber);

	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK)
		*out = sqlite3_column_int64(q, 0) + 1;		/* NULL counts as 0 */
	sql_done(q);
	return rc;
}

static enum rc
put_tmpi(struct store *st, const char *tmpi, int64_t subscriber)
{
	int64_t run;
	enum rc rc = next_run(st, BSF_SQL_LAST_TMPI, subscriber, &run);

	return rc != RC_OK ? rc : sql_run(st, BSF_SQL_PUT_TMPI, NULL, "iiit", subscriber, run % BSF_TMPIS_PER_IMPI, run, tmpi);
}

enum rc
bsf_store_put_bootstrap(struct store *st, const struct bsf_bootstrap *b, const struct secret *ks, unsigned keep, const char *tmpi)
{
	uint8_t sealed[SEALED_KS];
	int64_t run;
	size_t n;
	enum rc rc;

	if (secret_span(ks).n != KS_LEN)
		return RC_RANGE;
	if ((rc = store_seal(st, "bootstrap", "ks", span_str(b->btid.s), ks, sealed, sizeof sealed, &n)) != RC_OK)
		return rc;
	if ((rc = next_run(st, BSF_SQL_LAST_BOOTSTRAP, b->subscriber, &run)) != RC_OK)
		return rc;
	rc = sql_run(st, BSF_SQL_PUT_BOOTSTRAP, NULL, "iiittbbiii", b->subscriber, run % BSF_BTIDS_PER_IMPI, run, b->btid.s, b->impi.s,
	    span_of(b->rand, sizeof b->rand), span_of(sealed, n), (int64_t)b->type, b->created_s, b->expires_s);
	if (rc != RC_OK)
		return rc;
	if (keep < BSF_BTIDS_PER_IMPI &&
	    (rc = sql_run(st, BSF_SQL_DELETE_UP_TO, NULL, "ii", b->subscriber, run - (int64_t)keep)) != RC_OK)
		return rc;
	return tmpi[0] == '\0' ? RC_OK : put_tmpi(st, tmpi, b->subscriber);
}

enum rc
bsf_store_get_bootstrap(struct store *st, const struct btid *btid, int64_t now_s, struct bsf_bootstrap *out, struct secret **ks)
{
	sqlite3_stmt *q = NULL;
	struct bsf_bootstrap b = { .btid = *btid };
	enum rc rc;

	if (btid_rand(btid, b.rand) != RC_OK)
		return RC_NOTFOUND;		/* none of ours */
	if ((rc = sql_bind(st, BSF_SQL_GET_BOOTSTRAP, &q, "b", span_of(b.rand, sizeof b.rand))) != RC_OK || (rc = sql_step(q)) != RC_OK)
		goto out;
	if (!span_eq(sql_col(q, 0), span_str(btid->s))) {
		rc = RC_NOTFOUND;		/* another name than the BSF had then */
		goto out;
	}
	b.subscriber = sqlite3_column_int64(q, 6);
	b.type = sqlite3_column_int64(q, 3) == BSF_GBA_U ? BSF_GBA_U : BSF_GBA_ME;
	b.created_s = sqlite3_column_int64(q, 4);
	b.expires_s = sqlite3_column_int64(q, 5);
	if (now_s >= b.expires_s) {
		rc = RC_EXPIRED;
		goto out;
	}
	if (!sql_col_str(q, 1, b.impi.s, sizeof b.impi.s)) {
		log_error("store: the row of btid=%s is damaged", btid->s);
		rc = RC_IO;
		goto out;
	}
	if ((rc = store_unseal(st, "bootstrap", "ks", span_str(btid->s), sql_col(q, 2), ks)) != RC_OK) {
		log_error("store: Ks of btid=%s does not open with this store key", btid->s);
		goto out;
	}
	*out = b;
out:
	sql_done(q);
	return rc;
}

enum rc
bsf_store_get_tmpi(struct store *st, const char *tmpi, struct impi *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, BSF_SQL_GET_TMPI, &q, "t", tmpi);

	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK && !sql_col_str(q, 0, out->s, sizeof out->s))
		rc = RC_IO;
	sql_done(q);
	return rc;
}

enum rc
bsf_store_list_bootstraps(struct store *st, int64_t now_s, json_t *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, BSF_SQL_LIST_BOOTSTRAPS, &q, "i", now_s);

	while (rc == RC_OK && (rc = sql_step(q)) == RC_OK) {
		char created[UTC_TEXT_LEN + 1], expires[UTC_TEXT_LEN + 1];
		json_t *o;

		clock_print_utc(sqlite3_column_int64(q, 3), created);
		clock_print_utc(sqlite3_column_int64(q, 4), expires);
		o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "btid", sqlite3_column_text(q, 0), "impi", sqlite3_column_text(q, 1),
		    "type", sqlite3_column_int64(q, 2) == BSF_GBA_U ? "GBA_U" : "GBA_ME", "created", created, "expires", expires);
		if (o == NULL || json_array_append_new(out, o) != 0) {
			rc = RC_NOMEM;
			break;
		}
	}
	sql_done(q);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc
bsf_store_purge(struct store *st, int64_t now_s, unsigned max, unsigned *n)
{
	int changed = 0;
	enum rc rc = sql_run(st, BSF_SQL_PURGE_BOOTSTRAPS, &changed, "ii", now_s, (int64_t)max);

	if (rc == RC_OK)
		*n = (unsigned)changed;
	return rc;
}

int64_t
bsf_store_next_expiry(struct store *st)
{
	sqlite3_stmt *q = NULL;
	int64_t next = INT64_MAX;

	if (sql_bind(st, BSF_SQL_NEXT_EXPIRY, &q, "") == RC_OK && sql_step(q) == RC_OK && sqlite3_column_type(q, 0) != SQLITE_NULL)
		next = sqlite3_column_int64(q, 0);
	sql_done(q);
	return next;
}
