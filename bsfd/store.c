/* store: subscribers and NAFs. */
#include "bsfd/store.h"

#include <stdlib.h>
#include <string.h>

#include "bsfd/policy.h"
#include "bsfd/store_sql.h"
#include "common/log.h"
#include "common/sql.h"
#include "common/sqn.h"

#define SEALED_K SEALED_LEN(16)

static enum rc
seal_k(struct store *st, const char *column, const struct impi *impi, const struct secret *key, uint8_t out[static SEALED_K])
{
	size_t n;
	enum rc rc;

	if (secret_span(key).n != 16)
		return RC_RANGE;
	rc = store_seal(st, "subscriber", column, span_str(impi->s), key, out, SEALED_K, &n);
	return rc == RC_OK && n != SEALED_K ? RC_CRYPTO : rc;
}

enum rc
bsf_store_put_subscriber(struct store *st, const struct bsf_subscriber *s, const char *uss, const struct secret *k,
    const struct secret *opc)
{
	uint8_t sealed_k[SEALED_K], sealed_opc[SEALED_K];
	enum rc rc;

	if ((rc = seal_k(st, "k", &s->impi, k, sealed_k)) != RC_OK || (rc = seal_k(st, "opc", &s->impi, opc, sealed_opc)) != RC_OK)
		return rc;
	return sql_run(st, BSF_SQL_PUT_SUBSCRIBER, NULL, "tttbbbiiit", s->impi.s, s->imsi.s, s->iccid.s, span_of(sealed_k, SEALED_K),
	    span_of(sealed_opc, SEALED_K), span_of(s->amf, sizeof s->amf), (int64_t)s->sqn, (int64_t)s->gba_u, s->ks_lifetime_s, uss);
}

enum rc
bsf_store_get_subscriber(struct store *st, const struct impi *impi, struct bsf_subscriber *out)
{
	sqlite3_stmt *q = NULL;
	struct bsf_subscriber s = { .impi = *impi };
	struct span amf;
	enum rc rc;

	if ((rc = sql_bind(st, BSF_SQL_GET_SUBSCRIBER, &q, "t", impi->s)) != RC_OK || (rc = sql_step(q)) != RC_OK)
		goto out;
	amf = sql_col(q, 2);
	s.sqn = (uint64_t)sqlite3_column_int64(q, 3);
	s.gba_u = sqlite3_column_int64(q, 4) != 0;
	s.ks_lifetime_s = sqlite3_column_int64(q, 5);
	s.number = sqlite3_column_int64(q, 7);
	if (!sql_col_str(q, 0, s.imsi.s, sizeof s.imsi.s) || !sql_col_str(q, 1, s.iccid.s, sizeof s.iccid.s) || amf.n != sizeof s.amf || s.sqn > SQN_MAX) {
		log_error("store: the row of subscriber %s is damaged", impi->s);
		rc = RC_IO;
		goto out;
	}
	memcpy(s.amf, amf.p, sizeof s.amf);
	*out = s;
out:
	sql_done(q);
	return rc;
}

enum rc
bsf_store_get_credentials(struct store *st, const struct impi *impi, struct secret **k, struct secret **opc)
{
	sqlite3_stmt *q = NULL;
	struct secret *mine = NULL;
	enum rc rc;

	if ((rc = sql_bind(st, BSF_SQL_GET_CREDENTIALS, &q, "t", impi->s)) != RC_OK || (rc = sql_step(q)) != RC_OK)
		goto out;
	if ((rc = store_unseal(st, "subscriber", "k", span_str(impi->s), sql_col(q, 0), &mine)) != RC_OK)
		goto out;
	if ((rc = store_unseal(st, "subscriber", "opc", span_str(impi->s), sql_col(q, 1), opc)) != RC_OK)
		goto out;
	*k = mine;
	mine = NULL;
out:
	if (rc == RC_DENIED)
		log_error("store: K or OPc of subscriber %s does not open with this store key", impi->s);
	secret_free(mine);
	sql_done(q);
	return rc;
}

enum rc
bsf_store_get_uss(struct store *st, const struct impi *impi, char **out)
{
	sqlite3_stmt *q = NULL;
	struct span uss;
	char *copy;
	enum rc rc;

	if ((rc = sql_bind(st, BSF_SQL_GET_SUBSCRIBER, &q, "t", impi->s)) != RC_OK || (rc = sql_step(q)) != RC_OK)
		goto out;
	uss = sql_col(q, 6);
	if ((copy = malloc(uss.n + 1)) == NULL) {
		rc = RC_NOMEM;
		goto out;
	}
	if (!span_to_str(uss, copy, uss.n + 1)) {
		free(copy);
		log_error("store: the USS of subscriber %s are damaged", impi->s);
		rc = RC_IO;
		goto out;
	}
	*out = copy;
out:
	sql_done(q);
	return rc;
}

