/* store_list: audit rows, and lists for the control socket. */
#include <stdio.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/store.h"
#include "nafkcd/store.h"
#include "nafkcd/store_sql.h"

static const char *
text(sqlite3_stmt *q, int col)
{
	const unsigned char *s = sqlite3_column_text(q, col);

	return s == NULL ? "" : (const char *)s;
}

static enum rc
append(json_t *list, json_t *o)
{
	return o != NULL && json_array_append_new(list, o) == 0 ? RC_OK : RC_NOMEM;
}

/* Each row of q by row(), appended to out; q is given back. */
static enum rc
each(sqlite3_stmt *q, json_t *(*row)(sqlite3_stmt *q), json_t *out)
{
	enum rc rc;

	while ((rc = sql_step(q)) == RC_OK)
		if ((rc = append(out, row(q))) != RC_OK)
			break;
	sql_done(q);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

static json_t *
key_row(sqlite3_stmt *q)
{
	char issued[UTC_TEXT_LEN + 1], expires[UTC_TEXT_LEN + 1];

	clock_print_utc(sqlite3_column_int64(q, 4), issued);
	clock_print_utc(sqlite3_column_int64(q, 5), expires);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "btid", text(q, 0), "naf_id", text(q, 1), "device_id", text(q, 2),
	    "kcv", text(q, 3), "issued", issued, "expires", expires, "state", text(q, 6), "spki", text(q, 7));
}

enum rc
nafkc_store_list_keys(struct store *st, int64_t now_s, bool gone, json_t *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, NAFKC_SQL_EACH_KEY, &q, "i", now_s);

	if (rc != RC_OK || (rc = each(q, key_row, out)) != RC_OK || !gone)
		return rc;
	rc = sql_bind(st, NAFKC_SQL_EACH_TOMBSTONE, &q, "i", now_s);
	return rc != RC_OK ? rc : each(q, key_row, out);
}

json_t *
nafkc_device_json(const struct nafkc_device *d)
{
	static const char *const states[] = { "seen", "allowed" };
	char spki[65] = "", lifetime[32] = "";

	if (d->bound)
		hex_print(span_of(d->spki, sizeof(d->spki)), spki);
	if (d->lifetime_max_s > 0)
		snprintf(lifetime, sizeof(lifetime), "%llds", (long long)d->lifetime_max_s);
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "device_id", d->id.s, "state", d->blocked ? "blocked" : states[d->state], "spki", spki,
	    "lifetime_max", lifetime, "subject", d->subject);
}

enum rc
nafkc_store_list_devices(struct store *st, json_t *out)
{
	sqlite3_stmt *q = NULL;
	struct nafkc_device d;
	enum rc rc = sql_bind(st, NAFKC_SQL_EACH_DEVICE, &q, "");

	while (rc == RC_OK && (rc = sql_step(q)) == RC_OK) {
		if (!sql_col_str(q, 0, d.id.s, sizeof(d.id.s)))
			rc = RC_IO;
		else if ((rc = nafkc_sql_device(q, 1, &d)) == RC_OK)
			rc = append(out, nafkc_device_json(&d));
	}
	sql_done(q);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc
nafkc_store_put_audit(struct store *st, const struct nafkc_audit *a)
{
	char naf_id[NAF_ID_TEXT_MAX + 1] = "";

	if (a->triple != NULL)
		naf_id_print(&a->triple->naf_id, naf_id);
	return sql_run(st, NAFKC_SQL_PUT_AUDIT, NULL, "ittttttibt", a->at_s, a->event, a->reason, a->device_id,
	    a->triple != NULL ? a->triple->btid.s : "", naf_id, a->kcv, a->expires_s, span_of(a->spki, a->spki == NULL ? 0 : 32), a->subject);
}

static json_t *
audit_row(sqlite3_stmt *q)
{
	char at[UTC_TEXT_LEN + 1], expires[UTC_TEXT_LEN + 1] = "", was[UTC_TEXT_LEN + 1] = "";

	clock_print_utc(sqlite3_column_int64(q, 0), at);
	if (sqlite3_column_int64(q, 6) != 0)
		clock_print_utc(sqlite3_column_int64(q, 6), expires);
	if (sqlite3_column_int64(q, 10) != 0)
		clock_print_utc(sqlite3_column_int64(q, 10), was);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "at", at, "event", text(q, 1), "reason", text(q, 9), "device_id", text(q, 2),
	    "btid", text(q, 3), "naf_id", text(q, 4), "kcv", text(q, 5), "expires", expires, "was", was, "spki", text(q, 7), "subject", text(q, 8));
}

enum rc
nafkc_store_list_audit(struct store *st, unsigned max, json_t *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, NAFKC_SQL_EACH_AUDIT, &q, "i", (int64_t)max);

	return rc != RC_OK ? rc : each(q, audit_row, out);
}
