/* diameter: the dictionary, and what is judged by its tables.                  RFC 6733 4.4, 4.5, 5.3–5.5; TS 29.109 5.2 */
#include <string.h>

#include "common/diameter.h"

static const struct dia_avp_def defs[DIA_ID_COUNT] = {
#define DIA_AVP(id, code, vendor, type, m, name) { code, vendor, type, m, name },
#include "common/diameter.def"
#undef DIA_AVP
};

const struct dia_avp_def *
dia_def(enum dia_id id)
{
	return &defs[id];
}

/* No code stands for two AVPs (gcc says it when one does): the vendor only has to agree. */
static const uint8_t id_of_code[] = {
#define DIA_AVP(id, code, vendor, type, m, name) [code] = DIA_##id + 1,
#include "common/diameter.def"
#undef DIA_AVP
};
_Static_assert(DIA_ID_COUNT <= 64, "a bit for each kind in dia_index");

enum dia_id
dia_id_of(uint32_t code, uint32_t vendor)
{
	unsigned i = code < sizeof id_of_code ? id_of_code[code] : 0;

	return i != 0 && defs[i - 1].vendor == vendor ? (enum dia_id)(i - 1) : DIA_ID_COUNT;
}

/* --- which AVPs a command, or a group, holds. What stands in no row may come any number of times: *[ AVP ]. */

#define ANY 0xffff
#define TEXT_MAX 1023		/* octets of any UTF8String */

struct rule {
	enum dia_id id;
	uint16_t min, max;		/* max 0: not allowed */
	bool strict_min;		/* min holds for strict judges only */
};
struct rules {
	const struct rule *p;
	size_t n;
};
#define RULES(a) { a, sizeof a / sizeof *a }

