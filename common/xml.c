/* xml: expat behind a table of fields. expat pushes; this keeps where in the shape the document is. */
#include "common/xml.h"

#include <expat.h>
#include <stdatomic.h>
#include <string.h>

#include "common/rnd.h"

#define NS_SEPARATOR '\n'	/* expat puts it between namespace and name; no name holds it */

struct reader {
	XML_Parser parser;
	const struct xml_shape *shape;
	struct xml_text *texts;
	size_t used[XML_FIELDS_MAX];	/* octets in texts[i] */
	int depth, skip;		/* skip: depth of the unknown element that we are in, 0 = none */
	int field, field_depth;		/* the field that we are in, -1 = none */
	const char *container;		/* the child of the root that holds fields, NULL = none */
	enum rc rc;
};

static void
fail(struct reader *r, enum rc rc)
{
	if (r->rc == RC_OK)
		r->rc = rc;
	XML_StopParser(r->parser, XML_FALSE);
}

/* name is "namespace\nlocal", or "local" where there is no namespace. */
static const char *
local_of(const char *name)
{
	const char *sep = strchr(name, NS_SEPARATOR);

	return sep == NULL ? name : sep + 1;
}

static bool
in_ns(const char *name, const char *ns)
{
	const char *sep = strchr(name, NS_SEPARATOR);
	size_t n = sep == NULL ? 0 : (size_t)(sep - name);

	return n == strlen(ns) && memcmp(name, ns, n) == 0;
}

/* The field of that name under that parent (NULL = the root); -1 if there is none. */
static int
find_field(const struct reader *r, const char *parent, const char *name)
{
	for (size_t i = 0; i < r->shape->n; i++) {
		const struct xml_field *f = &r->shape->fields[i];

		if ((f->parent == NULL) != (parent == NULL) || strcmp(f->name, local_of(name)) != 0)
			continue;
		if (parent == NULL ? in_ns(name, r->shape->ns) : strcmp(f->parent, parent) == 0)
			return (int)i;
	}
	return -1;
}

static const char *
find_container(const struct reader *r, const char *name)
{
	for (size_t i = 0; i < r->shape->n; i++) {
		const char *parent = r->shape->fields[i].parent;

		if (parent != NULL && strcmp(parent, local_of(name)) == 0)
			return parent;
	}
	return NULL;
}

static void
begin_field(struct reader *r, int i)
{
	if (r->texts[i].found) {
		fail(r, RC_SYNTAX);
		return;
	}
	r->texts[i].found = true;
	r->field = i;
	r->field_depth = r->depth;
}

static void
below_root(struct reader *r, const char *name)
{
	int i = find_field(r, r->depth == 2 ? NULL : r->container, name);

	if (r->depth > 3)
		i = -1;
	if (i >= 0) {
		begin_field(r, i);
		return;
	}
	if (r->depth == 2 && (r->container = find_container(r, name)) != NULL)
		return;
	if (!r->shape->ignore_unknown)
		fail(r, RC_SYNTAX);
	r->skip = r->depth;
}

static void XMLCALL
on_start(void *arg, const char *name, const char **attributes)
{
	struct reader *r = arg;

	if (++r->depth > XML_DEPTH_MAX) {
		fail(r, RC_RANGE);
		return;
	}
	if (r->skip > 0)
		return;
	if (attributes[0] != NULL && !r->shape->ignore_unknown) {
		fail(r, RC_SYNTAX);
		return;
	}
	if (r->field >= 0)		/* markup where text belongs */
		fail(r, RC_SYNTAX);
	else if (r->depth > 1)
		below_root(r, name);
	else if (!in_ns(name, r->shape->ns) || strcmp(local_of(name), r->shape->root) != 0)
		fail(r, RC_SYNTAX);
}

static void XMLCALL
on_end(void *arg, const char *name)
{
	struct reader *r = arg;

	(void)name;
	if (r->skip == r->depth)
		r->skip = 0;
	if (r->field >= 0 && r->field_depth == r->depth)
		r->field = -1;
	if (r->depth == 2)
		r->container = NULL;
	r->depth--;
}

static bool
blank(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != ' ' && p[i] != '\t' && p[i] != '\n' && p[i] != '\r')
			return false;
	return true;
}

static void XMLCALL
on_text(void *arg, const char *p, int len)
{
	struct reader *r = arg;
	size_t n = (size_t)len;
	struct xml_text *t;

	if (r->skip > 0 || r->rc != RC_OK)
		return;
	if (r->field < 0) {
		if (!blank(p, n))
			fail(r, RC_SYNTAX);
		return;
	}
	t = &r->texts[r->field];
	if (n >= t->cap - r->used[r->field]) {
		fail(r, RC_RANGE);
		return;
	}
	memcpy(t->p + r->used[r->field], p, n);
	r->used[r->field] += n;
	t->p[r->used[r->field]] = '\0';
}

