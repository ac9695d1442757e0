/* subscriber: the form of subscriber.json (RULES S2), and what an operator does with subscribers and NAFs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bsfd/core.h"
#include "bsfd/guss.h"
#include "bsfd/store.h"
#include "common/conf.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/purge.h"
#include "common/turn.h"

#define KS_LIFETIME_MIN_S 1
#define KS_LIFETIME_MAX_S (10 * 365 * 86400LL)

static enum rc wrong(char text[static BSF_TEXT_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3);

static enum rc
wrong(char text[static BSF_TEXT_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, BSF_TEXT_MAX, fmt, ap);
	va_end(ap);
	return RC_SYNTAX;
}

static struct span
member(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v)) : span_of(NULL, 0);
}

static enum rc
names_ok(const json_t *o, char text[static BSF_TEXT_MAX])
{
	static const char *const known[] = { "iccid", "imsi", "impi", "k", "opc", "op", "amf", "mnc_length", "ks_lifetime", "gba_u",
	    "uss" };
	const char *key;
	json_t *v;

	if (!json_is_object(o))
		return wrong(text, "expected an object");
	json_object_foreach((json_t *)(uintptr_t)o, key, v) {
		size_t i = 0;

		while (i < sizeof known / sizeof known[0] && strcmp(key, known[i]) != 0)
			i++;
		if (i == sizeof known / sizeof known[0])
			return wrong(text, "%.40s: no such member", key);
	}
	return RC_OK;
}

static enum rc
read_identities(const json_t *o, struct bsf_subscriber *s, char text[static BSF_TEXT_MAX])
{
	const json_t *mnc = json_object_get(o, "mnc_length");
	json_int_t n = json_integer_value(mnc);

	if (json_object_get(o, "iccid") != NULL && iccid_parse(member(o, "iccid"), &s->iccid) != RC_OK)
		return wrong(text, "iccid: expected 18 to 20 digits");
	if (imsi_parse(member(o, "imsi"), &s->imsi) != RC_OK)
		return wrong(text, "imsi: expected 6 to 15 digits");
	if (mnc != NULL && n != 2 && n != 3)
		return wrong(text, "mnc_length: expected 2 or 3");
	if (json_object_get(o, "impi") != NULL)
		return impi_parse(member(o, "impi"), &s->impi) == RC_OK && !tmpi_is(member(o, "impi")) ? RC_OK :
		    wrong(text, "impi: expected user@realm");
	if (mnc == NULL)
		return wrong(text, "impi: is missing, and without mnc_length it cannot be made from the IMSI");
	return imsi_to_impi(&s->imsi, (unsigned)n, &s->impi) == RC_OK ? RC_OK : wrong(text, "imsi: too short for its MNC");
}

static enum rc
read_lifetime(const json_t *v, int64_t *out)
{
	enum rc rc = RC_SYNTAX;

	if (json_is_integer(v)) {
		*out = json_integer_value(v);
		rc = RC_OK;
	} else if (json_is_string(v))
		rc = conf_parse_duration(span_str(json_string_value(v)), out);
	return rc == RC_OK && *out >= KS_LIFETIME_MIN_S && *out <= KS_LIFETIME_MAX_S ? RC_OK : RC_SYNTAX;
}

/* *uss: a new text, "" = none. */
static enum rc
read_rest(const json_t *o, struct bsf_subscriber *s, char **uss, char text[static BSF_TEXT_MAX])
{
	const json_t *life = json_object_get(o, "ks_lifetime"), *gba_u = json_object_get(o, "gba_u"), *list = json_object_get(o, "uss");

	if (hex_parse(member(o, "amf"), s->amf, sizeof s->amf) != RC_OK)
		return wrong(text, "amf: expected 4 hex digits");
	if (life != NULL && read_lifetime(life, &s->ks_lifetime_s) != RC_OK)
		return wrong(text, "ks_lifetime: expected seconds, or a duration such as 30s 10m 6h 1d");
	if (gba_u != NULL && !json_is_boolean(gba_u))
		return wrong(text, "gba_u: expected true or false");
	s->gba_u = json_is_true(gba_u);
	if (list != NULL && bsf_guss_check(list, text, BSF_TEXT_MAX) != RC_OK)
		return RC_SYNTAX;
	*uss = list == NULL ? strdup("") : json_dumps(list, JSON_COMPACT);
	return *uss == NULL ? RC_NOMEM : RC_OK;
}

/* --- verbs */