static const struct rule r_capabilities[] = {
	{ DIA_RESULT_CODE, 0, 0, false }, { DIA_EXPERIMENTAL_RESULT, 0, 0, false },
	{ DIA_ORIGIN_HOST, 1, 1, false }, { DIA_ORIGIN_REALM, 1, 1, false }, { DIA_HOST_IP_ADDRESS, 1, ANY, false },
	{ DIA_VENDOR_ID, 1, 1, false }, { DIA_PRODUCT_NAME, 1, 1, false },
	{ DIA_ORIGIN_STATE_ID, 0, 1, false }, { DIA_FIRMWARE_REVISION, 0, 1, false },
};
static const struct rule r_cea[] = {
	{ DIA_RESULT_CODE, 1, 1, false }, { DIA_ORIGIN_HOST, 1, 1, false }, { DIA_ORIGIN_REALM, 1, 1, false },
	{ DIA_HOST_IP_ADDRESS, 1, ANY, true }, { DIA_VENDOR_ID, 1, 1, true }, { DIA_PRODUCT_NAME, 1, 1, true },
	{ DIA_ORIGIN_STATE_ID, 0, 1, false }, { DIA_ERROR_MESSAGE, 0, 1, false }, { DIA_FIRMWARE_REVISION, 0, 1, false },
};
static const struct rule r_dwr[] = {
	{ DIA_RESULT_CODE, 0, 0, false }, { DIA_EXPERIMENTAL_RESULT, 0, 0, false },
	{ DIA_ORIGIN_HOST, 1, 1, false }, { DIA_ORIGIN_REALM, 1, 1, false }, { DIA_ORIGIN_STATE_ID, 0, 1, false },
};
static const struct rule r_dpr[] = {
	{ DIA_RESULT_CODE, 0, 0, false }, { DIA_EXPERIMENTAL_RESULT, 0, 0, false },
	{ DIA_ORIGIN_HOST, 1, 1, false }, { DIA_ORIGIN_REALM, 1, 1, false }, { DIA_DISCONNECT_CAUSE, 1, 1, false },
};
/* DWA, DPA; every answer with E set (RFC 6733 7.2). */
static const struct rule r_answer[] = {
	{ DIA_SESSION_ID, 0, 1, false }, { DIA_RESULT_CODE, 1, 1, false },
	{ DIA_ORIGIN_HOST, 1, 1, false }, { DIA_ORIGIN_REALM, 1, 1, false },
	{ DIA_ORIGIN_STATE_ID, 0, 1, false }, { DIA_ERROR_MESSAGE, 0, 1, false }, { DIA_ERROR_REPORTING_HOST, 0, 1, false },
};
static const struct rule r_bir[] = {
	{ DIA_RESULT_CODE, 0, 0, false }, { DIA_EXPERIMENTAL_RESULT, 0, 0, false }, { DIA_FAILED_AVP, 0, 0, false },
	{ DIA_ME_KEY_MATERIAL, 0, 0, false }, { DIA_UICC_KEY_MATERIAL, 0, 0, false },
	{ DIA_SESSION_ID, 1, 1, false }, { DIA_VENDOR_SPECIFIC_APPLICATION_ID, 1, 1, true },
	{ DIA_ORIGIN_HOST, 1, 1, false }, { DIA_ORIGIN_REALM, 1, 1, false },
	{ DIA_DESTINATION_REALM, 1, 1, false }, { DIA_DESTINATION_HOST, 0, 1, false },
	{ DIA_AUTH_SESSION_STATE, 0, 1, false }, { DIA_ORIGIN_STATE_ID, 0, 1, false }, { DIA_USER_NAME, 0, 1, false },
	{ DIA_GAA_SERVICE_IDENTIFIER, 0, 16, false },
	{ DIA_TRANSACTION_IDENTIFIER, 1, 1, false }, { DIA_NAF_ID, 1, 1, false }, { DIA_GBA_U_AWARENESS_INDICATOR, 0, 1, false },
};
static const struct rule r_bia[] = {
	{ DIA_SESSION_ID, 1, 1, false }, { DIA_VENDOR_SPECIFIC_APPLICATION_ID, 1, 1, true },
	{ DIA_RESULT_CODE, 0, 1, false }, { DIA_EXPERIMENTAL_RESULT, 0, 1, false },
	{ DIA_ORIGIN_HOST, 1, 1, false }, { DIA_ORIGIN_REALM, 1, 1, false },
	{ DIA_AUTH_SESSION_STATE, 0, 1, false }, { DIA_ORIGIN_STATE_ID, 0, 1, false }, { DIA_ERROR_MESSAGE, 0, 1, false },
	{ DIA_USER_NAME, 0, 1, false }, { DIA_ME_KEY_MATERIAL, 0, 1, false }, { DIA_UICC_KEY_MATERIAL, 0, 1, false },
	{ DIA_KEY_EXPIRYTIME, 0, 1, false }, { DIA_BOOTSTRAPINFOCREATIONTIME, 0, 1, false },
	{ DIA_GBA_USERSECSETTINGS, 0, 1, false }, { DIA_GBA_TYPE, 0, 1, false },
};

static const struct command {
	uint32_t cmd, app;
	bool request, proxiable;
	const char *name;
	struct rules rules;
} commands[] = {
	{ DIA_CMD_CE, DIA_APP_BASE, true, false, "CER", RULES(r_capabilities) },
	{ DIA_CMD_CE, DIA_APP_BASE, false, false, "CEA", RULES(r_cea) },
	{ DIA_CMD_DW, DIA_APP_BASE, true, false, "DWR", RULES(r_dwr) },
	{ DIA_CMD_DW, DIA_APP_BASE, false, false, "DWA", RULES(r_answer) },
	{ DIA_CMD_DP, DIA_APP_BASE, true, false, "DPR", RULES(r_dpr) },
	{ DIA_CMD_DP, DIA_APP_BASE, false, false, "DPA", RULES(r_answer) },
	{ DIA_CMD_BI, DIA_APP_ZN, true, true, "BIR", RULES(r_bir) },
	{ DIA_CMD_BI, DIA_APP_ZN, false, true, "BIA", RULES(r_bia) },
};
static const struct rules error_answer = RULES(r_answer);

/* RFC 3588 let several Vendor-Id stand in one; who counted on that is still out there. */
static const struct rule r_vendor_app[] = {
	{ DIA_VENDOR_ID, 1, ANY, false }, { DIA_AUTH_APPLICATION_ID, 0, 1, false }, { DIA_ACCT_APPLICATION_ID, 0, 1, false },
};
static const struct rule r_proxy_info[] = { { DIA_PROXY_HOST, 1, 1, false }, { DIA_PROXY_STATE, 1, 1, false } };
static const struct rule r_experimental[] = { { DIA_VENDOR_ID, 1, 1, false }, { DIA_EXPERIMENTAL_RESULT_CODE, 1, 1, false } };