static void XMLCALL
on_doctype(void *arg, const char *name, const char *sysid, const char *pubid, int has_internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has_internal;
	fail(arg, RC_SYNTAX);
}

/*
 * One parser is kept from document to document, for making one costs as much as reading a short document: whoever takes it leaves
 * NULL, and who finds NULL makes another one. Of the salt of its hash tables, which expat would ask the kernel for each time, there is
 * one for the process.
 */
static _Atomic(XML_Parser) kept;
static _Atomic unsigned long kept_salt;

static unsigned long
salt(void)
{
	unsigned long s = atomic_load(&kept_salt), none = 0;

	if (s != 0)
		return s;
	if (rnd_bytes(rnd_system(), (uint8_t *)&s, sizeof(s)) != RC_OK || s == 0)
		return 0;		/* expat makes one */
	return atomic_compare_exchange_strong(&kept_salt, &none, s) ? s : none;
}

static XML_Parser
take_parser(void)
{
	XML_Parser p = atomic_exchange(&kept, NULL);

	/* one encoding, whatever the document declares: what is a key has one spelling */
	if (p == NULL)
		p = XML_ParserCreateNS("UTF-8", NS_SEPARATOR);
	if (p != NULL)
		(void)XML_SetHashSalt(p, salt());
	return p;
}

/* Its next document finds it as new. What a bad one has made of it (tables as large as the document) is not carried along. */
static void
give_back(XML_Parser p, bool good)
{
	if (good && XML_ParserReset(p, "UTF-8") == XML_TRUE)
		p = atomic_exchange(&kept, p);
	XML_ParserFree(p);		/* NULL is fine */
}

enum rc
xml_parse(struct span doc, const struct xml_shape *shape, struct xml_text *texts)
{
	struct reader r = { .shape = shape, .texts = texts, .field = -1 };

	if (doc.n > shape->max || shape->n > XML_FIELDS_MAX)
		return RC_RANGE;
	for (size_t i = 0; i < shape->n; i++) {
		texts[i].found = false;
		texts[i].p[0] = '\0';
	}
	if ((r.parser = take_parser()) == NULL)
		return RC_NOMEM;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	if (XML_Parse(r.parser, (const char *)doc.p, (int)doc.n, 1) != XML_STATUS_OK && r.rc == RC_OK)
		r.rc = XML_GetErrorCode(r.parser) == XML_ERROR_NO_MEMORY ? RC_NOMEM : RC_SYNTAX;
	give_back(r.parser, r.rc == RC_OK);
	for (size_t i = 0; i < shape->n && r.rc == RC_OK; i++)
		if (shape->fields[i].required && !texts[i].found)
			r.rc = RC_SYNTAX;
	return r.rc;
}

/* --- out */

void
xml_out_init(struct xml_out *o, char *p, size_t cap)
{
	*o = (struct xml_out){ p, cap, 0, false };
}

static void
put(struct xml_out *o, const char *p, size_t n)
{
	if (o->full || n > o->cap - o->n) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void
put_str(struct xml_out *o, const char *s)
{
	put(o, s, strlen(s));
}

/* What stands for an octet that cannot stand for itself, NULL: it can. */
static const char *
escape_of(uint8_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	default:
		/* XML 1.0 2.2 has no way to say the other controls; "\r" would be read back as "\n" */
		return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f ? "?" : NULL;
	}
}

static void
put_escaped(struct xml_out *o, struct span v)
{
	size_t from = 0;		/* what is before went out */

	for (size_t i = 0; i < v.n; i++) {
		const char *escape = escape_of(v.p[i]);

		if (escape == NULL)
			continue;
		put(o, (const char *)v.p + from, i - from);
		put_str(o, escape);
		from = i + 1;
	}
	if (from < v.n)
		put(o, (const char *)v.p + from, v.n - from);
}

void
xml_out_open(struct xml_out *o, const char *ns, const char *root)
{
	put_str(o, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
	put_str(o, root);
	put_str(o, " xmlns=\"");
	put_escaped(o, span_str(ns));
	put_str(o, "\">\n");
}

void
xml_out_text(struct xml_out *o, const char *name, struct span value)
{
	put_str(o, "  <");
	put_str(o, name);
	put_str(o, ">");
	put_escaped(o, value);
	put_str(o, "</");
	put_str(o, name);
	put_str(o, ">\n");
}

enum rc
xml_out_close(struct xml_out *o, const char *root, size_t *n)
{
	put_str(o, "</");
	put_str(o, root);
	put_str(o, ">\n");
	if (o->full)
		return RC_RANGE;
	*n = o->n;
	return RC_OK;
}
