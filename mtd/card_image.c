#include "mtd/card_image.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/conf.h"
#include "common/hex.h"
#include "common/keyfile.h"
#include "common/log.h"
#include "common/milenage.h"
#include "common/naf_id.h"
#include "mtd/ef_gba.h"

#define K_LEN 16
#define AID_MIN 7		/* the octets that say "USIM" or "ISIM" */
#define DEFAULT_AID "a0000000871002ff44ff128900000100"
#define DEFAULT_ISIM_AID "a0000000871004ff44ff128900000100"
#define EXPECT_ICCID "18 to 20 digits"
#define EXPECT_IMSI "6 to 15 digits"
#define EXPECT_KEY "32 hex digits"
#define EXPECT_IMPI "user@realm, at most 125 characters"
#define EXPECT_DOMAIN "a lower-case FQDN of at most 125 characters"

static cfg_opt_t usim_opts[] = {
	CFG_STR("aid", DEFAULT_AID, CFGF_NONE),
	CFG_STR("label", "kslocal USIM", CFGF_NONE),
	CFG_STR_LIST("services", "{}", CFGF_NONE),
	CFG_INT("gba_nafs", MT_CARD_NAFS_MAX, CFGF_NONE),
	CFG_STR_LIST("nafkca", "{}", CFGF_NONE),
	CFG_END()
};
static cfg_opt_t isim_opts[] = {
	CFG_STR("aid", DEFAULT_ISIM_AID, CFGF_NONE),
	CFG_STR("label", "kslocal ISIM", CFGF_NONE),
	CFG_STR("impi", NULL, CFGF_NONE),
	CFG_STR("domain", NULL, CFGF_NONE),
	CFG_STR_LIST("impu", "{}", CFGF_NONE),
	CFG_STR_LIST("services", "{}", CFGF_NONE),
	CFG_INT("gba_nafs", MT_CARD_NAFS_MAX, CFGF_NONE),
	CFG_STR_LIST("nafkca", "{}", CFGF_NONE),
	CFG_END()
};
static cfg_opt_t sqn_opts[] = {
	CFG_INT("delta", SQN_DELTA_DEFAULT, CFGF_NONE),
	CFG_INT("age", 0, CFGF_NONE),
	CFG_END()
};
static cfg_opt_t opts[] = {
	CFG_STR("iccid", NULL, CFGF_NONE),
	CFG_STR("imsi", NULL, CFGF_NONE),
	CFG_INT("mnc_len", 2, CFGF_NONE),
	CFG_STR("k", NULL, CFGF_NONE),
	CFG_STR("opc", NULL, CFGF_NONE),
	CFG_STR("op", NULL, CFGF_NONE),
	CFG_STR("pin", NULL, CFGF_NONE),
	CFG_STR("protocol", "t1", CFGF_NONE),
	CFG_SEC("usim", usim_opts, CFGF_NONE),
	CFG_SEC("isim", isim_opts, CFGF_NONE),
	CFG_SEC("sqn", sqn_opts, CFGF_NONE),
	CFG_END()
};

/* One complaint about what is missing, or of unprintable octets: NULL then. */
static const char *
text_of(struct conf *c, cfg_t *s, const char *key, const char *expected)
{
	const char *text;

	if (!conf_has(c, s, key)) {
		conf_complain(c, s, key, "is missing; expected %s", expected);
		return NULL;
	}
	text = conf_text(c, s, key, CONF_ANY);
	return text[0] != '\0' ? text : NULL;
}

static void
read_identity(struct conf *c, struct mt_card_image *i)
{
	const char *text;

	if ((text = text_of(c, NULL, "iccid", EXPECT_ICCID)) != NULL && iccid_parse(span_str(text), &i->iccid) != RC_OK)
		conf_complain(c, NULL, "iccid", "expected " EXPECT_ICCID);
	if ((text = text_of(c, NULL, "imsi", EXPECT_IMSI)) != NULL && imsi_parse(span_str(text), &i->imsi) != RC_OK)
		conf_complain(c, NULL, "imsi", "expected " EXPECT_IMSI);
	i->mnc_len = (unsigned)conf_int(c, NULL, "mnc_len", 2, 3);
}

/* Wipes the text behind: it is libconfuse's copy, which nobody reads again. */
static void
read_key(struct conf *c, const char *key, struct secret **out)
{
	const char *text = text_of(c, NULL, key, EXPECT_KEY);

	if (text == NULL)
		return;
	if (hex_parse_secret(span_str(text), K_LEN, out) != RC_OK)
		conf_complain(c, NULL, key, "expected " EXPECT_KEY);	/* the text is never shown */
	OPENSSL_cleanse((void *)(uintptr_t)text, strlen(text));
}

