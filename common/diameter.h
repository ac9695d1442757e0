/*
 * diameter: the Diameter codec: messages and AVPs to and from octets, and which of them a command must, may and must not
 * hold.                                                                          RFC 6733 3, 4, 7; TS 29.109 6
 * Pure: no I/O, no clock, no globals. diameter.c has header and AVPs, diameter_build.c the builder, diameter_dict.c the
 * tables and what is judged by them, diameter_fault.c refusals.
 */
#ifndef COMMON_DIAMETER_H
#define COMMON_DIAMETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/naf_id.h"
#include "common/rc.h"
#include "common/span.h"

#define DIA_HDR_LEN 20
#define DIA_MSG_MAX 65536	/* octets of one message, both ways; the wire itself could say 16 MiB */
#define DIA_AVPS_MAX 256	/* AVPs at the top of one message */
#define DIA_DEPTH_MAX 8		/* groups in groups */
#define DIA_SESSION_ID_MAX 255	/* octets of a Session-Id that we take or make */

#define DIA_VENDOR_3GPP 10415u
#define DIA_APP_BASE 0u
#define DIA_APP_ZN 16777220u
#define DIA_APP_RELAY 0xffffffffu

enum { DIA_CMD_CE = 257, DIA_CMD_DW = 280, DIA_CMD_DP = 282, DIA_CMD_BI = 310 };
/* Header flags; AVP flags. The rest is reserved: 0 when sent, ignored when received. */
enum { DIA_R = 0x80, DIA_P = 0x40, DIA_E = 0x20, DIA_T = 0x10 };
enum { DIA_AVP_V = 0x80, DIA_AVP_M = 0x40, DIA_AVP_P = 0x20 };

/* Result-Code, and Experimental-Result-Code of vendor 10415 (RFC 6733 7.1, TS 29.109 6.2). */
enum dia_result {
	DIA_SUCCESS = 2001,
	DIA_COMMAND_UNSUPPORTED = 3001, DIA_UNABLE_TO_DELIVER = 3002, DIA_REALM_NOT_SERVED = 3003, DIA_TOO_BUSY = 3004,
	DIA_APPLICATION_UNSUPPORTED = 3007, DIA_INVALID_HDR_BITS = 3008, DIA_INVALID_AVP_BITS = 3009, DIA_UNKNOWN_PEER = 3010,
	DIA_ELECTION_LOST = 4003,
	DIA_AVP_UNSUPPORTED = 5001, DIA_INVALID_AVP_VALUE = 5004, DIA_MISSING_AVP = 5005, DIA_RESOURCES_EXCEEDED = 5006,
	DIA_CONTRADICTING_AVPS = 5007, DIA_AVP_NOT_ALLOWED = 5008, DIA_AVP_OCCURS_TOO_MANY_TIMES = 5009,
	DIA_NO_COMMON_APPLICATION = 5010, DIA_UNSUPPORTED_VERSION = 5011, DIA_UNABLE_TO_COMPLY = 5012,
	DIA_INVALID_AVP_LENGTH = 5014, DIA_INVALID_MESSAGE_LENGTH = 5015, DIA_NO_COMMON_SECURITY = 5017,
	DIA_X_NOT_AUTHORIZED = 5402, DIA_X_TRANSACTION_IDENTIFIER_INVALID = 5403	/* in Experimental-Result */
};

/* --- the dictionary */

enum dia_type { DIA_OCTETS, DIA_U32, DIA_U64, DIA_ENUM, DIA_UTF8, DIA_IDENT, DIA_ADDRESS, DIA_TIME, DIA_GROUP };

/* Every AVP we know, by name. */
enum dia_id {
#define DIA_AVP(id, code, vendor, type, m, name) DIA_##id,
#include "common/diameter.def"
#undef DIA_AVP
	DIA_ID_COUNT
};

struct dia_avp_def {
	uint32_t code, vendor;
	enum dia_type type;
	bool m;			/* M is set when we send it */
	const char *name;	/* "Session-Id" */
};
const struct dia_avp_def *dia_def(enum dia_id id);
/* DIA_ID_COUNT when we do not know it. */
enum dia_id dia_id_of(uint32_t code, uint32_t vendor);

/* "BIR", "CEA"…; "?" when we do not know it. For log lines. */
const char *dia_command_name(uint32_t cmd, uint32_t app, bool request);

/* --- reading */

struct dia_hdr {
	uint8_t flags;
	uint32_t len;		/* of the whole message; dia_begin() takes 0 here, dia_end() fills it in */
	uint32_t cmd, app, hbh, e2e;
};