static enum reason
reason_of(enum rc rc, enum reason form)
{
	return rc == RC_OK ? REASON_NONE : rc == RC_SYNTAX ? form : rc == RC_EXISTS ? REASON_SUBSCRIBER_EXISTS : REASON_INTERNAL;
}

/* Both writes or neither; the first block of SQNs, so that the first challenge costs no commit either (B2). */
static enum rc
put(struct bsf *b, const struct bsf_subscriber *s, const char *uss, const struct secret *k, const struct secret *opc)
{
	enum rc rc, rc2;

	if ((rc = store_begin(b->s.store)) != RC_OK)
		return rc;
	if ((rc = bsf_store_put_subscriber(b->s.store, s, uss, k, opc)) == RC_OK)
		rc = bsf_auc_top_up(b->auc, &s->impi);
	rc2 = store_end(b->s.store, rc == RC_OK);
	if (rc == RC_OK)
		rc = rc2;
	if (rc != RC_OK && rc != RC_EXISTS)
		bsf_auc_forget(b->auc, &s->impi);
	return rc;
}

enum reason
bsf_subscriber_add(struct bsf *b, const json_t *o, json_t **out, char text[static BSF_TEXT_MAX])
{
	struct bsf_subscriber s = { .sqn = 0 };
	struct secret *k = NULL, *opc = NULL;
	char *uss = NULL;
	enum rc rc;

	*out = NULL;
	text[0] = '\0';
	if ((rc = names_ok(o, text)) != RC_OK || (rc = read_identities(o, &s, text)) != RC_OK ||
	    (rc = bsf_auc_read_credentials(o, &k, &opc, text, BSF_TEXT_MAX)) != RC_OK || (rc = read_rest(o, &s, &uss, text)) != RC_OK)
		goto out;
	if ((rc = put(b, &s, uss, k, opc)) != RC_OK)
		goto out;
	log_info("subscriber: impi=%s added", s.impi.s);
	*out = json_pack("{s:s}", "impi", s.impi.s);
out:
	secret_free(k);
	secret_free(opc);
	free(uss);
	return reason_of(rc, REASON_SUBSCRIBER_FORM);
}

enum rc
bsf_subscriber_delete(struct bsf *b, const struct impi *impi)
{
	enum rc rc, rc2;

	if ((rc = store_begin(b->s.store)) != RC_OK)
		return rc;
	rc = bsf_store_delete_subscriber(b->s.store, impi);
	rc2 = store_end(b->s.store, rc == RC_OK);
	if (rc == RC_OK)
		rc = rc2;
	if (rc == RC_OK) {	/* what memory holds of it is only ever less than the store allows */
		bsf_auc_forget(b->auc, impi);
		bsf_challenges_drop(b->challenges, impi->s);
		purge_deleted(b->purge);
		log_info("subscriber: impi=%s deleted", impi->s);
	}
	return rc;
}

/* Memory follows when it is on disk. */
static void
nafs_changed(void *arg, enum rc rc)
{
	struct bsf *b = arg;

	if (rc == RC_OK && bsf_nafs_reload(b->nafs, b->s.store) != RC_OK)
		log_error("naf: the entries could not be read again; those of before stay until the next change");
}

enum reason
bsf_naf_add(struct bsf *b, const json_t *o, json_t **out, char text[static BSF_TEXT_MAX])
{
	struct bsf_naf naf;
	enum rc rc, rc2;

	*out = NULL;
	text[0] = '\0';
	if (bsf_policy_parse_naf(o, &naf, text, BSF_TEXT_MAX) != RC_OK)
		return REASON_NAF_FORM;
	if ((rc = store_begin(b->s.store)) != RC_OK)
		return REASON_INTERNAL;
	rc = bsf_store_put_naf(b->s.store, &naf);
	rc2 = store_end(b->s.store, rc == RC_OK);
	if (rc != RC_OK || rc2 != RC_OK)
		return REASON_INTERNAL;
	turn_later(b->s.turn, nafs_changed, b);
	log_info("naf: fqdn=%s put", naf.fqdn);
	*out = bsf_policy_print_naf(&naf);
	return REASON_NONE;
}

enum rc
bsf_naf_delete(struct bsf *b, const char *fqdn)
{
	enum rc rc, rc2;

	if ((rc = store_begin(b->s.store)) != RC_OK)
		return rc;
	rc = bsf_store_delete_naf(b->s.store, fqdn);
	rc2 = store_end(b->s.store, rc == RC_OK);
	if (rc == RC_OK)
		rc = rc2;
	if (rc == RC_OK) {
		turn_later(b->s.turn, nafs_changed, b);
		log_info("naf: fqdn=%s deleted", fqdn);
	}
	return rc;
}
