/*
 * ua_msg: the bodies of Ua as structs: Key Request, Key Response, key error.                ts33259.md 7; project form (profile.h)
 * Pure: no I/O, no clock, no globals. The key is in a `secret` and in the document's own octets, nowhere else: whoever holds a
 * Key Response's document cleanses it.
 */
#ifndef COMMON_UA_MSG_H
#define COMMON_UA_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/device_id.h"
#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"

#define UA_DOC_MAX 8192		/* octets of a document that is taken; every one that we print fits */
#define UA_TEXT_MAX 512		/* <text> of a key error */

/* POST body: which key the device wants.                                                    seed 8.3.1 step 12 */
struct ua_key_request {
	struct btid btid;
	struct device_id device_id;
	char naf_id[NAF_ID_TEXT_MAX + 1];	/* as it stands there: "" = absent, an FQDN, or a NAF_ID (W4) */
};
/*
 * RC_SYNTAX: another root, namespace, an element missing, twice or unknown (W4), or a text without its form (W2, W3).
 * RC_RANGE: longer than UA_DOC_MAX. out is untouched then. What nafId names is the caller's to judge; here it is an FQDN or a
 * NAF_ID by its form.
 */
enum rc ua_key_request_parse(struct span doc, struct ua_key_request *out) MUST_USE;
/* RC_RANGE: cap is too small; UA_DOC_MAX suffices. */
enum rc ua_key_request_print(const struct ua_key_request *m, char *out, size_t cap, size_t *n) MUST_USE;

/* 200: the key.                                                                                 seed 8.3.1 step 16 */
struct ua_key_response {
	struct btid btid;
	struct device_id device_id;
	struct secret *ks_local_mt;	/* 32 octets */
	int64_t expires_s;		/* since 1970 */
	char mt_pseudonym[32];		/* K12; "" = none */
};
/* Elements that we do not know are ignored. RC_SYNTAX, RC_RANGE as above; RC_NOMEM. Caller frees out->ks_local_mt. */
enum rc ua_key_response_parse(struct span doc, struct ua_key_response *out) MUST_USE;
enum rc ua_key_response_print(const struct ua_key_response *m, char *out, size_t cap, size_t *n) MUST_USE;

/* Any other status: why not. */
struct ua_key_error {
	char reason[32];		/* "bootstrap-again", "refused", … ; lower-case letters and hyphens */
	char text[UA_TEXT_MAX + 1];	/* for people; "" = none */
};
enum rc ua_key_error_parse(struct span doc, struct ua_key_error *out) MUST_USE;
/* A text that is too long is cut. */
enum rc ua_key_error_print(const struct ua_key_error *m, char *out, size_t cap, size_t *n) MUST_USE;

#endif