enum rc
bsf_store_set_sqn(struct store *st, const struct impi *impi, uint64_t sqn)
{
	int changed = 0;
	enum rc rc = sql_run(st, BSF_SQL_SET_SQN, &changed, "ti", impi->s, (int64_t)sqn);

	return rc == RC_OK && changed == 0 ? RC_NOTFOUND : rc;
}

enum rc
bsf_store_delete_subscriber(struct store *st, const struct impi *impi)
{
	static const enum bsf_sql what[] = { BSF_SQL_DELETE_ITS_BOOTSTRAPS, BSF_SQL_DELETE_ITS_TMPIS, BSF_SQL_DELETE_SUBSCRIBER };
	int changed = 0;
	enum rc rc;

	for (size_t i = 0; i < sizeof what / sizeof what[0]; i++)
		if ((rc = sql_run(st, what[i], &changed, "t", impi->s)) != RC_OK)
			return rc;
	return changed == 0 ? RC_NOTFOUND : RC_OK;
}

enum rc
bsf_store_list_subscribers(struct store *st, json_t *out)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, BSF_SQL_LIST_SUBSCRIBERS, &q, "");

	while (rc == RC_OK && (rc = sql_step(q)) == RC_OK) {
		json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:I}", "impi", sqlite3_column_text(q, 0),
		    "imsi", sqlite3_column_text(q, 1), "iccid", sqlite3_column_text(q, 2), "amf", sqlite3_column_text(q, 3),
		    "sqn", (json_int_t)sqlite3_column_int64(q, 4), "gba_u", sqlite3_column_int(q, 5),
		    "ks_lifetime", (json_int_t)sqlite3_column_int64(q, 6));

		if (o == NULL || json_array_append_new(out, o) != 0) {
			rc = RC_NOMEM;
			break;
		}
	}
	sql_done(q);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}

enum rc
bsf_store_count(struct store *st, int64_t *subscribers, int64_t *bootstraps, int64_t *nafs)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, BSF_SQL_COUNT, &q, "");

	if (rc == RC_OK && (rc = sql_step(q)) == RC_OK) {
		*subscribers = sqlite3_column_int64(q, 0);
		*bootstraps = sqlite3_column_int64(q, 1);
		*nafs = sqlite3_column_int64(q, 2);
	}
	sql_done(q);
	return rc;
}

enum rc
bsf_store_put_naf(struct store *st, const struct bsf_naf *naf)
{
	json_t *o = bsf_policy_print_naf(naf);
	char *form = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);
	enum rc rc = RC_NOMEM;

	if (form != NULL)
		rc = sql_run(st, BSF_SQL_PUT_NAF, NULL, "tt", naf->fqdn, form);
	free(form);
	json_decref(o);
	return rc;
}

enum rc
bsf_store_delete_naf(struct store *st, const char *fqdn)
{
	int changed = 0;
	enum rc rc = sql_run(st, BSF_SQL_DELETE_NAF, &changed, "t", fqdn);

	return rc == RC_OK && changed == 0 ? RC_NOTFOUND : rc;
}

enum rc
bsf_store_each_naf(struct store *st, void (*fn)(const struct bsf_naf *naf, void *arg), void *arg)
{
	sqlite3_stmt *q = NULL;
	enum rc rc = sql_bind(st, BSF_SQL_EACH_NAF, &q, "");

	while (rc == RC_OK && (rc = sql_step(q)) == RC_OK) {
		struct span form = sql_col(q, 1);
		json_t *o = json_loadb((const char *)form.p, form.n, JSON_REJECT_DUPLICATES, NULL);
		struct bsf_naf naf;
		char text[128];

		if (o != NULL && bsf_policy_parse_naf(o, &naf, text, sizeof text) == RC_OK)
			fn(&naf, arg);
		else
			log_error("store: the entry of NAF %s is damaged and left out", (const char *)sqlite3_column_text(q, 0));
		json_decref(o);
	}
	sql_done(q);
	return rc == RC_NOTFOUND ? RC_OK : rc;
}
