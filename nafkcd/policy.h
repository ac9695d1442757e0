/* policy: what the Key Center decides: who, which NAF_ID, how long, how often. Pure. */
#ifndef NAFKCD_POLICY_H
#define NAFKCD_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/reason.h"
#include "common/uaxml.h"
#include "nafkcd/nafkc.h"

enum nafkc_device_state { NAFKC_DEVICE_SEEN, NAFKC_DEVICE_ALLOWED };

/* What is known of a Device_ID. */
struct nafkc_device {
	struct device_id id;
	enum nafkc_device_state state;
	bool bound;			/* to spki */
	uint8_t spki[32];		/* SHA-256 of the public key that has it */
	int64_t lifetime_max_s;		/* 0 = no limit of its own */
	char subject[256];		/* of the certificate that it came with last */
	bool blocked;			/* it, or the public key that has it; read only */
};

/* What an order of the operator, or a block, is about. The first three can be blocked. */
enum nafkc_scope { NAFKC_SCOPE_DEVICE, NAFKC_SCOPE_SPKI, NAFKC_SCOPE_ISSUER, NAFKC_SCOPE_TRIPLE };
struct nafkc_target {
	enum nafkc_scope scope;
	struct triple triple;		/* _DEVICE: its Device_ID alone */
	uint8_t hash[32];		/* _SPKI, _ISSUER: SHA-256 of the public key */
};
/* Why the one that a block meets is refused. */
enum reason nafkc_policy_block(enum nafkc_scope scope);

/*
 * N1, N2: admission, then binding. d NULL: nobody ever saw this Device_ID.
 * REASON_NONE, _UA_NOT_LISTED, _UA_OTHER_KEY.
 */
enum reason nafkc_policy_device(enum nafkc_mode mode, const struct nafkc_device *d, const uint8_t spki[static 32]);
/* The state in which a Device_ID that was admitted is kept. */
enum nafkc_device_state nafkc_policy_state(enum nafkc_mode mode, const struct nafkc_device *d);

/*
 * W4: nafId, else the Host header's FQDN, else the only one of ours. host may be NULL.
 * REASON_NONE and *which, or _UA_NAF_UNKNOWN.
 */
enum reason nafkc_policy_naf(const struct naf_id *own, size_t n, const struct uaxml_request *q, const char *host, size_t *which);

/*
 * The least of what the Ks has left, limit_s, and the device's own limit (0 = none).                       seed 7.2
 * REASON_NONE and *expires, or _UA_KS_SHORT: the Ks has less than min_left_s (K7).
 */
enum reason nafkc_policy_lifetime(int64_t now_s, int64_t ks_expires_s, int64_t min_left_s, int64_t limit_s, int64_t device_s,
    int64_t *expires);

/* Tokens of one public key; all zero = new, and full. */
struct nafkc_bucket {
	bool used;
	int64_t level;			/* what is missing, in 60,000ths of a request */
	int64_t at_ms;
};
/* Takes one, or *retry_after_s (1 or more) says when there is one again. */
bool nafkc_policy_rate(struct nafkc_bucket *b, unsigned per_minute, int64_t now_ms, int64_t *retry_after_s);

#endif
