/*
 * zn_msg: BIR and BIA.                                                                                TS 29.109 5.2, 6
 *
 *	NAF                                             BSF
 *	 |-- BIR { Transaction-Identifier, NAF-Id,       |
 *	 |         GAA-Service-Identifier* } ----------->|
 *	 |<- BIA { ME-Key-Material, Key-ExpiryTime, … }--|   or 5402 / 5403 in Experimental-Result
 *
 * The command's grammar lets every GAA AVP be left out (TS 29.109 7.3); what GAA itself needs is asked for by dia_check()'s
 * table in a BIR, and here in a BIA.
 */
#include "common/zn_msg.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"

#define GSID_DIGITS 11

/* What a reader of single AVPs works on. The first fault ends it. */
struct reader {
	struct dia_index ix;
	struct dia_fault *fault;
	bool bad;
};

/* The AVP of that kind, unless something was wrong before. */
static bool
got(struct reader *r, enum dia_id id, struct dia_avp *a)
{
	return !r->bad && dia_first(&r->ix, id, a);
}

static void
wrong(struct reader *r, enum dia_id id, const struct dia_avp *a)
{
	dia_fault_avp(r->fault, DIA_INVALID_AVP_VALUE, a, "%s has an invalid value", dia_def(id)->name);
	r->bad = true;
}

static void
read_text(struct reader *r, enum dia_id id, char *out, size_t cap)
{
	struct dia_avp a;

	if (got(r, id, &a) && dia_get_text(&a, out, cap) != RC_OK)
		wrong(r, id, &a);
}

static void
read_ident(struct reader *r, enum dia_id id, char out[static FQDN_MAX + 1])
{
	struct dia_avp a;

	if (got(r, id, &a) && dia_get_ident(&a, out) != RC_OK)
		wrong(r, id, &a);
}

static void
read_enum(struct reader *r, enum dia_id id, uint32_t max, uint32_t *out)
{
	struct dia_avp a;

	if (got(r, id, &a) && (dia_get_u32(&a, out) != RC_OK || *out > max))
		wrong(r, id, &a);
}

static void
read_time(struct reader *r, enum dia_id id, int64_t *out)
{
	struct dia_avp a;

	if (got(r, id, &a) && dia_get_time(&a, out) != RC_OK)
		wrong(r, id, &a);
}

/* Where it stands, Vendor-Specific-Application-Id must name Zn. */
static void
read_application(struct reader *r)
{
	struct dia_avp group, a;
	uint32_t app = 0, vendor = 0;

	if (!got(r, DIA_VENDOR_SPECIFIC_APPLICATION_ID, &group))
		return;
	if (!dia_find(group.data, DIA_AUTH_APPLICATION_ID, &a) || dia_get_u32(&a, &app) != RC_OK || app != DIA_APP_ZN ||
	    !dia_find(group.data, DIA_VENDOR_ID, &a) || dia_get_u32(&a, &vendor) != RC_OK || vendor != DIA_VENDOR_3GPP)
		wrong(r, DIA_VENDOR_SPECIFIC_APPLICATION_ID, &group);
}

/* dia_check(), and that it is the command we read. */
static enum rc
check(const struct dia_msg *m, bool request, bool strict, struct reader *r)
{
	if (m->hdr.cmd != DIA_CMD_BI || m->hdr.app != DIA_APP_ZN || ((m->hdr.flags & DIA_R) != 0) != request) {
		dia_fault_set(r->fault, m->hdr.app == DIA_APP_ZN ? DIA_COMMAND_UNSUPPORTED : DIA_APPLICATION_UNSUPPORTED,
		    "command %u of application %u", (unsigned)m->hdr.cmd, (unsigned)m->hdr.app);
		return RC_SYNTAX;
	}
	return dia_check_index(m, strict, &r->ix, r->fault);
}

/* --- BIR */

static void
read_gsids(struct reader *r, struct zn_bir *bir)
{
	struct span rest = r->ix.avps;
	struct dia_avp a;
	uint64_t v;

	if (!got(r, DIA_GAA_SERVICE_IDENTIFIER, &a))
		return;
	while (!r->bad && dia_next(&rest, &a, NULL) == RC_OK) {
		if (!dia_avp_is(&a, DIA_GAA_SERVICE_IDENTIFIER))
			continue;
		if (bir->n_gsid == ZN_GSID_MAX || !span_decimal(a.data, UINT32_MAX, &v))
			wrong(r, DIA_GAA_SERVICE_IDENTIFIER, &a);
		else
			bir->gsid[bir->n_gsid++] = (uint32_t)v;
	}
}