struct dia_msg {		/* borrowed octets */
	struct dia_hdr hdr;
	struct span whole;	/* header and AVPs */
	struct span avps;
};

struct dia_avp {		/* borrowed octets */
	uint32_t code, vendor;	/* vendor 0: V not set */
	uint8_t flags;
	struct span data;
	struct span raw;	/* header and data, without padding */
};

/*
 * Why a message is refused, and how to say so: the result, the AVPs for Failed-AVP, a line for Error-Message. An offending AVP
 * of more than DIA_FAILED_MAX octets is named by its header alone.                                 RFC 6733 7.5
 */
#define DIA_FAILED_MAX 256
struct dia_fault {
	uint32_t result;		/* enum dia_result; 0 = none */
	bool experimental;		/* the result goes into Experimental-Result, vendor 10415 */
	char text[128];			/* for Error-Message and the log: ours, never a peer's octets */
	uint8_t failed[DIA_FAILED_MAX];	/* content of Failed-AVP */
	size_t n_failed;		/* 0: no Failed-AVP */
};

/*
 * The length of the message at the front of in, from its first octets.
 * RC_NOTFOUND: fewer than 4 octets are in. RC_SYNTAX: version not 1. RC_RANGE: length under 20, no multiple of 4, or over
 * DIA_MSG_MAX. After both of these the stream cannot be trusted: close it.
 */
enum rc dia_frame(struct span in, size_t *len) MUST_USE;
/* The header at the front of in as it stands, good or not; false when fewer than DIA_HDR_LEN octets are in. */
bool dia_peek(struct span in, struct dia_hdr *out);
/* One whole message. Header alone; AVPs are not looked at. RC_SYNTAX, RC_RANGE as dia_frame(), or the length is not in.n. */
enum rc dia_parse(struct span in, struct dia_msg *out) MUST_USE;
/* Takes the next AVP off the front. RC_NOTFOUND: none left. RC_SYNTAX: fault (may be NULL) says 5014 or 3009 and how. */
enum rc dia_next(struct span *avps, struct dia_avp *out, struct dia_fault *fault) MUST_USE;
bool dia_avp_is(const struct dia_avp *a, enum dia_id id);
/* The first one of that kind; false when there is none before the end or the first malformed one. */
bool dia_find(struct span avps, enum dia_id id, struct dia_avp *out);

/* Where the first AVP of each kind stands: one walk, where dia_find() walks for each. */
struct dia_index {
	struct span avps;		/* borrowed */
	uint16_t at[DIA_ID_COUNT];	/* octets in front of it, and 1; 0 = there is none */
	uint64_t more;			/* bit per kind: there is a second one */
};
void dia_index_begin(struct dia_index *ix, struct span avps);
/* One that dia_next() took from these avps; id as dia_id_of() has it. */
void dia_index_add(struct dia_index *ix, enum dia_id id, const struct dia_avp *a);
/* All of a message's AVPs. RC_SYNTAX: one of them is malformed, as dia_next() says; what is indexed stands before it. */
enum rc dia_index(struct span avps, struct dia_index *out, struct dia_fault *fault) MUST_USE;
/* The first one of that kind, and the second one; false when there is none. */
bool dia_first(const struct dia_index *ix, enum dia_id id, struct dia_avp *out);
bool dia_second(const struct dia_index *ix, enum dia_id id, struct dia_avp *out);

/* Typed values of one AVP. RC_SYNTAX, RC_RANGE (does not fit); out untouched then. */
enum rc dia_get_u32(const struct dia_avp *a, uint32_t *out) MUST_USE;
/* UTF-8 without control characters (so no NUL). "" is text too. */
bool dia_text_ok(struct span text);
/* A NUL-terminated copy of it. */
enum rc dia_get_text(const struct dia_avp *a, char *out, size_t cap) MUST_USE;
/* A DiameterIdentity, in lower case: names are compared without case. One label is enough. */
enum rc dia_get_ident(const struct dia_avp *a, char out[static FQDN_MAX + 1]) MUST_USE;
/* NTP seconds ↔ seconds since 1970; a value with the top bit clear counts from February 2036 (RFC 6733 4.3.1). */
enum rc dia_get_time(const struct dia_avp *a, int64_t *out_s) MUST_USE;
int64_t dia_time_to_utc(uint32_t ntp);
/* RC_RANGE: before 1968-01-20 03:14:08 or after 2104-02-26 09:42:23. */
enum rc dia_time_from_utc(int64_t s, uint32_t *out) MUST_USE;

