#include "common/uaxml.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/b64.h"
#include "common/clock.h"
#include "common/profile.h"
#include "common/xml.h"

#define KEY_TEXT_MAX 64

static struct span
text_span(const struct xml_text *t)
{
	return span_of(t->p, strlen(t->p));
}

/* --- Key Request */

/* An FQDN, or a NAF_ID in text; FQDNs hold no slash. */
static enum rc
parse_naf(struct span in, struct uaxml_request *q)
{
	struct span rest = in, fqdn;

	if (span_upto(&rest, '/', &fqdn)) {
		q->has_ua = true;
		q->has_fqdn = true;
		return naf_id_parse(in, &q->naf_id);
	}
	if (!fqdn_ok(in) || !span_to_str(in, q->naf_id.fqdn, sizeof(q->naf_id.fqdn)))
		return RC_SYNTAX;
	q->has_fqdn = true;
	return RC_OK;
}

enum rc
uaxml_parse_request(struct span doc, struct uaxml_request *out, const char **bad)
{
	const struct xml_field fields[] = {
		{ NULL, profile.ua.btid, true }, { NULL, profile.ua.naf_id, false }, { NULL, profile.ua.device_id, true }
	};
	const struct xml_shape shape = { profile.ua.ns, profile.ua.request, fields, 3, false, UAXML_MAX };
	char btid[BTID_MAX + 1], naf[NAF_ID_TEXT_MAX + 1], device[DEVICE_ID_MAX + 1];
	struct xml_text texts[] = { { btid, sizeof(btid), false }, { naf, sizeof(naf), false }, { device, sizeof(device), false } };
	struct uaxml_request q;
	enum rc rc;

	memset(&q, 0, sizeof(q));
	*bad = "document";
	if ((rc = xml_parse(doc, &shape, texts)) != RC_OK)
		return rc;
	*bad = fields[0].name;
	if ((rc = btid_parse(text_span(&texts[0]), &q.btid)) != RC_OK)
		return rc;
	*bad = fields[1].name;
	if (texts[1].found && (rc = parse_naf(text_span(&texts[1]), &q)) != RC_OK)
		return rc;
	*bad = fields[2].name;
	if ((rc = device_id_parse(text_span(&texts[2]), &q.device_id)) != RC_OK)
		return rc;
	*out = q;
	*bad = NULL;
	return RC_OK;
}

enum rc
uaxml_print_request(const struct uaxml_request *q, char *out, size_t cap, size_t *n)
{
	char naf[NAF_ID_TEXT_MAX + 1];
	struct xml_out o;

	xml_out_init(&o, out, cap);
	xml_out_open(&o, profile.ua.ns, profile.ua.request);
	xml_out_text(&o, profile.ua.btid, span_str(q->btid.s));
	if (q->has_ua) {
		naf_id_print(&q->naf_id, naf);
		xml_out_text(&o, profile.ua.naf_id, span_str(naf));
	} else if (q->has_fqdn) {
		xml_out_text(&o, profile.ua.naf_id, span_str(q->naf_id.fqdn));
	}
	xml_out_text(&o, profile.ua.device_id, span_str(q->device_id.s));
	return xml_out_close(&o, profile.ua.request, n);
}

/* --- Key Response */

static bool
pseudonym_ok(const char *s)
{
	return *s != '\0' && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(s);
}

