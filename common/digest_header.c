/*
 * Authorization, WWW-Authenticate and Authentication-Info: which parameters there are, and how they are read (ub.md 3):
 *	field = [ "Digest" 1*SP ] param *( OWS "," OWS param )
 *	param = token BWS "=" BWS ( token | DQUOTE *text DQUOTE )
 * text is printable ASCII without DQUOTE and backslash: no field of Ub needs an escape, and so each value has one spelling.
 */
#include <string.h>

#include "common/b64.h"
#include "common/digest_int.h"
#include "common/hex.h"

#define PARAMS_MAX 32		/* unknown ones included */
#define MEMBER(m) offsetof(struct digest, m), sizeof ((struct digest *)0)->m

const struct digest_field digest_fields[] = {
	{ "username", DIGEST_USERNAME, DIGEST_KIND_TEXT, true, MEMBER(username) },
	{ "realm", DIGEST_REALM, DIGEST_KIND_TEXT, true, MEMBER(realm) },
	{ "nonce", DIGEST_NONCE, DIGEST_KIND_TEXT, true, MEMBER(nonce) },
	{ "uri", DIGEST_URI, DIGEST_KIND_TEXT, true, MEMBER(uri) },
	{ "qop", DIGEST_QOP, DIGEST_KIND_QOP, false, 0, 0 },
	{ "rspauth", DIGEST_RSPAUTH, DIGEST_KIND_HASH, true, MEMBER(rspauth) },
	{ "nc", DIGEST_NC, DIGEST_KIND_COUNT, false, MEMBER(nc) },
	{ "cnonce", DIGEST_CNONCE, DIGEST_KIND_TEXT, true, MEMBER(cnonce) },
	{ "response", DIGEST_RESPONSE, DIGEST_KIND_HASH, true, MEMBER(response) },
	{ "opaque", DIGEST_OPAQUE, DIGEST_KIND_TEXT, true, MEMBER(opaque) },
	{ "algorithm", DIGEST_ALGORITHM, DIGEST_KIND_ALGORITHM, false, 0, 0 },
	{ "auts", DIGEST_AUTS, DIGEST_KIND_AUTS, true, 0, 0 },
	{ "stale", DIGEST_STALE, DIGEST_KIND_STALE, false, 0, 0 },
	{ "nextnonce", DIGEST_NEXTNONCE, DIGEST_KIND_TEXT, true, MEMBER(nextnonce) },
	{ NULL, 0, DIGEST_KIND_TEXT, false, 0, 0 }
};

static const struct {
	const char *name;
	enum digest_alg alg;
} algorithms[] = {
	{ "AKAv1-MD5", DIGEST_ALG_AKAV1_MD5 }, { "AKAv2-MD5", DIGEST_ALG_AKAV2_MD5 }, { "MD5", DIGEST_ALG_MD5 },
};
#define N_ALGORITHMS (sizeof algorithms / sizeof algorithms[0])

const struct digest_form digest_authorization = {
	true, false, DIGEST_USERNAME | DIGEST_REALM | DIGEST_NONCE | DIGEST_URI | DIGEST_RESPONSE | DIGEST_ALGORITHM | DIGEST_CNONCE |
	    DIGEST_OPAQUE | DIGEST_QOP | DIGEST_NC | DIGEST_AUTS
};
const struct digest_form digest_challenge = {
	true, true, DIGEST_REALM | DIGEST_NONCE | DIGEST_ALGORITHM | DIGEST_OPAQUE | DIGEST_QOP | DIGEST_STALE
};
const struct digest_form digest_info = {
	false, false, DIGEST_NEXTNONCE | DIGEST_QOP | DIGEST_RSPAUTH | DIGEST_CNONCE | DIGEST_NC
};

const char *
digest_alg_name(enum digest_alg alg)
{
	for (size_t i = 0; i < N_ALGORITHMS; i++) {
		if (algorithms[i].alg == alg)
			return algorithms[i].name;
	}
	return "";
}

/* DIGEST_ALG_OTHER for a name that is not known. */
static enum digest_alg
alg_by_name(struct span name)
{
	for (size_t i = 0; i < N_ALGORITHMS; i++) {
		if (span_eq_nocase(name, algorithms[i].name))
			return algorithms[i].alg;
	}
	return DIGEST_ALG_OTHER;
}

bool
digest_is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	}
	return true;
}

/* --- in */

static bool
is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
all_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_token(s.p[i]))
			return false;
	}
	return true;
}

static enum rc
parse_text(struct span v, char *out, size_t cap)
{
	return span_to_str(v, out, cap) ? RC_OK : RC_RANGE;
}

static enum rc
parse_hash(struct span v, char *out, size_t cap)
{
	if (v.n != 0 && (v.n != DIGEST_LEN || !hex_is_lower(v)))
		return RC_SYNTAX;
	return parse_text(v, out, cap);
}

