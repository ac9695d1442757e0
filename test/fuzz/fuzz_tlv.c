/*
 * Property: BER-TLV, FCP and the answer of AUTHENTICATE: every span that comes out lies in what went in, reading always moves
 * on, and what parses as FCP prints to an FCP that means the same.
 */
#include <stdlib.h>
#include <string.h>

#include "mtd/apdu.h"
#include "mtd/fcp.h"
#include "mtd/tlv.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
inside(struct span part, const uint8_t *p, size_t n)
{
	if (part.n > 0 && (part.p < p || part.n > n || (size_t)(part.p - p) > n - part.n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n }, v;
	struct mt_auth_answer a;
	struct mt_command c;
	struct mt_apdu printed;
	struct mt_fcp f, again;
	uint8_t out[MT_FCP_MAX];
	uint16_t tag;

	for (size_t left = in.n; mt_tlv_take(&in, &tag, &v); left = in.n) {
		if (in.n >= left)
			abort();
		inside(v, p, n);
	}
	in = (struct span){ p, n };
	if (mt_auth_parse(in, &a) == RC_OK) {
		inside(a.res, p, n);
		inside(a.ck, p, n);
		inside(a.ik, p, n);
		inside(a.auts, p, n);
		if (a.sync_failure ? a.auts.n != AKA_AUTS_LEN : a.res.n < 4 || a.res.n > 16 || a.ck.n != 16 || a.ik.n != 16)
			abort();
	}
	if (mt_fcp_parse(in, &f) == RC_OK) {
		if (mt_fcp_parse((struct span){ out, mt_fcp_print(&f, out) }, &again) != RC_OK || memcmp(&f, &again, sizeof f) != 0)
			abort();
	}
	if (mt_apdu_parse(in, &c) == RC_OK) {
		inside(c.data, p, n);
		if (mt_apdu_print(&c, &printed) != RC_OK || !span_eq(in, (struct span){ printed.b, printed.n }))
			abort();
	}
	return 0;
}
