/* diameter: the builder. One growing buffer, sticky errors, nothing left behind that was not cleansed. */
#include <openssl/crypto.h>
#include <string.h>

#include "common/diameter.h"

static void
fail(struct dia_buf *b, enum rc rc)
{
	if (b->rc == RC_OK)
		b->rc = rc;
}

/* Room for n octets more, or a sticky error. */
static bool
room(struct dia_buf *b, size_t n)
{
	size_t cap = b->cap != 0 ? b->cap : 512;
	uint8_t *p;

	if (b->rc != RC_OK)
		return false;
	if (n > DIA_MSG_MAX - b->n) {
		fail(b, RC_RANGE);
		return false;
	}
	if (b->n + n <= b->cap)
		return true;
	while (cap < b->n + n)
		cap *= 2;
	if ((p = OPENSSL_clear_realloc(b->p, b->cap, cap)) == NULL) {
		fail(b, RC_NOMEM);
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

/* Octets behind n that fill a word. */
static size_t
padding(size_t n)
{
	return (4 - n % 4) % 4;
}

/* v in n octets, most significant first; where the next one goes. */
static uint8_t *
print_uint(uint8_t *w, uint32_t v, unsigned n)
{
	while (n-- > 0)
		*w++ = (uint8_t)(v >> 8 * n);
	return w;
}

/* A header for n_data octets, and room for them and their padding behind it; false = a sticky error. */
static bool
put_avp_header(struct dia_buf *b, uint32_t code, uint32_t vendor, uint8_t flags, size_t n_data)
{
	uint32_t n = flags & DIA_AVP_V ? 12 : 8;
	uint8_t *w;

	if (n_data > DIA_MSG_MAX) {
		fail(b, RC_RANGE);
		return false;
	}
	if (!room(b, n + n_data + padding(n_data)))
		return false;
	w = print_uint(b->p + b->n, code, 4);
	w = print_uint(w, flags & (DIA_AVP_V | DIA_AVP_M | DIA_AVP_P), 1);
	w = print_uint(w, (uint32_t)n_data + n, 3);
	if (flags & DIA_AVP_V)
		w = print_uint(w, vendor, 4);
	b->n += n;
	return true;
}

void
dia_begin(struct dia_buf *b, const struct dia_hdr *h)
{
	uint8_t *w;

	if (b->p != NULL)
		OPENSSL_cleanse(b->p, b->n);
	b->n = 0;
	b->depth = 0;
	b->rc = RC_OK;
	if (!room(b, DIA_HDR_LEN))
		return;
	w = print_uint(b->p, 1, 1);
	w = print_uint(w, 0, 3);
	w = print_uint(w, h->flags & (DIA_R | DIA_P | DIA_E | DIA_T), 1);
	w = print_uint(w, h->cmd, 3);
	w = print_uint(w, h->app, 4);
	w = print_uint(w, h->hbh, 4);
	w = print_uint(w, h->e2e, 4);
	b->n = DIA_HDR_LEN;
}

void
dia_put_raw(struct dia_buf *b, uint32_t code, uint32_t vendor, uint8_t flags, struct span data)
{
	size_t pad = padding(data.n);

	if (!put_avp_header(b, code, vendor, flags, data.n))
		return;
	if (data.n > 0)
		memcpy(b->p + b->n, data.p, data.n);
	memset(b->p + b->n + data.n, 0, pad);
	b->n += data.n + pad;
}

void
dia_put_avps(struct dia_buf *b, struct span avps)
{
	if (!room(b, avps.n) || avps.n == 0)
		return;
	memcpy(b->p + b->n, avps.p, avps.n);
	b->n += avps.n;
}

static uint8_t
flags_of(const struct dia_avp_def *d)
{
	return (uint8_t)((d->vendor != 0 ? DIA_AVP_V : 0) | (d->m ? DIA_AVP_M : 0));
}

void
dia_put(struct dia_buf *b, enum dia_id id, struct span data)
{
	const struct dia_avp_def *d = dia_def(id);

	dia_put_raw(b, d->code, d->vendor, flags_of(d), data);
}

void
dia_put_str(struct dia_buf *b, enum dia_id id, const char *s)
{
	dia_put(b, id, span_str(s));
}

void
dia_put_u32(struct dia_buf *b, enum dia_id id, uint32_t v)
{
	const uint8_t octets[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	dia_put(b, id, span_of(octets, sizeof octets));
}

void
dia_put_time(struct dia_buf *b, enum dia_id id, int64_t s)
{
	uint32_t ntp;

	if (dia_time_from_utc(s, &ntp) != RC_OK)
		fail(b, RC_RANGE);
	else
		dia_put_u32(b, id, ntp);
}

void
dia_put_group(struct dia_buf *b, enum dia_id id)
{
	const struct dia_avp_def *d = dia_def(id);

	if (b->depth == DIA_DEPTH_MAX) {
		fail(b, RC_RANGE);
		return;
	}
	b->open[b->depth++] = b->n;
	(void)put_avp_header(b, d->code, d->vendor, flags_of(d), 0);	/* its error sticks */
}

/* Write a length into the three octets at p. */
static void
set_length(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(n >> 16);
	p[1] = (uint8_t)(n >> 8);
	p[2] = (uint8_t)n;
}

void
dia_end_group(struct dia_buf *b)
{
	if (b->rc != RC_OK)
		return;
	if (b->depth == 0) {
		fail(b, RC_RANGE);
		return;
	}
	b->depth--;
	set_length(b->p + b->open[b->depth] + 5, b->n - b->open[b->depth]);
}

void
dia_put_fault(struct dia_buf *b, const struct dia_fault *f)
{
	if (f->experimental) {
		dia_put_group(b, DIA_EXPERIMENTAL_RESULT);
		dia_put_u32(b, DIA_VENDOR_ID, DIA_VENDOR_3GPP);
		dia_put_u32(b, DIA_EXPERIMENTAL_RESULT_CODE, f->result);
		dia_end_group(b);
	} else {
		dia_put_u32(b, DIA_RESULT_CODE, f->result);
	}
	if (f->text[0] != '\0')
		dia_put_str(b, DIA_ERROR_MESSAGE, f->text);
	if (f->n_failed > 0)
		dia_put(b, DIA_FAILED_AVP, span_of(f->failed, f->n_failed));
}

void
dia_put_application(struct dia_buf *b, uint32_t vendor, uint32_t app)
{
	dia_put_group(b, DIA_VENDOR_SPECIFIC_APPLICATION_ID);
	dia_put_u32(b, DIA_VENDOR_ID, vendor);
	dia_put_u32(b, DIA_AUTH_APPLICATION_ID, app);
	dia_end_group(b);
}

void
dia_put_proxy_info(struct dia_buf *b, struct span request_avps)
{
	struct dia_avp a;

	while (dia_next(&request_avps, &a, NULL) == RC_OK)
		if (dia_avp_is(&a, DIA_PROXY_INFO))
			dia_put_raw(b, a.code, a.vendor, a.flags, a.data);
}

enum rc
dia_end(struct dia_buf *b)
{
	if (b->rc == RC_OK && (b->depth != 0 || b->n < DIA_HDR_LEN))
		fail(b, RC_RANGE);
	if (b->rc == RC_OK)
		set_length(b->p + 1, b->n);
	return b->rc;
}

struct span
dia_buf_span(const struct dia_buf *b)
{
	return span_of(b->p, b->n);
}

void
dia_buf_free(struct dia_buf *b)
{
	OPENSSL_clear_free(b->p, b->cap);
	*b = (struct dia_buf)DIA_BUF_INIT;
}
