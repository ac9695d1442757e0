/* diameter: refusals: what Failed-AVP shows, and the answer that carries it.                       RFC 6733 7.1, 7.2, 7.5 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/diameter.h"

static PRINTF_LIKE(3, 0) void
set(struct dia_fault *f, uint32_t result, const char *fmt, va_list ap)
{
	*f = (struct dia_fault){ .result = result };
	vsnprintf(f->text, sizeof f->text, fmt, ap);
}

void
dia_fault_set(struct dia_fault *f, uint32_t result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(f, result, fmt, ap);
	va_end(ap);
}

/* The fewest octets of data that an AVP of this type has. */
static size_t
smallest(uint32_t code, uint32_t vendor)
{
	enum dia_id id = dia_id_of(code, vendor);

	switch (id == DIA_ID_COUNT ? DIA_OCTETS : dia_def(id)->type) {
	case DIA_U32:
	case DIA_ENUM:
	case DIA_TIME:
		return 4;
	case DIA_U64:
		return 8;
	case DIA_ADDRESS:
		return 6;
	case DIA_OCTETS:
	case DIA_UTF8:
	case DIA_IDENT:
	case DIA_GROUP:
		break;
	}
	return 0;
}

/* A header and zeros of the type's smallest length. */
static void
show_empty(struct dia_fault *f, uint32_t code, uint32_t vendor, uint8_t flags)
{
	static const uint8_t zeros[8];
	struct dia_buf b = DIA_BUF_INIT;

	dia_put_raw(&b, code, vendor, flags, span_of(zeros, smallest(code, vendor)));
	if (b.rc == RC_OK && b.n <= sizeof f->failed) {
		memcpy(f->failed, b.p, b.n);
		f->n_failed = b.n;
	}
	dia_buf_free(&b);
}

void
dia_fault_avp(struct dia_fault *f, uint32_t result, const struct dia_avp *a, const char *fmt, ...)
{
	size_t padded = (a->raw.n + 3) / 4 * 4;
	va_list ap;

	va_start(ap, fmt);
	set(f, result, fmt, ap);
	va_end(ap);
	if (result == DIA_INVALID_AVP_LENGTH || padded > sizeof f->failed) {
		show_empty(f, a->code, a->vendor, a->flags);
		return;
	}
	memcpy(f->failed, a->raw.p, a->raw.n);		/* *f is zero, so the padding is */
	f->n_failed = padded;
}

void
dia_fault_missing(struct dia_fault *f, enum dia_id id)
{
	const struct dia_avp_def *d = dia_def(id);

	dia_fault_set(f, DIA_MISSING_AVP, "%s is missing", d->name);
	show_empty(f, d->code, d->vendor, (uint8_t)((d->vendor != 0 ? DIA_AVP_V : 0) | (d->m ? DIA_AVP_M : 0)));
}

void
dia_begin_answer(struct dia_buf *b, const struct dia_msg *request, const char *host, const char *realm, const struct dia_fault *f)
{
	bool protocol_error = !f->experimental && f->result / 1000 == 3;
	struct dia_hdr h = request->hdr;
	char session_id[DIA_SESSION_ID_MAX + 1];
	struct dia_avp a;

	h.flags = (uint8_t)((h.flags & DIA_P) | (protocol_error ? DIA_E : 0));
	dia_begin(b, &h);
	if (dia_find(request->avps, DIA_SESSION_ID, &a) && dia_get_text(&a, session_id, sizeof session_id) == RC_OK)
		dia_put_str(b, DIA_SESSION_ID, session_id);
	if (h.app == DIA_APP_ZN && !protocol_error)
		dia_put_application(b, DIA_VENDOR_3GPP, DIA_APP_ZN);
	dia_put_str(b, DIA_ORIGIN_HOST, host);
	dia_put_str(b, DIA_ORIGIN_REALM, realm);
	dia_put_fault(b, f);
}

enum rc
dia_print_fault(const struct dia_msg *request, const char *host, const char *realm, const struct dia_fault *f, struct dia_buf *out)
{
	dia_begin_answer(out, request, host, realm, f);
	dia_put_proxy_info(out, request->avps);
	return dia_end(out);
}