enum rc
uaxml_parse_response(struct span doc, struct uaxml_response *out, const char **bad)
{
	const struct xml_field fields[] = {
		{ NULL, profile.ua.btid, true }, { NULL, profile.ua.device_id, true }, { NULL, profile.ua.key, true },
		{ NULL, profile.ua.lifetime, true }, { NULL, profile.ua.mt_pseudonym, false }
	};
	const struct xml_shape shape = { profile.ua.ns, profile.ua.response, fields, 5, true, UAXML_MAX };
	char btid[BTID_MAX + 1], device[DEVICE_ID_MAX + 1], key[KEY_TEXT_MAX + 1], until[40];
	struct uaxml_response r;
	struct xml_text texts[] = { { btid, sizeof(btid), false }, { device, sizeof(device), false }, { key, sizeof(key), false },
		{ until, sizeof(until), false }, { r.mt_pseudonym, sizeof(r.mt_pseudonym), false } };
	enum rc rc;

	memset(&r, 0, sizeof(r));
	*bad = "document";
	if ((rc = xml_parse(doc, &shape, texts)) != RC_OK)
		goto out;
	*bad = fields[0].name;
	if ((rc = btid_parse(text_span(&texts[0]), &r.btid)) != RC_OK)
		goto out;
	*bad = fields[1].name;
	if ((rc = device_id_parse(text_span(&texts[1]), &r.device_id)) != RC_OK)
		goto out;
	*bad = fields[3].name;
	if ((rc = clock_parse_utc(until, strlen(until), true, &r.lifetime)) != RC_OK)
		goto out;
	*bad = fields[4].name;
	rc = RC_SYNTAX;
	if (texts[4].found && !pseudonym_ok(r.mt_pseudonym))
		goto out;
	*bad = fields[2].name;
	if ((rc = b64_parse_secret(text_span(&texts[2]), KS_LEN, &r.ks_local_mt)) != RC_OK)
		goto out;
	*out = r;
	*bad = NULL;
out:
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

enum rc
uaxml_print_response(const struct uaxml_response *r, char *out, size_t cap, size_t *n)
{
	char key[B64_LEN(KS_LEN) + 1], until[UTC_TEXT_LEN + 1];
	struct xml_out o;

	b64_print(secret_span(r->ks_local_mt), key);
	clock_print_utc(r->lifetime, until);
	xml_out_init(&o, out, cap);
	xml_out_open(&o, profile.ua.ns, profile.ua.response);
	xml_out_text(&o, profile.ua.btid, span_str(r->btid.s));
	xml_out_text(&o, profile.ua.device_id, span_str(r->device_id.s));
	xml_out_text(&o, profile.ua.key, span_str(key));
	xml_out_text(&o, profile.ua.lifetime, span_str(until));
	if (r->mt_pseudonym[0] != '\0')
		xml_out_text(&o, profile.ua.mt_pseudonym, span_str(r->mt_pseudonym));
	OPENSSL_cleanse(key, sizeof(key));
	return xml_out_close(&o, profile.ua.response, n);
}

/* --- key state */

enum rc
uaxml_parse_state(struct span doc, struct uaxml_state *out, const char **bad)
{
	const struct xml_field fields[] = {
		{ NULL, profile.ua.btid, true }, { NULL, profile.ua.device_id, true }, { NULL, profile.ua.lifetime, true }
	};
	const struct xml_shape shape = { profile.ua.ns, profile.ua.state, fields, 3, true, UAXML_MAX };
	char btid[BTID_MAX + 1], device[DEVICE_ID_MAX + 1], until[40];
	struct xml_text texts[] = { { btid, sizeof(btid), false }, { device, sizeof(device), false }, { until, sizeof(until), false } };
	struct uaxml_state s;
	enum rc rc;

	memset(&s, 0, sizeof(s));
	*bad = "document";
	if ((rc = xml_parse(doc, &shape, texts)) != RC_OK)
		return rc;
	*bad = fields[0].name;
	if ((rc = btid_parse(text_span(&texts[0]), &s.btid)) != RC_OK)
		return rc;
	*bad = fields[1].name;
	if ((rc = device_id_parse(text_span(&texts[1]), &s.device_id)) != RC_OK)
		return rc;
	*bad = fields[2].name;
	if ((rc = clock_parse_utc(until, strlen(until), true, &s.lifetime)) != RC_OK)
		return rc;
	*out = s;
	*bad = NULL;
	return RC_OK;
}

enum rc
uaxml_print_state(const struct uaxml_state *s, char *out, size_t cap, size_t *n)
{
	char until[UTC_TEXT_LEN + 1];
	struct xml_out o;

	clock_print_utc(s->lifetime, until);
	xml_out_init(&o, out, cap);
	xml_out_open(&o, profile.ua.ns, profile.ua.state);
	xml_out_text(&o, profile.ua.btid, span_str(s->btid.s));
	xml_out_text(&o, profile.ua.device_id, span_str(s->device_id.s));
	xml_out_text(&o, profile.ua.lifetime, span_str(until));
	return xml_out_close(&o, profile.ua.state, n);
}

/* --- errors */

enum rc
uaxml_parse_error(struct span doc, struct uaxml_error *out)
{
	const struct xml_field fields[] = { { NULL, profile.ua.reason, true }, { NULL, profile.ua.text, false } };
	/* another Key Center may say more than ours does: only the reason is acted on */
	const struct xml_shape shape = { profile.ua.ns, profile.ua.error, fields, 2, true, UAXML_MAX };
	struct uaxml_error e = { "", "" };
	struct xml_text texts[] = { { e.reason, sizeof(e.reason), false }, { e.text, sizeof(e.text), false } };
	enum rc rc;

	if ((rc = xml_parse(doc, &shape, texts)) != RC_OK)
		return rc;
	if (e.reason[0] == '\0' || strspn(e.reason, "abcdefghijklmnopqrstuvwxyz-") != strlen(e.reason))
		return RC_SYNTAX;
	*out = e;
	return RC_OK;
}

enum rc
uaxml_print_error(enum reason why, const char *text, char *out, size_t cap, size_t *n)
{
	const struct reason_info *i = reason_get(why);
	char own[UAXML_TEXT_MAX + 1];
	struct xml_out o;

	if (text == NULL) {
		snprintf(own, sizeof(own), "%s; %s", i->what, i->next);
		text = own;
	}
	xml_out_init(&o, out, cap);
	xml_out_open(&o, profile.ua.ns, profile.ua.error);
	xml_out_text(&o, profile.ua.reason, span_str(i->ua != NULL ? i->ua : reason_get(REASON_INTERNAL)->ua));
	xml_out_text(&o, profile.ua.text, span_str(text));
	return xml_out_close(&o, profile.ua.error, n);
}
