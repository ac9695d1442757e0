/* xml: what is taken, what is refused, and that what is written reads back. */
#include "common/xml.h"

#include "test/unit/unit.h"

static const struct xml_field fields[] = { { NULL, "a", true }, { NULL, "b", false }, { "Ext", "c", false } };
static const struct xml_shape strict = { "urn:t", "root", fields, 3, false, 400 };
static const struct xml_shape lenient = { "urn:t", "root", fields, 3, true, 400 };
static char a[9], b[9], c[9];

static enum rc
parse(const struct xml_shape *shape, const char *doc, struct xml_text texts[3])
{
	texts[0] = (struct xml_text){ a, sizeof a, false };
	texts[1] = (struct xml_text){ b, sizeof b, false };
	texts[2] = (struct xml_text){ c, sizeof c, false };
	return xml_parse(span_str(doc), shape, texts);
}

static const struct {
	const char *doc;
	const char *a, *b, *c;		/* NULL = not found */
	bool lenient;
} good[] = {
	{ "<root xmlns='urn:t'><a>1</a></root>", "1", NULL, NULL, false },
	{ "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<root xmlns=\"urn:t\">\n <b>2</b>\n <a>1</a>\n</root>\n", "1", "2", NULL, false },
	{ "<x:root xmlns:x='urn:t'><x:a>1</x:a></x:root>", "1", NULL, NULL, false },
	{ "<root xmlns='urn:t'><a/></root>", "", NULL, NULL, false },
	{ "<root xmlns='urn:t'><!-- no --><a>1<!-- no -->2</a><?pi?></root>", "12", NULL, NULL, false },
	{ "<root xmlns='urn:t'><a>&lt;&#65;&amp;&#x42;&gt;</a></root>", "<A&B>", NULL, NULL, false },
	{ "<root xmlns='urn:t'><a><![CDATA[<&>]]></a></root>", "<&>", NULL, NULL, false },
	{ "<root xmlns='urn:t'><a>12345678</a></root>", "12345678", NULL, NULL, false },
	{ "<root xmlns='urn:t'><a> 1 </a></root>", " 1 ", NULL, NULL, false },
	{ "<root xmlns='urn:t'><a>1</a><Ext><c>3</c></Ext></root>", "1", NULL, "3", false },
	/* what only the lenient take */
	{ "<root xmlns='urn:t' v='2'><a i='1'>1</a></root>", "1", NULL, NULL, true },
	{ "<root xmlns='urn:t'><a>1</a><new><a>9</a>text</new></root>", "1", NULL, NULL, true },
	{ "<root xmlns='urn:t'><a>1</a><a xmlns='urn:other'>9</a></root>", "1", NULL, NULL, true },
	{ "<root xmlns='urn:t'><a>1</a><Ext><d>9</d><c>3</c></Ext></root>", "1", NULL, "3", true },
	{ "<root xmlns='urn:t'><a>1</a><o:Ext xmlns:o='o'><o:c>3</o:c></o:Ext></root>", "1", NULL, "3", false },
	{ "<root xmlns='urn:t'><a>1</a><z><z><z><z><z><z><z/></z></z></z></z></z></z></root>", "1", NULL, NULL, true },
};

static void
same(const struct xml_text *t, const char *want)
{
	ck_assert_int_eq(t->found, want != NULL);
	ck_assert_str_eq(t->p, want == NULL ? "" : want);
}

START_TEST(documents_that_are_taken)
{
	struct xml_text t[3];

	ck_rc(parse(&strict, good[_i].doc, t), good[_i].lenient ? RC_SYNTAX : RC_OK);
	ck_rc(parse(&lenient, good[_i].doc, t), RC_OK);
	same(&t[0], good[_i].a);
	same(&t[1], good[_i].b);
	same(&t[2], good[_i].c);
}
END_TEST

