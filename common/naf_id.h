/*
 * naf_id: NAF FQDN || 5 octets Ua security protocol identifier (TS 33.220 H.1, H.3), as text FQDN/0100000002.
 * Pure.
 */
#ifndef COMMON_NAF_ID_H
#define COMMON_NAF_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

#define FQDN_MAX 253
#define UA_PROTO_LEN 5
#define NAF_ID_TEXT_MAX (FQDN_MAX + 1 + 2 * UA_PROTO_LEN)
#define NAF_ID_OCTETS_MAX (FQDN_MAX + UA_PROTO_LEN)

struct naf_id {
	char fqdn[FQDN_MAX + 1];	/* lower case, no dot at the end */
	uint8_t ua[UA_PROTO_LEN];
};

/*
 * Lower-case letters, digits, hyphen inside; labels 1..63, at least two, at most FQDN_MAX in all; the last label is not all
 * digits: an address is no name.
 */
bool fqdn_ok(struct span in);
/* "FQDN/10 lower-case hex digits" (W3). RC_SYNTAX. */
enum rc naf_id_parse(struct span text, struct naf_id *out) MUST_USE;
/* The wire form of Zn and of the KDF: FQDN || 5 octets (TS 29.109 6.3.1.3). RC_SYNTAX. */
enum rc naf_id_from_octets(struct span in, struct naf_id *out) MUST_USE;
void naf_id_print(const struct naf_id *id, char out[static NAF_ID_TEXT_MAX + 1]);
/* Returns the number of octets written. */
size_t naf_id_octets(const struct naf_id *id, uint8_t out[static NAF_ID_OCTETS_MAX]);
bool naf_id_eq(const struct naf_id *a, const struct naf_id *b);

#endif
