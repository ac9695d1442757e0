#include "common/ua_msg.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/b64.h"
#include "common/clock.h"
#include "common/profile.h"
#include "common/xml.h"

/* A text's octets once it was found. */
static struct span
found(const struct xml_text *t)
{
	return t->found ? span_str(t->p) : (struct span){ NULL, 0 };
}

/* --- Key Request */

enum rc
ua_key_request_parse(struct span doc, struct ua_key_request *out)
{
	const struct xml_field fields[] = {
		{ NULL, profile.ua.btid, true }, { NULL, profile.ua.device_id, true }, { NULL, profile.ua.naf_id, false },
	};
	const struct xml_shape shape = { profile.ua.ns, profile.ua.request, fields, 3, false, UA_DOC_MAX };
	char btid[BTID_MAX + 1], device_id[DEVICE_ID_MAX + 1];
	struct ua_key_request m = { .naf_id = "" };
	struct xml_text texts[] = {
		{ btid, sizeof btid, false }, { device_id, sizeof device_id, false }, { m.naf_id, sizeof m.naf_id, false },
	};
	struct naf_id any;
	enum rc rc;

	if ((rc = xml_parse(doc, &shape, texts)) != RC_OK)
		return rc == RC_RANGE && doc.n <= UA_DOC_MAX ? RC_SYNTAX : rc;		/* a text too long for its form */
	if (btid_parse(found(&texts[0]), &m.btid) != RC_OK || device_id_parse(found(&texts[1]), &m.device_id) != RC_OK)
		return RC_SYNTAX;
	if (texts[2].found && !fqdn_ok(span_str(m.naf_id)) && naf_id_parse(span_str(m.naf_id), &any) != RC_OK)
		return RC_SYNTAX;
	if (!texts[2].found)
		m.naf_id[0] = '\0';
	*out = m;
	return RC_OK;
}

enum rc
ua_key_request_print(const struct ua_key_request *m, char *out, size_t cap, size_t *n)
{
	struct xml_out x;

	xml_out_init(&x, out, cap);
	xml_out_open(&x, profile.ua.ns, profile.ua.request);
	xml_out_text(&x, profile.ua.btid, span_str(m->btid.s));
	if (m->naf_id[0] != '\0')
		xml_out_text(&x, profile.ua.naf_id, span_str(m->naf_id));
	xml_out_text(&x, profile.ua.device_id, span_str(m->device_id.s));
	return xml_out_close(&x, profile.ua.request, n);
}

/* --- Key Response */

enum rc
ua_key_response_parse(struct span doc, struct ua_key_response *out)
{
	const struct xml_field fields[] = {
		{ NULL, profile.ua.btid, true }, { NULL, profile.ua.device_id, true }, { NULL, profile.ua.key, true },
		{ NULL, profile.ua.lifetime, true }, { NULL, profile.ua.mt_pseudonym, false },
	};
	const struct xml_shape shape = { profile.ua.ns, profile.ua.response, fields, 5, true, UA_DOC_MAX };
	char btid[BTID_MAX + 1], device_id[DEVICE_ID_MAX + 1], key[B64_LEN(KS_LEN) + 1], lifetime[UTC_TEXT_LEN + 16];
	struct ua_key_response m = { .ks_local_mt = NULL };
	struct xml_text texts[] = {
		{ btid, sizeof btid, false }, { device_id, sizeof device_id, false }, { key, sizeof key, false },
		{ lifetime, sizeof lifetime, false }, { m.mt_pseudonym, sizeof m.mt_pseudonym, false },
	};
	enum rc rc;

	if ((rc = xml_parse(doc, &shape, texts)) != RC_OK) {
		rc = rc == RC_RANGE && doc.n <= UA_DOC_MAX ? RC_SYNTAX : rc;
		goto out;
	}
	rc = RC_SYNTAX;
	if (btid_parse(found(&texts[0]), &m.btid) != RC_OK || device_id_parse(found(&texts[1]), &m.device_id) != RC_OK)
		goto out;
	if (clock_parse_utc(lifetime, strlen(lifetime), true, &m.expires_s) != RC_OK)
		goto out;
	if (!texts[4].found)
		m.mt_pseudonym[0] = '\0';
	if ((rc = b64_parse_secret(span_str(key), KS_LEN, &m.ks_local_mt)) != RC_OK) {
		rc = rc == RC_NOMEM ? rc : RC_SYNTAX;
		goto out;
	}
	*out = m;
out:
	OPENSSL_cleanse(key, sizeof key);
	return rc;
}

enum rc
ua_key_response_print(const struct ua_key_response *m, char *out, size_t cap, size_t *n)
{
	char key[B64_LEN(KS_LEN) + 1], lifetime[UTC_TEXT_LEN + 1];
	struct xml_out x;
	enum rc rc = RC_RANGE;

	if (secret_span(m->ks_local_mt).n != KS_LEN)
		return RC_RANGE;
	b64_print(secret_span(m->ks_local_mt), key);
	clock_print_utc(m->expires_s, lifetime);
	xml_out_init(&x, out, cap);
	xml_out_open(&x, profile.ua.ns, profile.ua.response);
	xml_out_text(&x, profile.ua.btid, span_str(m->btid.s));
	xml_out_text(&x, profile.ua.device_id, span_str(m->device_id.s));
	xml_out_text(&x, profile.ua.key, span_str(key));
	xml_out_text(&x, profile.ua.lifetime, span_str(lifetime));
	if (m->mt_pseudonym[0] != '\0')
		xml_out_text(&x, profile.ua.mt_pseudonym, span_str(m->mt_pseudonym));
	rc = xml_out_close(&x, profile.ua.response, n);
	OPENSSL_cleanse(key, sizeof key);
	return rc;
}

/* --- key error */

enum rc
ua_key_error_parse(struct span doc, struct ua_key_error *out)
{
	const struct xml_field fields[] = { { NULL, profile.ua.reason, true }, { NULL, profile.ua.text, false } };
	const struct xml_shape shape = { profile.ua.ns, profile.ua.error, fields, 2, true, UA_DOC_MAX };
	struct ua_key_error m;
	struct xml_text texts[] = { { m.reason, sizeof m.reason, false }, { m.text, sizeof m.text, false } };
	enum rc rc;

	memset(&m, 0, sizeof m);
	if ((rc = xml_parse(doc, &shape, texts)) != RC_OK)
		return rc == RC_RANGE && doc.n <= UA_DOC_MAX ? RC_SYNTAX : rc;
	if (m.reason[0] == '\0' || m.reason[strspn(m.reason, "abcdefghijklmnopqrstuvwxyz-")] != '\0')
		return RC_SYNTAX;
	if (!texts[1].found)
		m.text[0] = '\0';
	*out = m;
	return RC_OK;
}

enum rc
ua_key_error_print(const struct ua_key_error *m, char *out, size_t cap, size_t *n)
{
	struct xml_out x;

	xml_out_init(&x, out, cap);
	xml_out_open(&x, profile.ua.ns, profile.ua.error);
	xml_out_text(&x, profile.ua.reason, span_str(m->reason));
	if (m->text[0] != '\0')
		xml_out_text(&x, profile.ua.text, span_str(m->text));
	return xml_out_close(&x, profile.ua.error, n);
}