/* What we do not know is left out; a list only where it is offered. */
static enum rc
parse_qop(struct span v, bool list, unsigned *qop)
{
	struct span one;
	bool more;

	do {
		more = span_upto(&v, ',', &one);
		if (!more)
			one = v;
		else if (!list)
			return RC_SYNTAX;
		one = span_trim(one);
		if (one.n == 0 || !all_token(one))
			return RC_SYNTAX;
		if (span_eq_nocase(one, "auth"))
			*qop |= DIGEST_QOP_AUTH;
		else if (span_eq_nocase(one, "auth-int"))
			*qop |= DIGEST_QOP_AUTH_INT;
	} while (more);
	return RC_OK;
}

static enum rc
parse_auts(struct span v, uint8_t out[static AKA_AUTS_LEN])
{
	uint8_t auts[AKA_AUTS_LEN];
	size_t n;

	if (b64_parse(v, auts, sizeof auts, &n) != RC_OK || n != AKA_AUTS_LEN)
		return RC_SYNTAX;
	memcpy(out, auts, sizeof auts);
	return RC_OK;
}

static enum rc
parse_field(const struct digest_field *f, const struct digest_form *form, struct span v, struct digest *d)
{
	char *at = (char *)d + f->at;

	if ((d->have & f->have) != 0)
		return RC_SYNTAX;
	d->have |= f->have;
	switch (f->kind) {
	case DIGEST_KIND_TEXT:
		return parse_text(v, at, f->cap);
	case DIGEST_KIND_HASH:
		return parse_hash(v, at, f->cap);
	case DIGEST_KIND_COUNT:
		return v.n == 8 && hex_is_lower(v) ? parse_text(v, at, f->cap) : RC_SYNTAX;
	case DIGEST_KIND_ALGORITHM:
		d->alg = alg_by_name(v);
		return RC_OK;
	case DIGEST_KIND_QOP:
		return parse_qop(v, form->offers, &d->qop);
	case DIGEST_KIND_AUTS:
		return parse_auts(v, d->auts);
	case DIGEST_KIND_STALE:
		d->stale = span_eq_nocase(v, "true");
		return RC_OK;
	}
	return RC_SYNTAX;
}

static bool
take_token(struct span *in, struct span *out)
{
	size_t n = 0;

	while (n < in->n && is_token(in->p[n]))
		n++;
	return n > 0 && span_take(in, n, out);
}

static bool
take_value(struct span *in, struct span *out)
{
	struct span quote;

	if (in->n == 0 || in->p[0] != '"')
		return take_token(in, out);
	return span_take(in, 1, &quote) && span_upto(in, '"', out) && digest_is_text(*out);
}

static bool
take_char(struct span *in, char c)
{
	struct span s;

	return in->n > 0 && in->p[0] == (uint8_t)c && span_take(in, 1, &s);
}

/* NULL: not one of this header's. */
static const struct digest_field *
field_of(const struct digest_form *form, struct span name)
{
	for (const struct digest_field *f = digest_fields; f->name != NULL; f++)
		if ((form->own & f->have) != 0 && span_eq_nocase(name, f->name))
			return f;
	return NULL;
}

static enum rc
parse_params(struct span in, const struct digest_form *form, struct digest *d)
{
	for (int i = 0; i < PARAMS_MAX; i++) {
		const struct digest_field *f;
		struct span name, value;
		enum rc rc;

		if (!take_token(&in, &name))
			return RC_SYNTAX;
		in = span_trim(in);
		if (!take_char(&in, '='))
			return RC_SYNTAX;
		in = span_trim(in);
		if (!take_value(&in, &value))
			return RC_SYNTAX;
		if ((f = field_of(form, name)) != NULL && (rc = parse_field(f, form, value, d)) != RC_OK)
			return rc;
		in = span_trim(in);
		if (in.n == 0)
			return RC_OK;
		if (!take_char(&in, ','))
			return RC_SYNTAX;
		in = span_trim(in);
	}
	return RC_RANGE;
}

static enum rc
parse(struct span in, const struct digest_form *form, struct digest *out)
{
	struct digest d = { 0 };
	struct span word;
	enum rc rc;

	if (in.n > DIGEST_HEADER_MAX)
		return RC_RANGE;
	in = span_trim(in);
	if (form->scheme) {
		if (!take_token(&in, &word))
			return RC_SYNTAX;
		if (!span_eq_nocase(word, "Digest"))
			return RC_NOTFOUND;
		if (in.n == 0 || in.p[0] != ' ')
			return RC_SYNTAX;
		in = span_trim(in);
	}
	if ((rc = parse_params(in, form, &d)) == RC_OK)
		*out = d;
	return rc;
}

enum rc
digest_parse_authorization(struct span value, struct digest *out)
{
	return parse(value, &digest_authorization, out);
}

enum rc
digest_parse_challenge(struct span value, struct digest *out)
{
	return parse(value, &digest_challenge, out);
}

enum rc
digest_parse_info(struct span value, struct digest *out)
{
	return parse(value, &digest_info, out);
}
