/* Property: the pieces that octets come in make no difference; what decodes, printed, decodes to the same; memory is bounded. */
#include <stdlib.h>
#include <string.h>

#include "common/serial_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool
same(const struct serial_frame *a, const struct serial_frame *b)
{
	return a->listener == b->listener && a->kind == b->kind && a->channel == b->channel && a->session == b->session &&
	    a->seq == b->seq && span_eq(a->body, b->body);
}

/* The same frame as the piecewise decoder's next one. */
static bool
next(struct serial_decoder *d, struct span *in, size_t piece, struct serial_frame *out)
{
	struct span part;

	while (in->n > 0) {
		struct span rest;

		if (!span_take(in, in->n < piece ? in->n : piece, &part))
			abort();
		rest = part;
		if (serial_decoder_next(d, &rest, out)) {
			in->p -= rest.n;
			in->n += rest.n;
			return true;
		}
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct serial_decoder whole, pieces, again;
	static uint8_t wire[SERIAL_WIRE_MAX];
	struct serial_frame f, g, h;
	size_t piece = n > 0 ? 1 + p[0] % 7 : 1;
	struct span a = { p, n }, b = { p, n }, c;

	memset(&whole, 0, sizeof whole);
	memset(&pieces, 0, sizeof pieces);
	memset(&again, 0, sizeof again);
	while (serial_decoder_next(&whole, &a, &f)) {
		if (!next(&pieces, &b, piece, &g) || !same(&f, &g))
			abort();
		c = span_of(wire, serial_frame_print(&f, wire));
		if (!serial_decoder_next(&again, &c, &h) || !same(&f, &h) || again.bad > 0)
			abort();
	}
	if (next(&pieces, &b, piece, &g) || pieces.bad != whole.bad || whole.n > sizeof whole.octets)
		abort();
	return 0;
}
