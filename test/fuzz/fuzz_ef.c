/* Property: contents of elementary files that parse mean the same after printing; AID and label of EF_DIR lie in the record. */
#include <stdlib.h>
#include <string.h>

#include "mtd/ef.h"
#include "mtd/ef_gba.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
gba(struct span in)
{
	uint8_t out[600];
	struct mt_gbabp bp;
	struct span id, btid, id2, btid2;
	size_t n;

	if (mt_ef_gbabp_parse(in, &bp) == RC_OK && mt_ef_gbabp_print_tail(bp.btid, bp.lifetime, out, sizeof out, &n) == RC_OK) {
		if (n != 2 + bp.btid.n + bp.lifetime.n || out[0] != bp.btid.n)
			abort();
	}
	if (mt_ef_gbanl_parse(in, &id, &btid) == RC_OK && mt_ef_gbanl_print(id, btid, out, sizeof out) == RC_OK) {
		if (mt_ef_gbanl_parse(span_of(out, sizeof out), &id2, &btid2) != RC_OK || !span_eq(id, id2) || !span_eq(btid, btid2))
			abort();
	}
	if (mt_ef_text_parse(in, &id) == RC_OK && mt_ef_text_print(id, out, sizeof out) == RC_OK) {
		if (mt_ef_text_parse(span_of(out, sizeof out), &id2) != RC_OK || !span_eq(id, id2))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t ef_iccid[MT_EF_ICCID_LEN], ef_imsi[MT_EF_IMSI_LEN], ef_ad[MT_EF_AD_LEN], record[256];
	struct span in = { p, n }, aid, label, aid2, label2;
	struct iccid iccid;
	struct imsi imsi, again;
	unsigned mnc_len, mnc_again;

	if (mt_ef_iccid_parse(in, &iccid) == RC_OK) {
		mt_ef_iccid_print(&iccid, ef_iccid);
		if (!span_eq(in, (struct span){ ef_iccid, sizeof ef_iccid }))
			abort();
	}
	if (mt_ef_imsi_parse(in, &imsi) == RC_OK) {
		mt_ef_imsi_print(&imsi, ef_imsi);
		if (memcmp(ef_imsi, p, (size_t)p[0] + 1) != 0)
			abort();
		if (mt_ef_imsi_parse((struct span){ ef_imsi, sizeof ef_imsi }, &again) != RC_OK || strcmp(imsi.s, again.s) != 0)
			abort();
	}
	if (mt_ef_ad_parse(in, &mnc_len) == RC_OK) {
		mt_ef_ad_print(mnc_len, ef_ad);
		if (mt_ef_ad_parse((struct span){ ef_ad, sizeof ef_ad }, &mnc_again) != RC_OK || mnc_len != mnc_again)
			abort();
	}
	if (mt_ef_dir_parse(in, &aid, &label) == RC_OK && label.n <= 64) {
		if (mt_ef_dir_print(aid, label, record, sizeof record) != RC_OK ||
		    mt_ef_dir_parse((struct span){ record, sizeof record }, &aid2, &label2) != RC_OK || !span_eq(aid, aid2) || !span_eq(label, label2))
			abort();
	}
	gba(in);
	for (unsigned s = 0; s <= 8 * n + 8; s++) {
		if (mt_ef_service(in, s) && (s == 0 || s > 8 * n))
			abort();
	}
	return 0;
}
