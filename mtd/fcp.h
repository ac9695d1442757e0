/*
 * mt_fcp: file control parameters, what SELECT answers (ETSI TS 102 221 11.1.1.3; usim-gba.md 1, marked as unverified there).
 * Pure.
 */
#ifndef MTD_FCP_H
#define MTD_FCP_H

#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

#define MT_AID_MAX 16
#define MT_FID_MF 0x3f00
#define MT_FID_ADF 0x7fff	/* the application selected last */

enum mt_file_kind { MT_FILE_DF, MT_FILE_TRANSPARENT, MT_FILE_LINEAR };

struct mt_fcp {
	enum mt_file_kind kind;		/* MF and ADF are DFs */
	uint16_t fid;
	uint16_t size;			/* transparent: octets */
	uint8_t record_len, records;	/* linear fixed */
	uint8_t sfi;			/* 1..30, 0 = none */
	uint8_t aid[MT_AID_MAX];	/* ADF */
	uint8_t aid_len;
	uint8_t read_sc, update_sc;	/* printed only: compact security conditions, 00 always, 10 PIN, FF never */
	uint8_t pin_on;			/* DF, printed only: PIN 1 is switched on */
};

/*
 * 62 L …; what is not named above is passed over. RC_SYNTAX: no template, no descriptor, a kind that we do not read, sizes
 * missing.
 */
enum rc mt_fcp_parse(struct span in, struct mt_fcp *out) MUST_USE;
/* At most MT_FCP_MAX octets; how many. */
#define MT_FCP_MAX 64
size_t mt_fcp_print(const struct mt_fcp *f, uint8_t out[static MT_FCP_MAX]);

#endif
