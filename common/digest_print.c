/* Digest header fields out: what digest->have names, if a parser of ours would take it. */
#include <string.h>

#include "common/b64.h"
#include "common/digest_int.h"
#include "common/hex.h"

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
print_value(const struct digest_field *f, const struct digest_form *form, const struct digest *d,
    char auts[static B64_LEN(AKA_AUTS_LEN) + 1], const char **out)
{
	const char *at = (const char *)d + f->at;
	bool ok;

	switch (f->kind) {
	case DIGEST_KIND_TEXT:
		ok = digest_is_text(span_str(at));
		break;
	case DIGEST_KIND_HASH:
		ok = *at == '\0' || (strlen(at) == DIGEST_LEN && hex_is_lower(span_str(at)));
		break;
	case DIGEST_KIND_COUNT:
		ok = strlen(at) == 8 && hex_is_lower(span_str(at));
		break;
	case DIGEST_KIND_ALGORITHM:
		at = digest_alg_name(d->alg);
		ok = *at != '\0';
		break;
	case DIGEST_KIND_QOP:
		at = qop_name(d->qop, form->offers);
		ok = *at != '\0';
		break;
	case DIGEST_KIND_AUTS:
		b64_print((struct span){ d->auts, AKA_AUTS_LEN }, auts);
		at = auts;
		ok = true;
		break;
	case DIGEST_KIND_STALE:
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
print(const struct digest *d, const struct digest_form *form, char *out, size_t cap)
{
	struct writer w = { out, cap, 0 };
	const char *sep = form->scheme ? "Digest " : "";

	for (const struct digest_field *f = digest_fields; f->name != NULL; f++) {
		char auts[B64_LEN(AKA_AUTS_LEN) + 1];
		const char *value, *quote = f->quoted || (f->kind == DIGEST_KIND_QOP && form->offers) ? "\"" : "";
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
	return print(d, &digest_authorization, out, cap);
}

enum rc
digest_print_challenge(const struct digest *d, char *out, size_t cap)
{
	return print(d, &digest_challenge, out, cap);
}

enum rc
digest_print_info(const struct digest *d, char *out, size_t cap)
{
	return print(d, &digest_info, out, cap);
}
