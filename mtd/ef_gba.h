/*
 * mt_ef_gba: the files of GBA on a USIM and an ISIM, and the texts of an ISIM, read by the MT and made by the software card
 * (usim-gba.md 2; TS 31.102 4.2.79, 4.2.83, 4.2.87). Pure.
 */
#ifndef MTD_EF_GBA_H
#define MTD_EF_GBA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"
#include "common/span.h"

enum {
	MT_EF_GBABP = 0x6fd6, MT_EF_GBANL = 0x6fda, MT_EF_NAFKCA = 0x6fdd,	/* under ADF USIM */
	MT_EF_IMPI = 0x6f02, MT_EF_DOMAIN = 0x6f03, MT_EF_IMPU = 0x6f04, MT_EF_IST = 0x6f07,	/* under ADF ISIM, with … */
	MT_EF_ISIM_GBABP = 0x6fd5, MT_EF_ISIM_GBANL = 0x6fd7		/* … its own, and the same EF_NAFKCA */
};
/* Of EF_IST (TS 31.103 4.2.7); the second is from memory. */
enum { MT_ISIM_SERVICE_GBA = 2, MT_ISIM_SERVICE_LOCAL_KEY = 4 };

#define MT_RAND_LEN 16

/* EF_GBABP: X RAND, L B-TID, N lifetime, each behind its length in one octet. Borrowed. */
struct mt_gbabp {
	struct span rand;
	struct span btid, lifetime;	/* empty: the run is not finished */
};
/* RC_NOTFOUND: no run yet (no RAND). RC_SYNTAX. */
enum rc mt_ef_gbabp_parse(struct span in, struct mt_gbabp *out) MUST_USE;
/* What stands behind RAND, as the MT writes it: L B-TID N lifetime. RC_RANGE: does not fit cap, or over 255 octets each. */
enum rc mt_ef_gbabp_print_tail(struct span btid, struct span lifetime, uint8_t *out, size_t cap, size_t *n) MUST_USE;
/* Where that begins. */
#define MT_EF_GBABP_TAIL (1 + MT_RAND_LEN)

/* A record of EF_GBANL: 80 NAF_ID (FQDN || 5 octets), 81 B-TID. Borrowed. RC_NOTFOUND: empty. RC_SYNTAX. */
enum rc mt_ef_gbanl_parse(struct span record, struct span *naf_id, struct span *btid) MUST_USE;
/* Fills the record with FF behind. RC_RANGE: does not fit; the record is then untouched. */
enum rc mt_ef_gbanl_print(struct span naf_id, struct span btid, uint8_t *record, size_t n) MUST_USE;

/* One text behind tag 80: EF_IMPI, EF_DOMAIN, records of EF_IMPU and EF_NAFKCA. As above. */
enum rc mt_ef_text_parse(struct span in, struct span *text) MUST_USE;
enum rc mt_ef_text_print(struct span text, uint8_t *out, size_t n) MUST_USE;

/* By the first octets of an AID. */
bool mt_aid_is_isim(struct span aid);

#endif
