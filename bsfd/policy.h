/*
 * policy: what the BSF allows: which NAF_ID a Diameter peer may ask for, what it is told beside the key, and for how long a Ks
 * lives.                                                                 TS 33.220 4.4.6, 4.5.3; TS 29.109 5.2, 6.2
 * Decides; no I/O, no clock.
 */
#ifndef BSFD_POLICY_H
#define BSFD_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/naf_id.h"
#include "common/rc.h"
#include "common/reason.h"

#define BSF_NAF_LIST_MAX 16

/* Ua security protocol identifiers that begin so: n = 5 is one, n = 3 "010001*" is all TLS cipher suites (TS 33.220 H.3). */
struct bsf_ua_prefix {
	uint8_t octets[UA_PROTO_LEN];
	uint8_t n;
};

/* One NAF, by the FQDN that phones know it by; its peers may have quite different names (TS 29.109 6.3.1.3). */
struct bsf_naf {
	char fqdn[FQDN_MAX + 1];
	struct bsf_ua_prefix protocols[BSF_NAF_LIST_MAX];
	size_t n_protocols;
	char peers[BSF_NAF_LIST_MAX][FQDN_MAX + 1];	/* Origin-Hosts that may ask */
	size_t n_peers;
	uint32_t gsids[BSF_NAF_LIST_MAX];		/* USSs it may have */
	size_t n_gsids;
	bool impi;		/* it is told the IMPI */
	bool gba_u;		/* it may have Ks_int_NAF, if it says that it is GBA_U aware */
};

/* The object of naf_add (bsf.h) and back. RC_SYNTAX: text says which member. */
enum rc bsf_policy_parse_naf(const json_t *o, struct bsf_naf *out, char *text, size_t cap) MUST_USE;
json_t *bsf_policy_print_naf(const struct bsf_naf *naf);

/* REASON_NONE, or REASON_ZN_NOT_ALLOWED. naf NULL = no such FQDN. */
enum reason bsf_policy_bir(const struct bsf_naf *naf, const char *origin_host, const struct naf_id *naf_id);
/* Of the GSIDs asked for, those this NAF may have, each once, into out[n]; returns how many. */
size_t bsf_policy_gsids(const struct bsf_naf *naf, const uint32_t *asked, size_t n, uint32_t *out);
/* Seconds a Ks lives: the subscriber's own (0 = none), else the BSF's, at most max. */
int64_t bsf_policy_lifetime(int64_t subscriber_s, int64_t own_s, int64_t max_s);

#endif
