/* Property: what is found lies inside its buffer and, written out, is found again; whatever is strict is also lenient. */
#include <stdlib.h>
#include <string.h>

#include "common/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct xml_field fields[] = {
	{ NULL, "btid", true }, { NULL, "lifetime", false }, { "Extension", "currenttime", false }
};

struct texts {
	char s[3][32];
	struct xml_text t[3];
};

static enum rc
parse(struct span in, bool lenient, struct texts *x)
{
	const struct xml_shape shape = { "uri:3gpp-gba", "BootstrappingInfo", fields, 3, lenient, 2048 };

	for (int i = 0; i < 3; i++)
		x->t[i] = (struct xml_text){ x->s[i], sizeof(x->s[i]), false };
	return xml_parse(in, &shape, x->t);
}

/* What XML can say as it is: "\r" is read as "\n", other controls become "?". */
static bool
plain(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct texts a, b;
	struct xml_out o;
	char out[2048];
	size_t m;

	if (parse((struct span){ p, n }, true, &a) != RC_OK) {
		if (parse((struct span){ p, n }, false, &a) == RC_OK)
			abort();
		return 0;
	}
	for (int i = 0; i < 3; i++)
		if (strlen(a.s[i]) >= sizeof(a.s[i]) || (!a.t[i].found && a.s[i][0] != '\0'))
			abort();
	xml_out_init(&o, out, sizeof(out));
	xml_out_open(&o, "uri:3gpp-gba", "BootstrappingInfo");
	xml_out_text(&o, "btid", span_str(a.s[0]));
	if (a.t[1].found)
		xml_out_text(&o, "lifetime", span_str(a.s[1]));
	if (xml_out_close(&o, "BootstrappingInfo", &m) != RC_OK || parse(span_of(out, m), false, &b) != RC_OK)
		abort();
	if (plain(a.s[0]) && strcmp(a.s[0], b.s[0]) != 0)
		abort();
	return 0;
}
