#include "mtd/card_image.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/conf.h"
#include "common/hex.h"
#include "common/keyfile.h"
#include "common/log.h"
#include "common/milenage.h"

#define K_LEN 16
#define AID_MIN 7		/* the octets that say "USIM" */
#define DEFAULT_AID "a0000000871002ff44ff128900000100"
#define EXPECT_ICCID "18 to 20 digits"
#define EXPECT_IMSI "6 to 15 digits"
#define EXPECT_KEY "32 hex digits"

static cfg_opt_t usim_opts[] = {
	CFG_STR("aid", DEFAULT_AID, CFGF_NONE),
	CFG_STR("label", "kslocal USIM", CFGF_NONE),
	CFG_STR_LIST("services", "{}", CFGF_NONE),
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

static void
read_services(struct conf *c, cfg_t *s, struct mt_card_image *i)
{
	for (size_t n = conf_count(c, s, "services"); n > 0; n--) {
		const char *text = conf_text_at(c, s, "services", n - 1, CONF_ANY);
		uint64_t v;

		if (!span_decimal(span_str(text), MT_SERVICES_MAX, &v) || v == 0) {
			conf_complain(c, s, "services", "'%s'; expected service numbers of TS 31.102 4.2.8, 1 to %d", text, MT_SERVICES_MAX);
			return;
		}
		i->ust[(v - 1) / 8] |= (uint8_t)(1 << (v - 1) % 8);
	}
}

static void
read_usim(struct conf *c, struct mt_card_image *i)
{
	cfg_t *s = conf_section(c, NULL, "usim", 0);
	struct span aid = span_str(conf_text(c, s, "aid", CONF_ANY));
	struct span label = span_str(conf_text(c, s, "label", CONF_ANY));

	i->aid_len = (uint8_t)(aid.n / 2);
	if (aid.n / 2 < AID_MIN || aid.n / 2 > MT_AID_MAX || hex_parse(aid, i->aid, aid.n / 2) != RC_OK ||
	    !mt_aid_is_usim((struct span){ i->aid, i->aid_len }))
		conf_complain(c, s, "aid", "expected the AID of a USIM: a0000000871002 and up to 18 more hex digits");
	if (!span_to_str(label, i->label, sizeof i->label))
		conf_complain(c, s, "label", "expected at most %d characters", MT_CARD_LABEL_MAX);
	read_services(c, s, i);
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
	read_usim(c, &i);
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

void
mt_card_image_clear(struct mt_card_image *i)
{
	secret_free(i->k);
	secret_free(i->opc);
	explicit_bzero(i, sizeof *i);	/* the PIN too */
}
