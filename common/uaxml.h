/*
 * uaxml: the four documents of Ua (project form of TS 33.259 B.2, D; names in profile.c).                ts33259.md 7
 *
 *   Key Request   btid, nafId (optional: FQDN or NAF_ID), deviceId
 *   Key Response  btid, deviceId, ksLocalDevice (base64), keyLifetime (UTC), mtPseudonym (optional, K12)
 *   key state     btid, deviceId, keyLifetime: answers the state question (N7)
 *   error         reason, text
 * Pure. Each element at most once, unknown elements refused in the Key Request (W4), ignored in the answers, identifiers by their grammar (W3), at most UAXML_MAX
 * octets. Output of a key is the caller's to cleanse.
 */
#ifndef COMMON_UAXML_H
#define COMMON_UAXML_H

#include <stdint.h>

#include "common/device_id.h"
#include "common/rc.h"
#include "common/reason.h"
#include "common/secret.h"
#include "common/span.h"

#define UAXML_MAX 8192
#define UAXML_REASON_MAX 32
#define UAXML_TEXT_MAX 512
#define UAXML_PSEUDONYM_MAX 64

struct uaxml_request {
	struct btid btid;
	struct device_id device_id;
	bool has_fqdn, has_ua;		/* nafId: none, FQDN alone, or NAF_ID */
	struct naf_id naf_id;
};
struct uaxml_response {
	struct btid btid;
	struct device_id device_id;
	struct secret *ks_local_mt;
	int64_t lifetime;		/* expiry, seconds since 1970 */
	char mt_pseudonym[UAXML_PSEUDONYM_MAX + 1];	/* "" = none */
};
struct uaxml_state {
	struct btid btid;
	struct device_id device_id;
	int64_t lifetime;		/* expiry as it is now, seconds since 1970 */
};
struct uaxml_error {
	char reason[UAXML_REASON_MAX + 1];	/* "bootstrap-again", …; any lower-case word with hyphens */
	char text[UAXML_TEXT_MAX + 1];
};

/* *bad = the element's name, or "document", on RC_SYNTAX and RC_RANGE; *out untouched then. */
enum rc uaxml_parse_request(struct span doc, struct uaxml_request *out, const char **bad) MUST_USE;
/* out->ks_local_mt is new, the caller frees it. Also RC_NOMEM. */
enum rc uaxml_parse_response(struct span doc, struct uaxml_response *out, const char **bad) MUST_USE;
enum rc uaxml_parse_state(struct span doc, struct uaxml_state *out, const char **bad) MUST_USE;
enum rc uaxml_parse_error(struct span doc, struct uaxml_error *out) MUST_USE;

/* Into out[cap], *n octets. RC_RANGE: it does not fit. */
enum rc uaxml_print_request(const struct uaxml_request *q, char *out, size_t cap, size_t *n) MUST_USE;
enum rc uaxml_print_response(const struct uaxml_response *r, char *out, size_t cap, size_t *n) MUST_USE;
enum rc uaxml_print_state(const struct uaxml_state *s, char *out, size_t cap, size_t *n) MUST_USE;
/* The error body for a reason: its ua word (REASON_INTERNAL's where it has none), text or, with NULL, the reason's what and next. */
enum rc uaxml_print_error(enum reason why, const char *text, char *out, size_t cap, size_t *n) MUST_USE;

#endif