static const struct command *
command_of(uint32_t cmd, uint32_t app, bool request)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (commands[i].cmd == cmd && commands[i].app == app && commands[i].request == request)
			return &commands[i];
	return NULL;
}

const char *
dia_command_name(uint32_t cmd, uint32_t app, bool request)
{
	const struct command *c = command_of(cmd, app, request);

	return c != NULL ? c->name : "?";
}

/* --- judging */

static enum rc check_group(struct span avps, struct rules rules, bool strict, unsigned depth, struct dia_index *ix,
    struct dia_fault *fault);

static enum rc
check_inside(const struct dia_avp *a, enum dia_id id, bool strict, unsigned depth, struct dia_fault *fault)
{
	static const struct rules vendor_app = RULES(r_vendor_app), proxy_info = RULES(r_proxy_info),
	    experimental = RULES(r_experimental);

	struct dia_index ix;

	switch (id) {
	case DIA_VENDOR_SPECIFIC_APPLICATION_ID:
		return check_group(a->data, vendor_app, strict, depth, &ix, fault);
	case DIA_PROXY_INFO:
		return check_group(a->data, proxy_info, strict, depth, &ix, fault);
	case DIA_EXPERIMENTAL_RESULT:
		return check_group(a->data, experimental, strict, depth, &ix, fault);
	default:
		return RC_OK;		/* Failed-AVP: what is inside was wrong already */
	}
}

static bool
address_ok(struct span d)
{
	uint16_t family;

	return span_u16(&d, &family) && (family != 1 || d.n == 4) && (family != 2 || d.n == 16);
}

/* Length and value as the type asks. */
static enum rc
check_type(const struct dia_avp *a, const struct dia_avp_def *d, struct dia_fault *fault)
{
	char id[FQDN_MAX + 1];
	bool length_ok = true, value_ok = true;

	switch (d->type) {
	case DIA_U32:
	case DIA_ENUM:
	case DIA_TIME:
		length_ok = a->data.n == 4;
		break;
	case DIA_U64:
		length_ok = a->data.n == 8;
		break;
	case DIA_ADDRESS:
		length_ok = address_ok(a->data);
		break;
	case DIA_UTF8:
		value_ok = a->data.n <= TEXT_MAX && dia_text_ok(a->data);
		break;
	case DIA_IDENT:
		value_ok = dia_get_ident(a, id) == RC_OK;
		break;
	case DIA_OCTETS:
	case DIA_GROUP:
		break;
	}
	if (!length_ok)
		dia_fault_avp(fault, DIA_INVALID_AVP_LENGTH, a, "%s has a wrong length", d->name);
	else if (!value_ok)
		dia_fault_avp(fault, DIA_INVALID_AVP_VALUE, a, "%s has an invalid value", d->name);
	return length_ok && value_ok ? RC_OK : RC_SYNTAX;
}

/* The row for id; NULL when there is none. */
static const struct rule *
rule_of(struct rules rules, enum dia_id id)
{
	for (size_t i = 0; i < rules.n; i++)
		if (rules.p[i].id == id)
			return &rules.p[i];
	return NULL;
}

/* One AVP, of which seen came before. */
static enum rc
check_avp(const struct dia_avp *a, enum dia_id id, struct rules rules, unsigned seen, bool strict, unsigned depth,
    struct dia_fault *fault)
{
	bool m = (a->flags & DIA_AVP_M) != 0;
	const struct dia_avp_def *d;
	const struct rule *r;

	if (id == DIA_ID_COUNT) {
		if (!m)
			return RC_OK;
		dia_fault_avp(fault, DIA_AVP_UNSUPPORTED, a, "AVP %u of vendor %u is not known here, and M is set",
		    (unsigned)a->code, (unsigned)a->vendor);
		return RC_SYNTAX;
	}
	d = dia_def(id);
	if (strict && m != d->m) {
		dia_fault_avp(fault, DIA_INVALID_AVP_BITS, a, "%s must %shave M set", d->name, d->m ? "" : "not ");
		return RC_SYNTAX;
	}
	if ((r = rule_of(rules, id)) != NULL && r->max == 0) {
		dia_fault_avp(fault, DIA_AVP_NOT_ALLOWED, a, "%s is not allowed here", d->name);
		return RC_SYNTAX;
	}
	if (r != NULL && seen >= r->max) {
		dia_fault_avp(fault, DIA_AVP_OCCURS_TOO_MANY_TIMES, a, "%s occurs more than %u times", d->name, (unsigned)r->max);
		return RC_SYNTAX;
	}
	if (check_type(a, d, fault) != RC_OK)
		return RC_SYNTAX;
	return check_inside(a, id, strict, depth + 1, fault);
}

