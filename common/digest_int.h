/* digest_int: what parsing and printing of Digest header fields share: which parameters there are, and where each may stand. */
#ifndef COMMON_DIGEST_INT_H
#define COMMON_DIGEST_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/digest_aka.h"

enum digest_kind {
	DIGEST_KIND_TEXT, DIGEST_KIND_HASH, DIGEST_KIND_COUNT, DIGEST_KIND_ALGORITHM, DIGEST_KIND_QOP, DIGEST_KIND_AUTS,
	DIGEST_KIND_STALE
};

struct digest_field {
	const char *name;
	unsigned have;
	enum digest_kind kind;
	bool quoted;		/* when printed; read both ways */
	size_t at, cap;		/* of its text in struct digest */
};
/* In the order of printing; ends with a NULL name. */
extern const struct digest_field digest_fields[];

/* A header field: which parameters are its own; any other is unknown there. */
struct digest_form {
	bool scheme;		/* begins with "Digest" */
	bool offers;		/* qop is a list of what is offered */
	unsigned own;
};
extern const struct digest_form digest_authorization, digest_challenge, digest_info;

/* "" for one that has no name. */
const char *digest_alg_name(enum digest_alg alg);
/* May stand between quotes: printable ASCII without DQUOTE and backslash. */
bool digest_is_text(struct span s);

#endif