enum rc
zn_bir_parse(const struct dia_msg *m, bool strict, struct zn_bir *out, struct dia_fault *fault)
{
	struct zn_bir bir = { .n_gsid = 0 };
	struct reader r = { .fault = fault };
	uint32_t aware = 0;
	struct dia_avp a;
	enum rc rc;

	if ((rc = check(m, true, strict, &r)) != RC_OK)
		return rc;
	read_application(&r);
	read_text(&r, DIA_SESSION_ID, bir.session_id, sizeof bir.session_id);
	read_ident(&r, DIA_ORIGIN_HOST, bir.origin_host);
	read_ident(&r, DIA_ORIGIN_REALM, bir.origin_realm);
	read_ident(&r, DIA_DESTINATION_REALM, bir.dest_realm);
	read_ident(&r, DIA_DESTINATION_HOST, bir.dest_host);
	read_enum(&r, DIA_GBA_U_AWARENESS_INDICATOR, 1, &aware);
	read_gsids(&r, &bir);
	if (got(&r, DIA_NAF_ID, &a) && naf_id_from_octets(a.data, &bir.naf_id) != RC_OK)
		wrong(&r, DIA_NAF_ID, &a);
	if (got(&r, DIA_TRANSACTION_IDENTIFIER, &a) && btid_parse(a.data, &bir.btid) != RC_OK)
		bir.btid.s[0] = '\0';
	if (r.bad)
		return RC_SYNTAX;
	bir.gba_u_aware = aware == 1;
	*out = bir;
	return RC_OK;
}

enum rc
zn_bir_print(const struct zn_bir *bir, const struct zn_self *self, struct dia_buf *out)
{
	const struct dia_hdr h = { .flags = DIA_R | DIA_P, .cmd = DIA_CMD_BI, .app = DIA_APP_ZN };
	uint8_t naf_id[NAF_ID_OCTETS_MAX];
	char gsid[GSID_DIGITS];

	if (bir->n_gsid > ZN_GSID_MAX)
		return RC_RANGE;
	dia_begin(out, &h);
	dia_put_str(out, DIA_SESSION_ID, bir->session_id);
	dia_put_application(out, DIA_VENDOR_3GPP, DIA_APP_ZN);
	dia_put_str(out, DIA_ORIGIN_HOST, self->host);
	dia_put_str(out, DIA_ORIGIN_REALM, self->realm);
	dia_put_str(out, DIA_DESTINATION_REALM, bir->dest_realm);
	if (bir->dest_host[0] != '\0')
		dia_put_str(out, DIA_DESTINATION_HOST, bir->dest_host);
	for (size_t i = 0; i < bir->n_gsid; i++) {
		snprintf(gsid, sizeof gsid, "%u", (unsigned)bir->gsid[i]);
		dia_put_str(out, DIA_GAA_SERVICE_IDENTIFIER, gsid);
	}
	dia_put_str(out, DIA_TRANSACTION_IDENTIFIER, bir->btid.s);
	dia_put(out, DIA_NAF_ID, span_of(naf_id, naf_id_octets(&bir->naf_id, naf_id)));
	if (bir->gba_u_aware)
		dia_put_u32(out, DIA_GBA_U_AWARENESS_INDICATOR, 1);
	return dia_end(out);
}

/* --- BIA */

/* Result-Code or Experimental-Result of 3GPP: one of them, not both; and no success in an answer that has E set. */
static void
read_result(struct reader *r, bool error, struct zn_bia *bia)
{
	struct dia_avp code, group, a;
	bool plain = got(r, DIA_RESULT_CODE, &code), experimental = got(r, DIA_EXPERIMENTAL_RESULT, &group);
	uint32_t vendor = 0;

	if (r->bad)
		return;
	if (plain && experimental) {
		dia_fault_avp(r->fault, DIA_CONTRADICTING_AVPS, &group, "Result-Code and Experimental-Result in one answer");
		r->bad = true;
	} else if (plain) {
		if (dia_get_u32(&code, &bia->result) != RC_OK || (bia->result == DIA_SUCCESS && error))
			wrong(r, DIA_RESULT_CODE, &code);
	} else if (experimental) {
		bia->experimental = true;
		if (!dia_find(group.data, DIA_VENDOR_ID, &a) || dia_get_u32(&a, &vendor) != RC_OK || vendor != DIA_VENDOR_3GPP ||
		    !dia_find(group.data, DIA_EXPERIMENTAL_RESULT_CODE, &a) || dia_get_u32(&a, &bia->result) != RC_OK)
			wrong(r, DIA_EXPERIMENTAL_RESULT, &group);
	} else {
		dia_fault_missing(r->fault, DIA_RESULT_CODE);
		r->bad = true;
	}
}

