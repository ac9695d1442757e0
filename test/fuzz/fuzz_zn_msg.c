/*
 * BIR and BIA: the input is the AVPs of one message; its first octet says which, and whether it is judged strictly.
 * Property: what parses prints, and what was printed parses to the same struct.
 */
#include <stdlib.h>
#include <string.h>

#include "common/zn_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct zn_self self = { "me.example.org", "example.org" };

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
bir(const struct dia_msg *m, bool strict)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct zn_bir first, again;
	struct dia_fault f;
	struct dia_msg printed;

	memset(&first, 0, sizeof first);
	memset(&again, 0, sizeof again);
	if (zn_bir_parse(m, strict, &first, &f) != RC_OK) {
		must(f.result != 0);
		return;
	}
	must(zn_bir_print(&first, &self, &b) == RC_OK && dia_parse(dia_buf_span(&b), &printed) == RC_OK);
	must(zn_bir_parse(&printed, true, &again, &f) == RC_OK);
	must(strcmp(again.origin_host, self.host) == 0);
	must(strcmp(again.session_id, first.session_id) == 0 && strcmp(again.btid.s, first.btid.s) == 0);
	must(strcmp(again.dest_realm, first.dest_realm) == 0 && strcmp(again.dest_host, first.dest_host) == 0);
	must(naf_id_eq(&again.naf_id, &first.naf_id) && again.gba_u_aware == first.gba_u_aware && again.n_gsid == first.n_gsid);
	must(memcmp(again.gsid, first.gsid, first.n_gsid * sizeof *first.gsid) == 0);
	dia_buf_free(&b);
}

static void
bia(const struct dia_msg *m, bool strict)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct zn_bia first, again;
	struct dia_fault f;
	struct dia_msg printed;

	if (zn_bia_parse(m, strict, &first, &f) != RC_OK) {
		must(f.result != 0);
		return;
	}
	must(first.result != DIA_SUCCESS || first.experimental || secret_span(first.me_key).n == KS_LEN);
	if (zn_bia_print(&first, m, &self, &b) == RC_OK && first.expires_s != 0) {
		must(dia_parse(dia_buf_span(&b), &printed) == RC_OK && zn_bia_parse(&printed, false, &again, &f) == RC_OK);
		must(again.result == first.result && again.experimental == first.experimental);
		must(again.expires_s == first.expires_s && again.created_s == first.created_s && again.gba_type == first.gba_type);
		must(first.me_key == NULL || secret_eq(first.me_key, again.me_key));
		must(first.uicc_key == NULL || secret_eq(first.uicc_key, again.uicc_key));
		must(strcmp(first.user_name, again.user_name) == 0 && span_eq(first.uss, again.uss));
		zn_bia_free(&again);
	}
	dia_buf_free(&b);
	zn_bia_free(&first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dia_hdr h = { .flags = DIA_P, .cmd = DIA_CMD_BI, .app = DIA_APP_ZN };
	struct dia_buf b = DIA_BUF_INIT;
	struct dia_msg m;

	if (n < 1 || n > 8192)
		return 0;
	h.flags |= (uint8_t)((p[0] & 1 ? DIA_R : 0) | (p[0] & 4 ? DIA_E : 0));
	dia_begin(&b, &h);
	dia_put_avps(&b, span_of(p + 1, n - 1 - (n - 1) % 4));
	if (dia_end(&b) == RC_OK && dia_parse(dia_buf_span(&b), &m) == RC_OK)
		(p[0] & 1 ? bir : bia)(&m, (p[0] & 2) != 0);
	dia_buf_free(&b);
	return 0;
}
