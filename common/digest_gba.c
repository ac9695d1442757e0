#include "common/digest_gba.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/b64.h"

#define ANSWERED (DIGEST_USERNAME | DIGEST_REALM | DIGEST_NONCE | DIGEST_URI | DIGEST_RESPONSE | DIGEST_CNONCE | DIGEST_QOP | DIGEST_NC)

void
digest_gba_realm(const char *fqdn, char out[static sizeof(DIGEST_GBA_PREFIX) + FQDN_MAX])
{
	snprintf(out, sizeof(DIGEST_GBA_PREFIX) + FQDN_MAX, "%s%s", DIGEST_GBA_PREFIX, fqdn);
}

enum rc
digest_gba_password(const struct secret *ks_naf, struct secret **out)
{
	char text[B64_LEN(KS_LEN) + 1] = "";
	enum rc rc = RC_RANGE;

	if (secret_span(ks_naf).n == KS_LEN) {
		b64_print(secret_span(ks_naf), text);
		rc = secret_from(span_str(text), out);
	}
	OPENSSL_cleanse(text, sizeof(text));
	return rc;
}

/* One realm, or several with ';' between them (Ks_int_NAF's beside ours): is ours among them? */
static bool
realm_names(const char *realm, const char *fqdn)
{
	char own[sizeof(DIGEST_GBA_PREFIX) + FQDN_MAX];
	struct span in = span_str(realm), one;

	digest_gba_realm(fqdn, own);
	while (span_upto(&in, ';', &one))
		if (span_eq_str(one, own))
			return true;
	return span_eq_str(in, own);
}

/* RFC 2617 3.2.1: absent means MD5. */
static bool
is_md5(const struct digest *d)
{
	return (d->have & DIGEST_ALGORITHM) == 0 || d->alg == DIGEST_ALG_MD5;
}

enum rc
digest_gba_answer(const struct digest *challenge, const struct digest_gba_ask *q, struct digest *out)
{
	struct digest d = { .have = ANSWERED | DIGEST_ALGORITHM | (challenge->have & DIGEST_OPAQUE), .alg = DIGEST_ALG_MD5 };
	enum rc rc;

	if ((challenge->have & DIGEST_REALM) == 0 || (challenge->have & DIGEST_NONCE) == 0 || !is_md5(challenge))
		return RC_SYNTAX;
	if (!realm_names(challenge->realm, q->fqdn))
		return RC_DENIED;
	d.qop = challenge->qop & DIGEST_QOP_AUTH ? DIGEST_QOP_AUTH : challenge->qop;
	if (d.qop == DIGEST_QOP_NONE)
		return RC_SYNTAX;
	memcpy(d.realm, challenge->realm, sizeof(d.realm));
	memcpy(d.nonce, challenge->nonce, sizeof(d.nonce));
	memcpy(d.opaque, challenge->opaque, sizeof(d.opaque));
	snprintf(d.nc, sizeof(d.nc), "%08x", (unsigned)q->nc);
	if (!span_to_str(span_str(q->btid), d.username, sizeof(d.username)) || !span_to_str(span_str(q->uri), d.uri, sizeof(d.uri)) ||
	    !span_to_str(span_str(q->cnonce), d.cnonce, sizeof(d.cnonce)))
		return RC_RANGE;
	if ((rc = digest_response(&d, q->password, q->method, q->body, d.response)) == RC_OK)
		*out = d;
	return rc;
}

enum rc
digest_gba_check_info(const struct digest *sent, const struct digest *info, const struct secret *password, struct span body)
{
	if ((info->have & DIGEST_RSPAUTH) == 0 || (info->have & DIGEST_QOP) == 0 || info->qop != sent->qop ||
	    strcmp(info->nc, sent->nc) != 0 || strcmp(info->cnonce, sent->cnonce) != 0)
		return RC_SYNTAX;
	return digest_check(sent, password, "", body, info->rspauth);
}

/* The first parameter that is missing, NULL: none is. */
static const char *
missing(unsigned have)
{
	static const struct {
		unsigned have;
		const char *name;
	} wanted[] = {
		{ DIGEST_USERNAME, "username" }, { DIGEST_REALM, "realm" }, { DIGEST_NONCE, "nonce" }, { DIGEST_URI, "uri" },
		{ DIGEST_RESPONSE, "response" }, { DIGEST_QOP, "qop" }, { DIGEST_NC, "nc" }, { DIGEST_CNONCE, "cnonce" }
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if ((have & wanted[i].have) == 0)
			return wanted[i].name;
	return NULL;
}

enum rc
digest_gba_form(struct digest *a, const char *fqdn, const char *target, struct btid *btid, const char **bad)
{
	char realm[sizeof(DIGEST_GBA_PREFIX) + FQDN_MAX];
	struct btid name;

	digest_gba_realm(fqdn, realm);
	if ((*bad = missing(a->have)) != NULL)
		return RC_SYNTAX;
	if (btid_parse(span_str(a->username), &name) != RC_OK)
		*bad = "username";
	else if (strcmp(a->realm, realm) != 0)
		*bad = "realm";
	else if (strcmp(a->uri, target) != 0)
		*bad = "uri";
	else if (!is_md5(a))
		*bad = "algorithm";
	else if (a->qop != DIGEST_QOP_AUTH && a->qop != DIGEST_QOP_AUTH_INT)
		*bad = "qop";
	else if (a->cnonce[0] == '\0')
		*bad = "cnonce";
	else if (a->response[0] == '\0')
		*bad = "response";
	if (*bad != NULL)
		return RC_SYNTAX;
	a->alg = DIGEST_ALG_MD5;
	*btid = name;
	return RC_OK;
}
