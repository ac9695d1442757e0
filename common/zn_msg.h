/*
 * zn_msg: the two messages of Zn as structs: Bootstrapping-Info-Request and -Answer.   TS 29.109 5.2, 6; spec zn-zh.md 3, 5
 * Pure: no I/O, no clock, no globals. Key octets are in `secret` and in the message's own octets, nowhere else; a dia_buf
 * cleanses those it built, whoever received a BIA cleanses what it came in.
 */
#ifndef COMMON_ZN_MSG_H
#define COMMON_ZN_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/btid.h"
#include "common/diameter.h"
#include "common/naf_id.h"
#include "common/rc.h"
#include "common/secret.h"
#include "common/span.h"

#define ZN_GSID_MAX 16		/* GAA-Service-Identifiers in one BIR; more is 5009 */
#define ZN_USER_NAME_MAX 255	/* octets of an IMPI */
#define ZN_USS_MAX 16384	/* octets of GBA-UserSecSettings */

/* Who says it: Diameter identity and realm. */
struct zn_self {
	const char *host, *realm;
};

struct zn_bir {
	char session_id[DIA_SESSION_ID_MAX + 1];
	char origin_host[FQDN_MAX + 1], origin_realm[FQDN_MAX + 1];	/* lower case; the NAF's (or its relay's client's) */
	char dest_realm[FQDN_MAX + 1], dest_host[FQDN_MAX + 1];		/* dest_host "" = any in the realm */
	struct btid btid;		/* parsed: "" when what came is no B-TID (W3): there is no such one, answer 5403 */
	struct naf_id naf_id;
	uint32_t gsid[ZN_GSID_MAX];	/* which USSs are wanted */
	size_t n_gsid;
	bool gba_u_aware;		/* false = absent or NO */
};

/*
 * From a message that came. strict as in dia_check(), whose work this does first.
 * RC_SYNTAX: *fault says what to answer (dia_txn_fail); out is untouched.
 */
enum rc zn_bir_parse(const struct dia_msg *m, bool strict, struct zn_bir *out, struct dia_fault *fault) MUST_USE;
/* A request for dia_request(), which fills in hop-by-hop and end-to-end. Origin is self's. RC_NOMEM, RC_RANGE. */
enum rc zn_bir_print(const struct zn_bir *bir, const struct zn_self *self, struct dia_buf *out) MUST_USE;

enum zn_gba_type { ZN_GBA_3G = 0, ZN_GBA_2G = 1, ZN_GBA_DIGEST = 2 };

struct zn_bia {
	uint32_t result;	/* 2001, 3xxx, 4xxx, 5xxx; from Experimental-Result if experimental */
	bool experimental;	/* DIA_X_… of vendor 10415 */
	char session_id[DIA_SESSION_ID_MAX + 1];			/* parsed only */
	char origin_host[FQDN_MAX + 1], origin_realm[FQDN_MAX + 1];	/* parsed only; the BSF's */
	char error_message[128];					/* for a log line; "" = none */
	char user_name[ZN_USER_NAME_MAX + 1];				/* IMPI; "" = not told */
	struct secret *me_key;	/* 32 octets, Ks_NAF or Ks_ext_NAF; NULL = none */
	struct secret *uicc_key;	/* 32 octets, Ks_int_NAF; NULL = none */
	int64_t expires_s, created_s;	/* since 1970; 0 = not told */
	struct span uss;	/* XML; borrowed: from the caller, or from the message parsed; .n 0 = none */
	enum zn_gba_type gba_type;	/* absent = 3G */
};

/*
 * From the answer to a BIR of ours. Success must hold a 32-octet ME-Key-Material and a Key-ExpiryTime; an answer that is no
 * success needs its result alone, and its keys are not read.
 * RC_SYNTAX: fault tells for the log (answers are not answered). RC_NOMEM. out is set on RC_OK alone; free with zn_bia_free().
 */
enum rc zn_bia_parse(const struct dia_msg *m, bool strict, struct zn_bia *out, struct dia_fault *fault) MUST_USE;
/* The answer to request: its Session-Id, hop-by-hop, end-to-end, Proxy-Info; E for 3xxx. RC_NOMEM, RC_RANGE. */
enum rc zn_bia_print(const struct zn_bia *bia, const struct dia_msg *request, const struct zn_self *self,
    struct dia_buf *out) MUST_USE;
/* Frees the secrets and zeroes the struct; the struct itself is the caller's. */
void zn_bia_free(struct zn_bia *bia);

#endif
