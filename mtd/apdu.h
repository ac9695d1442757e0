/*
 * mt_apdu: command APDUs in and out, short form, and the status words behind answers (usim-gba.md 1, 3; ETSI TS 102 221 10, 11).
 * Pure. Both ends use it: usim.c builds, the software card parses.
 */
#ifndef MTD_APDU_H
#define MTD_APDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/aka.h"
#include "common/rc.h"
#include "common/span.h"

#define MT_APDU_MAX 261		/* 4, Lc, 255, Le */
#define MT_PIN_LEN 8
/* Before the data of AUTHENTICATE's GBA context; before its answers (TS 31.102 7.1.2). */
enum { MT_TAG_BOOTSTRAP = 0xdd, MT_TAG_NAF = 0xde, MT_TAG_AUTH_OK = 0xdb, MT_TAG_AUTH_SYNC = 0xdc };

enum mt_ins {
	MT_INS_VERIFY = 0x20, MT_INS_AUTHENTICATE = 0x88, MT_INS_SELECT = 0xa4, MT_INS_READ_BINARY = 0xb0,
	MT_INS_READ_RECORD = 0xb2, MT_INS_GET_RESPONSE = 0xc0, MT_INS_UPDATE_BINARY = 0xd6
};

/* Status words; 61xx more is there, 6Cxx wrong Le, 63Cx tries left, 91xx success and a proactive command waits. */
enum mt_sw {
	MT_SW_OK = 0x9000, MT_SW_MEMORY = 0x6581, MT_SW_LENGTH = 0x6700, MT_SW_NO_CHANNEL = 0x6881, MT_SW_NO_SM = 0x6882,
	MT_SW_FILE_KIND = 0x6981, MT_SW_ACCESS = 0x6982, MT_SW_BLOCKED = 0x6983, MT_SW_NO_PIN = 0x6984, MT_SW_CONDITIONS = 0x6985,
	MT_SW_NO_EF = 0x6986, MT_SW_DATA = 0x6a80, MT_SW_NO_FILE = 0x6a82, MT_SW_NO_RECORD = 0x6a83, MT_SW_P1P2 = 0x6a86,
	MT_SW_NO_REFERENCE = 0x6a88, MT_SW_OFFSET = 0x6b00, MT_SW_INS = 0x6d00, MT_SW_CLA = 0x6e00, MT_SW_FAULT = 0x6f00,
	MT_SW_AUTH_MAC = 0x9862, MT_SW_AUTH_CONTEXT = 0x9864, MT_SW_AUTH_MEMORY = 0x9866
};

/* AUTHENTICATE's P2: specific reference data and the context (TS 31.102 7.1.2). */
enum mt_auth_context { MT_AUTH_GSM = 0x80, MT_AUTH_3G = 0x81, MT_AUTH_GBA = 0x84 };

struct mt_apdu {		/* built */
	uint8_t b[MT_APDU_MAX];
	size_t n;
};
struct mt_command {		/* parsed; data is borrowed */
	uint8_t cla, ins, p1, p2;
	struct span data;
	unsigned le;		/* 0 = no answer data wanted, 1..256 */
};

/* ISO 7816-3 12.1.3 cases 1 to 4, short. RC_SYNTAX: lengths do not fit each other (MT_SW_LENGTH). */
enum rc mt_apdu_parse(struct span in, struct mt_command *out) MUST_USE;
/* RC_RANGE: data over 255 octets, le over 256. */
enum rc mt_apdu_print(const struct mt_command *c, struct mt_apdu *out) MUST_USE;

/* --- what the MT sends */

/* By AID, whole or its first octets (1..16). The answer is an FCP template (fcp.h). */
void mt_apdu_select_aid(struct span aid, struct mt_apdu *out);
/* By file identifier: the MF, or what lies in the current directory. The same answer. */
void mt_apdu_select_fid(uint16_t fid, struct mt_apdu *out);
/* n 1..256, offset 0..0x7fff. */
void mt_apdu_read_binary(uint16_t offset, unsigned n, struct mt_apdu *out);
/* record from 1, its length 1..255. */
void mt_apdu_read_record(uint8_t record, uint8_t n, struct mt_apdu *out);
/* pin 4..8 digits; NULL asks for the tries left (63Cx). */
void mt_apdu_verify(const char *pin, struct mt_apdu *out);
/* 10 RAND 10 AUTN, 3G context. */
void mt_apdu_authenticate(const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN], struct mt_apdu *out);
/* GBA context, bootstrapping: DD 10 RAND 10 AUTN. */
void mt_apdu_gba_bootstrap(const uint8_t rand[static AKA_RAND_LEN], const uint8_t autn[static AKA_AUTN_LEN], struct mt_apdu *out);
/* GBA context, NAF derivation: DE len NAF_ID len IMPI. RC_RANGE: both in 1..252 octets together. */
enum rc mt_apdu_gba_naf(struct span naf_id, struct span impi, struct mt_apdu *out) MUST_USE;
/* data 1..255 octets, else RC_RANGE; offset as above. */
enum rc mt_apdu_update_binary(uint16_t offset, struct span data, struct mt_apdu *out) MUST_USE;
void mt_apdu_get_response(unsigned n, struct mt_apdu *out);
/* The same command with the Le that 6Cxx named; RC_RANGE: it asked for no answer. */
enum rc mt_apdu_with_le(struct mt_apdu *a, uint8_t le) MUST_USE;

/* --- what comes back */

bool mt_sw_ok(uint16_t sw);	/* 9000, 91xx */
bool mt_sw_tries(uint16_t sw, unsigned *left);	/* 63Cx; blocked (6983) is 0 left */
/* AUTHENTICATE's answer: DB RES CK IK [Kc], or DC AUTS; all borrowed. RC_SYNTAX. */
struct mt_auth_answer {
	bool sync_failure;
	struct span res, ck, ik;	/* 4..16, 16, 16 */
	struct span auts;		/* 14 */
};
enum rc mt_auth_parse(struct span in, struct mt_auth_answer *out) MUST_USE;
/* GBA context, bootstrapping: DB RES, or DC AUTS; ck and ik stay empty. RC_SYNTAX. */
enum rc mt_gba_bootstrap_parse(struct span in, struct mt_auth_answer *out) MUST_USE;
/* GBA context, NAF derivation: DB 20 Ks_ext_NAF. RC_SYNTAX. */
enum rc mt_gba_naf_parse(struct span in, struct span *ks_ext_naf) MUST_USE;

#endif
