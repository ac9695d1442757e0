/* mt_ef: contents of elementary files, read by the MT and made by the software card (usim-gba.md 1, 2). Pure. */
#ifndef MTD_EF_H
#define MTD_EF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/imsi.h"
#include "common/rc.h"
#include "common/span.h"

enum {
	MT_EF_DIR = 0x2f00, MT_EF_ICCID = 0x2fe2,	/* under the MF */
	MT_EF_IMSI = 0x6f07, MT_EF_AD = 0x6fad, MT_EF_UST = 0x6f38	/* under ADF USIM */
};
#define MT_EF_ICCID_LEN 10
#define MT_EF_IMSI_LEN 9
#define MT_EF_AD_LEN 4

/* Service numbers of EF_UST (TS 31.102 4.2.8). */
enum { MT_SERVICE_GBA = 68, MT_SERVICE_LOCAL_KEY = 76, MT_SERVICES_MAX = 160 };

/* BCD, nibbles swapped, filled up with F. RC_SYNTAX. */
enum rc mt_ef_iccid_parse(struct span in, struct iccid *out) MUST_USE;
void mt_ef_iccid_print(const struct iccid *id, uint8_t out[static MT_EF_ICCID_LEN]);
/* Length, parity, BCD (TS 31.102 4.2.2). RC_SYNTAX. */
enum rc mt_ef_imsi_parse(struct span in, struct imsi *out) MUST_USE;
void mt_ef_imsi_print(const struct imsi *imsi, uint8_t out[static MT_EF_IMSI_LEN]);
/* Length of the MNC, 2 or 3. RC_NOTFOUND: the card does not tell. */
enum rc mt_ef_ad_parse(struct span in, unsigned *mnc_len) MUST_USE;
void mt_ef_ad_print(unsigned mnc_len, uint8_t out[static MT_EF_AD_LEN]);
/* Service n of EF_UST or EF_IST; beyond its end: no. */
bool mt_ef_service(struct span ust, unsigned n);
/* A record of EF_DIR: 61 { 4F AID, 50 label }, then FF. Borrowed. RC_NOTFOUND: empty. RC_SYNTAX. */
enum rc mt_ef_dir_parse(struct span record, struct span *aid, struct span *label) MUST_USE;
/* Fills the record with FF behind. RC_RANGE: does not fit. */
enum rc mt_ef_dir_print(struct span aid, struct span label, uint8_t *record, size_t n) MUST_USE;
/* By the first octets of an AID (TS 31.110; ETSI TS 101 220 E). */
bool mt_aid_is_usim(struct span aid);

#endif
