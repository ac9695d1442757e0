/*
 * The codec: the input is one message. Properties: what parses AVP by AVP prints back to the same octets, reserved flag bits and
 * padding being zero; a message that is judged bad has a fault whose answer is a good message; judging strictly finds no less; the
 * index finds what a walk finds.
 */
#include <stdlib.h>
#include <string.h>

#include "common/diameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* The message as it should have been sent. */
static void
normalize(uint8_t *p, size_t n)
{
	size_t at = DIA_HDR_LEN;
	uint32_t len;

	p[4] &= 0xf0;
	while (at < n) {
		p[at + 4] &= 0xe0;
		len = (uint32_t)p[at + 5] << 16 | (uint32_t)p[at + 6] << 8 | p[at + 7];
		at += len;
		for (; len % 4 != 0; len++)
			p[at++] = 0;
	}
}

static void
print_back(const struct dia_msg *m)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct span rest = m->avps;
	struct dia_avp a;
	uint8_t *want;
	enum rc rc;

	dia_begin(&b, &m->hdr);
	while ((rc = dia_next(&rest, &a, NULL)) == RC_OK)
		dia_put_raw(&b, a.code, a.vendor, a.flags, a.data);
	if (rc == RC_NOTFOUND) {
		must(dia_end(&b) == RC_OK && b.n == m->whole.n);
		must((want = malloc(m->whole.n)) != NULL);
		memcpy(want, m->whole.p, m->whole.n);
		normalize(want, m->whole.n);
		must(memcmp(want, b.p, b.n) == 0);
		free(want);
	}
	dia_buf_free(&b);
}

/* Every value of every AVP through every reader, and the groups. */
static void
read_all(struct span avps, unsigned depth)
{
	char text[64], ident[FQDN_MAX + 1];
	struct dia_fault f;
	struct dia_avp a;
	uint32_t u32, ntp;
	int64_t s;

	while (dia_next(&avps, &a, &f) == RC_OK) {
		if (dia_get_text(&a, text, sizeof text) == RC_OK)
			must(span_eq_str(a.data, text));
		if (dia_get_ident(&a, ident) == RC_OK)
			must(span_eq_nocase(a.data, ident));
		if (dia_get_u32(&a, &u32) == RC_OK)
			must(dia_get_time(&a, &s) == RC_OK && dia_time_from_utc(s, &ntp) == RC_OK && ntp == u32);
		if (depth < 3)
			read_all(a.data, depth + 1);
	}
}

static void
look_up(struct span avps)
{
	struct dia_index ix;
	struct dia_avp walked, first, second;
	struct dia_fault f;
	bool good = dia_index(avps, &ix, &f) == RC_OK;

	for (enum dia_id id = 0; id < DIA_ID_COUNT; id++) {
		if (!dia_find(avps, id, &walked)) {
			must(!dia_first(&ix, id, &first) && !dia_second(&ix, id, &second));
			continue;
		}
		must(dia_first(&ix, id, &first) && first.raw.p == walked.raw.p && first.data.n == walked.data.n);
		must(!dia_second(&ix, id, &second) || (dia_avp_is(&second, id) && second.raw.p > first.raw.p));
	}
	must(good || f.result == DIA_INVALID_AVP_LENGTH || f.result == DIA_INVALID_AVP_BITS);
}

static void
refuse(const struct dia_msg *m, const struct dia_fault *f)
{
	struct dia_buf b = DIA_BUF_INIT;
	struct span rest;
	struct dia_avp a;
	struct dia_msg answer;
	enum rc rc;

	must(f->result >= 3000 && f->result < 6000 && f->n_failed <= DIA_FAILED_MAX && f->n_failed % 4 == 0);
	if ((rc = dia_print_fault(m, "bsf.example.org", "example.org", f, &b)) == RC_OK) {
		must(dia_parse(dia_buf_span(&b), &answer) == RC_OK && (answer.hdr.flags & DIA_R) == 0);
		for (rest = answer.avps; (rc = dia_next(&rest, &a, NULL)) == RC_OK;)
			;
		must(rc == RC_NOTFOUND && dia_find(answer.avps, DIA_RESULT_CODE, &a));
	} else {
		must(rc == RC_RANGE && m->whole.n > DIA_MSG_MAX / 2);	/* Proxy-Info that fills it all */
	}
	dia_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct dia_fault lenient, strict;
	struct dia_msg m;
	bool good;

	if (dia_parse(span_of(p, n), &m) != RC_OK)
		return 0;
	must(m.whole.n == n && m.avps.n == n - DIA_HDR_LEN && m.hdr.len == n);
	print_back(&m);
	read_all(m.avps, 0);
	look_up(m.avps);
	good = dia_check(&m, true, &strict) == RC_OK;
	if (dia_check(&m, false, &lenient) != RC_OK) {
		must(!good);
		refuse(&m, &lenient);
	}
	return 0;
}
