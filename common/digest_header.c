/*
 * Authorization, WWW-Authenticate and Authentication-Info, in and out:
 *	field = [ "Digest" 1*SP ] param *( OWS "," OWS param )
 *	param = token BWS "=" BWS ( token | DQUOTE *text DQUOTE )
 * text is printable ASCII without DQUOTE and backslash: no field of Ub needs an escape, and so each value has one spelling.
 */
#include <stddef.h>
#include <string.h>

#include "common/b64.h"
#include "common/digest_aka.h"
#include "common/hex.h"

#define PARAMS_MAX 32		/* unknown ones included */

enum kind { TEXT, HASH, COUNT, ALGORITHM, QOP, AUTS, STALE };

struct field {
	const char *name;
	unsigned have;
	enum kind kind;
	bool quoted;		/* when printed; read both ways */
	size_t at, cap;
};
#define MEMBER(m) offsetof(struct digest, m), sizeof ((struct digest *)0)->m
/* In the order of printing. */
static const struct field fields[] = {
	{ "username", DIGEST_USERNAME, TEXT, true, MEMBER(username) },
	{ "realm", DIGEST_REALM, TEXT, true, MEMBER(realm) },
	{ "nonce", DIGEST_NONCE, TEXT, true, MEMBER(nonce) },
	{ "uri", DIGEST_URI, TEXT, true, MEMBER(uri) },
	{ "qop", DIGEST_QOP, QOP, false, 0, 0 },
	{ "rspauth", DIGEST_RSPAUTH, HASH, true, MEMBER(rspauth) },
	{ "nc", DIGEST_NC, COUNT, false, MEMBER(nc) },
	{ "cnonce", DIGEST_CNONCE, TEXT, true, MEMBER(cnonce) },
	{ "response", DIGEST_RESPONSE, HASH, true, MEMBER(response) },
	{ "opaque", DIGEST_OPAQUE, TEXT, true, MEMBER(opaque) },
	{ "algorithm", DIGEST_ALGORITHM, ALGORITHM, false, 0, 0 },
	{ "auts", DIGEST_AUTS, AUTS, true, 0, 0 },
	{ "stale", DIGEST_STALE, STALE, false, 0, 0 },
	{ "nextnonce", DIGEST_NEXTNONCE, TEXT, true, MEMBER(nextnonce) },
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

static const struct {
	const char *name;
	enum digest_alg alg;
} algorithms[] = {
	{ "AKAv1-MD5", DIGEST_ALG_AKAV1_MD5 }, { "AKAv2-MD5", DIGEST_ALG_AKAV2_MD5 }, { "MD5", DIGEST_ALG_MD5 },
};
#define N_ALGORITHMS (sizeof algorithms / sizeof algorithms[0])

/* A header field: which parameters are its own; any other is unknown there. */
struct form {
	bool scheme;		/* begins with "Digest" */
	bool offers;		/* qop is a list of what is offered */
	unsigned own;
};
static const struct form authorization = {
	true, false, DIGEST_USERNAME | DIGEST_REALM | DIGEST_NONCE | DIGEST_URI | DIGEST_RESPONSE | DIGEST_ALGORITHM | DIGEST_CNONCE |
	    DIGEST_OPAQUE | DIGEST_QOP | DIGEST_NC | DIGEST_AUTS
};
static const struct form challenge = {
	true, true, DIGEST_REALM | DIGEST_NONCE | DIGEST_ALGORITHM | DIGEST_OPAQUE | DIGEST_QOP | DIGEST_STALE
};
static const struct form info = { false, false, DIGEST_NEXTNONCE | DIGEST_QOP | DIGEST_RSPAUTH | DIGEST_CNONCE | DIGEST_NC };

static bool
is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_text(uint8_t c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

static bool
all(struct span s, bool (*is)(uint8_t c))
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is(s.p[i]))
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

static enum digest_alg
parse_algorithm(struct span v)
{
	for (size_t i = 0; i < N_ALGORITHMS; i++) {
		if (span_eq_nocase(v, algorithms[i].name))
			return algorithms[i].alg;
	}
	return DIGEST_ALG_OTHER;
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
		if (one.n == 0 || !all(one, is_token))
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
parse_field(const struct field *f, const struct form *form, struct span v, struct digest *d)
{
	char *at = (char *)d + f->at;

	if ((d->have & f->have) != 0)
		return RC_SYNTAX;
	d->have |= f->have;
	switch (f->kind) {
	case TEXT:
		return parse_text(v, at, f->cap);
	case HASH:
		return parse_hash(v, at, f->cap);
	case COUNT:
		return v.n == 8 && hex_is_lower(v) ? parse_text(v, at, f->cap) : RC_SYNTAX;
	case ALGORITHM:
		d->alg = parse_algorithm(v);
		return RC_OK;
	case QOP:
		return parse_qop(v, form->offers, &d->qop);
	case AUTS:
		return parse_auts(v, d->auts);
	case STALE:
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
	return span_take(in, 1, &quote) && span_upto(in, '"', out) && all(*out, is_text);
}

static bool
take_char(struct span *in, char c)
{
	struct span s;

	return in->n > 0 && in->p[0] == (uint8_t)c && span_take(in, 1, &s);
}

static enum rc
parse_params(struct span in, const struct form *form, struct digest *d)
{
	for (int i = 0; i < PARAMS_MAX; i++) {
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
		for (size_t f = 0; f < N_FIELDS; f++) {
			if ((form->own & fields[f].have) != 0 && span_eq_nocase(name, fields[f].name) &&
			    (rc = parse_field(&fields[f], form, value, d)) != RC_OK)
				return rc;
		}
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
parse(struct span in, const struct form *form, struct digest *out)
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
	return parse(value, &authorization, out);
}

enum rc
digest_parse_challenge(struct span value, struct digest *out)
{
	return parse(value, &challenge, out);
}

enum rc
digest_parse_info(struct span value, struct digest *out)
{
	return parse(value, &info, out);
}

/* --- out */

struct writer {
	char *out;
	size_t cap, n;		/* n may pass cap: then it did not fit */
};

static void
put(struct writer *w, const char *s)
{
	size_t n = strlen(s);

	if (w->n + n < w->cap)
		memcpy(w->out + w->n, s, n + 1);
	w->n += n;
}

static const char *
algorithm_name(enum digest_alg alg)
{
	for (size_t i = 0; i < N_ALGORITHMS; i++) {
		if (algorithms[i].alg == alg)
			return algorithms[i].name;
	}
	return "";
}

static const char *
qop_name(unsigned qop, bool list)
{
	switch (qop) {
	case DIGEST_QOP_AUTH:
		return "auth";
	case DIGEST_QOP_AUTH_INT:
		return "auth-int";
	case DIGEST_QOP_AUTH | DIGEST_QOP_AUTH_INT:
		return list ? "auth,auth-int" : "";
	default:
		return "";
	}
}

/* The text of one value; "" only where a parser would take "". */
static enum rc
print_value(const struct field *f, const struct form *form, const struct digest *d, char auts[static B64_LEN(AKA_AUTS_LEN) + 1],
    const char **out)
{
	const char *at = (const char *)d + f->at;
	bool ok;

	switch (f->kind) {
	case TEXT:
		ok = all(span_str(at), is_text);
		break;
	case HASH:
		ok = *at == '\0' || (strlen(at) == DIGEST_LEN && hex_is_lower(span_str(at)));
		break;
	case COUNT:
		ok = strlen(at) == 8 && hex_is_lower(span_str(at));
		break;
	case ALGORITHM:
		at = algorithm_name(d->alg);
		ok = *at != '\0';
		break;
	case QOP:
		at = qop_name(d->qop, form->offers);
		ok = *at != '\0';
		break;
	case AUTS:
		b64_print((struct span){ d->auts, AKA_AUTS_LEN }, auts);
		at = auts;
		ok = true;
		break;
	case STALE:
		at = d->stale ? "true" : "false";
		ok = true;
		break;
	default:
		ok = false;
	}
	*out = at;
	return ok ? RC_OK : RC_SYNTAX;
}

static enum rc
print(const struct digest *d, const struct form *form, char *out, size_t cap)
{
	struct writer w = { out, cap, 0 };
	const char *sep = form->scheme ? "Digest " : "";

	for (size_t i = 0; i < N_FIELDS; i++) {
		const struct field *f = &fields[i];
		char auts[B64_LEN(AKA_AUTS_LEN) + 1];
		const char *value, *quote = f->quoted || (f->kind == QOP && form->offers) ? "\"" : "";
		enum rc rc;

		if ((d->have & form->own & f->have) == 0)
			continue;
		if ((rc = print_value(f, form, d, auts, &value)) != RC_OK)
			return rc;
		put(&w, sep);
		put(&w, f->name);
		put(&w, "=");
		put(&w, quote);
		put(&w, value);
		put(&w, quote);
		sep = ", ";
	}
	return w.n == 0 ? RC_SYNTAX : w.n < cap ? RC_OK : RC_RANGE;
}

enum rc
digest_print_authorization(const struct digest *d, char *out, size_t cap)
{
	return print(d, &authorization, out, cap);
}

enum rc
digest_print_challenge(const struct digest *d, char *out, size_t cap)
{
	return print(d, &challenge, out, cap);
}

enum rc
digest_print_info(const struct digest *d, char *out, size_t cap)
{
	return print(d, &info, out, cap);
}