/* RC_NOMEM, the one thing that is not the peer's fault, comes back. */
static enum rc
read_key(struct reader *r, enum dia_id id, struct secret **out)
{
	struct dia_avp a;

	if (!got(r, id, &a))
		return RC_OK;
	if (a.data.n != KS_LEN) {
		/* no octet of it into the fault */
		dia_fault_set(r->fault, DIA_INVALID_AVP_VALUE, "%s does not have 32 octets", dia_def(id)->name);
		r->bad = true;
		return RC_OK;
	}
	return secret_from(a.data, out);
}

static enum rc
read_success(struct reader *r, struct zn_bia *bia)
{
	uint32_t type = ZN_GBA_3G;
	struct dia_avp a;
	enum rc rc;

	read_text(r, DIA_USER_NAME, bia->user_name, sizeof bia->user_name);
	read_time(r, DIA_KEY_EXPIRYTIME, &bia->expires_s);
	read_time(r, DIA_BOOTSTRAPINFOCREATIONTIME, &bia->created_s);
	read_enum(r, DIA_GBA_TYPE, ZN_GBA_DIGEST, &type);
	bia->gba_type = (enum zn_gba_type)type;
	if (got(r, DIA_GBA_USERSECSETTINGS, &a)) {
		bia->uss = a.data;
		if (a.data.n > ZN_USS_MAX)
			wrong(r, DIA_GBA_USERSECSETTINGS, &a);
	}
	if ((rc = read_key(r, DIA_ME_KEY_MATERIAL, &bia->me_key)) != RC_OK ||
	    (rc = read_key(r, DIA_UICC_KEY_MATERIAL, &bia->uicc_key)) != RC_OK)
		return rc;
	if (!r->bad && (bia->me_key == NULL || !dia_first(&r->ix, DIA_KEY_EXPIRYTIME, &a))) {
		dia_fault_missing(r->fault, bia->me_key == NULL ? DIA_ME_KEY_MATERIAL : DIA_KEY_EXPIRYTIME);
		r->bad = true;
	}
	return RC_OK;
}

enum rc
zn_bia_parse(const struct dia_msg *m, bool strict, struct zn_bia *out, struct dia_fault *fault)
{
	struct zn_bia bia = { .result = 0 };
	struct reader r = { .fault = fault };
	struct dia_avp a;
	enum rc rc;

	if ((rc = check(m, false, strict, &r)) != RC_OK)
		goto out;
	read_application(&r);
	read_result(&r, (m->hdr.flags & DIA_E) != 0, &bia);
	read_text(&r, DIA_SESSION_ID, bia.session_id, sizeof bia.session_id);
	read_ident(&r, DIA_ORIGIN_HOST, bia.origin_host);
	read_ident(&r, DIA_ORIGIN_REALM, bia.origin_realm);
	if (got(&r, DIA_ERROR_MESSAGE, &a))
		log_text(a.data, bia.error_message, sizeof bia.error_message);
	if (!r.bad && bia.result == DIA_SUCCESS && !bia.experimental && (rc = read_success(&r, &bia)) != RC_OK)
		goto out;
	if (r.bad) {
		rc = RC_SYNTAX;
		goto out;
	}
	*out = bia;
	bia = (struct zn_bia){ .result = 0 };
out:
	zn_bia_free(&bia);
	return rc;
}

enum rc
zn_bia_print(const struct zn_bia *bia, const struct dia_msg *request, const struct zn_self *self, struct dia_buf *out)
{
	struct dia_fault result = { .result = bia->result, .experimental = bia->experimental };

	snprintf(result.text, sizeof result.text, "%s", bia->error_message);
	dia_begin_answer(out, request, self->host, self->realm, &result);
	if (bia->user_name[0] != '\0')
		dia_put_str(out, DIA_USER_NAME, bia->user_name);
	if (bia->me_key != NULL)
		dia_put(out, DIA_ME_KEY_MATERIAL, secret_span(bia->me_key));
	if (bia->uicc_key != NULL)
		dia_put(out, DIA_UICC_KEY_MATERIAL, secret_span(bia->uicc_key));
	if (bia->expires_s != 0)
		dia_put_time(out, DIA_KEY_EXPIRYTIME, bia->expires_s);
	if (bia->created_s != 0)
		dia_put_time(out, DIA_BOOTSTRAPINFOCREATIONTIME, bia->created_s);
	if (bia->uss.n > 0)
		dia_put(out, DIA_GBA_USERSECSETTINGS, bia->uss);
	if (bia->me_key != NULL)
		dia_put_u32(out, DIA_GBA_TYPE, bia->gba_type);
	dia_put_proxy_info(out, request->avps);
	return dia_end(out);
}

void
zn_bia_free(struct zn_bia *bia)
{
	if (bia == NULL)
		return;
	secret_free(bia->me_key);
	secret_free(bia->uicc_key);
	*bia = (struct zn_bia){ .result = 0 };
}