/*
 * Judge a message by the table of its command: bits of header and AVPs, lengths, types, required, too many, not allowed,
 * unknown with M, groups to DIA_DEPTH_MAX. The first thing found is the fault:
 *   3001 3007 (no such command, application) 3008 (E in a request; strict: P not as the command says) 3009 5001 5004
 *   5005 5008 5009 5014, in the order of the AVPs, missing ones last.
 *   strict  P and M as defined, Vendor-Specific-Application-Id in BIR and BIA; else what is known to be sent is taken
 * RC_SYNTAX: *fault tells, and is untouched otherwise. Answers: bits and AVPs are judged alike, an E answer needs no more
 * than Result-Code, Origin-Host and Origin-Realm.
 */
enum rc dia_check(const struct dia_msg *m, bool strict, struct dia_fault *fault) MUST_USE;
/* The same walk makes the index of what it judges; ix is set on RC_OK alone. */
enum rc dia_check_index(const struct dia_msg *m, bool strict, struct dia_index *ix, struct dia_fault *fault) MUST_USE;

/* --- refusing */

/* result with a line of our own; no Failed-AVP. */
void dia_fault_set(struct dia_fault *f, uint32_t result, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same about an AVP: it is what Failed-AVP shows. */
void dia_fault_avp(struct dia_fault *f, uint32_t result, const struct dia_avp *a, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same about one that is not there: an empty one of its smallest length. */
void dia_fault_missing(struct dia_fault *f, enum dia_id id);

/* --- building */

/*
 * A growing message. Errors stick: put what there is to put, dia_end() tells whether all went well. Growing and freeing cleanse
 * what was there, since a BIA holds keys.
 */
struct dia_buf {
	uint8_t *p;
	size_t n, cap;
	size_t open[DIA_DEPTH_MAX];	/* where open groups begin */
	unsigned depth;
	enum rc rc;
};
#define DIA_BUF_INIT { .p = NULL }

/* Starts anew, with the header; reserved flag bits are dropped. */
void dia_begin(struct dia_buf *b, const struct dia_hdr *h);
/* Code, vendor, M come from the dictionary. */
void dia_put(struct dia_buf *b, enum dia_id id, struct span data);
void dia_put_str(struct dia_buf *b, enum dia_id id, const char *s);
void dia_put_u32(struct dia_buf *b, enum dia_id id, uint32_t v);
/* Seconds since 1970. */
void dia_put_time(struct dia_buf *b, enum dia_id id, int64_t s);
/* What is put until dia_end_group() goes inside. */
void dia_put_group(struct dia_buf *b, enum dia_id id);
void dia_end_group(struct dia_buf *b);
/* Any AVP at all, vendor only if V is among flags: what a library never would send, and what is copied unchanged. */
void dia_put_raw(struct dia_buf *b, uint32_t code, uint32_t vendor, uint8_t flags, struct span data);
/* AVPs as they stand. */
void dia_put_avps(struct dia_buf *b, struct span avps);
/* Result-Code or Experimental-Result, Error-Message, Failed-AVP as f says. */
void dia_put_fault(struct dia_buf *b, const struct dia_fault *f);
/* Vendor-Specific-Application-Id { vendor, Auth-Application-Id app }. */
void dia_put_application(struct dia_buf *b, uint32_t vendor, uint32_t app);
/* Every Proxy-Info of a request, unchanged, in order. */
void dia_put_proxy_info(struct dia_buf *b, struct span request_avps);
/* RC_NOMEM, RC_RANGE (over DIA_MSG_MAX, a time out of bounds, groups not closed). */
enum rc dia_end(struct dia_buf *b) MUST_USE;
struct span dia_buf_span(const struct dia_buf *b);
/* Cleanses and frees; may be used anew. */
void dia_buf_free(struct dia_buf *b);

/*
 * Starts the answer to request with what f says: header (E set for 3xxx), Session-Id if the request has one that is text,
 * Vendor-Specific-Application-Id on Zn, Origin-Host and -Realm, result. The caller puts the rest, then dia_put_proxy_info() and
 * dia_end().                                                                                      RFC 6733 6.2, 7.2
 */
void dia_begin_answer(struct dia_buf *b, const struct dia_msg *request, const char *host, const char *realm,
    const struct dia_fault *f);
/* The whole answer when there is nothing else to say. RC_NOMEM, RC_RANGE. */
enum rc dia_print_fault(const struct dia_msg *request, const char *host, const char *realm, const struct dia_fault *f,
    struct dia_buf *out) MUST_USE;

#endif