static enum rc
read_keys(struct conf *c, struct mt_card_image *i)
{
	struct secret *op = NULL;
	enum rc rc = RC_OK;

	read_key(c, "k", &i->k);
	if (conf_has(c, NULL, "op") && conf_has(c, NULL, "opc"))
		conf_complain(c, NULL, "op", "both op and opc are there; expected one of them");
	else if (!conf_has(c, NULL, "op"))
		read_key(c, "opc", &i->opc);
	else
		read_key(c, "op", &op);
	if (op != NULL && i->k != NULL)
		rc = milenage_opc(i->k, op, &i->opc);
	secret_free(op);
	return rc;
}

static void
read_pin(struct conf *c, struct mt_card_image *i)
{
	struct span pin;
	bool ok;

	if (!conf_has(c, NULL, "pin"))
		return;
	pin = span_str(conf_text(c, NULL, "pin", CONF_ANY));
	ok = pin.n >= 4 && span_to_str(pin, i->pin, sizeof i->pin) && strspn(i->pin, "0123456789") == pin.n;
	if (!ok)
		conf_complain(c, NULL, "pin", "expected 4 to 8 digits");
}

static const struct {
	const char *aid_expected, *services_expected;
	bool (*aid_is)(struct span aid);
	unsigned gba, local_key;	/* services */
} kinds[MT_CARD_APPS] = {
	[MT_CARD_USIM] = { "expected the AID of a USIM: a0000000871002 and up to 18 more hex digits",
	    "expected service numbers of TS 31.102 4.2.8, 1 to", mt_aid_is_usim, MT_SERVICE_GBA, MT_SERVICE_LOCAL_KEY },
	[MT_CARD_ISIM] = { "expected the AID of an ISIM: a0000000871004 and up to 18 more hex digits",
	    "expected service numbers of TS 31.103 4.2.7, 1 to", mt_aid_is_isim, MT_ISIM_SERVICE_GBA, MT_ISIM_SERVICE_LOCAL_KEY },
};

static void
read_services(struct conf *c, cfg_t *s, const char *expected, struct mt_card_app *a)
{
	for (size_t n = conf_count(c, s, "services"); n > 0; n--) {
		const char *text = conf_text_at(c, s, "services", n - 1, CONF_ANY);
		uint64_t v;

		if (!span_decimal(span_str(text), MT_SERVICES_MAX, &v) || v == 0) {
			conf_complain(c, s, "services", "'%s'; %s %d", text, expected, MT_SERVICES_MAX);
			return;
		}
		a->services[(v - 1) / 8] |= (uint8_t)(1 << (v - 1) % 8);
	}
}

/* Texts that ok() likes into out; how many. */
static uint8_t
read_list(struct conf *c, cfg_t *s, const char *key, bool (*ok)(struct span), const char *expected,
    char out[MT_CARD_LIST_MAX][MT_CARD_TEXT_MAX + 1])
{
	size_t n = conf_count(c, s, key);

	if (n > MT_CARD_LIST_MAX) {
		conf_complain(c, s, key, "%zu values; expected at most %d", n, MT_CARD_LIST_MAX);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct span text = span_str(conf_text_at(c, s, key, i, CONF_ANY));

		if (!ok(text) || !span_to_str(text, out[i], MT_CARD_TEXT_MAX + 1))
			conf_complain(c, s, key, "expected %s", expected);
	}
	return (uint8_t)n;
}

static void
read_app(struct conf *c, cfg_t *s, unsigned kind, struct mt_card_image *i)
{
	struct mt_card_app *a = &i->app[kind];
	struct span aid = span_str(conf_text(c, s, "aid", CONF_ANY));
	struct span label = span_str(conf_text(c, s, "label", CONF_ANY));

	a->aid_len = (uint8_t)(aid.n / 2);
	if (aid.n / 2 < AID_MIN || aid.n / 2 > MT_AID_MAX || hex_parse(aid, a->aid, aid.n / 2) != RC_OK ||
	    !kinds[kind].aid_is((struct span){ a->aid, a->aid_len }))
		conf_complain(c, s, "aid", "%s", kinds[kind].aid_expected);
	if (!span_to_str(label, a->label, sizeof a->label))
		conf_complain(c, s, "label", "expected at most %d characters", MT_CARD_LABEL_MAX);
	read_services(c, s, kinds[kind].services_expected, a);
	a->gba_nafs = (uint8_t)conf_int(c, s, "gba_nafs", 1, MT_CARD_NAFS_MAX);
	a->n_nafkca = read_list(c, s, "nafkca", fqdn_ok, EXPECT_DOMAIN, a->nafkca);
	if (a->n_nafkca > 0 && !mt_card_app_local_key(i, kind))
		conf_complain(c, s, "nafkca", "expected services %u and %u with it", kinds[kind].gba, kinds[kind].local_key);
}