static const struct {
	const char *doc;
	enum rc rc;
} bad[] = {
	{ "", RC_SYNTAX },
	{ "hello", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>1</a>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>1</b></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>1</a></root><root/>", RC_SYNTAX },
	{ "<root><a>1</a></root>", RC_SYNTAX },
	{ "<root xmlns='urn:T'><a>1</a></root>", RC_SYNTAX },
	{ "<Root xmlns='urn:t'><a>1</a></Root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'/>", RC_SYNTAX },				/* a is required */
	{ "<root xmlns='urn:t'><b>1</b></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>1</a><a>1</a></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>1</a><Ext><c>1</c></Ext><Ext><c>1</c></Ext></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>1<x/></a></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>1</a>text</root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>123456789</a></root>", RC_RANGE },
	{ "<root xmlns='urn:t'><a>1234567&#65;&#65;</a></root>", RC_RANGE },
	{ "<!DOCTYPE root><root xmlns='urn:t'><a>1</a></root>", RC_SYNTAX },
	{ "<!DOCTYPE r [<!ENTITY e 'x'>]><root xmlns='urn:t'><a>&e;</a></root>", RC_SYNTAX },
	{ "<!DOCTYPE r SYSTEM 'file:///etc/passwd'><root xmlns='urn:t'><a>1</a></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>&e;</a></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>&#0;</a></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t'><a>\xff\xfe</a></root>", RC_SYNTAX },
	{ "<root xmlns='urn:t' xmlns='urn:t'><a>1</a></root>", RC_SYNTAX },
};

START_TEST(documents_that_are_refused_strict_or_lenient)
{
	struct xml_text t[3];

	ck_rc(parse(&strict, bad[_i].doc, t), bad[_i].rc);
	ck_rc(parse(&lenient, bad[_i].doc, t), bad[_i].rc);
}
END_TEST

/* Parsers are kept: nothing that one document says, or a refused one left half said, holds for the next, and its limits stand again. */
START_TEST(a_document_is_read_as_if_none_had_been_before)
{
	const char *taken = good[0].doc;
	const char *prefix = "<x:root xmlns:x='urn:t'><x:a>1</x:a></x:root>", *unbound = "<x:root><x:a>1</x:a></x:root>";
	struct xml_text texts[3];

	for (size_t i = 0; i < TABLE_N(bad); i++) {
		ck_ok(parse(&strict, taken, texts));
		ck_rc(parse(&strict, bad[i].doc, texts), bad[i].rc);
		ck_rc(parse(&strict, bad[i].doc, texts), bad[i].rc);
	}
	ck_ok(parse(&strict, prefix, texts));
	ck_assert(parse(&strict, unbound, texts) != RC_OK);
	ck_ok(parse(&lenient, "<root xmlns='urn:t'><b>2</b><a>1</a></root>", texts));
	ck_ok(parse(&strict, taken, texts));
	ck_assert(texts[0].found && strcmp(a, "1") == 0 && !texts[1].found);
}
END_TEST

START_TEST(depth_and_size_have_caps)
{
	char doc[500];
	struct xml_text t[3];
	size_t n;

	/* the ninth level */
	ck_rc(parse(&lenient, "<root xmlns='urn:t'><a>1</a><z><z><z><z><z><z><z><z/></z></z></z></z></z></z></z></root>", t), RC_RANGE);
	strcpy(doc, "<root xmlns='urn:t'><a>1</a></root>");
	n = strlen(doc);
	memset(doc + n, ' ', sizeof doc - n);
	doc[400] = '\0';
	ck_rc(parse(&strict, doc, t), RC_OK);
	doc[400] = ' ';
	doc[401] = '\0';
	ck_rc(parse(&strict, doc, t), RC_RANGE);
}
END_TEST

START_TEST(a_nul_octet_is_refused)
{
	struct xml_text t[3] = { { a, sizeof a, false }, { b, sizeof b, false }, { c, sizeof c, false } };
	static const char doc[] = "<root xmlns='urn:t'><a>1\0</a></root>";

	ck_rc(xml_parse(span_of(doc, sizeof doc - 1), &strict, t), RC_SYNTAX);
}
END_TEST

START_TEST(what_is_written_reads_back)
{
	char out[400];
	struct xml_out o;
	struct xml_text t[3];
	size_t n = 0;

	xml_out_init(&o, out, sizeof out);
	xml_out_open(&o, "urn:t", "root");
	xml_out_text(&o, "a", span_str("<&>\"'"));
	xml_out_text(&o, "b", span_of("x\0\x01\ry", 5));
	ck_ok(xml_out_close(&o, "root", &n));
	ck_assert_uint_lt(n, sizeof out);
	out[n] = '\0';
	ck_ok(parse(&strict, out, t));
	ck_assert_str_eq(a, "<&>\"'");
	ck_assert_str_eq(b, "x???y");
}
END_TEST

START_TEST(output_that_does_not_fit_is_told_and_kept_inside)
{
	char out[400];
	size_t whole = 0, n;

	for (size_t cap = 0; cap < sizeof out; cap++) {
		struct xml_out o;
		enum rc rc;

		memset(out, UNTOUCHED, sizeof out);
		xml_out_init(&o, out, cap);
		xml_out_open(&o, "urn:t", "root");
		xml_out_text(&o, "a", span_str("value"));
		n = 0;
		rc = xml_out_close(&o, "root", &n);
		ck_assert(untouched(out + cap, sizeof out - cap));
		if (rc == RC_OK && whole == 0)
			whole = cap;
		ck_rc(rc, whole == 0 ? RC_RANGE : RC_OK);
		ck_assert(rc != RC_OK || n == whole);
	}
	ck_assert_uint_gt(whole, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("xml");
	TCase *t = tcase_create("xml");

	tcase_add_loop_test(t, documents_that_are_taken, 0, TABLE_N(good));
	tcase_add_loop_test(t, documents_that_are_refused_strict_or_lenient, 0, TABLE_N(bad));
	tcase_add_test(t, a_document_is_read_as_if_none_had_been_before);
	tcase_add_test(t, depth_and_size_have_caps);
	tcase_add_test(t, a_nul_octet_is_refused);
	tcase_add_test(t, what_is_written_reads_back);
	tcase_add_test(t, output_that_does_not_fit_is_told_and_kept_inside);
	suite_add_tcase(s, t);
	return unit_run(s);
}