static enum rc
check_group(struct span avps, struct rules rules, bool strict, unsigned depth, struct dia_index *ix, struct dia_fault *fault)
{
	uint16_t seen[DIA_ID_COUNT + 1] = { 0 };
	unsigned n = 0;
	struct dia_avp a;
	enum dia_id id;
	enum rc rc;

	dia_index_begin(ix, avps);
	while ((rc = dia_next(&avps, &a, fault)) == RC_OK) {
		if (depth > DIA_DEPTH_MAX || ++n > DIA_AVPS_MAX) {
			dia_fault_avp(fault, DIA_AVP_OCCURS_TOO_MANY_TIMES, &a, "more AVPs than this node takes");
			return RC_SYNTAX;
		}
		id = dia_id_of(a.code, a.vendor);
		if ((rc = check_avp(&a, id, rules, seen[id], strict, depth, fault)) != RC_OK)
			return rc;
		seen[id]++;		/* DIA_ID_COUNT: not known, and counted with all such */
		dia_index_add(ix, id, &a);
	}
	if (rc != RC_NOTFOUND)
		return rc;
	for (size_t i = 0; i < rules.n; i++) {
		if (seen[rules.p[i].id] < rules.p[i].min && (strict || !rules.p[i].strict_min)) {
			dia_fault_missing(fault, rules.p[i].id);
			return RC_SYNTAX;
		}
	}
	return RC_OK;
}

static enum rc
check_header(const struct dia_msg *m, const struct command *c, bool strict, struct dia_fault *fault)
{
	bool request = (m->hdr.flags & DIA_R) != 0;

	if (c == NULL) {
		bool app = m->hdr.app == DIA_APP_BASE || m->hdr.app == DIA_APP_ZN;

		dia_fault_set(fault, app ? DIA_COMMAND_UNSUPPORTED : DIA_APPLICATION_UNSUPPORTED, "command %u of application %u",
		    (unsigned)m->hdr.cmd, (unsigned)m->hdr.app);
		return RC_SYNTAX;
	}
	if (request && (m->hdr.flags & DIA_E)) {
		dia_fault_set(fault, DIA_INVALID_HDR_BITS, "E is set in a request");
		return RC_SYNTAX;
	}
	if (strict && ((m->hdr.flags & DIA_P) != 0) != c->proxiable) {
		dia_fault_set(fault, DIA_INVALID_HDR_BITS, "P must %sbe set in %s", c->proxiable ? "" : "not ", c->name);
		return RC_SYNTAX;
	}
	return RC_OK;
}

enum rc
dia_check_index(const struct dia_msg *m, bool strict, struct dia_index *out, struct dia_fault *fault)
{
	bool request = (m->hdr.flags & DIA_R) != 0;
	const struct command *c = command_of(m->hdr.cmd, m->hdr.app, request);
	struct dia_index ix;
	struct dia_fault f;
	struct dia_avp first;
	enum rc rc;

	if ((rc = check_header(m, c, strict, &f)) == RC_OK)
		rc = check_group(m->avps, !request && (m->hdr.flags & DIA_E) ? error_answer : c->rules, strict, 0, &ix, &f);
	if (rc == RC_OK && strict && dia_first(&ix, DIA_SESSION_ID, &first) && first.raw.p != m->avps.p) {
		dia_fault_avp(&f, DIA_INVALID_AVP_VALUE, &first, "Session-Id is not the first AVP");
		rc = RC_SYNTAX;
	}
	if (rc == RC_OK)
		*out = ix;
	else
		*fault = f;
	return rc;
}

enum rc
dia_check(const struct dia_msg *m, bool strict, struct dia_fault *fault)
{
	struct dia_index ix;

	return dia_check_index(m, strict, &ix, fault);
}