static bool
impi_ok(struct span text)
{
	struct impi impi;

	return impi_parse(text, &impi) == RC_OK;
}

/* A SIP or tel URI (TS 23.003 13.4), judged by its scheme alone. */
static bool
impu_ok(struct span text)
{
	struct span scheme;

	return span_upto(&text, ':', &scheme) && text.n > 0 && (span_eq_str(scheme, "sip") || span_eq_str(scheme, "tel"));
}

static void
read_isim(struct conf *c, struct mt_card_image *i)
{
	cfg_t *s = conf_section(c, NULL, "isim", 0);
	struct mt_card_app *a = &i->app[MT_CARD_ISIM];
	const char *text;

	if (!conf_has(c, s, "impi")) {
		if (conf_has(c, s, "domain") || conf_count(c, s, "impu") + conf_count(c, s, "services") + conf_count(c, s, "nafkca") > 0)
			conf_complain(c, s, "impi", "is missing; expected " EXPECT_IMPI);
		return;
	}
	read_app(c, s, MT_CARD_ISIM, i);
	text = conf_text(c, s, "impi", CONF_ANY);
	if (!impi_ok(span_str(text)) || !span_to_str(span_str(text), a->impi, sizeof a->impi))
		conf_complain(c, s, "impi", "expected " EXPECT_IMPI);
	if ((text = text_of(c, s, "domain", EXPECT_DOMAIN)) != NULL &&
	    (!fqdn_ok(span_str(text)) || !span_to_str(span_str(text), a->domain, sizeof a->domain)))
		conf_complain(c, s, "domain", "expected " EXPECT_DOMAIN);
	a->n_impu = read_list(c, s, "impu", impu_ok, "a sip: or tel: URI of at most 125 characters", a->impu);
}

static void
read_sqn(struct conf *c, struct mt_card_image *i)
{
	cfg_t *s = conf_section(c, NULL, "sqn", 0);

	i->sqn.delta = (uint64_t)conf_int(c, s, "delta", 1, (int64_t)SQN_SEQ_MAX);
	i->sqn.age = (uint64_t)conf_int(c, s, "age", 0, (int64_t)SQN_SEQ_MAX);
}

static enum rc
read_image(struct conf *c, struct mt_card_image *out)
{
	static const char *const protocols[] = { "t1", "t0", NULL };
	struct mt_card_image i = { 0 };
	enum rc rc;

	read_identity(c, &i);
	rc = read_keys(c, &i);
	read_pin(c, &i);
	i.t0 = conf_word(c, NULL, "protocol", protocols) == 1;
	read_app(c, conf_section(c, NULL, "usim", 0), MT_CARD_USIM, &i);
	read_isim(c, &i);
	read_sqn(c, &i);
	if (rc == RC_OK && (rc = conf_done(c)) == RC_OK) {
		*out = i;
		return RC_OK;
	}
	mt_card_image_clear(&i);
	return rc;
}

enum rc
mt_card_image_parse(const char *name, struct span text, FILE *err, struct mt_card_image *out)
{
	struct conf *c = NULL;
	enum rc rc;

	if ((rc = conf_parse(name, text, opts, err, &c)) == RC_OK)
		rc = read_image(c, out);
	conf_free(c);
	return rc;
}

enum rc
mt_card_image_load(const char *path, struct mt_card_image *out)
{
	struct conf *c = NULL;
	char why[512];
	enum rc rc;

	if ((rc = keyfile_check(path, why, sizeof why)) != RC_OK) {
		log_error("card: %s", why);
		return rc;
	}
	if ((rc = conf_load(path, opts, &c)) == RC_OK)
		rc = read_image(c, out);
	conf_free(c);
	return rc;
}

enum rc
mt_card_image_dup(const struct mt_card_image *i, struct mt_card_image *out)
{
	struct mt_card_image d = *i;
	enum rc rc;

	d.k = d.opc = NULL;
	if ((rc = secret_dup(i->k, &d.k)) != RC_OK || (rc = secret_dup(i->opc, &d.opc)) != RC_OK) {
		secret_free(d.k);
		return rc;
	}
	*out = d;
	return RC_OK;
}

bool
mt_card_app_gba(const struct mt_card_image *i, unsigned app)
{
	return mt_ef_service(span_of(i->app[app].services, sizeof i->app[app].services), kinds[app].gba);
}

bool
mt_card_app_local_key(const struct mt_card_image *i, unsigned app)
{
	return mt_card_app_gba(i, app) &&
	    mt_ef_service(span_of(i->app[app].services, sizeof i->app[app].services), kinds[app].local_key);
}

void
mt_card_image_clear(struct mt_card_image *i)
{
	secret_free(i->k);
	secret_free(i->opc);
	explicit_bzero(i, sizeof *i);	/* the PIN too */
}
